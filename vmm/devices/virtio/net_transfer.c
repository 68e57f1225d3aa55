/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames to and from a network device's driver (virtio 1.2, 5.1.6). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/devices/virtio/net.h"
#include "vmm/loop/loop.h"

enum outcome { TAKEN, LOST, NO_ROOM };

/* ---- memory ---- */

int net_transfer__init(struct virtio_net *net, unsigned pairs)
{
	size_t size = net->virtio.options.queue_size;
	unsigned i;

	net->pair = calloc(pairs, sizeof(*net->pair));
	for (i = 0; net->pair && i < pairs; i++) {
		struct net_pair *pair = &net->pair[i];

		pair->net = net;
		pair->index = i;
		pair->chain = calloc(size, sizeof(*pair->chain));
		/* While a chain of the greatest length fits, another one may be taken. */
		pair->segment = calloc(2 * size, sizeof(*pair->segment));
		pair->send_segment = calloc(size, sizeof(*pair->send_segment));
		if (!pair->chain || !pair->segment || !pair->send_segment)
			return -ENOMEM;
	}
	return net->pair ? 0 : -ENOMEM;
}

void net_transfer__destroy(struct virtio_net *net)
{
	unsigned i;

	for (i = 0; net->pair && i < net->pairs_most; i++) {
		free(net->pair[i].chain);
		free(net->pair[i].segment);
		free(net->pair[i].send_segment);
	}
	free(net->pair);
	net->pair = NULL;
}

/* ---- to the guest ---- */

/* The frame with its header, from `done` bytes on, to the buffer. Returns bytes written. */
static uint32_t write_part(const struct virtio_chain *chain, const struct net_header *header,
			   const uint8_t *frame, size_t size, size_t done)
{
	size_t written = 0;

	if (!done)
		written = virtio_chain__write(chain, 0, header, sizeof(*header));
	done += written;
	return (uint32_t)(written + virtio_chain__write(chain, written,
							frame + done - sizeof(*header),
							size + sizeof(*header) - done));
}

static void give_back(struct virtio_queue *queue, struct net_pair *pair, unsigned count)
{
	while (count--)
		virtio_queue__unpop(queue, &pair->chain[count]);
}

/* The next buffer for a frame, behind `count` others. */
static enum outcome take_buffer(struct virtio_queue *queue, struct net_pair *pair, unsigned count,
				unsigned *segments)
{
	struct virtio_chain *chain = &pair->chain[count];
	unsigned room = 2 * (unsigned)pair->net->virtio.options.queue_size - *segments;
	int got;

	if (count && !virtio__has_feature(queue->virtio, NET_F_MRG_RXBUF))
		return LOST;
	if (count == queue->size || room < queue->size)
		return LOST;
	chain->segment = pair->segment + *segments;
	chain->capacity = room;
	got = virtio_queue__pop(queue, chain);
	/* Nothing there, unless one came while the driver was asked to tell. */
	if (!got && virtio_queue__ask_notify(queue, true))
		got = virtio_queue__pop(queue, chain);
	if (got <= 0)
		return got ? LOST : NO_ROOM;
	*segments += chain->readable + chain->writable;
	if (!count && chain->writable_bytes < sizeof(struct net_header)) {
		virtio__break(queue->virtio, queue, "a buffer has no room for a header");
		return LOST;
	}
	return TAKEN;
}

/* The queue's lock. */
static enum outcome deliver(struct net_pair *pair, struct virtio_queue *queue,
			    struct net_header *header, const uint8_t *frame, size_t size)
{
	unsigned count = 0, segments = 0, i;
	size_t room = 0, done = 0;

	while (room < sizeof(*header) + size) {
		enum outcome outcome = take_buffer(queue, pair, count, &segments);

		if (outcome != TAKEN) {
			give_back(queue, pair, count);
			return outcome;
		}
		room += pair->chain[count++].writable_bytes;
	}
	header->buffers = (uint16_t)count;
	/* 5.1.6.4: the driver sees the first only with all that belong to it. */
	for (i = 0; i < count; i++) {
		uint32_t written = write_part(&pair->chain[i], header, frame, size, done);

		done += written;
		virtio_queue__fill(queue, &pair->chain[i], written);
	}
	virtio_queue__publish(queue);
	return TAKEN;
}

/* Frames of one connection go to one queue. A sum, so that it is the same both ways. */
static unsigned flow_of(const uint8_t *frame, size_t size)
{
	unsigned at = 26, end = 38, sum = 0; /* IPv4 addresses, ports if there are no options */

	if (size >= 58 && frame[12] == 0x86 && frame[13] == 0xdd)
		at = 22, end = 58; /* IPv6 */
	else if (size < 38 || frame[12] != 0x08 || frame[13])
		return 0;
	for (; at < end; at++)
		sum += frame[at];
	return sum;
}

static struct net_pair *choose_pair(struct virtio_net *net, unsigned queue, const uint8_t *frame,
				    size_t size)
{
	unsigned pairs;

	pthread_mutex_lock(&net->lock);
	pairs = net->pairs;
	pthread_mutex_unlock(&net->lock);
	/* A back end with one queue knows nothing of flows. */
	if (!queue && pairs > 1 && net__queues(net->net) == 1)
		queue = flow_of(frame, size);
	return &net->pair[queue % pairs];
}

static bool is_wanted(struct virtio_net *net, const uint8_t *frame, size_t size)
{
	bool wanted;

	pthread_mutex_lock(&net->lock);
	wanted = net->link_wanted &&
		 net_filter__wants(&net->filter, virtio__has_feature(&net->virtio, NET_F_CTRL_VLAN),
				   frame, size);
	pthread_mutex_unlock(&net->lock);
	return wanted;
}

/* Whether the limits let a frame through; else the back end is called again when they do. */
static bool passes(struct virtio_net *net, size_t size)
{
	uint64_t now, wait;

	if (net->paid || !atomic_load(&net->throttle.active))
		return true;
	now = loop__now();
	wait = throttle__pass(&net->throttle, false, size, now);
	if (wait)
		loop__timer_arm(net->receive_timer, now + wait);
	net->paid = !wait;
	return !wait;
}

bool net_transfer__receive(void *opaque, unsigned queue_number, const struct net_header *original,
			   const void *frame, size_t size)
{
	struct virtio_net *net = opaque;
	struct net_header header = *original;
	struct virtio_queue *queue;
	enum outcome outcome = LOST;
	struct net_pair *pair;

	if (!virtio__is_running(&net->virtio) || !is_wanted(net, frame, size))
		return true;
	if (!passes(net, size))
		return false;
	pair = choose_pair(net, queue_number, frame, size);
	queue = &net->virtio.queue[2 * pair->index];
	pthread_mutex_lock(&queue->lock);
	if (virtio_queue__is_usable(queue)) {
		if (!virtio__has_feature(&net->virtio, NET_F_GUEST_CSUM))
			header.flags = 0;
		outcome = deliver(pair, queue, &header, frame, size);
	}
	pthread_mutex_unlock(&queue->lock);
	pair->received |= outcome == TAKEN;
	if (outcome == NO_ROOM)
		return false;
	net->paid = false;
	return true;
}

void net_transfer__received(void *opaque)
{
	struct virtio_net *net = opaque;
	unsigned i;

	for (i = 0; i < net->pairs_most; i++) {
		struct virtio_queue *queue = &net->virtio.queue[2 * i];

		if (!net->pair[i].received)
			continue;
		net->pair[i].received = false;
		pthread_mutex_lock(&queue->lock);
		virtio_queue__signal(queue);
		pthread_mutex_unlock(&queue->lock);
	}
}

/* ---- from the guest; the transmit queue's lock ---- */

/* False: not now. */
static bool send_one(struct net_pair *pair, const struct virtio_chain *chain)
{
	struct virtio_net *net = pair->net;
	uint64_t now, wait;

	if (!net->link_wanted || chain->readable_bytes <= sizeof(struct net_header) ||
	    chain->readable_bytes > sizeof(struct net_header) + NET_FRAME_MOST)
		return true;
	if (atomic_load(&net->throttle.active)) {
		now = loop__now();
		wait = throttle__pass(&net->throttle, true,
				      chain->readable_bytes - sizeof(struct net_header), now);
		if (wait) {
			loop__timer_arm(net->send_timer, now + wait);
			return false;
		}
	}
	/* What else fails is lost, as on any network. */
	return net__send(net->net, pair->index, chain->segment, chain->readable,
			 chain->readable_bytes) != -EAGAIN;
}

bool net_transfer__send(struct net_pair *pair, struct virtio_queue *queue)
{
	struct virtio_chain chain = {.capacity = (unsigned)pair->net->virtio.options.queue_size,
				     .segment = pair->send_segment};
	unsigned left = queue->size;
	bool full = false;

	virtio_queue__ask_notify(queue, false);
	while (!full && left-- && virtio_queue__pop(queue, &chain) > 0) {
		full = !send_one(pair, &chain);
		if (full)
			virtio_queue__unpop(queue, &chain);
		else
			virtio_queue__push(queue, &chain, 0);
	}
	virtio_queue__signal(queue);
	net__flush(pair->net->net);
	/* Full: writable() or a timer comes back to it. */
	return virtio_queue__ask_notify(queue, true) && !full;
}
