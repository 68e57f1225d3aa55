/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's paravirtual MSRs (linux-doc: virt/kvm/x86/msr.rst). */
#include "core/irqchip/irqchip.h"
#include "core/x86/msr_rows.h"
#include "include/x86/kvm_para.h"

int msr_kvm__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	const struct x86_msrs *msrs = &vcpu->msrs;

	switch (msr) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		*value = __atomic_load_n(&vcpu->vm->wall_clock_gpa, __ATOMIC_RELAXED);
		break;
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		*value = msrs->kvm_system_time;
		break;
	case MSR_KVM_ASYNC_PF_EN:
		*value = msrs->kvm_async_pf_en;
		break;
	case MSR_KVM_ASYNC_PF_INT:
		*value = msrs->kvm_async_pf_int;
		break;
	case MSR_KVM_ASYNC_PF_ACK:
		*value = 0;
		break;
	case MSR_KVM_STEAL_TIME:
		*value = msrs->kvm_steal_time;
		break;
	case MSR_KVM_PV_EOI_EN:
		*value = msrs->kvm_pv_eoi;
		break;
	case MSR_KVM_POLL_CONTROL:
		*value = msrs->kvm_poll_control;
		break;
	case MSR_KVM_MIGRATION_CONTROL:
		*value = msrs->kvm_migration_control;
		break;
	default:
		return 1;
	}
	return 0;
}

/* The wall clock is written at once, and the machine has one; it is only kept to be read back. */
static int write_wall_clock(struct vcpu *vcpu, u64 value)
{
	__atomic_store_n(&vcpu->vm->wall_clock_gpa, value, __ATOMIC_RELAXED);
	clock__update_wall_clock(vcpu, value);
	return 0;
}

/* The page is filled before the next guest instruction. */
static int write_system_time(struct vcpu *vcpu, u64 value)
{
	vcpu->msrs.kvm_system_time = value;
	vcpu__request_quietly(vcpu, REQ_CLOCK_UPDATE);
	return 0;
}

static int write_steal_time(struct vcpu *vcpu, u64 value)
{
	if (value & PV_STEAL_ALIGN_MASK)
		return 1;
	vcpu->msrs.kvm_steal_time = value;
	vcpu->msrs.steal_preempted = false;
	if (!(value & KVM_MSR_ENABLED))
		return 0;
	/* Waiting that the guest did not watch is not stolen from it. */
	vcpu->msrs.steal_last_ns = host__thread_wait_ns();
	vcpu__request_quietly(vcpu, REQ_STEAL_UPDATE);
	return 0;
}

static int write_pv_eoi(struct vcpu *vcpu, u64 value)
{
	if (vcpu->lapic ? lapic__set_pv_eoi(vcpu, value) : value != 0)
		return 1;
	vcpu->msrs.kvm_pv_eoi = value;
	return 0;
}

/* Asynchronous page faults are not offered: only "off" may be written. */
static int write_async_pf(u64 *field, u64 value)
{
	if (value)
		return 1;
	*field = value;
	return 0;
}

static int write_flag(u64 *field, u64 value)
{
	if (value & ~1ULL)
		return 1;
	*field = value;
	return 0;
}

int msr_kvm__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	struct x86_msrs *msrs = &vcpu->msrs;

	switch (msr) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		return write_wall_clock(vcpu, value);
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		return write_system_time(vcpu, value);
	case MSR_KVM_ASYNC_PF_EN:
		return write_async_pf(&msrs->kvm_async_pf_en, value);
	case MSR_KVM_ASYNC_PF_INT:
		return write_async_pf(&msrs->kvm_async_pf_int, value);
	case MSR_KVM_ASYNC_PF_ACK:
		return value > 1;
	case MSR_KVM_STEAL_TIME:
		return write_steal_time(vcpu, value);
	case MSR_KVM_PV_EOI_EN:
		return write_pv_eoi(vcpu, value);
	case MSR_KVM_POLL_CONTROL:
		return write_flag(&msrs->kvm_poll_control, value);
	case MSR_KVM_MIGRATION_CONTROL:
		return write_flag(&msrs->kvm_migration_control, value);
	default:
		return 1;
	}
}
