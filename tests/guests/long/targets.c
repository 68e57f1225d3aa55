/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JMP and CALL to an address that stands in memory, as in the tables of shared libraries: the same over and over, another one,
 * one whose code is written or mapped elsewhere meanwhile, taken away, or no address at all (SDM vol. 2, JMP, CALL).
 */
#include "tests/guests/lib/long/machine.h"

#define AREA (24UL << 30) /* nothing is there */
#define FRAMES 4
#define TIMES 40
#define NOT_CANONICAL (1UL << 52)

/* One page of code, one that it reads from. */
static u8 pages[2][PAGE_SIZE_4K] __attribute__((aligned(PAGE_SIZE_4K)));
static u8 frames[FRAMES][PAGE_SIZE_4K] __attribute__((aligned(PAGE_SIZE_4K)));

#define JUMP 0x40
#define CALL 0x80

static void map(unsigned frame, unsigned page, u64 flags)
{
	paging__map(AREA + page * PAGE_SIZE_4K, (u64)frames[frame], 1, flags);
	invlpg((void *)(AREA + page * PAGE_SIZE_4K));
}

static u64 *target(void)
{
	return (u64 *)pages[1];
}

/* opcode of JMP or CALL with what pages[1] begins with; RET */
static void put_branch(unsigned at, u8 modrm)
{
	u32 displacement = PAGE_SIZE_4K - at - 6;
	u8 *code = pages[0] + at;

	code[0] = 0xff;
	code[1] = modrm;
	memcpy(code + 2, &displacement, 4);
	code[6] = 0xc3;
}

/* mov $value, %eax; ret */
static void put_function(u8 *at, u32 value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

static u64 stack_before; /* RSP, before the call that leads to the branch */

static u64 branch(unsigned at)
{
	u64 value;

	__asm__ volatile("mov %%rsp, %1; call *%2" : "=a"(value), "=m"(stack_before) : "r"(&pages[0][at]) : "memory", "cc");
	return value;
}

static u64 wrong_of(unsigned at, u64 value)
{
	u64 wrong = 0;
	unsigned n;

	for (n = 0; n < TIMES; n++)
		wrong += branch(at) != value;
	return wrong;
}

static void check_targets(unsigned at, const char *name)
{
	u64 wrong = 0;
	unsigned n;

	for (n = 0; n < FRAMES; n++)
		put_function(frames[n], 100 + n);
	for (n = 0; n < FRAMES; n++)
		map(n, n, PTE_P | PTE_W);
	*target() = AREA;
	check__equal(wrong_of(at, 100), 0, "%s: the same", name);
	*target() = AREA + PAGE_SIZE_4K;
	check__equal(wrong_of(at, 101), 0, "%s: another", name);
	for (n = 0; n < 4 * TIMES; n++) {
		*target() = AREA + n % 3 * PAGE_SIZE_4K;
		wrong += branch(at) != 100 + n % 3;
	}
	check__equal(wrong, 0, "%s: others in turn", name);
	for (n = wrong = 0; n < 20; n++) {
		put_function((u8 *)*target(), n);
		wrong += wrong_of(at, n);
	}
	check__equal(wrong, 0, "%s: code that is written", name);
	put_function(frames[0], 100);
	*target() = AREA;
	for (n = wrong = 0; n < 20; n++) {
		map(n % 2 ? 3 : 0, 0, PTE_P | PTE_W);
		wrong += wrong_of(at, n % 2 ? 103 : 100);
	}
	check__equal(wrong, 0, "%s: mapped elsewhere", name);
}

static void check_faults(unsigned at, const char *name)
{
	u64 wrong = 0;
	unsigned n;

	for (n = 0; n < TIMES; n++) {
		map(0, 0, PTE_P | PTE_W);
		*target() = AREA;
		wrong += branch(at) != 100;
		map(0, 0, 0);
		wrong += TRY(branch(at)) != X86_PF || trap()->cr2 != AREA || trap()->frame.rip != AREA;
	}
	check__equal(wrong, 0, "%s: taken away", name);
	map(0, 0, PTE_P | PTE_W);
	for (n = wrong = 0; n < TIMES; n++) {
		*target() = AREA;
		wrong += branch(at) != 100;
		/* The bits below are those of an address that it has led to. */
		*target() = AREA ^ NOT_CANONICAL;
		wrong += trap__code(TRY(branch(at))) != (u64)X86_GP << 32 || trap()->frame.rip != (u64)&pages[0][at];
		/* CALL has written no return address. */
		wrong += trap()->frame.rsp != stack_before - 8;
	}
	check__equal(wrong, 0, "%s: no address", name);
}

int main(void)
{
	put_branch(JUMP, 0x25);
	put_branch(CALL, 0x15);
	check_targets(JUMP, "jump");
	check_targets(CALL, "call");
	check_faults(JUMP, "jump");
	check_faults(CALL, "call");
	return 0;
}
