/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of one exception or interrupt through the interrupt vector table, or the gates of the
 * interrupt descriptor table (APM vol. 2, 8.5 to 8.10; SDM vol. 3, 6.10 to 6.14 and 20.1 to 20.3).
 */
#include "core/emulate/interrupt.h"
#include "core/emulate/far.h"
#include "core/emulate/frame.h"
#include "core/emulate/system.h"

/* ---- the 8086 way ---- */

/* Pushes FLAGS, CS, IP and goes to the vector that stands at `table`. Flags are the caller's. */
static enum exec_result enter_8086(struct vcpu *vcpu, u64 table, unsigned how, u64 flags, u64 rip)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct frame_stack stack = frame__current(cpu);
	const u64 item[3] = { flags, cpu->seg[X86_CS].selector, rip };
	enum exec_result r;
	u32 vector;

	r = access__read(vcpu, table, &vector, 4, how);
	if (r != EXEC_NEXT)
		return r;
	if ((u16)vector > cpu->seg[X86_CS].limit)
		return x86__raise_gp(vcpu, 0);
	r = frame__push(vcpu, &stack, item, 3, 2);
	if (r != EXEC_NEXT)
		return r;
	frame__set_sp(cpu, stack.size, stack.sp);
	segload__set_real(cpu, &cpu->seg[X86_CS], vector >> 16);
	cpu->rip = (u16)vector;
	return EXEC_JUMP;
}

static enum exec_result deliver_real(struct vcpu *vcpu, const struct interrupt_event *event)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u32 at = event->vector * 4;
	enum exec_result r;

	if (at + 3 > cpu->idt.limit)
		return x86__raise_gp(vcpu, event->vector << 3 | 2);
	r = enter_8086(vcpu, (u32)(cpu->idt.base + at), ACCESS_IMPLICIT, x86__rflags(cpu),
		       event->rip);
	if (r != EXEC_JUMP)
		return r;
	cpu->sysflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

enum exec_result interrupt__redirect_v86(struct vcpu *vcpu, u8 vector, u64 rip)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 flags = x86__rflags(cpu), cleared = RFLAGS_TF | RFLAGS_RF | RFLAGS_IF;
	enum exec_result r;

	/* Below IOPL 3 the program's interrupt flag is VIF. */
	if (x86__iopl(cpu) < 3) {
		cleared = RFLAGS_TF | RFLAGS_RF | RFLAGS_VIF;
		flags = (flags & ~RFLAGS_IF) | RFLAGS_IOPL;
		if (flags & RFLAGS_VIF)
			flags |= RFLAGS_IF;
	}
	r = enter_8086(vcpu, vector * 4, 0, flags, rip);
	if (r != EXEC_JUMP)
		return r;
	cpu->sysflags &= ~cleared;
	cpu->shadow = 0;
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

/* ---- gates ---- */

/* Error codes of faults about the gate itself: its index, and that the table is the IDT. */
static u32 gate_error(const struct interrupt_event *event)
{
	return event->vector << 3 | 2;
}

/* Software interrupts need a gate that their level may use; then the gate must be present. */
static enum exec_result check_gate(struct vcpu *vcpu, const struct interrupt_event *event, u64 low)
{
	if (event->source == EVENT_SOFT_INT && descriptor__dpl(low) < vcpu->cpu.cpl)
		return x86__raise_gp(vcpu, gate_error(event));
	if (!descriptor__is_present(low))
		return x86__raise_error(vcpu, X86_NP, gate_error(event));
	return EXEC_NEXT;
}

static u64 flags_image(const struct x86_cpu *cpu, const struct interrupt_event *event)
{
	return x86__rflags(cpu) | (event->set_rf ? RFLAGS_RF : 0);
}

/* What the handler starts with: interrupt gates clear IF, trap gates do not. */
static void clear_flags(struct x86_cpu *cpu, u64 gate)
{
	u64 cleared = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;

	if (!(descriptor__type(gate) & 1))
		cleared |= RFLAGS_IF;
	cpu->sysflags &= ~cleared;
}

/* ---- long mode ---- */

static enum exec_result read_long_gate(struct vcpu *vcpu, const struct interrupt_event *event,
				       u64 gate[2])
{
	const struct x86_dtable *idt = &vcpu->cpu.idt;
	u32 at = event->vector * 16;
	enum exec_result r;
	unsigned type;

	if (at + 15 > idt->limit)
		return x86__raise_gp(vcpu, gate_error(event));
	r = access__read(vcpu, idt->base + at, gate, 16, ACCESS_IMPLICIT);
	if (r != EXEC_NEXT)
		return r;
	type = descriptor__type(gate[0]);
	if (descriptor__is_segment(gate[0]) || (type != SYSTEM_INT && type != SYSTEM_TRAP))
		return x86__raise_gp(vcpu, gate_error(event));
	return check_gate(vcpu, event, gate[0]);
}

/* The stack pointer before alignment: an IST entry, an inner level's RSP, or as it is. */
static enum exec_result long_stack(struct vcpu *vcpu, u64 gate, unsigned cpl, u64 *sp)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned ist = gate >> 32 & 7;

	if (ist)
		return gate__long_stack(vcpu, TSS64_IST(ist), sp);
	if (cpl < cpu->cpl)
		return gate__long_stack(vcpu, TSS64_RSP(cpl), sp);
	*sp = cpu->gpr[X86_RSP];
	return EXEC_NEXT;
}

static enum exec_result deliver_long(struct vcpu *vcpu, const struct interrupt_event *event)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct frame_stack stack = { .size = 8, .how = ACCESS_STACK };
	struct descriptor code;
	u64 gate[2], offset;
	unsigned cpl = cpu->cpl;
	enum exec_result r;

	r = read_long_gate(vcpu, event, gate);
	if (r == EXEC_NEXT)
		r = gate__code(vcpu, descriptor__gate_selector(gate[0]), &code);
	if (r != EXEC_NEXT)
		return r;
	offset = descriptor__gate_offset(gate[0]) | gate[1] << 32;
	if (!system__is_canonical(cpu, offset))
		return x86__raise_gp(vcpu, 0);
	if (!descriptor__is_conforming(code.low))
		cpl = descriptor__dpl(code.low);
	if (cpl < cpu->cpl)
		stack.how |= ACCESS_AS_KERNEL;
	r = long_stack(vcpu, gate[0], cpl, &stack.sp);
	if (r != EXEC_NEXT)
		return r;
	stack.sp &= ~15ULL;
	{
		const u64 item[6] = { cpu->seg[X86_SS].selector, cpu->gpr[X86_RSP],
				      flags_image(cpu, event),	 cpu->seg[X86_CS].selector,
				      event->rip,		 event->error };

		r = frame__push(vcpu, &stack, item, event->has_error ? 6 : 5, 8);
	}
	if (r != EXEC_NEXT)
		return r;
	if (cpl < cpu->cpl) {
		segload__set_null(&cpu->seg[X86_SS], cpl);
		cpu->seg[X86_SS].dpl = cpl;
	}
	cpu->gpr[X86_RSP] = stack.sp;
	far__commit_code(cpu, descriptor__gate_selector(gate[0]), cpl, &code, offset);
	clear_flags(cpu, gate[0]);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

/* ---- legacy protected mode ---- */

static enum exec_result read_legacy_gate(struct vcpu *vcpu, const struct interrupt_event *event,
					 u64 *gate)
{
	const struct x86_dtable *idt = &vcpu->cpu.idt;
	u32 at = event->vector * 8;
	enum exec_result r;

	if (at + 7 > idt->limit)
		return x86__raise_gp(vcpu, gate_error(event));
	r = access__read(vcpu, (u32)(idt->base + at), gate, 8, ACCESS_IMPLICIT);
	if (r != EXEC_NEXT)
		return r;
	if (descriptor__is_segment(*gate))
		return x86__raise_gp(vcpu, gate_error(event));
	switch (descriptor__type(*gate)) {
	case SYSTEM_TASK_GATE:
	case SYSTEM_INT16:
	case SYSTEM_TRAP16:
	case SYSTEM_INT:
	case SYSTEM_TRAP:
		return check_gate(vcpu, event, *gate);
	default:
		return x86__raise_gp(vcpu, gate_error(event));
	}
}

/* A frame to push: item[0] first. */
struct frame_image {
	u64 item[10];
	unsigned count;
};

static void add_item(struct frame_image *f, u64 item)
{
	f->item[f->count++] = item;
}

static void add_return(struct frame_image *f, const struct x86_cpu *cpu,
		       const struct interrupt_event *event)
{
	add_item(f, flags_image(cpu, event));
	add_item(f, cpu->seg[X86_CS].selector);
	add_item(f, event->rip);
	if (event->has_error)
		add_item(f, event->error);
}

static enum exec_result push_same_level(struct vcpu *vcpu, const struct interrupt_event *event,
					unsigned width)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct frame_stack stack = frame__current(cpu);
	struct frame_image f = { .count = 0 };
	enum exec_result r;

	add_return(&f, cpu, event);
	r = frame__push(vcpu, &stack, f.item, f.count, width);
	if (r == EXEC_NEXT)
		frame__set_sp(cpu, stack.size, stack.sp);
	return r;
}

/* Leaving virtual-8086 mode, the data segments are pushed, too, and become null. */
static enum exec_result push_inner_level(struct vcpu *vcpu, const struct interrupt_event *event,
					 unsigned cpl, unsigned width)
{
	static const u8 data[4] = { X86_GS, X86_FS, X86_DS, X86_ES };
	struct x86_cpu *cpu = &vcpu->cpu;
	struct frame_stack stack = { .how = ACCESS_STACK | ACCESS_AS_KERNEL };
	struct frame_image f = { .count = 0 };
	bool v86 = x86__is_v86(cpu);
	struct x86_segment ss;
	enum exec_result r;

	r = gate__inner_stack(vcpu, cpl, &ss, &stack.sp);
	if (r != EXEC_NEXT)
		return r;
	for (unsigned i = 0; v86 && i < 4; i++)
		add_item(&f, cpu->seg[data[i]].selector);
	add_item(&f, cpu->seg[X86_SS].selector);
	add_item(&f, cpu->gpr[X86_RSP]);
	add_return(&f, cpu, event);
	stack.ss = &ss;
	stack.size = ss.db ? 4 : 2;
	stack.error = SELECTOR_ERROR(ss.selector);
	r = frame__push(vcpu, &stack, f.item, f.count, width);
	if (r != EXEC_NEXT)
		return r;
	for (unsigned i = 0; v86 && i < 4; i++)
		segload__set_null(&cpu->seg[data[i]], 0);
	segload__commit(cpu, X86_SS, &ss);
	frame__set_sp(cpu, stack.size, stack.sp);
	return EXEC_NEXT;
}

static enum exec_result deliver_protected(struct vcpu *vcpu, const struct interrupt_event *event)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned cpl = cpu->cpl, width;
	struct descriptor code;
	enum exec_result r;
	u16 selector;
	u64 gate;
	u32 offset;

	r = read_legacy_gate(vcpu, event, &gate);
	if (r != EXEC_NEXT)
		return r;
	if (descriptor__type(gate) == SYSTEM_TASK_GATE)
		return task__through_gate(vcpu, gate, TASK_INTERRUPT, event->rip, event);
	selector = descriptor__gate_selector(gate);
	r = gate__code(vcpu, selector, &code);
	if (r != EXEC_NEXT)
		return r;
	width = descriptor__type(gate) & 8 ? 4 : 2;
	offset = width == 4 ? descriptor__gate_offset(gate) : (u16)gate;
	if (!descriptor__is_conforming(code.low))
		cpl = descriptor__dpl(code.low);
	/* Virtual-8086 mode is left for level 0 only. */
	if (x86__is_v86(cpu) && cpl)
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	r = far__check_rip(vcpu, &code, offset);
	if (r == EXEC_NEXT)
		r = cpl < cpu->cpl ? push_inner_level(vcpu, event, cpl, width) :
				     push_same_level(vcpu, event, width);
	if (r != EXEC_NEXT)
		return r;
	clear_flags(cpu, gate);
	far__commit_code(cpu, selector, cpl, &code, offset);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}

/* ---- all modes ---- */

/*
 * Error codes of faults that the delivery of an event meets say so (EXT), unless the program asked
 * for the event with INT n, INT3 or INTO (SDM vol. 3, 6.13).
 */
static void mark_external(struct vcpu *vcpu, const struct interrupt_event *event)
{
	struct vcpu_exception *e = &vcpu->exception;

	if (event->source != EVENT_SOFT_INT && e->vector >= X86_TS && e->vector <= X86_GP)
		e->error |= 1;
}

enum exec_result interrupt__deliver(struct vcpu *vcpu, const struct interrupt_event *event)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result r;

	if (event->source == EVENT_NMI)
		cpu->nmi_masked = true;
	if (likely(cpu->long_mode))
		r = deliver_long(vcpu, event);
	else if (x86__is_protected(cpu))
		r = deliver_protected(vcpu, event);
	else
		r = deliver_real(vcpu, event);
	if (r == EXEC_JUMP)
		cpu->shadow = 0;
	else if (r == EXEC_FAULT)
		mark_external(vcpu, event);
	return r;
}
