/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the rows of vector and x87 instructions are written down: one macro call is one row. */
#ifndef CORE_DECODE_ROWS_VECTOR_H
#define CORE_DECODE_ROWS_VECTOR_H

#include "core/decode/row.h"
#include "core/emulate/vector.h"

/* g: the modrm.reg that selects it. */
#define VECTOR_GROUP(m, opc, g, pfx, nm, feat, a, b, c, d, fl, fn, ...)                            \
	{ .name = nm, .map = MAP_##m, .opcode = opc, .group = g, .rm = RM_ANY,                     \
	  .prefix = PFX_##pfx, .feature = FEAT_##feat, .op = { OP_##a, OP_##b, OP_##c, OP_##d },   \
	  .flags = fl, .class = CLASS_VECTOR, .exec = fn, __VA_ARGS__ }
#define VECTOR_ROW(m, opc, pfx, nm, feat, a, b, c, d, fl, ...)                                     \
	VECTOR_GROUP(m, opc, GROUP_ANY, pfx, nm, feat, a, b, c, d, fl, __VA_ARGS__)

/* Row flags in short. */
#define RG ROW_REG_ONLY
#define MO ROW_MEM_ONLY
#define ST ROW_WRITES_MEM
#define AL ROW_ALIGNED
#define UN ROW_UNALIGNED
#define L0 ROW_L0
#define L1 ROW_L1
#define W0 ROW_W0
#define W1 ROW_W1
#define NV ROW_NO_VVVV

#endif
