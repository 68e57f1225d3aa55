/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables that a machine without firmware has in memory at power-on: ACPI, MultiProcessor, SMBIOS. */
#ifndef VMM_MACHINE_TABLES_H
#define VMM_MACHINE_TABLES_H

#include "vmm/machine/smbios.h"

struct device;

/*
 * They lie where firmware's read-only part would be, and a kernel looks for the RSDP, which is the first; kernels are
 * told of one range.
 */
#define MACHINE_TABLES_GPA 0xe0000u
#define MACHINE_TABLES_BYTES 0x20000u

/* Writes all of them. `devices` is the list that describes itself. 0, or -errno with a line in error[]. */
int machine_tables__place(const struct machine_config *config, struct device *devices, const struct machine_smbios *smbios,
			  const struct guest_memory *memory, char *error, size_t error_size);

#endif
