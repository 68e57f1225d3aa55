/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: initial RAM disks, looked through and unpacked.
 *
 * Input: what is to be packed first and how, how much room there is, then the file or more of it.
 */
#include <libdeflate.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>
#include "tests/fuzz/fuzz.h"
#include "vmm/boot/initrd.h"

#define INPUT_MOST 65536u
#define PACKED_MOST (2 * INPUT_MOST)

enum packing { PACK_NOTHING, PACK_GZIP, PACK_XZ, PACK_ZSTD, NR_PACKINGS };

static size_t pack(enum packing packing, const u8 *data, size_t size, u8 *out)
{
	struct libdeflate_compressor *compressor;
	size_t length = 0;

	switch (packing) {
	case PACK_GZIP:
		compressor = libdeflate_alloc_compressor(1);
		FUZZ_CHECK(compressor);
		length = libdeflate_gzip_compress(compressor, data, size, out, PACKED_MOST);
		libdeflate_free_compressor(compressor);
		break;
	case PACK_XZ:
		FUZZ_CHECK(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, data, size, out, &length, PACKED_MOST) ==
			   LZMA_OK);
		break;
	case PACK_ZSTD:
		length = ZSTD_compress(out, PACKED_MOST, data, size, 1);
		FUZZ_CHECK(!ZSTD_isError(length));
		break;
	default:
		break;
	}
	return length;
}

/* What was unpacked has nothing packed, and is as good with no room. */
static void check_plain(const struct initrd_plain *plain)
{
	struct initrd_plain again = { .data = NULL };
	const char *format;

	FUZZ_CHECK(plain->length <= plain->room);
	FUZZ_CHECK(initrd__check(plain->data, plain->length, &again, &format) == INITRD_GOOD);
	FUZZ_CHECK(!again.has_packed);
	FUZZ_CHECK(!strcmp(format, "cpio"));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	enum packing packing = fuzz__take(&in, 1) % NR_PACKINGS;
	struct initrd_plain plain = { .room = fuzz__take(&in, 3) % (4 * INPUT_MOST) }, none = { .data = NULL };
	u8 *file = malloc(PACKED_MOST + INPUT_MOST);
	size_t plain_bytes = fuzz__take(&in, 2), length;
	enum initrd_state state;
	const char *format;
	bool is_all;

	if (in.left > INPUT_MOST)
		in.left = INPUT_MOST;
	if (plain_bytes > in.left)
		plain_bytes = in.left;
	plain.data = malloc(plain.room);
	FUZZ_CHECK(file && (plain.data || !plain.room));
	length = pack(packing, in.at, plain_bytes, file);
	in.at += plain_bytes;
	in.left -= plain_bytes;
	is_all = !in.left;
	length += fuzz__fill(&in, file + length, in.left);
	file = realloc(file, length ? length : 1);
	FUZZ_CHECK(file);
	state = initrd__check(file, length, &plain, &format);
	/* libdeflate takes a few codes that zlib does not. */
	if (initrd__check(file, length, &none, &format) != state)
		FUZZ_CHECK(state == INITRD_GOOD && !strcmp(format, "gzip"));
	FUZZ_CHECK(!none.is_whole);
	if (plain.is_whole)
		check_plain(&plain);
	if (plain.is_whole && packing != PACK_NOTHING && is_all)
		FUZZ_CHECK(plain.length == plain_bytes && !memcmp(plain.data, data + 6, plain_bytes));
	free(plain.data);
	free(file);
	return 0;
}

/* An archive with one file, and its end. */
static size_t make_archive(u8 *out)
{
	char *text = (char *)out;
	size_t at = 0;

	at += sprintf(text + at, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, 0100644, 0, 0, 1, 0, 8, 0, 0,
		      0, 0, 5, 0);
	memcpy(text + at, "init\0\0some text", 14);
	at += 14;
	memset(text + at, 0, 3);
	at += 3 & -at;
	at += sprintf(text + at, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
		      0, 11, 0);
	memcpy(text + at, "TRAILER!!!\0\0\0", 14);
	return at + 14;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	static const u8 head[] = { 0, 1, 0, 0 }; /* packing, room */
	static u8 archive[1000], packed[PACKED_MOST];
	size_t length, i;

	if (n >= 2 * NR_PACKINGS)
		return 0;
	length = make_archive(archive);
	memcpy(buf, head, sizeof(head));
	/* Packed by the target, with another one behind it; packed ones, to be damaged. */
	if (n < NR_PACKINGS) {
		buf[0] = n;
		buf[4] = length >> 8;
		buf[5] = length;
		/* Behind two of them another one. */
		for (i = 0; i <= n % 2; i++)
			memcpy(buf + 6 + i * length, archive, length);
		return 6 + i * length;
	}
	length = pack(n - NR_PACKINGS, archive, length, packed);
	memset(buf + 4, 0, 2);
	memcpy(buf + 6, packed, length);
	return 6 + length;
}
