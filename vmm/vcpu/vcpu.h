/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vCPUs of a machine: one thread each, started, held and ended together. */
#ifndef VMM_VCPU_VCPU_H
#define VMM_VCPU_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "vmm/kvm/kvm.h"

struct dispatch;
struct vcpu_set;

struct vcpu {
	struct vcpu_set *set;
	struct kvm_vcpu kvm;
	unsigned id;
	bool has_thread;
	pthread_t thread;
	bool completes; /* its thread: KVM has an access to complete at the next KVM_RUN */
};

/* What a vCPU tells the machine, from its own thread. It stands still until vcpu_set__run(). */
enum vcpu_event {
	VCPU_TRIPLE_FAULT,
	VCPU_POWER_OFF,
	VCPU_RESET,
	VCPU_CRASH,
	VCPU_FAILED, /* the hypervisor could not go on; said on stderr with the registers */
};

enum vcpu_command { VCPU_HOLD, VCPU_RUN, VCPU_END };

struct vcpu_set {
	const struct kvm_system *system;
	struct dispatch *ports, *mmio;
	bool has_firmware;     /* it sets what firmware sets */
	unsigned address_bits; /* of a guest-physical address, at most; 0: as many as the CPU has */
	void (*event)(void *opaque, unsigned vcpu, enum vcpu_event event);
	void *opaque;
	unsigned count;
	struct vcpu *vcpu;

	_Atomic(enum vcpu_command) command; /* changed under lock, read without */
	pthread_mutex_t lock;		    /* guards held */
	pthread_cond_t changed;		    /* command or held did */
	unsigned held;			    /* threads that stand still */
};

/*
 * Creates `count` vCPUs of `vm` in their reset state, with CPUID, and their threads, held. The
 * fields above `count` have been filled in. 0 or -errno, with nothing left.
 */
int vcpu_set__create(struct vcpu_set *set, const struct kvm_vm *vm, unsigned count);
/* Ends the threads and destroys the vCPUs. */
void vcpu_set__destroy(struct vcpu_set *set);

/* Lets them run. */
void vcpu_set__run(struct vcpu_set *set);
/* Makes them stand still soon; any thread, vCPUs' own too. */
void vcpu_set__hold(struct vcpu_set *set);
/* Waits until they do. Not from a vCPU's thread. */
void vcpu_set__wait_held(struct vcpu_set *set);

/* Works off the exit in vcpu->kvm.run. In the vCPU's thread. */
void vcpu__handle_exit(struct vcpu *vcpu);
/* Registers in words, on stderr. In the vCPU's thread, or while it stands still. */
void vcpu__dump(struct vcpu *vcpu);

/* CPUID for a machine of `cpus` vCPUs, for vCPU 0; free() it. 0 or -errno. */
int vcpu_cpuid__build(const struct kvm_system *system, unsigned cpus, struct kvm_cpuid2 **cpuid);
/* Turns it into vCPU id's. */
void vcpu_cpuid__set_id(struct kvm_cpuid2 *cpuid, unsigned id);
/* Says no more bits of a guest-physical address than these. */
void vcpu_cpuid__limit_physical_bits(struct kvm_cpuid2 *cpuid, unsigned most);
/* Bits of a guest-physical address. */
unsigned vcpu_cpuid__physical_bits(const struct kvm_cpuid2 *cpuid);

/* MSRs and LINT pins as firmware leaves them. */
int vcpu__set_firmware_state(struct vcpu *vcpu, const struct kvm_cpuid2 *cpuid);

#endif
