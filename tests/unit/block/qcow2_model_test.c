/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random requests, many at once, on qcow2 images of every kind, beside a model in memory. Each read
 * is compared with the model; at the end qemu-img checks the image and compares it with the model.
 *
 *	test-block-qcow2-model [--seed S] [--rounds N] [--seconds N]
 *
 * A disagreement names the seed that brings it back alone.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "vmm/block/image.h"
#include "vmm/block/node.h"

#define MAX_SIZE (24u << 20)
#define MAX_BATCH 24
#define MAX_LENGTH (1u << 20)

static uint64_t state;
static uint8_t model[MAX_SIZE], base[MAX_SIZE], *buffers;

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

static void run_or_fail(const char *format, const char *a, const char *b)
{
	char command[1024];

	snprintf(command, sizeof(command), format, a, b);
	if (system(command))
		fail_msg("%s", command);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

struct kind {
	struct image_create create;
	const char *more; /* options of the disk */
	bool by_qemu;	  /* qemu-img makes it */
	uint64_t size, base_size;
	bool snapshots;
};

static char data_path[256];

static void choose_kind(struct kind *kind)
{
	static const uint8_t bits[] = { 9, 10, 12, 16, 16, 16, 17, 21 };
	static const char *const more[] = { "aio=io_uring", "aio=threads", "cache=none",
					    "cache=writethrough", "cache=unsafe,detect-zeroes=unmap",
					    "discard=off,detect-zeroes=on", "metadata-cache=128K" };
	struct image_create *create = &kind->create;

	memset(kind, 0, sizeof(*kind));
	kind->size = (1 + next_random() % (MAX_SIZE / 512)) * 512;
	kind->more = more[below(7)];
	kind->by_qemu = below(3) == 0;
	create->cluster_bits = bits[below(8)];
	create->refcount_bits = 1u << below(7);
	create->version = below(8) ? 3 : 2;
	create->lazy_refcounts = below(3) == 0;
	create->extended_l2 = create->cluster_bits >= 14 && below(2);
	create->zstd = below(2);
	create->size = kind->size;
	if (create->cluster_bits == 9 && !strcmp(kind->more, "cache=none"))
		kind->more = "aio=io_uring"; /* where blocks of 4 KiB are wanted, clusters are too small */
	if (create->version == 2) {
		create->refcount_bits = 16;
		create->lazy_refcounts = create->extended_l2 = create->zstd = false;
	}
	if (below(2)) {
		kind->base_size = (1 + next_random() % (MAX_SIZE / 512)) * 512;
		create->backing_name = "base.raw";
		create->backing_format = "raw";
	} else if (create->version == 3 && below(4) == 0) {
		/* QEMU takes a relative name from the working directory. */
		create->data_file = data_path;
		create->data_file_raw = below(2);
	}
	kind->snapshots = !create->data_file && create->refcount_bits > 1;
}

static void make_image(const struct kind *kind, const char *path)
{
	const struct image_create *create = &kind->create;
	char command[1024], more[256] = "", error[512];
	struct image_create mine = *create;
	uint64_t i;

	memset(model, 0, sizeof(model));
	if (kind->base_size) {
		for (i = 0; i < kind->base_size; i++)
			base[i] = i / 512 % 3 ? i * 7 + i / 512 + 1 : 0;
		write_file(fixture__path("base.raw"), base, kind->base_size);
		memcpy(model, base, kind->base_size < kind->size ? kind->base_size : kind->size);
		snprintf(more, sizeof(more), "-b %s -F raw", fixture__path("base.raw"));
	}
	if (!kind->by_qemu) {
		mine.path = path;
		if (format_class_qcow2.create(&mine, error, sizeof(error)))
			fail_msg("%s", error);
		return;
	}
	if (create->data_file)
		snprintf(more, sizeof(more), "-o data_file=%s,data_file_raw=%s",
			 fixture__path("data.raw"), create->data_file_raw ? "on" : "off");
	unlink(fixture__path("data.raw"));
	snprintf(command, sizeof(command),
		 "qemu-img create -q -f qcow2 -o cluster_size=%u,compat=%s%s%s%s %s %s %llu",
		 1u << create->cluster_bits, create->version == 3 ? "1.1" : "0.10",
		 create->lazy_refcounts ? ",lazy_refcounts=on" : "",
		 create->extended_l2 ? ",extended_l2=on" : "", create->zstd ? ",compression_type=zstd" : "",
		 more, path, (unsigned long long)kind->size);
	if (create->version == 3)
		snprintf(command + strlen(command), sizeof(command) - strlen(command),
			 " -o refcount_bits=%u", create->refcount_bits);
	if (system(command))
		fail_msg("%s", command);
}

/* One request of a batch. */
struct shot {
	struct block_request request;
	struct iovec iov[3];
	uint8_t *buf;
	int result;
};

static bool overlaps(const struct shot *shots, unsigned count, uint64_t offset, uint64_t length)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (offset < shots[i].request.offset + shots[i].request.length &&
		    shots[i].request.offset < offset + length)
			return true;
	return false;
}

static void fill(uint8_t *buf, uint64_t length)
{
	uint64_t i;

	if (below(6) == 0) {
		memset(buf, 0, length);
		return;
	}
	for (i = 0; i < length; i += 8) {
		uint64_t value = next_random();

		memcpy(buf + i, &value, 8);
	}
}

/* A place and a length, mostly near others, so that clusters are shared. */
static bool aim(struct shot *shots, unsigned count, uint64_t size, uint64_t area, uint64_t *offset,
		uint64_t *length)
{
	uint64_t sectors = size / 512, most = below(8) ? 40 : MAX_LENGTH / 512;
	unsigned tries;

	for (tries = 0; tries < 8; tries++) {
		*offset = (below(3) ? area + below(512) : next_random()) % sectors * 512;
		*length = (1 + below(most)) * 512;
		if (below(4) == 0)
			*offset &= ~65535ULL;
		if (below(4) == 0)
			*length = (*length + 65535) & ~65535ULL;
		if (*length > size - *offset)
			*length = size - *offset;
		if (!overlaps(shots, count, *offset, *length))
			return true;
	}
	return false;
}

static void shoot(struct disk *disk, struct shot *shot, uint64_t offset, uint64_t length)
{
	static const enum block_op ops[] = { BLOCK_READ, BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE,
					     BLOCK_WRITE, BLOCK_WRITE, BLOCK_ZERO, BLOCK_DISCARD };
	enum block_op op = ops[below(8)];
	uint64_t cut = 1 + next_random() % (length - 1), cut2 = cut + next_random() % (length - cut);

	shot->request = (struct block_request){
		.op = op,
		.flags = op == BLOCK_ZERO && below(2) ? BLOCK_UNMAP : below(10) == 0 ? BLOCK_FUA : 0,
		.offset = offset,
		.length = length,
		.iov_count = 3,
	};
	shot->iov[0] = (struct iovec){ shot->buf, cut };
	shot->iov[1] = (struct iovec){ shot->buf + cut, cut2 - cut };
	shot->iov[2] = (struct iovec){ shot->buf + cut2, length - cut2 };
	if (op == BLOCK_WRITE)
		fill(shot->buf, length);
	disk__async(disk, &shot->request, shot->iov, &shot->result);
}

/* What a discarded range has become is zeroes or what it was, block by block. */
static void learn_discard(struct disk *disk, uint64_t offset, uint64_t length)
{
	static uint8_t now[MAX_LENGTH], zeroes[512];
	uint64_t at;

	assert_int_equal(disk__do(disk, BLOCK_READ, offset, now, length, 0), 0);
	for (at = 0; at < length; at += 512) {
		if (memcmp(now + at, model + offset + at, 512) && memcmp(now + at, zeroes, 512))
			fail_msg("discarded block at %llu is neither old nor zero",
				 (unsigned long long)(offset + at));
		memcpy(model + offset + at, now + at, 512);
	}
}

static void run_batch(struct disk *disk, uint64_t size)
{
	static struct shot shots[MAX_BATCH];
	unsigned count = 1 + below(MAX_BATCH), i, shot = 0;
	uint64_t area = next_random() % (size / 512), offset, length;

	for (i = 0; i < count; i++) {
		if (!aim(shots, shot, size, area, &offset, &length))
			continue;
		shots[shot].buf = buffers + (size_t)shot * (MAX_LENGTH + 65536);
		shoot(disk, &shots[shot++], offset, length);
	}
	disk__wait(disk, 0);
	for (i = 0; i < shot; i++) {
		const struct block_request *request = &shots[i].request;
		uint8_t *at = model + request->offset;

		assert_int_equal(shots[i].result, 0);
		switch (request->op) {
		case BLOCK_READ:
			if (memcmp(shots[i].buf, at, request->length))
				fail_msg("read of %llu bytes at %llu differs",
					 (unsigned long long)request->length,
					 (unsigned long long)request->offset);
			break;
		case BLOCK_WRITE:
			memcpy(at, shots[i].buf, request->length);
			break;
		case BLOCK_ZERO:
			memset(at, 0, request->length);
			break;
		default:
			break;
		}
	}
	for (i = 0; i < shot; i++)
		if (shots[i].request.op == BLOCK_DISCARD)
			learn_discard(disk, shots[i].request.offset, shots[i].request.length);
	if (below(4) == 0)
		assert_int_equal(disk__do(disk, BLOCK_FLUSH, 0, NULL, 0, 0), 0);
}

static void open_kind(struct disk *disk, const struct kind *kind, const char *path)
{
	char text[512];

	snprintf(text, sizeof(text), "%s,format=qcow2,%s", path, kind->more);
	disk__open(disk, text);
	assert_int_equal(block__size(disk->block), kind->size);
}

static void check_with_qemu(const char *path, uint64_t size)
{
	write_file(fixture__path("model.raw"), model, size);
	run_or_fail("qemu-img check -q -f qcow2 %s >&2", path, "");
	run_or_fail("qemu-img compare -q -f raw -F qcow2 %s %s >&2", fixture__path("model.raw"), path);
}

/* Packs some clusters that are not there yet, as convert does. */
static void pack_some(const struct kind *kind, const char *path)
{
	struct node_how how = { .path = path, .format = "qcow2", .write = true };
	uint64_t cluster = 1ULL << kind->create.cluster_bits, at;
	struct node *node;
	char error[512];
	unsigned i;

	if (kind->create.data_file)
		return;
	if (node__open(&how, &node, error, sizeof(error)))
		fail_msg("%s", error);
	for (i = 0; i < 40; i++) {
		int err;

		at = next_random() % (kind->size / cluster + 1) * cluster;
		if (at + cluster > kind->size)
			continue;
		memset(buffers, below(256), cluster);
		fill(buffers, cluster / 4);
		err = node->class->write_packed(node, at, buffers, cluster);
		if (err == -E2BIG)
			continue;
		assert_int_equal(err, 0);
		memcpy(model + at, buffers, cluster);
	}
	assert_int_equal(node__close(node), 0);
}

static void snapshot_some(const struct kind *kind, const char *path)
{
	static const char *const names[] = { "one", "two", "three" };
	struct node_how how = { .path = path, .format = "qcow2", .write = true, .discard = true };
	const char *name = names[below(3)];
	struct node *node;
	char error[512];
	int err;

	if (node__open(&how, &node, error, sizeof(error)))
		fail_msg("%s", error);
	err = node->class->snapshot_create(node, name, error, sizeof(error));
	if (err == -EEXIST)
		err = node->class->snapshot_delete(node, name, error, sizeof(error));
	/* Three users are too many for two bits. */
	if (err && err != -ERANGE)
		fail_msg("%s", error);
	assert_int_equal(node__close(node), 0);
}

static void run_seed(uint64_t seed)
{
	unsigned rounds, i, batches;
	const char *path;
	char image[256];
	struct kind kind;
	struct disk disk;

	state = seed;
	snprintf(data_path, sizeof(data_path), "%s", fixture__path("data.raw"));
	choose_kind(&kind);
	printf("seed %llu: %llu bytes, cluster %u, refcounts %u, v%u%s%s%s%s%s%s, %s\n",
	       (unsigned long long)seed, (unsigned long long)kind.size, 1u << kind.create.cluster_bits,
	       kind.create.refcount_bits, kind.create.version, kind.create.lazy_refcounts ? ", lazy" : "",
	       kind.create.extended_l2 ? ", extended" : "", kind.create.zstd ? ", zstd" : "",
	       kind.base_size ? ", backed" : "", kind.create.data_file ? ", data file" : "",
	       kind.create.data_file_raw ? " raw" : "", kind.more);
	fflush(stdout);
	path = fixture__path("model.qcow2");
	snprintf(image, sizeof(image), "%s", path);
	make_image(&kind, image);
	rounds = 1 + below(4);
	for (i = 0; i < rounds; i++) {
		if (below(3) == 0)
			pack_some(&kind, image);
		if (kind.snapshots && below(2))
			snapshot_some(&kind, image);
		open_kind(&disk, &kind, image);
		for (batches = 1 + below(12); batches; batches--)
			run_batch(&disk, kind.size);
		disk__close(&disk);
		check_with_qemu(image, kind.size);
	}
}

static uint64_t first_seed = 1, seed_count = 12, seconds;

static void test_images_agree_with_the_model_and_with_qemu(void **unused)
{
	time_t end = time(NULL) + seconds;
	uint64_t i;

	if (system("qemu-img --version >/dev/null 2>&1"))
		skip();
	buffers = malloc((size_t)MAX_BATCH * (MAX_LENGTH + 65536));
	assert_non_null(buffers);
	for (i = 0; seconds ? time(NULL) < end : i < seed_count; i++)
		run_seed(first_seed + i);
	free(buffers);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_images_agree_with_the_model_and_with_qemu),
	};
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--seed")) {
			first_seed = value;
			seed_count = 1;
		} else if (!strcmp(argv[i], "--rounds")) {
			seed_count = value;
		} else if (!strcmp(argv[i], "--seconds")) {
			seconds = value;
		} else {
			return 2;
		}
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
