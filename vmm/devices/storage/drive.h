/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every disk device has: the options of its image, in the device's own table. */
#ifndef VMM_DEVICES_STORAGE_DRIVE_H
#define VMM_DEVICES_STORAGE_DRIVE_H

#include <stddef.h>

#include "vmm/device/device.h"

struct block;

/* As the user wrote them; the key of each is in the device's table only. */
struct drive_options {
	char *file;
	char *key[29];
};

#define DRIVE_KEY(type, member, n, name, help)                                                     \
	{                                                                                          \
		name, OPTION_STRING, offsetof(type, member.key[n]), 0, 0, 0, help                  \
	}

/* Rows for the table of a device whose structure is `type`, with a struct drive_options `member`. */
#define DRIVE_OPTIONS(type, member)                                                                \
	{ "file", OPTION_STRING, offsetof(type, member.file), 0, 0, 0,                              \
	  "the image: a file or block device (required)" },                                        \
	DRIVE_KEY(type, member, 0, "format", "raw or qcow2 (by its contents)"),                    \
	DRIVE_KEY(type, member, 1, "read-only", "nothing is written (off)"),                       \
	DRIVE_KEY(type, member, 2, "cache",                                                        \
		  "writeback, none, writethrough, directsync or unsafe (writeback)"),              \
	DRIVE_KEY(type, member, 3, "aio", "auto, io_uring or threads (auto)"),                     \
	DRIVE_KEY(type, member, 4, "discard", "discards free space on the host (on)"),             \
	DRIVE_KEY(type, member, 5, "detect-zeroes", "off, on or unmap (off)"),                     \
	DRIVE_KEY(type, member, 6, "locking", "guard against a second writer (on)"),               \
	DRIVE_KEY(type, member, 7, "rerror", "failed reads: report or ignore (report)"),           \
	DRIVE_KEY(type, member, 8, "werror", "failed writes: enospc, report or ignore (enospc)"),  \
	DRIVE_KEY(type, member, 9, "metadata-cache", "memory for an image's tables (8M)"),         \
	DRIVE_KEY(type, member, 10, "iops", "operations per second"),                              \
	DRIVE_KEY(type, member, 11, "iops-rd", "reads per second"),                                \
	DRIVE_KEY(type, member, 12, "iops-wr", "writes per second"),                               \
	DRIVE_KEY(type, member, 13, "bps", "bytes per second"),                                    \
	DRIVE_KEY(type, member, 14, "bps-rd", "bytes read per second"),                            \
	DRIVE_KEY(type, member, 15, "bps-wr", "bytes written per second"),                         \
	DRIVE_KEY(type, member, 16, "iops-max", "the same in bursts"),                             \
	DRIVE_KEY(type, member, 17, "iops-rd-max", "the same in bursts"),                          \
	DRIVE_KEY(type, member, 18, "iops-wr-max", "the same in bursts"),                          \
	DRIVE_KEY(type, member, 19, "bps-max", "the same in bursts"),                              \
	DRIVE_KEY(type, member, 20, "bps-rd-max", "the same in bursts"),                           \
	DRIVE_KEY(type, member, 21, "bps-wr-max", "the same in bursts"),                           \
	DRIVE_KEY(type, member, 22, "iops-max-length", "seconds that such a burst may last (1)"),  \
	DRIVE_KEY(type, member, 23, "iops-rd-max-length", "likewise"),                             \
	DRIVE_KEY(type, member, 24, "iops-wr-max-length", "likewise"),                             \
	DRIVE_KEY(type, member, 25, "bps-max-length", "likewise"),                                 \
	DRIVE_KEY(type, member, 26, "bps-rd-max-length", "likewise"),                              \
	DRIVE_KEY(type, member, 27, "bps-wr-max-length", "likewise"),                              \
	DRIVE_KEY(type, member, 28, "iops-size",                                                   \
		  "bytes that count as one operation (a request is one)")

/*
 * Opens the image that the options of a device name. `drive` is a member of *dev, whose class's
 * table has DRIVE_OPTIONS. 0, or -errno with a line in error[].
 */
int drive__open(const struct device *dev, const struct drive_options *drive, struct block **block,
		char *error, size_t error_size);

#endif
