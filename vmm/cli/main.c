/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line `trivet`: picks the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "vmm/cli/options.h"
#include "vmm/machine/machine.h"

static const struct cli_command *const commands[] = {
	&cli_run_command,
	&cli_host_command,
	&cli_image_command,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *stream)
{
	unsigned i;

	fprintf(stream, "usage: trivet COMMAND [options]\n\n");
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(stream, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(stream, "  %-8s %s\n", "version", "Print the version.");
	fprintf(stream, "\n'trivet COMMAND --help' lists the options of a command.\n");
}

/* What was closed by the caller must not become a file that we open for something else. */
static bool open_standard_streams(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	unsigned i;

	if (!open_standard_streams())
		return MACHINE_STATUS_HOST_ERROR;
	if (argc < 2) {
		print_usage(stderr);
		return MACHINE_STATUS_BAD_INPUT;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version")) {
		printf("trivet %s\n", TRIVET_VERSION);
		return 0;
	}
	for (i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(argv[1], commands[i]->name))
			return commands[i]->run(argc - 1, argv + 1);
	cli__error("unknown command \"%s\"; see 'trivet --help'", argv[1]);
	return MACHINE_STATUS_BAD_INPUT;
}
