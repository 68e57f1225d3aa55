/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking gzip, xz and zstd, whole and bounded, by the libraries of these formats. */
#include "vmm/boot/unpack.h"

#include <errno.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* What a decoder of xz may take for its dictionary. */
#define XZ_MEMORY (256ULL << 20)
/* zlib: 15 bits of window, and the header is gzip's. */
#define GZIP_WINDOW (15 + 16)

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

int unpack__data(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length)
{
	static const struct {
		uint8_t magic[6];
		uint8_t bytes;
		int (*unpack)(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length);
	} formats[] = {
		{ { 0x1f, 0x8b, 8 }, 3, unpack_gzip },
		{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, unpack_xz },
		{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	};
	unsigned i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (size >= formats[i].bytes && !memcmp(data, formats[i].magic, formats[i].bytes))
			return formats[i].unpack(data, size, out, room, length);
	return -ENOTSUP;
}
