/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generated code for the block at RIP: when there is some, when it is made, how it is found. */
#include "engines/soft/translate/translate.h"

static bool is_canonical(u64 linear)
{
	return (u64)((s64)(linear << 16) >> 16) == linear;
}

/* A branch to a target that is not canonical raises #GP, which generated code does not look for. */
static bool may_leave_canonical_half(const struct block *block, u64 rip)
{
	s64 offset = rip & ~PAGE_MASK_4K;
	unsigned i;

	for (i = 0; i < block->count; i++) {
		const struct insn *insn = &block->insn[i];

		if (insn->flags & INSN_BRANCH && insn->row && operand_facts[insn->row->op[0]].place == PLACE_IMM &&
		    !is_canonical((rip & PAGE_MASK_4K) + offset + insn->len + insn->imm))
			return true;
		offset = block__next_offset(block, i, offset);
	}
	return false;
}

/* Not near 0 and 2^64: who goes over these comes to the other half. */
bool soft__is_near_edge(u64 rip)
{
	u64 above = rip + (1ULL << 31), below = rip - (1ULL << 31);

	return ((rip ^ above) >> 47 & 1 && !is_canonical(above)) ||
	       ((rip ^ below) >> 47 & 1 && !is_canonical(below));
}

bool soft__has_room(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;

	if (room__grow(vcpu, ROOM_CODE, soft->area.used + SOFT_CODE_ROOM) &&
	    room__grow(vcpu, ROOM_COLD, soft->area.cold - SOFT_HOT_SIZE + SOFT_CODE_ROOM) &&
	    room__grow(vcpu, ROOM_FAULTS, (soft->nr_faults + SOFT_BLOCK_FAULTS) * sizeof(*soft->faults))) {
		area__populate(&soft->area);
		return true;
	}
	soft->full = true;
	vcpu->leave = 1;
	return false;
}

/* A longer block in place of one that was interpreted often, with code; NULL: not now. */
static struct block *translate_at(struct vcpu *vcpu, struct block *block)
{
	struct soft_vcpu *soft = vcpu->soft;
	u64 gpa = block->gpa;
	u32 mode = block->mode, flushes = soft->flushes;
	struct block *hot;

	if (!soft__has_room(vcpu))
		return NULL;
	hot = block__build(vcpu, gpa, mode, BLOCK_LONG, block);
	if (!hot)
		return NULL;
	block_cache__add(&soft->cache, hot, BLOCK_LONG);
	/* Decoding it may have emptied the cache, and changed the context: found again by look-up. */
	if (flushes != soft->flushes)
		return NULL;
	translate__block(vcpu, hot, false);
	hot->is_too_long = !hot->code;
	return hot->code ? hot : NULL;
}

const u8 *soft__code_of(struct vcpu *vcpu, struct block **found)
{
	struct block *block = *found;
	struct soft_vcpu *soft = vcpu->soft;
	struct x86_cpu *cpu = &vcpu->cpu;
	struct block *hot;

	if (unlikely(!block->code)) {
		if (!block->page || block->heat++ < soft->heat_limit ||
		    block->is_too_long || !translate__takes_mode(block->mode))
			return NULL;
		hot = translate_at(vcpu, block);
		if (!hot)
			return NULL;
		*found = block = hot;
	}
	if (unlikely(soft__is_near_edge(cpu->rip)) && cpu->code_size == 8 &&
	    may_leave_canonical_half(block, cpu->rip)) {
		block_cache__note_code(soft, cpu->rip, block, false);
		return NULL;
	}
	/* Checked blocks are executed one by one. */
	block_cache__note_code(soft, cpu->rip, block, !soft->check);
	soft->code_base = cpu->rip & PAGE_MASK_4K;
	return block->code;
}

/* The block at RIP, if it has code and was met since others may have written code. */
static struct block *find_known(struct vcpu *vcpu, struct soft_vcpu *soft)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (!soft->code_flat)
		return NULL;
	if (cpu->code_size != 8)
		cpu->rip = (u32)cpu->rip;
	else if (soft__is_near_edge(cpu->rip))
		return NULL;
	return block_cache__find_code(soft, cpu->rip);
}

/* The code at RIP if the table of jumps leads there, as generated code would go. Only in 64-bit code is RIP the linear address. */
static const u8 *look_up(const struct vcpu *vcpu, struct soft_vcpu *soft)
{
	const struct jump_entry *e = soft__jump_slot(soft, vcpu->cpu.rip);

	if (vcpu->cpu.code_size != 8 || e->tag != (vcpu->cpu.rip ^ soft->jump_key) ||
	    e->code == soft->area.execute + soft->glue.find_again)
		return NULL;
	return e->code;
}

/* The instruction at RIP, which stands in no block; false: its result in soft->found is the loop's. */
static bool execute_crossing(struct vcpu *vcpu, struct soft_vcpu *soft)
{
	vcpu->stats.insns++;
	soft->found = crossing__execute(vcpu);
	if (soft->found != EXEC_NEXT && !(soft->found == EXEC_JUMP && soft__may_go_on(vcpu)))
		return false;
	soft->found = EXEC_NEXT;
	return true;
}

const u8 *soft__find_code(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;
	u32 link = soft->link, flushes = soft->flushes;
	u64 base = soft->code_base;
	enum exec_result result;
	struct block *block;
	const u8 *code;

	soft->link = 0;
	soft->found = EXEC_NEXT;
	/* Checked blocks are executed one by one. */
	if (unlikely(soft->check))
		return NULL;
	if (soft->far_countdown < 0)
		soft->far_countdown = SOFT_FAR_PERIOD;
	if (soft->read_countdown < 0)
		soft->read_countdown = SOFT_READ_PERIOD;
	for (;;) {
		if (__atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED))
			return NULL;
		/* Most have just executed what generated code does not. */
		code = link ? NULL : look_up(vcpu, soft);
		if (!code) {
			block = find_known(vcpu, soft);
			if (block && link)
				link__set(vcpu, link, base, block);
			code = block ? block->code : NULL;
		}
		if (likely(code)) {
			if (unlikely(soft->trace_head))
				return NULL;
			soft->code_base = vcpu->cpu.rip & PAGE_MASK_4K;
			return code;
		}
		block = block_cache__get(vcpu, &result);
		if (block)
			break;
		if (result != EXEC_NEXT || !crossing__is_known(soft, vcpu->cpu.rip)) {
			/* The loop meets it again, if it is still there. */
			vcpu->exception.pending = false;
			return NULL;
		}
		block = crossing__code(vcpu);
		if (block)
			break;
		if (!execute_crossing(vcpu, soft))
			return NULL;
		link = 0;
	}
	if (!block->page) {
		/* For the loop, which looks it up next. */
		soft->once = block;
		soft->once_linear = vcpu->cpu.rip; /* code that is translated is flat */
		soft->once_context = soft->context;
		return NULL;
	}
	code = soft__code_of(vcpu, &block);
	if (code && link && flushes == soft->flushes)
		link__set(vcpu, link, base, block);
	return unlikely(soft->trace_head) ? NULL : code;
}

/* Whether the TLB has the block's part of the stack, entering it if nothing else is to be done. */
static bool has_stack(struct vcpu *vcpu, const struct block *block)
{
	u64 linear = vcpu->cpu.gpr[X86_RSP] + block->stack_low;
	struct tlb_entry *e = tlb__slot(vcpu->view, linear);

	if ((linear & ~PAGE_MASK_4K) + block->stack_span > PAGE_SIZE_4K)
		return false;
	if (e->read != (linear & PAGE_MASK_4K) &&
	    access__probe_read(vcpu, linear, 1, 0) != EXEC_NEXT) {
		/* Whoever does access it meets the fault. */
		vcpu->exception.pending = false;
		return false;
	}
	return (block->stack_writes ? e->write : e->read) == (linear & PAGE_MASK_4K);
}

void soft__lead_to_plain(struct soft_vcpu *soft, const struct block *block)
{
	if (block->stack_site)
		soft__set_jump(soft, block->stack_site, block->plain);
	if (block->loop_site)
		soft__set_jump(soft, block->loop_site, block->plain);
}

const u8 *soft__other_stack(struct vcpu *vcpu, u64 at)
{
	struct block *block = (struct block *)(at & ~1ULL);
	struct soft_vcpu *soft = vcpu->soft;

	soft->found = EXEC_NEXT;
	vcpu->cpu.rip = soft->code_base + (block->gpa & ~PAGE_MASK_4K);
	if (!(at & 1) && has_stack(vcpu, block))
		return block->code;
	if (!block->plain) {
		if (!soft__has_room(vcpu))
			return NULL;
		translate__block(vcpu, block, true);
		if (!block->plain) {
			block->code = NULL;
			block->is_too_long = true;
			return NULL;
		}
		soft__lead_to_plain(soft, block);
	}
	return block->plain;
}

u64 soft__code_fault(struct vcpu *vcpu, u64 rip)
{
	const struct soft_vcpu *soft = vcpu->soft;
	u64 at = rip - (u64)soft->area.execute;
	u32 low = 0, high = soft->nr_faults;

	if (at >= soft->area.used)
		return 0;
	while (low < high) {
		u32 middle = (low + high) / 2;

		if (soft->faults[middle].at == at)
			return (u64)soft->area.execute + soft->faults[middle].go_on;
		if (soft->faults[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}
