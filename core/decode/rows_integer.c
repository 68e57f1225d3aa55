/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the integer instructions. Its rows stand in one file per opcode map. */
#include "core/decode/row_macros.h"

/* X(cc, encoding, flags read) for each condition code (SDM vol. 2, table B-10). */
#define CONDITION_ROWS(X)                                                                          \
	X(o, 0x0, OF) X(no, 0x1, OF) X(b, 0x2, CF) X(ae, 0x3, CF) X(e, 0x4, ZF) X(ne, 0x5, ZF)     \
	X(be, 0x6, CF | ZF) X(a, 0x7, CF | ZF) X(s, 0x8, SF) X(ns, 0x9, SF) X(p, 0xa, PF)          \
	X(np, 0xb, PF) X(l, 0xc, SF | OF) X(ge, 0xd, SF | OF) X(le, 0xe, ZF | SF | OF)             \
	X(g, 0xf, ZF | SF | OF)

static const struct opcode_row rows[] = {
#include "core/decode/rows_integer_1byte.inc"
#include "core/decode/rows_integer_0f.inc"
};

const struct row_table rows_integer = { rows, ARRAY_LENGTH(rows) };
