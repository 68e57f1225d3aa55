/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivery of exceptions and interrupts: frames, stacks, double and triple faults, error codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/unit/system/machine.h"

#define CPU (&machine_vcpu->cpu)
#define HANDLER(vector) (AT_HANDLER + 16 * (vector))

static void raise(u8 vector)
{
	if (vector == X86_PF)
		x86__raise_page_fault(machine_vcpu, 0xdead000, PFERR_USER);
	else
		x86__raise_error(machine_vcpu, vector, 0x1234);
}

/*
 * Two exceptions in sequence: the first one's gate makes the second. What comes out is the second,
 * a double fault, or a triple fault (APM vol. 2, table 8-3).
 */
enum outcome { SECOND, DOUBLE, TRIPLE };

struct pair {
	u8 first;
	u8 second; /* X86_NP: gate not present; X86_PF: the IDT is not mapped */
	u8 outcome;
};

static void test_combinations(void **state)
{
	static const struct pair pairs[] = {
		{ X86_UD, X86_NP, SECOND },	  { X86_NM, X86_NP, SECOND },
		{ X86_MF, X86_NP, SECOND },	  { X86_AC, X86_NP, SECOND },
		{ X86_DB, X86_NP, SECOND },	  { X86_DE, X86_NP, DOUBLE },
		{ X86_TS, X86_NP, DOUBLE },	  { X86_NP, X86_NP, DOUBLE },
		{ X86_SS_FAULT, X86_NP, DOUBLE }, { X86_GP, X86_NP, DOUBLE },
		{ X86_PF, X86_NP, DOUBLE },	  { X86_DF, X86_NP, TRIPLE },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(pairs); i++) {
		const struct pair *p = &pairs[i];
		u64 at = AT_IDT + p->first * 16;
		enum exec_result r;
		u8 taken;

		machine__start(MODE_LONG, 0);
		/* #NP would meet its own gate: it goes through another one. */
		machine__write(at, 8, machine__read(at, 8) & ~BIT64(47));
		raise(p->first);
		r = x86__deliver_exception(machine_vcpu);
		if (p->outcome == TRIPLE) {
			assert_int_equal(r, EXEC_FAIL);
			continue;
		}
		assert_int_equal(r, EXEC_JUMP);
		taken = p->outcome == DOUBLE ? X86_DF : X86_NP;
		if (CPU->rip != HANDLER(taken))
			fail_msg("%u then %u went to %llx", p->first, p->second,
				 (unsigned long long)CPU->rip);
		/* The double fault's error code is 0; else: the gate's index, IDT, EXT. */
		assert_int_equal(machine__read(CPU->gpr[X86_RSP], 8),
				 p->outcome == DOUBLE ? 0 : p->first << 3 | 3);
		assert_false(machine_vcpu->exception.pending);
	}
}

/* A page fault while an exception is delivered: benign and contributory ones give way to it. */
static void test_page_fault_in_delivery(void **state)
{
	static const struct pair pairs[] = {
		{ X86_UD, X86_PF, SECOND },
		{ X86_GP, X86_PF, SECOND },
		{ X86_PF, X86_PF, DOUBLE },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(pairs); i++) {
		/* The stack is not mapped, but for the vector that must come out in the end. */
		u8 out = pairs[i].outcome == DOUBLE ? X86_DF : X86_PF;

		machine__start(MODE_LONG, 0);
		CPU->gpr[X86_RSP] = NOT_MAPPED + 0x100;
		machine__set_gate(out, KERNEL_CODE, SYSTEM_INT, 0, 1);
		if (pairs[i].first == X86_PF)
			machine__set_gate(X86_PF, KERNEL_CODE, SYSTEM_INT, 0, 0);
		raise(pairs[i].first);
		assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_JUMP);
		assert_int_equal(CPU->rip, HANDLER(out));
		assert_int_equal(CPU->cr2, NOT_MAPPED + 0x100 - 8); /* of the first push */
	}
}

static void test_long_frame_from_user(void **state)
{
	u64 sp = TSS_STACK - 48;

	machine__start(MODE_LONG, 3);
	CPU->arith = RFLAGS_CF;
	raise(X86_GP);
	assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_JUMP);
	assert_int_equal(CPU->rip, HANDLER(X86_GP));
	assert_int_equal(CPU->gpr[X86_RSP], sp); /* aligned to 16, then six pushes */
	assert_int_equal(CPU->cpl, 0);
	assert_int_equal(CPU->seg[X86_CS].selector, KERNEL_CODE);
	assert_int_equal(CPU->seg[X86_SS].selector, 0);
	assert_int_equal(machine__read(sp, 8), 0x1234);
	assert_int_equal(machine__read(sp + 8, 8), AT_CODE);
	assert_int_equal(machine__read(sp + 16, 8), USER_CODE | 3);
	assert_int_equal(machine__read(sp + 24, 8),
			 RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF | RFLAGS_RF);
	assert_int_equal(machine__read(sp + 32, 8), USER_STACK);
	assert_int_equal(machine__read(sp + 40, 8), USER_DATA | 3);
	assert_int_equal(CPU->sysflags & (RFLAGS_IF | RFLAGS_RF), 0);
	assert_ptr_equal(machine_vcpu->view, machine_vcpu->tlb.entry[TLB_KERNEL_AC]);
	/* And back: IRETQ behind the error code. */
	CPU->gpr[X86_RSP] += 8;
	assert_int_equal(EXECUTE(0x48, 0xcf), EXEC_JUMP);
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(CPU->rip, AT_CODE);
	assert_int_equal(CPU->gpr[X86_RSP], USER_STACK);
	assert_int_equal(x86__rflags(CPU), RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF | RFLAGS_RF);
	assert_int_equal(CPU->code_size, 8);
	assert_ptr_equal(machine_vcpu->view, machine_vcpu->tlb.entry[TLB_USER]);
}

static void test_interrupt_keeps_rf_and_uses_ist(void **state)
{
	machine__start(MODE_LONG, 0);
	machine__set_gate(0x21, KERNEL_CODE, SYSTEM_TRAP, 0, 1);
	assert_int_equal(x86__deliver_event(machine_vcpu, 0x21, EVENT_EXTERNAL), EXEC_JUMP);
	assert_int_equal(CPU->gpr[X86_RSP], (IST_STACK & ~15) - 40);
	assert_int_equal(machine__read(CPU->gpr[X86_RSP] + 16, 8), RFLAGS_FIXED | RFLAGS_IF);
	assert_true(CPU->sysflags & RFLAGS_IF); /* a trap gate */
	assert_int_equal(CPU->seg[X86_SS].selector, KERNEL_DATA); /* same level: stays */
}

static void test_nmi_masks_until_iret(void **state)
{
	machine__start(MODE_LONG, 0);
	x86__deliver_event(machine_vcpu, X86_NMI, EVENT_NMI);
	assert_true(CPU->nmi_masked);
	assert_int_equal(EXECUTE(0x48, 0xcf), EXEC_JUMP);
	assert_false(CPU->nmi_masked);
	assert_int_equal(CPU->rip, AT_CODE);
}

static void test_debug_exception(void **state)
{
	machine__start(MODE_LONG, 0);
	CPU->dr6 = DR6_FIXED | 0xf;
	CPU->dr7 |= DR7_GD;
	EXECUTE(0x0f, 0x21, 0xf8); /* mov rax, dr7 */
	assert_int_equal(machine__fault(), FAULT(X86_DB, 0));
	x86__deliver_exception(machine_vcpu);
	assert_int_equal(CPU->dr6, DR6_FIXED | DR6_BD);
	assert_false(CPU->dr7 & DR7_GD);
	machine__start(MODE_LONG, 0);
	x86__raise_debug(machine_vcpu, DR6_BS);
	x86__deliver_exception(machine_vcpu);
	assert_false(machine__read(CPU->gpr[X86_RSP] + 16, 8) & RFLAGS_RF); /* a trap */
}

static void test_soft_interrupt_privilege(void **state)
{
	machine__start(MODE_LONG, 3);
	EXECUTE(0xcd, 0x22);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0x22 << 3 | 2)); /* EXT is 0 */
	assert_int_equal(CPU->rip, AT_CODE);
	machine__set_gate(0x22, KERNEL_CODE, SYSTEM_INT, 3, 0);
	assert_int_equal(EXECUTE(0xcd, 0x22), EXEC_JUMP);
	assert_int_equal(machine__read(CPU->gpr[X86_RSP], 8), AT_CODE + 2);
	/* Through external delivery the gate's DPL does not matter. */
	machine__start(MODE_LONG, 3);
	assert_int_equal(x86__deliver_event(machine_vcpu, 0x22, EVENT_EXTERNAL), EXEC_JUMP);
	assert_int_equal(CPU->rip, HANDLER(0x22));
}

static void test_real_mode(void **state)
{
	machine__start(MODE_REAL, 0);
	machine__write(0x21 * 4, 4, 0x12345678);
	CPU->arith = RFLAGS_CF;
	CPU->sysflags |= RFLAGS_TF;
	assert_int_equal(EXECUTE(0xcd, 0x21), EXEC_JUMP);
	assert_int_equal(CPU->rip, 0x5678);
	assert_int_equal(CPU->seg[X86_CS].base, 0x12340);
	assert_int_equal(CPU->gpr[X86_RSP], 0xf000 - 6);
	assert_int_equal(machine__read(0xf000 - 6, 2), AT_CODE + 2);
	assert_int_equal(machine__read(0xf000 - 2, 2),
			 RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_CF);
	assert_int_equal(CPU->sysflags, RFLAGS_FIXED);
	/* No error code is pushed. */
	machine__start(MODE_REAL, 0);
	machine__write(X86_GP * 4, 4, 0x00001000);
	raise(X86_GP);
	assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_JUMP);
	assert_int_equal(CPU->gpr[X86_RSP], 0xf000 - 6);
	/* An empty table is a triple fault. */
	machine__start(MODE_REAL, 0);
	CPU->idt.limit = 0;
	raise(X86_UD);
	assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_FAIL);
}

static void test_real_mode_stack_wraps(void **state)
{
	machine__start(MODE_REAL, 0);
	machine__write(0x21 * 4, 4, 0x00002000);
	CPU->gpr[X86_RSP] = 0xabcd0002;
	assert_int_equal(EXECUTE(0xcd, 0x21), EXEC_JUMP);
	assert_int_equal(CPU->gpr[X86_RSP], 0xabcdfffc);
	assert_int_equal(machine__read(0xfffc, 2), AT_CODE + 2);
	assert_int_equal(machine__read(0, 2), RFLAGS_FIXED | RFLAGS_IF);
}

static void test_protected_frame(void **state)
{
	machine__start(MODE_PROTECTED, 3);
	raise(X86_NP);
	assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_JUMP);
	assert_int_equal(CPU->gpr[X86_RSP], TSS_STACK - 24);
	assert_int_equal(machine__read(TSS_STACK - 24, 4), 0x1234);
	assert_int_equal(machine__read(TSS_STACK - 20, 4), AT_CODE);
	assert_int_equal(machine__read(TSS_STACK - 4, 4), USER_DATA | 3);
	assert_int_equal(CPU->seg[X86_SS].selector, KERNEL_DATA);
	/* 16-bit gate, same level. */
	machine__start(MODE_PROTECTED, 0);
	machine__set_gate(0x21, KERNEL_CODE, SYSTEM_INT16, 0, 0);
	x86__deliver_event(machine_vcpu, 0x21, EVENT_EXTERNAL);
	assert_int_equal(CPU->gpr[X86_RSP], KERNEL_STACK - 6);
	assert_int_equal(CPU->rip, HANDLER(0x21));
}

/* A bad inner stack in the TSS: #TS with its selector, EXT for an external event. */
static void test_bad_inner_stack(void **state)
{
	machine__start(MODE_PROTECTED, 3);
	machine__write(AT_TSS + 8, 2, USER_DATA);
	machine__set_gate(X86_TS, CONFORMING_CODE, SYSTEM_INT, 0, 0); /* stays at level 3 */
	x86__deliver_event(machine_vcpu, 0x21, EVENT_EXTERNAL);
	assert_int_equal(CPU->rip, HANDLER(X86_TS));
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(machine__read(CPU->gpr[X86_RSP], 4), USER_DATA | 1);
}

/*
 * A task that traps when it is entered, its registers such that saving them in its TSS, in the
 * midst of the GDT, makes its descriptor an available task's again.
 */
static void make_trapping_task(u8 vector, u16 selector)
{
	const u16 segments[7] = { KERNEL_DATA, KERNEL_CODE, KERNEL_DATA, KERNEL_DATA };
	u32 tss = AT_GDT + selector - 64; /* ESI and EDI */

	machine__set_descriptor(selector, machine__descriptor(tss, 0x67, 0x89));
	machine__write(tss + 32, 4, 0x2000);
	machine__write(tss + 36, 4, RFLAGS_FIXED);
	machine__write(tss + 56, 4, KERNEL_STACK);
	for (unsigned i = 0; i < 7; i++)
		machine__write(tss + 72 + 4 * i, 4, segments[i]);
	machine__write(tss + 100, 2, 1);
	machine__write(AT_IDT + 8 * vector, 8,
		       (u64)selector << 16 | (u64)(0x80 | SYSTEM_TASK_GATE) << 40);
}

/* #DB enters the first task, which traps: #DB. It is busy: #GP, which enters the second ... */
static void test_endless_delivery_is_a_shutdown(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	make_trapping_task(X86_DB, 0x400);
	make_trapping_task(X86_GP, 0x600);
	alarm(10);
	raise(X86_DB);
	assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_FAIL);
	assert_false(machine_vcpu->exception.pending);
	alarm(0);
}

static void test_failed_delivery_commits_nothing(void **state)
{
	struct x86_cpu before;

	machine__start(MODE_LONG, 3);
	/* Half of the frame would go to the page before. */
	machine__write(AT_TSS + 4, 8, NOT_MAPPED + 0x10);
	machine__set_gate(0x22, KERNEL_CODE, SYSTEM_INT, 3, 0);
	machine__write(NOT_MAPPED - 16, 8, 0x5555);
	before = *CPU;
	EXECUTE(0xcd, 0x22);
	assert_int_equal(machine__fault() >> 16, X86_PF);
	assert_memory_equal(CPU, &before, sizeof(before));
	assert_int_equal(machine__read(NOT_MAPPED - 16, 8), 0x5555);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_combinations),
		cmocka_unit_test(test_page_fault_in_delivery),
		cmocka_unit_test(test_long_frame_from_user),
		cmocka_unit_test(test_interrupt_keeps_rf_and_uses_ist),
		cmocka_unit_test(test_nmi_masks_until_iret),
		cmocka_unit_test(test_debug_exception),
		cmocka_unit_test(test_soft_interrupt_privilege),
		cmocka_unit_test(test_real_mode),
		cmocka_unit_test(test_real_mode_stack_wraps),
		cmocka_unit_test(test_protected_frame),
		cmocka_unit_test(test_bad_inner_stack),
		cmocka_unit_test(test_endless_delivery_is_a_shutdown),
		cmocka_unit_test(test_failed_delivery_commits_nothing),
	};

	return cmocka_run_group_tests(tests, machine__setup, machine__teardown);
}
