/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What segments the host's kernel gives user mode, for tests that execute instructions natively. */
#ifndef TESTS_HOST_SEGMENT_H
#define TESTS_HOST_SEGMENT_H

#include "base/types.h"

/*
 * Whether the selector is of a code segment that is present (SDM vol. 2, LAR). Kernels on a hypervisor that does
 * without the processor's help may have none for 32-bit code, and no LDT.
 */
static inline bool host_segment__is_code(u16 selector)
{
	u32 rights = 0;

	__asm__("lar %1, %0" : "+r"(rights) : "r"((u32)selector) : "cc");
	return (rights & 0x9800) == 0x9800;
}

#endif
