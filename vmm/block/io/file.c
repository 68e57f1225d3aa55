/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole accesses to files of every class: short ones go on, misaligned ones to a file opened for
 * direct I/O take a detour over aligned memory.
 */
#include "vmm/block/io/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/block/io/iov.h"

#define BOUNCE_SIZE (1u << 20)
#define ZERO_SIZE (256u << 10)
#define SECTOR 512u
#define MAX_IOV 1024 /* of Linux */
#define BATCH 64 /* entries that go on after a short access */

int file__open(const struct file_class *class, const char *path, const struct file_how *how,
	       struct block_file **out, char *error, size_t error_size)
{
	struct block_file *file = calloc(1, sizeof(*file));
	int err = -ENOMEM;

	if (!file || !(file->path = strdup(path))) {
		snprintf(error, error_size, "%s: out of memory", path);
		goto free_file;
	}
	file->class = class ? class : &file_class_host;
	file->fd = -1;
	file->writable = how->write;
	file->direct = how->direct;
	file->no_sync = how->no_sync;
	file->align = 1;
	file->physical = 512;
	err = file->class->open(file, how, error, error_size);
	if (err)
		goto free_file;
	*out = file;
	return 0;
free_file:
	if (file)
		free(file->path);
	free(file);
	return err;
}

int file__close(struct block_file *file)
{
	int err = 0;

	if (!file)
		return 0;
	if (file->no_sync && file->writable) {
		file->no_sync = false;
		err = file__sync(file);
	}
	file->class->close(file);
	free(file->path);
	free(file);
	return err;
}

bool file__aligned(const struct block_file *file, uint64_t offset, const struct iovec *iov,
		   int count)
{
	uint64_t bits = offset;

	if (file->align == 1)
		return true;
	while (count-- > 0) {
		bits |= (uintptr_t)iov->iov_base | iov->iov_len;
		iov++;
	}
	return !(bits & (file->align - 1));
}

static long move(struct block_file *file, bool write, uint64_t offset, const struct iovec *iov,
		 int count)
{
	return write ? file->class->write(file, iov, count, offset) :
		       file->class->read(file, iov, count, offset);
}

int file__met_end(const struct block_file *file, uint64_t position, const struct iovec *iov,
		  int count, size_t skip, size_t length)
{
	if (file->whole && length && (!(position % SECTOR) || length >= SECTOR))
		return -EIO;
	iov__zero(iov, count, skip, length);
	return 0;
}

/* As above for a read of `total` bytes of which no more than `needed` are asked for. */
static int end_read(const struct block_file *file, uint64_t position, const struct iovec *iov,
		    int count, size_t at, size_t total, size_t needed)
{
	int err = at < needed ? file__met_end(file, position, iov, count, at, needed - at) : 0;

	if (!err)
		iov__zero(iov, count, at, total - at);
	return err;
}

/* Moves all of iov, whose alignment fits; the first `needed` bytes of a read have to be there. */
static int move_all(struct block_file *file, bool write, uint64_t offset, const struct iovec *iov,
		    int count, size_t needed)
{
	size_t total = iov__length(iov, count), at = 0;
	struct iovec rest[BATCH];
	long moved;

	while (at < total) {
		if (!at && count <= MAX_IOV) {
			moved = move(file, write, offset, iov, count);
		} else {
			int n = 0, i = 0;
			size_t skip = at;

			while (i < count && skip >= iov[i].iov_len)
				skip -= iov[i++].iov_len;
			for (; i < count && n < BATCH; i++, n++, skip = 0)
				rest[n] = (struct iovec){ (char *)iov[i].iov_base + skip,
							  iov[i].iov_len - skip };
			moved = move(file, write, offset + at, rest, n);
		}
		if (moved == -EINTR)
			continue;
		if (moved < 0)
			return moved;
		if (!moved && write)
			return -ENOSPC;
		if (!moved)
			return end_read(file, offset + at, iov, count, at, total, needed);
		at += moved;
		/* A direct read that ends in the middle of a block is at the end of the file. */
		if (!write && at < total && (at & (file->align - 1)))
			return end_read(file, offset + at, iov, count, at, total, needed);
	}
	return 0;
}

/* One piece of at most BOUNCE_SIZE by way of aligned memory; writes read what they don't replace. */
static int move_bounced(struct block_file *file, bool write, char *bounce, uint64_t offset,
			const struct iovec *iov, int count, size_t skip, size_t length)
{
	uint64_t mask = file->align - 1, start = offset & ~mask;
	size_t whole = ((offset + length + mask) & ~mask) - start;
	struct iovec one = { bounce, whole };
	uint64_t size;
	int err;

	if (!write || whole != length) {
		err = move_all(file, false, start, &one, 1, write ? 0 : offset + length - start);
		if (err)
			return err;
	}
	if (!write) {
		iov__from(iov, count, skip, bounce + (offset - start), length);
		return 0;
	}
	err = file->device ? 0 : file->class->size(file, &size);
	if (err)
		return err;
	iov__to(iov, count, skip, bounce + (offset - start), length);
	err = move_all(file, true, start, &one, 1, 0);
	/* The last block went out whole: the file must not look longer than it was asked to be. */
	if (!err && !file->device && start + whole > size && offset + length < start + whole)
		err = file->class->truncate(file, offset + length > size ? offset + length : size);
	return err;
}

static int move_misaligned(struct block_file *file, bool write, uint64_t offset,
			   const struct iovec *iov, int count)
{
	size_t total = iov__length(iov, count), at = 0, length;
	char *bounce;
	int err = 0;

	if (posix_memalign((void **)&bounce, file->align > 4096 ? file->align : 4096,
			   BOUNCE_SIZE + 2 * file->align))
		return -ENOMEM;
	for (; !err && at < total; at += length) {
		length = total - at < BOUNCE_SIZE ? total - at : BOUNCE_SIZE;
		err = move_bounced(file, write, bounce, offset + at, iov, count, at, length);
	}
	free(bounce);
	return err;
}

int file__readv(struct block_file *file, uint64_t offset, const struct iovec *iov, int count)
{
	if (!file__aligned(file, offset, iov, count))
		return move_misaligned(file, false, offset, iov, count);
	return move_all(file, false, offset, iov, count, iov__length(iov, count));
}

int file__writev(struct block_file *file, uint64_t offset, const struct iovec *iov, int count)
{
	if (!file->writable)
		return -EROFS;
	if (!file__aligned(file, offset, iov, count))
		return move_misaligned(file, true, offset, iov, count);
	return move_all(file, true, offset, iov, count, 0);
}

int file__read(struct block_file *file, uint64_t offset, void *buf, size_t length)
{
	struct iovec iov = { buf, length };

	return file__readv(file, offset, &iov, 1);
}

int file__write(struct block_file *file, uint64_t offset, const void *buf, size_t length)
{
	struct iovec iov = { (void *)buf, length };

	return file__writev(file, offset, &iov, 1);
}

int file__sync(struct block_file *file)
{
	int err;

	if (file->no_sync || !file->writable)
		return 0;
	if (atomic_load(&file->sync_error))
		return -EIO;
	err = file->class->sync(file);
	if (err)
		atomic_store(&file->sync_error, err);
	return err;
}

static int write_zeroes(struct block_file *file, uint64_t offset, uint64_t length)
{
	char *zeroes;
	int err = 0;

	if (posix_memalign((void **)&zeroes, file->align > 4096 ? file->align : 4096, ZERO_SIZE))
		return -ENOMEM;
	memset(zeroes, 0, ZERO_SIZE);
	while (!err && length) {
		size_t piece = length < ZERO_SIZE ? length : ZERO_SIZE;

		err = file__write(file, offset, zeroes, piece);
		offset += piece;
		length -= piece;
	}
	free(zeroes);
	return err;
}

int file__zero(struct block_file *file, uint64_t offset, uint64_t length, bool unmap)
{
	uint64_t size;
	int err = file__size(file, &size);

	if (!file->writable)
		return -EROFS;
	if (err)
		return err;
	if (offset >= size)
		return 0;
	if (length > size - offset)
		length = size - offset;
	err = file->class->zero(file, offset, length, unmap);
	return err == -EOPNOTSUPP ? write_zeroes(file, offset, length) : err;
}

int file__size(struct block_file *file, uint64_t *size)
{
	return file->class->size(file, size);
}

int file__truncate(struct block_file *file, uint64_t size)
{
	return file->writable ? file->class->truncate(file, size) : -EROFS;
}

int file__allocate(struct block_file *file, uint64_t offset, uint64_t length)
{
	return file->writable ? file->class->allocate(file, offset, length) : -EROFS;
}

int file__extent(struct block_file *file, uint64_t offset, uint64_t *length, bool *data)
{
	return file->class->extent(file, offset, length, data);
}

int file__lock(struct block_file *file, enum file_lock lock, char *error, size_t error_size)
{
	return file->class->lock(file, lock, error, error_size);
}
