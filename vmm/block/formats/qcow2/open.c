/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing of qcow2 images, and the format's row. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"
#include "vmm/block/image.h"

#define CACHE_PRESET (8u << 20)

int qcow2__damaged(struct qcow2 *q, const char *what, uint64_t where)
{
	if (q->corrupt || q->viewing)
		return -EIO;
	fprintf(stderr, "trivet: %s: image is corrupt: %s: 0x%llx%s\n", q->file->path, what,
		(unsigned long long)where,
		q->node->write ? "; it is no longer written; see \"trivet image check\"" : "");
	q->corrupt = true;
	if (!q->node->write)
		return -EIO;
	q->incompatible |= QCOW2_INCOMPATIBLE_CORRUPT;
	qcow2_header__write_features(q);
	return -EIO;
}

/* Reads a table of 64-bit numbers to host order; it has to be within the file. */
static int read_table(struct qcow2 *q, uint64_t offset, uint64_t entries, const char *what,
		      uint64_t **out, char *error, size_t error_size)
{
	uint64_t *table = calloc(entries + 1, 8), size, i;
	int err = table ? file__size(q->file, &size) : -ENOMEM;

	if (!err && offset + entries * 8 > ((size + 511) & ~511ULL)) {
		snprintf(error, error_size, "%s: the %s is beyond the end of the file; was it cut off?",
			 q->file->path, what);
		free(table);
		return -EINVAL;
	}
	if (!err)
		err = file__read(q->file, offset, table, entries * 8);
	if (err) {
		snprintf(error, error_size, "%s: the %s cannot be read: %s", q->file->path, what,
			 strerror(-err));
		free(table);
		return err;
	}
	for (i = 0; i < entries; i++)
		table[i] = be64toh(table[i]);
	*out = table;
	return 0;
}

int qcow2__load_l1(struct qcow2 *q, char *error, size_t error_size)
{
	return read_table(q, q->l1_offset, q->l1_size, "L1 table", &q->l1, error, error_size);
}

int qcow2__load_reftable(struct qcow2 *q, char *error, size_t error_size)
{
	return read_table(q, q->reftable_offset, q->reftable_size, "refcount table", &q->reftable, error,
			  error_size);
}

static int note(struct qcow2 *q, uint64_t offset, uint64_t bytes, const char *what, char *error,
		size_t error_size)
{
	int err = qcow2_metadata__add(q, offset, bytes);

	if (err == -EIO)
		snprintf(error, error_size,
			 "%s: image is corrupt: the %s at 0x%llx overlaps other metadata; see \"trivet image "
			 "check\"",
			 q->file->path, what, (unsigned long long)offset);
	else if (err)
		snprintf(error, error_size, "%s: out of memory", q->file->path);
	return err;
}

int qcow2__note_metadata(struct qcow2 *q, char *error, size_t error_size)
{
	uint32_t i;
	int err;

	cluster_set__free(&q->metadata);
	err = note(q, 0, q->cluster_size, "header", error, error_size);
	if (!err)
		err = note(q, q->reftable_offset, q->reftable_size * 8ULL, "refcount table", error,
			   error_size);
	for (i = 0; !err && i < q->reftable_size; i++)
		if (q->reftable[i])
			err = note(q, q->reftable[i] & QCOW2_REFTABLE_MASK, q->cluster_size,
				   "refcount block", error, error_size);
	if (!err && q->l1_size)
		err = note(q, q->l1_offset, q->l1_size * 8ULL, "L1 table", error, error_size);
	for (i = 0; !err && i < q->l1_size; i++)
		if (q->l1[i] & QCOW2_OFFSET_MASK)
			err = note(q, q->l1[i] & QCOW2_OFFSET_MASK, q->cluster_size, "L2 table", error,
				   error_size);
	if (!err && q->snapshot_count)
		err = note(q, q->snapshot_offset, q->snapshot_bytes, "snapshot table", error, error_size);
	for (i = 0; !err && i < q->snapshot_count; i++)
		if (q->snapshot[i].l1_size)
			err = note(q, q->snapshot[i].l1_offset, q->snapshot[i].l1_size * 8ULL,
				   "L1 table of a snapshot", error, error_size);
	return err;
}

static int open_data_file(struct qcow2 *q, const struct node_how *how, char *error,
			  size_t error_size)
{
	struct file_how file_how = {
		.write = how->write,
		.direct = how->direct,
		.no_sync = how->no_sync,
		.lock = !how->lock ? FILE_LOCK_NONE : how->write ? FILE_LOCK_WRITE : FILE_LOCK_READ,
	};
	char *path, why[512];
	int err;

	if (!q->data_file_name) {
		snprintf(error, error_size, "%s: its data is in another file, but it does not say in which",
			 q->file->path);
		return -EINVAL;
	}
	err = node__backing_path(q->file->path, q->data_file_name, &path, error, error_size);
	if (err)
		return err;
	err = file__open(how->files, path, &file_how, &q->data_file, why, sizeof(why));
	if (err)
		snprintf(error, error_size, "%s: its data file: %s", q->file->path, why);
	else
		q->node->data = q->data_file;
	q->data_raw = q->autoclear & QCOW2_AUTOCLEAR_DATA_RAW;
	free(path);
	return err;
}

/* Bits for what others keep beside the data, and that changes would make wrong. */
static int clear_foreign_features(struct qcow2 *q)
{
	uint64_t known = QCOW2_AUTOCLEAR_BITMAPS | QCOW2_AUTOCLEAR_DATA_RAW;
	uint8_t field[8];

	if (q->version < 3 || !(q->autoclear & ~known))
		return 0;
	q->autoclear &= known;
	put_be64(field, q->autoclear);
	return file__write(q->file, QCOW2_AT_AUTOCLEAR, field, sizeof(field));
}

/* Was not closed: refcounts are older than the tables. */
static int repair_dirty(struct qcow2 *q, char *error, size_t error_size)
{
	struct image_check check = { .repair = IMAGE_REPAIR_ALL };
	int err = qcow2__check(q->node, &check, error, error_size);

	if (!err && (check.corruptions || check.errors)) {
		snprintf(error, error_size,
			 "%s: was not closed and cannot be repaired: %llu errors are left; see \"trivet "
			 "image check\"",
			 q->file->path, (unsigned long long)(check.corruptions + check.errors));
		err = -EIO;
	}
	return err;
}

static int prepare_writing(struct qcow2 *q, const struct node_how *how, char *error,
			   size_t error_size)
{
	int err;

	if (how->check)
		return 0;
	if (q->incompatible & QCOW2_INCOMPATIBLE_CORRUPT) {
		snprintf(error, error_size,
			 "%s: is marked corrupt and can only be read; see \"trivet image check -r all\"",
			 q->file->path);
		return -EROFS;
	}
	if (q->incompatible & QCOW2_INCOMPATIBLE_DIRTY) {
		err = repair_dirty(q, error, error_size);
		if (err)
			return err;
	}
	err = qcow2__note_metadata(q, error, error_size);
	if (!err)
		err = clear_foreign_features(q);
	return err;
}

static int open_qcow2(struct node *node, const struct node_how *how, char *error, size_t error_size)
{
	struct qcow2 *q = calloc(1, sizeof(*q));
	int err;

	snprintf(error, error_size, "%s: out of memory", node->file->path);
	if (!q)
		return -ENOMEM;
	node->private = q;
	q->node = node;
	q->file = node->file;
	err = qcow2_header__read(q, how, error, error_size);
	if (err)
		goto free_image;
	node->discard_align = q->cluster_size;
	if (q->file->align > q->cluster_size >> (q->extended ? 5 : 0)) {
		snprintf(error, error_size,
			 "%s: its clusters of %llu bytes are too small for direct I/O on this host; give "
			 "cache=writeback",
			 q->file->path, (unsigned long long)q->cluster_size);
		err = -EINVAL;
	}
	if (!err && (q->incompatible & QCOW2_INCOMPATIBLE_DATA_FILE))
		err = open_data_file(q, how, error, error_size);
	if (!err)
		err = table_cache__create(q, how->cache ? how->cache : CACHE_PRESET);
	if (!err)
		err = qcow2__load_l1(q, error, error_size);
	if (!err)
		err = qcow2__load_reftable(q, error, error_size);
	if (!err)
		err = snapshot_table__read(q, error, error_size);
	if (!err && node->write)
		err = prepare_writing(q, how, error, error_size);
	if (!err)
		return 0;
free_image:
	qcow2__free(q);
	return err;
}

void qcow2__free(struct qcow2 *q)
{
	table_cache__destroy(q);
	cluster_set__free(&q->metadata);
	snapshot_table__free(q);
	file__close(q->data_file);
	free(q->data_file_name);
	free(q->l1);
	free(q->reftable);
	free(q->freed.item);
	free(q->expiring.item);
	free(q->packed);
	free(q->unpacked);
	free(q);
}

/* Everything is written: the next one to open it need not count. */
static int mark_clean(struct qcow2 *q)
{
	int err;

	if (!q->marked)
		return 0;
	err = table_cache__write(q, TABLE_REFCOUNT);
	if (!err)
		err = file__sync(q->file);
	if (err)
		return err;
	q->incompatible &= ~QCOW2_INCOMPATIBLE_DIRTY;
	return qcow2_header__write_features(q);
}

static int close_qcow2(struct node *node)
{
	struct qcow2 *q = node->private;
	int err = 0;

	if (node->write && !q->corrupt && !q->viewing) {
		err = qcow2_flush__settle(q);
		if (!err)
			err = mark_clean(q);
	}
	qcow2__free(q);
	return err;
}

static bool probe_qcow2(const uint8_t *head, size_t size)
{
	return size >= 8 && get_be32(head) == QCOW2_MAGIC && get_be32(head + 4) >= 2;
}

static bool needs_flush_qcow2(struct node *node)
{
	struct qcow2 *q = node->private;

	return atomic_load(&q->dirty);
}

static int flush_qcow2(struct node *node)
{
	return qcow2_flush__all(node->private);
}

static int set_backing_qcow2(struct node *node, const char *name, const char *format, char *error,
			     size_t error_size)
{
	struct qcow2 *q = node->private;
	int err = qcow2_flush__settle(q);

	if (err) {
		snprintf(error, error_size, "%s: %s", q->file->path, strerror(-err));
		return err;
	}
	if (name && q->data_raw) {
		snprintf(error, error_size, "%s: its raw data file is the whole disk; it cannot have a "
					    "backing file",
			 q->file->path);
		return -EINVAL;
	}
	return qcow2_header__write(q, name, format, error, error_size);
}

static void info_qcow2(struct node *node, struct image_info *info)
{
	const struct qcow2 *q = node->private;

	*info = (struct image_info){
		.cluster_size = q->cluster_size,
		.qcow2 = true,
		.version = q->version,
		.refcount_bits = 1u << q->refcount_order,
		.lazy_refcounts = q->compatible & QCOW2_COMPATIBLE_LAZY,
		.corrupt = q->incompatible & QCOW2_INCOMPATIBLE_CORRUPT,
		.dirty = q->incompatible & QCOW2_INCOMPATIBLE_DIRTY,
		.extended_l2 = q->extended,
		.zstd = q->compression == QCOW2_COMPRESSION_ZSTD,
		.data_file_raw = q->data_raw,
		.data_file = q->data_file_name,
	};
}

static int empty_qcow2(struct node *node)
{
	struct qcow2 *q = node->private;
	uint64_t mask = q->cluster_size - 1;
	int err = qcow2__drop(q, 0, (atomic_load(&node->size) + mask) & ~mask);

	return err ? err : qcow2_flush__settle(q);
}

const struct format_class format_class_qcow2 = {
	.name = "qcow2",
	.probe = probe_qcow2,
	.open = open_qcow2,
	.close = close_qcow2,
	.map = qcow2__map,
	.needs_flush = needs_flush_qcow2,
	.extent = qcow2__extent,
	.read_packed = qcow2__read_packed,
	.write = qcow2__write,
	.zero = qcow2__zero,
	.discard = qcow2__discard,
	.flush = flush_qcow2,
	.resize = qcow2__resize,
	.create = qcow2__create,
	.write_packed = qcow2__write_packed,
	.check = qcow2__check,
	.info = info_qcow2,
	.empty = empty_qcow2,
	.set_backing = set_backing_qcow2,
	.snapshot_create = qcow2__snapshot_create,
	.snapshot_apply = qcow2__snapshot_apply,
	.snapshot_delete = qcow2__snapshot_delete,
	.snapshot_get = qcow2__snapshot_get,
	.snapshot_view = qcow2__snapshot_view,
};
