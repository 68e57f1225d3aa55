/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This process's standard input and output. A terminal goes raw and has an escape key; pipes and
 * files are passed through unchanged, and their end ends the input, not the machine.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/char/stream.h"
#include "vmm/char/terminal.h"

#define ESCAPE 0x01 /* Ctrl-A */

struct stdio_state {
	bool is_terminal;
	bool escaped; /* the key before was Ctrl-A */
};

static atomic_flag in_use = ATOMIC_FLAG_INIT;

/*
 * A descriptor of our own. Terminals and FIFOs are opened anew where that is allowed, so that
 * O_NONBLOCK does not change the file that a shell and others share with us. -1: closed.
 */
static int own_descriptor(int fd, int mode)
{
	char path[40];
	struct stat stat;
	int own = -1;

	if (fstat(fd, &stat) < 0)
		return -1;
	if (S_ISFIFO(stat.st_mode) || isatty(fd)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int open_stdio(struct char_backend *backend, const char *rest, char *error,
		      size_t error_size)
{
	struct stdio_state *state = calloc(1, sizeof(*state));
	int err;

	if (!state) {
		snprintf(error, error_size, "console stdio: out of memory");
		return -ENOMEM;
	}
	if (atomic_flag_test_and_set(&in_use)) {
		snprintf(error, error_size, "console stdio: another console has it already");
		err = -EBUSY;
		goto free_state;
	}
	state->is_terminal = isatty(STDIN_FILENO);
	backend->private = state;
	backend->in_drops = state->is_terminal;
	err = char_stream__attach(backend, own_descriptor(STDIN_FILENO, O_RDONLY),
				  own_descriptor(STDOUT_FILENO, O_WRONLY));
	if (err) {
		snprintf(error, error_size, "console stdio: %s", strerror(-err));
		goto release;
	}
	err = state->is_terminal ? terminal__enter_raw(STDIN_FILENO) : 0;
	if (err) {
		snprintf(error, error_size, "console stdio: terminal: %s", strerror(-err));
		goto detach;
	}
	return 0;
detach:
	char_stream__detach(backend);
release:
	atomic_flag_clear(&in_use);
free_state:
	free(state);
	return err;
}

static void close_stdio(struct char_backend *backend)
{
	terminal__restore();
	free(backend->private);
	atomic_flag_clear(&in_use);
}

static void end_stdio(struct char_backend *backend)
{
	char_stream__end_input(backend);
	if (backend->events.closed)
		backend->events.closed(backend->events.opaque);
}

static void obey_key(struct char_backend *backend, uint8_t key)
{
	switch (key) {
	case 'x':
	case 'X':
		backend->quit_asked = true;
		break;
	case 'h':
	case '?':
		char_stream__put(backend, "\r\nCtrl-A x       leave, the machine is switched off\r\n"
					  "Ctrl-A Ctrl-A  send Ctrl-A\r\n"
					  "Ctrl-A h       this help\r\n");
		break;
	}
}

static size_t filter_keys(struct char_backend *backend, uint8_t *buf, size_t len)
{
	struct stdio_state *state = backend->private;
	size_t kept = 0, i;

	if (!state->is_terminal)
		return len;
	for (i = 0; i < len; i++) {
		if (state->escaped) {
			state->escaped = false;
			if (buf[i] == ESCAPE)
				buf[kept++] = ESCAPE;
			else
				obey_key(backend, buf[i]);
		} else if (buf[i] == ESCAPE) {
			state->escaped = true;
		} else {
			buf[kept++] = buf[i];
		}
	}
	return kept;
}

const struct char_class char_class_stdio = {
	.prefix = "stdio",
	.open = open_stdio,
	.close = close_stdio,
	.hung_up = end_stdio,
	.filter = filter_keys,
};
