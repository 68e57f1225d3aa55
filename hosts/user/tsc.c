/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate of the host's TSC: what the kernel uses itself, if it says so (perf's page, see
 * perf_event_open(2), time_mult); a leaf of CPUID; or measured.
 */
#include "core/host.h"
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <time.h>
#include "hosts/user/syscall.h"

#define PAGE 4096
#define MEASURE_NS 4000000ULL
#define SAMPLES 8

static u32 khz_of_kernel(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	long fd = RAW_SYSCALL(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	const struct perf_event_mmap_page *page;
	u32 khz = 0;
	long p;

	if (fd < 0)
		return 0;
	p = RAW_SYSCALL(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (p > 0) {
		page = (const void *)p;
		/* ns = (cycles * mult) >> shift */
		if (page->cap_user_time && page->time_mult)
			khz = (u32)(((u128)1000000 << page->time_shift) / page->time_mult);
		RAW_SYSCALL(SYS_munmap, p, PAGE);
	}
	RAW_SYSCALL(SYS_close, fd);
	return khz;
}

static u32 khz_of_cpuid(void)
{
	u32 r[4], max;

	host__cpuid(0, 0, r);
	max = r[0];
	if (max >= 0x15) {
		/* Crystal's Hz in ECX, ratio EBX / EAX (SDM vol. 2, CPUID leaf 15H). */
		host__cpuid(0x15, 0, r);
		if (r[0] && r[1] && r[2])
			return (u64)r[2] * r[1] / r[0] / 1000;
	}
	host__cpuid(1, 0, r);
	if (!(r[2] >> 31 & 1))
		return 0;
	host__cpuid(0x40000000, 0, r);
	if (r[0] < 0x40000010)
		return 0;
	host__cpuid(0x40000010, 0, r);
	return r[0];
}

struct sample {
	u64 tsc;
	u64 ns;
};

/* The clock read closest between two reads of the TSC is the least disturbed one. */
static struct sample take_sample(void)
{
	struct sample best = { 0 };
	u64 shortest = ~0ULL;
	unsigned i;

	for (i = 0; i < SAMPLES; i++) {
		struct timespec ts = { 0 };
		u64 before = host__rdtsc(), after;

		RAW_SYSCALL(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &ts);
		after = host__rdtsc();
		if (after - before < shortest) {
			shortest = after - before;
			best.tsc = before + shortest / 2;
			best.ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
		}
	}
	return best;
}

static u32 khz_measured(void)
{
	struct sample begin = take_sample(), end;

	do
		end = take_sample();
	while (end.ns - begin.ns < MEASURE_NS);
	return (u32)((u128)(end.tsc - begin.tsc) * 1000000 / (end.ns - begin.ns));
}

u32 host__tsc_khz(void)
{
	static u32 cached;
	u32 khz = __atomic_load_n(&cached, __ATOMIC_RELAXED);
	u32 none = 0;

	if (khz)
		return khz;
	khz = khz_of_kernel();
	if (!khz)
		khz = khz_of_cpuid();
	if (!khz)
		khz = khz_measured();
	/* Measured values differ a little: the first one counts for the process. */
	if (!__atomic_compare_exchange_n(&cached, &none, khz, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		khz = none;
	return khz;
}
