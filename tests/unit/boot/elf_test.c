/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF kernels with a PVH note, of both classes: segments, notes, and files that lie. */
#include "tests/unit/boot/fixture.h"

#include <elf.h>

#define NOTE_OFFSET 0x200u
#define CODE_OFFSET 0x400u
#define CODE_BYTES 0x800u
#define FILE_BYTES (CODE_OFFSET + CODE_BYTES)
#define LOAD_GPA (2 * MIB)
#define BSS_BYTES 0x1800u

struct kernel {
	uint8_t data[FILE_BYTES];
	size_t size;
	bool is64;
};

static Elf64_Ehdr *header64(struct kernel *kernel)
{
	return (Elf64_Ehdr *)kernel->data;
}

static Elf64_Phdr *segment64(struct kernel *kernel, unsigned i)
{
	return (Elf64_Phdr *)(kernel->data + sizeof(Elf64_Ehdr)) + i;
}

static void make_note(struct kernel *kernel, uint32_t name_size, uint32_t desc_size, uint32_t entry)
{
	uint32_t note[5] = { name_size, desc_size, 18 };

	memcpy(&note[3], "Xen", 4);
	note[4] = entry;
	memcpy(kernel->data + NOTE_OFFSET, note, sizeof(note));
}

static void fill_code(struct kernel *kernel)
{
	unsigned i;

	for (i = 0; i < CODE_BYTES; i++)
		kernel->data[CODE_OFFSET + i] = (uint8_t)(i * 5 + 1);
	kernel->size = FILE_BYTES;
	make_note(kernel, 4, 4, LOAD_GPA + 0x10);
}

/* Linked high, as Linux is: only the physical addresses count. */
static void make64(struct kernel *kernel)
{
	memset(kernel, 0, sizeof(*kernel));
	kernel->is64 = true;
	memcpy(header64(kernel)->e_ident, ELFMAG, SELFMAG);
	header64(kernel)->e_ident[EI_CLASS] = ELFCLASS64;
	header64(kernel)->e_ident[EI_DATA] = ELFDATA2LSB;
	header64(kernel)->e_machine = EM_X86_64;
	header64(kernel)->e_phoff = sizeof(Elf64_Ehdr);
	header64(kernel)->e_phentsize = sizeof(Elf64_Phdr);
	header64(kernel)->e_phnum = 2;
	header64(kernel)->e_entry = 0xffffffff81000000ull;
	*segment64(kernel, 0) = (Elf64_Phdr){ .p_type = PT_LOAD,
					      .p_offset = CODE_OFFSET,
					      .p_paddr = LOAD_GPA,
					      .p_vaddr = 0xffffffff81000000ull,
					      .p_filesz = CODE_BYTES,
					      .p_memsz = CODE_BYTES + BSS_BYTES };
	*segment64(kernel, 1) = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = NOTE_OFFSET, .p_filesz = 20, .p_align = 4
	};
	fill_code(kernel);
}

static void make32(struct kernel *kernel)
{
	Elf32_Ehdr *header = (Elf32_Ehdr *)kernel->data;
	Elf32_Phdr *segment = (Elf32_Phdr *)(kernel->data + sizeof(*header));

	memset(kernel, 0, sizeof(*kernel));
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS32;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_machine = EM_386;
	header->e_phoff = sizeof(*header);
	header->e_phentsize = sizeof(*segment);
	header->e_phnum = 2;
	segment[0] = (Elf32_Phdr){ .p_type = PT_LOAD,
				   .p_offset = CODE_OFFSET,
				   .p_paddr = LOAD_GPA,
				   .p_vaddr = LOAD_GPA,
				   .p_filesz = CODE_BYTES,
				   .p_memsz = CODE_BYTES + BSS_BYTES };
	segment[1] = (Elf32_Phdr){
		.p_type = PT_NOTE, .p_offset = NOTE_OFFSET, .p_filesz = 20, .p_align = 4
	};
	fill_code(kernel);
}

static int load(struct bench *bench, const struct kernel *kernel)
{
	bench__write_kernel(bench, kernel->data, kernel->size);
	return bench__load(bench);
}

static void refused(struct bench *bench, const struct kernel *kernel, const char *word)
{
	bench__write_kernel(bench, kernel->data, kernel->size);
	bench__refused(bench, word, NULL);
}

static void check_loaded(struct bench *bench, const struct kernel *kernel)
{
	struct {
		uint32_t magic, version, flags, modules;
		uint64_t module_list, cmdline, rsdp, map;
		uint32_t map_entries, reserved;
	} info;

	bench__check_flat(bench, LOAD_GPA + 0x10);
	bench__check_memory(bench, LOAD_GPA, kernel->data + CODE_OFFSET, CODE_BYTES);
	bench__check_filled(bench, LOAD_GPA + CODE_BYTES, 0, BSS_BYTES);
	bench__check_filled(bench, LOAD_GPA + CODE_BYTES + BSS_BYTES, 0xee, 16);
	bench__read(bench, bench->state.regs.rbx, &info, sizeof(info));
	assert_int_equal(info.magic, 0x336ec578);
	assert_int_equal(info.rsdp, ACPI_START);
	assert_int_equal(info.modules, 0);
	bench__check_memory(bench, info.cmdline, "pvh", 4);
}

static void both_classes_load(void **state)
{
	struct kernel kernel;
	struct bench bench;
	unsigned i;

	for (i = 0; i < 2; i++) {
		bench__up(&bench, 16 * MIB);
		memset(guest_memory__pointer(&bench.memory, LOAD_GPA, MIB), 0xee, MIB);
		bench.cmdline = "pvh";
		if (i)
			make64(&kernel);
		else
			make32(&kernel);
		assert_int_equal(load(&bench, &kernel), 0);
		check_loaded(&bench, &kernel);
		bench__down(&bench);
	}
}

static void module_is_any_file(void **state)
{
	struct {
		uint64_t gpa, size, cmdline, reserved;
	} module;
	uint64_t list;
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
	make64(&kernel);
	bench__write_initrd(&bench, "any bytes", 9);
	assert_int_equal(load(&bench, &kernel), 0);
	bench__read(&bench, bench.state.regs.rbx + 16, &list, sizeof(list));
	bench__read(&bench, list, &module, sizeof(module));
	assert_int_equal(module.size, 9);
	assert_int_equal(module.gpa % 4096, 0);
	bench__check_memory(&bench, module.gpa, "any bytes", 9);
	bench__down(&bench);
}

static void notes_are_bounded(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 5, 0xff, 0x7fffffff, 0xfffffffc, 0xffffffff };
	struct kernel kernel;
	struct bench bench;
	unsigned i;

	bench__up(&bench, 16 * MIB);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make64(&kernel);
		make_note(&kernel, sizes[i], 4, LOAD_GPA);
		refused(&bench, &kernel, "PVH");
		if (sizes[i] < 4 || sizes[i] > 8) {
			make64(&kernel);
			make_note(&kernel, 4, sizes[i], LOAD_GPA);
			refused(&bench, &kernel, "PVH");
		}
	}
	/* The segment ends inside of the note. */
	for (i = 0; i < 20; i++) {
		make64(&kernel);
		segment64(&kernel, 1)->p_filesz = i;
		refused(&bench, &kernel, "PVH");
	}
	/* Outside of the file. */
	make64(&kernel);
	segment64(&kernel, 1)->p_offset = FILE_BYTES - 4;
	refused(&bench, &kernel, "PVH");
	segment64(&kernel, 1)->p_offset = ~0ull - 4;
	refused(&bench, &kernel, "PVH");
	/* Behind another note. */
	make64(&kernel);
	memmove(kernel.data + NOTE_OFFSET + 20, kernel.data + NOTE_OFFSET, 20);
	memcpy(kernel.data + NOTE_OFFSET + 8, &(uint32_t){ 17 }, 4);
	segment64(&kernel, 1)->p_filesz = 40;
	assert_int_equal(load(&bench, &kernel), 0);
	bench__down(&bench);
}

static void segments_are_bounded(void **state)
{
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
#define REFUSED(field, value, word)                                                                \
	do {                                                                                       \
		make64(&kernel);                                                                   \
		segment64(&kernel, 0)->field = value;                                              \
		refused(&bench, &kernel, word);                                                    \
	} while (0)
	REFUSED(p_filesz, FILE_BYTES, "truncated");
	REFUSED(p_filesz, ~0ull, "truncated");
	REFUSED(p_offset, ~0ull, "truncated");
	REFUSED(p_offset, FILE_BYTES - CODE_BYTES + 1, "truncated");
	REFUSED(p_memsz, CODE_BYTES - 1, "truncated");
	REFUSED(p_memsz, ~0ull, "--memory");
	REFUSED(p_memsz, 15 * MIB, "--memory");
	REFUSED(p_paddr, ~0ull - 100, "--memory");
	REFUSED(p_paddr, 16 * MIB - CODE_BYTES, "--memory");
	REFUSED(p_paddr, 0x7000, "1 MiB");
	REFUSED(p_type, PT_NULL, "nothing to load");
	bench__down(&bench);
}

static void entry_lies_in_what_is_loaded(void **state)
{
	const uint32_t end = LOAD_GPA + CODE_BYTES + BSS_BYTES;
	struct kernel kernel;
	struct bench bench;

	bench__up(&bench, 16 * MIB);
	make64(&kernel);
	make_note(&kernel, 4, 4, end - 1);
	assert_int_equal(load(&bench, &kernel), 0);
	make_note(&kernel, 4, 4, end);
	refused(&bench, &kernel, "entry");
	make_note(&kernel, 4, 4, LOAD_GPA - 1);
	refused(&bench, &kernel, "entry");
	make_note(&kernel, 4, 4, 0xffffffff);
	refused(&bench, &kernel, "entry");
	bench__down(&bench);
}

static void headers_are_checked(void **state)
{
	struct kernel kernel;
	struct bench bench;
	size_t size;

	bench__up(&bench, 16 * MIB);
	make64(&kernel);
	header64(&kernel)->e_machine = EM_AARCH64;
	refused(&bench, &kernel, "another processor");
	make64(&kernel);
	header64(&kernel)->e_ident[EI_DATA] = ELFDATA2MSB;
	refused(&bench, &kernel, "foreign");
	make64(&kernel);
	header64(&kernel)->e_phnum = 0xffff;
	refused(&bench, &kernel, "program headers");
	make64(&kernel);
	header64(&kernel)->e_phoff = ~0ull - 8;
	refused(&bench, &kernel, "program headers");
	make64(&kernel);
	header64(&kernel)->e_phentsize = 8;
	refused(&bench, &kernel, "program headers");
	make64(&kernel);
	for (size = 4; size < FILE_BYTES; size += size < NOTE_OFFSET ? 3 : 77) {
		kernel.size = size;
		refused(&bench, &kernel, NULL);
	}
	bench__down(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_classes_load),
		cmocka_unit_test(module_is_any_file),
		cmocka_unit_test(notes_are_bounded),
		cmocka_unit_test(segments_are_bounded),
		cmocka_unit_test(entry_lies_in_what_is_loaded),
		cmocka_unit_test(headers_are_checked),
	};

	return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
