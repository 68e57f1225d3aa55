/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File accesses by a pool of threads, where the host does not permit io_uring. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "vmm/block/io/aio_engine.h"
#include "vmm/block/io/file.h"

#define MAX_THREADS 16

struct aio_pool {
	pthread_mutex_t lock; /* all below */
	pthread_cond_t work;
	struct aio_op *first, **last;
	unsigned queued, idle, threads;
	bool stop;
	pthread_t thread[MAX_THREADS];
};

static int access_file(struct aio_op *op)
{
	switch (op->kind) {
	case AIO_READ:
		return file__readv(op->file, op->offset, op->iov, op->iov_count);
	case AIO_WRITE:
		return file__writev(op->file, op->offset, op->iov, op->iov_count);
	case AIO_SYNC:
		return file__sync(op->file);
	}
	return -EINVAL;
}

static void *run_thread(void *opaque)
{
	struct aio_pool *pool = opaque;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct aio_op *op = pool->first;

		if (op) {
			pool->first = op->next;
			if (!pool->first)
				pool->last = &pool->first;
			pool->queued--;
			pthread_mutex_unlock(&pool->lock);
			aio__complete(op->aio, op, access_file(op));
			pthread_mutex_lock(&pool->lock);
			continue;
		}
		if (pool->stop)
			break;
		pool->idle++;
		pthread_cond_wait(&pool->work, &pool->lock);
		pool->idle--;
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct aio_pool *pool)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&pool->thread[pool->threads], NULL, run_thread, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pool->threads++;
	return -err;
}

int aio_pool__create(struct aio_pool **out)
{
	struct aio_pool *pool = calloc(1, sizeof(*pool));
	int err;

	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pool->last = &pool->first;
	/* The first thread now: later ones may fail to start, and work still gets done. */
	err = start_thread(pool);
	if (err) {
		pthread_cond_destroy(&pool->work);
		pthread_mutex_destroy(&pool->lock);
		free(pool);
		return err;
	}
	*out = pool;
	return 0;
}

void aio_pool__destroy(struct aio_pool *pool)
{
	unsigned i;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void aio_pool__submit(struct aio_pool *pool, struct aio_op *op)
{
	op->next = NULL;
	pthread_mutex_lock(&pool->lock);
	*pool->last = op;
	pool->last = &op->next;
	pool->queued++;
	if (pool->queued > pool->idle && pool->threads < MAX_THREADS)
		start_thread(pool);
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}
