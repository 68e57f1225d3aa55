/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI tables for firmware that places them itself: two blobs, and a script that says how to
 * allocate, link and sum them (QEMU's interface of etc/table-loader).
 */
#ifndef VMM_FIRMWARE_TABLE_LOADER_H
#define VMM_FIRMWARE_TABLE_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/acpi/tables.h"

#define TABLE_LOADER_FILE "etc/table-loader"
#define TABLE_LOADER_TABLES "etc/acpi/tables"
#define TABLE_LOADER_RSDP "etc/acpi/rsdp"
#define TABLE_LOADER_RSDP_BYTES 36u
#define TABLE_LOADER_BYTES 0x4000u /* room for every script there can be */

/*
 * Takes an image that was built for address 0, so that its pointers are offsets, and writes the
 * script (TABLE_LOADER_BYTES) and the RSDP (TABLE_LOADER_RSDP_BYTES). What firmware works out itself
 * becomes 0 in the image. 0, or -E2BIG: the script has no room.
 */
int table_loader__make(struct acpi_image *image, uint8_t *script, uint8_t *rsdp);

#endif
