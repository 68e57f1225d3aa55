/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addressing: which local APICs a message goes to (SDM vol. 3, 11.6.2 and 11.12.10), with KVM's
 * answers to what hardware leaves to interrupt remapping.
 */
#include "core/irqchip/lapic.h"
#include "core/irqchip/message.h"
#include "core/vm/vm.h"

_Static_assert(VM_MAX_VCPUS <= VCPU_SET_WORDS * 64, "a vcpu_set holds every vCPU");

#define MSI_LOGICAL (1U << 2)
#define MSI_REDIRECT (1U << 3)
#define MSI_REMAPPABLE (1U << 4)

static bool matches_physical(const struct vcpu *vcpu, u32 identity, u32 dest)
{
	if (dest == (identity & LAPIC_X2APIC ? APIC_X2APIC_BROADCAST : APIC_BROADCAST))
		return true;
	/* A vCPU whose ID does not fit an xAPIC is reachable by its ID in xAPIC mode too. */
	if ((identity & LAPIC_X2APIC) || dest > 0xff)
		return dest == vcpu->id;
	return dest == (identity & 0xff);
}

static bool matches_logical(const struct vcpu *vcpu, u32 identity, u32 dest)
{
	u32 logical = identity >> 8 & 0xff;

	if (identity & LAPIC_X2APIC)
		return dest == APIC_X2APIC_BROADCAST ||
		       (dest >> 16 == vcpu->id >> 4 && (dest >> (vcpu->id & 0xf) & 1));
	if (dest == APIC_BROADCAST)
		return true;
	if (dest > 0xff)
		return false;
	if (identity & LAPIC_FLAT)
		return logical & dest;
	if (identity & LAPIC_CLUSTER)
		return logical >> 4 == dest >> 4 && (logical & dest & 0xf);
	return false;
}

static bool matches(const struct vcpu *vcpu, const struct vcpu *source,
		    const struct apic_message *message)
{
	u32 identity, dest = message->dest;

	if (!vcpu->lapic)
		return false;
	identity = lapic__identity(vcpu->lapic);
	if (!(identity & LAPIC_HW_ENABLED))
		return false;
	switch (message->shorthand) {
	case APIC_DEST_ALL:
		return true;
	case APIC_DEST_OTHERS:
		return vcpu != source;
	case APIC_DEST_SELF:
		return vcpu == source;
	}
	/*
	 * IOAPICs and MSIs have 8 bits, so their broadcast means x2APICs too, unless user space
	 * asked for the literal meaning (KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK).
	 */
	if (!source && dest == APIC_BROADCAST && (identity & LAPIC_X2APIC) &&
	    !vcpu->vm->x2apic_no_broadcast_quirk)
		dest = APIC_X2APIC_BROADCAST;
	return message->logical ? matches_logical(vcpu, identity, dest)
				: matches_physical(vcpu, identity, dest);
}

static int accept(struct vcpu *vcpu, const struct apic_message *message, struct vcpu_set *reached)
{
	int accepted = lapic__accept(vcpu, message->delivery, message->vector, message->assert,
				     message->level_triggered);

	if (accepted && reached)
		reached->bits[vcpu->index / 64] |= BIT64(vcpu->index % 64);
	return accepted;
}

/* The vCPU whose index and ID are both dest, as they are unless user space chose otherwise. */
static struct vcpu *guess(struct vm *vm, u32 dest, u32 nr_vcpus)
{
	struct vcpu *vcpu;

	if (dest >= nr_vcpus || dest == APIC_BROADCAST)
		return NULL;
	vcpu = vm->vcpus[dest];
	return vcpu->id == dest ? vcpu : NULL;
}

struct vcpu *message__find_physical(struct vm *vm, u32 dest)
{
	u32 i, n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);
	struct apic_message message = {.dest = dest};
	struct vcpu *vcpu = guess(vm, dest, n);

	if (vcpu && matches(vcpu, vcpu, &message))
		return vcpu;
	for (i = 0; i < n; i++) {
		u32 identity;

		vcpu = vm->vcpus[i];
		if (!vcpu->lapic)
			continue;
		identity = lapic__identity(vcpu->lapic);
		if (!(identity & LAPIC_HW_ENABLED))
			continue;
		if (identity & LAPIC_X2APIC || dest > 0xff ? vcpu->id == dest
							   : (identity & 0xff) == dest)
			return vcpu;
	}
	return NULL;
}

/*
 * Lowest priority: one of the candidates, chosen by the vector. Like KVM and current hardware: it
 * spreads vectors evenly and keeps each of them on one CPU.
 */
static struct vcpu *choose(struct vm *vm, const struct vcpu_set *candidates, u32 count, u8 vector)
{
	u32 i, skip = vector % count;

	for (i = 0; i < VM_MAX_VCPUS; i++)
		if ((candidates->bits[i / 64] >> (i % 64) & 1) && skip-- == 0)
			return vm->vcpus[i];
	return NULL;
}

static int deliver_scan(struct vm *vm, struct vcpu *source, const struct apic_message *message,
			bool one, u32 nr_vcpus, struct vcpu_set *reached)
{
	struct vcpu_set candidates = {{0}};
	u32 i, count = 0;
	int ret = -1;

	for (i = 0; i < nr_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (!matches(vcpu, source, message))
			continue;
		if (!one) {
			ret = MAX_OF(ret, 0) + accept(vcpu, message, reached);
		} else if (lapic__identity(vcpu->lapic) & LAPIC_SW_ENABLED) {
			candidates.bits[i / 64] |= BIT64(i % 64);
			count++;
		}
	}
	if (count)
		ret = accept(choose(vm, &candidates, count, message->vector), message, reached);
	return ret;
}

int message__deliver(struct vm *vm, struct vcpu *source, const struct apic_message *message,
		     struct vcpu_set *reached)
{
	u32 n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);
	struct apic_message fixed;
	struct vcpu *vcpu;
	bool one;

	if (source && message->shorthand == APIC_DEST_SELF)
		return accept(source, message, reached);
	/* Lowest priority among all by a physical broadcast makes no sense; it goes to all. */
	if (!message->logical && message->dest == APIC_BROADCAST && !message->shorthand &&
	    message->delivery == APIC_LOWEST) {
		fixed = *message;
		fixed.delivery = APIC_FIXED;
		message = &fixed;
	}
	if (!message->shorthand && !message->logical) {
		vcpu = guess(vm, message->dest, n);
		if (vcpu && matches(vcpu, source, message))
			return accept(vcpu, message, reached);
	}
	one = message->delivery == APIC_LOWEST || message->redirect;
	return deliver_scan(vm, source, message, one, n, reached);
}

void message__from_msi(const struct vm *vm, u32 address_lo, u32 address_hi, u32 data,
		       struct apic_message *message)
{
	*message = (struct apic_message){
		.dest = address_lo >> 12 & 0xff,
		.vector = data,
		.delivery = APIC_DELIVERY(data),
		.logical = address_lo & MSI_LOGICAL,
		.assert = true,
		.level_triggered = data & APIC_ICR_LEVEL,
		.redirect = address_lo & MSI_REDIRECT,
	};
	if (!(address_lo & MSI_REMAPPABLE))
		message->dest |= (address_lo >> 5 & 0x7f) << 8;
	if (vm->x2apic_32bit_ids)
		message->dest |= address_hi & 0xffffff00;
}
