/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stubs: one vector instruction each, re-encoded for 64-bit code with its memory operand at [RDI]
 * and its general register in RCX, followed by RET. All vCPUs share them.
 */
#ifndef ENGINES_SOFT_VECTOR_STUB_H
#define ENGINES_SOFT_VECTOR_STUB_H

#include "core/engine.h"

/* A stub as insn->engine names it: its number, and how it is called. 0: not looked up yet. */
#define STUB_NUMBER 0x00ffffff
#define STUB_FULL 0x80000000 /* general registers or flags go in or out */
#define STUB_X87 0x40000000  /* moves the x87 instruction and data pointers */
#define STUB_INIT 0x20000000 /* FNINIT: clears them */
#define STUB_CLEAR 0x10000000 /* FNCLEX: ends a pending exception */

#define STUB_SIZE 16

int stub__setup(const char **why);
void stub__teardown(void);

/*
 * The stub for the instruction, made if there is none yet; 0 if there is no room for it: then
 * stub__lock_spare(). Thread-safe; may take a lock.
 */
u32 stub__find(const struct insn *insn);

/*
 * The one spare stub, filled with the instruction. It stays the caller's until
 * stub__unlock_spare().
 */
u32 stub__lock_spare(const struct insn *insn);
void stub__unlock_spare(void);

extern u8 *stub_code; /* where the stubs execute */

static inline void *stub__address(u32 stub)
{
	return stub_code + (stub & STUB_NUMBER) * STUB_SIZE;
}

/* Whether an instruction address lies in a stub. */
bool stub__contains(u64 address);

/*
 * Makes this processor forget what it has prefetched: for code that was written through another
 * mapping than it is fetched by.
 */
void stub__serialize(void);

/* vector_call.c: enter a stub. 0, or the vector of the exception it met. */
u32 stub__call_plain(void *mem, void *stub);
u32 stub__call_full(struct vector_call *call, void *stub);

/* vector_fault.c */
int stub_fault__setup(const char **why);
void stub_fault__teardown(void);

#endif
