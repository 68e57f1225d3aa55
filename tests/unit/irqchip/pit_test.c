/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8254: counting modes, latches and read-back, BCD, the speaker port, ticks and reinjection. */
#include "fake.h"

#define VECTOR 0x30

/* Nanoseconds of n clocks of 1.193182 MHz, rounded up. */
static u64 clocks(u64 n)
{
	return (n * 1000000000 + 1193181) / 1193182;
}

static struct vm *make(void)
{
	struct vm *vm = fake__vm(1);
	struct kvm_pit_config config = {.flags = KVM_PIT_SPEAKER_DUMMY};

	assert_int_equal(pit__create(vm, &config), 0);
	fake__enable_apics(vm);
	fake__out(vm->vcpus[0], 0x21, 0xff);
	fake__set_redir(vm->vcpus[0], 0, VECTOR);
	return vm;
}

static void program(struct vcpu *v, unsigned n, u8 control, u16 count)
{
	fake__out(v, 0x43, n << 6 | control);
	fake__out(v, 0x40 + n, count);
	fake__out(v, 0x40 + n, count >> 8);
}

static u16 read16(struct vcpu *v, unsigned n)
{
	u8 low = fake__in(v, 0x40 + n);

	return low | fake__in(v, 0x40 + n) << 8;
}

/* Takes and ends one interrupt if there is one. */
static bool take_tick(struct vcpu *v)
{
	int vector = irqchip__take_interrupt(v);

	if (vector < 0)
		return false;
	assert_int_equal(vector, VECTOR);
	fake__apic_write(v, APIC_EOI, 0);
	return true;
}

static void test_mode2_counts_and_ticks(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	unsigned n = 0;

	program(v, 0, 0x34, 11932); /* 100 Hz */
	fake__advance(clocks(1000));
	assert_int_equal(read16(v, 0), 10932);
	assert_false(take_tick(v));
	fake__advance(clocks(10932) - 1000);
	assert_false(take_tick(v));
	fake__advance(2000);
	assert_true(take_tick(v));
	assert_false(take_tick(v));
	/* Ten seconds later a thousand ticks have come, without drift. */
	while (fake_now < 1000000000 + clocks(11932ULL * 1000) + 5000) {
		fake__advance(1000000);
		n += take_tick(v);
	}
	assert_int_equal(n, 999);
	fake__free(vm);
}

static void test_reinjection(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	unsigned n;

	program(v, 0, 0x34, 11932);
	/* The guest sleeps through five ticks: it gets each of them, after each EOI the next. */
	fake__advance(clocks(11932 * 5) + 1000);
	for (n = 0; take_tick(v); n++)
		;
	assert_int_equal(n, 5);
	assert_int_equal(pit__set_reinject(vm, false), 0);
	fake__advance(clocks(11932 * 5));
	for (n = 0; take_tick(v); n++)
		;
	assert_int_equal(n, 1);
	/* Ticks behind a mask are gone when it opens. */
	assert_int_equal(pit__set_reinject(vm, true), 0);
	fake__set_redir(v, 0, 0x10000 | VECTOR);
	fake__advance(clocks(11932 * 5));
	fake__set_redir(v, 0, VECTOR);
	for (n = 0; take_tick(v); n++)
		;
	assert_int_equal(n, 0);
	fake__advance(clocks(11932));
	assert_true(take_tick(v));
	fake__free(vm);
}

static void test_reinjection_by_pic(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	unsigned n;

	fake__set_redir(v, 0, 0x10000);
	fake__apic_write(v, APIC_LVT_LINT0, 0x700);
	fake__out(v, 0x20, 0x11);
	fake__out(v, 0x21, 0x20);
	fake__out(v, 0x21, 4);
	fake__out(v, 0x21, 1);
	fake__out(v, 0x21, 0xfe);
	program(v, 0, 0x34, 11932);
	fake__advance(clocks(11932 * 3) + 1000);
	for (n = 0; irqchip__take_interrupt(v) == 0x20; n++)
		fake__out(v, 0x20, 0x20);
	assert_int_equal(n, 3);
	fake__free(vm);
}

static void test_mode0_one_shot(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	program(v, 0, 0x30, 5000);
	fake__advance(clocks(5001) + 10);
	assert_true(take_tick(v));
	fake__advance(clocks(70000));
	assert_false(take_tick(v));
	assert_int_equal(fake__armed_timers(), 0);
	/* The first byte of a new count stops the old one. */
	program(v, 0, 0x30, 5000);
	fake__out(v, 0x40, 0x10);
	fake__advance(clocks(6000));
	assert_false(take_tick(v));
	fake__out(v, 0x40, 0x00);
	fake__advance(clocks(20));
	assert_true(take_tick(v));
	fake__free(vm);
}

static void test_too_fast_is_limited(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	unsigned i, n = 0;

	program(v, 0, 0x34, 1);
	for (i = 0; i < 1000; i++) {
		fake__advance(10000);
		n += take_tick(v);
	}
	assert_true(n > 40 && n <= 50); /* 10 ms, no faster than 200 us */
	fake__free(vm);
}

static void test_latch_and_access_modes(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	program(v, 2, 0x34, 0x5000);
	fake__out(v, 0x61, 1);
	fake__out(v, 0x43, 0x80); /* latch counter 2 */
	fake__advance(clocks(0x100));
	fake__out(v, 0x43, 0x80); /* the first latch holds */
	assert_int_equal(read16(v, 2), 0x5000);
	assert_int_equal(read16(v, 2), 0x4f00);
	/* Low byte only, high byte only. */
	fake__out(v, 0x43, 0x94);
	fake__out(v, 0x42, 0x80);
	fake__advance(clocks(0x10));
	assert_int_equal(fake__in(v, 0x42), 0x70);
	fake__out(v, 0x43, 0xa4);
	fake__out(v, 0x42, 0x80);
	fake__advance(clocks(0x100));
	assert_int_equal(fake__in(v, 0x42), 0x7f);
	assert_int_equal(fake__in(v, 0x42), 0x7f);
	fake__free(vm);
}

static void test_read_back(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	fake__out(v, 0x61, 1);
	fake__out(v, 0x43, 0xb0); /* counter 2, mode 0, no count yet */
	fake__out(v, 0x43, 0xe8); /* status only */
	assert_int_equal(fake__in(v, 0x42), 0x70); /* null count, word, mode 0, OUT low */
	fake__out(v, 0x42, 0x00);
	fake__out(v, 0x42, 0x10);
	fake__advance(clocks(0x800));
	fake__out(v, 0x43, 0xc8); /* count and status */
	fake__advance(clocks(0x900));
	assert_int_equal(fake__in(v, 0x42), 0x30);
	assert_int_equal(read16(v, 2), 0x800);
	/* It wrapped around and goes on. */
	assert_int_equal(read16(v, 2), 0x10000 - 0x100);
	fake__out(v, 0x43, 0xe8);
	assert_int_equal(fake__in(v, 0x42), 0xb0); /* OUT high */
	fake__free(vm);
}

static void test_bcd(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	fake__out(v, 0x61, 1);
	program(v, 2, 0x31, 0x1234);
	fake__advance(clocks(235));
	assert_int_equal(read16(v, 2), 0x0999);
	fake__advance(clocks(1000) - 1);
	assert_int_equal(read16(v, 2), 0x9999); /* wraps at ten thousand */
	program(v, 2, 0x35, 0); /* 10000 */
	fake__advance(clocks(1));
	assert_int_equal(read16(v, 2), 0x9999);
	fake__free(vm);
}

static void test_square_wave(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	fake__out(v, 0x61, 1);
	program(v, 2, 0x36, 1000);
	assert_int_equal(read16(v, 2), 1000);
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0x20);
	fake__advance(clocks(100));
	assert_int_equal(read16(v, 2), 800);
	fake__advance(clocks(450));
	assert_int_equal(read16(v, 2), 900); /* second half */
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0);
	/* An odd count: one clock longer high than low. */
	program(v, 2, 0x36, 5);
	fake__advance(clocks(2) + 10);
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0x20);
	fake__advance(clocks(1));
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0);
	fake__advance(clocks(2));
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0x20);
	fake__free(vm);
}

static void test_gate_and_speaker(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	/* As Linux calibrates: gate up, mode 0, wait for OUT. */
	fake__out(v, 0x61, 1);
	program(v, 2, 0x30, 1000);
	assert_int_equal(fake__in(v, 0x61) & 0x2f, 0x01);
	fake__advance(clocks(500));
	fake__out(v, 0x61, 0); /* stands */
	fake__advance(clocks(5000));
	assert_int_equal(read16(v, 2), 500);
	assert_int_equal(fake__in(v, 0x61) & 0x2f, 0x00);
	fake__out(v, 0x61, 3); /* goes on; speaker on */
	fake__advance(clocks(499));
	assert_int_equal(fake__in(v, 0x61) & 0x2f, 0x03);
	fake__advance(clocks(2));
	assert_int_equal(fake__in(v, 0x61) & 0x2f, 0x23);
	/* Mode 1: waits for the edge of its gate. */
	fake__out(v, 0x61, 0);
	program(v, 2, 0x32, 1000);
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0x20);
	fake__advance(clocks(5000));
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0x20);
	fake__out(v, 0x61, 1);
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0);
	fake__advance(clocks(1001));
	assert_int_equal(fake__in(v, 0x61) & 0x20, 0x20);
	fake__free(vm);
}

static void test_state(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];
	struct kvm_pit_state2 saved;

	program(v, 0, 0x34, 11932);
	assert_int_equal(pit__get(vm, &saved), 0);
	assert_int_equal(saved.channels[0].count, 11932);
	assert_int_equal(saved.channels[0].mode, 2);
	assert_int_equal(saved.channels[0].count_load_time, fake_now);
	program(v, 0, 0x30, 1);
	fake__advance(1000000);
	assert_true(take_tick(v));
	assert_int_equal(pit__set(vm, &saved), 0);
	fake__advance(clocks(11932) + 1000);
	assert_true(take_tick(v));
	/* The HPET takes over. */
	saved.flags = KVM_PIT_FLAGS_HPET_LEGACY;
	assert_int_equal(pit__set(vm, &saved), 0);
	assert_int_equal(fake__armed_timers(), 0);
	program(v, 0, 0x34, 11932);
	fake__advance(clocks(11932) + 1000);
	assert_false(take_tick(v));
	assert_int_equal(pit__get(vm, &saved), 0);
	assert_int_equal(saved.flags, KVM_PIT_FLAGS_HPET_LEGACY);
	/* And gives it back. */
	saved.flags = 0;
	assert_int_equal(pit__set(vm, &saved), 0);
	fake__advance(clocks(11932) + 1000);
	assert_true(take_tick(v));
	/* Anything may come from a file. */
	memset(&saved, 0xff, sizeof(saved));
	saved.flags = 0;
	assert_int_equal(pit__set(vm, &saved), 0);
	fake__advance(1000000000);
	fake__out(v, 0x43, 0xc0 | 0x0e);
	read16(v, 0);
	read16(v, 1);
	read16(v, 2);
	memset(&saved, 0, sizeof(saved));
	assert_int_equal(pit__set(vm, &saved), 0);
	read16(v, 0);
	fake__free(vm);
}

static void test_create_errors(void **state)
{
	struct vm *vm = make();
	struct kvm_pit_config config = {0};
	struct kvm_pit_state2 saved;
	u32 value;

	assert_int_equal(pit__create(vm, &config), -EEXIST);
	fake__free(vm);
	vm = fake__vm(1);
	assert_int_equal(pit__get(vm, &saved), -ENXIO);
	assert_int_equal(pit__set_reinject(vm, true), -ENXIO);
	assert_false(irqchip__port_read(vm->vcpus[0], 0x40, 1, &value));
	assert_int_equal(pit__create(vm, &config), 0);
	assert_true(irqchip__port_read(vm->vcpus[0], 0x40, 1, &value));
	assert_false(irqchip__port_read(vm->vcpus[0], 0x61, 1, &value)); /* no speaker asked for */
	fake__free(vm);
	vm = fake__split_vm(0, 24);
	assert_int_equal(pit__create(vm, &config), -ENOENT);
	fake__free(vm);
}

static void test_nmi_watchdog(void **state)
{
	struct vm *vm = make();
	struct vcpu *v = vm->vcpus[0];

	fake__apic_write(v, APIC_LVT_LINT0, 0x400);
	program(v, 0, 0x34, 11932);
	fake__take_requests(v);
	fake__advance(clocks(11932) + 1000);
	assert_true(fake__take_requests(v) & REQ_NMI);
	assert_int_equal(v->nmi_queued, 1);
	fake__free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode2_counts_and_ticks),
		cmocka_unit_test(test_reinjection),
		cmocka_unit_test(test_reinjection_by_pic),
		cmocka_unit_test(test_mode0_one_shot),
		cmocka_unit_test(test_too_fast_is_limited),
		cmocka_unit_test(test_latch_and_access_modes),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_bcd),
		cmocka_unit_test(test_square_wave),
		cmocka_unit_test(test_gate_and_speaker),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_create_errors),
		cmocka_unit_test(test_nmi_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
