/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks of the host: wall and monotonic time, run-queue waits. */
#include "core/host.h"
#include <time.h>
#include "hosts/user/syscall.h"
#include "hosts/user/vdso.h"

#define NS_PER_S 1000000000ULL

typedef long clock_gettime_fn(clockid_t id, struct timespec *ts);

static long clock_gettime_kernel(clockid_t id, struct timespec *ts)
{
	return RAW_SYSCALL(SYS_clock_gettime, id, ts);
}

/* Resolved on first use; the same value whoever writes it. */
static clock_gettime_fn *clock_function;

static u64 read_clock(clockid_t id)
{
	clock_gettime_fn *fn = __atomic_load_n(&clock_function, __ATOMIC_RELAXED);
	struct timespec ts = { 0 };

	if (unlikely(!fn)) {
		fn = vdso__function("__vdso_clock_gettime");
		if (!fn)
			fn = clock_gettime_kernel;
		__atomic_store_n(&clock_function, fn, __ATOMIC_RELAXED);
	}
	fn(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

u64 host__monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

u64 host__realtime_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

static const char *skip_number(const char *s, u64 *value)
{
	while (*s == ' ')
		s++;
	for (*value = 0; *s >= '0' && *s <= '9'; s++)
		*value = *value * 10 + (*s - '0');
	return s;
}

/* schedstat: time on a processor, time waiting for one, slices (Documentation/scheduler). */
u64 host__thread_wait_ns(void)
{
	char text[96];
	const char *s = text;
	u64 running, waiting;

	if (raw_read_file("/proc/thread-self/schedstat", text, sizeof(text)) <= 0)
		return 0;
	s = skip_number(s, &running);
	skip_number(s, &waiting);
	return waiting;
}
