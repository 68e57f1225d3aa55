/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From fids and names to files: the one place where paths of the folder are resolved. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/share/internal.h"
#include "vmm/share/mapped.h"

/*
 * A descriptor that says which file it is and gives no access to it, so opening it starts nothing
 * whatever it is. The kernel sees to it that the way there leaves the root by no "..", link or mount
 * of /proc's kind, also while others move folders about.
 */
static int open_beneath(const struct share *share, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, share->root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int share_file__look(const struct share *share, struct share_file *file)
{
	if (fstat(file->fd, &file->stat))
		return -errno;
	file->host_mode = file->stat.st_mode;
	if (share->options.security == SHARE_SECURITY_MAPPED)
		share_mapped__stat(file->fd, &file->stat);
	return 0;
}

int share_file__find(struct share *share, const struct share_node *node, struct share_file *file)
{
	char path[PATH_MAX];
	int err = share_node__path(share, node, path);

	if (err)
		return err;
	file->opened = true;
	file->fd = open_beneath(share, path);
	if (file->fd < 0)
		return file->fd;
	err = share_file__look(share, file);
	if (err)
		close(file->fd);
	return err;
}

int share_file__get_named(struct share *share, const struct share_fid *fid, struct share_file *file)
{
	int err = share_file__find(share, fid->node, file);

	if (err)
		return err;
	if (file->stat.st_dev == fid->identity.device && file->stat.st_ino == fid->identity.inode)
		return 0;
	/* Not -ESTALE: with -ENOENT Linux looks the name up again. */
	share_file__put(file);
	return -ENOENT;
}

int share_file__get(struct share *share, const struct share_fid *fid, struct share_file *file)
{
	if (fid->fd < 0)
		return share_file__get_named(share, fid, file);
	file->fd = fid->fd;
	file->opened = false;
	return share_file__look(share, file);
}

int share_file__get_folder(struct share *share, const struct share_fid *fid, struct share_file *folder)
{
	int err = share_file__get_named(share, fid, folder);

	if (err || S_ISDIR(folder->host_mode))
		return err;
	share_file__put(folder);
	return -ENOTDIR;
}

void share_file__put(struct share_file *file)
{
	if (file->opened)
		close(file->fd);
}

int share_file__take_folder(struct share *share, struct share_call *call, struct share_fid **fid,
			    struct share_file *folder)
{
	int err = share_fid__take(share, call, fid);

	return err ? err : share_file__get_folder(share, *fid, folder);
}

void share_file__proc_path(int fd, char path[SHARE_PROC_BYTES])
{
	snprintf(path, SHARE_PROC_BYTES, "/proc/self/fd/%d", fd);
}

int share_file__open(const struct share_file *file, int flags)
{
	char path[SHARE_PROC_BYTES];
	int fd;

	/* To open a device or a FIFO does something, or waits. */
	if (S_ISLNK(file->host_mode))
		return -ELOOP;
	if (!S_ISREG(file->host_mode) && !S_ISDIR(file->host_mode))
		return -EOPNOTSUPP;
	share_file__proc_path(file->fd, path);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

struct share_identity share_file__identity(const struct stat *stat)
{
	return (struct share_identity){ .device = stat->st_dev, .inode = stat->st_ino };
}

/* Files of mounts in the folder must not look the same as others: the guest goes by this number. */
uint64_t share_file__qid_path(const struct share *share, dev_t device, ino_t inode)
{
	return device == share->device ? inode : inode ^ device * 0x9e3779b97f4a7c15ull;
}

void share_file__put_qid(const struct share *share, struct wire_writer *out, const struct stat *stat)
{
	uint8_t type = 0;

	if (S_ISDIR(stat->st_mode))
		type = P9_QID_DIRECTORY;
	else if (S_ISLNK(stat->st_mode))
		type = P9_QID_SYMLINK;
	wire__put(out, type, 1);
	wire__put(out, (uint32_t)stat->st_ctim.tv_nsec ^ (uint32_t)stat->st_ctim.tv_sec << 8, 4);
	wire__put(out, share_file__qid_path(share, stat->st_dev, stat->st_ino), 8);
}

int share_name__take(struct wire_reader *in, char name[NAME_MAX + 1])
{
	int err = wire__take_text(in, name, NAME_MAX + 1);

	if (err)
		return err;
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	return 0;
}
