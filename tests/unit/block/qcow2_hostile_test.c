/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that are wrong on purpose: each is refused, or reads of it fail, with a message that names
 * the file; none is made worse by being opened for writing.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "fixture.h"
#include "memory_file.h"
#include "vmm/block/formats/qcow2/layout.h"
#include "vmm/block/image.h"
#include "vmm/block/node.h"

#define CLUSTER 65536u
#define SIZE (8u << 20)

static uint8_t image[16 << 20];
static size_t image_size;

/* An image of 8 MiB with data in its first clusters and one snapshot. */
static void make_image(void)
{
	struct image_create create = { .path = fixture__path("hostile.qcow2"), .size = SIZE,
				       .cluster_bits = 16, .refcount_bits = 16, .version = 3 };
	struct node_how how = { .path = create.path, .write = true };
	static uint8_t data[CLUSTER * 4];
	struct node *node;
	char error[512];
	FILE *file;

	assert_int_equal(format_class_qcow2.create(&create, error, sizeof(error)), 0);
	assert_int_equal(node__open(&how, &node, error, sizeof(error)), 0);
	memset(data, 0x5a, sizeof(data));
	assert_int_equal(node__write(node, 0, data, sizeof(data)), 0);
	assert_int_equal(node->class->snapshot_create(node, "s", error, sizeof(error)), 0);
	assert_int_equal(node__write(node, 0, data, CLUSTER), 0);
	assert_int_equal(node__close(node), 0);
	file = fopen(create.path, "r");
	assert_non_null(file);
	image_size = fread(image, 1, sizeof(image), file);
	fclose(file);
}

static struct memory_file *load(void)
{
	return memory_file__create("bad", image, image_size);
}

static int open_bad(bool write, struct node **node, char *error, size_t size)
{
	struct node_how how = { .path = "bad", .format = "qcow2", .write = write,
				.files = &memory_file_class };

	error[0] = 0;
	return node__open(&how, node, error, size);
}

static void test_impossible_headers_are_refused(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t value;
		const char *said;
	} rows[] = {
		{ 0, 4, 0x12345678, "not a qcow2 image" },
		{ QCOW2_AT_VERSION, 4, 4, "version 4" },
		{ QCOW2_AT_VERSION, 4, 1, "version 1" },
		{ QCOW2_AT_CLUSTER_BITS, 4, 8, "cluster size" },
		{ QCOW2_AT_CLUSTER_BITS, 4, 22, "cluster size" },
		{ QCOW2_AT_CLUSTER_BITS, 4, 0xffffffff, "cluster size" },
		{ QCOW2_AT_CRYPT, 4, 1, "encrypted" },
		{ QCOW2_AT_CRYPT, 4, 2, "encrypted" },
		{ QCOW2_AT_SIZE, 8, ~0ULL, "impossibly large" },
		{ QCOW2_AT_SIZE, 8, 1ULL << 40, "too small for the disk" },
		{ QCOW2_AT_L1_SIZE, 4, 0xffffffff, "L1 table is larger" },
		{ QCOW2_AT_L1_SIZE, 4, 1u << 22, "beyond the end of the file" },
		{ QCOW2_AT_L1_OFFSET, 8, 0, "impossible place" },
		{ QCOW2_AT_L1_OFFSET, 8, 512, "impossible place" },
		{ QCOW2_AT_L1_OFFSET, 8, 1ULL << 63, "impossible place" },
		{ QCOW2_AT_L1_OFFSET, 8, 1ULL << 40, "beyond the end of the file" },
		{ QCOW2_AT_REFTABLE_OFFSET, 8, 0, "impossible place" },
		{ QCOW2_AT_REFTABLE_OFFSET, 8, 1ULL << 40, "beyond the end of the file" },
		{ QCOW2_AT_REFTABLE_CLUSTERS, 4, 0, "no refcount table" },
		{ QCOW2_AT_REFTABLE_CLUSTERS, 4, 0xffffffff, "larger than 8 MiB" },
		{ QCOW2_AT_SNAPSHOT_COUNT, 4, 0xffffffff, "snapshots" },
		{ QCOW2_AT_SNAPSHOT_COUNT, 4, 60000, "snapshots" },
		{ QCOW2_AT_SNAPSHOT_OFFSET, 8, 512, "snapshots" },
		{ QCOW2_AT_INCOMPATIBLE, 8, 1ULL << 40, "features" },
		{ QCOW2_AT_INCOMPATIBLE, 8, QCOW2_INCOMPATIBLE_DATA_FILE, "another file" },
		{ QCOW2_AT_INCOMPATIBLE, 8, QCOW2_INCOMPATIBLE_COMPRESSION, "compression" },
		{ QCOW2_AT_COMPRESSION, 1, 7, "compression" },
		{ QCOW2_AT_REFCOUNT_ORDER, 4, 7, "64 bits" },
		{ QCOW2_AT_HEADER_LENGTH, 4, 100, "header's length" },
		{ QCOW2_AT_HEADER_LENGTH, 4, 0xfffffff8, "header's length" },
		{ QCOW2_AT_BACKING_OFFSET, 8, ~0ULL - 4, "" /* no size: no backing file */ },
		{ 112, 8, 0x12345678ffffffffULL, "extension" },
	};
	struct node *node;
	char error[512];
	unsigned i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct memory_file *file = load();
		uint8_t bytes[8];

		put_be64(bytes, rows[i].value);
		memory_file__set(file, rows[i].at, bytes + 8 - rows[i].size, rows[i].size);
		if (open_bad(false, &node, error, sizeof(error))) {
			if (!*rows[i].said || !strstr(error, rows[i].said) || !strstr(error, "bad"))
				fail_msg("row %u said \"%s\"", i, error);
		} else {
			node__close(node);
			if (*rows[i].said)
				fail_msg("row %u was opened", i);
		}
	}
	memory_file__reset();
}

static void test_every_truncation_is_survived(void **state)
{
	static uint8_t buf[SIZE];
	struct node *node;
	char error[512];
	size_t size;
	int write;

	for (size = 0; size < image_size; size += size < 1024 ? 8 : 7777)
		for (write = 0; write < 2; write++) {
			memory_file__create("bad", image, size);
			if (open_bad(write, &node, error, sizeof(error))) {
				assert_true(error[0] != 0);
				continue;
			}
			node__read(node, 0, buf, SIZE);
			if (write)
				node__write(node, CLUSTER * 2 + 512, buf, CLUSTER);
			node__close(node);
		}
	memory_file__reset();
}

static uint64_t l1_offset(void)
{
	return get_be64(image + QCOW2_AT_L1_OFFSET);
}

static uint64_t l2_offset(void)
{
	return get_be64(image + l1_offset()) & QCOW2_OFFSET_MASK;
}

static void set64(struct memory_file *file, uint64_t at, uint64_t value)
{
	uint8_t bytes[8];

	put_be64(bytes, value);
	memory_file__set(file, at, bytes, 8);
}

/* Where data must never be written: the header, and the table that leads to the data. */
static void test_entries_that_lead_to_metadata_damage_nothing(void **state)
{
	const uint64_t targets[] = { 0, l1_offset(), l2_offset(),
				     get_be64(image + QCOW2_AT_REFTABLE_OFFSET),
				     get_be64(image + get_be64(image + QCOW2_AT_REFTABLE_OFFSET)),
				     get_be64(image + QCOW2_AT_SNAPSHOT_OFFSET) };
	static uint8_t data[CLUSTER], after[CLUSTER];
	unsigned i;

	for (i = 1; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct memory_file *file = load();
		struct node *node;
		char error[512];
		size_t size;

		set64(file, l2_offset() + 8, targets[i] | QCOW2_COPIED);
		assert_int_equal(open_bad(true, &node, error, sizeof(error)), 0);
		memset(data, 0xee, sizeof(data));
		memcpy(after, memory_file__contents(file, &size) + targets[i], CLUSTER);
		assert_int_equal(node__write(node, CLUSTER, data, 4096), -EIO);
		assert_memory_equal(memory_file__contents(file, &size) + targets[i], after, CLUSTER);
		/* From then on it is marked, and only read. */
		assert_int_equal(node__write(node, CLUSTER * 3, data, 4096), -EIO);
		node__close(node);
		assert_int_equal(open_bad(true, &node, error, sizeof(error)), -EROFS);
		assert_non_null(strstr(error, "marked corrupt"));
		assert_int_equal(open_bad(false, &node, error, sizeof(error)), 0);
		node__close(node);
	}
	memory_file__reset();
}

static void test_tables_in_each_others_place_are_not_written(void **state)
{
	const uint64_t targets[] = { l1_offset(), get_be64(image + QCOW2_AT_REFTABLE_OFFSET),
				     get_be64(image + get_be64(image + QCOW2_AT_REFTABLE_OFFSET)) };
	struct node *node;
	char error[512];
	unsigned i;

	for (i = 0; i < 3; i++) {
		set64(load(), l1_offset(), targets[i] | QCOW2_COPIED);
		assert_int_equal(open_bad(true, &node, error, sizeof(error)), -EIO);
		assert_non_null(strstr(error, "overlaps"));
	}
	/* A refcount block in the place of the L1 table. */
	set64(load(), get_be64(image + QCOW2_AT_REFTABLE_OFFSET), l1_offset());
	assert_int_equal(open_bad(true, &node, error, sizeof(error)), -EIO);
	memory_file__reset();
}

static void test_free_clusters_that_are_in_use_are_not_given_away(void **state)
{
	static uint8_t data[CLUSTER], zeroes[512];
	uint64_t block = get_be64(image + get_be64(image + QCOW2_AT_REFTABLE_OFFSET));
	struct memory_file *file = load();
	struct node *node;
	char error[512];
	size_t size;

	/* All refcounts zero: the first free cluster is the header. */
	memory_file__set(file, block, zeroes, sizeof(zeroes));
	assert_int_equal(open_bad(true, &node, error, sizeof(error)), 0);
	assert_int_equal(node__write(node, SIZE - CLUSTER, data, CLUSTER), -EIO);
	assert_int_equal(get_be32(memory_file__contents(file, &size)), QCOW2_MAGIC);
	node__close(node);
	memory_file__reset();
}

static void test_impossible_entries_fail_their_reads_only(void **state)
{
	const uint64_t entries[] = { 0x5a00 | QCOW2_COPIED, QCOW2_PACKED, QCOW2_PACKED | 0x3fffffffffffffffULL,
				     QCOW2_PACKED | 0x30000 };
	static uint8_t buf[CLUSTER];
	struct node *node;
	char error[512];
	unsigned i;

	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		set64(load(), l2_offset() + 8, entries[i]);
		assert_int_equal(open_bad(false, &node, error, sizeof(error)), 0);
		assert_int_equal(node__read(node, CLUSTER, buf, CLUSTER), -EIO);
		assert_int_equal(node__read(node, CLUSTER * 2, buf, CLUSTER), 0);
		assert_int_equal(buf[7], 0x5a);
		node__close(node);
	}
	memory_file__reset();
}

static void make_overlay(const char *name, const char *backing)
{
	struct image_create create = { .path = fixture__path(name), .size = 1 << 20, .cluster_bits = 12,
				       .refcount_bits = 16, .version = 3, .backing_name = backing,
				       .backing_format = "qcow2" };
	char error[512];

	assert_int_equal(format_class_qcow2.create(&create, error, sizeof(error)), 0);
}

static int open_chain(const char *name, char *error, size_t size)
{
	struct node_how how = { .path = fixture__path(name), .lock = true };
	struct node *node;
	int err = node__open(&how, &node, error, size);

	if (!err)
		node__close(node);
	return err;
}

static void test_cycles_and_deep_chains_are_refused(void **state)
{
	char error[1024], name[32], backing[32];
	unsigned i;

	make_overlay("self.qcow2", "self.qcow2");
	assert_int_equal(open_chain("self.qcow2", error, sizeof(error)), -ELOOP);
	assert_non_null(strstr(error, "backs itself"));
	make_overlay("a.qcow2", "b.qcow2");
	make_overlay("b.qcow2", "c.qcow2");
	make_overlay("c.qcow2", "./b.qcow2");
	assert_int_equal(open_chain("a.qcow2", error, sizeof(error)), -ELOOP);
	for (i = 0; i < 210; i++) {
		snprintf(name, sizeof(name), "deep%u", i);
		snprintf(backing, sizeof(backing), "deep%u", i + 1);
		make_overlay(name, i == 209 ? NULL : backing);
	}
	assert_int_equal(open_chain("deep0", error, sizeof(error)), -ELOOP);
	assert_non_null(strstr(error, "more than 200"));
	assert_int_equal(open_chain("deep30", error, sizeof(error)), 0);
	make_overlay("net.qcow2", "nbd://host/disk");
	assert_int_equal(open_chain("net.qcow2", error, sizeof(error)), -ENOTSUP);
	make_overlay("json.qcow2", "json:{\"driver\":\"qcow2\"}");
	assert_int_equal(open_chain("json.qcow2", error, sizeof(error)), -ENOTSUP);
	make_overlay("lost.qcow2", "gone.qcow2");
	assert_int_equal(open_chain("lost.qcow2", error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "lost.qcow2"));
	assert_non_null(strstr(error, "gone.qcow2"));
}

static void test_bitmaps_are_kept_by_not_writing(void **state)
{
	char command[600], error[512];
	struct node_how how = { .path = fixture__path("bitmap.qcow2"), .lock = true };
	struct node *node;

	if (system("qemu-img --version >/dev/null 2>&1"))
		skip();
	snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 %s 8M && qemu-img bitmap --add %s b",
		 how.path, how.path);
	assert_int_equal(system(command), 0);
	assert_int_equal(node__open(&how, &node, error, sizeof(error)), 0);
	node__close(node);
	how.write = true;
	assert_int_equal(node__open(&how, &node, error, sizeof(error)), -ENOTSUP);
	assert_non_null(strstr(error, "bitmaps"));
	how.check = true;
	assert_int_equal(node__open(&how, &node, error, sizeof(error)), 0);
	{
		struct image_check check = { .repair = IMAGE_REPAIR_ALL };

		assert_int_equal(node->class->check(node, &check, error, sizeof(error)), 0);
		assert_int_equal(check.leaks + check.corruptions + check.leaks_fixed, 0);
	}
	node__close(node);
}

static void check_with_qemu(const struct memory_file *file)
{
	char command[400];

	memory_file__export(file, fixture__path("full.qcow2"));
	snprintf(command, sizeof(command), "qemu-img check -q %s >&2", fixture__path("full.qcow2"));
	if (!system("qemu-img --version >/dev/null 2>&1"))
		assert_int_equal(system(command), 0);
}

/* The disk says so, and the guest gets all of it once there is space again. */
static void test_full_host_loses_nothing(void **state)
{
	struct memory_file *file = load();
	static uint8_t data[CLUSTER * 8], back[CLUSTER * 8];
	struct block_statistics statistics;
	struct iovec iov = { data, sizeof(data) };
	struct block_request request = { .op = BLOCK_WRITE, .offset = 1 << 20, .length = sizeof(data),
					 .iov_count = 1 };
	struct disk disk;
	int result;

	memset(data, 0x77, sizeof(data));
	memory_file__limit(file, image_size + CLUSTER * 3);
	disk__open_memory(&disk, "bad,format=qcow2");
	disk__async(&disk, &request, &iov, &result);
	while (!disk.stopped)
		loop__run(disk.loop);
	block__statistics(disk.block, &statistics);
	assert_int_equal(statistics.waiting, 1);
	memory_file__limit(file, 64 << 20);
	disk__wait(&disk, 0);
	assert_int_equal(result, 0);
	assert_int_equal(disk__do(&disk, BLOCK_READ, 1 << 20, back, sizeof(back), 0), 0);
	assert_memory_equal(back, data, sizeof(back));
	disk__close(&disk);
	check_with_qemu(file);
	memory_file__reset();
}

/*
 * The host is full again and again: at each cluster, be it data's or one of the many tables and blocks of
 * refcounts that an image of small clusters needs.
 */
static void test_full_host_at_every_cluster(void **state)
{
	struct image_create create = { .path = fixture__path("small.qcow2"), .size = SIZE,
				       .cluster_bits = 9, .refcount_bits = 64, .version = 3 };
	static uint8_t small[1 << 20], data[4096], back[4096];
	unsigned refused = 0, at;
	struct memory_file *file;
	struct node *node;
	char error[512];
	size_t size;
	FILE *f;

	assert_int_equal(format_class_qcow2.create(&create, error, sizeof(error)), 0);
	f = fopen(create.path, "r");
	assert_non_null(f);
	size = fread(small, 1, sizeof(small), f);
	fclose(f);
	file = memory_file__create("bad", small, size);
	memory_file__limit(file, size);
	assert_int_equal(open_bad(true, &node, error, sizeof(error)), 0);
	for (at = 0; at < 2 << 20; at += sizeof(data)) {
		int err;

		memset(data, at >> 12, sizeof(data));
		while ((err = node__write(node, at, data, sizeof(data)))) {
			assert_int_equal(err, -ENOSPC);
			refused++;
			size += 512;
			memory_file__limit(file, size);
		}
	}
	assert_true(refused > 4096);
	memory_file__limit(file, 64 << 20);
	assert_int_equal(node__close(node), 0);
	assert_int_equal(open_bad(false, &node, error, sizeof(error)), 0);
	for (at = 0; at < 2 << 20; at += sizeof(data)) {
		memset(data, at >> 12, sizeof(data));
		assert_int_equal(node__read(node, at, back, sizeof(back)), 0);
		assert_memory_equal(back, data, sizeof(data));
	}
	node__close(node);
	check_with_qemu(file);
	memory_file__reset();
}

static int set_up(void **state)
{
	make_image();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_impossible_headers_are_refused),
		cmocka_unit_test(test_every_truncation_is_survived),
		cmocka_unit_test(test_entries_that_lead_to_metadata_damage_nothing),
		cmocka_unit_test(test_tables_in_each_others_place_are_not_written),
		cmocka_unit_test(test_free_clusters_that_are_in_use_are_not_given_away),
		cmocka_unit_test(test_impossible_entries_fail_their_reads_only),
		cmocka_unit_test(test_cycles_and_deep_chains_are_refused),
		cmocka_unit_test(test_bitmaps_are_kept_by_not_writing),
		cmocka_unit_test(test_full_host_loses_nothing),
		cmocka_unit_test(test_full_host_at_every_cluster),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
