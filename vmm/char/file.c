/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output to a file (or device, or FIFO with a reader); no input. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "vmm/char/stream.h"

static int open_file(struct char_backend *backend, const char *path, char *error,
		     size_t error_size)
{
	int fd, err;

	if (!*path) {
		snprintf(error, error_size, "console file: the path is missing; must be file:PATH");
		return -EINVAL;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
	if (fd < 0) {
		err = -errno;
		snprintf(error, error_size, "console file:%s: cannot be written: %s", path,
			 err == -ENXIO ? "nobody reads this FIFO" : strerror(-err));
		return err;
	}
	err = char_stream__attach(backend, -1, fd);
	if (err)
		snprintf(error, error_size, "console file:%s: %s", path, strerror(-err));
	return err;
}

static void do_nothing(struct char_backend *backend)
{
}

const struct char_class char_class_file = {
	.prefix = "file:",
	.open = open_file,
	.close = do_nothing,
	.hung_up = do_nothing,
};
