/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listening UNIX socket: one client at a time is connected to the device. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/char/stream.h"

struct unix_state {
	struct sockaddr_un address;
	int listener;
	struct loop_watch *watch;
};

/* A socket file that nobody listens on is left from a process that died: remove it. */
static void remove_stale(const struct sockaddr_un *address)
{
	struct stat stat;
	int fd;

	if (lstat(address->sun_path, &stat) < 0 || !S_ISSOCK(stat.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	    errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
}

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

	remove_stale(&state->address);
	state->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (state->listener < 0)
		return -errno;
	if (bind(state->listener, (struct sockaddr *)&state->address, sizeof(state->address)) < 0) {
		err = -errno;
		goto close_listener;
	}
	if (listen(state->listener, 1) < 0) {
		err = -errno;
		goto unlink_path;
	}
	err = loop__watch(backend->loop, state->listener, LOOP_IN, accept_client, backend,
			  &state->watch);
	if (err)
		goto unlink_path;
	return 0;
unlink_path:
	unlink(state->address.sun_path);
close_listener:
	close(state->listener);
	return err;
}

static int open_unix(struct char_backend *backend, const char *path, char *error,
		     size_t error_size)
{
	struct unix_state *state;
	int err;

	if (!*path || strlen(path) >= sizeof(state->address.sun_path)) {
		snprintf(error, error_size, "console unix:%s: the path must have 1 to %zu bytes", path,
			 sizeof(state->address.sun_path) - 1);
		return -EINVAL;
	}
	state = calloc(1, sizeof(*state));
	if (!state) {
		snprintf(error, error_size, "console unix:%s: out of memory", path);
		return -ENOMEM;
	}
	state->address.sun_family = AF_UNIX;
	strcpy(state->address.sun_path, path);
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
	close(state->listener);
	unlink(state->address.sun_path);
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
