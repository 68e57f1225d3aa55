/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zeroes by marks in L2 entries, and discards. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

/* Where version 2 or a part of a subcluster leaves no other way. */
static int write_zeroes(struct qcow2 *q, uint64_t offset, uint64_t length)
{
	struct extent extent;
	uint64_t piece;
	uint8_t *zeroes;
	int err = 0;

	if (posix_memalign((void **)&zeroes, 4096, q->cluster_size > 4096 ? q->cluster_size : 4096))
		return -ENOMEM;
	memset(zeroes, 0, q->cluster_size);
	for (; !err && length; offset += piece, length -= piece) {
		struct iovec iov = { zeroes, 0 };

		err = qcow2__extent(q->node, offset, length < q->cluster_size ? length : q->cluster_size,
				    &extent);
		piece = extent.length;
		iov.iov_len = piece;
		if (!err && extent.kind != EXTENT_ZERO &&
		    (extent.kind != EXTENT_BACKING || q->node->backing))
			err = qcow2__write(q->node, offset, &iov, 1);
	}
	free(zeroes);
	return err;
}

static uint32_t mask_of(const struct qcow2 *q, uint64_t from, uint64_t to)
{
	unsigned first = (from & (q->cluster_size - 1)) >> q->sub_bits;
	unsigned last = ((to - 1) & (q->cluster_size - 1)) >> q->sub_bits;

	return (last == 31 ? ~0u : (1u << (last + 1)) - 1) & ~((1u << first) - 1);
}

static bool is_whole(const struct qcow2 *q, uint32_t mask)
{
	return mask == (q->sub_count == 32 ? ~0u : 1u);
}

/* The entry with the subclusters of `mask` zero. */
static struct l2_entry zero_entry(const struct qcow2 *q, struct l2_entry old, uint32_t mask, bool unmap)
{
	struct l2_entry entry = old;
	bool keep = l2__has_cluster(q, old) && (old.raw & QCOW2_COPIED) && (!unmap || q->data_raw);

	if (is_whole(q, mask)) {
		entry.raw = keep ? old.raw : 0;
		entry.bitmap = 0;
		if (!q->extended)
			entry.raw |= QCOW2_ZERO;
	}
	if (q->extended)
		entry.bitmap = (entry.bitmap | (uint64_t)mask << 32) & ~(uint64_t)mask;
	return entry;
}

static int store_if_other(struct qcow2 *q, struct table *table, uint64_t at, struct l2_entry old,
			  struct l2_entry entry)
{
	if (old.raw == entry.raw && old.bitmap == entry.bitmap)
		return 0;
	l2__store(q, table, at, entry);
	return (old.raw & QCOW2_OFFSET_MASK) != (entry.raw & QCOW2_OFFSET_MASK) ||
			       (old.raw & QCOW2_PACKED) ?
		       qcow2__release(q, old) :
		       0;
}

/* Subclusters within one piece of an L2 table. */
static int zero_piece(struct qcow2 *q, uint64_t from, uint64_t to, bool unmap)
{
	struct table *table;
	uint64_t next;
	int err;

	/* Nothing here and nothing behind it is zero already. */
	err = l2__get(q, from, &table);
	if (err || (!table && !q->node->backing))
		return err;
	table_cache__put(table);
	err = l2__get_for_write(q, from, &table);
	for (; !err && from < to; from = next) {
		struct l2_entry old = l2__load(q, table, from);
		uint32_t mask;

		next = (from & ~(q->cluster_size - 1)) + q->cluster_size;
		if (next > to)
			next = to;
		mask = mask_of(q, from, next);
		if ((old.raw & QCOW2_PACKED) && !is_whole(q, mask))
			err = write_zeroes(q, from, next - from);
		else
			err = store_if_other(q, table, from, old, zero_entry(q, old, mask, unmap));
	}
	table_cache__put(table);
	return err;
}

int qcow2__zero(struct node *node, uint64_t offset, uint64_t length, bool unmap)
{
	struct qcow2 *q = node->private;
	uint64_t mask = (1ULL << q->sub_bits) - 1, end = offset + length, from, to, piece;
	int err = q->corrupt ? -EIO : 0;

	/* A raw data file is to be right by itself. */
	if (!err && q->data_raw)
		err = file__zero(q->data_file, offset, length, unmap);
	if (err)
		return err;
	if (q->version < 3)
		return write_zeroes(q, offset, length);
	from = (offset + mask) & ~mask;
	/* What is behind the end of the disk may as well be zero. */
	to = end == atomic_load(&node->size) ? (end + mask) & ~mask : end & ~mask;
	if (from >= to)
		return write_zeroes(q, offset, length);
	if (from > offset)
		err = write_zeroes(q, offset, from - offset);
	if (!err && end > to)
		err = write_zeroes(q, to, end - to);
	for (; !err && from < to; from += piece) {
		piece = l2__reach(q, from);
		if (piece > to - from)
			piece = to - from;
		err = zero_piece(q, from, from + piece, unmap);
	}
	return err;
}

/* `gone`: what the entries of these clusters become. */
static int drop_piece(struct qcow2 *q, uint64_t from, uint64_t to, struct l2_entry gone)
{
	struct table *table;
	int err;

	err = l2__get(q, from, &table);
	if (err || !table)
		return err;
	table_cache__put(table);
	err = l2__get_for_write(q, from, &table);
	for (; !err && from < to; from += q->cluster_size) {
		struct l2_entry old = l2__load(q, table, from);

		if (!(old.raw & QCOW2_PACKED) && !l2__has_cluster(q, old))
			continue;
		err = store_if_other(q, table, from, old, gone);
		if (!err && q->data_file)
			q->data_file->class->zero(q->data_file, from, q->cluster_size, true);
	}
	table_cache__put(table);
	return err;
}

static int drop_range(struct qcow2 *q, uint64_t from, uint64_t to, struct l2_entry gone)
{
	uint64_t piece;
	int err = 0;

	for (; !err && from < to; from += piece) {
		piece = l2__reach(q, from);
		if (piece > to - from)
			piece = to - from;
		err = drop_piece(q, from, from + piece, gone);
	}
	return err;
}

int qcow2__drop(struct qcow2 *q, uint64_t from, uint64_t to)
{
	return drop_range(q, from, to, (struct l2_entry){ 0, 0 });
}

int qcow2__discard(struct node *node, uint64_t offset, uint64_t length)
{
	struct qcow2 *q = node->private;
	uint64_t mask = q->cluster_size - 1, end = offset + length, from, to;
	struct l2_entry gone = { 0, 0 };

	if (q->corrupt)
		return -EIO;
	/* Version 2 has no mark for zeroes that hide what is behind. */
	if (q->version < 3 && node->backing)
		return 0;
	from = (offset + mask) & ~mask;
	to = end == atomic_load(&node->size) ? (end + mask) & ~mask : end & ~mask;
	if (from >= to)
		return 0;
	if (q->data_raw)
		return file__zero(q->data_file, from, (end < to ? end : to) - from, true);
	if (node->backing) {
		gone.raw = q->extended ? 0 : QCOW2_ZERO;
		gone.bitmap = q->extended ? ~0ULL << 32 : 0;
	}
	return drop_range(q, from, to, gone);
}
