/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event loop over sockets in memory. */
#include "tests/unit/vsock/fake_loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/types.h"
#include "tests/unit/vsock/fake_host.h"
#include "vmm/loop/loop.h"

#define ROUNDS_MOST 1000u

struct loop_watch {
	struct loop_watch *next;
	int fd;
	uint32_t events;
	void (*callback)(void *opaque, uint32_t events);
	void *opaque;
	bool dead;
};

struct loop_timer {
	void (*callback)(void *opaque);
	void *opaque;
	uint64_t when;
};

static struct loop_watch *watches;
static struct loop_timer the_timer;
static uint64_t now = 1000000000;

uint64_t loop__now(void)
{
	return now;
}

int loop__timer(struct loop *loop, void (*callback)(void *opaque), void *opaque,
		struct loop_timer **timer)
{
	the_timer = (struct loop_timer){ callback, opaque, 0 };
	*timer = &the_timer;
	return 0;
}

void loop__timer_arm(struct loop_timer *timer, uint64_t when)
{
	timer->when = when;
}

void loop__timer_free(struct loop_timer *timer)
{
	timer->when = 0;
}

int loop__watch(struct loop *loop, int fd, uint32_t events,
		void (*callback)(void *opaque, uint32_t events), void *opaque,
		struct loop_watch **watch)
{
	*watch = calloc(1, sizeof(**watch));
	if (!*watch)
		abort();
	**watch = (struct loop_watch){ watches, fd, events, callback, opaque, false };
	watches = *watch;
	return 0;
}

int loop__rewatch(struct loop_watch *watch, uint32_t events)
{
	watch->events = events;
	return 0;
}

void loop__unwatch(struct loop_watch *watch)
{
	watch->dead = true;
}

static void free_dead(void)
{
	struct loop_watch **at = &watches;

	while (*at) {
		struct loop_watch *watch = *at;

		if (!watch->dead) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		free(watch);
	}
}

static bool run_round(void)
{
	struct loop_watch *watch;
	bool busy = false;

	for (watch = watches; watch; watch = watch->next) {
		/* As epoll: hang-ups come with whatever is waited for, and nothing with nothing. */
		uint32_t ready = watch->dead || !watch->events
					 ? 0
					 : fake_host__ready(watch->fd) & (watch->events | LOOP_HANGUP);

		if (ready)
			watch->callback(watch->opaque, ready);
		busy |= ready;
	}
	free_dead();
	return busy;
}

void fake_loop__run(void)
{
	unsigned rounds = 0;

	while (run_round()) {
		if (++rounds < ROUNDS_MOST)
			continue;
		fprintf(stderr, "a watch does not come to rest\n");
		abort();
	}
}

void fake_loop__advance(uint64_t ns)
{
	now += ns;
	if (the_timer.when && the_timer.when <= now) {
		the_timer.when = 0;
		the_timer.callback(the_timer.opaque);
	}
	fake_loop__run();
}
