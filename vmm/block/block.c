/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk as a whole: opening, closing, size, limits, counters. */
#include "vmm/block/block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/block/disk.h"
#include "vmm/block/worker.h"

#define MAX_TRANSFER (64u << 20)
#define MAX_RANGE (1u << 30) /* of one discard or write-zeroes, so that none holds up the worker for long */

static int open_images(const struct block_options *options, struct block *block, char *error,
		       size_t error_size)
{
	struct node_how how = {
		.path = options->file,
		.format = options->format,
		.write = !options->read_only,
		.discard = options->discard,
		.direct = options->cache == BLOCK_CACHE_NONE || options->cache == BLOCK_CACHE_DIRECTSYNC,
		.no_sync = options->cache == BLOCK_CACHE_UNSAFE,
		.lock = options->locking,
		.cache = options->metadata_cache,
		.files = options->files,
	};

	return node__open(&how, &block->node, error, error_size);
}

int block__open(const struct block_options *options, struct block **out, char *error,
		size_t error_size)
{
	struct block *block = calloc(1, sizeof(*block));
	int err = -ENOMEM;

	if (!block || !(block->file = strdup(options->file))) {
		snprintf(error, error_size, "%s: out of memory", options->file);
		goto free_block;
	}
	block->cache = options->cache;
	block->aio = options->aio;
	block->detect_zeroes = options->detect_zeroes;
	block->read_error = options->read_error;
	block->write_error = options->write_error;
	block->discard = options->discard;
	err = open_images(options, block, error, error_size);
	if (err)
		goto free_block;
	block->guard_head = block->node->probed && !block->node->class->probe;
	err = worker__create(&block->worker);
	if (err) {
		snprintf(error, error_size, "%s: no thread: %s", options->file, strerror(-err));
		goto close_images;
	}
	pthread_mutex_init(&block->lock, NULL);
	throttle__init(&block->throttle);
	throttle__set(&block->throttle, options->limit, options->limit_unit);
	*out = block;
	return 0;
close_images:
	node__close(block->node);
free_block:
	if (block)
		free(block->file);
	free(block);
	return err;
}

int block__close(struct block *block)
{
	int err;

	if (!block)
		return 0;
	worker__destroy(block->worker);
	err = node__close(block->node);
	throttle__destroy(&block->throttle);
	pthread_mutex_destroy(&block->lock);
	free(block->file);
	free(block);
	return err;
}

uint64_t block__size(const struct block *block)
{
	return atomic_load(&block->node->size);
}

bool block__read_only(const struct block *block)
{
	return !block->node->write;
}

const char *block__file(const struct block *block)
{
	return block->file;
}

const char *block__format(const struct block *block)
{
	return block->node->class->name;
}

void block__limits(const struct block *block, struct block_limits *limits)
{
	const struct block_file *data = block->node->data;

	*limits = (struct block_limits){
		.request_align = 512,
		.physical = data->physical,
		.optimal = data->optimal,
		.max_transfer = MAX_TRANSFER,
		.max_iov = AIO_MAX_IOV,
		.max_discard = MAX_RANGE,
		.max_zeroes = MAX_RANGE,
		.discard_align = block->node->discard_align,
		.discard = block->discard && block->node->write,
		.write_cache = block->cache == BLOCK_CACHE_WRITEBACK ||
			       block->cache == BLOCK_CACHE_NONE || block->cache == BLOCK_CACHE_UNSAFE,
	};
}

struct resize {
	struct block *block;
	uint64_t size;
	bool shrink;
	char *error;
	size_t error_size;
	int result;
};

static void run_resize(void *opaque)
{
	struct resize *resize = opaque;
	struct node *node = resize->block->node;

	if (!node->write) {
		snprintf(resize->error, resize->error_size, "%s: is read-only", node->file->path);
		resize->result = -EROFS;
	} else if (resize->size & 511) {
		snprintf(resize->error, resize->error_size, "%s: size %llu: must be a multiple of 512",
			 node->file->path, (unsigned long long)resize->size);
		resize->result = -EINVAL;
	} else if (resize->size < atomic_load(&node->size) && !resize->shrink) {
		snprintf(resize->error, resize->error_size,
			 "%s: %llu bytes are less than it has; data would be lost", node->file->path,
			 (unsigned long long)resize->size);
		resize->result = -EINVAL;
	} else {
		resize->result = node->class->resize(node, resize->size, resize->error,
						     resize->error_size);
	}
}

static void tell_resized(struct block *block)
{
	struct block_queue *queue;

	pthread_mutex_lock(&block->lock);
	for (queue = block->queues; queue; queue = queue->next)
		if (!atomic_flag_test_and_set(&queue->resized_posted))
			aio__complete(queue->aio, &queue->resized, 0);
	pthread_mutex_unlock(&block->lock);
}

int block__resize(struct block *block, uint64_t size, bool shrink, char *error, size_t error_size)
{
	struct resize resize = { block, size, shrink, error, error_size, 0 };

	worker__call(block->worker, run_resize, &resize);
	if (!resize.result)
		tell_resized(block);
	return resize.result;
}

struct size_look {
	struct node *node;
	bool is_other;
	int result;
};

static void run_look_at_size(void *opaque)
{
	struct size_look *look = opaque;
	uint64_t before = atomic_load(&look->node->size);

	look->result = look->node->class->look_at_size(look->node);
	look->is_other = atomic_load(&look->node->size) != before;
}

int block__look_at_size(struct block *block)
{
	struct size_look look = { .node = block->node };

	if (!block->node->class->look_at_size)
		return 0;
	worker__call(block->worker, run_look_at_size, &look);
	if (look.is_other)
		tell_resized(block);
	return look.result;
}

struct flush {
	struct node *node;
	int result;
};

static void run_flush(void *opaque)
{
	struct flush *flush = opaque;

	flush->result = node__flush(flush->node);
}

int block__flush(struct block *block)
{
	struct flush flush = { .node = block->node };

	worker__call(block->worker, run_flush, &flush);
	return flush.result;
}

void block__set_limits(struct block *block, const struct throttle_limit limit[THROTTLE_COUNT],
		       uint64_t unit)
{
	throttle__set(&block->throttle, limit, unit);
}

void block__statistics(const struct block *block, struct block_statistics *statistics)
{
	*statistics = (struct block_statistics){
		.read_ops = atomic_load(&block->count[BLOCK_READ]),
		.write_ops = atomic_load(&block->count[BLOCK_WRITE]),
		.flush_ops = atomic_load(&block->count[BLOCK_FLUSH]),
		.discard_ops = atomic_load(&block->count[BLOCK_DISCARD]),
		.zero_ops = atomic_load(&block->count[BLOCK_ZERO]),
		.read_bytes = atomic_load(&block->read_bytes),
		.write_bytes = atomic_load(&block->write_bytes),
		.failed = atomic_load(&block->failed),
		.waiting = atomic_load(&block->waiting),
	};
}
