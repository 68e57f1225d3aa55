/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loader's script, from the pointers that our own tables have (ACPI 6.4, 5.2.5 to 5.2.9). */
#include "vmm/firmware/table_loader.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/types.h"
#include "vmm/acpi/layout.h"
#include "vmm/firmware/items.h"

enum command {
	COMMAND_ALLOCATE = 1,
	COMMAND_ADD_POINTER = 2,
	COMMAND_ADD_CHECKSUM = 3,
};

#define ZONE_HIGH 1u
#define ZONE_F_SEGMENT 2u
#define TABLES_ALIGN 64u
#define RSDP_ALIGN 16u

struct entry {
	uint32_t command;
	union {
		struct {
			char file[FW_CFG_NAME_BYTES];
			uint32_t align;
			uint8_t zone;
		} __attribute__((packed)) allocate;
		struct {
			char file[FW_CFG_NAME_BYTES]; /* has the pointer */
			char target[FW_CFG_NAME_BYTES];
			uint32_t offset;
			uint8_t size;
		} __attribute__((packed)) pointer;
		struct {
			char file[FW_CFG_NAME_BYTES];
			uint32_t offset, start, size;
		} __attribute__((packed)) sum;
		uint8_t bytes[124];
	};
} __attribute__((packed));

_Static_assert(sizeof(struct entry) == 128, "what the interface has");

struct script {
	struct entry *entry;
	unsigned count, most;
	bool full;
};

static struct entry *add(struct script *script, enum command command)
{
	static struct entry nowhere;
	struct entry *entry = &nowhere;

	if (script->count == script->most)
		script->full = true;
	else
		entry = &script->entry[script->count++];
	*entry = (struct entry){ .command = command };
	return entry;
}

static void add_allocate(struct script *script, const char *file, uint32_t align, uint8_t zone)
{
	struct entry *entry = add(script, COMMAND_ALLOCATE);

	strcpy(entry->allocate.file, file);
	entry->allocate.align = align;
	entry->allocate.zone = zone;
}

static void add_pointer(struct script *script, const char *file, size_t offset, uint8_t size)
{
	struct entry *entry = add(script, COMMAND_ADD_POINTER);

	strcpy(entry->pointer.file, file);
	strcpy(entry->pointer.target, TABLE_LOADER_TABLES);
	entry->pointer.offset = (uint32_t)offset;
	entry->pointer.size = size;
}

/* The firmware takes the sum with a 0 in the byte's place. */
static void add_sum(struct script *script, const char *file, uint8_t *data, size_t at, size_t start,
		    size_t size)
{
	struct entry *entry = add(script, COMMAND_ADD_CHECKSUM);

	data[at] = 0;
	strcpy(entry->sum.file, file);
	entry->sum.offset = (uint32_t)at;
	entry->sum.start = (uint32_t)start;
	entry->sum.size = (uint32_t)size;
}

static void sum_table(struct script *script, struct acpi_image *image, size_t at)
{
	const struct acpi_header *header = (const void *)(image->data + at);

	add_sum(script, TABLE_LOADER_TABLES, image->data,
		at + offsetof(struct acpi_header, checksum), at, header->length);
}

/* RSDT or XSDT: pointers of `width` bytes behind the header. */
static void link_list(struct script *script, struct acpi_image *image, size_t at, uint8_t width)
{
	const struct acpi_header *header = (const void *)(image->data + at);
	size_t offset;

	for (offset = sizeof(*header); offset < header->length; offset += width)
		add_pointer(script, TABLE_LOADER_TABLES, at + offset, width);
	sum_table(script, image, at);
}

static void link_fadt(struct script *script, struct acpi_image *image, size_t at)
{
	add_pointer(script, TABLE_LOADER_TABLES, at + offsetof(struct acpi_fadt, facs), 4);
	add_pointer(script, TABLE_LOADER_TABLES, at + offsetof(struct acpi_fadt, dsdt), 4);
	add_pointer(script, TABLE_LOADER_TABLES, at + offsetof(struct acpi_fadt, x_dsdt), 8);
	sum_table(script, image, at);
}

int table_loader__make(struct acpi_image *image, uint8_t *bytes, uint8_t *rsdp)
{
	struct script script = { .entry = (struct entry *)bytes,
				 .most = TABLE_LOADER_BYTES / sizeof(struct entry) };
	struct acpi_rsdp root;
	uint64_t fadt;

	memset(bytes, 0, TABLE_LOADER_BYTES);
	memcpy(&root, image->data + image->rsdp, sizeof(root));
	memset(image->data + image->rsdp, 0, sizeof(root));
	memcpy(rsdp, &root, sizeof(root));
	/* The FADT comes first in the lists. */
	memcpy(&fadt, image->data + root.xsdt + sizeof(struct acpi_header), sizeof(fadt));

	add_allocate(&script, TABLE_LOADER_TABLES, TABLES_ALIGN, ZONE_HIGH);
	add_allocate(&script, TABLE_LOADER_RSDP, RSDP_ALIGN, ZONE_F_SEGMENT);
	link_fadt(&script, image, fadt);
	link_list(&script, image, root.rsdt, 4);
	link_list(&script, image, root.xsdt, 8);
	add_pointer(&script, TABLE_LOADER_RSDP, offsetof(struct acpi_rsdp, rsdt), 4);
	add_pointer(&script, TABLE_LOADER_RSDP, offsetof(struct acpi_rsdp, xsdt), 8);
	add_sum(&script, TABLE_LOADER_RSDP, rsdp, offsetof(struct acpi_rsdp, checksum), 0, 20);
	add_sum(&script, TABLE_LOADER_RSDP, rsdp, offsetof(struct acpi_rsdp, checksum_all), 0,
		sizeof(root));
	return script.full ? -E2BIG : 0;
}
