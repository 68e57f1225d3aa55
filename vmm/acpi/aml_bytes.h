/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the AML emitter share: opcodes, and appending bytes, names and lengths. */
#ifndef VMM_ACPI_AML_BYTES_H
#define VMM_ACPI_AML_BYTES_H

#include "vmm/acpi/aml.h"

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
#define OP_LOCAL0 0x60
#define OP_ARG0 0x68
#define OP_STORE 0x70
#define OP_AND 0x7b
#define OP_OR 0x7d
#define OP_CREATE_DWORD_FIELD 0x8a
#define OP_LNOT 0x92
#define OP_LEQUAL 0x93
#define OP_IF 0xa0
#define OP_ELSE 0xa1
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

void aml__put(struct aml *aml, const void *data, size_t size);
void aml__put8(struct aml *aml, unsigned value);
void aml__put16(struct aml *aml, unsigned value);
void aml__put32(struct aml *aml, uint32_t value);
/* A name: one segment of up to four characters, or a root and one segment. */
void aml__put_name(struct aml *aml, const char *name);
/* A hexadecimal digit's value; others are an error. */
unsigned aml__hex_digit(struct aml *aml, char digit);
/* Opens an object whose length is not known yet; aml__end() closes it. */
void aml__open(struct aml *aml);
/* Name (name, ...), with the value to follow. */
void aml__start_name(struct aml *aml, const char *name);

#endif
