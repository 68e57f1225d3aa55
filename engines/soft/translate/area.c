/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for generated code: written through one mapping, executed through another. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "engines/soft/translate/translate.h"

/*
 * Shared memory that no file name stands for: perf looks into its map of generated code for it, which it does
 * not for a memfd.
 */
int area__create(struct code_area *area, size_t size)
{
	void *write, *execute;
	int error;

	write = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (write == MAP_FAILED)
		return -errno;
	/* Of length 0: another mapping of the same memory. */
	execute = mremap(write, 0, size, MREMAP_MAYMOVE);
	if (execute == MAP_FAILED) {
		error = -errno;
		goto unmap;
	}
	if (mprotect(execute, size, PROT_READ | PROT_EXEC)) {
		error = -errno;
		goto unmap_both;
	}
	area->write = write;
	area->execute = execute;
	area->size = size;
	area->used = 0;
	return 0;

unmap_both:
	munmap(execute, size);
unmap:
	munmap(write, size);
	return error;
}

static void populate(const struct code_area *area, u32 at, u32 end, u32 *populated)
{
	u32 start = at & PAGE_MASK_4K, size = MIN_OF(SOFT_CODE_POPULATED, end - start);

	if (at < *populated)
		return;
	host__populate(area->write + start, size, true);
	host__populate((u8 *)area->execute + start, size, false);
	*populated = start + size;
}

void area__populate(struct code_area *area)
{
	populate(area, area->used, SOFT_HOT_SIZE, &area->used_populated);
	populate(area, area->cold, SOFT_CODE_SIZE, &area->cold_populated);
}

void area__destroy(struct code_area *area)
{
	if (!area->write)
		return;
	munmap(area->write, area->size);
	munmap((void *)area->execute, area->size);
	area->write = NULL;
}
