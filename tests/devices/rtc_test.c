/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MC146818 clock: formats, setting, flags and interrupts. */
#include "tests/devices/fixture.h"

#include <time.h>
#include <unistd.h>

#define IRQ 8

static uint8_t get(struct fixture *f, uint8_t index)
{
	outb(f, 0x70, index);
	return inb(f, 0x71);
}

static void set(struct fixture *f, uint8_t index, uint8_t value)
{
	outb(f, 0x70, index);
	outb(f, 0x71, value);
}

static unsigned from_bcd(uint8_t value)
{
	assert_true((value & 15) <= 9);
	return (value >> 4) * 10u + (value & 15);
}

/* As a driver does it: not across an update. */
static time_t read_time(struct fixture *f)
{
	struct tm tm = { 0 };

	while (get(f, 10) & 0x80)
		;
	tm.tm_sec = (int)from_bcd(get(f, 0));
	tm.tm_min = (int)from_bcd(get(f, 2));
	tm.tm_hour = (int)from_bcd(get(f, 4));
	tm.tm_mday = (int)from_bcd(get(f, 7));
	tm.tm_mon = (int)from_bcd(get(f, 8)) - 1;
	tm.tm_year = (int)(from_bcd(get(f, 9)) + from_bcd(get(f, 0x32)) * 100) - 1900;
	return timegm(&tm);
}

static void tells_the_hosts_time(void **state)
{
	struct fixture *f = fixture__create(&device_class_rtc, NULL);
	time_t now = time(NULL), told = read_time(f);

	assert_int_equal(get(f, 11), 0x02);
	assert_int_equal(get(f, 13), 0x80);
	assert_true(told - now >= 0 && told - now <= 1);
	fixture__destroy(f);
}

static void can_be_set(void **state)
{
	struct fixture *f = fixture__create(&device_class_rtc, NULL);

	set(f, 11, 0x82); /* SET */
	set(f, 0x32, 0x20);
	set(f, 9, 0x31);
	set(f, 8, 0x12);
	set(f, 7, 0x31);
	set(f, 4, 0x23);
	set(f, 2, 0x59);
	set(f, 0, 0x59);
	assert_int_equal(get(f, 0), 0x59); /* frozen */
	set(f, 11, 0x02);
	assert_int_equal(get(f, 4), 0x23);
	usleep(1100000);
	assert_int_equal(get(f, 9), 0x32); /* the new year has come */
	assert_int_equal(get(f, 8), 0x01);
	assert_int_equal(get(f, 4), 0x00);
	/* 12-hour binary form of 00:00 is 12 AM. */
	set(f, 11, 0x04);
	assert_int_equal(get(f, 4), 12);
	assert_int_equal(get(f, 9), 32);
	fixture__destroy(f);
}

static void update_and_alarm_interrupts(void **state)
{
	struct fixture *f = fixture__create(&device_class_rtc, NULL);
	uint8_t c;

	set(f, 1, 0xff); /* any second, minute, hour */
	set(f, 3, 0xff);
	set(f, 5, 0xff);
	get(f, 12);
	set(f, 11, 0x32);
	fixture__pump(f, 1100);
	assert_true(f->level[IRQ]);
	c = get(f, 12);
	assert_int_equal(c & 0xb0, 0xb0);
	assert_false(f->level[IRQ]);
	assert_int_equal(get(f, 12) & 0x80, 0);
	fixture__destroy(f);
}

static void periodic_interrupts(void **state)
{
	struct fixture *f = fixture__create(&device_class_rtc, NULL);
	unsigned i, count = 0;

	set(f, 10, 0x2b); /* 32 Hz */
	get(f, 12);
	set(f, 11, 0x42);
	for (i = 0; i < 250; i++) {
		fixture__pump(f, 2);
		if (f->level[IRQ]) {
			assert_int_equal(get(f, 12) & 0xc0, 0xc0);
			count++;
		}
	}
	assert_in_range(count, 10, 24); /* 16 in half a second */
	fixture__destroy(f);
}

static void memory_sizes_are_in_cmos(void **state)
{
	struct fixture *f = fixture__create(&device_class_rtc, NULL);

	assert_int_equal(get(f, 0x15) | get(f, 0x16) << 8, 640);
	assert_int_equal(get(f, 0x17) | get(f, 0x18) << 8, 15 << 10);
	set(f, 0x7f, 0xa5);
	assert_int_equal(get(f, 0x7f), 0xa5);
	assert_int_equal(inb(f, 0x70), 0xff);
	fixture__destroy(f);
}

static void state_survives(void **state)
{
	struct fixture *f = fixture__create(&device_class_rtc, NULL);

	fixture__check_state(f, 0x70, 2);
	fixture__hammer(f, 0x70, 2, 100000);
	fixture__pump(f, 5);
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_hosts_time),
		cmocka_unit_test(can_be_set),
		cmocka_unit_test(update_and_alarm_interrupts),
		cmocka_unit_test(periodic_interrupts),
		cmocka_unit_test(memory_sizes_are_in_cmos),
		cmocka_unit_test(state_survives),
	};

	return cmocka_run_group_tests_name("rtc", tests, NULL, NULL);
}
