/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The formats of initial RAM disks (Documentation/driver-api/early-userspace/buffer-format.rst):
 * cpio archives, plain or packed, one after the other with zeros between them.
 */
#include "vmm/boot/initrd.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "vmm/boot/unpack.h"

#define CPIO_HEADER_BYTES 110
#define CPIO_MODE_OFFSET 14
#define CPIO_SIZE_OFFSET 54
#define CPIO_NAME_SIZE_OFFSET 94

#define SCRATCH_BYTES 65536u
/* For inflateInit2(): the largest window, in a gzip member. */
#define GZIP_WINDOW (15 + 16)

#define LZ4_MAGIC 0x184c2102u
#define LZ4_CHUNK_MOST (8u << 20)
#define ZSTD_MAGIC 0xfd2fb528u
#define XZ_HEADER_BYTES 12
#define XZ_FOOTER_BYTES 12

static uint32_t load32(const uint8_t *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

/* Eight hexadecimal digits; false if they are none. */
static bool parse_hex(const uint8_t *text, uint32_t *value)
{
	unsigned i;

	*value = 0;
	for (i = 0; i < 8; i++) {
		uint8_t c = text[i], letter = c | 0x20;

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (c - '0');
		else if (letter >= 'a' && letter <= 'f')
			*value = *value << 4 | (letter - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* One entry of a "newc" archive; name and data each end on a multiple of four. */
static enum initrd_state skip_cpio(const uint8_t *data, size_t size, size_t *at)
{
	const uint8_t *header = data + *at;
	uint32_t name_size, file_size;
	uint64_t length;

	if (*at & 3)
		return INITRD_MISPLACED;
	if (size - *at < CPIO_HEADER_BYTES)
		return INITRD_TRUNCATED;
	/* Without and with check sums; the older form is not for Linux. */
	if (memcmp(header, "070701", 6) && memcmp(header, "070702", 6))
		return INITRD_FOREIGN;
	if (!parse_hex(header + CPIO_SIZE_OFFSET, &file_size) ||
	    !parse_hex(header + CPIO_NAME_SIZE_OFFSET, &name_size))
		return INITRD_DAMAGED;
	length = (CPIO_HEADER_BYTES + (uint64_t)name_size + 3) & ~3ULL;
	if (length + file_size > size - *at)
		return INITRD_TRUNCATED;
	length = (length + file_size + 3) & ~3ULL;
	*at += length < size - *at ? length : size - *at;
	return INITRD_GOOD;
}

static enum initrd_state state_of_inflate(int rc)
{
	if (rc == Z_STREAM_END)
		return INITRD_GOOD;
	return rc == Z_BUF_ERROR ? INITRD_TRUNCATED : rc == Z_MEM_ERROR ? INITRD_NO_MEMORY : INITRD_DAMAGED;
}

/* A member (RFC 1952) ends where its data do: they are unpacked, to nowhere. */
static enum initrd_state skip_gzip(const uint8_t *data, size_t size, size_t *at)
{
	uint8_t *scratch = malloc(SCRATCH_BYTES);
	z_stream stream = { .next_in = (uint8_t *)data + *at };
	int rc = scratch ? inflateInit2(&stream, GZIP_WINDOW) : Z_MEM_ERROR;

	while (rc == Z_OK) {
		size_t left = data + size - stream.next_in;

		stream.avail_in = left < UINT32_MAX ? left : UINT32_MAX;
		stream.next_out = scratch;
		stream.avail_out = SCRATCH_BYTES;
		rc = inflate(&stream, Z_NO_FLUSH);
	}
	*at = stream.next_in - data;
	inflateEnd(&stream);
	free(scratch);
	return state_of_inflate(rc);
}

/* CRC-32 as xz has it, of a few bytes. */
static uint32_t crc32_of(const uint8_t *data, unsigned size)
{
	uint32_t crc = ~0u;
	unsigned bit;

	while (size--) {
		crc ^= *data++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* To behind the stream's footer, which a check sum tells from data (.xz format, 2.1.2). */
static enum initrd_state skip_xz(const uint8_t *data, size_t size, size_t *at)
{
	const uint8_t *header = data + *at, *footer;

	if (size - *at < XZ_HEADER_BYTES + XZ_FOOTER_BYTES)
		return INITRD_TRUNCATED;
	if (load32(header + 8) != crc32_of(header + 6, 2))
		return INITRD_DAMAGED;
	for (footer = header + XZ_HEADER_BYTES; footer + XZ_FOOTER_BYTES <= data + size; footer += 4) {
		if (footer[10] != 'Y' || footer[11] != 'Z' || memcmp(footer + 8, header + 6, 2) ||
		    load32(footer) != crc32_of(footer + 4, 6))
			continue;
		*at = footer + XZ_FOOTER_BYTES - data;
		return INITRD_GOOD;
	}
	return INITRD_TRUNCATED;
}

/* The legacy frame: chunks with their size, to the first one that can't be (lz4's own text). */
static enum initrd_state skip_lz4(const uint8_t *data, size_t size, size_t *at)
{
	if (size - *at < 8)
		return INITRD_TRUNCATED;
	if (load32(data + *at) != LZ4_MAGIC)
		return INITRD_FOREIGN;
	*at += 4;
	while (size - *at >= 4) {
		uint32_t chunk = load32(data + *at);

		if (chunk == LZ4_MAGIC)
			chunk = 0;
		else if (!chunk || chunk > LZ4_CHUNK_MOST + LZ4_CHUNK_MOST / 255 + 16)
			return INITRD_GOOD;
		*at += 4;
		if (chunk > size - *at)
			return INITRD_TRUNCATED;
		*at += chunk;
	}
	return INITRD_GOOD;
}

static enum initrd_state skip_zstd_blocks(const uint8_t *data, size_t size, size_t *at)
{
	uint32_t header, length;

	do {
		if (size - *at < 3)
			return INITRD_TRUNCATED;
		header = data[*at] | data[*at + 1] << 8 | data[*at + 2] << 16;
		*at += 3;
		if ((header >> 1 & 3) == 3)
			return INITRD_DAMAGED;
		/* A block of one byte repeated has that byte only. */
		length = (header >> 1 & 3) == 1 ? 1 : header >> 3;
		if (length > size - *at)
			return INITRD_TRUNCATED;
		*at += length;
	} while (!(header & 1));
	return INITRD_GOOD;
}

/* One frame (RFC 8878, 3.1.1), by the sizes in its headers. */
static enum initrd_state skip_zstd(const uint8_t *data, size_t size, size_t *at)
{
	static const uint8_t dictionary_bytes[] = { 0, 1, 2, 4 };
	static const uint8_t content_bytes[] = { 0, 2, 4, 8 };
	enum initrd_state state;
	uint8_t descriptor;
	bool single;
	size_t length;

	if (size - *at < 6)
		return INITRD_TRUNCATED;
	if (load32(data + *at) != ZSTD_MAGIC)
		return INITRD_FOREIGN;
	descriptor = data[*at + 4];
	single = descriptor & 0x20;
	length = 5 + !single + dictionary_bytes[descriptor & 3] + content_bytes[descriptor >> 6] +
		 (single && !(descriptor >> 6));
	if (length > size - *at)
		return INITRD_TRUNCATED;
	*at += length;
	state = skip_zstd_blocks(data, size, at);
	if (state)
		return state;
	length = descriptor & 4 ? 4 : 0; /* the check sum */
	if (length > size - *at)
		return INITRD_TRUNCATED;
	*at += length;
	return INITRD_GOOD;
}

/* Whatever follows is not looked at. */
static enum initrd_state skip_rest(const uint8_t *data, size_t size, size_t *at)
{
	*at = size;
	return INITRD_GOOD;
}

static const struct format {
	const char *name;
	uint8_t magic[4];
	uint8_t length;
	enum initrd_state (*skip)(const uint8_t *data, size_t size, size_t *at);
	enum { PLAIN, PACKED, FOR_THE_KERNEL } kind;
} formats[] = {
	{ "cpio", "0707", 4, skip_cpio, PLAIN },
	{ "gzip", { 0x1f, 0x8b }, 2, skip_gzip, PACKED },
	{ "xz", { 0xfd, '7', 'z', 'X' }, 4, skip_xz, PACKED },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, skip_zstd, PACKED },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, skip_lz4, PACKED },
	{ "bzip2", "BZh", 3, skip_rest, FOR_THE_KERNEL },
	{ "lzma", { 0x5d, 0x00, 0x00 }, 3, skip_rest, FOR_THE_KERNEL },
	{ "lzo", { 0x89, 'L', 'Z', 'O' }, 4, skip_rest, FOR_THE_KERNEL },
};

static const struct format *find_format(const uint8_t *data, size_t size)
{
	unsigned i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (size >= formats[i].length && !memcmp(data, formats[i].magic, formats[i].length))
			return &formats[i];
	return NULL;
}

/* RAM disks of the old kind: an image of a file system (init/do_mounts_rd.c). */
static bool is_file_system(const uint8_t *data, size_t size)
{
	static const struct {
		size_t offset;
		uint8_t length;
		uint8_t magic[8];
	} known[] = {
		{ 0, 8, "-rom1fs-" },
		{ 0, 4, "hsqs" },
		{ 0, 4, { 0x45, 0x3d, 0xcd, 0x28 } },	/* cramfs */
		{ 0x410, 2, { 0x7f, 0x13 } },		/* minix */
		{ 0x410, 2, { 0x8f, 0x13 } },		/* minix with names of 30 bytes */
		{ 0x438, 2, { 0x53, 0xef } },		/* ext2 */
	};
	unsigned i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (size >= known[i].offset + known[i].length &&
		    !memcmp(data + known[i].offset, known[i].magic, known[i].length))
			return true;
	return false;
}

/*
 * Microcode, and ACPI tables in place of the firmware's, which the kernel looks for in plain archives before it unpacks any
 * (Documentation/arch/x86/microcode.rst): in a packed one it does not find them.
 */
static bool is_for_early_use(const char *name)
{
	return !strncmp(name, "kernel/", 7);
}

/* Of an entry that skip_cpio() takes: the kernel takes it for the same, whatever the pieces are that it unpacks an archive in. */
static bool is_plain_entry(const uint8_t *entry)
{
	const char *name = (const char *)entry + CPIO_HEADER_BYTES;
	uint32_t mode, bytes, name_size;

	if (!parse_hex(entry + CPIO_MODE_OFFSET, &mode) || !parse_hex(entry + CPIO_SIZE_OFFSET, &bytes) ||
	    !parse_hex(entry + CPIO_NAME_SIZE_OFFSET, &name_size))
		return false;
	if (!name_size || name_size > PATH_MAX || name[name_size - 1] || is_for_early_use(name))
		return false;
	return S_ISREG(mode) || !bytes || (S_ISLNK(mode) && bytes < PATH_MAX);
}

/*
 * Entries and zeros to the end, as all archives in the output must be: else the kernel's word on them would be another. Each is
 * filled up to a multiple of four, the last one, too.
 */
static bool is_archive(const uint8_t *data, size_t size)
{
	size_t at = 0, entry;

	if (!size || !data[0])
		return false;
	while (at < size) {
		if (!data[at]) {
			at++;
			continue;
		}
		entry = at;
		if (skip_cpio(data, size, &at) || at & 3 || !is_plain_entry(data + entry))
			return false;
	}
	return true;
}

/* Whether the kernel takes packed data with this header; the libraries take more. */
static bool is_for_kernel(const struct format *format, const uint8_t *data, size_t size)
{
	if (format->skip == skip_gzip) /* of the optional parts a name */
		return size > 3 && !(data[3] & ~8);
	if (format->skip == skip_xz) /* no check or CRC-32, no filter but LZMA2 */
		return size > 13 && data[7] <= 1 && !(data[13] & 3);
	return true;
}

/* Where the next archive goes. False: there is no room, or what came before stays packed. */
static bool align(struct initrd_plain *plain)
{
	while (plain->is_whole && plain->length & 3) {
		if (plain->length == plain->room)
			plain->is_whole = false;
		else
			plain->data[plain->length++] = 0;
	}
	return plain->is_whole;
}

static void append(struct initrd_plain *plain, const uint8_t *data, size_t size)
{
	if (!align(plain))
		return;
	plain->is_whole = size <= plain->room - plain->length;
	if (!plain->is_whole)
		return;
	memcpy(plain->data + plain->length, data, size);
	plain->length += size;
}

/* Prepares the output for the packed archive at data[start]. */
static void begin_packed(const struct format *format, const uint8_t *data, size_t size, size_t start,
			 struct initrd_plain *plain)
{
	/* The kernel wants zeros behind a plain archive up to a multiple of four. */
	if (!is_for_kernel(format, data + start, size - start) || (plain->is_behind_plain && start & 3))
		plain->is_whole = false;
	/* What stands before the first of them can stay as it is. */
	if (!plain->has_packed)
		append(plain, data, start);
	plain->has_packed = true;
	plain->is_behind_plain = false;
	align(plain);
}

/* Unpacks data[0..size), with *used bytes packed ones, to the output's end. */
static bool unpack(const uint8_t *data, size_t size, size_t *used, struct initrd_plain *plain)
{
	size_t length;

	if (!plain->is_whole || unpack__data(data, size, plain->data + plain->length, plain->room - plain->length, &length, used))
		return false;
	plain->is_whole = is_archive(plain->data + plain->length, length);
	plain->length += length;
	return true;
}

/* The packed archive at data[*at], which is left behind it. */
static enum initrd_state take_packed(const struct format *format, const uint8_t *data, size_t size, size_t *at,
				     struct initrd_plain *plain)
{
	bool is_gzip = format->skip == skip_gzip;
	size_t start = *at, used;
	enum initrd_state state;

	begin_packed(format, data, size, start, plain);
	/* Only unpacking tells where a gzip member ends. */
	if (is_gzip && unpack(data + start, size - start, &used, plain)) {
		*at += used;
		return INITRD_GOOD;
	}
	state = format->skip(data, size, at);
	if (state)
		return state;
	/* For the kernel a length. */
	if (format->skip == skip_lz4 && size - *at >= sizeof(uint32_t) && load32(data + *at))
		plain->is_whole = false;
	if (is_gzip || !unpack(data + start, *at - start, &used, plain))
		plain->is_whole = false;
	return INITRD_GOOD;
}

static enum initrd_state take(const struct format *format, const uint8_t *data, size_t size, size_t *at,
			      struct initrd_plain *plain)
{
	size_t start = *at;
	enum initrd_state state;

	if (format->kind == PACKED)
		return take_packed(format, data, size, at, plain);
	state = format->skip(data, size, at);
	if (state)
		return state;
	plain->is_behind_plain = true;
	if (format->kind == FOR_THE_KERNEL)
		plain->is_whole = false;
	else if (plain->has_packed)
		append(plain, data + start, *at - start);
	return INITRD_GOOD;
}

static enum initrd_state walk(const uint8_t *data, size_t size, struct initrd_plain *plain, const char **format)
{
	const struct format *next;
	enum initrd_state state;
	bool found = false;
	size_t at = 0;

	while (at < size) {
		if (!data[at]) {
			at++;
			continue;
		}
		next = find_format(data + at, size - at);
		if (!next) {
			/* The kernel stops at what it does not know; what it found before is unpacked. */
			plain->is_whole = false;
			break;
		}
		found = true;
		*format = next->name;
		state = take(next, data, size, &at, plain);
		if (state)
			return state;
	}
	return found ? INITRD_GOOD : INITRD_FOREIGN;
}

enum initrd_state initrd__check(const uint8_t *data, size_t size, struct initrd_plain *plain, const char **format)
{
	bool image = is_file_system(data, size);
	enum initrd_state state = INITRD_GOOD;

	*format = "";
	plain->length = 0;
	plain->has_packed = plain->is_behind_plain = false;
	plain->is_whole = plain->room && !image;
	if (!image)
		state = walk(data, size, plain, format);
	plain->is_whole = plain->is_whole && plain->has_packed && !state;
	return state;
}
