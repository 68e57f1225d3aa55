/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User-mode network: a router, name server and DHCP server inside the process (libslirp), which
 * makes the guest's connections its own. No rights are needed.
 *
 * It is given frames of up to 64 KiB: TCP ends here, so what the guest leaves to be cut into
 * segments need not be, and a large MTU saves most of the work on both sides.
 */
#include "vmm/net/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/loop/loop.h"

/* What waits for a guest that has no buffers; what comes above that is lost, as on any network. */
#define WAITING_BYTES_MOST (4u << 20)
#define COMPLAINTS_MOST 8u
#define NS_PER_MS 1000000ull

struct user_frame {
	struct user_frame *next;
	size_t size;
	uint8_t data[];
};

/* A timer of the library's. */
struct user_timer {
	struct user *user;
	SlirpTimerId id;
	void *opaque;
	struct loop_timer *timer;
};

struct user {
	struct net net;
	Slirp *slirp;
	struct user_poll poll;
	struct loop_watch *watch;
	struct loop_timer *timer; /* for its timeouts, and when the device has room again */
	atomic_bool blocked;	  /* frames wait: the device has no room */
	bool received; /* the device got frames since it was last told that that was all */
	struct user_frame *first, **last;
	size_t waiting;
	unsigned complaints;
	uint8_t frame[sizeof(struct net_header) + NET_FRAME_MOST]; /* that is being sent */
};

static struct user *of_net(struct net *net)
{
	return (struct user *)net; /* its first member */
}

/* ---- to the guest ---- */

static bool give(struct user *user, const void *frame, size_t size)
{
	/* The library makes checksums itself, of what it got from the host's kernel. */
	static const struct net_header header = {.flags = NET_HEADER_DATA_VALID, .buffers = 1};
	const struct net_events *events = &user->net.events;

	if (!events->receive(events->opaque, 0, &header, frame, size))
		return false;
	user->received = true;
	return true;
}

static void keep(struct user *user, const void *data, size_t size)
{
	struct user_frame *frame;

	if (user->waiting + size > WAITING_BYTES_MOST)
		return;
	frame = malloc(sizeof(*frame) + size);
	if (!frame)
		return;
	frame->next = NULL;
	frame->size = size;
	memcpy(frame->data, data, size);
	*user->last = frame;
	user->last = &frame->next;
	user->waiting += size;
}

static void drop_first(struct user *user)
{
	struct user_frame *frame = user->first;

	user->first = frame->next;
	if (!user->first)
		user->last = &user->first;
	user->waiting -= frame->size;
	free(frame);
}

static ssize_t send_packet(const void *frame, size_t size, void *opaque)
{
	struct user *user = opaque;

	if (user->first || !give(user, frame, size)) {
		keep(user, frame, size);
		atomic_store(&user->blocked, true);
	}
	return (ssize_t)size;
}

/* What waits goes first. True if nothing waits any more. */
static bool give_waiting(struct user *user)
{
	while (user->first) {
		if (!give(user, user->first->data, user->first->size))
			return false;
		drop_first(user);
	}
	return true;
}

/* ---- rounds ---- */

/* Behind everything that made the library work. While frames wait it gets no more from outside. */
static void settle(struct user *user)
{
	const struct net_events *events = &user->net.events;
	uint32_t timeout;

	if (user->received)
		events->received(events->opaque);
	user->received = false;
	if (atomic_load(&user->blocked)) {
		loop__rewatch(user->watch, 0);
		return;
	}
	timeout = user_poll__refresh(&user->poll, user->slirp);
	if (timeout != UINT32_MAX)
		loop__timer_arm(user->timer, loop__now() + timeout * NS_PER_MS);
}

static void run(struct user *user)
{
	if (atomic_load(&user->blocked)) {
		if (!give_waiting(user)) {
			settle(user);
			return;
		}
		atomic_store(&user->blocked, false);
		loop__rewatch(user->watch, LOOP_IN);
	}
	user_poll__run(&user->poll, user->slirp);
	settle(user);
}

static void on_ready(void *opaque, uint32_t events)
{
	run(opaque);
}

static void on_timer(void *opaque)
{
	run(opaque);
}

/* ---- what the library asks for ---- */

static void guest_error(const char *message, void *opaque)
{
	struct user *user = opaque;

	if (user->complaints >= COMPLAINTS_MOST)
		return;
	user->complaints++;
	fprintf(stderr, "trivet: network: %s%s\n", message,
		user->complaints == COMPLAINTS_MOST ? "; no more of this is said" : "");
}

static int64_t get_time(void *opaque)
{
	return (int64_t)loop__now();
}

static void fire(void *opaque)
{
	struct user_timer *timer = opaque;
	struct user *user = timer->user;

	slirp_handle_timer(user->slirp, timer->id, timer->opaque);
	settle(user);
}

static void *make_timer(SlirpTimerId id, void *timer_opaque, void *opaque)
{
	struct user_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->user = opaque;
	timer->id = id;
	timer->opaque = timer_opaque;
	if (loop__timer(timer->user->net.loop, fire, timer, &timer->timer)) {
		free(timer);
		return NULL;
	}
	return timer;
}

static void free_timer(void *opaque, void *user)
{
	struct user_timer *timer = opaque;

	if (timer)
		loop__timer_free(timer->timer);
	free(timer);
}

static void set_timer(void *opaque, int64_t ms, void *user)
{
	struct user_timer *timer = opaque;

	if (timer)
		loop__timer_arm(timer->timer, (uint64_t)ms * NS_PER_MS);
}

static void forget_fd(int fd, void *opaque)
{
	struct user *user = opaque;

	user_poll__forget(&user->poll, fd);
}

/* There is more to wait for: asked at once, in a round of its own. */
static void notify(void *opaque)
{
	struct user *user = opaque;

	loop__timer_arm(user->timer, loop__now());
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = get_time,
	.timer_new_opaque = make_timer,
	.timer_free = free_timer,
	.timer_mod = set_timer,
	.register_poll_fd = forget_fd,
	.unregister_poll_fd = forget_fd,
	.notify = notify,
};

/* ---- the back end ---- */

static int send_frame(struct net *net, unsigned queue, const struct iovec *iov, unsigned count,
		      size_t size)
{
	struct user *user = of_net(net);
	struct net_header header;
	uint8_t *frame = user->frame + sizeof(header);

	if (size <= sizeof(header) || size > sizeof(user->frame))
		return -EMSGSIZE;
	if (net_frame__gather(iov, count, user->frame, size) != size)
		return -EINVAL;
	memcpy(&header, user->frame, sizeof(header));
	size -= sizeof(header);
	if (net_frame__finish_checksum(&header, frame, size))
		return -EINVAL;
	slirp_input(user->slirp, frame, (int)size);
	return 0;
}

static void flush(struct net *net)
{
	settle(of_net(net));
}

static void resume(struct net *net)
{
	struct user *user = of_net(net);

	if (atomic_load(&user->blocked))
		loop__timer_arm(user->timer, loop__now());
}

static void start(struct net *net)
{
	settle(of_net(net));
}

static int open_user(struct net *net, const struct net_options *options, char *error,
		     size_t error_size)
{
	struct user *user = of_net(net);
	struct user_config config;
	int err;

	user->last = &user->first;
	user->poll.epoll = -1;
	net->offloads = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN;
	net->mtu = NET_MTU_MOST;
	err = user_config__fill(&config, options, error, error_size);
	if (err)
		return err;
	err = user_poll__init(&user->poll);
	if (!err)
		err = loop__watch(net->loop, user->poll.epoll, LOOP_IN, on_ready, user,
				  &user->watch);
	if (!err)
		err = loop__timer(net->loop, on_timer, user, &user->timer);
	if (err) {
		snprintf(error, error_size, "network user: %s", strerror(-err));
		return err;
	}
	user->slirp = slirp_new(&config.slirp, &callbacks, user);
	if (!user->slirp) {
		snprintf(error, error_size,
			 "network user: libslirp cannot start; is there memory?");
		return -ENOMEM;
	}
	return options->forward
		       ? user_forward__add(user->slirp, options->forward, error, error_size)
		       : 0;
}

static void close_user(struct net *net)
{
	struct user *user = of_net(net);

	if (user->slirp)
		slirp_cleanup(user->slirp);
	loop__timer_free(user->timer);
	loop__unwatch(user->watch);
	user_poll__destroy(&user->poll);
	while (user->first)
		drop_first(user);
}

const struct net_class net_class_user = {
	.name = "user",
	.size = sizeof(struct user),
	.open = open_user,
	.start = start,
	.close = close_user,
	.send = send_frame,
	.flush = flush,
	.resume = resume,
};
