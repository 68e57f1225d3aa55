/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC: priorities, IPIs, addressing modes, base MSR, x2APIC, errors, PV, saved state. */
#include "fake.h"

static void eoi(struct vcpu *v)
{
	fake__apic_write(v, APIC_EOI, 0);
}

static int take(struct vcpu *v)
{
	return irqchip__take_interrupt(v);
}

static void ipi(struct vcpu *v, u32 dest, u32 icr)
{
	fake__apic_write(v, APIC_ICR2, dest << 24);
	fake__apic_write(v, APIC_ICR, icr);
}

static void to_x2apic(struct vcpu *v)
{
	u64 base = lapic__get_base(v);

	assert_int_equal(lapic__set_base(v, base | 0xc00), 0);
}

static u64 rdmsr(struct vcpu *v, u32 msr)
{
	u64 value = 0;

	assert_int_equal(lapic__read_msr(v, msr, &value), 0);
	return value;
}

static void test_reset_values(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v = vm->vcpus[1];
	unsigned reg;

	assert_int_equal(fake__apic_read(v, APIC_ID), 0x01000000);
	assert_int_equal(fake__apic_read(v, APIC_VERSION), 0x50014);
	assert_int_equal(fake__apic_read(v, APIC_SVR), 0xff);
	assert_int_equal(fake__apic_read(v, APIC_DFR), 0xffffffff);
	for (reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 0x10)
		assert_int_equal(fake__apic_read(v, reg), 0x10000);
	assert_int_equal(fake__apic_read(vm->vcpus[0], APIC_LVT_LINT0), 0x700);
	assert_int_equal(lapic__get_base(vm->vcpus[0]), 0xfee00900);
	assert_int_equal(lapic__get_base(v), 0xfee00800);
	/* Without the quirk LINT0 is masked on all. */
	vm->disabled_quirks = KVM_X86_QUIRK_LINT0_REENABLED;
	lapic__reset(vm->vcpus[0], false);
	assert_int_equal(fake__apic_read(vm->vcpus[0], APIC_LVT_LINT0), 0x10000);
	fake__free(vm);
}

static void test_priorities(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__enable_apics(vm);
	ipi(v, 0, 0x4031);
	ipi(v, 0, 0x4045);
	ipi(v, 0, 0x4041);
	assert_int_equal(fake__apic_read(v, APIC_IRR + 0x20), 0x22);
	assert_int_equal(take(v), 0x45);
	assert_int_equal(fake__apic_read(v, APIC_PPR), 0x40);
	assert_int_equal(take(v), -1); /* the same class */
	ipi(v, 0, 0x4052);
	assert_int_equal(take(v), 0x52);
	assert_int_equal(fake__apic_read(v, APIC_ISR + 0x20), 0x00040020);
	fake__take_requests(v);
	eoi(v); /* 52H */
	assert_int_equal(fake__take_requests(v), 0); /* 41H still has to wait */
	assert_int_equal(take(v), -1);
	eoi(v); /* 45H */
	assert_int_equal(fake__take_requests(v), REQ_EVENT);
	assert_int_equal(take(v), 0x41);
	eoi(v);
	assert_int_equal(take(v), 0x31);
	eoi(v);
	eoi(v); /* nothing in service: nothing happens */
	assert_int_equal(fake__apic_read(v, APIC_PPR), 0);
	fake__free(vm);
}

static void test_task_priority(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__enable_apics(vm);
	fake__apic_write(v, APIC_TPR, 0x4f);
	assert_int_equal(lapic__get_tpr(v), 4);
	assert_int_equal(fake__apic_read(v, APIC_PPR), 0x4f);
	ipi(v, 0, 0x4041);
	assert_false(irqchip__has_interrupt(v));
	ipi(v, 0, 0x4050);
	assert_int_equal(take(v), 0x50);
	eoi(v);
	fake__take_requests(v);
	lapic__set_tpr(v, 3);
	assert_int_equal(fake__apic_read(v, APIC_TPR), 0x30);
	assert_true(fake__take_requests(v) & REQ_EVENT);
	assert_int_equal(take(v), 0x41);
	fake__free(vm);
}

static void test_shorthands(void **state)
{
	struct vm *vm = fake__vm(3);
	struct vcpu *v = vm->vcpus[1];

	fake__enable_apics(vm);
	ipi(v, 0, 0x44000 | 0x41); /* self */
	assert_int_equal(take(v), 0x41);
	assert_int_equal(take(vm->vcpus[0]), -1);
	eoi(v);
	ipi(v, 0, 0x84000 | 0x42); /* all */
	assert_int_equal(take(vm->vcpus[0]), 0x42);
	assert_int_equal(take(v), 0x42);
	assert_int_equal(take(vm->vcpus[2]), 0x42);
	eoi(v);
	ipi(v, 0, 0xc4000 | 0x52); /* all but self */
	assert_int_equal(take(vm->vcpus[0]), 0x52);
	assert_int_equal(take(v), -1);
	assert_int_equal(take(vm->vcpus[2]), 0x52);
	/* Physical: by ID, and FFH for all. */
	ipi(v, 2, 0x4063);
	assert_int_equal(take(vm->vcpus[0]), -1);
	assert_int_equal(take(vm->vcpus[2]), 0x63);
	ipi(v, 0xff, 0x4073);
	assert_int_equal(take(vm->vcpus[0]), 0x73);
	assert_int_equal(take(v), 0x73);
	assert_int_equal(take(vm->vcpus[2]), 0x73);
	/* Busy never shows. */
	fake__apic_write(v, APIC_ICR, 0x5041);
	assert_int_equal(fake__apic_read(v, APIC_ICR), 0x4041);
	fake__free(vm);
}

static void test_logical_modes(void **state)
{
	struct vm *vm = fake__vm(4);
	unsigned i;

	fake__enable_apics(vm);
	for (i = 0; i < 4; i++)
		fake__apic_write(vm->vcpus[i], APIC_LDR, 0x01000000U << i);
	ipi(vm->vcpus[0], 0xa, 0x4841); /* flat: 1 and 3 */
	for (i = 0; i < 4; i++)
		assert_int_equal(take(vm->vcpus[i]), i & 1 ? 0x41 : -1);
	/* Cluster: 0 and 1 in cluster 0, 2 and 3 in cluster 1. */
	for (i = 0; i < 4; i++) {
		fake__apic_write(vm->vcpus[i], APIC_DFR, 0);
		assert_int_equal(fake__apic_read(vm->vcpus[i], APIC_DFR), 0x0fffffff);
		fake__apic_write(vm->vcpus[i], APIC_LDR, (i / 2) << 28 | (1 << i % 2) << 24);
	}
	ipi(vm->vcpus[0], 0x12, 0x4852); /* cluster 1, second */
	for (i = 0; i < 4; i++)
		assert_int_equal(take(vm->vcpus[i]), i == 3 ? 0x52 : -1);
	ipi(vm->vcpus[0], 0xff, 0x4863);
	for (i = 0; i < 4; i++)
		assert_int_equal(take(vm->vcpus[i]), 0x63);
	/* A changed xAPIC ID is the new address. */
	fake__apic_write(vm->vcpus[2], APIC_ID, 0x77000000);
	ipi(vm->vcpus[0], 0x77, 0x4074);
	assert_int_equal(take(vm->vcpus[2]), 0x74);
	ipi(vm->vcpus[0], 2, 0x4084);
	assert_int_equal(take(vm->vcpus[2]), -1);
	fake__free(vm);
}

static void test_init_sipi_nmi(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v0 = vm->vcpus[0], *v1 = vm->vcpus[1];
	u8 vector = 0;

	/* As Linux starts a processor; its APIC is software-disabled. */
	ipi(v0, 1, 0xc500);
	assert_int_equal(fake__take_requests(v1), REQ_INIT);
	ipi(v0, 1, 0x8500); /* de-assert: nothing */
	assert_int_equal(fake__take_requests(v1), 0);
	assert_true(lapic__take_init(v1));
	assert_false(lapic__take_sipi(v1, &vector));
	ipi(v0, 1, 0x4600 | 0x9a);
	assert_int_equal(fake__take_requests(v1), REQ_SIPI);
	assert_true(lapic__take_sipi(v1, &vector));
	assert_int_equal(vector, 0x9a);
	assert_false(lapic__take_sipi(v1, &vector));
	/* An INIT makes earlier SIPIs forgotten. */
	ipi(v0, 1, 0x4600 | 0x9a);
	ipi(v0, 1, 0x4500);
	assert_true(lapic__take_init(v1));
	assert_false(lapic__take_sipi(v1, &vector));
	fake__take_requests(v1);
	ipi(v0, 1, 0x4400);
	assert_int_equal(fake__take_requests(v1), REQ_NMI);
	assert_int_equal(v1->nmi_queued, 1);
	ipi(v0, 1, 0x4200);
	assert_int_equal(fake__take_requests(v1), REQ_SMI);
	/* A fixed one is not accepted there. */
	ipi(v0, 1, 0x4041);
	assert_int_equal(fake__take_requests(v1), 0);
	/* A hardware-disabled APIC hears nothing at all. */
	assert_int_equal(lapic__set_base(v1, 0xfee00000), 0);
	fake__take_requests(v1);
	ipi(v0, 1, 0x4400);
	assert_int_equal(fake__take_requests(v1), 0);
	fake__free(vm);
}

static void test_errors(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v0 = vm->vcpus[0], *v1 = vm->vcpus[1];
	struct kvm_msi msi = {.address_lo = 0xfee01000, .data = 5};

	fake__enable_apics(vm);
	fake__apic_write(v0, APIC_LVT_ERROR, 0xe0);
	ipi(v0, 1, 0x4005); /* illegal vector */
	assert_int_equal(take(v0), 0xe0);
	eoi(v0);
	assert_int_equal(fake__apic_read(v0, APIC_ESR), 0); /* latched by a write */
	fake__apic_write(v0, APIC_ESR, 0);
	assert_int_equal(fake__apic_read(v0, APIC_ESR), 0x20);
	fake__apic_write(v0, APIC_ESR, 0);
	assert_int_equal(fake__apic_read(v0, APIC_ESR), 0);
	assert_int_equal(irqchip__msi(vm, &msi), 0);
	fake__apic_write(v1, APIC_ESR, 0);
	assert_int_equal(fake__apic_read(v1, APIC_ESR), 0x40);
	assert_int_equal(fake__apic_read(v0, 0x40), 0); /* no such register */
	assert_int_equal(take(v0), 0xe0);
	fake__apic_write(v0, APIC_ESR, 0);
	assert_int_equal(fake__apic_read(v0, APIC_ESR), 0x80);
	/* An illegal vector in the error LVT does not feed itself. */
	fake__apic_write(v0, APIC_LVT_ERROR, 0x05);
	ipi(v0, 1, 0x4005);
	fake__free(vm);
}

static void test_software_disable(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__enable_apics(vm);
	fake__apic_write(v, APIC_LVT_LINT1, 0x400);
	assert_int_equal(fake__apic_read(v, APIC_LVT_LINT1), 0x400);
	ipi(v, 0, 0x4041);
	fake__apic_write(v, APIC_SVR, 0xff);
	assert_int_equal(fake__apic_read(v, APIC_LVT_LINT1), 0x10400);
	fake__apic_write(v, APIC_LVT_LINT1, 0x400); /* stays masked */
	assert_int_equal(fake__apic_read(v, APIC_LVT_LINT1), 0x10400);
	/* What was requested before is still delivered, nothing new. */
	ipi(v, 0, 0x4051);
	assert_int_equal(take(v), 0x41);
	assert_int_equal(take(v), -1);
	/* Read-only and reserved bits of an LVT. */
	fake__apic_write(v, APIC_SVR, 0x1ff);
	fake__apic_write(v, APIC_LVT_THERMAL, 0xffffffff);
	assert_int_equal(fake__apic_read(v, APIC_LVT_THERMAL), 0x107ff);
	fake__apic_write(v, APIC_LVT_LINT1, 0xffffffff);
	assert_int_equal(fake__apic_read(v, APIC_LVT_LINT1), 0x1e7ff);
	fake__free(vm);
}

static void test_mmio_rules(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	u32 value = 0x55;
	u64 wide = 0;
	u8 byte;

	/* Only aligned 32-bit writes do something. */
	assert_true(irqchip__mmio_write(v, 0xfee00080, 1, &value));
	assert_true(irqchip__mmio_write(v, 0xfee00084, 4, &value));
	assert_int_equal(fake__apic_read(v, APIC_TPR), 0);
	assert_true(irqchip__mmio_read(v, 0xfee00032, 1, &byte));
	assert_int_equal(byte, 0x05);
	assert_true(irqchip__mmio_read(v, 0xfee00030, 8, &wide));
	assert_int_equal(wide, 0);
	assert_false(irqchip__mmio_read(v, 0xfee01000, 4, &value));
	assert_false(irqchip__mmio_read(v, 0xfedfffff, 1, &byte));
	/* Moved. */
	assert_int_equal(lapic__set_base(v, 0xd0000900), 0);
	assert_false(irqchip__mmio_read(v, 0xfee00030, 4, &value));
	assert_true(irqchip__mmio_read(v, 0xd0000030, 4, &value));
	assert_int_equal(value, 0x50014);
	/* x2APIC mode: a hole there, unless the quirk is off. */
	to_x2apic(v);
	assert_true(irqchip__mmio_read(v, 0xd0000030, 4, &value));
	assert_int_equal(value, 0xffffffff);
	assert_true(irqchip__mmio_write(v, 0xd0000080, 4, &value));
	vm->disabled_quirks = KVM_X86_QUIRK_LAPIC_MMIO_HOLE;
	assert_false(irqchip__mmio_read(v, 0xd0000030, 4, &value));
	assert_false(irqchip__mmio_write(v, 0xd0000080, 4, &value));
	fake__free(vm);
}

static void test_base_transitions(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	assert_int_equal(lapic__set_base(v, 0xfee00d00), 0); /* xAPIC to x2APIC */
	assert_int_equal(lapic__set_base(v, 0xfee00900), 1); /* and not back */
	assert_int_equal(lapic__set_base(v, 0xfee00500), 1); /* no such mode */
	assert_int_equal(lapic__set_base(v, 0xfee00100), 0); /* disabled */
	assert_int_equal(lapic__set_base(v, 0xfee00d00), 1); /* not at once */
	assert_int_equal(lapic__set_base(v, 0xfee00900), 0);
	assert_int_equal(lapic__set_base(v, 0xfee00901), 1); /* reserved */
	assert_int_equal(lapic__set_base(v, 0xfee00b00), 1);
	assert_int_equal(lapic__set_base(v, 0x100fee00900), 1); /* beyond MAXPHYADDR */
	assert_int_equal(lapic__get_base(v), 0xfee00900);
	/* User space may do all of it. */
	assert_int_equal(lapic__set_base_host(v, 0xfee00d00), 0);
	assert_int_equal(lapic__set_base_host(v, 0xfee00900), 0);
	assert_int_equal(lapic__set_base_host(v, 0xfee00100), 0);
	assert_int_equal(lapic__set_base_host(v, 0xfee00d00), 0);
	assert_int_equal(lapic__set_base_host(v, 0xfee00500), 1);
	assert_int_equal(lapic__set_base_host(v, 0xfee00900), 0);
	v->cpuid.features[FEAT_X2APIC / 64] &= ~BIT64(FEAT_X2APIC % 64);
	assert_int_equal(lapic__set_base(v, 0xfee00d00), 1);
	fake__free(vm);
}

static void test_x2apic(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v0 = vm->vcpus[0], *v1, *far = fake__add_vcpu(vm, 0x123);
	u64 value;

	v1 = vm->vcpus[1];
	fake__enable_apics(vm);
	assert_int_equal(lapic__read_msr(v0, 0x802, &value), 1); /* xAPIC mode: #GP */
	to_x2apic(v0);
	to_x2apic(v1);
	to_x2apic(far);
	assert_int_equal(rdmsr(v1, 0x802), 1);
	assert_int_equal(rdmsr(far, 0x802), 0x123);
	assert_int_equal(rdmsr(far, 0x80d), 0x12 << 16 | 1 << 3);
	assert_int_equal(rdmsr(v1, 0x803), 0x50014);
	/* Not there, read-only, write-only, reserved bits. */
	assert_int_equal(lapic__read_msr(v0, 0x80e, &value), 1);
	assert_int_equal(lapic__read_msr(v0, 0x831, &value), 1);
	assert_int_equal(lapic__read_msr(v0, 0x809, &value), 1);
	assert_int_equal(lapic__read_msr(v0, 0x80b, &value), 1);
	assert_int_equal(lapic__read_msr(v0, 0x83f, &value), 1);
	assert_int_equal(lapic__read_msr(v0, 0x840, &value), 1);
	assert_int_equal(lapic__write_msr(v0, 0x802, 5), 1);
	assert_int_equal(lapic__write_msr(v0, 0x80d, 5), 1);
	assert_int_equal(lapic__write_msr(v0, 0x831, 0), 1);
	assert_int_equal(lapic__write_msr(v0, 0x80b, 1), 1);
	assert_int_equal(lapic__write_msr(v0, 0x828, 1), 1);
	assert_int_equal(lapic__write_msr(v0, 0x83f, 0x141), 1);
	assert_int_equal(lapic__write_msr(v0, 0x808, 1ULL << 32), 1);
	assert_int_equal(lapic__write_msr(v0, 0x830, 1ULL << 20), 1);
	assert_int_equal(lapic__write_msr(v0, 0x8ff, 0), 1);
	/* Self-IPI, ICR by 32-bit ID, by cluster, broadcast. */
	assert_int_equal(lapic__write_msr(v0, 0x83f, 0x41), 0);
	assert_int_equal(take(v0), 0x41);
	assert_int_equal(lapic__write_msr(v0, 0x80b, 0), 0);
	assert_int_equal(lapic__write_msr(v0, 0x830, 0x123ULL << 32 | 0x4042), 0);
	assert_int_equal(rdmsr(v0, 0x830), 0x123ULL << 32 | 0x4042);
	assert_int_equal(take(far), 0x42);
	assert_int_equal(lapic__write_msr(v0, 0x830, 0x120008ULL << 32 | 0x4852), 0);
	assert_int_equal(take(far), 0x52);
	assert_int_equal(lapic__write_msr(v0, 0x830, 0x3ULL << 32 | 0x4852), 0);
	assert_int_equal(take(v0), 0x52);
	assert_int_equal(take(v1), 0x52);
	assert_int_equal(take(far), -1);
	assert_int_equal(lapic__write_msr(v0, 0x830, 0xffffffffULL << 32 | 0x4063), 0);
	assert_int_equal(take(v0), 0x63);
	assert_int_equal(take(v1), 0x63);
	assert_int_equal(take(far), 0x63);
	/* FFH from an x2APIC is an ID, not a broadcast. */
	assert_int_equal(lapic__write_msr(v0, 0x830, 0xffULL << 32 | 0x4073), 0);
	assert_int_equal(take(v1), -1);
	/* A logical ID of more than 8 bits is no xAPIC's. */
	assert_int_equal(lapic__set_base_host(v1, 0xfee00800), 0);
	lapic__set_reg(v1->lapic, APIC_LDR, 0x01000000);
	lapic__publish(v1->lapic);
	assert_int_equal(lapic__write_msr(v0, 0x830, 0x101ULL << 32 | 0x4883), 0);
	assert_int_equal(take(v1), -1);
	assert_int_equal(lapic__write_msr(v0, 0x830, 0x001ULL << 32 | 0x4893), 0);
	assert_int_equal(take(v1), 0x93);
	/* INIT keeps the mode, and the ID. */
	lapic__reset(far, true);
	assert_int_equal(rdmsr(far, 0x802), 0x123);
	assert_int_equal(rdmsr(far, 0x80d), 0x12 << 16 | 1 << 3);
	assert_int_equal(rdmsr(far, 0x80f), 0xff);
	fake__free(vm);
}

static void test_pv_ipi(void **state)
{
	struct vm *vm = fake__vm(3);
	struct vcpu *v0 = vm->vcpus[0], *far = fake__add_vcpu(vm, 100);

	fake__enable_apics(vm);
	assert_int_equal(lapic__pv_send_ipi(v0, 5, 0, 0, 0x41), 2);
	assert_int_equal(take(v0), 0x41);
	assert_int_equal(take(vm->vcpus[1]), -1);
	assert_int_equal(take(vm->vcpus[2]), 0x41);
	assert_int_equal(lapic__pv_send_ipi(v0, 0, 1ULL << 36, 0, 0x51), 1);
	assert_int_equal(take(far), 0x51);
	/* The second bitmap follows the first, which is one register wide. */
	v0->cpu.code_size = 4;
	assert_int_equal(lapic__pv_send_ipi(v0, 0, 1ULL << 4, 64, 0x61), 1);
	assert_int_equal(take(far), 0x61);
	assert_int_equal(lapic__pv_send_ipi(v0, ~0ULL, ~0ULL, 0xfffffff0, 0x61), 0);
	assert_int_equal(lapic__pv_send_ipi(v0, 1, 0, 1, 0x400), 1); /* NMI */
	assert_int_equal(vm->vcpus[1]->nmi_queued, 1);
	assert_int_equal(lapic__pv_send_ipi(v0, 1, 0, 0, 0x841), -22);
	assert_int_equal(lapic__pv_send_ipi(v0, 1, 0, 0, 0x40041), -22);
	fake__free(vm);
}

static void test_pv_eoi(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	u8 *flag = &fake_ram[0x1000];

	fake__enable_apics(vm);
	assert_int_equal(lapic__set_pv_eoi(v, 0x1002 | 1), 1);	 /* not aligned */
	assert_int_equal(lapic__set_pv_eoi(v, 0x100000 | 1), 1); /* no memory */
	assert_int_equal(lapic__set_pv_eoi(v, 0x1001), 0);
	assert_int_equal(lapic__get_pv_eoi(v), 0x1001);
	ipi(v, 0, 0x4041);
	assert_int_equal(take(v), 0x41);
	lapic__before_entry(v);
	assert_int_equal(*flag, 1);
	*flag = 0; /* the guest ends it */
	ipi(v, 0, 0x4042);
	assert_true(irqchip__has_interrupt(v));
	assert_int_equal(take(v), 0x42);
	/* Not ended: the flag is taken back, and the lower one waits. */
	lapic__before_entry(v);
	assert_int_equal(*flag, 1);
	ipi(v, 0, 0x4031);
	assert_int_equal(take(v), -1);
	assert_int_equal(*flag, 0);
	lapic__before_entry(v);
	assert_int_equal(*flag, 0); /* something is requested: a real EOI is needed */
	eoi(v);
	assert_int_equal(take(v), 0x31);
	/* Reading ISR shows what the guest has ended. */
	lapic__before_entry(v);
	assert_int_equal(*flag, 1);
	*flag = 0;
	assert_int_equal(fake__apic_read(v, APIC_ISR + 0x10), 0);
	/* Never for what the IOAPIC waits for. */
	fake__set_redir(v, 18, 0x8000 | 0x51);
	fake__line(vm, 18, true);
	assert_int_equal(take(v), 0x51);
	lapic__before_entry(v);
	assert_int_equal(*flag, 0);
	lapic__reset(v, true);
	assert_int_equal(lapic__get_pv_eoi(v), 0);
	fake__free(vm);
}

static void test_state(void **state)
{
	struct vm *vm = fake__vm(2);
	struct vcpu *v = vm->vcpus[1];
	struct kvm_lapic_state saved;
	u32 *regs = (u32 *)saved.regs;

	fake__enable_apics(vm);
	ipi(v, 1, 0x4041);
	ipi(v, 1, 0x4052);
	assert_int_equal(take(v), 0x52);
	fake__apic_write(v, APIC_TPR, 0x20);
	assert_int_equal(lapic__get_state(v, &saved), 0);
	assert_int_equal(regs[APIC_ID / 4], 0x01000000);
	assert_int_equal(regs[APIC_PPR / 4], 0x50);
	assert_int_equal(regs[(APIC_IRR + 0x20) / 4], 2);
	lapic__reset(v, false);
	assert_false(irqchip__has_interrupt(v));
	assert_int_equal(lapic__set_state(v, &saved), 0);
	assert_int_equal(take(v), -1);
	eoi(v);
	assert_int_equal(take(v), 0x41);
	/* x2APIC: the ID's place depends on KVM_X2APIC_API_USE_32BIT_IDS. */
	to_x2apic(v);
	assert_int_equal(lapic__get_state(v, &saved), 0);
	assert_int_equal(regs[APIC_ID / 4], 0x01000000);
	assert_int_equal(lapic__set_state(v, &saved), 0);
	vm->x2apic_32bit_ids = true;
	assert_int_equal(lapic__get_state(v, &saved), 0);
	assert_int_equal(regs[APIC_ID / 4], 1);
	regs[APIC_ID / 4] = 0;
	assert_int_equal(lapic__set_state(v, &saved), -EINVAL);
	/* Anything may come from a file. */
	vm->x2apic_32bit_ids = false;
	memset(&saved, 0xff, sizeof(saved));
	assert_int_equal(lapic__set_state(v, &saved), 0);
	assert_int_equal(rdmsr(v, 0x802), 1);
	assert_int_equal(rdmsr(v, 0x803), 0x50014);
	fake__advance(10000000000ULL);
	while (take(v) >= 0)
		;
	fake__free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_values),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_task_priority),
		cmocka_unit_test(test_shorthands),
		cmocka_unit_test(test_logical_modes),
		cmocka_unit_test(test_init_sipi_nmi),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_software_disable),
		cmocka_unit_test(test_mmio_rules),
		cmocka_unit_test(test_base_transitions),
		cmocka_unit_test(test_x2apic),
		cmocka_unit_test(test_pv_ipi),
		cmocka_unit_test(test_pv_eoi),
		cmocka_unit_test(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
