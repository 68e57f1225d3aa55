/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding, checking and loading firmware images; the file of variables. */
#define _GNU_SOURCE
#include "vmm/firmware/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/config/option.h"

/* Names for what Debian's packages install. */
static const struct known_firmware {
	const char *name, *code, *vars; /* vars: template, NULL: it has no second bank */
	const char *package;
} known[] = {
	{ "seabios", "/usr/share/seabios/bios-256k.bin", NULL, "seabios" },
	{ "ovmf", "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd", "ovmf" },
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

struct firmware_options {
	char *vars, *template;
};

static const struct config_option options[] = {
	{ "vars", OPTION_STRING, offsetof(struct firmware_options, vars), 0, 0, 0,
	  "file for the firmware's variables" },
	{ "template", OPTION_STRING, offsetof(struct firmware_options, template), 0, 0, 0,
	  "what a new file of variables starts as" },
	{ NULL },
};

/* Reads exactly bank->size bytes. 0 or -errno. */
static int read_all(int fd, struct firmware_bank *bank)
{
	uint64_t at = 0;

	while (at < bank->size) {
		ssize_t n = pread(fd, bank->data + at, bank->size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (uint64_t)n;
	}
	return 0;
}

static int load_bank(struct firmware_bank *bank, int fd, const char *path, char *error,
		     size_t error_size)
{
	struct stat st;
	void *data;
	int err;

	if (fstat(fd, &st)) {
		err = -errno;
		snprintf(error, error_size, "firmware %s: %s", path, strerror(-err));
		return err;
	}
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size % FIRMWARE_GRANULE ||
	    (uint64_t)st.st_size > FIRMWARE_MOST) {
		snprintf(error, error_size,
			 "firmware %s: must be a file of a multiple of 4 KiB, at most %llu MiB", path,
			 FIRMWARE_MOST >> 20);
		return -EINVAL;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (data == MAP_FAILED) {
		err = -errno;
		snprintf(error, error_size, "firmware %s: %s", path, strerror(-err));
		return err;
	}
	bank->data = data;
	bank->size = (uint64_t)st.st_size;
	err = read_all(fd, bank);
	if (err)
		snprintf(error, error_size, "firmware %s: cannot be read: %s", path, strerror(-err));
	return err;
}

/* A bank that is not written back. */
static int load_file(struct firmware_bank *bank, const char *path, const char *package, char *error,
		     size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(error, error_size, "firmware %s: %s%s%s", path, strerror(-err),
			 package ? "; install the package " : "", package ? package : "");
		return err;
	}
	err = load_bank(bank, fd, path, error, error_size);
	close(fd);
	return err;
}

/* A new file of variables: complete under its name, or not there. */
static int create_vars(struct firmware_bank *bank, const char *path, const char *template,
		       char *error, size_t error_size)
{
	uint64_t at = 0;
	int err = load_file(bank, template, NULL, error, error_size);

	if (err)
		return err;
	bank->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (bank->fd < 0) {
		err = -errno;
		goto refused;
	}
	while (at < bank->size) {
		ssize_t n = pwrite(bank->fd, bank->data + at, bank->size - at, (off_t)at);

		if (n < 0 && errno != EINTR) {
			err = -errno;
			unlink(path);
			goto refused;
		}
		at += n > 0 ? (uint64_t)n : 0;
	}
	return 0;
refused:
	snprintf(error, error_size, "firmware: vars=%s: cannot be made: %s", path, strerror(-err));
	return err;
}

static int open_vars(struct firmware_bank *bank, const char *path, const char *template,
		     char *error, size_t error_size)
{
	int err;

	bank->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (bank->fd < 0 && errno == ENOENT && template)
		err = create_vars(bank, path, template, error, error_size);
	else if (bank->fd < 0) {
		err = -errno;
		snprintf(error, error_size, "firmware: vars=%s: %s%s", path, strerror(-err),
			 err == -ENOENT ? "; name a template for it with template=FILE" : "");
	} else {
		err = load_bank(bank, bank->fd, path, error, error_size);
	}
	if (!err && flock(bank->fd, LOCK_EX | LOCK_NB)) {
		err = -errno;
		snprintf(error, error_size, "firmware: vars=%s: another machine uses it", path);
	}
	return err;
}

static int open_banks(struct firmware *firmware, const char *name,
		      const struct firmware_options *with, char *error, size_t error_size)
{
	const char *template = with->template;
	const char *package = NULL;
	unsigned i;
	int err;

	for (i = 0; i < KNOWN && strcmp(name, known[i].name); i++)
		;
	if (i < KNOWN) {
		name = known[i].code;
		package = known[i].package;
		template = template ? template : known[i].vars;
	}
	err = load_file(&firmware->code, name, package, error, error_size);
	if (!err && with->vars)
		err = open_vars(&firmware->vars, with->vars, template, error, error_size);
	else if (!err && template)
		err = load_file(&firmware->vars, template, package, error, error_size);
	if (err)
		return err;
	if (firmware->code.size + firmware->vars.size > FIRMWARE_MOST) {
		snprintf(error, error_size, "firmware %s: with its variables more than %llu MiB", name,
			 FIRMWARE_MOST >> 20);
		return -EINVAL;
	}
	firmware->code.gpa = FIRMWARE_END - firmware->code.size;
	firmware->vars.gpa = firmware->code.gpa - firmware->vars.size;
	/* SeaBIOS leaves kernels to an option ROM, which is not here. */
	firmware->loads_kernels = !package || strcmp(package, "seabios");
	return 0;
}

int firmware__open(struct firmware *firmware, const char *text, char *error, size_t error_size)
{
	static const struct config_class class = { "firmware", "", options };
	struct firmware_options with;
	size_t length = strcspn(text, ",");
	char *name = strndup(text, length);
	int err;

	*firmware = (struct firmware){ .code.fd = -1, .vars.fd = -1 };
	if (!name) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	err = config__parse(&class, text[length] ? text + length + 1 : NULL, &with, error, error_size);
	if (!err) {
		err = open_banks(firmware, name, &with, error, error_size);
		config__free(&class, &with);
	}
	if (err)
		firmware__close(firmware);
	free(name);
	return err;
}

static void close_bank(struct firmware_bank *bank)
{
	if (bank->data)
		munmap(bank->data, bank->size);
	if (bank->fd >= 0)
		close(bank->fd);
	*bank = (struct firmware_bank){ .fd = -1 };
}

void firmware__close(struct firmware *firmware)
{
	close_bank(&firmware->vars);
	close_bank(&firmware->code);
}
