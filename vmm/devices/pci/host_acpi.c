/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host bridge in the ACPI name space (PCI Firmware 3.2, chapter 4; ACPI 6.4, 6.2). */
#include "vmm/devices/pci/host.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/pci/assign.h"

#define PORT_CONFIG 0xcf8

#define PIC_IRQ_EVEN 10
#define PIC_IRQ_ODD 11

/* PCI Firmware 3.2, 4.5.1: what an operating system may take over. */
#define OSC_UUID "33DB4D5B-1FF7-401C-9657-7441C03DD766"
#define OSC_PCIE_CAPABILITY 0x10u
#define OSC_STATUS_UNKNOWN_UUID 0x04u
#define OSC_STATUS_UNKNOWN_REVISION 0x08u
#define OSC_STATUS_MASKED 0x10u

struct mcfg_body {
	uint8_t reserved[8];
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved2;
} __attribute__((packed));

/* The number of tables stays the same wherever firmware puts it: a base of 0 if it has not yet. */
void pci_host__add_mcfg(const struct device_services *services, struct acpi_tables *tables)
{
	const struct pci *pci = services->pci;
	const struct mcfg_body body = { .base = pci->ecam,
					.last_bus = (uint8_t)(pci->ecam_buses - 1) };

	acpi_tables__add(tables, "MCFG", 1, &body, sizeof(body));
}

/* Below 4 GiB everything from RAM to the board's devices but ECAM is the bus's. */
static void describe_low_windows(const struct pci *pci, const struct pci_windows *windows,
				 struct aml *aml)
{
	uint64_t first = GUEST_LOW_RAM_END, end = pci->ecam + ((uint64_t)pci->ecam_buses << 20);

	if (pci->ecam_buses && pci->ecam > first && end <= windows->low_last) {
		aml__memory_window(aml, (uint32_t)first, (uint32_t)pci->ecam - 1);
		first = end;
	}
	aml__memory_window(aml, (uint32_t)first, (uint32_t)windows->low_last);
}

static void describe_windows(const struct device_services *services, struct aml *aml)
{
	struct pci_windows windows;

	pci_windows__init(&windows, services);
	aml__resources(aml, "_CRS");
	aml__bus_window(aml, 0, (services->pci->ecam_buses ? services->pci->ecam_buses : GUEST_ECAM_BUSES) - 1);
	aml__io(aml, PORT_CONFIG, 1, 8);
	aml__io_window(aml, 0, PORT_CONFIG - 1);
	aml__io_window(aml, PORT_CONFIG + 8, 0xffff);
	describe_low_windows(services->pci, &windows, aml);
	if (windows.high_first < windows.high_last)
		aml__memory64_window(aml, windows.high_first, windows.high_last);
	aml__end_resources(aml);
}

/* One entry for each pin of each slot: address, pin, no link device, GSI. */
static void describe_routes(const struct pci *pci, struct aml *aml, const char *name, bool pic)
{
	unsigned slot, pin;

	aml__name_package(aml, name, PCI_SLOTS * PCI_PINS);
	for (slot = 0; slot < PCI_SLOTS; slot++)
		for (pin = 0; pin < PCI_PINS; pin++) {
			unsigned pirq = pci__pirq(slot, pin), irq = pci->pirq_irq[pirq];

			if (irq == PCI_PIRQ_NOWHERE)
				irq = pirq % 2 ? PIC_IRQ_ODD : PIC_IRQ_EVEN;

			aml__package(aml, 4);
			aml__integer(aml, slot << 16 | 0xffff);
			aml__integer(aml, pin);
			aml__integer(aml, 0);
			aml__integer(aml, pic ? irq : PCI_PIRQ_GSI + pirq);
			aml__end(aml);
		}
	aml__end(aml);
}

/* \_PIC says which interrupt controllers are in use. */
static void describe_interrupts(const struct pci *pci, struct aml *aml)
{
	describe_routes(pci, aml, "PRTP", true);
	describe_routes(pci, aml, "PRTA", false);
	aml__method(aml, "_PRT", 0);
	aml__if(aml);
	aml__term(aml, "\\PICF");
	aml__return_name(aml, "PRTA");
	aml__end(aml);
	aml__return_name(aml, "PRTP");
	aml__end(aml);
}

static void or_status(struct aml *aml, unsigned bits)
{
	aml__or(aml);
	aml__term(aml, "CDW1");
	aml__integer(aml, bits);
	aml__term(aml, "CDW1");
}

/* ACPI 6.4, 6.2.11.3: the capability structure is the operating system's, nothing else exists. */
static void describe_control(struct aml *aml)
{
	aml__method(aml, "_OSC", 4);
	aml__dword_field(aml, 3, 0, "CDW1");
	aml__if(aml);
	aml__equal(aml);
	aml__arg(aml, 0);
	aml__uuid(aml, OSC_UUID);
	aml__dword_field(aml, 3, 8, "CDW3");
	aml__and(aml);
	aml__term(aml, "CDW3");
	aml__integer(aml, OSC_PCIE_CAPABILITY);
	aml__local(aml, 0);
	aml__if(aml);
	aml__not(aml);
	aml__equal(aml);
	aml__local(aml, 0);
	aml__term(aml, "CDW3");
	or_status(aml, OSC_STATUS_MASKED);
	aml__end(aml);
	aml__store(aml);
	aml__local(aml, 0);
	aml__term(aml, "CDW3");
	aml__if(aml);
	aml__not(aml);
	aml__equal(aml);
	aml__arg(aml, 1);
	aml__integer(aml, 1);
	or_status(aml, OSC_STATUS_UNKNOWN_REVISION);
	aml__end(aml);
	aml__end(aml);
	aml__else(aml);
	or_status(aml, OSC_STATUS_UNKNOWN_UUID);
	aml__end(aml);
	aml__return(aml);
	aml__arg(aml, 3);
	aml__end(aml);
}

/* ECAM has to be reserved by a motherboard resource (PCI Firmware 3.2, 4.1.2). */
static void describe_ecam(const struct pci *pci, struct aml *aml)
{
	aml__device(aml, "ECAM");
	aml__name_eisaid(aml, "_HID", "PNP0C02");
	aml__name_string(aml, "_UID", "ECAM");
	aml__resources(aml, "_CRS");
	aml__memory32(aml, (uint32_t)pci->ecam, pci->ecam_buses << 20);
	aml__end_resources(aml);
	aml__end(aml);
}

void pci_host__describe(const struct device_services *services, struct aml *aml)
{
	aml__name_integer(aml, "\\PICF", 0);
	aml__method(aml, "\\_PIC", 1);
	aml__store_arg0(aml, "\\PICF");
	aml__end(aml);
	aml__device(aml, "PCI0");
	aml__name_eisaid(aml, "_HID", "PNP0A08");
	aml__name_eisaid(aml, "_CID", "PNP0A03");
	aml__name_integer(aml, "_UID", 0);
	aml__name_integer(aml, "_SEG", 0);
	aml__name_integer(aml, "_BBN", 0);
	describe_windows(services, aml);
	describe_interrupts(services->pci, aml);
	describe_control(aml);
	aml__end(aml);
	describe_ecam(services->pci, aml);
}
