/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 16550A as drivers see it, and its back ends' flow control. */
#include "tests/devices/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define COM1 0x3f8
#define IRQ 4

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

static char socket_path[100];

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A port whose other end is the returned descriptor. */
static struct fixture *create_connected(int *fd)
{
	struct fixture *fixture;
	char options[160];

	snprintf(socket_path, sizeof(socket_path), "/tmp/serial-test-%d", getpid());
	snprintf(options, sizeof(options), "char=unix:%s", socket_path);
	fixture = fixture__create(&device_class_serial, options);
	*fd = connect_to(socket_path);
	fixture__pump(fixture, 5);
	return fixture;
}

static void detected_as_16550a(void **state)
{
	struct fixture *f = fixture__create(&device_class_serial, NULL);

	/* What Linux's autoconfig does: IER is there, loopback works, FIFOs show in IIR. */
	outb(f, COM1 + IER, 0);
	assert_int_equal(inb(f, COM1 + IER), 0);
	outb(f, COM1 + IER, 0xff);
	assert_int_equal(inb(f, COM1 + IER), 0x0f);
	outb(f, COM1 + IER, 0);
	outb(f, COM1 + MCR, 0x1a);
	assert_int_equal(inb(f, COM1 + MSR) & 0xf0, 0x90);
	outb(f, COM1 + MCR, 0);
	outb(f, COM1 + FCR, 1);
	assert_int_equal(inb(f, COM1 + IIR) >> 6, 3);
	outb(f, COM1 + FCR, 0);
	assert_int_equal(inb(f, COM1 + IIR) >> 6, 0);
	outb(f, COM1 + SCR, 0x5a);
	assert_int_equal(inb(f, COM1 + SCR), 0x5a);
	/* The divisor hides behind DLAB and disturbs nothing else. */
	outb(f, COM1 + LCR, 0x83);
	outb(f, COM1 + DATA, 0x34);
	outb(f, COM1 + IER, 0x12);
	assert_int_equal(inb(f, COM1 + DATA), 0x34);
	assert_int_equal(inb(f, COM1 + IER), 0x12);
	outb(f, COM1 + LCR, 0x03);
	assert_int_equal(inb(f, COM1 + IER), 0);
	assert_int_equal(inb(f, COM1 + LSR), 0x60);
	fixture__destroy(f);
}

static void loopback_receives_and_overruns(void **state)
{
	struct fixture *f = fixture__create(&device_class_serial, NULL);
	unsigned i;

	outb(f, COM1 + FCR, 0x01);
	outb(f, COM1 + MCR, 0x10);
	for (i = 0; i < 16; i++)
		outb(f, COM1 + DATA, (uint8_t)i);
	assert_int_equal(inb(f, COM1 + LSR), 0x61);
	outb(f, COM1 + DATA, 99);
	assert_int_equal(inb(f, COM1 + LSR), 0x63);
	assert_int_equal(inb(f, COM1 + LSR), 0x61); /* read clears the error */
	for (i = 0; i < 16; i++)
		assert_int_equal(inb(f, COM1 + DATA), i);
	assert_int_equal(inb(f, COM1 + LSR), 0x60);
	/* Clearing the FIFO empties it. */
	outb(f, COM1 + DATA, 1);
	outb(f, COM1 + FCR, 0x03);
	assert_int_equal(inb(f, COM1 + LSR), 0x60);
	assert_false(f->level[IRQ]); /* loopback gates the interrupt */
	fixture__destroy(f);
}

static void transmit_interrupt(void **state)
{
	struct fixture *f = fixture__create(&device_class_serial, "char=none");

	outb(f, COM1 + MCR, 0x08);
	outb(f, COM1 + IER, 0x02);
	assert_true(f->level[IRQ]); /* enabled with an empty transmitter */
	assert_int_equal(inb(f, COM1 + IIR), 0x02);
	assert_false(f->level[IRQ]); /* reading IIR clears it */
	assert_int_equal(inb(f, COM1 + IIR), 0x01);
	outb(f, COM1 + DATA, 'x');
	assert_true(f->level[IRQ]);
	outb(f, COM1 + MCR, 0x00); /* OUT2 gates the line */
	assert_false(f->level[IRQ]);
	fixture__destroy(f);
}

static void input_waits_until_the_guest_listens(void **state)
{
	int fd;
	struct fixture *f = create_connected(&fd);
	unsigned i;

	assert_int_equal(write(fd, "hello", 5), 5);
	fixture__pump(f, 5);
	/* A driver's start-up: clears, reads, FIFO control. Nothing is lost in it. */
	outb(f, COM1 + IER, 0x0f);
	outb(f, COM1 + IER, 0x00);
	outb(f, COM1 + FCR, 0x07);
	outb(f, COM1 + FCR, 0x00);
	inb(f, COM1 + DATA);
	for (i = 0; i < 3; i++)
		assert_int_equal(inb(f, COM1 + LSR) & 1, 0);
	outb(f, COM1 + MCR, 0x0b);
	outb(f, COM1 + IER, 0x05); /* before the FIFOs are on: one byte comes */
	outb(f, COM1 + FCR, 0x81);
	assert_true(f->level[IRQ]);
	assert_int_equal(inb(f, COM1 + IIR) & 0x0f, 0x0c); /* below the trigger level of 8 */
	for (i = 0; i < 5; i++) {
		assert_int_equal(inb(f, COM1 + LSR) & 1, 1);
		assert_int_equal(inb(f, COM1 + DATA), "hello"[i]);
	}
	assert_false(f->level[IRQ]);
	/* And a long burst raises the trigger interrupt. */
	assert_int_equal(write(fd, "0123456789", 10), 10);
	fixture__pump(f, 5);
	assert_int_equal(inb(f, COM1 + IIR) & 0x0f, 0x04);
	close(fd);
	fixture__destroy(f);
	assert_int_equal(access(socket_path, F_OK), -1);
}

static void polling_guest_gets_input(void **state)
{
	int fd;
	struct fixture *f = create_connected(&fd);
	unsigned i;

	assert_int_equal(write(fd, "k", 1), 1);
	fixture__pump(f, 5);
	for (i = 0; i < 100 && !(inb(f, COM1 + LSR) & 1); i++)
		;
	assert_int_equal(inb(f, COM1 + DATA), 'k');
	close(fd);
	fixture__destroy(f);
}

static void long_input_arrives_whole(void **state)
{
	enum { LENGTH = 100000 };
	int fd, sent = 0, got = 0;
	struct fixture *f = create_connected(&fd);

	outb(f, COM1 + MCR, 0x0b);
	outb(f, COM1 + FCR, 0xc1);
	outb(f, COM1 + IER, 0x01);
	while (got < LENGTH) {
		while (sent < LENGTH) {
			uint8_t byte = (uint8_t)(sent * 7 + sent / 256);

			if (write(fd, &byte, 1) != 1)
				break;
			sent++;
		}
		fixture__pump(f, 1);
		while (inb(f, COM1 + LSR) & 1) {
			assert_int_equal(inb(f, COM1 + DATA), (uint8_t)(got * 7 + got / 256));
			got++;
		}
	}
	assert_int_equal(inb(f, COM1 + LSR) & 2, 0);
	close(fd);
	fixture__destroy(f);
}

/* A reader that sleeps: output is kept, then held back by THRE, and in the end complete. */
static void slow_reader_loses_nothing(void **state)
{
	enum { LENGTH = 3 << 20 };
	int fd, sent = 0, got = 0;
	struct fixture *f = create_connected(&fd);
	bool held_back = false;
	uint8_t buf[4096];

	while (got < LENGTH) {
		int i, n;

		while (sent < LENGTH && inb(f, COM1 + LSR) & 0x20) {
			outb(f, COM1 + DATA, (uint8_t)(sent * 5 + sent / 256));
			sent++;
		}
		held_back |= sent < LENGTH;
		n = (int)read(fd, buf, sizeof(buf));
		for (i = 0; i < n; i++, got++)
			if (buf[i] != (uint8_t)(got * 5 + got / 256))
				fail_msg("byte %d differs", got);
		if (n <= 0)
			fixture__pump(f, 1);
	}
	assert_true(held_back);
	close(fd);
	fixture__destroy(f);
}

static void output_reaches_a_file(void **state)
{
	char path[60], options[100], buf[16] = "";
	struct fixture *f;
	int fd;

	snprintf(path, sizeof(path), "/tmp/serial-test-%d,out", getpid());
	snprintf(options, sizeof(options), "char=file:/tmp/serial-test-%d,,out", getpid());
	f = fixture__create(&device_class_serial, options);
	outb(f, COM1 + DATA, 'o');
	outb(f, COM1 + DATA, 'k');
	fixture__destroy(f);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), 2);
	assert_string_equal(buf, "ok");
	close(fd);
	unlink(path);
}

static void bad_back_ends_are_refused(void **state)
{
	static const char *const bad[] = { "char=paper", "char=file:", "char=file:/nonexistent/x",
					   "char=unix:/nonexistent/x", "irq=16", "port=0xfffff",
					   "colour=red", "char" };
	struct fixture *f = fixture__create(&device_class_rtc, NULL);
	struct device *dev;
	char error[300];
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error[0] = '\0';
		dev = NULL;
		assert_true(device__create(&device_class_serial, 0, bad[i], &f->services, &dev, error,
					   sizeof(error)) < 0 ||
			    device__realize(dev, error, sizeof(error)) < 0);
		assert_true(error[0]);
		device__destroy(dev);
	}
	fixture__destroy(f);
}

static void state_survives(void **state)
{
	struct fixture *f = fixture__create(&device_class_serial, "char=none");

	outb(f, COM1 + MCR, 0x10);
	outb(f, COM1 + DATA, 'a');
	fixture__check_state(f, COM1, 8);
	fixture__hammer(f, COM1, 8, 100000);
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detected_as_16550a),
		cmocka_unit_test(loopback_receives_and_overruns),
		cmocka_unit_test(transmit_interrupt),
		cmocka_unit_test(input_waits_until_the_guest_listens),
		cmocka_unit_test(polling_guest_gets_input),
		cmocka_unit_test(long_input_arrives_whole),
		cmocka_unit_test(slow_reader_loses_nothing),
		cmocka_unit_test(output_reaches_a_file),
		cmocka_unit_test(bad_back_ends_are_refused),
		cmocka_unit_test(state_survives),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
