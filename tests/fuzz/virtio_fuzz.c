/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: one virtio device (VIRTIO_FUZZ_CLASS) with one ring layout (VIRTIO_FUZZ_PACKED), over PCI
 * or MMIO (VIRTIO_FUZZ_MMIO), its driver the input. Queues are set up properly at first, so that most of what comes gets far;
 * rings, tables and registers are then written as the input likes.
 *
 * Input: a byte that chooses what happens, and its arguments, again and again.
 */
#include <string.h>
#include "tests/fuzz/device_world.h"
#include "vmm/devices/virtio/ring.h"
#include "vmm/devices/virtio/virtio.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/vsock/packet.h"

#define VSOCK_ID 19
#define QUEUES_MOST 6u
#define SIZE 16u
/* Places in guest memory: a page for each area of each queue, buffers behind. */
#define PAGE 0x1000u
#define AREA(queue, area) (PAGE * (1 + 3 * (queue) + (area)))
#define BUFFERS 0x20000u

/* The transport's BAR, as docs/virtio.md has it, or its window. */
#define COMMON 0x0000u
#define COMMON_BYTES (VIRTIO_FUZZ_MMIO ? 0x100u : 0x40u)
#define CONFIG (VIRTIO_FUZZ_MMIO ? 0x100u : 0x2000u)
#define BAR_BYTES (VIRTIO_FUZZ_MMIO ? 0x1000u : 0x8000u)
#define TABLE 0x4000u /* MSI-X */
#define INTERRUPT_ACK 0x64u

#define WINDOWS_AT 0xfef00000u
#define WINDOWS 64u

enum register_name {
	DEVICE_SELECT,
	DEVICE_FEATURES,
	DRIVER_SELECT,
	DRIVER_FEATURES,
	STATUS,
	QUEUE_SELECT,
	QUEUE_SIZE,
	QUEUE_ENABLE,
};

/* Offset and width over PCI, offset over MMIO. */
static const u8 registers[][3] = {
	[DEVICE_SELECT] = { 0x00, 4, 0x14 },   [DEVICE_FEATURES] = { 0x04, 4, 0x10 },
	[DRIVER_SELECT] = { 0x08, 4, 0x24 },   [DRIVER_FEATURES] = { 0x0c, 4, 0x20 },
	[STATUS] = { 0x14, 1, 0x70 },	       [QUEUE_SELECT] = { 0x16, 2, 0x30 },
	[QUEUE_SIZE] = { 0x18, 2, 0x38 },      [QUEUE_ENABLE] = { 0x1c, 2, 0x44 },
};

#define FEATURES_COMMON                                                                            \
	(BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_F_INDIRECT_DESC) |                               \
	 (VIRTIO_FUZZ_PACKED ? BIT64(VIRTIO_F_RING_PACKED) : 0))

struct target {
	struct device_world *world;
	const struct device *dev;
	u64 bar;
	unsigned queues;
	unsigned next[QUEUES_MOST]; /* where the next descriptor goes */
	bool wrap[QUEUES_MOST];
	u16 avail[QUEUES_MOST];
};

static u64 access_bar(struct target *t, u64 offset, bool write, unsigned size, u64 value)
{
	dispatch__access(t->world->mmio, 0, t->bar + offset, write, &value, size);
	return value;
}

static u64 access_register(struct target *t, enum register_name name, bool write, u64 value)
{
	return access_bar(t, registers[name][VIRTIO_FUZZ_MMIO ? 2 : 0], write,
			  VIRTIO_FUZZ_MMIO ? 4 : registers[name][1], value);
}

static void set(struct target *t, enum register_name name, u64 value)
{
	access_register(t, name, true, value);
}

static u64 get(struct target *t, enum register_name name)
{
	return access_register(t, name, false, 0);
}

static void notify(struct target *t, unsigned q)
{
	if (VIRTIO_FUZZ_MMIO)
		access_bar(t, 0x50, true, 4, q);
	else
		access_bar(t, 0x3000 + 4 * q, true, 2, q);
	device_world__ring();
}

static void *memory_at(struct target *t, u64 gpa, u64 size)
{
	return guest_memory__pointer(t->dev->services->memory, gpa, size);
}

/* ---- set-up ---- */

static void config_write(struct target *t, unsigned slot, unsigned reg, unsigned size, u64 value)
{
	dispatch__access(t->world->mmio, 0, GUEST_ECAM + (slot << 15) + reg, true, &value, size);
}

/* The window of this class. */
static void find_window(struct target *t, unsigned virtio_id)
{
	unsigned i;

	for (i = 0; i < WINDOWS; i++) {
		t->bar = WINDOWS_AT + i * PAGE;
		if (access_bar(t, 0x08, false, 4, 0) == virtio_id)
			return;
	}
	FUZZ_CHECK(i < WINDOWS);
}

/* The first function of this class: virtio identifiers are PCI's. */
static void place(struct target *t, unsigned virtio_id)
{
	u64 value = 0;
	unsigned slot;

	for (slot = 0; slot < 32; slot++) {
		dispatch__access(t->world->mmio, 0, GUEST_ECAM + (slot << 15), false, &value, 4);
		if ((u32)value == (0x1af4u | (0x1040 + virtio_id) << 16))
			break;
	}
	FUZZ_CHECK(slot < 32);
	t->bar = 0xd0000000;
	config_write(t, slot, PCI_BAR0, 4, t->bar);
	config_write(t, slot, PCI_BAR0 + 4, 4, 0);
	config_write(t, slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* Selects it. */
static bool has_queue(struct target *t, unsigned q)
{
	set(t, QUEUE_SELECT, q);
	return access_bar(t, VIRTIO_FUZZ_MMIO ? 0x34 : 0x18, false, VIRTIO_FUZZ_MMIO ? 4 : 2, 0);
}

static void start(struct target *t, bool event_index)
{
	u64 features = FEATURES_COMMON | (u64)event_index << VIRTIO_F_EVENT_IDX, offered;
	unsigned q, area;

	set(t, STATUS, 0);
	set(t, STATUS, 3);
	set(t, DEVICE_SELECT, 0);
	offered = get(t, DEVICE_FEATURES);
	features |= offered & 0xffffff; /* all of the class's own */
	set(t, DRIVER_SELECT, 0);
	set(t, DRIVER_FEATURES, (u32)features);
	set(t, DRIVER_SELECT, 1);
	set(t, DRIVER_FEATURES, features >> 32);
	set(t, STATUS, 11);
	FUZZ_CHECK(get(t, STATUS) == 11);
	for (q = 0; q < QUEUES_MOST && has_queue(t, q); q++) {
		memset(memory_at(t, AREA(q, 0), 3 * PAGE), 0, 3 * PAGE);
		set(t, QUEUE_SIZE, SIZE);
		for (area = 0; area < 3; area++) {
			u64 at = VIRTIO_FUZZ_MMIO ? 0x80 + 16 * area : 0x20 + 8 * area;

			access_bar(t, at, true, 4, AREA(q, area));
			access_bar(t, at + 4, true, 4, 0);
		}
		set(t, QUEUE_ENABLE, 1);
		t->next[q] = 0;
		t->wrap[q] = true;
		t->avail[q] = 0;
	}
	t->queues = q;
	set(t, STATUS, 15);
	FUZZ_CHECK(get(t, STATUS) == 15);
}

/* ---- what a driver does, well or badly ---- */

/* Mostly in the buffers, sometimes at the ends of memory, or anywhere. */
static u64 take_address(struct fuzz_input *in)
{
	u8 how = (u8)fuzz__take(in, 1);

	if (how < 0xc0)
		return BUFFERS + how * 256u;
	if (how < 0xe0)
		return (1u << 20) - (how & 0x1f);
	return how < 0xf0 ? fuzz__take(in, 8) : AREA(how & 3, how >> 2 & 1);
}

static u32 take_length(struct fuzz_input *in)
{
	u8 how = (u8)fuzz__take(in, 1);

	return how < 0xf0 ? how : (u32)fuzz__take(in, 4);
}

/* One descriptor of queue q at its next place; publishing follows for the packed layout. */
static void put_descriptor(struct target *t, struct fuzz_input *in, unsigned q)
{
	u64 address = take_address(in);
	u32 length = take_length(in);
	u16 flags = (u16)(fuzz__take(in, 1) & 7);

	if (VIRTIO_FUZZ_PACKED) {
		struct packed_descriptor *d = memory_at(t, AREA(q, 0) + 16 * t->next[q], 16);

		*d = (struct packed_descriptor){ address, length, (u16)t->next[q],
						 flags | (t->wrap[q] ? RING_AVAIL : RING_USED) };
		t->wrap[q] ^= t->next[q] + 1 == SIZE;
	} else {
		struct split_descriptor *d = memory_at(t, AREA(q, 0) + 16 * t->next[q], 16);

		*d = (struct split_descriptor){ address, length, flags,
						(u16)((t->next[q] + 1) % SIZE) };
	}
	t->next[q] = (t->next[q] + 1) % SIZE;
}

static void publish(struct target *t, struct fuzz_input *in, unsigned q)
{
	struct split_avail *avail = memory_at(t, AREA(q, 1), PAGE);

	if (VIRTIO_FUZZ_PACKED)
		return;
	avail->ring[t->avail[q]++ % SIZE] = (u16)fuzz__take(in, 1) % (SIZE + 1);
	avail->index = t->avail[q];
}

static void write_anywhere(struct target *t, struct fuzz_input *in)
{
	u8 bytes[16] = { 0 };
	u64 gpa = fuzz__take(in, 3);

	fuzz__fill(in, bytes, sizeof(bytes));
	guest_memory__write(t->dev->services->memory, gpa, bytes, sizeof(bytes));
}

/* A packet of a socket device's, most of it as it should be, in a buffer. */
static void write_packet(struct target *t, struct fuzz_input *in)
{
	u64 gpa = BUFFERS + fuzz__take(in, 1) % 0xc0 * 256;
	struct vsock_header header = {
		.from_cid = VSOCK_GUEST_CID_LEAST,
		.to_cid = VSOCK_HOST_CID,
		.type = VSOCK_TYPE_STREAM,
		.op = (u16)fuzz__take(in, 1) % 9,
		.from_port = (u32)fuzz__take(in, 1) & 3,
		.to_port = WORLD_SERVICE,
		.flags = (u32)fuzz__take(in, 1),
		.length = (u32)fuzz__take(in, 1),
		.buf_alloc = (u32)fuzz__take(in, 2),
		.fwd_cnt = (u32)fuzz__take(in, 2),
	};

	guest_memory__write(t->dev->services->memory, gpa, &header, sizeof(header));
}

static void check_state(struct target *t, struct device *dev)
{
	u8 *state = malloc(state__size(dev->class->state));

	FUZZ_CHECK(state);
	if (get(t, STATUS) != 0xff) /* decoded: a state of this world */
		device_world__save(dev, state);
	free(state);
}

static void happen(struct target *t, struct device *dev, struct fuzz_input *in, u8 what)
{
	unsigned q = (what >> 4) % t->queues, size;
	u8 bytes[32];
	u64 value;

	switch (what & 0xf) {
	case 0:
	case 1:
	case 2:
		put_descriptor(t, in, q);
		break;
	case 3:
	case 4:
		publish(t, in, q);
		__attribute__((fallthrough));
	case 5:
		notify(t, q);
		break;
	case 6:
		if (VIRTIO_FUZZ_ID == VSOCK_ID && what & 0x10)
			write_packet(t, in);
		else
			write_anywhere(t, in);
		break;
	case 7:
		size = 1u << (what >> 4 & 3);
		value = fuzz__take(in, size);
		access_bar(t, COMMON + fuzz__take(in, 1) % COMMON_BYTES, true, size, value);
		break;
	case 8:
		access_bar(t, fuzz__take(in, 2) % BAR_BYTES, false, 1u << (what >> 4 & 3), 0);
		break;
	case 9:
		size = 1u << (what >> 4 & 3);
		value = fuzz__take(in, size);
		access_bar(t, CONFIG + fuzz__take(in, 1), true, size, value);
		break;
	case 10:
		size = fuzz__fill(in, bytes, fuzz__take(in, 1) & 0x1f);
		device_world__feed(bytes, size, fuzz__take(in, 2));
		break;
	case 11:
		device_world__advance((u64)fuzz__take(in, 1) * 10000000);
		break;
	case 12:
		start(t, what & 0x10);
		break;
	case 13:
		check_state(t, dev);
		break;
	case 14:
		value = fuzz__take(in, 4);
		if (VIRTIO_FUZZ_MMIO)
			access_bar(t, INTERRUPT_ACK, true, 4, value);
		else
			access_bar(t, TABLE + fuzz__take(in, 1), true, 4, value);
		break;
	default:
		value = (what >> 4) * PCI_COMMAND_MASTER & PCI_COMMAND_MASTER;
		config_write(t, what >> 5, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | value);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct target t = { .world = device_world__reset() };
	struct fuzz_input in = { data, size };
	struct device *dev = NULL;
	unsigned i;

	for (i = 0; i < t.world->count && !dev; i++)
		if (!strcmp(t.world->device[i]->class->name, VIRTIO_FUZZ_CLASS) &&
		    t.world->device[i]->index == VIRTIO_FUZZ_MMIO)
			dev = t.world->device[i];
	FUZZ_CHECK(dev);
	t.dev = dev;
	if (VIRTIO_FUZZ_MMIO)
		find_window(&t, VIRTIO_FUZZ_ID);
	else
		place(&t, VIRTIO_FUZZ_ID);
	start(&t, fuzz__take(&in, 1) & 1);
	while (in.left)
		happen(&t, dev, &in, (u8)fuzz__take(&in, 1));
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* Descriptors (0: address, length, flags), publish and kick (3: head), kick (5). */
	static const u8 writable[] = { 0, 0, 0x10, 64, 2, 3, 0, 0, 0x11, 64, 2, 3, 1, 5 };
	static const u8 chain[] = { 1, 0, 0x10, 8, 1, 0, 0x20, 64, 3, 0, 0x21, 8, 2, 3, 0, 11, 50, 5 };
	static const u8 other_queues[] = { 0, 0x30, 0x10, 8, 0, 0x33, 0, 0x20, 0x11, 32, 2, 0x23, 0,
					   0x40, 0x12, 32, 2, 0x43, 0, 10, 4, 'a', 'b', 'c', 'd', 1, 0 };
	/* A header that is all zeroes, 512 bytes in four, a status; a disk's read of sector 0. */
	static const u8 disk[] = { 0, 0, 0, 16, 1, 0, 0x10, 0x80, 3, 0, 0x11, 0x80, 3, 0,
				   0x12, 0x80, 3, 0, 0x13, 0x80, 3, 0, 0x20, 1, 2, 3, 0, 11, 1, 5 };
	/* A buffer for packets; a request (6: buffer, operation, port ...) and its descriptor. */
	static const u8 sockets[] = { 0, 0, 0x40, 200, 2, 3, 0, 5, 0x16, 0x20, 1, 1, 0, 0, 0xff, 0, 0, 0,
				      0x10, 0x20, 44, 0, 0x13, 0, 0x15, 10, 4, 6, 0, 'x', 'y', 0, 1, 5 };
	static const struct {
		const u8 *bytes;
		size_t size;
	} seeds[] = { { disk, sizeof(disk) },
		      { sockets, sizeof(sockets) },
		      { writable, sizeof(writable) },
		      { chain, sizeof(chain) },
		      { other_queues, sizeof(other_queues) } };

	if (n >= ARRAY_LENGTH(seeds) || size < seeds[n].size)
		return 0;
	memcpy(buf, seeds[n].bytes, seeds[n].size);
	return seeds[n].size;
}
