/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups for several memory operands at once, where the first of them stands or before: fields of a
 * structure, locals of a function, what a loop reads and writes. They do not touch the flags of the code
 * that they serve.
 */
#include "engines/soft/translate/translate.h"

static struct host_mem slot_of(unsigned span)
{
	return state_mem(SOFT_AT(spans) + (s32)(span * sizeof(u64)));
}

/* The span's look-up; its host address into REG_ADDRESS and into its slot. */
static void look_up_span(struct translation *t, unsigned k, struct cold *cold)
{
	const struct group_span *span = &t->group.span[k];
	const struct insn *insn = t->insn;
	unsigned entry = cold->entries;
	struct insn first = *insn;

	first.base = span->base;
	first.index = span->index;
	first.scale = span->scale;
	first.seg = span->seg;
	first.adsize = 8;
	first.disp = span->base == X86_SLOT_RIP ? span->low - t->offset : span->low;
	t->insn = &first;
	translate__linear(t);
	t->insn = insn;
	translate__check(t, span->high - span->low, span->write, span->alignment, cold);
	for (; span->write && entry < cold->entries; entry++)
		cold->writes |= 1 << entry;
	emit_store(&t->e, REG_ADDRESS, slot_of(k));
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
	bool mem = group__has_operand(insn) && !stack__is_operand(t, insn);

	if (t->group.open || t->block->retries > SOFT_GROUP_RETRIES || !insn->row || insn->code != 8)
		return;
	/* Else when there is an operand; but while flags cost nothing, for such that come. */
	if (!mem && (translate__has_eflags(t) ||
		     !((insn->row->writes | insn->row->undefined) & RFLAGS_ARITH)))
		return;
	if (group__plan(t, &t->group) && (mem || t->group.spares_flags))
		open(t);
}

bool group__operand(struct translation *t)
{
	struct group *group = &t->group;
	u8 k;

	if (!group->open)
		return false;
	k = group->of[t->index];
	if (k == GROUP_NO_SPAN)
		return false;
	if (group->resident != k) {
		bool cached = t->cached_at == t->e.at;

		emit_load(&t->e, REG_ADDRESS, slot_of(k));
		if (cached)
			t->cached_at = t->e.at;
	}
	group->resident = k;
	t->operand = mem_at(REG_ADDRESS, group->disp[t->index] - group->span[k].low);
	return true;
}

void group__finish_cold(struct translation *t, struct cold *cold)
{
	struct group *group = &t->group;

	if (!cold)
		return;
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
