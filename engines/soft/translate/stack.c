/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack: one check at a block's entry serves all accesses of the block at constant distances from
 * RSP.
 *
 * The page that the stack was last in is kept beside the TLB (struct tlb_stack), with what makes a host
 * address of a linear one. While the block executes nothing can take that away: flushes wait for
 * its end. So these accesses never fault, and RSP need not be moved by each PUSH and POP: `pending` is
 * how far it is behind. A block that finds its stack elsewhere, or on two pages, goes on in another
 * translation that makes no use of this (block->plain).
 */
#include "engines/soft/translate/translate.h"

/* The accesses of a block span no more than that, and lie no farther from RSP at its entry. */
#define MAX_STACK_SPAN 512
#define MAX_STACK_DISTANCE 1024

struct stack_use {
	bool accesses;
	bool writes;
	s64 disp; /* from RSP */
	unsigned size;
	s64 change; /* of RSP */
	bool lost; /* RSP is not known behind the instruction */
};

static bool is_register_operand(const struct insn *insn, unsigned i, u8 reg)
{
	return translate__gpr_operand(insn, i) == reg;
}

static bool writes_stack_pointer(const struct insn *insn)
{
	return (translate__writes_first(insn) && is_register_operand(insn, 0, X86_RSP)) ||
	       (translate__writes_second(insn) && is_register_operand(insn, 1, X86_RSP));
}

static bool is_based_on_stack(const struct insn *insn)
{
	return (insn->flags & INSN_MEM) && insn->adsize == 8 && insn->base == X86_RSP &&
	       insn->index == X86_SLOT_ZERO && insn->seg < X86_FS && insn->disp == (s32)insn->disp;
}

/* Copied by translate__integer() or translate__vector() with whatever base. */
static bool is_plain_access(const struct translation *t, const struct insn *insn)
{
	if (!is_based_on_stack(insn) || (insn->flags & (INSN_LOCK | INSN_BRANCH)) ||
	    (insn->row->flags & ROW_VSIB))
		return false;
	if (translate__count_scratch(t, insn) > 1)
		return false;
	if (insn->row->class == CLASS_VECTOR)
		return translate__is_vector(t, insn) && translate__alignment(insn) == 1;
	return insn->row->class == CLASS_INTEGER && translate__is_copied(t, insn);
}

static void use_branch(const struct insn *insn, struct stack_use *use)
{
	const struct exec_forms *forms = insn->row->forms;

	if (forms == &forms_ret)
		*use = (struct stack_use){ .accesses = true, .size = 8, .lost = true };
	else if (forms == &forms_call_rel || forms == &forms_call)
		*use = (struct stack_use){ .accesses = true, .writes = true, .disp = -8, .size = 8,
					   .lost = true };
}

/* PUSH, POP, and what adds a constant to RSP. */
static bool use_stack_pointer(const struct insn *insn, struct stack_use *use)
{
	const struct exec_forms *forms = insn->row->forms;
	bool register_only = !(insn->flags & INSN_MEM) && insn->opsize == 8;

	if (forms == &forms_push && register_only)
		*use = (struct stack_use){ .accesses = true, .writes = true, .disp = -8, .size = 8,
					   .change = -8 };
	else if (forms == &forms_pop && register_only && insn->dst / 8 != X86_RSP)
		*use = (struct stack_use){ .accesses = true, .size = 8, .change = 8 };
	else if ((forms == &forms_add || forms == &forms_sub) && register_only &&
		 is_register_operand(insn, 0, X86_RSP) &&
		 operand_facts[insn->row->op[1]].place == PLACE_IMM)
		use->change = forms == &forms_add ? (s64)insn->imm : -(s64)insn->imm;
	else if (forms == &forms_lea && insn->opsize == 8 && is_register_operand(insn, 0, X86_RSP) &&
		 is_based_on_stack(insn))
		use->change = insn->disp;
	else
		return false;
	return true;
}

static void find_use(const struct translation *t, const struct insn *insn, struct stack_use *use)
{
	const struct opcode_row *row = insn->row;

	*use = (struct stack_use){};
	if (!row || row->class == CLASS_SYSTEM) {
		use->lost = true;
		return;
	}
	if (insn->flags & INSN_BRANCH) {
		use_branch(insn, use);
		return;
	}
	if (row->class == CLASS_INTEGER && use_stack_pointer(insn, use))
		return;
	if (is_plain_access(t, insn)) {
		use->accesses = true;
		use->writes = row->flags & (ROW_WRITES_MEM | ROW_RMW_MEM);
		use->disp = insn->disp;
		use->size = translate__access_size(insn);
	}
	use->lost = writes_stack_pointer(insn) || row->forms == &forms_push ||
		    row->forms == &forms_pop || row->forms == &forms_leave ||
		    row->forms == &forms_enter || row->forms == &forms_pusha ||
		    row->forms == &forms_popa;
}

static bool widen(struct stack_track *s, const struct stack_use *use, s64 rsp)
{
	s64 low = MIN_OF(s->low, rsp + use->disp);
	s64 high = MAX_OF(s->high, rsp + use->disp + use->size);

	if (high - low > MAX_STACK_SPAN || low < -MAX_STACK_DISTANCE || high > MAX_STACK_DISTANCE)
		return false;
	s->low = low;
	s->high = high;
	s->writes |= use->writes;
	return true;
}

void stack__begin(struct translation *t)
{
	struct stack_track *s = &t->stack;
	struct stack_use use;
	s64 rsp = 0;
	unsigned i;

	*s = (struct stack_track){ .low = MAX_STACK_DISTANCE, .high = -MAX_STACK_DISTANCE };
	if (t->plain || t->size_of_code != 8)
		return;
	for (i = 0; i < t->block->count; i++) {
		find_use(t, &t->block->insn[i], &use);
		if (use.accesses) {
			/* The first one alone sets both ends. */
			if (!s->known)
				s->low = s->high = rsp + use.disp;
			s->known |= widen(s, &use, rsp);
		}
		rsp += use.change;
		if (use.lost || rsp != (s32)rsp)
			break;
	}
}

/* Emits the check; the cold code goes on in the other translation. */
void stack__emit_check(struct translation *t)
{
	struct stack_track *s = &t->stack;
	struct emit *e = &t->e;
	struct cold *cold;

	if (!s->known)
		return;
	emit_lea(e, true, REG_ADDRESS, mem_at(t->home[X86_RSP], s->low));
	emit_alu_mem(e, true, ALU_XOR, REG_ADDRESS,
		     s->writes ? STACK_FIELD(t, write) : STACK_FIELD(t, read));
	emit_alu_imm(e, true, ALU_CMP, REG_ADDRESS, PAGE_SIZE_4K - (s->high - s->low));
	cold = translate__cold(t, COLD_STACK, emit_jcc(e, CC_A));
	cold->back = e->at;
}

void stack__emit_cold(struct translation *t, const struct cold *cold)
{
	struct stack_track *s = &t->stack;
	struct emit *e = &t->e;
	u32 other;

	emit_mov_imm32(e, H_RAX, PAGE_SIZE_4K - (s->high - s->low));
	emit_call_to(e, t->soft->glue.fill_stack[translate__view(t)][s->writes]);
	other = emit_jcc(e, CC_A);
	emit_jmp_to(e, cold->back);
	emit_patch(e, other, e->at);
	emit_mov_imm64(e, REG_ADDRESS, (u64)t->block);
	emit_jmp_to(e, t->soft->glue.other_stack);
	t->stack_site = other;
	t->block->stack_low = s->low;
	t->block->stack_span = s->high - s->low;
	t->block->stack_writes = s->writes;
}

/* ---- while the block is generated ---- */

/* The register is RSP from here on. */
void stack__settle(struct translation *t)
{
	struct stack_track *s = &t->stack;

	if (s->pending)
		emit_lea(&t->e, true, t->home[X86_RSP], mem_at(t->home[X86_RSP], s->pending));
	s->register_at += s->pending;
	s->pending = 0;
}

/* Whether an access at this distance from RSP is covered by the check. */
static bool is_checked(const struct stack_track *s, s64 disp, unsigned size, bool write)
{
	s64 at = s->register_at + s->pending + disp;

	return s->known && size && at >= s->low && at + size <= s->high && (s->writes || !write);
}

static struct host_mem stack_mem(struct translation *t, s64 disp)
{
	if (t->stack.delta_at != t->e.at)
		emit_load(&t->e, H_RAX, STACK_FIELD(t, delta));
	return mem_indexed(H_RAX, t->home[X86_RSP], 0, t->stack.pending + disp);
}

bool stack__is_operand(const struct translation *t, const struct insn *insn)
{
	struct stack_use use;

	if (!t->stack.known || !is_plain_access(t, insn))
		return false;
	find_use(t, insn, &use);
	return is_checked(&t->stack, use.disp, use.size, use.writes);
}

struct host_mem stack__operand(struct translation *t)
{
	return stack_mem(t, t->insn->disp);
}

bool stack__push(struct translation *t, struct host_mem *at)
{
	if (!is_checked(&t->stack, -8, 8, true))
		return false;
	*at = stack_mem(t, -8);
	t->stack.pending -= 8;
	t->stack.moved = true;
	return true;
}

bool stack__pop(struct translation *t, struct host_mem *at, s32 release)
{
	if (!is_checked(&t->stack, 0, 8, false))
		return false;
	*at = stack_mem(t, 0);
	t->stack.pending += release;
	t->stack.moved = true;
	return true;
}

/* As an operand: not only as its address. */
static bool has_stack_pointer(const struct insn *insn)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(insn->row->op); i++)
		if (is_register_operand(insn, i, X86_RSP))
			return true;
	return false;
}

void stack__prepare(struct translation *t)
{
	const struct insn *insn = t->insn;
	struct stack_use use;

	t->stack.moved = false;
	if (!t->stack.known)
		return;
	find_use(t, insn, &use);
	/* No vector instruction has both a general register and memory. */
	if (use.accesses && !use.lost && is_checked(&t->stack, use.disp, use.size, use.writes) &&
	    !(insn->row->class == CLASS_INTEGER && has_stack_pointer(insn)))
		return;
	if (use.lost || use.change || use.accesses || (insn->flags & INSN_BRANCH) ||
	    has_stack_pointer(insn) || ((insn->flags & INSN_MEM) && insn->base == X86_RSP))
		stack__settle(t);
}

void stack__finish(struct translation *t)
{
	struct stack_track *s = &t->stack;
	struct stack_use use;

	if (!s->known)
		return;
	find_use(t, t->insn, &use);
	if (use.lost)
		s->known = false;
	else if (!s->moved)
		s->register_at += use.change;
}
