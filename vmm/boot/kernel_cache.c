/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file for each kernel: a header, the packed kernel as it stands in its image, and the unpacked one as a zstd
 * frame with a checksum. So nothing has to be believed about a file's name or age, and no crash can leave one
 * that is used and wrong. Files are written under another name and renamed.
 */
#include "vmm/boot/kernel_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "vmm/boot/unpack.h"

#define MAGIC "TRVKERN1"
/*
 * A sum of the packed kernel's end (that of two differs, and kernels are compared as a whole), its length, and what
 * the file is. Files with other names are never touched.
 */
#define NAME_BYTES 64
#define NAMED_BYTES 65536u
#define KEPT ".kernel"
#define MET ".kernel-met" /* empty: it was unpacked once */
#define WRITING ".kernel-new"
/* Unpacked at some 2 GB/s, and a third of the size; better ratios take longer. */
#define PACK_LEVEL (-5)
/* The oldest go when there are more. */
#define MOST_BYTES (256ULL << 20)
#define MOST_FILES 64u
/* A file that another process is writing is not older. */
#define WRITING_SECONDS 3600

struct header {
	char magic[8];
	uint64_t packed;   /* bytes in the kernel's image, which follow */
	uint64_t frame;	   /* of the zstd frame behind them */
	uint64_t unpacked;
};

static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static void make_directories(const char *path)
{
	char *made = strdup(path), *slash = made;

	if (!made || !*made)
		goto free_copy;
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		mkdir(made, 0700);
		*slash = '/';
	}
	mkdir(made, 0700);
free_copy:
	free(made);
}

static int open_directory(const char *path)
{
	struct stat st;
	int fd;

	make_directories(path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) || !is_ours(&st))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void make_name(char name[NAME_BYTES], const uint8_t *data, size_t size, const char *what)
{
	size_t named = size < NAMED_BYTES ? size : NAMED_BYTES;
	uint32_t sum = crc32(0, data + size - named, named);

	snprintf(name, NAME_BYTES, "%08x-%zx%s", sum, size, what);
}

static bool is_name(const char *name)
{
	const char *end = name + strspn(name, "0123456789abcdef-");

	return end - name > 9 && name[8] == '-' &&
	       (!strcmp(end, KEPT) || !strcmp(end, MET) || !strcmp(end, WRITING));
}

/* ---- looking ---- */

static bool is_of(const uint8_t *file, size_t bytes, const uint8_t *data, size_t size, struct header *header)
{
	if (bytes < sizeof(*header))
		return false;
	memcpy(header, file, sizeof(*header));
	return !memcmp(header->magic, MAGIC, sizeof(header->magic)) && header->packed == size &&
	       bytes - sizeof(*header) >= size && bytes - sizeof(*header) - size == header->frame &&
	       !memcmp(file + sizeof(*header), data, size);
}

static bool find(int directory, const char *name, const uint8_t *data, size_t size, uint8_t *out, size_t room,
		 size_t *length)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct header header;
	bool found = false;
	struct stat st;
	uint8_t *file;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_ours(&st) || !st.st_size)
		goto close_fd;
	file = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		goto close_fd;
	if (is_of(file, st.st_size, data, size, &header) && header.unpacked <= room) {
		*length = ZSTD_decompress(out, header.unpacked, file + sizeof(header) + size, header.frame);
		found = !ZSTD_isError(*length) && *length == header.unpacked;
	}
	if (found)
		futimens(fd, NULL);
	munmap(file, st.st_size);
close_fd:
	close(fd);
	return found;
}

/* ---- keeping ---- */

struct kept {
	char name[NAME_BYTES];
	uint64_t bytes;
	time_t used;
};

static int by_use(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return x->used < y->used ? 1 : x->used > y->used ? -1 : 0;
}

static bool is_temporary(const char *name)
{
	return !strcmp(strrchr(name, '.'), WRITING);
}

/* The cache's files but those that may be about to be written; more than `most` are left for the next time. */
static unsigned list(int directory, struct kept *kept, unsigned most)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	unsigned n = 0;
	struct stat st;

	if (!stream) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (n < most && (entry = readdir(stream))) {
		if (strlen(entry->d_name) >= NAME_BYTES || !is_name(entry->d_name) ||
		    fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) ||
		    (is_temporary(entry->d_name) && time(NULL) - st.st_mtime < WRITING_SECONDS))
			continue;
		strcpy(kept[n].name, entry->d_name);
		kept[n].bytes = st.st_size;
		kept[n].used = is_temporary(entry->d_name) ? 0 : st.st_mtime;
		n++;
	}
	closedir(stream);
	return n;
}

static void trim(int directory)
{
	static struct kept kept[4 * MOST_FILES];
	unsigned n = list(directory, kept, 4 * MOST_FILES), i;
	uint64_t bytes = 0;

	qsort(kept, n, sizeof(kept[0]), by_use);
	for (i = 0; i < n; i++) {
		bytes += kept[i].bytes;
		if (i >= MOST_FILES || bytes > MOST_BYTES || !kept[i].used)
			unlinkat(directory, kept[i].name, 0);
	}
}

static bool write_all(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		size -= n;
	}
	return true;
}

static void write_file(int directory, const struct header *header, const uint8_t *data, const uint8_t *frame)
{
	char name[NAME_BYTES], what[32], other[NAME_BYTES];
	bool good;
	int fd;

	snprintf(what, sizeof(what), "-%x" WRITING, getpid());
	make_name(other, data, header->packed, what);
	make_name(name, data, header->packed, KEPT);
	fd = openat(directory, other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	good = write_all(fd, header, sizeof(*header)) && write_all(fd, data, header->packed) &&
	       write_all(fd, frame, header->frame);
	if (close(fd) || !good || renameat(directory, other, directory, name))
		unlinkat(directory, other, 0);
}

static void keep(int directory, const uint8_t *data, size_t size, const uint8_t *unpacked, size_t length)
{
	struct header header = { .magic = MAGIC, .packed = size, .unpacked = length };
	size_t room = ZSTD_compressBound(length), n;
	ZSTD_CCtx *context = ZSTD_createCCtx();
	uint8_t *frame = malloc(room);

	if (context && frame && !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, PACK_LEVEL))) {
		n = ZSTD_compress2(context, frame, room, unpacked, length);
		if (!ZSTD_isError(n)) {
			header.frame = n;
			write_file(directory, &header, data, frame);
		}
	}
	free(frame);
	ZSTD_freeCCtx(context);
	trim(directory);
}

/* Whether it was unpacked before. */
static bool was_met(int directory, const uint8_t *data, size_t size)
{
	char met[NAME_BYTES];
	int fd;

	make_name(met, data, size, MET);
	fd = openat(directory, met, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		bool was = errno == EEXIST;

		if (was)
			unlinkat(directory, met, 0);
		return was;
	}
	close(fd);
	return false;
}

int kernel_cache__unpack(const char *directory, const uint8_t *data, size_t size, uint8_t *out, size_t room,
			 size_t *length)
{
	char name[NAME_BYTES];
	int fd = -1, rc;
	size_t used;

	if (directory && unpack__is_slow(data, size))
		fd = open_directory(directory);
	if (fd < 0)
		return unpack__data(data, size, out, room, length, &used);
	make_name(name, data, size, KEPT);
	rc = 0;
	if (!find(fd, name, data, size, out, room, length)) {
		rc = unpack__data(data, size, out, room, length, &used);
		if (!rc && was_met(fd, data, size))
			keep(fd, data, size, out, *length);
	}
	close(fd);
	return rc;
}
