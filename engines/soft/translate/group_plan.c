/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instructions share look-ups: what is known of addresses from the instructions alone. */
#include "engines/soft/translate/translate.h"

/* How far apart operands of one span may be: farther ones are too often on two pages. */
#define MAX_SPAN 512
#define LOOP_MAX_GAP 96

/* What became of the registers since the group began. */
struct registers {
	u16 version[X86_NR_GPR]; /* 0: the value that it had, but for what was added; else which other one */
	u16 versions;
	s64 added[X86_NR_GPR]; /* since this version is there */
};

bool group__has_operand(const struct insn *insn)
{
	return (insn->flags & INSN_MEM) && insn->row && insn->row->forms != &forms_lea &&
	       insn->row->exec != exec_nop;
}

/* ---- instructions ---- */

/* The operand's look-up is one of translate__operand(), alone if need be. */
static bool has_plain_operand(const struct insn *insn)
{
	unsigned size = translate__access_size(insn);

	return size && size <= 64 && insn->adsize != 2 && insn->disp == (s32)insn->disp &&
	       !(insn->row->flags & ROW_VSIB);
}

static bool is_with_accumulator(const struct insn *insn)
{
	return insn->row->forms == &forms_mul || insn->row->forms == &forms_imul;
}

/* ADD and kin, CMP, TEST: without a scratch register. */
static bool is_accumulator_immediate(const struct insn *insn)
{
	static const struct exec_forms *const forms[] = {
		&forms_add, &forms_or, &forms_adc, &forms_sbb, &forms_and, &forms_sub, &forms_xor, &forms_cmp,
		&forms_test,
	};
	unsigned i;

	if (operand_facts[insn->row->op[0]].place != PLACE_RAX || operand_facts[insn->row->op[1]].place != PLACE_IMM)
		return false;
	for (i = 0; i < ARRAY_LENGTH(forms); i++)
		if (insn->row->forms == forms[i])
			return true;
	return false;
}

static bool is_plain_integer(const struct translation *t, const struct insn *insn)
{
	const struct exec_forms *forms = insn->row->forms;

	if (insn->row->exec == exec_nop || forms == &forms_cbw || forms == &forms_cwd ||
	    is_accumulator_immediate(insn))
		return true;
	if (forms == &forms_lea)
		return insn->opsize != 2 && insn->adsize != 2 && insn->disp == (s32)insn->disp;
	if (is_with_accumulator(insn))
		return insn->opsize >= 4 && ((insn->flags & INSN_MEM) || t->home[insn->rm] != H_NONE);
	return translate__is_copied(t, insn);
}

static bool moves_stack_pointer(const struct insn *insn)
{
	return (translate__writes_first(insn) && translate__gpr_operand(insn, 0) == X86_RSP) ||
	       (translate__writes_second(insn) && translate__gpr_operand(insn, 1) == X86_RSP);
}

/* Code that is certain to be made, and that calls nothing. */
static bool may_stand_in_group(const struct translation *t, const struct insn *insn)
{
	if (!insn->row || (insn->flags & (INSN_BRANCH | INSN_STOP | INSN_LOCK)))
		return false;
	if (group__has_operand(insn) && !has_plain_operand(insn))
		return false;
	if (translate__count_scratch(t, insn) >
	    (group__has_operand(insn) && insn->row->forms != &forms_mulx ? 1 : 2))
		return false;
	if (translate__is_x87(t, insn))
		return true;
	/* What is found on the stack is found by where RSP is now. Vector instructions have general registers, too. */
	if (moves_stack_pointer(insn))
		return false;
	if (insn->row->class == CLASS_VECTOR)
		return translate__is_vector(t, insn);
	return insn->row->class == CLASS_INTEGER && is_plain_integer(t, insn);
}

/* ---- registers ---- */

/* What the instruction adds to the register that it writes; false: it does something else. */
static bool adds_constant(const struct insn *insn, s64 *by)
{
	const struct exec_forms *forms = insn->row->forms;
	bool immediate = operand_facts[insn->row->op[1]].place == PLACE_IMM;

	if (insn->row->class != CLASS_INTEGER || insn->opsize != 8)
		return false;
	if (forms == &forms_lea && insn->adsize == 8 && insn->base == insn->dst / 8 &&
	    insn->index == X86_SLOT_ZERO)
		*by = insn->disp;
	else if (forms == &forms_add && immediate)
		*by = (s64)insn->imm;
	else if (forms == &forms_sub && immediate)
		*by = -(s64)insn->imm;
	else if (forms == &forms_inc)
		*by = 1;
	else if (forms == &forms_dec)
		*by = -1;
	else
		return false;
	return *by == (s32)*by;
}

static void note_changed(struct registers *r, int reg)
{
	if (reg < 0)
		return;
	r->version[reg] = ++r->versions;
	r->added[reg] = 0;
}

static void note_writes(struct registers *r, const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	int first = translate__gpr_operand(insn, 0);
	s64 by;

	if (row->exec == exec_fnstsw_ax)
		note_changed(r, X86_RAX);
	if (row->class == CLASS_X87 || !translate__writes_first(insn))
		return;
	if (operand_facts[row->op[0]].place == PLACE_RAX)
		first = X86_RAX;
	if (first >= 0 && adds_constant(insn, &by)) {
		r->added[first] += by;
		return;
	}
	note_changed(r, first);
	if (translate__writes_second(insn))
		note_changed(r, translate__gpr_operand(insn, 1));
	if (is_with_accumulator(insn) || row->forms == &forms_cbw || row->forms == &forms_cwd) {
		note_changed(r, X86_RAX);
		note_changed(r, X86_RDX);
	}
}

static u16 version_of(const struct registers *r, u8 slot)
{
	return slot < X86_NR_GPR ? r->version[slot] : 0;
}

static s64 added_to(const struct registers *r, u8 slot)
{
	return slot < X86_NR_GPR ? r->added[slot] : 0;
}

/* ---- spans ---- */

static bool has_key(const struct group_span *span, const struct group_span *key)
{
	return span->base == key->base && span->index == key->index && span->scale == key->scale &&
	       span->seg == key->seg && span->base_version == key->base_version &&
	       span->index_version == key->index_version;
}

static bool is_late(const struct group_span *span)
{
	return span->base_version || span->index_version;
}

/* Aligned operands of a span agree on the alignment of its beginning. */
static bool join_alignment(struct group_span *span, s64 disp, unsigned alignment)
{
	unsigned both = MIN_OF((unsigned)span->alignment, alignment);

	if ((u64)(disp - span->anchor) % both)
		return false;
	if (alignment > span->alignment) {
		span->alignment = alignment;
		span->anchor = disp;
	}
	/* Where the first byte is not aligned, the bytes before it are looked up as well. */
	span->low -= (s64)((u64)(span->low - span->anchor) % span->alignment);
	return true;
}

static bool is_on_one_page_at(const struct group_span *span, u64 address)
{
	return !(((address + span->low) ^ (address + span->high + span->reach - 1)) >> 12);
}

static u64 segment_base(const struct translation *t, const struct group_span *span)
{
	return span->seg >= X86_FS ? t->vcpu->cpu.seg[span->seg].base : 0;
}

/* As far as the registers of this moment can tell. */
static bool is_on_one_page_now(const struct translation *t, const struct group_span *span)
{
	const struct x86_cpu *cpu = &t->vcpu->cpu;
	u64 address = segment_base(t, span);

	if (span->base != X86_SLOT_RIP)
		address += cpu->slot[span->base] + (cpu->slot[span->index] << span->scale);
	return is_on_one_page_at(span, address);
}

/* And those when operands of the block were found on two pages. */
static bool is_on_one_page(const struct translation *t, const struct group_span *span)
{
	const struct straddle_moments *m = soft__straddling(t->soft, t->block);
	u64 segment = segment_base(t, span);
	unsigned i;

	if (!is_on_one_page_now(t, span))
		return false;
	for (i = 0; i < t->block->straddles && m->block == t->block; i++) {
		u64 base = span->base < X86_NR_GPR ? m->offset[i][span->base] : 0;
		u64 index = span->index < X86_NR_GPR ? m->offset[i][span->index] : 0;

		if (!is_on_one_page_at(span, segment + base + (index << span->scale)))
			return false;
	}
	return true;
}

static bool extend(const struct translation *t, struct group_span *span, unsigned i, s64 disp)
{
	const struct insn *insn = &t->block->insn[i];
	struct group_span joined = *span;

	joined.low = MIN_OF(span->low, disp);
	joined.high = MAX_OF(span->high, disp + translate__access_size(insn));
	if (!join_alignment(&joined, disp, translate__alignment(insn)) ||
	    joined.high - joined.low > MAX_SPAN || joined.low != (s32)joined.low ||
	    joined.low - joined.bias != (s32)(joined.low - joined.bias))
		return false;
	if (insn->row->flags & (ROW_WRITES_MEM | ROW_RMW_MEM))
		joined.write = true;
	joined.members++;
	joined.last = i;
	*span = joined;
	return true;
}

/* What a loop moves on through memory comes to a page's end the more often the farther operands are apart. */
static bool is_far_from(const struct group_span *span, s64 disp)
{
	return disp - span->high > LOOP_MAX_GAP || span->low - disp > LOOP_MAX_GAP;
}

static bool join(const struct translation *t, struct group_span *span, const struct group_span *key, unsigned i)
{
	struct group_span joined = *span;
	s64 disp = key->low;

	if (t->loop.jumps_back && span->members && is_far_from(span, disp))
		return false;
	if (!extend(t, &joined, i, disp))
		return false;
	joined.has_strides |= key->has_strides;
	joined.reach = MAX_OF(span->reach, key->reach);
	if (!is_late(span) && t->block->retries != SOFT_GROUP_APART && !is_on_one_page(t, &joined))
		return false;
	*span = joined;
	return true;
}

/* Room for a late span: what nothing can join any more is worth nothing if it has one operand. */
static u8 make_room_for_late(struct group *group, const struct registers *r)
{
	unsigned k;

	for (k = GROUP_SPANS; k < GROUP_SPANS + group->nr_late; k++) {
		struct group_span *span = &group->span[k];

		if (span->members == 1 && (span->base_version != version_of(r, span->base) ||
					   span->index_version != version_of(r, span->index))) {
			group->of[span->first] = GROUP_NO_SPAN;
			return k;
		}
	}
	return group->nr_late == GROUP_LATE_SPANS ? GROUP_NO_SPAN : GROUP_SPANS + group->nr_late++;
}

/* The span for the block's instruction number i: `key`, or one that it joins. */
static u8 find_span_of(const struct translation *t, struct group *group, const struct registers *r, unsigned i,
		       struct group_span key)
{
	bool late = is_late(&key);
	u8 k = late ? GROUP_SPANS : 0, end = late ? GROUP_SPANS + group->nr_late : group->nr_spans;

	/* Where look-ups failed, only those are made of which the page is known. */
	if (late && t->block->retries > SOFT_GROUP_APART)
		return GROUP_NO_SPAN;
	for (; k < end; k++)
		if (has_key(&group->span[k], &key) && join(t, &group->span[k], &key, i))
			return k;
	if (late)
		key.bias = added_to(r, key.base) + (s64)((u64)added_to(r, key.index) << key.scale);
	if (!join(t, &key, &key, i))
		return GROUP_NO_SPAN;
	if (late)
		k = make_room_for_late(group, r);
	else
		k = group->nr_spans == GROUP_SPANS ? GROUP_NO_SPAN : group->nr_spans++;
	if (k != GROUP_NO_SPAN)
		group->span[k] = key;
	return k;
}

/* By the register alone that a loop moves, if the operand is at a distance from that which stays. */
static u8 find_strided_span(struct translation *t, const struct registers *r, unsigned i)
{
	const struct insn *insn = &t->block->insn[i];
	struct group *group = &t->group;
	struct group_span key = { .alignment = 1, .first = i, .seg = insn->seg, .has_strides = true };
	struct stride s;
	u8 k;

	if (!stride__of(t, insn, &s))
		return GROUP_NO_SPAN;
	key.base = s.base;
	key.index = X86_SLOT_ZERO;
	key.base_version = version_of(r, s.base);
	key.low = insn->disp + added_to(r, s.base);
	key.high = key.low;
	key.reach = stride__now(t, &s);
	group->disp[i] = key.low;
	k = find_span_of(t, group, r, i, key);
	if (k != GROUP_NO_SPAN)
		stride__note(t, &s);
	return k;
}

/* The span of the block's instruction number i, which stands at `offset`. */
static u8 find_span(struct translation *t, const struct registers *r, unsigned i, s64 offset)
{
	const struct insn *insn = &t->block->insn[i];
	u8 k = find_strided_span(t, r, i);
	s64 disp;

	if (k != GROUP_NO_SPAN)
		return k;
	disp = insn->disp + added_to(r, insn->base) + (s64)((u64)added_to(r, insn->index) << insn->scale);
	if (insn->base == X86_SLOT_RIP)
		disp += offset;
	t->group.disp[i] = disp;
	return find_span_of(t, &t->group, r, i, (struct group_span){
		.base = insn->base, .index = insn->index, .scale = insn->scale, .seg = insn->seg,
		.base_version = version_of(r, insn->base), .index_version = version_of(r, insn->index),
		.alignment = 1, .low = disp, .high = disp, .first = i,
	});
}

static bool may_share(const struct insn *insn)
{
	return insn->code == 8 && insn->adsize == 8;
}

/* ---- flags ---- */

/* Whether flags that stand at this instruction are needed by it or by a later one of the block. */
static bool flags_are_needed(const struct block *block, unsigned i)
{
	for (; i < block->count; i++) {
		const struct insn *insn = &block->insn[i];

		if (!insn->row)
			return false;
		if (translate__flags_needed(insn))
			return true;
		if ((insn->row->writes | insn->row->undefined) & RFLAGS_ARITH)
			return false;
	}
	return false;
}

/* ---- the plan ---- */

/* Early spans of one operand are worth nothing, unless a look-up in its place would cost the flags. */
static void drop_spans(struct group *group, unsigned first, unsigned end)
{
	unsigned i;

	for (i = first; i < end; i++) {
		u8 k = group->of[i];

		if (k == GROUP_NO_SPAN || is_late(&group->span[k]))
			continue;
		if (group->span[k].members > 1 || group->span[k].spares_flags) {
			group->last = i;
			group->worth += group->span[k].members > 1 || i > first;
		} else {
			group->of[i] = GROUP_NO_SPAN;
			group->span[k].members = 0;
		}
	}
}

/* Late spans of one operand likewise; others make the group longer, if they begin before its end. */
static void drop_late_spans(struct group *group, unsigned first, unsigned end)
{
	unsigned i;

	for (i = first; i < end; i++) {
		u8 k = group->of[i];

		if (k == GROUP_NO_SPAN || !is_late(&group->span[k]))
			continue;
		if (group->span[k].members > 1 && group->span[k].first <= group->last)
			group->last = MAX_OF(group->last, (unsigned)group->span[k].last);
		else
			group->of[i] = GROUP_NO_SPAN;
	}
}

bool group__plan(struct translation *t)
{
	const struct block *block = t->block;
	struct group *group = &t->group;
	struct registers r = { 0 };
	s64 offset = t->offset;
	bool written = false;
	unsigned i;

	group->nr_spans = 0;
	group->nr_late = 0;
	group->worth = 0;
	group->spares_flags = false;
	for (i = t->index; i < block->count; i++) {
		const struct insn *insn = &block->insn[i];

		if (!t->stands[i])
			break;
		group->of[i] = GROUP_NO_SPAN;
		if (group__has_operand(insn) && !translate__is_found(t, insn) && may_share(insn)) {
			u8 k = find_span(t, &r, i, offset);

			group->of[i] = k;
			if (k < GROUP_SPANS && written && flags_are_needed(block, i)) {
				group->span[k].spares_flags = true;
				group->spares_flags = true;
			}
		}
		if ((insn->row->writes | insn->row->undefined) & RFLAGS_ARITH)
			written = true;
		note_writes(&r, insn);
		offset = block__next_offset(t->block, i, offset);
	}
	drop_spans(group, t->index, i);
	if (group->worth)
		drop_late_spans(group, t->index, i);
	return group->worth;
}

void group__survey(struct translation *t)
{
	unsigned i;

	for (i = 0; i < t->block->count; i++)
		t->stands[i] = may_stand_in_group(t, &t->block->insn[i]);
}

/* ---- loops ---- */

/* Bits of the registers that the block writes; what a round does to them. */
static u32 find_written(const struct block *block, struct registers *round)
{
	u32 written = 0;
	unsigned i, reg;

	for (i = 0; i < block->count; i++) {
		if (!(block->insn[i].flags & INSN_BRANCH))
			note_writes(round, &block->insn[i]);
		for (reg = 0; reg < X86_NR_GPR; reg++)
			if (round->version[reg] || round->added[reg])
				written |= 1u << reg;
	}
	return written;
}

/* What a round adds to the operand's address, if that is a constant and worth to be followed; else 0. */
static s16 step_of(const struct translation *t, const struct insn *insn, const struct registers *round)
{
	s64 step = added_to(round, insn->base) + (s64)((u64)added_to(round, insn->index) << insn->scale);
	struct stride s;

	if (version_of(round, insn->base) || version_of(round, insn->index) || stride__of(t, insn, &s) ||
	    step < -SOFT_LOOP_STEP || step > SOFT_LOOP_STEP || step % translate__alignment(insn))
		return 0;
	return step;
}

static bool is_left_alone(u32 written, u8 slot)
{
	return slot >= X86_NR_GPR || !(written >> slot & 1);
}

static u8 find_loop_span(const struct translation *t, struct loop_plan *loop, unsigned i, s64 disp, s16 step)
{
	const struct insn *insn = &t->block->insn[i];
	struct group_span key = {
		.base = insn->base, .index = insn->index, .scale = insn->scale, .seg = insn->seg,
		.alignment = 1, .low = disp, .high = disp, .first = i, .step = step,
	};
	unsigned k;

	for (k = 0; k < loop->nr_spans; k++) {
		struct group_span joined = loop->span[k];

		if (!has_key(&joined, &key) || (step && is_far_from(&joined, disp)) || !extend(t, &joined, i, disp) ||
		    !(step || is_on_one_page_now(t, &joined)))
			continue;
		loop->span[k] = joined;
		return k;
	}
	if (k == SOFT_LOOP_SPANS || !extend(t, &key, i, disp) || !(step || is_on_one_page_now(t, &key)))
		return GROUP_NO_SPAN;
	loop->span[k] = key;
	return loop->nr_spans++;
}

void group__plan_loop(struct translation *t)
{
	const struct block *block = t->block;
	struct loop_plan *loop = &t->loop;
	struct registers round = { 0 }, r = { 0 };
	s64 offset = t->offset;
	struct stride s;
	unsigned i;

	loop->written = find_written(block, &round);
	for (i = 0; i < block->count; i++) {
		const struct insn *insn = &block->insn[i];
		s64 here = offset;
		s16 step;

		offset = block__next_offset(t->block, i, offset);
		if (insn->flags & INSN_BRANCH)
			continue;
		if (group__has_operand(insn) && insn->base != X86_RSP && may_share(insn)) {
			step = step_of(t, insn, &round);
			loop->disp[i] = insn->disp + added_to(&r, insn->base) +
					(s64)((u64)added_to(&r, insn->index) << insn->scale) +
					(insn->base == X86_SLOT_RIP ? here : 0);
			if (step || (is_left_alone(loop->written, insn->base) && is_left_alone(loop->written, insn->index)))
				loop->of[i] = find_loop_span(t, loop, i, loop->disp[i], step);
			else
				loop->may_stride |= stride__of(t, insn, &s);
		}
		note_writes(&r, insn);
	}
}

bool group__loses_address(const struct translation *t)
{
	const struct insn *insn = t->insn;

	if (insn->row->forms == &forms_lea)
		return !translate__lea_keeps_address(t, insn);
	if (translate__count_scratch(t, insn) > !t->rax_is_taken)
		return true;
	if (t->rax_is_taken)
		return false;
	return group__has_operand(insn) && t->group.of[t->index] == GROUP_NO_SPAN &&
	       !loop__has_operand(t, insn);
}
