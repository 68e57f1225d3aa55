/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One look-up for several memory operands: fields of a structure, locals of a function. */
#include "engines/soft/translate/translate.h"

/* How far apart the operands may be: farther ones are too often on two pages. */
#define MAX_SPAN 256

struct span {
	s64 low;
	s64 high;
	bool write;
	unsigned members;
	unsigned last;
};

static bool has_group_operand(const struct insn *insn)
{
	return (insn->flags & INSN_MEM) && insn->code == 8 && insn->adsize == 8 &&
	       insn->seg < X86_FS && insn->base < X86_NR_GPR && insn->index == X86_SLOT_ZERO &&
	       !(insn->row->flags & ROW_VSIB) && insn->disp == (s32)insn->disp;
}

/* Copied as it is, with one scratch register at most, so that REG_ADDRESS stays. */
static bool may_stand_in_group(const struct translation *t, const struct insn *insn)
{
	bool on_stack = stack__is_operand(t, insn);

	if (!insn->row || (insn->flags & (INSN_BRANCH | INSN_STOP | INSN_LOCK)) ||
	    translate__count_scratch(insn) > !on_stack)
		return false;
	if (insn->row->class == CLASS_VECTOR)
		return translate__is_vector(t, insn) &&
		       (!(insn->flags & INSN_MEM) || translate__vector_is_unaligned(insn));
	return insn->row->class == CLASS_INTEGER && translate__is_copied(t, insn);
}

static bool writes_register(const struct insn *insn, u8 reg)
{
	return translate__writes_first(insn) && translate__gpr_operand(insn, 0) == reg;
}

static bool writes_memory(const struct insn *insn)
{
	return insn->row->flags & (ROW_WRITES_MEM | ROW_RMW_MEM);
}

static bool add_member(struct span *span, const struct insn *insn, unsigned index)
{
	unsigned size = translate__access_size(insn);
	s64 low = MIN_OF(span->low, insn->disp), high = MAX_OF(span->high, insn->disp + size);

	if (!size || size > 64 || high - low > MAX_SPAN)
		return false;
	span->low = low;
	span->high = high;
	span->write |= writes_memory(insn);
	span->members++;
	span->last = index;
	return true;
}

static void find_span(const struct translation *t, struct span *span)
{
	const struct insn *first = t->insn;
	unsigned i;

	*span = (struct span){ .low = first->disp, .high = first->disp };
	for (i = t->index; i < t->block->count; i++) {
		const struct insn *insn = &t->block->insn[i];

		if (!may_stand_in_group(t, insn))
			return;
		if ((insn->flags & INSN_MEM) && !stack__is_operand(t, insn)) {
			if (!has_group_operand(insn) || insn->base != first->base ||
			    insn->seg != first->seg || !add_member(span, insn, i))
				return;
		}
		/* What is found on the stack is found by where RSP is now. */
		if (writes_register(insn, first->base) || writes_register(insn, X86_RSP))
			return;
	}
}

bool group__operand(struct translation *t, struct cold **cold)
{
	const struct insn *insn = t->insn;
	struct group *group = &t->group;
	struct span span;
	struct insn at;

	if (group->open) {
		/* As it was found: the same instructions, the same conditions. */
		t->operand = mem_at(REG_ADDRESS, insn->disp - group->disp);
		*cold = NULL;
		return true;
	}
	if (!has_group_operand(insn) || !may_stand_in_group(t, insn))
		return false;
	find_span(t, &span);
	if (span.members < 2)
		return false;
	/* Writing them later would take REG_ADDRESS. */
	x87__settle(t);
	translate__save_flags(t);
	at = *insn;
	at.disp = span.low;
	t->insn = &at;
	translate__address(t);
	t->insn = insn;
	*cold = translate__look_up(t, span.high - span.low, span.write, 1);
	t->operand.disp = insn->disp - span.low;
	group->open = true;
	group->last = span.last;
	group->disp = span.low;
	group->nr_cold = 0;
	return true;
}

void group__finish_cold(struct translation *t, struct cold *cold)
{
	struct group *group = &t->group;

	if (!cold)
		return;
	if (group->open) {
		group->index[group->nr_cold] = t->index;
		group->cold[group->nr_cold++] = cold - t->cold;
		return;
	}
	cold->count = 1;
	cold->back = t->e.at;
	cold->pending_back = t->stack.pending;
	cold->load_flags = t->flags != FLAGS_MEMORY;
}

void group__end(struct translation *t, unsigned index, bool now)
{
	struct group *group = &t->group;
	u32 i;

	if (!group->open || (!now && index != group->last))
		return;
	for (i = 0; i < group->nr_cold; i++) {
		struct cold *cold = &t->cold[group->cold[i]];

		cold->count = index + 1 - group->index[i];
		cold->back = t->e.at;
		cold->pending_back = t->stack.pending;
		cold->load_flags = t->flags != FLAGS_MEMORY;
	}
	group->open = false;
}
