/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages for the tests, and the page-table entries that map them. */
#include "tests/guests/lib/long/machine.h"

static u64 next_page;

void *page__alloc_aligned(u64 size)
{
	u64 page;

	if (!next_page)
		next_page = (u64)image_end;
	page = ALIGN_UP_TO(next_page, size);
	next_page = page + size;
	memset((void *)page, 0, size);
	return (void *)page;
}

void *page__alloc(void)
{
	return page__alloc_aligned(PAGE_SIZE_4K);
}

u64 *paging__entry(u64 linear, unsigned level)
{
	u64 *table = (u64 *)(read_cr3() & PAGE_MASK_4K);
	unsigned at = (read_cr4() & CR4_LA57) ? 5 : 4;

	for (;; at--) {
		u64 *entry = &table[linear >> (12 + 9 * (at - 1)) & 511];

		if (at == level)
			return entry;
		if (!(*entry & PTE_P) || (*entry & PTE_PS && at < 4))
			*entry = (u64)page__alloc() | PTE_P | PTE_W | PTE_U;
		table = (u64 *)(*entry & 0x000ffffffffff000ULL);
	}
}

void paging__map(u64 linear, u64 physical, unsigned level, u64 flags)
{
	*paging__entry(linear, level) = physical | flags | (level > 1 ? PTE_PS : 0);
	invlpg((void *)linear);
}
