/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest vector and x87 state in host registers, and execution of such instructions as they are.
 *
 * Between soft__vectors_load() and soft__vectors_put() the thread's vector registers may hold the
 * guest's state ("live"). Core and engine are compiled for general registers only, so it stays
 * there from one vector instruction to the next. Whatever calls into code compiled otherwise
 * (libc) calls soft__park_vectors() first: it writes live state to vcpu->xsave and gives the
 * thread the host's control words. The next vector instruction loads it again.
 *
 * Signal handlers that interrupt the thread must not park: the kernel has saved the registers of
 * the interrupted code already. SIGFPE and SIGILL must not be blocked while guest code runs.
 */
#ifndef ENGINES_SOFT_VECTOR_H
#define ENGINES_SOFT_VECTOR_H

#include "core/engine.h"
#include "core/host.h"

struct soft_vectors {
	bool live; /* the state is in this thread's registers; vcpu->xsave may be old */
	/*
	 * Of the last x87 instruction that is no control instruction. The host's registers hold
	 * addresses of stubs and host pointers instead.
	 */
	u16 fop;
	u16 fcs;
	u16 fds;
	u64 fip;
	u64 fdp;
	/* What FNSTENV shows on processors that keep these of the last one that raised an unmasked exception. */
	bool raised; /* the exception that is pending was raised by the last instruction */
	bool raised_by_memory; /* which has an operand in memory */
	u16 raised_fop;
	u64 raised_fdp;
	/* The host's control words, while loaded. */
	u32 host_mxcsr;
	u16 host_fcw;
};

/* Embedded in struct soft_vcpu. */
struct soft_vectors *soft__vectors(struct vcpu *vcpu);

/* Once per process: the stub area and the signal handlers. 0, or -errno and the reason in *why. */
int soft__vectors_setup(const char **why);
void soft__vectors_teardown(void);

/* Allocates vcpu->xsave, in its initial state. 0 or -ENOMEM. */
int soft__vectors_create(struct vcpu *vcpu);
void soft__vectors_destroy(struct vcpu *vcpu);

/* Behind soft__vector_changed(): the x87 pointers are those of *from, copied between this load and put. */
void soft__vectors_put_pointers(struct vcpu *vcpu, const struct soft_vectors *from);

/* engine_ops.vcpu_load and vcpu_put. */
void soft__vectors_load(struct vcpu *vcpu);
void soft__vectors_put(struct vcpu *vcpu);

/* Takes live guest state out of the calling thread's registers. Cheap when there is none. */
void soft__park_vectors(void);

/* What FNSTENV shows on this host: the selectors of the pointers, not zeros. */
bool soft__x87_has_selectors(void);
/* Opcode and data pointer of the last instruction that raised an unmasked exception, not of the last one. */
bool soft__x87_keeps_opcode(void);
bool soft__x87_keeps_data(void);

/* Puts the guest's state into the thread's registers, if it is not there. */
void soft__vectors_make_live(struct vcpu *vcpu);

/* find.c: where to go on after a signal at this host address; 0: it is not in generated code. */
u64 soft__code_fault(struct vcpu *vcpu, u64 rip);
/* Where this thread goes on after a signal in generated code, or 0; for signal handlers. */
u64 soft__vectors_fault(u64 rip);

/* engine_ops.vector_exec, vector_save, vector_changed. */
enum exec_result soft__vector_exec(struct vcpu *vcpu, struct insn *insn, struct vector_call *call);
void soft__vector_save(struct vcpu *vcpu);
void soft__vector_changed(struct vcpu *vcpu);

#endif
