/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The architectural state of one x86 processor, as every part of the core sees it.
 *
 * The software engine executes on this structure directly. A hardware engine fills it
 * before core code looks and takes it back after (engine_ops.sync_in / sync_out).
 *
 * Only the thread that runs the vCPU (or one that holds the vCPU mutex while it does not
 * run) reads or writes it.
 */
#ifndef CORE_X86_CPU_H
#define CORE_X86_CPU_H

#include "base/types.h"
#include "include/x86/regs.h"

/* Register slots beyond the sixteen: one that always reads 0 ("no base", "no index") and RIP. */
#define X86_SLOT_ZERO 16
#define X86_SLOT_RIP 17
#define X86_NR_SLOTS 18

struct x86_segment {
	u64 base;
	u32 limit; /* in bytes, granularity applied */
	u16 selector;
	u8 type; /* SEG_TYPE_* when s, else the system type */
	u8 dpl;
	bool s;
	bool present;
	bool avl;
	bool l;
	bool db;
	bool g;
	bool unusable; /* a null selector was loaded (VMX's word for it) */
	/*
	 * Derived by x86__segment_changed(): base 0, limit 4 GiB - 1, expand-up, present,
	 * readable and (data) writable; such a segment needs no check outside of 64-bit code.
	 */
	bool flat;
};

struct x86_dtable {
	u64 base;
	u16 limit;
};

struct x86_cpu {
	/* slot[X86_SLOT_ZERO] is always 0; rip is the start of the executing instruction. */
	union {
		struct {
			u64 gpr[X86_NR_GPR];
			u64 zero;
			u64 rip;
		};
		u64 slot[X86_NR_SLOTS];
	};
	/*
	 * Flags stand in two words: arith holds CF PF AF ZF SF OF (other bits are garbage, it
	 * is what PUSHFQ gave after the host executed the operation), sysflags all others
	 * (arithmetic bits 0, bit 1 set). Use x86__rflags() and x86__set_rflags().
	 */
	u64 arith;
	u64 sysflags;

	struct x86_segment seg[X86_NR_SEG];
	struct x86_segment ldtr;
	struct x86_segment tr;
	struct x86_dtable gdt;
	struct x86_dtable idt;

	u64 cr0;
	u64 cr2;
	u64 cr3;
	u64 cr4;
	u64 efer;
	u64 xcr0;
	u64 dr[4];
	u64 dr6;
	u64 dr7;
	u64 pdpte[4]; /* PAE: loaded with CR3 (SDM vol. 3, 4.4.1) */

	/* Derived by x86__mode_changed(). */
	u8 cpl;	      /* SS.DPL; 3 in virtual-8086 mode, 0 in real mode */
	u8 code_size; /* bytes of the default code size: 2, 4 or 8 (64-bit code) */
	bool long_mode; /* EFER.LMA */

	/* Events that block others for one instruction (APM vol. 2, 8.1.1; SDM vol. 3, 6.8). */
	u8 shadow; /* X86_SHADOW_* */
	bool nmi_masked;

	/* MSRs that the instructions themselves use; all others stand in struct x86_msrs. */
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 sfmask;
	u64 kernel_gs_base;
	u64 sysenter_cs;
	u64 sysenter_esp;
	u64 sysenter_eip;
	u64 tsc_aux;
};

#define X86_SHADOW_STI 1
#define X86_SHADOW_MOV_SS 2
#define X86_SHADOW_STEP 4 /* with TF set: no trap behind the instruction that just retired */

static inline u64 x86__rflags(const struct x86_cpu *cpu)
{
	return (cpu->arith & RFLAGS_ARITH) | cpu->sysflags;
}

static inline bool x86__is_protected(const struct x86_cpu *cpu)
{
	return cpu->cr0 & CR0_PE;
}

static inline bool x86__is_v86(const struct x86_cpu *cpu)
{
	return cpu->sysflags & RFLAGS_VM;
}

/* Real or virtual-8086 mode: selectors are paragraph numbers. */
static inline bool x86__is_real_like(const struct x86_cpu *cpu)
{
	return !(cpu->cr0 & CR0_PE) || (cpu->sysflags & RFLAGS_VM);
}

static inline unsigned x86__iopl(const struct x86_cpu *cpu)
{
	return (cpu->sysflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT;
}

#endif
