/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs one instruction on the CPU that runs the test, with chosen registers and flags. */
#ifndef TESTS_UNIT_EMULATE_NATIVE_H
#define TESTS_UNIT_EMULATE_NATIVE_H

#include "base/types.h"

/* Linux's selector for 32-bit code; not every host has it. */
#define NATIVE_CODE32 0x23

struct native_state {
	u64 gpr[16];
	u64 flags;
};

/* Sets up the executable page, once. */
void native__init(void);
/* Takes over the signals that instructions raise. In each test: cmocka sets its own before it. */
void native__catch(void);
/*
 * Executes length bytes of code, one instruction that does not jump, as 64-bit code (code_size 8)
 * or 32-bit code (4: only the first eight registers count). Returns 0, or the number of the signal
 * that it raised; *state is then not changed.
 */
int native__run(const u8 *code, unsigned length, unsigned code_size, struct native_state *state);

#endif
