/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksum of ACPI, SMBIOS and MultiProcessor tables. */
#ifndef VMM_DEVICE_CHECKSUM_H
#define VMM_DEVICE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* What is to be added so that all `size` bytes and it are 0, modulo 256. */
static inline uint8_t checksum__of(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	while (size--)
		sum += *bytes++;
	return (uint8_t)-sum;
}

#endif
