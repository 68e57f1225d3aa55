/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversion between rates without floating point and without 128-bit division. */
#ifndef CORE_IRQCHIP_SCALE_H
#define CORE_IRQCHIP_SCALE_H

#include "base/types.h"

#define NS_PER_SECOND 1000000000U
/* No timer is armed further away than this: keeps sums of times far from wrapping. */
#define FAR_FUTURE_NS (1ULL << 61)

/* value * mul / div, rounded down; the largest u64 where that does not fit. div is not 0. */
static inline u64 scale__u64(u64 value, u32 mul, u32 div)
{
	u64 whole, part = (value % div) * mul / div;

	if (__builtin_mul_overflow(value / div, (u64)mul, &whole) ||
	    __builtin_add_overflow(whole, part, &whole))
		return ~0ULL;
	return whole;
}

#endif
