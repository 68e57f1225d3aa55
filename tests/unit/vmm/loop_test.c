/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls into an event loop's thread, and I/O threads. */
#include "tests/devices/fixture.h"

#include <pthread.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_that_stands_is_called_at_once),
		cmocka_unit_test(a_thread_runs_calls),
		cmocka_unit_test(calls_while_it_stops_and_starts),
		cmocka_unit_test(a_call_can_stop_the_loop),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
