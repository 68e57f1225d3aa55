/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8259A pair: initialisation, priorities, EOI forms, poll, spurious vectors, virtual wire. */
#include "fake.h"

/* What every PC operating system writes: vectors 20H and 28H, cascade on 2; icw4 to both. */
static void init_pics(struct vcpu *v, u8 icw4)
{
	fake__out(v, 0x20, 0x11);
	fake__out(v, 0x21, 0x20);
	fake__out(v, 0x21, 0x04);
	fake__out(v, 0x21, icw4);
	fake__out(v, 0xa0, 0x11);
	fake__out(v, 0xa1, 0x28);
	fake__out(v, 0xa1, 0x02);
	fake__out(v, 0xa1, icw4);
	fake__out(v, 0x21, 0);
	fake__out(v, 0xa1, 0);
}

static void pulse(struct vm *vm, u32 gsi)
{
	fake__line(vm, gsi, true);
	fake__line(vm, gsi, false);
}

static int take(struct vcpu *v)
{
	return irqchip__take_interrupt(v);
}

static void test_priorities_and_eoi(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x01);
	assert_false(irqchip__has_interrupt(v));
	pulse(vm, 4);
	assert_true(fake__take_requests(v) & REQ_EVENT);
	pulse(vm, 1);
	assert_int_equal(take(v), 0x21); /* 1 before 4 */
	assert_int_equal(take(v), -1);	 /* 4 is blocked by 1 in service */
	pulse(vm, 0);
	assert_int_equal(take(v), 0x20); /* 0 is above 1 */
	fake__out(v, 0x20, 0x0b);
	assert_int_equal(fake__in(v, 0x20), 0x03); /* ISR */
	fake__out(v, 0x20, 0x0a);
	assert_int_equal(fake__in(v, 0x20), 0x10); /* IRR */
	fake__out(v, 0x20, 0x20);		   /* ends 0 */
	assert_int_equal(take(v), -1);
	fake__out(v, 0x20, 0x61); /* specific: ends 1 */
	assert_int_equal(take(v), 0x24);
	fake__free(vm);
}

static void test_cascade(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x01);
	pulse(vm, 12);
	pulse(vm, 3);
	assert_int_equal(take(v), 0x2c); /* the slave stands at input 2, above 3 */
	fake__out(v, 0xa0, 0x0b);
	assert_int_equal(fake__in(v, 0xa0), 0x10);
	assert_int_equal(take(v), -1);
	fake__out(v, 0xa0, 0x20);
	fake__out(v, 0x20, 0x20);
	assert_int_equal(take(v), 0x23);
	fake__free(vm);
}

static void test_mask_and_status(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x01);
	fake__out(v, 0x21, 0x08);
	/* The IOAPIC's pin is masked, too. */
	assert_int_equal(fake__line(vm, 3, true), -1);
	assert_int_equal(take(v), -1);
	assert_int_equal(fake__in(v, 0x21), 0x08);
	fake__out(v, 0x21, 0x00); /* the edge was remembered */
	assert_int_equal(take(v), 0x23);
	fake__out(v, 0x20, 0x20);
	assert_int_equal(fake__line(vm, 4, true), 1);
	fake__line(vm, 4, false);
	assert_int_equal(fake__line(vm, 4, true), 0); /* coalesced */
	assert_int_equal(fake__line(vm, 4, true), 1); /* no edge, nothing lost */
	fake__free(vm);
}

static void test_level(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x01);
	fake__out(v, 0x4d0, 0xff);
	fake__out(v, 0x4d1, 0xff);
	assert_int_equal(fake__in(v, 0x4d0), 0xf8); /* 0, 1, 2 stay edge-triggered */
	assert_int_equal(fake__in(v, 0x4d1), 0xde); /* 8 and 13 */
	fake__line(vm, 11, true);
	assert_int_equal(take(v), 0x2b);
	fake__out(v, 0xa0, 0x20);
	fake__out(v, 0x20, 0x20);
	assert_int_equal(take(v), 0x2b); /* still high */
	fake__line(vm, 11, false);
	fake__out(v, 0xa0, 0x20);
	fake__out(v, 0x20, 0x20);
	assert_false(irqchip__has_interrupt(v));
	/* A level that goes before INTA leaves no interrupt behind. */
	fake__line(vm, 11, true);
	assert_true(irqchip__has_interrupt(v));
	fake__line(vm, 11, false);
	assert_false(irqchip__has_interrupt(v));
	fake__free(vm);
}

static void test_auto_eoi_and_rotation(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x03);
	pulse(vm, 4);
	assert_int_equal(take(v), 0x24);
	fake__out(v, 0x20, 0x0b);
	assert_int_equal(fake__in(v, 0x20), 0);
	pulse(vm, 6);
	assert_int_equal(take(v), 0x26); /* lower priority, not blocked */
	/* Rotate in automatic EOI mode: the one served becomes the lowest. */
	fake__out(v, 0x20, 0x80);
	pulse(vm, 3);
	assert_int_equal(take(v), 0x23);
	pulse(vm, 3);
	pulse(vm, 4);
	assert_int_equal(take(v), 0x24);
	assert_int_equal(take(v), 0x23);
	fake__free(vm);
}

static void test_rotating_eoi_and_set_priority(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x01);
	fake__out(v, 0x20, 0xc4); /* 4 lowest, 5 highest */
	pulse(vm, 0);
	pulse(vm, 5);
	assert_int_equal(take(v), 0x25);
	assert_int_equal(take(v), -1);
	fake__out(v, 0x20, 0xa0); /* ends 5 and makes it the lowest */
	pulse(vm, 5);
	assert_int_equal(take(v), 0x20);
	fake__out(v, 0x20, 0xe0); /* ends 0 specifically, 0 lowest */
	pulse(vm, 0);
	assert_int_equal(take(v), 0x25);
	fake__free(vm);
}

static void test_special_mask_mode(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x01);
	pulse(vm, 1);
	assert_int_equal(take(v), 0x21);
	pulse(vm, 5);
	assert_int_equal(take(v), -1);
	fake__out(v, 0x21, 0x02); /* masks what is in service */
	assert_int_equal(take(v), -1);
	fake__out(v, 0x20, 0x68); /* special mask mode on */
	assert_int_equal(take(v), 0x25);
	fake__out(v, 0x20, 0x20); /* non-specific EOI leaves the masked one */
	fake__out(v, 0x20, 0x0b);
	assert_int_equal(fake__in(v, 0x20), 0x02);
	fake__free(vm);
}

static void test_special_fully_nested(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x11);
	pulse(vm, 12);
	assert_int_equal(take(v), 0x2c);
	pulse(vm, 8);
	assert_int_equal(take(v), 0x28); /* a higher one of the same slave */
	pulse(vm, 14);
	assert_int_equal(take(v), -1);
	fake__free(vm);
}

static void test_poll(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	init_pics(v, 0x01);
	fake__out(v, 0x20, 0x0c);
	assert_int_equal(fake__in(v, 0x20) & 0x80, 0);
	pulse(vm, 5);
	fake__out(v, 0x20, 0x0c);
	assert_int_equal(fake__in(v, 0x20), 0x85);
	assert_false(irqchip__has_interrupt(v));
	fake__out(v, 0x20, 0x0b);
	assert_int_equal(fake__in(v, 0x20), 0x20);
	fake__free(vm);
}

static void test_spurious_vectors(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	struct irqchip *chip = vm->irqchip;

	init_pics(v, 0x01);
	host__mutex_lock(&chip->lock);
	assert_int_equal(pic__acknowledge(chip), 0x27);
	/* The cascade input without a request of the slave's. */
	chip->pic.chip[0].irr = 4;
	assert_int_equal(pic__acknowledge(chip), 0x2f);
	host__mutex_unlock(&chip->lock);
	fake__out(v, 0xa0, 0x0b);
	assert_int_equal(fake__in(v, 0xa0), 0); /* not in service */
	fake__free(vm);
}

static void test_virtual_wire(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v0 = vm->vcpus[0], *v1 = vm->vcpus[1];

	init_pics(v0, 0x01);
	fake__take_requests(v0);
	pulse(vm, 1);
	/* After RESET the BSP's LINT0 is open for ExtINT, the other's is masked. */
	assert_true(irqchip__has_interrupt(v0));
	assert_false(irqchip__has_interrupt(v1));
	assert_int_equal(fake__take_requests(v1), 0);
	fake__apic_write(v0, APIC_SVR, 0x1ff);
	fake__apic_write(v0, APIC_LVT_LINT0, 0x10700);
	assert_false(irqchip__has_interrupt(v0));
	fake__apic_write(v1, APIC_SVR, 0x1ff);
	fake__take_requests(v1);
	fake__apic_write(v1, APIC_LVT_LINT0, 0x700);
	assert_true(fake__take_requests(v1) & REQ_EVENT);
	assert_int_equal(take(v1), 0x21);
	/* A disabled APIC lets the PIC through. */
	assert_int_equal(lapic__set_base(v0, 0xfee00100), 0);
	fake__out(v0, 0x20, 0x20);
	pulse(vm, 1);
	assert_true(irqchip__has_interrupt(v0));
	fake__free(vm);
}

static void test_wide_access_and_state(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	struct kvm_irqchip saved = {.chip_id = KVM_IRQCHIP_PIC_MASTER};
	u32 value;

	init_pics(v, 0x01);
	assert_true(irqchip__port_write(v, 0x20, 2, 0xa500 | 0x0b));
	assert_int_equal(fake__in(v, 0x21), 0xa5);
	assert_true(irqchip__port_read(v, 0x20, 2, &value));
	assert_int_equal(value, 0xa500);
	assert_false(irqchip__port_read(v, 0x21, 2, &value));
	assert_false(irqchip__port_read(v, 0x22, 1, &value));
	fake__out(v, 0x21, 0);
	pulse(vm, 3);
	assert_int_equal(irqchip__get(vm, &saved), 0);
	assert_int_equal(saved.chip.pic.irr, 8);
	assert_int_equal(saved.chip.pic.irq_base, 0x20);
	fake__out(v, 0x20, 0x11);
	assert_false(irqchip__has_interrupt(v));
	assert_int_equal(irqchip__set(vm, &saved), 0);
	assert_int_equal(take(v), 0x23);
	saved.chip_id = 3;
	assert_int_equal(irqchip__get(vm, &saved), -EINVAL);
	fake__free(vm);
}

static void test_hostile_state(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	struct kvm_irqchip saved;
	unsigned i;

	for (i = 0; i < 3; i++) {
		memset(&saved, 0xff, sizeof(saved));
		saved.chip_id = i;
		assert_int_equal(irqchip__set(vm, &saved), 0);
	}
	for (i = 0; i < 256; i++) {
		irqchip__take_interrupt(v);
		fake__out(v, 0x20 + (i & 1), i);
		fake__out(v, 0xa0 + (i & 1), i);
		fake__line(vm, i % 30, i & 4);
	}
	fake__free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priorities_and_eoi),
		cmocka_unit_test(test_cascade),
		cmocka_unit_test(test_mask_and_status),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_auto_eoi_and_rotation),
		cmocka_unit_test(test_rotating_eoi_and_set_priority),
		cmocka_unit_test(test_special_mask_mode),
		cmocka_unit_test(test_special_fully_nested),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_spurious_vectors),
		cmocka_unit_test(test_virtual_wire),
		cmocka_unit_test(test_wide_access_and_state),
		cmocka_unit_test(test_hostile_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
