/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection and its fids: version, attach, walk, clunk, flush. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/share/internal.h"

#define VERSION "9P2000.L"

int share_session__version(struct share *share, struct share_call *call)
{
	uint32_t most = wire__take32(&call->in);
	char version[sizeof(VERSION) + 8];
	int err = wire__take_text(&call->in, version, sizeof(version));
	const char *answer = VERSION;

	if (call->in.bad)
		return -EPROTO;
	if (most < P9_MESSAGE_LEAST)
		return -EMSGSIZE;
	share__reset(share);
	most = most < SHARE_MESSAGE_MOST ? most : SHARE_MESSAGE_MOST;
	if (err || strcmp(version, VERSION))
		answer = "unknown";
	else
		share->message_most = most;
	wire__put(&call->out, most, 4);
	wire__put_text(&call->out, answer, strlen(answer));
	return 0;
}

int share_session__auth(struct share *share, struct share_call *call)
{
	return -EOPNOTSUPP; /* none is needed */
}

int share_session__attach(struct share *share, struct share_call *call)
{
	uint32_t number = wire__take32(&call->in), auth = wire__take32(&call->in), uid;
	char user[NAME_MAX + 1], tree[PATH_MAX];
	struct share_identity identity;
	struct share_file file;
	int err = wire__take_text(&call->in, user, sizeof(user));

	if (!err)
		err = wire__take_text(&call->in, tree, sizeof(tree));
	uid = wire__take32(&call->in);
	if (err || call->in.bad)
		return err ? err : -EPROTO;
	if (auth != P9_NO_FID)
		return -EINVAL;
	/* There is one tree. */
	if (*tree && strcmp(tree, "/"))
		return -ENOENT;
	err = share_file__find(share, share->root_node, &file);
	if (err)
		return err;
	identity = share_file__identity(&file.stat);
	share_file__put(&file);
	share_file__put_qid(share, &call->out, &file.stat);
	return share_fid__add(share, number, share_node__get(share->root_node), &identity, uid);
}

/* ---- walk ---- */

struct walk {
	struct share_node *node;
	struct stat stat; /* of what it stands for, once a step was made */
};

/* What the next name leads to; above the root is the root. A reference, or NULL with *err. */
static struct share_node *next_node(struct share *share, struct share_node *node, const char *name,
				    int *err)
{
	struct share_node *next;

	if (!strcmp(name, "..")) {
		if (node == share->root_node)
			return share_node__get(node);
		*err = -ENOENT;
		return node->parent ? share_node__get(node->parent) : NULL;
	}
	*err = -ENOENT;
	if (!*name || strchr(name, '/') || !strcmp(name, "."))
		return NULL;
	next = share_node__child(share, node, name);
	*err = -ENOMEM;
	return next;
}

static int step(struct share *share, struct walk *walk, const char *name)
{
	struct share_file file;
	int err = 0;
	struct share_node *next = next_node(share, walk->node, name, &err);

	if (!next)
		return err;
	err = share_file__find(share, next, &file);
	if (err) {
		share_node__put(share, next);
		return err;
	}
	share_file__put(&file);
	share_node__put(share, walk->node);
	walk->node = next;
	walk->stat = file.stat;
	return 0;
}

/* Steps as long as they lead somewhere; how many, or the first one's error. */
static int walk_names(struct share *share, struct share_call *call, struct walk *walk, unsigned count)
{
	char name[NAME_MAX + 1];
	unsigned i;
	int err = 0;

	for (i = 0; i < count; i++) {
		err = wire__take_text(&call->in, name, sizeof(name));
		if (!err)
			err = step(share, walk, name);
		if (err)
			break;
		share_file__put_qid(share, &call->out, &walk->stat);
	}
	return i || !count ? (int)i : err;
}

/* Takes over the reference to walk->node. */
static int end_walk(struct share *share, struct share_fid *fid, uint32_t number, struct walk *walk,
		    bool moved)
{
	struct share_identity identity = moved ? share_file__identity(&walk->stat) : fid->identity;

	if (number != fid->number)
		return share_fid__add(share, number, walk->node, &identity, fid->uid);
	share_node__put(share, fid->node);
	fid->node = walk->node;
	fid->identity = identity;
	return 0;
}

static int check_start(struct share *share, const struct share_fid *fid)
{
	struct share_file file;
	int err = share_file__get(share, fid, &file);

	if (!err)
		share_file__put(&file);
	return err;
}

int share_session__walk(struct share *share, struct share_call *call)
{
	struct share_fid *fid;
	struct walk walk;
	uint32_t number;
	unsigned count;
	int done, err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	number = wire__take32(&call->in);
	count = (unsigned)wire__take(&call->in, 2);
	if (call->in.bad)
		return -EPROTO;
	if (count > P9_WALK_MOST || (number == fid->number && fid->kind != FID_PLAIN) ||
	    fid->kind == FID_XATTR_READ || fid->kind == FID_XATTR_WRITE)
		return -EINVAL;
	/* A clone needs no file. */
	err = count ? check_start(share, fid) : 0;
	if (err)
		return err;
	walk.node = share_node__get(fid->node);
	wire__put(&call->out, 0, 2);
	done = walk_names(share, call, &walk, count);
	/* Less than all of it is no error, but gives no fid. */
	if (done < 0 || (unsigned)done < count)
		share_node__put(share, walk.node);
	else
		err = end_walk(share, fid, number, &walk, count);
	if (done < 0)
		return done;
	call->out.buf[0] = (uint8_t)done;
	return err;
}

int share_session__clunk(struct share *share, struct share_call *call)
{
	struct share_fid *fid;
	int err = share_fid__take(share, call, &fid);

	if (err)
		return err;
	if (fid->kind == FID_XATTR_WRITE)
		err = share_xattr__commit(share, fid);
	share_fid__remove(share, fid);
	return err;
}

/* What came before has been answered by now, so there is nothing to flush. */
int share_session__flush(struct share *share, struct share_call *call)
{
	wire__take(&call->in, 2);
	return call->in.bad ? -EPROTO : 0;
}
