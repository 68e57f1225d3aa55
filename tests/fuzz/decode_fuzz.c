/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the decoder and the disassembler on arbitrary bytes.
 *
 * Input: code size and address, then the bytes of one instruction. Lengths must agree however the
 * bytes arrive, and texts be cut where they must.
 */
#include <string.h>
#include "core/decode/decode.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_SIZE 256

static enum decode_result decode_exactly(const u8 *bytes, unsigned n, unsigned code,
					 struct insn *insn)
{
	u8 *copy = malloc(n);
	enum decode_result result;

	FUZZ_CHECK(copy);
	memcpy(copy, bytes, n);
	result = decode__insn(copy, n, code, insn);
	free(copy);
	return result;
}

static void check_lengths(const u8 *bytes, unsigned n, unsigned code, const struct insn *insn)
{
	struct insn again;

	FUZZ_CHECK(insn->len >= 1 && insn->len <= INSN_MAX_LENGTH && insn->len <= n);
	FUZZ_CHECK(insn->row && insn->code == code);
	FUZZ_CHECK(insn->opsize == 1 || insn->opsize == 2 || insn->opsize == 4 ||
		   insn->opsize == 8);
	FUZZ_CHECK(insn->adsize == 2 || insn->adsize == 4 || insn->adsize == 8);
	FUZZ_CHECK(insn->base < X86_NR_SLOTS && insn->seg < X86_NR_SEG && insn->scale < 4);
	FUZZ_CHECK(insn->index < (insn->row->flags & ROW_VSIB ? 32 : X86_NR_SLOTS));
	FUZZ_CHECK(insn->dst < X86_NR_SLOTS * 8);
	FUZZ_CHECK(decode_exactly(bytes, insn->len, code, &again) == DECODE_OK);
	FUZZ_CHECK(again.len == insn->len && again.row == insn->row && again.exec == insn->exec);
	if (insn->len > 1)
		FUZZ_CHECK(decode_exactly(bytes, insn->len - 1, code, &again) == DECODE_SHORT);
}

static void check_text(const struct insn *insn, u64 rip, unsigned cut)
{
	char whole[TEXT_SIZE], *part = malloc(cut ? cut : 1);
	unsigned length = decode__print(insn, rip, whole, sizeof(whole));

	FUZZ_CHECK(part && length > 0 && length < sizeof(whole) - 1);
	FUZZ_CHECK(strlen(whole) == length);
	length = decode__print(insn, rip, part, cut);
	if (cut) {
		FUZZ_CHECK(length < cut && strlen(part) == length);
		FUZZ_CHECK(!strncmp(whole, part, length));
	}
	free(part);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static bool ready;
	struct insn insn;
	unsigned code, cut;
	u64 rip;

	if (!ready)
		decode__init();
	ready = true;
	code = 2 << fuzz__take(&in, 1) % 3;
	cut = fuzz__take(&in, 1) % 80;
	rip = fuzz__take(&in, 8);
	if (!in.left)
		return 0;
	switch (decode_exactly(in.at, in.left, code, &insn)) {
	case DECODE_OK:
		check_lengths(in.at, in.left, code, &insn);
		check_text(&insn, rip, cut);
		break;
	case DECODE_SHORT:
		FUZZ_CHECK(in.left < INSN_MAX_LENGTH);
		break;
	case DECODE_TOO_LONG:
	case DECODE_UNDEFINED:
		break;
	}
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* One of each kind of encoding. */
	static const char *const codes[] = {
		"\x90", "\x01\xd8", "\x66\x8b\x44\x24\x10", "\xf3\xa4", "\xf0\x0f\xc7\x0f",
		"\x0f\x01\xd0", "\x48\x8b\x05\x01\x02\x03\x04", "\xc5\xf8\x28\xc1",
		"\xc4\xe2\x71\x90\x04\x4f", "\xc4\xe3\x71\x4c\xc2\x30", "\x66\x0f\x3a\x0f\xc1\x04",
		"\xd8\x01", "\xdb\xe3", "\xea\x01\x02\x03\x04\x05\x06", "\xc8\x10\x01\x02",
		"\xf3\x0f\xb8\xc1", "\x0f\x38\xf0\x01", "\x64\x67\xa1\x01\x02\x03\x04",
		"\x0f\x20\xc0", "\x0f\xae\x01", "\xff\x2f", "\x41\x0f\xc8", "\xe2\xfe",
		"\x9a\x01\x02\x03\x04\x05\x06",
	};
	size_t length;

	if (n >= 3 * ARRAY_LENGTH(codes) || size < 32)
		return 0;
	memset(buf, 0, 10);
	buf[0] = n % 3;
	buf[1] = 79;
	length = strlen(codes[n / 3]);
	memcpy(buf + 10, codes[n / 3], length);
	memset(buf + 10 + length, 0x11, 15 - length);
	return 25;
}
