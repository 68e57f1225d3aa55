/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's side of virtio sockets: UNIX stream sockets, none of which ever waits. */
#ifndef VMM_VSOCK_HOST_H
#define VMM_VSOCK_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Whether sockets can be at `path` and at "path_P" for every port P. */
bool vsock_host__path_fits(const char *path);

/* Each returns a descriptor or -errno. A socket file that nobody listens on is replaced. */
int vsock_host__listen(const char *path);
int vsock_host__accept(int listener);
/* To "path_port". -EAGAIN: the listener has no room for another now. */
int vsock_host__connect(const char *path, uint32_t port);
void vsock_host__close_listener(int fd, const char *path);
void vsock_host__close(int fd);

/* Bytes, or -errno: -EAGAIN if there is nothing, or no room. Receiving 0: the peer's end. */
ssize_t vsock_host__receive(int fd, const struct iovec *room, unsigned count);
ssize_t vsock_host__send(int fd, const struct iovec *data, unsigned count);
/* As vsock_host__receive(), and leaves the bytes where they are. */
ssize_t vsock_host__peek(int fd, void *buf, size_t size);

/* The peer reads the end, or its writes fail. */
void vsock_host__shut_sending(int fd);
void vsock_host__shut_receiving(int fd);
/* Whether the peer has closed both ways, or its socket. */
bool vsock_host__has_hung_up(int fd);

#endif
