/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State components of XSAVE areas: which the host has, and where they stand (SDM vol. 1, ch. 13). */
#ifndef CORE_X86_XSTATE_H
#define CORE_X86_XSTATE_H

#include "base/types.h"
#include "include/x86/cpuid.h"

/* Components with a place of their own behind the header: AVX, and AVX-512's three. */
#define XSTATE_FIRST 2
#define XSTATE_COUNT 8

struct xstate_component {
	u16 offset; /* in the standard form: the host's, which guests are told; 0: no such component */
	u16 size;
};

/* By number, XSTATE_COUNT of them. Asks the host at the first call. */
const struct xstate_component *xstate__components(void);
/*
 * The bits of XCR0 that guests can have: x87, SSE, AVX and AVX-512 state, as far as the host's
 * operating system has enabled them. AVX-512's only if the host has all of F, CD, BW, DQ and VL. 0
 * without XSAVE.
 */
u64 xstate__supported(void);
/* Bytes of an area with these components, in the standard or the compacted form. */
u32 xstate__area_size(u64 components, bool compact);
/* Where a component stands in an area, of which the compacted form has these. */
u32 xstate__offset(unsigned component, u64 components, bool compact);

#endif
