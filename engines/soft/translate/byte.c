/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AH, CH, DH and BH, which no instruction with a REX prefix can name. The guest's had none, so all its
 * registers are among the first eight: they stand in the host's own of the same number, but RAX and
 * RSP. RAX is moved to the host's for the instruction.
 */
#include "engines/soft/translate/translate.h"

/* Whether the operand names guest RAX: EAX, AX, AL or AH. */
static bool is_accumulator(const struct insn *insn, unsigned i)
{
	u8 place = operand_facts[insn->row->op[i]].place;
	bool byte = operand_facts[insn->row->op[i]].size == 'b';
	unsigned number;

	if (place == PLACE_RAX)
		return true;
	if (place == PLACE_REG || place == PLACE_LOW)
		number = insn->reg;
	else if (place == PLACE_RM)
		number = insn->rm;
	else
		return false;
	return (byte ? number & 3 : number) == 0;
}

static bool is_stack_pointer(const struct insn *insn, unsigned i)
{
	const struct operand_facts *f = &operand_facts[insn->row->op[i]];

	return f->size != 'b' && ((f->place == PLACE_REG && insn->reg == X86_RSP) ||
				  (f->place == PLACE_RM && insn->rm == X86_RSP));
}

static void encode(struct translation *t)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	bool low = operand_facts[row->op[0]].place == PLACE_LOW;
	struct emit *e = &t->e;
	unsigned i;

	if (insn->opsize == 2)
		emit8(e, 0x66);
	if (insn->map == MAP_0F)
		emit8(e, 0x0f);
	emit8(e, low ? (insn->opcode & ~7) | insn->reg :
		       insn->map == MAP_1BYTE && insn->opcode == 0x82 ? 0x80 : insn->opcode);
	if (!low)
		emit8(e, 0xc0 | (row->group != GROUP_ANY ? row->group : insn->reg) << 3 | insn->rm);
	for (i = 0; i < ARRAY_LENGTH(row->op); i++)
		if (operand_facts[row->op[i]].imm == IMM_U8 || operand_facts[row->op[i]].imm == IMM_S8)
			emit8(e, insn->imm);
}

bool translate__high_byte(struct translation *t)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	bool accumulator = false;
	unsigned i;

	if ((insn->flags & INSN_MEM) || (insn->map != MAP_1BYTE && insn->map != MAP_0F) ||
	    row->forms == &forms_crc32 || row->forms == &forms_xadd)
		return false;
	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		if (is_stack_pointer(insn, i))
			return false;
		accumulator |= is_accumulator(insn, i);
	}
	/* Loading flags takes RAX: first. */
	translate__need_flags(t);
	if (accumulator)
		emit_mov(&t->e, true, H_RAX, t->home[X86_RAX]);
	encode(t);
	if (accumulator)
		emit_mov(&t->e, true, t->home[X86_RAX], H_RAX);
	translate__flags_written(t);
	return true;
}
