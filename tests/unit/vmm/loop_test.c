/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls into an event loop's thread, and I/O threads. */
#include "tests/devices/fixture.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/loop/thread.h"

#define CALLS 2000

struct probe {
	struct loop *loop;
	unsigned count;
	pthread_t thread;
};

static void note(void *opaque)
{
	struct probe *probe = opaque;

	probe->count++;
	probe->thread = pthread_self();
}

/* From within a callback it does not wait for itself. */
static void note_from_within(void *opaque)
{
	struct probe *probe = opaque;

	loop__call(probe->loop, note, probe);
}

static void stop_it(void *opaque)
{
	loop__stop(opaque);
}

static void a_loop_that_stands_is_called_at_once(void **state)
{
	struct probe probe = { 0 };

	assert_int_equal(loop__create(&probe.loop), 0);
	loop__call(probe.loop, note, &probe);
	assert_int_equal(probe.count, 1);
	assert_true(pthread_equal(probe.thread, pthread_self()));
	loop__destroy(probe.loop);
}

static void a_thread_runs_calls(void **state)
{
	struct probe probe = { 0 };
	struct loop_thread *thread;
	unsigned i;

	assert_int_equal(loop_thread__create(1, &thread), 0);
	probe.loop = loop_thread__loop(thread);
	loop__call(probe.loop, note, &probe); /* it starts paused */
	loop_thread__resume(thread);
	for (i = 0; i < CALLS; i++)
		loop__call(probe.loop, i % 2 ? note : note_from_within, &probe);
	assert_int_equal(probe.count, CALLS + 1);
	loop_thread__pause(thread);
	loop__call(probe.loop, note, &probe);
	assert_true(pthread_equal(probe.thread, pthread_self()));
	loop_thread__resume(thread);
	loop_thread__pause(thread);
	loop_thread__pause(thread);
	loop_thread__destroy(thread);
}

static void *call_often(void *opaque)
{
	struct probe *probe = opaque;
	unsigned i;

	for (i = 0; i < CALLS; i++)
		loop__call(probe->loop, note, probe);
	return NULL;
}

/* Whether the loop runs or not, and as it stops: none is lost, and none at the same time as another. */
static void calls_while_it_stops_and_starts(void **state)
{
	struct probe probe = { 0 };
	struct loop_thread *thread;
	pthread_t callers[3];
	unsigned i;

	assert_int_equal(loop_thread__create(1, &thread), 0);
	probe.loop = loop_thread__loop(thread);
	for (i = 0; i < ARRAY_LENGTH(callers); i++)
		assert_int_equal(pthread_create(&callers[i], NULL, call_often, &probe), 0);
	for (i = 0; i < 200; i++) {
		loop_thread__resume(thread);
		loop_thread__pause(thread);
	}
	loop_thread__resume(thread);
	for (i = 0; i < ARRAY_LENGTH(callers); i++)
		pthread_join(callers[i], NULL);
	assert_int_equal(probe.count, CALLS * ARRAY_LENGTH(callers));
	loop_thread__pause(thread);
	loop_thread__destroy(thread);
}

/* A stop from a callback ends the run after this round. */
static void a_call_can_stop_the_loop(void **state)
{
	struct loop_timer *timer;
	struct loop *loop;

	assert_int_equal(loop__create(&loop), 0);
	assert_int_equal(loop__timer(loop, stop_it, loop, &timer), 0);
	loop__timer_arm(timer, 0);
	assert_int_equal(loop__run(loop), 0);
	loop__timer_free(timer);
	loop__destroy(loop);
}

/* What a looker was asked, and what it is to find. */
struct sight {
	struct loop *loop;
	unsigned begun, ended, looks;
	unsigned there; /* looks that find something, before one stops the loop */
	bool at_the_end;
};

static void begin_looking(void *opaque)
{
	struct sight *sight = opaque;

	assert_int_equal(sight->begun++, sight->ended);
}

static bool look(void *opaque)
{
	struct sight *sight = opaque;

	if (sight->looks++ < sight->there)
		return true;
	loop__stop(sight->loop);
	return false;
}

static bool end_looking(void *opaque)
{
	struct sight *sight = opaque;

	assert_int_equal(++sight->ended, sight->begun);
	return sight->at_the_end;
}

/* It is ready at once, so what comes next is expected to be as well. */
static void come_once(void *opaque, uint32_t events)
{
	loop__rewatch(*(struct loop_watch **)opaque, 0);
}

static void looks_before_it_sleeps(void **state)
{
	static const struct loop_look_ops ops = { begin_looking, look, end_looking };
	struct sight sight = { .there = 3, .at_the_end = true };
	struct loop_looker *looker;
	struct loop_watch *watch;
	int fd = eventfd(1, EFD_CLOEXEC);

	assert_int_equal(loop__create(&sight.loop), 0);
	assert_int_equal(loop__look(sight.loop, &ops, &sight, 2000000000, &looker), 0);
	assert_int_equal(loop__watch(sight.loop, fd, LOOP_IN, come_once, &watch, &watch), 0);
	assert_int_equal(loop__run(sight.loop), 0);
	/* As long as there is something it goes on, and the way to wake it is open when it ends. */
	assert_int_equal(sight.looks, sight.there + 1);
	assert_int_equal(sight.begun, 1);
	assert_int_equal(sight.ended, 1);
	loop__unwatch(watch);
	loop__unlook(looker);
	loop__destroy(sight.loop);
	close(fd);
}

/* What has nothing to look for sleeps until it is called. */
static void nobody_looks_without_leave(void **state)
{
	static const struct loop_look_ops ops = { begin_looking, look, end_looking };
	struct sight sight = { 0 };
	struct loop_looker *looker;
	struct loop_timer *timer;

	assert_int_equal(loop__create(&sight.loop), 0);
	assert_int_equal(loop__look(sight.loop, &ops, &sight, 0, &looker), 0);
	assert_int_equal(loop__timer(sight.loop, stop_it, sight.loop, &timer), 0);
	loop__timer_arm(timer, 0);
	assert_int_equal(loop__run(sight.loop), 0);
	assert_int_equal(sight.looks, 0);
	loop__timer_free(timer);
	loop__unlook(looker);
	loop__destroy(sight.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_that_stands_is_called_at_once),
		cmocka_unit_test(a_thread_runs_calls),
		cmocka_unit_test(calls_while_it_stops_and_starts),
		cmocka_unit_test(a_call_can_stop_the_loop),
		cmocka_unit_test(looks_before_it_sleeps),
		cmocka_unit_test(nobody_looks_without_leave),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
