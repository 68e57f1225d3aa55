/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BARs: mapped while decoding is enabled and every bridge above forwards their range. Two that
 * overlap: the one that came first stays, the other is tried again when something changes.
 */
#include "vmm/memory/dispatch.h"
#include "vmm/pci/internal.h"

#define ADDRESS_BITS_IO (~3ull)
#define ADDRESS_BITS_MEMORY (~15ull)

static bool is_io(const struct pci_bar *bar)
{
	return bar->bits & PCI_BAR_IO_BIT;
}

/* PCI-to-PCI Bridge 1.2, 3.2.5.6 to 3.2.5.10. */
bool pci_bridge__window(const struct pci_function *bridge, enum pci_space space, uint64_t *first,
			uint64_t *last)
{
	uint64_t base, limit;

	switch (space) {
	case PCI_SPACE_IO:
		base = (uint64_t)(pci_function__read(bridge, PCI_BRIDGE_IO_BASE, 1) & 0xf0) << 8;
		limit = (uint64_t)(pci_function__read(bridge, PCI_BRIDGE_IO_LIMIT, 1) & 0xf0) << 8 |
			0xfff;
		break;
	case PCI_SPACE_MEMORY:
		base = (uint64_t)(pci_function__read(bridge, PCI_BRIDGE_MEMORY_BASE, 2) & 0xfff0)
		       << 16;
		limit = (uint64_t)(pci_function__read(bridge, PCI_BRIDGE_MEMORY_LIMIT, 2) & 0xfff0)
				<< 16 |
			0xfffff;
		break;
	default:
		base = (uint64_t)(pci_function__read(bridge, PCI_BRIDGE_PREFETCH_BASE, 2) & 0xfff0)
			       << 16 |
		       (uint64_t)pci_function__read(bridge, PCI_BRIDGE_PREFETCH_BASE_HIGH, 4) << 32;
		limit = (uint64_t)(pci_function__read(bridge, PCI_BRIDGE_PREFETCH_LIMIT, 2) & 0xfff0)
				<< 16 |
			0xfffff |
			(uint64_t)pci_function__read(bridge, PCI_BRIDGE_PREFETCH_LIMIT_HIGH, 4)
				<< 32;
	}
	*first = base;
	*last = limit;
	return base <= limit;
}

static bool in_window(const struct pci_function *bridge, enum pci_space space, uint64_t address,
		      uint64_t size)
{
	uint64_t first, last;

	return pci_bridge__window(bridge, space, &first, &last) && address >= first &&
	       address <= last && size - 1 <= last - address;
}

/* Whether accesses from the CPUs get to the bus that `bridge` leads to. */
static bool forwards(const struct pci_function *bridge, bool io, uint64_t address, uint64_t size)
{
	uint32_t command;

	for (; bridge; bridge = bridge->bus->bridge) {
		if (!bridge->bus)
			return false;
		command = pci_function__read(bridge, PCI_COMMAND, 2);
		if (!(command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
			return false;
		if (io ? !in_window(bridge, PCI_SPACE_IO, address, size)
		       : !in_window(bridge, PCI_SPACE_MEMORY, address, size) &&
				 !in_window(bridge, PCI_SPACE_PREFETCH, address, size))
			return false;
	}
	return true;
}

/* Where the registers put the BAR. False: nowhere. */
static bool wanted_address(const struct pci_function *function, unsigned number, uint64_t *address)
{
	const struct pci_bar *bar = &function->bar[number];
	uint32_t command = pci_function__read(function, PCI_COMMAND, 2);
	unsigned reg = PCI_BAR0 + 4 * number;

	if (!bar->size || !function->bus ||
	    !(command & (is_io(bar) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
		return false;
	*address = pci_function__read(function, reg, 4) &
		   (is_io(bar) ? ADDRESS_BITS_IO : ADDRESS_BITS_MEMORY);
	if (bar->bits & PCI_BAR_64_BITS)
		*address |= (uint64_t)pci_function__read(function, reg + 4, 4) << 32;
	/* Neither at 0, which means "not placed", nor over the end of the space. */
	if (!*address || *address + (bar->size - 1) < *address ||
	    (is_io(bar) && *address + (bar->size - 1) > 0xffff))
		return false;
	return forwards(function->bus->bridge, is_io(bar), *address, bar->size);
}

static void tell(struct pci_function *function, unsigned number)
{
	if (function->ops && function->ops->moved)
		function->ops->moved(function, number);
}

static void update_bar(struct pci_function *function, unsigned number)
{
	struct pci_bar *bar = &function->bar[number];
	struct dispatch *dispatch = is_io(bar) ? function->pci->ports : function->pci->mmio;
	struct dispatch_range range = {
		.size = bar->size, .width = bar->width, .handler = bar->access, .opaque = bar->opaque
	};
	bool wanted = wanted_address(function, number, &range.start);

	if (bar->mapped && (!wanted || range.start != bar->address)) {
		bar->mapped = false;
		dispatch__remove(dispatch, bar->address);
		tell(function, number);
	}
	if (wanted && !bar->mapped && !dispatch__add(dispatch, &range)) {
		bar->mapped = true;
		bar->address = range.start;
		tell(function, number);
	}
}

static void update_mastering(struct pci_function *function)
{
	const struct pci_function *at = function;
	bool may = true;

	while (at && may) {
		may = at->bus && pci_function__read(at, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
		at = may ? at->bus->bridge : NULL;
	}
	if (atomic_exchange(&function->may_master, may) == may)
		return;
	if (function->ops && function->ops->mastering)
		function->ops->mastering(function, may);
}

static void update_one(struct pci_function *function)
{
	unsigned number;

	for (number = 0; number < PCI_BARS; number++)
		update_bar(function, number);
	update_mastering(function);
}

static void retry_bars(struct pci_function *function)
{
	unsigned number;

	for (number = 0; number < PCI_BARS; number++)
		if (function->bar[number].size && !function->bar[number].mapped)
			update_bar(function, number);
}

void pci_function__update(struct pci_function *function)
{
	update_one(function);
	if (function->secondary)
		pci_bus__visit(function->secondary, update_one);
	/* What could not be mapped for want of room may fit now. */
	pci_bus__visit(&function->pci->root, retry_bars);
}
