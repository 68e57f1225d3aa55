/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls of executors, and the code that stands behind a block. */
#include "engines/soft/translate/translate.h"

/*
 * Compilers use R10, R11 and R15 least: these stand in memory. RCX and RDX are where they are, for shifts
 * by CL and for multiplications.
 */
const u8 host_of[X86_NR_GPR] = {
	[X86_RAX] = H_R10, [X86_RCX] = H_RCX,  [X86_RDX] = H_RDX,  [X86_RBX] = H_RBX,
	[X86_RSP] = H_R15, [X86_RBP] = H_RBP,  [X86_RSI] = H_RSI,  [X86_RDI] = H_RDI,
	[X86_R8] = H_R8,   [X86_R9] = H_R9,    [X86_R10] = H_NONE, [X86_R11] = H_NONE,
	[X86_R12] = H_R12, [X86_R13] = H_R13,  [X86_R14] = H_R11,  [X86_R15] = H_NONE,
};

/* ---- executors ---- */

static u32 way_to_execute(const struct translation *t, const struct insn *insn)
{
	const struct glue *glue = &t->soft->glue;

	if (insn->row && insn->row->class == CLASS_SYSTEM && !soft__keeps_mode(insn))
		return translate__way_to_change_mode(t, insn);
	return t->has_vectors ? glue->execute_vectors : glue->execute;
}

static void call_executor(struct translation *t, const struct insn *insn, s64 offset)
{
	emit_mov_imm64(&t->e, REG_ADDRESS, (u64)insn);
	emit_mov_imm32(&t->e, H_RAX, offset);
	emit_call_to(&t->e, way_to_execute(t, insn));
}

void translate__call_executor(struct translation *t)
{
	stack__settle(t);
	translate__save_flags(t);
	x87__settle(t);
	if (t->loop.lends)
		loop__give_back(t);
	call_executor(t, t->insn, t->offset);
	if (t->loop.lends)
		loop__lend(t);
	t->flags = FLAGS_MEMORY;
}

/* ---- cold code ---- */

struct cold *translate__cold(struct translation *t, enum cold_kind kind, u32 from)
{
	struct cold *cold;

	if (t->nr_cold == MAX_COLD) {
		t->e.overflow = true;
		return &t->cold[0];
	}
	cold = &t->cold[t->nr_cold++];
	*cold = (struct cold){
		.kind = kind,
		.insn = t->insn,
		.offset = t->offset,
		.pending = t->stack.pending,
		.x87 = t->x87,
		.stack = t->stack,
		.lends = t->loop.lends,
	};
	if (t->flags == FLAGS_LATER)
		cold->recipe = t->recipe;
	cold->from[cold->entries++] = from;
	return cold;
}

static void emit_leave(struct translation *t, s64 offset)
{
	emit_mov_imm32(&t->e, REG_ADDRESS, offset);
	emit_jmp_to(&t->e, t->soft->glue.leave);
}

static void give_back(struct translation *t, const struct cold *cold)
{
	if (cold->lends)
		loop__give_back(t);
}

/* The jump that led here is to lead to the target itself, once that has code. */
static void emit_link(struct translation *t, const struct cold *cold)
{
	u32 site = cold->from[0];

	if (cold->save_flags || cold->lends) {
		if (cold->save_flags)
			translate__store_eflags(&t->e);
		give_back(t, cold);
		site = emit_jmp(&t->e);
		emit_patch(&t->e, site, t->e.at);
	}
	if (cold->target > cold->offset)
		site |= SOFT_LINK_FORWARD;
	emit_mov_imm32(&t->e, H_RAX, site);
	emit_mov_imm32(&t->e, REG_ADDRESS, cold->target);
	emit_jmp_to(&t->e, t->soft->glue.link);
}

static void emit_far(struct translation *t, const struct cold *cold)
{
	struct emit *e = &t->e;

	emit_load(e, REG_ADDRESS, state_mem(SOFT_AT(code_base)));
	emit_lea(e, t->size_of_code == 8, REG_ADDRESS, mem_at(REG_ADDRESS, cold->target));
	emit_mov_imm32(e, H_RAX, cold->site | SOFT_LINK_FAR);
	emit_jmp_to(e, t->soft->glue.far_link);
}

static void move_stack_pointer(struct emit *e, s32 by)
{
	if (by)
		emit_lea(e, true, host_of[X86_RSP], mem_at(host_of[X86_RSP], by));
}

static unsigned insn_index(const struct translation *t, const struct insn *insn)
{
	return insn - t->block->insn;
}

/* Several: a whole group, for all that fails in it. */
static void execute_all(struct translation *t, const struct cold *cold)
{
	u32 *at = &t->executed_at[insn_index(t, cold->insn)];
	const struct insn *insn = cold->insn;
	s64 offset = cold->offset;
	unsigned i;

	for (i = 0; i < MAX_OF(cold->count, 1); i++) {
		if (i)
			translate__count(t);
		at[i] = t->e.at;
		recipe__repeat_keeps(t, insn_index(t, insn));
		call_executor(t, insn, offset);
		offset = block__next_offset(t->block, insn_index(t, insn), offset);
		insn++;
	}
}

/* Whether the rest of the group stands behind the block. */
static bool goes_on_apart(const struct translation *t, const struct cold *cold)
{
	return cold->is_apart ||
	       (cold->is_late && t->executed_at[insn_index(t, cold->insn)] < t->cold_start);
}

/*
 * An offset in the page is what is left of an address that the TLB has: the operands are on two pages. Returns where
 * that is not to be looked at.
 */
static u32 emit_is_crossing(struct translation *t)
{
	u32 other, crossing;

	emit_alu_imm(&t->e, true, ALU_CMP, REG_ADDRESS, PAGE_SIZE_4K);
	other = emit_jcc(&t->e, CC_AE);
	emit_call_to(&t->e, t->soft->glue.straddled);
	crossing = emit_jcc(&t->e, CC_NE);
	emit_patch(&t->e, other, t->e.at);
	return crossing;
}

/*
 * The entries of a group's cold code lead to the one for reading or to the one for writing. Where the group's
 * instructions stand behind the block, page ends cost no more than going there, and are not counted.
 */
static void emit_missed(struct translation *t, const struct cold *cold)
{
	bool apart = goes_on_apart(t, cold);
	u32 common, end, read = 0, write = 0;
	struct emit *e = &t->e;
	unsigned i;

	for (i = 0; i < cold->entries; i++)
		if (cold->writes >> i & 1)
			emit_patch(e, cold->from[i], e->at);
	if (apart)
		write = emit_is_crossing(t);
	translate__unmatch(t, true);
	common = emit_jmp(e);
	for (i = 0; i < cold->entries; i++)
		if (!(cold->writes >> i & 1))
			emit_patch(e, cold->from[i], e->at);
	if (apart)
		read = emit_is_crossing(t);
	translate__unmatch(t, false);
	emit_patch(e, common, e->at);
	give_back(t, cold);
	emit_mov_imm64(e, H_RAX, (u64)t->block | t->plain);
	emit_call_to(e, t->soft->glue.group_missed);
	emit_rr(e, false, 0x84, H_RAX, H_RAX);
	end = emit_jcc(e, CC_E);
	if (cold->lends)
		loop__lend(t);
	emit_jmp_to(e, cold->retry);
	if (apart) {
		emit_patch(e, read, e->at);
		emit_patch(e, write, e->at);
		give_back(t, cold);
	}
	emit_patch(e, end, e->at);
}

static void execute_cold(struct translation *t, const struct cold *cold)
{
	if (cold->save_flags)
		translate__store_eflags(&t->e);
	if (cold->is_group)
		emit_missed(t, cold);
	else
		give_back(t, cold);
	if (cold->recipe.kind != RECIPE_NONE) {
		recipe__emit(t, &cold->recipe);
		translate__store_eflags(&t->e);
	}
	move_stack_pointer(&t->e, cold->pending);
	x87__store_pointers(t, &cold->x87);
	/* What the group's first cold code executes, or what stands behind the block. */
	if (cold->is_apart || (cold->in_group && (!cold->is_group || cold->is_late))) {
		emit_jmp_to(&t->e, t->executed_at[insn_index(t, cold->insn)]);
		return;
	}
	execute_all(t, cold);
	move_stack_pointer(&t->e, -cold->pending_back);
	if (cold->load_flags)
		translate__fetch_eflags(&t->e);
	if (cold->lends)
		loop__lend(t);
	emit_jmp_to(&t->e, cold->back);
}

/* Pages that drive each other out of the TLB's first table are found without a call in C. */
static void try_second(struct translation *t, const struct cold *cold)
{
	struct emit *e = &t->e;

	emit_patch(e, cold->from[0], e->at);
	emit_call_to(e, cold->second);
	emit_patch(e, emit_jcc(e, CC_BE), cold->found);
}

static void emit_one(struct translation *t, const struct cold *cold)
{
	switch ((enum cold_kind)cold->kind) {
	case COLD_EXECUTE:
		execute_cold(t, cold);
		break;
	case COLD_LINK:
		emit_link(t, cold);
		break;
	case COLD_FAR:
		emit_far(t, cold);
		break;
	case COLD_FIND:
		translate__emit_find(t, cold);
		break;
	case COLD_READ:
		translate__emit_read(t, cold);
		break;
	case COLD_JUMP:
		if (cold->save_flags)
			translate__store_eflags(&t->e);
		give_back(t, cold);
		t->flags = FLAGS_MEMORY;
		translate__go_to(t, cold->target);
		break;
	case COLD_LEAVE:
		emit_leave(t, cold->offset);
		break;
	case COLD_STACK:
		stack__emit_cold(t, cold);
		break;
	case COLD_LOOP:
		loop__emit_cold(t);
		break;
	case COLD_LOOP_MOVING:
	case COLD_LOOP_END:
		loop__emit_moving_cold(t, cold);
		break;
	case COLD_VECTORS:
		emit_call_to(&t->e, t->soft->glue.load_vectors);
		emit_jmp_to(&t->e, cold->back);
		break;
	}
}

void translate__emit_cold(struct translation *t)
{
	u32 i, j;

	t->flags = FLAGS_MEMORY;
	for (i = 0; i < t->nr_cold; i++) {
		struct cold *cold = &t->cold[i];

		if (cold->second)
			try_second(t, cold);
		cold->start = t->e.at;
		for (j = cold->second != 0; j < cold->entries; j++)
			emit_patch(&t->e, cold->from[j], t->e.at);
		emit_one(t, cold);
	}
}
