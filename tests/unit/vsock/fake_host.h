/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UNIX sockets in memory: the functions of vmm/vsock/host.h for tests, whose side of each socket is the
 * peer's. Descriptors are from FAKE_HOST_FD on; what a watch of one would report is asked for.
 */
#ifndef TESTS_UNIT_VSOCK_FAKE_HOST_H
#define TESTS_UNIT_VSOCK_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_HOST_FD 0x10000
#define FAKE_HOST_SOCKETS 2048
#define FAKE_HOST_LISTENER (FAKE_HOST_FD + FAKE_HOST_SOCKETS)

struct fake_socket {
	bool accepted;		       /* the device has it */
	bool closed;		       /* by the device */
	bool shut_sending, shut_receiving; /* by the device */
	bool peer_sending_shut, peer_closed;
	char *to_device, *from_device; /* bytes on their way, and all that came */
	size_t to_count, from_count, room;
};

/* Everything is forgotten. */
void fake_host__reset(void);
/* Somebody listens at the port, or nobody any more. */
void fake_host__set_listening(uint32_t port, bool on);
/* A client waits to be accepted. Its number. */
unsigned fake_host__dial(void);
unsigned fake_host__waiting(void);
/* accept() fails with this error, 0: it works. */
void fake_host__fail_accept(int err);
/* The socket that was made last, by either side. */
unsigned fake_host__last(void);
struct fake_socket *fake_host__socket(unsigned number);
void fake_host__send(unsigned number, const void *bytes, size_t size);
/* Sockets that the device has open. */
unsigned fake_host__open(void);
/* LOOP_* */
uint32_t fake_host__ready(int fd);

#endif
