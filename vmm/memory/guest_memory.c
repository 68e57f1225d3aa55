/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: private memory of the process. Shared memory would do as well, but few systems give huge pages
 * to that.
 */
#define _GNU_SOURCE
#include "vmm/memory/guest_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/types.h"
#include "vmm/memory/slots.h"

#define PAGE_BYTES 4096u
#define HUGE_PAGE_BYTES (2ULL << 20)

/* An address that huge pages can start at: the mapping is made too long, and cut. */
static void *map_aligned(uint64_t size)
{
	uint8_t *start, *aligned;
	uint64_t head;

	start = mmap(NULL, size + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)start % HUGE_PAGE_BYTES;
	aligned = start + head;
	if (head)
		munmap(start, head);
	munmap(aligned + size, HUGE_PAGE_BYTES - head);
	return aligned;
}

static int map_region(struct guest_memory *mem, uint64_t gpa, uint64_t size)
{
	struct guest_region *region = &mem->region[mem->count];
	void *host = map_aligned(size);

	if (!host)
		return -errno;
	/* Huge pages make the engine's accesses and the kernel's page tables cheaper. */
	madvise(host, size, MADV_HUGEPAGE);
	/* A core dump of the machine should hold the machine, not the guest. */
	madvise(host, size, MADV_DONTDUMP);
	*region = (struct guest_region){ .gpa = gpa, .size = size, .host = host };
	mem->count++;
	return 0;
}

int guest_memory__create(struct guest_memory *mem, uint64_t size)
{
	uint64_t low = size < GUEST_LOW_RAM_END ? size : GUEST_LOW_RAM_END;
	int err;

	memset(mem, 0, sizeof(*mem));
	if (!size || size % PAGE_BYTES || size > INT64_MAX)
		return -EINVAL;
	err = map_region(mem, 0, low);
	if (err)
		return err;
	if (size > low)
		err = map_region(mem, GUEST_HIGH_RAM_START, size - low);
	if (err) {
		guest_memory__destroy(mem);
		return err;
	}
	mem->size = size;
	return 0;
}

void guest_memory__destroy(struct guest_memory *mem)
{
	while (mem->count) {
		struct guest_region *region = &mem->region[--mem->count];

		munmap(region->host, region->size);
	}
	mem->size = 0;
}

uint64_t guest_memory__end(const struct guest_memory *mem)
{
	uint64_t end = 0;
	unsigned i;

	for (i = 0; i < mem->count; i++)
		if (mem->region[i].gpa + mem->region[i].size > end)
			end = mem->region[i].gpa + mem->region[i].size;
	return end;
}

static int add_slot(const struct guest_memory *mem, struct memory_slots *slots, uint64_t first,
		    uint64_t end)
{
	struct memory_slot slot = { .gpa = first, .size = end - first };

	slot.host = guest_memory__pointer(mem, first, slot.size);
	return MIN_OF(memory_slots__add(slots, &slot), 0);
}

int guest_memory__register(const struct guest_memory *mem, struct memory_slots *slots,
			   bool has_firmware)
{
	unsigned i;
	int err = 0;

	for (i = 0; i < mem->count && !err; i++) {
		uint64_t first = mem->region[i].gpa, end = first + mem->region[i].size;

		if (!first && has_firmware) {
			err = add_slot(mem, slots, 0, GUEST_LOW_RAM_HOLE);
			first = GUEST_LOW_RAM_HOLE_END;
		}
		if (!err)
			err = add_slot(mem, slots, first, end);
	}
	return err;
}

/* The region that holds gpa, and how many bytes of it follow from there. */
static const struct guest_region *find_region(const struct guest_memory *mem, uint64_t gpa,
					      uint64_t *left)
{
	unsigned i;

	for (i = 0; i < mem->count; i++) {
		const struct guest_region *region = &mem->region[i];

		if (gpa >= region->gpa && gpa - region->gpa < region->size) {
			*left = region->size - (gpa - region->gpa);
			return region;
		}
	}
	return NULL;
}

void *guest_memory__pointer(const struct guest_memory *mem, uint64_t gpa, uint64_t size)
{
	uint64_t left;
	const struct guest_region *region = find_region(mem, gpa, &left);

	if (!region || size > left)
		return NULL;
	return region->host + (gpa - region->gpa);
}

void guest_memory__written(const struct guest_memory *mem, const void *host, uint64_t size)
{
	uintptr_t start = (uintptr_t)host, end = start + size;
	unsigned i;

	/* Regions may stand side by side in this process: of each its part. */
	for (i = 0; mem->written && i < mem->count; i++) {
		const struct guest_region *region = &mem->region[i];
		uintptr_t begin = (uintptr_t)region->host;
		uintptr_t from = MAX_OF(start, begin), to = MIN_OF(end, begin + region->size);

		if (from < to)
			mem->written(mem->opaque, region->gpa + (from - begin), to - from);
	}
}

int guest_memory__discard(const struct guest_memory *mem, void *host, uint64_t size)
{
	uintptr_t start = ((uintptr_t)host + PAGE_BYTES - 1) & -(uintptr_t)PAGE_BYTES;
	uintptr_t end = ((uintptr_t)host + size) & -(uintptr_t)PAGE_BYTES;
	int err;

	if (start >= end)
		return 0;
	err = madvise((void *)start, end - start, MADV_DONTNEED) ? -errno : 0;
	guest_memory__written(mem, (void *)start, end - start);
	return err;
}

static bool covers(const struct guest_memory *mem, uint64_t gpa, uint64_t size)
{
	uint64_t left;

	if (size && gpa + size - 1 < gpa)
		return false;
	while (size) {
		if (!find_region(mem, gpa, &left))
			return false;
		if (left >= size)
			return true;
		gpa += left;
		size -= left;
	}
	return true;
}

static int copy(const struct guest_memory *mem, uint64_t gpa, uint8_t *in, const uint8_t *out,
		size_t size)
{
	if (!covers(mem, gpa, size))
		return -EFAULT;
	while (size) {
		uint64_t left;
		const struct guest_region *region = find_region(mem, gpa, &left);
		size_t step = left < size ? left : size;
		uint8_t *host = region->host + (gpa - region->gpa);

		if (in) {
			memcpy(in, host, step);
			in += step;
		} else {
			memcpy(host, out, step);
			out += step;
		}
		gpa += step;
		size -= step;
	}
	return 0;
}

int guest_memory__read(const struct guest_memory *mem, uint64_t gpa, void *buf, size_t size)
{
	return copy(mem, gpa, buf, NULL, size);
}

int guest_memory__write(const struct guest_memory *mem, uint64_t gpa, const void *buf, size_t size)
{
	int err = copy(mem, gpa, NULL, buf, size);

	if (!err && mem->written)
		mem->written(mem->opaque, gpa, size);
	return err;
}
