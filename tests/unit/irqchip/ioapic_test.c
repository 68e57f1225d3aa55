/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IOAPIC: redirection, level-triggered interrupts and EOI, storms, saved state; routing. */
#include "fake.h"

#define LEVEL 0x8000
#define LOGICAL 0x800
#define MASKED 0x10000
#define REMOTE_IRR 0x4000
#define DEST(n) ((u64)(n) << 56)

static void eoi(struct vcpu *v)
{
	fake__apic_write(v, APIC_EOI, 0);
}

static void test_registers(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	u32 value = 1;
	u64 wide = ~0ULL;

	assert_true(irqchip__mmio_write(v, 0xfec00000, 4, &value));
	assert_true(irqchip__mmio_read(v, 0xfec00010, 4, &value));
	assert_int_equal(value, 0x00170011);
	value = 0;
	assert_true(irqchip__mmio_write(v, 0xfec00000, 1, &value));
	value = 0x5000000;
	assert_true(irqchip__mmio_write(v, 0xfec00010, 4, &value));
	assert_true(irqchip__mmio_read(v, 0xfec00010, 8, &wide));
	assert_int_equal(wide, 0x5000000);
	assert_int_equal(fake__get_redir(v, 23), MASKED);
	assert_false(irqchip__mmio_read(v, 0xfec00100, 4, &value));
	assert_false(irqchip__mmio_read(v, 0xfec000fe, 4, &value));
	/* Read-only bits. */
	fake__set_redir(v, 5, DEST(7) | MASKED | LEVEL | REMOTE_IRR | 0x1000 | 0x55);
	assert_int_equal(fake__get_redir(v, 5), DEST(7) | MASKED | LEVEL | 0x55);
	fake__free(vm);
}

static void test_edge(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v1 = vm->vcpus[1];

	fake__enable_apics(vm);
	fake__set_redir(v1, 20, DEST(1) | 0x61);
	assert_int_equal(fake__line(vm, 20, true), 1);
	assert_true(fake__take_requests(v1) & REQ_EVENT);
	assert_int_equal(fake__line(vm, 20, true), 0); /* no new edge */
	assert_int_equal(irqchip__take_interrupt(v1), 0x61);
	assert_int_equal(irqchip__take_interrupt(v1), -1);
	assert_int_equal(irqchip__take_interrupt(vm->vcpus[0]), -1);
	eoi(v1);
	fake__line(vm, 20, false);
	/* Masked: lost, as on hardware. */
	fake__set_redir(v1, 20, DEST(1) | MASKED | 0x61);
	assert_int_equal(fake__line(vm, 20, true), -1);
	fake__line(vm, 20, false);
	fake__set_redir(v1, 20, DEST(1) | 0x61);
	assert_false(irqchip__has_interrupt(v1));
	fake__free(vm);
}

static void test_level(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__enable_apics(vm);
	fake__set_redir(v, 18, LEVEL | 0x41);
	assert_int_equal(fake__line(vm, 18, true), 1);
	assert_int_equal(fake__get_redir(v, 18), LEVEL | REMOTE_IRR | 0x41);
	assert_int_equal(fake__apic_read(v, APIC_TMR + 0x20), 2);
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	/* Not again before the EOI. */
	assert_int_equal(fake__line(vm, 18, true), -1);
	assert_false(irqchip__has_interrupt(v));
	eoi(v); /* still high: again */
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	fake__line(vm, 18, false);
	eoi(v);
	assert_false(irqchip__has_interrupt(v));
	assert_int_equal(fake__get_redir(v, 18), LEVEL | 0x41);
	/* High while masked: comes on unmasking. */
	fake__set_redir(v, 18, MASKED | LEVEL | 0x41);
	fake__line(vm, 18, true);
	assert_false(irqchip__has_interrupt(v));
	fake__set_redir(v, 18, LEVEL | 0x41);
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	/* Linux's explicit EOI: masked and edge for a moment clears remote IRR. */
	fake__set_redir(v, 18, MASKED | 0x41);
	assert_int_equal(fake__get_redir(v, 18), MASKED | 0x41);
	/* The same vector by an edge: its EOI is not the IOAPIC's business any more. */
	eoi(v);
	fake__set_redir(v, 19, 0x41);
	fake__line(vm, 19, true);
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	assert_int_equal(fake__apic_read(v, APIC_TMR + 0x20), 0);
	fake__free(vm);
}

static void test_shared_line(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	struct irqchip *chip = vm->irqchip;

	fake__enable_apics(vm);
	fake__set_redir(v, 18, LEVEL | 0x41);
	fake__line(vm, 18, true);
	host__mutex_lock(&chip->lock);
	routing__set_line(chip, LINE_RESAMPLE, 18, true, false);
	host__mutex_unlock(&chip->lock);
	fake__line(vm, 18, false); /* the other source still holds it */
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	eoi(v);
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	fake__free(vm);
}

static void test_delivery_modes(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v0 = vm->vcpus[0], *v1 = vm->vcpus[1];

	fake__enable_apics(vm);
	fake__set_redir(v0, 20, DEST(1) | 0x400); /* NMI */
	fake__line(vm, 20, true);
	assert_int_equal(fake__take_requests(v1), REQ_NMI);
	fake__set_redir(v0, 21, DEST(1) | 0x500); /* INIT */
	fake__line(vm, 21, true);
	assert_int_equal(fake__take_requests(v1), REQ_INIT);
	assert_true(lapic__take_init(v1));
	assert_false(lapic__take_init(v1));
	fake__set_redir(v0, 22, DEST(1) | 0x200); /* SMI */
	fake__line(vm, 22, true);
	assert_int_equal(fake__take_requests(v1), REQ_SMI);
	/* ExtINT: the vector is the PIC's. */
	fake__set_redir(v0, 16, DEST(1) | 0x700);
	fake__out(v0, 0x20, 0x11);
	fake__out(v0, 0x21, 0x20);
	fake__out(v0, 0x21, 4);
	fake__out(v0, 0x21, 1);
	fake__out(v0, 0x21, 0);
	fake__line(vm, 3, true);
	assert_false(irqchip__has_interrupt(v1));
	fake__line(vm, 16, true);
	assert_int_equal(irqchip__take_interrupt(v1), 0x23);
	assert_false(irqchip__has_interrupt(v1));
	fake__free(vm);
}

static void test_logical_and_lowest(void **state)
{
	struct vm *vm = fake__vm(4);
	struct vcpu *v0 = vm->vcpus[0];
	unsigned i, n;

	fake__enable_apics(vm);
	for (i = 0; i < 4; i++)
		fake__apic_write(vm->vcpus[i], APIC_LDR, 1U << (24 + i));
	fake__set_redir(v0, 20, DEST(0x6) | LOGICAL | 0x61);
	assert_int_equal(fake__line(vm, 20, true), 2);
	assert_false(irqchip__has_interrupt(vm->vcpus[0]));
	assert_int_equal(irqchip__take_interrupt(vm->vcpus[1]), 0x61);
	assert_int_equal(irqchip__take_interrupt(vm->vcpus[2]), 0x61);
	assert_false(irqchip__has_interrupt(vm->vcpus[3]));
	/* Lowest priority: exactly one of them, and each gets some vectors. */
	for (i = 0x70; i < 0x74; i++) {
		fake__set_redir(v0, 21, DEST(0xf) | LOGICAL | 0x100 | i);
		assert_int_equal(fake__line(vm, 21, true), 1);
		fake__line(vm, 21, false);
	}
	for (i = 0; i < 4; i++) {
		for (n = 0; irqchip__take_interrupt(vm->vcpus[i]) >= 0; n++)
			;
		assert_int_equal(n, 1);
	}
	/* A software-disabled APIC is no candidate. */
	fake__apic_write(vm->vcpus[2], APIC_SVR, 0xff);
	fake__set_redir(v0, 22, DEST(0x4) | LOGICAL | 0x100 | 0x90);
	assert_int_equal(fake__line(vm, 22, true), -1);
	fake__free(vm);
}

static void test_storm(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	unsigned n;

	fake__enable_apics(vm);
	fake__set_redir(v, 18, LEVEL | 0x41);
	fake__line(vm, 18, true);
	for (n = 0; irqchip__take_interrupt(v) == 0x41 && n < 20000; n++)
		eoi(v);
	assert_int_equal(n, 10000);
	fake__advance(9000000);
	assert_false(irqchip__has_interrupt(v));
	fake__advance(1000000);
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	fake__free(vm);
}

static void test_rtc_tracking(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__enable_apics(vm);
	fake__out(v, 0xa1, 0xff);
	fake__set_redir(v, 8, 0x48);
	assert_int_equal(fake__line(vm, 8, true), 1);
	fake__line(vm, 8, false);
	assert_int_equal(fake__line(vm, 8, true), 0); /* not taken yet */
	fake__line(vm, 8, false);
	assert_int_equal(irqchip__take_interrupt(v), 0x48);
	assert_int_equal(fake__line(vm, 8, true), 0); /* no EOI yet */
	fake__line(vm, 8, false);
	eoi(v);
	assert_true(fake__line(vm, 8, true) > 0);
	fake__free(vm);
}

static void test_saved_state(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	struct kvm_irqchip saved = {.chip_id = KVM_IRQCHIP_IOAPIC};

	fake__enable_apics(vm);
	fake__set_redir(v, 18, LEVEL | 0x41);
	fake__set_redir(v, 19, 0x42);
	fake__line(vm, 18, true);
	fake__line(vm, 19, true);
	assert_int_equal(irqchip__get(vm, &saved), 0);
	assert_int_equal(saved.chip.ioapic.base_address, 0xfec00000);
	assert_int_equal(saved.chip.ioapic.irr, 1 << 18); /* the edge is through */
	assert_int_equal(saved.chip.ioapic.redirtbl[18].fields.remote_irr, 1);
	assert_int_equal(saved.chip.ioapic.redirtbl[18].fields.vector, 0x41);
	saved.chip.ioapic.redirtbl[18].fields.remote_irr = 0;
	saved.chip.ioapic.redirtbl[18].fields.vector = 0x51;
	assert_int_equal(irqchip__set(vm, &saved), 0);
	assert_int_equal(irqchip__take_interrupt(v), 0x51);
	assert_int_equal(irqchip__take_interrupt(v), -1); /* 41H and 42H are below */
	fake__line(vm, 18, false);
	eoi(v);
	assert_int_equal(irqchip__take_interrupt(v), 0x42);
	fake__free(vm);
}

static struct kvm_irq_routing_entry pin_route(u32 gsi, u32 chip, u32 pin)
{
	struct kvm_irq_routing_entry e = {.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP};

	e.u.irqchip.irqchip = chip;
	e.u.irqchip.pin = pin;
	return e;
}

static struct kvm_irq_routing_entry msi_route(u32 gsi, u32 lo, u32 hi, u32 data)
{
	struct kvm_irq_routing_entry e = {.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI};

	e.u.msi.address_lo = lo;
	e.u.msi.address_hi = hi;
	e.u.msi.data = data;
	return e;
}

static int set(struct vm *vm, const struct kvm_irq_routing_entry *e, u32 n)
{
	return irqchip__set_routing(vm, e, n, 0);
}

static void test_routing(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v0 = vm->vcpus[0], *v1 = vm->vcpus[1];
	struct kvm_irq_routing_entry e[4];

	fake__enable_apics(vm);
	fake__out(v0, 0x21, 0xff);
	fake__set_redir(v0, 2, 0x32);
	e[0] = pin_route(0, KVM_IRQCHIP_IOAPIC, 2);
	e[1] = msi_route(100, 0xfee01000, 0, 0x71);
	e[2] = pin_route(0, KVM_IRQCHIP_PIC_MASTER, 0);
	e[3] = pin_route(4095, KVM_IRQCHIP_IOAPIC, 23);
	assert_int_equal(set(vm, e, 4), 0);
	assert_true(fake__line(vm, 0, true) > 0);
	assert_int_equal(irqchip__take_interrupt(v0), 0x32);
	assert_int_equal(fake__line(vm, 100, true), 1);
	assert_int_equal(fake__line(vm, 100, false), -1);
	assert_int_equal(irqchip__take_interrupt(v1), 0x71);
	assert_int_equal(fake__line(vm, 4, true), -1); /* the default is gone */
	assert_int_equal(fake__line(vm, 0xffffffff, true), -1);
	fake__free(vm);
}

static void test_routing_errors(void **state)
{
	struct vm *vm = fake__vm(1);
	struct kvm_irq_routing_entry e[5];

	e[0] = pin_route(4096, KVM_IRQCHIP_IOAPIC, 2);
	assert_int_equal(set(vm, e, 1), -EINVAL);
	e[0] = pin_route(1, KVM_IRQCHIP_IOAPIC, 24);
	assert_int_equal(set(vm, e, 1), -EINVAL);
	e[0] = pin_route(1, KVM_IRQCHIP_PIC_SLAVE, 8);
	assert_int_equal(set(vm, e, 1), -EINVAL);
	e[0] = pin_route(1, 3, 0);
	assert_int_equal(set(vm, e, 1), -EINVAL);
	e[0] = pin_route(1, KVM_IRQCHIP_IOAPIC, 2);
	e[0].flags = 1;
	assert_int_equal(set(vm, e, 1), -EINVAL);
	e[0].flags = 0;
	e[0].type = KVM_IRQ_ROUTING_HV_SINT;
	assert_int_equal(set(vm, e, 1), -EINVAL);
	e[0].type = 0;
	assert_int_equal(set(vm, e, 1), -EINVAL);
	/* One GSI, the same chip twice; a pin and a message. */
	e[0] = pin_route(1, KVM_IRQCHIP_IOAPIC, 2);
	e[1] = pin_route(1, KVM_IRQCHIP_IOAPIC, 3);
	assert_int_equal(set(vm, e, 2), -EINVAL);
	e[1] = msi_route(1, 0xfee00000, 0, 0x40);
	assert_int_equal(set(vm, e, 2), -EINVAL);
	e[1] = pin_route(1, KVM_IRQCHIP_PIC_MASTER, 2);
	e[2] = pin_route(1, KVM_IRQCHIP_PIC_SLAVE, 2);
	assert_int_equal(set(vm, e, 3), 0);
	e[3] = pin_route(1, KVM_IRQCHIP_PIC_SLAVE, 3);
	assert_int_equal(set(vm, e, 4), -EINVAL);
	assert_int_equal(irqchip__set_routing(vm, e, 3, 1), -EINVAL);
	assert_int_equal(set(vm, e, 0), 0);
	assert_int_equal(fake__line(vm, 1, true), -1);
	fake__free(vm);
}

static void test_msi(void **state)
{
	struct vm *vm = fake__vm(3);
	struct kvm_msi msi = {.address_lo = 0xfee02000, .data = 0x4051};
	struct vcpu *far;

	far = fake__add_vcpu(vm, 300);
	fake__enable_apics(vm);
	assert_int_equal(irqchip__msi(vm, &msi), 1);
	assert_int_equal(irqchip__take_interrupt(vm->vcpus[2]), 0x51);
	msi.address_lo = 0xfeeff000; /* broadcast, x2APICs too */
	assert_int_equal(lapic__set_base(far, 0xfee00c00), 0);
	assert_int_equal(irqchip__msi(vm, &msi), 4);
	msi.address_lo = 0xfee55000; /* nobody */
	assert_int_equal(irqchip__msi(vm, &msi), -1);
	/* 15-bit destination: bits 14:8 in address bits 11:5. */
	msi.address_lo = 0xfee00000 | (300 & 0xff) << 12 | (300 >> 8) << 5;
	msi.data = 0x61;
	assert_int_equal(irqchip__msi(vm, &msi), 1);
	assert_int_equal(irqchip__take_interrupt(far), 0x61);
	/* KVM_X2APIC_API_USE_32BIT_IDS: bits 31:8 in the upper address. */
	vm->x2apic_32bit_ids = true;
	msi.address_lo = 0xfee00000 | (300 & 0xff) << 12;
	msi.address_hi = 0x100;
	msi.data = 0x71;
	assert_int_equal(irqchip__msi(vm, &msi), 1);
	assert_int_equal(irqchip__take_interrupt(far), 0x71);
	msi.address_hi = 0x101;
	assert_int_equal(irqchip__msi(vm, &msi), -EINVAL);
	/* Without the quirk FFH is an ID like others to an x2APIC. */
	vm->x2apic_no_broadcast_quirk = true;
	msi = (struct kvm_msi){.address_lo = 0xfeeff000, .data = 0x59};
	assert_int_equal(irqchip__msi(vm, &msi), 3);
	msi.flags = 2;
	assert_int_equal(irqchip__msi(vm, &msi), -EINVAL);
	fake__free(vm);
}

static void test_split(void **state)
{
	struct vm *vm = fake__split_vm(1, 24);
	struct vcpu *v = vm->vcpus[0];
	struct kvm_irq_routing_entry e[2];
	struct kvm_irqchip saved = {0};
	u32 value;

	assert_true(vm->split_irqchip);
	assert_int_equal(irqchip__create(vm), -EEXIST);
	assert_int_equal(irqchip__get(vm, &saved), -ENXIO);
	assert_false(irqchip__port_read(v, 0x20, 1, &value));
	assert_false(irqchip__mmio_read(v, 0xfec00000, 4, &value));
	e[0] = pin_route(1, KVM_IRQCHIP_IOAPIC, 2);
	assert_int_equal(set(vm, e, 1), -EINVAL);
	e[0] = msi_route(4, 0xfee00000, 0, 0xc041); /* level, asserted */
	e[1] = msi_route(30, 0xfee00000, 0, 0xc052);
	assert_int_equal(set(vm, e, 2), 0);
	fake__enable_apics(vm);
	assert_int_equal(fake__line(vm, 4, true), 1);
	assert_int_equal(irqchip__take_interrupt(v), 0x41);
	fake__take_requests(v);
	eoi(v);
	assert_true(fake__take_requests(v) & REQ_IOAPIC_EOI);
	assert_int_equal(v->ioapic_eoi_vector, 0x41);
	/* GSI 30 is beyond the reserved ones. */
	assert_int_equal(fake__line(vm, 30, true), 1);
	assert_int_equal(irqchip__take_interrupt(v), 0x52);
	fake__take_requests(v);
	eoi(v);
	assert_false(fake__take_requests(v) & REQ_IOAPIC_EOI);
	/* KVM_INTERRUPT waits for LINT0. */
	v->external_vector = 0x33;
	assert_true(irqchip__has_interrupt(v));
	fake__apic_write(v, APIC_LVT_LINT0, 0x10700);
	assert_false(irqchip__has_interrupt(v));
	fake__apic_write(v, APIC_LVT_LINT0, 0x700);
	assert_int_equal(irqchip__take_interrupt(v), 0x33);
	assert_int_equal(v->external_vector, -1);
	fake__free(vm);
}

static void test_create_errors(void **state)
{
	struct vm *vm = fake__vm(0);
	struct kvm_irqchip saved = {0};
	struct kvm_msi msi = {0};
	struct vm *bare;

	assert_int_equal(irqchip__create(vm), -EEXIST);
	assert_int_equal(irqchip__create_split(vm, 24), -EEXIST);
	fake__free(vm);
	bare = fake__bare_vm();
	assert_int_equal(irqchip__create_split(bare, 4097), -EINVAL);
	assert_int_equal(irqchip__line(bare, 0, true, NULL), -ENXIO);
	assert_int_equal(irqchip__get(bare, &saved), -ENXIO);
	assert_int_equal(irqchip__msi(bare, &msi), -EINVAL);
	assert_int_equal(irqchip__set_routing(bare, NULL, 0, 0), -EINVAL);
	fake__add_vcpu(bare, 0);
	assert_null(bare->vcpus[0]->lapic);
	assert_false(irqchip__has_interrupt(bare->vcpus[0]));
	assert_int_equal(lapic__get_base(bare->vcpus[0]), 0xfee00900);
	assert_int_equal(irqchip__create(bare), -EINVAL);
	fake__free(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_edge),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_shared_line),
		cmocka_unit_test(test_delivery_modes),
		cmocka_unit_test(test_logical_and_lowest),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_rtc_tracking),
		cmocka_unit_test(test_saved_state),
		cmocka_unit_test(test_routing),
		cmocka_unit_test(test_routing_errors),
		cmocka_unit_test(test_msi),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_create_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
