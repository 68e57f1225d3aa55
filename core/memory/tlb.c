/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flushing the software TLB (APM vol. 2, 5.5; SDM vol. 3, 4.10). */
#include "core/memory/tlb.h"
#include "core/vm/vcpu.h"

static void drop_entry(struct tlb *tlb, unsigned table, unsigned i)
{
	struct tlb_entry *e = &tlb->entry[table][i];

	e->read = tlb__no_tag(i);
	e->write = tlb__no_tag(i);
	e->info = TLB_NO_PAGE;
	tlb->used[table][i / 64] &= ~BIT64(i % 64);
	tlb->local[table][i / 64] &= ~BIT64(i % 64);
}

/* Addresses in bits 63 to 57 of which the first two differ are canonical in no mode. */
static u64 choose_stack_none(void)
{
	u64 v;

	host__random(&v, sizeof(v));
	return (v & ~(3ULL << 62)) | BIT64(62);
}

void tlb__drop_stacks(struct tlb *tlb)
{
	unsigned view;

	for (view = 0; view < TLB_NR_VIEWS; view++) {
		tlb->stack[view].read = tlb->stack_none;
		tlb->stack[view].write = tlb->stack_none;
	}
}

/* ---- what was fetched from ---- */

static u64 page_bit(u64 linear)
{
	return (linear >> 12 ^ linear >> 24) % VCPU_FETCH_BITS;
}

static u64 large_page_bit(u64 linear)
{
	return (linear >> 21 ^ linear >> 33) % VCPU_FETCH_BITS;
}

static bool test_bit(const u64 *bits, u64 i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

void tlb__note_fetch(struct vcpu *vcpu, u64 linear, u64 page_size, bool global)
{
	struct vcpu_fetches *f = &vcpu->fetches;

	if (page_size == PAGE_SIZE_4K) {
		f->pages[page_bit(linear) / 64] |= BIT64(page_bit(linear) % 64);
	} else if (page_size <= 4 << 20) {
		/* A page of 4 MiB is two of 2 MiB. */
		f->large[large_page_bit(linear) / 64] |= BIT64(large_page_bit(linear) % 64);
		f->large[large_page_bit(linear ^ 1 << 21) / 64] |=
			BIT64(large_page_bit(linear ^ 1 << 21) % 64);
	} else {
		f->huge = true;
	}
	if (!global && vcpu->cpu.cpl != 3)
		f->kernel_not_global = true;
}

static void forget_fetches(struct vcpu *vcpu)
{
	memset(&vcpu->fetches, 0, sizeof(vcpu->fetches));
	vcpu->user_generation++;
	vcpu->kernel_generation++;
}

/* ---- flushing ---- */

void tlb__flush_all(struct vcpu *vcpu)
{
	struct tlb *tlb = &vcpu->tlb;
	unsigned table, i;

	/* Never filled: not a single entry has its empty tags yet. */
	if (unlikely(!tlb->entry[0][0].info)) {
		tlb->stack_none = choose_stack_none();
		for (table = 0; table < TLB_NR_TABLES; table++)
			for (i = 0; i < TLB_ENTRIES; i++)
				drop_entry(tlb, table, i);
	}
	for (table = 0; table < TLB_NR_TABLES; table++)
		FOR_EACH_TLB_ENTRY(tlb, used, table, i)
			drop_entry(tlb, table, i);
	memset(&tlb->large, 0, sizeof(tlb->large));
	tlb__drop_stacks(tlb);
	vcpu->stats.tlb_flushes++;
	forget_fetches(vcpu);
}

void tlb__flush_non_global(struct vcpu *vcpu)
{
	struct tlb *tlb = &vcpu->tlb;
	unsigned table, i;
	u64 left;

	for (table = 0; table < TLB_NR_TABLES; table++) {
		for (left = tlb->local_words[table]; left; left &= left - 1)
			FOR_EACH_TLB_ENTRY_OF(tlb, local, table, i, __builtin_ctzll(left), 1)
				drop_entry(tlb, table, i);
		tlb->local_words[table] = 0;
	}
	tlb__drop_stacks(tlb);
	vcpu->stats.tlb_flushes++;
	if (vcpu->fetches.kernel_not_global)
		forget_fetches(vcpu);
	else
		vcpu->user_generation++;
}

/* ---- large pages ---- */

#define LARGE_SHIFT 22 /* pages of 2 MiB by two: so those of 4 MiB need nothing of their own */
#define HUGE_SHIFT 30
#define LARGE_ENTRIES (1u << (LARGE_SHIFT - PAGE_SHIFT_4K))

static u64 large_bit(u64 linear)
{
	return (linear >> LARGE_SHIFT ^ linear >> (LARGE_SHIFT + 12)) % TLB_LARGE_BITS;
}

void tlb__note_large(struct tlb *tlb, u64 linear, u64 page_size)
{
	if (page_size <= 1ULL << LARGE_SHIFT)
		tlb->large.parts[linear >> 63][large_bit(linear) / 64] |= BIT64(large_bit(linear) % 64);
	else
		tlb->large.regions[linear >> 63] |= BIT64(linear >> HUGE_SHIFT & 63);
}

/* Drops the larger pages' entries with the same address above the lowest `shift` bits, out of `n` words from `word` on. */
static void drop_large(struct tlb *tlb, unsigned table, u64 linear, unsigned shift, unsigned word, unsigned n)
{
	unsigned i;

	FOR_EACH_TLB_ENTRY_OF(tlb, used, table, i, word, n) {
		const struct tlb_entry *e = &tlb->entry[table][i];

		if ((e->info & TLB_INFO_LARGE) && (e->read ^ linear) >> shift == 0)
			drop_entry(tlb, table, i);
	}
}

/*
 * One address invalidates the whole large page it belongs to, of which any number of entries may
 * stand in the table, at places that follow each other.
 */
void tlb__flush_page(struct vcpu *vcpu, u64 linear)
{
	const struct vcpu_fetches *f = &vcpu->fetches;
	struct tlb *tlb = &vcpu->tlb;
	bool large = test_bit(tlb->large.parts[linear >> 63], large_bit(linear));
	bool huge = tlb->large.regions[linear >> 63] >> (linear >> HUGE_SHIFT & 63) & 1;
	unsigned n = LARGE_ENTRIES < TLB_ENTRIES ? LARGE_ENTRIES : TLB_ENTRIES;
	unsigned first = (linear >> PAGE_SHIFT_4K) & (TLB_ENTRIES - 1) & ~(LARGE_ENTRIES - 1);
	unsigned table;

	for (table = 0; table < TLB_NR_TABLES; table++) {
		struct tlb_entry *e = tlb__slot(tlb->entry[table], linear);

		if (e->read == (linear & PAGE_MASK_4K) || e->write == (linear & PAGE_MASK_4K))
			drop_entry(tlb, table, e - tlb->entry[table]);
		if (huge)
			drop_large(tlb, table, linear, HUGE_SHIFT, 0, TLB_ENTRIES / 64);
		else if (large)
			drop_large(tlb, table, linear, LARGE_SHIFT, first / 64, n / 64);
	}
	tlb__drop_stacks(tlb);
	vcpu->stats.tlb_flushes++;
	if (f->huge || test_bit(f->pages, page_bit(linear)) ||
	    test_bit(f->large, large_page_bit(linear)))
		forget_fetches(vcpu);
}

static void drop_write(struct tlb *tlb, unsigned table, unsigned i)
{
	tlb->entry[table][i].write = tlb__no_tag(i);
	tlb->entry[table][i].info &= ~(u64)TLB_INFO_WRITABLE;
}

void tlb__flush_writes(struct vcpu *vcpu)
{
	struct tlb *tlb = &vcpu->tlb;
	unsigned table, i;

	for (table = 0; table < TLB_NR_TABLES; table++)
		FOR_EACH_TLB_ENTRY(tlb, used, table, i)
			drop_write(tlb, table, i);
	tlb__drop_stacks(tlb);
	vcpu->stats.tlb_flushes++;
}

static u16 *writer_of(struct tlb *tlb, u64 info)
{
	return &tlb->writer[(info >> PAGE_SHIFT_4K) & (TLB_WRITERS - 1)];
}

static bool is_writable(const struct tlb *tlb, unsigned table, unsigned i)
{
	const struct tlb_entry *e = &tlb->entry[table][i];

	return e->write != tlb__no_tag(i) || (e->info & TLB_INFO_WRITABLE && e->info != TLB_NO_PAGE);
}

void tlb__note_writer(struct tlb *tlb, unsigned table, unsigned i)
{
	u16 *writer = writer_of(tlb, tlb->entry[table][i].info);
	u16 self = 1 + table * TLB_ENTRIES + i;

	if (*writer && *writer != self) {
		unsigned other = *writer - 1;

		if (*writer == TLB_MANY_WRITERS)
			return;
		/* It is not told of entries that are dropped, or filled anew. */
		if (is_writable(tlb, other / TLB_ENTRIES, other % TLB_ENTRIES) &&
		    writer_of(tlb, tlb->entry[other / TLB_ENTRIES][other % TLB_ENTRIES].info) == writer)
			self = TLB_MANY_WRITERS;
	}
	*writer = self;
}

static void protect_entry(struct tlb *tlb, unsigned table, unsigned i, u64 gpa)
{
	if ((tlb->entry[table][i].info & PAGE_MASK_4K) == gpa)
		drop_write(tlb, table, i);
}

/* Looks at all; what is left of those that share the page's place in tlb->writer is entered anew. */
static void protect_among_many(struct tlb *tlb, u64 gpa, u16 *writer)
{
	unsigned table, i;

	*writer = 0;
	for (table = 0; table < TLB_NR_TABLES; table++) {
		FOR_EACH_TLB_ENTRY(tlb, used, table, i) {
			if (writer_of(tlb, tlb->entry[table][i].info) != writer)
				continue;
			protect_entry(tlb, table, i, gpa);
			if (is_writable(tlb, table, i))
				tlb__note_writer(tlb, table, i);
		}
	}
}

void tlb__protect_page(struct tlb *tlb, u64 gpa)
{
	u16 *writer = writer_of(tlb, gpa);

	if (*writer == TLB_MANY_WRITERS)
		protect_among_many(tlb, gpa, writer);
	else if (*writer)
		protect_entry(tlb, (*writer - 1) / TLB_ENTRIES, (*writer - 1) % TLB_ENTRIES, gpa);
	/* Which page it is in is not known there. */
	tlb__drop_stacks(tlb);
}

/* ---- two tables for a view ---- */

static void swap_bit(u64 *a, u64 *b, unsigned i)
{
	u64 differ = (a[i / 64] ^ b[i / 64]) & BIT64(i % 64);

	a[i / 64] ^= differ;
	b[i / 64] ^= differ;
}

/* The entries change places; each page's writer with them. */
static void swap_tables(struct tlb *tlb, unsigned view, unsigned i)
{
	unsigned second = TLB_SECOND(view);
	struct tlb_entry first = tlb->entry[view][i];

	tlb->entry[view][i] = tlb->entry[second][i];
	tlb->entry[second][i] = first;
	swap_bit(tlb->used[view], tlb->used[second], i);
	swap_bit(tlb->local[view], tlb->local[second], i);
	tlb->local_words[view] |= tlb->local_words[second] & BIT64(i / 64);
	tlb->local_words[second] |= tlb->local_words[view] & BIT64(i / 64);
	if (is_writable(tlb, view, i))
		tlb__note_writer(tlb, view, i);
	if (is_writable(tlb, second, i))
		tlb__note_writer(tlb, second, i);
}

void tlb__drive_out(struct tlb *tlb, unsigned view, unsigned i, u64 page)
{
	const struct tlb_entry *e = &tlb->entry[view][i];
	unsigned second = TLB_SECOND(view);
	bool stays = e->info == TLB_NO_PAGE || e->read == page;

	if (!stays || tlb->entry[second][i].read == page)
		drop_entry(tlb, second, i);
	if (!stays)
		swap_tables(tlb, view, i);
}

bool tlb__bring_back(struct tlb *tlb, unsigned view, u64 linear)
{
	struct tlb_entry *e = tlb__slot(tlb->entry[TLB_SECOND(view)], linear);

	if (e->read != (linear & PAGE_MASK_4K))
		return false;
	swap_tables(tlb, view, e - tlb->entry[TLB_SECOND(view)]);
	return true;
}
