/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image convert`: copies images into one new image, leaving zeroes out. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/block/io/iov.h"
#include "vmm/cli/image/image.h"

#define CHUNK (2u << 20)
#define MAX_SOURCES 16

struct conversion {
	/* options */
	const char *source_format, *format, *snapshot, *source_cache, *cache;
	bool progress, quiet, packed, no_create, share;
	uint64_t sparse; /* runs of zeroes from this length on are left out; 0: none */
	struct image_create create;
	bool size_given;
	/* state */
	struct node *source[MAX_SOURCES], *target;
	unsigned count;
	uint64_t total;
	uint64_t cluster;   /* of packed writes */
	bool has_zeroes;    /* the target reads as zeroes where nothing was written */
	bool flush_each;
	uint8_t *buf;
};

static int open_sources(struct conversion *c, char **paths, unsigned count)
{
	struct node_how how = { .format = c->source_format, .lock = !c->share };
	char error[1024];
	bool each;

	if (image__parse_cache(c->source_cache, &how, &each))
		return 1;
	for (c->count = 0; c->count < count; c->count++) {
		how.path = paths[c->count];
		c->source[c->count] = image__open(&how);
		if (!c->source[c->count])
			return 1;
		if (c->snapshot) {
			struct node *node = c->source[c->count];

			if (!node->class->snapshot_view) {
				c->count++;
				return image__error("%s: format %s has no snapshots", how.path,
						    node->class->name);
			}
			if (node->class->snapshot_view(node, c->snapshot, error, sizeof(error))) {
				c->count++;
				return image__error("%s", error);
			}
		}
		c->total += atomic_load(&c->source[c->count]->size);
	}
	return 0;
}

static int open_target(struct conversion *c, const char *path)
{
	struct node_how how = { .path = path, .format = c->format, .write = true, .lock = true,
				.no_backing = !c->create.backing_name };
	struct image_info info = { 0 };

	if (image__parse_cache(c->cache, &how, &c->flush_each))
		return 1;
	c->create.path = path;
	if (!c->no_create) {
		if (!c->size_given)
			c->create.size = c->total;
		if (image_options__create(&c->create, c->format, true, false, true))
			return 1;
	}
	c->target = image__open(&how);
	if (!c->target)
		return 1;
	if (atomic_load(&c->target->size) < c->total)
		return image__error("%s: %llu bytes are too few for the %llu of the source", path,
				    (unsigned long long)atomic_load(&c->target->size),
				    (unsigned long long)c->total);
	if (c->target->class->info)
		c->target->class->info(c->target, &info);
	c->cluster = info.cluster_size;
	c->has_zeroes = !c->no_create && !c->create.backing_name && !c->target->file->device;
	if (c->packed && !c->target->class->write_packed)
		return image__error("format %s has no compression; give -O qcow2", c->format);
	return 0;
}

static int finish_write(struct conversion *c, int err)
{
	return !err && c->flush_each ? node__flush(c->target) : err;
}

static int write_zeroes(struct conversion *c, uint64_t at, uint64_t length)
{
	if (c->has_zeroes)
		return 0;
	return finish_write(c, node__zero(c->target, at, length, false));
}

/* Data with the runs of zeroes left out. */
static int write_sparse(struct conversion *c, uint64_t at, uint64_t length)
{
	uint64_t from, to;
	int err = 0;

	if (!c->sparse)
		return finish_write(c, node__write(c->target, at, c->buf, length));
	for (from = 0; !err && from < length; from = to) {
		bool zero = true, first = true;

		/* As many blocks as are alike. */
		for (to = from; to < length;) {
			uint64_t n = c->sparse - (at + to) % c->sparse;
			bool is;

			if (n > length - to)
				n = length - to;
			is = iov__buffer_is_zero(c->buf + to, n);
			if (!first && is != zero)
				break;
			zero = is;
			first = false;
			to += n;
		}
		err = zero ? write_zeroes(c, at + from, to - from) :
			     finish_write(c, node__write(c->target, at + from, c->buf + from, to - from));
	}
	return err;
}

/* One cluster of the target; what the source does not reach of it is zero. */
static int write_packed(struct conversion *c, uint64_t at, uint64_t length)
{
	uint64_t size = atomic_load(&c->target->size) - at;
	int err;

	if (iov__buffer_is_zero(c->buf, length))
		return write_zeroes(c, at, length);
	if (length < c->cluster && length < size)
		return finish_write(c, node__write(c->target, at, c->buf, length));
	memset(c->buf + length, 0, c->cluster - length);
	err = c->target->class->write_packed(c->target, at, c->buf, c->cluster);
	if (err == -E2BIG)
		err = node__write(c->target, at, c->buf, length);
	return finish_write(c, err);
}

/* What there is at a place of the source. With a backing file for the target, only what the source
 * itself has is copied. */
static int look(struct conversion *c, struct node *source, uint64_t at, uint64_t length,
		struct extent *extent, bool *skip)
{
	int err;

	*skip = false;
	if (!c->create.backing_name)
		return node__extent(source, at, length, extent, NULL);
	err = source->class->extent(source, at, length, extent);
	*skip = !err && extent->kind == EXTENT_BACKING;
	return err;
}

static int copy_piece(struct conversion *c, struct node *source, uint64_t at, uint64_t length,
		      uint64_t base, uint64_t *done)
{
	struct extent extent;
	bool skip;
	int err = look(c, source, at, length, &extent, &skip);

	if (err)
		return err;
	*done = extent.length;
	if (skip)
		return 0;
	if (!c->packed && (extent.kind == EXTENT_ZERO || extent.kind == EXTENT_BACKING))
		return write_zeroes(c, base + at, extent.length);
	if (c->packed) {
		/* Whole clusters, whatever they are made of. */
		*done = c->cluster - (base + at) % c->cluster;
		if (*done > length)
			*done = length;
	} else if (*done > CHUNK) {
		*done = CHUNK;
	}
	err = node__read(source, at, c->buf, *done);
	if (err)
		return err;
	if (c->packed && !((base + at) % c->cluster))
		return write_packed(c, base + at, *done);
	return write_sparse(c, base + at, *done);
}

static int copy_all(struct conversion *c)
{
	uint64_t base = 0, at, done, size;
	unsigned i;
	int err;

	for (i = 0; i < c->count; i++, base += size) {
		size = atomic_load(&c->source[i]->size);
		for (at = 0; at < size; at += done) {
			err = copy_piece(c, c->source[i], at, size - at, base, &done);
			if (err)
				return image__error("%s: at offset %llu: %s", c->source[i]->file->path,
						    (unsigned long long)at, strerror(-err));
			progress__at(base + at + done, c->total);
		}
	}
	return 0;
}

static int convert(struct conversion *c, char **paths, unsigned count)
{
	int status = open_sources(c, paths, count - 1);

	if (!status)
		status = open_target(c, paths[count - 1]);
	if (!status) {
		c->buf = malloc(CHUNK > c->cluster ? CHUNK : c->cluster);
		if (!c->buf)
			status = image__error("out of memory");
	}
	if (!status && c->sparse < 512)
		c->sparse = 0;
	if (!status) {
		progress__start(c->progress);
		status = copy_all(c);
		progress__end();
	}
	free(c->buf);
	if (c->target && image__close(c->target))
		status = 1;
	while (c->count--)
		image__close(c->source[c->count]);
	return status;
}

static int take_option(struct conversion *c, int option)
{
	switch (option) {
	case 'f':
		c->source_format = optarg;
		return 0;
	case 'O':
		c->format = optarg;
		return 0;
	case 'B':
	case 'b':
		c->create.backing_name = optarg;
		return 0;
	case 'F':
		c->create.backing_format = optarg;
		return 0;
	case 'l':
		/* "snapshot.name=NAME" and "snapshot.id=ID" as qemu-img has them. */
		c->snapshot = strncmp(optarg, "snapshot.", 9) ? optarg : strchr(optarg, '=');
		if (!c->snapshot)
			return image__error("-l %s: give a snapshot's name or id", optarg);
		c->snapshot += *c->snapshot == '=';
		return 0;
	case 't':
		c->cache = optarg;
		return 0;
	case 'T':
		c->source_cache = optarg;
		return 0;
	case 'S':
		return strcmp(optarg, "0") ? image__parse_size(optarg, &c->sparse) : (c->sparse = 0, 0);
	case 'c':
		c->packed = true;
		return 0;
	case 'n':
		c->no_create = true;
		return 0;
	case 'p':
		c->progress = true;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case 'U':
		c->share = true;
		return 0;
	default:
		return image__usage(&image_command_convert);
	}
}

static int convert_command(int argc, char **argv)
{
	struct conversion c = { .format = "raw", .source_cache = "writeback", .cache = "unsafe",
				.sparse = 4096 };
	char *wishes[16];
	unsigned count = 0, i;
	int option;

	image_options__init(&c.create);
	optind = 1;
	while ((option = getopt(argc, argv, "cf:O:B:b:F:o:l:t:T:S:npqU")) != -1) {
		if (option == 'o') {
			if (count == sizeof(wishes) / sizeof(wishes[0]))
				return image__error("too many -o");
			wishes[count++] = optarg;
		} else if (take_option(&c, option)) {
			return 1;
		}
	}
	for (i = 0; i < count; i++) {
		if (!strcmp(wishes[i], "help") || !strcmp(wishes[i], "?")) {
			image_options__help(c.format);
			return 0;
		}
		if (image_options__parse(wishes[i], c.format, &c.create))
			return 1;
	}
	c.size_given = c.create.size != 0;
	if (argc - optind < 2 || argc - optind > MAX_SOURCES + 1)
		return image__usage(&image_command_convert);
	return convert(&c, argv + optind, argc - optind);
}

const struct image_command image_command_convert = {
	.name = "convert",
	.usage = "[-c] [-n] [-p] [-q] [-U] [-f FORMAT] [-O FORMAT] [-B BACKING -F FORMAT] [-o OPTION=VALUE,...]\n"
		 "           [-l SNAPSHOT] [-S SIZE] [-t CACHE] [-T CACHE] FILE... TARGET",
	.summary = "Copy images into a new one.",
	.run = convert_command,
};
