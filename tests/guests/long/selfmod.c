/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that changes: the next instruction, through another address, over a page end, by every kind
 * of store, under another CPU (SDM vol. 3, 8.1.3; APM vol. 2, 7.6.1).
 */
#include "tests/guests/lib/long/irq.h"

#define ALIAS 0x10000000000UL
#define CROSS 0x10000100000UL
#define LARGE 0x10040000000UL

static u8 *code; /* a page, identity-mapped */

static u32 call(u64 at)
{
	u32 result;

	__asm__ volatile("call *%1" : "=a"(result) : "r"(at) : "memory");
	return result;
}

/* MOV EAX, value; RET */
static void write_function(u8 *at, u32 value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

/* The store changes the instruction right behind it; that block has run before. */
static void check_next_instruction(void)
{
	unsigned i, wrong = 0;

	for (i = 0; i < 300; i++) {
		u32 got;

		__asm__ volatile("movl %1, 1f+1(%%rip); 1: mov $0x7fffffff, %%eax" : "=&a"(got)
				 : "r"(i) : "memory");
		wrong += got != i;
	}
	check__equal(wrong, 0, "store into the next instruction");
	wrong = 0;
	for (i = 0; i < 300; i++) {
		u32 got;

		__asm__ volatile("mov %1, %%ecx; xor %%eax, %%eax; movb %%cl, 1f+2(%%rip); nop; nop;"
				 "nop; 1: add $0x11, %%eax"
				 : "=&a"(got) : "r"(i & 0x7f) : "ecx", "memory", "cc");
		wrong += got != (i & 0x7f);
	}
	check__equal(wrong, 0, "store a few instructions ahead");
	wrong = 0;
	for (i = 0; i < 300; i++) {
		u32 n;

		/* A loop whose body is changed by itself: NOP and INC ECX by turns. */
		__asm__ volatile("xor %%ecx, %%ecx; mov $10, %%edx; 1: movw $0x9090, 2f(%%rip);"
				 "test $1, %%edx; jz 2f; movw $0xc1ff, 2f(%%rip);"
				 "2: .byte 0x90, 0x90; dec %%edx; jnz 1b"
				 : "=&c"(n) : : "edx", "memory", "cc");
		wrong += n != 5;
	}
	check__equal(wrong, 0, "loop that rewrites its body");
}

/* INC EAX, and FF /7, by turns. */
static void check_undefined(void)
{
	u8 *at = code + 512;
	unsigned i, k, wrong = 0;

	at[0] = 0xff;
	at[2] = 0xc3;
	for (i = 0; i < 40; i++) {
		at[1] = i & 1 ? 0xf8 : 0xc0;
		for (k = 0; k < i % 12; k++)
			wrong += TRY(call((u64)at)) != (i & 1 ? X86_UD : NO_TRAP);
	}
	check__equal(wrong, 0, "undefined and defined by turns");
}

static void check_patched_calls(void)
{
	unsigned i, wrong = 0;

	for (i = 0; i < 2000; i++) {
		write_function(code + 64, i);
		wrong += call((u64)code + 64) != i;
	}
	check__equal(wrong, 0, "patch, then call");
	/* Data of the same page changes all the time, the code does not. */
	write_function(code + 64, 77);
	for (wrong = i = 0; i < 2000; i++) {
		*(volatile u32 *)(code + 2048) = i;
		wrong += call((u64)code + 64) != 77;
	}
	check__equal(wrong, 0, "code beside data");
}

static void check_aliases(void)
{
	unsigned i, wrong[3] = { 0, 0, 0 };

	paging__map(ALIAS, (u64)code, 1, PTE_P | PTE_W);
	paging__map(LARGE, (u64)code & ~0x1fffffUL, 2, PTE_P | PTE_W);
	for (i = 0; i < 500; i++) {
		u64 large = LARGE + ((u64)code & 0x1fffff);

		write_function((u8 *)ALIAS + 128, i);
		wrong[0] += call((u64)code + 128) != i;
		write_function(code + 128, ~i);
		wrong[1] += call(ALIAS + 128) != ~i;
		write_function((u8 *)large + 128, i * 3);
		wrong[2] += call(ALIAS + 128) != i * 3 || call(large + 128) != i * 3;
	}
	check__equal(wrong[0], 0, "written through an alias");
	check__equal(wrong[1], 0, "executed at an alias");
	check__equal(wrong[2], 0, "written through a large page");
}

/* Sum of 200 calls: the code becomes hot. */
static u64 call_often(u64 at)
{
	u64 sum = 0;
	unsigned i;

	for (i = 0; i < 200; i++)
		sum += call(at);
	return sum;
}

/* The same instruction executed often, from its own page and from others. */
static void check_hot_crossing(u8 *a, u8 *b, u8 *other)
{
	u64 at = CROSS + 4096 - 2, jump = CROSS + 4096 - 34;
	unsigned i, wrong = 0;

	memset(other, 0xcc, 4096);
	paging__map(CROSS + 4096, (u64)b, 1, PTE_P | PTE_W);
	write_function((u8 *)at, 0x01010101);
	*(u8 *)jump = 0xeb; /* jmp at */
	*(u8 *)(jump + 1) = 30;
	for (i = 0; i < 20; i++) {
		u64 entry = i & 1 ? jump : at;

		b[0] = i;
		wrong += call_often(entry) != 200 * (0x01010001ULL | i << 8);
		a[4095] = i; /* the first byte of the immediate */
		wrong += call_often(entry) != 200 * (0x01010000ULL | i << 8 | i);
		a[4095] = 1;
		/* The same linear pages, the same first page, another second one. */
		memcpy(other, b, 16);
		other[1] = 0x77;
		paging__map(CROSS + 4096, (u64)other, 1, PTE_P | PTE_W);
		wrong += call_often(entry) != 200 * (0x01770001ULL | i << 8);
		paging__map(CROSS + 4096, (u64)b, 1, PTE_P | PTE_W);
		wrong += call_often(entry) != 200 * (0x01010001ULL | i << 8);
		/* And at another address. */
		paging__map(ALIAS, (u64)a, 1, PTE_P | PTE_W);
		paging__map(ALIAS + 4096, (u64)other, 1, PTE_P | PTE_W);
		wrong += call_often(entry - CROSS + ALIAS) != 200 * (0x01770001ULL | i << 8);
		wrong += call_often(entry) != 200 * (0x01010001ULL | i << 8);
	}
	check__equal(wrong, 0, "hot instruction over a page end");
}

/* A jump over a page end, behind which nothing stands: its displacement changes. */
static void check_hot_crossing_jump(u8 *b)
{
	u8 *end = (u8 *)CROSS + 4096;
	unsigned i, wrong = 0;

	memset(b, 0xcc, 4096);
	paging__map(CROSS + 4096, (u64)b, 1, PTE_P | PTE_W);
	write_function(end - 60, 60);
	write_function(end - 40, 40);
	end[-1] = 0xeb;
	for (i = 0; i < 20; i++) {
		b[0] = i & 1 ? -61 : -41;
		wrong += call_often((u64)end - 1) != 200 * (i & 1 ? 60 : 40);
	}
	check__equal(wrong, 0, "hot jump over a page end");
}

static void check_crossing(void)
{
	u8 *a = page__alloc(), *gap = page__alloc(), *b = page__alloc();
	unsigned i, wrong = 0;
	u8 *at = (u8 *)CROSS + 4096 - 2;

	paging__map(CROSS, (u64)a, 1, PTE_P | PTE_W);
	paging__map(CROSS + 4096, (u64)b, 1, PTE_P | PTE_W);
	(void)gap;
	for (i = 0; i < 500; i++) {
		write_function(at, i);
		wrong += call((u64)at) != i;
		b[0] = ~i; /* the second byte of the immediate, by its identity address */
		wrong += call((u64)at) != ((i & ~0xff00) | (u8)~i << 8);
	}
	check__equal(wrong, 0, "instruction over a page end, second page changed");
	/* Another page behind the first one. */
	memcpy(gap, b, 4096);
	write_function(at, 0x01020304);
	wrong = call((u64)at) != 0x01020304;
	gap[0] = 0xaa;
	gap[1] = 0xbb;
	gap[2] = 0xcc;
	gap[3] = 0xc3;
	paging__map(CROSS + 4096, (u64)gap, 1, PTE_P | PTE_W);
	wrong += call((u64)at) != 0xccbbaa04;
	check__equal(wrong, 0, "instruction over a page end, second page replaced");
	check_hot_crossing(a, b, gap);
	check_hot_crossing_jump(b);
}

static void check_remapping(void)
{
	u8 *pages[2] = { page__alloc(), page__alloc() };
	unsigned i, wrong = 0;

	write_function(pages[0], 1000);
	write_function(pages[1], 1001);
	for (i = 0; i < 500; i++) {
		paging__map(ALIAS + 0x10000, (u64)pages[i & 1], 1, PTE_P);
		wrong += call(ALIAS + 0x10000) != 1000 + (i & 1);
	}
	check__equal(wrong, 0, "page remapped and INVLPG");
	for (wrong = i = 0; i < 100; i++) {
		*paging__entry(ALIAS + 0x10000, 1) = (u64)pages[i & 1] | PTE_P;
		flush_tlb();
		wrong += call(ALIAS + 0x10000) != 1000 + (i & 1);
	}
	check__equal(wrong, 0, "page remapped and MOV CR3");
}

/* Every way to write: each patches the immediate of a function that has just run. */
static void check_kinds_of_store(void)
{
	u8 *fn = code + 1024; /* aligned for the vector stores */
	u32 *imm = (u32 *)(fn + 1), value = 0, swap;
	u8 image[64] __attribute__((aligned(16)));
	unsigned wrong[8] = { 0 }, round;

	for (round = 0; round < 100; round++) {
		write_function(fn, ++value);
		call((u64)fn);
		swap = 1;
		__asm__ volatile("lock xadd %0, %1" : "+r"(swap), "+m"(*imm) : : "memory");
		wrong[0] += call((u64)fn) != ++value;
		__asm__ volatile("lock cmpxchg %1, %2" : : "a"(value), "r"(value + 1), "m"(*imm)
				 : "memory");
		wrong[1] += call((u64)fn) != ++value;
		value++;
		__asm__ volatile("rep stosb" : : "D"((u64)imm), "c"(1UL), "a"(value) : "memory");
		value = (value & 0xff) | ((value - 1) & ~0xffU);
		wrong[2] += call((u64)fn) != value;
		write_function(image, ++value);
		memcpy(fn, image, 6);
		wrong[3] += call((u64)fn) != value;
		write_function(image, ++value);
		__asm__ volatile("movups (%0), %%xmm0; movaps %%xmm0, (%1)" : : "r"(image), "r"(fn)
				 : "memory");
		wrong[4] += call((u64)fn) != value;
		value++;
		__asm__ volatile("mov %%rsp, %%rbx; lea 8(%0), %%rsp; push (%1); mov %%rbx, %%rsp"
				 : : "r"(fn), "r"((write_function(image, value), image))
				 : "rbx", "memory");
		wrong[5] += call((u64)fn) != value;
		value++;
		write_function(image, value);
		__asm__ volatile("fildq (%0); fistpq (%1)" : : "r"(image), "r"(fn) : "memory");
		wrong[6] += call((u64)fn) != value;
		value++;
		swap = value;
		__asm__ volatile("xchg %0, %1" : "+r"(swap), "+m"(*imm) : : "memory");
		wrong[7] += call((u64)fn) != value;
	}
	check__equal(wrong[0], 0, "LOCK XADD on code");
	check__equal(wrong[1], 0, "LOCK CMPXCHG on code");
	check__equal(wrong[2], 0, "REP STOSB on code");
	check__equal(wrong[3], 0, "REP MOVSB on code");
	check__equal(wrong[4], 0, "MOVAPS on code");
	check__equal(wrong[5], 0, "PUSH on code");
	check__equal(wrong[6], 0, "FISTP on code");
	check__equal(wrong[7], 0, "XCHG on code");
}

/* The two CPUs run the same page; one patches, tells, and the other must see it after CPUID. */
static volatile u32 announced, finished, wrong_remote, ran_remote;

static void run_remote(u64 at)
{
	while (!finished) {
		u32 least = __atomic_load_n(&announced, __ATOMIC_ACQUIRE), got;

		cpuid(0, 0);
		got = call(at);
		if (got < least)
			wrong_remote++;
		ran_remote++;
	}
}

static void check_two_cpus(void)
{
	u8 *fn = code + 3 * 64 - 1; /* its immediate is aligned */
	u32 i, wrong = 0;

	if (smp__start() < 2) {
		check__skip("one CPU only", "code changed by another CPU");
		return;
	}
	write_function(fn, 0);
	smp__run(1, run_remote, (u64)fn);
	while (!ran_remote)
		pause();
	for (i = 1; i < 100; i++) {
		u32 seen = ran_remote;
		u64 end = rdtsc() + clock__tsc_per_ms();

		__atomic_store_n((u32 *)(fn + 1), i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&announced, i, __ATOMIC_RELEASE);
		wrong += call((u64)fn) != i;
		while (ran_remote == seen && rdtsc() < end)
			pause();
	}
	finished = 1;
	smp__wait(1);
	check__equal(wrong, 0, "the patching CPU sees its patches");
	check__equal(wrong_remote, 0, "the other CPU sees them after it was told");
}

/*
 * Code is pushed on a stack, executed there, and pushed over, with no access to another stack in between.
 * The code is MOV EAX, ECX's value; JMP *R9.
 */
static void check_stack(void)
{
	u8 *stack = page__alloc(), *end = stack + 0x800;
	u32 wrong;

	__asm__ volatile("mov %%rsp, %%r8; lea 3f(%%rip), %%r9; mov %1, %%rsp; lea -8(%1), %%r10;"
			 "xor %%ecx, %%ecx; xor %0, %0;"
			 "1: mov %%rcx, %%rax; shl $8, %%rax; or %2, %%rax; jmp 2f;"
			 "2: push %%rax; jmp *%%r10;"
			 "3: add $8, %%rsp; cmp %%ecx, %%eax; je 4f; inc %0;"
			 "4: inc %%ecx; cmp $300, %%ecx; jne 1b; mov %%r8, %%rsp"
			 : "=&r"(wrong)
			 : "r"(end), "r"(0xb8UL | 0xe1ff41UL << 40)
			 : "rax", "rcx", "r8", "r9", "r10", "memory", "cc");
	check__equal(wrong, 0, "code pushed on the stack");
}

#define CALLERS 47
#define CALLER_SIZE 32

/*
 * Functions on one page that others call: each page by CALL and by JMP through a word of memory. Those that were
 * changed are called as they are now, by all, and those of another page are what they were.
 */
static void put_caller(u8 *at, u8 *function, bool jump)
{
	s32 displacement = function - (at + 5);

	if (jump) {
		memcpy(at, "\xff\x25\x0a\0\0", 6); /* jmp *16(at) */
		memcpy(at + 16, &function, 8);
	} else {
		at[0] = 0xe8;
		memcpy(at + 1, &displacement, 4);
		at[5] = 0xc3;
	}
}

static void check_many_callers(void)
{
	u8 *changed = page__alloc(), *same = page__alloc(), *callers[CALLERS];
	unsigned round, turn, i, wrong = 0, wrong_same = 0;

	write_function(same, 12345);
	for (i = 0; i < CALLERS; i++) {
		callers[i] = page__alloc();
		put_caller(callers[i], changed + i % 2 * CALLER_SIZE, i % 3 == 2);
		put_caller(callers[i] + CALLER_SIZE, same, i % 3 == 1);
	}
	for (round = 0; round < 60; round++) {
		write_function(changed + round % 2 * CALLER_SIZE, round);
		if (!round)
			write_function(changed + CALLER_SIZE, 0);
		for (turn = 0; turn < 20; turn++) {
			for (i = 0; i < CALLERS; i++) {
				u32 last = round % 2 == i % 2 ? round : round ? round - 1 : 0;

				wrong += call((u64)callers[i]) != last;
				wrong_same += call((u64)callers[i] + CALLER_SIZE) != 12345;
			}
		}
	}
	check__equal(wrong, 0, "many callers of a page that is written");
	check__equal(wrong_same, 0, "many callers of another page");
}

#define PLACES 0x10080000000UL
#define APART 0x10000

/*
 * One page of callers at two addresses, with another page behind it at each. The same call leads to
 * one or the other; one of the functions is written all the time, the other one never.
 */
static void check_callers_at_two_places(void)
{
	u8 *callers = page__alloc(), *function[2] = { page__alloc(), page__alloc() };
	u32 round, i, k, wrong = 0, random = 1;

	for (k = 0; k < 2; k++) {
		paging__map(PLACES + k * APART, (u64)callers, 1, PTE_P | PTE_W);
		paging__map(PLACES + k * APART + PAGE_SIZE_4K, (u64)function[k], 1, PTE_P | PTE_W);
	}
	for (i = 0; i < 40; i++)
		put_caller(callers + i * CALLER_SIZE, callers + PAGE_SIZE_4K, false);
	write_function(function[1], 12345);
	for (round = 0; round < 12000; round++) {
		write_function(function[0], round);
		for (i = 0; i < 80; i++) {
			random = random * 1103515245 + 12345;
			k = random >> 20 & 1;
			wrong += call(PLACES + k * APART + i % 40 * CALLER_SIZE) != (k ? 12345 : round);
		}
	}
	check__equal(wrong, 0, "callers at two places");
}

int main(void)
{
	code = page__alloc();
	check_many_callers();
	check_callers_at_two_places();
	check_next_instruction();
	check_undefined();
	check_patched_calls();
	check_aliases();
	check_crossing();
	check_remapping();
	check_kinds_of_store();
	check_stack();
	check_two_cpus();
	return 0;
}
