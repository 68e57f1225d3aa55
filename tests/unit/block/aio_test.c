/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes that an event loop's thread makes itself: when it does, when it stops, that all are delivered. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "vmm/block/io/aio.h"
#include "vmm/block/io/file.h"

#define BYTES 4096u
/* Far from what a busy host makes of a quick write. */
#define SLOW_MS 400u
#define PAUSE_MS 2000u

/* A host file whose writes by system calls are counted, and take as long as the test says. */
static struct {
	int fd;
	unsigned writes;
	unsigned milliseconds;
	int error;
} slow;

static void sleep_ms(unsigned ms)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

static int open_slow(struct block_file *file, const struct file_how *how, char *error, size_t error_size)
{
	file->fd = slow.fd;
	file->align = 1;
	file->writable = true;
	file->direct = how->direct;
	file->in_page_cache = true;
	return 0;
}

static void close_slow(struct block_file *file)
{
}

static long write_slow(struct block_file *file, const struct iovec *iov, int count, uint64_t offset)
{
	slow.writes++;
	if (slow.error)
		return slow.error;
	if (slow.milliseconds)
		sleep_ms(slow.milliseconds);
	return pwritev(file->fd, iov, count, (off_t)offset);
}

static const struct file_class class_slow = {
	.open = open_slow,
	.close = close_slow,
	.write = write_slow,
};

struct access {
	struct aio_op op; /* first */
	struct iovec iov;
	unsigned done;
	int result;
};

static struct {
	struct loop *loop;
	struct aio *aio;
	struct block_file *file;
	unsigned left;
	uint8_t bytes[BYTES];
} test;

static void on_done(struct aio_op *op, int result)
{
	struct access *access = (struct access *)op;

	access->done++;
	access->result = result;
	if (!--test.left)
		loop__stop(test.loop);
}

static void submit(struct access *access, enum aio_kind kind, uint64_t offset)
{
	*access = (struct access){ .iov = { test.bytes, BYTES } };
	access->op = (struct aio_op){
		.kind = kind, .file = test.file, .iov = &access->iov, .iov_count = 1, .offset = offset,
		.length = BYTES, .done = on_done,
	};
	test.left++;
	aio__submit(test.aio, &access->op);
	/* Never within aio__submit(). */
	assert_int_equal(access->done, 0);
}

static void begin(bool let_write, bool direct)
{
	const struct file_how how = { .write = true, .direct = direct };
	char error[256];

	memset(&slow, 0, sizeof(slow));
	slow.fd = open(fixture__file("aio", 16 * BYTES, 1), O_RDWR | O_CLOEXEC);
	assert_true(slow.fd >= 0);
	assert_int_equal(loop__create(&test.loop), 0);
	assert_int_equal(aio__create(test.loop, AIO_AUTO, &test.aio, error, sizeof(error)), 0);
	assert_int_equal(file__open(&class_slow, "slow", &how, &test.file, error, sizeof(error)), 0);
	if (let_write)
		aio__let_write(test.aio, SLOW_MS * 1000000ULL, PAUSE_MS * 1000000ULL);
	memset(test.bytes, 0x5a, sizeof(test.bytes));
}

static void end(void)
{
	aio__destroy(test.aio);
	file__close(test.file);
	loop__destroy(test.loop);
	close(slow.fd);
}

/* Writes once and waits for it; whether it was by a call of this thread. */
static bool write_once(void)
{
	unsigned before = slow.writes;
	struct access access;

	submit(&access, AIO_WRITE, 0);
	aio__commit_and_collect(test.aio);
	while (test.left)
		loop__run(test.loop);
	assert_int_equal(access.done, 1);
	assert_int_equal(access.result, 0);
	return slow.writes != before;
}

static void needs_uring(void)
{
	if (!aio__uses_uring(test.aio)) {
		end();
		skip();
	}
}

static void collected_at_once(void **state)
{
	struct access access[3];
	uint8_t found = 0;
	unsigned i;

	begin(true, false);
	needs_uring();
	for (i = 0; i < 3; i++)
		submit(&access[i], AIO_WRITE, (i + 1) * BYTES);
	aio__commit_and_collect(test.aio);
	assert_int_equal(test.left, 0);
	assert_int_equal(slow.writes, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(access[i].result, 0);
		assert_int_equal(pread(slow.fd, &found, 1, (i + 2) * BYTES - 1), 1);
		assert_int_equal(found, 0x5a);
	}
	end();
}

/* Who only commits is called by the loop. */
static void delivered_by_the_loop(void **state)
{
	struct access access[2];

	begin(true, false);
	needs_uring();
	submit(&access[0], AIO_WRITE, 0);
	submit(&access[1], AIO_WRITE, BYTES);
	aio__commit(test.aio);
	assert_int_equal(test.left, 2);
	while (test.left)
		loop__run(test.loop);
	assert_int_equal(test.left, 0);
	assert_int_equal(access[0].done + access[1].done, 2);
	submit(&access[0], AIO_WRITE, 0);
	aio__wait(test.aio);
	assert_int_equal(access[0].done, 1);
	end();
}

static void errors_are_told(void **state)
{
	struct access access;

	begin(true, false);
	needs_uring();
	slow.error = -ENOSPC;
	submit(&access, AIO_WRITE, 0);
	aio__commit_and_collect(test.aio);
	assert_int_equal(access.result, -ENOSPC);
	end();
}

static void only_where_it_may(void **state)
{
	begin(false, false);
	needs_uring();
	assert_false(write_once());
	end();
	begin(true, true);
	assert_false(write_once());
	end();
	/* A network file system's. */
	begin(true, false);
	test.file->in_page_cache = false;
	assert_false(write_once());
	end();
}

/* One slow write, and others go another way for a while; then they are tried again. */
static void slow_ones_go_elsewhere(void **state)
{
	begin(true, false);
	needs_uring();
	assert_true(write_once());
	slow.milliseconds = SLOW_MS;
	assert_true(write_once());
	slow.milliseconds = 0;
	assert_false(write_once());
	assert_false(write_once());
	sleep_ms(PAUSE_MS);
	slow.milliseconds = SLOW_MS;
	assert_true(write_once());
	/* Soon again: twice as long. */
	slow.milliseconds = 0;
	sleep_ms(PAUSE_MS);
	assert_false(write_once());
	sleep_ms(PAUSE_MS);
	assert_true(write_once());
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collected_at_once),
		cmocka_unit_test(delivered_by_the_loop),
		cmocka_unit_test(errors_are_told),
		cmocka_unit_test(only_where_it_may),
		cmocka_unit_test(slow_ones_go_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
