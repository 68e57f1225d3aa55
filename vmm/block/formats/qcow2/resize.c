/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another size of the disk, and a larger L1 table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

int qcow2__grow_l1(struct qcow2 *q, uint32_t size)
{
	uint64_t offset, old = q->l1_offset, old_bytes = q->l1_size * 8ULL, *l1, *out;
	uint8_t field[12];
	uint32_t i;
	int err;

	if (size > QCOW2_MAX_L1_BYTES / 8)
		return -EFBIG;
	l1 = calloc(size, 8);
	out = calloc(size, 8);
	/* The new table must not be ahead of what it leads to. */
	err = l1 && out ? qcow2_flush__all(q) : -ENOMEM;
	if (!err)
		err = refcount__alloc_area(q, size * 8ULL, &offset);
	if (!err)
		err = qcow2_metadata__add(q, offset, size * 8ULL);
	if (err)
		goto free_tables;
	memcpy(l1, q->l1, old_bytes);
	for (i = 0; i < size; i++)
		out[i] = htobe64(l1[i]);
	err = file__write(q->file, offset, out, size * 8ULL);
	if (!err)
		err = qcow2_flush__all(q);
	put_be32(field, size);
	put_be64(field + 4, offset);
	if (!err)
		err = file__write(q->file, QCOW2_AT_L1_SIZE, field, sizeof(field));
	if (!err)
		err = file__sync(q->file);
	if (err)
		goto free_tables;
	pthread_mutex_lock(&q->node->lock);
	free(q->l1);
	q->l1 = l1;
	q->l1_size = size;
	q->l1_offset = offset;
	pthread_mutex_unlock(&q->node->lock);
	free(out);
	if (!old_bytes)
		return 0;
	qcow2_metadata__remove(q, old, old_bytes);
	return refcount__change(q, old >> q->cluster_bits, qcow2_clusters(q, old_bytes), -1);
free_tables:
	free(l1);
	free(out);
	return err;
}

static int write_size(struct qcow2 *q, uint64_t size)
{
	uint8_t field[8];
	int err;

	put_be64(field, size);
	err = file__write(q->file, QCOW2_AT_SIZE, field, sizeof(field));
	return err ? err : file__sync(q->file);
}

/* What becomes visible has to be zero: leftovers of the last cluster, and of a longer backing file. */
static int clear_new(struct qcow2 *q, uint64_t from, uint64_t to)
{
	uint64_t end = (from + q->cluster_size - 1) & ~(q->cluster_size - 1);
	uint64_t backed = q->node->backing ? atomic_load(&q->node->backing->size) : 0;

	if (backed > end)
		end = backed;
	if (end > to)
		end = to;
	return end > from ? qcow2__zero(q->node, from, end - from, false) : 0;
}

static int grow(struct qcow2 *q, uint64_t size)
{
	uint64_t span = 1ULL << (q->cluster_bits + q->l2_bits), old = atomic_load(&q->node->size);
	uint64_t l1_size = (size + span - 1) / span, data_size;
	int err = 0;

	if (l1_size > QCOW2_MAX_L1_BYTES / 8)
		return -EFBIG;
	if (l1_size > q->l1_size)
		err = qcow2__grow_l1(q, l1_size);
	if (!err && q->data_file) {
		err = file__size(q->data_file, &data_size);
		if (!err && data_size < size)
			err = file__truncate(q->data_file, size);
	}
	if (!err)
		err = clear_new(q, old, size);
	if (!err)
		err = qcow2_flush__all(q);
	if (!err)
		err = write_size(q, size);
	if (!err)
		atomic_store(&q->node->size, size);
	return err;
}

static int shrink(struct qcow2 *q, uint64_t size)
{
	uint64_t old = atomic_load(&q->node->size), mask = q->cluster_size - 1;
	int err = qcow2_flush__all(q);

	if (!err)
		err = write_size(q, size);
	if (err)
		return err;
	atomic_store(&q->node->size, size);
	err = qcow2__drop(q, (size + mask) & ~mask, (old + mask) & ~mask);
	if (!err && q->data_raw)
		err = file__truncate(q->data_file, size);
	return err ? err : qcow2_flush__all(q);
}

int qcow2__resize(struct node *node, uint64_t size, char *error, size_t error_size)
{
	struct qcow2 *q = node->private;
	uint64_t old = atomic_load(&node->size);
	int err = 0;

	if (q->snapshot_count && q->version < 3) {
		snprintf(error, error_size,
			 "%s: an image of version 2 with snapshots cannot be resized: they don't say their size",
			 q->file->path);
		return -ENOTSUP;
	}
	if (size > old)
		err = size > INT64_MAX / 2 ? -EFBIG : grow(q, size);
	else if (size < old)
		err = shrink(q, size);
	if (err)
		snprintf(error, error_size, "%s: cannot be resized to %llu bytes: %s", q->file->path,
			 (unsigned long long)size,
			 err == -EFBIG ? "too large for its cluster size" : strerror(-err));
	return err;
}
