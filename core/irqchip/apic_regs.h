/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local APIC and IOAPIC register layouts (SDM vol. 3 ch. 11, tables 11-1 and 11-6; 82093AA). */
#ifndef CORE_IRQCHIP_APIC_REGS_H
#define CORE_IRQCHIP_APIC_REGS_H

#include "base/types.h"

/* Offsets in the xAPIC page; the x2APIC MSR is 800H + offset / 16. */
#define APIC_ID 0x020
#define APIC_VERSION 0x030
#define APIC_TPR 0x080
#define APIC_APR 0x090
#define APIC_PPR 0x0a0
#define APIC_EOI 0x0b0
#define APIC_LDR 0x0d0
#define APIC_DFR 0x0e0
#define APIC_SVR 0x0f0
#define APIC_ISR 0x100
#define APIC_TMR 0x180
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TMICT 0x380
#define APIC_TMCCT 0x390
#define APIC_TDCR 0x3e0
#define APIC_SELF_IPI 0x3f0

#define APIC_MMIO_SIZE 0x1000
#define APIC_NR_LVT 6
/* Integrated APIC, version 14H, and (user-space IOAPIC only) suppression of EOI broadcasts. */
#define APIC_VERSION_VALUE (0x14 | (APIC_NR_LVT - 1) << 16)
#define APIC_VERSION_DIRECTED_EOI (1U << 24)

#define APIC_SVR_ENABLED (1U << 8)
#define APIC_SVR_DIRECTED_EOI (1U << 12)

#define APIC_DFR_FLAT 0xffffffffU
#define APIC_DFR_CLUSTER 0x0fffffffU

/* Delivery mode: bits 10:8 of ICR, LVTs and redirection entries. */
enum apic_delivery {
	APIC_FIXED,
	APIC_LOWEST,
	APIC_SMI,
	APIC_REMOTE_READ, /* KVM's meaning: end the target's HLT (KVM_HC_KICK_CPU) */
	APIC_NMI,
	APIC_INIT,
	APIC_STARTUP,
	APIC_EXTINT,
};
#define APIC_DELIVERY(reg) ((reg) >> 8 & 7)

#define APIC_ICR_LOGICAL (1U << 11)
#define APIC_ICR_BUSY (1U << 12)
#define APIC_ICR_ASSERT (1U << 14)
#define APIC_ICR_LEVEL (1U << 15)
#define APIC_ICR_SHORTHAND(reg) ((reg) >> 18 & 3)
#define APIC_ICR_SHORTHAND_BITS (3U << 18)
/* Bits that must be 0 in a write of the x2APIC ICR. */
#define APIC_X2APIC_ICR_RESERVED 0xfff32000ULL

enum apic_shorthand { APIC_DEST_FIELD, APIC_DEST_SELF, APIC_DEST_ALL, APIC_DEST_OTHERS };

#define APIC_LVT_PENDING (1U << 12)
#define APIC_LVT_LEVEL (1U << 15)
#define APIC_LVT_MASKED (1U << 16)
#define APIC_LVT_TIMER_MODE (3U << 17)
#define APIC_LVT_TIMER_ONESHOT (0U << 17)
#define APIC_LVT_TIMER_PERIODIC (1U << 17)
#define APIC_LVT_TIMER_DEADLINE (2U << 17)

#define APIC_ESR_SEND_ILLEGAL_VECTOR (1U << 5)
#define APIC_ESR_RECEIVED_ILLEGAL_VECTOR (1U << 6)
#define APIC_ESR_ILLEGAL_ADDRESS (1U << 7)

#define APIC_BROADCAST 0xffU
#define APIC_X2APIC_BROADCAST 0xffffffffU

/* IA32_APIC_BASE, MSR 1BH. */
#define APIC_BASE_DEFAULT 0xfee00000ULL
#define APIC_BASE_BSP BIT64(8)
#define APIC_BASE_X2APIC BIT64(10)
#define APIC_BASE_ENABLED BIT64(11)
#define APIC_BASE_ADDRESS_MASK (~0xfffULL)

/* IOAPIC. */
#define IOAPIC_BASE 0xfec00000ULL
#define IOAPIC_MMIO_SIZE 0x100
#define IOAPIC_PINS 24
#define IOAPIC_VERSION_VALUE 0x11
#define IOAPIC_REG_ID 0
#define IOAPIC_REG_VERSION 1
#define IOAPIC_REG_ARB 2
#define IOAPIC_REG_REDIR 0x10

#define REDIR_VECTOR 0xffULL
#define REDIR_DELIVERY(e) ((unsigned)((e) >> 8) & 7)
#define REDIR_LOGICAL BIT64(11)
#define REDIR_STATUS BIT64(12)
#define REDIR_REMOTE_IRR BIT64(14)
#define REDIR_LEVEL BIT64(15)
#define REDIR_MASKED BIT64(16)

#endif
