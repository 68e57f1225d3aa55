/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RDMSR and WRMSR of the guest, with what user space wants to decide about them. */
#include "core/vm/msr_filter.h"
#include "core/vm/vcpu.h"
#include "core/x86/exception.h"

/* Takes user space's answer if it is there for this access. */
static bool take_answer(struct vcpu *vcpu, u32 msr, bool write)
{
	struct vcpu_msr_exit *e = &vcpu->msr_exit;

	if (!e->answered)
		return false;
	e->answered = false;
	return e->index == msr && e->write == write;
}

/* Asks user space, if it wants to hear of accesses refused for this reason; else #GP(0). */
static enum exec_result refuse(struct vcpu *vcpu, u32 msr, bool write, u64 data, u32 reason)
{
	if (!(vcpu->vm->user_space_msr_mask & reason))
		return x86__raise_gp(vcpu, 0);
	vcpu->msr_exit = (struct vcpu_msr_exit){
		.wanted = true,
		.write = write,
		.index = msr,
		.reason = reason,
		.data = data,
	};
	return EXEC_EXIT;
}

enum exec_result vcpu__rdmsr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	if (take_answer(vcpu, msr, false)) {
		if (vcpu->msr_exit.error)
			return x86__raise_gp(vcpu, 0);
		*value = vcpu->msr_exit.data;
		return EXEC_NEXT;
	}
	if (!msr_filter__allows(vcpu->vm, msr, false))
		return refuse(vcpu, msr, false, 0, KVM_MSR_EXIT_REASON_FILTER);
	if (msr__read(vcpu, msr, false, value))
		return refuse(vcpu, msr, false, 0, KVM_MSR_EXIT_REASON_UNKNOWN);
	return EXEC_NEXT;
}

enum exec_result vcpu__wrmsr(struct vcpu *vcpu, u32 msr, u64 value)
{
	u64 old;

	if (take_answer(vcpu, msr, true)) {
		if (vcpu->msr_exit.error)
			return x86__raise_gp(vcpu, 0);
		return EXEC_NEXT;
	}
	if (!msr_filter__allows(vcpu->vm, msr, true))
		return refuse(vcpu, msr, true, value, KVM_MSR_EXIT_REASON_FILTER);
	if (!msr__write(vcpu, msr, false, value))
		return EXEC_NEXT;
	/* An MSR that can be read exists, so the value was what was wrong. */
	if (!msr__read(vcpu, msr, true, &old))
		return refuse(vcpu, msr, true, value, KVM_MSR_EXIT_REASON_INVAL);
	return refuse(vcpu, msr, true, value, KVM_MSR_EXIT_REASON_UNKNOWN);
}
