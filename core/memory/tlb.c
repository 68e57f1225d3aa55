/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flushing the software TLB (APM vol. 2, 5.5; SDM vol. 3, 4.10). */
#include "core/memory/tlb.h"
#include "core/vm/vcpu.h"

static void drop_entry(struct tlb_entry *entries, unsigned i)
{
	struct tlb_entry *e = &entries[i];

	e->read = tlb__no_tag(i);
	e->write = tlb__no_tag(i);
	e->info = TLB_NO_PAGE;
}

static void note_flush(struct vcpu *vcpu)
{
	vcpu->tlb_generation++;
	vcpu->stats.tlb_flushes++;
}

void tlb__flush_all(struct vcpu *vcpu)
{
	struct tlb_entry *e = &vcpu->tlb.entry[0][0];
	unsigned i;

	for (i = 0; i < TLB_NR_VIEWS * TLB_ENTRIES; i++)
		drop_entry(e, i);
	vcpu->tlb_has_large = false;
	note_flush(vcpu);
}

void tlb__flush_non_global(struct vcpu *vcpu)
{
	struct tlb_entry *e = &vcpu->tlb.entry[0][0];
	unsigned i;

	for (i = 0; i < TLB_NR_VIEWS * TLB_ENTRIES; i++)
		if (!(e[i].info & TLB_INFO_GLOBAL))
			drop_entry(e, i);
	note_flush(vcpu);
}

/*
 * One address invalidates the whole large page it belongs to, of which any number of entries may
 * stand in the table: those are few and INVLPG on them rare, so look at all.
 */
void tlb__flush_page(struct vcpu *vcpu, u64 linear)
{
	unsigned view, i;

	for (view = 0; view < TLB_NR_VIEWS; view++) {
		struct tlb_entry *entries = vcpu->tlb.entry[view];
		struct tlb_entry *e = tlb__slot(entries, linear);

		if (e->read == (linear & PAGE_MASK_4K) || e->write == (linear & PAGE_MASK_4K))
			drop_entry(entries, e - entries);
		for (i = 0; i < TLB_ENTRIES && vcpu->tlb_has_large; i++)
			if (entries[i].info != TLB_NO_PAGE && (entries[i].info & TLB_INFO_LARGE) &&
			    (entries[i].read ^ linear) >> 30 == 0)
				drop_entry(entries, i);
	}
	note_flush(vcpu);
}

void tlb__flush_writes(struct vcpu *vcpu)
{
	struct tlb_entry *e = &vcpu->tlb.entry[0][0];
	unsigned i;

	for (i = 0; i < TLB_NR_VIEWS * TLB_ENTRIES; i++)
		e[i].write = tlb__no_tag(i);
	vcpu->stats.tlb_flushes++;
}
