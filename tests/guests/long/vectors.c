/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87, SSE and AVX state: saved and restored, switched lazily, kept over whatever happens between
 * two instructions; the enable bits; exceptions (SDM vol. 1, 8, 11, 13; vol. 3, 2.5, 13).
 */
#include "tests/guests/lib/long/irq.h"
#include "tests/guests/lib/long/mark.h"

#define AREA_SIZE 4096

static u8 area[2][AREA_SIZE] __attribute__((aligned(64)));
static u8 spare[AREA_SIZE] __attribute__((aligned(64)));
static bool has_xsave, has_avx;

static u64 seed = 88172645463325252;

static u64 random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static u32 stmxcsr(void)
{
	u32 value;

	__asm__ volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static void ldmxcsr(u32 value)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static void fxsave(void *to)
{
	__asm__ volatile("fxsave64 (%0)" : : "r"(to) : "memory");
}

static void fxrstor(const void *from)
{
	__asm__ volatile("fxrstor64 (%0)" : : "r"(from) : "memory");
}

static u64 xgetbv(u32 index)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
	return lo | (u64)hi << 32;
}

static void xsetbv(u32 index, u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static void xsave(void *to, u64 mask)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(to), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
}

static void xrstor(const void *from, u64 mask)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(from), "a"((u32)mask), "d"((u32)(mask >> 32))
			 : "memory");
}

/* A legacy image with all registers random; the x87 ones are valid numbers. */
static void random_image(u8 *image)
{
	unsigned i;

	memset(image, 0, AREA_SIZE);
	*(u16 *)image = 0x37f;
	*(u16 *)(image + 2) = random() & 7 ? 0x3000 : 0; /* TOP */
	image[4] = 0xff;
	*(u32 *)(image + 24) = 0x1f80 | (random() & 0x6000);
	for (i = 0; i < 8; i++) {
		*(u64 *)(image + 32 + 16 * i) = random() | BIT64(63);
		*(u16 *)(image + 40 + 16 * i) = 0x3fff + (random() & 0x80ff) % 0x8100;
	}
	for (i = 0; i < 32; i++)
		*(u64 *)(image + 160 + 8 * i) = random();
}

/* What must be the same; not the instruction and data pointers, which differ by processor. */
static bool same_image(const u8 *a, const u8 *b)
{
	unsigned i;

	if (memcmp(a, b, 5) || memcmp(a + 24, b + 24, 4) || memcmp(a + 160, b + 160, 256))
		return false;
	for (i = 0; i < 8; i++)
		if (memcmp(a + 32 + 16 * i, b + 32 + 16 * i, 10))
			return false;
	return true;
}

static void check_fxsave(void)
{
	unsigned i, wrong = 0;
	u32 mask;

	__asm__ volatile("fninit");
	ldmxcsr(0x1f80);
	memset(area[0], 0x5a, AREA_SIZE);
	fxsave(area[0]);
	check__equal(*(u16 *)area[0], 0x37f, "FXSAVE after FNINIT: control word");
	check__equal(*(u16 *)(area[0] + 2), 0, "FXSAVE after FNINIT: status word");
	check__equal(area[0][4], 0, "FXSAVE after FNINIT: tag byte");
	check__equal(area[0][5], 0, "FXSAVE after FNINIT: reserved byte");
	check__equal(*(u32 *)(area[0] + 24), 0x1f80, "FXSAVE: MXCSR");
	mask = *(u32 *)(area[0] + 28);
	check__equal(mask & 0xffbf, 0xffbf, "FXSAVE: MXCSR mask has the basic bits");
	check__equal(area[0][511], 0x5a, "FXSAVE leaves the last 48 bytes alone");
	__asm__ volatile("fld1; fldpi");
	fxsave(area[0]);
	check__equal(area[0][4], 0xc0, "tag byte of two values");
	check__equal(*(u16 *)(area[0] + 2) >> 11 & 7, 6, "TOP of two values");
	check__equal(*(u64 *)(area[0] + 32), 0xc90fdaa22168c235, "ST0 stands first");
	check__equal(*(u16 *)(area[0] + 56), 0x3fff, "exponent of ST1");
	for (i = 0; i < 50; i++) {
		random_image(area[0]);
		fxrstor(area[0]);
		fxsave(area[1]);
		wrong += !same_image(area[0], area[1]);
	}
	check__equal(wrong, 0, "FXRSTOR and FXSAVE: the same");
	check__equal(trap__code(TRY(fxsave(area[0] + 8))), TRAP(X86_GP, 0), "FXSAVE misaligned");
	check__equal(trap__code(TRY(fxrstor(area[0] + 8))), TRAP(X86_GP, 0), "FXRSTOR misaligned");
	for (i = 16; i < 32; i += 15) {
		*(u32 *)(area[0] + 24) = BIT64(i);
		check__equal(trap__code(TRY(fxrstor(area[0]))), TRAP(X86_GP, 0),
			     "FXRSTOR, reserved MXCSR bit %u", i);
		check__equal(trap__code(TRY(ldmxcsr(BIT64(i)))), TRAP(X86_GP, 0),
			     "LDMXCSR, reserved bit %u", i);
	}
	fxsave(area[0]);
	check__true(same_image(area[0], area[1]), "refused images change nothing");
	/* MMX registers are the x87 ones; EMMS empties them. */
	__asm__ volatile("fninit; movq %0, %%mm3" : : "r"(0x1122334455667788));
	fxsave(area[0]);
	check__equal(*(u64 *)(area[0] + 32 + 48), 0x1122334455667788, "MMX write: bits");
	check__equal(*(u16 *)(area[0] + 32 + 56), 0xffff, "MMX write: exponent all ones");
	check__equal(area[0][4], 0xff, "MMX write: all tags valid");
	__asm__ volatile("emms");
	fxsave(area[0]);
	check__equal(area[0][4], 0, "EMMS: all tags empty");
	ldmxcsr(0x1f80);
}

/* ---- XSAVE ---- */

static void check_xcr0(void)
{
	u64 all;
	struct cpuid leaf;

	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	check__true(!cpu__has(1, 0, 2, 27), "CPUID.OSXSAVE clear");
	check__equal(TRY(xgetbv(0)), X86_UD, "XGETBV without OSXSAVE");
	check__equal(TRY(xsetbv(0, 1)), X86_UD, "XSETBV without OSXSAVE");
	check__equal(TRY(xsave(area[0], 1)), X86_UD, "XSAVE without OSXSAVE");
	check__equal(TRY(xrstor(area[0], 1)), X86_UD, "XRSTOR without OSXSAVE");
	if (has_avx)
		check__equal(TRY(__asm__ volatile("vpxor %xmm0, %xmm0, %xmm0")), X86_UD,
			     "AVX without OSXSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	check__true(cpu__has(1, 0, 2, 27), "CPUID.OSXSAVE set");
	check__equal(xgetbv(0), 1, "XCR0 after reset");
	leaf = cpuid(0xd, 0);
	all = leaf.eax | (u64)leaf.edx << 32;
	check__equal(leaf.ebx, 576, "CPUID 0DH: size for x87 alone");
	check__equal(trap__code(TRY(xsetbv(0, 0))), TRAP(X86_GP, 0), "XCR0 without x87");
	check__equal(trap__code(TRY(xsetbv(0, 2))), TRAP(X86_GP, 0), "XCR0: SSE without x87");
	check__equal(trap__code(TRY(xsetbv(0, 5))), TRAP(X86_GP, 0), "XCR0: AVX without SSE");
	check__equal(trap__code(TRY(xsetbv(0, BIT64(63) | 3))), TRAP(X86_GP, 0), "XCR0: bit 63");
	check__equal(trap__code(TRY(xsetbv(0, BIT64(62) | 3))), TRAP(X86_GP, 0), "XCR0: bit 62");
	check__equal(trap__code(TRY(xsetbv(0, (all ^ BIT64(3)) | 3))),
		     all & BIT64(4) || !(all & BIT64(3)) ? TRAP(X86_GP, 0) : TRAP(NO_TRAP, 0),
		     "XCR0: half of MPX");
	check__equal(trap__code(TRY(xsetbv(1, 1))), TRAP(X86_GP, 0), "XCR1");
	check__equal(trap__code(TRY(xgetbv(7))), TRAP(X86_GP, 0), "XCR7");
	check__equal(TRY(xsetbv(0, 3)), NO_TRAP, "XCR0: x87 and SSE");
	check__equal(xgetbv(0), 3, "XCR0 reads back");
	if (!has_avx)
		return;
	check__equal(TRY(__asm__ volatile("vpxor %xmm0, %xmm0, %xmm0")), X86_UD,
		     "AVX without its XCR0 bit");
	check__equal(TRY(xsetbv(0, 7)), NO_TRAP, "XCR0: AVX too");
	check__equal(TRY(__asm__ volatile("vpxor %xmm0, %xmm0, %xmm0")), NO_TRAP, "AVX");
	check__equal(cpuid(0xd, 0).ebx, 832, "CPUID 0DH: size with AVX");
	check__equal(cpuid(0xd, 2).eax, 256, "CPUID 0DH: AVX size");
	check__equal(cpuid(0xd, 2).ebx, 576, "CPUID 0DH: AVX offset");
}

static void user_xsetbv(u64 arg)
{
	xsetbv(0, arg);
}

static void user_xgetbv(u64 arg)
{
	xgetbv(0);
}

#define HEADER_BV(image) (*(u64 *)((image) + 512))
#define HEADER_COMPACT(image) (*(u64 *)((image) + 520))

static void check_xsave(void)
{
	u64 mask = has_avx ? 7 : 3;
	unsigned i, wrong = 0;

	check__equal(trap__code(user__call(user_xsetbv, mask)), TRAP(X86_GP, 0), "XSETBV at CPL 3");
	check__equal(trap__code(user__call(user_xgetbv, 0)), TRAP(NO_TRAP, 0), "XGETBV at CPL 3");
	for (i = 0; i < 50; i++) {
		unsigned j;

		random_image(area[0]);
		for (j = 576; j < 832; j += 8)
			*(u64 *)(area[0] + j) = random();
		HEADER_BV(area[0]) = mask;
		xrstor(area[0], mask);
		memset(area[1], 0x33, AREA_SIZE);
		memset(area[1] + 512, 0, 64);
		xsave(area[1], mask);
		wrong += !same_image(area[0], area[1]) || HEADER_BV(area[1]) != mask ||
			 (has_avx && memcmp(area[0] + 576, area[1] + 576, 256)) ||
			 area[1][416] != 0x33 || area[1][832] != 0x33;
	}
	check__equal(wrong, 0, "XRSTOR and XSAVE: the same");

	memset(area[1], 0x33, AREA_SIZE);
	memset(area[1] + 512, 0, 64);
	HEADER_BV(area[1]) = 1;
	xsave(area[1], 2);
	check__equal(area[1][0] << 8 | area[1][32], 0x3333, "XSAVE of SSE alone leaves x87 alone");
	check__true(!memcmp(area[0] + 24, area[1] + 24, 4) &&
		    !memcmp(area[0] + 160, area[1] + 160, 256), "XSAVE of SSE alone: SSE");
	check__equal(HEADER_BV(area[1]), 3, "XSAVE of SSE alone keeps the other bits of XSTATE_BV");

	/* Initial state for what XSTATE_BV leaves out; MXCSR comes from memory even so. */
	memcpy(area[1], area[0], AREA_SIZE);
	HEADER_BV(area[1]) = 1;
	*(u32 *)(area[1] + 24) = 0x1fc0;
	xrstor(area[1], mask);
	memset(spare, 0x33, AREA_SIZE);
	memset(spare + 512, 0, 64);
	fxsave(spare);
	for (i = wrong = 0; i < 256; i++)
		wrong += spare[160 + i] != 0;
	check__equal(wrong, 0, "XRSTOR without SSE in XSTATE_BV: zero");
	check__equal(*(u32 *)(spare + 24), 0x1fc0, "XRSTOR without SSE in XSTATE_BV: MXCSR of memory");
	check__true(!memcmp(spare + 32, area[0] + 32, 10), "XRSTOR with x87 in XSTATE_BV");
	HEADER_BV(area[1]) = 0;
	xrstor(area[1], 1);
	fxsave(spare);
	check__true(*(u16 *)spare == 0x37f && !spare[4], "XRSTOR of initial x87 state");

	HEADER_BV(area[1]) = mask;
	*(u32 *)(area[1] + 24) = 0x10000;
	check__equal(trap__code(TRY(xrstor(area[1], mask))), TRAP(X86_GP, 0),
		     "XRSTOR, reserved MXCSR bit");
	check__equal(trap__code(TRY(xrstor(area[1], 1))), TRAP(NO_TRAP, 0),
		     "XRSTOR of x87 alone does not look at MXCSR");
	*(u32 *)(area[1] + 24) = 0x1f80;
	HEADER_BV(area[1]) = mask | BIT64(62);
	check__equal(trap__code(TRY(xrstor(area[1], 1))), TRAP(X86_GP, 0),
		     "XRSTOR, XSTATE_BV outside XCR0");
	HEADER_BV(area[1]) = mask;
	HEADER_COMPACT(area[1]) = 1;
	check__equal(trap__code(TRY(xrstor(area[1], 1))), TRAP(X86_GP, 0), "XRSTOR, XCOMP_BV 1");
	HEADER_COMPACT(area[1]) = 0;
	area[1][528] = 1;
	check__equal(trap__code(TRY(xrstor(area[1], 1))), TRAP(X86_GP, 0),
		     "XRSTOR, reserved header byte");
	area[1][528] = 0;
	check__equal(trap__code(TRY(xrstor(area[1] + 32, 1))), TRAP(X86_GP, 0), "XRSTOR misaligned");
	check__equal(trap__code(TRY(xsave(area[1] + 32, 1))), TRAP(X86_GP, 0), "XSAVE misaligned");
	check__equal(TRY(xrstor(area[1], ~0ULL)), NO_TRAP, "XRSTOR: mask bits outside XCR0");
}

static void check_xsavec(void)
{
	u64 mask = has_avx ? 7 : 3;
	unsigned i;

	if (!cpu__has(0xd, 1, 0, 1)) {
		check__skip("not in CPUID", "XSAVEC");
		return;
	}
	random_image(area[0]);
	for (i = 576; i < 832; i += 8)
		*(u64 *)(area[0] + i) = random();
	HEADER_BV(area[0]) = mask;
	xrstor(area[0], mask);
	memset(area[1], 0x33, AREA_SIZE);
	memset(area[1] + 512, 0, 64); /* XSAVEC writes the first 16 bytes only */
	__asm__ volatile("xsavec64 (%0)" : : "r"(area[1]), "a"((u32)mask), "d"(0) : "memory");
	check__equal(HEADER_COMPACT(area[1]), BIT64(63) | mask, "XSAVEC: XCOMP_BV");
	check__equal(HEADER_BV(area[1]), mask, "XSAVEC: XSTATE_BV");
	check__true(same_image(area[0], area[1]), "XSAVEC: legacy part");
	if (has_avx)
		check__true(!memcmp(area[0] + 576, area[1] + 576, 256), "XSAVEC: AVX part");
	HEADER_BV(area[0]) = 0;
	xrstor(area[0], mask);
	xrstor(area[1], mask);
	memset(spare, 0, AREA_SIZE);
	xsave(spare, mask);
	check__true(same_image(area[0], spare), "XRSTOR of the compact form");
	if (has_avx)
		check__true(!memcmp(area[0] + 576, spare + 576, 256), "XRSTOR of compact AVX");
	HEADER_BV(area[1]) = 7;
	HEADER_COMPACT(area[1]) = BIT64(63) | 3;
	check__equal(trap__code(TRY(xrstor(area[1], mask))), TRAP(X86_GP, 0),
		     "XRSTOR, XSTATE_BV outside XCOMP_BV");
	if (cpu__has(0xd, 1, 0, 3)) {
		HEADER_COMPACT(area[1]) = 0;
		HEADER_BV(area[1]) = 3;
		check__equal(trap__code(TRY(__asm__ volatile("xrstors64 (%0)"
							     : : "r"(area[1]), "a"(3), "d"(0)))),
			     TRAP(X86_GP, 0), "XRSTORS of the standard form");
	}
}

static void check_upper_halves(void)
{
	u64 got[4], a[4] = { 1, 2, 3, 4 }, b[4] = { 5, 6, 7, 8 };

	if (!has_avx)
		return;
	__asm__ volatile("vmovups (%0), %%ymm1; vmovups (%1), %%ymm2; paddq %%xmm1, %%xmm2;"
			 "vmovups %%ymm2, (%2)" : : "r"(a), "r"(b), "r"(got) : "memory");
	check__true(got[0] == 6 && got[1] == 8 && got[2] == 7 && got[3] == 8,
		    "SSE keeps the upper half");
	__asm__ volatile("vmovups (%0), %%ymm1; vmovups (%1), %%ymm2; vpaddq %%xmm1, %%xmm2, %%xmm2;"
			 "vmovups %%ymm2, (%2)" : : "r"(a), "r"(b), "r"(got) : "memory");
	check__true(got[0] == 6 && got[1] == 8 && !got[2] && !got[3], "VEX clears the upper half");
	__asm__ volatile("vmovups (%0), %%ymm1; vzeroupper; vmovups %%ymm1, (%1)"
			 : : "r"(a), "r"(got) : "memory");
	check__true(got[0] == 1 && got[1] == 2 && !got[2] && !got[3], "VZEROUPPER");
}

/* ---- enable bits ---- */

#define CR0_MP_ 2UL
#define CR0_EM_ 4UL
#define CR0_TS_ 8UL

static void check_enables(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	write_cr0(cr0 | CR0_TS_);
	EXPECT("fninit", TRAP(X86_NM, 0), 0, "TS: FNINIT");
	EXPECT("paddq %%xmm0, %%xmm1", TRAP(X86_NM, 0), 0, "TS: SSE");
	EXPECT("paddq %%mm0, %%mm1", TRAP(X86_NM, 0), 0, "TS: MMX");
	if (has_avx)
		EXPECT("vpaddq %%xmm0, %%xmm0, %%xmm1", TRAP(X86_NM, 0), 0, "TS: AVX");
	EXPECT("fwait", TRAP(X86_NM, 0), 0, "TS and MP: FWAIT");
	EXPECT("fxsave64 area(%%rip)", TRAP(X86_NM, 0), 0, "TS: FXSAVE");
	EXPECT("stmxcsr area(%%rip)", TRAP(X86_NM, 0), 0, "TS: STMXCSR");
	if (has_xsave)
		EXPECT("xor %%edx, %%edx; xsave64 area(%%rip)", TRAP(X86_NM, 0), 2, "TS: XSAVE");
	EXPECT_NONE("sfence; mfence; lfence; prefetchnta area(%%rip); movnti %%ecx, area(%%rip)",
		    "TS: fences, prefetch, MOVNTI");
	write_cr0((cr0 | CR0_TS_) & ~CR0_MP_);
	EXPECT_NONE("fwait", "TS without MP: FWAIT");
	__asm__ volatile("clts");
	check__equal(read_cr0() & CR0_TS_, 0, "CLTS");
	write_cr0(cr0 | CR0_EM_);
	EXPECT("fninit", TRAP(X86_NM, 0), 0, "EM: FNINIT");
	EXPECT("paddq %%xmm0, %%xmm1", TRAP(X86_UD, 0), 0, "EM: SSE");
	EXPECT("paddq %%mm0, %%mm1", TRAP(X86_UD, 0), 0, "EM: MMX");
	write_cr0(cr0);
	write_cr4(cr4 & ~CR4_OSFXSR);
	EXPECT("paddq %%xmm0, %%xmm1", TRAP(X86_UD, 0), 0, "without OSFXSR: SSE");
	EXPECT("ldmxcsr area(%%rip)", TRAP(X86_UD, 0), 0, "without OSFXSR: LDMXCSR");
	EXPECT_NONE("paddq %%mm0, %%mm1; emms", "without OSFXSR: MMX");
	write_cr4(cr4);
}

/* ---- lazy switching ---- */

static u8 contexts[3][512] __attribute__((aligned(64)));
static unsigned owner, current, lazy_switches;

static void on_no_device(struct trap_frame *f)
{
	__asm__ volatile("clts");
	lazy_switches++;
	if (owner != current) {
		fxsave(contexts[owner]);
		fxrstor(contexts[current]);
		owner = current;
	}
}

static void switch_to(unsigned context)
{
	current = context;
	write_cr0(read_cr0() | CR0_TS_);
}

static void check_lazy(void)
{
	static const u64 step[3] = { 1, 1000, 1000000 };
	u64 uses[3] = { 0, 0, 0 }, want = 0, i, sum, c;
	u64 whole;

	__asm__ volatile("fninit; fldz; pxor %xmm0, %xmm0");
	for (c = 0; c < 3; c++)
		fxsave(contexts[c]);
	owner = current = 0;
	trap__handle(X86_NM, on_no_device);
	for (i = 0; i < 600; i++) {
		unsigned next = random() % 3;

		switch_to(next);
		/* Some time slices use no vector register, some use them twice. */
		if (random() % 4 == 0)
			continue;
		want++;
		for (c = 0; c <= random() % 2; c++) {
			__asm__ volatile("movq %0, %%xmm1; paddq %%xmm1, %%xmm0; fild%z1 %1; faddp"
					 : : "r"(step[next]), "m"(step[next]) : "memory");
			uses[next]++;
		}
	}
	check__equal(lazy_switches, want, "lazy switching: one #NM per time slice with vectors");
	for (c = 0; c < 3; c++) {
		switch_to(c);
		__asm__ volatile("movq %%xmm0, %0" : "=r"(sum));
		__asm__ volatile("fistp%z0 %0" : "=m"(whole));
		check__equal(sum, uses[c] * step[c], "lazy switching: XMM0 of context %u", (unsigned)c);
		check__equal(whole, uses[c] * step[c], "lazy switching: ST0 of context %u", (unsigned)c);
	}
	trap__handle(X86_NM, NULL);
	__asm__ volatile("clts; fninit");
}

/* ---- exceptions ---- */

struct sse_case {
	const char *name;
	u32 flag;
	u64 a, b;
	bool multiply;
};

static const struct sse_case sse_cases[] = {
	{ "invalid", 1, 0x7ff0000000000001, 0x3ff0000000000000, true },
	{ "denormal", 2, 1, 0x3ff0000000000000, true },
	{ "divide by zero", 4, 0x3ff0000000000000, 0, false },
	{ "overflow", 8, 0x7fefffffffffffff, 0x4000000000000000, true },
	{ "underflow", 16, 0x0010000000000001, 0x3fe0000000000000, true },
	{ "precision", 32, 0x3ff0000000000000, 0x4008000000000000, false },
};

static void load_operands(const struct sse_case *c, u32 mxcsr)
{
	__asm__ volatile("movq %0, %%xmm0; movq %1, %%xmm1; ldmxcsr %2"
			 : : "r"(c->a), "r"(c->b), "m"(mxcsr));
}

static unsigned compute(const struct sse_case *c)
{
	unsigned vector;

	if (c->multiply)
		vector = TRY(__asm__ volatile(MARK "mulsd %%xmm1, %%xmm0" : : : MARK_CLOBBERS));
	else
		vector = TRY(__asm__ volatile(MARK "divsd %%xmm1, %%xmm0" : : : MARK_CLOBBERS));
	return vector;
}

static void check_sse_exceptions(void)
{
	u64 cr4 = read_cr4(), low;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(sse_cases); i++) {
		const struct sse_case *c = &sse_cases[i];
		u32 unmasked = 0x1f80 & ~(c->flag << 7);

		load_operands(c, 0x1f80);
		check__equal(compute(c), NO_TRAP, "SSE %s, masked", c->name);
		check__true(stmxcsr() & c->flag, "SSE %s, masked: flag", c->name);
		load_operands(c, unmasked);
		check__equal(trap__code(compute(c)), TRAP(X86_XM, 0), "SSE %s", c->name);
		check__equal(trap()->frame.rip, mark, "SSE %s: RIP", c->name);
		check__true(stmxcsr() & c->flag, "SSE %s: flag", c->name);
		__asm__ volatile("movq %%xmm0, %0" : "=r"(low));
		check__equal(low, c->a, "SSE %s: operand unchanged", c->name);
		/* The flags are sticky and raise nothing by themselves. */
		check__equal(TRY(__asm__ volatile("xorps %xmm2, %xmm2; addsd %xmm2, %xmm2")), NO_TRAP,
			     "SSE %s: old flag raises nothing", c->name);
		load_operands(c, unmasked);
		write_cr4(cr4 & ~CR4_OSXMMEXCPT);
		check__equal(trap__code(compute(c)), TRAP(X86_UD, 0), "SSE %s without OSXMMEXCPT",
			     c->name);
		write_cr4(cr4);
	}
	if (has_avx) {
		u64 a[4] = { 0x3ff0000000000000, 0x3ff0000000000000, 0x3ff0000000000000, 0 };
		u64 b[4] = { 0x3ff0000000000000, 0x3ff0000000000000, 0, 0x3ff0000000000000 }, got[4];

		ldmxcsr(0x1d80);
		check__equal(TRY(__asm__ volatile("vmovups (%0), %%ymm3; vmovups (%1), %%ymm4;"
						  "vdivpd %%ymm4, %%ymm3, %%ymm3"
						  : : "r"(a), "r"(b) : "memory")),
			     X86_XM, "VDIVPD by zero in the upper half");
		__asm__ volatile("vmovups %%ymm3, (%0)" : : "r"(got) : "memory");
		check__true(!memcmp(a, got, 32), "VDIVPD by zero: register unchanged");
	}
	/* Integer conversion, comparison: no vector result, but the exception all the same. */
	ldmxcsr(0x1f00);
	low = 0x43f0000000000000;
	check__equal(TRY(__asm__ volatile("movq %0, %%xmm0; cvttsd2si %%xmm0, %%rax"
					  : : "r"(low) : "rax")), X86_XM, "CVTTSD2SI of 2^64");
	ldmxcsr(0x1f00);
	low = 0x7ff8000000000000;
	check__equal(TRY(__asm__ volatile("movq %0, %%xmm0; ucomisd %%xmm0, %%xmm0"
					  : : "r"(low) : "cc")), NO_TRAP, "UCOMISD of a quiet NaN");
	check__equal(TRY(__asm__ volatile("movq %0, %%xmm0; comisd %%xmm0, %%xmm0"
					  : : "r"(low) : "cc")), X86_XM, "COMISD of a quiet NaN");
	ldmxcsr(0x1f80);
	__asm__ volatile("movq %0, %%xmm0; cvttsd2si %%xmm0, %0" : "+r"(low));
	check__equal(low, BIT64(63), "CVTTSD2SI, masked: the indefinite integer");
	ldmxcsr(0x1f80);
}

static u16 fnstsw(void)
{
	u16 status;

	__asm__ volatile("fnstsw %0" : "=a"(status));
	return status;
}

/* Leaves a divide by zero pending. */
static void make_pending(void)
{
	u16 control = 0x37b;

	__asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
}

static void check_x87_exceptions(void)
{
	check__equal(TRY(make_pending()), NO_TRAP, "x87: the culprit itself goes through");
	check__equal(fnstsw() & 0x8084, 0x8084, "x87: ZE, ES and B");
	EXPECT("fwait", TRAP(X86_MF, 0), 0, "x87: FWAIT");
	EXPECT("fld1", TRAP(X86_MF, 0), 0, "x87: FLD1");
	EXPECT("paddq %%mm0, %%mm1", TRAP(X86_MF, 0), 0, "x87: MMX");
	EXPECT("emms", TRAP(X86_MF, 0), 0, "x87: EMMS");
	EXPECT_NONE("fnstcw area(%%rip); fnstsw area(%%rip); paddq %%xmm0, %%xmm1;"
		    "fxsave64 area(%%rip)", "x87: no waiting, no #MF");
	check__equal(trap__code(TRY(__asm__ volatile("fstcw area(%rip)"))), TRAP(X86_MF, 0),
		     "x87: FSTCW waits");
	/* The exception travels with the state. */
	fxsave(area[0]);
	__asm__ volatile("fninit; fwait");
	fxrstor(area[0]);
	EXPECT("fwait", TRAP(X86_MF, 0), 0, "x87: after FXRSTOR");
	EXPECT_NONE("fnclex; fwait; fld1", "x87: FNCLEX clears it");
	/* Masked now: nothing; unmasked by FLDCW: pending at once. */
	__asm__ volatile("fninit; fld1; fldz; fdivrp; fwait");
	check__equal(fnstsw() & 0x8084, 4, "x87 masked: ZE alone");
	{
		u16 control = 0x37b;

		__asm__ volatile("fldcw %0" : : "m"(control));
	}
	EXPECT("fwait", TRAP(X86_MF, 0), 0, "x87: unmasked afterwards");
	__asm__ volatile("fninit");
	/* Stack fault: invalid with SF; C1 tells the direction. */
	__asm__ volatile("fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1");
	check__equal(fnstsw() & 0x241, 0x241, "x87: stack overflow");
	__asm__ volatile("fninit; fstp %st(0)");
	check__equal(fnstsw() & 0x241, 0x41, "x87: stack underflow");
	__asm__ volatile("fninit");
	/* #NM goes before #MF. */
	make_pending();
	write_cr0(read_cr0() | CR0_TS_);
	EXPECT("fwait", TRAP(X86_NM, 0), 0, "x87: #NM before #MF");
	__asm__ volatile("clts; fninit");
}

/* ---- nothing in between may touch the registers ---- */

#define TIMER_VECTOR 0x45
#define LAZY_VA 0x20000000000UL

static volatile u32 ticks;

static void on_tick(struct trap_frame *f)
{
	ticks++;
	apic__eoi();
}

static void on_fault(struct trap_frame *f)
{
	paging__map(read_cr2() & PAGE_MASK_4K, (u64)spare, 1, PTE_P | PTE_W);
}

static void do_ports(void)
{
	u64 count = 20, from = (u64)spare;

	out8(0x80, in8(0x61));
	out8(0x70, 0x0a);
	in8(0x71);
	pit__count(0);
	__asm__ volatile("rep outsb" : "+c"(count), "+S"(from) : "d"(0x80) : "memory");
}

static void do_text(void)
{
	console__print("  text while the vector registers are in use\n");
}

static void do_queries(void)
{
	cpuid(0, 0);
	cpuid(0xd, 1);
	rdmsr(MSR_APIC_BASE);
	wrmsr(0xc0000102, 0x1234);
	rdtsc();
}

static void do_controllers(void)
{
	apic__write(APIC_TPR, 0x10);
	apic__write(APIC_TPR, 0);
	ioapic__route(9, IOAPIC_MASKED);
	ioapic__entry(9);
}

static void do_memory(void)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		*paging__entry(LAZY_VA + i * PAGE_SIZE_4K, 1) = 0;
		invlpg((void *)(LAZY_VA + i * PAGE_SIZE_4K));
		*(volatile u32 *)(LAZY_VA + i * PAGE_SIZE_4K) = i;
	}
	flush_tlb();
	__asm__ volatile("lock incq %0" : "+m"(*(u64 *)(LAZY_VA + PAGE_SIZE_4K - 4)));
}

static void do_interrupts(void)
{
	u32 before = ticks;

	apic__write(APIC_LVT_TIMER, TIMER_VECTOR);
	apic__write(APIC_TIMER_INITIAL, 20000);
	while (ticks == before)
		__asm__ volatile("sti; nop; cli" : : : "memory");
	apic__write(APIC_TIMER_INITIAL, 200000);
	while (ticks == before + 1)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	apic__ipi(0, ICR_SELF | ICR_ASSERT | TIMER_VECTOR);
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

static void do_self_modification(void)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		__asm__ volatile("movl %0, 1f+1(%%rip); 1: mov $0, %%eax" : : "r"(i) : "rax", "memory");
}

static const struct {
	const char *name;
	void (*fn)(void);
} events[] = {
	{ "ports", do_ports },
	{ "text", do_text },
	{ "CPUID and MSRs", do_queries },
	{ "interrupt controllers", do_controllers },
	{ "page faults and TLB flushes", do_memory },
	{ "interrupts and HLT", do_interrupts },
	{ "code that changes", do_self_modification },
};

static void check_kept(void)
{
	u64 mask = has_avx ? 7 : 3;
	unsigned i, j, round, wrong;

	trap__handle(TIMER_VECTOR, on_tick);
	trap__handle(X86_PF, on_fault);
	apic__enable();
	apic__write(APIC_TIMER_DIVIDE, 0xb);
	for (i = 0; i < ARRAY_LENGTH(events); i++) {
		for (round = wrong = 0; round < 5; round++) {
			random_image(area[0]);
			for (j = 576; j < 832; j += 8)
				*(u64 *)(area[0] + j) = random();
			HEADER_BV(area[0]) = mask;
			if (has_xsave)
				xrstor(area[0], mask);
			else
				fxrstor(area[0]);
			events[i].fn();
			memset(area[1] + 512, 0, 64);
			if (has_xsave)
				xsave(area[1], mask);
			else
				fxsave(area[1]);
			wrong += !same_image(area[0], area[1]) ||
				 (has_avx && memcmp(area[0] + 576, area[1] + 576, 256));
		}
		check__equal(wrong, 0, "registers kept over %s", events[i].name);
	}
	trap__handle(X86_PF, NULL);
	__asm__ volatile("fninit");
	ldmxcsr(0x1f80);
}

int main(void)
{
	has_xsave = cpu__has(1, 0, 2, 26);
	has_avx = has_xsave && cpu__has(1, 0, 2, 28);
	check_fxsave();
	if (has_xsave) {
		check_xcr0();
		check_xsave();
		check_xsavec();
	} else {
		check__skip("not in CPUID", "XSAVE");
	}
	check_upper_halves();
	check_enables();
	check_lazy();
	check_sse_exceptions();
	check_x87_exceptions();
	check_kept();
	return 0;
}
