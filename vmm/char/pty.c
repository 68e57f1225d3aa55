/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pseudo-terminal. While nobody has its other end open, output is dropped; the kernel tells of
 * an opener only by the absence of a hang-up, so that is looked for now and then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/char/stream.h"

#define LOOK_INTERVAL_NS 100000000ull

struct pty_state {
	int master;
	struct loop_timer *timer;
};

/* Raw, so that what the guest sends is what a reader gets. -errno. Leaves it hung up. */
static int prepare_slave(int master, char *name, size_t size)
{
	struct termios mode;
	int slave, err;

	if (grantpt(master) < 0 || unlockpt(master) < 0)
		return -errno;
	err = ptsname_r(master, name, size);
	if (err)
		return -err;
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	if (!tcgetattr(slave, &mode)) {
		cfmakeraw(&mode);
		tcsetattr(slave, TCSANOW, &mode);
	}
	close(slave);
	return 0;
}

static void look_for_opener(void *opaque)
{
	struct char_backend *backend = opaque;
	struct pty_state *state = backend->private;
	struct pollfd poll_fd = { .fd = state->master, .events = POLLIN | POLLOUT };
	int in_fd, out_fd;

	if (poll(&poll_fd, 1, 0) < 0 || poll_fd.revents & POLLHUP) {
		loop__timer_arm(state->timer, loop__now() + LOOK_INTERVAL_NS);
		return;
	}
	in_fd = fcntl(state->master, F_DUPFD_CLOEXEC, 0);
	out_fd = fcntl(state->master, F_DUPFD_CLOEXEC, 0);
	if (char_stream__attach(backend, in_fd, out_fd))
		loop__timer_arm(state->timer, loop__now() + LOOK_INTERVAL_NS);
	else if (backend->events.opened)
		backend->events.opened(backend->events.opaque);
}

static int open_pty(struct char_backend *backend, const char *rest, char *error, size_t error_size)
{
	struct pty_state *state = calloc(1, sizeof(*state));
	char name[64];
	int err;

	if (!state) {
		err = -ENOMEM;
		goto fail;
	}
	backend->private = state;
	state->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (state->master < 0) {
		err = -errno;
		goto free_state;
	}
	err = fcntl(state->master, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno : 0;
	if (!err)
		err = prepare_slave(state->master, name, sizeof(name));
	if (!err)
		err = loop__timer(backend->loop, look_for_opener, backend, &state->timer);
	if (err)
		goto close_master;
	loop__timer_arm(state->timer, 0);
	fprintf(stderr, "trivet: console pty: %s\n", name);
	return 0;
close_master:
	close(state->master);
free_state:
	free(state);
fail:
	snprintf(error, error_size, "console pty: cannot make a pseudo-terminal: %s", strerror(-err));
	return err;
}

static void close_pty(struct char_backend *backend)
{
	struct pty_state *state = backend->private;

	loop__timer_free(state->timer);
	close(state->master);
	free(state);
}

static void lose_opener(struct char_backend *backend)
{
	struct pty_state *state = backend->private;

	char_stream__detach(backend);
	loop__timer_arm(state->timer, loop__now() + LOOK_INTERVAL_NS);
	if (backend->events.writable)
		backend->events.writable(backend->events.opaque);
	if (backend->events.closed)
		backend->events.closed(backend->events.opaque);
}

const struct char_class char_class_pty = {
	.prefix = "pty",
	.has_peers = true,
	.open = open_pty,
	.close = close_pty,
	.hung_up = lose_opener,
};
