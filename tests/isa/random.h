/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers of a given seed, and values at which instructions turn. */
#ifndef TESTS_ISA_RANDOM_H
#define TESTS_ISA_RANDOM_H

#include "core/emulate/vector.h"

void random__seed(u64 seed);
u64 random__u64(void);
/* 0 to n - 1 */
u32 random__below(u32 n);
/* True once in n times. */
bool random__one_in(u32 n);
/* Integers: edges, small ones and any. */
u64 random__integer(void);
/* Fills with integers or packed single and double floats of every kind. */
void random__operand(void *out, unsigned n);
/* A value for an x87 register, 10 bytes, every kind that the format can express. */
void random__x87(u8 *out);
/* All x87 and vector registers and control words. unmasked: exceptions may be, too. */
void random__fp(struct xsave_image *fp, bool unmasked);

#endif
