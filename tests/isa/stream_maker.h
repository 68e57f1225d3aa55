/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stream that is being made: what has been put so far, and the state that it leads to. */
#ifndef TESTS_ISA_STREAM_MAKER_H
#define TESTS_ISA_STREAM_MAKER_H

#include "tests/isa/stream.h"

#define MAX_STEPS 4000 /* of one loop or call, while the stream is made */

struct maker {
	struct stream *s;
	struct isa_state now;
	u32 end;      /* where the next instruction goes */
	u32 limit;
	unsigned depth; /* of loops */
	bool over;    /* what follows is not reached */
	u32 last_imm; /* the immediate of an instruction that the stream may change, or 0 */
};

static inline bool maker__is_64(const struct maker *m)
{
	return m->s->code_size == 8;
}

/* stream_insn.c: puts bytes as one instruction, without executing them. Sets over if there is no room. */
void maker__put(struct maker *m, const u8 *bytes, unsigned n);
/* Executes what has been put until RIP is at an offset in the code; sets over if that does not happen. */
void maker__run_to(struct maker *m, u32 target);
void maker__put_and_run(struct maker *m, const u8 *bytes, unsigned n);
/* MOV of a constant to a general register, all of it. */
void maker__load(struct maker *m, unsigned reg, u64 value);
/* A random instruction, one that does not fault as a rule. */
void maker__put_random(struct maker *m);

#endif
