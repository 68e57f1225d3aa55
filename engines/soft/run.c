/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter's loop: blocks, faults, event windows, single step. */
#include "engines/soft/translate/translate.h"

/* What comes after some instructions: go on, or leave engine_ops.run with *exit filled. */
enum loop_step { LOOP_ON, LOOP_LEAVE };

static enum loop_step leave(struct engine_exit *exit, enum engine_exit_reason reason)
{
	exit->reason = reason;
	return LOOP_LEAVE;
}

/*
 * The block to go on with: by the link of the block just left if it leads here, else by look-up,
 * which then sets the link.
 */
static __always_inline struct block *follow(struct vcpu *vcpu, struct soft_vcpu *soft,
					    struct block *from, enum block_way way,
					    enum exec_result *result)
{
	struct block_link *link;
	struct block *block;
	u64 context = soft->context;

	if (!from || unlikely(!soft->code_flat))
		return block_cache__get(vcpu, result);
	link = &from->link[way];
	if (likely(link->rip == vcpu->cpu.rip && link->context == context &&
		   !block__is_stale(link->block)))
		return link->block;
	block = block_cache__get(vcpu, result);
	/* Not if looking up has flushed the cache, and `from` with it. */
	if (block && block->page && soft->context == context) {
		link->rip = vcpu->cpu.rip;
		link->context = context;
		link->block = block;
	}
	return block;
}

/* Of what is interpreted: where a block that was made to be translated follows jumps, up to the first of them. */
static const struct insn *end_of(const struct block *block)
{
	const struct insn *insn = block->insn, *end = insn + block->count;

	if (likely(!block->at))
		return end;
	while (insn != end && !(insn->flags & INSN_BRANCH))
		insn++;
	return insn == end ? end : insn + 1;
}

/*
 * Executes blocks until something but plain progress happens: returns the result of the last
 * instruction, with RIP advanced if it retired. EXEC_NEXT: vcpu->leave is set or the budget is
 * spent.
 */
static enum exec_result run_blocks(struct vcpu *vcpu, unsigned *budget)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct soft_vcpu *soft = vcpu->soft;
	struct block *block = NULL;
	enum block_way way = WAY_NEXT;

	for (; *budget; --*budget) {
		const struct insn *insn, *end;
		const u8 *code;
		u32 flushes;
		enum exec_result result, fetched; /* two, so that the loop's stays in a register */

		if (unlikely(soft->trace_head)) {
			block = NULL;
			result = trace__record(vcpu);
			if (result != EXEC_NEXT || __atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED))
				return result;
			continue;
		}
		block = follow(vcpu, soft, block, way, &fetched);
		if (unlikely(!block)) {
			if (fetched != EXEC_NEXT)
				return fetched;
			vcpu->stats.insns++;
			result = crossing__execute(vcpu); /* advances RIP itself */
			if (result != EXEC_NEXT || __atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED))
				return result == EXEC_NEXT ? EXEC_AGAIN : result;
			continue;
		}
		flushes = soft->flushes;
		code = soft__code_of(vcpu, &block);
		/* Making room for its translation has taken the block away. */
		if (unlikely(flushes != soft->flushes)) {
			block = NULL;
			continue;
		}
		if (code) {
			vcpu->stats.code_entries++;
			result = glue__enter(vcpu, code);
			block = NULL;
			/* Counted when it began. */
			if (soft->counts && result != EXEC_NEXT && result != EXEC_JUMP &&
			    result != EXEC_STOP)
				vcpu->stats.insns--;
			if (result != EXEC_NEXT || __atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED))
				return result;
			continue;
		}
		insn = block->insn;
		end = end_of(block);
		do {
			result = insn->exec(vcpu, insn);
			if (unlikely(result != EXEC_NEXT))
				break;
			cpu->rip += insn->len;
			insn++;
		} while (insn != end && likely(!__atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED)));
		vcpu->stats.insns += insn - block->insn;
		way = WAY_NEXT;
		if (!block->page)
			block = NULL;
		if (result == EXEC_JUMP) {
			way = WAY_JUMP;
			vcpu->stats.insns++;
			if (insn->flags & INSN_STOP)
				return result;
		} else if (result != EXEC_NEXT) {
			if (result == EXEC_STOP) {
				vcpu->stats.insns++;
				cpu->rip += insn->len;
			}
			return result;
		}
		if (unlikely(__atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED)))
			return EXEC_NEXT;
		/* STAC, a segment register: other code of the same bytes goes on. */
		if (result == EXEC_NEXT && (insn[-1].flags & INSN_STOP))
			soft__refresh_context(vcpu);
	}
	return EXEC_NEXT;
}

/* Executes one instruction, from a block if there is one. */
static enum exec_result run_one(struct vcpu *vcpu)
{
	enum exec_result result;
	struct block *block = block_cache__get(vcpu, &result);

	vcpu->stats.insns++;
	if (!block)
		return result == EXEC_NEXT ? emulate__one(vcpu) : result;
	result = block->insn[0].exec(vcpu, &block->insn[0]);
	if (result == EXEC_NEXT || result == EXEC_STOP)
		vcpu->cpu.rip += block->insn[0].len;
	return result;
}

static bool is_debugged(const struct vcpu *vcpu)
{
	return vcpu->guest_debug & KVM_GUESTDBG_ENABLE;
}

/* Instruction breakpoints at RIP, as DR6 bits (SDM vol. 3, 17.3.1.1). */
static u64 execution_breakpoints(const struct vcpu *vcpu)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	u64 linear = cpu->code_size == 8 ? cpu->rip : (u32)(cpu->seg[X86_CS].base + cpu->rip);
	u64 dr7 = vcpu__debug_register(vcpu, 7), hits = 0;
	unsigned i;

	for (i = 0; i < 4; i++)
		if ((dr7 >> (2 * i) & 3) && !(dr7 >> (16 + 4 * i) & 3) &&
		    vcpu__debug_register(vcpu, i) == linear)
			hits |= BIT64(i);
	return hits;
}

static bool has_execution_breakpoints(u64 dr7)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		if ((dr7 >> (2 * i) & 3) && !(dr7 >> (16 + 4 * i) & 3))
			return true;
	return false;
}

/* Instructions must be executed one by one, with a look before and after each. */
static bool must_step(const struct vcpu *vcpu)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	return cpu->shadow || (cpu->sysflags & (RFLAGS_TF | RFLAGS_RF)) || is_debugged(vcpu) ||
	       unlikely(has_execution_breakpoints(cpu->dr7));
}

static enum loop_step debug_exit(struct vcpu *vcpu, struct engine_exit *exit, u32 exception,
				 u64 dr6)
{
	exit->exception = exception;
	exit->dr6 = dr6 | DR6_FIXED;
	exit->pc = vcpu->cpu.rip + (vcpu->cpu.code_size == 8 ? 0 : vcpu->cpu.seg[X86_CS].base);
	return leave(exit, ENGINE_EXIT_DEBUG);
}

static enum loop_step deliver_exception(struct vcpu *vcpu, struct engine_exit *exit)
{
	bool theirs = is_debugged(vcpu) && vcpu->exception.vector == X86_DB &&
		      (vcpu->guest_debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP));

	if (theirs) {
		vcpu->exception.pending = false;
		return debug_exit(vcpu, exit, X86_DB, vcpu->exception.payload);
	}
	switch (x86__deliver_exception(vcpu)) {
	case EXEC_EXIT:
		return leave(exit, ENGINE_EXIT_IO);
	case EXEC_FAIL:
		return leave(exit, ENGINE_EXIT_SHUTDOWN);
	default:
		return LOOP_ON;
	}
}

static enum loop_step deliver_injection(struct vcpu *vcpu, struct engine_exit *exit)
{
	static const u8 source[] = {
		[INJECT_INTERRUPT] = EVENT_EXTERNAL,
		[INJECT_SOFT_INTERRUPT] = EVENT_SOFT_INT,
		[INJECT_NMI] = EVENT_NMI,
	};
	struct soft_vcpu *soft = vcpu->soft;
	u8 injection = soft->injection;

	soft->injection = INJECT_NONE;
	vcpu->cpu.shadow = 0;
	switch (x86__deliver_event(vcpu, soft->injection_vector, source[injection])) {
	case EXEC_EXIT: /* the IDT or the stack in device memory of user space: not supported */
	case EXEC_FAIL:
		return leave(exit, ENGINE_EXIT_SHUTDOWN);
	case EXEC_FAULT:
		return deliver_exception(vcpu, exit);
	default:
		return LOOP_ON;
	}
}

/* An asked-for window is open: nothing blocks the event before the next instruction. */
static bool window_is_open(const struct vcpu *vcpu)
{
	const struct soft_vcpu *soft = vcpu->soft;
	const struct x86_cpu *cpu = &vcpu->cpu;

	if (cpu->shadow)
		return false;
	return (soft->want_interrupt_window && (cpu->sysflags & RFLAGS_IF)) ||
	       (soft->want_nmi_window && !cpu->nmi_masked);
}

/* Consequences of an instruction's result, for the loop. */
static enum loop_step after(struct vcpu *vcpu, struct engine_exit *exit, enum exec_result result)
{
	switch (result) {
	case EXEC_FAULT:
		/* Nothing was committed; what delivery now pushes may meet breakpoints of its own. */
		vcpu->breakpoint_hits = 0;
		if (deliver_exception(vcpu, exit) == LOOP_LEAVE)
			return LOOP_LEAVE;
		break;
	case EXEC_EXIT:
		return leave(exit, ENGINE_EXIT_IO);
	case EXEC_FAIL:
		if (vcpu->soft->shut_down) {
			vcpu->soft->shut_down = false;
			return leave(exit, ENGINE_EXIT_SHUTDOWN);
		}
		return leave(exit, ENGINE_EXIT_FAIL);
	default:
		break;
	}
	/* MOV SS puts them off by one instruction (SDM vol. 3, 6.8.3). */
	if (vcpu->breakpoint_hits && !(vcpu->cpu.shadow & X86_SHADOW_MOV_SS)) {
		u64 hits = vcpu->breakpoint_hits;

		vcpu->breakpoint_hits = 0;
		x86__raise_debug(vcpu, hits);
		vcpu->exception.trap = true;
		if (deliver_exception(vcpu, exit) == LOOP_LEAVE)
			return LOOP_LEAVE;
	}
	if (vcpu->io.nr_writes)
		return leave(exit, ENGINE_EXIT_IO);
	if (vcpu->mp_state == KVM_MP_STATE_HALTED)
		return leave(exit, ENGINE_EXIT_HALT);
	return LOOP_ON;
}

/* One instruction with everything that TF, RF, shadows, breakpoints and a debugger ask for. */
static enum loop_step step(struct vcpu *vcpu, struct engine_exit *exit)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	bool single = cpu->sysflags & RFLAGS_TF;
	u64 resume = cpu->sysflags & RFLAGS_RF;
	u8 shadow = cpu->shadow;
	enum exec_result result;
	u64 hits;

	if (is_debugged(vcpu) && (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP)) {
		u8 byte;
		u64 linear = cpu->rip + (cpu->code_size == 8 ? 0 : cpu->seg[X86_CS].base);

		if (access__read(vcpu, linear, &byte, 1, 0) == EXEC_NEXT && byte == 0xcc)
			return debug_exit(vcpu, exit, X86_BP, 0);
		vcpu->exception.pending = false;
	}
	hits = execution_breakpoints(vcpu);
	if (hits && !(cpu->sysflags & RFLAGS_RF) && !(shadow & X86_SHADOW_MOV_SS)) {
		x86__raise_debug(vcpu, hits);
		return deliver_exception(vcpu, exit);
	}
	/* RF covers this instruction only, unless it loads RF itself (IRET, task switch). */
	cpu->sysflags &= ~RFLAGS_RF;
	result = run_one(vcpu);
	if (result == EXEC_FAULT || result == EXEC_EXIT || result == EXEC_FAIL ||
	    result == EXEC_AGAIN)
		cpu->sysflags |= resume;
	if (result == EXEC_FAULT || result == EXEC_EXIT || result == EXEC_FAIL)
		return after(vcpu, exit, result);
	/* Retired: the shadows it stood in end; an instruction may have begun one of its own. */
	if (cpu->shadow == shadow)
		cpu->shadow = 0;
	if (cpu->shadow & X86_SHADOW_STEP) {
		cpu->shadow &= ~X86_SHADOW_STEP;
		single = false;
	}
	soft__refresh_context(vcpu);
	if (is_debugged(vcpu) && (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		return debug_exit(vcpu, exit, X86_DB, DR6_BS);
	if (single && !(cpu->shadow & X86_SHADOW_MOV_SS) && result != EXEC_FAULT) {
		x86__raise_debug(vcpu, DR6_BS | vcpu->breakpoint_hits);
		vcpu->exception.trap = true;
		vcpu->breakpoint_hits = 0;
		/* The trap of HLT ends the halt it began. */
		__atomic_store_n(&vcpu->mp_state, KVM_MP_STATE_RUNNABLE, __ATOMIC_RELAXED);
		if (deliver_exception(vcpu, exit) == LOOP_LEAVE)
			return LOOP_LEAVE;
	}
	return after(vcpu, exit, result);
}

/* RF has no effect without breakpoints, and every fault pushes it set. */
static void drop_resume_flag(struct vcpu *vcpu)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (!is_debugged(vcpu) && !has_execution_breakpoints(cpu->dr7))
		cpu->sysflags &= ~RFLAGS_RF;
}

bool soft__may_go_on(struct vcpu *vcpu)
{
	/* Checked blocks are executed one by one. */
	if (unlikely(vcpu->soft->check))
		return false;
	if (vcpu->cpu.sysflags & RFLAGS_RF)
		drop_resume_flag(vcpu);
	if (__atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED) || must_step(vcpu) ||
	    window_is_open(vcpu) || vcpu->breakpoint_hits || vcpu->io.nr_writes ||
	    vcpu->mp_state != KVM_MP_STATE_RUNNABLE)
		return false;
	soft__refresh_context(vcpu);
	return true;
}

const u8 *soft__resume(struct vcpu *vcpu)
{
	vcpu->soft->found = EXEC_JUMP;
	return soft__may_go_on(vcpu) ? soft__find_code(vcpu) : NULL;
}

const u8 *soft__deliver(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;

	soft->found = EXEC_FAULT;
	if (is_debugged(vcpu) || soft->counts || soft->check)
		return NULL;
	/* As after() does. */
	vcpu->breakpoint_hits = 0;
	switch (x86__deliver_exception(vcpu)) {
	case EXEC_EXIT:
		soft->found = EXEC_EXIT;
		return NULL;
	case EXEC_FAIL:
		soft->found = EXEC_FAIL;
		soft->shut_down = true;
		return NULL;
	default:
		return soft__resume(vcpu);
	}
}

/* ---- looking up from generated code ---- */

void soft__pulse(struct host_timer *timer)
{
	struct soft_vcpu *soft =
		(struct soft_vcpu *)((u8 *)timer - offsetof(struct soft_vcpu, pulse));
	struct vcpu *vcpu = (struct vcpu *)soft - 1;

	__atomic_store_n(&soft->pulse_state, PULSE_DUE, __ATOMIC_RELAXED);
	__atomic_store_n(&vcpu->leave, 1, __ATOMIC_RELEASE);
}

static void set_pulse(struct soft_vcpu *soft)
{
	if (__atomic_load_n(&soft->pulse_state, __ATOMIC_RELAXED) != PULSE_IDLE)
		return;
	__atomic_store_n(&soft->pulse_state, PULSE_SET, __ATOMIC_RELAXED);
	host__timer_set(&soft->pulse, host__monotonic_ns() + SOFT_PULSE_NS);
}

static bool pulse_is_due(struct soft_vcpu *soft)
{
	if (likely(__atomic_load_n(&soft->pulse_state, __ATOMIC_RELAXED) != PULSE_DUE))
		return false;
	__atomic_store_n(&soft->pulse_state, PULSE_IDLE, __ATOMIC_RELAXED);
	return true;
}

/* A page with cached code was written: code there, or anywhere, is to be found again. */
static void note_code_writes(struct vcpu *vcpu, struct soft_vcpu *soft)
{
	u64 own = vcpu->code_written;

	soft->code_writes += own != ~0ULL;
	if (unlikely(__atomic_load_n(&vcpu->code_stale, __ATOMIC_RELAXED))) {
		__atomic_store_n(&vcpu->code_stale, 0, __ATOMIC_SEQ_CST);
		soft->others++;
	} else if (own != ~0ULL) {
		block_cache__forget_jumps(soft, own);
	}
	vcpu->code_written = ~0ULL;
}

static void run(struct vcpu *vcpu, struct engine_exit *exit)
{
	struct soft_vcpu *soft = vcpu->soft;
	enum loop_step next = LOOP_ON;
	unsigned budget = SOFT_RUN_BLOCKS;

	set_pulse(soft);
	if (vcpu->exception.pending)
		next = deliver_exception(vcpu, exit);
	else if (soft->injection != INJECT_NONE)
		next = deliver_injection(vcpu, exit);
	if (next == LOOP_ON)
		next = after(vcpu, exit, EXEC_NEXT);
	while (next == LOOP_ON) {
		enum exec_result result;

		/* Cleared before the requests are read: one that comes later sets it again. */
		if (__atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED))
			__atomic_store_n(&vcpu->leave, 0, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE)) {
			leave(exit, ENGINE_EXIT_EVENT);
			return;
		}
		if (window_is_open(vcpu)) {
			leave(exit, ENGINE_EXIT_WINDOW);
			return;
		}
		note_code_writes(vcpu, soft);
		if (unlikely(soft->full))
			block_cache__flush(vcpu);
		/* Also a guest that only faults, steps or repeats must hear signals. */
		if (!budget-- || pulse_is_due(soft)) {
			leave(exit, ENGINE_EXIT_EVENT);
			return;
		}
		/* Those that the delivery of a #DB has met. */
		if (unlikely(vcpu->breakpoint_hits) &&
		    !(vcpu->cpu.shadow & X86_SHADOW_MOV_SS)) {
			next = after(vcpu, exit, EXEC_NEXT);
			continue;
		}
		soft__refresh_context(vcpu);
		if (unlikely(must_step(vcpu))) {
			next = step(vcpu, exit);
			continue;
		}
		if (unlikely(soft->check)) {
			result = check__run_blocks(vcpu, &budget);
			if (check__has_failed(soft->check)) {
				leave(exit, ENGINE_EXIT_BROKEN);
				return;
			}
		} else {
			result = run_blocks(vcpu, &budget);
		}
		next = after(vcpu, exit, result);
	}
}

void soft__run(struct vcpu *vcpu, struct engine_exit *exit)
{
	bool checks = vcpu->soft->check;

	if (unlikely(checks))
		check__take_turn(vcpu);
	run(vcpu, exit);
	if (unlikely(checks))
		check__give_turn(vcpu);
	vcpu->soft->exits[exit->reason]++;
}
