/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --share`: a folder of the host and the device that it is behind, in one option. */
#include "vmm/cli/share.h"

#include "vmm/cli/options.h"

char *cli_share__device(const char *value)
{
	return cli__device("share", "virtio-9p", "dir", value, "a folder");
}
