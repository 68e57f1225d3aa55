/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address dispatch: which device answers at a port or a guest-physical address.
 *
 * Ranges never overlap. Look-ups take no lock; an update copies the table, and the old one is
 * freed once every reader has left it.
 */
#ifndef VMM_MEMORY_DISPATCH_H
#define VMM_MEMORY_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

struct access {
	uint64_t offset; /* from the start of the range */
	uint64_t value;	 /* in for writes, out for reads (preset to all ones) */
	uint8_t size;	 /* 1, 2, 4 or 8 */
	bool write;
};

struct dispatch_range {
	uint64_t start;
	uint64_t size;
	/*
	 * The widest access the device takes at once: 1, 2, 4 or 8. Wider ones are split into
	 * pieces of that width, each looked up on its own, as a bus of that width would. An access
	 * no wider than this that starts in the range is the range's, even if it ends beyond.
	 */
	uint8_t width;
	void (*handler)(void *opaque, struct access *access);
	void *opaque;
};

struct dispatch;

/* `readers` is how many threads (numbered from 0) may be in dispatch__access() at once. */
int dispatch__create(struct dispatch **dispatch, unsigned readers);
void dispatch__destroy(struct dispatch *dispatch);

/* 0, -EBUSY if it overlaps another range, -EINVAL, -ENOMEM. Any thread. */
int dispatch__add(struct dispatch *dispatch, const struct dispatch_range *range);
/* 0 or -ENOENT. A handler that another thread is in, or just entered, may still run. */
int dispatch__remove(struct dispatch *dispatch, uint64_t start);

/*
 * Performs one access of 1 to 8 bytes at `address`. Reads of nothing are all ones, writes to
 * nothing go nowhere. `reader` is the calling thread's number.
 */
void dispatch__access(struct dispatch *dispatch, unsigned reader, uint64_t address, bool write,
		      void *data, unsigned size);

#endif
