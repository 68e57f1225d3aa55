/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Regular files and block devices of the host, with a lock against a second writer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/block/io/file.h"

/*
 * Locks are those of QEMU (block/file-posix.c there), so that the two keep each other away from an
 * image: a shared lock of byte 100 + n says "I use permission n", of byte 200 + n "nobody else may
 * use it". A user looks whether anybody holds the opposite.
 */
#define LOCK_USED 100
#define LOCK_REFUSED 200
#define PERMISSION_READ 0
#define PERMISSION_WRITE 1
#define PERMISSION_RESIZE 3
#define PERMISSION_COUNT 4
#define LOCK_TRIES 10
#define LOCK_WAIT_US 30000

static int set_lock(int fd, short type, off_t at)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* -EAGAIN if somebody else holds the byte. */
static int look_at_lock(int fd, off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : -EAGAIN;
}

static void lock_masks(enum file_lock lock, unsigned *used, unsigned *refused)
{
	unsigned write = 1u << PERMISSION_WRITE | 1u << PERMISSION_RESIZE;

	*used = *refused = 0;
	if (lock != FILE_LOCK_NONE) {
		*used = 1u << PERMISSION_READ;
		*refused = write;
	}
	if (lock == FILE_LOCK_WRITE)
		*used |= write;
}

static int take_locks(int fd, unsigned used, unsigned refused)
{
	unsigned n;
	int err = 0;

	for (n = 0; !err && n < PERMISSION_COUNT; n++) {
		if (used & 1u << n)
			err = set_lock(fd, F_RDLCK, LOCK_USED + n);
		if (!err && (refused & 1u << n))
			err = set_lock(fd, F_RDLCK, LOCK_REFUSED + n);
	}
	for (n = 0; !err && n < PERMISSION_COUNT; n++) {
		if (used & 1u << n)
			err = look_at_lock(fd, LOCK_REFUSED + n);
		if (!err && (refused & 1u << n))
			err = look_at_lock(fd, LOCK_USED + n);
	}
	return err;
}

static void drop_locks(int fd, unsigned used, unsigned refused)
{
	unsigned n;

	for (n = 0; n < PERMISSION_COUNT; n++) {
		if (!(used & 1u << n))
			set_lock(fd, F_UNLCK, LOCK_USED + n);
		if (!(refused & 1u << n))
			set_lock(fd, F_UNLCK, LOCK_REFUSED + n);
	}
}

static int lock_host_file(struct block_file *file, enum file_lock lock, char *error,
			  size_t error_size)
{
	unsigned used, refused, held_used, held_refused, tries;
	int err;

	lock_masks(lock, &used, &refused);
	lock_masks(file->held, &held_used, &held_refused);
	err = take_locks(file->fd, used, refused);
	/* A process that was just killed may still hold its lock until its last io_uring request is done. */
	for (tries = 0; (err == -EAGAIN || err == -EACCES) && tries < LOCK_TRIES; tries++) {
		drop_locks(file->fd, held_used, held_refused);
		usleep(LOCK_WAIT_US);
		err = take_locks(file->fd, used, refused);
	}
	if (err == -EAGAIN || err == -EACCES) {
		drop_locks(file->fd, held_used, held_refused);
		snprintf(error, error_size, "%s: in use by another process (%s)", file->path,
			 lock == FILE_LOCK_WRITE ? "it must be closed there before it is written here" :
						   "which may write it");
		return -EBUSY;
	}
	/* No locks on this file system: as good as it gets. */
	if (err && err != -EINVAL && err != -ENOLCK && err != -EOPNOTSUPP && err != -ENOSYS) {
		drop_locks(file->fd, held_used, held_refused);
		snprintf(error, error_size, "%s: cannot be locked: %s", file->path, strerror(-err));
		return err;
	}
	drop_locks(file->fd, used, refused);
	file->held = lock;
	return 0;
}

/* The alignment that the host wants of direct I/O: what reads accept. */
static uint32_t probe_alignment(int fd, uint32_t logical)
{
	uint32_t align;
	void *buf;

	if (posix_memalign(&buf, 4096, 4096))
		return 4096;
	for (align = logical; align < 4096; align *= 2)
		if (pread(fd, buf, align, 0) >= 0 && pread(fd, (char *)buf + align, align, 0) >= 0)
			break;
	free(buf);
	return align;
}

static int look_at_device(struct block_file *file, const struct stat *st, char *error,
			  size_t error_size)
{
	unsigned optimal = 0, physical = 0;
	int logical = 512;

	if (S_ISREG(st->st_mode)) {
		file->physical = st->st_blksize >= 512 && st->st_blksize <= 65536 ? st->st_blksize : 4096;
	} else if (S_ISBLK(st->st_mode)) {
		file->device = true;
		if (!ioctl(file->fd, BLKSSZGET, &logical) && logical < 512)
			logical = 512;
		if (!ioctl(file->fd, BLKPBSZGET, &physical) && physical >= 512)
			file->physical = physical;
		if (!ioctl(file->fd, BLKIOOPT, &optimal))
			file->optimal = optimal;
	} else {
		snprintf(error, error_size, "%s: neither a file nor a block device", file->path);
		return S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
	}
	if (file->direct)
		file->align = probe_alignment(file->fd, logical);
	return 0;
}

static bool is_local(int fd)
{
	static const uint32_t local[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
					  TMPFS_MAGIC };
	struct statfs fs;
	unsigned i;

	if (fstatfs(fd, &fs))
		return false;
	for (i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if ((uint32_t)fs.f_type == local[i])
			return true;
	return false;
}

static int open_host_file(struct block_file *file, const struct file_how *how, char *error,
			  size_t error_size)
{
	/* O_NONBLOCK: a FIFO must not hold us up before we see what it is. */
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (how->write ? O_RDWR : O_RDONLY);
	/* Of a block device: not while the host has it mounted or in use otherwise. Of a file: nothing. */
	int exclusive = how->write && how->lock == FILE_LOCK_WRITE ? O_EXCL : 0;
	struct stat st;
	int err;

	file->fd = open(file->path, flags | exclusive | (how->direct ? O_DIRECT : 0));
	if (file->fd < 0) {
		err = -errno;
		if (err == -EINVAL && how->direct)
			snprintf(error, error_size,
				 "%s: its file system has no direct I/O; give cache=writeback", file->path);
		else if (err == -EBUSY && exclusive)
			snprintf(error, error_size,
				 "%s: in use by the host (mounted, or written by somebody else)", file->path);
		else
			snprintf(error, error_size, "%s: cannot be opened%s: %s", file->path,
				 how->write ? " for writing" : "", strerror(-err));
		return err;
	}
	if (fstat(file->fd, &st)) {
		err = -errno;
		snprintf(error, error_size, "%s: %s", file->path, strerror(-err));
		goto close_fd;
	}
	file->in_page_cache = S_ISREG(st.st_mode) && is_local(file->fd);
	err = look_at_device(file, &st, error, error_size);
	if (!err && how->lock != FILE_LOCK_NONE)
		err = lock_host_file(file, how->lock, error, error_size);
	if (err)
		goto close_fd;
	return 0;
close_fd:
	close(file->fd);
	return err;
}

static void close_host_file(struct block_file *file)
{
	close(file->fd);
}

static long read_host_file(struct block_file *file, const struct iovec *iov, int count,
			   uint64_t offset)
{
	ssize_t n = preadv(file->fd, iov, count, offset);

	return n < 0 ? -errno : n;
}

static long write_host_file(struct block_file *file, const struct iovec *iov, int count,
			    uint64_t offset)
{
	ssize_t n = pwritev(file->fd, iov, count, offset);

	return n < 0 ? -errno : n;
}

static int sync_host_file(struct block_file *file)
{
	while (fdatasync(file->fd))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int size_host_file(struct block_file *file, uint64_t *size)
{
	struct stat st;

	if (file->device)
		return ioctl(file->fd, BLKGETSIZE64, size) ? -errno : 0;
	if (fstat(file->fd, &st))
		return -errno;
	*size = st.st_size;
	return 0;
}

static int truncate_host_file(struct block_file *file, uint64_t size)
{
	uint64_t have;
	int err;

	if (file->device) {
		err = size_host_file(file, &have);
		return err ? err : size > have ? -ENOSPC : 0;
	}
	while (ftruncate(file->fd, size))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int zero_host_file(struct block_file *file, uint64_t offset, uint64_t length, bool unmap)
{
	uint64_t range[2] = { offset, length };
	int mode = FALLOC_FL_KEEP_SIZE | (unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);

	if (!fallocate(file->fd, mode, offset, length))
		return 0;
	if (file->device && !unmap && !ioctl(file->fd, BLKZEROOUT, range))
		return 0;
	/* Each file system and device has its own way to say that it cannot. */
	if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == ENOTTY ||
	    errno == EPERM || errno == ENODEV)
		return -EOPNOTSUPP;
	return -errno;
}

static int allocate_host_file(struct block_file *file, uint64_t offset, uint64_t length)
{
	if (file->device || !length)
		return 0;
	while (fallocate(file->fd, 0, offset, length))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int extent_host_file(struct block_file *file, uint64_t offset, uint64_t *length, bool *data)
{
	uint64_t size;
	off_t next;
	int err = size_host_file(file, &size);

	if (err)
		return err;
	if (offset >= size) {
		*data = false;
		*length = INT64_MAX - offset;
		return 0;
	}
	*data = true;
	*length = size - offset;
	next = lseek(file->fd, offset, SEEK_DATA);
	if (next < 0) {
		/* ENXIO: only a hole follows. Others: this file cannot say, so it is all data. */
		*data = errno != ENXIO;
		return 0;
	}
	if ((uint64_t)next > offset) {
		*data = false;
		*length = next - offset;
		return 0;
	}
	next = lseek(file->fd, offset, SEEK_HOLE);
	if (next > 0 && (uint64_t)next > offset)
		*length = next - offset;
	return 0;
}

int file__create(const char *path, char *error, size_t error_size)
{
	struct file_how how = { .write = true, .lock = FILE_LOCK_WRITE };
	struct block_file *file;
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(error, error_size, "%s: cannot be created: %s", path, strerror(-err));
		return err;
	}
	close(fd);
	err = file__open(NULL, path, &how, &file, error, error_size);
	if (err)
		return err;
	err = file->device ? 0 : file__truncate(file, 0);
	if (err)
		snprintf(error, error_size, "%s: cannot be emptied: %s", path, strerror(-err));
	file__close(file);
	return err;
}

const struct file_class file_class_host = {
	.open = open_host_file,
	.close = close_host_file,
	.read = read_host_file,
	.write = write_host_file,
	.sync = sync_host_file,
	.size = size_host_file,
	.truncate = truncate_host_file,
	.zero = zero_host_file,
	.allocate = allocate_host_file,
	.extent = extent_host_file,
	.lock = lock_host_file,
};
