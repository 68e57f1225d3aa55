/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instruction starts with and what it leaves, in the same form for the processor that runs
 * the test and for Trivet; and the linear addresses at which both find the same memory.
 */
#ifndef TESTS_ISA_STATE_H
#define TESTS_ISA_STATE_H

#include "core/emulate/vector.h"

/*
 * Data: pages 0 and 1 may be written, 2 only read, 3 is not there, 4 may be written, 5 and what
 * follows is not there. None may be executed. The same frames stand at three addresses: the one
 * that most operands get, one that 16-bit addresses reach, and one beyond 4 GiB.
 */
#define DATA_LINEAR 0x20000000ULL
#define DATA_LOW_LINEAR 0x8000ULL
#define DATA_HIGH_LINEAR 0x7e0020000000ULL
#define DATA_PAGES 6
#define DATA_FRAMES 4
#define DATA_BYTES (DATA_FRAMES * 4096u)
/* Offset in the frames of a page, or -1. */
static inline int data__frame(unsigned page)
{
	return page < 3 ? (int)page * 4096 : page == 4 ? 3 * 4096 : -1;
}

/* Code: two pages that may be read and executed, full of HLT, nothing behind them. */
#define CODE_LINEAR 0x30000000ULL
#define CODE_BYTES 8192u
#define CODE_FILL 0xf4

/* Linux's selectors, and those of the test's LDT. */
#define SEL_KERNEL32_CODE 0x08
#define SEL_KERNEL_CODE 0x10
#define SEL_KERNEL_DATA 0x18
#define SEL_USER32_CODE 0x23
#define SEL_USER_DATA 0x2b
#define SEL_USER_CODE 0x33
#define SEL_LDT(n) ((n) << 3 | 7)

/* Entries of the LDT, made with modify_ldt(2) natively. */
enum ldt_entry {
	LDT_CODE16,	 /* 16-bit code at CODE_LINEAR */
	LDT_LIMITED,	 /* data of pages 0 to 2.5 from DATA_LINEAR */
	LDT_EXPAND_DOWN, /* data above the middle of page 1 of DATA_LINEAR, up to 4 GiB */
	LDT_READ_ONLY,	 /* data, all of the address space */
	LDT_NOT_PRESENT,
	LDT_CODE32,	 /* readable code, all of the address space */
	LDT_EXECUTE_ONLY,
	LDT_CONFORMING,
	LDT_OFFSET,	 /* data, all of the address space from DATA_LINEAR on */
	NR_LDT_ENTRIES,
};

struct ldt_description {
	u32 base;
	u32 limit;
	u8 big;
	u8 contents; /* as in struct user_desc */
	u8 read_exec_only;
	u8 limit_in_pages;
	u8 not_present;
};
extern const struct ldt_description ldt_descriptions[NR_LDT_ENTRIES];

#define NO_VECTOR 0xff

struct isa_state {
	struct xsave_image fp __attribute__((aligned(64)));
	u64 gpr[16];
	u64 rip; /* offset in CS */
	u64 flags;
	u64 fs_base;
	u64 gs_base;
	u16 sel[X86_NR_SEG];
	/* After: how it ended. The state is the one that the exception's handler sees. */
	u8 vector;
	u32 error;
	u64 cr2; /* of a #PF */
};

/* FP state: which x87 and vector registers matter. */
void isa_state__normalise(struct isa_state *s);

#endif
