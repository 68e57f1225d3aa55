/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an engine provides: the few operations by which engines differ, with virtualization
 * hardware or without. One of the two ways out of core/.
 *
 * Unless it says otherwise, a function runs on the vCPU's own thread inside the vCPU mutex.
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include "core/decode/insn.h"

struct vm;
struct vcpu;

enum engine_exit_reason {
	ENGINE_EXIT_EVENT,    /* vcpu->leave was seen: requests, signals, interrupts to look at */
	ENGINE_EXIT_IO,	      /* vcpu->io wants user space, for reads or for collected writes */
	ENGINE_EXIT_HALT,     /* HLT retired; RIP is behind it */
	ENGINE_EXIT_SHUTDOWN, /* triple fault */
	ENGINE_EXIT_FAIL,     /* can't emulate the instruction at RIP */
	ENGINE_EXIT_WINDOW,   /* interrupts (or NMIs) have become deliverable, as asked */
	ENGINE_EXIT_DEBUG,    /* KVM_GUESTDBG_* event; exit->dr6, exit->pc */
	ENGINE_EXIT_HYPERCALL, /* VMCALL / VMMCALL retired; registers hold number and arguments */
	ENGINE_EXIT_MSR,      /* access to an MSR user space asked for (KVM_CAP_X86_USER_SPACE_MSR) */
	ENGINE_EXIT_BROKEN,   /* the engine has found a fault of its own, and has said which */
	/* hardware engines: an instruction or fault for the core to handle */
	ENGINE_EXIT_EMULATE,
	ENGINE_EXIT_NESTED_FAULT,
};

/*
 * What whoever opens the hypervisor asks of an engine; all 0: nothing. An engine takes no notice of
 * what it does not have.
 */
struct engine_config {
	/*
	 * Not 0: runs its interpreter beside its translator and compares; a piece of code that has
	 * been compared often, every so many times only.
	 */
	u32 check;
	bool has_dump;	/* shows each translation of the code at guest-linear or -physical `dump` */
	u64 dump;
	u64 memory;	/* bytes kept for translation, by all vCPUs of a machine together; 0: a default */
	int perf_map;	/* descriptor of a file for names of generated code; 0: none */
};

struct engine_exit {
	enum engine_exit_reason reason;
	u64 dr6;
	u64 pc;
	u32 exception; /* ENGINE_EXIT_DEBUG */
	u64 gpa;       /* ENGINE_EXIT_NESTED_FAULT */
	u64 error;
};

/* A vector or x87 instruction to run as it is: see vector_exec. */
struct vector_call {
	void *mem;   /* where the memory operand is: guest memory or a 64-aligned copy; may be NULL */
	u64 gpr_in;  /* value of the general register the instruction reads, if any */
	u64 gpr_out; /* value it wrote */
	u64 rax, rcx, rdx; /* implicit registers of PCMPxSTRx: in rax, rdx; out rcx */
	u64 arith;   /* flags after it; valid if the row writes flags */
	u32 exception; /* set on EXEC_FAULT: X86_MF or X86_XM */
};

enum engine_flush { ENGINE_FLUSH_ALL, ENGINE_FLUSH_NON_GLOBAL, ENGINE_FLUSH_PAGE };

struct engine_ops {
	const char *name;
	/* Bytes directly behind struct vcpu, zeroed, for the engine's own state of it; may be 0. */
	size_t vcpu_size;

	/* Global set-up, once; 0 or -errno with the reason in *why. teardown undoes it. */
	int (*setup)(const char **why);
	void (*teardown)(void);

	int (*vm_create)(struct vm *vm, const struct engine_config *config);
	void (*vm_destroy)(struct vm *vm);
	int (*vcpu_create)(struct vcpu *vcpu);
	void (*vcpu_destroy)(struct vcpu *vcpu);

	/* The vCPU's thread enters / leaves KVM_RUN: guest vectors may live in host registers. */
	void (*vcpu_load)(struct vcpu *vcpu);
	void (*vcpu_put)(struct vcpu *vcpu);

	/* Executes guest code until something for the shared loop happens. */
	void (*run)(struct vcpu *vcpu, struct engine_exit *exit);

	/*
	 * Brings vcpu->cpu up to date before the core reads it, and takes the core's changes. The
	 * soft engine needs neither and leaves them NULL.
	 */
	void (*sync_in)(struct vcpu *vcpu);
	void (*sync_out)(struct vcpu *vcpu);

	/*
	 * Injects an event the core has decided on, which can be delivered now: it is, before the
	 * next guest instruction.
	 */
	void (*inject_exception)(struct vcpu *vcpu);
	void (*inject_interrupt)(struct vcpu *vcpu, u8 vector, bool soft);
	void (*inject_nmi)(struct vcpu *vcpu);
	/* Asks for ENGINE_EXIT_WINDOW as soon as interrupts / NMIs can be taken. */
	void (*want_window)(struct vcpu *vcpu, bool interrupt, bool nmi);

	/* Translations of linear addresses are stale (CR3, INVLPG, ...): beyond vcpu->tlb. */
	void (*flush)(struct vcpu *vcpu, enum engine_flush kind, u64 linear);
	/* The memory map has changed; all vCPUs are stopped. */
	void (*map_changed)(struct vm *vm);
	/* CPUID or the whole state was set from outside: derived and cached things are stale. */
	void (*state_changed)(struct vcpu *vcpu);

	/*
	 * Runs a CLASS_VECTOR or CLASS_X87 instruction on the guest's vector state, its memory
	 * operand redirected to call->mem and its general register operand to call->gpr_*.
	 * EXEC_NEXT, or EXEC_FAULT with call->exception when it raised #MF or #XM.
	 */
	enum exec_result (*vector_exec)(struct vcpu *vcpu, struct insn *insn,
					struct vector_call *call);
	/* Writes the vector state out to vcpu->xsave (standard format) and leaves it there. */
	void (*vector_save)(struct vcpu *vcpu);
	/* vcpu->xsave was changed: the engine must load it before it executes vector code. */
	void (*vector_changed)(struct vcpu *vcpu);
};

#endif
