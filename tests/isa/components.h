/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State components that the host's operating system has enabled and no guest is offered: how an
 * instruction is executed natively as if XCR0 did not have them.
 *
 * - EDX:EAX of XSAVE, XSAVEOPT, XSAVEC and XRSTOR lose them. Requests are ANDed with XCR0, so that
 *   is what a processor without them does. Where these registers address the operand as well, the
 *   instance can't be compared (exclude.c).
 * - In the header that XRSTOR reads, a component that no processor has takes their place: both must
 *   raise #GP where a guest has to.
 * - The result of XGETBV loses them.
 *
 * Only the native side changes, so a guest that knows any of them is found out.
 */
#ifndef TESTS_ISA_COMPONENTS_H
#define TESTS_ISA_COMPONENTS_H

#include "tests/isa/instance.h"

/* offered: the XCR0 that the guest has. */
void components__setup(u64 offered);

/* Whether the host has any. */
bool components__are_more(void);

/* Whether registers that address the operand ask for such components. */
bool components__are_in_address(const struct instance *in);

/* What to execute natively in place of the instance: itself, or a copy that the next call reuses. */
const struct instance *components__without(const struct instance *in);
/* Makes the outcome of that, and the data it left, those of the instance. */
void components__put_back(const struct instance *in, const struct instance *executed,
			  struct isa_state *after, u8 *data);

#endif
