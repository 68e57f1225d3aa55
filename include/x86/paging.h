/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page-table entry bits and page geometry (APM vol. 2 ch. 5; SDM vol. 3 ch. 4). */
#ifndef X86_PAGING_H
#define X86_PAGING_H

#include "base/types.h"

#define PAGE_SHIFT_4K 12
#define PAGE_SIZE_4K 4096ULL
#define PAGE_MASK_4K (~(PAGE_SIZE_4K - 1))

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_U BIT64(2)
#define PTE_PWT BIT64(3)
#define PTE_PCD BIT64(4)
#define PTE_A BIT64(5)
#define PTE_D BIT64(6)
#define PTE_PS BIT64(7)
#define PTE_G BIT64(8)
#define PTE_NX BIT64(63)
#define PTE_PAT_LARGE BIT64(12)

#endif
