/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: saved device states that are wrong, and devices that go on from such a state.
 *
 * Input: which device, version, how many bytes to leave as they were saved; then bytes of the
 * state, then what happens to the device.
 */
#include <string.h>
#include "tests/fuzz/device_world.h"

/* Loads a state of the input's; returns whether the device took it. */
static bool load(struct device *dev, struct fuzz_input *in)
{
	const struct state_table *table = dev->class->state;
	size_t size = state__size(table), keep, n;
	u8 *before = malloc(size), *after = malloc(size), *loaded = malloc(size + 16);
	u8 how = fuzz__take(in, 1);
	int rc;

	FUZZ_CHECK(before && after && loaded);
	device_world__save(dev, before);
	memset(loaded, 0, size + 16);
	memcpy(loaded, before, size);
	keep = how & 1 ? 0 : 4;
	if (how & 2)
		keep += fuzz__take(in, 1);
	keep = MIN_OF(keep, size);
	fuzz__fill(in, loaded + keep, size - keep);
	n = how & 0x80 ? fuzz__take(in, 1) % (size + 16) : size;
	rc = state__load(table, dev, loaded, n);
	FUZZ_CHECK(state__save(table, dev, after, size) == (long)size);
	if (rc)
		device_world__compare(dev, before, after);
	else
		FUZZ_CHECK(!state__load(table, dev, after, size));
	free(before);
	free(after);
	free(loaded);
	return !rc;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct device_world *world = device_world__reset();

	while (in.left) {
		struct device *dev = world->device[fuzz__take(&in, 1) % world->count];
		unsigned accesses = 8;

		if (!dev->class->state || !load(dev, &in))
			continue;
		device_world__feed(NULL, 0, fuzz__take(&in, 1));
		device_world__advance(fuzz__take(&in, 4));
		while (accesses-- && in.left)
			device_world__access(world, &in);
	}
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	if (n >= WORLD_DEVICES || size < 160)
		return 0;
	memset(buf, 1, 160);
	buf[0] = n;
	buf[1] = 0;
	return 160;
}
