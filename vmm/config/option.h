/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of a class, as users write them: "key=value,key=value", checked against the class's table.
 * A comma in a value is written twice.
 */
#ifndef VMM_CONFIG_OPTION_H
#define VMM_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_U64,    /* decimal or 0x...; the field is uint64_t */
	OPTION_BOOL,   /* on, off; the field is bool */
	OPTION_STRING, /* the field is char *, NULL if not given; config__free() frees it */
	OPTION_LIST,   /* a string that may be given again: the field has them with line ends between */
	OPTION_SIZE,   /* bytes, or a number with K, M, G or T; the field is uint64_t */
};

struct config_option {
	const char *name; /* NULL ends the table */
	enum option_type type;
	size_t offset;	   /* of the field in the object */
	uint64_t preset;   /* OPTION_U64, OPTION_BOOL and OPTION_SIZE */
	uint64_t min, max; /* OPTION_U64 and OPTION_SIZE; what is preset may lie outside */
	const char *help;
};

struct config_class {
	const char *kind; /* "device", "engine": for messages */
	const char *name;
	const struct config_option *options; /* NULL: it has none */
};

/*
 * Presets the options in `object` and sets those of text (NULL: none). 0, or -errno with a line in
 * error[] that names class, key and value; nothing is to be freed then.
 */
int config__parse(const struct config_class *class, const char *text, void *object, char *error,
		  size_t error_size);
void config__free(const struct config_class *class, void *object);

/* "512M", "2G", "1048576": bytes. 0 or -EINVAL. Suffixes K, M, G, T, optionally with "iB" or "B". */
int config__parse_size(const char *text, uint64_t *size);

/*
 * `before` and a value behind it, with the value's commas doubled: as an option's text has it. To be freed; NULL:
 * no memory.
 */
char *config__with_value(const char *before, const char *value);

#endif
