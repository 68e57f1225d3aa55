/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the EVEX encodings in map 0F38 (SDM vol. 2, ch. 4 and 5). */
#include "core/decode/rows_evex.h"

#define V38(opc, nm, feat, w, ev) V3(0F38, opc, 66, nm, feat, w, ev)
#define V38_2(opc, nm, feat, b, w, ev) V2(0F38, opc, 66, nm, feat, Vx, b, w, ev)
#define WIDE3(opc, nm, feat, w, ev)                                                                \
	ANY(0F38, opc, 66, nm, feat, Vx, Hx, Wx, NONE, w, (ev) | Z | WIDE | NF)
/* Elements of a wider kind cut down to a half, a quarter, an eighth: plainly, signed, unsigned. */
#define DOWN(opc, nm, a, feat, e)                                                                  \
	ANY(0F38, 0x30 | (opc), F3, "vpmov" nm, feat, a, Vx, NONE, NONE, W0 | NV | ST, (e) | Z | ALL), \
	ANY(0F38, 0x20 | (opc), F3, "vpmovs" nm, feat, a, Vx, NONE, NONE, W0 | NV | ST, (e) | Z | ALL), \
	ANY(0F38, 0x10 | (opc), F3, "vpmovus" nm, feat, a, Vx, NONE, NONE, W0 | NV | ST, (e) | Z | ALL)
#define BROADCAST(opc, nm, feat, b, w, e, lengths)                                                 \
	ANY(0F38, opc, 66, nm, feat, Vx, b, NONE, NONE, NV | (w), (e) | Z | (lengths))
#define BROADCAST_GPR(opc, nm, feat, b, w, e)                                                      \
	GPR(0F38, opc, 66, nm, feat, Vx, b, NONE, NONE, NV | RG | (w), (e) | Z | ALL)
/* Opmasks and vectors. */
#define FROM_OPMASK(opc, nm, feat, w)                                                              \
	ANY(0F38, opc, F3, nm, feat, Vx, Ku, NONE, NONE, NV | RG | (w), ALL)
#define TO_OPMASK(opc, nm, feat, w)                                                                \
	ANY(0F38, opc, F3, nm, feat, Kg, Ux, NONE, NONE, NV | RG | (w), ALL)
#define EXPAND(opc, nm, feat, w, e)                                                                \
	EVEX(0F38, opc, GROUP_ANY, 66, nm, feat, Vx, Wx, NONE, NONE, NV | (w), (e) | Z | ALL | BE, \
	     exec_evex_expand)
#define COMPRESS(opc, nm, feat, w, e)                                                              \
	EVEX(0F38, opc, GROUP_ANY, 66, nm, feat, Wx, Vx, NONE, NONE, NV | ST | (w),                \
	     (e) | Z | ALL | BE, exec_evex_compress)
#define GATHER(opc, nm, w, a, e)                                                                   \
	EVEX(0F38, opc, GROUP_ANY, 66, nm, AVX512F, a, M, NONE, NONE, MO | ROW_VSIB | (w),         \
	     (e) | K | EVEX_MUST | ALL | BE, exec_evex_gather)
#define SCATTER(opc, nm, w, a, e)                                                                  \
	EVEX(0F38, opc, GROUP_ANY, 66, nm, AVX512F, M, a, NONE, NONE, MO | ROW_VSIB | ST | (w),    \
	     (e) | K | EVEX_MUST | ALL | BE, exec_evex_scatter)

#define FMA_PACKED(opc, nm)                                                                        \
	V38(opc, nm "ps", AVX512F, W0, B4 | ER),                                                   \
	V38(opc, nm "pd", AVX512F, W1, B8 | ER)
#define SCALARS(opc, nm, ev)                                                                       \
	S3(0F38, opc, 66, nm "ss", AVX512F, Wd, W0, E4 | (ev)),                                    \
	S3(0F38, opc, 66, nm "sd", AVX512F, Wq, W1, E8 | (ev))
/* The ten of one operand order. */
#define FMA(opc, order)                                                                            \
	FMA_PACKED(opc, "vfmaddsub" order),                                                        \
	FMA_PACKED((opc) + 1, "vfmsubadd" order),                                                  \
	FMA_PACKED((opc) + 2, "vfmadd" order),                                                     \
	SCALARS((opc) + 3, "vfmadd" order, ER),                                                    \
	FMA_PACKED((opc) + 4, "vfmsub" order),                                                     \
	SCALARS((opc) + 5, "vfmsub" order, ER),                                                    \
	FMA_PACKED((opc) + 6, "vfnmadd" order),                                                    \
	SCALARS((opc) + 7, "vfnmadd" order, ER),                                                   \
	FMA_PACKED((opc) + 8, "vfnmsub" order),                                                    \
	SCALARS((opc) + 9, "vfnmsub" order, ER)
#define FP2(opc, nm, ev)                                                                           \
	V38_2(opc, nm "ps", AVX512F, Wx, W0, B4 | (ev)),                                           \
	V38_2(opc, nm "pd", AVX512F, Wx, W1, B8 | (ev))
#define AES(opc, nm) ANY(0F38, opc, 66, nm, VAES, Vx, Hx, Wx, NONE, 0, ALL | E8)

static const struct opcode_row rows[] = {
	V38(0x00, "vpshufb", AVX512BW, 0, E1 | NF),
	V38(0x04, "vpmaddubsw", AVX512BW, 0, E2 | NF),
	V38(0x0b, "vpmulhrsw", AVX512BW, 0, E2),
	V38(0x0c, "vpermilps", AVX512F, W0, B4 | NF),
	V38(0x0d, "vpermilpd", AVX512F, W1, B8 | NF),
	V38(0x10, "vpsrlvw", AVX512BW, W1, E2),
	V38(0x11, "vpsravw", AVX512BW, W1, E2),
	V38(0x12, "vpsllvw", AVX512BW, W1, E2),
	V38_2(0x13, "vcvtph2ps", AVX512F, Wh, W0, E4 | SAE),
	DQ3(0F38, 0x14, "vprorv", AVX512F, 0),
	DQ3(0F38, 0x15, "vprolv", AVX512F, 0),
	WIDE3(0x16, "vpermps", AVX512F, W0, B4),
	WIDE3(0x16, "vpermpd", AVX512F, W1, B8),
	BROADCAST(0x18, "vbroadcastss", AVX512F, Wd, W0, E4, ALL),
	BROADCAST(0x19, "vbroadcastf32x2", AVX512DQ, Wq, W0, E4, WIDE),
	BROADCAST(0x19, "vbroadcastsd", AVX512F, Wq, W1, E8, WIDE),
	BROADCAST(0x1a, "vbroadcastf32x4", AVX512F, Mdq, W0 | MO, E4, WIDE),
	BROADCAST(0x1a, "vbroadcastf64x2", AVX512DQ, Mdq, W1 | MO, E8, WIDE),
	BROADCAST(0x1b, "vbroadcastf32x8", AVX512DQ, Mqq, W0 | MO, E4, Y512),
	BROADCAST(0x1b, "vbroadcastf64x4", AVX512F, Mqq, W1 | MO, E8, Y512),
	V38_2(0x1c, "vpabsb", AVX512BW, Wx, 0, E1),
	V38_2(0x1d, "vpabsw", AVX512BW, Wx, 0, E2),
	V38_2(0x1e, "vpabsd", AVX512F, Wx, W0, B4),
	V38_2(0x1f, "vpabsq", AVX512F, Wx, W1, B8),
	V38_2(0x20, "vpmovsxbw", AVX512BW, Wh, 0, E2),
	V38_2(0x21, "vpmovsxbd", AVX512F, Wqr, 0, E4),
	V38_2(0x22, "vpmovsxbq", AVX512F, Wer, 0, E8),
	V38_2(0x23, "vpmovsxwd", AVX512F, Wh, 0, E4),
	V38_2(0x24, "vpmovsxwq", AVX512F, Wqr, 0, E8),
	V38_2(0x25, "vpmovsxdq", AVX512F, Wh, W0, E8),
	DOWN(0x0, "wb", Wh, AVX512BW, E2),
	DOWN(0x1, "db", Wqr, AVX512F, E4),
	DOWN(0x2, "qb", Wer, AVX512F, E8),
	DOWN(0x3, "dw", Wh, AVX512F, E4),
	DOWN(0x4, "qw", Wqr, AVX512F, E8),
	DOWN(0x5, "qd", Wh, AVX512F, E8),
	K3(0F38, 0x26, 66, "vptestmb", AVX512BW, W0, E1),
	K3(0F38, 0x26, 66, "vptestmw", AVX512BW, W1, E2),
	K3(0F38, 0x26, F3, "vptestnmb", AVX512BW, W0, E1),
	K3(0F38, 0x26, F3, "vptestnmw", AVX512BW, W1, E2),
	K3(0F38, 0x27, 66, "vptestmd", AVX512F, W0, B4),
	K3(0F38, 0x27, 66, "vptestmq", AVX512F, W1, B8),
	K3(0F38, 0x27, F3, "vptestnmd", AVX512F, W0, B4),
	K3(0F38, 0x27, F3, "vptestnmq", AVX512F, W1, B8),
	V38(0x28, "vpmuldq", AVX512F, W1, B8),
	FROM_OPMASK(0x28, "vpmovm2b", AVX512BW, W0),
	FROM_OPMASK(0x28, "vpmovm2w", AVX512BW, W1),
	K3(0F38, 0x29, 66, "vpcmpeqq", AVX512F, W1, B8),
	TO_OPMASK(0x29, "vpmovb2m", AVX512BW, W0),
	TO_OPMASK(0x29, "vpmovw2m", AVX512BW, W1),
	ANY(0F38, 0x2a, 66, "vmovntdqa", AVX512F, Vx, Wx, NONE, NONE, NV | MO | AL | W0, ALL | E8),
	FROM_OPMASK(0x2a, "vpbroadcastmb2q", AVX512CD, W1),
	V38(0x2b, "vpackusdw", AVX512BW, W0, E2 | EVEX_BROADCAST4 | NF),
	FP3(0F38, 0x2c, "vscalef", AVX512F, ER),
	SCALARS(0x2d, "vscalef", ER),
	V38_2(0x30, "vpmovzxbw", AVX512BW, Wh, 0, E2),
	V38_2(0x31, "vpmovzxbd", AVX512F, Wqr, 0, E4),
	V38_2(0x32, "vpmovzxbq", AVX512F, Wer, 0, E8),
	V38_2(0x33, "vpmovzxwd", AVX512F, Wh, 0, E4),
	V38_2(0x34, "vpmovzxwq", AVX512F, Wqr, 0, E8),
	V38_2(0x35, "vpmovzxdq", AVX512F, Wh, W0, E8),
	WIDE3(0x36, "vpermd", AVX512F, W0, B4),
	WIDE3(0x36, "vpermq", AVX512F, W1, B8),
	K3(0F38, 0x37, 66, "vpcmpgtq", AVX512F, W1, B8),
	V38(0x38, "vpminsb", AVX512BW, 0, E1),
	FROM_OPMASK(0x38, "vpmovm2d", AVX512DQ, W0),
	FROM_OPMASK(0x38, "vpmovm2q", AVX512DQ, W1),
	DQ3(0F38, 0x39, "vpmins", AVX512F, 0),
	TO_OPMASK(0x39, "vpmovd2m", AVX512DQ, W0),
	TO_OPMASK(0x39, "vpmovq2m", AVX512DQ, W1),
	V38(0x3a, "vpminuw", AVX512BW, 0, E2),
	FROM_OPMASK(0x3a, "vpbroadcastmw2d", AVX512CD, W0),
	DQ3(0F38, 0x3b, "vpminu", AVX512F, 0),
	V38(0x3c, "vpmaxsb", AVX512BW, 0, E1),
	DQ3(0F38, 0x3d, "vpmaxs", AVX512F, 0),
	V38(0x3e, "vpmaxuw", AVX512BW, 0, E2),
	DQ3(0F38, 0x3f, "vpmaxu", AVX512F, 0),
	V38(0x40, "vpmulld", AVX512F, W0, B4),
	V38(0x40, "vpmullq", AVX512DQ, W1, B8),
	FP2(0x42, "vgetexp", SAE),
	SCALARS(0x43, "vgetexp", SAE),
	V38_2(0x44, "vplzcntd", AVX512CD, Wx, W0, B4),
	V38_2(0x44, "vplzcntq", AVX512CD, Wx, W1, B8),
	DQ3(0F38, 0x45, "vpsrlv", AVX512F, 0),
	DQ3(0F38, 0x46, "vpsrav", AVX512F, 0),
	DQ3(0F38, 0x47, "vpsllv", AVX512F, 0),
	FP2(0x4c, "vrcp14", 0),
	SCALARS(0x4d, "vrcp14", 0),
	FP2(0x4e, "vrsqrt14", 0),
	SCALARS(0x4f, "vrsqrt14", 0),
	V38(0x50, "vpdpbusd", AVX512VNNI, W0, B4),
	V38(0x51, "vpdpbusds", AVX512VNNI, W0, B4),
	V38(0x52, "vpdpwssd", AVX512VNNI, W0, B4),
	V3(0F38, 0x52, F3, "vdpbf16ps", AVX512BF16, W0, B4),
	V38(0x53, "vpdpwssds", AVX512VNNI, W0, B4),
	V38_2(0x54, "vpopcntb", AVX512BITALG, Wx, W0, E1),
	V38_2(0x54, "vpopcntw", AVX512BITALG, Wx, W1, E2),
	V38_2(0x55, "vpopcntd", AVX512VPOPCNTDQ, Wx, W0, B4),
	V38_2(0x55, "vpopcntq", AVX512VPOPCNTDQ, Wx, W1, B8),
	BROADCAST(0x58, "vpbroadcastd", AVX512F, Wd, W0, E4, ALL),
	BROADCAST(0x59, "vbroadcasti32x2", AVX512DQ, Wq, W0, E4, ALL),
	BROADCAST(0x59, "vpbroadcastq", AVX512F, Wq, W1, E8, ALL),
	BROADCAST(0x5a, "vbroadcasti32x4", AVX512F, Mdq, W0 | MO, E4, WIDE),
	BROADCAST(0x5a, "vbroadcasti64x2", AVX512DQ, Mdq, W1 | MO, E8, WIDE),
	BROADCAST(0x5b, "vbroadcasti32x8", AVX512DQ, Mqq, W0 | MO, E4, Y512),
	BROADCAST(0x5b, "vbroadcasti64x4", AVX512F, Mqq, W1 | MO, E8, Y512),
	EXPAND(0x62, "vpexpandb", AVX512VBMI2, W0, E1),
	EXPAND(0x62, "vpexpandw", AVX512VBMI2, W1, E2),
	COMPRESS(0x63, "vpcompressb", AVX512VBMI2, W0, E1),
	COMPRESS(0x63, "vpcompressw", AVX512VBMI2, W1, E2),
	DQ3(0F38, 0x64, "vpblendm", AVX512F, 0),
	FP3(0F38, 0x65, "vblendm", AVX512F, 0),
	V38(0x66, "vpblendmb", AVX512BW, W0, E1),
	V38(0x66, "vpblendmw", AVX512BW, W1, E2),
	V38(0x70, "vpshldvw", AVX512VBMI2, W1, E2),
	DQ3(0F38, 0x71, "vpshldv", AVX512VBMI2, 0),
	V38(0x72, "vpshrdvw", AVX512VBMI2, W1, E2),
	V2(0F38, 0x72, F3, "vcvtneps2bf16", AVX512BF16, Vh, Wx, W0, B4),
	V3(0F38, 0x72, F2, "vcvtne2ps2bf16", AVX512BF16, W0, E2 | EVEX_BROADCAST4 | NF),
	DQ3(0F38, 0x73, "vpshrdv", AVX512VBMI2, 0),
	V38(0x75, "vpermi2b", AVX512VBMI, W0, E1 | NF),
	V38(0x75, "vpermi2w", AVX512BW, W1, E2 | NF),
	DQ3(0F38, 0x76, "vpermi2", AVX512F, NF),
	FP3(0F38, 0x77, "vpermi2", AVX512F, NF),
	BROADCAST(0x78, "vpbroadcastb", AVX512BW, Wb, W0, E1, ALL),
	BROADCAST(0x79, "vpbroadcastw", AVX512BW, Ww, W0, E2, ALL),
	BROADCAST_GPR(0x7a, "vpbroadcastb", AVX512BW, Ed, W0, E1),
	BROADCAST_GPR(0x7b, "vpbroadcastw", AVX512BW, Ed, W0, E2),
	BROADCAST_GPR(0x7c, "vpbroadcastd", AVX512F, Ey, W0, E4),
	BROADCAST_GPR(0x7c, "vpbroadcastq", AVX512F, Ey, W1, E8),
	V38(0x7d, "vpermt2b", AVX512VBMI, W0, E1 | NF),
	V38(0x7d, "vpermt2w", AVX512BW, W1, E2 | NF),
	DQ3(0F38, 0x7e, "vpermt2", AVX512F, NF),
	FP3(0F38, 0x7f, "vpermt2", AVX512F, NF),
	V38(0x83, "vpmultishiftqb", AVX512VBMI, W1, E1 | EVEX_BROADCAST8 | NF),
	EXPAND(0x88, "vexpandps", AVX512F, W0, E4),
	EXPAND(0x88, "vexpandpd", AVX512F, W1, E8),
	EXPAND(0x89, "vpexpandd", AVX512F, W0, E4),
	EXPAND(0x89, "vpexpandq", AVX512F, W1, E8),
	COMPRESS(0x8a, "vcompressps", AVX512F, W0, E4),
	COMPRESS(0x8a, "vcompresspd", AVX512F, W1, E8),
	COMPRESS(0x8b, "vpcompressd", AVX512F, W0, E4),
	COMPRESS(0x8b, "vpcompressq", AVX512F, W1, E8),
	V38(0x8d, "vpermb", AVX512VBMI, W0, E1 | NF),
	V38(0x8d, "vpermw", AVX512BW, W1, E2 | NF),
	K3(0F38, 0x8f, 66, "vpshufbitqmb", AVX512BITALG, W0, E1),
	GATHER(0x90, "vpgatherdd", W0, Vx, E4),
	GATHER(0x90, "vpgatherdq", W1, Vx, E8),
	GATHER(0x91, "vpgatherqd", W0, Vh, E4),
	GATHER(0x91, "vpgatherqq", W1, Vx, E8),
	GATHER(0x92, "vgatherdps", W0, Vx, E4),
	GATHER(0x92, "vgatherdpd", W1, Vx, E8),
	GATHER(0x93, "vgatherqps", W0, Vh, E4),
	GATHER(0x93, "vgatherqpd", W1, Vx, E8),
	FMA(0x96, "132"),
	SCATTER(0xa0, "vpscatterdd", W0, Vx, E4),
	SCATTER(0xa0, "vpscatterdq", W1, Vx, E8),
	SCATTER(0xa1, "vpscatterqd", W0, Vh, E4),
	SCATTER(0xa1, "vpscatterqq", W1, Vx, E8),
	SCATTER(0xa2, "vscatterdps", W0, Vx, E4),
	SCATTER(0xa2, "vscatterdpd", W1, Vx, E8),
	SCATTER(0xa3, "vscatterqps", W0, Vh, E4),
	SCATTER(0xa3, "vscatterqpd", W1, Vx, E8),
	FMA(0xa6, "213"),
	V38(0xb4, "vpmadd52luq", AVX512IFMA, W1, B8),
	V38(0xb5, "vpmadd52huq", AVX512IFMA, W1, B8),
	FMA(0xb6, "231"),
	V38_2(0xc4, "vpconflictd", AVX512CD, Wx, W0, B4 | NF),
	V38_2(0xc4, "vpconflictq", AVX512CD, Wx, W1, B8 | NF),
	V38(0xcf, "vgf2p8mulb", GFNI, W0, E1),
	AES(0xdc, "vaesenc"),
	AES(0xdd, "vaesenclast"),
	AES(0xde, "vaesdec"),
	AES(0xdf, "vaesdeclast"),
};

const struct row_table rows_evex_0f38 = { rows, ARRAY_LENGTH(rows) };
