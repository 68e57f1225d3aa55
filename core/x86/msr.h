/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Model-specific registers: storage, access rules, and lists for user space. */
#ifndef CORE_X86_MSR_H
#define CORE_X86_MSR_H

#include "base/types.h"

struct vcpu;
struct vm;

#define MSR_MTRR_VARIABLE 8
#define MSR_MCE_MAX_BANKS 32

/* MSRs that no instruction uses directly. Those that one does stand in struct x86_cpu. */
struct x86_msrs {
	u64 tsc_offset; /* guest TSC = host TSC + offset */
	u64 tsc_adjust;
	u64 pat;
	u64 mtrr_def_type;
	u64 mtrr_fixed[11];
	u64 mtrr_base[MSR_MTRR_VARIABLE];
	u64 mtrr_mask[MSR_MTRR_VARIABLE];
	u64 misc_enable;
	u64 power_ctl;
	u64 mcg_status;
	u64 mcg_ctl;
	u64 mc_ctl[MSR_MCE_MAX_BANKS][4]; /* CTL, STATUS, ADDR, MISC */
	u64 mcg_cap;
	u64 spec_ctrl;
	u64 microcode;
	u64 arch_capabilities;
	u64 hwcr;
	u64 smbase;
	u64 kvm_wall_clock;
	u64 kvm_system_time;
	u64 kvm_steal_time;
	u64 kvm_pv_eoi;
	u64 kvm_async_pf_en;
	u64 kvm_async_pf_int;
	u64 kvm_poll_control;
	u64 kvm_migration_control;
	u64 xss;
	u64 syscfg;
	u64 debugctl;
	u64 virt_spec_ctrl;
	u64 pred_cmd_seen;
	u64 steal_last_ns;
	u64 steal_checked_ns; /* host__monotonic_ns() when steal time was last read */
	bool steal_preempted; /* the guest's steal time page says that this vCPU does not run */
	u64 feature_control;
	u64 ls_cfg;
};

/*
 * RDMSR / WRMSR of the guest or (host true) KVM_GET_MSRS / KVM_SET_MSRS. 0, or 1: #GP(0), or
 * no such MSR.
 */
int msr__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value);
int msr__write(struct vcpu *vcpu, u32 msr, bool host, u64 value);
void msr__reset(struct vcpu *vcpu, bool init);

/* KVM_GET_MSR_INDEX_LIST and KVM_GET_MSR_FEATURE_INDEX_LIST; the arrays' lengths in *count. */
const u32 *msr__index_list(u32 *count);
const u32 *msr__feature_list(u32 *count);
int msr__read_feature(u32 msr, u64 *value);

/* Control registers and EFER with all checks and side effects. 0, or 1: #GP(0). */
int x86__set_cr0(struct vcpu *vcpu, u64 value);
int x86__set_cr3(struct vcpu *vcpu, u64 value);
int x86__set_cr4(struct vcpu *vcpu, u64 value);
int x86__set_cr8(struct vcpu *vcpu, u64 value);
u64 x86__get_cr8(struct vcpu *vcpu);
int x86__set_efer(struct vcpu *vcpu, u64 value);
/* KVM_SET_MSRS of EFER: only bits that no CPU here has are refused; LMA stays as it is. */
int x86__set_efer_host(struct vcpu *vcpu, u64 value);
int x86__set_xcr0(struct vcpu *vcpu, u64 value);

/* Time-stamp counter of the guest, now. */
u64 x86__guest_tsc(struct vcpu *vcpu);
/*
 * Writes the TSC from outside (KVM_SET_MSRS; value 0 at creation). Values that are 0, or within a
 * second of what the others have by now, mean "the same as the others": the vCPU then takes the
 * machine's offset exactly.
 */
void tsc__synchronize(struct vcpu *vcpu, u64 value);
/* WRMSR TSC and WRMSR TSC_ADJUST of the guest. */
void tsc__write(struct vcpu *vcpu, u64 value);
void tsc__write_adjust(struct vcpu *vcpu, u64 value);
/* Whether all vCPUs have the same TSC. */
bool tsc__is_synchronized(struct vm *vm);

/*
 * ns = (delta << shift) * mul >> 32, a negative shift shifting right: the factors for a TSC of khz
 * (at least 1), as struct pvclock_vcpu_time_info holds them.
 */
void clock__tsc_scale(u32 khz, u32 *mul, s8 *shift);
/*
 * The machine's kvmclock, as the guest reads it now: KVM_GET_CLOCK. Any thread. *tsc is the host's
 * TSC at that moment.
 */
u64 clock__now_ns(struct vm *vm, u64 *tsc);
/* KVM_SET_CLOCK: the clock goes on from ns; all vCPUs write their pages anew. Any thread. */
void clock__set_ns(struct vm *vm, u64 ns);
/* REQ_PVCLOCK_STOPPED: tells the guest that it was stopped. 0, or -EINVAL without kvmclock. */
int clock__set_guest_stopped(struct vcpu *vcpu);
/*
 * The vCPU's thread is about to block, or leaves KVM_RUN: says "preempted" in the steal time page
 * and asks for REQ_STEAL_UPDATE, which must be handled before guest code executes again:
 * clock__update_steal_time() takes the flag back and does the TLB flush that other vCPUs may have
 * left there instead of an IPI. Owner thread, out of guest code.
 */
void clock__set_preempted(struct vcpu *vcpu);

/* kvmclock and steal time pages (core/x86/clock.c); owner thread, out of guest code. */
void clock__update_system_time(struct vcpu *vcpu);
void clock__update_wall_clock(struct vcpu *vcpu, u64 gpa);
void clock__update_steal_time(struct vcpu *vcpu);

/*
 * Hypercalls (VMCALL, VMMCALL; core/x86/hypercall.c): true if it completed here and RAX is set,
 * false if user space has to do it (KVM_HC_MAP_GPA_RANGE).
 */
bool hypercall__execute(struct vcpu *vcpu);

#endif
