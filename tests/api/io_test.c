/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Port I/O and device memory: what exits look like, and how instructions complete. */
#include "tests/api/seam.h"

#define DEVICE 0x80000 /* inside of the memory slot's hole below: see punch_hole() */

/* Leaves [0, 512 KiB) as memory, so that DEVICE is device memory in reach of real mode. */
static void punch_hole(struct machine *m)
{
	struct kvm_userspace_memory_region region = { .memory_size = 0 };

	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
	region.memory_size = DEVICE;
	region.userspace_addr = (uintptr_t)m->memory;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void expect_port(struct machine *m, int direction, int size, int port, unsigned count)
{
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->io.direction, direction);
	assert_int_equal(m->run->io.size, size);
	assert_int_equal(m->run->io.port, port);
	assert_int_equal(m->run->io.count, count);
}

static void expect_mmio(struct machine *m, bool write, unsigned len, uint64_t address)
{
	assert_int_equal(machine__run(m), KVM_EXIT_MMIO);
	assert_int_equal(m->run->mmio.is_write, write);
	assert_int_equal(m->run->mmio.len, len);
	assert_int_equal(m->run->mmio.phys_addr, address);
}

GUEST(out_code, "mov $0x11223344, %eax; mov $0x3f8, %dx; out %al, $0x80; out %ax, %dx;"
		"out %eax, %dx; hlt");

static void out_gives_the_data(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, out_code);
	expect_port(m, KVM_EXIT_IO_OUT, 1, 0x80, 1);
	assert_int_equal(*(uint8_t *)machine__pio_data(m), 0x44);
	expect_port(m, KVM_EXIT_IO_OUT, 2, 0x3f8, 1);
	assert_int_equal(*(uint16_t *)machine__pio_data(m), 0x3344);
	expect_port(m, KVM_EXIT_IO_OUT, 4, 0x3f8, 1);
	assert_int_equal(*(uint32_t *)machine__pio_data(m), 0x11223344);
	machine__run_to_halt(m);
}

GUEST(in_code, "mov $0xffffffff, %eax; mov $0x70, %dx; in %dx, %al; mov %eax, %ebx;"
	       "in %dx, %ax; mov %eax, %ecx; in %dx, %eax; hlt");

static void in_takes_the_data(void **state)
{
	struct machine *m = *state;
	struct kvm_regs regs;

	MACHINE_LOAD(m, in_code);
	expect_port(m, KVM_EXIT_IO_IN, 1, 0x70, 1);
	*(uint8_t *)machine__pio_data(m) = 0x5a;
	expect_port(m, KVM_EXIT_IO_IN, 2, 0x70, 1);
	*(uint16_t *)machine__pio_data(m) = 0xbeef;
	expect_port(m, KVM_EXIT_IO_IN, 4, 0x70, 1);
	*(uint32_t *)machine__pio_data(m) = 0xcafebabe;
	machine__run_to_halt(m);
	regs = machine__regs(m);
	assert_int_equal(regs.rbx & 0xffffffff, 0xffffff5a);
	assert_int_equal(regs.rcx & 0xffffffff, 0xffffbeef);
	assert_int_equal(regs.rax & 0xffffffff, 0xcafebabe);
}

GUEST(outs_code, "cld; mov $0x2000, %si; mov $5, %cx; mov $0x99, %dx; rep outsb; hlt");

/* An implementation may hand out a string in one exit or in several. */
static void rep_outs_gives_all_in_order(void **state)
{
	struct machine *m = *state;
	struct kvm_regs regs;
	char got[8] = "";
	unsigned n = 0;

	memcpy(m->memory + 0x2000, "abcde", 5);
	MACHINE_LOAD(m, outs_code);
	while (machine__run(m) == KVM_EXIT_IO) {
		assert_int_equal(m->run->io.direction, KVM_EXIT_IO_OUT);
		assert_int_equal(m->run->io.size, 1);
		assert_in_range(m->run->io.count, 1, 5 - n);
		memcpy(got + n, machine__pio_data(m), m->run->io.count);
		n += m->run->io.count;
	}
	assert_int_equal(m->run->exit_reason, KVM_EXIT_HLT);
	assert_string_equal(got, "abcde");
	regs = machine__regs(m);
	assert_int_equal(regs.rcx & 0xffff, 0);
	assert_int_equal(regs.rsi & 0xffff, 0x2005);
}

GUEST(ins_code, "cld; mov $0x2000, %di; mov $4, %cx; mov $0x99, %dx; rep insw; hlt");

static void rep_ins_takes_all_in_order(void **state)
{
	struct machine *m = *state;
	uint16_t next = 0x100;
	struct kvm_regs regs;

	MACHINE_LOAD(m, ins_code);
	while (machine__run(m) == KVM_EXIT_IO) {
		uint16_t *data = machine__pio_data(m);

		assert_int_equal(m->run->io.direction, KVM_EXIT_IO_IN);
		assert_int_equal(m->run->io.size, 2);
		for (unsigned i = 0; i < m->run->io.count; i++)
			data[i] = next++;
	}
	assert_int_equal(m->run->exit_reason, KVM_EXIT_HLT);
	assert_int_equal(next, 0x104);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(((uint16_t *)(m->memory + 0x2000))[i], 0x100 + i);
	regs = machine__regs(m);
	assert_int_equal(regs.rcx & 0xffff, 0);
	assert_int_equal(regs.rdi & 0xffff, 0x2008);
}

GUEST(mmio_write_code, "mov $0x8000, %ax; mov %ax, %ds; mov $0x11223344, %eax; mov %al, 0x10;"
		       "mov %ax, 0x21; mov %eax, 0x32; hlt");

static void mmio_writes_have_their_size(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, mmio_write_code);
	punch_hole(m);
	expect_mmio(m, true, 1, DEVICE + 0x10);
	assert_int_equal(m->run->mmio.data[0], 0x44);
	expect_mmio(m, true, 2, DEVICE + 0x21);
	assert_memory_equal(m->run->mmio.data, "\x44\x33", 2);
	expect_mmio(m, true, 4, DEVICE + 0x32);
	assert_memory_equal(m->run->mmio.data, "\x44\x33\x22\x11", 4);
	machine__run_to_halt(m);
}

GUEST(mmio_read_code, "mov $0x8000, %ax; mov %ax, %ds; xor %eax, %eax; mov 0x10, %al;"
		      "movzbl 0x11, %ebx; movsbl 0x12, %ecx; mov 0x20, %edx; hlt");

static void mmio_reads_take_the_data(void **state)
{
	struct machine *m = *state;
	struct kvm_regs regs;

	MACHINE_LOAD(m, mmio_read_code);
	punch_hole(m);
	expect_mmio(m, false, 1, DEVICE + 0x10);
	m->run->mmio.data[0] = 0x77;
	expect_mmio(m, false, 1, DEVICE + 0x11);
	m->run->mmio.data[0] = 0x88;
	expect_mmio(m, false, 1, DEVICE + 0x12);
	m->run->mmio.data[0] = 0x99;
	expect_mmio(m, false, 4, DEVICE + 0x20);
	memcpy(m->run->mmio.data, "\xef\xbe\xad\xde", 4);
	machine__run_to_halt(m);
	regs = machine__regs(m);
	assert_int_equal(regs.rax & 0xffffffff, 0x77);
	assert_int_equal(regs.rbx & 0xffffffff, 0x88);
	assert_int_equal(regs.rcx & 0xffffffff, 0xffffff99);
	assert_int_equal(regs.rdx & 0xffffffff, 0xdeadbeef);
}

GUEST(mmio_rmw_code, "mov $0x8000, %ax; mov %ax, %ds; addw $3, 0x40; hlt");

static void mmio_read_modify_write_is_both(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, mmio_rmw_code);
	punch_hole(m);
	expect_mmio(m, false, 2, DEVICE + 0x40);
	memcpy(m->run->mmio.data, "\xff\xff", 2);
	expect_mmio(m, true, 2, DEVICE + 0x40);
	assert_memory_equal(m->run->mmio.data, "\x02\x00", 2);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rflags & 1, 1);
}

GUEST(movs_code, "cld; mov $0x8000, %ax; mov %ax, %ds; mov %ax, %es; mov $0, %si; mov $0x100, %di;"
		 "mov $3, %cx; rep movsb; hlt");

/* Device to device: each byte is read, then written. */
static void rep_movs_between_devices(void **state)
{
	struct machine *m = *state;
	unsigned reads = 0, writes = 0;

	MACHINE_LOAD(m, movs_code);
	punch_hole(m);
	while (machine__run(m) == KVM_EXIT_MMIO) {
		if (m->run->mmio.is_write) {
			assert_int_equal(m->run->mmio.phys_addr, DEVICE + 0x100 + writes);
			assert_int_equal(m->run->mmio.data[0], 'a' + writes);
			writes++;
		} else {
			assert_int_equal(m->run->mmio.phys_addr, DEVICE + reads);
			m->run->mmio.data[0] = 'a' + reads;
			reads++;
		}
		assert_true(writes <= reads);
	}
	assert_int_equal(m->run->exit_reason, KVM_EXIT_HLT);
	assert_int_equal(reads, 3);
	assert_int_equal(writes, 3);
}

GUEST(ins_mmio_code, "cld; mov $0x8000, %ax; mov %ax, %es; xor %di, %di; mov $0x60, %dx; insb; hlt");

static void ins_to_a_device(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, ins_mmio_code);
	punch_hole(m);
	expect_port(m, KVM_EXIT_IO_IN, 1, 0x60, 1);
	*(uint8_t *)machine__pio_data(m) = 0x42;
	expect_mmio(m, true, 1, DEVICE);
	assert_int_equal(m->run->mmio.data[0], 0x42);
	machine__run_to_halt(m);
}

GUEST(straddle_code, "mov $0x7800, %ax; mov %ax, %ds; mov $0x44332211, %eax; mov %eax, 0x7ffe; hlt");

/* Half in memory, half in device memory: each half goes to where it belongs. */
static void an_access_may_straddle_memory_and_device(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, straddle_code);
	punch_hole(m);
	expect_mmio(m, true, 2, DEVICE);
	assert_memory_equal(m->run->mmio.data, "\x33\x44", 2);
	machine__run_to_halt(m);
	assert_memory_equal(m->memory + DEVICE - 2, "\x11\x22", 2);
}

static void immediate_exit_completes_the_access_first(void **state)
{
	struct machine *m = *state;
	uint64_t rip;

	MACHINE_LOAD(m, in_code);
	expect_port(m, KVM_EXIT_IO_IN, 1, 0x70, 1);
	*(uint8_t *)machine__pio_data(m) = 0x5a;
	m->run->immediate_exit = 1;
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	assert_int_equal(machine__regs(m).rax & 0xff, 0x5a);
	rip = machine__regs(m).rip;
	/* And nothing more. */
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	assert_int_equal(machine__regs(m).rip, rip);
	m->run->immediate_exit = 0;
	expect_port(m, KVM_EXIT_IO_IN, 2, 0x70, 1);
}

static void immediate_exit_completes_mmio_first(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, mmio_rmw_code);
	punch_hole(m);
	expect_mmio(m, false, 2, DEVICE + 0x40);
	memcpy(m->run->mmio.data, "\x01\x00", 2);
	m->run->immediate_exit = 1;
	/* The instruction isn't complete before its write. */
	expect_mmio(m, true, 2, DEVICE + 0x40);
	assert_memory_equal(m->run->mmio.data, "\x04\x00", 2);
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	m->run->immediate_exit = 0;
	machine__run_to_halt(m);
}

GUEST(tf_code, "pushf; pop %ax; or $0x100, %ax; push %ax; popf; in $0x10, %al; nop; hlt");

/* A trap that is due after an instruction comes after user space completed it. */
static void single_step_traps_behind_completed_io(void **state)
{
	static const uint8_t handler[] = { 0x88, 0xc3, /* mov %al, %bl */ 0xf4 };
	struct machine *m = *state;

	memcpy(m->memory + 0x3000, handler, sizeof(handler));
	*(uint16_t *)(m->memory + 4) = 0x3000; /* vector 1 */
	*(uint16_t *)(m->memory + 6) = 0;
	MACHINE_LOAD(m, tf_code);
	expect_port(m, KVM_EXIT_IO_IN, 1, 0x10, 1);
	*(uint8_t *)machine__pio_data(m) = 0x99;
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rip, 0x3003);
	assert_int_equal(machine__regs(m).rbx & 0xff, 0x99);
	/* Behind the IN, at the NOP. */
	assert_int_equal(*(uint16_t *)(m->memory + GUEST_STACK - 6),
			 GUEST_CODE + (tf_code_end - tf_code) - 2);
}

GUEST(coalesced_code, "mov $0x8000, %ax; mov %ax, %ds; movl $0x01020304, 0x100;"
		      "movl $0x05060708, 0x104; movl $9, 0x200; hlt");

#define DEVICE_IDT 0x400000
#define DEVICE_GDT 0x500000

/* An exception whose gate and code segment's descriptor stand in device memory. */
static void gates_in_device_memory(void **state)
{
	static const uint64_t gate = 0x00008e0000083000, code = 0x00cf9b000000ffff;
	struct machine *m = *state;
	struct kvm_sregs sregs = machine__sregs(m);

	if (!seam__is_soft())
		skip(); /* KVM gives up (KVM_INTERNAL_ERROR_DELIVERY_EV) */
	sregs.cr0 |= 1;
	sregs.idt.base = DEVICE_IDT;
	sregs.idt.limit = 0xff;
	sregs.gdt.base = DEVICE_GDT;
	sregs.gdt.limit = 0xff;
	sregs.ss.db = 1;
	sregs.ss.limit = 0xffffffff;
	sregs.ss.g = 1;
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &sregs);
	m->memory[GUEST_CODE] = 0x0f; /* ud2 */
	m->memory[GUEST_CODE + 1] = 0x0b;
	m->memory[0x3000] = 0xf4;
	machine__load(m, m->memory + GUEST_CODE, m->memory + GUEST_CODE);
	expect_mmio(m, false, 8, DEVICE_IDT + 6 * 8);
	memcpy(m->run->mmio.data, &gate, 8);
	expect_mmio(m, false, 8, DEVICE_GDT + 8);
	memcpy(m->run->mmio.data, &code, 8);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rip, 0x3001);
}

static void coalesced_zones_are_written_to_the_ring(void **state)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = DEVICE + 0x100, .size = 0x100 };
	struct machine *m = *state;
	int page = seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	struct kvm_coalesced_mmio_ring *ring = (void *)((uint8_t *)m->run + page * 4096);

	if (page <= 0)
		skip();
	MACHINE_LOAD(m, coalesced_code);
	punch_hole(m);
	assert_ioctl_works(m->vm, KVM_REGISTER_COALESCED_MMIO, &zone);
	expect_mmio(m, true, 4, DEVICE + 0x200);
	assert_int_equal(ring->first, 0);
	assert_int_equal(ring->last, 2);
	assert_int_equal(ring->coalesced_mmio[0].phys_addr, DEVICE + 0x100);
	assert_int_equal(ring->coalesced_mmio[1].phys_addr, DEVICE + 0x104);
	assert_memory_equal(ring->coalesced_mmio[1].data, "\x08\x07\x06\x05", 4);
	assert_ioctl_works(m->vm, KVM_UNREGISTER_COALESCED_MMIO, &zone);
	machine__run_to_halt(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(out_gives_the_data),
		MACHINE_TEST(in_takes_the_data),
		MACHINE_TEST(rep_outs_gives_all_in_order),
		MACHINE_TEST(rep_ins_takes_all_in_order),
		MACHINE_TEST(mmio_writes_have_their_size),
		MACHINE_TEST(mmio_reads_take_the_data),
		MACHINE_TEST(mmio_read_modify_write_is_both),
		MACHINE_TEST(rep_movs_between_devices),
		MACHINE_TEST(ins_to_a_device),
		MACHINE_TEST(an_access_may_straddle_memory_and_device),
		MACHINE_TEST(immediate_exit_completes_the_access_first),
		MACHINE_TEST(immediate_exit_completes_mmio_first),
		MACHINE_TEST(single_step_traps_behind_completed_io),
		MACHINE_TEST(gates_in_device_memory),
		MACHINE_TEST(coalesced_zones_are_written_to_the_ring),
	};

	return SEAM_RUN("io", tests);
}
