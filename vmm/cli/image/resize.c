/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image resize`. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cli/image/image.h"

static int resize_image(const struct node_how *how, const char *text, bool shrink, bool quiet)
{
	struct node *node;
	uint64_t size, by, old;
	char error[1024];
	int status = 0;

	if (image__parse_bytes(text + (*text == '+' || *text == '-'), &by))
		return 1;
	node = image__open(how);
	if (!node)
		return 1;
	old = size = atomic_load(&node->size);
	if (*text == '+')
		size += by;
	else if (*text == '-')
		size = by > size ? 0 : size - by;
	else
		size = by;
	if (!size || size > INT64_MAX)
		status = image__error("%s: size %s: the new size must be more than zero, and less than 8E",
				      how->path, text);
	else if (size & 511)
		status = image__error("%s: size %s: the new size must be a multiple of 512", how->path, text);
	else if (size < old && !shrink)
		status = image__error("%s: shrinking loses data behind %llu bytes; give --shrink for that",
				      how->path, (unsigned long long)size);
	else if (node->class->resize(node, size, error, sizeof(error)))
		status = image__error("%s", error);
	if (image__close(node))
		status = 1;
	if (!status && !quiet)
		printf("Image resized.\n");
	return status;
}

static int resize_command(int argc, char **argv)
{
	static const struct option longs[] = { { "shrink", no_argument, NULL, 1 },
					       { NULL, 0, NULL, 0 } };
	struct node_how how = { .write = true, .lock = true, .discard = true };
	bool shrink = false, quiet = false;
	const char *size;
	int c;

	/* "-1G" is a size: it is the last word, and taken away before the options are looked at. */
	if (argc < 3)
		return image__usage(&image_command_resize);
	size = argv[--argc];
	optind = 1;
	while ((c = getopt_long(argc, argv, "f:q", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			how.format = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 1:
			shrink = true;
			break;
		default:
			return image__usage(&image_command_resize);
		}
	}
	if (optind + 1 != argc)
		return image__usage(&image_command_resize);
	how.path = argv[optind];
	return resize_image(&how, size, shrink, quiet);
}

const struct image_command image_command_resize = {
	.name = "resize",
	.usage = "[-q] [-f FORMAT] [--shrink] FILE [+|-]SIZE",
	.summary = "Give a disk another size.",
	.run = resize_command,
};
