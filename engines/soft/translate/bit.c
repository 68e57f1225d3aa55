/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits of a string in memory: BT and kin with a register that moves the address (APM vol. 3, BT). */
#include "engines/soft/translate/translate.h"

/* The bit's number, sign-extended, into RAX. */
static void load_number(struct translation *t)
{
	const struct insn *insn = t->insn;
	u8 from = t->home[insn->reg];

	if (insn->opsize == 8) {
		if (from == H_NONE)
			emit_load(&t->e, H_RAX, state_mem(GPR_AT(insn->reg)));
		else
			emit_mov(&t->e, true, H_RAX, from);
	} else if (from == H_NONE) {
		emit_rm(&t->e, true, 0x63, H_RAX, state_mem(GPR_AT(insn->reg))); /* movslq */
	} else {
		emit_rr(&t->e, true, 0x63, H_RAX, from);
	}
}

bool translate__bit_string(struct translation *t)
{
	const struct insn *insn = t->insn;
	bool w = insn->opsize == 8, write = insn->row->forms != &forms_bt;
	s32 base = VCPU_AT(cpu.seg) + (s32)(insn->seg * sizeof(struct x86_segment) +
					    offsetof(struct x86_segment, base));
	struct emit *e = &t->e;
	struct cold *cold;

	if (insn->opsize == 2 || insn->adsize != 8 || insn->code != 8)
		return false;
	translate__save_flags(t);
	if (!translate__address(t))
		return false;
	if (insn->seg >= X86_FS)
		emit_alu_mem(e, true, ALU_ADD, REG_ADDRESS, state_mem(base));
	load_number(t);
	emit_rr(e, true, 0xc1, 7, H_RAX); /* sar $3 */
	emit8(e, 3);
	emit_alu_imm(e, true, ALU_AND, H_RAX, -(s32)insn->opsize);
	emit_rr(e, true, 0x01, H_RAX, REG_ADDRESS);
	cold = translate__look_up(t, insn->opsize, write, 1);
	load_number(t);
	emit_alu_imm(e, false, ALU_AND, H_RAX, insn->opsize * 8 - 1);
	if (insn->flags & INSN_LOCK)
		emit8(e, 0xf0);
	emit8(e, 0x41 | (w ? 8 : 0)); /* REX.B: R14 */
	emit8(e, 0x0f);
	emit8(e, insn->opcode);
	emit_modrm_mem(e, H_RAX, mem_at(REG_ADDRESS, 0));
	/* setc %al; andb $~CF, flags + 1; orb %al, flags + 1: the other flags stay */
	emit8(e, 0x0f);
	emit8(e, 0x92);
	emit8(e, 0xc0);
	emit_rm(e, false, 0x80, ALU_AND, state_mem(SOFT_AT(flags) + 1));
	emit8(e, (u8)~RFLAGS_CF);
	emit_rm(e, false, 0x08, H_RAX, state_mem(SOFT_AT(flags) + 1));
	t->flags = FLAGS_MEMORY;
	group__finish_cold(t, cold);
	return true;
}
