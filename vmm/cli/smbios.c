/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run`: what the machine says of itself. */
#include <stdlib.h>

#include "vmm/cli/run.h"
#include "vmm/config/option.h"

int cli_run__add_smbios(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	if (options->config.smbios_count == RUN_SMBIOS_MOST)
		return cli__error("--%s %s: at most %u of these", name, value, RUN_SMBIOS_MOST);
	options->smbios[options->config.smbios_count++] = value;
	return 0;
}

int cli_run__set_uuid(void *object, const char *name, const char *value)
{
	struct run_options *options = object;
	char *text = config__with_value("system,uuid=", value);
	int err;

	if (!text)
		return cli__error("out of memory");
	err = cli_run__add_smbios(object, name, text);
	if (err)
		free(text);
	else
		options->uuids[options->uuid_count++] = text;
	return err;
}
