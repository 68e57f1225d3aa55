/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Executes one instruction in Trivet: in user mode of a guest with Linux's segments and paging. */
#ifndef TESTS_ISA_GUEST_H
#define TESTS_ISA_GUEST_H

#include "tests/isa/state.h"

/* 0 or -errno. */
int guest__setup(void);
void guest__teardown(void);
/* Takes from the guest what the host's kernel does not have: its LDT, SEL_USER32_CODE, RDFSBASE and kin. */
void guest__do_without(bool ldt, bool code32, bool fsgsbase);

extern u8 *guest_data; /* the guest's frames of the data */
extern u8 *guest_code; /* and of the code, to look at */
/* Copies code to offset at of the code pages. */
void guest__write_code(unsigned at, const u8 *bytes, unsigned n);
/* Lets the guest's user mode write to its code. */
void guest__make_code_writable(void);

/* Whether the guest has been offered what the row asks for. */
bool guest__has(const struct opcode_row *row);
/* The state components in its XCR0. */
u64 guest__components(void);

enum guest_result {
	GUEST_DONE,
	GUEST_STUCK,  /* no result that a guest's instruction can have */
};

/*
 * Executes one instruction by emulate__one(). If it raises nothing, state->vector is NO_VECTOR and
 * state->rip where it went on.
 */
enum guest_result guest__step(struct isa_state *state);

/* Executes in the engine's blocks until an exception has been delivered to its handler. */
enum guest_result guest__run(struct isa_state *state);

/* The vCPU's segment registers as text, for reports of GUEST_STUCK. */
const char *guest__why(void);

#endif
