/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rate limits: leaky buckets for operations and bytes. */
#include "vmm/throttle/throttle.h"

#include <string.h>

#define NS 1e9
#define MAX_WAIT (60ULL * 1000000000)

void throttle__init(struct throttle *throttle)
{
	memset(throttle, 0, sizeof(*throttle));
	pthread_mutex_init(&throttle->lock, NULL);
}

void throttle__destroy(struct throttle *throttle)
{
	pthread_mutex_destroy(&throttle->lock);
}

void throttle__set(struct throttle *throttle, const struct throttle_limit *limit, uint64_t unit)
{
	bool active = false;
	unsigned i;

	pthread_mutex_lock(&throttle->lock);
	for (i = 0; i < THROTTLE_COUNT; i++) {
		struct throttle_bucket *bucket = &throttle->bucket[i];

		*bucket = (struct throttle_bucket){ .rate = limit[i].rate, .burst = limit[i].burst,
						    .seconds = limit[i].burst_seconds };
		if (bucket->seconds < 1)
			bucket->seconds = 1;
		active |= limit[i].rate != 0;
	}
	throttle->unit = unit;
	atomic_store(&throttle->active, active);
	pthread_mutex_unlock(&throttle->lock);
}

static void leak(struct throttle *throttle, uint64_t now)
{
	double seconds = now > throttle->at ? (now - throttle->at) / NS : 0;
	unsigned i;

	throttle->at = now > throttle->at ? now : throttle->at;
	for (i = 0; i < THROTTLE_COUNT; i++) {
		struct throttle_bucket *bucket = &throttle->bucket[i];

		bucket->level -= bucket->rate * seconds;
		if (bucket->level < 0)
			bucket->level = 0;
		bucket->burst_level -= bucket->burst * seconds;
		if (bucket->burst_level < 0)
			bucket->burst_level = 0;
	}
}

/* Seconds until the bucket has room for a request (it takes any size then), 0: now. */
static double wait_for_bucket(const struct throttle_bucket *bucket)
{
	double room, wait = 0, burst_wait = 0;

	if (bucket->rate == 0)
		return 0;
	room = bucket->burst > 0 ? bucket->burst * bucket->seconds : bucket->rate / 10;
	if (bucket->level > room)
		wait = (bucket->level - room) / bucket->rate;
	/* A long burst runs at its own rate. */
	if (bucket->burst > 0 && bucket->seconds > 1 && bucket->burst_level > bucket->burst / 10)
		burst_wait = (bucket->burst_level - bucket->burst / 10) / bucket->burst;
	return wait > burst_wait ? wait : burst_wait;
}

static void account(struct throttle_bucket *bucket, double units)
{
	bucket->level += units;
	bucket->burst_level += units;
}

uint64_t throttle__pass(struct throttle *throttle, bool write, uint64_t bytes, uint64_t now)
{
	const unsigned used[4] = { THROTTLE_OPS, write ? THROTTLE_WRITE_OPS : THROTTLE_READ_OPS,
				   THROTTLE_BYTES,
				   write ? THROTTLE_WRITE_BYTES : THROTTLE_READ_BYTES };
	double wait = 0, operations = 1;
	uint64_t ns = 0;
	unsigned i;

	pthread_mutex_lock(&throttle->lock);
	leak(throttle, now);
	for (i = 0; i < 4; i++) {
		double one = wait_for_bucket(&throttle->bucket[used[i]]);

		if (one > wait)
			wait = one;
	}
	if (wait > 0) {
		/* A tiny rate makes waits that are too long for the type. */
		ns = wait * NS < MAX_WAIT ? (uint64_t)(wait * NS) + 1 : MAX_WAIT;
	} else {
		if (throttle->unit && bytes > throttle->unit)
			operations = (bytes + throttle->unit - 1) / throttle->unit;
		for (i = 0; i < 4; i++)
			account(&throttle->bucket[used[i]], i < 2 ? operations : (double)bytes);
	}
	pthread_mutex_unlock(&throttle->lock);
	return ns;
}
