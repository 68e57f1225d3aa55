/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --cdrom`: an image in a CD-ROM drive. */
#include "vmm/cli/cdrom.h"

#include "vmm/cli/options.h"
#include "vmm/config/option.h"

char *cli_cdrom__device(const char *file)
{
	char *device;

	if (!*file) {
		cli__error("--cdrom \"\": give the path of an image");
		return NULL;
	}
	device = config__with_value("ahci-cd,file=", file);
	if (!device)
		cli__error("out of memory");
	return device;
}
