/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions against a model of one iteration: sizes, directions, overlaps, page ends;
 * then faults, steps and interrupts in the middle (SDM vol. 2, REP; vol. 1, 7.3.9).
 */
#include "tests/guests/lib/long/irq.h"

struct state {
	u64 rax, rcx, rsi, rdi, flags;
};

static u64 mark __attribute__((used));

/* Runs an instruction on the registers in *s; a fault leaves them in the trap frame. */
#define STRING_OP(name, insn)                                                                      \
	static void do_##name(struct state *s)                                                     \
	{                                                                                          \
		__asm__ volatile("lea 900f(%%rip), %%r8; mov %%r8, mark(%%rip); push %4; popf;"    \
				 "900: " insn "; pushf; pop %4; cld"                               \
				 : "+a"(s->rax), "+c"(s->rcx), "+S"(s->rsi), "+D"(s->rdi),         \
				   "+r"(s->flags)                                                  \
				 :                                                                 \
				 : "r8", "memory", "cc");                                          \
	}

#define STRING_SIZES(name)                                                                         \
	STRING_OP(name##1, #name "b")                                                              \
	STRING_OP(name##2, #name "w")                                                              \
	STRING_OP(name##4, #name "l")                                                              \
	STRING_OP(name##8, #name "q")                                                              \
	STRING_OP(rep_##name##1, "rep " #name "b")                                                 \
	STRING_OP(rep_##name##2, "rep " #name "w")                                                 \
	STRING_OP(rep_##name##4, "rep " #name "l")                                                 \
	STRING_OP(rep_##name##8, "rep " #name "q")                                                 \
	STRING_OP(repne_##name##1, "repne " #name "b")                                             \
	STRING_OP(repne_##name##2, "repne " #name "w")                                             \
	STRING_OP(repne_##name##4, "repne " #name "l")                                             \
	STRING_OP(repne_##name##8, "repne " #name "q")

STRING_SIZES(movs)
STRING_SIZES(stos)
STRING_SIZES(lods)
STRING_SIZES(scas)
STRING_SIZES(cmps)

enum { MOVS, STOS, LODS, SCAS, CMPS, KINDS };
enum { ONCE, REP, REPNE, REPEATS };

#define STRING_ROW(name)                                                                           \
	{ { do_##name##1, do_##name##2, do_##name##4, do_##name##8 },                              \
	  { do_rep_##name##1, do_rep_##name##2, do_rep_##name##4, do_rep_##name##8 },              \
	  { do_repne_##name##1, do_repne_##name##2, do_repne_##name##4, do_repne_##name##8 } }

static void (*const ops[KINDS][REPEATS][4])(struct state *) = {
	[MOVS] = STRING_ROW(movs), [STOS] = STRING_ROW(stos), [LODS] = STRING_ROW(lods),
	[SCAS] = STRING_ROW(scas), [CMPS] = STRING_ROW(cmps),
};

static const char *const kind_names[KINDS] = { "MOVS", "STOS", "LODS", "SCAS", "CMPS" };
static const char *const repeat_names[REPEATS] = { "", "REP ", "REPNE " };

#define ARITHMETIC 0x8d5UL
#define DF 0x400UL
#define ZF 0x40UL

static u32 random_state = 1;

static u32 random(u32 below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static u64 mask_of(unsigned size)
{
	return size == 8 ? ~0ULL : (1ULL << 8 * size) - 1;
}

/* The arithmetic flags of a - b. */
static u64 compare_flags(u64 a, u64 b, unsigned size)
{
	unsigned shift = 64 - 8 * size;
	u64 flags, low = (a ^ b ^ (a - b)) & 0x10, result = a - b;

	/* AF and PF look at the low end, the others at the high end. */
	__asm__ volatile("cmp %2, %1; pushf; pop %0" : "=r"(flags)
			 : "r"(a << shift), "r"(b << shift) : "cc");
	flags &= ARITHMETIC & ~0x14UL;
	flags |= low | (__builtin_parity(result & 0xff) ? 0 : 4);
	return flags;
}

/* One iteration. */
static void model_step(struct state *s, unsigned kind, unsigned size)
{
	u64 step = s->flags & DF ? -(u64)size : size, mask = mask_of(size), a = 0, b = 0;

	switch (kind) {
	case MOVS:
		memcpy(&a, (void *)s->rsi, size);
		memcpy((void *)s->rdi, &a, size);
		break;
	case STOS:
		memcpy((void *)s->rdi, &s->rax, size);
		break;
	case LODS:
		memcpy(&a, (void *)s->rsi, size);
		s->rax = size == 4 ? a : (s->rax & ~mask) | a;
		break;
	case SCAS:
		memcpy(&b, (void *)s->rdi, size);
		s->flags = (s->flags & ~ARITHMETIC) | compare_flags(s->rax & mask, b, size);
		break;
	case CMPS:
		memcpy(&a, (void *)s->rsi, size);
		memcpy(&b, (void *)s->rdi, size);
		s->flags = (s->flags & ~ARITHMETIC) | compare_flags(a, b, size);
		break;
	}
	if (kind != STOS && kind != SCAS)
		s->rsi += step;
	if (kind != LODS)
		s->rdi += step;
}

static void model(struct state *s, unsigned kind, unsigned repeat, unsigned size)
{
	if (repeat == ONCE) {
		model_step(s, kind, size);
		return;
	}
	while (s->rcx) {
		model_step(s, kind, size);
		s->rcx--;
		if (kind >= SCAS && !(s->flags & ZF) == (repeat == REP))
			break;
	}
}

/* Two copies of some bytes around a page end, for the processor and for the model. */
#define WINDOW 512
static u8 *real_page, *model_page; /* the first of two pages each */

static void fill(unsigned kind)
{
	u64 *a = (u64 *)(real_page + PAGE_SIZE_4K - WINDOW / 2);
	u64 *b = (u64 *)(model_page + PAGE_SIZE_4K - WINDOW / 2);
	unsigned i;

	/* Compared ones: mostly the same bytes, so that they run for a while. */
	for (i = 0; i < WINDOW / 8; i++)
		a[i] = b[i] = kind < SCAS || !random(6) ? random(1 << 24) * 0x10000000801ULL
						      : 0x4242424242424242;
}

static bool same_memory(void)
{
	return !memcmp(real_page + PAGE_SIZE_4K - WINDOW / 2,
		       model_page + PAGE_SIZE_4K - WINDOW / 2, WINDOW);
}

static void report(const char *what, const struct state *got, const struct state *want)
{
	console__print("  %s: rax %lx rcx %lx rsi %lx rdi %lx flags %lx\n", what, got->rax,
		       got->rcx, got->rsi, got->rdi, got->flags);
	console__print("  expected: rax %lx rcx %lx rsi %lx rdi %lx flags %lx\n", want->rax,
		       want->rcx, want->rsi, want->rdi, want->flags);
}

static bool same_state(const struct state *a, const struct state *b)
{
	return a->rax == b->rax && a->rcx == b->rcx && a->rsi == b->rsi && a->rdi == b->rdi &&
	       ((a->flags ^ b->flags) & (ARITHMETIC | DF)) == 0;
}

static bool compare_once(unsigned kind, unsigned repeat, unsigned log)
{
	unsigned size = 1 << log, count = random(4) ? random(12) : random(WINDOW / 4 / size);
	/* Anywhere from which count elements stay inside the window, either way. */
	unsigned room = WINDOW / 4, from = WINDOW / 4 + random(room);
	unsigned to = random(2) ? WINDOW / 4 + random(room) : from + random(33) - 16;
	struct state real, want;

	fill(kind);
	real = (struct state){
		.rax = random(2) ? 0x4242424242424242 : 0x1122334455667788,
		.rcx = repeat == ONCE ? random(3) : count,
		.rsi = (u64)real_page + PAGE_SIZE_4K - WINDOW / 2 + from,
		.rdi = (u64)real_page + PAGE_SIZE_4K - WINDOW / 2 + to,
		.flags = RFLAGS_FIXED | (random(2) ? DF : 0) | (random(2) ? ARITHMETIC : 0),
	};
	want = real;
	want.rsi += model_page - real_page;
	want.rdi += model_page - real_page;
	model(&want, kind, repeat, size);
	want.rsi -= model_page - real_page;
	want.rdi -= model_page - real_page;
	ops[kind][repeat][log](&real);
	if (same_state(&real, &want) && same_memory())
		return true;
	report("differs", &real, &want);
	return false;
}

static void check_model(void)
{
	unsigned kind, repeat, log, i, wrong;

	real_page = page__alloc_aligned(2 * PAGE_SIZE_4K);
	model_page = page__alloc_aligned(2 * PAGE_SIZE_4K);
	for (kind = 0; kind < KINDS; kind++)
		for (repeat = 0; repeat < REPEATS; repeat++)
			for (log = 0; log < 4; log++) {
				/* REPNE is for SCAS and CMPS; elsewhere it is not defined. */
				if (repeat == REPNE && kind < SCAS)
					continue;
				for (i = wrong = 0; i < 60 && wrong < 3; i++)
					wrong += !compare_once(kind, repeat, log);
				check__equal(wrong, 0, "%s%s of %u bytes", repeat_names[repeat],
					     kind_names[kind], 1 << log);
			}
}

/* ---- faults in the middle ---- */

/* Two pages each for source and destination, nothing around them. */
#define SOURCE_VA 0x20000000000UL
#define TARGET_VA 0x20000100000UL
#define END_VA(base) ((base) + PAGE_SIZE_4K)

static u8 *source[2], *target[2];

static void map_pages(void)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		if (!source[i]) {
			source[i] = page__alloc();
			target[i] = page__alloc();
		}
		paging__map(SOURCE_VA + i * PAGE_SIZE_4K, (u64)source[i], 1, PTE_P | PTE_W);
		paging__map(TARGET_VA + i * PAGE_SIZE_4K, (u64)target[i], 1, PTE_P | PTE_W);
	}
}

static void set_entry(u64 va, u64 clear, u64 set)
{
	u64 *entry = paging__entry(va, 1);

	*entry = (*entry & ~clear) | set;
	invlpg((void *)va);
}

static struct {
	unsigned count;
	struct trap_frame frame;
	u64 cr2, va;
} fault;

/* Notes what the first fault left, and lets the instruction go on. */
static void on_fault(struct trap_frame *f)
{
	if (!fault.count++) {
		fault.frame = *f;
		fault.cr2 = read_cr2();
	} else if (fault.count > 8) {
		guest__die("fault after fault at %lx, cr2 %lx", f->rip, (u64)read_cr2());
	}
	set_entry(fault.va, 0, PTE_P | PTE_W);
}

struct fault_case {
	const char *name;
	unsigned kind, repeat, size;
	bool backward, in_source, read_only;
	u32 start; /* bytes before the page end (forward), or behind it (backward) */
	u32 count;
};

static const struct fault_case fault_cases[] = {
	{ "MOVSB from an absent page", MOVS, REP, 1, false, true, false, 10, 30 },
	{ "MOVSB to an absent page", MOVS, REP, 1, false, false, false, 10, 30 },
	{ "MOVSB to a read-only page", MOVS, REP, 1, false, false, true, 10, 30 },
	{ "MOVSB from an absent page, down", MOVS, REP, 1, true, true, false, 10, 30 },
	{ "MOVSB to an absent page, down", MOVS, REP, 1, true, false, false, 10, 30 },
	{ "MOVSQ from an absent page", MOVS, REP, 8, false, true, false, 64, 20 },
	{ "MOVSQ from a half absent element", MOVS, REP, 8, false, true, false, 20, 20 },
	{ "MOVSQ to a half absent element", MOVS, REP, 8, false, false, false, 20, 20 },
	{ "MOVSQ to a half read-only element", MOVS, REP, 8, false, false, true, 20, 20 },
	{ "MOVSQ to a half absent element, down", MOVS, REP, 8, true, false, false, 20, 20 },
	{ "MOVSL to the first element absent", MOVS, REP, 4, false, false, false, 0, 9 },
	{ "MOVSW once to a half absent element", MOVS, ONCE, 2, false, false, false, 1, 1 },
	{ "STOSB to an absent page", STOS, REP, 1, false, false, false, 100, 200 },
	{ "STOSB to a read-only page, down", STOS, REP, 1, true, false, true, 100, 200 },
	{ "STOSW to a half absent element", STOS, REP, 2, false, false, false, 7, 20 },
	{ "STOSL to a half absent element, down", STOS, REP, 4, true, false, false, 6, 20 },
	{ "STOSQ to a half read-only element", STOS, REP, 8, false, false, true, 12, 20 },
	{ "STOSQ to an absent page", STOS, REP, 8, false, false, false, 2048, 300 },
	{ "LODSB from an absent page", LODS, REP, 1, false, true, false, 5, 10 },
	{ "LODSQ from a half absent element", LODS, REP, 8, false, true, false, 11, 10 },
	{ "LODSL from an absent page, down", LODS, REP, 4, true, true, false, 8, 10 },
	{ "REPE SCASB in an absent page", SCAS, REP, 1, false, false, false, 9, 20 },
	{ "REPNE SCASW in an absent page", SCAS, REPNE, 2, false, false, false, 9, 20 },
	{ "REPE SCASQ in an absent page, down", SCAS, REP, 8, true, false, false, 16, 20 },
	{ "REPE CMPSB, first operand absent", CMPS, REP, 1, false, true, false, 9, 20 },
	{ "REPE CMPSB, second operand absent", CMPS, REP, 1, false, false, false, 9, 20 },
	{ "REPE CMPSL, second operand half absent", CMPS, REP, 4, false, false, false, 9, 20 },
	{ "REPNE CMPSQ, second operand absent, down", CMPS, REPNE, 8, true, false, false, 24, 9 },
};

/* Bytes that the case's comparison runs over to the end. */
static void fill_pages(const struct fault_case *c)
{
	unsigned page, i;

	for (page = 0; page < 2; page++)
		for (i = 0; i < PAGE_SIZE_4K; i += 8) {
			u64 value = 0x0101010101010101 * (i / 8 % 251) + page;

			if (c->kind >= SCAS)
				value = 0x4242424242424242;
			*(u64 *)(source[page] + i) = value;
			*(u64 *)(target[page] + i) = c->kind < SCAS ? 0x55 :
						     c->repeat == REPNE ? ~value : value;
		}
}

static u64 checksum(void)
{
	u64 sum = 0;
	unsigned page, i;

	for (page = 0; page < 2; page++)
		for (i = 0; i < PAGE_SIZE_4K; i += 8)
			sum = sum * 31 + *(u64 *)(target[page] + i) * 7;
	return sum;
}

static void check_fault(const struct fault_case *c)
{
	unsigned log = __builtin_ctz(c->size), i;
	u64 base = c->in_source ? SOURCE_VA : TARGET_VA, other = c->in_source ? TARGET_VA : SOURCE_VA;
	u64 start = c->backward ? END_VA(base) + c->start - c->size : END_VA(base) - c->start;
	/* The other operand keeps away from its page end. */
	u64 partner = c->backward ? END_VA(other) - 512 : other + 512;
	u64 error = c->kind == MOVS || c->kind == STOS ? 2 : 0, sum, cr2, last;
	struct state s, want;

	map_pages();
	fill_pages(c);
	s = (struct state){
		.rax = 0x4242424242424242,
		.rcx = c->count,
		.rsi = c->in_source ? start : partner,
		.rdi = c->in_source ? partner : start,
		.flags = RFLAGS_FIXED | (c->backward ? DF : 0),
	};
	if (c->kind == SCAS && c->repeat == REPNE)
		s.rax = 0;
	/* What is to come out, without a fault; then again from the start. */
	want = s;
	model(&want, c->kind, c->repeat, c->size);
	sum = checksum();
	fill_pages(c);
	last = start;
	fault.count = 0;
	fault.va = c->backward ? base : END_VA(base);
	set_entry(fault.va, c->read_only ? PTE_W : PTE_P, 0);
	trap__handle(X86_PF, on_fault);
	{
		struct state got = s;

		ops[c->kind][c->repeat][log](&got);
		trap__handle(X86_PF, NULL);
		check__equal(fault.count, 1, "%s: faults", c->name);
		/* Iterations whose element lies in the page that is there. */
		for (i = 0; c->backward ? last >= END_VA(base) : last + c->size <= END_VA(base); i++)
			last += c->backward ? -(u64)c->size : c->size;
		if (c->repeat != ONCE)
			check__equal(fault.frame.rcx, c->count - i, "%s: RCX", c->name);
		if (c->kind != STOS && c->kind != SCAS)
			check__equal(fault.frame.rsi, s.rsi + (last - start), "%s: RSI", c->name);
		if (c->kind != LODS)
			check__equal(fault.frame.rdi, s.rdi + (last - start), "%s: RDI", c->name);
		cr2 = c->backward ? last : last < END_VA(base) ? END_VA(base) : last;
		check__equal(fault.cr2, cr2, "%s: CR2", c->name);
		if (c->in_source)
			error = 0;
		check__equal(fault.frame.error, error | c->read_only, "%s: error code", c->name);
		check__equal(fault.frame.rip, mark, "%s: RIP", c->name);
		check__true(same_state(&got, &want) && checksum() == sum, "%s: resumed", c->name);
		if (!same_state(&got, &want))
			report(c->name, &got, &want);
	}
}

static void check_faults(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(fault_cases); i++)
		check_fault(&fault_cases[i]);
}

/* The end of the lower half: #GP, not #PF, behind it. */
#define HOLE 0x800000000000UL

static void check_canonical(void)
{
	struct state s = { .rcx = 100, .rdi = HOLE - 40, .flags = RFLAGS_FIXED };
	u8 *page = page__alloc();

	paging__map(HOLE - PAGE_SIZE_4K, (u64)page, 1, PTE_P | PTE_W);
	s.rax = 0x77;
	check__equal(trap__code(TRY(do_rep_stos1(&s))), TRAP(X86_GP, 0),
		     "STOSB into non-canonical addresses");
	check__equal(trap()->frame.rcx, 60, "STOSB into non-canonical addresses: RCX");
	check__equal(trap()->frame.rdi, HOLE, "STOSB into non-canonical addresses: RDI");
	check__equal(page[PAGE_SIZE_4K - 1], 0x77, "STOSB into non-canonical addresses: last byte");
	s = (struct state){ .rcx = 100, .rsi = HOLE - 20, .rdi = (u64)page, .flags = RFLAGS_FIXED };
	check__equal(trap__code(TRY(do_rep_movs8(&s))), TRAP(X86_GP, 0),
		     "MOVSQ from a half canonical element");
	check__equal(trap()->frame.rcx, 98, "MOVSQ from a half canonical element: RCX");
	check__equal(trap()->frame.rsi, HOLE - 4, "MOVSQ from a half canonical element: RSI");
	s = (struct state){ .rcx = 0, .rsi = HOLE, .rdi = HOLE, .flags = RFLAGS_FIXED };
	check__equal(TRY(do_rep_movs8(&s)), NO_TRAP, "MOVSQ with count 0 touches nothing");
	check__equal(TRY(do_rep_cmps1(&s)), NO_TRAP, "CMPSB with count 0 touches nothing");
	check__equal(trap__code(TRY(do_lods1(&s))), TRAP(X86_GP, 0), "LODSB without REP, RCX 0");
}

/* ---- address size, segments ---- */

STRING_OP(movs_addr32, "addr32 rep movsb")
STRING_OP(stos_addr32, "addr32 rep stosb")
STRING_OP(scas_addr32, "addr32 repne scasb")
STRING_OP(movs_fs, "rep movsb %%fs:(%%rsi), %%es:(%%rdi)")
STRING_OP(lods_gs, "lodsq %%gs:(%%rsi)")
STRING_OP(cmps_fs, "repe cmpsb %%es:(%%rdi), %%fs:(%%rsi)")
STRING_OP(stos_fs, ".byte 0x64; stosl")
STRING_OP(scas_fs, ".byte 0x64; scasb")
STRING_OP(movs_fs_addr32, "addr32 rep movsb %%fs:(%%esi), %%es:(%%edi)")
STRING_OP(movs_es, "rep movsb %%es:(%%rsi), %%es:(%%rdi)")

#define HIGH 0xdeadbeef00000000UL

static void check_addr32(void)
{
	u64 *low = NULL, saved;
	struct state s;
	u8 *page = page__alloc(), *top = page__alloc();
	unsigned i;

	__asm__ volatile("" : "+r"(low));
	for (i = 0; i < 100; i++)
		page[i] = i;
	s = (struct state){ .rcx = HIGH | 20, .rsi = HIGH | (u64)page,
			    .rdi = HIGH | (u64)(page + 1000), .flags = RFLAGS_FIXED };
	check__equal(TRY(do_movs_addr32(&s)), NO_TRAP, "32-bit MOVSB");
	check__true(!memcmp(page, page + 1000, 20), "32-bit MOVSB: bytes");
	check__equal(s.rcx, 0, "32-bit MOVSB: RCX");
	check__equal(s.rsi, (u64)page + 20, "32-bit MOVSB: RSI");
	check__equal(s.rdi, (u64)page + 1020, "32-bit MOVSB: RDI");
	s = (struct state){ .rax = 7, .rcx = HIGH | 20, .rsi = HIGH, .rdi = HIGH | (u64)page,
			    .flags = RFLAGS_FIXED };
	check__equal(TRY(do_scas_addr32(&s)), NO_TRAP, "32-bit SCASB");
	check__equal(s.rcx, 12, "32-bit SCASB: RCX");
	check__equal(s.rdi, (u64)page + 8, "32-bit SCASB: RDI");
	check__equal(s.rsi, HIGH, "32-bit SCASB leaves RSI alone");

	/* Around the end of 4 GiB, both ways. */
	paging__map(0xfffff000, (u64)top, 1, PTE_P | PTE_W);
	saved = *low;
	*low = 0;
	s = (struct state){ .rax = 0x99, .rcx = 8, .rdi = 0xfffffffc, .flags = RFLAGS_FIXED };
	check__equal(TRY(do_stos_addr32(&s)), NO_TRAP, "32-bit STOSB wraps");
	check__equal(s.rdi, 4, "32-bit STOSB wraps: RDI");
	check__equal(*low, 0x99999999, "32-bit STOSB wraps: bytes at 0");
	check__equal(*(u64 *)(top + PAGE_SIZE_4K - 8), 0x9999999900000000,
		     "32-bit STOSB wraps: bytes below 4 GiB");
	s = (struct state){ .rax = 0x55, .rcx = 4, .rdi = 1, .flags = RFLAGS_FIXED | DF };
	check__equal(TRY(do_stos_addr32(&s)), NO_TRAP, "32-bit STOSB wraps down");
	check__equal(s.rdi, 0xfffffffd, "32-bit STOSB wraps down: RDI");
	check__equal(*low, 0x99995555, "32-bit STOSB wraps down: bytes at 0");
	check__equal(*(u64 *)(top + PAGE_SIZE_4K - 8), 0x5555999900000000,
		     "32-bit STOSB wraps down: bytes below 4 GiB");
	*low = saved;
}

#define MSR_FS 0xc0000100
#define MSR_GS 0xc0000101

static void check_segments(void)
{
	u8 *page = page__alloc(), *to = page__alloc();
	struct state s = { .rcx = 16, .rsi = 0x100, .rdi = (u64)to, .flags = RFLAGS_FIXED };
	unsigned i;

	for (i = 0; i < 256; i++)
		page[i] = i ^ 0x5a;
	wrmsr(MSR_FS, (u64)page - 0x100);
	wrmsr(MSR_GS, (u64)page + 8);
	check__equal(TRY(do_movs_fs(&s)), NO_TRAP, "MOVSB from FS");
	check__true(!memcmp(page, to, 16) && s.rsi == 0x110, "MOVSB from FS: bytes");
	s = (struct state){ .rsi = 0, .flags = RFLAGS_FIXED };
	do_lods_gs(&s);
	check__equal(s.rax, *(u64 *)(page + 8), "LODSQ from GS");
	s = (struct state){ .rcx = 30, .rsi = 0x100, .rdi = (u64)to, .flags = RFLAGS_FIXED };
	do_cmps_fs(&s);
	check__equal(s.rcx, 13, "CMPSB with FS for the first operand");
	s = (struct state){ .rax = 0xaabbccdd, .rdi = (u64)to, .flags = RFLAGS_FIXED };
	do_stos_fs(&s);
	check__equal(*(u32 *)to, 0xaabbccdd, "no override for STOS");
	s = (struct state){ .rax = 0xdd, .rdi = (u64)to, .flags = RFLAGS_FIXED };
	do_scas_fs(&s);
	check__true(s.flags & ZF, "no override for SCAS");
	s = (struct state){ .rcx = 16, .rsi = HIGH | 0x100, .rdi = (u64)to, .flags = RFLAGS_FIXED };
	check__equal(TRY(do_movs_fs_addr32(&s)), NO_TRAP, "32-bit MOVSB from FS");
	check__true(!memcmp(page, to, 16) && s.rsi == 0x110, "32-bit MOVSB from FS: bytes");
	memset(to, 0, 16);
	s = (struct state){ .rcx = 16, .rsi = (u64)page, .rdi = (u64)to, .flags = RFLAGS_FIXED };
	check__equal(TRY(do_movs_es(&s)), NO_TRAP, "MOVSB from ES: base 0");
	check__true(!memcmp(page, to, 16), "MOVSB from ES: bytes");
	/* The base is added after the cut to 32 bits: a far base stays far. */
	paging__map(SOURCE_VA, (u64)page, 1, PTE_P | PTE_W);
	memset(to, 0, 16);
	wrmsr(MSR_FS, SOURCE_VA);
	s = (struct state){ .rcx = 16, .rsi = HIGH, .rdi = (u64)to, .flags = RFLAGS_FIXED };
	check__equal(TRY(do_movs_fs_addr32(&s)), NO_TRAP, "32-bit MOVSB from a far FS");
	check__true(!memcmp(page, to, 16), "32-bit MOVSB from a far FS: bytes");
	wrmsr(MSR_FS, 0);
	wrmsr(MSR_GS, 0);
}

/* ---- traps and interrupts between iterations ---- */

static unsigned steps, steps_at, steps_wrong;
static u64 step_rcx;

static void on_step(struct trap_frame *f)
{
	steps++;
	if (f->rip == mark) {
		steps_at++;
		steps_wrong += f->rcx != --step_rcx;
	}
	write_dr6(0xffff0ff0);
	if (f->rip != mark)
		f->rflags &= ~0x100UL;
}

static void check_steps(void)
{
	u8 *page = page__alloc();
	struct state s = { .rcx = 10, .rdi = (u64)page, .flags = RFLAGS_FIXED | 0x100 };

	step_rcx = s.rcx;
	trap__handle(X86_DB, on_step);
	do_rep_stos1(&s);
	trap__handle(X86_DB, NULL);
	check__equal(steps, 10, "single step: a trap after each iteration");
	check__equal(steps_at, 9, "single step: all but the last at the instruction");
	check__equal(steps_wrong, 0, "single step: RCX");
}

#define TIMER_VECTOR 0x45
#define BIG_FROM 0x4000000UL
#define BIG_TO 0x5000000UL
#define BIG_SIZE 0x1000000UL

static volatile u32 inside, uneven;

static void on_timer(struct trap_frame *f)
{
	if (f->rip == mark) {
		inside++;
		uneven += f->rsi - BIG_FROM != BIG_SIZE - f->rcx ||
			  f->rdi - BIG_TO != BIG_SIZE - f->rcx;
	}
	apic__eoi();
}

static void check_interrupts(void)
{
	u64 *from = (u64 *)BIG_FROM, *to = (u64 *)BIG_TO, i, wrong = 0;
	unsigned tries;

	for (i = 0; i < BIG_SIZE / 8; i += 512)
		from[i] = i + 1;
	trap__handle(TIMER_VECTOR, on_timer);
	apic__enable();
	apic__write(APIC_TIMER_DIVIDE, 0xb);
	apic__write(APIC_LVT_TIMER, LVT_PERIODIC | TIMER_VECTOR);
	apic__write(APIC_TIMER_INITIAL, 300000);
	for (tries = 0; tries < 50 && !inside; tries++) {
		struct state s = { .rcx = BIG_SIZE, .rsi = BIG_FROM, .rdi = BIG_TO,
				   .flags = RFLAGS_FIXED | 0x200 };

		do_rep_movs1(&s);
		disable_interrupts();
	}
	apic__write(APIC_LVT_TIMER, LVT_MASKED);
	apic__write(APIC_TIMER_INITIAL, 0);
	enable_interrupts();
	disable_interrupts();
	check__true(inside > 0, "interrupts between iterations of a long MOVSB");
	check__equal(uneven, 0, "RCX, RSI and RDI agree there");
	for (i = 0; i < BIG_SIZE / 8; i += 512)
		wrong += to[i] != i + 1;
	check__equal(wrong, 0, "and it ends with all bytes copied");
}

/* ---- ports ---- */

#define SCRATCH_PORT 0x3ff /* COM1 */

static void check_ports(void)
{
	u8 *page;
	u64 rcx, address;

	map_pages();
	memset(target[0], 0, PAGE_SIZE_4K);
	for (rcx = 0; rcx < 64; rcx++)
		source[0][PAGE_SIZE_4K - 64 + rcx] = rcx + 1;
	rcx = 64;
	address = END_VA(SOURCE_VA) - 64;
	__asm__ volatile("rep outsb" : "+c"(rcx), "+S"(address) : "d"(SCRATCH_PORT) : "memory");
	check__equal(in8(SCRATCH_PORT), 64, "REP OUTSB: the last byte");
	check__true(!rcx && address == END_VA(SOURCE_VA), "REP OUTSB: RCX and RSI");
	rcx = 5;
	address = TARGET_VA + 9;
	__asm__ volatile("std; rep insb; cld" : "+c"(rcx), "+D"(address) : "d"(SCRATCH_PORT)
			 : "memory");
	page = target[0];
	check__true(!page[4] && page[5] == 64 && page[9] == 64 && !page[10] && !rcx &&
		    address == TARGET_VA + 4, "REP INSB, down");

	fault.count = 0;
	fault.va = END_VA(SOURCE_VA);
	set_entry(fault.va, PTE_P, 0);
	source[1][5] = 0x42;
	trap__handle(X86_PF, on_fault);
	rcx = 10;
	address = END_VA(SOURCE_VA) - 4;
	__asm__ volatile("rep outsb" : "+c"(rcx), "+S"(address) : "d"(SCRATCH_PORT) : "memory");
	check__equal(fault.count, 1, "REP OUTSB from an absent page: faults");
	check__equal(fault.frame.rcx, 6, "REP OUTSB from an absent page: RCX");
	check__equal(fault.frame.rsi, END_VA(SOURCE_VA), "REP OUTSB from an absent page: RSI");
	check__equal(in8(SCRATCH_PORT), 0x42, "REP OUTSB from an absent page: resumed");
	fault.count = 0;
	fault.va = END_VA(TARGET_VA);
	set_entry(fault.va, PTE_W, 0);
	rcx = 10;
	address = END_VA(TARGET_VA) - 4;
	__asm__ volatile("rep insb" : "+c"(rcx), "+D"(address) : "d"(SCRATCH_PORT) : "memory");
	trap__handle(X86_PF, NULL);
	check__equal(fault.count, 1, "REP INSB to a read-only page: faults");
	check__equal(fault.frame.rcx, 6, "REP INSB to a read-only page: RCX");
	check__equal(fault.frame.rdi, END_VA(TARGET_VA), "REP INSB to a read-only page: RDI");
	check__equal(fault.frame.error, 3, "REP INSB to a read-only page: error code");
	check__true(target[0][PAGE_SIZE_4K - 1] == 0x42 && target[1][5] == 0x42,
		    "REP INSB to a read-only page: resumed");
}

int main(void)
{
	check_model();
	check_faults();
	check_canonical();
	check_addr32();
	check_segments();
	check_steps();
	check_interrupts();
	check_ports();
	return 0;
}
