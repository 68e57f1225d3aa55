/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image create`. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/image/image.h"

static int create_command(int argc, char **argv)
{
	const char *format = "raw", *backing = NULL, *backing_format = NULL;
	bool quiet = false, trust = false, size_given;
	struct image_create create;
	char *wishes[16];
	unsigned count = 0, i;
	int c;

	image_options__init(&create);
	optind = 1;
	while ((c = getopt(argc, argv, "f:b:F:o:qu")) != -1) {
		switch (c) {
		case 'f':
			format = optarg;
			break;
		case 'b':
			backing = optarg;
			break;
		case 'F':
			backing_format = optarg;
			break;
		case 'o':
			if (count == sizeof(wishes) / sizeof(wishes[0]))
				return image__error("too many -o");
			wishes[count++] = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'u':
			trust = true;
			break;
		default:
			return image__usage(&image_command_create);
		}
	}
	for (i = 0; i < count; i++) {
		if (!strcmp(wishes[i], "help") || !strcmp(wishes[i], "?")) {
			image_options__help(format);
			return 0;
		}
		if (image_options__parse(wishes[i], format, &create))
			return 1;
	}
	if (optind >= argc || argc - optind > 2)
		return image__usage(&image_command_create);
	create.path = argv[optind];
	size_given = create.size != 0;
	if (optind + 1 < argc) {
		if (image__parse_size(argv[optind + 1], &create.size))
			return 1;
		size_given = true;
	}
	if (backing)
		create.backing_name = backing;
	if (backing_format)
		create.backing_format = backing_format;
	return image_options__create(&create, format, size_given, trust, quiet);
}

const struct image_command image_command_create = {
	.name = "create",
	.usage = "[-q] [-f FORMAT] [-b BACKING -F FORMAT [-u]] [-o OPTION=VALUE,...] FILE [SIZE]",
	.summary = "Make an image.",
	.run = create_command,
};
