/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue: checks of requests, rate limits, the error policy, waiting. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/block/disk.h"
#include "vmm/block/io/iov.h"
#include "vmm/loop/loop.h"

#define RETRY_NS 1000000000ULL
/* A write to the page cache takes some microseconds, if it waits for nothing. */
#define SLOW_WRITE_NS 2000000ULL
#define SLOW_WRITE_PAUSE_NS 1000000000ULL

static int check_request(const struct block_request *request)
{
	struct block *block = request->queue->block;
	uint64_t size = block__size(block);
	struct block_limits limits;

	if (request->op == BLOCK_FLUSH)
		return 0;
	if (request->op > BLOCK_ZERO || (request->offset | request->length) & 511 ||
	    request->offset > size || request->length > size - request->offset)
		return -EINVAL;
	block__limits(block, &limits);
	if (request->op == BLOCK_READ || request->op == BLOCK_WRITE) {
		if (request->length > limits.max_transfer || request->iov_count > limits.max_iov ||
		    iov__length(request->iov, request->iov_count) != request->length)
			return -EINVAL;
	}
	if (request->op != BLOCK_READ && block__read_only(block))
		return -EROFS;
	return 0;
}

/* The first block as it was looked at, and the list of buffers with it in front. */
struct guarded_head {
	const struct iovec *iov; /* the submitter's */
	unsigned iov_count;
	uint8_t bytes[512];
	struct iovec own[];
};

static bool is_disguise(const struct guarded_head *head)
{
	unsigned i;

	for (i = 0; format__get(i); i++)
		if (format__get(i)->probe &&
		    format__get(i)->probe(head->bytes, sizeof(head->bytes)))
			return true;
	return false;
}

/*
 * A guest that writes the header of another format to a raw disk whose format nobody has said would
 * have that format's backing file opened the next time. The guest can change its memory at any time:
 * what is looked at is a copy, and the copy is what is written.
 */
static int guard_head(struct block_request *request)
{
	struct guarded_head *head;

	if (!request->queue->block->guard_head || request->op != BLOCK_WRITE || request->offset ||
	    !request->length)
		return 0;
	head = malloc(sizeof(*head) + (request->iov_count + 1) * sizeof(head->own[0]));
	if (!head)
		return -ENOMEM;
	iov__to(request->iov, request->iov_count, 0, head->bytes, sizeof(head->bytes));
	if (is_disguise(head)) {
		free(head);
		return -EPERM;
	}
	head->iov = request->iov;
	head->iov_count = request->iov_count;
	head->own[0] = (struct iovec){ head->bytes, sizeof(head->bytes) };
	request->iov_count = 1 + iov__slice(request->iov, request->iov_count, sizeof(head->bytes),
					    request->length - sizeof(head->bytes), &head->own[1]);
	request->iov = head->own;
	request->head = head;
	return 0;
}

static void drop_head(struct block_request *request)
{
	struct guarded_head *head = request->head;

	if (!head)
		return;
	request->iov = head->iov;
	request->iov_count = head->iov_count;
	request->head = NULL;
	free(head);
}

static void posted_done(struct aio_op *op, int result)
{
	struct block_part *part = (struct block_part *)op;

	queue__finished(part->request, result);
}

/* Completes on the loop, later. */
static void post_result(struct block_request *request, int result)
{
	request->part.request = request;
	request->part.op.done = posted_done;
	aio__complete(request->queue->aio, &request->part.op, result);
}

/* What no data moves for is one operation and no bytes, however long. */
static uint64_t bytes_moved(const struct block_request *request)
{
	return request->op == BLOCK_READ || request->op == BLOCK_WRITE ? request->length : 0;
}

static void arm_throttle(struct block_queue *queue, uint64_t wait)
{
	loop__timer_arm(queue->throttle_timer, loop__now() + wait);
}

/* Lets through what the limits allow. Returns nanoseconds until more may pass, 0: nothing waits. */
static uint64_t pass_throttled(struct block_queue *queue)
{
	uint64_t wait, least = 0;
	unsigned kind;

	for (kind = 0; kind < 2; kind++) {
		struct block_request *request;

		while ((request = queue->throttled[kind].first)) {
			wait = throttle__pass(&queue->block->throttle, kind, bytes_moved(request), loop__now());
			if (wait) {
				least = !least || wait < least ? wait : least;
				break;
			}
			request_list__take(&queue->throttled[kind]);
			queue->throttled_count--;
			request__start(request);
		}
	}
	return least;
}

static void on_throttle_timer(void *opaque)
{
	struct block_queue *queue = opaque;
	uint64_t wait = pass_throttled(queue);

	if (wait)
		arm_throttle(queue, wait);
	aio__commit(queue->aio);
}

static void admit(struct block_request *request)
{
	struct block_queue *queue = request->queue;
	unsigned kind = request->op != BLOCK_READ;
	uint64_t wait = 0;

	if (request->op == BLOCK_FLUSH || !atomic_load(&queue->block->throttle.active)) {
		request__start(request);
		return;
	}
	if (!queue->throttled[kind].first)
		wait = throttle__pass(&queue->block->throttle, kind, bytes_moved(request), loop__now());
	if (!wait && !queue->throttled[kind].first) {
		request__start(request);
		return;
	}
	request_list__add(&queue->throttled[kind], request);
	queue->throttled_count++;
	if (wait)
		arm_throttle(queue, wait);
}

void block_queue__submit(struct block_queue *queue, struct block_request *request)
{
	struct block *block = queue->block;
	int err;

	request->queue = queue;
	queue->in_flight++;
	request->head = NULL;
	err = check_request(request);
	if (!err)
		err = guard_head(request);
	if (err || (request->op == BLOCK_DISCARD && !block->discard) ||
	    (request->op != BLOCK_FLUSH && !request->length)) {
		post_result(request, err);
		return;
	}
	if (request->op == BLOCK_WRITE && block->detect_zeroes != BLOCK_DETECT_ZEROES_OFF &&
	    iov__is_zero(request->iov, request->iov_count)) {
		request->op = BLOCK_ZERO;
		if (block->detect_zeroes == BLOCK_DETECT_ZEROES_UNMAP)
			request->flags |= BLOCK_UNMAP;
		else
			request->flags &= ~BLOCK_UNMAP;
	}
	admit(request);
}

void block_queue__commit(struct block_queue *queue)
{
	aio__commit(queue->aio);
}

void block_queue__commit_and_collect(struct block_queue *queue)
{
	aio__commit_and_collect(queue->aio);
}

void block_queue__let_write(struct block_queue *queue)
{
	aio__let_write(queue->aio, SLOW_WRITE_NS, SLOW_WRITE_PAUSE_NS);
}

bool block_queue__collect(struct block_queue *queue)
{
	return aio__collect(queue->aio);
}

static void count_request(struct block *block, const struct block_request *request, int result)
{
	if (result) {
		atomic_fetch_add(&block->failed, 1);
		return;
	}
	if (request->op <= BLOCK_ZERO)
		atomic_fetch_add(&block->count[request->op], 1);
	if (request->op == BLOCK_READ)
		atomic_fetch_add(&block->read_bytes, request->length);
	if (request->op == BLOCK_WRITE)
		atomic_fetch_add(&block->write_bytes, request->length);
}

static void complete(struct block_request *request, int result)
{
	struct block_queue *queue = request->queue;

	count_request(queue->block, request, result);
	queue->in_flight--;
	drop_head(request);
	request->done(request, result);
}

static void park(struct block_request *request, int result, bool again)
{
	struct block_queue *queue = request->queue;

	request_list__add(&queue->parked, request);
	queue->parked_count++;
	atomic_fetch_add(&queue->block->waiting, 1);
	if (again)
		loop__timer_arm(queue->retry_timer, loop__now() + RETRY_NS);
	if (queue->events.stopped)
		queue->events.stopped(queue->events.opaque, request->op, result);
}

void queue__finished(struct block_request *request, int result)
{
	struct block *block = request->queue->block;
	bool read = request->op == BLOCK_READ;
	enum block_error_policy policy = read ? block->read_error : block->write_error;

	/* A request that is wrong by itself stays wrong. */
	if (!result || result == -EINVAL || result == -EROFS || result == -EPERM ||
	    result == -ECANCELED) {
		complete(request, result);
	} else if (policy == BLOCK_ERROR_STOP) {
		park(request, result, false);
	} else if (policy == BLOCK_ERROR_ENOSPC && (result == -ENOSPC || result == -EDQUOT)) {
		park(request, result, true);
	} else if (policy == BLOCK_ERROR_IGNORE) {
		if (read)
			iov__zero(request->iov, request->iov_count, 0, request->length);
		complete(request, 0);
	} else {
		complete(request, result);
	}
}

unsigned block_queue__in_flight(const struct block_queue *queue)
{
	return queue->in_flight;
}

void block_queue__retry(struct block_queue *queue)
{
	struct request_list parked = queue->parked;
	struct block_request *request, *next;

	/* What fails again is parked anew, not looked at again here. */
	request_list__init(&queue->parked);
	for (request = parked.first; request; request = next) {
		next = request->next;
		queue->parked_count--;
		atomic_fetch_sub(&queue->block->waiting, 1);
		request__start(request);
	}
	aio__commit(queue->aio);
}

static void on_retry_timer(void *opaque)
{
	block_queue__retry(opaque);
}

void block_queue__drain(struct block_queue *queue)
{
	while (queue->in_flight > queue->parked_count) {
		uint64_t wait = pass_throttled(queue);

		if (queue->in_flight > queue->parked_count + queue->throttled_count) {
			aio__wait(queue->aio);
		} else if (wait) {
			struct timespec pause = { wait / 1000000000, wait % 1000000000 };

			nanosleep(&pause, NULL);
		}
	}
}

static void cancel_list(struct block_queue *queue, struct request_list *list, unsigned *count)
{
	struct request_list taken = *list;
	struct block_request *request;

	request_list__init(list);
	while ((request = request_list__take(&taken))) {
		--*count;
		complete(request, -ECANCELED);
	}
}

void block_queue__cancel(struct block_queue *queue)
{
	unsigned parked;

	while (queue->in_flight) {
		cancel_list(queue, &queue->throttled[0], &queue->throttled_count);
		cancel_list(queue, &queue->throttled[1], &queue->throttled_count);
		parked = queue->parked_count;
		cancel_list(queue, &queue->parked, &queue->parked_count);
		atomic_fetch_sub(&queue->block->waiting, parked - queue->parked_count);
		if (queue->in_flight > queue->parked_count + queue->throttled_count)
			aio__wait(queue->aio);
	}
	/* Those that never started came without. */
	if (queue->events.batch)
		queue->events.batch(queue->events.opaque);
}

static void on_resized(struct aio_op *op, int result)
{
	struct block_queue *queue =
		(struct block_queue *)((char *)op - offsetof(struct block_queue, resized));

	atomic_flag_clear(&queue->resized_posted);
	if (queue->events.resized)
		queue->events.resized(queue->events.opaque, block__size(queue->block));
}

int block_queue__create(struct block *block, struct loop *loop, const struct block_events *events,
			struct block_queue **out, char *error, size_t error_size)
{
	static const enum aio_choice choice[] = {
		[BLOCK_AIO_AUTO] = AIO_AUTO,
		[BLOCK_AIO_URING] = AIO_URING,
		[BLOCK_AIO_THREADS] = AIO_THREADS,
	};
	struct block_queue *queue = calloc(1, sizeof(*queue));
	char why[256] = "out of memory or descriptors";
	int err = -ENOMEM;

	if (!queue)
		goto tell;
	queue->block = block;
	if (events)
		queue->events = *events;
	request_list__init(&queue->throttled[0]);
	request_list__init(&queue->throttled[1]);
	request_list__init(&queue->parked);
	queue->resized.done = on_resized;
	atomic_flag_clear(&queue->resized_posted);
	err = aio__create(loop, choice[block->aio], &queue->aio, why, sizeof(why));
	if (!err)
		err = loop__timer(loop, on_throttle_timer, queue, &queue->throttle_timer);
	if (!err)
		err = loop__timer(loop, on_retry_timer, queue, &queue->retry_timer);
	if (err)
		goto free_queue;
	aio__on_delivered(queue->aio, queue->events.batch, queue->events.opaque);
	pthread_mutex_lock(&block->lock);
	queue->next = block->queues;
	block->queues = queue;
	pthread_mutex_unlock(&block->lock);
	*out = queue;
	return 0;
free_queue:
	loop__timer_free(queue->throttle_timer);
	aio__destroy(queue->aio);
	free(queue);
tell:
	snprintf(error, error_size, "%s: %s", block->file, why);
	return err;
}

void block_queue__destroy(struct block_queue *queue)
{
	struct block_queue **at;

	if (!queue)
		return;
	pthread_mutex_lock(&queue->block->lock);
	for (at = &queue->block->queues; *at != queue; at = &(*at)->next)
		;
	*at = queue->next;
	pthread_mutex_unlock(&queue->block->lock);
	loop__timer_free(queue->throttle_timer);
	loop__timer_free(queue->retry_timer);
	aio__destroy(queue->aio);
	free(queue);
}
