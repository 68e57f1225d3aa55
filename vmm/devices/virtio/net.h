/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network device (virtio 1.2, 5.1): what its files share.
 *
 * Frames come and go on one event loop. A transmit queue's lock is taken before a receive queue's:
 * a back end may answer while it is sent to. net->lock is taken last.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_H
#define VMM_DEVICES_VIRTIO_NET_H

#include "vmm/devices/virtio/virtio.h"
#include "vmm/net/net.h"
#include "vmm/throttle/throttle.h"

/* Feature bits (5.1.3) */
#define NET_F_CSUM 0
#define NET_F_GUEST_CSUM 1
#define NET_F_CTRL_GUEST_OFFLOADS 2
#define NET_F_MTU 3
#define NET_F_MAC 5
#define NET_F_GUEST_TSO4 7
#define NET_F_GUEST_TSO6 8
#define NET_F_GUEST_ECN 9
#define NET_F_GUEST_UFO 10
#define NET_F_HOST_TSO4 11
#define NET_F_HOST_TSO6 12
#define NET_F_HOST_ECN 13
#define NET_F_HOST_UFO 14
#define NET_F_MRG_RXBUF 15
#define NET_F_STATUS 16
#define NET_F_CTRL_VQ 17
#define NET_F_CTRL_RX 18
#define NET_F_CTRL_VLAN 19
#define NET_F_CTRL_RX_EXTRA 20
#define NET_F_GUEST_ANNOUNCE 21
#define NET_F_MQ 22
#define NET_F_CTRL_MAC_ADDR 23

#define NET_ADDRESSES_MOST 64u
#define NET_VLANS 4096u

struct virtio_net;

/* Which frames the driver wants (5.1.6.5.1 to 5.1.6.5.3); bytes, so that they are saved as numbers.
 */
struct net_filter {
	uint8_t promiscuous, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast;
	uint8_t unicast_overflow, multicast_overflow; /* more than there is room for: all */
	uint32_t unicasts, multicasts;		      /* addresses, in this order */
	uint8_t address[NET_ADDRESSES_MOST][NET_MAC_BYTES];
	uint8_t vlan[NET_VLANS / 8]; /* a bit for each that is wanted */
	uint8_t mac[NET_MAC_BYTES];
};

struct net_pair {
	struct virtio_net *net;
	unsigned index;
	bool received; /* the receive queue has something new for its driver */
	/* For the buffers of one frame. */
	struct virtio_chain *chain;
	struct iovec *segment;
	struct iovec *send_segment;
};

struct virtio_net {
	struct device dev;
	struct virtio virtio;
	/* Options */
	struct net_options options;
	char *mac_text;
	uint64_t mtu, pairs_most;
	bool link_wanted;
	uint64_t boot_index;
	uint64_t limit[4]; /* bytes and frames to the guest, then from it */

	struct net *net;
	uint8_t mac[NET_MAC_BYTES]; /* at power on */
	struct net_pair *pair;
	struct throttle throttle; /* reads: to the guest */
	bool paid;		  /* the frame that could not be received has passed it */
	struct loop_timer *receive_timer, *send_timer;

	pthread_mutex_t lock; /* guards what follows */
	struct net_filter filter;
	uint32_t pairs; /* in use */
	uint8_t link;	/* whether the back end is there */
	uint8_t announce;
};

/* ---- net_filter.c ---- */

/* As after a reset. Without leave to filter VLANs all are wanted. */
void net_filter__reset(struct net_filter *filter, const uint8_t mac[NET_MAC_BYTES]);
/* Whether the driver wants this frame. `vlans`: it has said which. */
bool net_filter__wants(const struct net_filter *filter, bool vlans, const uint8_t *frame,
		       size_t size);
/* A command about it, with its data behind `offset`. False: it makes no sense. */
bool net_filter__command(struct net_filter *filter, uint8_t class, uint8_t command,
			 const struct virtio_chain *chain, size_t offset);

/* ---- net_control.c ---- */

bool net_control__kick(struct virtio_net *net, struct virtio_queue *queue);
/* NET_OFFLOAD_* of the features by which a driver takes work over. */
uint32_t net_control__offloads(uint64_t features);

/* ---- net_transfer.c ---- */

/* Room for the frames of all queues. 0 or -ENOMEM. */
int net_transfer__init(struct virtio_net *net, unsigned pairs);
void net_transfer__destroy(struct virtio_net *net);
bool net_transfer__send(struct net_pair *pair, struct virtio_queue *queue);
/* Callbacks of the back end. */
bool net_transfer__receive(void *opaque, unsigned queue, const struct net_header *header,
			   const void *frame, size_t size);
void net_transfer__received(void *opaque);

#endif
