/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders: what is in them, and what is made in them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/block/io/iov.h"
#include "vmm/share/internal.h"
#include "vmm/share/mapped.h"

/* ---- listing ---- */

#define ENTRY_MOST (P9_QID_BYTES + 8 + 1 + 2 + NAME_MAX)

struct listing {
	struct share *share;
	const struct share_fid *fid;
	const struct share_message *message;
	size_t used, room;
};

/* What is above the root is not the guest's business. */
static ino_t inode_of(const struct listing *list, const struct dirent64 *entry)
{
	if (list->fid->node == list->share->root_node && !strcmp(entry->d_name, ".."))
		return list->fid->identity.inode;
	return entry->d_ino;
}

/* False: it does not fit. */
static bool put_entry(struct listing *list, const struct dirent64 *entry)
{
	struct share *share = list->share;
	struct stat stat = { .st_mode = DTTOIF(entry->d_type), .st_ino = inode_of(list, entry),
			     .st_dev = list->fid->identity.device };
	uint8_t bytes[ENTRY_MOST], type = entry->d_type;
	struct wire_writer out = { .buf = bytes, .size = sizeof(bytes) };

	/* Only its attribute could tell: the guest looks when it needs to know. */
	if (share->options.security == SHARE_SECURITY_MAPPED && type == DT_REG)
		type = DT_UNKNOWN;
	share_file__put_qid(share, &out, &stat);
	wire__put(&out, (uint64_t)entry->d_off, 8);
	wire__put(&out, type, 1);
	wire__put_text(&out, entry->d_name, strlen(entry->d_name));
	/* A file system may have longer names than the protocol's other messages take. */
	if (out.full)
		return true;
	if (out.used > list->room - list->used)
		return false;
	iov__from(list->message->reply, list->message->reply_count, P9_READ_HEADER_BYTES + list->used,
		  bytes, out.used);
	list->used += out.used;
	return true;
}

/* Puts what one call to the host gave. 1: there may be more, 0: the end, or no more fits. */
static int put_entries(struct listing *list)
{
	struct share *share = list->share;
	ssize_t got = getdents64(list->fid->fd, share->scratch, sizeof(share->scratch));
	ssize_t at = 0;

	if (got < 0)
		return -errno;
	while (at < got) {
		const struct dirent64 *entry = (const struct dirent64 *)(share->scratch + at);

		/* Not even one: the client asks for too little, and would take nothing for the end. */
		if (!put_entry(list, entry))
			return list->used ? 0 : -EINVAL;
		at += entry->d_reclen;
	}
	return got > 0;
}

int share_folder__readdir(struct share *share, struct share_call *call)
{
	struct listing list = { .share = share, .message = call->message };
	struct share_fid *fid;
	uint64_t offset;
	uint32_t count;
	int more, err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	offset = wire__take64(&call->in);
	count = wire__take32(&call->in);
	if (call->in.bad)
		return -EPROTO;
	if (fid->kind != FID_FOLDER)
		return fid->kind == FID_FILE ? -ENOTDIR : -EBADF;
	if (offset > INT64_MAX)
		return -EINVAL;
	/* The last call may have read more than fitted. */
	if (lseek(fid->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	list.fid = fid;
	list.room = call->room - P9_READ_HEADER_BYTES;
	list.room = count < list.room ? count : list.room;
	do
		more = put_entries(&list);
	while (more > 0);
	/* What was found before an error is told; the error comes with the next call. */
	if (more < 0 && !list.used)
		return more;
	wire__put(&call->out, list.used, 4);
	call->payload = list.used;
	return 0;
}

/* ---- making ---- */

/* The entry that was just made: who owns it, and its qid. */
static int finish(struct share *share, struct share_call *call, struct share_fid *fid, int folder,
		  const char *name, const struct share_owner *owner)
{
	struct share_node *node;
	struct share_file file;
	int err = share_owner__set_entry(share, folder, name, owner);

	if (err)
		return err;
	node = share_node__child(share, fid->node, name);
	if (!node)
		return -ENOMEM;
	err = share_file__find(share, node, &file);
	share_node__put(share, node);
	if (err)
		return err;
	share_file__put(&file);
	share_file__put_qid(share, &call->out, &file.stat);
	return 0;
}

int share_folder__mkdir(struct share *share, struct share_call *call)
{
	struct share_owner owner = { 0 };
	struct share_file folder;
	char name[NAME_MAX + 1];
	struct share_fid *fid;
	int err = share_file__take_folder(share, call, &fid, &folder);

	if (err)
		return err;
	err = share_name__take(&call->in, name);
	owner.mode = S_IFDIR | (wire__take32(&call->in) & ALLPERMS);
	owner.gid = wire__take32(&call->in);
	owner.uid = fid->uid;
	if (call->in.bad)
		err = -EPROTO;
	if (!err && mkdirat(folder.fd, name, share_owner__create_mode(share, owner.mode)))
		err = -errno;
	if (!err) {
		err = finish(share, call, fid, folder.fd, name, &owner);
		if (err)
			unlinkat(folder.fd, name, AT_REMOVEDIR);
	}
	share_file__put(&folder);
	return err;
}

/* What mknod() is to make on the host. 0 or -errno. */
static int choose_kind(const struct share *share, mode_t mode, mode_t *host)
{
	bool mapped = share->options.security == SHARE_SECURITY_MAPPED;

	switch (mode & S_IFMT) {
	case S_IFREG:
		*host = S_IFREG;
		return 0;
	case S_IFIFO:
	case S_IFSOCK:
		*host = mapped ? S_IFREG : mode & S_IFMT;
		return 0;
	case S_IFCHR:
	case S_IFBLK:
		/* A device of the host's must not be made by a guest, nor for one. */
		*host = S_IFREG;
		return mapped ? 0 : -EPERM;
	}
	return -EINVAL;
}

int share_folder__mknod(struct share *share, struct share_call *call)
{
	struct share_owner owner = { 0 };
	struct share_file folder;
	char name[NAME_MAX + 1];
	struct share_fid *fid;
	uint32_t major, minor;
	mode_t kind;
	int err = share_file__take_folder(share, call, &fid, &folder);

	if (err)
		return err;
	err = share_name__take(&call->in, name);
	owner.mode = wire__take32(&call->in) & (S_IFMT | ALLPERMS);
	major = wire__take32(&call->in);
	minor = wire__take32(&call->in);
	owner.gid = wire__take32(&call->in);
	owner.uid = fid->uid;
	owner.device = makedev(major, minor);
	if (call->in.bad)
		err = -EPROTO;
	if (!err)
		err = choose_kind(share, owner.mode, &kind);
	if (!err && mknodat(folder.fd, name, kind | share_owner__create_mode(share, owner.mode), 0))
		err = -errno;
	if (!err) {
		err = finish(share, call, fid, folder.fd, name, &owner);
		if (err)
			unlinkat(folder.fd, name, 0);
	}
	share_file__put(&folder);
	return err;
}

int share_folder__symlink(struct share *share, struct share_call *call)
{
	struct share_owner owner = { .mode = S_IFLNK | ACCESSPERMS };
	char name[NAME_MAX + 1], target[PATH_MAX];
	struct share_file folder;
	struct share_fid *fid;
	int err = share_file__take_folder(share, call, &fid, &folder);

	if (err)
		return err;
	err = share_name__take(&call->in, name);
	/* Where it leads is for the guest alone: nothing here ever follows it. */
	if (!err)
		err = wire__take_text(&call->in, target, sizeof(target));
	owner.gid = wire__take32(&call->in);
	owner.uid = fid->uid;
	if (!err && call->in.bad)
		err = -EPROTO;
	if (!err && !*target)
		err = -ENOENT;
	if (!err && share->options.security == SHARE_SECURITY_MAPPED)
		err = share_mapped__make_link(folder.fd, name, target);
	else if (!err && symlinkat(target, folder.fd, name))
		err = -errno;
	if (!err) {
		err = finish(share, call, fid, folder.fd, name, &owner);
		if (err)
			unlinkat(folder.fd, name, 0);
	}
	share_file__put(&folder);
	return err;
}

int share_folder__link(struct share *share, struct share_call *call)
{
	char name[NAME_MAX + 1], path[SHARE_PROC_BYTES];
	struct share_file folder, file;
	struct share_fid *folder_fid, *fid;
	int err = share_file__take_folder(share, call, &folder_fid, &folder);

	if (err)
		return err;
	err = share_fid__take(share, call, &fid);
	if (!err)
		err = share_name__take(&call->in, name);
	if (!err)
		err = share_file__get(share, fid, &file);
	if (err)
		goto put_folder;
	/* The descriptor's file itself, also if it is a symbolic link. */
	share_file__proc_path(file.fd, path);
	if (linkat(AT_FDCWD, path, folder.fd, name, AT_SYMLINK_FOLLOW))
		err = -errno;
	share_file__put(&file);
put_folder:
	share_file__put(&folder);
	return err;
}
