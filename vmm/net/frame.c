/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames in pieces, and checksums that were left to be done. */
#include <errno.h>
#include <string.h>

#include "vmm/net/backend.h"

size_t net_frame__gather(const struct iovec *iov, unsigned count, void *to, size_t size)
{
	size_t done = 0, step;

	for (; count && done < size; iov++, count--) {
		step = iov->iov_len < size - done ? iov->iov_len : size - done;
		memcpy((char *)to + done, iov->iov_base, step);
		done += step;
	}
	return done;
}

/* RFC 1071; the sum of 32-bit words is a multiple of 65535 off the one of 16-bit words. */
static uint16_t sum_of(const uint8_t *data, size_t size)
{
	uint64_t sum = 0;
	uint32_t word;

	for (; size >= 4; size -= 4, data += 4) {
		memcpy(&word, data, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, data, size);
	sum += word;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

int net_frame__finish_checksum(const struct net_header *header, uint8_t *frame, size_t size)
{
	size_t start = header->csum_start, at = start + header->csum_offset;
	uint16_t sum;

	if (!(header->flags & NET_HEADER_NEEDS_CSUM))
		return 0;
	if (start >= size || at + sizeof(sum) > size)
		return -EINVAL;
	/* The field holds the pseudo header's sum. A checksum of 0 means none in UDP (RFC 768). */
	sum = (uint16_t)~sum_of(frame + start, size - start);
	if (!sum)
		sum = 0xffff;
	memcpy(frame + at, &sum, sizeof(sum));
	return 0;
}
