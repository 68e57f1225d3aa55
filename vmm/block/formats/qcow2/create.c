/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New qcow2 images. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"
#include "vmm/block/image.h"

/* Header, refcount table, refcount blocks and L1 table, in this order. */
struct plan {
	uint64_t table, blocks, l1; /* clusters */
};

static int refuse(const struct image_create *create, const char *why, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s", create->path, why);
	return -EINVAL;
}

static int check_wishes(const struct image_create *create, char *error, size_t error_size)
{
	if (create->cluster_bits < 9 || create->cluster_bits > 21)
		return refuse(create, "cluster_size must be a power of two from 512 to 2M", error, error_size);
	if (create->extended_l2 && create->cluster_bits < 14)
		return refuse(create, "extended_l2 needs a cluster_size of 16K or more", error, error_size);
	if (create->refcount_bits > 64 || !create->refcount_bits ||
	    create->refcount_bits & (create->refcount_bits - 1))
		return refuse(create, "refcount_bits must be a power of two from 1 to 64", error, error_size);
	if (create->version < 3 &&
	    (create->refcount_bits != 16 || create->extended_l2 || create->zstd ||
	     create->lazy_refcounts || create->data_file))
		return refuse(create, "compat=0.10 has refcounts of 16 bits and none of lazy_refcounts, "
				      "extended_l2, compression_type=zstd and data_file",
			      error, error_size);
	if (create->data_file_raw && !create->data_file)
		return refuse(create, "data_file_raw needs data_file", error, error_size);
	if (create->data_file_raw && create->backing_name)
		return refuse(create, "a raw data file is the whole disk: there cannot be a backing file",
			      error, error_size);
	if (create->backing_name && create->preallocation != IMAGE_PREALLOCATE_OFF)
		return refuse(create, "preallocation would hide the backing file", error, error_size);
	return 0;
}

static void fill_in(struct qcow2 *q, const struct image_create *create)
{
	unsigned order = 0;

	while (1u << order < create->refcount_bits)
		order++;
	q->version = create->version;
	q->cluster_bits = create->cluster_bits;
	q->cluster_size = 1ULL << create->cluster_bits;
	q->refcount_order = order;
	q->refs_bits = q->cluster_bits + 3 - order;
	q->extended = create->extended_l2;
	q->l2_bits = q->cluster_bits - (q->extended ? 4 : 3);
	q->header_length = q->version >= 3 ? QCOW2_HEADER : QCOW2_V2_HEADER;
	q->compression = create->zstd ? QCOW2_COMPRESSION_ZSTD : QCOW2_COMPRESSION_ZLIB;
	q->data_file_name = (char *)create->data_file;
	q->compatible = create->lazy_refcounts ? QCOW2_COMPATIBLE_LAZY : 0;
	q->autoclear = create->data_file_raw ? QCOW2_AUTOCLEAR_DATA_RAW : 0;
	q->incompatible = (create->zstd ? QCOW2_INCOMPATIBLE_COMPRESSION : 0) |
			  (create->extended_l2 ? QCOW2_INCOMPATIBLE_EXTENDED_L2 : 0) |
			  (create->data_file ? QCOW2_INCOMPATIBLE_DATA_FILE : 0);
	atomic_store(&q->node->size, create->size);
}

static int make_plan(struct qcow2 *q, struct plan *plan)
{
	uint64_t span = 1ULL << (q->cluster_bits + q->l2_bits), total, before;

	if (atomic_load(&q->node->size) > INT64_MAX - span)
		return -EFBIG;
	q->l1_size = (atomic_load(&q->node->size) + span - 1) / span;
	if ((atomic_load(&q->node->size) + span - 1) / span > QCOW2_MAX_L1_BYTES / 8)
		return -EFBIG;
	plan->l1 = qcow2_clusters(q, q->l1_size * 8ULL);
	plan->table = plan->blocks = 1;
	do {
		before = plan->table + plan->blocks;
		total = 1 + before + plan->l1;
		plan->blocks = (total + (1ULL << q->refs_bits) - 1) >> q->refs_bits;
		plan->table = qcow2_clusters(q, plan->blocks * 8);
	} while (plan->table + plan->blocks != before);
	q->reftable_offset = q->cluster_size;
	q->reftable_size = plan->table * (q->cluster_size / 8);
	q->l1_offset = (1 + plan->table + plan->blocks) << q->cluster_bits;
	return 0;
}

static int write_tables(struct qcow2 *q, const struct plan *plan)
{
	uint64_t total = 1 + plan->table + plan->blocks + plan->l1, n, i;
	uint64_t per_block = 1ULL << q->refs_bits;
	uint8_t *table = calloc(plan->table, q->cluster_size), *block = malloc(q->cluster_size);
	int err = table && block ? 0 : -ENOMEM;

	for (n = 0; !err && n < plan->blocks; n++) {
		uint64_t at = (1 + plan->table + n) << q->cluster_bits;

		put_be64(table + n * 8, at);
		memset(block, 0, q->cluster_size);
		for (i = 0; i < per_block && n * per_block + i < total; i++)
			refcount__store(q, block, i, 1);
		err = file__write(q->file, at, block, q->cluster_size);
	}
	if (!err)
		err = file__write(q->file, q->reftable_offset, table, plan->table << q->cluster_bits);
	/* The L1 table is empty: it is only made to be there. A device has had something else there. */
	if (!err)
		err = file__truncate(q->file, total << q->cluster_bits);
	if (!err && q->file->device)
		err = file__zero(q->file, q->l1_offset, plan->l1 << q->cluster_bits, false);
	free(table);
	free(block);
	return err;
}

static int create_data_file(const struct image_create *create, char *error, size_t error_size)
{
	struct file_how how = { .write = true, .lock = FILE_LOCK_WRITE };
	struct block_file *file;
	char *path;
	int err = node__backing_path(create->path, create->data_file, &path, error, error_size);

	if (err)
		return err;
	err = file__create(path, error, error_size);
	if (!err)
		err = file__open(NULL, path, &how, &file, error, error_size);
	if (!err) {
		err = file__truncate(file, create->size);
		if (err)
			snprintf(error, error_size, "%s: %s", path, strerror(-err));
		file__close(file);
	}
	free(path);
	return err;
}

static int write_image(const struct image_create *create, char *error, size_t error_size)
{
	struct file_how how = { .write = true, .lock = FILE_LOCK_WRITE };
	struct node node = { 0 };
	struct qcow2 q = { .node = &node };
	struct plan plan;
	int err = file__open(NULL, create->path, &how, &q.file, error, error_size);

	if (err)
		return err;
	node.file = q.file;
	fill_in(&q, create);
	err = make_plan(&q, &plan);
	if (!err)
		err = write_tables(&q, &plan);
	if (err)
		snprintf(error, error_size, "%s: %s", create->path,
			 err == -EFBIG ? "the disk is too large for this cluster size" : strerror(-err));
	/* Last, so that what is interrupted is no image. */
	if (!err)
		err = qcow2_header__write(&q, create->backing_name, create->backing_format, error,
					  error_size);
	file__close(q.file);
	return err;
}

/* Zeroes that take space, wherever the clusters are. */
static int fill_disk(struct node *node)
{
	uint64_t at, size = atomic_load(&node->size), piece = 1 << 20;
	char *zeroes = calloc(1, piece);
	int err = zeroes ? 0 : -ENOMEM;

	for (at = 0; !err && at < size; at += piece)
		err = node__write(node, at, zeroes, size - at < piece ? size - at : piece);
	free(zeroes);
	return err;
}

static int preallocate(const struct image_create *create, char *error, size_t error_size)
{
	struct node_how how = { .path = create->path, .format = "qcow2", .write = true, .lock = true,
				.no_backing = true };
	struct node *node;
	uint64_t size;
	int err = node__open(&how, &node, error, error_size), closed;

	if (err)
		return err;
	err = qcow2__preallocate(node->private);
	if (!err)
		err = node__flush(node);
	if (!err)
		err = file__size(node->file, &size);
	if (!err && node->data == node->file) {
		struct qcow2 *q = node->private;

		/* The end of the last cluster. */
		size = q->hint << q->cluster_bits;
		err = file__truncate(node->file, size);
	} else if (!err) {
		size = create->size;
	}
	if (!err && create->preallocation == IMAGE_PREALLOCATE_FALLOC)
		err = file__allocate(node->data, 0, size);
	/* What a device had in the clusters is nobody's business. */
	if (!err && (create->preallocation == IMAGE_PREALLOCATE_FULL || node->data->device))
		err = fill_disk(node);
	closed = node__close(node);
	if (!err)
		err = closed;
	if (err)
		snprintf(error, error_size, "%s: preallocation: %s", create->path, strerror(-err));
	return err;
}

int qcow2__create(const struct image_create *create, char *error, size_t error_size)
{
	int err = check_wishes(create, error, error_size);

	if (!err)
		err = file__create(create->path, error, error_size);
	if (!err && create->data_file)
		err = create_data_file(create, error, error_size);
	if (!err)
		err = write_image(create, error, error_size);
	if (!err && create->preallocation != IMAGE_PREALLOCATE_OFF)
		err = preallocate(create, error, error_size);
	return err;
}
