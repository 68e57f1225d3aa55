/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing the implementation under test, and the small machine. */
#include "tests/api/seam.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "hosts/user/trivet_kvm.h"

static bool soft = true;

bool seam__is_soft(void)
{
	return soft;
}

int seam__open(void)
{
	return soft ? trivet_kvm_open() : open("/dev/kvm", O_RDWR | O_CLOEXEC);
}

int seam__ioctl(int fd, unsigned long request, unsigned long arg)
{
	return soft ? trivet_kvm_ioctl(fd, request, arg) : ioctl(fd, request, arg);
}

int seam__close(int fd)
{
	return soft ? trivet_kvm_close(fd) : close(fd);
}

void seam__needs_real_cpu(void)
{
	if (!soft && access("/sys/module/kvm_amd", F_OK) && access("/sys/module/kvm_intel", F_OK))
		skip();
}

/* ---- the machine ---- */

static void create_irqchip(struct machine *m, enum machine_irqchip irqchip)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	if (irqchip == WITH_IRQCHIP)
		assert_ioctl_works(m->vm, KVM_CREATE_IRQCHIP, 0);
	else if (irqchip == WITH_SPLIT_IRQCHIP)
		assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
}

void machine__create(struct machine *m, enum machine_irqchip irqchip)
{
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_MEMORY };

	memset(m, 0, sizeof(*m));
	m->sys = seam__open();
	assert_true(m->sys >= 0);
	m->vm = seam__ioctl(m->sys, KVM_CREATE_VM, 0);
	assert_true(m->vm >= 0);
	assert_ioctl_works(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	create_irqchip(m, irqchip);
	m->memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	assert_ptr_not_equal(m->memory, MAP_FAILED);
	region.userspace_addr = (uintptr_t)m->memory;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
	m->vcpu = seam__ioctl(m->vm, KVM_CREATE_VCPU, 0);
	assert_true(m->vcpu >= 0);
	m->run_size = seam__ioctl(m->sys, KVM_GET_VCPU_MMAP_SIZE, 0);
	assert_true(m->run_size >= sizeof(struct kvm_run));
	m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	assert_ptr_not_equal(m->run, MAP_FAILED);
}

void machine__destroy(struct machine *m)
{
	munmap(m->run, m->run_size);
	assert_int_equal(seam__close(m->vcpu), 0);
	assert_int_equal(seam__close(m->vm), 0);
	assert_int_equal(seam__close(m->sys), 0);
	munmap(m->memory, GUEST_MEMORY);
}

void machine__load(struct machine *m, const uint8_t *code, const uint8_t *end)
{
	struct kvm_sregs sregs = machine__sregs(m);
	struct kvm_regs regs = { .rip = GUEST_CODE, .rsp = GUEST_STACK, .rflags = 2 };

	memcpy(m->memory + GUEST_CODE, code, end - code);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &sregs);
	assert_ioctl_works(m->vcpu, KVM_SET_REGS, &regs);
}

unsigned machine__run(struct machine *m)
{
	assert_ioctl_works(m->vcpu, KVM_RUN, 0);
	return m->run->exit_reason;
}

void machine__run_to_halt(struct machine *m)
{
	assert_int_equal(machine__run(m), KVM_EXIT_HLT);
}

struct kvm_regs machine__regs(struct machine *m)
{
	struct kvm_regs regs;

	memset(&regs, 0xaa, sizeof(regs));
	assert_ioctl_works(m->vcpu, KVM_GET_REGS, &regs);
	return regs;
}

struct kvm_sregs machine__sregs(struct machine *m)
{
	struct kvm_sregs sregs;

	memset(&sregs, 0xaa, sizeof(sregs));
	assert_ioctl_works(m->vcpu, KVM_GET_SREGS, &sregs);
	return sregs;
}

void *machine__pio_data(struct machine *m)
{
	return (uint8_t *)m->run + m->run->io.data_offset;
}

static int setup(void **state, enum machine_irqchip irqchip)
{
	struct machine *m = malloc(sizeof(*m));

	machine__create(m, irqchip);
	*state = m;
	return 0;
}

int setup_machine(void **state)
{
	return setup(state, WITHOUT_IRQCHIP);
}

int setup_machine_with_irqchip(void **state)
{
	return setup(state, WITH_IRQCHIP);
}

int setup_machine_with_split_irqchip(void **state)
{
	return setup(state, WITH_SPLIT_IRQCHIP);
}

int teardown_machine(void **state)
{
	machine__destroy(*state);
	free(*state);
	return 0;
}

/* ---- running on both ---- */

GUEST(probe_code, "mov $0x1234, %ax; out %al, $0x10; hlt");

/* A /dev/kvm that opens may still not run anything. */
static bool kvm_works(void)
{
	struct kvm_regs regs = { .rip = GUEST_CODE, .rflags = 2 };
	struct kvm_userspace_memory_region region = { .memory_size = 0x10000 };
	int sys = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	struct kvm_sregs sregs;
	struct kvm_run *run;
	bool works = false;
	void *memory;

	if (sys < 0)
		return false;
	vm = ioctl(sys, KVM_CREATE_VM, 0);
	vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		goto close_all;
	memory = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy((uint8_t *)memory + GUEST_CODE, probe_code, probe_code_end - probe_code);
	region.userspace_addr = (uintptr_t)memory;
	run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) ||
	    ioctl(vcpu, KVM_GET_SREGS, &sregs))
		goto close_all;
	sregs.cs.base = sregs.cs.selector = 0;
	works = !ioctl(vcpu, KVM_SET_SREGS, &sregs) && !ioctl(vcpu, KVM_SET_REGS, &regs) &&
		!ioctl(vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_IO;
	munmap(run, 4096);
close_all:
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	close(sys);
	return works;
}

int seam__run_group(const char *name, const struct CMUnitTest *tests, size_t count)
{
	const char *only = getenv("TRIVET_TEST_ENGINE"), *skip = getenv("TRIVET_TEST_SKIP");
	char title[64];
	int failures = 0;

	if (skip) /* a test's name; * and ? stand for any characters */
		cmocka_set_skip_filter(skip);
	if (!only || !strcmp(only, "soft")) {
		soft = true;
		snprintf(title, sizeof(title), "%s on soft", name);
		failures += _cmocka_run_group_tests(title, tests, count, NULL, NULL);
	}
	if (only && strcmp(only, "kvm"))
		return failures;
	soft = false;
	snprintf(title, sizeof(title), "%s on kvm", name);
	if (kvm_works())
		failures += _cmocka_run_group_tests(title, tests, count, NULL, NULL);
	else
		printf("[  SKIPPED ] %s: /dev/kvm is absent or does not run guests (%zu tests)\n",
		       title, count);
	return failures;
}
