/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --disk`: an image and the device that it is behind, in one option. */
#include "vmm/cli/disk.h"

#include "vmm/cli/options.h"

char *cli_disk__device(const char *value)
{
	return cli__device("disk", "virtio-blk", "file", value, "an image");
}
