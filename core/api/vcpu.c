/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on a vCPU's descriptor. All run with the vCPU's mutex held, so never during KVM_RUN. */
#include "core/api/table.h"
#include "core/irqchip/irqchip.h"

static s64 get_lapic(struct api_call *call)
{
	return call->vcpu->lapic ? lapic__get_state(call->vcpu, call->data) : -EINVAL;
}

static s64 set_lapic(struct api_call *call)
{
	return call->vcpu->lapic ? lapic__set_state(call->vcpu, call->data) : -EINVAL;
}

/* The guest learns from the next kvmclock update that it was stopped (soft lockup watchdogs). */
static s64 kvmclock_ctrl(struct api_call *call)
{
	return clock__set_guest_stopped(call->vcpu);
}

/* KVM_CAP_VAPIC is not offered: reporting can only be left off. */
static s64 tpr_access_reporting(struct api_call *call)
{
	const struct kvm_tpr_access_ctl *ctl = call->data;

	return ctl->enabled || ctl->flags ? -EINVAL : 0;
}

static s64 set_vapic_addr(struct api_call *call)
{
	const struct kvm_vapic_addr *vapic = call->data;

	return vapic->vapic_addr || !call->vcpu->lapic ? -EINVAL : 0;
}

/* None of the vCPU's optional capabilities (they are Hyper-V's) is offered. */
static s64 enable_cap(struct api_call *call)
{
	return -EINVAL;
}

static const struct api_row rows[] = {
	API_ROW(KVM_RUN, API_ZERO, api__run),
	API_ROW(KVM_GET_REGS, API_OUT, api__get_regs),
	API_ROW(KVM_SET_REGS, API_IN, api__set_regs),
	API_ROW(KVM_GET_SREGS, API_OUT, api__get_sregs),
	API_ROW(KVM_SET_SREGS, API_IN, api__set_sregs),
	API_ROW(KVM_GET_SREGS2, API_OUT, api__get_sregs2),
	API_ROW(KVM_SET_SREGS2, API_IN, api__set_sregs2),
	API_ROW(KVM_GET_FPU, API_OUT, api__get_fpu),
	API_ROW(KVM_SET_FPU, API_IN, api__set_fpu),
	API_ROW(KVM_GET_XSAVE, API_OUT, api__get_xsave),
	/* As large as KVM_CAP_XSAVE2 says, which is the old structure's size. */
	{ KVM_GET_XSAVE2, "KVM_GET_XSAVE2", API_OUT, sizeof(struct kvm_xsave), api__get_xsave },
	{ KVM_SET_XSAVE, "KVM_SET_XSAVE", API_IN, sizeof(struct kvm_xsave), api__set_xsave },
	API_ROW(KVM_GET_XCRS, API_OUT, api__get_xcrs),
	API_ROW(KVM_SET_XCRS, API_IN, api__set_xcrs),
	API_ROW(KVM_GET_DEBUGREGS, API_OUT, api__get_debugregs),
	API_ROW(KVM_SET_DEBUGREGS, API_IN, api__set_debugregs),
	API_ROW(KVM_GET_MSRS, API_OWN, api__get_msrs),
	API_ROW(KVM_SET_MSRS, API_OWN, api__set_msrs),
	API_ROW(KVM_SET_CPUID, API_OWN, api__set_cpuid),
	API_ROW(KVM_SET_CPUID2, API_OWN, api__set_cpuid2),
	API_ROW(KVM_GET_CPUID2, API_OWN, api__get_cpuid2),
	API_ROW(KVM_GET_LAPIC, API_OUT, get_lapic),
	API_ROW(KVM_SET_LAPIC, API_IN, set_lapic),
	API_ROW(KVM_GET_MP_STATE, API_OUT, api__get_mp_state),
	API_ROW(KVM_SET_MP_STATE, API_IN, api__set_mp_state),
	API_ROW(KVM_GET_VCPU_EVENTS, API_OUT, api__get_vcpu_events),
	API_ROW(KVM_SET_VCPU_EVENTS, API_IN, api__set_vcpu_events),
	API_ROW(KVM_SET_GUEST_DEBUG, API_IN, api__set_guest_debug),
	API_ROW(KVM_TRANSLATE, API_INOUT, api__translate),
	API_ROW(KVM_INTERRUPT, API_IN, api__interrupt),
	API_ROW(KVM_NMI, API_NUMBER, api__nmi),
	API_ROW(KVM_SET_SIGNAL_MASK, API_OWN, api__set_signal_mask),
	API_ROW(KVM_SET_TSC_KHZ, API_NUMBER, api__set_tsc_khz),
	API_ROW(KVM_GET_TSC_KHZ, API_NUMBER, api__get_tsc_khz),
	API_ROW(KVM_KVMCLOCK_CTRL, API_NUMBER, kvmclock_ctrl),
	API_ROW(KVM_X86_SETUP_MCE, API_IN, api__setup_mce),
	API_ROW(KVM_X86_SET_MCE, API_IN, api__set_mce),
	API_ROW(KVM_TPR_ACCESS_REPORTING, API_INOUT, tpr_access_reporting),
	API_ROW(KVM_SET_VAPIC_ADDR, API_IN, set_vapic_addr),
	API_ROW(KVM_ENABLE_CAP, API_IN, enable_cap),
};

const struct api_table api_vcpu_table = { rows, ARRAY_LENGTH(rows) };
