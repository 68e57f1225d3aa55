/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of a disk: "FILE,key=value,...", each key a row. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/block/block.h"

#define MAX_RATE 1000000000000000ULL
#define MAX_BURST_SECONDS (1u << 20)
#define MIN_METADATA_CACHE (128u << 10)
#define MAX_METADATA_CACHE (16ULL << 30)

const struct block_option block_option_table[] = {
	{ "format", "raw|qcow2", "format of the image (default: by its contents)" },
	{ "read-only", "on|off", "nothing is written (default: off)" },
	{ "cache", "writeback|none|writethrough|directsync|unsafe",
	  "host page cache and when writes are on stable storage (default: writeback)" },
	{ "aio", "auto|io_uring|threads", "how the host is asked (default: auto)" },
	{ "discard", "on|off", "discards free space on the host (default: on)" },
	{ "detect-zeroes", "off|on|unmap", "look for writes of zeroes (default: off)" },
	{ "locking", "on|off", "guard against a second writer (default: on)" },
	{ "rerror", "report|ignore|stop", "what a failed read does (default: report)" },
	{ "werror", "enospc|report|ignore|stop", "what a failed write does (default: enospc)" },
	{ "metadata-cache", "SIZE", "memory for an image's tables (default: 8M)" },
	{ "iops", "N", "operations per second" },
	{ "iops-rd", "N", "reads per second" },
	{ "iops-wr", "N", "writes per second" },
	{ "bps", "SIZE", "bytes per second" },
	{ "bps-rd", "SIZE", "bytes read per second" },
	{ "bps-wr", "SIZE", "bytes written per second" },
	{ "RATE-max", "N", "the same in bursts, for each of the six: iops-max, bps-rd-max, ..." },
	{ "RATE-max-length", "SECONDS", "how long such a burst lasts (default: 1)" },
	{ "iops-size", "SIZE", "bytes that count as one operation (default: a request is one)" },
	{ NULL, NULL, NULL },
};

void block_options__init(struct block_options *options)
{
	memset(options, 0, sizeof(*options));
	options->discard = true;
	options->locking = true;
	options->read_error = BLOCK_ERROR_REPORT;
	options->write_error = BLOCK_ERROR_ENOSPC;
}

void block_options__free(struct block_options *options)
{
	free(options->file);
	free(options->format);
	options->file = options->format = NULL;
}

static int refuse(const char *key, const char *value, const char *right, char *error,
		  size_t error_size)
{
	snprintf(error, error_size, "disk option %s=%s: must be %s", key, value, right);
	return -EINVAL;
}

static int set_string(char **field, const char *value, char *error, size_t error_size)
{
	char *copy = strdup(value);

	if (!copy) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

static int set_bool(bool *field, const char *key, const char *value, char *error, size_t error_size)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return refuse(key, value, "on or off", error, error_size);
	*field = !strcmp(value, "on");
	return 0;
}

/* `names` is "a|b|c"; the result is the index. */
static int find_name(const char *names, const char *value)
{
	size_t length = strlen(value);
	int index;

	for (index = 0; names; index++) {
		const char *end = strchr(names, '|');
		size_t n = end ? (size_t)(end - names) : strlen(names);

		if (n == length && !strncmp(names, value, n))
			return index;
		names = end ? end + 1 : NULL;
	}
	return -1;
}

static int parse_number(const char *key, const char *value, bool suffix, uint64_t min, uint64_t max,
			uint64_t *field, char *error, size_t error_size)
{
	static const char units[] = "KMGT";
	unsigned long long number;
	const char *unit;
	char *end, right[120];
	unsigned shift = 0;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (suffix && *end && (unit = strchr(units, toupper((unsigned char)*end)))) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (!isdigit((unsigned char)*value) || *end || errno || number > max >> shift ||
	    number << shift < min) {
		snprintf(right, sizeof(right), "a number from %llu to %llu%s", (unsigned long long)min,
			 (unsigned long long)max, suffix ? ", or with K, M, G or T" : "");
		return refuse(key, value, right, error, error_size);
	}
	*field = number << shift;
	return 0;
}

/* Keys of limits: "iops", "bps-rd", "iops-wr-max", "bps-max-length", ... -ENOENT: it is none. */
static int set_limit(struct block_options *options, const char *key, const char *value, char *error,
		     size_t error_size)
{
	unsigned index = THROTTLE_OPS;
	const char *rest;
	struct throttle_limit *limit;

	if (!strncmp(key, "iops", 4)) {
		rest = key + 4;
	} else if (!strncmp(key, "bps", 3)) {
		rest = key + 3;
		index = THROTTLE_BYTES;
	} else {
		return -ENOENT;
	}
	if (!strncmp(rest, "-rd", 3)) {
		index += 1;
		rest += 3;
	} else if (!strncmp(rest, "-wr", 3)) {
		index += 2;
		rest += 3;
	}
	limit = &options->limit[index];
	if (!*rest)
		return parse_number(key, value, true, 0, MAX_RATE, &limit->rate, error, error_size);
	if (!strcmp(rest, "-max"))
		return parse_number(key, value, true, 0, MAX_RATE, &limit->burst, error, error_size);
	if (!strcmp(rest, "-max-length"))
		return parse_number(key, value, false, 1, MAX_BURST_SECONDS, &limit->burst_seconds, error,
				    error_size);
	return -ENOENT;
}

static const struct {
	const char *key, *names, *right;
	size_t offset; /* of an enum, whose values are in the order of the names */
} choices[] = {
	{ "cache", "writeback|none|writethrough|directsync|unsafe",
	  "writeback, none, writethrough, directsync or unsafe", offsetof(struct block_options, cache) },
	{ "aio", "auto|io_uring|threads", "auto, io_uring or threads",
	  offsetof(struct block_options, aio) },
	{ "detect-zeroes", "off|on|unmap", "off, on or unmap",
	  offsetof(struct block_options, detect_zeroes) },
	{ "rerror", "report|ignore|stop", "report, ignore or stop",
	  offsetof(struct block_options, read_error) },
	{ "werror", "report|ignore|stop|enospc", "enospc, report, ignore or stop",
	  offsetof(struct block_options, write_error) },
};

static int set_choice(struct block_options *options, const char *key, const char *value, char *error,
		      size_t error_size)
{
	unsigned i;
	int index;

	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (strcmp(choices[i].key, key))
			continue;
		index = find_name(choices[i].names, value);
		if (index < 0)
			return refuse(key, value, choices[i].right, error, error_size);
		*(unsigned *)((char *)options + choices[i].offset) = index;
		return 0;
	}
	return -ENOENT;
}

int block_options__set(struct block_options *options, const char *key, const char *value,
		       char *error, size_t error_size)
{
	int err;

	if (!strcmp(key, "file"))
		return *value ? set_string(&options->file, value, error, error_size) :
				refuse(key, value, "the path of a file or block device", error, error_size);
	if (!strcmp(key, "format"))
		return find_name("raw|qcow2", value) >= 0 ?
			       set_string(&options->format, value, error, error_size) :
			       refuse(key, value, "raw or qcow2", error, error_size);
	if (!strcmp(key, "read-only"))
		return set_bool(&options->read_only, key, value, error, error_size);
	if (!strcmp(key, "discard"))
		return set_bool(&options->discard, key, value, error, error_size);
	if (!strcmp(key, "locking"))
		return set_bool(&options->locking, key, value, error, error_size);
	if (!strcmp(key, "iops-size"))
		return parse_number(key, value, true, 0, MAX_RATE, &options->limit_unit, error,
				    error_size);
	if (!strcmp(key, "metadata-cache"))
		return parse_number(key, value, true, MIN_METADATA_CACHE, MAX_METADATA_CACHE,
				    &options->metadata_cache, error, error_size);
	err = set_choice(options, key, value, error, error_size);
	if (err == -ENOENT)
		err = set_limit(options, key, value, error, error_size);
	if (err == -ENOENT) {
		snprintf(error, error_size, "disk: unknown option %s (of %s=%s)", key, key, value);
		err = -EINVAL;
	}
	return err;
}

/* Copies up to a single comma or the end; a doubled one is a comma. */
static const char *cut_value(const char *from, char *to)
{
	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*to = '\0';
	return from;
}

static int parse_pairs(struct block_options *options, const char *text, char *buf, char *error,
		       size_t error_size)
{
	int err = 0;

	while (!err && *text) {
		size_t n = strcspn(++text, "=,");

		if (!n || text[n] != '=') {
			snprintf(error, error_size, "disk \"%s\": must be FILE[,option=value...]", text);
			return -EINVAL;
		}
		memcpy(buf, text, n);
		buf[n] = '\0';
		text = cut_value(text + n + 1, buf + n + 1);
		err = block_options__set(options, buf, buf + n + 1, error, error_size);
	}
	return err;
}

/* A burst needs an average that it is a burst of. */
int block_options__check(const struct block_options *options, char *error, size_t error_size)
{
	static const char *const names[] = { "iops", "iops-rd", "iops-wr", "bps", "bps-rd", "bps-wr" };
	unsigned i;

	for (i = 0; i < THROTTLE_COUNT; i++) {
		const struct throttle_limit *limit = &options->limit[i];

		if (limit->burst && limit->burst < limit->rate) {
			snprintf(error, error_size, "disk option %s-max=%llu: must not be less than %s=%llu",
				 names[i], (unsigned long long)limit->burst, names[i],
				 (unsigned long long)limit->rate);
			return -EINVAL;
		}
		if ((limit->burst && !limit->rate) || (limit->burst_seconds && !limit->burst)) {
			snprintf(error, error_size, "disk option %s-max%s: needs %s%s too", names[i],
				 limit->burst ? "" : "-length", names[i], limit->burst ? "" : "-max");
			return -EINVAL;
		}
	}
	return 0;
}

int block_options__parse(struct block_options *options, const char *text, char *error,
			 size_t error_size)
{
	char *buf = malloc(strlen(text) + 2);
	int err = 0;

	block_options__init(options);
	if (!buf) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	text = cut_value(text, buf);
	/* "file=..." in front is as good as the bare name. */
	err = block_options__set(options, "file", strncmp(buf, "file=", 5) ? buf : buf + 5, error,
				 error_size);
	if (!err)
		err = parse_pairs(options, text, buf, error, error_size);
	if (!err)
		err = block_options__check(options, error, error_size);
	free(buf);
	if (err)
		block_options__free(options);
	return err;
}
