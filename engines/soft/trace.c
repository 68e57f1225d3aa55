/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops that lie on two pages. A block ends with its page, so that each round of such a loop would enter two blocks or more
 * and jump between pages. Instead the way of one round is recorded while it is interpreted, from the loop's first instruction
 * until that is reached again, and translated as one block, wherever its instructions stand (translate/loop.c).
 *
 * Which pages these are is known in one context only. So only jumps from the second page back to the first lead there,
 * which compare context and page (translate/branch.c). Who comes to the loop's beginning by other ways executes one round by the
 * usual blocks. So does who leaves the recorded way.
 */
#include "engines/soft/translate/translate.h"

/* Rounds that are recorded of one loop at most: the first ones may take another way than most. */
#define MOST_TRIES 4

/* On the page of the loop's beginning, or on the next one. */
static bool is_near_head(u64 head, u64 rip, unsigned len)
{
	return rip >= (head & PAGE_MASK_4K) && rip + len <= (head & PAGE_MASK_4K) + 2 * PAGE_SIZE_4K;
}

static bool may_be_recorded(const struct insn *insn)
{
	if (insn->flags & INSN_STOP)
		return false;
	if (insn->flags & INSN_BRANCH)
		return insn->opsize == 8 && (translate__is_conditional(insn) || insn->row->forms == &forms_jmp_rel);
	return insn->row->class == CLASS_INTEGER || insn->row->class == CLASS_VECTOR;
}

static bool was_here(const struct block *block, s16 offset)
{
	unsigned i;

	for (i = 0; i < block->count; i++)
		if (block->at[i] == offset)
			return true;
	return false;
}

/* Executes one instruction that is to be the block's next; false: it ends the recording. */
static bool record_one(struct vcpu *vcpu, struct block *head, struct block *block, u64 linear, enum exec_result *result)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct insn *insn = &block->insn[block->count];
	s16 offset = cpu->rip - (linear & PAGE_MASK_4K);

	*result = EXEC_NEXT;
	if (!is_near_head(linear, cpu->rip, 0) || block->count == SOFT_BLOCK_INSNS || was_here(block, offset))
		return false;
	if (emulate__fetch(vcpu, insn) != EXEC_NEXT || emulate__check(vcpu, insn) != EXEC_NEXT) {
		/* Whoever executes it meets the fault. */
		vcpu->exception.pending = false;
		return false;
	}
	if (!may_be_recorded(insn) || !is_near_head(linear, cpu->rip, insn->len)) {
		/* Nor would it be the next time. */
		head->tries = MOST_TRIES;
		return false;
	}
	block->at[block->count++] = offset;
	vcpu->stats.insns++;
	*result = insn->exec(vcpu, insn);
	if (*result == EXEC_NEXT || *result == EXEC_STOP)
		cpu->rip += insn->len;
	if (*result == EXEC_JUMP)
		*result = EXEC_NEXT;
	return *result == EXEC_NEXT;
}

/* The guest's memory at an offset from the first page's begin; NULL: there is none any more. */
static const u8 *code_at(struct vcpu *vcpu, const struct block *block, unsigned offset)
{
	const struct code_page *page = offset < PAGE_SIZE_4K ? block->page : block->next_page;
	u64 avail;

	return memory__pointer(vcpu->vm, page->gpa + (offset & ~PAGE_MASK_4K), false, &avail);
}

/* Compares the instructions with memory, or copies them from there; false: they differ. */
static bool take_bytes(struct vcpu *vcpu, struct block *block, bool copy)
{
	u8 *bytes = block__code(block);
	unsigned i, k;

	for (i = 0; i < block->count; i++) {
		for (k = 0; k < block->insn[i].len; k++) {
			const u8 *from = code_at(vcpu, block, block->at[i] + k);

			if (!from || (!copy && *from != *bytes))
				return false;
			*bytes++ = *from;
		}
	}
	return true;
}

/* The second page is marked before its bytes are read. false: it is not (any more) the one that it was. */
static bool mark_next_page(struct vcpu *vcpu, u64 linear, const struct code_page *is, u64 *gpa)
{
	const u8 *host;
	u32 *word, value;

	if (access__fetch_page(vcpu, linear, gpa, &host) != EXEC_NEXT) {
		vcpu->exception.pending = false;
		return false;
	}
	return host && (!is || is->gpa == *gpa) && memory__code_mark(vcpu, *gpa, &word, &value);
}

static bool uses_next_page(const struct block *block)
{
	unsigned i;

	for (i = 0; i < block->count; i++)
		if (block->at[i] + block->insn[i].len > PAGE_SIZE_4K)
			return true;
	return false;
}

static void keep(struct vcpu *vcpu, struct block *head, struct block *block, u64 linear)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct block_cache *cache = &soft->cache;

	block->at[block->count] = linear & ~PAGE_MASK_4K;
	if (!uses_next_page(block) || !take_bytes(vcpu, block, true) || block__is_stale(block) || !soft__has_room(vcpu))
		return;
	block->head = head;
	block->plain = head->code;
	cache->used += ALIGN_UP_TO(BLOCK_MOST, 16);
	translate__block(vcpu, block, false);
	if (!block->code)
		return;
	soft__lead_to_plain(soft, block);
	block__put_on_page(head->page, block);
	head->trace = block;
	soft->ways++;
}

enum exec_result trace__record(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct block *head = soft->trace_head, *block;
	u64 linear = vcpu->cpu.rip, next;
	enum exec_result result;

	soft->trace_head = NULL;
	if (soft->trace_flushes != soft->flushes || soft->trace_linear != linear || block__is_stale(head) ||
	    head->mode != (soft->context & MODE_BLOCK) || !soft->code_flat ||
	    !mark_next_page(vcpu, (linear & PAGE_MASK_4K) + PAGE_SIZE_4K, NULL, &next))
		return EXEC_NEXT;
	block = block__begin_trace(vcpu, head, next);
	if (!block)
		return EXEC_NEXT;
	while (record_one(vcpu, head, block, linear, &result))
		if (vcpu->cpu.rip == linear) {
			keep(vcpu, head, block, linear);
			break;
		}
	return result;
}

/* Whether the loop's second page is where it was, and all its code what it was. */
static bool is_good(struct vcpu *vcpu, struct block *trace, u64 linear)
{
	u64 gpa;

	return trace->code && !block__is_stale(trace) &&
	       mark_next_page(vcpu, (linear & PAGE_MASK_4K) + PAGE_SIZE_4K, trace->next_page, &gpa) && take_bytes(vcpu, trace, false);
}

struct block *trace__of(struct vcpu *vcpu, struct block *head, u64 from)
{
	struct soft_vcpu *soft = vcpu->soft;
	u64 linear = vcpu->cpu.rip;

	if (from != (linear & PAGE_MASK_4K) + PAGE_SIZE_4K || head->next_page || (head->mode & MODE_CODE_SIZE) != 8)
		return head;
	if (head->trace && is_good(vcpu, head->trace, linear)) {
		head->trace->next_page->has_far_links = true;
		return head->trace;
	}
	head->trace = NULL;
	if (head->code && head->tries < MOST_TRIES && !soft__is_near_edge(linear)) {
		head->tries++;
		soft->trace_head = head;
		soft->trace_linear = linear;
		soft->trace_flushes = soft->flushes;
	}
	return head;
}
