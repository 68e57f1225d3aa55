/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests in which no instruction completes, or nothing but exceptions happens, hear signals. */
#define _GNU_SOURCE
#include "tests/api/seam.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define HANDLER 0x3000
#define COUNTER 0x5000
#define WRAPPING_STACK 0x20000 /* 64 KiB in which a 16-bit stack pointer goes round */
#define UNMAPPED 0x40000000

#define VECTOR_DB 1
#define VECTOR_UD 6
#define VECTOR_PF 14

static const uint8_t count_and_return[] = {0xff, 0x06, 0x00, 0x50, 0xcf}; /* incw COUNTER; iret */

GUEST(undefined_code, "ud2");
GUEST(stepping_code, "pushf; pop %ax; or $0x100, %ax; push %ax; popf; 1: jmp 1b");

static uint16_t counter(struct machine *m)
{
	return *(volatile uint16_t *)(m->memory + COUNTER);
}

static void set_vector(struct machine *m, unsigned vector, uint16_t offset)
{
	*(uint16_t *)(m->memory + 4 * vector) = offset;
	*(uint16_t *)(m->memory + 4 * vector + 2) = 0;
}

/* ---- signals that keep coming: one that comes too early is followed by another ---- */

static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
	handled++;
}

struct kicker {
	pthread_t thread, target;
	atomic_bool stop;
};

static void *kick(void *arg)
{
	struct kicker *k = arg;

	while (!atomic_load(&k->stop)) {
		usleep(5000);
		pthread_kill(k->target, SIGUSR1);
	}
	return NULL;
}

static void start_kicker(struct kicker *k)
{
	struct sigaction action = {.sa_handler = count_signal};

	sigaction(SIGUSR1, &action, NULL);
	handled = 0;
	k->target = pthread_self();
	atomic_store(&k->stop, false);
	assert_int_equal(pthread_create(&k->thread, NULL, kick, k), 0);
}

static void stop_kicker(struct kicker *k)
{
	atomic_store(&k->stop, true);
	pthread_join(k->thread, NULL);
}

/* KVM_RUN must end by signals only; several times, until the guest has got somewhere. */
static void expect_interrupted(struct machine *m, bool (*moved)(struct machine *m))
{
	struct kicker k;
	unsigned rounds = 0;

	start_kicker(&k);
	do {
		errno = 0;
		if (seam__ioctl(m->vcpu, KVM_RUN, 0) != -1 || errno != EINTR)
			break;
		rounds++;
	} while (rounds < 3 || !moved(m));
	stop_kicker(&k);
	assert_int_equal(errno, EINTR);
	assert_int_equal(m->run->exit_reason, KVM_EXIT_INTR);
	assert_true(handled > 0);
}

static bool has_counted(struct machine *m)
{
	return counter(m) > 100;
}

static bool has_pushed(struct machine *m)
{
	return (uint16_t)machine__regs(m).rsp != GUEST_STACK;
}

/* ---- real mode ---- */

static void a_guest_that_faults_and_returns(void **state)
{
	struct machine *m = *state;

	memcpy(m->memory + HANDLER, count_and_return, sizeof(count_and_return));
	set_vector(m, VECTOR_UD, HANDLER);
	MACHINE_LOAD(m, undefined_code);
	expect_interrupted(m, has_counted);
}

static void a_guest_that_only_steps(void **state)
{
	struct machine *m = *state;

	memcpy(m->memory + HANDLER, count_and_return, sizeof(count_and_return));
	set_vector(m, VECTOR_DB, HANDLER);
	MACHINE_LOAD(m, stepping_code);
	expect_interrupted(m, has_counted);
}

/* The handler is the instruction that faults: none completes, only deliveries happen. */
static void a_guest_of_nothing_but_deliveries(void **state)
{
	struct machine *m = *state;
	struct kvm_sregs sregs;

	set_vector(m, VECTOR_UD, GUEST_CODE);
	MACHINE_LOAD(m, undefined_code);
	sregs = machine__sregs(m);
	sregs.ss.base = WRAPPING_STACK;
	sregs.ss.selector = WRAPPING_STACK >> 4;
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &sregs);
	expect_interrupted(m, has_pushed);
	assert_int_equal(machine__regs(m).rip, GUEST_CODE);
}

/* ---- paged protected mode ---- */

#define PAGE_DIRECTORY 0x10000
#define IDT 0x11000
#define GDT 0x12000

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};
}

/* 32-bit code at GUEST_CODE, the first 4 MiB mapped; the handler of #PF may be anywhere. */
static void enter_paging(struct machine *m, const uint8_t *code, size_t size, uint32_t handler)
{
	struct kvm_regs regs = {.rip = GUEST_CODE, .rsp = GUEST_STACK, .rflags = 2};
	struct kvm_sregs sregs = machine__sregs(m);
	uint64_t *gdt = (uint64_t *)(m->memory + GDT);
	uint16_t *gate = (uint16_t *)(m->memory + IDT + 8 * VECTOR_PF);

	memcpy(m->memory + GUEST_CODE, code, size);
	*(uint32_t *)(m->memory + PAGE_DIRECTORY) = 0x83; /* 4 MiB, writable, present */
	gdt[1] = 0x00cf9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
	gate[0] = handler;
	gate[1] = 8;
	gate[2] = 0x8e00;
	gate[3] = handler >> 16;
	sregs.cs = flat_segment(8, 11);
	sregs.ss = sregs.ds = sregs.es = flat_segment(16, 3);
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 0x17;
	sregs.idt.base = IDT;
	sregs.idt.limit = 0x7ff;
	sregs.cr3 = PAGE_DIRECTORY;
	sregs.cr4 |= 0x10;	 /* PSE */
	sregs.cr0 |= 0x80000001; /* PG, PE */
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &sregs);
	assert_ioctl_works(m->vcpu, KVM_SET_REGS, &regs);
}

static const uint8_t read_unmapped[] = {0xa1, 0, 0, 0, UNMAPPED >> 24}; /* mov UNMAPPED, %eax */
/* incw COUNTER; add $4, %esp; iret */
static const uint8_t count_and_return_32[] = {0x66, 0xff, 0x05, 0x00, 0x50, 0,
					      0,    0x83, 0xc4, 0x04, 0xcf};

static void a_guest_that_page_faults_and_returns(void **state)
{
	struct machine *m = *state;

	seam__needs_real_cpu();
	memcpy(m->memory + HANDLER, count_and_return_32, sizeof(count_and_return_32));
	enter_paging(m, read_unmapped, sizeof(read_unmapped), HANDLER);
	expect_interrupted(m, has_counted);
	assert_int_equal(machine__sregs(m).cr2, UNMAPPED);
}

/* The handler is in no page: not even an instruction's bytes are read any more. */
static void a_guest_whose_handler_cannot_be_fetched(void **state)
{
	struct machine *m = *state;
	struct kvm_sregs sregs;

	seam__needs_real_cpu();
	enter_paging(m, read_unmapped, sizeof(read_unmapped), UNMAPPED + 0x123000);
	sregs = machine__sregs(m);
	sregs.ss.base = WRAPPING_STACK;
	sregs.ss.limit = 0xffff;
	sregs.ss.db = sregs.ss.g = 0;
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &sregs);
	expect_interrupted(m, has_pushed);
	assert_int_equal(machine__regs(m).rip, UNMAPPED + 0x123000);
	assert_int_equal(machine__sregs(m).cr2, UNMAPPED + 0x123000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_guest_that_faults_and_returns),
		MACHINE_TEST(a_guest_that_only_steps),
		MACHINE_TEST(a_guest_of_nothing_but_deliveries),
		MACHINE_TEST(a_guest_that_page_faults_and_returns),
		MACHINE_TEST(a_guest_whose_handler_cannot_be_fetched),
		IRQCHIP_TEST(a_guest_of_nothing_but_deliveries),
	};

	alarm(60); /* a hang is a failure */
	return SEAM_RUN("faults", tests);
}
