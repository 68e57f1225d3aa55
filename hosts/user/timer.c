/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One-shot timers: a list in order of deadline and one thread that sleeps until the first. A
 * machine has a few timers per vCPU, so the list is short.
 */
#include "core/host.h"
#include <linux/futex.h>
#include <sys/prctl.h>
#include <time.h>
#include "hosts/user/service.h"
#include "hosts/user/syscall.h"

#define NS_PER_S 1000000000ULL
#define SLACK_NS 1000 /* of the kernel's timer for the thread's sleep */

/* What stands in host_timer.opaque; guarded by lock, like the deadline. */
struct timer_links {
	struct host_timer *next;
	struct host_timer *previous;
	bool armed;
};

_Static_assert(sizeof(struct timer_links) <= sizeof(((struct host_timer *)0)->opaque), "fits");

static struct host_mutex lock;
static struct host_cond done;
static struct host_timer *first;
static struct host_timer *running;
static u32 changed; /* futex: counts changes of the first deadline */
static bool started;

static struct timer_links *links(struct host_timer *t)
{
	return (struct timer_links *)t->opaque;
}

static void insert(struct host_timer *t)
{
	struct host_timer *next = first, *previous = NULL;

	while (next && next->deadline <= t->deadline) {
		previous = next;
		next = links(next)->next;
	}
	links(t)->next = next;
	links(t)->previous = previous;
	links(t)->armed = true;
	if (next)
		links(next)->previous = t;
	if (previous)
		links(previous)->next = t;
	else
		first = t;
}

static void remove_armed(struct host_timer *t)
{
	struct timer_links *l = links(t);

	if (!l->armed)
		return;
	if (l->next)
		links(l->next)->previous = l->previous;
	if (l->previous)
		links(l->previous)->next = l->next;
	else
		first = l->next;
	l->armed = false;
}

/* ---- the thread ---- */

static void fire(struct host_timer *t)
{
	remove_armed(t);
	running = t;
	host__mutex_unlock(&lock);
	t->fn(t);
	host__mutex_lock(&lock);
	running = NULL;
	host__cond_broadcast(&done);
}

static void sleep_until(u64 deadline, u32 seen)
{
	struct timespec ts = { deadline / NS_PER_S, deadline % NS_PER_S };

	RAW_SYSCALL(SYS_futex, &changed, FUTEX_WAIT_BITSET_PRIVATE, seen,
		    deadline == ~0ULL ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void *timer_thread(void *arg)
{
	RAW_SYSCALL(SYS_prctl, PR_SET_TIMERSLACK, SLACK_NS);
	host__mutex_lock(&lock);
	for (;;) {
		u32 seen = __atomic_load_n(&changed, __ATOMIC_RELAXED);
		u64 deadline = first ? first->deadline : ~0ULL;

		if (first && deadline <= host__monotonic_ns()) {
			fire(first);
			continue;
		}
		host__mutex_unlock(&lock);
		sleep_until(deadline, seen);
		host__mutex_lock(&lock);
	}
	return NULL;
}

/* ---- what the core calls ---- */

void host__timer_init(struct host_timer *t, void (*fn)(struct host_timer *t))
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
}

void host__timer_set(struct host_timer *t, u64 deadline_ns)
{
	host__mutex_lock(&lock);
	if (!started)
		started = service__start("trivet-timers", timer_thread) == 0;
	remove_armed(t);
	t->deadline = deadline_ns;
	insert(t);
	if (first == t) {
		__atomic_fetch_add(&changed, 1, __ATOMIC_RELAXED);
		RAW_SYSCALL(SYS_futex, &changed, FUTEX_WAKE_PRIVATE, 1);
	}
	host__mutex_unlock(&lock);
}

void host__timer_cancel(struct host_timer *t)
{
	host__mutex_lock(&lock);
	remove_armed(t);
	host__mutex_unlock(&lock);
}

void host__timer_destroy(struct host_timer *t)
{
	host__mutex_lock(&lock);
	/* The function may arm it again until it has run out. */
	while (running == t)
		host__cond_wait(&done, &lock);
	remove_armed(t);
	host__mutex_unlock(&lock);
}
