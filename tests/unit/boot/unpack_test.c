/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking xz and gzip: streams of all shapes, and that damage to any of their bytes is found. */
// clang-format off: cmocka.h wants these before it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "vmm/boot/unpack.h"

#define PLAIN_BYTES 100000u
#define PACKED_ROOM (PLAIN_BYTES + 4096)
#define GZIP_WINDOW (15 + 16)

struct sample {
	uint8_t plain[PLAIN_BYTES];
	uint8_t packed[PACKED_ROOM];
	uint8_t out[PLAIN_BYTES];
	size_t size;
};

/* Runs of noise and of zeros. */
static struct sample *sample_new(void)
{
	struct sample *s = calloc(1, sizeof(*s));
	uint32_t random = 1;
	size_t i;

	assert_non_null(s);
	for (i = 0; i < PLAIN_BYTES; i++) {
		random = random * 1664525 + 1013904223;
		s->plain[i] = i / 1000 % 2 ? random >> 24 : 0;
	}
	return s;
}

/* A stream of blocks of that many bytes each. */
static void pack_xz(struct sample *s, lzma_check check, size_t block)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	size_t at = 0;

	assert_int_equal(lzma_easy_encoder(&stream, 0, check), LZMA_OK);
	stream.next_out = s->packed;
	stream.avail_out = PACKED_ROOM;
	while (at < PLAIN_BYTES) {
		size_t n = block < PLAIN_BYTES - at ? block : PLAIN_BYTES - at;

		stream.next_in = s->plain + at;
		stream.avail_in = n;
		at += n;
		assert_int_equal(lzma_code(&stream, at < PLAIN_BYTES ? LZMA_FULL_FLUSH : LZMA_FINISH), LZMA_STREAM_END);
	}
	s->size = stream.total_out;
	lzma_end(&stream);
}

static void pack_gzip(struct sample *s)
{
	z_stream stream = { .next_in = s->plain, .avail_in = PLAIN_BYTES, .next_out = s->packed, .avail_out = PACKED_ROOM };

	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	s->size = stream.total_out;
	deflateEnd(&stream);
}

static void assert_unpacks(struct sample *s)
{
	size_t length = 0, used;

	memset(s->out, 0x55, sizeof(s->out));
	assert_int_equal(unpack__data(s->packed, s->size, s->out, sizeof(s->out), &length, &used), 0);
	assert_int_equal(length, PLAIN_BYTES);
	assert_memory_equal(s->out, s->plain, PLAIN_BYTES);
}

/* Of every `step` bytes one, and the last 64 all. */
static void assert_finds_damage(struct sample *s, size_t step)
{
	size_t i, length, used;

	for (i = 6; i < s->size; i += i + 64 < s->size ? step : 1) {
		s->packed[i] ^= 0x10;
		length = 0;
		if (!unpack__data(s->packed, s->size, s->out, sizeof(s->out), &length, &used)) {
			/* What gzip's header says of the file is not data. */
			assert_int_equal(length, PLAIN_BYTES);
			assert_memory_equal(s->out, s->plain, PLAIN_BYTES);
			assert_true(s->packed[0] == 0x1f && i < 10);
		}
		s->packed[i] ^= 0x10;
	}
}

static void assert_wants_all(struct sample *s)
{
	size_t length, used;

	assert_int_equal(unpack__data(s->packed, s->size - 1, s->out, sizeof(s->out), &length, &used), -EINVAL);
	assert_int_equal(unpack__data(s->packed, s->size / 2, s->out, sizeof(s->out), &length, &used), -EINVAL);
	assert_int_equal(unpack__data(s->packed, s->size, s->out, sizeof(s->out) - 1, &length, &used), -EINVAL);
	/* Linux puts the length behind it. */
	memset(s->packed + s->size, 0xaa, 4);
	s->size += 4;
	assert_unpacks(s);
	assert_int_equal(unpack__data(s->packed, s->size, s->out, sizeof(s->out), &length, &used), 0);
	assert_int_equal(used, s->size - 4);
}

static void xz_of_one_block(void **state)
{
	struct sample *s = sample_new();

	pack_xz(s, LZMA_CHECK_CRC32, PLAIN_BYTES);
	assert_unpacks(s);
	assert_finds_damage(s, 997);
	assert_wants_all(s);
	free(s);
}

static void xz_of_several_blocks(void **state)
{
	struct sample *s = sample_new();

	pack_xz(s, LZMA_CHECK_CRC32, 30000);
	assert_unpacks(s);
	assert_finds_damage(s, 997);
	assert_wants_all(s);
	free(s);
}

static void xz_with_other_checks(void **state)
{
	static const lzma_check checks[] = { LZMA_CHECK_CRC64, LZMA_CHECK_SHA256 };
	struct sample *s = sample_new();
	unsigned i;

	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		pack_xz(s, checks[i], PLAIN_BYTES);
		assert_unpacks(s);
		assert_finds_damage(s, 4999);
	}
	pack_xz(s, LZMA_CHECK_NONE, PLAIN_BYTES);
	assert_unpacks(s);
	free(s);
}

static void xz_of_nothing(void **state)
{
	struct sample *s = sample_new();
	size_t length = 1, used;

	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, s->plain, 0, s->packed, &s->size, PACKED_ROOM),
			 LZMA_OK);
	assert_int_equal(unpack__data(s->packed, s->size, s->out, sizeof(s->out), &length, &used), 0);
	assert_int_equal(length, 0);
	free(s);
}

static void gzip(void **state)
{
	struct sample *s = sample_new();

	pack_gzip(s);
	assert_unpacks(s);
	assert_finds_damage(s, 997);
	assert_wants_all(s);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xz_of_one_block), cmocka_unit_test(xz_of_several_blocks),
		cmocka_unit_test(xz_with_other_checks), cmocka_unit_test(xz_of_nothing), cmocka_unit_test(gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
