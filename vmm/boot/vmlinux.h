/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel inside of a Linux bzImage: unpacked, relocated and entered without the image's own code for that. */
#ifndef VMM_BOOT_VMLINUX_H
#define VMM_BOOT_VMLINUX_H

#include <asm/bootparam.h>
#include "vmm/boot/image.h"

/* An unpacked kernel that has been found good, and where it will go. */
struct vmlinux {
	uint8_t *data; /* the ELF file, and its list of relocations */
	size_t size;
	uint64_t link;	 /* the physical address that it is linked for */
	uint64_t extent; /* bytes that it occupies from its first, while it starts */
	uint64_t alignment; /* of both addresses */
	uint64_t entry;	 /* from its first byte */
	size_t relocations; /* offset of the list in data[]; `size`: it has none */
	bool movable; /* to another physical address */
	uint64_t physical, virtual; /* virtual: relative to the kernel's window, `link` if not moved */
};

/*
 * Unpacks and checks the kernel in the image `loader->kernel`, whose setup header and offset of the
 * protected-mode part have been checked. 0, 1: it has to unpack itself (no 64-bit kernel, another packing,
 * or anything not as expected). vmlinux__close() afterwards.
 */
int vmlinux__open(struct boot_loader *loader, const struct setup_header *header, uint64_t offset,
		  struct vmlinux *vmlinux);
void vmlinux__close(struct vmlinux *vmlinux);

/*
 * Chooses the addresses, at random as the image's own code does if `randomise` and the kernel can be moved,
 * clear of the initrd, which has been placed. True: virtual addresses were chosen at random.
 */
bool vmlinux__choose(struct boot_loader *loader, struct vmlinux *vmlinux, bool randomise);

/* Writes it to guest memory where it was chosen, relocated. 0, or -ENOSPC with the error line. */
int vmlinux__write(struct boot_loader *loader, const struct vmlinux *vmlinux);

#endif
