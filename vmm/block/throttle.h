/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rate limits: leaky buckets for operations and bytes, shared by all queues of a disk. */
#ifndef VMM_BLOCK_THROTTLE_H
#define VMM_BLOCK_THROTTLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/block/block.h"

struct throttle_bucket {
	double rate, burst, seconds;
	double level, burst_level; /* units that have passed and not leaked away yet */
};

struct throttle {
	pthread_mutex_t lock; /* buckets, unit, at */
	struct throttle_bucket bucket[BLOCK_LIMIT_COUNT];
	uint64_t unit;
	uint64_t at; /* loop__now() up to which the buckets have leaked */
	atomic_bool active;
};

void throttle__init(struct throttle *throttle);
void throttle__destroy(struct throttle *throttle);
void throttle__set(struct throttle *throttle, const struct block_limit *limit, uint64_t unit);
/*
 * A request of that many bytes wants to pass at `now` (nanoseconds). Returns 0: it does, and is
 * accounted. Otherwise the nanoseconds to wait before asking again.
 */
uint64_t throttle__pass(struct throttle *throttle, bool write, uint64_t bytes, uint64_t now);

#endif
