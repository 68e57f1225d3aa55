/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AML byte code (ACPI 6.4, 20.2): names, values, objects. */
#include "vmm/acpi/aml_bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REGION_SYSTEM_IO 1
#define FIELD_BYTE_ACCESS 1

void aml__put(struct aml *aml, const void *data, size_t size)
{
	if (aml->error)
		return;
	if (size > aml->capacity - aml->size) {
		size_t capacity = (aml->capacity ? aml->capacity * 2 : 1024) + size;
		uint8_t *bigger = realloc(aml->data, capacity);

		if (!bigger) {
			aml->error = -ENOMEM;
			return;
		}
		aml->data = bigger;
		aml->capacity = capacity;
	}
	memcpy(aml->data + aml->size, data, size);
	aml->size += size;
}

void aml__put8(struct aml *aml, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	aml__put(aml, &byte, 1);
}

void aml__put16(struct aml *aml, unsigned value)
{
	aml__put8(aml, value);
	aml__put8(aml, value >> 8);
}

void aml__put32(struct aml *aml, uint32_t value)
{
	aml__put16(aml, value);
	aml__put16(aml, value >> 16);
}

/* A name segment: up to four of A-Z, 0-9 and _, padded with _. */
static void put_segment(struct aml *aml, const char *name, size_t len)
{
	char segment[4] = { '_', '_', '_', '_' };

	if (!len || len > sizeof(segment) || (name[0] >= '0' && name[0] <= '9') ||
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") < len) {
		aml->error = aml->error ? aml->error : -EINVAL;
		return;
	}
	memcpy(segment, name, len);
	aml__put(aml, segment, sizeof(segment));
}

void aml__put_name(struct aml *aml, const char *name)
{
	if (*name == '\\') {
		aml__put8(aml, '\\');
		name++;
	}
	put_segment(aml, name, strlen(name));
}

void aml__open(struct aml *aml)
{
	static const uint8_t blank[LENGTH_BYTES];

	if (aml->depth == AML_MAX_NESTING) {
		aml->error = aml->error ? aml->error : -E2BIG;
		return;
	}
	aml->open[aml->depth++] = aml->size;
	aml__put(aml, blank, sizeof(blank));
}

void aml__end(struct aml *aml)
{
	size_t at, length;

	if (aml->error)
		return;
	if (!aml->depth) {
		aml->error = -EINVAL;
		return;
	}
	at = aml->open[--aml->depth];
	length = aml->size - at;
	if (length > LENGTH_MOST) {
		aml->error = -E2BIG;
		return;
	}
	/* 20.2.4: how many bytes follow, the low four bits, then eight bits each. */
	aml->data[at] = (uint8_t)((LENGTH_BYTES - 1) << 6 | (length & 15));
	aml->data[at + 1] = (uint8_t)(length >> 4);
	aml->data[at + 2] = (uint8_t)(length >> 12);
}

void aml__scope(struct aml *aml, const char *path)
{
	aml__put8(aml, OP_SCOPE);
	aml__open(aml);
	aml__put_name(aml, path);
}

void aml__device(struct aml *aml, const char *name)
{
	aml__put8(aml, OP_EXTENDED);
	aml__put8(aml, EXT_DEVICE);
	aml__open(aml);
	aml__put_name(aml, name);
}

void aml__method(struct aml *aml, const char *name, unsigned args)
{
	aml__put8(aml, OP_METHOD);
	aml__open(aml);
	aml__put_name(aml, name);
	aml__put8(aml, args & 7);
}

void aml__package(struct aml *aml, unsigned elements)
{
	aml__put8(aml, OP_PACKAGE);
	aml__open(aml);
	aml__put8(aml, elements);
}

void aml__start_name(struct aml *aml, const char *name)
{
	aml__put8(aml, OP_NAME);
	aml__put_name(aml, name);
}

void aml__name_package(struct aml *aml, const char *name, unsigned elements)
{
	aml__start_name(aml, name);
	aml__package(aml, elements);
}

void aml__integer(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		aml__put8(aml, value ? OP_ONE : OP_ZERO);
	} else if (value <= 0xff) {
		aml__put8(aml, OP_BYTE);
		aml__put8(aml, (unsigned)value);
	} else if (value <= 0xffff) {
		aml__put8(aml, OP_WORD);
		aml__put16(aml, (unsigned)value);
	} else if (value <= 0xffffffff) {
		aml__put8(aml, OP_DWORD);
		aml__put32(aml, (uint32_t)value);
	} else {
		aml__put8(aml, OP_QWORD);
		aml__put32(aml, (uint32_t)value);
		aml__put32(aml, (uint32_t)(value >> 32));
	}
}

void aml__name_integer(struct aml *aml, const char *name, uint64_t value)
{
	aml__start_name(aml, name);
	aml__integer(aml, value);
}

void aml__name_string(struct aml *aml, const char *name, const char *value)
{
	aml__start_name(aml, name);
	aml__put8(aml, OP_STRING);
	aml__put(aml, value, strlen(value) + 1);
}

unsigned aml__hex_digit(struct aml *aml, char digit)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = digit ? strchr(digits, digit) : NULL;

	if (!at)
		aml->error = aml->error ? aml->error : -EINVAL;
	return at ? (unsigned)(at - digits) : 0;
}

/* 19.3.4: three letters of five bits and four hexadecimal digits, most significant byte first. */
void aml__name_eisaid(struct aml *aml, const char *name, const char *id)
{
	uint32_t value;

	if (strlen(id) != 7) {
		aml->error = aml->error ? aml->error : -EINVAL;
		return;
	}
	value = (uint32_t)(id[0] - '@') << 26 | (uint32_t)(id[1] - '@') << 21 |
		(uint32_t)(id[2] - '@') << 16 | aml__hex_digit(aml, id[3]) << 12 |
		aml__hex_digit(aml, id[4]) << 8 | aml__hex_digit(aml, id[5]) << 4 | aml__hex_digit(aml, id[6]);
	aml__start_name(aml, name);
	aml__put8(aml, OP_DWORD);
	aml__put32(aml, __builtin_bswap32(value));
}

void aml__io_region(struct aml *aml, const char *name, uint16_t port, unsigned size)
{
	aml__put8(aml, OP_EXTENDED);
	aml__put8(aml, EXT_REGION);
	aml__put_name(aml, name);
	aml__put8(aml, REGION_SYSTEM_IO);
	aml__integer(aml, port);
	aml__integer(aml, size);
}

void aml__byte_field(struct aml *aml, const char *region, const char *unit)
{
	aml__put8(aml, OP_EXTENDED);
	aml__put8(aml, EXT_FIELD);
	aml__open(aml);
	aml__put_name(aml, region);
	aml__put8(aml, FIELD_BYTE_ACCESS);
	aml__put_name(aml, unit);
	aml__put8(aml, 8); /* bits, as a one-byte PkgLength */
	aml__end(aml);
}
