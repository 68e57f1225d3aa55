/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call gates in long mode: 16-byte descriptors, the stack pointer from the TSS with a null SS, far
 * returns outwards, and what is refused with which error code (SDM vol. 3, 5.8.3.1 and 5.8.5.1).
 */
#include "tests/guests/lib/long/mark.h"

#define GATE SPARE_SELECTOR	     /* 16 bytes */
#define CODE (SPARE_SELECTOR + 0x10) /* a code segment of the test at hand */
#define DATA (SPARE_SELECTOR + 0x18)
#define UNMAPPED 0x50000000UL
#define NON_CANONICAL 0x8000000000000000UL

#define CALL_GATE 0x8c
#define DPL(n) ((n) << 5)

struct entry_record {
	u64 cs, ss, rsp, flags, item[4];
};
static struct entry_record seen __attribute__((used));
static u64 back __attribute__((used)), caller_rsp __attribute__((used));
static u8 inner_stack[4096] __attribute__((aligned(64)));

/* Notes where it is and what lies on its stack, then returns; all of it reached through RIP. */
extern char gate_entry[];
__asm__(".text\n"
	"gate_entry: mov %cs, %eax; mov %rax, seen(%rip); mov %ss, %eax; mov %rax, seen+8(%rip);"
	"mov %rsp, seen+16(%rip); pushf; popq seen+24(%rip);"
	"mov (%rsp), %rax; mov %rax, seen+32(%rip); mov 8(%rsp), %rax; mov %rax, seen+40(%rip);"
	"mov 16(%rsp), %rax; mov %rax, seen+48(%rip); mov 24(%rsp), %rax; mov %rax, seen+56(%rip);"
	"lretq\n");

/* Far pointers for the indirect forms, the only ones in 64-bit code; the offset is not used. */
static struct {
	u32 offset;
	u16 selector;
} __attribute__((packed)) pointer __attribute__((used));

static void set_gate(u16 code, u64 offset, unsigned access)
{
	gdt[GATE / 8] = (offset & 0xffff) | (u64)code << 16 | (u64)access << 40 |
			(offset >> 16 & 0xffff) << 48;
	gdt[GATE / 8 + 1] = offset >> 32;
	pointer.selector = GATE | 3;
}

static void set_code(u16 attributes)
{
	gdt[CODE / 8] = segment__descriptor(0, 0xfffff, attributes);
}

static void user_call(u64 arg)
{
	__asm__ volatile(
		"mov %%rsp, caller_rsp(%%rip); lea 1f(%%rip), %%rax; mov %%rax, back(%%rip);"
		"lcall *pointer(%%rip); 1: sub %%rsp, caller_rsp(%%rip)"
		:
		:
		: MARK_CLOBBERS);
}

static void user_jump(u64 arg)
{
	__asm__ volatile("ljmp *pointer(%%rip)" : : : MARK_CLOBBERS);
}

static u64 call_code(void)
{
	memset(&seen, 0, sizeof(seen));
	return trap__code(user__call(user_call, 0));
}

/* ---- what works ---- */

static void check_inner(void)
{
	struct user_state state;

	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE | DPL(3));
	memset(&seen, 0, sizeof(seen));
	user__state(&state, user_call, 0);
	state.rflags |= RFLAGS_IF | RFLAGS_ID | RFLAGS_AC;
	check__equal(trap__code(user__run(&state)), TRAP(NO_TRAP, 0), "call from CPL 3 to CPL 0");
	check__equal(seen.cs, KERNEL_CS, "to CPL 0: CS");
	check__equal(seen.ss, 0, "to CPL 0: SS is null");
	check__equal(tss[0].rsp[0] - seen.rsp, 32, "to CPL 0: four items on RSP0");
	check__equal(seen.flags & (RFLAGS_IF | RFLAGS_ID | RFLAGS_AC),
		     RFLAGS_IF | RFLAGS_ID | RFLAGS_AC, "to CPL 0: flags stay");
	check__equal(seen.item[0], back, "to CPL 0: return RIP");
	check__equal(seen.item[1], USER_CS, "to CPL 0: return CS");
	check__equal(state.rsp - seen.item[2] < 128, 1, "to CPL 0: outer RSP");
	check__equal(seen.item[3], USER_SS, "to CPL 0: outer SS");
	check__equal(caller_rsp, 0, "far return: RSP as before the call");
}

static void check_middle(void)
{
	set_code(0xa0bb); /* DPL 1 */
	set_gate(CODE, (u64)gate_entry, CALL_GATE | DPL(3));
	/* Not aligned to 16 bytes: only interrupts align the stack. */
	tss[0].rsp[1] = (u64)inner_stack + sizeof(inner_stack) - 8;
	check__equal(call_code(), TRAP(NO_TRAP, 0), "call from CPL 3 to CPL 1");
	check__equal(seen.cs, CODE | 1, "to CPL 1: CS has the level");
	check__equal(seen.ss, 1, "to CPL 1: SS is null with the level");
	check__equal(tss[0].rsp[1] - seen.rsp, 32, "to CPL 1: four items on RSP1");
	check__equal(seen.item[1], USER_CS, "to CPL 1: return CS");
	check__equal(gdt[CODE / 8] >> 40 & 1, 1, "to CPL 1: code segment accessed");
	/* The upper half of the offset counts. */
	set_gate(CODE, NON_CANONICAL, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, 0), "non-canonical offset");
	set_gate(CODE, (u64)gate_entry, CALL_GATE | DPL(3));
	tss[0].rsp[1] = NON_CANONICAL;
	check__equal(call_code(), TRAP(X86_SS_FAULT, 0), "non-canonical RSP1");
	tss[0].rsp[1] = UNMAPPED + 0x800;
	check__equal(call_code(), TRAP(X86_PF, PFERR_WRITE),
		     "RSP1 without a page: not a user access");
	check__equal(trap()->cr2, UNMAPPED + 0x7f8, "RSP1 without a page: CR2 of the first item");
	check__equal(trap()->frame.cs, USER_CS, "RSP1 without a page: at CPL 3");
}

static void check_same_level(void)
{
	u64 rsp;

	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE);
	pointer.selector = GATE;
	memset(&seen, 0, sizeof(seen));
	__asm__ volatile("mov %%rsp, %0; lea 1f(%%rip), %%rax; mov %%rax, back(%%rip);"
			 "lcall *pointer(%%rip); 1:"
			 : "=&r"(rsp)
			 :
			 : MARK_CLOBBERS);
	check__equal(seen.cs, KERNEL_CS, "call at CPL 0: CS");
	check__equal(seen.ss, KERNEL_SS, "call at CPL 0: SS stays");
	check__equal(rsp - seen.rsp, 16, "call at CPL 0: two items of 8 bytes");
	check__equal(seen.item[0], back, "call at CPL 0: return RIP");
	check__equal(seen.item[1], KERNEL_CS, "call at CPL 0: return CS");
	/* A jump pushes nothing: what the code returns to is what its caller pushed. */
	memset(&seen, 0, sizeof(seen));
	__asm__ volatile(
		"mov %%cs, %%eax; push %%rax; lea 1f(%%rip), %%rax; push %%rax; mov %%rsp, %0;"
		"ljmp *pointer(%%rip); 1:"
		: "=&r"(rsp)
		:
		: MARK_CLOBBERS);
	check__equal(seen.rsp, rsp, "jump at CPL 0 pushes nothing");
}

static void check_conforming(void)
{
	set_code(0xa09f); /* conforming, DPL 0 */
	set_gate(CODE, USER((u64)gate_entry), CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(NO_TRAP, 0), "conforming code from CPL 3");
	check__equal(seen.cs, CODE | 3, "conforming code runs at the caller's level");
	check__equal(seen.ss, USER_SS, "conforming code runs on the caller's stack");
	check__equal(seen.item[0], back, "conforming code: return RIP");
	check__equal(seen.item[1], USER_CS, "conforming code: return CS");
}

/* From 32-bit code the pointer is in the instruction; what is pushed has 8 bytes all the same. */
static void check_compatibility(void)
{
	static const u8 code[] __attribute__((aligned(16))) = {
		0x9a, 0, 0, 0, 0, GATE | 3, 0, 0xcd, USER_EXIT_VECTOR,
	};
	struct user_state state;

	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE | DPL(3));
	memset(&seen, 0, sizeof(seen));
	user__state(&state, user_call, 0);
	state.rip = USER((u64)code);
	state.cs = USER_CS32;
	check__equal(trap__code(user__run(&state)), TRAP(NO_TRAP, 0), "call from 32-bit code");
	check__equal(seen.cs, KERNEL_CS, "from 32-bit code: CS");
	check__equal(tss[0].rsp[0] - seen.rsp, 32, "from 32-bit code: four items on RSP0");
	check__equal(seen.item[0], USER((u64)code) + 7, "from 32-bit code: return EIP");
	check__equal(seen.item[1], USER_CS32, "from 32-bit code: return CS");
	check__equal(seen.item[2], state.rsp, "from 32-bit code: outer ESP");
	check__equal(trap()->frame.cs, USER_CS32, "far return to 32-bit code");
	check__equal(trap()->frame.rip, USER((u64)code) + 9, "far return to 32-bit code: EIP");
	check__equal(trap()->frame.rsp, state.rsp, "far return to 32-bit code: ESP");
}

/* ---- what is refused ---- */

static void check_gate_errors(void)
{
	static const struct {
		unsigned access;
		const char *name;
	} type[] = {
		{0x84, "16-bit call gate"}, {0x85, "task gate"},     {0x8e, "interrupt gate"},
		{0x8f, "trap gate"},	    {0x89, "TSS"},	     {0x82, "LDT"},
		{0x80, "system type 0"},    {0x88, "system type 8"},
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(type); i++) {
		set_gate(KERNEL_CS, (u64)gate_entry, type[i].access | DPL(3));
		EXPECT("lcall *pointer(%%rip)", TRAP(X86_GP, GATE), 0, type[i].name);
		check__equal(call_code(), TRAP(X86_GP, GATE), "%s from CPL 3", type[i].name);
	}
	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE);
	check__equal(call_code(), TRAP(X86_GP, GATE), "gate of DPL 0 from CPL 3");
	EXPECT("lcall *pointer(%%rip)", TRAP(X86_GP, GATE), 0, "gate of DPL 0 by RPL 3");
	set_gate(KERNEL_CS, (u64)gate_entry, (CALL_GATE | DPL(3)) & ~0x80);
	check__equal(call_code(), TRAP(X86_NP, GATE), "absent gate");
	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE & ~0x80);
	check__equal(call_code(), TRAP(X86_GP, GATE),
		     "absent gate of DPL 0: the level comes first");
	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE | DPL(3));
	gdt[GATE / 8 + 1] |= BIT64(40);
	check__equal(call_code(), TRAP(X86_GP, GATE), "type in the upper half");
	/* Outside of the five bits of the type the upper half may hold anything. */
	gdt[GATE / 8 + 1] ^= BIT64(40) | BIT64(45) | BIT64(63);
	check__equal(call_code(), TRAP(NO_TRAP, 0), "other bits in the upper half");
}

static void check_table_end(void)
{
	struct __attribute__((packed)) {
		u16 limit;
		u64 base;
	} whole, cut;

	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE | DPL(3));
	__asm__ volatile("sgdt %0" : "=m"(whole));
	cut = whole;
	cut.limit = GATE + 14;
	/* TR is loaded already. */
	__asm__ volatile("lgdt %0" : : "m"(cut));
	EXPECT("lcall *pointer(%%rip)", TRAP(X86_GP, GATE), 0, "upper half over the GDT's limit");
	cut.limit = GATE + 15;
	__asm__ volatile("lgdt %0" : : "m"(cut));
	EXPECT_NONE("lcall *pointer(%%rip)", "upper half just in the GDT");
	__asm__ volatile("lgdt %0" : : "m"(whole));
}

static void check_code_errors(void)
{
	set_gate(0, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, 0), "gate to a null segment");
	set_gate(3, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, 0), "gate to a null segment with RPL");
	set_gate(KERNEL_SS, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, KERNEL_SS), "gate to data");
	set_gate(GATE, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, GATE), "gate to a gate");
	set_gate(0x1ff8, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, 0x1ff8), "gate to what is behind the GDT");
	set_gate(0xc, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, 0xc), "gate to an LDT that is not there");
	set_gate(KERNEL_CS32, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, KERNEL_CS32), "gate to 32-bit code");
	set_code(0xe09b);
	set_gate(CODE, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(X86_GP, CODE), "gate to code with L and D");
	set_code(0xa01b);
	check__equal(call_code(), TRAP(X86_NP, CODE), "gate to absent code");
	set_code(0xa0fb);
	EXPECT("lcall *pointer(%%rip)", TRAP(X86_GP, CODE), 0, "gate to code of an outer level");
	/* RPL of the selector in the gate does not count. */
	set_gate(KERNEL_CS | 3, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(call_code(), TRAP(NO_TRAP, 0), "RPL in the gate");
	check__equal(seen.cs, KERNEL_CS, "RPL in the gate: CS has the level");
	set_gate(KERNEL_CS, (u64)gate_entry, CALL_GATE | DPL(3));
	check__equal(trap__code(user__call(user_jump, 0)), TRAP(X86_GP, KERNEL_CS),
		     "jump through a gate can't change the level");
}

/* RSP0 in, RSP1 out of the TSS's limit: the fault itself still finds its stack. */
static void check_short_tss(void)
{
	u64 *d = &gdt[TSS_SELECTOR / 8], whole = *d & ~BIT64(41);

	set_code(0xa0bb);
	set_gate(CODE, (u64)gate_entry, CALL_GATE | DPL(3));
	tss[0].rsp[1] = (u64)inner_stack + sizeof(inner_stack);
	*d = segment__descriptor((u32)(u64)&tss[0], 18, 0x0089);
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR) : "memory");
	check__equal(call_code(), TRAP(X86_TS, TSS_SELECTOR), "RSP1 over the TSS's limit");
	*d = segment__descriptor((u32)(u64)&tss[0], 19, 0x0089);
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR) : "memory");
	check__equal(call_code(), TRAP(NO_TRAP, 0), "RSP1 just in the TSS");
	*d = whole;
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR) : "memory");
}

/* ---- far returns ---- */

static u64 frame[4] __attribute__((used));

/* RET FAR with RIP, CS, RSP, SS on the stack. */
static u64 return_code(u64 rip, u64 cs, u64 rsp, u64 ss)
{
	frame[0] = rip;
	frame[1] = cs;
	frame[2] = rsp;
	frame[3] = ss;
	return trap__code(
		TRY(__asm__ volatile("pushq frame+24(%%rip); pushq frame+16(%%rip);"
				     "pushq frame+8(%%rip); pushq frame(%%rip);" MARK "lretq"
				     :
				     :
				     : MARK_CLOBBERS)));
}

static void user_return_inward(u64 arg)
{
	__asm__ volatile("pushq %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"
			 :
			 : "i"(KERNEL_CS)
			 : MARK_CLOBBERS);
}

static void check_returns(void)
{
	extern char user_return[];
	u64 at = USER((u64)user_return), rsp = USER((u64)inner_stack) + 2048;
	const u64 out = TRAP(USER_EXIT_VECTOR, 0);

	gdt[CODE / 8] = segment__descriptor(0, 0xfffff, 0xc093);
	__asm__ volatile("mov %0, %%fs; mov %1, %%gs" : : "r"(CODE), "r"(USER_SS));
	check__equal(return_code(at, USER_CS, rsp, USER_SS), out, "RET to CPL 3");
	check__equal(trap()->frame.rsp, rsp, "RET to CPL 3: RSP");
	check__equal(trap()->frame.ss, USER_SS, "RET to CPL 3: SS");
	{
		u16 fs, gs;

		__asm__ volatile("mov %%fs, %0; mov %%gs, %1" : "=rm"(fs), "=rm"(gs));
		check__equal(fs, 0, "RET to CPL 3 nulls an inner segment");
		check__equal(gs, USER_SS, "RET to CPL 3 leaves an outer segment");
	}
	__asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
	check__equal(trap__code(TRY(__asm__ volatile("pushq frame+24(%%rip); pushq frame+16(%%rip);"
						     "sub $16, %%rsp; pushq frame+8(%%rip);"
						     "pushq frame(%%rip); lretq $16"
						     :
						     :
						     : MARK_CLOBBERS))),
		     out, "RET 16 to CPL 3");
	check__equal(trap()->frame.rsp, rsp + 16, "RET 16 to CPL 3: both stacks lose 16 bytes");
	set_code(0xa0bb);
	check__equal(return_code((u64)user_return, CODE | 1, (u64)inner_stack + 2048, 1), out,
		     "RET to CPL 1 with a null SS");
	check__equal(trap()->frame.cs, CODE | 1, "RET to CPL 1: CS");
	check__equal(return_code(at, USER_CS, rsp, 3), TRAP(X86_GP, 0),
		     "RET to CPL 3 with a null SS");
	check__equal(trap()->frame.rip, mark, "RET to CPL 3 with a null SS: saved RIP");
	check__equal(return_code(at, USER_CS, rsp, KERNEL_SS), TRAP(X86_GP, KERNEL_SS),
		     "RET to CPL 3 with an inner SS");
	check__equal(return_code(at, USER_CS, rsp, USER_CS), TRAP(X86_GP, USER_CS & ~3),
		     "RET to CPL 3 with code in SS");
	gdt[DATA / 8] = segment__descriptor(0, 0xfffff, 0xc0f1);
	check__equal(return_code(at, USER_CS, rsp, DATA | 3), TRAP(X86_GP, DATA),
		     "RET to CPL 3 with a read-only SS");
	gdt[DATA / 8] = segment__descriptor(0, 0xfffff, 0xc073);
	check__equal(return_code(at, USER_CS, rsp, DATA | 3), TRAP(X86_SS_FAULT, DATA),
		     "RET to CPL 3 with an absent SS");
	check__equal(return_code(NON_CANONICAL, USER_CS, rsp, USER_SS), TRAP(X86_GP, 0),
		     "RET to a non-canonical address of CPL 3");
	check__equal(trap()->frame.cs, KERNEL_CS, "RET to a non-canonical address: at CPL 0");
	check__equal(return_code(at, 3, rsp, USER_SS), TRAP(X86_GP, 0), "RET to a null CS");
	check__equal(return_code(at, USER_SS, rsp, USER_SS), TRAP(X86_GP, USER_SS & ~3),
		     "RET to data");
	check__equal(return_code(at, GATE | 3, rsp, USER_SS), TRAP(X86_GP, GATE), "RET to a gate");
	check__equal(return_code(at, USER_CS & ~3, rsp, USER_SS), TRAP(X86_GP, USER_CS & ~3),
		     "RET with RPL 0 to code of DPL 3");
	set_code(0xa07b);
	check__equal(return_code(at, CODE | 3, rsp, USER_SS), TRAP(X86_NP, CODE),
		     "RET to absent code");
	check__equal(trap__code(user__call(user_return_inward, 0)), TRAP(X86_GP, KERNEL_CS),
		     "RET to an inner level");
}

int main(void)
{
	check_inner();
	check_middle();
	check_same_level();
	check_conforming();
	check_compatibility();
	check_gate_errors();
	check_table_end();
	check_code_errors();
	check_short_tss();
	check_returns();
	return 0;
}
