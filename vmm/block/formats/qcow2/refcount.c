/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many users each cluster of the file has, and the search for one that has none. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

uint64_t refcount__load(const struct qcow2 *q, const uint8_t *block, uint64_t index)
{
	unsigned bits = 1u << q->refcount_order;

	switch (q->refcount_order) {
	case 3:
		return block[index];
	case 4:
		return get_be16(block + index * 2);
	case 5:
		return get_be32(block + index * 4);
	case 6:
		return get_be64(block + index * 8);
	default:
		return block[index * bits / 8] >> (index * bits % 8) & ((1u << bits) - 1);
	}
}

void refcount__store(const struct qcow2 *q, uint8_t *block, uint64_t index, uint64_t value)
{
	unsigned bits = 1u << q->refcount_order, shift = index * bits % 8;
	uint8_t *byte = block + index * bits / 8;

	switch (q->refcount_order) {
	case 3:
		*byte = value;
		break;
	case 4:
		put_be16(byte, value);
		break;
	case 5:
		put_be32(byte, value);
		break;
	case 6:
		put_be64(byte, value);
		break;
	default:
		*byte = (*byte & ~(((1u << bits) - 1) << shift)) | value << shift;
	}
}

/* The piece that has a cluster's refcount, pinned, and its place in there. *table NULL: no block. */
static int get_piece(struct qcow2 *q, uint64_t cluster, struct table **table, uint64_t *index)
{
	uint64_t block = cluster >> q->refs_bits, offset, per_piece = (uint64_t)q->piece * 8 >> q->refcount_order;

	*table = NULL;
	if (block >= q->reftable_size || !q->reftable[block])
		return 0;
	offset = q->reftable[block];
	if (offset & (q->cluster_size - 1) || offset >= QCOW2_MAX_OFFSET)
		return qcow2__damaged(q, "refcount block", offset);
	*index = cluster & ((1ULL << q->refs_bits) - 1);
	offset += *index / per_piece * q->piece;
	*index %= per_piece;
	return table_cache__get(q, TABLE_REFCOUNT, offset, table);
}

int refcount__get(struct qcow2 *q, uint64_t cluster, uint64_t *count)
{
	struct table *table;
	uint64_t index;
	int err = get_piece(q, cluster, &table, &index);

	if (err)
		return err;
	*count = table ? refcount__load(q, table->data, index) : 0;
	table_cache__put(table);
	return 0;
}

static void store_count(struct qcow2 *q, struct table *table, uint64_t index, uint64_t value)
{
	uint64_t bit = index << q->refcount_order;

	refcount__store(q, table->data, index, value);
	table_cache__soil(q, table, bit / 8, (bit + (1u << q->refcount_order) + 7) / 8);
}

int refcount__set(struct qcow2 *q, uint64_t cluster, uint64_t value)
{
	struct table *table;
	uint64_t index;
	int err = get_piece(q, cluster, &table, &index);

	if (err)
		return err;
	if (!table)
		return value ? -EIO : 0;
	store_count(q, table, index, value);
	table_cache__put(table);
	if (!value && cluster < q->hint)
		q->hint = cluster;
	return 0;
}

static int change_one(struct qcow2 *q, uint64_t cluster, int by)
{
	struct table *table;
	uint64_t index, value;
	int err = get_piece(q, cluster, &table, &index);

	if (err)
		return err;
	value = table ? refcount__load(q, table->data, index) : 0;
	if (!value) {
		/* Only what is in use gets or loses users here; allocation is elsewhere. */
		table_cache__put(table);
		return qcow2__damaged(q, "refcount of a used cluster is zero", cluster << q->cluster_bits);
	}
	if (by > 0 && value == q->refcount_max) {
		table_cache__put(table);
		return -ERANGE;
	}
	value += by;
	store_count(q, table, index, value);
	table_cache__put(table);
	if (value)
		return 0;
	if (cluster < q->hint)
		q->hint = cluster;
	/* No more packed bytes go there. */
	if (cluster == q->packed_end >> q->cluster_bits)
		q->packed_end = 0;
	table_cache__forget(q, cluster, 1);
	return 0;
}

int refcount__change(struct qcow2 *q, uint64_t cluster, uint64_t count, int by)
{
	uint64_t done = 0;
	int err = qcow2_flush__begin(q);

	while (!err && done < count) {
		err = change_one(q, cluster + done, by);
		if (!err)
			done++;
	}
	if (!err)
		return 0;
	while (done--)
		change_one(q, cluster + done, -by);
	return err;
}

/* Writes the entries of the reftable. Blocks have to be on the medium before. */
static int write_reftable(struct qcow2 *q, uint64_t from, uint64_t count)
{
	uint64_t *out = malloc(count * 8), i;
	int err;

	if (!out)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		out[i] = htobe64(q->reftable[from + i]);
	err = file__sync(q->file);
	if (!err)
		err = file__write(q->file, q->reftable_offset + from * 8, out, count * 8);
	free(out);
	return err;
}

/*
 * Makes blocks for clusters that have none, from `first` (a multiple of the refcounts in a block)
 * on: the first `used` of them get refcount one, the blocks stand behind these. `table` has the new
 * entries afterwards, nothing refers to them on the medium. *blocks says how many.
 */
static int make_blocks(struct qcow2 *q, uint64_t first, uint64_t used, uint64_t *table, uint64_t *blocks)
{
	uint64_t per_block = 1ULL << q->refs_bits, count = 1, added = 0, i, n;
	uint8_t *block;
	int err = 0;

	while (count * per_block < used + count)
		count++;
	block = malloc(q->cluster_size);
	if (!block)
		return -ENOMEM;
	for (n = 0; !err && n < count; n++) {
		uint64_t at = (first + used + n) << q->cluster_bits;

		memset(block, 0, q->cluster_size);
		for (i = 0; i < per_block && n * per_block + i < used + count; i++)
			refcount__store(q, block, i, 1);
		err = qcow2_metadata__add(q, at, q->cluster_size);
		if (err == -EIO)
			err = qcow2__damaged(q, "free cluster holds metadata", at);
		if (!err) {
			added++;
			err = file__write(q->file, at, block, q->cluster_size);
		}
		table_cache__forget(q, at >> q->cluster_bits, 1);
		table[(first >> q->refs_bits) + n] = at;
	}
	/* A full file system may have room later: then these are made again. */
	if (err)
		qcow2_metadata__remove(q, (first + used) << q->cluster_bits, added << q->cluster_bits);
	free(block);
	*blocks = count;
	return err;
}

/* A table of at least `entries`, behind everything that the present one reaches. */
static int grow_reftable(struct qcow2 *q, uint64_t entries)
{
	uint64_t per_cluster = q->cluster_size / 8, old_size = q->reftable_size, clusters, blocks, i;
	uint64_t old_offset = q->reftable_offset, first = old_size << q->refs_bits, *table, offset;
	uint8_t field[12];
	int err = -ENOMEM;

	/* Room for the blocks that the table itself needs, and for more. */
	entries += entries / 2 + 16;
	clusters = (entries + per_cluster - 1) / per_cluster;
	entries = (clusters + (clusters >> q->refs_bits) * 2 / per_cluster + 1) * per_cluster;
	clusters = entries / per_cluster;
	if (entries * 8 > QCOW2_MAX_REFTABLE_BYTES)
		return -EFBIG;
	table = calloc(entries, 8);
	if (!table)
		return -ENOMEM;
	memcpy(table, q->reftable, old_size * 8);
	err = make_blocks(q, first, clusters, table, &blocks);
	if (err)
		goto free_table;
	offset = first << q->cluster_bits;
	err = qcow2_metadata__add(q, offset, clusters << q->cluster_bits);
	if (err) {
		err = qcow2__damaged(q, "free cluster holds metadata", offset);
		goto forget_blocks;
	}
	for (i = 0; i < entries; i++)
		table[i] = htobe64(table[i]);
	err = file__write(q->file, offset, table, entries * 8);
	for (i = 0; i < entries; i++)
		table[i] = be64toh(table[i]);
	if (!err)
		err = file__sync(q->file);
	put_be64(field, offset);
	put_be32(field + 8, clusters);
	if (!err)
		err = file__write(q->file, QCOW2_AT_REFTABLE_OFFSET, field, sizeof(field));
	if (!err)
		err = file__sync(q->file);
	if (err)
		goto forget_table;
	free(q->reftable);
	q->reftable = table;
	q->reftable_size = entries;
	q->reftable_offset = offset;
	qcow2_metadata__remove(q, old_offset, old_size * 8);
	return refcount__change(q, old_offset >> q->cluster_bits, qcow2_clusters(q, old_size * 8), -1);
forget_table:
	qcow2_metadata__remove(q, offset, clusters << q->cluster_bits);
forget_blocks:
	qcow2_metadata__remove(q, (first + clusters) << q->cluster_bits, blocks << q->cluster_bits);
free_table:
	free(table);
	return err;
}

/* A block for a range that has none; it is the first cluster of the range itself. */
static int add_block(struct qcow2 *q, uint64_t number)
{
	uint64_t blocks;
	int err = make_blocks(q, number << q->refs_bits, 0, q->reftable, &blocks);

	if (!err) {
		err = write_reftable(q, number, 1);
		if (err)
			qcow2_metadata__remove(q, q->reftable[number], q->cluster_size);
	}
	if (err)
		q->reftable[number] = 0;
	return err;
}

/* 1: free, 0: not, or has no block yet and `need` is false. */
static int is_free(struct qcow2 *q, uint64_t cluster, bool need)
{
	uint64_t block = cluster >> q->refs_bits, count;
	int err = 0;

	if (block >= q->reftable_size || !q->reftable[block]) {
		if (!need)
			return 0;
		if (block >= q->reftable_size)
			err = grow_reftable(q, block + 1);
		if (!err && !q->reftable[block])
			err = add_block(q, block);
		if (err)
			return err;
	}
	err = refcount__get(q, cluster, &count);
	return err ? err : !count;
}

static int take(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	uint64_t i;
	int err = 0;

	for (i = 0; !err && i < count; i++) {
		/* Nobody else changes the set: no lock to read it. */
		if (cluster_set__has(&q->metadata, cluster + i))
			err = qcow2__damaged(q, "free cluster holds metadata",
					     (cluster + i) << q->cluster_bits);
		else
			err = refcount__set(q, cluster + i, 1);
	}
	if (err && i)
		for (i--; i--;)
			refcount__set(q, cluster + i, 0);
	return err;
}

int refcount__alloc(struct qcow2 *q, uint64_t want, uint64_t *offset, uint64_t *got)
{
	uint64_t cluster = q->hint, n;
	int err, is;

	err = qcow2_flush__begin(q);
	if (err)
		return err;
	for (;; cluster++) {
		if (cluster << q->cluster_bits >= QCOW2_MAX_OFFSET)
			return -EFBIG;
		is = is_free(q, cluster, true);
		if (is < 0)
			return is;
		if (is)
			break;
	}
	for (n = 1; n < want; n++) {
		is = is_free(q, cluster + n, false);
		if (is < 0)
			return is;
		if (!is)
			break;
	}
	err = take(q, cluster, n);
	if (err)
		return err;
	q->hint = cluster + n;
	*offset = cluster << q->cluster_bits;
	*got = n;
	return 0;
}

/* Behind all blocks that there are, with blocks of its own. */
static int alloc_at_end(struct qcow2 *q, uint64_t count, uint64_t *offset)
{
	uint64_t number = q->reftable_size, first, blocks, need;
	int err;

	while (number && !q->reftable[number - 1])
		number--;
	need = number + (count >> q->refs_bits) * 2 + 3;
	if (need > q->reftable_size) {
		err = grow_reftable(q, need);
		if (err)
			return err;
		/* The new table stands where the end was. */
		number = q->reftable_size;
		while (number && !q->reftable[number - 1])
			number--;
		if (number + (count >> q->refs_bits) * 2 + 3 > q->reftable_size)
			return -EFBIG;
	}
	first = number << q->refs_bits;
	err = make_blocks(q, first, count, q->reftable, &blocks);
	if (!err)
		err = write_reftable(q, number, blocks);
	if (err) {
		for (need = number; need < q->reftable_size; need++)
			q->reftable[need] = 0;
		return err;
	}
	*offset = first << q->cluster_bits;
	return 0;
}

int refcount__alloc_area(struct qcow2 *q, uint64_t bytes, uint64_t *offset)
{
	uint64_t count = qcow2_clusters(q, bytes), cluster = q->hint, run = 0;
	int is, err = qcow2_flush__begin(q);

	if (err)
		return err;
	if (count <= 1)
		return refcount__alloc(q, 1, offset, &run);
	for (; cluster >> q->refs_bits < q->reftable_size; cluster++) {
		is = is_free(q, cluster, false);
		if (is < 0)
			return is;
		run = is ? run + 1 : 0;
		if (run < count)
			continue;
		cluster -= count - 1;
		*offset = cluster << q->cluster_bits;
		return take(q, cluster, count);
	}
	return alloc_at_end(q, count, offset);
}
