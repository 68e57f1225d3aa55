/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop on epoll: watches, timers (one timerfd each, so that arming needs no lock and
 * works from any thread) and signals (signalfd).
 */
#define _GNU_SOURCE
#include "vmm/loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/poll_window.h"

#define EVENTS_PER_WAIT 16

struct loop_watch {
	struct loop *loop;
	struct loop_watch *next_dead;
	void (*callback)(void *opaque, uint32_t events);
	void (*signal_callback)(void *opaque, int signal);
	void *opaque;
	void *signal_opaque;
	int fd;
	bool owns_fd;
	bool dead; /* unwatched while the events of one wait are worked off */
};

struct loop_timer {
	struct loop_watch *watch;
	void (*callback)(void *opaque);
	void *opaque;
	int fd;
};

/* One that waits for loop__call() to be done; on its stack. */
struct loop_call {
	struct loop_call *next;
	void (*call)(void *opaque);
	void *opaque;
	bool done;
};

struct loop_looker {
	struct loop *loop;
	struct loop_looker *next;
	const struct loop_look_ops *ops;
	void *opaque;
	uint32_t most_ns;
};

struct loop {
	int epoll;
	int wake; /* eventfd that loop__stop() and loop__call() write */
	atomic_bool stop;
	struct loop_watch *dead; /* freed after the present round */
	pthread_mutex_t lock;	 /* guards running (which its thread may read without) and calls */
	pthread_cond_t called;	 /* a call is done, or running is false */
	bool running;
	pthread_t thread; /* while it runs */
	struct loop_call *calls;
	struct loop_looker *lookers; /* the loop's thread */
	struct poll_window window;
	bool looking; /* begin() was called, end() not yet */
};

int loop__create(struct loop **out)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	struct loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		err = -errno;
		goto free_loop;
	}
	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake < 0) {
		err = -errno;
		goto close_epoll;
	}
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) < 0) {
		err = -errno;
		goto close_wake;
	}
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->called, NULL);
	*out = loop;
	return 0;
close_wake:
	close(loop->wake);
close_epoll:
	close(loop->epoll);
free_loop:
	free(loop);
	return err;
}

static void free_dead(struct loop *loop)
{
	while (loop->dead) {
		struct loop_watch *watch = loop->dead;

		loop->dead = watch->next_dead;
		free(watch);
	}
}

void loop__destroy(struct loop *loop)
{
	if (!loop)
		return;
	free_dead(loop);
	pthread_cond_destroy(&loop->called);
	pthread_mutex_destroy(&loop->lock);
	close(loop->wake);
	close(loop->epoll);
	free(loop);
}

static uint32_t from_epoll(uint32_t events)
{
	return (events & EPOLLIN ? LOOP_IN : 0) | (events & EPOLLOUT ? LOOP_OUT : 0) |
	       (events & EPOLLERR ? LOOP_ERROR : 0) |
	       (events & (EPOLLHUP | EPOLLRDHUP) ? LOOP_HANGUP : 0);
}

static uint32_t to_epoll(uint32_t events)
{
	return (events & LOOP_IN ? EPOLLIN : 0) | (events & LOOP_OUT ? EPOLLOUT : 0);
}

static void clear_wake(struct loop *loop)
{
	uint64_t count;

	/* Nothing to read is fine: another has just read it. */
	if (read(loop->wake, &count, sizeof(count)) != sizeof(count))
		return;
}

/* The lock is held, and given up during each call. */
static void run_calls(struct loop *loop)
{
	struct loop_call *call;

	while ((call = loop->calls)) {
		loop->calls = call->next;
		pthread_mutex_unlock(&loop->lock);
		call->call(call->opaque);
		pthread_mutex_lock(&loop->lock);
		call->done = true;
		pthread_cond_broadcast(&loop->called);
	}
}

static void take_wake(struct loop *loop)
{
	clear_wake(loop);
	pthread_mutex_lock(&loop->lock);
	run_calls(loop);
	pthread_mutex_unlock(&loop->lock);
}

/* ---- looking before sleeping ---- */

static bool look_once(struct loop *loop)
{
	struct loop_looker *looker;
	bool found = false;

	for (looker = loop->lookers; looker; looker = looker->next)
		found |= looker->ops->look(looker->opaque);
	return found;
}

static void begin_looking(struct loop *loop)
{
	struct loop_looker *looker;

	for (looker = loop->lookers; looker && !loop->looking; looker = looker->next)
		looker->ops->begin(looker->opaque);
	loop->looking = true;
}

/* True: something came before its way to wake the loop was open again. */
static bool end_looking(struct loop *loop)
{
	struct loop_looker *looker;
	bool found = false;

	for (looker = loop->lookers; looker && loop->looking; looker = looker->next)
		found |= looker->ops->end(looker->opaque);
	loop->looking = false;
	return found;
}

/* True: there was something, and there may be more soon; *waited: ns until it was there. */
static bool look(struct loop *loop, uint64_t *waited)
{
	uint64_t start = loop__now(), now = start;

	if (!loop->window.now)
		return end_looking(loop);
	begin_looking(loop);
	do {
		*waited = now - start;
		if (look_once(loop))
			return true;
		__builtin_ia32_pause();
		now = loop__now();
	} while (now - start < loop->window.now && !atomic_load(&loop->stop));
	return end_looking(loop);
}

/* As epoll_wait(), after a look for what comes at once. */
static int wait_for_events(struct loop *loop, struct epoll_event *event)
{
	uint64_t start, waited = 0;
	int n;

	if (!loop->window.most)
		return epoll_wait(loop->epoll, event, EVENTS_PER_WAIT, -1);
	start = loop__now();
	if (look(loop, &waited)) {
		/* It is dealt with; now it is the others' turn. */
		n = epoll_wait(loop->epoll, event, EVENTS_PER_WAIT, 0);
	} else {
		n = epoll_wait(loop->epoll, event, EVENTS_PER_WAIT, -1);
		waited = loop__now() - start;
	}
	poll_window__learn(&loop->window, waited);
	return n;
}

static void choose_window(struct loop *loop)
{
	const struct loop_looker *looker;

	loop->window = (struct poll_window){ 0 };
	for (looker = loop->lookers; looker; looker = looker->next)
		if (looker->most_ns > loop->window.most)
			loop->window.most = looker->most_ns;
}

int loop__look(struct loop *loop, const struct loop_look_ops *ops, void *opaque, uint32_t most_ns,
	       struct loop_looker **out)
{
	struct loop_looker *looker = calloc(1, sizeof(*looker));

	if (!looker)
		return -ENOMEM;
	*looker = (struct loop_looker){ loop, loop->lookers, ops, opaque, most_ns };
	end_looking(loop);
	loop->lookers = looker;
	choose_window(loop);
	*out = looker;
	return 0;
}

void loop__unlook(struct loop_looker *looker)
{
	struct loop_looker **at;
	struct loop *loop;

	if (!looker)
		return;
	loop = looker->loop;
	end_looking(loop);
	for (at = &loop->lookers; *at != looker; at = &(*at)->next)
		;
	*at = looker->next;
	choose_window(loop);
	free(looker);
}

/* One round: what has happened, each callback once. 0 or -errno. */
static int run_round(struct loop *loop)
{
	struct epoll_event event[EVENTS_PER_WAIT];
	int i, n = wait_for_events(loop, event);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++) {
		struct loop_watch *watch = event[i].data.ptr;

		if (!watch)
			take_wake(loop);
		else if (!watch->dead)
			watch->callback(watch->opaque, from_epoll(event[i].events));
	}
	free_dead(loop);
	return 0;
}

/* The lock is held. */
static void take_over(struct loop *loop)
{
	loop->running = true;
	loop->thread = pthread_self();
}

/* This thread is the loop's, once nobody else is. */
static void enter(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	while (loop->running)
		pthread_cond_wait(&loop->called, &loop->lock);
	take_over(loop);
	pthread_mutex_unlock(&loop->lock);
}

/* Whoever has called meanwhile is not left waiting; whoever does from now on is the loop's thread. */
static void leave(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	run_calls(loop);
	free_dead(loop);
	loop->running = false;
	pthread_cond_broadcast(&loop->called);
	pthread_mutex_unlock(&loop->lock);
}

int loop__run(struct loop *loop)
{
	int err = 0;

	enter(loop);
	while (!err && !atomic_exchange(&loop->stop, false))
		err = run_round(loop);
	end_looking(loop);
	leave(loop);
	return err;
}

static void wake(struct loop *loop)
{
	uint64_t one = 1;
	int saved = errno;

	/* Full is as good as written: the loop wakes either way. */
	if (write(loop->wake, &one, sizeof(one)) != sizeof(one))
		errno = saved;
}

/*
 * Leaves the call to the thread that runs the loop. False: there was none, and this thread is the
 * loop's now.
 */
static bool hand_over(struct loop *loop, void (*call)(void *opaque), void *opaque)
{
	struct loop_call waiting = { .call = call, .opaque = opaque };
	struct loop_call **last;
	bool running;

	pthread_mutex_lock(&loop->lock);
	running = loop->running;
	if (running) {
		for (last = &loop->calls; *last; last = &(*last)->next)
			;
		*last = &waiting;
		wake(loop);
	} else {
		take_over(loop);
	}
	while (running && !waiting.done)
		pthread_cond_wait(&loop->called, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
	return running;
}

static bool is_own_thread(struct loop *loop)
{
	bool own;

	pthread_mutex_lock(&loop->lock);
	own = loop->running && pthread_equal(loop->thread, pthread_self());
	pthread_mutex_unlock(&loop->lock);
	return own;
}

void loop__call(struct loop *loop, void (*call)(void *opaque), void *opaque)
{
	if (is_own_thread(loop)) {
		call(opaque);
		return;
	}
	if (hand_over(loop, call, opaque))
		return;
	call(opaque);
	leave(loop);
}

void loop__stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	wake(loop);
}

int loop__watch(struct loop *loop, int fd, uint32_t events,
		void (*callback)(void *opaque, uint32_t events), void *opaque,
		struct loop_watch **out)
{
	struct loop_watch *watch = calloc(1, sizeof(*watch));
	struct epoll_event event = { .events = to_epoll(events), .data.ptr = watch };
	int err;

	if (!watch)
		return -ENOMEM;
	watch->loop = loop;
	watch->fd = fd;
	watch->callback = callback;
	watch->opaque = opaque;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		err = -errno;
		free(watch);
		return err;
	}
	*out = watch;
	return 0;
}

/*
 * Waiting for nothing still reports errors and hang-ups in epoll, for ever. EPOLLONESHOT with no
 * events would tell once; EPOLLET tells once per change, which is what a stopped watch needs.
 */
int loop__rewatch(struct loop_watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events ? to_epoll(events) : EPOLLONESHOT | EPOLLET,
				     .data.ptr = watch };

	if (epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return -errno;
	return 0;
}

void loop__unwatch(struct loop_watch *watch)
{
	struct loop *loop;

	if (!watch)
		return;
	loop = watch->loop;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	if (watch->owns_fd)
		close(watch->fd);
	watch->dead = true;
	watch->next_dead = loop->dead;
	loop->dead = watch;
	if (!loop->running)
		free_dead(loop);
}

uint64_t loop__now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fire_timer(void *opaque, uint32_t events)
{
	struct loop_timer *timer = opaque;
	uint64_t expirations;

	/* Cancelled or re-armed since the wait: nothing to read, nothing to do. */
	if (read(timer->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		timer->callback(timer->opaque);
}

int loop__timer(struct loop *loop, void (*callback)(void *opaque), void *opaque,
		struct loop_timer **out)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));
	int err;

	if (!timer)
		return -ENOMEM;
	timer->callback = callback;
	timer->opaque = opaque;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->fd < 0) {
		err = -errno;
		goto free_timer;
	}
	err = loop__watch(loop, timer->fd, LOOP_IN, fire_timer, timer, &timer->watch);
	if (err)
		goto close_fd;
	timer->watch->owns_fd = true;
	*out = timer;
	return 0;
close_fd:
	close(timer->fd);
free_timer:
	free(timer);
	return err;
}

void loop__timer_arm(struct loop_timer *timer, uint64_t when)
{
	struct itimerspec spec = { .it_value = { .tv_sec = when / 1000000000u,
						 .tv_nsec = when % 1000000000u } };

	if (!when)
		spec.it_value.tv_nsec = 1; /* all zeroes would disarm it */
	timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void loop__timer_cancel(struct loop_timer *timer)
{
	struct itimerspec spec = { 0 };

	timerfd_settime(timer->fd, 0, &spec, NULL);
}

void loop__timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	loop__unwatch(timer->watch);
	free(timer);
}

static void take_signal(void *opaque, uint32_t events)
{
	struct loop_watch *watch = opaque;
	struct signalfd_siginfo info;

	while (!watch->dead && read(watch->fd, &info, sizeof(info)) == sizeof(info))
		watch->signal_callback(watch->signal_opaque, (int)info.ssi_signo);
}

int loop__watch_signals(struct loop *loop, const int *signals, unsigned count,
			void (*callback)(void *opaque, int signal), void *opaque,
			struct loop_watch **out)
{
	struct loop_watch *watch;
	sigset_t set;
	unsigned i;
	int fd, err;

	sigemptyset(&set);
	for (i = 0; i < count; i++)
		sigaddset(&set, signals[i]);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = loop__watch(loop, fd, LOOP_IN, take_signal, NULL, &watch);
	if (err) {
		close(fd);
		return err;
	}
	watch->opaque = watch;
	watch->owns_fd = true;
	watch->signal_callback = callback;
	watch->signal_opaque = opaque;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	*out = watch;
	return 0;
}
