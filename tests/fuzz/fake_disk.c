/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk of the device targets: the functions of vmm/block that devices call, on memory. Requests
 * end when fake_disk__run() says so, some of them with an error.
 */
#include "tests/fuzz/device_world.h"
#include <errno.h>
#include <string.h>
#include "vmm/block/block.h"
#include "vmm/block/io/iov.h"

#define DISK_BYTES (64u << 10)
#define FAIL_EVERY 7u
#define QUEUES 16u

struct block {
	u8 data[DISK_BYTES];
};

struct block_queue {
	struct block_events events;
	struct block_request *first, **last;
};

static struct block_queue *queues[QUEUES];
static unsigned ended;

int block__open(const struct block_options *options, struct block **block, char *error,
		size_t error_size)
{
	*block = calloc(1, sizeof(**block));
	return *block ? 0 : -ENOMEM;
}

int block__close(struct block *block)
{
	free(block);
	return 0;
}

uint64_t block__size(const struct block *block)
{
	return DISK_BYTES;
}

bool block__read_only(const struct block *block)
{
	return false;
}

const char *block__file(const struct block *block)
{
	return "fake";
}

int block__look_at_size(struct block *block)
{
	return 0;
}

int block__flush(struct block *block)
{
	return 0;
}

void block__limits(const struct block *block, struct block_limits *limits)
{
	*limits = (struct block_limits){ .request_align = 512,
					 .physical = 4096,
					 .optimal = 65536,
					 .max_transfer = 1 << 20,
					 .max_iov = 64,
					 .max_discard = 32768,
					 .max_zeroes = 32768,
					 .discard_align = 4096,
					 .discard = true,
					 .write_cache = true };
}

int block_queue__create(struct block *block, struct loop *loop, const struct block_events *events,
			struct block_queue **queue, char *error, size_t error_size)
{
	unsigned i = 0;

	while (i < QUEUES && queues[i])
		i++;
	FUZZ_CHECK(i < QUEUES);
	*queue = queues[i] = calloc(1, sizeof(**queue));
	FUZZ_CHECK(*queue);
	(*queue)->events = *events;
	(*queue)->last = &(*queue)->first;
	return 0;
}

void block_queue__destroy(struct block_queue *queue)
{
	unsigned i;

	for (i = 0; i < QUEUES; i++)
		if (queues[i] == queue)
			queues[i] = NULL;
	free(queue);
}

void block_queue__submit(struct block_queue *queue, struct block_request *request)
{
	request->next = NULL;
	*queue->last = request;
	queue->last = &request->next;
}

void block_queue__commit(struct block_queue *queue)
{
}

/* What a disk does with the memory: all of it is touched. */
static int perform(struct block_request *request)
{
	static u8 bytes[1 << 20];

	if (request->op == BLOCK_FLUSH)
		return 0;
	if ((request->offset | request->length) & 511 || request->offset > DISK_BYTES ||
	    request->length > DISK_BYTES - request->offset)
		return -EINVAL;
	if (request->op == BLOCK_READ || request->op == BLOCK_WRITE) {
		if (request->iov_count > 64 ||
		    iov__length(request->iov, request->iov_count) != request->length)
			return -EINVAL;
		if (request->op == BLOCK_READ)
			iov__from(request->iov, request->iov_count, 0, bytes, request->length);
		else
			iov__to(request->iov, request->iov_count, 0, bytes, request->length);
	}
	return ++ended % FAIL_EVERY ? 0 : -EIO;
}

/* True: there were requests. */
static bool end_requests(struct block_queue *queue, bool cancel)
{
	struct block_request *request = queue->first;
	bool any = request;

	while ((request = queue->first)) {
		queue->first = request->next;
		if (!queue->first)
			queue->last = &queue->first;
		request->done(request, cancel ? -ECANCELED : perform(request));
	}
	return any;
}

/* The host had some of them in its memory. */
bool block_queue__collect(struct block_queue *queue)
{
	return ended & 1 && end_requests(queue, false);
}

void block_queue__commit_and_collect(struct block_queue *queue)
{
	block_queue__commit(queue);
	block_queue__collect(queue);
}

void block_queue__let_write(struct block_queue *queue)
{
}

static void end_all(struct block_queue *queue, bool cancel)
{
	end_requests(queue, cancel);
	if (queue->events.batch)
		queue->events.batch(queue->events.opaque);
}

void block_queue__cancel(struct block_queue *queue)
{
	end_all(queue, true);
}

void fake_disk__run(void)
{
	unsigned i;

	for (i = 0; i < QUEUES; i++)
		if (queues[i])
			end_all(queues[i], false);
}
