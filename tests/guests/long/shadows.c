/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an interrupt is taken when IF changes, hot: behind the instruction behind STI and not in front of it,
 * wherever these two stand; at once behind POPF; never behind CLI; not behind a load of SS. At CPL 0 and by IOPL at
 * CPL 3. With an interrupt that waits, and with such that another CPU sends at any time (SDM vol. 2, STI, POPF,
 * CLI; vol. 3, 6.8.1 and 6.8.3). Guest bounds has the plain cases.
 */
#include "tests/guests/lib/long/irq.h"

#define VECTOR 0x61
#define SOFT_VECTOR 0x31
#define ROUNDS 150
#define INTERRUPTS 120

static struct {
	volatile u64 times, at, cs;
	u64 written; /* by code under test */
} taken;

static void on_interrupt(struct trap_frame *f)
{
	taken.times++;
	taken.at = f->rip;
	taken.cs = f->cs;
	apic__eoi();
}

/* Interrupts on for a moment: what has waited is taken. */
static void drain(void)
{
	enable_interrupts();
	disable_interrupts();
}

/* ---- one that waits, at CPL 0 ---- */

static const char *how = "";

/* insns with an interrupt that waits and IF clear: label 9, or the address that they put into RBX. */
#define RUN(address, insns)                                                                        \
	do {                                                                                       \
		u64 set_ = RFLAGS_FIXED | RFLAGS_IF, clear_ = RFLAGS_FIXED;                        \
		__asm__ volatile("lea 9f(%%rip), %%rbx; " insns "; mov %%rbx, %0"                  \
				 : "=m"(address), "+a"(set_), "+c"(clear_)                         \
				 : "S"(&taken), "D"(KERNEL_SS)                                     \
				 : "rbx", "rdx", "r8", "memory", "cc");                            \
	} while (0)

#define TAKEN_AT_9(name, insns)                                                                    \
	do {                                                                                       \
		unsigned n_, wrong_ = 0;                                                           \
		for (n_ = 0; n_ < ROUNDS; n_++) {                                                  \
			u64 address_;                                                              \
			taken.times = 0;                                                           \
			apic__make_pending(VECTOR);                                                \
			RUN(address_, insns);                                                      \
			wrong_ += taken.times != 1 || taken.at != address_;                        \
			disable_interrupts();                                                      \
			drain();                                                                   \
		}                                                                                  \
		check__equal(wrong_, 0, "%s%s", how, name);                                        \
	} while (0)

#define NEVER_TAKEN(name, insns)                                                                   \
	do {                                                                                       \
		unsigned n_, wrong_ = 0;                                                           \
		for (n_ = 0; n_ < ROUNDS; n_++) {                                                  \
			u64 address_;                                                              \
			if (!(n_ & 15))                                                            \
				apic__make_pending(VECTOR);                                        \
			taken.times = 0;                                                           \
			RUN(address_, insns);                                                      \
			wrong_ += taken.times;                                                     \
			if ((n_ & 15) != 15)                                                       \
				continue;                                                          \
			drain();                                                                   \
			wrong_ += taken.times != 1;                                                \
		}                                                                                  \
		drain();                                                                           \
		check__equal(wrong_, 0, "%s%s", how, name);                                        \
	} while (0)

static void skip_ud2(struct trap_frame *f)
{
	f->rip += 2;
}

static void check_waiting(void)
{
	TAKEN_AT_9("STI; MOV", "sti; mov %%ecx, %%edx; 9: nop");
	TAKEN_AT_9("STI; a store", "nop; sti; movl $1, 24(%%rsi); 9: nop");
	TAKEN_AT_9("STI; a load and more", "sti; mov (%%rsi), %%rdx; 9: add %%rdx, %%rdx; mov 8(%%rsi), %%rdx");
	TAKEN_AT_9("STI; CALL", "sti; call 9f; ud2; 9: pop %%rdx");
	TAKEN_AT_9("STI; RET", "push %%rbx; sti; ret; 9: nop");
	TAKEN_AT_9("STI; JMP", "sti; jmp *%%rbx; ud2; 9: nop");
	TAKEN_AT_9("STI; JZ taken", "cmp %%eax, %%eax; sti; jz 9f; ud2; 9: nop");
	TAKEN_AT_9("STI; JNZ not taken", "cmp %%eax, %%eax; sti; jnz 8f; 9: nop; 8: nop");
	TAKEN_AT_9("STI; PUSHF", "sti; pushf; 9: pop %%rdx");
	TAKEN_AT_9("STI; POPF that sets IF", "push %%rax; sti; popf; 9: nop");
	TAKEN_AT_9("STI; STI", "sti; sti; 9: nop; nop");
	TAKEN_AT_9("STI; CPUID", "mov %%rbx, %%r8; mov $1, %%eax; sti; cpuid; 9: mov %%r8, %%rbx");
	TAKEN_AT_9("STI; RDTSC", "sti; rdtsc; 9: nop");
	TAKEN_AT_9("STI; MOV from SS", "sti; mov %%ss, %%edx; 9: nop");
	TAKEN_AT_9("STI; CLD", "sti; cld; 9: nop");
	TAKEN_AT_9("STI; IRET", "mov %%rsp, %%rdx; push %%rdi; push %%rdx; push %%rax; push $8; push %%rbx;"
				"sti; iretq; ud2; 9: nop");
	TAKEN_AT_9("STI; UD2", "sti; ud2; 9: nop; nop");
	TAKEN_AT_9("STI; INT through an interrupt gate", "sti; int $0x31; 9: nop");
	TAKEN_AT_9("POPF; CLI", "push %%rax; popf; 9: cli");
	TAKEN_AT_9("POPF of 16 bits; CLI", "push %%rax; popfw; 9: cli; lea 6(%%rsp), %%rsp");
	TAKEN_AT_9("POPF of more than IF; CLI", "or $0x203000, %%eax; push %%rax; popf; 9: cli; push %%rcx; popf");
	TAKEN_AT_9("IRET; CLI", "mov %%rsp, %%rdx; push %%rdi; push %%rdx; push %%rax; push $8; push %%rbx;"
				"iretq; ud2; 9: cli");
	TAKEN_AT_9("MOV SS; POPF", "push %%rax; mov %%edi, %%ss; popf; 9: nop");
	TAKEN_AT_9("STI; NOP; MOV SS", "sti; nop; 9: mov %%edi, %%ss; nop; nop");
	TAKEN_AT_9("CLI; STI; NOP", "cli; sti; nop; 9: nop; cli");
	TAKEN_AT_9("STI; CLI; STI; NOP", "sti; cli; sti; nop; 9: nop; cli");
	NEVER_TAKEN("STI; CLI", "sti; cli; 9: nop");
	NEVER_TAKEN("STI; CLI; STI; CLI", "sti; cli; sti; cli; 9: nop; sti; cli; nop");
	NEVER_TAKEN("STI; POPF that clears IF", "push %%rcx; sti; popf; 9: nop; nop");
	NEVER_TAKEN("STI; IRET that clears IF", "mov %%rsp, %%rdx; push %%rdi; push %%rdx; push %%rcx; push $8; push %%rbx;"
						"sti; iretq; ud2; 9: nop");
	NEVER_TAKEN("POPF that leaves IF clear", "push %%rcx; popf; nop; 9: nop");
	NEVER_TAKEN("CLI", "cli; 9: nop; nop");
}

/* The same where each instruction is looked at: an instruction breakpoint is on, anywhere. */
static void check_stepped(void)
{
	how = "breakpoint on: ";
	write_dr0(0x7fffffff000);
	write_dr7(DR7_FIXED | 1);
	check_waiting();
	write_dr7(DR7_FIXED);
	how = "";
}

/* Through a trap gate: IF stays set, and the handler's first instruction is the one that is not begun. */
static void check_trap_gate(void)
{
	extern char trap_stubs[];
	unsigned i, wrong = 0;

	trap__set_gate(SOFT_VECTOR, 0xf, 0, 0);
	for (i = 0; i < ROUNDS; i++) {
		taken.times = 0;
		apic__make_pending(VECTOR);
		__asm__ volatile("sti; int $0x31; cli" : : : "memory");
		wrong += taken.times != 1 || taken.at != (u64)trap_stubs + 16 * SOFT_VECTOR;
	}
	trap__set_gate(SOFT_VECTOR, 0xe, 0, 0);
	check__equal(wrong, 0, "STI; INT through a trap gate");
}

/* ---- wherever STI stands ---- */

static u8 *code;

static void call(u8 *at)
{
	__asm__ volatile("xor %%eax, %%eax; call *%0" : : "r"(at) : "rax", "rcx", "memory", "cc");
}

/* Some NOPs, then these bytes; they end with RET. The interrupt is taken `late` bytes behind STI, or never. */
static void check_place(const char *name, const char *bytes, unsigned length, unsigned late, u32 from, u32 to)
{
	unsigned wrong = 0, i;
	u32 at;

	for (at = from; at <= to; at++) {
		u8 *start = code + (at & ~127u), *sti = code + at;

		memset(code, 0x90, 2 * PAGE_SIZE_4K);
		memcpy(sti, bytes, length);
		for (i = 0; i < 24; i++) {
			taken.times = 0;
			apic__make_pending(VECTOR);
			call(start);
			disable_interrupts();
			wrong += late ? taken.times != 1 || taken.at != (u64)sti + late : taken.times;
			drain();
		}
	}
	check__equal(wrong, 0, "%s", name);
}
#define PLACE(name, bytes, late, from, to) check_place(name, bytes, sizeof(bytes) - 1, late, from, to)

static void check_places(void)
{
	code = page__alloc_aligned(2 * PAGE_SIZE_4K);
	/* At the end of a block of so many instructions. */
	PLACE("STI; NOP behind others", "\xfb\x90\x90\xc3", 2, 0, 127);
	PLACE("STI; CLI behind others", "\xfb\xfa\x90\xc3", 0, 0, 127);
	/* jz +0 in front: shorter blocks */
	PLACE("STI; CLI behind others and a branch", "\x74\x00\xfb\xfa\x90\xc3", 0, 0, 60);
	/* At the end of a page, with an instruction that is on two. */
	PLACE("STI; NOP at a page's end", "\xfb\x90\x90\xc3", 2, 4090, 4099);
	PLACE("STI; CLI at a page's end", "\xfb\xfa\x90\xc3", 0, 4090, 4099);
	PLACE("STI; ADD at a page's end", "\xfb\x83\xc0\x01\x90\xc3", 4, 4088, 4099);
	PLACE("STI; JMP at a page's end", "\xfb\xeb\x02\x0f\x0b\x90\xc3", 5, 4088, 4099);
	PLACE("STI; CALL at a page's end", "\xfb\xe8\x01\x00\x00\x00\x90\xc3", 7, 4088, 4099);
}

/* ---- at CPL 1 and 3 ---- */

/* What user code tells: where label 9 is, and its flags. */
static struct {
	u64 at, flags;
} told;

#define USER_CODE(id, insns)                                                                       \
	static void user_##id(u64 arg)                                                             \
	{                                                                                          \
		__asm__ volatile("lea 9f(%%rip), %%rbx; mov %%rbx, %0;" insns                      \
				 "; pushf; pop %%rbx; mov %%rbx, %1"                               \
				 : "=m"(told.at), "=m"(told.flags)                                 \
				 : "a"(RFLAGS_FIXED | RFLAGS_IF), "c"(RFLAGS_FIXED)                \
				 : "rbx", "memory", "cc");                                         \
	}
USER_CODE(sti, "sti; nop; 9: nop")
USER_CODE(sti_cli, "sti; cli; 9: nop; nop")
USER_CODE(cli, "nop; cli; 9: nop")
USER_CODE(popf, "push %%rax; popf; 9: nop")
USER_CODE(popf_clear, "push %%rcx; popf; 9: nop")

/* At a level, with IOPL: 1 runs what level 0 has just run, too. */
struct level {
	const char *name;
	u16 cs, ss;
	u64 inner, outer; /* IOPL below the level, and not */
};

/* In every other round with an interrupt that waits, if IF is clear: how many rounds were not as the arguments say. */
static unsigned run_level(const struct level *level, void (*fn)(u64), u64 flags, bool faults, bool is_taken,
			  u64 want_flags)
{
	struct user_state state;
	bool waits, is_right;
	unsigned i, wrong = 0;
	u64 result;

	for (i = 0; i < ROUNDS; i++) {
		if (level->cs != USER_CS) {
			fn(0);
			disable_interrupts();
		}
		taken.times = 0;
		waits = !(flags & RFLAGS_IF) && i % 2;
		if (waits)
			apic__make_pending(VECTOR);
		user__state(&state, fn, 0);
		state.rflags |= flags;
		state.cs = level->cs;
		state.ss = level->ss;
		told.flags = want_flags;
		result = trap__code(user__run(&state));
		wrong += result != (faults ? TRAP(X86_GP, 0) : TRAP(NO_TRAP, 0));
		wrong += (told.flags & (RFLAGS_IF | RFLAGS_IOPL)) != want_flags;
		if (faults)
			wrong += trap()->frame.rip != told.at - 1 - (fn == user_sti) || trap()->frame.cs != level->cs;
		is_right = is_taken && waits ? taken.times == 1 && taken.at == told.at && taken.cs == level->cs :
					       !taken.times;
		wrong += !is_right;
		drain();
	}
	return wrong;
}

static void check_level(const struct level *l)
{
	const u64 on = RFLAGS_IF, inner = l->inner, outer = l->outer;

	check__equal(run_level(l, user_sti, 0, true, false, 0), 0, "%s, IOPL 0: STI", l->name);
	check__equal(run_level(l, user_sti, inner, true, false, inner), 0, "%s, IOPL below it: STI", l->name);
	check__equal(run_level(l, user_sti, outer, false, true, outer | on), 0, "%s, its IOPL: STI", l->name);
	check__equal(run_level(l, user_sti_cli, outer, false, false, outer), 0, "%s, its IOPL: STI; CLI", l->name);
	check__equal(run_level(l, user_cli, on, true, false, on), 0, "%s, IOPL 0: CLI", l->name);
	check__equal(run_level(l, user_cli, inner | on, true, false, inner | on), 0, "%s, IOPL below it: CLI", l->name);
	check__equal(run_level(l, user_cli, outer | on, false, false, outer), 0, "%s, its IOPL: CLI", l->name);
	check__equal(run_level(l, user_popf, 0, false, false, 0), 0, "%s, IOPL 0: POPF", l->name);
	check__equal(run_level(l, user_popf, inner, false, false, inner), 0, "%s, IOPL below it: POPF", l->name);
	check__equal(run_level(l, user_popf, outer, false, true, outer | on), 0, "%s, its IOPL: POPF", l->name);
	check__equal(run_level(l, user_popf_clear, on, false, false, on), 0, "%s, IOPL 0: POPF without IF", l->name);
	check__equal(run_level(l, user_popf_clear, outer | on, false, false, outer), 0, "%s, its IOPL: POPF without IF",
		     l->name);
}

static void check_levels(void)
{
	static const struct level level3 = { "CPL 3", USER_CS, USER_SS, 0x2000, 0x3000 };
	static const struct level level1 = { "CPL 1", SPARE_SELECTOR | 1, (SPARE_SELECTOR + 8) | 1, 0, 0x1000 };

	gdt[SPARE_SELECTOR / 8] = segment__descriptor(0, 0xfffff, 0xa0bb);
	gdt[SPARE_SELECTOR / 8 + 1] = segment__descriptor(0, 0xfffff, 0xc0b3);
	check_level(&level3);
	check_level(&level1);
}

/* ---- sent by another CPU ---- */

static volatile u32 sent, received;
static u64 allowed[2]; /* where they may be taken; 0: anywhere but at `forbidden` */
static u64 forbidden;
static volatile u32 misplaced;

static void on_sent(struct trap_frame *f)
{
	misplaced += f->rip == forbidden || (allowed[0] && f->rip != allowed[0] && f->rip != allowed[1]);
	received++;
	apic__eoi();
}

/* What CPU 1 does: one after the other, at different distances. */
static void send(u64 arg)
{
	u32 jitter = 1, i;

	for (sent = 0; sent < INTERRUPTS;) {
		jitter = jitter * 1664525 + 1013904223;
		for (i = jitter >> 23; i; i--)
			pause();
		apic__ipi(smp__apic_id(0), ICR_ASSERT | VECTOR);
		sent++;
		while (received != sent)
			pause();
	}
}

/*
 * insns again and again until all have been received: taken at labels 6 and 7 only, or with interrupts on all the
 * time, and not at label 6.
 */
#define SENT_LOOP(name, how, insns)                                                                \
	do {                                                                                       \
		received = misplaced = 0;                                                          \
		allowed[0] = allowed[1] = forbidden = 0;                                           \
		smp__run(1, send, 0);                                                              \
		__asm__ volatile("lea 6f(%%rip), %%rbx; lea 7f(%%rip), %%rdx;" how                 \
				 "1: " insns "; cmpl %[all], %[received]; jb 1b; cli"              \
				 : [first] "=m"(allowed[0]), [second] "=m"(allowed[1]),            \
				   [not] "=m"(forbidden)                                           \
				 : [all] "i"(INTERRUPTS), [received] "m"(received),                \
				   "a"(RFLAGS_FIXED | RFLAGS_IF), "c"(RFLAGS_FIXED),               \
				   "S"(&taken), "D"(KERNEL_SS)                                     \
				 : "rbx", "rdx", "r8", "memory", "cc");                            \
		smp__wait(1);                                                                      \
		check__equal(misplaced, 0, name);                                                  \
	} while (0)
#define AT_6_AND_7 "mov %%rbx, %[first]; mov %%rdx, %[second];"
#define NOT_AT_6 "mov %%rbx, %[not]; sti;"

/* Which 64-bit code does not have. */
extern char pop_ss_loop[], behind_pop_ss[];
__asm__(".text\n.code32\n"
	"pop_ss_loop: push %edi; pop %ss\n"
	"behind_pop_ss: nop; nop; cmp %ecx, (%esi); jb pop_ss_loop; lret\n"
	".code64\n");

static void check_pop_ss(void)
{
	struct {
		u32 offset;
		u16 selector;
	} __attribute__((packed)) pointer = { (u32)(u64)pop_ss_loop, KERNEL_CS32 };

	received = misplaced = 0;
	allowed[0] = 0;
	forbidden = (u64)behind_pop_ss;
	smp__run(1, send, 0);
	__asm__ volatile("sti; lcall *%0; cli"
			 : : "m"(pointer), "c"(INTERRUPTS), "S"(&received), "D"(KERNEL_SS) : "memory", "cc");
	smp__wait(1);
	check__equal(misplaced, 0, "sent: none behind POP SS");
}

/* STI, the last instruction of its page. */
static void check_page_end(void)
{
	/* sti; on the next page: nop; cli; cmp %ecx, (%rsi); jb -7; ret */
	static const u8 bytes[] = { 0xfb, 0x90, 0xfa, 0x39, 0x0e, 0x72, 0xf9, 0xc3 };
	u8 *sti = code + PAGE_SIZE_4K - 1;

	memcpy(sti, bytes, sizeof(bytes));
	received = misplaced = 0;
	allowed[0] = allowed[1] = (u64)sti + 2;
	smp__run(1, send, 0);
	__asm__ volatile("call *%0" : : "r"(sti), "c"(INTERRUPTS), "S"(&received) : "memory", "cc");
	smp__wait(1);
	check__equal(misplaced, 0, "sent: STI at a page's end");
}

static void check_sent(void)
{
	trap__handle(VECTOR, on_sent);
	SENT_LOOP("sent: STI; NOP; CLI", AT_6_AND_7, "sti; nop; 6: 7: cli");
	SENT_LOOP("sent: STI; loads; CLI", AT_6_AND_7, "sti; mov (%%rsi), %%r8; 6: add %%r8, %%r8; 7: cli");
	SENT_LOOP("sent: STI; HLT; CLI", AT_6_AND_7, "sti; hlt; 6: 7: cli");
	SENT_LOOP("sent: STI; CALL; CLI", AT_6_AND_7, "sti; call 6f; jmp 8f; 6: cli; ret; 7: 8:");
	SENT_LOOP("sent: POPF; PUSH; POPF", AT_6_AND_7, "push %%rax; popf; 6: push %%rcx; 7: popf");
	SENT_LOOP("sent: none behind MOV SS", NOT_AT_6, "mov %%edi, %%ss; 6: nop; 7: nop");
	SENT_LOOP("sent: none between MOV SS and MOV RSP", NOT_AT_6, "mov %%edi, %%ss; 6: mov %%rsp, %%rsp; 7:");
	check_pop_ss();
	check_page_end();
}

int main(void)
{
	unsigned cpus = smp__start();

	trap__handle(VECTOR, on_interrupt);
	trap__handle(X86_UD, skip_ud2);
	trap__resume(SOFT_VECTOR, true);
	check_waiting();
	check_stepped();
	check_trap_gate();
	check_places();
	check_levels();
	if (cpus < 2) {
		check__skip("one CPU only", "interrupts sent by another CPU");
		return 0;
	}
	check_sent();
	return 0;
}
