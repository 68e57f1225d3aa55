/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One local APIC, as the files of this folder share it.
 *
 * Registers belong to the vCPU's thread (or the holder of the vCPU mutex). Other threads touch only
 * IRR, TMR, identity, events, errors and extint, all by atomics, and read LVTs and ISR by relaxed
 * loads; the timer has a lock of its own.
 */
#ifndef CORE_IRQCHIP_LAPIC_H
#define CORE_IRQCHIP_LAPIC_H

#include <linux/kvm.h>
#include "core/host.h"
#include "core/irqchip/apic_regs.h"
#include "core/irqchip/irqchip.h"

struct vcpu;

/* Guarded by lock; fire() on the timer thread takes it too. */
struct lapic_timer {
	struct host_mutex lock;
	struct host_timer timer;
	bool armed;
	u32 mode;	  /* APIC_LVT_TIMER_* */
	u32 divide;	  /* 1 to 128 */
	u64 period_ns;	  /* of the initial count; 0: stopped */
	u64 target_ns;	  /* next expiry */
	u64 tsc_deadline; /* guest TSC; 0: disarmed */
};

/*
 * What senders need to know to address this APIC, in one word so that they read it consistently:
 * the xAPIC ID in bits 7:0, the logical ID (LDR 31:24) in 15:8, and these.
 */
#define LAPIC_HW_ENABLED (1U << 16)
#define LAPIC_SW_ENABLED (1U << 17)
#define LAPIC_X2APIC (1U << 18)
#define LAPIC_FLAT (1U << 19)
#define LAPIC_CLUSTER (1U << 20)

#define LAPIC_EVENT_INIT 1U
#define LAPIC_EVENT_SIPI 2U

struct lapic {
	u32 regs[KVM_APIC_REG_SIZE / 4];
	struct vcpu *vcpu;
	u32 identity; /* atomic */
	u32 events;   /* atomic: LAPIC_EVENT_* */
	u32 sipi_vector;
	u32 errors; /* atomic: what the next write of ESR shows */
	u32 extint; /* atomic: an ExtINT message of the IOAPIC waits */
	u64 pv_eoi; /* MSR 4b564d04H */
	bool pv_eoi_armed; /* the guest may end the highest ISR bit by clearing its flag */
	struct lapic_timer timer;
};

static inline u32 lapic__reg(const struct lapic *lapic, unsigned reg)
{
	return __atomic_load_n(&lapic->regs[reg / 4], __ATOMIC_RELAXED);
}

static inline void lapic__set_reg(struct lapic *lapic, unsigned reg, u32 value)
{
	__atomic_store_n(&lapic->regs[reg / 4], value, __ATOMIC_RELAXED);
}

/* Word and bit of a vector in ISR, TMR or IRR: eight registers, 16 bytes apart. */
static inline u32 *lapic__vector_word(struct lapic *lapic, unsigned base, u8 vector)
{
	return &lapic->regs[base / 4 + vector / 32 * 4];
}

static inline bool lapic__test_vector(struct lapic *lapic, unsigned base, u8 vector)
{
	u32 word = __atomic_load_n(lapic__vector_word(lapic, base, vector), __ATOMIC_RELAXED);

	return word >> (vector % 32) & 1;
}

static inline u32 lapic__identity(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->identity, __ATOMIC_ACQUIRE);
}

/* lapic_irq.c: priorities, acceptance, end of interrupt. */
/* Highest vector in ISR or IRR, or -1. */
int lapic__highest(struct lapic *lapic, unsigned base);
u8 lapic__ppr(struct lapic *lapic);
/* Vector that could be delivered now, or -1. Any thread (an estimate, except on the owner's). */
int lapic__deliverable(struct lapic *lapic);
/* Takes a message; any thread. 1 if accepted, else 0. */
int lapic__accept(struct vcpu *vcpu, unsigned delivery, u8 vector, bool assert,
		  bool level_triggered);
/* Raises the interrupt of a local vector table entry; any thread. */
void lapic__raise_lvt(struct lapic *lapic, unsigned reg);
void lapic__raise_error(struct lapic *lapic, u32 error);
/* Makes the owner look for interrupts again if one became deliverable. Owner thread. */
void lapic__recheck(struct lapic *lapic);
void lapic__end_of_interrupt(struct lapic *lapic);
/* Whether the 8259's INTR reaches this vCPU (virtual wire through LINT0, or APIC disabled). */
bool lapic__accepts_pic(struct vcpu *vcpu);
/* Whether the vector is requested or in service. Any thread (an estimate). */
bool lapic__in_flight(struct vcpu *vcpu, u8 vector);

/* lapic_regs.c */
/* Reads a register at its 16-byte aligned offset. False: no such register. Owner thread. */
bool lapic__read(struct lapic *lapic, unsigned reg, u32 *value);
bool lapic__write(struct lapic *lapic, unsigned reg, u32 value);
/* The APIC page; false if the address is not in it. */
bool lapic__mmio_read(struct vcpu *vcpu, u64 gpa, unsigned size, void *data);
bool lapic__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data);
/* Computes `identity` again after ID, LDR, DFR, SVR or the APIC base changed. */
void lapic__publish(struct lapic *lapic);

/* lapic_ipi.c */
void lapic__send_ipi(struct lapic *lapic, u32 icr, u32 dest);

/* lapic_timer.c */
void lapic_timer__init(struct lapic *lapic);
void lapic_timer__destroy(struct lapic *lapic);
void lapic_timer__cancel(struct lapic *lapic);
/* LVT timer was written. */
void lapic_timer__mode_changed(struct lapic *lapic);
/* TMICT was written: starts the count down from `count` (the initial count, or what is left). */
void lapic_timer__start(struct lapic *lapic, u32 count);
/* TDCR was written: what is left of the running count is rescaled. */
void lapic_timer__divide_changed(struct lapic *lapic);
/* Takes mode and divide from registers that were set from outside, timer stopped. */
void lapic_timer__restore(struct lapic *lapic, u32 count);
u32 lapic_timer__current_count(struct lapic *lapic);

/* lapic_pv.c */
/* Takes up an EOI that the guest has made through its PV EOI flag, and disarms it. Owner thread. */
void lapic_pv__sync(struct lapic *lapic);

#endif
