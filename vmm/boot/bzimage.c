/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux bzImages (Documentation/x86/boot.rst), version 2.06 and later: the 32-bit boot protocol, or the kernel
 * inside of it by the state of the 64-bit one.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "vmm/boot/image.h"
#include "vmm/boot/initrd.h"
#include "vmm/boot/vmlinux.h"

#define HEADER_OFFSET 0x1f1
#define MAGIC_OFFSET 0x202
#define LOADER_TYPE_UNDEFINED 0xff
#define OLD_INITRD_ADDR_MAX 0x37ffffff

/* The setup header, cut to the length the file declares (boot.rst, "Details of header fields"). */
static int read_header(struct boot_loader *loader, struct setup_header *header)
{
	const struct boot_image *kernel = &loader->kernel;
	size_t length;

	length = MAGIC_OFFSET + kernel->data[0x201] - HEADER_OFFSET;
	if (length > sizeof(*header))
		length = sizeof(*header);
	if (!image__has(kernel, HEADER_OFFSET, length))
		return boot__fail(loader, -ENOEXEC, "kernel %s: truncated in its setup header",
				  kernel->path);
	memset(header, 0, sizeof(*header));
	memcpy(header, kernel->data + HEADER_OFFSET, length);
	if (header->version < 0x206)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: boot protocol %u.%02u; 2.06 or later is needed",
				  kernel->path, header->version >> 8, header->version & 0xff);
	if (!(header->loadflags & LOADED_HIGH))
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: a zImage, which loads low; give a bzImage",
				  kernel->path);
	return 0;
}

static void fill_e820(const struct boot_loader *loader, struct boot_params *params)
{
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = boot__memory_map(loader, map);
	unsigned i;

	for (i = 0; i < count; i++) {
		params->e820_table[i].addr = map[i].start;
		params->e820_table[i].size = map[i].size;
		params->e820_table[i].type = map[i].type;
	}
	params->e820_entries = count;
}

/* The range that the kernel will use from where its protected-mode part goes, while it unpacks itself. */
static int place_kernel(struct boot_loader *loader, const struct setup_header *header,
			uint64_t offset)
{
	const struct boot_image *kernel = &loader->kernel;
	uint64_t size = kernel->size - offset;
	uint64_t needed = header->version >= 0x20a ? header->init_size : size;
	uint64_t start = BOOT_HIGH_GPA;

	loader->kernel_end = start + (size > needed ? size : needed);
	if (header->version >= 0x20a && header->pref_address <= UINT32_MAX &&
	    header->pref_address + needed > loader->kernel_end)
		loader->kernel_end = header->pref_address + needed;
	if (!guest_memory__pointer(loader->mem, start, loader->kernel_end - start))
		return boot__fail(loader, -ENOSPC,
				  "kernel %s: it needs memory up to %llu MiB; give the machine more "
				  "with --memory",
				  kernel->path,
				  (unsigned long long)((loader->kernel_end + 0xfffff) >> 20));
	loader->kernel_start = start;
	return 0;
}

/* As the kernel reads its command line: a word of its own. */
static bool has_word(const char *line, const char *word)
{
	size_t length = strlen(word);
	const char *at = line;

	while ((at = strstr(at, word))) {
		if ((at == line || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
		at += length;
	}
	return false;
}

/* The image as it is; it unpacks itself. */
static int enter_image(struct boot_loader *loader, uint64_t offset)
{
	const struct boot_image *kernel = &loader->kernel;

	if (guest_memory__write(loader->mem, loader->kernel_start, kernel->data + offset,
				kernel->size - offset))
		return boot__fail(loader, -ENOSPC, "kernel %s: does not fit into memory",
				  kernel->path);
	return boot__set_flat32(loader, loader->kernel_start);
}

/* The kernel inside. 1: only the image as it is can be entered. */
static int enter_unpacked(struct boot_loader *loader, struct setup_header *header, uint64_t offset)
{
	bool randomise = !has_word(loader->request->cmdline, "nokaslr");
	struct vmlinux vmlinux;
	int rc = vmlinux__load(loader, header, offset, randomise, &vmlinux);

	if (rc)
		return rc;
	/* The kernel asks this flag whether to randomise the rest of its address space, too. */
	if (vmlinux.random)
		header->loadflags |= KASLR_FLAG;
	return boot__set_flat64(loader, vmlinux.physical + vmlinux.entry);
}

static int write_params(struct boot_loader *loader, const struct setup_header *header)
{
	struct boot_params params;

	memset(&params, 0, sizeof(params));
	params.hdr = *header;
	params.hdr.type_of_loader = LOADER_TYPE_UNDEFINED;
	params.hdr.loadflags &= ~CAN_USE_HEAP;
	params.hdr.code32_start = loader->kernel_start;
	params.hdr.cmd_line_ptr = BOOT_STRINGS_GPA;
	if (loader->initrd.data) {
		params.hdr.ramdisk_image = loader->initrd_gpa;
		params.hdr.ramdisk_size = loader->initrd_size;
	}
	params.acpi_rsdp_addr = loader->request->rsdp_gpa;
	fill_e820(loader, &params);
	if (guest_memory__write(loader->mem, BOOT_PARAMS_GPA, &params, sizeof(params)))
		return boot__fail(loader, -ENOSPC, "the machine has too little memory to boot");
	return 0;
}

/* A kernel without its initial RAM disk would run for seconds before it says so. */
static int check_initrd(struct boot_loader *loader, struct initrd_plain *plain)
{
	const struct boot_image *initrd = &loader->initrd;
	const char *format;

	switch (initrd__check(initrd->data, initrd->size, plain, &format)) {
	case INITRD_GOOD:
		return 0;
	case INITRD_TRUNCATED:
		return boot__fail(loader, -EINVAL,
				  "initrd %s: truncated: its %s data go on behind the file's %zu "
				  "bytes; give the whole file",
				  initrd->path, format, initrd->size);
	case INITRD_DAMAGED:
		return boot__fail(loader, -EINVAL, "initrd %s: damaged %s data; make it anew",
				  initrd->path, format);
	case INITRD_MISPLACED:
		return boot__fail(loader, -EINVAL,
				  "initrd %s: a plain cpio archive behind another one starts at an odd place, "
				  "where Linux does not look for it; fill up with zeros to a multiple of four "
				  "bytes before it",
				  initrd->path);
	case INITRD_NO_MEMORY:
		return boot__fail(loader, -ENOMEM, "initrd %s: no memory to look through it", initrd->path);
	case INITRD_FOREIGN:
		break;
	}
	return boot__fail(loader, -EINVAL,
			  "initrd %s: not an initial RAM disk; give a cpio archive in the form newc, "
			  "as it is or packed with gzip, xz, zstd, lz4, bzip2, lzma or lzo",
			  initrd->path);
}

/* Unpacked where the kernel is, if the kernel finds the same in that; else as it is. */
static int load_initrd(struct boot_loader *loader, uint64_t limit)
{
	uint64_t room = loader->request->unpack ? boot__initrd_room(loader, limit) : 0;
	struct boot_image image = loader->initrd;
	struct initrd_plain plain = { .data = NULL };
	void *memory = MAP_FAILED;
	int rc;

	if (!image.data)
		return 0;
	if (room)
		memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory != MAP_FAILED) {
		plain.data = memory;
		plain.room = room;
	}
	rc = check_initrd(loader, &plain);
	if (plain.is_whole) {
		image.data = plain.data;
		image.size = plain.length;
	}
	if (!rc)
		rc = boot__place_initrd(loader, &image, limit);
	if (memory != MAP_FAILED)
		munmap(memory, room);
	return rc;
}

int bzimage__load(struct boot_loader *loader)
{
	const struct boot_image *kernel = &loader->kernel;
	struct setup_header header;
	uint64_t offset, limit;
	int rc;

	if (!image__has(kernel, 0, 0x210) || memcmp(kernel->data + MAGIC_OFFSET, "HdrS", 4) ||
	    kernel->data[0x1fe] != 0x55 || kernel->data[0x1ff] != 0xaa)
		return 1;
	rc = read_header(loader, &header);
	if (rc)
		return rc;
	offset = ((header.setup_sects ? header.setup_sects : 4) + 1) * 512ULL;
	if (!image__has(kernel, offset, (uint64_t)header.syssize * 16) || !header.syssize)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: truncated: the header announces %llu bytes, the file "
				  "has %zu",
				  kernel->path,
				  (unsigned long long)(offset + (uint64_t)header.syssize * 16),
				  kernel->size);
	rc = place_kernel(loader, &header, offset);
	if (rc)
		return rc;
	limit = header.initrd_addr_max ? header.initrd_addr_max : OLD_INITRD_ADDR_MAX;
	rc = load_initrd(loader, limit + 1);
	if (rc)
		return rc;
	rc = boot__place_cmdline(loader, header.cmdline_size ? header.cmdline_size : 255);
	if (rc)
		return rc;
	header.loadflags &= ~KASLR_FLAG;
	rc = loader->request->unpack ? enter_unpacked(loader, &header, offset) : 1;
	if (rc == 1)
		rc = enter_image(loader, offset);
	if (!rc)
		rc = write_params(loader, &header);
	if (rc)
		return rc;
	loader->state->regs.rsi = BOOT_PARAMS_GPA;
	return 0;
}
