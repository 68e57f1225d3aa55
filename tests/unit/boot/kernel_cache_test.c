/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache of unpacked kernels: when it keeps and finds them, and that nothing wrong in it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/boot/kernel_cache.h"

#define KERNEL_BYTES 300000u
#define HEADER_BYTES 32 /* in front of the packed kernel */
/* A byte of the packed kernel that its file's name is not made of. */
#define DAMAGED 1000

struct world {
	char root[64], directory[96];
	uint8_t kernel[KERNEL_BYTES], out[KERNEL_BYTES + 16];
	uint8_t packed[KERNEL_BYTES + 4096];
	size_t size;
};

static void fill_kernel(struct world *w, unsigned seed)
{
	unsigned i;

	for (i = 0; i < KERNEL_BYTES; i++)
		w->kernel[i] = i % 2 ? i / 31 : (seed = seed * 1103515245 + 12345) >> 16;
	w->size = 0;
	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, w->kernel, KERNEL_BYTES, w->packed, &w->size,
						 sizeof(w->packed)),
			 LZMA_OK);
	assert_true(w->size > 65536 + DAMAGED);
}

static int up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->root, "/tmp/kernel-cache-test-XXXXXX");
	if (!mkdtemp(w->root))
		return -1;
	snprintf(w->directory, sizeof(w->directory), "%s/a/b", w->root);
	fill_kernel(w, 1);
	*state = w;
	return 0;
}

static int down(void **state)
{
	struct world *w = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", w->root);
	free(w);
	return system(command);
}

static void unpack(struct world *w)
{
	size_t length = 0;

	memset(w->out, 0xcc, sizeof(w->out));
	assert_int_equal(kernel_cache__unpack(w->directory, w->packed, w->size, w->out, KERNEL_BYTES, &length), 0);
	assert_int_equal(length, KERNEL_BYTES);
	assert_memory_equal(w->out, w->kernel, KERNEL_BYTES);
	assert_int_equal(w->out[KERNEL_BYTES], 0xcc);
}

/* The files that have contents; the path of the last one. */
static unsigned kept(struct world *w, char path[512])
{
	DIR *stream = opendir(w->directory);
	struct dirent *entry;
	unsigned n = 0;
	struct stat st;
	char name[512];

	while (stream && (entry = readdir(stream))) {
		snprintf(name, sizeof(name), "%s/%.200s", w->directory, entry->d_name);
		if (lstat(name, &st) || !S_ISREG(st.st_mode) || !st.st_size)
			continue;
		strcpy(path, name);
		n++;
	}
	if (stream)
		closedir(stream);
	return n;
}

/*
 * Whether the next look-up takes the kernel from the file: its packed copy there is compared, so a packed kernel
 * whose own unpacking fails comes out of the cache only.
 */
static bool finds(struct world *w, char path[512])
{
	uint8_t saved = w->packed[DAMAGED];
	size_t length = 0;
	bool found;
	FILE *file;

	/* The same damage on both sides. */
	w->packed[DAMAGED] ^= 0x55;
	file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, HEADER_BYTES + DAMAGED, SEEK_SET), 0);
	fputc(w->packed[DAMAGED], file);
	fclose(file);
	found = !kernel_cache__unpack(w->directory, w->packed, w->size, w->out, KERNEL_BYTES, &length) &&
		length == KERNEL_BYTES && !memcmp(w->out, w->kernel, KERNEL_BYTES);
	w->packed[DAMAGED] = saved;
	file = fopen(path, "r+b");
	assert_int_equal(fseek(file, HEADER_BYTES + DAMAGED, SEEK_SET), 0);
	fputc(saved, file);
	fclose(file);
	return found;
}

static void keep(struct world *w, char path[512])
{
	unpack(w);
	unpack(w);
	assert_int_equal(kept(w, path), 1);
}

static void the_second_time_keeps(void **state)
{
	struct world *w = *state;
	char path[512];
	struct stat st;

	unpack(w);
	assert_int_equal(kept(w, path), 0);
	unpack(w);
	assert_int_equal(kept(w, path), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_true(finds(w, path));
	unpack(w);
	assert_int_equal(kept(w, path), 1);
}

static void another_kernel_is_another_file(void **state)
{
	struct world *w = *state;
	char path[512];

	keep(w, path);
	fill_kernel(w, 2);
	unpack(w);
	unpack(w);
	assert_int_equal(kept(w, path), 2);
	unpack(w);
}

static void change_byte(const char *path, long at)
{
	FILE *file = fopen(path, "r+b");
	int byte;

	assert_non_null(file);
	assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	byte = fgetc(file);
	assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	fputc(byte ^ 0x20, file);
	fclose(file);
}

static void damage_is_seen(void **state)
{
	/* magic, lengths, the packed kernel, the frame's header, contents and checksum */
	static const long places[] = { 0, 9, 10, 17, 18, 25, 31, HEADER_BYTES, HEADER_BYTES + 1000, -1, -4, -100 };
	struct world *w = *state;
	char path[512];
	unsigned i;

	keep(w, path);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		change_byte(path, places[i]);
		unpack(w);
		/* It was met, and is written anew the next time. */
		unpack(w);
		assert_int_equal(kept(w, path), 1);
		assert_true(finds(w, path));
	}
}

static void truncation_is_seen(void **state)
{
	struct world *w = *state;
	char path[512];
	struct stat st;
	off_t size;

	keep(w, path);
	stat(path, &st);
	for (size = st.st_size - 1; size > 0; size = size * 2 / 3) {
		assert_int_equal(truncate(path, size), 0);
		unpack(w);
		unpack(w);
		assert_true(finds(w, path));
	}
}

static void files_of_others_do_not_count(void **state)
{
	struct world *w = *state;
	char path[512], other[600];

	keep(w, path);
	assert_int_equal(chmod(path, 0620), 0);
	assert_false(finds(w, path));
	assert_int_equal(chmod(path, 0602), 0);
	assert_false(finds(w, path));
	assert_int_equal(chmod(path, 0644), 0);
	assert_true(finds(w, path));
	snprintf(other, sizeof(other), "%s/elsewhere", w->root);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_false(finds(w, path));
	unpack(w);
}

static void directories_of_others_do_not_count(void **state)
{
	struct world *w = *state;
	char path[512];

	keep(w, path);
	assert_int_equal(chmod(w->directory, 0777), 0);
	assert_false(finds(w, path));
	unpack(w);
	assert_int_equal(chmod(w->directory, 0755), 0);
	assert_true(finds(w, path));
}

static void without_a_directory_it_works(void **state)
{
	struct world *w = *state;

	strcpy(w->directory, "/dev/null/x");
	unpack(w);
	unpack(w);
	strcpy(w->directory, "");
	unpack(w);
}

static void errors_are_those_of_unpacking(void **state)
{
	struct world *w = *state;
	size_t length;
	char path[512];

	w->packed[DAMAGED] ^= 1;
	assert_int_equal(kernel_cache__unpack(w->directory, w->packed, w->size, w->out, KERNEL_BYTES, &length), -EINVAL);
	assert_int_equal(kernel_cache__unpack(w->directory, w->packed, w->size, w->out, KERNEL_BYTES, &length), -EINVAL);
	assert_int_equal(kernel_cache__unpack(w->directory, (const uint8_t *)"not packed", 10, w->out, KERNEL_BYTES,
					      &length),
			 -ENOTSUP);
	assert_int_equal(kept(w, path), 0);
	/* A kept kernel for which there is no room is not unpacked in part. */
	w->packed[DAMAGED] ^= 1;
	keep(w, path);
	memset(w->out, 0xcc, sizeof(w->out));
	assert_int_equal(kernel_cache__unpack(w->directory, w->packed, w->size, w->out, 1000, &length), -EINVAL);
	assert_int_equal(w->out[1000], 0xcc);
}

static void make_file(struct world *w, const char *name, time_t used)
{
	struct timespec times[2] = { { used, 0 }, { used, 0 } };
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w->directory, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	fputc('x', file);
	fclose(file);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(struct world *w, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", w->directory, name);
	return !access(path, F_OK);
}

static void the_oldest_go(void **state)
{
	static const char *const others[] = { "passwd", "12345678-1", "12345678-1.kernel-old", "a.kernel", "x2345678-1.kernel" };
	struct world *w = *state;
	char path[512], name[32];
	unsigned i;

	keep(w, path);
	for (i = 0; i < 80; i++) {
		snprintf(name, sizeof(name), "%08x-1.kernel", i);
		make_file(w, name, 1000000 + i);
	}
	/* What is the oldest by far: a file that somebody writes, one that a writer has left, and what is no kernel. */
	make_file(w, "00000000-1-77.kernel-new", time(NULL) - 60);
	make_file(w, "00000001-1-77.kernel-new", time(NULL) - 7200);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		make_file(w, others[i], 1);
	fill_kernel(w, 3);
	unpack(w);
	unpack(w);
	assert_true(is_there(w, "00000000-1-77.kernel-new"));
	assert_false(is_there(w, "00000001-1-77.kernel-new"));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(is_there(w, others[i]));
	assert_int_equal(kept(w, path), 64 + sizeof(others) / sizeof(others[0]) + 1);
	assert_false(is_there(w, "00000000-1.kernel"));
	assert_true(is_there(w, "0000004f-1.kernel"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_second_time_keeps),
		TEST(another_kernel_is_another_file),
		TEST(damage_is_seen),
		TEST(truncation_is_seen),
		TEST(files_of_others_do_not_count),
		TEST(directories_of_others_do_not_count),
		TEST(without_a_directory_it_works),
		TEST(errors_are_those_of_unpacking),
		TEST(the_oldest_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
