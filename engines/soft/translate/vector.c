/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SSE, AVX and AVX-512 instructions: executed as they are on the guest's state in the host's registers.
 * Whether they may execute is part of the block's mode. One that raises SIGFPE or SIGILL is executed
 * again by its executor (vector_fault.c), which tells the guest.
 */
#include "engines/soft/translate/translate.h"

static bool is_sse(const struct opcode_row *row)
{
	return row->exec == exec_sse || row->exec == exec_sse_gpr || row->exec == exec_sse_flags ||
	       row->exec == exec_sha;
}

static bool is_avx(const struct opcode_row *row)
{
	return row->exec == exec_avx || row->exec == exec_avx_gpr || row->exec == exec_avx_flags ||
	       row->exec == exec_avx_zero;
}

/* Masked ones, too: where all of the operand is in a page that may be accessed, none of it faults. */
static bool is_evex(const struct opcode_row *row)
{
	return row->exec == exec_evex || row->exec == exec_evex_gpr || row->exec == exec_evex_flags ||
	       row->exec == exec_evex_compress || row->exec == exec_evex_expand;
}

/* MMX registers are the x87's: such instructions change more than they show. */
static bool uses_mmx(const struct opcode_row *row)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		u8 op = row->op[i];

		if (op == OP_Pq || op == OP_Qq || op == OP_Qd || op == OP_Nq)
			return true;
	}
	return false;
}

static unsigned alignment_of(const struct insn *insn, unsigned size)
{
	const struct opcode_row *row = insn->row;

	if (row->flags & ROW_ALIGNED)
		return size;
	return !(insn->flags & INSN_VEX) && size == 16 && !(row->flags & ROW_UNALIGNED) ? 16 : 1;
}

void translate__note_fault(struct translation *t, u32 at, struct cold *cold)
{
	struct soft_vcpu *soft = t->soft;

	if (soft->nr_faults + t->nr_faults == SOFT_FAULT_ENTRIES || t->nr_faults == SOFT_BLOCK_FAULTS) {
		t->e.overflow = true;
		return;
	}
	t->fault_at[t->nr_faults] = at;
	t->fault_cold[t->nr_faults++] = cold - t->cold;
}

static void emit_vzero(struct translation *t)
{
	emit8(&t->e, 0xc5);
	emit8(&t->e, t->insn->flags & INSN_VEX_L ? 0xfc : 0xf8);
	emit8(&t->e, 0x77);
}

unsigned translate__alignment(const struct insn *insn)
{
	if (!insn->row || insn->row->class != CLASS_VECTOR)
		return 1;
	return alignment_of(insn, translate__access_size(insn));
}

/* Outside of 64-bit code only the lower half of the result is to be seen. */
static bool is_wide_gpr(const struct insn *insn)
{
	return insn->code != 8 && (insn->row->op[0] == OP_Gq || insn->row->op[1] == OP_Eq) &&
	       insn->row->exec == exec_evex_gpr;
}

bool translate__is_vector(const struct translation *t, const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	u32 mode = t->block->mode;

	if (!row || row->class != CLASS_VECTOR || !t->soft->inlines_vectors)
		return false;
	if (!(is_sse(row) && (mode & MODE_SSE)) && !(is_avx(row) && (mode & MODE_AVX)) &&
	    !(is_evex(row) && (mode & MODE_AVX512)))
		return false;
	return !uses_mmx(row) && !is_wide_gpr(insn) &&
	       (insn->code == 8 || (row->op[3] != OP_Lx && row->exec != exec_avx_zero));
}

bool translate__vector(struct translation *t)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	struct encoding_regs regs;
	struct cold *cold = NULL;
	bool save_flags;
	u32 at, before;

	if (row->exec == exec_avx_zero) {
		emit_vzero(t);
		return true;
	}
	if (insn->flags & INSN_MEM) {
		unsigned size = translate__access_size(insn);

		if (stack__is_operand(t, insn)) {
			t->operand = stack__operand(t);
			t->rax_is_taken = true;
		} else if (!group__operand(t)) {
			cold = translate__operand(t, size, row->flags & ROW_WRITES_MEM,
						  alignment_of(insn, size));
			if (!cold)
				return false;
		}
	}
	/* For signals, if not for the look-up. */
	if (!cold) {
		cold = translate__cold(t, COLD_EXECUTE, 0);
		cold->entries = 0;
	}
	before = t->e.at;
	if (!translate__take_registers(t, &regs))
		return false;
	save_flags = t->flags == FLAGS_HOST;
	at = t->e.at;
	translate__encode(t, &regs);
	translate__give_registers(t);
	translate__flags_written(t);
	cold->save_flags = save_flags;
	group__finish_cold(t, cold);
	translate__note_fault(t, at, cold);
	/* Cold code of a group comes back at the group's end. */
	if (t->group.open && t->rax_is_taken)
		stack__keep_delta(t);
	else if (t->group.open && !translate__count_scratch(t, insn))
		translate__rax_stands(t, before);
	return true;
}
