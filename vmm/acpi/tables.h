/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ACPI tables of the machine (ACPI 6.4, chapter 5), as an image for guest memory. */
#ifndef VMM_ACPI_TABLES_H
#define VMM_ACPI_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct device;

struct acpi_request {
	unsigned cpus;		/* APIC identifiers are 0 to cpus - 1 */
	struct device *devices; /* list whose classes describe themselves in the DSDT */
	uint64_t gpa;		/* where the image will be, a multiple of 64 below 4 GiB */
	size_t size_most;
};

struct acpi_image {
	uint8_t *data; /* free() it */
	size_t size;
	uint64_t rsdp; /* GPA; on a 16-byte boundary */
};

/*
 * For a device's acpi_tables(): a table of its own, without header. Failure is told by
 * acpi_tables__build().
 */
struct acpi_tables;
void acpi_tables__add(struct acpi_tables *tables, const char *signature, uint8_t revision,
		      const void *body, size_t size);

/* 0, -E2BIG: larger than size_most, or -ENOMEM. */
int acpi_tables__build(const struct acpi_request *request, struct acpi_image *image);

#endif
