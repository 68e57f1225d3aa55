/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory balloon: what it gives back, and what it leaves alone. */
#include "tests/devices/virtio_driver.h"

#include <string.h>

#include "vmm/devices/virtio/balloon.h"

#define BALLOON (&device_class_virtio_balloon)
#define PAGE 4096u
#define F_ALL 0x3eull
#define F_POISON 0x10ull

enum { INFLATE, DEFLATE, STATS, HINT, REPORTING, QUEUES };

static uint64_t told_bytes;

static void count_told(void *opaque, uint64_t gpa, uint64_t size)
{
	told_bytes += size;
}

/* `count` whole pages, filled. */
static uint64_t make_pages(struct driver *driver, unsigned count)
{
	uint64_t gpa = (driver__alloc(driver, (count + 1) * PAGE) + PAGE - 1) & -(uint64_t)PAGE;

	memset(driver__memory(driver, gpa, count * PAGE), 0xaa, count * PAGE);
	return gpa;
}

static unsigned zero_pages(struct driver *driver, uint64_t gpa, unsigned count)
{
	const uint8_t *byte = driver__memory(driver, gpa, count * PAGE);
	unsigned i, zeros = 0;

	for (i = 0; i < count; i++) {
		assert_true(byte[i * PAGE] == 0 || byte[i * PAGE] == 0xaa);
		assert_true(!memcmp(byte + i * PAGE, byte + i * PAGE + 1, PAGE - 1));
		zeros += !byte[i * PAGE];
	}
	return zeros;
}

static struct driver *make(const char *options, uint64_t features)
{
	struct driver *driver = driver__create(BALLOON, options);

	driver->f->memory.written = count_told;
	driver__run(driver, features, QUEUES, 16);
	told_bytes = 0;
	return driver;
}

/* Sends one buffer and waits for it; whether it came back. */
static bool send(struct driver *driver, unsigned queue, uint64_t gpa, uint32_t length, bool write)
{
	const struct driver_buffer buffer = { gpa, length, write };
	uint32_t used;
	unsigned id;

	driver__add(driver, queue, &buffer, 1, false);
	driver__kick(driver, queue);
	fixture__pump(driver->f, 20);
	return driver__used(driver, queue, &id, &used);
}

static void pages_in_the_balloon_are_given_back(void **state)
{
	static const uint64_t features[] = { F_ALL, F_ALL | DRIVER_PACKED };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(features); i++) {
		struct driver *driver = make("packed=on", features[i]);
		uint64_t pages = make_pages(driver, 8), list = driver__alloc(driver, 64);
		uint32_t *pfn = driver__memory(driver, list, 64);
		uint32_t first = (uint32_t)(pages / PAGE);

		/* Two that follow each other, one before, one alone. */
		pfn[0] = first + 3;
		pfn[1] = first + 4;
		pfn[2] = first + 1;
		pfn[3] = first + 6;
		assert_true(send(driver, INFLATE, list, 16, false));
		assert_int_equal(zero_pages(driver, pages, 8), 4);
		assert_int_equal(zero_pages(driver, pages + 3 * PAGE, 2), 2);
		assert_int_equal(told_bytes, 4 * PAGE);
		assert_int_equal(driver__interrupts(driver, INFLATE + 1), 1);
		/* They can be used before they are asked back. */
		memset(driver__memory(driver, pages, 8 * PAGE), 0xaa, 8 * PAGE);
		assert_true(send(driver, DEFLATE, list, 16, false));
		assert_int_equal(zero_pages(driver, pages, 8), 0);
		assert_int_equal(driver__status(driver), 15);
		driver__destroy(driver);
	}
}

static void wrong_lists_break_the_device(void **state)
{
	static const uint32_t bad[] = { 0xffffffff, (16 << 20) / PAGE };
	struct driver *driver = make(NULL, F_ALL);
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(bad); i++) {
		uint64_t list = driver__alloc(driver, 64);

		memcpy(driver__memory(driver, list, 4), &bad[i], 4);
		assert_false(send(driver, INFLATE, list, 4, false));
		assert_int_equal(driver__status(driver), 15 | 0x40);
		driver__run(driver, F_ALL, QUEUES, 16);
	}
	/* Too long; a piece of a number does not count, and nothing is no list. */
	assert_false(send(driver, INFLATE, driver__alloc(driver, 8192), 4100, false));
	assert_int_equal(driver__status(driver), 15 | 0x40);
	driver__run(driver, F_ALL, QUEUES, 16);
	told_bytes = 0;
	assert_true(send(driver, INFLATE, driver__alloc(driver, 16), 3, false));
	assert_true(send(driver, INFLATE, driver__alloc(driver, 16), 16, true));
	assert_int_equal(told_bytes, 0);
	assert_int_equal(driver__status(driver), 15);
	driver__destroy(driver);
}

/* Only whole pages, and none whose contents the driver counts on. */
static void free_pages_are_given_back(void **state)
{
	struct driver *driver = make(NULL, F_ALL);
	uint64_t pages = make_pages(driver, 8);

	assert_true(send(driver, REPORTING, pages + 2 * PAGE, 3 * PAGE, true));
	assert_int_equal(zero_pages(driver, pages, 8), 3);
	assert_int_equal(told_bytes, 3 * PAGE);
	assert_true(send(driver, REPORTING, pages + 100, PAGE, true));
	assert_true(send(driver, REPORTING, pages + PAGE, PAGE, false));
	assert_int_equal(zero_pages(driver, pages, 8), 3);
	driver__write(driver, driver->config + 12, 4, 0xaaaaaaaa);
	assert_true(send(driver, REPORTING, pages, 8 * PAGE, true));
	assert_int_equal(zero_pages(driver, pages, 8), 3);
	/* Without the feature there is no poison. */
	driver__run(driver, F_ALL & ~F_POISON, QUEUES, 16);
	driver__write(driver, driver->config + 12, 4, 0xaaaaaaaa);
	assert_int_equal(driver__read(driver, driver->config + 12, 4), 0);
	assert_true(send(driver, REPORTING, pages, 8 * PAGE, true));
	assert_int_equal(zero_pages(driver, pages, 8), 8);
	driver__destroy(driver);
}

static void target_and_size(void **state)
{
	struct driver *driver = make("size=2M", F_ALL);
	struct device *dev = driver__device(driver);

	assert_int_equal(driver__read(driver, driver->config, 4), 512);
	driver__interrupts(driver, 0);
	assert_int_equal(virtio_balloon__set_target(dev, 4 << 20), 0);
	assert_int_equal(driver__read(driver, driver->config, 4), 1024);
	assert_int_equal(driver__interrupts(driver, 0), 1);
	assert_int_equal(virtio_balloon__set_target(dev, 16 << 20), -EINVAL);
	driver__write(driver, driver->config, 4, 7); /* the device's own */
	assert_int_equal(driver__read(driver, driver->config, 4), 1024);
	driver__write(driver, driver->config + 4, 4, 700);
	assert_int_equal(virtio_balloon__actual(dev), 700 * PAGE);
	driver__negotiate(driver, 0);
	assert_int_equal(virtio_balloon__actual(dev), 0);
	assert_int_equal(driver__read(driver, driver->config, 4), 1024);
	driver__destroy(driver);
}

static void put_stat(struct driver *driver, uint64_t gpa, unsigned n, uint16_t tag, uint64_t value)
{
	uint8_t *entry = driver__memory(driver, gpa + 10 * n, 10);

	memcpy(entry, &tag, 2);
	memcpy(entry + 2, &value, 8);
}

/* The buffer stays with the device until it wants to know more. */
static void statistics_come_when_asked(void **state)
{
	struct driver *driver = make("stats-period=1", F_ALL);
	struct device *dev = driver__device(driver);
	uint64_t gpa = driver__alloc(driver, 64), value;
	unsigned id;
	uint32_t length;

	assert_false(virtio_balloon__stat(dev, BALLOON_STAT_FREE, &value));
	put_stat(driver, gpa, 0, BALLOON_STAT_FREE, 12345);
	put_stat(driver, gpa, 1, 999, 1);
	put_stat(driver, gpa, 2, BALLOON_STAT_TOTAL, 1ull << 40);
	assert_false(send(driver, STATS, gpa, 30, false));
	assert_true(virtio_balloon__stat(dev, BALLOON_STAT_FREE, &value));
	assert_int_equal(value, 12345);
	assert_true(virtio_balloon__stat(dev, BALLOON_STAT_TOTAL, &value));
	assert_int_equal(value, 1ull << 40);
	assert_false(virtio_balloon__stat(dev, BALLOON_STAT_SWAP_IN, &value));
	while (!driver__used(driver, STATS, &id, &length))
		fixture__pump(driver->f, 100);
	assert_int_equal(driver__interrupts(driver, STATS + 1), 1);
	put_stat(driver, gpa, 0, BALLOON_STAT_FREE, 54321);
	assert_false(send(driver, STATS, gpa, 10, false));
	assert_true(virtio_balloon__stat(dev, BALLOON_STAT_FREE, &value));
	assert_int_equal(value, 54321);
	driver__negotiate(driver, 0);
	assert_false(virtio_balloon__stat(dev, BALLOON_STAT_FREE, &value));
	driver__destroy(driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_in_the_balloon_are_given_back),
		cmocka_unit_test(wrong_lists_break_the_device),
		cmocka_unit_test(free_pages_are_given_back),
		cmocka_unit_test(target_and_size),
		cmocka_unit_test(statistics_come_when_asked),
	};

	return cmocka_run_group_tests_name("virtio-balloon", tests, NULL, NULL);
}
