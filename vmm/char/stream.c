/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buffered, flow-controlled streams over file descriptors. */
#include "vmm/char/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>

#define DRAIN_PATIENCE_MS 10000

/* Writes what the descriptor takes now. Bytes written, or -errno. */
static ssize_t write_some(struct char_backend *backend, const uint8_t *buf, size_t len)
{
	struct pollfd poll_fd = { .fd = backend->out_fd, .events = POLLOUT };
	ssize_t done;

	if (backend->out_blocks) {
		if (poll(&poll_fd, 1, 0) <= 0)
			return -EAGAIN;
		len = 1;
	}
	do
		done = write(backend->out_fd, buf, len);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

/* Moves the ring towards the descriptor. 0, -EAGAIN (more is left), or the peer is gone. */
static int flush_ring(struct char_backend *backend)
{
	while (backend->out_count) {
		unsigned run = CHAR_OUT_BYTES - backend->out_start;
		ssize_t done = write_some(backend, backend->out + backend->out_start,
					  run < backend->out_count ? run : backend->out_count);

		if (done < 0)
			return (int)done;
		backend->out_start = (backend->out_start + (unsigned)done) % CHAR_OUT_BYTES;
		backend->out_count -= (unsigned)done;
	}
	return 0;
}

static size_t append_ring(struct char_backend *backend, const uint8_t *buf, size_t len)
{
	size_t i;

	if (!backend->out)
		backend->out = malloc(CHAR_OUT_BYTES);
	if (!backend->out)
		return 0;
	if (len > CHAR_OUT_BYTES - backend->out_count)
		len = CHAR_OUT_BYTES - backend->out_count;
	for (i = 0; i < len; i++)
		backend->out[(backend->out_start + backend->out_count + i) % CHAR_OUT_BYTES] = buf[i];
	backend->out_count += (unsigned)len;
	return len;
}

/* Nobody will read it: output is accepted and goes nowhere. */
static void drop_output(struct char_backend *backend)
{
	backend->out_count = 0;
	if (backend->out_watch)
		loop__rewatch(backend->out_watch, 0);
}

static size_t write_locked(struct char_backend *backend, const uint8_t *buf, size_t len)
{
	size_t done = 0;

	if (backend->out_fd < 0)
		return len;
	while (done < len && !backend->out_count) {
		ssize_t step = write_some(backend, buf + done, len - done);

		if (step == -EAGAIN)
			break;
		if (step < 0) {
			drop_output(backend);
			return len;
		}
		done += (size_t)step;
	}
	if (done < len) {
		done += append_ring(backend, buf + done, len - done);
		if (backend->out_watch)
			loop__rewatch(backend->out_watch, LOOP_OUT);
	}
	return done;
}

size_t char__write(struct char_backend *backend, const void *buf, size_t len)
{
	size_t done;

	pthread_mutex_lock(&backend->lock);
	done = write_locked(backend, buf, len);
	if (done < len)
		backend->device_waits = true;
	pthread_mutex_unlock(&backend->lock);
	return done;
}

void char_stream__put(struct char_backend *backend, const char *text)
{
	write_locked(backend, (const uint8_t *)text, strlen(text));
}

/* Reads what there is into the buffer. Bytes, 0 at the end, -EAGAIN, or the peer is gone. */
static ssize_t fill_buffer(struct char_backend *backend)
{
	uint8_t fresh[CHAR_IN_BYTES];
	size_t room = CHAR_IN_BYTES - backend->in_count, got, i;
	ssize_t done;

	do
		done = read(backend->in_fd, fresh, backend->in_drops ? sizeof(fresh) : room);
	while (done < 0 && errno == EINTR);
	if (done <= 0)
		return done < 0 ? -errno : 0;
	got = (size_t)done;
	if (backend->class->filter)
		got = backend->class->filter(backend, fresh, got);
	if (got > room)
		got = room;
	for (i = 0; i < got; i++)
		backend->in[(backend->in_start + backend->in_count + i) % CHAR_IN_BYTES] = fresh[i];
	backend->in_count += (unsigned)got;
	return done;
}

static void take_bytes(struct char_backend *backend, uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = backend->in[(backend->in_start + i) % CHAR_IN_BYTES];
	backend->in_start = (backend->in_start + (unsigned)len) % CHAR_IN_BYTES;
	backend->in_count -= (unsigned)len;
}

size_t char__read(struct char_backend *backend, void *buf, size_t len)
{
	pthread_mutex_lock(&backend->lock);
	/* A regular file: nothing tells when to read it, so read when asked. */
	if (!backend->in_count && backend->in_fd >= 0 && !backend->in_watch &&
	    fill_buffer(backend) == 0) {
		close(backend->in_fd);
		backend->in_fd = -1;
	}
	if (len > backend->in_count)
		len = backend->in_count;
	take_bytes(backend, buf, len);
	if (backend->in_stopped && backend->in_count <= CHAR_IN_BYTES / 2) {
		backend->in_stopped = false;
		loop__rewatch(backend->in_watch, LOOP_IN);
	}
	pthread_mutex_unlock(&backend->lock);
	return len;
}

static void on_input(void *opaque, uint32_t events)
{
	struct char_backend *backend = opaque;
	const struct char_events *device = &backend->events;
	ssize_t done = -EAGAIN;
	bool readable, quit;

	pthread_mutex_lock(&backend->lock);
	if (!backend->in_stopped && backend->in_fd >= 0)
		done = fill_buffer(backend);
	if (backend->in_count == CHAR_IN_BYTES && !backend->in_drops && !backend->in_stopped) {
		backend->in_stopped = true;
		loop__rewatch(backend->in_watch, 0);
	}
	readable = backend->in_count != 0;
	quit = backend->quit_asked;
	backend->quit_asked = false;
	pthread_mutex_unlock(&backend->lock);

	if (readable && device->readable)
		device->readable(device->opaque);
	if (quit && device->quit)
		device->quit(device->opaque);
	if (done <= 0 && done != -EAGAIN)
		backend->class->hung_up(backend);
}

static void on_output(void *opaque, uint32_t events)
{
	struct char_backend *backend = opaque;
	bool tell;
	int err;

	pthread_mutex_lock(&backend->lock);
	err = flush_ring(backend);
	if (err && err != -EAGAIN)
		drop_output(backend);
	else if (!backend->out_count)
		loop__rewatch(backend->out_watch, 0);
	tell = backend->device_waits && backend->out_count < CHAR_OUT_BYTES / 2;
	if (tell)
		backend->device_waits = false;
	pthread_mutex_unlock(&backend->lock);
	if (tell && backend->events.writable)
		backend->events.writable(backend->events.opaque);
}

static int watch_fd(struct char_backend *backend, int fd, uint32_t events,
		    void (*callback)(void *opaque, uint32_t events), struct loop_watch **watch)
{
	int err = loop__watch(backend->loop, fd, events, callback, backend, watch);

	return err == -EPERM ? 0 : err; /* a regular file or /dev/null: always ready */
}

int char_stream__attach(struct char_backend *backend, int in_fd, int out_fd)
{
	struct loop_watch *in_watch = NULL, *out_watch = NULL;
	int err = 0;

	if (in_fd >= 0)
		err = watch_fd(backend, in_fd, LOOP_IN, on_input, &in_watch);
	if (!err && out_fd >= 0)
		err = watch_fd(backend, out_fd, LOOP_OUT, on_output, &out_watch);
	if (err) {
		loop__unwatch(in_watch);
		if (in_fd >= 0)
			close(in_fd);
		if (out_fd >= 0)
			close(out_fd);
		return err;
	}
	pthread_mutex_lock(&backend->lock);
	backend->in_fd = in_fd;
	backend->out_fd = out_fd;
	backend->in_watch = in_watch;
	backend->out_watch = out_watch;
	backend->in_stopped = false;
	backend->out_blocks = out_fd >= 0 && out_watch && !(fcntl(out_fd, F_GETFL) & O_NONBLOCK);
	pthread_mutex_unlock(&backend->lock);
	return 0;
}

void char_stream__end_input(struct char_backend *backend)
{
	pthread_mutex_lock(&backend->lock);
	loop__unwatch(backend->in_watch);
	backend->in_watch = NULL;
	if (backend->in_fd >= 0)
		close(backend->in_fd);
	backend->in_fd = -1;
	backend->in_stopped = false;
	pthread_mutex_unlock(&backend->lock);
}

void char_stream__detach(struct char_backend *backend)
{
	char_stream__end_input(backend);
	pthread_mutex_lock(&backend->lock);
	loop__unwatch(backend->out_watch);
	backend->out_watch = NULL;
	if (backend->out_fd >= 0)
		close(backend->out_fd);
	backend->out_fd = -1;
	backend->out_start = 0;
	backend->out_count = 0;
	pthread_mutex_unlock(&backend->lock);
}

void char_stream__drain(struct char_backend *backend)
{
	struct pollfd poll_fd = { .fd = backend->out_fd, .events = POLLOUT };
	int err = 0;

	pthread_mutex_lock(&backend->lock);
	while (backend->out_fd >= 0 && (err = flush_ring(backend)) == -EAGAIN)
		if (poll(&poll_fd, 1, DRAIN_PATIENCE_MS) <= 0)
			break;
	pthread_mutex_unlock(&backend->lock);
}
