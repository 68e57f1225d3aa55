/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection of virtio sockets: its name, its socket, its end. */
#include "vmm/vsock/connection.h"

#include <stdlib.h>

#include "base/types.h"
#include "vmm/loop/loop.h"
#include "vmm/vsock/host.h"
#include "vmm/vsock/list.h"

/* ---- names ---- */

static struct vsock_connection **bucket_of(struct vsock *vsock, uint32_t host_port,
					   uint32_t guest_port)
{
	return &vsock->bucket[(host_port * 31 + guest_port) % VSOCK_BUCKETS];
}

struct vsock_connection *vsock_connection__find(struct vsock *vsock, uint32_t host_port,
						uint32_t guest_port)
{
	struct vsock_connection *c = *bucket_of(vsock, host_port, guest_port);

	while (c && (c->host_port != host_port || c->guest_port != guest_port))
		c = c->next_in_bucket;
	return c;
}

void vsock_connection__name(struct vsock_connection *c, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_connection **bucket = bucket_of(c->vsock, host_port, guest_port);

	c->host_port = host_port;
	c->guest_port = guest_port;
	c->next_in_bucket = *bucket;
	*bucket = c;
}

/* The guest may use the ports again. */
static void forget_name(struct vsock_connection *c)
{
	struct vsock_connection **at = bucket_of(c->vsock, c->host_port, c->guest_port);

	while (*at && *at != c)
		at = &(*at)->next_in_bucket;
	if (*at)
		*at = c->next_in_bucket;
}

/* ---- what is watched ---- */

static uint32_t events_of_use(const struct vsock_connection *c)
{
	uint32_t events = 0;

	switch (c->state) {
	case VSOCK_CLIENT:
		return LOOP_IN;
	case VSOCK_REQUESTED:
		return LOOP_HANGUP; /* what it has sent already stays where it is */
	case VSOCK_ENDING:
		return 0;
	case VSOCK_OPEN:
	case VSOCK_LEFT:
		break;
	}
	if (vsock_connection__buffered(c))
		events |= LOOP_OUT;
	if (vsock_connection__reads_host(c) && !(c->owes & VSOCK_OWE_DATA) && vsock_connection__credit(c))
		events |= LOOP_IN;
	/* Nothing is read from it any more: that it goes is all that is still of interest. */
	return (events || vsock_connection__reads_host(c)) ? events : LOOP_HANGUP;
}

static void watch(struct vsock_connection *c)
{
	uint32_t events = events_of_use(c);

	if (!c->watch || events == c->watched)
		return;
	c->watched = events;
	loop__rewatch(c->watch, events);
}

static void close_socket(struct vsock_connection *c)
{
	if (c->fd < 0)
		return;
	loop__unwatch(c->watch);
	c->watch = NULL;
	vsock_host__close(c->fd);
	c->fd = -1;
}

/* ---- life ---- */

static void take_events(struct vsock_connection *c, uint32_t events)
{
	bool hung_up = events & (LOOP_ERROR | LOOP_HANGUP);

	if (vsock_connection__buffered(c) && (hung_up || events & LOOP_OUT))
		vsock_connection__flush(c);
	if (vsock_connection__reads_host(c)) {
		if (hung_up || events & LOOP_IN)
			vsock_connection__owe(c, VSOCK_OWE_DATA);
	} else if (hung_up && c->state == VSOCK_OPEN) {
		c->host_shut = VSOCK_SHUT_BOTH;
		vsock_connection__owe(c, VSOCK_OWE_SHUTDOWN);
	}
	vsock_connection__settle(c);
}

static void on_host(void *opaque, uint32_t events)
{
	struct vsock_connection *c = opaque;
	struct vsock *vsock = c->vsock;

	if (c->state == VSOCK_CLIENT)
		vsock_client__read(c);
	else if (c->state == VSOCK_REQUESTED)
		vsock_connection__abort(c, "");
	else
		take_events(c, events);
	if (vsock__has_output(vsock))
		vsock->options.output(vsock->options.opaque);
}

struct vsock_connection *vsock_connection__create(struct vsock *vsock, enum vsock_state state, int fd)
{
	struct vsock_connection *c;

	if (vsock->connections >= VSOCK_CONNECTIONS_MOST)
		goto close_fd;
	c = calloc(1, sizeof(*c));
	if (!c)
		goto close_fd;
	c->vsock = vsock;
	c->state = state;
	c->fd = fd;
	c->watched = LOOP_IN; /* until it settles */
	if (loop__watch(vsock->options.loop, fd, c->watched, on_host, c, &c->watch))
		goto free_connection;
	vsock_list__append(&vsock->all, &c->all);
	vsock->connections++;
	vsock->clients += state == VSOCK_CLIENT;
	return c;
free_connection:
	free(c);
close_fd:
	vsock_host__close(fd);
	return NULL;
}

void vsock_connection__destroy(struct vsock_connection *c)
{
	struct vsock *vsock = c->vsock;

	forget_name(c);
	close_socket(c);
	vsock_list__remove(&c->all);
	vsock_list__remove(&c->pending);
	vsock_list__remove(&c->waiting);
	vsock->connections--;
	vsock->clients -= c->state == VSOCK_CLIENT;
	free(c->buffer);
	free(c);
	vsock_client__arm(vsock);
}

void vsock_connection__owe(struct vsock_connection *c, uint8_t what)
{
	c->owes |= what;
	if (!c->pending.next)
		vsock_list__append(&c->vsock->pending, &c->pending);
}

void vsock_connection__expect(struct vsock_connection *c)
{
	c->deadline = loop__now() + VSOCK_PATIENCE_NS;
	vsock_list__remove(&c->waiting);
	vsock_list__append(&c->vsock->waiting, &c->waiting);
	vsock__arm_timer(c->vsock);
}

void vsock_connection__abort(struct vsock_connection *c, const char *why)
{
	if (c->state == VSOCK_CLIENT || c->state == VSOCK_REQUESTED)
		vsock_client__refuse(c, why);
	if (c->state == VSOCK_OPEN || c->state == VSOCK_ENDING ||
	    (c->state == VSOCK_REQUESTED && c->asked))
		vsock__push_reset(c->vsock, c->host_port, c->guest_port, VSOCK_TYPE_STREAM);
	vsock_connection__destroy(c);
}

void vsock_connection__leave(struct vsock_connection *c)
{
	c->state = VSOCK_LEFT;
	c->owes = 0;
	forget_name(c);
	vsock_connection__settle(c);
}

static void settle_open(struct vsock_connection *c)
{
	if (c->host_shut == VSOCK_SHUT_BOTH) {
		c->state = VSOCK_ENDING;
		c->forwarded = c->received;
		c->owes &= (uint8_t)~VSOCK_OWE_DATA;
		close_socket(c);
		vsock_connection__expect(c);
	} else if (c->guest_shut & VSOCK_SHUT_SEND && !vsock_connection__buffered(c) &&
		   !c->sending_shut) {
		c->sending_shut = true;
		vsock_host__shut_sending(c->fd);
	}
}

void vsock_connection__settle(struct vsock_connection *c)
{
	if (c->failed) {
		vsock_connection__abort(c, "the guest does not follow the protocol");
		return;
	}
	if (c->state == VSOCK_OPEN)
		settle_open(c);
	/* 5.10.6.5: the guest wants the end, and waits for a reset as its confirmation. */
	if ((c->state == VSOCK_OPEN || c->state == VSOCK_ENDING) &&
	    c->guest_shut == VSOCK_SHUT_BOTH && !vsock_connection__buffered(c)) {
		vsock_connection__abort(c, "");
		return;
	}
	if (c->state == VSOCK_LEFT &&
	    (!vsock_connection__buffered(c) || c->host_shut & VSOCK_SHUT_RECEIVE)) {
		vsock_connection__destroy(c);
		return;
	}
	if (!c->owes)
		vsock_list__remove(&c->pending);
	watch(c);
}
