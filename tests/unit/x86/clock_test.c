/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time: the TSC's synchronisation, kvmclock's factors and pages, steal time. */
#include "tests/unit/x86/fakes.h"
#include "include/x86/kvm_para.h"
#include "include/x86/msr.h"

#define SECOND (fake_khz * 1000ULL)
/* More than a test ever takes between two lines, less than a second. */
#define SOON (SECOND / 2)

static struct vcpu *const vcpu = &fake_vcpu[0];

/* What a guest computes (linux-doc: virt/kvm/x86/msr.rst). */
static u64 guest_clock(const struct pvclock_time *t, u64 tsc)
{
	u64 delta = tsc - t->tsc_timestamp;

	delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
	return t->system_time + (u64)((u128)delta * t->tsc_to_system_mul >> 32);
}

static void scale_is_exact(void **state)
{
	static const u32 khz[] = { 1, 33, 1000, 999999, 1000000, 1000001, 1999999, 2000000, 2000001,
				   2445404, 3999999, 4000001, 5100000, 4294967295U };
	unsigned i;
	u32 mul;
	s8 shift;

	for (i = 0; i < ARRAY_LENGTH(khz); i++) {
		/* One hour's ticks must be one hour to within a part in 2^31 (and rounding). */
		u64 ticks = khz[i] * 1000ULL * 3600, hour = 3600000000000ULL, ns;

		clock__tsc_scale(khz[i], &mul, &shift);
		assert_true(mul >= 1U << 31);
		ns = (u128)(shift < 0 ? ticks >> -shift : ticks << shift) * mul >> 32;
		assert_in_range(ns, hour - (hour >> 31) - 4, hour);
	}
}

static void tsc_starts_the_same_everywhere(void **state)
{
	assert_int_equal(fake_vcpu[0].msrs.tsc_offset, fake_vcpu[1].msrs.tsc_offset);
	assert_true(tsc__is_synchronized(&fake_vm));
}

static void restored_tscs_become_equal(void **state)
{
	u64 saved = 1000 * SECOND;

	assert_int_equal(msr__write(&fake_vcpu[0], MSR_TSC, true, saved), 0);
	assert_false(tsc__is_synchronized(&fake_vm));
	/* Saved a little later or earlier than the first. */
	assert_int_equal(msr__write(&fake_vcpu[1], MSR_TSC, true, saved + SECOND / 3), 0);
	assert_int_equal(fake_vcpu[0].msrs.tsc_offset, fake_vcpu[1].msrs.tsc_offset);
	assert_int_equal(msr__write(&fake_vcpu[1], MSR_TSC, true, saved - SECOND / 3), 0);
	assert_int_equal(fake_vcpu[0].msrs.tsc_offset, fake_vcpu[1].msrs.tsc_offset);
	assert_in_range(x86__guest_tsc(vcpu), saved, saved + SOON);
	assert_true(tsc__is_synchronized(&fake_vm));
	assert_true(fake_log.requests[0] & fake_log.requests[1] & REQ_CLOCK_UPDATE);
}

static void zero_means_the_same_as_the_others(void **state)
{
	msr__write(&fake_vcpu[0], MSR_TSC, true, 1000 * SECOND);
	msr__write(&fake_vcpu[1], MSR_TSC, true, 0);
	assert_int_equal(fake_vcpu[0].msrs.tsc_offset, fake_vcpu[1].msrs.tsc_offset);
	assert_in_range(x86__guest_tsc(&fake_vcpu[1]), 1000 * SECOND, 1000 * SECOND + SOON);
}

static void distant_write_moves_the_machine(void **state)
{
	msr__write(&fake_vcpu[0], MSR_TSC, true, 1000 * SECOND);
	msr__write(&fake_vcpu[1], MSR_TSC, true, 1002 * SECOND);
	assert_int_not_equal(fake_vcpu[0].msrs.tsc_offset, fake_vcpu[1].msrs.tsc_offset);
	msr__write(&fake_vcpu[0], MSR_TSC, true, 1002 * SECOND);
	assert_true(tsc__is_synchronized(&fake_vm));
}

static void guest_writes_show_in_tsc_adjust(void **state)
{
	u64 before = x86__guest_tsc(vcpu), adjust;

	assert_int_equal(msr__write(vcpu, MSR_TSC, false, before + 50 * SECOND), 0);
	assert_in_range(x86__guest_tsc(vcpu), before + 50 * SECOND, before + 50 * SECOND + SOON);
	assert_int_equal(msr__read(vcpu, MSR_TSC_ADJUST, false, &adjust), 0);
	assert_in_range(adjust, 50 * SECOND - SOON, 50 * SECOND);
	assert_false(tsc__is_synchronized(&fake_vm));
	assert_true(fake_log.requests[1] & REQ_CLOCK_UPDATE);
	/* Linux repairs it so. */
	assert_int_equal(msr__write(vcpu, MSR_TSC_ADJUST, false, 0), 0);
	assert_true(tsc__is_synchronized(&fake_vm));
	/* User space restores the value alone. */
	assert_int_equal(msr__write(vcpu, MSR_TSC_ADJUST, true, 77), 0);
	assert_true(tsc__is_synchronized(&fake_vm));
}

static void clock_is_the_same_on_all_vcpus(void **state)
{
	struct pvclock_time *a = (void *)(fake_memory + 0x1000);
	struct pvclock_time *b = (void *)(fake_memory + 0x2020);
	u64 tsc, host;

	fake_vm.clock_offset_ns = -(s64)fake_monotonic_ns;
	fake_vcpu[0].msrs.kvm_system_time = 0x1001;
	fake_vcpu[1].msrs.kvm_system_time = 0x2021;
	clock__update_system_time(&fake_vcpu[0]);
	/* The host's clock is steered meanwhile; the guest's goes on by the TSC. */
	fake_monotonic_ns += 5000000;
	clock__update_system_time(&fake_vcpu[1]);
	assert_int_equal(a->version & 1, 0);
	assert_int_not_equal(a->version, 0);
	assert_true(a->flags & PVCLOCK_TSC_STABLE);
	assert_int_equal(a->system_time, 0);
	tsc = x86__guest_tsc(vcpu) + 100 * SECOND;
	assert_int_equal(guest_clock(a, tsc), guest_clock(b, tsc));
	/* Exactly the same also for a vCPU whose TSC is elsewhere, and it says so. */
	tsc__write(&fake_vcpu[1], 12345);
	clock__update_system_time(&fake_vcpu[1]);
	assert_false(b->flags & PVCLOCK_TSC_STABLE);
	host = host__rdtsc();
	assert_int_equal(guest_clock(a, host + fake_vcpu[0].msrs.tsc_offset),
			 guest_clock(b, host + fake_vcpu[1].msrs.tsc_offset));
}

static void rewriting_the_page_does_not_move_the_clock(void **state)
{
	struct pvclock_time *t = (void *)(fake_memory + 0x1000), first;

	vcpu->msrs.kvm_system_time = 0x1001;
	clock__update_system_time(vcpu);
	first = *t;
	fake_monotonic_ns += 123456789;
	clock__update_system_time(vcpu);
	assert_int_equal(t->version, first.version + 2);
	assert_int_equal(t->system_time, first.system_time);
	assert_int_equal(t->tsc_timestamp, first.tsc_timestamp);
}

static void set_clock_shows(void **state)
{
	struct pvclock_time *t = (void *)(fake_memory + 0x1000);
	u64 tsc;

	vcpu->msrs.kvm_system_time = 0x1001;
	clock__update_system_time(vcpu);
	clock__set_ns(&fake_vm, 555000000000);
	assert_true(fake_log.requests[0] & fake_log.requests[1] & REQ_CLOCK_UPDATE);
	clock__update_system_time(vcpu);
	assert_int_equal(t->system_time, 555000000000);
	assert_in_range(clock__now_ns(&fake_vm, &tsc), 555000000000, 556000000000);
	/* Also when only the offset was set. */
	fake_vm.clock_offset_ns = 777000000000 - fake_monotonic_ns;
	clock__update_system_time(vcpu);
	assert_int_equal(t->system_time, 777000000000);
}

static void wall_clock_is_boot_time(void **state)
{
	struct pvclock_wall *wall = (void *)(fake_memory + 0x1010);

	clock__set_ns(&fake_vm, 0);
	assert_int_equal(msr__write(vcpu, MSR_KVM_WALL_CLOCK_NEW, false, 0x1010), 0);
	assert_in_range(wall->sec * 1000000000ULL + wall->nsec, fake_realtime_ns - 1000000000,
			fake_realtime_ns);
	assert_int_equal(wall->version, 2);
}

static void bad_addresses_write_nothing(void **state)
{
	/* Misaligned, across a page, across the end, outside, far outside; all enabled. */
	static const u64 bad[] = { 0x1003, 0x1ff1, 0xfff1, 0x10001, 0x7fffffffffffff01 };
	unsigned i, j;

	for (i = 0; i < ARRAY_LENGTH(bad); i++) {
		vcpu->msrs.kvm_system_time = bad[i];
		clock__update_system_time(vcpu);
		assert_int_equal(clock__set_guest_stopped(vcpu), -EINVAL);
		clock__update_wall_clock(vcpu, FAKE_MEMORY - 8);
		vcpu->msrs.kvm_steal_time = FAKE_MEMORY | KVM_MSR_ENABLED;
		clock__update_steal_time(vcpu);
		clock__set_preempted(vcpu);
	}
	for (j = 0; j < FAKE_MEMORY; j++)
		assert_int_equal(fake_memory[j], 0);
}

static void stopped_flag_stays(void **state)
{
	struct pvclock_time *t = (void *)(fake_memory + 0x1000);

	assert_int_equal(clock__set_guest_stopped(vcpu), -EINVAL);
	vcpu->msrs.kvm_system_time = 0x1001;
	clock__update_system_time(vcpu);
	assert_int_equal(clock__set_guest_stopped(vcpu), 0);
	clock__update_system_time(vcpu);
	assert_true(t->flags & PVCLOCK_GUEST_STOPPED);
	t->flags &= ~PVCLOCK_GUEST_STOPPED; /* the guest's answer */
	clock__update_system_time(vcpu);
	assert_false(t->flags & PVCLOCK_GUEST_STOPPED);
}

static void steal_time_counts_from_enabling(void **state)
{
	struct pv_steal_time *steal = (void *)(fake_memory + 0x4040);

	fake_wait_ns = 1000000;
	assert_int_equal(msr__write(vcpu, MSR_KVM_STEAL_TIME, false, 0x4041), 0);
	clock__update_steal_time(vcpu);
	assert_int_equal(steal->steal, 0);
	assert_int_equal(steal->version, 2);
	fake_wait_ns += 70000;
	fake_monotonic_ns += 2000000;
	clock__update_steal_time(vcpu);
	assert_int_equal(steal->steal, 70000);
	/* Another thread, which has waited less. */
	fake_wait_ns = 10;
	fake_monotonic_ns += 2000000;
	clock__update_steal_time(vcpu);
	assert_int_equal(steal->steal, 70000);
	assert_int_equal(steal->version & 1, 0);
}

static void preempted_vcpu_does_the_flush_left_for_it(void **state)
{
	struct pv_steal_time *steal = (void *)(fake_memory + 0x4040);

	msr__write(vcpu, MSR_KVM_STEAL_TIME, false, 0x4041);
	clock__update_steal_time(vcpu);
	fake_log.requests[0] = 0;
	clock__set_preempted(vcpu);
	assert_int_equal(steal->preempted, PV_PREEMPTED);
	assert_true(fake_log.requests[0] & REQ_STEAL_UPDATE);
	steal->preempted |= PV_FLUSH_TLB; /* another vCPU */
	/* A second call must not wipe the flush request. */
	clock__set_preempted(vcpu);
	clock__update_steal_time(vcpu);
	assert_int_equal(steal->preempted, 0);
	assert_int_equal(fake_log.flush_all, 1);
	clock__set_preempted(vcpu);
	clock__update_steal_time(vcpu);
	assert_int_equal(fake_log.flush_all, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake__setup, fake__teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scale_is_exact),
		TEST(tsc_starts_the_same_everywhere),
		TEST(restored_tscs_become_equal),
		TEST(zero_means_the_same_as_the_others),
		TEST(distant_write_moves_the_machine),
		TEST(guest_writes_show_in_tsc_adjust),
		TEST(clock_is_the_same_on_all_vcpus),
		TEST(rewriting_the_page_does_not_move_the_clock),
		TEST(set_clock_shows),
		TEST(wall_clock_is_boot_time),
		TEST(bad_addresses_write_nothing),
		TEST(stopped_flag_stays),
		TEST(steal_time_counts_from_enabling),
		TEST(preempted_vcpu_does_the_flush_left_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
