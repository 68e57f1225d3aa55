/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image check`: exit statuses 0, 1 (not done), 2 (corrupt), 3 (leaks), 63 (no check). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/image/image.h"

#define STATUS_CORRUPT 2
#define STATUS_LEAKS 3
#define STATUS_UNSUPPORTED 63

static void say(void *opaque, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void show(void *opaque, uint64_t done, uint64_t of)
{
	progress__at(done, of);
}

static void print_text(const struct image_check *check)
{
	if (check->corruptions_fixed || check->leaks_fixed)
		printf("The following inconsistencies were found and repaired:\n\n"
		       "    %llu leaked clusters\n    %llu corruptions\n\n",
		       (unsigned long long)check->leaks_fixed,
		       (unsigned long long)check->corruptions_fixed);
	if (!check->corruptions && !check->leaks && !check->errors)
		printf("No errors were found on the image.\n");
	if (check->corruptions)
		printf("\n%llu errors were found on the image.\n"
		       "Data may be corrupted, or further writes to the image may corrupt it.\n",
		       (unsigned long long)check->corruptions);
	if (check->leaks)
		printf("\n%llu leaked clusters were found on the image.\n"
		       "This means waste of disk space, but no harm to data.\n",
		       (unsigned long long)check->leaks);
	if (check->errors)
		printf("\n%llu internal errors have occurred during the check.\n",
		       (unsigned long long)check->errors);
	if (check->total && check->allocated)
		printf("%llu/%llu = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% compressed clusters\n",
		       (unsigned long long)check->allocated, (unsigned long long)check->total,
		       check->allocated * 100.0 / check->total,
		       check->fragmented * 100.0 / check->allocated,
		       check->compressed * 100.0 / check->allocated);
	printf("Image end offset: %llu\n", (unsigned long long)check->end_offset);
}

static void print_member(const char *name, uint64_t value)
{
	if (value)
		printf(",\n    \"%s\": %llu", name, (unsigned long long)value);
}

static void print_json(const struct image_check *check, const char *path, const char *format)
{
	printf("{\n    \"filename\": ");
	json__string(path);
	printf(",\n    \"format\": \"%s\",\n    \"check-errors\": %llu,\n    \"image-end-offset\": %llu",
	       format, (unsigned long long)check->errors, (unsigned long long)check->end_offset);
	print_member("corruptions", check->corruptions);
	print_member("leaks", check->leaks);
	print_member("corruptions-fixed", check->corruptions_fixed);
	print_member("leaks-fixed", check->leaks_fixed);
	print_member("total-clusters", check->total);
	print_member("allocated-clusters", check->allocated);
	print_member("fragmented-clusters", check->fragmented);
	print_member("compressed-clusters", check->compressed);
	printf("\n}\n");
}

static int check_image(const struct node_how *how, struct image_check *check, bool json, bool quiet)
{
	struct node *node = image__open(how);
	char error[1024];
	int status = 0;

	if (!node)
		return 1;
	if (!node->class->check) {
		image__error("%s: format %s has no checks", how->path, node->class->name);
		image__close(node);
		return STATUS_UNSUPPORTED;
	}
	if (node->class->check(node, check, error, sizeof(error)))
		status = image__error("%s", error);
	else if (json)
		print_json(check, how->path, node->class->name);
	else if (!quiet)
		print_text(check);
	if (image__close(node) || status || check->errors)
		return 1;
	return check->corruptions ? STATUS_CORRUPT : check->leaks ? STATUS_LEAKS : 0;
}

static int check_command(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 1 },
					       { "force-share", no_argument, NULL, 'U' },
					       { "repair", required_argument, NULL, 'r' },
					       { NULL, 0, NULL, 0 } };
	struct node_how how = { .lock = true, .no_backing = true, .check = true };
	struct image_check check = { .progress = show };
	bool quiet = false, json = false, progress = false;
	int c, status;

	optind = 1;
	while ((c = getopt_long(argc, argv, "f:r:qpU", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			how.format = optarg;
			break;
		case 'r':
			if (!strcmp(optarg, "leaks"))
				check.repair = IMAGE_REPAIR_LEAKS;
			else if (!strcmp(optarg, "all"))
				check.repair = IMAGE_REPAIR_ALL;
			else
				return image__error("-r %s: must be leaks or all", optarg);
			how.write = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'p':
			progress = true;
			break;
		case 'U':
			how.lock = false;
			break;
		case 1:
			if (image__parse_output(optarg, &json))
				return 1;
			break;
		default:
			return image__usage(&image_command_check);
		}
	}
	if (optind + 1 != argc)
		return image__usage(&image_command_check);
	how.path = argv[optind];
	if (!quiet && !json)
		check.say = say;
	progress__start(progress);
	status = check_image(&how, &check, json, quiet);
	progress__end();
	return status;
}

const struct image_command image_command_check = {
	.name = "check",
	.usage = "[-q] [-p] [-U] [-f FORMAT] [-r leaks|all] [--output=human|json] FILE",
	.summary = "Look for errors in an image, and repair them.",
	.run = check_command,
};
