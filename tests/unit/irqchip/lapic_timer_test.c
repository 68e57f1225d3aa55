/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC's timer: one-shot, periodic, TSC-deadline, divide, changes while it runs, state. */
#include "fake.h"

#define VECTOR 0xec
#define PERIODIC 0x20000
#define DEADLINE 0x40000
#define MASKED 0x10000

static struct vm *make(void)
{
	struct vm *vm = fake__vm(1);

	fake__enable_apics(vm);
	fake__apic_write(vm->vcpus[0], APIC_TDCR, 0xb); /* by 1 */
	return vm;
}

/* Takes and ends the timer's interrupt if it came. */
static bool fired(struct vcpu *v)
{
	int vector = irqchip__take_interrupt(v);

	if (vector < 0)
		return false;
	assert_int_equal(vector, VECTOR);
	fake__apic_write(v, APIC_EOI, 0);
	return true;
}

static void test_one_shot(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	fake__apic_write(v, APIC_LVT_TIMER, VECTOR);
	fake__apic_write(v, APIC_TMICT, 1000000); /* 1 ms at 1 GHz */
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 1000000);
	fake__advance(400000);
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 600000);
	assert_int_equal(fake__apic_read(v, APIC_TMICT), 1000000);
	fake__advance(599999);
	assert_false(fired(v));
	fake__take_requests(v);
	fake__advance(1);
	assert_true(fake__take_requests(v) & REQ_EVENT);
	assert_true(fired(v));
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 0);
	fake__advance(10000000);
	assert_false(fired(v));
	/* 0 stops it. */
	fake__apic_write(v, APIC_TMICT, 1000000);
	fake__apic_write(v, APIC_TMICT, 0);
	assert_int_equal(fake__armed_timers(), 0);
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 0);
	fake__free(vm);
}

static void test_divide(void **state)
{
	static const struct {
		u32 tdcr;
		u32 divide;
	} rows[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {10, 128}, {11, 1}};
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	unsigned i;

	fake__apic_write(v, APIC_LVT_TIMER, VECTOR);
	for (i = 0; i < ARRAY_LENGTH(rows); i++) {
		fake__apic_write(v, APIC_TDCR, rows[i].tdcr | 0xf4);
		assert_int_equal(fake__apic_read(v, APIC_TDCR), rows[i].tdcr);
		fake__apic_write(v, APIC_TMICT, 10000);
		fake__advance(10000ULL * rows[i].divide - 1);
		assert_false(fired(v));
		fake__advance(1);
		assert_true(fired(v));
	}
	/* Changed in mid-count: the count stays, its clock changes. */
	fake__apic_write(v, APIC_TDCR, 0);
	fake__apic_write(v, APIC_TMICT, 1000);
	fake__advance(1000);
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 500);
	fake__apic_write(v, APIC_TDCR, 3);
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 500);
	fake__advance(7999);
	assert_false(fired(v));
	fake__advance(1);
	assert_true(fired(v));
	fake__free(vm);
}

static void test_periodic(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	unsigned i;

	fake__apic_write(v, APIC_LVT_TIMER, PERIODIC | VECTOR);
	fake__apic_write(v, APIC_TMICT, 1000000);
	for (i = 0; i < 100; i++) {
		fake__advance(999999);
		assert_false(fired(v));
		assert_int_equal(fake__apic_read(v, APIC_TMCCT), 1);
		fake__advance(1);
		assert_true(fired(v));
	}
	/* A host that slept: one interrupt for all that passed, then in step again. */
	fake_now += 5500000;
	fake__advance(0);
	assert_true(fired(v));
	assert_false(fired(v));
	fake__advance(499999);
	assert_false(fired(v));
	fake__advance(1);
	assert_true(fired(v));
	/* To one-shot while running: the current period is the last. */
	fake__apic_write(v, APIC_LVT_TIMER, VECTOR);
	fake__advance(1000000);
	assert_true(fired(v));
	fake__advance(5000000);
	assert_false(fired(v));
	/* No faster than 200 us. */
	fake__apic_write(v, APIC_LVT_TIMER, PERIODIC | VECTOR);
	fake__apic_write(v, APIC_TMICT, 10);
	fake__advance(199999);
	assert_false(fired(v));
	assert_true(fake__apic_read(v, APIC_TMCCT) <= 10);
	fake__advance(1);
	assert_true(fired(v));
	fake__free(vm);
}

static void test_masked(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	fake__apic_write(v, APIC_LVT_TIMER, MASKED | VECTOR);
	fake__apic_write(v, APIC_TMICT, 1000000);
	fake__advance(400000);
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 600000);
	fake__advance(600000);
	assert_false(fired(v));
	fake__apic_write(v, APIC_LVT_TIMER, VECTOR); /* too late */
	assert_false(fired(v));
	/* Software-disabling the APIC silences it. */
	fake__apic_write(v, APIC_TMICT, 1000000);
	fake__apic_write(v, APIC_SVR, 0xff);
	fake__advance(1000000);
	assert_false(fired(v));
	fake__free(vm);
}

static void test_deadline(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	u64 tsc;

	/* In the other modes the MSR is dead. */
	lapic__set_deadline(v, 12345);
	assert_int_equal(lapic__get_deadline(v), 0);
	fake__apic_write(v, APIC_LVT_TIMER, DEADLINE | VECTOR);
	v->msrs.tsc_offset = 777;
	tsc = x86__guest_tsc(v) + 2000000; /* 1 ms */
	lapic__set_deadline(v, tsc);
	assert_int_equal(lapic__get_deadline(v), tsc);
	assert_int_equal(fake__apic_read(v, APIC_TMCCT), 0);
	fake__advance(999999);
	assert_false(fired(v));
	fake__advance(2);
	assert_true(fired(v));
	assert_true(x86__guest_tsc(v) >= tsc);
	assert_int_equal(lapic__get_deadline(v), 0);
	/* Past: at once. */
	lapic__set_deadline(v, 1);
	assert_true(fired(v));
	assert_int_equal(lapic__get_deadline(v), 0);
	/* 0 disarms, a new one replaces the old. */
	lapic__set_deadline(v, x86__guest_tsc(v) + 2000);
	lapic__set_deadline(v, 0);
	fake__advance(1000000);
	assert_false(fired(v));
	lapic__set_deadline(v, x86__guest_tsc(v) + 2000);
	lapic__set_deadline(v, x86__guest_tsc(v) + 4000000);
	fake__advance(1000000);
	assert_false(fired(v));
	fake__advance(1000001);
	assert_true(fired(v));
	/* The end of time. */
	lapic__set_deadline(v, ~0ULL);
	fake__advance(1000000000000ULL);
	assert_false(fired(v));
	/* The initial count is dead here, and leaving the mode disarms. */
	fake__apic_write(v, APIC_TMICT, 1000);
	assert_int_equal(fake__apic_read(v, APIC_TMICT), 0);
	fake__apic_write(v, APIC_LVT_TIMER, VECTOR);
	assert_int_equal(fake__armed_timers(), 0);
	assert_int_equal(lapic__get_deadline(v), 0);
	/* Without the CPUID bit there is no such mode. */
	v->cpuid.features[FEAT_TSC_DEADLINE / 64] &= ~BIT64(FEAT_TSC_DEADLINE % 64);
	fake__apic_write(v, APIC_LVT_TIMER, DEADLINE | VECTOR);
	assert_int_equal(fake__apic_read(v, APIC_LVT_TIMER), VECTOR);
	fake__free(vm);
}

static void test_stale_call(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	struct host_timer *timer = &v->lapic->timer.timer;

	fake__apic_write(v, APIC_LVT_TIMER, VECTOR);
	fake__apic_write(v, APIC_TMICT, 1000);
	/* The host's thread was on its way when the guest armed it anew, or stopped it. */
	fake_now += 1000;
	fake__apic_write(v, APIC_TMICT, 5000);
	timer->fn(timer);
	assert_false(fired(v));
	fake__apic_write(v, APIC_TMICT, 0);
	fake_now += 10000;
	timer->fn(timer);
	assert_false(fired(v));
	fake__free(vm);
}

static void test_state(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	struct kvm_lapic_state saved;
	u32 *regs = (u32 *)saved.regs;

	fake__apic_write(v, APIC_LVT_TIMER, PERIODIC | VECTOR);
	fake__apic_write(v, APIC_TMICT, 1000000);
	fake__advance(400000);
	assert_int_equal(lapic__get_state(v, &saved), 0);
	assert_int_equal(regs[APIC_TMCCT / 4], 600000);
	lapic__reset(v, false);
	assert_int_equal(fake__armed_timers(), 0);
	fake__advance(5000000);
	assert_int_equal(lapic__set_state(v, &saved), 0);
	fake__advance(599999);
	assert_false(fired(v));
	fake__advance(1);
	assert_true(fired(v));
	fake__advance(1000000);
	assert_true(fired(v));
	/* A one-shot that had expired stays so. */
	fake__apic_write(v, APIC_LVT_TIMER, VECTOR);
	fake__apic_write(v, APIC_TMICT, 1000);
	fake__advance(1000);
	assert_true(fired(v));
	assert_int_equal(lapic__get_state(v, &saved), 0);
	assert_int_equal(lapic__set_state(v, &saved), 0);
	fake__advance(1000000);
	assert_false(fired(v));
	/* More left than there was. */
	regs[APIC_TMCCT / 4] = 0xffffffff;
	assert_int_equal(lapic__set_state(v, &saved), 0);
	fake__advance(1000);
	assert_true(fired(v));
	fake__free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_shot),  cmocka_unit_test(test_divide),
		cmocka_unit_test(test_periodic),  cmocka_unit_test(test_masked),
		cmocka_unit_test(test_deadline),  cmocka_unit_test(test_stale_call),
		cmocka_unit_test(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
