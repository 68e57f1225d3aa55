/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saved state: a version and the fields of a table, all little endian; a part the same again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/device/device.h"

#define VERSION_BYTES 4u

static size_t field_size(const struct state_field *field)
{
	return field->count * (field->part ? state__size(field->part) : field->size);
}

size_t state__size(const struct state_table *table)
{
	const struct state_field *field;
	size_t size = VERSION_BYTES;

	for (field = table->fields; field->name; field++)
		size += field_size(field);
	return size;
}

/* The machine is x86, the saved form is little endian, and so is the host: bytes as they are. */
static uint8_t *save_fields(const struct state_table *table, const void *object, uint8_t *at)
{
	const struct state_field *field;
	uint32_t i;

	memcpy(at, &table->version, VERSION_BYTES);
	at += VERSION_BYTES;
	for (field = table->fields; field->name; field++) {
		const char *element = (const char *)object + field->offset;

		if (!field->part) {
			memcpy(at, element, (size_t)field->size * field->count);
			at += (size_t)field->size * field->count;
			continue;
		}
		for (i = 0; i < field->count; i++, element += field->size)
			at = save_fields(field->part, element, at);
	}
	return at;
}

long state__save(const struct state_table *table, const void *object, uint8_t *buf, size_t size)
{
	if (size < state__size(table))
		return -ENOSPC;
	return save_fields(table, object, buf) - buf;
}

/* Bytes that a saved table takes, or -EINVAL: cut off, or from a later version. */
static long measure(const struct state_table *table, const uint8_t *buf, size_t size)
{
	const struct state_field *field;
	size_t at = VERSION_BYTES, plain;
	uint32_t version, i;
	long part;

	if (size < VERSION_BYTES)
		return -EINVAL;
	memcpy(&version, buf, VERSION_BYTES);
	if (!version || version > table->version)
		return -EINVAL;
	for (field = table->fields; field->name; field++) {
		if (field->since > version)
			continue;
		for (i = 0; field->part && i < field->count; i++) {
			part = measure(field->part, buf + at, size - at);
			if (part < 0)
				return part;
			at += (size_t)part;
		}
		plain = field->part ? 0 : (size_t)field->size * field->count;
		if (plain > size - at)
			return -EINVAL;
		at += plain;
	}
	return (long)at;
}

/* From a buffer that was measured. Returns what follows. */
static const uint8_t *load_fields(const struct state_table *table, void *object, const uint8_t *at)
{
	const struct state_field *field;
	uint32_t version, i;

	memcpy(&version, at, VERSION_BYTES);
	at += VERSION_BYTES;
	for (field = table->fields; field->name; field++) {
		char *element = (char *)object + field->offset;

		if (field->since > version)
			continue;
		if (!field->part) {
			memcpy(element, at, (size_t)field->size * field->count);
			at += (size_t)field->size * field->count;
			continue;
		}
		for (i = 0; i < field->count; i++, element += field->size)
			at = load_fields(field->part, element, at);
	}
	return at;
}

int state__load(const struct state_table *table, struct device *dev, const uint8_t *buf, size_t size)
{
	uint8_t *before;
	int err = 0;

	if (measure(table, buf, size) != (long)size)
		return -EINVAL;
	before = malloc(state__size(table));
	if (!before)
		return -ENOMEM;
	save_fields(table, dev, before);
	load_fields(table, dev, buf);
	if (table->after_load)
		err = table->after_load(dev);
	if (err) {
		load_fields(table, dev, before);
		table->after_load(dev);
	}
	free(before);
	return err;
}
