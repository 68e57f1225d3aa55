/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fuzz targets share: reading values from the input, checks, seeds. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include "base/types.h"

/* The input as a stream of values. What it does not have reads as zeros. */
struct fuzz_input {
	const u8 *at;
	size_t left;
};

static inline u64 fuzz__take(struct fuzz_input *in, unsigned size)
{
	u64 value = 0;

	while (size-- && in->left) {
		value = value << 8 | *in->at++;
		in->left--;
	}
	return value;
}

/* Fills buf as far as the input goes; the rest stays as it is. Returns the bytes written. */
static inline size_t fuzz__fill(struct fuzz_input *in, void *buf, size_t size)
{
	size_t n = size < in->left ? size : in->left, i;

	for (i = 0; i < n; i++)
		((u8 *)buf)[i] = in->at[i];
	in->at += n;
	in->left -= n;
	return n;
}

/* A finding: ends the process in a way that every driver reports. */
#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* One input. Always returns 0. What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/*
 * Writes the target's seed `n` (from 0) to buf and returns its length; 0: there are no more. Every
 * target has this.
 */
size_t fuzz__seed(unsigned n, u8 *buf, size_t size);

#endif
