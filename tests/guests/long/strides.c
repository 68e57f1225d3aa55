/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops that go through memory, by constants or by registers, also with operands at distances which stay: columns of a matrix. Distances
 * of all signs and sizes, also others each time that the same code is entered; operands that come to another page, to one that may not be
 * written, to none. The pages stand in memory in another order than their addresses.
 */
#include "tests/guests/lib/long/machine.h"

#define PAGES 16
#define READ_ONLY 14
#define AREA (24UL << 30) /* nothing is there, before or behind */
#define SIZE (PAGES * PAGE_SIZE_4K)
#define CODE_SIZE 128
#define NOWHERE (1UL << 62) /* this far away no address is canonical */

static u8 frames[PAGES][PAGE_SIZE_4K] __attribute__((aligned(PAGE_SIZE_4K)));
static u8 before[SIZE], expected[SIZE];

static void map(unsigned page, u64 flags)
{
	paging__map(AREA + page * PAGE_SIZE_4K, (u64)frames[page * 7 % PAGES], 1, flags);
	invlpg((void *)(AREA + page * PAGE_SIZE_4K));
}

/* What a round does, in order: RDX is a sum of what it reads, R9 of RDX of all rounds. */
enum action { READ, STORE, MOVE, ADD_SI, ADD_INDEX };

/* The address, but for a constant. */
enum place { SI, ONE, TWO, OTHER, FAR, INDEX, ANYWHERE };

struct op {
	u8 action;
	u8 place;
	s16 constant;
};

struct walk {
	const char *name;
	u64 at; /* in AREA */
	u64 step;
	u64 distance; /* of ONE, twice for TWO */
	u64 other;
	u64 far;
	u64 rounds;
};

static const struct walk walks[] = {
	{ "near", 0x1100, 64, 16, 24, 40, 50 },
	{ "rows", 0x2000, 8, 256, 768, 512, 40 },
	{ "a page each", 0, 4096, 1024, 3072, 2048, 12 },
	{ "items on two pages", 0x2ff1, 8, 64, 24, 72, 40 },
	{ "to the next page", 0x3e00, 24, 512, 256, 16, 60 },
	{ "unaligned, to the next page", 0x2e03, 24, 512, 256, 16, 60 },
	{ "no distance", 0x4ff0, 8, 0, 0, 0, 30 },
	{ "a page's distance", 0x1010, 16, 4096, 4096, 8192, 40 },
	{ "nearly a page", 0x1000, 8, 2040, 4088, 4080, 40 },
	{ "more than can be shared", 0x1000, 8, 1800, 3700, 3584, 40 },
	{ "backwards", 0x8000, -64UL, 16, 32, 48, 60 },
	{ "distances backwards", 0x8100, 8, -64UL, -8UL, -4096UL, 60 },
	{ "standing", 0x5ff8, 0, 8, 16, 8, 30 },
	{ "to a page that may not be written", 0xc800, 64, 128, 256, 1024, 60 },
	{ "to the end", 0xd000, 64, 96, 640, -8192UL, 200 },
	{ "before the beginning", 0x400, -32UL, 32, 64, 96, 60 },
	{ "to nowhere", 0x1000, 8, NOWHERE, 8, 16, 20 },
	{ "other to nowhere", 0x1000, 8, 8, NOWHERE, 16, 20 },
};

/*
 * RSI: at; RDI: step; RAX and R11: distance; R8: other; RBX: far; RCX: rounds; R10: at, R13: an index from there; R15: AREA. RDX and R9 as
 * above.
 */
#define BEGIN ".balign 128, 0xcc; 1: xor %edx, %edx; add (%rsi), %rdx;"
#define NEXT "add %rdx, %r9; dec %rcx; jne 1b; ret;"
#define END "mov %rdx, (%rsi,%rbx); add %rdi, %rsi;" NEXT
#define ANY "mov %r9, %r14; and $0xfff8, %r14d; add (%r15,%r14), %rdx;"

__asm__(".section .rodata; codes:" BEGIN
	"add (%rsi,%rax), %rdx; add (%rsi,%rax,2), %rdx; add (%r8,%rsi), %rdx; add 8(%rsi,%r11), %rdx;" END BEGIN
	"add (%rsi,%rax), %rdx; add %rdi, %rsi; add (%rsi), %rdx; add (%rsi,%rax,2), %rdx; add (%r8,%rsi), %rdx;" END BEGIN
	"add (%rsi,%rax), %rdx; mov %rdx, (%rsi,%rax); add %rdi, %rsi; add (%rsi,%rax), %rdx; mov %rdx, (%rsi,%rax,2);"
	"add %rdi, %rsi; add (%r8,%rsi), %rdx;" END BEGIN
	"add 16(%rsi), %rdx; mov %rdx, 24(%rsi); add $8, %rsi; add -8(%rsi), %rdx;" NEXT BEGIN
	"lea -24(%rsi), %rsi; add 8(%rsi), %rdx; mov %rdx, (%rsi); dec %rsi; add 30(%rsi), %rdx;" NEXT BEGIN
	"add (%r10,%r13,8), %rdx;" ANY "mov %rdx, 8(%r10,%r13,8); add $2, %r13; add -16(%r10,%r13,8), %rdx; sub $-64, %rsi;" ANY
	NEXT BEGIN
	"add (%rsi,%rax), %rdx;" ANY "add $256, %rsi; add (%rsi,%rbx), %rdx; add (%r10,%r13), %rdx; sub $8, %r13;" NEXT
	".balign 128; .text");
extern const u8 codes[][CODE_SIZE];

#define PROGRAMS 7
#define OPS 12
static const struct op programs[PROGRAMS][OPS] = {
	{ { READ, SI }, { READ, ONE }, { READ, TWO }, { READ, OTHER }, { READ, ONE, 8 }, { STORE, FAR }, { MOVE } },
	{ { READ, SI }, { READ, ONE }, { MOVE }, { READ, SI }, { READ, TWO }, { READ, OTHER }, { STORE, FAR }, { MOVE } },
	{ { READ, SI }, { READ, ONE }, { STORE, ONE }, { MOVE }, { READ, ONE }, { STORE, TWO }, { MOVE }, { READ, OTHER },
	  { STORE, FAR }, { MOVE } },
	{ { READ, SI }, { READ, SI, 16 }, { STORE, SI, 24 }, { ADD_SI, 0, 8 }, { READ, SI, -8 } },
	{ { READ, SI }, { ADD_SI, 0, -24 }, { READ, SI, 8 }, { STORE, SI }, { ADD_SI, 0, -1 }, { READ, SI, 30 } },
	{ { READ, SI }, { READ, INDEX }, { READ, ANYWHERE }, { STORE, INDEX, 8 }, { ADD_INDEX, 0, 16 }, { READ, INDEX, -16 },
	  { ADD_SI, 0, 64 }, { READ, ANYWHERE } },
	{ { READ, SI }, { READ, ONE }, { READ, ANYWHERE }, { ADD_SI, 0, 256 }, { READ, FAR }, { READ, INDEX }, { ADD_INDEX, 0, -8 } },
};
static const u8 counts[PROGRAMS] = { 7, 8, 10, 5, 6, 8, 7 };

/* ---- the same, step by step ---- */

struct state {
	u64 rsi, rcx, rdx, r9;
	u64 index; /* in bytes */
	u64 trap; /* as trap__code(), or NO_TRAP */
	u64 cr2;
};

static bool is_there(u64 linear, bool write)
{
	return linear >= AREA && linear < AREA + SIZE && !(write && (linear - AREA) / PAGE_SIZE_4K == READ_ONLY);
}

/* Whether 8 bytes may be accessed; else what is raised. */
static bool access(struct state *s, u64 linear, bool write)
{
	u64 end = linear + 7;

	if ((u64)((s64)(linear << 16) >> 16) != linear) {
		s->trap = (u64)X86_GP << 32;
		return false;
	}
	if (is_there(linear, write) && is_there(end, write))
		return true;
	s->cr2 = is_there(linear, write) ? end & PAGE_MASK_4K : linear;
	s->trap = (u64)X86_PF << 32 | is_there(s->cr2, false) | write << 1;
	return false;
}

static u64 address_of(const struct walk *w, const struct state *s, const struct op *op)
{
	const u64 place[] = {
		[SI] = s->rsi, [ONE] = s->rsi + w->distance, [TWO] = s->rsi + 2 * w->distance, [OTHER] = s->rsi + w->other,
		[FAR] = s->rsi + w->far, [INDEX] = AREA + w->at + s->index, [ANYWHERE] = AREA + (s->r9 & 0xfff8),
	};

	return place[op->place] + (s64)op->constant;
}

static bool do_round(const struct walk *w, struct state *s, unsigned program)
{
	unsigned i;

	s->rdx = 0;
	for (i = 0; i < counts[program]; i++) {
		const struct op *op = &programs[program][i];
		bool write = op->action == STORE;
		u64 linear = address_of(w, s, op), value;

		if (op->action == MOVE)
			s->rsi += w->step;
		if (op->action == ADD_SI)
			s->rsi += (s64)op->constant;
		if (op->action == ADD_INDEX)
			s->index += (s64)op->constant;
		if (!write && op->action != READ)
			continue;
		if (!access(s, linear, write))
			return false;
		if (write) {
			memcpy(expected + (linear - AREA), &s->rdx, 8);
			continue;
		}
		memcpy(&value, expected + (linear - AREA), 8);
		s->rdx += value;
	}
	s->r9 += s->rdx;
	return true;
}

static void walk(const struct walk *w, struct state *s, unsigned program)
{
	memcpy(expected, before, SIZE);
	*s = (struct state){ .rsi = AREA + w->at, .rcx = w->rounds, .trap = NO_TRAP };
	while (s->rcx && do_round(w, s, program))
		s->rcx--;
}

/* ---- on the processor ---- */

static void execute(const struct walk *w, struct state *s, const u8 *code)
{
	u64 in_out[] = { AREA + w->at, w->step, w->distance, w->other, w->far, w->rounds, (u64)code, AREA };

	s->cr2 = 0;
	s->trap = trap__code(TRY(__asm__ volatile(
		"mov (%0), %%rsi; mov 8(%0), %%rdi; mov 16(%0), %%rax; mov %%rax, %%r11; mov 24(%0), %%r8; mov 32(%0), %%rbx;"
		"mov 40(%0), %%rcx; mov 56(%0), %%r15; mov %%rsi, %%r10; xor %%r9d, %%r9d; xor %%r13d, %%r13d; call *48(%0);"
		"mov %%rsi, (%0); mov %%rcx, 8(%0); mov %%rdx, 16(%0); mov %%r9, 24(%0)"
		: : "r"(in_out)
		: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r13", "r14", "r15", "memory", "cc")));
	if (s->trap == trap__code(NO_TRAP)) {
		s->trap = NO_TRAP;
		s->rsi = in_out[0];
		s->rcx = in_out[1];
		s->rdx = in_out[2];
		s->r9 = in_out[3];
		return;
	}
	s->rsi = trap()->frame.rsi;
	s->rcx = trap()->frame.rcx;
	s->rdx = trap()->frame.rdx;
	s->r9 = trap()->frame.r9;
	if (s->trap >> 32 == X86_PF)
		s->cr2 = trap()->cr2;
}

static bool is_as_expected(const struct state *a, const struct state *b)
{
	return a->rsi == b->rsi && a->rcx == b->rcx && a->rdx == b->rdx && a->r9 == b->r9 && a->trap == b->trap &&
	       a->cr2 == b->cr2 && !memcmp((void *)AREA, expected, SIZE);
}

static void fill(u64 seed)
{
	u64 i;

	for (i = 0; i < SIZE; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		before[i] = seed >> 56;
	}
}

static bool is_right(const struct walk *w, const u8 *code, unsigned program)
{
	struct state s, e;

	walk(w, &e, program);
	map(READ_ONLY, PTE_P | PTE_W);
	memcpy((void *)AREA, before, SIZE);
	map(READ_ONLY, PTE_P);
	execute(w, &s, code);
	return is_as_expected(&s, &e);
}

/* Code that has only seen one of these, then all, then the one again. */
static void check(unsigned program, const struct walk *w, u8 *code)
{
	unsigned i, wrong = 0;

	memcpy(code, codes[program], CODE_SIZE);
	for (i = 0; i < 6; i++)
		wrong += !is_right(w, code, program);
	check__equal(wrong, 0, "%s, program %d", w->name, (int)program);
	wrong = 0;
	for (i = 0; i < ARRAY_LENGTH(walks); i++)
		wrong += !is_right(&walks[i], code, program);
	check__equal(wrong, 0, "all behind %s, program %d", w->name, (int)program);
	wrong = 0;
	for (i = 0; i < 6; i++)
		wrong += !is_right(w, code, program);
	check__equal(wrong, 0, "%s once more, program %d", w->name, (int)program);
}

/* Aligned operands that move on by less than that. */
static void check_alignment(void)
{
	u64 n, at, wrong = 0;

	for (n = 0; n < 40; n++) {
		at = AREA + 16 * n;
		__asm__ volatile("mov $20, %%ecx; 1: movaps (%0), %%xmm0; add $16, %0; dec %%ecx; jne 1b"
				 : "+r"(at) : : "rcx", "memory", "cc");
		wrong += at != AREA + 16 * n + 320;
		wrong += TRY(__asm__ volatile("mov %0, %%rsi; mov $20, %%ecx; 1: movaps (%%rsi), %%xmm0; add $8, %%rsi; dec %%ecx; jne 1b"
					      : : "r"(AREA + 16 * n) : "rcx", "rsi", "memory", "cc")) != X86_GP;
		wrong += trap()->frame.rsi != AREA + 16 * n + 8 || trap()->frame.rcx != 19;
	}
	check__equal(wrong, 0, "aligned operands");
}

int main(void)
{
	static u8 code[PROGRAMS][ARRAY_LENGTH(walks)][CODE_SIZE] __attribute__((aligned(CODE_SIZE)));
	unsigned i, p;

	for (i = 0; i < PAGES; i++)
		map(i, PTE_P | PTE_W);
	fill(1);
	check_alignment();
	for (p = 0; p < PROGRAMS; p++)
		for (i = 0; i < ARRAY_LENGTH(walks); i++)
			check(p, &walks[i], code[p][i]);
	return 0;
}
