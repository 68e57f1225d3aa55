/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interprocessor interrupts: the ICR (SDM vol. 3, 11.6), and KVM's hypercall for many at once. */
#include "core/irqchip/lapic.h"
#include "core/irqchip/message.h"
#include "core/vm/vm.h"

#define KVM_PV_EINVAL 22 /* KVM_EINVAL of <linux/kvm_para.h>, as the guest sees it */

static void message_from_icr(u32 icr, u32 dest, struct apic_message *message)
{
	*message = (struct apic_message){
		.dest = dest,
		.vector = icr,
		.delivery = APIC_DELIVERY(icr),
		.shorthand = APIC_ICR_SHORTHAND(icr),
		.logical = icr & APIC_ICR_LOGICAL,
		.assert = icr & APIC_ICR_ASSERT,
		.level_triggered = icr & APIC_ICR_LEVEL,
	};
}

static bool is_illegal(const struct apic_message *message)
{
	return message->vector < 16 &&
	       (message->delivery == APIC_FIXED || message->delivery == APIC_LOWEST);
}

void lapic__send_ipi(struct lapic *lapic, u32 icr, u32 dest)
{
	struct apic_message message;

	message_from_icr(icr, dest, &message);
	if (is_illegal(&message)) {
		lapic__raise_error(lapic, APIC_ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	if (message.delivery == APIC_EXTINT)
		return;
	message__deliver(lapic->vcpu->vm, lapic->vcpu, &message, NULL);
}

s64 lapic__pv_send_ipi(struct vcpu *vcpu, u64 low, u64 high, u64 min, u64 icr)
{
	/* Each bitmap is one register of the caller's mode wide. */
	unsigned bits = vcpu->cpu.code_size == 8 ? 64 : 32, i;
	struct apic_message message;
	s64 count = 0;

	if (icr & (APIC_ICR_LOGICAL | APIC_ICR_SHORTHAND_BITS))
		return -KVM_PV_EINVAL;
	message_from_icr(icr, 0, &message);
	if (!vcpu->lapic || is_illegal(&message) || message.delivery == APIC_EXTINT)
		return -KVM_PV_EINVAL;
	for (i = 0; i < 2 * bits; i++) {
		u64 id = (u32)min + (u64)i;
		struct vcpu *target;

		if (!((i < bits ? low >> i : high >> (i - bits)) & 1))
			continue;
		target = id <= VM_MAX_VCPU_ID ? message__find_physical(vcpu->vm, id) : NULL;
		if (target)
			count += lapic__accept(target, message.delivery, message.vector,
					       message.assert, message.level_triggered);
	}
	return count;
}
