/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 instructions: executed as they are. A pending exception is a SIGFPE at the next one, whose executor
 * then raises #MF.
 *
 * The pointers that FNSTENV shows (APM vol. 1, 6.2.5) are written when they may be looked at: before an
 * executor, a branch or the block's end, by cold code, and before a register of the operand's address gets
 * another value. Until then the translation knows whose they are.
 */
#include "engines/soft/translate/translate.h"

static bool is_inline(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;

	if (row->exec == exec_fwait || row->exec == exec_fnstsw_ax || row->exec == exec_x87_m80)
		return true;
	if (row->exec != exec_x87 && row->exec != exec_x87_flags)
		return false;
	/* FNCLEX and FNINIT: see enter_stub() in vector.c. */
	return insn->opcode != 0xdb || (insn->modrm != 0xe2 && insn->modrm != 0xe3);
}

bool translate__is_x87(const struct translation *t, const struct insn *insn)
{
	return insn->row && (insn->row->class == CLASS_X87 || insn->row->exec == exec_fwait) &&
	       (t->block->mode & MODE_X87) && t->soft->inlines_vectors && is_inline(insn);
}

/* ---- pointers ---- */

static void store_selector(struct translation *t, u8 seg, s32 to)
{
	s32 from = VCPU_AT(cpu.seg) + (s32)(seg * sizeof(struct x86_segment) +
					    offsetof(struct x86_segment, selector));

	if (!soft__x87_has_selectors())
		return;
	emit8(&t->e, 0x0f);
	emit_rm(&t->e, false, 0xb7, H_RAX, state_mem(from)); /* movzwl */
	emit8(&t->e, 0x66);
	emit_store32(&t->e, H_RAX, state_mem(to));
}

static s64 offset_of(const struct translation *t, const struct insn *insn)
{
	s64 offset = t->block->gpa & ~PAGE_MASK_4K;
	unsigned i;

	for (i = 0; &t->block->insn[i] != insn; i++)
		offset = block__next_offset(t->block, i, offset);
	return offset;
}

static void store_code_pointer(struct translation *t, const struct insn *insn)
{
	struct emit *e = &t->e;

	emit_load(e, H_RAX, state_mem(SOFT_AT(code_base)));
	emit_lea(e, true, H_RAX, mem_at(H_RAX, offset_of(t, insn)));
	emit_store(e, H_RAX, state_mem(SOFT_AT(vectors.fip)));
	emit8(e, 0x66); /* movw $..., fop */
	emit_rm(e, false, 0xc7, 0, state_mem(SOFT_AT(vectors.fop)));
	emit16(e, (insn->opcode & 7) << 8 | insn->modrm);
	store_selector(t, X86_CS, SOFT_AT(vectors.fcs));
}

static void store_data_pointer(struct translation *t, const struct insn *insn)
{
	const struct insn *now = t->insn;
	s64 offset = t->offset;

	t->insn = insn;
	t->offset = offset_of(t, insn);
	translate__address(t);
	t->insn = now;
	t->offset = offset;
	emit_store(&t->e, REG_ADDRESS, state_mem(SOFT_AT(vectors.fdp)));
	store_selector(t, insn->seg, SOFT_AT(vectors.fds));
}

void x87__store_pointers(struct translation *t, const struct x87_pending *pending)
{
	if (pending->code)
		store_code_pointer(t, pending->code);
	if (pending->data)
		store_data_pointer(t, pending->data);
}

static void settle_data(struct translation *t)
{
	if (t->x87.data)
		store_data_pointer(t, t->x87.data);
	t->x87.data = NULL;
	t->group.resident = GROUP_NO_SPAN;
}

void x87__settle(struct translation *t)
{
	if (!t->x87.code && !t->x87.data)
		return;
	if (t->x87.code)
		store_code_pointer(t, t->x87.code);
	t->x87.code = NULL;
	settle_data(t);
}

void x87__before(struct translation *t)
{
	const struct insn *insn = t->insn, *data = t->x87.data;

	if (insn->row && insn->row->class == CLASS_SYSTEM)
		x87__settle(t);
	else if (data && !(translate__keeps_register(t, insn, data->base) && translate__keeps_register(t, insn, data->index)))
		settle_data(t);
}

/* ---- instructions ---- */

static void encode(struct translation *t)
{
	const struct insn *insn = t->insn;

	if (insn->row->exec == exec_fwait) {
		emit8(&t->e, insn->opcode);
	} else if (insn->flags & INSN_MEM) {
		emit_rm(&t->e, false, insn->opcode, insn->modrm >> 3 & 7, t->operand);
	} else {
		emit8(&t->e, insn->opcode);
		emit8(&t->e, insn->modrm);
	}
	if (insn->row->exec == exec_fnstsw_ax) {
		emit8(&t->e, 0x66);
		emit_mov(&t->e, false, t->home[X86_RAX], H_RAX);
	}
}

bool translate__x87(struct translation *t)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	struct cold *cold = NULL;
	bool save_flags;
	u32 at;

	if ((insn->flags & INSN_MEM) && !group__operand(t)) {
		cold = translate__operand(t, translate__access_size(insn),
					  row->flags & ROW_WRITES_MEM, 1);
		if (!cold)
			return false;
	}
	if (!cold) {
		cold = translate__cold(t, COLD_EXECUTE, 0);
		cold->entries = 0;
	}
	save_flags = t->flags == FLAGS_HOST;
	translate__need_flags(t);
	at = t->e.at;
	encode(t);
	translate__flags_written(t);
	cold->save_flags = save_flags;
	group__finish_cold(t, cold);
	translate__note_fault(t, at, cold);
	if (row->class == CLASS_X87 && !(row->flags & ROW_X87_ENV)) {
		t->x87.code = insn;
		if (insn->flags & INSN_MEM)
			t->x87.data = insn;
	}
	return true;
}
