/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --disk`: an image and the device that it is behind, in one option. */
#include "vmm/cli/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/options.h"

#define DEVICE "virtio-blk,"
#define FILE_KEY "file="

char *cli_disk__device(const char *value)
{
	size_t size = strlen(value) + sizeof(DEVICE FILE_KEY);
	char *device;

	if (!*value || *value == ',') {
		cli__error("--disk \"%s\": give the path of an image; a comma in it is written twice",
			   value);
		return NULL;
	}
	device = malloc(size);
	if (!device) {
		cli__error("out of memory");
		return NULL;
	}
	/* "file=..." in front is as good as the bare name. */
	snprintf(device, size, "%s%s%s", DEVICE,
		 strncmp(value, FILE_KEY, strlen(FILE_KEY)) ? FILE_KEY : "", value);
	return device;
}
