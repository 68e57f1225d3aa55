/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which an image's parts reach the medium:
 *
 *	1. data, refcounts (those that lose a user have waited for 3 of an earlier flush), and new L2
 *	   tables as they are made: empty, or a copy of a shared one
 *	   sync
 *	2. L2 tables and L1 entries; there is no order between them, because an L2 table that is
 *	   behind only lacks what has not been flushed
 *	   sync
 *	3. only now: what 1 and 2 no longer refer to loses a user, in memory
 *
 * With lazy refcounts, refcounts are written when the cache is short of room and at close; a bit in
 * the header, set before anything else, says that they are to be counted anew after a crash.
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

#define MANY_FREED 8192u

int qcow2_flush__begin(struct qcow2 *q)
{
	int err;

	if (q->corrupt)
		return -EIO;
	atomic_store(&q->dirty, true);
	if (!q->lazy || (q->incompatible & QCOW2_INCOMPATIBLE_DIRTY))
		return 0;
	q->incompatible |= QCOW2_INCOMPATIBLE_DIRTY;
	err = qcow2_header__write_features(q);
	if (err)
		q->incompatible &= ~QCOW2_INCOMPATIBLE_DIRTY;
	else
		q->marked = true;
	return err;
}

static int sync_files(struct qcow2 *q)
{
	int err = q->data_file ? file__sync(q->data_file) : 0, other = file__sync(q->file);

	return err ? err : other;
}

static int write_l1(struct qcow2 *q)
{
	uint32_t from = q->l1_dirty_from, count = q->l1_dirty_to - from, i;
	uint64_t *out;
	int err;

	out = malloc((size_t)count * 8);
	if (!out)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		out[i] = htobe64(q->l1[from + i]);
	err = file__write(q->file, q->l1_offset + (uint64_t)from * 8, out, (size_t)count * 8);
	if (!err)
		q->l1_dirty_from = q->l1_dirty_to = 0;
	free(out);
	return err;
}

int qcow2_flush__tables(struct qcow2 *q)
{
	bool l1 = q->l1_dirty_from != q->l1_dirty_to;
	int err = 0;

	if (q->corrupt)
		return -EIO;
	if (!q->lazy)
		err = table_cache__write(q, TABLE_REFCOUNT);
	if (err || (!l1 && !table_cache__is_dirty(q, TABLE_L2)))
		return err;
	err = sync_files(q);
	if (!err)
		err = table_cache__write(q, TABLE_L2);
	if (!err && l1)
		err = write_l1(q);
	return err;
}

int qcow2_flush__free_later(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	uint64_t cluster = offset >> q->cluster_bits, end = qcow2_clusters(q, offset + bytes);
	struct freed_list *list = &q->freed;
	struct freed *last = list->count ? &list->item[list->count - 1] : NULL;

	if (last && last->cluster + last->count == cluster) {
		last->count += end - cluster;
		return 0;
	}
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct freed *item = realloc(list->item, room * sizeof(*item));

		/* The space is lost until a check finds it; the operation itself is done. */
		if (!item)
			return 0;
		list->item = item;
		list->room = room;
	}
	list->item[list->count++] = (struct freed){ cluster, end - cluster };
	return list->count >= MANY_FREED ? qcow2_flush__all(q) : 0;
}

/* Gives the space of unused clusters back to the host. */
static void punch(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	uint64_t users;

	if (!q->node->discard)
		return;
	while (count) {
		uint64_t run = 0;

		while (run < count && !refcount__get(q, cluster + run, &users) && !users)
			run++;
		/* That the host cannot do it is no error: the clusters are free all the same. */
		if (run)
			q->file->class->zero(q->file, cluster << q->cluster_bits,
					     run << q->cluster_bits, true);
		run += run < count;
		cluster += run;
		count -= run;
	}
}

static int expire(struct qcow2 *q)
{
	struct freed_list list = q->expiring;
	size_t i;
	int err = 0;

	/* Taken away first: what happens here may end in another flush. */
	q->expiring = (struct freed_list){ 0 };
	for (i = 0; !err && i < list.count; i++) {
		err = refcount__change(q, list.item[i].cluster, list.item[i].count, -1);
		if (!err)
			punch(q, list.item[i].cluster, list.item[i].count);
	}
	free(list.item);
	return err;
}

int qcow2_flush__all(struct qcow2 *q)
{
	int err = qcow2_flush__tables(q);

	if (!err)
		err = sync_files(q);
	if (err)
		return err;
	atomic_store(&q->dirty, false);
	if (q->expiring.count && node__grace_over(q->node, q->grace))
		err = expire(q);
	if (!err && !q->expiring.count && q->freed.count) {
		free(q->expiring.item);
		q->expiring = q->freed;
		q->freed = (struct freed_list){ 0 };
		q->grace = node__grace(q->node);
		if (node__grace_over(q->node, q->grace))
			err = expire(q);
	}
	return err;
}

int qcow2_flush__settle(struct qcow2 *q)
{
	int err = qcow2_flush__all(q);

	while (!err && (q->freed.count || q->expiring.count))
		err = qcow2_flush__all(q);
	/* The last refcounts that went down. */
	return err ? err : qcow2_flush__all(q);
}
