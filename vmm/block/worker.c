/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk's worker: one thread that does the slow calls of its images, one after the other. */
#include "vmm/block/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct worker {
	pthread_t thread;
	pthread_mutex_t lock; /* first, last, stop */
	pthread_cond_t work;
	struct worker_job *first, **last;
	bool stop;
};

static void *run_worker(void *opaque)
{
	struct worker *worker = opaque;

	pthread_mutex_lock(&worker->lock);
	for (;;) {
		struct worker_job *job = worker->first;

		if (job) {
			worker->first = job->next;
			if (!worker->first)
				worker->last = &worker->first;
			pthread_mutex_unlock(&worker->lock);
			job->run(job);
			pthread_mutex_lock(&worker->lock);
			continue;
		}
		if (worker->stop)
			break;
		pthread_cond_wait(&worker->work, &worker->lock);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

int worker__create(struct worker **out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	sigset_t all, before;
	int err;

	if (!worker)
		return -ENOMEM;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->work, NULL);
	worker->last = &worker->first;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&worker->thread, NULL, run_worker, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		pthread_cond_destroy(&worker->work);
		pthread_mutex_destroy(&worker->lock);
		free(worker);
		return -err;
	}
	*out = worker;
	return 0;
}

void worker__destroy(struct worker *worker)
{
	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_cond_signal(&worker->work);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->work);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

void worker__queue(struct worker *worker, struct worker_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&worker->lock);
	*worker->last = job;
	worker->last = &job->next;
	pthread_cond_signal(&worker->work);
	pthread_mutex_unlock(&worker->lock);
}

struct call {
	struct worker_job job; /* first */
	void (*run)(void *opaque);
	void *opaque;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done;
};

static void run_call(struct worker_job *job)
{
	struct call *call = (struct call *)job;

	call->run(call->opaque);
	pthread_mutex_lock(&call->lock);
	call->done = true;
	pthread_cond_signal(&call->over);
	pthread_mutex_unlock(&call->lock);
}

void worker__call(struct worker *worker, void (*run)(void *opaque), void *opaque)
{
	struct call call = { .job.run = run_call, .run = run, .opaque = opaque,
			     .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER };

	worker__queue(worker, &call.job);
	pthread_mutex_lock(&call.lock);
	while (!call.done)
		pthread_cond_wait(&call.over, &call.lock);
	pthread_mutex_unlock(&call.lock);
	pthread_cond_destroy(&call.over);
	pthread_mutex_destroy(&call.lock);
}
