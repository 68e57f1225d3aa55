/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: texts that users write: options of devices (--device), disks and SMBIOS, sizes,
 * command lines.
 *
 * Input: what, which class, then the text.
 */
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "vmm/block/block.h"
#include "vmm/cli/options.h"
#include "vmm/device/device.h"
#include "vmm/machine/device_table.h"
#include "vmm/smbios/smbios.h"

static char *take_text(struct fuzz_input *in)
{
	char *text = malloc(in->left + 1);

	FUZZ_CHECK(text);
	text[fuzz__fill(in, text, in->left)] = 0;
	return text;
}

static void check_options(const struct device_class *class, const void *object)
{
	const struct config_option *o;

	for (o = class->options; o && o->name; o++) {
		const void *field = (const char *)object + o->offset;

		if ((o->type == OPTION_U64 || o->type == OPTION_SIZE) && *(const u64 *)field != o->preset)
			FUZZ_CHECK(*(const u64 *)field >= o->min && *(const u64 *)field <= o->max);
		if (o->type == OPTION_BOOL)
			FUZZ_CHECK(*(const u8 *)field < 2);
		if ((o->type == OPTION_STRING || o->type == OPTION_LIST) && *(char *const *)field)
			FUZZ_CHECK(strlen(*(char *const *)field) < 1u << 20);
	}
}

static void parse_device(struct fuzz_input *in)
{
	unsigned classes = 0, error_size = 1 + fuzz__take(in, 1);
	const struct device_class *class;
	char *text, *error = calloc(1, error_size);
	void *object;

	while (device_table[classes])
		classes++;
	class = device_table[fuzz__take(in, 1) % classes];
	text = take_text(in);
	object = calloc(1, class->size);
	FUZZ_CHECK(object && error);
	if (!option__parse(class, text, object, error, error_size)) {
		check_options(class, object);
		option__free(class, object);
	} else if (error_size > 1) {
		FUZZ_CHECK(error[0] && strlen(error) < error_size);
	}
	free(object);
	free(error);
	free(text);
}

static void parse_disk(struct fuzz_input *in)
{
	unsigned error_size = 1 + fuzz__take(in, 1), i;
	char *text = take_text(in), *error = calloc(1, error_size);
	struct block_options options;

	FUZZ_CHECK(error);
	if (!block_options__parse(&options, text, error, error_size)) {
		FUZZ_CHECK(options.file && *options.file && strlen(options.file) <= strlen(text));
		FUZZ_CHECK(options.cache <= BLOCK_CACHE_UNSAFE && options.aio <= BLOCK_AIO_THREADS);
		FUZZ_CHECK(options.read_error <= BLOCK_ERROR_ENOSPC &&
			   options.write_error <= BLOCK_ERROR_ENOSPC);
		for (i = 0; i < THROTTLE_COUNT; i++)
			FUZZ_CHECK(!options.limit[i].burst || options.limit[i].burst >= options.limit[i].rate);
		block_options__free(&options);
	} else if (error_size > 1) {
		FUZZ_CHECK(error[0] && strlen(error) < error_size);
	}
	free(error);
	free(text);
}

/* Two options, and the structures that come of them. */
static void parse_smbios(struct fuzz_input *in)
{
	const struct guest_memory memory = { .size = 1 << 20, .count = 1, .region = { { 0, 1 << 20 } } };
	unsigned error_size = 1 + fuzz__take(in, 1);
	struct smbios_config config = { 0 };
	const struct smbios_request request = { &config, 1, &memory, false };
	char *text = take_text(in), *second = strchr(text, '\n'), *error = calloc(1, error_size);
	struct smbios_image image;

	FUZZ_CHECK(error);
	if (second)
		*second++ = 0;
	if (smbios_config__set(&config, text, error, error_size) && error_size > 1)
		FUZZ_CHECK(error[0] && strlen(error) < error_size);
	if (second)
		smbios_config__set(&config, second, error, error_size);
	FUZZ_CHECK(!smbios_tables__build(&request, &image));
	FUZZ_CHECK(image.size > 100 && !memcmp(image.tables + image.size - 2, "\0", 2));
	free(image.tables);
	smbios_config__free(&config);
	free(error);
	free(text);
}

static void parse_size(struct fuzz_input *in)
{
	char *text = take_text(in), printed[32];
	u64 size = 0, again = 0;

	if (!config__parse_size(text, &size)) {
		snprintf(printed, sizeof(printed), "%llu", (unsigned long long)size);
		FUZZ_CHECK(!config__parse_size(printed, &again) && again == size);
	}
	free(text);
}

static int set_nothing(void *object, const char *name, const char *value)
{
	FUZZ_CHECK(name && value);
	return 0;
}

/* The text cut into words at each newline. */
static void parse_command_line(struct fuzz_input *in)
{
	static const struct cli_option options[] = {
		{ "memory", "SIZE", "", set_nothing },
		{ "verbose", NULL, "", set_nothing },
		{ NULL },
	};
	static const struct cli_command command = { "run", "", options, NULL };
	char *text = take_text(in), *word = text, *argv[64] = { "run" };
	static FILE *nowhere;
	FILE *saved = stderr;
	int argc = 1;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	FUZZ_CHECK(nowhere);
	while (word && argc < 63) {
		char *end = strchr(word, '\n');

		if (end)
			*end++ = 0;
		argv[argc++] = word;
		word = end;
	}
	/* The messages are of no interest. */
	stderr = nowhere;
	cli__parse(&command, argc, argv, NULL);
	stderr = saved;
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };

	switch (fuzz__take(&in, 1) & 7) {
	case 0:
		parse_size(&in);
		break;
	case 1:
		parse_command_line(&in);
		break;
	case 2:
		parse_disk(&in);
		break;
	case 4:
		parse_smbios(&in);
		break;
	default:
		parse_device(&in);
	}
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	static const struct {
		u8 prefix[3];
		const char *text;
	} seeds[] = {
		{ { 0, '1', '2' }, "G" },
		{ { 0, '5', '1' }, "2MiB" },
		{ { 1, '-', '-' }, "memory=1G\n--verbose\n--memory\n2G" },
		{ { 3, 100, 6 }, "port=0x3f8,irq=4,char=file:/tmp/a,,b" },
		{ { 3, 100, 8 }, "port=0xf4,size=4" },
		{ { 3, 3, 6 }, "colour=red" },
		{ { 2, 100, 'a' }, ",,b,format=qcow2,cache=none,aio=threads,read-only=on,discard=off" },
		{ { 2, 100, 'a' }, ",iops=100,iops-max=200,iops-max-length=3,bps-wr=2M,iops-size=4K" },
		{ { 2, 100, 'f' }, "ile=x,detect-zeroes=unmap,rerror=stop,werror=ignore,locking=off" },
		{ { 3, 100, 3 }, "localtime=on,x=off" },
		{ { 4, 100, 's' }, "ystem,product=a,,b,uuid=00112233-4455-6677-8899-aabbccddeeff\noem,value=x" },
		{ { 4, 100, 'b' }, "ios,date=01/02/2003,vendor=\nchassis,sku=1" },
	};
	size_t length;

	if (n >= ARRAY_LENGTH(seeds) || size < 100)
		return 0;
	length = strlen(seeds[n].text);
	memcpy(buf, seeds[n].prefix, 3);
	memcpy(buf + 3, seeds[n].text, length);
	return 3 + length;
}
