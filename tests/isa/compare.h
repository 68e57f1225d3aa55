/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether two outcomes of an instance are the same, and in which way they are not. */
#ifndef TESTS_ISA_COMPARE_H
#define TESTS_ISA_COMPARE_H

#include "tests/isa/instance.h"

struct comparison {
	char text[4096]; /* the differences, one per line; empty: they agree */
	unsigned length;
	bool undefined_differ; /* flags that the row calls undefined are not the same */
};

/*
 * here: Trivet's outcome. If its vector is NO_VECTOR, it is the state right behind the
 * instruction, else that in the exception handler; native is always the latter.
 */
void compare__outcomes(const struct instance *in, const struct isa_state *native,
		       const struct isa_state *here, struct comparison *c);
/* Both are faults, or one is, of an instruction whose faults can't be compared. */
bool compare__is_of_no_use(const struct instance *in, const struct isa_state *native,
			   const struct isa_state *here);
/* Data of both, DATA_BYTES. */
void compare__data(const struct instance *in, const u8 *native, const u8 *here,
		   struct comparison *c);
/* Prints bytes, text and all of the state that the instance starts from. */
void instance__print(const struct instance *in);

#endif
