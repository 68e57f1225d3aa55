/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the AHCI controller with disks and CD-ROM drives, its driver the input. Ports are set up
 * properly at first, so that most commands get far; structures and registers are then written as the
 * input likes.
 *
 * Input: a byte that chooses what happens, and its arguments, again and again.
 */
#include <string.h>
#include "tests/fuzz/device_world.h"
#include "vmm/devices/storage/ahci_regs.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/pci/pci.h"

#define BAR_AT 0xd0000000u
#define BAR 5u
#define DRIVES 4u
/* Places in guest memory: a list and an area for FISes per port, a table per slot, buffers behind. */
#define LIST(port) (0x1000u + 0x1000 * (port))
#define FISES(port) (LIST(port) + 0x800)
#define TABLE(port, slot) (0x10000u + 0x4000 * (port) + 0x200 * (slot))
#define BUFFERS 0x20000u

struct target {
	struct device_world *world;
	const struct guest_memory *memory;
};

static u32 access_bar(struct target *t, u64 offset, bool write, unsigned size, u32 value)
{
	dispatch__access(t->world->mmio, 0, BAR_AT + offset, write, &value, size);
	return value;
}

static void write_port(struct target *t, unsigned port, unsigned reg, u32 value)
{
	access_bar(t, AHCI_PORT_AT + AHCI_PORT_BYTES * port + reg, true, 4, value);
}

static u32 read_port(struct target *t, unsigned port, unsigned reg)
{
	return access_bar(t, AHCI_PORT_AT + AHCI_PORT_BYTES * port + reg, false, 4, 0);
}

static u64 config(struct target *t, unsigned slot, unsigned reg, bool write, unsigned size, u64 value)
{
	dispatch__access(t->world->mmio, 0, GUEST_ECAM + (slot << 15) + reg, write, &value, size);
	return value;
}

static unsigned place(struct target *t)
{
	unsigned slot;

	for (slot = 0; slot < 32; slot++)
		if ((u32)config(t, slot, 0, false, 4, 0) == 0x29228086)
			break;
	FUZZ_CHECK(slot < 32);
	config(t, slot, PCI_BAR0 + 4 * BAR, true, 4, BAR_AT);
	config(t, slot, PCI_COMMAND, true, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return slot;
}

/* Whatever has happened, this brings a port back. */
static void start(struct target *t, unsigned port)
{
	write_port(t, port, PORT_CMD, 0);
	FUZZ_CHECK(!(read_port(t, port, PORT_CMD) & (PORT_CMD_CR | PORT_CMD_FR)));
	FUZZ_CHECK(!read_port(t, port, PORT_CI) && !read_port(t, port, PORT_SACT));
	write_port(t, port, PORT_CLB, LIST(port));
	write_port(t, port, PORT_CLBU, 0);
	write_port(t, port, PORT_FB, FISES(port));
	write_port(t, port, PORT_FBU, 0);
	write_port(t, port, PORT_CMD, PORT_CMD_FRE);
	write_port(t, port, PORT_SCTL, SCTL_DET_RESET);
	write_port(t, port, PORT_SCTL, 0);
	write_port(t, port, PORT_SERR, ~0u);
	write_port(t, port, PORT_IS, ~0u);
	write_port(t, port, PORT_IE, ~0u);
	FUZZ_CHECK(read_port(t, port, PORT_SSTS) == PORT_SSTS_UP);
	FUZZ_CHECK(!(read_port(t, port, PORT_TFD) & 0x89));
	write_port(t, port, PORT_CMD, PORT_CMD_FRE | PORT_CMD_ST);
}

/* Mostly in the buffers, sometimes at the ends of memory, or anywhere. */
static u64 take_address(struct fuzz_input *in)
{
	u8 how = (u8)fuzz__take(in, 1);

	if (how < 0xd0)
		return BUFFERS + how * 512u;
	return how < 0xe8 ? (1u << 20) - 2 * (how & 0x1f) : fuzz__take(in, 8);
}

static void put_regions(struct target *t, struct fuzz_input *in, unsigned port, unsigned slot,
			unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		u64 address = take_address(in);
		u32 length = (u32)fuzz__take(in, 1);
		u32 entry[4] = { (u32)address, (u32)(address >> 32), 0, 0 };

		entry[3] = length < 0xe0 ? length * 64 + 63 : (u32)fuzz__take(in, 4);
		guest_memory__write(t->memory, TABLE(port, slot) + TABLE_ENTRIES + ENTRY_BYTES * i, entry,
				    sizeof(entry));
	}
}

/* A command in a slot: FIS, packet, regions. */
static void put_command(struct target *t, struct fuzz_input *in, unsigned port, unsigned slot)
{
	u8 shape = (u8)fuzz__take(in, 1);
	unsigned count = shape & 7;
	u8 fis[FIS_BYTES] = { FIS_H2D, FIS_H2D_COMMAND, 0, 0, 0, 0, 0, 0x40 }, packet[16] = { 0 };
	u32 header[4] = { 5 | count << 16, 0, TABLE(port, slot), 0 };

	if (shape & 0x08)
		header[0] = (u32)fuzz__take(in, 4);
	if (shape & 0x10) { /* a packet: DMA */
		header[0] |= HEADER_ATAPI;
		fis[2] = 0xa0;
		fis[3] = 1;
		fuzz__fill(in, packet, 12);
	} else if (shape & 0x20) {
		fuzz__fill(in, fis, sizeof(fis));
	} else { /* command, count, address */
		fis[2] = (u8)fuzz__take(in, 1);
		fis[12] = (fis[2] & 0xfe) == 0x60 ? (u8)(slot << 3) : (u8)fuzz__take(in, 1);
		fis[3] = (u8)fuzz__take(in, 1);
		fis[4] = (u8)fuzz__take(in, 1);
	}
	guest_memory__write(t->memory, LIST(port) + HEADER_BYTES * slot, header, sizeof(header));
	guest_memory__write(t->memory, TABLE(port, slot), fis, sizeof(fis));
	guest_memory__write(t->memory, TABLE(port, slot) + TABLE_PACKET, packet, sizeof(packet));
	put_regions(t, in, port, slot, count);
	if ((fis[2] & 0xfe) == 0x60)
		write_port(t, port, PORT_SACT, 1u << slot);
	write_port(t, port, PORT_CI, 1u << slot);
}

static void write_anywhere(struct target *t, struct fuzz_input *in)
{
	u8 bytes[16] = { 0 };
	u64 gpa = fuzz__take(in, 3);

	fuzz__fill(in, bytes, sizeof(bytes));
	guest_memory__write(t->memory, gpa, bytes, sizeof(bytes));
}

static void check_states(struct target *t)
{
	unsigned i;

	for (i = 0; i < t->world->count; i++) {
		struct device *dev = t->world->device[i];
		u8 *state;

		if (strncmp(dev->class->name, "ahci", 4))
			continue;
		state = malloc(state__size(dev->class->state));
		FUZZ_CHECK(state);
		device_world__save(dev, state);
		free(state);
	}
}

static void happen(struct target *t, struct fuzz_input *in, unsigned slot, u8 what)
{
	unsigned port = what >> 4 & 3, size;
	u32 value;

	switch (what & 0xf) {
	case 0:
	case 1:
	case 2:
	case 3:
		put_command(t, in, port, (unsigned)fuzz__take(in, 1) % AHCI_SLOTS);
		break;
	case 4:
	case 5:
		device_world__ring();
		break;
	case 6:
		device_world__advance(1000000);
		break;
	case 7:
		write_anywhere(t, in);
		break;
	case 8:
		size = 1u << (what >> 4 & 3) % 3;
		value = (u32)fuzz__take(in, size);
		access_bar(t, fuzz__take(in, 2) & 0x1fff, true, size, value);
		break;
	case 9:
		access_bar(t, fuzz__take(in, 2) & 0x1fff, false, 1u << (what >> 4 & 3) % 3, 0);
		break;
	case 10:
		value = (u32)fuzz__take(in, 4);
		write_port(t, port, (unsigned)fuzz__take(in, 1) & 0x3c, value);
		break;
	case 11:
		start(t, port);
		break;
	case 12:
		write_port(t, port, PORT_CI, (u32)fuzz__take(in, 4));
		break;
	case 13:
		check_states(t);
		break;
	case 14:
		access_bar(t, AHCI_GHC, true, 4, what & 0x10 ? AHCI_GHC_HR : AHCI_GHC_IE);
		break;
	default:
		config(t, slot, PCI_COMMAND, true, 2,
		       PCI_COMMAND_MEMORY | (what & 0x10 ? PCI_COMMAND_MASTER : 0));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct target t = { .world = device_world__reset() };
	struct fuzz_input in = { data, size };
	unsigned slot, port;

	t.memory = t.world->device[0]->services->memory;
	slot = place(&t);
	for (port = 0; port < DRIVES; port++)
		start(&t, port);
	access_bar(&t, AHCI_GHC, true, 4, AHCI_GHC_IE);
	while (in.left)
		happen(&t, &in, slot, (u8)fuzz__take(&in, 1));
	device_world__ring();
	device_world__advance(1000000);
	place(&t);
	for (port = 0; port < DRIVES; port++)
		start(&t, port);
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* Slot, shape, command, count, feature, address, regions; the loop, the disk. */
	static const u8 identify[] = {
		0, 0, 1, 0xec, 0, 0, 0, 0x10, 8, 4, 6, 0x20, 1, 1, 0xa1, 0, 0, 0, 0x10, 8, 4,
	};
	static const u8 dma[] = {
		0, 0, 2, 0x25, 2, 0, 4, 0x10, 8, 0x20, 8, 0, 1, 1, 0x35, 1, 0, 5, 0x30, 8, 4, 6,
		4, 6,
	};
	static const u8 queued[] = {
		0, 3, 1, 0x60, 1, 9, 0x10, 8, 0, 4, 1, 0x61, 1, 9, 0x12, 8, 0, 5, 1, 0x60, 1,
		0x7f, 0x14, 8, 4, 6, 4, 0, 6, 1, 0x2f, 1, 0, 0x10, 0x16, 8, 4,
	};
	static const u8 trim[] = {
		7, 2, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 1, 1, 0,
		0, 8, 4, 6, 4, 6,
	};
	static const u8 read_cd[] = {
		0x20, 1, 0x12, 0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0x10, 40, 0x20, 40, 4, 6,
		0x2b, 0x20, 1, 0x12, 0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0x10, 40, 0x20, 40,
		4, 6,
	};
	static const u8 packets[] = {
		0x20, 1, 0x11, 0x46, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0x10, 40, 4, 0x2b, 0x20,
		1, 0x11, 0x43, 2, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 40, 4, 0x2b, 0x20, 1,
		0x11, 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0x10, 40, 4, 13,
	};
	static const struct {
		const u8 *bytes;
		size_t size;
	} seeds[] = { { identify, sizeof(identify) }, { dma, sizeof(dma) },	{ queued, sizeof(queued) },
		      { trim, sizeof(trim) },	      { read_cd, sizeof(read_cd) }, { packets, sizeof(packets) } };

	if (n >= ARRAY_LENGTH(seeds) || size < seeds[n].size)
		return 0;
	memcpy(buf, seeds[n].bytes, seeds[n].size);
	return seeds[n].size;
}
