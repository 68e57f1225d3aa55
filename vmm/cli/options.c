/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing of command-line options through tables. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "vmm/cli/options.h"
#include "vmm/config/file.h"

/* The line of a configuration file that is being applied. The command line is parsed in one thread. */
static const char *place_path;
static unsigned place_line;

int cli__error(const char *format, ...)
{
	va_list args;

	fputs("trivet: ", stderr);
	if (place_path)
		fprintf(stderr, "%s:%u: ", place_path, place_line);
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

/* Sets those options that are `early`, or those that are not. */
static int parse_arguments(const struct cli_command *command, int argc, char **argv, void *object,
			   bool early)
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
		rc = option->early == early ? option->set(object, option->name, value) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

int cli__parse(const struct cli_command *command, int argc, char **argv, void *object)
{
	int rc = parse_arguments(command, argc, argv, object, true);

	return rc ? rc : parse_arguments(command, argc, argv, object, false);
}

static int apply_entry(const struct cli_command *command, const struct config_entry *entry,
		       void *object)
{
	const struct cli_option *option =
		find_option(command->options, entry->name, strlen(entry->name));

	if (!option)
		return cli__error("unknown option \"%s\"; see 'trivet %s --help'", entry->name,
				  command->name);
	if (option->early)
		return cli__error("%s stands on the command line only", option->name);
	if (!option->value && entry->value)
		return cli__error("%s takes no value", option->name);
	if (option->value && !entry->value)
		return cli__error("%s needs a value: %s = %s", option->name, option->name, option->value);
	return option->set(object, option->name, entry->value ? entry->value : "");
}

int cli__apply_file(const struct cli_command *command, const struct config_file *file, void *object)
{
	unsigned i;
	int err = 0;

	place_path = file->path;
	for (i = 0; i < file->count && !err; i++) {
		place_line = file->entry[i].line;
		err = apply_entry(command, &file->entry[i], object);
	}
	place_path = NULL;
	return err;
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

char *cli__device(const char *option, const char *class, const char *key, const char *value, const char *what)
{
	size_t length = strlen(key);
	char *device;

	if (!*value || *value == ',') {
		cli__error("--%s \"%s\": give the path of %s; a comma in it is written twice", option, value, what);
		return NULL;
	}
	if (strncmp(value, key, length) || value[length] != '=')
		length = 0;
	if (asprintf(&device, "%s,%s=%s", class, key, value + length + (length != 0)) < 0) {
		cli__error("out of memory");
		return NULL;
	}
	return device;
}
