/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine's interrupt controllers share: struct irqchip with PIC, IOAPIC, PIT, routing and
 * irqfds under one lock.
 *
 * Lock order: irqfd_config, lock, then a LAPIC's timer lock; nothing of vm.h is taken inside. All
 * functions declared here are called with chip->lock held unless they say otherwise.
 */
#ifndef CORE_IRQCHIP_CHIP_H
#define CORE_IRQCHIP_CHIP_H

#include <linux/kvm.h>
#include "core/host.h"
#include "core/irqchip/apic_regs.h"
#include "core/irqchip/irqchip.h"
#include "core/irqchip/message.h"
#include "core/irqchip/routing.h"

struct irqfd;

/* Who drives a pin: the pin is high while any of them holds it high. */
enum line_source { LINE_USER, LINE_RESAMPLE, LINE_PIT };

#define PIC_PINS 16

struct pic {
	struct kvm_pic_state chip[2]; /* master, slave */
	bool single[2];		      /* ICW1: no ICW3 follows */
	u8 lines[PIC_PINS];	      /* bit per enum line_source */
	u32 output;		      /* INTR; written under the lock, read by any thread */
};

struct ioapic {
	u64 redir[IOAPIC_PINS];
	u32 select;
	u32 id;
	u32 irr;	/* pin is high (level), or an edge came (edge) */
	u32 delivered;	/* edges in irr that have been sent on */
	u64 base;	/* as user space set it; the device does not move */
	u8 lines[IOAPIC_PINS];
	u32 successive[IOAPIC_PINS]; /* EOIs with the pin still high, for storm_timer */
	struct host_timer storm_timer;
	/* Where the last tracked RTC interrupt went (KVM_IRQ_LINE_STATUS). */
	struct vcpu_set rtc_reached;
	u8 rtc_vector;
};

struct pit {
	bool present;
	bool speaker; /* port 61H is here */
	struct kvm_pit_channel_state channel[3];
	u32 flags; /* KVM_PIT_FLAGS_* */
	bool null_count[3]; /* a control word came, its count has not */
	bool untriggered[3]; /* modes 1 and 5 wait for their gate to rise */
	u64 frozen_ns[3];    /* elapsed time when the gate went low */
	/* Channel 0's interrupts. */
	struct host_timer timer;
	bool armed;
	bool periodic;
	u64 tick_cycles;
	u64 ticks_done;
	/* Reinjection: ticks wait until the guest has acknowledged the one before. */
	bool reinject;
	bool acked;
	u32 pending;
};

struct irqchip {
	struct vm *vm;
	struct host_mutex lock;
	bool split;
	u32 reserved_routes; /* split: GSIs of the user-space IOAPIC */
	struct pic pic;
	struct ioapic ioapic;
	struct pit pit;
	struct routing *routing;
	struct irqfd *irqfds; /* list */
	struct host_mutex irqfd_config; /* one KVM_IRQFD at a time */
	/*
	 * Vectors whose EOI concerns an IOAPIC: level-triggered pins and pins with someone who
	 * waits for the acknowledgement. Words written under the lock, read by any thread.
	 */
	u32 eoi_vectors[8];
};

/* The VM's irqchip or NULL; any thread, no lock. */
struct irqchip *chip__of(struct vm *vm);
bool chip__wants_eoi(struct irqchip *chip, u8 vector);
/* Computes eoi_vectors again. */
void chip__update_eoi_vectors(struct irqchip *chip);
/* The guest has acknowledged (EOI) the interrupt of this pin of KVM_IRQCHIP_*. */
void chip__acknowledged(struct irqchip *chip, unsigned which, unsigned pin);
/* Some pin was unmasked. */
void chip__unmasked(struct irqchip *chip, unsigned which, unsigned pin);

/* pic.c */
void pic__init(struct irqchip *chip);
/* Status as KVM_IRQ_LINE_STATUS: 1, 0 coalesced, -1 masked. */
int pic__set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level);
/* The two INTA cycles: vector of the highest request, or the spurious vector. */
u8 pic__acknowledge(struct irqchip *chip);
u8 pic__read(struct irqchip *chip, u16 port);
void pic__write(struct irqchip *chip, u16 port, u8 value);
void pic__set_state(struct irqchip *chip, unsigned which, const struct kvm_pic_state *state);

/* ioapic.c */
void ioapic__init(struct irqchip *chip);
void ioapic__destroy(struct irqchip *chip); /* without the lock */
int ioapic__set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level,
		     bool tracked);
u32 ioapic__read(struct irqchip *chip, unsigned offset);
void ioapic__write(struct irqchip *chip, unsigned offset, u32 value);
void ioapic__get_state(struct irqchip *chip, struct kvm_ioapic_state *state);
void ioapic__set_state(struct irqchip *chip, const struct kvm_ioapic_state *state);
/* EOI broadcast of a local APIC; takes the lock itself. */
void ioapic__eoi(struct irqchip *chip, u8 vector, bool level_triggered);

/* pit.c */
u8 pit__read(struct irqchip *chip, u16 port);
void pit__write(struct irqchip *chip, u16 port, u8 value);
/* pit_timer.c */
void pit_timer__init(struct irqchip *chip);
void pit_timer__destroy(struct irqchip *chip); /* without the lock */
/* Starts (or, by mode, stops) the interrupts of channel 0 from its load time on. */
void pit_timer__start(struct irqchip *chip);
void pit_timer__stop(struct irqchip *chip);
void pit_timer__acked(struct irqchip *chip);
void pit_timer__reset_reinject(struct irqchip *chip);

#define PIT_HZ 1193182

/* irqfd.c */
/* Whether a resampling irqfd waits for the acknowledgement of gsi. */
bool irqfd__resamples(struct irqchip *chip, u32 gsi);
void irqfd__acknowledged(struct irqchip *chip, u32 gsi);

#endif
