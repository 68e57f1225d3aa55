/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that go or change: unlink, remove, rename; the tree of names goes along. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/share/internal.h"

/* A folder, and the name in it. */
struct entry {
	struct share_node *node;
	struct share_file folder;
	char name[NAME_MAX + 1];
};

/* Where the fid's file has its name. */
static int find_entry(struct share *share, const struct share_fid *fid, struct entry *entry,
		      bool *is_folder)
{
	struct share_file file;
	int err;

	entry->node = fid->node->parent;
	if (!entry->node)
		return fid->node == share->root_node ? -EBUSY : -ENOENT;
	err = share_file__get_named(share, fid, &file);
	if (err)
		return err;
	*is_folder = S_ISDIR(file.host_mode);
	share_file__put(&file);
	snprintf(entry->name, sizeof(entry->name), "%s", fid->node->name);
	return share_file__find(share, entry->node, &entry->folder);
}

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

static int remove_named(struct share *share, const struct share_fid *fid)
{
	struct entry entry;
	bool is_folder;
	int err = find_entry(share, fid, &entry, &is_folder);

	if (err)
		return err;
	if (unlinkat(entry.folder.fd, entry.name, is_folder ? AT_REMOVEDIR : 0))
		err = -errno;
	else
		share_node__forget(share, entry.node, entry.name);
	share_file__put(&entry.folder);
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

static int rename_entry(struct share *share, const struct entry *from, const struct entry *to)
{
	if (renameat(from->folder.fd, from->name, to->folder.fd, to->name))
		return -errno;
	share_node__move(share, from->node, from->name, to->node, to->name);
	return 0;
}

int share_name__rename(struct share *share, struct share_call *call)
{
	struct share_fid *fid, *folder;
	struct entry from, to;
	bool is_folder;
	int err = share_fid__take(share, call, &fid);

	if (!err)
		err = share_fid__take(share, call, &folder);
	if (!err)
		err = share_name__take(&call->in, to.name);
	if (!err)
		err = find_entry(share, fid, &from, &is_folder);
	if (err)
		return err;
	to.node = folder->node;
	err = share_file__get_folder(share, folder, &to.folder);
	if (!err) {
		err = rename_entry(share, &from, &to);
		share_file__put(&to.folder);
	}
	share_file__put(&from.folder);
	return err;
}

int share_name__renameat(struct share *share, struct share_call *call)
{
	struct share_fid *from_fid, *to_fid;
	struct entry from, to;
	int err = share_file__take_folder(share, call, &from_fid, &from.folder);

	if (err)
		return err;
	err = share_name__take(&call->in, from.name);
	if (err)
		goto put_from;
	err = share_file__take_folder(share, call, &to_fid, &to.folder);
	if (err)
		goto put_from;
	from.node = from_fid->node;
	to.node = to_fid->node;
	err = share_name__take(&call->in, to.name);
	if (!err)
		err = rename_entry(share, &from, &to);
	share_file__put(&to.folder);
put_from:
	share_file__put(&from.folder);
	return err;
}
