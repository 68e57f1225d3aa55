/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's page tables: linear to guest-physical, for every paging mode
 * (none, 32-bit, PAE, 4-level, 5-level; APM vol. 2 ch. 5; SDM vol. 3 ch. 4).
 */
#ifndef CORE_MEMORY_WALK_H
#define CORE_MEMORY_WALK_H

#include "base/types.h"

struct vcpu;

#define WALK_WRITE 1
#define WALK_FETCH 2
#define WALK_USER 4	  /* the access is a user access (CPL 3 and not implicit) */
#define WALK_AC 8	  /* RFLAGS.AC suspends SMAP for this access */
#define WALK_NO_UPDATE 16 /* do not set accessed and dirty bits (KVM_TRANSLATE, debugger) */

struct walk_result {
	u64 gpa;	/* of the address, not only of the page */
	u64 page_size;	/* bytes: 4 KiB, 2 MiB, 4 MiB, 1 GiB; 4 KiB without paging */
	bool global;
	bool user;	/* page is a user page at every level */
	bool writable;	/* R/W at every level */
	bool dirty;	/* the leaf's dirty bit is set now */
	bool nx;
	u8 pkey;
	u64 error;	/* on failure: PFERR_* */
};

/*
 * Translates one linear address (canonical already checked).
 *
 * Returns 0 and fills *r, setting accessed bits at all levels and the leaf's dirty bit for a write
 * (atomically, as the processor does); 1 if a page fault is due, r->error then holds the code;
 * -EFAULT if a table lies outside of guest memory (the access then reads as all ones: not present).
 */
int walk__translate(struct vcpu *vcpu, u64 linear, unsigned how, struct walk_result *r);

/* Reads the four PAE pointers behind cr3 into vcpu->cpu.pdpte. 0, or 1 if a reserved bit is set. */
int walk__load_pdptes(struct vcpu *vcpu, u64 cr3);

#endif
