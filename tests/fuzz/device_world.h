/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What device targets stand on: every device of the machine at once, with a loop whose time the
 * input controls and a character back end that the input feeds.
 */
#ifndef TESTS_FUZZ_DEVICE_WORLD_H
#define TESTS_FUZZ_DEVICE_WORLD_H

#include "tests/fuzz/fuzz.h"
#include "vmm/device/device.h"

#define WORLD_DEVICES 48
#define WORLD_WATCHES 1400
#define WORLD_SERVICE 1 /* the port of the host where somebody listens for virtio sockets */

struct device_world {
	struct dispatch *ports, *mmio;
	struct device *device[WORLD_DEVICES];
	unsigned count;
	unsigned requests; /* to the machine, since the reset */
};

/* The devices, made once; reset, with no timer armed and no input waiting. */
struct device_world *device_world__reset(void);
/* Descriptors that are ready come to their callbacks: notifications of devices with on_loop. */
void device_world__ring(void);
/* Time goes on, timers fire, what disks were asked for is done. */
void device_world__advance(u64 ns);
/* One access chosen by the input: a port, of 1, 2 or 4 bytes, or a register of the HPET. */
void device_world__access(struct device_world *world, struct fuzz_input *in);
/* The serial ports' and network cards' peers send bytes, and take no more than `room` from now on. */
void device_world__feed(const u8 *bytes, size_t n, size_t room);
/*
 * Saves the device's state once it is what a load leaves: peers take nothing more, clocks have been
 * caught up. It must load, and save as the same again.
 */
void device_world__save(struct device *dev, u8 *buf);
/* Ends with a finding, which names what differs, unless two saved states are the same. */
void device_world__compare(const struct device *dev, const u8 *a, const u8 *b);
/* fake_net.c: a frame of these bytes and zeros for every network card, which may send 16 times `room`. */
void fake_net__feed(const u8 *bytes, size_t n, size_t room);
/* fake_disk.c: the disks do what they were asked for. */
void fake_disk__run(void);
/* The interrupt wires stand at what the devices last said: 0 or 1 each. */
u32 device_world__levels(void);

#endif
