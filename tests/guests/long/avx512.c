/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX-512: what enables it; elements that are masked off at the end of memory; gathers and scatters that
 * a fault interrupts; its state components (SDM vol. 1, 13, 15; vol. 2, 2.7, 2.8).
 */
#include "tests/guests/lib/long/machine.h"

#define XCR0_AVX512 0xe7
#define EDGE_VA 0x30000000000UL /* one page is there, the next one is not */
#define EDGE (EDGE_VA + PAGE_SIZE_4K)
#define MANY 64 /* times, so that it is translated */

static u8 page[PAGE_SIZE_4K] __attribute__((aligned(PAGE_SIZE_4K)));
static u8 area[2][4096] __attribute__((aligned(64)));
static u32 vector[16] __attribute__((aligned(64)));
static u32 indices[16] __attribute__((aligned(64)));

static void xsetbv(u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static void set_mask(u64 value)
{
	__asm__ volatile("kmovq %0, %%k1" : : "r"(value));
}

static u64 get_mask(void)
{
	u64 value;

	__asm__ volatile("kmovq %%k1, %0" : "=r"(value));
	return value;
}

static void get_vector(void)
{
	__asm__ volatile("vmovdqu32 %%zmm17, %0" : "=m"(vector));
}

static void set_vector(u32 first)
{
	unsigned i;

	for (i = 0; i < 16; i++)
		vector[i] = first + i;
	__asm__ volatile("vmovdqu32 %0, %%zmm17" : : "m"(vector));
}

static bool is_counted(u32 first, unsigned from, unsigned to)
{
	unsigned i;

	for (i = from; i < to; i++)
		if (vector[i] != first + i)
			return false;
	return true;
}

static u32 *words_at(u64 address)
{
	return (u32 *)(page + (address - EDGE_VA));
}

/* ---- enabling ---- */

static unsigned try_evex(void)
{
	return TRY(__asm__ volatile("vpaddd %zmm1, %zmm2, %zmm3"));
}

static unsigned try_opmask(void)
{
	return TRY(__asm__ volatile("kxorw %k1, %k1, %k1"));
}

static void check_enabling(void)
{
	static const u8 partial[] = { 0x27, 0x47, 0x87, 0x67, 0xc7, 0xe3, 0xe1 };
	unsigned i;

	xsetbv(7);
	check__equal(try_evex(), X86_UD, "EVEX without its bits of XCR0");
	check__equal(try_opmask(), X86_UD, "opmasks without their bit of XCR0");
	for (i = 0; i < sizeof(partial); i++)
		check__equal(trap__code(TRY(xsetbv(partial[i]))), TRAP(X86_GP, 0), "XCR0 = %x",
			     partial[i]);
	check__equal(TRY(xsetbv(XCR0_AVX512)), NO_TRAP, "XCR0 = e7");
	check__equal(try_evex(), NO_TRAP, "EVEX");
	check__equal(try_opmask(), NO_TRAP, "opmasks");
	write_cr0(read_cr0() | CR0_TS);
	check__equal(try_evex(), X86_NM, "EVEX with CR0.TS");
	check__equal(try_opmask(), X86_NM, "opmasks with CR0.TS");
	__asm__ volatile("clts");
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	check__equal(try_evex(), X86_UD, "EVEX without OSXSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
}

/* ---- masked accesses at the end of a page ---- */

#define PAGE_FAULT(error) TRAP(X86_PF, error)

static unsigned masked_load(u64 address)
{
	return TRY(__asm__ volatile("vmovdqu32 (%0), %%zmm17%{%%k1%}%{z%}" : : "r"(address)));
}

static unsigned masked_add(u64 address)
{
	return TRY(__asm__ volatile("vpxord %%zmm16, %%zmm16, %%zmm16\n\t"
				    "vpaddd (%0), %%zmm16, %%zmm17%{%%k1%}%{z%}"
				    : : "r"(address)));
}

static unsigned masked_store(u64 address)
{
	return TRY(__asm__ volatile("vmovdqu32 %%zmm17, (%0)%{%%k1%}" : : "r"(address) : "memory"));
}

static void fill_page(void)
{
	unsigned i;

	for (i = 0; i < PAGE_SIZE_4K / 4; i++)
		((u32 *)page)[i] = i - (PAGE_SIZE_4K / 4 - 8);
}

static void check_loads(void)
{
	u64 address = EDGE - 32; /* eight elements are there: 0 to 7 */
	unsigned i, wrong = 0;

	for (i = 0; i < MANY; i++) {
		set_mask(0xff);
		wrong += masked_load(address) != NO_TRAP;
		get_vector();
		wrong += !is_counted(0, 0, 8) || vector[8] || vector[15];
		set_mask(0xa5);
		wrong += masked_add(address) != NO_TRAP;
		get_vector();
		wrong += vector[0] != 0 || vector[1] != 0 || vector[2] != 2 || vector[7] != 7;
		set_mask(0);
		wrong += masked_load(EDGE + 100) != NO_TRAP;
		wrong += masked_load(0x0800000000000000) != NO_TRAP; /* not canonical */
	}
	check__equal(wrong, 0, "masked loads over the end of memory");
	set_mask(0x100);
	check__equal(trap__code(masked_load(address)), PAGE_FAULT(0), "the first element beyond");
	check__equal(read_cr2(), EDGE, "its address");
	set_mask(0x8001);
	check__equal(trap__code(masked_add(address)), PAGE_FAULT(0), "the last element");
	check__equal(read_cr2(), EDGE + 28, "its address");
}

static void check_stores(void)
{
	u64 address = EDGE - 32;
	unsigned i, wrong = 0;

	for (i = 0; i < MANY; i++) {
		fill_page();
		set_vector(100);
		set_mask(0x0f);
		wrong += masked_store(address) != NO_TRAP;
		wrong += words_at(address)[0] != 100 || words_at(address)[3] != 103;
		wrong += words_at(address)[4] != 4 || words_at(address)[7] != 7;
		set_mask(0x10f);
		wrong += trap__code(masked_store(address)) != PAGE_FAULT(PFERR_WRITE);
		wrong += words_at(address)[4] != 4;
	}
	check__equal(wrong, 0, "masked stores over the end of memory");
	fill_page();
	set_mask(0x5555);
	wrong = TRY(__asm__ volatile("vpcompressd %%zmm17, (%0)%{%%k1%}" : : "r"(address) : "memory"));
	check__equal(wrong, NO_TRAP, "compression of eight elements up to the end");
	check__equal(words_at(address)[7], 114, "its last element");
	set_mask(0xd555);
	wrong = TRY(__asm__ volatile("vpcompressd %%zmm17, (%0)%{%%k1%}" : : "r"(address) : "memory"));
	check__equal(trap__code(wrong), PAGE_FAULT(PFERR_WRITE), "of nine");
	set_mask(0xff00);
	wrong = TRY(__asm__ volatile("vpexpandd (%0), %%zmm17%{%%k1%}%{z%}" : : "r"(address)));
	check__equal(wrong, NO_TRAP, "expansion of eight");
	get_vector();
	check__equal(vector[15], 114, "its last element");
	check__equal(vector[7], 0, "a masked one");
	wrong = TRY(__asm__ volatile("vpaddd (%0)%{1to16%}, %%zmm16, %%zmm17" : : "r"(EDGE - 4)));
	check__equal(wrong, NO_TRAP, "broadcast of the last element of memory");
	get_vector();
	check__equal(vector[9], 114, "what it reads");
}

/* ---- gathers and scatters ---- */

/* Element 5 is beyond the end. */
static void set_indices(void)
{
	unsigned i;

	for (i = 0; i < 16; i++)
		indices[i] = i == 5 ? 8 : i % 8;
	__asm__ volatile("vmovdqu32 %0, %%zmm18" : : "m"(indices));
}

static void check_gathers(void)
{
	u64 address = EDGE - 32;
	unsigned met;

	fill_page();
	set_indices();
	set_vector(1000);
	set_mask(0xfffb);
	met = TRY(__asm__ volatile("vpgatherdd (%0,%%zmm18,4), %%zmm17%{%%k1%}" : : "r"(address)));
	check__equal(trap__code(met), PAGE_FAULT(0), "gather");
	check__equal(read_cr2(), EDGE, "the address of its element");
	check__equal(get_mask(), 0xffe0, "the mask of those that are left");
	get_vector();
	check__equal(vector[1], 1, "an element that was loaded");
	check__equal(vector[2], 1002, "one that was masked off");
	check__equal(vector[5], 1005, "the one that faulted");
	set_mask(0xffdf);
	met = TRY(__asm__ volatile("vpgatherdd (%0,%%zmm18,4), %%zmm17%{%%k1%}" : : "r"(address)));
	check__equal(met, NO_TRAP, "gather without it");
	check__equal(get_mask(), 0, "the mask behind it");
	get_vector();
	check__equal(vector[15], 7, "its last element");
	set_vector(2000);
	set_mask(0xffff);
	met = TRY(__asm__ volatile("vpscatterdd %%zmm17, (%0,%%zmm18,4)%{%%k1%}"
				   : : "r"(address) : "memory"));
	check__equal(trap__code(met), PAGE_FAULT(PFERR_WRITE), "scatter");
	check__equal(get_mask(), 0xffe0, "the mask of those that are left");
	check__equal(words_at(address)[4], 2004, "an element that was stored");
	check__equal(words_at(address)[6], 6, "one that was not");
	set_mask(0xffdf);
	met = TRY(__asm__ volatile("vpscatterdd %%zmm17, (%0,%%zmm18,4)%{%%k1%}"
				   : : "r"(address) : "memory"));
	check__equal(met, NO_TRAP, "scatter without it");
	check__equal(words_at(address)[0], 2008, "the later of two at one address");
}

/* ---- state ---- */

static void xsave(u8 *to, u64 mask)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(to), "a"((u32)mask), "d"(0) : "memory");
}

static void xsavec(u8 *to, u64 mask)
{
	__asm__ volatile("xsavec64 (%0)" : : "r"(to), "a"((u32)mask), "d"(0) : "memory");
}

static void xrstor(const u8 *from, u64 mask)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(from), "a"((u32)mask), "d"(0) : "memory");
}

#define HEADER(image) ((u64 *)((image) + 512))

static void check_state(void)
{
	u32 at[8], size[8], i, j, end = 0, compact = 576;

	for (i = 5; i <= 7; i++) {
		size[i] = cpuid(0xd, i).eax;
		at[i] = cpuid(0xd, i).ebx;
		end = at[i] + size[i] > end ? at[i] + size[i] : end;
	}
	check__equal(cpuid(0xd, 0).ebx, end, "size of the area");
	check__equal(size[5] << 16 | size[6] >> 8 | size[7] >> 10, 64 << 16 | 2 | 1, "sizes");
	memset(area[0], 0, sizeof(area[0]));
	*(u32 *)(area[0] + 24) = 0x1f80;
	for (i = 5; i <= 7; i++)
		for (j = 0; j < size[i]; j++)
			area[0][at[i] + j] = i * 37 + j * 11;
	HEADER(area[0])[0] = 0xe0;
	xrstor(area[0], XCR0_AVX512);
	memset(area[1], 0, sizeof(area[1]));
	xsave(area[1], XCR0_AVX512);
	check__equal(HEADER(area[1])[0] & 0xe0, 0xe0, "XSTATE_BV");
	for (i = 5; i <= 7; i++)
		check__true(!memcmp(area[0] + at[i], area[1] + at[i], size[i]), "component %u", i);
	/* Compacted, without component 6. */
	memset(area[1], 0, sizeof(area[1]));
	xsavec(area[1], 0xa0);
	check__equal(HEADER(area[1])[1], BIT64(63) | 0xa0, "XCOMP_BV");
	check__true(!memcmp(area[0] + at[5], area[1] + compact, 64), "opmasks, compacted");
	check__true(!memcmp(area[0] + at[7], area[1] + compact + 64, 1024), "ZMM16 to 31, compacted");
	set_mask(0);
	xrstor(area[1], 0x20);
	check__equal(get_mask(), *(u64 *)(area[0] + at[5] + 8), "an opmask from the compacted form");
	/* VZEROUPPER has nothing to do with registers 16 to 31; initialisation has. */
	__asm__ volatile("vzeroupper");
	get_vector();
	check__true(!memcmp(vector, area[0] + at[7] + 64, 64), "ZMM17 over VZEROUPPER");
	HEADER(area[0])[0] = 0;
	xrstor(area[0], 0xe0);
	get_vector();
	check__true(!vector[0] && !vector[15] && !get_mask(), "initialised");
}

int main(void)
{
	bool has_xsave = cpu__has(1, 0, 2, 26);

	if (has_xsave)
		write_cr4(read_cr4() | CR4_OSXSAVE);
	if (!has_xsave || !cpu__has(7, 0, 1, 16) || !cpu__has(7, 0, 1, 30)) {
		check__equal(try_evex(), X86_UD, "EVEX where there is no AVX-512");
		check__equal(try_opmask(), X86_UD, "opmasks where there is no AVX-512");
		check__skip("not in CPUID", "AVX-512");
		return 0;
	}
	paging__map(EDGE_VA, (u64)page, 1, PTE_P | PTE_W);
	check_enabling();
	fill_page();
	check_loads();
	check_stores();
	check_gathers();
	check_state();
	return 0;
}
