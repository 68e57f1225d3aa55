/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU without an engine and one megabyte of RAM, set up in one of the processor's modes with
 * descriptor tables, a TSS and flat segments of every level, to execute single instructions on.
 */
#ifndef TESTS_UNIT_SYSTEM_MACHINE_H
#define TESTS_UNIT_SYSTEM_MACHINE_H

#include "core/emulate/emulate.h"
#include "core/emulate/segload.h"
#include "core/vm/vm.h"

#define RAM_SIZE 0x100000

/* Where things stand in RAM. */
#define AT_GDT 0x4000
#define AT_LDT 0x4800
#define AT_IDT 0x5000
#define AT_TSS 0x6000
#define AT_TSS2 0x7000
#define AT_CODE 0x8000
#define AT_HANDLER 0xa000 /* vector n at AT_HANDLER + 16 * n */
#define KERNEL_STACK 0x20000
#define TSS_STACK 0x28000
#define IST_STACK 0x2c008
#define USER_STACK 0x30000
#define NOT_MAPPED 0x80000 /* with paging: the page that is not present */

/* Selectors of the flat segments. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE32 0x18
#define USER_DATA 0x20
#define USER_CODE 0x28	 /* 64-bit in long mode, else as USER_CODE32 */
#define TSS_SELECTOR 0x30 /* 16 bytes in long mode */
#define TSS2_SELECTOR 0x40
#define CONFORMING_CODE 0x48
#define FREE_SELECTOR 0x50 /* for tests; all above, too, up to the limit */

/* Descriptor attributes, as in bits 40-55. */
#define D_CODE 0x009bULL
#define D_DATA 0x0093ULL
#define D_DPL(n) ((u64)(n) << 5)
#define D_LONG 0x2000ULL
#define D_BIG 0x4000ULL
#define D_PAGES 0x8000ULL

extern u8 *machine_ram;
extern struct vcpu *machine_vcpu;

int machine__setup(void **state);
int machine__teardown(void **state);

enum machine_mode { MODE_REAL, MODE_PROTECTED, MODE_LONG };

/* Empty RAM and tables, flat segments, level cpl (0 or 3), IF set. */
void machine__start(enum machine_mode mode, unsigned cpl);
/* From MODE_PROTECTED: virtual-8086 mode at this IOPL. */
void machine__start_v86(unsigned iopl);

u64 machine__descriptor(u32 base, u32 limit, u64 attributes);
void machine__set_descriptor(u16 selector, u64 descriptor);
u64 machine__get_descriptor(u16 selector);
/* A gate of this system type to the vector's handler. */
void machine__set_gate(u8 vector, u16 selector, unsigned type, unsigned dpl, unsigned ist);

/* Puts an instruction at CS:RIP and executes it. */
enum exec_result machine__execute(const void *bytes, unsigned size);
#define EXECUTE(...)                                                                               \
	machine__execute((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

u64 machine__read(u64 address, unsigned size);
void machine__write(u64 address, unsigned size, u64 value);

/* The exception that the last instruction raised: vector << 16 | error code. */
u32 machine__fault(void);
#define FAULT(vector, error) ((u32)(vector) << 16 | (error))

#endif
