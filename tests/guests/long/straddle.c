/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands with the same registers that lie on two pages, over and over at the same address, moving on, and on one
 * page again; carries live over all of them. The pages stand in memory in another order than their addresses.
 */
#include "tests/guests/lib/long/machine.h"

#define WORDS 6
#define PAGES 4
#define AREA (24UL << 30) /* nothing is there */
#define ROUNDS 80

static u8 frames[2 * PAGES][PAGE_SIZE_4K] __attribute__((aligned(PAGE_SIZE_4K)));

static void map(void)
{
	unsigned i;

	for (i = 0; i < 2 * PAGES; i++)
		paging__map(AREA + i * PAGE_SIZE_4K, (u64)frames[2 * PAGES - 1 - i], 1, PTE_P | PTE_W);
}

static u8 *byte_at(u64 offset)
{
	return &frames[2 * PAGES - 1 - offset / PAGE_SIZE_4K][offset % PAGE_SIZE_4K];
}

static u64 word_at(u64 offset)
{
	u64 value = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		value |= (u64)*byte_at(offset + i) << (8 * i);
	return value;
}

/* One number of WORDS words is added to another; registers that engines may keep in memory have part in it. */
static u64 add(const void *from, void *to)
{
	u64 carry;

	__asm__ volatile("mov (%1), %%rax; mov 8(%1), %%r10; mov 16(%1), %%r11; mov 24(%1), %%r15;"
			 "mov 32(%1), %%rcx; mov 40(%1), %%rdx; add %%rax, (%2); adc %%r10, 8(%2);"
			 "adc %%r11, 16(%2); adc %%r15, 24(%2); mov %%r15, %%r10; adc %%rcx, 32(%2);"
			 "adc %%rdx, 40(%2); mov $0, %%eax; adc $0, %%rax; test %%r15, %%r15; mov %%rax, %0"
			 : "=r"(carry) : "r"(from), "r"(to)
			 : "rax", "rcx", "rdx", "r10", "r11", "r15", "memory", "cc");
	return carry;
}

/* The same from bytes. */
static u64 sum(u64 from, u64 to, u64 *out)
{
	u64 carry = 0;
	unsigned i;

	for (i = 0; i < WORDS; i++) {
		u64 a = word_at(from + 8 * i), b = word_at(to + 8 * i), s = a + b, c = s < a;

		out[i] = s + carry;
		carry = c | (out[i] < s);
	}
	return carry;
}

static void fill(u64 seed)
{
	u64 i;

	for (i = 0; i < 2 * PAGES * PAGE_SIZE_4K; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		*byte_at(i) = seed >> 63 ? 0xff : seed >> 56;
	}
}

struct walk {
	const char *name;
	u64 from, to; /* offsets in AREA */
	u64 step;
	unsigned rounds;
};

#define TO (PAGES * PAGE_SIZE_4K)

static const struct walk walks[] = {
	{ "one page", 0x100, TO + 0x200, 0, ROUNDS },
	{ "from two pages", 0x1000 - 24, TO + 0x200, 0, ROUNDS },
	{ "to two pages", 0x100, TO + 0x1000 - 16, 0, ROUNDS },
	{ "both", 0x1000 - 8, TO + 0x2000 - 40, 0, ROUNDS },
	{ "the other page's end", 0x2000 - 32, TO + 0x1000 - 8, 0, ROUNDS },
	{ "a word on two pages", 0x1000 - 21, TO + 0x200, 0, ROUNDS },
	{ "words on two pages", 0x1000 - 3, TO + 0x1000 - 44, 0, ROUNDS },
	{ "moving on", 0x800, TO + 0x7f8, 8, 900 },
	{ "moving on, unaligned", 0x803, TO + 0x7f9, 13, 500 },
	{ "one page again", 0x180, TO + 0x280, 0, ROUNDS },
};

static void check_walk(const struct walk *w)
{
	u64 wanted[WORDS], carry, wrong = 0, lost = 0;
	unsigned n, i;

	fill(w->from);
	for (n = 0; n < w->rounds; n++) {
		u64 from = w->from + n * w->step, to = w->to + n * w->step;

		carry = sum(from, to, wanted);
		lost += add((void *)(AREA + from), (void *)(AREA + to)) != carry;
		for (i = 0; i < WORDS; i++)
			wrong += word_at(to + 8 * i) != wanted[i];
	}
	check__equal(wrong, 0, "%s: words", w->name);
	check__equal(lost, 0, "%s: carries", w->name);
}

/* What is shifted out, behind operands on one page or two and one of another register. */
static u64 shifted_out(u64 value, const void *pair, const void *other)
{
	u64 carry;

	__asm__ volatile("xor %%ecx, %%ecx; jmp 1f; .balign 64;"
			 "1: shl $3, %%rax; mov (%%rsi), %%rbx; mov 8(%%rsi), %%rdx; sfence; mov (%%rdi), %%r8; jc 2f; jmp 3f;"
			 "2: mov $1, %%ecx; 3: mov %%rcx, %0"
			 : "=r"(carry), "+a"(value) : "S"(pair), "D"(other) : "rbx", "rcx", "rdx", "r8", "memory", "cc");
	return carry;
}

static void check_shifts(void)
{
	u64 wrong = 0, i;

	for (i = 0; i < 600; i++) {
		u64 carry = i * 7 % 5 < 2;

		wrong += shifted_out(carry << 61, (void *)(AREA + (i % 3 == 2 && i > 100 ? 0xff8 : 0x40)), (void *)AREA) != carry;
	}
	check__equal(wrong, 0, "carries of shifts");
}

int main(void)
{
	unsigned round, i;

	map();
	check_shifts();
	for (round = 0; round < 3; round++)
		for (i = 0; i < ARRAY_LENGTH(walks); i++)
			check_walk(&walks[i]);
	return 0;
}
