/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt wires: what a device has instead of an interrupt controller. Wires that end at the
 * same GSI are ORed, unless one of them has the GSI for itself.
 */
#ifndef VMM_DEVICE_IRQ_H
#define VMM_DEVICE_IRQ_H

#include <pthread.h>
#include <stdbool.h>

#define IRQ_HUB_GSIS 24 /* pins of the IOAPIC */

struct irq_wire;

/* Where wires end: the hypervisor's interrupt controllers. */
struct irq_hub {
	pthread_mutex_t lock; /* guards high[], owner[] and wires' levels, keeps changes in order */
	unsigned high[IRQ_HUB_GSIS];
	struct irq_wire *owner[IRQ_HUB_GSIS]; /* the one wire that counts, or NULL */
	void (*set)(void *opaque, unsigned gsi, bool level);
	/* Optional: whether what the hypervisor itself has at this GSI must be silent. */
	void (*silence)(void *opaque, unsigned gsi, bool silent);
	void *opaque;
	/* Who looks at a line on its way; fixed before the first change. */
	struct irq_listener {
		void (*raised)(void *opaque); /* NULL: nobody */
		void *opaque;
	} listener[IRQ_HUB_GSIS];
};

struct irq_wire {
	struct irq_hub *hub; /* NULL: not connected */
	unsigned gsi;
	bool level;
};

void irq_hub__init(struct irq_hub *hub, void (*set)(void *opaque, unsigned gsi, bool level),
		   void *opaque);
void irq_hub__destroy(struct irq_hub *hub);
/* Tells the controllers every level, and what is to be silent, anew, after they were replaced. */
void irq_hub__refresh(struct irq_hub *hub);

/*
 * For realize(): raised() is told each time a wire at this GSI rises, also if what has the GSI for
 * itself keeps it from the controllers; that owner's wire does not count. It is called with the
 * lock of the device whose wire it is. One listener per GSI.
 */
void irq_hub__listen(struct irq_hub *hub, unsigned gsi, void (*raised)(void *opaque), void *opaque);

/* 0 or -EINVAL: no such GSI. */
int irq_wire__connect(struct irq_wire *wire, struct irq_hub *hub, unsigned gsi);
/* Any thread, but one at a time per wire (the device's lock sees to that). */
void irq_wire__set(struct irq_wire *wire, bool level);
/*
 * While a wire owns its GSI, what others do there does not reach the controllers; at the end their
 * levels count again. Threads as above. A GSI has one owner: devices agree on who that can be.
 */
void irq_wire__own(struct irq_wire *wire, bool own);

#endif
