/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control queue of a network device (virtio 1.2, 5.1.6.5). */
#include "vmm/devices/virtio/net.h"

#define SEGMENTS_MOST 64
#define ACK_OK 0
#define ACK_ERROR 1

/* Classes and commands; those of filters are in net_filter.c. */
#define CLASS_FILTERS_END 3
#define CLASS_ANNOUNCE 3
#define CLASS_MQ 4
#define CLASS_OFFLOADS 5
#define ANNOUNCE_ACK 0
#define MQ_PAIRS_SET 0
#define OFFLOADS_SET 0

uint32_t net_control__offloads(uint64_t features)
{
	return (features >> NET_F_GUEST_CSUM & 1 ? NET_OFFLOAD_CSUM : 0) |
	       (features >> NET_F_GUEST_TSO4 & 1 ? NET_OFFLOAD_TSO4 : 0) |
	       (features >> NET_F_GUEST_TSO6 & 1 ? NET_OFFLOAD_TSO6 : 0) |
	       (features >> NET_F_GUEST_ECN & 1 ? NET_OFFLOAD_ECN : 0) |
	       (features >> NET_F_GUEST_UFO & 1 ? NET_OFFLOAD_UFO : 0);
}

/* Which feature lets the driver use a class of commands. */
static bool is_agreed(const struct virtio_net *net, uint8_t class, uint8_t command)
{
	static const uint8_t feature[] = {NET_F_CTRL_RX,   NET_F_CTRL_MAC_ADDR,
					  NET_F_CTRL_VLAN, NET_F_GUEST_ANNOUNCE,
					  NET_F_MQ,	   NET_F_CTRL_GUEST_OFFLOADS};

	if (class >= ARRAY_LENGTH(feature))
		return false;
	/* The table of addresses goes with the modes; the modes of 5.1.6.5.1 came in two parts. */
	if (class == 1 && command == 0)
		return virtio__has_feature(&net->virtio, NET_F_CTRL_RX);
	if (class == 0 && command > 1)
		return virtio__has_feature(&net->virtio, NET_F_CTRL_RX_EXTRA);
	return virtio__has_feature(&net->virtio, feature[class]);
}

static bool set_pairs(struct virtio_net *net, const struct virtio_chain *chain, size_t offset)
{
	uint16_t pairs;

	if (virtio_chain__read(chain, offset, &pairs, sizeof(pairs)) != sizeof(pairs) || !pairs ||
	    pairs > net->pairs_most)
		return false;
	pthread_mutex_lock(&net->lock);
	net->pairs = pairs;
	pthread_mutex_unlock(&net->lock);
	net__use_queues(net->net, pairs);
	return true;
}

static bool set_offloads(struct virtio_net *net, const struct virtio_chain *chain, size_t offset)
{
	uint64_t features;

	if (virtio_chain__read(chain, offset, &features, sizeof(features)) != sizeof(features) ||
	    features & ~net->virtio.accepted)
		return false;
	net__accept_offloads(net->net, net_control__offloads(features));
	return true;
}

static bool filter(struct virtio_net *net, uint8_t class, uint8_t command,
		   const struct virtio_chain *chain, size_t offset)
{
	bool done;

	pthread_mutex_lock(&net->lock);
	done = net_filter__command(&net->filter, class, command, chain, offset);
	pthread_mutex_unlock(&net->lock);
	return done;
}

static bool acknowledge(struct virtio_net *net)
{
	pthread_mutex_lock(&net->lock);
	net->announce = 0;
	pthread_mutex_unlock(&net->lock);
	return true;
}

static bool obey(struct virtio_net *net, const struct virtio_chain *chain)
{
	uint8_t head[2];

	if (virtio_chain__read(chain, 0, head, sizeof(head)) != sizeof(head) ||
	    !is_agreed(net, head[0], head[1]))
		return false;
	if (head[0] < CLASS_FILTERS_END)
		return filter(net, head[0], head[1], chain, sizeof(head));
	if (head[0] == CLASS_ANNOUNCE && head[1] == ANNOUNCE_ACK)
		return acknowledge(net);
	if (head[0] == CLASS_MQ && head[1] == MQ_PAIRS_SET)
		return set_pairs(net, chain, sizeof(head));
	if (head[0] == CLASS_OFFLOADS && head[1] == OFFLOADS_SET)
		return set_offloads(net, chain, sizeof(head));
	return false;
}

bool net_control__kick(struct virtio_net *net, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = {.capacity = SEGMENTS_MOST, .segment = segment};
	unsigned left = queue->size;

	virtio_queue__ask_notify(queue, false);
	while (left-- && virtio_queue__pop(queue, &chain) > 0) {
		uint8_t ack = obey(net, &chain) ? ACK_OK : ACK_ERROR;

		virtio_queue__push(queue, &chain,
				   (uint32_t)virtio_chain__write(&chain, 0, &ack, 1));
	}
	virtio_queue__signal(queue);
	return virtio_queue__ask_notify(queue, true);
}
