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

#endif
