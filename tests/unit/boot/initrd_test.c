/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Initial RAM disks: every format the kernel knows, whole, cut at each byte, foreign, and unpacked. */
#include "tests/unit/boot/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/boot/initrd.h"

#define ARCHIVE_MOST 200000u

/* An archive with one file of text that packs well and some bytes that do not. The name has 4n bytes. */
static size_t make_cpio_of(uint8_t *data, const char *name)
{
	const unsigned file = 60000;
	unsigned i, at;
	uint32_t random = 1;

	at = sprintf((char *)data, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1,
		     0100644, 0, 0, 1, 0, file, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
	memcpy(data + at, name, strlen(name) + 1);
	data[at + strlen(name) + 1] = 0;
	at += strlen(name) + 2;
	for (i = 0; i < file; i++) {
		random = random * 1103515245 + 12345;
		data[at + i] = i < 40000 ? "some text, "[i % 11] : (uint8_t)(random >> 16);
	}
	at += file;
	at += sprintf((char *)data + at, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		      0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0);
	memcpy(data + at, "TRAILER!!!\0\0\0", 14);
	return at + 14;
}

static size_t make_cpio(uint8_t *data)
{
	return make_cpio_of(data, "init");
}

/* Packs with a program; 0 if there is none. */
static size_t pack(const char *program, const uint8_t *in, size_t size, uint8_t *out)
{
	char path[64], command[200];
	FILE *file;
	size_t packed;

	snprintf(path, sizeof(path), "/tmp/initrd-test-%d", (int)getpid());
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(in, 1, size, file), size);
	fclose(file);
	snprintf(command, sizeof(command), "%s <%s 2>/dev/null", program, path);
	file = popen(command, "r");
	packed = fread(out, 1, ARCHIVE_MOST, file);
	if (pclose(file))
		packed = 0;
	remove(path);
	return packed;
}

static enum initrd_state unpack(const uint8_t *data, size_t size, struct initrd_plain *plain)
{
	/* A copy of just that size, so that a sanitizer sees what is read behind it. */
	uint8_t *copy = malloc(size);
	enum initrd_state state;
	const char *format;

	assert_non_null(copy);
	memcpy(copy, data, size);
	state = initrd__check(copy, size, plain, &format);
	free(copy);
	return state;
}

/* The same answer whether it is unpacked or not. */
static enum initrd_state check(const uint8_t *data, size_t size)
{
	struct initrd_plain none = { .data = NULL }, plain = { .data = malloc(3 * ARCHIVE_MOST), .room = 3 * ARCHIVE_MOST };
	enum initrd_state state = unpack(data, size, &none);

	assert_non_null(plain.data);
	assert_false(none.is_whole);
	assert_int_equal(unpack(data, size, &plain), state);
	free(plain.data);
	return state;
}

static const struct {
	const char *program;
	size_t magic; /* bytes that tell the format */
} packers[] = {
	{ "cat", 4 },		   { "gzip -1n", 2 },	  { "gzip -9n", 2 }, { "gzip -9", 2 },
	{ "xz --check=crc32", 4 }, { "zstd -qc", 4 },	  { "lz4 -lqc", 4 },
};

static void whole_archives_are_good_and_parts_are_not(void **state)
{
	static uint8_t plain[ARCHIVE_MOST], packed[ARCHIVE_MOST];
	size_t size = make_cpio(plain), length, cut;
	unsigned i, tried = 0;

	for (i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		length = pack(packers[i].program, plain, size, packed);
		if (!length) {
			print_message("skipped: no %s\n", packers[i].program);
			continue;
		}
		tried++;
		assert_int_equal(check(packed, length), INITRD_GOOD);
		for (cut = packers[i].magic; cut < length; cut += cut < 200 || cut > length - 200 ? 1 : 331) {
			enum initrd_state got = check(packed, cut);

			/* Between two entries, or two chunks, nothing tells that more should come. */
			if (got == INITRD_GOOD && (i == 0 || strstr(packers[i].program, "lz4")))
				continue;
			if (got != INITRD_TRUNCATED)
				fail_msg("%s cut at %zu of %zu: %d", packers[i].program, cut, length, got);
		}
	}
	assert_true(tried >= 3);
}

static void archives_may_follow_each_other(void **state)
{
	static uint8_t plain[ARCHIVE_MOST], packed[ARCHIVE_MOST], both[3 * ARCHIVE_MOST];
	size_t size = make_cpio(plain), length = pack("gzip -n", plain, size, packed);
	size_t place;

	assert_true(length);
	memcpy(both, plain, size);
	memset(both + size, 0, 700);
	memcpy(both + size + 700, packed, length);
	assert_int_equal(check(both, size + 700 + length - 9), INITRD_TRUNCATED);
	/* Linux takes a plain archive for one on a multiple of four only. */
	place = (size + 700 + length + 3) & ~3UL;
	memset(both + size + 700 + length, 0, place - (size + 700 + length));
	memcpy(both + place, plain, size);
	assert_int_equal(check(both, place + size), INITRD_GOOD);
	assert_int_equal(check(both, place + size - 200), INITRD_TRUNCATED);
	both[place] = 0;
	memcpy(both + place + 1, plain, size);
	assert_int_equal(check(both, place + 1 + size), INITRD_MISPLACED);
}

static void foreign_files_are_told(void **state)
{
	static const uint8_t zeros[5000], elf[] = "\x7f""ELF\2\1\1";
	static uint8_t data[ARCHIVE_MOST];
	size_t size;

	assert_int_equal(check(zeros, sizeof(zeros)), INITRD_FOREIGN);
	assert_int_equal(check(elf, sizeof(elf)), INITRD_FOREIGN);
	assert_int_equal(check((const uint8_t *)"#!/bin/sh\n", 10), INITRD_FOREIGN);
	assert_int_equal(check((const uint8_t *)"\x1f", 1), INITRD_FOREIGN);
	/* The old cpio form. */
	size = make_cpio(data);
	data[5] = '7';
	assert_int_equal(check(data, size), INITRD_FOREIGN);
	size = make_cpio(data);
	data[54] = 'x';
	assert_int_equal(check(data, size), INITRD_DAMAGED);
	/* An image of a file system. */
	memset(data, 0x11, 5000);
	memcpy(data + 0x438, "\x53\xef", 2);
	assert_int_equal(check(data, 5000), INITRD_GOOD);
}

static void damage_ends_in_time(void **state)
{
	static uint8_t plain[ARCHIVE_MOST], packed[ARCHIVE_MOST];
	size_t size = make_cpio(plain), length, at;
	uint32_t random = 7;
	unsigned i;

	for (i = 1; i < sizeof(packers) / sizeof(packers[0]); i++) {
		unsigned turn;

		length = pack(packers[i].program, plain, size, packed);
		for (turn = 0; length && turn < 2000; turn++) {
			uint8_t before;

			random = random * 1103515245 + 12345;
			at = (random >> 8) % length;
			before = packed[at];
			packed[at] ^= 1u << (random >> 4 & 7);
			assert_in_range(check(packed, length), INITRD_GOOD, INITRD_DAMAGED);
			packed[at] = before;
		}
	}
}

/* Just so much room that a sanitizer sees a byte more. */
static void assert_unpacks_to(const uint8_t *packed, size_t size, const uint8_t *expected, size_t length)
{
	struct initrd_plain plain = { .data = malloc(length), .room = length };

	assert_non_null(plain.data);
	memset(plain.data, 0xcc, length);
	assert_int_equal(unpack(packed, size, &plain), INITRD_GOOD);
	assert_true(plain.is_whole);
	assert_int_equal(plain.length, length);
	assert_memory_equal(plain.data, expected, length);
	plain.room--;
	assert_int_equal(unpack(packed, size, &plain), INITRD_GOOD);
	assert_false(plain.is_whole);
	free(plain.data);
}

static void assert_stays(const uint8_t *data, size_t size)
{
	struct initrd_plain plain = { .data = malloc(3 * ARCHIVE_MOST), .room = 3 * ARCHIVE_MOST };

	assert_non_null(plain.data);
	assert_int_equal(unpack(data, size, &plain), INITRD_GOOD);
	assert_false(plain.is_whole);
	free(plain.data);
}

static void archives_unpack(void **state)
{
	static uint8_t plain[ARCHIVE_MOST], packed[ARCHIVE_MOST], both[2 * ARCHIVE_MOST], expected[3 * ARCHIVE_MOST];
	size_t size = make_cpio(plain), at, length;
	unsigned i, tried = 0;

	assert_stays(plain, size);
	for (i = 1; i < sizeof(packers) / sizeof(packers[0]); i++) {
		length = pack(packers[i].program, plain, size, packed);
		if (!length)
			continue;
		tried++;
		assert_unpacks_to(packed, length, plain, size);
		/* Processors' microcode comes before, as it is; others behind it, one of them packed, after any number of zeros. */
		memset(both, 0, sizeof(both));
		memset(expected, 0, sizeof(expected));
		memcpy(both, plain, size);
		memcpy(both + size + 512, packed, length);
		at = (size + 512 + length + 7) & ~3UL;
		memcpy(both + at, plain, size);
		memcpy(expected, plain, size);
		memcpy(expected + size + 512, plain, size);
		memcpy(expected + size + 512 + size, plain, size);
		assert_unpacks_to(both, at + size, expected, 3 * size + 512);
		memmove(both, both + size + 512, length);
		memset(both + length, 0, sizeof(both) - length);
		memcpy(both + length + 5, packed, length);
		memcpy(expected, plain, size);
		memcpy(expected + size, plain, size);
		assert_unpacks_to(both, 2 * length + 5, expected, 2 * size);
	}
	assert_true(tried >= 2);
}

static void what_is_no_archive_stays_packed(void **state)
{
	static uint8_t plain[ARCHIVE_MOST], packed[2 * ARCHIVE_MOST], both[2 * ARCHIVE_MOST];
	size_t size = make_cpio(plain), length;
	unsigned i;

	for (i = 1; i < sizeof(packers) / sizeof(packers[0]); i++) {
		/* The last entry is cut, as the kernel is to say. */
		length = pack(packers[i].program, plain, size - 20, packed);
		if (!length)
			continue;
		assert_stays(packed, length);
		plain[0] = 'x';
		length = pack(packers[i].program, plain, size, packed);
		assert_stays(packed, length);
		plain[0] = '0';
		/* What the kernel would find before it unpacks. */
		length = pack(packers[i].program, plain, make_cpio_of(plain, "kernel/acpi"), packed);
		assert_stays(packed, length);
		make_cpio(plain);
		/* Behind a good one something that is for the kernel. */
		length = pack(packers[i].program, plain, size, packed);
		memcpy(packed + length, "\0\0\0\0BZh91AY", 11);
		assert_stays(packed, length + 11);
		memcpy(packed + length, "\0\0\0\0junk", 8);
		assert_stays(packed, length + 8);
		/* Behind a plain one the kernel wants it on a multiple of four. */
		memset(both, 0, sizeof(both));
		memcpy(both, plain, size);
		length = pack(packers[i].program, plain, size, packed);
		memcpy(both + size + 513, packed, length);
		assert_stays(both, size + 513 + length);
		/* Nothing, and zeros before an archive. */
		length = pack(packers[i].program, plain, 0, packed);
		if (!strstr(packers[i].program, "lz4")) /* has no such */
			assert_stays(packed, length);
		memmove(both + 4, plain, size);
		memset(both, 0, 4);
		length = pack(packers[i].program, both, size + 4, packed);
		assert_stays(packed, length);
	}
}

/* What did not fit is not forgotten when a later one fits. */
static void all_or_nothing_is_unpacked(void **state)
{
	static uint8_t plain[ARCHIVE_MOST], packed[ARCHIVE_MOST], both[2 * ARCHIVE_MOST];
	size_t size = make_cpio(plain), end = size - 124, length = pack("gzip -n", plain, size, packed);
	struct initrd_plain room = { .data = malloc(size - 1), .room = size - 1 };
	size_t more;

	assert_true(length && room.data);
	memcpy(both, packed, length);
	more = pack("gzip -n", plain + end, 124, packed);
	memcpy(both + length, packed, more);
	assert_int_equal(unpack(both, length + more, &room), INITRD_GOOD);
	assert_false(room.is_whole);
	free(room.data);
}

/* The kernel takes less than the libraries do. */
static void what_the_kernel_would_refuse_stays_packed(void **state)
{
	static uint8_t plain[ARCHIVE_MOST], packed[ARCHIVE_MOST];
	size_t size = make_cpio(plain), length = pack("xz --check=crc64", plain, size, packed);

	if (length)
		assert_stays(packed, length);
	length = pack("xz --check=crc32 --delta --lzma2", plain, size, packed);
	if (length)
		assert_stays(packed, length);
	/* With a comment. */
	length = pack("gzip -n", plain, size, packed);
	memmove(packed + 11, packed + 10, length - 10);
	packed[3] = 0x10;
	packed[10] = 0;
	assert_stays(packed, length + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_archives_are_good_and_parts_are_not),
		cmocka_unit_test(archives_may_follow_each_other),
		cmocka_unit_test(foreign_files_are_told),
		cmocka_unit_test(damage_ends_in_time),
		cmocka_unit_test(archives_unpack),
		cmocka_unit_test(what_is_no_archive_stays_packed),
		cmocka_unit_test(all_or_nothing_is_unpacked),
		cmocka_unit_test(what_the_kernel_would_refuse_stays_packed),
	};

	return cmocka_run_group_tests_name("initrd", tests, NULL, NULL);
}
