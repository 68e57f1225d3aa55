/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call gates, and what all gates share: the target's checks and the inner stack from the TSS. */
#include "core/emulate/far.h"
#include "core/emulate/frame.h"
#include "core/emulate/system.h"

enum exec_result gate__code(struct vcpu *vcpu, u16 selector, struct descriptor *d)
{
	enum exec_result r;

	if (selector__is_null(selector))
		return x86__raise_gp(vcpu, 0);
	r = segload__read(vcpu, selector, X86_GP, d);
	if (r != EXEC_NEXT)
		return r;
	/* Gates lead inward or stay; in long mode they lead to 64-bit code only. */
	if (!descriptor__is_code(d->low) || descriptor__dpl(d->low) > vcpu->cpu.cpl ||
	    (vcpu->cpu.long_mode && !descriptor__is_long(d->low)))
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	r = far__check_code(vcpu, selector, d->low, X86_GP);
	return r == EXEC_NEXT ? segload__set_accessed(vcpu, d) : r;
}

enum exec_result gate__long_stack(struct vcpu *vcpu, unsigned offset, u64 *sp)
{
	const struct x86_segment *tr = &vcpu->cpu.tr;

	if (offset + 7 > tr->limit)
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(tr->selector));
	return access__read(vcpu, tr->base + offset, sp, 8, ACCESS_IMPLICIT);
}

static enum exec_result legacy_stack(struct vcpu *vcpu, unsigned cpl, u16 *selector, u64 *sp)
{
	const struct x86_segment *tr = &vcpu->cpu.tr;
	bool wide = (tr->type & ~SYSTEM_TYPE_BUSY) == SYSTEM_TSS;
	unsigned width = wide ? 4 : 2;
	u32 offset = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
	u8 image[6];
	enum exec_result r;

	if (offset + width + 1 > tr->limit)
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(tr->selector));
	r = access__read(vcpu, tr->base + offset, image, width + 2, ACCESS_IMPLICIT);
	*sp = 0;
	memcpy(sp, image, width);
	memcpy(selector, image + width, 2);
	return r;
}

enum exec_result gate__inner_stack(struct vcpu *vcpu, unsigned cpl, struct x86_segment *ss, u64 *sp)
{
	enum exec_result r;
	u16 selector = 0;

	if (vcpu->cpu.long_mode) {
		segload__set_null(ss, cpl);
		ss->dpl = cpl;
		return gate__long_stack(vcpu, TSS64_RSP(cpl), sp);
	}
	r = legacy_stack(vcpu, cpl, &selector, sp);
	if (r != EXEC_NEXT)
		return r;
	return segload__stack(vcpu, selector, cpl, false, X86_TS, ss);
}

/* What a call gate's descriptor tells. */
struct call_gate {
	u64 offset;
	u16 selector;
	u8 width; /* of pushed items */
	u8 parameters;
};

static enum exec_result read_call_gate(struct vcpu *vcpu, u16 selector, struct descriptor *d,
				       struct call_gate *gate)
{
	enum exec_result r;

	*gate = (struct call_gate){
		.offset = descriptor__gate_offset(d->low),
		.selector = descriptor__gate_selector(d->low),
		.width = 4,
		.parameters = d->low >> 32 & 31,
	};
	if (descriptor__type(d->low) == SYSTEM_CALL16) {
		gate->width = 2;
		gate->offset = (u16)gate->offset;
	}
	if (!vcpu->cpu.long_mode)
		return EXEC_NEXT;
	r = segload__read_high(vcpu, selector, X86_GP, d);
	if (r != EXEC_NEXT)
		return r;
	if (d->high >> 40 & 0x1f)
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	gate->offset |= d->high << 32;
	gate->width = 8;
	gate->parameters = 0;
	return EXEC_NEXT;
}

/* To the same level: on the current stack, whose pointer's size is that of the calling code. */
static enum exec_result call_same_level(struct vcpu *vcpu, const struct call_gate *gate,
					const struct descriptor *code, u64 return_rip)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct frame_stack stack = frame__current(cpu);
	const u64 item[2] = { cpu->seg[X86_CS].selector, return_rip };
	enum exec_result r = frame__push(vcpu, &stack, item, 2, gate->width);

	if (r != EXEC_NEXT)
		return r;
	frame__set_sp(cpu, stack.size, stack.sp);
	far__commit_code(cpu, gate->selector, cpu->cpl, code, gate->offset);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

static enum exec_result call_inner_level(struct vcpu *vcpu, const struct call_gate *gate,
					 const struct descriptor *code, u64 return_rip)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned cpl = descriptor__dpl(code->low), n = gate->parameters;
	struct frame_stack stack = { .how = ACCESS_STACK | ACCESS_AS_KERNEL };
	u64 item[FRAME_MAX_ITEMS], parameter[32];
	struct x86_segment ss;
	enum exec_result r;

	r = gate__inner_stack(vcpu, cpl, &ss, &stack.sp);
	if (r == EXEC_NEXT && n)
		r = frame__peek(vcpu, 0, parameter, n, gate->width);
	if (r != EXEC_NEXT)
		return r;
	item[0] = cpu->seg[X86_SS].selector;
	item[1] = cpu->gpr[X86_RSP];
	for (unsigned i = 0; i < n; i++)
		item[2 + i] = parameter[n - 1 - i];
	item[2 + n] = cpu->seg[X86_CS].selector;
	item[3 + n] = return_rip;
	stack.ss = &ss;
	stack.size = cpu->long_mode ? 8 : ss.db ? 4 : 2;
	stack.error = SELECTOR_ERROR(ss.selector);
	r = frame__push(vcpu, &stack, item, 4 + n, gate->width);
	if (r != EXEC_NEXT)
		return r;
	far__commit_code(cpu, gate->selector, cpl, code, gate->offset);
	segload__commit(cpu, X86_SS, &ss);
	x86__mode_changed(vcpu);
	frame__set_sp(cpu, stack.size, stack.sp);
	return EXEC_JUMP;
}

enum exec_result gate__transfer(struct vcpu *vcpu, u16 selector, struct descriptor *d, bool call,
				u64 return_rip)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor code;
	struct call_gate gate;
	enum exec_result r;
	bool conforming;

	r = read_call_gate(vcpu, selector, d, &gate);
	if (r == EXEC_NEXT)
		r = gate__code(vcpu, gate.selector, &code);
	if (r != EXEC_NEXT)
		return r;
	conforming = descriptor__is_conforming(code.low);
	/* A jump does not change the level. */
	if (!call && !conforming && descriptor__dpl(code.low) != cpu->cpl)
		return x86__raise_gp(vcpu, SELECTOR_ERROR(gate.selector));
	r = far__check_rip(vcpu, &code, gate.offset);
	if (r != EXEC_NEXT)
		return r;
	if (call && !conforming && descriptor__dpl(code.low) < cpu->cpl)
		return call_inner_level(vcpu, &gate, &code, return_rip);
	if (call)
		return call_same_level(vcpu, &gate, &code, return_rip);
	far__commit_code(cpu, gate.selector, cpu->cpl, &code, gate.offset);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}
