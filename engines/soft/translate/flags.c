/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the guest's flags are: in EFLAGS, in memory, or in operands that they are worked out from. */
#include "engines/soft/translate/translate.h"

/* ---- code ---- */

/* seto %al; lahf; movw %ax, flags. These change no flags. */
void translate__store_eflags(struct emit *e)
{
	emit8(e, 0x0f);
	emit8(e, 0x90);
	emit8(e, 0xc0);
	emit8(e, 0x9f);
	emit8(e, 0x66);
	emit_store32(e, H_RAX, state_mem(SOFT_AT(flags)));
}

/* movzwl flags, %eax; addb $0x7f, %al (sets OF); sahf */
void translate__fetch_eflags(struct emit *e)
{
	emit8(e, 0x0f);
	emit_rm(e, false, 0xb7, H_RAX, state_mem(SOFT_AT(flags)));
	emit8(e, 0x04);
	emit8(e, 0x7f);
	emit8(e, 0x9e);
}

/* ---- places ---- */

/* What LAHF gives for ZF and PF, and no OF. */
#define FLAGS_OF_ZERO 0x4600

/* The flags of a result that is known to be 0. */
static bool save_constant(struct translation *t)
{
	if (t->recipe.kind != RECIPE_ZERO || (t->flags != FLAGS_HOST && t->flags != FLAGS_LATER))
		return false;
	emit_rm(&t->e, false, 0xc7, 0, state_mem(SOFT_AT(flags)));
	emit32(&t->e, FLAGS_OF_ZERO);
	t->flags = t->flags == FLAGS_HOST ? FLAGS_BOTH : FLAGS_MEMORY;
	return true;
}

void translate__save_flags(struct translation *t)
{
	if (save_constant(t))
		return;
	if (t->flags == FLAGS_LATER)
		recipe__emit(t, &t->recipe);
	else if (t->flags != FLAGS_HOST)
		return;
	translate__store_eflags(&t->e);
	t->flags = FLAGS_BOTH;
}

void translate__load_flags(struct translation *t)
{
	if (t->flags == FLAGS_LATER) {
		recipe__emit(t, &t->recipe);
		t->flags = FLAGS_HOST;
	} else if (t->flags == FLAGS_MEMORY) {
		translate__fetch_eflags(&t->e);
		t->flags = FLAGS_BOTH;
	}
}

void translate__clobber_flags(struct translation *t)
{
	if (t->flags == FLAGS_HOST && recipe__pays(t))
		t->flags = FLAGS_LATER;
	if (t->flags == FLAGS_LATER)
		return;
	translate__save_flags(t);
	t->flags = FLAGS_MEMORY;
}

/* ---- instructions ---- */

/* A count that is known not to be 0 keeps no flags. */
static bool keeps_flags(const struct insn *insn)
{
	const struct exec_forms *forms = insn->row->forms;
	bool by_imm = forms == &forms_shl || forms == &forms_shr || forms == &forms_sar ||
		      forms == &forms_shld || forms == &forms_shrd;

	return !by_imm || !(insn->imm & (insn->opsize == 8 ? 63 : 31));
}

/* Flags that must be in EFLAGS before the instruction: those it reads, and those it leaves alone. */
u16 translate__flags_needed(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	u16 touched = (row->writes | row->undefined) & RFLAGS_ARITH;
	u16 need = row->reads & RFLAGS_ARITH;

	if (need && touched && !keeps_flags(insn))
		need = 0;
	if (touched)
		need |= RFLAGS_ARITH & ~touched;
	return need;
}

/* Those whose executors begin with SETTLE_FLAGS: what the host leaves depends on the flags before. */
static bool leaves_flags(const struct exec_forms *forms)
{
	static const struct exec_forms *const leaving[] = {
		&forms_imul2, &forms_imul3, &forms_bsf, &forms_bsr, &forms_lzcnt, &forms_tzcnt,
		&forms_popcnt, &forms_andn, &forms_bextr, &forms_blsi, &forms_blsmsk, &forms_blsr,
		&forms_bzhi, &forms_shld, &forms_shrd, &forms_shld_cl, &forms_shrd_cl, &forms_mul,
		&forms_imul,
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(leaving); i++)
		if (leaving[i] == forms)
			return true;
	return false;
}

bool translate__overwrites_flags(const struct translation *t, unsigned i)
{
	for (; i < t->block->count; i++) {
		const struct insn *insn = &t->block->insn[i];
		const struct opcode_row *row = insn->row;

		if (!row || row->class != CLASS_INTEGER || insn->flags & (INSN_MEM | INSN_BRANCH | INSN_STOP) ||
		    translate__flags_needed(insn) || !translate__is_copied(t, insn))
			return false;
		if ((row->writes | row->undefined) & RFLAGS_ARITH)
			return true;
	}
	return false;
}

void translate__need_flags(struct translation *t)
{
	u16 need = translate__flags_needed(t->insn);

	if (!need && t->insn->row->undefined && leaves_flags(t->insn->row->forms)) {
		if (translate__overwrites_flags(t, t->index + 1))
			return;
		emit_rr(&t->e, false, 0x31, H_RAX, H_RAX); /* as the interpreter: xor %eax, %eax */
		return;
	}
	if (need == RFLAGS_CF && t->flags == FLAGS_MEMORY) {
		emit8(&t->e, 0x66); /* btw $8, flags */
		emit8(&t->e, 0x0f);
		emit_rm(&t->e, false, 0xba, 4, state_mem(SOFT_AT(flags)));
		emit8(&t->e, 8);
	} else if (need) {
		translate__load_flags(t);
	}
}

void translate__flags_written(struct translation *t)
{
	if (!((t->insn->row->writes | t->insn->row->undefined) & RFLAGS_ARITH))
		return;
	t->flags = FLAGS_HOST;
	t->recipe = recipe__of(t);
}
