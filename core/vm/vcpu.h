/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One virtual CPU: architectural state, pending events, requests from other threads, and what
 * KVM_RUN needs to hand an unfinished access to user space and take it up again.
 *
 * Unless a field says otherwise, it belongs to the thread inside the vCPU's mutex (KVM_RUN or
 * another vCPU ioctl).
 */
#ifndef CORE_VM_VCPU_H
#define CORE_VM_VCPU_H

#include <linux/kvm.h>
#include "base/poll_window.h"
#include "core/decode/insn.h"
#include "core/host.h"
#include "core/memory/tlb.h"
#include "core/x86/cpu.h"
#include "core/x86/cpuid.h"
#include "core/x86/msr.h"

struct vm;
struct journal;
struct lapic;
struct host_vcpu;
struct soft_vcpu;

/* The exception that x86__raise*() recorded, or that user space set (KVM_SET_VCPU_EVENTS). */
struct vcpu_exception {
	bool pending;
	bool has_error;
	bool trap;	/* deliver as a trap: the instruction is complete */
	u8 vector;
	u32 error;
	u64 payload; /* CR2 for #PF, DR6 bits for #DB */
};

/*
 * Device accesses of the executing instruction that user space must do.
 *
 * Reads: the access function finds no answer, records the request in `want` and the instruction
 * ends with EXEC_EXIT, nothing committed. User space answers; the answer is appended to `answer`;
 * the instruction is executed again and takes its answers in the same order (`next`).
 * Writes: collected in `write` while the instruction completes, then handed out one by one before
 * the next instruction executes.
 */
#define VCPU_IO_FRAGMENTS 72 /* 512 bytes of FXSAVE in 8-byte pieces, and room */

enum vcpu_io_kind { IO_NONE, IO_MMIO, IO_PIO };

struct vcpu_io_fragment {
	u64 address; /* gpa or port */
	u8 kind;     /* enum vcpu_io_kind */
	u8 size;     /* bytes of one item */
	u16 count;   /* items: more than 1 only for PIO strings, data then in run page */
	u8 data[8];
};

struct vcpu_io {
	struct vcpu_io_fragment want; /* kind IO_NONE: nothing wanted */
	u16 nr_answers;
	u16 next;
	u16 nr_writes;
	u16 next_write;
	bool in_flight; /* user space holds an access; KVM_RUN starts with completing it */
	struct vcpu_io_fragment answer[VCPU_IO_FRAGMENTS];
	struct vcpu_io_fragment write[VCPU_IO_FRAGMENTS];
};

/* Requests to the vCPU's own thread; set by any thread with vcpu__request(). */
#define REQ_TLB_FLUSH BIT64(0)	    /* everything */
#define REQ_TLB_FLUSH_WRITES BIT64(1) /* write permissions only */
#define REQ_EVENT BIT64(2)	    /* look for interrupts again */
#define REQ_STOP BIT64(3)	    /* some thread wants all vCPUs out of guest code (vm.h) */
#define REQ_CLOCK_UPDATE BIT64(4)   /* write the kvmclock page anew */
#define REQ_STEAL_UPDATE BIT64(5)
#define REQ_EXIT BIT64(6)	    /* leave KVM_RUN: -EINTR */
#define REQ_NMI BIT64(7)
#define REQ_TRIPLE_FAULT BIT64(8)
#define REQ_INIT BIT64(9)	    /* LAPIC: INIT arrived */
#define REQ_SIPI BIT64(10)	    /* LAPIC: SIPI arrived */
#define REQ_CODE_FLUSH BIT64(11)    /* all cached code (CPUID changed, memory map changed) */
#define REQ_SMI BIT64(12)
#define REQ_PVCLOCK_STOPPED BIT64(13) /* KVM_KVMCLOCK_CTRL */
#define REQ_UNHALT BIT64(14)	    /* KVM_HC_KICK_CPU: ends this halt, or the next one */
#define REQ_IOAPIC_EOI BIT64(15)    /* split irqchip: report ioapic_eoi_vector to user space */

/*
 * An MSR access that user space decides (KVM_CAP_X86_USER_SPACE_MSR): recorded by vcpu__rdmsr() and
 * vcpu__wrmsr(), the instruction then ends with EXEC_EXIT and is executed again with the answer.
 */
struct vcpu_msr_exit {
	bool wanted;	/* recorded, user space does not have it yet */
	bool in_flight; /* user space has it */
	bool answered;	/* the fields below hold user space's answer */
	bool write;
	bool error; /* answer: #GP(0) */
	u32 index;
	u32 reason; /* KVM_MSR_EXIT_REASON_* */
	u64 data;
};

struct vcpu_stats {
	u64 insns;	 /* guest instructions executed (soft engine) */
	u64 exits;
	u64 io_exits;
	u64 mmio_exits;
	u64 halt_exits;
	u64 irq_injections;
	u64 tlb_misses;
	u64 tlb_flushes;
	u64 code_builds;
	u64 code_translations;
	u64 code_entries; /* of generated code, from outside it */
	u64 code_stale;
};

/*
 * The linear pages that instructions were fetched from since the generations advanced together: sets
 * of bits that hold at least these.
 */
#define VCPU_FETCH_BITS 8192

struct vcpu_fetches {
	u64 pages[VCPU_FETCH_BITS / 64]; /* of 4 KiB */
	u64 large[VCPU_FETCH_BITS / 64]; /* by parts of 2 MiB */
	bool huge;
	bool kernel_not_global; /* also flushes of what is not global concern kernel code */
};

struct vcpu {
	struct x86_cpu cpu;

	/* The TLB view of data accesses at the current CPL, RFLAGS.AC and CR4.SMAP. */
	struct tlb_entry *view;

	/*
	 * Not 0: leave the straight-line execution of a block after the current instruction. Set
	 * together with a request bit by any thread (relaxed atomics are enough: the requests
	 * word is read with acquire order after it was seen), and by the owner when it has
	 * collected writes or made its own block stale.
	 */
	u32 leave;
	u64 requests; /* atomic */

	struct vcpu_exception exception;
	struct vcpu_io io;

	bool nmi_pending;
	u8 nmi_queued; /* further NMIs, atomic, at most 2 */
	bool interrupt_injected; /* by KVM_INTERRUPT or KVM_SET_VCPU_EVENTS; vector below */
	u8 interrupt_vector;
	bool interrupt_soft;
	u32 mp_state; /* KVM_MP_STATE_*; atomic reads by others */
	struct poll_window halt_poll; /* before a halted vCPU sleeps */
	u32 sipi_vector;
	bool smm;
	bool pv_unhalted;	  /* REQ_UNHALT seen, not yet used up by a halt */
	bool hypercall_in_flight; /* user space completes KVM_EXIT_HYPERCALL */
	u8 ioapic_eoi_vector;	  /* REQ_IOAPIC_EOI's; one at a time, written before the request */
	s16 external_vector;	  /* split irqchip: KVM_INTERRUPT's vector for LINT0, or -1 */
	struct vcpu_msr_exit msr_exit;

	struct x86_msrs msrs;
	struct x86_cpuid cpuid;

	struct lapic *lapic; /* NULL without an in-kernel irqchip */
	u64 apic_base;	     /* MSR 1BH, by lapic__get_base() and lapic__set_base() */
	struct kvm_run *run;
	u8 *pio_data; /* one page behind run, KVM_PIO_PAGE_OFFSET */
	struct kvm_coalesced_mmio_ring *coalesced;

	struct vm *vm;
	u32 id;	   /* KVM_CREATE_VCPU argument: APIC ID */
	u32 index; /* in vm->vcpus */
	u32 guest_debug; /* KVM_GUESTDBG_* */
	u64 debug_dr[8]; /* KVM_SET_GUEST_DEBUG's, while KVM_GUESTDBG_USE_HW_BP */

	/*
	 * x87/SSE/AVX state in XSAVE standard format while it is not in host registers; the engine
	 * knows which (engine_ops.vector_save). Allocated by the engine, at least 4 KiB, 64-aligned.
	 */
	u8 *xsave;

	struct host_mutex mutex;
	struct host_vcpu *host;
	struct soft_vcpu *soft; /* the engine's own */
	struct tlb tlb;
	/*
	 * Advanced by flushes that concern pages from which instructions were fetched, at CPL 3 and
	 * else: what engines derived from their translations is stale.
	 */
	u32 user_generation;
	u32 kernel_generation;
	struct vcpu_fetches fetches;
	/* Pages with cached code that this vCPU has written: one, or more than that. */
	u64 code_written; /* gpa of the page, or ~0 */
	u32 code_stale;	  /* several, or by another vCPU; atomic */
	u64 breakpoint_hits; /* DR6 bits of what the instruction has met, as data breakpoints: a trap is due */
	struct vcpu_stats stats;

	/*
	 * Whether the thread is inside guest code: 0 out, 1 in. Written by the owner, read by
	 * threads in vm__stop_all() (sequentially consistent on both sides).
	 */
	u32 in_guest;
	bool first_run_done;
	u64 steal_update_tsc; /* host TSC when steal time was last written */
	struct journal *journal; /* core/memory/journal.h; mostly NULL */
} __attribute__((aligned(64)));

/* Creates a vCPU with id (0 .. 4095) at reset state. 0, -EINVAL, -EEXIST, -ENOMEM. */
int vcpu__create(struct vm *vm, u32 id, struct vcpu **out);
void vcpu__destroy(struct vcpu *vcpu);

/* Sets the state after RESET (init false) or INIT (true) (APM vol. 2, table 14-1). */
void vcpu__reset(struct vcpu *vcpu, bool init);

/*
 * Sets request bits and makes the vCPU notice soon: leaves its block, ends its halt. Any thread.
 */
void vcpu__request(struct vcpu *vcpu, u64 requests);
/* KVM_NMI and the LAPIC: one more NMI. Any thread. */
void vcpu__nmi(struct vcpu *vcpu);
/* Sets the bits without waking a halted vCPU. */
void vcpu__request_quietly(struct vcpu *vcpu, u64 requests);

/*
 * RDMSR and WRMSR of the guest: MSR filter, exits to user space where it asked for them, else
 * msr__read() / msr__write(), and #GP(0) raised when they refuse. For the instructions' executors:
 * EXEC_NEXT, EXEC_FAULT or EXEC_EXIT.
 */
enum exec_result vcpu__rdmsr(struct vcpu *vcpu, u32 msr, u64 *value);
enum exec_result vcpu__wrmsr(struct vcpu *vcpu, u32 msr, u64 value);

/* The KVM_RUN loop. 0 with run->exit_reason set, -EINTR, or another -errno. */
int vcpu__run(struct vcpu *vcpu);

/*
 * A breakpoint register in force, i: 0 to 3 and 7. User space's (KVM_SET_GUEST_DEBUG) while it
 * debugs with hardware breakpoints, else the guest's.
 */
static inline u64 vcpu__debug_register(const struct vcpu *vcpu, unsigned i)
{
	const u32 theirs = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;

	if (unlikely((vcpu->guest_debug & theirs) == theirs))
		return vcpu->debug_dr[i];
	return i == 7 ? vcpu->cpu.dr7 : vcpu->cpu.dr[i];
}

/*
 * Recomputes all state derived from CR0, CR4, EFER, RFLAGS, segments: cpl, code_size, long_mode,
 * flat flags, view. Executors call it after they changed any of these. Cheap.
 */
void x86__mode_changed(struct vcpu *vcpu);

/* Sets all of RFLAGS (bit 1 forced) and derived state; no privilege checks. */
void x86__set_rflags(struct vcpu *vcpu, u64 rflags);

#endif
