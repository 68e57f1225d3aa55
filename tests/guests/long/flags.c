/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic flags that stand when a later instruction faults, also where its operands have other values by
 * then and the flags would be overwritten next; and flags that are read behind memory accesses (SDM vol. 1,
 * 3.4.3).
 */
#include "tests/guests/lib/long/machine.h"

#define ARITHMETIC 0x8d5UL
/* Not defined behind logic instructions. */
#define AF 0x10UL
#define NOWHERE (20UL << 30)
/* More than interpretations before code is translated. */
#define ROUNDS 24

struct values {
	u64 a, b;
	u64 flags; /* out */
	const void *data; /* two words, on two pages */
	const void *fault; /* what is read behind them */
};

#define LOAD                                                                                       \
	"mov 0(%0), %%rax; mov 8(%0), %%rbx; mov %%rax, %%r10; mov %%rbx, %%r15;"                  \
	"mov 24(%0), %%rsi; mov 32(%0), %%rdi; mov $0x5a5a, %%ecx;"
#define CLOBBERS "rax", "rbx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r15", "memory", "cc"

/*
 * What the instruction sets; what a fault shows, behind nothing or behind other accesses; what is read once
 * memory has been accessed.
 */
#define SETTER(id, setter, spoil)                                                                  \
	static void set_##id(struct values *v)                                                     \
	{                                                                                          \
		__asm__ volatile(LOAD setter "; pushf; pop %%rcx; mov %%rcx, 16(%0)"               \
				 : : "r"(v) : CLOBBERS);                                           \
	}                                                                                          \
	static void fault_##id(struct values *v)                                                   \
	{                                                                                          \
		__asm__ volatile(LOAD setter "; " spoil "; mov (%%rdi), %%r8; xor %%r9d, %%r9d"    \
				 : : "r"(v) : CLOBBERS);                                           \
	}                                                                                          \
	static void fault_behind_##id(struct values *v)                                            \
	{                                                                                          \
		__asm__ volatile(LOAD "mov (%%rsi), %%r8; " setter "; " spoil                      \
				 "; mov 8(%%rsi), %%r9; mov (%%rdi), %%r8; xor %%r9d, %%r9d"       \
				 : : "r"(v) : CLOBBERS);                                           \
	}                                                                                          \
	static void read_##id(struct values *v)                                                    \
	{                                                                                          \
		__asm__ volatile(LOAD "mov (%%rsi), %%r8; " setter "; " spoil                      \
				 "; mov 8(%%rsi), %%r9; mov (%%rsi), %%r8; "                       \
				 "seto %%r8b; setc %%r9b; sets %%r11b; setz %%al; setp %%bl; "     \
				 "movzbl %%r8b, %%ecx; shl $11, %%ecx; "                    \
				 "movzbl %%r9b, %%r9d; or %%r9d, %%ecx; movzbl %%r11b, %%r11d; "   \
				 "shl $7, %%r11d; or %%r11d, %%ecx; movzbl %%al, %%eax; "          \
				 "shl $6, %%eax; or %%eax, %%ecx; movzbl %%bl, %%ebx; "            \
				 "shl $2, %%ebx; or %%ebx, %%ecx; mov %%rcx, 16(%0)"               \
				 : : "r"(v) : CLOBBERS);                                           \
	}

#define SPOIL "mov %%rcx, %%rax; mov %%rcx, %%rbx; mov %%rcx, %%r10; mov %%rcx, %%r15"

/* Registers that the software engine keeps in the processor, and such that it keeps in memory. */
#define BOTH(X, op, id)                                                                            \
	X(op##_##id##1, #op "b %%bl, %%al") X(op##_##id##2, #op "w %%bx, %%ax")                    \
	X(op##_##id##4, #op "l %%ebx, %%eax") X(op##_##id##8, #op "q %%rbx, %%rax")                \
	X(op##_##id##1_m, #op "b %%r15b, %%r10b") X(op##_##id##2_m, #op "w %%r15w, %%r10w")        \
	X(op##_##id##4_m, #op "l %%r15d, %%r10d") X(op##_##id##8_m, #op "q %%r15, %%r10")          \
	X(op##_##id##8_n, #op "q %%r15, %%rax") X(op##_##id##4_n, #op "l %%ebx, %%r10d")
#define IMMEDIATE(X, op, id)                                                                       \
	X(op##_##id##1_i, #op "b $0x81, %%bl") X(op##_##id##2_i, #op "w $0x7f01, %%bx")            \
	X(op##_##id##4_i, #op "l $0x80000000, %%ebx") X(op##_##id##8_i, #op "q $-3, %%rbx")        \
	X(op##_##id##4_a, #op "l $0x12345, %%eax") X(op##_##id##8_m_i, #op "q $-128, %%r10")       \
	X(op##_##id##1_m_i, #op "b $0x7f, %%r15b") X(op##_##id##8_l, #op "q $-0x80000000, %%rbx")
#define ALL(X)                                                                                     \
	BOTH(X, add, r) BOTH(X, sub, r) BOTH(X, cmp, r) BOTH(X, and, r) BOTH(X, or, r)             \
	BOTH(X, xor, r) BOTH(X, test, r) IMMEDIATE(X, add, i) IMMEDIATE(X, sub, i)                 \
	IMMEDIATE(X, cmp, i) IMMEDIATE(X, and, i) IMMEDIATE(X, or, i) IMMEDIATE(X, xor, i)         \
	IMMEDIATE(X, test, i) X(zero, "xor %%eax, %%eax") X(sub_same, "sub %%r10, %%r10")          \
	X(add_same, "add %%rax, %%rax") X(test_same, "test %%ebx, %%ebx")                          \
	X(cmp_same, "cmp %%r15, %%r15") X(neg, "neg %%rax") X(inc, "stc; incl %%ebx")                   \
	X(shift, "shr $3, %%rax") X(carry, "add %%rbx, %%rax; adc %%r15, %%r10")                   \
	X(cmp_rsp, "cmp %%rsp, %%rax") X(high, "add %%bh, %%ah")

#define DEFINE(id, setter) SETTER(id, setter, SPOIL) SETTER(plain_##id, setter, "nop")
ALL(DEFINE)

static void fault_sub_rsp(struct values *v)
{
	__asm__ volatile(LOAD "sub $0x38, %%rsp; push %%rax; push %%rbx; mov (%%rdi), %%r8; xor %%r9d, %%r9d; "
			 "add $0x48, %%rsp" : : "r"(v) : CLOBBERS);
}

typedef void run_fn(struct values *v);

static const struct setter {
	const char *name;
	run_fn *set, *fault, *fault_behind, *read;
} setters[] = {
#define ROW(id, setter)                                                                            \
	{ setter, set_##id, fault_##id, fault_behind_##id, read_##id },                            \
	{ setter, set_plain_##id, fault_plain_##id, fault_behind_plain_##id, read_plain_##id },
	ALL(ROW)
};

static u8 pages[3 * 4096] __attribute__((aligned(4096)));
static u64 state = 88172645463325252;

static u64 random(void)
{
	static const u64 edges[] = { 0, 1, ~0UL, 0x7f, 0x80, 0x7fffffff, 0x80000000, 1UL << 63, ~(1UL << 63) };

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state & 1 ? state >> (state >> 8 & 63) : edges[(state >> 8) % ARRAY_LENGTH(edges)];
}

static bool differs(u64 a, u64 b, u64 without)
{
	return (a ^ b) & ARITHMETIC & ~without;
}

/* Other operands each time: what was kept of older ones is wrong. */
static u64 choose(struct values *v, const struct setter *s)
{
	v->a = random();
	v->b = random();
	s->set(v);
	return v->flags;
}

static void check_setter(const struct setter *s)
{
	unsigned i, shown = 0, shown_behind = 0, read = 0;
	struct values v = { .fault = (void *)NOWHERE };
	u64 want;

	for (i = 0; i < ROUNDS; i++) {
		/* On two pages, or on one. */
		v.data = pages + 4096 - (i & 1 ? 8 : 64);
		want = choose(&v, s);
		shown += TRY(s->fault(&v)) != X86_PF || differs(trap()->frame.rflags, want, AF);
		want = choose(&v, s);
		shown_behind += TRY(s->fault_behind(&v)) != X86_PF ||
				differs(trap()->frame.rflags, want, AF);
		want = choose(&v, s);
		if (i & 2)
			flush_tlb();
		s->read(&v);
		read += differs(v.flags, want, AF);
	}
	check__equal(shown, 0, "%s: wrong flags at a fault", s->name);
	check__equal(shown_behind, 0, "%s: wrong flags at a fault behind other accesses", s->name);
	check__equal(read, 0, "%s: wrong flags read behind accesses", s->name);
}

/* AF is defined here. */
static void check_auxiliary(void)
{
	static run_fn *const runs[][2] = {
		{ set_add_r8, fault_add_r8 }, { set_sub_r4_m, fault_sub_r4_m },
		{ set_cmp_r1, fault_cmp_r1 }, { set_sub_i1_i, fault_sub_i1_i },
		{ set_add_i8_i, fault_add_i8_i }, { set_cmp_i2_i, fault_cmp_i2_i },
	};
	unsigned i, k, wrong = 0;

	for (k = 0; k < ARRAY_LENGTH(runs); k++)
		for (i = 0; i < ROUNDS; i++) {
			struct values v = { .a = random(), .b = random(), .fault = (void *)NOWHERE,
					    .data = pages };

			runs[k][0](&v);
			wrong += TRY(runs[k][1](&v)) != X86_PF ||
				 differs(trap()->frame.rflags, v.flags, 0);
		}
	check__equal(wrong, 0, "AF at a fault");
}

static void check_stack_pointer(void)
{
	unsigned i, wrong = 0;

	for (i = 0; i < ROUNDS; i++) {
		struct values v = { .fault = (void *)NOWHERE, .data = pages };
		u64 rsp, flags;

		wrong += TRY(fault_sub_rsp(&v)) != X86_PF;
		/* What it was before: two words have been pushed behind the subtraction. */
		rsp = trap()->frame.rsp + 16 + 0x38;
		__asm__ volatile("sub $0x38, %1; pushf; pop %0" : "=r"(flags), "+r"(rsp) : : "cc");
		wrong += differs(trap()->frame.rflags, flags, 0);
	}
	check__equal(wrong, 0, "flags of a moved stack pointer at a fault");
}

/*
 * A fault in the first instruction but one of a later round: what the round before has set stands there, though an
 * engine may have no use for it. The chain of words ends nowhere.
 */
static void follow(const u64 *chain, u64 n)
{
	__asm__ volatile("xor %%eax, %%eax; xor %%edx, %%edx;"
			 "1: mov %0, %%rdi; add (%%rdi), %%rax; mov (%%rdi), %0; lea 1(%%rdx), %%rdx; sub %%rdx, %%rax;"
			 "xor %%eax, %%eax; sub $1, %1; jne 1b"
			 : "+c"(chain), "+S"(n) : : "rax", "rdx", "rdi", "memory", "cc");
}

static void check_rounds(void)
{
	static u64 chain[64];
	unsigned length, i, wrong = 0;
	u64 flags;

	for (length = 3; length < ARRAY_LENGTH(chain); length++) {
		for (i = 0; i < length; i++)
			chain[i] = (u64)&chain[i + 1];
		chain[length - 1] = NOWHERE;
		wrong += TRY(follow(chain, 1000)) != X86_PF;
		__asm__ volatile("cmp $1, %1; pushf; pop %0" : "=r"(flags) : "r"(1001UL - length) : "cc");
		wrong += differs(trap()->frame.rflags, flags, 0);
	}
	check__equal(wrong, 0, "flags at a fault in a later round");
}

int main(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(setters); i++)
		check_setter(&setters[i]);
	check_auxiliary();
	check_stack_pointer();
	check_rounds();
	return 0;
}
