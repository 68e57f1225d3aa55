/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four CPUs compute while each gets timer interrupts at 10 kHz, and from its neighbour an IPI with every
 * other one: what comes out is what came out undisturbed. The handlers use vector registers, which they
 * save. Each timer that was armed and each IPI that was sent is heard once, and IPIs in order; of several
 * that are pending the highest comes first (SDM vol. 3, 10.8.3). The frames that interrupts push name the
 * start of an instruction, and have the flags that the one before has set, as far as can be told.
 */
#include "tests/guests/lib/long/irq.h"

#define CPUS 4
#define TIMER_VECTOR 0x40
#define PIT_VECTOR 0x41
#define IPI_VECTOR 0x50 /* + CPU of the sender */
#define ORDER_VECTOR 0x60
#define NR_ORDERED 5
#define PIT_PIN 2
#define PIT_HZ 1193182
#define HZ 10000
#define VA 0x20000000000UL /* LAZY_PAGES per CPU, mapped when they are touched */
#define LAZY_PAGES 8
#define BUFFER 16384
#define NR_ROUNDS 6 /* loops of rounds() */

static struct cpu {
	u32 armed, fired, odd_frames, in_aligned, at_round[NR_ROUNDS];
	u32 sent, answered; /* IPIs to the next CPU */
	u32 heard, unordered;
	u32 faults, order[NR_ORDERED], ordered;
	u8 fp[512] __attribute__((aligned(64)));
	u8 *buffer[2], *code, *lazy[LAZY_PAGES];
} cpus[CPUS] __attribute__((aligned(64)));

static u32 timer_count; /* of the APIC's timer, 1 / HZ */
static u32 ticks_each;
static volatile u32 pit_ticks;
static bool has_avx;

/* ---- handlers ---- */

/*
 * u64 aligned_kernel(u64 *state, u64 turns): only instructions of 4 bytes, so that the saved RIP tells
 * whether it is one's start. Integers, flags, locked ones, vector registers, strings, branches.
 */
u64 aligned_kernel(u64 *state, u64 turns);
extern char aligned_start[], aligned_end[];
__asm__(".text\n"
	"aligned_kernel:\n"
	"	push %rbx\n"
	"	mov %rsi, %r10\n"
	"	mov %rdi, %r9\n"
	"	xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx; xor %edx, %edx\n"
	"	movups (%rdi), %xmm0; movups 16(%rdi), %xmm1\n"
	"	.balign 4\n"
	"aligned_start:\n"
	"	add $5, %rax\n"
	"	rol $7, %rax\n"
	"	imul %rax, %rbx\n"
	"	xor $0x21, %rbx\n"
	"	adc 8(%r9), %rax\n"
	"	mov %rax, 8(%r9)\n"
	"	adc $3, %rdx\n"
	"	sbb $9, %rdx\n"
	"	.byte 0x3e, 0x3e, 0x72, 4\n" /* jc over one */
	"	xor $0x55, %rdx\n"
	"	cmovs %rdx, %rbx\n"
	"	.byte 0xf0, 0x41, 0xff, 0x01\n" /* lock incl (%r9) */
	"	incq 24(%r9)\n"
	"	paddd %xmm1, %xmm0\n"
	"	pxor %xmm0, %xmm1\n"
	"	shufps $0x39, %xmm0, %xmm0\n"
	"	lea 64(%r9), %rsi\n"
	"	lea 80(%r9), %rdi\n"
	"	add $9, %rcx\n"
	"	and $63, %rcx\n"
	"	.byte 0x2e, 0x2e, 0xf3, 0xa4\n" /* rep movsb %cs:... */
	"	push 32(%r9)\n"
	"	add %rax, (%rsp)\n"
	"	.byte 0x41, 0x8f, 0x41, 0x20\n" /* pop 32(%r9) */
	"	sub $1, %r10\n"
	"	.byte 0x3e, 0x3e, 0x75, aligned_start - 1f\n"
	"1:\n"
	"aligned_end:\n"
	"	movups %xmm0, 40(%r9); movups %xmm1, 48(%r9)\n"
	"	add %rbx, %rax; add %rdx, %rax\n"
	"	pop %rbx\n"
	"	ret\n");

static const u64 looked_up[8] __attribute__((used)) = { 0 };

/*
 * u64 rounds(u64 n): loops whose rounds overwrite the flags at once that the round before has set. An interrupt
 * between two of them shows these. R10 counts; before the first round flags are as before the others. The last two
 * look memory up behind what sets the flags, by an address of no pattern; the last has overwritten what these come of.
 */
u64 rounds(u64 n);
extern char round_sub[], round_add[], round_cmp[], round_test[], round_shl[], round_and[];
__asm__(".text\n"
	"rounds:\n"
	"	xor %eax, %eax\n"
	"	lea 1(%rdi), %r10; sub $1, %r10\n"
	"round_sub: add %r10, %rax; sub $1, %r10; jne round_sub\n"
	"	mov %rdi, %r10; neg %r10; sub $1, %r10; add $1, %r10\n"
	"round_add: xor %r10, %rax; add $1, %r10; jne round_add\n"
	"	cmp %rdi, %r10\n"
	"round_cmp: add $3, %rax; lea 1(%r10), %r10; cmp %rdi, %r10; jne round_cmp\n"
	"	test %r10, %r10\n"
	"round_test: sub $7, %rax; lea -1(%r10), %r10; test %r10, %r10; jne round_test\n"
	"	lea looked_up(%rip), %r8; mov $-1, %r9\n"
	"	mov %rdi, %r10; mov %rdi, %rdx; shl $9, %edx\n"
	"round_shl: add %rdx, %rax; lea -1(%r10), %r10; mov %r10d, %ecx; and $7, %ecx; mov %r10d, %edx; shl $9, %edx\n"
	"	mov (%r8, %rcx, 8), %rsi; jne round_shl\n"
	"	mov %rdi, %r10; mov %rdi, %rdx; and %r9, %rdx; lea 3(%rdx), %rdx\n"
	"round_and: add %rdx, %rax; lea -1(%r10), %r10; mov %r10d, %ecx; and $7, %ecx; mov %r10, %rdx; and %r9, %rdx\n"
	"	lea 3(%rdx), %rdx; mov (%r8, %rcx, 8), %rsi; jne round_and\n"
	"	ret\n");

/* What stands in the frame, if the operands were these: R10 as it is. */
#define FLAGS_OF(instructions, value, other)                                                                           \
	({                                                                                                             \
		u64 before = (value), flags_;                                                                          \
		__asm__ volatile(instructions "; pushfq; popq %1" : "+r"(before), "=r"(flags_) : "r"((u64)(other)) : "cc"); \
		flags_;                                                                                                \
	})

static void check_round(struct cpu *c, const struct trap_frame *f)
{
	static const char *const heads[NR_ROUNDS] = { round_sub, round_add, round_cmp, round_test, round_shl, round_and };
	u64 flags[NR_ROUNDS], known = RFLAGS_ARITH;
	unsigned i;

	flags[0] = FLAGS_OF("sub $1, %0", f->r10 + 1, 0);
	flags[1] = FLAGS_OF("add $1, %0", f->r10 - 1, 0);
	flags[2] = FLAGS_OF("cmp %2, %0", f->r10, f->rdi);
	flags[3] = FLAGS_OF("test %0, %0", f->r10, 0);
	flags[4] = FLAGS_OF("shll $9, %k0", f->r10, 0);
	flags[5] = FLAGS_OF("test %0, %0", f->rdx - 3, 0);
	for (i = 0; i < NR_ROUNDS; i++) {
		if (f->rip != (u64)heads[i])
			continue;
		if (i >= 3)
			known &= ~RFLAGS_AF;
		if (i == 4)
			known &= ~RFLAGS_OF;
		c->at_round[i]++;
		c->odd_frames += (f->rflags ^ flags[i]) & known ? 1 : 0;
	}
}

static void check_frame(struct cpu *c, const struct trap_frame *f)
{
	u64 offset = f->rip - (u64)aligned_start;

	c->odd_frames += f->cs != KERNEL_CS || f->ss != KERNEL_SS || !(f->rflags & RFLAGS_IF) ||
			 !(f->rflags & RFLAGS_FIXED) || (f->rflags & (RFLAGS_TF | RFLAGS_VM));
	if (offset < (u64)(aligned_end - aligned_start)) {
		c->in_aligned++;
		c->odd_frames += offset % 4 != 0;
	}
	check_round(c, f);
}

/* Uses what the interrupted code may have in use, in a way that shows if it is not saved. */
static void clobber_vectors(struct cpu *c)
{
	__asm__ volatile("fxsave64 %0; fninit; fldpi; fld1; fadd %%st, %%st(1);"
			 "pcmpeqd %%xmm0, %%xmm0; movaps %%xmm0, %%xmm15; xorps %%xmm7, %%xmm7;"
			 "paddd %%xmm0, %%xmm1; fxrstor64 %0"
			 : "+m"(c->fp));
}

static void arm(struct cpu *c)
{
	c->armed++;
	apic__write(APIC_TIMER_INITIAL, timer_count);
}

static void on_timer(struct trap_frame *f)
{
	unsigned cpu = cpu__index();
	struct cpu *c = &cpus[cpu];

	check_frame(c, f);
	c->fired++;
	if (c->fired % 4 == 0)
		clobber_vectors(c);
	if (c->fired % 2 && c->sent == __atomic_load_n(&c->answered, __ATOMIC_ACQUIRE)) {
		c->sent++;
		apic__ipi(smp__apic_id((cpu + 1) % CPUS), ICR_ASSERT | (IPI_VECTOR + cpu));
	}
	if (c->fired < ticks_each)
		arm(c);
	apic__eoi();
}

static void on_ipi(struct trap_frame *f)
{
	struct cpu *c = &cpus[cpu__index()], *sender = &cpus[f->vector - IPI_VECTOR];

	check_frame(c, f);
	c->heard++;
	c->unordered += c->heard != sender->sent;
	__atomic_store_n(&sender->answered, c->heard, __ATOMIC_RELEASE);
	apic__eoi();
}

static void on_pit(struct trap_frame *f)
{
	check_frame(&cpus[0], f);
	pit_ticks++;
	apic__eoi();
}

static void on_order(struct trap_frame *f)
{
	struct cpu *c = &cpus[cpu__index()];

	if (c->ordered < NR_ORDERED)
		c->order[c->ordered++] = f->vector;
	apic__eoi();
}

static void on_fault(struct trap_frame *f)
{
	unsigned cpu = cpu__index();
	u64 linear = read_cr2() & PAGE_MASK_4K, page = (linear - VA) / PAGE_SIZE_4K;

	if (page / LAZY_PAGES != cpu)
		guest__die("page fault at %lx, cr2 %lx", f->rip, (u64)read_cr2());
	cpus[cpu].faults++;
	*paging__entry(linear, 1) = (u64)cpus[cpu].lazy[page % LAZY_PAGES] | PTE_P | PTE_W;
}

/* ---- computations: the same number from the same seed, whatever happens meanwhile ---- */

static u64 mix(u64 digest, const void *data, u64 n)
{
	const u64 *word = data;

	for (n /= 8; n--; word++)
		digest = (digest << 5 ^ digest >> 59 ^ *word) * 0x9e3779b97f4a7c15;
	return digest;
}

static u64 compute_aligned(struct cpu *c, u64 seed)
{
	u64 state[32], i;

	for (i = 0; i < ARRAY_LENGTH(state); i++)
		state[i] = seed * (i + 1);
	seed = aligned_kernel(state, 500);
	return mix(seed, state, sizeof(state));
}

static u64 compute_rounds(struct cpu *c, u64 seed)
{
	return rounds(10000 + seed % 64);
}

/* All general registers, and flags by every way to read them. */
static u64 compute_integers(struct cpu *c, u64 seed)
{
	u64 turns = 600;

	__asm__ volatile("mov %1, %%r8; lea 1(%%r8), %%r9; lea 2(%%r8,%%r9), %%r10;"
			 "lea 3(%%r9,%%r10,2), %%r11; mov %%r8, %%r12; not %%r12; mov %%r11, %%r13;"
			 "mov %%r12, %%r14; mov %%r13, %%r15; push %%rbp; mov %%r8, %%rbp;"
			 "1: mov %%r8, %%rax; mul %%r9; add %%rax, %%r10; adc %%rdx, %%r11;"
			 "rcl $3, %%r12; rcr $5, %%r13; sbb %%r14, %%r15; lahf; movzbl %%ah, %%ecx;"
			 "add %%rcx, %%r8; seto %%cl; setbe %%ch; xor %%rcx, %%r9; bsr %%r8, %%rdx;"
			 "cmovz %%r9, %%rdx; add %%rdx, %%rbp; imul $77, %%rbp, %%rbp; pushf; pop %%rax;"
			 "and $0x8c1, %%eax; ror %%cl, %%rbp; add %%rax, %%r14; xchg %%r14, %%r15;"
			 "shld $7, %%r8, %%r12; bt %%r12, %%r9; adc $0, %%r13; bswap %%r10;"
			 "xor %%r10, %%r8; dec %0; jnz 1b;"
			 "mov %%r8, %1; add %%r9, %1; add %%r10, %1; add %%r11, %1; add %%r12, %1;"
			 "add %%r13, %1; add %%r14, %1; add %%r15, %1; add %%rbp, %1; pop %%rbp"
			 : "+D"(turns), "+S"(seed)
			 :
			 : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
			   "memory", "cc");
	return seed;
}

static u64 compute_vectors(struct cpu *c, u64 seed)
{
	u64 data[32], turns = 300, i;

	for (i = 0; i < ARRAY_LENGTH(data); i++)
		data[i] = seed * (2 * i + 1);
	__asm__ volatile("movups (%1), %%xmm0; movups 16(%1), %%xmm1; movups 32(%1), %%xmm7;"
			 "movups 48(%1), %%xmm15;"
			 "1: paddq %%xmm0, %%xmm1; pmuludq %%xmm1, %%xmm0; pxor %%xmm15, %%xmm7;"
			 "paddd %%xmm7, %%xmm15; pshufd $0x93, %%xmm0, %%xmm0; paddq %%xmm7, %%xmm0;"
			 "movups %%xmm0, 64(%1); addq $3, 64(%1); movups 64(%1), %%xmm3;"
			 "psrlq $7, %%xmm3; pxor %%xmm3, %%xmm1; dec %0; jnz 1b;"
			 "movups %%xmm0, 96(%1); movups %%xmm1, 112(%1); movups %%xmm7, 128(%1);"
			 "movups %%xmm15, 144(%1)"
			 : "+c"(turns)
			 : "r"(data)
			 : "memory", "cc");
	return mix(seed, data, sizeof(data));
}

static u64 compute_wide_vectors(struct cpu *c, u64 seed)
{
	u64 data[32], turns = 300, i;

	if (!has_avx)
		return 0;
	for (i = 0; i < ARRAY_LENGTH(data); i++)
		data[i] = seed * (3 * i + 1);
	__asm__ volatile("vmovups (%1), %%ymm0; vmovups 32(%1), %%ymm7; vmovups 64(%1), %%ymm15;"
			 "1: vxorps %%ymm0, %%ymm7, %%ymm1; vshufps $0x93, %%ymm1, %%ymm15, %%ymm15;"
			 "vorps %%ymm15, %%ymm0, %%ymm0; vperm2f128 $1, %%ymm1, %%ymm0, %%ymm7;"
			 "vmovups %%ymm7, 96(%1); incq 120(%1); vmovups 96(%1), %%ymm0; dec %0; jnz 1b;"
			 "vmovups %%ymm0, 128(%1); vmovups %%ymm7, 160(%1); vmovups %%ymm15, 192(%1)"
			 : "+c"(turns)
			 : "r"(data)
			 : "memory", "cc");
	return mix(seed, data, sizeof(data));
}

static u64 compute_x87(struct cpu *c, u64 seed)
{
	u8 out[16 * 8] = { 0 };
	u64 turns = 200;
	u32 start = seed % 1000 + 2;

	__asm__ volatile("fninit; fildl %1; fldpi; fldl2e;"
			 "1: fmul %%st(1), %%st; fadd %%st(2), %%st; fsqrt; fxch %%st(1); fadd %%st(1), %%st;"
			 "fxch %%st(2); fld %%st(0); fsin; fstp %%st(1); fld1; faddp; dec %0; jnz 1b;"
			 "fstpt 0(%2); fstpt 16(%2); fstpt 32(%2); fnstsw 48(%2)"
			 : "+c"(turns)
			 : "m"(start), "r"(out)
			 : "memory", "cc");
	return mix(seed, out, sizeof(out));
}

static u64 compute_strings(struct cpu *c, u64 seed)
{
	u8 *a = c->buffer[0], *b = c->buffer[1];
	u64 n = BUFFER - seed % 64, left;
	void *from = a, *to = b + seed % 32;

	memset(a, seed >> 8, BUFFER);
	memset(b, seed >> 16, BUFFER);
	n -= 32;
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(seed) : "memory");
	a[seed % BUFFER] = ~seed;
	to = b;
	n = BUFFER / 2;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	n = BUFFER / 8;
	to = a;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(seed * 0x0101010101010101) : "memory");
	from = b + BUFFER - 1;
	to = a + BUFFER - 1;
	left = 5000;
	__asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(left) : : "memory");
	from = a + BUFFER / 2;
	to = b + BUFFER / 2;
	left = BUFFER / 2;
	__asm__ volatile("repe cmpsb" : "+D"(to), "+S"(from), "+c"(left) : : "memory", "cc");
	seed += left;
	to = a;
	left = BUFFER;
	__asm__ volatile("repne scasb" : "+D"(to), "+c"(left) : "a"(~seed) : "memory", "cc");
	return mix(mix(seed + left, a, BUFFER), b, BUFFER);
}

/* A function that is written anew before each call, beside data that changes. */
static u64 compute_patched(struct cpu *c, u64 seed)
{
	u64 digest = seed, i;

	for (i = 0; i < 60; i++) {
		u32 value = seed * i, got;
		u8 *at = c->code + (i * 8) % 2048;

		at[0] = 0xb8; /* MOV EAX, value; RET */
		memcpy(at + 1, &value, 4);
		at[5] = 0xc3;
		*(volatile u64 *)(c->code + 2048) = digest;
		__asm__ volatile("call *%1" : "=a"(got) : "r"(at) : "memory", "cc");
		digest = (digest ^ got) * 0x9e3779b97f4a7c15 + *(volatile u64 *)(c->code + 2048);
	}
	return digest;
}

/* Pages that are mapped when they are met, in the middle of strings and of read-modify-writes. */
static u64 compute_faulting(struct cpu *c, u64 seed)
{
	u64 va = VA + (c - cpus) * LAZY_PAGES * PAGE_SIZE_4K, n = 3 * PAGE_SIZE_4K, i;
	void *to = (void *)(va + 100 + seed % 64), *from = c->buffer[1];

	for (i = 0; i < LAZY_PAGES; i++) {
		*paging__entry(va + i * PAGE_SIZE_4K, 1) = 0;
		invlpg((void *)(va + i * PAGE_SIZE_4K));
		memset(c->lazy[i], seed + i, PAGE_SIZE_4K);
	}
	memset(from, seed, n);
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	for (i = 3; i < LAZY_PAGES; i++)
		__asm__ volatile("addq %1, (%0); xchg %1, 8(%0); push 8(%0); popq 16(%0)"
				 : : "r"(va + i * PAGE_SIZE_4K - 4), "r"(seed * i) : "memory", "cc");
	return mix(seed, (void *)va, LAZY_PAGES * PAGE_SIZE_4K);
}

static u64 compute_order(struct cpu *c, u64 seed)
{
	u64 wrong = 0;
	unsigned i;

	disable_interrupts();
	c->ordered = 0;
	for (i = 0; i < NR_ORDERED; i++)
		apic__ipi(0, ICR_SELF | ICR_ASSERT |
				     (ORDER_VECTOR + 16 * ((i * (1 + seed % 4) + seed) % NR_ORDERED)));
	for (i = 0; i < NR_ORDERED; i++)
		while (!apic__bit(APIC_IRR, ORDER_VECTOR + 16 * i))
			pause();
	enable_interrupts();
	while (__atomic_load_n(&c->ordered, __ATOMIC_SEQ_CST) < NR_ORDERED)
		pause();
	for (i = 0; i < NR_ORDERED; i++)
		wrong += c->order[i] != ORDER_VECTOR + 16 * (NR_ORDERED - 1 - i);
	return wrong;
}

static const struct {
	const char *name;
	u64 (*compute)(struct cpu *c, u64 seed);
	bool is_count; /* of what went wrong */
} computations[] = {
	{ "instructions of 4 bytes", compute_aligned, false },
	{ "flags between rounds", compute_rounds, false },
	{ "general registers and flags", compute_integers, false },
	{ "XMM registers", compute_vectors, false },
	{ "YMM registers", compute_wide_vectors, false },
	{ "x87", compute_x87, false },
	{ "strings", compute_strings, false },
	{ "code that is patched", compute_patched, false },
	{ "page faults", compute_faulting, false },
	{ "the highest vector first", compute_order, true },
};
#define NR_COMPUTATIONS ARRAY_LENGTH(computations)
#define NR_SEEDS 3

static u64 due[NR_COMPUTATIONS][NR_SEEDS];
static u32 wrong[CPUS][NR_COMPUTATIONS], done[CPUS][NR_COMPUTATIONS];

static u64 seed_of(unsigned n)
{
	return 0x123456789abcdef + n * 0x1111111111;
}

/* ---- the whole ---- */

static void enable_vectors(void)
{
	if (!has_avx)
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
}

static void compute_all(u64 cpu)
{
	struct cpu *c = &cpus[cpu];
	unsigned n, i;

	if (cpu)
		enable_vectors();
	apic__write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
	apic__write(APIC_LVT_TIMER, TIMER_VECTOR);
	smp__meet();
	arm(c);
	enable_interrupts();
	/* Each once, then until there were enough interrupts. */
	for (i = 0; c->fired < ticks_each || i < NR_COMPUTATIONS * NR_SEEDS; i++) {
		n = i % NR_COMPUTATIONS;
		wrong[cpu][n] += computations[n].compute(c, seed_of(i % NR_SEEDS)) != due[n][i % NR_SEEDS];
		done[cpu][n]++;
	}
	while (c->fired < c->armed || c->sent != __atomic_load_n(&c->answered, __ATOMIC_ACQUIRE))
		pause();
	smp__meet(); /* others may still send */
	disable_interrupts();
}

static void compute_undisturbed(void)
{
	unsigned n, i;

	for (n = 0; n < NR_COMPUTATIONS; n++)
		for (i = 0; i < NR_SEEDS && !computations[n].is_count; i++)
			due[n][i] = computations[n].compute(&cpus[0], seed_of(i));
}

/* Ticks of the APIC's timer in a second. */
static u64 measure_timer(void)
{
	apic__write(APIC_TIMER_DIVIDE, 0xb);
	apic__write(APIC_LVT_TIMER, LVT_MASKED);
	apic__write(APIC_TIMER_INITIAL, 0xffffffff);
	clock__wait_us(10000);
	return (u64)(0xffffffff - apic__read(APIC_TIMER_COUNT)) * 100;
}

static void prepare(void)
{
	unsigned i, n;

	for (i = 0; i < CPUS; i++) {
		for (n = 0; n < 2; n++)
			cpus[i].buffer[n] = page__alloc_aligned(BUFFER);
		cpus[i].code = page__alloc();
		for (n = 0; n < LAZY_PAGES; n++) {
			cpus[i].lazy[n] = page__alloc();
			paging__entry(VA + (i * LAZY_PAGES + n) * PAGE_SIZE_4K, 1);
		}
		trap__handle(IPI_VECTOR + i, on_ipi);
	}
	for (i = 0; i < NR_ORDERED; i++)
		trap__handle(ORDER_VECTOR + 16 * i, on_order);
	trap__handle(TIMER_VECTOR, on_timer);
	trap__handle(PIT_VECTOR, on_pit);
	trap__handle(X86_PF, on_fault);
}

static void report(void)
{
	u32 odd = 0, unordered = 0, aligned = 0, between[NR_ROUNDS] = { 0 }, sent = 0, heard = 0, fired = 0, armed = 0, faults = 0;
	unsigned i, n;

	for (n = 0; n < NR_COMPUTATIONS; n++) {
		u32 sum = 0, count = 0;

		for (i = 0; i < CPUS; i++) {
			sum += wrong[i][n];
			count += done[i][n];
		}
		check__equal(sum, 0, "%s", computations[n].name);
		console__print("  %u times\n", count);
	}
	for (i = 0; i < CPUS; i++) {
		odd += cpus[i].odd_frames;
		aligned += cpus[i].in_aligned;
		for (n = 0; n < NR_ROUNDS; n++)
			between[n] += cpus[i].at_round[n];
		unordered += cpus[i].unordered;
		sent += cpus[i].sent;
		heard += cpus[i].heard;
		fired += cpus[i].fired;
		armed += cpus[i].armed;
		faults += cpus[i].faults;
	}
	check__equal(odd, 0, "frames of interrupts");
	check__true(aligned > 0, "some are in code of known boundaries");
	for (n = 0; n < NR_ROUNDS; n++)
		check__true(between[n] > 0, "some are between rounds of loop %u", n);
	check__equal(fired, armed, "timers that were armed");
	check__true(fired >= CPUS * ticks_each, "timers enough");
	check__equal(heard, sent, "IPIs that were sent");
	check__equal(unordered, 0, "IPIs out of order");
	check__true(pit_ticks > 0, "the PIT's interrupts");
	console__print("  %u by timers, %u of these and others among 4-byte instructions, %u by IPIs, "
		       "%u by the PIT, %u page faults; between rounds", fired, aligned, heard, pit_ticks, faults);
	for (n = 0; n < NR_ROUNDS; n++)
		console__print(" %u", between[n]);
	console__print("\n");
}

int main(void)
{
	if (!check__equal(smp__start(), CPUS, "CPUs that came up"))
		return 0;
	ticks_each = 2000 * guest__option("scale", 1);
	timer_count = measure_timer() / HZ;
	has_avx = cpu__has(1, 0, 2, 26) && cpu__has(1, 0, 2, 28);
	enable_vectors();
	prepare();
	compute_undisturbed();
	pic__start(0x20, 0xffff);
	ioapic__route(PIT_PIN, (u64)apic__id() << 56 | PIT_VECTOR);
	pit__start(0, 2, PIT_HZ / HZ);
	smp__run_all(compute_all);
	ioapic__route(PIT_PIN, IOAPIC_MASKED | PIT_VECTOR);
	report();
	return 0;
}
