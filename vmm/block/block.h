/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks: what devices see of them. A disk is an image (raw, qcow2, with its backing files) opened
 * by options; requests are asynchronous and complete on the event loop that submitted them.
 *
 * struct block is the disk, shared by all threads. struct block_queue is one event loop's way to
 * it: a device with several I/O threads makes one queue in each. All functions of a queue are for
 * its loop's thread only, or for any thread while that loop does not run.
 */
#ifndef VMM_BLOCK_BLOCK_H
#define VMM_BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/throttle/throttle.h"

#include "vmm/block/io/aio.h"
#include "vmm/block/worker.h"

struct block;
struct block_queue;
struct file_class;
struct loop;

/* ---- options ---- */

enum block_cache {		  /* host page cache | a completed write is on stable storage */
	BLOCK_CACHE_WRITEBACK,	  /* used | after a flush */
	BLOCK_CACHE_NONE,	  /* not used (O_DIRECT) | after a flush */
	BLOCK_CACHE_WRITETHROUGH, /* used | at once */
	BLOCK_CACHE_DIRECTSYNC,	  /* not used | at once */
	BLOCK_CACHE_UNSAFE,	  /* used | some time: flushes do nothing until the disk is closed */
};

enum block_aio {
	BLOCK_AIO_AUTO, /* io_uring, or threads where the host does not permit io_uring */
	BLOCK_AIO_URING,
	BLOCK_AIO_THREADS,
};

enum block_detect_zeroes {
	BLOCK_DETECT_ZEROES_OFF,
	BLOCK_DETECT_ZEROES_ON,	   /* writes of zeroes become write-zeroes requests */
	BLOCK_DETECT_ZEROES_UNMAP, /* ... that may deallocate, if discard=unmap */
};

enum block_error_policy {
	BLOCK_ERROR_REPORT, /* the request fails */
	BLOCK_ERROR_IGNORE, /* the request succeeds (a failed read gives zeroes) */
	BLOCK_ERROR_STOP,   /* the request waits for block_queue__retry() */
	BLOCK_ERROR_ENOSPC, /* -ENOSPC waits and is tried again every second; others are reported */
};

struct block_options {
	char *file;   /* path of a file or block device */
	char *format; /* "raw", "qcow2"; NULL: recognised by its contents */
	bool read_only;
	bool discard; /* discards deallocate; off: they succeed and do nothing */
	bool locking; /* guard against a second writer (docs/block.md) */
	enum block_cache cache;
	enum block_aio aio;
	enum block_detect_zeroes detect_zeroes;
	enum block_error_policy read_error, write_error;
	struct throttle_limit limit[THROTTLE_COUNT];
	uint64_t limit_unit; /* bytes that count as one operation; 0: a request is one */
	uint64_t metadata_cache; /* bytes of a format's tables kept in memory, per image; 0: preset */
	const struct file_class *files; /* where images are; NULL: host files (others are of tests) */
};

/* One row per key, for help texts and parsers. */
struct block_option {
	const char *name;  /* NULL ends the table */
	const char *value; /* placeholder, for example "on|off" */
	const char *help;
};

extern const struct block_option block_option_table[];

/* Presets: writeback, auto, discard on, locking on, errors reported but ENOSPC on write waits. */
void block_options__init(struct block_options *options);
/*
 * Sets one key of the table (and "file"). 0, or -EINVAL (-ENOMEM) with a line in error[] that
 * names key and value and says what would be right.
 */
int block_options__set(struct block_options *options, const char *key, const char *value,
		       char *error, size_t error_size);
/* "FILE[,key=value...]"; a comma in a file name or value is written twice. Also init. As above. */
int block_options__parse(struct block_options *options, const char *text, char *error,
			 size_t error_size);
/* Whether keys that were set one by one go together. As above. */
int block_options__check(const struct block_options *options, char *error, size_t error_size);
void block_options__free(struct block_options *options);

/* ---- a disk ---- */

/*
 * Opens the image and its backing files. `options` may be freed afterwards. 0, or -errno with a
 * line in error[] that names the file.
 */
int block__open(const struct block_options *options, struct block **block, char *error,
		size_t error_size);
/*
 * Every queue must be gone. Writes everything out. 0, or -errno of the first failure, with the disk
 * closed nevertheless. NULL is fine.
 */
int block__close(struct block *block);

struct block_limits {
	uint32_t request_align; /* offset and length of requests are multiples of this: 512 */
	uint32_t physical;	/* block size that writes do well to be aligned to, 512 or more */
	uint32_t optimal;	/* preferred I/O size in bytes, 0: none */
	uint64_t max_transfer;	/* bytes of one read or write */
	uint32_t max_iov;	/* entries of one read or write */
	uint64_t max_discard;	/* bytes of one discard */
	uint64_t max_zeroes;	/* bytes of one write-zeroes */
	uint32_t discard_align; /* what discards free in one piece, a power of two */
	bool discard;		/* discards do something */
	bool write_cache;	/* completed writes need flushes (cache=writeback, none, unsafe) */
};

/* Any thread. Size in bytes, a multiple of 512. */
uint64_t block__size(const struct block *block);
bool block__read_only(const struct block *block);
void block__limits(const struct block *block, struct block_limits *limits);
/* For messages and serial numbers: the path as it was given. */
const char *block__file(const struct block *block);
/* "raw", "qcow2". */
const char *block__format(const struct block *block);

/*
 * Grows or (with `shrink`) shrinks the disk, in a worker thread if there are queues; any thread, and waits.
 * Every queue's resized() is called on its loop afterwards. 0, or -errno with a line in error[].
 */
int block__resize(struct block *block, uint64_t size, bool shrink, char *error, size_t error_size);
/*
 * Somebody else may have made the file or device longer or shorter: a raw disk has its size from now on.
 * If it is another, every queue's resized() is called. Any thread, and waits. 0 or -errno.
 */
int block__look_at_size(struct block *block);
/*
 * Every write that has completed is on stable storage when this returns. Any thread, and waits. 0 or
 * -errno.
 */
int block__flush(struct block *block);
/* Replaces the rate limits; what waits is looked at again. Any thread. */
void block__set_limits(struct block *block, const struct throttle_limit limit[THROTTLE_COUNT],
		       uint64_t unit);

/* Counters since open; any thread. */
struct block_statistics {
	uint64_t read_ops, write_ops, flush_ops, discard_ops, zero_ops;
	uint64_t read_bytes, write_bytes;
	uint64_t failed;  /* requests */
	uint64_t waiting; /* requests that wait for the error policy, now */
};

void block__statistics(const struct block *block, struct block_statistics *statistics);

/* ---- requests ---- */

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,   /* writes that have completed before it was submitted are on stable storage */
	BLOCK_DISCARD, /* contents are zeroes or unchanged afterwards, per part */
	BLOCK_ZERO,    /* contents are zeroes afterwards */
};

struct guarded_head;

#define BLOCK_FUA 1u   /* BLOCK_WRITE, BLOCK_ZERO: on stable storage when it completes */
#define BLOCK_UNMAP 2u /* BLOCK_ZERO: may deallocate */

struct block_request;

/* vmm/block's own: a piece of a request that is done in one go. */
struct block_part {
	struct aio_op op;
	struct worker_job job;
	struct block_request *request;
	enum block_op kind;
	uint64_t offset;
	struct iovec one;
	struct iovec *slice; /* allocated; NULL: `one`, or the request's own list */
	bool entered;
	unsigned parity;
};

struct block_request {
	enum block_op op;
	uint32_t flags;
	uint64_t offset, length; /* bytes; see block_limits; BLOCK_FLUSH has neither */
	/* BLOCK_READ, BLOCK_WRITE: host memory, `length` bytes in all; array and memory stay until
	 * done(). */
	const struct iovec *iov;
	unsigned iov_count;
	/*
	 * On the queue's loop thread, never from within block_queue__submit(). `result` is 0 or
	 * -errno: -EINVAL (beyond the end, misaligned, too long, unknown), -EROFS, -EIO, -ENOSPC,
	 * -ECANCELED, -EPERM (docs/block.md). It may submit requests, free or reuse the request, but
	 * not destroy the queue. `op` and `flags` may have changed (detect_zeroes).
	 */
	void (*done)(struct block_request *request, int result);
	void *opaque; /* the submitter's */

	/* vmm/block's own, from here on; the submitter need not initialise it. */
	struct block_queue *queue;
	struct block_request *next;
	struct guarded_head *head; /* NULL: the memory is the submitter's own */
	uint32_t pending; /* parts that have not completed */
	int result;
	bool flushing;
	struct block_part part; /* the first one; most requests have no other */
};

/* Events of the disk, on the queue's loop thread. Each may be NULL. */
struct block_events {
	void (*resized)(void *opaque, uint64_t size);
	/* A request met `err` (-errno) and waits by policy. */
	void (*stopped)(void *opaque, enum block_op op, int err);
	/* Requests have completed: after the last done() of those that are known by now. */
	void (*batch)(void *opaque);
	void *opaque;
};

/* 0 or -errno with a line in error[]. `events` may be NULL. */
int block_queue__create(struct block *block, struct loop *loop, const struct block_events *events,
			struct block_queue **queue, char *error, size_t error_size);
/* Nothing may be in flight (block_queue__cancel()). NULL is fine. */
void block_queue__destroy(struct block_queue *queue);

/*
 * Takes a request; there is no order between requests in flight. What was submitted reaches the
 * host with block_queue__commit(): call it once after a batch.
 */
void block_queue__submit(struct block_queue *queue, struct block_request *request);
void block_queue__commit(struct block_queue *queue);

/*
 * Ends what the host has completed by now: done() is called within, batch() is not. True: there was
 * something. Not from within a done().
 */
bool block_queue__collect(struct block_queue *queue);
/* Both, one after the other: what is completed at once costs no turn of the loop. */
void block_queue__commit_and_collect(struct block_queue *queue);
/* The loop is an I/O thread's: it may write to the host's page cache itself (io/aio.h). */
void block_queue__let_write(struct block_queue *queue);

/* Requests taken and not completed. */
unsigned block_queue__in_flight(const struct block_queue *queue);
/* Tries again what waits by the error policy. */
void block_queue__retry(struct block_queue *queue);
/*
 * Returns when nothing is in flight, but for requests that wait by the error policy; the callbacks
 * run within. Rate limits still hold. Not from within a done().
 */
void block_queue__drain(struct block_queue *queue);
/*
 * As drain, but requests that wait for rate limits or by the error policy, and have not started,
 * complete with -ECANCELED. Afterwards nothing is in flight: for the reset of a device. Not from
 * within a done().
 */
void block_queue__cancel(struct block_queue *queue);

#endif
