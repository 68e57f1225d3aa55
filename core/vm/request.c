/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to a vCPU from other threads. */
#include "core/vm/vm.h"

void vcpu__request_quietly(struct vcpu *vcpu, u64 requests)
{
	/* The bits before the flag: who sees the flag finds the bits (core/vm/vcpu.h). */
	__atomic_fetch_or(&vcpu->requests, requests, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->leave, 1, __ATOMIC_RELEASE);
}

void vcpu__request(struct vcpu *vcpu, u64 requests)
{
	vcpu__request_quietly(vcpu, requests);
	host__vcpu_wake(vcpu);
}

void vm__request_all(struct vm *vm, u64 requests)
{
	u32 i, n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++)
		vcpu__request_quietly(vm->vcpus[i], requests);
}

void vcpu__nmi(struct vcpu *vcpu)
{
	u8 queued = __atomic_load_n(&vcpu->nmi_queued, __ATOMIC_RELAXED);

	/* One in service or pending, one latched behind it: the processor remembers no more. */
	while (queued < 2 &&
	       !__atomic_compare_exchange_n(&vcpu->nmi_queued, &queued, queued + 1, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	vcpu__request(vcpu, REQ_NMI);
}
