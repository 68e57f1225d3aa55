/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flags that are worked out again. What looks up an address overwrites EFLAGS. Mostly nobody reads the guest's
 * flags any more then, but a fault or an interrupt would show them. So they are not saved where later
 * instructions of the block overwrite them (or read them, which is done from the operands as well): cold
 * code works them out from the operands of the instruction that has set them. Where one of those is
 * overwritten meanwhile it is kept in memory.
 */
#include "engines/soft/translate/translate.h"

/* ---- instructions ---- */

static int register_operand(const struct insn *insn, unsigned i)
{
	return operand_facts[insn->row->op[i]].place == PLACE_RAX ? X86_RAX : translate__gpr_operand(insn, i);
}

static bool is_logic(const struct exec_forms *forms)
{
	return forms == &forms_and || forms == &forms_or || forms == &forms_xor;
}

static enum recipe_kind kind_of(const struct exec_forms *forms, bool same)
{
	if (is_logic(forms))
		return forms == &forms_xor && same ? RECIPE_ZERO : RECIPE_RESULT;
	if (forms == &forms_test)
		return same ? RECIPE_RESULT : RECIPE_TEST;
	if (forms == &forms_cmp)
		return RECIPE_COMPARE;
	if (forms == &forms_sub)
		return same ? RECIPE_ZERO : RECIPE_SUBTRACT;
	if (forms == &forms_neg)
		return RECIPE_NEGATE;
	return forms == &forms_add && !same ? RECIPE_ADD : RECIPE_NONE;
}

/* By a constant that is not 0, in a register: the bits that it loses are flags. */
static bool is_shift(const struct insn *insn)
{
	const struct exec_forms *forms = insn->row->forms;

	return (forms == &forms_shl || forms == &forms_shr || forms == &forms_sar) && insn->opsize >= 4 &&
	       operand_facts[insn->row->op[1]].place == PLACE_IMM && !translate__flags_needed(insn) && !(insn->flags & INSN_MEM);
}

static struct recipe recipe_of_shift(const struct insn *insn)
{
	return (struct recipe){
		.kind = RECIPE_SHIFT, .size = insn->opsize, .count = 1, .reg = { translate__gpr_operand(insn, 0) },
		.kept = { true }, .imm = insn->imm, .op = insn->row->group,
	};
}

struct recipe recipe__of(const struct translation *t)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	bool immediate = operand_facts[row->op[1]].place == PLACE_IMM;
	int first = register_operand(insn, 0), second = register_operand(insn, 1);
	struct recipe r = { .kind = RECIPE_NONE };

	if (row->class != CLASS_INTEGER || !row->forms || first < 0 || translate__has_high_byte(insn))
		return r;
	if (is_shift(insn))
		return t->keeps[t->index][0] ? recipe_of_shift(insn) : r;
	r.kind = kind_of(row->forms, first == second);
	r.size = insn->opsize;
	r.reg[0] = first;
	if (r.kind == RECIPE_ZERO || r.kind == RECIPE_RESULT || r.kind == RECIPE_NEGATE) {
		r.count = r.kind != RECIPE_ZERO;
	} else if (immediate) {
		r.count = 1;
		r.imm = insn->imm;
		if (r.imm == (s32)0x80000000) /* has no negative */
			r.kind = RECIPE_NONE;
	} else if (second < 0) {
		r.kind = RECIPE_NONE;
	} else {
		r.count = 2;
		r.reg[1] = second;
	}
	return r;
}

static bool touches_flags(const struct insn *insn)
{
	return (insn->row->writes | insn->row->undefined) & RFLAGS_ARITH;
}

bool translate__keeps_register(const struct translation *t, const struct insn *insn, u8 reg)
{
	const struct opcode_row *row = insn->row;

	if (reg >= X86_NR_GPR)
		return true;
	if (!row)
		return false;
	if (translate__is_x87(t, insn))
		return row->exec != exec_fnstsw_ax || reg != X86_RAX;
	if (row->exec == exec_nop || translate__is_conditional(insn))
		return true;
	if (row->forms == &forms_lea)
		return insn->dst / 8 != reg;
	if (row->forms == &forms_push)
		return reg != X86_RSP;
	if (row->forms == &forms_pop && !(insn->flags & INSN_MEM))
		return reg != X86_RSP && insn->dst / 8 != reg;
	if (!translate__is_vector(t, insn) &&
	    !(row->class == CLASS_INTEGER && translate__is_copied(t, insn)))
		return false;
	return (!translate__writes_first(insn) || translate__gpr_operand(insn, 0) != reg) &&
	       (!translate__writes_second(insn) || translate__gpr_operand(insn, 1) != reg);
}

/* ---- what comes ---- */

/* Whether flags that stand nowhere before the instruction i are not asked for in memory, but at faults. */
static bool are_needed_in_memory(const struct translation *t, unsigned i)
{
	const struct block *block = t->block;

	for (; i < block->count; i++) {
		const struct insn *insn = &block->insn[i];

		if (!insn->row)
			return true;
		if (translate__flags_needed(insn) || touches_flags(insn))
			return false;
		if ((insn->flags & (INSN_BRANCH | INSN_STOP)) || insn->row->class == CLASS_SYSTEM)
			return true;
		/* An executor. */
		if (insn->row->class == CLASS_INTEGER && !insn->row->forms && insn->row->exec != exec_nop)
			return true;
	}
	return true;
}

bool recipe__pays(const struct translation *t)
{
	return t->recipe.kind != RECIPE_NONE && !are_needed_in_memory(t, t->index);
}

static bool looks_up(const struct translation *t, unsigned i)
{
	const struct insn *insn = &t->block->insn[i];

	if (!group__has_operand(insn) || translate__is_found(t, insn))
		return false;
	return !t->group.open || i > t->group.last || t->group.of[i] == GROUP_NO_SPAN;
}

/* Whether flags that stand in EFLAGS before the instruction i, which changes none, will be worked out later. */
static bool will_be_needed(const struct translation *t, unsigned i)
{
	for (; i < t->block->count; i++) {
		const struct insn *insn = &t->block->insn[i];

		if (!insn->row)
			return false;
		if (looks_up(t, i))
			return !are_needed_in_memory(t, i);
		if (touches_flags(insn))
			return false;
	}
	return false;
}

/* ---- operands that are overwritten ---- */

static struct host_mem slot_of(unsigned k)
{
	return state_mem(SOFT_AT(kept) + (s32)(k * sizeof(u64)));
}

static void keep(struct translation *t, u8 reg, unsigned k)
{
	struct emit *e = &t->e;
	u8 from = t->home[reg];

	if (from == H_NONE) {
		emit_load(e, H_RAX, state_mem(GPR_AT(reg)));
		from = H_RAX;
	}
	emit_store(e, from, slot_of(k));
}

static void keep_operand(struct translation *t, unsigned k)
{
	u8 reg = t->recipe.reg[k];
	u32 at = t->e.at;

	keep(t, reg, k);
	t->recipe.kept[k] = true;
	t->keeps[t->index][k] = reg + 1;
	if (t->home[reg] == H_NONE)
		return;
	translate__rax_stands(t, at);
}

void recipe__before(struct translation *t)
{
	struct recipe *r = &t->recipe;
	const struct insn *insn = t->insn;
	unsigned k;

	if (t->flags == FLAGS_MEMORY)
		r->kind = RECIPE_NONE;
	/* What changes flags has no use for the old ones once it writes registers. */
	if (r->kind == RECIPE_NONE || !insn->row || touches_flags(insn))
		return;
	for (k = 0; k < r->count; k++) {
		/* RSP as well: what makes the register fall behind (stack_track.pending) does not keep it. */
		if (r->kept[k] || translate__keeps_register(t, insn, r->reg[k]))
			continue;
		if (t->flags != FLAGS_LATER && !will_be_needed(t, t->index)) {
			r->kind = RECIPE_NONE;
			return;
		}
		keep_operand(t, k);
	}
}

void recipe__keep_original(struct translation *t)
{
	int reg = translate__gpr_operand(t->insn, 0);
	u32 at = t->e.at;

	if (!is_shift(t->insn) || t->home[reg] == H_NONE || !will_be_needed(t, t->index + 1))
		return;
	keep(t, reg, 0);
	t->keeps[t->index][0] = reg + 1;
	translate__rax_stands(t, at);
}

void recipe__repeat_keeps(struct translation *t, unsigned index)
{
	unsigned k;

	for (k = 0; k < ARRAY_LENGTH(t->keeps[index]); k++)
		if (t->keeps[index][k])
			keep(t, t->keeps[index][k] - 1, k);
}

/* ---- code ---- */

/* A host register, or memory. */
struct place {
	bool is_memory;
	u8 reg;
	struct host_mem at;
};

static struct place place_of(const struct translation *t, const struct recipe *r, unsigned k)
{
	u8 reg = t->home[r->reg[k]];

	if (r->kept[k])
		return (struct place){ .is_memory = true, .at = slot_of(k) };
	if (reg == H_NONE)
		return (struct place){ .is_memory = true, .at = state_mem(GPR_AT(r->reg[k])) };
	return (struct place){ .reg = reg };
}

static struct place in_rax(void)
{
	return (struct place){ .reg = H_RAX };
}

/* An operation of `size` bytes: modrm.reg (with `is_register`, a register's number) and a place. */
static void emit_sized(struct emit *e, unsigned size, u8 opcode, u8 reg, bool is_register, struct place p)
{
	bool low = (is_register && reg >= H_RSP) || (!p.is_memory && p.reg >= H_RSP);

	if (size == 2)
		emit8(e, 0x66);
	/* A byte register of SPL to DIL needs some REX prefix. */
	if (size == 1 && low && !(reg & 8) && !(!p.is_memory && (p.reg & 8)))
		emit8(e, 0x40);
	if (p.is_memory)
		emit_rm(e, size == 8, opcode | (size != 1), reg, p.at);
	else
		emit_rr(e, size == 8, opcode | (size != 1), reg, p.reg);
}

static void emit_with_imm(struct emit *e, unsigned size, u8 opcode, u8 op, struct place p, s32 imm)
{
	emit_sized(e, size, opcode, op, false, p);
	if (size == 1)
		emit8(e, imm);
	else if (size == 2)
		emit16(e, imm);
	else
		emit32(e, imm);
}

static void load_rax(struct emit *e, struct place p)
{
	if (p.is_memory)
		emit_load(e, H_RAX, p.at);
	else if (p.reg != H_RAX)
		emit_mov(e, true, H_RAX, p.reg);
}

/* RAX with a place, 64 bit. */
static void emit_alu_rax(struct emit *e, u8 op, struct place p)
{
	if (p.is_memory)
		emit_alu_mem(e, true, op, H_RAX, p.at);
	else
		emit_rr(e, true, op << 3 | 1, p.reg, H_RAX);
}

/* TEST or CMP. */
static void emit_comparison(struct translation *t, const struct recipe *r, bool test)
{
	struct place a = place_of(t, r, 0), b;
	struct emit *e = &t->e;

	if (r->count == 1) {
		emit_with_imm(e, r->size, test ? 0xf6 : 0x80, test ? 0 : ALU_CMP, a, r->imm);
		return;
	}
	b = place_of(t, r, 1);
	if (b.is_memory) {
		load_rax(e, b);
		b = in_rax();
	}
	emit_sized(e, r->size, test ? 0x84 : ALU_CMP << 3, b.reg, true, a);
}

/* From the result: what it was before into RAX, and the same again. */
static void emit_again(struct translation *t, const struct recipe *r, bool add)
{
	u8 op = add ? ALU_ADD : ALU_CMP;
	struct emit *e = &t->e;
	struct place b;

	load_rax(e, place_of(t, r, 0));
	if (r->count == 1) {
		emit_lea(e, true, H_RAX, mem_at(H_RAX, add ? -r->imm : r->imm));
		emit_with_imm(e, r->size, 0x80, op, in_rax(), r->imm);
		return;
	}
	b = place_of(t, r, 1);
	emit_alu_rax(e, add ? ALU_SUB : ALU_ADD, b);
	if (b.is_memory)
		emit_sized(e, r->size, op << 3 | 2, H_RAX, true, b);
	else
		emit_sized(e, r->size, op << 3, b.reg, true, in_rax());
}

void recipe__emit(struct translation *t, const struct recipe *r)
{
	struct emit *e = &t->e;
	struct place result;

	switch ((enum recipe_kind)r->kind) {
	case RECIPE_NONE:
		break;
	case RECIPE_ZERO:
		emit_rr(e, false, ALU_CMP << 3 | 1, H_RAX, H_RAX);
		break;
	case RECIPE_RESULT:
		result = place_of(t, r, 0);
		if (result.is_memory)
			emit_with_imm(e, r->size, 0xf6, 0, result, -1);
		else
			emit_sized(e, r->size, 0x84, result.reg, true, result);
		break;
	case RECIPE_TEST:
	case RECIPE_COMPARE:
		emit_comparison(t, r, r->kind == RECIPE_TEST);
		break;
	case RECIPE_NEGATE:
		load_rax(e, place_of(t, r, 0));
		emit_sized(e, r->size, 0xf6, 3, false, in_rax());
		emit_sized(e, r->size, 0xf6, 3, false, in_rax());
		break;
	case RECIPE_SHIFT:
		load_rax(e, place_of(t, r, 0));
		emit_rr(e, r->size == 8, 0xc1, r->op, H_RAX);
		emit8(e, r->imm);
		break;
	case RECIPE_ADD:
	case RECIPE_SUBTRACT:
		emit_again(t, r, r->kind == RECIPE_ADD);
		break;
	}
}
