/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNIX sockets in memory. */
#include "tests/unit/vsock/fake_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vmm/loop/loop.h"
#include "vmm/vsock/host.h"

#define PORTS_MOST 8u

static struct fake_socket sockets[FAKE_HOST_SOCKETS];
static unsigned nr_sockets, accepted_to; /* all below have been accepted, or were made by the device */
static uint32_t ports[PORTS_MOST];
static unsigned nr_ports;
static int accept_error;

static struct fake_socket *of_fd(int fd)
{
	return &sockets[fd - FAKE_HOST_FD];
}

void fake_host__reset(void)
{
	unsigned i;

	for (i = 0; i < nr_sockets; i++) {
		free(sockets[i].to_device);
		free(sockets[i].from_device);
	}
	memset(sockets, 0, nr_sockets * sizeof(sockets[0]));
	nr_sockets = 0;
	accepted_to = 0;
	nr_ports = 0;
	accept_error = 0;
}

void fake_host__set_listening(uint32_t port, bool on)
{
	unsigned i = 0;

	while (i < nr_ports && ports[i] != port)
		i++;
	if (on && i == nr_ports && i < PORTS_MOST)
		ports[nr_ports++] = port;
	else if (!on && i < nr_ports)
		ports[i] = ports[--nr_ports];
}

unsigned fake_host__dial(void)
{
	sockets[nr_sockets] = (struct fake_socket){ .room = SIZE_MAX };
	return nr_sockets++;
}

unsigned fake_host__waiting(void)
{
	unsigned i, count = 0;

	for (i = accepted_to; i < nr_sockets; i++)
		count += !sockets[i].accepted;
	return count;
}

void fake_host__fail_accept(int err)
{
	accept_error = err;
}

unsigned fake_host__last(void)
{
	return nr_sockets - 1;
}

struct fake_socket *fake_host__socket(unsigned number)
{
	return &sockets[number];
}

static void append(char **to, size_t *count, const void *bytes, size_t size)
{
	*to = realloc(*to, *count + size + 1);
	if (!*to)
		abort();
	memcpy(*to + *count, bytes, size);
	*count += size;
	(*to)[*count] = '\0';
}

void fake_host__send(unsigned number, const void *bytes, size_t size)
{
	if (size)
		append(&sockets[number].to_device, &sockets[number].to_count, bytes, size);
}

unsigned fake_host__open(void)
{
	unsigned i, count = 0;

	for (i = 0; i < nr_sockets; i++)
		count += sockets[i].accepted && !sockets[i].closed;
	return count;
}

static bool hung_up(const struct fake_socket *s)
{
	return s->peer_closed || (s->peer_sending_shut && s->shut_sending);
}

uint32_t fake_host__ready(int fd)
{
	const struct fake_socket *s = of_fd(fd);

	if (fd == FAKE_HOST_LISTENER)
		return fake_host__waiting() ? LOOP_IN : 0;
	return (s->to_count || s->peer_sending_shut || s->peer_closed || s->shut_receiving ? LOOP_IN : 0) |
	       (s->room || s->peer_closed ? LOOP_OUT : 0) | (hung_up(s) ? LOOP_HANGUP : 0);
}

/* ---- vmm/vsock/host.h ---- */

bool vsock_host__path_fits(const char *path)
{
	return *path;
}

int vsock_host__listen(const char *path)
{
	return FAKE_HOST_LISTENER;
}

int vsock_host__accept(int listener)
{
	if (accept_error)
		return -accept_error;
	while (accepted_to < nr_sockets && sockets[accepted_to].accepted)
		accepted_to++;
	if (accepted_to == nr_sockets)
		return -EAGAIN;
	sockets[accepted_to].accepted = true;
	return FAKE_HOST_FD + (int)accepted_to++;
}

int vsock_host__connect(const char *path, uint32_t port)
{
	unsigned i;

	for (i = 0; i < nr_ports; i++)
		if (ports[i] == port)
			break;
	if (i == nr_ports || nr_sockets == FAKE_HOST_SOCKETS)
		return -ECONNREFUSED;
	i = fake_host__dial();
	sockets[i].accepted = true;
	return FAKE_HOST_FD + (int)i;
}

void vsock_host__close_listener(int fd, const char *path)
{
}

void vsock_host__close(int fd)
{
	of_fd(fd)->closed = true;
}

/* Reading and leaving the bytes where they are. */
static ssize_t look(struct fake_socket *s, const struct iovec *room, unsigned count)
{
	size_t done = 0, step;

	if (!s->to_count)
		return s->peer_sending_shut || s->peer_closed || s->shut_receiving ? 0 : -EAGAIN;
	for (; count && done < s->to_count; room++, count--) {
		step = MIN_OF(room->iov_len, s->to_count - done);
		memcpy(room->iov_base, s->to_device + done, step);
		done += step;
	}
	return (ssize_t)done;
}

ssize_t vsock_host__receive(int fd, const struct iovec *room, unsigned count)
{
	struct fake_socket *s = of_fd(fd);
	ssize_t n = look(s, room, count);

	if (n > 0) {
		s->to_count -= (size_t)n;
		memmove(s->to_device, s->to_device + n, s->to_count);
	}
	return n;
}

ssize_t vsock_host__send(int fd, const struct iovec *data, unsigned count)
{
	struct fake_socket *s = of_fd(fd);
	size_t done = 0, step;

	if (s->peer_closed || s->shut_sending)
		return -EPIPE;
	if (!s->room)
		return -EAGAIN;
	for (; count && s->room; data++, count--) {
		step = MIN_OF(data->iov_len, s->room);
		append(&s->from_device, &s->from_count, data->iov_base, step);
		s->room -= step;
		done += step;
	}
	return (ssize_t)done;
}

ssize_t vsock_host__peek(int fd, void *buf, size_t size)
{
	const struct iovec room = { buf, size };

	return look(of_fd(fd), &room, 1);
}

void vsock_host__shut_sending(int fd)
{
	of_fd(fd)->shut_sending = true;
}

void vsock_host__shut_receiving(int fd)
{
	of_fd(fd)->shut_receiving = true;
}

bool vsock_host__has_hung_up(int fd)
{
	return hung_up(of_fd(fd));
}
