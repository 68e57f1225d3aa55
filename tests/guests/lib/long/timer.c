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

/* TSC ticks in 10 ms of channel 2; *doubt: how much of that may be the host's delays. */
static u64 measure(u64 *doubt)
{
	u64 before, start, asked, still_low;

	/* Mode 0: its output (port 61H bit 5) rises at the end. */
	out8(0x61, (in8(0x61) & 0xfc) | 1);
	before = rdtsc();
	pit__start(2, 0, PIT_HZ / 100);
	start = asked = rdtsc();
	do {
		still_low = asked;
		pause();
		asked = rdtsc();
	} while (!(in8(0x61) & 0x20));
	asked = rdtsc();
	*doubt = (start - before) + (asked - still_low);
	return asked - start;
}

u64 clock__tsc_per_ms(void)
{
	static u64 rate;
	u64 doubt, best = ~0ULL;
	unsigned i;

	for (i = 0; !rate || (i && i < 30 && best > rate / 5); i++) {
		u64 ticks = measure(&doubt);

		if (doubt < best) {
			best = doubt;
			rate = ticks / 10;
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
