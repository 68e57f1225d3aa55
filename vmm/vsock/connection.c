/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection of virtio sockets: its life, its data, its credit (virtio 1.2, 5.10.6). */
#include "vmm/vsock/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vmm/loop/loop.h"
#include "vmm/vsock/host.h"
#include "vmm/vsock/list.h"

/* Data in one packet. */
#define PACKET_MOST (64u << 10)
/* The guest is told of this much new room without being asked. */
#define NEWS_BYTES (VSOCK_BUFFER_BYTES / 4)

_Static_assert((VSOCK_BUFFER_BYTES & (VSOCK_BUFFER_BYTES - 1)) == 0, "counts go round with it");

/* ---- names ---- */

static struct vsock_connection **bucket_of(struct vsock *vsock, uint32_t host_port,
					   uint32_t guest_port)
{
	return &vsock->bucket[(host_port * 31 + guest_port) % VSOCK_BUCKETS];
}

struct vsock_connection *vsock_connection__find(struct vsock *vsock, uint32_t host_port,
						uint32_t guest_port)
{
	struct vsock_connection *c = *bucket_of(vsock, host_port, guest_port);

	while (c && (c->host_port != host_port || c->guest_port != guest_port))
		c = c->next_in_bucket;
	return c;
}

void vsock_connection__name(struct vsock_connection *c, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_connection **bucket = bucket_of(c->vsock, host_port, guest_port);

	c->host_port = host_port;
	c->guest_port = guest_port;
	c->next_in_bucket = *bucket;
	*bucket = c;
}

/* The guest may use the ports again. */
static void forget_name(struct vsock_connection *c)
{
	struct vsock_connection **at = bucket_of(c->vsock, c->host_port, c->guest_port);

	while (*at && *at != c)
		at = &(*at)->next_in_bucket;
	if (*at)
		*at = c->next_in_bucket;
}

/* ---- what is watched ---- */

static bool reads_host(const struct vsock_connection *c)
{
	return c->state == VSOCK_OPEN && !(c->host_shut & VSOCK_SHUT_SEND) &&
	       !(c->guest_shut & VSOCK_SHUT_RECEIVE);
}

static uint32_t events_of_use(const struct vsock_connection *c)
{
	uint32_t events = 0;

	switch (c->state) {
	case VSOCK_CLIENT:
		return LOOP_IN;
	case VSOCK_REQUESTED:
		return LOOP_HANGUP; /* what it has sent already stays where it is */
	case VSOCK_ENDING:
		return 0;
	case VSOCK_OPEN:
	case VSOCK_LEFT:
		break;
	}
	if (vsock_connection__buffered(c))
		events |= LOOP_OUT;
	if (reads_host(c) && !(c->owes & VSOCK_OWE_DATA) && vsock_connection__credit(c))
		events |= LOOP_IN;
	/* Nothing is read from it any more: that it goes is all that is still of interest. */
	return (events || reads_host(c)) ? events : LOOP_HANGUP;
}

static void watch(struct vsock_connection *c)
{
	uint32_t events = events_of_use(c);

	if (!c->watch || events == c->watched)
		return;
	c->watched = events;
	loop__rewatch(c->watch, events);
}

static void close_socket(struct vsock_connection *c)
{
	if (c->fd < 0)
		return;
	loop__unwatch(c->watch);
	c->watch = NULL;
	vsock_host__close(c->fd);
	c->fd = -1;
}

/* ---- life ---- */

static void flush(struct vsock_connection *c);

static void take_events(struct vsock_connection *c, uint32_t events)
{
	if (vsock_connection__buffered(c) && events & (LOOP_OUT | LOOP_ERROR | LOOP_HANGUP))
		flush(c);
	if (reads_host(c) && events & (LOOP_IN | LOOP_ERROR | LOOP_HANGUP))
		vsock_connection__owe(c, VSOCK_OWE_DATA);
	else if (events & (LOOP_ERROR | LOOP_HANGUP) && c->state == VSOCK_OPEN && !reads_host(c)) {
		c->host_shut = VSOCK_SHUT_BOTH;
		vsock_connection__owe(c, VSOCK_OWE_SHUTDOWN);
	}
	vsock_connection__settle(c);
}

static void on_host(void *opaque, uint32_t events)
{
	struct vsock_connection *c = opaque;
	struct vsock *vsock = c->vsock;

	if (c->state == VSOCK_CLIENT)
		vsock_client__read(c);
	else if (c->state == VSOCK_REQUESTED)
		vsock_connection__abort(c, "");
	else
		take_events(c, events);
	if (vsock__has_output(vsock))
		vsock->options.output(vsock->options.opaque);
}

struct vsock_connection *vsock_connection__create(struct vsock *vsock, enum vsock_state state, int fd)
{
	struct vsock_connection *c;

	if (vsock->connections >= VSOCK_CONNECTIONS_MOST)
		goto close_fd;
	c = calloc(1, sizeof(*c));
	if (!c)
		goto close_fd;
	c->vsock = vsock;
	c->state = state;
	c->fd = fd;
	c->watched = LOOP_IN; /* until it settles */
	if (loop__watch(vsock->options.loop, fd, c->watched, on_host, c, &c->watch))
		goto free_connection;
	vsock_list__append(&vsock->all, &c->all);
	vsock->connections++;
	vsock->clients += state == VSOCK_CLIENT;
	return c;
free_connection:
	free(c);
close_fd:
	vsock_host__close(fd);
	return NULL;
}

void vsock_connection__destroy(struct vsock_connection *c)
{
	struct vsock *vsock = c->vsock;

	forget_name(c);
	close_socket(c);
	vsock_list__remove(&c->all);
	vsock_list__remove(&c->pending);
	vsock_list__remove(&c->waiting);
	vsock->connections--;
	vsock->clients -= c->state == VSOCK_CLIENT;
	free(c->buffer);
	free(c);
	vsock_client__arm(vsock);
}

void vsock_connection__owe(struct vsock_connection *c, uint8_t what)
{
	c->owes |= what;
	if (!c->pending.next)
		vsock_list__append(&c->vsock->pending, &c->pending);
}

void vsock_connection__expect(struct vsock_connection *c)
{
	c->deadline = loop__now() + VSOCK_PATIENCE_NS;
	vsock_list__remove(&c->waiting);
	vsock_list__append(&c->vsock->waiting, &c->waiting);
	vsock__arm_timer(c->vsock);
}

void vsock_connection__abort(struct vsock_connection *c, const char *why)
{
	if (c->state == VSOCK_CLIENT || c->state == VSOCK_REQUESTED)
		vsock_client__refuse(c, why);
	if (c->state == VSOCK_OPEN || c->state == VSOCK_ENDING ||
	    (c->state == VSOCK_REQUESTED && c->asked))
		vsock__push_reset(c->vsock, c->host_port, c->guest_port, VSOCK_TYPE_STREAM);
	vsock_connection__destroy(c);
}

void vsock_connection__leave(struct vsock_connection *c)
{
	c->state = VSOCK_LEFT;
	c->owes = 0;
	forget_name(c);
	vsock_connection__settle(c);
}

static void settle_open(struct vsock_connection *c)
{
	if (c->host_shut == VSOCK_SHUT_BOTH) {
		c->state = VSOCK_ENDING;
		c->forwarded = c->received;
		c->owes &= (uint8_t)~VSOCK_OWE_DATA;
		close_socket(c);
		vsock_connection__expect(c);
	} else if (c->guest_shut & VSOCK_SHUT_SEND && !vsock_connection__buffered(c) &&
		   !c->sending_shut) {
		c->sending_shut = true;
		vsock_host__shut_sending(c->fd);
	}
}

void vsock_connection__settle(struct vsock_connection *c)
{
	if (c->failed) {
		vsock_connection__abort(c, "the guest does not follow the protocol");
		return;
	}
	if (c->state == VSOCK_OPEN)
		settle_open(c);
	/* 5.10.6.6: the guest wants the end, and waits for a reset as its confirmation. */
	if ((c->state == VSOCK_OPEN || c->state == VSOCK_ENDING) &&
	    c->guest_shut == VSOCK_SHUT_BOTH && !vsock_connection__buffered(c)) {
		vsock_connection__abort(c, "");
		return;
	}
	if (c->state == VSOCK_LEFT &&
	    (!vsock_connection__buffered(c) || c->host_shut & VSOCK_SHUT_RECEIVE)) {
		vsock_connection__destroy(c);
		return;
	}
	if (!c->owes)
		vsock_list__remove(&c->pending);
	watch(c);
}

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

static void flush(struct vsock_connection *c)
{
	uint32_t at = c->forwarded % VSOCK_BUFFER_BYTES, size = vsock_connection__buffered(c);
	uint32_t first = MIN_OF(size, VSOCK_BUFFER_BYTES - at);
	const struct iovec data[] = { { c->buffer + at, first }, { c->buffer, size - first } };

	c->forwarded += send_some(c, data, 2);
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
	if (c->host_shut & VSOCK_SHUT_RECEIVE) {
		c->forwarded = c->received;
	} else if (length) {
		if (!waiting)
			taken = send_some(c, data, count);
		if (c->host_shut & VSOCK_SHUT_RECEIVE)
			return;
		c->forwarded += taken;
		if (taken < length)
			keep(c, data, count, taken, at + taken);
	}
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

	if (size && reads_host(c))
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
