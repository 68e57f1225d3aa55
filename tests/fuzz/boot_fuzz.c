/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the kernel loaders.
 *
 * Input: which machine, which loader, how long an initrd and a command line, then the kernel file.
 * Guest memory stands between pages that can't be touched, and the file in memory of its own size.
 */
#include <asm/bootparam.h>
#include <elf.h>
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/guard.h"
#include "vmm/boot/image.h"

enum loader_choice { LOAD_BZIMAGE, LOAD_MULTIBOOT, LOAD_PVH, LOAD_ANY };

/* Low memory of these sizes; the last one has memory above 4 GiB, too. */
static const struct {
	u64 low, high;
} machines[] = { { 1 << 20, 0 }, { 2 << 20, 0 }, { 16 << 20, 0 }, { 8 << 20, 1 << 20 } };

static struct guest_memory *machine_memory(unsigned which)
{
	static struct guest_memory memories[ARRAY_LENGTH(machines)];
	struct guest_memory *mem = &memories[which];

	if (mem->count)
		return mem;
	mem->size = machines[which].low + machines[which].high;
	mem->region[mem->count++] =
		(struct guest_region){ 0, machines[which].low,
				       guard__map(machines[which].low) };
	if (machines[which].high)
		mem->region[mem->count++] =
			(struct guest_region){ GUEST_HIGH_RAM_START, machines[which].high,
					       guard__map(machines[which].high) };
	return mem;
}

static int load(struct boot_loader *loader, enum loader_choice choice)
{
	int rc;

	switch (choice) {
	case LOAD_BZIMAGE:
		return bzimage__load(loader);
	case LOAD_MULTIBOOT:
		return multiboot__load(loader);
	case LOAD_PVH:
		return pvh__load(loader);
	default: /* as boot__load() tries them */
		rc = bzimage__load(loader);
		if (rc == 1)
			rc = multiboot__load(loader);
		return rc == 1 ? pvh__load(loader) : rc;
	}
}

static void check_loaded(const struct boot_loader *loader)
{
	const struct kvm_sregs *s = &loader->state->sregs;

	FUZZ_CHECK(loader->kernel_end >= loader->kernel_start);
	FUZZ_CHECK(s->cr0 & 1);
	FUZZ_CHECK(loader->state->regs.rip <= 0xffffffff);
	if (loader->initrd.data) {
		u64 end = loader->initrd_gpa + loader->initrd.size;

		FUZZ_CHECK(end <= loader->kernel_start || loader->initrd_gpa >= loader->kernel_end);
		FUZZ_CHECK(!memcmp(guest_memory__pointer(loader->mem, loader->initrd_gpa,
							 loader->initrd.size),
				   loader->initrd.data, loader->initrd.size));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 initrd[100000];
	static char cmdline[0x10010];
	struct fuzz_input in = { data, size };
	u8 what = fuzz__take(&in, 1), how = fuzz__take(&in, 1);
	struct boot_request request = { .kernel = "kernel", .cmdline = cmdline };
	struct boot_state state = { 0 };
	char error[200] = "";
	struct boot_loader loader = {
		.request = &request,
		.mem = machine_memory(what % ARRAY_LENGTH(machines)),
		.state = &state,
		.error = error,
		.error_size = sizeof(error),
	};
	size_t length = how & 1 ? fuzz__take(&in, 2) : 20;
	u8 *file;
	int rc;

	memset(initrd, 0x5a, sizeof(initrd));
	memset(cmdline, 'c', length);
	cmdline[length] = 0;
	if (how & 2) {
		request.rsdp_gpa = request.acpi_start = 0xe0000;
		request.acpi_size = 0x20000;
	} else if (how & 4) {
		request.acpi_size = 0x10000;
		request.acpi_start = loader.mem->region[0].size - request.acpi_size;
		request.rsdp_gpa = request.acpi_start;
	}
	request.unpack = how & 16;
	if (how & 8) {
		loader.initrd = (struct boot_image){ "initrd", initrd, 1 + fuzz__take(&in, 2) };
		request.initrd = "initrd";
	}
	file = malloc(in.left ? in.left : 1);
	FUZZ_CHECK(file);
	loader.kernel = (struct boot_image){ "kernel", file, fuzz__fill(&in, file, in.left) };
	rc = load(&loader, what >> 2 & 3);
	FUZZ_CHECK(rc <= 1);
	if (rc < 0)
		FUZZ_CHECK(error[0]);
	if (!rc)
		check_loaded(&loader);
	free(file);
	return 0;
}

/* ---- seeds: a small kernel of each format ---- */

static size_t make_bzimage(u8 *file)
{
	struct setup_header h = {
		.setup_sects = 1,
		.syssize = 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,
		.version = 0x20f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.cmdline_size = 2047,
		.pref_address = 0x100000,
		.init_size = 0x80000,
	};

	memcpy(&h.header, "HdrS", 4);
	memcpy(file + 0x1f1, &h, sizeof(h));
	return 0x400 + 16 * 16;
}

static size_t make_multiboot(u8 *file)
{
	static const u32 header[] = { 0x1badb002, 0x10003, -(0x1badb002u + 0x10003), 0x100010,
				      0x100000,	  0x100100, 0x110000, 0x100040 };

	memcpy(file + 0x10, header, sizeof(header));
	return 0x100;
}

static size_t make_elf64(u8 *file)
{
	static const u32 note[] = { 4, 4, 18, 0x006e6558 /* "Xen" */, 0x100000 };
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = 0x100000,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr segments[] = {
		{ PT_LOAD, 7, 0x200, 0x100000, 0x100000, 0x100, 0x2000, 0x1000 },
		{ PT_NOTE, 4, 0x180, 0, 0, sizeof(note), sizeof(note), 4 },
	};

	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), segments, sizeof(segments));
	memcpy(file + 0x180, note, sizeof(note));
	return 0x300;
}

static size_t make_elf32(u8 *file)
{
	static const u32 header[] = { 0x1badb002, 3, -(0x1badb002u + 3) };
	Elf32_Ehdr elf = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_entry = 0x100000,
		.e_phoff = sizeof(elf),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 1,
	};
	Elf32_Phdr segment = { PT_LOAD, 0x100, 0x100000, 0x100000, 0x100, 0x2000, 7, 0x1000 };

	memcpy(file, &elf, sizeof(elf));
	memcpy(file + sizeof(elf), &segment, sizeof(segment));
	memcpy(file + 0x100, header, sizeof(header));
	return 0x200;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	static size_t (*const make[])(u8 *file) = { make_bzimage, make_multiboot, make_elf64,
						    make_elf32 };
	size_t prefix = 2;

	if (n >= 16 || size < 2048)
		return 0;
	memset(buf, 0, 2048);
	buf[0] = LOAD_ANY << 2 | n / 4;
	if (n & 8) {
		buf[1] = 10; /* initrd and ACPI tables */
		buf[2] = 0x10;
		prefix = 4;
	}
	return prefix + make[n % 4](buf + prefix);
}
