/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses a block device as an asynchronous program does, past the page cache, for some seconds a
 * pattern. Prints "disk PATTERN OPERATIONS-PER-SECOND". Static: it runs in the small guest.
 *
 * usage: disk DEVICE MILLISECONDS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MOST 32
#define BLOCK_MOST (256u << 10)

struct pattern {
	const char *name;
	unsigned block, depth;
	int write, random;
};

static const struct pattern patterns[] = {
	{ "randread-4k-qd1", 4096, 1, 0, 1 },
	{ "randread-4k-qd32", 4096, 32, 0, 1 },
	{ "read-256k-qd4", BLOCK_MOST, 4, 0, 0 },
	{ "write-256k-qd4", BLOCK_MOST, 4, 1, 0 },
};

struct run {
	const struct pattern *pattern;
	aio_context_t context;
	int fd;
	uint64_t blocks, next;
	struct iocb iocb[DEPTH_MOST];
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void submit(struct run *run, struct iocb **list, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		uint64_t block = run->pattern->random ? (uint64_t)rand() : run->next++;

		list[i]->aio_offset = block % run->blocks * run->pattern->block;
	}
	if (syscall(SYS_io_submit, run->context, count, list) != count)
		fail("io_submit");
}

static unsigned collect(struct run *run, struct iocb **list, unsigned least)
{
	struct io_event event[DEPTH_MOST];
	long i, n = syscall(SYS_io_getevents, run->context, least, DEPTH_MOST, event, NULL);

	if (n < least)
		fail("io_getevents");
	for (i = 0; i < n; i++) {
		list[i] = (struct iocb *)(uintptr_t)event[i].obj;
		if (event[i].res != run->pattern->block) {
			errno = (int)-event[i].res;
			fail(run->pattern->name);
		}
	}
	return n;
}

static void measure(struct run *run, double seconds)
{
	struct iocb *list[DEPTH_MOST];
	unsigned i, n = run->pattern->depth;
	uint64_t done = 0;
	double start, end;

	for (i = 0; i < n; i++) {
		void *buf;

		if (posix_memalign(&buf, 4096, run->pattern->block))
			fail("memory");
		run->iocb[i] = (struct iocb){
			.aio_lio_opcode = run->pattern->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
			.aio_fildes = run->fd,
			.aio_buf = (uintptr_t)buf,
			.aio_nbytes = run->pattern->block,
		};
		list[i] = &run->iocb[i];
	}
	start = now();
	submit(run, list, n);
	do {
		i = collect(run, list, 1);
		done += i;
		submit(run, list, i);
		end = now();
	} while (end - start < seconds);
	collect(run, list, n);
	printf("disk %s %.1f\n", run->pattern->name, done / (end - start));
}

int main(int argc, char **argv)
{
	struct run run = { .next = 0 };
	uint64_t size;
	unsigned i;

	if (argc != 3) {
		fprintf(stderr, "usage: disk DEVICE MILLISECONDS\n");
		return 2;
	}
	run.fd = open(argv[1], O_RDWR | O_DIRECT);
	if (run.fd < 0 || ioctl(run.fd, BLKGETSIZE64, &size))
		fail(argv[1]);
	if (syscall(SYS_io_setup, DEPTH_MOST, &run.context))
		fail("io_setup");
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		run.pattern = &patterns[i];
		run.blocks = size / run.pattern->block;
		measure(&run, atof(argv[2]) / 1e3);
	}
	return 0;
}
