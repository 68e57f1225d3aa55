/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator target's guest: a vCPU in any mode of the processor, with tables that let most code
 * run for a while, all of it changed as the input says.
 */
#ifndef TESTS_FUZZ_EMULATE_GUEST_H
#define TESTS_FUZZ_EMULATE_GUEST_H

#include "core/vm/run.h"
#include "tests/fuzz/fuzz.h"

/* Guest-physical layout; what lies between is device memory of user space. */
#define RAM_GPA 0x0000u
#define RAM_SIZE 0x18000u
#define TABLES_GPA 0x20000u /* page tables */
#define TABLES_SIZE 0x6000u
#define ROM_GPA 0x28000u /* a read-only slot */
#define ROM_SIZE 0x1000u
#define LOG_GPA 0x29000u /* a slot whose dirty pages are logged */
#define LOG_SIZE 0x2000u
#define MEMORY_END 0x2b000u

/* All memory slots one behind the other. */
#define MEMORY_SIZE (RAM_SIZE + TABLES_SIZE + ROM_SIZE + LOG_SIZE)

#define CODE_GPA 0x8f00u /* just before a page's end, so that blocks and instructions cross it */

extern struct vcpu *guest_vcpu;
extern u8 *guest_memory; /* MEMORY_SIZE bytes */

/* Once: the machine. The engine is the software engine's with vectors parked at once. */
void guest__create(void);

/* State and memory as the input says. What it leaves of the input is code. */
void guest__set_up(struct fuzz_input *in);

/* Takes / puts back everything that guest__set_up() made. */
void guest__snapshot(void);
void guest__restore(void);

#endif
