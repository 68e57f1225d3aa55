/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Far JMP, CALL and RET (APM vol. 3 under these names; vol. 2, 4.11). */
#include "core/emulate/far.h"
#include "core/emulate/frame.h"
#include "core/emulate/system.h"

enum exec_result far__check_code(struct vcpu *vcpu, u16 selector, u64 low, enum x86_vector vector)
{
	if (!descriptor__is_code(low) || (vcpu->cpu.long_mode && descriptor__is_long(low) &&
					  descriptor__is_big(low)))
		return x86__raise_error(vcpu, vector, SELECTOR_ERROR(selector));
	if (!descriptor__is_present(low))
		return x86__raise_error(vcpu, X86_NP, SELECTOR_ERROR(selector));
	return EXEC_NEXT;
}

enum exec_result far__check_rip(struct vcpu *vcpu, const struct descriptor *code, u64 rip)
{
	bool good = far__is_long_code(&vcpu->cpu, code->low) ?
			    system__is_canonical(&vcpu->cpu, rip) :
			    rip <= descriptor__limit(code->low);

	return good ? EXEC_NEXT : x86__raise_gp(vcpu, 0);
}

void far__commit_code(struct x86_cpu *cpu, u16 selector, unsigned cpl, const struct descriptor *d,
		      u64 rip)
{
	segload__unpack(&cpu->seg[X86_CS], (selector & ~SELECTOR_RPL) | cpl, d);
	cpu->rip = rip;
}

u64 far__offset_in(struct vcpu *vcpu, const struct descriptor *code, u64 offset)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (cpu->long_mode && !far__is_long_code(cpu, code->low) && system__is_intel(vcpu))
		return (u32)offset;
	return offset;
}

struct far_target {
	u64 offset;
	u16 selector;
};

/* The pointer in the instruction, or in memory; an offset of 16 bits is zero-extended. */
static enum exec_result read_target(struct vcpu *vcpu, const struct insn *insn,
				    struct far_target *target)
{
	enum exec_result r;
	u8 pointer[10];
	u64 linear;

	if (!(insn->flags & INSN_MEM)) {
		target->offset = insn->opsize == 2 ? (u16)insn->imm : (u32)insn->imm;
		target->selector = insn->imm2;
		return EXEC_NEXT;
	}
	r = emulate__operand(vcpu, insn, insn->opsize + 2, false, &linear);
	if (r == EXEC_NEXT)
		r = access__read(vcpu, linear, pointer, insn->opsize + 2,
				 system__operand_how(insn));
	if (r != EXEC_NEXT)
		return r;
	target->offset = 0;
	memcpy(&target->offset, pointer, insn->opsize);
	memcpy(&target->selector, pointer + insn->opsize, 2);
	return EXEC_NEXT;
}

/* The stack pointer is as wide as in the code that is entered: from 64-bit to other code ESP. */
static unsigned stack_size_in(const struct x86_cpu *cpu, const struct descriptor *d)
{
	if (!cpu->long_mode)
		return frame__stack_size(cpu);
	return far__is_long_code(cpu, d->low) ? 8 : cpu->seg[X86_SS].db ? 4 : 2;
}

static enum exec_result push_return(struct vcpu *vcpu, const struct insn *insn,
				    const struct descriptor *d, struct frame_stack *stack)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	const u64 item[2] = { cpu->seg[X86_CS].selector, system__next_rip(cpu, insn) };
	bool wide = insn->code == 8 && (insn->flags & INSN_REX_W);

	/* On AMD's processors REX.W widens what is pushed, but not the pointer in memory. */
	*stack = frame__current(cpu);
	if (d)
		stack->size = stack_size_in(cpu, d);
	return frame__push(vcpu, stack, item, 2, wide ? 8 : insn->opsize);
}

static enum exec_result transfer_real(struct vcpu *vcpu, const struct insn *insn,
				      const struct far_target *target, bool call)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct frame_stack stack;
	enum exec_result r;

	if (target->offset > cpu->seg[X86_CS].limit)
		return x86__raise_gp(vcpu, 0);
	if (call) {
		r = push_return(vcpu, insn, NULL, &stack);
		if (r != EXEC_NEXT)
			return r;
		frame__set_sp(cpu, stack.size, stack.sp);
	}
	segload__set_real(cpu, &cpu->seg[X86_CS], target->selector);
	cpu->rip = target->offset;
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

static enum exec_result transfer_to_code(struct vcpu *vcpu, const struct insn *insn,
					 const struct far_target *target, struct descriptor *d,
					 bool call)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned dpl = descriptor__dpl(d->low);
	struct frame_stack stack;
	bool allowed = descriptor__is_conforming(d->low) ?
			       dpl <= cpu->cpl :
			       dpl == cpu->cpl && (target->selector & SELECTOR_RPL) <= cpu->cpl;
	u64 offset = far__offset_in(vcpu, d, target->offset);
	enum exec_result r;

	if (!allowed)
		return x86__raise_gp(vcpu, SELECTOR_ERROR(target->selector));
	r = far__check_code(vcpu, target->selector, d->low, X86_GP);
	if (r == EXEC_NEXT)
		r = segload__set_accessed(vcpu, d);
	/* Below the stack pointer the return address stands even if the target is refused. */
	if (r == EXEC_NEXT && call)
		r = push_return(vcpu, insn, d, &stack);
	if (r == EXEC_NEXT)
		r = far__check_rip(vcpu, d, offset);
	if (r != EXEC_NEXT)
		return r;
	if (call)
		frame__set_sp(cpu, stack.size, stack.sp);
	far__commit_code(cpu, target->selector, cpu->cpl, d, offset);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

/* Call gates, task gates, TSSs: the gate's or TSS's privilege, presence and kind. */
static enum exec_result transfer_to_system(struct vcpu *vcpu, const struct insn *insn,
					   u16 selector, struct descriptor *d, bool call)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned type = descriptor__type(d->low), dpl = descriptor__dpl(d->low);
	enum task_cause cause = call ? TASK_CALL : TASK_JMP;
	u64 next = system__next_rip(cpu, insn);

	switch (type) {
	case SYSTEM_CALL:
		break;
	case SYSTEM_CALL16:
	case SYSTEM_TASK_GATE:
	case SYSTEM_TSS16:
	case SYSTEM_TSS:
		if (!cpu->long_mode)
			break;
		__attribute__((fallthrough));
	default:
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	}
	if (dpl < cpu->cpl || dpl < (selector & SELECTOR_RPL))
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	if (!descriptor__is_present(d->low))
		return x86__raise_error(vcpu, X86_NP, SELECTOR_ERROR(selector));
	switch (type) {
	case SYSTEM_CALL16:
	case SYSTEM_CALL:
		return gate__transfer(vcpu, selector, d, call, next);
	case SYSTEM_TASK_GATE:
		return task__through_gate(vcpu, d->low, cause, next, NULL);
	default:
		return task__switch(vcpu, selector, cause, next, NULL);
	}
}

static enum exec_result transfer(struct vcpu *vcpu, const struct insn *insn, bool call)
{
	struct far_target target;
	struct descriptor d;
	enum exec_result r;

	r = read_target(vcpu, insn, &target);
	if (r != EXEC_NEXT)
		return r;
	if (x86__is_real_like(&vcpu->cpu))
		return transfer_real(vcpu, insn, &target, call);
	if (selector__is_null(target.selector))
		return x86__raise_gp(vcpu, 0);
	r = segload__read(vcpu, target.selector, X86_GP, &d);
	if (r != EXEC_NEXT)
		return r;
	if (!descriptor__is_segment(d.low))
		return transfer_to_system(vcpu, insn, target.selector, &d, call);
	if (!descriptor__is_code(d.low))
		return x86__raise_gp(vcpu, SELECTOR_ERROR(target.selector));
	return transfer_to_code(vcpu, insn, &target, &d, call);
}

enum exec_result system__far_jmp(struct vcpu *vcpu, const struct insn *insn)
{
	return transfer(vcpu, insn, false);
}

enum exec_result system__far_call(struct vcpu *vcpu, const struct insn *insn)
{
	return transfer(vcpu, insn, true);
}

enum exec_result far__probe_outer(struct vcpu *vcpu, u64 offset, unsigned width)
{
	u64 stack[2];

	return vcpu->cpuid.intel ? EXEC_NEXT : frame__peek(vcpu, offset, stack, 2, width);
}

enum exec_result far__check_return(struct vcpu *vcpu, u16 selector, struct descriptor *d)
{
	unsigned rpl = selector & SELECTOR_RPL;
	enum exec_result r;
	unsigned dpl;

	if (selector__is_null(selector))
		return x86__raise_gp(vcpu, 0);
	r = segload__read(vcpu, selector, X86_GP, d);
	if (r != EXEC_NEXT)
		return r;
	dpl = descriptor__dpl(d->low);
	if (!descriptor__is_code(d->low) || rpl < vcpu->cpu.cpl ||
	    (descriptor__is_conforming(d->low) ? dpl > rpl : dpl != rpl))
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	r = far__check_code(vcpu, selector, d->low, X86_GP);
	return r == EXEC_NEXT ? segload__set_accessed(vcpu, d) : r;
}

static enum exec_result return_real(struct vcpu *vcpu, const struct insn *insn, const u64 *item)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (item[0] > cpu->seg[X86_CS].limit)
		return x86__raise_gp(vcpu, 0);
	frame__set_sp(cpu, frame__stack_size(cpu),
		      cpu->gpr[X86_RSP] + 2 * insn->opsize + (u16)insn->imm);
	segload__set_real(cpu, &cpu->seg[X86_CS], item[1]);
	cpu->rip = item[0];
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

/* To an outer level: the stack pointer follows behind the parameters, and SS is loaded, too. */
static enum exec_result return_outer(struct vcpu *vcpu, const struct insn *insn, const u64 *item,
				     const struct descriptor *d)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned rpl = item[1] & SELECTOR_RPL;
	bool to_long = far__is_long_code(cpu, d->low);
	struct x86_segment ss;
	enum exec_result r;
	u64 stack[2];

	r = frame__peek(vcpu, 2 * insn->opsize + (u16)insn->imm, stack, 2, insn->opsize);
	if (r == EXEC_NEXT)
		r = segload__stack(vcpu, stack[1], rpl, to_long && rpl < 3, X86_GP, &ss);
	if (r == EXEC_NEXT)
		r = far__check_rip(vcpu, d, item[0]);
	if (r != EXEC_NEXT)
		return r;
	far__commit_code(cpu, item[1], rpl, d, item[0]);
	segload__commit(cpu, X86_SS, &ss);
	cpu->seg[X86_SS].dpl = rpl;
	x86__mode_changed(vcpu);
	frame__set_sp(cpu, frame__stack_size(cpu), stack[0] + (u16)insn->imm);
	segload__drop_inner(cpu);
	return EXEC_JUMP;
}

enum exec_result system__far_ret(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor d;
	enum exec_result r;
	u64 item[2];

	if (likely(!system__is_intel(vcpu))) {
		r = frame__peek(vcpu, 0, item, 2, insn->opsize);
	} else {
		/* CS first, and no more of it than the selector. */
		r = frame__peek(vcpu, insn->opsize, item + 1, 1, 2);
		if (r == EXEC_NEXT)
			r = frame__peek(vcpu, 0, item, 1, insn->opsize);
	}
	if (r != EXEC_NEXT)
		return r;
	if (x86__is_real_like(cpu))
		return return_real(vcpu, insn, item);
	if ((item[1] & SELECTOR_RPL) != cpu->cpl)
		r = far__probe_outer(vcpu, 2 * insn->opsize + (u16)insn->imm, insn->opsize);
	if (r == EXEC_NEXT)
		r = far__check_return(vcpu, item[1], &d);
	if (r != EXEC_NEXT)
		return r;
	item[0] = far__offset_in(vcpu, &d, item[0]);
	if ((item[1] & SELECTOR_RPL) > cpu->cpl)
		return return_outer(vcpu, insn, item, &d);
	r = far__check_rip(vcpu, &d, item[0]);
	if (r != EXEC_NEXT)
		return r;
	frame__set_sp(cpu, stack_size_in(cpu, &d),
		      cpu->gpr[X86_RSP] + 2 * insn->opsize + (u16)insn->imm);
	far__commit_code(cpu, item[1], cpu->cpl, &d, item[0]);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}
