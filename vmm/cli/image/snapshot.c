/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image snapshot`: internal snapshots. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cli/image/image.h"

static int do_action(struct node *node, int action, const char *name)
{
	const struct format_class *class = node->class;
	char error[1024];
	int err = 0;

	if (!class->snapshot_get)
		return image__error("%s: format %s has no snapshots", node->file->path, class->name);
	if (action == 'l')
		info__print_snapshots(node);
	else if (action == 'c')
		err = class->snapshot_create(node, name, error, sizeof(error));
	else if (action == 'a')
		err = class->snapshot_apply(node, name, error, sizeof(error));
	else
		err = class->snapshot_delete(node, name, error, sizeof(error));
	return err ? image__error("%s", error) : 0;
}

static int snapshot_command(int argc, char **argv)
{
	struct node_how how = { .lock = true, .discard = true };
	const char *name = NULL;
	struct node *node;
	int c, action = 0, status;

	optind = 1;
	while ((c = getopt(argc, argv, "la:c:d:f:qU")) != -1) {
		switch (c) {
		case 'l':
		case 'a':
		case 'c':
		case 'd':
			if (action)
				return image__error("give one of -l, -a, -c and -d");
			action = c;
			name = optarg;
			break;
		case 'f':
			how.format = optarg;
			break;
		case 'q':
			break; /* nothing is said anyway */
		case 'U':
			how.lock = false;
			break;
		default:
			return image__usage(&image_command_snapshot);
		}
	}
	if (optind + 1 != argc)
		return image__usage(&image_command_snapshot);
	if (!action)
		action = 'l';
	how.path = argv[optind];
	how.write = action != 'l';
	/* What backs it is needed only where a cluster may have to be read. */
	how.no_backing = action == 'l';
	node = image__open(&how);
	if (!node)
		return 1;
	status = do_action(node, action, name);
	return image__close(node) ? 1 : status;
}

const struct image_command image_command_snapshot = {
	.name = "snapshot",
	.usage = "[-q] [-U] [-f FORMAT] [-l | -a NAME | -c NAME | -d NAME] FILE",
	.summary = "List, apply, create or delete internal snapshots.",
	.run = snapshot_command,
};
