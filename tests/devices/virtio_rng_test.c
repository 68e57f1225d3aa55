/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entropy device, and through it the PCI transport, with both ring layouts. */
#include "tests/devices/virtio_driver.h"

#include <string.h>

#define RNG (&device_class_virtio_rng)
#define QUEUE 0
#define VECTOR 1

static const char all_on[] = "packed=on,queue-size=16";

static void only_over_pci(struct driver *driver)
{
	if (!driver->mmio)
		return;
	driver__destroy(driver);
	skip();
}

static bool is_random(const uint8_t *bytes, size_t size)
{
	size_t i, zeros = 0;

	for (i = 0; i < size; i++)
		zeros += !bytes[i];
	return zeros < size / 4 + 4;
}

static void fetch(struct driver *driver, unsigned rounds, bool indirect)
{
	uint64_t gpa = driver__alloc(driver, 128);
	uint8_t *bytes = driver__memory(driver, gpa, 128);
	const struct driver_buffer buffers[] = { { gpa, 64, true }, { gpa + 64, 64, true } };
	unsigned id, got;
	uint32_t length;

	while (rounds--) {
		memset(bytes, 0, 128);
		id = driver__add(driver, QUEUE, buffers, 2, indirect);
		driver__kick(driver, QUEUE);
		assert_true(driver__used(driver, QUEUE, &got, &length));
		assert_int_equal(got, id);
		assert_int_equal(length, 128);
		assert_true(is_random(bytes, 128));
		assert_false(driver__used(driver, QUEUE, &got, &length));
		assert_int_equal(driver__interrupts(driver, VECTOR), 1);
	}
	assert_int_equal(driver__status(driver), 15);
}

/* Rings go round several times. */
static void buffers_come_back_filled(void **state)
{
	static const uint64_t features[] = { 0, DRIVER_PACKED, DRIVER_INDIRECT,
					     DRIVER_PACKED | DRIVER_INDIRECT };
	struct driver *driver = driver__create(RNG, all_on);
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(features); i++) {
		driver__run(driver, features[i], 1, 16);
		fetch(driver, 50, features[i] & DRIVER_INDIRECT);
	}
	driver__destroy(driver);
}

/* A split queue's size is a power of two; a packed one's need not be. */
static void any_size_of_a_packed_ring(void **state)
{
	struct driver *driver = driver__create(RNG, all_on);

	driver__run(driver, DRIVER_PACKED, 1, 7);
	fetch(driver, 50, false);
	driver__negotiate(driver, 0);
	driver__enable(driver, QUEUE, 7);
	driver__start(driver);
	assert_int_equal(driver__status(driver), 15 | 0x40);
	driver__destroy(driver);
}

static void identity_as_specified(void **state)
{
	struct driver *driver = driver__create(RNG, NULL);

	only_over_pci(driver);
	assert_int_equal(driver__config(driver, PCI_VENDOR, 4), 0x10441af4);
	assert_int_equal(driver__config(driver, PCI_REVISION, 1), 1);
	assert_true(driver__config(driver, PCI_SUBSYSTEM, 2) >= 0x40);
	assert_int_equal(driver__read(driver, driver->common + 0x12, 2), 1); /* queues */
	driver__write(driver, driver->common + 0x16, 2, 1);
	assert_int_equal(driver__read(driver, driver->common + 0x18, 2), 0); /* no such queue */
	driver__write(driver, driver->common + 0x10, 2, 2);
	assert_int_equal(driver__read(driver, driver->common + 0x10, 2), 0xffff); /* no such vector */
	driver__destroy(driver);
}

static void features_that_were_not_offered_are_refused(void **state)
{
	struct driver *driver = driver__create(RNG, "packed=off,indirect=off,event-idx=off");

	assert_int_equal(driver__negotiate(driver, ~0ull), 11);
	assert_int_equal(driver->features, DRIVER_VERSION_1 | 1ull << 35);
	/* Without VERSION_1, or with one that is not there, FEATURES_OK does not stick. */
	driver__set(driver, DRIVER_REG_STATUS, 0);
	driver__set(driver, DRIVER_REG_STATUS, 11);
	assert_int_equal(driver__status(driver), 3);
	driver__set(driver, DRIVER_REG_DRIVER_SELECT, 1);
	driver__set(driver, DRIVER_REG_DRIVER_FEATURES, 1 | 4);
	driver__set(driver, DRIVER_REG_STATUS, 11);
	assert_int_equal(driver__status(driver), 3);
	driver__set(driver, DRIVER_REG_STATUS, 15); /* no DRIVER_OK without */
	assert_int_equal(driver__status(driver), 3);
	driver__set(driver, DRIVER_REG_DRIVER_FEATURES, 1);
	driver__set(driver, DRIVER_REG_STATUS, 11);
	assert_int_equal(driver__status(driver), 11);
	driver__destroy(driver);
}

/* 2.7.10: the driver says at which index it wants to hear, and is told where to notify. */
static void event_index_suppresses(void **state)
{
	struct driver *driver = driver__create(RNG, all_on);
	uint64_t gpa = driver__alloc(driver, 64);
	const struct driver_buffer buffer = { gpa, 64, true };
	struct driver_queue *queue = &driver->queue[QUEUE];
	struct split_avail *avail;
	struct split_used *used;
	unsigned i;

	driver__run(driver, DRIVER_EVENT_IDX, 1, 16);
	avail = driver__memory(driver, queue->driver, 64);
	used = driver__memory(driver, queue->device, 256);
	avail->ring[16] = 2; /* used_event */
	for (i = 0; i < 5; i++) {
		driver__add(driver, QUEUE, &buffer, 1, false);
		driver__kick(driver, QUEUE);
		assert_int_equal(driver__interrupts(driver, VECTOR), i == 2);
		assert_int_equal(*(uint16_t *)&used->ring[16], i + 1); /* avail_event */
	}
	driver__destroy(driver);
}

static void event_index_of_packed_rings(void **state)
{
	struct driver *driver = driver__create(RNG, all_on);
	uint64_t gpa = driver__alloc(driver, 64);
	const struct driver_buffer buffer = { gpa, 64, true };
	struct driver_queue *queue = &driver->queue[QUEUE];
	struct packed_event *want, *told;
	unsigned i;

	driver__run(driver, DRIVER_EVENT_IDX | DRIVER_PACKED, 1, 4);
	want = driver__memory(driver, queue->driver, 4);
	told = driver__memory(driver, queue->device, 4);
	want->flags = PACKED_EVENT_AT;
	want->where = 1; /* second round: wrap counter 0 */
	for (i = 0; i < 12; i++) {
		driver__add(driver, QUEUE, &buffer, 1, false);
		driver__kick(driver, QUEUE);
		assert_int_equal(driver__interrupts(driver, VECTOR), i == 5);
		assert_int_equal(told->flags, PACKED_EVENT_AT);
		assert_int_equal(told->where, (i + 1) % 4 | ((i + 1) / 4 % 2 ? 0 : 0x8000));
	}
	want->flags = PACKED_EVENT_DISABLE;
	driver__add(driver, QUEUE, &buffer, 1, false);
	driver__kick(driver, QUEUE);
	assert_int_equal(driver__interrupts(driver, VECTOR), 0);
	driver__destroy(driver);
}

/* Without MSI-X the pin rises, and falls when the ISR is read. */
static void interrupt_pin(void **state)
{
	struct driver *driver = driver__create(RNG, NULL);
	uint64_t gpa = driver__alloc(driver, 64);
	const struct driver_buffer buffer = { gpa, 64, true };
	unsigned gsi = PCI_PIRQ_GSI + pci__pirq(1, 0);

	only_over_pci(driver);
	assert_int_equal(driver__negotiate(driver, 0), 11);
	driver__enable(driver, QUEUE, 16);
	driver__write(driver, driver->common + DRIVER_STATUS, 1, 15);
	driver__add(driver, QUEUE, &buffer, 1, false);
	driver__kick(driver, QUEUE);
	assert_true(driver->f->level[gsi]);
	assert_true(driver->f->level[11]); /* through the PIC's route, too */
	assert_int_equal(driver__config(driver, PCI_STATUS, 2) & PCI_STATUS_INTX, PCI_STATUS_INTX);
	driver__set_config(driver, PCI_COMMAND, 2,
			   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
	assert_false(driver->f->level[gsi]);
	assert_int_equal(driver__config(driver, PCI_STATUS, 2) & PCI_STATUS_INTX, PCI_STATUS_INTX);
	driver__set_config(driver, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_true(driver->f->level[gsi]);
	assert_int_equal(driver__read(driver, driver->isr, 1), 1);
	assert_false(driver->f->level[gsi]);
	assert_false(driver->f->level[11]);
	assert_int_equal(driver__read(driver, driver->isr, 1), 0);
	driver__destroy(driver);
}

/* Without leave to master the bus nothing is read or written; with it work goes on. */
static void no_access_without_bus_mastering(void **state)
{
	struct driver *driver = driver__create(RNG, NULL);
	uint64_t gpa = driver__alloc(driver, 64);
	const struct driver_buffer buffer = { gpa, 64, true };
	uint32_t length;
	unsigned id;

	only_over_pci(driver);
	driver__run(driver, 0, 1, 16);
	driver__set_config(driver, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	driver__add(driver, QUEUE, &buffer, 1, false);
	driver__kick(driver, QUEUE);
	assert_false(driver__used(driver, QUEUE, &id, &length));
	driver__set_config(driver, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_true(driver__used(driver, QUEUE, &id, &length));
	assert_int_equal(driver__interrupts(driver, VECTOR), 1);
	driver__destroy(driver);
}

/* The window in configuration space reaches the BAR even while it is not mapped (4.1.4.9). */
static void window_in_configuration_space(void **state)
{
	struct driver *driver = driver__create(RNG, NULL);
	unsigned at = driver__config(driver, PCI_CAPABILITIES, 1);

	only_over_pci(driver);
	while (driver__config(driver, at, 1) != PCI_CAP_VENDOR ||
	       driver__config(driver, at + 3, 1) != 5)
		at = driver__config(driver, at + 1, 1);
	driver__set_config(driver, PCI_COMMAND, 2, 0);
	assert_int_equal(driver__read(driver, driver->common + DRIVER_STATUS, 1), 0xff);
	driver__set_config(driver, at + 4, 1, 0);
	driver__set_config(driver, at + 8, 4, DRIVER_STATUS); /* the common structure is first */
	driver__set_config(driver, at + 12, 4, 1);
	driver__set_config(driver, at + 16, 1, 3);
	assert_int_equal(driver__config(driver, at + 16, 1), 3);
	driver__set_config(driver, at + 8, 4, 0x12);
	driver__set_config(driver, at + 12, 4, 2);
	assert_int_equal(driver__config(driver, at + 16, 2), 1);
	/* Impossible windows do nothing. */
	driver__set_config(driver, at + 8, 4, 0xfffffffc);
	driver__set_config(driver, at + 12, 4, 4);
	driver__set_config(driver, at + 16, 4, 0x12345678);
	driver__set_config(driver, at + 12, 4, 3);
	driver__config(driver, at + 16, 4);
	driver__set_config(driver, at + 4, 1, 5);
	driver__config(driver, at + 16, 4);
	driver__destroy(driver);
}

/* 100 bytes in a period; the rest comes with the next. */
static void rate_limit(void **state)
{
	struct driver *driver = driver__create(RNG, "max-bytes=100,period=20");
	uint64_t gpa = driver__alloc(driver, 64);
	const struct driver_buffer buffer = { gpa, 64, true };
	uint32_t length, total = 0;
	unsigned id, i;

	driver__run(driver, 0, 1, 16);
	for (i = 0; i < 8; i++)
		driver__add(driver, QUEUE, &buffer, 1, false);
	driver__kick(driver, QUEUE);
	for (i = 0; driver__used(driver, QUEUE, &id, &length); i++)
		total += length;
	assert_int_equal(i, 2);
	assert_int_equal(total, 100);
	while (i < 8) {
		fixture__pump(driver->f, 30);
		for (; driver__used(driver, QUEUE, &id, &length); i++)
			total += length;
	}
	assert_in_range(total, 101, 8 * 64);
	driver__destroy(driver);
}

static void state_survives(void **state)
{
	struct driver *driver = driver__create(RNG, all_on);
	struct device *dev = driver__device(driver);
	size_t size = state__size(dev->class->state), i;
	uint8_t *saved = malloc(size), *again = malloc(size);
	unsigned round;

	driver__run(driver, DRIVER_PACKED, 1, 16);
	fetch(driver, 21, false);
	assert_int_equal(state__save(dev->class->state, dev, saved, size), size);
	dev->class->reset(dev);
	assert_int_equal(state__load(dev->class->state, dev, saved, size), 0);
	assert_int_equal(state__save(dev->class->state, dev, again, size), size);
	assert_memory_equal(saved, again, size);
	fetch(driver, 21, false);
	/* Any other state is refused or harmless. */
	for (round = 0; round < 300; round++) {
		memcpy(again, saved, size);
		for (i = 0; i < 20; i++)
			again[4 + (size_t)rand() % (size - 4)] = (uint8_t)rand();
		state__load(dev->class->state, dev, again, size);
		driver__kick(driver, QUEUE);
		driver__status(driver);
	}
	free(again);
	free(saved);
	driver__destroy(driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_come_back_filled),
		cmocka_unit_test(any_size_of_a_packed_ring),
		cmocka_unit_test(identity_as_specified),
		cmocka_unit_test(features_that_were_not_offered_are_refused),
		cmocka_unit_test(event_index_suppresses),
		cmocka_unit_test(event_index_of_packed_rings),
		cmocka_unit_test(interrupt_pin),
		cmocka_unit_test(no_access_without_bus_mastering),
		cmocka_unit_test(window_in_configuration_space),
		cmocka_unit_test(rate_limit),
		cmocka_unit_test(state_survives),
	};

	return cmocka_run_group_tests_name("virtio-rng", tests, NULL, NULL);
}
