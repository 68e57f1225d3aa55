/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fw_cfg as firmware reads it, by port and by DMA, and as a hostile guest does. */
#include "tests/devices/firmware_bench.h"

#include <endian.h>
#include <string.h>

#define SELECTOR 0x510
#define DATA 0x511
#define DMA 0x514
#define DESCRIPTOR 0x1000u
#define TARGET 0x2000u
#define MEMORY_BYTES (16u << 20)

#define DMA_ERROR 1u
#define DMA_READ 2u
#define DMA_SKIP 4u
#define DMA_SELECT 8u
#define DMA_WRITE 16u

struct descriptor {
	uint32_t control, size;
	uint64_t address;
} __attribute__((packed));

static unsigned made; /* how often late items were */

static void make_late(void *opaque)
{
	made++;
	memset(opaque, 'L', 8);
}

static void init(struct firmware_bench *bench)
{
	uint8_t *late;

	firmware_bench__init(bench, -1);
	assert_int_equal(fw_cfg_items__add(&bench->items, FW_CFG_SIGNATURE, "QEMU", 4), 0);
	assert_int_equal(fw_cfg_items__add_number(&bench->items, FW_CFG_CPUS, 0x1234, 2), 0);
	assert_int_equal(fw_cfg_items__add_file(&bench->items, "opt/one", "first", 5), 0);
	assert_int_equal(fw_cfg_items__add_late(&bench->items, "etc/late", 8, &late), 0);
	bench->items.make_late = make_late;
	bench->items.opaque = late;
	made = 0;
	assert_int_equal(fw_cfg_items__add_file(&bench->items, "opt/one", "x", 1), -EEXIST);
	assert_int_equal(fw_cfg_items__add_file(&bench->items, "", "x", 1), -EINVAL);
	assert_int_equal(fw_cfg_items__add_path(&bench->items, 0, "opt/no", "/nonexistent", 0, 9), -ENOENT);
	assert_int_equal(fw_cfg_items__add_path(&bench->items, 0, "opt/no", "/", 0, 9), -EINVAL);
	assert_int_equal(fw_cfg_items__finish(&bench->items), 0);
	fixture__add(bench->f, &device_class_fw_cfg, 0, NULL);
}

static void read_by_port(struct firmware_bench *bench, uint16_t key, void *to, unsigned size)
{
	uint8_t *bytes = to;

	fixture__out(bench->f, SELECTOR, 2, key);
	while (size--)
		*bytes++ = inb(bench->f, DATA);
}

/* The control word afterwards. */
static uint32_t dma(struct firmware_bench *bench, uint64_t at, uint32_t control, uint32_t size,
		    uint64_t address)
{
	struct descriptor descriptor = { htobe32(control), htobe32(size), htobe64(address) };

	guest_memory__write(&bench->f->memory, at, &descriptor, sizeof(descriptor));
	fixture__out(bench->f, DMA, 4, htobe32((uint32_t)(at >> 32)));
	fixture__out(bench->f, DMA + 4, 4, htobe32((uint32_t)at));
	guest_memory__read(&bench->f->memory, at, &descriptor, sizeof(descriptor));
	return be32toh(descriptor.control);
}

static void by_port(void **state)
{
	struct firmware_bench bench;
	char text[9] = "";

	init(&bench);
	read_by_port(&bench, FW_CFG_SIGNATURE, text, 6);
	assert_memory_equal(text, "QEMU\0\0", 6); /* zeros behind the end */
	read_by_port(&bench, FW_CFG_CPUS, text, 2);
	assert_memory_equal(text, "\x34\x12", 2);
	read_by_port(&bench, 0x3fff, text, 4); /* nothing there */
	assert_memory_equal(text, "\0\0\0\0", 4);
	firmware_bench__destroy(&bench);
}

static void directory(void **state)
{
	struct firmware_bench bench;
	uint8_t bytes[4 + 2 * 64];
	char text[8];
	uint16_t key;

	init(&bench);
	read_by_port(&bench, FW_CFG_DIRECTORY, bytes, sizeof(bytes));
	assert_memory_equal(bytes, "\0\0\0\2\0\0\0\5", 8);
	assert_string_equal((char *)bytes + 12, "opt/one");
	assert_string_equal((char *)bytes + 76, "etc/late");
	key = (uint16_t)(bytes[8] << 8 | bytes[9]);
	read_by_port(&bench, key, text, 5);
	assert_memory_equal(text, "first", 5);
	assert_int_equal(made, 0);
	key = (uint16_t)(bytes[72] << 8 | bytes[73]);
	read_by_port(&bench, key, text, 8);
	assert_memory_equal(text, "LLLLLLLL", 8);
	assert_int_equal(made, 1);
	firmware_bench__destroy(&bench);
}

static void by_dma(void **state)
{
	struct firmware_bench bench;
	char text[8];

	init(&bench);
	assert_int_equal(fixture__in(bench.f, DMA, 4), htobe32(0x51454d55));
	assert_int_equal(fixture__in(bench.f, DMA + 4, 4), htobe32(0x20434647));
	memset(text, 'x', sizeof(text));
	guest_memory__write(&bench.f->memory, TARGET, text, sizeof(text));
	assert_int_equal(dma(&bench, DESCRIPTOR, FW_CFG_SIGNATURE << 16 | DMA_SELECT | DMA_READ, 2,
			     TARGET), 0);
	guest_memory__read(&bench.f->memory, TARGET, text, sizeof(text));
	assert_memory_equal(text, "QExx", 4);
	assert_int_equal(dma(&bench, DESCRIPTOR, DMA_SKIP, 1, 0), 0);
	assert_int_equal(dma(&bench, DESCRIPTOR, DMA_READ, 4, TARGET), 0); /* over the end */
	guest_memory__read(&bench.f->memory, TARGET, text, sizeof(text));
	assert_memory_equal(text, "U\0\0\0x", 5);
	firmware_bench__destroy(&bench);
}

/* A transfer of gigabytes that are not the item's would keep a vCPU's thread from all else. */
static void zeros_are_bounded(void **state)
{
	const uint32_t read = FW_CFG_SIGNATURE << 16 | DMA_SELECT | DMA_READ, most = 4 + (1 << 20);
	struct firmware_bench bench;
	char text[4] = "xxxx";

	init(&bench);
	guest_memory__write(&bench.f->memory, TARGET, text, sizeof(text));
	assert_int_equal(dma(&bench, DESCRIPTOR, read, most + 1, TARGET), DMA_ERROR);
	assert_int_equal(dma(&bench, DESCRIPTOR, read, UINT32_MAX, TARGET), DMA_ERROR);
	guest_memory__read(&bench.f->memory, TARGET, text, sizeof(text));
	assert_memory_equal(text, "xxxx", 4);
	guest_memory__write(&bench.f->memory, TARGET + most - 2, text, sizeof(text));
	assert_int_equal(dma(&bench, DESCRIPTOR, read, most, TARGET), 0);
	guest_memory__read(&bench.f->memory, TARGET + most - 2, text, sizeof(text));
	assert_memory_equal(text, "\0\0xx", 4);
	firmware_bench__destroy(&bench);
}

static void hostile_descriptors(void **state)
{
	const uint32_t select = FW_CFG_SIGNATURE << 16 | DMA_SELECT;
	struct firmware_bench bench;

	init(&bench);
	/* Nothing is written; zeros over the end of memory. */
	assert_int_equal(dma(&bench, DESCRIPTOR, select | DMA_WRITE, 4, TARGET), DMA_ERROR);
	assert_int_equal(dma(&bench, DESCRIPTOR, select | DMA_READ, 0x20000, MEMORY_BYTES - 0x10000),
			 DMA_ERROR);
	assert_int_equal(dma(&bench, DESCRIPTOR, select | DMA_READ, 4, MEMORY_BYTES - 2), DMA_ERROR);
	assert_int_equal(dma(&bench, DESCRIPTOR, select | DMA_READ, 4, UINT64_MAX - 1), DMA_ERROR);
	assert_int_equal(dma(&bench, DESCRIPTOR, select | DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(dma(&bench, DESCRIPTOR, DMA_SKIP, UINT32_MAX, 0), 0);
	/* Descriptors that are not in memory, or not all. */
	dma(&bench, MEMORY_BYTES - 8, select | DMA_READ, 4, TARGET);
	dma(&bench, UINT64_MAX - 4, select | DMA_READ, 4, TARGET);
	dma(&bench, 1ull << 40, select | DMA_READ, 4, TARGET);
	/* One that is read over itself. */
	dma(&bench, DESCRIPTOR, select | DMA_READ, 64, DESCRIPTOR - 8);
	fixture__hammer(bench.f, SELECTOR, 12, 20000);
	firmware_bench__destroy(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_port),
		cmocka_unit_test(directory),
		cmocka_unit_test(by_dma),
		cmocka_unit_test(zeros_are_bounded),
		cmocka_unit_test(hostile_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
