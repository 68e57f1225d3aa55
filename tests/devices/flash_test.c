/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flash as OVMF's driver goes about it, and ROM and RAM below 1 MiB as the host bridge shows them. */
#define _GNU_SOURCE
#include "tests/devices/firmware_bench.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VARS (FIRMWARE_END - BENCH_CODE_BYTES - BENCH_VARS_BYTES)

static uint64_t peek(struct firmware_bench *bench, uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	dispatch__access(bench->f->mmio, 0, gpa, false, &value, size);
	return value;
}

static void poke(struct firmware_bench *bench, uint64_t gpa, unsigned size, uint64_t value)
{
	dispatch__access(bench->f->mmio, 0, gpa, true, &value, size);
}

static void init_flash(struct firmware_bench *bench, int fd)
{
	firmware_bench__init(bench, fd);
	fixture__add(bench->f, &device_class_flash, 0, NULL);
}

static void is_told_from_rom(void **state)
{
	struct firmware_bench bench;
	unsigned i;

	init_flash(&bench, -1);
	assert_true(firmware_bench__slot(&bench, FIRMWARE_END - 16)->read_only);
	assert_true(firmware_bench__slot(&bench, VARS)->read_only);
	poke(&bench, VARS, 1, 0x50);
	assert_null(firmware_bench__slot(&bench, VARS));
	assert_int_equal(peek(&bench, VARS, 1), 0x5a); /* not RAM */
	poke(&bench, VARS, 1, 0x70);
	assert_int_equal(peek(&bench, VARS, 1), 0x00); /* not ROM: the cleared status */
	poke(&bench, VARS, 1, 0xff);
	/* Read as an array for a while, it is memory again. */
	for (i = 0; i < 100; i++)
		assert_int_equal(peek(&bench, VARS + i, 1), 0x5a);
	assert_non_null(firmware_bench__slot(&bench, VARS));
	firmware_bench__destroy(&bench);
}

static void programs_and_erases(void **state)
{
	struct firmware_bench bench;
	uint8_t byte[2];
	int fd = memfd_create("vars", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, BENCH_VARS_BYTES), 0);
	init_flash(&bench, fd);
	poke(&bench, VARS + 0x1234, 1, 0x20);
	poke(&bench, VARS + 0x1234, 1, 0xd0);
	assert_int_equal(peek(&bench, VARS, 1), 0x80);
	poke(&bench, VARS + 0x1001, 1, 0x40);
	poke(&bench, VARS + 0x1001, 1, 0x77);
	poke(&bench, VARS, 1, 0xff);
	assert_int_equal(peek(&bench, VARS + 0xfff, 1), 0x5a);
	assert_int_equal(peek(&bench, VARS + 0x1000, 4), 0xffff77ff);
	assert_int_equal(peek(&bench, VARS + 0x1fff, 1), 0xff);
	assert_int_equal(peek(&bench, VARS + 0x2000, 1), 0x5a);
	/* It is in the file by then. */
	assert_int_equal(pread(fd, byte, 2, 0x1000), 2);
	assert_memory_equal(byte, "\xff\x77", 2);
	/* A second command that is not the confirmation. */
	poke(&bench, VARS, 1, 0x20);
	poke(&bench, VARS, 1, 0x11);
	assert_int_equal(peek(&bench, VARS, 1), 0xb0);
	poke(&bench, VARS, 1, 0xff);
	assert_int_equal(peek(&bench, VARS, 1), 0x5a);
	firmware_bench__destroy(&bench);
	close(fd);
}

static void programs_buffers(void **state)
{
	struct firmware_bench bench;
	unsigned i;

	init_flash(&bench, -1);
	poke(&bench, VARS + 0x100, 1, 0xe8);
	assert_int_equal(peek(&bench, VARS, 1), 0x80);
	poke(&bench, VARS + 0x100, 1, 3);
	for (i = 0; i < 4; i++)
		poke(&bench, VARS + 0x100 + i, 1, 0x10 + i);
	poke(&bench, VARS + 0x100, 1, 0xd0);
	assert_int_equal(peek(&bench, VARS, 1), 0x80);
	poke(&bench, VARS, 1, 0xff);
	assert_int_equal(peek(&bench, VARS + 0x100, 8), 0x5a5a5a5a13121110);
	/* Too many; and over the end of the bank. */
	poke(&bench, VARS, 1, 0xe8);
	poke(&bench, VARS, 1, 0xff);
	assert_int_equal(peek(&bench, VARS, 1), 0xb0);
	poke(&bench, VARS, 1, 0xe8);
	poke(&bench, VARS, 1, 63);
	for (i = 0; i < 64; i++)
		poke(&bench, VARS + BENCH_VARS_BYTES - 1, 1, 0x99);
	poke(&bench, VARS, 1, 0xd0);
	poke(&bench, VARS, 1, 0xff);
	assert_int_equal(peek(&bench, VARS + BENCH_VARS_BYTES - 1, 1), 0x99);
	firmware_bench__destroy(&bench);
}

static void locks_blocks(void **state)
{
	struct firmware_bench bench;

	init_flash(&bench, -1);
	poke(&bench, VARS + 0x1000, 1, 0x60);
	poke(&bench, VARS + 0x1000, 1, 0x01);
	poke(&bench, VARS + 0x1000, 1, 0x40);
	poke(&bench, VARS + 0x1000, 1, 0x00);
	assert_int_equal(peek(&bench, VARS, 1), 0x92);
	poke(&bench, VARS, 1, 0x90);
	assert_int_equal(peek(&bench, VARS + 0x1002, 1), 1);
	assert_int_equal(peek(&bench, VARS + 2, 1), 0);
	poke(&bench, VARS, 1, 0x50);
	poke(&bench, VARS + 0x1000, 1, 0x60);
	poke(&bench, VARS + 0x1000, 1, 0xd0);
	poke(&bench, VARS + 0x1000, 1, 0x40);
	poke(&bench, VARS + 0x1000, 1, 0x00);
	assert_int_equal(peek(&bench, VARS, 1), 0x80);
	poke(&bench, VARS, 1, 0xff);
	assert_int_equal(peek(&bench, VARS + 0x1000, 1), 0);
	firmware_bench__destroy(&bench);
}

static void answers_queries(void **state)
{
	struct firmware_bench bench;

	init_flash(&bench, -1);
	poke(&bench, VARS + 0x55, 1, 0x98);
	assert_int_equal(peek(&bench, VARS + 0x10, 4), 0x01595251);
	assert_int_equal(peek(&bench, VARS + 0x27, 1), 14);	    /* 16 KiB */
	assert_int_equal(peek(&bench, VARS + 0x2c, 4), 0x10000301); /* one region: 4 blocks ... */
	assert_int_equal(peek(&bench, VARS + 0x30, 1), 0);	    /* ... of 16 * 256 bytes */
	firmware_bench__destroy(&bench);
}

static void survives_nonsense(void **state)
{
	struct firmware_bench bench;
	unsigned i;

	init_flash(&bench, -1);
	for (i = 0; i < 50000; i++) {
		static const uint8_t likely[] = { 0x20, 0xd0, 0x40, 0xe8, 0x60, 0x70, 0xff, 1, 63 };
		uint64_t gpa = VARS + rand() % BENCH_VARS_BYTES;

		if (rand() & 1)
			poke(&bench, gpa, 1u << rand() % 4, likely[(unsigned)rand() % sizeof(likely)]);
		else
			peek(&bench, gpa, 1u << rand() % 4);
	}
	device_class_flash.reset(bench.f->dev->next);
	assert_non_null(firmware_bench__slot(&bench, VARS));
	firmware_bench__destroy(&bench);
}

/* ---- C0000H to FFFFFH ---- */

static void write_config(struct firmware_bench *bench, unsigned reg, unsigned size, uint32_t value)
{
	fixture__out(bench->f, 0xcf8, 4, 0x80000000u | (reg & 0xfc));
	fixture__out(bench->f, (uint16_t)(0xcfc + reg % 4), size, value);
}

static void rom_is_shadowed(void **state)
{
	struct firmware_bench bench;
	const struct memory_slot *slot;

	firmware_bench__init(&bench, -1);
	fixture__add(bench.f, &device_class_pci_host, 0, NULL);
	/* At power-on the last 128 KiB of the ROM, and nothing before. */
	slot = firmware_bench__slot(&bench, 0xffff0);
	assert_true(slot->read_only);
	assert_ptr_equal(slot->host + (0x100000 - slot->gpa),
			 bench.firmware.code.data + BENCH_CODE_BYTES);
	assert_non_null(firmware_bench__slot(&bench, 0xe0000));
	assert_null(firmware_bench__slot(&bench, 0xdffff));
	/* Writes go to RAM, reads come from ROM. */
	poke(&bench, 0xf0000, 4, 0x11111111);
	write_config(&bench, 0x90, 1, 0x20);
	assert_true(firmware_bench__slot(&bench, 0xf0000)->read_only);
	poke(&bench, 0xf0004, 4, 0x22222222);
	assert_int_equal(*(uint32_t *)guest_memory__pointer(&bench.f->memory, 0xf0000, 4), 0);
	assert_int_equal(*(uint32_t *)guest_memory__pointer(&bench.f->memory, 0xf0004, 4), 0x22222222);
	/* RAM, then RAM that is kept from being written. */
	write_config(&bench, 0x90, 1, 0x30);
	slot = firmware_bench__slot(&bench, 0xf0000);
	assert_false(slot->read_only);
	assert_ptr_equal(slot->host + (0xf0000 - slot->gpa),
			 guest_memory__pointer(&bench.f->memory, 0xf0000, 1));
	write_config(&bench, 0x90, 1, 0x10);
	assert_true(firmware_bench__slot(&bench, 0xf0000)->read_only);
	poke(&bench, 0xf0004, 4, 0x33333333);
	assert_int_equal(*(uint32_t *)guest_memory__pointer(&bench.f->memory, 0xf0004, 4), 0x22222222);
	/* Segments of 16 KiB: the second of the first pair. */
	write_config(&bench, 0x91, 1, 0x30);
	assert_null(firmware_bench__slot(&bench, 0xc3fff));
	assert_int_equal(firmware_bench__slot(&bench, 0xc4000)->size, 0x4000);
	device_class_pci_host.reset(bench.f->dev->next);
	assert_null(firmware_bench__slot(&bench, 0xc4000));
	assert_true(firmware_bench__slot(&bench, 0xf0000)->read_only);
	firmware_bench__destroy(&bench);
}

static void configuration_space_moves(void **state)
{
	struct firmware_bench bench;

	firmware_bench__init(&bench, -1);
	fixture__add(bench.f, &device_class_pci_host, 0, NULL);
	assert_int_equal(peek(&bench, 0xb0000000, 4), UINT32_MAX);
	write_config(&bench, 0x60, 4, 0xb0000001);
	assert_int_equal(peek(&bench, 0xb0000000, 4), 0x29c08086);
	assert_int_equal(bench.f->pci.ecam_buses, 256);
	/* From inside of itself. */
	poke(&bench, 0xb0000060, 4, 0xe0000001);
	assert_int_equal(peek(&bench, 0xb0000000, 4), UINT32_MAX);
	assert_int_equal(peek(&bench, 0xe0000000, 4), 0x29c08086);
	write_config(&bench, 0x60, 4, 0xe0000005); /* 64 buses */
	assert_int_equal(peek(&bench, 0xe4000000, 4), UINT32_MAX);
	assert_int_equal(bench.f->pci.ecam_buses, 64);
	write_config(&bench, 0x60, 4, 0);
	assert_int_equal(bench.f->pci.ecam_buses, 0);
	firmware_bench__destroy(&bench);
}

static void routes_of_interrupt_pins(void **state)
{
	struct firmware_bench bench;

	firmware_bench__init(&bench, -1);
	fixture__add(bench.f, &device_class_isa_bridge, 0, NULL);
	fixture__add(bench.f, &device_class_pci_host, 0, NULL);
	assert_int_equal(bench.f->pci.pirq_irq[0], PCI_PIRQ_NOWHERE);
	fixture__out(bench.f, 0xcf8, 4, 0x8000f860);
	fixture__out(bench.f, 0xcfc, 4, 0x800b0a05);
	assert_int_equal(bench.f->pci.pirq_irq[0], 5);
	assert_int_equal(bench.f->pci.pirq_irq[2], 11);
	assert_int_equal(bench.f->pci.pirq_irq[3], PCI_PIRQ_NOWHERE);
	fixture__out(bench.f, 0xcf8, 4, 0x8000f868);
	fixture__out(bench.f, 0xcff, 1, 9);
	assert_int_equal(bench.f->pci.pirq_irq[7], 9);
	firmware_bench__destroy(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_told_from_rom),
		cmocka_unit_test(programs_and_erases),
		cmocka_unit_test(programs_buffers),
		cmocka_unit_test(locks_blocks),
		cmocka_unit_test(answers_queries),
		cmocka_unit_test(survives_nonsense),
		cmocka_unit_test(rom_is_shadowed),
		cmocka_unit_test(configuration_space_moves),
		cmocka_unit_test(routes_of_interrupt_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
