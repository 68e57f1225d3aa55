/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asynchronous file accesses: the choice of the way, short accesses, delivery on the loop. */
#include "vmm/block/io/aio.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/block/io/aio_engine.h"
#include "vmm/block/io/file.h"
#include "vmm/block/io/iov.h"
#include "vmm/loop/loop.h"

/* In first ones. */
#define LONGEST_PAUSE 64

struct aio {
	struct loop *loop;
	struct aio_uring *uring; /* NULL: threads only */
	struct aio_pool *pool;	 /* made when first needed */
	struct loop_watch *uring_watch, *event_watch;
	int event; /* tells the loop that `done` is not empty */
	pthread_mutex_t lock; /* done, last */
	struct aio_op *done, **last;
	/* Writes that this thread has made itself, to be delivered. */
	struct aio_op *own, **own_last;
	uint64_t slow, first_pause; /* aio__let_write() */
	uint64_t pause, pause_end;
	void (*delivered)(void *opaque); /* may be NULL */
	void *opaque;
};

static void tell_delivered(struct aio *aio)
{
	if (aio->delivered)
		aio->delivered(aio->opaque);
}

static void deliver_posted(struct aio *aio)
{
	struct aio_op *op, *next;
	uint64_t count;

	/* Read first: what is posted after the list was taken tells again. */
	if (read(aio->event, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&aio->lock);
	op = aio->done;
	aio->done = NULL;
	aio->last = &aio->done;
	pthread_mutex_unlock(&aio->lock);
	for (; op; op = next) {
		next = op->next;
		op->done(op, op->result);
	}
}

static void on_event(void *opaque, uint32_t events)
{
	struct aio *aio = opaque;

	deliver_posted(aio);
	tell_delivered(aio);
	aio__commit(aio);
}

static void end_op(struct aio_op *op, int result)
{
	free(op->rest);
	op->rest = NULL;
	op->done(op, result);
}

/* The rest of an access that was short. */
static int go_on(struct aio_op *op)
{
	struct iovec *rest = calloc(op->iov_count, sizeof(*rest));
	uint64_t already = op->length - iov__length(op->iov, op->iov_count);

	if (!rest)
		return -ENOMEM;
	op->iov_count = iov__slice(op->iov, op->iov_count, op->moved - already, op->length - op->moved,
				   rest);
	free(op->rest);
	op->rest = rest;
	op->iov = rest;
	aio_uring__submit(op->aio->uring, op);
	return 0;
}

/* The file ends behind what has been read. */
static int meet_end(struct aio_op *op)
{
	uint64_t before = op->length - iov__length(op->iov, op->iov_count);

	return file__met_end(op->file, op->offset + op->moved, op->iov, op->iov_count,
			     op->moved - before, op->length - op->moved);
}

static void finish_sync(struct aio_op *op, int result)
{
	if (result < 0)
		atomic_store(&op->file->sync_error, result);
	end_op(op, result < 0 ? result : 0);
}

static void finish_uring(struct aio_op *op, int result)
{
	int err;

	if (op->kind == AIO_SYNC) {
		finish_sync(op, result);
		return;
	}
	if (!result) {
		end_op(op, op->kind == AIO_WRITE ? -ENOSPC : meet_end(op));
		return;
	}
	if (result == -EINTR || result == -EAGAIN)
		result = 0;
	if (result < 0) {
		end_op(op, result);
		return;
	}
	op->moved += result;
	if (op->moved >= op->length) {
		end_op(op, 0);
		return;
	}
	/* A direct read that ends within a block: nothing follows. */
	if (op->kind == AIO_READ && (op->moved & (op->file->align - 1))) {
		end_op(op, meet_end(op));
		return;
	}
	err = go_on(op);
	if (err)
		end_op(op, err);
}

static void on_uring(void *opaque, uint32_t events)
{
	struct aio *aio = opaque;

	aio_uring__reap(aio->uring, finish_uring);
	tell_delivered(aio);
	aio__commit(aio);
}

static int watch_event(struct aio *aio)
{
	aio->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (aio->event < 0)
		return -errno;
	return loop__watch(aio->loop, aio->event, LOOP_IN, on_event, aio, &aio->event_watch);
}

static int choose_way(struct aio *aio, enum aio_choice choice, char *error, size_t error_size)
{
	int err = -ENOSYS;

	if (choice != AIO_THREADS) {
		err = aio_uring__create(&aio->uring);
		if (!err)
			return loop__watch(aio->loop, aio_uring__fd(aio->uring), LOOP_IN, on_uring, aio,
					   &aio->uring_watch);
		if (choice == AIO_URING) {
			snprintf(error, error_size,
				 "aio=io_uring: not possible on this host (%s); give aio=threads or auto",
				 strerror(-err));
			return err;
		}
	}
	return aio_pool__create(&aio->pool);
}

int aio__create(struct loop *loop, enum aio_choice choice, struct aio **out, char *error,
		size_t error_size)
{
	struct aio *aio = calloc(1, sizeof(*aio));
	int err;

	snprintf(error, error_size, "out of memory or descriptors");
	if (!aio)
		return -ENOMEM;
	pthread_mutex_init(&aio->lock, NULL);
	aio->loop = loop;
	aio->event = -1;
	aio->last = &aio->done;
	aio->own_last = &aio->own;
	err = watch_event(aio);
	if (!err)
		err = choose_way(aio, choice, error, error_size);
	if (err) {
		aio__destroy(aio);
		return err;
	}
	*out = aio;
	return 0;
}

void aio__on_delivered(struct aio *aio, void (*delivered)(void *opaque), void *opaque)
{
	aio->delivered = delivered;
	aio->opaque = opaque;
}

void aio__let_write(struct aio *aio, uint64_t slow, uint64_t pause)
{
	aio->slow = slow;
	aio->first_pause = pause;
}

void aio__destroy(struct aio *aio)
{
	if (!aio)
		return;
	aio_pool__destroy(aio->pool);
	loop__unwatch(aio->uring_watch);
	aio_uring__destroy(aio->uring);
	loop__unwatch(aio->event_watch);
	if (aio->event >= 0)
		close(aio->event);
	pthread_mutex_destroy(&aio->lock);
	free(aio);
}

bool aio__uses_uring(const struct aio *aio)
{
	return aio->uring;
}

/* ---- writes by this thread ---- */

/*
 * Some file systems take no buffered write without the right to wait, so io_uring leaves all of them to threads of
 * its own: two switches and a wake-up for a copy of some microseconds.
 */
static bool writes_itself(const struct aio *aio, const struct aio_op *op)
{
	return aio->slow && op->kind == AIO_WRITE && !op->file->direct && op->file->in_page_cache &&
	       loop__now() >= aio->pause_end;
}

static void write_itself(struct aio *aio, struct aio_op *op)
{
	uint64_t start = loop__now(), end;

	op->result = file__writev(op->file, op->offset, op->iov, op->iov_count);
	op->next = NULL;
	*aio->own_last = op;
	aio->own_last = &op->next;
	end = loop__now();
	if (end - start < aio->slow)
		return;
	/* Soon again: within the length of the last pause behind its end. */
	if (end - aio->pause_end > aio->pause)
		aio->pause = aio->first_pause;
	else if (aio->pause < LONGEST_PAUSE * aio->first_pause)
		aio->pause *= 2;
	aio->pause_end = end + aio->pause;
}

static struct aio_op *take_own(struct aio *aio)
{
	struct aio_op *op = aio->own;

	aio->own = NULL;
	aio->own_last = &aio->own;
	return op;
}

void aio__submit(struct aio *aio, struct aio_op *op)
{
	op->aio = aio;
	op->moved = 0;
	op->rest = NULL;
	if (op->kind == AIO_SYNC && (op->file->no_sync || !op->file->writable)) {
		aio__complete(aio, op, 0);
	} else if (op->kind == AIO_SYNC && atomic_load(&op->file->sync_error)) {
		aio__complete(aio, op, -EIO);
	} else if (aio->uring && op->file->fd >= 0 && writes_itself(aio, op)) {
		write_itself(aio, op);
	} else if (aio->uring && op->file->fd >= 0) {
		aio_uring__submit(aio->uring, op);
	} else if (aio->pool || !aio_pool__create(&aio->pool)) {
		aio_pool__submit(aio->pool, op);
	} else {
		aio__complete(aio, op, -ENOMEM);
	}
}

void aio__commit(struct aio *aio)
{
	struct aio_op *op, *next;

	if (aio->uring)
		aio_uring__commit(aio->uring);
	/* Nobody may be about to collect. */
	for (op = take_own(aio); op; op = next) {
		next = op->next;
		aio__complete(aio, op, op->result);
	}
}

static bool deliver_own(struct aio *aio)
{
	struct aio_op *op, *next;
	bool any = false;

	/* done() may have more written. */
	while ((op = take_own(aio))) {
		any = true;
		for (; op; op = next) {
			next = op->next;
			op->done(op, op->result);
		}
	}
	return any;
}

bool aio__collect(struct aio *aio)
{
	bool any = deliver_own(aio);

	if (!aio->uring || !aio_uring__has_completed(aio->uring))
		return any;
	aio_uring__reap(aio->uring, finish_uring);
	deliver_own(aio);
	return true;
}

void aio__commit_and_collect(struct aio *aio)
{
	if (aio->uring)
		aio_uring__commit(aio->uring);
	aio__collect(aio);
}

void aio__wait(struct aio *aio)
{
	struct pollfd fds[2] = { { .fd = aio->event, .events = POLLIN },
				 { .fd = -1, .events = POLLIN } };

	if (aio->uring)
		fds[1].fd = aio_uring__fd(aio->uring);
	aio__commit(aio);
	if (poll(fds, 2, -1) <= 0)
		return;
	if (fds[0].revents)
		deliver_posted(aio);
	if (fds[1].revents)
		aio_uring__reap(aio->uring, finish_uring);
	tell_delivered(aio);
}

void aio__complete(struct aio *aio, struct aio_op *op, int result)
{
	bool first;

	op->result = result;
	op->next = NULL;
	pthread_mutex_lock(&aio->lock);
	first = !aio->done;
	*aio->last = op;
	aio->last = &op->next;
	/* Within the lock: once the loop has seen the op, `aio` may be gone. */
	if (first)
		eventfd_write(aio->event, 1);
	pthread_mutex_unlock(&aio->lock);
}
