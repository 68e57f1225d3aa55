/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core needs of its surroundings: memory, locks, clocks, timers, eventfds, waiting.
 *
 * hosts/user implements this with Linux system calls and libc. This is one of the two ways out of
 * core/ (the other is core/engine.h). Implementations may clobber no vector
 * register that holds guest state: see "vectors" in docs/soft-engine.md.
 *
 * This header is force-included into every core file, so that even the calls that the compiler
 * makes up (structure copies) reach the host's memcpy, which uses general registers only.
 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include "base/types.h"

#ifndef __KERNEL__
void *memcpy(void *dst, const void *src, size_t n) __asm__("host__memcpy");
void *memmove(void *dst, const void *src, size_t n) __asm__("host__memmove");
void *memset(void *dst, int c, size_t n) __asm__("host__memset");
int memcmp(const void *a, const void *b, size_t n) __asm__("host__memcmp");
#endif

struct vcpu;
struct vm;

/* ---- memory ---- */

/* Gives back the pages of part of sparse memory or of a mapped memory object: they read as 0 then. */
void host__discard(void *p, size_t n);
/* Zeroed memory of n bytes, aligned to 64, or NULL. */
void *host__alloc(size_t n);
/* Zeroed, page-aligned memory that costs nothing until touched (large sparse tables), or NULL. */
void *host__alloc_sparse(size_t n);
/* Sparse memory that is used densely from its beginning: larger pages would make it faster. */
void host__prefer_huge(void *p, size_t n);
/*
 * Part of sparse memory or of a mapped memory object, whole pages, will be written or read next: has them all there
 * at once, where the host can.
 */
void host__populate(void *p, size_t n, bool write);
/* Gives back what host__alloc_sparse(n) gave. NULL is ignored. */
void host__free_sparse(void *p, size_t n);
/* Gives back what host__alloc() gave. NULL is ignored. */
void host__free(void *p);

/* Copies between the core and the caller of an ioctl. 0 or -EFAULT. */
int host__copy_from_user(void *dst, u64 user, size_t n);
int host__copy_to_user(u64 user, const void *src, size_t n);

/*
 * A pointer through which the core may touch the n bytes at host virtual address hva, which lie
 * within one memory slot; NULL where the host has no such view (kernel: the core then uses the
 * copies above).
 */
void *host__slot_pointer(u64 hva, size_t n);

/* ---- locks: never taken with a vCPU's guest vectors unsaved in a blocking way ---- */

struct host_mutex {
	u64 opaque[6];
};

void host__mutex_init(struct host_mutex *m);
void host__mutex_destroy(struct host_mutex *m);
void host__mutex_lock(struct host_mutex *m);
void host__mutex_unlock(struct host_mutex *m);

/* A condition: waits with the mutex held, as pthread_cond_wait. */
struct host_cond {
	u64 opaque[8];
};

void host__cond_init(struct host_cond *c);
void host__cond_destroy(struct host_cond *c);
void host__cond_wait(struct host_cond *c, struct host_mutex *m);
void host__cond_broadcast(struct host_cond *c);

/* Lets another thread run; for short waits on a vCPU that is about to leave guest code. */
void host__yield(void);

/* ---- vCPU threads ---- */

/*
 * Blocks the calling vCPU thread until host__vcpu_wake(vcpu), a signal that KVM_RUN has to report,
 * or spuriously. Returns 0 or -EINTR for a signal. A wake that came before the wait counts.
 */
int host__vcpu_wait(struct vcpu *vcpu);
/*
 * Looks for a wake for `ns` at most, without sleeping. True: there was one, and it is used up. Signals
 * are left to host__vcpu_wait().
 */
bool host__vcpu_poll(struct vcpu *vcpu, u32 ns);
/* Ends the wait of a vCPU thread. Callable from any thread. */
void host__vcpu_wake(struct vcpu *vcpu);
/*
 * Allocates / frees what the functions around here need, vcpu->host, and the pages that user space
 * maps: vcpu->run, pio_data and coalesced, zeroed, one page each in this order. 0 or -errno.
 */
int host__vcpu_init(struct vcpu *vcpu);
void host__vcpu_destroy(struct vcpu *vcpu);
/*
 * Whether a signal is pending that KVM_RUN has to report as -EINTR. A system call in user space:
 * the run loop asks now and then, not per block.
 */
bool host__signal_pending(struct vcpu *vcpu);
/* KVM_SET_SIGNAL_MASK: signals blocked during KVM_RUN, a bit each; NULL: those the thread blocks. */
void host__vcpu_signal_mask(struct vcpu *vcpu, const u64 *mask);
/* Bracket KVM_RUN: set the run's signal mask and restore it. */
void host__run_begin(struct vcpu *vcpu);
void host__run_end(struct vcpu *vcpu);

/* ---- time ---- */

u64 host__monotonic_ns(void); /* CLOCK_MONOTONIC, ns */
u64 host__realtime_ns(void);  /* CLOCK_REALTIME, ns since 1970 */
u64 host__thread_wait_ns(void); /* time this thread was runnable but not running, for steal time */
u32 host__tsc_khz(void);      /* rate of the host's TSC */

static __always_inline u64 host__rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (u64)hi << 32;
}

/* A one-shot timer. fn runs on a thread of the host's with no lock held. */
struct host_timer {
	void (*fn)(struct host_timer *timer);
	u64 deadline; /* host__monotonic_ns() value; guarded by the host's timer lock */
	u64 opaque[6];
};

void host__timer_init(struct host_timer *t, void (*fn)(struct host_timer *t));
/* (Re)arms; a deadline in the past fires at once (on the timer thread). */
void host__timer_set(struct host_timer *t, u64 deadline_ns);
/* Disarms. The function may still be running when this returns. */
void host__timer_cancel(struct host_timer *t);
/* Disarms and waits until the function runs no more. Not with a lock held that fn takes. */
void host__timer_destroy(struct host_timer *t);

/* ---- eventfds ---- */

struct host_eventfd; /* opaque */

/* Takes a reference on the eventfd behind descriptor fd. NULL if it is none (-EBADF). */
struct host_eventfd *host__eventfd_get(int fd);
void host__eventfd_put(struct host_eventfd *e);
bool host__eventfd_same(const struct host_eventfd *e, int fd);
void host__eventfd_signal(struct host_eventfd *e);
/*
 * Calls fn(arg) on a thread of the host's each time e is signalled, having consumed the count.
 * One watch per eventfd. 0 or -errno. host__eventfd_unwatch() returns when fn runs no more.
 */
int host__eventfd_watch(struct host_eventfd *e, void (*fn)(void *arg), void *arg);
void host__eventfd_unwatch(struct host_eventfd *e);

/* ---- the host CPU and the log ---- */

static __always_inline void host__cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

/* Processors that are online. */
u32 host__nr_cpus(void);

/* A number for developers from the environment, or the default if it is not there. */
u32 host__tunable(const char *name, u32 otherwise);

/* n bytes of the host's randomness. */
void host__random(void *buf, size_t n);

/*
 * Text into a descriptor of engine_config, or 2 for standard error, printf-like; cut to 1023 bytes.
 * One call is one write.
 */
void host__print(int file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One line for the developer, printf-like (%s %d %u %x %lx %llx %p); shown when tracing is on. */
void host__log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
