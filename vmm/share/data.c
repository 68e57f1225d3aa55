/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files' data: opening, creating, reading, writing. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/block/io/iov.h"
#include "vmm/share/internal.h"

/* ---- opening ---- */

/* Flags of the host for those of a request, which are of no concern otherwise. */
static int host_flags(uint32_t flags)
{
	static const int access[] = { O_RDONLY, O_WRONLY, O_RDWR };
	int host;

	if ((flags & P9_OPEN_ACCESS) == 3)
		return -EINVAL;
	host = access[flags & P9_OPEN_ACCESS];
	if (flags & P9_OPEN_TRUNCATE)
		host |= O_TRUNC;
	if (flags & P9_OPEN_APPEND)
		host |= O_APPEND;
	if (flags & P9_OPEN_SYNC & ~P9_OPEN_DSYNC)
		host |= O_SYNC;
	else if (flags & P9_OPEN_DSYNC)
		host |= O_DSYNC;
	if (flags & P9_OPEN_DIRECTORY)
		host |= O_DIRECTORY;
	return host;
}

static bool is_for_writing(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

static int open_fid(struct share *share, struct share_fid *fid, const struct share_file *file, int flags)
{
	bool folder = S_ISDIR(file->host_mode);
	int fd, err = share_fid__check_open(share);

	if (err)
		return err;
	/* What the guest takes for something else is no file to read and write. */
	if (!folder && !S_ISREG(file->stat.st_mode))
		return S_ISLNK(file->stat.st_mode) ? -ELOOP : -EOPNOTSUPP;
	if (folder && is_for_writing(flags))
		return -EISDIR;
	fd = share_file__open(file, flags);
	if (fd < 0)
		return fd;
	share_fid__set_open(share, fid, fd, flags, folder ? FID_FOLDER : FID_FILE);
	return 0;
}

static void put_opened(struct share *share, struct share_call *call, const struct stat *stat)
{
	share_file__put_qid(share, &call->out, stat);
	wire__put(&call->out, 0, 4); /* iounit: as long as messages can be */
}

int share_data__lopen(struct share *share, struct share_call *call)
{
	struct share_fid *fid;
	struct share_file file;
	int flags, err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	flags = host_flags(wire__take32(&call->in));
	if (call->in.bad)
		return -EPROTO;
	if (flags < 0 || fid->kind != FID_PLAIN)
		return -EINVAL;
	if (share->options.read_only && is_for_writing(flags))
		return -EROFS;
	err = share_file__get(share, fid, &file);
	if (err)
		return err;
	err = open_fid(share, fid, &file, flags);
	share_file__put(&file);
	if (!err)
		put_opened(share, call, &file.stat);
	return err;
}

/* ---- creating ---- */

/* It is there already, and the client does not mind. */
static int open_existing(struct share *share, struct share_fid *fid, const struct share_node *node,
			 int flags, struct stat *stat)
{
	struct share_file file;
	int err = share_file__find(share, node, &file);

	if (err)
		return err;
	err = open_fid(share, fid, &file, flags);
	share_file__put(&file);
	*stat = file.stat;
	return err;
}

static int create_file(struct share *share, struct share_fid *fid, int folder, const char *name,
		       int flags, const struct share_owner *owner, struct stat *stat)
{
	struct share_file file = { .opened = false };
	int err = share_fid__check_open(share);

	if (err)
		return err;
	file.fd = openat(folder, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 share_owner__create_mode(share, owner->mode));
	if (file.fd < 0)
		return -errno;
	err = share_owner__set(share, file.fd, owner);
	if (!err)
		err = share_file__look(share, &file);
	if (err) {
		unlinkat(folder, name, 0);
		close(file.fd);
		return err;
	}
	*stat = file.stat;
	share_fid__set_open(share, fid, file.fd, flags, FID_FILE);
	return 0;
}

int share_data__lcreate(struct share *share, struct share_call *call)
{
	struct share_owner owner = { 0 };
	struct share_file folder;
	struct share_node *node;
	char name[NAME_MAX + 1];
	struct share_fid *fid;
	struct stat stat;
	uint32_t asked;
	int flags, err = share_file__take_folder(share, call, &fid, &folder);

	if (err)
		return err;
	err = share_name__take(&call->in, name);
	asked = wire__take32(&call->in);
	owner.mode = S_IFREG | (wire__take32(&call->in) & ALLPERMS);
	owner.gid = wire__take32(&call->in);
	owner.uid = fid->uid;
	flags = host_flags(asked);
	if (call->in.bad)
		err = -EPROTO;
	else if (!err && (flags < 0 || flags & O_DIRECTORY || fid->kind != FID_PLAIN))
		err = -EINVAL;
	if (err)
		goto put_folder;
	err = -ENOMEM;
	node = share_node__child(share, fid->node, name);
	if (!node)
		goto put_folder;
	err = create_file(share, fid, folder.fd, name, flags, &owner, &stat);
	if (err == -EEXIST && !(asked & P9_OPEN_EXCLUSIVE))
		err = open_existing(share, fid, node, flags, &stat);
	if (err) {
		share_node__put(share, node);
		goto put_folder;
	}
	/* From now on the fid is the file's. */
	share_node__put(share, fid->node);
	fid->node = node;
	fid->identity = share_file__identity(&stat);
	put_opened(share, call, &stat);
put_folder:
	share_file__put(&folder);
	return err;
}

/* ---- reading and writing ---- */

/* Bytes of a reply's payload, or of what `count` asks for if that is less. */
static size_t payload_room(const struct share_call *call, uint32_t count)
{
	size_t room = call->room - P9_READ_HEADER_BYTES;

	return count < room ? count : room;
}

static ssize_t read_xattr(const struct share_xattr *xattr, const struct share_message *message,
			  uint64_t offset, size_t size)
{
	if (offset >= xattr->size)
		return 0;
	size = size < xattr->size - offset ? size : xattr->size - (size_t)offset;
	iov__from(message->reply, message->reply_count, P9_READ_HEADER_BYTES, xattr->value + offset, size);
	return (ssize_t)size;
}

/* Straight into the guest's memory. */
static ssize_t read_file(struct share *share, int fd, const struct share_message *message,
			 uint64_t offset, size_t size)
{
	int count = iov__slice(message->reply, message->reply_count, P9_READ_HEADER_BYTES, size,
			       share->slice);
	ssize_t got;

	if (offset > INT64_MAX)
		return -EINVAL;
	do
		got = preadv(fd, share->slice, count, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int share_data__read(struct share *share, struct share_call *call)
{
	struct share_fid *fid;
	uint64_t offset;
	uint32_t count;
	size_t size;
	ssize_t got;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	offset = wire__take64(&call->in);
	count = wire__take32(&call->in);
	if (call->in.bad)
		return -EPROTO;
	size = payload_room(call, count);
	if (fid->kind == FID_FILE)
		got = read_file(share, fid->fd, call->message, offset, size);
	else if (fid->kind == FID_XATTR_READ)
		got = read_xattr(fid->xattr, call->message, offset, size);
	else
		got = fid->kind == FID_FOLDER ? -EISDIR : -EBADF;
	if (got < 0)
		return (int)got;
	wire__put(&call->out, (uint64_t)got, 4);
	call->payload = (size_t)got;
	return 0;
}

static ssize_t write_xattr(struct share_xattr *xattr, const struct share_message *message,
			   uint64_t offset, uint32_t size)
{
	/* 9P has no order of its own for this; Linux writes from the beginning on. */
	if (offset != xattr->written || size > xattr->size - xattr->written)
		return -EINVAL;
	iov__to(message->request, message->request_count, P9_WRITE_HEADER_BYTES,
		xattr->value + xattr->written, size);
	xattr->written += size;
	return size;
}

static ssize_t write_file(struct share *share, int fd, const struct share_message *message,
			  uint64_t offset, uint32_t size)
{
	int count = iov__slice(message->request, message->request_count, P9_WRITE_HEADER_BYTES, size,
			       share->slice);
	ssize_t put;

	if (offset > INT64_MAX)
		return -EINVAL;
	do
		put = pwritev(fd, share->slice, count, (off_t)offset);
	while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

int share_data__write(struct share *share, struct share_call *call)
{
	struct share_fid *fid;
	uint64_t offset;
	uint32_t size;
	ssize_t put;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	offset = wire__take64(&call->in);
	size = wire__take32(&call->in);
	if (call->in.bad || size > call->payload)
		return -EPROTO;
	if (fid->kind == FID_FILE)
		put = write_file(share, fid->fd, call->message, offset, size);
	else if (fid->kind == FID_XATTR_WRITE)
		put = write_xattr(fid->xattr, call->message, offset, size);
	else
		put = -EBADF;
	call->payload = 0;
	if (put < 0)
		return (int)put;
	wire__put(&call->out, (uint64_t)put, 4);
	return 0;
}

int share_data__fsync(struct share *share, struct share_call *call)
{
	struct share_fid *fid;
	uint32_t data_only;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	/* Linux leaves it out of older messages. */
	data_only = call->in.left ? wire__take32(&call->in) : 0;
	if (call->in.bad)
		return -EPROTO;
	if (fid->fd < 0)
		return -EBADF;
	return (data_only ? fdatasync(fid->fd) : fsync(fid->fd)) ? -errno : 0;
}
