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
static bool is_near_head(u64 head, u64 rip)
{
	return rip >= (head & PAGE_MASK_4K) && rip < (head & PAGE_MASK_4K) + 2 * PAGE_SIZE_4K;
}

static bool may_be_recorded(const struct insn *insn)
{
	if (insn->flags & INSN_STOP)
		return false;
	if (insn->flags & INSN_BRANCH)
		return insn->opsize == 8 && (translate__is_conditional(insn) || insn->row->forms == &forms_jmp_rel);
	return insn->row->class == CLASS_INTEGER || insn->row->class == CLASS_VECTOR;
}

static bool was_here(const struct block *block, s32 offset)
{
	unsigned i;

	for (i = 0; i < block->count; i++)
		if (block->at[i] == offset)
			return true;
	return false;
}

/* The guest's memory at an offset from the first page's begin; NULL: there is none any more. */
static const u8 *code_at(struct vcpu *vcpu, const struct block *block, unsigned offset)
{
	const struct code_page *page = offset < PAGE_SIZE_4K ? block->page : block->next_page;
	u64 avail;

	return memory__pointer(vcpu->vm, page->gpa + (offset & ~PAGE_MASK_4K), false, &avail);
}

static bool is_asked_to_leave(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED);
}

struct recording {
	struct vcpu *vcpu;
	struct block *head;
	struct block *block;
	u64 linear; /* of its beginning */
	unsigned size;
	u8 bytes[SOFT_BLOCK_INSNS * INSN_MAX_LENGTH]; /* what its instructions were decoded from */
};

/* Decodes the instruction at RIP from a copy: others may write the code meanwhile. */
static bool decode(struct recording *r, s32 offset)
{
	struct vcpu *vcpu = r->vcpu;
	struct insn *insn = &r->block->insn[r->block->count];
	u8 *bytes = r->bytes + r->size;
	unsigned avail;
	const u8 *from;

	for (avail = 0; avail < INSN_MAX_LENGTH && offset + avail < 2 * PAGE_SIZE_4K; avail++) {
		from = code_at(vcpu, r->block, offset + avail);
		if (!from)
			return false;
		bytes[avail] = *from;
	}
	if (decode__insn(bytes, avail, 8, insn) != DECODE_OK)
		return false;
	if (emulate__check(vcpu, insn) != EXEC_NEXT) {
		vcpu->exception.pending = false;
		return false;
	}
	return true;
}

/* Executes one instruction that is to be the block's next; false: it ends the recording. */
static bool record_one(struct recording *r, enum exec_result *result)
{
	struct x86_cpu *cpu = &r->vcpu->cpu;
	struct block *block = r->block;
	struct insn *insn = &block->insn[block->count];
	s32 offset = cpu->rip - (r->linear & PAGE_MASK_4K);

	*result = EXEC_NEXT;
	if (!is_near_head(r->linear, cpu->rip) || block->count == SOFT_BLOCK_INSNS || was_here(block, offset) || !decode(r, offset))
		return false;
	if (!may_be_recorded(insn)) {
		/* Nor would it be the next time. */
		r->head->tries = MOST_TRIES;
		return false;
	}
	block->at[block->count++] = offset;
	r->size += insn->len;
	r->vcpu->stats.insns++;
	*result = insn->exec(r->vcpu, insn);
	if (*result == EXEC_NEXT || *result == EXEC_STOP)
		cpu->rip += insn->len;
	if (*result == EXEC_JUMP)
		*result = EXEC_NEXT;
	return *result == EXEC_NEXT && !is_asked_to_leave(r->vcpu);
}

/* Whether the instructions' bytes are in memory as they were decoded. */
static bool is_same(struct vcpu *vcpu, struct block *block)
{
	const u8 *bytes = block__code(block);
	unsigned i, k;

	for (i = 0; i < block->count; i++) {
		for (k = 0; k < block->insn[i].len; k++) {
			const u8 *from = code_at(vcpu, block, block->at[i] + k);

			if (!from || *from != *bytes++)
				return false;
		}
	}
	return true;
}

/*
 * A page is marked before its bytes are read. false: it can't be, or is not (any more) the one at `is`, or somebody has been waited
 * for and asks for something first.
 */
static bool mark_page(struct vcpu *vcpu, u64 linear, const struct code_page *is, u64 *gpa)
{
	const u8 *host;
	u32 *word, value;

	if (access__fetch_page(vcpu, linear, gpa, &host) != EXEC_NEXT) {
		vcpu->exception.pending = false;
		return false;
	}
	return host && (!is || is->gpa == (*gpa & PAGE_MASK_4K)) && memory__code_mark(vcpu, *gpa, &word, &value) &&
	       !is_asked_to_leave(vcpu);
}

static u64 next_page(u64 linear)
{
	return (linear & PAGE_MASK_4K) + PAGE_SIZE_4K;
}

static bool uses_next_page(const struct block *block)
{
	unsigned i;

	for (i = 0; i < block->count; i++)
		if (block->at[i] + block->insn[i].len > PAGE_SIZE_4K)
			return true;
	return false;
}

static void keep(struct recording *r)
{
	struct soft_vcpu *soft = r->vcpu->soft;
	struct block *block = r->block, *head = r->head;
	u8 *end = block__code(block) + ALIGN_UP_TO(r->size, sizeof(s32));
	size_t size;

	block->at[block->count] = r->linear & ~PAGE_MASK_4K;
	memcpy(block__code(block), r->bytes, r->size);
	/* No more room than it needs. */
	memmove(end, block->at, (block->count + 1) * sizeof(s32));
	block->at = (s32 *)end;
	size = ALIGN_UP_TO(end + (block->count + 1) * sizeof(s32) - (u8 *)block, BLOCK_UNIT);
	if (!uses_next_page(block) || !is_same(r->vcpu, block) || block__is_stale(block) || !soft__has_room(r->vcpu))
		return;
	block->trace = head;
	block->plain = head->code;
	soft->cache.used += size;
	translate__block(r->vcpu, block, false);
	if (!block->code) {
		/* It is no loop: something in it calls an executor. */
		soft->cache.used -= size;
		head->tries = MOST_TRIES;
		return;
	}
	soft__lead_to_plain(soft, block);
	block_cache__put_on_page(r->vcpu, block);
	head->trace = block;
	soft->ways++;
}

enum exec_result trace__record(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct recording r = { .vcpu = vcpu, .head = soft->trace_head, .linear = vcpu->cpu.rip };
	enum exec_result result;
	u64 gpa;

	soft->trace_head = NULL;
	if (soft->trace_flushes != soft->flushes || soft->trace_linear != r.linear || block__is_stale(r.head) ||
	    r.head->mode != (soft->context & MODE_BLOCK) || !soft->code_flat ||
	    !mark_page(vcpu, r.linear, r.head->page, &gpa) || !mark_page(vcpu, next_page(r.linear), NULL, &gpa))
		return EXEC_NEXT;
	r.block = block__begin_trace(vcpu, r.head, gpa);
	if (!r.block)
		return EXEC_NEXT;
	while (record_one(&r, &result))
		if (vcpu->cpu.rip == r.linear) {
			keep(&r);
			break;
		}
	return result;
}

/* Whether the loop's second page is where it was, and all its code what it was. */
static bool is_good(struct vcpu *vcpu, struct block *trace, u64 linear)
{
	u64 gpa;

	return trace->code && !block__is_stale(trace) && mark_page(vcpu, next_page(linear), trace->next_page, &gpa) &&
	       is_same(vcpu, trace);
}

struct block *trace__of(struct vcpu *vcpu, struct block *head, u64 from)
{
	struct soft_vcpu *soft = vcpu->soft;
	u64 linear = vcpu->cpu.rip;

	/* What looks at jumps that may leave the canonical half looks at blocks. */
	if (from != next_page(linear) || head->next_page || (head->mode & MODE_CODE_SIZE) != 8 || soft__is_near_edge(linear))
		return head;
	if (head->trace && is_good(vcpu, head->trace, linear)) {
		head->trace->next_page->has_guests = true;
		return head->trace;
	}
	head->trace = NULL;
	if (head->code && head->tries < MOST_TRIES) {
		head->tries++;
		soft->trace_head = head;
		soft->trace_linear = linear;
		soft->trace_flushes = soft->flushes;
	}
	return head;
}
