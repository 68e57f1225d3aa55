/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HPET: its counter, comparators in their modes, ways of interrupts, and hostile accesses. */
#include "tests/devices/fixture.h"

#include <string.h>

#define GPA 0xfed00000u
#define CONFIG 0x010
#define STATUS 0x020
#define COUNTER 0x0f0
#define TIMER(n) (0x100 + 0x20 * (n))
#define COMPARATOR(n) (TIMER(n) + 8)
#define MESSAGE(n) (TIMER(n) + 16)

#define ENABLE 1u
#define LEGACY 2u
#define LEVEL 0x2u
#define INTERRUPT 0x4u
#define PERIODIC 0x8u
#define SET_VALUE 0x40u
#define MODE_32BIT 0x100u
#define ROUTE(gsi) ((gsi) << 9)
#define BY_MESSAGE 0x4000u

#define MS 100000u /* ticks */
#define SECOND (1000 * MS)

static uint64_t get(struct fixture *f, unsigned reg, unsigned size)
{
	uint64_t value = 0;

	dispatch__access(f->mmio, 0, GPA + reg, false, &value, size);
	return value;
}

static void set(struct fixture *f, unsigned reg, unsigned size, uint64_t value)
{
	dispatch__access(f->mmio, 0, GPA + reg, true, &value, size);
}

static uint64_t get64(struct fixture *f, unsigned reg)
{
	return get(f, reg, 8);
}

static void set64(struct fixture *f, unsigned reg, uint64_t value)
{
	set(f, reg, 8, value);
}

static struct fixture *start(void)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);

	set64(f, CONFIG, ENABLE);
	return f;
}

static void wait_until(struct fixture *f, uint64_t counter)
{
	while (get64(f, COUNTER) < counter)
		;
}

/* Not late, however slow the host is: the counter stands still meanwhile. */
static void arm(struct fixture *f, unsigned n, uint64_t ticks)
{
	uint64_t config = get64(f, CONFIG);

	set64(f, CONFIG, config & ~(uint64_t)ENABLE);
	set64(f, COMPARATOR(n), get64(f, COUNTER) + ticks);
	set64(f, CONFIG, config);
}

/* Lets the loop bring an interrupt. */
static void wait_for_edge(struct fixture *f, unsigned gsi)
{
	unsigned before = f->edges[gsi], rounds;

	for (rounds = 0; rounds < 1000 && f->edges[gsi] == before; rounds++)
		fixture__pump(f, 5);
	assert_true(f->edges[gsi] > before);
}

static void says_what_it_is(void **state)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);

	assert_int_equal(get64(f, 0), 10000000ull << 32 | 0x8086a301);
	assert_int_equal(get(f, 0, 4), 0x8086a301);
	assert_int_equal(get(f, 4, 4), 10000000);
	assert_int_equal(get64(f, TIMER(3)), 0x00ff0000ull << 32 | 0x8030);
	assert_int_equal(get64(f, COMPARATOR(0)), UINT64_MAX);
	assert_int_equal(get64(f, TIMER(4)), 0);
	set64(f, 0, 0);
	set64(f, CONFIG, ~0ull & ~(uint64_t)ENABLE);
	assert_int_equal(get64(f, 0), 10000000ull << 32 | 0x8086a301);
	assert_int_equal(get64(f, CONFIG), LEGACY);
	fixture__destroy(f);
}

static void other_accesses_come_to_nothing(void **state)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);

	assert_int_equal(get(f, 0, 1), 0xff);
	assert_int_equal(get(f, 0, 2), 0xffff);
	assert_int_equal(get(f, 2, 4), UINT32_MAX);
	assert_int_equal(get(f, 4, 8), UINT64_MAX);
	set(f, CONFIG, 1, ENABLE);
	set(f, CONFIG, 2, ENABLE);
	set(f, CONFIG - 4, 8, (uint64_t)ENABLE << 32);
	assert_int_equal(get64(f, CONFIG), 0);
	fixture__destroy(f);
}

static void counter_runs_while_enabled(void **state)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);
	uint64_t value, host;

	assert_int_equal(get64(f, COUNTER), 0);
	set(f, COUNTER, 4, 5);
	set(f, COUNTER + 4, 4, 7);
	assert_int_equal(get64(f, COUNTER), 7ull << 32 | 5);
	assert_int_equal(get(f, COUNTER + 4, 4), 7);
	host = loop__now();
	set64(f, CONFIG, ENABLE);
	wait_until(f, (7ull << 32) + MS);
	value = get64(f, COUNTER) - (7ull << 32) - 5;
	assert_in_range(value, MS - 5, (loop__now() - host) / 10);
	set64(f, CONFIG, 0);
	value = get64(f, COUNTER);
	fixture__pump(f, 1);
	assert_int_equal(get64(f, COUNTER), value);
	fixture__destroy(f);
}

static void one_shot_edge(void **state)
{
	struct fixture *f = start();

	set64(f, TIMER(2), INTERRUPT | ROUTE(20));
	arm(f, 2, MS);
	wait_for_edge(f, 20);
	assert_false(f->level[20]);
	assert_int_equal(get64(f, STATUS), 0);
	fixture__pump(f, 5);
	assert_int_equal(f->edges[20], 1);
	fixture__destroy(f);
}

static void no_interrupt_unless_enabled(void **state)
{
	struct fixture *f = start();
	uint64_t at = get64(f, COUNTER) + MS;

	set64(f, TIMER(0), ROUTE(20));
	set64(f, COMPARATOR(0), at);
	set64(f, TIMER(1), LEVEL | ROUTE(21));
	set64(f, COMPARATOR(1), at);
	wait_until(f, at);
	fixture__pump(f, 5);
	assert_int_equal(f->edges[20] + f->edges[21], 0);
	assert_int_equal(get64(f, STATUS), 2); /* level triggered: the status works without */
	set64(f, TIMER(1), LEVEL | INTERRUPT | ROUTE(21));
	assert_true(f->level[21]);
	set64(f, CONFIG, 0);
	assert_false(f->level[21]);
	fixture__destroy(f);
}

static void level_stays_until_status_is_cleared(void **state)
{
	struct fixture *f = start();

	set64(f, TIMER(0), LEVEL | INTERRUPT | ROUTE(16));
	arm(f, 0, MS);
	wait_for_edge(f, 16);
	assert_true(f->level[16]);
	assert_int_equal(get64(f, STATUS), 1);
	set64(f, STATUS, ~1ull);
	assert_true(f->level[16]);
	set64(f, TIMER(0), LEVEL | INTERRUPT | ROUTE(17)); /* goes where the route goes */
	assert_false(f->level[16]);
	assert_true(f->level[17]);
	set(f, STATUS, 4, 1);
	assert_false(f->level[17]);
	assert_int_equal(get64(f, STATUS), 0);
	fixture__destroy(f);
}

static void other_routes_do_not_stick(void **state)
{
	struct fixture *f = start();

	set64(f, TIMER(0), INTERRUPT | ROUTE(23));
	set64(f, TIMER(0), INTERRUPT | ROUTE(9));
	assert_int_equal(get(f, TIMER(0), 4), 0x8030 | INTERRUPT | ROUTE(23));
	set64(f, TIMER(1), INTERRUPT | ROUTE(31));
	set64(f, COMPARATOR(1), get64(f, COUNTER));
	assert_int_equal(get(f, TIMER(1), 4), 0x8030 | INTERRUPT);
	assert_int_equal(f->edges[0], 0);
	fixture__destroy(f);
}

static void periodic_keeps_its_grid(void **state)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);
	uint64_t first = MS, now, next;
	unsigned i;

	set64(f, TIMER(0), INTERRUPT | PERIODIC | SET_VALUE | ROUTE(20));
	assert_int_equal(get(f, TIMER(0), 4), 0x8030 | INTERRUPT | PERIODIC | ROUTE(20));
	set64(f, COMPARATOR(0), first);
	set64(f, COMPARATOR(0), 3 * MS); /* the period: not the comparator */
	assert_int_equal(get64(f, COMPARATOR(0)), first);
	set64(f, CONFIG, ENABLE);
	for (i = 0; i < 3; i++)
		wait_for_edge(f, 20);
	now = get64(f, COUNTER);
	next = get64(f, COMPARATOR(0));
	assert_int_equal((next - first) % (3 * MS), 0);
	assert_true(next > now && next > first + 6 * MS);
	fixture__destroy(f);
}

/* 2.3.9.2.2 sets both with one write, in front of a start from 0. */
static void one_write_sets_value_and_period(void **state)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);

	set(f, TIMER(1), 4, INTERRUPT | PERIODIC | SET_VALUE | MODE_32BIT | ROUTE(20));
	set(f, COMPARATOR(1), 4, 2 * MS);
	assert_int_equal(get64(f, COMPARATOR(1)), 2 * MS);
	set64(f, CONFIG, ENABLE);
	wait_for_edge(f, 20);
	wait_for_edge(f, 20);
	assert_int_equal(get64(f, COMPARATOR(1)) % (2 * MS), 0);
	fixture__destroy(f);
}

static void mode_of_32_bits(void **state)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);

	set64(f, TIMER(0), INTERRUPT | MODE_32BIT | ROUTE(20));
	assert_int_equal(get64(f, COMPARATOR(0)), UINT32_MAX);
	set64(f, COMPARATOR(0), 0xabcdull << 32 | MS);
	assert_int_equal(get64(f, COMPARATOR(0)), MS);
	/* Only the low half counts, also over its end. */
	set64(f, COUNTER, 0x1234ffffff00);
	set64(f, CONFIG, ENABLE);
	wait_for_edge(f, 20);
	assert_true(get64(f, COUNTER) >= (0x1235ull << 32) + MS);
	assert_int_equal(f->edges[20], 1);
	fixture__destroy(f);
}

static void messages(void **state)
{
	struct fixture *f = start();

	set(f, MESSAGE(3), 4, 0x4041);
	set(f, MESSAGE(3) + 4, 4, 0xfee01000);
	set64(f, TIMER(3), INTERRUPT | BY_MESSAGE | ROUTE(20));
	set64(f, COMPARATOR(3), get64(f, COUNTER) + MS);
	wait_until(f, get64(f, COMPARATOR(3)));
	get64(f, STATUS);
	assert_int_equal(f->message_count, 1);
	assert_int_equal(f->message[0].address, 0xfee01000);
	assert_int_equal(f->message[0].data, 0x4041);
	assert_int_equal(f->edges[20], 0);
	set(f, MESSAGE(3) + 4, 4, 0x1000); /* memory: a message goes to interrupt controllers only */
	set64(f, COMPARATOR(3), get64(f, COUNTER));
	assert_int_equal(f->message_count, 1);
	fixture__destroy(f);
}

static unsigned silent;

static void note_silent(void *opaque, unsigned gsi, bool on)
{
	silent = (silent & ~(1u << gsi)) | (unsigned)on << gsi;
}

static void replaces_pit_and_rtc(void **state)
{
	struct fixture *f = start();
	struct irq_wire rtc;

	silent = 0;
	f->irqs.silence = note_silent;
	assert_int_equal(irq_wire__connect(&rtc, &f->irqs, 8), 0);
	irq_wire__set(&rtc, true);
	set64(f, CONFIG, LEGACY); /* both bits are needed */
	assert_int_equal(silent, 0);
	assert_true(f->level[8]);
	set64(f, TIMER(0), INTERRUPT | ROUTE(20));
	set64(f, TIMER(1), INTERRUPT | ROUTE(21));
	set64(f, TIMER(2), INTERRUPT | ROUTE(22));
	set64(f, CONFIG, ENABLE | LEGACY);
	assert_int_equal(silent, 0x101);
	assert_false(f->level[8]);
	f->edges[8] = 0;
	set64(f, COMPARATOR(0), get64(f, COUNTER));
	set64(f, COMPARATOR(1), get64(f, COUNTER));
	set64(f, COMPARATOR(2), get64(f, COUNTER));
	irq_wire__set(&rtc, false);
	irq_wire__set(&rtc, true);
	assert_int_equal(f->edges[0], 1);
	assert_int_equal(f->edges[8], 1);
	assert_int_equal(f->edges[20] + f->edges[21], 0);
	assert_int_equal(f->edges[22], 1);
	/* The controllers were replaced. */
	silent = 0;
	f->level[8] = f->level[0] = false;
	irq_hub__refresh(&f->irqs);
	assert_int_equal(silent, 0x101);
	device_class_hpet.reset(f->dev);
	assert_int_equal(silent, 0);
	assert_true(f->level[8]);
	fixture__destroy(f);
}

static void comparator_in_the_past(void **state)
{
	struct fixture *f = fixture__create(&device_class_hpet, NULL);

	set64(f, COUNTER, 100ull * SECOND);
	set64(f, TIMER(0), INTERRUPT | ROUTE(20));
	set64(f, CONFIG, ENABLE);
	set64(f, COMPARATOR(0), 50ull * SECOND); /* behind: the other way round */
	assert_int_equal(f->edges[20], 0);
	set64(f, COMPARATOR(0), get64(f, COUNTER) - MS); /* only just: this was meant to come */
	assert_int_equal(f->edges[20], 1);
	fixture__pump(f, 5);
	assert_int_equal(f->edges[20], 1);
	fixture__destroy(f);
}

static void short_periods_do_not_keep_the_host_busy(void **state)
{
	static const uint64_t periods[] = { 0, 1, 2, 7 };
	uint64_t began;
	unsigned i, n;

	for (i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
		struct fixture *f = fixture__create(&device_class_hpet, NULL);

		for (n = 0; n < 4; n++) {
			set64(f, TIMER(n), INTERRUPT | PERIODIC | SET_VALUE | ROUTE(20 + n));
			set64(f, COMPARATOR(n), MS);
			set64(f, COMPARATOR(n), periods[i]);
		}
		began = loop__now();
		set64(f, CONFIG, ENABLE);
		wait_for_edge(f, 20);
		fixture__pump(f, 20);
		assert_in_range(f->edges[20], 1, (loop__now() - began) / 100000 + 2);
		assert_true(!periods[i] == (f->edges[20] == 1));
		fixture__destroy(f);
	}
}

static void hammer(struct fixture *f, unsigned rounds)
{
	while (rounds--) {
		unsigned reg = (unsigned)rand() % 0x400, size = 1u << rand() % 4;
		uint64_t value = (uint64_t)rand() << 32 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();

		if (rand() & 1) /* where something is */
			reg = (reg & 0x1f8) % 0x180;
		if (rand() & 1)
			set(f, reg, size, rand() & 1 ? value : value & 0x7fff);
		else
			get(f, reg, size);
	}
}

static void state_survives(void **state)
{
	const struct state_table *table = device_class_hpet.state;
	size_t size = state__size(table), i;
	uint8_t *bytes = malloc(size);
	struct fixture *f = start();
	unsigned round;

	hammer(f, 1000);
	fixture__check_state(f, 0x1000, 1);
	hammer(f, 100000);
	for (round = 0; round < 500; round++) {
		assert_int_equal(state__save(table, f->dev, bytes, size), size);
		for (i = 4; i < size; i++)
			if (rand() % 4 == 0)
				bytes[i] = (uint8_t)rand();
		state__load(table, f->dev, bytes, size);
		hammer(f, 100);
	}
	fixture__pump(f, 5);
	free(bytes);
	fixture__destroy(f);
}

/* What was met while nobody looked comes once the state is loaded. */
static void a_loaded_timer_goes_on(void **state)
{
	const struct state_table *table = device_class_hpet.state;
	size_t size = state__size(table);
	uint8_t *bytes = malloc(size);
	struct fixture *f = start();
	unsigned rounds;

	set64(f, TIMER(0), LEVEL | INTERRUPT | ROUTE(20));
	arm(f, 0, 2 * MS);
	assert_int_equal(state__save(table, f->dev, bytes, size), size);
	device_class_hpet.reset(f->dev);
	assert_int_equal(get64(f, COUNTER), 0);
	assert_int_equal(state__load(table, f->dev, bytes, size), 0);
	assert_true(get64(f, COMPARATOR(0)) >= 2 * MS);
	for (rounds = 0; rounds < 1000 && !f->level[20]; rounds++)
		fixture__pump(f, 5);
	assert_true(f->level[20]);
	free(bytes);
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_is),
		cmocka_unit_test(other_accesses_come_to_nothing),
		cmocka_unit_test(counter_runs_while_enabled),
		cmocka_unit_test(one_shot_edge),
		cmocka_unit_test(no_interrupt_unless_enabled),
		cmocka_unit_test(level_stays_until_status_is_cleared),
		cmocka_unit_test(other_routes_do_not_stick),
		cmocka_unit_test(periodic_keeps_its_grid),
		cmocka_unit_test(one_write_sets_value_and_period),
		cmocka_unit_test(mode_of_32_bits),
		cmocka_unit_test(messages),
		cmocka_unit_test(replaces_pit_and_rtc),
		cmocka_unit_test(comparator_in_the_past),
		cmocka_unit_test(short_periods_do_not_keep_the_host_busy),
		cmocka_unit_test(state_survives),
		cmocka_unit_test(a_loaded_timer_goes_on),
	};

	return cmocka_run_group_tests_name("hpet", tests, NULL, NULL);
}
