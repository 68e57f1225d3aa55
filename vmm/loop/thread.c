/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O threads. */
#define _GNU_SOURCE
#include "vmm/loop/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/loop/loop.h"

enum command { STAND, RUN, END };

struct loop_thread {
	struct loop *loop;
	pthread_t thread;
	pthread_mutex_t lock;	/* guards what follows */
	pthread_cond_t changed; /* command or stands did */
	enum command command;
	bool stands;
};

static void *run_thread(void *opaque)
{
	struct loop_thread *thread = opaque;
	int err;

	pthread_mutex_lock(&thread->lock);
	while (thread->command != END) {
		if (thread->command == STAND) {
			thread->stands = true;
			pthread_cond_broadcast(&thread->changed);
			pthread_cond_wait(&thread->changed, &thread->lock);
			continue;
		}
		thread->stands = false;
		pthread_mutex_unlock(&thread->lock);
		err = loop__run(thread->loop);
		pthread_mutex_lock(&thread->lock);
		if (err) { /* its devices stand still; the machine goes on */
			fprintf(stderr, "trivet: an I/O thread's event loop: error %d\n", -err);
			thread->command = STAND;
		}
	}
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

/* Signals are the main loop's, but for those that an instruction can cause. */
static int start(struct loop_thread *thread, unsigned number)
{
	static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	sigset_t blocked, before;
	char name[16];
	unsigned i;
	int err;

	sigfillset(&blocked);
	for (i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		sigdelset(&blocked, open[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	err = pthread_create(&thread->thread, NULL, run_thread, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	snprintf(name, sizeof(name), "io %u", number & 0xffff);
	pthread_setname_np(thread->thread, name);
	return 0;
}

int loop_thread__create(unsigned number, struct loop_thread **out)
{
	struct loop_thread *thread = calloc(1, sizeof(*thread));
	int err;

	if (!thread)
		return -ENOMEM;
	err = loop__create(&thread->loop);
	if (err)
		goto free_thread;
	pthread_mutex_init(&thread->lock, NULL);
	pthread_cond_init(&thread->changed, NULL);
	err = start(thread, number);
	if (err)
		goto destroy_loop;
	*out = thread;
	return 0;
destroy_loop:
	pthread_cond_destroy(&thread->changed);
	pthread_mutex_destroy(&thread->lock);
	loop__destroy(thread->loop);
free_thread:
	free(thread);
	return err;
}

static void give_command(struct loop_thread *thread, enum command command)
{
	pthread_mutex_lock(&thread->lock);
	thread->command = command;
	pthread_cond_broadcast(&thread->changed);
	if (command == STAND)
		loop__stop(thread->loop);
	while (command == STAND && !thread->stands)
		pthread_cond_wait(&thread->changed, &thread->lock);
	pthread_mutex_unlock(&thread->lock);
}

void loop_thread__destroy(struct loop_thread *thread)
{
	if (!thread)
		return;
	give_command(thread, END);
	loop__stop(thread->loop);
	pthread_join(thread->thread, NULL);
	pthread_cond_destroy(&thread->changed);
	pthread_mutex_destroy(&thread->lock);
	loop__destroy(thread->loop);
	free(thread);
}

struct loop *loop_thread__loop(struct loop_thread *thread)
{
	return thread->loop;
}

void loop_thread__resume(struct loop_thread *thread)
{
	give_command(thread, RUN);
}

void loop_thread__pause(struct loop_thread *thread)
{
	give_command(thread, STAND);
}
