/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's hypercalls (linux-doc: virt/kvm/x86/hypercalls.rst). */
#include "core/irqchip/irqchip.h"
#include "core/vm/vm.h"
#include "include/x86/kvm_para.h"

struct hypercall {
	u64 number;
	u64 arg[4]; /* RBX, RCX, RDX, RSI */
	bool wide;  /* from 64-bit code */
};

static void read_call(const struct x86_cpu *cpu, struct hypercall *call)
{
	static const u8 from[4] = { X86_RBX, X86_RCX, X86_RDX, X86_RSI };
	unsigned i;

	call->wide = cpu->code_size == 8;
	call->number = cpu->gpr[X86_RAX];
	for (i = 0; i < 4; i++)
		call->arg[i] = cpu->gpr[from[i]];
	if (call->wide)
		return;
	call->number = (u32)call->number;
	for (i = 0; i < 4; i++)
		call->arg[i] = (u32)call->arg[i];
}

/* Ends the halt of the vCPU with that APIC ID, or its next one: a spinlock it waits for is free. */
static s64 kick(struct vcpu *vcpu, u64 apic_id)
{
	struct vcpu *target = vm__vcpu_by_id(vcpu->vm, apic_id);

	if (target && apic_id == (u32)apic_id)
		vcpu__request(target, REQ_UNHALT);
	return 0;
}

/* The host's real time and the guest's TSC at one moment, for guests that discipline clocks. */
static s64 pair_clocks(struct vcpu *vcpu, u64 gpa, u64 type)
{
	struct pv_clock_pairing pairing;
	u64 before, after, now;

	if (type != PV_CLOCK_PAIRING_WALLCLOCK)
		return -KVM_EOPNOTSUPP;
	memset(&pairing, 0, sizeof(pairing));
	before = x86__guest_tsc(vcpu);
	now = host__realtime_ns();
	after = x86__guest_tsc(vcpu);
	pairing.sec = now / 1000000000;
	pairing.nsec = now % 1000000000;
	pairing.tsc = before + (after - before) / 2;
	if (memory__write(vcpu->vm, gpa, &pairing, sizeof(pairing)))
		return -KVM_EFAULT;
	return 0;
}

/* The bitmap has two words of the caller's size: together 64 bits for a caller with 32. */
static s64 send_ipi(struct vcpu *vcpu, const struct hypercall *call)
{
	u64 low = call->arg[0], high = call->arg[1];

	if (!vcpu->lapic)
		return -KVM_ENOSYS;
	if (!call->wide) {
		low |= high << 32;
		high = 0;
	}
	return lapic__pv_send_ipi(vcpu, low, high, call->arg[2], call->arg[3]);
}

/* The caller waits for a vCPU that does not run: give it the processor. */
static s64 yield_to(struct vcpu *vcpu, u64 apic_id)
{
	struct vcpu *target = vm__vcpu_by_id(vcpu->vm, apic_id);

	if (target && target != vcpu && !__atomic_load_n(&target->in_guest, __ATOMIC_RELAXED))
		host__yield();
	return 0;
}

/* True if the call is user space's, with arguments that it may be given. */
static bool is_for_user_space(const struct vcpu *vcpu, const struct hypercall *call, s64 *result)
{
	u64 gpa = call->arg[0], pages = call->arg[1], first = gpa >> PAGE_SHIFT_4K;

	if (call->number != KVM_HC_MAP_GPA_RANGE ||
	    !(vcpu->vm->hypercall_exits & BIT64(KVM_HC_MAP_GPA_RANGE)))
		return false;
	*result = -KVM_EINVAL;
	return !(gpa & ~PAGE_MASK_4K) && pages && first + pages > first;
}

bool hypercall__execute(struct vcpu *vcpu)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct hypercall call;
	s64 result = -KVM_ENOSYS;

	read_call(cpu, &call);
	if (cpu->cpl) {
		result = -KVM_EPERM;
	} else if (is_for_user_space(vcpu, &call, &result)) {
		return false;
	} else {
		switch (call.number) {
		case KVM_HC_VAPIC_POLL_IRQ:
			result = 0;
			break;
		case KVM_HC_KICK_CPU:
			result = kick(vcpu, call.arg[1]);
			break;
		case KVM_HC_CLOCK_PAIRING:
			result = pair_clocks(vcpu, call.arg[0], call.arg[1]);
			break;
		case KVM_HC_SEND_IPI:
			result = send_ipi(vcpu, &call);
			break;
		case KVM_HC_SCHED_YIELD:
			result = yield_to(vcpu, call.arg[0]);
			break;
		}
	}
	cpu->gpr[X86_RAX] = call.wide ? (u64)result : (u32)result;
	return true;
}
