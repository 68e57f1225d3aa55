/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command-line options as a table: parsing, messages and help come from the same rows. */
#ifndef VMM_CLI_OPTIONS_H
#define VMM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct config_file;

struct cli_option {
	const char *name;  /* without the two dashes; NULL ends the table */
	const char *value; /* placeholder in the help text; NULL: a flag */
	const char *help;
	/* Takes the value ("" for a flag). 0, or -EINVAL after a message. */
	int (*set)(void *object, const char *name, const char *value);
	bool early; /* set before all others, wherever it stands */
};

/* A command of the program, e.g. `trivet run`. */
struct cli_command {
	const char *name;
	const char *summary;
	const struct cli_option *options;
	int (*run)(int argc, char **argv); /* argv[0] is the command; returns the exit status */
};

/*
 * Parses argv[1] and on into `object` through the table; both "--name value" and "--name=value".
 * 0, 1 if --help was asked for, or -EINVAL after a message on stderr.
 */
int cli__parse(const struct cli_command *command, int argc, char **argv, void *object);
/*
 * Sets the options of a configuration file; those that are `early` cannot stand in one. 0, or
 * -EINVAL after a message that names the file and the line.
 */
int cli__apply_file(const struct cli_command *command, const struct config_file *file, void *object);
void cli__help(const struct cli_command *command);

/* One line on stderr, prefixed with the program's name, and with the line of a file that is applied. Returns -EINVAL. */
int cli__error(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern const struct cli_command cli_run_command;
extern const struct cli_command cli_host_command;
extern const struct cli_command cli_image_command;

/*
 * The device that an option's value "NAME[,key=value...]" stands for, as --device has it: CLASS,KEY=NAME
 * and the rest; KEY= in front of the name is as good. free() it. NULL after a message, which says that
 * the option needs `what`.
 */
char *cli__device(const char *option, const char *class, const char *key, const char *value, const char *what);

#endif
