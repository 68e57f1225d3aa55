/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every size and bound of the software engine that measurement may change. */
#ifndef ENGINES_SOFT_TUNABLES_H
#define ENGINES_SOFT_TUNABLES_H

/* Decoded instructions kept per vCPU, bytes; emptied as a whole when full. */
#define SOFT_CACHE_SIZE (160u << 20)
/* The same for those that have not been executed often enough to be translated. */
#define SOFT_YOUNG_SIZE (6u << 20)
/*
 * Generated code per vCPU; emptied together with the blocks. What is executed rarely stands apart, so that the
 * rest takes fewer cache lines and pages.
 */
#define SOFT_HOT_SIZE (64u << 20)
#define SOFT_COLD_SIZE (48u << 20)
#define SOFT_CODE_SIZE (SOFT_HOT_SIZE + SOFT_COLD_SIZE)
/* Memory for both, and for SOFT_FAULT_ENTRIES, of all vCPUs of a machine, if nobody asks for another bound. */
#define SOFT_MEMORY (1ull << 30)
/* The steps in which a vCPU gets it. */
#define SOFT_ROOM_STEP (512u << 10)
/* Of generated code, the host is asked for so much at once: two faults for each page cost more. */
#define SOFT_CODE_POPULATED (128u << 10)
/* A block's code is smaller than this, and so is what stands apart of it. */
#define SOFT_CODE_ROOM (152u << 10)
/* Vector instructions in generated code that can raise signals. */
#define SOFT_FAULT_ENTRIES (512u << 10)
/* In soft_vcpu.link: the jump leads forwards, so the target need not look whether to leave. */
#define SOFT_LINK_FORWARD 0x80000000u
/* The jump leads to another page. */
#define SOFT_LINK_FAR 0x40000000u
/* It leads to an address that was read from memory, which it compares. */
#define SOFT_LINK_READ 0x20000000u
/* Where the jump is. */
#define SOFT_LINK_SITE 0x1fffffffu
/* Jumps to other pages that are known one by one; with one more, all are taken back. */
#define SOFT_LINKS 16384
/* That many far jumps over the table before one of them is made direct again. */
#define SOFT_FAR_PERIOD 8
#define SOFT_READ_PERIOD 64
/* The stack of generated code and of what it calls. */
#define SOFT_STACK_SIZE (256 << 10)
/* Interpretations before a block is translated. */
#define SOFT_HEAT 5
/* The longest time guest code runs without a look at pending signals. */
#define SOFT_PULSE_NS 4000000
/*
 * Instructions in one block at most, where it has branches and where it does not: bounds how much is decoded that
 * never runs. Where so many stand behind the last branch, code is straight again (long runs of vector code).
 */
#define SOFT_BLOCK_BRANCHING 32
#define SOFT_BLOCK_STRAIGHT 16
#define SOFT_BLOCK_INSNS 240
/* Buckets of the block hash, entries of the linear look-up and of the fetch TLB; powers of two. */
#define SOFT_HASH_ENTRIES 131072
#define SOFT_YOUNG_ENTRIES 16384
#define SOFT_PAGE_HASH_ENTRIES 4096
#define SOFT_JUMP_BITS 14
#define SOFT_JUMP_ENTRIES (1u << SOFT_JUMP_BITS)
/* Spreads linear addresses over that table, by the top bits of a 32-bit product. */
#define SOFT_JUMP_FACTOR 0x9e3779b1u
#define SOFT_FETCH_ENTRIES 1024
/* Contexts whose numbers are remembered; the cache is flushed some time after the last number. */
#define SOFT_CONTEXTS 64
#define SOFT_LAST_CONTEXT 0xf0000000u
/* Code is kept from the second execution on: a set of addresses, and how full it may become. */
#define SOFT_SEEN_BITS (1u << 21)
/* Look-ups that serve several operands, in one run of instructions. */
#define SOFT_GROUP_SPANS 6
/* Of such that are made in the midst of the run, because an instruction of it computes the address: at a time. */
#define SOFT_GROUP_LATE 4
/*
 * When these fail so many times, once in so many cycles or more often, the block is translated again. After
 * so many translations each operand has a look-up of its own.
 */
#define SOFT_GROUP_RETRIES 3
#define SOFT_GROUP_MISSES 16
#define SOFT_GROUP_MISS_CYCLES 30000
/* The same once there is code for the group without shared look-ups, for when these fail: from this translation on. */
#define SOFT_GROUP_APART 1
#define SOFT_GROUP_APART_MISS_CYCLES 1500
/* More, as executors for the whole group cost that by themselves, for each instruction of the block. */
#define SOFT_GROUP_INSN_CYCLES 2000
/* A group that goes on apart at the same address so many times in a row is translated again for it. */
#define SOFT_STRADDLES 16
/* So is one of those that do so that often, wherever it is: once in so many cycles. */
#define SOFT_STRADDLES_ANY 64
#define SOFT_STRADDLE_CYCLES 400
/* Up to so many times, each time for the addresses of the times before, too; and for so many blocks these are kept. */
#define SOFT_STRADDLE_MOMENTS 4
#define SOFT_STRADDLE_BLOCKS 64 /* a power of two */
/* Of accesses that generated code finds in the TLB's second table, one of so many brings its page back to the first. */
#define SOFT_SECOND_PERIOD 64
/* Look-ups that a loop makes before its first round: operands of registers that it leaves alone. */
#define SOFT_LOOP_SPANS 8
/* How far those that move on may go in a round: farther, and they come to a page's end too soon. */
#define SOFT_LOOP_STEP 512
/* Sizes of look-ups, each twice the one before, for which a loop may know how much of a page its distances leave. */
#define SOFT_STRIDE_LIMITS 8
/* Versions of a loop for when these are on two pages. One is made for one of so many times, whichever it is. */
#define SOFT_LOOP_VERSIONS 4
#define SOFT_LOOP_STRADDLES 16
/* Decoded instructions that cross a page. */
#define SOFT_CROSSINGS 256
/* Blocks, and interruptions of them, between two looks at pending signals (a system call each). */
#ifndef SOFT_RUN_BLOCKS
#define SOFT_RUN_BLOCKS 20000
#endif

#endif
