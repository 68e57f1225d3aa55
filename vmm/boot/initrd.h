/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a file is an initial RAM disk that a Linux kernel can unpack, and is all there; unpacking it. */
#ifndef VMM_BOOT_INITRD_H
#define VMM_BOOT_INITRD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum initrd_state {
	INITRD_GOOD,
	INITRD_FOREIGN,	  /* no format that Linux knows */
	INITRD_TRUNCATED, /* ends in the middle */
	INITRD_DAMAGED,	  /* contradicts itself */
	INITRD_MISPLACED, /* a plain cpio archive not on a multiple of four, which Linux skips */
	INITRD_NO_MEMORY,
};

/* What the file is without packing: plain archives one after the other, each on a multiple of four. */
struct initrd_plain {
	uint8_t *data;	 /* the caller's; NULL if there is no room */
	size_t room;	 /* bytes */
	size_t length;	 /* of these that were written */
	bool has_packed; /* something of the file is packed */
	bool is_behind_plain; /* while it is looked through */
	bool is_whole;	 /* all that is packed stands there unpacked, with what is not: the kernel finds the same files in it */
};

/*
 * Walks through the archives that the file data[0..size) consists of. `format` names the one that is not good.
 * Into plain->data goes what they are unpacked, if all of it is known to be archives of the form newc, and fits. Without
 * room only gzip's data are unpacked, and looked at no further; those of bzip2, lzma and lzo are taken for good by their
 * first bytes, and leave the file as it is.
 */
enum initrd_state initrd__check(const uint8_t *data, size_t size, struct initrd_plain *plain, const char **format);

#endif
