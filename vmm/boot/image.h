/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loaders of all kernel formats share: a mapped file, placement in guest memory. */
#ifndef VMM_BOOT_IMAGE_H
#define VMM_BOOT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include "vmm/boot/boot.h"

/* Fixed places in low memory, all below the EBDA. */
#define BOOT_GDT_GPA 0x500
#define BOOT_PARAMS_GPA 0x7000 /* Linux zero page, PVH start info or Multiboot information */
#define BOOT_TABLES_GPA 0x8000 /* memory maps, module lists, up to 0x10000 */
#define BOOT_STRINGS_GPA 0x20000 /* command lines, up to 0x9f000 */
#define BOOT_STRINGS_SIZE 0x10000
#define BOOT_HIGH_GPA 0x100000

struct boot_image {
	const char *path;
	const uint8_t *data;
	size_t size;
};

struct boot_loader {
	const struct boot_request *request;
	struct guest_memory *mem;
	struct boot_state *state;
	struct boot_image kernel;
	struct boot_image initrd; /* data NULL: none */
	uint64_t initrd_gpa, initrd_size; /* what was placed of it, and how many bytes */
	uint64_t kernel_start, kernel_end; /* guest-physical range the kernel needs */
	char *error;
	unsigned error_size;
};

enum memory_map_type { MEMORY_MAP_RAM = 1, MEMORY_MAP_RESERVED = 2, MEMORY_MAP_ACPI = 3 };

struct memory_map_entry {
	uint64_t start;
	uint64_t size;
	uint32_t type; /* enum memory_map_type, the numbers of E820 */
};

#define MEMORY_MAP_MAX 16

/* Formats the error line and returns rc. */
int boot__fail(struct boot_loader *loader, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether [offset, offset + size) lies inside the file. */
bool image__has(const struct boot_image *image, uint64_t offset, uint64_t size);

/* The E820-style map of the machine's memory, in order. Returns the number of entries. */
unsigned boot__memory_map(const struct boot_loader *loader, struct memory_map_entry *map);

/*
 * Puts the initrd, `image`, page-aligned as high as possible below `limit` and low RAM's end, clear of the
 * kernel's range and the ACPI tables. 0, or -ENOSPC with the error line.
 */
int boot__place_initrd(struct boot_loader *loader, const struct boot_image *image, uint64_t limit);

/*
 * How many bytes an initrd that is unpacked may have: a quarter of what is free below `limit` behind the kernel, as that makes
 * files of it beside it, in half of its memory at most.
 */
uint64_t boot__initrd_room(const struct boot_loader *loader, uint64_t limit);

/* Copies the command line with its NUL to BOOT_STRINGS_GPA. `max` is what the kernel takes. */
int boot__place_cmdline(struct boot_loader *loader, uint64_t max);

/*
 * What a loaded ELF or Multiboot kernel must keep to: nothing below 1 MiB, where boot information
 * and firmware tables are, and an entry point that 32-bit code can be at, inside of it.
 */
int boot__check_range(struct boot_loader *loader, uint64_t entry);

/* 32-bit protected mode, paging off, flat segments, interrupts off; entry in EIP. */
int boot__set_flat32(struct boot_loader *loader, uint32_t entry);

/*
 * 64-bit mode with the first 4 GiB mapped to themselves, flat segments, interrupts off (boot.rst, "64-bit Boot
 * Protocol"); entry in RIP. Page tables go to BOOT_TABLES_GPA.
 */
int boot__set_flat64(struct boot_loader *loader, uint64_t entry);

/* The loaders: 0, -errno with the error line, or 1 if the file is not of that format. */
int bzimage__load(struct boot_loader *loader);
int multiboot__load(struct boot_loader *loader);
int pvh__load(struct boot_loader *loader);

/* Loads the PT_LOAD segments of an ELF file at their physical addresses; its entry point. */
int elf__load(struct boot_loader *loader, uint64_t *entry);
bool elf__is_elf(const struct boot_image *image);

#endif
