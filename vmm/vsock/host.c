/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNIX sockets of the host, for virtio sockets. */
#define _GNU_SOURCE
#include "vmm/vsock/host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/loop/unix_listener.h"

#define BACKLOG 128
#define PORT_SUFFIX_MOST (sizeof("_4294967295") - 1)

bool vsock_host__path_fits(const char *path)
{
	return *path && strlen(path) + PORT_SUFFIX_MOST < sizeof(((struct sockaddr_un *)0)->sun_path);
}

int vsock_host__listen(const char *path)
{
	return unix_listener__open(path, BACKLOG);
}

int vsock_host__accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int vsock_host__connect(const char *path, uint32_t port)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s_%u", path, port);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

void vsock_host__close_listener(int fd, const char *path)
{
	unix_listener__close(fd, path);
}

void vsock_host__close(int fd)
{
	close(fd);
}

ssize_t vsock_host__receive(int fd, const struct iovec *room, unsigned count)
{
	ssize_t n = readv(fd, room, (int)count);

	return n < 0 ? -errno : n;
}

ssize_t vsock_host__send(int fd, const struct iovec *data, unsigned count)
{
	/* sendmsg() only reads what the pieces point to. */
	const struct msghdr message = { .msg_iov = (struct iovec *)data, .msg_iovlen = count };
	ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

ssize_t vsock_host__peek(int fd, void *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size, MSG_PEEK | MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

void vsock_host__shut_sending(int fd)
{
	shutdown(fd, SHUT_WR);
}

void vsock_host__shut_receiving(int fd)
{
	shutdown(fd, SHUT_RD);
}

bool vsock_host__has_hung_up(int fd)
{
	struct pollfd poller = { .fd = fd };

	return poll(&poller, 1, 0) > 0 && poller.revents & (POLLHUP | POLLERR);
}
