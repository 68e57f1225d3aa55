/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a block of decoded instructions to host code. */
#include "engines/soft/translate/translate.h"

bool translate__takes_mode(u32 mode)
{
	if ((mode & MODE_VIEW) >> MODE_VIEW_SHIFT == TLB_NR_VIEWS)
		return false;
	switch (mode & MODE_CODE_SIZE) {
	case 8:
		return true;
	case 4:
		return (mode & MODE_FLAT) && !(mode & MODE_REAL_LIKE);
	default:
		return false;
	}
}

static bool has_vectors(const struct translation *t)
{
	unsigned i;

	for (i = 0; i < t->block->count; i++)
		if (translate__is_vector(t, &t->block->insn[i]) ||
		    translate__is_x87(t, &t->block->insn[i]))
			return true;
	return false;
}

static void emit_entry(struct translation *t)
{
	struct emit *e = &t->e;
	struct cold *cold;

	emit_rm(e, false, 0x83, 7, state_mem(VCPU_AT(leave)));
	emit8(e, 0);
	translate__cold(t, COLD_LEAVE, emit_jcc(e, CC_NE));
	t->entry_unchecked = e->at;
	if (t->has_vectors) {
		emit_rm(e, false, 0x80, 7, state_mem(SOFT_AT(vectors.live)));
		emit8(e, 0);
		cold = translate__cold(t, COLD_VECTORS, emit_jcc(e, CC_E));
		cold->back = e->at;
	}
	stack__emit_check(t);
	loop__emit_entry(t);
}

/* Code for one instruction; false if its executor is to be called. */
static bool translate_insn(struct translation *t, bool *ends)
{
	const struct insn *insn = t->insn;

	*ends = false;
	if (!insn->row)
		return false;
	if (insn->flags & INSN_BRANCH)
		return translate__branch(t, ends);
	if (insn->row->class == CLASS_SYSTEM)
		return translate__system(t, ends);
	if (insn->row->class == CLASS_INTEGER)
		return translate__integer(t);
	if (translate__is_x87(t, insn))
		return translate__x87(t);
	return translate__is_vector(t, insn) && translate__vector(t);
}

/* Changes no flags. */
void translate__count(struct translation *t)
{
	struct host_mem count = state_mem(VCPU_AT(stats.insns));
	struct emit *e = &t->e;

	if (!t->soft->counts)
		return;
	emit_load(e, H_RAX, count);
	emit_lea(e, true, H_RAX, mem_at(H_RAX, 1));
	emit_store(e, H_RAX, count);
}

/* Cold code comes back with something else in RAX. */
static void forget_rax(struct translation *t)
{
	t->cached = -1;
	t->stack.delta_at = 0;
}

static bool emit_insn(struct translation *t)
{
	u32 at, nr_cold = t->nr_cold, nr_faults = t->nr_faults;
	struct stack_track stack;
	struct x87_pending x87;
	struct recipe recipe;
	u8 flags = t->flags;
	bool ends, group_open;
	u32 nr_group;
	u8 resident;

	translate__count(t);
	t->rax_is_taken = false;
	recipe__before(t);
	recipe = t->recipe;
	x87__before(t);
	x87 = t->x87;
	stack__prepare(t);
	stack = t->stack;
	group_open = t->group.open;
	nr_group = t->group.nr_cold;
	resident = t->group.resident;
	at = t->e.at;
	group__begin(t);
	if (translate_insn(t, &ends)) {
		stack__finish(t);
		group__end(t, t->index, false);
		if (!t->group.open && (group_open || t->nr_cold != nr_cold))
			forget_rax(t);
		return ends;
	}
	t->cached = -1;
	t->e.at = at;
	t->nr_cold = nr_cold;
	t->nr_faults = nr_faults;
	t->flags = flags;
	t->recipe = recipe;
	t->stack = stack;
	t->x87 = x87;
	t->group.open = group_open;
	t->group.nr_cold = nr_group;
	t->group.resident = resident;
	/* Unforeseen: the executor does not keep the address. */
	if (group_open)
		group__end(t, t->index - 1, true);
	translate__call_executor(t);
	stack__finish(t);
	return false;
}

/*
 * One of a group's instructions once more. Flags go on in EFLAGS, but are not worked out again: operands that are kept
 * for that are those of the group's own code. `is_entered`: cold code leads here, too.
 */
static void emit_apart(struct translation *t, unsigned index, s64 offset, bool is_entered)
{
	u32 nr_cold = t->nr_cold, nr_faults = t->nr_faults, at;
	u8 flags = t->flags;
	bool ends;

	t->insn = &t->block->insn[index];
	t->index = index;
	t->offset = offset;
	t->recipe = (struct recipe){ .kind = RECIPE_NONE };
	t->x87 = (struct x87_pending){ NULL, NULL };
	t->rax_is_taken = false;
	if (is_entered)
		forget_rax(t);
	at = t->e.at;
	if (!translate_insn(t, &ends)) {
		t->e.at = at;
		t->nr_cold = nr_cold;
		t->nr_faults = nr_faults;
		t->flags = flags;
		t->recipe = (struct recipe){ .kind = RECIPE_NONE };
		forget_rax(t);
		translate__call_executor(t);
	}
	if (t->nr_cold != nr_cold)
		forget_rax(t);
	x87__settle(t);
}

/* Instructions of the group that its cold code leads to, with flags in memory. */
static void find_entries(const struct translation *t, const struct cold *group, u32 end, bool entry[SOFT_BLOCK_INSNS])
{
	const struct insn *first = group->insn;
	u32 i;

	memset(entry, 0, SOFT_BLOCK_INSNS * sizeof(*entry));
	for (i = 0; i < end; i++)
		if (t->cold[i].in_group && t->cold[i].insn >= first && t->cold[i].insn < first + group->count)
			entry[t->cold[i].insn - t->block->insn] = true;
}

/* Where flags stand in EFLAGS, cold code fetches them before it goes on there. */
static void emit_ways_into(struct translation *t, unsigned index, unsigned count, const bool entry[SOFT_BLOCK_INSNS],
			   const u8 flags[SOFT_BLOCK_INSNS])
{
	u32 to;

	for (; count; count--, index++) {
		if (!entry[index] || flags[index] == FLAGS_MEMORY)
			continue;
		to = t->executed_at[index];
		t->executed_at[index] = t->e.at;
		translate__fetch_eflags(&t->e);
		emit_jmp_to(&t->e, to);
	}
}

/*
 * A group once more, for when its look-ups fail: operands that move on through memory come to page ends again
 * and again. It stands here, not in cold code, because its instructions may raise signals, too.
 */
static void emit_group_apart(struct translation *t, struct cold *group, u32 end)
{
	unsigned index = group->insn - t->block->insn, i;
	bool entry[SOFT_BLOCK_INSNS];
	u8 flags[SOFT_BLOCK_INSNS];
	s64 offset = group->offset;

	find_entries(t, group, end, entry);
	t->stack = group->stack;
	t->flags = FLAGS_MEMORY;
	forget_rax(t);
	for (i = index; i < index + group->count; i++) {
		if (i > index)
			translate__count(t);
		/* Before what is kept: all ways lead here. */
		t->executed_at[i] = t->e.at;
		flags[i] = t->flags;
		recipe__repeat_keeps(t, i);
		emit_apart(t, i, offset, entry[i]);
		offset = block__next_offset(t->block, i, offset);
	}
	translate__save_flags(t);
	if (group->load_flags)
		translate__load_flags(t);
	if (group->lends)
		loop__lend(t);
	emit_jmp_to(&t->e, group->back);
	emit_ways_into(t, index, group->count, entry, flags);
	group->is_apart = true;
}

static void emit_groups_apart(struct translation *t)
{
	u32 i, end = t->nr_cold;

	for (i = 0; i < end; i++) {
		struct cold *cold = &t->cold[i];

		if (cold->is_group && !cold->is_late && !cold->pending && !cold->pending_back)
			emit_group_apart(t, cold, end);
	}
}

static void emit_block(struct translation *t)
{
	const struct block *block = t->block;
	bool ended = false;
	s64 next = t->offset;
	unsigned i;

	group__survey(t);
	loop__begin(t);
	emit_entry(t);
	for (i = 0; i < block->count && !ended; i++) {
		t->insn = &block->insn[i];
		t->index = i;
		t->insn_start[t->nr_insns++] = t->e.at;
		ended = emit_insn(t);
		next = block__next_offset(t->block, i, t->offset);
		if (i + 1 < block->count)
			t->offset = next;
	}
	if (block__is_trace(block) && !t->loop.is_closed) {
		loop__close(t);
	} else if (!ended) {
		stack__settle(t);
		translate__go_to(t, block__is_trace(block) ? block->at[i - 1] + block->insn[i - 1].len : next);
	}
	/* Unforeseen: rounds that nothing ends. */
	t->e.overflow |= t->loop.lends;
	stride__emit_limits(t);
	if (block->retries >= SOFT_GROUP_APART)
		emit_groups_apart(t);
	t->end = t->e.at;
	t->e.at = t->cold_start;
	t->e.size = t->cold_start + SOFT_CODE_ROOM;
	translate__emit_cold(t);
}

static void keep_faults(struct translation *t)
{
	struct soft_vcpu *soft = t->soft;
	u32 i;

	for (i = 0; i < t->nr_faults; i++)
		soft->faults[soft->nr_faults++] = (struct code_fault){
			.at = t->fault_at[i],
			.go_on = t->cold[t->fault_cold[i]].start,
		};
}

void translate__block(struct vcpu *vcpu, struct block *block, bool plain)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct code_area *area = &soft->area;
	struct translation *t = soft->translation;

	memset(t, 0, offsetof(struct translation, cold));
	t->e = (struct emit){ .start = area->write, .size = area->used + SOFT_CODE_ROOM,
			      .at = area->used };
	t->start = area->used;
	t->cold_start = area->cold;
	t->vcpu = vcpu;
	t->soft = soft;
	t->block = block;
	t->offset = block->gpa & ~PAGE_MASK_4K;
	t->size_of_code = block->mode & MODE_CODE_SIZE;
	t->has_vectors = has_vectors(t);
	t->plain = plain;
	memcpy(t->home, host_of, sizeof(t->home));
	stack__begin(t);
	emit_block(t);
	if (t->e.overflow)
		return;
	keep_faults(t);
	if (plain) {
		block->plain = area->execute + area->used;
	} else {
		block->code = area->execute + area->used;
		block->stack_site = t->stack_site;
		block->loop_site = t->loop_site;
		block->version_site = t->version_site;
	}
	soft->check_size = t->entry_unchecked - area->used;
	area->used = ALIGN_UP_TO(t->end, 16);
	area->cold = t->e.at;
	vcpu->stats.code_translations++;
	show__translation(t);
	stub__serialize();
}
