/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software engine: runs guest code with no virtualization hardware.
 *
 * Stage 1 is an interpreter: guest code is decoded once into blocks of struct insn and executed
 * through their executors. Blocks are kept per vCPU, keyed by guest-physical address and mode.
 */
#ifndef ENGINES_SOFT_SOFT_H
#define ENGINES_SOFT_SOFT_H

#include "core/emulate/emulate.h"
#include "core/engine.h"
#include "core/vm/vm.h"
#include "engines/soft/tunables.h"
#include "engines/soft/vector.h"

extern const struct engine_ops soft_engine;

struct block;

/* Where a block was left to last time: followed while address and context are the same. */
struct block_link {
	u64 rip;
	u64 context;
	struct block *block;
};

enum block_way { WAY_NEXT, WAY_JUMP, NR_WAYS };

/* A run of decoded instructions within one guest page, the last one possibly a branch. */
struct block {
	u64 gpa;	 /* of the first instruction */
	u32 *code_word;	 /* the page's word in its memory slot ... */
	u32 code_value;	 /* ... and its value when the block was decoded: differs, block is stale */
	u32 mode;	 /* MODE_* the instructions were decoded for */
	u16 count;	 /* instructions */
	u16 bytes;	 /* of guest code; a copy stands behind the instructions */
	struct block *next; /* in the hash chain */
	struct block_link link[NR_WAYS];
	struct insn insn[];
};

/* What decoding and static checks depend on, besides the bytes. */
#define MODE_CODE_SIZE 0x0f /* 2, 4 or 8 */
#define MODE_REAL_LIKE 0x10 /* real or virtual-8086 mode */
#define MODE_USER 0x20	    /* CPL 3: only fetching depends on it */
#define MODE_BLOCK (MODE_CODE_SIZE | MODE_REAL_LIKE)

/* Linear address to block, valid in one context. */
struct jump_entry {
	u64 linear;
	u64 context;
	struct block *block;
};

/* Linear code page to guest-physical page and host pointer, valid in one context. */
struct fetch_entry {
	u64 page;
	u64 context;
	u64 gpa;
	const u8 *host;
};

struct block_cache {
	u8 *arena; /* SOFT_CACHE_SIZE bytes, filled from the bottom, emptied as a whole */
	size_t used;
	struct block *hash[SOFT_HASH_ENTRIES];
	struct jump_entry jump[SOFT_JUMP_ENTRIES];
	struct fetch_entry fetch[SOFT_FETCH_ENTRIES];
};

enum soft_injection { INJECT_NONE, INJECT_INTERRUPT, INJECT_SOFT_INTERRUPT, INJECT_NMI };

struct soft_vcpu {
	/*
	 * TLB generation and MODE_* of the code being executed; see soft__refresh_context(). It
	 * also changes when the block cache is flushed, so that no link to a block survives, and
	 * with `outside`, so that every block is found and compared with its code again.
	 */
	u64 context;
	u64 fetch_context; /* the same without `outside` */
	/*
	 * Times at which somebody may have written guest memory from outside: user space between
	 * two KVM_RUNs, a device before its interrupt.
	 */
	u64 outside;
	bool code_flat; /* linear is RIP: 64-bit code, or CS with base 0 and limit 4 GiB */
	bool want_interrupt_window;
	bool want_nmi_window;
	u8 injection; /* enum soft_injection, delivered when guest code is entered */
	u8 injection_vector;
	struct block_cache cache;
	struct soft_vectors vectors;
};

/* Recomputes soft->context and code_flat. Call when mode, CPL, CS or the TLB may have changed. */
void soft__refresh_context(struct vcpu *vcpu);

/* cache.c: 0 or -ENOMEM; freeing; forgetting all blocks. */
int block_cache__init(struct block_cache *cache);
void block_cache__destroy(struct block_cache *cache);
void block_cache__flush(struct vcpu *vcpu);

/*
 * The block at RIP, decoding it if need be. NULL: no block can be had; *result is then EXEC_FAULT
 * (fetching faulted), EXEC_NEXT (the instruction at RIP must be executed by emulate__one(): it
 * crosses a page, or CS's limit is near) or EXEC_FAIL (code in device memory).
 */
struct block *block_cache__get(struct vcpu *vcpu, enum exec_result *result);

static inline u8 *block__code(struct block *block)
{
	return (u8 *)&block->insn[block->count];
}

/* Whether the code has been written since the block was decoded. */
static __always_inline bool block__is_stale(const struct block *block)
{
	return __atomic_load_n(block->code_word, __ATOMIC_ACQUIRE) != block->code_value;
}

/*
 * build.c: decodes a block at guest-physical address gpa. NULL if no whole instruction stands there
 * before the page ends, or no memory any more.
 */
struct block *block__build(struct vcpu *vcpu, u64 gpa, u32 mode);

/* run.c: engine_ops.run. */
void soft__run(struct vcpu *vcpu, struct engine_exit *exit);

#endif
