/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which clusters hold metadata: a set, so that a damaged or hostile table cannot lead guest data
 * over it.
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

static size_t first_slot(const struct cluster_set *set, uint64_t cluster)
{
	return (cluster * 0x9e3779b97f4a7c15ULL >> 20) & (set->room - 1);
}

static size_t find_slot(const struct cluster_set *set, uint64_t cluster)
{
	size_t at = first_slot(set, cluster);

	while (set->slot[at] && set->slot[at] != cluster + 1)
		at = (at + 1) & (set->room - 1);
	return at;
}

bool cluster_set__has(const struct cluster_set *set, uint64_t cluster)
{
	return set->room && set->slot[find_slot(set, cluster)];
}

static int grow_set(struct cluster_set *set)
{
	struct cluster_set bigger = { .room = set->room ? set->room * 2 : 64, .count = set->count };
	size_t i;

	bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (i = 0; i < set->room; i++)
		if (set->slot[i])
			bigger.slot[find_slot(&bigger, set->slot[i] - 1)] = set->slot[i];
	free(set->slot);
	*set = bigger;
	return 0;
}

int cluster_set__add(struct cluster_set *set, uint64_t cluster)
{
	size_t at;

	if (set->count * 2 >= set->room && grow_set(set))
		return -ENOMEM;
	at = find_slot(set, cluster);
	if (set->slot[at])
		return -EEXIST;
	set->slot[at] = cluster + 1;
	set->count++;
	return 0;
}

void cluster_set__remove(struct cluster_set *set, uint64_t cluster)
{
	size_t at, gap;

	if (!cluster_set__has(set, cluster))
		return;
	gap = find_slot(set, cluster);
	set->slot[gap] = 0;
	set->count--;
	/* What stands behind the gap because its own place was taken moves up. */
	for (at = (gap + 1) & (set->room - 1); set->slot[at]; at = (at + 1) & (set->room - 1)) {
		uint64_t value = set->slot[at];

		set->slot[at] = 0;
		set->slot[find_slot(set, value - 1)] = value;
	}
}

void cluster_set__free(struct cluster_set *set)
{
	free(set->slot);
	*set = (struct cluster_set){ 0 };
}

int qcow2_metadata__add(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	uint64_t cluster = offset >> q->cluster_bits, end = qcow2_clusters(q, offset + bytes);
	int err = 0;

	pthread_mutex_lock(&q->node->lock);
	for (; !err && cluster < end; cluster++)
		err = cluster_set__add(&q->metadata, cluster);
	pthread_mutex_unlock(&q->node->lock);
	return err == -EEXIST ? -EIO : err;
}

void qcow2_metadata__remove(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	uint64_t cluster = offset >> q->cluster_bits, end = qcow2_clusters(q, offset + bytes);

	pthread_mutex_lock(&q->node->lock);
	for (; cluster < end; cluster++)
		cluster_set__remove(&q->metadata, cluster);
	pthread_mutex_unlock(&q->node->lock);
}
