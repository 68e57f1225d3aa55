/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing of command-line options through tables. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "vmm/cli/options.h"

int cli__error(const char *format, ...)
{
	va_list args;

	fputs("trivet: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -EINVAL;
}

static const struct cli_option *find_option(const struct cli_option *options, const char *name,
					    size_t length)
{
	for (; options->name; options++)
		if (strlen(options->name) == length && !memcmp(options->name, name, length))
			return options;
	return NULL;
}

int cli__parse(const struct cli_command *command, int argc, char **argv, void *object)
{
	int i;

	for (i = 1; i < argc; i++) {
		const char *arg = argv[i], *equals;
		const struct cli_option *option;
		const char *value = "";
		int rc;

		if (!strcmp(arg, "--help") || !strcmp(arg, "-h"))
			return 1;
		if (strncmp(arg, "--", 2) || !arg[2])
			return cli__error("%s: unexpected argument \"%s\"; options start with --, see "
					  "'trivet %s --help'",
					  command->name, arg, command->name);
		equals = strchr(arg, '=');
		option = find_option(command->options, arg + 2,
				     equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
		if (!option)
			return cli__error("%s: unknown option \"%s\"; see 'trivet %s --help'",
					  command->name, arg, command->name);
		if (!option->value && equals)
			return cli__error("--%s takes no value", option->name);
		if (option->value && equals) {
			value = equals + 1;
		} else if (option->value) {
			if (++i == argc)
				return cli__error("--%s needs a value: --%s %s", option->name,
						  option->name, option->value);
			value = argv[i];
		}
		rc = option->set(object, option->name, value);
		if (rc)
			return rc;
	}
	return 0;
}

void cli__help(const struct cli_command *command)
{
	const struct cli_option *option;

	printf("usage: trivet %s [options]\n%s\n\n", command->name, command->summary);
	for (option = command->options; option->name; option++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s %s", option->name,
			 option->value ? option->value : "");
		printf("  %-34s %s\n", left, option->help);
	}
}
