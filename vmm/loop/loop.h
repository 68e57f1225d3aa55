/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: one thread waits for file descriptors, timers and signals and runs their
 * callbacks. Callbacks run on the loop's thread only, one at a time.
 */
#ifndef VMM_LOOP_LOOP_H
#define VMM_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_looker;
struct loop_watch;
struct loop_timer;

int loop__create(struct loop **loop);
/* Every watch and timer must be gone. */
void loop__destroy(struct loop *loop);

/* Runs callbacks until loop__stop(). 0 or -errno. */
int loop__run(struct loop *loop);
/* Makes loop__run() return (the present one or the next). Any thread, signal handlers too. */
void loop__stop(struct loop *loop);

/*
 * Runs `call` on the loop's thread and returns when it has: at once if this is that thread, else
 * between two callbacks. While the loop does not run this thread stands in for it, and the loop
 * does not start meanwhile. Any thread; holds no lock that a callback of the loop takes.
 */
void loop__call(struct loop *loop, void (*call)(void *opaque), void *opaque);

#define LOOP_IN 1u
#define LOOP_OUT 4u
#define LOOP_ERROR 8u  /* reported, never asked for */
#define LOOP_HANGUP 16u /* reported, never asked for */

/*
 * Watches `fd` (which stays the caller's) for `events`; level triggered. 0 or -errno: -EPERM for
 * files that are always ready (regular files).
 */
int loop__watch(struct loop *loop, int fd, uint32_t events,
		void (*callback)(void *opaque, uint32_t events), void *opaque,
		struct loop_watch **watch);
/* Changes what is waited for; 0 waits for nothing, not even errors. Any thread. */
int loop__rewatch(struct loop_watch *watch, uint32_t events);
/* Loop thread, or the loop does not run. `watch` may be NULL. */
void loop__unwatch(struct loop_watch *watch);

/*
 * What the loop looks for before it sleeps (docs/virtio.md, "Polling"). Functions are called on the
 * loop's thread; look() and end() say whether there was something, and have dealt with it.
 */
struct loop_look_ops {
	void (*begin)(void *opaque); /* nobody need wake the loop until end() */
	bool (*look)(void *opaque);
	bool (*end)(void *opaque); /* wake it again; looks once more behind that */
};

/*
 * Has the loop look for `most_ns` at most before it sleeps, if it has not slept longer lately; the
 * longest of all of a loop holds. 0 or -ENOMEM. Loop thread, or the loop does not run.
 */
int loop__look(struct loop *loop, const struct loop_look_ops *ops, void *opaque, uint32_t most_ns,
	       struct loop_looker **looker);
/* Likewise. `looker` may be NULL. */
void loop__unlook(struct loop_looker *looker);

/* Nanoseconds of CLOCK_MONOTONIC, the timers' clock. */
uint64_t loop__now(void);

int loop__timer(struct loop *loop, void (*callback)(void *opaque), void *opaque,
		struct loop_timer **timer);
/* Fires once at `when` (loop__now() time; the past fires at once), replacing what was armed. Any
 * thread. A callback already on its way may still run. */
void loop__timer_arm(struct loop_timer *timer, uint64_t when);
void loop__timer_cancel(struct loop_timer *timer);
/* Loop thread, or the loop does not run. `timer` may be NULL. */
void loop__timer_free(struct loop_timer *timer);

/* The signals are blocked in this thread and delivered to `callback` instead. */
int loop__watch_signals(struct loop *loop, const int *signals, unsigned count,
			void (*callback)(void *opaque, int signal), void *opaque,
			struct loop_watch **watch);

#endif
