/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the EVEX encodings in map 0F3A (SDM vol. 2, ch. 4 and 5). */
#include "core/decode/rows_evex.h"

#define V3A(opc, nm, feat, w, ev) V3I(0F3A, opc, 66, nm, feat, w, ev)
#define V3A_2(opc, nm, feat, w, ev) V2I(0F3A, opc, 66, nm, feat, Vx, Wx, w, ev)
#define WIDE2(opc, nm, w, ev)                                                                      \
	ANY(0F3A, opc, 66, nm, AVX512F, Vx, Wx, Ib, NONE, NV | (w), (ev) | Z | WIDE | NF)
#define WIDE3(opc, nm, w, ev)                                                                      \
	ANY(0F3A, opc, 66, nm, AVX512F, Vx, Hx, Wx, Ib, w, (ev) | Z | WIDE | NF)
#define SCALARS(opc, nm, feat, ev)                                                                 \
	S3I(0F3A, opc, 66, nm "ss", feat, Wd, W0, E4 | (ev)),                                      \
	S3I(0F3A, opc, 66, nm "sd", feat, Wq, W1, E8 | (ev))
#define FP2(opc, nm, feat, ev)                                                                     \
	V3A_2(opc, nm "ps", feat, W0, B4 | (ev)),                                                  \
	V3A_2(opc, nm "pd", feat, W1, B8 | (ev))
#define FPI(opc, nm, feat, ev)                                                                     \
	V3A(opc, nm "ps", feat, W0, B4 | (ev)),                                                    \
	V3A(opc, nm "pd", feat, W1, B8 | (ev))
#define DQI(opc, nm, feat, ev)                                                                     \
	V3A(opc, nm "d", feat, W0, B4 | (ev)),                                                     \
	V3A(opc, nm "q", feat, W1, B8 | (ev))
/* A part put in or taken out. */
#define INSERT(opc, nm, feat, c, w, e, lengths)                                                    \
	ANY(0F3A, opc, 66, nm, feat, Vx, Hx, c, Ib, w, (e) | Z | (lengths) | NF)
#define EXTRACT(opc, nm, feat, a, w, e, lengths)                                                   \
	ANY(0F3A, opc, 66, nm, feat, a, Vx, Ib, NONE, NV | ST | (w), (e) | Z | (lengths) | NF)
#define PARTS(insert, kind)                                                                        \
	INSERT(insert, "vinsert" kind "32x4", AVX512F, Wdq, W0, E4, WIDE),                         \
	INSERT(insert, "vinsert" kind "64x2", AVX512DQ, Wdq, W1, E8, WIDE),                        \
	EXTRACT((insert) + 1, "vextract" kind "32x4", AVX512F, Wdq, W0, E4, WIDE),                 \
	EXTRACT((insert) + 1, "vextract" kind "64x2", AVX512DQ, Wdq, W1, E8, WIDE),                \
	INSERT((insert) + 2, "vinsert" kind "32x8", AVX512DQ, Wqq, W0, E4, Y512),                  \
	INSERT((insert) + 2, "vinsert" kind "64x4", AVX512F, Wqq, W1, E8, Y512),                   \
	EXTRACT((insert) + 3, "vextract" kind "32x8", AVX512DQ, Wqq, W0, E4, Y512),                \
	EXTRACT((insert) + 3, "vextract" kind "64x4", AVX512F, Wqq, W1, E8, Y512)
#define CLASS(opc, nm, b, w, ev)                                                                   \
	ANY(0F3A, opc, 66, nm, AVX512DQ, Kg, b, Ib, NONE, NV | (w), (ev) | K)
#define PINSR(opc, nm, feat, c) GPR(0F3A, opc, 66, nm, feat, Vdq, Hdq, c, Ib, 0, X)
#define PEXTR(opc, nm, feat, a) GPR(0F3A, opc, 66, nm, feat, a, Vdq, Ib, NONE, NV | ST, X)

static const struct opcode_row rows[] = {
	WIDE2(0x00, "vpermq", W1, B8),
	WIDE2(0x01, "vpermpd", W1, B8),
	DQI(0x03, "valign", AVX512F, NF),
	V3A_2(0x04, "vpermilps", AVX512F, W0, B4 | NF),
	V3A_2(0x05, "vpermilpd", AVX512F, W1, B8 | NF),
	V3A_2(0x08, "vrndscaleps", AVX512F, W0, B4 | SAE),
	V3A_2(0x09, "vrndscalepd", AVX512F, W1, B8 | SAE),
	S3I(0F3A, 0x0a, 66, "vrndscaless", AVX512F, Wd, W0, E4 | SAE),
	S3I(0F3A, 0x0b, 66, "vrndscalesd", AVX512F, Wq, W1, E8 | SAE),
	V3A(0x0f, "vpalignr", AVX512BW, 0, E1 | NF),
	PEXTR(0x14, "vpextrb", AVX512BW, Eb),
	PEXTR(0x15, "vpextrw", AVX512BW, Ew),
	PEXTR(0x16, "vpextr", AVX512DQ, Ey),
	PEXTR(0x17, "vextractps", AVX512F, Ed),
	PARTS(0x18, "f"),
	ANY(0F3A, 0x1d, 66, "vcvtps2ph", AVX512F, Wh, Vx, Ib, NONE, NV | W0 | ST, E4 | Z | ALL | SAE),
	K3I(0F3A, 0x1e, 66, "vpcmpud", AVX512F, W0, B4),
	K3I(0F3A, 0x1e, 66, "vpcmpuq", AVX512F, W1, B8),
	K3I(0F3A, 0x1f, 66, "vpcmpd", AVX512F, W0, B4),
	K3I(0F3A, 0x1f, 66, "vpcmpq", AVX512F, W1, B8),
	PINSR(0x20, "vpinsrb", AVX512BW, Eb),
	ANY(0F3A, 0x21, 66, "vinsertps", AVX512F, Vdq, Hdq, Wd, Ib, W0, X | E4),
	PINSR(0x22, "vpinsr", AVX512DQ, Ey),
	WIDE3(0x23, "vshuff32x4", W0, B4),
	WIDE3(0x23, "vshuff64x2", W1, B8),
	DQI(0x25, "vpternlog", AVX512F, 0),
	FP2(0x26, "vgetmant", AVX512F, SAE),
	SCALARS(0x27, "vgetmant", AVX512F, SAE),
	PARTS(0x38, "i"),
	K3I(0F3A, 0x3e, 66, "vpcmpub", AVX512BW, W0, E1),
	K3I(0F3A, 0x3e, 66, "vpcmpuw", AVX512BW, W1, E2),
	K3I(0F3A, 0x3f, 66, "vpcmpb", AVX512BW, W0, E1),
	K3I(0F3A, 0x3f, 66, "vpcmpw", AVX512BW, W1, E2),
	V3A(0x42, "vdbpsadbw", AVX512BW, W0, E2 | NF),
	WIDE3(0x43, "vshufi32x4", W0, B4),
	WIDE3(0x43, "vshufi64x2", W1, B8),
	ANY(0F3A, 0x44, 66, "vpclmulqdq", VPCLMUL, Vx, Hx, Wx, Ib, 0, ALL | E8),
	FPI(0x50, "vrange", AVX512DQ, SAE),
	SCALARS(0x51, "vrange", AVX512DQ, SAE),
	FPI(0x54, "vfixupimm", AVX512F, SAE),
	SCALARS(0x55, "vfixupimm", AVX512F, SAE),
	FP2(0x56, "vreduce", AVX512DQ, SAE),
	SCALARS(0x57, "vreduce", AVX512DQ, SAE),
	CLASS(0x66, "vfpclassps", Wx, W0, B4 | ALL),
	CLASS(0x66, "vfpclasspd", Wx, W1, B8 | ALL),
	CLASS(0x67, "vfpclassss", Wd, W0, E4 | SC),
	CLASS(0x67, "vfpclasssd", Wq, W1, E8 | SC),
	V3A(0x70, "vpshldw", AVX512VBMI2, W1, E2),
	DQI(0x71, "vpshld", AVX512VBMI2, 0),
	V3A(0x72, "vpshrdw", AVX512VBMI2, W1, E2),
	DQI(0x73, "vpshrd", AVX512VBMI2, 0),
	V3A(0xce, "vgf2p8affineqb", GFNI, W1, E1 | EVEX_BROADCAST8 | NF),
	V3A(0xcf, "vgf2p8affineinvqb", GFNI, W1, E1 | EVEX_BROADCAST8 | NF),
};

const struct row_table rows_evex_0f3a = { rows, ARRAY_LENGTH(rows) };
