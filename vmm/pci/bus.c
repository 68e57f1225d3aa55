/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buses: plugging functions in, configuration accesses, interrupt pins. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/pci/internal.h"
#include "vmm/pci/msix.h"

#define FUNCTIONS 8u
#define FIRST_FREE_SLOT 1u
#define LAST_FREE_SLOT 0x1eu /* 1fH is where a PC has its ISA bridge */

#define PIC_INPUTS 16
#define WIRE_IOAPIC 0
#define WIRE_PIC 1

void pci__init(struct pci *pci, struct dispatch *ports, struct dispatch *mmio,
	       struct irq_hub *irqs)
{
	memset(pci, 0, sizeof(*pci));
	pthread_mutex_init(&pci->lock, NULL);
	pthread_mutex_init(&pci->intx_lock, NULL);
	pci->ports = ports;
	pci->mmio = mmio;
	pci->irqs = irqs;
	memset(pci->pirq_irq, PCI_PIRQ_NOWHERE, sizeof(pci->pirq_irq));
}

void pci__destroy(struct pci *pci)
{
	pthread_mutex_destroy(&pci->intx_lock);
	pthread_mutex_destroy(&pci->lock);
}

void pci_bus__visit(struct pci_bus *bus, void (*visit)(struct pci_function *function))
{
	unsigned devfn;

	for (devfn = 0; devfn < PCI_DEVFNS; devfn++) {
		struct pci_function *function = bus->function[devfn];

		if (!function)
			continue;
		visit(function);
		if (function->secondary)
			pci_bus__visit(function->secondary, visit);
	}
}

/* ---- plugging in ---- */

static int parse_address(const char *text, unsigned *devfn)
{
	unsigned long slot, function = 0;
	char *end;

	slot = strtoul(text, &end, 16);
	if (end == text || *text == '-' || *text == '+')
		return -EINVAL;
	if (*end == '.') {
		text = end + 1;
		function = strtoul(text, &end, 16);
		if (end == text || *text == '-' || *text == '+')
			return -EINVAL;
	}
	if (*end || slot >= PCI_SLOTS || function >= FUNCTIONS)
		return -EINVAL;
	*devfn = PCI_DEVFN((unsigned)slot, (unsigned)function);
	return 0;
}

static int find_free_slot(const struct pci_bus *bus, unsigned *devfn)
{
	unsigned slot;

	if (bus->bridge) {
		*devfn = 0; /* a link has one device, in slot 0 */
		return bus->function[0] ? -EBUSY : 0;
	}
	for (slot = FIRST_FREE_SLOT; slot <= LAST_FREE_SLOT; slot++)
		if (!bus->function[PCI_DEVFN(slot, 0)]) {
			*devfn = PCI_DEVFN(slot, 0);
			return 0;
		}
	return -EBUSY;
}

static int choose_place(struct pci *pci, const struct pci_place *place, struct pci_bus **bus,
			unsigned *devfn, const char **why)
{
	int err;

	*bus = &pci->root;
	if (place && place->port > pci->port_count) {
		*why = "port: there is no such root port";
		return -EINVAL;
	}
	if (place && place->port)
		*bus = pci->port[place->port - 1];
	if (!place || !place->address) {
		*why = "no slot is free; root ports have one each";
		return find_free_slot(*bus, devfn);
	}
	err = parse_address(place->address, devfn);
	*why = "addr: must be a slot from 0 to 1f, and a function from 0 to 7 behind a dot";
	if (!err && (*bus)->bridge && PCI_SLOT(*devfn)) {
		*why = "addr: a root port has slot 0 only";
		err = -EINVAL;
	}
	if (!err && PCI_FUNCTION(*devfn) && !(*bus)->function[*devfn & ~7u]) {
		*why = "addr: function 0 of the slot must come first";
		err = -EINVAL;
	}
	if (!err && (*bus)->function[*devfn]) {
		*why = "addr: another device is there";
		err = -EBUSY;
	}
	return err;
}

static void connect_pins(struct pci_function *function)
{
	struct pci *pci = function->pci;
	const struct pci_function *at = function;
	unsigned pin = 0;

	/* PCI-to-PCI Bridge 1.2, 9.1: each bridge turns the pins by the slot. */
	for (; at->bus->bridge; at = at->bus->bridge)
		pin = (PCI_SLOT(at->devfn) + pin) % 4;
	irq_wire__connect(&function->wire[WIRE_IOAPIC], pci->irqs,
			  PCI_PIRQ_GSI + pci__pirq(PCI_SLOT(at->devfn), pin));
}

int pci_function__plug(struct pci_function *function, const struct pci_place *place, char *error,
		       size_t error_size)
{
	struct pci *pci = function->pci;
	struct pci_bus *bus;
	const char *why = "";
	unsigned devfn;
	int err = choose_place(pci, place, &bus, &devfn, &why);

	if (!err && function->secondary && pci->port_count == PCI_PORTS) {
		why = "too many root ports";
		err = -ENOSPC;
	}
	if (err) {
		snprintf(error, error_size, "device %s: %s", function->dev->class->name, why);
		return err;
	}
	pthread_mutex_lock(&pci->lock);
	function->bus = bus;
	function->devfn = (uint8_t)devfn;
	bus->function[devfn] = function;
	if (function->secondary)
		pci->port[pci->port_count++] = function->secondary;
	if (PCI_FUNCTION(devfn)) {
		struct pci_function *first = bus->function[devfn & ~7u];

		first->preset[PCI_HEADER_TYPE] |= PCI_HEADER_MULTIFUNCTION;
		first->config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTIFUNCTION;
	}
	connect_pins(function);
	pci_function__refresh_intx(function);
	pthread_mutex_unlock(&pci->lock);
	return 0;
}

void pci_function__unplug(struct pci_function *function)
{
	struct pci *pci = function->pci;

	if (!function->bus)
		return;
	pci_function__set_intx(function, false);
	pthread_mutex_lock(&pci->lock);
	/* No decoding: what is mapped goes. */
	pci_function__write(function, PCI_COMMAND, 2, 0);
	pci_function__update(function);
	function->bus->function[function->devfn] = NULL;
	function->bus = NULL;
	if (function->secondary)
		pci->port_count--; /* the last one first */
	pthread_mutex_unlock(&pci->lock);
}

/* ---- configuration accesses ---- */

static struct pci_function *find_function(struct pci_bus *bus, unsigned number, unsigned devfn)
{
	unsigned at;

	if (!number)
		return bus->function[devfn];
	/* Not the first bus of that number but the one that bridges forward to, as hardware does. */
	for (at = 0; at < PCI_DEVFNS; at++) {
		struct pci_function *bridge = bus->function[at];

		if (!bridge || !bridge->secondary)
			continue;
		if (number == bridge->config[PCI_BRIDGE_SECONDARY])
			return bridge->secondary->function[devfn];
	}
	return NULL;
}

static bool touches(unsigned reg, unsigned size, unsigned first, unsigned end)
{
	return reg < end && reg + size > first;
}

/* The status bit shows the pin whether or not the command register lets it out (6.2.3). */
static void show_pin(struct pci_function *function, unsigned reg, struct access *access)
{
	pthread_mutex_lock(&function->pci->intx_lock);
	if (function->intx && touches(reg, access->size, PCI_STATUS, PCI_STATUS + 1))
		access->value |= (uint64_t)PCI_STATUS_INTX << 8 * (PCI_STATUS - reg);
	pthread_mutex_unlock(&function->pci->intx_lock);
}

/* The lock is held. */
static void read_register(struct pci_function *function, unsigned reg, struct access *access)
{
	/* Without extended capabilities what follows reads as zeros; conventional ones have none. */
	access->value = function->express ? 0 : ~0ull;
	if (reg + access->size <= PCI_CONFIG_BYTES) {
		access->value = 0;
		memcpy(&access->value, &function->config[reg], access->size);
		show_pin(function, reg, access);
	}
}

/* The lock is held. */
static void write_register(struct pci_function *function, unsigned reg,
			   const struct access *access)
{
	unsigned i, size = access->size;

	if (reg + size > PCI_CONFIG_BYTES)
		return;
	for (i = 0; i < size; i++) {
		uint8_t value = (uint8_t)(access->value >> 8 * i), *byte = &function->config[reg + i];
		uint8_t writable = function->writable[reg + i];

		*byte = (uint8_t)((*byte & ~writable) | (value & writable));
		*byte &= (uint8_t)~(value & function->clearable[reg + i]);
	}
	if (function->msix && touches(reg, size, function->msix->capability,
				      function->msix->capability + PCI_MSIX_BYTES))
		msix__update(function->msix);
	if (touches(reg, size, PCI_COMMAND, PCI_STATUS))
		pci_function__refresh_intx(function);
	if (touches(reg, size, PCI_COMMAND, PCI_STATUS) ||
	    touches(reg, size, PCI_BAR0,
		    function->secondary ? PCI_BRIDGE_IO_BASE_HIGH : PCI_BAR0 + 4 * PCI_BARS))
		pci_function__update(function);
}

void pci__config(struct pci *pci, unsigned bus, unsigned devfn, struct access *access)
{
	unsigned reg = (unsigned)access->offset;
	struct pci_function *function;

	pthread_mutex_lock(&pci->lock);
	function = find_function(&pci->root, bus, devfn);
	pthread_mutex_unlock(&pci->lock);
	if (!function) /* functions stay plugged in while the machine runs */
		return;
	if (!access->write && function->ops && function->ops->before_read)
		function->ops->before_read(function, reg, access->size);
	pthread_mutex_lock(&pci->lock);
	if (access->write)
		write_register(function, reg, access);
	else
		read_register(function, reg, access);
	pthread_mutex_unlock(&pci->lock);
	if (access->write && function->ops && function->ops->after_write)
		function->ops->after_write(function, reg, access->size);
}

/* ---- interrupt pins ---- */

/* intx_lock is held. */
static void drive_wires(struct pci_function *function)
{
	bool level = function->intx && !function->intx_off;

	irq_wire__set(&function->wire[WIRE_IOAPIC], level);
	irq_wire__set(&function->wire[WIRE_PIC], level);
}

void pci_function__set_intx(struct pci_function *function, bool level)
{
	pthread_mutex_lock(&function->pci->intx_lock);
	function->intx = level;
	drive_wires(function);
	pthread_mutex_unlock(&function->pci->intx_lock);
}

/* The lock is held. */
static void refresh_pins(struct pci_function *function)
{
	struct pci *pci = function->pci;
	struct irq_wire *pic = &function->wire[WIRE_PIC];
	uint8_t irq;

	pthread_mutex_lock(&pci->intx_lock);
	function->intx_off = pci_function__read(function, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX;
	irq = pci->pirq_irq[function->wire[WIRE_IOAPIC].gsi - PCI_PIRQ_GSI];
	if (irq == PCI_PIRQ_NOWHERE || irq != pic->gsi) {
		irq_wire__set(pic, false);
		pic->hub = NULL;
	}
	if (irq != PCI_PIRQ_NOWHERE && !pic->hub)
		irq_wire__connect(pic, pci->irqs, irq);
	drive_wires(function);
	pthread_mutex_unlock(&pci->intx_lock);
}

void pci_function__refresh_intx(struct pci_function *function)
{
	if (function->bus)
		refresh_pins(function);
}

void pci__route_pirq(struct pci *pci, unsigned pirq, uint8_t irq)
{
	pthread_mutex_lock(&pci->intx_lock);
	pci->pirq_irq[pirq] = irq < PIC_INPUTS ? irq : PCI_PIRQ_NOWHERE;
	pthread_mutex_unlock(&pci->intx_lock);
	pthread_mutex_lock(&pci->lock);
	pci_bus__visit(&pci->root, refresh_pins);
	pthread_mutex_unlock(&pci->lock);
}
