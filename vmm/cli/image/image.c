/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image`: picks the command; what the commands share. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/image/image.h"
#include "vmm/cli/options.h"

static const struct image_command *const commands[] = {
	&image_command_create, &image_command_info,	&image_command_check,  &image_command_convert,
	&image_command_resize, &image_command_snapshot, &image_command_commit, &image_command_rebase,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

int image__error(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "trivet image: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

int image__parse_output(const char *name, bool *json)
{
	*json = !strcmp(name, "json");
	if (*json || !strcmp(name, "human"))
		return 0;
	image__error("--output %s: must be human or json", name);
	return -EINVAL;
}

int image__usage(const struct image_command *command)
{
	fprintf(stderr, "usage: trivet image %s %s\n", command->name, command->usage);
	return 1;
}

int image__parse_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "kmgtpe";
	unsigned long long number;
	unsigned shift = 0;
	const char *unit;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 0);
	if (isdigit((unsigned char)*text) && *end && (unit = strchr(units, tolower((unsigned char)*end)))) {
		shift = 10 * (unit - units + 1);
		end++;
	} else if (*end == 'b') {
		end++;
	}
	if (!isdigit((unsigned char)*text) || *end || errno ||
	    number > (uint64_t)(INT64_MAX - 511) >> shift) {
		image__error("size \"%s\": give bytes, or a number with k, M, G, T, P or E", text);
		return -EINVAL;
	}
	*bytes = number << shift;
	return 0;
}

int image__parse_size(const char *text, uint64_t *size)
{
	int err = image__parse_bytes(text, size);

	if (!err)
		*size = (*size + 511) & ~511ULL;
	return err;
}

int image__parse_cache(const char *name, struct node_how *how, bool *flush_each)
{
	static const struct {
		const char *name;
		bool direct, no_sync, each;
	} modes[] = {
		{ "writeback", false, false, false }, { "writethrough", false, false, true },
		{ "none", true, false, false },	      { "off", true, false, false },
		{ "directsync", true, false, true },  { "unsafe", false, true, false },
	};
	unsigned i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, name)) {
			how->direct = modes[i].direct;
			how->no_sync = modes[i].no_sync;
			*flush_each = modes[i].each;
			return 0;
		}
	image__error("cache mode \"%s\": give writeback, none, writethrough, directsync or unsafe", name);
	return -EINVAL;
}

struct node *image__open(const struct node_how *how)
{
	struct node *node;
	char error[1024];

	if (!node__open(how, &node, error, sizeof(error)))
		return node;
	image__error("%s", error);
	return NULL;
}

int image__close(struct node *node)
{
	char *path = node ? strdup(node->file->path) : NULL;
	int err = node__close(node);

	if (err)
		image__error("%s: could not be written: %s", path ? path : "image", strerror(-err));
	free(path);
	return err ? 1 : 0;
}

static void print_help(FILE *stream)
{
	unsigned i;

	fprintf(stream, "usage: trivet image COMMAND [options]\n\n");
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(stream, "  %-8s %s\n           %s %s\n", commands[i]->name, commands[i]->summary,
			commands[i]->name, commands[i]->usage);
	fprintf(stream, "\nOptions, output and exit statuses are those of qemu-img.\n");
}

static int image_command(int argc, char **argv)
{
	unsigned i;

	if (argc < 2) {
		print_help(stderr);
		return 1;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return 0;
	}
	for (i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(argv[1], commands[i]->name))
			return commands[i]->run(argc - 1, argv + 1);
	return image__error("unknown command \"%s\"; see 'trivet image --help'", argv[1]);
}

static const struct cli_option image_table[] = {
	{ NULL, NULL, NULL, NULL },
};

const struct cli_command cli_image_command = {
	.name = "image",
	.summary = "Make, check and convert disk images.",
	.options = image_table,
	.run = image_command,
};
