/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compatibility mode beside 64-bit code: LOOP and JCXZ with counts of all sizes, jumps to other pages from both kinds of code in turn
 * (SDM vol. 2, LOOP, Jcc).
 */
#include "tests/guests/lib/long/machine.h"

#define TIMES 40 /* enough for engines that translate what is executed often */
#define ARITHMETIC 0x8d5

/* in: what ECX is, and the function; out: ECX, EAX, EFLAGS. Functions count in EAX, with CF set before. */
struct exchange {
	u32 ecx, eax, flags;
	u64 function;
};
struct exchange exchange;

__asm__(".text; .balign 64;"
	"call_compat: push %rbx; push %rbp; mov exchange + 16(%rip), %rbx; mov exchange(%rip), %ecx; lea 1f(%rip), %rax;"
	"pushq $0x18; push %rax; lretq;"
	".code32; 1: xor %eax, %eax; stc; call *%ebx; pushf; pop %edx; ljmp $0x08, $2f;"
	".code64; 2: lea exchange(%rip), %rbx; mov %ecx, (%rbx); mov %eax, 4(%rbx); mov %edx, 8(%rbx); pop %rbp; pop %rbx; ret;"
	".code32; .balign 64;"
	"by_ecx: inc %eax; loop by_ecx; ret;"
	"by_cx: inc %eax; addr16 loop by_cx; ret;"
	"if_ecx: jecxz 1f; inc %eax; 1: ret;"
	"if_cx: addr16 jecxz 1f; inc %eax; 1: ret;"
	"while_not_equal: inc %eax; cmp $5, %eax; loopne while_not_equal; ret;"
	"while_equal: inc %eax; cmp $5, %eax; stc; addr16 loope while_equal; ret;"
	/* In the last bytes of a page, over its end, and to another page. */
	".balign 4096; .skip 4090; at_end: inc %eax; loop at_end; inc %eax; nop; nop; nop; ret;"
	".balign 4096; .skip 4092; over_end: inc %eax; nop; loop over_end; inc %eax; nop; nop; nop; ret;"
	".balign 4096; .skip 4080; 9: nop; jecxz 8f; inc %eax; dec %ecx; jmp 9b; far_away: jmp 9b; .skip 60; 8: ret;"
	".code64;"
	".balign 4096; .skip 4000; 9: lea 1(%rax), %rax; jmp 7f; .skip 100; 7: dec %ecx; jne 9b; ret; .skip 100; wide: xor %eax, %eax; jmp 9b;");
extern const u8 by_ecx[], by_cx[], if_ecx[], if_cx[], while_not_equal[], while_equal[], at_end[], over_end[], far_away[];
void call_compat(void);
void wide(void);

static u64 in_64_bit_code(u32 count)
{
	u64 rax;

	__asm__ volatile("call wide" : "=a"(rax), "+c"(count) : : "cc");
	return rax;
}

struct expected {
	const char *name;
	const u8 *function;
	u32 ecx;
	u32 ecx_then, eax_then, flags_then;
};

static void check(const struct expected *e)
{
	u64 n, wrong = 0, wide_wrong = 0;

	for (n = 0; n < TIMES; n++) {
		exchange.function = (u64)e->function;
		exchange.ecx = e->ecx;
		__asm__ volatile("call call_compat" : :
				 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
		wrong += exchange.ecx != e->ecx_then || exchange.eax != e->eax_then ||
			 (exchange.flags & ARITHMETIC) != e->flags_then;
		wide_wrong += in_64_bit_code(n + 1) != n + 1;
	}
	check__equal(wrong, 0, "%s, ECX %x", e->name, e->ecx);
	check__equal(wide_wrong, 0, "64-bit code behind %s", e->name);
}

/* INC keeps CF. */
#define CF 1
#define PF 4
#define AF 16
#define ZF 64
#define SF 128

static void check_wide(void)
{
	u64 n, count, rcx, wrong = 0;

	for (n = 0; n < TIMES; n++) {
		count = 0, rcx = 0x500000003;
		__asm__ volatile("1: inc %0; addr32 loop 1b" : "+r"(count), "+c"(rcx) : : "cc");
		wrong += count != 3 || rcx;
		count = 0, rcx = 0x500000000;
		__asm__ volatile("jrcxz 1f; inc %0; 1: addr32 jrcxz 1f; inc %0; 1:" : "+r"(count), "+c"(rcx) : : "cc");
		wrong += count != 1 || rcx != 0x500000000;
		count = 0, rcx = 0;
		__asm__ volatile("1: inc %0; cmp $20, %0; je 2f; loop 1b; 2:" : "+r"(count), "+c"(rcx) : : "cc");
		wrong += count != 20 || rcx != -19UL;
	}
	check__equal(wrong, 0, "LOOP and JRCXZ in 64-bit code");
}

int main(void)
{
	const struct expected expected[] = {
		{ "LOOP", by_ecx, 1, 0, 1, CF },
		{ "LOOP", by_ecx, 100, 0, 100, CF },
		{ "LOOP", by_ecx, 0x12345, 0, 0x12345, CF },
		{ "LOOP by CX", by_cx, 3, 0, 3, CF | PF },
		{ "LOOP by CX", by_cx, 0x70003, 0x70000, 3, CF | PF },
		{ "LOOP by CX", by_cx, 0x50000, 0x50000, 0x10000, CF | PF | AF },
		{ "JECXZ", if_ecx, 0, 0, 0, CF | PF | ZF },
		{ "JECXZ", if_ecx, 0x10000, 0x10000, 1, CF },
		{ "JCXZ", if_cx, 0x10000, 0x10000, 0, CF | PF | ZF },
		{ "JCXZ", if_cx, 1, 1, 1, CF },
		{ "LOOPNE", while_not_equal, 100, 95, 5, PF | ZF },
		{ "LOOPE", while_equal, 100, 99, 1, CF | PF | AF | SF },
		{ "at a page's end", at_end, 10, 0, 11, CF },
		{ "over a page's end", over_end, 10, 0, 11, CF },
		{ "to another page", far_away, 10, 0, 10, CF | PF | ZF },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(expected); i++)
		check(&expected[i]);
	check_wide();
	return 0;
}
