/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of buffers: lengths, slices, copies. */
#include "vmm/block/io/iov.h"

#include <string.h>

size_t iov__length(const struct iovec *iov, int count)
{
	size_t length = 0;

	while (count-- > 0)
		length += (iov++)->iov_len;
	return length;
}

/* The next piece of a walk over [*skip, *skip + *length); NULL at its end. */
static void *next_piece(const struct iovec **iov, int *count, size_t *skip, size_t *length,
			size_t *piece)
{
	void *base;

	while (*count > 0 && *skip >= (*iov)->iov_len) {
		*skip -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count <= 0 || !*length)
		return NULL;
	base = (char *)(*iov)->iov_base + *skip;
	*piece = (*iov)->iov_len - *skip;
	if (*piece > *length)
		*piece = *length;
	*length -= *piece;
	*skip += *piece;
	return base;
}

int iov__slice(const struct iovec *iov, int count, size_t skip, size_t length, struct iovec *out)
{
	size_t piece;
	void *base;
	int n = 0;

	while ((base = next_piece(&iov, &count, &skip, &length, &piece)))
		out[n++] = (struct iovec){ .iov_base = base, .iov_len = piece };
	return n;
}

int iov__slice_count(const struct iovec *iov, int count, size_t skip, size_t length)
{
	size_t piece;
	int n = 0;

	while (next_piece(&iov, &count, &skip, &length, &piece))
		n++;
	return n;
}

void iov__from(const struct iovec *iov, int count, size_t skip, const void *buf, size_t length)
{
	const char *from = buf;
	size_t piece;
	void *base;

	while ((base = next_piece(&iov, &count, &skip, &length, &piece))) {
		memcpy(base, from, piece);
		from += piece;
	}
}

void iov__to(const struct iovec *iov, int count, size_t skip, void *buf, size_t length)
{
	char *to = buf;
	size_t piece;
	void *base;

	while ((base = next_piece(&iov, &count, &skip, &length, &piece))) {
		memcpy(to, base, piece);
		to += piece;
	}
}

void iov__zero(const struct iovec *iov, int count, size_t skip, size_t length)
{
	size_t piece;
	void *base;

	while ((base = next_piece(&iov, &count, &skip, &length, &piece)))
		memset(base, 0, piece);
}

bool iov__buffer_is_zero(const void *buf, size_t length)
{
	const char *at = buf;

	if (!length)
		return true;
	/* A buffer whose first byte is zero and that equals itself one byte on is all zeroes; the first
	 * 16 bytes decide most cases without the walk. */
	if (length <= 16) {
		while (length--)
			if (*at++)
				return false;
		return true;
	}
	return iov__buffer_is_zero(at, 16) && !memcmp(at, at + 16, length - 16);
}

bool iov__is_zero(const struct iovec *iov, int count)
{
	for (; count > 0; count--, iov++)
		if (!iov__buffer_is_zero(iov->iov_base, iov->iov_len))
			return false;
	return true;
}
