/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory slots: which host memory the CPUs reach at which guest-physical addresses. RAM is there
 * from the start; devices add and take away slots of their own (flash, shadowed ROM).
 */
#ifndef VMM_MEMORY_SLOTS_H
#define VMM_MEMORY_SLOTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MEMORY_SLOTS 32u

struct memory_slot {
	uint64_t gpa, size; /* multiples of 4 KiB; size 0: none */
	uint8_t *host;
	bool read_only; /* the CPUs' writes come to the device at the address instead */
};

struct memory_slots {
	pthread_mutex_t lock; /* guards slot[], keeps changes in order */
	struct memory_slot slot[MEMORY_SLOTS];
	/* The hypervisor's: size 0 takes the slot away. 0 or -errno. */
	int (*set)(void *opaque, unsigned number, const struct memory_slot *slot);
	void *opaque;
};

void memory_slots__init(struct memory_slots *slots,
			int (*set)(void *opaque, unsigned number, const struct memory_slot *slot),
			void *opaque);
void memory_slots__destroy(struct memory_slots *slots);

/* The slot's number, or -errno: -ENOSPC, or what the hypervisor said. It overlaps no other. Any thread. */
int memory_slots__add(struct memory_slots *slots, const struct memory_slot *slot);
/* Takes a slot away; a negative number is none. Any thread. */
void memory_slots__remove(struct memory_slots *slots, int number);
/* Tells the hypervisor all slots anew, after its part of the machine was replaced. 0 or -errno. */
int memory_slots__refresh(struct memory_slots *slots);

#endif
