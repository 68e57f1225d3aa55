/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers, selectors and memory of an instance: the memory operand is at the end of a page, over
 * it, or somewhere inside; seldom where nothing is.
 */
#include <string.h>

#include "tests/isa/instance.h"
#include "tests/isa/native.h"
#include "tests/isa/random.h"

/* ---- memory ---- */

static int data_offset(u64 linear)
{
	static const u64 base[] = { DATA_LINEAR, DATA_LOW_LINEAR, DATA_HIGH_LINEAR };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(base); i++) {
		u64 offset = linear - base[i];

		if (offset < DATA_PAGES * 4096) {
			int frame = data__frame(offset / 4096);

			return frame < 0 ? -1 : frame + (int)(offset & 4095);
		}
	}
	return -1;
}

void instance__poke(struct instance *in, u64 linear, const void *bytes, unsigned n)
{
	const u8 *from = bytes;
	unsigned i;

	for (i = 0; i < n; i++) {
		int offset = data_offset(linear + i);

		if (offset >= 0)
			in->data[offset] = from[i];
	}
}

bool instance__peek(const struct instance *in, u64 linear, void *bytes, unsigned n)
{
	u8 *to = bytes;
	unsigned i;

	for (i = 0; i < n; i++) {
		int offset = data_offset(linear + i);

		if (offset < 0)
			return false;
		to[i] = in->data[offset];
	}
	return true;
}

/* An offset from the first page of data for an operand of size bytes. */
static u32 pick_offset(unsigned size)
{
	static const u8 present[] = { 0, 1, 2, 4 }, writable[] = { 0, 1, 4 };
	unsigned page = present[random__below(4)];
	u32 end = (page + 1) * 4096;

	switch (random__below(10)) {
	case 0:
	case 1:
	case 2:
		return end - size;
	case 3:
		return end - random__below(size) - (size == 1);
	case 4: /* the page before the operand's end may be the one that is missing */
		return 4 * 4096 - random__below(size);
	case 5:
	case 6:
		return page * 4096 + random__below(4096 - (size < 4096 ? size : 0));
	default:
		page = writable[random__below(3)];
		return page * 4096 + random__below((4096 - MIN_OF(size, 4032u)) / 64 + 1) * 64;
	}
}

u64 instance__segment_base(const struct instance *in, enum x86_segreg seg)
{
	u16 sel = in->before.sel[seg];

	if (in->code_size == 8 && seg < X86_FS)
		return 0;
	if (sel < 4)
		return seg == X86_FS ? in->before.fs_base :
		       seg == X86_GS ? in->before.gs_base : 0;
	return sel & 4 ? ldt_descriptions[sel >> 3].base : 0;
}

/* An effective address, relative to the segment. */
u64 instance__pick_address(const struct instance *in, enum x86_segreg seg, unsigned size,
			   unsigned adsize)
{
	u64 base = instance__segment_base(in, seg);
	u64 linear = DATA_LINEAR + pick_offset(size);

	if (in->code_size == 8 && adsize == 8 && random__one_in(100))
		return random__u64(); /* mostly not canonical */
	if (adsize == 8 && random__one_in(2))
		linear += DATA_HIGH_LINEAR - DATA_LINEAR;
	else if (adsize == 2 && !base)
		linear += DATA_LOW_LINEAR - DATA_LINEAR;
	return linear - base;
}

u64 instance__linear(const struct instance *in)
{
	const struct insn *insn = &in->insn;
	const struct isa_state *s = &in->before;
	u64 ea = insn->disp;

	if (insn->base == X86_SLOT_RIP)
		ea += s->rip;
	else if (insn->base < 16)
		ea += s->gpr[insn->base];
	if (insn->index < 16 && !(in->row->flags & ROW_VSIB))
		ea += s->gpr[insn->index] << insn->scale;
	if (insn->adsize < 8)
		ea &= (1ULL << 8 * insn->adsize) - 1;
	return ea + instance__segment_base(in, insn->seg);
}

u64 instance__stack(const struct instance *in)
{
	u64 rsp = in->before.gpr[X86_RSP];

	return (in->code_size == 8 ? rsp : (u32)rsp) + instance__segment_base(in, X86_SS);
}

/* ---- the memory operand ---- */

static unsigned y_size(const struct insn *insn)
{
	return insn->code == 8 && (insn->flags & INSN_REX_W) ? 8 : 4;
}

static unsigned operand_size(const struct instance *in, enum operand op)
{
	static const u16 sizes[] = { 1, 2, 4, 6, 8, 10, 14, 16, 28, 32, 64, 94, 108, 512, 832,
				     1100, 2432 };
	const struct insn *insn = &in->insn;
	unsigned x = insn__vector_bytes(insn);

	switch (op) {
	case OP_Eb: case OP_Mb: case OP_Wb: case OP_Ob:
		return 1;
	case OP_Ew: case OP_Mw: case OP_Ww:
		return 2;
	case OP_Ed: case OP_Md: case OP_Wd: case OP_Qd:
		return 4;
	case OP_Eq: case OP_Mq: case OP_Wq: case OP_Qq:
		return 8;
	case OP_Ev: case OP_Mv: case OP_Ov:
		return insn->opsize;
	case OP_Ey: case OP_My:
		return y_size(insn);
	case OP_Mdq: case OP_Wdq:
		return 16;
	case OP_Mqq: case OP_Wqq:
		return 32;
	case OP_Wx:
		return x;
	case OP_Wh:
		return x / 2;
	case OP_Wqr:
		return x / 4;
	case OP_Wer:
		return x / 8;
	case OP_Mp:
		return insn->opsize + 2;
	case OP_Ms:
		return 10;
	case OP_M:
		return sizes[random__below(ARRAY_LENGTH(sizes))];
	default:
		return 0;
	}
}

unsigned instance__memory_size(const struct instance *in)
{
	unsigned i, size = 0;

	if (insn__is_broadcast(&in->insn))
		return in->row->evex & EVEX_BROADCAST4 ? 4 : 8;
	for (i = 0; i < 4 && !size; i++)
		size = operand_size(in, in->row->op[i]);
	return size ? size : 4;
}

static u64 garbage_above(const struct instance *in, u64 value, unsigned adsize)
{
	if (adsize == 8 || random__one_in(2))
		return value;
	return (value & ((1ULL << 8 * adsize) - 1)) | random__u64() << 8 * adsize;
}

/* Sets registers, or the displacement, so that the operand's effective address is ea. */
static void set_address(struct instance *in, u64 ea)
{
	struct insn *insn = &in->insn;
	u64 *gpr = in->before.gpr;
	bool has_index = insn->index < 16 && !(in->row->flags & ROW_VSIB);
	u64 rest = ea - insn->disp;

	if (in->candidate->imm == IMM_MOFFS) {
		instance__set_imm(in, ea, 0);
	} else if (insn->base == X86_SLOT_RIP) {
		instance__set_disp(in, ea - (in->before.rip + in->length));
	} else if (insn->base < 16 && has_index && insn->index == insn->base) {
		gpr[insn->base] = rest / (1 + (1u << insn->scale));
	} else if (insn->base < 16) {
		if (has_index) {
			gpr[insn->index] = random__one_in(2) ? random__below(512) :
							       random__integer();
			rest -= gpr[insn->index] << insn->scale;
		}
		gpr[insn->base] = garbage_above(in, rest, insn->adsize);
	} else if (has_index && random__one_in(2)) {
		gpr[insn->index] = rest >> insn->scale;
	} else {
		if (has_index) {
			gpr[insn->index] = random__below(512);
			ea -= gpr[insn->index] << insn->scale;
		}
		instance__set_disp(in, (s64)(s32)ea);
	}
}

static void aim_memory(struct instance *in)
{
	unsigned size = instance__memory_size(in);
	u8 operand[4096];
	u64 ea = instance__pick_address(in, in->insn.seg, size, in->insn.adsize);

	/* A misaligned address is an exception for many, and so only tells little. */
	if ((in->row->class == CLASS_VECTOR && !(in->row->flags & ROW_VEX)) ||
	    (in->row->flags & ROW_ALIGNED))
		if (size >= 16 && random__below(4))
			ea &= ~63ULL;
	set_address(in, ea);
	if (random__below(3)) {
		random__operand(operand, size);
		instance__poke(in, instance__linear(in), operand, size);
	}
}

/* ---- everything else ---- */

u16 instance__pick_selector(void)
{
	static const u16 selectors[] = { 0, 1, 3, 0x08, 0x0b, 0x10, 0x13, 0x18, 0x1b, 0x20, 0x23,
					 0x28, 0x2a, 0x2b, 0x30, 0x33, 0x3b, 0x83, 0x100, 0xfff8 };

	if (native_has_ldt && random__one_in(2))
		return (SEL_LDT(random__below(NR_LDT_ENTRIES + 1)) & ~3) |
		       (random__one_in(4) ? random__below(4) : 3);
	return selectors[random__below(ARRAY_LENGTH(selectors))];
}

/* An offset in CS that is not within the instruction. */
u64 instance__code_target(const struct instance *in)
{
	u32 target;

	do
		target = random__below(random__one_in(16) ? CODE_BYTES + 32 : CODE_BYTES);
	while (target - in->at < INSN_MAX_LENGTH);
	return in->before.rip - in->at + target;
}

static u16 random_data_selector(enum x86_segreg seg)
{
	static const u16 any[] = { SEL_LDT(LDT_LIMITED),   SEL_LDT(LDT_EXPAND_DOWN),
				   SEL_LDT(LDT_OFFSET),	   SEL_LDT(LDT_READ_ONLY),
				   SEL_LDT(LDT_CODE32) };

	if (!native_has_ldt || random__below(seg >= X86_FS ? 2 : seg == X86_SS ? 24 : 8))
		return SEL_USER_DATA;
	if (seg == X86_SS)
		return any[random__below(3)];
	return any[random__below(ARRAY_LENGTH(any))];
}

static void choose_segments(struct instance *in)
{
	struct isa_state *s = &in->before;
	unsigned seg;

	s->sel[X86_CS] = in->code_size == 8 ? SEL_USER_CODE :
			 in->code_size == 4 ? SEL_USER32_CODE : SEL_LDT(LDT_CODE16);
	for (seg = 0; seg < X86_NR_SEG; seg++) {
		if (seg == X86_CS)
			continue;
		s->sel[seg] = in->code_size == 8 ? SEL_USER_DATA : random_data_selector(seg);
	}
	s->fs_base = 0;
	s->gs_base = 0;
	if (in->code_size != 8)
		return;
	s->sel[X86_FS] = native_has_ldt && random__one_in(8) ? SEL_LDT(LDT_OFFSET) : 0;
	s->sel[X86_GS] = 0;
	if (!s->sel[X86_FS])
		s->fs_base = random__one_in(2) ? random__below(1 << 28) : random__u64() >> 18;
	else
		s->fs_base = DATA_LINEAR;
	s->gs_base = random__one_in(2) ? random__below(1 << 28) : random__u64() >> 18;
}

static void choose_place(struct instance *in)
{
	u32 at = 0x800 + random__below(64);

	if (!in->undefined) {
		switch (random__below(12)) {
		case 0:
		case 1:
			at = 4096 - random__below(in->length);
			break;
		case 2:
			at = CODE_BYTES - in->length;
			break;
		case 3:
			if (random__one_in(8))
				at = CODE_BYTES - 1 - random__below(in->length);
			break;
		}
	}
	in->at = at;
	in->before.rip = at + (in->code_size == 2 ? 0 : CODE_LINEAR);
}

static void choose_registers(struct instance *in)
{
	struct isa_state *s = &in->before;
	bool vectors = in->row->class == CLASS_VECTOR || in->row->class == CLASS_X87;
	unsigned i;

	random__fp(&s->fp, vectors);
	for (i = 0; i < 16; i++)
		s->gpr[i] = random__integer();
	if (in->code_size != 8) { /* the upper halves are not defined there */
		for (i = 0; i < 16; i++)
			s->gpr[i] = i < 8 ? (u32)s->gpr[i] : 0;
	}
	s->flags = (random__u64() & RFLAGS_ARITH) | RFLAGS_FIXED | RFLAGS_IF;
	if (random__one_in(instance__is_string(in) ? 2 : 8))
		s->flags |= RFLAGS_DF;
	s->gpr[X86_RSP] = instance__pick_address(in, X86_SS, 8, in->code_size == 8 ? 8 : 4);
}

void instance__aim(struct instance *in)
{
	choose_segments(in);
	choose_place(in);
	choose_registers(in);
	if (!in->undefined && (in->insn.flags & INSN_MEM))
		aim_memory(in);
	if (!in->undefined)
		instance__aim_special(in);
}

/* The same in every instance, so that each can be had again alone. */
static void fill_data(struct instance *in)
{
	static u8 base[DATA_BYTES];
	unsigned i;

	for (i = 0; !base[0] && i < DATA_BYTES; i += 8) {
		/* Runs of equal bytes, for string comparisons. */
		u64 value = 0x4141414141414141;

		if (i % 32 == 8)
			value = (i + 1) * 0x9e3779b97f4a7c15;
		memcpy(base + i, &value, 8);
	}
	memcpy(in->data, base, DATA_BYTES);
}

static bool is_canonical(u64 linear)
{
	return (s64)(linear << 16) >> 16 == (s64)linear;
}

bool instance__make(struct instance *in, const struct opcode_row *row, unsigned code_size)
{
	unsigned i;

	in->row = row;
	in->candidate = candidate__of(row);
	in->code_size = code_size;
	if (!in->candidate || !instance__encode(in))
		return false;
	fill_data(in);
	instance__aim(in);
	for (i = 0; i < 16 && code_size != 8; i++)
		in->before.gpr[i] = i < 8 ? (u32)in->before.gpr[i] : 0;
	if (native_is_deprived && !is_canonical(in->before.gpr[X86_RSP]))
		return false;
	return in->undefined || in->insn.row == row;
}
