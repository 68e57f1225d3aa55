/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes where an instruction under test stands, for checks of saved RIPs. */
#ifndef GUEST_MARK_H
#define GUEST_MARK_H

#include "tests/guests/lib/long/machine.h"

static u64 mark __attribute__((used));

/* In front of the instruction, in an asm statement that says it clobbers RAX. */
#define MARK "lea 900f(%%rip), %%rax; mov %%rax, mark(%%rip); 900: "
#define MARK_CLOBBERS "rax", "rcx", "rdx", "rbx", "memory", "cc"

/* insn must raise want (see trap__code()), with RIP saved delta bytes behind its start. */
#define EXPECT(insn, want, delta, name)                                                            \
	do {                                                                                       \
		u64 code_ = trap__code(TRY(__asm__ volatile(MARK insn : : : MARK_CLOBBERS)));       \
		check__equal(code_, want, "%s", name);                                             \
		check__equal(trap()->frame.rip - mark, delta, "%s: saved RIP", name);              \
	} while (0)

#define EXPECT_NONE(insn, name)                                                                    \
	check__equal(TRY(__asm__ volatile(MARK insn : : : MARK_CLOBBERS)), NO_TRAP, "%s", name)

#endif
