/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtio sockets without a guest and without sockets: what is said, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/types.h"
#include "tests/unit/vsock/fake_host.h"
#include "tests/unit/vsock/fake_loop.h"
#include "vmm/vsock/connection.h"

#define CID 7
#define GUEST_PORT 1000u
#define SERVICE 52u
#define FIRST_PORT (1u << 30)
#define SECONDS 1000000000ull
#define LATE (VSOCK_PATIENCE_NS + SECONDS)
#define PLENTY (1u << 20)

static struct vsock *vsock;
static uint8_t bytes[4 * VSOCK_BUFFER_BYTES]; /* of a pattern */
static struct vsock_header got;		      /* the last packet for the guest */
static uint8_t got_data[4096];
static uint32_t guest_alloc, guest_forwarded; /* as each packet says */

static void note_output(void *opaque)
{
}

static int set_up(void **state)
{
	const struct vsock_options options = { .cid = CID, .path = "x", .output = note_output };
	char error[200];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	guest_alloc = PLENTY;
	guest_forwarded = 0;
	fake_host__reset();
	if (vsock__open(&options, &vsock, error, sizeof(error)))
		return -1;
	vsock__start(vsock);
	fake_host__set_listening(SERVICE, true);
	return 0;
}

static int tear_down(void **state)
{
	vsock__close(vsock);
	fake_loop__run();
	return fake_host__open() ? -1 : 0;
}

/* ---- the guest ---- */

static struct vsock_header packet(enum vsock_op op, uint32_t guest_port, uint32_t host_port)
{
	return (struct vsock_header){ .from_cid = CID,
				      .to_cid = VSOCK_HOST_CID,
				      .from_port = guest_port,
				      .to_port = host_port,
				      .type = VSOCK_TYPE_STREAM,
				      .op = (uint16_t)op,
				      .buf_alloc = guest_alloc,
				      .fwd_cnt = guest_forwarded };
}

static void say_header(const struct vsock_header *header)
{
	vsock__take(vsock, header, NULL, 0);
}

static void say_at(enum vsock_op op, uint32_t guest_port, uint32_t host_port)
{
	const struct vsock_header header = packet(op, guest_port, host_port);

	say_header(&header);
}

static void say(enum vsock_op op)
{
	say_at(op, GUEST_PORT, SERVICE);
}

static void shut(uint32_t flags)
{
	struct vsock_header header = packet(VSOCK_OP_SHUTDOWN, GUEST_PORT, SERVICE);

	header.flags = flags;
	say_header(&header);
}

/* In two pieces. */
static void say_data(const void *data, uint32_t size)
{
	struct vsock_header header = packet(VSOCK_OP_RW, GUEST_PORT, SERVICE);
	const struct iovec pieces[] = { { (void *)data, size / 3 },
					{ (uint8_t *)data + size / 3, size - size / 3 } };

	header.length = size;
	vsock__take(vsock, &header, pieces, 2);
}

/* The guest's buffer from now on. */
static void say_credit(uint32_t buf_alloc, uint32_t fwd_cnt)
{
	guest_alloc = buf_alloc;
	guest_forwarded = fwd_cnt;
	say(VSOCK_OP_CREDIT_UPDATE);
	fake_loop__run();
}

/* The next packet's operation, 0: there is none. */
static unsigned hear(void)
{
	const struct iovec room[] = { { got_data, 1000 }, { got_data + 1000, sizeof(got_data) - 1000 } };

	fake_loop__run();
	if (!vsock__give(vsock, &got, room, 2))
		return 0;
	assert_int_equal(got.from_cid, VSOCK_HOST_CID);
	assert_int_equal(got.to_cid, CID);
	assert_true(got.length <= sizeof(got_data));
	return got.op;
}

static void hear_reset(uint32_t host_port, uint32_t guest_port)
{
	assert_int_equal(hear(), VSOCK_OP_RST);
	assert_int_equal(got.from_port, host_port);
	assert_int_equal(got.to_port, guest_port);
}

static void hear_nothing(void)
{
	assert_int_equal(hear(), 0);
	assert_false(vsock__has_output(vsock));
}

/* A connection of the guest's to the service. The number of its socket. */
static unsigned open_connection(void)
{
	say(VSOCK_OP_REQUEST);
	assert_int_equal(hear(), VSOCK_OP_RESPONSE);
	assert_int_equal(got.from_port, SERVICE);
	assert_int_equal(got.to_port, GUEST_PORT);
	assert_int_equal(got.buf_alloc, VSOCK_BUFFER_BYTES);
	return fake_host__last();
}

/* Reads all data there is; `size` bytes of the pattern from `at` on. */
static void hear_data(size_t at, size_t size)
{
	while (size) {
		assert_int_equal(hear(), VSOCK_OP_RW);
		assert_true(got.length <= size);
		assert_memory_equal(got_data, bytes + at, got.length);
		at += got.length;
		size -= got.length;
	}
}

/* ---- the host ---- */

static void expect_line(unsigned number, const char *text)
{
	const struct fake_socket *s = fake_host__socket(number);

	fake_loop__run();
	assert_non_null(s->from_device);
	assert_string_equal(s->from_device, text);
}

static unsigned dial(const char *line)
{
	unsigned number = fake_host__dial();

	fake_host__send(number, line, strlen(line));
	fake_loop__run();
	return number;
}

static void expect_error(unsigned number, const char *part)
{
	const struct fake_socket *s = fake_host__socket(number);

	fake_loop__run();
	assert_true(s->closed);
	assert_non_null(s->from_device);
	assert_int_equal(strncmp(s->from_device, "ERROR ", 6), 0);
	assert_non_null(strstr(s->from_device, part));
}

/* ---- connections ---- */

static void a_guest_connects_and_both_talk(void **state)
{
	unsigned number = open_connection();
	struct fake_socket *s = fake_host__socket(number);

	say_data(bytes, 5000);
	assert_int_equal(s->from_count, 5000);
	assert_memory_equal(s->from_device, bytes, 5000);
	fake_host__send(number, bytes, 10000);
	hear_data(0, 10000);
	assert_int_equal(got.fwd_cnt, 5000);
	hear_nothing();
	say(VSOCK_OP_RST);
	assert_true(s->closed);
	hear_nothing();
}

static void nobody_listens(void **state)
{
	say_at(VSOCK_OP_REQUEST, GUEST_PORT, SERVICE + 1);
	hear_reset(SERVICE + 1, GUEST_PORT);
	hear_nothing();
}

static void a_client_connects_to_the_guest(void **state)
{
	unsigned number = dial("connect  1000 \r\nearly"), other = dial("CONNECT 1000\n");

	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_int_equal(got.from_port, FIRST_PORT);
	assert_int_equal(got.to_port, 1000);
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_int_equal(got.from_port, FIRST_PORT + 1);
	hear_nothing();
	say_at(VSOCK_OP_RESPONSE, 1000, FIRST_PORT);
	expect_line(number, "OK 1073741824\n");
	assert_int_equal(hear(), VSOCK_OP_RW);
	assert_int_equal(got.length, 5);
	assert_memory_equal(got_data, "early", 5);
	say_at(VSOCK_OP_RST, 1000, FIRST_PORT + 1);
	expect_error(other, "does not listen");
	hear_nothing();
}

static void lines_that_are_no_request(void **state)
{
	static const char *const lines[] = { "\n",	      "HELLO 5\n",	"CONNECT\n",
					     "CONNECT x\n",   "CONNECT -1\n",	"CONNECT 5 6\n",
					     "CONNECT 5x\n",  "CONNECT 4294967295\n", "CONNECT +5\n",
					     "CONNECT 99999999999999999999\n", "CONNECTED 5\n" };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(lines); i++)
		expect_error(dial(lines[i]), "first line");
	expect_error(dial("CONNECT                                  5\n"), "too long");
	hear_nothing();
}

static void a_line_in_pieces(void **state)
{
	unsigned number = dial("CONN");

	fake_host__send(number, "ECT 10", 6);
	hear_nothing();
	fake_host__send(number, "00\n", 3);
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_int_equal(got.to_port, 1000);
}

static void clients_and_guests_that_say_nothing(void **state)
{
	unsigned silent = dial(""), number = dial("CONNECT 5\n");

	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	fake_loop__advance(LATE);
	expect_error(silent, "in time");
	expect_error(number, "in time");
	hear_reset(FIRST_PORT, 5);
	hear_nothing();
}

static void a_client_that_gives_up(void **state)
{
	unsigned number = dial("CONNECT 5\n"), other = dial("CONN");

	fake_host__socket(other)->peer_closed = true;
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	fake_host__socket(number)->peer_closed = true;
	hear_reset(FIRST_PORT, 5);
	assert_int_equal(fake_host__open(), 0);
	/* The guest's answer comes too late. */
	say_at(VSOCK_OP_RESPONSE, 5, FIRST_PORT);
	hear_reset(FIRST_PORT, 5);
	hear_nothing();
}

static void ports_of_the_host_are_not_used_twice(void **state)
{
	vsock->next_port = (1u << 31) - 1;
	dial("CONNECT 5\n");
	dial("CONNECT 5\n");
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_int_equal(got.from_port, (1u << 31) - 1);
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_int_equal(got.from_port, FIRST_PORT);
	vsock->next_port = (1u << 31) - 1;
	dial("CONNECT 5\n");
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_int_equal(got.from_port, FIRST_PORT + 1);
}

/* ---- credit ---- */

static void a_slow_reader_holds_the_guest(void **state)
{
	struct fake_socket *s = fake_host__socket(open_connection());

	s->room = 1000;
	say_data(bytes, 100000);
	say_data(bytes + 100000, VSOCK_BUFFER_BYTES - 100000);
	hear_nothing();
	/* What has gone to the host makes room. */
	say_data(bytes + VSOCK_BUFFER_BYTES, 1000);
	s->room = 40000;
	assert_int_equal(hear(), VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(got.fwd_cnt, 41000);
	hear_nothing();
	s->room = SIZE_MAX;
	assert_int_equal(hear(), VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(got.fwd_cnt, VSOCK_BUFFER_BYTES + 1000);
	assert_int_equal(s->from_count, VSOCK_BUFFER_BYTES + 1000);
	assert_memory_equal(s->from_device, bytes, s->from_count);
}

static void a_guest_without_credit_is_reset(void **state)
{
	struct fake_socket *s = fake_host__socket(open_connection());

	s->room = 0;
	say_data(bytes, VSOCK_BUFFER_BYTES);
	hear_nothing();
	say_data(bytes, 1);
	hear_reset(SERVICE, GUEST_PORT);
	assert_true(s->closed);
	/* Far too much at once, too. */
	s = fake_host__socket(open_connection());
	say_data(bytes, VSOCK_BUFFER_BYTES + 1);
	hear_reset(SERVICE, GUEST_PORT);
	assert_true(s->closed);
}

static void a_slow_guest_holds_the_host(void **state)
{
	unsigned number = open_connection();

	say_credit(1000, 0);
	fake_host__send(number, bytes, 5000);
	hear_data(0, 1000);
	assert_int_equal(hear(), VSOCK_OP_CREDIT_REQUEST);
	hear_nothing();
	say_credit(1000, 400);
	hear_data(1000, 400);
	assert_int_equal(hear(), VSOCK_OP_CREDIT_REQUEST);
	say_credit(1000, 1401); /* more than it can have */
	hear_nothing();
	say_credit(0, 1400);
	hear_nothing();
	say_credit(PLENTY, 1400);
	hear_data(1400, 3600);
	hear_nothing();
}

static void counts_go_round(void **state)
{
	unsigned number = open_connection();
	struct vsock_connection *c = vsock_connection__find(vsock, SERVICE, GUEST_PORT);

	c->received = c->forwarded = c->forwarded_told = c->sent = 0xfffff000;
	fake_host__socket(number)->room = 0x800;
	say_credit(0x3000, 0xfffff000);
	say_data(bytes, 0x10000);
	fake_host__send(number, bytes, 0x5000);
	hear_data(0, 0x3000);
	assert_int_equal(hear(), VSOCK_OP_CREDIT_REQUEST);
	say_credit(0x3000, 0x1000);
	hear_data(0x3000, 0x2000);
	fake_host__socket(number)->room = SIZE_MAX;
	assert_int_equal(hear(), VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(got.fwd_cnt, 0xf000);
	assert_memory_equal(fake_host__socket(number)->from_device, bytes, 0x10000);
}

static void credit_is_told_when_asked_for(void **state)
{
	open_connection();
	say_data(bytes, 10);
	hear_nothing();
	say(VSOCK_OP_CREDIT_REQUEST);
	assert_int_equal(hear(), VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(got.fwd_cnt, 10);
	assert_int_equal(got.buf_alloc, VSOCK_BUFFER_BYTES);
	hear_nothing();
}

/* ---- ends ---- */

static void the_guest_ends_its_half(void **state)
{
	unsigned number = open_connection();
	struct fake_socket *s = fake_host__socket(number);

	s->room = 10;
	say_data(bytes, 30);
	shut(VSOCK_SHUT_SEND);
	assert_false(s->shut_sending);
	s->room = SIZE_MAX;
	fake_loop__run();
	assert_true(s->shut_sending);
	assert_int_equal(s->from_count, 30);
	fake_host__send(number, bytes, 500);
	hear_data(0, 500);
	s->peer_sending_shut = true;
	assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	assert_int_equal(got.flags, VSOCK_SHUT_BOTH);
	assert_true(s->closed);
	hear_nothing();
	say(VSOCK_OP_RST);
	hear_nothing();
	assert_int_equal(vsock->connections, 0);
}

static void the_host_ends_its_half(void **state)
{
	unsigned number = open_connection();
	struct fake_socket *s = fake_host__socket(number);

	fake_host__send(number, bytes, 6000);
	s->peer_sending_shut = true;
	hear_data(0, 6000);
	assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	assert_int_equal(got.flags, VSOCK_SHUT_SEND);
	say_data(bytes, 100);
	assert_int_equal(s->from_count, 100);
	hear_nothing();
	s->peer_closed = true;
	assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	assert_int_equal(got.flags, VSOCK_SHUT_BOTH);
	say_data(bytes, 100); /* it was on its way */
	shut(VSOCK_SHUT_BOTH);
	hear_reset(SERVICE, GUEST_PORT);
	hear_nothing();
}

static void a_guest_that_does_not_confirm_the_end_is_reset(void **state)
{
	fake_host__socket(open_connection())->peer_closed = true;
	assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	hear_nothing();
	fake_loop__advance(LATE);
	hear_reset(SERVICE, GUEST_PORT);
	assert_int_equal(vsock->connections, 0);
}

static void nothing_is_lost_at_the_guests_end(void **state)
{
	struct fake_socket *s = fake_host__socket(open_connection()), *next;

	s->room = 10;
	say_data(bytes, 30000);
	shut(VSOCK_SHUT_BOTH);
	hear_nothing();
	/* It does not wait for the confirmation, and uses the port again. */
	say(VSOCK_OP_RST);
	assert_false(s->closed);
	next = fake_host__socket(open_connection());
	say_data("next", 4);
	assert_string_equal(next->from_device, "next");
	s->room = SIZE_MAX;
	fake_loop__run();
	assert_true(s->closed);
	assert_int_equal(s->from_count, 30000);
	assert_memory_equal(s->from_device, bytes, 30000);
	assert_false(next->closed);
	hear_nothing();
}

static void an_end_is_confirmed_when_all_is_out(void **state)
{
	struct fake_socket *s = fake_host__socket(open_connection());

	s->room = 10;
	say_data(bytes, 30);
	shut(VSOCK_SHUT_SEND);
	shut(VSOCK_SHUT_RECEIVE);
	assert_true(s->shut_receiving);
	hear_nothing();
	s->room = SIZE_MAX;
	hear_reset(SERVICE, GUEST_PORT);
	assert_true(s->closed);
	assert_int_equal(s->from_count, 30);
}

static void a_guest_that_breaks_off_loses_what_waits(void **state)
{
	struct fake_socket *s = fake_host__socket(open_connection());

	s->room = 10;
	say_data(bytes, 30);
	say(VSOCK_OP_RST);
	assert_true(s->closed);
	hear_nothing();
}

/* What the host said before it closed is still for the guest, though nobody reads the guest's. */
static void a_reader_that_has_gone(void **state)
{
	unsigned number = open_connection();
	struct fake_socket *s = fake_host__socket(number);

	say_credit(100, 0);
	fake_host__send(number, bytes, 150);
	hear_data(0, 100);
	s->peer_closed = true;
	say_data(bytes, 1000);
	assert_int_equal(hear(), VSOCK_OP_CREDIT_REQUEST);
	assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	assert_int_equal(got.flags, VSOCK_SHUT_RECEIVE);
	say_data(bytes, VSOCK_BUFFER_BYTES); /* it goes nowhere, and costs no credit for long */
	assert_int_equal(hear(), VSOCK_OP_CREDIT_UPDATE);
	hear_nothing();
	say_credit(PLENTY, 100);
	hear_data(100, 50);
	assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	assert_int_equal(got.flags, VSOCK_SHUT_BOTH);
	say(VSOCK_OP_RST);
	hear_nothing();
	assert_int_equal(vsock->connections, 0);
}

/* What waits for it is thrown away, and takes no credit. */
static void a_slow_reader_that_goes(void **state)
{
	struct fake_socket *s = fake_host__socket(open_connection());

	say_credit(0, 0);
	s->room = 0;
	say_data(bytes, VSOCK_BUFFER_BYTES);
	hear_nothing();
	s->peer_closed = true;
	assert_int_equal(hear(), VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(got.fwd_cnt, VSOCK_BUFFER_BYTES);
	assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	assert_int_equal(got.flags, VSOCK_SHUT_RECEIVE);
	say_data(bytes, VSOCK_BUFFER_BYTES);
	assert_int_equal(hear(), VSOCK_OP_CREDIT_UPDATE);
	hear_nothing();
}

/* ---- guests that break the rules ---- */

static void packets_for_others_go_nowhere(void **state)
{
	struct vsock_header header = packet(VSOCK_OP_REQUEST, GUEST_PORT, SERVICE);

	header.from_cid = CID + 1;
	say_header(&header);
	header.from_cid = CID;
	header.to_cid = CID;
	say_header(&header);
	hear_nothing();
	assert_int_equal(fake_host__open(), 0);
}

static void packets_of_no_connection_are_answered_with_a_reset(void **state)
{
	static const enum vsock_op ops[] = { VSOCK_OP_RESPONSE, VSOCK_OP_SHUTDOWN, VSOCK_OP_RW,
					     VSOCK_OP_CREDIT_UPDATE, VSOCK_OP_CREDIT_REQUEST, 0, 99 };
	struct vsock_header header = packet(VSOCK_OP_REQUEST, GUEST_PORT, SERVICE);
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(ops); i++) {
		say(ops[i]);
		hear_reset(SERVICE, GUEST_PORT);
	}
	say(VSOCK_OP_RST); /* but for this one */
	hear_nothing();
	header.type = 2;
	say_header(&header);
	hear_reset(SERVICE, GUEST_PORT);
	assert_int_equal(got.type, 2);
	header.op = VSOCK_OP_RST;
	say_header(&header);
	hear_nothing();
}

static void packets_that_do_not_fit_end_the_connection(void **state)
{
	static const enum vsock_op ops[] = { VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE, 0, 99 };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(ops); i++) {
		struct fake_socket *s = fake_host__socket(open_connection());

		say(ops[i]);
		hear_reset(SERVICE, GUEST_PORT);
		hear_nothing();
		assert_true(s->closed);
	}
	open_connection();
	shut(VSOCK_SHUT_SEND);
	say_data("x", 1);
	hear_reset(SERVICE, GUEST_PORT);
}

/* What the new connection is told must not be taken for the old one's, and the other way round. */
static void ports_that_are_used_again_at_once(void **state)
{
	open_connection();
	say(99);
	say(VSOCK_OP_REQUEST);
	hear_reset(SERVICE, GUEST_PORT);
	assert_int_equal(hear(), VSOCK_OP_RESPONSE);
	hear_nothing();
}

static void answers_before_the_question(void **state)
{
	unsigned number = dial("CONNECT 5\n");

	say_at(VSOCK_OP_RESPONSE, 5, FIRST_PORT); /* a good guess */
	expect_error(number, "protocol");
	hear_nothing();
	number = dial("CONNECT 5\n");
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	say_at(VSOCK_OP_RW, 5, FIRST_PORT + 1);
	expect_error(number, "protocol");
	hear_reset(FIRST_PORT + 1, 5);
}

static void shutdowns_again_and_again(void **state)
{
	struct fake_socket *s = fake_host__socket(open_connection());
	unsigned i;

	s->room = 10;
	say_data(bytes, 30);
	for (i = 0; i < 100; i++)
		shut(i % 4);
	hear_nothing();
	assert_false(s->closed);
	s->room = SIZE_MAX;
	hear_reset(SERVICE, GUEST_PORT);
	hear_nothing();
}

/* ---- bounds ---- */

static void so_many_connections(void **state)
{
	uint32_t port;
	unsigned number;

	for (port = 0; port < VSOCK_CONNECTIONS_MOST; port++) {
		say_at(VSOCK_OP_REQUEST, port, SERVICE);
		assert_int_equal(hear(), VSOCK_OP_RESPONSE);
	}
	say_at(VSOCK_OP_REQUEST, port, SERVICE);
	hear_reset(SERVICE, port);
	number = dial("CONNECT 5\n"); /* waits */
	assert_int_equal(fake_host__waiting(), 1);
	say_at(VSOCK_OP_RST, 0, SERVICE);
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_false(fake_host__socket(number)->closed);
	/* All of them end at the same time; each is told. */
	for (number = 0; number < VSOCK_CONNECTIONS_MOST; number++)
		fake_host__socket(number)->peer_closed = true;
	for (port = 1; port < VSOCK_CONNECTIONS_MOST; port++)
		assert_int_equal(hear(), VSOCK_OP_SHUTDOWN);
	fake_loop__advance(LATE);
	for (port = 1; port <= VSOCK_CONNECTIONS_MOST; port++)
		assert_int_equal(hear(), VSOCK_OP_RST);
	hear_nothing();
	assert_int_equal(vsock->connections, 0);
}

static void so_many_resets(void **state)
{
	unsigned i, count = 0;

	for (i = 0; i < 10 * VSOCK_RESETS_MOST; i++)
		say_at(VSOCK_OP_RW, i, SERVICE);
	while (hear() == VSOCK_OP_RST)
		count++;
	assert_int_equal(count, VSOCK_RESETS_MOST);
	hear_nothing();
}

static void so_many_silent_clients(void **state)
{
	unsigned i, last = 0;

	for (i = 0; i < 2 * VSOCK_CLIENTS_MOST; i++)
		last = dial("");
	assert_int_equal(fake_host__open(), VSOCK_CLIENTS_MOST);
	assert_int_equal(fake_host__waiting(), VSOCK_CLIENTS_MOST);
	fake_host__send(last, "CONNECT 5\n", 10);
	fake_loop__advance(LATE);
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
}

static void a_host_without_descriptors(void **state)
{
	unsigned number;

	fake_host__fail_accept(EMFILE);
	number = dial("CONNECT 5\n"); /* the fake loop sees that this does not spin */
	hear_nothing();
	fake_host__fail_accept(0);
	hear_nothing();
	fake_loop__advance(2 * SECONDS);
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_false(fake_host__socket(number)->closed);
}

static void connections_take_turns(void **state)
{
	unsigned one = open_connection(), other, i;

	say_at(VSOCK_OP_REQUEST, GUEST_PORT + 1, SERVICE);
	assert_int_equal(hear(), VSOCK_OP_RESPONSE);
	other = fake_host__last();
	fake_host__send(one, bytes, sizeof(bytes));
	fake_host__send(other, bytes, sizeof(bytes));
	assert_int_equal(hear(), VSOCK_OP_RW);
	for (i = 0; i < 20; i++) {
		uint32_t before = got.to_port;

		assert_int_equal(hear(), VSOCK_OP_RW);
		assert_int_not_equal(got.to_port, before);
	}
}

static void a_stop_forgets_everything(void **state)
{
	unsigned number = open_connection(), client = dial("CONNECT 5\n");

	say_at(VSOCK_OP_RW, 1, 2);
	vsock__stop(vsock);
	assert_true(fake_host__socket(number)->closed);
	expect_error(client, "reset");
	hear_nothing();
	client = dial("CONNECT 5\n");
	assert_int_equal(fake_host__waiting(), 1);
	vsock__start(vsock);
	assert_int_equal(hear(), VSOCK_OP_REQUEST);
	assert_false(fake_host__socket(client)->closed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_guest_connects_and_both_talk),
		TEST(nobody_listens),
		TEST(a_client_connects_to_the_guest),
		TEST(lines_that_are_no_request),
		TEST(a_line_in_pieces),
		TEST(clients_and_guests_that_say_nothing),
		TEST(a_client_that_gives_up),
		TEST(ports_of_the_host_are_not_used_twice),
		TEST(a_slow_reader_holds_the_guest),
		TEST(a_guest_without_credit_is_reset),
		TEST(a_slow_guest_holds_the_host),
		TEST(counts_go_round),
		TEST(credit_is_told_when_asked_for),
		TEST(the_guest_ends_its_half),
		TEST(the_host_ends_its_half),
		TEST(a_guest_that_does_not_confirm_the_end_is_reset),
		TEST(nothing_is_lost_at_the_guests_end),
		TEST(an_end_is_confirmed_when_all_is_out),
		TEST(a_guest_that_breaks_off_loses_what_waits),
		TEST(a_reader_that_has_gone),
		TEST(a_slow_reader_that_goes),
		TEST(packets_for_others_go_nowhere),
		TEST(packets_of_no_connection_are_answered_with_a_reset),
		TEST(packets_that_do_not_fit_end_the_connection),
		TEST(ports_that_are_used_again_at_once),
		TEST(answers_before_the_question),
		TEST(shutdowns_again_and_again),
		TEST(so_many_connections),
		TEST(so_many_resets),
		TEST(so_many_silent_clients),
		TEST(a_host_without_descriptors),
		TEST(connections_take_turns),
		TEST(a_stop_forgets_everything),
	};

	return cmocka_run_group_tests_name("vsock", tests, NULL, NULL);
}
