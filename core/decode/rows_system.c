/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System instructions: segments, descriptor tables, control registers, privilege transfers, I/O.
 * (Opcode maps: APM vol. 3, appendix A; SDM vol. 2, appendix A.)
 */
#include "core/decode/row.h"
#include "core/emulate/system.h"

#define ZF RFLAGS_ZF
#define OF RFLAGS_OF
#define ALL RFLAGS_ARITH

#define ROW(row_map, first, text, function, ...)                                                   \
	{                                                                                          \
		.name = text, .map = row_map, .opcode = first, .class = CLASS_SYSTEM,              \
		.group = GROUP_ANY, .rm = RM_ANY, .exec = function, __VA_ARGS__                    \
	}
#define ONE(...) ROW(MAP_1BYTE, __VA_ARGS__)
#define TWO(...) ROW(MAP_0F, __VA_ARGS__)
#define OPS(...) .op = { __VA_ARGS__ }
/* 0F 01 with mod = 3: modrm.reg and modrm.rm select. */
#define LEAF(g, r) .group = g, .rm = r

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* ROW() sets defaults that rows override */

static const struct opcode_row rows[] = {
	ONE(0x06, "push", system__push_sreg, .flags = ROW_NO64),
	ONE(0x07, "pop", system__pop_sreg, .flags = ROW_NO64),
	ONE(0x0e, "push", system__push_sreg, .flags = ROW_NO64),
	ONE(0x16, "push", system__push_sreg, .flags = ROW_NO64),
	ONE(0x17, "pop", system__pop_sreg, .flags = ROW_NO64 | ROW_STOP),
	ONE(0x1e, "push", system__push_sreg, .flags = ROW_NO64),
	ONE(0x1f, "pop", system__pop_sreg, .flags = ROW_NO64),
	ONE(0x63, "arpl", system__arpl, OPS(OP_Ew, OP_Gw), .writes = ZF,
	    .flags = ROW_NO64 | ROW_PROT | ROW_RMW_MEM),
	ONE(0x6c, "ins", system__ins, OPS(OP_Yb, OP_DXw), .flags = ROW_BYTE | ROW_REP),
	ONE(0x6d, "ins", system__ins, OPS(OP_Yv, OP_DXw), .flags = ROW_REP),
	ONE(0x6e, "outs", system__outs, OPS(OP_DXw, OP_Xb), .flags = ROW_BYTE | ROW_REP),
	ONE(0x6f, "outs", system__outs, OPS(OP_DXw, OP_Xv), .flags = ROW_REP),
	ONE(0x8c, "mov", system__mov_from_sreg, OPS(OP_Ev, OP_Sw), .flags = ROW_WRITES_MEM),
	ONE(0x8e, "mov", system__mov_to_sreg, OPS(OP_Sw, OP_Ew), .flags = ROW_STOP),
	ONE(0x9a, "lcall", system__far_call, OPS(OP_Ap), .flags = ROW_NO64 | ROW_BRANCH),
	ONE(0x9c, "pushf", system__pushf, .flags = ROW_DEF64, .reads = ALL),
	ONE(0x9d, "popf", system__popf, .flags = ROW_DEF64 | ROW_STOP, .writes = ALL),
	ONE(0xc4, "les", system__load_far_pointer, OPS(OP_Gv, OP_Mp), .flags = ROW_NO64),
	ONE(0xc5, "lds", system__load_far_pointer, OPS(OP_Gv, OP_Mp), .flags = ROW_NO64),
	ONE(0xca, "lret", system__far_ret, OPS(OP_Iw), .flags = ROW_BRANCH),
	ONE(0xcb, "lret", system__far_ret, .flags = ROW_BRANCH),
	ONE(0xcc, "int3", system__int3, .flags = ROW_BRANCH),
	ONE(0xcd, "int", system__int, OPS(OP_Ib), .flags = ROW_BRANCH),
	ONE(0xce, "into", system__into, .flags = ROW_NO64 | ROW_BRANCH, .reads = OF),
	ONE(0xcf, "iret", system__iret, .flags = ROW_BRANCH, .writes = ALL),
	ONE(0xe4, "in", system__in, OPS(OP_ALb, OP_Ib), .flags = ROW_BYTE),
	ONE(0xe5, "in", system__in, OPS(OP_eAXd, OP_Ib)),
	ONE(0xe6, "out", system__out, OPS(OP_Ib, OP_ALb), .flags = ROW_BYTE),
	ONE(0xe7, "out", system__out, OPS(OP_Ib, OP_eAXd)),
	ONE(0xea, "ljmp", system__far_jmp, OPS(OP_Ap), .flags = ROW_NO64 | ROW_BRANCH),
	ONE(0xec, "in", system__in, OPS(OP_ALb, OP_DXw), .flags = ROW_BYTE),
	ONE(0xed, "in", system__in, OPS(OP_eAXd, OP_DXw)),
	ONE(0xee, "out", system__out, OPS(OP_DXw, OP_ALb), .flags = ROW_BYTE),
	ONE(0xef, "out", system__out, OPS(OP_DXw, OP_eAXd)),
	ONE(0xf1, "int1", system__int1, .flags = ROW_BRANCH),
	ONE(0xf4, "hlt", system__hlt, .flags = ROW_CPL0 | ROW_STOP),
	ONE(0xfa, "cli", system__cli),
	ONE(0xfb, "sti", system__sti, .flags = ROW_STOP),
	ONE(0xff, "lcall", system__far_call, OPS(OP_Mp), .group = 3, .flags = ROW_BRANCH),
	ONE(0xff, "ljmp", system__far_jmp, OPS(OP_Mp), .group = 5, .flags = ROW_BRANCH),

	TWO(0x00, "sldt", system__sldt, OPS(OP_Ev), .group = 0, .flags = ROW_PROT | ROW_WRITES_MEM),
	TWO(0x00, "str", system__str, OPS(OP_Ev), .group = 1, .flags = ROW_PROT | ROW_WRITES_MEM),
	TWO(0x00, "lldt", system__lldt, OPS(OP_Ew), .group = 2, .flags = ROW_PROT | ROW_CPL0),
	TWO(0x00, "ltr", system__ltr, OPS(OP_Ew), .group = 3, .flags = ROW_PROT | ROW_CPL0),
	TWO(0x00, "verr", system__verr, OPS(OP_Ew), .group = 4, .flags = ROW_PROT, .writes = ZF),
	TWO(0x00, "verw", system__verw, OPS(OP_Ew), .group = 5, .flags = ROW_PROT, .writes = ZF),

	TWO(0x01, "vmcall", system__hypercall, LEAF(0, 1), .flags = ROW_REG_ONLY | ROW_STOP),
	/* Without a CPUID condition: the executors look at it. */
	TWO(0x01, "monitor", system__monitor, LEAF(1, 0), .flags = ROW_REG_ONLY),
	TWO(0x01, "mwait", system__mwait, LEAF(1, 1), .flags = ROW_REG_ONLY | ROW_STOP),
	TWO(0x01, "clac", system__clac, LEAF(1, 2), .feature = FEAT_SMAP, .prefix = PFX_NONE,
	    .flags = ROW_REG_ONLY),
	TWO(0x01, "stac", system__stac, LEAF(1, 3), .feature = FEAT_SMAP, .prefix = PFX_NONE,
	    .flags = ROW_REG_ONLY),
	TWO(0x01, "xgetbv", system__xgetbv, LEAF(2, 0), .feature = FEAT_XSAVE, .prefix = PFX_NONE,
	    .flags = ROW_REG_ONLY),
	TWO(0x01, "xsetbv", system__xsetbv, LEAF(2, 1), .feature = FEAT_XSAVE, .prefix = PFX_NONE,
	    .flags = ROW_REG_ONLY | ROW_CPL0 | ROW_STOP),
	TWO(0x01, "vmmcall", system__hypercall, LEAF(3, 1), .flags = ROW_REG_ONLY | ROW_STOP),
	TWO(0x01, "swapgs", system__swapgs, LEAF(7, 0),
	    .flags = ROW_REG_ONLY | ROW_ONLY64 | ROW_CPL0),
	TWO(0x01, "rdtscp", system__rdtscp, LEAF(7, 1), .feature = FEAT_RDTSCP,
	    .flags = ROW_REG_ONLY),
	TWO(0x01, "sgdt", system__sgdt, OPS(OP_Ms), .group = 0, .flags = ROW_WRITES_MEM),
	TWO(0x01, "sidt", system__sidt, OPS(OP_Ms), .group = 1, .flags = ROW_WRITES_MEM),
	TWO(0x01, "lgdt", system__lgdt, OPS(OP_Ms), .group = 2, .flags = ROW_CPL0),
	TWO(0x01, "lidt", system__lidt, OPS(OP_Ms), .group = 3, .flags = ROW_CPL0),
	TWO(0x01, "smsw", system__smsw, OPS(OP_Ev), .group = 4, .flags = ROW_WRITES_MEM),
	TWO(0x01, "lmsw", system__lmsw, OPS(OP_Ew), .group = 6, .flags = ROW_CPL0 | ROW_STOP),
	TWO(0x01, "invlpg", system__invlpg, OPS(OP_M), .group = 7, .flags = ROW_CPL0 | ROW_STOP),

	TWO(0x02, "lar", system__lar, OPS(OP_Gv, OP_Ew), .flags = ROW_PROT, .writes = ZF),
	TWO(0x03, "lsl", system__lsl, OPS(OP_Gv, OP_Ew), .flags = ROW_PROT, .writes = ZF),
	TWO(0x05, "syscall", system__syscall, .flags = ROW_BRANCH),
	TWO(0x06, "clts", system__clts, .flags = ROW_CPL0 | ROW_STOP),
	TWO(0x07, "sysret", system__sysret, .flags = ROW_BRANCH, .writes = ALL),
	TWO(0x08, "invd", system__invd, .flags = ROW_CPL0),
	TWO(0x09, "wbnoinvd", system__invd, .prefix = PFX_F3, .feature = FEAT_WBNOINVD,
	    .flags = ROW_CPL0),
	TWO(0x09, "wbinvd", system__invd, .flags = ROW_CPL0),
	TWO(0x20, "mov", system__mov_from_cr, OPS(OP_Ry, OP_Cy),
	    .flags = ROW_FORCE64 | ROW_CPL0 | ROW_LOCK),
	TWO(0x21, "mov", system__mov_from_dr, OPS(OP_Ry, OP_Dy), .flags = ROW_FORCE64 | ROW_CPL0),
	TWO(0x22, "mov", system__mov_to_cr, OPS(OP_Cy, OP_Ry),
	    .flags = ROW_FORCE64 | ROW_CPL0 | ROW_LOCK | ROW_STOP),
	TWO(0x23, "mov", system__mov_to_dr, OPS(OP_Dy, OP_Ry),
	    .flags = ROW_FORCE64 | ROW_CPL0 | ROW_STOP),
	TWO(0x30, "wrmsr", system__wrmsr, .flags = ROW_CPL0 | ROW_STOP),
	TWO(0x31, "rdtsc", system__rdtsc),
	TWO(0x32, "rdmsr", system__rdmsr, .flags = ROW_CPL0),
	TWO(0x33, "rdpmc", system__rdpmc),
	TWO(0x34, "sysenter", system__sysenter, .flags = ROW_BRANCH),
	TWO(0x35, "sysexit", system__sysexit, .flags = ROW_BRANCH),
	TWO(0xa0, "push", system__push_sreg, .flags = ROW_DEF64),
	TWO(0xa1, "pop", system__pop_sreg, .flags = ROW_DEF64),
	TWO(0xa2, "cpuid", system__cpuid),
	TWO(0xa8, "push", system__push_sreg, .flags = ROW_DEF64),
	TWO(0xa9, "pop", system__pop_sreg, .flags = ROW_DEF64),
	TWO(0xaa, "rsm", system__rsm, .flags = ROW_BRANCH),
	TWO(0xae, "rdfsbase", system__rdfsbase, OPS(OP_Ry), .group = 0, .prefix = PFX_F3,
	    .feature = FEAT_FSGSBASE, .flags = ROW_ONLY64),
	TWO(0xae, "rdgsbase", system__rdgsbase, OPS(OP_Ry), .group = 1, .prefix = PFX_F3,
	    .feature = FEAT_FSGSBASE, .flags = ROW_ONLY64),
	TWO(0xae, "wrfsbase", system__wrfsbase, OPS(OP_Ry), .group = 2, .prefix = PFX_F3,
	    .feature = FEAT_FSGSBASE, .flags = ROW_ONLY64),
	TWO(0xae, "wrgsbase", system__wrgsbase, OPS(OP_Ry), .group = 3, .prefix = PFX_F3,
	    .feature = FEAT_FSGSBASE, .flags = ROW_ONLY64),
	TWO(0xb2, "lss", system__load_far_pointer, OPS(OP_Gv, OP_Mp), .flags = ROW_STOP),
	TWO(0xb4, "lfs", system__load_far_pointer, OPS(OP_Gv, OP_Mp)),
	TWO(0xb5, "lgs", system__load_far_pointer, OPS(OP_Gv, OP_Mp)),
	TWO(0xc7, "rdpid", system__rdpid, OPS(OP_Ry), .group = 7, .prefix = PFX_F3,
	    .feature = FEAT_RDPID),

	ROW(MAP_0F38, 0x82, "invpcid", system__invpcid, OPS(OP_Gy, OP_Mdq), .prefix = PFX_66,
	    .feature = FEAT_INVPCID, .flags = ROW_CPL0 | ROW_STOP),
};

#pragma GCC diagnostic pop

const struct row_table rows_system = { rows, ARRAY_LENGTH(rows) };
