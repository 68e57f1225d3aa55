/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops: a block that ends with a conditional jump to its own beginning goes there without leaving, and does
 * once what holds for all of its rounds.
 *
 * That is to see that vector state is in the registers, that the stack is in one page, and the look-ups of operands
 * whose registers the block leaves alone, or adds constants to: those move on, and are looked up again at the page's
 * end. Their host addresses are kept in soft_vcpu.loop_spans. Nothing can take these pages away before the look at
 * `leave` between two rounds: flushes of the TLB, and those who protect a page, wait for it. Where one of these look-ups
 * fails, block->plain does the round, which does without; the next one begins at the block's entry again. So nothing is
 * done for operands that a round does not come to but a look into the TLB.
 *
 * In the rounds host registers of guest registers that the loop does not use hold others, which live in memory elsewhere, and
 * host addresses of those look-ups. What leads out of the rounds gives them back; nobody but the rounds' own code sees it.
 */
#include "engines/soft/translate/translate.h"

#define LINE 64u

/* No executor that the code would call if nothing fails, and nothing that moves RSP. */
static bool may_stand_in_loop(const struct translation *t, unsigned i)
{
	const struct insn *insn = &t->block->insn[i];

	if (insn->flags & INSN_BRANCH)
		return insn->opsize == t->size_of_code && (translate__is_conditional(insn) || t->block->at);
	return t->stands[i];
}

static bool ends_with_jump_back(const struct block *block)
{
	const struct insn *last = &block->insn[block->count - 1];
	s64 start = block->gpa & ~PAGE_MASK_4K;
	s64 end = block->at ? block->at[block->count - 1] + last->len : start + block->bytes;

	return translate__is_conditional(last) && end + (s64)last->imm == start;
}

static bool jumps_back(const struct translation *t)
{
	const struct block *block = t->block;
	unsigned i;

	/* A comparison is of one round. What crosses pages stands alone. From the plain code the way leads back. */
	if (t->soft->check || t->plain || (block->mode & MODE_CROSSING))
		return false;
	if (!block__is_trace(block) && !ends_with_jump_back(block))
		return false;
	for (i = 0; i < block->count; i++)
		if (!may_stand_in_loop(t, i))
			return false;
	return true;
}

/* ---- registers ---- */

/* No instruction that may stand in a loop has one of these as an operand that it does not name, but RAX. */
static const u8 lenders[LOOP_LOANS] = {
	X86_R14, X86_R13, X86_R12, X86_R9, X86_R8, X86_RBP, X86_RBX, X86_RSI, X86_RDI, X86_RAX, X86_RSP,
};

static bool has_accumulator(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++)
		if (operand_facts[row->op[i]].place == PLACE_RAX)
			return true;
	return row->forms == &forms_cbw || row->forms == &forms_cwd || row->forms == &forms_mul || row->forms == &forms_imul ||
	       row->exec == exec_fnstsw_ax;
}

/*
 * The loop's look-up of an operand stands for the registers that it is addressed by; but x87 instructions leave the address
 * itself to see (x87.c).
 */
static void count_uses(const struct insn *insn, bool is_found, u16 uses[X86_NR_GPR])
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(insn->row->op); i++) {
		int reg = translate__gpr_operand(insn, i);

		if (reg >= 0)
			uses[reg]++;
	}
	uses[X86_RAX] += has_accumulator(insn);
	if (!(insn->flags & INSN_MEM) || (is_found && insn->row->class != CLASS_X87))
		return;
	if (insn->base < X86_NR_GPR)
		uses[insn->base]++;
	if (insn->index < X86_NR_GPR)
		uses[insn->index]++;
}

/* What moves on takes two instructions less where it is in a register. */
static unsigned worth_of(const struct group_span *span)
{
	return span->members + 2 * !!span->step;
}

/* What a round has to load again and again, the most frequent first; registers in memory may also be in a chain. */
static struct loan *most_used(struct loan *wish, unsigned count, const struct loop_plan *loop, const u16 uses[X86_NR_GPR])
{
	struct loan *best = NULL;
	unsigned i, most = 1;

	for (i = 0; i < count; i++) {
		unsigned n = wish[i].is_span ? worth_of(&loop->span[wish[i].to]) : 2 * uses[wish[i].to];

		if (!wish[i].granted && n > most + !wish[i].is_span) {
			most = n;
			best = &wish[i];
		}
	}
	return best;
}

static void plan_loans(struct translation *t)
{
	struct loan wish[X86_NR_GPR + SOFT_LOOP_SPANS], *best;
	struct loop_plan *loop = &t->loop;
	u16 uses[X86_NR_GPR] = { 0 };
	unsigned i, count = 0;

	for (i = 0; i < t->block->count; i++)
		if (!(t->block->insn[i].flags & INSN_BRANCH))
			count_uses(&t->block->insn[i], loop->of[i] != GROUP_NO_SPAN, uses);
	uses[X86_RSP] += t->stack.known;
	for (i = 0; i < X86_NR_GPR; i++)
		if (host_of[i] == H_NONE)
			wish[count++] = (struct loan){ .to = i };
	for (i = 0; i < loop->nr_spans; i++)
		wish[count++] = (struct loan){ .is_span = true, .to = i };
	for (i = 0; i < LOOP_LOANS; i++) {
		if (uses[lenders[i]])
			continue;
		best = most_used(wish, count, loop, uses);
		if (!best)
			break;
		best->granted = true;
		best->from = lenders[i];
		loop->loan[loop->nr_loans++] = *best;
	}
}

static struct host_mem slot_of(unsigned k)
{
	return state_mem(SOFT_AT(loop_spans) + (s32)(k * sizeof(u64)));
}

static struct host_mem end_of(unsigned k)
{
	return state_mem(SOFT_AT(loop_ends) + (s32)(k * sizeof(u64)));
}

void loop__give_back(struct translation *t)
{
	const struct loop_plan *loop = &t->loop;
	unsigned i;

	for (i = 0; i < loop->nr_loans; i++) {
		u8 reg = host_of[loop->loan[i].from], to = loop->loan[i].to;

		if (!loop->loan[i].is_span)
			emit_store(&t->e, reg, state_mem(GPR_AT(to)));
		else if (loop->span[to].step)
			emit_store(&t->e, reg, slot_of(to));
		emit_load(&t->e, reg, state_mem(GPR_AT(loop->loan[i].from)));
	}
}

void loop__lend(struct translation *t)
{
	const struct loop_plan *loop = &t->loop;
	unsigned i;

	for (i = 0; i < loop->nr_loans; i++) {
		u8 reg = host_of[loop->loan[i].from];

		emit_store(&t->e, reg, state_mem(GPR_AT(loop->loan[i].from)));
		emit_load(&t->e, reg, loop->loan[i].is_span ? slot_of(loop->loan[i].to) :
								state_mem(GPR_AT(loop->loan[i].to)));
	}
}

static void set_homes(struct translation *t, bool lends)
{
	struct loop_plan *loop = &t->loop;
	unsigned i;

	memcpy(t->home, host_of, sizeof(t->home));
	memset(loop->home, H_NONE, sizeof(loop->home));
	loop->lends = lends && loop->nr_loans;
	for (i = 0; loop->lends && i < loop->nr_loans; i++) {
		const struct loan *loan = &loop->loan[i];

		*(loan->is_span ? &loop->home[loan->to] : &t->home[loan->to]) = host_of[loan->from];
	}
}

/* ---- rounds ---- */

void loop__begin(struct translation *t)
{
	memset(t->loop.of, GROUP_NO_SPAN, sizeof(t->loop.of));
	t->loop.jumps_back = jumps_back(t);
	/* A way that is no loop is not translated. */
	t->e.overflow |= block__is_trace(t->block) && !t->loop.jumps_back;
	if (t->loop.jumps_back && t->size_of_code == 8) {
		group__plan_loop(t);
		plan_loans(t);
	}
	set_homes(t, false);
}

/*
 * Rounds begin with a line of the host's caches, as both views of the area do; and behind the first bytes of the entry, which
 * become a jump elsewhere when the block is translated again.
 */
static void align_round(struct translation *t)
{
	static const u8 nop[] = { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 };
	struct emit *e = &t->e;
	u32 left = ALIGN_UP_TO(e->at, LINE) - e->at;
	unsigned i;

	if (e->at + left < t->entry_unchecked + 5)
		left += LINE;
	for (; left >= sizeof(nop); left -= sizeof(nop))
		for (i = 0; i < sizeof(nop); i++)
			emit8(e, nop[i]);
	for (; left; left--)
		emit8(e, 0x90);
}

/* From REG_ADDRESS, what moves on in the first round; the slot has what it is before a step. */
static void begin_to_move(struct translation *t, unsigned k)
{
	const struct group_span *span = &t->loop.span[k];
	struct emit *e = &t->e;

	emit_mov(e, true, H_RAX, REG_ADDRESS);
	if (span->step > 0) {
		emit_alu_imm(e, true, ALU_OR, H_RAX, PAGE_SIZE_4K - 1);
		emit_lea(e, true, H_RAX, mem_at(H_RAX, 1 - (s32)(span->high - span->low)));
	} else {
		emit_alu_imm(e, true, ALU_AND, H_RAX, -(s32)PAGE_SIZE_4K);
	}
	emit_store(e, H_RAX, end_of(k));
	emit_lea(e, true, REG_ADDRESS, mem_at(REG_ADDRESS, -span->step));
}

/* Two arrays may drive each other's pages out of the TLB's first table all the way. */
static void look_up_moving(struct translation *t, const struct group_span *span)
{
	struct cold *cold = translate__cold(t, COLD_LOOP_MOVING, 0);
	unsigned size = span->high - span->low, k = 0;

	cold->entries = 0;
	group__look_up(t, span, cold);
	while (1u << k < size)
		k++;
	if (span->alignment > 1 || k >= SOFT_SECOND_SIZES)
		return;
	/* Where that is for more bytes than there are, the page's end comes sooner. */
	cold->second = t->soft->glue.second[translate__view(t)][span->write][k];
	cold->found = t->e.at;
}

static void look_up_all(struct translation *t)
{
	struct loop_plan *loop = &t->loop;
	unsigned k;

	t->insn = t->block->insn;
	loop->cold = translate__cold(t, COLD_LOOP, 0) - t->cold;
	t->cold[loop->cold].entries = 0;
	for (k = 0; k < loop->nr_spans; k++) {
		if (loop->span[k].step) {
			look_up_moving(t, &loop->span[k]);
			begin_to_move(t, k);
		} else {
			group__look_up(t, &loop->span[k], &t->cold[loop->cold]);
		}
		emit_store(&t->e, REG_ADDRESS, slot_of(k));
	}
}

/* At the beginning of each round. Host pages end where the guest's do. */
static void move_on(struct translation *t)
{
	struct loop_plan *loop = &t->loop;
	struct emit *e = &t->e;
	struct cold *cold = NULL;
	unsigned k;

	for (k = 0; k < loop->nr_spans; k++) {
		s16 step = loop->span[k].step;
		u8 reg = loop->home[k];

		if (!step)
			continue;
		if (!cold) {
			cold = translate__cold(t, COLD_LOOP_END, 0);
			cold->entries = 0;
		}
		if (reg == H_NONE) {
			reg = REG_ADDRESS;
			emit_load(e, reg, slot_of(k));
		}
		emit_alu_imm(e, true, ALU_ADD, reg, step);
		if (reg == REG_ADDRESS)
			emit_store(e, reg, slot_of(k));
		emit_alu_mem(e, true, ALU_CMP, reg, end_of(k));
		cold->from[cold->entries++] = emit_jcc(e, step > 0 ? CC_A : CC_B);
	}
}

void loop__emit_entry(struct translation *t)
{
	struct loop_plan *loop = &t->loop;

	if (!loop->jumps_back)
		return;
	if (loop->nr_spans || loop->may_stride)
		look_up_all(t);
	stride__emit_entry(t);
	loop__lend(t);
	set_homes(t, true);
	align_round(t);
	loop->round = t->e.at;
	move_on(t);
}

/*
 * Two jumps that lead on at first: to the next version of the loop, once there is one (missed.c), and to block->plain.
 */
void loop__emit_cold(struct translation *t)
{
	struct host_mem left = state_mem(SOFT_AT(loop_straddles_left));
	struct emit *e = &t->e;
	u32 other, most;

	t->version_site = emit_jmp(e);
	emit_patch(e, t->version_site, e->at);
	/* An offset in the page is left of an address that the TLB has: operands are on two pages. */
	emit_alu_imm(e, true, ALU_CMP, REG_ADDRESS, PAGE_SIZE_4K);
	other = emit_jcc(e, CC_AE);
	emit_rm(e, false, 0x83, ALU_SUB, left);
	emit8(e, 1);
	most = emit_jcc(e, CC_NE);
	emit_mov_imm64(e, H_RAX, (u64)t->block | 2);
	emit_call_to(e, t->soft->glue.group_missed);
	emit_jmp_to(e, t->start);
	emit_patch(e, other, e->at);
	emit_patch(e, most, e->at);
	t->loop.to_plain = e->at;
	t->loop_site = emit_jmp(e);
	emit_patch(e, t->loop_site, e->at);
	emit_mov_imm64(e, REG_ADDRESS, (u64)t->block | 1);
	emit_jmp_to(e, t->soft->glue.other_stack);
}

/* To the entry again, with other pages; from there, to block->plain, as a page's end lies in the operands. */
void loop__emit_moving_cold(struct translation *t, const struct cold *cold)
{
	if (cold->kind == COLD_LOOP_MOVING) {
		emit_jmp_to(&t->e, t->loop.to_plain);
		return;
	}
	loop__give_back(t);
	emit_jmp_to(&t->e, t->start);
}

bool loop__has_operand(const struct translation *t, const struct insn *insn)
{
	return t->loop.of[insn - t->block->insn] != GROUP_NO_SPAN;
}

bool loop__operand(struct translation *t)
{
	struct loop_plan *loop = &t->loop;
	u8 k = loop->of[t->index];

	if (k == GROUP_NO_SPAN)
		return false;
	if (loop->home[k] != H_NONE) {
		t->operand = mem_at(loop->home[k], loop->disp[t->index] - loop->span[k].low);
		return true;
	}
	if (!t->group.open || t->group.resident != LOOP_FIRST_SPAN + k) {
		u32 at = t->e.at;

		emit_load(&t->e, REG_ADDRESS, slot_of(k));
		translate__rax_stands(t, at);
	}
	t->group.resident = LOOP_FIRST_SPAN + k;
	t->operand = mem_at(REG_ADDRESS, loop->disp[t->index] - loop->span[k].low);
	return true;
}

static void emit_look_and_jump(struct translation *t)
{
	struct emit *e = &t->e;

	emit_rm(e, false, 0x83, 7, state_mem(VCPU_AT(leave)));
	emit8(e, 0);
	emit_patch(e, emit_jcc(e, CC_E), t->loop.round);
	if (t->flags == FLAGS_HOST) {
		recipe__emit(t, &t->recipe);
		translate__store_eflags(e);
	}
	loop__give_back(t);
	/* The entry sees that somebody waits. */
	emit_patch(e, emit_jmp(e), t->start);
	t->loop.is_closed = true;
}

void loop__close(struct translation *t)
{
	translate__save_flags(t);
	stack__settle(t);
	emit_look_and_jump(t);
	set_homes(t, false);
}

/* The next round overwrites them, and who leaves instead of it can work them out. */
static bool needs_no_flags(const struct translation *t)
{
	unsigned k;

	for (k = 0; k < t->loop.nr_spans; k++)
		if (t->loop.span[k].step)
			return false;
	return t->recipe.kind != RECIPE_NONE && translate__overwrites_flags(t, 0);
}

bool loop__jump_back(struct translation *t)
{
	struct emit *e = &t->e;
	u32 out;

	if (!t->loop.jumps_back || t->index != t->block->count - 1u || (block__is_trace(t->block) && !translate__follows_jump(t)))
		return false;
	/* Also where the target is so near to the page's end that other jumps there are far ones. */
	if (!needs_no_flags(t))
		translate__save_flags(t);
	out = emit_jcc(e, (t->insn->opcode & 15) ^ 1);
	emit_look_and_jump(t);
	emit_patch(e, out, e->at);
	loop__give_back(t);
	set_homes(t, false);
	return true;
}
