/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, from the Multiboot information (Multiboot 0.6.96, 3.3). */
#include "tests/guests/lib/long/machine.h"

#define INFO_CMDLINE 4

extern u32 multiboot_info;

static char line[256];

void options__read(void)
{
	const u32 *info = (const u32 *)(u64)multiboot_info;
	const char *from;
	unsigned i;

	if (!(info[0] & INFO_CMDLINE))
		return;
	from = (const char *)(u64)info[4];
	for (i = 0; i < sizeof(line) - 1 && from[i]; i++)
		line[i] = from[i];
}

/* What stands behind "name=", or NULL. */
static const char *find(const char *name)
{
	const char *at = line;
	unsigned i;

	while (*at) {
		for (i = 0; name[i] && at[i] == name[i]; i++)
			;
		if (!name[i] && at[i] == '=')
			return at + i + 1;
		while (*at && *at++ != ' ')
			;
	}
	return NULL;
}

u64 guest__option(const char *name, u64 otherwise)
{
	const char *at = find(name);
	u64 value = 0;

	if (!at)
		return otherwise;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (*at - '0');
	return value;
}
