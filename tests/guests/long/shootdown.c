/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLB shoot-downs without end: four CPUs change the entries of their pages, have the others drop the
 * translation, and use all pages all the time (SDM vol. 3, 4.10.4, 4.10.5). What a page is like while it
 * does not change is known to all, so a stale translation shows: as an access that works or does not, as
 * a frame that is written although nothing maps it, as a frame that was written and is not dirty.
 */
#include "tests/guests/lib/long/irq.h"

#define CPUS 4
#define PAGES 4 /* of each CPU; the last one is global where there are global pages */
#define VA 0x20000000000UL
#define TOUCHES 24 /* between two changes */

/* What a page is like. A change sets CHANGING first; in the end the number is another. */
#define STATE_FRAME 1UL
#define STATE_PRESENT 2UL
#define STATE_WRITABLE 4UL
#define STATE_UPGRADED 8UL /* other CPUs may still have less (4.10.4.3) */
#define STATE_CHANGING 16UL
#define STATE_NUMBER 32UL

struct frame {
	u64 id;
	u32 counts[CPUS];
};

static struct page {
	struct frame *frame[2];
	u64 state;
} pages[CPUS * PAGES];

enum method { BY_INVLPG, BY_CR3, BY_PGE, BY_ADDRESS, BY_CONTEXT, BY_ALL, BY_ALL_BUT_GLOBAL, NR_METHODS };

static struct {
	bool global, pcid;
	u32 methods; /* bits */
} mode;

static struct cpu {
	u32 seed, faults, touched, stale, misplaced, unclean;
	u32 written[CPUS * PAGES];
	bool flush_other; /* the PCID that is not in use */
} cpus[CPUS];

static u64 root;
static u32 rounds;

static u32 random(struct cpu *c)
{
	c->seed = c->seed * 1664525 + 1013904223;
	return c->seed >> 8;
}

static u64 address_of(unsigned page)
{
	return VA + page * PAGE_SIZE_4K;
}

/* ---- dropping translations ---- */

static void invpcid(u64 type, u64 pcid, u64 address)
{
	const u64 descriptor[2] = { pcid, address };

	__asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"(type) : "memory");
}

static void drop_both(u64 type, u64 linear)
{
	if (!mode.pcid) {
		invpcid(type, 0, linear);
		return;
	}
	invpcid(type, 1, linear);
	invpcid(type, 2, linear);
}

/* Linear address and method in one: of the page, in all address spaces. */
static void drop(u64 arg)
{
	u64 linear = arg & PAGE_MASK_4K;

	switch ((enum method)(arg & 0xfff)) {
	case BY_INVLPG:
		invlpg((void *)linear);
		cpus[cpu__index()].flush_other = true;
		break;
	case BY_CR3:
		flush_tlb();
		cpus[cpu__index()].flush_other = true;
		break;
	case BY_PGE:
		write_cr4(read_cr4() ^ CR4_PGE);
		write_cr4(read_cr4() ^ CR4_PGE);
		break;
	case BY_ADDRESS:
		drop_both(0, linear);
		break;
	case BY_CONTEXT:
		drop_both(1, linear);
		break;
	case BY_ALL:
		invpcid(2, 0, 0);
		break;
	default:
		invpcid(3, 0, 0);
	}
}

/* One that is right for the page: not all drop global ones. INVPCID of an address does not either. */
static enum method pick_method(struct cpu *c, unsigned page)
{
	bool global = mode.global && page % PAGES == PAGES - 1;
	enum method method;

	do
		method = random(c) % NR_METHODS;
	while (!(mode.methods >> method & 1) ||
	       (global && method != BY_INVLPG && method != BY_PGE && method != BY_ALL));
	return method;
}

static void switch_pcid(struct cpu *c)
{
	u64 pcid;

	disable_interrupts();
	pcid = 3 - (read_cr3() & 0xfff);
	write_cr3(root | pcid | (c->flush_other ? 0 : CR3_NOFLUSH));
	/* The one that is left has been flushed, or is kept up to date by what comes. */
	c->flush_other = false;
	enable_interrupts();
}

/* ---- use ---- */

/* To behind the access. */
static void on_fault(struct trap_frame *f)
{
	if (read_cr2() - VA >= CPUS * PAGES * PAGE_SIZE_4K)
		guest__die("page fault at %lx, cr2 %lx", f->rip, (u64)read_cr2());
	cpus[cpu__index()].faults++;
	f->rip = f->r11;
}

static void expect(struct cpu *c, bool worked, bool due, bool may_fail)
{
	c->stale += worked ? !due : due && !may_fail;
}

static void touch(struct cpu *c, unsigned cpu)
{
	unsigned n = random(c) % (CPUS * PAGES);
	struct page *p = &pages[n];
	struct frame *va = (struct frame *)address_of(n);
	u64 before = __atomic_load_n(&p->state, __ATOMIC_SEQ_CST), id = ~0UL;
	u32 faults = c->faults;
	bool was_read, was_written;

	__asm__ volatile("lea 1f(%%rip), %%r11; mov (%1), %0; 1:"
			 : "+r"(id)
			 : "r"(&va->id)
			 : "r11", "memory");
	was_read = c->faults == faults;
	faults = c->faults;
	__asm__ volatile("lea 1f(%%rip), %%r11; lock incl (%0); 1:"
			 :
			 : "r"(&va->counts[cpu])
			 : "r11", "memory", "cc");
	was_written = c->faults == faults;
	c->written[n] += was_written;
	c->touched++;
	if (before != __atomic_load_n(&p->state, __ATOMIC_SEQ_CST) || (before & STATE_CHANGING))
		return;
	expect(c, was_read, before & STATE_PRESENT, false);
	expect(c, was_written, (before & STATE_PRESENT) && (before & STATE_WRITABLE),
	       before & STATE_UPGRADED);
	c->stale += was_read && id != p->frame[before & STATE_FRAME]->id;
}

static void use(struct cpu *c, unsigned cpu)
{
	unsigned i;

	for (i = 0; i < TOUCHES; i++) {
		touch(c, cpu);
		if (mode.pcid && i % 8 == 7)
			switch_pcid(c);
	}
}

/* ---- change ---- */

static void set_entry(unsigned n, u64 state, u64 more)
{
	u64 entry = (u64)pages[n].frame[state & STATE_FRAME] | more;

	if (mode.global && n % PAGES == PAGES - 1)
		entry |= PTE_G;
	if (state & STATE_WRITABLE)
		entry |= PTE_W;
	if (state & STATE_PRESENT)
		entry |= PTE_P;
	else
		entry = 0;
	__atomic_store_n(paging__entry(address_of(n), 1), entry, __ATOMIC_SEQ_CST);
}

static void change_to(struct cpu *c, unsigned n, u64 state, bool tell)
{
	struct page *p = &pages[n];
	u64 number = (p->state & -STATE_NUMBER) + STATE_NUMBER;

	__atomic_store_n(&p->state, p->state | STATE_CHANGING, __ATOMIC_SEQ_CST);
	set_entry(n, state, 0);
	if (tell) {
		u64 arg = address_of(n) | pick_method(c, n);

		disable_interrupts();
		drop(arg);
		enable_interrupts();
		smp__call_others(drop, arg);
	}
	__atomic_store_n(&p->state, number | state, __ATOMIC_SEQ_CST);
}

/* Nobody may write the frame while all go on. */
static void watch(struct cpu *c, unsigned cpu, const struct frame *quiet)
{
	u32 counts[CPUS];

	memcpy(counts, quiet->counts, sizeof(counts));
	use(c, cpu);
	c->misplaced += !!memcmp(counts, quiet->counts, sizeof(counts));
}

/* A write makes the page dirty again, in all CPUs' eyes. */
static void watch_dirty(struct cpu *c, unsigned cpu, unsigned n)
{
	const struct frame *frame = pages[n].frame[pages[n].state & STATE_FRAME];
	u32 counts[CPUS];
	bool written;
	u64 entry;

	memcpy(counts, frame->counts, sizeof(counts));
	use(c, cpu);
	/* The page is dirty before it is written: so this way round. */
	written = memcmp(counts, frame->counts, sizeof(counts));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	entry = __atomic_load_n(paging__entry(address_of(n), 1), __ATOMIC_SEQ_CST);
	c->unclean += written && (entry & (PTE_A | PTE_D)) != (PTE_A | PTE_D);
}

static void change_one(struct cpu *c, unsigned cpu)
{
	unsigned n = cpu * PAGES + random(c) % PAGES;
	struct page *p = &pages[n];
	u64 state = p->state & (STATE_FRAME | STATE_PRESENT | STATE_WRITABLE);
	const struct frame *frame = p->frame[state & STATE_FRAME];

	switch (random(c) % 4) {
	case 0:
		change_to(c, n, state ^ STATE_FRAME, true);
		watch(c, cpu, frame);
		break;
	case 1:
		change_to(c, n, state & ~STATE_WRITABLE, true);
		watch(c, cpu, frame);
		change_to(c, n, state | STATE_UPGRADED, false);
		break;
	case 2:
		change_to(c, n, state & STATE_FRAME, true);
		watch(c, cpu, frame);
		change_to(c, n, state, false);
		break;
	default:
		change_to(c, n, state, true); /* neither accessed nor dirty */
		watch_dirty(c, cpu, n);
	}
}

static void run(u64 cpu)
{
	struct cpu *c = &cpus[cpu];
	u32 round;

	write_cr4((read_cr4() & ~CR4_PGE) | (mode.global ? CR4_PGE : 0));
	if (mode.pcid) {
		write_cr4(read_cr4() | CR4_PCIDE);
		write_cr3(root | 2);
		write_cr3(root | 1);
	}
	flush_tlb();
	smp__meet();
	enable_interrupts();
	for (round = 0; round < rounds; round++) {
		change_one(c, cpu);
		use(c, cpu);
	}
	smp__meet(); /* others still wait for answers */
	disable_interrupts();
	if (mode.pcid) {
		write_cr3(root);
		write_cr4(read_cr4() & ~CR4_PCIDE);
	}
}

/* ---- the whole ---- */

static u32 sum_of(size_t field)
{
	u32 sum = 0;
	unsigned i;

	for (i = 0; i < CPUS; i++)
		sum += *(u32 *)((u8 *)&cpus[i] + field);
	return sum;
}

/* Increments that worked and are in no frame, or the other way round. */
static u32 lost(void)
{
	u32 sum = 0;
	unsigned n, i;

	for (n = 0; n < CPUS * PAGES; n++)
		for (i = 0; i < CPUS; i++)
			sum += cpus[i].written[n] !=
			       pages[n].frame[0]->counts[i] + pages[n].frame[1]->counts[i];
	return sum;
}

static void check_mode(const char *name, bool global, bool pcid, u32 methods)
{
	unsigned n, i;

	mode.global = global;
	mode.pcid = pcid;
	mode.methods = methods;
	memset(cpus, 0, sizeof(cpus));
	for (i = 0; i < CPUS; i++)
		cpus[i].seed = i * 12345 + methods;
	for (n = 0; n < CPUS * PAGES; n++) {
		for (i = 0; i < 2; i++)
			memset(pages[n].frame[i]->counts, 0, sizeof(pages[n].frame[i]->counts));
		pages[n].state = STATE_PRESENT | STATE_WRITABLE;
		set_entry(n, pages[n].state, 0);
	}
	smp__run_all(run);
	check__equal(sum_of(offsetof(struct cpu, stale)), 0, "%s: accesses by stale translations", name);
	check__equal(sum_of(offsetof(struct cpu, misplaced)), 0, "%s: frames written that are not mapped",
		     name);
	check__equal(sum_of(offsetof(struct cpu, unclean)), 0, "%s: pages written and not dirty", name);
	check__equal(lost(), 0, "%s: writes lost", name);
	console__print("  %u changes, %u accesses, %u faults\n", rounds * CPUS,
		       sum_of(offsetof(struct cpu, touched)), sum_of(offsetof(struct cpu, faults)));
}

int main(void)
{
	bool has_invpcid = cpu__has(7, 0, 1, 10);
	u32 methods = 1 << BY_INVLPG | 1 << BY_CR3;
	unsigned i;

	if (!check__equal(smp__start(), CPUS, "CPUs that came up"))
		return 0;
	rounds = 100 * guest__option("scale", 1);
	root = read_cr3() & PAGE_MASK_4K;
	for (i = 0; i < 2 * CPUS * PAGES; i++) {
		pages[i / 2].frame[i % 2] = page__alloc();
		pages[i / 2].frame[i % 2]->id = 1000 + i;
	}
	for (i = 0; i < CPUS * PAGES; i++)
		paging__entry(address_of(i), 1);
	trap__handle(X86_PF, on_fault);
	check_mode("INVLPG and MOV CR3", false, false, methods);
	check_mode("with global pages", true, false, methods | 1 << BY_PGE);
	if (has_invpcid)
		check_mode("INVPCID", true, false, (1 << NR_METHODS) - 1);
	else
		check__skip("not in CPUID", "INVPCID");
	if (cpu__has(1, 0, 2, 17)) {
		check_mode("PCID", true, true,
			   has_invpcid ? (1 << NR_METHODS) - 1 : methods | 1 << BY_PGE);
	} else {
		check__skip("not in CPUID", "PCID");
	}
	return 0;
}
