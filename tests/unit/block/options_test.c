/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of disks, and rate limits on a clock of the test's own. */
#include <errno.h>

#include "fixture.h"
#include "vmm/throttle/throttle.h"

static void test_every_option_is_taken(void **state)
{
	struct block_options options;
	char error[256] = "";

	assert_int_equal(block_options__parse(&options,
					      "/a,,b,format=qcow2,read-only=on,cache=none,aio=threads,"
					      "discard=off,detect-zeroes=unmap,locking=off,rerror=stop,"
					      "werror=report,metadata-cache=1M,iops=100,iops-max=200,"
					      "iops-max-length=3,bps-wr=2M,iops-size=4K",
					      error, sizeof(error)),
			 0);
	assert_string_equal(options.file, "/a,b");
	assert_string_equal(options.format, "qcow2");
	assert_true(options.read_only);
	assert_int_equal(options.cache, BLOCK_CACHE_NONE);
	assert_int_equal(options.aio, BLOCK_AIO_THREADS);
	assert_false(options.discard);
	assert_false(options.locking);
	assert_int_equal(options.detect_zeroes, BLOCK_DETECT_ZEROES_UNMAP);
	assert_int_equal(options.read_error, BLOCK_ERROR_STOP);
	assert_int_equal(options.write_error, BLOCK_ERROR_REPORT);
	assert_int_equal(options.metadata_cache, 1 << 20);
	assert_int_equal(options.limit[THROTTLE_OPS].rate, 100);
	assert_int_equal(options.limit[THROTTLE_OPS].burst, 200);
	assert_int_equal(options.limit[THROTTLE_OPS].burst_seconds, 3);
	assert_int_equal(options.limit[THROTTLE_WRITE_BYTES].rate, 2 << 20);
	assert_int_equal(options.limit_unit, 4096);
	block_options__free(&options);
}

static void test_bad_options_are_named(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "file=" },
		{ "a,", "must be FILE" },
		{ "a,b", "must be FILE" },
		{ "a,=b", "must be FILE" },
		{ "a,colour=red", "unknown option colour" },
		{ "a,format=vmdk", "format=vmdk: must be raw or qcow2" },
		{ "a,read-only=yes", "read-only=yes: must be on or off" },
		{ "a,cache=fast", "cache=fast: must be writeback, none" },
		{ "a,aio=", "aio=: must be auto" },
		{ "a,iops=-1", "iops=-1: must be a number" },
		{ "a,iops=1x", "iops=1x: must be a number" },
		{ "a,bps=99999999999999999999", "must be a number" },
		{ "a,bps=99999999T", "must be a number" },
		{ "a,iops-max=5", "needs iops too" },
		{ "a,iops=5,iops-max-length=5", "needs iops-max too" },
		{ "a,iops=5,iops-max=4", "must not be less" },
		{ "a,iops=5,iops-max=9,iops-max-length=0", "must be a number from 1" },
		{ "a,metadata-cache=1", "must be a number from 131072" },
		{ "a,iopsy=3", "unknown option iopsy" },
		{ "a,cache=writeback|none", "must be writeback" },
	};
	struct block_options options;
	char error[256];
	unsigned i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		error[0] = 0;
		assert_int_equal(block_options__parse(&options, rows[i].text, error, sizeof(error)),
				 -EINVAL);
		if (!strstr(error, rows[i].said))
			fail_msg("\"%s\" said \"%s\"", rows[i].text, error);
	}
}

/* Requests that pass in `seconds` when there are always more. */
static unsigned count_passes(struct throttle *throttle, uint64_t *now, double seconds, uint64_t bytes)
{
	uint64_t end = *now + (uint64_t)(seconds * 1e9), wait;
	unsigned count = 0;

	while (*now < end) {
		wait = throttle__pass(throttle, false, bytes, *now);
		if (wait)
			*now += wait;
		else
			count++;
	}
	return count;
}

static void test_average_rate_is_kept(void **state)
{
	struct throttle_limit limit[THROTTLE_COUNT] = { [THROTTLE_OPS] = { .rate = 1000 } };
	struct throttle throttle;
	uint64_t now = 5000;
	unsigned count;

	throttle__init(&throttle);
	throttle__set(&throttle, limit, 0);
	count = count_passes(&throttle, &now, 10, 4096);
	assert_in_range(count, 10000, 10110);
	/* A pause saves up a tenth of a second's worth at most. */
	now += 3600ULL * 1000000000;
	count = count_passes(&throttle, &now, 1, 4096);
	assert_in_range(count, 1000, 1110);
	throttle__destroy(&throttle);
}

static void test_burst_passes_and_ends(void **state)
{
	struct throttle_limit limit[THROTTLE_COUNT] = {
		[THROTTLE_READ_OPS] = { .rate = 100, .burst = 1000, .burst_seconds = 5 }
	};
	struct throttle throttle;
	uint64_t now = 1;
	unsigned count;

	throttle__init(&throttle);
	throttle__set(&throttle, limit, 0);
	count = count_passes(&throttle, &now, 1, 512);
	assert_in_range(count, 1000, 1110);
	count_passes(&throttle, &now, 9, 512);
	count = count_passes(&throttle, &now, 10, 512);
	assert_in_range(count, 990, 1010);
	throttle__destroy(&throttle);
}

static void test_bytes_and_large_requests_count(void **state)
{
	struct throttle_limit bytes[THROTTLE_COUNT] = { [THROTTLE_BYTES] = { .rate = 1 << 20 } };
	struct throttle_limit ops[THROTTLE_COUNT] = { [THROTTLE_OPS] = { .rate = 1000 } };
	struct throttle throttle;
	uint64_t now = 1;
	unsigned count;

	throttle__init(&throttle);
	throttle__set(&throttle, bytes, 0);
	count = count_passes(&throttle, &now, 100, 4 << 20);
	assert_in_range(count, 25, 27);
	throttle__set(&throttle, ops, 4096);
	count = count_passes(&throttle, &now, 10, 40960);
	assert_in_range(count, 1000, 1020);
	/* Writes are not limited by limits of reads. */
	ops[THROTTLE_READ_OPS] = ops[THROTTLE_OPS];
	ops[THROTTLE_OPS].rate = 0;
	throttle__set(&throttle, ops, 0);
	for (count = 0; count < 100000; count++)
		assert_int_equal(throttle__pass(&throttle, true, 512, now), 0);
	throttle__destroy(&throttle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_is_taken),
		cmocka_unit_test(test_bad_options_are_named),
		cmocka_unit_test(test_average_rate_is_kept),
		cmocka_unit_test(test_burst_passes_and_ends),
		cmocka_unit_test(test_bytes_and_large_requests_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
