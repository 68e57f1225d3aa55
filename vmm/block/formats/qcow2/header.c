/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of a qcow2 image and its extensions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

#define MIN_CLUSTER_BITS 9
#define MAX_CLUSTER_BITS 21
#define MIN_EXTENDED_BITS 14 /* a subcluster is at least a block */

#define KNOWN_INCOMPATIBLE                                                                         \
	(QCOW2_INCOMPATIBLE_DIRTY | QCOW2_INCOMPATIBLE_CORRUPT | QCOW2_INCOMPATIBLE_DATA_FILE |    \
	 QCOW2_INCOMPATIBLE_COMPRESSION | QCOW2_INCOMPATIBLE_EXTENDED_L2)

static int refuse(struct qcow2 *q, const char *why, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s", q->file->path, why);
	return -EINVAL;
}

/* Names of incompatible features that we don't know, from the image's own table. */
static int refuse_features(struct qcow2 *q, uint64_t unknown, const uint8_t *table, size_t size,
			   char *error, size_t error_size)
{
	char names[200];
	size_t at = 0, i;
	unsigned bit;

	for (bit = 0; bit < 64; bit++) {
		char name[47] = "";

		if (!(unknown >> bit & 1))
			continue;
		for (i = 0; i + 48 <= size; i += 48)
			if (table[i] == 0 && table[i + 1] == bit)
				memcpy(name, table + i + 2, 46);
		if (at < sizeof(names))
			at += snprintf(names + at, sizeof(names) - at, "%s%s%.46s%u", at ? ", " : "",
				       *name ? name : "bit ", name[0] ? " bit " : "", bit);
	}
	snprintf(error, error_size, "%s: has features that this program does not know: %s",
		 q->file->path, names);
	return -ENOTSUP;
}

static int copy_string(char **field, const uint8_t *from, size_t size)
{
	free(*field);
	*field = malloc(size + 1);
	if (!*field)
		return -ENOMEM;
	memcpy(*field, from, size);
	(*field)[size] = '\0';
	return 0;
}

static int take_extension(struct qcow2 *q, uint32_t type, const uint8_t *data, uint32_t size,
			  const uint8_t **features, size_t *features_size)
{
	switch (type) {
	case QCOW2_EXTENSION_BACKING_FORMAT:
		return size < 16 ? copy_string(&q->node->backing_format, data, size) : -EINVAL;
	case QCOW2_EXTENSION_DATA_FILE:
		return size <= QCOW2_MAX_BACKING_NAME ? copy_string(&q->data_file_name, data, size) :
							 -EINVAL;
	case QCOW2_EXTENSION_FEATURES:
		*features = data;
		*features_size = size;
		return 0;
	case QCOW2_EXTENSION_BITMAPS:
		if (!(q->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
			return 0;
		if (size < 24)
			return -EINVAL;
		q->bitmap_count = get_be32(data);
		q->bitmap_bytes = get_be64(data + 8);
		q->bitmap_offset = get_be64(data + 16);
		return 0;
	default:
		return 0;
	}
}

static int read_extensions(struct qcow2 *q, const uint8_t *head, uint64_t end,
			   const uint8_t **features, size_t *features_size, char *error,
			   size_t error_size)
{
	uint64_t at = q->header_length;
	int err;

	while (at + 8 <= end) {
		uint32_t type = get_be32(head + at), size = get_be32(head + at + 4);

		at += 8;
		if (type == QCOW2_EXTENSION_END)
			return 0;
		if (size > end - at)
			return refuse(q, "a header extension is longer than the header", error, error_size);
		err = take_extension(q, type, head + at, size, features, features_size);
		if (err == -ENOMEM)
			return err;
		if (err)
			return refuse(q, "a header extension is malformed", error, error_size);
		at += (size + 7ULL) & ~7ULL;
	}
	return 0;
}

static int read_backing_name(struct qcow2 *q, const uint8_t *head, char *error, size_t error_size)
{
	uint64_t offset = get_be64(head + QCOW2_AT_BACKING_OFFSET);
	uint32_t size = get_be32(head + QCOW2_AT_BACKING_SIZE);

	if (!offset || !size)
		return 0;
	if (size > QCOW2_MAX_BACKING_NAME || offset > q->cluster_size ||
	    size > q->cluster_size - offset)
		return refuse(q, "the name of its backing file is too long or outside of the header",
			      error, error_size);
	return copy_string(&q->node->backing_name, head + offset, size);
}

static int check_version_3(struct qcow2 *q, const uint8_t *head, char *error, size_t error_size)
{
	q->incompatible = get_be64(head + QCOW2_AT_INCOMPATIBLE);
	q->compatible = get_be64(head + QCOW2_AT_COMPATIBLE);
	q->autoclear = get_be64(head + QCOW2_AT_AUTOCLEAR);
	q->refcount_order = get_be32(head + QCOW2_AT_REFCOUNT_ORDER);
	q->header_length = get_be32(head + QCOW2_AT_HEADER_LENGTH);
	if (q->header_length < QCOW2_V3_HEADER || q->header_length > q->cluster_size ||
	    q->header_length & 7)
		return refuse(q, "the header's length is impossible", error, error_size);
	if (q->refcount_order > 6)
		return refuse(q, "refcounts are wider than 64 bits", error, error_size);
	if (q->header_length > QCOW2_AT_COMPRESSION)
		q->compression = head[QCOW2_AT_COMPRESSION];
	if (q->compression > QCOW2_COMPRESSION_ZSTD ||
	    (q->compression != 0) != !!(q->incompatible & QCOW2_INCOMPATIBLE_COMPRESSION))
		return refuse(q, "unknown compression type", error, error_size);
	q->extended = q->incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2;
	q->lazy = q->compatible & QCOW2_COMPATIBLE_LAZY;
	if (q->extended && q->cluster_bits < MIN_EXTENDED_BITS)
		return refuse(q, "clusters are too small for extended L2 entries", error, error_size);
	return 0;
}

static int check_fields(struct qcow2 *q, const uint8_t *head, char *error, size_t error_size)
{
	uint64_t size = get_be64(head + QCOW2_AT_SIZE), span, needed;

	if (get_be32(head) != QCOW2_MAGIC)
		return refuse(q, "is not a qcow2 image", error, error_size);
	q->version = get_be32(head + QCOW2_AT_VERSION);
	if (q->version != 2 && q->version != 3) {
		snprintf(error, error_size, "%s: qcow2 version %u; there is support for 2 and 3",
			 q->file->path, q->version);
		return -ENOTSUP;
	}
	q->cluster_bits = get_be32(head + QCOW2_AT_CLUSTER_BITS);
	if (q->cluster_bits < MIN_CLUSTER_BITS || q->cluster_bits > MAX_CLUSTER_BITS)
		return refuse(q, "the cluster size is not from 512 bytes to 2 MiB", error, error_size);
	q->cluster_size = 1ULL << q->cluster_bits;
	if (get_be32(head + QCOW2_AT_CRYPT)) {
		snprintf(error, error_size, "%s: is encrypted; encrypted images are not supported",
			 q->file->path);
		return -ENOTSUP;
	}
	q->refcount_order = 4;
	q->header_length = QCOW2_V2_HEADER;
	if (q->version == 3 && check_version_3(q, head, error, error_size))
		return -EINVAL;
	q->entry_size = q->extended ? 16 : 8;
	q->l2_bits = q->cluster_bits - (q->extended ? 4 : 3);
	q->sub_count = q->extended ? QCOW2_SUBCLUSTERS : 1;
	q->sub_bits = q->cluster_bits - (q->extended ? 5 : 0);
	q->refs_bits = q->cluster_bits + 3 - q->refcount_order;
	q->refcount_max = q->refcount_order == 6 ? ~0ULL : (1ULL << (1u << q->refcount_order)) - 1;
	q->piece = q->cluster_size < 65536 ? q->cluster_size : 65536;
	q->l1_size = get_be32(head + QCOW2_AT_L1_SIZE);
	q->l1_offset = get_be64(head + QCOW2_AT_L1_OFFSET);
	q->reftable_offset = get_be64(head + QCOW2_AT_REFTABLE_OFFSET);
	if (q->l1_size > QCOW2_MAX_L1_BYTES / 8)
		return refuse(q, "the L1 table is larger than 32 MiB", error, error_size);
	if (get_be32(head + QCOW2_AT_REFTABLE_CLUSTERS) > QCOW2_MAX_REFTABLE_BYTES >> q->cluster_bits)
		return refuse(q, "the refcount table is larger than 8 MiB", error, error_size);
	q->reftable_size = get_be32(head + QCOW2_AT_REFTABLE_CLUSTERS) << (q->cluster_bits - 3);
	if (!q->reftable_size)
		return refuse(q, "there is no refcount table", error, error_size);
	if ((q->l1_offset | q->reftable_offset) & (q->cluster_size - 1) || !q->reftable_offset ||
	    q->l1_offset >= QCOW2_MAX_OFFSET || q->reftable_offset >= QCOW2_MAX_OFFSET ||
	    (q->l1_size && !q->l1_offset))
		return refuse(q, "the L1 or refcount table is at an impossible place", error, error_size);
	span = 1ULL << (q->cluster_bits + q->l2_bits);
	if (size > INT64_MAX - span)
		return refuse(q, "the disk is impossibly large", error, error_size);
	needed = (size + span - 1) / span;
	if (needed > q->l1_size)
		return refuse(q, "the L1 table is too small for the disk", error, error_size);
	atomic_store(&q->node->size, (size + 511) & ~511ULL);
	return 0;
}

int qcow2_header__read(struct qcow2 *q, const struct node_how *how, char *error, size_t error_size)
{
	uint8_t first[QCOW2_HEADER], *head;
	const uint8_t *features = NULL;
	size_t features_size = 0;
	uint64_t end, unknown;
	int err = file__read(q->file, 0, first, sizeof(first));

	if (err) {
		snprintf(error, error_size, "%s: the header cannot be read: %s", q->file->path,
			 strerror(-err));
		return err;
	}
	err = check_fields(q, first, error, error_size);
	if (err)
		return err;
	head = malloc(q->cluster_size);
	if (!head) {
		snprintf(error, error_size, "%s: out of memory", q->file->path);
		return -ENOMEM;
	}
	err = file__read(q->file, 0, head, q->cluster_size);
	if (err)
		snprintf(error, error_size, "%s: the header cannot be read: %s", q->file->path,
			 strerror(-err));
	if (!err)
		err = read_backing_name(q, head, error, error_size);
	end = get_be64(head + QCOW2_AT_BACKING_OFFSET);
	if (!end || end > q->cluster_size)
		end = q->cluster_size;
	if (!err)
		err = read_extensions(q, head, end, &features, &features_size, error, error_size);
	unknown = q->incompatible & ~KNOWN_INCOMPATIBLE;
	if (!err && unknown)
		err = refuse_features(q, unknown, features, features_size, error, error_size);
	free(head);
	if (!err && q->bitmap_count && how->write && !how->check) {
		snprintf(error, error_size,
			 "%s: has persistent bitmaps, which writing would make wrong; open it read-only, or "
			 "remove them with \"qemu-img bitmap --remove\"",
			 q->file->path);
		err = -ENOTSUP;
	}
	return err;
}

int qcow2_header__write_features(struct qcow2 *q)
{
	uint8_t field[8];
	int err;

	if (q->version < 3)
		return 0;
	put_be64(field, q->incompatible);
	err = file__write(q->file, QCOW2_AT_INCOMPATIBLE, field, sizeof(field));
	return err ? err : file__sync(q->file);
}

/* ---- writing the whole ---- */

struct area {
	uint8_t *bytes;
	uint64_t at, size;
};

static int put_extension(struct area *area, uint32_t type, const void *data, uint32_t size)
{
	uint64_t whole = 8 + ((size + 7ULL) & ~7ULL);

	if (area->size - area->at < whole)
		return -ENOSPC;
	put_be32(area->bytes + area->at, type);
	put_be32(area->bytes + area->at + 4, size);
	if (size)
		memcpy(area->bytes + area->at + 8, data, size);
	area->at += whole;
	return 0;
}

/* Copies what others have put there and we don't manage. */
static int keep_extensions(const struct qcow2 *q, const uint8_t *old, struct area *area)
{
	uint64_t at = q->header_length, end = get_be64(old + QCOW2_AT_BACKING_OFFSET);
	int err = 0;

	if (!end || end > q->cluster_size)
		end = q->cluster_size;
	while (!err && at + 8 <= end) {
		uint32_t type = get_be32(old + at), size = get_be32(old + at + 4);

		at += 8;
		if (type == QCOW2_EXTENSION_END || size > end - at)
			break;
		if (type != QCOW2_EXTENSION_BACKING_FORMAT && type != QCOW2_EXTENSION_DATA_FILE)
			err = put_extension(area, type, old + at, size);
		at += (size + 7ULL) & ~7ULL;
	}
	return err;
}

static void put_fixed(const struct qcow2 *q, uint8_t *head)
{
	put_be32(head, QCOW2_MAGIC);
	put_be32(head + QCOW2_AT_VERSION, q->version);
	put_be32(head + QCOW2_AT_CLUSTER_BITS, q->cluster_bits);
	put_be64(head + QCOW2_AT_SIZE, atomic_load(&q->node->size));
	put_be32(head + QCOW2_AT_L1_SIZE, q->l1_size);
	put_be64(head + QCOW2_AT_L1_OFFSET, q->l1_offset);
	put_be64(head + QCOW2_AT_REFTABLE_OFFSET, q->reftable_offset);
	put_be32(head + QCOW2_AT_REFTABLE_CLUSTERS, qcow2_clusters(q, q->reftable_size * 8ULL));
	put_be32(head + QCOW2_AT_SNAPSHOT_COUNT, q->snapshot_count);
	put_be64(head + QCOW2_AT_SNAPSHOT_OFFSET, q->snapshot_offset);
	if (q->version < 3)
		return;
	put_be64(head + QCOW2_AT_INCOMPATIBLE, q->incompatible);
	put_be64(head + QCOW2_AT_COMPATIBLE, q->compatible);
	put_be64(head + QCOW2_AT_AUTOCLEAR, q->autoclear);
	put_be32(head + QCOW2_AT_REFCOUNT_ORDER, q->refcount_order);
	put_be32(head + QCOW2_AT_HEADER_LENGTH, q->header_length);
	if (q->header_length > QCOW2_AT_COMPRESSION)
		head[QCOW2_AT_COMPRESSION] = q->compression;
}

int qcow2_header__write(struct qcow2 *q, const char *backing, const char *backing_format, char *error,
			size_t error_size)
{
	uint8_t *old = calloc(1, q->cluster_size), *head = calloc(1, q->cluster_size);
	struct area area = { head, q->header_length, q->cluster_size };
	int err = old && head ? file__read(q->file, 0, old, q->cluster_size) : -ENOMEM;

	if (err)
		goto tell;
	/* A longer header of a later version keeps what it has. */
	if (get_be32(old) == QCOW2_MAGIC)
		memcpy(head, old, q->header_length);
	put_fixed(q, head);
	put_be64(head + QCOW2_AT_BACKING_OFFSET, 0);
	put_be32(head + QCOW2_AT_BACKING_SIZE, 0);
	if (backing && backing_format)
		err = put_extension(&area, QCOW2_EXTENSION_BACKING_FORMAT, backing_format,
				    strlen(backing_format));
	if (!err && q->data_file_name)
		err = put_extension(&area, QCOW2_EXTENSION_DATA_FILE, q->data_file_name,
				    strlen(q->data_file_name));
	if (!err && get_be32(old) == QCOW2_MAGIC)
		err = keep_extensions(q, old, &area);
	if (!err)
		err = put_extension(&area, QCOW2_EXTENSION_END, NULL, 0);
	if (!err && backing) {
		size_t size = strlen(backing);

		if (size > QCOW2_MAX_BACKING_NAME || area.size - area.at < size) {
			err = -ENOSPC;
		} else {
			put_be64(head + QCOW2_AT_BACKING_OFFSET, area.at);
			put_be32(head + QCOW2_AT_BACKING_SIZE, size);
			memcpy(head + area.at, backing, size);
		}
	}
	if (!err)
		err = file__write(q->file, 0, head, q->cluster_size);
	if (!err)
		err = file__sync(q->file);
tell:
	if (err)
		snprintf(error, error_size, "%s: the header cannot be written: %s", q->file->path,
			 err == -ENOSPC ? "names in it are too long for its cluster size" : strerror(-err));
	free(old);
	free(head);
	return err;
}
