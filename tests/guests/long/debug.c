/* SPDX-License-Identifier: GPL-2.0-or-later */
/* #DB: single step, breakpoints, the debug registers (SDM vol. 3, chapter 17; APM vol. 2, 13.1). */
#include "tests/guests/lib/long/mark.h"

#define MAX_HITS 16

static struct {
	unsigned count;
	u64 rip[MAX_HITS], dr6[MAX_HITS], rcx[MAX_HITS], flags[MAX_HITS], cs[MAX_HITS];
	u64 dr7; /* at the last one */
} hits;

static void on_debug(struct trap_frame *f)
{
	unsigned i = hits.count++;

	if (i < MAX_HITS) {
		hits.rip[i] = f->rip;
		hits.dr6[i] = read_dr6() & ~DR6_FIXED;
		hits.rcx[i] = f->rcx;
		hits.flags[i] = f->rflags;
		hits.cs[i] = f->cs;
	}
	hits.dr7 = read_dr7();
	/* The processor leaves it to the handler to get past an execution breakpoint (SDM 17.3.1.1). */
	if (read_dr6() & 0xf)
		f->rflags |= RFLAGS_RF;
	write_dr6(DR6_FIXED);
	if (hits.count > 40)
		guest__die("#DB storm at %lx, flags %lx, DR6 %lx then %lx", f->rip, f->rflags, hits.dr6[0], hits.dr6[15]);
}

static void begin(void)
{
	memset(&hits, 0, sizeof(hits));
	write_dr6(DR6_FIXED);
}

#define SET_TF "pushf; orl $0x100, (%%rsp); popf;"
#define CLEAR_TF "pushf; andl $~0x100, (%%rsp); popf;" /* three more traps */

static void check_single_step(void)
{
	begin();
	__asm__ volatile(MARK SET_TF "nop; nop; " CLEAR_TF : : : MARK_CLOBBERS);
	check__equal(hits.count, 5, "single step: traps"); /* NOP NOP PUSHF AND POPF */
	check__equal(hits.rip[0] - mark, 10, "single step: first behind the instruction after POPF");
	check__equal(hits.rip[1] - mark, 11, "single step: second");
	check__equal(hits.dr6[0], DR6_BS, "single step: DR6");
	check__equal(hits.flags[0] & (RFLAGS_TF | RFLAGS_RF), RFLAGS_TF, "single step: saved flags");

	begin();
	__asm__ volatile("mov %%ss, %%ecx;" MARK SET_TF "mov %%ecx, %%ss; nop; nop;" CLEAR_TF
			 : : : MARK_CLOBBERS);
	check__equal(hits.rip[0] - mark, 12, "single step: none behind MOV SS");
	check__equal(hits.count, 5, "single step over MOV SS: traps");

	begin();
	__asm__ volatile("lea 1f(%%rip), %%rdi; mov %%rdi, %%rsi; mov $3, %%ecx;" MARK SET_TF
			 "rep lodsb; " CLEAR_TF "1:" : : : MARK_CLOBBERS, "rdi", "rsi");
	check__equal(hits.count, 6, "single step of REP: a trap for each iteration");
	check__equal(hits.rip[0] - mark, 9, "single step of REP: RIP stays");
	check__equal(hits.rcx[0], 2, "single step of REP: RCX");
	check__equal(hits.rip[2] - mark, 11, "single step of REP: RIP at the end");

	begin();
	trap__resume(0x31, true);
	__asm__ volatile(MARK SET_TF "int $0x31; nop; nop; " CLEAR_TF : : : MARK_CLOBBERS);
	trap__resume(0x31, false);
	check__true(hits.cs[0] == KERNEL_CS && hits.rip[0] - mark == 12,
		    "single step: INT clears TF and makes no trap of its own");
	check__equal(hits.count, 5, "single step over INT: traps");

	begin();
	__asm__ volatile(MARK SET_TF "pushf; pop %%rcx; " CLEAR_TF : : : MARK_CLOBBERS);
	check__equal(hits.rcx[1] & (RFLAGS_TF | RFLAGS_RF), RFLAGS_TF, "PUSHF shows TF");

	/* A faulting instruction makes no step trap. */
	begin();
	check__equal(TRY(__asm__ volatile(MARK SET_TF "ud2" : : : MARK_CLOBBERS)), X86_UD,
		     "single step: fault instead of trap");
	check__equal(hits.count, 0, "single step: no trap with the fault");
	check__equal(trap()->frame.rflags & (RFLAGS_TF | RFLAGS_RF), RFLAGS_TF | RFLAGS_RF,
		     "RF in the flags a fault saves");
}

static void user_step(u64 arg)
{
	__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop; pushf; andl $~0x100, (%%rsp); popf"
			 : : : "memory", "cc");
}

static void check_user_step(void)
{
	begin();
	check__equal(user__call(user_step, 0), NO_TRAP, "single step at CPL 3");
	check__equal(hits.count, 4, "single step at CPL 3: traps");
	check__equal(hits.cs[0], USER_CS, "single step at CPL 3: CS");
}

#define DR7_ON(n) (1UL << (2 * (n)))
#define DR7_KIND(n, rw, len) ((u64)((rw) | (len) << 2) << (16 + 4 * (n)))
#define EXECUTE 0
#define WRITE 1
#define IO 2
#define ACCESS 3

static void check_execution_breakpoints(void)
{
	extern char here[];

	begin();
	write_dr0((u64)here);
	write_dr7(DR7_FIXED | DR7_ON(0));
	__asm__ volatile("xor %%ecx, %%ecx; .global here; here: inc %%ecx; nop" : : : "rcx");
	write_dr7(DR7_FIXED);
	check__equal(hits.count, 1, "execution breakpoint: once");
	check__equal(hits.rip[0], (u64)here, "execution breakpoint: before the instruction");
	check__equal(hits.rcx[0], 0, "execution breakpoint: nothing done");
	check__equal(hits.dr6[0], 1, "execution breakpoint: DR6");
}

static void check_shadowed_breakpoint(void)
{
	extern char shadowed[];

	begin();
	write_dr1((u64)shadowed);
	write_dr7(DR7_FIXED | DR7_ON(1));
	__asm__ volatile("mov %%ss, %%ecx; mov %%ecx, %%ss; .global shadowed; shadowed: nop; nop"
			 : : : "rcx", "memory");
	write_dr7(DR7_FIXED);
	check__equal(hits.count, 0, "execution breakpoint behind MOV SS");
}

static u64 data[8] __attribute__((aligned(64)));

#define DATA_HIT(insn) __asm__ volatile(MARK insn : : "D"(data) : MARK_CLOBBERS)

static void watch(unsigned kind, unsigned length, u64 address)
{
	begin();
	write_dr2(address);
	write_dr7(DR7_FIXED | DR7_ON(2) | DR7_KIND(2, kind, length));
}

static void check_data_breakpoints(void)
{
	watch(WRITE, 3, (u64)data);
	DATA_HIT("movl $1, (%%rdi)");
	check__equal(hits.count, 1, "data breakpoint: write");
	check__equal(hits.rip[0] - mark, 6, "data breakpoint: RIP behind the instruction");
	check__equal(hits.dr6[0], 4, "data breakpoint: DR6");
	DATA_HIT("mov (%%rdi), %%ecx");
	check__equal(hits.count, 1, "write breakpoint: no read");
	DATA_HIT("movb $1, 3(%%rdi)");
	check__equal(hits.count, 2, "data breakpoint: byte inside");
	DATA_HIT("movb $1, 4(%%rdi)");
	check__equal(hits.count, 2, "data breakpoint: byte behind");
	DATA_HIT("movl $1, -2(%%rdi)");
	check__equal(hits.count, 3, "data breakpoint: overlap");
	DATA_HIT("lock incl (%%rdi)");
	check__equal(hits.count, 4, "data breakpoint: LOCK INC");
	DATA_HIT("push (%%rdi); pop %%rcx");
	check__equal(hits.count, 4, "write breakpoint: PUSH from it");

	watch(ACCESS, 2, (u64)data + 8);
	DATA_HIT("mov 15(%%rdi), %%cl");
	check__equal(hits.count, 1, "access breakpoint of 8 bytes: read of the last");
	DATA_HIT("movb $1, 8(%%rdi)");
	check__equal(hits.count, 2, "access breakpoint: write");
	DATA_HIT("cmp %%rcx, 8(%%rdi)");
	check__equal(hits.count, 3, "access breakpoint: CMP");

	watch(WRITE, 0, (u64)data + 3);
	DATA_HIT("xor %%eax, %%eax; mov $6, %%ecx; rep stosb");
	check__equal(hits.count, 1, "data breakpoint in REP STOSB");
	check__equal(hits.rcx[0], 2, "data breakpoint in REP STOSB: after its iteration");
	check__equal(hits.rip[0] - mark, 7, "data breakpoint in REP STOSB: RIP at it");

	/* Step and breakpoint in one: one trap, both bits. */
	watch(WRITE, 0, (u64)data);
	DATA_HIT(SET_TF "movb $1, (%%rdi); " CLEAR_TF);
	check__equal(hits.count, 4, "step and data breakpoint: one trap");
	check__equal(hits.dr6[0], DR6_BS | 4, "step and data breakpoint: both bits");

	/* Disabled: nothing. */
	begin();
	write_dr7(DR7_FIXED | DR7_KIND(2, WRITE, 0));
	DATA_HIT("movb $1, (%%rdi)");
	check__equal(hits.count, 0, "data breakpoint that is not enabled");

	watch(ACCESS, 1, (u64)data);
	*(volatile u16 *)data = KERNEL_SS;
	begin();
	DATA_HIT("mov (%%rdi), %%ss; nop; nop");
	write_dr7(DR7_FIXED);
	check__equal(hits.count, 1, "data breakpoint at MOV SS");
	check__equal(hits.rip[0] - mark, 3, "data breakpoint at MOV SS: one instruction late");
}

static void check_io_breakpoints(void)
{
	write_cr4(read_cr4() | CR4_DE);
	begin();
	write_dr0(0x80);
	write_dr7(DR7_FIXED | DR7_ON(0) | DR7_KIND(0, IO, 0));
	__asm__ volatile(MARK "out %%al, $0x80; nop" : : : MARK_CLOBBERS);
	check__equal(hits.count, 1, "I/O breakpoint: OUT");
	check__equal(hits.rip[0] - mark, 2, "I/O breakpoint: RIP behind");
	__asm__ volatile(MARK "in $0x80, %%al; nop" : : : MARK_CLOBBERS);
	check__equal(hits.count, 2, "I/O breakpoint: IN");
	__asm__ volatile(MARK "in $0x81, %%al; nop" : : : MARK_CLOBBERS);
	check__equal(hits.count, 2, "I/O breakpoint: other port");
	write_dr7(DR7_FIXED);
	write_cr4(read_cr4() & ~CR4_DE);
}

static void check_registers(void)
{
	write_dr7(0);
	check__equal(read_dr7(), DR7_FIXED, "DR7 bit 10 is 1");
	write_dr7(0xffffffff & ~DR7_GD & ~0xffffUL);
	check__equal(read_dr7(), 0xffff0400, "DR7 upper half");
	write_dr7(DR7_FIXED);
	write_dr6(0);
	/* Bit 11 tells of bus locks on CPUs that have it. */
	check__equal(read_dr6() | BIT64(11), DR6_FIXED | BIT64(11), "DR6 fixed bits");
	write_dr6(DR6_FIXED);
	write_dr0(0x123456789abc);
	check__equal(read_dr0(), 0x123456789abc, "DR0 holds 64 bits");
	write_dr0(0);
	EXPECT_NONE(".byte 0x0f, 0x21, 0xe1", "DR4 without DE");
	EXPECT_NONE(".byte 0x0f, 0x21, 0xe9", "DR5 without DE");
	write_cr4(read_cr4() | CR4_DE);
	EXPECT(".byte 0x0f, 0x21, 0xe1", TRAP(X86_UD, 0), 0, "DR4 with DE");
	EXPECT(".byte 0x0f, 0x21, 0xe9", TRAP(X86_UD, 0), 0, "DR5 with DE");
	write_cr4(read_cr4() & ~CR4_DE);
	begin();
	write_dr7(DR7_FIXED | DR7_GD);
	__asm__ volatile(MARK "mov %%dr3, %%rcx" : : : MARK_CLOBBERS);
	check__equal(hits.count, 1, "general detect");
	check__equal(hits.rip[0] - mark, 0, "general detect: RIP at the instruction");
	check__equal(hits.dr6[0], DR6_BD, "general detect: DR6");
	check__equal(hits.dr7, DR7_FIXED, "general detect: GD clear in the handler");
	if (cpu__is_tcg()) {
		check__skip("QEMU raises #UD", "INT1");
		return;
	}
	begin();
	__asm__ volatile(MARK ".byte 0xf1; nop" : : : MARK_CLOBBERS);
	check__equal(hits.count, 1, "INT1");
	check__equal(hits.rip[0] - mark, 1, "INT1: RIP behind");
	check__equal(hits.dr6[0], 0, "INT1: DR6");
}

/* IRET with RF set passes an execution breakpoint once. */
static void check_resume_flag(void)
{
	extern char resume_here[];

	begin();
	write_dr0((u64)resume_here);
	write_dr7(DR7_FIXED | DR7_ON(0));
	__asm__ volatile("mov %%rsp, %%rcx; mov %%ss, %%eax; push %%rax; push %%rcx; pushf;"
			 "orl $0x10000, (%%rsp); mov %%cs, %%eax; push %%rax; lea resume_here(%%rip), "
			 "%%rax; push %%rax; iretq; .global resume_here; resume_here: nop"
			 : : : "rax", "rcx", "memory", "cc");
	check__equal(hits.count, 0, "IRET with RF passes the breakpoint");
	write_dr7(DR7_FIXED);
	check__equal(read_flags() & RFLAGS_RF, 0, "PUSHF shows RF as 0");
}

int main(void)
{
	trap__handle(X86_DB, on_debug);
	check_registers();
	check_single_step();
	check_user_step();
	check_execution_breakpoints();
	check_shadowed_breakpoint();
	check_data_breakpoints();
	check_io_breakpoints();
	check_resume_flag();
	return 0;
}
