/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole machines on the user library, with Multiboot guests of a few instructions: every way a
 * machine ends, resets, refused configurations, and that nothing is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/machine/machine.h"

#define LOAD_GPA 0x100000u

/* Guests; 32-bit code, entered as Multiboot says. */
#define OUT_DX_AL(port, value) 0x66, 0xba, (port) & 0xff, (port) >> 8, 0xb0, value, 0xee
#define OUT_DX_AX(port, value)                                                                     \
	0x66, 0xba, (port) & 0xff, (port) >> 8, 0x66, 0xb8, (value) & 0xff, (value) >> 8, 0x66, 0xef
#define HANG 0xeb, 0xfe

static const uint8_t guest_exit[] = { OUT_DX_AL(0xf4, 0x21), HANG };
static const uint8_t guest_off[] = { OUT_DX_AX(0x604, 0x3400), HANG };
static const uint8_t guest_panic[] = { OUT_DX_AL(0x505, 1), HANG };
static const uint8_t guest_hang[] = { HANG };
static const uint8_t guest_fault[] = { 0x0f, 0x01, 0x1d, 0x00, 0x00, 0x30, 0x00, 0xcc };
/* Counts its starts at 200000h, and resets in another way each time. */
static const uint8_t guest_resets[] = {
	0xff, 0x05, 0x00, 0x00, 0x20, 0x00,	  /* inc dword [200000h] */
	0xa1, 0x00, 0x00, 0x20, 0x00,		  /* mov eax, [200000h] */
	0x83, 0xf8, 0x02, 0x74, 0x13,		  /* cmp eax, 2; je +19 */
	0x83, 0xf8, 0x03, 0x74, 0x16,		  /* cmp eax, 3; je +22 */
	0x83, 0xf8, 0x04, 0x74, 0x19,		  /* cmp eax, 4; je +25 */
	OUT_DX_AL(0xcf9, 0x06), HANG,		  /* first: CF9H */
	0xb0, 0xfe, 0xe6, 0x64, HANG, 0x90, 0x90, /* second: keyboard controller */
	0xb0, 0x01, 0xe6, 0x92, HANG, 0x90, 0x90, /* third: port 92H */
	OUT_DX_AL(0xf4, 0x07), HANG,		  /* fourth: done */
};

/* Writes an ELF file with a Multiboot header and the code at its entry. */
static void write_kernel(const char *path, const uint8_t *code, size_t size)
{
	struct {
		Elf32_Ehdr elf;
		Elf32_Phdr segment;
		uint32_t multiboot[3];
		uint32_t pad;
		uint8_t code[256];
	} file = { 0 };
	uint32_t entry = LOAD_GPA + (uint32_t)offsetof(__typeof__(file), code);
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_true(size <= sizeof(file.code));
	memcpy(file.elf.e_ident, ELFMAG, SELFMAG);
	file.elf.e_ident[EI_CLASS] = ELFCLASS32;
	file.elf.e_ident[EI_DATA] = ELFDATA2LSB;
	file.elf.e_ident[EI_VERSION] = EV_CURRENT;
	file.elf.e_type = ET_EXEC;
	file.elf.e_machine = EM_386;
	file.elf.e_version = EV_CURRENT;
	file.elf.e_entry = entry;
	file.elf.e_phoff = offsetof(__typeof__(file), segment);
	file.elf.e_ehsize = sizeof(file.elf);
	file.elf.e_phentsize = sizeof(file.segment);
	file.elf.e_phnum = 1;
	file.segment.p_type = PT_LOAD;
	file.segment.p_vaddr = file.segment.p_paddr = LOAD_GPA;
	file.segment.p_filesz = file.segment.p_memsz = sizeof(file);
	file.segment.p_flags = PF_R | PF_W | PF_X;
	file.segment.p_align = 1;
	file.multiboot[0] = 0x1badb002;
	file.multiboot[2] = -0x1badb002u;
	memcpy(file.code, code, size);
	assert_int_equal(fwrite(&file, sizeof(file), 1, out), 1);
	assert_int_equal(fclose(out), 0);
}

static char kernel_path[64];

static struct machine_config config_for(const uint8_t *code, size_t size)
{
	static const char *const devices[] = { "debug-exit" };

	snprintf(kernel_path, sizeof(kernel_path), "/tmp/machine-test-%d.elf", getpid());
	write_kernel(kernel_path, code, size);
	return (struct machine_config){ .memory = 16 << 20,
					.cpus = 1,
					.kernel = kernel_path,
					.engine = MACHINE_ENGINE_SOFT,
					.console = { "none" },
					.devices = devices,
					.device_count = 1 };
}

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int run(const struct machine_config *config)
{
	unsigned files = count_entries("/proc/self/fd"), threads;
	struct machine *machine;
	char error[300];
	int status;

	if (machine__create(config, &machine, &status, error, sizeof(error)))
		fail_msg("%s", error);
	status = machine__run(machine);
	machine__destroy(machine);
	unlink(kernel_path);
	threads = count_entries("/proc/self/task");
	assert_int_equal(count_entries("/proc/self/fd"), files);
	assert_in_range(threads, 3, 4); /* ".", "..", this one; the library may keep one */
	return status;
}

static int run_guest(const uint8_t *code, size_t size, bool no_reboot)
{
	struct machine_config config = config_for(code, size);

	config.no_reboot = no_reboot;
	return run(&config);
}

#define RUN(guest, no_reboot) run_guest(guest, sizeof(guest), no_reboot)

static void ends_have_their_status(void **state)
{
	assert_int_equal(RUN(guest_exit, false), 0x21 << 1 | 1);
	assert_int_equal(RUN(guest_off, false), MACHINE_STATUS_OFF);
	assert_int_equal(RUN(guest_panic, false), MACHINE_STATUS_PANIC);
	assert_int_equal(RUN(guest_fault, true), MACHINE_STATUS_TRIPLE_FAULT);
	assert_int_equal(RUN(guest_fault, false), MACHINE_STATUS_TRIPLE_FAULT);
}

static void resets_start_it_again(void **state)
{
	assert_int_equal(RUN(guest_resets, false), 0x07 << 1 | 1);
	assert_int_equal(RUN(guest_resets, true), MACHINE_STATUS_OFF);
}

static void many_vcpus_end_together(void **state)
{
	struct machine_config config = config_for(guest_exit, sizeof(guest_exit));

	config.cpus = 16;
	assert_int_equal(run(&config), 0x21 << 1 | 1);
}

static void *send_signal(void *opaque)
{
	usleep(100000);
	kill(getpid(), SIGTERM);
	return NULL;
}

static void a_signal_ends_it(void **state)
{
	struct machine_config config = config_for(guest_hang, sizeof(guest_hang));
	pthread_t thread;
	struct machine *machine;
	char error[300];
	sigset_t set, before;
	int status;

	assert_int_equal(machine__create(&config, &machine, &status, error, sizeof(error)), 0);
	/* The thread that sends must not take it. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	assert_int_equal(pthread_create(&thread, NULL, send_signal, NULL), 0);
	assert_int_equal(machine__run(machine), MACHINE_STATUS_TERMINATED);
	pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	machine__destroy(machine);
}

static void *request_stop(void *opaque)
{
	usleep(50000);
	machine__request_stop(opaque, 42);
	return NULL;
}

static void a_request_ends_it(void **state)
{
	struct machine_config config = config_for(guest_hang, sizeof(guest_hang));
	pthread_t thread;
	struct machine *machine;
	char error[300];
	int status;

	assert_int_equal(machine__create(&config, &machine, &status, error, sizeof(error)), 0);
	assert_true(machine__press_power_button(machine));
	assert_int_equal(pthread_create(&thread, NULL, request_stop, machine), 0);
	assert_int_equal(machine__run(machine), 42);
	pthread_join(thread, NULL);
	machine__destroy(machine);
	unlink(kernel_path);
}

static void refuse(const struct machine_config *config, const char *word)
{
	unsigned files = count_entries("/proc/self/fd");
	struct machine *machine;
	char error[300] = "";
	int status = 0;

	assert_true(machine__create(config, &machine, &status, error, sizeof(error)) < 0);
	assert_int_equal(status, MACHINE_STATUS_BAD_INPUT);
	if (!strstr(error, word))
		fail_msg("\"%s\" does not say \"%s\"", error, word);
	assert_int_equal(count_entries("/proc/self/fd"), files);
}

static void bad_input_is_refused(void **state)
{
	const struct machine_config good = config_for(guest_off, sizeof(guest_off));
	struct machine_config config;
	const char *devices[1];

	config = good;
	config.cpus = 0;
	refuse(&config, "vCPUs");
	config.cpus = 10000;
	refuse(&config, "vCPUs");
	config = good;
	config.memory = 4096;
	refuse(&config, "memory");
	config.memory = 1ull << 60;
	refuse(&config, "memory");
	config = good;
	config.kernel = "/nonexistent/kernel";
	refuse(&config, "/nonexistent/kernel");
	config = good;
	config.initrd = "/nonexistent/initrd";
	refuse(&config, "/nonexistent/initrd");
	config = good;
	config.console[0] = "file:/nonexistent/console";
	refuse(&config, "/nonexistent/console");
	config = good;
	config.engine = MACHINE_ENGINE_KVM;
	config.kvm_path = "/dev/null";
	refuse(&config, "/dev/null");
	config = good;
	config.devices = devices;
	devices[0] = "toaster";
	refuse(&config, "toaster");
	devices[0] = "rtc"; /* built in */
	refuse(&config, "rtc");
	devices[0] = "debug-exit,port=0x70000";
	refuse(&config, "port");
	devices[0] = "debug-exit,port=0x3f8"; /* the serial port's */
	refuse(&config, "0x3f8");
	unlink(kernel_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_have_their_status),
		cmocka_unit_test(resets_start_it_again),
		cmocka_unit_test(many_vcpus_end_together),
		cmocka_unit_test(a_signal_ends_it),
		cmocka_unit_test(a_request_ends_it),
		cmocka_unit_test(bad_input_is_refused),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
