/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character back ends by name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/char/stream.h"

static const struct char_class *const classes[] = {
	&char_class_stdio, &char_class_pty, &char_class_file, &char_class_unix, &char_class_none,
};

/* What follows the class's name in `spec`, or NULL if it names another one. */
static const char *match_class(const struct char_class *class, const char *spec)
{
	size_t len = strlen(class->prefix);

	if (strncmp(spec, class->prefix, len))
		return NULL;
	if (class->prefix[len - 1] != ':' && spec[len])
		return NULL;
	return spec + len;
}

static int open_class(const struct char_class *class, const char *rest, struct loop *loop,
		      struct char_backend **out, char *error, size_t error_size)
{
	struct char_backend *backend = calloc(1, sizeof(*backend));
	int err;

	if (!backend) {
		snprintf(error, error_size, "console %s: out of memory", class->prefix);
		return -ENOMEM;
	}
	backend->class = class;
	backend->loop = loop;
	backend->in_fd = -1;
	backend->out_fd = -1;
	pthread_mutex_init(&backend->lock, NULL);
	err = class->open(backend, rest, error, error_size);
	if (err) {
		pthread_mutex_destroy(&backend->lock);
		free(backend);
		return err;
	}
	*out = backend;
	return 0;
}

int char__open(const char *spec, struct loop *loop, struct char_backend **out, char *error,
	       size_t error_size)
{
	unsigned i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		const char *rest = match_class(classes[i], spec);

		if (rest)
			return open_class(classes[i], rest, loop, out, error, error_size);
	}
	snprintf(error, error_size,
		 "console %s: unknown; must be stdio, pty, file:PATH, unix:PATH or none", spec);
	return -EINVAL;
}

void char__close(struct char_backend *backend)
{
	if (!backend)
		return;
	char_stream__drain(backend);
	backend->class->close(backend);
	char_stream__detach(backend);
	pthread_mutex_destroy(&backend->lock);
	free(backend->out);
	free(backend);
}

void char__start(struct char_backend *backend)
{
	if (!backend->started && backend->class->start)
		backend->class->start(backend);
	backend->started = true;
}

void char__set_events(struct char_backend *backend, const struct char_events *events)
{
	backend->events = *events;
}

bool char__is_open(struct char_backend *backend)
{
	bool open;

	pthread_mutex_lock(&backend->lock);
	open = !backend->class->has_peers || backend->out_fd >= 0;
	pthread_mutex_unlock(&backend->lock);
	return open;
}

static int open_none(struct char_backend *backend, const char *rest, char *error,
		     size_t error_size)
{
	return 0;
}

static void do_nothing(struct char_backend *backend)
{
}

const struct char_class char_class_none = {
	.prefix = "none",
	.open = open_none,
	.close = do_nothing,
	.hung_up = do_nothing,
};
