/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Executes one instruction on this processor directly, from and to given registers. */
#ifndef TESTS_UNIT_VECTOR_NATIVE_H
#define TESTS_UNIT_VECTOR_NATIVE_H

#include "core/emulate/vector.h"

struct native_state {
	u64 gpr[16]; /* RSP is not loaded */
	u64 flags;
	/* Of its components those that 7 names are loaded. */
	struct xsave_image image __attribute__((aligned(64)));
};

/* Runs the instruction. 0, or the signal that it met (state is then not valid). */
int native__run(const u8 *bytes, unsigned length, struct native_state *state);

#endif
