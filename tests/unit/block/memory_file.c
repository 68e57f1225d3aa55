/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files in memory for tests: errors on demand, power cuts. */
#include "memory_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/block/io/file.h"
#include "vmm/block/io/iov.h"

#define MAX_FILES 16
#define LIMIT (64u << 20)
#define SECTOR 512

/* A write that no sync has followed; of zeroes if data is NULL. */
struct pending {
	struct pending *next;
	uint64_t offset, length;
	uint8_t *data;
};

struct memory_file {
	char *path;
	uint8_t *now, *durable;
	size_t size, durable_size, room, limit;
	struct pending *pending, **last;
	int read_error, write_error, sync_error;
	unsigned after, syncs;
	bool dead;
	void (*hook)(void *opaque);
	void *opaque;
};

static struct memory_file *files[MAX_FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* all of the files */

static void drop_pending(struct memory_file *file)
{
	while (file->pending) {
		struct pending *pending = file->pending;

		file->pending = pending->next;
		free(pending->data);
		free(pending);
	}
	file->last = &file->pending;
}

static void reserve(struct memory_file *file, size_t size)
{
	size_t room = file->room ? file->room : 65536;

	while (room < size)
		room *= 2;
	if (room == file->room)
		return;
	file->now = realloc(file->now, room);
	file->durable = realloc(file->durable, room);
	if (!file->now || !file->durable)
		abort();
	memset(file->now + file->room, 0, room - file->room);
	memset(file->durable + file->room, 0, room - file->room);
	file->room = room;
}

static void free_file(struct memory_file *file)
{
	if (!file)
		return;
	drop_pending(file);
	free(file->now);
	free(file->durable);
	free(file->path);
	free(file);
}

struct memory_file *memory_file__create(const char *path, const void *contents, size_t size)
{
	struct memory_file *file = calloc(1, sizeof(*file));
	unsigned i;

	if (!file || !(file->path = strdup(path)))
		abort();
	file->last = &file->pending;
	file->limit = LIMIT;
	reserve(file, size);
	if (size)
		memcpy(file->now, contents, size);
	if (size)
		memcpy(file->durable, contents, size);
	file->size = file->durable_size = size;
	for (i = 0; i < MAX_FILES - 1; i++)
		if (!files[i] || !strcmp(files[i]->path, path))
			break;
	free_file(files[i]);
	files[i] = file;
	return file;
}

struct memory_file *memory_file__find(const char *path)
{
	unsigned i;

	for (i = 0; i < MAX_FILES; i++)
		if (files[i] && !strcmp(files[i]->path, path))
			return files[i];
	return NULL;
}

void memory_file__reset(void)
{
	unsigned i;

	for (i = 0; i < MAX_FILES; i++) {
		free_file(files[i]);
		files[i] = NULL;
	}
}

const uint8_t *memory_file__contents(const struct memory_file *file, size_t *size)
{
	*size = file->size;
	return file->now;
}

void memory_file__set(struct memory_file *file, size_t offset, const void *bytes, size_t length)
{
	reserve(file, offset + length);
	memcpy(file->now + offset, bytes, length);
	memcpy(file->durable + offset, bytes, length);
	if (file->size < offset + length)
		file->size = file->durable_size = offset + length;
}

void memory_file__export(const struct memory_file *file, const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out || fwrite(file->now, 1, file->size, out) != file->size || fclose(out))
		abort();
}

void memory_file__fail(struct memory_file *file, int read_error, int write_error, int sync_error,
		       unsigned after)
{
	pthread_mutex_lock(&lock);
	file->read_error = read_error;
	file->write_error = write_error;
	file->sync_error = sync_error;
	file->after = after;
	pthread_mutex_unlock(&lock);
}

void memory_file__limit(struct memory_file *file, size_t size)
{
	file->limit = size;
}

void memory_file__hook(struct memory_file *file, void (*hook)(void *opaque), void *opaque)
{
	file->hook = hook;
	file->opaque = opaque;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

void memory_file__cut(struct memory_file *file, uint64_t seed)
{
	struct pending *pending;
	uint64_t at, piece;

	pthread_mutex_lock(&lock);
	for (pending = file->pending; pending; pending = pending->next)
		for (at = 0; at < pending->length; at += piece) {
			piece = SECTOR - (pending->offset + at) % SECTOR;
			if (piece > pending->length - at)
				piece = pending->length - at;
			if (next_random(&seed) & 1)
				continue;
			if (pending->data)
				memcpy(file->durable + pending->offset + at, pending->data + at, piece);
			else
				memset(file->durable + pending->offset + at, 0, piece);
		}
	drop_pending(file);
	if (next_random(&seed) & 1)
		file->durable_size = file->size;
	file->dead = true;
	pthread_mutex_unlock(&lock);
}

void memory_file__revive(struct memory_file *file)
{
	memcpy(file->now, file->durable, file->room);
	file->size = file->durable_size;
	memset(file->now + file->size, 0, file->room - file->size);
	memcpy(file->durable, file->now, file->room);
	file->dead = false;
}

unsigned memory_file__syncs(const struct memory_file *file)
{
	return file->syncs;
}

/* ---- the class ---- */

static int open_memory(struct block_file *block_file, const struct file_how *how, char *error,
		       size_t error_size)
{
	struct memory_file *file = memory_file__find(block_file->path);

	if (!file) {
		snprintf(error, error_size, "%s: no such file in memory", block_file->path);
		return -ENOENT;
	}
	if (how->direct)
		block_file->align = 512;
	block_file->private = file;
	return 0;
}

static void close_memory(struct block_file *file)
{
}

/* Whether this access is to fail; locked. */
static int look_for_error(struct memory_file *file, int error)
{
	if (file->dead)
		return -EIO;
	if (!error)
		return 0;
	if (file->after) {
		file->after--;
		return 0;
	}
	return error;
}

static long read_memory(struct block_file *block_file, const struct iovec *iov, int count,
			uint64_t offset)
{
	struct memory_file *file = block_file->private;
	size_t length = iov__length(iov, count);
	long result;

	pthread_mutex_lock(&lock);
	result = look_for_error(file, file->read_error);
	if (!result && offset < file->size) {
		if (length > file->size - offset)
			length = file->size - offset;
		iov__from(iov, count, 0, file->now + offset, length);
		result = length;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static void note(struct memory_file *file, uint64_t offset, uint64_t length, bool zero)
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		abort();
	pending->offset = offset;
	pending->length = length;
	if (!zero) {
		pending->data = malloc(length + 1);
		if (!pending->data)
			abort();
		memcpy(pending->data, file->now + offset, length);
	}
	*file->last = pending;
	file->last = &pending->next;
}

static long write_memory(struct block_file *block_file, const struct iovec *iov, int count,
			 uint64_t offset)
{
	struct memory_file *file = block_file->private;
	size_t length = iov__length(iov, count);
	long result;

	if (file->hook)
		file->hook(file->opaque);
	pthread_mutex_lock(&lock);
	result = look_for_error(file, file->write_error);
	if (!result && offset + length > file->limit)
		result = -ENOSPC;
	if (!result) {
		reserve(file, offset + length);
		iov__to(iov, count, 0, file->now + offset, length);
		note(file, offset, length, false);
		if (file->size < offset + length)
			file->size = offset + length;
		result = length;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static int sync_memory(struct block_file *block_file)
{
	struct memory_file *file = block_file->private;
	int err;

	if (file->hook)
		file->hook(file->opaque);
	pthread_mutex_lock(&lock);
	err = look_for_error(file, file->sync_error);
	if (!err) {
		drop_pending(file);
		memcpy(file->durable, file->now, file->room);
		file->durable_size = file->size;
		file->syncs++;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

static int size_memory(struct block_file *block_file, uint64_t *size)
{
	struct memory_file *file = block_file->private;

	pthread_mutex_lock(&lock);
	*size = file->size;
	pthread_mutex_unlock(&lock);
	return 0;
}

static int truncate_memory(struct block_file *block_file, uint64_t size)
{
	struct memory_file *file = block_file->private;
	int err;

	pthread_mutex_lock(&lock);
	err = look_for_error(file, file->write_error);
	if (!err && size > file->limit)
		err = -ENOSPC;
	if (!err) {
		reserve(file, size);
		if (size < file->size) {
			memset(file->now + size, 0, file->size - size);
			note(file, size, file->size - size, true);
		}
		file->size = size;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

static int zero_memory(struct block_file *block_file, uint64_t offset, uint64_t length, bool unmap)
{
	struct memory_file *file = block_file->private;
	int err;

	pthread_mutex_lock(&lock);
	err = look_for_error(file, file->write_error);
	if (!err && offset < file->size) {
		if (length > file->size - offset)
			length = file->size - offset;
		memset(file->now + offset, 0, length);
		note(file, offset, length, true);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

static int allocate_memory(struct block_file *file, uint64_t offset, uint64_t length)
{
	return 0;
}

static int extent_memory(struct block_file *block_file, uint64_t offset, uint64_t *length, bool *data)
{
	struct memory_file *file = block_file->private;

	*data = offset < file->size;
	*length = *data ? file->size - offset : INT64_MAX - offset;
	return 0;
}

static int lock_memory(struct block_file *file, enum file_lock wanted, char *error, size_t error_size)
{
	return 0;
}

const struct file_class memory_file_class = {
	.open = open_memory,
	.close = close_memory,
	.read = read_memory,
	.write = write_memory,
	.sync = sync_memory,
	.size = size_memory,
	.truncate = truncate_memory,
	.zero = zero_memory,
	.allocate = allocate_memory,
	.extent = extent_memory,
	.lock = lock_memory,
};
