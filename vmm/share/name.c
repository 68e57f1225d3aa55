/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that go or change: unlink, remove, rename; the tree of names goes along. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/share/internal.h"

int share_name__unlinkat(struct share *share, struct share_call *call)
{
	struct share_file folder;
	char name[NAME_MAX + 1];
	struct share_fid *fid;
	uint32_t flags;
	int err = share_file__take_folder(share, call, &fid, &folder);

	if (err)
		return err;
	err = share_name__take(&call->in, name);
	flags = wire__take32(&call->in);
	if (call->in.bad)
		err = -EPROTO;
	else if (!err && flags & ~P9_UNLINK_DIRECTORY)
		err = -EINVAL;
	if (!err && unlinkat(folder.fd, name, flags ? AT_REMOVEDIR : 0))
		err = -errno;
	if (!err)
		share_node__forget(share, fid->node, name);
	share_file__put(&folder);
	return err;
}

static int remove_named(struct share *share, struct share_fid *fid)
{
	struct share_node *parent = fid->node->parent;
	struct share_file file, folder;
	int err = fid->node == share->root_node ? -EBUSY : 0;

	if (err || !parent)
		return err ? err : -ENOENT;
	/* Whether it still is the file that the fid stands for. */
	err = share_file__get(share, fid, &file);
	if (err)
		return err;
	share_file__put(&file);
	err = share_file__find(share, parent, &folder);
	if (err)
		return err;
	if (unlinkat(folder.fd, fid->node->name, S_ISDIR(file.host_mode) ? AT_REMOVEDIR : 0))
		err = -errno;
	share_file__put(&folder);
	if (!err)
		share_node__forget(share, parent, fid->node->name);
	return err;
}

/* The fid goes, whether the file does or not. */
int share_name__remove(struct share *share, struct share_call *call)
{
	struct share_fid *fid;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	err = share->options.read_only ? -EROFS : remove_named(share, fid);
	share_fid__remove(share, fid);
	return err;
}

static int rename_between(struct share *share, struct share_node *from_node, const char *from,
			  struct share_node *to_node, const char *to)
{
	struct share_file from_folder, to_folder;
	int err = share_file__find(share, from_node, &from_folder);

	if (err)
		return err;
	err = share_file__find(share, to_node, &to_folder);
	if (err)
		goto put_from;
	if (renameat(from_folder.fd, from, to_folder.fd, to))
		err = -errno;
	else
		share_node__move(share, from_node, from, to_node, to);
	share_file__put(&to_folder);
put_from:
	share_file__put(&from_folder);
	return err;
}

int share_name__rename(struct share *share, struct share_call *call)
{
	char name[NAME_MAX + 1], old[NAME_MAX + 1];
	struct share_fid *fid, *folder;
	struct share_node *parent;
	int err = share_fid__take(share, call, &fid);

	if (!err)
		err = share_fid__take(share, call, &folder);
	if (!err)
		err = share_name__take(&call->in, name);
	if (err)
		return err;
	parent = fid->node->parent;
	if (!parent)
		return fid->node == share->root_node ? -EBUSY : -ENOENT;
	/* The node's own name changes meanwhile. */
	snprintf(old, sizeof(old), "%s", fid->node->name);
	share_node__get(parent);
	err = rename_between(share, parent, old, folder->node, name);
	share_node__put(share, parent);
	return err;
}

int share_name__renameat(struct share *share, struct share_call *call)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];
	struct share_fid *from_folder, *to_folder;
	int err = share_fid__take(share, call, &from_folder);

	if (!err)
		err = share_name__take(&call->in, from);
	if (!err)
		err = share_fid__take(share, call, &to_folder);
	if (!err)
		err = share_name__take(&call->in, to);
	if (err)
		return err;
	return rename_between(share, from_folder->node, from, to_folder->node, to);
}
