/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiboot 1 kernels (Multiboot Specification 0.6.96): ELF, or any file with load addresses. */
#include <errno.h>
#include <string.h>
#include "vmm/boot/image.h"

#define HEADER_MAGIC 0x1badb002
#define BOOT_MAGIC 0x2badb002
#define SEARCH_LIMIT 8192

#define HEADER_PAGE_ALIGN 0x00000001
#define HEADER_MEMORY_INFO 0x00000002
#define HEADER_VIDEO 0x00000004
#define HEADER_ADDRESSES 0x00010000
/*
 * Bits 0 to 15 are demands. The first two are met; one for a video mode is passed over, as there
 * is no display and kernels that ask for one run without.
 */
#define HEADER_UNKNOWN 0x0000fff8

#define INFO_MEMORY 0x001
#define INFO_CMDLINE 0x004
#define INFO_MODULES 0x008
#define INFO_MEMORY_MAP 0x040
#define INFO_LOADER_NAME 0x200

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB below 640 KiB, KiB above 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

struct __attribute__((packed)) multiboot_mmap_entry {
	uint32_t size; /* of the rest */
	uint64_t addr, length;
	uint32_t type;
};

/* Places behind the memory map in the tables page, and behind the command line. */
#define MODULE_GPA (BOOT_TABLES_GPA + 0x1000)
#define NAME_GPA (BOOT_TABLES_GPA + 0x1100)
#define MODULE_STRING_GPA (BOOT_STRINGS_GPA + BOOT_STRINGS_SIZE)
#define MODULE_STRING_MAX 4096

static bool find_header(const struct boot_image *image, struct multiboot_header *header,
			uint64_t *offset)
{
	uint64_t limit = image->size < SEARCH_LIMIT ? image->size : SEARCH_LIMIT;
	uint64_t at;

	for (at = 0; at + 12 <= limit; at += 4) {
		uint32_t word[3];

		memcpy(word, image->data + at, sizeof(word));
		if (word[0] != HEADER_MAGIC || word[0] + word[1] + word[2] != 0)
			continue;
		memset(header, 0, sizeof(*header));
		memcpy(header, image->data + at,
		       image__has(image, at, sizeof(*header)) ? sizeof(*header) : 12);
		*offset = at;
		return true;
	}
	return false;
}

/* Loads by the header's addresses (3.1.3): file offsets follow from where the header is. */
static int load_by_addresses(struct boot_loader *loader, const struct multiboot_header *h,
			     uint64_t header_offset, uint64_t *entry)
{
	const struct boot_image *image = &loader->kernel;
	uint64_t before = (uint64_t)h->header_addr - h->load_addr;
	uint64_t start, length, end;
	uint8_t *target;

	if (h->load_addr > h->header_addr || before > header_offset)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: Multiboot load address %#x contradicts its header "
				  "address %#x",
				  image->path, h->load_addr, h->header_addr);
	start = header_offset - before;
	length = h->load_end_addr ? (uint64_t)h->load_end_addr - h->load_addr
				  : image->size - start;
	end = h->bss_end_addr ? h->bss_end_addr : h->load_addr + length;
	if ((h->load_end_addr && h->load_end_addr < h->load_addr) ||
	    !image__has(image, start, length) || end < h->load_addr + length)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: truncated: its Multiboot header announces more than "
				  "the file has",
				  image->path);
	target = guest_memory__pointer(loader->mem, h->load_addr, end - h->load_addr);
	if (!target)
		return boot__fail(loader, -ENOSPC,
				  "kernel %s: %#x to %#llx is not memory; give the machine more with "
				  "--memory",
				  image->path, h->load_addr, (unsigned long long)end);
	memcpy(target, image->data + start, length);
	memset(target + length, 0, end - h->load_addr - length);
	loader->kernel_start = h->load_addr;
	loader->kernel_end = end;
	*entry = h->entry_addr;
	return 0;
}

static unsigned write_memory_map(struct boot_loader *loader, struct multiboot_info *info)
{
	struct multiboot_mmap_entry entries[MEMORY_MAP_MAX];
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = boot__memory_map(loader, map), i;

	for (i = 0; i < count; i++) {
		entries[i].size = sizeof(entries[i]) - sizeof(entries[i].size);
		entries[i].addr = map[i].start;
		entries[i].length = map[i].size;
		entries[i].type = map[i].type;
		if (map[i].start == 0)
			info->mem_lower = map[i].size >> 10;
		if (map[i].start == BOOT_HIGH_GPA)
			info->mem_upper = map[i].size >> 10;
	}
	info->mmap_addr = BOOT_TABLES_GPA;
	info->mmap_length = count * sizeof(entries[0]);
	return guest_memory__write(loader->mem, BOOT_TABLES_GPA, entries, info->mmap_length);
}

static int write_module(struct boot_loader *loader, struct multiboot_info *info)
{
	struct multiboot_module module = {
		.start = loader->initrd_gpa,
		.end = loader->initrd_gpa + loader->initrd_size,
		.string = MODULE_STRING_GPA,
	};
	char string[MODULE_STRING_MAX] = "";

	if (!loader->initrd.data)
		return 0;
	strncpy(string, loader->initrd.path, sizeof(string) - 1);
	info->flags |= INFO_MODULES;
	info->mods_count = 1;
	info->mods_addr = MODULE_GPA;
	return guest_memory__write(loader->mem, MODULE_GPA, &module, sizeof(module)) ||
	       guest_memory__write(loader->mem, MODULE_STRING_GPA, string, sizeof(string));
}

static int write_info(struct boot_loader *loader)
{
	static const char name[] = "trivet";
	struct multiboot_info info = {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MEMORY_MAP | INFO_LOADER_NAME,
		.cmdline = BOOT_STRINGS_GPA,
		.boot_loader_name = NAME_GPA,
	};

	if (write_memory_map(loader, &info) || write_module(loader, &info) ||
	    guest_memory__write(loader->mem, NAME_GPA, name, sizeof(name)) ||
	    guest_memory__write(loader->mem, BOOT_PARAMS_GPA, &info, sizeof(info)))
		return boot__fail(loader, -ENOSPC, "the machine has too little memory to boot");
	return 0;
}

int multiboot__load(struct boot_loader *loader)
{
	struct multiboot_header header;
	uint64_t offset, entry = 0;
	int rc;

	if (!find_header(&loader->kernel, &header, &offset))
		return 1;
	if (header.flags & HEADER_UNKNOWN)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: its Multiboot header demands features %#x, which do "
				  "not exist in Multiboot 1",
				  loader->kernel.path, header.flags & HEADER_UNKNOWN);
	if (header.flags & HEADER_ADDRESSES)
		rc = load_by_addresses(loader, &header, offset, &entry);
	else if (elf__is_elf(&loader->kernel))
		rc = elf__load(loader, &entry);
	else
		rc = boot__fail(loader, -ENOEXEC,
				"kernel %s: a Multiboot kernel that is no ELF file and has no load "
				"addresses",
				loader->kernel.path);
	if (rc)
		return rc;
	rc = boot__check_range(loader, entry);
	if (rc)
		return rc;
	rc = boot__place_initrd(loader, &loader->initrd, UINT32_MAX);
	if (rc)
		return rc;
	rc = boot__place_cmdline(loader, BOOT_STRINGS_SIZE - 1);
	if (rc)
		return rc;
	rc = write_info(loader);
	if (rc)
		return rc;
	rc = boot__set_flat32(loader, entry);
	if (rc)
		return rc;
	loader->state->regs.rax = BOOT_MAGIC;
	loader->state->regs.rbx = BOOT_PARAMS_GPA;
	return 0;
}
