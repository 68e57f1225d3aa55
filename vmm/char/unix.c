/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listening UNIX socket: one client at a time is connected to the device. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vmm/char/stream.h"
#include "vmm/loop/unix_listener.h"

struct unix_state {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int listener;
	struct loop_watch *watch;
};

static void accept_client(void *opaque, uint32_t events)
{
	struct char_backend *backend = opaque;
	struct unix_state *state = backend->private;
	int fd = accept4(state->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int out_fd;

	if (fd < 0)
		return;
	out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (char_stream__attach(backend, fd, out_fd))
		return;
	loop__rewatch(state->watch, 0); /* the next one waits in the backlog */
	if (backend->events.opened)
		backend->events.opened(backend->events.opaque);
}

static int listen_at(struct char_backend *backend, struct unix_state *state)
{
	int err;

	state->listener = unix_listener__open(state->path, 1);
	if (state->listener < 0)
		return state->listener;
	err = loop__watch(backend->loop, state->listener, LOOP_IN, accept_client, backend,
			  &state->watch);
	if (err)
		unix_listener__close(state->listener, state->path);
	return err;
}

static int open_unix(struct char_backend *backend, const char *path, char *error,
		     size_t error_size)
{
	struct unix_state *state;
	int err;

	if (!*path || strlen(path) >= sizeof(state->path)) {
		snprintf(error, error_size, "console unix:%s: the path must have 1 to %zu bytes", path,
			 sizeof(state->path) - 1);
		return -EINVAL;
	}
	state = calloc(1, sizeof(*state));
	if (!state) {
		snprintf(error, error_size, "console unix:%s: out of memory", path);
		return -ENOMEM;
	}
	strcpy(state->path, path);
	backend->private = state;
	err = listen_at(backend, state);
	if (err) {
		snprintf(error, error_size, "console unix:%s: cannot listen: %s", path,
			 err == -EADDRINUSE ? "the path exists and is in use; choose another"
					    : strerror(-err));
		free(state);
	}
	return err;
}

static void close_unix(struct char_backend *backend)
{
	struct unix_state *state = backend->private;

	loop__unwatch(state->watch);
	unix_listener__close(state->listener, state->path);
	free(state);
}

static void lose_client(struct char_backend *backend)
{
	struct unix_state *state = backend->private;

	char_stream__detach(backend);
	loop__rewatch(state->watch, LOOP_IN);
	if (backend->events.writable)
		backend->events.writable(backend->events.opaque);
	if (backend->events.closed)
		backend->events.closed(backend->events.opaque);
}

const struct char_class char_class_unix = {
	.prefix = "unix:",
	.has_peers = true,
	.open = open_unix,
	.close = close_unix,
	.hung_up = lose_client,
};
