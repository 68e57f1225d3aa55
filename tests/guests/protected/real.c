/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real mode: limits of 64 KiB, wrapping, the vector table, what does not exist there, and segment
 * limits that outlive protected mode (SDM vol. 3, chapter 20).
 */
#include "tests/guests/lib/protected/real.h"

static struct real_result result;

#define RUN(...)                                                                                   \
	({                                                                                         \
		static const u8 code_[] = { __VA_ARGS__ };                                         \
		real__run(code_, sizeof(code_), &result);                                          \
		result.vector;                                                                     \
	})
/* Vector and IP behind the start of the code. */
#define EXPECT(want, offset, name, ...)                                                            \
	do {                                                                                       \
		check__equal(RUN(__VA_ARGS__), want, "%s", name);                                  \
		check__equal(result.ip, REAL_CODE + (offset), "%s: IP", name);                     \
	} while (0)
#define END 0xcd, 0x80

static void check_interrupts(void)
{
	EXPECT(0x80, 2, "INT", END);
	check__equal(result.cs, REAL_SEGMENT, "INT: CS");
	check__equal(result.sp_after, REAL_SP, "INT: SP");
	EXPECT(0x80, 4, "INT: flags", 0xf9, 0xfb, END); /* STC; STI */
	check__equal(result.flags & 0x201, 0x201, "INT saves IF and CF");
	EXPECT(X86_BP, 1, "INT3", 0xcc);
	EXPECT(X86_DE, 0, "DIV by zero", 0xf6, 0xf1); /* DIV CL */
	EXPECT(X86_DE, 0, "AAM 0", 0xd4, 0x00);
	/* MOV AL,7F; ADD AL,1; INTO */
	EXPECT(X86_OF, 5, "INTO", 0xb0, 0x7f, 0x04, 0x01, 0xce);
	/* Bounds 0 to 0 at DS:0500; MOV AX,5; BOUND AX,[0500] */
	*(u32 *)(REAL_BASE + 0x800) = 0;
	EXPECT(X86_BR, 3, "BOUND", 0xb8, 0x05, 0x00, 0x62, 0x06, 0x00, 0x08);
	EXPECT(X86_UD, 0, "UD2", 0x0f, 0x0b);
}

static void check_not_here(void)
{
	EXPECT(X86_UD, 0, "SLDT", 0x0f, 0x00, 0xc0);
	EXPECT(X86_UD, 0, "LAR", 0x0f, 0x02, 0xc0);
	EXPECT(X86_UD, 0, "ARPL", 0x63, 0xc0);
	EXPECT(X86_UD, 0, "VERR", 0x0f, 0x00, 0xe0);
	EXPECT(X86_GP, 0, "SYSENTER", 0x0f, 0x34);
	EXPECT(0x80, 5, "SMSW and all of CPL 0", 0x0f, 0x01, 0xe0, END);
}

static void check_limits(void)
{
	EXPECT(X86_GP, 0, "word at FFFFH", 0xa1, 0xff, 0xff);
	EXPECT(0x80, 5, "byte at FFFFH", 0xa0, 0xff, 0xff, END);
	EXPECT(X86_GP, 0, "write of a dword at FFFDH", 0x66, 0xa3, 0xfd, 0xff);
	EXPECT(X86_GP, 0, "byte at 10000H", 0x67, 0xa0, 0x00, 0x00, 0x01, 0x00);
	/* MOV BP,FFFF; MOV AX,[BP]: the stack segment */
	EXPECT(X86_SS_FAULT, 3, "word at SS:FFFFH", 0xbd, 0xff, 0xff, 0x8b, 0x46, 0x00);
	/* MOV BX,FFFF; MOV AL,[BX+2]: the offset wraps */
	*(u8 *)(REAL_BASE + 1) = 0;
	EXPECT(0x80, 8, "offset wraps at 64 KiB", 0xbb, 0xff, 0xff, 0x8a, 0x47, 0x02, END);
	check__equal(result.eax & 0xff, *(u8 *)(REAL_BASE + 1), "offset wraps: value");
	EXPECT(X86_GP, 0, "32-bit jump over 64 KiB", 0x66, 0xe9, 0x00, 0x00, 0x01, 0x00);
	/* MOV SP,0; PUSH 1234; POP AX */
	EXPECT(0x80, 9, "PUSH wraps SP", 0xbc, 0x00, 0x00, 0x68, 0x34, 0x12, 0x58, END);
	check__equal(result.eax & 0xffff, 0x1234, "PUSH wraps SP: value");
}

static void check_segments(void)
{
	*(u16 *)0x12350 = 0xbeef;
	/* MOV AX,1234; MOV DS,AX; MOV BX,[0010] */
	EXPECT(0x80, 11, "segment load", 0xb8, 0x34, 0x12, 0x8e, 0xd8, 0x8b, 0x1e, 0x10, 0x00, END);
	check__equal(result.ebx & 0xffff, 0xbeef, "base of a segment");
	/* JMP 0F00:2009, the same place by another name; the code goes on there. */
	check__equal(RUN(0xea, 0x06, 0x20, 0x00, 0x0f, 0x90, END), 0x80, "far jump");
	check__equal(result.cs, 0x0f00, "far jump: CS");
	check__equal(result.ip, 0x2008, "far jump: IP");
	/* CALL FAR 1000:1008; INT 80; RETF */
	EXPECT(0x80, 7, "far call and return", 0x9a, 0x07, 0x10, 0x00, 0x10, END, 0xcb);
	/* PUSH flags 0ED7; PUSH CS; PUSH 100A; IRET */
	EXPECT(0x80, 10, "IRET", 0x68, 0xd7, 0x0c, 0x0e, 0x68, 0x08, 0x10, 0xcf, END);
	check__equal(result.flags & 0xcd5, 0xcd5 & 0x0cd7, "IRET: flags");
	/* MOV CS is none */
	EXPECT(X86_UD, 0, "MOV CS", 0x8e, 0xc8);
}

/* A limit loaded in protected mode stays: MOV EAX, FS:[EBX] above 64 KiB. */
static void check_big_segments(void)
{
	*(u32 *)0x80000 = 0xcafe1234;
	__asm__ volatile("mov %0, %%fs" : : "r"(KERNEL_DS));
	EXPECT(0x80, 13, "FS with the limit of before", 0x66, 0xbb, 0x00, 0x00, 0x08, 0x00, 0x64, 0x67,
	       0x66, 0x8b, 0x03, END);
	check__equal(result.eax, 0xcafe1234, "FS with the limit of before: value");
	__asm__ volatile("mov %0, %%fs" : : "r"(0));
}

static void check_vector_table(void)
{
	/* LIDT with a limit of 4 vectors less one byte; INT 80 is behind it. */
	*(u16 *)(REAL_BASE + 0x800) = 0x80 * 4 + 3;
	*(u32 *)(REAL_BASE + 0x802) = 0;
	EXPECT(0x80, 7, "vector at the limit", 0x0f, 0x01, 0x1e, 0x00, 0x08, END);
	EXPECT(X86_GP, 5, "vector behind the limit", 0x0f, 0x01, 0x1e, 0x00, 0x08, 0xcd, 0x81);
}

int main(void)
{
	check_interrupts();
	check_not_here();
	if (cpu__is_tcg())
		check__skip("QEMU checks no segment limits and goes astray", "limits");
	else
		check_limits();
	check_segments();
	check_big_segments();
	check_vector_table();
	return 0;
}
