/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placing resources. Everything on a bus is placed by falling size, so that what is smaller needs
 * no gap; a bridge's window is as large as what was placed behind it and aligned to the largest.
 */
#include "vmm/pci/assign.h"

#include "vmm/memory/guest_memory.h"
#include "vmm/pci/internal.h"

#define IO_GRANULE 0x1000ull
#define MEMORY_GRANULE 0x100000ull
#define SPACES 3

/* Prefetchable BARs of 64 bits go below 4 GiB, where every kernel reaches them, up to this. */
#define LOW_PREFETCH_MOST (64ull << 20)

/* Above what a PC has on its board. */
#define IO_FIRST 0xc000u
/* The window above RAM: where the addresses of AMD's HyperTransport begin is far behind it. */
#define HIGH_ALIGN (1ull << 30)
#define HIGH_MOST (512ull << 30)

#define PIC_IRQ_EVEN 10
#define PIC_IRQ_ODD 11

struct area {
	uint64_t next, last;
	bool full;
};

struct need {
	uint64_t size, align;
};

/* A link has one device. */
static unsigned devfns_of(const struct pci_bus *bus)
{
	return bus->bridge ? 8 : PCI_DEVFNS;
}

static enum pci_space space_of(const struct pci_bar *bar)
{
	if (bar->bits & PCI_BAR_IO_BIT)
		return PCI_SPACE_IO;
	return bar->bits & PCI_BAR_64_BITS && bar->bits & PCI_BAR_PREFETCHABLE ? PCI_SPACE_PREFETCH
										: PCI_SPACE_MEMORY;
}

static uint64_t granule_of(enum pci_space space)
{
	return space == PCI_SPACE_IO ? IO_GRANULE : MEMORY_GRANULE;
}

static void write_bar(struct pci_function *function, unsigned number, uint64_t address)
{
	const struct pci_bar *bar = &function->bar[number];
	unsigned reg = PCI_BAR0 + 4 * number;

	pci_function__write(function, reg, 4, (uint32_t)address | bar->bits);
	if (bar->bits & PCI_BAR_64_BITS)
		pci_function__write(function, reg + 4, 4, (uint32_t)(address >> 32));
}

/* first > last closes it. */
static void write_window(struct pci_function *bridge, enum pci_space space, uint64_t first,
			 uint64_t last)
{
	switch (space) {
	case PCI_SPACE_IO:
		pci_function__write(bridge, PCI_BRIDGE_IO_BASE, 1, first >> 8 & 0xf0);
		pci_function__write(bridge, PCI_BRIDGE_IO_LIMIT, 1, last >> 8 & 0xf0);
		break;
	case PCI_SPACE_MEMORY:
		pci_function__write(bridge, PCI_BRIDGE_MEMORY_BASE, 2, first >> 16 & 0xfff0);
		pci_function__write(bridge, PCI_BRIDGE_MEMORY_LIMIT, 2, last >> 16 & 0xfff0);
		break;
	case PCI_SPACE_PREFETCH:
		pci_function__write(bridge, PCI_BRIDGE_PREFETCH_BASE, 2, (first >> 16 & 0xfff0) | 1);
		pci_function__write(bridge, PCI_BRIDGE_PREFETCH_LIMIT, 2, (last >> 16 & 0xfff0) | 1);
		pci_function__write(bridge, PCI_BRIDGE_PREFETCH_BASE_HIGH, 4,
				    (uint32_t)(first >> 32));
		pci_function__write(bridge, PCI_BRIDGE_PREFETCH_LIMIT_HIGH, 4,
				    (uint32_t)(last >> 32));
		break;
	}
}

/* Room for `need` in the area. False, and the area says so, if there is none. */
static bool take(struct area *area, const struct need *need, uint64_t *address)
{
	uint64_t at = ALIGN_UP_TO(area->next, need->align);

	if (at < area->next || at > area->last || need->size - 1 > area->last - at) {
		area->full = true;
		return false;
	}
	*address = at;
	area->next = at + need->size;
	return true;
}

static struct need measure_bus(const struct pci_bus *bus, enum pci_space space);

/* What the function needs on its bus in one go: BAR `item`, or (PCI_BARS) the window behind it. */
static struct need measure_item(const struct pci_function *function, unsigned item,
				enum pci_space space)
{
	struct need need = { 0, 0 };

	if (item < PCI_BARS) {
		if (function->bar[item].size && space_of(&function->bar[item]) == space)
			need.size = need.align = function->bar[item].size;
	} else if (function->secondary) {
		need = measure_bus(function->secondary, space);
	}
	return need;
}

/* Calls for every item whose alignment is `align`, on this bus. */
static void place_aligned(struct pci_bus *bus, enum pci_space space, uint64_t align,
			  struct area *area);

/* Alignments are powers of two: from the largest down, each once. */
static void place_bus(struct pci_bus *bus, enum pci_space space, struct area *area)
{
	unsigned shift;

	for (shift = 64; shift--;)
		place_aligned(bus, space, 1ull << shift, area);
}

static void place_item(struct pci_function *function, unsigned item, enum pci_space space,
		       const struct need *need, struct area *area)
{
	struct area behind;
	uint64_t address;

	if (!take(area, need, &address))
		return;
	if (item < PCI_BARS) {
		write_bar(function, item, address);
		return;
	}
	behind = (struct area){ .next = address, .last = address + need->size - 1 };
	write_window(function, space, behind.next, behind.last);
	place_bus(function->secondary, space, &behind);
}

static void place_aligned(struct pci_bus *bus, enum pci_space space, uint64_t align,
			  struct area *area)
{
	unsigned devfn, item;

	for (devfn = 0; devfn < devfns_of(bus); devfn++)
		for (item = 0; bus->function[devfn] && item <= PCI_BARS; item++) {
			struct need need = measure_item(bus->function[devfn], item, space);

			if (need.size && need.align == align)
				place_item(bus->function[devfn], item, space, &need, area);
		}
}

/* The size of the window for a bus: every item at its alignment, from the largest down. */
static struct need measure_bus(const struct pci_bus *bus, enum pci_space space)
{
	struct need total = { 0, granule_of(space) };
	unsigned shift, devfn, item;

	for (shift = 64; shift--;)
		for (devfn = 0; devfn < devfns_of(bus); devfn++)
			for (item = 0; bus->function[devfn] && item <= PCI_BARS; item++) {
				struct need need = measure_item(bus->function[devfn], item, space);

				if (!need.size || need.align != 1ull << shift)
					continue;
				total.size = ALIGN_UP_TO(total.size, need.align) + need.size;
				total.align = MAX_OF(total.align, need.align);
			}
	total.size = ALIGN_UP_TO(total.size, granule_of(space));
	return total;
}

static void number_buses(struct pci *pci)
{
	unsigned port;

	for (port = 0; port < pci->port_count; port++) {
		struct pci_function *bridge = pci->port[port]->bridge;

		pci_function__write(bridge, PCI_BRIDGE_PRIMARY, 1, 0);
		pci_function__write(bridge, PCI_BRIDGE_SECONDARY, 1, port + 1);
		pci_function__write(bridge, PCI_BRIDGE_SUBORDINATE, 1, port + 1);
	}
}

static void close_windows(struct pci_function *function)
{
	enum pci_space space;

	if (function->secondary)
		for (space = PCI_SPACE_IO; space < SPACES; space++)
			write_window(function, space, ~0xfffull, 0);
}

/* Decoding is for all BARs of a space or none: a function with one that has no place stays off. */
static uint32_t decodable(const struct pci_function *function)
{
	uint32_t command = PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
	unsigned number;

	for (number = 0; number < PCI_BARS; number++) {
		const struct pci_bar *bar = &function->bar[number];
		uint32_t value = pci_function__read(function, PCI_BAR0 + 4 * number, 4);

		if (bar->size && value == bar->bits &&
		    (!(bar->bits & PCI_BAR_64_BITS) ||
		     !pci_function__read(function, PCI_BAR0 + 4 * number + 4, 4)))
			command &= bar->bits & PCI_BAR_IO_BIT ? ~PCI_COMMAND_IO
							      : ~PCI_COMMAND_MEMORY;
	}
	return command;
}

static void enable(struct pci_function *function)
{
	uint32_t command = decodable(function) | (function->secondary ? PCI_COMMAND_MASTER : 0);
	unsigned pirq = function->wire[0].gsi - PCI_PIRQ_GSI;

	pci_function__write(function, PCI_COMMAND, 2, command);
	if (function->config[PCI_INTERRUPT_PIN])
		function->config[PCI_INTERRUPT_LINE] = pirq % 2 ? PIC_IRQ_ODD : PIC_IRQ_EVEN;
}

/* The lock is held. */
static void assign(struct pci *pci, const struct pci_windows *windows)
{
	struct area io = { .next = windows->io_first, .last = windows->io_last };
	struct area low = { .next = windows->low_first, .last = windows->low_last };
	struct area high = { .next = windows->high_first, .last = windows->high_last };
	struct need prefetch = measure_bus(&pci->root, PCI_SPACE_PREFETCH);

	number_buses(pci);
	pci_bus__visit(&pci->root, close_windows);
	place_bus(&pci->root, PCI_SPACE_IO, &io);
	place_bus(&pci->root, PCI_SPACE_MEMORY, &low);
	place_bus(&pci->root, PCI_SPACE_PREFETCH,
		  prefetch.size > LOW_PREFETCH_MOST && high.next < high.last ? &high : &low);
	pci_bus__visit(&pci->root, enable);
	pci_bus__visit(&pci->root, pci_function__update);
}

void pci_windows__init(struct pci_windows *windows, const struct device_services *services)
{
	uint64_t end = guest_memory__end(services->memory);
	uint64_t most = services->address_bits < 63 ? 1ull << services->address_bits : INT64_MAX;

	end = MAX_OF(end, GUEST_HIGH_RAM_START);
	*windows = (struct pci_windows){
		.io_first = IO_FIRST,
		.io_last = 0xffff,
		.low_first = GUEST_PCI_WINDOW,
		.low_last = GUEST_PCI_WINDOW_END - 1,
		.high_first = ALIGN_UP_TO(end, HIGH_ALIGN),
	};
	/* Firmware has ideas of its own; OVMF takes the last eighth of what there is. */
	windows->high_last =
		services->firmware ? most - 1 : MIN_OF(windows->high_first + HIGH_MOST, most) - 1;
}

void pci__assign(struct pci *pci, const struct pci_windows *windows)
{
	unsigned pirq;

	pthread_mutex_lock(&pci->lock);
	assign(pci, windows);
	pthread_mutex_unlock(&pci->lock);
	for (pirq = 0; pirq < PCI_PIRQS; pirq++)
		pci__route_pirq(pci, pirq, pirq % 2 ? PIC_IRQ_ODD : PIC_IRQ_EVEN);
}
