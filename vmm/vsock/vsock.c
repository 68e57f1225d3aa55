/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtio sockets as a whole: packets to and from their connections, time. */
#include "vmm/vsock/vsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vmm/loop/loop.h"
#include "vmm/vsock/connection.h"
#include "vmm/vsock/host.h"
#include "vmm/vsock/list.h"

/* ---- time ---- */

void vsock__arm_timer(struct vsock *vsock)
{
	const struct vsock_connection *first = VSOCK_LIST_FIRST(&vsock->waiting, waiting);
	uint64_t when = first ? first->deadline : 0;

	if (vsock->retry_at && (!when || vsock->retry_at < when))
		when = vsock->retry_at;
	/* One that comes too early does no harm. */
	if (!when || (vsock->timer_at && vsock->timer_at <= when))
		return;
	vsock->timer_at = when;
	loop__timer_arm(vsock->timer, when);
}

static const char *why_late(const struct vsock_connection *c)
{
	return c->state == VSOCK_CLIENT ? "no CONNECT came in time" : "the guest has not answered in time";
}

static void on_timer(void *opaque)
{
	struct vsock *vsock = opaque;
	struct vsock_connection *c;
	uint64_t now = loop__now();

	vsock->timer_at = 0;
	while ((c = VSOCK_LIST_FIRST(&vsock->waiting, waiting)) && c->deadline <= now)
		vsock_connection__abort(c, why_late(c));
	if (vsock->retry_at && vsock->retry_at <= now) {
		vsock->retry_at = 0;
		vsock_client__arm(vsock);
	}
	vsock__arm_timer(vsock);
	if (vsock__has_output(vsock))
		vsock->options.output(vsock->options.opaque);
}

/* ---- life ---- */

int vsock__open(const struct vsock_options *options, struct vsock **out, char *error,
		size_t error_size)
{
	struct vsock *vsock;
	int err;

	if (!vsock_host__path_fits(options->path)) {
		snprintf(error, error_size, "%s: the path is empty or too long for a UNIX socket",
			 options->path);
		return -EINVAL;
	}
	vsock = calloc(1, sizeof(*vsock));
	if (!vsock) {
		snprintf(error, error_size, "%s: out of memory", options->path);
		return -ENOMEM;
	}
	vsock->options = *options;
	vsock_list__init(&vsock->all);
	vsock_list__init(&vsock->pending);
	vsock_list__init(&vsock->waiting);
	err = loop__timer(options->loop, on_timer, vsock, &vsock->timer);
	if (!err)
		err = vsock_client__listen(vsock);
	if (err) {
		snprintf(error, error_size, "%s: cannot listen: %s", options->path,
			 err == -EADDRINUSE ? "the path exists and is in use; choose another"
					    : strerror(-err));
		loop__timer_free(vsock->timer);
		free(vsock);
		return err;
	}
	*out = vsock;
	return 0;
}

void vsock__close(struct vsock *vsock)
{
	if (!vsock)
		return;
	vsock__stop(vsock);
	vsock_client__close(vsock);
	loop__timer_free(vsock->timer);
	free(vsock);
}

void vsock__start(struct vsock *vsock)
{
	vsock->running = true;
	vsock_client__arm(vsock);
}

void vsock__stop(struct vsock *vsock)
{
	struct vsock_connection *c;

	vsock->running = false;
	while ((c = VSOCK_LIST_FIRST(&vsock->all, all))) {
		if (c->state == VSOCK_CLIENT || c->state == VSOCK_REQUESTED)
			vsock_client__refuse(c, "the guest has been reset");
		vsock_connection__destroy(c);
	}
	vsock->reset_count = 0;
	vsock_client__arm(vsock);
}

/* ---- to the guest ---- */

void vsock__push_reset(struct vsock *vsock, uint32_t host_port, uint32_t guest_port, uint16_t type)
{
	unsigned at = (vsock->reset_at + vsock->reset_count) % VSOCK_RESETS_MOST;

	if (vsock->reset_count == VSOCK_RESETS_MOST)
		return;
	vsock->reset[at] = (struct vsock_reset){ host_port, guest_port, type };
	vsock->reset_count++;
}

static void give_reset(struct vsock *vsock, struct vsock_header *header)
{
	const struct vsock_reset *reset = &vsock->reset[vsock->reset_at];

	*header = (struct vsock_header){ .from_cid = VSOCK_HOST_CID,
					 .to_cid = vsock->options.cid,
					 .from_port = reset->host_port,
					 .to_port = reset->guest_port,
					 .type = reset->type,
					 .op = VSOCK_OP_RST };
	vsock->reset_at = (vsock->reset_at + 1) % VSOCK_RESETS_MOST;
	vsock->reset_count--;
}

bool vsock__has_output(const struct vsock *vsock)
{
	return vsock->reset_count || !vsock_list__is_empty(&vsock->pending);
}

bool vsock__give(struct vsock *vsock, struct vsock_header *header, const struct iovec *room,
		 unsigned count)
{
	struct vsock_connection *c;
	bool given = false;

	/* Resets first: their ports may be those of a connection that has come since. */
	while (!given && vsock__has_output(vsock)) {
		if (vsock->reset_count) {
			give_reset(vsock, header);
			return true;
		}
		c = VSOCK_LIST_FIRST(&vsock->pending, pending);
		given = vsock_connection__give(c, header, room, count);
		if (given) { /* the next one's turn */
			vsock_list__remove(&c->pending);
			vsock_list__append(&vsock->pending, &c->pending);
		}
		vsock_connection__settle(c);
	}
	return given;
}

/* ---- from the guest ---- */

static void take_request(struct vsock *vsock, const struct vsock_header *header)
{
	struct vsock_connection *c = NULL;
	int fd = -EAGAIN;

	if (vsock->connections < VSOCK_CONNECTIONS_MOST)
		fd = vsock_host__connect(vsock->options.path, header->to_port);
	if (fd >= 0)
		c = vsock_connection__create(vsock, VSOCK_OPEN, fd);
	if (!c) {
		vsock__push_reset(vsock, header->to_port, header->from_port, header->type);
		return;
	}
	vsock_connection__name(c, header->to_port, header->from_port);
	c->guest_alloc = header->buf_alloc;
	c->guest_forwarded = header->fwd_cnt;
	vsock_connection__owe(c, VSOCK_OWE_RESPONSE);
	vsock_connection__settle(c);
	vsock_client__arm(vsock);
}

/* The guest has ended it, or does not know of it. */
static void take_reset(struct vsock_connection *c)
{
	if (c->state == VSOCK_REQUESTED)
		vsock_client__refuse(c, "the guest does not listen at this port");
	/* After a proper end nothing that was sent before is lost. */
	if (c->state == VSOCK_OPEN && c->guest_shut & VSOCK_SHUT_SEND &&
	    vsock_connection__buffered(c)) {
		vsock_connection__leave(c);
		return;
	}
	vsock_connection__destroy(c);
}

static void take_response(struct vsock_connection *c)
{
	if (c->state != VSOCK_REQUESTED || !c->asked) {
		c->failed = true;
		return;
	}
	c->state = VSOCK_OPEN;
	vsock_list__remove(&c->waiting);
	vsock_client__welcome(c);
}

static void take_shutdown(struct vsock_connection *c, uint32_t flags)
{
	if (c->state != VSOCK_OPEN && c->state != VSOCK_ENDING) {
		c->failed = true;
		return;
	}
	if (flags & ~c->guest_shut & VSOCK_SHUT_RECEIVE && c->state == VSOCK_OPEN)
		vsock_host__shut_receiving(c->fd);
	c->guest_shut |= flags & VSOCK_SHUT_BOTH; /* what was said once stays so */
}

static void take_packet(struct vsock_connection *c, const struct vsock_header *header,
			const struct iovec *data, unsigned count)
{
	c->guest_alloc = header->buf_alloc;
	c->guest_forwarded = header->fwd_cnt;
	switch (header->op) {
	case VSOCK_OP_RST:
		take_reset(c);
		return;
	case VSOCK_OP_RESPONSE:
		take_response(c);
		break;
	case VSOCK_OP_SHUTDOWN:
		take_shutdown(c, header->flags);
		break;
	case VSOCK_OP_RW:
		if (c->state == VSOCK_OPEN || c->state == VSOCK_ENDING)
			vsock_connection__take(c, data, count, header->length);
		else
			c->failed = true;
		break;
	case VSOCK_OP_CREDIT_UPDATE:
		break;
	case VSOCK_OP_CREDIT_REQUEST:
		if (c->state == VSOCK_OPEN || c->state == VSOCK_ENDING)
			vsock_connection__owe(c, VSOCK_OWE_CREDIT_UPDATE);
		break;
	default: /* a request for what is there already, too */
		c->failed = true;
	}
	vsock_connection__settle(c);
}

void vsock__take(struct vsock *vsock, const struct vsock_header *header, const struct iovec *data,
		 unsigned count)
{
	struct vsock_connection *c = NULL;

	/* 5.10.6.4: what is not from the guest to the host goes nowhere. */
	if (header->from_cid != vsock->options.cid || header->to_cid != VSOCK_HOST_CID)
		return;
	if (header->type == VSOCK_TYPE_STREAM)
		c = vsock_connection__find(vsock, header->to_port, header->from_port);
	if (c)
		take_packet(c, header, data, count);
	else if (header->op == VSOCK_OP_REQUEST && header->type == VSOCK_TYPE_STREAM)
		take_request(vsock, header);
	else if (header->op != VSOCK_OP_RST)
		vsock__push_reset(vsock, header->to_port, header->from_port, header->type);
}
