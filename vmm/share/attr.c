/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes: of files, of the file system, a link's target. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/share/internal.h"
#include "vmm/share/mapped.h"

static void put_time(struct wire_writer *out, const struct timespec *time)
{
	wire__put(out, (uint64_t)time->tv_sec, 8);
	wire__put(out, (uint64_t)time->tv_nsec, 8);
}

int share_attr__getattr(struct share *share, struct share_call *call)
{
	static const struct timespec unknown;
	struct wire_writer *out = &call->out;
	const struct stat *stat;
	struct share_file file;
	struct share_fid *fid;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	wire__take64(&call->in); /* the basic ones are given whatever is asked for */
	if (call->in.bad)
		return -EPROTO;
	err = share_file__get(share, fid, &file);
	if (err)
		return err;
	share_file__put(&file);
	stat = &file.stat;
	wire__put(out, P9_GETATTR_BASIC, 8);
	share_file__put_qid(share, out, stat);
	wire__put(out, stat->st_mode, 4);
	wire__put(out, stat->st_uid, 4);
	wire__put(out, stat->st_gid, 4);
	wire__put(out, stat->st_nlink, 8);
	wire__put(out, stat->st_rdev, 8);
	wire__put(out, (uint64_t)stat->st_size, 8);
	wire__put(out, (uint64_t)stat->st_blksize, 8);
	wire__put(out, (uint64_t)stat->st_blocks, 8);
	put_time(out, &stat->st_atim);
	put_time(out, &stat->st_mtim);
	put_time(out, &stat->st_ctim);
	put_time(out, &unknown); /* when it was made */
	wire__put(out, 0, 8);	 /* generation */
	wire__put(out, 0, 8);	 /* version of the data */
	return 0;
}

/* ---- setattr ---- */

struct change {
	uint32_t valid, mode, uid, gid;
	uint64_t size;
	struct timespec time[2]; /* of access, of modification */
};

static struct timespec take_time(struct wire_reader *in, bool changes, bool set)
{
	struct timespec time = { .tv_sec = (time_t)wire__take64(in), .tv_nsec = (long)wire__take64(in) };

	if (!changes)
		time.tv_nsec = UTIME_OMIT;
	else if (!set)
		time.tv_nsec = UTIME_NOW;
	else if (time.tv_nsec == UTIME_OMIT || time.tv_nsec == UTIME_NOW)
		time.tv_nsec = -1; /* no special meaning for the client's; refused */
	return time;
}

static void take_change(struct wire_reader *in, struct change *change)
{
	uint32_t valid = wire__take32(in);

	change->valid = valid;
	change->mode = wire__take32(in);
	change->uid = wire__take32(in);
	change->gid = wire__take32(in);
	change->size = wire__take64(in);
	change->time[0] = take_time(in, valid & P9_SETATTR_ATIME, valid & P9_SETATTR_ATIME_SET);
	change->time[1] = take_time(in, valid & P9_SETATTR_MTIME, valid & P9_SETATTR_MTIME_SET);
}

static int set_size(const struct share_fid *fid, const struct share_file *file, uint64_t size)
{
	char path[SHARE_PROC_BYTES];

	if (!S_ISREG(file->stat.st_mode))
		return S_ISDIR(file->stat.st_mode) ? -EISDIR : -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	/* One that is open for writing may have no name, or a mode that forbids it by now. */
	if (fid->fd >= 0 && (fid->open_flags & O_ACCMODE) != O_RDONLY)
		return ftruncate(fid->fd, (off_t)size) ? -errno : 0;
	share_file__proc_path(file->fd, path);
	return truncate(path, (off_t)size) ? -errno : 0;
}

static int set_times(const struct share_file *file, const struct change *change)
{
	char path[SHARE_PROC_BYTES];

	share_file__proc_path(file->fd, path);
	return utimensat(AT_FDCWD, path, change->time, 0) ? -errno : 0;
}

static int set_owner_and_mode(struct share *share, const struct share_file *file,
			      const struct change *change)
{
	const uint32_t unchanged = UINT32_MAX;
	struct share_change owner = {
		.uid = change->valid & P9_SETATTR_UID ? change->uid : unchanged,
		.gid = change->valid & P9_SETATTR_GID ? change->gid : unchanged,
		.mode = change->mode & ALLPERMS,
		.has_mode = change->valid & P9_SETATTR_MODE,
	};

	return share_owner__change(share, file, &owner);
}

static int apply(struct share *share, const struct share_fid *fid, const struct share_file *file,
		 const struct change *change)
{
	int err = 0;

	/* The size first: a new mode or owner may forbid it. Times last: the others change them. */
	if (change->valid & P9_SETATTR_SIZE)
		err = set_size(fid, file, change->size);
	if (!err && change->valid & (P9_SETATTR_MODE | P9_SETATTR_UID | P9_SETATTR_GID | P9_SETATTR_CTIME))
		err = set_owner_and_mode(share, file, change);
	if (!err && change->valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME))
		err = set_times(file, change);
	return err;
}

int share_attr__setattr(struct share *share, struct share_call *call)
{
	struct change change;
	struct share_file file;
	struct share_fid *fid;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	take_change(&call->in, &change);
	if (call->in.bad)
		return -EPROTO;
	err = share_file__get(share, fid, &file);
	if (err)
		return err;
	err = apply(share, fid, &file, &change);
	share_file__put(&file);
	return err;
}

/* ---- others ---- */

int share_attr__statfs(struct share *share, struct share_call *call)
{
	struct wire_writer *out = &call->out;
	struct share_file file;
	struct share_fid *fid;
	struct statfs fs;
	int err = share_fid__take(share, call, &fid);

	if (!err)
		err = share_file__get(share, fid, &file);
	if (err)
		return err;
	if (fstatfs(file.fd, &fs))
		err = -errno;
	share_file__put(&file);
	if (err)
		return err;
	wire__put(out, P9_STATFS_TYPE, 4);
	wire__put(out, (uint64_t)fs.f_bsize, 4);
	wire__put(out, fs.f_blocks, 8);
	wire__put(out, fs.f_bfree, 8);
	wire__put(out, fs.f_bavail, 8);
	wire__put(out, fs.f_files, 8);
	wire__put(out, fs.f_ffree, 8);
	wire__put(out, 0, 8); /* the host's number of it is no use to the guest */
	wire__put(out, fs.f_namelen < NAME_MAX ? (uint64_t)fs.f_namelen : NAME_MAX, 4);
	return 0;
}

int share_attr__readlink(struct share *share, struct share_call *call)
{
	char target[PATH_MAX];
	struct share_file file;
	struct share_fid *fid;
	ssize_t length;
	int err = share_fid__take(share, call, &fid);

	if (!err)
		err = share_file__get(share, fid, &file);
	if (err)
		return err;
	if (S_ISLNK(file.stat.st_mode) && S_ISREG(file.host_mode)) {
		length = share_mapped__read_link(&file, target, sizeof(target));
	} else {
		/* Says that it is none, if so. */
		length = readlinkat(file.fd, "", target, sizeof(target));
		if (length < 0)
			length = errno == ENOENT ? -EINVAL : -errno;
	}
	share_file__put(&file);
	if (length < 0)
		return (int)length;
	wire__put_text(&call->out, target, (size_t)length);
	return 0;
}
