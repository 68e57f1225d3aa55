/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel inside of a Linux bzImage: unpacked, relocated and entered without the image's own code for that. */
#ifndef VMM_BOOT_VMLINUX_H
#define VMM_BOOT_VMLINUX_H

#include <asm/bootparam.h>
#include "vmm/boot/image.h"

/* A kernel that has been unpacked and found good, and where it will go. */
struct vmlinux {
	/*
	 * The ELF file, and its list of relocations. In guest memory, so that its first segments mostly stand
	 * where they have to.
	 */
	uint8_t *data;
	size_t size;
	uint64_t link;	 /* the physical address that it is linked for */
	uint64_t extent; /* bytes that it occupies from its first, while it starts */
	uint64_t alignment; /* of both addresses */
	uint64_t entry;	 /* from its first byte */
	size_t relocations; /* offset of the list in data[]; `size`: it has none */
	bool random; /* the virtual address was chosen at random */
	uint64_t physical, virtual; /* virtual: relative to the kernel's window, `link` if not moved */
};

/*
 * Unpacks, checks, places and relocates the kernel in the image `loader->kernel`, whose setup header and offset
 * of the protected-mode part have been checked. The initrd has been placed. Addresses are chosen at random, as
 * the image's own code does, if `randomise` and the kernel can be moved.
 *
 * 0; 1: it has to unpack itself (no 64-bit kernel, another packing, or anything not as expected); memory that
 * it may use has been written to then. -ENOMEM with the error line.
 */
int vmlinux__load(struct boot_loader *loader, const struct setup_header *header, uint64_t offset,
		  bool randomise, struct vmlinux *vmlinux);

#endif
