/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software TLB: guest-linear page to host address, per vCPU, with separate views by privilege.
 *
 * An entry exists only for pages that may be accessed without any further care: RAM, permission
 * right, accessed (and for writes dirty) bit already set, not logged clean, no cached code, no
 * data breakpoint. Everything else misses and is handled by core/memory/access.c.
 *
 * Owned by the vCPU's thread; others ask for a flush with vcpu__request(REQ_TLB_FLUSH).
 */
#ifndef CORE_MEMORY_TLB_H
#define CORE_MEMORY_TLB_H

#include "base/types.h"
#include "include/x86/paging.h"

#define TLB_ENTRIES 4096 /* per view, a power of two */
#define TLB_NO_PAGE (~0ULL) /* in tlb_entry.info: an empty entry */

enum tlb_view {
	TLB_USER,	/* CPL 3 */
	TLB_KERNEL,	/* supervisor; user pages excluded while CR4.SMAP */
	TLB_KERNEL_AC,	/* supervisor with RFLAGS.AC (or without SMAP): user pages allowed */
	TLB_NR_VIEWS,
};

/*
 * A table for each view, which accesses look into; then another for each, in the same order, with what was driven
 * out of the first by a page that falls to the same place. No page is in both tables of a view.
 */
#define TLB_NR_TABLES (2 * TLB_NR_VIEWS)
#define TLB_SECOND(view) ((view) + TLB_NR_VIEWS)

struct tlb_entry {
	u64 read;  /* page address, or tlb__no_tag() */
	u64 write; /* page address, or tlb__no_tag() */
	u8 *host;  /* the page; meaningful only while one of the tags above is an address */
	u64 info;   /* gpa of the page | TLB_INFO_* */
};

#define TLB_INFO_LARGE 1 /* part of a larger page: INVLPG of any address in that flushes all of it */
#define TLB_INFO_WRITABLE 2 /* with a journal, which withholds `write`: that could be the page */

/*
 * Where the stack was last, for engines that look it up once for many accesses: page addresses that may
 * be read and written, or tlb.stack_none, and what makes a host address of a linear one. Filled by the
 * engine, out of an entry of the same view; every flush empties it.
 */
struct tlb_stack {
	u64 read;
	u64 write;
	u64 delta;
};

#define TLB_LARGE_BITS 4096 /* a power of two */

/*
 * Of which pages larger than 4 KiB there may be entries, for each half of the address space: sets of bits that hold
 * at least these. Cleared by full flushes.
 */
struct tlb_large {
	u64 parts[2][TLB_LARGE_BITS / 64]; /* of pages up to 4 MiB, by 4 MiB */
	u64 regions[2];			   /* of those of 1 GiB, by GiB modulo 64 */
};

#define TLB_WRITERS 32768 /* a power of two */
#define TLB_MANY_WRITERS 0xffff

struct tlb {
	struct tlb_entry entry[TLB_NR_TABLES][TLB_ENTRIES];
	/* A bit for each entry that may not be empty, and for those that are not global: a flush looks at few. */
	u64 used[TLB_NR_TABLES][TLB_ENTRIES / 64];
	u64 local[TLB_NR_TABLES][TLB_ENTRIES / 64];
	u64 local_words[TLB_NR_TABLES]; /* a bit for each word of these that may not be 0 */
	/*
	 * By the number of the guest-physical page: 0, or 1 + table * TLB_ENTRIES + index of the only entry that may
	 * let it be written, or TLB_MANY_WRITERS. So that taking the permission away finds it without a search.
	 */
	u16 writer[TLB_WRITERS];
	struct tlb_stack stack[TLB_NR_VIEWS];
	u64 stack_none; /* far from any canonical address, and not known to the guest */
	/*
	 * The view at CPL 3 while alignment is checked (CR0.AM and RFLAGS.AC): nothing is ever
	 * entered, so that every access comes to core/memory/access.c. x86__mode_changed() makes
	 * it when it is first needed.
	 */
	struct tlb_entry none[TLB_ENTRIES];
	struct tlb_large large;
};

_Static_assert(TLB_ENTRIES / 64 <= 64, "a bit for each word");

/*
 * The tag of the i-th entry of a view while it is empty. No address that is looked up there differs
 * from it in the page's offset only: the number of the page ends in other bits.
 */
static __always_inline u64 tlb__no_tag(unsigned i)
{
	return ~((u64)(i & (TLB_ENTRIES - 1)) << PAGE_SHIFT_4K);
}

static __always_inline struct tlb_entry *tlb__slot(struct tlb_entry *view, u64 linear)
{
	return &view[(linear >> PAGE_SHIFT_4K) & (TLB_ENTRIES - 1)];
}

/* Where a linear address in the entry's page is. */
static __always_inline void *tlb__host(const struct tlb_entry *e, u64 linear)
{
	return e->host + (linear & ~PAGE_MASK_4K);
}

/*
 * Host pointer for reading / writing size bytes at a linear address, or NULL: then take the slow
 * path. One compare covers match, permission and page crossing.
 */
static __always_inline void *tlb__read(struct tlb_entry *view, u64 linear, unsigned size)
{
	struct tlb_entry *e = tlb__slot(view, linear);

	if (likely(((linear + size - 1) & PAGE_MASK_4K) == e->read))
		return tlb__host(e, linear);
	return NULL;
}

static __always_inline void *tlb__write(struct tlb_entry *view, u64 linear, unsigned size)
{
	struct tlb_entry *e = tlb__slot(view, linear);

	if (likely(((linear + size - 1) & PAGE_MASK_4K) == e->write))
		return tlb__host(e, linear);
	return NULL;
}

/* Calls what follows with i the index of each entry of a table whose bit in n words of `set` (`used`, `local`) is 1. */
#define FOR_EACH_TLB_ENTRY_OF(t, set, table, i, word, n)                                            \
	for (unsigned word_ = (word); word_ < (word) + (n); word_++)                               \
		for (u64 left_ = (t)->set[table][word_];                                           \
		     left_ && ((i) = word_ * 64 + __builtin_ctzll(left_), true);                   \
		     left_ &= left_ - 1)
#define FOR_EACH_TLB_ENTRY(t, set, table, i) FOR_EACH_TLB_ENTRY_OF(t, set, table, i, 0, TLB_ENTRIES / 64)

struct vcpu;

/*
 * Instructions have been fetched from a linear page (of page_size bytes in the page tables): from now
 * on flushes that concern it advance the generations that fetching looks at.
 */
void tlb__note_fetch(struct vcpu *vcpu, u64 linear, u64 page_size, bool global);

/* The entry's page is not global. */
static __always_inline void tlb__note_local(struct tlb *tlb, unsigned table, unsigned i)
{
	tlb->local[table][i / 64] |= BIT64(i % 64);
	tlb->local_words[table] |= BIT64(i / 64);
}

/* Drops everything; drops all but global pages; drops what INVLPG of one address must. */
void tlb__flush_all(struct vcpu *vcpu);
void tlb__flush_non_global(struct vcpu *vcpu);
void tlb__flush_page(struct vcpu *vcpu, u64 linear);
/* Drops only write permission everywhere (dirty log cleared). */
void tlb__flush_writes(struct vcpu *vcpu);
/* An entry at `linear` has TLB_INFO_LARGE now; page_size is that of the page tables. */
void tlb__note_large(struct tlb *tlb, u64 linear, u64 page_size);
/* The i-th entry of a table, just filled, lets its page be written (or will, with a journal). */
void tlb__note_writer(struct tlb *tlb, unsigned table, unsigned i);
/* Before the page comes into the i-th entry of a view: what is there goes to the second table. */
void tlb__drive_out(struct tlb *tlb, unsigned view, unsigned i, u64 page);
/* Brings the page of `linear` back from the second table, in exchange for what is in its place; false: it is not there. */
bool tlb__bring_back(struct tlb *tlb, unsigned view, u64 linear);
/* Drops only write permission of one guest-physical page (code marked). The vCPU may be another's, stopped. */
void tlb__protect_page(struct tlb *tlb, u64 gpa);
/* Empties tlb.stack. */
void tlb__drop_stacks(struct tlb *tlb);

#endif
