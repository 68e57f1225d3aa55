/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What instructions other than plain computation need to get anywhere: stack frames, branch
 * targets, selectors, state images, counts.
 */
#include <string.h>

#include "core/emulate/executors.h"
#include "core/emulate/system.h"
#include "tests/isa/instance.h"
#include "tests/isa/random.h"

static bool is_named(const struct instance *in, const char *name)
{
	return !strcmp(in->row->name, name);
}

static bool starts_with(const struct instance *in, const char *prefix)
{
	return !strncmp(in->row->name, prefix, strlen(prefix));
}

static bool has_operand(const struct instance *in, enum operand op)
{
	return in->row->op[0] == op || in->row->op[1] == op;
}

static bool has_memory(const struct instance *in)
{
	return in->insn.flags & INSN_MEM;
}

/* Whether the memory operand's address depends on the register. */
static bool is_address(const struct instance *in, unsigned gpr)
{
	return has_memory(in) && (in->insn.base == gpr || in->insn.index == gpr);
}

static u64 stack_linear(const struct instance *in)
{
	u64 rsp = in->before.gpr[X86_RSP];

	return (in->code_size == 8 ? rsp : (u32)rsp) + instance__segment_base(in, X86_SS);
}

/* ---- strings ---- */

static u64 string_register(const struct instance *in, enum x86_segreg seg)
{
	const struct insn *insn = &in->insn;
	u64 value = instance__pick_address(in, seg, 1 + random__below(300), insn->adsize);

	if (insn->adsize < 8)
		value = (value & ((1ULL << 8 * insn->adsize) - 1)) | random__u64() << 8 * insn->adsize;
	return value;
}

static void aim_string(struct instance *in)
{
	u64 *gpr = in->before.gpr;

	gpr[X86_RSI] = string_register(in, in->insn.seg);
	gpr[X86_RDI] = string_register(in, X86_ES);
	if (random__one_in(4) && in->insn.seg == X86_DS)
		gpr[X86_RDI] = gpr[X86_RSI] + random__below(17) - 8;
	gpr[X86_RCX] = random__below(random__one_in(4) ? 2 : 700);
	if (in->insn.adsize < 8)
		gpr[X86_RCX] |= random__u64() << 8 * in->insn.adsize;
	if (random__one_in(2))
		gpr[X86_RAX] = 0x4141414141414141;
}

/* ---- branches and stack frames ---- */

static u64 target_or_not(const struct instance *in)
{
	return random__one_in(12) ? random__u64() : instance__code_target(in);
}

static void aim_relative(struct instance *in)
{
	u64 target = instance__code_target(in);

	if (has_operand(in, OP_Jz))
		instance__set_imm(in, target - (in->before.rip + in->length), 0);
	if (starts_with(in, "loop") || starts_with(in, "j"))
		in->before.gpr[X86_RCX] = random__below(3) | (random__one_in(2) ? random__u64() << 32 : 0);
}

static void aim_indirect(struct instance *in)
{
	u64 target = target_or_not(in);

	if (has_memory(in))
		instance__poke(in, instance__linear(in), &target, 8);
	else
		in->before.gpr[in->insn.rm] = target;
}

static u16 code_selector(const struct instance *in)
{
	static const u16 good[] = { SEL_USER_CODE, SEL_USER32_CODE, SEL_LDT(LDT_CODE32),
				    SEL_LDT(LDT_CODE16), SEL_LDT(LDT_CONFORMING) };

	return random__one_in(3) ? instance__pick_selector() : good[random__below(5)];
}

/* Pointers of the size of the operands, one behind the other. */
static unsigned put_words(u8 *out, unsigned size, const u64 *values, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		memcpy(out + i * size, &values[i], size);
	return n * size;
}

/* An offset that fits whatever CS it comes with: the pages of code. */
static u64 far_offset(const struct instance *in, u16 selector)
{
	u64 target = target_or_not(in);

	if (selector == SEL_LDT(LDT_CODE16) && random__below(8))
		return target & (CODE_BYTES - 1);
	return in->code_size == 2 && random__below(8) ? target | CODE_LINEAR : target;
}

static void aim_far_memory(struct instance *in)
{
	u8 pointer[10];
	u16 selector = in->row->flags & ROW_BRANCH ? code_selector(in) : instance__pick_selector();
	u64 offset = far_offset(in, selector);

	if (!has_memory(in))
		return;
	memcpy(pointer, &offset, in->insn.opsize);
	memcpy(pointer + in->insn.opsize, &selector, 2);
	instance__poke(in, instance__linear(in), pointer, in->insn.opsize + 2);
}

static void aim_far_immediate(struct instance *in)
{
	u16 selector = code_selector(in);

	instance__set_imm(in, far_offset(in, selector), selector);
}

static void aim_return(struct instance *in)
{
	u16 selector = code_selector(in);
	u64 words[5] = { far_offset(in, selector), selector };
	u8 frame[40];
	unsigned n = 2;

	if (is_named(in, "iret")) {
		words[2] = random__u64() & (RFLAGS_ARITH | RFLAGS_DF | RFLAGS_AC | RFLAGS_ID);
		words[3] = in->before.gpr[X86_RSP] + 64;
		words[4] = random__one_in(4) ? instance__pick_selector() : SEL_USER_DATA;
		n = 5;
	} else if (is_named(in, "ret")) {
		words[0] = target_or_not(in);
	}
	n = put_words(frame, in->insn.opsize, words, n);
	instance__poke(in, stack_linear(in), frame, n);
}

static void aim_popf(struct instance *in)
{
	u64 flags = random__u64() & ~(RFLAGS_TF | RFLAGS_NT);

	instance__poke(in, stack_linear(in), &flags, 8);
}

static void aim_selector(struct instance *in)
{
	u64 selector = instance__pick_selector() | random__u64() << 16;

	if (is_named(in, "pop"))
		instance__poke(in, stack_linear(in), &selector, 2);
	else if (has_memory(in))
		instance__poke(in, instance__linear(in), &selector, 2);
	else
		in->before.gpr[in->insn.rm] = in->code_size == 8 ? selector : (u32)selector;
}

static void aim_frame_pointer(struct instance *in)
{
	in->before.gpr[X86_RBP] =
		instance__pick_address(in, X86_SS, 8, in->code_size == 8 ? 8 : 4);
	if (is_named(in, "enter") && random__below(4))
		instance__set_imm(in, random__below(512), random__below(6));
}

/* ---- integers ---- */

/* The bit string's register operand moves the address. */
static void aim_bit_string(struct instance *in)
{
	unsigned source = in->insn.src / 8;

	if (has_memory(in) && has_operand(in, OP_Gv) && !is_address(in, source))
		in->before.gpr[source] = (s64)(s16)random__u64() / 2;
}

static void aim_division(struct instance *in)
{
	u64 *gpr = in->before.gpr;

	/* The upper half must be small, or the quotient overflows. */
	if (random__one_in(4))
		return;
	if (!is_address(in, X86_RDX))
		gpr[X86_RDX] = random__one_in(3) ? ~0ULL : random__below(3);
	if (in->insn.opsize == 1 && !is_address(in, X86_RAX))
		gpr[X86_RAX] = (s64)(s16)(random__u64() >> random__below(12));
}

static void aim_cmpxchg(struct instance *in)
{
	u64 *gpr = in->before.gpr, value[2] = { gpr[X86_RAX], gpr[X86_RDX] };

	if (!has_memory(in) || random__one_in(2))
		return;
	if (is_named(in, "cmpxchg8b"))
		value[0] = (u32)value[0] | value[1] << 32;
	instance__poke(in, instance__linear(in), value, is_named(in, "cmpxchg") ? 8 : 16);
}

static void aim_bound(struct instance *in)
{
	u32 index = in->before.gpr[in->insn.dst / 8];
	u32 low = index - random__below(3) + 1, high = index + random__below(3) - 1;
	u8 pair[8];

	memcpy(pair, &low, in->insn.opsize);
	memcpy(pair + in->insn.opsize, &high, in->insn.opsize);
	if (has_memory(in) && random__below(4))
		instance__poke(in, instance__linear(in), pair, 2 * in->insn.opsize);
}

static void aim_implicit(struct instance *in, unsigned gpr, enum x86_segreg seg)
{
	u64 address = instance__pick_address(in, seg, 16, in->insn.adsize);

	if (!is_address(in, gpr))
		in->before.gpr[gpr] = address;
}

/* ---- vectors ---- */

/* Indices that stay close to the base, which aim.c put somewhere in the data. */
static void aim_gather(struct instance *in)
{
	struct xsave_image *fp = &in->before.fp;
	unsigned bytes = in->row->evex ? 64 : 32, i;

	u8 index[64];

	vector__read_register(fp, in->insn.index, index, bytes);
	for (i = 0; i < bytes / 2; i++) {
		s16 value = (s64)(random__u64() % 512);

		if (i % 2)
			value = 0;
		if (in->row->opcode & 1 && i % 4)
			value = 0;
		memcpy(index + 2 * i, &value, 2);
	}
	vector__write_register(fp, in->insn.index, index, bytes);
}

static void aim_state_mask(struct instance *in)
{
	u64 *gpr = in->before.gpr;

	if (!is_address(in, X86_RAX))
		gpr[X86_RAX] = random__below(8) ? random__u64() : XSTATE_ALL;
	if (!is_address(in, X86_RDX) && random__one_in(2))
		gpr[X86_RDX] = 0;
}

/* Components of an area at their places, of the compacted form if it is one. */
static void poke_image(struct instance *in, const struct xsave_image *image)
{
	const struct xstate_component *c = xstate__components();
	bool compact = image->xcomp_bv & XCOMP_COMPACT;
	u64 linear = instance__linear(in), supported = xstate__supported();
	unsigned i;

	instance__poke(in, linear, image, XSTATE_HEADER_END);
	for (i = XSTATE_FIRST; i < XSTATE_COUNT; i++)
		if ((compact ? supported & image->xcomp_bv : supported) >> i & 1)
			instance__poke(in, linear + xstate__offset(i, image->xcomp_bv & supported, compact),
				       (const u8 *)image + c[i].offset, c[i].size);
}

/* An image in memory to be loaded: valid, or almost. */
static void put_image(struct instance *in, bool extended)
{
	static const u32 others[] = { 3 << 3, 1 << 9, 3 << 17 }; /* MPX, PKRU, AMX */
	struct xsave_image image;

	random__fp(&image, true);
	image.xstate_bv = random__u64() & xstate__supported();
	if (!extended) {
		instance__poke(in, instance__linear(in), &image, 512);
		return;
	}
	if (random__one_in(3))
		image.xcomp_bv = XCOMP_COMPACT | image.xstate_bv |
				 (random__u64() & xstate__supported());
	if (random__one_in(8))
		image.xcomp_bv = random__u64();
	if (random__one_in(8))
		image.reserved3[random__below(6)] = random__u64();
	if (random__one_in(8))
		image.xstate_bv = random__u64();
	if (random__one_in(6)) { /* what the host may have, but no guest */
		u32 components = others[random__below(ARRAY_LENGTH(others))];

		image.xstate_bv |= components;
		if (image.xcomp_bv)
			image.xcomp_bv |= components;
	}
	if (random__one_in(8))
		image.mxcsr = random__u64();
	poke_image(in, &image);
}

/* FLDENV, FRSTOR, FLDCW, LDMXCSR: control words that are not all exceptions unmasked. */
static void put_control(struct instance *in)
{
	struct xsave_image image;
	u64 linear = instance__linear(in);

	random__fp(&image, true);
	if (is_named(in, "fldcw")) {
		instance__poke(in, linear, &image.fcw, 2);
	} else if (in->row->class == CLASS_X87) {
		unsigned step = in->insn.opsize == 2 ? 2 : 4;

		instance__poke(in, linear, &image.fcw, 2);
		instance__poke(in, linear + step, &image.fsw, 2);
	} else if (random__below(4)) {
		instance__poke(in, linear, &image.mxcsr, 4);
	}
}

static void put_x87_operand(struct instance *in)
{
	u8 value[10];
	unsigned i;

	random__x87(value);
	if (is_named(in, "fbld") && random__below(8)) {
		for (i = 0; i < 9; i++)
			value[i] = random__below(10) | random__below(10) << 4;
		value[9] = random__u64() & 0x80;
	}
	instance__poke(in, instance__linear(in), value, 10);
}

static void aim_x87(struct instance *in)
{
	if (!has_memory(in))
		return;
	if (in->row->exec == exec_x87_m80 && !(in->row->flags & ROW_WRITES_MEM))
		put_x87_operand(in);
	else if (is_named(in, "fldenv") || is_named(in, "frstor") || is_named(in, "fldcw"))
		put_control(in);
}

static void aim_vector(struct instance *in)
{
	if (in->row->flags & ROW_VSIB)
		aim_gather(in);
	else if (starts_with(in, "maskmov") || starts_with(in, "vmaskmovdqu"))
		aim_implicit(in, X86_RDI, in->insn.seg);
	else if (starts_with(in, "xsave"))
		aim_state_mask(in);
	else if (has_memory(in) && starts_with(in, "xrstor"))
		aim_state_mask(in), put_image(in, true);
	else if (has_memory(in) && is_named(in, "fxrstor"))
		put_image(in, false);
	else if (has_memory(in) && strstr(in->row->name, "ldmxcsr"))
		put_control(in);
	else if (strstr(in->row->name, "pcmpestr")) {
		in->before.gpr[X86_RAX] = random__below(4) ? random__below(40) - 20 : random__u64();
		in->before.gpr[X86_RDX] = random__below(4) ? random__below(40) - 20 : random__u64();
		if (is_address(in, X86_RAX) || is_address(in, X86_RDX))
			return;
	}
}

/* ---- which is which ---- */

static void aim_system(struct instance *in)
{
	const struct opcode_row *row = in->row;

	if (has_operand(in, OP_Sw) || is_named(in, "lar") || is_named(in, "lsl") ||
	    is_named(in, "verr") || is_named(in, "verw") || is_named(in, "arpl") ||
	    row->exec == system__pop_sreg)
		aim_selector(in);
	else if (has_operand(in, OP_Mp))
		aim_far_memory(in);
	else if (has_operand(in, OP_Ap))
		aim_far_immediate(in);
	else if (is_named(in, "iret") || is_named(in, "lret"))
		aim_return(in);
	else if (is_named(in, "popf"))
		aim_popf(in);
	else if (row->flags & (ROW_REP | ROW_REPZ))
		aim_string(in);
	else if (is_named(in, "xgetbv") && random__below(4))
		in->before.gpr[X86_RCX] = random__below(2);
	else if (is_named(in, "wrfsbase") || is_named(in, "wrgsbase"))
		in->before.gpr[in->insn.rm] >>= random__one_in(2) ? 17 : 0;
}

static void aim_integer(struct instance *in)
{
	const struct opcode_row *row = in->row;

	if (row->flags & (ROW_REP | ROW_REPZ))
		aim_string(in);
	else if (has_operand(in, OP_Jb) || has_operand(in, OP_Jz))
		aim_relative(in);
	else if (row->flags & ROW_BRANCH && is_named(in, "ret"))
		aim_return(in);
	else if (row->flags & ROW_BRANCH && row->group != GROUP_ANY)
		aim_indirect(in);
	else if (is_named(in, "enter") || is_named(in, "leave"))
		aim_frame_pointer(in);
	else if (is_named(in, "bt") || is_named(in, "bts") || is_named(in, "btr") ||
		 is_named(in, "btc"))
		aim_bit_string(in);
	else if (is_named(in, "div") || is_named(in, "idiv"))
		aim_division(in);
	else if (starts_with(in, "cmpxchg"))
		aim_cmpxchg(in);
	else if (is_named(in, "bound"))
		aim_bound(in);
	else if (is_named(in, "xlat"))
		aim_implicit(in, X86_RBX, in->insn.seg);
	else if (is_named(in, "clzero"))
		aim_implicit(in, X86_RAX, in->insn.seg);
}

void instance__aim_special(struct instance *in)
{
	switch (in->row->class) {
	case CLASS_SYSTEM:
		aim_system(in);
		break;
	case CLASS_INTEGER:
		aim_integer(in);
		break;
	case CLASS_X87:
		aim_x87(in);
		break;
	default:
		aim_vector(in);
	}
}
