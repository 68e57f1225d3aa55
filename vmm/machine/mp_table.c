/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MultiProcessor configuration table (MultiProcessor Specification 1.4, chapter 4). Systems that use ACPI stop looking
 * for it as soon as they find it: Linux maps and unmaps memory 4,000 times before it gives up.
 */
#include "vmm/machine/mp_table.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vmm/acpi/ports.h"
#include "vmm/device/checksum.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/pci/pci.h"

#define MP_PACKED __attribute__((packed))

#define LAPIC_VERSION 0x14
#define IOAPIC_VERSION 0x11
#define IOAPIC_ID 0 /* as in its register at reset, and in the MADT */
#define ALL_LAPICS 0xff
#define LAPIC_IDS 255u

/* What CPUID says of a processor without it: family 6; an x87 and a local APIC. */
#define SIGNATURE 0x600
#define FEATURES 0x201

#define PCI_BUS 0
#define ISA_BUS 0xff /* beyond those that ECAM has */
#define ISA_IRQS 16u
#define ISA_CASCADE 2u
#define PIT_PIN 2 /* of the IOAPIC, for IRQ 0 */

enum mp_entry { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_INTERRUPT, MP_LOCAL_INTERRUPT };
enum mp_interrupt { MP_INT = 0, MP_NMI = 1, MP_EXTINT = 3 };

#define PROCESSOR_ENABLED 1
#define PROCESSOR_BOOT 2
#define IOAPIC_ENABLED 1
/* Polarity and trigger; 0: as the bus has it. */
#define HIGH_LEVEL 0x000d

struct mp_pointer { /* 4.1 */
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16 bytes */
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5];
} MP_PACKED;

struct mp_header { /* 4.2 */
	char signature[4];
	uint16_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[8];
	char product_id[12];
	uint32_t oem_table;
	uint16_t oem_table_size;
	uint16_t entries;
	uint32_t lapic;
	uint16_t extended_length;
	uint8_t extended_checksum;
	uint8_t reserved;
} MP_PACKED;

struct mp_processor { /* 4.3.1 */
	uint8_t type, apic, version, flags;
	uint32_t signature, features, reserved[2];
} MP_PACKED;

struct mp_bus { /* 4.3.2 */
	uint8_t type, id;
	char name[6];
} MP_PACKED;

struct mp_ioapic { /* 4.3.3 */
	uint8_t type, id, version, flags;
	uint32_t address;
} MP_PACKED;

struct mp_route { /* 4.3.4, 4.3.5 */
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, irq;
	uint8_t to, pin;
} MP_PACKED;

_Static_assert(sizeof(struct mp_pointer) == 16, "MultiProcessor Specification 1.4, table 4-1");
_Static_assert(sizeof(struct mp_header) == 44, "MultiProcessor Specification 1.4, table 4-2");

struct table {
	union {
		struct mp_header header;
		uint8_t bytes[MP_TABLE_MOST];
	};
	size_t size;
};

_Static_assert(sizeof(struct mp_header) + LAPIC_IDS * sizeof(struct mp_processor) + 2 * sizeof(struct mp_bus) +
			       sizeof(struct mp_ioapic) + (ISA_IRQS + PCI_SLOTS * PCI_PINS + 2) * sizeof(struct mp_route) <=
		       MP_TABLE_MOST,
	       "room for all entries");

static void add(struct table *table, const void *entry, size_t size)
{
	memcpy(table->bytes + table->size, entry, size);
	table->size += size;
	table->header.entries++;
}

static void add_processors(struct table *table, unsigned cpus)
{
	unsigned cpu;

	for (cpu = 0; cpu < cpus && cpu < LAPIC_IDS; cpu++) {
		const struct mp_processor processor = {
			MP_PROCESSOR, (uint8_t)cpu, LAPIC_VERSION, PROCESSOR_ENABLED | (cpu ? 0 : PROCESSOR_BOOT),
			SIGNATURE, FEATURES, { 0 },
		};

		add(table, &processor, sizeof(processor));
	}
}

static void add_buses(struct table *table, bool has_pci)
{
	static const struct mp_bus pci = { MP_BUS, PCI_BUS, { 'P', 'C', 'I', ' ', ' ', ' ' } };
	static const struct mp_bus isa = { MP_BUS, ISA_BUS, { 'I', 'S', 'A', ' ', ' ', ' ' } };
	static const struct mp_ioapic ioapic = { MP_IOAPIC, IOAPIC_ID, IOAPIC_VERSION, IOAPIC_ENABLED, IOAPIC_GPA };

	if (has_pci)
		add(table, &pci, sizeof(pci));
	add(table, &isa, sizeof(isa));
	add(table, &ioapic, sizeof(ioapic));
}

static void add_route(struct table *table, uint16_t flags, uint8_t bus, unsigned irq, unsigned pin)
{
	const struct mp_route route = { MP_INTERRUPT, MP_INT, flags, bus, (uint8_t)irq, IOAPIC_ID, (uint8_t)pin };

	add(table, &route, sizeof(route));
}

static void add_routes(struct table *table, bool has_pci)
{
	unsigned irq, slot, pin;

	for (irq = 0; irq < ISA_IRQS; irq++)
		if (irq != ISA_CASCADE)
			add_route(table, irq == ACPI_SCI ? HIGH_LEVEL : 0, ISA_BUS, irq, irq ? irq : PIT_PIN);
	for (slot = 0; has_pci && slot < PCI_SLOTS; slot++)
		for (pin = 0; pin < PCI_PINS; pin++)
			add_route(table, 0, PCI_BUS, slot << 2 | pin, PCI_PIRQ_GSI + pci__pirq(slot, pin));
}

static void add_local_routes(struct table *table)
{
	static const struct mp_route extint = { MP_LOCAL_INTERRUPT, MP_EXTINT, 0, ISA_BUS, 0, ALL_LAPICS, 0 };
	static const struct mp_route nmi = { MP_LOCAL_INTERRUPT, MP_NMI, 0, ISA_BUS, 0, ALL_LAPICS, 1 };

	add(table, &extint, sizeof(extint));
	add(table, &nmi, sizeof(nmi));
}

int mp_table__place(const struct guest_memory *memory, unsigned cpus, bool has_pci)
{
	struct mp_pointer pointer = { .signature = { '_', 'M', 'P', '_' }, .table = MP_TABLE_GPA, .length = 1, .revision = 4 };
	struct table table = {
		.header = { .signature = { 'P', 'C', 'M', 'P' }, .revision = 4,
			    .oem_id = { 'T', 'R', 'I', 'V', 'E', 'T', ' ', ' ' },
			    .product_id = { 'T', 'R', 'I', 'V', 'E', 'T', 'P', 'C', ' ', ' ', ' ', ' ' },
			    .lapic = LAPIC_GPA },
		.size = sizeof(struct mp_header),
	};
	int err;

	add_processors(&table, cpus);
	add_buses(&table, has_pci);
	add_routes(&table, has_pci);
	add_local_routes(&table);
	table.header.length = (uint16_t)table.size;
	table.header.checksum = checksum__of(table.bytes, table.size);
	pointer.checksum = checksum__of(&pointer, sizeof(pointer));
	err = guest_memory__write(memory, MP_TABLE_GPA, table.bytes, table.size);
	return err ? err : guest_memory__write(memory, GUEST_EBDA, &pointer, sizeof(pointer));
}
