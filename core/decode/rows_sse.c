/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of MMX, SSE to SSE4.2, SSE4A, AES, PCLMULQDQ and SHA in the legacy encoding, and of the
 * FXSAVE and XSAVE families (APM vol. 3, appendix A; SDM vol. 2, appendix A).
 *
 * A 16-byte memory operand must be aligned unless the row says ROW_UNALIGNED; ROW_ALIGNED marks
 * those that MXCSR.MM does not exempt (APM vol. 1, 4.3.2).
 */
#include "core/decode/rows_vector.h"

#define ROW(m, opc, pfx, nm, feat, a, b, c, fl, fn)                                                \
	VECTOR_ROW(m, opc, pfx, nm, feat, a, b, c, NONE, (fl) | ROW_LEGACY, fn)
#define SSE(opc, pfx, nm, feat, a, b, c, fl) ROW(0F, opc, pfx, nm, feat, a, b, c, fl, exec_sse)
#define GPR(opc, pfx, nm, feat, a, b, c, fl) ROW(0F, opc, pfx, nm, feat, a, b, c, fl, exec_sse_gpr)
#define MMX(opc, nm, feat, a, b, c, fl) ROW(0F, opc, NONE, nm, feat, a, b, c, fl, exec_mmx)
#define SSE38(opc, pfx, nm, feat, b) ROW(0F38, opc, pfx, nm, feat, Vx, b, NONE, 0, exec_sse)
#define SHA(opc, nm) ROW(0F38, opc, NONE, nm, SHA, Vx, Wx, NONE, 0, exec_sha)
#define SSE3A(opc, nm, feat, b) ROW(0F3A, opc, 66, nm, feat, Vx, b, Ib, 0, exec_sse)
/* Writes ZF, PF, CF by its result and clears OF, SF, AF. */
#define FLAGS(m, opc, pfx, nm, feat, b)                                                            \
	VECTOR_ROW(m, opc, pfx, nm, feat, Vx, b, NONE, NONE, ROW_LEGACY, exec_sse_flags,           \
		   .writes = RFLAGS_ARITH)
#define STRING(opc, nm)                                                                            \
	VECTOR_ROW(0F3A, opc, 66, nm, SSE42, Vdq, Wdq, Ib, NONE, UN | ROW_LEGACY, exec_sse_string, \
		   .writes = RFLAGS_ARITH)
/* A group: modrm.reg selects. */
#define GROUP(opc, g, pfx, nm, feat, a, b, c, fl, fn)                                              \
	VECTOR_GROUP(0F, opc, g, pfx, nm, feat, a, b, c, NONE, (fl) | ROW_LEGACY, fn)
#define STATE(opc, g, nm, feat, fn) GROUP(opc, g, NONE, nm, feat, M, NONE, NONE, MO, fn)

/* Families: packed and scalar floating point; integer in MMX and XMM registers. */
#define FLOAT2(opc, nm)                                                                            \
	SSE(opc, NONE, nm "ps", SSE, Vx, Wx, NONE, 0),                                             \
	SSE(opc, 66, nm "pd", SSE2, Vx, Wx, NONE, 0)
#define FLOAT4(opc, nm)                                                                            \
	FLOAT2(opc, nm),                                                                           \
	SSE(opc, F3, nm "ss", SSE, Vd, Wd, NONE, 0),                                               \
	SSE(opc, F2, nm "sd", SSE2, Vq, Wq, NONE, 0)
#define FLOAT_SINGLE(opc, nm)                                                                      \
	SSE(opc, NONE, nm "ps", SSE, Vx, Wx, NONE, 0),                                             \
	SSE(opc, F3, nm "ss", SSE, Vd, Wd, NONE, 0)
#define INT2(opc, nm, feat)                                                                        \
	MMX(opc, nm, feat, Pq, Qq, NONE, 0),                                                       \
	SSE(opc, 66, nm, SSE2, Vx, Wx, NONE, 0)
#define INT2_LOW(opc, nm)                                                                          \
	MMX(opc, nm, MMX, Pq, Qd, NONE, 0),                                                        \
	SSE(opc, 66, nm, SSE2, Vx, Wx, NONE, 0)
#define SHIFT(opc, g, nm)                                                                          \
	GROUP(opc, g, NONE, nm, MMX, Nq, Ib, NONE, RG, exec_mmx),                                  \
	GROUP(opc, g, 66, nm, SSE2, Ux, Ib, NONE, RG, exec_sse)
#define INT2_38(opc, nm)                                                                           \
	ROW(0F38, opc, NONE, nm, SSSE3, Pq, Qq, NONE, 0, exec_mmx),                                \
	SSE38(opc, 66, nm, SSSE3, Wx)

static const struct opcode_row rows[] = {
	/* 0F 10 - 17: moves */
	SSE(0x10, NONE, "movups", SSE, Vx, Wx, NONE, UN),
	SSE(0x10, 66, "movupd", SSE2, Vx, Wx, NONE, UN),
	SSE(0x10, F3, "movss", SSE, Vd, Wd, NONE, 0),
	SSE(0x10, F2, "movsd", SSE2, Vq, Wq, NONE, 0),
	SSE(0x11, NONE, "movups", SSE, Wx, Vx, NONE, UN | ST),
	SSE(0x11, 66, "movupd", SSE2, Wx, Vx, NONE, UN | ST),
	SSE(0x11, F3, "movss", SSE, Wd, Vd, NONE, ST),
	SSE(0x11, F2, "movsd", SSE2, Wq, Vq, NONE, ST),
	SSE(0x12, NONE, "movhlps", SSE, Vq, Udq, NONE, RG),
	SSE(0x12, NONE, "movlps", SSE, Vq, Mq, NONE, MO),
	SSE(0x12, 66, "movlpd", SSE2, Vq, Mq, NONE, MO),
	SSE(0x12, F3, "movsldup", SSE3, Vx, Wx, NONE, 0),
	SSE(0x12, F2, "movddup", SSE3, Vx, Wq, NONE, 0),
	SSE(0x13, NONE, "movlps", SSE, Mq, Vq, NONE, MO | ST),
	SSE(0x13, 66, "movlpd", SSE2, Mq, Vq, NONE, MO | ST),
	FLOAT2(0x14, "unpckl"),
	FLOAT2(0x15, "unpckh"),
	SSE(0x16, NONE, "movlhps", SSE, Vdq, Udq, NONE, RG),
	SSE(0x16, NONE, "movhps", SSE, Vdq, Mq, NONE, MO),
	SSE(0x16, 66, "movhpd", SSE2, Vdq, Mq, NONE, MO),
	SSE(0x16, F3, "movshdup", SSE3, Vx, Wx, NONE, 0),
	SSE(0x17, NONE, "movhps", SSE, Mq, Vdq, NONE, MO | ST),
	SSE(0x17, 66, "movhpd", SSE2, Mq, Vdq, NONE, MO | ST),
	/* 0F 28 - 2F */
	SSE(0x28, NONE, "movaps", SSE, Vx, Wx, NONE, AL),
	SSE(0x28, 66, "movapd", SSE2, Vx, Wx, NONE, AL),
	SSE(0x29, NONE, "movaps", SSE, Wx, Vx, NONE, AL | ST),
	SSE(0x29, 66, "movapd", SSE2, Wx, Vx, NONE, AL | ST),
	SSE(0x2a, NONE, "cvtpi2ps", SSE, Vdq, Qq, NONE, 0),
	SSE(0x2a, 66, "cvtpi2pd", SSE2, Vdq, Qq, NONE, 0),
	GPR(0x2a, F3, "cvtsi2ss", SSE, Vd, Ey, NONE, 0),
	GPR(0x2a, F2, "cvtsi2sd", SSE2, Vq, Ey, NONE, 0),
	SSE(0x2b, NONE, "movntps", SSE, Wx, Vx, NONE, MO | AL | ST),
	SSE(0x2b, 66, "movntpd", SSE2, Wx, Vx, NONE, MO | AL | ST),
	SSE(0x2b, F3, "movntss", SSE4A, Wd, Vd, NONE, MO | ST),
	SSE(0x2b, F2, "movntsd", SSE4A, Wq, Vq, NONE, MO | ST),
	SSE(0x2c, NONE, "cvttps2pi", SSE, Pq, Wq, NONE, 0),
	SSE(0x2c, 66, "cvttpd2pi", SSE2, Pq, Wdq, NONE, 0),
	GPR(0x2c, F3, "cvttss2si", SSE, Gy, Wd, NONE, 0),
	GPR(0x2c, F2, "cvttsd2si", SSE2, Gy, Wq, NONE, 0),
	SSE(0x2d, NONE, "cvtps2pi", SSE, Pq, Wq, NONE, 0),
	SSE(0x2d, 66, "cvtpd2pi", SSE2, Pq, Wdq, NONE, 0),
	GPR(0x2d, F3, "cvtss2si", SSE, Gy, Wd, NONE, 0),
	GPR(0x2d, F2, "cvtsd2si", SSE2, Gy, Wq, NONE, 0),
	FLAGS(0F, 0x2e, NONE, "ucomiss", SSE, Wd),
	FLAGS(0F, 0x2e, 66, "ucomisd", SSE2, Wq),
	FLAGS(0F, 0x2f, NONE, "comiss", SSE, Wd),
	FLAGS(0F, 0x2f, 66, "comisd", SSE2, Wq),
	/* 0F 50 - 5F: floating point */
	GPR(0x50, NONE, "movmskps", SSE, Gd, Ux, NONE, RG),
	GPR(0x50, 66, "movmskpd", SSE2, Gd, Ux, NONE, RG),
	FLOAT4(0x51, "sqrt"),
	FLOAT_SINGLE(0x52, "rsqrt"),
	FLOAT_SINGLE(0x53, "rcp"),
	FLOAT2(0x54, "and"),
	FLOAT2(0x55, "andn"),
	FLOAT2(0x56, "or"),
	FLOAT2(0x57, "xor"),
	FLOAT4(0x58, "add"),
	FLOAT4(0x59, "mul"),
	SSE(0x5a, NONE, "cvtps2pd", SSE2, Vx, Wh, NONE, 0),
	SSE(0x5a, 66, "cvtpd2ps", SSE2, Vdq, Wx, NONE, 0),
	SSE(0x5a, F3, "cvtss2sd", SSE2, Vq, Wd, NONE, 0),
	SSE(0x5a, F2, "cvtsd2ss", SSE2, Vd, Wq, NONE, 0),
	SSE(0x5b, NONE, "cvtdq2ps", SSE2, Vx, Wx, NONE, 0),
	SSE(0x5b, 66, "cvtps2dq", SSE2, Vx, Wx, NONE, 0),
	SSE(0x5b, F3, "cvttps2dq", SSE2, Vx, Wx, NONE, 0),
	FLOAT4(0x5c, "sub"),
	FLOAT4(0x5d, "min"),
	FLOAT4(0x5e, "div"),
	FLOAT4(0x5f, "max"),
	/* 0F 60 - 6F: integer */
	INT2_LOW(0x60, "punpcklbw"),
	INT2_LOW(0x61, "punpcklwd"),
	INT2_LOW(0x62, "punpckldq"),
	INT2(0x63, "packsswb", MMX),
	INT2(0x64, "pcmpgtb", MMX),
	INT2(0x65, "pcmpgtw", MMX),
	INT2(0x66, "pcmpgtd", MMX),
	INT2(0x67, "packuswb", MMX),
	INT2(0x68, "punpckhbw", MMX),
	INT2(0x69, "punpckhwd", MMX),
	INT2(0x6a, "punpckhdq", MMX),
	INT2(0x6b, "packssdw", MMX),
	SSE(0x6c, 66, "punpcklqdq", SSE2, Vx, Wx, NONE, 0),
	SSE(0x6d, 66, "punpckhqdq", SSE2, Vx, Wx, NONE, 0),
	ROW(0F, 0x6e, NONE, "mov", MMX, Pq, Ey, NONE, 0, exec_mmx_gpr),
	GPR(0x6e, 66, "mov", SSE2, Vdq, Ey, NONE, 0),
	MMX(0x6f, "movq", MMX, Pq, Qq, NONE, 0),
	SSE(0x6f, 66, "movdqa", SSE2, Vx, Wx, NONE, AL),
	SSE(0x6f, F3, "movdqu", SSE2, Vx, Wx, NONE, UN),
	/* 0F 70 - 7F */
	MMX(0x70, "pshufw", SSE, Pq, Qq, Ib, 0),
	SSE(0x70, 66, "pshufd", SSE2, Vx, Wx, Ib, 0),
	SSE(0x70, F3, "pshufhw", SSE2, Vx, Wx, Ib, 0),
	SSE(0x70, F2, "pshuflw", SSE2, Vx, Wx, Ib, 0),
	SHIFT(0x71, 2, "psrlw"),
	SHIFT(0x71, 4, "psraw"),
	SHIFT(0x71, 6, "psllw"),
	SHIFT(0x72, 2, "psrld"),
	SHIFT(0x72, 4, "psrad"),
	SHIFT(0x72, 6, "pslld"),
	SHIFT(0x73, 2, "psrlq"),
	SHIFT(0x73, 6, "psllq"),
	GROUP(0x73, 3, 66, "psrldq", SSE2, Ux, Ib, NONE, RG, exec_sse),
	GROUP(0x73, 7, 66, "pslldq", SSE2, Ux, Ib, NONE, RG, exec_sse),
	INT2(0x74, "pcmpeqb", MMX),
	INT2(0x75, "pcmpeqw", MMX),
	INT2(0x76, "pcmpeqd", MMX),
	MMX(0x77, "emms", MMX, NONE, NONE, NONE, 0),
	GROUP(0x78, 0, 66, "extrq", SSE4A, Udq, Ib, Ib, RG, exec_sse),
	VECTOR_ROW(0F, 0x78, F2, "insertq", SSE4A, Vdq, Udq, Ib, Ib, RG | ROW_LEGACY, exec_sse),
	SSE(0x79, 66, "extrq", SSE4A, Vdq, Udq, NONE, RG),
	SSE(0x79, F2, "insertq", SSE4A, Vdq, Udq, NONE, RG),
	SSE(0x7c, 66, "haddpd", SSE3, Vx, Wx, NONE, 0),
	SSE(0x7c, F2, "haddps", SSE3, Vx, Wx, NONE, 0),
	SSE(0x7d, 66, "hsubpd", SSE3, Vx, Wx, NONE, 0),
	SSE(0x7d, F2, "hsubps", SSE3, Vx, Wx, NONE, 0),
	ROW(0F, 0x7e, NONE, "mov", MMX, Ey, Pq, NONE, ST, exec_mmx_gpr),
	GPR(0x7e, 66, "mov", SSE2, Ey, Vdq, NONE, ST),
	SSE(0x7e, F3, "movq", SSE2, Vq, Wq, NONE, 0),
	MMX(0x7f, "movq", MMX, Qq, Pq, NONE, ST),
	SSE(0x7f, 66, "movdqa", SSE2, Wx, Vx, NONE, AL | ST),
	SSE(0x7f, F3, "movdqu", SSE2, Wx, Vx, NONE, UN | ST),
	/* 0F AE: state */
	STATE(0xae, 0, "fxsave", FXSR, exec_fxsave),
	STATE(0xae, 1, "fxrstor", FXSR, exec_fxrstor),
	GROUP(0xae, 2, NONE, "ldmxcsr", SSE, Md, NONE, NONE, MO, exec_ldmxcsr),
	GROUP(0xae, 3, NONE, "stmxcsr", SSE, Md, NONE, NONE, MO | ST, exec_sse),
	STATE(0xae, 4, "xsave", XSAVE, exec_xsave),
	STATE(0xae, 5, "xrstor", XSAVE, exec_xrstor),
	STATE(0xae, 6, "xsaveopt", XSAVEOPT, exec_xsaveopt),
	/* 0F C2 - C7 */
	SSE(0xc2, NONE, "cmpps", SSE, Vx, Wx, Ib, 0),
	SSE(0xc2, 66, "cmppd", SSE2, Vx, Wx, Ib, 0),
	SSE(0xc2, F3, "cmpss", SSE, Vd, Wd, Ib, 0),
	SSE(0xc2, F2, "cmpsd", SSE2, Vq, Wq, Ib, 0),
	ROW(0F, 0xc4, NONE, "pinsrw", SSE, Pq, Ew, Ib, 0, exec_mmx_gpr),
	GPR(0xc4, 66, "pinsrw", SSE2, Vdq, Ew, Ib, 0),
	ROW(0F, 0xc5, NONE, "pextrw", SSE, Gd, Nq, Ib, RG, exec_mmx_gpr),
	GPR(0xc5, 66, "pextrw", SSE2, Gd, Udq, Ib, RG),
	SSE(0xc6, NONE, "shufps", SSE, Vx, Wx, Ib, 0),
	SSE(0xc6, 66, "shufpd", SSE2, Vx, Wx, Ib, 0),
	STATE(0xc7, 3, "xrstors", XSAVES, exec_xrstors),
	STATE(0xc7, 4, "xsavec", XSAVEC, exec_xsavec),
	STATE(0xc7, 5, "xsaves", XSAVES, exec_xsaves),
	/* 0F D0 - FE: integer */
	SSE(0xd0, 66, "addsubpd", SSE3, Vx, Wx, NONE, 0),
	SSE(0xd0, F2, "addsubps", SSE3, Vx, Wx, NONE, 0),
	INT2(0xd1, "psrlw", MMX),
	INT2(0xd2, "psrld", MMX),
	INT2(0xd3, "psrlq", MMX),
	INT2(0xd4, "paddq", SSE2),
	INT2(0xd5, "pmullw", MMX),
	SSE(0xd6, 66, "movq", SSE2, Wq, Vq, NONE, ST),
	SSE(0xd6, F3, "movq2dq", SSE2, Vdq, Nq, NONE, RG),
	SSE(0xd6, F2, "movdq2q", SSE2, Pq, Udq, NONE, RG),
	ROW(0F, 0xd7, NONE, "pmovmskb", SSE, Gd, Nq, NONE, RG, exec_mmx_gpr),
	GPR(0xd7, 66, "pmovmskb", SSE2, Gd, Ux, NONE, RG),
	INT2(0xd8, "psubusb", MMX),
	INT2(0xd9, "psubusw", MMX),
	INT2(0xda, "pminub", SSE),
	INT2(0xdb, "pand", MMX),
	INT2(0xdc, "paddusb", MMX),
	INT2(0xdd, "paddusw", MMX),
	INT2(0xde, "pmaxub", SSE),
	INT2(0xdf, "pandn", MMX),
	INT2(0xe0, "pavgb", SSE),
	INT2(0xe1, "psraw", MMX),
	INT2(0xe2, "psrad", MMX),
	INT2(0xe3, "pavgw", SSE),
	INT2(0xe4, "pmulhuw", SSE),
	INT2(0xe5, "pmulhw", MMX),
	SSE(0xe6, 66, "cvttpd2dq", SSE2, Vdq, Wx, NONE, 0),
	SSE(0xe6, F3, "cvtdq2pd", SSE2, Vx, Wh, NONE, 0),
	SSE(0xe6, F2, "cvtpd2dq", SSE2, Vdq, Wx, NONE, 0),
	MMX(0xe7, "movntq", SSE, Mq, Pq, NONE, MO | ST),
	SSE(0xe7, 66, "movntdq", SSE2, Wx, Vx, NONE, MO | AL | ST),
	INT2(0xe8, "psubsb", MMX),
	INT2(0xe9, "psubsw", MMX),
	INT2(0xea, "pminsw", SSE),
	INT2(0xeb, "por", MMX),
	INT2(0xec, "paddsb", MMX),
	INT2(0xed, "paddsw", MMX),
	INT2(0xee, "pmaxsw", SSE),
	INT2(0xef, "pxor", MMX),
	SSE(0xf0, F2, "lddqu", SSE3, Vx, Wx, NONE, MO | UN),
	INT2(0xf1, "psllw", MMX),
	INT2(0xf2, "pslld", MMX),
	INT2(0xf3, "psllq", MMX),
	INT2(0xf4, "pmuludq", SSE2),
	INT2(0xf5, "pmaddwd", MMX),
	INT2(0xf6, "psadbw", SSE),
	ROW(0F, 0xf7, NONE, "maskmovq", SSE, Pq, Nq, NONE, RG, exec_maskmovq),
	ROW(0F, 0xf7, 66, "maskmovdqu", SSE2, Vdq, Udq, NONE, RG, exec_maskmovdqu),
	INT2(0xf8, "psubb", MMX),
	INT2(0xf9, "psubw", MMX),
	INT2(0xfa, "psubd", MMX),
	INT2(0xfb, "psubq", SSE2),
	INT2(0xfc, "paddb", MMX),
	INT2(0xfd, "paddw", MMX),
	INT2(0xfe, "paddd", MMX),

	/* 0F 38 */
	INT2_38(0x00, "pshufb"),
	INT2_38(0x01, "phaddw"),
	INT2_38(0x02, "phaddd"),
	INT2_38(0x03, "phaddsw"),
	INT2_38(0x04, "pmaddubsw"),
	INT2_38(0x05, "phsubw"),
	INT2_38(0x06, "phsubd"),
	INT2_38(0x07, "phsubsw"),
	INT2_38(0x08, "psignb"),
	INT2_38(0x09, "psignw"),
	INT2_38(0x0a, "psignd"),
	INT2_38(0x0b, "pmulhrsw"),
	SSE38(0x10, 66, "pblendvb", SSE41, Wx),
	SSE38(0x14, 66, "blendvps", SSE41, Wx),
	SSE38(0x15, 66, "blendvpd", SSE41, Wx),
	FLAGS(0F38, 0x17, 66, "ptest", SSE41, Wx),
	INT2_38(0x1c, "pabsb"),
	INT2_38(0x1d, "pabsw"),
	INT2_38(0x1e, "pabsd"),
	SSE38(0x20, 66, "pmovsxbw", SSE41, Wh),
	SSE38(0x21, 66, "pmovsxbd", SSE41, Wqr),
	SSE38(0x22, 66, "pmovsxbq", SSE41, Wer),
	SSE38(0x23, 66, "pmovsxwd", SSE41, Wh),
	SSE38(0x24, 66, "pmovsxwq", SSE41, Wqr),
	SSE38(0x25, 66, "pmovsxdq", SSE41, Wh),
	SSE38(0x28, 66, "pmuldq", SSE41, Wx),
	SSE38(0x29, 66, "pcmpeqq", SSE41, Wx),
	ROW(0F38, 0x2a, 66, "movntdqa", SSE41, Vx, Wx, NONE, MO | AL, exec_sse),
	SSE38(0x2b, 66, "packusdw", SSE41, Wx),
	SSE38(0x30, 66, "pmovzxbw", SSE41, Wh),
	SSE38(0x31, 66, "pmovzxbd", SSE41, Wqr),
	SSE38(0x32, 66, "pmovzxbq", SSE41, Wer),
	SSE38(0x33, 66, "pmovzxwd", SSE41, Wh),
	SSE38(0x34, 66, "pmovzxwq", SSE41, Wqr),
	SSE38(0x35, 66, "pmovzxdq", SSE41, Wh),
	SSE38(0x37, 66, "pcmpgtq", SSE42, Wx),
	SSE38(0x38, 66, "pminsb", SSE41, Wx),
	SSE38(0x39, 66, "pminsd", SSE41, Wx),
	SSE38(0x3a, 66, "pminuw", SSE41, Wx),
	SSE38(0x3b, 66, "pminud", SSE41, Wx),
	SSE38(0x3c, 66, "pmaxsb", SSE41, Wx),
	SSE38(0x3d, 66, "pmaxsd", SSE41, Wx),
	SSE38(0x3e, 66, "pmaxuw", SSE41, Wx),
	SSE38(0x3f, 66, "pmaxud", SSE41, Wx),
	SSE38(0x40, 66, "pmulld", SSE41, Wx),
	SSE38(0x41, 66, "phminposuw", SSE41, Wx),
	SHA(0xc8, "sha1nexte"),
	SHA(0xc9, "sha1msg1"),
	SHA(0xca, "sha1msg2"),
	SHA(0xcb, "sha256rnds2"),
	SHA(0xcc, "sha256msg1"),
	SHA(0xcd, "sha256msg2"),
	SSE38(0xcf, 66, "gf2p8mulb", GFNI, Wx),
	SSE38(0xdb, 66, "aesimc", AES, Wx),
	SSE38(0xdc, 66, "aesenc", AES, Wx),
	SSE38(0xdd, 66, "aesenclast", AES, Wx),
	SSE38(0xde, 66, "aesdec", AES, Wx),
	SSE38(0xdf, 66, "aesdeclast", AES, Wx),

	/* 0F 3A */
	SSE3A(0x08, "roundps", SSE41, Wx),
	SSE3A(0x09, "roundpd", SSE41, Wx),
	SSE3A(0x0a, "roundss", SSE41, Wd),
	SSE3A(0x0b, "roundsd", SSE41, Wq),
	SSE3A(0x0c, "blendps", SSE41, Wx),
	SSE3A(0x0d, "blendpd", SSE41, Wx),
	SSE3A(0x0e, "pblendw", SSE41, Wx),
	ROW(0F3A, 0x0f, NONE, "palignr", SSSE3, Pq, Qq, Ib, 0, exec_mmx),
	SSE3A(0x0f, "palignr", SSSE3, Wx),
	ROW(0F3A, 0x14, 66, "pextrb", SSE41, Eb, Vdq, Ib, ST, exec_sse_gpr),
	ROW(0F3A, 0x15, 66, "pextrw", SSE41, Ew, Vdq, Ib, ST, exec_sse_gpr),
	ROW(0F3A, 0x16, 66, "pextr", SSE41, Ey, Vdq, Ib, ST, exec_sse_gpr),
	ROW(0F3A, 0x17, 66, "extractps", SSE41, Ed, Vdq, Ib, ST, exec_sse_gpr),
	ROW(0F3A, 0x20, 66, "pinsrb", SSE41, Vdq, Eb, Ib, 0, exec_sse_gpr),
	SSE3A(0x21, "insertps", SSE41, Wd),
	ROW(0F3A, 0x22, 66, "pinsr", SSE41, Vdq, Ey, Ib, 0, exec_sse_gpr),
	SSE3A(0x40, "dpps", SSE41, Wx),
	SSE3A(0x41, "dppd", SSE41, Wx),
	SSE3A(0x42, "mpsadbw", SSE41, Wx),
	SSE3A(0x44, "pclmulqdq", PCLMUL, Wx),
	STRING(0x60, "pcmpestrm"),
	STRING(0x61, "pcmpestri"),
	STRING(0x62, "pcmpistrm"),
	STRING(0x63, "pcmpistri"),
	ROW(0F3A, 0xcc, NONE, "sha1rnds4", SHA, Vx, Wx, Ib, 0, exec_sha),
	SSE3A(0xce, "gf2p8affineqb", GFNI, Wx),
	SSE3A(0xcf, "gf2p8affineinvqb", GFNI, Wx),
	SSE3A(0xdf, "aeskeygenassist", AES, Wx),
};

const struct row_table rows_sse = { rows, ARRAY_LENGTH(rows) };
