/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource templates (ACPI 6.4, 6.4): a Buffer whose size is patched at the end. */
#include "vmm/acpi/aml_bytes.h"

/* A buffer's own size stands in front of its bytes; resource templates are patched in this form. */
#define BUFFER_SIZE_BYTES 3u /* WordPrefix and a word */

#define RESOURCE_IRQ 0x22
#define RESOURCE_IO 0x47
#define RESOURCE_END 0x79
#define RESOURCE_MEMORY32_FIXED 0x86
#define RESOURCE_DWORD 0x87
#define RESOURCE_WORD 0x88
#define RESOURCE_EXTENDED_IRQ 0x89
#define RESOURCE_QWORD 0x8a
#define WINDOW_MEMORY 0
#define WINDOW_IO 1
#define WINDOW_BUS 2
#define MEMORY_READ_WRITE 0x01
#define MEMORY_PREFETCHABLE 0x06
#define IRQ_CONSUMED_LOW_SHARED 0x0d
#define WINDOW_FIXED 0x0c /* minimum and maximum fixed, positive decode, producer */

void aml__resources(struct aml *aml, const char *name)
{
	aml__start_name(aml, name);
	aml__put8(aml, OP_BUFFER);
	aml__open(aml);
	aml__put8(aml, OP_WORD);
	aml__put16(aml, 0);
}

void aml__end_resources(struct aml *aml)
{
	size_t at, size;

	aml__put8(aml, RESOURCE_END);
	aml__put8(aml, 0); /* checksum 0: taken as right */
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
	aml__put8(aml, RESOURCE_IO);
	aml__put8(aml, 1); /* decodes 16 bits */
	aml__put16(aml, port);
	aml__put16(aml, port);
	aml__put8(aml, alignment);
	aml__put8(aml, count);
}

void aml__irq(struct aml *aml, unsigned irq)
{
	aml__put8(aml, RESOURCE_IRQ);
	aml__put16(aml, 1u << (irq & 15));
}

void aml__memory32(struct aml *aml, uint32_t base, uint32_t size)
{
	aml__put8(aml, RESOURCE_MEMORY32_FIXED);
	aml__put16(aml, 9);
	aml__put8(aml, 1); /* writable */
	aml__put32(aml, base);
	aml__put32(aml, size);
}

static void put_word_window(struct aml *aml, unsigned type, unsigned flags, uint16_t first,
			    uint16_t last)
{
	aml__put8(aml, RESOURCE_WORD);
	aml__put16(aml, 13);
	aml__put8(aml, type);
	aml__put8(aml, WINDOW_FIXED);
	aml__put8(aml, flags);
	aml__put16(aml, 0); /* granularity */
	aml__put16(aml, first);
	aml__put16(aml, last);
	aml__put16(aml, 0); /* translation */
	aml__put16(aml, (unsigned)last - first + 1);
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
	aml__put8(aml, RESOURCE_DWORD);
	aml__put16(aml, 23);
	aml__put8(aml, WINDOW_MEMORY);
	aml__put8(aml, WINDOW_FIXED);
	aml__put8(aml, MEMORY_READ_WRITE); /* not cacheable */
	aml__put32(aml, 0);
	aml__put32(aml, first);
	aml__put32(aml, last);
	aml__put32(aml, 0);
	aml__put32(aml, last - first + 1);
}

static void put64(struct aml *aml, uint64_t value)
{
	aml__put32(aml, (uint32_t)value);
	aml__put32(aml, (uint32_t)(value >> 32));
}

void aml__memory64_window(struct aml *aml, uint64_t first, uint64_t last)
{
	aml__put8(aml, RESOURCE_QWORD);
	aml__put16(aml, 43);
	aml__put8(aml, WINDOW_MEMORY);
	aml__put8(aml, WINDOW_FIXED);
	aml__put8(aml, MEMORY_READ_WRITE | MEMORY_PREFETCHABLE);
	put64(aml, 0);
	put64(aml, first);
	put64(aml, last);
	put64(aml, 0);
	put64(aml, last - first + 1);
}

void aml__shared_gsi(struct aml *aml, uint32_t gsi)
{
	aml__put8(aml, RESOURCE_EXTENDED_IRQ);
	aml__put16(aml, 6);
	aml__put8(aml, IRQ_CONSUMED_LOW_SHARED);
	aml__put8(aml, 1); /* how many follow */
	aml__put32(aml, gsi);
}
