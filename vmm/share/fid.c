/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fids: the client's numbers for files, and what is open behind them. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/share/internal.h"

static struct share_fid **bucket_of(struct share *share, uint32_t number)
{
	uint64_t hash = (share->seed ^ number) * 0x9e3779b97f4a7c15ull;

	return &share->fid[hash >> (64 - SHARE_BUCKETS_SHIFT)];
}

struct share_fid *share_fid__find(struct share *share, uint32_t number)
{
	struct share_fid *fid = *bucket_of(share, number);

	while (fid && fid->number != number)
		fid = fid->next;
	return fid;
}

int share_fid__take(struct share *share, struct share_call *call, struct share_fid **fid)
{
	uint32_t number = wire__take32(&call->in);

	if (call->in.bad)
		return -EPROTO;
	*fid = share_fid__find(share, number);
	return *fid ? 0 : -EBADF;
}

static int check_new(struct share *share, uint32_t number)
{
	if (number == P9_NO_FID || share_fid__find(share, number))
		return -EINVAL;
	return share->fids == SHARE_FIDS_MOST ? -EMFILE : 0;
}

int share_fid__add(struct share *share, uint32_t number, struct share_node *node,
		   const struct share_identity *identity, uint32_t uid)
{
	struct share_fid **bucket = bucket_of(share, number), *fid = NULL;
	int err = check_new(share, number);

	if (!err) {
		fid = calloc(1, sizeof(*fid));
		err = fid ? 0 : -ENOMEM;
	}
	if (err) {
		share_node__put(share, node);
		return err;
	}
	*fid = (struct share_fid){ .number = number, .next = *bucket, .node = node,
				   .identity = *identity, .uid = uid, .fd = -1 };
	*bucket = fid;
	share->fids++;
	return 0;
}

static void shut(struct share *share, struct share_fid *fid)
{
	if (fid->fd >= 0) {
		close(fid->fd);
		share->open_files--;
	}
	if (fid->xattr)
		share->xattr_bytes -= fid->xattr->size;
	free(fid->xattr);
	fid->xattr = NULL;
	fid->fd = -1;
	fid->kind = FID_PLAIN;
}

void share_fid__remove(struct share *share, struct share_fid *fid)
{
	struct share_fid **link = bucket_of(share, fid->number);

	while (*link != fid)
		link = &(*link)->next;
	*link = fid->next;
	shut(share, fid);
	share_node__put(share, fid->node);
	free(fid);
	share->fids--;
}

void share_fid__remove_all(struct share *share)
{
	unsigned i;

	for (i = 0; share->fids; i++)
		while (share->fid[i])
			share_fid__remove(share, share->fid[i]);
}

int share_fid__check_open(const struct share *share)
{
	return share->open_files < share->options.open_most ? 0 : -EMFILE;
}

void share_fid__set_open(struct share *share, struct share_fid *fid, int fd, int flags,
			 enum share_fid_kind kind)
{
	fid->fd = fd;
	fid->open_flags = flags;
	fid->kind = kind;
	share->open_files++;
}

int share_fid__set_xattr(struct share *share, struct share_fid *fid, enum share_fid_kind kind,
			 uint32_t size)
{
	if (size > SHARE_XATTR_MOST)
		return -E2BIG;
	if (size > SHARE_XATTRS_MOST - share->xattr_bytes)
		return -ENOMEM;
	fid->xattr = calloc(1, sizeof(*fid->xattr) + size);
	if (!fid->xattr)
		return -ENOMEM;
	fid->xattr->size = size;
	fid->kind = kind;
	share->xattr_bytes += size;
	return 0;
}
