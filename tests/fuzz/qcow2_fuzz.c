/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: qcow2 images: opened, read, written, checked, repaired. Files are in memory.
 *
 * Input: which image, how many bytes of it are changed, these (offset, width, value), then operations.
 * An image that was not changed has to behave: reads give what was written, and a check finds nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "memory_file.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/block/image.h"
#include "vmm/block/node.h"

#define DISK (256u << 10)
#define FILE_LIMIT (4u << 20)
#define MAX_FILE (1u << 20)
#define MAX_OPERATIONS 40
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static FILE *said; /* stderr; what the format says of corrupt images goes nowhere */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		bool holds = condition;                                                            \
                                                                                                   \
		if (!holds && said)                                                                \
			stderr = said;                                                             \
		FUZZ_CHECK(holds && #condition);                                                   \
	} while (0)

static const struct image_create templates[] = {
	{ .cluster_bits = 9, .refcount_bits = 16, .version = 3 },
	{ .cluster_bits = 9, .refcount_bits = 1, .version = 3 },
	{ .cluster_bits = 12, .refcount_bits = 64, .version = 3, .lazy_refcounts = true },
	{ .cluster_bits = 14, .refcount_bits = 8, .version = 3, .extended_l2 = true, .zstd = true },
	{ .cluster_bits = 10, .refcount_bits = 16, .version = 2 },
	{ .cluster_bits = 16, .refcount_bits = 16, .version = 3 },
};

static struct {
	uint8_t *bytes;
	size_t size;
} images[ARRAY_SIZE(templates)];
static uint8_t start[DISK]; /* what the disks have at first */
static uint8_t model[DISK], buf[DISK];

/* Data, a snapshot, other data, packed clusters. */
static void fill_image(struct node *node)
{
	static uint8_t text[65536];
	char error[256];
	unsigned i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = i / 100;
	CHECK(!node__write(node, 0, text, 20000 / 512 * 512));
	/* One bit holds no second user; that is no snapshot then. */
	if (node->class->snapshot_create(node, "first", error, sizeof(error)))
		CHECK(*error);
	CHECK(!node__write(node, 8192, text + 512, 16384));
	CHECK(!node->class->write_packed(node, 1 << 17, text, node->discard_align));
	CHECK(!node__zero(node, 4096, 2048, false));
	CHECK(!node__read(node, 0, start, DISK));
}

static void make_image(unsigned n)
{
	struct image_create create = templates[n];
	char path[] = "/tmp/trivet-fuzz-XXXXXX", error[512];
	struct node_how how = { .path = path, .write = true };
	struct node *node;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	create.path = path;
	create.size = DISK;
	CHECK(!format_class_qcow2.create(&create, error, sizeof(error)));
	CHECK(!node__open(&how, &node, error, sizeof(error)));
	fill_image(node);
	CHECK(!node__close(node));
	images[n].bytes = malloc(MAX_FILE);
	CHECK(images[n].bytes);
	images[n].size = read(fd, images[n].bytes, MAX_FILE);
	CHECK(images[n].size > 512 && images[n].size < MAX_FILE);
	close(fd);
	unlink(path);
}

static unsigned change_image(struct fuzz_input *in, struct memory_file *file, size_t size)
{
	unsigned changes = fuzz__take(in, 1) % 12, i;

	for (i = 0; i < changes; i++) {
		uint32_t at = fuzz__take(in, 2) * (fuzz__take(in, 1) & 1 ? 8 : 1);
		unsigned width = 1 + fuzz__take(in, 1) % 8;
		uint8_t bytes[8];
		uint64_t value = fuzz__take(in, width);
		unsigned n;

		for (n = 0; n < width; n++)
			bytes[n] = value >> 8 * (width - 1 - n);
		if (at + width <= size)
			memory_file__set(file, at, bytes, width);
	}
	return changes;
}

static void check_image(struct node *node, enum image_repair repair, bool pristine)
{
	struct image_check check = { .repair = node->write ? repair : IMAGE_REPAIR_NONE };
	char error[256];

	/* The node's own tables have to be on the medium before somebody counts them. */
	if (node__flush(node))
		return;
	if (node->class->check(node, &check, error, sizeof(error)))
		CHECK(*error && !pristine);
	else if (pristine)
		CHECK(!check.corruptions && !check.errors);
}

/* One operation. `pristine`: the image is right, so the result has to be. */
static void operate(struct fuzz_input *in, struct node *node, bool checking, bool pristine)
{
	/* Who opens an image for a check changes nothing but by repairs. */
	unsigned what = fuzz__take(in, 1) % (checking ? 2 : 12) * (checking ? 8 : 1);
	uint64_t size = atomic_load(&node->size), limit = size < DISK ? size : DISK;
	uint64_t offset = limit ? fuzz__take(in, 2) * 512 % limit : 0;
	uint64_t length = (1 + fuzz__take(in, 1)) * 512, i;
	uint8_t value = fuzz__take(in, 1);
	char error[256];
	int err;

	if (length > limit - offset)
		length = limit - offset;
	switch (what) {
	case 0:
	case 1:
		err = node__read(node, offset, buf, length);
		if (pristine)
			CHECK(!err && !memcmp(buf, model + offset, length));
		break;
	case 2:
	case 3:
	case 4:
		for (i = 0; i < length; i++)
			buf[i] = value + i / 77;
		err = node__write(node, offset, buf, length);
		if (pristine)
			CHECK(!err == node->write);
		if (!err)
			memcpy(model + offset, buf, length);
		break;
	case 5:
		err = node__zero(node, offset, length, value & 1);
		if (!err)
			memset(model + offset, 0, length);
		break;
	case 6:
		err = node__discard(node, offset, length);
		if (!err && !node__read(node, offset, buf, length))
			memcpy(model + offset, buf, length);
		break;
	case 7:
		err = node__flush(node);
		if (pristine)
			CHECK(!err);
		break;
	case 8:
		check_image(node, value % 3, pristine);
		break;
	case 9:
		if (node->write)
			node->class->snapshot_create(node, value & 1 ? "a" : "b", error, sizeof(error));
		break;
	case 10:
		if (node->write)
			node->class->snapshot_delete(node, value & 1 ? "a" : "first", error, sizeof(error));
		break;
	default:
		offset &= ~(uint64_t)(node->discard_align - 1);
		if (node->write && offset + node->discard_align <= limit) {
			memset(buf, value, node->discard_align);
			if (!node->class->write_packed(node, offset, buf, node->discard_align))
				memcpy(model + offset, buf, node->discard_align);
		}
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned kind = fuzz__take(&in, 1), n = kind % ARRAY_SIZE(templates), operations = 0;
	struct node_how how = { .path = "image", .format = "qcow2", .write = !(kind & 0x80),
				.discard = kind & 0x40, .check = (kind & 0x30) == 0x30,
				.files = &memory_file_class, .cache = 1 };
	struct memory_file *file;
	char error[512] = "";
	struct node *node;
	bool pristine;

	if (!images[0].bytes) {
		for (n = 0; n < ARRAY_SIZE(templates); n++)
			make_image(n);
		n = kind % ARRAY_SIZE(templates);
		said = stderr;
		stderr = fopen(getenv("FUZZ_LOUD") ? "/dev/stdout" : "/dev/null", "w");
		CHECK(stderr);
	}
	file = memory_file__create("image", images[n].bytes, images[n].size);
	memory_file__limit(file, FILE_LIMIT);
	pristine = !change_image(&in, file, images[n].size);
	if (node__open(&how, &node, error, sizeof(error))) {
		CHECK(*error && !pristine);
		return 0;
	}
	CHECK(!node__read(node, 0, model, 512) || !pristine);
	if (pristine)
		CHECK(!node__read(node, 0, model, DISK));
	while (in.left && operations++ < MAX_OPERATIONS)
		operate(&in, node, how.check, pristine);
	if (pristine)
		check_image(node, IMAGE_REPAIR_NONE, true);
	CHECK(!node__close(node) || !pristine);
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *out, size_t size)
{
	/* An image as it is, then operations; the header's, L1's and refcounts' bytes changed. */
	static const u8 operations[] = { 2, 0, 0, 40, 7, 0, 0, 0, 40, 0, 5, 0, 8, 9, 1, 6, 0, 0, 99, 0,
					 9, 0, 0, 0, 1, 3, 0, 20, 80, 5, 10, 0, 0, 0, 0, 8, 0, 0, 0, 2,
					 11, 1, 0, 0, 3, 7, 0, 0, 0, 0, 0, 0, 0, 255, 0 };
	static const u16 places[] = { 0, 8, 20, 24, 36, 40, 48, 56, 60, 64, 72, 96, 100, 104, 512, 1024,
				      1536, 2048, 4096, 8192, 12288, 16384, 32768 };
	unsigned kind = n % ARRAY_SIZE(templates), place = n / ARRAY_SIZE(templates);
	size_t at = 0;

	if (place > ARRAY_SIZE(places) || size < 100)
		return 0;
	out[at++] = kind | 0x40 | (place & 1 ? 0x30 : 0);
	out[at++] = place ? 1 : 0;
	if (place) {
		out[at++] = places[place - 1] >> 8;
		out[at++] = places[place - 1];
		out[at++] = 0;
		out[at++] = 7;
		memcpy(out + at, "\x80\0\0\0\0\x02\0\x01", 8);
		at += 8;
	}
	memcpy(out + at, operations, sizeof(operations));
	return at + sizeof(operations);
}
