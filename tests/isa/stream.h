/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stream: random instructions of user mode in a row, with loops, branches, calls and writes to itself. */
#ifndef TESTS_ISA_STREAM_H
#define TESTS_ISA_STREAM_H

#include "tests/isa/instance.h"

#define STREAM_INSNS 256

struct stream {
	unsigned code_size;
	u8 code[CODE_BYTES];
	bool may_change[CODE_BYTES]; /* by the stream itself */
	u32 at[STREAM_INSNS + 1]; /* where each instruction begins; at[count]: the end */
	unsigned count;
	struct isa_state before;
	u8 data[DATA_BYTES];
};

/* Collects the rows that streams are made of. Call after guest__setup(). */
void stream__setup(void);

/*
 * Makes one from the random numbers that follow, executing it in the guest meanwhile: operands are
 * aimed at data with the registers as they then are.
 */
void stream__make(struct stream *s, unsigned code_size);

void stream__print(const struct stream *s);
/* Instructions that are in no stream, with reasons. */
void stream__print_left_out(void);

#endif
