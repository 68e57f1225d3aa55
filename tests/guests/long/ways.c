/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops that lie on two pages, with the page's end at every place: in the midst of an instruction, before the jump back,
 * behind the first one. Rounds that go another way, that fault, whose code is written, or mapped elsewhere, on either page, by
 * themselves or by another CPU (SDM vol. 3, 4.10.4 and 8.1.3).
 */
#include "tests/guests/lib/long/irq.h"

#define CODE (24UL << 30) /* nothing is there */
#define DATA (25UL << 30)
#define ROUNDS 60
#define SECOND 0x800 /* from an item to the other one of its round */
/* Carry, parity, zero, sign: what a shift by more than 1 defines. */
#define DEFINED 0xc5UL

/* Behind way_count stands the count that it adds, behind way_second the operand that may fault in a round's midst. */
__asm__(".pushsection .text\n"
	"way_begin:\n"
	"1: mov (%rsi), %rax\n"
	"   add (%rdi), %rax\n"
	"   test $1, %al\n"
	"   jz 2f\n"
	"   .byte 0x49, 0x83, 0xc7\n" /* add $3, %r15 */
	"way_count: .byte 3\n"
	"2: mov %rax, %rdx\n"
	"   shl $3, %rdx\n"
	"way_second: mov 0x800(%rsi), %r12\n"
	"   xor 8(%rdi), %rdx\n"
	"   add %rdx, %r10\n"
	"   lea (%r10, %r12), %r10\n"
	"   mov 8(%rsp), %rax\n"
	"   add %rax, %r10\n"
	"   incl (%r11)\n"
	"   add $8, %rsi\n"
	"   dec %rcx\n"
	"   jz 3f\n"
	"   jmp 1b\n"
	"3: ret\n"
	"way_end:\n"
	".popsection\n");

/* Each round writes 9 somewhere; all but its first instruction is on the second page. */
__asm__(".pushsection .text\n"
	"poke_begin:\n"
	"1: mov (%rsi, %rcx, 8), %r11\n"
	"poke_second:\n"
	"   .byte 0x49, 0x83, 0xc7\n" /* add $3, %r15 */
	"poke_count: .byte 3\n"
	"   movb $9, (%r11)\n"
	"poke_after: add $1, %rax\n"
	"   dec %rcx\n"
	"   jz 3f\n"
	"   jmp 1b\n"
	"3: ret\n"
	"poke_end:\n"
	".popsection\n");

extern const u8 poke_begin[], poke_second[], poke_count[], poke_after[], poke_end[];
extern const u8 way_begin[], way_count[], way_second[], way_end[];

static u64 frames[4][PAGE_SIZE_4K / 8] __attribute__((aligned(PAGE_SIZE_4K)));
static u64 code[3][PAGE_SIZE_4K / 8] __attribute__((aligned(PAGE_SIZE_4K)));

struct way {
	u64 at;
	const u64 *stays;
	const u64 *items;
	u32 *counter;
	u64 pushed;
	u64 sum;
	u64 odd;
};

/* R10 is the sum, R15 the odd ones' count. */
static void go(struct way *w, u64 rounds)
{
	__asm__ volatile("mov 8(%0), %%rdi; mov 16(%0), %%rsi; mov 24(%0), %%r11; mov %1, %%rcx; xor %%r10d, %%r10d;"
			 "xor %%r15d, %%r15d; pushq 32(%0); call *(%0); add $8, %%rsp; mov %%r10, 40(%0); mov %%r15, 48(%0)"
			 : : "b"(w), "r"(rounds)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r10", "r11", "r12", "r15", "memory", "cc");
}

static void expect(struct way *w, u64 rounds, u8 count)
{
	u64 i;

	w->sum = w->odd = 0;
	for (i = 0; i < rounds; i++) {
		u64 a = w->items[i] + w->stays[0];

		if (a & 1)
			w->odd += count;
		w->sum += (a << 3 ^ w->stays[1]) + w->items[i + SECOND / 8] + w->pushed;
	}
}

static bool is_right(struct way *w, u64 rounds, u8 count)
{
	struct way is = *w;
	u32 before = *w->counter;

	go(&is, rounds);
	expect(w, rounds, count);
	return is.sum == w->sum && is.odd == w->odd && *w->counter == before + rounds;
}

/* Of the way's code, so many bytes are on the first page. */
static u64 place(unsigned first, u8 *low, u8 *high)
{
	unsigned length = way_end - way_begin;

	memcpy(low + PAGE_SIZE_4K - first, way_begin, first);
	memcpy(high, way_begin + first, length - first);
	return CODE + PAGE_SIZE_4K - first;
}

static u8 *count_in(unsigned first, u8 *low, u8 *high)
{
	unsigned offset = way_count - way_begin;

	return offset < first ? low + PAGE_SIZE_4K - first + offset : high + offset - first;
}

static void map(unsigned page, const u64 *frame)
{
	paging__map(CODE + page * PAGE_SIZE_4K, (u64)frame, 1, PTE_P | PTE_W);
	invlpg((void *)(CODE + page * PAGE_SIZE_4K));
}

static void fill(void)
{
	u64 seed = 4711, *word = (u64 *)frames, i;

	for (i = 0; i < sizeof(frames) / 8; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		word[i] = seed;
	}
	for (i = 0; i < ARRAY_LENGTH(frames); i++)
		paging__map(DATA + i * PAGE_SIZE_4K, (u64)frames[i], 1, PTE_P | PTE_W);
}

static struct way any_way(u64 at)
{
	return (struct way){
		.at = at, .stays = (u64 *)(DATA + 0x100), .items = (u64 *)(DATA + PAGE_SIZE_4K),
		.counter = (u32 *)(DATA + 3 * PAGE_SIZE_4K), .pushed = 99,
	};
}

/* Stretches of items that are odd, even and mixed, so that the way that was taken first is not always taken. */
static void check_all_ends(void)
{
	u8 *low = (u8 *)code[0], *high = (u8 *)code[1];
	unsigned first, n, length = way_end - way_begin;

	for (first = 1; first < length; first++) {
		struct way w = any_way(place(first, low, high));
		u64 wrong = 0;

		for (n = 0; n < 40; n++) {
			w.items = (u64 *)(DATA + PAGE_SIZE_4K + 8 * (n % 100));
			w.pushed = n;
			w.stays = (u64 *)(DATA + (n % 8 == 7 ? 0xff8 : 0x100));
			if (n % 16 == 5)
				w.items = (u64 *)(DATA + 2 * PAGE_SIZE_4K - SECOND - 8 * ROUNDS / 2 + 4);
			wrong += !is_right(&w, ROUNDS, 3);
		}
		check__equal(wrong, 0, "%d bytes on the first page", (int)first);
	}
}

static __attribute__((noinline)) u64 try_to_go(struct way *w, u64 rounds)
{
	return trap__code(TRY(go(w, rounds)));
}

static u64 flags_of_shift(u64 value)
{
	u64 flags;

	__asm__ volatile("shl $3, %1; pushf; pop %0" : "=r"(flags), "+r"(value) : : "cc");
	return flags & DEFINED;
}

/* The last page ends in round 21: first its second operand is missing. */
static void check_faults(void)
{
	u8 *low = (u8 *)code[0], *high = (u8 *)code[1];
	unsigned first, n, length = way_end - way_begin;
	u64 end = DATA + ARRAY_LENGTH(frames) * PAGE_SIZE_4K;

	for (first = 3; first < length; first += 5) {
		struct way w = any_way(place(first, low, high));

		for (n = 0; n < 24; n++)
			is_right(&w, ROUNDS, 3);
		w.items = (u64 *)(end - SECOND - 20 * 8);
		for (n = 0; n < 4; n++) {
			u32 before = *w.counter;

			check__equal(try_to_go(&w, ROUNDS), (u64)X86_PF << 32, "items end, %d on the first page", (int)first);
			expect(&w, 20, 3);
			check__equal(trap()->cr2, end, "items end: address");
			check__equal(trap()->frame.rip, w.at + (way_second - way_begin), "items end: RIP");
			check__equal(trap()->frame.rcx, ROUNDS - 20, "items end: rounds");
			check__equal(trap()->frame.r10, w.sum, "items end: sum");
			check__equal(*w.counter - before, 20, "items end: counter");
			check__equal(trap()->frame.r15, w.odd + ((w.items[20] + w.stays[0]) & 1) * 3, "items end: odd");
			check__equal(trap()->frame.rflags & DEFINED, flags_of_shift(w.items[20] + w.stays[0]), "items end: flags");
		}
	}
}

/* Its count is written between two runs, and by each of its rounds, wherever that is; then another page stands there. */
static void check_changes(void)
{
	u8 *low = (u8 *)code[0], *high = (u8 *)code[1], *other = (u8 *)code[2];
	unsigned first, n, i, length = way_end - way_begin;

	for (first = 2; first < length; first += 3) {
		struct way w = any_way(place(first, low, high));
		u8 *count = count_in(first, low, high);
		u64 wrong[3] = { 0, 0, 0 };

		for (n = 0; n < 60; n++) {
			*count = n % 100;
			wrong[0] += !is_right(&w, ROUNDS, n % 100);
		}
		/* The counter is that of the code: each round's count is one more than the round's before. */
		for (n = 0; n < 8; n++) {
			u64 expected = 0;
			struct way own = w;

			*count = 1;
			own.counter = (u32 *)count;
			for (i = 0; i < ROUNDS; i++)
				expected += ((w.items[i] + w.stays[0]) & 1) * (1 + i);
			go(&own, ROUNDS);
			wrong[1] += own.odd != expected;
			place(first, low, high);
		}
		/* On the other page the count is another one, if it is there. */
		*count = 3;
		memcpy(other, high, PAGE_SIZE_4K);
		if (count >= high)
			other[count - high] = 5;
		for (n = 0; n < 40; n++) {
			bool moved = n / 4 % 2;

			map(1, moved ? code[2] : code[1]);
			wrong[2] += !is_right(&w, ROUNDS, moved && count >= high ? 5 : 3);
		}
		map(1, code[1]);
		check__equal(wrong[0], 0, "written, %d on the first page", (int)first);
		check__equal(wrong[1], 0, "written by itself, %d on the first page", (int)first);
		check__equal(wrong[2], 0, "mapped elsewhere, %d on the first page", (int)first);
	}
}

/* ---- a round that is not like the others ---- */

#define POKES 200

static u64 targets[POKES + 1];
static u64 debug_rip, debug_rcx, debug_count;

static void note_debug(struct trap_frame *f)
{
	debug_rip = f->rip;
	debug_rcx = f->rcx;
	debug_count++;
	write_dr6(DR6_FIXED);
}

static u64 poke(u64 at)
{
	u64 sum;

	__asm__ volatile("xor %%r15d, %%r15d; call *%1; mov %%r15, %0"
			 : "=&r"(sum)
			 : "r"(at), "c"((u64)POKES), "S"(targets) : "rax", "r11", "r15", "memory", "cc");
	return sum;
}

/* All write to `target` in the given round, else to nothing of interest. */
static u64 place_poke(unsigned round, u8 *target)
{
	unsigned first = poke_second - poke_begin, i;
	static u8 nothing;

	memcpy((u8 *)code[0] + PAGE_SIZE_4K - first, poke_begin, first);
	memcpy(code[1], poke_second, poke_end - poke_second);
	for (i = 0; i <= POKES; i++)
		targets[i] = (u64)&nothing;
	targets[POKES - round] = (u64)target;
	return CODE + PAGE_SIZE_4K - first;
}

/* It may be the one that an engine looks at to learn what the loop does. */
static void check_one_round(void)
{
	u64 after = CODE + PAGE_SIZE_4K + (poke_after - poke_second), at;
	static u8 watched;
	unsigned k;

	for (k = 0; k < 60; k++) {
		at = place_poke(k, (u8 *)code[1] + (poke_count - poke_second));
		check__equal(poke(at), 3 * (k + 1) + 9 * (POKES - k - 1), "code is written in round %d", (int)k);
		check__equal(poke(at), 9 * POKES, "and stays so");
	}
	trap__handle(X86_DB, note_debug);
	for (k = 0; k < 60; k++) {
		at = place_poke(k, &watched);
		debug_count = 0;
		write_dr6(DR6_FIXED);
		__asm__ volatile("mov %0, %%dr0" : : "r"((u64)&watched));
		write_dr7(1 << 16 | 2); /* writes of a byte, by DR0 */
		check__equal(poke(at), 3 * POKES, "watched in round %d", (int)k);
		write_dr7(0x400);
		check__equal(debug_count, 1, "watched: once");
		check__equal(debug_rip, after, "watched: RIP");
		check__equal(debug_rcx, POKES - k, "watched: round");
	}
	trap__handle(X86_DB, NULL);
}

/* ---- another CPU ---- */

static void drop(u64 linear)
{
	invlpg((void *)linear);
}

static u32 turns;

static void wait_for_turns(u32 more)
{
	u32 from = __atomic_load_n(&turns, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&turns, __ATOMIC_ACQUIRE) - from < more)
		pause();
}

/* While it runs: first the count is written, then the second page becomes another one. */
static void change_later(u64 count)
{
	wait_for_turns(1000);
	*(volatile u8 *)count = 0;
	wait_for_turns(1000);
	paging__map(CODE + PAGE_SIZE_4K, (u64)code[2], 1, PTE_P | PTE_W);
	smp__call_others(drop, CODE + PAGE_SIZE_4K);
}

/* add $1, %r15; incl (%rsi); mov (%rdi), %rax; test %rax, %rax; jnz out; jmp back: until the word there, or the code, says otherwise. */
static void check_other_cpu(void)
{
	static const u8 spin[] = { 0x49, 0x83, 0xc7, 0x01, 0xff, 0x06, 0x48, 0x8b, 0x07, 0x48, 0x85, 0xc0, 0x75, 0x02, 0xeb, 0xf0, 0xc3 };
	u8 *low = (u8 *)code[0], *high = (u8 *)code[1], *other = (u8 *)code[2];
	unsigned first, n;

	/* With all of the jump back on the second page. */
	for (first = 5; first <= 14; first++) {
		for (n = 0; n < 2; n++) {
			u64 word = 0, rounds = 0;

			map(1, code[1]);
			memcpy(low + PAGE_SIZE_4K - first, spin, first);
			memcpy(high, spin + first, sizeof(spin) - first);
			/* On the other page all instructions are RET. */
			memset(other, 0xc3, 64);
			turns = 0;
			smp__run(1, change_later, (u64)(low + PAGE_SIZE_4K - first + 3));
			__asm__ volatile("xor %%r15d, %%r15d; call *%2; mov %%r15, %0"
					 : "=&r"(rounds)
					 : "D"(&word), "r"(CODE + PAGE_SIZE_4K - first), "S"(&turns) : "rax", "r15", "memory", "cc");
			smp__wait(1);
			/* The last one may have begun on the old page. */
			check__true(rounds >= 1000 && rounds < turns, "another CPU changed it, %d on the first page", (int)first);
		}
	}
	map(1, code[1]);
}

int main(void)
{
	fill();
	map(0, code[0]);
	map(1, code[1]);
	check_all_ends();
	check_faults();
	check_changes();
	check_one_round();
	if (smp__start() < 2) {
		check__skip("one CPU", "loops that another CPU changes");
		return 0;
	}
	enable_interrupts();
	check_other_cpu();
	disable_interrupts();
	return 0;
}
