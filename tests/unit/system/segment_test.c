/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading segment registers: every check with its error code, and what limits do to accesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "tests/unit/system/machine.h"

#define CPU (&machine_vcpu->cpu)
#define S FREE_SELECTOR
#define FLAT (D_PAGES | D_BIG)

struct load_case {
	u8 seg;
	u8 cpl;
	u16 selector;
	u64 attributes; /* of the descriptor at FREE_SELECTOR */
	u32 fault;	/* 0: loads */
};

static const struct load_case load_cases[] = {
	/* data segments: DPL against CPL and RPL */
	{ X86_DS, 0, S, D_DATA | FLAT, 0 },
	{ X86_DS, 3, S | 3, D_DATA | FLAT, FAULT(X86_GP, S) },
	{ X86_DS, 3, S | 3, D_DATA | FLAT | D_DPL(3), 0 },
	{ X86_ES, 0, S | 3, D_DATA | FLAT | D_DPL(2), FAULT(X86_GP, S) },
	{ X86_FS, 0, S | 3, D_DATA | FLAT | D_DPL(3), 0 },
	/* code in a data segment register */
	{ X86_GS, 0, S, D_CODE | FLAT, 0 },
	{ X86_GS, 0, S, (D_CODE & ~2ULL) | FLAT, FAULT(X86_GP, S) }, /* execute-only */
	{ X86_DS, 3, S | 3, D_CODE | 4 | FLAT, 0 }, /* conforming */
	/* system descriptor, not present, order of these */
	{ X86_DS, 0, S, 0x82, FAULT(X86_GP, S) },
	{ X86_DS, 0, S, 0x13 | FLAT, FAULT(X86_NP, S) },
	{ X86_DS, 3, S | 3, 0x13 | FLAT, FAULT(X86_GP, S) },
	/* null and beyond the table */
	{ X86_DS, 0, 3, 0, 0 },
	{ X86_DS, 0, 0x800, 0, FAULT(X86_GP, 0x800) },
	{ X86_DS, 0, S | 4, 0, FAULT(X86_GP, S | 4) }, /* no LDT */
	/* the stack segment */
	{ X86_SS, 0, S, D_DATA | FLAT, 0 },
	{ X86_SS, 0, 0, 0, FAULT(X86_GP, 0) },
	{ X86_SS, 0, S | 1, D_DATA | FLAT, FAULT(X86_GP, S) },
	{ X86_SS, 0, S, D_DATA | FLAT | D_DPL(3), FAULT(X86_GP, S) },
	{ X86_SS, 3, S | 3, D_DATA | FLAT | D_DPL(3), 0 },
	{ X86_SS, 0, S, 0x91 | FLAT, FAULT(X86_GP, S) }, /* read-only */
	{ X86_SS, 0, S, D_CODE | FLAT, FAULT(X86_GP, S) },
	{ X86_SS, 0, S, 0x13 | FLAT, FAULT(X86_SS_FAULT, S) },
};

static void test_mov_to_sreg(void **state)
{
	for (unsigned i = 0; i < ARRAY_LENGTH(load_cases); i++) {
		const struct load_case *c = &load_cases[i];
		enum exec_result r;

		machine__start(MODE_PROTECTED, c->cpl);
		machine__set_descriptor(S, machine__descriptor(0x1000, 0xfff, c->attributes));
		CPU->gpr[X86_RAX] = c->selector;
		r = EXECUTE(0x8e, 0xc0 | c->seg << 3); /* mov sreg, ax */
		if (machine__fault() != c->fault)
			fail_msg("case %u: fault %x, not %x", i, machine__fault(), c->fault);
		if (c->fault) {
			assert_int_equal(r, EXEC_FAULT);
			assert_int_equal(CPU->rip, AT_CODE);
			assert_int_not_equal(CPU->seg[c->seg].base, 0x1000);
			continue;
		}
		assert_int_equal(CPU->rip, AT_CODE + 2);
		assert_int_equal(CPU->seg[c->seg].selector, c->selector);
		if (c->selector & ~3)
			assert_int_equal(CPU->seg[c->seg].base, 0x1000);
		else
			assert_true(CPU->seg[c->seg].unusable);
		assert_int_equal(CPU->shadow, c->seg == X86_SS ? X86_SHADOW_MOV_SS : 0);
	}
}

static void test_accessed_bit(void **state)
{
	u64 d = machine__descriptor(0, 0xfffff, 0x92 | FLAT);

	machine__start(MODE_PROTECTED, 3);
	machine__set_descriptor(S, d | D_DPL(3) << 40);
	CPU->gpr[X86_RAX] = S | 3;
	EXECUTE(0x8e, 0xd8);
	assert_int_equal(machine__get_descriptor(S), d | D_DPL(3) << 40 | BIT64(40));
	assert_int_equal(CPU->seg[X86_DS].type, 3);
	/* Also where no aligned word holds the type. */
	CPU->gdt.base = AT_GDT + 1;
	machine__write(AT_GDT + 1 + S, 8, d | D_DPL(3) << 40);
	EXECUTE(0x8e, 0xd8);
	assert_int_equal(machine__read(AT_GDT + 1 + S, 8), d | D_DPL(3) << 40 | BIT64(40));
}

static void test_mov_cs_is_undefined(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	EXECUTE(0x8e, 0xc8);
	assert_int_equal(machine__fault(), FAULT(X86_UD, 0));
	machine__start(MODE_PROTECTED, 0);
	EXECUTE(0x8e, 0xf0);
	assert_int_equal(machine__fault(), FAULT(X86_UD, 0));
}

static void test_null_ss_in_long_mode(void **state)
{
	machine__start(MODE_LONG, 0);
	CPU->gpr[X86_RAX] = 0;
	assert_int_equal(EXECUTE(0x8e, 0xd0), EXEC_STOP);
	assert_int_equal(CPU->cpl, 0);
	CPU->gpr[X86_RAX] = 1; /* RPL is not CPL */
	EXECUTE(0x8e, 0xd0);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	machine__start(MODE_LONG, 3);
	CPU->gpr[X86_RAX] = 3;
	EXECUTE(0x8e, 0xd0);
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	assert_int_equal(CPU->cpl, 3);
}

static void test_far_pointer_load_is_atomic(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	machine__write(0x9000, 4, 0x12345678);
	machine__write(0x9004, 2, 0x900); /* beyond the GDT */
	CPU->gpr[X86_RBX] = 0x9000;
	CPU->gpr[X86_RSI] = 77;
	EXECUTE(0xc5, 0x33); /* lds esi, [ebx] */
	assert_int_equal(machine__fault(), FAULT(X86_GP, 0x900));
	assert_int_equal(CPU->gpr[X86_RSI], 77);
	machine__write(0x9004, 2, USER_DATA);
	EXECUTE(0xc5, 0x33);
	assert_int_equal(CPU->gpr[X86_RSI], 0x12345678);
	assert_int_equal(CPU->seg[X86_DS].selector, USER_DATA);
}

static void test_pop_sreg(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	machine__write(KERNEL_STACK, 4, 0xffff0000 | USER_DATA);
	assert_int_equal(EXECUTE(0x1f), EXEC_NEXT); /* pop ds */
	assert_int_equal(CPU->seg[X86_DS].selector, USER_DATA);
	assert_int_equal(CPU->gpr[X86_RSP], KERNEL_STACK + 4);
	assert_int_equal(EXECUTE(0x66, 0x1e), EXEC_NEXT); /* pushw ds */
	assert_int_equal(CPU->gpr[X86_RSP], KERNEL_STACK + 2);
	assert_int_equal(machine__read(KERNEL_STACK + 2, 2), USER_DATA);
}

/* 32-bit items: Intel's processors touch the selector only. */
static void test_sreg_items(void **state)
{
	unsigned intel;

	for (intel = 0; intel < 2; intel++) {
		machine__start(MODE_PROTECTED, 0);
		machine_vcpu->cpuid.intel = intel;
		machine__write(KERNEL_STACK - 4, 4, 0xccccdddd);
		assert_int_equal(EXECUTE(0x1e), EXEC_NEXT); /* push ds */
		assert_int_equal(CPU->gpr[X86_RSP], KERNEL_STACK - 4);
		assert_int_equal(machine__read(KERNEL_STACK - 4, 4), (intel ? 0xcccc0000 : 0) | KERNEL_DATA);
		/* The upper half of the item is beyond the segment. */
		CPU->seg[X86_SS].limit = KERNEL_STACK - 3;
		CPU->seg[X86_SS].flat = false;
		assert_int_equal(EXECUTE(0x1f), intel ? EXEC_NEXT : EXEC_FAULT); /* pop ds */
		if (intel)
			assert_int_equal(CPU->gpr[X86_RSP], KERNEL_STACK);
		else
			assert_int_equal(machine__fault(), FAULT(X86_SS_FAULT, 0));
	}
}

static void test_real_mode_keeps_limit(void **state)
{
	machine__start(MODE_REAL, 0);
	CPU->seg[X86_DS].limit = 0xffffffff;
	CPU->gpr[X86_RAX] = 0x1234;
	EXECUTE(0x8e, 0xd8);
	assert_int_equal(CPU->seg[X86_DS].base, 0x12340);
	assert_int_equal(CPU->seg[X86_DS].limit, 0xffffffff);
}

struct limit_case {
	u64 attributes;
	u32 limit;
	u64 ea;
	u8 size;
	bool write;
	bool good;
};

static void test_limits(void **state)
{
	static const struct limit_case cases[] = {
		{ D_DATA | D_BIG, 0xfff, 0xffc, 4, true, true },
		{ D_DATA | D_BIG, 0xfff, 0xffd, 4, true, false },
		{ D_DATA | D_BIG, 0xfff, 0xffffffff, 2, true, false },
		{ 0x91 | D_BIG, 0xfff, 0, 4, true, false }, /* read-only */
		{ 0x91 | D_BIG, 0xfff, 0, 4, false, true },
		{ D_DATA | 4 | D_BIG, 0xfff, 0xfff, 1, true, false }, /* expand-down */
		{ D_DATA | 4 | D_BIG, 0xfff, 0x1000, 4, true, true },
		{ D_DATA | 4 | D_BIG, 0xfff, 0xfffffffc, 4, true, true },
		{ D_DATA | 4, 0xfff, 0xfffe, 4, true, false },
		{ D_CODE | D_BIG, 0xfff, 0, 4, false, true },
		{ D_CODE | D_BIG, 0xfff, 0, 4, true, false },
		{ (D_CODE & ~2ULL) | D_BIG, 0xfff, 0, 4, false, false },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct limit_case *c = &cases[i];
		struct descriptor d = {
			.low = machine__descriptor(0x100, c->limit, c->attributes)
		};
		enum exec_result r;
		u64 linear = 0;

		machine__start(MODE_PROTECTED, 0);
		segload__unpack(&CPU->seg[X86_DS], S, &d);
		x86__segment_changed(CPU, X86_DS);
		r = segment__linear(machine_vcpu, CPU, X86_DS, c->ea, c->size, c->write, &linear);
		if ((r == EXEC_NEXT) != c->good)
			fail_msg("case %u", i);
		if (c->good)
			assert_int_equal(linear, (u32)(0x100 + c->ea));
		else
			assert_int_equal(machine__fault(), FAULT(X86_GP, 0));
	}
}

static void test_flat_is_only_what_needs_no_check(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	assert_true(CPU->seg[X86_DS].flat);
	assert_false(CPU->seg[X86_CS].flat); /* code can't be written */
	CPU->seg[X86_DS].base = 1;
	x86__segment_changed(CPU, X86_DS);
	assert_false(CPU->seg[X86_DS].flat);
}

static void test_lar_lsl_verr_verw(void **state)
{
	machine__start(MODE_PROTECTED, 3);
	machine__set_descriptor(S, machine__descriptor(0, 0x12345, 0x91 | D_PAGES | D_DPL(3)));
	CPU->gpr[X86_RAX] = S;
	CPU->arith = 0;
	EXECUTE(0x0f, 0x02, 0xc8); /* lar ecx, eax */
	assert_true(CPU->arith & RFLAGS_ZF);
	assert_int_equal(CPU->gpr[X86_RCX] & 0xf0ff00, 0x80f100);
	EXECUTE(0x0f, 0x03, 0xc8); /* lsl ecx, eax */
	assert_int_equal(CPU->gpr[X86_RCX], 0x12345fff);
	EXECUTE(0x0f, 0x00, 0xe0); /* verr ax */
	assert_true(CPU->arith & RFLAGS_ZF);
	EXECUTE(0x0f, 0x00, 0xe8); /* verw ax */
	assert_false(CPU->arith & RFLAGS_ZF);
	CPU->gpr[X86_RAX] = KERNEL_DATA;
	CPU->gpr[X86_RCX] = 99;
	EXECUTE(0x0f, 0x02, 0xc8);
	assert_false(CPU->arith & RFLAGS_ZF);
	assert_int_equal(CPU->gpr[X86_RCX], 99);
	CPU->gpr[X86_RAX] = 0x7000; /* beyond: no fault */
	assert_int_equal(EXECUTE(0x0f, 0x03, 0xc8), EXEC_NEXT);
}

static void test_ltr_sets_busy(void **state)
{
	machine__start(MODE_PROTECTED, 0);
	CPU->gpr[X86_RAX] = TSS2_SELECTOR;
	assert_int_equal(EXECUTE(0x0f, 0x00, 0xd8), EXEC_NEXT);
	assert_int_equal(descriptor__type(machine__get_descriptor(TSS2_SELECTOR)), SYSTEM_TSS_BUSY);
	assert_int_equal(CPU->tr.base, AT_TSS2);
	EXECUTE(0x0f, 0x00, 0xd8); /* busy now */
	assert_int_equal(machine__fault(), FAULT(X86_GP, TSS2_SELECTOR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mov_to_sreg),
		cmocka_unit_test(test_accessed_bit),
		cmocka_unit_test(test_mov_cs_is_undefined),
		cmocka_unit_test(test_null_ss_in_long_mode),
		cmocka_unit_test(test_far_pointer_load_is_atomic),
		cmocka_unit_test(test_pop_sreg),
		cmocka_unit_test(test_sreg_items),
		cmocka_unit_test(test_real_mode_keeps_limit),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flat_is_only_what_needs_no_check),
		cmocka_unit_test(test_lar_lsl_verr_verw),
		cmocka_unit_test(test_ltr_sets_busy),
	};

	return cmocka_run_group_tests(tests, machine__setup, machine__teardown);
}
