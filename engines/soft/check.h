/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter beside the translator (engine option check=on; "Checking" in docs/soft-engine.md).
 *
 * Each translated block is executed twice from the same state: by executors, with a journal of what
 * they write; and, after that is undone, by its translation. Then registers, flags, vector state, a
 * fault and the bytes written must be the same. Blocks do not jump to each other meanwhile, and the vCPUs of a
 * machine take turns.
 */
#ifndef ENGINES_SOFT_CHECK_H
#define ENGINES_SOFT_CHECK_H

#include "core/emulate/vector.h"
#include "core/memory/journal.h"
#include "core/vm/vcpu.h"
#include "engines/soft/vector.h"

struct block;

/* General registers, RIP and flags: all of struct x86_cpu that most blocks can change. */
#define CHECK_PLAIN_BYTES offsetof(struct x86_cpu, seg)

#define CHECK_OFTEN 1000

/* How often what happened; for soft__counters. */
struct check_counts {
	u64 blocks;	 /* compared */
	u64 insns;	 /* in these */
	u64 repeated;	 /* were compared again, because somebody outside had written what they read */
	u64 skipped;	 /* executed once: they wrote code or too much, or used undefined flags */
	u64 interpreted; /* executed once: not translated, or they stand alone */
	u64 passed_over; /* translated code executed alone: it has been compared often */
};

/* vCPUs take turns in the order in which they ask. */
struct check_turns {
	struct host_mutex lock;
	struct host_cond changed;
	u64 next;    /* ticket to be given */
	u64 serving; /* ticket whose turn it is */
};

/* What a block made of the state. */
struct check_outcome {
	struct x86_cpu cpu;
	struct vcpu_exception exception;
	u64 breakpoint_hits;
	enum exec_result result;
	struct xsave_image vectors; /* if the block has such instructions */
	struct soft_vectors pointers; /* likewise; the image has none where the x87 state is initial but for them */
};

struct check {
	bool failed;
	bool has_vectors; /* the block can change vector state, ... */
	bool has_system;  /* ... or more of struct x86_cpu than CHECK_PLAIN_BYTES */
	bool tainted;	/* it may differ: flags were used that the architecture leaves undefined */
	u16 undefined;	/* flags that it leaves undefined in the end */
	unsigned insns; /* executed by the interpreter */
	unsigned blocks_in_turn;
	u32 every; /* of the executions of a block that was compared CHECK_OFTEN times, this is compared */
	bool left; /* somebody had set vcpu->leave */
	struct check_counts counts;
	struct check_outcome before, interpreted, translated;
	u8 written[JOURNAL_BYTES + JOURNAL_RECORDS * 32]; /* by the interpreter, with neighbours */
	struct journal journal;
};

/* If the machine is to be checked, allocates vcpu->soft->check. 0 or -ENOMEM. */
int check__create(struct vcpu *vcpu);
void check__destroy(struct vcpu *vcpu);

/* check_turns.c */
void check__init_turns(struct check_turns *turns);
void check__destroy_turns(struct check_turns *turns);
/* Waits, out of guest code, until it is this vCPU's turn. In guest code, as check__give_turn(). */
void check__take_turn(struct vcpu *vcpu);
void check__give_turn(struct vcpu *vcpu);
/* Lets those who wait have theirs first: at the end of a turn, or where this vCPU waits for others. */
void check__pass_turn(struct vcpu *vcpu);

/* As run_blocks() in run.c. */
enum exec_result check__run_blocks(struct vcpu *vcpu, unsigned *budget);
/* Whether an instruction makes a block of its own, which is executed once: it can't be repeated. */
bool check__stands_alone(const struct insn *insn);

static inline bool check__has_failed(const struct check *check)
{
	return check->failed;
}

/* check_compare.c: whether both outcomes are the same. */
bool check__is_same(struct vcpu *vcpu, const struct check *check);
/* Bytes written, with their neighbours; `neighbour`: one that no record has differs. */
void check__keep_written(struct check *check);
bool check__is_written_same(const struct check *check, bool *neighbour);

/* check_report.c: says on standard error what differs. */
void check__report(struct vcpu *vcpu, const struct block *block);

/* A record with its neighbours, those that share 16 aligned bytes with it. */
static inline u8 *check__window(const struct journal_record *r, u32 *size)
{
	u8 *start = (u8 *)((u64)r->host & ~15ULL);

	*size = (u32)(ALIGN_UP_TO((u64)r->host + r->size, 16) - (u64)start);
	return start;
}

#endif
