/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rate limits: leaky buckets for operations and bytes, shared by all queues of a device. */
#ifndef VMM_THROTTLE_THROTTLE_H
#define VMM_THROTTLE_THROTTLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Average rate per second (0: no limit), and what may be done above it after a pause. */
struct throttle_limit {
	uint64_t rate;
	uint64_t burst;		/* rate while bursting; 0: a tenth of a second's worth may pass at once */
	uint64_t burst_seconds; /* how long a burst may last, from 1; 0: 1 */
};

enum throttle_index {
	THROTTLE_OPS,
	THROTTLE_READ_OPS,
	THROTTLE_WRITE_OPS,
	THROTTLE_BYTES,
	THROTTLE_READ_BYTES,
	THROTTLE_WRITE_BYTES,
	THROTTLE_COUNT
};

struct throttle_bucket {
	double rate, burst, seconds;
	double level, burst_level; /* units that have passed and not leaked away yet */
};

struct throttle {
	pthread_mutex_t lock; /* buckets, unit, at */
	struct throttle_bucket bucket[THROTTLE_COUNT];
	uint64_t unit;
	uint64_t at; /* loop__now() up to which the buckets have leaked */
	atomic_bool active;
};

void throttle__init(struct throttle *throttle);
void throttle__destroy(struct throttle *throttle);
void throttle__set(struct throttle *throttle, const struct throttle_limit *limit, uint64_t unit);
/*
 * A request of that many bytes wants to pass at `now` (nanoseconds). Returns 0: it does, and is
 * accounted. Otherwise the nanoseconds to wait before asking again.
 */
uint64_t throttle__pass(struct throttle *throttle, bool write, uint64_t bytes, uint64_t now);

#endif
