/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One image of a chain: an overlay, or a file that backs one. A format is one constant struct
 * format_class.
 *
 * Two ways lead into a node. Slow calls (all that may block) come from one thread at a time: the
 * disk's worker, or the only thread of a tool. map() never blocks and comes from any thread; `lock`
 * guards what it reads against the slow calls, which hold it only while they change that.
 */
#ifndef VMM_BLOCK_NODE_H
#define VMM_BLOCK_NODE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/block/io/file.h"

struct format_class;
struct node;

struct node_how {
	const char *path;
	const char *format; /* NULL: recognised by contents */
	bool write;
	bool discard;	 /* freed space is given back to the host */
	bool direct;
	bool no_sync;
	bool lock;
	bool no_backing; /* the image alone: reads of what it does not have give zeroes */
	bool check;	 /* for a check: opens what is marked corrupt, repairs nothing by itself */
	uint64_t cache;	 /* bytes of tables in memory; 0: the format's preset */
	const struct file_class *files; /* NULL: host files */
};

struct node {
	const struct format_class *class;
	struct block_file *file;
	struct block_file *data; /* where guest data is: `file`, or another */
	struct node *backing;	 /* NULL: none */
	char *backing_name;	 /* as the image has it; NULL: none */
	char *backing_format;	 /* NULL: not said */
	_Atomic uint64_t size;	 /* bytes, a multiple of 512 */
	bool write, discard, probed;
	uint32_t discard_align; /* a power of two */
	pthread_mutex_t lock;
	/*
	 * Accesses that map() let go ahead, by parity of the time they began. What they use must
	 * not get another use until they have left: node__grace().
	 */
	_Atomic unsigned parity;
	unsigned users[2]; /* lock */
	bool exclusive;	   /* lock: nobody enters */
	pthread_cond_t left;
	void *private;
};

enum extent_kind {
	EXTENT_DATA,	   /* at `offset` of `file` */
	EXTENT_ZERO,
	EXTENT_BACKING,	   /* not here: what backs the image has it, or it is zeroes */
	EXTENT_COMPRESSED, /* class->read_packed() */
	EXTENT_SLOW,	   /* of map() only: a slow call has to do it */
};

struct extent {
	enum extent_kind kind;
	uint64_t length;	 /* bytes for which this holds, 1 or more, up to what was asked */
	struct block_file *file; /* EXTENT_DATA */
	uint64_t offset;	 /* EXTENT_DATA; EXTENT_COMPRESSED: of the packed bytes */
	bool reserved;		 /* EXTENT_ZERO: has space of its own */
};

struct image_check;
struct image_create;
struct image_info;
struct image_snapshot;

struct format_class {
	const char *name;
	/* Whether the first bytes of a file are of this format; NULL: only when nothing else is. */
	bool (*probe)(const uint8_t *head, size_t size);
	/* `file` is open. Sets size, data, backing_name. 0 or -errno with a line in error[]. */
	int (*open)(struct node *node, const struct node_how *how, char *error, size_t error_size);
	/* Writes everything out. 0 or -errno; closed in any case. */
	int (*close)(struct node *node);

	/* Never blocks. `write`: EXTENT_DATA only where writing in place is all that is to do. */
	void (*map)(struct node *node, uint64_t offset, uint64_t length, bool write,
		    struct extent *extent);
	/* Whether flush() has to do more than to sync `data`; never blocks. */
	bool (*needs_flush)(struct node *node);

	/* Slow calls; ranges are within the size. 0 or -errno. */
	int (*extent)(struct node *node, uint64_t offset, uint64_t length, struct extent *extent);
	int (*read_packed)(struct node *node, uint64_t offset, const struct iovec *iov, int count,
			   size_t skip, uint64_t length);
	int (*write)(struct node *node, uint64_t offset, const struct iovec *iov, int count);
	int (*zero)(struct node *node, uint64_t offset, uint64_t length, bool unmap);
	int (*discard)(struct node *node, uint64_t offset, uint64_t length);
	int (*flush)(struct node *node);
	int (*resize)(struct node *node, uint64_t size, char *error, size_t error_size);
	/* Takes over the size that somebody else has given the file. NULL: the image says its size. */
	int (*look_at_size)(struct node *node);

	/* For tools (image.h); NULL: the format does not have it. */
	int (*create)(const struct image_create *create, char *error, size_t error_size);
	/* One whole cluster, packed; -E2BIG: packing gains nothing. */
	int (*write_packed)(struct node *node, uint64_t offset, const void *buf, size_t length);
	int (*check)(struct node *node, struct image_check *check, char *error, size_t error_size);
	void (*info)(struct node *node, struct image_info *info);
	/* Nothing is in the image any more: all reads go to what backs it. */
	int (*empty)(struct node *node);
	int (*set_backing)(struct node *node, const char *name, const char *format, char *error,
			   size_t error_size);
	int (*snapshot_create)(struct node *node, const char *name, char *error, size_t error_size);
	int (*snapshot_apply)(struct node *node, const char *name, char *error, size_t error_size);
	int (*snapshot_delete)(struct node *node, const char *name, char *error, size_t error_size);
	/* The snapshot `n` from 0; -ENOENT: there are no more. */
	int (*snapshot_get)(struct node *node, unsigned n, struct image_snapshot *snapshot);
	/* Reads give what the snapshot has, from now on; the node is read-only. */
	int (*snapshot_view)(struct node *node, const char *name, char *error, size_t error_size);
};

extern const struct format_class format_class_raw;
extern const struct format_class format_class_qcow2;

/* The format of that name, or NULL. */
const struct format_class *format__find(const char *name);
/* Every format, by index from 0; NULL ends them. */
const struct format_class *format__get(unsigned index);

/* Opens an image and what backs it. 0 or -errno with a line in error[]. */
int node__open(const struct node_how *how, struct node **node, char *error, size_t error_size);
/* Writes out, closes the chain. 0 or the first -errno. NULL is fine. */
int node__close(struct node *node);
/*
 * The path of what backs `path`, from `name` as the image has it: relative to the image's folder.
 * 0 (free() it), -ENOMEM, or -ENOTSUP with a line in error[].
 */
int node__backing_path(const char *path, const char *name, char **backing, char *error,
		       size_t error_size);

/* Slow calls of the chain. Ranges of bytes; -EINVAL if not within the size. */
int node__readv(struct node *node, uint64_t offset, const struct iovec *iov, int count);
int node__read(struct node *node, uint64_t offset, void *buf, size_t length);
int node__writev(struct node *node, uint64_t offset, const struct iovec *iov, int count);
int node__write(struct node *node, uint64_t offset, const void *buf, size_t length);
int node__zero(struct node *node, uint64_t offset, uint64_t length, bool unmap);
int node__discard(struct node *node, uint64_t offset, uint64_t length);
int node__flush(struct node *node);
/*
 * As class->extent, through the chain: EXTENT_BACKING stands for zeroes that no image has. `depth`
 * (may be NULL) says which image, from 0, has it.
 */
int node__extent(struct node *node, uint64_t offset, uint64_t length, struct extent *extent,
		 unsigned *depth);

/* An access that map() lets go ahead begins (false: none may now) and ends. Any thread. */
bool node__enter(struct node *node, unsigned *parity);
void node__leave(struct node *node, unsigned parity);
/* One more access of somebody who is in. */
void node__hold(struct node *node, unsigned parity);
/* From here on new accesses count apart; returns what node__grace_over() wants. */
unsigned node__grace(struct node *node);
/* Whether those that began before have left. */
bool node__grace_over(struct node *node, unsigned grace);
/* Waits until nobody is in, and keeps others out. Slow call. */
void node__exclude(struct node *node);
void node__include(struct node *node);

#endif
