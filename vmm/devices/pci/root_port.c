/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI Express root port: a bridge from the root bus to a link with one slot (PCI Express 3.0, 7.3). */
#include <stdio.h>
#include <errno.h>

#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/pci/pci.h"

struct root_port {
	struct device dev;
	struct pci_function function;
	struct pci_bus bus;
	struct pci_place place;
};

static void reset(struct device *dev)
{
	pci_function__reset(&container_of_type(dev, struct root_port, dev)->function);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	static const struct pci_identity identity = {
		/* Red Hat, generic PCI Express root port */
		.vendor = 0x1b36, .device = 0x000c, .class_code = 0x060400,
	};
	static const uint8_t subsystem[8] = { 0, 0, 0, 0, 0x36, 0x1b, 0x00, 0x00 };
	struct root_port *port = container_of_type(dev, struct root_port, dev);

	pci_function__init(&port->function, dev, &identity, &port->bus, NULL);
	if (pci_function__add_express(&port->function, PCI_EXP_TYPE_ROOT_PORT, dev->index + 1) ||
	    !pci_function__add_capability(&port->function, PCI_CAP_SUBSYSTEM, subsystem,
					  sizeof(subsystem), NULL)) {
		snprintf(error, error_size, "device root-port: no room for its capabilities");
		return -ENOSPC;
	}
	/* SeaBIOS leaves the bit as it is, and reads disks behind the port. */
	if (dev->services->firmware)
		port->function.preset[PCI_COMMAND] |= PCI_COMMAND_MASTER;
	return pci_function__plug(&port->function, &port->place, error, error_size);
}

static void remove_port(struct device *dev)
{
	struct root_port *port = container_of_type(dev, struct root_port, dev);

	if (port->function.pci)
		pci_function__unplug(&port->function);
}

static int after_load(struct device *dev)
{
	pci_function__after_load(&container_of_type(dev, struct root_port, dev)->function);
	return 0;
}

static const struct config_option options[] = {
	{ "addr", OPTION_STRING, offsetof(struct root_port, place.address), 0, 0, 0,
	  "PCI slot or slot.function, hexadecimal; without it the next free slot" },
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_PART(struct root_port, function, 1, &pci_function_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_root_port = {
	.name = "root-port",
	.help = "PCI Express root port: a slot of its own for one device",
	.bus = DEVICE_BUS_PCI,
	.max = PCI_PORTS,
	.size = sizeof(struct root_port),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_port,
};
