/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saved state: a version and the fields of a table, all little endian. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/device/device.h"

#define VERSION_BYTES 4u

static size_t size_at_version(const struct state_table *table, uint32_t version)
{
	const struct state_field *field;
	size_t size = VERSION_BYTES;

	for (field = table->fields; field->name; field++)
		if (field->since <= version)
			size += (size_t)field->size * field->count;
	return size;
}

size_t state__size(const struct state_table *table)
{
	return size_at_version(table, table->version);
}

/* The machine is x86, the saved form is little endian, and so is the host: bytes as they are. */
long state__save(const struct state_table *table, const void *object, uint8_t *buf, size_t size)
{
	const struct state_field *field;
	uint8_t *at = buf;

	if (size < state__size(table))
		return -ENOSPC;
	memcpy(at, &table->version, VERSION_BYTES);
	at += VERSION_BYTES;
	for (field = table->fields; field->name; field++) {
		memcpy(at, (const char *)object + field->offset, (size_t)field->size * field->count);
		at += (size_t)field->size * field->count;
	}
	return at - buf;
}

static void load_fields(const struct state_table *table, uint32_t version, void *object,
			const uint8_t *at)
{
	const struct state_field *field;

	for (field = table->fields; field->name; field++) {
		if (field->since > version)
			continue;
		memcpy((char *)object + field->offset, at, (size_t)field->size * field->count);
		at += (size_t)field->size * field->count;
	}
}

int state__load(const struct state_table *table, struct device *dev, const uint8_t *buf, size_t size)
{
	uint8_t *before;
	uint32_t version;
	int err = 0;

	if (size < VERSION_BYTES)
		return -EINVAL;
	memcpy(&version, buf, VERSION_BYTES);
	if (!version || version > table->version || size != size_at_version(table, version))
		return -EINVAL;
	before = malloc(state__size(table));
	if (!before)
		return -ENOMEM;
	state__save(table, dev, before, state__size(table));
	load_fields(table, version, dev, buf + VERSION_BYTES);
	if (table->after_load)
		err = table->after_load(dev);
	if (err) {
		load_fields(table, table->version, dev, before + VERSION_BYTES);
		table->after_load(dev);
	}
	free(before);
	return err;
}
