/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading program headers of ELF files (System V gABI, chapters 4 and 5), of either class. */
#ifndef VMM_BOOT_ELF_H
#define VMM_BOOT_ELF_H

#include "vmm/boot/image.h"

/* The fields of a program header, whichever class the file is. */
struct elf_segment {
	uint32_t type;
	uint64_t offset, paddr, vaddr, filesz, memsz, align;
};

struct elf_file {
	const struct boot_image *image;
	bool is64;
	uint64_t entry;
	uint64_t phoff;
	unsigned phnum, phentsize;
	uint64_t sections_end; /* in the file, behind the section headers; 0: none */
};

/* Header and program headers of an x86 kernel are inside of the image. 0, or -ENOEXEC with the error line. */
int elf__open(struct boot_loader *loader, const struct boot_image *image, struct elf_file *elf);

/* Program header number i, below elf->phnum. What it says of the file has not been checked. */
struct elf_segment elf__segment(const struct elf_file *elf, unsigned i);

#endif
