/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internal snapshots: create, apply, delete, list, and a view of one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "vmm/block/formats/qcow2/qcow2.h"
#include "vmm/block/image.h"

/* ---- users of everything that an L1 table leads to ---- */

static int change_entry(struct qcow2 *q, struct l2_entry entry, int by)
{
	uint64_t offset, bytes, first;

	if (entry.raw & QCOW2_PACKED) {
		l2__packed(q, entry, &offset, &bytes);
		first = offset >> q->cluster_bits;
		return refcount__change(q, first, qcow2_clusters(q, offset + bytes) - first, by);
	}
	offset = entry.raw & QCOW2_OFFSET_MASK;
	return offset ? refcount__change(q, offset >> q->cluster_bits, 1, by) : 0;
}

/* The first *steps entries of the table; *steps says afterwards how many were done. */
static int change_table(struct qcow2 *q, uint64_t l2, int by, uint64_t *steps)
{
	uint64_t limit = *steps, i, count = 1ULL << q->l2_bits;
	uint64_t *buf = malloc(q->cluster_size);
	int err = buf ? file__read(q->file, l2, buf, q->cluster_size) : -ENOMEM;

	*steps = 0;
	for (i = 0; !err && i < count && *steps < limit; i++) {
		struct l2_entry entry = { be64toh(buf[i * q->entry_size / 8]), 0 };

		err = change_entry(q, entry, by);
		if (!err)
			++*steps;
	}
	free(buf);
	return err;
}

/* Adds or takes a user. What it cannot do whole it does not do. L2 tables are flushed. */
static int change_all(struct qcow2 *q, const uint64_t *l1, uint32_t size, int by)
{
	uint64_t all = 1ULL << q->l2_bits, steps = 0;
	uint32_t i;
	int err = 0;

	for (i = 0; i < size; i++) {
		uint64_t l2 = l1[i] & QCOW2_OFFSET_MASK;

		steps = all;
		if (!l2)
			continue;
		if (l2 & (q->cluster_size - 1)) {
			steps = 0;
			err = qcow2__damaged(q, "L2 table is misaligned", l2);
			break;
		}
		err = change_table(q, l2, by, &steps);
		if (!err) {
			err = refcount__change(q, l2 >> q->cluster_bits, 1, by);
			if (err)
				steps = all;
		}
		if (err)
			break;
	}
	if (!err || by < 0)
		return err;
	change_table(q, l1[i] & QCOW2_OFFSET_MASK, -by, &steps);
	while (i--) {
		steps = all;
		if (!(l1[i] & QCOW2_OFFSET_MASK))
			continue;
		change_table(q, l1[i] & QCOW2_OFFSET_MASK, -by, &steps);
		refcount__change(q, (l1[i] & QCOW2_OFFSET_MASK) >> q->cluster_bits, 1, -by);
	}
	return err;
}

/* ---- the marks that say that a refcount is one ---- */

static int mark_piece(struct qcow2 *q, uint64_t guest, bool look)
{
	uint64_t end = guest + l2__reach(q, guest), count;
	struct table *table;
	int err = l2__get(q, guest, &table);

	if (err || !table)
		return err;
	for (; !err && guest < end; guest += q->cluster_size) {
		struct l2_entry entry = l2__load(q, table, guest), other = entry;

		if (!l2__has_cluster(q, entry))
			continue;
		count = 0;
		if (look)
			err = refcount__get(q, (entry.raw & QCOW2_OFFSET_MASK) >> q->cluster_bits, &count);
		other.raw = (entry.raw & ~QCOW2_COPIED) | (count == 1 ? QCOW2_COPIED : 0);
		if (!err && other.raw != entry.raw)
			l2__store(q, table, guest, other);
	}
	table_cache__put(table);
	return err;
}

/* Sets the marks of the active tables by their refcounts; without `look`, takes all away. */
static int mark_all(struct qcow2 *q, bool look)
{
	uint64_t span = 1ULL << (q->cluster_bits + q->l2_bits), guest, count;
	uint32_t i;
	int err = qcow2_flush__begin(q);

	for (i = 0; !err && i < q->l1_size; i++) {
		uint64_t l2 = q->l1[i] & QCOW2_OFFSET_MASK;

		if (!l2)
			continue;
		for (guest = i * span; !err && guest < (i + 1) * span; guest += l2__reach(q, guest))
			err = mark_piece(q, guest, look);
		count = 0;
		if (!err && look)
			err = refcount__get(q, l2 >> q->cluster_bits, &count);
		pthread_mutex_lock(&q->node->lock);
		q->l1[i] = l2 | (count == 1 ? QCOW2_COPIED : 0);
		pthread_mutex_unlock(&q->node->lock);
	}
	q->l1_dirty_from = 0;
	q->l1_dirty_to = q->l1_size;
	return err;
}

/* ---- the operations ---- */

static int read_l1(struct qcow2 *q, const struct snapshot *s, uint64_t **out)
{
	uint64_t *l1 = calloc(s->l1_size + 1, 8);
	uint32_t i;
	int err = l1 ? file__read(q->file, s->l1_offset, l1, s->l1_size * 8ULL) : -ENOMEM;

	if (err) {
		free(l1);
		return err;
	}
	for (i = 0; i < s->l1_size; i++)
		l1[i] = be64toh(l1[i]);
	*out = l1;
	return 0;
}

static int write_l1_copy(struct qcow2 *q, uint64_t offset)
{
	uint64_t *out = malloc(q->l1_size * 8ULL + 8);
	uint32_t i;
	int err;

	if (!out)
		return -ENOMEM;
	for (i = 0; i < q->l1_size; i++)
		out[i] = htobe64(q->l1[i]);
	err = file__write(q->file, offset, out, q->l1_size * 8ULL);
	free(out);
	return err;
}

static struct snapshot *find_snapshot(struct qcow2 *q, const char *name)
{
	uint32_t i;

	for (i = 0; i < q->snapshot_count; i++)
		if (!strcmp(q->snapshot[i].id, name))
			return &q->snapshot[i];
	for (i = 0; i < q->snapshot_count; i++)
		if (!strcmp(q->snapshot[i].name, name))
			return &q->snapshot[i];
	return NULL;
}

static int find_or_tell(struct qcow2 *q, const char *name, struct snapshot **s, char *error,
			size_t error_size)
{
	*s = find_snapshot(q, name);
	if (*s)
		return 0;
	snprintf(error, error_size, "%s: has no snapshot \"%s\"", q->file->path, name);
	return -ENOENT;
}

static int tell(struct qcow2 *q, int err, const char *what, const char *name, char *error,
		size_t error_size)
{
	if (err)
		snprintf(error, error_size, "%s: snapshot \"%s\" cannot be %s: %s", q->file->path, name,
			 what, err == -ERANGE ? "a refcount is too narrow for one more user" : strerror(-err));
	return err;
}

/* A row at the end of the table, with the next number as id. */
static int add_row(struct qcow2 *q, const char *name, struct snapshot **out)
{
	struct snapshot *rows = realloc(q->snapshot, (q->snapshot_count + 1) * sizeof(*rows)), *s;
	unsigned long id = 0, one;
	struct timespec now;
	char text[32];
	uint32_t i;

	if (!rows)
		return -ENOMEM;
	q->snapshot = rows;
	for (i = 0; i < q->snapshot_count; i++) {
		one = strtoul(rows[i].id, NULL, 10);
		id = one > id ? one : id;
	}
	snprintf(text, sizeof(text), "%lu", id + 1);
	clock_gettime(CLOCK_REALTIME, &now);
	s = &rows[q->snapshot_count];
	*s = (struct snapshot){ .l1_size = q->l1_size, .id = strdup(text), .name = strdup(name),
				.seconds = now.tv_sec, .nanoseconds = now.tv_nsec,
				.disk_size = atomic_load(&q->node->size), .icount = UINT64_MAX };
	if (!s->id || !s->name) {
		free(s->id);
		free(s->name);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

static int create_snapshot(struct qcow2 *q, const char *name)
{
	struct snapshot *s;
	int err = qcow2_flush__settle(q);

	/* Without the marks nothing is written in place any more: from then on users may be added. */
	if (!err)
		err = mark_all(q, false);
	if (!err)
		err = qcow2_flush__all(q);
	if (!err)
		err = change_all(q, q->l1, q->l1_size, 1);
	if (!err)
		err = add_row(q, name, &s);
	else
		mark_all(q, true);
	if (err)
		return err;
	if (q->l1_size)
		err = refcount__alloc_area(q, q->l1_size * 8ULL, &s->l1_offset);
	if (!err && q->l1_size)
		err = qcow2_metadata__add(q, s->l1_offset, q->l1_size * 8ULL);
	if (!err)
		err = write_l1_copy(q, s->l1_offset);
	if (!err) {
		q->snapshot_count++;
		err = snapshot_table__write(q);
		q->snapshot_count -= err != 0;
	}
	if (err) {
		/* The additional users stay: space that a check finds. */
		free(s->id);
		free(s->name);
	}
	return err;
}

int qcow2__snapshot_create(struct node *node, const char *name, char *error, size_t error_size)
{
	struct qcow2 *q = node->private;
	int err;

	if (q->data_file) {
		snprintf(error, error_size, "%s: images with an external data file have no snapshots",
			 q->file->path);
		return -ENOTSUP;
	}
	if (!*name || strlen(name) > 255) {
		snprintf(error, error_size, "snapshot \"%s\": the name must have 1 to 255 bytes", name);
		return -EINVAL;
	}
	if (find_snapshot(q, name)) {
		snprintf(error, error_size, "%s: has a snapshot \"%s\" already", q->file->path, name);
		return -EEXIST;
	}
	if (q->snapshot_count >= QCOW2_MAX_SNAPSHOTS)
		return tell(q, -EFBIG, "made", name, error, error_size);
	node__exclude(node);
	err = create_snapshot(q, name);
	node__include(node);
	return tell(q, err, "made", name, error, error_size);
}

static int remove_row(struct qcow2 *q, struct snapshot *s, struct snapshot *removed)
{
	size_t at = s - q->snapshot;

	*removed = *s;
	memmove(s, s + 1, (q->snapshot_count - at - 1) * sizeof(*s));
	q->snapshot_count--;
	return snapshot_table__write(q);
}

static int delete_snapshot(struct qcow2 *q, struct snapshot *s)
{
	struct snapshot removed = { 0 };
	uint64_t *l1 = NULL;
	int err = qcow2_flush__settle(q);

	if (!err)
		err = read_l1(q, s, &l1);
	if (err)
		return err;
	err = remove_row(q, s, &removed);
	if (!err)
		err = change_all(q, l1, removed.l1_size, -1);
	if (!err && removed.l1_size) {
		qcow2_metadata__remove(q, removed.l1_offset, removed.l1_size * 8ULL);
		err = refcount__change(q, removed.l1_offset >> q->cluster_bits,
				       qcow2_clusters(q, removed.l1_size * 8ULL), -1);
	}
	if (!err)
		err = qcow2_flush__all(q);
	if (!err)
		err = mark_all(q, true);
	if (!err)
		err = qcow2_flush__settle(q);
	free(l1);
	free(removed.id);
	free(removed.name);
	free(removed.extra);
	return err;
}

int qcow2__snapshot_delete(struct node *node, const char *name, char *error, size_t error_size)
{
	struct qcow2 *q = node->private;
	struct snapshot *s;
	int err = find_or_tell(q, name, &s, error, error_size);

	if (err)
		return err;
	node__exclude(node);
	err = delete_snapshot(q, s);
	node__include(node);
	return tell(q, err, "deleted", name, error, error_size);
}

static int write_size(struct qcow2 *q, uint64_t size)
{
	uint8_t field[8];

	put_be64(field, size);
	return file__write(q->file, QCOW2_AT_SIZE, field, sizeof(field));
}

static int apply_snapshot(struct qcow2 *q, struct snapshot *s, char *error, size_t error_size)
{
	uint64_t *l1 = NULL, *old = NULL, size = (s->disk_size + 511) & ~511ULL;
	uint32_t i;
	int err = qcow2_flush__settle(q);

	if (!err)
		err = read_l1(q, s, &l1);
	if (!err && s->l1_size > q->l1_size)
		err = qcow2__grow_l1(q, s->l1_size);
	if (!err)
		err = change_all(q, l1, s->l1_size, 1);
	if (!err)
		err = qcow2_flush__all(q);
	old = malloc(q->l1_size * 8ULL + 8);
	if (!err && !old)
		err = -ENOMEM;
	if (err)
		goto free_tables;
	memcpy(old, q->l1, q->l1_size * 8ULL);
	for (i = 0; i < q->l1_size; i++)
		q->l1[i] = i < s->l1_size ? l1[i] & ~QCOW2_COPIED : 0;
	q->l1_dirty_from = 0;
	q->l1_dirty_to = q->l1_size;
	err = qcow2_flush__all(q);
	if (!err && size != atomic_load(&q->node->size))
		err = write_size(q, size);
	if (!err)
		atomic_store(&q->node->size, size);
	/* Both are right now; the old one goes. */
	if (!err)
		err = change_all(q, old, q->l1_size, -1);
	if (!err)
		err = qcow2_flush__all(q);
	if (!err)
		err = mark_all(q, true);
	if (!err)
		err = qcow2_flush__settle(q);
	if (!err)
		err = qcow2__note_metadata(q, error, error_size);
free_tables:
	free(l1);
	free(old);
	return err;
}

int qcow2__snapshot_apply(struct node *node, const char *name, char *error, size_t error_size)
{
	struct qcow2 *q = node->private;
	struct snapshot *s;
	int err = find_or_tell(q, name, &s, error, error_size);

	if (err)
		return err;
	node__exclude(node);
	err = apply_snapshot(q, s, error, error_size);
	node__include(node);
	return tell(q, err, "applied", name, error, error_size);
}

int qcow2__snapshot_get(struct node *node, unsigned n, struct image_snapshot *out)
{
	struct qcow2 *q = node->private;
	const struct snapshot *s;

	if (n >= q->snapshot_count)
		return -ENOENT;
	s = &q->snapshot[n];
	*out = (struct image_snapshot){ .size = s->disk_size, .vm_state_size = s->vm_state_size,
					.seconds = s->seconds, .nanoseconds = s->nanoseconds,
					.vm_clock = s->vm_clock, .icount = s->icount };
	snprintf(out->id, sizeof(out->id), "%s", s->id);
	snprintf(out->name, sizeof(out->name), "%s", s->name);
	return 0;
}

int qcow2__snapshot_view(struct node *node, const char *name, char *error, size_t error_size)
{
	struct qcow2 *q = node->private;
	struct snapshot *s;
	uint64_t *l1;
	int err = find_or_tell(q, name, &s, error, error_size);

	if (err)
		return err;
	if (node->write) {
		snprintf(error, error_size, "%s: a snapshot can only be read", q->file->path);
		return -EROFS;
	}
	err = read_l1(q, s, &l1);
	if (err)
		return tell(q, err, "read", name, error, error_size);
	free(q->l1);
	q->l1 = l1;
	q->l1_size = s->l1_size;
	atomic_store(&node->size, (s->disk_size + 511) & ~511ULL);
	return 0;
}
