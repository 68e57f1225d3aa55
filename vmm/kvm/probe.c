/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The start-up probe. A /dev/kvm that exists may still run guest kernels deprivileged or emulate
 * them; stock kernels hang on such a one. What gives it away: paged 32-bit code shuts down, the
 * selectors that SYSRET and SYSCALL load are wrong, and code takes hundreds of times too long.
 */
#define _GNU_SOURCE
#include "vmm/kvm/probe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "include/x86/regs.h"
#include "vmm/kvm/kick.h"

#define PROBE_PORT 0xf1
#define PROBE_MEMORY 0x10000u
#define PROBE_PML4 0x1000u
#define PROBE_PDPT 0x2000u
#define PROBE_PD 0x3000u
#define PROBE_PD_32 0x4000u
#define PROBE_GDT 0x5000u
#define PROBE_CODE 0x6000u /* as in probe_guest.S */

/*
 * The loop is measured against the same loop on this CPU: hardware needs as long for both, on a
 * CPU that is itself emulated (nested virtualization in an emulator) both are slow, and an
 * emulated guest takes more than a thousand times as long. Exits to user space, which cost a
 * microsecond on hardware and half a millisecond in an emulator, are within the allowance.
 */
#define LOOP_ITERATIONS 10000u /* as in probe_guest.S */
#define LOOP_FACTOR_LIMIT 100u
#define LOOP_ALLOWANCE_NS 2000000ull
#define LOOP_ROUNDS 5 /* the best counts: the host may be busy */

/* For everything, on hardware (some ten milliseconds); in proportion on an emulated CPU. */
#define TIME_LIMIT_MS 2000u
#define TIME_LIMIT_MOST_MS 20000u
#define NATIVE_LOOP_NS 40000ull

#define PTE_PRESENT_WRITE_USER 7u
#define PTE_LARGE 0x80u

extern const uint8_t probe_guest_32[], probe_guest_32_end[];
extern const uint8_t probe_guest_64[], probe_guest_64_end[];

/* On the heap: if the hypervisor never lets go of the thread, both stay behind. */
struct probe {
	const struct kvm_backend *backend;
	const char *path;
	struct kvm_vcpu vcpu;
	atomic_bool expired;
	int result;
	char why[160];
};

static int fail(struct probe *probe, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(probe->why, sizeof(probe->why), format, args);
	va_end(args);
	return err;
}

static void put32(uint8_t *memory, unsigned offset, uint32_t value)
{
	memcpy(memory + offset, &value, sizeof(value));
}

static void put64(uint8_t *memory, unsigned offset, uint64_t value)
{
	memcpy(memory + offset, &value, sizeof(value));
}

static void fill_memory(uint8_t *memory, const uint8_t *code, size_t size)
{
	memset(memory, 0, PROBE_MEMORY);
	put64(memory, PROBE_PML4, PROBE_PDPT | PTE_PRESENT_WRITE_USER);
	put64(memory, PROBE_PDPT, PROBE_PD | PTE_PRESENT_WRITE_USER);
	put64(memory, PROBE_PD, PTE_LARGE | PTE_PRESENT_WRITE_USER);
	put32(memory, PROBE_PD_32, PTE_LARGE | PTE_PRESENT_WRITE_USER);
	put64(memory, PROBE_GDT + 0x08, 0x00af9b000000ffffull); /* kernel code, 64-bit */
	put64(memory, PROBE_GDT + 0x10, 0x00cf93000000ffffull); /* kernel data */
	put64(memory, PROBE_GDT + 0x18, 0x00cf9b000000ffffull); /* kernel code, 32-bit */
	put64(memory, PROBE_GDT + 0x38, 0x00cff3000000ffffull); /* user data */
	put64(memory, PROBE_GDT + 0x40, 0x00affb000000ffffull); /* user code, 64-bit */
	memcpy(memory + PROBE_CODE, code, size);
}

static void set_segments(struct kvm_sregs *sregs, bool is_64bit)
{
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 0x10, .type = 3, .present = 1,
				    .db = 1, .s = 1, .g = 1 };
	struct kvm_segment code = data;

	code.type = 11;
	code.selector = is_64bit ? 0x08 : 0x18;
	code.db = !is_64bit;
	code.l = is_64bit;
	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->gdt.base = PROBE_GDT;
	sregs->gdt.limit = 0x47;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
}

static int set_state(struct probe *probe, bool is_64bit)
{
	struct kvm_regs regs = { .rip = PROBE_CODE, .rflags = RFLAGS_FIXED };
	struct kvm_sregs sregs;
	int err = kvm_vcpu__get_sregs(&probe->vcpu, &sregs);

	if (err)
		return err;
	set_segments(&sregs, is_64bit);
	sregs.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs.cr4 = is_64bit ? CR4_PAE : CR4_PSE;
	sregs.cr3 = is_64bit ? PROBE_PML4 : PROBE_PD_32;
	sregs.efer = is_64bit ? EFER_LME | EFER_LMA | EFER_SCE : 0;
	err = kvm_vcpu__set_sregs(&probe->vcpu, &sregs);
	return err ? err : kvm_vcpu__set_regs(&probe->vcpu, &regs);
}

/* Runs the guest to its next report. 0 or -errno with a reason. */
static int next_report(struct probe *probe, const char *what, uint32_t *value)
{
	const struct kvm_run *run = probe->vcpu.run;
	int err;

	do
		err = kvm_vcpu__run(&probe->vcpu);
	while (err == -EINTR && !atomic_load(&probe->expired));
	if (err)
		return fail(probe, err, "%s: KVM_RUN: %s", what, strerror(-err));
	if (run->exit_reason == KVM_EXIT_SHUTDOWN)
		return fail(probe, -ENODEV, "%s shuts the guest down", what);
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != PROBE_PORT || run->io.size != 4 ||
	    run->io.data_offset > probe->vcpu.system->run_size - 4)
		return fail(probe, -ENODEV, "%s ends with exit reason %u", what, run->exit_reason);
	memcpy(value, (const uint8_t *)run + run->io.data_offset, sizeof(*value));
	return 0;
}

static int expect(struct probe *probe, const char *what, uint32_t right)
{
	uint32_t value = 0;
	int err = next_report(probe, what, &value);

	if (!err && value != right)
		err = fail(probe, -ENODEV, "%s gives 0x%x instead of 0x%x", what, value, right);
	return err;
}

static int check_32bit(struct probe *probe)
{
	return expect(probe, "paged 32-bit code", 1000 * 1001 / 2);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The loop of probe_guest.S, on this CPU. */
static uint64_t time_native_loop(void)
{
	uint64_t best = UINT64_MAX;
	unsigned round;

	for (round = 0; round < LOOP_ROUNDS; round++) {
		uint32_t count = LOOP_ITERATIONS, value = 0;
		uint64_t start = now(), took;

		__asm__ volatile("1: addl %1, %0; xorl $0x55, %0; decl %1; jnz 1b"
				 : "+r"(value), "+r"(count)::"cc");
		took = now() - start;
		if (took < best)
			best = took;
	}
	return best;
}

static int check_64bit(struct probe *probe)
{
	uint64_t limit = time_native_loop() * LOOP_FACTOR_LIMIT + LOOP_ALLOWANCE_NS;
	uint64_t best = UINT64_MAX;
	unsigned round;
	int err;

	/* APM vol. 3, SYSRET and SYSCALL: selectors follow from STAR alone. */
	if ((err = expect(probe, "CS after SYSRETQ", 0x43)) ||
	    (err = expect(probe, "SS after SYSRETQ", 0x3b)) ||
	    (err = expect(probe, "CS after SYSCALL", 0x08)) ||
	    (err = expect(probe, "SS after SYSCALL", 0x10)))
		return err;
	for (round = 0; round < LOOP_ROUNDS; round++) {
		uint64_t start, took;

		err = expect(probe, "long mode code", 0);
		start = now();
		if (!err)
			err = expect(probe, "long mode code", 1);
		if (err)
			return err;
		took = now() - start;
		if (took < best)
			best = took;
		if (best < limit)
			return 0;
	}
	return fail(probe, -ENODEV,
		    "long mode code is emulated: %u iterations of a loop take %llu ms",
		    LOOP_ITERATIONS, (unsigned long long)(best / 1000000));
}

static int set_cpuid(struct probe *probe, const struct kvm_system *system)
{
	struct kvm_cpuid2 *cpuid;
	int err = kvm_system__supported_cpuid(system, &cpuid);

	if (err)
		return err;
	err = kvm_vcpu__set_cpuid(&probe->vcpu, cpuid);
	free(cpuid);
	return err;
}

static int run_guest(struct probe *probe, const struct kvm_system *system, uint8_t *memory,
		     bool is_64bit)
{
	struct kvm_userspace_memory_region slot = { .memory_size = PROBE_MEMORY,
						    .userspace_addr = (uintptr_t)memory };
	struct kvm_vm vm;
	int err = kvm_vm__create(&vm, system);

	if (err)
		return fail(probe, err, "cannot create a virtual machine: %s", strerror(-err));
	if (is_64bit)
		fill_memory(memory, probe_guest_64, probe_guest_64_end - probe_guest_64);
	else
		fill_memory(memory, probe_guest_32, probe_guest_32_end - probe_guest_32);
	err = kvm_vm__set_memory_region(&vm, &slot);
	if (!err)
		err = kvm_vcpu__create(&probe->vcpu, &vm, 0);
	if (err) {
		fail(probe, err, "cannot set up a virtual machine: %s", strerror(-err));
		goto destroy_vm;
	}
	err = set_cpuid(probe, system);
	if (!err)
		err = set_state(probe, is_64bit);
	if (err) {
		fail(probe, err, "cannot set up a vCPU: %s", strerror(-err));
		goto destroy_vcpu;
	}
	err = is_64bit ? check_64bit(probe) : check_32bit(probe);
destroy_vcpu:
	kvm_vcpu__destroy(&probe->vcpu);
destroy_vm:
	kvm_vm__destroy(&vm);
	return err;
}

static int check_extensions(struct probe *probe, const struct kvm_system *system)
{
	static const struct {
		unsigned capability;
		const char *name;
	} needed[] = {
		{ KVM_CAP_USER_MEMORY, "user memory" }, { KVM_CAP_IRQCHIP, "interrupt controllers" },
		{ KVM_CAP_PIT2, "a PIT" },		{ KVM_CAP_EXT_CPUID, "CPUID" },
		{ KVM_CAP_IMMEDIATE_EXIT, "immediate exits" },
	};
	unsigned i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!kvm_system__extension(system, needed[i].capability))
			return fail(probe, -ENODEV, "does not offer %s", needed[i].name);
	return 0;
}

static void *run_probe(void *opaque)
{
	struct probe *probe = opaque;
	struct kvm_system system;
	uint8_t *memory;
	int err;

	kvm_kick__accept();
	err = kvm_system__open(&system, probe->backend, probe->path);
	if (err) {
		fail(probe, err, "%s",
		     err == -ENOSYS ? "not a KVM of API version 12" : strerror(-err));
		goto out;
	}
	memory = mmap(NULL, PROBE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		err = fail(probe, -ENOMEM, "out of memory");
		goto close_system;
	}
	err = check_extensions(probe, &system);
	if (!err)
		err = run_guest(probe, &system, memory, false);
	if (!err)
		err = run_guest(probe, &system, memory, true);
	munmap(memory, PROBE_MEMORY);
close_system:
	kvm_system__close(&system);
out:
	probe->result = err;
	return NULL;
}

static int join_within(pthread_t thread, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (until.tv_nsec / 1000000 + ms) / 1000;
	until.tv_nsec = until.tv_nsec % 1000000 + (until.tv_nsec / 1000000 + ms) % 1000 * 1000000;
	return pthread_timedjoin_np(thread, NULL, &until);
}

static unsigned time_limit_ms(void)
{
	uint64_t limit = TIME_LIMIT_MS * time_native_loop() / NATIVE_LOOP_NS;

	return limit < TIME_LIMIT_MS	     ? TIME_LIMIT_MS :
	       limit > TIME_LIMIT_MOST_MS ? TIME_LIMIT_MOST_MS :
					      (unsigned)limit;
}

/* Waits for the probe's thread, and gets it out of the guest once the time is up. */
static int wait_for_probe(struct probe *probe, pthread_t thread, unsigned limit_ms)
{
	unsigned tries;

	if (!join_within(thread, limit_ms))
		return 0;
	atomic_store(&probe->expired, true);
	for (tries = 0; tries < 10; tries++) {
		/* Racing with the end of the guest: the mapping may go, the signal alone is safe. */
		pthread_kill(thread, SIGRTMIN);
		if (!join_within(thread, 30))
			return 0;
	}
	pthread_detach(thread);
	return -ETIMEDOUT;
}

int kvm_probe__run(const struct kvm_backend *backend, const char *path, char *why, size_t size)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	const char *name = path ? path : backend->name;
	unsigned limit_ms = time_limit_ms();
	pthread_t thread;
	int err;

	if (!probe) {
		snprintf(why, size, "%s: out of memory", name);
		return -ENOMEM;
	}
	probe->backend = backend;
	probe->path = path;
	err = kvm_kick__prepare();
	if (!err)
		err = -pthread_create(&thread, NULL, run_probe, probe);
	if (err) {
		snprintf(why, size, "%s: cannot be probed: %s", name, strerror(-err));
		free(probe);
		return err;
	}
	if (wait_for_probe(probe, thread, limit_ms)) {
		/* The thread is stuck in the hypervisor and still uses *probe. */
		snprintf(why, size, "%s: a probe guest hangs and cannot be stopped", name);
		return -ETIMEDOUT;
	}
	err = probe->result;
	if (err && atomic_load(&probe->expired))
		snprintf(why, size, "%s: a probe guest did not finish in %u ms", name,
			 limit_ms);
	else if (err)
		snprintf(why, size, "%s is not usable: %s", name, probe->why);
	free(probe);
	return err;
}
