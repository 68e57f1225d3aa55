/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the VEX encodings: AVX, AVX2, F16C, FMA, VAES, VPCLMULQDQ, GFNI (SDM vol. 2, ch. 5 and
 * appendix A; APM vol. 4). That AVX is there at all follows from XCR0, which the executors look at.
 */
#include "core/decode/rows_vector.h"

#define ROW(m, opc, pfx, nm, feat, a, b, c, d, fl, fn)                                             \
	VECTOR_ROW(m, opc, pfx, nm, feat, a, b, c, d, (fl) | ROW_VEX, fn)
#define AVX(opc, pfx, nm, a, b, c, d, fl) ROW(0F, opc, pfx, nm, AVX, a, b, c, d, fl, exec_avx)
#define GPR(opc, pfx, nm, a, b, c, fl) ROW(0F, opc, pfx, nm, AVX, a, b, c, NONE, fl, exec_avx_gpr)
#define AVX38(opc, nm, feat, a, b, c, fl) ROW(0F38, opc, 66, nm, feat, a, b, c, NONE, fl, exec_avx)
#define AVX3A(opc, nm, feat, a, b, c, d, fl) ROW(0F3A, opc, 66, nm, feat, a, b, c, d, fl, exec_avx)
#define FLAGS(m, opc, pfx, nm, b, fl)                                                              \
	VECTOR_ROW(m, opc, pfx, nm, AVX, Vx, b, NONE, NONE, NV | (fl) | ROW_VEX, exec_avx_flags,   \
		   .writes = RFLAGS_ARITH)
#define STRING(opc, nm)                                                                            \
	VECTOR_ROW(0F3A, opc, 66, nm, AVX, Vdq, Wdq, Ib, NONE, L0 | NV | ROW_VEX, exec_avx_string, \
		   .writes = RFLAGS_ARITH)

/* Integer: 128 bits came with AVX, 256 bits with AVX2. */
#define INT(m, opc, pfx, nm, a, b, c, d, fl)                                                       \
	ROW(m, opc, pfx, nm, AVX, a, b, c, d, L0 | (fl), exec_avx),                                \
	ROW(m, opc, pfx, nm, AVX2, a, b, c, d, L1 | (fl), exec_avx)
#define INT3(opc, nm) INT(0F, opc, 66, nm, Vx, Hx, Wx, NONE, 0)
#define INT_COUNT(opc, nm) INT(0F, opc, 66, nm, Vx, Hx, Wdq, NONE, 0)
#define INT3_38(opc, nm) INT(0F38, opc, 66, nm, Vx, Hx, Wx, NONE, 0)
#define EXTEND(opc, nm, b) INT(0F38, opc, 66, nm, Vx, b, NONE, NONE, NV)
#define GROUP(opc, g, pfx, nm, feat, a, b, c, fl, fn)                                              \
	VECTOR_GROUP(0F, opc, g, pfx, nm, feat, a, b, c, NONE, (fl) | ROW_VEX, fn)
#define SHIFT(opc, g, nm)                                                                          \
	GROUP(opc, g, 66, nm, AVX, Hx, Ux, Ib, L0 | RG, exec_avx),                                 \
	GROUP(opc, g, 66, nm, AVX2, Hx, Ux, Ib, L1 | RG, exec_avx)

/* Floating point. */
#define FLOAT2(opc, nm)                                                                            \
	AVX(opc, NONE, nm "ps", Vx, Hx, Wx, NONE, 0),                                              \
	AVX(opc, 66, nm "pd", Vx, Hx, Wx, NONE, 0)
#define FLOAT4(opc, nm)                                                                            \
	FLOAT2(opc, nm),                                                                           \
	AVX(opc, F3, nm "ss", Vdq, Hdq, Wd, NONE, 0),                                              \
	AVX(opc, F2, nm "sd", Vdq, Hdq, Wq, NONE, 0)
#define FLOAT_SINGLE(opc, nm)                                                                      \
	AVX(opc, NONE, nm "ps", Vx, Wx, NONE, NONE, NV),                                           \
	AVX(opc, F3, nm "ss", Vdq, Hdq, Wd, NONE, 0)

#define FMA_ROW(opc, nm, w, b) ROW(0F38, opc, 66, nm, FMA, Vx, Hx, b, NONE, w, exec_avx)
#define FMA_PACKED(opc, nm)                                                                        \
	FMA_ROW(opc, nm "ps", W0, Wx),                                                             \
	FMA_ROW(opc, nm "pd", W1, Wx)
#define FMA_SCALAR(opc, nm)                                                                        \
	FMA_ROW(opc, nm "ss", W0, Wd),                                                             \
	FMA_ROW(opc, nm "sd", W1, Wq)
/* The ten of one operand order. */
#define FMA(opc, order)                                                                            \
	FMA_PACKED(opc, "vfmaddsub" order),                                                        \
	FMA_PACKED((opc) + 1, "vfmsubadd" order),                                                  \
	FMA_PACKED((opc) + 2, "vfmadd" order),                                                     \
	FMA_SCALAR((opc) + 3, "vfmadd" order),                                                     \
	FMA_PACKED((opc) + 4, "vfmsub" order),                                                     \
	FMA_SCALAR((opc) + 5, "vfmsub" order),                                                     \
	FMA_PACKED((opc) + 6, "vfnmadd" order),                                                    \
	FMA_SCALAR((opc) + 7, "vfnmadd" order),                                                    \
	FMA_PACKED((opc) + 8, "vfnmsub" order),                                                    \
	FMA_SCALAR((opc) + 9, "vfnmsub" order)

#define GATHER(opc, nm, w)                                                                         \
	ROW(0F38, opc, 66, nm, AVX2, Vx, M, Hx, NONE, w | MO | ROW_VSIB, exec_avx_gather)
#define MASKED(opc, nm, feat, a, b, c, fl)                                                         \
	ROW(0F38, opc, 66, nm, feat, a, b, c, NONE, (fl) | MO, exec_avx_maskmov)
#define AES(opc, nm)                                                                               \
	AVX38(opc, nm, AES, Vx, Hx, Wx, L0),                                                       \
	AVX38(opc, nm, VAES, Vx, Hx, Wx, L1)

static const struct opcode_row rows[] = {
	/* 0F 10 - 17: moves */
	AVX(0x10, NONE, "vmovups", Vx, Wx, NONE, NONE, NV),
	AVX(0x10, 66, "vmovupd", Vx, Wx, NONE, NONE, NV),
	AVX(0x10, F3, "vmovss", Vdq, Hdq, Udq, NONE, RG),
	AVX(0x10, F3, "vmovss", Vdq, Md, NONE, NONE, NV | MO),
	AVX(0x10, F2, "vmovsd", Vdq, Hdq, Udq, NONE, RG),
	AVX(0x10, F2, "vmovsd", Vdq, Mq, NONE, NONE, NV | MO),
	AVX(0x11, NONE, "vmovups", Wx, Vx, NONE, NONE, NV | ST),
	AVX(0x11, 66, "vmovupd", Wx, Vx, NONE, NONE, NV | ST),
	AVX(0x11, F3, "vmovss", Udq, Hdq, Vdq, NONE, RG),
	AVX(0x11, F3, "vmovss", Md, Vdq, NONE, NONE, NV | MO | ST),
	AVX(0x11, F2, "vmovsd", Udq, Hdq, Vdq, NONE, RG),
	AVX(0x11, F2, "vmovsd", Mq, Vdq, NONE, NONE, NV | MO | ST),
	AVX(0x12, NONE, "vmovhlps", Vdq, Hdq, Udq, NONE, L0 | RG),
	AVX(0x12, NONE, "vmovlps", Vdq, Hdq, Mq, NONE, L0 | MO),
	AVX(0x12, 66, "vmovlpd", Vdq, Hdq, Mq, NONE, L0 | MO),
	AVX(0x12, F3, "vmovsldup", Vx, Wx, NONE, NONE, NV),
	AVX(0x12, F2, "vmovddup", Vx, Wq, NONE, NONE, NV | L0),
	AVX(0x12, F2, "vmovddup", Vx, Wx, NONE, NONE, NV | L1),
	AVX(0x13, NONE, "vmovlps", Mq, Vdq, NONE, NONE, L0 | NV | MO | ST),
	AVX(0x13, 66, "vmovlpd", Mq, Vdq, NONE, NONE, L0 | NV | MO | ST),
	FLOAT2(0x14, "vunpckl"),
	FLOAT2(0x15, "vunpckh"),
	AVX(0x16, NONE, "vmovlhps", Vdq, Hdq, Udq, NONE, L0 | RG),
	AVX(0x16, NONE, "vmovhps", Vdq, Hdq, Mq, NONE, L0 | MO),
	AVX(0x16, 66, "vmovhpd", Vdq, Hdq, Mq, NONE, L0 | MO),
	AVX(0x16, F3, "vmovshdup", Vx, Wx, NONE, NONE, NV),
	AVX(0x17, NONE, "vmovhps", Mq, Vdq, NONE, NONE, L0 | NV | MO | ST),
	AVX(0x17, 66, "vmovhpd", Mq, Vdq, NONE, NONE, L0 | NV | MO | ST),
	/* 0F 28 - 2F */
	AVX(0x28, NONE, "vmovaps", Vx, Wx, NONE, NONE, NV | AL),
	AVX(0x28, 66, "vmovapd", Vx, Wx, NONE, NONE, NV | AL),
	AVX(0x29, NONE, "vmovaps", Wx, Vx, NONE, NONE, NV | AL | ST),
	AVX(0x29, 66, "vmovapd", Wx, Vx, NONE, NONE, NV | AL | ST),
	GPR(0x2a, F3, "vcvtsi2ss", Vdq, Hdq, Ey, 0),
	GPR(0x2a, F2, "vcvtsi2sd", Vdq, Hdq, Ey, 0),
	AVX(0x2b, NONE, "vmovntps", Wx, Vx, NONE, NONE, NV | MO | AL | ST),
	AVX(0x2b, 66, "vmovntpd", Wx, Vx, NONE, NONE, NV | MO | AL | ST),
	GPR(0x2c, F3, "vcvttss2si", Gy, Wd, NONE, NV),
	GPR(0x2c, F2, "vcvttsd2si", Gy, Wq, NONE, NV),
	GPR(0x2d, F3, "vcvtss2si", Gy, Wd, NONE, NV),
	GPR(0x2d, F2, "vcvtsd2si", Gy, Wq, NONE, NV),
	FLAGS(0F, 0x2e, NONE, "vucomiss", Wd, 0),
	FLAGS(0F, 0x2e, 66, "vucomisd", Wq, 0),
	FLAGS(0F, 0x2f, NONE, "vcomiss", Wd, 0),
	FLAGS(0F, 0x2f, 66, "vcomisd", Wq, 0),
	/* 0F 50 - 5F */
	GPR(0x50, NONE, "vmovmskps", Gd, Ux, NONE, NV | RG),
	GPR(0x50, 66, "vmovmskpd", Gd, Ux, NONE, NV | RG),
	AVX(0x51, NONE, "vsqrtps", Vx, Wx, NONE, NONE, NV),
	AVX(0x51, 66, "vsqrtpd", Vx, Wx, NONE, NONE, NV),
	AVX(0x51, F3, "vsqrtss", Vdq, Hdq, Wd, NONE, 0),
	AVX(0x51, F2, "vsqrtsd", Vdq, Hdq, Wq, NONE, 0),
	FLOAT_SINGLE(0x52, "vrsqrt"),
	FLOAT_SINGLE(0x53, "vrcp"),
	FLOAT2(0x54, "vand"),
	FLOAT2(0x55, "vandn"),
	FLOAT2(0x56, "vor"),
	FLOAT2(0x57, "vxor"),
	FLOAT4(0x58, "vadd"),
	FLOAT4(0x59, "vmul"),
	AVX(0x5a, NONE, "vcvtps2pd", Vx, Wh, NONE, NONE, NV),
	AVX(0x5a, 66, "vcvtpd2ps", Vdq, Wx, NONE, NONE, NV),
	AVX(0x5a, F3, "vcvtss2sd", Vdq, Hdq, Wd, NONE, 0),
	AVX(0x5a, F2, "vcvtsd2ss", Vdq, Hdq, Wq, NONE, 0),
	AVX(0x5b, NONE, "vcvtdq2ps", Vx, Wx, NONE, NONE, NV),
	AVX(0x5b, 66, "vcvtps2dq", Vx, Wx, NONE, NONE, NV),
	AVX(0x5b, F3, "vcvttps2dq", Vx, Wx, NONE, NONE, NV),
	FLOAT4(0x5c, "vsub"),
	FLOAT4(0x5d, "vmin"),
	FLOAT4(0x5e, "vdiv"),
	FLOAT4(0x5f, "vmax"),
	/* 0F 60 - 7F: integer */
	INT3(0x60, "vpunpcklbw"),
	INT3(0x61, "vpunpcklwd"),
	INT3(0x62, "vpunpckldq"),
	INT3(0x63, "vpacksswb"),
	INT3(0x64, "vpcmpgtb"),
	INT3(0x65, "vpcmpgtw"),
	INT3(0x66, "vpcmpgtd"),
	INT3(0x67, "vpackuswb"),
	INT3(0x68, "vpunpckhbw"),
	INT3(0x69, "vpunpckhwd"),
	INT3(0x6a, "vpunpckhdq"),
	INT3(0x6b, "vpackssdw"),
	INT3(0x6c, "vpunpcklqdq"),
	INT3(0x6d, "vpunpckhqdq"),
	GPR(0x6e, 66, "vmov", Vdq, Ey, NONE, L0 | NV),
	AVX(0x6f, 66, "vmovdqa", Vx, Wx, NONE, NONE, NV | AL),
	AVX(0x6f, F3, "vmovdqu", Vx, Wx, NONE, NONE, NV),
	INT(0F, 0x70, 66, "vpshufd", Vx, Wx, Ib, NONE, NV),
	INT(0F, 0x70, F3, "vpshufhw", Vx, Wx, Ib, NONE, NV),
	INT(0F, 0x70, F2, "vpshuflw", Vx, Wx, Ib, NONE, NV),
	SHIFT(0x71, 2, "vpsrlw"),
	SHIFT(0x71, 4, "vpsraw"),
	SHIFT(0x71, 6, "vpsllw"),
	SHIFT(0x72, 2, "vpsrld"),
	SHIFT(0x72, 4, "vpsrad"),
	SHIFT(0x72, 6, "vpslld"),
	SHIFT(0x73, 2, "vpsrlq"),
	SHIFT(0x73, 3, "vpsrldq"),
	SHIFT(0x73, 6, "vpsllq"),
	SHIFT(0x73, 7, "vpslldq"),
	INT3(0x74, "vpcmpeqb"),
	INT3(0x75, "vpcmpeqw"),
	INT3(0x76, "vpcmpeqd"),
	ROW(0F, 0x77, NONE, "vzeroupper", AVX, NONE, NONE, NONE, NONE, L0 | NV, exec_avx_zero),
	ROW(0F, 0x77, NONE, "vzeroall", AVX, NONE, NONE, NONE, NONE, L1 | NV, exec_avx_zero),
	AVX(0x7c, 66, "vhaddpd", Vx, Hx, Wx, NONE, 0),
	AVX(0x7c, F2, "vhaddps", Vx, Hx, Wx, NONE, 0),
	AVX(0x7d, 66, "vhsubpd", Vx, Hx, Wx, NONE, 0),
	AVX(0x7d, F2, "vhsubps", Vx, Hx, Wx, NONE, 0),
	GPR(0x7e, 66, "vmov", Ey, Vdq, NONE, L0 | NV | ST),
	AVX(0x7e, F3, "vmovq", Vdq, Wq, NONE, NONE, L0 | NV),
	AVX(0x7f, 66, "vmovdqa", Wx, Vx, NONE, NONE, NV | AL | ST),
	AVX(0x7f, F3, "vmovdqu", Wx, Vx, NONE, NONE, NV | ST),
	/* 0F AE - C6 */
	GROUP(0xae, 2, NONE, "vldmxcsr", AVX, Md, NONE, NONE, L0 | NV | MO, exec_avx_ldmxcsr),
	GROUP(0xae, 3, NONE, "vstmxcsr", AVX, Md, NONE, NONE, L0 | NV | MO | ST, exec_avx),
	AVX(0xc2, NONE, "vcmpps", Vx, Hx, Wx, Ib, 0),
	AVX(0xc2, 66, "vcmppd", Vx, Hx, Wx, Ib, 0),
	AVX(0xc2, F3, "vcmpss", Vdq, Hdq, Wd, Ib, 0),
	AVX(0xc2, F2, "vcmpsd", Vdq, Hdq, Wq, Ib, 0),
	ROW(0F, 0xc4, 66, "vpinsrw", AVX, Vdq, Hdq, Ew, Ib, L0, exec_avx_gpr),
	GPR(0xc5, 66, "vpextrw", Gd, Udq, Ib, L0 | NV | RG),
	AVX(0xc6, NONE, "vshufps", Vx, Hx, Wx, Ib, 0),
	AVX(0xc6, 66, "vshufpd", Vx, Hx, Wx, Ib, 0),
	/* 0F D0 - FE */
	AVX(0xd0, 66, "vaddsubpd", Vx, Hx, Wx, NONE, 0),
	AVX(0xd0, F2, "vaddsubps", Vx, Hx, Wx, NONE, 0),
	INT_COUNT(0xd1, "vpsrlw"),
	INT_COUNT(0xd2, "vpsrld"),
	INT_COUNT(0xd3, "vpsrlq"),
	INT3(0xd4, "vpaddq"),
	INT3(0xd5, "vpmullw"),
	AVX(0xd6, 66, "vmovq", Wq, Vdq, NONE, NONE, L0 | NV | ST),
	ROW(0F, 0xd7, 66, "vpmovmskb", AVX, Gd, Ux, NONE, NONE, L0 | NV | RG, exec_avx_gpr),
	ROW(0F, 0xd7, 66, "vpmovmskb", AVX2, Gd, Ux, NONE, NONE, L1 | NV | RG, exec_avx_gpr),
	INT3(0xd8, "vpsubusb"),
	INT3(0xd9, "vpsubusw"),
	INT3(0xda, "vpminub"),
	INT3(0xdb, "vpand"),
	INT3(0xdc, "vpaddusb"),
	INT3(0xdd, "vpaddusw"),
	INT3(0xde, "vpmaxub"),
	INT3(0xdf, "vpandn"),
	INT3(0xe0, "vpavgb"),
	INT_COUNT(0xe1, "vpsraw"),
	INT_COUNT(0xe2, "vpsrad"),
	INT3(0xe3, "vpavgw"),
	INT3(0xe4, "vpmulhuw"),
	INT3(0xe5, "vpmulhw"),
	AVX(0xe6, 66, "vcvttpd2dq", Vdq, Wx, NONE, NONE, NV),
	AVX(0xe6, F3, "vcvtdq2pd", Vx, Wh, NONE, NONE, NV),
	AVX(0xe6, F2, "vcvtpd2dq", Vdq, Wx, NONE, NONE, NV),
	AVX(0xe7, 66, "vmovntdq", Wx, Vx, NONE, NONE, NV | MO | AL | ST),
	INT3(0xe8, "vpsubsb"),
	INT3(0xe9, "vpsubsw"),
	INT3(0xea, "vpminsw"),
	INT3(0xeb, "vpor"),
	INT3(0xec, "vpaddsb"),
	INT3(0xed, "vpaddsw"),
	INT3(0xee, "vpmaxsw"),
	INT3(0xef, "vpxor"),
	AVX(0xf0, F2, "vlddqu", Vx, Wx, NONE, NONE, NV | MO),
	INT_COUNT(0xf1, "vpsllw"),
	INT_COUNT(0xf2, "vpslld"),
	INT_COUNT(0xf3, "vpsllq"),
	INT3(0xf4, "vpmuludq"),
	INT3(0xf5, "vpmaddwd"),
	INT3(0xf6, "vpsadbw"),
	ROW(0F, 0xf7, 66, "vmaskmovdqu", AVX, Vdq, Udq, NONE, NONE, L0 | NV | RG,
	    exec_avx_maskmovdqu),
	INT3(0xf8, "vpsubb"),
	INT3(0xf9, "vpsubw"),
	INT3(0xfa, "vpsubd"),
	INT3(0xfb, "vpsubq"),
	INT3(0xfc, "vpaddb"),
	INT3(0xfd, "vpaddw"),
	INT3(0xfe, "vpaddd"),

	/* 0F 38 */
	INT3_38(0x00, "vpshufb"),
	INT3_38(0x01, "vphaddw"),
	INT3_38(0x02, "vphaddd"),
	INT3_38(0x03, "vphaddsw"),
	INT3_38(0x04, "vpmaddubsw"),
	INT3_38(0x05, "vphsubw"),
	INT3_38(0x06, "vphsubd"),
	INT3_38(0x07, "vphsubsw"),
	INT3_38(0x08, "vpsignb"),
	INT3_38(0x09, "vpsignw"),
	INT3_38(0x0a, "vpsignd"),
	INT3_38(0x0b, "vpmulhrsw"),
	AVX38(0x0c, "vpermilps", AVX, Vx, Hx, Wx, W0),
	AVX38(0x0d, "vpermilpd", AVX, Vx, Hx, Wx, W0),
	FLAGS(0F38, 0x0e, 66, "vtestps", Wx, W0),
	FLAGS(0F38, 0x0f, 66, "vtestpd", Wx, W0),
	AVX38(0x13, "vcvtph2ps", F16C, Vx, Wh, NONE, NV | W0),
	AVX38(0x16, "vpermps", AVX2, Vx, Hx, Wx, L1 | W0),
	FLAGS(0F38, 0x17, 66, "vptest", Wx, 0),
	AVX38(0x18, "vbroadcastss", AVX, Vx, Md, NONE, NV | W0 | MO),
	AVX38(0x18, "vbroadcastss", AVX2, Vx, Udq, NONE, NV | W0 | RG),
	AVX38(0x19, "vbroadcastsd", AVX, Vx, Mq, NONE, NV | W0 | L1 | MO),
	AVX38(0x19, "vbroadcastsd", AVX2, Vx, Udq, NONE, NV | W0 | L1 | RG),
	AVX38(0x1a, "vbroadcastf128", AVX, Vx, Mdq, NONE, NV | W0 | L1 | MO),
	EXTEND(0x1c, "vpabsb", Wx),
	EXTEND(0x1d, "vpabsw", Wx),
	EXTEND(0x1e, "vpabsd", Wx),
	EXTEND(0x20, "vpmovsxbw", Wh),
	EXTEND(0x21, "vpmovsxbd", Wqr),
	EXTEND(0x22, "vpmovsxbq", Wer),
	EXTEND(0x23, "vpmovsxwd", Wh),
	EXTEND(0x24, "vpmovsxwq", Wqr),
	EXTEND(0x25, "vpmovsxdq", Wh),
	INT3_38(0x28, "vpmuldq"),
	INT3_38(0x29, "vpcmpeqq"),
	INT(0F38, 0x2a, 66, "vmovntdqa", Vx, Wx, NONE, NONE, NV | MO | AL),
	INT3_38(0x2b, "vpackusdw"),
	MASKED(0x2c, "vmaskmovps", AVX, Vx, Hx, Wx, W0),
	MASKED(0x2d, "vmaskmovpd", AVX, Vx, Hx, Wx, W0),
	MASKED(0x2e, "vmaskmovps", AVX, Wx, Hx, Vx, W0 | ST),
	MASKED(0x2f, "vmaskmovpd", AVX, Wx, Hx, Vx, W0 | ST),
	EXTEND(0x30, "vpmovzxbw", Wh),
	EXTEND(0x31, "vpmovzxbd", Wqr),
	EXTEND(0x32, "vpmovzxbq", Wer),
	EXTEND(0x33, "vpmovzxwd", Wh),
	EXTEND(0x34, "vpmovzxwq", Wqr),
	EXTEND(0x35, "vpmovzxdq", Wh),
	AVX38(0x36, "vpermd", AVX2, Vx, Hx, Wx, L1 | W0),
	INT3_38(0x37, "vpcmpgtq"),
	INT3_38(0x38, "vpminsb"),
	INT3_38(0x39, "vpminsd"),
	INT3_38(0x3a, "vpminuw"),
	INT3_38(0x3b, "vpminud"),
	INT3_38(0x3c, "vpmaxsb"),
	INT3_38(0x3d, "vpmaxsd"),
	INT3_38(0x3e, "vpmaxuw"),
	INT3_38(0x3f, "vpmaxud"),
	INT3_38(0x40, "vpmulld"),
	AVX38(0x41, "vphminposuw", AVX, Vdq, Wdq, NONE, L0 | NV),
	AVX38(0x45, "vpsrlvd", AVX2, Vx, Hx, Wx, W0),
	AVX38(0x45, "vpsrlvq", AVX2, Vx, Hx, Wx, W1),
	AVX38(0x46, "vpsravd", AVX2, Vx, Hx, Wx, W0),
	AVX38(0x47, "vpsllvd", AVX2, Vx, Hx, Wx, W0),
	AVX38(0x47, "vpsllvq", AVX2, Vx, Hx, Wx, W1),
	AVX38(0x58, "vpbroadcastd", AVX2, Vx, Wd, NONE, NV | W0),
	AVX38(0x59, "vpbroadcastq", AVX2, Vx, Wq, NONE, NV | W0),
	AVX38(0x5a, "vbroadcasti128", AVX2, Vx, Mdq, NONE, NV | W0 | L1 | MO),
	AVX38(0x78, "vpbroadcastb", AVX2, Vx, Wb, NONE, NV | W0),
	AVX38(0x79, "vpbroadcastw", AVX2, Vx, Ww, NONE, NV | W0),
	MASKED(0x8c, "vpmaskmovd", AVX2, Vx, Hx, Wx, W0),
	MASKED(0x8c, "vpmaskmovq", AVX2, Vx, Hx, Wx, W1),
	MASKED(0x8e, "vpmaskmovd", AVX2, Wx, Hx, Vx, W0 | ST),
	MASKED(0x8e, "vpmaskmovq", AVX2, Wx, Hx, Vx, W1 | ST),
	GATHER(0x90, "vpgatherdd", W0),
	GATHER(0x90, "vpgatherdq", W1),
	GATHER(0x91, "vpgatherqd", W0),
	GATHER(0x91, "vpgatherqq", W1),
	GATHER(0x92, "vgatherdps", W0),
	GATHER(0x92, "vgatherdpd", W1),
	GATHER(0x93, "vgatherqps", W0),
	GATHER(0x93, "vgatherqpd", W1),
	FMA(0x96, "132"),
	FMA(0xa6, "213"),
	FMA(0xb6, "231"),
	AVX38(0xcf, "vgf2p8mulb", GFNI, Vx, Hx, Wx, W0),
	AVX38(0xdb, "vaesimc", AES, Vdq, Wdq, NONE, L0 | NV),
	AES(0xdc, "vaesenc"),
	AES(0xdd, "vaesenclast"),
	AES(0xde, "vaesdec"),
	AES(0xdf, "vaesdeclast"),

	/* 0F 3A */
	/* The manuals ask for W1; AMD's processors ignore W, so it is left to the host. */
	AVX3A(0x00, "vpermq", AVX2, Vx, Wx, Ib, NONE, L1 | ROW_W1_INTEL | NV),
	AVX3A(0x01, "vpermpd", AVX2, Vx, Wx, Ib, NONE, L1 | ROW_W1_INTEL | NV),
	AVX3A(0x02, "vpblendd", AVX2, Vx, Hx, Wx, Ib, W0),
	AVX3A(0x04, "vpermilps", AVX, Vx, Wx, Ib, NONE, W0 | NV),
	AVX3A(0x05, "vpermilpd", AVX, Vx, Wx, Ib, NONE, W0 | NV),
	AVX3A(0x06, "vperm2f128", AVX, Vx, Hx, Wx, Ib, L1 | W0),
	AVX3A(0x08, "vroundps", AVX, Vx, Wx, Ib, NONE, NV),
	AVX3A(0x09, "vroundpd", AVX, Vx, Wx, Ib, NONE, NV),
	AVX3A(0x0a, "vroundss", AVX, Vdq, Hdq, Wd, Ib, 0),
	AVX3A(0x0b, "vroundsd", AVX, Vdq, Hdq, Wq, Ib, 0),
	AVX3A(0x0c, "vblendps", AVX, Vx, Hx, Wx, Ib, 0),
	AVX3A(0x0d, "vblendpd", AVX, Vx, Hx, Wx, Ib, 0),
	INT(0F3A, 0x0e, 66, "vpblendw", Vx, Hx, Wx, Ib, 0),
	INT(0F3A, 0x0f, 66, "vpalignr", Vx, Hx, Wx, Ib, 0),
	ROW(0F3A, 0x14, 66, "vpextrb", AVX, Eb, Vdq, Ib, NONE, L0 | NV | ST, exec_avx_gpr),
	ROW(0F3A, 0x15, 66, "vpextrw", AVX, Ew, Vdq, Ib, NONE, L0 | NV | ST, exec_avx_gpr),
	ROW(0F3A, 0x16, 66, "vpextr", AVX, Ey, Vdq, Ib, NONE, L0 | NV | ST, exec_avx_gpr),
	ROW(0F3A, 0x17, 66, "vextractps", AVX, Ed, Vdq, Ib, NONE, L0 | NV | ST, exec_avx_gpr),
	AVX3A(0x18, "vinsertf128", AVX, Vx, Hx, Wdq, Ib, L1 | W0),
	AVX3A(0x19, "vextractf128", AVX, Wdq, Vx, Ib, NONE, L1 | W0 | NV | ST),
	AVX3A(0x1d, "vcvtps2ph", F16C, Wh, Vx, Ib, NONE, W0 | NV | ST),
	ROW(0F3A, 0x20, 66, "vpinsrb", AVX, Vdq, Hdq, Eb, Ib, L0, exec_avx_gpr),
	AVX3A(0x21, "vinsertps", AVX, Vdq, Hdq, Wd, Ib, L0),
	ROW(0F3A, 0x22, 66, "vpinsr", AVX, Vdq, Hdq, Ey, Ib, L0, exec_avx_gpr),
	AVX3A(0x38, "vinserti128", AVX2, Vx, Hx, Wdq, Ib, L1 | W0),
	AVX3A(0x39, "vextracti128", AVX2, Wdq, Vx, Ib, NONE, L1 | W0 | NV | ST),
	AVX3A(0x40, "vdpps", AVX, Vx, Hx, Wx, Ib, 0),
	AVX3A(0x41, "vdppd", AVX, Vdq, Hdq, Wdq, Ib, L0),
	INT(0F3A, 0x42, 66, "vmpsadbw", Vx, Hx, Wx, Ib, 0),
	AVX3A(0x44, "vpclmulqdq", PCLMUL, Vx, Hx, Wx, Ib, L0),
	AVX3A(0x44, "vpclmulqdq", VPCLMUL, Vx, Hx, Wx, Ib, L1),
	AVX3A(0x46, "vperm2i128", AVX2, Vx, Hx, Wx, Ib, L1 | W0),
	AVX3A(0x4a, "vblendvps", AVX, Vx, Hx, Wx, Lx, W0),
	AVX3A(0x4b, "vblendvpd", AVX, Vx, Hx, Wx, Lx, W0),
	INT(0F3A, 0x4c, 66, "vpblendvb", Vx, Hx, Wx, Lx, W0),
	STRING(0x60, "vpcmpestrm"),
	STRING(0x61, "vpcmpestri"),
	STRING(0x62, "vpcmpistrm"),
	STRING(0x63, "vpcmpistri"),
	AVX3A(0xce, "vgf2p8affineqb", GFNI, Vx, Hx, Wx, Ib, W1),
	AVX3A(0xcf, "vgf2p8affineinvqb", GFNI, Vx, Hx, Wx, Ib, W1),
	AVX3A(0xdf, "vaeskeygenassist", AES, Vdq, Wdq, Ib, NONE, L0 | NV),
};

const struct row_table rows_avx = { rows, ARRAY_LENGTH(rows) };
