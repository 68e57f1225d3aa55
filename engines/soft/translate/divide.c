/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DIV and IDIV: executed as they are. One that raises #DE is a SIGFPE for the host, and its executor tells
 * the guest. Flags are undefined: they stay as they were, as in the interpreter.
 */
#include "engines/soft/translate/translate.h"

/* The divisor; REG_ADDRESS stands for a register in memory. */
static bool take_divisor(struct translation *t, struct encoding_regs *regs, struct cold **cold)
{
	const struct insn *insn = t->insn;

	if (insn->flags & INSN_MEM) {
		*cold = translate__operand(t, translate__access_size(insn), false, 1);
		regs->at = t->operand;
		return *cold;
	}
	*cold = translate__cold(t, COLD_EXECUTE, 0);
	(*cold)->entries = 0;
	regs->rm = t->home[insn->rm];
	if (regs->rm == H_NONE) {
		emit_load(&t->e, REG_ADDRESS, state_mem(GPR_AT(insn->rm)));
		regs->rm = REG_ADDRESS;
	}
	return true;
}

bool translate__divide(struct translation *t)
{
	struct encoding_regs regs = {
		.reg = t->insn->row->group,
		.mem = t->insn->flags & INSN_MEM,
	};
	struct cold *cold;
	u32 at;

	translate__save_flags(t);
	if (!take_divisor(t, &regs, &cold))
		return false;
	emit_mov(&t->e, true, H_RAX, t->home[X86_RAX]);
	at = t->e.at;
	translate__encode(t, &regs);
	emit_mov(&t->e, true, t->home[X86_RAX], H_RAX);
	t->flags = FLAGS_MEMORY;
	group__finish_cold(t, cold);
	translate__note_fault(t, at, cold);
	return true;
}
