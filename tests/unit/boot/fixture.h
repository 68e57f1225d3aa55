/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bench for kernel loaders: files made on the spot, guest memory, what a loader said. */
#ifndef TESTS_UNIT_BOOT_FIXTURE_H
#define TESTS_UNIT_BOOT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/boot/boot.h"
#include "vmm/boot/image.h"

#define MIB (1ull << 20)
#define ACPI_START 0xe0000u
#define ACPI_SIZE 0x20000u

struct bench {
	struct guest_memory memory;
	struct boot_state state;
	char kernel[64], initrd[64]; /* paths; initrd[0] is 0: none */
	const char *cmdline;
	bool unpack;
	char error[300];
};

/* The shortest initrd: a cpio archive with nothing in it. */
#define BENCH_CPIO_BYTES 129
extern const char bench__cpio[BENCH_CPIO_BYTES + 1];

void bench__up(struct bench *bench, uint64_t memory);
void bench__down(struct bench *bench);
void bench__write_kernel(struct bench *bench, const void *data, size_t size);
void bench__write_initrd(struct bench *bench, const void *data, size_t size);
/* boot__load(). The state starts as garbage. */
int bench__load(struct bench *bench);
/* Loads and expects an error line with these words (either may be NULL). */
void bench__refused(struct bench *bench, const char *word, const char *other);
/* Whether guest memory has these bytes. */
void bench__check_memory(struct bench *bench, uint64_t gpa, const void *data, size_t size);
void bench__check_filled(struct bench *bench, uint64_t gpa, uint8_t value, size_t size);
/* Protected mode, no paging, flat segments, and the entry. */
void bench__check_flat(const struct bench *bench, uint64_t entry);
void bench__read(struct bench *bench, uint64_t gpa, void *data, size_t size);

#endif
