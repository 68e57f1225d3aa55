/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recording exceptions, and delivering them and interrupts with the rules for exceptions met on
 * the way (APM vol. 2, 8.2.9; SDM vol. 3, 6.15). One attempt of delivery is in
 * core/emulate/interrupt.c.
 */
#include "core/emulate/interrupt.h"
#include "core/vm/vcpu.h"
#include "core/x86/exception.h"

#define VECTORS_WITH_ERROR                                                                         \
	(1u << X86_DF | 1u << X86_TS | 1u << X86_NP | 1u << X86_SS_FAULT | 1u << X86_GP |          \
	 1u << X86_PF | 1u << X86_AC)

/*
 * Exceptions delivered without an instruction between them. Task gates to tasks that trap (TSS.T)
 * can lead to one another for ever; on a processor interrupts come through meanwhile. Here a guest
 * that does so many in a row shuts down.
 */
#define MOST_IN_A_ROW 64

enum exception_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

static enum exception_class classify(u8 vector)
{
	switch (vector) {
	case X86_DE:
	case X86_TS:
	case X86_NP:
	case X86_SS_FAULT:
	case X86_GP:
		return CLASS_CONTRIBUTORY;
	case X86_PF:
		return CLASS_PAGE_FAULT;
	case X86_DF:
		return CLASS_DOUBLE_FAULT;
	default:
		return CLASS_BENIGN;
	}
}

enum exec_result x86__raise_error(struct vcpu *vcpu, enum x86_vector vector, u32 error)
{
	vcpu->exception = (struct vcpu_exception){
		.pending = true,
		.has_error = vector < 32 && (VECTORS_WITH_ERROR >> vector & 1),
		.vector = vector,
		.error = error,
	};
	return EXEC_FAULT;
}

enum exec_result x86__raise(struct vcpu *vcpu, enum x86_vector vector)
{
	return x86__raise_error(vcpu, vector, 0);
}

enum exec_result x86__raise_page_fault(struct vcpu *vcpu, u64 linear, u32 error)
{
	x86__raise_error(vcpu, X86_PF, error);
	vcpu->exception.payload = linear;
	return EXEC_FAULT;
}

enum exec_result x86__raise_debug(struct vcpu *vcpu, u64 dr6_bits)
{
	x86__raise_error(vcpu, X86_DB, 0);
	vcpu->exception.payload = dr6_bits;
	/* Single step and task switch are traps; breakpoints are what the caller makes of them. */
	vcpu->exception.trap = dr6_bits & (DR6_BS | DR6_BT);
	return EXEC_FAULT;
}

/* What an exception changes whether its delivery succeeds or not. */
static void set_payload(struct vcpu *vcpu, const struct vcpu_exception *e)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (e->vector == X86_PF) {
		cpu->cr2 = e->payload;
	} else if (e->vector == X86_DB) {
		/* The processor clears B0-B3 and leaves the rest to the handler (SDM 17.2.3). */
		if (e->payload)
			cpu->dr6 = (cpu->dr6 & ~0xfULL) | e->payload | DR6_FIXED;
		cpu->dr7 &= ~DR7_GD;
	}
}

/*
 * The RF bit of the pushed image is 1 for faults, so that the instruction can be restarted past a
 * breakpoint on it; an instruction breakpoint leaves it to its handler (SDM vol. 3, 17.3.1.1).
 */
static bool sets_resume_flag(const struct vcpu_exception *e)
{
	if (e->trap)
		return false;
	switch (e->vector) {
	case X86_DB:
		return e->payload & DR6_BD;
	case X86_NMI:
	case X86_BP:
	case X86_OF:
	case X86_DF:
	case X86_MC:
		return false;
	default:
		return true;
	}
}

/* Turns (first, vcpu->exception as second) into what is to be delivered. False: triple fault. */
static bool combine(struct vcpu *vcpu, u8 first)
{
	enum exception_class a = classify(first), b = classify(vcpu->exception.vector);

	if (a == CLASS_DOUBLE_FAULT && b != CLASS_BENIGN)
		return false;
	if ((a == CLASS_CONTRIBUTORY && b == CLASS_CONTRIBUTORY) ||
	    (a == CLASS_PAGE_FAULT && b != CLASS_BENIGN)) {
		/* The address of a second page fault is in CR2 when the double fault is met. */
		set_payload(vcpu, &vcpu->exception);
		x86__raise_error(vcpu, X86_DF, 0);
	}
	return true;
}

enum exec_result x86__deliver_exception(struct vcpu *vcpu)
{
	unsigned n;

	for (n = 0; n < MOST_IN_A_ROW; n++) {
		const struct vcpu_exception e = vcpu->exception;
		const struct interrupt_event event = {
			.vector = e.vector,
			.source = e.trap ? EVENT_TRAP : EVENT_FAULT,
			.has_error = e.has_error,
			.set_rf = sets_resume_flag(&e),
			.error = e.error,
			.rip = vcpu->cpu.rip,
		};
		enum exec_result r;

		set_payload(vcpu, &e);
		r = interrupt__deliver(vcpu, &event);
		if (r != EXEC_FAULT) {
			/* On EXEC_EXIT it stays pending and is delivered again. */
			vcpu->exception.pending = r == EXEC_EXIT;
			return r;
		}
		if (!combine(vcpu, e.vector))
			break;
	}
	vcpu->exception.pending = false;
	return EXEC_FAIL;
}

enum exec_result x86__deliver_event(struct vcpu *vcpu, u8 vector, enum event_source source)
{
	const struct interrupt_event event = {
		.vector = vector,
		.source = source,
		.rip = vcpu->cpu.rip,
	};
	enum exec_result r = interrupt__deliver(vcpu, &event);

	/* Interrupts are benign: whatever their delivery met is delivered in their place. */
	return r == EXEC_FAULT ? x86__deliver_exception(vcpu) : r;
}
