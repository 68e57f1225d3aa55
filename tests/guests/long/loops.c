/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops whose operands stay where they are: on one page, on two, on pages that share a place in a TLB; that fault in
 * some round; whose pages another CPU maps elsewhere, protects or takes away meanwhile; that write their own code.
 * What an engine does once for all rounds must not show (SDM vol. 3, 4.10.4).
 */
#include "tests/guests/lib/long/irq.h"

#define AREA (24UL << 30) /* nothing is there */
#define FAR (64UL << 20)  /* pages so far apart fall together in TLBs */
#define FRAMES 8
#define WORDS (PAGE_SIZE_4K / 8)
#define ARITHMETIC 0x8d5UL
#define ROUNDS 100

static u64 frames[FRAMES][WORDS] __attribute__((aligned(PAGE_SIZE_4K)));

static void *map(unsigned page, u64 at, u64 flags)
{
	paging__map(AREA + at, (u64)frames[page], 1, flags);
	invlpg((void *)(AREA + at));
	return (void *)(AREA + at);
}

static void fill(void)
{
	u64 seed = 12345, i, j;

	for (i = 0; i < FRAMES; i++) {
		for (j = 0; j < WORDS; j++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			frames[i][j] = seed;
		}
	}
}

struct sums {
	const void *left; /* two words that stay */
	void *total;	  /* one that is added to */
	const void *items; /* moves on */
	u64 count;
	u64 sum; /* out: of all totals */
};

/* Registers that engines may keep in memory have part in it. The first instruction of a round is at `at`. */
static void add_up(struct sums *s, u64 *at)
{
	__asm__ volatile("mov 8(%0), %%rbx; mov 0(%0), %%r11; mov 16(%0), %%rsi; mov 24(%0), %%rcx;"
			 "lea 1f(%%rip), %%rax; mov %%rax, (%1); xor %%r10d, %%r10d; jmp 1f; .balign 64;"
			 "1: mov (%%rsi), %%rax; add (%%r11), %%rax; xor 8(%%r11), %%rax; add %%rax, (%%rbx);"
			 "mov (%%rbx), %%r15; lea (%%r10, %%r15), %%r10; add $8, %%rsi; dec %%rcx; jne 1b;"
			 "mov %%r10, 32(%0)"
			 : : "r"(s), "r"(at)
			 : "rax", "rbx", "rcx", "rsi", "r10", "r11", "r15", "memory", "cc");
}

static u64 word_at(const void *from)
{
	u64 value;

	memcpy(&value, from, 8);
	return value;
}

/* The same, word by word. */
static u64 expect(const struct sums *s, u64 total, u64 rounds)
{
	u64 sum = 0, i;

	for (i = 0; i < rounds; i++) {
		total += (word_at((const u8 *)s->items + 8 * i) + word_at(s->left)) ^ word_at((const u8 *)s->left + 8);
		sum += total;
	}
	return sum;
}

static void check_places(void)
{
	static const struct {
		const char *name;
		u64 left, total, items;
	} places[] = {
		{ "one page each", 0x100, 0x2100, 0x4000 },
		{ "words that stay on two pages", 0xff8, 0x2100, 0x4000 },
		{ "one of them on both", 0xffc, 0x2100, 0x4000 },
		{ "the other on both", 0xff4, 0x2100, 0x4000 },
		{ "a total on two pages", 0x100, 0x2ffd, 0x4000 },
		{ "items that come to the next page", 0x100, 0x2100, 0x4ff0 },
		{ "items on two pages", 0x100, 0x2100, 0x4ff3 },
		{ "all the same page", 0x4000, 0x4100, 0x4200 },
		{ "one place in a TLB", 0x100, FAR + 0x200, 2 * FAR + 0x300 },
		{ "one page again", 0x180, 0x2180, 0x4080 },
	};
	unsigned i, n;
	u64 at;

	for (i = 0; i < FRAMES - 2; i++)
		map(i, i * PAGE_SIZE_4K, PTE_P | PTE_W);
	map(FRAMES - 2, FAR, PTE_P | PTE_W);
	map(FRAMES - 1, 2 * FAR, PTE_P | PTE_W);
	for (n = 0; n < 3 * ARRAY_LENGTH(places); n++) {
		struct sums s = { .count = ROUNDS };
		u64 wrong = 0, round, sum;

		i = n % ARRAY_LENGTH(places);
		s.left = (void *)(AREA + places[i].left);
		s.total = (void *)(AREA + places[i].total);
		s.items = (void *)(AREA + places[i].items);
		for (round = 0; round < 12; round++) {
			sum = expect(&s, word_at(s.total), s.count);
			add_up(&s, &at);
			wrong += s.sum != sum;
		}
		check__equal(wrong, 0, "%s", places[i].name);
	}
}

static u64 flags_of_dec(u64 value)
{
	u64 flags;

	__asm__ volatile("xor %%eax, %%eax; dec %1; pushf; pop %0" : "=&r"(flags), "+r"(value) : : "rax", "cc");
	return flags & ARITHMETIC;
}

/* Items end in round 17; then what stays is not there at all, though others were in the rounds before. */
static void check_faults(void)
{
	struct sums s = { (void *)(AREA + 0x100), (void *)(AREA + 0x2100), (void *)(AREA + 0x6000 - 17 * 8), 40, 0 };
	u64 sum, at, n;

	for (n = 0; n < 12; n++) {
		sum = expect(&s, word_at(s.total), 17);
		check__equal(trap__code(TRY(add_up(&s, &at))), (u64)X86_PF << 32, "items end, %d", (int)n);
		check__equal(trap()->cr2, AREA + 0x6000, "items end: address");
		check__equal(trap()->frame.rip, at, "items end: RIP");
		check__equal(trap()->frame.rcx, 40 - 17, "items end: rounds");
		check__equal(trap()->frame.r10, sum, "items end: sum");
		check__equal(trap()->frame.rflags & ARITHMETIC, flags_of_dec(40 - 16), "items end: flags");
	}
	s.items = (void *)(AREA + 0x4000);
	s.left = (void *)(AREA + 0x5ff8);
	for (n = 0; n < 3; n++) {
		check__equal(trap__code(TRY(add_up(&s, &at))), (u64)X86_PF << 32, "what stays ends, %d", (int)n);
		check__equal(trap()->cr2, AREA + 0x6000, "what stays ends: address");
		check__equal(trap()->frame.rcx, 40, "what stays ends: rounds");
	}
}

/* ---- another CPU changes the page ---- */

static void drop(u64 linear)
{
	invlpg((void *)linear);
}

struct change {
	u64 linear;
	unsigned page;
	u64 flags;
};

static void change_later(u64 arg)
{
	const struct change *c = (const struct change *)arg;

	clock__wait_us(2000);
	paging__map(c->linear, (u64)frames[c->page], 1, c->flags);
	smp__call_others(drop, c->linear);
}

static u64 wait_for(const u64 *word)
{
	u64 rounds = 0;

	__asm__ volatile("1: mov (%1), %%rax; add $1, %0; test %%rax, %%rax; je 1b"
			 : "+r"(rounds) : "r"(word) : "rax", "memory", "cc");
	return rounds;
}

static void count_up(u64 *word)
{
	__asm__ volatile("mov %0, %%rsi; xor %%r10d, %%r10d;"
			 "1: incq (%%rsi); add $1, %%r10; jne 1b"
			 : : "r"(word) : "rsi", "r10", "memory", "cc");
}

static void check_changes(void)
{
	u64 *word = map(0, 0, PTE_P | PTE_W);
	unsigned n;

	for (n = 0; n < 8; n++) {
		struct change elsewhere = { (u64)word, 1, PTE_P | PTE_W };
		struct change read_only = { (u64)word, 1, PTE_P };
		struct change nowhere = { (u64)word, 1, 0 };
		u64 before;

		frames[0][0] = 0;
		frames[1][0] = 7;
		map(0, 0, PTE_P | PTE_W);
		smp__run(1, change_later, (u64)&elsewhere);
		check__true(wait_for(word) > 1, "mapped elsewhere, %d", (int)n);
		smp__wait(1);
		before = frames[1][0];
		smp__run(1, change_later, (u64)&read_only);
		check__equal(trap__code(TRY(count_up(word))), (u64)X86_PF << 32 | 3, "protected, %d", (int)n);
		check__equal(frames[1][0], before + trap()->frame.r10, "protected: count");
		enable_interrupts();
		smp__wait(1);
		map(1, 0, PTE_P | PTE_W);
		before = frames[1][0];
		smp__run(1, change_later, (u64)&nowhere);
		check__equal(trap__code(TRY(count_up(word))), (u64)X86_PF << 32 | 2, "taken away, %d", (int)n);
		check__equal(frames[1][0], before + trap()->frame.r10, "taken away: count");
		enable_interrupts();
		smp__wait(1);
	}
}

/* ---- own code, vectors ---- */

/* add $imm, %eax; incl of that; dec %ecx; jne: each round adds one more. The same with EDX. */
static void check_own_code(void)
{
	static const u8 with_eax[] = { 0x31, 0xc0, 0x05, 5, 0, 0, 0, 0xff, 0x07, 0xff, 0xc9, 0x75, 0xf5, 0xc3 };
	static const u8 with_edx[] = { 0x31, 0xd2, 0x81, 0xc2, 5, 0, 0, 0, 0xff, 0x07, 0xff, 0xc9, 0x75, 0xf4,
				       0x89, 0xd0, 0xc3 };
	unsigned rounds[] = { 1, 3, 100, 1000 }, n;
	u8 *at = map(2, 0x2000, PTE_P | PTE_W);

	for (n = 0; n < 8 * ARRAY_LENGTH(rounds); n++) {
		u64 count = rounds[n / 2 % ARRAY_LENGTH(rounds)], sum;
		const u8 *code = n & 1 ? with_edx : with_eax;

		memcpy(at + 0x40, code, n & 1 ? sizeof(with_edx) : sizeof(with_eax));
		__asm__ volatile("call *%3"
				 : "=a"(sum), "+c"(count) : "D"(at + 0x43 + (n & 1)), "r"(at + 0x40)
				 : "rdx", "memory", "cc");
		count = rounds[n / 2 % ARRAY_LENGTH(rounds)];
		check__equal(sum, 5 * count + count * (count - 1) / 2, "own code, %d rounds", (int)count);
	}
}

/* Loops that begin where a page ends: what jumps there from elsewhere goes another way. The carry lives from round to round. */
static void check_page_ends(void)
{
	/* adc (%rsi), %rax; lea 8(%rsi), %rsi; dec %ecx; jne; ret */
	static const u8 code[] = { 0x48, 0x13, 0x06, 0x48, 0x8d, 0x76, 0x08, 0xff, 0xc9, 0x75, 0xf5, 0xc3 };
	u8 *at = map(2, 0x2000, PTE_P | PTE_W);
	unsigned offset, n, i, wrong = 0;

	for (offset = PAGE_SIZE_4K - 24; offset <= PAGE_SIZE_4K - sizeof(code); offset++) {
		memcpy(at + offset, code, sizeof(code));
		for (n = 0; n < 16; n++) {
			u64 count = ROUNDS, sum, expected = 0, carry = 0;
			const u64 *items = frames[n % 2 ? 5 : 6];

			for (i = 0; i < ROUNDS; i++) {
				u64 with = items[i] + carry;

				carry = with < carry;
				expected += with;
				carry |= expected < with;
			}
			__asm__ volatile("xor %%eax, %%eax; call *%3"
					 : "=&a"(sum), "+c"(count), "+S"(items) : "r"(at + offset) : "memory", "cc");
			wrong += sum != expected;
		}
	}
	check__equal(wrong, 0, "a page's end");
}

/* RSP as the result of a vector instruction: the page that it comes to is not the one of the round before. */
static void check_stack_pointer(void)
{
	u64 stacks[2] = { AREA + 0x3800, AREA + 0x9c00 }, seen, n;

	map(3, 0x3000, PTE_P | PTE_W);
	map(4, 0x9000, PTE_P | PTE_W);
	frames[3][0x800 / 8] = 1;
	frames[4][0xc00 / 8] = 1000000;
	for (n = 0; n < 12; n++) {
		/* It alternates between the two: what is read first, then where it goes. */
		__asm__ volatile("mov %%rsp, %%r12; movq 0(%1), %%xmm0; movq 8(%1), %%xmm1; mov 0(%1), %%rsp;"
				 "mov $200, %%ecx; xor %%r10d, %%r10d;"
				 "1: mov (%%rsp), %%rax; add %%rax, %%r10; pxor %%xmm1, %%xmm0; pxor %%xmm0, %%xmm1;"
				 "pxor %%xmm1, %%xmm0; movq %%xmm0, %%rsp; dec %%ecx; jne 1b;"
				 "mov %%r12, %%rsp; mov %%r10, %0"
				 : "=m"(seen) : "r"(stacks) : "rax", "rcx", "r10", "r12", "memory", "cc");
		check__equal(seen, 100 * 1000001UL, "RSP from a vector register, %d", (int)n);
	}
}

static u64 divide_all(const float *by, const float *what, u64 count)
{
	__asm__ volatile("mov %1, %%rsi; mov %2, %%rdi; mov %0, %%rcx;"
			 "1: movss (%%rdi), %%xmm0; divss (%%rsi), %%xmm0; addss 4(%%rdi), %%xmm0; add $4, %%rsi; "
			 "dec %%rcx; jne 1b; movd %%xmm0, %%ecx; mov %%rcx, %0"
			 : "+r"(count) : "r"(by), "r"(what) : "rcx", "rsi", "rdi", "memory", "cc");
	return count;
}

static void check_vectors(void)
{
	static const u32 unmasked = 0x1f80 & ~(1u << 9), masked = 0x1f80; /* division by zero */
	u32 *numbers = map(3, 0x3000, PTE_P | PTE_W), *what = map(4, 0x4000, PTE_P | PTE_W);
	unsigned i, n;

	for (i = 0; i < 64; i++)
		numbers[i] = 0x40000000; /* 2 */
	what[0] = 0x40c00000; /* 6 */
	what[1] = 0x3f800000; /* 1 */
	__asm__ volatile("ldmxcsr %0" : : "m"(unmasked));
	for (n = 0; n < 12; n++) {
		check__equal(divide_all((float *)numbers, (float *)what, 64), 0x40800000, "quotients");
		numbers[40] = 0;
		check__equal(TRY(divide_all((float *)numbers, (float *)what, 64)), X86_XM, "division by 0, %d", (int)n);
		check__equal(trap()->frame.rcx, 64 - 40, "division by 0: rounds");
		check__equal(trap()->frame.rsi, (u64)&numbers[40], "division by 0: divisor");
		numbers[40] = 0x40000000;
	}
	__asm__ volatile("ldmxcsr %0" : : "m"(masked));
}

/* As much straight vector code as engines translate at once; operands of registers that are set in it come in pairs. */
static void check_long_code(void)
{
	const u64 *near = map(4, 0x4000, PTE_P | PTE_W), *far = (const u64 *)frames[6];
	u64 n, i, wrong = 0, out[2];

	map(5, 0x5000, PTE_P | PTE_W);
	for (n = 0; n < 48; n++) {
		/* On one page, then on two. */
		const u64 *from = near + (n < 24 ? 2 * (n % 8) : WORDS - 2);
		u64 expected[2];

		for (i = 0; i < 2; i++)
			expected[i] = from[i] + 137 * from[i] + from[i + 2];
		for (i = 0; i < 24; i++)
			expected[i % 2] += far[i / 2 * 80 + i % 2] + far[i / 2 * 80 + 2 + i % 2];
		__asm__ volatile("jmp 1f; 1: movups (%1), %%xmm0; movaps %%xmm0, %%xmm2; mov %2, %%rax;"
				 ".set at_, 0; .rept 12;"
				 "movups at_(%%rax), %%xmm1; paddq %%xmm1, %%xmm2;"
				 "movups at_ + 16(%%rax), %%xmm1; paddq %%xmm1, %%xmm2; .set at_, at_ + 640; .endr;"
				 ".rept 137; paddq %%xmm0, %%xmm2; .endr;"
				 "movups 16(%1), %%xmm1; paddq %%xmm1, %%xmm2; movups %%xmm2, (%0)"
				 : : "r"(out), "r"(from), "r"(far) : "rax", "memory");
		wrong += out[0] != expected[0] || out[1] != expected[1];
	}
	check__equal(wrong, 0, "long vector code");
}

/* A register that is read 256 times in a round, and one that engines may keep in memory. */
static void check_much_used(void)
{
	u64 n, sum, total, wrong = 0;

	for (n = 0; n < 40; n++) {
		__asm__ volatile("mov %2, %%r14; xor %%r10d, %%r10d; xor %%edx, %%edx; mov $20, %%ecx; jmp 1f; .balign 64;"
				 "1: .rept 128; lea (%%r14, %%r14), %%rax; .endr;"
				 "add %%rax, %%rdx; add %%rax, %%r10; lea 1(%%r10), %%r10; dec %%ecx; jne 1b;"
				 "mov %%rdx, %0; mov %%r10, %1"
				 : "=r"(sum), "=r"(total) : "r"(n) : "rax", "rcx", "rdx", "r10", "r14", "cc");
		wrong += sum != 40 * n || total != 40 * n + 20;
	}
	check__equal(wrong, 0, "a register that is read 256 times");
}

/* The word of the x87 environment (SDM vol. 1, figure 8-9). */
#define ENV_FDP 5

/* The address that an x87 instruction leaves to see, by a register that stands in no other instruction of the loop. */
static u32 loop_with_x87(const u64 *from, const u64 *other, u64 rounds)
{
	u32 environment[7];

	__asm__ volatile("push %%rbp; fninit; mov %1, %%rsi; mov %2, %%rbx; mov %3, %%rcx; xor %%ebp, %%ebp;"
			 "jmp 1f; .balign 64;"
			 "1: inc %%r8; inc %%r9; inc %%r12; inc %%r13; inc %%r14; inc %%rbp; fldl (%%rsi, %%rcx, 8);"
			 "fstp %%st(0); add (%%rbx), %%r10; add (%%rbx), %%r10; add %%r10, %%r11; dec %%rcx; jne 1b;"
			 "pop %%rbp; fnstenv %0; fninit"
			 : "=m"(environment) : "r"(from), "r"(other), "r"(rounds)
			 : "rax", "rbx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "cc", "memory");
	return environment[ENV_FDP];
}

static void check_x87_addresses(void)
{
	u64 n, wrong = 0;

	for (n = 0; n < 40; n++)
		wrong += loop_with_x87(frames[n % 4], frames[5], 1 + n) != (u32)(u64)&frames[n % 4][1];
	check__equal(wrong, 0, "addresses of x87 operands");
}

/*
 * Loops that begin with what reads flags that the round before has set, or leaves some as they were; nothing looks
 * memory up. In the first round they are those of a comparison of `first` with `second`.
 */
#define ROUND_OF(body)                                                                                                 \
	({                                                                                                             \
		u64 sum_ = 0, at_ = 0;                                                                                 \
		__asm__ volatile("cmp %3, %2; .balign 64; 1: " body "; lea 1(%1), %1; cmp %4, %1; jne 1b"              \
				 : "+r"(sum_), "+r"(at_) : "r"(first), "r"(second), "r"(n), "c"(0) : "rdx", "cc");      \
		sum_;                                                                                                  \
	})

static void check_flags_of_rounds(void)
{
	unsigned turn, wrong[5] = { 0 }, i;
	static const char *const names[] = { "ADC", "JP", "INC and ADC", "SHL by 0 and ADC", "CMOVC" };
	volatile u64 first, second;

	for (turn = 0; turn < 40; turn++) {
		u64 n = 30 + turn, odd = 0, carry = turn & 1, round;

		first = 0x10;
		second = carry ? 0x11 : 0x10;
		/* 10H - 11H is all ones: an even number in its low byte; so is 0. */
		for (round = 1; round < n; round++)
			odd += __builtin_parity((u8)(round - n));
		/* At the end of each round but the last the counter is below n. */
		wrong[0] += ROUND_OF("adc $0, %0") != carry + n - 1;
		wrong[1] += ROUND_OF("jp 2f; add $1, %0; 2:") != odd;
		wrong[2] += ROUND_OF("inc %%rdx; adc $0, %0") != carry + n - 1;
		wrong[3] += ROUND_OF("shl %%cl, %%rdx; adc $0, %0") != carry + n - 1;
		wrong[4] += ROUND_OF("cmovc %1, %0") != n - 1;
	}
	for (i = 0; i < ARRAY_LENGTH(names); i++)
		check__equal(wrong[i], 0, "loops that begin with %s", names[i]);
}

int main(void)
{
	fill();
	check_much_used();
	check_x87_addresses();
	check_places();
	check_faults();
	check_own_code();
	check_page_ends();
	check_long_code();
	check_stack_pointer();
	check_vectors();
	check_flags_of_rounds();
	if (smp__start() < 2) {
		check__skip("one CPU", "pages that another CPU changes");
		return 0;
	}
	enable_interrupts();
	check_changes();
	disable_interrupts();
	return 0;
}
