/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel inside of a bzImage: where it lands, what of it is relocated, and images that have to unpack themselves. */
#include "tests/unit/boot/fixture.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "include/x86/paging.h"
#include "include/x86/regs.h"

#define LINK (16 * MIB)
#define EXTENT (4 * MIB)
#define ALIGNMENT (2 * MIB)
#define KERNEL_MAP 0xffffffff80000000ull
#define SETUP_BYTES (5 * 512u)
#define SEGMENT_OFFSET 0x200000u
#define SEGMENT_BYTES 0x2000u
#define SECOND_OFFSET (SEGMENT_OFFSET + 0x6000u)
#define SECOND_PADDR (LINK + 0x3000u)
#define ENTRY (LINK + 0x40)

/* Fields with relocations, by their offset in the kernel. */
#define FIELD_64 0x100
#define FIELD_NEGATIVE 0x200
#define FIELD_32 0x300
#define UNTOUCHED 0x400
#define VALUE_64 0xffffffff81234560ull
#define VALUE_NEGATIVE 0x7e001000u
#define VALUE_32 0x81000800u

struct content {
	uint8_t elf[SEGMENT_OFFSET + 0x8000];
	size_t size;
	uint8_t image[0x10000];
	size_t image_size;
};

static uint32_t address_of(uint32_t offset)
{
	return (uint32_t)(KERNEL_MAP + LINK + offset);
}

static void append(struct content *c, const void *data, size_t size)
{
	memcpy(c->elf + c->size, data, size);
	c->size += size;
}

static void append_word(struct content *c, uint32_t word)
{
	append(c, &word, sizeof(word));
}

static void put(struct content *c, uint32_t offset, uint64_t value, unsigned bytes)
{
	memcpy(c->elf + SEGMENT_OFFSET + offset, &value, bytes);
}

/* Two segments, the second of them only one byte; relocations of three kinds unless `kinds` is less. */
static void make_elf(struct content *c, unsigned kinds)
{
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = ENTRY,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr segment[2] = {
		{ PT_LOAD, 7, SEGMENT_OFFSET, KERNEL_MAP + LINK, LINK, SEGMENT_BYTES, 2 * MIB, 0x1000 },
		{ PT_LOAD, 7, SECOND_OFFSET, 0, SECOND_PADDR, 1, 0x1000, 0x1000 },
	};
	unsigned i;

	memset(c->elf, 0, sizeof(c->elf));
	memcpy(c->elf, &header, sizeof(header));
	memcpy(c->elf + sizeof(header), segment, sizeof(segment));
	for (i = 0; i < SEGMENT_BYTES; i++)
		c->elf[SEGMENT_OFFSET + i] = (uint8_t)(i * 7);
	put(c, FIELD_64, VALUE_64, 8);
	put(c, FIELD_NEGATIVE, VALUE_NEGATIVE, 4);
	put(c, FIELD_32, VALUE_32, 4);
	put(c, UNTOUCHED, VALUE_64, 8);
	c->elf[SECOND_OFFSET] = 0x5a;
	c->size = SECOND_OFFSET + 1;
	if (!kinds)
		return;
	append_word(c, 0);
	append_word(c, address_of(FIELD_64));
	append_word(c, 0);
	if (kinds == 3) {
		append_word(c, address_of(FIELD_NEGATIVE));
		append_word(c, 0);
	}
	append_word(c, address_of(FIELD_32));
}

static struct setup_header *header_of(struct content *c)
{
	return (struct setup_header *)(c->image + 0x1f1);
}

enum packing { PACKED_GZIP, PACKED_XZ, PACKED_ZSTD, PACKED_LZ4, NR_PACKINGS };

/* Two blocks, and a second frame of one. */
static size_t pack_lz4(struct content *c, uint8_t *out, size_t room)
{
	static const uint8_t magic[4] = { 0x02, 0x21, 0x4c, 0x18 };
	size_t third = c->size / 3, from, at = 0;
	unsigned i;

	for (i = 0, from = 0; i < 3; i++, from += third) {
		size_t bytes = i == 2 ? c->size - from : third;
		uint32_t block;
		int n;

		if (i != 1) {
			memcpy(out + at, magic, sizeof(magic));
			at += sizeof(magic);
		}
		n = LZ4_compress_default((const char *)c->elf + from, (char *)out + at + 4, bytes, room - at - 4);
		assert_true(n > 0);
		block = n;
		memcpy(out + at, &block, sizeof(block));
		at += sizeof(block) + block;
	}
	return at;
}

static size_t pack(struct content *c, enum packing packing, uint8_t *out, size_t room)
{
	z_stream stream = { .next_in = c->elf, .avail_in = c->size, .next_out = out, .avail_out = room };
	size_t size = 0;

	switch (packing) {
	case PACKED_XZ:
		assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, c->elf, c->size, out,
							 &size, room),
				 LZMA_OK);
		return size;
	case PACKED_ZSTD:
		size = ZSTD_compress(out, room, c->elf, c->size, 3);
		assert_false(ZSTD_isError(size));
		return size;
	case PACKED_LZ4:
		return pack_lz4(c, out, room);
	default:
		assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
		assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
		deflateEnd(&stream);
		return stream.total_out;
	}
}

/* A bzImage whose protected-mode part is some bytes, then the packed ELF file, then its length. */
static void make_packed_image(struct content *c, enum packing packing)
{
	const unsigned before = 0x300;
	uint8_t *out = c->image + SETUP_BYTES + before;
	uint32_t length = c->size;
	struct setup_header *header;
	size_t packed;

	memset(c->image, 0, sizeof(c->image));
	packed = pack(c, packing, out, sizeof(c->image) - SETUP_BYTES - before - 64);
	memcpy(out + packed, &length, sizeof(length));
	header = header_of(c);
	header->setup_sects = 4;
	header->boot_flag = 0xaa55;
	header->jump = 0x6aeb;
	memcpy(&header->header, "HdrS", 4);
	header->version = 0x020f;
	header->loadflags = LOADED_HIGH;
	header->xloadflags = XLF_KERNEL_64;
	header->initrd_addr_max = 0x7fffffff;
	header->kernel_alignment = ALIGNMENT;
	header->relocatable_kernel = 1;
	header->cmdline_size = 2047;
	header->pref_address = LINK;
	header->init_size = EXTENT;
	header->payload_offset = before;
	header->payload_length = packed + sizeof(length);
	header->syssize = (before + header->payload_length + 15) / 16;
	c->image_size = SETUP_BYTES + header->syssize * 16;
}

static void make_image(struct content *c)
{
	make_packed_image(c, PACKED_GZIP);
}

static void load(struct bench *bench, struct content *c)
{
	bench__write_kernel(bench, c->image, c->image_size);
	bench->unpack = true;
	if (bench__load(bench))
		fail_msg("%s", bench->error);
}

static struct boot_params params_of(struct bench *bench)
{
	struct boot_params params;

	assert_int_equal(bench->state.regs.rsi, BOOT_PARAMS_GPA);
	bench__read(bench, BOOT_PARAMS_GPA, &params, sizeof(params));
	return params;
}

static bool is_64_bit(const struct bench *bench)
{
	return bench->state.sregs.efer & EFER_LMA;
}

/* Where the kernel is, by the entry. */
static uint64_t start_of(const struct bench *bench)
{
	return bench->state.regs.rip - (ENTRY - LINK);
}

static uint64_t field(struct bench *bench, uint64_t offset, unsigned bytes)
{
	uint64_t value = 0;

	bench__read(bench, start_of(bench) + offset, &value, bytes);
	return value;
}

/* It is in 64-bit mode, and what it was given is mapped to itself. */
static void check_state(struct bench *bench)
{
	const struct kvm_sregs *s = &bench->state.sregs;
	uint64_t at = bench->state.regs.rip, entry, table = s->cr3;
	unsigned level;

	assert_true(is_64_bit(bench));
	assert_true(s->efer & EFER_LME);
	assert_int_equal(s->cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	assert_true(s->cr4 & CR4_PAE);
	assert_int_equal(s->cs.l, 1);
	assert_int_equal(s->cs.db, 0);
	for (level = 3; level >= 1; level--) {
		bench__read(bench, table + (at >> (12 + 9 * level) & 511) * 8, &entry, 8);
		assert_int_equal(entry & (PTE_P | PTE_W), PTE_P | PTE_W);
		table = entry & 0x000ffffffffff000ull;
	}
	assert_true(entry & PTE_PS);
	assert_int_equal(table, at & ~(2 * MIB - 1));
}

static void without_randomness_it_is_where_it_is_linked(void **state)
{
	static const char *const lines[] = { "nokaslr", "quiet nokaslr", "nokaslr quiet" };
	struct content *c = malloc(sizeof(*c));
	struct bench bench;
	unsigned i;

	for (i = 0; i < 3; i++) {
		bench__up(&bench, 64 * MIB);
		make_elf(c, 3);
		make_image(c);
		bench.cmdline = lines[i];
		load(&bench, c);
		check_state(&bench);
		assert_int_equal(bench.state.regs.rip, ENTRY);
		bench__check_memory(&bench, LINK, c->elf + SEGMENT_OFFSET, SEGMENT_BYTES);
		bench__check_memory(&bench, SECOND_PADDR, "\x5a", 1);
		assert_false(params_of(&bench).hdr.loadflags & KASLR_FLAG);
		bench__check_memory(&bench, params_of(&bench).hdr.cmd_line_ptr, lines[i],
				    strlen(lines[i]) + 1);
		bench__down(&bench);
	}
	free(c);
}

/* The three kinds move by the same, everything else stays; the kernel is clear of the initrd. */
static void check_moved(struct bench *bench, struct content *c, unsigned kinds, uint64_t *virtual)
{
	uint64_t by = field(bench, FIELD_64, 8) - VALUE_64, at = start_of(bench);
	struct boot_params params = params_of(bench);

	check_state(bench);
	assert_int_equal(by % ALIGNMENT, 0);
	assert_true(LINK + by + EXTENT <= 1024 * MIB);
	assert_int_equal((uint32_t)field(bench, FIELD_32, 4), (uint32_t)(VALUE_32 + by));
	assert_int_equal((uint32_t)field(bench, FIELD_NEGATIVE, 4),
			 kinds == 3 ? (uint32_t)(VALUE_NEGATIVE - by) : VALUE_NEGATIVE);
	assert_int_equal(field(bench, UNTOUCHED, 8), VALUE_64);
	bench__check_memory(bench, at + 0x1000, c->elf + SEGMENT_OFFSET + 0x1000, 0x1000);
	bench__check_memory(bench, at + (SECOND_PADDR - LINK), "\x5a", 1);
	assert_int_equal(at % ALIGNMENT, 0);
	assert_true(at >= LINK);
	assert_true(at + EXTENT <= params.hdr.ramdisk_image);
	assert_true(params.hdr.loadflags & KASLR_FLAG);
	*virtual = LINK + by;
}

static void addresses_are_random(void **state)
{
	struct content *c = malloc(sizeof(*c));
	uint64_t virtual, first_virtual = 0, first_physical = 0;
	bool virtual_differs = false, physical_differs = false;
	struct bench bench;
	unsigned i;

	for (i = 0; i < 24; i++) {
		unsigned kinds = 2 + i % 2;

		bench__up(&bench, 64 * MIB);
		make_elf(c, kinds);
		make_image(c);
		bench.cmdline = "quiet nokaslrx xnokaslr";
		bench__write_initrd(&bench, bench__cpio, BENCH_CPIO_BYTES);
		load(&bench, c);
		check_moved(&bench, c, kinds, &virtual);
		if (i && virtual != first_virtual)
			virtual_differs = true;
		if (i && start_of(&bench) != first_physical)
			physical_differs = true;
		first_virtual = virtual;
		first_physical = start_of(&bench);
		bench__down(&bench);
	}
	/* By chance once in 500^23, and 20^23. */
	assert_true(virtual_differs);
	assert_true(physical_differs);
	free(c);
}

static void packings_are_alike(void **state)
{
	struct content *c = malloc(sizeof(*c));
	struct bench bench;
	unsigned i;

	for (i = 0; i < NR_PACKINGS; i++) {
		bench__up(&bench, 64 * MIB);
		make_elf(c, 3);
		make_packed_image(c, i);
		bench.cmdline = "nokaslr";
		load(&bench, c);
		assert_true(is_64_bit(&bench));
		bench__check_memory(&bench, LINK, c->elf + SEGMENT_OFFSET, SEGMENT_BYTES);
		bench__down(&bench);
	}
	free(c);
}

static void without_a_list_it_stays(void **state)
{
	struct content *c = malloc(sizeof(*c));
	struct bench bench;

	bench__up(&bench, 64 * MIB);
	make_elf(c, 0);
	make_image(c);
	load(&bench, c);
	assert_int_equal(bench.state.regs.rip, ENTRY);
	assert_int_equal(field(&bench, FIELD_64, 8), VALUE_64);
	assert_false(params_of(&bench).hdr.loadflags & KASLR_FLAG);
	bench__down(&bench);
	free(c);
}

static void what_is_not_relocatable_keeps_its_physical_address(void **state)
{
	struct content *c = malloc(sizeof(*c));
	struct bench bench;
	unsigned i;

	for (i = 0; i < 8; i++) {
		bench__up(&bench, 64 * MIB);
		make_elf(c, 3);
		make_image(c);
		header_of(c)->relocatable_kernel = 0;
		load(&bench, c);
		assert_int_equal(bench.state.regs.rip, ENTRY);
		bench__down(&bench);
	}
	free(c);
}

enum damage {
	DAMAGE_PACKED,
	DAMAGE_FORMAT,
	DAMAGE_LENGTH,
	DAMAGE_OFFSET,
	DAMAGE_EXTENT,
	DAMAGE_BITS,
	DAMAGE_VERSION,
	DAMAGE_ALIGNMENT,
	DAMAGE_ELF,
	DAMAGE_CLASS,
	DAMAGE_ENTRY,
	DAMAGE_SEGMENT_LOW,
	DAMAGE_SEGMENT_HIGH,
	DAMAGE_SEGMENT_FILE,
	DAMAGE_SEGMENT_FORWARDS,
	DAMAGE_SEGMENT_ORDER,
	DAMAGE_FIELD_LOW,
	DAMAGE_FIELD_HIGH,
	DAMAGE_LIST_ODD,
	DAMAGE_LIST_ENDS,
	DAMAGE_LIST_BEGIN,
	NR_DAMAGES,
};

static Elf64_Phdr *segment_of(struct content *c)
{
	return (Elf64_Phdr *)(c->elf + sizeof(Elf64_Ehdr));
}

static void damage_elf(struct content *c, enum damage damage)
{
	switch (damage) {
	case DAMAGE_ELF:
		c->elf[1] = 'X';
		break;
	case DAMAGE_CLASS:
		c->elf[EI_CLASS] = ELFCLASS32;
		break;
	case DAMAGE_ENTRY:
		((Elf64_Ehdr *)c->elf)->e_entry = LINK + EXTENT;
		break;
	case DAMAGE_SEGMENT_LOW:
		segment_of(c)->p_paddr = LINK - 1;
		break;
	case DAMAGE_SEGMENT_HIGH:
		segment_of(c)[1].p_paddr = LINK + EXTENT - 0xfff;
		break;
	case DAMAGE_SEGMENT_FILE:
		segment_of(c)->p_filesz = 1 * MIB;
		break;
	case DAMAGE_SEGMENT_FORWARDS: /* it would go over what comes behind it in the file */
		segment_of(c)->p_offset -= 8;
		break;
	case DAMAGE_SEGMENT_ORDER:
		segment_of(c)[1].p_paddr = LINK + 0x1000;
		break;
	case DAMAGE_FIELD_LOW:
		append_word(c, address_of(0) - 1);
		break;
	case DAMAGE_FIELD_HIGH:
		append_word(c, address_of(EXTENT - 7));
		break;
	case DAMAGE_LIST_ODD:
		append(c, "\1\2\3", 3);
		break;
	case DAMAGE_LIST_ENDS:
		append_word(c, 0);
		append_word(c, address_of(FIELD_32));
		break;
	case DAMAGE_LIST_BEGIN:
		memset(c->elf + SECOND_OFFSET + 1, 0x81, 4);
		break;
	default:
		break;
	}
}

static void damage_image(struct content *c, enum damage damage)
{
	struct setup_header *header = header_of(c);
	uint8_t *payload = c->image + SETUP_BYTES + header->payload_offset;

	switch (damage) {
	case DAMAGE_PACKED:
		payload[header->payload_length / 2] ^= 0x55;
		break;
	case DAMAGE_FORMAT:
		payload[0] = 0;
		break;
	case DAMAGE_LENGTH:
		header->payload_length = 60;
		break;
	case DAMAGE_OFFSET:
		header->payload_offset = 0xfffffff0;
		break;
	case DAMAGE_EXTENT:
		header->init_size = 0x1000;
		break;
	case DAMAGE_BITS:
		header->xloadflags = 0;
		break;
	case DAMAGE_VERSION:
		header->version = 0x20b;
		break;
	case DAMAGE_ALIGNMENT:
		header->kernel_alignment = 3 * MIB;
		break;
	default:
		break;
	}
}

/* None of these is an error: the image is loaded as it is, and may know better. */
static void what_is_odd_unpacks_itself(void **state)
{
	struct content *c = malloc(sizeof(*c));
	struct bench bench;
	unsigned i;

	for (i = 0; i < NR_DAMAGES; i++) {
		bench__up(&bench, 64 * MIB);
		make_elf(c, 3);
		damage_elf(c, i);
		make_image(c);
		damage_image(c, i);
		load(&bench, c);
		if (is_64_bit(&bench))
			fail_msg("damage %u was not seen", i);
		bench__check_flat(&bench, MIB);
		bench__check_memory(&bench, MIB, c->image + SETUP_BYTES, c->image_size - SETUP_BYTES);
		assert_false(params_of(&bench).hdr.loadflags & KASLR_FLAG);
		bench__down(&bench);
	}
	free(c);
}

static void nobody_unpacks_unasked(void **state)
{
	struct content *c = malloc(sizeof(*c));
	struct bench bench;

	bench__up(&bench, 64 * MIB);
	make_elf(c, 3);
	make_image(c);
	bench__write_kernel(&bench, c->image, c->image_size);
	assert_int_equal(bench__load(&bench), 0);
	bench__check_flat(&bench, MIB);
	bench__down(&bench);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_randomness_it_is_where_it_is_linked),
		cmocka_unit_test(addresses_are_random),
		cmocka_unit_test(packings_are_alike),
		cmocka_unit_test(without_a_list_it_stays),
		cmocka_unit_test(what_is_not_relocatable_keeps_its_physical_address),
		cmocka_unit_test(what_is_odd_unpacks_itself),
		cmocka_unit_test(nobody_unpacks_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
