/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking gzip, xz, zstd and LZ4, whole and bounded, by the libraries of these formats. */
#include "vmm/boot/unpack.h"

#include <errno.h>
#include <libdeflate.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

/* For all dictionaries of a file: so many times its size is populated. */
#define XZ_RATIO 16u
/* What a decoder of xz may take for its dictionary. */
#define XZ_MEMORY (256ULL << 20)
#define LZ4_BLOCK (8u << 20)
#define POPULATED (1u << 20) /* bytes that are asked for at once */
#define PAGE_BYTES 4096ULL

static const uint8_t lz4_magic[4] = { 0x02, 0x21, 0x4c, 0x18 };

static int unpack_gzip(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length, size_t *used)
{
	struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
	enum libdeflate_result rc;

	if (!decompressor)
		return -ENOMEM;
	rc = libdeflate_gzip_decompress_ex(decompressor, data, size, out, room, used, length);
	libdeflate_free_decompressor(decompressor);
	return rc == LIBDEFLATE_SUCCESS ? 0 : -EINVAL;
}

static bool has_crc32(const uint8_t *data, size_t size)
{
	lzma_stream_flags flags;

	return size >= LZMA_STREAM_HEADER_SIZE && lzma_stream_header_decode(&flags, data) == LZMA_OK &&
	       flags.check == LZMA_CHECK_CRC32;
}

/*
 * Where the CRC of all that was unpacked stands in a stream that ends at `end`, which liblzma has found to be well
 * formed: before the index (The .xz File Format 1.0.4, 2.1). NULL: there are several blocks with one each, or none.
 */
static const uint8_t *crc_of_all(const uint8_t *data, size_t end)
{
	lzma_stream_flags flags;
	const uint8_t *index;

	end -= LZMA_STREAM_HEADER_SIZE;
	if (lzma_stream_footer_decode(&flags, data + end) != LZMA_OK)
		return NULL;
	index = data + end - flags.backward_size;
	return index[1] == 1 ? index - sizeof(uint32_t) : NULL;
}

/*
 * A kernel's dictionary has 32 MiB: faults of each of its pages would take a twentieth of the time that unpacking
 * takes. Not more than can be unpacked is touched like this, for all dictionaries that a file asks for together, nor much more than it has.
 */
static void *allocate(void *populated, size_t n, size_t size)
{
	size_t bytes = n * size, *left = populated, now = bytes < *left ? bytes : *left;
	void *p;

	if (bytes < POPULATED)
		return malloc(bytes);
	if (posix_memalign(&p, PAGE_BYTES, bytes))
		return NULL;
	/* Kernels before 5.14 don't know it, and nothing depends on it. */
	madvise(p, now & ~(PAGE_BYTES - 1), MADV_POPULATE_WRITE);
	*left -= now;
	return p;
}

static void release(void *populated, void *p)
{
	free(p);
}

static lzma_ret decode_xz(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length, size_t *end,
			  uint32_t flags)
{
	size_t left = room / XZ_RATIO < size ? room : size * XZ_RATIO;
	const lzma_allocator allocator = { .alloc = allocate, .free = release, .opaque = &left };
	uint64_t memory = XZ_MEMORY;

	*end = 0;
	*length = 0;
	return lzma_stream_buffer_decode(&memory, flags, &allocator, data, end, size, out, length, room);
}

/* A CRC takes liblzma a twentieth of the time that it takes to unpack a kernel; libdeflate has instructions for it. */
static int unpack_xz(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length, size_t *used)
{
	bool defer = has_crc32(data, size);
	const uint8_t *at;
	uint32_t crc;
	lzma_ret rc;

	rc = decode_xz(data, size, out, room, length, used, defer ? LZMA_IGNORE_CHECK : 0);
	if (rc == LZMA_OK && defer) {
		at = crc_of_all(data, *used);
		if (!at) {
			rc = decode_xz(data, size, out, room, length, used, 0);
		} else {
			memcpy(&crc, at, sizeof(crc));
			rc = libdeflate_crc32(0, out, *length) == crc ? LZMA_OK : LZMA_DATA_ERROR;
		}
	}
	if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return rc == LZMA_OK ? 0 : -EINVAL;
}

static int unpack_zstd(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length, size_t *used)
{
	*used = ZSTD_findFrameCompressedSize(data, size);
	if (ZSTD_isError(*used))
		return -EINVAL;
	*length = ZSTD_decompress(out, room, data, *used);
	return ZSTD_isError(*length) ? -EINVAL : 0;
}

/* Linux's boot images: blocks of 8 MiB unpacked, each behind its length; another frame may follow, and 4 bytes. */
static int unpack_lz4(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length, size_t *used)
{
	size_t at = sizeof(lz4_magic);
	uint32_t block;

	*length = 0;
	*used = size;
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
	int (*unpack)(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length, size_t *used);
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

int unpack__data(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *length, size_t *used)
{
	const struct format *format = format_of(data, size);

	return format ? format->unpack(data, size, out, room, length, used) : -ENOTSUP;
}

bool unpack__is_slow(const uint8_t *data, size_t size)
{
	const struct format *format = format_of(data, size);

	return format && format->slow;
}
