/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who owns what the guest makes, and what may be done with it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/share/internal.h"
#include "vmm/share/mapped.h"

/*
 * A program that gives its user the rights of this process, or of its group, would be a way for the
 * guest to act on the host with somebody's help.
 */
static mode_t harmless(mode_t kind, mode_t mode)
{
	return mode & (S_ISDIR(kind) ? ACCESSPERMS | S_ISVTX | S_ISGID : ACCESSPERMS | S_ISVTX);
}

mode_t share_owner__create_mode(const struct share *share, mode_t mode)
{
	if (share->options.security == SHARE_SECURITY_MAPPED)
		return S_ISDIR(mode) ? S_IRWXU : S_IRUSR | S_IWUSR;
	return harmless(mode, mode);
}

static int change_mode(int fd, mode_t mode)
{
	char path[SHARE_PROC_BYTES];

	share_file__proc_path(fd, path);
	return chmod(path, mode) ? -errno : 0;
}

int share_owner__set(struct share *share, int fd, const struct share_owner *owner)
{
	int err;

	if (share->options.security == SHARE_SECURITY_MAPPED)
		return share_mapped__set(fd, owner);
	/* Only a privileged process can give files away. Where the host refuses, they are its own. */
	if (fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) && errno != EPERM && errno != EINVAL)
		return -errno;
	if (S_ISLNK(owner->mode))
		return 0;
	/* What the umask took away, which is not the guest's. FAT and its like have one mode for all. */
	err = change_mode(fd, harmless(owner->mode, owner->mode));
	return err == -EPERM || err == -EOPNOTSUPP ? 0 : err;
}

int share_owner__set_entry(struct share *share, int folder, const char *name,
			   const struct share_owner *owner)
{
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = share_owner__set(share, fd, owner);
	close(fd);
	return err;
}

int share_owner__change(struct share *share, const struct share_file *file,
			const struct share_change *change)
{
	if (share->options.security == SHARE_SECURITY_MAPPED)
		return share_mapped__change(file, change);
	/* Also with nothing to change, for the time of change. */
	if (fchownat(file->fd, "", change->uid, change->gid, AT_EMPTY_PATH) && errno != EPERM &&
	    errno != EINVAL)
		return -errno;
	return change->has_mode ? change_mode(file->fd, harmless(file->host_mode, change->mode)) : 0;
}
