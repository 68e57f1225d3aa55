/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time: the 8254 in all modes with port 61H (Intel 231164), the MC146818 clock, the TSC, kvmclock,
 * and CPUs that sleep. Nothing depends on how fast the host is.
 */
#include "tests/guests/lib/long/irq.h"

#define CPUS 4
#define PIT_HZ 1193182
#define TIMER_VECTOR 0x45
#define RTC_VECTOR 0x58
#define PIC_BASE 0x70

static u64 now_us(void)
{
	return rdtsc() * 1000 / clock__tsc_per_ms();
}

/* ---- 8254 ---- */

static void set_gate(bool on)
{
	out8(0x61, on);
}

static bool output(void)
{
	return in8(0x61) >> 5 & 1;
}

/* Waits until the output is as wanted. */
static bool wait_output(bool level, unsigned ms)
{
	u64 end = now_us() + ms * 1000;

	while (output() != level)
		if (now_us() > end)
			return false;
	return true;
}

static u8 read_status(unsigned channel)
{
	out8(0x43, 0xe0 | 2 << channel);
	return in8(0x40 + channel);
}

static void check_gate(void)
{
	u16 first, second;

	out8(0x61, 0);
	check__equal(in8(0x61) & 0xc3, 0, "port 61H: gate and speaker off");
	out8(0x61, 3);
	check__equal(in8(0x61) & 0xc3, 3, "port 61H: gate and speaker on");
	out8(0x61, 0xf2);
	check__equal(in8(0x61) & 0xc3, 2, "port 61H: other bits are read-only");
	{
		u8 seen = 0;
		u64 end = now_us() + 1000000;

		while (seen != 3 && now_us() < end)
			seen |= in8(0x61) & 0x10 ? 1 : 2;
		check__equal(seen, 3, "port 61H: the refresh bit toggles");
	}
	set_gate(false);
	pit__start(2, 0, 0x8000);
	first = pit__count(2);
	clock__wait_us(500);
	check__equal(pit__count(2), first, "mode 0: no gate, no counting");
	check__equal(first, 0x8000, "mode 0: the count that was loaded");
	check__equal(output(), 0, "mode 0: output low");
	set_gate(true);
	clock__wait_us(500);
	set_gate(false);
	first = pit__count(2);
	clock__wait_us(500);
	second = pit__count(2);
	check__true(first < 0x8000, "mode 0: counts down");
	check__equal(second, first, "mode 0: the gate stops it");
	set_gate(true);
	check__true(wait_output(true, 2000), "mode 0: output rises at the end");
	clock__wait_us(500);
	set_gate(false);
	check__true(output(), "mode 0: output stays high");
	out8(0x43, 0xb0);
	check__true(!output(), "mode 0: the control word lowers it");
	check__equal(read_status(2) & 0x40, 0x40, "null count until a count is there");
}

static void check_modes(void)
{
	unsigned i, above, below, rises;
	u16 count, last;
	bool level;

	/* 1: one shot by the gate's edge. */
	set_gate(false);
	pit__start(2, 1, 6000);
	check__true(output(), "mode 1: output high before the trigger");
	clock__wait_us(8000);
	check__true(output(), "mode 1: and stays so");
	for (i = 0; i < 3; i++) {
		pit__start(2, 1, 60000);
		set_gate(false);
		set_gate(true);
		level = output();
		if (!level)
			break;
	}
	check__true(!level, "mode 1: low after the trigger");
	check__true(wait_output(true, 2000), "mode 1: high at the end");
	clock__wait_us(1000);
	check__true(output(), "mode 1: once");
	for (i = 0; i < 3 && output(); i++) {
		set_gate(false);
		set_gate(true);
	}
	check__true(!output(), "mode 1: triggered again");

	/* 2: rate generator. */
	set_gate(true);
	pit__start(2, 2, 1000);
	for (i = above = below = rises = 0, last = 1000; i < 2000; i++) {
		count = pit__count(2);
		above += count > 1000;
		below += count == 0;
		rises += count > last;
		last = count;
		if (!(i & 15))
			clock__wait_us(20);
	}
	check__equal(above + below, 0, "mode 2: counts from N to 1");
	check__true(rises > 0, "mode 2: starts again");
	set_gate(false);
	check__true(output(), "mode 2: the gate raises the output");
	set_gate(true);

	/* 3: square wave; it steps by two. */
	pit__start(2, 3, 20000);
	for (i = above = below = 0; i < 500; i++) {
		count = pit__count(2);
		above += count > 20000;
		below += count & 1;
	}
	check__equal(above, 0, "mode 3: never above N");
	check__equal(below, 0, "mode 3: even counts");
	check__true(wait_output(false, 1000) && wait_output(true, 1000) && wait_output(false, 1000),
		    "mode 3: output goes up and down");
	set_gate(false);
	check__true(output(), "mode 3: the gate raises the output");

	/* 4 and 5: strobes, high but for one clock. */
	pit__start(2, 4, 1000);
	count = pit__count(2);
	clock__wait_us(100);
	check__equal(pit__count(2), count, "mode 4: the gate stops it");
	set_gate(true);
	check__true(output(), "mode 4: output high");
	clock__wait_us(2000);
	check__true(output(), "mode 4: output high at the end");
	check__true(pit__count(2) != count, "mode 4: counts");
	pit__start(2, 5, 50000);
	set_gate(false);
	set_gate(true);
	clock__wait_us(100);
	check__true(pit__count(2) < 50000, "mode 5: counts after the trigger");
	check__true(output(), "mode 5: output high");
	check__equal(read_status(2) & 0x3f, 0x30 | 5 << 1, "mode 5: status");
	pit__start(2, 6, 1000);
	check__equal(read_status(2) & 0x0e, 2 << 1, "mode 6 is mode 2");
}

static void check_access(void)
{
	u16 first, second;
	u8 status, low;
	unsigned i, wrong;

	set_gate(false);
	/* Low byte alone, high byte alone. */
	out8(0x43, 0x90);
	out8(0x42, 0x34);
	check__equal(in8(0x42), 0x34, "low byte alone");
	check__equal(in8(0x42), 0x34, "low byte alone, again");
	out8(0x43, 0xa0);
	out8(0x42, 0x12);
	check__equal(in8(0x42), 0x12, "high byte alone");
	pit__start(2, 0, 0x1234);
	check__equal(in8(0x42), 0x34, "both bytes: low");
	check__equal(in8(0x42), 0x12, "both bytes: high");

	/* The first latch holds. */
	pit__start(2, 0, 0xfff0);
	out8(0x43, 0x80);
	set_gate(true);
	clock__wait_us(1000);
	out8(0x43, 0x80);
	low = in8(0x42);
	first = low | in8(0x42) << 8;
	check__equal(first, 0xfff0, "a second latch changes nothing");
	second = pit__count(2);
	check__true(second < 0xfff0, "the next latch does");

	/* Read-back: status first, then the count. */
	pit__start(2, 2, 0x4000);
	out8(0x43, 0xc8);
	status = in8(0x42);
	low = in8(0x42);
	first = low | in8(0x42) << 8;
	check__equal(status & 0x7f, 0x34, "read-back: status");
	check__true(first <= 0x4000 && first, "read-back: count behind it");
	out8(0x43, 0xce); /* all three */
	check__equal(in8(0x42) & 0x3f, 0x34, "read-back of all: channel 2");
	in8(0x42);
	in8(0x42);
	in8(0x40);
	in8(0x40);
	in8(0x40);
	in8(0x41);

	/* BCD. */
	out8(0x43, 0xb5);
	out8(0x42, 0x00);
	out8(0x42, 0x02);
	for (i = wrong = 0; i < 300; i++) {
		first = pit__count(2);
		wrong += (first & 15) > 9 || (first >> 4 & 15) > 9 || first > 0x200 || !first;
	}
	check__equal(wrong, 0, "BCD counts");
	/* 0 is the largest count. */
	set_gate(false);
	pit__start(2, 0, 0);
	check__equal(pit__count(2), 0, "count 0");
	set_gate(true);
	clock__wait_us(200);
	check__true(pit__count(2) > 0x1000 && !output(), "count 0 is 65536");
}

/* A reading of two clocks at one time: false if the host was too slow about it. */
static bool read_both(u64 *tsc, u32 *pit)
{
	u64 before = rdtsc(), after;

	*pit = pit__count(2);
	after = rdtsc();
	*tsc = before + (after - before) / 2;
	return after - before < clock__tsc_per_ms() / 30;
}

static void check_rates(void)
{
	u64 tsc[3], ratio[2], worst;
	u32 pit[3];
	unsigned try, i;
	bool good = false;

	set_gate(true);
	for (try = 0; try < 200 && !good; try++) {
		pit__start(2, 0, 0xffff);
		if (!read_both(&tsc[0], &pit[0]))
			continue;
		clock__wait_us(2000);
		if (!read_both(&tsc[1], &pit[1]))
			continue;
		clock__wait_us(4000);
		if (!read_both(&tsc[2], &pit[2]) || output())
			continue;
		for (i = 0; i < 2; i++)
			ratio[i] = (tsc[i + 1] - tsc[i]) * 1000 / (pit[i] - pit[i + 1]);
		worst = ratio[0] > ratio[1] ? ratio[0] - ratio[1] : ratio[1] - ratio[0];
		good = worst < ratio[0] / 20;
	}
	check__true(good, "PIT and TSC keep their ratio");
}

static volatile u32 ticks[MAX_CPUS];

static void on_tick(struct trap_frame *f)
{
	ticks[cpu__index()]++;
	apic__eoi();
}

static void check_pit_interrupts(void)
{
	u64 start, us;
	unsigned i;

	trap__handle(TIMER_VECTOR, on_tick);
	pit__start(0, 2, PIT_HZ / 1000);
	ioapic__route(2, (u64)apic__id() << 56 | TIMER_VECTOR);
	start = now_us();
	for (i = 0, ticks[0] = 0; i < 20; i++) {
		u32 before = ticks[0];

		while (ticks[0] == before)
			__asm__ volatile("sti; hlt; cli" : : : "memory");
	}
	us = now_us() - start;
	/* Late ones may come in a row, but 20 interrupts are not over before 19 periods. */
	check__true(us > 10000, "20 PIT interrupts in HLT take their time");
	pit__start(0, 0, 2000);
	ticks[0] = 0;
	enable_interrupts();
	clock__wait_us(20000);
	disable_interrupts();
	check__true(ticks[0] <= 2, "mode 0 interrupts once");
	ioapic__route(2, IOAPIC_MASKED);
}

/* ---- real-time clock ---- */

#define B_SET 0x80
#define B_PIE 0x40
#define B_AIE 0x20
#define B_UIE 0x10
#define B_BINARY 4
#define B_24H 2

static u8 rtc_read(u8 index)
{
	out8(0x70, index);
	return in8(0x71);
}

static void rtc_write(u8 index, u8 value)
{
	out8(0x70, index);
	out8(0x71, value);
}

static volatile u32 rtc_irqs, rtc_flags;
static bool leave_flags;

static void on_rtc(struct trap_frame *f)
{
	if (!leave_flags)
		rtc_flags |= rtc_read(0xc);
	rtc_irqs++;
	apic__eoi();
}

static void on_rtc_pic(struct trap_frame *f)
{
	rtc_flags |= rtc_read(0xc);
	rtc_irqs++;
	out8(0xa0, 0x20);
	out8(0x20, 0x20);
}

static void check_rtc_periodic(void)
{
	unsigned i;

	trap__handle(RTC_VECTOR, on_rtc);
	rtc_write(0xb, B_24H);
	rtc_read(0xc);
	check__equal(rtc_read(0xd), 0x80, "RTC: valid");
	ioapic__route(8, (u64)apic__id() << 56 | RTC_VECTOR);
	rtc_write(0xa, 0x26);
	check__equal(rtc_read(0xa) & 0x7f, 0x26, "RTC: rate reads back");
	check__true(!clock__wait_change(&rtc_irqs, 0, 10), "RTC: silent without PIE");
	rtc_write(0xb, B_24H | B_PIE);
	for (i = 0; i < 20; i++)
		if (!clock__wait_change(&rtc_irqs, i, 1000))
			break;
	check__equal(i, 20, "RTC: periodic interrupts");
	check__equal(rtc_flags & 0xe0, 0xc0, "RTC: IRQF and PF");
	/* Unread flags hold the line: no edge. */
	leave_flags = true;
	clock__wait_change(&rtc_irqs, rtc_irqs, 1000);
	i = rtc_irqs;
	check__true(!clock__wait_change(&rtc_irqs, i, 20), "RTC: no more until register C is read");
	leave_flags = false;
	check__equal(rtc_read(0xc) & 0xc0, 0xc0, "RTC: register C");
	check__true(clock__wait_change(&rtc_irqs, i, 1000), "RTC: then again");
	rtc_write(0xb, B_24H);
	rtc_read(0xc);
	enable_interrupts();
	disable_interrupts();
	i = rtc_irqs;
	check__true(!clock__wait_change(&rtc_irqs, i, 10), "RTC: off");
	ioapic__route(8, IOAPIC_MASKED);

	/* The same through the second 8259. */
	trap__handle(PIC_BASE + 8, on_rtc_pic);
	pic__start(PIC_BASE, 0xfefb);
	apic__write(APIC_LVT_LINT0, LVT_EXTINT);
	rtc_write(0xb, B_24H | B_PIE);
	for (i = rtc_irqs = 0; i < 5; i++)
		if (!clock__wait_change(&rtc_irqs, i, 1000))
			break;
	check__equal(i, 5, "RTC through the second 8259");
	rtc_write(0xb, B_24H);
	rtc_read(0xc);
	pic__start(PIC_BASE, 0xffff);
	apic__write(APIC_LVT_LINT0, LVT_MASKED);
}

static void check_rtc_update(void)
{
	u64 end = now_us() + 15000000;
	bool up = false, down = false;
	u8 before, after;

	before = rtc_read(0);
	while (!up && now_us() < end)
		up = rtc_read(0xa) & 0x80;
	end = now_us() + 100000;
	while (!down && now_us() < end)
		down = !(rtc_read(0xa) & 0x80);
	after = rtc_read(0);
	/* It is up for a quarter of a millisecond a second. */
	check__true(up, "RTC: UIP is seen");
	check__true(down, "RTC: UIP ends");
	check__true(before != after, "RTC: the seconds have moved on");
}

struct rtc_time {
	u8 second, minute, hour, day, month, year, century;
};

static const u8 rtc_index[] = { 0, 2, 4, 7, 8, 9, 0x32 };

static void rtc_set(const struct rtc_time *t, u8 mode)
{
	const u8 *value = (const u8 *)t;
	unsigned i;

	rtc_write(0xb, B_SET | mode);
	for (i = 0; i < sizeof(rtc_index); i++)
		rtc_write(rtc_index[i], value[i]);
	rtc_write(6, 1);
	rtc_write(0xb, mode);
}

static void check_rtc_time(const char *name, const struct rtc_time *from, const struct rtc_time *to,
			   u8 mode)
{
	u8 want[7], got[7];
	unsigned i;
	u64 end;

	memcpy(want, to, 7);
	/* The alarm is for the moment behind the turn. */
	rtc_set(from, mode);
	rtc_write(1, to->second);
	rtc_write(3, to->minute);
	rtc_write(5, to->hour);
	rtc_read(0xc);
	rtc_flags = 0;
	rtc_irqs = 0;
	ioapic__route(8, (u64)apic__id() << 56 | RTC_VECTOR);
	rtc_write(0xb, mode | B_AIE);
	clock__wait_change(&rtc_irqs, 0, 3000);
	for (i = 0; i < 7; i++)
		got[i] = rtc_read(rtc_index[i]);
	check__equal(rtc_flags & 0xa0, 0xa0, "RTC, %s: alarm", name);
	/* A slow host may come late by seconds. */
	got[0] = got[0] < 5 ? want[0] : got[0];
	check__true(!memcmp(got, want, 7), "RTC, %s: %x-%x-%x %x:%x:%x", name, got[5], got[4],
		    got[3], got[2], got[1], got[0]);
	rtc_write(0xb, mode | B_UIE);
	rtc_flags = 0;
	end = now_us() + 3000000;
	enable_interrupts();
	while (!(rtc_flags & 0x10) && now_us() < end)
		__asm__ volatile("hlt");
	disable_interrupts();
	check__equal(rtc_flags & 0x90, 0x90, "RTC, %s: update interrupt", name);
	rtc_write(0xb, mode);
	rtc_read(0xc);
	ioapic__route(8, IOAPIC_MASKED);
}

static void check_rtc(void)
{
	static const struct rtc_time bcd_from = { 0x59, 0x59, 0x23, 0x31, 0x12, 0x99, 0x19 },
				     bcd_to = { 0, 0, 0, 1, 1, 0, 0x20 },
				     leap_from = { 59, 59, 0x80 | 11, 28, 2, 24, 20 },
				     leap_to = { 0, 0, 12, 29, 2, 24, 20 };
	u8 second;

	check_rtc_periodic();
	check_rtc_update();
	rtc_write(0xb, B_SET | B_24H | B_UIE);
	check__equal(rtc_read(0xb) & B_UIE, 0, "RTC: SET clears UIE");
	second = rtc_read(0);
	rtc_write(0, 0x33);
	check__equal(rtc_read(0), 0x33, "RTC: SET: written registers read back");
	rtc_write(0, second);
	rtc_write(0xb, B_24H);
	check_rtc_time("turn of the century, BCD", &bcd_from, &bcd_to, B_24H);
	check_rtc_time("leap day at midnight, binary, 12 hours", &leap_from, &leap_to, B_BINARY);
	/* Plain memory. */
	rtc_write(0x40, 0xa5);
	rtc_write(0x41, 0x5a);
	check__equal(rtc_read(0x40) << 8 | rtc_read(0x41), 0xa55a, "CMOS memory");
}

/* ---- TSC ---- */

static volatile u32 aux_seen[MAX_CPUS], early[MAX_CPUS], slept[MAX_CPUS];

static u32 rdtscp_aux(void)
{
	u32 aux;

	__asm__ volatile("rdtscp" : "=c"(aux) : : "eax", "edx");
	return aux;
}

static void read_aux(u64 cpu)
{
	wrmsr(0xc0000103, 0x100 + cpu);
	clock__wait_us(500);
	aux_seen[cpu] = rdtscp_aux();
}

static void user_rdtsc(u64 arg)
{
	rdtsc();
}

static void check_tsc(void)
{
	unsigned i, wrong;
	u64 last = rdtsc();

	for (i = wrong = 0; i < 20000; i++) {
		u64 now = rdtsc();

		wrong += now <= last && now != last;
		last = now;
	}
	check__equal(wrong, 0, "TSC never goes back");
	write_cr4(read_cr4() | CR4_TSD);
	check__equal(trap__code(user__call(user_rdtsc, 0)), TRAP(X86_GP, 0), "TSD: RDTSC at CPL 3");
	check__equal(TRY(rdtsc()), NO_TRAP, "TSD: RDTSC at CPL 0");
	write_cr4(read_cr4() & ~CR4_TSD);
	check__equal(trap__code(user__call(user_rdtsc, 0)), TRAP(NO_TRAP, 0), "RDTSC at CPL 3");
	if (!cpu__has(0x80000001, 0, 3, 27)) {
		check__skip("not in CPUID", "RDTSCP");
		return;
	}
	for (i = 1; i < CPUS; i++)
		smp__run(i, read_aux, i);
	read_aux(0);
	for (i = 0; i < CPUS; i++) {
		if (i)
			smp__wait(i);
		check__equal(aux_seen[i], 0x100 + i, "RDTSCP: TSC_AUX of CPU %u", i);
	}
}

/* ---- kvmclock ---- */

struct pvclock {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad2[2];
} __attribute__((packed, aligned(32)));

static struct pvclock pvclocks[MAX_CPUS];
static struct {
	u32 version, sec, nsec;
} wall __attribute__((aligned(16)));
static u64 pv_last, pv_lock, pv_backwards;

static u64 pv_now(const volatile struct pvclock *p)
{
	u64 ns, delta;
	u32 version;

	do {
		version = p->version & ~1U;
		__asm__ volatile("lfence" : : : "memory");
		delta = rdtsc() - p->tsc_timestamp;
		delta = p->shift < 0 ? delta >> -p->shift : delta << p->shift;
		ns = p->system_time + (u64)((unsigned __int128)delta * p->mul >> 32);
	} while (version != p->version);
	return ns;
}

static void run_pvclock(u64 cpu)
{
	unsigned i;

	wrmsr(0x4b564d01, (u64)&pvclocks[cpu] | 1);
	for (i = 0; i < 2000; i++) {
		u64 now;

		while (__atomic_exchange_n(&pv_lock, 1, __ATOMIC_ACQUIRE))
			pause();
		now = pv_now(&pvclocks[cpu]);
		pv_backwards += now < pv_last;
		pv_last = now;
		__atomic_store_n(&pv_lock, 0, __ATOMIC_RELEASE);
	}
}

static void check_kvmclock(void)
{
	struct cpuid id = cpuid(0x40000000, 0);
	u64 tsc, ns;
	unsigned i;
	bool good;

	if (id.ebx != 0x4b4d564b || !(cpuid(0x40000001, 0).eax & 8)) {
		check__skip("not KVM's", "kvmclock");
		return;
	}
	for (i = 1; i < CPUS; i++)
		smp__run(i, run_pvclock, i);
	run_pvclock(0);
	for (i = 1; i < CPUS; i++)
		smp__wait(i);
	check__equal(pv_backwards, 0, "kvmclock never goes back from CPU to CPU");
	check__equal(pvclocks[0].version & 1, 0, "kvmclock: even version");
	if (cpuid(0x40000001, 0).eax & BIT64(24))
		check__equal(pvclocks[0].flags & 1, 1, "kvmclock: stable TSC");
	for (i = 0, good = false; i < 50 && !good; i++) {
		tsc = rdtsc();
		ns = pv_now(&pvclocks[0]);
		clock__wait_us(2000);
		tsc = rdtsc() - tsc;
		ns = pv_now(&pvclocks[0]) - ns;
		tsc = tsc * 1000000 / clock__tsc_per_ms();
		good = (ns > tsc ? ns - tsc : tsc - ns) < ns / 20;
	}
	check__true(good, "kvmclock goes as the PIT does");
	wrmsr(0x4b564d00, (u64)&wall);
	check__true(wall.sec > 1700000000 && !(wall.version & 1) && wall.nsec < 1000000000,
		    "wall clock");
	wrmsr(0x4b564d01, 0);
}

/* ---- CPUs that sleep ---- */

#define NAPS 40

static void nap(u64 cpu)
{
	bool deadline = cpu__has(1, 0, 2, 24);
	unsigned i;

	apic__write(APIC_TIMER_DIVIDE, 0xb);
	apic__write(APIC_LVT_TIMER, (deadline ? LVT_TSC_DEADLINE : 0) | TIMER_VECTOR);
	__asm__ volatile("mfence" : : : "memory");
	for (i = 0; i < NAPS; i++) {
		u64 end = rdtsc() + clock__tsc_per_ms() / 4 * (1 + (i + cpu) % 4);
		u32 before = ticks[cpu];

		if (deadline)
			wrmsr(0x6e0, end);
		else
			apic__write(APIC_TIMER_INITIAL, 30000 * (1 + (i + cpu) % 4));
		while (ticks[cpu] == before)
			__asm__ volatile("sti; hlt; cli" : : : "memory");
		if (deadline && rdtsc() < end)
			early[cpu]++;
		slept[cpu]++;
	}
	apic__write(APIC_LVT_TIMER, LVT_MASKED);
}

static void sleep_for_nmi(u64 cpu)
{
	disable_interrupts();
	while (slept[cpu] == NAPS)
		__asm__ volatile("hlt" : : : "memory");
}

static void on_nmi(struct trap_frame *f)
{
	slept[cpu__index()]++;
}

static void check_sleep(void)
{
	unsigned i;

	for (i = 1; i < CPUS; i++)
		smp__run(i, nap, i);
	nap(0);
	for (i = 1; i < CPUS; i++)
		smp__wait(i);
	for (i = 0; i < CPUS; i++) {
		check__equal(slept[i], NAPS, "CPU %u: every sleep ends", i);
		check__equal(early[i], 0, "CPU %u: none before its deadline", i);
	}
	trap__handle(X86_NMI, on_nmi);
	smp__run(1, sleep_for_nmi, 1);
	clock__wait_us(2000);
	check__equal(slept[1], NAPS, "HLT with IF clear sleeps");
	apic__ipi(smp__apic_id(1), ICR_ASSERT | TIMER_VECTOR);
	clock__wait_us(2000);
	check__equal(slept[1], NAPS, "no interrupt ends it");
	/* One may come between the look and HLT, and be over before it. */
	for (i = 0; i < 1000 && slept[1] == NAPS; i++) {
		apic__ipi(smp__apic_id(1), ICR_ASSERT | ICR_NMI);
		clock__wait_us(2000);
	}
	smp__wait(1);
	check__true(slept[1] > NAPS, "an NMI does");
}

int main(void)
{
	clock__tsc_per_ms();
	apic__enable();
	check_gate();
	check_modes();
	check_access();
	check_rates();
	check_pit_interrupts();
	check_rtc();
	/* Only now: CPUs without work spin. */
	if (check__equal(smp__start(), CPUS, "CPUs that came up")) {
		check_tsc();
		check_kvmclock();
		check_sleep();
	}
	return 0;
}
