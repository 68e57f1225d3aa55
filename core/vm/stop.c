/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping all vCPUs outside of guest code.
 *
 * in_guest and stop_pending are a store-and-look pair on both sides (a vCPU stores in_guest, then
 * looks at stop_pending; a stopper the other way round), so both use sequential consistency. The
 * mutex stop_lock guards nothing but the sleeping. exclusive_lock is held from vm__stop_all() to
 * vm__resume_all(): one stopper at a time.
 */
#include "core/vm/vm.h"

/* Looks at the others before sleeping: a vCPU that leaves its block does so within microseconds. */
#define SPINS_BEFORE_SLEEP 400

static bool is_in_guest(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST);
}

static bool stop_is_pending(const struct vm *vm)
{
	return __atomic_load_n(&vm->stop_pending, __ATOMIC_SEQ_CST);
}

static bool others_in_guest(struct vm *vm, const struct vcpu *self)
{
	u32 i, n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++)
		if (vm->vcpus[i] != self && is_in_guest(vm->vcpus[i]))
			return true;
	return false;
}

static void announce_out(struct vm *vm)
{
	host__mutex_lock(&vm->stop_lock);
	host__cond_broadcast(&vm->stop_cond);
	host__mutex_unlock(&vm->stop_lock);
}

/*
 * Flushes that were asked for while this vCPU counted as stopped in the middle of an instruction:
 * what it still accesses must not go through translations of a memory map that is no more.
 */
static void flush_requested(struct vcpu *vcpu)
{
	u64 flushes = REQ_TLB_FLUSH | REQ_TLB_FLUSH_WRITES;

	flushes &= __atomic_fetch_and(&vcpu->requests, ~flushes, __ATOMIC_ACQ_REL);
	if (flushes & REQ_TLB_FLUSH)
		tlb__flush_all(vcpu);
	else if (flushes & REQ_TLB_FLUSH_WRITES)
		tlb__flush_writes(vcpu);
}

void vm__enter_guest(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	for (;;) {
		__atomic_store_n(&vcpu->in_guest, 1, __ATOMIC_SEQ_CST);
		if (likely(!stop_is_pending(vm)))
			break;
		__atomic_store_n(&vcpu->in_guest, 0, __ATOMIC_SEQ_CST);
		host__mutex_lock(&vm->stop_lock);
		host__cond_broadcast(&vm->stop_cond);
		while (stop_is_pending(vm))
			host__cond_wait(&vm->stop_cond, &vm->stop_lock);
		host__mutex_unlock(&vm->stop_lock);
	}
	if (unlikely(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE)))
		flush_requested(vcpu);
}

void vm__leave_guest(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->in_guest, 0, __ATOMIC_SEQ_CST);
	if (unlikely(stop_is_pending(vcpu->vm)))
		announce_out(vcpu->vm);
}

void vm__stop_all(struct vm *vm, struct vcpu *self)
{
	u32 i, n;
	unsigned spin;

	/* Out while it waits for its turn, so that two stoppers do not wait for each other. */
	if (self)
		vm__leave_guest(self);
	host__mutex_lock(&vm->exclusive_lock);
	__atomic_store_n(&vm->stop_pending, 1, __ATOMIC_SEQ_CST);
	n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);
	for (i = 0; i < n; i++)
		if (vm->vcpus[i] != self && is_in_guest(vm->vcpus[i]))
			vcpu__request_quietly(vm->vcpus[i], REQ_STOP);
	for (spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
		if (!others_in_guest(vm, self))
			goto stopped;
		__builtin_ia32_pause();
	}
	host__mutex_lock(&vm->stop_lock);
	while (others_in_guest(vm, self))
		host__cond_wait(&vm->stop_cond, &vm->stop_lock);
	host__mutex_unlock(&vm->stop_lock);
stopped:
	if (self)
		flush_requested(self);
}

void vm__resume_all(struct vm *vm, struct vcpu *self)
{
	host__mutex_lock(&vm->stop_lock);
	__atomic_store_n(&vm->stop_pending, 0, __ATOMIC_SEQ_CST);
	host__cond_broadcast(&vm->stop_cond);
	host__mutex_unlock(&vm->stop_lock);
	host__mutex_unlock(&vm->exclusive_lock);
	if (!self)
		return;
	vm__enter_guest(self);
	/*
	 * In the midst of an instruction. What the engine has looked up before it may be gone by now. With a journal
	 * vCPUs take turns, and a block is executed twice: both times to its end.
	 */
	if (likely(!self->journal))
		__atomic_store_n(&self->leave, 1, __ATOMIC_SEQ_CST);
}
