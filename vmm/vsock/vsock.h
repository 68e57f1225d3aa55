/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio sockets bridged to UNIX sockets of the host: stream connections between ports of the guest
 * and sockets at paths. It knows packets, and neither rings nor guest memory.
 *
 * A guest's connection to port P of the host goes to the socket that listens at "PATH_P". A client
 * that connects to PATH and writes "CONNECT P\n" is connected to port P of the guest and reads
 * "OK N\n", N being the port at the host's end; or a line that starts with "ERROR".
 *
 * All functions are called on the thread of the event loop, or while it does not run.
 */
#ifndef VMM_VSOCK_VSOCK_H
#define VMM_VSOCK_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/vsock/packet.h"

struct loop;
struct vsock;

/* Connections at a time, with those that end or have not said their port yet. */
#define VSOCK_CONNECTIONS_MOST 1024u
/* Data of one connection that waits for the host's reader; what the guest is given credit for. */
#define VSOCK_BUFFER_BYTES (128u << 10)

struct vsock_options {
	uint64_t cid;	  /* the guest's */
	const char *path; /* the caller's, who keeps it */
	struct loop *loop;
	/* There is a packet for the guest (vsock__give()), by an event of the host's. */
	void (*output)(void *opaque);
	void *opaque;
};

/*
 * Listens at the path; nobody is accepted before vsock__start(). 0, or -errno with a line in
 * error[] that starts with the path.
 */
int vsock__open(const struct vsock_options *options, struct vsock **vsock, char *error,
		size_t error_size);
/* NULL is fine. */
void vsock__close(struct vsock *vsock);

/* The guest can be reached. */
void vsock__start(struct vsock *vsock);
/* The guest has forgotten everything: all connections end, and it is told of nothing. */
void vsock__stop(struct vsock *vsock);

/*
 * Takes a packet of the guest's. `data` holds header->length bytes, in `count` pieces, which may
 * change at any time. What the packet asks for may be there afterwards: vsock__has_output().
 */
void vsock__take(struct vsock *vsock, const struct vsock_header *header, const struct iovec *data,
		 unsigned count);

/* Whether vsock__give() is worth calling. */
bool vsock__has_output(const struct vsock *vsock);
/*
 * Fills in the next packet for the guest: its header, and header->length bytes of data in `room`
 * (not empty). False: there is none after all.
 */
bool vsock__give(struct vsock *vsock, struct vsock_header *header, const struct iovec *room,
		 unsigned count);

#endif
