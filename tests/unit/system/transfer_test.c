/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers between segments, levels, tasks and modes, and flags on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "tests/unit/system/machine.h"

#define CPU (&machine_vcpu->cpu)
#define S FREE_SELECTOR

/* A call gate's descriptor. */
static u64 call_gate(u16 selector, u32 offset, unsigned type, unsigned dpl, unsigned parameters)
{
	return (offset & 0xffff) | (u64)selector << 16 | (u64)parameters << 32 |
	       (u64)(0x80 | dpl << 5 | type) << 40 | (u64)(offset >> 16) << 48;
}

static void test_far_jump_checks(void **state)
{
	static const struct {
		u8 cpl;
		u16 selector;
		u64 attributes;
		u32 fault;
	} cases[] = {
		{ 0, S, D_CODE | D_PAGES | D_BIG, 0 },
		{ 0, 0, 0, FAULT(X86_GP, 0) },
		{ 0, 0x900, 0, FAULT(X86_GP, 0x900) },
		{ 0, S, D_DATA | D_PAGES, FAULT(X86_GP, S) },
		{ 3, S | 3, D_CODE | D_PAGES, FAULT(X86_GP, S) },
		{ 3, S | 3, D_CODE | 4 | D_PAGES | D_BIG, 0 }, /* conforming: level 3 stays */
		{ 0, S, D_CODE | 4 | D_DPL(1) | D_PAGES, FAULT(X86_GP, S) },
		{ 0, S | 3, D_CODE | D_PAGES, FAULT(X86_GP, S) }, /* RPL */
		{ 0, S, 0x1b | D_PAGES, FAULT(X86_NP, S) },
		{ 0, S, D_CODE | D_BIG, FAULT(X86_GP, 0) }, /* offset beyond the limit */
		{ 0, S, 0x82, FAULT(X86_GP, S) }, /* an LDT */
		{ 3, S, 0x89, FAULT(X86_GP, S) }, /* a TSS above our level */
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		u16 s = cases[i].selector;

		machine__start(MODE_PROTECTED, cases[i].cpl);
		machine__set_descriptor(S, machine__descriptor(0, 0xfff, cases[i].attributes));
		EXECUTE(0xea, 0x00, 0x20, 0x00, 0x00, s & 0xff, s >> 8);
		if (machine__fault() != cases[i].fault)
			fail_msg("case %u: fault %x", i, machine__fault());
		if (cases[i].fault)
			continue;
		assert_int_equal(CPU->rip, 0x2000);
		assert_int_equal(CPU->cpl, cases[i].cpl);
		assert_int_equal(CPU->seg[X86_CS].selector, (S & ~3) | cases[i].cpl);
	}
}

static void test_call_gate_with_parameters(void **state)
{
	machine__start(MODE_PROTECTED, 3);
	machine__set_descriptor(S, call_gate(KERNEL_CODE, 0x2000, SYSTEM_CALL, 3, 2));
	machine__write(USER_STACK, 4, 0x111);
	machine__write(USER_STACK + 4, 4, 0x222);
	assert_int_equal(EXECUTE(0x9a, 0, 0, 0, 0, S | 3, 0), EXEC_JUMP);
	assert_int_equal(CPU->cpl, 0);
	assert_int_equal(CPU->rip, 0x2000);
	assert_int_equal(CPU->gpr[X86_RSP], TSS_STACK - 24);
	assert_int_equal(machine__read(TSS_STACK - 24, 4), AT_CODE + 7);
	assert_int_equal(machine__read(TSS_STACK - 20, 4), USER_CODE | 3);
	assert_int_equal(machine__read(TSS_STACK - 16, 4), 0x111);
	assert_int_equal(machine__read(TSS_STACK - 12, 4), 0x222);
	assert_int_equal(machine__read(TSS_STACK - 8, 4), USER_STACK);
	assert_int_equal(machine__read(TSS_STACK - 4, 4), USER_DATA | 3);
	/* RETF 8: the parameters go on both stacks, inner data segments become null. */
	CPU->gpr[X86_RAX] = KERNEL_DATA;
	EXECUTE(0x8e, 0xd8);
	assert_int_equal(EXECUTE(0xca, 8, 0), EXEC_JUMP);
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(CPU->rip, AT_CODE + 7);
	assert_int_equal(CPU->gpr[X86_RSP], USER_STACK + 8);
	assert_true(CPU->seg[X86_DS].unusable);
	assert_int_equal(CPU->seg[X86_ES].selector, USER_DATA | 3);
}

static void test_call_gate_in_long_mode(void **state)
{
	machine__start(MODE_LONG, 3);
	machine__set_descriptor(S, call_gate(KERNEL_CODE, 0xb000, SYSTEM_CALL, 3, 0));
	machine__set_descriptor(S + 8, 0);
	machine__write(0x9000, 4, 0);
	machine__write(0x9004, 2, S | 3);
	CPU->gpr[X86_RBX] = 0x9000;
	assert_int_equal(EXECUTE(0xff, 0x1b), EXEC_JUMP); /* lcall *(%rbx) */
	assert_int_equal(CPU->cpl, 0);
	assert_int_equal(CPU->gpr[X86_RSP], TSS_STACK + 8 - 32);
	assert_int_equal(machine__read(CPU->gpr[X86_RSP], 8), AT_CODE + 2);
	assert_int_equal(EXECUTE(0x48, 0xcb), EXEC_JUMP); /* lretq */
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(CPU->gpr[X86_RSP], USER_STACK);
	/* 16-bit gates do not exist there. */
	machine__set_descriptor(S, call_gate(KERNEL_CODE, 0xb000, SYSTEM_CALL16, 3, 0));
	EXECUTE(0xff, 0x1b);
	assert_int_equal(machine__fault(), FAULT(X86_GP, S));
}

/* To 32-bit code with a 64-bit operand Intel's processors take the offset's lower half. */
static void test_far_return_to_compatibility_code(void **state)
{
	unsigned intel;

	for (intel = 0; intel < 2; intel++) {
		machine__start(MODE_LONG, 3);
		machine_vcpu->cpuid.intel = intel;
		machine__write(USER_STACK, 8, 0x700001234);
		machine__write(USER_STACK + 8, 8, 0xffffffffffff0000 | USER_CODE32 | 3);
		CPU->gpr[X86_RSP] = USER_STACK;
		assert_int_equal(EXECUTE(0x48, 0xcb), intel ? EXEC_JUMP : EXEC_FAULT); /* lretq */
		if (!intel) {
			assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
			continue;
		}
		assert_int_equal(CPU->rip, 0x1234);
		assert_int_equal(CPU->gpr[X86_RSP], USER_STACK + 16);
		/* From there no SYSRET is known, whatever the level. */
		EXECUTE(0x0f, 0x07);
		assert_int_equal(machine__fault(), FAULT(X86_UD, 0));
	}
}

static void test_syscall_and_sysret(void **state)
{
	machine__start(MODE_LONG, 3);
	CPU->star = (u64)(USER_CODE32 | 3) << 48 | (u64)KERNEL_CODE << 32;
	CPU->lstar = 0xffffffff81000000;
	CPU->sfmask = RFLAGS_IF | RFLAGS_DF;
	CPU->sysflags |= RFLAGS_DF;
	CPU->arith = RFLAGS_ZF;
	assert_int_equal(EXECUTE(0x0f, 0x05), EXEC_JUMP);
	assert_int_equal(CPU->rip, 0xffffffff81000000);
	assert_int_equal(CPU->gpr[X86_RCX], AT_CODE + 2);
	assert_int_equal(CPU->gpr[X86_R11], RFLAGS_FIXED | RFLAGS_IF | RFLAGS_DF | RFLAGS_ZF);
	assert_int_equal(x86__rflags(CPU), RFLAGS_FIXED | RFLAGS_ZF);
	assert_int_equal(CPU->cpl, 0);
	assert_int_equal(CPU->seg[X86_CS].selector, KERNEL_CODE);
	assert_int_equal(CPU->seg[X86_SS].selector, KERNEL_DATA);
	CPU->rip = AT_CODE;
	assert_int_equal(EXECUTE(0x48, 0x0f, 0x07), EXEC_JUMP);
	assert_int_equal(CPU->rip, AT_CODE + 2);
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(CPU->code_size, 8);
	assert_int_equal(CPU->seg[X86_CS].selector, USER_CODE | 3);
	assert_int_equal(CPU->seg[X86_SS].selector, USER_DATA | 3);
	assert_true(CPU->sysflags & RFLAGS_IF);
	/* To compatibility mode; from level 3 it is refused. */
	EXECUTE(0x0f, 0x07);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	machine__start(MODE_LONG, 0);
	CPU->star = (u64)(USER_CODE32 | 3) << 48;
	CPU->gpr[X86_RCX] = 0x1122334455667788;
	EXECUTE(0x0f, 0x07);
	assert_int_equal(CPU->rip, 0x55667788);
	assert_int_equal(CPU->code_size, 4);
	assert_int_equal(CPU->seg[X86_CS].selector, USER_CODE32 | 3);
	/* Without EFER.SCE there is neither. */
	machine__start(MODE_LONG, 3);
	CPU->efer &= ~EFER_SCE;
	EXECUTE(0x0f, 0x05);
	assert_int_equal(machine__fault(), FAULT(X86_UD, 0));
}

static void test_sysenter(void **state)
{
	machine__start(MODE_PROTECTED, 3);
	EXECUTE(0x0f, 0x34);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0)); /* no SYSENTER_CS */
	CPU->sysenter_cs = KERNEL_CODE;
	CPU->sysenter_eip = 0x2000;
	CPU->sysenter_esp = 0x3000;
	assert_int_equal(EXECUTE(0x0f, 0x34), EXEC_JUMP);
	assert_int_equal(CPU->rip, 0x2000);
	assert_int_equal(CPU->gpr[X86_RSP], 0x3000);
	assert_int_equal(CPU->cpl, 0);
	assert_false(CPU->sysflags & RFLAGS_IF);
	CPU->gpr[X86_RDX] = 0x4000;
	CPU->gpr[X86_RCX] = 0x5000;
	assert_int_equal(EXECUTE(0x0f, 0x35), EXEC_JUMP);
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(CPU->rip, 0x4000);
	assert_int_equal(CPU->seg[X86_CS].selector, (KERNEL_CODE + 16) | 3);
}

/* A frame for IRET in 64-bit code. */
static void push_iret_frame(u64 rip, u16 cs, u64 flags, u64 rsp, u16 ss)
{
	const u64 item[5] = { rip, cs, flags, rsp, ss };

	CPU->gpr[X86_RSP] = KERNEL_STACK - 40;
	for (unsigned i = 0; i < 5; i++)
		machine__write(KERNEL_STACK - 40 + 8 * i, 8, item[i]);
}

static void test_iretq(void **state)
{
	machine__start(MODE_LONG, 0);
	CPU->seg[X86_FS].base = 0x123456789000; /* from an MSR, with a null selector */
	CPU->seg[X86_FS].selector = 3;
	/* To compatibility mode. */
	push_iret_frame(0x2000, USER_CODE32 | 3, RFLAGS_IF, 0x3000, USER_DATA | 3);
	assert_int_equal(EXECUTE(0x48, 0xcf), EXEC_JUMP);
	assert_int_equal(CPU->code_size, 4);
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(CPU->seg[X86_FS].base, 0x123456789000);
	assert_int_equal(CPU->seg[X86_FS].selector, 0); /* loses its RPL */
	assert_true(CPU->seg[X86_GS].unusable); /* was a level 0 segment */
	/* Same level with a null SS, as an interrupt at level 0 leaves it. */
	machine__start(MODE_LONG, 0);
	push_iret_frame(0x2000, KERNEL_CODE, RFLAGS_IF, 0x3000, 0);
	assert_int_equal(EXECUTE(0x48, 0xcf), EXEC_JUMP);
	assert_int_equal(CPU->gpr[X86_RSP], 0x3000);
	/* To level 3 a null SS is refused, as are a wrong one and a non-canonical RIP. */
	machine__start(MODE_LONG, 0);
	push_iret_frame(0x2000, USER_CODE | 3, RFLAGS_IF, 0x3000, 3);
	EXECUTE(0x48, 0xcf);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	push_iret_frame(0x2000, USER_CODE | 3, RFLAGS_IF, 0x3000, KERNEL_DATA);
	EXECUTE(0x48, 0xcf);
	assert_int_equal(machine__fault(), FAULT(X86_GP, KERNEL_DATA));
	push_iret_frame(BIT64(47), USER_CODE | 3, RFLAGS_IF, 0x3000, USER_DATA | 3);
	EXECUTE(0x48, 0xcf);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	/* NT has no meaning in long mode but to be refused. */
	CPU->sysflags |= RFLAGS_NT;
	EXECUTE(0x48, 0xcf);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
}

/* 16-bit stack segment: the upper half of ESP keeps what was there. */
static void test_iretq_to_small_stack(void **state)
{
	machine__start(MODE_LONG, 0);
	machine__set_descriptor(S, machine__descriptor(0, 0xffff, D_DATA | D_DPL(3)));
	push_iret_frame(0x2000, USER_CODE32 | 3, 0, 0x99993000, S | 3);
	assert_int_equal(EXECUTE(0x48, 0xcf), EXEC_JUMP);
	assert_int_equal(CPU->gpr[X86_RSP], ((KERNEL_STACK - 40) & ~0xffff) | 0x3000);
}

static void test_v86_round_trip(void **state)
{
	static const u32 frame[9] = { 0x0010, 0x0800, RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IF, 0x900,
				      0x200, 0x300, 0x400, 0x500, 0x600 };

	machine__start(MODE_PROTECTED, 0);
	CPU->gpr[X86_RSP] = KERNEL_STACK - 36;
	for (unsigned i = 0; i < 9; i++)
		machine__write(KERNEL_STACK - 36 + 4 * i, 4, frame[i]);
	assert_int_equal(EXECUTE(0xcf), EXEC_JUMP);
	assert_true(x86__is_v86(CPU));
	assert_int_equal(CPU->cpl, 3);
	assert_int_equal(CPU->code_size, 2);
	assert_int_equal(CPU->seg[X86_CS].base, 0x8000);
	assert_int_equal(CPU->seg[X86_GS].selector, 0x600);
	assert_int_equal(CPU->gpr[X86_RSP], 0x900);
	/* CLI at IOPL 0 traps, and the frame on the monitor's stack holds all segments. */
	EXECUTE(0xfa);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_JUMP);
	assert_int_equal(CPU->cpl, 0);
	assert_false(x86__is_v86(CPU));
	assert_int_equal(CPU->gpr[X86_RSP], TSS_STACK - 40);
	assert_int_equal(machine__read(TSS_STACK - 36, 4), 0x10);
	assert_int_equal(machine__read(TSS_STACK - 32, 4), 0x800);
	assert_true(machine__read(TSS_STACK - 28, 4) & RFLAGS_VM);
	assert_int_equal(machine__read(TSS_STACK - 16, 4), 0x300);
	assert_int_equal(machine__read(TSS_STACK - 4, 4), 0x600);
	assert_true(CPU->seg[X86_DS].unusable);
	CPU->gpr[X86_RSP] += 4;
	assert_int_equal(EXECUTE(0xcf), EXEC_JUMP);
	assert_int_equal(CPU->rip, 0x10);
	assert_int_equal(CPU->seg[X86_ES].base, 0x3000);
}

static void test_v86_extensions(void **state)
{
	/* Vector 21h goes to the program's own handler, 22h to the monitor. */
	machine__start_v86(0);
	CPU->cr4 |= CR4_VME;
	machine__write(AT_TSS + 102, 2, 0x88);
	machine__write(AT_TSS + 0x88 - 32 + 0x22 / 8, 1, 1 << (0x22 & 7));
	machine__write(0x21 * 4, 4, 0x00500020);
	CPU->sysflags |= RFLAGS_VIF;
	assert_int_equal(EXECUTE(0xcd, 0x21), EXEC_JUMP);
	assert_int_equal(CPU->seg[X86_CS].base, 0x500);
	assert_int_equal(CPU->rip, 0x20);
	assert_false(CPU->sysflags & RFLAGS_VIF);
	assert_true(CPU->sysflags & RFLAGS_IF);
	assert_true(machine__read(0x2000 + 0x800 - 2, 2) & RFLAGS_IF);
	assert_int_equal(machine__read(0x2000 + 0x800 - 2, 2) & RFLAGS_IOPL, RFLAGS_IOPL);
	/* IRET takes IF of the image back to VIF. */
	assert_int_equal(EXECUTE(0xcf), EXEC_JUMP);
	assert_true(CPU->sysflags & RFLAGS_VIF);
	assert_int_equal(x86__iopl(CPU), 0);
	EXECUTE(0xcd, 0x22);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	/* CLI and STI work on VIF; STI with VIP set calls the monitor. */
	assert_int_equal(EXECUTE(0xfa), EXEC_NEXT);
	assert_false(CPU->sysflags & RFLAGS_VIF);
	CPU->sysflags |= RFLAGS_VIP;
	EXECUTE(0xfb);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
}

static void test_popf_privileges(void **state)
{
	u64 all = RFLAGS_IOPL | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID | RFLAGS_CF;

	/* Level 3, IOPL 0: neither IF nor IOPL change. */
	machine__start(MODE_LONG, 3);
	machine__write(USER_STACK, 8, all);
	EXECUTE(0x9d);
	assert_int_equal(x86__rflags(CPU), RFLAGS_FIXED | RFLAGS_IF | (all & ~RFLAGS_IOPL));
	assert_int_equal(CPU->gpr[X86_RSP], USER_STACK + 8);
	/* Level 0: both do. */
	machine__start(MODE_LONG, 0);
	machine__write(KERNEL_STACK, 8, all | RFLAGS_VM | RFLAGS_VIP);
	assert_int_equal(EXECUTE(0x9d), EXEC_STOP);
	assert_int_equal(x86__rflags(CPU), RFLAGS_FIXED | all);
	/* And PUSHF does not show RF and VM. */
	CPU->sysflags |= RFLAGS_RF;
	EXECUTE(0x9c);
	assert_int_equal(machine__read(KERNEL_STACK, 8), RFLAGS_FIXED | all);
	/* On a stack that is not canonical: #SS. */
	CPU->gpr[X86_RSP] = BIT64(47) + 8;
	EXECUTE(0x9c);
	assert_int_equal(machine__fault(), FAULT(X86_SS_FAULT, 0));
	/* 16 bits leave the upper half. */
	machine__start(MODE_LONG, 0);
	CPU->sysflags |= RFLAGS_AC;
	machine__write(KERNEL_STACK, 2, 0);
	EXECUTE(0x66, 0x9d);
	assert_true(CPU->sysflags & RFLAGS_AC);
	assert_false(CPU->sysflags & RFLAGS_IF);
}

static void test_sti_shadow_and_smap_view(void **state)
{
	machine__start(MODE_LONG, 0);
	EXECUTE(0xfb);
	assert_int_equal(CPU->shadow, 0); /* IF was set already */
	assert_int_equal(EXECUTE(0xfa), EXEC_NEXT);
	assert_int_equal(EXECUTE(0xfb), EXEC_STOP);
	assert_int_equal(CPU->shadow, X86_SHADOW_STI);
	CPU->cr4 |= CR4_SMAP;
	x86__mode_changed(machine_vcpu);
	assert_ptr_equal(machine_vcpu->view, machine_vcpu->tlb.entry[TLB_KERNEL]);
	EXECUTE(0x0f, 0x01, 0xcb); /* stac */
	assert_ptr_equal(machine_vcpu->view, machine_vcpu->tlb.entry[TLB_KERNEL_AC]);
	EXECUTE(0x0f, 0x01, 0xca); /* clac */
	assert_ptr_equal(machine_vcpu->view, machine_vcpu->tlb.entry[TLB_KERNEL]);
}

/* A 32-bit task at TSS2 whose registers hold their number times 0x11. */
static void make_task(void)
{
	static const u16 seg[6] = { USER_DATA, KERNEL_CODE, KERNEL_DATA, KERNEL_DATA, 0, 0 };

	machine__write(AT_TSS2 + 32, 4, 0x2000);
	machine__write(AT_TSS2 + 36, 4, RFLAGS_FIXED);
	for (unsigned i = 0; i < 8; i++)
		machine__write(AT_TSS2 + 40 + 4 * i, 4, i == 4 ? 0x3000 : i * 0x11);
	for (unsigned i = 0; i < 6; i++)
		machine__write(AT_TSS2 + 72 + 4 * i, 4, seg[i]);
}

static void test_task_call_and_return(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	make_task();
	CPU->gpr[X86_RDI] = 0xd1;
	assert_int_equal(EXECUTE(0x9a, 0, 0, 0, 0, TSS2_SELECTOR, 0), EXEC_JUMP);
	assert_int_equal(CPU->rip, 0x2000);
	assert_int_equal(CPU->gpr[X86_RDI], 0x77);
	assert_int_equal(CPU->gpr[X86_RSP], 0x3000);
	assert_int_equal(CPU->seg[X86_ES].selector, USER_DATA);
	assert_true(CPU->seg[X86_FS].unusable);
	assert_true(CPU->sysflags & RFLAGS_NT);
	assert_true(CPU->cr0 & CR0_TS);
	assert_int_equal(CPU->tr.selector, TSS2_SELECTOR);
	assert_int_equal(machine__read(AT_TSS2, 2), TSS_SELECTOR);
	assert_int_equal(machine__read(AT_TSS + 32, 4), AT_CODE + 7);
	assert_int_equal(machine__read(AT_TSS + 68, 4), 0xd1);
	assert_int_equal(descriptor__type(machine__get_descriptor(TSS_SELECTOR)), SYSTEM_TSS_BUSY);
	assert_int_equal(descriptor__type(machine__get_descriptor(TSS2_SELECTOR)), SYSTEM_TSS_BUSY);
	/* A busy task can't be called again. */
	EXECUTE(0x9a, 0, 0, 0, 0, TSS2_SELECTOR, 0);
	assert_int_equal(machine__fault(), FAULT(X86_GP, TSS2_SELECTOR));
	assert_int_equal(EXECUTE(0xcf), EXEC_JUMP);
	assert_int_equal(CPU->rip, AT_CODE + 7);
	assert_int_equal(CPU->gpr[X86_RDI], 0xd1);
	assert_int_equal(CPU->tr.selector, TSS_SELECTOR);
	assert_false(CPU->sysflags & RFLAGS_NT);
	assert_int_equal(descriptor__type(machine__get_descriptor(TSS2_SELECTOR)), SYSTEM_TSS);
}

static void test_task_gate_with_error_code(void **state)
{
	machine__start(MODE_PROTECTED, 3);
	make_task();
	machine__write(AT_IDT + X86_GP * 8, 8,
		       (u64)TSS2_SELECTOR << 16 | (u64)(0x80 | SYSTEM_TASK_GATE) << 40);
	x86__raise_gp(machine_vcpu, 0x1234);
	assert_int_equal(x86__deliver_exception(machine_vcpu), EXEC_JUMP);
	assert_int_equal(CPU->cpl, 0);
	assert_int_equal(CPU->gpr[X86_RSP], 0x3000 - 4);
	assert_int_equal(machine__read(0x3000 - 4, 4), 0x1234);
	assert_int_equal(machine__read(AT_TSS + 32, 4), AT_CODE);
}

/* A fault in the new task is the new task's: its RIP, its level, #TS with the selector. */
static void test_task_with_bad_segment(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	make_task();
	machine__write(AT_TSS2 + 72, 4, 0x900); /* ES */
	machine__write(AT_TSS2 + 100, 2, 1);	/* T: not reported before the fault */
	assert_int_equal(EXECUTE(0xea, 0, 0, 0, 0, TSS2_SELECTOR, 0), EXEC_FAULT);
	assert_int_equal(machine__fault(), FAULT(X86_TS, 0x900));
	assert_int_equal(CPU->rip, 0x2000);
	assert_int_equal(CPU->tr.selector, TSS2_SELECTOR);
	machine__write(AT_TSS2 + 72, 4, 0);
	machine__set_descriptor(TSS2_SELECTOR, machine__descriptor(AT_TSS2, 0xff, 0x89));
	machine__start(MODE_PROTECTED, 0);
	make_task();
	machine__write(AT_TSS2 + 100, 2, 1);
	assert_int_equal(EXECUTE(0xea, 0, 0, 0, 0, TSS2_SELECTOR, 0), EXEC_FAULT);
	assert_int_equal(machine__fault(), FAULT(X86_DB, 0));
	assert_int_equal(machine_vcpu->exception.payload, DR6_BT);
	assert_int_equal(descriptor__type(machine__get_descriptor(TSS_SELECTOR)), SYSTEM_TSS);
}

static void test_io_permission(void **state)
{
	machine__start(MODE_LONG, 3);
	machine__write(AT_TSS + 102, 2, 0x68);
	machine__write(AT_TSS + 0x68 + 0x70 / 8, 1, 0x02); /* port 71h */
	CPU->gpr[X86_RDX] = 0x70;
	assert_int_equal(EXECUTE(0xec), EXEC_EXIT); /* in al, dx */
	assert_int_equal(machine_vcpu->io.want.address, 0x70);
	assert_int_equal(machine_vcpu->io.want.size, 1);
	assert_int_equal(CPU->rip, AT_CODE);
	/* With the answer it completes. */
	machine_vcpu->io.answer[0] = machine_vcpu->io.want;
	machine_vcpu->io.answer[0].data[0] = 0x5a;
	machine_vcpu->io.nr_answers = 1;
	machine_vcpu->io.want.kind = IO_NONE;
	CPU->gpr[X86_RAX] = 0x1111111111111111;
	assert_int_equal(EXECUTE(0xec), EXEC_NEXT);
	assert_int_equal(CPU->gpr[X86_RAX], 0x111111111111115a);
	EXECUTE(0xed); /* in eax, dx: one of the four ports is denied */
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	CPU->gpr[X86_RDX] = 0x4c0; /* beyond the TSS */
	EXECUTE(0xec);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
}

static void test_rep_outs_hands_out_one_item(void **state)
{
	machine__start(MODE_LONG, 0);
	machine__write(0x9000, 8, 0x0807060504030201);
	CPU->gpr[X86_RSI] = 0x9000;
	CPU->gpr[X86_RCX] = 2;
	CPU->gpr[X86_RDX] = 0x3f8;
	assert_int_equal(EXECUTE(0xf3, 0x66, 0x6f), EXEC_AGAIN);
	assert_int_equal(machine_vcpu->io.nr_writes, 1);
	assert_int_equal(machine_vcpu->io.write[0].data[0], 1);
	assert_int_equal(machine_vcpu->io.write[0].data[1], 2);
	assert_int_equal(CPU->gpr[X86_RSI], 0x9002);
	assert_int_equal(CPU->gpr[X86_RCX], 1);
	assert_int_equal(CPU->rip, AT_CODE);
	machine_vcpu->io.nr_writes = 0;
	assert_int_equal(EXECUTE(0xf3, 0x66, 0x6f), EXEC_STOP);
	assert_int_equal(CPU->rip, AT_CODE + 3);
}

static void test_privileged_instructions(void **state)
{
	static const u8 code[][3] = {
		{ 0xf4 },		/* hlt */
		{ 0x0f, 0x06 },		/* clts */
		{ 0x0f, 0x08 },		/* invd */
		{ 0x0f, 0x09 },		/* wbinvd */
		{ 0x0f, 0x22, 0xc0 },	/* mov cr0, rax */
		{ 0x0f, 0x20, 0xd8 },	/* mov rax, cr3 */
		{ 0x0f, 0x23, 0xf8 },	/* mov dr7, rax */
		{ 0x0f, 0x30 },		/* wrmsr */
		{ 0x0f, 0x32 },		/* rdmsr */
		{ 0x0f, 0x01, 0x10 },	/* lgdt */
		{ 0x0f, 0x01, 0x38 },	/* invlpg */
		{ 0x0f, 0x01, 0xf8 },	/* swapgs */
		{ 0x0f, 0x01, 0xf0 },	/* lmsw */
		{ 0x0f, 0x00, 0xd8 },	/* ltr */
		{ 0x0f, 0x07 },		/* sysret */
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(code); i++) {
		machine__start(MODE_LONG, 3);
		assert_int_equal(machine__execute(code[i], 3), EXEC_FAULT);
		if (machine__fault() != FAULT(X86_GP, 0))
			fail_msg("%02x %02x %02x: %x", code[i][0], code[i][1], code[i][2],
				 machine__fault());
	}
	/* #UD comes before #GP(0). */
	machine__start(MODE_LONG, 3);
	EXECUTE(0x0f, 0x22, 0xc8); /* mov cr1, rax */
	assert_int_equal(machine__fault(), FAULT(X86_UD, 0));
}

static void test_halt(void **state)
{
	machine__start(MODE_LONG, 0);
	assert_int_equal(EXECUTE(0xf4), EXEC_STOP);
	assert_int_equal(machine_vcpu->mp_state, KVM_MP_STATE_HALTED);
	assert_int_equal(CPU->rip, AT_CODE + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_far_jump_checks),
		cmocka_unit_test(test_call_gate_with_parameters),
		cmocka_unit_test(test_call_gate_in_long_mode),
		cmocka_unit_test(test_far_return_to_compatibility_code),
		cmocka_unit_test(test_syscall_and_sysret),
		cmocka_unit_test(test_sysenter),
		cmocka_unit_test(test_iretq),
		cmocka_unit_test(test_iretq_to_small_stack),
		cmocka_unit_test(test_v86_round_trip),
		cmocka_unit_test(test_v86_extensions),
		cmocka_unit_test(test_popf_privileges),
		cmocka_unit_test(test_sti_shadow_and_smap_view),
		cmocka_unit_test(test_task_call_and_return),
		cmocka_unit_test(test_task_gate_with_error_code),
		cmocka_unit_test(test_task_with_bad_segment),
		cmocka_unit_test(test_io_permission),
		cmocka_unit_test(test_rep_outs_hands_out_one_item),
		cmocka_unit_test(test_privileged_instructions),
		cmocka_unit_test(test_halt),
	};

	return cmocka_run_group_tests(tests, machine__setup, machine__teardown);
}
