/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jumps within a page: branches that go one way for long and then another, code behind them that faults, that is written while what
 * jumps to it stays, and pages that are written without a change of their code (SDM vol. 3, 8.1.3).
 */
#include "tests/guests/lib/long/irq.h"

#define MISSING (26UL << 30) /* nothing is there */
#define ARITHMETIC 0x8d5UL
#define EDGE 0x7ffffffff000UL
#define OFTEN 60

/*
 * EAX is 100 unless EDI is above 5; else twice EDI, 7, the word at RSI and the value. EDX has the comparison's flags. The gap is
 * written as well.
 */
__asm__(".pushsection .text\n"
	"path_begin:\n"
	"   cmp $5, %edi\n"
	"   ja 1f\n"
	"   mov $100, %eax\n"
	"   pushf\n"
	"   pop %rdx\n"
	"   ret\n"
	"path_gap: .skip 64, 0x90\n"
	"1: .byte 0x67, 0x8d, 0x44, 0x3f\n" /* lea 7(%edi, %edi), %eax */
	"path_small: .byte 7\n"
	"path_load: mov (%rsi), %ecx\n"
	"   jmp 2f\n"
	"   .skip 80, 0xcc\n"
	"path_third:\n"
	"2: pushf\n"
	"   pop %rdx\n"
	"   .byte 0x05\n" /* add $1000, %eax */
	"path_value: .long 1000\n"
	"   add %ecx, %eax\n"
	"   ret\n"
	"path_end:\n"
	".popsection\n");

/* Two functions, the second of which others come to as well. */
__asm__(".pushsection .text\n"
	"joined_begin:\n"
	"   mov %edi, %eax\n"
	"   test %edi, %edi\n"
	"   jns 1f\n"
	"   neg %eax\n"
	"   ret\n"
	"   .skip 32, 0xcc\n"
	"joined_tail:\n"
	"1: .byte 0x05\n"
	"joined_value: .long 1\n"
	"   ret\n"
	"joined_end:\n"
	".popsection\n");

/* A loop with two jumps in it: every item below RDX is counted in R8, the others are added up in RAX. */
__asm__(".pushsection .text\n"
	"round_begin:\n"
	"   xor %eax, %eax\n"
	"   xor %r8d, %r8d\n"
	"1: mov (%rsi), %r9\n"
	"   cmp %rdx, %r9\n"
	"   jae 2f\n"
	"   inc %r8\n"
	"   jmp 3f\n"
	"   .skip 16, 0xcc\n"
	"2: add %r9, %rax\n"
	"   jmp 3f\n"
	"   .skip 16, 0xcc\n"
	"3: add $8, %rsi\n"
	"   dec %rcx\n"
	"   jnz 1b\n"
	"   ret\n"
	"round_end:\n"
	".popsection\n");

/* Near the edge of the canonical addresses the branch that is never taken would leave them. */
__asm__(".pushsection .text\n"
	"edge_begin:\n"
	"   test %edi, %edi\n"
	"   jz 1f\n"
	"   mov $1, %eax\n"
	"   ret\n"
	"   .skip 32, 0xcc\n"
	"1: mov $2, %eax\n"
	"   .byte 0x0f, 0x80, 0, 0, 0, 0x10\n" /* jo, 256 MiB on */
	"   ret\n"
	"edge_end:\n"
	".popsection\n");

/* A jump that leads nowhere else. */
__asm__(".pushsection .text\n"
	"nowhere_begin:\n"
	"   mov $5, %eax\n"
	"   jmp 1f\n"
	"   .skip 16, 0xcc\n"
	"1: test %edi, %edi\n"
	"   jz 2f\n"
	"2: inc %eax\n"
	"   jmp 3f\n"
	"3: inc %eax\n"
	"   ret\n"
	"nowhere_end:\n"
	".popsection\n");

/* The last x87 instruction stands behind a jump. */
__asm__(".pushsection .text\n"
	"pointer_begin:\n"
	"   test %edi, %edi\n"
	"   jz 1f\n"
	"   fldz\n"
	"   fnstenv (%rsi)\n"
	"   ret\n"
	"   .skip 100, 0xcc\n"
	"1: fld1\n"
	"   jmp 2f\n"
	"   .skip 100, 0xcc\n"
	"pointer_last:\n"
	"2: fchs\n"
	"   fnstenv (%rsi)\n"
	"   ret\n"
	"pointer_end:\n"
	".popsection\n");

/* Adds two numbers RDI times; from adding_second on it is on the second page. */
__asm__(".pushsection .text\n"
	"adding_begin:\n"
	"1: fadds (%rsi)\n"
	"adding_second:\n"
	"   jmp 3f\n"
	"   .skip 20, 0xcc\n"
	"adding_last:\n"
	"3: fadds 4(%rsi)\n"
	"   dec %rdi\n"
	"   jz 2f\n"
	"   jmp 1b\n"
	"2: fnstenv (%rdx)\n"
	"   ret\n"
	"adding_end:\n"
	".popsection\n");

extern const u8 path_begin[], path_gap[], path_small[], path_load[], path_third[], path_value[], path_end[];
extern const u8 joined_begin[], joined_tail[], joined_value[], joined_end[];
extern const u8 round_begin[], round_end[], edge_begin[], edge_end[], nowhere_begin[], nowhere_end[];
extern const u8 pointer_begin[], pointer_last[], pointer_end[];
extern const u8 adding_begin[], adding_second[], adding_last[], adding_end[];

static u64 random_word(void)
{
	static u64 seed = 4711;

	seed = seed * 6364136223846793005 + 1442695040888963407;
	return seed >> 20;
}

static u8 *place(u8 *at, const u8 *begin, const u8 *end)
{
	memcpy(at, begin, end - begin);
	return at;
}

/* ---- one function ---- */

struct result {
	u32 eax;
	u64 flags;
};

static struct result go(const u8 *at, u32 edi, const u32 *word)
{
	struct result r;

	__asm__ volatile("call *%2" : "=a"(r.eax), "=d"(r.flags) : "r"(at), "D"(edi), "S"(word) : "rcx", "memory", "cc");
	r.flags &= ARITHMETIC;
	return r;
}

static u64 flags_of(u32 edi)
{
	u64 flags;

	__asm__ volatile("cmp $5, %1; pushf; pop %0" : "=r"(flags) : "r"(edi) : "cc");
	return flags & ARITHMETIC;
}

static bool is_right(const u8 *at, u32 edi)
{
	u32 word = random_word(), value;
	struct result r;

	memcpy(&value, at + (path_value - path_begin), 4);
	r = go(at, edi, &word);
	return r.flags == flags_of(edi) &&
	       r.eax == (edi > 5 ? 2 * edi + (s8)at[path_small - path_begin] + word + value : 100);
}

/* So often one way, and then any. */
static u32 count_wrong(const u8 *at, unsigned often, u32 low, u32 high)
{
	u32 wrong = 0;
	unsigned i;

	for (i = 0; i < often; i++)
		wrong += !is_right(at, low + random_word() % (high - low + 1));
	for (i = 0; i < OFTEN; i++)
		wrong += !is_right(at, random_word() % 12);
	return wrong;
}

static void check_ways(u8 *page)
{
	unsigned often;
	u8 *at;

	for (often = 0; often < 24; often++) {
		at = place(page + often % 5, path_begin, path_end);
		check__equal(count_wrong(at, often, 6, 1000), 0, "above, %d times, then any", (int)often);
		at = place(page + 512 + often % 5, path_begin, path_end);
		check__equal(count_wrong(at, often, 0, 5), 0, "not above, %d times, then any", (int)often);
		/* Where the last part begins near the page's end, and ends behind it. */
		at = place(page + PAGE_SIZE_4K - (path_end - path_begin) + often % 16, path_begin, path_end);
		check__equal(count_wrong(at, often, 6, 1000), 0, "at the page's end, %d times, then any", (int)often);
	}
}

/* Part of it is executed often before anything jumps there. */
static void check_hot_parts(u8 *page)
{
	static const u8 *const parts[] = { path_small - 4, path_third };
	unsigned i, k;
	u32 word = 0;
	u8 *at;

	for (i = 0; i < ARRAY_LENGTH(parts); i++) {
		at = place(page + 700, path_begin, path_end);
		for (k = 0; k < 40; k++)
			go(at + (parts[i] - path_begin), k, &word);
		check__equal(count_wrong(at, 40, 6, 1000), 0, "part %d is hot before", (int)i);
	}
}

static u32 count_wrong_writes(u8 *at, const u8 *begin, const u8 *written, unsigned bytes)
{
	u8 *to = at + (written - begin);
	u32 wrong = 0;
	unsigned i, k;

	for (i = 0; i < 40; i++) {
		for (k = 0; k < bytes; k++)
			to[k] = written == path_gap ? 0x90 - i : random_word();
		/* Now and then as it was: the page is written, and nothing else is. */
		if (i % 4 == 3)
			memcpy(at, begin, path_end - path_begin);
		for (k = 0; k < (i % 3 ? 2 : 20); k++)
			wrong += !is_right(at, 6 + random_word() % 100);
		wrong += !is_right(at, i % 5);
	}
	return wrong;
}

static void check_writes(u8 *page)
{
	u8 *at = place(page + 100, path_begin, path_end), *other = place(page + 1000, path_begin, path_end);
	u32 wrong;

	wrong = count_wrong(at, 30, 6, 1000) + count_wrong(other, 30, 6, 1000);
	wrong += count_wrong_writes(at, path_begin, path_gap, 8);
	check__equal(wrong, 0, "the gap is written");
	check__equal(count_wrong_writes(at, path_begin, path_small, 1), 0, "code behind the first jump is written");
	check__equal(count_wrong_writes(at, path_begin, path_value, 4), 0, "code behind the second jump is written");
	check__equal(count_wrong(other, 30, 6, 1000), 0, "the same code elsewhere on the page");
	wrong = 0;
	for (unsigned i = 0; i < 200; i++) {
		page[3000 + i % 64] = i; /* data */
		wrong += !is_right(at, 6 + i) + !is_right(other, i % 9);
	}
	check__equal(wrong, 0, "data of the same page are written");
}

/* ---- a function whose tail is another's, too ---- */

static u32 call(const u8 *at, u32 edi)
{
	u32 result;

	__asm__ volatile("call *%1" : "=a"(result) : "r"(at), "D"(edi), "a"(edi) : "rcx", "memory", "cc");
	return result;
}

static void check_tail(u8 *page)
{
	u8 *at = place(page + 64, joined_begin, joined_end), *tail = at + (joined_tail - joined_begin);
	u8 *value = at + (joined_value - joined_begin);
	u32 wrong = 0, i, k, now;

	for (i = 0; i < 200; i++) {
		now = i % 3 ? i : 1;
		memcpy(value, &now, 4);
		/* By turns who of them comes first after the write, and whether both are hot. */
		for (k = 0; k < (i & 8 ? 20 : 1); k++) {
			if (i & 1)
				wrong += call(tail, k) != k + now;
			wrong += call(at, k) != k + now;
			if (!(i & 1) && i & 2)
				wrong += call(tail, k) != k + now;
		}
		wrong += call(at, -(s32)i - 1) != i + 1;
	}
	check__equal(wrong, 0, "a tail that others jump to is written");
}

/* ---- a loop ---- */

static void check_loop(u8 *page)
{
	u8 *at = place(page + 200, round_begin, round_end);
	static u64 item[100];
	u64 sum, below, rax, r8, limit, left, *from;
	unsigned i, k, count, wrong = 0;

	for (i = 0; i < 300; i++) {
		count = 1 + random_word() % 100;
		/* First all are above, then some are not. */
		limit = i < 40 ? 0 : random_word() % 1000;
		sum = below = 0;
		for (k = 0; k < count; k++) {
			item[k] = random_word() % 1000;
			if (item[k] < limit)
				below++;
			else
				sum += item[k];
		}
		left = count;
		from = item;
		__asm__ volatile("call *%4; mov %%r8, %1"
				 : "=a"(rax), "=&r"(r8), "+c"(left), "+S"(from)
				 : "r"(at), "d"(limit)
				 : "r8", "r9", "memory", "cc");
		wrong += rax != sum || r8 != below;
	}
	check__equal(wrong, 0, "a loop with jumps in it");
}

static void check_nowhere(u8 *page)
{
	u8 *at = place(page + 1300, nowhere_begin, nowhere_end);
	unsigned i, wrong = 0;

	for (i = 0; i < 60; i++)
		wrong += call(at, i < 20 ? i % 2 : i < 40) != 7;
	check__equal(wrong, 0, "jumps to the next instruction");
}

/* The same page at two addresses. */
static void check_edge(u8 *page)
{
	unsigned i, wrong = 0;
	u8 *at = place(page + 1200, edge_begin, edge_end), *high = (u8 *)EDGE + 1200;

	paging__map(EDGE, (u64)page, 1, PTE_P | PTE_W);
	for (i = 0; i < 40; i++)
		wrong += call(at, 0) != 2;
	for (i = 0; i < 40; i++)
		wrong += call(high, i % 3) != 2 - !!(i % 3) || call(at, i % 5) != 2 - !!(i % 5);
	check__equal(wrong, 0, "near the edge of the canonical addresses");
}

/* ---- what is seen from outside ---- */

static __attribute__((noinline)) u64 try_to_go(const u8 *at, u32 edi, const u32 *word)
{
	return trap__code(TRY(go(at, edi, word)));
}

static void check_faults(u8 *page)
{
	u8 *at = place(page + 300, path_begin, path_end);
	unsigned i;

	check__equal(count_wrong(at, 30, 6, 1000), 0, "before it faults");
	for (i = 0; i < 20; i++) {
		u32 edi = 6 + i;

		check__equal(try_to_go(at, edi, (const u32 *)MISSING), (u64)X86_PF << 32, "a fault behind a jump");
		check__equal(trap()->frame.rip, (u64)at + (path_load - path_begin), "a fault behind a jump: RIP");
		check__equal(trap()->frame.rax, 2 * edi + 7, "a fault behind a jump: RAX");
		check__equal(trap()->frame.rflags & ARITHMETIC, flags_of(edi), "a fault behind a jump: flags");
	}
}

static u64 code_pointer(const u8 *at, u64 edi, const float *operands)
{
	static u32 environment[7];

	__asm__ volatile("fninit; fldz; call *%1"
			 : "+D"(edi)
			 : "r"(at), "S"(operands ? (const void *)operands : environment), "d"(environment)
			 : "rax", "memory", "cc");
	__asm__ volatile("fninit");
	return environment[3];
}

/* FNSTENV in 64-bit code stores 32 bits of the address. */
static void check_pointers(u8 *page)
{
	u8 *at = place(page + 50, pointer_begin, pointer_end), *two;
	static const float ones[2] = { 1, 1 };
	unsigned i, wrong = 0;

	for (i = 0; i < 40; i++)
		wrong += code_pointer(at, 0, NULL) != (u32)((u64)at + (pointer_last - pointer_begin));
	check__equal(wrong, 0, "x87's code pointer behind jumps");
	two = page + PAGE_SIZE_4K - (adding_second - adding_begin);
	memcpy(two, adding_begin, adding_end - adding_begin);
	for (wrong = i = 0; i < 40; i++)
		wrong += code_pointer(two, 100, ones) != (u32)((u64)two + (adding_last - adding_begin));
	check__equal(wrong, 0, "x87's code pointer behind a loop on two pages");
}

int main(void)
{
	u8 *page = page__alloc(), *next = page__alloc();

	check__equal((u64)next, (u64)page + PAGE_SIZE_4K, "two pages behind each other");
	check_ways(page);
	check_hot_parts(page);
	check_writes(page);
	check_tail(page);
	check_loop(page);
	check_edge(page);
	check_nowhere(page);
	check_faults(page);
	check_pointers(page);
	return 0;
}
