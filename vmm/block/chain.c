/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening an image and the images that back it. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/block/node.h"

#define MAX_DEPTH 200
#define HEAD_SIZE 4096

static const struct format_class *const formats[] = {
	&format_class_qcow2,
	&format_class_raw, /* takes what nobody else does */
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

const struct format_class *format__get(unsigned index)
{
	return index < FORMAT_COUNT ? formats[index] : NULL;
}

const struct format_class *format__find(const char *name)
{
	unsigned i;

	for (i = 0; i < FORMAT_COUNT; i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

static int choose_format(struct node *node, const char *name, char *error, size_t error_size)
{
	uint8_t head[HEAD_SIZE];
	unsigned i;
	int err;

	if (name) {
		node->class = format__find(name);
		if (node->class)
			return 0;
		snprintf(error, error_size, "%s: unknown format \"%s\"; there are raw and qcow2",
			 node->file->path, name);
		return -EINVAL;
	}
	err = file__read(node->file, 0, head, sizeof(head));
	if (err) {
		snprintf(error, error_size, "%s: cannot be read: %s", node->file->path, strerror(-err));
		return err;
	}
	for (i = 0; i < FORMAT_COUNT; i++)
		if (!formats[i]->probe || formats[i]->probe(head, sizeof(head)))
			break;
	node->class = formats[i];
	node->probed = true;
	return 0;
}

/* Opens one image without what backs it. */
static int open_one(const struct node_how *how, struct node **out, char *error, size_t error_size)
{
	struct file_how file_how = {
		.write = how->write,
		.direct = how->direct,
		.no_sync = how->no_sync,
		.lock = !how->lock ? FILE_LOCK_NONE : how->write ? FILE_LOCK_WRITE : FILE_LOCK_READ,
	};
	struct node *node = calloc(1, sizeof(*node));
	int err;

	if (!node) {
		snprintf(error, error_size, "%s: out of memory", how->path);
		return -ENOMEM;
	}
	pthread_mutex_init(&node->lock, NULL);
	pthread_cond_init(&node->left, NULL);
	node->write = how->write;
	node->discard = how->discard;
	node->discard_align = 512;
	err = file__open(how->files, how->path, &file_how, &node->file, error, error_size);
	if (err)
		goto free_node;
	node->data = node->file;
	err = choose_format(node, how->format, error, error_size);
	if (!err)
		err = node->class->open(node, how, error, error_size);
	if (err)
		goto close_file;
	*out = node;
	return 0;
close_file:
	file__close(node->file);
	free(node->backing_name);
	free(node->backing_format);
free_node:
	pthread_cond_destroy(&node->left);
	pthread_mutex_destroy(&node->lock);
	free(node);
	return err;
}

/* A name with a protocol in front, for example "nbd://..." or "json:...". */
static bool has_protocol(const char *name)
{
	const char *at = name;

	while (isalnum((unsigned char)*at) || *at == '+' || *at == '-' || *at == '.')
		at++;
	return at != name && *at == ':';
}

int node__backing_path(const char *path, const char *name, char **backing, char *error,
		       size_t error_size)
{
	const char *slash = strrchr(path, '/');
	size_t folder = 0;

	if (!strncmp(name, "file:", 5)) {
		name += 5;
	} else if (has_protocol(name)) {
		snprintf(error, error_size,
			 "%s: its backing file is \"%s\"; only files and block devices are supported", path,
			 name);
		return -ENOTSUP;
	}
	if (*name != '/' && slash)
		folder = slash + 1 - path;
	*backing = malloc(folder + strlen(name) + 1);
	if (!*backing) {
		snprintf(error, error_size, "%s: out of memory", path);
		return -ENOMEM;
	}
	memcpy(*backing, path, folder);
	strcpy(*backing + folder, name);
	return 0;
}

static bool is_same_file(const struct block_file *a, const struct block_file *b)
{
	struct stat st_a, st_b;

	if (a->fd < 0 || b->fd < 0)
		return !strcmp(a->path, b->path);
	return !fstat(a->fd, &st_a) && !fstat(b->fd, &st_b) && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino && (!a->device || st_a.st_rdev == st_b.st_rdev);
}

static int check_cycle(struct node *top, struct node *last, char *error, size_t error_size)
{
	unsigned depth = 0;
	struct node *node;

	for (node = top; node != last; node = node->backing, depth++)
		if (is_same_file(node->file, last->file)) {
			snprintf(error, error_size, "%s: backs itself (through %s)", node->file->path,
				 last->file->path);
			return -ELOOP;
		}
	if (depth < MAX_DEPTH)
		return 0;
	snprintf(error, error_size, "%s: more than %d images back each other", top->file->path,
		 MAX_DEPTH);
	return -ELOOP;
}

static int open_backing(struct node *top, struct node *node, const struct node_how *top_how,
			char *error, size_t error_size)
{
	struct node_how how = *top_how;
	char *path, why[512];
	int err;

	err = node__backing_path(node->file->path, node->backing_name, &path, error, error_size);
	if (err)
		return err;
	how.path = path;
	how.format = node->backing_format;
	how.write = how.discard = how.no_sync = how.check = false;
	err = open_one(&how, &node->backing, why, sizeof(why));
	if (err)
		snprintf(error, error_size, "%s: its backing file: %s", node->file->path, why);
	else
		err = check_cycle(top, node->backing, error, error_size);
	free(path);
	return err;
}

int node__open(const struct node_how *how, struct node **out, char *error, size_t error_size)
{
	struct node *top, *node;
	int err = open_one(how, &top, error, error_size);

	if (err)
		return err;
	for (node = top; !err && node && node->backing_name && !how->no_backing; node = node->backing)
		err = open_backing(top, node, how, error, error_size);
	if (err) {
		node__close(top);
		return err;
	}
	*out = top;
	return 0;
}

int node__close(struct node *node)
{
	int err = 0;

	while (node) {
		struct node *backing = node->backing;
		int closed = node->class->close(node), file;

		file = file__close(node->file);
		if (!err)
			err = closed ? closed : file;
		pthread_cond_destroy(&node->left);
		pthread_mutex_destroy(&node->lock);
		free(node->backing_name);
		free(node->backing_format);
		free(node);
		node = backing;
	}
	return err;
}
