/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Re-encoding guest instructions with the host registers that hold their operands. */
#include "engines/soft/translate/translate.h"

static bool has_operand(const struct opcode_row *row, u8 op)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++)
		if (row->op[i] == op)
			return true;
	return false;
}

/* ---- general registers ---- */

int translate__gpr_operand(const struct insn *insn, unsigned i)
{
	unsigned limit = insn->code == 8 ? 15 : 7;

	switch (operand_facts[insn->row->op[i]].place) {
	case PLACE_REG:
	case PLACE_LOW:
		return insn->reg & limit;
	case PLACE_RM:
		return insn->flags & INSN_MEM ? -1 : (int)(insn->rm & limit);
	case PLACE_VVVV:
		return insn->vvvv & limit;
	default:
		return -1;
	}
}

bool translate__writes_second(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;

	return row->forms == &forms_xchg || row->forms == &forms_xadd || row->forms == &forms_mulx;
}

static bool writes_nothing(const struct opcode_row *row)
{
	return row->forms == &forms_cmp || row->forms == &forms_test || row->forms == &forms_bt;
}

/*
 * Whether an instruction without a memory operand may have memory as the source that stands in modrm.reg: by
 * exchanging its operands, if they are those of the encoding "r/m, reg" (the opcode's bit 1 is 0 there).
 */
static bool has_other_direction(const struct exec_forms *forms)
{
	return forms == &forms_mov || forms == &forms_add || forms == &forms_or || forms == &forms_adc ||
	       forms == &forms_sbb || forms == &forms_and || forms == &forms_sub || forms == &forms_xor ||
	       forms == &forms_cmp || forms == &forms_test;
}

/*
 * The operand that the instruction only reads, and may read where the guest's register stands in memory, or -1: it
 * needs no scratch register. Vector instructions have other encodings for memory, or read another size.
 */
static int operand_in_place(const struct translation *t, const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	unsigned i, j, written = writes_nothing(row) ? 0 : translate__writes_second(insn) ? 2 : 1;
	bool exchange = has_other_direction(row->forms) && operand_facts[row->op[0]].place == PLACE_RM;

	if ((insn->flags & INSN_MEM) || row->class != CLASS_INTEGER)
		return -1;
	for (i = written; i < ARRAY_LENGTH(row->op); i++) {
		int number = translate__gpr_operand(insn, i);
		u8 place = operand_facts[row->op[i]].place;

		if (number < 0 || t->home[number] != H_NONE || (place != PLACE_RM && !(place == PLACE_REG && exchange)))
			continue;
		/* The bit's number would move the address. */
		if (row->forms == &forms_bt && row->group == GROUP_ANY)
			continue;
		for (j = 0; j < ARRAY_LENGTH(row->op); j++)
			if (j != i && translate__gpr_operand(insn, j) == number)
				break;
		if (j == ARRAY_LENGTH(row->op))
			return i;
	}
	return -1;
}

/*
 * The scratch register that stands for a guest register in memory: RAX for the first, R14 for a
 * second one, unless one of them is taken by the memory operand.
 */
static int scratch_for(const struct translation *t, unsigned i)
{
	const struct insn *insn = t->insn;
	int number = translate__gpr_operand(insn, i), first = -1;
	unsigned j;

	for (j = 0; j < ARRAY_LENGTH(insn->row->op); j++) {
		int other = translate__gpr_operand(insn, j);

		if (other < 0 || t->home[other] != H_NONE || (int)j == t->in_place)
			continue;
		if (first < 0)
			first = other;
		if (other == number)
			return number == first && !t->rax_is_taken ? H_RAX : H_R14;
	}
	return -1;
}

static u8 register_of(const struct translation *t, unsigned i)
{
	int number = translate__gpr_operand(t->insn, i);

	return t->home[number] != H_NONE ? t->home[number] : scratch_for(t, i);
}

/* Whether each number of a register in the encoding has a home, whatever it is: so of most instructions. */
static bool has_homes_only(const struct translation *t, const struct insn *insn)
{
	unsigned limit = insn->code == 8 ? 15 : 7;

	return t->home[insn->reg & limit] != H_NONE && t->home[insn->rm & limit] != H_NONE &&
	       t->home[insn->vvvv & limit] != H_NONE;
}

unsigned translate__count_scratch(const struct translation *t, const struct insn *insn)
{
	unsigned i, count = 0;
	u32 met = 0;
	int in_place;

	if (has_homes_only(t, insn))
		return 0;
	in_place = operand_in_place(t, insn);
	for (i = 0; i < ARRAY_LENGTH(insn->row->op); i++) {
		int number = translate__gpr_operand(insn, i);

		if (number < 0 || t->home[number] != H_NONE || (int)i == in_place)
			continue;
		count += !(met >> number & 1);
		met |= 1u << number;
	}
	return count;
}

bool translate__writes_first(const struct insn *insn)
{
	return !writes_nothing(insn->row);
}

/* XOR or SUB of a register with itself. */
static bool is_zeroing(const struct insn *insn)
{
	const struct exec_forms *forms = insn->row->forms;

	return (forms == &forms_xor || forms == &forms_sub) && insn->opsize >= 4 && !(insn->flags & INSN_MEM) &&
	       translate__gpr_operand(insn, 0) >= 0 && translate__gpr_operand(insn, 0) == translate__gpr_operand(insn, 1);
}

/* What the register held does not matter; MULX may so have the address's register as its result. */
static bool is_only_written(const struct insn *insn, unsigned i)
{
	static const struct exec_forms *const writing[] = {
		&forms_mov, &forms_movzx8, &forms_movzx16, &forms_movsx8, &forms_movsx16,
		&forms_movsxd, &forms_movbe, &forms_rorx, &forms_sarx, &forms_shlx, &forms_shrx,
		&forms_andn, &forms_pdep, &forms_pext, &forms_bzhi, &forms_bextr, &forms_popcnt,
	};
	const struct exec_forms *forms = insn->row->forms;
	int number = translate__gpr_operand(insn, i);
	unsigned j;

	if (forms == &forms_mulx)
		return i < 2;
	if (is_zeroing(insn))
		return true;
	/* MOVD, PEXTRW, KMOVB and their kin write all of it. */
	if (!i && insn->row->class == CLASS_VECTOR)
		return true;
	if (i || insn->row->class != CLASS_INTEGER || insn->opsize < 4)
		return false;
	for (j = 1; j < ARRAY_LENGTH(insn->row->op); j++)
		if (translate__gpr_operand(insn, j) == number)
			return false;
	for (j = 0; j < ARRAY_LENGTH(writing); j++)
		if (writing[j] == forms)
			return true;
	return false;
}

/* It stands in its scratch register: for an operand before, or since the last instruction. */
static bool is_loaded(const struct translation *t, unsigned i)
{
	int number = translate__gpr_operand(t->insn, i);
	unsigned j;

	for (j = 0; j < i; j++)
		if (translate__gpr_operand(t->insn, j) == number && !is_only_written(t->insn, j))
			return true;
	/* Loading one scratch register leaves the other one alone. */
	return t->cached == number && t->cached_at == t->e.at && scratch_for(t, i) == H_RAX;
}

/* All others have their registers. */
static void put_in_place(const struct translation *t, struct encoding_regs *regs)
{
	const struct insn *insn = t->insn;

	if (operand_facts[insn->row->op[t->in_place]].place == PLACE_REG) {
		regs->reg = regs->rm;
		/* TEST has one encoding for both. */
		regs->other_direction = insn->row->forms != &forms_test;
	}
	regs->mem = true;
	regs->at = state_mem(GPR_AT(translate__gpr_operand(insn, t->in_place)));
}

bool translate__take_registers(struct translation *t, struct encoding_regs *regs)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	unsigned i, limit = insn->code == 8 ? 31 : 7;
	bool mem = insn->flags & INSN_MEM;
	unsigned scratch = translate__count_scratch(t, insn);

	if (scratch > (mem && row->forms != &forms_mulx ? 1 : 2))
		return false;
	*regs = (struct encoding_regs){
		.reg = row->group != GROUP_ANY ? row->group : insn->reg & limit,
		.rm = insn->rm & limit,
		.vvvv = insn->vvvv & limit,
		.mem = mem,
		.at = t->operand,
	};
	t->in_place = has_homes_only(t, insn) ? -1 : operand_in_place(t, insn);
	/* It may stand in RAX as well, if nothing else is to. */
	if (t->in_place >= 0 && !scratch && t->cached == translate__gpr_operand(insn, t->in_place) &&
	    t->cached_at == t->e.at)
		t->in_place = -1;
	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		int number = translate__gpr_operand(insn, i);

		if (number < 0 || (int)i == t->in_place)
			continue;
		if (t->home[number] == H_NONE && !is_only_written(insn, i) && !is_loaded(t, i))
			emit_load(&t->e, scratch_for(t, i), state_mem(GPR_AT(number)));
		switch (operand_facts[row->op[i]].place) {
		case PLACE_REG:
		case PLACE_LOW:
			regs->reg = register_of(t, i);
			break;
		case PLACE_RM:
			regs->rm = register_of(t, i);
			break;
		case PLACE_VVVV:
			regs->vvvv = register_of(t, i);
			break;
		}
	}
	if (t->in_place >= 0)
		put_in_place(t, regs);
	return true;
}

void translate__give_registers(struct translation *t)
{
	const struct insn *insn = t->insn;
	int first = translate__gpr_operand(insn, 0);
	unsigned i;

	if (writes_nothing(insn->row))
		return;
	for (i = 0; i < (translate__writes_second(insn) ? 2 : 1); i++) {
		int number = translate__gpr_operand(insn, i);

		if (number >= 0 && t->home[number] == H_NONE)
			emit_store(&t->e, scratch_for(t, i), state_mem(GPR_AT(number)));
	}
	if (first >= 0 && t->home[first] == H_NONE && scratch_for(t, 0) == H_RAX) {
		t->cached = first;
		t->cached_at = t->e.at;
	}
}

/* ---- bytes ---- */

static void emit_modrm(struct emit *e, const struct encoding_regs *regs)
{
	if (regs->mem)
		emit_modrm_mem(e, regs->reg, regs->at);
	else
		emit8(e, 0xc0 | (regs->reg & 7) << 3 | (regs->rm & 7));
}

static u8 rm_number(const struct encoding_regs *regs)
{
	return regs->mem ? regs->at.base : regs->rm;
}

static bool has_high_index(const struct encoding_regs *regs)
{
	return regs->mem && regs->at.index != H_NONE && (regs->at.index & 8);
}

static void emit_immediates(struct emit *e, const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	bool second = false;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		switch (operand_facts[row->op[i]].imm) {
		case IMM_U8:
		case IMM_S8:
			emit8(e, second ? insn->imm2 : insn->imm);
			second = true;
			break;
		case IMM_Z:
			if (insn->opsize == 2)
				emit16(e, insn->imm);
			else
				emit32(e, insn->imm);
			break;
		case IMM_V:
			if (insn->opsize == 8)
				emit64(e, insn->imm);
			else if (insn->opsize == 4)
				emit32(e, insn->imm);
			else
				emit16(e, insn->imm);
			break;
		}
	}
}

static bool is_string_compare(const struct insn *insn)
{
	return insn->row->exec == exec_sse_string || insn->row->exec == exec_avx_string;
}

/* W counts where it sizes a general register, and in the VEX opcode space. */
static bool width_bit(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	bool is_y = has_operand(row, OP_Ey) || has_operand(row, OP_Gy);

	if (row->class == CLASS_INTEGER)
		return is_y || has_operand(row, OP_By) ? insn->flags & INSN_REX_W :
							 insn->opsize == 8;
	if (is_string_compare(insn) || (!(insn->flags & INSN_VEX) && !is_y))
		return false;
	return (insn->flags & INSN_REX_W) && (insn->code == 8 || !is_y);
}

static void encode_vex(struct emit *e, const struct insn *insn, const struct encoding_regs *regs)
{
	static const u8 pp[] = { [PFX_ANY] = 0, [PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2,
				 [PFX_F2] = 3 };

	emit8(e, 0xc4);
	emit8(e, (regs->reg & 8 ? 0 : 0x80) | (has_high_index(regs) ? 0 : 0x40) | (rm_number(regs) & 8 ? 0 : 0x20) | insn->map);
	emit8(e, (width_bit(insn) ? 0x80 : 0) | (~regs->vvvv & 15) << 3 |
			 (insn->flags & INSN_VEX_L ? 4 : 0) | pp[insn->row->prefix]);
	emit8(e, insn->opcode);
	emit_modrm(e, regs);
}

/* A displacement of one byte counts operands. */
static void emit_modrm_scaled(struct emit *e, const struct insn *insn,
			      const struct encoding_regs *regs)
{
	s32 unit = operands__displacement_unit(insn);
	struct host_mem m = regs->at;
	bool sib = m.index != H_NONE || (m.base & 7) == H_RSP;
	bool is_short = unit && m.disp % unit == 0 && m.disp / unit == (s8)(m.disp / unit);

	if (!regs->mem || m.disp == 0) {
		emit_modrm(e, regs);
		return;
	}
	emit8(e, (is_short ? 0x40 : 0x80) | (regs->reg & 7) << 3 | (sib ? 4 : m.base & 7));
	if (sib)
		emit8(e, m.scale << 6 | (m.index == H_NONE ? 4 : m.index & 7) << 3 | (m.base & 7));
	if (is_short)
		emit8(e, m.disp / unit);
	else
		emit32(e, m.disp);
}

static void encode_evex(struct emit *e, const struct insn *insn, const struct encoding_regs *regs)
{
	static const u8 pp[] = { [PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3 };
	bool x = regs->mem ? has_high_index(regs) : regs->rm & 16;

	emit8(e, 0x62);
	emit8(e, (regs->reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (rm_number(regs) & 8 ? 0 : 0x20) |
			 (regs->reg & 16 ? 0 : 0x10) | insn->map);
	emit8(e, (width_bit(insn) ? 0x80 : 0) | (~regs->vvvv & 15) << 3 | 4 | pp[insn->row->prefix]);
	emit8(e, insn->evex | (regs->vvvv & 16 ? 0 : 8));
	emit8(e, insn->opcode);
	emit_modrm_scaled(e, insn, regs);
}

/* A byte operand in SPL to DIL needs some REX prefix. */
static bool needs_rex(const struct insn *insn, const struct encoding_regs *regs)
{
	const struct opcode_row *row = insn->row;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		const struct operand_facts *f = &operand_facts[row->op[i]];

		if (f->size != 'b')
			continue;
		if ((f->place == PLACE_REG || f->place == PLACE_LOW) && regs->reg >= H_RSP)
			return true;
		if (f->place == PLACE_RM && !regs->mem && regs->rm >= H_RSP)
			return true;
	}
	return false;
}

static void encode_legacy(struct emit *e, const struct insn *insn,
			  const struct encoding_regs *regs, bool modrm)
{
	const struct opcode_row *row = insn->row;
	bool integer = row->class == CLASS_INTEGER;
	u8 low = modrm ? rm_number(regs) : regs->reg;
	u8 rex = (width_bit(insn) ? 8 : 0) | (modrm && (regs->reg & 8) ? 4 : 0) |
		 (has_high_index(regs) ? 2 : 0) | (low & 8 ? 1 : 0);

	if (insn->flags & INSN_LOCK)
		emit8(e, 0xf0);
	if (row->prefix == PFX_66 || (integer && insn->opsize == 2))
		emit8(e, 0x66);
	if (row->prefix == PFX_F3)
		emit8(e, 0xf3);
	else if (row->prefix == PFX_F2)
		emit8(e, 0xf2);
	if (rex || needs_rex(insn, regs))
		emit8(e, 0x40 | rex);
	if (insn->map != MAP_1BYTE)
		emit8(e, 0x0f);
	if (insn->map == MAP_0F38)
		emit8(e, 0x38);
	else if (insn->map == MAP_0F3A)
		emit8(e, 0x3a);
	if (modrm) {
		/* 82 is 80's alias, in 32-bit code only. */
		emit8(e, insn->map == MAP_1BYTE && insn->opcode == 0x82 ? 0x80 :
			 insn->opcode | (regs->other_direction ? 2 : 0));
		emit_modrm(e, regs);
	} else {
		emit8(e, (insn->opcode & ~7) | (regs->reg & 7));
	}
}

void translate__encode(struct translation *t, const struct encoding_regs *regs)
{
	const struct insn *insn = t->insn;
	bool modrm = !has_operand(insn->row, OP_Zb) && !has_operand(insn->row, OP_Zv);

	if (insn->flags & INSN_EVEX)
		encode_evex(&t->e, insn, regs);
	else if (insn->flags & INSN_VEX)
		encode_vex(&t->e, insn, regs);
	else
		encode_legacy(&t->e, insn, regs, modrm);
	emit_immediates(&t->e, insn);
}
