/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels that have been unpacked before, in a directory of the user's. */
#ifndef VMM_BOOT_KERNEL_CACHE_H
#define VMM_BOOT_KERNEL_CACHE_H

#include <stddef.h>
#include <stdint.h>

/*
 * unpack__data(), with the same results, that looks into a directory first and keeps there what takes long to
 * unpack. A kernel is kept when it is unpacked for the second time: what is started once leaves an empty file.
 *
 * @directory	made if it is missing, with its parents; NULL: no cache
 *
 * A file of the cache counts if the directory and it belong to the user and nobody else may write to them, it
 * holds the very data[0..size), and the checksum of what it unpacks to is right. Anything wrong with the cache,
 * and that it can't be written, is as if there were none. Several processes may use one directory.
 */
int kernel_cache__unpack(const char *directory, const uint8_t *data, size_t size, uint8_t *out, size_t room,
			 size_t *length);

#endif
