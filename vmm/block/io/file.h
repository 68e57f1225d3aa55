/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image is stored in: a host file or block device. These functions block; aio.h has the
 * way that does not. Any thread; callers order overlapping accesses themselves.
 */
#ifndef VMM_BLOCK_IO_FILE_H
#define VMM_BLOCK_IO_FILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct block_file;

enum file_lock {
	FILE_LOCK_NONE,
	FILE_LOCK_READ,	 /* nobody may write meanwhile */
	FILE_LOCK_WRITE, /* nobody else may write; readers that tolerate it may read */
};

struct file_how {
	bool write;
	bool direct;  /* past the host's page cache */
	bool no_sync; /* file__sync() does nothing until file__close() */
	enum file_lock lock;
};

/* A kind of file. All but host files are of tests. Results are 0 (or a count) or -errno. */
struct file_class {
	int (*open)(struct block_file *file, const struct file_how *how, char *error,
		    size_t error_size);
	void (*close)(struct block_file *file);
	/* Bytes moved, fewer than asked for only at the end of the file (reads) or of space. */
	long (*read)(struct block_file *file, const struct iovec *iov, int count, uint64_t offset);
	long (*write)(struct block_file *file, const struct iovec *iov, int count, uint64_t offset);
	int (*sync)(struct block_file *file);
	int (*size)(struct block_file *file, uint64_t *size);
	int (*truncate)(struct block_file *file, uint64_t size);
	/* Zeroes within the file, -EOPNOTSUPP: no cheap way. `unmap`: frees the space. */
	int (*zero)(struct block_file *file, uint64_t offset, uint64_t length, bool unmap);
	/* Space is reserved; contents stay. */
	int (*allocate)(struct block_file *file, uint64_t offset, uint64_t length);
	/* Whether there is data at offset, and for how many bytes that is so (1 or more). */
	int (*extent)(struct block_file *file, uint64_t offset, uint64_t *length, bool *data);
	/* Another lock than at open(). */
	int (*lock)(struct block_file *file, enum file_lock lock, char *error, size_t error_size);
};

struct block_file {
	const struct file_class *class;
	char *path;
	int fd;		/* -1: not a host file */
	bool writable;
	bool direct;
	bool device;	/* its size is fixed */
	bool in_page_cache; /* on a file system that copies what is not direct to memory, and asks no other machine or process */
	bool no_sync;
	bool whole;	/* a read that meets the end of the file fails */
	enum file_lock held;
	uint32_t align; /* of offset, length and memory of direct accesses; 1: any */
	uint32_t physical, optimal; /* block sizes for hints */
	/* A failed sync may have dropped dirty pages: no later sync can promise anything. */
	atomic_int sync_error;
	void *private;
};

extern const struct file_class file_class_host;

/* Opens `path`; 0 or -errno with a line in error[]. `class` NULL: host files. */
int file__open(const struct file_class *class, const char *path, const struct file_how *how,
	       struct block_file **file, char *error, size_t error_size);
/* 0 or -errno: what a last sync (no_sync) said. NULL is fine. */
int file__close(struct block_file *file);
/* Makes an empty host file, or empties one that is not locked by others. */
int file__create(const char *path, char *error, size_t error_size);

/*
 * Whole accesses: 0 or -errno (-EIO for what stays short). Reads beyond the end give zeroes, or fail with
 * -EIO if the file is `whole`; a last block of less than 512 bytes is filled up in any case. Any alignment. A write grows a file.
 */
int file__read(struct block_file *file, uint64_t offset, void *buf, size_t length);
int file__write(struct block_file *file, uint64_t offset, const void *buf, size_t length);
int file__readv(struct block_file *file, uint64_t offset, const struct iovec *iov, int count);
int file__writev(struct block_file *file, uint64_t offset, const struct iovec *iov, int count);
/* What was written is on stable storage. -EIO for ever once it failed. */
int file__sync(struct block_file *file);
/* Zeroes, by the cheapest way; never grows the file. */
int file__zero(struct block_file *file, uint64_t offset, uint64_t length, bool unmap);
int file__size(struct block_file *file, uint64_t *size);
int file__truncate(struct block_file *file, uint64_t size);
int file__allocate(struct block_file *file, uint64_t offset, uint64_t length);
int file__extent(struct block_file *file, uint64_t offset, uint64_t *length, bool *data);
int file__lock(struct block_file *file, enum file_lock lock, char *error, size_t error_size);

/*
 * The file ends at `position`, and `length` bytes of a read, from `skip` on in its buffers, lie behind:
 * they are zeroes now, or it is -EIO.
 */
int file__met_end(const struct block_file *file, uint64_t position, const struct iovec *iov,
		  int count, size_t skip, size_t length);

/* Whether an access may go to the file as it is (its alignment fits). */
bool file__aligned(const struct block_file *file, uint64_t offset, const struct iovec *iov,
		   int count);

#endif
