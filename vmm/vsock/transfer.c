/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes through a connection of virtio sockets: data, credit, packets (virtio 1.2, 5.10.6). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vmm/vsock/connection.h"
#include "vmm/vsock/host.h"

/* Data in one packet. */
#define PACKET_MOST (64u << 10)
/* The guest is told of this much new room without being asked. */
#define NEWS_BYTES (VSOCK_BUFFER_BYTES / 4)

_Static_assert((VSOCK_BUFFER_BYTES & (VSOCK_BUFFER_BYTES - 1)) == 0, "counts go round with it");

/* ---- from the guest to the host ---- */

static void note_room(struct vsock_connection *c)
{
	if (c->forwarded - c->forwarded_told >= NEWS_BYTES && c->state == VSOCK_OPEN)
		vsock_connection__owe(c, VSOCK_OWE_CREDIT_UPDATE);
}

/* Nobody on the host reads any more; what comes is thrown away. */
static void lose_reader(struct vsock_connection *c)
{
	c->host_shut |= VSOCK_SHUT_RECEIVE;
	c->forwarded = c->received;
	if (c->state == VSOCK_OPEN)
		vsock_connection__owe(c, VSOCK_OWE_SHUTDOWN);
}

/* Bytes that the host has taken, not more than are there. */
static uint32_t send_some(struct vsock_connection *c, const struct iovec *data, unsigned count)
{
	ssize_t n = vsock_host__send(c->fd, data, count);

	if (n >= 0)
		return (uint32_t)n;
	if (n != -EAGAIN)
		lose_reader(c);
	return 0;
}

void vsock_connection__flush(struct vsock_connection *c)
{
	uint32_t at = c->forwarded % VSOCK_BUFFER_BYTES, size = vsock_connection__buffered(c);
	uint32_t first = MIN_OF(size, VSOCK_BUFFER_BYTES - at);
	const struct iovec data[] = { { c->buffer + at, first }, { c->buffer, size - first } };

	/* Sending may find that nobody reads, which changes the count as well. */
	size = send_some(c, data, 2);
	c->forwarded += size;
	note_room(c);
}

static void keep_bytes(struct vsock_connection *c, uint32_t *at, const uint8_t *bytes, size_t size)
{
	uint32_t offset = *at % VSOCK_BUFFER_BYTES;
	size_t first = MIN_OF(size, VSOCK_BUFFER_BYTES - offset);

	memcpy(c->buffer + offset, bytes, first);
	memcpy(c->buffer, bytes + first, size - first);
	*at += (uint32_t)size;
}

/* Keeps all but the first `skip` bytes. There is room. */
static void keep(struct vsock_connection *c, const struct iovec *data, unsigned count, size_t skip,
		 uint32_t at)
{
	if (!c->buffer)
		c->buffer = malloc(VSOCK_BUFFER_BYTES);
	if (!c->buffer) {
		c->failed = true;
		return;
	}
	for (; count; data++, count--) {
		size_t over = MIN_OF(skip, data->iov_len);

		keep_bytes(c, &at, (const uint8_t *)data->iov_base + over, data->iov_len - over);
		skip -= over;
	}
}

void vsock_connection__take(struct vsock_connection *c, const struct iovec *data, unsigned count,
			    uint32_t length)
{
	uint32_t waiting = vsock_connection__buffered(c), at = c->received, taken = 0;

	if (c->guest_shut & VSOCK_SHUT_SEND || length > VSOCK_BUFFER_BYTES - waiting) {
		c->failed = true; /* it has said otherwise, or has no credit for this */
		return;
	}
	c->received += length;
	if (length && !waiting && !(c->host_shut & VSOCK_SHUT_RECEIVE))
		taken = send_some(c, data, count);
	c->forwarded += taken;
	if (c->host_shut & VSOCK_SHUT_RECEIVE)
		c->forwarded = c->received;
	else if (taken < length)
		keep(c, data, count, taken, at + taken);
	note_room(c);
}

/* ---- from the host to the guest ---- */

uint32_t vsock_connection__credit(const struct vsock_connection *c)
{
	/* More than was sent cannot have been forwarded: a large number of bytes on their way. */
	uint32_t on_the_way = c->sent - c->guest_forwarded;

	return on_the_way < c->guest_alloc ? c->guest_alloc - on_the_way : 0;
}

/* The socket's end: of its data, or of all. */
static void note_end(struct vsock_connection *c)
{
	c->host_shut |= vsock_host__has_hung_up(c->fd) ? VSOCK_SHUT_BOTH : VSOCK_SHUT_SEND;
	c->owes |= VSOCK_OWE_SHUTDOWN;
}

static size_t limit_room(const struct iovec *room, unsigned count, size_t most, struct iovec *out,
			 unsigned *pieces)
{
	size_t total = 0;

	for (*pieces = 0; *pieces < count && total < most; ++*pieces) {
		out[*pieces] = room[*pieces];
		out[*pieces].iov_len = MIN_OF(out[*pieces].iov_len, most - total);
		total += out[*pieces].iov_len;
	}
	return total;
}

/* Bytes read from the socket; 0: none, and what is owed says why. */
static uint32_t receive(struct vsock_connection *c, const struct iovec *room, unsigned count)
{
	struct iovec pieces[VSOCK_PIECES_MOST];
	unsigned nr_pieces;
	size_t size = limit_room(room, MIN_OF(count, VSOCK_PIECES_MOST),
				 MIN_OF(vsock_connection__credit(c), PACKET_MOST), pieces, &nr_pieces);
	ssize_t n = -EAGAIN;

	if (size && vsock_connection__reads_host(c))
		n = vsock_host__receive(c->fd, pieces, nr_pieces);
	if (n == (ssize_t)size && n < vsock_connection__credit(c)) {
		c->sent += (uint32_t)n;
		return (uint32_t)n; /* there may be more */
	}
	c->owes &= (uint8_t)~VSOCK_OWE_DATA;
	if (n > 0) {
		c->sent += (uint32_t)n;
		if (!vsock_connection__credit(c))
			c->owes |= VSOCK_OWE_CREDIT_REQUEST;
		return (uint32_t)n;
	}
	if (!n)
		note_end(c);
	else if (n != -EAGAIN)
		c->failed = true;
	return 0;
}

static void fill_header(struct vsock_connection *c, struct vsock_header *header, enum vsock_op op)
{
	*header = (struct vsock_header){ .from_cid = VSOCK_HOST_CID,
					 .to_cid = c->vsock->options.cid,
					 .from_port = c->host_port,
					 .to_port = c->guest_port,
					 .type = VSOCK_TYPE_STREAM,
					 .op = (uint16_t)op,
					 .buf_alloc = VSOCK_BUFFER_BYTES,
					 .fwd_cnt = c->forwarded };
	c->forwarded_told = c->forwarded;
	c->owes &= (uint8_t)~VSOCK_OWE_CREDIT_UPDATE;
}

bool vsock_connection__give(struct vsock_connection *c, struct vsock_header *header,
			    const struct iovec *room, unsigned count)
{
	static const uint16_t ops[][2] = {
		{ VSOCK_OWE_REQUEST, VSOCK_OP_REQUEST },
		{ VSOCK_OWE_RESPONSE, VSOCK_OP_RESPONSE },
		{ VSOCK_OWE_CREDIT_UPDATE, VSOCK_OP_CREDIT_UPDATE },
		{ VSOCK_OWE_CREDIT_REQUEST, VSOCK_OP_CREDIT_REQUEST },
		{ VSOCK_OWE_SHUTDOWN, VSOCK_OP_SHUTDOWN },
	};
	uint32_t length;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(ops); i++) {
		if (!(c->owes & ops[i][0]))
			continue;
		c->owes &= (uint8_t)~ops[i][0];
		c->asked |= ops[i][1] == VSOCK_OP_REQUEST;
		fill_header(c, header, ops[i][1]);
		header->flags = ops[i][1] == VSOCK_OP_SHUTDOWN ? c->host_shut : 0;
		return true;
	}
	if (!(c->owes & VSOCK_OWE_DATA))
		return false;
	length = receive(c, room, count);
	if (!length)
		return false;
	fill_header(c, header, VSOCK_OP_RW);
	header->length = length;
	return true;
}
