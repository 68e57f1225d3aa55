/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linux bzImages: what lands where in memory, and headers that lie or end too early. */
#include "tests/unit/boot/fixture.h"

#include <asm/bootparam.h>
#include <stdlib.h>

#define SETUP_SECTORS 4u
#define PAYLOAD_OFFSET ((SETUP_SECTORS + 1) * 512u)
#define PAYLOAD 8192u
#define HEADER 0x1f1u

struct image {
	uint8_t data[PAYLOAD_OFFSET + PAYLOAD];
};

static struct setup_header *header_of(struct image *image)
{
	return (struct setup_header *)(image->data + HEADER);
}

static void make_image(struct image *image)
{
	struct setup_header *header = header_of(image);
	unsigned i;

	memset(image, 0, sizeof(*image));
	for (i = 0; i < PAYLOAD; i++)
		image->data[PAYLOAD_OFFSET + i] = (uint8_t)(i * 11 + i / 256);
	header->setup_sects = SETUP_SECTORS;
	header->syssize = PAYLOAD / 16;
	header->boot_flag = 0xaa55;
	header->jump = 0x6aeb; /* the header ends at 0x26c */
	memcpy(&header->header, "HdrS", 4);
	header->version = 0x020f;
	header->loadflags = LOADED_HIGH;
	header->initrd_addr_max = 0x7fffffff;
	header->kernel_alignment = 0x200000;
	header->relocatable_kernel = 1;
	header->cmdline_size = 2047;
	header->pref_address = 16 * MIB;
	header->init_size = 2 * MIB;
}

static struct boot_params params_of(struct bench *bench)
{
	struct boot_params params;

	assert_int_equal(bench->state.regs.rsi, BOOT_PARAMS_GPA);
	bench__read(bench, BOOT_PARAMS_GPA, &params, sizeof(params));
	return params;
}

static void kernel_and_parameters_are_in_place(void **state)
{
	struct boot_params params;
	struct image image;
	struct bench bench;

	bench__up(&bench, 64 * MIB);
	make_image(&image);
	bench__write_kernel(&bench, &image, sizeof(image));
	bench.cmdline = "console=ttyS0 quiet";
	assert_int_equal(bench__load(&bench), 0);
	bench__check_flat(&bench, MIB);
	bench__check_memory(&bench, MIB, image.data + PAYLOAD_OFFSET, PAYLOAD);
	params = params_of(&bench);
	assert_int_equal(params.hdr.type_of_loader, 0xff);
	assert_int_equal(params.hdr.version, 0x020f);
	assert_int_equal(params.acpi_rsdp_addr, ACPI_START);
	assert_int_equal(params.hdr.ramdisk_size, 0);
	bench__check_memory(&bench, params.hdr.cmd_line_ptr, "console=ttyS0 quiet", 20);
	bench__down(&bench);
}

static void memory_map_has_all_memory(void **state)
{
	struct boot_params params;
	struct image image;
	struct bench bench;
	uint64_t usable = 0, end = 0;
	unsigned i;

	bench__up(&bench, 5 * 1024 * MIB);
	make_image(&image);
	bench__write_kernel(&bench, &image, sizeof(image));
	assert_int_equal(bench__load(&bench), 0);
	params = params_of(&bench);
	for (i = 0; i < params.e820_entries; i++) {
		const struct boot_e820_entry *entry = &params.e820_table[i];

		assert_true(entry->addr >= end);
		end = entry->addr + entry->size;
		if (entry->type != 1)
			continue;
		usable += entry->size;
		assert_true(end <= 0x9fc00 || entry->addr >= MIB);
		assert_true(end <= 2048 * MIB || entry->addr >= 4096 * MIB);
	}
	assert_int_equal(end, 7 * 1024 * MIB);
	assert_in_range(usable, 5 * 1024 * MIB - MIB / 2, 5 * 1024 * MIB);
	bench__down(&bench);
}


static void initrd_lies_high_within_the_limits(void **state)
{
	struct boot_params params;
	struct image image;
	struct bench bench;

	bench__up(&bench, 64 * MIB);
	make_image(&image);
	bench__write_kernel(&bench, &image, sizeof(image));
	bench__write_initrd(&bench, bench__cpio, BENCH_CPIO_BYTES);
	assert_int_equal(bench__load(&bench), 0);
	params = params_of(&bench);
	assert_int_equal(params.hdr.ramdisk_image, 64 * MIB - 4096);
	assert_int_equal(params.hdr.ramdisk_size, BENCH_CPIO_BYTES);
	bench__check_memory(&bench, params.hdr.ramdisk_image, bench__cpio, BENCH_CPIO_BYTES);

	header_of(&image)->initrd_addr_max = 32 * MIB - 1;
	bench__write_kernel(&bench, &image, sizeof(image));
	assert_int_equal(bench__load(&bench), 0);
	assert_int_equal(params_of(&bench).hdr.ramdisk_image, 32 * MIB - 4096);

	/* Its last byte may be at the limit, which is no page boundary here. */
	header_of(&image)->initrd_addr_max = 32 * MIB + 4096;
	bench__write_kernel(&bench, &image, sizeof(image));
	assert_int_equal(bench__load(&bench), 0);
	assert_int_equal(params_of(&bench).hdr.ramdisk_image, 32 * MIB);
	bench__down(&bench);
}

static void initrd_may_fill_what_is_left(void **state)
{
	const size_t room = 64 * MIB - 18 * MIB; /* behind preferred address and init_size */
	uint8_t *data = calloc(1, room + 1);
	struct image image;
	struct bench bench;

	bench__up(&bench, 64 * MIB);
	make_image(&image);
	bench__write_kernel(&bench, &image, sizeof(image));
	memcpy(data, bench__cpio, BENCH_CPIO_BYTES);
	bench__write_initrd(&bench, data, room);
	assert_int_equal(bench__load(&bench), 0);
	assert_int_equal(params_of(&bench).hdr.ramdisk_image, 18 * MIB);
	bench__write_initrd(&bench, data, room + 1);
	bench__refused(&bench, "do not fit", bench.initrd);
	header_of(&image)->initrd_addr_max = 4096;
	bench__write_kernel(&bench, &image, sizeof(image));
	bench__write_initrd(&bench, data, 4096);
	bench__refused(&bench, "do not fit", bench.initrd);
	free(data);
	bench__down(&bench);
}

static void every_truncation_is_refused(void **state)
{
	struct image image;
	struct bench bench;
	size_t size;

	bench__up(&bench, 64 * MIB);
	make_image(&image);
	for (size = 1; size < sizeof(image); size += size < 0x280 ? 1 : 509) {
		bench__write_kernel(&bench, &image, size);
		bench__refused(&bench, NULL, NULL);
	}
	bench__write_kernel(&bench, &image, sizeof(image) - 1);
	bench__refused(&bench, "truncated", NULL);
	bench__down(&bench);
}

/* Every byte of the header with every kind of lie: refused or loaded, and nothing outside touched. */
static void lies_do_no_harm(void **state)
{
	static const uint8_t lies[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct image good, image;
	struct bench bench;
	unsigned at, i;

	bench__up(&bench, 20 * MIB);
	make_image(&good);
	bench__write_initrd(&bench, bench__cpio, BENCH_CPIO_BYTES);
	for (at = HEADER; at < HEADER + sizeof(struct setup_header); at++) {
		for (i = 0; i < sizeof(lies); i++) {
			image = good;
			image.data[at] = lies[i];
			bench__write_kernel(&bench, &image, sizeof(image));
			if (bench__load(&bench) == 0)
				bench__check_flat(&bench, MIB);
			else
				assert_true(bench.error[0]);
		}
	}
	bench__down(&bench);
}

static void fields_are_refused_with_reasons(void **state)
{
	struct image good, image;
	struct bench bench;

	bench__up(&bench, 64 * MIB);
	make_image(&good);
#define REFUSED(field, value, word)                                                                \
	do {                                                                                       \
		image = good;                                                                      \
		header_of(&image)->field = value;                                                  \
		bench__write_kernel(&bench, &image, sizeof(image));                                \
		bench__refused(&bench, word, NULL);                                                \
	} while (0)
	REFUSED(version, 0x0205, "2.05");
	REFUSED(loadflags, 0, "zImage");
	REFUSED(syssize, 0, "truncated");
	REFUSED(syssize, 0xffffffff, "truncated");
	REFUSED(syssize, PAYLOAD / 16 + 1, "truncated");
	REFUSED(setup_sects, 0xff, "truncated");
	REFUSED(init_size, 0x7fffffff, "--memory");
	REFUSED(init_size, 0xffffffff, "--memory");
	REFUSED(pref_address, 63 * MIB, "--memory");
	REFUSED(boot_flag, 0, "not a kernel");
	REFUSED(jump, 0x00eb, "boot protocol");
	bench__down(&bench);
}

static void command_line_has_the_kernels_limit(void **state)
{
	struct image image;
	struct bench bench;
	char text[2050];

	bench__up(&bench, 64 * MIB);
	make_image(&image);
	bench__write_kernel(&bench, &image, sizeof(image));
	memset(text, 'x', sizeof(text));
	text[2047] = '\0';
	bench.cmdline = text;
	assert_int_equal(bench__load(&bench), 0);
	bench__check_memory(&bench, params_of(&bench).hdr.cmd_line_ptr, text, 2048);
	text[2047] = 'x';
	text[2048] = '\0';
	bench__refused(&bench, "--append", "2047");
	header_of(&image)->cmdline_size = 0xffffffff;
	bench__write_kernel(&bench, &image, sizeof(image));
	assert_int_equal(bench__load(&bench), 0);
	bench__down(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_and_parameters_are_in_place),
		cmocka_unit_test(memory_map_has_all_memory),
		cmocka_unit_test(initrd_lies_high_within_the_limits),
		cmocka_unit_test(initrd_may_fill_what_is_left),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(lies_do_no_harm),
		cmocka_unit_test(fields_are_refused_with_reasons),
		cmocka_unit_test(command_line_has_the_kernels_limit),
	};

	return cmocka_run_group_tests_name("bzimage", tests, NULL, NULL);
}
