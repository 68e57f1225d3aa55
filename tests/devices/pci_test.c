/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration space, BARs, bridges and MSI-X, as an operating system goes about them. */
#include "tests/devices/fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/pci/assign.h"
#include "vmm/pci/msix.h"

#define COMMAND_ON (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
#define RNG_ID 0x10441af4u
#define PORT_ID 0x000c1b36u
#define BAR_BYTES 0x8000u

static uint64_t ecam(unsigned bus, unsigned slot, unsigned reg)
{
	return GUEST_ECAM + ((uint64_t)bus << 20) + (slot << 15) + reg;
}

static uint64_t peek(struct fixture *f, uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	dispatch__access(f->mmio, 0, gpa, false, &value, size);
	return value;
}

static void poke(struct fixture *f, uint64_t gpa, unsigned size, uint64_t value)
{
	dispatch__access(f->mmio, 0, gpa, true, &value, size);
}

static struct fixture *create_bench(void)
{
	return fixture__create(&device_class_pci_host, NULL);
}

static void assign(struct fixture *f)
{
	struct pci_windows windows;

	pci_windows__init(&windows, &f->services);
	pci__assign(&f->pci, &windows);
}

static unsigned find_capability(struct fixture *f, unsigned bus, unsigned slot, unsigned id)
{
	unsigned at = (unsigned)peek(f, ecam(bus, slot, PCI_CAPABILITIES), 1), count;

	for (count = 0; at && count < 48; count++) {
		if (peek(f, ecam(bus, slot, at), 1) == id)
			return at;
		at = (unsigned)peek(f, ecam(bus, slot, at + 1), 1);
	}
	fail_msg("no capability %u", id);
	return 0;
}

static void both_ways_to_configuration_space(void **state)
{
	struct fixture *f = create_bench();

	fixture__add(f, &device_class_virtio_rng, 0, "addr=5");
	assert_int_equal(peek(f, ecam(0, 5, 0), 4), RNG_ID);
	fixture__out(f, 0xcf8, 4, 0x80000000 | 5 << 11);
	assert_int_equal(fixture__in(f, 0xcfc, 4), RNG_ID);
	assert_int_equal(fixture__in(f, 0xcfe, 2), RNG_ID >> 16);
	assert_int_equal(inb(f, 0xcff), RNG_ID >> 24);
	fixture__out(f, 0xcf8, 4, 0x80000000 | 5 << 11 | PCI_INTERRUPT_LINE);
	outb(f, 0xcfc, 0x5a);
	assert_int_equal(peek(f, ecam(0, 5, PCI_INTERRUPT_LINE), 2), 0x015a);
	/* Nobody there: all ones, whichever way. */
	assert_int_equal(peek(f, ecam(0, 6, 0), 4), 0xffffffff);
	assert_int_equal(peek(f, ecam(1, 0, 0), 4), 0xffffffff);
	assert_int_equal(peek(f, ecam(255, 31, 0xffc), 4), 0xffffffff);
	/* No extended capability, but a place for one. */
	assert_int_equal(peek(f, ecam(0, 5, 0x100), 4), 0);
	poke(f, ecam(0, 5, 0x100), 4, ~0u);
	assert_int_equal(peek(f, ecam(0, 5, 0x100), 4), 0);
	assert_int_equal(peek(f, ecam(0, 0, 0x100), 4), 0xffffffff);
	fixture__destroy(f);
}

static void what_is_constant_stays(void **state)
{
	struct fixture *f = create_bench();
	unsigned reg;

	fixture__add(f, &device_class_virtio_rng, 0, "addr=5");
	for (reg = 0; reg < 256; reg += 4)
		poke(f, ecam(0, 5, reg), 4, ~0u);
	assert_int_equal(peek(f, ecam(0, 5, PCI_VENDOR), 4), RNG_ID);
	assert_int_equal(peek(f, ecam(0, 5, PCI_CLASS), 4) & 0xffffff, 0x00ff00);
	assert_int_equal(peek(f, ecam(0, 5, PCI_HEADER_TYPE), 1), 0);
	assert_int_equal(peek(f, ecam(0, 5, PCI_INTERRUPT_PIN), 1), 1);
	assert_int_equal(peek(f, ecam(0, 5, PCI_COMMAND), 2), 0x547);
	assert_int_equal(peek(f, ecam(0, 5, PCI_STATUS), 2), PCI_STATUS_CAPABILITIES);
	find_capability(f, 0, 5, PCI_CAP_EXPRESS);
	find_capability(f, 0, 5, PCI_CAP_MSIX);
	/* All goes with a reset of the device. */
	device_class_virtio_rng.reset(f->dev->next);
	assert_int_equal(peek(f, ecam(0, 5, PCI_COMMAND), 2), 0);
	assert_int_equal(peek(f, ecam(0, 5, PCI_BAR0), 4), 0xc);
	fixture__destroy(f);
}

static void bars_are_sized_and_moved(void **state)
{
	struct fixture *f = create_bench();

	fixture__add(f, &device_class_virtio_rng, 0, "addr=5");
	poke(f, ecam(0, 5, PCI_BAR0), 4, ~0u);
	poke(f, ecam(0, 5, PCI_BAR0 + 4), 4, ~0u);
	assert_int_equal(peek(f, ecam(0, 5, PCI_BAR0), 4), (uint32_t)-BAR_BYTES | 0xc);
	assert_int_equal(peek(f, ecam(0, 5, PCI_BAR0 + 4), 4), 0xffffffff);
	/* Above 4 GiB */
	poke(f, ecam(0, 5, PCI_BAR0), 4, 0x10000000);
	poke(f, ecam(0, 5, PCI_BAR0 + 4), 4, 0x20);
	assert_int_equal(peek(f, 0x2010000012, 2), 0xffff); /* not decoded yet */
	poke(f, ecam(0, 5, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
	assert_int_equal(peek(f, 0x2010000012, 2), 1); /* number of queues */
	poke(f, ecam(0, 5, PCI_BAR0 + 4), 4, 0);
	assert_int_equal(peek(f, 0x2010000012, 2), 0xffff);
	assert_int_equal(peek(f, 0x10000012, 2), 1);
	poke(f, ecam(0, 5, PCI_COMMAND), 2, 0);
	assert_int_equal(peek(f, 0x10000012, 2), 0xffff);
	/* At 0, and over the end of all addresses: nowhere. */
	poke(f, ecam(0, 5, PCI_BAR0), 4, 0);
	poke(f, ecam(0, 5, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
	assert_int_equal(peek(f, 0x12, 2), 0xffff);
	poke(f, ecam(0, 5, PCI_BAR0), 4, ~0u);
	poke(f, ecam(0, 5, PCI_BAR0 + 4), 4, ~0u);
	assert_int_equal(peek(f, 0ull - BAR_BYTES + 0x12, 2), 1);
	fixture__destroy(f);
}

/* The one that was there first keeps its place, and gives it to the other when it goes. */
static void bars_that_overlap(void **state)
{
	struct fixture *f = create_bench();

	fixture__add(f, &device_class_virtio_rng, 0, "addr=5");
	fixture__add(f, &device_class_virtio_rng, 1, "addr=6");
	poke(f, ecam(0, 5, PCI_BAR0), 4, 0xd0000000);
	poke(f, ecam(0, 6, PCI_BAR0), 4, 0xd0000000);
	poke(f, ecam(0, 5, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
	poke(f, ecam(0, 6, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
	poke(f, 0xd0000014, 1, 1); /* status of device 5 */
	assert_int_equal(peek(f, 0xd0000014, 1), 1);
	poke(f, ecam(0, 5, PCI_BAR0), 4, 0xd1000000);
	assert_int_equal(peek(f, 0xd1000014, 1), 1);
	assert_int_equal(peek(f, 0xd0000014, 1), 0);
	/* On top of ECAM it is not decoded. */
	poke(f, ecam(0, 5, PCI_BAR0), 4, GUEST_ECAM);
	assert_int_equal(peek(f, ecam(0, 5, 0), 4), RNG_ID);
	fixture__destroy(f);
}

static void addresses_are_assigned(void **state)
{
	struct fixture *f = create_bench();
	uint64_t first, second, behind;

	fixture__add(f, &device_class_root_port, 0, NULL);
	fixture__add(f, &device_class_root_port, 1, NULL);
	fixture__add(f, &device_class_virtio_rng, 0, NULL);
	fixture__add(f, &device_class_virtio_rng, 1, NULL);
	fixture__add(f, &device_class_virtio_rng, 2, "port=2");
	assign(f);
	first = peek(f, ecam(0, 3, PCI_BAR0), 4) & ~15u;
	second = peek(f, ecam(0, 4, PCI_BAR0), 4) & ~15u;
	behind = peek(f, ecam(2, 0, PCI_BAR0), 4) & ~15u;
	assert_in_range(first, GUEST_PCI_WINDOW, GUEST_PCI_WINDOW_END - BAR_BYTES);
	assert_in_range(second, GUEST_PCI_WINDOW, GUEST_PCI_WINDOW_END - BAR_BYTES);
	assert_in_range(behind, GUEST_PCI_WINDOW, GUEST_PCI_WINDOW_END - BAR_BYTES);
	assert_int_equal(first % BAR_BYTES, 0);
	assert_int_equal(peek(f, first + 0x12, 2), 1);
	assert_int_equal(peek(f, second + 0x12, 2), 1);
	assert_int_equal(peek(f, behind + 0x12, 2), 1);
	assert_int_equal(peek(f, ecam(0, 1, PCI_BRIDGE_SECONDARY), 2), 0x0101);
	assert_int_equal(peek(f, ecam(0, 2, PCI_BRIDGE_SECONDARY), 2), 0x0202);
	/* Windows of a port with nothing behind it are closed. */
	assert_true((peek(f, ecam(0, 1, PCI_BRIDGE_PREFETCH_BASE), 2) & 0xfff0) >
		    (peek(f, ecam(0, 1, PCI_BRIDGE_PREFETCH_LIMIT), 2) & 0xfff0));
	assert_true((peek(f, ecam(0, 1, PCI_BRIDGE_IO_BASE), 1) & 0xf0) >
		    (peek(f, ecam(0, 1, PCI_BRIDGE_IO_LIMIT), 1) & 0xf0));
	fixture__destroy(f);
}

static void bridges_forward_what_is_in_their_windows(void **state)
{
	struct fixture *f = create_bench();

	fixture__add(f, &device_class_root_port, 0, "addr=1");
	fixture__add(f, &device_class_virtio_rng, 0, "port=1");
	/* No bus number: nothing is reached. */
	assert_int_equal(peek(f, ecam(7, 0, 0), 4), 0xffffffff);
	poke(f, ecam(0, 1, PCI_BRIDGE_PRIMARY), 4, 0x070700);
	assert_int_equal(peek(f, ecam(0, 1, 0), 4), PORT_ID);
	assert_int_equal(peek(f, ecam(7, 0, 0), 4), RNG_ID);
	assert_int_equal(peek(f, ecam(7, 1, 0), 4), 0xffffffff);
	poke(f, ecam(7, 0, PCI_BAR0), 4, 0xd0100000);
	poke(f, ecam(7, 0, PCI_COMMAND), 2, COMMAND_ON);
	assert_int_equal(peek(f, 0xd0100012, 2), 0xffff);
	poke(f, ecam(0, 1, PCI_BRIDGE_MEMORY_BASE), 4, 0xd010d010);
	assert_int_equal(peek(f, 0xd0100012, 2), 0xffff); /* the port does not decode */
	poke(f, ecam(0, 1, PCI_COMMAND), 2, COMMAND_ON);
	assert_int_equal(peek(f, 0xd0100012, 2), 1);
	poke(f, ecam(0, 1, PCI_BRIDGE_MEMORY_BASE), 4, 0xd020d020);
	assert_int_equal(peek(f, 0xd0100012, 2), 0xffff);
	/* The prefetchable window does as well, above 4 GiB. */
	poke(f, ecam(7, 0, PCI_BAR0 + 4), 4, 1);
	poke(f, ecam(0, 1, PCI_BRIDGE_PREFETCH_BASE), 4, 0xd010d010);
	poke(f, ecam(0, 1, PCI_BRIDGE_PREFETCH_BASE_HIGH), 4, 1);
	assert_int_equal(peek(f, 0x1d0100012, 2), 0xffff);
	poke(f, ecam(0, 1, PCI_BRIDGE_PREFETCH_LIMIT_HIGH), 4, 1);
	assert_int_equal(peek(f, 0x1d0100012, 2), 1);
	fixture__destroy(f);
}

static void places_are_checked(void **state)
{
	static const char *const bad[] = { "addr=20",	"addr=5.8", "addr=x",	"addr=",
					   "addr=5.1",	"addr=-1",  "port=2",	"addr=0",
					   "addr=1,port=1", "addr=5.0.0" };
	struct fixture *f = create_bench();
	char error[200];
	unsigned i;

	fixture__add(f, &device_class_root_port, 0, "addr=1");
	for (i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct device *dev;

		error[0] = '\0';
		assert_int_equal(device__create(&device_class_virtio_rng, 0, bad[i], &f->services, &dev,
						error, sizeof(error)),
				 0);
		assert_true(device__realize(dev, error, sizeof(error)) < 0);
		assert_non_null(strstr(error, "virtio-rng"));
		device__destroy(dev);
	}
	fixture__add(f, &device_class_virtio_rng, 0, "addr=5");
	fixture__add(f, &device_class_virtio_rng, 1, "addr=5.3");
	assert_int_equal(peek(f, ecam(0, 5, PCI_HEADER_TYPE), 1), PCI_HEADER_MULTIFUNCTION);
	assert_int_equal(peek(f, ecam(0, 5, 3 << 12), 4), RNG_ID);
	fixture__destroy(f);
}

static void msix_masks(void **state)
{
	struct fixture *f = create_bench();
	struct device *dev = fixture__add(f, &device_class_virtio_rng, 0, "addr=5");
	uint64_t table = 0xd0004000, pba = 0xd0005000;
	unsigned at;

	(void)dev;
	at = find_capability(f, 0, 5, PCI_CAP_MSIX);
	assert_int_equal(peek(f, ecam(0, 5, at + PCI_MSIX_CONTROL), 2), 1); /* two vectors */
	assert_int_equal(peek(f, ecam(0, 5, at + PCI_MSIX_TABLE), 4), 0x4000);
	assert_int_equal(peek(f, ecam(0, 5, at + PCI_MSIX_PBA), 4), 0x5000);
	poke(f, ecam(0, 5, PCI_BAR0), 4, 0xd0000000);
	poke(f, ecam(0, 5, PCI_COMMAND), 2, COMMAND_ON);
	assert_int_equal(peek(f, table + 12, 4), 1); /* masked at power-on */
	assert_int_equal(peek(f, table + 28, 4), 1);
	assert_int_equal(peek(f, table + 32, 4), 0); /* there is no third */
	poke(f, table + 16, 8, 0xfee01000);
	poke(f, table + 24, 8, 0x41);
	assert_int_equal(peek(f, table + 16, 4), 0xfee01000);
	poke(f, table + 16, 2, 0x1234); /* undefined: ignored */
	assert_int_equal(peek(f, table + 16, 4), 0xfee01000);
	assert_int_equal(peek(f, pba, 8), 0);
	poke(f, pba, 8, ~0ull);
	assert_int_equal(peek(f, pba, 8), 0);
	fixture__destroy(f);
}

/* What the hypervisor would have for the one wire that is used. */
static struct {
	int fd; /* -1: none */
	struct irq_message message;
	int answer;
} wired;

static int take_wire(void *opaque, int fd, const struct irq_message *message)
{
	if (!message) {
		assert_int_equal(fd, wired.fd);
		wired.fd = -1;
		return 0;
	}
	assert_int_equal(wired.fd, -1);
	if (!wired.answer) {
		wired.fd = fd;
		wired.message = *message;
	}
	return wired.answer;
}

/* Signals that have come through the wire since the last question. */
static unsigned signals(void)
{
	uint64_t count;

	return read(wired.fd, &count, sizeof(count)) == sizeof(count) ? (unsigned)count : 0;
}

#define TABLE 0xd0004000u
#define PENDING 0xd0005000u
#define ENTRY_CONTROL (TABLE + 12)

/* A device whose first vector sends FEE01000H, 41H by a wire; its MSI-X. */
static struct msix *create_wired(struct fixture *f, unsigned *control)
{
	wired.fd = -1;
	wired.answer = 0;
	f->messages.wire = take_wire;
	fixture__add(f, &device_class_virtio_rng, 0, "addr=5,irqfd=on");
	*control = find_capability(f, 0, 5, PCI_CAP_MSIX) + PCI_MSIX_CONTROL;
	poke(f, ecam(0, 5, PCI_BAR0), 4, 0xd0000000);
	poke(f, ecam(0, 5, PCI_COMMAND), 2, COMMAND_ON);
	poke(f, ecam(0, 5, *control), 2, PCI_MSIX_ENABLE);
	poke(f, TABLE, 8, 0xfee01000);
	poke(f, TABLE + 8, 4, 0x41);
	poke(f, ENTRY_CONTROL, 4, 0);
	return f->pci.root.function[5 << 3]->msix;
}

static void messages_by_wire(void **state)
{
	struct fixture *f = create_bench();
	unsigned control;
	struct msix *msix = create_wired(f, &control);

	assert_int_equal(wired.fd, -1); /* not before there is something to say */
	assert_true(msix__raise(msix, 0));
	assert_int_equal(wired.message.address, 0xfee01000);
	assert_int_equal(wired.message.data, 0x41);
	assert_int_equal(signals(), 1);
	assert_true(msix__raise(msix, 0));
	assert_int_equal(signals(), 1);
	assert_int_equal(peek(f, PENDING, 8), 0);
	/* Another message: the next signal sends that. */
	poke(f, TABLE + 8, 4, 0x42);
	assert_true(msix__raise(msix, 0));
	assert_int_equal(wired.message.data, 0x42);
	assert_int_equal(signals(), 1);
	/* A message is a write to memory. */
	poke(f, ecam(0, 5, PCI_COMMAND), 2, COMMAND_ON & ~PCI_COMMAND_MASTER);
	assert_true(msix__raise(msix, 0));
	assert_int_equal(signals(), 0);
	assert_int_equal(f->message_count, 0);
	fixture__destroy(f);
	assert_int_equal(wired.fd, -1);
}

static void a_mask_holds_back_what_is_on_the_wire(void **state)
{
	struct fixture *f = create_bench();
	unsigned control;
	struct msix *msix = create_wired(f, &control);

	/* Nobody has looked at the signal when the mask comes. */
	assert_true(msix__raise(msix, 0));
	poke(f, ENTRY_CONTROL, 4, 1);
	assert_int_equal(wired.fd, -1);
	assert_int_equal(peek(f, PENDING, 8), 1);
	poke(f, TABLE + 8, 4, 0x43);
	assert_int_equal(wired.fd, -1);
	poke(f, ENTRY_CONTROL, 4, 0);
	assert_int_equal(wired.message.data, 0x43);
	assert_int_equal(signals(), 1);
	assert_int_equal(peek(f, PENDING, 8), 0);
	/* The mask of the whole function; what was looked at is not pending. */
	poke(f, ecam(0, 5, control), 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
	assert_int_equal(wired.fd, -1);
	assert_int_equal(peek(f, PENDING, 8), 0);
	assert_true(msix__raise(msix, 0));
	assert_int_equal(peek(f, PENDING, 8), 1);
	poke(f, ecam(0, 5, control), 2, PCI_MSIX_ENABLE);
	assert_int_equal(signals(), 1);
	/* A reset forgets both. */
	assert_true(msix__raise(msix, 0));
	f->dev->next->class->reset(f->dev->next);
	assert_int_equal(wired.fd, -1);
	assert_int_equal(msix->pending[0], 0);
	fixture__destroy(f);
}

static void messages_go_straight_where_there_is_no_wire(void **state)
{
	struct fixture *f = create_bench();
	unsigned control;
	struct msix *msix = create_wired(f, &control);

	wired.answer = -ENOSPC;
	assert_true(msix__raise(msix, 0));
	assert_int_equal(wired.fd, -1);
	assert_int_equal(f->message_count, 1);
	assert_int_equal(f->message[0].data, 0x41);
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_to_configuration_space),
		cmocka_unit_test(what_is_constant_stays),
		cmocka_unit_test(bars_are_sized_and_moved),
		cmocka_unit_test(bars_that_overlap),
		cmocka_unit_test(addresses_are_assigned),
		cmocka_unit_test(bridges_forward_what_is_in_their_windows),
		cmocka_unit_test(places_are_checked),
		cmocka_unit_test(msix_masks),
		cmocka_unit_test(messages_by_wire),
		cmocka_unit_test(a_mask_holds_back_what_is_on_the_wire),
		cmocka_unit_test(messages_go_straight_where_there_is_no_wire),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
