/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM_RUN with the registers that user space shares through struct kvm_run, and its signal mask. */
#include "core/api/table.h"

/*
 * KVM_CAP_SYNC_REGS (api.rst 5, kvm_valid_regs and kvm_dirty_regs). The page is user space's at any
 * time, so each part is copied before it is looked at.
 */
static s64 take_registers(struct vcpu *vcpu, u64 dirty)
{
	struct kvm_sync_regs *shared = &vcpu->run->s.regs;

	if (dirty & KVM_SYNC_X86_REGS) {
		struct kvm_regs regs = shared->regs;

		vcpu__set_regs(vcpu, &regs);
		vcpu->run->kvm_dirty_regs &= ~KVM_SYNC_X86_REGS;
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		struct kvm_sregs sregs = shared->sregs;

		if (vcpu__set_sregs(vcpu, &sregs))
			return -EINVAL;
		vcpu->run->kvm_dirty_regs &= ~KVM_SYNC_X86_SREGS;
	}
	if (dirty & KVM_SYNC_X86_EVENTS) {
		struct kvm_vcpu_events events = shared->events;

		if (vcpu__set_events(vcpu, &events))
			return -EINVAL;
		vcpu->run->kvm_dirty_regs &= ~KVM_SYNC_X86_EVENTS;
	}
	return 0;
}

static void give_registers(struct vcpu *vcpu, u64 valid)
{
	struct kvm_sync_regs *shared = &vcpu->run->s.regs;

	if (valid & KVM_SYNC_X86_REGS)
		vcpu__get_regs(vcpu, &shared->regs);
	if (valid & KVM_SYNC_X86_SREGS)
		vcpu__get_sregs(vcpu, &shared->sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		vcpu__get_events(vcpu, &shared->events);
}

s64 api__run(struct api_call *call)
{
	struct vcpu *vcpu = call->vcpu;
	struct kvm_run *run = vcpu->run;
	u64 valid = run->kvm_valid_regs, dirty = run->kvm_dirty_regs;
	s64 r;

	if ((valid | dirty) & ~(u64)KVM_SYNC_X86_VALID_FIELDS)
		return -EINVAL;
	r = dirty ? take_registers(vcpu, dirty) : 0;
	if (!r)
		r = vcpu__run(vcpu);
	if (valid)
		give_registers(vcpu, valid);
	return r;
}

/* The kernel's signal set, a bit per signal; not libc's longer one (api.rst 4.17). */
s64 api__set_signal_mask(struct api_call *call)
{
	struct kvm_signal_mask head;
	u64 mask;

	if (!call->arg) {
		host__vcpu_signal_mask(call->vcpu, NULL);
		return 0;
	}
	if (host__copy_from_user(&head, call->arg, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(mask))
		return -EINVAL;
	if (host__copy_from_user(&mask, call->arg + sizeof(head), sizeof(mask)))
		return -EFAULT;
	host__vcpu_signal_mask(call->vcpu, &mask);
	return 0;
}
