/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of guest memory before it is written. */
#include "core/memory/journal.h"
#include "core/memory/tlb.h"

static bool is_recorded(const struct journal *journal, const u8 *host, unsigned size)
{
	unsigned i;

	for (i = 0; i < journal->nr_records; i++) {
		const struct journal_record *r = &journal->record[i];

		if (host >= r->host && host + size <= r->host + r->size)
			return true;
	}
	return false;
}

void journal__note(struct journal *journal, u8 *host, u64 gpa, unsigned size)
{
	struct journal_record *r = &journal->record[journal->nr_records];

	if (journal->mode == JOURNAL_OFF || is_recorded(journal, host, size))
		return;
	if (journal->nr_records == JOURNAL_RECORDS || size > JOURNAL_BYTES - journal->used) {
		journal->full = true;
		return;
	}
	*r = (struct journal_record){
		.host = host,
		.gpa = gpa,
		.size = size,
		.old = journal->used,
		.extra = journal->mode == JOURNAL_COMPARE,
	};
	memcpy(journal->bytes + r->old, host, size);
	journal->used += size;
	journal->nr_records++;
}

void journal__grant(struct journal *journal, struct tlb_entry *entry)
{
	unsigned i;

	if (journal->mode == JOURNAL_COMPARE)
		return;
	for (i = 0; i < journal->nr_grants; i++)
		if (journal->grant[i].entry == entry && journal->grant[i].page == entry->read)
			return;
	if (journal->nr_grants == JOURNAL_GRANTS)
		return;
	journal->grant[journal->nr_grants++] = (struct journal_grant){ entry, entry->read };
	if (journal->mode == JOURNAL_OFF)
		entry->write = entry->read;
}

void journal__begin(struct journal *journal, enum journal_mode mode)
{
	journal->mode = mode;
	journal->device = false;
	journal->full = false;
	journal->nr_records = 0;
	journal->used = 0;
}

void journal__permit(struct journal *journal)
{
	unsigned i;

	for (i = 0; i < journal->nr_grants; i++) {
		struct journal_grant *g = &journal->grant[i];

		/* Another page may have come into the entry, or a flush. */
		if (g->entry->read == g->page && (g->entry->info & TLB_INFO_WRITABLE))
			g->entry->write = g->page;
	}
}

void journal__revoke(struct journal *journal)
{
	unsigned i;

	for (i = 0; i < journal->nr_grants; i++) {
		struct journal_grant *g = &journal->grant[i];

		if (g->entry->write == g->page)
			g->entry->write = tlb__no_tag(g->page >> PAGE_SHIFT_4K);
	}
	journal->nr_grants = 0;
}

void journal__undo(const struct journal *journal)
{
	unsigned i;

	for (i = journal->nr_records; i-- > 0;) {
		const struct journal_record *r = &journal->record[i];

		memcpy(r->host, journal->bytes + r->old, r->size);
	}
}

bool journal__has(const struct journal *journal, const u8 *host)
{
	return is_recorded(journal, host, 1);
}
