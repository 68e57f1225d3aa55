/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image rebase`: another backing file, with what differs copied, or (-u) the name alone. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/image/image.h"

#define CHUNK (1u << 20)
#define BLOCK 65536u /* what is compared in one piece */

struct rebase {
	struct node_how how, backing_how;
	const char *name, *format; /* name NULL or "": no backing file any more */
	bool unsafe, progress, quiet, flush_each, each_of_source;
	struct node *top, *other;
	uint8_t *old_bytes, *new_bytes;
};

static int open_other(struct rebase *r)
{
	char *path, error[512];
	struct node_how how = r->backing_how;

	if (!r->name)
		return 0;
	if (node__backing_path(r->how.path, r->name, &path, error, sizeof(error)))
		return image__error("%s", error);
	how.path = path;
	how.format = r->format;
	how.lock = true;
	r->other = image__open(&how);
	free(path);
	return r->other ? 0 : 1;
}

/* Zeroes where there is nothing (any more). */
static int read_backing(struct node *node, uint64_t at, uint8_t *buf, uint64_t length)
{
	uint64_t size = node ? atomic_load(&node->size) : 0, n = at < size ? size - at : 0;

	if (n > length)
		n = length;
	memset(buf + n, 0, length - n);
	return n ? node__read(node, at, buf, n) : 0;
}

/* A range that the image leaves to its backing file: keeps what the guest sees there. */
static int keep_range(struct rebase *r, uint64_t at, uint64_t length)
{
	uint64_t from, n;
	int err = read_backing(r->top->backing, at, r->old_bytes, length);

	if (!err)
		err = read_backing(r->other, at, r->new_bytes, length);
	for (from = 0; !err && from < length; from += n) {
		n = BLOCK - (at + from) % BLOCK;
		if (n > length - from)
			n = length - from;
		if (!memcmp(r->old_bytes + from, r->new_bytes + from, n))
			continue;
		err = node__write(r->top, at + from, r->old_bytes + from, n);
		if (!err && r->flush_each)
			err = node__flush(r->top);
	}
	return err;
}

static int keep_all(struct rebase *r)
{
	uint64_t at, size = atomic_load(&r->top->size);
	struct extent extent;
	int err;

	r->old_bytes = malloc(CHUNK);
	r->new_bytes = malloc(CHUNK);
	err = r->old_bytes && r->new_bytes ? 0 : -ENOMEM;
	for (at = 0; !err && at < size; at += extent.length) {
		err = r->top->class->extent(r->top, at, size - at < CHUNK ? size - at : CHUNK, &extent);
		if (!err && extent.kind == EXTENT_BACKING)
			err = keep_range(r, at, extent.length);
		progress__at(at + extent.length, size);
	}
	/* What was copied is there before the name changes. */
	if (!err)
		err = node__flush(r->top);
	free(r->old_bytes);
	free(r->new_bytes);
	return err ? image__error("%s: %s", r->how.path, strerror(-err)) : 0;
}

static int rebase(struct rebase *r)
{
	char error[1024];
	int status = 0;

	r->how.no_backing = r->unsafe;
	r->top = image__open(&r->how);
	if (!r->top)
		return 1;
	if (!r->top->class->set_backing)
		status = image__error("%s: images of format %s have no backing file", r->how.path,
				      r->top->class->name);
	else if (r->name && !r->format)
		status = image__error("%s: the format of the backing file is missing; give -F raw or -F qcow2",
				      r->how.path);
	else if (r->format && !format__find(r->format))
		status = image__error("unknown backing format \"%s\"; there are raw and qcow2", r->format);
	if (!status && !r->unsafe) {
		status = open_other(r);
		progress__start(r->progress);
		if (!status)
			status = keep_all(r);
		progress__end();
	}
	if (!status && r->top->class->set_backing(r->top, r->name, r->format, error, sizeof(error)))
		status = image__error("%s", error);
	if (r->other)
		image__close(r->other);
	return image__close(r->top) ? 1 : status;
}

static int rebase_command(int argc, char **argv)
{
	struct rebase r = { .how = { .write = true, .lock = true, .discard = true } };
	bool given = false;
	int option;

	optind = 1;
	while ((option = getopt(argc, argv, "b:F:f:pqt:T:u")) != -1) {
		switch (option) {
		case 'b':
			r.name = *optarg ? optarg : NULL;
			given = true;
			break;
		case 'F':
			r.format = optarg;
			break;
		case 'f':
			r.how.format = optarg;
			break;
		case 'p':
			r.progress = true;
			break;
		case 'q':
			r.quiet = true;
			break;
		case 't':
			if (image__parse_cache(optarg, &r.how, &r.flush_each))
				return 1;
			break;
		case 'T':
			if (image__parse_cache(optarg, &r.backing_how, &r.each_of_source))
				return 1;
			break;
		case 'u':
			r.unsafe = true;
			break;
		default:
			return image__usage(&image_command_rebase);
		}
	}
	if (optind + 1 != argc || !given)
		return image__usage(&image_command_rebase);
	r.how.path = argv[optind];
	return rebase(&r);
}

const struct image_command image_command_rebase = {
	.name = "rebase",
	.usage = "[-p] [-q] [-u] [-f FORMAT] [-t CACHE] [-T CACHE] -b BACKING [-F FORMAT] FILE",
	.summary = "Give an image another backing file (\"\": none).",
	.run = rebase_command,
};
