/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attempt to deliver an exception or interrupt through the IDT (APM vol. 2, 8.5 to 8.9). */
#ifndef CORE_EMULATE_INTERRUPT_H
#define CORE_EMULATE_INTERRUPT_H

#include "core/x86/exception.h"

struct interrupt_event {
	u8 vector;
	u8 source; /* enum event_source */
	bool has_error;
	bool set_rf; /* the pushed RFLAGS image has RF set */
	u32 error;
	u64 rip; /* the return address */
};

/*
 * EXEC_JUMP with everything committed; EXEC_FAULT with the nested exception recorded and nothing
 * committed (but in a new task, once a task switch is past its commit point); EXEC_EXIT, EXEC_FAIL.
 */
enum exec_result interrupt__deliver(struct vcpu *vcpu, const struct interrupt_event *event);

/*
 * INT n in virtual-8086 mode that CR4.VME's redirection bitmap sends to the 8086 program's own
 * handler (APM vol. 2, 8.10 (VME); SDM vol. 3, 20.3). The same results.
 */
enum exec_result interrupt__redirect_v86(struct vcpu *vcpu, u8 vector, u64 rip);

#endif
