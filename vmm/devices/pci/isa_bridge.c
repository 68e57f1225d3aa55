/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ISA bridge 00:1f.0 of a Q35 as far as firmware looks (Intel I/O Controller Hub 9 data sheet,
 * chapter 13): routes of PIRQs to the PIC, and where ACPI registers are.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/acpi/ports.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/pci/pci.h"

#define REG_PMBASE 0x40
#define REG_ACPI_CNTL 0x44
#define REG_PIRQ_A 0x60 /* to D */
#define REG_PIRQ_E 0x68 /* to H */
#define REG_RCBA 0xf0

#define PMBASE_IO 1u
#define ACPI_CNTL_ENABLE 0x80u /* SCI to IRQ 9 */
#define PIRQ_OFF 0x80u
#define PIRQ_IRQ 0x0fu
#define RCBA_BITS 0xffffc001u

/* What pci__assign() has without firmware. */
#define PIC_IRQ_EVEN 10
#define PIC_IRQ_ODD 11

struct isa_bridge {
	struct device dev;
	struct pci_function function;
};

static unsigned register_of(unsigned pirq)
{
	return pirq < 4 ? REG_PIRQ_A + pirq : REG_PIRQ_E + pirq - 4;
}

static void update_routes(struct isa_bridge *bridge)
{
	struct pci *pci = bridge->function.pci;
	unsigned pirq;

	for (pirq = 0; pirq < PCI_PIRQS; pirq++) {
		uint8_t value = bridge->function.config[register_of(pirq)];

		pci__route_pirq(pci, pirq, value & PIRQ_OFF ? PCI_PIRQ_NOWHERE : value & PIRQ_IRQ);
	}
}

static void after_write(struct pci_function *function, unsigned reg, unsigned size)
{
	if (reg < REG_PIRQ_E + 4 && reg + size > REG_PIRQ_A)
		update_routes(container_of_type(function, struct isa_bridge, function));
}

static void preset(struct pci_function *function, unsigned reg, unsigned size, uint32_t value,
		   uint32_t writable)
{
	memcpy(&function->preset[reg], &value, size);
	memcpy(&function->writable[reg], &writable, size);
}

static void preset_registers(struct isa_bridge *bridge)
{
	bool direct = !bridge->dev.services->firmware;
	unsigned pirq;

	/* The registers stay where all firmware puts them. */
	preset(&bridge->function, REG_PMBASE, 4, PMBASE_IO | (direct ? ACPI_PM1_EVENT_PORT : 0),
	       0xff80);
	preset(&bridge->function, REG_ACPI_CNTL, 1, direct ? ACPI_CNTL_ENABLE : 0, 0x87);
	for (pirq = 0; pirq < PCI_PIRQS; pirq++)
		preset(&bridge->function, register_of(pirq), 1,
		       !direct	      ? PIRQ_OFF
		       : pirq % 2 ? PIC_IRQ_ODD
				    : PIC_IRQ_EVEN,
		       PIRQ_OFF | PIRQ_IRQ);
	preset(&bridge->function, REG_RCBA, 4, 0, RCBA_BITS);
}

static void reset(struct device *dev)
{
	struct isa_bridge *bridge = container_of_type(dev, struct isa_bridge, dev);

	pci_function__reset(&bridge->function);
	update_routes(bridge);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	static const struct pci_identity identity = {
		/* Intel, 82801IB LPC interface controller */
		.vendor = 0x8086, .device = 0x2918, .class_code = 0x060100, .revision = 2,
		.subsystem_vendor = 0x1af4, .subsystem = 0x1100,
	};
	static const struct pci_function_ops ops = { .after_write = after_write };
	static const struct pci_place place = { .address = "1f" };
	struct isa_bridge *bridge = container_of_type(dev, struct isa_bridge, dev);

	pci_function__init(&bridge->function, dev, &identity, NULL, &ops);
	preset_registers(bridge);
	return pci_function__plug(&bridge->function, &place, error, error_size);
}

static void remove_bridge(struct device *dev)
{
	struct isa_bridge *bridge = container_of_type(dev, struct isa_bridge, dev);

	if (bridge->function.pci)
		pci_function__unplug(&bridge->function);
}

static int after_load(struct device *dev)
{
	struct isa_bridge *bridge = container_of_type(dev, struct isa_bridge, dev);

	pci_function__after_load(&bridge->function);
	update_routes(bridge);
	return 0;
}

static const struct state_field state_fields[] = {
	STATE_PART(struct isa_bridge, function, 1, &pci_function_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_isa_bridge = {
	.name = "isa-bridge",
	.help = "PCI to ISA bridge",
	.bus = DEVICE_BUS_PCI,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct isa_bridge),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_bridge,
};
