/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes: in place where the image has a cluster of its own, otherwise to new clusters, with what
 * the request leaves of them copied from what the guest sees there.
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"
#include "vmm/block/io/iov.h"

#define MAX_RUN (16ULL << 20) /* bytes that are allocated in one go */

/* Some clusters in a row that are written together. */
struct run {
	uint64_t start, end; /* the request's part, guest offsets */
	uint64_t from, to;   /* what is written: with the copies before and behind it */
	uint64_t host;	     /* of the first cluster */
	bool moves;	     /* to new clusters; otherwise one cluster stays where it is */
	struct l2_entry first, last; /* entries of the boundary clusters before */
};

int qcow2__release(struct qcow2 *q, struct l2_entry entry)
{
	uint64_t offset, bytes;

	if (q->data_file)
		return 0;
	if (entry.raw & QCOW2_PACKED) {
		l2__packed(q, entry, &offset, &bytes);
		return qcow2_flush__free_later(q, offset, bytes);
	}
	offset = entry.raw & QCOW2_OFFSET_MASK;
	if (!offset)
		return 0;
	if (offset & (q->cluster_size - 1))
		return qcow2__damaged(q, "cluster is misaligned", offset);
	return qcow2_flush__free_later(q, offset, q->cluster_size);
}

static bool can_stay(const struct qcow2 *q, struct l2_entry entry)
{
	return l2__has_cluster(q, entry) && (entry.raw & QCOW2_COPIED) &&
	       !(entry.raw & QCOW2_OFFSET_MASK & (q->cluster_size - 1));
}

/* Subclusters of which a new cluster needs a copy, as bits. */
static uint32_t subs_with_data(const struct qcow2 *q, struct l2_entry entry)
{
	uint32_t bits = 0;
	unsigned sub;

	for (sub = 0; sub < q->sub_count; sub++) {
		enum sub_kind kind = l2__kind(q, entry, sub);

		if (kind == SUB_DATA || kind == SUB_PACKED)
			bits |= 1u << sub;
	}
	return bits;
}

/* Where copies begin and end: with whole subclusters, and those that must come along. */
static void widen(const struct qcow2 *q, struct run *run)
{
	uint64_t mask = q->cluster_size - 1, sub_mask = (1ULL << q->sub_bits) - 1;
	uint32_t bits;
	unsigned sub;

	run->from = run->start & ~sub_mask;
	run->to = (run->end + sub_mask) & ~sub_mask;
	if (!run->moves || !q->extended)
		return;
	bits = subs_with_data(q, run->first);
	if (bits) {
		sub = __builtin_ctz(bits);
		if ((run->start & ~mask) + ((uint64_t)sub << q->sub_bits) < run->from)
			run->from = (run->start & ~mask) + ((uint64_t)sub << q->sub_bits);
	}
	bits = subs_with_data(q, run->last);
	if (bits) {
		sub = 32 - __builtin_clz(bits);
		if (((run->end - 1) & ~mask) + ((uint64_t)sub << q->sub_bits) > run->to)
			run->to = ((run->end - 1) & ~mask) + ((uint64_t)sub << q->sub_bits);
	}
}

/* What the guest sees; zeroes beyond the end of the disk, of which a cluster may have some. */
static int read_guest(struct qcow2 *q, uint64_t from, uint64_t to, uint8_t *buf)
{
	uint64_t size = atomic_load(&q->node->size);

	if (to > size) {
		uint64_t beyond = from > size ? from : size;

		memset(buf + (beyond - from), 0, to - beyond);
		to = beyond;
	}
	return to > from ? node__read(q->node, from, buf, to - from) : 0;
}

/* Writes the request's part with the copies around it. `skip`: where the part is in iov. */
static int write_run(struct qcow2 *q, const struct run *run, const struct iovec *iov, int count,
		     size_t skip)
{
	uint64_t head = run->start - run->from, tail = run->to - run->end;
	uint64_t host = run->host + (run->from & (q->cluster_size - 1));
	int slices = iov__slice_count(iov, count, skip, run->end - run->start), n = 0, err;
	struct iovec *list = calloc(slices + 2, sizeof(*list));
	uint8_t *copies = NULL;

	if (!list || posix_memalign((void **)&copies, 4096, head + tail + 4096)) {
		free(list);
		return -ENOMEM;
	}
	err = read_guest(q, run->from, run->start, copies);
	if (!err)
		err = read_guest(q, run->end, run->to, copies + head);
	if (head)
		list[n++] = (struct iovec){ copies, head };
	n += iov__slice(iov, count, skip, run->end - run->start, list + n);
	if (tail)
		list[n++] = (struct iovec){ copies + head, tail };
	if (!err)
		err = file__writev(qcow2_data(q), host, list, n);
	free(copies);
	free(list);
	return err;
}

/* The entry of a cluster after its part of the run was written. */
static struct l2_entry new_entry(const struct qcow2 *q, const struct run *run, uint64_t cluster,
				 struct l2_entry old, uint64_t host)
{
	uint64_t from = cluster > run->from ? cluster : run->from;
	uint64_t to = cluster + q->cluster_size < run->to ? cluster + q->cluster_size : run->to;
	struct l2_entry entry = { host | QCOW2_COPIED, 0 };
	unsigned first, last;
	uint32_t wrote, keep;

	if (!q->extended)
		return entry;
	/* The copies may span subclusters that the image does not have: these stay as they are. */
	first = (from - cluster) >> q->sub_bits;
	last = (to - cluster - 1) >> q->sub_bits;
	wrote = (last == 31 ? ~0u : (1u << (last + 1)) - 1) & ~((1u << first) - 1);
	if (run->moves) {
		uint64_t start = cluster > run->start ? cluster : run->start;
		uint64_t end = cluster + q->cluster_size < run->end ? cluster + q->cluster_size : run->end;

		first = (start - cluster) >> q->sub_bits;
		last = (end - cluster - 1) >> q->sub_bits;
		keep = (last == 31 ? ~0u : (1u << (last + 1)) - 1) & ~((1u << first) - 1);
		wrote &= keep | subs_with_data(q, old);
	}
	if (old.raw & QCOW2_PACKED)
		old.bitmap = 0;
	keep = run->moves ? 0 : (uint32_t)old.bitmap;
	entry.bitmap = (uint64_t)((uint32_t)(old.bitmap >> 32) & ~wrote) << 32 | keep | wrote;
	return entry;
}

/* Where the first subcluster with data begins, behind one that has none. */
static uint64_t end_of_gap(const struct qcow2 *q, struct l2_entry entry, uint64_t start, uint64_t end)
{
	uint64_t at = start;

	while (at < end && l2__kind(q, entry, at >> q->sub_bits & (q->sub_count - 1)) != SUB_DATA)
		at = ((at >> q->sub_bits) + 1) << q->sub_bits;
	return at < end ? at : end;
}

/* How far the run goes: clusters of one kind, none that is written in place. */
static void find_run(struct qcow2 *q, const struct table *table, struct run *run)
{
	uint64_t mask = q->cluster_size - 1, cluster = run->start & ~mask, limit;

	run->first = run->last = l2__load(q, table, run->start);
	run->moves = !can_stay(q, run->first);
	limit = cluster + (run->moves ? (MAX_RUN > q->cluster_size ? MAX_RUN : q->cluster_size) :
					q->cluster_size);
	if (limit > run->start + l2__reach(q, run->start))
		limit = run->start + l2__reach(q, run->start);
	if (run->end > limit)
		run->end = limit;
	/* What has data of its own is written in place by others at the same time: no copies of it. */
	if (!run->moves && q->extended)
		run->end = end_of_gap(q, run->first, run->start, run->end);
	for (cluster += q->cluster_size; cluster < run->end; cluster += q->cluster_size) {
		struct l2_entry entry = l2__load(q, table, cluster);

		if (can_stay(q, entry)) {
			run->end = cluster;
			break;
		}
		run->last = entry;
	}
}

static int place_run(struct qcow2 *q, const struct table *table, struct run *run)
{
	uint64_t mask = q->cluster_size - 1, want, got;
	int err;

	if (!run->moves) {
		run->host = run->first.raw & QCOW2_OFFSET_MASK;
		if (!q->data_file && cluster_set__has(&q->metadata, run->host >> q->cluster_bits))
			return qcow2__damaged(q, "data cluster holds metadata", run->host);
		return 0;
	}
	if (q->data_file) {
		run->host = run->start & ~mask;
		return 0;
	}
	want = ((run->end - 1) >> q->cluster_bits) - (run->start >> q->cluster_bits) + 1;
	err = refcount__alloc(q, want, &run->host, &got);
	if (err || got == want)
		return err;
	run->end = (run->start & ~mask) + (got << q->cluster_bits);
	run->last = l2__load(q, table, run->end - 1);
	return 0;
}

static int store_entries(struct qcow2 *q, struct table *table, const struct run *run)
{
	uint64_t cluster = run->start & ~(q->cluster_size - 1), host = run->host;
	int err = 0, one;

	for (; cluster < run->end; cluster += q->cluster_size, host += q->cluster_size) {
		struct l2_entry old = l2__load(q, table, cluster);

		l2__store(q, table, cluster, new_entry(q, run, cluster, old, host));
		one = run->moves ? qcow2__release(q, old) : 0;
		if (!err)
			err = one;
	}
	return err;
}

/* Writes from the start of a range to clusters that are to be allocated; *done bytes of it. */
static int write_new(struct qcow2 *q, uint64_t offset, uint64_t length, const struct iovec *iov,
		     int count, size_t skip, uint64_t *done)
{
	struct run run = { .start = offset, .end = offset + length };
	struct table *table;
	unsigned sub;
	int err = l2__get_for_write(q, offset, &table);

	if (err)
		return err;
	find_run(q, table, &run);
	for (sub = 0; sub < q->sub_count; sub++)
		if (l2__kind(q, run.first, sub) == SUB_BAD) {
			err = qcow2__damaged(q, "L2 entry is impossible, for guest offset", offset);
			goto put_table;
		}
	err = place_run(q, table, &run);
	if (err)
		goto put_table;
	widen(q, &run);
	err = write_run(q, &run, iov, count, skip);
	if (err) {
		/* Nothing refers to them yet. */
		if (run.moves && !q->data_file)
			refcount__change(q, run.host >> q->cluster_bits,
					 qcow2_clusters(q, run.end - (run.start & ~(q->cluster_size - 1))),
					 -1);
		goto put_table;
	}
	err = store_entries(q, table, &run);
	*done = run.end - run.start;
put_table:
	table_cache__put(table);
	return err;
}

static int write_in_place(struct qcow2 *q, const struct extent *extent, const struct iovec *iov,
			  int count, size_t skip)
{
	int slices = iov__slice_count(iov, count, skip, extent->length), err;
	struct iovec *list = calloc(slices, sizeof(*list));

	if (!list)
		return -ENOMEM;
	iov__slice(iov, count, skip, extent->length, list);
	err = file__writev(extent->file, extent->offset, list, slices);
	free(list);
	return err;
}

int qcow2__write(struct node *node, uint64_t offset, const struct iovec *iov, int count)
{
	uint64_t length = iov__length(iov, count), at = 0, done;
	struct qcow2 *q = node->private;
	struct extent extent;
	int err = q->corrupt ? -EIO : 0;

	for (; !err && at < length; at += done) {
		done = 0;
		err = qcow2__extent_for_write(q, offset + at, length - at, &extent);
		if (err)
			break;
		if (extent.kind == EXTENT_DATA) {
			done = extent.length;
			err = write_in_place(q, &extent, iov, count, at);
		} else {
			err = write_new(q, offset + at, length - at, iov, count, at, &done);
		}
	}
	return err;
}

int qcow2__preallocate(struct qcow2 *q)
{
	uint64_t size = (atomic_load(&q->node->size) + q->cluster_size - 1) & ~(q->cluster_size - 1);
	struct run run = { 0 };
	struct table *table;
	int err = 0;

	for (; !err && run.start < size; run.start = run.end) {
		run.end = size;
		err = l2__get_for_write(q, run.start, &table);
		if (err)
			return err;
		find_run(q, table, &run);
		err = place_run(q, table, &run);
		run.from = run.start;
		run.to = run.end;
		if (!err)
			err = store_entries(q, table, &run);
		table_cache__put(table);
	}
	return err;
}
