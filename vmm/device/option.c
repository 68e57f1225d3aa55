/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device options: text checked against the class's own table. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/device/device.h"

static void *field_of(void *object, const struct device_option *option)
{
	return (char *)object + option->offset;
}

static void preset_options(const struct device_class *class, void *object)
{
	const struct device_option *option;

	for (option = class->options; option && option->name; option++) {
		void *field = field_of(object, option);

		switch (option->type) {
		case OPTION_U64:
			*(uint64_t *)field = option->preset;
			break;
		case OPTION_BOOL:
			*(bool *)field = option->preset != 0;
			break;
		case OPTION_STRING:
			*(char **)field = NULL;
			break;
		}
	}
}

void option__free(const struct device_class *class, void *object)
{
	const struct device_option *option;

	for (option = class->options; option && option->name; option++)
		if (option->type == OPTION_STRING) {
			char **field = field_of(object, option);

			free(*field);
			*field = NULL;
		}
}

/* Names of the class's options for messages: "a, b, c" or "none". */
static void list_options(const struct device_class *class, char *out, size_t size)
{
	const struct device_option *option;
	size_t at = 0;

	snprintf(out, size, "none");
	for (option = class->options; option && option->name && at < size; option++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", option->name);
}

static int set_u64(const struct device_class *class, const struct device_option *option,
		   const char *value, uint64_t *field, char *error, size_t error_size)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 0);
	if (!isdigit((unsigned char)*value) || *end || errno || number < option->min ||
	    number > option->max) {
		snprintf(error, error_size,
			 "device %s: option %s=%s: must be a number from 0x%llx to 0x%llx", class->name,
			 option->name, value, (unsigned long long)option->min,
			 (unsigned long long)option->max);
		return -EINVAL;
	}
	*field = number;
	return 0;
}

static int set_option(const struct device_class *class, const char *key, const char *value,
		      void *object, char *error, size_t error_size)
{
	const struct device_option *option;
	char names[200];
	void *field;

	for (option = class->options; option && option->name; option++)
		if (!strcmp(option->name, key))
			break;
	if (!option || !option->name) {
		list_options(class, names, sizeof(names));
		snprintf(error, error_size, "device %s: unknown option %s; it has: %s", class->name, key,
			 names);
		return -EINVAL;
	}
	field = field_of(object, option);
	switch (option->type) {
	case OPTION_U64:
		return set_u64(class, option, value, field, error, error_size);
	case OPTION_BOOL:
		if (strcmp(value, "on") && strcmp(value, "off")) {
			snprintf(error, error_size, "device %s: option %s=%s: must be on or off",
				 class->name, key, value);
			return -EINVAL;
		}
		*(bool *)field = !strcmp(value, "on");
		return 0;
	case OPTION_STRING:
		free(*(char **)field);
		*(char **)field = strdup(value);
		return *(char **)field ? 0 : -ENOMEM;
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

int option__parse(const struct device_class *class, const char *text, void *object, char *error,
		  size_t error_size)
{
	char *buf, *key, *value;
	int err = 0;

	preset_options(class, object);
	if (!text || !*text)
		return 0;
	buf = malloc(strlen(text) + 2);
	if (!buf) {
		snprintf(error, error_size, "device %s: out of memory", class->name);
		return -ENOMEM;
	}
	while (!err && *text) {
		const char *rest = text;

		err = cut_pair(&text, buf, &key, &value);
		if (err)
			snprintf(error, error_size,
				 "device %s: \"%s\": must be option=value[,option=value...]",
				 class->name, rest);
		else
			err = set_option(class, key, value, object, error, error_size);
	}
	free(buf);
	if (err)
		option__free(class, object);
	return err;
}
