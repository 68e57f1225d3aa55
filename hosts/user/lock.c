/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mutexes and conditions on futexes. Not libc's, so that a vCPU thread can take a lock without
 * parking the guest's vectors; a thread that sleeps here is saved by the kernel.
 */
#include "core/host.h"
#include <limits.h>
#include <linux/futex.h>
#include "hosts/user/syscall.h"

enum mutex_state { MUTEX_FREE, MUTEX_TAKEN, MUTEX_CONTENDED };

#define SPINS_BEFORE_SLEEP 100

static u32 *word_of(u64 *opaque)
{
	return (u32 *)opaque;
}

static void sleep_while(u32 *word, u32 value)
{
	RAW_SYSCALL(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL);
}

static void wake(u32 *word, int threads)
{
	RAW_SYSCALL(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads);
}

void host__mutex_init(struct host_mutex *m)
{
	memset(m, 0, sizeof(*m));
}

void host__mutex_destroy(struct host_mutex *m)
{
}

static bool try_lock(u32 *word)
{
	u32 expected = MUTEX_FREE;

	return __atomic_compare_exchange_n(word, &expected, MUTEX_TAKEN, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

void host__mutex_lock(struct host_mutex *m)
{
	u32 *word = word_of(m->opaque);
	unsigned spin;

	for (spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
		if (try_lock(word))
			return;
		if (__atomic_load_n(word, __ATOMIC_RELAXED) == MUTEX_CONTENDED)
			break;
		__builtin_ia32_pause();
	}
	/* Whoever unlocks from now on finds the mark and wakes one sleeper. */
	while (__atomic_exchange_n(word, MUTEX_CONTENDED, __ATOMIC_ACQUIRE) != MUTEX_FREE)
		sleep_while(word, MUTEX_CONTENDED);
}

void host__mutex_unlock(struct host_mutex *m)
{
	u32 *word = word_of(m->opaque);

	if (__atomic_exchange_n(word, MUTEX_FREE, __ATOMIC_RELEASE) == MUTEX_CONTENDED)
		wake(word, 1);
}

/*
 * A condition is a count of broadcasts and one of threads that sleep, or are about to. A thread counts itself before
 * it reads the broadcasts, and who broadcasts counts that before it looks for threads: one of them sees the other.
 */
void host__cond_init(struct host_cond *c)
{
	memset(c, 0, sizeof(*c));
}

void host__cond_destroy(struct host_cond *c)
{
}

void host__cond_wait(struct host_cond *c, struct host_mutex *m)
{
	u32 *word = word_of(c->opaque), *sleepers = word_of(c->opaque + 1);
	u32 seen;

	__atomic_fetch_add(sleepers, 1, __ATOMIC_SEQ_CST);
	seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	host__mutex_unlock(m);
	sleep_while(word, seen);
	__atomic_fetch_sub(sleepers, 1, __ATOMIC_RELAXED);
	host__mutex_lock(m);
}

void host__cond_broadcast(struct host_cond *c)
{
	u32 *word = word_of(c->opaque), *sleepers = word_of(c->opaque + 1);

	__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(sleepers, __ATOMIC_SEQ_CST))
		wake(word, INT_MAX);
}

void host__yield(void)
{
	RAW_SYSCALL(SYS_sched_yield);
}
