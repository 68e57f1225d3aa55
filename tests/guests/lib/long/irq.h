/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt controllers, timers, and the other CPUs. */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "tests/guests/lib/long/machine.h"

/* Local APIC registers by their xAPIC offset; x2APIC MSR 0x800 + offset / 16. */
#define APIC_ID 0x20
#define APIC_VERSION 0x30
#define APIC_TPR 0x80
#define APIC_PPR 0xa0
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_TMR 0x180
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_PERF 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_COUNT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_SELF_IPI 0x3f0

#define LVT_MASKED 0x10000
#define LVT_PERIODIC 0x20000
#define LVT_TSC_DEADLINE 0x40000
#define LVT_EXTINT 0x700
#define LVT_NMI 0x400

#define ICR_INIT 0x500
#define ICR_SIPI 0x600
#define ICR_NMI 0x400
#define ICR_LOWEST 0x100
#define ICR_LOGICAL 0x800
#define ICR_BUSY 0x1000
#define ICR_ASSERT 0x4000
#define ICR_LEVEL 0x8000
#define ICR_SELF 0x40000
#define ICR_ALL 0x80000
#define ICR_OTHERS 0xc0000

#define SPURIOUS_VECTOR 0xff

void apic__enable(void);	/* software enable with SPURIOUS_VECTOR, TPR 0, LVTs masked */
void apic__enable_x2(void);
u32 apic__read(unsigned reg);
void apic__write(unsigned reg, u32 value);
void apic__eoi(void);
u32 apic__id(void);
/* Waits until delivered (xAPIC). */
void apic__ipi(u32 destination, u32 command);
bool apic__bit(unsigned bank, unsigned vector); /* of APIC_ISR, APIC_TMR, APIC_IRR */
/* Sends it to this CPU, where interrupts are off, and waits until it is pending. */
void apic__make_pending(unsigned vector);

u32 ioapic__read(unsigned index);
void ioapic__write(unsigned index, u32 value);
void ioapic__route(unsigned pin, u64 entry);
u64 ioapic__entry(unsigned pin);
#define IOAPIC_LEVEL 0x8000
#define IOAPIC_LOW 0x2000
#define IOAPIC_REMOTE_IRR 0x4000
#define IOAPIC_MASKED 0x10000

void pic__start(u8 base, u16 mask); /* vectors base .. base + 15; mask: 1 = off, 16 lines */
void pit__start(unsigned channel, unsigned mode, u16 count);
u16 pit__count(unsigned channel); /* latched */

u64 clock__tsc_per_ms(void); /* measured against the PIT once */
void clock__wait_us(u64 us);
/* Waits, with interrupts on, until *counter differs from old; false after ms. */
bool clock__wait_change(const volatile u32 *counter, u32 old, unsigned ms);

/* Starts the other CPUs with INIT and SIPI: how many CPUs there are now, this one included. */
unsigned smp__start(void);
/* Runs fn(arg) on a CPU (1 ..); smp__wait() waits until it is done. */
void smp__run(unsigned cpu, void (*fn)(u64), u64 arg);
void smp__wait(unsigned cpu);
u32 smp__apic_id(unsigned cpu);
/* fn(CPU) on all CPUs that are up, this one included; returns when all are done. */
void smp__run_all(void (*fn)(u64));
/* All CPUs meet, within smp__run_all(). */
void smp__meet(void);
/*
 * Has all other CPUs call fn(arg) from an interrupt handler and waits until they have. Several CPUs
 * may do this at once, with interrupts on. Vectors SMP_CALL_VECTOR to SMP_CALL_VECTOR + 7 are its own.
 */
void smp__call_others(void (*fn)(u64), u64 arg);
#define SMP_CALL_VECTOR 0xe0

#endif
