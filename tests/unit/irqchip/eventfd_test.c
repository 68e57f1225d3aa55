/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irqfd with and without resampling, ioeventfd matching, coalesced zones. */
#include "fake.h"

#include <stdlib.h>

static int irqfd(struct vm *vm, u32 fd, u32 gsi, u32 flags, u32 resample)
{
	struct kvm_irqfd args = {.fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample};

	return irqfd__configure(vm, &args);
}

static void test_irqfd(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__enable_apics(vm);
	fake__set_redir(v, 20, 0x61);
	assert_int_equal(irqfd(vm, 10, 20, 0, 0), 0);
	fake__signal(10);
	assert_int_equal(irqchip__take_interrupt(v), 0x61);
	fake__apic_write(v, APIC_EOI, 0);
	fake__signal(10); /* an edge each time */
	assert_int_equal(irqchip__take_interrupt(v), 0x61);
	assert_int_equal(irqfd(vm, 10, 21, 0, 0), -EBUSY);
	assert_int_equal(irqfd(vm, 3, 21, 0, 0), -EBADF);
	assert_int_equal(irqfd(vm, -1, 21, 0, 0), -EBADF);
	assert_int_equal(irqfd(vm, 11, 21, 4, 0), -EINVAL);
	assert_int_equal(irqfd(vm, 11, 21, KVM_IRQFD_FLAG_RESAMPLE, 3), -EBADF);
	assert_int_equal(fake__eventfd_refs(11), 0);
	/* Deassign: by eventfd and GSI; nothing there is no error. */
	assert_int_equal(irqfd(vm, 10, 21, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	assert_int_equal(fake__eventfd_refs(10), 1);
	assert_int_equal(irqfd(vm, 10, 20, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	assert_int_equal(fake__eventfd_refs(10), 0);
	fake__apic_write(v, APIC_EOI, 0);
	fake__signal(10);
	assert_false(irqchip__has_interrupt(v));
	assert_int_equal(irqfd(vm, 3, 20, KVM_IRQFD_FLAG_DEASSIGN, 0), -EBADF);
	/* What is left goes with the machine. */
	assert_int_equal(irqfd(vm, 12, 20, KVM_IRQFD_FLAG_RESAMPLE, 13), 0);
	fake__free(vm);
}

static void test_resample(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__enable_apics(vm);
	fake__set_redir(v, 20, 0x8000 | 0x61);
	assert_int_equal(irqfd(vm, 10, 20, KVM_IRQFD_FLAG_RESAMPLE, 11), 0);
	assert_int_equal(irqfd(vm, 12, 20, KVM_IRQFD_FLAG_RESAMPLE, 13), 0);
	fake__signal(10);
	assert_int_equal(irqchip__take_interrupt(v), 0x61);
	assert_int_equal(fake__take_signals(11), 0);
	fake__apic_write(v, APIC_EOI, 0);
	/* Lowered on EOI, and all who share the GSI are asked. */
	assert_int_equal(fake__take_signals(11), 1);
	assert_int_equal(fake__take_signals(13), 1);
	assert_false(irqchip__has_interrupt(v));
	/* Edge-triggered pins tell of their EOI too. */
	fake__set_redir(v, 20, 0x71);
	fake__signal(12);
	assert_int_equal(irqchip__take_interrupt(v), 0x71);
	fake__apic_write(v, APIC_EOI, 0);
	assert_int_equal(fake__take_signals(11), 1);
	/* The last one that goes lowers the line. */
	fake__set_redir(v, 20, 0x8000 | 0x61);
	fake__signal(10);
	assert_int_equal(irqfd(vm, 12, 20, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	assert_int_equal(irqchip__take_interrupt(v), 0x61);
	assert_int_equal(irqfd(vm, 10, 20, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	fake__apic_write(v, APIC_EOI, 0);
	assert_false(irqchip__has_interrupt(v));
	fake__free(vm);
}

static void test_resample_by_pic(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];

	fake__out(v, 0x20, 0x11);
	fake__out(v, 0x21, 0x20);
	fake__out(v, 0x21, 4);
	fake__out(v, 0x21, 1);
	fake__out(v, 0x21, 0);
	fake__out(v, 0x4d0, 0x20);
	assert_int_equal(irqfd(vm, 10, 5, KVM_IRQFD_FLAG_RESAMPLE, 11), 0);
	fake__signal(10);
	assert_int_equal(irqchip__take_interrupt(v), 0x25);
	fake__out(v, 0x20, 0x20);
	assert_int_equal(fake__take_signals(11), 1);
	assert_false(irqchip__has_interrupt(v));
	fake__free(vm);
}

static void test_irqfd_msi(void **state)
{
	struct vm *vm = fake__split_vm(2, 0);
	struct kvm_irq_routing_entry e = {.gsi = 5, .type = KVM_IRQ_ROUTING_MSI};

	fake__enable_apics(vm);
	e.u.msi.address_lo = 0xfee01000;
	e.u.msi.data = 0x41;
	/* A GSI may be routed after its irqfd was made. */
	assert_int_equal(irqfd(vm, 10, 5, 0, 0), 0);
	fake__signal(10);
	assert_int_equal(irqchip__set_routing(vm, &e, 1, 0), 0);
	fake__signal(10);
	assert_int_equal(irqchip__take_interrupt(vm->vcpus[1]), 0x41);
	assert_int_equal(irqfd(vm, 12, 5, KVM_IRQFD_FLAG_RESAMPLE, 13), -EINVAL);
	fake__free(vm);
}

static int ioeventfd(struct vm *vm, u64 addr, u32 len, int fd, u32 flags, u64 datamatch)
{
	struct kvm_ioeventfd args = {
		.addr = addr, .len = len, .fd = fd, .flags = flags, .datamatch = datamatch};

	return ioeventfd__configure(vm, &args);
}

static bool mmio(struct vcpu *v, u64 gpa, unsigned size, u64 value)
{
	return ioeventfd__mmio_write(v, gpa, size, &value);
}

static void test_ioeventfd_matching(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	u32 match = KVM_IOEVENTFD_FLAG_DATAMATCH, pio = KVM_IOEVENTFD_FLAG_PIO;

	assert_false(mmio(v, 0x1000, 4, 1));
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 10, match, 1), 0);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 11, match, 2), 0);
	assert_int_equal(ioeventfd(vm, 0x1000, 2, 12, 0, 0), 0);
	assert_int_equal(ioeventfd(vm, 0x2000, 0, 13, 0, 0), 0);
	assert_int_equal(ioeventfd(vm, 0x1000, 2, 14, pio, 0), 0);
	assert_int_equal(ioeventfd(vm, 0x800, 8, 15, match, 0x1122334455667788), 0);
	assert_true(mmio(v, 0x1000, 4, 1));
	assert_true(mmio(v, 0x1000, 4, 0xff00000002)); /* four bytes are compared */
	assert_false(mmio(v, 0x1000, 4, 3));
	assert_true(mmio(v, 0x1000, 2, 77));
	assert_false(mmio(v, 0x1000, 1, 1));
	assert_false(mmio(v, 0x1001, 2, 1));
	assert_true(mmio(v, 0x2000, 1, 9));
	assert_true(mmio(v, 0x2000, 8, 9));
	assert_true(mmio(v, 0x800, 8, 0x1122334455667788));
	assert_false(mmio(v, 0x800, 8, 0x55667788));
	assert_true(ioeventfd__port_write(v, 0x1000, 2, 5));
	assert_false(ioeventfd__port_write(v, 0x2000, 2, 5));
	assert_int_equal(fake__take_signals(10), 1);
	assert_int_equal(fake__take_signals(11), 1);
	assert_int_equal(fake__take_signals(12), 1);
	assert_int_equal(fake__take_signals(13), 2);
	assert_int_equal(fake__take_signals(14), 1);
	assert_int_equal(fake__take_signals(15), 1);
	/* Removed exactly as registered. */
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 10, match | KVM_IOEVENTFD_FLAG_DEASSIGN, 2),
			 -ENOENT);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 10, KVM_IOEVENTFD_FLAG_DEASSIGN, 1), -ENOENT);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 11, match | KVM_IOEVENTFD_FLAG_DEASSIGN, 1),
			 -ENOENT);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 10, match | KVM_IOEVENTFD_FLAG_DEASSIGN, 1), 0);
	assert_int_equal(fake__eventfd_refs(10), 0);
	assert_false(mmio(v, 0x1000, 4, 1));
	assert_true(mmio(v, 0x1000, 4, 2));
	fake__free(vm);
}

static void test_ioeventfd_errors(void **state)
{
	struct vm *vm = fake__vm(1);
	u32 match = KVM_IOEVENTFD_FLAG_DATAMATCH;
	unsigned i;

	assert_int_equal(ioeventfd(vm, 0x1000, 3, 10, 0, 0), -EINVAL);
	assert_int_equal(ioeventfd(vm, 0x1000, 16, 10, 0, 0), -EINVAL);
	assert_int_equal(ioeventfd(vm, ~0ULL, 4, 10, 0, 0), -EINVAL);
	assert_int_equal(ioeventfd(vm, 0x1000, 0, 10, match, 0), -EINVAL);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 10, KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY, 0),
			 -EINVAL);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 10, 0x100, 0), -EINVAL);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 3, 0, 0), -EBADF);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 10, match, 1), 0);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 11, match, 1), -EEXIST);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 11, 0, 0), -EEXIST);
	assert_int_equal(ioeventfd(vm, 0x1000, 0, 11, 0, 0), -EEXIST);
	assert_int_equal(ioeventfd(vm, 0x1000, 8, 11, 0, 0), 0);
	for (i = 2; i < 1000; i++)
		assert_int_equal(ioeventfd(vm, 0x2000 + i * 7919 % 100003, 4, 12, match, i), 0);
	assert_int_equal(ioeventfd(vm, 0x200000, 4, 12, 0, 0), -ENOSPC);
	assert_int_equal(ioeventfd(vm, 0x1000, 4, 3, KVM_IOEVENTFD_FLAG_DEASSIGN, 0), -EBADF);
	for (i = 2; i < 1000; i++)
		assert_true(mmio(vm->vcpus[0], 0x2000 + i * 7919 % 100003, 4, i));
	assert_int_equal(fake__take_signals(12), 998);
	fake__free(vm);
}

static void test_coalesced(void **state)
{
	struct vm *vm = fake__vm(1);
	struct vcpu *v = vm->vcpus[0];
	struct kvm_coalesced_mmio_ring *ring = calloc(1, 4096);
	struct kvm_coalesced_mmio_zone zone = {.addr = 0xa0000, .size = 0x1000};
	unsigned n;

	v->coalesced = ring;
	assert_int_equal(coalesced__register(vm, &zone), 0);
	zone = (struct kvm_coalesced_mmio_zone){.addr = 0x70, .size = 1, .pio = 1};
	assert_int_equal(coalesced__register(vm, &zone), 0);
	zone.pio = 2;
	assert_int_equal(coalesced__register(vm, &zone), -EINVAL);
	assert_int_equal(coalesced__unregister(vm, &zone), -EINVAL);
	assert_true(mmio(v, 0xa0010, 4, 0x11223344));
	assert_true(ioeventfd__port_write(v, 0x70, 1, 0x8f));
	assert_false(mmio(v, 0xa0ffe, 4, 1)); /* reaches beyond */
	assert_false(mmio(v, 0x9ffff, 1, 1));
	assert_false(mmio(v, 0x70, 1, 1));
	assert_int_equal(ring->last, 2);
	assert_int_equal(ring->coalesced_mmio[0].phys_addr, 0xa0010);
	assert_int_equal(ring->coalesced_mmio[0].len, 4);
	assert_int_equal(ring->coalesced_mmio[0].pio, 0);
	assert_memory_equal(ring->coalesced_mmio[0].data, "\x44\x33\x22\x11", 4);
	assert_int_equal(ring->coalesced_mmio[1].pio, 1);
	/* Full: one slot stays free. */
	for (n = 2; mmio(v, 0xa0000, 8, n) && n < 1000; n++)
		;
	assert_int_equal(n, 169);
	ring->first = 1;
	assert_true(mmio(v, 0xa0000, 8, 0));
	assert_int_equal(ring->last, 0);
	/* Whatever user space writes there. */
	ring->last = 0xffffffff;
	assert_false(mmio(v, 0xa0000, 8, 0));
	ring->last = 170;
	assert_false(mmio(v, 0xa0000, 8, 0));
	ring->last = 0;
	ring->first = 0xffffffff;
	assert_true(mmio(v, 0xa0000, 8, 0));
	zone = (struct kvm_coalesced_mmio_zone){.addr = 0xa0000, .size = 0x10};
	assert_int_equal(coalesced__unregister(vm, &zone), 0);
	assert_false(mmio(v, 0xa0000, 8, 0));
	assert_true(ioeventfd__port_write(v, 0x70, 1, 0));
	fake__free(vm);
	free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_irqfd),
		cmocka_unit_test(test_resample),
		cmocka_unit_test(test_resample_by_pic),
		cmocka_unit_test(test_irqfd_msi),
		cmocka_unit_test(test_ioeventfd_matching),
		cmocka_unit_test(test_ioeventfd_errors),
		cmocka_unit_test(test_coalesced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
