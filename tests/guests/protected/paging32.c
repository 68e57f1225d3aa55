/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paging outside of long mode: 32-bit tables with and without 4 MiB pages, PAE tables with their
 * four pointer registers (SDM vol. 3, 4.3 and 4.4).
 */
#include "tests/guests/lib/protected/mark.h"

#define VA 0x50000000U

static u8 *frame;

static void touch_read(u32 at)
{
	__asm__ volatile("mov (%0), %%eax" : : "r"(at) : "eax", "memory");
}

static void touch_write(u32 at)
{
	__asm__ volatile("movl $0x12345678, (%0)" : : "r"(at) : "memory");
}

static void touch_fetch(u32 at)
{
	__asm__ volatile("call *%0" : : "r"(at) : "memory");
}

static void user_read(u32 at)
{
	__asm__ volatile("mov (%0), %%eax" : : "r"(at) : "eax", "memory");
}

static void user_write(u32 at)
{
	__asm__ volatile("movl $0x12345678, (%0)" : : "r"(at) : "memory");
}

static void user_fetch(u32 at)
{
	__asm__ volatile("call *%0" : : "r"(at) : "memory");
}

static void (*const touch[])(u32) = { touch_read, touch_write, touch_fetch };
static void (*const user_touch[])(u32) = { user_read, user_write, user_fetch };
static const char *const access_name[] = { "read", "write", "fetch" };

/* Every page kind by both levels, accesses and WP; entry access differs between the formats. */
static void check_permissions(const char *format, volatile u8 *pte, volatile u8 *pde, bool fetch_bit)
{
	unsigned bits, a, user, wp;

	for (bits = 0; bits < 32; bits++) {
		u8 page = bits & 7, directory = 1 | (bits & 8 ? 2 : 0) | (bits & 16 ? 4 : 0);
		unsigned bad = 0;

		for (a = 0; a < 3; a++) {
			for (user = 0; user < 2; user++) {
				for (wp = 0; wp < 2; wp++) {
					bool u = page & directory & 4, w = page & directory & 2, ok;
					u32 error = (a == 1 ? PFERR_WRITE : 0) | (user ? PFERR_USER : 0) |
						    (a == 2 && fetch_bit ? PFERR_FETCH : 0);
					u64 want, got;

					ok = user ? u && (a != 1 || w) : a != 1 || w || !wp;
					if (!(page & 1))
						want = TRAP(X86_PF, error);
					else
						want = ok ? NO_TRAP_CODE :
							    TRAP(X86_PF, error | PFERR_PRESENT);
					*pte = page;
					*pde = directory | 0x20;
					write_cr0((read_cr0() & ~CR0_WP) | (wp ? CR0_WP : 0));
					flush_tlb();
					got = trap__code(user ? user__call(user_touch[a], VA + 4) :
								TRY(touch[a](VA + 4)));
					bad += got != want ||
					       (want != NO_TRAP_CODE && trap()->cr2 != VA + 4) ||
					       (*pte & 0x67) != (page | (ok && page & 1 ? 0x20 : 0) |
								 (ok && page & 1 && a == 1 ? 0x40 : 0));
					if (bad == 1)
						console__print("  %s %s wp %u: %lx, expected %lx\n",
							       user ? "user" : "supervisor",
							       access_name[a], wp, got, want);
				}
			}
		}
		check__equal(bad, 0, "%s: page %s%s%s in directory entry %s%s", format,
			     page & 1 ? "P" : "-", page & 2 ? "W" : "-", page & 4 ? "U" : "-",
			     directory & 2 ? "W" : "-", directory & 4 ? "U" : "-");
	}
	write_cr0(read_cr0() | CR0_WP);
	*pte = 7;
	*pde = 7;
	flush_tlb();
}

static void leave_paging(void)
{
	write_cr0(read_cr0() & ~CR0_PG);
	write_cr4(read_cr4() & ~(CR4_PAE | CR4_PSE | CR4_PGE));
}

static void check_two_levels(void)
{
	u32 *directory = page__alloc(), *table = page__alloc(), *identity, i, k;

	/* The first 16 MiB identical by 4 KiB pages, for all. */
	for (k = 0; k < 4; k++) {
		identity = page__alloc();
		for (i = 0; i < 1024; i++)
			identity[i] = (k * 1024 + i) << 12 | 7;
		directory[k] = (u32)identity | 7;
	}
	directory[VA >> 22] = (u32)table | 7;
	table[VA >> 12 & 1023] = (u32)frame | 7;
	write_cr3((u32)directory);
	write_cr0(read_cr0() | CR0_PG);
	check__equal(*(volatile u32 *)VA, *(volatile u32 *)frame, "32-bit tables: read");
	check_permissions("32-bit tables", (u8 *)&table[VA >> 12 & 1023], (u8 *)&directory[VA >> 22],
			  false);
	/* Without PSE bit 7 of a directory entry means nothing. */
	directory[VA >> 22] |= PTE_PS;
	flush_tlb();
	check__equal(TRY(touch_read(VA)), NO_TRAP, "PS without CR4.PSE is ignored");
	write_cr4(read_cr4() | CR4_PSE);
	directory[VA >> 22] = 0x87; /* 4 MiB from 0 */
	flush_tlb();
	check__equal(*(volatile u32 *)(VA + (u32)frame), *(volatile u32 *)frame, "4 MiB page");
	touch_write(VA + (u32)frame);
	check__equal(directory[VA >> 22] & 0x60, 0x60, "4 MiB page: A and D");
	directory[VA >> 22] = 0x87 | 1 << 21;
	flush_tlb();
	check__equal(trap__code(TRY(touch_read(VA))), TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD),
		     "4 MiB page: bit 21 reserved");
	directory[VA >> 22] = 0x87 | 1 << 12;
	flush_tlb();
	check__equal(TRY(touch_read(VA)), NO_TRAP, "4 MiB page: PAT bit");
	/* Both halves, which TLBs may know apart. */
	directory[VA >> 22] = 0x87;
	touch_read(VA);
	touch_read(VA + (3 << 20));
	directory[VA >> 22] = 0;
	invlpg((void *)(VA + 0x1000));
	check__equal(TRY(touch_read(VA + (3 << 20))), X86_PF, "INVLPG of the other half of a 4 MiB page");
	/* Global: survives MOV CR3 or not, but is right after INVLPG. */
	write_cr4(read_cr4() | CR4_PGE);
	directory[VA >> 22] = 0x187;
	touch_read(VA);
	directory[VA >> 22] = (u32)table | 7;
	invlpg((void *)(VA + 0x1000));
	check__equal(*(volatile u32 *)VA, *(volatile u32 *)frame, "INVLPG of a 4 MiB page");
	leave_paging();
}

static void check_pae(void)
{
	u64 *pointers = page__alloc(), *directory, *table = page__alloc(), *high;
	bool nx = cpuid(0x80000001, 0).edx >> 20 & 1;
	u32 i;

	/* The first 16 MiB identical by 2 MiB pages; VA lies in the second GiB. */
	directory = page__alloc();
	high = page__alloc();
	for (i = 0; i < 8; i++)
		directory[i] = (u64)i << 21 | 0x87;
	pointers[0] = (u32)directory | 1;
	pointers[1] = (u32)high | 1;
	high[VA >> 21 & 511] = (u32)table | 7;
	table[VA >> 12 & 511] = (u32)frame | 7;
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((u32)pointers);
	write_cr0(read_cr0() | CR0_PG);
	check__equal(*(volatile u32 *)VA, *(volatile u32 *)frame, "PAE: read");
	check_permissions("PAE", (u8 *)&table[VA >> 12 & 511], (u8 *)&high[VA >> 21 & 511], false);
	if (nx) {
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NX);
		check_permissions("PAE with NXE", (u8 *)&table[VA >> 12 & 511],
				  (u8 *)&high[VA >> 21 & 511], true);
		table[VA >> 12 & 511] = (u32)frame | 7 | PTE_NX;
		flush_tlb();
		check__equal(trap__code(TRY(touch_fetch(VA))),
			     TRAP(X86_PF, PFERR_PRESENT | PFERR_FETCH), "PAE: NX");
		check__equal(TRY(touch_read(VA)), NO_TRAP, "PAE: read of an NX page");
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NX);
		flush_tlb();
		check__equal(trap__code(TRY(touch_read(VA))),
			     TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD), "PAE: NX without NXE");
		table[VA >> 12 & 511] = (u32)frame | 7;
	}
	table[VA >> 12 & 511] = (u32)frame | 7 | BIT64(62);
	flush_tlb();
	check__equal(trap__code(TRY(touch_read(VA))), TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD),
		     "PAE: bit 62 reserved");
	table[VA >> 12 & 511] = (u32)frame | 7;
	/* The pointers are loaded by MOV CR3 and not looked at later. */
	flush_tlb();
	pointers[1] = 0;
	invlpg((void *)VA);
	check__equal(TRY(touch_read(VA)), NO_TRAP, "PAE: pointers are registers");
	flush_tlb();
	check__equal(trap__code(TRY(touch_read(VA))), TRAP(X86_PF, 0), "PAE: absent pointer");
	pointers[1] = (u32)high | 1 | 2;
	check__equal(trap__code(TRY(flush_tlb())), TRAP(X86_GP, 0), "PAE: reserved bit in a pointer");
	pointers[1] = (u32)high | 1;
	flush_tlb();
	check__equal(TRY(touch_read(VA)), NO_TRAP, "PAE: pointer present again");
	leave_paging();
}

static void check_no_paging(void)
{
	check__equal(trap__code(TRY(write_cr0((read_cr0() | CR0_PG) & ~CR0_PE))), TRAP(X86_GP, 0),
		     "PG without PE");
}

int main(void)
{
	frame = page__alloc();
	memset(frame, 0xc3, 4096);
	check_two_levels();
	check_pae();
	if (!cpu__is_tcg())
		check_no_paging();
	else
		check__skip("QEMU has no check and can't go on", "PG without PE");
	return 0;
}
