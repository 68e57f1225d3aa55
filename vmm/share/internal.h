/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 9P server inside: names, fids, and the way from a fid to a file.
 *
 * A fid holds no descriptor until it is opened. It stands for a name in a tree of names (struct
 * share_node), and for the file that had this name when the client walked there. Each use looks the
 * path up again from the root, beneath it and through no link, and goes on only if the same file is
 * there. So renames by the client move what is below, changes by others on the host are noticed, and
 * no count of fids uses the process's descriptors up.
 */
#ifndef VMM_SHARE_INTERNAL_H
#define VMM_SHARE_INTERNAL_H

#include <linux/limits.h>
#include <sys/stat.h>

#include "vmm/share/protocol.h"
#include "vmm/share/share.h"
#include "vmm/share/wire.h"

#define SHARE_FIDS_MOST (256u << 10)
#define SHARE_NODES_MOST (512u << 10)
#define SHARE_XATTR_MOST (64u << 10)  /* of a value, or a list of names: the kernel's limit */
#define SHARE_XATTRS_MOST (16u << 20) /* bytes of all that are being read or written */
#define SHARE_BUCKETS_SHIFT 16
#define SHARE_BUCKETS (1u << SHARE_BUCKETS_SHIFT)
/* All but the payload of Twrite and Rread: sixteen names, or a path and some. */
#define SHARE_TEXT_MOST 8192u
#define SHARE_PROC_BYTES 32u

/* A name in the folder. */
struct share_node {
	struct share_node *parent; /* NULL: the root, or its name is gone */
	struct share_node *next;   /* of its bucket */
	uint64_t references;	   /* of fids, of nodes below */
	char *name;
};

enum share_fid_kind {
	FID_PLAIN, /* not opened */
	FID_FILE,
	FID_FOLDER,
	FID_XATTR_READ,
	FID_XATTR_WRITE,
};

struct share_identity {
	dev_t device;
	ino_t inode;
};

/* An attribute's value, or the list of names, on its way. */
struct share_xattr {
	char name[XATTR_NAME_MAX + 1];
	uint32_t flags; /* of setxattr */
	uint32_t size, written;
	uint8_t value[];
};

struct share_fid {
	uint32_t number;
	struct share_fid *next; /* of its bucket */
	struct share_node *node;
	struct share_identity identity;
	uint32_t uid; /* as attached */
	enum share_fid_kind kind;
	int fd;		/* FID_FILE, FID_FOLDER; or -1 */
	int open_flags; /* as the host has them */
	struct share_xattr *xattr;
};

struct share {
	struct share_options options;
	int root; /* O_PATH */
	struct share_node *root_node;
	dev_t device; /* that the root is on */
	uint64_t seed; /* of the buckets' numbers */
	uint32_t message_most; /* as agreed on; 0: no version yet */
	unsigned fids, nodes, open_files;
	size_t xattr_bytes;
	struct share_fid *fid[SHARE_BUCKETS];
	struct share_node *node[SHARE_BUCKETS];
	/* Of the request that is being served. */
	uint8_t text[SHARE_TEXT_MOST], reply[SHARE_TEXT_MOST];
	struct iovec slice[SHARE_SEGMENTS_MOST];
	_Alignas(8) char scratch[SHARE_XATTR_MOST]; /* a folder's entries, an attribute */
};

/* A request and what becomes its reply; both without the header. */
struct share_call {
	const struct share_message *message;
	struct wire_reader in;
	struct wire_writer out;
	size_t room;	/* that the reply has, header and all */
	size_t payload; /* bytes that were put into the message behind `out` */
};

/* 0 with the reply, or -errno. */
typedef int share_handler(struct share *share, struct share_call *call);

/* ---- node.c ---- */

/* All return a reference of the caller's. NULL: too many, or no memory. */
struct share_node *share_node__create_root(struct share *share);
struct share_node *share_node__child(struct share *share, struct share_node *parent, const char *name);
static inline struct share_node *share_node__get(struct share_node *node)
{
	node->references++;
	return node;
}
void share_node__put(struct share *share, struct share_node *node);
/* The file of this name is gone; fids that stand for it find nothing any more. */
void share_node__forget(struct share *share, const struct share_node *parent, const char *name);
/* It has another name and place; what had that name is gone. */
void share_node__move(struct share *share, const struct share_node *parent, const char *name,
		      struct share_node *new_parent, const char *new_name);
/* From the root on, "." for itself. 0, -ENOENT: gone, or -ENAMETOOLONG. */
int share_node__path(const struct share *share, const struct share_node *node, char path[PATH_MAX]);

/* ---- fid.c ---- */

/* NULL: there is none. */
struct share_fid *share_fid__find(struct share *share, uint32_t number);
/* Takes a fid's number off a request. 0, -EPROTO, or -EBADF: unknown. */
int share_fid__take(struct share *share, struct share_call *call, struct share_fid **fid);
/* Takes over the reference to `node`, also if it fails. 0, -EINVAL: in use, -EMFILE, -ENOMEM. */
int share_fid__add(struct share *share, uint32_t number, struct share_node *node,
		   const struct share_identity *identity, uint32_t uid);
/* Closes and forgets it. */
void share_fid__remove(struct share *share, struct share_fid *fid);
void share_fid__remove_all(struct share *share);
/* Whether one more descriptor may be opened: 0 or -EMFILE. */
int share_fid__check_open(const struct share *share);
/* The fid is open, with this descriptor. */
void share_fid__set_open(struct share *share, struct share_fid *fid, int fd, int flags,
			 enum share_fid_kind kind);
/* Room for an attribute. 0, -E2BIG or -ENOMEM. */
int share_fid__set_xattr(struct share *share, struct share_fid *fid, enum share_fid_kind kind,
			 uint32_t size);

/* ---- lookup.c ---- */

/* A file that a request is about, by descriptor. */
struct share_file {
	int fd;	     /* O_PATH, or the fid's own */
	bool opened; /* for this request */
	struct stat stat; /* as the guest sees it */
	mode_t host_mode;
};

/* The file that has a name now; no link is followed. 0 or -errno. */
int share_file__find(struct share *share, const struct share_node *node, struct share_file *file);
/* The file that a fid stands for. 0, -ENOENT: another one has its name now, or -errno. */
int share_file__get(struct share *share, const struct share_fid *fid, struct share_file *file);
/* Likewise, by its name also if it is open. */
int share_file__get_named(struct share *share, const struct share_fid *fid, struct share_file *file);
void share_file__put(struct share_file *file);
/*
 * Likewise for a folder in which names are to change, or -ENOTDIR. Not by what the fid has open: that
 * may have been moved out of the share since.
 */
int share_file__get_folder(struct share *share, const struct share_fid *fid, struct share_file *folder);
/* Likewise, with the fid's number from the request. */
int share_file__take_folder(struct share *share, struct share_call *call, struct share_fid **fid,
			    struct share_file *folder);
/* Opens it for reading or writing; a regular file or a folder only. A descriptor or -errno. */
int share_file__open(const struct share_file *file, int flags);
/* Where the kernel shows a descriptor of ours: for calls that take names only. */
void share_file__proc_path(int fd, char path[SHARE_PROC_BYTES]);
/* Fills in what is known of file->fd. 0 or -errno. */
int share_file__look(const struct share *share, struct share_file *file);
struct share_identity share_file__identity(const struct stat *stat);
void share_file__put_qid(const struct share *share, struct wire_writer *out, const struct stat *stat);
uint64_t share_file__qid_path(const struct share *share, dev_t device, ino_t inode);
/*
 * The name of a new or an old entry of a folder. 0, -EPROTO, -EINVAL: no such name is possible
 * ("/", a 0, "." and ".."), or -ENAMETOOLONG.
 */
int share_name__take(struct wire_reader *in, char name[NAME_MAX + 1]);

/* ---- owner.c ---- */

/* Who makes a file. */
struct share_owner {
	uint32_t uid, gid;
	mode_t mode; /* kind and permissions, as the guest wants them */
	dev_t device;
};

/* What is to become of a file; a number of all ones stays as it is. */
struct share_change {
	uint32_t uid, gid;
	mode_t mode; /* permissions */
	bool has_mode;
};

/* Permissions that the host's file is made with. */
mode_t share_owner__create_mode(const struct share *share, mode_t mode);
/* Gives a file that was just made its owner and mode. 0 or -errno. */
int share_owner__set(struct share *share, int fd, const struct share_owner *owner);
/* Likewise for the entry `name` of a folder. */
int share_owner__set_entry(struct share *share, int folder, const char *name,
			   const struct share_owner *owner);

int share_owner__change(struct share *share, const struct share_file *file,
			const struct share_change *change);

/* ---- handlers, by file ---- */

share_handler share_session__version, share_session__auth, share_session__attach, share_session__walk,
	share_session__clunk, share_session__flush;
share_handler share_data__lopen, share_data__lcreate, share_data__read, share_data__write,
	share_data__fsync;
share_handler share_lock__lock, share_lock__getlock;
share_handler share_folder__readdir, share_folder__mkdir, share_folder__mknod, share_folder__symlink,
	share_folder__link;
share_handler share_name__unlinkat, share_name__remove, share_name__rename, share_name__renameat;
share_handler share_attr__getattr, share_attr__setattr, share_attr__statfs, share_attr__readlink;
share_handler share_xattr__walk, share_xattr__create;
/* A clunked fid's attribute is written. 0 or -errno. */
int share_xattr__commit(struct share *share, struct share_fid *fid);

#endif
