/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shorthand for the rows of the integer tables. */
#ifndef CORE_DECODE_ROW_MACROS_H
#define CORE_DECODE_ROW_MACROS_H

#include "core/decode/row.h"
#include "core/emulate/executors.h"

/* A row: opcode, mnemonic, further fields. */
#define ROW(map_, opcode_, name_, ...)                                                             \
	{                                                                                          \
		.name = name_, .map = map_, .opcode = opcode_, .group = GROUP_ANY, .rm = RM_ANY,   \
		.class = CLASS_INTEGER, __VA_ARGS__                                                \
	}
/* The same for one value of modrm.reg. */
#define GROUP(map_, opcode_, group_, name_, ...)                                                   \
	{                                                                                          \
		.name = name_, .map = map_, .opcode = opcode_, .group = group_, .rm = RM_ANY,      \
		.class = CLASS_INTEGER, __VA_ARGS__                                                \
	}
/* The same for one value of modrm.rm with mod = 3, or of the register in the opcode. */
#define GROUP_RM(map_, opcode_, group_, rm_, name_, ...)                                           \
	{                                                                                          \
		.name = name_, .map = map_, .opcode = opcode_, .group = group_, .rm = rm_,         \
		.class = CLASS_INTEGER, __VA_ARGS__                                                \
	}

#define OPS(...) .op = { __VA_ARGS__ }
#define IS(...) .flags = __VA_ARGS__
#define FORMS_OF(name) .forms = &forms_##name
#define EXEC(name) .exec = exec_##name

/* Flags by their letters. */
#define CF RFLAGS_CF
#define PF RFLAGS_PF
#define AF RFLAGS_AF
#define ZF RFLAGS_ZF
#define SF RFLAGS_SF
#define DF RFLAGS_DF
#define OF RFLAGS_OF
#define ARITH RFLAGS_ARITH

#define READS(mask) .reads = (mask)
#define WRITES(mask) .writes = (mask)
#define UNDEF(mask) .undefined = (mask)

/* Logical operations: CF and OF are 0, AF is undefined. */
#define WRITES_LOGIC WRITES(CF | PF | ZF | SF | OF), UNDEF(AF)

#endif
