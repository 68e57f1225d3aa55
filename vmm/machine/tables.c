/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables in low memory of a machine without firmware, one behind the other. */
#include "vmm/machine/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/acpi/tables.h"
#include "vmm/machine/mp_table.h"

_Static_assert(MP_TABLE_GPA + MP_TABLE_MOST <= MACHINE_SMBIOS_GPA, "one behind the other");

static int place_acpi(const struct machine_config *config, struct device *devices, const struct guest_memory *memory)
{
	struct acpi_request request = { .cpus = config->cpus,
					.devices = devices,
					.gpa = MACHINE_TABLES_GPA,
					.size_most = MP_TABLE_GPA - MACHINE_TABLES_GPA };
	struct acpi_image image;
	int err = acpi_tables__build(&request, &image);

	if (err)
		return err;
	err = guest_memory__write(memory, MACHINE_TABLES_GPA, image.data, image.size);
	free(image.data);
	return err;
}

int machine_tables__place(const struct machine_config *config, struct device *devices, const struct machine_smbios *smbios,
			  const struct guest_memory *memory, char *error, size_t error_size)
{
	const char *which = "ACPI";
	int err = place_acpi(config, devices, memory);

	if (!err) {
		which = "MultiProcessor";
		err = mp_table__place(memory, config->cpus, !config->no_pci);
	}
	if (!err) {
		which = "SMBIOS";
		err = machine_smbios__place(smbios, memory);
	}
	if (err)
		snprintf(error, error_size, "%s tables: %s", which, strerror(-err));
	return err;
}
