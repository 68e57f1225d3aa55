/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every size and bound of the software engine that measurement may change. */
#ifndef ENGINES_SOFT_TUNABLES_H
#define ENGINES_SOFT_TUNABLES_H

/* Decoded instructions kept per vCPU, bytes; emptied as a whole when full. */
#define SOFT_CACHE_SIZE (4u << 20)
/* Instructions in one block at most: bounds how much is decoded that never runs. */
#define SOFT_BLOCK_INSNS 32
/* Buckets of the block hash, entries of the linear look-up and of the fetch TLB; powers of two. */
#define SOFT_HASH_ENTRIES 8192
#define SOFT_JUMP_ENTRIES 4096
#define SOFT_FETCH_ENTRIES 256
/* Blocks, and interruptions of them, between two looks at pending signals (a system call each). */
#ifndef SOFT_RUN_BLOCKS
#define SOFT_RUN_BLOCKS 20000
#endif

#endif
