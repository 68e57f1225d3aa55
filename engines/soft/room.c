/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bound on memory for translation, and how vCPUs share it. */
#include "engines/soft/translate/translate.h"

static const size_t first_room[NR_ROOMS] = {
	[ROOM_BLOCKS] = SOFT_ROOM_STEP,
	[ROOM_YOUNG] = SOFT_ROOM_STEP,
	[ROOM_CODE] = SOFT_ROOM_STEP,
	[ROOM_COLD] = SOFT_ROOM_STEP,
	[ROOM_FAULTS] = SOFT_ROOM_STEP / 4,
};

/* What a vCPU has of tables, whatever it executes. */
#define FIXED_BYTES (sizeof(struct soft_vcpu) + sizeof(struct translation))

static struct room_bound *bound_of(struct vcpu *vcpu)
{
	return &soft__vm(vcpu->vm)->room;
}

void room__init(struct room_bound *bound, u64 memory)
{
	bound->bound = memory ? memory : SOFT_MEMORY;
	bound->is_asked_for = memory;
}

static bool reserve(struct room_bound *bound, u64 bytes)
{
	u64 used = __atomic_load_n(&bound->used, __ATOMIC_RELAXED), peak;

	do {
		if (used + bytes > __atomic_load_n(&bound->bound, __ATOMIC_RELAXED))
			return false;
	} while (!__atomic_compare_exchange_n(&bound->used, &used, used + bytes, false,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	peak = __atomic_load_n(&bound->peak, __ATOMIC_RELAXED);
	while (peak < used + bytes &&
	       !__atomic_compare_exchange_n(&bound->peak, &peak, used + bytes, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
	return true;
}

u64 room__held(const struct soft_vcpu *soft)
{
	u64 bytes = FIXED_BYTES;
	unsigned i;

	for (i = 0; i < NR_ROOMS; i++)
		bytes += __atomic_load_n(&soft->room[i].size, __ATOMIC_RELAXED);
	return bytes;
}

int room__create(struct vcpu *vcpu)
{
	struct room_bound *bound = bound_of(vcpu);
	struct soft_vcpu *soft = vcpu->soft;
	u64 bytes = FIXED_BYTES;
	unsigned i;

	for (i = 0; i < NR_ROOMS; i++)
		bytes += first_room[i];
	while (!reserve(bound, bytes)) {
		if (bound->is_asked_for)
			return -ENOMEM;
		__atomic_fetch_add(&bound->bound, bytes, __ATOMIC_RELAXED);
	}
	for (i = 0; i < NR_ROOMS; i++)
		soft->room[i].size = first_room[i];
	return 0;
}

void room__destroy(struct vcpu *vcpu)
{
	__atomic_fetch_sub(&bound_of(vcpu)->used, room__held(vcpu->soft), __ATOMIC_RELAXED);
}

/* Those with more than their share are to empty their caches. They do when they look at requests. */
static void ask_others(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	u32 n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE), i;
	u64 share = __atomic_load_n(&bound_of(vcpu)->bound, __ATOMIC_RELAXED) / MAX_OF(n, 1);

	if (room__held(vcpu->soft) >= share)
		return;
	for (i = 0; i < n; i++)
		if (vm->vcpus[i] != vcpu && room__held(vm->vcpus[i]->soft) > share)
			vcpu__request(vm->vcpus[i], REQ_CODE_FLUSH);
}

bool room__grow(struct vcpu *vcpu, enum room_kind kind, size_t size)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct room *room = &soft->room[kind];
	size_t step = MIN_OF(SOFT_ROOM_STEP, room->most - room->size);

	if (size <= room->size)
		return true;
	if (size <= room->size + step && reserve(bound_of(vcpu), step)) {
		__atomic_store_n(&room->size, room->size + step, __ATOMIC_RELAXED);
		return true;
	}
	if (step)
		ask_others(vcpu);
	soft->evictions += kind != ROOM_YOUNG;
	return false;
}

/* Touching what was given back costs a fault per page: not while there is enough for all. */
static bool is_scarce(const struct room_bound *bound)
{
	return __atomic_load_n(&bound->used, __ATOMIC_RELAXED) > __atomic_load_n(&bound->bound, __ATOMIC_RELAXED) / 4 * 3;
}

void room__emptied(struct vcpu *vcpu)
{
	struct room_bound *bound = bound_of(vcpu);
	unsigned i;

	if (!is_scarce(bound))
		return;
	for (i = 0; i < NR_ROOMS; i++) {
		struct room *room = &vcpu->soft->room[i];
		size_t more = room->size - first_room[i];

		if (!more)
			continue;
		host__discard(room->start + first_room[i], more);
		__atomic_store_n(&room->size, first_room[i], __ATOMIC_RELAXED);
		__atomic_fetch_sub(&bound->used, more, __ATOMIC_RELAXED);
	}
}
