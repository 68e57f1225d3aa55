/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the EVEX encodings in map 0F (SDM vol. 2, ch. 4 and 5). */
#include "core/decode/rows_evex.h"

#define INT_B(opc, nm) V3(0F, opc, 66, nm, AVX512BW, 0, E1)
#define INT_W(opc, nm) V3(0F, opc, 66, nm, AVX512BW, 0, E2)
#define INT_D(opc, nm) V3(0F, opc, 66, nm, AVX512F, W0, B4)
#define INT_Q(opc, nm) V3(0F, opc, 66, nm, AVX512F, W1, B8)
#define LOGIC(opc, nm)                                                                             \
	INT_D(opc, nm "d"),                                                                        \
	INT_Q(opc, nm "q")
/* Counts in an XMM register or 16 bytes of memory. */
#define COUNT(opc, nm, feat, w, e)                                                                 \
	ANY(0F, opc, 66, nm, feat, Vx, Hx, Wdq, NONE, w, (e) | Z | ALL | NF)
#define SHIFT(opc, g, nm, feat, w, ev)                                                             \
	EVEX(0F, opc, g, 66, nm, feat, Hx, Wx, Ib, NONE, w, (ev) | ALL, exec_evex)

#define FLOAT2(opc, nm, feat, ev)                                                                  \
	V3(0F, opc, NONE, nm "ps", feat, W0, B4 | (ev)),                                           \
	V3(0F, opc, 66, nm "pd", feat, W1, B8 | (ev))
#define FLOAT4(opc, nm, ev)                                                                        \
	FLOAT2(opc, nm, AVX512F, ev),                                                              \
	S3(0F, opc, F3, nm "ss", AVX512F, Wd, W0, E4 | (ev)),                                      \
	S3(0F, opc, F2, nm "sd", AVX512F, Wq, W1, E8 | (ev))
#define COMPARE(opc, pfx, nm, c, w, ev)                                                            \
	EVEX(0F, opc, GROUP_ANY, pfx, nm, AVX512F, Kg, Hx, c, Ib, w, (ev) | K | SAE, exec_evex)
#define FLAGS(opc, pfx, nm, b, w, e)                                                               \
	EVEX(0F, opc, GROUP_ANY, pfx, nm, AVX512F, Vdq, b, NONE, NONE, NV | (w), (e) | SC | SAE,   \
	     exec_evex_flags, .writes = RFLAGS_ARITH)
#define TO_INT(opc, pfx, nm, b, ev) GPR(0F, opc, pfx, nm, AVX512F, Gy, b, NONE, NONE, NV, SC | (ev))
/* Rounding control is ignored where the result is exact. */
#define FROM_INT(opc, pfx, nm) GPR(0F, opc, pfx, nm, AVX512F, Vdq, Hdq, Ey, NONE, 0, SC | ER)

/* A load and the store beside it. */
#define MOVE(load, store, pfx, nm, feat, fl, e)                                                    \
	V2(0F, load, pfx, nm, feat, Vx, Wx, fl, e),                                                \
	V2(0F, store, pfx, nm, feat, Wx, Vx, (fl) | ST, e)
#define MOVE_SCALAR(pfx, nm, m, w, e)                                                              \
	ANY(0F, 0x10, pfx, nm, AVX512F, Vdq, Hdq, Udq, NONE, RG | (w), (e) | SC | Z),              \
	ANY(0F, 0x10, pfx, nm, AVX512F, Vdq, m, NONE, NONE, MO | NV | (w), (e) | SC | Z),          \
	ANY(0F, 0x11, pfx, nm, AVX512F, Udq, Hdq, Vdq, NONE, RG | (w), (e) | SC | Z),              \
	ANY(0F, 0x11, pfx, nm, AVX512F, m, Vdq, NONE, NONE, MO | NV | ST | (w), (e) | SC | K)
#define MOVE_HALF(load, store, pfx, nm, w)                                                         \
	ANY(0F, load, pfx, nm, AVX512F, Vdq, Hdq, Mq, NONE, MO | (w), X | E8),                     \
	ANY(0F, store, pfx, nm, AVX512F, Mq, Vdq, NONE, NONE, MO | NV | ST | (w), X | E8)
#define MOVE_NT(opc, pfx, nm, w)                                                                   \
	ANY(0F, opc, pfx, nm, AVX512F, Wx, Vx, NONE, NONE, MO | NV | AL | ST | (w), ALL | E8)

static const struct opcode_row rows[] = {
	MOVE(0x10, 0x11, NONE, "vmovups", AVX512F, W0, E4),
	MOVE(0x10, 0x11, 66, "vmovupd", AVX512F, W1, E8),
	MOVE_SCALAR(F3, "vmovss", Md, W0, E4),
	MOVE_SCALAR(F2, "vmovsd", Mq, W1, E8),
	ANY(0F, 0x12, NONE, "vmovhlps", AVX512F, Vdq, Hdq, Udq, NONE, RG | W0, X | E8),
	MOVE_HALF(0x12, 0x13, NONE, "vmovlps", W0),
	MOVE_HALF(0x12, 0x13, 66, "vmovlpd", W1),
	V2(0F, 0x12, F3, "vmovsldup", AVX512F, Vx, Wx, W0, E4 | NF),
	ANY(0F, 0x12, F2, "vmovddup", AVX512F, Vx, Wq, NONE, NONE, W1 | NV, E8 | Z | X | NF),
	ANY(0F, 0x12, F2, "vmovddup", AVX512F, Vx, Wx, NONE, NONE, W1 | NV, E8 | Z | WIDE | NF),
	FLOAT2(0x14, "vunpckl", AVX512F, NF),
	FLOAT2(0x15, "vunpckh", AVX512F, NF),
	ANY(0F, 0x16, NONE, "vmovlhps", AVX512F, Vdq, Hdq, Udq, NONE, RG | W0, X | E8),
	MOVE_HALF(0x16, 0x17, NONE, "vmovhps", W0),
	MOVE_HALF(0x16, 0x17, 66, "vmovhpd", W1),
	V2(0F, 0x16, F3, "vmovshdup", AVX512F, Vx, Wx, W0, E4 | NF),
	MOVE(0x28, 0x29, NONE, "vmovaps", AVX512F, W0 | AL, E4),
	MOVE(0x28, 0x29, 66, "vmovapd", AVX512F, W1 | AL, E8),
	FROM_INT(0x2a, F3, "vcvtsi2ss"),
	FROM_INT(0x2a, F2, "vcvtsi2sd"),
	MOVE_NT(0x2b, NONE, "vmovntps", W0),
	MOVE_NT(0x2b, 66, "vmovntpd", W1),
	TO_INT(0x2c, F3, "vcvttss2si", Wd, SAE),
	TO_INT(0x2c, F2, "vcvttsd2si", Wq, SAE),
	TO_INT(0x2d, F3, "vcvtss2si", Wd, ER),
	TO_INT(0x2d, F2, "vcvtsd2si", Wq, ER),
	FLAGS(0x2e, NONE, "vucomiss", Wd, W0, E4),
	FLAGS(0x2e, 66, "vucomisd", Wq, W1, E8),
	FLAGS(0x2f, NONE, "vcomiss", Wd, W0, E4),
	FLAGS(0x2f, 66, "vcomisd", Wq, W1, E8),
	/* 0F 50 - 5F */
	V2(0F, 0x51, NONE, "vsqrtps", AVX512F, Vx, Wx, W0, B4 | ER),
	V2(0F, 0x51, 66, "vsqrtpd", AVX512F, Vx, Wx, W1, B8 | ER),
	S3(0F, 0x51, F3, "vsqrtss", AVX512F, Wd, W0, E4 | ER),
	S3(0F, 0x51, F2, "vsqrtsd", AVX512F, Wq, W1, E8 | ER),
	FLOAT2(0x54, "vand", AVX512DQ, 0),
	FLOAT2(0x55, "vandn", AVX512DQ, 0),
	FLOAT2(0x56, "vor", AVX512DQ, 0),
	FLOAT2(0x57, "vxor", AVX512DQ, 0),
	FLOAT4(0x58, "vadd", ER),
	FLOAT4(0x59, "vmul", ER),
	V2(0F, 0x5a, NONE, "vcvtps2pd", AVX512F, Vx, Wh, W0, E8 | EVEX_BROADCAST4 | SAE),
	V2(0F, 0x5a, 66, "vcvtpd2ps", AVX512F, Vh, Wx, W1, B8 | ER),
	S3(0F, 0x5a, F3, "vcvtss2sd", AVX512F, Wd, W0, E4 | SAE),
	S3(0F, 0x5a, F2, "vcvtsd2ss", AVX512F, Wq, W1, E8 | ER),
	V2(0F, 0x5b, NONE, "vcvtdq2ps", AVX512F, Vx, Wx, W0, B4 | ER),
	V2(0F, 0x5b, NONE, "vcvtqq2ps", AVX512DQ, Vh, Wx, W1, B8 | ER),
	V2(0F, 0x5b, 66, "vcvtps2dq", AVX512F, Vx, Wx, W0, B4 | ER),
	V2(0F, 0x5b, F3, "vcvttps2dq", AVX512F, Vx, Wx, W0, B4 | SAE),
	FLOAT4(0x5c, "vsub", ER),
	FLOAT4(0x5d, "vmin", SAE),
	FLOAT4(0x5e, "vdiv", ER),
	FLOAT4(0x5f, "vmax", SAE),
	/* 0F 60 - 7F */
	V3(0F, 0x60, 66, "vpunpcklbw", AVX512BW, 0, E1 | NF),
	V3(0F, 0x61, 66, "vpunpcklwd", AVX512BW, 0, E2 | NF),
	V3(0F, 0x62, 66, "vpunpckldq", AVX512F, W0, B4 | NF),
	V3(0F, 0x63, 66, "vpacksswb", AVX512BW, 0, E1 | NF),
	K3(0F, 0x64, 66, "vpcmpgtb", AVX512BW, 0, E1),
	K3(0F, 0x65, 66, "vpcmpgtw", AVX512BW, 0, E2),
	K3(0F, 0x66, 66, "vpcmpgtd", AVX512F, W0, B4),
	V3(0F, 0x67, 66, "vpackuswb", AVX512BW, 0, E1 | NF),
	V3(0F, 0x68, 66, "vpunpckhbw", AVX512BW, 0, E1 | NF),
	V3(0F, 0x69, 66, "vpunpckhwd", AVX512BW, 0, E2 | NF),
	V3(0F, 0x6a, 66, "vpunpckhdq", AVX512F, W0, B4 | NF),
	V3(0F, 0x6b, 66, "vpackssdw", AVX512BW, W0, E2 | EVEX_BROADCAST4 | NF),
	V3(0F, 0x6c, 66, "vpunpcklqdq", AVX512F, W1, B8 | NF),
	V3(0F, 0x6d, 66, "vpunpckhqdq", AVX512F, W1, B8 | NF),
	GPR(0F, 0x6e, 66, "vmov", AVX512F, Vdq, Ey, NONE, NONE, NV, X),
	MOVE(0x6f, 0x7f, 66, "vmovdqa32", AVX512F, W0 | AL, E4),
	MOVE(0x6f, 0x7f, 66, "vmovdqa64", AVX512F, W1 | AL, E8),
	MOVE(0x6f, 0x7f, F3, "vmovdqu32", AVX512F, W0, E4),
	MOVE(0x6f, 0x7f, F3, "vmovdqu64", AVX512F, W1, E8),
	MOVE(0x6f, 0x7f, F2, "vmovdqu8", AVX512BW, W0, E1),
	MOVE(0x6f, 0x7f, F2, "vmovdqu16", AVX512BW, W1, E2),
	V2I(0F, 0x70, 66, "vpshufd", AVX512F, Vx, Wx, W0, B4 | NF),
	V2I(0F, 0x70, F3, "vpshufhw", AVX512BW, Vx, Wx, 0, E2 | NF),
	V2I(0F, 0x70, F2, "vpshuflw", AVX512BW, Vx, Wx, 0, E2 | NF),
	SHIFT(0x71, 2, "vpsrlw", AVX512BW, 0, E2 | Z),
	SHIFT(0x71, 4, "vpsraw", AVX512BW, 0, E2 | Z),
	SHIFT(0x71, 6, "vpsllw", AVX512BW, 0, E2 | Z),
	SHIFT(0x72, 0, "vprord", AVX512F, W0, B4 | Z),
	SHIFT(0x72, 0, "vprorq", AVX512F, W1, B8 | Z),
	SHIFT(0x72, 1, "vprold", AVX512F, W0, B4 | Z),
	SHIFT(0x72, 1, "vprolq", AVX512F, W1, B8 | Z),
	SHIFT(0x72, 2, "vpsrld", AVX512F, W0, B4 | Z),
	SHIFT(0x72, 4, "vpsrad", AVX512F, W0, B4 | Z),
	SHIFT(0x72, 4, "vpsraq", AVX512F, W1, B8 | Z),
	SHIFT(0x72, 6, "vpslld", AVX512F, W0, B4 | Z),
	SHIFT(0x73, 2, "vpsrlq", AVX512F, W1, B8 | Z),
	SHIFT(0x73, 3, "vpsrldq", AVX512BW, 0, E1),
	SHIFT(0x73, 6, "vpsllq", AVX512F, W1, B8 | Z),
	SHIFT(0x73, 7, "vpslldq", AVX512BW, 0, E1),
	K3(0F, 0x74, 66, "vpcmpeqb", AVX512BW, 0, E1),
	K3(0F, 0x75, 66, "vpcmpeqw", AVX512BW, 0, E2),
	K3(0F, 0x76, 66, "vpcmpeqd", AVX512F, W0, B4),
	V2(0F, 0x78, NONE, "vcvttps2udq", AVX512F, Vx, Wx, W0, B4 | SAE),
	V2(0F, 0x78, NONE, "vcvttpd2udq", AVX512F, Vh, Wx, W1, B8 | SAE),
	V2(0F, 0x78, 66, "vcvttps2uqq", AVX512DQ, Vx, Wh, W0, E8 | EVEX_BROADCAST4 | SAE),
	V2(0F, 0x78, 66, "vcvttpd2uqq", AVX512DQ, Vx, Wx, W1, B8 | SAE),
	TO_INT(0x78, F3, "vcvttss2usi", Wd, SAE),
	TO_INT(0x78, F2, "vcvttsd2usi", Wq, SAE),
	V2(0F, 0x79, NONE, "vcvtps2udq", AVX512F, Vx, Wx, W0, B4 | ER),
	V2(0F, 0x79, NONE, "vcvtpd2udq", AVX512F, Vh, Wx, W1, B8 | ER),
	V2(0F, 0x79, 66, "vcvtps2uqq", AVX512DQ, Vx, Wh, W0, E8 | EVEX_BROADCAST4 | ER),
	V2(0F, 0x79, 66, "vcvtpd2uqq", AVX512DQ, Vx, Wx, W1, B8 | ER),
	TO_INT(0x79, F3, "vcvtss2usi", Wd, ER),
	TO_INT(0x79, F2, "vcvtsd2usi", Wq, ER),
	V2(0F, 0x7a, F3, "vcvtudq2pd", AVX512F, Vx, Wh, W0, E8 | EVEX_BROADCAST4 | ER),
	V2(0F, 0x7a, F3, "vcvtuqq2pd", AVX512DQ, Vx, Wx, W1, B8 | ER),
	V2(0F, 0x7a, F2, "vcvtudq2ps", AVX512F, Vx, Wx, W0, B4 | ER),
	V2(0F, 0x7a, F2, "vcvtuqq2ps", AVX512DQ, Vh, Wx, W1, B8 | ER),
	V2(0F, 0x7a, 66, "vcvttps2qq", AVX512DQ, Vx, Wh, W0, E8 | EVEX_BROADCAST4 | SAE),
	V2(0F, 0x7a, 66, "vcvttpd2qq", AVX512DQ, Vx, Wx, W1, B8 | SAE),
	FROM_INT(0x7b, F3, "vcvtusi2ss"),
	FROM_INT(0x7b, F2, "vcvtusi2sd"),
	V2(0F, 0x7b, 66, "vcvtps2qq", AVX512DQ, Vx, Wh, W0, E8 | EVEX_BROADCAST4 | ER),
	V2(0F, 0x7b, 66, "vcvtpd2qq", AVX512DQ, Vx, Wx, W1, B8 | ER),
	GPR(0F, 0x7e, 66, "vmov", AVX512F, Ey, Vdq, NONE, NONE, NV | ST, X),
	ANY(0F, 0x7e, F3, "vmovq", AVX512F, Vdq, Wq, NONE, NONE, NV | W1, X | E8),
	/* 0F C2 - FE */
	COMPARE(0xc2, NONE, "vcmpps", Wx, W0, B4 | ALL),
	COMPARE(0xc2, 66, "vcmppd", Wx, W1, B8 | ALL),
	COMPARE(0xc2, F3, "vcmpss", Wd, W0, E4 | SC),
	COMPARE(0xc2, F2, "vcmpsd", Wq, W1, E8 | SC),
	GPR(0F, 0xc4, 66, "vpinsrw", AVX512BW, Vdq, Hdq, Ew, Ib, 0, X),
	GPR(0F, 0xc5, 66, "vpextrw", AVX512BW, Gd, Udq, Ib, NONE, NV | RG, X),
	V3I(0F, 0xc6, NONE, "vshufps", AVX512F, W0, B4 | NF),
	V3I(0F, 0xc6, 66, "vshufpd", AVX512F, W1, B8 | NF),
	COUNT(0xd1, "vpsrlw", AVX512BW, 0, E2),
	COUNT(0xd2, "vpsrld", AVX512F, W0, E4),
	COUNT(0xd3, "vpsrlq", AVX512F, W1, E8),
	INT_Q(0xd4, "vpaddq"),
	INT_W(0xd5, "vpmullw"),
	ANY(0F, 0xd6, 66, "vmovq", AVX512F, Wq, Vdq, NONE, NONE, NV | W1 | ST, X | E8),
	INT_B(0xd8, "vpsubusb"),
	INT_W(0xd9, "vpsubusw"),
	INT_B(0xda, "vpminub"),
	LOGIC(0xdb, "vpand"),
	INT_B(0xdc, "vpaddusb"),
	INT_W(0xdd, "vpaddusw"),
	INT_B(0xde, "vpmaxub"),
	LOGIC(0xdf, "vpandn"),
	INT_B(0xe0, "vpavgb"),
	COUNT(0xe1, "vpsraw", AVX512BW, 0, E2),
	COUNT(0xe2, "vpsrad", AVX512F, W0, E4),
	COUNT(0xe2, "vpsraq", AVX512F, W1, E8),
	INT_W(0xe3, "vpavgw"),
	INT_W(0xe4, "vpmulhuw"),
	INT_W(0xe5, "vpmulhw"),
	V2(0F, 0xe6, 66, "vcvttpd2dq", AVX512F, Vh, Wx, W1, B8 | SAE),
	V2(0F, 0xe6, F3, "vcvtdq2pd", AVX512F, Vx, Wh, W0, E8 | EVEX_BROADCAST4 | ER),
	V2(0F, 0xe6, F3, "vcvtqq2pd", AVX512DQ, Vx, Wx, W1, B8 | ER),
	V2(0F, 0xe6, F2, "vcvtpd2dq", AVX512F, Vh, Wx, W1, B8 | ER),
	MOVE_NT(0xe7, 66, "vmovntdq", W0),
	INT_B(0xe8, "vpsubsb"),
	INT_W(0xe9, "vpsubsw"),
	INT_W(0xea, "vpminsw"),
	LOGIC(0xeb, "vpor"),
	INT_B(0xec, "vpaddsb"),
	INT_W(0xed, "vpaddsw"),
	INT_W(0xee, "vpmaxsw"),
	LOGIC(0xef, "vpxor"),
	COUNT(0xf1, "vpsllw", AVX512BW, 0, E2),
	COUNT(0xf2, "vpslld", AVX512F, W0, E4),
	COUNT(0xf3, "vpsllq", AVX512F, W1, E8),
	INT_Q(0xf4, "vpmuludq"),
	V3(0F, 0xf5, 66, "vpmaddwd", AVX512BW, 0, E4 | NF),
	ANY(0F, 0xf6, 66, "vpsadbw", AVX512BW, Vx, Hx, Wx, NONE, 0, E8 | ALL),
	INT_B(0xf8, "vpsubb"),
	INT_W(0xf9, "vpsubw"),
	INT_D(0xfa, "vpsubd"),
	INT_Q(0xfb, "vpsubq"),
	INT_B(0xfc, "vpaddb"),
	INT_W(0xfd, "vpaddw"),
	INT_D(0xfe, "vpaddd"),
};

const struct row_table rows_evex_0f = { rows, ARRAY_LENGTH(rows) };
