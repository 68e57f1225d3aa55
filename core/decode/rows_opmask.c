/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the instructions on opmask registers, which are VEX encodings (SDM vol. 2, KADDW and on). */
#include "core/decode/rows_vector.h"

#define OPMASK(m, opc, pfx, nm, feat, a, b, c, fl, ...)                                            \
	VECTOR_ROW(m, opc, pfx, nm, AVX512##feat, a, b, c, NONE, (fl) | ROW_VEX, __VA_ARGS__)
#define ROW(opc, pfx, nm, feat, a, b, c, fl) OPMASK(0F, opc, pfx, nm, feat, a, b, c, fl, exec_evex)
#define GPR(opc, pfx, nm, feat, a, b, fl)                                                          \
	OPMASK(0F, opc, pfx, nm, feat, a, b, NONE, L0 | NV | RG | (fl), exec_evex_gpr)

#define BINARY(opc, nm, word)                                                                      \
	ROW(opc, NONE, nm "w", word, Kg, Kh, Ku, L1 | W0),                                         \
	ROW(opc, NONE, nm "q", BW, Kg, Kh, Ku, L1 | W1),                                           \
	ROW(opc, 66, nm "b", DQ, Kg, Kh, Ku, L1 | W0),                                             \
	ROW(opc, 66, nm "d", BW, Kg, Kh, Ku, L1 | W1)
/* A load or store, and between opmasks. */
#define MOVE(pfx, nm, feat, m, w)                                                                  \
	ROW(0x90, pfx, nm, feat, Kg, Ku, NONE, L0 | NV | RG | (w)),                                \
	ROW(0x90, pfx, nm, feat, Kg, m, NONE, L0 | NV | MO | (w)),                                 \
	ROW(0x91, pfx, nm, feat, m, Kg, NONE, L0 | NV | MO | ST | (w))
#define TEST(opc, nm, word)                                                                        \
	FLAGS(opc, NONE, nm "w", word, W0),                                                        \
	FLAGS(opc, NONE, nm "q", BW, W1),                                                          \
	FLAGS(opc, 66, nm "b", DQ, W0),                                                            \
	FLAGS(opc, 66, nm "d", BW, W1)
#define FLAGS(opc, pfx, nm, feat, w)                                                               \
	OPMASK(0F, opc, pfx, nm, feat, Kg, Ku, NONE, L0 | NV | RG | (w), exec_evex_flags,          \
	       .writes = RFLAGS_ARITH)
#define SHIFT(opc, nm, feat, w)                                                                    \
	OPMASK(0F3A, opc, 66, nm, feat, Kg, Ku, Ib, L0 | NV | RG | (w), exec_evex)

static const struct opcode_row rows[] = {
	BINARY(0x41, "kand", F),
	BINARY(0x42, "kandn", F),
	ROW(0x44, NONE, "knotw", F, Kg, Ku, NONE, L0 | NV | RG | W0),
	ROW(0x44, NONE, "knotq", BW, Kg, Ku, NONE, L0 | NV | RG | W1),
	ROW(0x44, 66, "knotb", DQ, Kg, Ku, NONE, L0 | NV | RG | W0),
	ROW(0x44, 66, "knotd", BW, Kg, Ku, NONE, L0 | NV | RG | W1),
	BINARY(0x45, "kor", F),
	BINARY(0x46, "kxnor", F),
	BINARY(0x47, "kxor", F),
	BINARY(0x4a, "kadd", DQ),
	ROW(0x4b, NONE, "kunpckwd", BW, Kg, Kh, Ku, L1 | W0),
	ROW(0x4b, NONE, "kunpckdq", BW, Kg, Kh, Ku, L1 | W1),
	ROW(0x4b, 66, "kunpckbw", F, Kg, Kh, Ku, L1 | W0),
	MOVE(NONE, "kmovw", F, Mw, W0),
	MOVE(NONE, "kmovq", BW, Mq, W1),
	MOVE(66, "kmovb", DQ, Mb, W0),
	MOVE(66, "kmovd", BW, Md, W1),
	GPR(0x92, NONE, "kmovw", F, Kg, Ed, W0),
	GPR(0x92, 66, "kmovb", DQ, Kg, Ed, W0),
	GPR(0x92, F2, "kmovd", BW, Kg, Ed, W0),
	GPR(0x92, F2, "kmovq", BW, Kg, Eq, W1),
	GPR(0x93, NONE, "kmovw", F, Gd, Ku, W0),
	GPR(0x93, 66, "kmovb", DQ, Gd, Ku, W0),
	GPR(0x93, F2, "kmovd", BW, Gd, Ku, W0),
	GPR(0x93, F2, "kmovq", BW, Gq, Ku, W1),
	TEST(0x98, "kortest", F),
	TEST(0x99, "ktest", DQ),
	SHIFT(0x30, "kshiftrb", DQ, W0),
	SHIFT(0x30, "kshiftrw", F, W1),
	SHIFT(0x31, "kshiftrd", BW, W0),
	SHIFT(0x31, "kshiftrq", BW, W1),
	SHIFT(0x32, "kshiftlb", DQ, W0),
	SHIFT(0x32, "kshiftlw", F, W1),
	SHIFT(0x33, "kshiftld", BW, W0),
	SHIFT(0x33, "kshiftlq", BW, W1),
};

const struct row_table rows_opmask = { rows, ARRAY_LENGTH(rows) };
