/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AML byte code (ACPI 6.4, 20.2) and resource descriptors (6.4). */
#include "vmm/acpi/aml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OP_ZERO 0x00
#define OP_ONE 0x01
#define OP_NAME 0x08
#define OP_BYTE 0x0a
#define OP_WORD 0x0b
#define OP_DWORD 0x0c
#define OP_STRING 0x0d
#define OP_QWORD 0x0e
#define OP_SCOPE 0x10
#define OP_BUFFER 0x11
#define OP_PACKAGE 0x12
#define OP_METHOD 0x14
#define OP_EXTENDED 0x5b
#define OP_ARG0 0x68
#define OP_STORE 0x70
#define OP_RETURN 0xa4
#define EXT_REGION 0x80
#define EXT_FIELD 0x81
#define EXT_DEVICE 0x82

/*
 * Objects with a length get a PkgLength of this many bytes whatever it comes to; AML allows any
 * encoding that holds the value. Three bytes: up to 1 MiB.
 */
#define LENGTH_BYTES 3u
#define LENGTH_MOST 0xfffffu

/* A buffer's own size stands in front of its bytes; resource templates are patched in this form. */
#define BUFFER_SIZE_BYTES 3u /* WordPrefix and a word */

#define REGION_SYSTEM_IO 1
#define FIELD_BYTE_ACCESS 1

#define RESOURCE_IRQ 0x22
#define RESOURCE_IO 0x47
#define RESOURCE_END 0x79
#define RESOURCE_MEMORY32_FIXED 0x86
#define RESOURCE_DWORD 0x87
#define RESOURCE_WORD 0x88
#define WINDOW_MEMORY 0
#define WINDOW_IO 1
#define WINDOW_BUS 2
#define WINDOW_FIXED 0x0c /* minimum and maximum fixed, positive decode, producer */

static void put(struct aml *aml, const void *data, size_t size)
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

static void put8(struct aml *aml, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	put(aml, &byte, 1);
}

static void put16(struct aml *aml, unsigned value)
{
	put8(aml, value);
	put8(aml, value >> 8);
}

static void put32(struct aml *aml, uint32_t value)
{
	put16(aml, value);
	put16(aml, value >> 16);
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
	put(aml, segment, sizeof(segment));
}

/* A name: one segment, or a root and one segment. */
static void put_name(struct aml *aml, const char *name)
{
	if (*name == '\\') {
		put8(aml, '\\');
		name++;
	}
	put_segment(aml, name, strlen(name));
}

/* Opens an object whose length is not known yet. */
static void open_object(struct aml *aml)
{
	static const uint8_t blank[LENGTH_BYTES];

	if (aml->depth == AML_MAX_NESTING) {
		aml->error = aml->error ? aml->error : -E2BIG;
		return;
	}
	aml->open[aml->depth++] = aml->size;
	put(aml, blank, sizeof(blank));
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
	put8(aml, OP_SCOPE);
	open_object(aml);
	put_name(aml, path);
}

void aml__device(struct aml *aml, const char *name)
{
	put8(aml, OP_EXTENDED);
	put8(aml, EXT_DEVICE);
	open_object(aml);
	put_name(aml, name);
}

void aml__method(struct aml *aml, const char *name, unsigned args)
{
	put8(aml, OP_METHOD);
	open_object(aml);
	put_name(aml, name);
	put8(aml, args & 7);
}

void aml__package(struct aml *aml, unsigned elements)
{
	put8(aml, OP_PACKAGE);
	open_object(aml);
	put8(aml, elements);
}

static void start_name(struct aml *aml, const char *name)
{
	put8(aml, OP_NAME);
	put_name(aml, name);
}

void aml__name_package(struct aml *aml, const char *name, unsigned elements)
{
	start_name(aml, name);
	aml__package(aml, elements);
}

void aml__integer(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		put8(aml, value ? OP_ONE : OP_ZERO);
	} else if (value <= 0xff) {
		put8(aml, OP_BYTE);
		put8(aml, (unsigned)value);
	} else if (value <= 0xffff) {
		put8(aml, OP_WORD);
		put16(aml, (unsigned)value);
	} else if (value <= 0xffffffff) {
		put8(aml, OP_DWORD);
		put32(aml, (uint32_t)value);
	} else {
		put8(aml, OP_QWORD);
		put32(aml, (uint32_t)value);
		put32(aml, (uint32_t)(value >> 32));
	}
}

void aml__name_integer(struct aml *aml, const char *name, uint64_t value)
{
	start_name(aml, name);
	aml__integer(aml, value);
}

void aml__name_string(struct aml *aml, const char *name, const char *value)
{
	start_name(aml, name);
	put8(aml, OP_STRING);
	put(aml, value, strlen(value) + 1);
}

static unsigned hex_digit(struct aml *aml, char digit)
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
		(uint32_t)(id[2] - '@') << 16 | hex_digit(aml, id[3]) << 12 |
		hex_digit(aml, id[4]) << 8 | hex_digit(aml, id[5]) << 4 | hex_digit(aml, id[6]);
	start_name(aml, name);
	put8(aml, OP_DWORD);
	put32(aml, __builtin_bswap32(value));
}

void aml__return_integer(struct aml *aml, uint64_t value)
{
	put8(aml, OP_RETURN);
	aml__integer(aml, value);
}

void aml__return_name(struct aml *aml, const char *name)
{
	put8(aml, OP_RETURN);
	put_name(aml, name);
}

void aml__store_arg0(struct aml *aml, const char *name)
{
	put8(aml, OP_STORE);
	put8(aml, OP_ARG0);
	put_name(aml, name);
}

void aml__io_region(struct aml *aml, const char *name, uint16_t port, unsigned size)
{
	put8(aml, OP_EXTENDED);
	put8(aml, EXT_REGION);
	put_name(aml, name);
	put8(aml, REGION_SYSTEM_IO);
	aml__integer(aml, port);
	aml__integer(aml, size);
}

void aml__byte_field(struct aml *aml, const char *region, const char *unit)
{
	put8(aml, OP_EXTENDED);
	put8(aml, EXT_FIELD);
	open_object(aml);
	put_name(aml, region);
	put8(aml, FIELD_BYTE_ACCESS);
	put_name(aml, unit);
	put8(aml, 8); /* bits, as a one-byte PkgLength */
	aml__end(aml);
}

/* ---- resource templates: a Buffer whose size is patched at the end ---- */

void aml__resources(struct aml *aml, const char *name)
{
	start_name(aml, name);
	put8(aml, OP_BUFFER);
	open_object(aml);
	put8(aml, OP_WORD);
	put16(aml, 0);
}

void aml__end_resources(struct aml *aml)
{
	size_t at, size;

	put8(aml, RESOURCE_END);
	put8(aml, 0); /* checksum 0: taken as right */
	if (!aml->error && aml->depth) {
		at = aml->open[aml->depth - 1] + LENGTH_BYTES;
		size = aml->size - at - BUFFER_SIZE_BYTES;
		aml->data[at + 1] = (uint8_t)size;
		aml->data[at + 2] = (uint8_t)(size >> 8);
	}
	aml__end(aml);
}

void aml__io(struct aml *aml, uint16_t port, uint8_t alignment, uint8_t count)
{
	put8(aml, RESOURCE_IO);
	put8(aml, 1); /* decodes 16 bits */
	put16(aml, port);
	put16(aml, port);
	put8(aml, alignment);
	put8(aml, count);
}

void aml__irq(struct aml *aml, unsigned irq)
{
	put8(aml, RESOURCE_IRQ);
	put16(aml, 1u << (irq & 15));
}

void aml__memory32(struct aml *aml, uint32_t base, uint32_t size)
{
	put8(aml, RESOURCE_MEMORY32_FIXED);
	put16(aml, 9);
	put8(aml, 1); /* writable */
	put32(aml, base);
	put32(aml, size);
}

static void put_word_window(struct aml *aml, unsigned type, unsigned flags, uint16_t first,
			    uint16_t last)
{
	put8(aml, RESOURCE_WORD);
	put16(aml, 13);
	put8(aml, type);
	put8(aml, WINDOW_FIXED);
	put8(aml, flags);
	put16(aml, 0); /* granularity */
	put16(aml, first);
	put16(aml, last);
	put16(aml, 0); /* translation */
	put16(aml, (unsigned)last - first + 1);
}

void aml__bus_window(struct aml *aml, uint16_t first, uint16_t last)
{
	put_word_window(aml, WINDOW_BUS, 0, first, last);
}

void aml__io_window(struct aml *aml, uint16_t first, uint16_t last)
{
	put_word_window(aml, WINDOW_IO, 3, first, last); /* the entire range */
}

void aml__memory_window(struct aml *aml, uint32_t first, uint32_t last)
{
	put8(aml, RESOURCE_DWORD);
	put16(aml, 23);
	put8(aml, WINDOW_MEMORY);
	put8(aml, WINDOW_FIXED);
	put8(aml, 1); /* read-write, not cacheable */
	put32(aml, 0);
	put32(aml, first);
	put32(aml, last);
	put32(aml, 0);
	put32(aml, last - first + 1);
}
