/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the registers of every device, with time, input from outside, resets, the power
 * button, and states saved and loaded in between.
 *
 * Input: a byte that chooses what happens, and its arguments, again and again.
 */
#include <string.h>
#include "tests/fuzz/device_world.h"

/* What was saved can be loaded, and comes out the same. */
static void check_round_trip(struct device *dev)
{
	u8 *state;

	if (!dev->class->state)
		return;
	state = malloc(state__size(dev->class->state));
	FUZZ_CHECK(state);
	device_world__save(dev, state);
	free(state);
}

static void happen(struct device_world *world, struct fuzz_input *in, u8 what)
{
	struct device *dev = world->device[what >> 4 & 0xf ? (what >> 4) % world->count : 0];
	u8 bytes[32];
	size_t n;

	switch (what & 0xf) {
	case 0:
		device_world__advance(fuzz__take(in, 1 + (what >> 4 & 3)));
		break;
	case 1: /* 15 s at most: the RTC's fastest interrupt comes 8,192 times a second */
		device_world__advance((u64)fuzz__take(in, 1) * 60000000);
		break;
	case 2:
		n = fuzz__fill(in, bytes, what >> 3 & 0x1f);
		device_world__feed(bytes, n, fuzz__take(in, 1));
		break;
	case 3:
		check_round_trip(dev);
		break;
	case 4:
		dev->class->reset(dev);
		break;
	case 5:
		if (dev->class->power_button)
			dev->class->power_button(dev);
		break;
	default:
		device_world__access(world, in);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct device_world *world = device_world__reset();

	while (in.left)
		happen(world, &in, fuzz__take(&in, 1));
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* Writes of a byte: 6, 1, where, value. Reads: 6, 0, where. Time: 1, n. */
	static const u8 serial[] = {
		6, 1, 0x83, 0x83, 6, 1, 0x80, 1,   6, 1, 0x83, 3,    6, 1, 0x82, 7, 6, 1,
		0x84, 0x1b, 6, 1, 0x81, 15, 6, 1, 0x80, 'x', 6, 0, 0x82, 6, 0, 0x85,
		0x82, 'a', 'b', 'c', 'd', 'e',
	};
	static const u8 rtc[] = {
		6, 1, 4, 0x0b, 6, 1, 5, 0x72, 6, 1, 4, 0x0a, 6, 1, 5, 0x26, 1, 50,
		6, 1, 4, 0x0c, 6, 0, 5, 6, 1, 4, 0, 6, 1, 5, 0x59, 1, 255,
	};
	static const u8 keyboard[] = {
		6, 1, 1, 0x60, 6, 1, 0, 0x47, 6, 1, 0, 0xff, 6, 0, 0, 6, 0, 0,
		6, 1, 1, 0xd4, 6, 1, 0, 0xf2, 6, 0, 0, 6, 1, 1, 0xaa, 6, 0, 0,
	};
	static const u8 power[] = {
		6, 3, 0x42, 1, 0, 6, 3, 0x44, 0x20, 1, 0x35, 6, 0, 0x40, 1, 255,
	};
	/* Item 19H by port, then a descriptor at 0, which is memory full of zeros. */
	static const u8 firmware[] = {
		6, 3, 2, 0x19, 0, 6, 0, 3, 6, 0, 3, 6, 5, 6, 0, 0, 0, 0, 6, 5, 7, 0, 0, 0, 0,
	};
	/* Periodic, by legacy replacement: what to do, 18H, register / 4, two bytes of value. */
	static const u8 hpet[] = {
		6, 5, 0x18, 0x40, 0, 0x4c, 6, 5, 0x18, 0x42, 0x40, 0, 6, 5, 0x18, 0x42, 0, 9,
		6, 5, 0x18, 0x04, 0, 3,	   1, 2, 6,    6,    0x18, 0x3c, 6, 4, 0x18, 0x08,
	};
	static const struct {
		const u8 *bytes;
		size_t size;
	} seeds[] = { { serial, sizeof(serial) },
		      { rtc, sizeof(rtc) },
		      { keyboard, sizeof(keyboard) },
		      { power, sizeof(power) },
		      { hpet, sizeof(hpet) },
		      { firmware, sizeof(firmware) } };

	if (n >= ARRAY_LENGTH(seeds) || size < seeds[n].size)
		return 0;
	memcpy(buf, seeds[n].bytes, seeds[n].size);
	return seeds[n].size;
}
