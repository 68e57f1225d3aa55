/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Split virtqueues (virtio 1.2, 2.7). */
#include <errno.h>
#include <string.h>

#include "vmm/devices/virtio/queue.h"
#include "vmm/devices/virtio/ring.h"
#include "vmm/devices/virtio/virtio.h"

static struct split_avail *avail_of(const struct virtio_queue *queue)
{
	return (struct split_avail *)queue->host[VIRTIO_AREA_DRIVER];
}

static struct split_used *used_of(const struct virtio_queue *queue)
{
	return (struct split_used *)queue->host[VIRTIO_AREA_DEVICE];
}

static void area_sizes(unsigned size, bool event_index, size_t bytes[3])
{
	size_t event = event_index ? sizeof(uint16_t) : 0;

	bytes[VIRTIO_AREA_DESCRIPTORS] = size * sizeof(struct split_descriptor);
	bytes[VIRTIO_AREA_DRIVER] = sizeof(struct split_avail) + size * sizeof(uint16_t) + event;
	bytes[VIRTIO_AREA_DEVICE] =
		sizeof(struct split_used) + size * sizeof(struct split_used_element) + event;
}

/* Walks `count` descriptors at most, from number `at` of a table; each is copied once. */
static int walk(struct virtio_queue *queue, struct virtio_chain *chain, const void *descriptors,
		unsigned count, unsigned at, bool indirect, const char **why)
{
	const struct split_descriptor *table = descriptors, *inner;
	struct split_descriptor d;
	unsigned steps, inner_count;
	int err;

	for (steps = 0; steps < count; steps++) {
		memcpy(&d, &table[at], sizeof(d));
		if (d.flags & RING_INDIRECT) {
			*why = "an indirect table inside an indirect table";
			if (indirect)
				return -EINVAL;
			*why = "an indirect table that goes on"; /* 2.7.5.3.1 */
			if (d.flags & RING_NEXT)
				return -EINVAL;
			inner = virtio_queue__indirect_table(queue, d.address, d.length,
							     &inner_count, why);
			return inner ? walk(queue, chain, inner, inner_count, 0, true, why) : -EINVAL;
		}
		err = virtio_chain__add(queue, chain, d.address, d.length, d.flags & RING_WRITE, why);
		if (err || !(d.flags & RING_NEXT))
			return err;
		*why = "a chain leaves its table";
		if (d.next >= count)
			return -EINVAL;
		at = d.next;
	}
	*why = "a chain has a loop";
	return -EINVAL;
}

static bool is_available(const struct virtio_queue *queue)
{
	return __atomic_load_n(&avail_of(queue)->index, __ATOMIC_RELAXED) != queue->next_avail;
}

static int pop(struct virtio_queue *queue, struct virtio_chain *chain)
{
	struct split_avail *avail = avail_of(queue);
	/* What the driver wrote before the index has to be seen after it. */
	uint16_t index = __atomic_load_n(&avail->index, __ATOMIC_ACQUIRE), head;
	const char *why = "more buffers are available than the queue holds";
	int err = -EINVAL;

	if (index == queue->next_avail)
		return 0;
	if ((uint16_t)(index - queue->next_avail) > queue->size - queue->outstanding)
		goto broken;
	head = __atomic_load_n(&avail->ring[queue->next_avail & (queue->size - 1)],
			       __ATOMIC_RELAXED);
	why = "a chain starts outside of the table";
	if (head >= queue->size)
		goto broken;
	err = walk(queue, chain, queue->host[VIRTIO_AREA_DESCRIPTORS], queue->size, head, false, &why);
	if (err)
		goto broken;
	chain->id = head;
	queue->next_avail++;
	queue->outstanding++;
	return 1;
broken:
	virtio__break(queue->virtio, queue, why);
	return err;
}

static void unpop(struct virtio_queue *queue, const struct virtio_chain *chain)
{
	queue->next_avail--;
	queue->outstanding--;
}

static void fill(struct virtio_queue *queue, const struct virtio_chain *chain, uint32_t written)
{
	struct split_used *used = used_of(queue);
	struct split_used_element *element = &used->ring[queue->next_used & (queue->size - 1)];

	__atomic_store_n(&element->id, chain->id, __ATOMIC_RELAXED);
	__atomic_store_n(&element->length, written, __ATOMIC_RELAXED);
	queue->next_used++;
	queue->outstanding--;
}

static void publish(struct virtio_queue *queue)
{
	/* The elements, and what was written to the buffers, before the index. */
	__atomic_store_n(&used_of(queue)->index, queue->next_used, __ATOMIC_RELEASE);
}

static bool wants_interrupt(struct virtio_queue *queue)
{
	struct split_avail *avail = avail_of(queue);
	uint16_t before = queue->signalled, event;

	if (before == queue->next_used)
		return false;
	/* The driver sets what it wants and looks at the index again: index first, here. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	queue->signalled = queue->next_used;
	if (!queue->event_index)
		return !(__atomic_load_n(&avail->flags, __ATOMIC_RELAXED) & SPLIT_NO_INTERRUPT);
	/* 2.7.10: if the index has passed used_event since. */
	event = __atomic_load_n(&avail->ring[queue->size], __ATOMIC_RELAXED);
	return (uint16_t)(queue->next_used - event - 1) < (uint16_t)(queue->next_used - before);
}

static bool ask_notify(struct virtio_queue *queue, bool on)
{
	struct split_used *used = used_of(queue);

	if (queue->event_index) {
		/* 2.7.10: what has been passed is not passed again soon. */
		uint16_t *avail_event = (uint16_t *)&used->ring[queue->size];

		__atomic_store_n(avail_event, (uint16_t)(queue->next_avail - !on), __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&used->flags, on ? 0 : SPLIT_NO_NOTIFY, __ATOMIC_RELAXED);
	}
	if (!on)
		return false;
	/* The driver writes its index and then looks whether to notify: the other way round here. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return is_available(queue);
}

const struct virtio_layout virtio_layout_split = {
	.pop = pop,
	.unpop = unpop,
	.fill = fill,
	.publish = publish,
	.wants_interrupt = wants_interrupt,
	.ask_notify = ask_notify,
	.is_available = is_available,
	.area_sizes = area_sizes,
};
