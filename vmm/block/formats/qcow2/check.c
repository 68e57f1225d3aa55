/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of an image: counts the users of each cluster from the tables, compares with the
 * refcounts, and repairs what it is asked to.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vmm/block/formats/qcow2/check.h"

#define MAX_CLUSTERS (1ULL << 32)

void check__say(struct checker *c, const char *format, ...)
{
	char line[300];
	va_list args;

	if (!c->check->say)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	c->check->say(c->check->opaque, line);
}

/* Bytes of the file have one user more. */
static void count_bytes(struct checker *c, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset >> c->q->cluster_bits, end = qcow2_clusters(c->q, offset + bytes), i;

	if (!bytes)
		return;
	for (i = first; i < end; i++) {
		if (i >= c->clusters) {
			check__say(c, "ERROR: cluster 0x%llx is beyond the end of the file",
				   (unsigned long long)(i << c->q->cluster_bits));
			c->check->corruptions++;
			return;
		}
		if (c->users[i] < UINT32_MAX)
			c->users[i]++;
		if (i > c->highest)
			c->highest = i;
	}
}

static void check_entry(struct checker *c, struct l2_entry entry, uint64_t guest, bool active)
{
	struct qcow2 *q = c->q;
	uint64_t offset, bytes;
	unsigned sub;

	for (sub = 0; sub < q->sub_count; sub++)
		if (l2__kind(q, entry, sub) == SUB_BAD) {
			check__say(c, "ERROR: L2 entry %016llx %016llx of guest offset 0x%llx is impossible",
				   (unsigned long long)entry.raw, (unsigned long long)entry.bitmap,
				   (unsigned long long)guest);
			c->check->corruptions++;
			return;
		}
	if (entry.raw & QCOW2_PACKED) {
		l2__packed(q, entry, &offset, &bytes);
		if (entry.raw & QCOW2_COPIED) {
			check__say(c, "ERROR: packed cluster of guest offset 0x%llx is marked as writable",
				   (unsigned long long)guest);
			c->check->corruptions++;
		}
		count_bytes(c, offset & ~511ULL, bytes + (offset & 511));
		if (active) {
			c->check->allocated++;
			c->check->compressed++;
			c->check->fragmented++;
		}
		return;
	}
	offset = entry.raw & QCOW2_OFFSET_MASK;
	if (!l2__has_cluster(q, entry))
		return;
	if (!q->data_file)
		count_bytes(c, offset, q->cluster_size);
	if (!active)
		return;
	c->check->allocated++;
	if (c->next_host && c->next_host != offset)
		c->check->fragmented++;
	c->next_host = offset + q->cluster_size;
}

static int count_l2(struct checker *c, uint64_t l2, uint64_t guest, bool active)
{
	struct qcow2 *q = c->q;
	uint64_t i, *buf = malloc(q->cluster_size);
	int err = buf ? file__read(q->file, l2, buf, q->cluster_size) : -ENOMEM;

	c->next_host = 0;
	for (i = 0; !err && i < 1ULL << q->l2_bits; i++) {
		struct l2_entry entry = { be64toh(buf[i * q->entry_size / 8]),
					  q->extended ? be64toh(buf[i * 2 + 1]) : 0 };

		check_entry(c, entry, guest + (i << q->cluster_bits), active);
	}
	free(buf);
	return err;
}

static int count_l1(struct checker *c, const uint64_t *l1, uint32_t size, bool active)
{
	struct qcow2 *q = c->q;
	uint32_t i;
	int err;

	for (i = 0; i < size; i++) {
		uint64_t l2 = l1[i] & QCOW2_OFFSET_MASK;

		if (c->check->progress && active)
			c->check->progress(c->check->opaque, i, size);
		if (l1[i] & QCOW2_L1_RESERVED) {
			check__say(c, "ERROR: L1 entry %u is impossible: %016llx", i, (unsigned long long)l1[i]);
			c->check->corruptions++;
		}
		if (!l2)
			continue;
		if (l2 & (q->cluster_size - 1)) {
			check__say(c, "ERROR: L2 table of L1 entry %u is misaligned: 0x%llx", i,
				   (unsigned long long)l2);
			c->check->corruptions++;
			continue;
		}
		count_bytes(c, l2, q->cluster_size);
		if (l2 >> q->cluster_bits >= c->clusters)
			continue;
		err = count_l2(c, l2, (uint64_t)i << (q->cluster_bits + q->l2_bits), active);
		if (err) {
			check__say(c, "ERROR: L2 table at 0x%llx cannot be read: %s", (unsigned long long)l2,
				   strerror(-err));
			c->check->errors++;
		}
	}
	return 0;
}

static int count_snapshots(struct checker *c)
{
	struct qcow2 *q = c->q;
	uint32_t i, n;
	int err = 0;

	for (i = 0; !err && i < q->snapshot_count; i++) {
		const struct snapshot *s = &q->snapshot[i];
		uint64_t *l1 = calloc(s->l1_size + 1, 8);

		err = l1 ? file__read(q->file, s->l1_offset, l1, s->l1_size * 8ULL) : -ENOMEM;
		for (n = 0; !err && n < s->l1_size; n++)
			l1[n] = be64toh(l1[n]);
		if (!err) {
			count_bytes(c, s->l1_offset, s->l1_size * 8ULL);
			err = count_l1(c, l1, s->l1_size, false);
		}
		free(l1);
	}
	count_bytes(c, q->snapshot_offset, q->snapshot_bytes);
	return err;
}

/* Persistent bitmaps: the directory, each one's table, and the clusters of that. */
static int count_bitmaps(struct checker *c)
{
	struct qcow2 *q = c->q;
	uint64_t at = q->bitmap_offset, end = at + q->bitmap_bytes, i;
	uint32_t n;
	int err = 0;

	if (!q->bitmap_count)
		return 0;
	if (q->bitmap_bytes > QCOW2_MAX_SNAPSHOT_BYTES || (at & (q->cluster_size - 1)) || end < at)
		return -EINVAL;
	count_bytes(c, at, q->bitmap_bytes);
	for (n = 0; !err && n < q->bitmap_count && at + 24 <= end; n++) {
		uint64_t offset, entry;
		uint32_t size, length;
		uint8_t row[24];

		err = file__read(q->file, at, row, sizeof(row));
		offset = get_be64(row);
		size = get_be32(row + 8);
		length = 24 + get_be16(row + 18) + get_be32(row + 20);
		if (!err && (size > QCOW2_MAX_L1_BYTES / 8 || get_be32(row + 20) > 1024))
			return -EINVAL;
		count_bytes(c, offset, size * 8ULL);
		for (i = 0; !err && i < size && (offset + i * 8) >> q->cluster_bits < c->clusters; i++) {
			err = file__read(q->file, offset + i * 8, row, 8);
			entry = get_be64(row) & QCOW2_OFFSET_MASK;
			if (!err && entry)
				count_bytes(c, entry, q->cluster_size);
		}
		at += (length + 7ULL) & ~7ULL;
	}
	return err;
}

static void count_refcounts(struct checker *c)
{
	struct qcow2 *q = c->q;
	uint32_t i;

	count_bytes(c, q->reftable_offset, q->reftable_size * 8ULL);
	for (i = 0; i < q->reftable_size; i++) {
		uint64_t block = q->reftable[i];

		if (!block)
			continue;
		if ((block & (q->cluster_size - 1)) || block >> q->cluster_bits >= c->clusters) {
			check__say(c, "ERROR: refcount block %u is at an impossible place: 0x%llx", i,
				   (unsigned long long)block);
			c->check->corruptions++;
			c->rebuild = true;
			continue;
		}
		count_bytes(c, block, q->cluster_size);
		if (c->users[block >> q->cluster_bits] > 1) {
			check__say(c, "ERROR: refcount block %u is in the place of something else: 0x%llx", i,
				   (unsigned long long)block);
			c->check->corruptions++;
			c->rebuild = true;
		}
	}
}

static int count_all(struct checker *c, bool refcounts)
{
	struct qcow2 *q = c->q;
	uint64_t size = atomic_load(&q->node->size);
	int err;

	c->check->allocated = c->check->compressed = c->check->fragmented = 0;
	c->check->total = (size + q->cluster_size - 1) >> q->cluster_bits;
	c->highest = c->next_host = 0;
	madvise(c->users, c->clusters * sizeof(*c->users), MADV_DONTNEED);
	count_bytes(c, 0, q->cluster_size);
	count_bytes(c, q->l1_offset, q->l1_size * 8ULL);
	err = count_l1(c, q->l1, q->l1_size, true);
	if (!err)
		err = count_snapshots(c);
	if (!err)
		err = count_bitmaps(c);
	if (!err && refcounts)
		count_refcounts(c);
	return err;
}

static int compare(struct checker *c)
{
	struct qcow2 *q = c->q;
	enum image_repair repair = c->check->repair;
	uint64_t i, count;
	int err = 0;

	for (i = 0; i < c->clusters; i++) {
		uint64_t block = i >> q->refs_bits;
		bool fix;

		/* No block: nothing in all of its range is counted. Whole ranges without users are common. */
		if ((block >= q->reftable_size || !q->reftable[block]) && !c->users[i])
			continue;
		err = refcount__get(q, i, &count);
		if (err) {
			check__say(c, "ERROR: refcount of cluster 0x%llx cannot be read: %s",
				   (unsigned long long)(i << q->cluster_bits), strerror(-err));
			c->check->errors++;
			continue;
		}
		if (count == c->users[i])
			continue;
		fix = repair == IMAGE_REPAIR_ALL || (repair == IMAGE_REPAIR_LEAKS && count > c->users[i]);
		check__say(c, "%s cluster %llu refcount=%llu reference=%u",
			   fix ? "Repairing" : count > c->users[i] ? "Leaked" : "ERROR",
			   (unsigned long long)i, (unsigned long long)count, c->users[i]);
		if (fix && !refcount__set(q, i, c->users[i])) {
			if (count > c->users[i])
				c->check->leaks_fixed++;
			else
				c->check->corruptions_fixed++;
			continue;
		}
		/* Without a block, or too narrow: the refcounts are made anew. */
		c->rebuild |= fix;
		if (count > c->users[i])
			c->check->leaks++;
		else
			c->check->corruptions++;
	}
	return 0;
}

/* The mark stands for the refcount that is stored, which may be wrong itself. */
static bool is_mark_wrong(struct checker *c, uint64_t raw)
{
	uint64_t offset = raw & QCOW2_OFFSET_MASK, cluster = offset >> c->q->cluster_bits, count;

	if (cluster >= c->clusters || refcount__get(c->q, cluster, &count))
		return false;
	return (count == 1) != !!(raw & QCOW2_COPIED);
}

/* Says it, and counts it as fixed or as left. */
static void note_mark(struct checker *c, const char *what, uint64_t raw, bool fix)
{
	check__say(c, "%s OFLAG_COPIED %s cluster: entry=%016llx references=%u", fix ? "Repairing" : "ERROR",
		   what, (unsigned long long)raw,
		   c->users[(raw & QCOW2_OFFSET_MASK) >> c->q->cluster_bits]);
	if (fix)
		c->check->corruptions_fixed++;
	else
		c->check->corruptions++;
}

static int check_marks_of_table(struct checker *c, uint64_t l2, bool fix)
{
	struct qcow2 *q = c->q;
	uint64_t *buf = malloc(q->cluster_size), i, raw;
	bool changed = false;
	int err = buf ? file__read(q->file, l2, buf, q->cluster_size) : -ENOMEM;

	for (i = 0; !err && i < 1ULL << q->l2_bits; i++) {
		struct l2_entry entry = { be64toh(buf[i * q->entry_size / 8]), 0 };

		raw = entry.raw;
		if (q->data_file || !l2__has_cluster(q, entry) || (raw & QCOW2_OFFSET_MASK & (q->cluster_size - 1)) ||
		    !is_mark_wrong(c, raw))
			continue;
		note_mark(c, "data", raw, fix);
		buf[i * q->entry_size / 8] = htobe64(raw ^ QCOW2_COPIED);
		changed = true;
	}
	if (!err && changed && fix) {
		err = file__write(q->file, l2, buf, q->cluster_size);
		table_cache__forget(q, l2 >> q->cluster_bits, 1);
	}
	free(buf);
	return err;
}

static int check_marks(struct checker *c)
{
	struct qcow2 *q = c->q;
	bool fix = c->check->repair == IMAGE_REPAIR_ALL;
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < q->l1_size; i++) {
		uint64_t l2 = q->l1[i] & QCOW2_OFFSET_MASK;

		if (!l2 || (l2 & (q->cluster_size - 1)) || l2 >> q->cluster_bits >= c->clusters)
			continue;
		if (is_mark_wrong(c, q->l1[i])) {
			note_mark(c, "L2", q->l1[i], fix);
			if (fix) {
				q->l1[i] ^= QCOW2_COPIED;
				q->l1_dirty_from = 0;
				q->l1_dirty_to = q->l1_size;
				atomic_store(&q->dirty, true);
			}
		}
		err = check_marks_of_table(c, l2, fix);
	}
	return err;
}

static int map_users(struct checker *c)
{
	uint64_t size;
	int err = file__size(c->q->file, &size);

	if (err)
		return err;
	if (c->users)
		munmap(c->users, (c->clusters + 1) * sizeof(*c->users));
	c->users = NULL;
	c->clusters = qcow2_clusters(c->q, size);
	if (c->clusters > MAX_CLUSTERS)
		return -EFBIG;
	c->users = mmap(NULL, (c->clusters + 1) * sizeof(*c->users), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->users != MAP_FAILED)
		return 0;
	c->users = NULL;
	return -ENOMEM;
}

static int rebuild(struct checker *c)
{
	struct image_check *check = c->check;
	uint64_t found = check->corruptions;
	int err;

	/* Without those that there are: nothing refers to them afterwards. */
	err = count_all(c, false);
	if (!err)
		err = check__rebuild(c);
	if (!err)
		err = map_users(c);
	/* What the tables themselves have wrong stays. */
	check->corruptions = check->leaks = 0;
	if (!err)
		err = count_all(c, true);
	if (!err)
		err = compare(c);
	if (!err && found > check->corruptions)
		check->corruptions_fixed += found - check->corruptions;
	return err;
}

static int run(struct checker *c)
{
	struct image_check *check = c->check;
	int err = count_all(c, true);

	if (!err && !c->rebuild)
		err = compare(c);
	if (!err && c->rebuild && check->repair == IMAGE_REPAIR_ALL)
		err = rebuild(c);
	if (!err)
		err = check_marks(c);
	check->end_offset = (c->highest + 1) << c->q->cluster_bits;
	return err;
}

/* What was found and repaired is on the medium, and the header says so. */
static int finish(struct checker *c)
{
	struct qcow2 *q = c->q;
	int err;

	if (!q->node->write || c->check->repair == IMAGE_REPAIR_NONE)
		return 0;
	/* Refcounts go out even where they are lazy. */
	err = table_cache__write(q, TABLE_REFCOUNT);
	if (!err)
		err = qcow2_flush__all(q);
	if (err || c->check->corruptions || c->check->errors ||
	    !(q->incompatible & (QCOW2_INCOMPATIBLE_DIRTY | QCOW2_INCOMPATIBLE_CORRUPT)))
		return err;
	if (c->check->repair == IMAGE_REPAIR_ALL)
		q->incompatible &= ~(QCOW2_INCOMPATIBLE_DIRTY | QCOW2_INCOMPATIBLE_CORRUPT);
	return qcow2_header__write_features(q);
}

int qcow2__check(struct node *node, struct image_check *check, char *error, size_t error_size)
{
	struct checker c = { .q = node->private, .check = check };
	bool lazy = c.q->lazy;
	int err = map_users(&c);

	if (err)
		goto tell;
	/* Repairs are no changes that a crash makes wrong: no mark before them. */
	c.q->lazy = false;
	err = run(&c);
	if (!err)
		err = finish(&c);
	c.q->lazy = lazy;
tell:
	if (c.users)
		munmap(c.users, (c.clusters + 1) * sizeof(*c.users));
	if (err)
		snprintf(error, error_size, "%s: the check failed: %s", c.q->file->path, strerror(-err));
	return err;
}
