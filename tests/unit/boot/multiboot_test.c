/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiboot 1 kernels: by ELF and by the header's addresses, demands, and headers that lie. */
#include "tests/unit/boot/fixture.h"

#include <elf.h>
#include <stdio.h>

#define MAGIC 0x1badb002u
#define ADDRESSES 0x10000u
#define BOOT_MAGIC 0x2badb002u
#define FILE_BYTES 0x4000u
#define LOAD_GPA (4 * MIB)

struct kernel {
	uint8_t data[FILE_BYTES];
	size_t size;
};

struct header {
	uint32_t magic, flags, checksum, header_addr, load_addr, load_end, bss_end, entry;
};

static void put_header(struct kernel *kernel, unsigned at, struct header header)
{
	header.magic = MAGIC;
	header.checksum = -(MAGIC + header.flags);
	memcpy(kernel->data + at, &header, sizeof(header));
}

static void make_flat(struct kernel *kernel)
{
	unsigned i;

	kernel->size = FILE_BYTES;
	for (i = 0; i < FILE_BYTES; i++)
		kernel->data[i] = (uint8_t)(i * 3 + 1);
}

/* The header at 100H of the file and at `header_addr` in memory. */
static const struct header flat = { .flags = ADDRESSES | 3,
				    .header_addr = LOAD_GPA + 0x100,
				    .load_addr = LOAD_GPA,
				    .bss_end = LOAD_GPA + 0x6000,
				    .entry = LOAD_GPA + 0x200 };

static int load(struct bench *bench, const struct kernel *kernel)
{
	bench__write_kernel(bench, kernel->data, kernel->size);
	return bench__load(bench);
}

static void check_registers(const struct bench *bench, uint64_t entry)
{
	bench__check_flat(bench, entry);
	assert_int_equal(bench->state.regs.rax, BOOT_MAGIC);
}

static void addresses_place_the_file(void **state)
{
	struct header header = flat;
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
	memset(guest_memory__pointer(&bench.memory, 2 * MIB, 8 * MIB), 0xee, 8 * MIB);
	make_flat(&kernel);
	put_header(&kernel, 0x100, header);
	assert_int_equal(load(&bench, &kernel), 0);
	check_registers(&bench, LOAD_GPA + 0x200);
	bench__check_memory(&bench, LOAD_GPA, kernel.data, FILE_BYTES);
	bench__check_filled(&bench, LOAD_GPA + FILE_BYTES, 0, 0x6000 - FILE_BYTES);
	bench__check_filled(&bench, LOAD_GPA + 0x6000, 0xee, 16);

	/* A part of the file, and nothing behind it. */
	header.load_addr = LOAD_GPA + 0x80;
	header.load_end = LOAD_GPA + 0x1080;
	header.bss_end = 0;
	put_header(&kernel, 0x100, header);
	memset(guest_memory__pointer(&bench.memory, 2 * MIB, 8 * MIB), 0xee, 8 * MIB);
	assert_int_equal(load(&bench, &kernel), 0);
	bench__check_memory(&bench, LOAD_GPA + 0x80, kernel.data + 0x80, 0x1000);
	bench__check_filled(&bench, LOAD_GPA + 0x1080, 0xee, 16);
	bench__check_filled(&bench, LOAD_GPA, 0xee, 0x80);
	bench__down(&bench);
}

static void header_is_found_where_it_may_be(void **state)
{
	struct kernel kernel;
	struct bench bench;
	struct header header = flat;

	bench__up(&bench, 16 * MIB);
	/* The last place, the first one behind it, and one that is not aligned. */
	make_flat(&kernel);
	header.header_addr = LOAD_GPA + 8192 - 12;
	put_header(&kernel, 8192 - 12, header);
	assert_int_equal(load(&bench, &kernel), 0);
	make_flat(&kernel);
	header.header_addr = LOAD_GPA + 8192 - 8;
	put_header(&kernel, 8192 - 8, header);
	bench__write_kernel(&bench, kernel.data, kernel.size);
	bench__refused(&bench, "not a kernel", NULL);
	make_flat(&kernel);
	put_header(&kernel, 0x102, flat);
	bench__write_kernel(&bench, kernel.data, kernel.size);
	bench__refused(&bench, "not a kernel", NULL);
	/* A wrong check sum is no header; the right one behind it is. */
	make_flat(&kernel);
	put_header(&kernel, 0x100, flat);
	memcpy(kernel.data + 0x40, &(uint32_t[3]){ MAGIC, 0, 1 }, 12);
	assert_int_equal(load(&bench, &kernel), 0);
	bench__down(&bench);
}

static void demands_are_known_or_refused(void **state)
{
	struct header header = flat;
	struct kernel kernel;
	struct bench bench;
	unsigned bit;

	bench__up(&bench, 16 * MIB);
	for (bit = 0; bit < 32; bit++) {
		make_flat(&kernel);
		header.flags = ADDRESSES | 1u << bit;
		put_header(&kernel, 0x100, header);
		bench__write_kernel(&bench, kernel.data, kernel.size);
		if (bit >= 3 && bit < 16)
			bench__refused(&bench, "demands", NULL);
		else
			assert_int_equal(bench__load(&bench), 0);
	}
	bench__down(&bench);
}

static void addresses_are_checked(void **state)
{
	struct header header;
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
#define REFUSED(field, value, word)                                                                \
	do {                                                                                       \
		make_flat(&kernel);                                                                \
		header = flat;                                                                     \
		header.field = value;                                                              \
		put_header(&kernel, 0x100, header);                                                \
		bench__write_kernel(&bench, kernel.data, kernel.size);                             \
		bench__refused(&bench, word, NULL);                                                \
	} while (0)
	REFUSED(load_addr, LOAD_GPA + 0x104, "contradicts");
	REFUSED(load_addr, LOAD_GPA - 4, "contradicts");
	REFUSED(header_addr, 0xffffffff, "contradicts");
	REFUSED(load_end, LOAD_GPA - 1, "truncated");
	REFUSED(load_end, LOAD_GPA + FILE_BYTES + 1, "truncated");
	REFUSED(load_end, 0xffffffff, "truncated");
	REFUSED(bss_end, LOAD_GPA + 1, "truncated");
	REFUSED(bss_end, 16 * MIB + 1, "--memory");
	REFUSED(bss_end, 0xffffffff, "--memory");
	REFUSED(entry, LOAD_GPA - 1, "entry");
	REFUSED(entry, LOAD_GPA + 0x6000, "entry");
	REFUSED(entry, 0, "entry");
	/* Over the boot information and the firmware tables. */
	make_flat(&kernel);
	header = (struct header){ .flags = ADDRESSES, .header_addr = 0x8100, .load_addr = 0x8000,
				  .entry = 0x8000 };
	put_header(&kernel, 0x100, header);
	bench__write_kernel(&bench, kernel.data, kernel.size);
	bench__refused(&bench, "1 MiB", NULL);
	bench__down(&bench);
}

static void header_at_the_end_of_the_file(void **state)
{
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
	make_flat(&kernel);
	put_header(&kernel, 0x100, flat);
	for (kernel.size = 0x100 + 12; kernel.size < 0x100 + sizeof(struct header); kernel.size++) {
		bench__write_kernel(&bench, kernel.data, kernel.size);
		bench__refused(&bench, NULL, NULL);
	}
	bench__down(&bench);
}

/* Two segments, the second over the first one's end and not aligned to anything. */
static void make_elf(struct kernel *kernel)
{
	Elf32_Ehdr elf = { .e_machine = EM_386, .e_phoff = sizeof(elf), .e_phnum = 2,
			   .e_phentsize = sizeof(Elf32_Phdr), .e_entry = LOAD_GPA + 0x10 };
	Elf32_Phdr segments[2] = {
		{ .p_type = PT_LOAD, .p_offset = 0x1000, .p_paddr = LOAD_GPA, .p_vaddr = LOAD_GPA,
		  .p_filesz = 0x800, .p_memsz = 0x1000 },
		{ .p_type = PT_LOAD, .p_offset = 0x2001, .p_paddr = LOAD_GPA + 0x7fd,
		  .p_vaddr = LOAD_GPA + 0x7fd, .p_filesz = 0x333, .p_memsz = 0x333 },
	};

	make_flat(kernel);
	memcpy(elf.e_ident, ELFMAG, SELFMAG);
	elf.e_ident[EI_CLASS] = ELFCLASS32;
	elf.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(kernel->data, &elf, sizeof(elf));
	memcpy(kernel->data + sizeof(elf), segments, sizeof(segments));
	put_header(kernel, 0x100, (struct header){ .flags = 3 });
}

static void segments_may_overlap(void **state)
{
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
	make_elf(&kernel);
	assert_int_equal(load(&bench, &kernel), 0);
	check_registers(&bench, LOAD_GPA + 0x10);
	bench__check_memory(&bench, LOAD_GPA, kernel.data + 0x1000, 0x7fd);
	bench__check_memory(&bench, LOAD_GPA + 0x7fd, kernel.data + 0x2001, 0x333);
	bench__check_filled(&bench, LOAD_GPA + 0x7fd + 0x333, 0, 0x1000 - 0x7fd - 0x333);
	bench__down(&bench);
}

static void module_and_memory_are_told(void **state)
{
	struct {
		uint32_t flags, lower, upper, device, cmdline, count, modules;
	} info;
	struct {
		uint32_t start, end, string, reserved;
	} module;
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
	bench.cmdline = "a b";
	make_elf(&kernel);
	bench__write_initrd(&bench, "module", 6);
	assert_int_equal(load(&bench, &kernel), 0);
	bench__read(&bench, bench.state.regs.rbx, &info, sizeof(info));
	assert_int_equal(info.flags & 0x4d, 0x4d);
	assert_int_equal(info.upper, 15 * 1024);
	assert_in_range(info.lower, 600, 640);
	bench__check_memory(&bench, info.cmdline, "a b", 4);
	assert_int_equal(info.count, 1);
	bench__read(&bench, info.modules, &module, sizeof(module));
	assert_int_equal(module.end - module.start, 6);
	assert_int_equal(module.start % 4096, 0);
	bench__check_memory(&bench, module.start, "module", 6);
	bench__check_memory(&bench, module.string, bench.initrd, strlen(bench.initrd) + 1);
	bench__down(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_place_the_file),
		cmocka_unit_test(header_is_found_where_it_may_be),
		cmocka_unit_test(demands_are_known_or_refused),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(header_at_the_end_of_the_file),
		cmocka_unit_test(segments_may_overlap),
		cmocka_unit_test(module_and_memory_are_told),
	};

	return cmocka_run_group_tests_name("multiboot", tests, NULL, NULL);
}
