/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network interfaces of the host (Documentation/networking/tuntap.rst): a descriptor per queue.
 * Frames carry the device's header, so that checksums and segments are left to whoever needs them.
 */
#include "vmm/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/loop/loop.h"
#include "vmm/net/backend.h"

/* Frames that are taken before others get their turn. */
#define FRAMES_PER_TURN 64

struct tap;

struct tap_queue {
	struct tap *tap;
	unsigned index;
	int fd;
	struct loop_watch *watch;
	size_t held; /* bytes in frame[] that the device had no room for; 0: none */
	bool full;   /* the host takes no more just now */
	uint8_t frame[sizeof(struct net_header) + NET_FRAME_MOST];
};

struct tap {
	struct net net;
	char name[IFNAMSIZ];
	bool gone;
	struct tap_queue *queue;
};

_Static_assert(sizeof(struct net_header) == TAP_HEADER_BYTES, "what both sides put before a frame");

static struct tap *of_net(struct net *net)
{
	return (struct tap *)net; /* its first member */
}

/* ---- to the guest ---- */

static void set_watch(struct tap_queue *tq)
{
	if (!tq->tap->gone)
		loop__rewatch(tq->watch, (tq->held ? 0 : LOOP_IN) | (tq->full ? LOOP_OUT : 0));
}

static void lose_interface(struct tap *tap, const char *why)
{
	const struct net_events *events = &tap->net.events;
	unsigned i;

	if (tap->gone)
		return;
	tap->gone = true;
	fprintf(stderr, "trivet: network interface %s: %s; its cable counts as pulled out\n",
		tap->name, why);
	for (i = 0; i < tap->net.queues; i++)
		loop__rewatch(tap->queue[i].watch, 0);
	events->link(events->opaque, false);
}

/* False: the device has no room. */
static bool give_held(struct tap_queue *tq)
{
	const struct net_events *events = &tq->tap->net.events;
	size_t size = tq->held;
	struct net_header header;

	if (size <= sizeof(header)) {
		tq->held = 0;
		return true;
	}
	memcpy(&header, tq->frame, sizeof(header));
	if (!events->receive(events->opaque, tq->index, &header, tq->frame + sizeof(header),
			     size - sizeof(header)))
		return false;
	tq->held = 0;
	return true;
}

static void receive(struct tap_queue *tq)
{
	const struct net_events *events = &tq->tap->net.events;
	unsigned left = FRAMES_PER_TURN;
	ssize_t size = 0;
	int err = 0;

	/* At the end of the turn nothing is held but what the device had no room for. */
	while (give_held(tq) && left--) {
		size = read(tq->fd, tq->frame, sizeof(tq->frame));
		if (size <= 0) {
			err = size ? errno : 0;
			break;
		}
		tq->held = (size_t)size;
	}
	events->received(events->opaque);
	if (err && err != EAGAIN && err != EINTR)
		lose_interface(tq->tap, strerror(err));
	set_watch(tq);
}

static void on_ready(void *opaque, uint32_t events)
{
	struct tap_queue *tq = opaque;
	struct tap *tap = tq->tap;

	if (events & LOOP_OUT && tq->full) {
		tq->full = false;
		tap->net.events.writable(tap->net.events.opaque, tq->index);
	}
	if (tq->held || events & (LOOP_IN | LOOP_ERROR | LOOP_HANGUP))
		receive(tq);
	else
		set_watch(tq);
}

/* Wakes up for what is held, even if nothing more has come: what holds it is looked at first. */
static void resume(struct net *net)
{
	struct tap *tap = of_net(net);
	unsigned i;

	for (i = 0; i < net->queues && !tap->gone; i++)
		if (__atomic_load_n(&tap->queue[i].held, __ATOMIC_RELAXED))
			loop__rewatch(tap->queue[i].watch, LOOP_IN | LOOP_OUT);
}

/* ---- from the guest ---- */

static int send_frame(struct net *net, unsigned queue, const struct iovec *iov, unsigned count,
		      size_t size)
{
	struct tap *tap = of_net(net);
	struct tap_queue *tq = &tap->queue[queue < net->queues ? queue : 0];

	if (tap->gone)
		return -ENETDOWN;
	if (writev(tq->fd, iov, (int)count) >= 0)
		return 0;
	if (errno == EAGAIN) {
		tq->full = true;
		set_watch(tq);
	}
	return -errno;
}

/* ---- what the interface does for the guest ---- */

static unsigned to_tun(uint32_t offloads)
{
	return (offloads & NET_OFFLOAD_CSUM ? TUN_F_CSUM : 0) |
	       (offloads & NET_OFFLOAD_TSO4 ? TUN_F_TSO4 : 0) |
	       (offloads & NET_OFFLOAD_TSO6 ? TUN_F_TSO6 : 0) |
	       (offloads & NET_OFFLOAD_ECN ? TUN_F_TSO_ECN : 0) |
	       (offloads & NET_OFFLOAD_UFO ? TUN_F_UFO : 0);
}

static void accept_offloads(struct net *net, uint32_t offloads)
{
	struct tap *tap = of_net(net);
	unsigned i;

	if (!(offloads & NET_OFFLOAD_CSUM))
		offloads = 0;
	/* What the kernel refuses it does itself. */
	for (i = 0; i < net->queues; i++)
		if (ioctl(tap->queue[i].fd, TUNSETOFFLOAD, to_tun(offloads)) < 0)
			ioctl(tap->queue[i].fd, TUNSETOFFLOAD, 0);
}

static uint32_t find_offloads(int fd)
{
	uint32_t all = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN;

	if (!ioctl(fd, TUNSETOFFLOAD, to_tun(all | NET_OFFLOAD_UFO)))
		all |= NET_OFFLOAD_UFO;
	else if (ioctl(fd, TUNSETOFFLOAD, to_tun(all)) < 0)
		all = 0;
	ioctl(fd, TUNSETOFFLOAD, 0);
	return all;
}

static void use_queues(struct net *net, unsigned queues)
{
	struct tap *tap = of_net(net);
	unsigned i;

	/* The kernel spreads what comes over those that are attached. It refuses no change to what
	 * is. */
	for (i = 1; i < net->queues; i++) {
		struct ifreq request = {.ifr_flags =
						i < queues ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

		ioctl(tap->queue[i].fd, TUNSETQUEUE, &request);
	}
}

/* ---- opening ---- */

static int open_interface(struct tap *tap, const char *name, char *error, size_t error_size)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), err;

	if (fd < 0) {
		err = -errno;
		snprintf(error, error_size, "network tap: /dev/net/tun: %s", strerror(-err));
		return err;
	}
	if (tap->net.queues > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		err = -errno;
		close(fd);
		snprintf(error, error_size,
			 "network tap: interface %s: %s; it must be a tap interface that you may "
			 "use "
			 "('ip tuntap add NAME mode tap user YOU%s' makes one), or name a bridge",
			 name, strerror(-err), tap->net.queues > 1 ? " multi_queue" : "");
		return err;
	}
	memcpy(tap->name, request.ifr_name, sizeof(tap->name) - 1);
	return fd;
}

static int take_descriptor(const char *text, char *error, size_t error_size)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || fd > 1 << 20 ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
		snprintf(error, error_size,
			 "network option fd=%s: must be the number of an open descriptor", text);
		return -EBADF;
	}
	return (int)fd;
}

/* A descriptor that somebody else made. */
static int adopt(struct tap *tap, int fd, char *error, size_t error_size)
{
	struct ifreq request = {0};

	if (ioctl(fd, TUNGETIFF, &request) < 0 || !(request.ifr_flags & IFF_TAP) ||
	    !(request.ifr_flags & IFF_VNET_HDR) || !(request.ifr_flags & IFF_NO_PI)) {
		snprintf(error, error_size,
			 "network tap: descriptor %d is no tap interface with the flags IFF_NO_PI "
			 "and IFF_VNET_HDR",
			 fd);
		close(fd);
		return -EINVAL;
	}
	memcpy(tap->name, request.ifr_name, sizeof(tap->name) - 1);
	return fd;
}

static int open_descriptor(struct tap *tap, const struct net_options *options, unsigned index,
			   char *error, size_t error_size)
{
	int fd;

	if (!options->fd && !options->bridge)
		return open_interface(tap,
				      index		? tap->name
				      : options->ifname ? options->ifname
							: "tap%d",
				      error, error_size);
	fd = options->fd ? take_descriptor(options->fd, error, error_size)
			 : tap_bridge__join(options->bridge, options->helper, error, error_size);
	return fd < 0 ? fd : adopt(tap, fd, error, error_size);
}

static int open_queue(struct tap *tap, const struct net_options *options, unsigned index,
		      char *error, size_t error_size)
{
	struct tap_queue *tq = &tap->queue[index];
	int header_bytes = TAP_HEADER_BYTES, err;

	tq->tap = tap;
	tq->index = index;
	tq->fd = open_descriptor(tap, options, index, error, error_size);
	if (tq->fd < 0)
		return tq->fd;
	if (ioctl(tq->fd, TUNSETVNETHDRSZ, &header_bytes) < 0 ||
	    fcntl(tq->fd, F_SETFL, O_NONBLOCK) < 0) {
		err = -errno;
		goto fail;
	}
	err = loop__watch(tap->net.loop, tq->fd, 0, on_ready, tq, &tq->watch);
	if (err)
		goto fail;
	loop__rewatch(tq->watch, 0);
	return 0;
fail:
	snprintf(error, error_size, "network tap: interface %s: %s", tap->name, strerror(-err));
	return err;
}

static int check_options(const struct net *net, const struct net_options *options, char *error,
			 size_t error_size)
{
	if (!!options->fd + !!options->bridge + !!options->ifname > 1) {
		snprintf(error, error_size, "network tap: give one of ifname, bridge and fd");
		return -EINVAL;
	}
	if (options->ifname && (!*options->ifname || strlen(options->ifname) >= IFNAMSIZ)) {
		snprintf(error, error_size,
			 "network option ifname=%s: must have 1 to %d characters", options->ifname,
			 IFNAMSIZ - 1);
		return -EINVAL;
	}
	if ((options->fd || options->bridge) && net->queues > 1) {
		snprintf(error, error_size,
			 "network tap: several queues need ifname; fd and bridge give one");
		return -EINVAL;
	}
	return 0;
}

static int open_tap(struct net *net, const struct net_options *options, char *error,
		    size_t error_size)
{
	struct tap *tap = of_net(net);
	unsigned i;
	int err = check_options(net, options, error, error_size);

	if (err)
		return err;
	tap->queue = calloc(net->queues, sizeof(*tap->queue));
	if (!tap->queue) {
		snprintf(error, error_size, "network tap: out of memory");
		return -ENOMEM;
	}
	for (i = 0; i < net->queues; i++)
		tap->queue[i].fd = -1;
	for (i = 0; i < net->queues && !err; i++)
		err = open_queue(tap, options, i, error, error_size);
	if (!err)
		net->offloads = find_offloads(tap->queue[0].fd);
	return err;
}

static void start(struct net *net)
{
	struct tap *tap = of_net(net);
	unsigned i;

	for (i = 0; i < net->queues; i++)
		set_watch(&tap->queue[i]);
}

static void close_tap(struct net *net)
{
	struct tap *tap = of_net(net);
	unsigned i;

	for (i = 0; tap->queue && i < net->queues; i++) {
		loop__unwatch(tap->queue[i].watch);
		if (tap->queue[i].fd >= 0)
			close(tap->queue[i].fd);
	}
	free(tap->queue);
}

const struct net_class net_class_tap = {
	.name = "tap",
	.size = sizeof(struct tap),
	.open = open_tap,
	.start = start,
	.close = close_tap,
	.send = send_frame,
	.resume = resume,
	.accept_offloads = accept_offloads,
	.use_queues = use_queues,
};
