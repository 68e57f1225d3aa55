/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local APIC in both modes, and the I/O APIC (82093AA data sheet). */
#include "tests/guests/lib/long/irq.h"

#define APIC_MMIO 0xfee00000UL
#define IOAPIC_MMIO 0xfec00000UL

static bool is_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & BIT64(10);
}

u32 apic__read(unsigned reg)
{
	if (is_x2apic())
		return rdmsr(MSR_X2APIC_FIRST + reg / 16);
	return *(volatile u32 *)(APIC_MMIO + reg);
}

void apic__write(unsigned reg, u32 value)
{
	if (is_x2apic())
		wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
	else
		*(volatile u32 *)(APIC_MMIO + reg) = value;
}

void apic__eoi(void)
{
	apic__write(APIC_EOI, 0);
}

u32 apic__id(void)
{
	return is_x2apic() ? apic__read(APIC_ID) : apic__read(APIC_ID) >> 24;
}

void apic__ipi(u32 destination, u32 command)
{
	if (is_x2apic()) {
		wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, (u64)destination << 32 | command);
		return;
	}
	apic__write(APIC_ICR_HIGH, destination << 24);
	apic__write(APIC_ICR, command);
	while (apic__read(APIC_ICR) & ICR_BUSY)
		pause();
}

bool apic__bit(unsigned bank, unsigned vector)
{
	return apic__read(bank + vector / 32 * 16) >> (vector % 32) & 1;
}

void apic__make_pending(unsigned vector)
{
	apic__ipi(0, ICR_SELF | ICR_ASSERT | vector);
	while (!apic__bit(APIC_IRR, vector))
		pause();
}

static void spurious(struct trap_frame *frame)
{
}

static void prepare(void)
{
	trap__handle(SPURIOUS_VECTOR, spurious);
	apic__write(APIC_SVR, 0x100 | SPURIOUS_VECTOR);
	apic__write(APIC_TPR, 0);
	apic__write(APIC_LVT_TIMER, LVT_MASKED);
	apic__write(APIC_LVT_LINT0, LVT_MASKED);
	apic__write(APIC_LVT_LINT1, LVT_MASKED);
}

void apic__enable(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	prepare();
}

void apic__enable_x2(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE | BIT64(10));
	prepare();
}

u32 ioapic__read(unsigned index)
{
	*(volatile u32 *)IOAPIC_MMIO = index;
	return *(volatile u32 *)(IOAPIC_MMIO + 16);
}

void ioapic__write(unsigned index, u32 value)
{
	*(volatile u32 *)IOAPIC_MMIO = index;
	*(volatile u32 *)(IOAPIC_MMIO + 16) = value;
}

void ioapic__route(unsigned pin, u64 entry)
{
	ioapic__write(0x10 + 2 * pin, IOAPIC_MASKED);
	ioapic__write(0x11 + 2 * pin, entry >> 32);
	ioapic__write(0x10 + 2 * pin, entry);
}

u64 ioapic__entry(unsigned pin)
{
	return ioapic__read(0x10 + 2 * pin) | (u64)ioapic__read(0x11 + 2 * pin) << 32;
}
