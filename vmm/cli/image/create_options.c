/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of new images (-o): create and convert take them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/image/image.h"

enum value_kind { VALUE_SIZE, VALUE_NUMBER, VALUE_BOOL, VALUE_STRING, VALUE_CHOICE };

struct create_option {
	const char *name;
	enum value_kind kind;
	bool raw; /* raw has it too */
	size_t offset;
	const char *choices; /* VALUE_CHOICE: "a|b|c", the index goes to a uint32_t or an enum */
	const char *help;
};

#define OPTION(name, kind, raw, field, choices, help)                                              \
	{                                                                                          \
		name, kind, raw, offsetof(struct image_create, field), choices, help               \
	}

static const struct create_option options[] = {
	OPTION("size", VALUE_SIZE, true, size, NULL, "size of the disk"),
	OPTION("preallocation", VALUE_CHOICE, true, preallocation, "off|metadata|falloc|full",
	       "what takes space at once: off, metadata, falloc or full"),
	OPTION("backing_file", VALUE_STRING, false, backing_name, NULL, "what backs the image"),
	OPTION("backing_fmt", VALUE_STRING, false, backing_format, NULL, "its format"),
	OPTION("cluster_size", VALUE_NUMBER, false, cluster_bits, NULL, "512 to 2M (64K)"),
	OPTION("refcount_bits", VALUE_NUMBER, false, refcount_bits, NULL, "1, 2, 4, ... 64 (16)"),
	OPTION("compat", VALUE_CHOICE, false, version, "0.10|1.1|v2|v3", "0.10 or 1.1"),
	OPTION("lazy_refcounts", VALUE_BOOL, false, lazy_refcounts, NULL,
	       "refcounts are written late and repaired after a crash (off)"),
	OPTION("extended_l2", VALUE_BOOL, false, extended_l2, NULL, "clusters have subclusters (off)"),
	OPTION("compression_type", VALUE_CHOICE, false, zstd, "zlib|zstd", "zlib or zstd"),
	OPTION("data_file", VALUE_STRING, false, data_file, NULL, "another file that has the data"),
	OPTION("data_file_raw", VALUE_BOOL, false, data_file_raw, NULL,
	       "the data file is a raw image (off)"),
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

void image_options__init(struct image_create *create)
{
	*create = (struct image_create){ .cluster_bits = 16, .refcount_bits = 16, .version = 3 };
}

void image_options__help(const char *format)
{
	unsigned i;

	printf("Supported options:\n");
	for (i = 0; i < OPTION_COUNT; i++)
		if (options[i].raw || !strcmp(format, "qcow2"))
			printf("  %-17s %s\n", options[i].name, options[i].help);
}

static int refuse(const char *key, const char *value, const char *help)
{
	image__error("option %s=%s: %s", key, value, help);
	return -EINVAL;
}

static int set_choice(const struct create_option *option, const char *value, void *field)
{
	const char *at = option->choices;
	size_t length = strlen(value);
	unsigned index;

	for (index = 0; at; index++) {
		const char *end = strchr(at, '|');
		size_t n = end ? (size_t)(end - at) : strlen(at);

		if (n == length && !strncmp(at, value, n))
			break;
		at = end ? end + 1 : NULL;
	}
	if (!at)
		return refuse(option->name, value, option->help);
	if (!strcmp(option->name, "compat"))
		*(uint32_t *)field = index & 1 ? 3 : 2;
	else if (!strcmp(option->name, "compression_type"))
		*(bool *)field = index;
	else
		*(enum image_preallocation *)field = index;
	return 0;
}

static int set_number(const struct create_option *option, const char *value, uint32_t *field)
{
	uint64_t number;

	if (!strcmp(option->name, "refcount_bits")) {
		*field = strtoul(value, NULL, 10);
		return *field ? 0 : refuse(option->name, value, option->help);
	}
	if (image__parse_bytes(value, &number))
		return -EINVAL;
	if (number < 512 || number > 2 << 20 || number & (number - 1))
		return refuse(option->name, value, "must be a power of two from 512 to 2M");
	*field = __builtin_ctzll(number);
	return 0;
}

static int set_option(const struct create_option *option, char *value, struct image_create *create)
{
	void *field = (char *)create + option->offset;

	switch (option->kind) {
	case VALUE_SIZE:
		return image__parse_size(value, field);
	case VALUE_NUMBER:
		return set_number(option, value, field);
	case VALUE_BOOL:
		if (strcmp(value, "on") && strcmp(value, "off"))
			return refuse(option->name, value, "must be on or off");
		*(bool *)field = !strcmp(value, "on");
		return 0;
	case VALUE_STRING:
		*(const char **)field = value;
		return 0;
	case VALUE_CHOICE:
		return set_choice(option, value, field);
	}
	return -EINVAL;
}

/* Ends the text at the next single comma, making two commas one; returns what follows, or NULL. */
static char *cut(char *text)
{
	char *to = text;

	while (*text && (*text != ',' || text[1] == ',')) {
		text += *text == ',';
		*to++ = *text++;
	}
	if (!*text) {
		*to = '\0';
		return NULL;
	}
	*to = '\0';
	return text + 1;
}

int image_options__parse(char *text, const char *format, struct image_create *create)
{
	while (text) {
		char *pair = text, *value;
		unsigned i;
		int err;

		text = cut(text);
		value = strchr(pair, '=');
		if (!value)
			return refuse(pair, "", "must be option=value");
		*value++ = '\0';
		for (i = 0; i < OPTION_COUNT; i++)
			if (!strcmp(options[i].name, pair) && (options[i].raw || !strcmp(format, "qcow2")))
				break;
		if (i == OPTION_COUNT) {
			image__error("format %s has no option %s; see -o help", format, pair);
			return -EINVAL;
		}
		err = set_option(&options[i], value, create);
		if (err)
			return err;
	}
	return 0;
}

void image_options__print(const struct image_create *create, const char *format)
{
	printf("Formatting '%s', fmt=%s", create->path, format);
	if (!strcmp(format, "qcow2"))
		printf(" cluster_size=%u extended_l2=%s compression_type=%s", 1u << create->cluster_bits,
		       create->extended_l2 ? "on" : "off", create->zstd ? "zstd" : "zlib");
	printf(" size=%llu", (unsigned long long)create->size);
	if (create->backing_name)
		printf(" backing_file=%s backing_fmt=%s", create->backing_name, create->backing_format);
	if (create->data_file)
		printf(" data_file=%s data_file_raw=%s", create->data_file,
		       create->data_file_raw ? "on" : "off");
	if (!strcmp(format, "qcow2") && create->version == 2)
		printf(" compat=0.10");
	if (!strcmp(format, "qcow2"))
		printf(" lazy_refcounts=%s refcount_bits=%u", create->lazy_refcounts ? "on" : "off",
		       create->refcount_bits);
	printf("\n");
}

/* Opens what shall back the image, for its size and to see that it can be opened. */
static int look_at_backing(struct image_create *create, bool size_given)
{
	struct node_how how = { .format = create->backing_format };
	struct node *node;
	char *path, error[512];

	if (node__backing_path(create->path, create->backing_name, &path, error, sizeof(error)))
		return image__error("%s", error);
	how.path = path;
	node = image__open(&how);
	free(path);
	if (!node)
		return 1;
	if (!size_given)
		create->size = atomic_load(&node->size);
	return image__close(node);
}

int image_options__create(struct image_create *create, const char *format, bool size_given,
			  bool trust_backing, bool quiet)
{
	const struct format_class *class = format__find(format);
	char error[1024];

	if (!class || !class->create)
		return image__error("unknown format \"%s\"; there are raw and qcow2", format);
	if (create->backing_name && !create->backing_format)
		return image__error("%s: the format of the backing file is missing; give -F raw or -F qcow2",
				    create->path);
	if (create->backing_format && !create->backing_name)
		return image__error("%s: a backing format without a backing file", create->path);
	if (create->backing_format && !format__find(create->backing_format))
		return image__error("unknown backing format \"%s\"; there are raw and qcow2",
				    create->backing_format);
	if (create->backing_name && !(trust_backing && size_given) && look_at_backing(create, size_given))
		return 1;
	if (!create->backing_name && !size_given)
		return image__error("%s: the size is missing", create->path);
	if (!quiet)
		image_options__print(create, format);
	if (class->create(create, error, sizeof(error)))
		return image__error("%s", error);
	return 0;
}
