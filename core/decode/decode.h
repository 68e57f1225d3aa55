/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instruction decoder: bytes to struct insn, through the row tables. */
#ifndef CORE_DECODE_DECODE_H
#define CORE_DECODE_DECODE_H

#include "core/decode/insn.h"
#include "core/decode/row.h"

enum decode_result {
	DECODE_OK = 0,
	DECODE_SHORT,	 /* bytes ran out before the instruction ended: give more */
	DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) (APM vol. 2, 8.2.13) */
	DECODE_UNDEFINED, /* no such instruction in this mode: #UD */
};

/*
 * Builds the opcode index over all row tables. Call once before any decode__insn(); calling it
 * again is harmless. Not thread-safe against itself.
 */
void decode__init(void);
/* Processors that decode a few encodings differently. */
enum decode_kind {
	DECODE_AS_INTEL,
	DECODE_AS_AMD,	      /* and Hygon, up to family 25 */
	DECODE_AS_AMD_STRICT, /* from family 26 on: bits of VEX and EVEX that mean nothing must be clear */
};

/* The same for processors of one kind, instead of the host's, which is what guests find. */
void decode__init_for(enum decode_kind kind);

/*
 * Decodes one instruction.
 *
 * @bytes	instruction bytes
 * @avail	how many may be read, 1 or more; no more than 15 are
 * @code_size	2, 4 or 8: 16-bit, 32-bit, 64-bit code
 * @insn	filled on DECODE_OK; on any other result only insn->len is meaningful (bytes
 *		looked at)
 *
 * Checks all that the bytes and the code size tell: encoding, LOCK legality, ROW_NO64/ONLY64,
 * VEX fields. Does not check CPUID features and real mode: emulate__check() does that when the
 * instruction executes or enters a block; nor privilege, which is the executors'.
 * insn->exec is the row's executor for its form.
 */
enum decode_result decode__insn(const u8 *bytes, unsigned avail, unsigned code_size,
				struct insn *insn);

/*
 * Writes the instruction in AT&T-like syntax with a NUL at the end.
 *
 * @rip		address of the instruction, for relative operands
 * @size	of buf in bytes; the text is cut to it
 *
 * Returns the length of the text without NUL.
 */
unsigned decode__print(const struct insn *insn, u64 rip, char *buf, unsigned size);

#endif
