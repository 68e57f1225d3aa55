/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tools do with images besides reading and writing: making, checking, snapshots. */
#ifndef VMM_BLOCK_IMAGE_H
#define VMM_BLOCK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block_file;

enum image_preallocation {
	IMAGE_PREALLOCATE_OFF,
	IMAGE_PREALLOCATE_METADATA,
	IMAGE_PREALLOCATE_FALLOC,
	IMAGE_PREALLOCATE_FULL,
};

struct image_create {
	const char *path;
	uint64_t size; /* bytes, a multiple of 512 */
	enum image_preallocation preallocation;
	const char *backing_name, *backing_format; /* NULL: none; as the image will have them */
	/* qcow2 */
	uint32_t cluster_bits;	/* 9 to 21 */
	uint32_t refcount_bits; /* 1, 2, 4, ... 64 */
	uint32_t version;	/* 2 or 3 */
	bool lazy_refcounts, extended_l2, zstd;
	const char *data_file; /* NULL: data is in the image */
	bool data_file_raw;
};

enum image_repair { IMAGE_REPAIR_NONE, IMAGE_REPAIR_LEAKS, IMAGE_REPAIR_ALL };

struct image_check {
	enum image_repair repair;
	void (*say)(void *opaque, const char *line); /* each finding; may be NULL */
	void (*progress)(void *opaque, uint64_t done, uint64_t of); /* may be NULL */
	void *opaque;
	/* results */
	uint64_t corruptions, leaks; /* left */
	uint64_t corruptions_fixed, leaks_fixed;
	uint64_t errors; /* places that could not be checked */
	uint64_t end_offset;
	uint64_t allocated, compressed, fragmented, total; /* clusters */
};

struct image_snapshot {
	char id[32];
	char name[256];
	uint64_t size; /* of the disk then */
	uint64_t vm_state_size;
	uint32_t seconds, nanoseconds; /* when */
	uint64_t vm_clock; /* nanoseconds */
	uint64_t icount;   /* UINT64_MAX: not known */
};

/* What a format has to say of an image; strings are the node's. */
struct image_info {
	uint64_t cluster_size; /* 0: the format has none */
	bool qcow2;	       /* the rest has a meaning */
	uint32_t version, refcount_bits;
	bool lazy_refcounts, corrupt, dirty, extended_l2, zstd, data_file_raw;
	const char *data_file; /* NULL: none */
};

/* Writes zeroes that take space. 0 or -errno. */
int image__fill(struct block_file *file, uint64_t offset, uint64_t length);

#endif
