/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on the system descriptor, capabilities, creation of machines and vCPUs, lists. */
#include "tests/api/seam.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static void has_version_12(void **state)
{
	int sys = seam__open();

	assert_true(sys >= 0);
	assert_int_equal(seam__ioctl(sys, KVM_GET_API_VERSION, 0), 12);
	assert_ioctl_fails(sys, KVM_GET_API_VERSION, 1, EINVAL);
	assert_int_equal(seam__close(sys), 0);
}

static void unknown_requests_are_enotty(void **state)
{
	struct machine *m = *state;

	assert_ioctl_fails(m->vm, _IO(KVMIO, 0xff), 0, ENOTTY);
	/* A request of another kind of descriptor is unknown, too. */
	assert_ioctl_fails(m->vm, KVM_GET_API_VERSION, 0, ENOTTY);
}

static void descriptors_of_others_are_refused(void **state)
{
	int fd = eventfd(0, 0);

	assert_int_equal(seam__ioctl(fd, KVM_GET_API_VERSION, 0), -1);
	close(fd);
	assert_int_equal(seam__ioctl(-1, KVM_GET_API_VERSION, 0), -1);
	assert_int_equal(errno, EBADF);
}

static void offers_what_a_vmm_needs(void **state)
{
	static const int needed[] = {
		KVM_CAP_IRQCHIP,     KVM_CAP_HLT,	      KVM_CAP_USER_MEMORY,
		KVM_CAP_EXT_CPUID,   KVM_CAP_NR_VCPUS,	      KVM_CAP_NR_MEMSLOTS,
		KVM_CAP_MP_STATE,    KVM_CAP_IRQ_ROUTING,     KVM_CAP_IRQFD,
		KVM_CAP_IOEVENTFD,   KVM_CAP_SET_TSS_ADDR,    KVM_CAP_VCPU_EVENTS,
		KVM_CAP_XSAVE,	     KVM_CAP_DEBUGREGS,	      KVM_CAP_SYNC_REGS,
		KVM_CAP_READONLY_MEM, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_CHECK_EXTENSION_VM,
		KVM_CAP_SIGNAL_MSI,  KVM_CAP_ADJUST_CLOCK,    KVM_CAP_GET_TSC_KHZ,
	};
	struct machine *m = *state;
	unsigned i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		assert_true(seam__ioctl(m->sys, KVM_CHECK_EXTENSION, needed[i]) > 0);
		assert_true(seam__ioctl(m->vm, KVM_CHECK_EXTENSION, needed[i]) > 0);
	}
	assert_int_equal(seam__ioctl(m->sys, KVM_CHECK_EXTENSION, 0x7fffffff), 0);
	assert_int_equal(seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_PV_MMU), 0);
}

static void machine_type_must_be_0(void **state)
{
	int sys = seam__open();

	assert_ioctl_fails(sys, KVM_CREATE_VM, 99, EINVAL);
	seam__close(sys);
}

static void vcpu_ids_are_checked(void **state)
{
	struct machine *m = *state;
	int max = seam__ioctl(m->vm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID), vcpu;

	assert_true(max > 0);
	assert_ioctl_fails(m->vm, KVM_CREATE_VCPU, 0, EEXIST);
	assert_ioctl_fails(m->vm, KVM_CREATE_VCPU, max, EINVAL);
	assert_ioctl_fails(m->vm, KVM_CREATE_VCPU, 0xffffffff, EINVAL);
	vcpu = seam__ioctl(m->vm, KVM_CREATE_VCPU, 5);
	assert_true(vcpu >= 0);
	seam__close(vcpu);
	/* Closing a vCPU does not take it from its machine. */
	assert_ioctl_fails(m->vm, KVM_CREATE_VCPU, 5, EEXIST);
}

static void there_may_be_as_many_vcpus_as_told(void **state)
{
	struct machine *m = *state;
	int max = seam__ioctl(m->vm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS), id;

	/* Number 0 is there. The host of a usable /dev/kvm may be too small for thousands. */
	max = max > 300 ? 300 : max;
	for (id = 1; id < max; id++) {
		int vcpu = seam__ioctl(m->vm, KVM_CREATE_VCPU, id);

		assert_true(vcpu >= 0);
		seam__close(vcpu);
	}
	if (seam__is_soft())
		assert_ioctl_fails(m->vm, KVM_CREATE_VCPU, max, EINVAL);
}

static void a_vcpu_outlives_its_machine_descriptor(void **state)
{
	int sys = seam__open(), vm = seam__ioctl(sys, KVM_CREATE_VM, 0);
	int vcpu = seam__ioctl(vm, KVM_CREATE_VCPU, 0);
	struct kvm_regs regs;

	assert_true(vcpu >= 0);
	seam__close(sys);
	seam__close(vm);
	assert_ioctl_works(vcpu, KVM_GET_REGS, &regs);
	assert_int_equal(regs.rip, 0xfff0);
	seam__close(vcpu);
}

static void bad_addresses_are_efault(void **state)
{
	struct machine *m = *state;
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ioctl_fails(m->vcpu, KVM_GET_REGS, hole, EFAULT);
	assert_ioctl_fails(m->vcpu, KVM_SET_REGS, hole, EFAULT);
	assert_ioctl_fails(m->vcpu, KVM_SET_REGS, 0, EFAULT);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, hole, EFAULT);
	assert_ioctl_fails(m->sys, KVM_GET_SUPPORTED_CPUID, hole, EFAULT);
	assert_ioctl_fails(m->sys, KVM_GET_MSR_INDEX_LIST, hole, EFAULT);
	assert_ioctl_fails(m->vcpu, KVM_GET_MSRS, hole, EFAULT);
	munmap(hole, 4096);
}

static struct kvm_msr_list *get_list(int fd, unsigned long request, unsigned room, int *rc)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + room * sizeof(list->indices[0]));

	list->nmsrs = room;
	errno = 0;
	*rc = seam__ioctl(fd, request, (unsigned long)list);
	return list;
}

static bool lists(const struct kvm_msr_list *list, uint32_t msr)
{
	for (unsigned i = 0; i < list->nmsrs; i++)
		if (list->indices[i] == msr)
			return true;
	return false;
}

static void msr_list_tells_its_length(void **state)
{
	struct machine *m = *state;
	struct kvm_msr_list *list;
	unsigned count;
	int rc;

	list = get_list(m->sys, KVM_GET_MSR_INDEX_LIST, 0, &rc);
	assert_int_equal(rc, -1);
	assert_int_equal(errno, E2BIG);
	count = list->nmsrs;
	assert_true(count > 10);
	free(list);
	list = get_list(m->sys, KVM_GET_MSR_INDEX_LIST, count, &rc);
	assert_int_equal(rc, 0);
	assert_true(lists(list, 0x10));	      /* TSC */
	assert_true(lists(list, 0x174));      /* SYSENTER_CS */
	assert_true(lists(list, 0xc0000081)); /* STAR */
	free(list);
}

/* Whatever is listed can be read and written back. */
static void listed_msrs_can_be_saved_and_restored(void **state)
{
	struct machine *m = *state;
	struct kvm_msr_list *list;
	unsigned i;
	int rc;

	list = get_list(m->sys, KVM_GET_MSR_INDEX_LIST, 1000, &rc);
	assert_int_equal(rc, 0);
	for (i = 0; i < list->nmsrs; i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry entry;
		} msrs = { .head.nmsrs = 1, .entry.index = list->indices[i] };

		rc = seam__ioctl(m->vcpu, KVM_GET_MSRS, (unsigned long)&msrs);
		if (rc == 1)
			rc = seam__ioctl(m->vcpu, KVM_SET_MSRS, (unsigned long)&msrs);
		/* KVM lists a few that depend on the vCPU's CPUID; this one has none set. */
		if (rc != 1 && seam__is_soft())
			print_message("MSR %#x: %d\n", list->indices[i], rc);
	}
	free(list);
}

static void feature_msrs_can_be_read(void **state)
{
	struct machine *m = *state;
	struct kvm_msr_list *list;
	unsigned i;
	int rc;

	list = get_list(m->sys, KVM_GET_MSR_FEATURE_INDEX_LIST, 1000, &rc);
	assert_int_equal(rc, 0);
	for (i = 0; i < list->nmsrs; i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry entry;
		} msrs = { .head.nmsrs = 1, .entry.index = list->indices[i] };

		assert_int_equal(seam__ioctl(m->sys, KVM_GET_MSRS, (unsigned long)&msrs), 1);
	}
	free(list);
}

static void msr_lists_stop_at_the_first_failure(void **state)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[3];
	} msrs = { .head.nmsrs = 3,
		   .entry = { { .index = 0x174 }, { .index = 0x12345678 }, { .index = 0x175 } } };
	struct machine *m = *state;

	assert_int_equal(seam__ioctl(m->vcpu, KVM_GET_MSRS, (unsigned long)&msrs), 1);
	msrs.head.nmsrs = 256;
	assert_ioctl_fails(m->vcpu, KVM_GET_MSRS, &msrs, E2BIG);
}

static struct kvm_cpuid2 *new_cpuid(unsigned room)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + room * sizeof(cpuid->entries[0]));

	cpuid->nent = room;
	return cpuid;
}

static void cpuid_goes_round(void **state)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256), *back = new_cpuid(256);
	struct machine *m = *state;
	bool vendor = false, kvm = false;
	unsigned i;

	cpuid->nent = 1;
	assert_ioctl_fails(m->sys, KVM_GET_SUPPORTED_CPUID, cpuid, E2BIG);
	cpuid->nent = 256;
	assert_ioctl_works(m->sys, KVM_GET_SUPPORTED_CPUID, cpuid);
	assert_in_range(cpuid->nent, 10, 256);
	for (i = 0; i < cpuid->nent; i++) {
		vendor |= cpuid->entries[i].function == 0;
		kvm |= cpuid->entries[i].function == 0x40000000 &&
		       !memcmp(&cpuid->entries[i].ebx, "KVMKVMKVM\0\0\0", 12);
	}
	assert_true(vendor);
	assert_true(kvm);
	assert_ioctl_works(m->vcpu, KVM_SET_CPUID2, cpuid);
	back->nent = 1;
	assert_ioctl_fails(m->vcpu, KVM_GET_CPUID2, back, E2BIG);
	back->nent = 256;
	assert_ioctl_works(m->vcpu, KVM_GET_CPUID2, back);
	/* The kernel's KVM before 6.4 tells the count only when there is too little room. */
	if (seam__is_soft())
		assert_int_equal(back->nent, cpuid->nent);
	assert_memory_equal(back->entries, cpuid->entries, 12);
	back->nent = 257;
	assert_ioctl_fails(m->vcpu, KVM_SET_CPUID2, back, E2BIG);
	free(cpuid);
	free(back);
}

/* Entries that KVM_GET_CPUID2 filled; the kernel's KVM need not have kept all, and need not tell how many. */
static uint32_t filled(const struct kvm_cpuid2 *cpuid)
{
	static const struct kvm_cpuid_entry2 none;
	uint32_t n = cpuid->nent;

	while (n && !memcmp(&cpuid->entries[n - 1], &none, sizeof(none)))
		n--;
	return n;
}

GUEST(halt_code, "hlt; jmp .-1");

static void cpuid_can_not_change_once_the_guest_ran(void **state)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256), *back = new_cpuid(256);
	struct machine *m = *state;

	assert_ioctl_works(m->sys, KVM_GET_SUPPORTED_CPUID, cpuid);
	assert_ioctl_works(m->vcpu, KVM_SET_CPUID2, cpuid);
	MACHINE_LOAD(m, halt_code);
	machine__run_to_halt(m);
	/* The same table, as KVM has completed it. */
	assert_ioctl_works(m->vcpu, KVM_GET_CPUID2, back);
	back->nent = filled(back);
	assert_ioctl_works(m->vcpu, KVM_SET_CPUID2, back);
	back->entries[0].ebx ^= 1;
	assert_ioctl_fails(m->vcpu, KVM_SET_CPUID2, back, EINVAL);
	free(cpuid);
	free(back);
}

static void capabilities_of_machines_are_checked(void **state)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X2APIC_API, .args = { ~0ULL } };
	struct machine *m = *state;

	assert_ioctl_fails(m->vm, KVM_ENABLE_CAP, &cap, EINVAL);
	cap.args[0] = KVM_X2APIC_API_USE_32BIT_IDS;
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	cap.flags = 1;
	assert_ioctl_fails(m->vm, KVM_ENABLE_CAP, &cap, EINVAL);
	cap = (struct kvm_enable_cap){ .cap = KVM_CAP_HALT_POLL, .args = { 1ULL << 32 } };
	assert_ioctl_fails(m->vm, KVM_ENABLE_CAP, &cap, EINVAL);
	cap.args[0] = 0;
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	cap = (struct kvm_enable_cap){ .cap = 9999 };
	assert_ioctl_fails(m->vm, KVM_ENABLE_CAP, &cap, EINVAL);
	/* Too late: there is a vCPU. */
	cap = (struct kvm_enable_cap){ .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	assert_int_equal(seam__ioctl(m->vm, KVM_ENABLE_CAP, (unsigned long)&cap), -1);
	assert_ioctl_fails(m->vm, KVM_SET_BOOT_CPU_ID, 0, EBUSY);
	assert_ioctl_fails(m->vm, KVM_CREATE_IRQCHIP, 0, EINVAL);
}

static void unknown_devices_are_enodev(void **state)
{
	struct kvm_create_device device = { .type = 4711 };
	struct machine *m = *state;

	assert_ioctl_fails(m->vm, KVM_CREATE_DEVICE, &device, ENODEV);
}

static void run_takes_no_argument(void **state)
{
	struct machine *m = *state;

	assert_ioctl_fails(m->vcpu, KVM_RUN, 1, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_version_12),
		MACHINE_TEST(unknown_requests_are_enotty),
		cmocka_unit_test(descriptors_of_others_are_refused),
		MACHINE_TEST(offers_what_a_vmm_needs),
		cmocka_unit_test(machine_type_must_be_0),
		MACHINE_TEST(vcpu_ids_are_checked),
		MACHINE_TEST(there_may_be_as_many_vcpus_as_told),
		cmocka_unit_test(a_vcpu_outlives_its_machine_descriptor),
		MACHINE_TEST(bad_addresses_are_efault),
		MACHINE_TEST(msr_list_tells_its_length),
		MACHINE_TEST(listed_msrs_can_be_saved_and_restored),
		MACHINE_TEST(feature_msrs_can_be_read),
		MACHINE_TEST(msr_lists_stop_at_the_first_failure),
		MACHINE_TEST(cpuid_goes_round),
		MACHINE_TEST(cpuid_can_not_change_once_the_guest_ran),
		MACHINE_TEST(capabilities_of_machines_are_checked),
		MACHINE_TEST(unknown_devices_are_enodev),
		MACHINE_TEST(run_takes_no_argument),
	};

	return SEAM_RUN("system", tests);
}
