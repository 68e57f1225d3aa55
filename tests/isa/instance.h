/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One encoding of a row with the state that it starts from. */
#ifndef TESTS_ISA_INSTANCE_H
#define TESTS_ISA_INSTANCE_H

#include "core/decode/decode.h"
#include "core/decode/index.h"
#include "tests/isa/state.h"

struct instance {
	const struct opcode_row *row;
	const struct candidate *candidate;
	unsigned code_size;
	u8 bytes[INSN_MAX_LENGTH];
	unsigned length;
	bool undefined; /* no row takes it: #UD is due */
	struct insn insn;
	u32 at; /* offset in the code */
	struct isa_state before;
	u8 data[DATA_BYTES];
	/* encode.c: where the displacement stands in the bytes */
	u8 disp_at;
	u8 disp_size;
};

/* encode.c: random bytes of the row. False if they came out as another row's, or too long. */
bool instance__encode(struct instance *in);
/* encode.c: overwrites the displacement, and decodes again. False if it doesn't fit. */
bool instance__set_disp(struct instance *in, s64 disp);
/* encode.c: overwrites the immediate, and decodes again. */
void instance__set_imm(struct instance *in, u64 imm, u64 imm2);
/* encode.c: the row's entry in the opcode index. */
const struct candidate *candidate__of(const struct opcode_row *row);

/* aim.c: registers and memory, so that the instruction has something to do. */
void instance__aim(struct instance *in);
/* aim.c: writes to the data at a linear address; what lies outside is dropped. */
void instance__poke(struct instance *in, u64 linear, const void *bytes, unsigned n);

/* aim.c: reads it. False if some of it lies outside. */
bool instance__peek(const struct instance *in, u64 linear, void *bytes, unsigned n);

/* special.c: what instructions other than plain computation need. The last to choose. */
void instance__aim_special(struct instance *in);
/* aim.c, for special.c */
u64 instance__segment_base(const struct instance *in, enum x86_segreg seg);
u64 instance__linear(const struct instance *in); /* of the memory operand */
u64 instance__stack(const struct instance *in); /* where RSP points to */
unsigned instance__memory_size(const struct instance *in); /* in bytes; a guess where it varies */
u64 instance__pick_address(const struct instance *in, enum x86_segreg seg, unsigned size,
			   unsigned adsize);
u64 instance__code_target(const struct instance *in);
u16 instance__pick_selector(void);

/* Fills all of it for a row and code size. False: try again. */
bool instance__make(struct instance *in, const struct opcode_row *row, unsigned code_size);

static inline bool instance__is_string(const struct instance *in)
{
	return in->row->flags & (ROW_REP | ROW_REPZ);
}

#endif
