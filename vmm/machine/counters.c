/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters into a file, all of them or none: a reader never finds half. */
#include "vmm/machine/counters.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/kvm/kvm.h"

static int write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	int err = 0;

	if (!file)
		return -errno;
	if (fputs(text, file) == EOF)
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

/* Anything but a file (a pipe, a terminal) is written to, and stays what it is. */
static bool may_replace(const char *path)
{
	struct stat info;

	return stat(path, &info) || S_ISREG(info.st_mode);
}

static int replace_file(const char *path, const char *text)
{
	size_t size = strlen(path) + sizeof(".new");
	char *other = malloc(size);
	int err;

	if (!other)
		return -ENOMEM;
	snprintf(other, size, "%s.new", path);
	err = write_file(other, text);
	if (!err && rename(other, path))
		err = -errno;
	if (err)
		unlink(other);
	free(other);
	return err;
}

int counters__write(const struct kvm_vm *vm, const char *path)
{
	char *text;
	int err = kvm_vm__counters(vm, &text);

	if (err)
		return err;
	if (!strcmp(path, "-"))
		fputs(text, stderr);
	else if (may_replace(path))
		err = replace_file(path, text);
	else
		err = write_file(path, text);
	free(text);
	return err;
}
