/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An open qcow2 image. All but map() runs in slow calls (node.h), so one thread changes this at a
 * time; node->lock is held for changes of what map() reads: l1, cached L2 tables, the set of
 * metadata.
 *
 * The order of writes, so that the image is right whenever the power fails (flush.c): data and
 * refcounts that grow, then L2 tables and L1 entries, then refcounts that shrink. What is
 * interrupted leaves clusters that nobody uses, and nothing else.
 */
#ifndef VMM_BLOCK_FORMATS_QCOW2_QCOW2_H
#define VMM_BLOCK_FORMATS_QCOW2_QCOW2_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/block/formats/qcow2/layout.h"
#include "vmm/block/node.h"

struct image_create;
struct image_check;
struct image_snapshot;

enum table_kind { TABLE_REFCOUNT, TABLE_L2 };

/* A piece of an L2 table or refcount block in memory. */
struct table {
	enum table_kind kind;
	uint64_t offset; /* in the file; 0: empty */
	uint8_t *data;
	uint32_t dirty_from, dirty_to; /* bytes; equal: clean */
	uint64_t used;
	unsigned pins;
	struct table *next; /* of the same hash */
};

struct table_cache {
	struct table *table;
	unsigned count, hash_mask;
	struct table **hash;
	uint8_t *memory;
	uint64_t clock;
};

/* Cluster numbers. */
struct cluster_set {
	uint64_t *slot; /* number + 1; 0: free */
	size_t room, count;
};

/* Space whose last user is gone, but maybe not yet on the medium. */
struct freed {
	uint64_t cluster, count;
};

struct freed_list {
	struct freed *item;
	size_t count, room;
};

struct snapshot {
	uint64_t l1_offset;
	uint32_t l1_size;
	char *id, *name;
	uint32_t seconds, nanoseconds;
	uint64_t vm_clock, vm_state_size, disk_size, icount;
	uint32_t extra_size; /* as it was read */
	uint8_t *extra;
};

struct qcow2 {
	struct node *node;
	struct block_file *file;
	struct block_file *data_file; /* NULL: data is in `file` */
	char *data_file_name;	      /* as the image has it */
	uint32_t version, cluster_bits, refcount_order, compression;
	uint64_t cluster_size, incompatible, compatible, autoclear;
	uint32_t header_length;
	bool extended, data_raw, lazy, viewing;
	bool marked; /* we have set the dirty bit: refcounts in memory are right */
	bool corrupt; /* found while working; nothing is written any more */
	uint32_t entry_size, l2_bits; /* bytes of an L2 entry; L2 entries of a table, as a power */
	uint32_t sub_count, sub_bits; /* subclusters of a cluster; their size, as a power of two */
	uint64_t *l1;
	uint32_t l1_size;
	uint64_t l1_offset;
	uint32_t l1_dirty_from, l1_dirty_to;
	uint64_t *reftable;
	uint32_t reftable_size; /* entries */
	uint64_t reftable_offset;
	uint32_t refs_bits; /* refcounts of a block, as a power of two */
	uint64_t refcount_max;
	uint64_t hint; /* no cluster below it is free */
	struct snapshot *snapshot;
	uint32_t snapshot_count;
	uint64_t snapshot_offset, snapshot_bytes;
	uint64_t bitmap_offset, bitmap_bytes; /* the directory */
	uint32_t bitmap_count;
	uint32_t piece; /* bytes of a table in the cache */
	struct table_cache cache;
	struct cluster_set metadata;
	struct freed_list freed;     /* since the last flush */
	struct freed_list expiring;  /* no longer referred to on the medium; grace runs */
	unsigned grace;
	atomic_bool dirty; /* flush() has something to do besides syncing */
	uint64_t packed_end; /* bytes for packed clusters left up to a cluster's end; 0: none */
	/* The last cluster that was unpacked. */
	uint64_t unpacked_at;
	uint8_t *unpacked, *packed;
};

/* ---- header.c ---- */
int qcow2_header__read(struct qcow2 *q, const struct node_how *how, char *error, size_t error_size);
/* Writes the bits that may change (dirty, corrupt) and syncs. */
int qcow2_header__write_features(struct qcow2 *q);
/* The whole header area, for create and a new backing name. */
int qcow2_header__write(struct qcow2 *q, const char *backing, const char *backing_format, char *error,
			size_t error_size);

/* ---- open.c ---- */
int qcow2__load_l1(struct qcow2 *q, char *error, size_t error_size);
int qcow2__load_reftable(struct qcow2 *q, char *error, size_t error_size);
/* Notes everything but data in the set; -EIO if two things are in one place. */
int qcow2__note_metadata(struct qcow2 *q, char *error, size_t error_size);
void qcow2__free(struct qcow2 *q);
/* The image contradicts itself: says so once, marks it. Returns -EIO. */
int qcow2__damaged(struct qcow2 *q, const char *what, uint64_t where);

/* ---- cache.c ---- */
int table_cache__create(struct qcow2 *q, uint64_t bytes);
void table_cache__destroy(struct qcow2 *q);
/* The piece at `offset`, pinned. 0 or -errno. */
int table_cache__get(struct qcow2 *q, enum table_kind kind, uint64_t offset, struct table **table);
void table_cache__put(struct table *table);
void table_cache__soil(struct qcow2 *q, struct table *table, uint32_t from, uint32_t to);
/* Never blocks; node->lock is held; not pinned. NULL: not there. */
struct table *table_cache__peek(struct qcow2 *q, uint64_t offset);
/* Writes the dirty ones of a kind. */
int table_cache__write(struct qcow2 *q, enum table_kind kind);
bool table_cache__is_dirty(const struct qcow2 *q, enum table_kind kind);
/* The cluster gets another use. */
void table_cache__forget(struct qcow2 *q, uint64_t cluster, uint64_t count);

/* ---- metadata.c ---- */
bool cluster_set__has(const struct cluster_set *set, uint64_t cluster);
/* 0, -EEXIST or -ENOMEM. */
int cluster_set__add(struct cluster_set *set, uint64_t cluster);
void cluster_set__remove(struct cluster_set *set, uint64_t cluster);
void cluster_set__free(struct cluster_set *set);
/* These bytes hold metadata from now on, or no longer. -EIO: they did already. */
int qcow2_metadata__add(struct qcow2 *q, uint64_t offset, uint64_t bytes);
void qcow2_metadata__remove(struct qcow2 *q, uint64_t offset, uint64_t bytes);

/* ---- refcount.c ---- */
int refcount__get(struct qcow2 *q, uint64_t cluster, uint64_t *count);
/* Adds 1 or takes 1 of each; -ERANGE: the width does not hold more. */
int refcount__change(struct qcow2 *q, uint64_t cluster, uint64_t count, int by);
int refcount__set(struct qcow2 *q, uint64_t cluster, uint64_t value);
/* From 1 to `want` free clusters in a row, whose refcounts become one. */
int refcount__alloc(struct qcow2 *q, uint64_t want, uint64_t *offset, uint64_t *got);
/* Exactly that many bytes in a row. */
int refcount__alloc_area(struct qcow2 *q, uint64_t bytes, uint64_t *offset);
/* Accessors of a refcount block in memory (whole or piece). */
uint64_t refcount__load(const struct qcow2 *q, const uint8_t *block, uint64_t index);
void refcount__store(const struct qcow2 *q, uint8_t *block, uint64_t index, uint64_t value);

/* ---- flush.c ---- */
/* Before the first change after a flush. */
int qcow2_flush__begin(struct qcow2 *q);
/* Writes L2 tables and what has to be on the medium before them. */
int qcow2_flush__tables(struct qcow2 *q);
int qcow2_flush__all(struct qcow2 *q);
/* The clusters lose a user once that is on the medium. */
int qcow2_flush__free_later(struct qcow2 *q, uint64_t offset, uint64_t bytes);
/* All of what was freed, now; nothing may be in flight that could use it. */
int qcow2_flush__settle(struct qcow2 *q);

/* ---- lookup.c ---- */
enum sub_kind { SUB_NONE, SUB_ZERO, SUB_DATA, SUB_PACKED, SUB_BAD };

struct l2_entry {
	uint64_t raw, bitmap; /* bitmap: of extended entries */
};

struct l2_entry l2__load(const struct qcow2 *q, const struct table *table, uint64_t guest);
/* node->lock is held within. */
void l2__store(struct qcow2 *q, struct table *table, uint64_t guest, struct l2_entry entry);
enum sub_kind l2__kind(const struct qcow2 *q, struct l2_entry entry, unsigned sub);
bool l2__has_cluster(const struct qcow2 *q, struct l2_entry entry);
/* Where packed bytes are, and how many at most. */
void l2__packed(const struct qcow2 *q, struct l2_entry entry, uint64_t *offset, uint64_t *bytes);
/* The piece of the L2 table for a guest offset, pinned; *table NULL: there is none. */
int l2__get(struct qcow2 *q, uint64_t guest, struct table **table);
/* The same, its own and not shared; made if need be. */
int l2__get_for_write(struct qcow2 *q, uint64_t guest, struct table **table);
/* Bytes from `guest` to the end of what a piece of an L2 table is about. */
uint64_t l2__reach(const struct qcow2 *q, uint64_t guest);
void qcow2__map(struct node *node, uint64_t offset, uint64_t length, bool write,
		struct extent *extent);
int qcow2__extent(struct node *node, uint64_t offset, uint64_t length, struct extent *extent);
/* As extent, but EXTENT_DATA only where it can be written in place. */
int qcow2__extent_for_write(struct qcow2 *q, uint64_t offset, uint64_t length,
			    struct extent *extent);

/* ---- write.c ---- */
int qcow2__write(struct node *node, uint64_t offset, const struct iovec *iov, int count);
/* Clusters for all of a new image, whose file reads as zeroes. */
int qcow2__preallocate(struct qcow2 *q);
/* The clusters that an entry uses lose a user. */
int qcow2__release(struct qcow2 *q, struct l2_entry entry);

/* ---- zero.c ---- */
int qcow2__zero(struct node *node, uint64_t offset, uint64_t length, bool unmap);
int qcow2__discard(struct node *node, uint64_t offset, uint64_t length);
/* Whole clusters that are no longer part of the disk. */
int qcow2__drop(struct qcow2 *q, uint64_t from, uint64_t to);

/* ---- packed.c ---- */
int qcow2__read_packed(struct node *node, uint64_t offset, const struct iovec *iov, int count,
		       size_t skip, uint64_t length);
int qcow2__write_packed(struct node *node, uint64_t offset, const void *buf, size_t length);

/* ---- snapshot_table.c, snapshot.c ---- */
int snapshot_table__read(struct qcow2 *q, char *error, size_t error_size);
int snapshot_table__write(struct qcow2 *q);
void snapshot_table__free(struct qcow2 *q);
int qcow2__snapshot_create(struct node *node, const char *name, char *error, size_t error_size);
int qcow2__snapshot_apply(struct node *node, const char *name, char *error, size_t error_size);
int qcow2__snapshot_delete(struct node *node, const char *name, char *error, size_t error_size);
int qcow2__snapshot_get(struct node *node, unsigned n, struct image_snapshot *snapshot);
int qcow2__snapshot_view(struct node *node, const char *name, char *error, size_t error_size);

/* ---- resize.c, create.c, check.c ---- */
int qcow2__resize(struct node *node, uint64_t size, char *error, size_t error_size);
int qcow2__grow_l1(struct qcow2 *q, uint32_t size);
int qcow2__create(const struct image_create *create, char *error, size_t error_size);
int qcow2__check(struct node *node, struct image_check *check, char *error, size_t error_size);

static inline uint64_t qcow2_clusters(const struct qcow2 *q, uint64_t bytes)
{
	return (bytes + q->cluster_size - 1) >> q->cluster_bits;
}

/* Where guest data is. */
static inline struct block_file *qcow2_data(const struct qcow2 *q)
{
	return q->data_file ? q->data_file : q->file;
}

#endif
