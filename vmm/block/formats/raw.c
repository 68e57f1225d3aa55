/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw images: the file is the disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/block/image.h"
#include "vmm/block/io/iov.h"
#include "vmm/block/node.h"

/* The last block of an odd file is filled up with zeroes. */
static int look_at_size(struct node *node)
{
	uint64_t size;
	int err = file__size(node->file, &size);

	if (!err && size > INT64_MAX - 511)
		err = -EFBIG;
	if (!err)
		atomic_store(&node->size, (size + 511) & ~511ULL);
	return err;
}

static int open_raw(struct node *node, const struct node_how *how, char *error, size_t error_size)
{
	int err = look_at_size(node);

	if (err)
		snprintf(error, error_size, "%s: its size: %s", node->file->path, strerror(-err));
	/* Somebody may make it shorter: what it has lost is not zeroes. */
	node->file->whole = true;
	return err;
}

static int close_raw(struct node *node)
{
	return 0;
}

static void map_raw(struct node *node, uint64_t offset, uint64_t length, bool write,
		    struct extent *extent)
{
	*extent = (struct extent){ EXTENT_DATA, length, node->file, offset, false };
}

static bool needs_flush_raw(struct node *node)
{
	return false;
}

static int extent_raw(struct node *node, uint64_t offset, uint64_t length, struct extent *extent)
{
	uint64_t run;
	bool data;
	int err = file__extent(node->file, offset, &run, &data);

	if (err)
		return err;
	if (run > length)
		run = length;
	*extent = (struct extent){ data ? EXTENT_DATA : EXTENT_ZERO, run, node->file, offset, false };
	return 0;
}

static int write_raw(struct node *node, uint64_t offset, const struct iovec *iov, int count)
{
	int err;

	if (file__aligned(node->file, offset, iov, count))
		return file__writev(node->file, offset, iov, count);
	/* Blocks are read and written back around the request: nobody else may write them meanwhile. */
	node__exclude(node);
	err = file__writev(node->file, offset, iov, count);
	node__include(node);
	return err;
}

static int zero_raw(struct node *node, uint64_t offset, uint64_t length, bool unmap)
{
	int err;

	node__exclude(node);
	err = file__zero(node->file, offset, length, unmap);
	node__include(node);
	return err;
}

static int discard_raw(struct node *node, uint64_t offset, uint64_t length)
{
	int err = node->file->class->zero(node->file, offset, length, true);

	return err == -EOPNOTSUPP ? 0 : err;
}

static int flush_raw(struct node *node)
{
	return file__sync(node->file);
}

static int resize_raw(struct node *node, uint64_t size, char *error, size_t error_size)
{
	int err = file__truncate(node->file, size);

	if (err)
		snprintf(error, error_size, "%s: cannot be resized to %llu bytes: %s", node->file->path,
			 (unsigned long long)size, strerror(-err));
	else
		atomic_store(&node->size, size);
	return err;
}

static int create_raw(const struct image_create *create, char *error, size_t error_size)
{
	struct file_how how = { .write = true, .lock = FILE_LOCK_WRITE };
	struct block_file *file;
	int err;

	if (create->backing_name) {
		snprintf(error, error_size, "%s: a raw image has no backing file; give -f qcow2",
			 create->path);
		return -ENOTSUP;
	}
	err = file__create(create->path, error, error_size);
	if (err)
		return err;
	err = file__open(NULL, create->path, &how, &file, error, error_size);
	if (err)
		return err;
	err = file__truncate(file, create->size);
	if (!err && create->preallocation == IMAGE_PREALLOCATE_FALLOC)
		err = file__allocate(file, 0, create->size);
	if (!err && create->preallocation == IMAGE_PREALLOCATE_FULL)
		err = image__fill(file, 0, create->size);
	if (!err)
		err = file__sync(file);
	if (err)
		snprintf(error, error_size, "%s: cannot be made %llu bytes long: %s", create->path,
			 (unsigned long long)create->size, strerror(-err));
	file__close(file);
	return err;
}

const struct format_class format_class_raw = {
	.name = "raw",
	.open = open_raw,
	.close = close_raw,
	.map = map_raw,
	.needs_flush = needs_flush_raw,
	.extent = extent_raw,
	.write = write_raw,
	.zero = zero_raw,
	.discard = discard_raw,
	.flush = flush_raw,
	.resize = resize_raw,
	.look_at_size = look_at_size,
	.create = create_raw,
};
