/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image commit`: what an overlay has goes into what backs it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/image/image.h"

#define CHUNK (2u << 20)

struct commit {
	struct node_how how;
	const char *base_name; /* NULL: the image's own backing file */
	bool keep, progress, quiet, flush_each;
	struct node *top, *base;
	char *base_path;
	bool deep; /* there are images between */
};

/* Images from the top to above the base, each alone, then tied together: so the base is not held. */
static int open_layers(struct commit *c)
{
	struct node *node, *next;
	struct node_how how = c->how;
	char *path, *wanted = NULL, error[1024];

	how.no_backing = true;
	c->top = image__open(&how);
	if (!c->top)
		return 1;
	if (c->base_name)
		wanted = strdup(c->base_name);
	for (node = c->top;; node = next) {
		if (!node->backing_name) {
			image__error(c->base_name ? "%s: \"%s\" does not back it" : "%s: has no backing file",
				     c->how.path, c->base_name);
			break;
		}
		if (node__backing_path(node->file->path, node->backing_name, &path, error,
				       sizeof(error))) {
			image__error("%s", error);
			break;
		}
		if (!wanted || !strcmp(wanted, path) || !strcmp(wanted, node->backing_name)) {
			c->base_path = path;
			c->how.format = node->backing_format;
			free(wanted);
			return 0;
		}
		how.path = path;
		how.format = node->backing_format;
		how.write = false;
		next = image__open(&how);
		free(path);
		if (!next)
			break;
		node->backing = next;
		c->deep = true;
	}
	free(wanted);
	return 1;
}

static int open_base(struct commit *c)
{
	struct node_how how = c->how;
	uint64_t size = atomic_load(&c->top->size);
	char error[1024];

	how.path = c->base_path;
	c->base = image__open(&how);
	if (!c->base)
		return 1;
	if (atomic_load(&c->base->size) >= size)
		return 0;
	if (c->base->class->resize(c->base, size, error, sizeof(error)))
		return image__error("%s", error);
	return 0;
}

/* An extent that an image above the base has; EXTENT_BACKING: none has it. */
static int copy_extent(struct commit *c, uint64_t at, uint64_t *length, uint8_t *buf)
{
	struct extent extent;
	int err = node__extent(c->top, at, *length, &extent, NULL);

	if (err)
		return err;
	*length = extent.length;
	if (extent.kind == EXTENT_BACKING)
		return 0;
	if (extent.kind == EXTENT_ZERO)
		return node__zero(c->base, at, extent.length, true);
	if (*length > CHUNK)
		*length = CHUNK;
	err = node__read(c->top, at, buf, *length);
	if (!err)
		err = node__write(c->base, at, buf, *length);
	if (!err && c->flush_each)
		err = node__flush(c->base);
	return err;
}

static int copy_all(struct commit *c)
{
	uint64_t at, length, size = atomic_load(&c->top->size);
	uint8_t *buf = malloc(CHUNK);
	int err = buf ? 0 : -ENOMEM;

	for (at = 0; !err && at < size; at += length) {
		length = size - at;
		err = copy_extent(c, at, &length, buf);
		progress__at(at + length, size);
	}
	/* All of it is there before any of it goes here. */
	if (!err)
		err = node__flush(c->base);
	if (!err && !c->keep && !c->deep)
		err = c->top->class->empty(c->top);
	free(buf);
	return err ? image__error("%s: %s", c->how.path, strerror(-err)) : 0;
}

static int commit(struct commit *c)
{
	int status = open_layers(c);

	if (!status)
		status = open_base(c);
	if (!status) {
		progress__start(c->progress);
		status = copy_all(c);
		progress__end();
	}
	if (c->top && image__close(c->top))
		status = 1;
	if (c->base && image__close(c->base))
		status = 1;
	free(c->base_path);
	if (!status && !c->quiet)
		printf("Image committed.\n");
	return status;
}

static int commit_command(int argc, char **argv)
{
	struct commit c = { .how = { .write = true, .lock = true, .discard = true } };
	int option;

	optind = 1;
	while ((option = getopt(argc, argv, "b:df:pqt:")) != -1) {
		switch (option) {
		case 'b':
			c.base_name = optarg;
			break;
		case 'd':
			c.keep = true;
			break;
		case 'f':
			c.how.format = optarg;
			break;
		case 'p':
			c.progress = true;
			break;
		case 'q':
			c.quiet = true;
			break;
		case 't':
			if (image__parse_cache(optarg, &c.how, &c.flush_each))
				return 1;
			break;
		default:
			return image__usage(&image_command_commit);
		}
	}
	if (optind + 1 != argc)
		return image__usage(&image_command_commit);
	c.how.path = argv[optind];
	return commit(&c);
}

const struct image_command image_command_commit = {
	.name = "commit",
	.usage = "[-d] [-p] [-q] [-f FORMAT] [-b BASE] [-t CACHE] FILE",
	.summary = "Write what an overlay has into what backs it, and empty it.",
	.run = commit_command,
};
