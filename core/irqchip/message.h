/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An interrupt message on its way to local APICs: from an IPI, an IOAPIC pin or an MSI. */
#ifndef CORE_IRQCHIP_MESSAGE_H
#define CORE_IRQCHIP_MESSAGE_H

#include "base/types.h"
#include "core/irqchip/apic_regs.h"

struct vm;
struct vcpu;

struct apic_message {
	u32 dest;
	u8 vector;
	u8 delivery;  /* enum apic_delivery */
	u8 shorthand; /* enum apic_shorthand */
	bool logical;
	bool assert; /* false: a level-triggered de-assert */
	bool level_triggered;
	bool redirect; /* MSI redirection hint: one of the destinations is enough */
};

/* A set of vCPUs, by index. */
#define VCPU_SET_WORDS 5
struct vcpu_set {
	u64 bits[VCPU_SET_WORDS];
};

/*
 * Delivers to every local APIC that matches (or the one chosen for lowest priority). Any thread;
 * takes no lock. `source` is the vCPU of an IPI, else NULL. Returns how many APICs accepted, or -1
 * if none matched. `reached`, if not NULL, gets those that accepted added.
 */
int message__deliver(struct vm *vm, struct vcpu *source, const struct apic_message *message,
		     struct vcpu_set *reached);

/* The message of an MSI (SDM vol. 3, 11.11); dest takes its upper bits from address_hi if the VM
 * uses 32-bit IDs, and from the 15-bit extension in address_lo 11:5. */
void message__from_msi(const struct vm *vm, u32 address_lo, u32 address_hi, u32 data,
		       struct apic_message *message);

/* The vCPU that a physical destination (no broadcast) addresses, or NULL. Any thread. */
struct vcpu *message__find_physical(struct vm *vm, u32 dest);

#endif
