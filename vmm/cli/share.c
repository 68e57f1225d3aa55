/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --share`: a folder of the host and the device that it is behind, in one option. */
#include "vmm/cli/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/options.h"

#define DEVICE "virtio-9p,"
#define FOLDER_KEY "dir="

char *cli_share__device(const char *value)
{
	size_t size = strlen(value) + sizeof(DEVICE FOLDER_KEY);
	char *device;

	if (!*value || *value == ',') {
		cli__error("--share \"%s\": give the path of a folder; a comma in it is written twice", value);
		return NULL;
	}
	device = malloc(size);
	if (!device) {
		cli__error("out of memory");
		return NULL;
	}
	/* "dir=..." in front is as good as the bare name. */
	snprintf(device, size, "%s%s%s", DEVICE,
		 strncmp(value, FOLDER_KEY, strlen(FOLDER_KEY)) ? FOLDER_KEY : "", value);
	return device;
}
