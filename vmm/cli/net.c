/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --net`: a back end and the network card in front of it, in one option. */
#define _GNU_SOURCE
#include "vmm/cli/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/options.h"

char *cli_net__device(const char *value)
{
	static const char *const names[] = {"user", "tap", "none"};
	size_t length = strcspn(value, ",");
	char *device;
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == length && !strncmp(names[i], value, length))
			break;
	if (i == sizeof(names) / sizeof(names[0])) {
		cli__error("--net \"%s\": give user, tap or none, and its options behind a comma",
			   value);
		return NULL;
	}
	if (asprintf(&device, "virtio-net,backend=%s", value) < 0) {
		cli__error("out of memory");
		return NULL;
	}
	return device;
}
