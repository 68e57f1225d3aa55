/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's firmware: its image, and the items that fw_cfg has for it. */
#ifndef VMM_MACHINE_FIRMWARE_H
#define VMM_MACHINE_FIRMWARE_H

#include "vmm/acpi/tables.h"
#include "vmm/firmware/image.h"
#include "vmm/firmware/items.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/smbios.h"
#include "vmm/memory/guest_memory.h"

struct machine_firmware {
	struct firmware image;
	bool loaded;
	struct fw_cfg_items items;
	struct acpi_request acpi;
	size_t tables_size;
	uint8_t *tables, *script, *rsdp; /* the late items' contents */
};

/* Opens config->firmware, if there is one. 0, or -errno with a line in error[]. */
int machine_firmware__open(struct machine_firmware *firmware, const struct machine_config *config,
			   char *error, unsigned error_size);
/*
 * Makes the items; all devices have been realized. ACPI tables are made again whenever firmware
 * looks at them, from what it has done to the devices. 0, or -errno with a line in error[].
 */
int machine_firmware__make_items(struct machine_firmware *firmware,
				 const struct machine_config *config,
				 const struct guest_memory *memory, struct device *devices,
				 const struct machine_smbios *smbios, char *error, unsigned error_size);
void machine_firmware__close(struct machine_firmware *firmware);

#endif
