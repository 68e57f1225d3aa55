/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sixteen conditions of Jcc, SETcc and CMOVcc on the flags word (APM vol. 3, table 1-11). */
#ifndef CORE_EMULATE_CONDITION_H
#define CORE_EMULATE_CONDITION_H

#include "core/x86/cpu.h"

/* SF ^ OF in SF's place: OF is four bits higher. */
#define CONDITION_LESS(f) (((f) >> 4 ^ (f)) & RFLAGS_SF)

#define DEFINE_CONDITION(cc, inverse, test)                                                        \
	static __always_inline bool condition__##cc(u64 f)                                         \
	{                                                                                          \
		return (test) != 0;                                                                \
	}                                                                                          \
	static __always_inline bool condition__##inverse(u64 f)                                    \
	{                                                                                          \
		return (test) == 0;                                                                \
	}

DEFINE_CONDITION(o, no, f & RFLAGS_OF)
DEFINE_CONDITION(b, ae, f & RFLAGS_CF)
DEFINE_CONDITION(e, ne, f & RFLAGS_ZF)
DEFINE_CONDITION(be, a, f & (RFLAGS_CF | RFLAGS_ZF))
DEFINE_CONDITION(s, ns, f & RFLAGS_SF)
DEFINE_CONDITION(p, np, f & RFLAGS_PF)
DEFINE_CONDITION(l, ge, CONDITION_LESS(f))
DEFINE_CONDITION(le, g, CONDITION_LESS(f) | (f & RFLAGS_ZF))

#undef DEFINE_CONDITION

#endif
