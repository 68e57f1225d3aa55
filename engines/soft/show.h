/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generated code for people and for perf: names, and listings of single blocks. */
#ifndef ENGINES_SOFT_SHOW_H
#define ENGINES_SOFT_SHOW_H

#include "base/types.h"

struct block;
struct translation;
struct vcpu;

/* "kernel64", "user32" and so on, for MODE_*. */
const char *show__mode(u32 mode);
/* Lines with address, bytes and text of a block's instructions, the first at linear address rip. */
void show__guest_code(int file, const struct block *block, u64 rip);

/* The code that all blocks share has been generated. */
void show__glue(struct vcpu *vcpu);
/* A block has been translated: what engine_config asks to be shown of it. */
void show__translation(const struct translation *t);

#endif
