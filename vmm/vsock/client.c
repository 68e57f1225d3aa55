/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients on the host: accepted at the path, they say which port of the guest they want. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/types.h"
#include "vmm/loop/loop.h"
#include "vmm/vsock/connection.h"
#include "vmm/vsock/host.h"

#define WORD "CONNECT"
#define SPACES " \t\r\n"
#define ACCEPT_AT_ONCE 16u
#define RETRY_NS 1000000000ull
/* Ports of the host's clients: where no service is. */
#define PORTS_FROM (1u << 30)
#define PORTS_TO (1u << 31)

/* ---- the listener ---- */

static bool may_accept(const struct vsock *vsock)
{
	return vsock->running && !vsock->retry_at && vsock->clients < VSOCK_CLIENTS_MOST &&
	       vsock->connections < VSOCK_CONNECTIONS_MOST;
}

void vsock_client__arm(struct vsock *vsock)
{
	bool accepting = may_accept(vsock);

	if (accepting == vsock->accepting)
		return;
	vsock->accepting = accepting;
	loop__rewatch(vsock->listener_watch, accepting ? LOOP_IN : 0);
}

static void on_listener(void *opaque, uint32_t events)
{
	struct vsock *vsock = opaque;
	unsigned left = ACCEPT_AT_ONCE;
	struct vsock_connection *c;
	int fd;

	while (left-- && may_accept(vsock)) {
		fd = vsock_host__accept(vsock->listener);
		if (fd == -EAGAIN || fd == -ECONNABORTED)
			break;
		if (fd < 0) {
			/* No descriptors, no memory: the listener stays readable, and would keep the loop. */
			vsock->retry_at = loop__now() + RETRY_NS;
			vsock__arm_timer(vsock);
			break;
		}
		c = vsock_connection__create(vsock, VSOCK_CLIENT, fd);
		if (c)
			vsock_connection__expect(c);
	}
	vsock_client__arm(vsock);
}

int vsock_client__listen(struct vsock *vsock)
{
	int err;

	vsock->listener = vsock_host__listen(vsock->options.path);
	if (vsock->listener < 0)
		return vsock->listener;
	err = loop__watch(vsock->options.loop, vsock->listener, LOOP_IN, on_listener, vsock,
			  &vsock->listener_watch);
	if (err) {
		vsock_host__close_listener(vsock->listener, vsock->options.path);
		vsock->listener = -1;
		return err;
	}
	loop__rewatch(vsock->listener_watch, 0);
	return 0;
}

void vsock_client__close(struct vsock *vsock)
{
	if (vsock->listener < 0)
		return;
	loop__unwatch(vsock->listener_watch);
	vsock_host__close_listener(vsock->listener, vsock->options.path);
}

/* ---- what is said ---- */

static void say(struct vsock_connection *c, const char *line)
{
	const struct iovec data = { .iov_base = (void *)line, .iov_len = strlen(line) };

	/* A client's socket holds a line; one that is gone needs none. */
	vsock_host__send(c->fd, &data, 1);
}

void vsock_client__refuse(struct vsock_connection *c, const char *why)
{
	char line[128];

	if (!*why)
		return;
	snprintf(line, sizeof(line), "ERROR %s\n", why);
	say(c, line);
}

void vsock_client__welcome(struct vsock_connection *c)
{
	char line[32];

	snprintf(line, sizeof(line), "OK %u\n", c->host_port);
	say(c, line);
}

/* ---- what is asked for ---- */

/* A port at the host's end that makes a name of its own with that of the guest. */
static uint32_t choose_port(struct vsock *vsock, uint32_t guest_port)
{
	uint32_t port;

	do {
		port = vsock->next_port < PORTS_FROM ? PORTS_FROM : vsock->next_port;
		vsock->next_port = port + 1 < PORTS_TO ? port + 1 : PORTS_FROM;
	} while (vsock_connection__find(vsock, port, guest_port));
	return port;
}

/* The line without its end. 0 or -EINVAL. */
static int parse_line(char *line, uint32_t *port)
{
	char *save, *word = strtok_r(line, SPACES, &save), *number, *end;
	unsigned long value;

	if (!word || strcasecmp(word, WORD))
		return -EINVAL;
	number = strtok_r(NULL, SPACES, &save);
	if (!number || *number < '0' || *number > '9' || strtok_r(NULL, SPACES, &save))
		return -EINVAL;
	errno = 0;
	value = strtoul(number, &end, 10);
	if (errno || *end || value >= UINT32_MAX) /* the last one stands for any */
		return -EINVAL;
	*port = (uint32_t)value;
	return 0;
}

static void connect_guest(struct vsock_connection *c)
{
	struct vsock *vsock = c->vsock;
	uint32_t port;

	c->line[c->line_length] = '\0';
	if (memchr(c->line, '\0', c->line_length) || parse_line(c->line, &port)) {
		vsock_connection__abort(c, "the first line must be CONNECT and a port, 0 to 4294967294");
		return;
	}
	vsock->clients--;
	c->state = VSOCK_REQUESTED;
	vsock_connection__name(c, choose_port(vsock, port), port);
	vsock_connection__expect(c);
	vsock_connection__owe(c, VSOCK_OWE_REQUEST);
	vsock_connection__settle(c);
	vsock_client__arm(vsock);
}

/* Bytes up to the end of the line are taken out of the socket, those behind it are the guest's. */
void vsock_client__read(struct vsock_connection *c)
{
	char *at = c->line + c->line_length, *end;
	struct iovec room = { at, sizeof(c->line) - 1 - c->line_length };
	ssize_t n = vsock_host__peek(c->fd, at, room.iov_len);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		vsock_connection__abort(c, "");
		return;
	}
	end = memchr(at, '\n', (size_t)n);
	room.iov_len = end ? (size_t)(end - at) + 1 : (size_t)n;
	n = vsock_host__receive(c->fd, &room, 1);
	if (n != (ssize_t)room.iov_len) {
		vsock_connection__abort(c, "");
		return;
	}
	c->line_length = (uint8_t)(c->line_length + n);
	if (end)
		connect_guest(c);
	else if (c->line_length == sizeof(c->line) - 1)
		vsock_connection__abort(c, "the first line is too long");
}
