/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of the device targets: the functions of vmm/net that devices call. Frames come when
 * the input feeds them, and are held while the device has no room; what is sent is read whole.
 */
#include "tests/fuzz/device_world.h"
#include <errno.h>
#include <string.h>
#include "vmm/net/net.h"

#define NETS 4u
#define QUEUES 2u

struct net {
	struct net_events events;
	size_t held; /* bytes of a frame that waits for room */
	bool used;
};

static struct net nets[NETS];
static u8 frame[NET_FRAME_MOST];
static size_t send_room;

int net__open(const struct net_options *options, unsigned queues, struct loop *loop,
	      struct net **net, char *error, size_t error_size)
{
	unsigned i;

	FUZZ_CHECK(queues == QUEUES);
	for (i = 0; i < NETS && nets[i].used; i++)
		;
	FUZZ_CHECK(i < NETS);
	nets[i].used = true;
	*net = &nets[i];
	return 0;
}

void net__start(struct net *net, const struct net_events *events)
{
	net->events = *events;
}

void net__close(struct net *net)
{
	if (net)
		net->used = false;
}

unsigned net__queues(const struct net *net)
{
	return net == nets ? QUEUES : 1;
}

uint32_t net__offloads(const struct net *net)
{
	return NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN |
	       NET_OFFLOAD_UFO;
}

void net__accept_offloads(struct net *net, uint32_t offloads)
{
	FUZZ_CHECK(!(offloads & ~net__offloads(net)));
}

void net__use_queues(struct net *net, unsigned queues)
{
	FUZZ_CHECK(queues && queues <= QUEUES);
}

unsigned net__mtu(const struct net *net)
{
	return 9000;
}

int net__send(struct net *net, unsigned queue, const struct iovec *iov, unsigned count, size_t size)
{
	volatile u8 sum = 0;
	size_t seen = 0, at;
	unsigned i;

	FUZZ_CHECK(queue < QUEUES && size > sizeof(struct net_header));
	if (send_room < size)
		return -EAGAIN;
	send_room -= size;
	for (i = 0; i < count; i++)
		for (at = 0; at < iov[i].iov_len; at += 64, seen++)
			sum = (u8)(sum + ((const u8 *)iov[i].iov_base)[at]);
	FUZZ_CHECK(count && seen);
	return 0;
}

void net__flush(struct net *net)
{
	net->events.received(net->events.opaque);
}

/* The device may hold a lock: what is held is given with the next feeding. */
void net__resume(struct net *net)
{
}

int net__parse_mac(const char *text, uint8_t mac[NET_MAC_BYTES])
{
	return -EINVAL;
}

void fake_net__feed(const u8 *bytes, size_t n, size_t room)
{
	struct net_header header = {.flags = NET_HEADER_DATA_VALID};
	size_t size = n + (room & 1 ? room : 0);
	unsigned i;

	send_room = room * 16;
	if (n)
		memcpy(frame, bytes, n);
	for (i = 0; i < NETS; i++) {
		struct net *net = &nets[i];

		if (!net->used || !net->events.receive)
			continue;
		if (!net->held)
			net->held = size;
		if (net->held &&
		    net->events.receive(net->events.opaque, i % QUEUES, &header, frame, net->held))
			net->held = 0;
		net->events.received(net->events.opaque);
		net->events.writable(net->events.opaque, (unsigned)n % QUEUES);
		if (n == 31)
			net->events.link(net->events.opaque, room & 2);
	}
}
