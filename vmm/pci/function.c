/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function's configuration space: header, capabilities, what the guest may change. */
#include "vmm/pci/pci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/pci/internal.h"
#include "vmm/pci/msix.h"

#define FIRST_CAPABILITY 0x40u
#define CAPABILITY_ALIGN 4u

static void preset16(struct pci_function *function, unsigned reg, unsigned value)
{
	function->preset[reg] = (uint8_t)value;
	function->preset[reg + 1] = (uint8_t)(value >> 8);
}

static void allow16(struct pci_function *function, unsigned reg, unsigned bits)
{
	function->writable[reg] |= (uint8_t)bits;
	function->writable[reg + 1] |= (uint8_t)(bits >> 8);
}

/* PCI-to-PCI Bridge 1.2, 3.2.5. Windows: I/O with 16 bits, memory, prefetchable with 64 bits. */
static void init_bridge(struct pci_function *function)
{
	memset(&function->writable[PCI_BRIDGE_PRIMARY], 0xff, 3);
	function->writable[PCI_BRIDGE_IO_BASE] = 0xf0;
	function->writable[PCI_BRIDGE_IO_LIMIT] = 0xf0;
	allow16(function, PCI_BRIDGE_MEMORY_BASE, 0xfff0);
	allow16(function, PCI_BRIDGE_MEMORY_LIMIT, 0xfff0);
	allow16(function, PCI_BRIDGE_PREFETCH_BASE, 0xfff0);
	allow16(function, PCI_BRIDGE_PREFETCH_LIMIT, 0xfff0);
	preset16(function, PCI_BRIDGE_PREFETCH_BASE, 1);
	preset16(function, PCI_BRIDGE_PREFETCH_LIMIT, 1);
	memset(&function->writable[PCI_BRIDGE_PREFETCH_BASE_HIGH], 0xff, 8);
	allow16(function, PCI_BRIDGE_CONTROL, 0x0003 | PCI_BRIDGE_CONTROL_RESET);
	preset16(function, PCI_HEADER_TYPE, PCI_HEADER_BRIDGE);
}

void pci_function__init(struct pci_function *function, struct device *dev,
			const struct pci_identity *identity, struct pci_bus *secondary,
			const struct pci_function_ops *ops)
{
	function->dev = dev;
	function->pci = dev->services->pci;
	function->ops = ops;
	function->secondary = secondary;
	function->config_end = FIRST_CAPABILITY;
	function->last_link = PCI_CAPABILITIES;
	preset16(function, PCI_VENDOR, identity->vendor);
	preset16(function, PCI_DEVICE, identity->device);
	function->preset[PCI_REVISION] = identity->revision;
	function->preset[PCI_CLASS] = (uint8_t)identity->class_code;
	preset16(function, PCI_CLASS + 1, identity->class_code >> 8);
	allow16(function, PCI_COMMAND,
		PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
			PCI_COMMAND_SERR | PCI_COMMAND_NO_INTX);
	function->writable[PCI_CACHE_LINE] = 0xff;
	function->writable[PCI_INTERRUPT_LINE] = 0xff;
	if (secondary) {
		secondary->bridge = function;
		init_bridge(function);
	} else {
		preset16(function, PCI_SUBSYSTEM_VENDOR, identity->subsystem_vendor);
		preset16(function, PCI_SUBSYSTEM, identity->subsystem);
	}
	memcpy(function->config, function->preset, sizeof(function->config));
}

unsigned pci_function__add_capability(struct pci_function *function, uint8_t id, const void *bytes,
				      size_t size, const uint8_t *writable)
{
	unsigned at = function->config_end;

	if (size < 2 || size > PCI_CONFIG_BYTES - at)
		return 0;
	memcpy(&function->preset[at], bytes, size);
	function->preset[at] = id;
	function->preset[at + 1] = 0;
	if (writable)
		memcpy(&function->writable[at], writable, size);
	function->preset[function->last_link] = (uint8_t)at;
	function->preset[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	function->last_link = at + 1;
	function->config_end = ALIGN_UP_TO(at + (unsigned)size, CAPABILITY_ALIGN);
	memcpy(function->config, function->preset, sizeof(function->config));
	return at;
}

static void set16(uint8_t *bytes, unsigned reg, unsigned value)
{
	bytes[reg] = (uint8_t)value;
	bytes[reg + 1] = (uint8_t)(value >> 8);
}

/*
 * Version 2 of the structure, PCI Express 3.0, 7.8. A link that is up at its one speed and width
 * (2.5 GT/s, x1); no error reporting, no power management, no hot plug.
 */
int pci_function__add_express(struct pci_function *function, unsigned type, unsigned port)
{
	uint8_t bytes[PCI_EXP_BYTES] = { 0 }, writable[PCI_EXP_BYTES] = { 0 };
	bool is_port = type == PCI_EXP_TYPE_ROOT_PORT;

	set16(bytes, PCI_EXP_FLAGS, 2 | type << 4 | (is_port ? 1u << 8 : 0)); /* slot implemented */
	set16(bytes, PCI_EXP_DEVICE_CAP, 0x8000); /* role-based error reporting */
	set16(writable, PCI_EXP_DEVICE_CONTROL, 0x78ff); /* all but reset and extended tags */
	set16(bytes, PCI_EXP_DEVICE_CONTROL, 0x2810);	 /* as 7.8.4 has it at power-on */
	if (type != PCI_EXP_TYPE_INTEGRATED) {
		set16(bytes, PCI_EXP_LINK_CAP, 0x0011);
		bytes[PCI_EXP_LINK_CAP + 2] = is_port ? 0x10 : 0; /* reports an active link */
		bytes[PCI_EXP_LINK_CAP + 3] = (uint8_t)port;
		set16(writable, PCI_EXP_LINK_CONTROL, 0x00c0);
		set16(bytes, PCI_EXP_LINK_STATUS, 0x0011 | (is_port ? 0x2000 : 0));
		bytes[PCI_EXP_LINK_CONTROL2] = 1; /* target speed */
	}
	if (is_port) {
		/* Physical slot number in bits 31:19; a device is present as far as there is one. */
		set16(bytes, PCI_EXP_SLOT_CAP + 2, port << 3);
		set16(writable, PCI_EXP_ROOT_CONTROL, 0x0017);
	}
	set16(writable, PCI_EXP_DEVICE_CONTROL2, 0x001f);
	function->express = pci_function__add_capability(function, PCI_CAP_EXPRESS, bytes,
							 sizeof(bytes), writable);
	return function->express ? 0 : -ENOSPC;
}

void pci_function__add_bar(struct pci_function *function, unsigned bar, const struct pci_bar *what)
{
	unsigned reg = PCI_BAR0 + 4 * bar, i;
	uint64_t address_bits = ~(what->size - 1);

	function->bar[bar] = *what;
	function->preset[reg] = (uint8_t)what->bits;
	for (i = 0; i < (what->bits & PCI_BAR_64_BITS ? 8u : 4u); i++)
		function->writable[reg + i] = (uint8_t)(address_bits >> 8 * i);
	memcpy(function->config, function->preset, sizeof(function->config));
}

void pci_function__add_intx(struct pci_function *function)
{
	function->preset[PCI_INTERRUPT_PIN] = 1;
	function->config[PCI_INTERRUPT_PIN] = 1;
}

size_t pci_function__firmware_path(const struct pci_function *function, const char *name, char *path,
				   size_t size)
{
	const struct pci_bus *bus = function->bus;
	size_t at;

	if (!bus)
		return 0;
	at = bus->bridge ? pci_function__firmware_path(bus->bridge, "pci-bridge", path, size)
			 : (size_t)snprintf(path, size, "/pci@i0cf8");
	if (at < size)
		at += (size_t)snprintf(path + at, size - at, "/%s@%x", name, PCI_SLOT(function->devfn));
	if (at < size && PCI_FUNCTION(function->devfn))
		at += (size_t)snprintf(path + at, size - at, ",%x", PCI_FUNCTION(function->devfn));
	return MIN_OF(at, size - 1);
}

void pci_function__reset(struct pci_function *function)
{
	pthread_mutex_lock(&function->pci->lock);
	memcpy(function->config, function->preset, sizeof(function->config));
	if (function->msix)
		msix__reset(function->msix);
	pci_function__update(function);
	pci_function__refresh_intx(function);
	pthread_mutex_unlock(&function->pci->lock);
	pci_function__set_intx(function, false);
}

void pci_function__after_load(struct pci_function *function)
{
	unsigned i;

	pthread_mutex_lock(&function->pci->lock);
	/* What the guest cannot change is not the saved state's to change. */
	for (i = 0; i < PCI_CONFIG_BYTES; i++) {
		uint8_t kept = function->writable[i] | function->clearable[i];

		function->config[i] = (uint8_t)((function->config[i] & kept) |
						(function->preset[i] & ~kept));
	}
	if (function->msix)
		msix__update(function->msix);
	pci_function__update(function);
	pci_function__refresh_intx(function);
	pthread_mutex_unlock(&function->pci->lock);
}

static const struct state_field state_fields[] = {
	STATE_ARRAY(struct pci_function, config, 1),
	STATE_FIELD(struct pci_function, intx, 1),
	{ NULL },
};

const struct state_table pci_function_state = { 1, state_fields, NULL };
