/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left of a qcow2 image after a crash: power cuts on a medium in memory that loses a random
 * part of what was not synced, and processes killed in the middle of their work on a file. Whatever
 * happens, what a flush has acknowledged is there, and qemu-img finds no corruption.
 *
 *	test-block-qcow2-crash [--cuts N] [--kills N] [--seed S]
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "memory_file.h"
#include "vmm/block/image.h"
#include "vmm/block/node.h"

#define SECTORS 8192u /* of the disk */
#define SIZE (SECTORS * 512u)
#define MAX_BATCH 12
#define MAX_LENGTH 256u /* sectors */

/*
 * Each write of a sector has a version, later ones have higher ones; the sector's bytes say both. So
 * what is found after a crash tells how old it is. Zeroes have no version: apart.
 */
struct ledger {
	uint32_t durable[SECTORS];   /* what a flush has acknowledged; 0: zeroes */
	uint32_t completed[SECTORS]; /* the last write that has completed */
	uint32_t zeroed[SECTORS];    /* version at which zeroes were last asked for */
	uint32_t next;
	unsigned flushes; /* acknowledged */
};

static struct ledger *ledger; /* shared with the children */
static uint64_t state;
static uint8_t (*buffers)[MAX_LENGTH * 512];

static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return next_random() % n;
}

/* ---- images ---- */

struct kind {
	struct image_create create;
	bool packed, snapshot;
};

static void choose_kind(struct kind *kind)
{
	static const uint8_t bits[] = { 9, 12, 14, 16, 16, 16 };
	struct image_create *create = &kind->create;

	memset(kind, 0, sizeof(*kind));
	create->size = SIZE;
	create->version = 3;
	create->cluster_bits = bits[below(6)];
	create->refcount_bits = 1u << (1 + below(6));
	create->lazy_refcounts = below(3) == 0;
	create->extended_l2 = create->cluster_bits >= 14 && below(3) == 0;
	kind->snapshot = below(2);
}

static void make_image(struct kind *kind, const char *path)
{
	struct node_how how = { .path = path, .write = true };
	struct image_create create = kind->create;
	char error[512];
	struct node *node;

	create.path = path;
	if (format_class_qcow2.create(&create, error, sizeof(error)))
		fail_msg("%s", error);
	memset(ledger, 0, sizeof(*ledger));
	ledger->next = 1;
	if (!kind->snapshot)
		return;
	/* A snapshot of something: writes copy, and refcounts go down again. */
	memset(buffers[0], 0x55, sizeof(buffers[0]));
	assert_int_equal(node__open(&how, &node, error, sizeof(error)), 0);
	assert_int_equal(node__write(node, 512 * 100, buffers[0], sizeof(buffers[0])), 0);
	if (node->class->snapshot_create(node, "before", error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(node__zero(node, 0, SIZE, true), 0);
	assert_int_equal(node__close(node), 0);
}

/* ---- work ---- */

struct shot {
	struct block_request request;
	struct iovec iov;
	uint32_t version;
	int result;
};

static void fill(uint8_t *buf, uint32_t sector, uint32_t count, uint32_t version)
{
	uint32_t i, n;

	for (i = 0; i < count; i++)
		for (n = 0; n < 64; n++) {
			uint64_t value = (uint64_t)(sector + i) << 32 | version;

			memcpy(buf + i * 512 + n * 8, &value, 8);
		}
}

static bool aim(const struct shot *shots, unsigned count, uint32_t *sector, uint32_t *length)
{
	uint32_t area = below(2) ? 0 : SECTORS - 600;
	unsigned i, tries;

	for (tries = 0; tries < 5; tries++) {
		*sector = below(2) ? area + below(600) : below(SECTORS);
		*length = 1 + below(below(3) ? 20 : MAX_LENGTH);
		if (*length > SECTORS - *sector)
			*length = SECTORS - *sector;
		for (i = 0; i < count; i++)
			if (shots[i].request.offset < (uint64_t)(*sector + *length) * 512 &&
			    (uint64_t)*sector * 512 < shots[i].request.offset + shots[i].request.length)
				break;
		if (i == count)
			return true;
	}
	return false;
}

static void shoot(struct disk *disk, struct shot *shot, uint8_t *buf, uint32_t sector, uint32_t length)
{
	static const enum block_op ops[] = { BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE,
					     BLOCK_WRITE, BLOCK_ZERO, BLOCK_DISCARD };
	enum block_op op = ops[below(7)];
	uint32_t i;

	shot->version = ledger->next++;
	shot->iov = (struct iovec){ buf, length * 512 };
	shot->request = (struct block_request){ .op = op, .offset = sector * 512ULL,
						.length = length * 512ULL, .iov_count = 1,
						.flags = op == BLOCK_ZERO && below(2) ? BLOCK_UNMAP : 0 };
	if (op != BLOCK_DISCARD && below(8) == 0)
		shot->request.flags |= BLOCK_FUA;
	if (op == BLOCK_WRITE)
		fill(buf, sector, length, shot->version);
	else
		for (i = 0; i < length; i++)
			ledger->zeroed[sector + i] = shot->version;
	disk__async(disk, &shot->request, &shot->iov, &shot->result);
}

static void learn(const struct shot *shot)
{
	uint32_t sector = shot->request.offset / 512, count = shot->request.length / 512, i;

	if (shot->result || shot->request.op == BLOCK_DISCARD)
		return;
	for (i = sector; i < sector + count; i++)
		ledger->completed[i] = shot->request.op == BLOCK_WRITE ? shot->version : 0;
	if (shot->request.flags & BLOCK_FUA)
		memcpy(ledger->durable + sector, ledger->completed + sector, count * 4);
}

/* False: the disk is gone. */
static bool run_batch(struct disk *disk)
{
	static struct shot shots[MAX_BATCH];
	unsigned count = 0, wanted = 1 + below(MAX_BATCH), i;
	uint32_t sector, length;
	bool alive = true;

	for (i = 0; i < wanted; i++)
		if (aim(shots, count, &sector, &length)) {
			shoot(disk, &shots[count], buffers[count], sector, length);
			count++;
		}
	disk__wait(disk, 0);
	for (i = 0; i < count; i++) {
		alive &= !shots[i].result;
		learn(&shots[i]);
	}
	if (below(3) || !alive)
		return alive;
	if (disk__do(disk, BLOCK_FLUSH, 0, NULL, 0, 0))
		return false;
	memcpy(ledger->durable, ledger->completed, sizeof(ledger->durable));
	ledger->flushes++;
	return true;
}

/* ---- what is left ---- */

static void check_sector(uint32_t sector, const uint8_t *bytes)
{
	uint64_t value, other;
	uint32_t version, n;

	memcpy(&value, bytes, 8);
	for (n = 8; n < 512; n += 8) {
		memcpy(&other, bytes + n, 8);
		if (other != value)
			fail_msg("sector %u is a mixture", sector);
	}
	version = value;
	if (!value) {
		/* Zeroes: the last thing that is durable, or asked for since. */
		if (ledger->durable[sector] && ledger->zeroed[sector] < ledger->durable[sector])
			fail_msg("sector %u: version %u was flushed and is gone", sector,
				 ledger->durable[sector]);
		return;
	}
	if (value >> 32 != sector)
		fail_msg("sector %u has bytes of sector %u", sector, (uint32_t)(value >> 32));
	if (version < ledger->durable[sector])
		fail_msg("sector %u: version %u was flushed, and %u is there", sector,
			 ledger->durable[sector], version);
	if (version >= ledger->next)
		fail_msg("sector %u: version %u was never written", sector, version);
}

/* Everything the disk has; becomes what is known from now on. */
static void check_disk(struct disk *disk)
{
	static uint8_t all[SIZE];
	uint32_t i;

	assert_int_equal(disk__do(disk, BLOCK_READ, 0, all, SIZE, 0), 0);
	for (i = 0; i < SECTORS; i++) {
		uint64_t value;

		check_sector(i, all + i * 512);
		memcpy(&value, all + i * 512, 8);
		ledger->completed[i] = (uint32_t)value;
	}
	assert_int_equal(disk__do(disk, BLOCK_FLUSH, 0, NULL, 0, 0), 0);
	memcpy(ledger->durable, ledger->completed, sizeof(ledger->durable));
}

/* Leaks are allowed; with lazy refcounts, everything that a repair makes right. */
static void check_with_qemu(const char *path, bool lazy)
{
	char command[600];
	int status;

	snprintf(command, sizeof(command), "qemu-img check -q -f qcow2 %s %s >/dev/null 2>&1",
		 lazy ? "-r all" : "", path);
	status = WEXITSTATUS(system(command));
	if (status && status != 3) {
		snprintf(command, sizeof(command), "qemu-img check -f qcow2 %s >&2; cp %s /var/tmp/trivet-crashed.qcow2",
			 path, path);
		fail_msg("qemu-img check: status %d; then status %d", status, system(command));
	}
}

/* ---- power cuts ---- */

static struct memory_file *medium;
static int left; /* writes and syncs until the cut */
static uint64_t cut_seed;

static void count_down(void *opaque)
{
	if (__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0)
		memory_file__cut(medium, cut_seed);
}

static void load_medium(const char *path)
{
	FILE *file = fopen(path, "r");
	static uint8_t bytes[16 << 20];
	size_t size;

	assert_non_null(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	medium = memory_file__create("m", bytes, size);
}

static void cut_once(const struct kind *kind, const char *exported)
{
	struct disk disk;

	left = 1 + below(below(2) ? 60 : 600);
	cut_seed = next_random();
	disk__open_memory(&disk, "m,format=qcow2,werror=report");
	memory_file__hook(medium, count_down, NULL);
	while (run_batch(&disk))
		;
	memory_file__hook(medium, NULL, NULL);
	disk__close(&disk);
	memory_file__revive(medium);
	/* Refcounts are not up to date until the image is opened: a copy is what qemu-img repairs. */
	memory_file__export(medium, exported);
	check_with_qemu(exported, kind->create.lazy_refcounts);
	disk__open_memory(&disk, "m,format=qcow2,werror=report");
	check_disk(&disk);
	disk__close(&disk);
	memory_file__export(medium, exported);
	check_with_qemu(exported, false);
}

static uint64_t first_seed = 1;
static unsigned cut_count = 120, kill_count = 25;

static void say_kind(const char *what, uint64_t seed, const struct kind *kind)
{
	printf("%s: seed %llu: cluster %u, refcounts %u%s%s%s\n", what, (unsigned long long)seed,
	       1u << kind->create.cluster_bits, kind->create.refcount_bits,
	       kind->create.lazy_refcounts ? ", lazy" : "", kind->create.extended_l2 ? ", extended" : "",
	       kind->snapshot ? ", snapshot" : "");
	fflush(stdout);
}

static void test_power_cuts_lose_nothing_that_was_flushed(void **unused)
{
	unsigned cuts = 0, i;
	uint64_t seed;
	char image[256];
	struct kind kind;

	for (seed = first_seed; cuts < cut_count; seed++) {
		state = seed;
		choose_kind(&kind);
		say_kind("cut", seed, &kind);
		snprintf(image, sizeof(image), "%s", fixture__path("cut.qcow2"));
		make_image(&kind, image);
		load_medium(image);
		for (i = 0; i < 6 && cuts < cut_count; i++, cuts++)
			cut_once(&kind, fixture__path("exported.qcow2"));
	}
	memory_file__reset();
}

/* ---- kills ---- */

static void work_until_killed(const char *path, const char *more)
{
	struct disk disk;
	char text[512];

	snprintf(text, sizeof(text), "%s,format=qcow2,werror=report,%s", path, more);
	disk__open(&disk, text);
	while (run_batch(&disk))
		;
	_exit(1);
}

/* The kernel ends the last requests of a dead process; until then the image is locked. */
static void wait_for_lock(const char *path)
{
	struct node_how how = { .path = path, .write = true, .lock = true, .check = true };
	struct node *node;
	char error[512];
	unsigned tries;
	int err = -EBUSY;

	for (tries = 0; err == -EBUSY && tries < 100; tries++)
		err = node__open(&how, &node, error, sizeof(error));
	if (err)
		fail_msg("%s", error);
	node__close(node);
}

static void kill_once(const struct kind *kind, const char *path)
{
	static const char *const ways[] = { "aio=io_uring", "aio=threads", "cache=none", "cache=unsafe" };
	const char *way = ways[below(kind->create.cluster_bits < 12 ? 2 : 4)];
	unsigned us = 1000 + below(60000);
	struct disk disk;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child)
		work_until_killed(path, way);
	usleep(us);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status))
		fail_msg("the child ended by itself: status %d", status);
	wait_for_lock(path);
	if (!kind->create.lazy_refcounts)
		check_with_qemu(path, false);
	/* The image's own way back from lazy refcounts. */
	disk__open(&disk, path);
	check_disk(&disk);
	disk__close(&disk);
	check_with_qemu(path, false);
	/* Other numbers than those that the child has used up. */
	next_random();
}

static void test_killed_processes_leave_what_was_flushed(void **unused)
{
	unsigned kills = 0, flushes = 0, i;
	uint64_t seed;
	char image[256];
	struct kind kind;

	for (seed = first_seed; kills < kill_count; seed++) {
		state = seed * 77;
		choose_kind(&kind);
		say_kind("kill", seed, &kind);
		snprintf(image, sizeof(image), "%s", fixture__path("killed.qcow2"));
		make_image(&kind, image);
		for (i = 0; i < 10 && kills < kill_count; i++, kills++)
			kill_once(&kind, image);
		flushes += ledger->flushes;
	}
	printf("%u kills, %u flushes were acknowledged before them\n", kills, flushes);
	assert_true(flushes > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cuts_lose_nothing_that_was_flushed),
		cmocka_unit_test(test_killed_processes_leave_what_was_flushed),
	};
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--seed"))
			first_seed = value;
		else if (!strcmp(argv[i], "--cuts"))
			cut_count = value;
		else if (!strcmp(argv[i], "--kills"))
			kill_count = value;
		else
			return 2;
	}
	if (system("qemu-img --version >/dev/null 2>&1"))
		return 77; /* skipped */
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	buffers = malloc(MAX_BATCH * sizeof(*buffers));
	if (ledger == MAP_FAILED || !buffers)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
