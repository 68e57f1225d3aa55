/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket device: its rings, its configuration, its events; real sockets on the host's side. */
#define _GNU_SOURCE
#include "tests/devices/virtio_driver.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/vsock/packet.h"

#define RX 0
#define TX 1
#define EVENT 2
#define QUEUES 3
#define BUFFER_BYTES 256
#define GUEST_PORT 1000
#define SERVICE 52

struct packet {
	struct vsock_header header;
	char data[BUFFER_BYTES - sizeof(struct vsock_header)];
};

static struct driver *driver;
static char path[64];
static int listener, host; /* of SERVICE, and its connection */

static struct sockaddr_un address_of(const char *suffix)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", path, suffix);
	return address;
}

static void create(const char *more)
{
	struct sockaddr_un address;
	char options[200];

	snprintf(path, sizeof(path), "/tmp/vsock-test-%d", getpid());
	snprintf(options, sizeof(options), "socket=%s,cid=5,queue-size=16%s", path, more);
	driver = driver__create(&device_class_virtio_vsock, options);
	address = address_of("_52");
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	host = -1;
}

static void destroy(void)
{
	struct sockaddr_un address = address_of("_52");

	close(listener);
	if (host >= 0)
		close(host);
	unlink(address.sun_path);
	driver__destroy(driver);
	assert_int_equal(access(path, F_OK), -1);
}

static struct packet packet(enum vsock_op op)
{
	return (struct packet){ .header = { .from_cid = 5,
					    .to_cid = VSOCK_HOST_CID,
					    .from_port = GUEST_PORT,
					    .to_port = SERVICE,
					    .type = VSOCK_TYPE_STREAM,
					    .op = (uint16_t)op,
					    .buf_alloc = 65536 } };
}

/* In `pieces` descriptors. */
static void send_bytes(const void *bytes, size_t size, unsigned pieces)
{
	uint64_t gpa = driver__alloc(driver, size);
	struct driver_buffer buffers[8];
	unsigned i;

	memcpy(driver__memory(driver, gpa, size), bytes, size);
	for (i = 0; i < pieces; i++) {
		size_t from = size * i / pieces, to = size * (i + 1) / pieces;

		buffers[i] = (struct driver_buffer){ gpa + from, (uint32_t)(to - from), false };
	}
	driver__add(driver, TX, buffers, pieces, false);
	driver__kick(driver, TX);
	fixture__pump(driver->f, 5);
}

static void send_packet(enum vsock_op op, const char *data, unsigned pieces)
{
	struct packet p = packet(op);

	p.header.length = (uint32_t)strlen(data);
	memcpy(p.data, data, p.header.length);
	send_bytes(&p, sizeof(p.header) + p.header.length, pieces);
}

/* A receive buffer in two pieces, the first of which ends within the header. */
static uint64_t give_buffer(void)
{
	uint64_t gpa = driver__alloc(driver, BUFFER_BYTES);
	const struct driver_buffer buffers[] = { { gpa, 40, true }, { gpa + 40, BUFFER_BYTES - 40, true } };

	driver__add(driver, RX, buffers, 2, false);
	driver__kick(driver, RX);
	fixture__pump(driver->f, 5);
	return gpa;
}

static void expect_packet(uint64_t gpa, enum vsock_op op, const char *data)
{
	const struct packet *p = driver__memory(driver, gpa, BUFFER_BYTES);
	uint32_t length;
	unsigned id;

	assert_true(driver__used(driver, RX, &id, &length));
	assert_int_equal(p->header.op, op);
	assert_int_equal(p->header.length, strlen(data));
	assert_int_equal(length, sizeof(p->header) + strlen(data));
	assert_memory_equal(p->data, data, strlen(data));
	assert_int_equal(p->header.to_cid, 5);
	assert_int_equal(p->header.to_port, GUEST_PORT);
}

static void run(uint64_t features)
{
	driver__run(driver, features, QUEUES, 16);
}

static void connect_to_host(void)
{
	uint64_t gpa = give_buffer();

	send_packet(VSOCK_OP_REQUEST, "", 1);
	expect_packet(gpa, VSOCK_OP_RESPONSE, "");
	host = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(host >= 0);
}

static int dial(void)
{
	struct sockaddr_un address = address_of("");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, "CONNECT 1000\n", 13), 13);
	fixture__pump(driver->f, 5);
	return fd;
}

static void packets_go_both_ways(uint64_t features, const char *options)
{
	char line[32] = "";
	uint64_t gpa;

	create(options);
	run(features);
	assert_int_equal(driver__read(driver, driver->config, 8), 5);
	connect_to_host();
	send_packet(VSOCK_OP_RW, "hello from the guest", 5);
	assert_int_equal(read(host, line, sizeof(line)), 20);
	assert_string_equal(line, "hello from the guest");
	/* A packet waits until there is a buffer; there are interrupts for both queues. */
	driver__interrupts(driver, RX + 1);
	assert_int_equal(write(host, "hello from the host", 19), 19);
	fixture__pump(driver->f, 5);
	assert_int_equal(driver__interrupts(driver, RX + 1), 0);
	gpa = give_buffer();
	expect_packet(gpa, VSOCK_OP_RW, "hello from the host");
	assert_int_equal(driver__interrupts(driver, RX + 1), 1);
	assert_true(driver->mmio || driver__interrupts(driver, TX + 1) > 0); /* one bit for all */
	assert_int_equal(driver__status(driver), 15);
	destroy();
}

static void both_layouts(void **state)
{
	packets_go_both_ways(0, "");
	packets_go_both_ways(DRIVER_PACKED, ",packed=on");
}

static void no_client_before_the_driver_and_none_after_it(void **state)
{
	char line[64] = "";
	uint64_t gpa;
	int fd;

	create("");
	fd = dial();
	assert_int_equal(read(fd, line, sizeof(line)), -1); /* it waits */
	run(0);
	gpa = give_buffer();
	expect_packet(gpa, VSOCK_OP_REQUEST, "");
	driver__negotiate(driver, 0);
	fixture__pump(driver->f, 5);
	assert_true(read(fd, line, sizeof(line)) > 0);
	assert_non_null(strstr(line, "ERROR the guest has been reset"));
	assert_int_equal(read(fd, line, sizeof(line)), 0);
	close(fd);
	destroy();
}

static void break_with(const void *bytes, size_t size)
{
	create("");
	run(0);
	send_bytes(bytes, size, 1);
	assert_int_equal(driver__status(driver), 15 | 0x40);
	run(0);
	connect_to_host();
	destroy();
}

static void packets_that_are_none(void **state)
{
	struct packet p = packet(VSOCK_OP_REQUEST);

	break_with(&p, sizeof(p.header) - 1);
	p.header.length = 1;
	break_with(&p, sizeof(p.header));
	p.header.length = 0xffffffff;
	break_with(&p, sizeof(p));
}

static void buffers_without_room(void **state)
{
	const struct packet p = packet(VSOCK_OP_RW); /* of no connection */
	struct driver_buffer buffer;

	create("");
	run(0);
	buffer = (struct driver_buffer){ driver__alloc(driver, 64), sizeof(p.header), true };
	driver__add(driver, RX, &buffer, 1, false);
	send_bytes(&p, sizeof(p.header), 1);
	assert_int_equal(driver__status(driver), 15 | 0x40);
	destroy();
}

/* A load ends the connections, and the driver is told. */
static void a_restored_driver_hears_of_it(void **state)
{
	const struct driver_buffer *buffer;
	struct device *dev;
	uint8_t *saved;
	uint32_t length;
	unsigned id;
	size_t size;
	char byte;

	create("");
	run(0);
	dev = driver__device(driver);
	size = state__size(dev->class->state);
	saved = malloc(size);
	buffer = &(const struct driver_buffer){ driver__alloc(driver, 8), 8, true };
	driver__add(driver, EVENT, buffer, 1, false);
	driver__kick(driver, EVENT);
	fixture__pump(driver->f, 5);
	assert_false(driver__used(driver, EVENT, &id, &length));
	connect_to_host();
	assert_int_equal(state__save(dev->class->state, dev, saved, size), size);
	assert_int_equal(state__load(dev->class->state, dev, saved, size), 0);
	assert_int_equal(read(host, &byte, 1), 0);
	fixture__pump(driver->f, 5);
	assert_true(driver__used(driver, EVENT, &id, &length));
	assert_int_equal(length, 4);
	assert_int_equal(*(uint32_t *)driver__memory(driver, buffer->gpa, 4), 0);
	assert_int_equal(driver__interrupts(driver, EVENT + 1), 1);
	/* It goes on from here. */
	close(host);
	connect_to_host();
	free(saved);
	destroy();
}

static void paths_that_do_not_work(void **state)
{
	static const struct {
		const char *options, *message;
	} cases[] = {
		{ "", "socket is missing" },
		{ "socket=", "empty" },
		{ "socket=/nowhere/at/all", "cannot listen" },
		{ "socket=/tmp", "in use" },
		{ "socket=/tmp/x,cid=2", "cid" },
		{ "socket=/tmp/x,cid=4294967295", "cid" },
		{ "socket=/tmp/"
		  "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123",
		  "too long" },
	};
	struct fixture *f = fixture__create(&device_class_pci_host, NULL);
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct device *dev = NULL;
		char error[300] = "";
		int err = device__create(&device_class_virtio_vsock, 0, cases[i].options, &f->services,
					 &dev, error, sizeof(error));

		if (!err)
			err = device__realize(dev, error, sizeof(error));
		assert_true(err < 0);
		if (!strstr(error, cases[i].message))
			fail_msg("%s: \"%s\"", cases[i].options, error);
		device__destroy(dev);
	}
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_layouts),
		cmocka_unit_test(no_client_before_the_driver_and_none_after_it),
		cmocka_unit_test(packets_that_are_none),
		cmocka_unit_test(buffers_without_room),
		cmocka_unit_test(a_restored_driver_hears_of_it),
		cmocka_unit_test(paths_that_do_not_work),
	};

	return cmocka_run_group_tests_name("virtio-vsock", tests, NULL, NULL);
}
