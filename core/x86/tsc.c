/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's time-stamp counter: the host's plus an offset, kept the same on all vCPUs
 * (SDM vol. 3, 17.17).
 */
#include "core/vm/vm.h"

static u64 load_offset(struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->msrs.tsc_offset, __ATOMIC_RELAXED);
}

u64 x86__guest_tsc(struct vcpu *vcpu)
{
	return host__rdtsc() + load_offset(vcpu);
}

bool tsc__is_synchronized(struct vm *vm)
{
	u64 offset = __atomic_load_n(&vm->tsc_offset, __ATOMIC_RELAXED);
	u32 n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE), i;

	for (i = 0; i < n; i++)
		if (load_offset(vm->vcpus[i]) != offset)
			return false;
	return true;
}

/* The clock pages hold guest TSC values, and say whether all TSCs are the same. */
static void set_offset(struct vcpu *vcpu, u64 offset)
{
	struct vm *vm = vcpu->vm;
	bool synchronized = tsc__is_synchronized(vm);

	__atomic_store_n(&vcpu->msrs.tsc_offset, offset, __ATOMIC_RELAXED);
	if (tsc__is_synchronized(vm) != synchronized)
		vm__request_all(vm, REQ_CLOCK_UPDATE);
	vcpu__request_quietly(vcpu, REQ_CLOCK_UPDATE);
}

/*
 * Firmware, kernels and user space that restores a machine write each vCPU's TSC in turn, meaning
 * to make them equal. Such a write is one of 0, or one within a second of what the machine's offset
 * gives by now. A write of anything else moves the machine's offset, for the others to follow.
 */
void tsc__synchronize(struct vcpu *vcpu, u64 value)
{
	struct vm *vm = vcpu->vm;
	u64 second = host__tsc_khz() * 1000ULL, now, distance, offset;
	bool moved;

	host__mutex_lock(&vm->clock_lock);
	now = host__rdtsc();
	offset = vm->tsc_offset;
	distance = value - (now + offset);
	moved = value && distance + second > 2 * second;
	if (moved) {
		offset = value - now;
		__atomic_store_n(&vm->tsc_offset, offset, __ATOMIC_RELAXED);
	}
	host__mutex_unlock(&vm->clock_lock);
	if (moved)
		vm__request_all(vm, REQ_CLOCK_UPDATE);
	set_offset(vcpu, offset);
}

/* A guest's own write holds for its vCPU alone, and shows in TSC_ADJUST (SDM vol. 3, 17.17.3). */
void tsc__write(struct vcpu *vcpu, u64 value)
{
	u64 change = value - x86__guest_tsc(vcpu);

	vcpu->msrs.tsc_adjust += change;
	set_offset(vcpu, load_offset(vcpu) + change);
}

void tsc__write_adjust(struct vcpu *vcpu, u64 value)
{
	u64 change = value - vcpu->msrs.tsc_adjust;

	vcpu->msrs.tsc_adjust = value;
	set_offset(vcpu, load_offset(vcpu) + change);
}
