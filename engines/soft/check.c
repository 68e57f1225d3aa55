/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Executing blocks twice, and comparing: see check.h. */
#include "engines/soft/translate/translate.h"

/*
 * Comparisons that must come out different before that counts: others may write what a block reads, or set
 * vcpu->leave.
 */
#define ATTEMPTS 8
/* Blocks before a vCPU that others wait for gives its turn. */
#define BLOCKS_PER_TURN 256

int check__create(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;

	if (!soft__vm(vcpu->vm)->config.check)
		return 0;
	soft->check = host__alloc_sparse(sizeof(*soft->check));
	if (!soft->check)
		return -ENOMEM;
	soft->check->every = soft__vm(vcpu->vm)->config.check;
	vcpu->journal = &soft->check->journal;
	return 0;
}

void check__destroy(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;

	vcpu->journal = NULL;
	if (soft->check)
		host__free_sparse(soft->check, sizeof(*soft->check));
	soft->check = NULL;
}

/* ---- what can be repeated ---- */

/* System instructions that read and change nothing but struct x86_cpu and guest memory. */
static exec_fn *const repeatable[] = {
	system__cli, system__sti, system__pushf, system__popf, system__clac, system__stac,
	system__swapgs, system__rdfsbase, system__rdgsbase, system__wrfsbase, system__wrgsbase,
	system__rdpid, system__xgetbv, system__mov_from_cr, system__mov_from_dr,
	system__mov_from_sreg, system__mov_to_sreg, system__push_sreg, system__pop_sreg,
	system__load_far_pointer, system__sgdt, system__sidt, system__sldt, system__str,
	system__smsw, system__verr, system__verw, system__lar, system__lsl, system__arpl,
	system__syscall, system__sysret, system__sysenter, system__sysexit, system__iret,
	system__far_jmp, system__far_call, system__far_ret,
};

static bool is_string(const struct opcode_row *row)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++)
		if (row->op[i] == OP_Xb || row->op[i] == OP_Xv || row->op[i] == OP_Yb ||
		    row->op[i] == OP_Yv)
			return true;
	return false;
}

bool check__stands_alone(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	unsigned i;

	/* It raises an exception, always the same. */
	if (!row)
		return false;
	if (row->class != CLASS_SYSTEM)
		return row->exec == exec_rdrand || row->exec == exec_rdseed || row->exec == exec_pause ||
		       /* How far one execution comes depends on what the TLB permits. */
		       is_string(row);
	for (i = 0; i < ARRAY_LENGTH(repeatable); i++)
		if (row->exec == repeatable[i])
			return false;
	return true;
}

/* ---- one execution ---- */

/* A shift by 0 leaves the flags, so what was undefined stays so. */
static bool may_keep_flags(const struct insn *insn)
{
	if (insn->map == MAP_1BYTE)
		return (insn->opcode & 0xfe) == 0xc0 || (insn->opcode & 0xfc) == 0xd0;
	return insn->map == MAP_0F && (insn->opcode & 0xf6) == 0xa4;
}

static void note_flags(struct check *check, const struct insn *insn)
{
	const struct opcode_row *row = insn->row;

	if (!row)
		return;
	if (row->reads & check->undefined)
		check->tainted = true;
	if (!may_keep_flags(insn))
		check->undefined &= ~row->writes;
	check->undefined |= row->undefined & RFLAGS_ARITH;
}

/* The instruction itself wants the loop to look. Others' wishes can wait until the block's end. */
static bool must_look(const struct vcpu *vcpu)
{
	return vcpu->breakpoint_hits || vcpu->code_written != ~0ULL || vcpu->io.nr_writes;
}

/* Whether the translation goes on with the block behind its instruction number i, by how that ended. */
static bool goes_on(const struct x86_cpu *cpu, const struct block *block, u64 page, unsigned i, enum exec_result result)
{
	const struct insn *insn = &block->insn[i];

	if (!block->at)
		return result == EXEC_NEXT;
	/* A conditional jump to the next instruction is not followed: translate__follows_jump(). */
	if (result == EXEC_JUMP && !(translate__is_conditional(insn) && !insn->imm))
		return cpu->rip == page + block->at[i + 1];
	return result == EXEC_NEXT && cpu->rip == page + block->at[i + 1];
}

static enum exec_result interpret(struct vcpu *vcpu, const struct block *block, struct check *check)
{
	const struct insn *insn = block->insn, *end = insn + block->count;
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 page = cpu->rip & PAGE_MASK_4K;
	enum exec_result result;
	bool more;

	check->undefined = 0;
	check->tainted = false;
	do {
		result = insn->exec(vcpu, insn);
		if (result == EXEC_FAULT || result == EXEC_EXIT || result == EXEC_FAIL ||
		    result == EXEC_AGAIN)
			break;
		note_flags(check, insn);
		if (result != EXEC_JUMP)
			cpu->rip += insn->len;
		more = goes_on(cpu, block, page, insn - block->insn, result);
		insn++;
	} while (more && insn != end && !must_look(vcpu));
	check->insns = insn - block->insn;
	vcpu->stats.insns += check->insns;
	return result;
}

/* Once, for good. */
static enum exec_result interpret_once(struct vcpu *vcpu, const struct block *block,
				       struct check *check)
{
	journal__begin(&check->journal, JOURNAL_OFF);
	check->counts.interpreted++;
	return interpret(vcpu, block, check);
}

/* A device or the like: one instruction only, so that the next block is looked up behind it. */
static enum exec_result interpret_first(struct vcpu *vcpu, const struct block *block,
					struct check *check)
{
	const struct insn *insn = block->insn;
	enum exec_result result;

	journal__begin(&check->journal, JOURNAL_OFF);
	check->counts.interpreted++;
	result = insn->exec(vcpu, insn);
	if (result == EXEC_NEXT || result == EXEC_STOP)
		vcpu->cpu.rip += insn->len;
	vcpu->stats.insns++;
	return result;
}

/* The translation alone. */
static enum exec_result execute_once(struct vcpu *vcpu, const struct block *block,
				     struct check *check)
{
	journal__begin(&check->journal, JOURNAL_OFF);
	check->counts.passed_over++;
	vcpu->stats.code_entries++;
	return glue__enter(vcpu, block->code);
}

static bool is_due(struct block *block, const struct check *check)
{
	block->checks++;
	return block->checks <= CHECK_OFTEN || block->checks % check->every == 0;
}

/* ---- state ---- */

static void take_vectors(struct vcpu *vcpu, struct check_outcome *outcome)
{
	soft__vector_save(vcpu);
	outcome->vectors = *(struct xsave_image *)vcpu->xsave;
	outcome->pointers = *soft__vectors(vcpu);
}

/* All of it, or only what other than system instructions can change. */
static void copy_cpu(const struct check *check, struct x86_cpu *to, const struct x86_cpu *from)
{
	if (check->has_system)
		*to = *from;
	else
		memcpy(to, from, CHECK_PLAIN_BYTES);
}

static void take_outcome(struct vcpu *vcpu, const struct check *check, enum exec_result result,
			 struct check_outcome *outcome)
{
	copy_cpu(check, &outcome->cpu, &vcpu->cpu);
	if (vcpu->cpu.code_size != 8)
		outcome->cpu.rip = (u32)vcpu->cpu.rip;
	outcome->exception = vcpu->exception;
	outcome->breakpoint_hits = vcpu->breakpoint_hits;
	/* By which of these a block ends is the engine's own affair. */
	outcome->result = result == EXEC_STOP || result == EXEC_JUMP ? EXEC_NEXT : result;
	if (check->has_vectors)
		take_vectors(vcpu, outcome);
}

static void put_outcome(struct vcpu *vcpu, const struct check *check,
			const struct check_outcome *outcome)
{
	copy_cpu(check, &vcpu->cpu, &outcome->cpu);
	vcpu->exception = outcome->exception;
	vcpu->breakpoint_hits = outcome->breakpoint_hits;
	if (check->has_system) {
		x86__mode_changed(vcpu);
		soft__refresh_context(vcpu);
	}
	if (!check->has_vectors)
		return;
	memcpy(vcpu->xsave, &outcome->vectors, sizeof(outcome->vectors));
	soft__vector_changed(vcpu);
	soft__vectors_put_pointers(vcpu, &outcome->pointers);
}

static void look_at_block(const struct block *block, struct check *check)
{
	unsigned i;

	check->has_vectors = false;
	check->has_system = false;
	for (i = 0; i < block->count; i++) {
		const struct opcode_row *row = block->insn[i].row;

		if (!row)
			continue;
		check->has_vectors |= row->class == CLASS_VECTOR || row->class == CLASS_X87;
		check->has_system |= row->class == CLASS_SYSTEM;
	}
}

/* ---- twice ---- */

enum verdict { VERDICT_SAME, VERDICT_DIFFERENT, VERDICT_SKIPPED, VERDICT_DEVICE };

/*
 * Both executions from check->before, with memory as it was then. Leaves the state as the second one
 * did; VERDICT_SKIPPED: as the first did.
 */
static enum verdict execute_twice(struct vcpu *vcpu, const struct block *block, struct check *check,
				  bool *neighbour)
{
	struct journal *journal = &check->journal;
	enum exec_result result;

	put_outcome(vcpu, check, &check->before);
	journal__begin(journal, JOURNAL_RECORD);
	result = interpret(vcpu, block, check);
	/* Nothing was executed; or the block may be stale, and what was written can't be taken back. */
	if (journal->device && !check->insns)
		return VERDICT_DEVICE;
	take_outcome(vcpu, check, result, &check->interpreted);
	if (journal->full || vcpu->code_written != ~0ULL ||
	    __atomic_load_n(&vcpu->code_stale, __ATOMIC_RELAXED) || !block->code)
		return VERDICT_SKIPPED;

	check__keep_written(check);
	journal__undo(journal);
	put_outcome(vcpu, check, &check->before);
	journal->mode = JOURNAL_COMPARE;
	journal__permit(journal);
	check->left |= __atomic_exchange_n(&vcpu->leave, 0, __ATOMIC_SEQ_CST);
	vcpu->soft->code_base = vcpu->cpu.rip & PAGE_MASK_4K;
	/* Where it was last is no permission that the journal has given. */
	tlb__drop_stacks(&vcpu->tlb);
	result = glue__enter(vcpu, block->code);
	journal__revoke(journal);
	take_outcome(vcpu, check, result, &check->translated);
	vcpu->stats.code_entries++;
	/* It came to want another translation of itself, for which there was no room. */
	check->tainted |= vcpu->soft->full;
	*neighbour = false;
	return check__is_same(vcpu, check) && check__is_written_same(check, neighbour) ?
		       VERDICT_SAME :
		       VERDICT_DIFFERENT;
}

static enum exec_result fail(struct vcpu *vcpu, const struct block *block, struct check *check)
{
	check->failed = true;
	check__report(vcpu, block);
	/* The machine stands where the block begins. */
	journal__undo(&check->journal);
	put_outcome(vcpu, check, &check->before);
	return EXEC_NEXT;
}

/* Leaves the interpreter's outcome after all. */
static enum exec_result skip(struct vcpu *vcpu, const struct block *block, struct check *check)
{
	check->counts.skipped++;
	journal__undo(&check->journal);
	put_outcome(vcpu, check, &check->before);
	return interpret_once(vcpu, block, check);
}

static enum exec_result check_block(struct vcpu *vcpu, const struct block *block,
				    struct check *check)
{
	unsigned attempt;
	bool neighbour;

	look_at_block(block, check);
	check->left = false;
	take_outcome(vcpu, check, EXEC_NEXT, &check->before);
	for (attempt = 1; attempt <= ATTEMPTS; attempt++) {
		switch (execute_twice(vcpu, block, check, &neighbour)) {
		case VERDICT_SAME:
			check->counts.blocks++;
			check->counts.insns += check->insns;
			/* The loop's way to tell them apart; a device's turn comes next. */
			return check->journal.device ? EXEC_NEXT : check->interpreted.result;
		case VERDICT_SKIPPED:
			check->counts.skipped++;
			return check->interpreted.result;
		case VERDICT_DEVICE:
			return interpret_first(vcpu, block, check);
		case VERDICT_DIFFERENT:
			break;
		}
		/* What has been executed can't be compared, after all. */
		if (check->tainted)
			return skip(vcpu, block, check);
		/* What nobody has asked for can't be undone, so it would be there the next time, too. */
		if (neighbour)
			break;
		if (attempt < ATTEMPTS) {
			check->counts.repeated++;
			journal__undo(&check->journal);
		}
	}
	return fail(vcpu, block, check);
}

/* ---- the loop ---- */

/* The block at RIP, and in *has_code whether its translation may be executed. NULL: as block_cache__get(). */
static struct block *find(struct vcpu *vcpu, bool *has_code, enum exec_result *result)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct block *block;
	u32 flushes;

	for (;;) {
		*has_code = false;
		block = block_cache__get(vcpu, result);
		if (!block || check__stands_alone(&block->insn[0]))
			return block;
		flushes = soft->flushes;
		*has_code = soft__code_of(vcpu, &block);
		/* Translating may have emptied the cache. */
		if (flushes == soft->flushes)
			return block;
	}
}

enum exec_result check__run_blocks(struct vcpu *vcpu, unsigned *budget)
{
	struct check *check = vcpu->soft->check;
	enum exec_result result = EXEC_NEXT;

	for (; *budget; --*budget) {
		struct block *block;
		const struct insn *last;
		bool has_code;

		journal__revoke(&check->journal);
		if (++check->blocks_in_turn >= BLOCKS_PER_TURN)
			check__pass_turn(vcpu);
		if (__atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED))
			return EXEC_NEXT;
		block = find(vcpu, &has_code, &result);
		if (!block) {
			if (result != EXEC_NEXT)
				return result;
			vcpu->stats.insns++;
			result = crossing__execute(vcpu);
			if (result != EXEC_NEXT)
				return result;
			continue;
		}
		last = &block->insn[block->count - 1];
		if (!has_code)
			result = interpret_once(vcpu, block, check);
		else if (is_due(block, check))
			result = check_block(vcpu, block, check);
		else
			result = execute_once(vcpu, block, check);
		journal__begin(&check->journal, JOURNAL_OFF);
		if (check->left)
			__atomic_store_n(&vcpu->leave, 1, __ATOMIC_SEQ_CST);
		check->left = false;
		if (last->row && last->row->exec == exec_pause)
			check__pass_turn(vcpu);
		if (check->failed || (result != EXEC_NEXT && result != EXEC_JUMP) ||
		    (last->flags & INSN_STOP) || must_look(vcpu))
			return result;
	}
	return EXEC_NEXT;
}
