/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions over page boundaries: every size, both directions, overlapping, interrupted
 * by page faults, with 64- and 32-bit addresses; compared with a model.
 */
#include "tests/guests/lib/long/mark.h"

#define VA 0x50000000UL /* below 4 GiB, for 32-bit addresses */
#define PAGES 4
#define REGION (PAGES * 4096)

enum op { MOVS, STOS, LODS, CMPS, SCAS, NR_OPS };
static const char *const op_name[] = { "MOVS", "STOS", "LODS", "CMPS", "SCAS" };

struct state {
	u64 rax, rcx, rsi, rdi, flags;
};

static u8 *region = (u8 *)VA;
static u8 model[REGION], start_image[REGION];

#define REP(prefix, insn)                                                                          \
	__asm__ volatile("push %[flags]; popf; " prefix " " insn "; pushf; pop %[flags]; cld"      \
			 : "+a"(s->rax), "+c"(s->rcx), "+S"(s->rsi), "+D"(s->rdi),                 \
			   [flags] "+r"(s->flags)                                                  \
			 :                                                                         \
			 : "memory", "cc")

#define SIZES(prefix, b, w, l, q)                                                                  \
	switch (size) {                                                                            \
	case 1:                                                                                    \
		REP(prefix, b);                                                                    \
		break;                                                                             \
	case 2:                                                                                    \
		REP(prefix, w);                                                                    \
		break;                                                                             \
	case 4:                                                                                    \
		REP(prefix, l);                                                                    \
		break;                                                                             \
	default:                                                                                   \
		REP(prefix, q);                                                                    \
	}

static void execute(struct state *s, enum op op, unsigned size)
{
	switch (op) {
	case MOVS:
		SIZES("rep", "movsb", "movsw", "movsl", "movsq");
		break;
	case STOS:
		SIZES("rep", "stosb", "stosw", "stosl", "stosq");
		break;
	case LODS:
		SIZES("rep", "lodsb", "lodsw", "lodsl", "lodsq");
		break;
	case CMPS:
		SIZES("repe", "cmpsb", "cmpsw", "cmpsl", "cmpsq");
		break;
	default:
		SIZES("repne", "scasb", "scasw", "scasl", "scasq");
	}
}

static u64 load(u64 address, unsigned size)
{
	u64 value = 0;

	memcpy(&value, model + (address - VA), size);
	return value;
}

/* The same on the model, element by element. */
static void simulate(struct state *s, enum op op, unsigned size)
{
	u64 step = s->flags & RFLAGS_DF ? -(u64)size : size, mask = size == 8 ? ~0UL : BIT64(8 * size) - 1;

	while (s->rcx) {
		u64 value;

		s->rcx--;
		switch (op) {
		case MOVS:
			value = load(s->rsi, size);
			memcpy(model + (s->rdi - VA), &value, size);
			break;
		case STOS:
			memcpy(model + (s->rdi - VA), &s->rax, size);
			break;
		case LODS:
			value = load(s->rsi, size);
			s->rax = size < 4 ? (s->rax & ~mask) | value : value;
			break;
		default:
			break;
		}
		value = load(s->rdi, size);
		if (op == CMPS || op == LODS || op == MOVS)
			s->rsi += step;
		if (op != LODS)
			s->rdi += step;
		if (op == CMPS && load(s->rsi - step, size) != value)
			break;
		if (op == SCAS && (s->rax & mask) == value)
			break;
	}
}

static void fill(void)
{
	unsigned i;
	u32 seed = 12345;

	for (i = 0; i < REGION; i++) {
		seed = seed * 1664525 + 1013904223;
		model[i] = i < REGION / 2 ? seed >> 24 : 0;
	}
	/* Equal runs for CMPS and a far match for SCAS. */
	memcpy(model + REGION / 2, model, REGION / 2);
	memcpy(start_image, model, REGION);
	memcpy(region, model, REGION);
}


/* Makes the page present and goes on. */
static void on_fault(struct trap_frame *f)
{
	u64 *entry = paging__entry(read_cr2(), 1);

	if (read_cr2() < VA || read_cr2() >= VA + REGION || (*entry & PTE_P))
		guest__die("page fault at %lx, CR2 %lx", f->rip, (u64)read_cr2());
	*entry |= PTE_P;
}

static void set_present(unsigned pages)
{
	unsigned i;

	for (i = 0; i < PAGES; i++) {
		u64 *entry = paging__entry(VA + 4096 * i, 1);

		*entry = (*entry & ~PTE_P) | (pages >> i & 1);
	}
	flush_tlb();
}

static bool try_one(enum op op, unsigned size, bool down, s64 src, s64 dst, unsigned n, bool absent)
{
	struct state real = {
		.rax = 0xa5b4c3d2e1f00f1e,
		.rcx = n,
		.rsi = VA + src,
		.rdi = VA + dst,
		.flags = RFLAGS_FIXED | RFLAGS_ZF | (down ? RFLAGS_DF : 0),
	};
	struct state want = real;

	set_present(15);
	fill();
	simulate(&want, op, size);
	if (absent)
		set_present(0);
	execute(&real, op, size);
	set_present(15);
	if (real.rax == want.rax && real.rcx == want.rcx && real.rsi == want.rsi &&
	    real.rdi == want.rdi && !memcmp(region, model, REGION))
		return true;
	console__print("  %s%u %s src %x dst %x n %u%s: rcx %lx/%lx rsi %lx/%lx rdi %lx/%lx%s\n",
		       op_name[op], size, down ? "down" : "up", (u32)src, (u32)dst, n,
		       absent ? " absent" : "", real.rcx, want.rcx, real.rsi, want.rsi, real.rdi,
		       want.rdi, memcmp(region, model, REGION) ? " memory" : "");
	return false;
}

static void check_model(void)
{
	/* Starts and lengths around the page ends, overlaps of less than an element and more. */
	static const struct {
		s64 src, dst;
		unsigned n;
	} place[] = {
		{ 64, 0x2040, 16 },	{ 0xffd, 0x2ffd, 40 },	{ 0xff0, 0xff1, 64 },
		{ 0xff1, 0xff0, 64 },	{ 0x800, 0x808, 700 },	{ 0x808, 0x800, 700 },
		{ 0x1000, 0x3000, 400 }, { 0xfff, 0x1003, 9 },	{ 0x10, 0x2010, 0 },
		{ 0x10, 0x2010, 1 },	{ 0x801, 0x2801, 600 },
	};
	enum op op;
	unsigned size, down, absent, i;

	for (op = 0; op < NR_OPS; op++) {
		for (size = 1; size <= 8; size *= 2) {
			for (down = 0; down < 2; down++) {
				unsigned bad = 0;

				for (i = 0; i < ARRAY_LENGTH(place); i++) {
					s64 src = place[i].src, dst = place[i].dst;
					unsigned n = place[i].n;

					/* Room downwards: start at the end of the run. */
					if (down) {
						src += (s64)n * size;
						dst += (s64)n * size;
					}
					if (MAX_OF(src, dst) + (s64)(n + 1) * size > REGION)
						n = (REGION - MAX_OF(src, dst)) / size;
					for (absent = 0; absent < 2; absent++)
						bad += !try_one(op, size, down, src, dst, n, absent);
				}
				check__equal(bad, 0, "REP %s of %u bytes, %s", op_name[op], size,
					     down ? "down" : "up");
			}
		}
	}
}

/* Registers and CR2 at a fault in the middle. */
static void check_fault_state(void)
{
	u64 end = VA + 2 * 4096, code;

	trap__handle(X86_PF, NULL);
	set_present(3);
	code = trap__code(TRY(__asm__ volatile(MARK "rep stosq"
					       : : "D"(end - 24), "c"(10), "a"(0) : "memory")));
	check__equal(code, TRAP(X86_PF, PFERR_WRITE), "REP STOSQ into an absent page");
	check__equal(trap()->frame.rcx, 7, "its RCX");
	check__equal(trap()->frame.rdi, end, "its RDI");
	check__equal(trap()->cr2, end, "its CR2");
	code = trap__code(TRY(__asm__ volatile("rep movsb"
					       : : "D"(VA), "S"(end - 100), "c"(200) : "memory")));
	check__equal(code, TRAP(X86_PF, 0), "REP MOVSB from an absent page");
	check__equal(trap()->frame.rcx, 100, "its RCX");
	check__equal(trap()->frame.rsi, end, "its RSI");
	check__equal(trap()->frame.rdi, VA + 100, "its RDI");
	code = trap__code(TRY(__asm__ volatile("rep movsl"
					       : : "D"(end - 10), "S"(VA), "c"(20) : "memory")));
	check__equal(code, TRAP(X86_PF, PFERR_WRITE), "REP MOVSL, element over the page end");
	check__equal(trap()->frame.rcx, 18, "its RCX");
	check__equal(trap()->cr2, end, "its CR2");
	check__equal(trap()->frame.rdi, end - 2, "its RDI");
	set_present(12);
	code = trap__code(TRY(__asm__ volatile("std; rep stosw"
					       : : "D"(end + 8), "c"(20), "a"(0) : "memory")));
	__asm__ volatile("cld");
	check__equal(code, TRAP(X86_PF, PFERR_WRITE), "REP STOSW downwards into an absent page");
	check__equal(trap()->frame.rcx, 15, "its RCX");
	check__equal(trap()->frame.rdi, end - 2, "its RDI");
	check__equal(trap()->frame.rflags & RFLAGS_DF, RFLAGS_DF, "its DF");
	set_present(0);
	check__equal(TRY(__asm__ volatile("rep movsb; rep stosq; repe cmpsw; repne scasl; rep lodsb"
					  : : "D"(VA), "S"(VA), "c"(0) : "memory")),
		     NO_TRAP, "count 0 touches nothing");
	set_present(15);
	*paging__entry(end, 1) &= ~PTE_W;
	flush_tlb();
	code = trap__code(TRY(__asm__ volatile("rep movsb"
					       : : "D"(end - 5), "S"(VA), "c"(50) : "memory")));
	check__equal(code, TRAP(X86_PF, PFERR_PRESENT | PFERR_WRITE),
		     "REP MOVSB into a read-only page");
	check__equal(trap()->frame.rcx, 45, "its RCX");
	*paging__entry(end, 1) |= PTE_W;
	flush_tlb();
}

static void check_address_size(void)
{
	u64 rcx = 0xffffffff00000003, rdi = 0xffffffff00000000 | VA, rsi = 0x7700000000 | (VA + 64);

	__asm__ volatile("addr32 rep movsb" : "+c"(rcx), "+D"(rdi), "+S"(rsi) : : "memory");
	check__equal(rcx, 0, "32-bit addresses: RCX");
	check__equal(rdi, VA + 3, "32-bit addresses: RDI");
	check__equal(rsi, VA + 67, "32-bit addresses: RSI");
	check__equal(memcmp(region, region + 64, 3), 0, "32-bit addresses: bytes");
	rcx = 0x500000000;
	rdi = 0;
	check__equal(TRY(__asm__ volatile("addr32 rep stosb" : "+c"(rcx), "+D"(rdi) : : "memory")),
		     NO_TRAP, "32-bit count of 0");
	/* REPE CMPS and REPNE SCAS with count 0 leave the flags alone. */
	{
		u64 flags;

		__asm__ volatile("xor %%ecx, %%ecx; stc; repne scasb; pushf; pop %0"
				 : "=r"(flags) : "D"(VA), "a"(0) : "rcx", "cc");
		check__equal(flags & (RFLAGS_CF | RFLAGS_ZF), RFLAGS_CF | RFLAGS_ZF,
			     "flags after REPNE SCASB of nothing");
		__asm__ volatile("lodsb; cmpsb; pushf; pop %0"
				 : "=r"(flags) : "D"(VA), "S"(VA) : "rax", "cc");
	}
	/* The segment override is the source's; FS base counts, ES has none in 64-bit code. */
	wrmsr(MSR_FS_BASE, VA);
	region[100] = 0x5c;
	rsi = 100;
	__asm__ volatile("lodsb %%fs:(%%rsi), %%al" : "+S"(rsi), "=a"(rcx));
	check__equal(rcx & 0xff, 0x5c, "LODSB with FS");
	wrmsr(MSR_FS_BASE, 0);
}

int main(void)
{
	unsigned i;

	/* The frames behind it run the other way. */
	u8 *frames = page__alloc_aligned(REGION);

	for (i = 0; i < PAGES; i++)
		paging__map(VA + 4096 * i, (u64)frames + 4096 * (PAGES - 1 - i), 1, PTE_P | PTE_W);
	trap__handle(X86_PF, on_fault);
	check_model();
	check_fault_state();
	check_address_size();
	return 0;
}
