/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers to another code segment: directly, through gates, through task switches, and back. */
#ifndef CORE_EMULATE_FAR_H
#define CORE_EMULATE_FAR_H

#include "core/emulate/interrupt.h"
#include "core/emulate/segload.h"

/*
 * A code segment's own rules: it is one, it is present, and in long mode not both 64-bit and
 * 32-bit. Privilege is the caller's to check first. `vector` is #GP or #TS.
 */
enum exec_result far__check_code(struct vcpu *vcpu, u16 selector, u64 low, enum x86_vector vector);

/*
 * What AMD's processors do of a return to a level that is not the current one before they check
 * the selector: read RSP and SS, offset bytes above the stack pointer.
 */
enum exec_result far__probe_outer(struct vcpu *vcpu, u64 offset, unsigned width);
/* Reads the descriptor of the code segment that a return pops, and checks it (APM vol. 3, RETF). */
enum exec_result far__check_return(struct vcpu *vcpu, u16 selector, struct descriptor *d);

/* As much of an offset as the code takes that is entered: on Intel's processors 32 bits if it is no 64-bit code. */
u64 far__offset_in(struct vcpu *vcpu, const struct descriptor *code, u64 offset);

/* #GP(0) if rip lies beyond the limit, or is not canonical in 64-bit code. */
enum exec_result far__check_rip(struct vcpu *vcpu, const struct descriptor *code, u64 rip);

/* Whether code behind this descriptor is 64-bit code in the current mode. */
static inline bool far__is_long_code(const struct x86_cpu *cpu, u64 low)
{
	return cpu->long_mode && descriptor__is_long(low);
}

/* Loads CS with RPL set to cpl, and RIP. The caller ends with x86__mode_changed(). */
void far__commit_code(struct x86_cpu *cpu, u16 selector, unsigned cpl, const struct descriptor *d,
		      u64 rip);

/* ---- gate.c ---- */

/*
 * Reads and checks the code segment that a call, interrupt or trap gate names: in long mode it must
 * be 64-bit code. The accessed bit is set.
 */
enum exec_result gate__code(struct vcpu *vcpu, u16 selector, struct descriptor *d);

/*
 * The stack that the TSS holds for privilege level cpl (legacy and compatibility: SS checked and
 * filled; long mode: a null SS, RSPn).
 */
enum exec_result gate__inner_stack(struct vcpu *vcpu, unsigned cpl, struct x86_segment *ss,
				   u64 *sp);

/* One 64-bit stack pointer of the long-mode TSS: RSP0-RSP2 and IST1-IST7 by byte offset. */
enum exec_result gate__long_stack(struct vcpu *vcpu, unsigned offset, u64 *sp);
#define TSS64_RSP(n) (4 + 8 * (n))
#define TSS64_IST(n) (36 + 8 * ((n)-1))

/* CALL or JMP through a call gate whose descriptor is *gate. */
enum exec_result gate__transfer(struct vcpu *vcpu, u16 selector, struct descriptor *gate, bool call,
				u64 return_rip);

/* ---- task.c ---- */

enum task_cause { TASK_JMP, TASK_CALL, TASK_INTERRUPT, TASK_IRET };

/*
 * Switches to the task behind a TSS selector (APM vol. 2, 12.3; SDM vol. 3, 7.3). The outgoing
 * task is saved with return_rip. `event` (with TASK_INTERRUPT, else NULL) may bring an error code
 * to push on the new stack.
 *
 * EXEC_JUMP; EXEC_FAULT before anything changed, or in the new task's context.
 */
enum exec_result task__switch(struct vcpu *vcpu, u16 selector, enum task_cause cause,
			      u64 return_rip, const struct interrupt_event *event);

/* The same through a task gate: the checks of the gate itself are done. */
enum exec_result task__through_gate(struct vcpu *vcpu, u64 gate, enum task_cause cause,
				    u64 return_rip, const struct interrupt_event *event);

/* IRET with NT set: back to the task that the backlink names. */
enum exec_result task__return(struct vcpu *vcpu, u64 return_rip);

#endif
