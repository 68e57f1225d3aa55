/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM_CHECK_EXTENSION and KVM_ENABLE_CAP of machines. A capability that is not in the table is not
 * there: nothing is promised that a guest or a VMM would miss later.
 */
#include "core/api/table.h"
#include "core/irqchip/irqchip.h"
#include "include/uapi/trivet.h"

#define MCE_BANKS 32
#define MAX_IRQ_ROUTES 4096
#define MAX_RESERVED_IOAPIC_PINS 120

#define X2APIC_API_FLAGS                                                                           \
	(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
#define CLOCK_FLAGS (KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)
#define GUEST_DEBUG_FLAGS                                                                          \
	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP |                  \
	 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP | KVM_GUESTDBG_INJECT_DB |                \
	 KVM_GUESTDBG_BLOCKIRQ)
#define MSR_EXIT_REASONS                                                                           \
	(KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER)
/* Those that can be switched off here; what is not named behaves as with the quirk or without. */
#define QUIRKS                                                                                     \
	(KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE |                           \
	 KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

struct capability {
	u32 cap;
	u32 value;
};

static const struct capability capabilities[] = {
	/* of every KVM */
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_NR_MEMSLOTS, MEMORY_MAX_SLOTS },
	{ KVM_CAP_MMU_SHADOW_CACHE_CONTROL, 1 },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	{ KVM_CAP_COALESCED_MMIO, KVM_COALESCED_MMIO_PAGE_OFFSET },
	{ KVM_CAP_COALESCED_PIO, 1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_DEVICE_CTRL, 1 },
	{ KVM_CAP_MAX_VCPUS, VM_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, VM_MAX_VCPU_ID },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_SYNC_REGS, KVM_SYNC_X86_VALID_FIELDS },
	/* interrupt controllers and event descriptors */
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_SPLIT_IRQCHIP, 1 },
	{ KVM_CAP_PIT, 1 },
	{ KVM_CAP_PIT2, 1 },
	{ KVM_CAP_PIT_STATE2, 1 },
	{ KVM_CAP_REINJECT_CONTROL, 1 },
	{ KVM_CAP_IRQ_ROUTING, MAX_IRQ_ROUTES },
	{ KVM_CAP_IRQ_INJECT_STATUS, 1 },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IRQFD_RESAMPLE, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_IOAPIC_POLARITY_IGNORED, 1 },
	{ KVM_CAP_X2APIC_API, X2APIC_API_FLAGS },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	/* x86 state */
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_HALT_POLL, 1 },
	{ KVM_CAP_NOP_IO_DELAY, 1 },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_SET_BOOT_CPU_ID, 1 },
	{ KVM_CAP_PCI_SEGMENT, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_EXT_EMUL_CPUID, 1 },
	{ KVM_CAP_MCE, MCE_BANKS },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_EXCEPTION_PAYLOAD, 1 },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, GUEST_DEBUG_FLAGS },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_XSAVE2, sizeof(struct kvm_xsave) },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_X86_USER_SPACE_MSR, 1 },
	{ KVM_CAP_X86_MSR_FILTER, 1 },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1 },
	{ KVM_CAP_DISABLE_QUIRKS, 1 },
	{ KVM_CAP_DISABLE_QUIRKS2, QUIRKS },
	/* time */
	{ KVM_CAP_CLOCKSOURCE, 1 },
	{ KVM_CAP_ADJUST_CLOCK, CLOCK_FLAGS },
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	/* beyond KVM */
	{ TRIVET_CAP_WRITTEN, 1 },
};

s64 api__check_extension(struct vm *vm, u64 cap)
{
	unsigned i;

	switch (cap) {
	case KVM_CAP_NR_VCPUS:
		return MIN_OF(host__nr_cpus(), VM_MAX_VCPUS);
	case KVM_CAP_XCRS:
		return api__supported_xcr0() != 0;
	case KVM_CAP_MAX_VCPU_ID:
		return vm ? vm->max_vcpu_id : VM_MAX_VCPU_ID;
	}
	for (i = 0; i < ARRAY_LENGTH(capabilities); i++)
		if (capabilities[i].cap == cap)
			return capabilities[i].value;
	return 0;
}

/* Those that must be chosen before the first vCPU is made. */
static s64 enable_split_irqchip(struct vm *vm, u64 reserved)
{
	if (reserved > MAX_RESERVED_IOAPIC_PINS)
		return -EINVAL;
	if (vm->irqchip)
		return -EEXIST;
	if (vm->nr_vcpus)
		return -EINVAL;
	return irqchip__create_split(vm, reserved);
}

static s64 limit_vcpu_ids(struct vm *vm, u64 ids)
{
	if (!ids || ids > VM_MAX_VCPU_ID)
		return -EINVAL;
	if (vm->max_vcpu_id == ids)
		return 0;
	/* Once only, and before any vCPU. */
	if (vm->nr_vcpus || vm->max_vcpu_id != VM_MAX_VCPU_ID)
		return -EINVAL;
	vm->max_vcpu_id = ids;
	return 0;
}

static s64 enable(struct vm *vm, const struct kvm_enable_cap *cap)
{
	u64 value = cap->args[0];

	switch (cap->cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		if (value & ~(u64)KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
			return -EINVAL;
		vm->manual_dirty_protect = value;
		return 0;
	case KVM_CAP_DISABLE_QUIRKS2:
		if (value & ~(u64)QUIRKS)
			return -EINVAL;
		vm->disabled_quirks = value;
		return 0;
	case KVM_CAP_DISABLE_QUIRKS:
		vm->disabled_quirks = value;
		return 0;
	case KVM_CAP_SPLIT_IRQCHIP:
		return enable_split_irqchip(vm, value);
	case KVM_CAP_X2APIC_API:
		if (value & ~X2APIC_API_FLAGS)
			return -EINVAL;
		vm->x2apic_32bit_ids |= !!(value & KVM_X2APIC_API_USE_32BIT_IDS);
		vm->x2apic_no_broadcast_quirk |= !!(value & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
		return 0;
	case KVM_CAP_EXCEPTION_PAYLOAD:
		vm->exception_payload = value;
		return 0;
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
		vm->triple_fault_event = value;
		return 0;
	case KVM_CAP_X86_USER_SPACE_MSR:
		if (value & ~(u64)MSR_EXIT_REASONS)
			return -EINVAL;
		vm->user_space_msr = value;
		vm->user_space_msr_mask = value;
		return 0;
	case KVM_CAP_EXIT_ON_EMULATION_FAILURE:
		if (value & ~1ULL)
			return -EINVAL;
		vm->exit_on_emulation_error = value;
		return 0;
	case KVM_CAP_MAX_VCPU_ID:
		return limit_vcpu_ids(vm, value);
	case KVM_CAP_HALT_POLL:
		if (value != (u32)value)
			return -EINVAL;
		__atomic_store_n(&vm->halt_poll_ns, (u32)value, __ATOMIC_RELAXED);
		return 0;
	case TRIVET_CAP_WRITTEN:
		if (value > 1)
			return -EINVAL;
		__atomic_store_n(&vm->tells_writes, value, __ATOMIC_RELEASE);
		return 0;
	default:
		return -EINVAL;
	}
}

s64 api__enable_vm_cap(struct api_call *call)
{
	const struct kvm_enable_cap *cap = call->data;
	s64 r;

	if (cap->flags)
		return -EINVAL;
	host__mutex_lock(&call->vm->lock);
	r = enable(call->vm, cap);
	host__mutex_unlock(&call->vm->lock);
	return r;
}
