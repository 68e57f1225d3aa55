/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the options of `trivet run` fill. */
#ifndef VMM_CLI_RUN_H
#define VMM_CLI_RUN_H

#include <limits.h>
#include <stdbool.h>
#include "vmm/cli/options.h"
#include "vmm/config/file.h"
#include "vmm/machine/machine.h"

#define RUN_DEVICES_MOST 64
#define RUN_FW_CFG_MOST 32
#define RUN_FILES_MOST 8
#define RUN_SMBIOS_MOST 32

struct run_options {
	struct machine_config config;
	const char *devices[RUN_DEVICES_MOST];
	char *shorts[RUN_DEVICES_MOST]; /* devices that shorter options stood for */
	unsigned short_count;
	const char *fw_cfg[RUN_FW_CFG_MOST];
	const char *smbios[RUN_SMBIOS_MOST];
	char *uuids[RUN_SMBIOS_MOST]; /* of those that --uuid stood for */
	unsigned uuid_count;
	unsigned consoles;
	struct config_file files[RUN_FILES_MOST]; /* options point into them */
	unsigned file_count;
	bool has_kernel_cache; /* it was given; else the path is made here */
	char kernel_cache[PATH_MAX];
};

int cli_run__set_firmware(void *object, const char *name, const char *value);
int cli_run__add_fw_cfg(void *object, const char *name, const char *value);
int cli_run__add_smbios(void *object, const char *name, const char *value);
int cli_run__set_uuid(void *object, const char *name, const char *value);

#endif
