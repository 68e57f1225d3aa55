/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a guest offset to the cluster that has it: L1, L2, subclusters. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

static uint8_t *entry_at(const struct qcow2 *q, const struct table *table, uint64_t guest)
{
	return table->data + (guest >> q->cluster_bits) * q->entry_size % q->piece;
}

struct l2_entry l2__load(const struct qcow2 *q, const struct table *table, uint64_t guest)
{
	const uint8_t *at = entry_at(q, table, guest);

	return (struct l2_entry){ get_be64(at), q->extended ? get_be64(at + 8) : 0 };
}

void l2__store(struct qcow2 *q, struct table *table, uint64_t guest, struct l2_entry entry)
{
	uint8_t *at = entry_at(q, table, guest);

	pthread_mutex_lock(&q->node->lock);
	put_be64(at, entry.raw);
	if (q->extended)
		put_be64(at + 8, entry.bitmap);
	pthread_mutex_unlock(&q->node->lock);
	table_cache__soil(q, table, at - table->data, at - table->data + q->entry_size);
}

bool l2__has_cluster(const struct qcow2 *q, struct l2_entry entry)
{
	return !(entry.raw & QCOW2_PACKED) &&
	       ((entry.raw & QCOW2_OFFSET_MASK) || (q->data_file && (entry.raw & QCOW2_COPIED)));
}

enum sub_kind l2__kind(const struct qcow2 *q, struct l2_entry entry, unsigned sub)
{
	bool cluster = l2__has_cluster(q, entry), alloc, zero;

	if (entry.raw & QCOW2_PACKED)
		return q->data_file ? SUB_BAD : SUB_PACKED;
	if (cluster && (entry.raw & QCOW2_OFFSET_MASK & (q->cluster_size - 1)))
		return SUB_BAD;
	if (!q->extended) {
		if (!(entry.raw & QCOW2_ZERO))
			return cluster ? SUB_DATA : SUB_NONE;
		return q->version >= 3 ? SUB_ZERO : SUB_BAD;
	}
	alloc = entry.bitmap >> sub & 1;
	zero = entry.bitmap >> (32 + sub) & 1;
	if ((entry.raw & QCOW2_ZERO) || (alloc && (zero || !cluster)))
		return SUB_BAD;
	return zero ? SUB_ZERO : alloc ? SUB_DATA : SUB_NONE;
}

void l2__packed(const struct qcow2 *q, struct l2_entry entry, uint64_t *offset, uint64_t *bytes)
{
	unsigned bits = 62 - (q->cluster_bits - 8);
	uint64_t sectors = entry.raw >> bits & ((1ULL << (q->cluster_bits - 8)) - 1);

	*offset = entry.raw & ((1ULL << bits) - 1);
	*bytes = (sectors + 1) * 512 - (*offset & 511);
}

uint64_t l2__reach(const struct qcow2 *q, uint64_t guest)
{
	uint64_t span = (uint64_t)(q->piece / q->entry_size) << q->cluster_bits;

	return span - guest % span;
}

static uint64_t piece_at(const struct qcow2 *q, uint64_t l2, uint64_t guest)
{
	uint64_t index = guest >> q->cluster_bits & ((1ULL << q->l2_bits) - 1);

	return l2 + index * q->entry_size / q->piece * q->piece;
}

static uint64_t l1_entry(const struct qcow2 *q, uint64_t guest)
{
	uint64_t index = guest >> (q->cluster_bits + q->l2_bits);

	return index < q->l1_size ? q->l1[index] : 0;
}

int l2__get(struct qcow2 *q, uint64_t guest, struct table **table)
{
	uint64_t l2 = l1_entry(q, guest) & QCOW2_OFFSET_MASK;

	*table = NULL;
	if (!l2)
		return 0;
	if (l2 & (q->cluster_size - 1))
		return qcow2__damaged(q, "L2 table is misaligned", l2);
	return table_cache__get(q, TABLE_L2, piece_at(q, l2, guest), table);
}

/* A table of this image's own: a copy of `from`, or (0) an empty one. */
static int make_l2(struct qcow2 *q, uint64_t from, uint64_t *offset)
{
	uint8_t *buf = calloc(1, q->cluster_size);
	uint64_t got;
	int err;

	if (!buf)
		return -ENOMEM;
	/* Shared tables are never changed: what the file has is all there is. */
	err = from ? file__read(q->file, from, buf, q->cluster_size) : 0;
	if (!err)
		err = refcount__alloc(q, 1, offset, &got);
	if (err)
		goto free_buf;
	table_cache__forget(q, *offset >> q->cluster_bits, 1);
	err = file__write(q->file, *offset, buf, q->cluster_size);
	if (!err)
		err = qcow2_metadata__add(q, *offset, q->cluster_size);
	if (err)
		refcount__change(q, *offset >> q->cluster_bits, 1, -1);
free_buf:
	free(buf);
	return err;
}

static void set_l1(struct qcow2 *q, uint32_t index, uint64_t value)
{
	pthread_mutex_lock(&q->node->lock);
	q->l1[index] = value;
	pthread_mutex_unlock(&q->node->lock);
	if (q->l1_dirty_from == q->l1_dirty_to) {
		q->l1_dirty_from = index;
		q->l1_dirty_to = index + 1;
	}
	if (index < q->l1_dirty_from)
		q->l1_dirty_from = index;
	if (index >= q->l1_dirty_to)
		q->l1_dirty_to = index + 1;
	atomic_store(&q->dirty, true);
}

int l2__get_for_write(struct qcow2 *q, uint64_t guest, struct table **table)
{
	uint64_t index = guest >> (q->cluster_bits + q->l2_bits), entry = l1_entry(q, guest), offset;
	uint64_t old = entry & QCOW2_OFFSET_MASK;
	int err = qcow2_flush__begin(q);

	*table = NULL;
	if (err)
		return err;
	if (index >= q->l1_size)
		return -EIO;
	if (old & (q->cluster_size - 1))
		return qcow2__damaged(q, "L2 table is misaligned", old);
	if (!old || !(entry & QCOW2_COPIED)) {
		err = make_l2(q, old, &offset);
		if (err)
			return err;
		set_l1(q, index, offset | QCOW2_COPIED);
		if (old) {
			qcow2_metadata__remove(q, old, q->cluster_size);
			err = qcow2_flush__free_later(q, old, q->cluster_size);
			if (err)
				return err;
		}
	}
	err = l2__get(q, guest, table);
	return !err && !*table ? -EIO : err;
}

static enum extent_kind extent_kind(enum sub_kind kind)
{
	static const enum extent_kind kinds[] = {
		[SUB_NONE] = EXTENT_BACKING,	 [SUB_ZERO] = EXTENT_ZERO, [SUB_DATA] = EXTENT_DATA,
		[SUB_PACKED] = EXTENT_COMPRESSED, [SUB_BAD] = EXTENT_SLOW,
	};

	return kinds[kind];
}

/* Whether guest data may be written where it is. */
static bool is_writable(const struct qcow2 *q, struct l2_entry entry)
{
	return (entry.raw & QCOW2_COPIED) &&
	       (q->data_file || !cluster_set__has(&q->metadata, (entry.raw & QCOW2_OFFSET_MASK) >>
									q->cluster_bits));
}

/* The first subclusters of a range that are of one kind, and in a row. */
static void scan(const struct qcow2 *q, const struct table *table, uint64_t offset, uint64_t length,
		 bool write, struct extent *extent)
{
	uint64_t at = offset, end = offset + length, next, where;
	enum sub_kind first = SUB_BAD, kind;

	*extent = (struct extent){ .file = qcow2_data(q) };
	for (; at < end; at = next) {
		struct l2_entry entry = l2__load(q, table, at);

		next = ((at >> q->sub_bits) + 1) << q->sub_bits;
		kind = l2__kind(q, entry, at >> q->sub_bits & (q->sub_count - 1));
		where = (entry.raw & QCOW2_OFFSET_MASK) + (at & (q->cluster_size - 1));
		if (write && (kind != SUB_DATA || !is_writable(q, entry)))
			kind = SUB_BAD;
		if (at == offset) {
			first = kind;
			extent->kind = extent_kind(kind);
			extent->reserved = kind == SUB_ZERO && l2__has_cluster(q, entry);
			if (kind == SUB_PACKED)
				l2__packed(q, entry, &extent->offset, &where);
			else
				extent->offset = where;
			continue;
		}
		if (kind != first || (kind == SUB_DATA && where != extent->offset + (at - offset)) ||
		    ((kind == SUB_PACKED || kind == SUB_BAD) && !(at & (q->cluster_size - 1))))
			break;
	}
	extent->length = (at < end ? at : end) - offset;
}

static uint64_t within_piece(const struct qcow2 *q, uint64_t offset, uint64_t length)
{
	uint64_t reach = l2__reach(q, offset);

	return length < reach ? length : reach;
}

void qcow2__map(struct node *node, uint64_t offset, uint64_t length, bool write,
		struct extent *extent)
{
	struct qcow2 *q = node->private;
	struct table *table = NULL;
	uint64_t l2;

	length = within_piece(q, offset, length);
	*extent = (struct extent){ EXTENT_SLOW, length, NULL, 0, false };
	pthread_mutex_lock(&node->lock);
	l2 = l1_entry(q, offset) & QCOW2_OFFSET_MASK;
	if (!l2 && !write)
		extent->kind = EXTENT_BACKING;
	else if (l2 && !(l2 & (q->cluster_size - 1)) && !(write && q->corrupt))
		table = table_cache__peek(q, piece_at(q, l2, offset));
	if (table)
		scan(q, table, offset, length, write, extent);
	if (extent->kind == EXTENT_COMPRESSED)
		extent->kind = EXTENT_SLOW;
	pthread_mutex_unlock(&node->lock);
}

static int look_up(struct qcow2 *q, uint64_t offset, uint64_t length, bool write,
		   struct extent *extent)
{
	struct table *table;
	int err = l2__get(q, offset, &table);

	if (err)
		return err;
	length = within_piece(q, offset, length);
	if (!table) {
		*extent = (struct extent){ write ? EXTENT_SLOW : EXTENT_BACKING, length, NULL, 0, false };
		return 0;
	}
	scan(q, table, offset, length, write, extent);
	table_cache__put(table);
	if (!write && extent->kind == EXTENT_SLOW)
		return qcow2__damaged(q, "L2 entry is impossible, for guest offset", offset);
	return 0;
}

int qcow2__extent(struct node *node, uint64_t offset, uint64_t length, struct extent *extent)
{
	return look_up(node->private, offset, length, false, extent);
}

int qcow2__extent_for_write(struct qcow2 *q, uint64_t offset, uint64_t length, struct extent *extent)
{
	return look_up(q, offset, length, true, extent);
}
