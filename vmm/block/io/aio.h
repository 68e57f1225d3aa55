/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous file accesses on an event loop: by io_uring, or by a pool of threads. All functions
 * but aio__complete() are for the loop's thread.
 */
#ifndef VMM_BLOCK_IO_AIO_H
#define VMM_BLOCK_IO_AIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct aio;
struct block_file;
struct loop;

enum aio_kind { AIO_READ, AIO_WRITE, AIO_SYNC };

struct aio_op {
	enum aio_kind kind;
	struct block_file *file;
	const struct iovec *iov; /* stays until done(); file__aligned() */
	int iov_count;		 /* up to AIO_MAX_IOV */
	uint64_t offset, length;
	/* On the loop's thread, not within aio__submit(). 0 or -errno; no short accesses. */
	void (*done)(struct aio_op *op, int result);

	struct aio *aio; /* from here on vmm/block/io's own */
	struct aio_op *next;
	struct iovec *rest; /* of an access that was short */
	uint64_t moved;
	int result;
};

#define AIO_MAX_IOV 1024

enum aio_choice { AIO_AUTO, AIO_URING, AIO_THREADS };

int aio__create(struct loop *loop, enum aio_choice choice, struct aio **aio, char *error,
		size_t error_size);
/* `delivered` is called behind each run of done() calls. */
void aio__on_delivered(struct aio *aio, void (*delivered)(void *opaque), void *opaque);
/*
 * From now on writes to the host's page cache are made by the loop's thread itself as long as they are quick: the
 * loop has nothing to do that must not wait. One that takes `slow` nanoseconds or longer waits for something (the host's
 * limit of dirty pages, a journal); then writes go the other way for `pause` nanoseconds, and for twice as long
 * each time that happens soon again.
 */
void aio__let_write(struct aio *aio, uint64_t slow, uint64_t pause);
/* Nothing may be in flight. NULL is fine. */
void aio__destroy(struct aio *aio);
/* Whether it goes by io_uring. */
bool aio__uses_uring(const struct aio *aio);

void aio__submit(struct aio *aio, struct aio_op *op);
/* What was submitted is on its way. */
void aio__commit(struct aio *aio);
/*
 * Delivers what has completed by now, for a caller that need not wait for the loop. True: there was
 * something. delivered() is not called.
 */
bool aio__collect(struct aio *aio);
/* Both, one after the other. */
void aio__commit_and_collect(struct aio *aio);
/* Waits until something has completed, and delivers it. Something must be in flight. */
void aio__wait(struct aio *aio);

/* Any thread: `op` (of any origin) is done, and done() is to be called on the loop. */
void aio__complete(struct aio *aio, struct aio_op *op, int result);

#endif
