/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SMBIOS tables: made once, handed out at each power-on. */
#include "vmm/machine/smbios.h"

#include <errno.h>
#include <stdlib.h>

/* Entry points stand at multiples of 16 (DSP0134, 5.2). */
#define ENTRY_64_AT 0u
#define ENTRY_AT 0x20u
#define TABLES_AT 0x40u
#define GPA_END 0x100000u

_Static_assert(MACHINE_SMBIOS_GPA + TABLES_AT + SMBIOS_TABLES_MOST <= GPA_END, "room for all");

int machine_smbios__parse(struct machine_smbios *smbios, const struct machine_config *config,
			  char *error, unsigned error_size)
{
	unsigned i;
	int err = 0;

	for (i = 0; i < config->smbios_count && !err; i++)
		err = smbios_config__set(&smbios->config, config->smbios[i], error, error_size);
	return err;
}

int machine_smbios__build(struct machine_smbios *smbios, const struct machine_config *config,
			  const struct guest_memory *memory)
{
	const struct smbios_request request = { .config = &smbios->config,
						.cpus = config->cpus,
						.memory = memory,
						.has_firmware = config->firmware };

	return smbios_tables__build(&request, &smbios->image);
}

int machine_smbios__place(const struct machine_smbios *smbios, const struct guest_memory *memory)
{
	const struct smbios_image *image = &smbios->image;
	uint8_t entry[SMBIOS_ENTRY_BYTES], entry_64[SMBIOS_ENTRY_64_BYTES];
	int err;

	smbios_entry__fill(image, MACHINE_SMBIOS_GPA + TABLES_AT, entry);
	smbios_entry__fill_64(image, MACHINE_SMBIOS_GPA + TABLES_AT, entry_64);
	err = guest_memory__write(memory, MACHINE_SMBIOS_GPA + ENTRY_64_AT, entry_64,
				  sizeof(entry_64));
	if (!err)
		err = guest_memory__write(memory, MACHINE_SMBIOS_GPA + ENTRY_AT, entry,
					  sizeof(entry));
	return err ? err
		   : guest_memory__write(memory, MACHINE_SMBIOS_GPA + TABLES_AT, image->tables,
					 image->size);
}

/* A file that the user has given instead stays. */
static int add_file(struct fw_cfg_items *items, const char *name, const void *data, size_t size)
{
	int err = fw_cfg_items__add_file(items, name, data, size);

	return err == -EEXIST ? 0 : err;
}

int machine_smbios__add_items(const struct machine_smbios *smbios, struct fw_cfg_items *items)
{
	const struct smbios_image *image = &smbios->image;
	uint8_t entry[SMBIOS_ENTRY_BYTES];
	int err;

	smbios_entry__fill(image, 0, entry);
	err = add_file(items, "etc/smbios/smbios-tables", image->tables, image->size);
	if (!err)
		err = add_file(items, "etc/smbios/smbios-anchor", entry, sizeof(entry));
	return err ? err
		   : fw_cfg_items__add(items, FW_CFG_UUID, smbios->config.uuid, SMBIOS_UUID_BYTES);
}

void machine_smbios__free(struct machine_smbios *smbios)
{
	free(smbios->image.tables);
	smbios_config__free(&smbios->config);
}
