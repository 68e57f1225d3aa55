/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Executes one instruction on the processor that runs the test, with all of its state chosen. */
#ifndef TESTS_ISA_NATIVE_H
#define TESTS_ISA_NATIVE_H

#include "tests/isa/state.h"

/* What native execution of an instruction came to. */
enum native_result {
	NATIVE_DONE,
	NATIVE_AGAIN, /* an alarm came in between: start anew */
	NATIVE_HUNG,  /* it does not end */
};

/*
 * Maps the data and code, makes the LDT, takes over the signals of faults. Call after the software
 * engine's set-up: signals that come from elsewhere are passed on. NULL, or why this host can't.
 */
const char *native__setup(void);
/* Lets the code write to itself. False if this host forbids memory for writing and execution. */
bool native__make_code_writable(void);

/* The mapped frames, and the code by an address that may be written. */
extern u8 *native_data;
extern u8 *native_code;
/* What the host's kernel lets user mode have. */
extern bool native_has_ldt;	  /* segments of modify_ldt(2) */
extern bool native_has_code32;	  /* SEL_USER32_CODE */
extern bool native_has_fsgsbase;  /* RDFSBASE and kin */
/*
 * The host's kernel runs deprivileged, on a hypervisor that does without the processor's help: seen by a signal
 * that does not return with an RSP that is not canonical.
 */
extern bool native_is_deprived;
/* The processor is AMD's or Hygon's, not Intel's. */
extern bool native_is_amd;

/*
 * Puts *state into the processor and executes until the first exception, which *state then is
 * taken at. The code is full of HLT, which raises #GP in user mode: that ends instructions that
 * raise nothing.
 */
enum native_result native__run(struct isa_state *state);

/*
 * What is not as expected is executed anew, that many times: an interrupt of the host in the wrong moment changes
 * what can be seen (AMD's processors forget the x87 pointers over a context switch). On a busy host these
 * come in numbers, so that the process had better wait a little before it tries again.
 */
#define NATIVE_ATTEMPTS 16
void native__wait(unsigned attempt);

/* Whether this process has memory at the address or close to it, other than data and code. */
bool native__is_mapped(u64 linear);

#endif
