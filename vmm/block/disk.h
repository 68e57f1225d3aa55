/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct block and struct block_queue from inside. */
#ifndef VMM_BLOCK_DISK_H
#define VMM_BLOCK_DISK_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/block/block.h"
#include "vmm/block/node.h"
#include "vmm/throttle/throttle.h"

struct loop_timer;

struct block {
	struct node *node;
	struct worker *worker;
	char *file;
	enum block_cache cache;
	enum block_aio aio;
	enum block_detect_zeroes detect_zeroes;
	enum block_error_policy read_error, write_error;
	bool discard;
	bool guard_head; /* recognised as raw: must not begin to look like another format */
	struct throttle throttle;
	pthread_mutex_t lock; /* queues */
	struct block_queue *queues;
	_Atomic uint64_t count[5]; /* by enum block_op */
	_Atomic uint64_t read_bytes, write_bytes, failed, waiting;
};

/* Requests in order. */
struct request_list {
	struct block_request *first, **last;
};

struct block_queue {
	struct block *block;
	struct block_queue *next;
	struct aio *aio;
	struct block_events events;
	unsigned in_flight;
	struct request_list throttled[2]; /* reads, the others */
	struct request_list parked;	  /* wait by the error policy */
	unsigned throttled_count, parked_count;
	struct loop_timer *throttle_timer, *retry_timer;
	struct aio_op resized; /* tells of another size */
	atomic_flag resized_posted;
};

static inline void request_list__init(struct request_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static inline void request_list__add(struct request_list *list, struct block_request *request)
{
	request->next = NULL;
	*list->last = request;
	list->last = &request->next;
}

static inline struct block_request *request_list__take(struct request_list *list)
{
	struct block_request *request = list->first;

	if (request) {
		list->first = request->next;
		if (!list->first)
			list->last = &list->first;
	}
	return request;
}

/* request.c: does a request that was let through; ends with queue__finished(). */
void request__start(struct block_request *request);
/* queue.c: the request is over, but for the error policy. */
void queue__finished(struct block_request *request, int result);

#endif
