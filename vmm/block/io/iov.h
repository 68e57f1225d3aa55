/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of buffers: lengths, slices, copies. */
#ifndef VMM_BLOCK_IO_IOV_H
#define VMM_BLOCK_IO_IOV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

size_t iov__length(const struct iovec *iov, int count);
/*
 * Writes the entries that cover `length` bytes from `skip` on to `out` (room for `count`). Returns
 * how many.
 */
int iov__slice(const struct iovec *iov, int count, size_t skip, size_t length, struct iovec *out);
/* Entries that such a slice has. */
int iov__slice_count(const struct iovec *iov, int count, size_t skip, size_t length);
void iov__from(const struct iovec *iov, int count, size_t skip, const void *buf, size_t length);
void iov__to(const struct iovec *iov, int count, size_t skip, void *buf, size_t length);
void iov__zero(const struct iovec *iov, int count, size_t skip, size_t length);
bool iov__is_zero(const struct iovec *iov, int count);
bool iov__buffer_is_zero(const void *buf, size_t length);

#endif
