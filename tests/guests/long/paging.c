/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page permissions in long mode: every combination of entry bits, control bits, access and
 * privilege, with error code, CR2, accessed and dirty bits (SDM vol. 3, 4.6-4.8; APM vol. 2, 5).
 */
#include "tests/guests/lib/long/machine.h"

#define VA 0x10000000000UL /* a page of the tests' own */

enum access { READ, WRITE, FETCH, NR_ACCESS };
static const char *const access_name[] = { "read", "write", "fetch" };

static u8 *frame;

static void touch_read(u64 at)
{
	__asm__ volatile("mov (%0), %%eax" : : "r"(at) : "rax", "memory");
}

static void touch_write(u64 at)
{
	__asm__ volatile("movl $0x12345678, (%0)" : : "r"(at) : "memory");
}

static void touch_fetch(u64 at)
{
	__asm__ volatile("call *%0" : : "r"(at) : "memory");
}

static void (*const touch[NR_ACCESS])(u64) = { touch_read, touch_write, touch_fetch };

static void user_read(u64 at)
{
	__asm__ volatile("mov (%0), %%eax" : : "r"(at) : "rax", "memory");
}

static void user_write(u64 at)
{
	__asm__ volatile("movl $0x12345678, (%0)" : : "r"(at) : "memory");
}

static void user_fetch(u64 at)
{
	__asm__ volatile("call *%0" : : "r"(at) : "memory");
}

static void (*const user_touch[NR_ACCESS])(u64) = { user_read, user_write, user_fetch };

struct setting {
	bool user, ac, wp, smep, smap, nxe;
	u64 pte, pde; /* P W U NX of the page, W U NX of its directory */
};

/* The error code of the #PF the access must meet, or -1 (SDM vol. 3, 4.6.1 and 4.7). */
static int expected_error(const struct setting *s, enum access a)
{
	bool u = s->pte & s->pde & PTE_U, w = s->pte & s->pde & PTE_W;
	bool nx = (s->pte | s->pde) & PTE_NX, ok = true;
	int error = (a == WRITE ? PFERR_WRITE : 0) | (s->user ? PFERR_USER : 0) |
		    (a == FETCH && (s->nxe || s->smep) ? PFERR_FETCH : 0);

	/* An NX bit while EFER.NXE is clear is reserved: found on the way down, entry by entry. */
	if (!s->nxe && ((s->pde & PTE_NX) || ((s->pte & PTE_P) && nx)))
		return error | PFERR_PRESENT | PFERR_RSVD;
	if (!(s->pte & PTE_P))
		return error;
	if (s->user)
		ok = u && (a != WRITE || w);
	else if (a == FETCH)
		ok = !(u && s->smep);
	else
		ok = !(u && s->smap && !s->ac) && !(a == WRITE && !w && s->wp);
	if (a == FETCH && nx)
		ok = false;
	return ok ? -1 : error | (int)PFERR_PRESENT;
}

static void set_controls(const struct setting *s)
{
	write_cr0((read_cr0() & ~CR0_WP) | (s->wp ? CR0_WP : 0));
	write_cr4((read_cr4() & ~(CR4_SMEP | CR4_SMAP)) | (s->smep ? CR4_SMEP : 0) |
		  (s->smap ? CR4_SMAP : 0));
	wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & ~EFER_NX) | (s->nxe ? EFER_NX : 0));
}

static unsigned do_access(const struct setting *s, enum access a, u64 at)
{
	unsigned vector;

	if (s->user) {
		struct user_state state;

		user__state(&state, user_touch[a], at);
		state.rflags |= s->ac ? RFLAGS_AC : 0;
		return user__run(&state);
	}
	vector = TRY({
		write_flags(RFLAGS_FIXED | (s->ac ? RFLAGS_AC : 0));
		touch[a](at);
	});
	write_flags(RFLAGS_FIXED);
	return vector;
}

static unsigned details;

/* What of a combination was wrong; the check that counts it comes at the end of its group. */
static void report(const struct setting *s, enum access a, const char *what, u64 got, u64 expected)
{
	if (details++ >= 4)
		return;
	console__print("  %s %s pte %lx pde %lx%s%s%s%s%s: %s %lx, expected %lx\n",
		       s->user ? "user" : "supervisor", access_name[a], s->pte, s->pde,
		       s->ac ? " ac" : "", s->wp ? " wp" : "", s->smep ? " smep" : "",
		       s->smap ? " smap" : "", s->nxe ? " nxe" : "", what, got, expected);
}

/* One combination; true if all was as the rules say. */
static bool try_combination(const struct setting *s, enum access a)
{
	u64 *pte = paging__entry(VA, 1), *pde = paging__entry(VA, 2), table = *pde & 0xffffffffff000;
	int want = expected_error(s, a);
	u64 want_pte = (u64)frame | s->pte;
	u64 want_code = want < 0 ? (u64)NO_TRAP << 32 : TRAP(X86_PF, want), got;
	bool good = true;

	*pte = (u64)frame | s->pte;
	*pde = table | s->pde | PTE_P;
	set_controls(s);
	flush_tlb();
	got = trap__code(do_access(s, a, VA + 8));
	if (want < 0)
		want_pte |= PTE_A | (a == WRITE ? PTE_D : 0);
	if (got != want_code) {
		report(s, a, "trap", got, want_code);
		good = false;
	} else if (want >= 0 && trap()->cr2 != VA + 8) {
		report(s, a, "CR2", trap()->cr2, VA + 8);
		good = false;
	}
	if (*pte != want_pte) {
		report(s, a, "entry", *pte, want_pte);
		good = false;
	}
	return good;
}

static void reset_controls(void)
{
	const struct setting plain = { .wp = true, .nxe = true };

	*paging__entry(VA, 2) |= PTE_P | PTE_W | PTE_U;
	*paging__entry(VA, 2) &= ~PTE_NX;
	set_controls(&plain);
	flush_tlb();
}

/* One check for each access, privilege and page kind; the control bits inside. */
static void check_permissions(void)
{
	static const u64 pdes[] = { PTE_W | PTE_U, PTE_U, PTE_W, PTE_W | PTE_U | PTE_NX };
	bool smep = cpu__has(7, 0, 1, 7), smap = cpu__has(7, 0, 1, 20);
	unsigned bits, controls, d, a;
	u64 saved_cr4 = read_cr4();

	for (bits = 0; bits < 16; bits++) {
		for (a = 0; a < 2 * NR_ACCESS; a++) {
			unsigned bad[2] = { 0, 0 }; /* [1]: NX is a reserved bit */

			details = 0;
			for (d = 0; d < ARRAY_LENGTH(pdes); d++) {
				for (controls = 0; controls < 32; controls++) {
					struct setting s = {
						.user = a >= NR_ACCESS,
						.pte = (bits & 7) | (bits & 8 ? PTE_NX : 0),
						.pde = pdes[d],
						.wp = controls & 1,
						.nxe = controls & 2,
						.ac = controls & 4,
						.smep = controls & 8,
						.smap = controls & 16,
					};

					if ((s.smep && !smep) || (s.smap && !smap))
						continue;
					bad[!s.nxe && ((s.pte | s.pde) & PTE_NX)] +=
						!try_combination(&s, a % NR_ACCESS);
				}
			}
			reset_controls();
			for (d = 0; d < 2; d++)
				check__equal(bad[d], 0, "%s %s of page %s%s%s%s%s",
					     a >= NR_ACCESS ? "user" : "supervisor",
					     access_name[a % NR_ACCESS], bits & 1 ? "P" : "-",
					     bits & 2 ? "W" : "-", bits & 4 ? "U" : "-",
					     bits & 8 ? "N" : "-", d ? ", NX reserved" : "");
		}
	}
	write_cr4(saved_cr4);
	if (!smep || !smap)
		check__skip("not in CPUID", "permissions with SMEP and SMAP");
}

/* Reserved bits at each level: error code RSVD, tested before permissions. */
static void check_reserved(void)
{
	unsigned phys = cpuid(0x80000008, 0).eax & 0xff, level;
	bool gigabyte = cpu__has(0x80000001, 0, 3, 26);

	for (level = 1; level <= 4; level++) {
		u64 *entry = paging__entry(VA, level), old = *entry;

		*paging__entry(VA, 1) = (u64)frame | PTE_P | PTE_W | PTE_U;
		old = *entry;
		if (phys < 52) {
			*entry = old | BIT64(51);
			flush_tlb();
			check__equal(trap__code(TRY(touch_read(VA))),
				     TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD),
				     "address bit 51 reserved at level %u", level);
			check__equal(trap()->cr2, VA, "CR2 of reserved bit at level %u", level);
			check__equal(trap__code(user__call(user_write, VA)),
				     TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD | PFERR_USER |
							  PFERR_WRITE),
				     "address bit 51 reserved for user write at level %u", level);
		}
		if (level == 4 || (level == 3 && !gigabyte)) {
			*entry = old | PTE_PS;
			flush_tlb();
			check__equal(trap__code(TRY(touch_read(VA))),
				     TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD), "PS at level %u",
				     level);
		}
		/* Bits 62:52 are the system's own. */
		*entry = old | BIT64(52) | BIT64(58) | BIT64(9) | BIT64(11);
		flush_tlb();
		check__equal(TRY(touch_read(VA)), NO_TRAP, "ignored bits at level %u", level);
		*entry = old;
		flush_tlb();
	}
}

/* The two upper tables' bits take part, too. */
static void check_upper_levels(void)
{
	unsigned level;

	*paging__entry(VA, 1) = (u64)frame | PTE_P | PTE_W | PTE_U;
	for (level = 3; level <= 4; level++) {
		u64 *entry = paging__entry(VA, level), old = *entry;

		*entry = old & ~PTE_P;
		flush_tlb();
		check__equal(trap__code(TRY(touch_write(VA + 16))), TRAP(X86_PF, PFERR_WRITE),
			     "level %u not present", level);
		*entry = old & ~PTE_W;
		flush_tlb();
		check__equal(trap__code(TRY(touch_write(VA))),
			     TRAP(X86_PF, PFERR_WRITE | PFERR_PRESENT), "level %u read-only", level);
		*entry = old & ~PTE_U;
		flush_tlb();
		check__equal(trap__code(user__call(user_read, VA)),
			     TRAP(X86_PF, PFERR_USER | PFERR_PRESENT), "level %u supervisor", level);
		*entry = old | PTE_NX;
		flush_tlb();
		check__equal(trap__code(TRY(touch_fetch(VA))),
			     TRAP(X86_PF, PFERR_FETCH | PFERR_PRESENT), "level %u NX", level);
		*entry = old & ~PTE_A;
		flush_tlb();
		touch_read(VA);
		check__true(*entry & PTE_A, "level %u accessed bit", level);
		check__true(!(*entry & PTE_D), "level %u has no dirty bit", level);
		*entry = old;
	}
	flush_tlb();
}

static void check_large(unsigned level)
{
	u64 size = 1UL << (12 + 9 * (level - 1)), at = 0x20000000000UL + level * 0x8000000000UL;
	u64 *entry = paging__entry(at, level), reserved;

	paging__map(at, 0, level, PTE_P | PTE_W);
	check__equal(*(volatile u64 *)(at + (u64)frame), *(volatile u64 *)frame,
		     "level %u page reads", level);
	check__equal(*entry & (PTE_A | PTE_D), PTE_A, "level %u page accessed, not dirty", level);
	*(volatile u64 *)(at + (u64)frame) = 0x1122334455667788;
	check__equal(*(volatile u64 *)frame, 0x1122334455667788, "level %u page writes", level);
	check__equal(*entry & (PTE_A | PTE_D), PTE_A | PTE_D, "level %u page dirty", level);
	*entry &= ~PTE_W;
	invlpg((void *)(at + size / 2)); /* any address in it */
	check__equal(trap__code(TRY(touch_write(at + (u64)frame))),
		     TRAP(X86_PF, PFERR_PRESENT | PFERR_WRITE), "level %u page read-only", level);
	check__equal(trap__code(user__call(user_read, at)), TRAP(X86_PF, PFERR_PRESENT | PFERR_USER),
		     "level %u page supervisor", level);
	reserved = level == 2 ? BIT64(13) : BIT64(13 + 9);
	*entry |= reserved;
	flush_tlb();
	check__equal(trap__code(TRY(touch_read(at))), TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD),
		     "level %u page low address bits reserved", level);
	*entry = (*entry & ~reserved) | PTE_PAT_LARGE;
	flush_tlb();
	check__equal(TRY(touch_read(at)), NO_TRAP, "level %u page PAT bit", level);
	*entry = 0;
	flush_tlb();
}

/* An access over a page end: both pages are checked before anything is written. */
static void check_crossing(void)
{
	u8 *first = page__alloc(), *second = page__alloc();
	u64 end = VA + 0x200000 + 4096;
	u64 *pte1 = paging__entry(end - 4096, 1), *pte2 = paging__entry(end, 1);

	*pte1 = (u64)first | PTE_P | PTE_W;
	*pte2 = (u64)second | PTE_P;
	flush_tlb();
	check__equal(trap__code(TRY(*(volatile u64 *)(end - 3) = ~0UL)),
		     TRAP(X86_PF, PFERR_PRESENT | PFERR_WRITE), "crossing write, second read-only");
	check__equal(trap()->cr2, end, "crossing write CR2");
	check__equal(first[4095] | first[4094] | first[4093], 0, "crossing write left first alone");
	*pte2 = 0;
	flush_tlb();
	check__equal(trap__code(TRY((void)*(volatile u64 *)(end - 3))), TRAP(X86_PF, 0),
		     "crossing read, second absent");
	check__equal(trap()->cr2, end, "crossing read CR2");
	check__equal(trap__code(TRY(__asm__ volatile("lock incq (%0)" : : "r"(end - 3)))),
		     TRAP(X86_PF, PFERR_WRITE), "crossing locked RMW, second absent");
	check__equal(trap__code(TRY(__asm__ volatile("movw $0xffff, (%0)" : : "r"(end - 1)))),
		     TRAP(X86_PF, PFERR_WRITE), "crossing 16-bit write");
	*pte1 = 0;
	*pte2 = (u64)second | PTE_P | PTE_W;
	flush_tlb();
	check__equal(trap__code(TRY(*(volatile u64 *)(end - 3) = ~0UL)), TRAP(X86_PF, PFERR_WRITE),
		     "crossing write, first absent");
	check__equal(trap()->cr2, end - 3, "crossing write CR2 in first");
	check__equal(second[0], 0, "crossing write left second alone");
	/* Instructions: a two-byte NOP and a MOV over the end. */
	*pte1 = (u64)first | PTE_P | PTE_W;
	*pte2 = (u64)second | PTE_P | PTE_W | PTE_NX;
	first[4095] = 0x66;
	second[0] = 0x90;
	second[1] = 0xc3;
	flush_tlb();
	check__equal(trap__code(TRY(touch_fetch(end - 1))),
		     TRAP(X86_PF, PFERR_PRESENT | PFERR_FETCH), "crossing fetch, second NX");
	check__equal(trap()->cr2, end, "crossing fetch CR2");
	check__equal(trap()->frame.rip, end - 1, "crossing fetch RIP");
	*pte2 &= ~PTE_NX;
	flush_tlb();
	check__equal(TRY(touch_fetch(end - 1)), NO_TRAP, "crossing fetch");
	*pte2 = 0;
	first[4094] = 0x90;
	first[4095] = 0xc3;
	flush_tlb();
	check__equal(TRY(touch_fetch(end - 2)), NO_TRAP, "code that ends at the page end");
}

static void check_canonical(void)
{
	u64 low_end = 0x0000800000000000, high = 0xffff7fffffffffff;

	check__equal(trap__code(TRY(touch_read(low_end))), TRAP(X86_GP, 0), "non-canonical read");
	check__equal(trap__code(TRY(touch_write(high))), TRAP(X86_GP, 0), "non-canonical write");
	check__equal(trap__code(TRY(touch_read(0x1234567890abcdef))), TRAP(X86_GP, 0),
		     "non-canonical pattern");
	/* Its stack can't take the frame. */
	trap__set_gate(X86_SS_FAULT, 0xe, 0, 2);
	check__equal(trap__code(TRY(__asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push %%rax;"
						     "mov %%rbx, %%rsp"
						     :
						     : "r"(low_end + 64)
						     : "rbx", "memory"))),
		     TRAP(X86_SS_FAULT, 0), "non-canonical push");
	check__equal(trap__code(TRY(__asm__ volatile("mov %%rbp, %%rbx; mov %0, %%rbp; mov (%%rbp), "
						     "%%rax; mov %%rbx, %%rbp"
						     :
						     : "r"(low_end)
						     : "rbx", "rax", "memory"))),
		     TRAP(X86_SS_FAULT, 0), "non-canonical read through RBP");
	check__equal(trap__code(TRY(touch_fetch(low_end))), TRAP(X86_GP, 0), "non-canonical call");
	check__equal(trap__code(TRY(__asm__ volatile("mov (%0), %%rax" : : "r"(low_end - 4)
						     : "rax"))),
		     TRAP(X86_GP, 0), "read over the canonical end, from an absent page");
	check__equal(trap__code(TRY(__asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push %%rax;"
						     "mov %%rbx, %%rsp"
						     :
						     : "r"(low_end + 4)
						     : "rbx", "memory"))),
		     TRAP(X86_SS_FAULT, 0), "push over the canonical end, to an absent page");
	paging__map(low_end - 4096, (u64)frame, 1, PTE_P | PTE_W);
	check__equal(trap__code(TRY(__asm__ volatile("mov (%0), %%rax" : : "r"(low_end - 4)
						     : "rax"))),
		     TRAP(X86_GP, 0), "read over the canonical end");
	check__equal(TRY(invlpg((void *)low_end)), NO_TRAP, "INVLPG of a non-canonical address");
}

static void check_write_protect(void)
{
	u64 at = VA + 0x400000;
	u64 *pte = paging__entry(at, 1);

	*pte = (u64)frame | PTE_P;
	flush_tlb();
	write_cr0(read_cr0() & ~CR0_WP);
	check__equal(TRY(touch_write(at)), NO_TRAP, "supervisor write without WP");
	check__equal(*pte & (PTE_A | PTE_D), PTE_A | PTE_D, "and its dirty bit");
	write_cr0(read_cr0() | CR0_WP);
	check__equal(trap__code(TRY(touch_write(at))), TRAP(X86_PF, PFERR_PRESENT | PFERR_WRITE),
		     "WP set again takes effect at once");
	/* A read fills the TLB; the first write must still set D. */
	*pte = (u64)frame | PTE_P | PTE_W;
	flush_tlb();
	touch_read(at);
	check__equal(*pte & PTE_D, 0, "read leaves D clear");
	touch_write(at);
	check__equal(*pte & PTE_D, PTE_D, "write after read sets D");
	*pte = (u64)frame | PTE_P | PTE_W;
	flush_tlb();
	__asm__ volatile("lock cmpxchgl %%ecx, (%0)" : : "r"(at), "a"(0x5a5a5a5a), "c"(0) : "memory");
	check__equal(*pte & PTE_D, PTE_D, "failing CMPXCHG sets D");
	*pte = (u64)frame | PTE_P | PTE_W;
	flush_tlb();
	check__equal(trap__code(TRY(__asm__ volatile("cmpxchg16b (%0)" : : "r"(at + 8)
						     : "memory", "rax", "rdx"))),
		     TRAP(X86_GP, 0), "CMPXCHG16B misaligned");
}

/* Implicit accesses are the supervisor's, whatever the CPL and AC. */
static void user_load_fs(u64 selector)
{
	__asm__ volatile("mov %0, %%fs" : : "r"((u32)selector));
}

static void check_implicit(void)
{
	check__equal(user__call(user_load_fs, USER_SS), NO_TRAP,
		     "descriptor load from a supervisor GDT at CPL 3");
	__asm__ volatile("mov %0, %%fs" : : "r"(0));
}

/*
 * STAC opens user pages and CLAC closes them, whatever stands between them; again and again, so that
 * the code is one that an engine has translated.
 */
static unsigned use_window(u64 at, volatile unsigned *open)
{
	return TRY({
		__asm__ volatile("stac\n\t"
				 "mov %%cr3, %%rax\n\t"
				 "mov %%rax, %%cr3\n\t"
				 "movb (%0), %%al" : : "r"(at) : "rax", "memory");
		++*open;
		__asm__ volatile("stac\n\t"
				 "mov %%cr3, %%rax\n\t"
				 "mov %%rax, %%cr3\n\t"
				 "movb (%0), %%al\n\t"
				 "clac\n\t"
				 "movb (%0), %%al" : : "r"(at) : "rax", "memory");
	});
}

static void check_smap_window(void)
{
	struct setting s = { .smap = 1, .nxe = 1 };
	volatile unsigned open = 0;
	unsigned i, closed = 0;

	if (!cpu__has(7, 0, 1, 20)) {
		check__skip("not in CPUID", "STAC and CLAC");
		return;
	}
	*paging__entry(VA, 1) = (u64)frame | PTE_P | PTE_W | PTE_U;
	*paging__entry(VA, 2) |= PTE_U;
	set_controls(&s);
	flush_tlb();
	for (i = 0; i < 40; i++)
		closed += trap__code(use_window(VA, &open)) == TRAP(X86_PF, PFERR_PRESENT);
	write_flags(RFLAGS_FIXED);
	check__equal(open, 40, "STAC opens user pages");
	check__equal(closed, 40, "CLAC closes them");
	s.smap = 0;
	set_controls(&s);
}

static void check_la57(void)
{
	if (!cpu__has(7, 0, 2, 16)) {
		check__skip("not in CPUID", "5-level paging");
		return;
	}
	check__equal(trap__code(TRY(write_cr4(read_cr4() ^ CR4_LA57))), TRAP(X86_GP, 0),
		     "CR4.LA57 can't change in long mode");
}

int main(void)
{
	frame = page__alloc();
	memset(frame, 0xc3, 4096); /* RET everywhere */
	check_permissions();
	check_reserved();
	check_upper_levels();
	check_large(2);
	if (cpu__has(0x80000001, 0, 3, 26))
		check_large(3);
	else
		check__skip("not in CPUID", "1 GiB pages");
	check_crossing();
	check_canonical();
	check_write_protect();
	check_implicit();
	check_smap_window();
	check_la57();
	return 0;
}
