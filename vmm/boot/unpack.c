/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking gzip, xz, zstd and LZ4, whole and bounded, by the libraries of these formats. */
#include "vmm/boot/unpack.h"

#include <errno.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* What a decoder of xz may take for its dictionary. */
#define XZ_MEMORY (256ULL << 20)
/* zlib: 15 bits of window, and the header is gzip's. */
#define GZIP_WINDOW (15 + 16)
#define LZ4_BLOCK (8u << 20)

static const uint8_t lz4_magic[4] = { 0x02, 0x21, 0x4c, 0x18 };

static int unpack_gzip(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length)
{
	z_stream stream = { .next_in = (uint8_t *)data, .next_out = out };
	int rc;

	if (size > UINT32_MAX || room > UINT32_MAX)
		return -EINVAL;
	stream.avail_in = size;
	stream.avail_out = room;
	if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	rc = inflate(&stream, Z_FINISH);
	*length = stream.total_out;
	inflateEnd(&stream);
	if (rc == Z_MEM_ERROR)
		return -ENOMEM;
	return rc == Z_STREAM_END ? 0 : -EINVAL;
}

static int unpack_xz(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length)
{
	uint64_t memory = XZ_MEMORY;
	size_t at = 0;
	lzma_ret rc;

	*length = 0;
	rc = lzma_stream_buffer_decode(&memory, 0, NULL, data, &at, size, out, length, room);
	if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return rc == LZMA_OK ? 0 : -EINVAL;
}

static int unpack_zstd(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length)
{
	size_t frame = ZSTD_findFrameCompressedSize(data, size);

	if (ZSTD_isError(frame))
		return -EINVAL;
	*length = ZSTD_decompress(out, room, data, frame);
	return ZSTD_isError(*length) ? -EINVAL : 0;
}

/* Linux's boot images: blocks of 8 MiB unpacked, each behind its length; another frame may follow, and 4 bytes. */
static int unpack_lz4(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length)
{
	size_t at = sizeof(lz4_magic);
	uint32_t block;

	*length = 0;
	while (size - at > sizeof(block)) {
		size_t left = room - *length;
		int n;

		memcpy(&block, data + at, sizeof(block));
		at += sizeof(block);
		if (!memcmp(&block, lz4_magic, sizeof(block)))
			continue;
		if (!block || block > size - at || block > INT_MAX)
			return -EINVAL;
		n = LZ4_decompress_safe((const char *)data + at, (char *)out + *length, block,
					left < LZ4_BLOCK ? left : LZ4_BLOCK);
		if (n < 0)
			return -EINVAL;
		at += block;
		*length += n;
	}
	return 0;
}

struct format {
	uint8_t magic[6];
	uint8_t bytes;
	bool slow;
	int (*unpack)(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length);
};

static const struct format *format_of(const uint8_t *data, size_t size)
{
	static const struct format formats[] = {
		{ { 0x1f, 0x8b, 8 }, 3, true, unpack_gzip },
		{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, true, unpack_xz },
		{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, false, unpack_zstd },
		{ { 0x02, 0x21, 0x4c, 0x18 }, 4, false, unpack_lz4 },
	};
	unsigned i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (size >= formats[i].bytes && !memcmp(data, formats[i].magic, formats[i].bytes))
			return &formats[i];
	return NULL;
}

int unpack__data(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length)
{
	const struct format *format = format_of(data, size);

	return format ? format->unpack(data, size, out, room, length) : -ENOTSUP;
}

bool unpack__is_slow(const uint8_t *data, size_t size)
{
	const struct format *format = format_of(data, size);

	return format && format->slow;
}
