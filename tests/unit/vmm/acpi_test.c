/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables: checksums and pointers followed from the RSDP, and ACPICA's compiler, which
 * disassembles each table and compiles it again without a word of complaint.
 */
#include "tests/devices/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/acpi/layout.h"
#include "vmm/acpi/tables.h"
#include "vmm/machine/device_table.h"

#define GPA 0xe0000u
#define MOST 0x20000u

static uint8_t sum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t total = 0;

	while (size--)
		total += *bytes++;
	return total;
}

/*
 * A disk needs an image: any file, which is only read; a share needs a folder, sockets a path. Every
 * other virtio device is over MMIO.
 */
static const char *options_of(const struct device_class *class, unsigned number)
{
	static char text[100];

	text[0] = '\0';
	if (!strcmp(class->name, "virtio-blk") || !strcmp(class->name, "ahci-disk"))
		strcpy(text, "file=/proc/self/exe,format=raw,read-only=on");
	if (!strcmp(class->name, "virtio-9p"))
		strcpy(text, "dir=.,tag=x,read-only=on");
	if (!strcmp(class->name, "virtio-vsock"))
		snprintf(text, sizeof(text), "socket=/tmp/acpi-test-%d", getpid());
	if (number % 2 && !strncmp(class->name, "virtio-", 7))
		strcat(text, text[0] ? ",transport=mmio" : "transport=mmio");
	return text[0] ? text : NULL;
}

/* Several, as far as there are places: a SATA controller has six, for disks and CD-ROM drives. */
static unsigned count_of(const struct device_class *class)
{
	if (class->max == 1)
		return 1;
	return strncmp(class->name, "ahci-", 5) ? 4 : 3;
}

/* All classes on one bench, realized in the table's order. */
static struct fixture *create_pc(struct device **list)
{
	struct fixture *fixture = fixture__create(device_table[0], NULL);
	unsigned i, n;

	for (i = 1; device_table[i]; i++)
		for (n = 0; n < count_of(device_table[i]); n++)
			fixture__add(fixture, device_table[i], n, options_of(device_table[i], n));
	*list = fixture->dev;
	return fixture;
}

static const struct acpi_header *table_at(const struct acpi_image *image, uint64_t gpa)
{
	const struct acpi_header *header;

	assert_in_range(gpa, GPA, GPA + image->size - sizeof(*header));
	header = (const void *)(image->data + (gpa - GPA));
	assert_in_range(header->length, 36, image->size - (gpa - GPA));
	if (memcmp(header->signature, "FACS", 4))
		assert_int_equal(sum(header, header->length), 0);
	return header;
}

/* Runs iasl over a table in a scratch directory; fails on any error, warning or remark. */
static void check_with_iasl(const struct acpi_header *table, const char *name)
{
	char command[1200], path[80];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/acpi-test-%d-%s", getpid(), name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(table, table->length, 1, file), 1);
	fclose(file);
	snprintf(command, sizeof(command),
		 "iasl -d %s >%s.log 2>&1 && "
		 "iasl -p %s.again %s.dsl >>%s.log 2>&1 && "
		 "! grep -Ei '^(error|warning|remark)|[1-9][0-9]* (errors|warnings|remarks)|"
		 "invalid|unknown' %s.log",
		 path, path, path, path, path, path);
	if (system(command)) {
		snprintf(command, sizeof(command), "cat %s.log", path);
		if (system(command))
			print_message("no log\n");
		fail_msg("iasl complains of %s", name);
	}
	snprintf(command, sizeof(command), "rm -f %s*", path);
	assert_int_equal(system(command), 0);
}

static void check_table(const struct acpi_image *image, const struct acpi_header *table,
			unsigned cpus, bool has_iasl)
{
	const struct acpi_fadt *fadt = (const void *)table;
	char name[5] = { 0 };

	memcpy(name, table->signature, 4);
	if (has_iasl)
		check_with_iasl(table, name);
	if (!strcmp(name, "FACP")) {
		assert_memory_equal(table_at(image, fadt->facs)->signature, "FACS", 4);
		assert_int_equal(fadt->dsdt, fadt->x_dsdt);
		table = table_at(image, fadt->dsdt);
		assert_memory_equal(table->signature, "DSDT", 4);
		if (has_iasl)
			check_with_iasl(table, "DSDT");
	} else if (!strcmp(name, "APIC")) {
		assert_true(table->length >= 44 + 8 * cpus);
	} else if (!strcmp(name, "HPET")) {
		assert_int_equal(table->length, 56);
		assert_memory_equal((const char *)table + 44, "\x00\x00\xd0\xfe\0\0\0\0", 8);
	} else {
		uint64_t ecam;

		assert_string_equal(name, "MCFG");
		assert_int_equal(table->length, 60);
		memcpy(&ecam, (const char *)table + 44, 8);
		assert_int_equal(ecam, GUEST_ECAM);
		assert_int_equal(((const uint8_t *)table)[55], 63); /* the last bus */
	}
}

static void follow_tables(const struct acpi_image *image, unsigned cpus)
{
	const struct acpi_rsdp *rsdp = (const void *)(image->data + (image->rsdp - GPA));
	const struct acpi_header *xsdt, *rsdt;
	bool has_iasl = !system("command -v iasl >/dev/null");
	unsigned i, count;

	assert_int_equal(image->rsdp % 16, 0);
	assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, rsdp->length), 0);
	xsdt = table_at(image, rsdp->xsdt);
	rsdt = table_at(image, rsdp->rsdt);
	count = (xsdt->length - 36) / 8;
	assert_int_equal((rsdt->length - 36) / 4, count);
	for (i = 0; i < count; i++) {
		uint64_t gpa;

		memcpy(&gpa, (const char *)(xsdt + 1) + 8 * i, 8);
		check_table(image, table_at(image, gpa), cpus, has_iasl);
	}
	assert_int_equal(count, 4); /* FADT, MADT, MCFG, HPET */
	if (!has_iasl)
		print_message("iasl is not installed: tables not compiled\n");
}

static void build_and_follow(unsigned cpus)
{
	struct device *devices;
	struct fixture *fixture = create_pc(&devices);
	struct acpi_request request = {
		.cpus = cpus, .devices = devices, .gpa = GPA, .size_most = MOST
	};
	struct acpi_image image;

	assert_int_equal(acpi_tables__build(&request, &image), 0);
	follow_tables(&image, cpus);
	free(image.data);
	fixture__destroy(fixture);
}

static void one_cpu(void **state)
{
	build_and_follow(1);
}

static void many_cpus(void **state)
{
	build_and_follow(255);
}

/* Identifiers from 255 on are x2APIC entries. */
static void more_than_xapic_can_name(void **state)
{
	build_and_follow(300);
}

static void too_small_a_place_is_refused(void **state)
{
	struct acpi_request request = { .cpus = 64, .gpa = GPA };
	struct acpi_image image;
	size_t size;

	for (size = 1; size < 2048; size += 61) {
		request.size_most = size;
		assert_int_equal(acpi_tables__build(&request, &image), -E2BIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_cpu),
		cmocka_unit_test(many_cpus),
		cmocka_unit_test(more_than_xapic_can_name),
		cmocka_unit_test(too_small_a_place_is_refused),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
