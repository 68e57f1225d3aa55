/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops that go through memory with operands at distances which stay: columns of a matrix. Distances of all signs and sizes, also others
 * each time that the same code is entered; operands that come to another page, to one that may not be written, to none. The
 * pages stand in memory in another order than their addresses.
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

/* What a round does: adds to its sum what stands there, or moves on. */
enum action { AT, ONE, TWO, OTHER, LATE, STORE, MOVE, ACTIONS };

struct walk {
	const char *name;
	u64 at; /* in AREA */
	u64 step;
	u64 distance; /* of ONE, twice for TWO; and of LATE, from 8 on */
	u64 other;
	u64 store;
	u64 rounds;
};

static const struct walk walks[] = {
	{ "near", 0x1100, 64, 16, 24, 40, 50 },
	{ "rows", 0x2000, 8, 256, 768, 512, 40 },
	{ "a page each", 0, 4096, 1024, 3072, 2048, 12 },
	{ "items on two pages", 0x2ff1, 8, 64, 24, 72, 40 },
	{ "to the next page", 0x3e00, 24, 512, 256, 16, 60 },
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

/* RSI: at; RDI: step; RAX and R11: distance; R8: other; RBX: store; RCX: rounds. R9: what all rounds have stored. */
#define BEGIN "xor %edx, %edx; add (%rsi), %rdx; add (%rsi,%rax), %rdx;"
#define END "mov %rdx, (%rsi,%rbx); add %rdx, %r9; add %rdi, %rsi; dec %rcx; jne 1b; ret;"

__asm__(".section .rodata; codes:"
	".balign 128, 0xcc; 1:" BEGIN "add (%rsi,%rax,2), %rdx; add (%r8,%rsi), %rdx; add 8(%rsi,%r11), %rdx;" END
	".balign 128, 0xcc; 1:" BEGIN "add %rdi, %rsi; add (%rsi), %rdx; add (%rsi,%rax,2), %rdx; add (%r8,%rsi), %rdx;" END
	".balign 128, 0xcc; 1:" BEGIN "mov %rdx, (%rsi,%rax); add %rdi, %rsi; add (%rsi,%rax), %rdx; mov %rdx, (%rsi,%rax,2);"
	"add %rdi, %rsi; add (%r8,%rsi), %rdx;" END
	".balign 128; .text");
extern const u8 codes[][CODE_SIZE];

static const u8 programs[][12] = {
	{ AT, ONE, TWO, OTHER, LATE, STORE, MOVE, ACTIONS },
	{ AT, ONE, MOVE, AT, TWO, OTHER, STORE, MOVE, ACTIONS },
	{ AT, ONE, ACTIONS + 1 + ONE, MOVE, ONE, ACTIONS + 1 + TWO, MOVE, OTHER, STORE, MOVE, ACTIONS },
};

/* ---- the same, step by step ---- */

struct state {
	u64 rsi, rcx, rdx, r9;
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

static u64 address_of(const struct walk *w, const struct state *s, unsigned action)
{
	switch (action) {
	case ONE:
		return s->rsi + w->distance;
	case TWO:
		return s->rsi + 2 * w->distance;
	case LATE:
		return s->rsi + w->distance + 8;
	case OTHER:
		return s->rsi + w->other;
	case STORE:
		return s->rsi + w->store;
	default:
		return s->rsi;
	}
}

static bool do_round(const struct walk *w, struct state *s, const u8 *program)
{
	s->rdx = 0;
	for (; *program != ACTIONS; program++) {
		bool write = *program == STORE || *program > ACTIONS;
		unsigned action = *program > ACTIONS ? *program - ACTIONS - 1 : *program;
		u64 linear = address_of(w, s, action), value;

		if (action == MOVE) {
			s->rsi += w->step;
			continue;
		}
		if (!access(s, linear, write))
			return false;
		if (write) {
			memcpy(expected + (linear - AREA), &s->rdx, 8);
			s->r9 += action == STORE ? s->rdx : 0;
		} else {
			memcpy(&value, expected + (linear - AREA), 8);
			s->rdx += value;
		}
	}
	return true;
}

static void walk(const struct walk *w, struct state *s, const u8 *program)
{
	memcpy(expected, before, SIZE);
	*s = (struct state){ .rsi = AREA + w->at, .rcx = w->rounds, .trap = NO_TRAP };
	while (s->rcx && do_round(w, s, program))
		s->rcx--;
}

/* ---- on the processor ---- */

static void execute(const struct walk *w, struct state *s, const u8 *code)
{
	u64 in[7] = { AREA + w->at, w->step, w->distance, w->other, w->store, w->rounds, (u64)code }, out[4];

	s->cr2 = 0;
	s->trap = trap__code(TRY(__asm__ volatile(
		"mov (%0), %%rsi; mov 8(%0), %%rdi; mov 16(%0), %%rax; mov %%rax, %%r11; mov 24(%0), %%r8; mov 32(%0), %%rbx;"
		"mov 40(%0), %%rcx; xor %%r9d, %%r9d; call *48(%0);"
		"mov %%rsi, (%1); mov %%rcx, 8(%1); mov %%rdx, 16(%1); mov %%r9, 24(%1)"
		: : "r"(in), "r"(out)
		: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r11", "memory", "cc")));
	if (s->trap == trap__code(NO_TRAP)) {
		s->trap = NO_TRAP;
		s->rsi = out[0];
		s->rcx = out[1];
		s->rdx = out[2];
		s->r9 = out[3];
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

static bool is_right(const struct walk *w, const u8 *code, const u8 *program)
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
		wrong += !is_right(w, code, programs[program]);
	check__equal(wrong, 0, "%s, program %d", w->name, (int)program);
	wrong = 0;
	for (i = 0; i < ARRAY_LENGTH(walks); i++)
		wrong += !is_right(&walks[i], code, programs[program]);
	check__equal(wrong, 0, "all behind %s, program %d", w->name, (int)program);
	wrong = 0;
	for (i = 0; i < 6; i++)
		wrong += !is_right(w, code, programs[program]);
	check__equal(wrong, 0, "%s once more, program %d", w->name, (int)program);
}

int main(void)
{
	static u8 code[ARRAY_LENGTH(programs)][ARRAY_LENGTH(walks)][CODE_SIZE] __attribute__((aligned(CODE_SIZE)));
	unsigned i, p;

	for (i = 0; i < PAGES; i++)
		map(i, PTE_P | PTE_W);
	fill(1);
	for (p = 0; p < ARRAY_LENGTH(programs); p++)
		for (i = 0; i < ARRAY_LENGTH(walks); i++)
			check(p, &walks[i], code[p][i]);
	return 0;
}
