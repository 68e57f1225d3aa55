/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the operand encodings of a row to the normalised form that the executors see. */
#include "core/decode/index.h"
#include "core/decode/operands.h"

const struct operand_size operand_sizes[NR_OPERANDS] = {
	[OP_Eb] = { 1 },	 [OP_Ew] = { 2 },	[OP_Ed] = { 4 },	[OP_Eq] = { 8 },
	[OP_Mb] = { 1 },	 [OP_Mw] = { 2 },	[OP_Md] = { 4 },	[OP_Mq] = { 8 },
	[OP_Mdq] = { 16 },	 [OP_Mqq] = { 32 },	[OP_Qq] = { 8 },	[OP_Qd] = { 4 },
	[OP_Wx] = { 16, true },	 [OP_Wdq] = { 16 },	[OP_Wqq] = { 32 },	[OP_Wq] = { 8 },
	[OP_Wd] = { 4 },	 [OP_Ww] = { 2 },	[OP_Wb] = { 1 },	[OP_Wh] = { 8, true },
	[OP_Wqr] = { 4, true },	 [OP_Wer] = { 2, true },
};

/* Byte offset into x86_cpu.gpr; without REX, byte registers 4-7 are AH, CH, DH, BH. */
static u8 gpr_offset(const struct insn *insn, unsigned reg, char size)
{
	if (size == 'b' && reg >= 4 && reg < 8 && !(insn->flags & (INSN_REX | INSN_VEX)))
		return 8 * (reg - 4) + 1;
	return 8 * reg;
}

/* The register of operand `op`. false: the operand is memory, an immediate or no GPR at all. */
static bool operand_register(const struct insn *insn, u8 op, u8 *offset)
{
	const struct operand_facts *f = &operand_facts[op];

	switch (f->place) {
	case PLACE_REG:
		*offset = gpr_offset(insn, insn->reg, f->size);
		return true;
	case PLACE_RM:
		*offset = gpr_offset(insn, insn->rm, f->size);
		return !(insn->flags & INSN_MEM);
	case PLACE_VVVV:
		*offset = 8 * insn->vvvv;
		return true;
	case PLACE_LOW:
		*offset = gpr_offset(insn, insn->reg, f->size);
		return true;
	case PLACE_RAX:
		*offset = 8 * X86_RAX;
		return true;
	case PLACE_RCX:
		*offset = 8 * X86_RCX;
		return true;
	case PLACE_RDX:
		*offset = 8 * X86_RDX;
		return true;
	default:
		return false;
	}
}

/* The first operand behind the destination that is not VEX.vvvv: the source. */
static u8 source_operand(const struct opcode_row *row)
{
	unsigned i;

	for (i = 1; i < ARRAY_LENGTH(row->op); i++)
		if (operand_facts[row->op[i]].place != PLACE_VVVV)
			return row->op[i];
	return OP_NONE;
}

bool operands__is_memory(const struct insn *insn, u8 op)
{
	u8 place = operand_facts[op].place;

	return place == PLACE_MOFFS || (place == PLACE_RM && (insn->flags & INSN_MEM));
}

/*
 * The form of the operands. Immediates alone are RI, except ENTER's two, which are none of an
 * operation between operands: RR, as for an instruction without explicit operands.
 */
static enum insn_form form_of(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	u8 source = source_operand(row);
	bool source_is_imm = operand_facts[source].place == PLACE_IMM;

	if (operand_facts[row->op[0]].place == PLACE_IMM)
		return source_is_imm ? FORM_RR : FORM_RI;
	if (operands__is_memory(insn, row->op[0]))
		return source_is_imm ? FORM_MI : FORM_MR;
	if (source_is_imm)
		return FORM_RI;
	return operands__is_memory(insn, source) ? FORM_RM : FORM_RR;
}

bool operands__normalise(struct insn *insn)
{
	static const u8 log2_size[9] = { [1] = 0, [2] = 1, [4] = 2, [8] = 3 };
	const struct opcode_row *row = insn->row;

	operand_register(insn, row->op[0], &insn->dst);
	operand_register(insn, source_operand(row), &insn->src);
	if (row->forms)
		insn->exec = row->forms->fn[form_of(insn)][log2_size[insn->opsize]];
	else
		insn->exec = row->exec;
	return insn->exec;
}
