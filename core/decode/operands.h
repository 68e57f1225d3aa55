/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The normalised form of an instruction's operands: dst, src and the executor for them. */
#ifndef CORE_DECODE_OPERANDS_H
#define CORE_DECODE_OPERANDS_H

#include "core/decode/row.h"

/* Whether operand op (enum operand) of the decoded instruction is in memory. */
bool operands__is_memory(const struct insn *insn, u8 op);

/*
 * Fills dst, src and exec of an instruction whose other fields are complete. false: the row has
 * no executor for this form and operand size.
 */
bool operands__normalise(struct insn *insn);

/* Bytes of a vector instruction's memory operand by its letter; 0: none. */
struct operand_size {
	u8 bytes;  /* with vectors of 16 bytes */
	bool grows; /* as the vector length does */
};
extern const struct operand_size operand_sizes[NR_OPERANDS];

/* Size in bytes of the memory operand that the row's letters tell; 0 if they don't. */
static __always_inline unsigned operands__vector_size(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	unsigned i;

	if (unlikely(insn__is_broadcast(insn)))
		return row->evex & EVEX_BROADCAST4 ? 4 : 8;
	for (i = 0; i < 3; i++) {
		const struct operand_size *s = &operand_sizes[row->op[i]];

		if (row->op[i] == OP_Ey)
			return insn->flags & INSN_REX_W ? 8 : 4;
		if (s->bytes)
			return s->grows ? s->bytes * (insn__vector_bytes(insn) / 16) : s->bytes;
	}
	return 0;
}

/* What a displacement of one byte counts in an EVEX encoding (SDM vol. 2, 2.7.5). */
static inline int operands__displacement_unit(const struct insn *insn)
{
	u16 evex = insn->row->evex;

	return evex & EVEX_BY_ELEMENT ? 1 << (evex & EVEX_ELEMENT) : operands__vector_size(insn);
}

#endif
