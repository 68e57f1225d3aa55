/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One virtual machine: its vCPUs, memory, interrupt controllers, and stopping all vCPUs at once. */
#ifndef CORE_VM_VM_H
#define CORE_VM_VM_H

#include <linux/kvm.h>
#include "core/engine.h"
#include "core/host.h"
#include "core/memory/slots.h"
#include "core/vm/vcpu.h"

#define VM_MAX_VCPUS 288
#define VM_MAX_VCPU_ID 4096

struct irqchip; /* PIC, IOAPIC, PIT, routing: core/irqchip/irqchip.h */
struct ioeventfd_table;
struct msr_filter; /* core/vm/msr_filter.h */

struct vm {
	const struct engine_ops *engine;
	void *engine_vm; /* the engine's own */

	struct host_mutex lock;	      /* vCPU creation, irqchip creation, VM-wide settings */
	struct host_mutex slots_lock; /* memory map writers, ioctl readers; inside lock */
	struct memory_map *map;

	/* Published with release order; nr_vcpus only grows. */
	struct vcpu *vcpus[VM_MAX_VCPUS];
	u32 nr_vcpus;
	u32 device_events; /* atomic: interrupts from user space, which may have written memory */
	bool tells_writes; /* atomic: no, it tells what it writes (TRIVET_CAP_WRITTEN) */

	/* Stopping all vCPUs (stop.c). */
	struct host_mutex stop_lock;
	struct host_cond stop_cond;
	struct host_mutex exclusive_lock; /* one stopper at a time */
	u32 stop_pending;		  /* atomic */

	struct irqchip *irqchip; /* NULL before KVM_CREATE_IRQCHIP / KVM_CAP_SPLIT_IRQCHIP */
	bool split_irqchip;
	struct ioeventfd_table *ioeventfds;

	/* Capabilities that user space switched on (KVM_ENABLE_CAP), and VM-wide values. */
	bool x2apic_32bit_ids;
	bool x2apic_no_broadcast_quirk; /* KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK */
	bool exception_payload;
	bool user_space_msr;
	u32 user_space_msr_mask;
	bool hlt_in_guest;
	bool mwait_in_guest;
	bool pause_in_guest;
	u64 disabled_quirks;
	u32 bsp_id; /* KVM_SET_BOOT_CPU_ID */
	u64 tss_addr;
	u64 identity_map_addr;
	u32 nr_mmu_pages; /* KVM_SET_NR_MMU_PAGES */
	u32 tsc_khz;

	/* kvmclock (core/x86/clock.c): offset of guest boot time, guarded by clock_lock. */
	struct host_mutex clock_lock;
	s64 clock_offset_ns; /* kvmclock = host__monotonic_ns() + this */
	u64 tsc_offset;	     /* guest TSC = host TSC + this, the same on all vCPUs by default */
	/*
	 * kvmclock: the moment from which all vCPUs count, in kvmclock ns and in the host's TSC, and
	 * the clock_offset_ns it was taken with. By clock_lock.
	 */
	bool clock_base_valid;
	s64 clock_base_offset_ns;
	u64 clock_base_ns;
	u64 clock_base_tsc;
	u64 wall_clock_gpa;
	u64 dirty_ring_pages; /* 0: bitmap */
	bool manual_dirty_protect; /* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: reading does not clear */
	struct msr_filter *msr_filter; /* KVM_X86_SET_MSR_FILTER; replaced while all are stopped */
	u64 hypercall_exits; /* KVM_CAP_EXIT_HYPERCALL: bit per KVM_HC_* that user space does */
	bool triple_fault_event; /* KVM_CAP_X86_TRIPLE_FAULT_EVENT */
	bool exit_on_emulation_error; /* KVM_CAP_EXIT_ON_EMULATION_FAILURE */
	u32 halt_poll_ns; /* KVM_CAP_HALT_POLL: longest look before a halted vCPU sleeps; atomic */
	u32 max_vcpu_id; /* KVM_CAP_MAX_VCPU_ID: IDs below this */
	u32 refs; /* atomic: descriptors of the VM and of its vCPUs */
};

/* config: NULL for none. 0 or -errno. */
int vm__create(const struct engine_ops *engine, const struct engine_config *config,
	       struct vm **out);
void vm__get(struct vm *vm);
/* Drops a reference; frees the machine with the last one. */
void vm__put(struct vm *vm);

/*
 * Stops all vCPUs outside of guest code until vm__resume_all(). `self` is the calling vCPU when a
 * vCPU thread inside guest code calls (it counts as stopped), else NULL. Other stoppers wait. Hold
 * no lock that a vCPU thread may take in guest code.
 */
void vm__stop_all(struct vm *vm, struct vcpu *self);
void vm__resume_all(struct vm *vm, struct vcpu *self);

/* The run loop brackets guest code with these: enter waits while a stop is pending. */
void vm__enter_guest(struct vcpu *vcpu);
void vm__leave_guest(struct vcpu *vcpu);

/* Sends request bits to all vCPUs (quietly: halted ones keep sleeping). */
void vm__request_all(struct vm *vm, u64 requests);

struct vcpu *vm__vcpu_by_id(struct vm *vm, u32 id);

/* What the guest's kvmclock shows now. */
static inline u64 vm__kvmclock_ns(struct vm *vm)
{
	u64 tsc;

	return clock__now_ns(vm, &tsc);
}

#endif
