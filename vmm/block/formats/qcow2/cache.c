/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * L2 tables and refcount blocks in memory, in pieces of at most 64 KiB: the least recently used one
 * makes room. Only slow calls change the cache; map() looks into it with node->lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vmm/block/formats/qcow2/qcow2.h"

#define MIN_TABLES 16u /* more than are ever pinned at once */

static struct table **hash_of(struct qcow2 *q, uint64_t offset)
{
	uint64_t key = offset / q->piece;

	return &q->cache.hash[(key ^ key >> 12) & q->cache.hash_mask];
}

int table_cache__create(struct qcow2 *q, uint64_t bytes)
{
	struct table_cache *cache = &q->cache;
	unsigned i, buckets = 16;

	cache->count = bytes / q->piece < MIN_TABLES ? MIN_TABLES : bytes / q->piece;
	while (buckets < cache->count)
		buckets *= 2;
	cache->hash_mask = buckets - 1;
	cache->hash = calloc(buckets, sizeof(*cache->hash));
	cache->table = calloc(cache->count, sizeof(*cache->table));
	/* Pages that are never used cost nothing; and they fit direct I/O. */
	cache->memory = mmap(NULL, (size_t)cache->count * q->piece, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cache->memory == MAP_FAILED)
		cache->memory = NULL;
	if (!cache->hash || !cache->table || !cache->memory)
		return -ENOMEM;
	for (i = 0; i < cache->count; i++)
		cache->table[i].data = cache->memory + (size_t)i * q->piece;
	return 0;
}

void table_cache__destroy(struct qcow2 *q)
{
	if (q->cache.memory)
		munmap(q->cache.memory, (size_t)q->cache.count * q->piece);
	free(q->cache.table);
	free(q->cache.hash);
}

struct table *table_cache__peek(struct qcow2 *q, uint64_t offset)
{
	struct table *table = *hash_of(q, offset);

	while (table && table->offset != offset)
		table = table->next;
	if (table)
		table->used = ++q->cache.clock;
	return table;
}

static void unhash(struct qcow2 *q, struct table *table)
{
	struct table **at = hash_of(q, table->offset);

	while (*at != table)
		at = &(*at)->next;
	*at = table->next;
	table->offset = 0;
}

static int write_table(struct qcow2 *q, struct table *table)
{
	uint32_t align = q->file->align > 512 ? q->file->align : 512;
	uint32_t from = table->dirty_from & ~(align - 1), to = (table->dirty_to + align - 1) & ~(align - 1);
	int err;

	if (to > q->piece)
		to = q->piece;
	err = file__write(q->file, table->offset + from, table->data + from, to - from);
	if (!err)
		table->dirty_from = table->dirty_to = 0;
	return err;
}

bool table_cache__is_dirty(const struct qcow2 *q, enum table_kind kind)
{
	unsigned i;

	for (i = 0; i < q->cache.count; i++) {
		const struct table *table = &q->cache.table[i];

		if (table->kind == kind && table->dirty_from != table->dirty_to)
			return true;
	}
	return false;
}

int table_cache__write(struct qcow2 *q, enum table_kind kind)
{
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < q->cache.count; i++) {
		struct table *table = &q->cache.table[i];

		if (table->kind == kind && table->dirty_from != table->dirty_to)
			err = write_table(q, table);
	}
	return err;
}

static struct table *find_victim(struct qcow2 *q)
{
	struct table *victim = NULL;
	unsigned i;

	for (i = 0; i < q->cache.count; i++) {
		struct table *table = &q->cache.table[i];

		if (table->pins)
			continue;
		if (!table->offset)
			return table;
		if (!victim || table->used < victim->used)
			victim = table;
	}
	return victim;
}

/* A table that is empty and clean. */
static int make_room(struct qcow2 *q, struct table **out)
{
	struct table *table;
	int err;

	pthread_mutex_lock(&q->node->lock);
	table = find_victim(q);
	pthread_mutex_unlock(&q->node->lock);
	if (!table)
		return -ENOMEM;
	if (table->offset && table->dirty_from != table->dirty_to) {
		/* L2 tables go out in their order, all of them; refcounts may at any time. */
		err = table->kind == TABLE_L2 ? qcow2_flush__tables(q) : write_table(q, table);
		if (err)
			return err;
	}
	pthread_mutex_lock(&q->node->lock);
	if (table->offset)
		unhash(q, table);
	pthread_mutex_unlock(&q->node->lock);
	*out = table;
	return 0;
}

int table_cache__get(struct qcow2 *q, enum table_kind kind, uint64_t offset, struct table **out)
{
	struct table *table;
	int err;

	pthread_mutex_lock(&q->node->lock);
	table = table_cache__peek(q, offset);
	if (table)
		table->pins++;
	pthread_mutex_unlock(&q->node->lock);
	if (table) {
		*out = table;
		return 0;
	}
	err = make_room(q, &table);
	if (!err)
		err = file__read(q->file, offset, table->data, q->piece);
	if (err)
		return err;
	pthread_mutex_lock(&q->node->lock);
	table->kind = kind;
	table->offset = offset;
	table->dirty_from = table->dirty_to = 0;
	table->used = ++q->cache.clock;
	table->pins = 1;
	table->next = *hash_of(q, offset);
	*hash_of(q, offset) = table;
	pthread_mutex_unlock(&q->node->lock);
	*out = table;
	return 0;
}

void table_cache__put(struct table *table)
{
	if (table)
		table->pins--;
}

void table_cache__soil(struct qcow2 *q, struct table *table, uint32_t from, uint32_t to)
{
	if (table->dirty_from == table->dirty_to) {
		table->dirty_from = from;
		table->dirty_to = to;
	}
	if (from < table->dirty_from)
		table->dirty_from = from;
	if (to > table->dirty_to)
		table->dirty_to = to;
	atomic_store(&q->dirty, true);
}

void table_cache__forget(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	unsigned i;

	pthread_mutex_lock(&q->node->lock);
	for (i = 0; i < q->cache.count; i++) {
		struct table *table = &q->cache.table[i];
		uint64_t at = table->offset >> q->cluster_bits;

		if (!table->offset || table->pins || at < cluster || at - cluster >= count)
			continue;
		unhash(q, table);
		table->dirty_from = table->dirty_to = 0;
	}
	pthread_mutex_unlock(&q->node->lock);
}
