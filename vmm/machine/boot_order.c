/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot order for SeaBIOS and OVMF: Open Firmware paths, one to a line, a zero at the end. */
#include "vmm/machine/boot_order.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/device/device.h"
#include "vmm/firmware/items.h"

#define BOOT_ORDER_FILE "bootorder"

static uint64_t place_of(struct device *dev, char path[DEVICE_BOOT_PATH_BYTES])
{
	return dev->class->boot ? dev->class->boot(dev, path) : DEVICE_NO_BOOT_INDEX;
}

/* The device with the lowest place from `least` on, or NULL, with its place and path. */
static struct device *find_next(struct device *devices, uint64_t least, uint64_t *place,
				char path[DEVICE_BOOT_PATH_BYTES])
{
	char other[DEVICE_BOOT_PATH_BYTES];
	struct device *dev, *first = NULL;

	*place = DEVICE_NO_BOOT_INDEX;
	for (dev = devices; dev; dev = dev->next) {
		uint64_t index = place_of(dev, other);

		if (index < least || index >= *place)
			continue;
		*place = index;
		first = dev;
		memcpy(path, other, sizeof(other));
	}
	return first;
}

static bool is_taken(struct device *devices, const struct device *by, uint64_t place)
{
	char path[DEVICE_BOOT_PATH_BYTES];
	struct device *dev;

	for (dev = devices; dev; dev = dev->next)
		if (dev != by && place_of(dev, path) == place)
			return true;
	return false;
}

/* Writes the lines, or an empty text if no device has a place. */
static int write_lines(FILE *stream, struct device *devices, char *error, unsigned error_size)
{
	char path[DEVICE_BOOT_PATH_BYTES];
	struct device *dev;
	uint64_t place, least;

	for (least = 0; (dev = find_next(devices, least, &place, path)); least = place + 1) {
		if (is_taken(devices, dev, place)) {
			snprintf(error, error_size, "device %s: bootindex=%llu: another device has it",
				 dev->class->name, (unsigned long long)place);
			return -EINVAL;
		}
		fprintf(stream, "%s%s", least ? "\n" : "", path);
	}
	return 0;
}

int machine_boot_order__add(struct fw_cfg_items *items, struct device *devices, char *error,
			    unsigned error_size)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int err;

	snprintf(error, error_size, "boot order: out of memory");
	if (!stream)
		return -ENOMEM;
	err = write_lines(stream, devices, error, error_size);
	if (fclose(stream) && !err)
		err = -ENOMEM;
	/* OVMF wants the zero that ends the text. */
	if (!err && size)
		err = fw_cfg_items__add_file(items, BOOT_ORDER_FILE, text, size + 1);
	free(text);
	return err == -EEXIST ? 0 : err;
}
