/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block device: every request, drivers that mean harm, resets, resizes, a host without space. */
#include "tests/devices/virtio_driver.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vmm/devices/virtio/block.h"

#define BLK (&device_class_virtio_block)
#define DISK_BYTES (1u << 20)
#define SIZE 16u
#define NEEDS_RESET 0x40u

#define T_IN 0
#define T_OUT 1
#define T_FLUSH 4
#define T_GET_ID 8
#define T_DISCARD 11
#define T_WRITE_ZEROES 13

#define S_OK 0
#define S_IOERR 1
#define S_UNSUPP 2
#define S_NONE 0xee /* nothing was written there */

#define ALL_FEATURES                                                                               \
	(BIT64(BLK_F_SEG_MAX) | BIT64(BLK_F_BLK_SIZE) | BIT64(BLK_F_FLUSH) | BIT64(BLK_F_DISCARD) |  \
	 BIT64(BLK_F_WRITE_ZEROES) | BIT64(BLK_F_CONFIG_WCE))

/* Offsets in the configuration space (5.2.4) */
#define CONFIG_WRITEBACK 32
#define CONFIG_QUEUES 34

static char path[64];

static struct driver *open_disk(const char *more)
{
	char options[200];

	snprintf(options, sizeof(options), "file=%s,format=raw,packed=on,queue-size=%u%s%s", path, SIZE,
		 *more ? "," : "", more);
	return driver__create(BLK, options);
}

static struct block *block_of(struct driver *driver)
{
	return container_of_type(driver__device(driver), struct virtio_block, dev)->block;
}

static int make_image(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/trivet-blk-test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
	close(fd);
	return 0;
}

static int remove_image(void **state)
{
	return unlink(path);
}

/* ---- requests ---- */

struct request {
	uint64_t header, status, data;
	uint32_t length;
	unsigned id, queue;
};

static void fill_header(struct driver *driver, struct request *request, uint32_t type,
			uint64_t sector)
{
	uint32_t *words;

	request->header = driver__alloc(driver, 16);
	request->status = driver__alloc(driver, 1);
	words = driver__memory(driver, request->header, 16);
	words[0] = type;
	memcpy(&words[2], &sector, sizeof(sector));
	*(uint8_t *)driver__memory(driver, request->status, 1) = S_NONE;
}

/* The usual three pieces; without data two. */
static void send(struct driver *driver, struct request *request, uint32_t type, uint64_t sector,
		 uint64_t data, uint32_t length)
{
	struct driver_buffer buffers[3] = { { 0, 16, false } };
	unsigned count = 1;

	fill_header(driver, request, type, sector);
	buffers[0].gpa = request->header;
	if (length)
		buffers[count++] = (struct driver_buffer){ data, length,
							   type == T_IN || type == T_GET_ID };
	buffers[count++] = (struct driver_buffer){ request->status, 1, true };
	request->id = driver__add(driver, request->queue, buffers, count, false);
	driver__kick(driver, request->queue);
}

static uint8_t status_of(struct driver *driver, const struct request *request)
{
	return *(uint8_t *)driver__memory(driver, request->status, 1);
}

/* Until the next buffer comes back. Its length. */
static uint32_t await(struct driver *driver, const struct request *request)
{
	uint32_t length;
	unsigned id;

	while (!driver__used(driver, request->queue, &id, &length))
		fixture__pump(driver->f, 1);
	assert_int_equal(id, request->id);
	return length;
}

static uint8_t ask(struct driver *driver, uint32_t type, uint64_t sector, uint64_t data,
		   uint32_t length)
{
	struct request request = { .queue = 0 };

	send(driver, &request, type, sector, data, length);
	await(driver, &request);
	return status_of(driver, &request);
}

static uint64_t pattern(struct driver *driver, size_t size, unsigned seed)
{
	uint64_t gpa = driver__alloc(driver, size);
	uint8_t *bytes = driver__memory(driver, gpa, size);
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
	return gpa;
}

static void start(struct driver *driver, uint64_t features)
{
	/* Places in memory are given anew: a test goes through many starts. */
	driver->next_free = 0x100000;
	driver__run(driver, features, 1, SIZE);
}

/* ---- tests ---- */

static const uint64_t layouts[] = { 0, DRIVER_PACKED, DRIVER_INDIRECT | DRIVER_EVENT_IDX,
				    DRIVER_PACKED | DRIVER_INDIRECT | DRIVER_EVENT_IDX };

static void what_is_written_is_read(void **state)
{
	struct driver *driver = open_disk("serial=S-1");
	uint64_t out, in;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(layouts); i++) {
		start(driver, ALL_FEATURES | layouts[i]);
		assert_int_equal(driver__read(driver, driver->config, 4), DISK_BYTES / 512);
		out = pattern(driver, 8192, i);
		in = driver__alloc(driver, 8192);
		assert_int_equal(ask(driver, T_OUT, 100 + i, out, 8192), S_OK);
		assert_int_equal(ask(driver, T_FLUSH, 0, 0, 0), S_OK);
		assert_int_equal(ask(driver, T_IN, 100 + i, in, 8192), S_OK);
		assert_memory_equal(driver__memory(driver, in, 8192),
				    driver__memory(driver, out, 8192), 8192);
		assert_int_equal(ask(driver, T_GET_ID, 0, in, 20), S_OK);
		assert_memory_equal(driver__memory(driver, in, 20), "S-1\0\0\0\0", 7);
		assert_int_equal(driver__status(driver), 15);
	}
	driver__destroy(driver);
}

static void ranges(void **state)
{
	struct driver *driver = open_disk("");
	struct range {
		uint64_t sector;
		uint32_t sectors, flags;
	} *range;
	uint64_t data, list;
	unsigned i;

	start(driver, ALL_FEATURES);
	data = pattern(driver, 65536, 3);
	list = driver__alloc(driver, 16 * 40);
	range = driver__memory(driver, list, 16 * 40);
	assert_int_equal(ask(driver, T_OUT, 0, data, 65536), S_OK);
	for (i = 0; i < 3; i++)
		range[i] = (struct range){ 8 + 32 * i, 8, i == 1 };
	assert_int_equal(ask(driver, T_WRITE_ZEROES, 0, list, 48), S_OK);
	assert_int_equal(ask(driver, T_IN, 0, data, 65536), S_OK);
	for (i = 0; i < 3; i++) {
		const uint8_t *bytes = driver__memory(driver, data + (8 + 32 * i) * 512, 4096);

		assert_true(!bytes[0] && !memcmp(bytes, bytes + 1, 4095));
		assert_true(bytes[4096] || bytes[4097]);
	}
	range[0].flags = 0;
	assert_int_equal(ask(driver, T_DISCARD, 0, list, 16), S_OK);
	/* 5.2.6.2 */
	range[0].flags = 1;
	assert_int_equal(ask(driver, T_DISCARD, 0, list, 16), S_UNSUPP);
	range[0].flags = 2;
	assert_int_equal(ask(driver, T_WRITE_ZEROES, 0, list, 16), S_UNSUPP);
	range[0] = (struct range){ DISK_BYTES / 512 - 1, 2, 0 };
	assert_int_equal(ask(driver, T_DISCARD, 0, list, 16), S_IOERR);
	range[0] = (struct range){ ~0ull, 1, 0 };
	assert_int_equal(ask(driver, T_WRITE_ZEROES, 0, list, 16), S_IOERR);
	range[0] = (struct range){ 0, ~0u, 0 };
	assert_int_equal(ask(driver, T_WRITE_ZEROES, 0, list, 16), S_IOERR);
	range[0] = (struct range){ 0, 0, 0 };
	assert_int_equal(ask(driver, T_WRITE_ZEROES, 0, list, 16), S_OK);
	assert_int_equal(ask(driver, T_DISCARD, 0, 0, 0), S_IOERR);
	assert_int_equal(ask(driver, T_DISCARD, 0, list, 15), S_IOERR);
	assert_int_equal(ask(driver, T_DISCARD, 0, list, 16 * 33), S_IOERR);
	start(driver, 0);
	list = driver__alloc(driver, 16);
	assert_int_equal(ask(driver, T_DISCARD, 0, list, 16), S_UNSUPP);
	driver__destroy(driver);
}

/* What is wrong fails alone, and touches nothing. */
static void wrong_requests_fail(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t length;
		uint8_t status;
	} wrong[] = {
		{ T_IN, DISK_BYTES / 512, 512, S_IOERR },
		{ T_IN, DISK_BYTES / 512 - 1, 1024, S_IOERR },
		{ T_OUT, ~0ull, 512, S_IOERR },
		{ T_OUT, 1ull << 55, 512, S_IOERR },
		{ T_OUT, (1ull << 55) - 1, 512, S_IOERR },
		{ T_IN, 0, 511, S_IOERR },
		{ T_OUT, 0, 513, S_IOERR },
		{ T_GET_ID, 0, 19, S_IOERR },
		{ T_GET_ID, 0, 21, S_IOERR },
		{ 14, 0, 16, S_UNSUPP }, /* secure erase */
		{ 2, 0, 512, S_UNSUPP },
		{ ~0u, 0, 512, S_UNSUPP },
	};
	struct driver *driver = open_disk("");
	uint64_t data;
	unsigned i, l;

	for (l = 0; l < ARRAY_LENGTH(layouts); l++) {
		start(driver, ALL_FEATURES | layouts[l]);
		data = pattern(driver, 4096, 9);
		for (i = 0; i < ARRAY_LENGTH(wrong); i++)
			assert_int_equal(ask(driver, wrong[i].type, wrong[i].sector, data,
					     wrong[i].length),
					 wrong[i].status);
		assert_int_equal(ask(driver, T_IN, 0, 0, 0), S_OK); /* nothing is a multiple of 512 */
		assert_int_equal(ask(driver, T_IN, 0, data, 4096), S_OK);
		assert_true(!*(uint8_t *)driver__memory(driver, data, 1));
		assert_int_equal(driver__status(driver), 15);
	}
	driver__destroy(driver);
}

/* Header, data and status in pieces that have nothing to do with their bounds (2.7.4.1). */
static void any_cut_of_a_request(void **state)
{
	struct driver *driver = open_disk("");
	uint64_t data, in;
	unsigned l, i;

	for (l = 0; l < ARRAY_LENGTH(layouts); l++) {
		struct request request = { .queue = 0 };
		struct driver_buffer out[8], back[4];

		start(driver, ALL_FEATURES | layouts[l]);
		/* Header and data in one piece of memory, in pieces of all lengths. */
		data = pattern(driver, 16 + 1024, 5);
		fill_header(driver, &request, T_OUT, 7);
		memcpy(driver__memory(driver, data, 16),
		       driver__memory(driver, request.header, 16), 16);
		for (i = 0; i < 5; i++)
			out[i] = (struct driver_buffer){ data + 3 * i, 3, false };
		out[5] = (struct driver_buffer){ data + 15, 500, false };
		out[6] = (struct driver_buffer){ data + 515, 16 + 1024 - 515, false };
		out[7] = (struct driver_buffer){ request.status, 1, true };
		request.id = driver__add(driver, 0, out, 8, layouts[l] & DRIVER_INDIRECT);
		driver__kick(driver, 0);
		assert_int_equal(await(driver, &request), 1);
		assert_int_equal(status_of(driver, &request), S_OK);
		/* Back, with the status behind the data in the same piece. */
		in = driver__alloc(driver, 1025);
		fill_header(driver, &request, T_IN, 7);
		request.status = in + 1024;
		back[0] = (struct driver_buffer){ request.header, 16, false };
		back[1] = (struct driver_buffer){ in, 1, true };
		back[2] = (struct driver_buffer){ in + 1, 1024, true };
		request.id = driver__add(driver, 0, back, 3, layouts[l] & DRIVER_INDIRECT);
		driver__kick(driver, 0);
		assert_int_equal(await(driver, &request), 1025);
		assert_int_equal(status_of(driver, &request), S_OK);
		assert_memory_equal(driver__memory(driver, in, 1024),
				    driver__memory(driver, data + 16, 1024), 1024);
	}
	driver__destroy(driver);
}

/* Where no answer can be given, the device stops until its reset. */
static void no_header_or_no_status_breaks_the_device(void **state)
{
	struct driver *driver = open_disk("");
	unsigned i, l;

	for (l = 0; l < ARRAY_LENGTH(layouts); l++)
		for (i = 0; i < 2; i++) {
			struct request request = { .queue = 0 };
			struct driver_buffer buffers[2];

			start(driver, ALL_FEATURES | layouts[l]);
			fill_header(driver, &request, T_FLUSH, 0);
			buffers[0] = (struct driver_buffer){ request.header, i ? 16 : 15, false };
			buffers[1] = (struct driver_buffer){ request.status, 1, true };
			driver__add(driver, 0, buffers, i ? 1 : 2, false);
			driver__kick(driver, 0);
			while (!(driver__status(driver) & NEEDS_RESET))
				fixture__pump(driver->f, 1);
			assert_int_equal(status_of(driver, &request), S_NONE);
			start(driver, ALL_FEATURES | layouts[l]);
			assert_int_equal(ask(driver, T_FLUSH, 0, 0, 0), S_OK);
		}
	driver__destroy(driver);
}

static void read_only_disks(void **state)
{
	struct driver *driver = open_disk("read-only=on");
	uint64_t data;

	driver__negotiate(driver, ~0ull);
	assert_true(driver->features & BIT64(BLK_F_RO));
	assert_false(driver->features & (BIT64(BLK_F_DISCARD) | BIT64(BLK_F_WRITE_ZEROES)));
	start(driver, 0);
	data = pattern(driver, 512, 1);
	assert_int_equal(ask(driver, T_OUT, 0, data, 512), S_IOERR);
	assert_int_equal(ask(driver, T_IN, 0, data, 512), S_OK);
	driver__destroy(driver);
}

/* Whatever is on its way when the device is reset, memory is the driver's again when it has been. */
static void reset_with_requests_in_flight(void **state)
{
	struct driver *driver = open_disk("iops=1");
	struct request requests[4] = { { .queue = 0 } };
	uint64_t data;
	unsigned l, i;

	for (l = 0; l < ARRAY_LENGTH(layouts); l++) {
		start(driver, ALL_FEATURES | layouts[l]);
		data = pattern(driver, 4096, 1);
		for (i = 0; i < 4; i++)
			send(driver, &requests[i], T_IN, 0, data, 4096);
		fixture__pump(driver->f, 5); /* they are taken; the rate lets one pass at most */
		driver__set(driver, DRIVER_REG_STATUS, 0);
		assert_int_equal(driver__status(driver), 0);
		memset(driver__memory(driver, data, 4096), 0x55, 4096);
		fixture__pump(driver->f, 5);
		assert_int_equal(*(uint8_t *)driver__memory(driver, data + 4095, 1), 0x55);
		assert_int_equal(status_of(driver, &requests[3]), S_NONE);
	}
	driver__destroy(driver);
}

static void several_queues(void **state)
{
	struct driver *driver = open_disk("queues=4");
	struct request requests[4];
	uint64_t data;
	unsigned i;

	driver->next_free = 0x100000;
	driver__run(driver, ALL_FEATURES | BIT64(BLK_F_MQ), 4, SIZE);
	assert_int_equal(driver__read(driver, driver->config + CONFIG_QUEUES, 2), 4);
	data = pattern(driver, 4 * 4096, 6);
	for (i = 0; i < 4; i++) {
		requests[i] = (struct request){ .queue = i };
		send(driver, &requests[i], T_OUT, 8 * i, data + 4096 * i, 4096);
	}
	for (i = 0; i < 4; i++) {
		await(driver, &requests[i]);
		assert_int_equal(status_of(driver, &requests[i]), S_OK);
		/* Over MMIO there is one line for all. */
		assert_true(driver__interrupts(driver, i + 1) == 1 || driver->mmio);
	}
	assert_int_equal(ask(driver, T_IN, 0, driver__alloc(driver, 16384), 16384), S_OK);
	driver__destroy(driver);
}

/* Requests that end together are told together. */
static void one_interrupt_for_many(void **state)
{
	struct driver *driver = open_disk("");
	struct request request = { .queue = 0 };
	unsigned i, id, count = 0;
	uint32_t length;

	start(driver, ALL_FEATURES);
	for (i = 0; i < SIZE / 2; i++)
		send(driver, &request, 99, 0, 0, 0);
	while (count < SIZE / 2) {
		fixture__pump(driver->f, 1);
		while (driver__used(driver, 0, &id, &length))
			count++;
	}
	assert_int_equal(driver__interrupts(driver, 1), 1);
	driver__destroy(driver);
}

static void growing_is_told(void **state)
{
	struct driver *driver = open_disk("");
	unsigned before;
	char error[100];

	start(driver, ALL_FEATURES);
	before = (unsigned)driver__get(driver, DRIVER_REG_GENERATION);
	assert_int_equal(block__resize(block_of(driver), 2 * DISK_BYTES, false, error, sizeof(error)), 0);
	while (!driver__interrupts(driver, 0))
		fixture__pump(driver->f, 1);
	assert_int_equal(driver__read(driver, driver->config, 4), 2 * DISK_BYTES / 512);
	assert_int_not_equal(driver__get(driver, DRIVER_REG_GENERATION), before);
	assert_int_equal(ask(driver, T_IN, DISK_BYTES / 512, driver__alloc(driver, 512), 512), S_OK);
	driver__destroy(driver);
	assert_int_equal(truncate(path, DISK_BYTES), 0);
}

/* 5.2.5.2: the preset is a cache; without it, or without flushes, each write goes through. */
static void write_cache(void **state)
{
	struct driver *driver = open_disk("");
	struct virtio_block *blk = container_of_type(driver__device(driver), struct virtio_block, dev);
	uint64_t writeback = driver->config + CONFIG_WRITEBACK, data;

	start(driver, ALL_FEATURES);
	data = pattern(driver, 512, 1);
	assert_int_equal(driver__read(driver, writeback, 1), 1);
	assert_false(virtio_block__writes_through(blk));
	driver__write(driver, writeback, 1, 0);
	assert_int_equal(driver__read(driver, writeback, 1), 0);
	assert_true(virtio_block__writes_through(blk));
	assert_int_equal(ask(driver, T_OUT, 0, data, 512), S_OK);
	driver__write(driver, writeback, 1, 1);
	assert_false(virtio_block__writes_through(blk));
	driver__write(driver, writeback, 1, 0);
	start(driver, BIT64(BLK_F_FLUSH)); /* a reset brings the preset back */
	assert_int_equal(driver__read(driver, writeback, 1), 1);
	assert_false(virtio_block__writes_through(blk));
	driver__write(driver, writeback, 1, 0); /* not agreed on */
	assert_int_equal(driver__read(driver, writeback, 1), 1);
	start(driver, 0);
	assert_true(virtio_block__writes_through(blk));
	assert_int_equal(ask(driver, T_OUT, 0, driver__alloc(driver, 512), 512), S_OK);
	driver__destroy(driver);
	driver = open_disk("cache=writethrough");
	driver__negotiate(driver, ~0ull);
	assert_false(driver->features & (BIT64(BLK_F_FLUSH) | BIT64(BLK_F_CONFIG_WCE)));
	driver__destroy(driver);
}

/* The host's disk is full: writes fail, and work again once it is not. */
static void full_host(void **state)
{
	struct driver *driver = open_disk("werror=report,aio=threads");
	struct rlimit before, small;
	uint64_t data;

	signal(SIGXFSZ, SIG_IGN);
	start(driver, ALL_FEATURES);
	data = pattern(driver, 4096, 1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 65536;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(ask(driver, T_OUT, 1024, data, 4096), S_IOERR);
	assert_int_equal(ask(driver, T_OUT, 0, data, 4096), S_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(ask(driver, T_OUT, 1024, data, 4096), S_OK);
	assert_int_equal(driver__status(driver), 15);
	driver__destroy(driver);
}

static void options_that_cannot_be(void **state)
{
	static const char *const bad[] = { "", "file=/nowhere/at/all", "cache=fast", "werror=stop",
					   "rerror=stop", "serial=123456789012345678901",
					   "iops-max=100", "queues=65", "format=vmdk" };
	struct fixture *f = fixture__create(&device_class_pci_host, NULL);
	char options[200], error[300];
	struct device *dev;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(bad); i++) {
		if (i < 2)
			snprintf(options, sizeof(options), "%s", bad[i]);
		else
			snprintf(options, sizeof(options), "file=%s,%s", path, bad[i]);
		*error = '\0';
		if (!device__create(BLK, 0, options, &f->services, &dev, error, sizeof(error))) {
			assert_true(device__realize(dev, error, sizeof(error)) < 0);
			device__destroy(dev);
		}
		assert_true(*error);
	}
	fixture__destroy(f);
}

static void state_survives(void **state)
{
	struct driver *driver = open_disk("");
	struct device *dev = driver__device(driver);
	size_t size = state__size(dev->class->state), i;
	uint8_t *saved = malloc(size), *again = malloc(size);
	uint64_t data;
	unsigned round;

	start(driver, ALL_FEATURES | DRIVER_PACKED);
	data = pattern(driver, 4096, 1);
	assert_int_equal(ask(driver, T_OUT, 0, data, 4096), S_OK);
	driver__write(driver, driver->config + CONFIG_WRITEBACK, 1, 0);
	assert_int_equal(state__save(dev->class->state, dev, saved, size), size);
	dev->class->reset(dev);
	assert_int_equal(state__load(dev->class->state, dev, saved, size), 0);
	assert_int_equal(state__save(dev->class->state, dev, again, size), size);
	assert_memory_equal(saved, again, size);
	assert_int_equal(driver__read(driver, driver->config + CONFIG_WRITEBACK, 1), 0);
	assert_int_equal(ask(driver, T_IN, 0, data, 4096), S_OK);
	for (round = 0; round < 300; round++) {
		memcpy(again, saved, size);
		for (i = 0; i < 20; i++)
			again[4 + (size_t)rand() % (size - 4)] = (uint8_t)rand();
		state__load(dev->class->state, dev, again, size);
		driver__kick(driver, 0);
		driver__status(driver);
	}
	free(again);
	free(saved);
	driver__destroy(driver);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_image, remove_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(ranges),
		TEST(wrong_requests_fail),
		TEST(any_cut_of_a_request),
		TEST(no_header_or_no_status_breaks_the_device),
		TEST(read_only_disks),
		TEST(reset_with_requests_in_flight),
		TEST(several_queues),
		TEST(one_interrupt_for_many),
		TEST(growing_is_told),
		TEST(write_cache),
		TEST(full_host),
		TEST(options_that_cannot_be),
		TEST(state_survives),
	};

	return cmocka_run_group_tests_name("virtio-blk", tests, NULL, NULL);
}
