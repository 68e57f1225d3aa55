/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a vCPU writes to guest memory, so that it can be undone: for an engine that executes a piece of
 * guest code twice and compares.
 *
 * With a journal, a vCPU's TLB gives no permission to write but what the journal has noted and not
 * yet revoked. So every write comes to core/memory/access.c, and there to the journal, unless the
 * journal's owner has let it pass. What it does not see: accessed and dirty bits of page tables, the
 * dirty log, and exchanges of descriptors' bits; done twice these come out the same.
 *
 * Owner thread of the vCPU only.
 */
#ifndef CORE_MEMORY_JOURNAL_H
#define CORE_MEMORY_JOURNAL_H

#include "base/types.h"

struct tlb_entry;

#define JOURNAL_GRANTS 64
#define JOURNAL_RECORDS 512
#define JOURNAL_BYTES (32u << 10)

enum journal_mode {
	JOURNAL_OFF,	/* nothing is recorded; permissions to write are given */
	JOURNAL_RECORD, /* writes are recorded; permissions are noted, and not given */
	JOURNAL_COMPARE, /* the same for what is not recorded yet, which is then marked as `extra` */
};

/* Bytes that were about to be written: they are in one page. */
struct journal_record {
	u8 *host;
	u64 gpa;
	u32 size;
	u32 old; /* in journal.bytes: what stood there */
	bool extra;
};

struct journal_grant {
	struct tlb_entry *entry;
	u64 page; /* linear */
};

struct journal {
	u8 mode;     /* enum journal_mode */
	bool device; /* device memory was met, and not touched: the instruction ended with EXEC_EXIT */
	bool full;   /* something was not recorded */
	unsigned nr_grants;
	unsigned nr_records;
	u32 used; /* of bytes */
	struct journal_grant grant[JOURNAL_GRANTS];
	struct journal_record record[JOURNAL_RECORDS];
	u8 bytes[JOURNAL_BYTES];
};

/* For core/memory/access.c: size bytes at host, all in one page, are about to be written. */
void journal__note(struct journal *journal, u8 *host, u64 gpa, unsigned size);
/* The same: the entry's page may be written through it (TLB_INFO_WRITABLE), and is about to be. */
void journal__grant(struct journal *journal, struct tlb_entry *entry);

/* Forgets all records, and all that was met. */
void journal__begin(struct journal *journal, enum journal_mode mode);
/* Gives the permissions that were noted, as far as their entries are still there. */
void journal__permit(struct journal *journal);
/* Takes all back that were given. */
void journal__revoke(struct journal *journal);
/* Puts back what stood in memory. */
void journal__undo(const struct journal *journal);
/* Whether the byte at host is in a record. */
bool journal__has(const struct journal *journal, const u8 *host);

#endif
