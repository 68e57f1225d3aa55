/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended attributes. Only user.* go through: security.* would give programs rights on the host,
 * trusted.* and system.* are its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "vmm/share/internal.h"
#include "vmm/share/mapped.h"

#define USER "user."

static bool is_the_guests(const struct share *share, const char *name)
{
	if (strncmp(name, USER, strlen(USER)))
		return false;
	return share->options.security != SHARE_SECURITY_MAPPED || !share_mapped__owns(name);
}

/* Takes out of a list of names, each with a 0 behind it, what the guest is not to see. */
static size_t filter(const struct share *share, char *list, size_t size)
{
	size_t kept = 0, at, length;

	for (at = 0; at < size; at += length) {
		length = strlen(list + at) + 1;
		if (!is_the_guests(share, list + at))
			continue;
		memmove(list + kept, list + at, length);
		kept += length;
	}
	return kept;
}

/* The value of `name`, or the list of names if that is empty. Bytes in share->scratch, or -errno. */
static ssize_t fetch(struct share *share, int fd, const char *name)
{
	char path[SHARE_PROC_BYTES];
	ssize_t size;

	if (*name && !is_the_guests(share, name))
		return -EOPNOTSUPP;
	share_file__proc_path(fd, path);
	size = *name ? getxattr(path, name, share->scratch, sizeof(share->scratch))
		     : listxattr(path, share->scratch, sizeof(share->scratch));
	if (size < 0)
		return -errno;
	return *name ? size : (ssize_t)filter(share, share->scratch, (size_t)size);
}

/* The new fid is there to read what was fetched. */
static int keep(struct share *share, const struct share_fid *from, uint32_t number, size_t size)
{
	struct share_fid *fid;
	int err = share_fid__add(share, number, share_node__get(from->node), &from->identity, from->uid);

	if (err)
		return err;
	fid = share_fid__find(share, number);
	err = share_fid__set_xattr(share, fid, FID_XATTR_READ, (uint32_t)size);
	if (err)
		share_fid__remove(share, fid);
	else
		memcpy(fid->xattr->value, share->scratch, size);
	return err;
}

int share_xattr__walk(struct share *share, struct share_call *call)
{
	char name[XATTR_NAME_MAX + 1];
	struct share_file file;
	struct share_fid *fid;
	uint32_t number;
	ssize_t size;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	number = wire__take32(&call->in);
	err = wire__take_text(&call->in, name, sizeof(name));
	if (!err)
		err = share_file__get(share, fid, &file);
	if (err)
		return err;
	size = fetch(share, file.fd, name);
	share_file__put(&file);
	if (size < 0)
		return (int)size;
	err = keep(share, fid, number, (size_t)size);
	if (!err)
		wire__put(&call->out, (uint64_t)size, 8);
	return err;
}

int share_xattr__create(struct share *share, struct share_call *call)
{
	char name[XATTR_NAME_MAX + 1];
	struct share_fid *fid;
	uint64_t size;
	uint32_t flags;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	err = wire__take_text(&call->in, name, sizeof(name));
	size = wire__take64(&call->in);
	flags = wire__take32(&call->in);
	if (call->in.bad)
		return -EPROTO;
	if (err)
		return err;
	if (fid->kind != FID_PLAIN || flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (!is_the_guests(share, name))
		return -EOPNOTSUPP;
	if (size > SHARE_XATTR_MOST)
		return -E2BIG;
	err = share_fid__set_xattr(share, fid, FID_XATTR_WRITE, (uint32_t)size);
	if (err)
		return err;
	strcpy(fid->xattr->name, name);
	fid->xattr->flags = flags;
	return 0;
}

int share_xattr__commit(struct share *share, struct share_fid *fid)
{
	const struct share_xattr *xattr = fid->xattr;
	char path[SHARE_PROC_BYTES];
	struct share_file file;
	int err;

	if (xattr->written < xattr->size)
		return -EINVAL;
	err = share_file__get(share, fid, &file);
	if (err)
		return err;
	share_file__proc_path(file.fd, path);
	/* Linux removes one by replacing it with nothing. */
	if (!xattr->size && xattr->flags & P9_XATTR_REPLACE)
		err = removexattr(path, xattr->name) ? -errno : 0;
	else
		err = setxattr(path, xattr->name, xattr->value, xattr->size, (int)xattr->flags) ? -errno : 0;
	share_file__put(&file);
	return err;
}
