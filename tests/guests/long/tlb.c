/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What drops translations and what must not be needed: INVLPG, MOV CR3, global pages, PCID,
 * INVPCID (SDM vol. 3, 4.10; APM vol. 2, 5.5). Stale entries are allowed by the manuals wherever a
 * check does not ask for the new page, so only what must be seen is checked.
 */
#include "tests/guests/lib/long/mark.h"

#define VA 0x10000000000UL
/* Pages so far from each other fall to the same place in TLBs whose index is an address' lower bits. */
#define APART (64UL << 20)
#define RIVALS 3

static u64 *pages[4];
static u64 root;

static u64 read_va(void)
{
	return *(volatile u64 *)VA;
}

static void set_page(unsigned n, u64 flags)
{
	*paging__entry(VA, 1) = (u64)pages[n] | PTE_P | flags;
}

static void check_flushes(void)
{
	unsigned i, wrong[4] = { 0 };

	for (i = 0; i < 100; i++) {
		set_page(0, PTE_W);
		invlpg((void *)VA);
		read_va();
		set_page(1, PTE_W);
		invlpg((void *)(VA + 0x123));
		wrong[0] += read_va() != 101;
		set_page(2, PTE_W);
		flush_tlb();
		wrong[1] += read_va() != 102;
		set_page(3, PTE_W | PTE_G);
		flush_tlb();
		write_cr4(read_cr4() | CR4_PGE);
		wrong[2] += read_va() != 103;
		set_page(0, PTE_W | PTE_G);
		invlpg((void *)VA);
		wrong[2] += read_va() != 100;
		set_page(1, PTE_W);
		write_cr4(read_cr4() & ~CR4_PGE);
		wrong[3] += read_va() != 101;
	}
	check__equal(wrong[0], 0, "INVLPG of any byte of the page");
	check__equal(wrong[1], 0, "MOV CR3");
	check__equal(wrong[2], 0, "INVLPG drops a global page");
	check__equal(wrong[3], 0, "a change of CR4.PGE drops global pages");
}

/* Changes of permission that need no flush: a not-present entry is never cached. */
static void check_no_flush_needed(void)
{
	*paging__entry(VA, 1) = 0;
	invlpg((void *)VA);
	check__equal(TRY(read_va()), X86_PF, "absent");
	set_page(2, 0);
	check__equal(TRY(read_va()), NO_TRAP, "an absent entry is not cached");
	check__equal(trap__code(TRY(*(volatile u64 *)VA = 5)),
		     TRAP(X86_PF, PFERR_PRESENT | PFERR_WRITE), "read-only");
	set_page(2, PTE_W);
	check__equal(TRY(*(volatile u64 *)VA = 102), NO_TRAP,
		     "more permission shows after the fault");
}

static void check_structures(void)
{
	u64 *other = page__alloc(), *pde = paging__entry(VA, 2), saved = *pde;

	set_page(1, PTE_W);
	flush_tlb();
	read_va();
	other[VA >> 12 & 511] = (u64)pages[3] | PTE_P;
	*pde = (u64)other | PTE_P | PTE_W;
	invlpg((void *)VA);
	check__equal(read_va(), 103, "INVLPG drops paging-structure entries, too");
	*pde = saved;
	flush_tlb();
	check__equal(read_va(), 101, "MOV CR3 drops paging-structure entries");
}

static void invpcid(u64 type, u64 pcid, u64 address)
{
	const u64 descriptor[2] = { pcid, address };

	__asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"(type) : "memory");
}

static void check_pcid(void)
{
	u64 *other_root, flags;

	if (!cpu__has(1, 0, 2, 17)) {
		check__skip("not in CPUID", "PCID");
		return;
	}
	flags = read_cr3() & 0xfff;
	check__equal(trap__code(TRY(({
			     write_cr3(root | 1);
			     write_cr4(read_cr4() | CR4_PCIDE);
		     }))),
		     TRAP(X86_GP, 0), "CR4.PCIDE with a PCID in CR3");
	write_cr3(root | flags);
	write_cr4(read_cr4() | CR4_PCIDE);
	check__true(read_cr4() & CR4_PCIDE, "CR4.PCIDE set");
	/* Two address spaces that differ in one page. */
	other_root = page__alloc();
	memcpy(other_root, (void *)root, 4096);
	other_root[VA >> 39 & 511] = 0;
	set_page(0, PTE_W);
	flush_tlb();
	check__equal(read_va(), 100, "PCID 0");
	write_cr3((u64)other_root | 1);
	set_page(1, PTE_W); /* made in the new tables */
	check__equal(read_va(), 101, "PCID 1");
	write_cr3(root | CR3_NOFLUSH);
	check__equal(read_va(), 100, "PCID 0 again, kept");
	check__equal(read_cr3(), root, "CR3 bit 63 is not stored");
	write_cr3((u64)other_root | 1 | CR3_NOFLUSH);
	check__equal(read_va(), 101, "PCID 1 again, kept");
	set_page(2, PTE_W);
	write_cr3((u64)other_root | 1);
	check__equal(read_va(), 102, "MOV CR3 without bit 63 drops its PCID");
	if (cpu__has(7, 0, 1, 10)) {
		set_page(3, PTE_W);
		invpcid(0, 1, VA);
		check__equal(read_va(), 103, "INVPCID of an address");
		set_page(1, PTE_W);
		invpcid(1, 1, 0);
		check__equal(read_va(), 101, "INVPCID of a context");
		set_page(2, PTE_W);
		invpcid(3, 0, 0);
		check__equal(read_va(), 102, "INVPCID of all but global pages");
		set_page(3, PTE_W | PTE_G);
		invpcid(2, 0, 0);
		check__equal(read_va(), 103, "INVPCID of all");
		check__equal(trap__code(TRY(invpcid(4, 0, 0))), TRAP(X86_GP, 0), "INVPCID type 4");
		check__equal(trap__code(TRY(invpcid(0, 0x1000, 0))), TRAP(X86_GP, 0),
			     "INVPCID reserved bits");
		check__equal(trap__code(TRY(invpcid(0, 0, BIT64(62)))), TRAP(X86_GP, 0),
			     "INVPCID of a non-canonical address");
	} else {
		check__skip("not in CPUID", "INVPCID");
	}
	write_cr3(root);
	write_cr4(read_cr4() & ~CR4_PCIDE);
	set_page(0, PTE_W);
	flush_tlb();
	check__equal(trap__code(TRY(write_cr3(root | CR3_NOFLUSH))), TRAP(X86_GP, 0),
		     "CR3 bit 63 without PCIDE");
}

static void user_read(u64 at)
{
	*(volatile u64 *)at;
}

/* Permissions of the view at hand, not of the one that filled the TLB. */
static void check_views(void)
{
	set_page(0, PTE_W);
	invlpg((void *)VA);
	read_va();
	check__equal(trap__code(user__call(user_read, VA)), TRAP(X86_PF, PFERR_PRESENT | PFERR_USER),
		     "a supervisor entry is none for user mode");
	set_page(0, PTE_W | PTE_U);
	invlpg((void *)VA);
	check__equal(user__call(user_read, VA), NO_TRAP, "user page");
	if (!cpu__has(7, 0, 1, 20))
		return;
	read_va();
	write_cr4(read_cr4() | CR4_SMAP);
	check__equal(trap__code(TRY(read_va())), TRAP(X86_PF, PFERR_PRESENT),
		     "SMAP at once, with the page in the TLB");
	__asm__ volatile("stac");
	check__equal(TRY(read_va()), NO_TRAP, "STAC");
	__asm__ volatile("clac");
	check__equal(trap__code(TRY(read_va())), TRAP(X86_PF, PFERR_PRESENT), "CLAC");
	check__equal(user__call(user_read, VA), NO_TRAP, "SMAP is nothing to user mode");
	write_cr4(read_cr4() & ~CR4_SMAP);
}

/* ---- pages that drive each other out ---- */

static u64 read_at(u64 linear)
{
	return *(volatile u64 *)linear;
}

/* Of each the last words; the page at VA comes first, and is driven out by the others. */
static u64 read_rivals(void)
{
	u64 sum = read_va();
	unsigned i;

	for (i = 1; i <= RIVALS; i++)
		sum += read_at(VA + i * APART + PAGE_SIZE_4K - 8);
	return sum;
}

static void check_rivals(void)
{
	u64 *frames[RIVALS + 1], sum = 0;
	unsigned i, wrong[6] = { 0 };

	for (i = 1; i <= RIVALS; i++) {
		frames[i] = page__alloc();
		frames[i][PAGE_SIZE_4K / 8 - 1] = 1000 * i;
		paging__map(VA + i * APART, (u64)frames[i], 1, PTE_P | PTE_W);
		sum += 1000 * i;
	}
	for (i = 0; i < 200; i++) {
		set_page(i % 4, PTE_W);
		invlpg((void *)VA);
		wrong[0] += read_rivals() != 100 + i % 4 + sum;
		wrong[0] += read_rivals() != 100 + i % 4 + sum;
		set_page((i + 1) % 4, PTE_W);
		invlpg((void *)VA);
		wrong[1] += read_rivals() != 100 + (i + 1) % 4 + sum;
		set_page((i + 2) % 4, PTE_W);
		flush_tlb();
		wrong[2] += read_rivals() != 100 + (i + 2) % 4 + sum;
		/* The one that came last is the one that is changed. */
		paging__map(VA + RIVALS * APART, (u64)frames[1], 1, PTE_P | PTE_W);
		invlpg((void *)(VA + RIVALS * APART));
		wrong[3] += read_rivals() != 100 + (i + 2) % 4 + sum - 1000 * (RIVALS - 1);
		paging__map(VA + RIVALS * APART, (u64)frames[RIVALS], 1, PTE_P | PTE_W);
		invlpg((void *)(VA + RIVALS * APART));
		/* Written while another is in its place, and no longer when that is not allowed any more. */
		*(volatile u64 *)(VA + 8) = i;
		read_at(VA + APART);
		*(volatile u64 *)(VA + 8) += 1;
		wrong[4] += pages[(i + 2) % 4][1] != i + 1;
		read_at(VA + APART);
		set_page((i + 2) % 4, 0);
		invlpg((void *)VA);
		wrong[5] += TRY(*(volatile u64 *)(VA + 8) = 5) != X86_PF;
		wrong[5] += read_at(VA + 8) != i + 1;
	}
	check__equal(wrong[0], 0, "rivals: what is there");
	check__equal(wrong[1], 0, "rivals: INVLPG of the one that was driven out");
	check__equal(wrong[2], 0, "rivals: MOV CR3");
	check__equal(wrong[3], 0, "rivals: INVLPG of the one that came last");
	check__equal(wrong[4], 0, "rivals: writes");
	check__equal(wrong[5], 0, "rivals: write permission taken away");
}

/* Code is written while its page is where it came first, and where it was driven to. */
static void check_rival_code(void)
{
	static const u8 code[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $..., %eax; ret */
	u64 at = VA + (RIVALS + 1) * APART, frame = (u64)page__alloc();
	u32 (*call)(void) = (u32 (*)(void))at;
	unsigned i, wrong = 0;

	paging__map(at, frame, 1, PTE_P | PTE_W);
	memcpy((void *)at, code, sizeof(code));
	for (i = 0; i < 200; i++) {
		*(volatile u32 *)(at + 1) = i;
		read_rivals();
		wrong += call() != i;
		read_rivals();
		*(volatile u32 *)(at + 1) = ~i;
		wrong += call() != ~i;
	}
	check__equal(wrong, 0, "rivals: code that is written");
}

/* Any address of a large page drops all of it, of which there may be many translations; in both halves of the address space. */
static void check_large(u64 at)
{
	u64 size = 1 << 21, flags = PTE_P | PTE_W;
	u8 *frame[2] = { page__alloc_aligned(size), page__alloc_aligned(size) };
	u64 offset, wrong = 0;
	unsigned i;

	for (i = 0; i < 2; i++)
		for (offset = 0; offset < size; offset += PAGE_SIZE_4K)
			*(u64 *)(frame[i] + offset) = offset + i;
	for (i = 0; i < 8; i++) {
		paging__map(at, (u64)frame[i % 2], 2, flags);
		invlpg((void *)(at + (size - 1) / 7 * i));
		for (offset = 0; offset < size; offset += PAGE_SIZE_4K)
			wrong += *(volatile u64 *)(at + offset) != offset + i % 2;
	}
	check__equal(wrong, 0, "INVLPG of a 2 MiB page at %lx", at);
	*paging__entry(at, 2) = 0;
	invlpg((void *)at);
}

static void check_huge(u64 at)
{
	u64 size = 1 << 30, offset, wrong = 0;
	unsigned i;

	if (!cpu__has(0x80000001, 0, 3, 26))
		return;
	for (i = 0; i < 4; i++) {
		paging__map(at, 0, 3, PTE_P | PTE_W);
		for (offset = 0; offset < 64UL << 20; offset += 1 << 20)
			(void)*(volatile u64 *)(at + offset);
		*paging__entry(at, 3) = 0;
		invlpg((void *)(at + (size - 1) / 3 * i));
		for (offset = 0; offset < 64UL << 20; offset += 1 << 20)
			wrong += TRY((void)*(volatile u64 *)(at + offset)) != X86_PF;
	}
	check__equal(wrong, 0, "INVLPG of a 1 GiB page at %lx", at);
}

int main(void)
{
	unsigned i;

	root = read_cr3() & PAGE_MASK_4K;
	for (i = 0; i < 4; i++) {
		pages[i] = page__alloc();
		pages[i][0] = 100 + i;
	}
	check_flushes();
	check_large(0x18000000000);
	check_large(0xffffa00000000000);
	check_huge(0x1c000000000);
	check_huge(0xffffb00000000000);
	check_rivals();
	check_rival_code();
	check_no_flush_needed();
	check_structures();
	check_views();
	check_pcid();
	return 0;
}
