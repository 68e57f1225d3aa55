/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for generated code: written through one mapping, executed through another. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engines/soft/translate/translate.h"

int area__create(struct code_area *area, size_t size)
{
	int fd, error;

	fd = memfd_create("guest-code", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size)) {
		error = -errno;
		goto close_file;
	}
	area->write = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area->write == MAP_FAILED) {
		error = -errno;
		goto close_file;
	}
	area->execute = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (area->execute == MAP_FAILED) {
		error = -errno;
		goto unmap;
	}
	close(fd);
	area->size = size;
	area->used = 0;
	return 0;

unmap:
	munmap(area->write, size);
close_file:
	close(fd);
	area->write = NULL;
	area->execute = NULL;
	return error;
}

void area__destroy(struct code_area *area)
{
	if (!area->write)
		return;
	munmap(area->write, area->size);
	munmap((void *)area->execute, area->size);
	area->write = NULL;
}
