/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a virtio device: negotiation, start, reset (virtio 1.2, 2.1, 2.2, 3.1). */
#include "vmm/devices/virtio/virtio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMPLAINTS_MOST 8u

/* ---- features ---- */

uint32_t virtio__read_features(const struct virtio *virtio)
{
	return virtio->device_select < 2 ? (uint32_t)(virtio->offered >> 32 * virtio->device_select)
					 : 0;
}

void virtio__write_features(struct virtio *virtio, uint32_t value)
{
	unsigned shift = 32 * virtio->driver_select;

	/* 2.2.1: fixed once FEATURES_OK is set. */
	if (virtio->driver_select >= 2 || atomic_load(&virtio->status) & VIRTIO_STATUS_FEATURES_OK)
		return;
	virtio->accepted = (virtio->accepted & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

static bool features_are_fine(const struct virtio *virtio)
{
	return !(virtio->accepted & ~virtio->offered) &&
	       virtio__has_feature(virtio, VIRTIO_F_VERSION_1);
}

/* ---- start and stop ---- */

static void start_queues(struct virtio *virtio)
{
	bool packed = virtio__has_feature(virtio, VIRTIO_F_RING_PACKED);
	bool event_index = virtio__has_feature(virtio, VIRTIO_F_EVENT_IDX);
	unsigned i;

	for (i = 0; i < virtio->nr_queues; i++) {
		struct virtio_queue *queue = &virtio->queue[i];
		const char *why;
		int err = 0;

		pthread_mutex_lock(&queue->lock);
		if (queue->enabled)
			err = virtio_queue__start(queue, packed, event_index, &why);
		pthread_mutex_unlock(&queue->lock);
		if (err)
			virtio__break(virtio, queue, why);
	}
}

static void stop_queues(struct virtio *virtio)
{
	unsigned i;

	for (i = 0; i < virtio->nr_queues; i++) {
		pthread_mutex_lock(&virtio->queue[i].lock);
		virtio_queue__stop(&virtio->queue[i]);
		pthread_mutex_unlock(&virtio->queue[i].lock);
	}
}

static void start(struct virtio *virtio)
{
	start_queues(virtio);
	if (virtio->class->start)
		virtio->class->start(virtio);
	virtio__hang_doorbells(virtio);
}

static void reset_queue(struct virtio *virtio, struct virtio_queue *queue)
{
	queue->size = queue->size_most;
	queue->enabled = 0;
	memset(queue->area, 0, sizeof(queue->area));
	__atomic_store_n(&queue->vector, VIRTIO_NO_VECTOR, __ATOMIC_RELAXED);
}

static void reset(struct virtio *virtio)
{
	bool ran = virtio__is_running(virtio);
	unsigned i;

	/* First nothing begins, then the class ends what has begun. */
	stop_queues(virtio);
	if (ran && virtio->class->stop)
		virtio->class->stop(virtio);
	atomic_store(&virtio->status, 0);
	virtio__hang_doorbells(virtio);
	virtio->accepted = 0;
	virtio->device_select = 0;
	virtio->driver_select = 0;
	virtio->queue_select = 0;
	for (i = 0; i < virtio->nr_queues; i++)
		reset_queue(virtio, &virtio->queue[i]);
	virtio->transport->reset(virtio);
}

void virtio__write_status(struct virtio *virtio, uint8_t value)
{
	uint8_t before = atomic_load(&virtio->status), now;

	if (!value) {
		reset(virtio);
		return;
	}
	/* 2.1.1: the driver sets bits and does not clear them; NEEDS_RESET is not its own. */
	now = before | (value & ~VIRTIO_STATUS_NEEDS_RESET);
	if (now & ~before & VIRTIO_STATUS_FEATURES_OK && !features_are_fine(virtio))
		now &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
	if (!(now & VIRTIO_STATUS_FEATURES_OK))
		now &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
	atomic_fetch_or(&virtio->status, now);
	if (now & ~before & VIRTIO_STATUS_DRIVER_OK)
		start(virtio);
}

/* A driver that breaks its device again and again does not fill the log. */
static void complain(struct virtio *virtio, const struct virtio_queue *queue, const char *why)
{
	unsigned before = atomic_load(&virtio->complaints);
	char where[24] = "";

	if (before >= COMPLAINTS_MOST)
		return;
	atomic_store(&virtio->complaints, before + 1);
	if (queue)
		snprintf(where, sizeof(where), "queue %u: ", queue->index);
	fprintf(stderr, "trivet: %s %u: %s%s; stopped until its driver resets it%s\n",
		virtio->class->name, virtio->dev->index, where, why,
		before + 1 == COMPLAINTS_MOST ? "; no more of this is said" : "");
}

void virtio__break(struct virtio *virtio, const struct virtio_queue *queue, const char *why)
{
	if (atomic_fetch_or(&virtio->status, VIRTIO_STATUS_NEEDS_RESET) & VIRTIO_STATUS_NEEDS_RESET)
		return;
	complain(virtio, queue, why);
	if (virtio__is_running(virtio))
		virtio->transport->raise_config(virtio);
}

void virtio__config_changed(struct virtio *virtio)
{
	atomic_fetch_add(&virtio->generation, 1);
	if (virtio__is_running(virtio))
		virtio->transport->raise_config(virtio);
}

void virtio__access_config(struct virtio *virtio, struct access *access)
{
	const struct virtio_class *class = virtio->class;
	unsigned offset = (unsigned)access->offset;

	if (!access->write)
		access->value = 0;
	if (access->offset >= class->config_size || access->size > class->config_size - offset)
		return;
	if (!access->write)
		class->read_config(virtio, offset, &access->value, access->size);
	else if (class->write_config)
		class->write_config(virtio, offset, &access->value, access->size);
}

/* ---- queues ---- */

struct virtio_queue *virtio__selected(struct virtio *virtio)
{
	return virtio->queue_select < virtio->nr_queues ? &virtio->queue[virtio->queue_select] : NULL;
}

void virtio__enable_queue(struct virtio *virtio, struct virtio_queue *queue)
{
	const char *why = NULL;
	int err = 0;

	/* 4.1.4.3.2: a driver enables a queue before DRIVER_OK; later ones are a courtesy. */
	queue->enabled = 1;
	if (!virtio__is_running(virtio))
		return;
	pthread_mutex_lock(&queue->lock);
	if (!queue->running)
		err = virtio_queue__start(queue, virtio__has_feature(virtio, VIRTIO_F_RING_PACKED),
					  virtio__has_feature(virtio, VIRTIO_F_EVENT_IDX), &why);
	pthread_mutex_unlock(&queue->lock);
	if (err)
		virtio__break(virtio, queue, why);
	virtio__hang_doorbells(virtio);
}

void virtio__disable_queue(struct virtio *virtio, struct virtio_queue *queue)
{
	queue->enabled = 0;
	if (virtio__is_running(virtio))
		virtio__break(virtio, queue, "it was taken out of use");
	virtio__hang_doorbells(virtio);
}

/* Comes back to the queue from the event loop. */
static void kick_later(struct virtio_queue *queue)
{
	uint64_t one = 1;

	if (write(queue->kick_fd, &one, sizeof(one)) != sizeof(one))
		return; /* it is full, so it has been written */
}

bool virtio_queue__is_usable(const struct virtio_queue *queue)
{
	struct virtio *virtio = queue->virtio;

	return queue->running && !virtio__is_broken(virtio) && virtio->transport->may_access(virtio);
}

void virtio__kick_queue(struct virtio *virtio, unsigned index)
{
	struct virtio_queue *queue = &virtio->queue[index];

	pthread_mutex_lock(&queue->lock);
	if (virtio_queue__is_usable(queue) && virtio->class->kick(virtio, queue))
		kick_later(queue);
	pthread_mutex_unlock(&queue->lock);
}

void virtio__notify(struct virtio *virtio, unsigned index)
{
	if (index >= virtio->nr_queues)
		return;
	if (virtio->class->on_loop)
		kick_later(&virtio->queue[index]);
	else
		virtio__kick_queue(virtio, index);
}

void virtio__kick_all(struct virtio *virtio)
{
	unsigned i;

	for (i = 0; i < virtio->nr_queues; i++)
		virtio__notify(virtio, i);
}
