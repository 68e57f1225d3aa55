/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the x87 instructions, D8 to DF and 9B (APM vol. 5; APM vol. 3, table A-15).
 *
 * Operands of 80 bits and the environment and state images are written as M: the executor knows
 * their size. The register aliases that the manuals leave out of their text but processors execute
 * (APM vol. 3, table A-15) have rows under the name of what they do.
 */
#include "core/decode/row.h"
#include "core/emulate/vector.h"

#define X87(opc, g, r, nm, feat, a, b, fl, fn, ...)                                                \
	{ .name = nm, .map = MAP_1BYTE, .opcode = opc, .group = g, .rm = r, .prefix = PFX_ANY,     \
	  .feature = FEAT_##feat, .op = { OP_##a, OP_##b }, .flags = (fl) | ROW_LEGACY,            \
	  .class = CLASS_X87, .exec = fn, __VA_ARGS__ }

#define LOAD(opc, g, nm, a) X87(opc, g, RM_ANY, nm, FPU, a, NONE, ROW_MEM_ONLY, exec_x87)
#define STORE(opc, g, nm, a)                                                                       \
	X87(opc, g, RM_ANY, nm, FPU, a, NONE, ROW_MEM_ONLY | ROW_WRITES_MEM, exec_x87)
#define TRUNCATE(opc, g, a)                                                                        \
	X87(opc, g, RM_ANY, "fisttp", SSE3, a, NONE, ROW_MEM_ONLY | ROW_WRITES_MEM, exec_x87)
/* 80-bit operands */
#define LOAD80(opc, g, nm) X87(opc, g, RM_ANY, nm, FPU, M, NONE, ROW_MEM_ONLY, exec_x87_m80)
#define STORE80(opc, g, nm)                                                                        \
	X87(opc, g, RM_ANY, nm, FPU, M, NONE, ROW_MEM_ONLY | ROW_WRITES_MEM, exec_x87_m80)
#define REG2(opc, g, nm, a, b) X87(opc, g, RM_ANY, nm, FPU, a, b, ROW_REG_ONLY, exec_x87)
#define REG1(opc, g, nm) X87(opc, g, RM_ANY, nm, FPU, STi, NONE, ROW_REG_ONLY, exec_x87)
#define PLAIN(opc, g, r, nm) X87(opc, g, r, nm, FPU, NONE, NONE, ROW_REG_ONLY, exec_x87)
#define COMPARE(opc, g, nm)                                                                        \
	X87(opc, g, RM_ANY, nm, CMOV, ST0, STi, ROW_REG_ONLY, exec_x87_flags,                      \
	    .reads = RFLAGS_ARITH, .writes = RFLAGS_ARITH)
#define MOVE_IF(opc, g, nm, flags_read)                                                            \
	X87(opc, g, RM_ANY, nm, CMOV, ST0, STi, ROW_REG_ONLY, exec_x87_flags, .reads = flags_read)
/* Control instructions: they leave the instruction and data pointers alone. */
#define CONTROL(opc, g, r, nm, a, fl, fn) X87(opc, g, r, nm, FPU, a, NONE, (fl) | ROW_X87_ENV, fn)
#define NO_WAIT_REG (ROW_REG_ONLY | ROW_NO_WAIT)
#define NO_WAIT_STORE (ROW_MEM_ONLY | ROW_WRITES_MEM | ROW_NO_WAIT)

/* The eight operations of ST(0) with a memory operand. */
#define ARITH_MEM(opc, i, a)                                                                       \
	LOAD(opc, 0, "f" i "add", a),                                                              \
	LOAD(opc, 1, "f" i "mul", a),                                                              \
	LOAD(opc, 2, "f" i "com", a),                                                              \
	LOAD(opc, 3, "f" i "comp", a),                                                             \
	LOAD(opc, 4, "f" i "sub", a),                                                              \
	LOAD(opc, 5, "f" i "subr", a),                                                             \
	LOAD(opc, 6, "f" i "div", a),                                                              \
	LOAD(opc, 7, "f" i "divr", a)

static const struct opcode_row rows[] = {
	/* Class vector: x87 rows have a ModRM byte, this has none. */
	{ .name = "fwait", .map = MAP_1BYTE, .opcode = 0x9b, .group = GROUP_ANY, .rm = RM_ANY,
	  .prefix = PFX_ANY, .feature = FEAT_FPU, .flags = ROW_LEGACY | ROW_X87_ENV,
	  .class = CLASS_VECTOR, .exec = exec_fwait },

	ARITH_MEM(0xd8, "", Md),
	REG2(0xd8, 0, "fadd", ST0, STi),
	REG2(0xd8, 1, "fmul", ST0, STi),
	REG2(0xd8, 2, "fcom", ST0, STi),
	REG2(0xd8, 3, "fcomp", ST0, STi),
	REG2(0xd8, 4, "fsub", ST0, STi),
	REG2(0xd8, 5, "fsubr", ST0, STi),
	REG2(0xd8, 6, "fdiv", ST0, STi),
	REG2(0xd8, 7, "fdivr", ST0, STi),

	LOAD(0xd9, 0, "fld", Md),
	STORE(0xd9, 2, "fst", Md),
	STORE(0xd9, 3, "fstp", Md),
	CONTROL(0xd9, 4, RM_ANY, "fldenv", M, ROW_MEM_ONLY, exec_fldenv),
	CONTROL(0xd9, 5, RM_ANY, "fldcw", Mw, ROW_MEM_ONLY, exec_x87),
	CONTROL(0xd9, 6, RM_ANY, "fnstenv", M, NO_WAIT_STORE, exec_fnstenv),
	CONTROL(0xd9, 7, RM_ANY, "fnstcw", Mw, NO_WAIT_STORE, exec_x87),
	REG1(0xd9, 0, "fld"),
	REG1(0xd9, 1, "fxch"),
	PLAIN(0xd9, 2, 0, "fnop"),
	REG1(0xd9, 3, "fstp"),
	PLAIN(0xd9, 4, 0, "fchs"),
	PLAIN(0xd9, 4, 1, "fabs"),
	PLAIN(0xd9, 4, 4, "ftst"),
	PLAIN(0xd9, 4, 5, "fxam"),
	PLAIN(0xd9, 5, 0, "fld1"),
	PLAIN(0xd9, 5, 1, "fldl2t"),
	PLAIN(0xd9, 5, 2, "fldl2e"),
	PLAIN(0xd9, 5, 3, "fldpi"),
	PLAIN(0xd9, 5, 4, "fldlg2"),
	PLAIN(0xd9, 5, 5, "fldln2"),
	PLAIN(0xd9, 5, 6, "fldz"),
	PLAIN(0xd9, 6, 0, "f2xm1"),
	PLAIN(0xd9, 6, 1, "fyl2x"),
	PLAIN(0xd9, 6, 2, "fptan"),
	PLAIN(0xd9, 6, 3, "fpatan"),
	PLAIN(0xd9, 6, 4, "fxtract"),
	PLAIN(0xd9, 6, 5, "fprem1"),
	PLAIN(0xd9, 6, 6, "fdecstp"),
	PLAIN(0xd9, 6, 7, "fincstp"),
	PLAIN(0xd9, 7, 0, "fprem"),
	PLAIN(0xd9, 7, 1, "fyl2xp1"),
	PLAIN(0xd9, 7, 2, "fsqrt"),
	PLAIN(0xd9, 7, 3, "fsincos"),
	PLAIN(0xd9, 7, 4, "frndint"),
	PLAIN(0xd9, 7, 5, "fscale"),
	PLAIN(0xd9, 7, 6, "fsin"),
	PLAIN(0xd9, 7, 7, "fcos"),

	ARITH_MEM(0xda, "i", Md),
	MOVE_IF(0xda, 0, "fcmovb", RFLAGS_CF),
	MOVE_IF(0xda, 1, "fcmove", RFLAGS_ZF),
	MOVE_IF(0xda, 2, "fcmovbe", RFLAGS_CF | RFLAGS_ZF),
	MOVE_IF(0xda, 3, "fcmovu", RFLAGS_PF),
	PLAIN(0xda, 5, 1, "fucompp"),

	LOAD(0xdb, 0, "fild", Md),
	TRUNCATE(0xdb, 1, Md),
	STORE(0xdb, 2, "fist", Md),
	STORE(0xdb, 3, "fistp", Md),
	LOAD80(0xdb, 5, "fld"),
	STORE80(0xdb, 7, "fstp"),
	MOVE_IF(0xdb, 0, "fcmovnb", RFLAGS_CF),
	MOVE_IF(0xdb, 1, "fcmovne", RFLAGS_ZF),
	MOVE_IF(0xdb, 2, "fcmovnbe", RFLAGS_CF | RFLAGS_ZF),
	MOVE_IF(0xdb, 3, "fcmovnu", RFLAGS_PF),
	/* 8087 and 80287 instructions that do nothing any more */
	CONTROL(0xdb, 4, 0, "fneni", NONE, NO_WAIT_REG, exec_x87),
	CONTROL(0xdb, 4, 1, "fndisi", NONE, NO_WAIT_REG, exec_x87),
	CONTROL(0xdb, 4, 2, "fnclex", NONE, NO_WAIT_REG, exec_x87),
	CONTROL(0xdb, 4, 3, "fninit", NONE, NO_WAIT_REG, exec_x87),
	CONTROL(0xdb, 4, 4, "fnsetpm", NONE, NO_WAIT_REG, exec_x87),
	COMPARE(0xdb, 5, "fucomi"),
	COMPARE(0xdb, 6, "fcomi"),

	ARITH_MEM(0xdc, "", Mq),
	REG2(0xdc, 0, "fadd", STi, ST0),
	REG2(0xdc, 1, "fmul", STi, ST0),
	REG2(0xdc, 2, "fcom", ST0, STi),
	REG2(0xdc, 3, "fcomp", ST0, STi),
	REG2(0xdc, 4, "fsubr", STi, ST0),
	REG2(0xdc, 5, "fsub", STi, ST0),
	REG2(0xdc, 6, "fdivr", STi, ST0),
	REG2(0xdc, 7, "fdiv", STi, ST0),

	LOAD(0xdd, 0, "fld", Mq),
	TRUNCATE(0xdd, 1, Mq),
	STORE(0xdd, 2, "fst", Mq),
	STORE(0xdd, 3, "fstp", Mq),
	CONTROL(0xdd, 4, RM_ANY, "frstor", M, ROW_MEM_ONLY, exec_frstor),
	CONTROL(0xdd, 6, RM_ANY, "fnsave", M, NO_WAIT_STORE, exec_fnsave),
	CONTROL(0xdd, 7, RM_ANY, "fnstsw", Mw, NO_WAIT_STORE, exec_x87),
	REG1(0xdd, 0, "ffree"),
	REG1(0xdd, 1, "fxch"),
	REG1(0xdd, 2, "fst"),
	REG1(0xdd, 3, "fstp"),
	REG1(0xdd, 4, "fucom"),
	REG1(0xdd, 5, "fucomp"),

	ARITH_MEM(0xde, "i", Mw),
	REG2(0xde, 0, "faddp", STi, ST0),
	REG2(0xde, 1, "fmulp", STi, ST0),
	REG2(0xde, 2, "fcomp", ST0, STi),
	PLAIN(0xde, 3, 1, "fcompp"),
	REG2(0xde, 4, "fsubrp", STi, ST0),
	REG2(0xde, 5, "fsubp", STi, ST0),
	REG2(0xde, 6, "fdivrp", STi, ST0),
	REG2(0xde, 7, "fdivp", STi, ST0),

	LOAD(0xdf, 0, "fild", Mw),
	TRUNCATE(0xdf, 1, Mw),
	STORE(0xdf, 2, "fist", Mw),
	STORE(0xdf, 3, "fistp", Mw),
	LOAD80(0xdf, 4, "fbld"),
	LOAD(0xdf, 5, "fild", Mq),
	STORE80(0xdf, 6, "fbstp"),
	STORE(0xdf, 7, "fistp", Mq),
	REG1(0xdf, 0, "ffreep"),
	REG1(0xdf, 1, "fxch"),
	REG1(0xdf, 2, "fstp"),
	REG1(0xdf, 3, "fstp"),
	CONTROL(0xdf, 4, 0, "fnstsw", rAXv, NO_WAIT_REG, exec_fnstsw_ax),
	COMPARE(0xdf, 5, "fucomip"),
	COMPARE(0xdf, 6, "fcomip"),
};

const struct row_table rows_x87 = { rows, ARRAY_LENGTH(rows) };
