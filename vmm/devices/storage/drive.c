/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a disk device's options to its image. */
#include "vmm/devices/storage/drive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/block/block.h"

/* Passes the options that were given on, under the names that the device's table has for them. */
static int set_options(const struct device *dev, const struct drive_options *drive,
		       struct block_options *options, char *error, size_t error_size)
{
	const size_t start = (size_t)((const char *)drive - (const char *)dev);
	const struct config_option *row;
	int err = 0;

	for (row = dev->class->options; row->name && !err; row++) {
		const char *value;

		if (row->offset < start || row->offset >= start + sizeof(*drive))
			continue;
		value = *(char *const *)((const char *)dev + row->offset);
		if (value)
			err = block_options__set(options, row->name, value, error, error_size);
	}
	return err ? err : block_options__check(options, error, error_size);
}

int drive__open(const struct device *dev, const struct drive_options *drive, struct block **block,
		char *error, size_t error_size)
{
	struct block_options options;
	int err;

	if (!drive->file) {
		snprintf(error, error_size, "device %s: no image; give one with file=PATH",
			 dev->class->name);
		return -EINVAL;
	}
	block_options__init(&options);
	err = set_options(dev, drive, &options, error, error_size);
	if (!err && (options.read_error == BLOCK_ERROR_STOP ||
		     options.write_error == BLOCK_ERROR_STOP)) {
		/* Nobody could let the request go on. */
		snprintf(error, error_size,
			 "device %s: %s=stop: not possible without a control socket; give report or ignore",
			 dev->class->name,
			 options.read_error == BLOCK_ERROR_STOP ? "rerror" : "werror");
		err = -EINVAL;
	}
	if (!err)
		err = block__open(&options, block, error, error_size);
	block_options__free(&options);
	return err;
}
