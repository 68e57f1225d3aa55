/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration files: lines and sections to options with values. */
#include "vmm/config/file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_SECTION "machine"
#define BLANKS " \t\r"

struct parser {
	struct config_file *file;
	unsigned line;
	bool in_section; /* lines are keys of the last entry */
	char *error;
	size_t error_size;
};

static int complain(const struct parser *parser, const char *what, const char *text)
{
	snprintf(parser->error, parser->error_size, "%s:%u: \"%.200s\": %s", parser->file->path,
		 parser->line, text, what);
	return -EINVAL;
}

static int out_of_memory(const struct parser *parser)
{
	snprintf(parser->error, parser->error_size, "%s:%u: out of memory", parser->file->path,
		 parser->line);
	return -ENOMEM;
}

/* Cuts blanks off both ends; where the rest begins. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length && strchr(BLANKS, text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

/* What follows a text's first word and blanks behind it, or NULL if that is no name. */
static char *cut_name(char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
	size_t blanks = strspn(text + length, BLANKS);
	char *rest = text + length + blanks;

	if (!length || (*rest && *rest != '=' && !blanks))
		return NULL;
	return rest;
}

static int add_entry(struct parser *parser, const char *name, char *value)
{
	struct config_file *file = parser->file;
	struct config_entry *grown;

	/* Doubled at each power of two. */
	if (!(file->count & (file->count - 1))) {
		grown = realloc(file->entry, (file->count ? 2u * file->count : 1u) * sizeof(*grown));
		if (!grown)
			return out_of_memory(parser);
		file->entry = grown;
	}
	file->entry[file->count++] =
		(struct config_entry){ .line = parser->line, .name = name, .value = value };
	return 0;
}

/* Appends ",key=text" (key NULL: the text alone) to the last entry's value; commas are doubled. */
static int append_value(struct parser *parser, const char *key, const char *text)
{
	struct config_entry *entry = &parser->file->entry[parser->file->count - 1];
	size_t used = entry->value ? strlen(entry->value) : 0;
	size_t room = used + (key ? strlen(key) : 0) + 2 * strlen(text) + 3;
	char *value = realloc(entry->value, room);

	if (!value)
		return out_of_memory(parser);
	entry->value = value;
	value += used;
	if (key)
		value += sprintf(value, ",%s=", key);
	for (; *text; text++) {
		if (*text == ',')
			*value++ = ',';
		*value++ = *text;
	}
	*value = '\0';
	return 0;
}

/* "[name value]" */
static int parse_head(struct parser *parser, char *text)
{
	size_t length = strlen(text);
	char *name, *value;
	int err;

	if (text[length - 1] != ']')
		return complain(parser, "a section's head ends with ]", text);
	text[length - 1] = '\0';
	name = trim(text + 1);
	value = cut_name(name);
	if (!value || *value == '=')
		return complain(parser, "must be [OPTION VALUE] or [" PLAIN_SECTION "]", name);
	parser->in_section = *value != '\0';
	if (!*value) {
		if (strcmp(name, PLAIN_SECTION))
			return complain(parser, "has no value; give [OPTION VALUE] or [" PLAIN_SECTION "]",
					name);
		return 0;
	}
	name[strcspn(name, BLANKS)] = '\0';
	err = add_entry(parser, name, NULL);
	return err ? err : append_value(parser, NULL, value);
}

/* "name = value" or "name" */
static int parse_option(struct parser *parser, char *text)
{
	char *rest = cut_name(text), *value = NULL;
	int err;

	if (!rest || (*rest && *rest != '='))
		return complain(parser, "must be NAME = VALUE or NAME", text);
	if (*rest)
		value = trim(rest + 1);
	text[strcspn(text, BLANKS "=")] = '\0';
	if (parser->in_section)
		return value ? append_value(parser, text, value) :
			       complain(parser, "a line of a section must be KEY = VALUE", text);
	if (value) {
		value = strdup(value);
		if (!value)
			return out_of_memory(parser);
	}
	err = add_entry(parser, text, value);
	if (err)
		free(value);
	return err;
}

static int parse_line(struct parser *parser, char *text)
{
	text = trim(text);
	if (!*text || *text == '#')
		return 0;
	return *text == '[' ? parse_head(parser, text) : parse_option(parser, text);
}

int config_file__parse(struct config_file *file, const char *path, const char *text, size_t size,
		       char *error, size_t error_size)
{
	struct parser parser = { .file = file, .error = error, .error_size = error_size };
	char *at, *end;
	int err = 0;

	*file = (struct config_file){ .path = path, .text = malloc(size + 1) };
	if (!file->text)
		return out_of_memory(&parser);
	memcpy(file->text, text, size);
	file->text[size] = '\0';
	for (at = file->text; !err && at; at = end) {
		end = memchr(at, '\n', (size_t)(file->text + size - at));
		parser.line++;
		if (strlen(at) < (size_t)((end ? end : file->text + size) - at)) {
			err = complain(&parser, "a zero byte follows; the file must be text", at);
			break;
		}
		if (end)
			*end++ = '\0';
		err = parse_line(&parser, at);
	}
	if (err)
		config_file__free(file);
	return err;
}

int config_file__load(struct config_file *file, const char *path, char *error, size_t error_size)
{
	char *text = malloc(CONFIG_FILE_BYTES_MOST + 1);
	FILE *stream = fopen(path, "re");
	size_t size = 0;
	int err = 0;

	if (!stream || !text)
		err = stream ? -ENOMEM : -errno;
	if (!err) {
		errno = 0;
		size = fread(text, 1, CONFIG_FILE_BYTES_MOST + 1, stream);
		if (ferror(stream))
			err = errno ? -errno : -EIO;
		else if (size > CONFIG_FILE_BYTES_MOST)
			err = -EFBIG;
	}
	if (err)
		snprintf(error, error_size, "%s: %s", path, strerror(-err));
	else
		err = config_file__parse(file, path, text, size, error, error_size);
	if (stream)
		fclose(stream);
	free(text);
	return err;
}

void config_file__free(struct config_file *file)
{
	while (file->count)
		free(file->entry[--file->count].value);
	free(file->entry);
	free(file->text);
	*file = (struct config_file){ .path = file->path };
}
