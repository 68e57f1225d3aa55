/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run`: options for firmware. */
#include "vmm/cli/run.h"

int cli_run__set_firmware(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	options->config.firmware = value;
	return 0;
}

int cli_run__add_fw_cfg(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	if (options->config.fw_cfg_count == RUN_FW_CFG_MOST)
		return cli__error("--fw-cfg %s: at most %u of these", value, RUN_FW_CFG_MOST);
	options->fw_cfg[options->config.fw_cfg_count++] = value;
	return 0;
}
