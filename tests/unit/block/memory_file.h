/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files in memory for tests: with errors on demand, and with a power cut that loses a random part of
 * what was written and not synced.
 */
#ifndef TESTS_UNIT_BLOCK_MEMORY_FILE_H
#define TESTS_UNIT_BLOCK_MEMORY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_class;
struct memory_file;

extern const struct file_class memory_file_class;

/* Makes a file of that path, in place of one that was there; files are there until reset(). */
struct memory_file *memory_file__create(const char *path, const void *contents, size_t size);
struct memory_file *memory_file__find(const char *path);
void memory_file__reset(void);

const uint8_t *memory_file__contents(const struct memory_file *file, size_t *size);
void memory_file__set(struct memory_file *file, size_t offset, const void *bytes, size_t length);
/* Writes a host file with the contents. */
void memory_file__export(const struct memory_file *file, const char *path);

/* Accesses from now on fail with that -errno after `after` more of them; 0: no more. */
void memory_file__fail(struct memory_file *file, int read_error, int write_error, int sync_error,
		       unsigned after);
/* A file that would grow beyond this fails with -ENOSPC (the preset: 64 MiB). */
void memory_file__limit(struct memory_file *file, size_t size);
/* Runs `hook` before each write and sync: a test may take the power away there. */
void memory_file__hook(struct memory_file *file, void (*hook)(void *opaque), void *opaque);

/*
 * The power fails: of each 512-byte block written since the last sync, some writes reached the
 * medium and some did not. Further accesses fail with -EIO until revive().
 */
void memory_file__cut(struct memory_file *file, uint64_t seed);
void memory_file__revive(struct memory_file *file);
unsigned memory_file__syncs(const struct memory_file *file);

#endif
