/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refcounts made anew from the users that a check has counted. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/check.h"

/* Blocks of the ranges that have a user, and of what is written here: [start, start + own). */
static bool is_needed(const struct checker *c, uint64_t block, uint64_t start, uint64_t own)
{
	uint64_t first = block << c->q->refs_bits, end = first + (1ULL << c->q->refs_bits), i;

	if (first < start + own && end > start)
		return true;
	for (i = first; i < end && i < c->clusters; i++)
		if (c->users[i])
			return true;
	return false;
}

static uint64_t count_needed(const struct checker *c, uint64_t blocks, uint64_t start, uint64_t own)
{
	uint64_t needed = 0, n;

	for (n = 0; n < blocks; n++)
		needed += is_needed(c, n, start, own);
	return needed;
}

static int write_block(struct checker *c, uint8_t *buf, uint64_t number, uint64_t at, uint64_t start,
		       uint64_t own)
{
	struct qcow2 *q = c->q;
	uint64_t first = number << q->refs_bits, i, users;

	memset(buf, 0, q->cluster_size);
	for (i = 0; i < 1ULL << q->refs_bits; i++) {
		users = first + i < c->clusters ? c->users[first + i] : 0;
		if (first + i >= start && first + i < start + own)
			users = 1;
		if (users > q->refcount_max)
			return -ERANGE;
		refcount__store(q, buf, i, users);
	}
	return file__write(q->file, at << q->cluster_bits, buf, q->cluster_size);
}

int check__rebuild(struct checker *c)
{
	struct qcow2 *q = c->q;
	uint64_t start = c->clusters, blocks, own = 1, before, table_clusters, at, n, *table, *out = NULL;
	uint8_t *buf = malloc(q->cluster_size), field[12];
	int err = buf ? 0 : -ENOMEM;

	check__say(c, "Rebuilding the refcounts");
	do {
		before = own;
		blocks = ((start + own) >> q->refs_bits) + 1;
		table_clusters = qcow2_clusters(q, blocks * 8);
		own = table_clusters + count_needed(c, blocks, start, own);
	} while (own != before);
	if (blocks * 8 > QCOW2_MAX_REFTABLE_BYTES)
		err = -EFBIG;
	table = calloc(table_clusters, q->cluster_size);
	out = calloc(table_clusters, q->cluster_size);
	if (!err && (!table || !out))
		err = -ENOMEM;
	at = start + table_clusters;
	for (n = 0; !err && n < blocks; n++) {
		if (!is_needed(c, n, start, own))
			continue;
		table[n] = at << q->cluster_bits;
		out[n] = htobe64(table[n]);
		err = write_block(c, buf, n, at++, start, own);
	}
	if (!err)
		err = file__write(q->file, start << q->cluster_bits, out, table_clusters << q->cluster_bits);
	if (!err)
		err = file__sync(q->file);
	put_be64(field, start << q->cluster_bits);
	put_be32(field + 8, table_clusters);
	if (!err)
		err = file__write(q->file, QCOW2_AT_REFTABLE_OFFSET, field, sizeof(field));
	if (!err)
		err = file__sync(q->file);
	free(buf);
	free(out);
	if (err) {
		free(table);
		return err;
	}
	/* What the old ones have in memory is of no use any more. */
	table_cache__forget(q, 0, UINT64_MAX);
	free(q->reftable);
	q->reftable = table;
	q->reftable_size = table_clusters * (q->cluster_size / 8);
	q->reftable_offset = start << q->cluster_bits;
	q->hint = 0;
	c->rebuild = false;
	return 0;
}
