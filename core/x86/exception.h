/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raising and delivering exceptions and interrupts (APM vol. 2 ch. 8; SDM vol. 3 ch. 6). */
#ifndef CORE_X86_EXCEPTION_H
#define CORE_X86_EXCEPTION_H

#include "core/decode/insn.h"
#include "include/x86/exception.h"

struct vcpu;

/*
 * Record an exception of the executing instruction and return EXEC_FAULT, so that executors can
 * write `return x86__raise_gp(vcpu, 0);`. Whether the vector has an error code follows from it.
 */
enum exec_result x86__raise(struct vcpu *vcpu, enum x86_vector vector);
enum exec_result x86__raise_error(struct vcpu *vcpu, enum x86_vector vector, u32 error);
enum exec_result x86__raise_page_fault(struct vcpu *vcpu, u64 linear, u32 error);
/* #DB with these DR6 bits to be set on delivery. fault: before the instruction (RF rules). */
enum exec_result x86__raise_debug(struct vcpu *vcpu, u64 dr6_bits);

static inline enum exec_result x86__raise_ud(struct vcpu *vcpu)
{
	return x86__raise(vcpu, X86_UD);
}

static inline enum exec_result x86__raise_gp(struct vcpu *vcpu, u32 error)
{
	return x86__raise_error(vcpu, X86_GP, error);
}

/* Where an event comes from: decides privilege checks, error code's EXT bit and the saved RIP. */
enum event_source {
	EVENT_FAULT,	/* exception; saved RIP is the instruction's (RF is set in the image) */
	EVENT_TRAP,	/* #DB after an instruction, #BP, #OF: saved RIP is cpu->rip as it is */
	EVENT_SOFT_INT, /* INT n, INT3, INTO: DPL of the gate is checked */
	EVENT_EXTERNAL, /* interrupt from the APIC or PIC */
	EVENT_NMI,
};

/*
 * Delivers vcpu->exception: through the IDT in every mode, forming double and triple faults out of
 * exceptions met on the way (APM vol. 2, 8.2.9), setting CR2, DR6 and RFLAGS as due.
 * EXEC_JUMP; EXEC_EXIT (IDT or stack in user space's device memory); or EXEC_FAIL for a triple
 * fault: the caller then makes it a shutdown.
 */
enum exec_result x86__deliver_exception(struct vcpu *vcpu);

/* Delivers an interrupt or NMI; the same results. RIP must be the address to return to. */
enum exec_result x86__deliver_event(struct vcpu *vcpu, u8 vector, enum event_source source);

#endif
