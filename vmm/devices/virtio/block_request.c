/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of the block device (virtio 1.2, 5.2.6): from the ring to the disk and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/devices/virtio/block.h"
#include "vmm/loop/loop.h"
#include "vmm/memory/guest_memory.h"

#define SECTOR_SHIFT 9
#define SECTOR_BYTES 512u
/* That go to the host without waiting for more: half of 32 requests of 4 KiB, so that driver and host work side by side. */
#define HAND_OVER_BYTES (64u << 10)

/* 5.2.6 */
enum {
	TYPE_IN = 0,
	TYPE_OUT = 1,
	TYPE_FLUSH = 4,
	TYPE_GET_ID = 8,
	TYPE_DISCARD = 11,
	TYPE_WRITE_ZEROES = 13,
};

enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2 };

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct range {
	uint64_t sector;
	uint32_t sectors, flags;
};

#define RANGE_UNMAP 1u

_Static_assert(sizeof(struct header) == BLK_HEADER_BYTES, "5.2.6");
_Static_assert(sizeof(struct range) == 16, "5.2.6");

/* ---- memory ---- */

int blk_queue__create_requests(struct blk_queue *bq, unsigned count)
{
	bq->last_ended = &bq->ended;
	bq->requests = calloc(count, bq->blk->request_bytes);
	return bq->requests ? 0 : -ENOMEM;
}

void blk_queue__destroy_requests(struct blk_queue *bq)
{
	free(bq->requests);
	bq->requests = NULL;
}

/* There are as many as descriptors, so there is one while the ring has a buffer. */
static struct blk_request *get_request(struct blk_queue *bq)
{
	struct blk_request *request = bq->free;

	if (request) {
		bq->free = request->next;
		return request;
	}
	if (bq->touched == bq->queue->size_most)
		return NULL;
	request = (struct blk_request *)(bq->requests + bq->touched++ * bq->blk->request_bytes);
	request->owner = bq;
	request->chain.segment = request->segment;
	request->chain.capacity = bq->blk->request_segments;
	return request;
}

static void put_request(struct blk_request *request)
{
	request->next = request->owner->free;
	request->owner->free = request;
}

/* ---- ending ---- */

static void end(struct blk_request *request, uint8_t result)
{
	struct blk_queue *bq = request->owner;

	request->result = result;
	request->next = NULL;
	*bq->last_ended = request;
	bq->last_ended = &request->next;
}

/* Bytes from the start of what the driver lets us write that have been written (2.7.8.2). */
static uint32_t bytes_written(const struct blk_request *request)
{
	const struct virtio_chain *chain = &request->chain;

	/* What a failed read left behind is not known; the status is behind it. */
	if (request->result != STATUS_OK && chain->writable_bytes > 1)
		return 0;
	return chain->writable_bytes;
}

/* Of a failed read nobody knows how much of the memory was written; it is told of all the same. */
static void tell_unknown(const struct blk_request *request)
{
	const struct virtio_chain *chain = &request->chain;
	const struct guest_memory *memory = request->owner->blk->dev.services->memory;
	unsigned i;

	for (i = chain->readable; i < chain->readable + chain->writable; i++)
		guest_memory__written(memory, chain->segment[i].iov_base, chain->segment[i].iov_len);
}

/* The virtqueue's lock is held. */
static void push_ended(struct blk_queue *bq)
{
	struct blk_request *request, *next;

	for (request = bq->ended; request; request = next) {
		struct iovec *last = &request->chain.segment[request->chain.readable +
							     request->chain.writable - 1];

		next = request->next;
		/* The status byte was taken off for the time of the transfer. */
		last->iov_len = request->status + 1 - (uint8_t *)last->iov_base;
		if (bq->queue->running)
			*request->status = request->result;
		if (request->result != STATUS_OK)
			tell_unknown(request);
		virtio_queue__push(bq->queue, &request->chain, bytes_written(request));
		put_request(request);
	}
	bq->ended = NULL;
	bq->last_ended = &bq->ended;
	virtio_queue__signal(bq->queue);
}

void blk_queue__give_back(void *blk_queue)
{
	struct blk_queue *bq = blk_queue;

	if (!bq->ended)
		return;
	pthread_mutex_lock(&bq->queue->lock);
	push_ended(bq);
	pthread_mutex_unlock(&bq->queue->lock);
}

/* ---- starting ---- */

static void start_range(struct blk_request *request);

static void submit(struct blk_request *request)
{
	block_queue__submit(request->owner->io, &request->block);
}

static struct blk_request *of_block(struct block_request *block)
{
	return container_of_type(block, struct blk_request, block);
}

/* Writes and the like that began while there was a cache end as the driver has it now. */
static bool needs_flush(const struct blk_request *request)
{
	return request->block.op != BLOCK_READ && request->block.op != BLOCK_FLUSH &&
	       !(request->block.flags & BLOCK_FUA) &&
	       virtio_block__writes_through(request->owner->blk);
}

static void done(struct block_request *block, int result)
{
	struct blk_request *request = of_block(block);

	if (!result && request->range < request->ranges) {
		start_range(request);
		return;
	}
	if (!result && needs_flush(request)) {
		request->block.op = BLOCK_FLUSH;
		submit(request);
		return;
	}
	end(request, result ? STATUS_IOERR : STATUS_OK);
}

/* Takes `bytes` off the front of a list of segments. */
static struct iovec *skip(struct iovec *segment, unsigned *count, size_t bytes)
{
	while (*count && bytes >= segment->iov_len) {
		bytes -= segment->iov_len;
		segment++;
		--*count;
	}
	if (*count) {
		segment->iov_base = (char *)segment->iov_base + bytes;
		segment->iov_len -= bytes;
	}
	return segment;
}

static void start_transfer(struct blk_request *request, uint64_t sector, bool write)
{
	struct virtio_chain *chain = &request->chain;
	struct block_request *block = &request->block;
	unsigned count = write ? chain->readable : chain->writable;
	struct iovec *segment = chain->segment;

	if (write)
		segment = skip(segment, &count, BLK_HEADER_BYTES);
	else
		segment += chain->readable;
	/* The status byte is no data. */
	if (!write && --segment[count - 1].iov_len == 0)
		count--;
	if (request->data % SECTOR_BYTES || sector > UINT64_MAX >> SECTOR_SHIFT) {
		end(request, STATUS_IOERR);
		return;
	}
	block->op = write ? BLOCK_WRITE : BLOCK_READ;
	block->flags = write && virtio_block__writes_through(request->owner->blk) ? BLOCK_FUA : 0;
	block->offset = sector << SECTOR_SHIFT;
	block->length = request->data;
	block->iov = segment;
	block->iov_count = count;
	request->owner->taken_bytes += request->data;
	submit(request);
}

static void start_flush(struct blk_request *request)
{
	request->block.op = BLOCK_FLUSH;
	request->block.flags = 0;
	request->block.offset = request->block.length = 0;
	submit(request);
}

static void get_id(struct blk_request *request)
{
	const char *serial = request->owner->blk->serial;
	char id[BLK_ID_BYTES] = { 0 };

	if (request->data != sizeof(id)) {
		end(request, STATUS_IOERR);
		return;
	}
	if (serial)
		memcpy(id, serial, strnlen(serial, sizeof(id)));
	virtio_chain__write(&request->chain, 0, id, sizeof(id));
	end(request, STATUS_OK);
}

static uint8_t check_range(const struct blk_request *request, const struct range *range)
{
	bool discard = request->block.op == BLOCK_DISCARD;
	const struct block_limits *limits = &request->owner->blk->limits;
	uint64_t most = discard ? limits->max_discard : limits->max_zeroes;

	/* 5.2.6.2: flags that are not known, and a discard with unmap. */
	if (range->flags & ~(discard ? 0 : RANGE_UNMAP))
		return STATUS_UNSUPP;
	if (range->sector > UINT64_MAX >> SECTOR_SHIFT ||
	    (uint64_t)range->sectors << SECTOR_SHIFT > most)
		return STATUS_IOERR;
	return STATUS_OK;
}

/* The next range, copied once. */
static void start_range(struct blk_request *request)
{
	struct block_request *block = &request->block;
	struct range range = { 0 };
	uint8_t status;

	virtio_chain__read(&request->chain, BLK_HEADER_BYTES + request->range * sizeof(range), &range,
			   sizeof(range));
	status = check_range(request, &range);
	if (status != STATUS_OK) {
		end(request, status);
		return;
	}
	request->range++;
	block->flags = 0;
	if (block->op == BLOCK_ZERO && range.flags & RANGE_UNMAP)
		block->flags |= BLOCK_UNMAP;
	if (virtio_block__writes_through(request->owner->blk))
		block->flags |= BLOCK_FUA;
	block->offset = range.sector << SECTOR_SHIFT;
	block->length = (uint64_t)range.sectors << SECTOR_SHIFT;
	submit(request);
}

static void start_ranges(struct blk_request *request, enum block_op op, unsigned feature)
{
	uint32_t count = request->data / sizeof(struct range);

	if (!virtio__has_feature(request->owner->queue->virtio, feature)) {
		end(request, STATUS_UNSUPP);
		return;
	}
	if (!count || count > BLK_RANGES_MOST || request->data % sizeof(struct range)) {
		end(request, STATUS_IOERR);
		return;
	}
	request->block.op = op;
	request->ranges = count;
	start_range(request);
}

static void start(struct blk_request *request)
{
	struct virtio_chain *chain = &request->chain;
	struct header header;

	virtio_chain__read(chain, 0, &header, sizeof(header));
	request->range = request->ranges = 0;
	request->block.done = done;
	request->data = chain->readable_bytes - BLK_HEADER_BYTES;
	switch (header.type) {
	case TYPE_IN:
		request->data = chain->writable_bytes - 1;
		start_transfer(request, header.sector, false);
		break;
	case TYPE_OUT:
		start_transfer(request, header.sector, true);
		break;
	case TYPE_FLUSH:
		start_flush(request);
		break;
	case TYPE_GET_ID:
		request->data = chain->writable_bytes - 1;
		get_id(request);
		break;
	case TYPE_DISCARD:
		start_ranges(request, BLOCK_DISCARD, BLK_F_DISCARD);
		break;
	case TYPE_WRITE_ZEROES:
		start_ranges(request, BLOCK_ZERO, BLK_F_WRITE_ZEROES);
		break;
	default:
		end(request, STATUS_UNSUPP);
	}
}

/* Without header and status there is no way to answer. */
static const char *find_status(struct blk_request *request)
{
	const struct virtio_chain *chain = &request->chain;
	const struct iovec *last;

	if (chain->readable_bytes < BLK_HEADER_BYTES)
		return "a request without a header";
	if (!chain->writable)
		return "a request without room for its status";
	last = &chain->segment[chain->readable + chain->writable - 1];
	request->status = (uint8_t *)last->iov_base + last->iov_len - 1;
	return NULL;
}

/* False: none is available, or the device is broken. */
static bool take_one(struct blk_queue *bq)
{
	struct blk_request *request = get_request(bq);
	const char *why;

	if (!request)
		return false;
	if (virtio_queue__pop(bq->queue, &request->chain) <= 0) {
		put_request(request);
		return false;
	}
	why = find_status(request);
	if (why) {
		virtio__break(bq->queue->virtio, bq->queue, why);
		put_request(request);
		return false;
	}
	start(request);
	return true;
}

/* What the host has in its memory is read by now. */
static void hand_over(struct blk_queue *bq)
{
	bq->taken_bytes = 0;
	block_queue__commit_and_collect(bq->io);
	if (bq->ended)
		push_ended(bq);
}

bool blk_queue__take(struct blk_queue *bq)
{
	unsigned left = bq->queue->size;

	virtio_queue__ask_notify(bq->queue, false);
	while (left && take_one(bq)) {
		left--;
		/* The driver works on the first ones while the host copies the next. */
		if (bq->taken_bytes >= HAND_OVER_BYTES)
			hand_over(bq);
	}
	hand_over(bq);
	return virtio_queue__ask_notify(bq->queue, !bq->looking);
}

/* ---- looking, instead of notifications and wake-ups ---- */

static void ask_notify(struct blk_queue *bq)
{
	pthread_mutex_lock(&bq->queue->lock);
	virtio_queue__ask_notify(bq->queue, !bq->looking);
	pthread_mutex_unlock(&bq->queue->lock);
}

static void begin_looking(void *blk_queue)
{
	struct blk_queue *bq = blk_queue;

	bq->looking = true;
	ask_notify(bq);
}

static bool look(void *blk_queue)
{
	struct blk_queue *bq = blk_queue;
	struct virtio_queue *queue = bq->queue;
	bool found = block_queue__collect(bq->io);

	if (found)
		blk_queue__give_back(bq);
	/* Who holds the lock changes what the queue is; there is another look. */
	if (pthread_mutex_trylock(&queue->lock))
		return found;
	if (virtio_queue__is_available(queue) && virtio_queue__is_usable(queue)) {
		found = true;
		blk_queue__take(bq);
	}
	pthread_mutex_unlock(&queue->lock);
	return found;
}

static bool end_looking(void *blk_queue)
{
	struct blk_queue *bq = blk_queue;

	bq->looking = false;
	ask_notify(bq);
	return look(bq);
}

const struct loop_look_ops blk_queue_look_ops = {
	.begin = begin_looking,
	.look = look,
	.end = end_looking,
};
