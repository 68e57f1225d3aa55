/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk's worker: one thread that does the slow calls of its images, one after the other. */
#ifndef VMM_BLOCK_WORKER_H
#define VMM_BLOCK_WORKER_H

struct worker;

struct worker_job {
	/* On the worker's thread. The job may be gone when it returns. */
	void (*run)(struct worker_job *job);
	struct worker_job *next;
};

int worker__create(struct worker **worker);
/* Jobs that were queued are done first. NULL is fine. */
void worker__destroy(struct worker *worker);
/* Any thread. */
void worker__queue(struct worker *worker, struct worker_job *job);
/* Any thread but the worker's: runs the job there and waits. */
void worker__call(struct worker *worker, void (*run)(void *opaque), void *opaque);

#endif
