/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows, or parts of what they leave, that can't be compared with the processor, and why. */
#ifndef TESTS_ISA_EXCLUDE_H
#define TESTS_ISA_EXCLUDE_H

#include "tests/isa/instance.h"

/* The reason why the row is not executed at all, or NULL. */
const char *exclude__row(const struct opcode_row *row);
/* The same for one instance. */
const char *exclude__instance(const struct instance *in);

/* What two executions of an instruction need not have in common. */
struct varying {
	u16 gprs; /* bit per register */
	u64 flags;
	bool cr2; /* which byte of the operand CR2 names */
	bool order; /* which of two faults is raised */
	bool faults; /* which faults are raised, and what they leave */
	const char *why;
};
struct varying exclude__varying(const struct instance *in);

#endif
