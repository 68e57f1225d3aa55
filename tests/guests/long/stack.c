/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSP as an operand of instructions that access the stack, behind some that have moved it: each is to see what
 * it is at that moment (SDM vol. 2). Over and over, so that it is translated.
 */
#include "tests/guests/lib/long/machine.h"

#define ROUNDS 64

struct outcome {
	u64 at;	   /* RSP before the code */
	u64 value; /* out */
};

/* The code leaves its result in RAX; RSP is put back. */
#define STACK_CODE(id, code)                                                                       \
	static void code_##id(struct outcome *o)                                                   \
	{                                                                                          \
		__asm__ volatile("mov %%rsp, %%rbx; mov %%rsp, (%0);" code                         \
				 "; mov %%rbx, %%rsp; mov %%rax, 8(%0)"                            \
				 : : "r"(o) : "rax", "rbx", "rcx", "r8", "memory", "cc");           \
	}

STACK_CODE(store, "push $-118; mov %%rsp, (%%rsp); pop %%rax")
STACK_CODE(store32, "push $-1; mov %%esp, (%%rsp); pop %%rax")
STACK_CODE(store16, "push $0; mov %%sp, (%%rsp); pop %%rax")
STACK_CODE(store8, "push $0; mov %%spl, (%%rsp); pop %%rax")
STACK_CODE(store_above, "push $1; push $2; mov %%rsp, 8(%%rsp); pop %%rcx; pop %%rax")
STACK_CODE(add_to, "push $5; add %%rsp, (%%rsp); pop %%rax")
STACK_CODE(sub_from, "push $5; sub %%rsp, (%%rsp); pop %%rax")
STACK_CODE(xor_with, "push $0x55; push $3; xor %%rsp, 8(%%rsp); pop %%rcx; pop %%rax")
STACK_CODE(compare, "mov %%rsp, %%rcx; push %%rcx; push $0; xor %%eax, %%eax; cmp %%rsp, 8(%%rsp); sete %%al")
STACK_CODE(compare_same, "lea -16(%%rsp), %%rcx; push %%rcx; push $0; xor %%eax, %%eax;"
			 "cmp %%rsp, 8(%%rsp); sete %%al")
STACK_CODE(test_bits, "push $-1; push $8; xor %%eax, %%eax; test %%rsp, (%%rsp); setnz %%al")
STACK_CODE(push_itself, "push $1; push %%rsp; pop %%rax")
STACK_CODE(push_memory, "push $77; pushq (%%rsp); pop %%rax")
STACK_CODE(lea_behind, "push $1; push $2; lea 24(%%rsp), %%rax")
STACK_CODE(as_index_base, "push $1; push $9; xor %%ecx, %%ecx; mov (%%rsp,%%rcx,8), %%rax")
STACK_CODE(swap, "push $1; mov %%rsp, %%r8; push $7; xchg %%r8, (%%rsp); pop %%rax")
STACK_CODE(load_itself, "push %%rbx; push $3; mov 8(%%rsp), %%rsp; mov %%rsp, %%rax")
STACK_CODE(add_itself, "push $16; add (%%rsp), %%rsp; mov %%rsp, %%rax")

struct row {
	const char *name;
	void (*code)(struct outcome *o);
	s64 change; /* the result, from RSP before ... */
	u64 constant; /* ... or, if `change` is ABSOLUTE */
	u64 mask; /* of RSP's bits in the result */
};

#define ABSOLUTE (1LL << 40)

static u64 wanted(const struct row *row, const struct outcome *o)
{
	if (row->change == ABSOLUTE)
		return row->constant;
	return ((o->at + row->change) & row->mask) | row->constant;
}

static const struct row rows[] = {
	{ "MOV m, RSP", code_store, -8, 0, ~0UL },
	{ "MOV m, ESP", code_store32, -8, 0xffffffff00000000, 0xffffffff },
	{ "MOV m, SP", code_store16, -8, 0, 0xffff },
	{ "MOV m, SPL", code_store8, -8, 0, 0xff },
	{ "MOV m, RSP above the top", code_store_above, -16, 0, ~0UL },
	{ "ADD m, RSP", code_add_to, -3, 0, ~0UL },
	{ "CMP m, RSP: another", code_compare, ABSOLUTE, 0, 0 },
	{ "CMP m, RSP: the same", code_compare_same, ABSOLUTE, 1, 0 },
	{ "PUSH RSP", code_push_itself, -8, 0, ~0UL },
	{ "PUSH m", code_push_memory, ABSOLUTE, 77, 0 },
	{ "LEA", code_lea_behind, 8, 0, ~0UL },
	{ "MOV r, [RSP + r]", code_as_index_base, ABSOLUTE, 9, 0 },
	{ "XCHG", code_swap, -8, 0, ~0UL },
	{ "MOV RSP, m", code_load_itself, 0, 0, ~0UL },
	{ "ADD RSP, m", code_add_itself, 8, 0, ~0UL },
};

static void check_row(const struct row *row)
{
	struct outcome o;
	u64 wrong = 0, i;

	for (i = 0; i < ROUNDS; i++) {
		row->code(&o);
		wrong += o.value != wanted(row, &o);
	}
	check__equal(wrong, 0, "%s", row->name);
}

/* Those whose result is not a sum. */
static void check_others(void)
{
	struct outcome o;
	u64 wrong[3] = { 0 }, i;

	for (i = 0; i < ROUNDS; i++) {
		code_sub_from(&o);
		wrong[0] += o.value != 5 - (o.at - 8);
		code_xor_with(&o);
		wrong[1] += o.value != (0x55 ^ (o.at - 16));
		code_test_bits(&o);
		wrong[2] += o.value != !!((o.at - 16) & 8);
	}
	check__equal(wrong[0], 0, "SUB m, RSP");
	check__equal(wrong[1], 0, "XOR m, RSP");
	check__equal(wrong[2], 0, "TEST m, RSP");
}

int main(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(rows); i++)
		check_row(&rows[i]);
	check_others();
	return 0;
}
