/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw disks through every way to the host and every cache mode. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "memory_file.h"

#define SIZE (4u << 20)

static const char *const ways[] = { "aio=io_uring", "aio=threads", "aio=io_uring,cache=none",
				    "aio=threads,cache=none", "cache=writethrough", "cache=directsync",
				    "cache=unsafe" };

#define WAY_COUNT (sizeof(ways) / sizeof(ways[0]))

static void open_way(struct disk *disk, const char *path, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), "%s,format=raw,%s", path, more);
	disk__open(disk, text);
}

static void check_bytes(const uint8_t *buf, uint64_t offset, uint64_t length, uint8_t salt)
{
	uint64_t i;

	for (i = 0; i < length; i++)
		if (buf[i] != fixture__byte(offset + i, salt))
			fail_msg("byte %llu differs", (unsigned long long)(offset + i));
}

static void fill_bytes(uint8_t *buf, uint64_t offset, uint64_t length, uint8_t salt)
{
	uint64_t i;

	for (i = 0; i < length; i++)
		buf[i] = fixture__byte(offset + i, salt);
}

static void test_reads_and_writes(void **state)
{
	static uint8_t buf[SIZE] __attribute__((aligned(4096)));
	struct disk disk;
	unsigned way;

	for (way = 0; way < WAY_COUNT; way++) {
		const char *path = fixture__file("raw", SIZE, 1);

		open_way(&disk, path, ways[way]);
		assert_int_equal(block__size(disk.block), SIZE);
		assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, SIZE, 0), 0);
		check_bytes(buf, 0, SIZE, 1);
		fill_bytes(buf, 512, 70000 / 512 * 512, 2);
		assert_int_equal(disk__do(&disk, BLOCK_WRITE, 512, buf, 70000 / 512 * 512, BLOCK_FUA), 0);
		assert_int_equal(disk__do(&disk, BLOCK_FLUSH, 0, NULL, 0, 0), 0);
		disk__close(&disk);
		open_way(&disk, path, "read-only=on");
		assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, 131072, 0), 0);
		check_bytes(buf, 0, 512, 1);
		check_bytes(buf + 512, 512, 70000 / 512 * 512, 2);
		check_bytes(buf + 69632 + 512, 69632 + 512, 131072 - 69632 - 512, 1);
		disk__close(&disk);
	}
}

static void test_buffers_of_any_alignment(void **state)
{
	static uint8_t memory[70000];
	struct disk disk;
	unsigned way;

	for (way = 0; way < WAY_COUNT; way++) {
		struct iovec iov[3] = { { memory + 1, 1000 }, { memory + 1501, 3 }, { memory + 2001, 3093 } };
		struct block_request request = { .op = BLOCK_READ, .offset = 1536, .length = 4096,
						 .iov_count = 3 };
		int result;

		open_way(&disk, fixture__file("raw", SIZE, 3), ways[way]);
		disk__async(&disk, &request, iov, &result);
		disk__wait(&disk, 0);
		assert_int_equal(result, 0);
		check_bytes(memory + 1, 1536, 1000, 3);
		check_bytes(memory + 1501, 2536, 3, 3);
		check_bytes(memory + 2001, 2539, 3093, 3);
		request.op = BLOCK_WRITE;
		request.offset = 8704;
		disk__async(&disk, &request, iov, &result);
		disk__wait(&disk, 0);
		assert_int_equal(result, 0);
		assert_int_equal(disk__do(&disk, BLOCK_READ, 8192, memory + 3, 8192, 0), 0);
		check_bytes(memory + 3, 8192, 512, 3);
		check_bytes(memory + 3 + 512, 1536, 4096, 3);
		check_bytes(memory + 3 + 4608, 12800, 3584, 3);
		disk__close(&disk);
	}
}

static void test_many_at_once(void **state)
{
	enum { COUNT = 600, EACH = 4096 };
	static uint8_t buf[COUNT][EACH] __attribute__((aligned(4096)));
	static struct block_request request[COUNT];
	static struct iovec iov[COUNT];
	static int result[COUNT];
	struct disk disk;
	unsigned way, i;

	for (way = 0; way < 4; way++) {
		open_way(&disk, fixture__file("raw", SIZE, 5), ways[way]);
		for (i = 0; i < COUNT; i++) {
			iov[i] = (struct iovec){ buf[i], EACH };
			request[i] = (struct block_request){ .op = BLOCK_READ, .offset = i * EACH,
							     .length = EACH, .iov_count = 1 };
			memset(buf[i], 0, EACH);
			disk__async(&disk, &request[i], &iov[i], &result[i]);
		}
		assert_int_equal(block_queue__in_flight(disk.queue), COUNT);
		disk__wait(&disk, 0);
		for (i = 0; i < COUNT; i++) {
			assert_int_equal(result[i], 0);
			check_bytes(buf[i], i * EACH, EACH, 5);
		}
		disk__close(&disk);
	}
}

static void test_zero_and_discard(void **state)
{
	static uint8_t buf[SIZE];
	struct stat st;
	struct disk disk;
	unsigned way, i;

	for (way = 0; way < WAY_COUNT; way++) {
		const char *path = fixture__file("raw", SIZE, 1);

		open_way(&disk, path, ways[way]);
		assert_int_equal(disk__do(&disk, BLOCK_ZERO, 1024, NULL, 100 * 512, 0), 0);
		assert_int_equal(disk__do(&disk, BLOCK_DISCARD, 1 << 20, NULL, 1 << 20, 0), 0);
		assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, SIZE, 0), 0);
		check_bytes(buf, 0, 1024, 1);
		for (i = 1024; i < 1024 + 100 * 512; i++)
			assert_int_equal(buf[i], 0);
		check_bytes(buf + 1024 + 51200, 1024 + 51200, 65536, 1);
		for (i = 1 << 20; i < 2 << 20; i++)
			assert_int_equal(buf[i], 0);
		check_bytes(buf + (2 << 20), 2 << 20, SIZE - (2 << 20), 1);
		disk__close(&disk);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, SIZE);
		assert_true(st.st_blocks * 512 <= SIZE - (1 << 20) + 65536);
	}
}

static void test_discard_off_keeps_data(void **state)
{
	static uint8_t buf[65536];
	struct disk disk;

	open_way(&disk, fixture__file("raw", SIZE, 1), "discard=off");
	assert_int_equal(disk__do(&disk, BLOCK_DISCARD, 0, NULL, 65536, 0), 0);
	assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, 65536, 0), 0);
	check_bytes(buf, 0, 65536, 1);
	disk__close(&disk);
}

static void test_bad_requests_fail(void **state)
{
	static uint8_t buf[1024];
	struct disk disk;

	open_way(&disk, fixture__file("raw", SIZE, 1), "read-only=off");
	assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE - 512, buf, 1024, 0), -EINVAL);
	assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE + 512, buf, 512, 0), -EINVAL);
	assert_int_equal(disk__do(&disk, BLOCK_READ, ~511ULL, buf, 1024, 0), -EINVAL);
	assert_int_equal(disk__do(&disk, BLOCK_READ, 256, buf, 512, 0), -EINVAL);
	assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, 100, 0), -EINVAL);
	assert_int_equal(disk__do(&disk, BLOCK_DISCARD, 512, NULL, SIZE, 0), -EINVAL);
	assert_int_equal(disk__do(&disk, 77, 0, buf, 512, 0), -EINVAL);
	assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, 0, 0), 0);
	disk__close(&disk);
	open_way(&disk, fixture__file("raw", SIZE, 1), "read-only=on");
	assert_true(block__read_only(disk.block));
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, 0, buf, 512, 0), -EROFS);
	assert_int_equal(disk__do(&disk, BLOCK_ZERO, 0, NULL, 512, 0), -EROFS);
	assert_int_equal(disk__do(&disk, BLOCK_FLUSH, 0, NULL, 0, 0), 0);
	disk__close(&disk);
}

static void test_odd_size_is_filled_up(void **state)
{
	static uint8_t buf[1024], zeroes[24];
	struct disk disk;

	open_way(&disk, fixture__file("raw", 1000, 1), "aio=io_uring");
	assert_int_equal(block__size(disk.block), 1024);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, 1024, 0), 0);
	check_bytes(buf, 0, 1000, 1);
	assert_memory_equal(buf + 1000, zeroes, 24);
	disk__close(&disk);
}

static void test_recognised_raw_does_not_become_qcow2(void **state)
{
	static uint8_t buf[512] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
	struct disk disk;

	disk__open(&disk, fixture__file("raw", SIZE, 1));
	assert_string_equal(block__format(disk.block), "raw");
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, 0, buf, 512, 0), -EPERM);
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, 512, buf, 512, 0), 0);
	disk__close(&disk);
	open_way(&disk, fixture__file("raw", SIZE, 1), "read-only=off");
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, 0, buf, 512, 0), 0);
	disk__close(&disk);
}

/* What was looked at is what is written, whatever becomes of the memory meanwhile. */
static void test_head_cannot_change_behind_the_look(void **state)
{
	static uint8_t buf[1024];
	struct iovec iov = { buf, sizeof(buf) };
	struct block_request request = { .op = BLOCK_WRITE,
					 .length = sizeof(buf),
					 .iov = &iov,
					 .iov_count = 1 };
	struct disk disk;
	int result;

	memset(buf, 0x11, sizeof(buf));
	disk__open(&disk, fixture__file("raw", SIZE, 1));
	disk__async(&disk, &request, &iov, &result);
	memcpy(buf, "QFI\xfb\0\0\0\3", 8);
	block_queue__commit(disk.queue);
	disk__wait(&disk, 0);
	assert_int_equal(result, 0);
	assert_ptr_equal(request.iov, &iov);
	assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, sizeof(buf), 0), 0);
	assert_int_equal(buf[0], 0x11);
	assert_int_equal(buf[1023], 0x11);
	disk__close(&disk);
}

static void test_second_writer_is_kept_out(void **state)
{
	struct block_options options;
	struct block *second;
	struct disk disk;
	char error[512];

	disk__open(&disk, fixture__file("raw", SIZE, 1));
	assert_int_equal(block_options__parse(&options, block__file(disk.block), error, 512), 0);
	assert_int_equal(block__open(&options, &second, error, sizeof(error)), -EBUSY);
	assert_non_null(strstr(error, "in use by another process"));
	options.read_only = true;
	assert_int_equal(block__open(&options, &second, error, sizeof(error)), -EBUSY);
	options.locking = false;
	assert_int_equal(block__open(&options, &second, error, sizeof(error)), 0);
	block__close(second);
	disk__close(&disk);
	options.locking = true;
	/* Readers do not mind each other. */
	assert_int_equal(block__open(&options, &second, error, sizeof(error)), 0);
	open_way(&disk, options.file, "read-only=on");
	block__close(second);
	disk__close(&disk);
	block_options__free(&options);
}

static void test_resize_is_told(void **state)
{
	static uint8_t buf[512];
	struct disk disk;
	char error[512];

	open_way(&disk, fixture__file("raw", SIZE, 1), "aio=io_uring");
	assert_int_equal(block__resize(disk.block, SIZE - 512, false, error, sizeof(error)), -EINVAL);
	assert_int_equal(block__resize(disk.block, SIZE + 100, false, error, sizeof(error)), -EINVAL);
	assert_int_equal(block__resize(disk.block, SIZE * 2, false, error, sizeof(error)), 0);
	while (!disk.resized)
		loop__run(disk.loop);
	assert_int_equal(disk.new_size, SIZE * 2);
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, SIZE * 2 - 512, buf, 512, 0), 0);
	assert_int_equal(block__resize(disk.block, 512, true, error, sizeof(error)), 0);
	assert_int_equal(disk__do(&disk, BLOCK_READ, 512, buf, 512, 0), -EINVAL);
	disk__close(&disk);
}

/* The file is made longer and shorter by somebody else. */
static void test_size_changes_outside(void **state)
{
	static uint8_t buf[65536] __attribute__((aligned(4096)));
	struct disk disk;
	unsigned way;

	for (way = 0; way < WAY_COUNT; way++) {
		const char *path = fixture__file("raw", SIZE, 1);

		open_way(&disk, path, ways[way]);
		assert_int_equal(block__look_at_size(disk.block), 0);
		assert_int_equal(truncate(path, SIZE * 2), 0);
		assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE, buf, 512, 0), -EINVAL);
		assert_int_equal(block__look_at_size(disk.block), 0);
		while (!disk.resized)
			loop__run(disk.loop);
		assert_int_equal(disk.new_size, SIZE * 2);
		memset(buf, 1, sizeof(buf));
		assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE, buf, 512, 0), 0);
		assert_int_equal(buf[0], 0);
		/* What it has lost is no zeroes, whether it was looked at or not; the rest is there. */
		assert_int_equal(truncate(path, SIZE - 4096), 0);
		assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE - 8192, buf, 8192, 0), -EIO);
		assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE - 4096, buf, 4096, 0), -EIO);
		assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE, buf + 512, 512, 0), -EIO);
		assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE - 8192, buf, 4096, 0), 0);
		check_bytes(buf, SIZE - 8192, 4096, 1);
		assert_int_equal(block__look_at_size(disk.block), 0);
		assert_int_equal(block__size(disk.block), SIZE - 4096);
		assert_int_equal(disk__do(&disk, BLOCK_READ, SIZE - 4096, buf, 4096, 0), -EINVAL);
		disk__close(&disk);
	}
}

static void test_written_zeroes_are_found(void **state)
{
	static uint8_t buf[65536];
	struct block_statistics statistics;
	struct disk disk;

	open_way(&disk, fixture__file("raw", SIZE, 1), "detect-zeroes=unmap");
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, 0, buf, sizeof(buf), 0), 0);
	buf[65535] = 1;
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, 65536, buf, sizeof(buf), 0), 0);
	block__statistics(disk.block, &statistics);
	assert_int_equal(statistics.zero_ops, 1);
	assert_int_equal(statistics.write_ops, 1);
	assert_int_equal(statistics.write_bytes, 65536);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, sizeof(buf), 0), 0);
	assert_int_equal(buf[0] | buf[65535], 0);
	disk__close(&disk);
}

static int flush_count(struct disk *disk, struct memory_file *file, uint32_t flags)
{
	static uint8_t buf[4096];
	unsigned before = memory_file__syncs(file);

	assert_int_equal(disk__do(disk, BLOCK_WRITE, 0, buf, 4096, flags), 0);
	return memory_file__syncs(file) - before;
}

static void test_flushes_reach_the_medium(void **state)
{
	static const struct {
		const char *cache;
		int plain, fua, flush;
	} rows[] = { { "writeback", 0, 1, 1 }, { "none", 0, 1, 1 },	{ "writethrough", 1, 1, 1 },
		     { "directsync", 1, 1, 1 }, { "unsafe", 0, 0, 0 } };
	char text[64];
	unsigned i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct memory_file *file = memory_file__create("m", NULL, 0);
		struct block_limits limits;
		struct disk disk;
		unsigned before;

		memory_file__set(file, SIZE - 1, "", 1);
		snprintf(text, sizeof(text), "m,format=raw,cache=%s", rows[i].cache);
		disk__open_memory(&disk, text);
		block__limits(disk.block, &limits);
		assert_int_equal(limits.write_cache, rows[i].plain == 0);
		assert_int_equal(flush_count(&disk, file, 0), rows[i].plain);
		assert_int_equal(flush_count(&disk, file, BLOCK_FUA), rows[i].fua);
		before = memory_file__syncs(file);
		assert_int_equal(disk__do(&disk, BLOCK_FLUSH, 0, NULL, 0, 0), 0);
		assert_int_equal(memory_file__syncs(file) - before, rows[i].flush);
		disk__close(&disk);
		memory_file__reset();
	}
}

static void test_failed_flush_is_never_forgotten(void **state)
{
	struct memory_file *file = memory_file__create("m", NULL, 0);
	struct disk disk;

	memory_file__set(file, SIZE - 1, "", 1);
	disk__open_memory(&disk, "m,format=raw");
	memory_file__fail(file, 0, 0, -EIO, 0);
	assert_int_equal(disk__do(&disk, BLOCK_FLUSH, 0, NULL, 0, 0), -EIO);
	memory_file__fail(file, 0, 0, 0, 0);
	assert_int_equal(disk__do(&disk, BLOCK_FLUSH, 0, NULL, 0, 0), -EIO);
	disk__close(&disk);
	memory_file__reset();
}

static void test_error_policies(void **state)
{
	static uint8_t buf[4096];
	struct iovec iov = { buf, sizeof(buf) };
	struct block_request request = { .op = BLOCK_WRITE, .length = sizeof(buf), .iov_count = 1 };
	struct memory_file *file = memory_file__create("m", NULL, 0);
	struct block_statistics statistics;
	struct disk disk;
	int result;

	memory_file__set(file, SIZE - 1, "", 1);
	disk__open_memory(&disk, "m,format=raw");
	/* No space: waits, and goes on by itself. Others are reported. */
	memory_file__fail(file, 0, -ENOSPC, 0, 0);
	disk__async(&disk, &request, &iov, &result);
	while (!disk.stopped)
		loop__run(disk.loop);
	block__statistics(disk.block, &statistics);
	assert_int_equal(statistics.waiting, 1);
	assert_int_equal(result, 1);
	memory_file__fail(file, 0, 0, 0, 0);
	disk__wait(&disk, 0);
	assert_int_equal(result, 0);
	memory_file__fail(file, -EIO, -EIO, 0, 0);
	assert_int_equal(disk__do(&disk, BLOCK_WRITE, 0, buf, 512, 0), -EIO);
	disk__close(&disk);

	disk__open_memory(&disk, "m,format=raw,werror=stop,rerror=ignore");
	memset(buf, 1, sizeof(buf));
	assert_int_equal(disk__do(&disk, BLOCK_READ, 0, buf, 512, 0), 0);
	assert_int_equal(buf[0] | buf[511], 0);
	disk__async(&disk, &request, &iov, &result);
	while (!disk.stopped)
		loop__run(disk.loop);
	block_queue__drain(disk.queue);
	assert_int_equal(result, 1);
	memory_file__fail(file, 0, 0, 0, 0);
	block_queue__retry(disk.queue);
	disk__wait(&disk, 0);
	assert_int_equal(result, 0);
	memory_file__fail(file, 0, -EIO, 0, 0);
	disk__async(&disk, &request, &iov, &result);
	block_queue__cancel(disk.queue);
	assert_int_equal(result, -ECANCELED);
	assert_int_equal(block_queue__in_flight(disk.queue), 0);
	disk__close(&disk);
	memory_file__reset();
}

static void test_limited_requests_wait_and_can_be_cancelled(void **state)
{
	static uint8_t buf[512];
	struct iovec iov = { buf, sizeof(buf) };
	struct block_request request[4];
	struct disk disk;
	int result[4], i;

	open_way(&disk, fixture__file("raw", SIZE, 1), "iops=1");
	for (i = 0; i < 4; i++) {
		request[i] = (struct block_request){ .op = BLOCK_READ, .length = 512, .iov_count = 1 };
		disk__async(&disk, &request[i], &iov, &result[i]);
	}
	disk__wait(&disk, 3);
	assert_int_equal(result[0], 0);
	assert_int_equal(result[3], 1);
	block_queue__cancel(disk.queue);
	assert_int_equal(result[3], -ECANCELED);
	assert_int_equal(disk.waiting, 0);
	disk__close(&disk);
	open_way(&disk, fixture__file("raw", SIZE, 1), "iops=20");
	for (i = 0; i < 4; i++)
		disk__async(&disk, &request[i], &iov, &result[i]);
	block_queue__drain(disk.queue);
	assert_int_equal(result[3], 0);
	disk__close(&disk);
}

static void test_what_is_no_disk_is_refused(void **state)
{
	struct block_options options;
	struct block *block;
	char error[512];

	assert_int_equal(block_options__parse(&options, "/nonexistent/disk", error, 512), 0);
	assert_int_equal(block__open(&options, &block, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "/nonexistent/disk"));
	block_options__free(&options);
	assert_int_equal(block_options__parse(&options, "/tmp,read-only=on", error, 512), 0);
	assert_int_equal(block__open(&options, &block, error, sizeof(error)), -EISDIR);
	block_options__free(&options);
	assert_int_equal(block_options__parse(&options, "/dev/null", error, 512), 0);
	assert_int_equal(block__open(&options, &block, error, sizeof(error)), -EINVAL);
	block_options__free(&options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_writes),
		cmocka_unit_test(test_buffers_of_any_alignment),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_zero_and_discard),
		cmocka_unit_test(test_discard_off_keeps_data),
		cmocka_unit_test(test_bad_requests_fail),
		cmocka_unit_test(test_odd_size_is_filled_up),
		cmocka_unit_test(test_recognised_raw_does_not_become_qcow2),
		cmocka_unit_test(test_head_cannot_change_behind_the_look),
		cmocka_unit_test(test_second_writer_is_kept_out),
		cmocka_unit_test(test_resize_is_told),
		cmocka_unit_test(test_size_changes_outside),
		cmocka_unit_test(test_written_zeroes_are_found),
		cmocka_unit_test(test_flushes_reach_the_medium),
		cmocka_unit_test(test_failed_flush_is_never_forgotten),
		cmocka_unit_test(test_error_policies),
		cmocka_unit_test(test_limited_requests_wait_and_can_be_cancelled),
		cmocka_unit_test(test_what_is_no_disk_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
