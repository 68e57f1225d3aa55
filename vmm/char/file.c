/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output to a file (or device, or FIFO with a reader); no input. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/char/stream.h"

struct file_state {
	bool made; /* by us: it was not there before */
	char path[];
};

#define OPEN_FLAGS (O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* A descriptor, or -errno. Neither makes anything that it does not note, nor empties anything. */
static int open_path(struct file_state *state)
{
	int fd = open(state->path, OPEN_FLAGS);

	if (fd < 0 && errno == ENOENT) {
		fd = open(state->path, OPEN_FLAGS | O_CREAT | O_EXCL, 0666);
		state->made = fd >= 0;
		/* Somebody else was faster, or it is a symbolic link to nothing yet. */
		if (fd < 0 && errno == EEXIST)
			fd = open(state->path, OPEN_FLAGS | O_CREAT, 0666);
	}
	return fd < 0 ? -errno : fd;
}

static int open_file(struct char_backend *backend, const char *path, char *error,
		     size_t error_size)
{
	struct file_state *state;
	int fd, err;

	if (!*path) {
		snprintf(error, error_size, "console file: the path is missing; must be file:PATH");
		return -EINVAL;
	}
	state = calloc(1, sizeof(*state) + strlen(path) + 1);
	if (!state) {
		snprintf(error, error_size, "console file:%s: out of memory", path);
		return -ENOMEM;
	}
	strcpy(state->path, path);
	fd = open_path(state);
	if (fd < 0) {
		err = fd;
		free(state);
		snprintf(error, error_size, "console file:%s: cannot be written: %s", path,
			 err == -ENXIO ? "nobody reads this FIFO" : strerror(-err));
		return err;
	}
	err = char_stream__attach(backend, -1, fd);
	if (err) {
		snprintf(error, error_size, "console file:%s: %s", path, strerror(-err));
		if (state->made)
			unlink(path);
		free(state);
		return err;
	}
	backend->private = state;
	return 0;
}

static void start_file(struct char_backend *backend)
{
	/* A device or a FIFO refuses, and has nothing to empty. */
	if (ftruncate(backend->out_fd, 0) < 0)
		return;
}

static void close_file(struct char_backend *backend)
{
	struct file_state *state = backend->private;

	if (!backend->started && state->made)
		unlink(state->path);
	free(state);
}

static void do_nothing(struct char_backend *backend)
{
}

const struct char_class char_class_file = {
	.prefix = "file:",
	.open = open_file,
	.close = close_file,
	.start = start_file,
	.hung_up = do_nothing,
};
