/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bench for kernel loaders. */
#include "tests/unit/boot/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char bench__cpio[BENCH_CPIO_BYTES + 1] = "07070100000000000000000000000000000000000000000000000000000000000000"
			   "000000000000000000000000000000000000000B00000000TRAILER!!!\0\0\0";

void bench__up(struct bench *bench, uint64_t memory)
{
	memset(bench, 0, sizeof(*bench));
	bench->cmdline = "";
	snprintf(bench->kernel, sizeof(bench->kernel), "/tmp/boot-test-%d.kernel", getpid());
	assert_int_equal(guest_memory__create(&bench->memory, memory), 0);
}

void bench__down(struct bench *bench)
{
	unlink(bench->kernel);
	if (bench->initrd[0])
		unlink(bench->initrd);
	guest_memory__destroy(&bench->memory);
}

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

void bench__write_kernel(struct bench *bench, const void *data, size_t size)
{
	write_file(bench->kernel, data, size);
}

void bench__write_initrd(struct bench *bench, const void *data, size_t size)
{
	snprintf(bench->initrd, sizeof(bench->initrd), "/tmp/boot-test-%d.initrd", getpid());
	write_file(bench->initrd, data, size);
}

int bench__load(struct bench *bench)
{
	struct boot_request request = {
		.kernel = bench->kernel,
		.initrd = bench->initrd[0] ? bench->initrd : NULL,
		.cmdline = bench->cmdline,
		.rsdp_gpa = ACPI_START,
		.acpi_start = ACPI_START,
		.acpi_size = ACPI_SIZE,
		.unpack = bench->unpack,
	};

	memset(&bench->state, 0xcc, sizeof(bench->state));
	bench->error[0] = '\0';
	return boot__load(&request, &bench->memory, &bench->state, bench->error,
			  sizeof(bench->error));
}

void bench__refused(struct bench *bench, const char *word, const char *other)
{
	int rc = bench__load(bench);

	if (rc >= 0)
		fail_msg("not refused (%s)", word ? word : "");
	if (!strstr(bench->error, bench->kernel) && !strstr(bench->error, "initrd") &&
	    !strstr(bench->error, "--append"))
		fail_msg("\"%s\" names no file", bench->error);
	if ((word && !strstr(bench->error, word)) || (other && !strstr(bench->error, other)))
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", bench->error, word, other ? other : "");
	assert_null(strchr(bench->error, '\n'));
}

void bench__read(struct bench *bench, uint64_t gpa, void *data, size_t size)
{
	assert_int_equal(guest_memory__read(&bench->memory, gpa, data, size), 0);
}

void bench__check_memory(struct bench *bench, uint64_t gpa, const void *data, size_t size)
{
	const void *host = guest_memory__pointer(&bench->memory, gpa, size);

	assert_non_null(host);
	assert_memory_equal(host, data, size);
}

void bench__check_filled(struct bench *bench, uint64_t gpa, uint8_t value, size_t size)
{
	const uint8_t *host = guest_memory__pointer(&bench->memory, gpa, size);
	size_t i;

	assert_non_null(host);
	for (i = 0; i < size; i++)
		if (host[i] != value)
			fail_msg("%#llx has %#x, not %#x", (unsigned long long)gpa + i, host[i], value);
}

static void check_segment(const struct kvm_segment *segment, bool code)
{
	assert_int_equal(segment->base, 0);
	assert_int_equal(segment->limit, 0xffffffff);
	assert_int_equal(segment->type & 8, code ? 8 : 0);
	assert_true(segment->present && segment->s && segment->db && segment->g && !segment->l);
	assert_int_equal(segment->dpl, 0);
}

void bench__check_flat(const struct bench *bench, uint64_t entry)
{
	const struct kvm_sregs *sregs = &bench->state.sregs;

	assert_int_equal(sregs->cr0 & 0x80000001, 1);
	assert_int_equal(sregs->cr4, 0);
	assert_int_equal(sregs->efer, 0);
	check_segment(&sregs->cs, true);
	check_segment(&sregs->ds, false);
	check_segment(&sregs->es, false);
	check_segment(&sregs->ss, false);
	assert_int_equal(bench->state.regs.rip, entry);
	assert_int_equal(bench->state.regs.rflags, 2);
}
