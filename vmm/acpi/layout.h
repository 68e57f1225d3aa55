/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables as they lie in memory (ACPI 6.4, 5.2); all fields little endian. */
#ifndef VMM_ACPI_LAYOUT_H
#define VMM_ACPI_LAYOUT_H

#include <stdint.h>

#define ACPI_PACKED __attribute__((packed))

struct acpi_rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
} ACPI_PACKED;

struct acpi_header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} ACPI_PACKED;

struct acpi_address { /* generic address structure, 5.2.3.2 */
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} ACPI_PACKED;

struct acpi_fadt { /* 5.2.9, revision 6 */
	struct acpi_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved1;
	uint8_t preferred_profile;
	uint16_t sci_interrupt;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios_request, pstate_control;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cst_control;
	uint16_t c2_latency, c3_latency;
	uint16_t flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_revision;
	uint64_t x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control,
		x_pm2_control, x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
	uint64_t hypervisor_vendor;
} ACPI_PACKED;

struct acpi_facs { /* 5.2.10 */
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved1[3];
	uint32_t ospm_flags;
	uint8_t reserved2[24];
} ACPI_PACKED;

struct acpi_madt { /* 5.2.12 */
	struct acpi_header header;
	uint32_t lapic;
	uint32_t flags; /* bit 0: there is also a pair of 8259s */
} ACPI_PACKED;

struct acpi_madt_lapic { /* type 0 */
	uint8_t type, length, processor, apic;
	uint32_t flags;
} ACPI_PACKED;

struct acpi_madt_ioapic { /* type 1 */
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} ACPI_PACKED;

struct acpi_madt_override { /* type 2 */
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} ACPI_PACKED;

struct acpi_madt_nmi { /* type 4 */
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t lint;
} ACPI_PACKED;

struct acpi_madt_x2apic { /* type 9 */
	uint8_t type, length;
	uint16_t reserved;
	uint32_t apic, flags, processor;
} ACPI_PACKED;

struct acpi_madt_x2apic_nmi { /* type 10 */
	uint8_t type, length;
	uint16_t flags;
	uint32_t processor;
	uint8_t lint, reserved[3];
} ACPI_PACKED;

_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 6.4, table 5.3");
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 6.4, table 5.4");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.4, table 5.9");
_Static_assert(sizeof(struct acpi_facs) == 64, "ACPI 6.4, table 5.12");

#endif
