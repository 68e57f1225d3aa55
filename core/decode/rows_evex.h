/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the rows of EVEX encodings are written down (SDM vol. 2, 2.7 and ch. 5). w: W0, W1 or 0 where
 * it is ignored. E1 to E8: bytes of an element as the mask counts them, without broadcast; B4, B8:
 * with it.
 */
#ifndef CORE_DECODE_ROWS_EVEX_H
#define CORE_DECODE_ROWS_EVEX_H

#include "core/decode/rows_vector.h"

#define EVEX(m, opc, g, pfx, nm, feat, a, b, c, d, fl, ev, ...)                                    \
	VECTOR_GROUP(m, opc, g, pfx, nm, feat, a, b, c, d, (fl) | ROW_VEX, __VA_ARGS__,            \
		     .evex = (ev) | EVEX_ROW)

/* Element sizes. */
#define E1 0
#define E2 1
#define E4 2
#define E8 3
#define B4 (E4 | EVEX_BROADCAST4)
#define B8 (E8 | EVEX_BROADCAST8)
/* Masking: K of a result that can't be zeroed (an opmask, memory), Z of others. */
#define K EVEX_MASK
#define Z (EVEX_MASK | EVEX_ZERO)
#define ER EVEX_ROUND
#define SAE EVEX_SAE
#define NF EVEX_WHOLE
#define BE EVEX_BY_ELEMENT
/* Vector lengths. */
#define ALL (EVEX_128 | EVEX_256 | EVEX_512)
#define WIDE (EVEX_256 | EVEX_512)
#define X EVEX_128
#define Y512 EVEX_512
#define SC EVEX_SCALAR

/* Three operands; two; with an immediate. */
#define V3(m, opc, pfx, nm, feat, fl, ev)                                                          \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, Vx, Hx, Wx, NONE, fl, (ev) | Z | ALL, exec_evex)
#define V3I(m, opc, pfx, nm, feat, fl, ev)                                                         \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, Vx, Hx, Wx, Ib, fl, (ev) | Z | ALL, exec_evex)
#define V2(m, opc, pfx, nm, feat, a, b, fl, ev)                                                    \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, a, b, NONE, NONE, (fl) | NV, (ev) | Z | ALL, exec_evex)
#define V2I(m, opc, pfx, nm, feat, a, b, fl, ev)                                                   \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, a, b, Ib, NONE, (fl) | NV, (ev) | Z | ALL, exec_evex)
/* Any operands, one row. */
#define ANY(m, opc, pfx, nm, feat, a, b, c, d, fl, ev)                                             \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, a, b, c, d, fl, ev, exec_evex)
#define GPR(m, opc, pfx, nm, feat, a, b, c, d, fl, ev)                                             \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, a, b, c, d, fl, ev, exec_evex_gpr)
/* Scalars: two sources. */
#define S3(m, opc, pfx, nm, feat, c, fl, ev)                                                       \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, Vdq, Hdq, c, NONE, fl, (ev) | SC | Z, exec_evex)
#define S3I(m, opc, pfx, nm, feat, c, fl, ev)                                                      \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, Vdq, Hdq, c, Ib, fl, (ev) | SC | Z, exec_evex)
/* Results in an opmask. */
#define K3(m, opc, pfx, nm, feat, fl, ev)                                                          \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, Kg, Hx, Wx, NONE, fl, (ev) | K | ALL, exec_evex)
#define K3I(m, opc, pfx, nm, feat, fl, ev)                                                         \
	EVEX(m, opc, GROUP_ANY, pfx, nm, feat, Kg, Hx, Wx, Ib, fl, (ev) | K | ALL, exec_evex)

/* Doublewords and quadwords; single and double. */
#define DQ3(m, opc, nm, feat, ev)                                                                  \
	V3(m, opc, 66, nm "d", feat, W0, B4 | (ev)),                                               \
	V3(m, opc, 66, nm "q", feat, W1, B8 | (ev))
#define FP3(m, opc, nm, feat, ev)                                                                  \
	V3(m, opc, 66, nm "ps", feat, W0, B4 | (ev)),                                              \
	V3(m, opc, 66, nm "pd", feat, W1, B8 | (ev))

#endif
