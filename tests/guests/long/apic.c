/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt delivery: local APIC, its timer, 8259 pair, I/O APIC, HLT and the interrupt shadows
 * (SDM vol. 3, chapter 10; 8259A, 82093AA data sheets).
 */
#include "tests/guests/lib/long/irq.h"
#include "tests/guests/lib/long/mark.h"

#define LOW_VECTOR 0x41
#define HIGH_VECTOR 0x61
#define LEVEL_VECTOR 0x51
#define PIC_BASE 0x70

static volatile u32 count[256];
static unsigned order[16], ordered;
static u64 last_rip;
static bool no_eoi;

static void on_irq(struct trap_frame *f)
{
	count[f->vector]++;
	if (ordered < ARRAY_LENGTH(order))
		order[ordered++] = f->vector;
	last_rip = f->rip;
	if (!no_eoi)
		apic__eoi();
}

/* Interrupts on for the time of a few instructions. */
static void open_window(void)
{
	__asm__ volatile("sti; nop; nop; nop; cli" : : : "memory");
}

static void self_ipi(unsigned vector)
{
	apic__ipi(0, ICR_SELF | ICR_ASSERT | vector);
}

static void check_registers(void)
{
	check__true((apic__read(APIC_VERSION) & 0xf0) == 0x10, "integrated APIC version");
	check__true((apic__read(APIC_VERSION) >> 16 & 0xff) >= 4, "LVT entries");
	check__equal(apic__read(APIC_SVR), 0x100 | SPURIOUS_VECTOR, "SVR reads back");
	apic__write(APIC_TPR, 0x75);
	check__equal(apic__read(APIC_TPR), 0x75, "TPR reads back");
	check__equal(apic__read(APIC_PPR), 0x75, "PPR follows TPR");
	{
		u64 cr8;

		__asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
		check__equal(cr8, 7, "CR8 shows the class of TPR");
		__asm__ volatile("mov %0, %%cr8" : : "r"(5UL));
		check__equal(apic__read(APIC_TPR), 0x50, "CR8 sets TPR");
	}
	apic__write(APIC_TPR, 0);
	apic__write(APIC_LVT_ERROR, 0xffffffff);
	check__equal(apic__read(APIC_LVT_ERROR) & ~0x1000u, 0x100ff, "LVT error: bits that exist");
	apic__write(APIC_LVT_ERROR, LVT_MASKED);
	apic__write(APIC_LDR, 0xffffffff);
	check__equal(apic__read(APIC_LDR), 0xff000000, "LDR: bits that exist");
	apic__write(APIC_LDR, 0x01000000);
	check__equal(apic__read(APIC_DFR), 0xffffffff, "DFR is flat");
	check__equal(rdmsr(MSR_APIC_BASE) & 0xfffff900, 0xfee00900, "APIC base: BSP, enabled");
}

static void check_priorities(void)
{
	ordered = 0;
	self_ipi(LOW_VECTOR);
	self_ipi(HIGH_VECTOR);
	check__true(apic__bit(APIC_IRR, LOW_VECTOR), "IRR shows a pending interrupt");
	check__equal(count[LOW_VECTOR], 0, "nothing while IF is clear");
	open_window();
	check__equal(count[LOW_VECTOR], 1, "self-IPI arrives");
	check__equal(order[0] << 8 | order[1], HIGH_VECTOR << 8 | LOW_VECTOR,
		     "higher vector first");
	check__true(!apic__bit(APIC_IRR, LOW_VECTOR), "IRR is clear again");

	apic__write(APIC_TPR, LOW_VECTOR & 0xf0);
	self_ipi(LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], 1, "TPR holds its own class back");
	self_ipi(HIGH_VECTOR);
	open_window();
	check__equal(count[HIGH_VECTOR], 2, "TPR lets a higher class through");
	apic__write(APIC_TPR, 0);
	open_window();
	check__equal(count[LOW_VECTOR], 2, "lowering TPR lets it in");

	no_eoi = true;
	self_ipi(HIGH_VECTOR);
	open_window();
	check__equal(count[HIGH_VECTOR], 3, "without EOI: first arrives");
	check__true(apic__bit(APIC_ISR, HIGH_VECTOR), "ISR shows it");
	check__equal(apic__read(APIC_PPR), HIGH_VECTOR & 0xf0, "PPR is its class");
	self_ipi(HIGH_VECTOR);
	self_ipi(LOW_VECTOR);
	open_window();
	check__equal(count[HIGH_VECTOR] + count[LOW_VECTOR], 5, "the same and lower ones wait");
	no_eoi = false;
	apic__eoi();
	open_window();
	check__equal(count[HIGH_VECTOR] + count[LOW_VECTOR], 7, "EOI lets them in");
	check__equal(apic__read(APIC_PPR), 0, "PPR is 0 at the end");
	/* Two of the same vector become one. */
	self_ipi(LOW_VECTOR);
	self_ipi(LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], 4, "IRR holds one of each vector");
}

static void check_shadows(void)
{
	u32 before = count[LOW_VECTOR];

	self_ipi(LOW_VECTOR);
	__asm__ volatile("sti; cli; nop" : : : "memory");
	check__equal(count[LOW_VECTOR], before, "STI; CLI lets nothing in");
	__asm__ volatile(MARK "sti; nop; nop; cli" : : : MARK_CLOBBERS);
	check__equal(count[LOW_VECTOR], before + 1, "STI; NOP does");
	check__equal(last_rip - mark, 2, "behind the instruction that follows STI");
	self_ipi(LOW_VECTOR);
	__asm__ volatile("mov %%ss, %%ecx; pushf; orl $0x200, (%%rsp);" MARK
			 "popf; nop; cli" : : : MARK_CLOBBERS);
	check__equal(last_rip - mark, 1, "POPF has no shadow");
	self_ipi(LOW_VECTOR);
	__asm__ volatile("mov %%ss, %%ecx;" MARK "sti; mov %%ecx, %%ss; nop; nop; cli"
			 : : : MARK_CLOBBERS);
	check__true(last_rip - mark == 3 || last_rip - mark == 4, "STI; MOV SS");
}

static void check_icr(void)
{
	u32 before = count[LOW_VECTOR];

	apic__ipi(apic__id(), ICR_ASSERT | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 1, "IPI to the own physical ID");
	apic__ipi(1, ICR_LOGICAL | ICR_ASSERT | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 2, "IPI to the own logical ID");
	apic__ipi(2, ICR_LOGICAL | ICR_ASSERT | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 2, "IPI to another logical ID");
	apic__ipi(1, ICR_LOGICAL | ICR_LOWEST | ICR_ASSERT | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 3, "lowest-priority IPI");
	apic__ipi(0xff, ICR_ASSERT | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 4, "IPI to physical ID FFH: all");
	apic__ipi(0, ICR_ALL | ICR_ASSERT | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 5, "shorthand all");
	apic__ipi(0, ICR_OTHERS | ICR_ASSERT | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 5, "shorthand others leaves this one out");
	apic__write(APIC_ESR, 0);
	apic__write(APIC_ESR, 0);
	check__equal(apic__read(APIC_ESR), 0, "ESR clear");
}

static volatile unsigned nmi_depth, nmi_max, nmis;

static void on_nmi(struct trap_frame *f)
{
	nmis++;
	if (++nmi_depth > nmi_max)
		nmi_max = nmi_depth;
	if (nmis == 1) {
		apic__ipi(apic__id(), ICR_NMI | ICR_ASSERT);
		clock__wait_us(200);
	}
	nmi_depth--;
}

static void check_nmi(void)
{
	trap__handle(X86_NMI, on_nmi);
	apic__ipi(apic__id(), ICR_NMI | ICR_ASSERT);
	clock__wait_us(200);
	check__equal(nmis, 2, "NMIs arrive with IF clear");
	check__equal(nmi_max, 1, "NMIs are masked until IRET");
}

#define TIMER_VECTOR 0x45

static void check_timer(void)
{
	u32 start, later;

	apic__write(APIC_TIMER_DIVIDE, 0x3); /* by 16 */
	apic__write(APIC_LVT_TIMER, LVT_MASKED | TIMER_VECTOR);
	apic__write(APIC_TIMER_INITIAL, 0x10000000);
	start = apic__read(APIC_TIMER_COUNT);
	clock__wait_us(1000);
	later = apic__read(APIC_TIMER_COUNT);
	check__true(later < start && start <= 0x10000000, "timer counts down");
	apic__write(APIC_TIMER_INITIAL, 0);
	check__equal(apic__read(APIC_TIMER_COUNT), 0, "initial count 0 stops it");
	apic__write(APIC_TIMER_INITIAL, 1000);
	clock__wait_us(1000);
	open_window();
	check__equal(count[TIMER_VECTOR], 0, "masked timer is silent");

	apic__write(APIC_LVT_TIMER, TIMER_VECTOR);
	apic__write(APIC_TIMER_INITIAL, 10000);
	check__true(clock__wait_change(&count[TIMER_VECTOR], 0, 1000), "one-shot fires");
	check__true(!clock__wait_change(&count[TIMER_VECTOR], 1, 10), "one-shot fires once");
	check__equal(apic__read(APIC_TIMER_COUNT), 0, "one-shot count is 0 after");

	apic__write(APIC_LVT_TIMER, LVT_PERIODIC | TIMER_VECTOR);
	apic__write(APIC_TIMER_INITIAL, 20000);
	for (start = 1; start < 6; start++)
		if (!clock__wait_change(&count[TIMER_VECTOR], start, 1000))
			break;
	check__equal(start, 6, "periodic timer goes on");
	apic__write(APIC_LVT_TIMER, LVT_MASKED);
	apic__write(APIC_TIMER_INITIAL, 0);
	open_window();
}

static void check_tsc_deadline(void)
{
	u32 before;

	if (!cpu__has(1, 0, 2, 24)) {
		check__skip("not in CPUID", "TSC deadline");
		return;
	}
	apic__write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | TIMER_VECTOR);
	before = count[TIMER_VECTOR];
	/* So far away that a host with other things to do does not reach it meanwhile. */
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 100000 * clock__tsc_per_ms());
	check__true(rdmsr(MSR_TSC_DEADLINE) != 0, "deadline reads back");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + clock__tsc_per_ms());
	check__true(clock__wait_change(&count[TIMER_VECTOR], before, 1000), "TSC deadline fires");
	check__equal(rdmsr(MSR_TSC_DEADLINE), 0, "and is 0 then");
	wrmsr(MSR_TSC_DEADLINE, 1);
	check__true(clock__wait_change(&count[TIMER_VECTOR], before + 1, 100),
		    "a deadline in the past fires at once");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 200 * clock__tsc_per_ms());
	wrmsr(MSR_TSC_DEADLINE, 0);
	check__true(!clock__wait_change(&count[TIMER_VECTOR], before + 2, 250), "0 disarms it");
	apic__write(APIC_LVT_TIMER, LVT_MASKED);
	wrmsr(MSR_TSC_DEADLINE, 0);
}

static void check_halt(void)
{
	u32 before = count[TIMER_VECTOR];

	apic__write(APIC_LVT_TIMER, TIMER_VECTOR);
	apic__write(APIC_TIMER_INITIAL, 100000);
	__asm__ volatile(MARK "sti; hlt; cli" : : : MARK_CLOBBERS);
	check__equal(count[TIMER_VECTOR], before + 1, "HLT ends with an interrupt");
	check__equal(last_rip - mark, 2, "RIP behind HLT");
	/* An interrupt that is pending already: HLT must not sleep through it. */
	self_ipi(LOW_VECTOR);
	__asm__ volatile("sti; hlt; cli" : : : "memory");
	check__true(true, "HLT with an interrupt pending");
}

/* ---- the 8259 pair ---- */

static volatile u32 pic_irqs;

static void on_pic_irq(struct trap_frame *f)
{
	pic_irqs++;
	last_rip = f->rip;
	out8(0x20, 0x20);
}

static void check_pic(void)
{
	trap__handle(PIC_BASE, on_pic_irq);
	pic__start(PIC_BASE, 0xfffe);
	check__equal(in8(0x21), 0xfe, "PIC mask reads back");
	apic__write(APIC_LVT_LINT0, LVT_EXTINT);
	pit__start(0, 2, 2000);
	check__true(clock__wait_change(&pic_irqs, 0, 1000), "IRQ 0 through PIC and LINT0");
	check__true(clock__wait_change(&pic_irqs, pic_irqs, 1000), "and again: periodic");
	check__true(!apic__bit(APIC_ISR, PIC_BASE), "ExtINT leaves the ISR alone");
	out8(0x21, 0xff);
	open_window();
	pic_irqs = 0;
	check__true(!clock__wait_change(&pic_irqs, 0, 20), "masked in the PIC");
	out8(0x20, 0x0a);
	check__equal(in8(0x20) & 1, 1, "IRR shows the masked request");
	out8(0x21, 0xfe);
	open_window();
	check__true(pic_irqs >= 1, "unmasking delivers it");
	/* The PIC is quiet meanwhile: QEMU takes vector -1 if its request goes away with the mask. */
	out8(0x21, 0xff);
	open_window();
	apic__write(APIC_LVT_LINT0, LVT_MASKED | LVT_EXTINT);
	out8(0x21, 0xfe);
	pic_irqs = 0;
	check__true(!clock__wait_change(&pic_irqs, 0, 20), "masked in LINT0");
	out8(0x21, 0xff);
	/* In service: seen through OCW3, ended by EOI. */
	pit__start(0, 0, 100);
	clock__wait_us(1000);
}

/* ---- I/O APIC ---- */

#define PIT_PIN 2
#define COM1_PIN 4
#define COM1 0x3f8

static volatile u32 levels;
static bool remote_irr;

static void on_level(struct trap_frame *f)
{
	levels++;
	remote_irr = ioapic__entry(COM1_PIN) & IOAPIC_REMOTE_IRR;
	/* The first time the source stays up. */
	if (levels == 2)
		out8(COM1 + 1, 0);
	apic__eoi();
}

static void check_ioapic(void)
{
	u32 before = count[HIGH_VECTOR];

	check__equal(ioapic__read(1) >> 16 & 0xff, 23, "I/O APIC has 24 pins");
	ioapic__write(0x10 + 2 * 9, 0xffffffff);
	check__equal(ioapic__read(0x10 + 2 * 9) & 0x1afff, 0x1afff,
		     "redirection entry: bits that exist");
	ioapic__route(9, IOAPIC_MASKED);

	ioapic__route(PIT_PIN, (u64)apic__id() << 56 | HIGH_VECTOR);
	pit__start(0, 2, 2000);
	check__true(clock__wait_change(&count[HIGH_VECTOR], before, 1000), "edge from the PIT");
	check__true(clock__wait_change(&count[HIGH_VECTOR], count[HIGH_VECTOR], 1000), "and again");
	ioapic__route(PIT_PIN, IOAPIC_MASKED | HIGH_VECTOR);
	open_window();
	before = count[HIGH_VECTOR];
	check__true(!clock__wait_change(&count[HIGH_VECTOR], before, 20), "masked pin");
	pit__start(0, 0, 0);

	/* Level: the UART's transmitter-empty interrupt. */
	trap__handle(LEVEL_VECTOR, on_level);
	out8(COM1 + 4, 0x0b);
	out8(COM1 + 1, 0);
	ioapic__route(COM1_PIN, (u64)apic__id() << 56 | IOAPIC_LEVEL | LEVEL_VECTOR);
	check__true(!clock__wait_change(&levels, 0, 5), "level pin: silent while low");
	out8(COM1 + 1, 2);
	clock__wait_change(&levels, 0, 1000);
	clock__wait_change(&levels, 1, 1000);
	check__equal(levels, 2, "level pin: again after EOI while it is high");
	check__true(remote_irr, "remote IRR in the handler");
	check__true(!clock__wait_change(&levels, 2, 10), "level pin: silent when low again");
	check__equal(ioapic__entry(COM1_PIN) & IOAPIC_REMOTE_IRR, 0, "remote IRR clear after EOI");
	ioapic__route(COM1_PIN, IOAPIC_MASKED);
	out8(COM1 + 4, 3);
	out8(COM1 + 1, 0);
}

static void check_software_disable(void)
{
	u32 before = count[LOW_VECTOR];

	apic__write(APIC_LVT_TIMER, TIMER_VECTOR);
	apic__write(APIC_SVR, SPURIOUS_VECTOR);
	check__equal(apic__read(APIC_LVT_TIMER) & LVT_MASKED, LVT_MASKED,
		     "software disable masks the LVT");
	apic__write(APIC_LVT_TIMER, TIMER_VECTOR);
	check__equal(apic__read(APIC_LVT_TIMER) & LVT_MASKED, LVT_MASKED,
		     "the LVT stays masked while disabled");
	apic__write(APIC_SVR, 0x100 | SPURIOUS_VECTOR);
	apic__write(APIC_LVT_TIMER, LVT_MASKED);
	self_ipi(LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 1, "enabled again");
}

static void check_x2apic(void)
{
	u32 before;

	if (!cpu__has(1, 0, 2, 21)) {
		check__skip("not in CPUID", "x2APIC");
		return;
	}
	check__equal(trap__code(TRY(rdmsr(0x802))), TRAP(X86_GP, 0), "x2APIC MSR in xAPIC mode");
	apic__enable_x2();
	check__equal(rdmsr(0x802), 0, "x2APIC ID");
	check__equal(rdmsr(0x80d), 1, "x2APIC LDR: cluster 0, bit 0");
	check__equal(trap__code(TRY(rdmsr(0x80e))), TRAP(X86_GP, 0), "no DFR in x2APIC mode");
	check__equal(trap__code(TRY(wrmsr(0x802, 1))), TRAP(X86_GP, 0), "ID is read-only");
	check__equal(trap__code(TRY(wrmsr(0x808, 0x100))), TRAP(X86_GP, 0), "TPR reserved bits");
	check__equal(trap__code(TRY(wrmsr(0x80b, 1))), TRAP(X86_GP, 0), "EOI must be 0");
	check__equal(trap__code(TRY(wrmsr(MSR_APIC_BASE, APIC_BASE_DEFAULT | APIC_BASE_ENABLE |
								 APIC_BASE_BSP))),
		     TRAP(X86_GP, 0), "x2APIC to xAPIC directly");
	before = count[LOW_VECTOR];
	wrmsr(0x83f, LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 1, "SELF IPI");
	wrmsr(0x830, ICR_SELF | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 2, "ICR of 64 bits");
	wrmsr(0x830, 1ULL << 32 | ICR_LOGICAL | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 3, "logical x2APIC destination");
	wrmsr(0x830, 0xffffffffULL << 32 | LOW_VECTOR);
	open_window();
	check__equal(count[LOW_VECTOR], before + 4, "x2APIC broadcast");
	check_timer();
	wrmsr(MSR_APIC_BASE, APIC_BASE_DEFAULT | APIC_BASE_BSP);
	check__equal(trap__code(TRY(wrmsr(MSR_APIC_BASE, APIC_BASE_DEFAULT | BIT64(10) |
								 APIC_BASE_BSP))),
		     TRAP(X86_GP, 0), "EXTD without EN");
	check__true(!cpu__has(1, 0, 3, 9), "CPUID tells that the APIC is off");
	apic__enable();
	check__true(cpu__has(1, 0, 3, 9), "CPUID tells that the APIC is on");
}

int main(void)
{
	unsigned vector;

	for (vector = 0x40; vector < 0x70; vector++)
		trap__handle(vector, on_irq);
	apic__enable();
	clock__tsc_per_ms();
	check_registers();
	check_priorities();
	check_shadows();
	check_icr();
	check_nmi();
	check_timer();
	check_tsc_deadline();
	check_halt();
	check_pic();
	check_ioapic();
	check_software_disable();
	memset((void *)count, 0, sizeof(count));
	check_x2apic();
	return 0;
}
