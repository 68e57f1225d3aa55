/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Structures as they lie in memory (DSP0134, chapters 5 and 7); all fields little endian. */
#ifndef VMM_SMBIOS_LAYOUT_H
#define VMM_SMBIOS_LAYOUT_H

#include <stdint.h>

#define SMBIOS_PACKED __attribute__((packed))

struct smbios_entry { /* 5.2.1 */
	char anchor[4];
	uint8_t checksum;
	uint8_t length;
	uint8_t major, minor;
	uint16_t largest;
	uint8_t revision;
	uint8_t formatted[5];
	char middle_anchor[5];
	uint8_t middle_checksum; /* from middle_anchor on */
	uint16_t size;
	uint32_t address;
	uint16_t count;
	uint8_t bcd_revision;
} SMBIOS_PACKED;

struct smbios_entry_64 { /* 5.2.2 */
	char anchor[5];
	uint8_t checksum;
	uint8_t length;
	uint8_t major, minor, docrev;
	uint8_t revision;
	uint8_t reserved;
	uint32_t size_most;
	uint64_t address;
} SMBIOS_PACKED;

struct smbios_header {
	uint8_t type;
	uint8_t length;
	uint16_t handle;
} SMBIOS_PACKED;

/* Fields of type string are numbers of strings behind the structure, from 1; 0: none. */

struct smbios_type0 { /* firmware */
	struct smbios_header header;
	uint8_t vendor, version;
	uint16_t segment;
	uint8_t date;
	uint8_t rom_size;
	uint64_t characteristics;
	uint8_t extension[2];
	uint8_t major, minor;
	uint8_t ec_major, ec_minor;
} SMBIOS_PACKED;

struct smbios_type1 { /* system */
	struct smbios_header header;
	uint8_t manufacturer, product, version, serial;
	uint8_t uuid[16];
	uint8_t wake_up;
	uint8_t sku, family;
} SMBIOS_PACKED;

struct smbios_type3 { /* chassis */
	struct smbios_header header;
	uint8_t manufacturer;
	uint8_t type;
	uint8_t version, serial, asset;
	uint8_t boot_up_state, power_supply_state, thermal_state, security;
	uint32_t oem;
	uint8_t height, power_cords;
	uint8_t element_count, element_length;
	uint8_t sku;
} SMBIOS_PACKED;

struct smbios_type4 { /* processor */
	struct smbios_header header;
	uint8_t socket;
	uint8_t type, family;
	uint8_t manufacturer;
	uint64_t id;
	uint8_t version;
	uint8_t voltage;
	uint16_t external_clock, most_speed, speed;
	uint8_t status, upgrade;
	uint16_t l1, l2, l3;
	uint8_t serial, asset, part;
	uint8_t cores, cores_enabled, threads; /* 255: see those of 16 bits */
	uint16_t characteristics;
	uint16_t family2;
	uint16_t cores2, cores_enabled2, threads2;
} SMBIOS_PACKED;

struct smbios_type11 { /* OEM strings */
	struct smbios_header header;
	uint8_t count;
} SMBIOS_PACKED;

struct smbios_type16 { /* physical memory array */
	struct smbios_header header;
	uint8_t location, use, correction;
	uint32_t most_kib; /* 80000000H: see most */
	uint16_t error_handle;
	uint16_t devices;
	uint64_t most;
} SMBIOS_PACKED;

struct smbios_type17 { /* memory device */
	struct smbios_header header;
	uint16_t array_handle, error_handle;
	uint16_t total_width, data_width;
	uint16_t size; /* MiB, or KiB with bit 15; 7FFFH: see size_mib */
	uint8_t form_factor, set;
	uint8_t locator, bank;
	uint8_t type;
	uint16_t detail;
	uint16_t speed;
	uint8_t manufacturer, serial, asset, part;
	uint8_t attributes;
	uint32_t size_mib;
	uint16_t configured_speed;
	uint16_t least_voltage, most_voltage, voltage;
} SMBIOS_PACKED;

struct smbios_type19 { /* memory array mapped address */
	struct smbios_header header;
	uint32_t first_kib, last_kib;
	uint16_t array_handle;
	uint8_t partition_width;
	uint64_t first, last;
} SMBIOS_PACKED;

struct smbios_type32 { /* boot status */
	struct smbios_header header;
	uint8_t reserved[6];
	uint8_t status;
} SMBIOS_PACKED;

#endif
