/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console device with real sockets behind its ports. */
#define _GNU_SOURCE
#include "tests/devices/virtio_driver.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MULTIPORT 2ull
#define QUEUES 6
#define RX0 0
#define TX0 1
#define CONTROL_RX 2
#define CONTROL_TX 3
#define RX1 4
#define TX1 5
#define BUFFER_BYTES 64

struct control {
	uint32_t port;
	uint16_t event, value;
	char name[32];
};

static struct driver *driver;
static char path[2][64];

static struct driver *create(const char *more)
{
	char options[300];

	snprintf(path[0], sizeof(path[0]), "/tmp/console-test-%d-0", getpid());
	snprintf(path[1], sizeof(path[1]), "/tmp/console-test-%d-1", getpid());
	snprintf(options, sizeof(options), "char=unix:%s,port1=org.test:unix:%s,queue-size=16%s", path[0],
		 path[1], more);
	return driver__create(&device_class_virtio_console, options);
}

static int dial(unsigned port)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path[port]);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fixture__pump(driver->f, 5);
	return fd;
}

static uint64_t give_buffer(unsigned queue)
{
	const struct driver_buffer buffer = { driver__alloc(driver, BUFFER_BYTES), BUFFER_BYTES, true };

	driver__add(driver, queue, &buffer, 1, false);
	driver__kick(driver, queue);
	return buffer.gpa;
}

static void send_bytes(unsigned queue, const void *bytes, size_t size)
{
	const struct driver_buffer buffer = { driver__alloc(driver, size), (uint32_t)size, false };

	memcpy(driver__memory(driver, buffer.gpa, size), bytes, size);
	driver__add(driver, queue, &buffer, 1, false);
	driver__kick(driver, queue);
}

static void say(uint32_t port, uint16_t event, uint16_t value)
{
	const struct control control = { port, event, value, "" };

	send_bytes(CONTROL_TX, &control, 8);
}

/* The next control message, into a buffer that was given before. */
static void expect_control(uint64_t gpa, uint32_t port, uint16_t event, uint16_t value,
			   const char *name)
{
	struct control control;
	uint32_t length;
	unsigned id;

	if (!driver__used(driver, CONTROL_RX, &id, &length))
		fail_msg("no message %u of port %u", event, port);
	assert_in_range(length, 8, sizeof(control));
	memset(&control, 0, sizeof(control));
	memcpy(&control, driver__memory(driver, gpa, length), length);
	assert_int_equal(control.port, port);
	assert_int_equal(control.event, event);
	assert_int_equal(control.value, value);
	assert_string_equal(control.name, name);
}

static void start(uint64_t features)
{
	driver__run(driver, features, features & MULTIPORT ? QUEUES : 2, 16);
}

static void expect_text(int fd, const char *text)
{
	char got[200] = "";
	size_t size = 0;
	ssize_t step;

	while (size < strlen(text)) {
		fixture__pump(driver->f, 1);
		step = read(fd, got + size, sizeof(got) - 1 - size);
		if (step < 0)
			assert_int_equal(errno, EAGAIN);
		size += step > 0 ? (size_t)step : 0;
	}
	assert_string_equal(got, text);
}

static void ports_are_introduced(void **state)
{
	uint64_t gpa[8];
	uint32_t length;
	unsigned i, id;
	int fd;

	driver = create("");
	assert_int_equal(driver__read(driver, driver->config + 4, 4), 8);
	start(MULTIPORT);
	say(0, 0, 1); /* ready; no buffer is there yet, so the answer waits */
	for (i = 0; i < 8; i++)
		gpa[i] = give_buffer(CONTROL_RX);
	expect_control(gpa[0], 0, 1, 0, "");
	expect_control(gpa[1], 1, 1, 0, "");
	say(0, 3, 1);
	expect_control(gpa[2], 0, 4, 1, "");
	expect_control(gpa[3], 0, 6, 0, ""); /* nobody is connected */
	say(1, 3, 1);
	expect_control(gpa[4], 1, 7, 0, "org.test");
	expect_control(gpa[5], 1, 6, 0, "");
	fd = dial(1);
	expect_control(gpa[6], 1, 6, 1, "");
	close(fd);
	fixture__pump(driver->f, 5);
	expect_control(gpa[7], 1, 6, 0, "");
	/* Ports and events that do not exist. */
	say(77, 3, 1);
	say(0xffffffff, 6, 1);
	say(2, 3, 1);
	say(0, 99, 1);
	send_bytes(CONTROL_TX, "x", 1);
	give_buffer(CONTROL_RX);
	assert_false(driver__used(driver, CONTROL_RX, &id, &length));
	assert_int_equal(driver__status(driver), 15);
	driver__destroy(driver);
}

static void bytes_go_both_ways(void **state)
{
	uint32_t length;
	uint64_t gpa;
	unsigned id;
	int fd;

	driver = create(",packed=on");
	start(0); /* one port, no control queues */
	fd = dial(0);
	send_bytes(TX0, "from the guest", 14);
	expect_text(fd, "from the guest");
	assert_true(driver__used(driver, TX0, &id, &length));
	assert_int_equal(length, 0);
	assert_int_equal(write(fd, "to it", 5), 5);
	fixture__pump(driver->f, 5);
	gpa = give_buffer(RX0); /* it waited for this */
	assert_true(driver__used(driver, RX0, &id, &length));
	assert_int_equal(length, 5);
	assert_memory_equal(driver__memory(driver, gpa, 5), "to it", 5);
	/* The other way round, and over two buffers. */
	gpa = give_buffer(RX0);
	give_buffer(RX0);
	assert_int_equal(write(fd, memset(driver__memory(driver, 0, 100), 'x', 100), 100), 100);
	fixture__pump(driver->f, 5);
	assert_true(driver__used(driver, RX0, &id, &length));
	assert_int_equal(length, BUFFER_BYTES);
	assert_true(driver__used(driver, RX0, &id, &length));
	assert_int_equal(length, 100 - BUFFER_BYTES);
	close(fd);
	driver__destroy(driver);
}

/* What nobody in the guest reads stays outside, and is not lost. */
static void named_port_waits_for_a_reader(void **state)
{
	uint32_t length;
	unsigned id;
	int fd;

	driver = create("");
	start(MULTIPORT);
	fd = dial(1);
	give_buffer(RX1);
	assert_int_equal(write(fd, "early", 5), 5);
	fixture__pump(driver->f, 5);
	assert_false(driver__used(driver, RX1, &id, &length));
	say(1, 6, 1);
	assert_true(driver__used(driver, RX1, &id, &length));
	assert_int_equal(length, 5);
	close(fd);
	driver__destroy(driver);
}

/* A peer that does not read: buffers stay with the device until there is room, each byte once. */
static void output_waits_for_a_slow_reader(void **state)
{
	static uint8_t chunk[1 << 20], got[1 << 16];
	const struct driver_buffer buffer = { 4 << 20, sizeof(chunk), false };
	size_t total = 0, i;
	uint32_t length;
	unsigned id, sent = 0, used = 0;
	ssize_t step;
	int fd;

	driver = create("");
	start(MULTIPORT);
	fd = dial(1);
	for (i = 0; i < sizeof(chunk); i++)
		chunk[i] = (uint8_t)(i / 7 ^ i >> 11);
	memcpy(driver__memory(driver, buffer.gpa, sizeof(chunk)), chunk, sizeof(chunk));
	for (; sent < 4; sent++) {
		driver__add(driver, TX1, &buffer, 1, false);
		driver__kick(driver, TX1);
	}
	used += driver__used(driver, TX1, &id, &length);
	assert_true(used < sent);
	while (total < 4 * sizeof(chunk)) {
		fixture__pump(driver->f, 1);
		step = read(fd, got, sizeof(got));
		for (i = 0; step > 0 && i < (size_t)step; i++)
			if (got[i] != chunk[(total + i) % sizeof(chunk)])
				fail_msg("byte %zu differs", total + i);
		total += step > 0 ? (size_t)step : 0;
	}
	while (driver__used(driver, TX1, &id, &length))
		used++;
	assert_int_equal(used, sent);
	close(fd);
	driver__destroy(driver);
}

/* A reset in the middle of a buffer forgets it. */
static void reset_forgets_what_was_half_done(void **state)
{
	const struct driver_buffer big = { 4 << 20, 6 << 20, false };
	uint32_t length;
	unsigned id;
	int fd;

	driver = create("");
	start(MULTIPORT);
	fd = dial(1);
	driver__add(driver, TX1, &big, 1, false);
	driver__kick(driver, TX1);
	assert_false(driver__used(driver, TX1, &id, &length));
	start(MULTIPORT);
	close(fd); /* writable again */
	fixture__pump(driver->f, 5);
	assert_false(driver__used(driver, TX1, &id, &length));
	send_bytes(TX1, "new", 3);
	assert_true(driver__used(driver, TX1, &id, &length));
	assert_int_equal(driver__status(driver), 15);
	driver__destroy(driver);
}

static void options_are_checked(void **state)
{
	static const char *const bad[] = { "port1=name", "port1=:none", "port2=name:", "char=nonsense",
					   "port1=a:nonsense", "queue-size=48", "queue-size=1" };
	struct fixture *f = fixture__create(&device_class_pci_host, NULL);
	char error[300];
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct device *dev = NULL;
		int err = device__create(&device_class_virtio_console, 0, bad[i], &f->services, &dev,
					 error, sizeof(error));

		if (!err)
			err = device__realize(dev, error, sizeof(error));
		assert_true(err < 0);
		assert_true(strlen(error) > 10);
		device__destroy(dev);
	}
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_introduced),
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(named_port_waits_for_a_reader),
		cmocka_unit_test(output_waits_for_a_slow_reader),
		cmocka_unit_test(reset_forgets_what_was_half_done),
		cmocka_unit_test(options_are_checked),
	};

	signal(SIGPIPE, SIG_IGN); /* as the machine does */
	return cmocka_run_group_tests_name("virtio-console", tests, NULL, NULL);
}
