/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both layouts of virtqueues share: areas, segments of chains, copies, signals. */
#include "vmm/devices/virtio/queue.h"

#include <errno.h>
#include <string.h>

#include "vmm/devices/virtio/ring.h"
#include "vmm/devices/virtio/virtio.h"
#include "vmm/memory/guest_memory.h"

static const struct guest_memory *memory_of(const struct virtio_queue *queue)
{
	return queue->virtio->dev->services->memory;
}

int virtio_queue__start(struct virtio_queue *queue, bool packed, bool event_index,
			const char **why)
{
	/* 2.7 and 2.8.10.1: what the areas have to be aligned to. */
	static const uint8_t align[2][VIRTIO_AREAS] = { { 16, 2, 4 }, { 16, 4, 4 } };
	size_t bytes[VIRTIO_AREAS];
	unsigned i;

	queue->layout = packed ? &virtio_layout_packed : &virtio_layout_split;
	queue->event_index = event_index;
	if (!packed && queue->size & (queue->size - 1)) {
		*why = "its size is no power of two";
		return -EINVAL;
	}
	queue->layout->area_sizes(queue->size, event_index, bytes);
	for (i = 0; i < VIRTIO_AREAS; i++) {
		*why = "an area is not aligned";
		if (queue->area[i] % align[packed][i])
			return -EINVAL;
		*why = "an area is outside of memory";
		queue->host[i] = guest_memory__pointer(memory_of(queue), queue->area[i], bytes[i]);
		if (!queue->host[i])
			return -EINVAL;
	}
	queue->next_avail = 0;
	queue->next_used = 0;
	queue->avail_wrap = true;
	queue->used_wrap = true;
	queue->signalled = 0;
	queue->unsignalled = 0;
	queue->outstanding = 0;
	queue->first_flags = NULL;
	queue->running = true;
	return 0;
}

void virtio_queue__stop(struct virtio_queue *queue)
{
	queue->running = false;
	memset(queue->host, 0, sizeof(queue->host));
}

int virtio_queue__pop(struct virtio_queue *queue, struct virtio_chain *chain)
{
	if (!queue->running || virtio__is_broken(queue->virtio))
		return 0;
	chain->descriptors = 0;
	chain->readable = 0;
	chain->writable = 0;
	chain->readable_bytes = 0;
	chain->writable_bytes = 0;
	return queue->layout->pop(queue, chain);
}

void virtio_queue__unpop(struct virtio_queue *queue, const struct virtio_chain *chain)
{
	if (queue->running)
		queue->layout->unpop(queue, chain);
}

/* What the device has written to a chain's buffers, from their beginning. */
static void tell_written(const struct virtio_queue *queue, const struct virtio_chain *chain,
			 uint32_t written)
{
	const struct iovec *segment = chain->segment + chain->readable;
	unsigned i;

	for (i = 0; i < chain->writable && written; i++) {
		uint32_t size = MIN_OF(segment[i].iov_len, written);

		guest_memory__written(memory_of(queue), segment[i].iov_base, size);
		written -= size;
	}
}

void virtio_queue__fill(struct virtio_queue *queue, const struct virtio_chain *chain,
			uint32_t written)
{
	tell_written(queue, chain, written);
	if (queue->running)
		queue->layout->fill(queue, chain, written);
}

void virtio_queue__publish(struct virtio_queue *queue)
{
	if (queue->running)
		queue->layout->publish(queue);
}

void virtio_queue__push(struct virtio_queue *queue, const struct virtio_chain *chain,
			uint32_t written)
{
	virtio_queue__fill(queue, chain, written);
	virtio_queue__publish(queue);
}

void virtio_queue__signal(struct virtio_queue *queue)
{
	if (queue->running && queue->layout->wants_interrupt(queue))
		queue->virtio->transport->raise_queue(queue->virtio, queue);
}

bool virtio_queue__ask_notify(struct virtio_queue *queue, bool on)
{
	/* What a broken device's ring says does not count. */
	return queue->running && queue->layout->ask_notify(queue, on) &&
	       !virtio__is_broken(queue->virtio);
}

bool virtio_queue__is_available(const struct virtio_queue *queue)
{
	return queue->running && queue->layout->is_available(queue);
}

int virtio_chain__add(struct virtio_queue *queue, struct virtio_chain *chain, uint64_t address,
		      uint32_t length, bool write, const char **why)
{
	uint32_t *total = write ? &chain->writable_bytes : &chain->readable_bytes;
	void *host;

	*why = "a descriptor has no length";
	if (!length)
		return -EINVAL;
	*why = "a descriptor to read comes after one to write";
	if (!write && chain->writable)
		return -EINVAL;
	*why = "a chain is too long";
	if (chain->readable + chain->writable == chain->capacity)
		return -EINVAL;
	*why = "a chain has too many bytes";
	if (length > UINT32_MAX - chain->readable_bytes - chain->writable_bytes)
		return -EINVAL;
	*why = "a descriptor is outside of memory";
	host = guest_memory__pointer(memory_of(queue), address, length);
	if (!host)
		return -EINVAL;
	chain->segment[chain->readable + chain->writable] =
		(struct iovec){ .iov_base = host, .iov_len = length };
	*total += length;
	if (write)
		chain->writable++;
	else
		chain->readable++;
	return 0;
}

const void *virtio_queue__indirect_table(struct virtio_queue *queue, uint64_t address,
					 uint32_t length, unsigned *count, const char **why)
{
	const void *table;

	*why = "an indirect table was not agreed on";
	if (!virtio__has_feature(queue->virtio, VIRTIO_F_INDIRECT_DESC))
		return NULL;
	*why = "an indirect table has an impossible length";
	if (!length || length % sizeof(struct split_descriptor) ||
	    length / sizeof(struct split_descriptor) > VIRTIO_QUEUE_SIZE_MOST)
		return NULL;
	*why = "an indirect table is outside of memory";
	table = guest_memory__pointer(memory_of(queue), address, length);
	*count = length / sizeof(struct split_descriptor);
	return table;
}

/* ---- copies ---- */

static size_t copy(const struct iovec *segment, unsigned count, size_t offset, void *to,
		   const void *from, size_t size)
{
	size_t done = 0;

	for (; count && done < size; segment++, count--) {
		size_t step;

		if (offset >= segment->iov_len) {
			offset -= segment->iov_len;
			continue;
		}
		step = MIN_OF(segment->iov_len - offset, size - done);
		if (to)
			memcpy((char *)to + done, (char *)segment->iov_base + offset, step);
		else
			memcpy((char *)segment->iov_base + offset, (const char *)from + done, step);
		done += step;
		offset = 0;
	}
	return done;
}

size_t virtio_chain__read(const struct virtio_chain *chain, size_t offset, void *buf, size_t size)
{
	return copy(chain->segment, chain->readable, offset, buf, NULL, size);
}

size_t virtio_chain__write(const struct virtio_chain *chain, size_t offset, const void *buf,
			   size_t size)
{
	return copy(chain->segment + chain->readable, chain->writable, offset, NULL, buf, size);
}

unsigned virtio_chain__slice(const struct virtio_chain *chain, bool writable, size_t offset,
			     size_t size, struct iovec *out)
{
	const struct iovec *segment = chain->segment + (writable ? chain->readable : 0);
	unsigned left = writable ? chain->writable : chain->readable, count = 0;

	for (; left && size; segment++, left--) {
		size_t skipped = MIN_OF(offset, segment->iov_len);
		size_t step = MIN_OF(segment->iov_len - skipped, size);

		offset -= skipped;
		size -= step;
		if (step)
			out[count++] = (struct iovec){ (char *)segment->iov_base + skipped, step };
	}
	return count;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct virtio_queue, size, 1),
	STATE_FIELD(struct virtio_queue, enabled, 1),
	STATE_ARRAY(struct virtio_queue, area, 1),
	STATE_FIELD(struct virtio_queue, vector, 1),
	STATE_FIELD(struct virtio_queue, next_avail, 1),
	STATE_FIELD(struct virtio_queue, next_used, 1),
	STATE_FIELD(struct virtio_queue, avail_wrap, 1),
	STATE_FIELD(struct virtio_queue, used_wrap, 1),
	STATE_FIELD(struct virtio_queue, signalled, 1),
	STATE_FIELD(struct virtio_queue, unsignalled, 1),
	STATE_FIELD(struct virtio_queue, outstanding, 1),
	{ NULL },
};

const struct state_table virtio_queue_state = { 1, state_fields, NULL };
