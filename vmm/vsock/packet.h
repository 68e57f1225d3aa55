/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of virtio sockets as they lie in guest memory (virtio 1.2, 5.10.6); little endian. */
#ifndef VMM_VSOCK_PACKET_H
#define VMM_VSOCK_PACKET_H

#include <stdint.h>

#define VSOCK_HOST_CID 2u
/* Identifiers of guests lie between these (5.10.4). */
#define VSOCK_GUEST_CID_LEAST 3u
#define VSOCK_GUEST_CID_MOST 0xfffffffeu

struct vsock_header {
	uint64_t from_cid, to_cid;
	uint32_t from_port, to_port;
	uint32_t length; /* of the data behind */
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt; /* credit (5.10.6.3) */
} __attribute__((packed));

#define VSOCK_HEADER_BYTES 44u

_Static_assert(sizeof(struct vsock_header) == VSOCK_HEADER_BYTES, "virtio 1.2, 5.10.6");

#define VSOCK_TYPE_STREAM 1u

enum vsock_op {
	VSOCK_OP_REQUEST = 1,
	VSOCK_OP_RESPONSE = 2,
	VSOCK_OP_RST = 3,
	VSOCK_OP_SHUTDOWN = 4,
	VSOCK_OP_RW = 5,
	VSOCK_OP_CREDIT_UPDATE = 6,
	VSOCK_OP_CREDIT_REQUEST = 7,
};

/* Flags of VSOCK_OP_SHUTDOWN: what its sender will not do any more. */
#define VSOCK_SHUT_RECEIVE 1u
#define VSOCK_SHUT_SEND 2u
#define VSOCK_SHUT_BOTH 3u

#endif
