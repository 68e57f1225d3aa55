/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of memory slots, and what the hypervisor is told of it. */
#include "vmm/memory/slots.h"

#include <errno.h>
#include <string.h>

void memory_slots__init(struct memory_slots *slots,
			int (*set)(void *opaque, unsigned number, const struct memory_slot *slot),
			void *opaque)
{
	memset(slots, 0, sizeof(*slots));
	pthread_mutex_init(&slots->lock, NULL);
	slots->set = set;
	slots->opaque = opaque;
}

void memory_slots__destroy(struct memory_slots *slots)
{
	pthread_mutex_destroy(&slots->lock);
}

/* The lock is held. */
static int add_locked(struct memory_slots *slots, const struct memory_slot *slot)
{
	unsigned i;
	int err;

	for (i = 0; i < MEMORY_SLOTS && slots->slot[i].size; i++)
		;
	if (i == MEMORY_SLOTS)
		return -ENOSPC;
	err = slots->set(slots->opaque, i, slot);
	if (err)
		return err;
	slots->slot[i] = *slot;
	return (int)i;
}

int memory_slots__add(struct memory_slots *slots, const struct memory_slot *slot)
{
	int number;

	pthread_mutex_lock(&slots->lock);
	number = add_locked(slots, slot);
	pthread_mutex_unlock(&slots->lock);
	return number;
}

void memory_slots__remove(struct memory_slots *slots, int number)
{
	static const struct memory_slot none = { 0 };

	if (number < 0)
		return;
	pthread_mutex_lock(&slots->lock);
	slots->set(slots->opaque, (unsigned)number, &none);
	slots->slot[number] = none;
	pthread_mutex_unlock(&slots->lock);
}

int memory_slots__refresh(struct memory_slots *slots)
{
	unsigned i;
	int err = 0;

	pthread_mutex_lock(&slots->lock);
	for (i = 0; i < MEMORY_SLOTS && !err; i++)
		if (slots->slot[i].size)
			err = slots->set(slots->opaque, i, &slots->slot[i]);
	pthread_mutex_unlock(&slots->lock);
	return err;
}
