/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executes random integer instructions, with random registers, flags and memory operands at and
 * over page ends, here and on the CPU that runs the test: registers, memory and all flags but the
 * undefined ones of the row must agree.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host_segment.h"
#include "tests/unit/emulate/guest.h"
#include "tests/unit/emulate/native.h"

#define ROUNDS_PER_OPCODE 60

static u64 seed = 0x9e3779b97f4a7c15;

static u64 random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

/* Values at which arithmetic turns are as likely as others. */
static u64 random_value(void)
{
	static const u64 edges[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
				     0x80000000, 0xffffffff, 0x7fffffffffffffff,
				     0x8000000000000000, 0xffffffffffffffff };
	u64 r = random_u64();

	switch (r >> 60 & 3) {
	case 0:
		return edges[r % ARRAY_LENGTH(edges)];
	case 1:
		return (s64)(s8)r;
	case 2:
		return (u32)r;
	default:
		return random_u64();
	}
}

/* An address in RAM, often at or just before a page's end. */
static u64 random_address(void)
{
	u64 r = random_u64();
	u64 page = 4 + r % 8;

	if (r >> 63)
		return (u64)guest_ram + page * PAGE_SIZE_4K - (r >> 32) % 17;
	return (u64)guest_ram + page * PAGE_SIZE_4K + (r >> 32) % PAGE_SIZE_4K;
}

/* Instructions that mean the same to a process are compared; branches have their own tests. */
static bool is_comparable(const struct insn *insn)
{
	const char *name = insn->row->name;

	if (insn->row->class != CLASS_INTEGER || insn->flags & (INSN_BRANCH | INSN_STOP))
		return false;
	if (insn->row->flags & (ROW_CPL0 | ROW_BRANCH | ROW_STOP))
		return false;
	if (insn->seg >= X86_FS || insn->base == X86_SLOT_RIP)
		return false;
	return strcmp(name, "rdrand") && strcmp(name, "rdseed") && strcmp(name, "clzero") &&
	       strncmp(name, "ud", 2) && strcmp(name, "pause");
}

static bool is_string(const struct insn *insn)
{
	return insn->row->flags & (ROW_REP | ROW_REPZ);
}

/* Points the registers that an instruction addresses with into RAM. False if it can't. */
static bool aim(const struct insn *insn, u64 *gpr)
{
	u64 want = random_address();

	gpr[X86_RSP] = random_address();
	if (insn->row->forms == &forms_leave || insn->row->forms == &forms_enter)
		gpr[X86_RBP] = random_address();
	if (is_string(insn)) {
		if (insn->adsize == 2)
			return false;
		gpr[X86_RSI] = random_address();
		gpr[X86_RDI] = random_u64() & 3 ? random_address() : gpr[X86_RSI] + random_u64() % 9;
		gpr[X86_RCX] = random_u64() % 600;
		return true;
	}
	if (insn->row->exec == exec_xlat)
		gpr[X86_RBX] = want;
	if (insn->row->forms == &forms_mov_moffs)
		return false;
	if (!(insn->flags & INSN_MEM) || insn->row->forms == &forms_lea)
		return true;
	/* The bit string's register operand moves the address. */
	if (insn->row->opcode != 0xba && insn->opcode >= 0xa3 && insn->opcode <= 0xbb &&
	    insn->map == MAP_0F && !strncmp(insn->row->name, "bt", 2)) {
		if (insn->src / 8 == insn->base || insn->src / 8 == insn->index)
			return false;
		gpr[insn->src / 8] = (s64)(s16)random_u64() / 4;
	}
	if (insn->row->exec == exec_cmpxchg16b && random_u64() & 3)
		want &= ~15ULL;
	if (insn->adsize == 2 || insn->base >= X86_NR_GPR || insn->base == insn->index)
		return false;
	if (insn->index < X86_NR_GPR)
		gpr[insn->index] = random_u64() & 0xfff;
	gpr[insn->base] = want - (s64)insn->disp -
			  (insn->index < X86_NR_GPR ? gpr[insn->index] << insn->scale : 0);
	if (insn->row->forms == &forms_pop && insn->base == X86_RSP)
		gpr[X86_RSP] -= insn->opsize;
	/* An operand far from RSP may have taken the stack out of RAM. */
	return gpr[X86_RSP] - (u64)guest_ram - PAGE_SIZE_4K < GUEST_RAM_SIZE - 2 * PAGE_SIZE_4K;
}

struct outcome {
	struct native_state state;
	u8 *ram;
	int signal;
};

static void run_native(const u8 *code, const struct insn *insn, const struct native_state *start,
		       const u8 *ram, struct outcome *o)
{
	memcpy(guest_ram, ram, GUEST_RAM_SIZE);
	o->state = *start;
	o->signal = native__run(code, insn->len, insn->code, &o->state);
	memcpy(o->ram, guest_ram, GUEST_RAM_SIZE);
}

static void run_here(struct insn *insn, const struct native_state *start, const u8 *ram,
		     struct outcome *o)
{
	struct vcpu *vcpu = guest_vcpu;
	enum exec_result result;

	memcpy(guest_ram, ram, GUEST_RAM_SIZE);
	guest__reset(insn->code);
	memcpy(vcpu->cpu.gpr, start->gpr, sizeof(start->gpr));
	vcpu->cpu.arith = start->flags | random_u64() << 16; /* garbage beyond is allowed */
	vcpu->cpu.sysflags = (start->flags & RFLAGS_DF) | RFLAGS_FIXED;
	vcpu->cpu.rip = 0x1000;
	do {
		result = emulate__check(vcpu, insn);
		if (result == EXEC_NEXT)
			result = insn->exec(vcpu, insn);
	} while (result == EXEC_AGAIN);
	memcpy(o->state.gpr, vcpu->cpu.gpr, sizeof(o->state.gpr));
	o->state.flags = (vcpu->cpu.arith & RFLAGS_ARITH) | (vcpu->cpu.sysflags & RFLAGS_DF);
	o->signal = result == EXEC_NEXT ? 0 : result;
	if (result == EXEC_EXIT) /* outside of RAM */
		o->signal = SIGSEGV;
	if (result == EXEC_FAULT)
		o->signal = vcpu->exception.vector == X86_DE ? SIGFPE :
			    vcpu->exception.vector == X86_UD ? SIGILL : SIGSEGV;
	memcpy(o->ram, guest_ram, GUEST_RAM_SIZE);
}

static bool agree(const struct insn *insn, const struct outcome *native,
		  const struct outcome *here, char *why, unsigned size)
{
	u64 defined = (RFLAGS_ARITH | RFLAGS_DF) & ~(u64)insn->row->undefined;
	unsigned i;

	if (native->signal != here->signal) {
		snprintf(why, size, "signal %d, here %d", native->signal, here->signal);
		return false;
	}
	if (native->signal)
		return true;
	for (i = 0; i < (insn->code == 8 ? 16 : 8); i++) {
		if (native->state.gpr[i] == here->state.gpr[i])
			continue;
		snprintf(why, size, "register %u is %llx, here %llx", i,
			 (unsigned long long)native->state.gpr[i],
			 (unsigned long long)here->state.gpr[i]);
		return false;
	}
	if ((native->state.flags ^ here->state.flags) & defined) {
		snprintf(why, size, "flags %llx, here %llx",
			 (unsigned long long)(native->state.flags & defined),
			 (unsigned long long)(here->state.flags & defined));
		return false;
	}
	for (i = 0; i < GUEST_RAM_SIZE; i++) {
		if (native->ram[i] == here->ram[i])
			continue;
		snprintf(why, size, "byte %x of RAM is %x, here %x", i, native->ram[i],
			 here->ram[i]);
		return false;
	}
	return true;
}

static unsigned put_prefixes(u8 *code, unsigned code_size)
{
	u64 r = random_u64();
	unsigned n = 0;

	if (!(r & 7))
		code[n++] = 0x66;
	if (!(r >> 3 & 31))
		code[n++] = 0x67;
	if (!(r >> 8 & 7))
		code[n++] = r & 0x800 ? 0xf2 : 0xf3;
	if (!(r >> 12 & 7))
		code[n++] = 0xf0;
	if (code_size == 8 && r >> 20 & 1)
		code[n++] = 0x40 | (r >> 24 & 15);
	return n;
}

/* Random bytes behind an opcode of a map, with the VEX encoding where that is asked for. */
static void make_code(u8 *code, unsigned code_size, enum opcode_map map, unsigned opcode, bool vex)
{
	unsigned n, i;

	if (vex) {
		u64 r = random_u64();

		code[0] = 0xc4;
		code[1] = (r & 0xe0) | map;
		code[2] = r >> 8;
		code[2] &= ~4;
		code[3] = opcode;
		n = 4;
	} else {
		n = put_prefixes(code, code_size);
		if (map != MAP_1BYTE)
			code[n++] = 0x0f;
		if (map == MAP_0F38)
			code[n++] = 0x38;
		if (map == MAP_0F3A)
			code[n++] = 0x3a;
		code[n++] = opcode;
	}
	for (i = n; i < INSN_MAX_LENGTH; i++)
		code[i] = random_u64();
	if (map == MAP_1BYTE && opcode == 0xc8) /* ENTER: a frame that fits in RAM */
		code[n + 1] &= 3;
}

static u8 *random_ram(void)
{
	static u8 ram[GUEST_RAM_SIZE];
	unsigned i;

	for (i = 0; i < sizeof(ram); i += 8) {
		u64 value = random_u64();

		/* Runs of equal bytes, for string comparisons. */
		if (value & 3)
			value = 0x4141414141414141;
		memcpy(ram + i, &value, 8);
	}
	return ram;
}

static unsigned compare_opcode(unsigned code_size, enum opcode_map map, unsigned opcode, bool vex,
			       unsigned *compared)
{
	static u8 ram_native[GUEST_RAM_SIZE], ram_here[GUEST_RAM_SIZE];
	struct outcome native = { .ram = ram_native }, here = { .ram = ram_here };
	unsigned round, i, failures = 0;
	const u8 *ram = random_ram();

	for (round = 0; round < (vex ? 20 : 1) * ROUNDS_PER_OPCODE && failures < 5; round++) {
		struct native_state start;
		u8 code[INSN_MAX_LENGTH];
		struct insn insn;
		char why[100];

		make_code(code, code_size, map, opcode, vex);
		if (decode__insn(code, sizeof(code), code_size, &insn) != DECODE_OK ||
		    insn.map != map || insn.opcode != opcode || !is_comparable(&insn))
			continue;
		for (i = 0; i < 16; i++)
			start.gpr[i] = code_size == 8 ? random_value() : (u32)random_value();
		start.flags = random_u64() & RFLAGS_ARITH;
		if (is_string(&insn) && random_u64() & 1)
			start.flags |= RFLAGS_DF;
		if (!aim(&insn, start.gpr))
			continue;
		for (i = 0; i < 16 && code_size == 4; i++)
			start.gpr[i] = (u32)start.gpr[i];
		run_native(code, &insn, &start, ram, &native);
		run_here(&insn, &start, ram, &here);
		*compared += !native.signal;
		if (agree(&insn, &native, &here, why, sizeof(why)))
			continue;
		failures++;
		print_error("%s:", insn.row->name);
		for (i = 0; i < insn.len; i++)
			print_error(" %02x", code[i]);
		print_error(": %s\n", why);
	}
	return failures;
}

static void compare_map(unsigned code_size, enum opcode_map map, bool vex, unsigned at_least)
{
	unsigned opcode, failures = 0, compared = 0;

	native__catch();
	for (opcode = 0; opcode < 256; opcode++)
		failures += compare_opcode(code_size, map, opcode, vex, &compared);
	print_message("compared %u instructions\n", compared);
	assert_int_equal(failures, 0);
	assert_true(compared >= at_least);
}

static void one_byte_map_agrees_with_host(void **state)
{
	compare_map(8, MAP_1BYTE, false, 5000);
}

static void map_0f_agrees_with_host(void **state)
{
	compare_map(8, MAP_0F, false, 2000);
}

static void map_0f38_agrees_with_host(void **state)
{
	compare_map(8, MAP_0F38, false, 40);
}

static void vex_maps_agree_with_host(void **state)
{
	compare_map(8, MAP_0F38, true, 1500);
	compare_map(8, MAP_0F3A, true, 5);
}

static void code32_one_byte_map_agrees_with_host(void **state)
{
	compare_map(4, MAP_1BYTE, false, 5000);
}

static void code32_map_0f_agrees_with_host(void **state)
{
	compare_map(4, MAP_0F, false, 2000);
}

static int set_up(void **state)
{
	native__init();
	guest__init();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_byte_map_agrees_with_host),
		cmocka_unit_test(map_0f_agrees_with_host),
		cmocka_unit_test(map_0f38_agrees_with_host),
		cmocka_unit_test(vex_maps_agree_with_host),
	};
	const struct CMUnitTest tests32[] = {
		cmocka_unit_test(code32_one_byte_map_agrees_with_host),
		cmocka_unit_test(code32_map_0f_agrees_with_host),
	};

	if (argc < 2 || strcmp(argv[1], "32"))
		return cmocka_run_group_tests(tests, set_up, NULL);
	if (!host_segment__is_code(NATIVE_CODE32)) {
		printf("skipped: the host has no segment for 32-bit code\n");
		return 77;
	}
	return cmocka_run_group_tests(tests32, set_up, NULL);
}
