/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8259 pair, the 8254, and waiting. */
#include "tests/guests/lib/long/irq.h"

#define PIT_HZ 1193182

void pic__start(u8 base, u16 mask)
{
	out8(0x20, 0x11);
	out8(0xa0, 0x11);
	out8(0x21, base);
	out8(0xa1, base + 8);
	out8(0x21, 4);
	out8(0xa1, 2);
	out8(0x21, 1);
	out8(0xa1, 1);
	out8(0x21, mask);
	out8(0xa1, mask >> 8);
}

void pit__start(unsigned channel, unsigned mode, u16 count)
{
	out8(0x43, channel << 6 | 0x30 | mode << 1);
	out8(0x40 + channel, count);
	out8(0x40 + channel, count >> 8);
}

u16 pit__count(unsigned channel)
{
	u8 low;

	out8(0x43, channel << 6);
	low = in8(0x40 + channel);
	return low | in8(0x40 + channel) << 8;
}

/* Channel 2's count and the TSC at one time; how far apart in the TSC they may be. */
static u64 read_both(u16 *count, u64 *tsc)
{
	u64 before = rdtsc(), after;

	*count = pit__count(2);
	after = rdtsc();
	*tsc = before + (after - before) / 2;
	return after - before;
}

/* TSC ticks per ms over 10 ms or more, and how many of them are in doubt; 0: too late. */
static u64 measure(u64 *doubt)
{
	u16 first, last;
	u64 start, end;

	/* Mode 0: its output (port 61H bit 5) rises at the end, 55 ms later. */
	out8(0x61, (in8(0x61) & 0xfc) | 1);
	pit__start(2, 0, 0xffff);
	*doubt = read_both(&first, &start);
	do {
		pause();
	} while (first - pit__count(2) < PIT_HZ / 100);
	*doubt += read_both(&last, &end);
	if (in8(0x61) & 0x20 || last >= first)
		return 0;
	*doubt = *doubt * PIT_HZ / 1000 / (first - last);
	return (end - start) * PIT_HZ / 1000 / (first - last);
}

u64 clock__tsc_per_ms(void)
{
	static u64 rate;
	u64 best = ~0ULL;
	unsigned i;

	/* The host may be away in the middle of a measurement: the best one, one in 100 at most. */
	for (i = 0; !rate || (i && i < 30 && best > rate / 100); i++) {
		u64 doubt, ticks = measure(&doubt);

		if (ticks && doubt < best) {
			best = doubt;
			rate = ticks;
		}
	}
	return rate;
}

void clock__wait_us(u64 us)
{
	u64 end = clock__tsc_per_ms();

	end = rdtsc() + end * us / 1000;
	while (rdtsc() < end)
		pause();
}

bool clock__wait_change(const volatile u32 *counter, u32 old, unsigned ms)
{
	u64 end = clock__tsc_per_ms() * ms;
	bool changed;

	end += rdtsc();
	enable_interrupts();
	while (!(changed = *counter != old) && rdtsc() < end)
		pause();
	disable_interrupts();
	return changed;
}
