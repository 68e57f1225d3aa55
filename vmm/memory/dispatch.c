/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address dispatch over a sorted array that readers see through one pointer. */
#include "vmm/memory/dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

struct dispatch_table {
	struct dispatch_table *next_retired;
	unsigned count;
	/* Each reader's sequence when the table was retired; behind range[]. */
	unsigned *left_at;
	struct dispatch_range range[];
};

/* Odd while its thread is between look-up and the handler's return. */
struct dispatch_reader {
	_Alignas(CACHE_LINE) atomic_uint sequence;
};

struct dispatch {
	_Atomic(struct dispatch_table *) table;
	pthread_mutex_t lock; /* guards updates and retired */
	struct dispatch_table *retired;
	unsigned readers;
	struct dispatch_reader *reader;
};

static struct dispatch_table *allocate_table(const struct dispatch *dispatch, unsigned count)
{
	size_t ranges = sizeof(struct dispatch_range) * count;
	struct dispatch_table *table =
		malloc(sizeof(*table) + ranges + sizeof(unsigned) * dispatch->readers);

	if (table) {
		table->count = count;
		table->next_retired = NULL;
		table->left_at = (unsigned *)((char *)table->range + ranges);
	}
	return table;
}

int dispatch__create(struct dispatch **out, unsigned readers)
{
	struct dispatch *dispatch = calloc(1, sizeof(*dispatch));
	struct dispatch_table *table;

	if (!dispatch)
		return -ENOMEM;
	dispatch->readers = readers;
	dispatch->reader = aligned_alloc(CACHE_LINE, sizeof(*dispatch->reader) * (readers + !readers));
	table = allocate_table(dispatch, 0);
	if (!dispatch->reader || !table) {
		free(table);
		free(dispatch->reader);
		free(dispatch);
		return -ENOMEM;
	}
	memset(dispatch->reader, 0, sizeof(*dispatch->reader) * readers);
	atomic_init(&dispatch->table, table);
	pthread_mutex_init(&dispatch->lock, NULL);
	*out = dispatch;
	return 0;
}

void dispatch__destroy(struct dispatch *dispatch)
{
	if (!dispatch)
		return;
	while (dispatch->retired) {
		struct dispatch_table *table = dispatch->retired;

		dispatch->retired = table->next_retired;
		free(table);
	}
	free(atomic_load(&dispatch->table));
	pthread_mutex_destroy(&dispatch->lock);
	free(dispatch->reader);
	free(dispatch);
}

/* Whether every reader that could have seen the table has left it since. */
static bool is_abandoned(struct dispatch *dispatch, const struct dispatch_table *table)
{
	unsigned i;

	for (i = 0; i < dispatch->readers; i++)
		if (table->left_at[i] % 2 &&
		    atomic_load(&dispatch->reader[i].sequence) == table->left_at[i])
			return false;
	return true;
}

/* Makes `table` the one that look-ups see. An old one is freed at a later update. */
static void publish(struct dispatch *dispatch, struct dispatch_table *table)
{
	struct dispatch_table *old = atomic_exchange(&dispatch->table, table);
	struct dispatch_table **link = &dispatch->retired;
	unsigned i;

	/* Sequentially consistent with enter(): who is even here will see the new table. */
	for (i = 0; i < dispatch->readers; i++)
		old->left_at[i] = atomic_load(&dispatch->reader[i].sequence);
	old->next_retired = dispatch->retired;
	dispatch->retired = old;
	while (*link) {
		struct dispatch_table *retired = *link;

		if (is_abandoned(dispatch, retired)) {
			*link = retired->next_retired;
			free(retired);
		} else {
			link = &retired->next_retired;
		}
	}
}

/* Index of the first range that ends beyond `address`. */
static unsigned find_range(const struct dispatch_table *table, uint64_t address)
{
	unsigned low = 0, high = table->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct dispatch_range *range = &table->range[middle];

		if (address > range->start + (range->size - 1))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_locked(struct dispatch *dispatch, const struct dispatch_range *range)
{
	struct dispatch_table *old = atomic_load(&dispatch->table), *table;
	unsigned at = find_range(old, range->start);

	if (at < old->count && old->range[at].start <= range->start + (range->size - 1))
		return -EBUSY;
	table = allocate_table(dispatch, old->count + 1);
	if (!table)
		return -ENOMEM;
	memcpy(table->range, old->range, sizeof(*range) * at);
	table->range[at] = *range;
	memcpy(&table->range[at + 1], &old->range[at], sizeof(*range) * (old->count - at));
	publish(dispatch, table);
	return 0;
}

int dispatch__add(struct dispatch *dispatch, const struct dispatch_range *range)
{
	bool width_ok = range->width == 1 || range->width == 2 || range->width == 4 ||
			range->width == 8;
	int err;

	if (!width_ok || !range->handler || !range->size ||
	    range->start + (range->size - 1) < range->start)
		return -EINVAL;
	pthread_mutex_lock(&dispatch->lock);
	err = add_locked(dispatch, range);
	pthread_mutex_unlock(&dispatch->lock);
	return err;
}

static int remove_locked(struct dispatch *dispatch, uint64_t start)
{
	struct dispatch_table *old = atomic_load(&dispatch->table), *table;
	unsigned at = find_range(old, start);

	if (at == old->count || old->range[at].start != start)
		return -ENOENT;
	table = allocate_table(dispatch, old->count - 1);
	if (!table)
		return -ENOMEM;
	memcpy(table->range, old->range, sizeof(*table->range) * at);
	memcpy(&table->range[at], &old->range[at + 1],
	       sizeof(*table->range) * (old->count - at - 1));
	publish(dispatch, table);
	return 0;
}

int dispatch__remove(struct dispatch *dispatch, uint64_t start)
{
	int err;

	pthread_mutex_lock(&dispatch->lock);
	err = remove_locked(dispatch, start);
	pthread_mutex_unlock(&dispatch->lock);
	return err;
}

/* The largest power of two that is no more than `size` and `limit`. */
static unsigned piece_of(unsigned size, unsigned limit)
{
	unsigned piece = limit;

	while (piece > size)
		piece /= 2;
	return piece;
}

static void call_handler(const struct dispatch_range *range, uint64_t address, bool write,
			 uint8_t *data, unsigned size)
{
	struct access access = { .offset = address - range->start,
				 .value = ~0ULL,
				 .size = (uint8_t)size,
				 .write = write };

	if (write) {
		access.value = 0;
		memcpy(&access.value, data, size);
	}
	range->handler(range->opaque, &access);
	if (!write)
		memcpy(data, &access.value, size);
}

void dispatch__access(struct dispatch *dispatch, unsigned reader, uint64_t address, bool write,
		      void *data, unsigned size)
{
	atomic_uint *sequence = &dispatch->reader[reader].sequence;
	const struct dispatch_table *table;
	uint8_t *bytes = data;

	if (!write)
		memset(bytes, 0xff, size);
	/* Before the table is read: an updater that misses this sees us use its new table. */
	atomic_fetch_add(sequence, 1);
	table = atomic_load(&dispatch->table);
	while (size) {
		unsigned at = find_range(table, address);
		const struct dispatch_range *range = &table->range[at];
		unsigned piece = 1;

		if (at < table->count && range->start <= address) {
			piece = piece_of(size, range->width);
			call_handler(range, address, write, bytes, piece);
		}
		address += piece;
		bytes += piece;
		size -= piece;
	}
	atomic_fetch_add_explicit(sequence, 1, memory_order_release);
}
