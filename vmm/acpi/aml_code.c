/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Terms of methods (ACPI 6.4, 20.2.5 and 20.2.6). */
#include "vmm/acpi/aml_bytes.h"

#include <errno.h>
#include <string.h>

#define UUID_BYTES 16

void aml__return(struct aml *aml)
{
	aml__put8(aml, OP_RETURN);
}

void aml__store(struct aml *aml)
{
	aml__put8(aml, OP_STORE);
}

void aml__equal(struct aml *aml)
{
	aml__put8(aml, OP_LEQUAL);
}

void aml__not(struct aml *aml)
{
	aml__put8(aml, OP_LNOT);
}

void aml__and(struct aml *aml)
{
	aml__put8(aml, OP_AND);
}

void aml__or(struct aml *aml)
{
	aml__put8(aml, OP_OR);
}

void aml__arg(struct aml *aml, unsigned n)
{
	aml__put8(aml, OP_ARG0 + n);
}

void aml__local(struct aml *aml, unsigned n)
{
	aml__put8(aml, OP_LOCAL0 + n);
}

void aml__term(struct aml *aml, const char *name)
{
	aml__put_name(aml, name);
}

void aml__if(struct aml *aml)
{
	aml__put8(aml, OP_IF);
	aml__open(aml);
}

void aml__else(struct aml *aml)
{
	aml__put8(aml, OP_ELSE);
	aml__open(aml);
}

void aml__return_integer(struct aml *aml, uint64_t value)
{
	aml__return(aml);
	aml__integer(aml, value);
}

void aml__return_name(struct aml *aml, const char *name)
{
	aml__return(aml);
	aml__put_name(aml, name);
}

void aml__store_arg0(struct aml *aml, const char *name)
{
	aml__store(aml);
	aml__arg(aml, 0);
	aml__put_name(aml, name);
}

/* 19.6.142: the first three groups are little endian, the rest is as written. */
void aml__uuid(struct aml *aml, const char *text)
{
	static const uint8_t order[UUID_BYTES] = { 6, 4, 2, 0, 11, 9, 16, 14,
						   19, 21, 24, 26, 28, 30, 32, 34 };
	unsigned i;

	if (strlen(text) != 36) {
		aml->error = aml->error ? aml->error : -EINVAL;
		return;
	}
	aml__put8(aml, OP_BUFFER);
	aml__open(aml);
	aml__integer(aml, UUID_BYTES);
	for (i = 0; i < UUID_BYTES; i++)
		aml__put8(aml, aml__hex_digit(aml, text[order[i]]) << 4 |
				       aml__hex_digit(aml, text[order[i] + 1]));
	aml__end(aml);
}

void aml__dword_field(struct aml *aml, unsigned n, unsigned index, const char *name)
{
	aml__put8(aml, OP_CREATE_DWORD_FIELD);
	aml__arg(aml, n);
	aml__integer(aml, index);
	aml__put_name(aml, name);
}
