/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts, exceptions, halts, signals, debugging: what ends KVM_RUN and what begins it. */
#define _GNU_SOURCE
#include "tests/api/seam.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define VECTOR 0x20
#define HANDLER 0x3000

/* Vector n goes to HANDLER, where the code stands. */
static void set_handler(struct machine *m, unsigned vector, const void *code, size_t size)
{
	memcpy(m->memory + HANDLER, code, size);
	*(uint16_t *)(m->memory + 4 * vector) = HANDLER;
	*(uint16_t *)(m->memory + 4 * vector + 2) = 0;
}

static const uint8_t count_in_bx[] = { 0x43, 0xcf }; /* inc %bx; iret */

GUEST(spin_code, "1: jmp 1b");
GUEST(sti_spin_code, "sti; 1: jmp 1b");
GUEST(window_code, "cli; out %al, $0x10; nop; sti; nop; 1: nop; nop; jmp 1b");

static void interrupts_are_injected_by_user_space(void **state)
{
	struct kvm_interrupt irq = { VECTOR };
	struct machine *m = *state;

	set_handler(m, VECTOR, count_in_bx, sizeof(count_in_bx));
	MACHINE_LOAD(m, window_code);
	m->run->request_interrupt_window = 1;
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->if_flag, 0);
	assert_int_equal(m->run->ready_for_interrupt_injection, 0);
	assert_int_equal(machine__run(m), KVM_EXIT_IRQ_WINDOW_OPEN);
	assert_int_equal(m->run->if_flag, 1);
	assert_int_equal(m->run->ready_for_interrupt_injection, 1);
	assert_int_equal(machine__regs(m).rbx, 0);
	m->run->request_interrupt_window = 0;
	assert_ioctl_works(m->vcpu, KVM_INTERRUPT, &irq);
	irq.irq = 256;
	assert_ioctl_fails(m->vcpu, KVM_INTERRUPT, &irq, EINVAL);
	/* The handler runs; then the window is open again. */
	m->run->request_interrupt_window = 1;
	assert_int_equal(machine__run(m), KVM_EXIT_IRQ_WINDOW_OPEN);
	m->run->request_interrupt_window = 0;
	assert_int_equal(machine__regs(m).rbx & 0xffff, 1);
}

static void the_window_respects_the_shadow_of_sti(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, window_code);
	m->run->request_interrupt_window = 1;
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(machine__run(m), KVM_EXIT_IRQ_WINDOW_OPEN);
	/* cli, out, nop, sti and the nop behind it: 1 + 2 + 1 + 1 + 1 bytes at least. */
	assert_true(machine__regs(m).rip >= GUEST_CODE + 6);
	m->run->request_interrupt_window = 0;
}

static void an_in_kernel_pic_refuses_injection(void **state)
{
	struct kvm_interrupt irq = { VECTOR };
	struct machine *m = *state;

	assert_ioctl_fails(m->vcpu, KVM_INTERRUPT, &irq, ENXIO);
}

static void exceptions_can_be_injected(void **state)
{
	static const uint8_t handler[] = { 0x8b, 0xdc, 0xf4 }; /* mov %sp, %bx; hlt */
	struct kvm_vcpu_events events;
	struct machine *m = *state;

	set_handler(m, 6, handler, sizeof(handler));
	MACHINE_LOAD(m, spin_code);
	assert_ioctl_works(m->vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.exception.injected = 1;
	events.exception.nr = 6;
	assert_ioctl_works(m->vcpu, KVM_SET_VCPU_EVENTS, &events);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rbx & 0xffff, GUEST_STACK - 6);
	assert_int_equal(*(uint16_t *)(m->memory + GUEST_STACK - 6), GUEST_CODE);
}

static void nmis_are_delivered_whatever_if_is(void **state)
{
	static const uint8_t handler[] = { 0x43, 0xf4, 0xcf }; /* inc %bx; hlt; iret */
	struct kvm_vcpu_events events;
	struct machine *m = *state;

	set_handler(m, 2, handler, sizeof(handler));
	MACHINE_LOAD(m, spin_code);
	assert_ioctl_works(m->vcpu, KVM_NMI, 0);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rbx & 0xffff, 1);
	assert_ioctl_works(m->vcpu, KVM_GET_VCPU_EVENTS, &events);
	assert_int_equal(events.nmi.masked, 1);
	/* A second one waits for IRET. */
	assert_ioctl_works(m->vcpu, KVM_NMI, 0);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rbx & 0xffff, 2);
	assert_int_equal(machine__regs(m).rip, HANDLER + 2);
	assert_int_equal(*(uint16_t *)(m->memory + GUEST_STACK - 6), GUEST_CODE);
}

GUEST(triple_code, "lidt 0x2000; int3; hlt");

static void a_triple_fault_is_a_shutdown(void **state)
{
	struct machine *m = *state;

	seam__needs_real_cpu();
	/* No entry of the table is within its limit. */
	memset(m->memory + 0x2000, 0, 6);
	MACHINE_LOAD(m, triple_code);
	assert_int_equal(machine__run(m), KVM_EXIT_SHUTDOWN);
}

static void nonsense_code_does_no_harm(void **state)
{
	struct machine *m = *state;

	/* #UD with handler 0000:0000 over and over, or a shutdown: only that it returns counts. */
	memset(m->memory, 0xff, 0x400);
	memset(m->memory + GUEST_CODE, 0xff, 64);
	machine__load(m, m->memory + GUEST_CODE, m->memory + GUEST_CODE);
	m->run->immediate_exit = 1;
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	m->run->immediate_exit = 0;
}

/* ---- signals ---- */

static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
	handled++;
}

static void install(int signal)
{
	struct sigaction action = { .sa_handler = count_signal };

	sigaction(signal, &action, NULL);
	handled = 0;
}

struct kicker {
	pthread_t target;
	unsigned milliseconds;
	int signal;
};

static void *kick(void *arg)
{
	struct kicker *k = arg;

	usleep(k->milliseconds * 1000);
	pthread_kill(k->target, k->signal);
	return NULL;
}

static pthread_t start_kicker(struct kicker *k, unsigned milliseconds)
{
	pthread_t thread;

	*k = (struct kicker){ pthread_self(), milliseconds, SIGUSR1 };
	pthread_create(&thread, NULL, kick, k);
	return thread;
}

static void a_signal_ends_a_busy_guest(void **state)
{
	struct machine *m = *state;
	struct kicker k;
	pthread_t thread;

	install(SIGUSR1);
	MACHINE_LOAD(m, spin_code);
	thread = start_kicker(&k, 20);
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	assert_int_equal(m->run->exit_reason, KVM_EXIT_INTR);
	assert_int_equal(handled, 1);
	pthread_join(thread, NULL);
}

static void a_signal_ends_a_halted_guest(void **state)
{
	struct machine *m = *state;
	struct kvm_mp_state mp;
	struct kicker k;
	pthread_t thread;

	install(SIGUSR1);
	m->memory[GUEST_CODE] = 0xf4;
	machine__load(m, m->memory + GUEST_CODE, m->memory + GUEST_CODE);
	thread = start_kicker(&k, 20);
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	assert_int_equal(m->run->exit_reason, KVM_EXIT_INTR);
	assert_int_equal(handled, 1);
	assert_ioctl_works(m->vcpu, KVM_GET_MP_STATE, &mp);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_HALTED);
	pthread_join(thread, NULL);
}

static void a_blocked_signal_does_not_end_the_guest(void **state)
{
	struct machine *m = *state;
	sigset_t set, old, pending;

	install(SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	pthread_kill(pthread_self(), SIGUSR1);
	m->memory[GUEST_CODE] = 0xf4;
	machine__load(m, m->memory + GUEST_CODE, m->memory + GUEST_CODE);
	machine__run_to_halt(m);
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGUSR1));
	assert_int_equal(handled, 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(handled, 1);
}

static void the_signal_mask_of_run_lets_one_in(void **state)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} __attribute__((packed)) mask = { { .len = 8 }, 0 };
	struct machine *m = *state;
	sigset_t set, old, pending;

	install(SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	assert_ioctl_works(m->vcpu, KVM_SET_SIGNAL_MASK, &mask);
	pthread_kill(pthread_self(), SIGUSR1);
	MACHINE_LOAD(m, spin_code);
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	/* Its handler does not run: outside of KVM_RUN it is blocked. */
	assert_int_equal(handled, 0);
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGUSR1));
	mask.head.len = 16;
	assert_ioctl_fails(m->vcpu, KVM_SET_SIGNAL_MASK, &mask, EINVAL);
	assert_ioctl_works(m->vcpu, KVM_SET_SIGNAL_MASK, 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(handled, 1);
}

/* ---- in-kernel interrupt controllers ---- */

static const uint8_t timer_handler[] = {
	0x43,		  /* inc %bx */
	0xb0, 0x20,	  /* mov $0x20, %al */
	0xe6, 0x20,	  /* out %al, $0x20: end of interrupt */
	0xcf,		  /* iret */
};

/* PIC: vectors 0x20 and up, all unmasked; then waits for two interrupts, halted. */
GUEST(pic_code, "mov $0x11, %al; out %al, $0x20; mov $0x20, %al; out %al, $0x21; mov $4, %al;"
		"out %al, $0x21; mov $1, %al; out %al, $0x21; mov $0, %al; out %al, $0x21;"
		"out %al, $0x80; sti; 1: hlt; cmp $2, %bx; jb 1b; out %al, $0x81; cli; hlt");

static void the_pic_interrupts_a_halt(void **state)
{
	struct kvm_irq_level line = { .irq = 0 };
	struct machine *m = *state;
	unsigned i;

	set_handler(m, VECTOR, timer_handler, sizeof(timer_handler));
	MACHINE_LOAD(m, pic_code);
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->io.port, 0x80);
	for (i = 0; i < 2; i++) {
		line.level = 1;
		assert_ioctl_works(m->vm, KVM_IRQ_LINE, &line);
		line.level = 0;
		assert_ioctl_works(m->vm, KVM_IRQ_LINE, &line);
		if (i == 0) {
			/* It takes the first, and waits for another until a signal comes. */
			struct kicker k;
			pthread_t thread = start_kicker(&k, 50);

			install(SIGUSR1);
			assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
			pthread_join(thread, NULL);
			assert_int_equal(machine__regs(m).rbx & 0xffff, 1);
		}
	}
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->io.port, 0x81);
	assert_int_equal(machine__regs(m).rbx & 0xffff, 2);
}

/* As above with the PIT at 1 kHz. */
GUEST(pit_code, "mov $0x34, %al; out %al, $0x43; mov $0xa9, %al; out %al, $0x40; mov $4, %al;"
		"out %al, $0x40;"
		"mov $0x11, %al; out %al, $0x20; mov $0x20, %al; out %al, $0x21; mov $4, %al;"
		"out %al, $0x21; mov $1, %al; out %al, $0x21; mov $0xfe, %al; out %al, $0x21;"
		"sti; 1: hlt; cmp $20, %bx; jb 1b; out %al, $0x81");

static void the_pit_ticks(void **state)
{
	struct kvm_pit_config pit = { 0 };
	struct machine *m = *state;
	struct timespec begin, end;
	double ms;

	assert_ioctl_works(m->vm, KVM_CREATE_PIT2, &pit);
	set_handler(m, VECTOR, timer_handler, sizeof(timer_handler));
	MACHINE_LOAD(m, pit_code);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(m->run->io.port, 0x81);
	/* A guest that is late finds more ticks pending behind the last HLT. */
	assert_in_range(machine__regs(m).rbx & 0xffff, 20, 2000);
	ms = (end.tv_sec - begin.tv_sec) * 1e3 + (end.tv_nsec - begin.tv_nsec) / 1e6;
	assert_true(ms > 15 && ms < 2000);
}

GUEST(ap_code, "out %al, $0x90; cli; hlt");

static void *run_ap(void *arg)
{
	int vcpu = *(int *)arg;

	/* KVM returns EAGAIN once the processor has been started. */
	while (seam__ioctl(vcpu, KVM_RUN, 0) && (errno == EAGAIN || errno == EINTR))
		;
	return NULL;
}

/*
 * INIT and start-up IPI from the boot processor's APIC, which it enables as systems do: the
 * kernel's KVM looks then who else is there.
 */
GUEST(sipi_code, "mov $0xffff, %ax; mov %ax, %ds; lgdt %cs:0x2000; mov %cr0, %eax; or $1, %al;"
		 "mov %eax, %cr0; mov $8, %bx; mov %bx, %ds; and $0xfe, %al; mov %eax, %cr0;"
		 "mov $0xfee00000, %ebx; movl $0x000001ff, 0xf0(%ebx);"
		 "movl $0x01000000, 0x310(%ebx); movl $0x00004500, 0x300(%ebx);"
		 "movl $0x01000000, 0x310(%ebx); movl $0x00004605, 0x300(%ebx); out %al, $0x91; hlt");

static void application_processors_are_started(void **state)
{
	static const uint64_t gdt[] = { 0, 0x00cf92000000ffff };
	struct machine *m = *state;
	struct kvm_mp_state mp;
	struct kvm_run *run;
	pthread_t thread;
	int vcpu;

	seam__needs_real_cpu();
	vcpu = seam__ioctl(m->vm, KVM_CREATE_VCPU, 1);
	assert_true(vcpu >= 0);
	run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	assert_ioctl_works(vcpu, KVM_GET_MP_STATE, &mp);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_UNINITIALIZED);
	memcpy(m->memory + 0x5000, ap_code, ap_code_end - ap_code);
	memcpy(m->memory + 0x2010, gdt, sizeof(gdt));
	*(uint16_t *)(m->memory + 0x2000) = sizeof(gdt) - 1;
	*(uint32_t *)(m->memory + 0x2002) = 0x2010;
	MACHINE_LOAD(m, sipi_code);
	pthread_create(&thread, NULL, run_ap, &vcpu);
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->io.port, 0x91);
	pthread_join(thread, NULL);
	assert_int_equal(run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(run->io.port, 0x90);
	assert_ioctl_works(vcpu, KVM_GET_MP_STATE, &mp);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_RUNNABLE);
	munmap(run, m->run_size);
	seam__close(vcpu);
}

/* ---- debugging ---- */

GUEST(step_code, "nop; mov $5, %ax; nop; hlt");

static void single_steps_exit(void **state)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
	static const unsigned at[] = { 1, 4, 5 };
	struct machine *m = *state;
	unsigned i;

	MACHINE_LOAD(m, step_code);
	assert_ioctl_works(m->vcpu, KVM_SET_GUEST_DEBUG, &debug);
	for (i = 0; i < 3; i++) {
		assert_int_equal(machine__run(m), KVM_EXIT_DEBUG);
		assert_int_equal(m->run->debug.arch.exception, 1);
		assert_int_equal(m->run->debug.arch.pc, GUEST_CODE + at[i]);
		assert_int_equal(machine__regs(m).rip, GUEST_CODE + at[i]);
		assert_true(m->run->debug.arch.dr6 & 1 << 14);
	}
	debug.control = 0;
	assert_ioctl_works(m->vcpu, KVM_SET_GUEST_DEBUG, &debug);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 5);
}

GUEST(break_code, "nop; nop; int3; nop; hlt");

static void breakpoints_exit(void **state)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP };
	struct machine *m = *state;

	seam__needs_real_cpu();
	MACHINE_LOAD(m, break_code);
	assert_ioctl_works(m->vcpu, KVM_SET_GUEST_DEBUG, &debug);
	assert_int_equal(machine__run(m), KVM_EXIT_DEBUG);
	assert_int_equal(m->run->debug.arch.exception, 3);
	assert_int_equal(m->run->debug.arch.pc, GUEST_CODE + 2);
	/* With hardware breakpoints: on the first NOP behind it. */
	m->memory[GUEST_CODE + 2] = 0x90;
	debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
	debug.arch.debugreg[0] = GUEST_CODE + 3;
	debug.arch.debugreg[7] = 0x402;
	assert_ioctl_works(m->vcpu, KVM_SET_GUEST_DEBUG, &debug);
	assert_int_equal(machine__run(m), KVM_EXIT_DEBUG);
	assert_int_equal(m->run->debug.arch.exception, 1);
	assert_int_equal(m->run->debug.arch.pc, GUEST_CODE + 3);
	assert_true(m->run->debug.arch.dr6 & 1);
}

/* ---- MSR exits ---- */

GUEST(msr_code, "mov $0x12345678, %ecx; rdmsr; mov %eax, %ebx; mov $7, %eax; mov $9, %edx; wrmsr;"
		"hlt");

static void unknown_msrs_go_to_user_space(void **state)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
				      .args = { KVM_MSR_EXIT_REASON_UNKNOWN |
						KVM_MSR_EXIT_REASON_INVAL } };
	static const uint8_t handler[] = { 0xbb, 0xad, 0xde, 0xf4 }; /* mov $0xdead, %bx; hlt */
	struct machine *m = *state;

	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_X86_USER_SPACE_MSR) <= 0)
		skip();
	set_handler(m, 13, handler, sizeof(handler));
	MACHINE_LOAD(m, msr_code);
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	assert_int_equal(machine__run(m), KVM_EXIT_X86_RDMSR);
	assert_int_equal(m->run->msr.index, 0x12345678);
	m->run->msr.data = 0x1122334455667788;
	m->run->msr.error = 0;
	assert_int_equal(machine__run(m), KVM_EXIT_X86_WRMSR);
	assert_int_equal(machine__regs(m).rbx & 0xffffffff, 0x55667788);
	assert_int_equal(m->run->msr.data, 0x900000007);
	m->run->msr.error = 1;
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rbx & 0xffff, 0xdead);
	/* Without asking it is #GP at once. */
	cap.args[0] = 0;
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	MACHINE_LOAD(m, msr_code);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rbx & 0xffff, 0xdead);
}

GUEST(filter_code, "mov $0x174, %ecx; rdmsr; mov $0x175, %ecx; rdmsr; hlt");

static void filtered_msrs_go_to_user_space(void **state)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
				      .args = { KVM_MSR_EXIT_REASON_FILTER } };
	uint8_t bitmap[8] = { 0x02 }; /* 174 denied, 175 allowed */
	struct kvm_msr_filter filter = {
		.ranges[0] = { .flags = KVM_MSR_FILTER_READ, .nmsrs = 2, .base = 0x174,
			       .bitmap = bitmap },
	};
	struct machine *m = *state;

	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_X86_MSR_FILTER) <= 0)
		skip();
	MACHINE_LOAD(m, filter_code);
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	assert_ioctl_works(m->vm, KVM_X86_SET_MSR_FILTER, &filter);
	assert_int_equal(machine__run(m), KVM_EXIT_X86_RDMSR);
	assert_int_equal(m->run->msr.index, 0x174);
	assert_int_equal(m->run->msr.reason, KVM_MSR_EXIT_REASON_FILTER);
	machine__run_to_halt(m);
	filter.ranges[0].flags = 0x80;
	assert_ioctl_fails(m->vm, KVM_X86_SET_MSR_FILTER, &filter, EINVAL);
	filter.flags = KVM_MSR_FILTER_DEFAULT_DENY;
	filter.ranges[0] = (struct kvm_msr_filter_range){ 0 };
	assert_ioctl_fails(m->vm, KVM_X86_SET_MSR_FILTER, &filter, EINVAL);
}

/* ---- split irqchip ---- */

static void split_irqchip_takes_user_spaces_pic(void **state)
{
	struct kvm_interrupt irq = { VECTOR };
	static const uint8_t handler[] = { 0x43, 0xf4, 0xcf }; /* inc %bx; hlt; iret */
	struct kicker k;
	struct machine *m = *state;
	pthread_t thread;

	install(SIGUSR1);
	set_handler(m, VECTOR, handler, sizeof(handler));
	MACHINE_LOAD(m, sti_spin_code);
	assert_ioctl_works(m->vcpu, KVM_INTERRUPT, &irq);
	assert_ioctl_fails(m->vcpu, KVM_INTERRUPT, &irq, EEXIST);
	/* The handler's HLT waits in KVM_RUN. */
	thread = start_kicker(&k, 50);
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINTR);
	pthread_join(thread, NULL);
	assert_int_equal(machine__regs(m).rbx & 0xffff, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(interrupts_are_injected_by_user_space),
		MACHINE_TEST(the_window_respects_the_shadow_of_sti),
		IRQCHIP_TEST(an_in_kernel_pic_refuses_injection),
		MACHINE_TEST(exceptions_can_be_injected),
		MACHINE_TEST(nmis_are_delivered_whatever_if_is),
		MACHINE_TEST(a_triple_fault_is_a_shutdown),
		MACHINE_TEST(nonsense_code_does_no_harm),
		MACHINE_TEST(a_signal_ends_a_busy_guest),
		IRQCHIP_TEST(a_signal_ends_a_halted_guest),
		MACHINE_TEST(a_blocked_signal_does_not_end_the_guest),
		MACHINE_TEST(the_signal_mask_of_run_lets_one_in),
		IRQCHIP_TEST(the_pic_interrupts_a_halt),
		IRQCHIP_TEST(the_pit_ticks),
		IRQCHIP_TEST(application_processors_are_started),
		MACHINE_TEST(single_steps_exit),
		MACHINE_TEST(breakpoints_exit),
		MACHINE_TEST(unknown_msrs_go_to_user_space),
		MACHINE_TEST(filtered_msrs_go_to_user_space),
		SPLIT_TEST(split_irqchip_takes_user_spaces_pic),
	};

	alarm(60); /* a hang is a failure */
	return SEAM_RUN("events", tests);
}
