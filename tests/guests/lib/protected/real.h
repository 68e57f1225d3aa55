/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces of real-mode code, run from protected mode and back. */
#ifndef GUEST_REAL_H
#define GUEST_REAL_H

#include "tests/guests/lib/protected/machine.h"

/*
 * Where things are in the 64 KiB at REAL_BASE, which are CS, DS and ES; SS is REAL_STACK. All
 * vectors lead to code that notes vector, IP and flags and ends the run; 80H is the normal end.
 */
#define REAL_CODE 0x1000
#define REAL_SEGMENT (REAL_BASE >> 4)
#define REAL_STACK 0x2000
#define REAL_SP 0xf000

struct real_result {
	u16 vector, ip, cs, flags, sp_after;
	u32 eax, ebx, ecx, edx;
};

/* FS keeps the limit it has when called (big real mode). */
void real__run(const void *code, unsigned size, struct real_result *result);

#endif
