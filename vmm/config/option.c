/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of a class (a device's, an engine's): text checked against the class's own table. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config/option.h"

static void *field_of(void *object, const struct config_option *option)
{
	return (char *)object + option->offset;
}

static void preset_options(const struct config_class *class, void *object)
{
	const struct config_option *option;

	for (option = class->options; option && option->name; option++) {
		void *field = field_of(object, option);

		switch (option->type) {
		case OPTION_U64:
		case OPTION_SIZE:
			*(uint64_t *)field = option->preset;
			break;
		case OPTION_BOOL:
			*(bool *)field = option->preset != 0;
			break;
		case OPTION_STRING:
		case OPTION_LIST:
			*(char **)field = NULL;
			break;
		}
	}
}

void config__free(const struct config_class *class, void *object)
{
	const struct config_option *option;

	for (option = class->options; option && option->name; option++)
		if (option->type == OPTION_STRING || option->type == OPTION_LIST) {
			char **field = field_of(object, option);

			free(*field);
			*field = NULL;
		}
}

/* Names of the class's options for messages: "a, b, c" or "none". */
static void list_options(const struct config_class *class, char *out, size_t size)
{
	const struct config_option *option;
	size_t at = 0;

	snprintf(out, size, "none");
	for (option = class->options; option && option->name && at < size; option++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", option->name);
}

static int set_u64(const struct config_class *class, const struct config_option *option,
		   const char *value, uint64_t *field, char *error, size_t error_size)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 0);
	if (!isdigit((unsigned char)*value) || *end || errno || number < option->min ||
	    number > option->max) {
		snprintf(error, error_size,
			 "%s %s: option %s=%s: must be a number from 0x%llx to 0x%llx", class->kind,
			 class->name, option->name, value, (unsigned long long)option->min,
			 (unsigned long long)option->max);
		return -EINVAL;
	}
	*field = number;
	return 0;
}

static int set_size(const struct config_class *class, const struct config_option *option,
		    const char *value, uint64_t *field, char *error, size_t error_size)
{
	uint64_t size;

	if (config__parse_size(value, &size) || size < option->min || size > option->max) {
		snprintf(error, error_size,
			 "%s %s: option %s=%s: must be a size from %lluM to %lluM, for example 64M",
			 class->kind, class->name, option->name, value,
			 (unsigned long long)option->min >> 20, (unsigned long long)option->max >> 20);
		return -EINVAL;
	}
	*field = size;
	return 0;
}

/* Behind what has been given before. A line end in it would be another one. */
static int add_to_list(const struct config_class *class, const struct config_option *option,
		       const char *value, char **field, char *error, size_t error_size)
{
	char *list;

	if (!*value || strchr(value, '\n')) {
		snprintf(error, error_size, "%s %s: option %s=%s: must be one line, and not empty", class->kind,
			 class->name, option->name, value);
		return -EINVAL;
	}
	if (asprintf(&list, "%s%s%s", *field ? *field : "", *field ? "\n" : "", value) < 0)
		return -ENOMEM;
	free(*field);
	*field = list;
	return 0;
}

static int set_option(const struct config_class *class, const char *key, const char *value,
		      void *object, char *error, size_t error_size)
{
	const struct config_option *option;
	char names[200];
	void *field;

	for (option = class->options; option && option->name; option++)
		if (!strcmp(option->name, key))
			break;
	if (!option || !option->name) {
		list_options(class, names, sizeof(names));
		snprintf(error, error_size, "%s %s: unknown option %s; it has: %s", class->kind,
			 class->name, key, names);
		return -EINVAL;
	}
	field = field_of(object, option);
	switch (option->type) {
	case OPTION_U64:
		return set_u64(class, option, value, field, error, error_size);
	case OPTION_SIZE:
		return set_size(class, option, value, field, error, error_size);
	case OPTION_BOOL:
		if (strcmp(value, "on") && strcmp(value, "off")) {
			snprintf(error, error_size, "%s %s: option %s=%s: must be on or off",
				 class->kind, class->name, key, value);
			return -EINVAL;
		}
		*(bool *)field = !strcmp(value, "on");
		return 0;
	case OPTION_STRING:
		free(*(char **)field);
		*(char **)field = strdup(value);
		return *(char **)field ? 0 : -ENOMEM;
	case OPTION_LIST:
		return add_to_list(class, option, value, field, error, error_size);
	}
	return -EINVAL;
}

/* Cuts "key=value" off the front of *text; ",," in a value is a comma. Both are written to buf. */
static int cut_pair(const char **text, char *buf, char **key, char **value)
{
	const char *from = *text;
	char *to = buf;

	*key = to;
	while (*from && *from != '=' && *from != ',')
		*to++ = *from++;
	if (*from != '=' || to == buf)
		return -EINVAL;
	*to++ = '\0';
	from++;
	*value = to;
	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*to = '\0';
	if (*from == ',') {
		from++;
		if (!*from)
			return -EINVAL;
	}
	*text = from;
	return 0;
}

int config__parse(const struct config_class *class, const char *text, void *object, char *error,
		  size_t error_size)
{
	char *buf, *key, *value;
	int err = 0;

	preset_options(class, object);
	if (!text || !*text)
		return 0;
	buf = malloc(strlen(text) + 2);
	if (!buf) {
		snprintf(error, error_size, "%s %s: out of memory", class->kind, class->name);
		return -ENOMEM;
	}
	while (!err && *text) {
		const char *rest = text;

		err = cut_pair(&text, buf, &key, &value);
		if (err)
			snprintf(error, error_size,
				 "%s %s: \"%s\": must be option=value[,option=value...]",
				 class->kind, class->name, rest);
		else
			err = set_option(class, key, value, object, error, error_size);
	}
	free(buf);
	if (err)
		config__free(class, object);
	return err;
}

int config__parse_size(const char *text, uint64_t *size)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned shift = 0;
	uint64_t value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	if (*end && strcmp(end, "B")) {
		char upper = *end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end;

		suffix = strchr(suffixes, upper);
		if (!suffix)
			return -EINVAL;
		shift = 10 * (suffix - suffixes + 1);
		end++;
		if (*end && strcmp(end, "B") && strcmp(end, "iB"))
			return -EINVAL;
	}
	if (value > UINT64_MAX >> shift)
		return -EINVAL;
	*size = value << shift;
	return 0;
}

char *config__with_value(const char *before, const char *value)
{
	char *text = malloc(strlen(before) + 2 * strlen(value) + 1), *to = text;

	if (!text)
		return NULL;
	to = stpcpy(to, before);
	for (; *value; value++) {
		if (*value == ',')
			*to++ = ',';
		*to++ = *value;
	}
	*to = '\0';
	return text;
}
