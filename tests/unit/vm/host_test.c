/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user-space host: block operations, copies, timers, event descriptors, clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/host.h"

static void block_operations_agree_with_a_loop(void **state)
{
	u8 a[300], b[300];
	unsigned n, from, to, i;

	for (n = 0; n < 100; n++) {
		for (from = 0; from < 40; from += 7) {
			for (to = 0; to < 40; to += 5) {
				for (i = 0; i < sizeof(a); i++)
					a[i] = b[i] = i * 7;
				memmove(a + to, a + from, n);
				for (i = 0; i < sizeof(a); i++) {
					u8 want = i >= to && i < to + n ? b[i - to + from] : b[i];

					assert_int_equal(a[i], want);
				}
				memcpy(a + 150, b + from, n);
				assert_int_equal(memcmp(a + 150, b + from, n), 0);
			}
		}
		memset(a, n, n);
		for (i = 0; i < n; i++)
			assert_int_equal(a[i], n);
	}
	assert_true(memcmp("abcdefghi", "abcdefghj", 9) < 0);
	assert_true(memcmp("b2345678", "a2345679", 8) > 0);
}

static void bad_user_addresses_are_errors(void **state)
{
	u8 *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u64 value = 5;

	munmap(page + 4096, 4096);
	assert_int_equal(host__copy_to_user((u64)page, &value, 8), 0);
	assert_int_equal(host__copy_from_user(&value, (u64)page, 8), 0);
	assert_int_equal(host__copy_from_user(&value, (u64)page + 4092, 8), -EFAULT);
	assert_int_equal(host__copy_to_user((u64)page + 4092, &value, 8), -EFAULT);
	assert_int_equal(host__copy_from_user(&value, 0, 8), -EFAULT);
	assert_int_equal(host__copy_from_user(&value, ~0ULL - 3, 8), -EFAULT);
	assert_int_equal(host__copy_to_user(0, &value, 0), 0);
	munmap(page, 4096);
}

static u32 fired[3];
static u32 order;

static void fire0(struct host_timer *t)
{
	fired[0] = __atomic_add_fetch(&order, 1, __ATOMIC_SEQ_CST);
}

static void fire1(struct host_timer *t)
{
	fired[1] = __atomic_add_fetch(&order, 1, __ATOMIC_SEQ_CST);
}

static void fire2(struct host_timer *t)
{
	fired[2] = __atomic_add_fetch(&order, 1, __ATOMIC_SEQ_CST);
}

static void timers_fire_in_order_and_not_early(void **state)
{
	struct host_timer t[3];
	u64 now = host__monotonic_ns();

	host__timer_init(&t[0], fire0);
	host__timer_init(&t[1], fire1);
	host__timer_init(&t[2], fire2);
	host__timer_set(&t[0], now + 30000000);
	host__timer_set(&t[1], now + 10000000);
	host__timer_set(&t[2], now + 20000000);
	host__timer_cancel(&t[2]);
	usleep(5000);
	if (host__monotonic_ns() < now + 10000000)
		assert_int_equal(order, 0);
	usleep(100000);
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired[0], 2);
	assert_int_equal(fired[2], 0);
	host__timer_set(&t[2], now); /* long past */
	usleep(50000);
	assert_int_equal(fired[2], 3);
	host__timer_destroy(&t[0]);
	host__timer_destroy(&t[1]);
	host__timer_destroy(&t[2]);
}

static void count_event(void *arg)
{
	__atomic_fetch_add((u32 *)arg, 1, __ATOMIC_SEQ_CST);
}

static void event_descriptors_are_watched(void **state)
{
	int fd = eventfd(0, 0), other = eventfd(0, 0), copy = dup(fd), pipes[2];
	struct host_eventfd *e = host__eventfd_get(fd);
	u64 one = 1;
	u32 count = 0;

	assert_non_null(e);
	assert_true(host__eventfd_same(e, fd));
	assert_true(host__eventfd_same(e, copy));
	assert_false(host__eventfd_same(e, other));
	assert_int_equal(pipe(pipes), 0);
	assert_null(host__eventfd_get(pipes[0]));
	assert_null(host__eventfd_get(-1));
	assert_int_equal(host__eventfd_watch(e, count_event, &count), 0);
	assert_int_equal(host__eventfd_watch(e, count_event, &count), -EBUSY);
	assert_int_equal(write(fd, &one, 8), 8);
	usleep(50000);
	assert_int_equal(count, 1);
	host__eventfd_signal(e);
	usleep(50000);
	assert_int_equal(count, 2);
	host__eventfd_unwatch(e);
	host__eventfd_signal(e);
	usleep(20000);
	assert_int_equal(count, 2);
	host__eventfd_put(e);
	close(fd);
	close(other);
	close(copy);
	close(pipes[0]);
	close(pipes[1]);
}

/* The rate of the TSC and the clock agree to a thousandth. */
static void clocks_agree(void **state)
{
	u64 ns = host__monotonic_ns(), tsc = host__rdtsc(), khz = host__tsc_khz(), expected;

	usleep(50000);
	ns = host__monotonic_ns() - ns;
	tsc = host__rdtsc() - tsc;
	expected = tsc * 1000000 / khz;
	assert_in_range(ns, expected - expected / 500, expected + expected / 500);
	assert_true(host__realtime_ns() > 1600000000000000000ULL);
	assert_true(host__nr_cpus() >= 1);
}

static void sparse_memory_is_zero_and_cheap(void **state)
{
	u8 *p = host__alloc_sparse(1ULL << 36);

	assert_non_null(p);
	assert_int_equal(p[1ULL << 35], 0);
	p[1ULL << 35] = 1;
	host__free_sparse(p, 1ULL << 36);
	assert_null(host__alloc(~0ULL - 10));
	assert_null(host__alloc_sparse(~0ULL - 10));
	host__free(NULL);
	host__free_sparse(NULL, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_operations_agree_with_a_loop),
		cmocka_unit_test(bad_user_addresses_are_errors),
		cmocka_unit_test(timers_fire_in_order_and_not_early),
		cmocka_unit_test(event_descriptors_are_watched),
		cmocka_unit_test(clocks_agree),
		cmocka_unit_test(sparse_memory_is_zero_and_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
