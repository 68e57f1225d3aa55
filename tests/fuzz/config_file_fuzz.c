/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: configuration files. What was understood is written anew, plainly, and must be
 * understood as the same.
 *
 * Input: a bound of the message, then the file.
 */
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "vmm/config/file.h"

static void check_entries(const struct config_file *file)
{
	unsigned i;

	for (i = 0; i < file->count; i++) {
		const struct config_entry *entry = &file->entry[i];

		FUZZ_CHECK(entry->name[0] && !strpbrk(entry->name, " \t\r\n=[]#"));
		FUZZ_CHECK(entry->line && (!i || entry->line > file->entry[i - 1].line));
		FUZZ_CHECK(!entry->value || !strchr(entry->value, '\n'));
	}
}

static char *print_entries(const struct config_file *file, size_t *size)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, size);
	unsigned i;

	FUZZ_CHECK(stream);
	for (i = 0; i < file->count; i++)
		fprintf(stream, file->entry[i].value ? "%s=%s\n" : "%s\n", file->entry[i].name,
			file->entry[i].value);
	fclose(stream);
	return text;
}

static void check_again(const struct config_file *file)
{
	struct config_file again;
	char error[100];
	size_t size;
	char *text = print_entries(file, &size);
	unsigned i;

	FUZZ_CHECK(!config_file__parse(&again, "again", text, size, error, sizeof(error)));
	FUZZ_CHECK(again.count == file->count);
	for (i = 0; i < file->count; i++) {
		const struct config_entry *a = &again.entry[i], *b = &file->entry[i];

		FUZZ_CHECK(!strcmp(a->name, b->name) && !a->value == !b->value);
		FUZZ_CHECK(!a->value || !strcmp(a->value, b->value));
	}
	config_file__free(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned error_size = 1 + fuzz__take(&in, 1);
	char *error = calloc(1, error_size);
	struct config_file file;

	FUZZ_CHECK(error);
	if (!config_file__parse(&file, "file", (const char *)in.at, in.left, error, error_size)) {
		check_entries(&file);
		check_again(&file);
	} else {
		FUZZ_CHECK(strlen(error) < error_size && (error_size < 5 || !memcmp(error, "file", 4)));
	}
	config_file__free(&file);
	free(error);
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	static const char *const seeds[] = {
		"\xff# a comment\nmemory = 2G\nno-reboot\n\n[disk a,b.qcow2]\niops = 1000\nid=x,,y\n",
		"\xff[device virtio-rng]\r\nperiod\t=\t5\r\n[machine]\r\ncpus=4\r\nappend = a=b # c\r\n",
		"\xff[disk\n]\n[]\n= 5\nname value\n",
	};
	size_t length;

	if (n >= ARRAY_LENGTH(seeds))
		return 0;
	length = strlen(seeds[n]);
	if (length > size)
		return 0;
	memcpy(buf, seeds[n], length);
	return length;
}
