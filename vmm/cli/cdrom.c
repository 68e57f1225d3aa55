/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --cdrom`: an image in a CD-ROM drive. */
#include "vmm/cli/cdrom.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/cli/options.h"

#define DEVICE "ahci-cd,file="

char *cli_cdrom__device(const char *file)
{
	char *device, *to;

	if (!*file) {
		cli__error("--cdrom \"\": give the path of an image");
		return NULL;
	}
	device = malloc(sizeof(DEVICE) + 2 * strlen(file));
	if (!device) {
		cli__error("out of memory");
		return NULL;
	}
	memcpy(device, DEVICE, sizeof(DEVICE) - 1);
	for (to = device + sizeof(DEVICE) - 1; *file; file++) {
		if (*file == ',')
			*to++ = ','; /* a comma in a value is written twice */
		*to++ = *file;
	}
	*to = 0;
	return device;
}
