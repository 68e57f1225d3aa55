/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory operands: the effective address, and the look-up in the software TLB. */
#include "engines/soft/translate/translate.h"

/* ---- address ---- */

/* A register of the address in a host register: its own, or the scratch it is loaded into. */
static u8 address_part(struct translation *t, u8 reg, u8 scratch)
{
	if (t->home[reg] != H_NONE)
		return t->home[reg];
	emit_load(&t->e, scratch, state_mem(GPR_AT(reg)));
	return scratch;
}

/* lea disp(,index,1 << scale) */
static void emit_scaled(struct emit *e, bool w, u8 to, u8 index, u8 scale, s32 disp)
{
	emit8(e, 0x40 | (w ? 8 : 0) | (to & 8 ? 4 : 0) | (index & 8 ? 2 : 0));
	emit8(e, OP_LEA);
	emit8(e, (to & 7) << 3 | 4);
	emit8(e, scale << 6 | (index & 7) << 3 | 5);
	emit32(e, disp);
}

static void emit_constant(struct emit *e, bool w, u8 to, s32 disp)
{
	emit_rr(e, w, 0xc7, 0, to);
	emit32(e, disp);
}

bool translate__address_into(struct translation *t, u8 to, bool w)
{
	const struct insn *insn = t->insn;
	struct emit *e = &t->e;
	s64 disp = insn->disp;
	u8 base, index;

	if (insn->adsize == 2)
		return false;
	if (insn->adsize == 4)
		disp = (s32)disp;
	if (insn->base == X86_SLOT_RIP) {
		disp += t->offset;
		if (disp != (s32)disp)
			return false;
		emit_load(e, REG_ADDRESS, state_mem(SOFT_AT(code_base)));
		emit_lea(e, w, to, mem_at(REG_ADDRESS, disp));
		return true;
	}
	if (disp != (s32)disp)
		return false;
	if (insn->base == X86_SLOT_ZERO && insn->index == X86_SLOT_ZERO) {
		emit_constant(e, w, to, disp);
		return true;
	}
	if (insn->base == X86_SLOT_ZERO) {
		emit_scaled(e, w, to, address_part(t, insn->index, H_RAX), insn->scale, disp);
		return true;
	}
	base = address_part(t, insn->base, REG_ADDRESS);
	if (insn->index != X86_SLOT_ZERO) {
		index = address_part(t, insn->index, H_RAX);
		emit_lea(e, w, to, mem_indexed(base, index, insn->scale, disp));
	} else if (disp) {
		emit_lea(e, w, to, mem_at(base, disp));
	} else if (base != to || !w) {
		emit_mov(e, w, to, base);
	}
	return true;
}

bool translate__address(struct translation *t)
{
	return translate__address_into(t, REG_ADDRESS, t->insn->adsize == 8);
}

/* ---- look-up ---- */

void translate__emit_index(struct emit *e, bool bmi2)
{
	static const u8 rorx[] = { 0xc4, 0xc3, 0x7b, 0xf0, 0xc6, 0x07 };
	unsigned i;

	if (bmi2) {
		/* rorx $7, %r14d, %eax */
		for (i = 0; i < sizeof(rorx); i++)
			emit8(e, rorx[i]);
	} else {
		emit_mov(e, false, H_RAX, REG_ADDRESS);
		emit_rr(e, false, 0xc1, 5, H_RAX);
		emit8(e, 7);
	}
	emit8(e, 0x25); /* and $..., %eax */
	emit32(e, (TLB_ENTRIES - 1) * sizeof(struct tlb_entry));
}

_Static_assert(sizeof(struct tlb_entry) == 32, "an index is a shift by 7");

static struct host_mem entry_field(struct translation *t, size_t field)
{
	return translate__entry_field(translate__view(t), field, 0);
}

/*
 * The tag is subtracted bit by bit: what is left of a matching address is its offset in the page,
 * and one comparison tells match, permission and page crossing.
 */
void translate__check(struct translation *t, unsigned size, const struct host_mem *limit, bool write, unsigned alignment,
		      struct cold *cold)
{
	size_t tag = write ? offsetof(struct tlb_entry, write) : offsetof(struct tlb_entry, read);
	struct emit *e = &t->e;

	translate__clobber_flags(t);
	if (t->flags == FLAGS_LATER)
		cold->recipe = t->recipe;
	translate__emit_index(e, t->soft->host_has_bmi2);
	emit_alu_mem(e, true, ALU_XOR, REG_ADDRESS, entry_field(t, tag));
	if (limit)
		emit_alu_mem(e, true, ALU_CMP, REG_ADDRESS, *limit);
	else
		emit_alu_imm(e, true, ALU_CMP, REG_ADDRESS, PAGE_SIZE_4K - size);
	cold->from[cold->entries++] = emit_jcc(e, CC_A);
	if (alignment > 1) {
		emit_rr(e, false, 0xf6, 0, REG_ADDRESS); /* test $..., %r14b */
		emit8(e, alignment - 1);
		cold->from[cold->entries++] = emit_jcc(e, CC_NE);
	}
	emit_alu_mem(e, true, ALU_ADD, REG_ADDRESS, entry_field(t, offsetof(struct tlb_entry, host)));
	t->operand = mem_at(REG_ADDRESS, 0);
}

void translate__unmatch(struct translation *t, bool write)
{
	size_t tag = write ? offsetof(struct tlb_entry, write) : offsetof(struct tlb_entry, read);

	emit_alu_mem(&t->e, true, ALU_XOR, REG_ADDRESS, entry_field(t, tag));
}

struct cold *translate__look_up(struct translation *t, unsigned size, bool write,
				unsigned alignment)
{
	struct cold *cold = translate__cold(t, COLD_EXECUTE, 0);

	cold->entries = 0;
	translate__check(t, size, NULL, write, alignment, cold);
	/* Only by the size is it known how much of the page must be left. */
	if (alignment == 1 && !(size & (size - 1)) && size <= 64) {
		cold->second = t->soft->glue.second[translate__view(t)][write][__builtin_ctz(size)];
		cold->found = t->e.at;
	}
	return cold;
}

bool translate__linear(struct translation *t)
{
	const struct insn *insn = t->insn;
	s32 base = VCPU_AT(cpu.seg) + (s32)(insn->seg * sizeof(struct x86_segment) +
					    offsetof(struct x86_segment, base));

	translate__clobber_flags(t);
	if (!translate__address(t))
		return false;
	if (insn->seg >= X86_FS)
		emit_alu_mem(&t->e, true, ALU_ADD, REG_ADDRESS, state_mem(base));
	return true;
}

struct cold *translate__operand(struct translation *t, unsigned size, bool write,
				unsigned alignment)
{
	const struct insn *insn = t->insn;

	if (!size || size > 64 || (insn->row->flags & ROW_VSIB))
		return NULL;
	/* Outside of 64-bit code DS, ES and SS are flat (MODE_FLAT); CS can't be written. */
	if (insn->code != 8 && (insn->seg >= X86_FS || insn->seg == X86_CS))
		return NULL;
	if (!translate__linear(t))
		return NULL;
	return translate__look_up(t, size, write, alignment);
}

unsigned translate__access_size(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	unsigned i;

	if (row->exec == exec_x87_m80)
		return 10;
	if (row->class == CLASS_VECTOR || row->class == CLASS_X87)
		return operands__vector_size(insn);
	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		const struct operand_facts *f = &operand_facts[row->op[i]];

		if (f->place != PLACE_RM)
			continue;
		switch (f->size) {
		case 'b':
			return 1;
		case 'w':
			return 2;
		case 'd':
			return 4;
		case 'q':
			return 8;
		case 'v':
			return insn->opsize;
		case 'y':
			return insn->flags & INSN_REX_W ? 8 : 4;
		}
	}
	return 0;
}
