/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes where an instruction under test stands, for checks of saved EIPs. */
#ifndef GUEST_MARK32_H
#define GUEST_MARK32_H

#include "tests/guests/lib/protected/machine.h"

static u32 mark __attribute__((used));

/* In front of the instruction, in an asm statement that says it clobbers memory. */
#define MARK "movl $900f, mark; 900: "
#define MARK_CLOBBERS "eax", "ecx", "edx", "memory", "cc"

#define EXPECT(insn, want, delta, name)                                                            \
	do {                                                                                       \
		u64 code_ = trap__code(TRY(__asm__ volatile(MARK insn : : : MARK_CLOBBERS)));       \
		check__equal(code_, want, "%s", name);                                             \
		check__equal(trap()->frame.eip - mark, delta, "%s: saved EIP", name);              \
	} while (0)

#define EXPECT_NONE(insn, name)                                                                    \
	check__equal(TRY(__asm__ volatile(MARK insn : : : MARK_CLOBBERS)), NO_TRAP, "%s", name)

#endif
