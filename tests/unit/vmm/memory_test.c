/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory bounds, address dispatch, interrupt wires, options. */
#include "tests/devices/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static void memory_is_bounded(void **state)
{
	struct guest_memory mem;
	uint8_t buf[16] = { 1, 2, 3 };

	assert_int_equal(guest_memory__create(&mem, 5000), -EINVAL);
	assert_int_equal(guest_memory__create(&mem, 0), -EINVAL);
	assert_int_equal(guest_memory__create(&mem, GUEST_LOW_RAM_END + 0x200000), 0);
	assert_int_equal(mem.count, 2);
	assert_non_null(guest_memory__pointer(&mem, 0, GUEST_LOW_RAM_END));
	assert_null(guest_memory__pointer(&mem, 0, GUEST_LOW_RAM_END + 1));
	assert_null(guest_memory__pointer(&mem, GUEST_LOW_RAM_END, 1));
	assert_null(guest_memory__pointer(&mem, GUEST_LOW_RAM_END - 1, 2));
	assert_non_null(guest_memory__pointer(&mem, GUEST_HIGH_RAM_START, 0x200000));
	assert_null(guest_memory__pointer(&mem, GUEST_HIGH_RAM_START + 0x1fffff, 2));
	assert_null(guest_memory__pointer(&mem, UINT64_MAX, 2));
	assert_null(guest_memory__pointer(&mem, 16, UINT64_MAX));
	assert_int_equal(guest_memory__write(&mem, GUEST_LOW_RAM_END - 8, buf, 16), -EFAULT);
	assert_int_equal(guest_memory__write(&mem, UINT64_MAX - 3, buf, 16), -EFAULT);
	assert_int_equal(guest_memory__write(&mem, GUEST_HIGH_RAM_START + 0x1ffff0, buf, 16), 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(guest_memory__read(&mem, GUEST_HIGH_RAM_START + 0x1ffff0, buf, 16), 0);
	assert_int_equal(buf[2], 3);
	guest_memory__destroy(&mem);
}

struct recorder {
	unsigned calls;
	struct access last;
	uint64_t answer;
};

static void record(void *opaque, struct access *access)
{
	struct recorder *recorder = opaque;

	recorder->calls++;
	recorder->last = *access;
	if (!access->write)
		access->value = recorder->answer;
}

static uint64_t read_at(struct dispatch *dispatch, uint64_t address, unsigned size)
{
	uint64_t value = 0;

	dispatch__access(dispatch, 0, address, false, &value, size);
	return value;
}

static void ranges_are_found_and_split(void **state)
{
	struct recorder byte = { .answer = 0x11 }, word = { .answer = 0x44332211 };
	struct dispatch_range byte_range = { 0x100, 8, 1, record, &byte };
	struct dispatch_range word_range = { 0x200, 4, 4, record, &word };
	struct dispatch_range top = { UINT64_MAX - 7, 8, 8, record, &word }, bad = top;
	struct dispatch *dispatch;

	assert_int_equal(dispatch__create(&dispatch, 1), 0);
	assert_int_equal(read_at(dispatch, 0x100, 4), 0xffffffff);
	assert_int_equal(dispatch__add(dispatch, &word_range), 0);
	assert_int_equal(dispatch__add(dispatch, &byte_range), 0);
	assert_int_equal(dispatch__add(dispatch, &top), 0);
	assert_int_equal(dispatch__add(dispatch, &byte_range), -EBUSY);
	byte_range.start = 0xfc;
	assert_int_equal(dispatch__add(dispatch, &byte_range), -EBUSY);
	bad.size = 9; /* wraps */
	assert_int_equal(dispatch__add(dispatch, &bad), -EINVAL);
	bad.size = 0;
	assert_int_equal(dispatch__add(dispatch, &bad), -EINVAL);

	assert_int_equal(read_at(dispatch, 0x104, 2), 0x1111);
	assert_int_equal(byte.calls, 2);
	assert_int_equal(byte.last.offset, 5);
	assert_int_equal(read_at(dispatch, 0x107, 2), 0xff11);
	assert_int_equal(read_at(dispatch, 0xff, 2), 0x11ff);
	assert_int_equal(read_at(dispatch, 0x200, 4), 0x44332211);
	assert_int_equal(word.calls, 1);
	assert_int_equal(word.last.size, 4);
	assert_int_equal(read_at(dispatch, 0x200, 8), 0xffffffff44332211);
	assert_int_equal(read_at(dispatch, UINT64_MAX, 1), 0x11);
	assert_int_equal(dispatch__remove(dispatch, 0x101), -ENOENT);
	assert_int_equal(dispatch__remove(dispatch, 0x100), 0);
	assert_int_equal(read_at(dispatch, 0x104, 2), 0xffff);
	dispatch__destroy(dispatch);
}

static atomic_bool done;

static void *read_for_ever(void *opaque)
{
	uint64_t value;

	while (!atomic_load(&done)) {
		dispatch__access(opaque, 1, 0x300, false, &value, 8);
		assert_true((uint8_t)value == 0x77 || (uint8_t)value == 0xff);
	}
	return NULL;
}

static void answer_77(void *opaque, struct access *access)
{
	access->value = 0x77;
}

static void readers_and_updates_race(void **state)
{
	struct dispatch_range range = { 0x300, 8, 1, answer_77, NULL };
	struct dispatch *dispatch;
	pthread_t thread;
	unsigned i;

	assert_int_equal(dispatch__create(&dispatch, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_for_ever, dispatch), 0);
	for (i = 0; i < 20000; i++) {
		assert_int_equal(dispatch__add(dispatch, &range), 0);
		assert_int_equal(dispatch__remove(dispatch, 0x300), 0);
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	dispatch__destroy(dispatch);
}

static unsigned changes;
static bool level_now;

static void note_level(void *opaque, unsigned gsi, bool level)
{
	assert_int_equal(gsi, 5);
	changes++;
	level_now = level;
}

static void wires_are_ored(void **state)
{
	struct irq_hub hub;
	struct irq_wire a, b, c = { 0 };

	irq_hub__init(&hub, note_level, NULL);
	assert_int_equal(irq_wire__connect(&a, &hub, 24), -EINVAL);
	assert_int_equal(irq_wire__connect(&a, &hub, 5), 0);
	assert_int_equal(irq_wire__connect(&b, &hub, 5), 0);
	irq_wire__set(&c, true); /* not connected */
	irq_wire__set(&a, true);
	irq_wire__set(&a, true);
	irq_wire__set(&b, true);
	irq_wire__set(&a, false);
	assert_true(level_now);
	assert_int_equal(changes, 1);
	irq_hub__refresh(&hub);
	assert_int_equal(changes, 2);
	irq_wire__set(&b, false);
	assert_false(level_now);
	irq_hub__destroy(&hub);
}

/* As long as one wire owns the GSI the others' levels do not come through, but are kept. */
static void an_owner_is_alone(void **state)
{
	struct irq_hub hub;
	struct irq_wire a, b;

	irq_hub__init(&hub, note_level, NULL);
	assert_int_equal(irq_wire__connect(&a, &hub, 5), 0);
	assert_int_equal(irq_wire__connect(&b, &hub, 5), 0);
	level_now = false;
	irq_wire__set(&a, true);
	irq_wire__own(&b, true);
	assert_false(level_now);
	irq_wire__own(&a, false); /* it does not */
	assert_false(level_now);
	irq_wire__set(&b, true);
	assert_true(level_now);
	irq_wire__set(&b, false);
	irq_wire__set(&a, false);
	irq_wire__set(&a, true);
	assert_false(level_now);
	irq_wire__own(&b, false);
	assert_true(level_now);
	irq_wire__set(&a, false);
	assert_false(level_now);
	irq_hub__destroy(&hub);
}

struct sample {
	struct device dev;
	uint64_t number;
	bool flag;
	char *text;
};

static const struct config_option sample_options[] = {
	{ "number", OPTION_U64, offsetof(struct sample, number), 7, 2, 100, "" },
	{ "flag", OPTION_BOOL, offsetof(struct sample, flag), 1, 0, 0, "" },
	{ "text", OPTION_STRING, offsetof(struct sample, text), 0, 0, 0, "" },
	{ NULL },
};

static const struct device_class sample_class = { .name = "sample",
						  .size = sizeof(struct sample),
						  .options = sample_options };

static void options_are_checked(void **state)
{
	static const char *const bad[] = { "number=1",	   "number=101", "number=", "number=-3",
					   "number=5x",	   "flag=yes",	 "size=1",  "number",
					   "number=5,",	   ",number=5",	 "=",	    "text=a,number",
					   "number=99999999999999999999" };
	struct sample sample = { 0 };
	char error[200];
	unsigned i;

	assert_int_equal(option__parse(&sample_class, NULL, &sample, error, sizeof(error)), 0);
	assert_int_equal(sample.number, 7);
	assert_true(sample.flag);
	assert_null(sample.text);
	assert_int_equal(option__parse(&sample_class, "text=a,,b=c,number=0x10,flag=off", &sample,
				       error, sizeof(error)),
			 0);
	assert_string_equal(sample.text, "a,b=c");
	assert_int_equal(sample.number, 16);
	assert_false(sample.flag);
	option__free(&sample_class, &sample);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error[0] = '\0';
		assert_int_equal(option__parse(&sample_class, bad[i], &sample, error, sizeof(error)),
				 -EINVAL);
		assert_non_null(strstr(error, "sample"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_bounded),	    cmocka_unit_test(ranges_are_found_and_split),
		cmocka_unit_test(readers_and_updates_race), cmocka_unit_test(wires_are_ored),
		cmocka_unit_test(an_owner_is_alone),
		cmocka_unit_test(options_are_checked),
	};

	return cmocka_run_group_tests_name("vmm memory", tests, NULL, NULL);
}
