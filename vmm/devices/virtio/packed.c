/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packed virtqueues (virtio 1.2, 2.8). */
#include <errno.h>
#include <string.h>

#include "vmm/devices/virtio/queue.h"
#include "vmm/devices/virtio/ring.h"
#include "vmm/devices/virtio/virtio.h"

static struct packed_descriptor *ring_of(const struct virtio_queue *queue)
{
	return (struct packed_descriptor *)queue->host[VIRTIO_AREA_DESCRIPTORS];
}

static void area_sizes(unsigned size, bool event_index, size_t bytes[3])
{
	bytes[VIRTIO_AREA_DESCRIPTORS] = size * sizeof(struct packed_descriptor);
	bytes[VIRTIO_AREA_DRIVER] = sizeof(struct packed_event);
	bytes[VIRTIO_AREA_DEVICE] = sizeof(struct packed_event);
}

/* 2.8.1: available if AVAIL is the wrap counter and USED is not. */
static bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & RING_AVAIL) == wrap && !!(flags & RING_USED) != wrap;
}

static bool next_is_available(const struct virtio_queue *queue)
{
	const struct packed_descriptor *d = &ring_of(queue)[queue->next_avail];

	/* The rest of the descriptor was written before its flags. */
	return is_available(__atomic_load_n(&d->flags, __ATOMIC_ACQUIRE), queue->avail_wrap);
}

static int add_indirect(struct virtio_queue *queue, struct virtio_chain *chain,
			const struct packed_descriptor *outer, const char **why)
{
	unsigned count, i;
	const struct packed_descriptor *table =
		virtio_queue__indirect_table(queue, outer->address, outer->length, &count, why);
	struct packed_descriptor d;

	for (i = 0; table && i < count; i++) {
		memcpy(&d, &table[i], sizeof(d));
		/* 2.8.8: only WRITE means something here. */
		*why = "an indirect table inside an indirect table";
		if (d.flags & RING_INDIRECT ||
		    virtio_chain__add(queue, chain, d.address, d.length, d.flags & RING_WRITE, why))
			return -EINVAL;
	}
	return table ? 0 : -EINVAL;
}

static int walk(struct virtio_queue *queue, struct virtio_chain *chain, const char **why)
{
	unsigned at = queue->next_avail, most = queue->size - queue->outstanding;
	struct packed_descriptor d;
	int err;

	for (;;) {
		*why = "a chain is longer than the ring has room";
		if (chain->descriptors == most)
			return -EINVAL;
		memcpy(&d, &ring_of(queue)[at], sizeof(d));
		chain->descriptors++;
		chain->id = d.id; /* that of the last one counts, 2.8.6 */
		if (d.flags & RING_INDIRECT) {
			*why = "an indirect table in a chain"; /* 2.8.19 */
			if (d.flags & RING_NEXT || chain->descriptors > 1)
				return -EINVAL;
			return add_indirect(queue, chain, &d, why);
		}
		err = virtio_chain__add(queue, chain, d.address, d.length, d.flags & RING_WRITE, why);
		if (err || !(d.flags & RING_NEXT))
			return err;
		at = at + 1 == queue->size ? 0 : at + 1;
	}
}

static void advance(const struct virtio_queue *queue, uint16_t *at, uint8_t *wrap, unsigned count)
{
	*at = (uint16_t)(*at + count);
	if (*at >= queue->size) {
		*at = (uint16_t)(*at - queue->size);
		*wrap = !*wrap;
	}
}

static bool has_available(const struct virtio_queue *queue)
{
	return queue->outstanding != queue->size && next_is_available(queue);
}

static int pop(struct virtio_queue *queue, struct virtio_chain *chain)
{
	const char *why;

	if (!has_available(queue))
		return 0;
	if (walk(queue, chain, &why)) {
		virtio__break(queue->virtio, queue, why);
		return -EINVAL;
	}
	advance(queue, &queue->next_avail, &queue->avail_wrap, chain->descriptors);
	queue->outstanding = (uint16_t)(queue->outstanding + chain->descriptors);
	return 1;
}

static void unpop(struct virtio_queue *queue, const struct virtio_chain *chain)
{
	if (chain->descriptors > queue->next_avail) {
		queue->next_avail = (uint16_t)(queue->next_avail + queue->size);
		queue->avail_wrap = !queue->avail_wrap;
	}
	queue->next_avail = (uint16_t)(queue->next_avail - chain->descriptors);
	queue->outstanding = (uint16_t)(queue->outstanding - chain->descriptors);
}

/* The driver looks no further than to the first descriptor that is not used: it gets its flags last. */
static void fill(struct virtio_queue *queue, const struct virtio_chain *chain, uint32_t written)
{
	struct packed_descriptor *d = &ring_of(queue)[queue->next_used];
	uint16_t flags = (queue->used_wrap ? RING_AVAIL | RING_USED : 0) | (written ? RING_WRITE : 0);

	__atomic_store_n(&d->id, chain->id, __ATOMIC_RELAXED);
	__atomic_store_n(&d->length, written, __ATOMIC_RELAXED);
	if (queue->first_flags) {
		__atomic_store_n(&d->flags, flags, __ATOMIC_RELAXED);
	} else {
		queue->first_flags = &d->flags;
		queue->first_value = flags;
	}
	advance(queue, &queue->next_used, &queue->used_wrap, chain->descriptors);
	queue->outstanding = (uint16_t)(queue->outstanding - chain->descriptors);
	queue->unsignalled = (uint16_t)(queue->unsignalled + chain->descriptors);
}

static void publish(struct virtio_queue *queue)
{
	/* The elements, and what was written to the buffers, before the flags. */
	if (queue->first_flags)
		__atomic_store_n(queue->first_flags, queue->first_value, __ATOMIC_RELEASE);
	queue->first_flags = NULL;
}

/* 2.8.14: whether the place in the driver's structure was passed by the last `count` descriptors. */
static bool has_passed(const struct virtio_queue *queue, uint16_t where, uint16_t count)
{
	unsigned event = where & ~PACKED_WRAP, at = queue->next_used, back;

	/* As numbers on a line where this round is [size, 2 * size) and the one before is below. */
	at += queue->size;
	event += !!(where & PACKED_WRAP) == queue->used_wrap ? queue->size : 0;
	if (event >= at)
		return false; /* still to come, or not on this line */
	back = at - event;
	return back <= count;
}

static bool wants_interrupt(struct virtio_queue *queue)
{
	const struct packed_event *event = (void *)queue->host[VIRTIO_AREA_DRIVER];
	uint16_t count = queue->unsignalled, flags;

	if (!count)
		return false;
	/* The driver sets what it wants and looks at the ring again: ring first, here. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	queue->unsignalled = 0;
	flags = __atomic_load_n(&event->flags, __ATOMIC_ACQUIRE) & PACKED_EVENT_MASK;
	if (flags == PACKED_EVENT_AT && queue->event_index)
		return has_passed(queue, __atomic_load_n(&event->where, __ATOMIC_RELAXED), count);
	return flags != PACKED_EVENT_DISABLE;
}

static bool ask_notify(struct virtio_queue *queue, bool on)
{
	struct packed_event *event = (void *)queue->host[VIRTIO_AREA_DEVICE];
	uint16_t flags = PACKED_EVENT_DISABLE;

	if (on && queue->event_index) {
		__atomic_store_n(&event->where,
				 queue->next_avail | (queue->avail_wrap ? PACKED_WRAP : 0),
				 __ATOMIC_RELAXED);
		flags = PACKED_EVENT_AT;
	} else if (on) {
		flags = PACKED_EVENT_ENABLE;
	}
	__atomic_store_n(&event->flags, flags, __ATOMIC_RELEASE);
	if (!on)
		return false;
	/* The driver writes its descriptor and then looks whether to notify. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return has_available(queue);
}

const struct virtio_layout virtio_layout_packed = {
	.pop = pop,
	.unpop = unpop,
	.fill = fill,
	.publish = publish,
	.wants_interrupt = wants_interrupt,
	.ask_notify = ask_notify,
	.is_available = has_available,
	.area_sizes = area_sizes,
};
