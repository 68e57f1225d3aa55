/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RSDP, RSDT, XSDT, FADT, FACS, MADT and DSDT, and the tables that devices bring. */
#include "vmm/acpi/tables.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/acpi/aml.h"
#include "vmm/acpi/layout.h"
#include "vmm/acpi/ports.h"
#include "vmm/device/device.h"
#include "vmm/device/checksum.h"

#define OEM_ID "TRIVET"
#define OEM_TABLE_ID "TRIVETPC"
#define CREATOR_ID "TRVT"

#define XAPIC_IDS 255u /* beyond them MADT entries and the name space speak of x2APICs */

#define SPACE_IO 1
#define ACCESS_BYTE 1
#define ACCESS_WORD 2
#define ACCESS_DWORD 3

#define PROFILE_DESKTOP 1
#define BOOT_LEGACY_DEVICES 0x01
#define BOOT_8042 0x02
#define BOOT_NO_VGA 0x04
#define BOOT_NO_ASPM 0x10

#define FADT_WBINVD (1u << 0)
#define FADT_PROC_C1 (1u << 2)
#define FADT_SLEEP_BUTTON (1u << 5) /* set: not a fixed feature, there is none */
#define FADT_TIMER_32BIT (1u << 8)
#define FADT_RESET_REGISTER (1u << 10)
#define NO_C2 101  /* latencies that say: state not there */
#define NO_C3 1001

#define MADT_PC_AT 1u
#define MADT_ENABLED 1u
#define MADT_ALL_PROCESSORS 0xff
#define MADT_ALL_X2APICS 0xffffffffu
/* Override flags: bits 1:0 polarity, 3:2 trigger. 0: as the bus has it. */
#define MADT_HIGH_LEVEL 0x000d

#define TABLES_MOST 32u /* that RSDT and XSDT point to */

struct image {
	uint8_t *data;
	size_t size, most;
	uint64_t gpa;
	bool full;
};

/* What RSDT and XSDT will point to. */
struct acpi_tables {
	struct image *image;
	uint64_t gpa[TABLES_MOST];
	unsigned count;
	int error;
};

/* Room for `size` bytes at a multiple of 64. Offset, or 0 with image->full set. */
static size_t reserve(struct image *image, size_t size)
{
	size_t at = ALIGN_UP_TO(image->size, (size_t)64);

	if (at > image->most || size > image->most - at) {
		image->full = true;
		return 0;
	}
	image->size = at + size;
	return at;
}

static void fill_header(struct acpi_header *header, const char *signature, uint8_t revision,
			size_t size)
{
	memcpy(header->signature, signature, 4);
	header->length = (uint32_t)size;
	header->revision = revision;
	memcpy(header->oem_id, OEM_ID, 6);
	memcpy(header->oem_table_id, OEM_TABLE_ID, 8);
	header->oem_revision = 1;
	memcpy(header->creator_id, CREATOR_ID, 4);
	header->creator_revision = 1;
}

/* Copies a table whose header is filled but for the checksum. Its GPA. */
static uint64_t place_table(struct image *image, void *table, size_t size)
{
	struct acpi_header *header = table;
	size_t at = reserve(image, size);

	header->checksum = 0;
	header->checksum = checksum__of(table, size);
	if (!image->full)
		memcpy(image->data + at, table, size);
	return image->gpa + at;
}

/* ---- DSDT ---- */

static void describe_processor(struct aml *aml, unsigned cpu)
{
	char name[5];

	snprintf(name, sizeof(name), "C%03X", cpu & 0xfff);
	aml__device(aml, name);
	aml__name_string(aml, "_HID", "ACPI0007");
	aml__name_integer(aml, "_UID", cpu);
	aml__end(aml);
}

static void describe_sleep(struct aml *aml)
{
	aml__name_package(aml, "\\_S5", 4);
	aml__integer(aml, ACPI_SLEEP_TYPE_S5);
	aml__integer(aml, ACPI_SLEEP_TYPE_S5);
	aml__integer(aml, 0);
	aml__integer(aml, 0);
	aml__end(aml);
}

static int build_dsdt(struct image *image, const struct acpi_request *request, uint64_t *gpa)
{
	const struct acpi_header blank = { 0 };
	struct aml aml = { 0 };
	struct device *dev;
	unsigned cpu;
	int err;

	/* The header is the buffer's first part. */
	aml.data = malloc(sizeof(blank));
	if (!aml.data)
		return -ENOMEM;
	memcpy(aml.data, &blank, sizeof(blank));
	aml.size = aml.capacity = sizeof(blank);

	describe_sleep(&aml);
	aml__scope(&aml, "\\_SB");
	for (cpu = 0; cpu < request->cpus; cpu++)
		describe_processor(&aml, cpu);
	for (dev = request->devices; dev; dev = dev->next)
		if (dev->class->acpi)
			dev->class->acpi(dev, &aml);
	aml__end(&aml);

	err = aml.error;
	if (!err) {
		fill_header((struct acpi_header *)aml.data, "DSDT", 2, aml.size);
		*gpa = place_table(image, aml.data, aml.size);
	}
	free(aml.data);
	return err;
}

/* ---- FADT ---- */

static struct acpi_address io_address(uint16_t port, uint8_t bits, uint8_t access)
{
	return (struct acpi_address){
		.space = SPACE_IO, .bits = bits, .access = access, .address = port
	};
}

static uint64_t place_facs(struct image *image)
{
	struct acpi_facs facs = { .length = sizeof(facs), .version = 2 };
	size_t at = reserve(image, sizeof(facs));

	memcpy(facs.signature, "FACS", 4);
	if (!image->full)
		memcpy(image->data + at, &facs, sizeof(facs));
	return image->gpa + at;
}

static uint64_t place_fadt(struct image *image, uint64_t facs, uint64_t dsdt)
{
	struct acpi_fadt fadt = {
		/* Exactly one of the 32 and 64-bit fields is set (5.2.9, X_FIRMWARE_CTRL). */
		.facs = (uint32_t)facs,
		.dsdt = (uint32_t)dsdt,
		.preferred_profile = PROFILE_DESKTOP,
		.sci_interrupt = ACPI_SCI,
		.pm1a_event = ACPI_PM1_EVENT_PORT,
		.pm1a_control = ACPI_PM1_CONTROL_PORT,
		.pm_timer = ACPI_PM_TIMER_PORT,
		.pm1_event_length = 4,
		.pm1_control_length = 2,
		.pm_timer_length = 4,
		.c2_latency = NO_C2,
		.c3_latency = NO_C3,
		.century = RTC_CENTURY_INDEX,
		.boot_flags = BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA | BOOT_NO_ASPM,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLEEP_BUTTON | FADT_TIMER_32BIT |
			 FADT_RESET_REGISTER,
		.reset = io_address(RESET_CONTROL_PORT, 8, ACCESS_BYTE),
		.reset_value = RESET_CONTROL_VALUE,
		.minor_revision = 4,
		.x_dsdt = dsdt,
		.x_pm1a_event = io_address(ACPI_PM1_EVENT_PORT, 32, ACCESS_WORD),
		.x_pm1a_control = io_address(ACPI_PM1_CONTROL_PORT, 16, ACCESS_WORD),
		.x_pm_timer = io_address(ACPI_PM_TIMER_PORT, 32, ACCESS_DWORD),
	};

	memcpy(&fadt.hypervisor_vendor, OEM_ID, 6);
	fill_header(&fadt.header, "FACP", 6, sizeof(fadt));
	return place_table(image, &fadt, sizeof(fadt));
}

/* ---- MADT ---- */

static void *append(uint8_t *table, size_t *size, const void *entry, size_t length)
{
	memcpy(table + *size, entry, length);
	*size += length;
	return table;
}

static void append_processors(uint8_t *table, size_t *size, unsigned cpus)
{
	unsigned cpu;

	for (cpu = 0; cpu < cpus; cpu++) {
		struct acpi_madt_lapic lapic = { 0, sizeof(lapic), (uint8_t)cpu, (uint8_t)cpu,
						 MADT_ENABLED };
		struct acpi_madt_x2apic x2apic = { 9, sizeof(x2apic), 0, cpu, MADT_ENABLED, cpu };

		if (cpu < XAPIC_IDS)
			append(table, size, &lapic, sizeof(lapic));
		else
			append(table, size, &x2apic, sizeof(x2apic));
	}
}

static int build_madt(struct image *image, unsigned cpus, uint64_t *gpa)
{
	const struct acpi_madt_ioapic ioapic = { 1, sizeof(ioapic), 0, 0, IOAPIC_GPA, 0 };
	/* The PIT's interrupt comes to pin 2; the SCI is active high, level triggered. */
	const struct acpi_madt_override pit = { 2, sizeof(pit), 0, 0, 2, 0 };
	const struct acpi_madt_override sci = { 2,	  sizeof(sci),	   0, ACPI_SCI,
						ACPI_SCI, MADT_HIGH_LEVEL };
	const struct acpi_madt_nmi nmi = { 4, sizeof(nmi), MADT_ALL_PROCESSORS, 0, 1 };
	const struct acpi_madt_x2apic_nmi x2apic_nmi = { 10, sizeof(x2apic_nmi), 0,
							 MADT_ALL_X2APICS, 1 };
	struct acpi_madt madt = { .lapic = LAPIC_GPA, .flags = MADT_PC_AT };
	size_t size = 0;
	uint8_t *table = malloc(sizeof(madt) + cpus * sizeof(struct acpi_madt_x2apic) +
				sizeof(ioapic) + sizeof(pit) + sizeof(sci) + sizeof(nmi) +
				sizeof(x2apic_nmi));

	if (!table)
		return -ENOMEM;
	append(table, &size, &madt, sizeof(madt));
	append_processors(table, &size, cpus);
	append(table, &size, &ioapic, sizeof(ioapic));
	append(table, &size, &pit, sizeof(pit));
	append(table, &size, &sci, sizeof(sci));
	append(table, &size, &nmi, sizeof(nmi));
	if (cpus > XAPIC_IDS)
		append(table, &size, &x2apic_nmi, sizeof(x2apic_nmi));
	fill_header((struct acpi_header *)table, "APIC", 5, size);
	*gpa = place_table(image, table, size);
	free(table);
	return 0;
}

/* ---- devices' own ---- */

static void list_table(struct acpi_tables *tables, uint64_t gpa)
{
	if (tables->count == TABLES_MOST)
		tables->error = -E2BIG;
	else
		tables->gpa[tables->count++] = gpa;
}

void acpi_tables__add(struct acpi_tables *tables, const char *signature, uint8_t revision,
		      const void *body, size_t size)
{
	size_t total = sizeof(struct acpi_header) + size;
	uint8_t *table = calloc(1, total);

	if (!table) {
		tables->error = -ENOMEM;
		return;
	}
	fill_header((struct acpi_header *)table, signature, revision, total);
	memcpy(table + sizeof(struct acpi_header), body, size);
	list_table(tables, place_table(tables->image, table, total));
	free(table);
}

static int add_device_tables(struct acpi_tables *tables, struct device *dev)
{
	for (; dev; dev = dev->next)
		if (dev->class->acpi_tables)
			dev->class->acpi_tables(dev, tables);
	return tables->error;
}

/* ---- the roots ---- */

static uint64_t place_rsdt(struct image *image, const uint64_t *tables, unsigned count)
{
	struct {
		struct acpi_header header;
		uint32_t entry[TABLES_MOST];
	} ACPI_PACKED rsdt = { 0 };
	size_t size = sizeof(rsdt.header) + count * sizeof(rsdt.entry[0]);
	unsigned i;

	for (i = 0; i < count; i++)
		rsdt.entry[i] = (uint32_t)tables[i];
	fill_header(&rsdt.header, "RSDT", 1, size);
	return place_table(image, &rsdt, size);
}

static uint64_t place_xsdt(struct image *image, const uint64_t *tables, unsigned count)
{
	struct {
		struct acpi_header header;
		uint64_t entry[TABLES_MOST];
	} ACPI_PACKED xsdt = { 0 };
	size_t size = sizeof(xsdt.header) + count * sizeof(xsdt.entry[0]);

	memcpy(xsdt.entry, tables, count * sizeof(tables[0]));
	fill_header(&xsdt.header, "XSDT", 1, size);
	return place_table(image, &xsdt, size);
}

static void fill_rsdp(struct image *image, size_t at, uint64_t rsdt, uint64_t xsdt)
{
	struct acpi_rsdp rsdp = {
		.revision = 2, .rsdt = (uint32_t)rsdt, .length = sizeof(rsdp), .xsdt = xsdt
	};

	memcpy(rsdp.signature, "RSD PTR ", 8);
	memcpy(rsdp.oem_id, OEM_ID, 6);
	rsdp.checksum = checksum__of(&rsdp, 20);
	rsdp.checksum_all = checksum__of(&rsdp, sizeof(rsdp));
	memcpy(image->data + at, &rsdp, sizeof(rsdp));
}

static int build_all(struct image *image, const struct acpi_request *request, uint64_t *rsdp)
{
	size_t rsdp_at = reserve(image, sizeof(struct acpi_rsdp));
	struct acpi_tables tables = { .image = image };
	uint64_t facs, dsdt, madt, rsdt, xsdt;
	int err;

	facs = place_facs(image);
	err = build_dsdt(image, request, &dsdt);
	if (err)
		return err;
	list_table(&tables, place_fadt(image, facs, dsdt));
	err = build_madt(image, request->cpus, &madt);
	if (err)
		return err;
	list_table(&tables, madt);
	err = add_device_tables(&tables, request->devices);
	if (err)
		return err;
	rsdt = place_rsdt(image, tables.gpa, tables.count);
	xsdt = place_xsdt(image, tables.gpa, tables.count);
	if (image->full)
		return -E2BIG;
	fill_rsdp(image, rsdp_at, rsdt, xsdt);
	*rsdp = image->gpa + rsdp_at;
	return 0;
}

int acpi_tables__build(const struct acpi_request *request, struct acpi_image *out)
{
	struct image image = { .most = request->size_most, .gpa = request->gpa };
	int err;

	image.data = calloc(1, request->size_most);
	if (!image.data)
		return -ENOMEM;
	err = build_all(&image, request, &out->rsdp);
	if (err) {
		free(image.data);
		return err;
	}
	out->data = image.data;
	out->size = image.size;
	return 0;
}
