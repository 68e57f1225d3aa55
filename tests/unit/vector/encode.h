/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes instruction bytes from a row, by other code than the engine's. */
#ifndef TESTS_UNIT_VECTOR_ENCODE_H
#define TESTS_UNIT_VECTOR_ENCODE_H

#include "core/decode/row.h"

/* One way to encode a row. */
struct variant {
	const struct opcode_row *row;
	unsigned code_size; /* 4 or 8 */
	bool mem;	    /* operand at [RBX + disp8], or with an index vector */
	bool l;
	bool w;
};

struct encoded {
	u8 bytes[16];
	unsigned length;
	u8 reg;
	u8 rm;
	u8 vvvv;
	u8 index; /* of a gather */
	s8 disp;
};

bool variant__has_operand(const struct opcode_row *row, enum operand first, enum operand last);
/* Whether an operand is a general register (then RSP is not to be chosen). */
bool variant__has_gpr(const struct opcode_row *row);
/* Whether the row can be encoded so. */
bool variant__exists(const struct variant *v);
/* Random registers and immediates; mode bits of the address are the caller's affair. */
void variant__encode(const struct variant *v, struct encoded *e);

#endif
