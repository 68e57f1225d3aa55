/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners, modes and kinds of files in extended attributes. */
#define _GNU_SOURCE
#include "vmm/share/mapped.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vmm/share/internal.h"

#define PREFIX "user.virtfs."
#define UID PREFIX "uid"
#define GID PREFIX "gid"
#define MODE PREFIX "mode"
#define RDEV PREFIX "rdev"

static bool get_number(const char *path, const char *name, void *value, size_t size)
{
	return getxattr(path, name, value, size) == (ssize_t)size;
}

/* A folder stays a folder, and nothing else becomes one, whatever an attribute says. */
static mode_t map_mode(mode_t host, mode_t mapped)
{
	if (S_ISREG(host) && (S_ISLNK(mapped) || S_ISCHR(mapped) || S_ISBLK(mapped) || S_ISFIFO(mapped) ||
			      S_ISSOCK(mapped)))
		return mapped & (S_IFMT | ALLPERMS);
	return (host & S_IFMT) | (mapped & ALLPERMS);
}

void share_mapped__stat(int fd, struct stat *stat)
{
	char path[SHARE_PROC_BYTES];
	uint32_t number;
	uint64_t device;

	/* Others cannot have attributes of users. */
	if (!S_ISREG(stat->st_mode) && !S_ISDIR(stat->st_mode))
		return;
	share_file__proc_path(fd, path);
	if (get_number(path, UID, &number, sizeof(number)))
		stat->st_uid = le32toh(number);
	if (get_number(path, GID, &number, sizeof(number)))
		stat->st_gid = le32toh(number);
	if (get_number(path, MODE, &number, sizeof(number)))
		stat->st_mode = map_mode(stat->st_mode, le32toh(number));
	if (get_number(path, RDEV, &device, sizeof(device)))
		stat->st_rdev = le64toh(device);
}

static int set_32(const char *path, const char *name, uint32_t value)
{
	value = htole32(value);
	return setxattr(path, name, &value, sizeof(value), 0) ? -errno : 0;
}

int share_mapped__set(int fd, const struct share_owner *owner)
{
	uint64_t device = htole64(owner->device);
	char path[SHARE_PROC_BYTES];
	int err;

	share_file__proc_path(fd, path);
	/* A client that has told nobody's number is the one who mounts: root. */
	err = set_32(path, UID, owner->uid == UINT32_MAX ? 0 : owner->uid);
	if (!err)
		err = set_32(path, GID, owner->gid == UINT32_MAX ? 0 : owner->gid);
	if (!err)
		err = set_32(path, MODE, owner->mode);
	if (!err && (S_ISCHR(owner->mode) || S_ISBLK(owner->mode)) &&
	    setxattr(path, RDEV, &device, sizeof(device), 0))
		err = -errno;
	return err;
}

int share_mapped__change(const struct share_file *file, const struct share_change *change)
{
	char path[SHARE_PROC_BYTES];
	int err = 0;

	share_file__proc_path(file->fd, path);
	if (change->uid != UINT32_MAX)
		err = set_32(path, UID, change->uid);
	if (!err && change->gid != UINT32_MAX)
		err = set_32(path, GID, change->gid);
	if (!err && change->has_mode)
		err = set_32(path, MODE, (file->stat.st_mode & S_IFMT) | change->mode);
	return err;
}

int share_mapped__make_link(int folder, const char *name, const char *target)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t put;
	int err = 0;

	if (fd < 0)
		return -errno;
	put = write(fd, target, strlen(target));
	if (put != (ssize_t)strlen(target))
		err = put < 0 ? -errno : -ENOSPC;
	close(fd);
	if (err)
		unlinkat(folder, name, 0);
	return err;
}

ssize_t share_mapped__read_link(const struct share_file *file, char *target, size_t size)
{
	int fd = share_file__open(file, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		return fd;
	got = read(fd, target, size);
	if (got < 0)
		got = -errno;
	close(fd);
	return got;
}

bool share_mapped__owns(const char *name)
{
	return !strncmp(name, PREFIX, strlen(PREFIX));
}
