/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request on its way: parts whose place in a file is known go there directly, from the event loop;
 * everything else is a slow call that the disk's worker makes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/block/disk.h"
#include "vmm/block/io/iov.h"

static void start_flush(struct block_request *request);

/* All parts are done. */
static void end_parts(struct block_request *request)
{
	struct block *block = request->queue->block;
	bool through = block->cache == BLOCK_CACHE_WRITETHROUGH || block->cache == BLOCK_CACHE_DIRECTSYNC;
	bool writes = request->op == BLOCK_WRITE || request->op == BLOCK_ZERO;

	if (writes && !request->result && !request->flushing &&
	    ((request->flags & BLOCK_FUA) || through))
		start_flush(request);
	else
		queue__finished(request, request->result);
}

static void part_done(struct aio_op *op, int result)
{
	struct block_part *part = (struct block_part *)op;
	struct block_request *request = part->request;

	if (part->entered)
		node__leave(request->queue->block->node, part->parity);
	if (result && !request->result)
		request->result = result;
	free(part->slice);
	if (part != &request->part)
		free(part);
	if (!--request->pending)
		end_parts(request);
}

/* A part of the request; the first one costs no memory. NULL: out of memory. */
static struct block_part *add_part(struct block_request *request, bool first, uint64_t offset,
				   uint64_t length)
{
	struct block_part *part = first ? &request->part : calloc(1, sizeof(*part));
	uint64_t skip = offset - request->offset;
	int count;

	if (!part)
		return NULL;
	part->request = request;
	part->kind = request->op;
	part->offset = offset;
	part->slice = NULL;
	part->entered = false;
	part->op.length = length;
	part->op.offset = offset;
	part->op.done = part_done;
	part->op.aio = request->queue->aio;
	part->op.iov = request->iov;
	part->op.iov_count = request->iov_count;
	if ((request->op == BLOCK_READ || request->op == BLOCK_WRITE) &&
	    (skip || length != request->length)) {
		count = iov__slice_count(request->iov, request->iov_count, skip, length);
		if (count > 1)
			part->slice = calloc(count, sizeof(*part->slice));
		if (count > 1 && !part->slice) {
			if (!first)
				free(part);
			return NULL;
		}
		part->op.iov = count > 1 ? part->slice : &part->one;
		part->op.iov_count = iov__slice(request->iov, request->iov_count, skip, length,
						count > 1 ? part->slice : &part->one);
	}
	request->pending++;
	return part;
}

/* On the worker's thread. */
static void run_slow(struct worker_job *job)
{
	struct block_part *part = (struct block_part *)((char *)job - offsetof(struct block_part, job));
	struct node *node = part->request->queue->block->node;
	bool unmap = part->request->flags & BLOCK_UNMAP;
	int err = -EINVAL;

	switch (part->kind) {
	case BLOCK_READ:
		err = node__readv(node, part->offset, part->op.iov, part->op.iov_count);
		break;
	case BLOCK_WRITE:
		err = node__writev(node, part->offset, part->op.iov, part->op.iov_count);
		break;
	case BLOCK_ZERO:
		err = node__zero(node, part->offset, part->op.length, unmap);
		break;
	case BLOCK_DISCARD:
		err = node__discard(node, part->offset, part->op.length);
		break;
	case BLOCK_FLUSH:
		err = node__flush(node);
		break;
	}
	aio__complete(part->op.aio, &part->op, err);
}

static void submit_slow(struct block_part *part)
{
	part->job.run = run_slow;
	worker__queue(part->request->queue->block->worker, &part->job);
}

/* After all other parts are done. */
static void start_flush(struct block_request *request)
{
	struct node *node = request->queue->block->node;
	struct block_part *part;

	request->flushing = true;
	part = add_part(request, true, 0, 0);
	part->kind = BLOCK_FLUSH;
	if (!node->write || !node->class->needs_flush(node)) {
		part->op.kind = AIO_SYNC;
		part->op.file = node->data;
		aio__submit(request->queue->aio, &part->op);
		aio__commit(request->queue->aio);
	} else {
		submit_slow(part);
	}
}

/* Where the next bytes of a read or write are, down the chain. Never blocks. */
static void map_chain(struct node *node, uint64_t offset, uint64_t length, bool write,
		      struct extent *extent)
{
	for (;;) {
		uint64_t size = atomic_load(&node->size);

		if (offset >= size) {
			*extent = (struct extent){ EXTENT_ZERO, length, NULL, 0, false };
			return;
		}
		if (length > size - offset)
			length = size - offset;
		node->class->map(node, offset, length, write, extent);
		if (extent->kind != EXTENT_BACKING)
			return;
		if (!node->backing) {
			extent->kind = EXTENT_ZERO;
			return;
		}
		length = extent->length;
		node = node->backing;
	}
}

/*
 * Submits parts for which a file and an offset are known. Returns how many bytes of the request
 * that was, from its start; the rest is slow.
 */
static uint64_t submit_mapped(struct block_request *request)
{
	struct node *node = request->queue->block->node;
	bool write = request->op == BLOCK_WRITE, first = true;
	struct block_part *part;
	struct extent extent;
	uint64_t at = 0;
	unsigned parity;

	if (!node__enter(node, &parity))
		return 0;
	for (; at < request->length; at += extent.length) {
		map_chain(node, request->offset + at, request->length - at, write, &extent);
		if (extent.kind == EXTENT_ZERO && !write) {
			iov__zero(request->iov, request->iov_count, at, extent.length);
			continue;
		}
		if (extent.kind != EXTENT_DATA)
			break;
		part = add_part(request, first, request->offset + at, extent.length);
		if (!part)
			break;
		if (part->op.iov_count > AIO_MAX_IOV ||
		    !file__aligned(extent.file, extent.offset, part->op.iov, part->op.iov_count)) {
			/* As if it had not been: the worker's calls know a way. */
			request->pending--;
			free(part->slice);
			if (!first)
				free(part);
			break;
		}
		first = false;
		part->op.kind = write ? AIO_WRITE : AIO_READ;
		part->op.file = extent.file;
		part->op.offset = extent.offset;
		part->entered = true;
		part->parity = parity;
		node__hold(node, parity);
		aio__submit(request->queue->aio, &part->op);
	}
	node__leave(node, parity);
	return at;
}

void request__start(struct block_request *request)
{
	struct block_queue *queue = request->queue;
	struct block_part *part;
	uint64_t done = 0;
	bool first;

	request->result = 0;
	request->pending = 0;
	request->flushing = false;
	if (request->op == BLOCK_FLUSH) {
		start_flush(request);
		return;
	}
	if (request->op == BLOCK_READ || request->op == BLOCK_WRITE)
		done = submit_mapped(request);
	first = !request->pending;
	if (done < request->length) {
		part = add_part(request, first, request->offset + done, request->length - done);
		if (part)
			submit_slow(part);
		else
			request->result = -ENOMEM;
	}
	if (!request->pending) {
		/* Nothing is left to do, or nothing can be done; but never from within submit. */
		part = &request->part;
		part->request = request;
		part->slice = NULL;
		part->entered = false;
		part->op.done = part_done;
		request->pending = 1;
		aio__complete(queue->aio, &part->op, request->result);
	}
}
