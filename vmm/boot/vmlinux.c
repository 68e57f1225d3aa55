/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel inside of a Linux bzImage.
 *
 * The payload (boot.rst: payload_offset, payload_length) is a packed ELF file. Kernels that can choose their
 * virtual address have a list of relocations behind it: 32-bit words, from the front a 0, addresses of 64-bit
 * fields, 0, (until Linux 6.14) addresses of 32-bit fields to subtract from, 0, and addresses of 32-bit fields.
 */
#include "vmm/boot/vmlinux.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "vmm/boot/elf.h"
#include "vmm/boot/kernel_cache.h"

/* The kernel's virtual window is at __START_KERNEL_map, 1 GiB long if it can be moved there. */
#define KERNEL_MAP 0xffffffff80000000ULL
#define KERNEL_WINDOW (1ULL << 30)
#define LEAST_ALIGNMENT (2ULL << 20)
/* Offset of the first segment in the file: kernels are linked with -z max-page-size=0x200000. */
#define FIRST_SEGMENT (2ULL << 20)
/* No kernel is near that; a hostile header must not make us take all memory. */
#define MOST_EXTENT (512ULL << 20)

enum relocation_kind { RELOCATE_64, RELOCATE_32_NEGATIVE, RELOCATE_32, NR_RELOCATIONS };

static uint32_t word_at(const struct vmlinux *vmlinux, size_t offset)
{
	uint32_t word;

	memcpy(&word, vmlinux->data + offset, sizeof(word));
	return word;
}

/* Which kind of relocations follows the zero number `zero` of all `zeroes`. */
static enum relocation_kind kind_after(unsigned zero, unsigned zeroes)
{
	if (zero == 1)
		return RELOCATE_64;
	return zero == zeroes ? RELOCATE_32 : RELOCATE_32_NEGATIVE;
}

/* Offset in the loaded kernel of the field that a relocation names. */
static uint64_t field_of(const struct vmlinux *vmlinux, uint32_t word)
{
	return (uint64_t)(int64_t)(int32_t)word - KERNEL_MAP - vmlinux->link;
}

static unsigned count_zeroes(const struct vmlinux *vmlinux)
{
	unsigned zeroes = 0;
	size_t at;

	for (at = vmlinux->relocations; at + 4 <= vmlinux->size; at += 4)
		zeroes += !word_at(vmlinux, at);
	return zeroes;
}

/* A list in the form above, all of whose fields are inside of the kernel. */
static bool has_good_relocations(const struct vmlinux *vmlinux)
{
	unsigned zeroes = count_zeroes(vmlinux);
	size_t at;

	if ((vmlinux->size - vmlinux->relocations) % 4 || (zeroes != 2 && zeroes != 3) ||
	    word_at(vmlinux, vmlinux->relocations))
		return false;
	for (at = vmlinux->relocations; at < vmlinux->size; at += 4) {
		uint32_t word = word_at(vmlinux, at);

		if (word && field_of(vmlinux, word) > vmlinux->extent - sizeof(uint64_t))
			return false;
	}
	return true;
}

static void relocate(const struct vmlinux *vmlinux, uint8_t *kernel)
{
	uint64_t by = vmlinux->virtual - vmlinux->link, wide;
	unsigned zeroes = count_zeroes(vmlinux), zero = 0;
	uint32_t narrow;
	size_t at;

	for (at = vmlinux->relocations; at < vmlinux->size; at += 4) {
		uint32_t word = word_at(vmlinux, at);
		uint8_t *field;

		if (!word) {
			zero++;
			continue;
		}
		field = kernel + field_of(vmlinux, word);
		if (kind_after(zero, zeroes) == RELOCATE_64) {
			memcpy(&wide, field, sizeof(wide));
			wide += by;
			memcpy(field, &wide, sizeof(wide));
		} else {
			memcpy(&narrow, field, sizeof(narrow));
			narrow += kind_after(zero, zeroes) == RELOCATE_32 ? by : -by;
			memcpy(field, &narrow, sizeof(narrow));
		}
	}
}

static bool check_segments(struct vmlinux *vmlinux, const struct elf_file *elf)
{
	uint64_t end = elf->sections_end;
	bool found = false;
	unsigned i;

	for (i = 0; i < elf->phnum; i++) {
		struct elf_segment s = elf__segment(elf, i);

		if (!image__has(elf->image, s.offset, s.filesz))
			return false;
		if (s.offset + s.filesz > end)
			end = s.offset + s.filesz;
		if (s.type != PT_LOAD)
			continue;
		if (s.filesz > s.memsz || s.paddr < vmlinux->link ||
		    s.paddr - vmlinux->link > vmlinux->extent ||
		    s.memsz > vmlinux->extent - (s.paddr - vmlinux->link))
			return false;
		found = true;
	}
	vmlinux->relocations = end < vmlinux->size ? end : vmlinux->size;
	return found && end <= vmlinux->size;
}

static bool check_kernel(struct boot_loader *loader, struct vmlinux *vmlinux)
{
	struct boot_image image = { loader->kernel.path, vmlinux->data, vmlinux->size };
	struct elf_file elf;

	if (!elf__is_elf(&image) || elf__open(loader, &image, &elf) || !elf.is64 ||
	    !check_segments(vmlinux, &elf))
		return false;
	vmlinux->entry = elf.entry - vmlinux->link;
	if (vmlinux->entry >= vmlinux->extent)
		return false;
	return vmlinux->relocations == vmlinux->size || has_good_relocations(vmlinux);
}

/* One of the aligned addresses from `low` on at which `extent` bytes end at `end` or before. */
static uint64_t pick(const struct vmlinux *vmlinux, uint64_t low, uint64_t end)
{
	uint64_t random, slots;

	if (end < low || end - low < vmlinux->extent ||
	    getrandom(&random, sizeof(random), 0) != sizeof(random))
		return low;
	slots = (end - low - vmlinux->extent) / vmlinux->alignment + 1;
	return low + random % slots * vmlinux->alignment;
}

/* Where the memory ends that the kernel is linked for and can move in. */
static uint64_t free_end(const struct boot_loader *loader, const struct vmlinux *vmlinux)
{
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = boot__memory_map(loader, map), i;
	uint64_t end = 0;

	for (i = 0; i < count; i++)
		if (map[i].type == MEMORY_MAP_RAM && vmlinux->link >= map[i].start &&
		    vmlinux->link - map[i].start < map[i].size)
			end = map[i].start + map[i].size;
	if (loader->initrd.data && loader->initrd_gpa >= vmlinux->link && loader->initrd_gpa < end)
		end = loader->initrd_gpa;
	return end;
}

/*
 * Where the file is unpacked to: as much before the kernel's place as its first segment mostly is behind
 * the file's begin.
 */
static uint8_t *file_place(const struct boot_loader *loader, const struct vmlinux *vmlinux)
{
	return guest_memory__pointer(loader->mem, vmlinux->physical - FIRST_SEGMENT,
				     FIRST_SEGMENT + vmlinux->extent);
}

/* The fields of the header that are used are possible. */
static bool check_header(const struct boot_loader *loader, const struct setup_header *header,
			 const struct vmlinux *vmlinux)
{
	return header->version >= 0x20c && header->xloadflags & XLF_KERNEL_64 &&
	       header->payload_length && vmlinux->extent >= sizeof(uint64_t) &&
	       vmlinux->extent <= MOST_EXTENT && vmlinux->link >= BOOT_HIGH_GPA + FIRST_SEGMENT &&
	       vmlinux->link <= UINT32_MAX && vmlinux->alignment >= LEAST_ALIGNMENT &&
	       !(vmlinux->alignment & (vmlinux->alignment - 1)) &&
	       !(vmlinux->link % vmlinux->alignment) && file_place(loader, vmlinux);
}

/* The list alone, in memory of its own: segments may go over it when they move. NULL data: no memory. */
static struct vmlinux copy_relocations(const struct vmlinux *vmlinux)
{
	struct vmlinux list = *vmlinux;

	list.size = vmlinux->size - vmlinux->relocations;
	list.relocations = 0;
	list.data = malloc(list.size ? list.size : 1);
	if (list.data)
		memcpy(list.data, vmlinux->data + vmlinux->relocations, list.size);
	return list;
}

/* A kernel that can't be moved goes where it is linked. */
static void move_back(const struct boot_loader *loader, struct vmlinux *vmlinux)
{
	const uint8_t *from = vmlinux->data;

	vmlinux->physical = vmlinux->link;
	vmlinux->data = file_place(loader, vmlinux);
	memmove(vmlinux->data, from, vmlinux->size);
}

/*
 * Segments go to their places from the first on. False: one of them would overwrite what has not been
 * moved yet, or is not behind the one before.
 */
static bool move_segments(struct boot_loader *loader, const struct vmlinux *vmlinux, uint8_t *kernel)
{
	const struct boot_image image = { loader->kernel.path, vmlinux->data, vmlinux->size };
	uint8_t *end = vmlinux->data;
	struct elf_file elf;
	unsigned i;

	/* The program headers have to stay meanwhile. */
	if (elf__open(loader, &image, &elf) || elf.phoff + elf.phnum * elf.phentsize > FIRST_SEGMENT)
		return false;
	for (i = 0; i < elf.phnum; i++) {
		struct elf_segment s = elf__segment(&elf, i);
		uint8_t *from = vmlinux->data + s.offset, *to = kernel + (s.paddr - vmlinux->link);

		if (s.type != PT_LOAD)
			continue;
		if (to > from || from < end || to < end)
			return false;
		memmove(to, from, s.filesz);
		end = to + s.filesz;
	}
	return true;
}

static int place(struct boot_loader *loader, struct vmlinux *vmlinux, bool randomise)
{
	struct vmlinux list;
	uint8_t *kernel;
	bool moved;

	vmlinux->random = randomise && vmlinux->relocations != vmlinux->size;
	vmlinux->virtual = vmlinux->random ? pick(vmlinux, vmlinux->link, KERNEL_WINDOW) : vmlinux->link;
	if (!vmlinux->random && vmlinux->physical != vmlinux->link)
		move_back(loader, vmlinux);
	kernel = vmlinux->data + FIRST_SEGMENT;
	list = copy_relocations(vmlinux);
	if (!list.data)
		return boot__fail(loader, -ENOMEM, "kernel %s: no memory to relocate it",
				  loader->kernel.path);
	moved = move_segments(loader, vmlinux, kernel);
	if (moved && vmlinux->virtual != vmlinux->link)
		relocate(&list, kernel);
	free(list.data);
	if (!moved)
		return 1;
	loader->kernel_start = vmlinux->physical;
	loader->kernel_end = vmlinux->physical + vmlinux->extent;
	return 0;
}

int vmlinux__load(struct boot_loader *loader, const struct setup_header *header, uint64_t offset,
		  bool randomise, struct vmlinux *vmlinux)
{
	const struct boot_image *kernel = &loader->kernel;
	uint64_t payload = offset + header->payload_offset;

	*vmlinux = (struct vmlinux){
		.link = header->pref_address,
		.physical = header->pref_address,
		.extent = header->init_size,
		.alignment = header->kernel_alignment,
	};
	if (!check_header(loader, header, vmlinux) ||
	    !image__has(kernel, payload, header->payload_length))
		return 1;
	if (randomise && header->relocatable_kernel)
		vmlinux->physical = pick(vmlinux, vmlinux->link, free_end(loader, vmlinux));
	vmlinux->data = file_place(loader, vmlinux);
	/* It unpacks itself into `extent` bytes, too. */
	if (!vmlinux->data ||
	    kernel_cache__unpack(loader->request->kernel_cache, kernel->data + payload, header->payload_length,
				 vmlinux->data, vmlinux->extent, &vmlinux->size) ||
	    !check_kernel(loader, vmlinux))
		return 1;
	return place(loader, vmlinux, randomise);
}
