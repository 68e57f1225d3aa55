/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's SMBIOS tables, and their ways to the guest: in memory, or through its firmware. */
#ifndef VMM_MACHINE_SMBIOS_H
#define VMM_MACHINE_SMBIOS_H

#include "vmm/firmware/items.h"
#include "vmm/machine/machine.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/smbios/smbios.h"

/* In the part of memory that operating systems search for entry points, behind the ACPI tables. */
#define MACHINE_SMBIOS_GPA 0xf8000u

struct machine_smbios {
	struct smbios_config config;
	struct smbios_image image;
};

/* What the user says. 0, or -errno with a line in error[]. */
int machine_smbios__parse(struct machine_smbios *smbios, const struct machine_config *config,
			  char *error, unsigned error_size);
/* Makes the tables. 0 or -errno, also of the others. */
int machine_smbios__build(struct machine_smbios *smbios, const struct machine_config *config,
			  const struct guest_memory *memory);
/* Without firmware: entry points and tables into memory. */
int machine_smbios__place(const struct machine_smbios *smbios, const struct guest_memory *memory);
/* With firmware: the files that SeaBIOS and OVMF take them from, and the UUID. */
int machine_smbios__add_items(const struct machine_smbios *smbios, struct fw_cfg_items *items);
void machine_smbios__free(struct machine_smbios *smbios);

#endif
