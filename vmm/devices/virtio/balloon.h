/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory balloon (virtio 1.2, 5.5): what others ask and tell it. */
#ifndef VMM_DEVICES_VIRTIO_BALLOON_H
#define VMM_DEVICES_VIRTIO_BALLOON_H

#include <stdbool.h>
#include <stdint.h>

struct device;

/* Tags of statistics (5.5.6.4) */
enum balloon_stat {
	BALLOON_STAT_SWAP_IN,
	BALLOON_STAT_SWAP_OUT,
	BALLOON_STAT_MAJOR_FAULTS,
	BALLOON_STAT_MINOR_FAULTS,
	BALLOON_STAT_FREE,
	BALLOON_STAT_TOTAL,
	BALLOON_STAT_AVAILABLE,
	BALLOON_STAT_DISK_CACHES,
	BALLOON_STAT_HUGETLB_ALLOCATIONS,
	BALLOON_STAT_HUGETLB_FAILURES,
	BALLOON_STATS,
};

/*
 * How many bytes the guest is to do without. 0, or -EINVAL if it has no more than that. `dev` is of the class
 * virtio-balloon; any thread, without locks.
 */
int virtio_balloon__set_target(struct device *dev, uint64_t bytes);
/* How many it does without, as its driver says. Any thread. */
uint64_t virtio_balloon__actual(struct device *dev);
/* A value of the statistics that came last; false: the driver has told none. Any thread. */
bool virtio_balloon__stat(struct device *dev, enum balloon_stat stat, uint64_t *value);

#endif
