/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GSI routing: which pins and messages a global system interrupt stands for. */
#ifndef CORE_IRQCHIP_ROUTING_H
#define CORE_IRQCHIP_ROUTING_H

#include <linux/kvm.h>
#include "base/types.h"
#include "core/irqchip/apic_regs.h"

struct irqchip;
enum line_source;

#define ROUTING_MAX_GSIS 4096 /* KVM_MAX_IRQ_ROUTES */
#define ROUTING_MAX_PER_GSI KVM_NR_IRQCHIPS

struct route {
	u32 type; /* KVM_IRQ_ROUTING_IRQCHIP or KVM_IRQ_ROUTING_MSI */
	union {
		struct {
			u32 chip; /* KVM_IRQCHIP_* */
			u32 pin;  /* 0 to 7 for each PIC */
		} irqchip;
		struct {
			u32 address_lo;
			u32 address_hi;
			u32 data;
		} msi;
	};
};

/* Immutable once published in chip->routing; guarded by chip->lock. */
struct routing {
	u32 nr_gsis;
	u16 pin_gsi[KVM_NR_IRQCHIPS][IOAPIC_PINS]; /* which GSI drives a pin, or ROUTING_NO_GSI */
	/* Routes of GSI g are route[first[g]] up to route[first[g + 1]]. */
	u32 *first;
	struct route *route;
};
#define ROUTING_NO_GSI 0xffff

/* Installs a table (api.rst 4.52). Takes chip->lock. 0, -EINVAL, -ENOMEM. */
int routing__install(struct irqchip *chip, const struct kvm_irq_routing_entry *entries, u32 count);
/* KVM's default table: GSI n drives PIC and IOAPIC pin n, 16 to 23 the IOAPIC only. */
int routing__install_default(struct irqchip *chip);
/* Without the lock, nobody else is there. */
void routing__free(struct routing *routing);

/*
 * Drives a GSI. Returns the sum of what its routes gave, or -1 if none took it. raise() takes
 * chip->lock itself, set_line() wants it held.
 */
int routing__raise(struct irqchip *chip, enum line_source source, u32 gsi, bool level,
		   bool tracked);
int routing__set_line(struct irqchip *chip, enum line_source source, u32 gsi, bool level,
		      bool tracked);
/* The GSI that drives a pin, or -1. Lock held. */
int routing__gsi_of_pin(struct irqchip *chip, unsigned which, unsigned pin);

#endif
