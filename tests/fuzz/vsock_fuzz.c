/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: virtio sockets without rings: packets of a guest, what peers on the host do, and time.
 *
 * Input: a byte that chooses what happens, and its arguments, again and again.
 */
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vsock/fake_host.h"
#include "tests/unit/vsock/fake_loop.h"
#include "vmm/vsock/connection.h"

#define CID 3
#define SERVICE 1

static struct vsock *vsock;

static void note_output(void *opaque)
{
}

static void start(void)
{
	static const struct vsock_options options = { .cid = CID, .path = "x", .output = note_output };
	char error[200];

	if (!vsock)
		FUZZ_CHECK(!vsock__open(&options, &vsock, error, sizeof(error)));
	vsock__stop(vsock);
	fake_loop__run(); /* what was closed is not looked at any more */
	fake_host__reset();
	fake_host__set_listening(SERVICE, true);
	vsock->next_port = 0;
	vsock__start(vsock);
}

/* A few ports of each side, some of them those of clients. */
static u32 take_host_port(struct fuzz_input *in)
{
	u8 how = (u8)fuzz__take(in, 1);

	return how < 0xc0 ? SERVICE + (how >> 7) : (1u << 30) + (how & 7);
}

static void send_packet(struct fuzz_input *in, u8 what)
{
	static u8 data[VSOCK_BUFFER_BYTES + 1];
	struct vsock_header header = { .from_cid = CID,
				       .to_cid = VSOCK_HOST_CID,
				       .from_port = what >> 4 & 7,
				       .to_port = take_host_port(in),
				       .type = VSOCK_TYPE_STREAM,
				       .op = (u16)(fuzz__take(in, 1) % 9) };
	struct iovec piece = { data, 0 };

	header.flags = (u32)fuzz__take(in, 1);
	header.buf_alloc = (u32)fuzz__take(in, 2) << (what >> 7) * 8;
	header.fwd_cnt = (u32)fuzz__take(in, 2);
	if (header.op == VSOCK_OP_RW)
		header.length = (u32)(fuzz__take(in, 2) << 2) % (VSOCK_BUFFER_BYTES + 2);
	piece.iov_len = header.length;
	vsock__take(vsock, &header, &piece, header.length != 0);
}

static void receive_packets(unsigned count)
{
	static u8 data[4096];
	const struct iovec room = { data, sizeof(data) };
	struct vsock_header header;

	while (count-- && vsock__give(vsock, &header, &room, 1)) {
		FUZZ_CHECK(header.length <= sizeof(data));
		FUZZ_CHECK(header.op >= VSOCK_OP_REQUEST && header.op <= VSOCK_OP_CREDIT_REQUEST);
		FUZZ_CHECK(header.length == 0 || header.op == VSOCK_OP_RW);
		FUZZ_CHECK(header.op != VSOCK_OP_RW || header.length);
	}
}

static void act_as_peer(struct fuzz_input *in, u8 what)
{
	static const u8 much[300000];
	unsigned count = fake_host__last() + 1;
	struct fake_socket *peer;
	char line[48];
	size_t size;

	if (!(what >> 4 & 7)) {
		if (count < FAKE_HOST_SOCKETS)
			fake_host__dial();
		return;
	}
	if (!count)
		return;
	count = (unsigned)fuzz__take(in, 1) % count;
	peer = fake_host__socket(count);
	switch (what >> 4 & 7) {
	case 1:
		size = (size_t)snprintf(line, sizeof(line), "CONNECT %u\n", (u32)fuzz__take(in, 1) & 7);
		fake_host__send(count, line, size);
		break;
	case 2:
		size = fuzz__fill(in, line, fuzz__take(in, 1) % sizeof(line));
		fake_host__send(count, line, size);
		break;
	case 3:
		peer->peer_sending_shut = true;
		break;
	case 4:
		peer->peer_closed = true;
		break;
	case 5:
		peer->room = fuzz__take(in, 2) << 4;
		break;
	case 6:
		fake_host__send(count, much, fuzz__take(in, 2) << 2);
		break;
	default:
		fake_host__set_listening(SERVICE, what & 0x80);
	}
}

/* The lists agree with the counts. */
static void check(void)
{
	const struct vsock_link *link;
	unsigned count = 0, sockets = 0, clients = 0;

	for (link = vsock->all.next; link != &vsock->all; link = link->next) {
		const struct vsock_connection *c = container_of_type(link, struct vsock_connection, all);

		count++;
		clients += c->state == VSOCK_CLIENT;
		sockets += c->fd >= 0;
		FUZZ_CHECK(!c->owes == !c->pending.next);
		FUZZ_CHECK(vsock_connection__buffered(c) <= VSOCK_BUFFER_BYTES);
		FUZZ_CHECK((c->fd < 0) == (c->state == VSOCK_ENDING));
		FUZZ_CHECK(!!c->waiting.next == (c->state == VSOCK_CLIENT || c->state == VSOCK_REQUESTED ||
						 c->state == VSOCK_ENDING));
	}
	FUZZ_CHECK(count == vsock->connections && clients == vsock->clients);
	FUZZ_CHECK(sockets == fake_host__open());
}

static void happen(struct fuzz_input *in, u8 what)
{
	switch (what & 0xf) {
	case 0:
	case 1:
	case 2:
	case 3:
		send_packet(in, what);
		break;
	case 4:
	case 5:
		receive_packets(what >> 4);
		break;
	case 6:
		fake_loop__run();
		break;
	case 7:
		fake_loop__advance(fuzz__take(in, 1) * 200000000ull);
		break;
	case 8:
		fake_host__fail_accept(what & 0x10 ? 24 /* EMFILE */ : 0);
		break;
	case 9:
		if (what == 0x99)
			vsock__stop(vsock);
		else
			vsock__start(vsock);
		break;
	default:
		act_as_peer(in, what);
	}
	check();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };

	start();
	while (in.left)
		happen(&in, (u8)fuzz__take(&in, 1));
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* A request (0: port, operation, flags, credit), its answer (4), data both ways, an end. */
	static const u8 guest[] = { 0, 1, 1, 0, 8, 0, 0, 0, 0x14, 0, 1, 5, 0, 8, 0, 0, 0, 1, 0, 0x6a, 0, 0, 9, 6,
				    0xf4, 0, 1, 4, 3, 8, 0, 0, 0, 0x14 };
	/* A client, its line, the request for the guest, the guest's answer; all again. */
	static const u8 client[] = { 0x0a, 0x1a, 0, 2, 6, 0x14, 0x20, 0xc0, 2, 0, 8, 0, 0, 0, 0x2a, 0, 4, 'a', 'b',
				     'c', 'd', 6, 0x14, 0x3a, 0, 6, 0xf4, 0x4a, 0, 6, 0xf4, 7, 255 };

	if (n > 1 || size < sizeof(guest) || size < sizeof(client))
		return 0;
	memcpy(buf, n ? client : guest, n ? sizeof(client) : sizeof(guest));
	return n ? sizeof(client) : sizeof(guest);
}
