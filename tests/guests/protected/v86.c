/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual-8086 mode: what IOPL allows, interrupts out of it, segments, limits, port bitmap, and
 * the extensions of CR4.VME (SDM vol. 3, chapter 20).
 */
#include "tests/guests/lib/protected/mark.h"

#define V86_CS (REAL_BASE >> 4)
#define V86_STACK 0x2000 /* paragraph of SS */

static struct user_state state;

/* Runs machine code at V86_CS:0 until it leaves. */
static u64 run(const void *code, unsigned size, u32 flags)
{
	memcpy((void *)REAL_BASE, code, size);
	state = (struct user_state){
		.eip = 0,
		.cs = V86_CS,
		.eflags = RFLAGS_FIXED | RFLAGS_VM | flags,
		.esp = 0x1000,
		.ss = V86_STACK,
		.es = 0x1111,
		.ds = V86_CS,
		.fs = 0x2222,
		.gs = 0x3333,
	};
	return trap__code(TRY(user__enter(&state)));
}

#define RUN(flags, ...)                                                                            \
	({                                                                                         \
		static const u8 code_[] = { __VA_ARGS__ };                                         \
		run(code_, sizeof(code_), flags);                                                  \
	})

#define EIP trap()->frame.eip
#define IOPL3 RFLAGS_IOPL

static void check_entry(void)
{
	/* INT 80H with IOPL 3. */
	check__equal(RUN(IOPL3, 0xcd, 0x80), TRAP(USER_EXIT_VECTOR, 0), "INT with IOPL 3");
	check__equal(trap()->frame.cs, V86_CS, "CS saved");
	check__equal(EIP, 2, "EIP saved");
	check__equal(trap()->frame.eflags & (RFLAGS_VM | RFLAGS_IOPL), RFLAGS_VM | RFLAGS_IOPL,
		     "VM and IOPL saved");
	check__equal(trap()->frame.ss, V86_STACK, "SS saved");
	check__equal(trap()->frame.esp, 0x1000, "ESP saved");
	check__equal(trap()->frame.v_es | trap()->frame.v_ds << 16, 0x1111 | V86_CS << 16,
		     "ES and DS saved");
	check__equal(trap()->frame.v_fs | trap()->frame.v_gs << 16, 0x33332222, "FS and GS saved");
	check__equal(trap()->frame.ds | trap()->frame.es | trap()->frame.fs | trap()->frame.gs, 0,
		     "data segments are null in the handler");
	check__equal(tss.esp0 - trap()->stack, sizeof(struct trap_frame), "frame of nine and two");
}

static void check_iopl(void)
{
	static const struct {
		const char *name;
		u8 code[8];
	} row[] = {
		{ "INT", { 0xcd, 0x80 } },    { "PUSHF", { 0x9c, 0xcd, 0x80 } },
		{ "POPF", { 0x9d } },	      { "CLI", { 0xfa } },
		{ "STI", { 0xfb } },	      { "IRET", { 0xcf } },
		{ "PUSHFD", { 0x66, 0x9c } },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row); i++) {
		check__equal(run(row[i].code, 8, 0), TRAP(X86_GP, 0), "%s with IOPL 0", row[i].name);
		check__equal(EIP, 0, "%s with IOPL 0: EIP", row[i].name);
	}
	check__equal(RUN(IOPL3, 0x9c, 0x58, 0xcd, 0x80), TRAP(USER_EXIT_VECTOR, 0), "PUSHF, IOPL 3");
	check__equal(trap()->frame.eax & 0xb000, 0x3000, "PUSHF shows IOPL");
	check__equal(RUN(IOPL3, 0xfb, 0x9c, 0x58, 0xfa, 0xcd, 0x80), TRAP(USER_EXIT_VECTOR, 0),
		     "STI and CLI, IOPL 3");
	check__equal(trap()->frame.eax & RFLAGS_IF, RFLAGS_IF, "STI sets IF");
	/* PUSH 0; PUSH 0 (flags, IOPL 0); POPF leaves IOPL. */
	check__equal(RUN(IOPL3, 0x6a, 0x00, 0x9d, 0x9c, 0x58, 0xcd, 0x80), TRAP(USER_EXIT_VECTOR, 0),
		     "POPF, IOPL 3");
	check__equal(trap()->frame.eax & 0x3000, 0x3000, "POPF leaves IOPL");
	check__equal(RUN(0, 0xcc), TRAP(X86_BP, 0), "INT3 with IOPL 0 needs only the gate");
	check__equal(RUN(0, 0xf4), TRAP(X86_GP, 0), "HLT");
	check__equal(RUN(0, 0x0f, 0x20, 0xc0), TRAP(X86_GP, 0), "MOV from CR0");
	check__equal(RUN(0, 0x0f, 0x00, 0xc0), TRAP(X86_UD, 0), "SLDT");
	check__equal(RUN(0, 0x63, 0xc0), TRAP(X86_UD, 0), "ARPL");
	check__equal(RUN(0, 0x0f, 0x02, 0xc0), TRAP(X86_UD, 0), "LAR");
	check__equal(RUN(0, 0x0f, 0x01, 0xe0, 0xcc), TRAP(X86_BP, 0), "SMSW");
	check__equal(RUN(IOPL3, 0xcd, 0x31), TRAP(X86_GP, 0x31 * 8 + 2), "INT to a DPL 0 gate");
	/* The target of a gate must be CPL 0 code. */
	{
		struct gate saved = idt[USER_EXIT_VECTOR];

		SPARE_DESCRIPTOR(0) = segment__descriptor(0, 0xfffff, 0xc09f);
		idt[USER_EXIT_VECTOR].selector = USER_CS;
		check__equal(RUN(IOPL3, 0xcd, 0x80), TRAP(X86_GP, USER_CS & ~3), "gate to CPL 3 code");
		idt[USER_EXIT_VECTOR] = saved;
	}
}

static void check_segments(void)
{
	/* MOV AX,1234H; MOV DS,AX; MOV BX,[0010]; the base is 16 times the selector. */
	*(u16 *)0x12350 = 0xbeef;
	check__equal(RUN(0, 0xb8, 0x34, 0x12, 0x8e, 0xd8, 0x8b, 0x1e, 0x10, 0x00, 0xcc),
		     TRAP(X86_BP, 0), "segment load");
	check__equal(trap()->frame.ebx & 0xffff, 0xbeef, "base of a segment");
	/* MOV AX,[FFFF] */
	check__equal(RUN(0, 0xa1, 0xff, 0xff), TRAP(X86_GP, 0), "word at FFFFH");
	/* MOV AL,[FFFF] */
	check__equal(RUN(0, 0xa0, 0xff, 0xff, 0xcc), TRAP(X86_BP, 0), "byte at FFFFH");
	/* a32 MOV AL,[10000] */
	check__equal(RUN(0, 0x67, 0xa0, 0x00, 0x00, 0x01, 0x00), TRAP(X86_GP, 0), "byte at 10000H");
	/* MOV SP,1; PUSH AX */
	check__equal(RUN(0, 0xbc, 0x01, 0x00, 0x50), TRAP(X86_SS_FAULT, 0), "PUSH at SP 1");
	/* MOV SP,0; PUSH AX wraps */
	check__equal(RUN(0, 0xbc, 0x00, 0x00, 0x50, 0xcc), TRAP(X86_BP, 0), "PUSH at SP 0");
	check__equal(trap()->frame.esp & 0xffff, 0xfffe, "SP wraps");
	/* JMP far 1000:0008; INT3 there */
	check__equal(RUN(0, 0xea, 0x08, 0x00, 0x00, 0x10, 0x90, 0x90, 0x90, 0xcc), TRAP(X86_BP, 0),
		     "far jump");
	check__equal(EIP, 9, "far jump: IP");
	/* o32 JMP 10000H: over the limit */
	check__equal(RUN(0, 0x66, 0xe9, 0xfa, 0xff, 0x00, 0x00), TRAP(X86_GP, 0), "jump over 64 KiB");
	/* CALL far and RETF */
	check__equal(RUN(0, 0x9a, 0x06, 0x00, 0x00, 0x10, 0xcc, 0xcb), TRAP(X86_BP, 0),
		     "far call and return");
	check__equal(trap()->frame.esp & 0xffff, 0x1000, "far call and return: SP");
}

static void check_ports(void)
{
	tss.map[0x80 / 8] |= 1;
	check__equal(RUN(IOPL3, 0xe6, 0x80, 0xcc), TRAP(X86_GP, 0), "OUT by the bitmap, even with IOPL 3");
	tss.map[0x80 / 8] &= ~1;
	check__equal(RUN(0, 0xe6, 0x80, 0xcc), TRAP(X86_BP, 0), "OUT allowed by the bitmap");
	tss.map[0x80 / 8] = 0xff;
}

static void check_vme(void)
{
	u16 *ivt = NULL;

	if (!(cpuid(1, 0).edx & 2)) {
		check__skip("not in CPUID", "VME");
		return;
	}
	__asm__ volatile("" : "+r"(ivt));
	write_cr4(read_cr4() | CR4_VME);
	/* A clear bit in the redirection bitmap: the 8086 program's own handler at 1000:0010. */
	memset(tss.redirection, 0xff, sizeof(tss.redirection));
	tss.redirection[0x60 / 8] &= ~1;
	ivt[2 * 0x60] = 0x0010;
	ivt[2 * 0x60 + 1] = V86_CS;
	check__equal(RUN(0, 0xcd, 0x60, 0xcc, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
			 0x90, 0x90, 0x90, 0x90, 0x5b, 0x59, 0x58, 0xcc),
		     TRAP(X86_BP, 0), "VME: redirected INT");
	check__equal(EIP, 0x14, "VME: its handler ran");
	check__equal(trap()->frame.ebx & 0xffff, 2, "VME: IP pushed");
	check__equal(trap()->frame.ecx & 0xffff, V86_CS, "VME: CS pushed");
	check__equal(trap()->frame.eax & 0x3200, 0x3000, "VME: flags pushed with IOPL 3 and VIF");
	check__equal(RUN(0, 0xcd, 0x61), TRAP(X86_GP, 0), "VME: INT with its bit set, IOPL 0");
	/* STI and CLI change VIF. */
	check__equal(RUN(0, 0xfb, 0xcc), TRAP(X86_BP, 0), "VME: STI with IOPL 0");
	check__equal(trap()->frame.eflags & (RFLAGS_VIF | RFLAGS_IF), RFLAGS_VIF, "VME: STI sets VIF");
	check__equal(RUN(RFLAGS_VIF, 0xfa, 0xcc), TRAP(X86_BP, 0), "VME: CLI with IOPL 0");
	check__equal(trap()->frame.eflags & (RFLAGS_VIF | RFLAGS_IF), 0, "VME: CLI clears VIF");
	check__equal(RUN(RFLAGS_VIP, 0xfb, 0xcc), TRAP(X86_GP, 0), "VME: STI with VIP");
	check__equal(RUN(RFLAGS_VIF, 0x9c, 0x58, 0xcc), TRAP(X86_BP, 0), "VME: PUSHF with IOPL 0");
	check__equal(trap()->frame.eax & 0x3200, 0x3200, "VME: PUSHF shows VIF as IF, IOPL as 3");
	check__equal(RUN(0, 0x68, 0x00, 0x02, 0x9d, 0xcc), TRAP(X86_BP, 0), "VME: POPF with IOPL 0");
	check__equal(trap()->frame.eflags & (RFLAGS_VIF | RFLAGS_IF), RFLAGS_VIF,
		     "VME: POPF sets VIF");
	check__equal(RUN(0, 0x68, 0x00, 0x01, 0x9d), TRAP(X86_GP, 0), "VME: POPF of TF");
	check__equal(RUN(0, 0x66, 0x9d), TRAP(X86_GP, 0), "VME: POPFD with IOPL 0");
	/* IRET to 1000:0008 with IF. */
	check__equal(RUN(0, 0x68, 0x00, 0x02, 0x68, 0x00, 0x10, 0x6a, 0x0a, 0xcf, 0xcc),
		     TRAP(X86_BP, 0), "VME: IRET with IOPL 0");
	check__equal(trap()->frame.eflags & (RFLAGS_VIF | RFLAGS_IF), RFLAGS_VIF,
		     "VME: IRET sets VIF");
	write_cr4(read_cr4() & ~CR4_VME);
}

int main(void)
{
	check_entry();
	check_iopl();
	check_segments();
	check_ports();
	check_vme();
	return 0;
}
