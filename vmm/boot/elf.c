/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF kernels: loading segments at their physical addresses, and the PVH entry note. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "vmm/boot/elf.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define MAX_PROGRAM_HEADERS 256

bool elf__is_elf(const struct boot_image *image)
{
	return image__has(image, 0, SELFMAG) && !memcmp(image->data, ELFMAG, SELFMAG);
}

int elf__open(struct boot_loader *loader, const struct boot_image *image, struct elf_file *elf)
{
	Elf64_Ehdr h64;
	Elf32_Ehdr h32;

	elf->image = image;
	if (!image__has(image, 0, sizeof(h64)) || image->data[EI_DATA] != ELFDATA2LSB)
		return boot__fail(loader, -ENOEXEC, "kernel %s: truncated or foreign ELF header",
				  image->path);
	memcpy(&h64, image->data, sizeof(h64));
	memcpy(&h32, image->data, sizeof(h32));
	elf->is64 = image->data[EI_CLASS] == ELFCLASS64;
	if (elf->is64) {
		elf->entry = h64.e_entry;
		elf->phoff = h64.e_phoff;
		elf->phnum = h64.e_phnum;
		elf->phentsize = h64.e_phentsize;
		elf->sections_end = h64.e_shoff + (uint64_t)h64.e_shnum * h64.e_shentsize;
	} else {
		elf->entry = h32.e_entry;
		elf->phoff = h32.e_phoff;
		elf->phnum = h32.e_phnum;
		elf->phentsize = h32.e_phentsize;
		elf->sections_end = h32.e_shoff + (uint64_t)h32.e_shnum * h32.e_shentsize;
	}
	if (h64.e_machine != EM_X86_64 && h64.e_machine != EM_386)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: an ELF file for another processor (machine %u); give "
				  "one for x86",
				  image->path, h64.e_machine);
	if (!elf->phnum || elf->phnum > MAX_PROGRAM_HEADERS ||
	    elf->phentsize < (elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
	    !image__has(image, elf->phoff, (uint64_t)elf->phnum * elf->phentsize))
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: truncated or no program headers; give a linked kernel",
				  image->path);
	return 0;
}

struct elf_segment elf__segment(const struct elf_file *elf, unsigned i)
{
	const uint8_t *p = elf->image->data + elf->phoff + (uint64_t)i * elf->phentsize;

	if (elf->is64) {
		Elf64_Phdr h;

		memcpy(&h, p, sizeof(h));
		return (struct elf_segment){ h.p_type,   h.p_offset, h.p_paddr, h.p_vaddr,
					 h.p_filesz, h.p_memsz,	 h.p_align };
	} else {
		Elf32_Phdr h;

		memcpy(&h, p, sizeof(h));
		return (struct elf_segment){ h.p_type,   h.p_offset, h.p_paddr, h.p_vaddr,
					 h.p_filesz, h.p_memsz,	 h.p_align };
	}
}

static int load_segment(struct boot_loader *loader, const struct elf_file *elf,
			const struct elf_segment *s)
{
	uint8_t *target;

	if (s->filesz > s->memsz || !image__has(elf->image, s->offset, s->filesz))
		return boot__fail(loader, -ENOEXEC, "kernel %s: truncated: a segment lies outside "
				  "of the file", elf->image->path);
	target = guest_memory__pointer(loader->mem, s->paddr, s->memsz);
	if (!target)
		return boot__fail(loader, -ENOSPC,
				  "kernel %s: a segment of %llu bytes at %#llx does not fit into "
				  "memory; give the machine more with --memory",
				  elf->image->path, (unsigned long long)s->memsz,
				  (unsigned long long)s->paddr);
	memcpy(target, elf->image->data + s->offset, s->filesz);
	memset(target + s->filesz, 0, s->memsz - s->filesz);
	if (!loader->kernel_end || s->paddr < loader->kernel_start)
		loader->kernel_start = s->paddr;
	if (s->paddr + s->memsz > loader->kernel_end)
		loader->kernel_end = s->paddr + s->memsz;
	return 0;
}

int elf__load(struct boot_loader *loader, uint64_t *entry)
{
	struct elf_file elf;
	int rc = elf__open(loader, &loader->kernel, &elf);
	unsigned i;

	if (rc)
		return rc;
	*entry = elf.entry;
	for (i = 0; i < elf.phnum; i++) {
		struct elf_segment s = elf__segment(&elf, i);

		if (s.type != PT_LOAD || !s.memsz)
			continue;
		rc = load_segment(loader, &elf, &s);
		if (rc)
			return rc;
		/* Virtual in most kernels that are linked high: take the physical side. */
		if (elf.entry >= s.vaddr && elf.entry - s.vaddr < s.memsz)
			*entry = s.paddr + (elf.entry - s.vaddr);
	}
	if (!loader->kernel_end)
		return boot__fail(loader, -ENOEXEC, "kernel %s: an ELF file with nothing to load",
				  loader->kernel.path);
	return 0;
}

/* Searches one note segment for the PVH entry (Xen's public elfnote.h; notes: gABI ch. 5). */
static bool find_note(const struct boot_image *image, const struct elf_segment *s, uint32_t *entry)
{
	uint64_t at = s->offset, end = s->offset + s->filesz;
	uint64_t align = s->align == 8 ? 8 : 4;

	if (!image__has(image, s->offset, s->filesz))
		return false;
	while (at < end && end - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, desc;

		memcpy(&note, image->data + at, sizeof(note));
		name = at + sizeof(note);
		desc = name + (((uint64_t)note.n_namesz + align - 1) & ~(align - 1));
		/* The last one may lack its padding. */
		if (desc > end || note.n_descsz > end - desc)
			return false;
		at = desc + (((uint64_t)note.n_descsz + align - 1) & ~(align - 1));
		if (note.n_type == XEN_ELFNOTE_PHYS32_ENTRY && note.n_namesz == 4 &&
		    !memcmp(image->data + name, "Xen", 4) && note.n_descsz >= 4) {
			memcpy(entry, image->data + desc, 4);
			return true;
		}
	}
	return false;
}

/* The PVH boot structures (Xen's public/arch-x86/hvm/start_info.h). */
struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

struct pvh_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

#define PVH_MAGIC 0x336ec578

static int write_start_info(struct boot_loader *loader)
{
	struct pvh_start_info info = { .magic = PVH_MAGIC, .version = 1 };
	struct pvh_module module = { loader->initrd_gpa, loader->initrd_size, 0, 0 };
	struct pvh_memmap_entry entries[MEMORY_MAP_MAX] = { 0 };
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = boot__memory_map(loader, map), i;

	for (i = 0; i < count; i++)
		entries[i] = (struct pvh_memmap_entry){ map[i].start, map[i].size, map[i].type, 0 };
	info.cmdline_paddr = BOOT_STRINGS_GPA;
	info.rsdp_paddr = loader->request->rsdp_gpa;
	info.memmap_paddr = BOOT_TABLES_GPA;
	info.memmap_entries = count;
	if (loader->initrd.data) {
		info.nr_modules = 1;
		info.modlist_paddr = BOOT_TABLES_GPA + sizeof(entries);
	}
	if (guest_memory__write(loader->mem, BOOT_PARAMS_GPA, &info, sizeof(info)) ||
	    guest_memory__write(loader->mem, BOOT_TABLES_GPA, entries, sizeof(entries)) ||
	    guest_memory__write(loader->mem, BOOT_TABLES_GPA + sizeof(entries), &module,
				sizeof(module)))
		return boot__fail(loader, -ENOSPC, "the machine has too little memory to boot");
	return 0;
}

static bool has_pvh_note(const struct elf_file *elf, uint32_t *entry)
{
	unsigned i;

	for (i = 0; i < elf->phnum; i++) {
		struct elf_segment s = elf__segment(elf, i);

		if (s.type == PT_NOTE && find_note(elf->image, &s, entry))
			return true;
	}
	return false;
}

int pvh__load(struct boot_loader *loader)
{
	struct elf_file elf;
	uint64_t elf_entry;
	uint32_t entry;
	int rc;

	if (!elf__is_elf(&loader->kernel))
		return 1;
	rc = elf__open(loader, &loader->kernel, &elf);
	if (rc)
		return rc;
	if (!has_pvh_note(&elf, &entry))
		return 1;
	rc = elf__load(loader, &elf_entry);
	if (rc)
		return rc;
	rc = boot__check_range(loader, entry);
	if (rc)
		return rc;
	rc = boot__place_initrd(loader, &loader->initrd, UINT32_MAX);
	if (rc)
		return rc;
	rc = boot__place_cmdline(loader, 2047);
	if (rc)
		return rc;
	rc = write_start_info(loader);
	if (rc)
		return rc;
	rc = boot__set_flat32(loader, entry);
	if (rc)
		return rc;
	loader->state->regs.rbx = BOOT_PARAMS_GPA;
	return 0;
}
