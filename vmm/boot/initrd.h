/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a file is an initial RAM disk that a Linux kernel can unpack, and is all there. */
#ifndef VMM_BOOT_INITRD_H
#define VMM_BOOT_INITRD_H

#include <stddef.h>
#include <stdint.h>

enum initrd_state {
	INITRD_GOOD,
	INITRD_FOREIGN,	  /* no format that Linux knows */
	INITRD_TRUNCATED, /* ends in the middle */
	INITRD_DAMAGED,	  /* contradicts itself */
	INITRD_MISPLACED, /* a plain cpio archive not on a multiple of four, which Linux skips */
};

/*
 * Walks through the archives the file consists of without unpacking them. `format` names the one
 * that is not good. Packed data of bzip2, lzma and lzo are taken for good by their first bytes.
 */
enum initrd_state initrd__check(const uint8_t *data, size_t size, const char **format);

/*
 * Walks through one gzip member (RFC 1952) at data[*at], which is left behind it. INITRD_GOOD,
 * INITRD_TRUNCATED or INITRD_DAMAGED. The data's check sum is not looked at, their length is.
 */
enum initrd_state gzip__skip(const uint8_t *data, size_t size, size_t *at);

#endif
