/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyboard controller as Linux's driver probes it. */
#include "tests/devices/fixture.h"

static uint8_t answer(struct fixture *f)
{
	assert_int_equal(inb(f, 0x64) & 1, 1);
	return inb(f, 0x60);
}

static void expect_silence(struct fixture *f)
{
	assert_int_equal(inb(f, 0x64) & 1, 0);
}

static void controller_commands(void **state)
{
	struct fixture *f = fixture__create(&device_class_i8042, NULL);

	expect_silence(f);
	outb(f, 0x64, 0xaa);
	assert_int_equal(answer(f), 0x55);
	outb(f, 0x64, 0xab);
	assert_int_equal(answer(f), 0x00);
	outb(f, 0x64, 0xa9);
	assert_int_equal(answer(f), 0x00);
	outb(f, 0x64, 0x60);
	outb(f, 0x60, 0x47);
	outb(f, 0x64, 0x20);
	assert_int_equal(answer(f), 0x47);
	outb(f, 0x64, 0xa7);
	outb(f, 0x64, 0x20);
	assert_int_equal(answer(f), 0x67);
	outb(f, 0x64, 0xa8);
	outb(f, 0x64, 0x20);
	assert_int_equal(answer(f), 0x47);
	/* The loop command tells whether there is a mouse port, and raises its interrupt. */
	outb(f, 0x64, 0xd3);
	outb(f, 0x60, 0x5a);
	assert_int_equal(inb(f, 0x64) & 0x21, 0x21);
	assert_true(f->level[12]);
	assert_int_equal(inb(f, 0x60), 0x5a);
	assert_false(f->level[12]);
	fixture__destroy(f);
}

static void keyboard_answers(void **state)
{
	struct fixture *f = fixture__create(&device_class_i8042, NULL);
	unsigned edges;

	outb(f, 0x60, 0xf2);
	edges = f->edges[1];
	assert_true(f->level[1]);
	assert_int_equal(answer(f), 0xfa);
	assert_int_equal(answer(f), 0xab);
	assert_int_equal(answer(f), 0x41); /* translated */
	assert_int_equal(f->edges[1], edges + 2); /* one edge per byte */
	expect_silence(f);
	outb(f, 0x60, 0xff);
	assert_int_equal(answer(f), 0xfa);
	assert_int_equal(answer(f), 0xaa);
	outb(f, 0x60, 0xed);
	assert_int_equal(answer(f), 0xfa);
	outb(f, 0x60, 0x07);
	assert_int_equal(answer(f), 0xfa);
	outb(f, 0x60, 0xf0);
	assert_int_equal(answer(f), 0xfa);
	outb(f, 0x60, 0x00);
	assert_int_equal(answer(f), 0xfa);
	assert_int_equal(answer(f), 0x02);
	/* Bytes wait while the interface is off. */
	outb(f, 0x60, 0xee);
	assert_int_equal(answer(f), 0xee);
	outb(f, 0x60, 0x01);
	assert_int_equal(answer(f), 0xfe);
	fixture__destroy(f);
}

static void mouse_answers(void **state)
{
	struct fixture *f = fixture__create(&device_class_i8042, NULL);

	outb(f, 0x64, 0xd4);
	outb(f, 0x60, 0xff);
	assert_true(f->level[12]);
	assert_int_equal(answer(f), 0xfa);
	assert_int_equal(answer(f), 0xaa);
	assert_int_equal(answer(f), 0x00);
	outb(f, 0x64, 0xd4);
	outb(f, 0x60, 0xf3);
	assert_int_equal(answer(f), 0xfa);
	outb(f, 0x64, 0xd4);
	outb(f, 0x60, 0x50);
	assert_int_equal(answer(f), 0xfa);
	outb(f, 0x64, 0xd4);
	outb(f, 0x60, 0xe9);
	assert_int_equal(answer(f), 0xfa);
	assert_int_equal(answer(f), 0x00);
	assert_int_equal(answer(f), 0x02);
	assert_int_equal(answer(f), 0x50);
	expect_silence(f);
	fixture__destroy(f);
}

static void reset_line(void **state)
{
	struct fixture *f = fixture__create(&device_class_i8042, NULL);

	outb(f, 0x64, 0xff);
	assert_int_equal(f->request, -1);
	outb(f, 0x64, 0xd1);
	outb(f, 0x60, 0x03); /* A20 on, no reset */
	assert_int_equal(f->request, -1);
	outb(f, 0x64, 0xd0);
	assert_int_equal(answer(f) & 3, 3);
	outb(f, 0x64, 0xfe);
	assert_int_equal(f->request, DEVICE_REQUEST_RESET);
	f->request = -1;
	outb(f, 0x64, 0xd1);
	outb(f, 0x60, 0x02);
	assert_int_equal(f->request, DEVICE_REQUEST_RESET);
	fixture__destroy(f);
}

static void state_survives(void **state)
{
	struct fixture *f = fixture__create(&device_class_i8042, NULL);

	outb(f, 0x60, 0xf2);
	fixture__check_state(f, 0x60, 5);
	fixture__hammer(f, 0x60, 5, 100000);
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controller_commands), cmocka_unit_test(keyboard_answers),
		cmocka_unit_test(mouse_answers),       cmocka_unit_test(reset_line),
		cmocka_unit_test(state_survives),
	};

	return cmocka_run_group_tests_name("i8042", tests, NULL, NULL);
}
