/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking what a kernel image holds in packed form. */
#ifndef VMM_BOOT_UNPACK_H
#define VMM_BOOT_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Unpacks gzip (RFC 1952), xz, zstd (RFC 8878) or LZ4 (the legacy frames that Linux uses) data at data[0..size); what
 * follows the packed data is ignored, but behind LZ4, which has no end. At most `room` bytes are written to out[], *length is how
 * many; *used is how many bytes of the data were packed ones, for LZ4 all.
 *
 * 0, -ENOTSUP: another format, -EINVAL: damaged, truncated, or more than `room` bytes; -ENOMEM.
 */
int unpack__data(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length,
		 size_t *used);

/* Whether data of this format takes longer to unpack than to be read unpacked from a file: gzip, xz. */
bool unpack__is_slow(const uint8_t *data, size_t size);

#endif
