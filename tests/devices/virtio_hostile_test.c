/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings that break the rules, in both layouts: the device stops, says that it needs a reset, touches
 * nothing outside of its buffers, and works again after the reset.
 */
#include "tests/devices/virtio_driver.h"

#include <string.h>

#define RNG (&device_class_virtio_rng)
#define SIZE 16u
#define NEEDS_RESET 0x40u
#define MEMORY_END (16u << 20)

struct hostile {
	const char *name;
	bool packed;
	/* Makes the bad buffer available, with its own hands. */
	void (*make)(struct driver *driver, uint64_t gpa);
};

static struct split_descriptor *table_of(struct driver *driver)
{
	return driver__memory(driver, driver->queue[0].descriptors, 16 * SIZE);
}

static struct packed_descriptor *ring_of(struct driver *driver)
{
	return driver__memory(driver, driver->queue[0].descriptors, 16 * SIZE);
}

static void offer(struct driver *driver, unsigned head, unsigned index)
{
	struct split_avail *avail = driver__memory(driver, driver->queue[0].driver, 4 + 2 * SIZE);

	avail->ring[0] = (uint16_t)head;
	avail->index = (uint16_t)index;
}

static void put(struct driver *driver, unsigned at, uint64_t gpa, uint32_t length, uint16_t flags,
		uint16_t next)
{
	table_of(driver)[at] = (struct split_descriptor){ gpa, length, flags, next };
}

static void put_packed(struct driver *driver, unsigned at, uint64_t gpa, uint32_t length,
		       uint16_t flags)
{
	ring_of(driver)[at] = (struct packed_descriptor){ gpa, length, 0, flags | RING_AVAIL };
}

/* ---- split ---- */

static void loop_of_two(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, gpa, 1, RING_WRITE | RING_NEXT, 1);
	put(driver, 1, gpa, 1, RING_WRITE | RING_NEXT, 0);
	offer(driver, 0, 1);
}

static void loop_of_one(struct driver *driver, uint64_t gpa)
{
	put(driver, 3, gpa, 1, RING_WRITE | RING_NEXT, 3);
	offer(driver, 3, 1);
}

static void head_outside(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, gpa, 64, RING_WRITE, 0);
	offer(driver, SIZE, 1);
}

static void next_outside(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, gpa, 64, RING_WRITE | RING_NEXT, SIZE);
	offer(driver, 0, 1);
}

static void too_many_available(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, gpa, 64, RING_WRITE, 0);
	offer(driver, 0, SIZE + 1);
}

static void index_goes_back(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, gpa, 64, RING_WRITE, 0);
	offer(driver, 0, 0xffff);
}

static void outside_of_memory(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, MEMORY_END, 64, RING_WRITE, 0);
	offer(driver, 0, 1);
}

static void over_the_end_of_memory(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, MEMORY_END - 32, 64, RING_WRITE, 0);
	offer(driver, 0, 1);
}

static void address_overflows(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, ~31ull, 64, RING_WRITE, 0);
	offer(driver, 0, 1);
}

static void no_length(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, gpa, 0, RING_WRITE, 0);
	offer(driver, 0, 1);
}

static void read_behind_write(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, gpa, 16, RING_WRITE | RING_NEXT, 1);
	put(driver, 1, gpa, 16, 0, 0);
	offer(driver, 0, 1);
}

static void indirect_that_goes_on(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, driver__alloc(driver, 16), 16, RING_INDIRECT | RING_NEXT, 1);
	put(driver, 1, gpa, 64, RING_WRITE, 0);
	offer(driver, 0, 1);
}

static void indirect_in_indirect(struct driver *driver, uint64_t gpa)
{
	uint64_t at = driver__alloc(driver, 16);
	struct split_descriptor *inner = driver__memory(driver, at, 16);

	*inner = (struct split_descriptor){ at, 16, RING_INDIRECT, 0 };
	put(driver, 0, at, 16, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

static void indirect_loop(struct driver *driver, uint64_t gpa)
{
	uint64_t at = driver__alloc(driver, 32);
	struct split_descriptor *inner = driver__memory(driver, at, 32);

	inner[0] = (struct split_descriptor){ gpa, 1, RING_WRITE | RING_NEXT, 1 };
	inner[1] = (struct split_descriptor){ gpa, 1, RING_WRITE | RING_NEXT, 0 };
	put(driver, 0, at, 32, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

static void indirect_of_odd_length(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, driver__alloc(driver, 32), 24, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

static void indirect_without_length(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, driver__alloc(driver, 32), 0, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

static void indirect_outside_of_memory(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, MEMORY_END - 16, 32, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

static void indirect_beyond_reason(struct driver *driver, uint64_t gpa)
{
	put(driver, 0, 0, 0xfffffff0, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

static void chain_beyond_reason(struct driver *driver, uint64_t gpa)
{
	uint64_t at = driver__alloc(driver, 16 * 1024);
	struct split_descriptor *inner = driver__memory(driver, at, 16 * 1024);
	unsigned i;

	for (i = 0; i < 1024; i++)
		inner[i] = (struct split_descriptor){ gpa, 1, RING_WRITE | (i < 1023 ? RING_NEXT : 0),
						      (uint16_t)(i + 1) };
	put(driver, 0, at, 16 * 1024, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

/* Each within memory, together more than 32 bits of bytes. */
static void bytes_overflow(struct driver *driver, uint64_t gpa)
{
	uint64_t at = driver__alloc(driver, 16 * 512);
	struct split_descriptor *inner = driver__memory(driver, at, 16 * 512);
	unsigned i;

	for (i = 0; i < 512; i++)
		inner[i] = (struct split_descriptor){ 0, MEMORY_END, i < 511 ? RING_NEXT : 0,
						      (uint16_t)(i + 1) };
	put(driver, 0, at, 16 * 512, RING_INDIRECT, 0);
	offer(driver, 0, 1);
}

/* ---- packed ---- */

static void packed_chain_without_end(struct driver *driver, uint64_t gpa)
{
	unsigned i;

	for (i = 0; i < SIZE; i++)
		put_packed(driver, i, gpa, 1, RING_WRITE | RING_NEXT);
}

static void packed_outside_of_memory(struct driver *driver, uint64_t gpa)
{
	put_packed(driver, 0, MEMORY_END - 1, 2, RING_WRITE);
}

static void packed_no_length(struct driver *driver, uint64_t gpa)
{
	put_packed(driver, 0, gpa, 0, RING_WRITE);
}

static void packed_read_behind_write(struct driver *driver, uint64_t gpa)
{
	put_packed(driver, 1, gpa, 16, 0);
	put_packed(driver, 0, gpa, 16, RING_WRITE | RING_NEXT);
}

static void packed_indirect_in_indirect(struct driver *driver, uint64_t gpa)
{
	uint64_t at = driver__alloc(driver, 16);
	struct packed_descriptor *inner = driver__memory(driver, at, 16);

	*inner = (struct packed_descriptor){ at, 16, 0, RING_INDIRECT };
	put_packed(driver, 0, at, 16, RING_INDIRECT);
}

static void packed_indirect_in_chain(struct driver *driver, uint64_t gpa)
{
	put_packed(driver, 1, driver__alloc(driver, 16), 16, RING_INDIRECT);
	put_packed(driver, 0, gpa, 16, RING_WRITE | RING_NEXT);
}

static void packed_indirect_that_goes_on(struct driver *driver, uint64_t gpa)
{
	put_packed(driver, 0, driver__alloc(driver, 16), 16, RING_INDIRECT | RING_NEXT);
}

static void packed_indirect_of_odd_length(struct driver *driver, uint64_t gpa)
{
	put_packed(driver, 0, driver__alloc(driver, 32), 24, RING_INDIRECT);
}

#define SPLIT(name) { #name, false, name }
#define PACKED(name) { #name, true, name }

static const struct hostile rings[] = {
	SPLIT(loop_of_two),
	SPLIT(loop_of_one),
	SPLIT(head_outside),
	SPLIT(next_outside),
	SPLIT(too_many_available),
	SPLIT(index_goes_back),
	SPLIT(outside_of_memory),
	SPLIT(over_the_end_of_memory),
	SPLIT(address_overflows),
	SPLIT(no_length),
	SPLIT(read_behind_write),
	SPLIT(indirect_that_goes_on),
	SPLIT(indirect_in_indirect),
	SPLIT(indirect_loop),
	SPLIT(indirect_of_odd_length),
	SPLIT(indirect_without_length),
	SPLIT(indirect_outside_of_memory),
	SPLIT(indirect_beyond_reason),
	SPLIT(chain_beyond_reason),
	SPLIT(bytes_overflow),
	PACKED(packed_chain_without_end),
	PACKED(packed_outside_of_memory),
	PACKED(packed_no_length),
	PACKED(packed_read_behind_write),
	PACKED(packed_indirect_in_indirect),
	PACKED(packed_indirect_in_chain),
	PACKED(packed_indirect_that_goes_on),
	PACKED(packed_indirect_of_odd_length),
};

static void expect_good(struct driver *driver, uint64_t gpa)
{
	const struct driver_buffer buffer = { gpa, 64, true };
	uint32_t length;
	unsigned id;

	driver__add(driver, 0, &buffer, 1, false);
	driver__kick(driver, 0);
	assert_true(driver__used(driver, 0, &id, &length));
	assert_int_equal(length, 64);
	assert_int_equal(driver__status(driver), 15);
}

static void bad_rings_break_the_device_only(void **state)
{
	struct driver *driver = driver__create(RNG, "packed=on,queue-size=16");
	uint64_t features, start = driver->next_free, gpa;
	uint32_t length;
	unsigned i, id;

	for (i = 0; i < ARRAY_LENGTH(rings); i++) {
		driver->next_free = start;
		features = DRIVER_INDIRECT | (rings[i].packed ? DRIVER_PACKED : 0);
		driver__run(driver, features, 1, SIZE);
		driver->f->message_count = 0;
		gpa = driver__alloc(driver, 64);
		rings[i].make(driver, gpa);
		driver__kick(driver, 0);
		if (driver__status(driver) != (15 | NEEDS_RESET))
			fail_msg("%s: status 0x%x", rings[i].name, driver__status(driver));
		assert_int_equal(driver__interrupts(driver, 0), 1); /* the configuration's vector */
		assert_false(driver__used(driver, 0, &id, &length));
		/* Nothing more until the reset, said once. */
		driver__kick(driver, 0);
		assert_int_equal(driver__interrupts(driver, 0), 0);
		driver__run(driver, features, 1, SIZE);
		expect_good(driver, gpa);
	}
	driver__destroy(driver);
}

/* Without the feature an indirect table is none. */
static void indirect_that_was_not_negotiated(void **state)
{
	struct driver *driver = driver__create(RNG, "queue-size=16");
	const struct driver_buffer buffer = { driver__alloc(driver, 64), 64, true };

	driver__run(driver, 0, 1, SIZE);
	driver__add(driver, 0, &buffer, 1, true);
	driver__kick(driver, 0);
	assert_int_equal(driver__status(driver), 15 | NEEDS_RESET);
	driver__destroy(driver);
}

/* Rings that are not in memory, or not aligned. */
static void bad_areas(void **state)
{
	static const uint64_t areas[][3] = {
		{ MEMORY_END, 0x1000, 0x2000 },	     { MEMORY_END - 240, 0x1000, 0x2000 },
		{ 0x1000, MEMORY_END - 35, 0x2000 }, { 0x1000, 0x2000, ~0ull - 3 },
		{ 0x1008, 0x2000, 0x3000 },	     { 0x1000, 0x2001, 0x3000 },
		{ 0x1000, 0x2000, 0x3002 },	     { ~15ull, 0x2000, 0x3000 },
	};
	struct driver *driver = driver__create(RNG, "queue-size=16");
	unsigned i, k;

	for (i = 0; i < ARRAY_LENGTH(areas); i++) {
		assert_int_equal(driver__negotiate(driver, 0), 11);
		for (k = 0; k < 3; k++)
			driver__set_area(driver, k, areas[i][k]);
		driver__set(driver, DRIVER_REG_QUEUE_ENABLE, 1);
		driver__start(driver);
		assert_int_equal(driver__status(driver), 15 | NEEDS_RESET);
		driver__kick(driver, 0);
	}
	driver__destroy(driver);
}

/* Registers written in the middle of it. */
static void set_up_again_while_running(void **state)
{
	struct driver *driver = driver__create(RNG, "queue-size=16");
	uint64_t gpa = driver__alloc(driver, 64);

	driver__run(driver, 0, 1, SIZE);
	expect_good(driver, gpa);
	driver__set(driver, DRIVER_REG_QUEUE_SIZE, 4);
	driver__set_area(driver, 0, MEMORY_END);
	driver__set_area(driver, 1, 0x1001);
	driver__set(driver, DRIVER_REG_QUEUE_ENABLE, 1);
	driver__set(driver, DRIVER_REG_DRIVER_SELECT, 1);
	driver__set(driver, DRIVER_REG_DRIVER_FEATURES, 0);
	driver__set(driver, DRIVER_REG_STATUS, 1);
	expect_good(driver, gpa);
	driver__destroy(driver);
}

/* Over PCI a queue is not taken out of use, and a BAR can move. */
static void set_up_again_over_pci(void **state)
{
	struct driver *driver = driver__create(RNG, "queue-size=16");
	uint64_t gpa = driver__alloc(driver, 64);

	if (driver->mmio) {
		driver__destroy(driver);
		skip();
	}
	driver__run(driver, 0, 1, SIZE);
	driver__set(driver, DRIVER_REG_QUEUE_ENABLE, 0);
	expect_good(driver, gpa);
	driver__set(driver, DRIVER_REG_QUEUE_SIZE, 4);
	assert_int_equal(driver__get(driver, DRIVER_REG_QUEUE_SIZE), SIZE);
	/* A BAR that moves takes its registers along. */
	driver__set_config(driver, PCI_BAR0, 4, 0xd0000000);
	assert_int_equal(driver__status(driver), 0xff);
	driver->common += 0xd0000000 - 0xc0000000;
	driver->notify += 0xd0000000 - 0xc0000000;
	expect_good(driver, gpa);
	driver__destroy(driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_rings_break_the_device_only),
		cmocka_unit_test(indirect_that_was_not_negotiated),
		cmocka_unit_test(bad_areas),
		cmocka_unit_test(set_up_again_while_running),
		cmocka_unit_test(set_up_again_over_pci),
	};

	return cmocka_run_group_tests_name("virtio-hostile", tests, NULL, NULL);
}
