/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irqfd, ioeventfd, MSI and routing. */
#include "tests/api/seam.h"
#include <sys/eventfd.h>
#include <unistd.h>

#define VECTOR 0x20
#define HANDLER 0x3000

static uint64_t read_count(int fd)
{
	uint64_t count = 0;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

GUEST(port_code, "mov $0x11, %al; mov $0x510, %dx; out %al, %dx; mov $0x12, %al; out %al, %dx;"
		 "out %ax, %dx; hlt");

static void a_port_write_signals(void **state)
{
	struct kvm_ioeventfd io = { .addr = 0x510, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO };
	struct machine *m = *state;

	io.fd = eventfd(0, EFD_NONBLOCK);
	assert_ioctl_works(m->vm, KVM_IOEVENTFD, &io);
	MACHINE_LOAD(m, port_code);
	/* Both byte writes match; the word does not. */
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->io.size, 2);
	assert_int_equal(read_count(io.fd), 2);
	machine__run_to_halt(m);
	io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	assert_ioctl_works(m->vm, KVM_IOEVENTFD, &io);
	assert_ioctl_fails(m->vm, KVM_IOEVENTFD, &io, ENOENT);
	close(io.fd);
}

static void data_match_selects(void **state)
{
	struct kvm_ioeventfd io = { .addr = 0x510, .len = 1, .datamatch = 0x12,
				    .flags = KVM_IOEVENTFD_FLAG_PIO |
					     KVM_IOEVENTFD_FLAG_DATAMATCH };
	struct machine *m = *state;

	io.fd = eventfd(0, EFD_NONBLOCK);
	assert_ioctl_works(m->vm, KVM_IOEVENTFD, &io);
	assert_ioctl_fails(m->vm, KVM_IOEVENTFD, &io, EEXIST);
	MACHINE_LOAD(m, port_code);
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->io.size, 1);
	assert_int_equal(*(uint8_t *)machine__pio_data(m), 0x11);
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->io.size, 2);
	assert_int_equal(read_count(io.fd), 1);
	close(io.fd);
}

GUEST(mmio_code, "mov $0xf000, %ax; mov %ax, %ds; movl $5, 0x100; movl $6, 0x104; hlt");

static void a_memory_write_signals(void **state)
{
	struct kvm_userspace_memory_region region = { .memory_size = 0 };
	struct kvm_ioeventfd io = { .addr = 0xf0100, .len = 4 };
	struct machine *m = *state;

	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
	region.memory_size = 0x80000;
	region.userspace_addr = (uintptr_t)m->memory;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
	io.fd = eventfd(0, EFD_NONBLOCK);
	assert_ioctl_works(m->vm, KVM_IOEVENTFD, &io);
	MACHINE_LOAD(m, mmio_code);
	assert_int_equal(machine__run(m), KVM_EXIT_MMIO);
	assert_int_equal(m->run->mmio.phys_addr, 0xf0104);
	assert_int_equal(read_count(io.fd), 1);
	close(io.fd);
}

static void bad_ioeventfds_are_refused(void **state)
{
	struct kvm_ioeventfd io = { .addr = 0x1000, .len = 3 };
	struct machine *m = *state;

	io.fd = eventfd(0, 0);
	assert_ioctl_fails(m->vm, KVM_IOEVENTFD, &io, EINVAL);
	io.len = 4;
	io.flags = 1u << 20;
	assert_ioctl_fails(m->vm, KVM_IOEVENTFD, &io, EINVAL);
	io.flags = 0;
	io.addr = ~0ULL;
	assert_ioctl_fails(m->vm, KVM_IOEVENTFD, &io, EINVAL);
	io.addr = 0x1000;
	close(io.fd);
	io.fd = -1;
	assert_ioctl_fails(m->vm, KVM_IOEVENTFD, &io, EBADF);
	io.fd = 1; /* no eventfd */
	assert_int_equal(seam__ioctl(m->vm, KVM_IOEVENTFD, (unsigned long)&io), -1);
}

static const uint8_t handler[] = {
	0x43,		/* inc %bx */
	0xb0, 0x20,	/* mov $0x20, %al */
	0xe6, 0x20,	/* out %al, $0x20 */
	0xcf,		/* iret */
};

GUEST(wait_code, "mov $0x11, %al; out %al, $0x20; mov $0x20, %al; out %al, $0x21; mov $4, %al;"
		 "out %al, $0x21; mov $1, %al; out %al, $0x21; mov $0, %al; out %al, $0x21;"
		 "out %al, $0x80; 1: cli; test %bx, %bx; jnz 2f; sti; hlt; jmp 1b;"
		 "2: dec %bx; out %al, $0x81; jmp 1b");

static void an_irqfd_interrupts(void **state)
{
	struct kvm_irqfd irqfd = { .gsi = 3 };
	struct machine *m = *state;
	uint64_t one = 1;
	unsigned i;

	memcpy(m->memory + HANDLER, handler, sizeof(handler));
	*(uint16_t *)(m->memory + 4 * (VECTOR + 3)) = HANDLER;
	irqfd.fd = eventfd(0, 0);
	assert_ioctl_works(m->vm, KVM_IRQFD, &irqfd);
	assert_ioctl_fails(m->vm, KVM_IRQFD, &irqfd, EBUSY);
	MACHINE_LOAD(m, wait_code);
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	for (i = 0; i < 5; i++) {
		assert_int_equal(write(irqfd.fd, &one, sizeof(one)), sizeof(one));
		assert_int_equal(machine__run(m), KVM_EXIT_IO);
		assert_int_equal(m->run->io.port, 0x81);
	}
	irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	assert_ioctl_works(m->vm, KVM_IRQFD, &irqfd);
	close(irqfd.fd);
	irqfd = (struct kvm_irqfd){ .fd = -1, .gsi = 3 };
	assert_ioctl_fails(m->vm, KVM_IRQFD, &irqfd, EBADF);
}

static void routes_are_checked(void **state)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[2];
	} table = { .head.nr = 1,
		    .entry = { { .gsi = 5, .type = KVM_IRQ_ROUTING_IRQCHIP,
				 .u.irqchip = { KVM_IRQCHIP_IOAPIC, 5 } } } };
	struct machine *m = *state;

	assert_ioctl_works(m->vm, KVM_SET_GSI_ROUTING, &table);
	table.entry[0].u.irqchip.pin = 99;
	assert_ioctl_fails(m->vm, KVM_SET_GSI_ROUTING, &table, EINVAL);
	table.entry[0].u.irqchip.pin = 5;
	table.entry[0].type = 77;
	assert_ioctl_fails(m->vm, KVM_SET_GSI_ROUTING, &table, EINVAL);
	table.entry[0].type = KVM_IRQ_ROUTING_IRQCHIP;
	table.entry[0].gsi = 4096;
	assert_ioctl_fails(m->vm, KVM_SET_GSI_ROUTING, &table, EINVAL);
	table.head.flags = 1;
	assert_ioctl_fails(m->vm, KVM_SET_GSI_ROUTING, &table, EINVAL);
	table.head.flags = 0;
	table.head.nr = 4097;
	assert_ioctl_fails(m->vm, KVM_SET_GSI_ROUTING, &table, EINVAL);
}

static void messages_need_an_apic(void **state)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = VECTOR };
	struct machine *m = *state;

	assert_ioctl_fails(m->vm, KVM_SIGNAL_MSI, &msi, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_port_write_signals),
		MACHINE_TEST(data_match_selects),
		MACHINE_TEST(a_memory_write_signals),
		MACHINE_TEST(bad_ioeventfds_are_refused),
		IRQCHIP_TEST(an_irqfd_interrupts),
		IRQCHIP_TEST(routes_are_checked),
		MACHINE_TEST(messages_need_an_apic),
	};

	alarm(60); /* a hang is a failure */
	return SEAM_RUN("eventfd", tests);
}
