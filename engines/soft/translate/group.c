/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups for several memory operands at once, where the first of them stands or before: fields of a
 * structure, locals of a function, what a loop reads and writes. They do not touch the flags of the code
 * that they serve.
 */
#include "engines/soft/translate/translate.h"

static struct host_mem slot_of(const struct group *group, unsigned k)
{
	unsigned slot = k < GROUP_SPANS ? k : GROUP_SPANS + group->span[k].slot;

	return state_mem(SOFT_AT(spans) + (s32)(slot * sizeof(u64)));
}

void group__look_up(struct translation *t, const struct group_span *span, struct cold *cold)
{
	const struct insn *insn = t->insn;
	unsigned size = span->high - span->low;
	struct insn first = *insn;
	struct host_mem limit;

	first.base = span->base;
	first.index = span->index;
	first.scale = span->scale;
	first.seg = span->seg;
	first.adsize = 8;
	first.disp = span->low - (span->base == X86_SLOT_RIP ? t->offset : span->bias);
	t->insn = &first;
	translate__linear(t);
	t->insn = insn;
	if (span->has_strides)
		limit = stride__limit(t, size);
	translate__check(t, size, span->has_strides ? &limit : NULL, span->write, span->alignment, cold);
}

/* The span's look-up; its host address into REG_ADDRESS and into its slot. */
static void look_up_span(struct translation *t, unsigned k, struct cold *cold)
{
	const struct group_span *span = &t->group.span[k];
	unsigned entry = cold->entries;

	group__look_up(t, span, cold);
	for (; span->write && entry < cold->entries; entry++)
		cold->writes |= 1 << entry;
	emit_store(&t->e, REG_ADDRESS, slot_of(&t->group, k));
	t->group.resident = k;
}

static void open(struct translation *t)
{
	struct group *group = &t->group;
	struct cold *cold;
	int k, first = group->of[t->index];

	/* So it stays: no instruction of a group moves RSP. */
	stack__settle(t);
	cold = translate__cold(t, COLD_EXECUTE, 0);
	cold->entries = 0;
	cold->is_group = true;
	translate__clobber_flags(t);
	cold->retry = t->e.at;
	group->nr_cold = 0;
	group->open = true;
	memset(group->owner, GROUP_NO_SPAN, sizeof(group->owner));
	/* That of this instruction comes last: REG_ADDRESS is right then. */
	for (k = group->nr_spans - 1; k >= 0; k--)
		if (group->span[k].members && k != first)
			look_up_span(t, k, cold);
	if (first != GROUP_NO_SPAN)
		look_up_span(t, first, cold);
	group__finish_cold(t, cold);
}

void group__begin(struct translation *t)
{
	const struct insn *insn = t->insn;
	bool mem = group__has_operand(insn) && !translate__is_found(t, insn);

	if (t->group.open || t->block->retries > SOFT_GROUP_RETRIES || !insn->row || insn->code != 8)
		return;
	/* Else when there is an operand; but while flags cost nothing, for such that come. */
	if (!mem && (translate__has_eflags(t) ||
		     !((insn->row->writes | insn->row->undefined) & RFLAGS_ARITH)))
		return;
	if (group__plan(t) && (mem || t->group.spares_flags))
		open(t);
}

/* A slot that is free, or GROUP_NO_SPAN. */
static u8 take_slot(struct group *group, u8 k, unsigned index)
{
	u8 slot;

	for (slot = 0; slot < SOFT_GROUP_LATE; slot++) {
		u8 owner = group->owner[slot];

		if (owner == GROUP_NO_SPAN || group->span[owner].last < index) {
			group->owner[slot] = k;
			return slot;
		}
	}
	return GROUP_NO_SPAN;
}

static void forget_span(struct group *group, u8 k)
{
	unsigned i;

	for (i = group->span[k].first; i <= group->span[k].last; i++)
		if (group->of[i] == k)
			group->of[i] = GROUP_NO_SPAN;
}

/* The look-up of a late span, where its first operand stands. false: each has its own. */
static bool open_late(struct translation *t, u8 k)
{
	struct group *group = &t->group;
	u8 slot = group->span[k].first == t->index ? take_slot(group, k, t->index) : GROUP_NO_SPAN;
	struct cold *cold;

	if (slot == GROUP_NO_SPAN) {
		forget_span(group, k);
		return false;
	}
	group->span[k].slot = slot;
	group->span[k].found = true;
	translate__clobber_flags(t);
	cold = translate__cold(t, COLD_EXECUTE, 0);
	cold->entries = 0;
	cold->is_group = true;
	cold->is_late = true;
	cold->retry = t->e.at;
	look_up_span(t, k, cold);
	group__finish_cold(t, cold);
	return true;
}

/* With the span's host address in REG_ADDRESS. */
static struct host_mem operand_of(const struct translation *t, u8 k)
{
	const struct group_span *span = &t->group.span[k];
	s32 disp = t->group.disp[t->index] - span->low;
	struct stride s;

	if (span->has_strides && stride__of(t, t->insn, &s))
		return mem_indexed(REG_ADDRESS, t->home[s.index], s.scale, disp);
	return mem_at(REG_ADDRESS, disp);
}

bool group__operand(struct translation *t)
{
	struct group *group = &t->group;
	u8 k;

	if (loop__operand(t))
		return true;
	if (!group->open)
		return false;
	k = group->of[t->index];
	if (k == GROUP_NO_SPAN)
		return false;
	if (k >= GROUP_SPANS && !group->span[k].found && !open_late(t, k))
		return false;
	if (group->resident != k) {
		u32 at = t->e.at;

		emit_load(&t->e, REG_ADDRESS, slot_of(group, k));
		translate__rax_stands(t, at);
	}
	group->resident = k;
	t->operand = operand_of(t, k);
	return true;
}

void group__finish_cold(struct translation *t, struct cold *cold)
{
	struct group *group = &t->group;

	if (!cold)
		return;
	if (group->open && group->nr_cold == GROUP_COLD) {
		t->e.overflow = true;
		return;
	}
	if (group->open) {
		cold->in_group = true;
		group->index[group->nr_cold] = t->index;
		group->cold[group->nr_cold++] = cold - t->cold;
		return;
	}
	cold->count = 1;
	cold->back = t->e.at;
	cold->pending_back = t->stack.pending;
	cold->load_flags = translate__has_eflags(t);
}

void group__end(struct translation *t, unsigned index, bool now)
{
	struct group *group = &t->group;
	u32 i;

	if (!group->open)
		return;
	if (!now && index != group->last) {
		if (group__loses_address(t))
			group->resident = GROUP_NO_SPAN;
		return;
	}
	for (i = 0; i < group->nr_cold; i++) {
		struct cold *cold = &t->cold[group->cold[i]];

		cold->count = index + 1 - group->index[i];
		cold->back = t->e.at;
		cold->pending_back = t->stack.pending;
		cold->load_flags = translate__has_eflags(t);
	}
	group->open = false;
}
