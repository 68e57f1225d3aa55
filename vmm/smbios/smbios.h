/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS: what the machine says of itself to operating systems and their tools (DMTF DSP0134,
 * version 3.0), as far as users choose it and as the tables have it.
 */
#ifndef VMM_SMBIOS_SMBIOS_H
#define VMM_SMBIOS_SMBIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/memory/guest_memory.h"

#define SMBIOS_STRING_MOST 255u
#define SMBIOS_OEM_STRING_MOST 1024u
#define SMBIOS_OEM_STRINGS_MOST 16u
#define SMBIOS_UUID_BYTES 16u

struct config_class;

/* NULL: the machine's own, which may be none. "": none. */
struct smbios_bios { /* type 0 */
	char *vendor, *version, *date;
};

struct smbios_system { /* type 1 */
	char *manufacturer, *product, *version, *serial, *uuid, *sku, *family;
};

struct smbios_chassis { /* type 3 */
	char *manufacturer, *version, *serial, *asset, *sku;
};

struct smbios_config {
	struct smbios_bios bios;
	bool has_bios; /* something of it was given */
	struct smbios_system system;
	uint8_t uuid[SMBIOS_UUID_BYTES]; /* system.uuid, in the order that it is written in */
	struct smbios_chassis chassis;
	char *oem[SMBIOS_OEM_STRINGS_MOST]; /* type 11 */
	unsigned oem_count;
};

/*
 * Takes "bios|system|chassis|oem[,KEY=VALUE...]"; keys given before are replaced, strings of oem are
 * added. 0, or -errno with a line in error[].
 */
int smbios_config__set(struct smbios_config *config, const char *text, char *error,
		       size_t error_size);
void smbios_config__free(struct smbios_config *config);
/* What --smbios has, for help texts; NULL after the last. */
const struct config_class *smbios_config__part(unsigned index);

struct smbios_request {
	const struct smbios_config *config;
	unsigned cpus; /* cores of one package */
	const struct guest_memory *memory;
	bool has_firmware; /* which describes itself unless the user does: no type 0 then */
};

struct smbios_image {
	uint8_t *tables; /* free() it */
	size_t size;	 /* at most SMBIOS_TABLES_MOST */
	unsigned count;	 /* of structures */
	unsigned largest; /* bytes of the largest one, with its strings */
};

#define SMBIOS_TABLES_MOST 0x7000u

/* The structures, one behind another. 0, -E2BIG: more than SMBIOS_TABLES_MOST, or -ENOMEM. */
int smbios_tables__build(const struct smbios_request *request, struct smbios_image *image);

#define SMBIOS_ENTRY_BYTES 31u	  /* 5.2.1: version 2.1's, which firmware wants */
#define SMBIOS_ENTRY_64_BYTES 24u /* 5.2.2: version 3.0's */

/* An entry point for tables at a guest-physical address (0: firmware will place them). */
void smbios_entry__fill(const struct smbios_image *image, uint32_t gpa,
			uint8_t entry[SMBIOS_ENTRY_BYTES]);
void smbios_entry__fill_64(const struct smbios_image *image, uint64_t gpa,
			   uint8_t entry[SMBIOS_ENTRY_64_BYTES]);

#endif
