/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtual machine's making, references and end. */
#include "core/irqchip/irqchip.h"
#include "core/vm/msr_filter.h"
#include "core/vm/vm.h"

/*
 * A system call for sleep and one for waking, two switches of threads and often an interrupt between
 * CPUs: some 50 microseconds where the host is itself a virtual machine. Twice that is looked for.
 */
#define HALT_POLL_NS 100000

static void init_locks(struct vm *vm)
{
	host__mutex_init(&vm->lock);
	host__mutex_init(&vm->slots_lock);
	host__mutex_init(&vm->stop_lock);
	host__cond_init(&vm->stop_cond);
	host__mutex_init(&vm->exclusive_lock);
	host__mutex_init(&vm->clock_lock);
}

static void destroy_locks(struct vm *vm)
{
	host__mutex_destroy(&vm->clock_lock);
	host__mutex_destroy(&vm->exclusive_lock);
	host__cond_destroy(&vm->stop_cond);
	host__mutex_destroy(&vm->stop_lock);
	host__mutex_destroy(&vm->slots_lock);
	host__mutex_destroy(&vm->lock);
}

int vm__create(const struct engine_ops *engine, const struct engine_config *config, struct vm **out)
{
	static const struct engine_config none;
	struct vm *vm = host__alloc(sizeof(*vm));
	int rc;

	if (!vm)
		return -ENOMEM;
	vm->engine = engine;
	vm->refs = 1;
	vm->max_vcpu_id = VM_MAX_VCPU_ID;
	vm->halt_poll_ns = HALT_POLL_NS;
	/* Guest time starts with the machine: kvmclock and TSC at 0. */
	vm->tsc_khz = host__tsc_khz();
	vm->tsc_offset = -host__rdtsc();
	vm->clock_offset_ns = -(s64)host__monotonic_ns();
	init_locks(vm);
	rc = memory__init(vm);
	if (rc)
		goto destroy_locks;
	rc = engine->vm_create ? engine->vm_create(vm, config ? config : &none) : 0;
	if (rc)
		goto destroy_memory;
	*out = vm;
	return 0;

destroy_memory:
	memory__destroy(vm);
destroy_locks:
	destroy_locks(vm);
	host__free(vm);
	return rc;
}

/* No thread is in the machine any more but the host's own: eventfd watches and timers go first. */
static void destroy_vm(struct vm *vm)
{
	u32 i;

	irqfd__release_all(vm);
	ioeventfd__release_all(vm);
	irqchip__destroy(vm);
	for (i = vm->nr_vcpus; i-- > 0;)
		vcpu__destroy(vm->vcpus[i]);
	msr_filter__free(vm);
	if (vm->engine->vm_destroy)
		vm->engine->vm_destroy(vm);
	memory__destroy(vm);
	destroy_locks(vm);
	host__free(vm);
}

void vm__get(struct vm *vm)
{
	__atomic_fetch_add(&vm->refs, 1, __ATOMIC_RELAXED);
}

void vm__put(struct vm *vm)
{
	if (__atomic_sub_fetch(&vm->refs, 1, __ATOMIC_ACQ_REL) == 0)
		destroy_vm(vm);
}

struct vcpu *vm__vcpu_by_id(struct vm *vm, u32 id)
{
	u32 i, n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++)
		if (vm->vcpus[i]->id == id)
			return vm->vcpus[i];
	return NULL;
}
