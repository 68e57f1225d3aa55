/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decoder's rules: golden encodings, illegal ones, lengths and limits, the decoded fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/decode/decode.h"

struct golden {
	unsigned bits;
	const char *bytes;
	const char *text;
};

static const struct golden golden[] = {
#include "tests/unit/decode/golden.inc"
};

static unsigned parse_bytes(const char *text, u8 *out, unsigned room)
{
	unsigned n = 0, byte;
	int used;

	while (n < room && sscanf(text, " %2x%n", &byte, &used) == 1) {
		out[n++] = (u8)byte;
		text += used;
	}
	return n;
}

static enum decode_result decode_text(unsigned bits, const char *text, struct insn *insn)
{
	u8 bytes[32];
	unsigned n = parse_bytes(text, bytes, sizeof(bytes));

	return decode__insn(bytes, n, bits / 8, insn);
}

/* Decodes what must be valid. */
static struct insn decoded(unsigned bits, const char *text)
{
	struct insn insn;

	if (decode_text(bits, text, &insn) != DECODE_OK)
		fail_msg("%u-bit %s: not decoded", bits, text);
	return insn;
}

static void test_golden(void **state)
{
	unsigned i, n;
	char text[128];
	struct insn insn;
	u8 bytes[16];

	for (i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
		const struct golden *g = &golden[i];

		n = parse_bytes(g->bytes, bytes, sizeof(bytes));
		insn = decoded(g->bits, g->bytes);
		decode__print(&insn, 0x1000, text, sizeof(text));
		if (insn.len != n || strcmp(text, g->text))
			fail_msg("%u-bit %s: %u bytes, \"%s\" instead of \"%s\"", g->bits, g->bytes,
				 insn.len, text, g->text);
	}
}

/* With fewer bytes each of them must ask for more, with more bytes nothing changes. */
static void test_lengths(void **state)
{
	unsigned i, n, avail;
	struct insn insn;
	u8 bytes[32];

	for (i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
		const struct golden *g = &golden[i];

		memset(bytes, 0xff, sizeof(bytes));
		n = parse_bytes(g->bytes, bytes, 16);
		for (avail = 1; avail < n; avail++)
			assert_int_equal(decode__insn(bytes, avail, g->bits / 8, &insn),
					 DECODE_SHORT);
		assert_int_equal(decode__insn(bytes, sizeof(bytes), g->bits / 8, &insn),
				 DECODE_OK);
		assert_int_equal(insn.len, n);
	}
}

static void test_limit(void **state)
{
	u8 bytes[32];
	struct insn insn;

	memset(bytes, 0x2e, sizeof(bytes));
	assert_int_equal(decode__insn(bytes, 14, 8, &insn), DECODE_SHORT);
	assert_int_equal(decode__insn(bytes, 15, 8, &insn), DECODE_TOO_LONG);
	bytes[14] = 0x90;
	assert_int_equal(decode__insn(bytes, 32, 8, &insn), DECODE_OK);
	assert_int_equal(insn.len, 15);
	/* An immediate that would end at byte 16: too long, even if no more bytes are there. */
	memcpy(bytes + 11, "\xb8\0\0\0\0", 5);
	assert_int_equal(decode__insn(bytes, 32, 8, &insn), DECODE_TOO_LONG);
	assert_int_equal(decode__insn(bytes, 15, 8, &insn), DECODE_TOO_LONG);
	memmove(bytes + 10, bytes + 11, 5);
	assert_int_equal(decode__insn(bytes, 32, 8, &insn), DECODE_OK);
	/* Not yet known to be too long: the ModRM byte is missing. */
	memset(bytes, 0x2e, sizeof(bytes));
	bytes[13] = 0x01;
	assert_int_equal(decode__insn(bytes, 14, 8, &insn), DECODE_SHORT);
}

static const struct golden undefined[] = {
	/* not in 64-bit code, or only there */
	{ 64, "06", "push %es" },
	{ 64, "27", "daa" },
	{ 64, "60", "pusha" },
	{ 64, "62 01 00 00 00 00", "bound" },
	{ 64, "82 c0 01", "add, alias" },
	{ 64, "9a 00 00 00 00 00 00", "far call" },
	{ 64, "ce", "into" },
	{ 64, "d4 0a", "aam" },
	{ 64, "d6", "salc" },
	{ 64, "ea 00 00 00 00 00 00", "far jump" },
	/* LOCK: not without a memory destination, not on what is no read-modify-write */
	{ 64, "f0 01 c0", "lock add to a register" },
	{ 64, "f0 03 00", "lock add from memory" },
	{ 64, "f0 89 00", "lock mov" },
	{ 64, "f0 39 00", "lock cmp" },
	{ 64, "f0 0f a3 00", "lock bt" },
	{ 64, "f0 0f ba 20 01", "lock bt" },
	{ 64, "f0 90", "lock nop" },
	{ 64, "f0 f7 20", "lock mul" },
	{ 64, "f0 ff 30", "lock push" },
	{ 64, "f0 0f 38 f1 00", "lock movbe" },
	{ 64, "f0 d1 00", "lock shift" },
	/* groups */
	{ 64, "c6 c8 00", "group 11 /1" },
	{ 64, "8f c8", "group 1A /1: XOP" },
	{ 64, "8f e8 78 c2 ff 08", "XOP" },
	{ 64, "fe d0", "group 4 /2" },
	{ 64, "ff f8", "group 5 /7" },
	{ 64, "0f ba c0 01", "group 8 /0" },
	{ 64, "0f c7 c8", "cmpxchg8b of a register" },
	{ 64, "8d c0", "lea of a register" },
	/* EVEX */
	{ 64, "62 f1 7c 68 28 c0", "no vector length" },
	{ 64, "62 f9 7c 48 28 c0", "a reserved bit" },
	{ 64, "62 f1 78 48 28 c0", "a fixed bit" },
	{ 64, "62 f1 74 48 28 c0", "vmovaps with vvvv" },
	{ 64, "62 f1 7c 40 28 c0", "vmovaps with V'" },
	{ 64, "62 f1 fc 48 28 c0", "vmovaps with W" },
	{ 64, "62 f1 7c 58 28 00", "vmovaps with broadcast" },
	{ 64, "62 f1 7c c9 29 00", "a store with zeroing" },
	{ 64, "62 f1 7c c8 58 c0", "zeroing without a mask" },
	{ 64, "62 f1 7d 49 f6 c0", "vpsadbw with a mask" },
	{ 64, "62 f2 7d 48 90 04 00", "a gather without a mask" },
	{ 64, "62 f4 7c 48 28 c0", "map 4" },
	{ 64, "66 62 f1 7c 48 28 c0", "with 66" },
	/* mandatory prefixes */
	{ 64, "0f b8 c0", "popcnt without F3" },
	{ 64, "f2 0f b8 c0", "popcnt with F2" },
	{ 64, "f3 0f 38 f0 00", "movbe with F3" },
	{ 64, "0f 38 f0 c0", "movbe of a register" },
	{ 64, "66 0f c3 00", "movnti with 66" },
	{ 64, "0f 38 f6 c0", "adcx without 66" },
	{ 64, "f3 0f ae f0", "mfence with F3" },
	{ 64, "f3 0f c7 f0", "rdrand with F3" },
	{ 64, "0f 0d c0", "prefetch of a register" },
	/* segment registers */
	{ 64, "8e c8", "mov to %cs" },
	{ 64, "8e f0", "mov to segment 6" },
	{ 64, "8c f8", "mov from segment 7" },
	/* VEX */
	{ 64, "66 c4 e2 78 f2 c1", "andn with 66" },
	{ 64, "f2 c4 e2 78 f2 c1", "andn with F2" },
	{ 64, "f0 c4 e2 78 f2 c1", "andn with LOCK" },
	{ 64, "48 c4 e2 78 f2 c1", "andn with REX" },
	{ 64, "c4 e2 7c f2 c1", "andn with L" },
	{ 64, "c4 e2 79 f2 c1", "andn with 66 inside" },
	{ 64, "c4 e2 78 f3 c1", "group 17 /0" },
	{ 64, "c4 e3 73 f0 c0 01", "rorx with vvvv" },
	{ 64, "c4 e0 78 f2 c1", "map 0" },
	{ 64, "c4 e4 78 f2 c1", "map 4" },
	{ 64, "c5 f8 01 c0", "an integer row under VEX" },
	{ 64, "c5 f8 af c0", "an integer row under VEX" },
	{ 64, "0f 38 f2 c0", "andn without VEX" },
	{ 64, "0f 0f c0 b4", "3DNow!" },
};

static void test_undefined(void **state)
{
	struct insn insn;
	unsigned i;

	for (i = 0; i < sizeof(undefined) / sizeof(*undefined); i++) {
		const struct golden *g = &undefined[i];

		if (decode_text(g->bits, g->bytes, &insn) != DECODE_UNDEFINED)
			fail_msg("%u-bit %s (%s): not undefined", g->bits, g->bytes, g->text);
	}
}

static void test_lock(void **state)
{
	static const char *const legal[] = {
		"f0 00 00", "f0 09 00", "f0 83 10 01", "f0 80 18 01", "f0 21 00", "f0 29 00",
		"f0 31 00", "f0 fe 00", "f0 ff 08", "f0 f7 10", "f0 f6 18", "f0 86 00", "f0 87 00",
		"f0 0f b0 00", "f0 0f b1 00", "f0 0f c0 00", "f0 0f c1 00", "f0 0f ab 00",
		"f0 0f b3 00", "f0 0f bb 00", "f0 0f ba 28 01", "f0 0f ba 30 01", "f0 0f ba 38 01",
		"f0 0f c7 08",
	};
	unsigned i, bits;

	for (i = 0; i < sizeof(legal) / sizeof(*legal); i++)
		for (bits = 16; bits <= 64; bits *= 2)
			assert_true(decoded(bits, legal[i]).flags & INSN_LOCK);
}

static void test_registers(void **state)
{
	struct insn insn;

	/* mov %ah,%ch: offsets of the second bytes */
	insn = decoded(64, "88 e5");
	assert_int_equal(insn.dst, 8 * X86_RCX + 1);
	assert_int_equal(insn.src, 8 * X86_RAX + 1);
	/* with a REX they are SPL and BPL */
	insn = decoded(64, "40 88 e5");
	assert_int_equal(insn.dst, 8 * X86_RBP);
	assert_int_equal(insn.src, 8 * X86_RSP);
	/* mov (%rax),%r9: dst from modrm.reg */
	insn = decoded(64, "4c 8b 08");
	assert_int_equal(insn.dst, 8 * X86_R9);
	assert_int_equal(insn.opsize, 8);
	/* shl %cl,%r8d: the count's register is the source */
	insn = decoded(64, "41 d3 e0");
	assert_int_equal(insn.dst, 8 * X86_R8);
	assert_int_equal(insn.src, 8 * X86_RCX);
	/* movzx %bh,%eax: a byte source of a larger destination */
	insn = decoded(64, "0f b6 c7");
	assert_int_equal(insn.dst, 8 * X86_RAX);
	assert_int_equal(insn.src, 8 * X86_RBX + 1);
	/* andn %r10,%r9,%r8 */
	insn = decoded(64, "c4 42 b0 f2 c2");
	assert_int_equal(insn.dst, 8 * X86_R8);
	assert_int_equal(insn.src, 8 * X86_R10);
	assert_int_equal(insn.vvvv, X86_R9);
	assert_int_equal(insn.rm, X86_R10);
	/* blsi %r8,%r9: the destination is VEX.vvvv */
	insn = decoded(64, "c4 c2 b0 f3 d8");
	assert_int_equal(insn.dst, 8 * X86_R9);
	assert_int_equal(insn.src, 8 * X86_R8);
	/* bswap %r9: the register is in the opcode */
	insn = decoded(64, "49 0f c9");
	assert_int_equal(insn.dst, 8 * X86_R9);
	assert_int_equal(insn.reg, X86_R9);
}

static void test_memory(void **state)
{
	struct insn insn;

	insn = decoded(64, "4a 2b 94 e5 80 00 00 00");
	assert_int_equal(insn.base, X86_RBP);
	assert_int_equal(insn.index, X86_R12);
	assert_int_equal(insn.scale, 3);
	assert_int_equal(insn.disp, 0x80);
	assert_int_equal(insn.seg, X86_SS);
	assert_true(insn.flags & INSN_NO_SEG);
	/* R13 and R12 are no stack registers */
	assert_int_equal(decoded(64, "41 8b 45 00").seg, X86_DS);
	assert_int_equal(decoded(64, "41 8b 04 24").seg, X86_DS);
	assert_int_equal(decoded(64, "8b 04 24").seg, X86_SS);
	/* an index of RBP is none either */
	assert_int_equal(decoded(32, "8b 04 28").seg, X86_DS);
	assert_int_equal(decoded(32, "8b 04 6d 00 00 00 00").seg, X86_DS);
	/* RIP-relative: the length, with the immediate, stands in disp */
	insn = decoded(64, "c7 05 00 10 00 00 44 33 22 11");
	assert_int_equal(insn.base, X86_SLOT_RIP);
	assert_int_equal(insn.disp, 0x1000 + 10);
	assert_true(insn.flags & INSN_RIP_REL);
	insn = decoded(64, "8b 05 ff ff ff 7f");
	assert_true(insn.disp == 0x80000005LL);
	insn = decoded(64, "67 8b 05 f0 ff ff ff");
	assert_int_equal(insn.base, X86_SLOT_RIP);
	assert_int_equal(insn.adsize, 4);
	assert_int_equal(insn.disp, -0x10 + 7);
	/* segments: FS and GS have a base, others only outside of 64-bit code */
	insn = decoded(64, "65 8b 00");
	assert_int_equal(insn.seg, X86_GS);
	assert_false(insn.flags & INSN_NO_SEG);
	assert_true(decoded(64, "67 8b 00").flags & INSN_NO_SEG);
	assert_false(decoded(32, "8b 00").flags & INSN_NO_SEG);
	insn = decoded(32, "2e 8b 45 00");
	assert_int_equal(insn.seg, X86_CS);
	/* string source: override; moffs: an absolute address */
	assert_int_equal(decoded(64, "64 ac").seg, X86_FS);
	assert_true(decoded(64, "ac").flags & INSN_NO_SEG);
	insn = decoded(64, "64 a1 88 77 66 55 44 33 22 11");
	assert_true(insn.imm == 0x1122334455667788ULL);
	assert_true((u64)insn.disp == insn.imm);
	assert_int_equal(insn.seg, X86_FS);
	assert_true(insn.flags & INSN_MEM);
	/* 16-bit addressing */
	insn = decoded(16, "89 42 f0");
	assert_int_equal(insn.base, X86_RBP);
	assert_int_equal(insn.index, X86_RSI);
	assert_int_equal(insn.seg, X86_SS);
	assert_int_equal(insn.disp, -0x10);
	assert_int_equal(insn.adsize, 2);
	insn = decoded(16, "a1 fe ff");
	assert_int_equal(insn.imm, 0xfffe);
}

static void test_immediates(void **state)
{
	assert_true(decoded(64, "48 83 c0 ff").imm == ~0ULL);
	assert_true(decoded(64, "48 81 c0 00 00 00 80").imm == 0xffffffff80000000ULL);
	assert_true(decoded(64, "48 b8 01 02 03 04 05 06 07 88").imm == 0x8807060504030201ULL);
	assert_true(decoded(64, "b8 00 00 00 80").imm == 0x80000000ULL);
	assert_true(decoded(64, "68 00 00 00 80").imm == 0xffffffff80000000ULL);
	assert_true(decoded(64, "66 68 00 80").imm == 0xffffffffffff8000ULL);
	assert_int_equal(decoded(64, "c2 ff ff").imm, 0xffff);
	assert_int_equal(decoded(64, "c1 e0 ff").imm, 0xff);
	assert_int_equal(decoded(64, "d1 e0").imm, 1);
	assert_true(decoded(64, "eb fe").imm == ~0ULL - 1);
	assert_int_equal(decoded(64, "c8 34 12 1f").imm, 0x1234);
	assert_int_equal(decoded(64, "c8 34 12 1f").imm2, 0x1f);
	assert_int_equal(decoded(16, "ea 34 12 00 f0").imm, 0x1234);
	assert_int_equal(decoded(16, "ea 34 12 00 f0").imm2, 0xf000);
}

static void test_sizes(void **state)
{
	static const struct {
		unsigned bits;
		const char *bytes;
		unsigned opsize;
	} size[] = {
		{ 16, "89 c8", 2 },	   { 16, "66 89 c8", 4 },      { 32, "89 c8", 4 },
		{ 32, "66 89 c8", 2 },	   { 64, "89 c8", 4 },	       { 64, "66 89 c8", 2 },
		{ 64, "48 89 c8", 8 },	   { 64, "88 c8", 1 },	       { 64, "48 88 c8", 1 },
		{ 64, "50", 8 },	   { 64, "66 50", 2 },	       { 64, "48 50", 8 },
		{ 32, "50", 4 },	   { 16, "50", 2 },	       { 64, "ff 20", 8 },
		{ 64, "66 ff 20", 8 },	   { 32, "66 ff e0", 2 },      { 64, "0f c3 00", 4 },
		{ 64, "48 0f c3 00", 8 },  { 64, "66 0f 38 f6 c0", 4 }, { 64, "c9", 8 },
		{ 64, "f2 0f 38 f0 c0", 1 }, { 64, "f2 48 0f 38 f1 c0", 8 },
		{ 64, "66 f2 0f 38 f1 c0", 2 }, { 16, "0f c3 07", 4 }, { 64, "c4 e2 f8 f2 c1", 8 },
		{ 32, "c4 e2 f8 f2 c1", 4 }, { 16, "c4 e2 78 f2 c1", 4 }, { 64, "48 a5", 8 },
		{ 64, "48 ed", 4 },	   { 64, "66 48 6f", 4 },      { 64, "66 6f", 2 },
		{ 64, "e3 00", 8 },	   { 16, "66 e3 00", 4 },
	};
	unsigned i;

	for (i = 0; i < sizeof(size) / sizeof(*size); i++)
		if (decoded(size[i].bits, size[i].bytes).opsize != size[i].opsize)
			fail_msg("%u-bit %s: wrong operand size", size[i].bits, size[i].bytes);
}

static void test_block_ends(void **state)
{
	static const char *const branch[] = { "70 00", "e2 00", "e3 00", "e8 00 00 00 00", "eb 00",
					      "e9 00 00 00 00", "c3", "c2 00 00", "ff d0", "ff e0",
					      "0f 80 00 00 00 00" };
	unsigned i;

	for (i = 0; i < sizeof(branch) / sizeof(*branch); i++)
		assert_true(decoded(64, branch[i]).flags & INSN_BRANCH);
	assert_false(decoded(64, "01 c0").flags & (INSN_BRANCH | INSN_STOP));
	assert_false(decoded(64, "ff f0").flags & (INSN_BRANCH | INSN_STOP));
}

/* ---- all rows ---- */

/* What each of the tables holds, by number; flags which rows some encoding has reached. */
static const struct row_table *const tables[] = { &rows_system, &rows_integer, &rows_x87, &rows_sse,
						  &rows_avx,	 &rows_opmask,	 &rows_evex_0f,
						  &rows_evex_0f38, &rows_evex_0f3a };
static bool *reached[ARRAY_LENGTH(tables)];

static void mark_row(const struct opcode_row *row)
{
	unsigned t;

	for (t = 0; t < ARRAY_LENGTH(tables); t++)
		if (row >= tables[t]->rows && row < tables[t]->rows + tables[t]->count)
			reached[t][row - tables[t]->rows] = true;
}

/* EVEX with all vector lengths, with and without a mask. */
static void try_evex(unsigned map, unsigned opcode, unsigned pfx, bool w)
{
	u8 bytes[16] = { 0x62, (u8)(0xf0 | map), (u8)(w << 7 | 0x7c | pfx), 0, (u8)opcode };
	unsigned length, mask, modrm;
	struct insn insn;

	for (length = 0; length < 3; length++) {
		for (mask = 0; mask < 2; mask++) {
			bytes[3] = (u8)(length << 5 | 8 | mask);
			for (modrm = 0; modrm < 256; modrm++) {
				bytes[5] = (u8)modrm;
				if (decode__insn(bytes, 15, 8, &insn) == DECODE_OK)
					mark_row(insn.row);
			}
		}
	}
}

/* Tries one encoding in legacy or VEX form with all ModRM bytes. */
static void try_encodings(unsigned code_size, unsigned map, unsigned opcode, unsigned pfx, bool w,
			  int vex_l)
{
	static const u8 prefix[4] = { 0, 0x66, 0xf3, 0xf2 };
	u8 bytes[16] = { 0 };
	struct insn insn;
	unsigned n = 0, modrm;

	if (vex_l >= 0) {
		bytes[n++] = 0xc4;
		bytes[n++] = (u8)(0xe0 | map);
		bytes[n++] = (u8)(w << 7 | 0x78 | vex_l << 2 | pfx);
	} else {
		if (pfx)
			bytes[n++] = prefix[pfx];
		if (w)
			bytes[n++] = 0x48;
		if (map)
			bytes[n++] = 0x0f;
		if (map > 1)
			bytes[n++] = map == 2 ? 0x38 : 0x3a;
	}
	bytes[n++] = (u8)opcode;
	for (modrm = 0; modrm < 256; modrm++) {
		bytes[n] = (u8)modrm;
		if (decode__insn(bytes, 15, code_size, &insn) == DECODE_OK)
			mark_row(insn.row);
	}
}

/* Every row is reached by some encoding: no row is hidden behind an earlier one. */
static void test_reachable(void **state)
{
	unsigned t, i, map, opcode, pfx, w, hidden = 0, code_size;
	int vex_l;

	for (t = 0; t < ARRAY_LENGTH(tables); t++)
		reached[t] = calloc(tables[t]->count + 1, sizeof(bool));
	for (code_size = 4; code_size <= 8; code_size += 4)
		for (map = 0; map < NR_MAPS; map++)
			for (opcode = 0; opcode < 256; opcode++)
				for (pfx = 0; pfx < 4; pfx++)
					for (w = 0; w < (code_size == 8 ? 2 : 1); w++)
						for (vex_l = -1; vex_l < (map ? 2 : 0); vex_l++)
							try_encodings(code_size, map, opcode, pfx,
								      w, vex_l);
	for (map = 1; map < NR_MAPS; map++)
		for (opcode = 0; opcode < 256; opcode++)
			for (pfx = 0; pfx < 4; pfx++)
				for (w = 0; w < 2; w++)
					try_evex(map, opcode, pfx, w);
	for (t = 0; t < ARRAY_LENGTH(tables); t++) {
		for (i = 0; i < tables[t]->count; i++) {
			const struct opcode_row *row = &tables[t]->rows[i];

			if (reached[t][i])
				continue;
			printf("hidden: table %u row %u: %s (map %u, %02x /%u)\n", t, i, row->name,
			       row->map, row->opcode, row->group);
			hidden++;
		}
		free(reached[t]);
	}
	assert_int_equal(hidden, 0);
}

/* ---- hostile bytes ---- */

/* Random bytes that end where the readable memory ends. */
static void test_random(void **state)
{
	long page = sysconf(_SC_PAGESIZE);
	u8 *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	unsigned round, i, shown, ok = 0;
	u64 random = 88172645463325252ULL;
	char text[64];

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
	for (round = 0; round < 1000000; round++) {
		unsigned avail = 1 + round % 16, code_size = 2U << round / 16 % 3;
		u8 *bytes = memory + page - avail;
		struct insn insn;

		for (i = 0; i < avail; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			bytes[i] = (u8)random;
		}
		if (decode__insn(bytes, avail, code_size, &insn) != DECODE_OK) {
			assert_true(insn.len <= avail);
			continue;
		}
		ok++;
		assert_in_range(insn.len, 1, MIN_OF(avail, 15U));
		assert_non_null(insn.exec);
		assert_in_range(insn.dst, 0, 127);
		assert_in_range(insn.src, 0, 127);
		assert_in_range(insn.base, 0, X86_NR_SLOTS - 1);
		assert_in_range(insn.index, 0,
				insn.row->flags & ROW_VSIB ? 31 : X86_NR_SLOTS - 1);
		assert_in_range(insn.seg, 0, X86_NR_SEG - 1);
		shown = decode__print(&insn, random, text, 1 + round % sizeof(text));
		assert_int_equal(shown, strlen(text));
		assert_true(shown <= round % sizeof(text));
	}
	assert_true(ok > 100000);
	munmap(memory, 2 * page);
}

/* What processors of each kind make of bits that mean nothing, and of a near branch with 66. */
static void test_kinds(void **state)
{
	static const struct {
		u8 bytes[8];
		bool everywhere; /* or by those only that ignore such bits */
	} cases[] = {
		{ { 0x62, 0xb1, 0xfe, 0x88, 0x7e, 0xc6 }, false }, /* vmovq, EVEX.z */
		{ { 0x62, 0x91, 0x9d, 0x3e, 0x56, 0xe9 }, false }, /* vorpd, EVEX.b */
		{ { 0x62, 0x91, 0x9d, 0x2e, 0x56, 0xe9 }, true },
		{ { 0xc5, 0x78, 0x90, 0xe2 }, false }, /* kmovw to k12 */
		{ { 0xc5, 0xf8, 0x90, 0xe2 }, true },
		{ { 0xc4, 0xe1, 0x0d, 0x42, 0xc7 }, false }, /* kandnb of k14 */
	};
	unsigned i, kind;

	for (kind = DECODE_AS_INTEL; kind <= DECODE_AS_AMD_STRICT; kind++) {
		int amd_only = kind == DECODE_AS_INTEL ? DECODE_UNDEFINED : DECODE_OK;
		struct insn insn;

		decode__init_for(kind);
		for (i = 0; i < ARRAY_LENGTH(cases); i++)
			assert_int_equal(decode__insn(cases[i].bytes, 8, 8, &insn),
					 cases[i].everywhere || kind == DECODE_AS_AMD ? DECODE_OK : DECODE_UNDEFINED);
		assert_int_equal(decode__insn((const u8 *)"\x66\xe8\0\0\0\0", 6, 8, &insn), DECODE_OK);
		assert_int_equal(insn.len, kind == DECODE_AS_INTEL ? 6 : 4);
		/* VPERMQ with W = 0, VPXORD with V' outside of 64-bit code, XCHG R8 with F3 */
		assert_int_equal(decode__insn((const u8 *)"\xc4\xe3\x7d\x00\xd2\x44", 6, 8, &insn), amd_only);
		assert_int_equal(decode__insn((const u8 *)"\x62\xf1\x05\x27\xef\xda", 6, 4, &insn), amd_only);
		assert_int_equal(decode__insn((const u8 *)"\x62\xf1\x05\x2f\xef\xda", 6, 4, &insn), DECODE_OK);
		assert_int_equal(decode__insn((const u8 *)"\xf3\x41\x90", 3, 8, &insn), DECODE_OK);
		assert_string_equal(insn.row->name, kind == DECODE_AS_INTEL ? "pause" : "xchg");
	}
	decode__init_for(DECODE_AS_INTEL);
}

static int setup(void **state)
{
	decode__init_for(DECODE_AS_INTEL);
	decode__init_for(DECODE_AS_INTEL); /* harmless */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	   cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_limit),	   cmocka_unit_test(test_undefined),
		cmocka_unit_test(test_lock),	   cmocka_unit_test(test_registers),
		cmocka_unit_test(test_memory),	   cmocka_unit_test(test_immediates),
		cmocka_unit_test(test_sizes),	   cmocka_unit_test(test_block_ends),
		cmocka_unit_test(test_reachable),  cmocka_unit_test(test_random),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
