/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening kernel and initrd, choosing the loader, and the placement all loaders share. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "include/x86/paging.h"
#include "include/x86/regs.h"
#include "vmm/boot/image.h"

/* What 64-bit code finds mapped when it begins. */
#define IDENTITY_GIB 4
#define PAGE_BYTES 4096
#define PAGE_RW (PTE_P | PTE_W)

int boot__fail(struct boot_loader *loader, int rc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(loader->error, loader->error_size, format, args);
	va_end(args);
	return rc;
}

bool image__has(const struct boot_image *image, uint64_t offset, uint64_t size)
{
	return offset <= image->size && size <= image->size - offset;
}

static int open_image(struct boot_loader *loader, const char *what, const char *path,
		      struct boot_image *image)
{
	struct stat st;
	void *data;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return boot__fail(loader, -errno, "%s %s: %s", what, path, strerror(errno));
	if (fstat(fd, &st)) {
		rc = boot__fail(loader, -errno, "%s %s: %s", what, path, strerror(errno));
		goto close_fd;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = boot__fail(loader, -EINVAL, "%s %s: not a regular file; give a file", what,
				path);
		goto close_fd;
	}
	if (!st.st_size) {
		rc = boot__fail(loader, -EINVAL, "%s %s: the file is empty", what, path);
		goto close_fd;
	}
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		rc = boot__fail(loader, -errno, "%s %s: can't be mapped: %s", what, path,
				strerror(errno));
		goto close_fd;
	}
	image->path = path;
	image->data = data;
	image->size = st.st_size;
	rc = 0;
close_fd:
	close(fd);
	return rc;
}

static void close_image(struct boot_image *image)
{
	if (image->data)
		munmap((void *)image->data, image->size);
	image->data = NULL;
}

static uint64_t low_ram_end(const struct guest_memory *mem)
{
	unsigned i;

	for (i = 0; i < mem->count; i++)
		if (mem->region[i].gpa == 0)
			return mem->region[i].size;
	return 0;
}

static void add_range(struct memory_map_entry *map, unsigned *count, uint64_t start, uint64_t end,
		      uint32_t type)
{
	if (start >= end || *count == MEMORY_MAP_MAX)
		return;
	map[*count] = (struct memory_map_entry){ start, end - start, type };
	(*count)++;
}

unsigned boot__memory_map(const struct boot_loader *loader, struct memory_map_entry *map)
{
	uint64_t low = low_ram_end(loader->mem);
	uint64_t acpi = loader->request->acpi_start;
	uint64_t acpi_end = acpi + loader->request->acpi_size;
	unsigned count = 0, i;

	add_range(map, &count, 0, GUEST_EBDA, MEMORY_MAP_RAM);
	add_range(map, &count, GUEST_EBDA, 0xa0000, MEMORY_MAP_RESERVED);
	if (acpi_end > acpi && acpi_end <= BOOT_HIGH_GPA) {
		/* Tables in the BIOS area: reserved like a BIOS. */
		add_range(map, &count, 0xe0000, BOOT_HIGH_GPA, MEMORY_MAP_RESERVED);
		add_range(map, &count, BOOT_HIGH_GPA, low, MEMORY_MAP_RAM);
	} else if (acpi_end > acpi && acpi_end <= low) {
		add_range(map, &count, BOOT_HIGH_GPA, acpi, MEMORY_MAP_RAM);
		add_range(map, &count, acpi, acpi_end, MEMORY_MAP_ACPI);
		add_range(map, &count, acpi_end, low, MEMORY_MAP_RAM);
	} else {
		add_range(map, &count, BOOT_HIGH_GPA, low, MEMORY_MAP_RAM);
	}
	for (i = 0; i < loader->mem->count; i++)
		if (loader->mem->region[i].gpa >= GUEST_HIGH_RAM_START)
			add_range(map, &count, loader->mem->region[i].gpa,
				  loader->mem->region[i].gpa + loader->mem->region[i].size,
				  MEMORY_MAP_RAM);
	return count;
}

/* The initrd ends here at the latest. */
static uint64_t initrd_top(const struct boot_loader *loader, uint64_t limit)
{
	const struct boot_request *request = loader->request;
	uint64_t top = low_ram_end(loader->mem);

	if (top > limit)
		top = limit;
	if (request->acpi_start >= BOOT_HIGH_GPA && request->acpi_start < top)
		top = request->acpi_start;
	return top & ~4095ULL;
}

static uint64_t initrd_bottom(const struct boot_loader *loader)
{
	return loader->kernel_end > BOOT_HIGH_GPA ? loader->kernel_end : BOOT_HIGH_GPA;
}

uint64_t boot__initrd_room(const struct boot_loader *loader, uint64_t limit)
{
	uint64_t top = initrd_top(loader, limit), bottom = (initrd_bottom(loader) + 4095) & ~4095ULL;

	return top > bottom ? (top - bottom) / 4 : 0;
}

int boot__place_initrd(struct boot_loader *loader, const struct boot_image *image, uint64_t limit)
{
	uint64_t size = (image->size + 4095) & ~4095ULL;
	uint64_t top = initrd_top(loader, limit);
	uint64_t start;

	if (!image->data)
		return 0;
	if (size > top || top - size < initrd_bottom(loader))
		return boot__fail(loader, -ENOSPC,
				  "initrd %s: %zu bytes do not fit between the kernel's end at %#llx "
				  "and %#llx; give the machine more memory",
				  image->path, image->size, (unsigned long long)loader->kernel_end,
				  (unsigned long long)top);
	start = top - size;
	if (guest_memory__write(loader->mem, start, image->data, image->size))
		return boot__fail(loader, -ENOSPC, "initrd %s: no guest memory at %#llx", image->path,
				  (unsigned long long)start);
	loader->initrd_gpa = start;
	loader->initrd_size = image->size;
	return 0;
}

int boot__place_cmdline(struct boot_loader *loader, uint64_t max)
{
	size_t length = strlen(loader->request->cmdline);

	if (max > BOOT_STRINGS_SIZE - 1)
		max = BOOT_STRINGS_SIZE - 1;
	if (length > max)
		return boot__fail(loader, -EINVAL,
				  "--append: %zu characters, the kernel %s takes at most %llu", length,
				  loader->kernel.path, (unsigned long long)max);
	if (guest_memory__write(loader->mem, BOOT_STRINGS_GPA, loader->request->cmdline,
				length + 1))
		return boot__fail(loader, -ENOSPC, "the machine has too little memory to boot");
	return 0;
}

int boot__check_range(struct boot_loader *loader, uint64_t entry)
{
	if (loader->kernel_start < BOOT_HIGH_GPA)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: loads at %#llx; must load at 1 MiB or above",
				  loader->kernel.path, (unsigned long long)loader->kernel_start);
	if (entry < loader->kernel_start || entry >= loader->kernel_end || entry > UINT32_MAX)
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: its entry point %#llx must lie below 4 GiB in what it "
				  "loads, %#llx to %#llx",
				  loader->kernel.path, (unsigned long long)entry,
				  (unsigned long long)loader->kernel_start,
				  (unsigned long long)loader->kernel_end);
	return 0;
}

/* The selectors of the Linux 32-bit boot protocol, which the others accept too. */
#define FLAT_CS 0x10
#define FLAT_DS 0x18

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

int boot__set_flat32(struct boot_loader *loader, uint32_t entry)
{
	static const uint64_t gdt[4] = {
		0,
		0,
		0x00cf9b000000ffffULL, /* FLAT_CS: code, execute/read, accessed */
		0x00cf93000000ffffULL, /* FLAT_DS: data, read/write, accessed */
	};
	struct kvm_sregs *sregs = &loader->state->sregs;

	if (guest_memory__write(loader->mem, BOOT_GDT_GPA, gdt, sizeof(gdt)))
		return boot__fail(loader, -ENOSPC, "the machine has too little memory to boot");
	sregs->gdt.base = BOOT_GDT_GPA;
	sregs->gdt.limit = sizeof(gdt) - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	sregs->cs = flat_segment(FLAT_CS, 11);
	sregs->ds = flat_segment(FLAT_DS, 3);
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
	sregs->cr0 = CR0_PE | CR0_ET;
	sregs->cr4 = 0;
	sregs->efer = 0;
	memset(&loader->state->regs, 0, sizeof(loader->state->regs));
	loader->state->regs.rip = entry;
	loader->state->regs.rflags = RFLAGS_FIXED;
	return 0;
}

/* PML4, directory pointers, and a directory of 2 MiB pages for each GiB. */
static int write_identity_map(struct boot_loader *loader)
{
	uint64_t table[(2 + IDENTITY_GIB) * 512] = { 0 };
	unsigned i;

	table[0] = (BOOT_TABLES_GPA + PAGE_BYTES) | PAGE_RW;
	for (i = 0; i < IDENTITY_GIB; i++)
		table[512 + i] = (BOOT_TABLES_GPA + (2 + i) * PAGE_BYTES) | PAGE_RW;
	for (i = 0; i < IDENTITY_GIB * 512; i++)
		table[1024 + i] = (uint64_t)i << 21 | PAGE_RW | PTE_PS;
	return guest_memory__write(loader->mem, BOOT_TABLES_GPA, table, sizeof(table));
}

int boot__set_flat64(struct boot_loader *loader, uint64_t entry)
{
	static const uint64_t code = 0x00af9b000000ffffULL; /* FLAT_CS of 64-bit code */
	struct kvm_sregs *sregs = &loader->state->sregs;
	int rc = boot__set_flat32(loader, entry);

	if (rc)
		return rc;
	if (write_identity_map(loader) ||
	    guest_memory__write(loader->mem, BOOT_GDT_GPA + FLAT_CS, &code, sizeof(code)))
		return boot__fail(loader, -ENOSPC, "the machine has too little memory to boot");
	sregs->cs.db = 0;
	sregs->cs.l = 1;
	sregs->cr0 |= CR0_PG;
	sregs->cr3 = BOOT_TABLES_GPA;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
	return 0;
}

static int load_kernel(struct boot_loader *loader)
{
	static int (*const formats[])(struct boot_loader *loader) = {
		bzimage__load,
		multiboot__load,
		pvh__load,
	};
	unsigned i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		int rc = formats[i](loader);

		if (rc <= 0)
			return rc;
	}
	if (elf__is_elf(&loader->kernel))
		return boot__fail(loader, -ENOEXEC,
				  "kernel %s: an ELF file with neither a PVH note nor a Multiboot 1 "
				  "header; build the kernel with CONFIG_PVH, or give a bzImage",
				  loader->kernel.path);
	return boot__fail(loader, -ENOEXEC,
			  "kernel %s: not a kernel for this machine; give a bzImage, an ELF file "
			  "with a PVH note, or a Multiboot 1 kernel",
			  loader->kernel.path);
}

int boot__load(const struct boot_request *request, struct guest_memory *mem,
	       struct boot_state *state, char *error, unsigned error_size)
{
	struct boot_loader loader = {
		.request = request,
		.mem = mem,
		.state = state,
		.error = error,
		.error_size = error_size,
	};
	int rc = open_image(&loader, "kernel", request->kernel, &loader.kernel);

	if (rc)
		return rc;
	if (request->initrd) {
		rc = open_image(&loader, "initrd", request->initrd, &loader.initrd);
		if (rc)
			goto close_kernel;
	}
	rc = load_kernel(&loader);
	close_image(&loader.initrd);
close_kernel:
	close_image(&loader.kernel);
	return rc;
}
