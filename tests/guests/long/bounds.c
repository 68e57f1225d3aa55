/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How soon an interrupt is taken. At which instruction, where the manuals say so (SDM vol. 3, 6.8.1, STI
 * and MOV SS; 10.8.3, TPR). And after how much code, where the engine says so: CPU 1 counts in memory, in
 * loops that never leave the engine's generated code; CPU 0 sends an IPI and reads the count when it is
 * pending; the handler reads it again. No clock is looked at. Other engines say no number: there it must
 * only be taken at all.
 */
#include "tests/guests/lib/long/irq.h"

#define VECTOR 0x61
#define REPEAT 0x40000000UL	   /* 1 GiB that is 2 MiB of memory again and again */
#define REPEAT_VA 0x20000000000UL
#define CODE_PAGES 10
/* docs/soft-engine.md, "Looking up from work": the rest of a page. */
#define BOUND_INSNS 4096
/* Increments that the other CPU does not see yet: what a processor's store buffer holds. */
#define UNSEEN 128

static u8 *code;
static bool is_soft;

/* ---- at which instruction ---- */

static volatile u64 taken_at, times;

static void on_self(struct trap_frame *f)
{
	taken_at = f->rip;
	times++;
	apic__eoi();
}

/*
 * insns, 100 times with an interrupt pending and IF clear in front: it must be taken at label 9. RAX is
 * flags with IF; RCX 0; RDX the TPR's address.
 */
#define TAKEN_AT_9(name, insns)                                                                    \
	do {                                                                                       \
		unsigned n_, wrong_ = 0;                                                           \
		for (n_ = 0; n_ < 100; n_++) {                                                     \
			u64 label_;                                                                \
			times = 0;                                                                 \
			apic__make_pending(VECTOR);                                                \
			__asm__ volatile("lea 9f(%%rip), %0; " insns                               \
					 : "=&r"(label_)                                           \
					 : "a"(RFLAGS_FIXED | RFLAGS_IF), "c"(0UL),                \
					   "d"(0xfee00000UL + APIC_TPR), "b"(&times)               \
					 : "rsi", "rdi", "memory", "cc");                          \
			wrong_ += times != 1 || taken_at != label_;                                \
			disable_interrupts();                                                      \
		}                                                                                  \
		check__equal(wrong_, 0, name);                                                     \
	} while (0)

static void set_tpr(u64 class)
{
	__asm__ volatile("mov %0, %%cr8" : : "r"(class) : "memory");
}

static void check_boundaries(void)
{
	unsigned i;

	trap__handle(VECTOR, on_self);
	TAKEN_AT_9("behind the instruction behind STI", "sti; nop; 9: nop");
	TAKEN_AT_9("behind the jump behind STI", "sti; jmp 9f; nop; 9: nop");
	TAKEN_AT_9("behind the store behind STI", "sti; movl $0, 8(%%rbx); 9: nop");
	TAKEN_AT_9("in front of the instruction behind STI, HLT", "sti; hlt; 9: nop");
	TAKEN_AT_9("behind POPF", "push %%rax; popf; 9: nop");
	TAKEN_AT_9("behind IRET", "mov %%rsp, %%rsi; push $0x10; push %%rsi; push %%rax; push $8;"
				  "push %0; iretq; ud2; 9: nop");
	times = 0;
	apic__make_pending(VECTOR);
	for (i = 0; i < 300; i++)
		__asm__ volatile("sti; cli" : : : "memory");
	check__equal(times, 0, "none between STI and CLI");
	__asm__ volatile("sti; nop; cli" : : : "memory");
	check__equal(times, 1, "one behind it");
	/* A pending one that the priority has held back. */
	set_tpr(15);
	apic__make_pending(VECTOR);
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	check__equal(times, 1, "none below the TPR");
	__asm__ volatile("sti; nop; mov %1, %%cr8; 9: cli; lea 9b(%%rip), %0"
			 : "=&r"(i)
			 : "r"(0UL)
			 : "memory");
	check__equal(times, 2, "one when the TPR is lower");
	check__equal((u32)taken_at, i, "behind MOV CR8");
	set_tpr(15);
	apic__make_pending(VECTOR);
	__asm__ volatile("sti; nop; movl $0, (%1); 9: cli; lea 9b(%%rip), %0"
			 : "=&r"(i)
			 : "r"(0xfee00000UL + APIC_TPR)
			 : "memory");
	check__equal(times, 3, "one when the TPR is written");
	check__equal((u32)taken_at, i, "behind the write of the TPR");
}

/* ---- after how much ---- */

static struct {
	volatile u64 count, pad[7]; /* of the loop */
	volatile u64 at_handler;
	volatile u32 running, taken;
	volatile u64 rcx, rdi, rip;
} loop __attribute__((aligned(64)));

/*
 * void loop_enter(u8 *code, u64 counter, u64 rcx, u64 rdi): runs the code with the counter's address in
 * RBX and interrupts on; ends at loop_exit, where the handler sends it.
 */
void loop_enter(u8 *at, volatile u64 *counter, u64 rcx, u64 rdi);
extern char loop_exit[];
static u64 loop_stack __attribute__((used));
__asm__(".text\n"
	"loop_enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, loop_stack(%rip)\n"
	"	mov %rsi, %rbx\n"
	"	mov %rdi, %rax\n"
	"	mov %rcx, %rdi\n"
	"	mov %rcx, %rsi\n"
	"	mov %rdx, %rcx\n"
	"	mov %rdx, %r9\n"
	"	mov %rdi, %r8\n"
	"	mov %rax, %r10\n"
	"	xor %eax, %eax\n"
	"	sti\n"
	"	jmp *%r10\n"
	"loop_exit:\n"
	"	cli\n"
	"	cld\n"
	"	mov loop_stack(%rip), %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static void on_ipi(struct trap_frame *f)
{
	loop.at_handler = loop.count;
	loop.rcx = f->rcx;
	loop.rdi = f->rdi;
	loop.rip = f->rip;
	loop.running = 0;
	f->rip = (u64)loop_exit;
	f->cs = KERNEL_CS;
	apic__eoi();
	__atomic_store_n(&loop.taken, 1, __ATOMIC_SEQ_CST);
}

/* What CPU 1 does, once for each interrupt. */
static void run_loop(u64 rcx)
{
	loop.running = 1;
	loop_enter(code, &loop.count, rcx, REPEAT_VA);
}

/* One interrupt: how far the count went on while it was pending. */
static u64 interrupt(u64 rcx, bool counts)
{
	static u32 jitter;
	u64 start, at_pending;
	unsigned i;

	loop.count = loop.taken = 0;
	smp__run(1, run_loop, rcx);
	while (!loop.running || (counts && !loop.count))
		pause();
	start = loop.count;
	jitter = jitter * 1664525 + 1013904223;
	for (i = jitter >> 26; i; i--)
		pause();
	/* It is in the loop, and stays there. */
	while (counts && loop.count - start < 10000)
		pause();
	apic__ipi(smp__apic_id(1), ICR_ASSERT | VECTOR);
	__asm__ volatile("mfence" : : : "memory");
	at_pending = loop.count;
	while (!__atomic_load_n(&loop.taken, __ATOMIC_SEQ_CST))
		pause();
	smp__wait(1);
	return loop.at_handler > at_pending ? loop.at_handler - at_pending : 0;
}

static void check_loop(const char *name, u64 bound)
{
	u64 longest = 0;
	unsigned i;

	for (i = 0; i < 25; i++)
		longest = MAX_OF(longest, interrupt(0, true));
	if (is_soft)
		check__true(longest <= bound + UNSEEN, "%s: at most %lx", name, bound);
	else
		check__true(true, "%s", name);
	console__print("  %lx times at most\n", longest);
}

/* ---- code that counts ---- */

static u8 *put(u8 *p, const char *bytes, unsigned n)
{
	memcpy(p, bytes, n);
	return p + n;
}
#define PUT(p, bytes) put(p, bytes, sizeof(bytes) - 1)
#define COUNT "\x48\xff\x03" /* incq (%rbx) */

static u8 *put_jump(u8 *p, u8 opcode, const u8 *to)
{
	s32 displacement = to - (p + 5);

	*p++ = opcode;
	memcpy(p, &displacement, 4);
	return p + 4;
}

static u8 *put_counts(u8 *p, unsigned n)
{
	while (n--)
		p = PUT(p, COUNT);
	return p;
}

static void check_short_loops(void)
{
	u8 *p, *q;

	put_jump(PUT(code, COUNT), 0xe9, code);
	check_loop("a loop of two instructions", 1);
	p = PUT(code, COUNT "\x48\xff\xc9\x75\xf8"); /* dec %rcx; jnz */
	put_jump(p, 0xe9, code);
	check_loop("a loop that counts", 1);
	/* Two pages that jump to each other. */
	p = PUT(code, COUNT);
	q = PUT(code + PAGE_SIZE_4K, COUNT);
	put_jump(p, 0xe9, code + PAGE_SIZE_4K);
	put_jump(q, 0xe9, code);
	check_loop("two pages", 2);
	PUT(code, COUNT "\x41\xff\xe2"); /* jmp *%r10 */
	check_loop("an indirect jump", 1);
	/* call to a function that counts and returns */
	PUT(code + 64, COUNT "\xc3");
	put_jump(put_jump(code, 0xe8, code + 64), 0xe9, code);
	check_loop("call and return", 1);
	/* push $0x18; lea 64(%r10), %r12; push %r12; lretq; there incl (%ebx); jmp */
	PUT(code, "\x6a\x18\x4d\x8d\x62\x40\x41\x54\x48\xcb");
	PUT(code + 64, "\xff\x03\xeb\xfc");
	check_loop("32-bit code", 1);
}

static void check_long_code(void)
{
	u8 *p = put_counts(code, PAGE_SIZE_4K / 3 - 4);
	unsigned i;

	put_jump(p, 0xe9, code);
	check_loop("a page of straight code", BOUND_INSNS / 3);
	p = put_counts(code, (CODE_PAGES - 1) * PAGE_SIZE_4K / 3);
	put_jump(p, 0xe9, code);
	check_loop("pages of straight code", BOUND_INSNS / 3);
	/* Jumps forwards: over what is not reached, and conditional ones that are taken. */
	for (p = code, i = 0; i < PAGE_SIZE_4K / 16 - 2; i++) {
		p = PUT(p, COUNT "\x85\xc0\x74\x04"); /* test %eax, %eax; jz */
		p = PUT(p, "\x0f\x0b\x0f\x0b" "\xeb\x02\x0f\x0b");
	}
	put_jump(p, 0xe9, code);
	check_loop("a page of jumps forwards", BOUND_INSNS / 16);
}

static void check_endless_jump(void)
{
	unsigned i;

	PUT(code, "\xeb\xfe");
	for (i = 0; i < 25; i++)
		interrupt(0, false);
	check__equal(loop.rip, (u64)code, "a jump to itself");
}

/* Repeated string instructions, over and over: met in the middle, at an element. */
static void check_string(const char *name, const char *insn, unsigned size, bool moves_rdi)
{
	unsigned i, inside = 0, odd = 0;
	u8 *p = PUT(code, "\x4c\x89\xc7\x4c\x89\xc6\x4c\x89\xc9"); /* mov %r8, %rdi; %r8, %rsi; %r9, %rcx */
	u8 *at = p;

	p = put(p, insn, 3);
	put_jump(p, 0xe9, code);
	for (i = 0; i < 12; i++) {
		u64 n = REPEAT / size;

		interrupt(n, false);
		if (loop.rip != (u64)at || loop.rcx == n)
			continue;
		inside++;
		odd += !loop.rcx || (moves_rdi && loop.rdi != REPEAT_VA + (n - loop.rcx) * size);
	}
	check__true(inside > 0, "%s: interrupted inside", name);
	check__equal(odd, 0, "%s: at an element", name);
}

static void check_strings(void)
{
	u8 *frame = page__alloc_aligned(2UL << 20);
	u64 linear;

	for (linear = REPEAT_VA; linear < REPEAT_VA + REPEAT; linear += 2UL << 20)
		paging__map(linear, (u64)frame, 2, PTE_P | PTE_W);
	check_string("REP STOSB", "\xf3\xaa\x90", 1, true);
	check_string("REP STOSQ", "\xf3\x48\xab", 8, true);
	check_string("REP MOVSB", "\xf3\xa4\x90", 1, true);
	check_string("REP LODSQ", "\xf3\x48\xad", 8, false);
	memset(frame, 0, 2UL << 20);
	check_string("REPE SCASB", "\xf3\xae\x90", 1, true);
	check_string("REPE CMPSQ", "\xf3\x48\xa7", 8, true);
}

int main(void)
{
	unsigned cpus = smp__start();

	is_soft = guest__option("soft", 0);
	check_boundaries();
	if (cpus < 2) {
		check__skip("one CPU only", "interrupts sent by another CPU");
		return 0;
	}
	code = page__alloc_aligned(16 * PAGE_SIZE_4K);
	trap__handle(VECTOR, on_ipi);
	check_short_loops();
	check_long_code();
	check_endless_jump();
	check_strings();
	return 0;
}
