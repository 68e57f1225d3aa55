/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on a machine's descriptor. */
#include "core/api/table.h"
#include "include/uapi/trivet.h"

static s64 create_vcpu(struct api_call *call)
{
	struct vm *vm = call->vm;
	struct vcpu *vcpu;
	int rc;

	if (call->arg >= VM_MAX_VCPU_ID)
		return -EINVAL;
	host__mutex_lock(&vm->lock);
	rc = vcpu__create(vm, call->arg, &vcpu);
	host__mutex_unlock(&vm->lock);
	if (rc)
		return rc;
	vm__get(vm);
	*call->created = (struct api_object){
		.kind = API_VCPU,
		.engine = call->engine,
		.vm = vm,
		.vcpu = vcpu,
	};
	return 0;
}

static s64 check_extension(struct api_call *call)
{
	return api__check_extension(call->vm, call->arg);
}

static s64 set_boot_cpu_id(struct api_call *call)
{
	s64 r = 0;

	host__mutex_lock(&call->vm->lock);
	if (call->vm->nr_vcpus)
		r = -EBUSY;
	else
		call->vm->bsp_id = call->arg;
	host__mutex_unlock(&call->vm->lock);
	return r;
}

/* Both addresses are for VT-x without unrestricted guests; here they are kept and unused. */
static s64 set_tss_addr(struct api_call *call)
{
	if (call->arg > 0xffffffffULL - 3 * 4096 + 1)
		return -EINVAL;
	call->vm->tss_addr = call->arg;
	return 0;
}

static s64 set_identity_map_addr(struct api_call *call)
{
	s64 r = 0;

	host__mutex_lock(&call->vm->lock);
	if (call->vm->nr_vcpus)
		r = -EINVAL;
	else
		call->vm->identity_map_addr = *(const u64 *)call->data;
	host__mutex_unlock(&call->vm->lock);
	return r;
}

#define MIN_MMU_PAGES 20

/* A limit of shadow page tables (api.rst 4.44), kept and told: there are none here. */
static s64 set_nr_mmu_pages(struct api_call *call)
{
	if (call->arg < MIN_MMU_PAGES)
		return -EINVAL;
	__atomic_store_n(&call->vm->nr_mmu_pages, call->arg, __ATOMIC_RELAXED);
	return 0;
}

static s64 get_nr_mmu_pages(struct api_call *call)
{
	return __atomic_load_n(&call->vm->nr_mmu_pages, __ATOMIC_RELAXED);
}

/* No kind of in-kernel device beyond the interrupt controllers exists. */
static s64 create_device(struct api_call *call)
{
	return -ENODEV;
}

static const struct api_row rows[] = {
	API_ROW(KVM_CREATE_VCPU, API_NUMBER, create_vcpu),
	API_ROW(KVM_CHECK_EXTENSION, API_NUMBER, check_extension),
	API_ROW(KVM_ENABLE_CAP, API_IN, api__enable_vm_cap),
	API_ROW(KVM_SET_BOOT_CPU_ID, API_NUMBER, set_boot_cpu_id),
	API_ROW(KVM_SET_TSS_ADDR, API_NUMBER, set_tss_addr),
	API_ROW(KVM_SET_IDENTITY_MAP_ADDR, API_IN, set_identity_map_addr),
	API_ROW(KVM_CREATE_DEVICE, API_IN, create_device),
	API_ROW(KVM_X86_SET_MSR_FILTER, API_IN, api__set_msr_filter),
	/* memory */
	API_ROW(KVM_SET_NR_MMU_PAGES, API_NUMBER, set_nr_mmu_pages),
	API_ROW(KVM_GET_NR_MMU_PAGES, API_NUMBER, get_nr_mmu_pages),
	API_ROW(KVM_SET_USER_MEMORY_REGION, API_IN, api__set_user_memory_region),
	API_ROW(KVM_GET_DIRTY_LOG, API_IN, api__get_dirty_log),
	API_ROW(KVM_CLEAR_DIRTY_LOG, API_IN, api__clear_dirty_log),
	API_ROW(TRIVET_WRITTEN, API_NUMBER, api__written),
	/* time */
	API_ROW(KVM_GET_CLOCK, API_OUT, api__get_clock),
	API_ROW(KVM_SET_CLOCK, API_IN, api__set_clock),
	API_ROW(KVM_SET_TSC_KHZ, API_NUMBER, api__set_tsc_khz),
	API_ROW(KVM_GET_TSC_KHZ, API_NUMBER, api__get_tsc_khz),
	/* interrupt controllers */
	API_ROW(KVM_CREATE_IRQCHIP, API_NUMBER, api__create_irqchip),
	API_ROW(KVM_IRQ_LINE, API_IN, api__irq_line),
	API_ROW(KVM_IRQ_LINE_STATUS, API_INOUT, api__irq_line_status),
	API_ROW(KVM_GET_IRQCHIP, API_INOUT, api__get_irqchip),
	API_ROW(KVM_SET_IRQCHIP, API_IN, api__set_irqchip),
	API_ROW(KVM_CREATE_PIT, API_NUMBER, api__create_pit),
	API_ROW(KVM_CREATE_PIT2, API_IN, api__create_pit2),
	API_ROW(KVM_GET_PIT, API_OUT, api__get_pit),
	API_ROW(KVM_SET_PIT, API_IN, api__set_pit),
	API_ROW(KVM_GET_PIT2, API_OUT, api__get_pit2),
	API_ROW(KVM_SET_PIT2, API_IN, api__set_pit2),
	{ KVM_REINJECT_CONTROL, "KVM_REINJECT_CONTROL", API_IN, sizeof(struct kvm_reinject_control),
	  api__reinject_control },
	API_ROW(KVM_SET_GSI_ROUTING, API_IN, api__set_gsi_routing),
	API_ROW(KVM_SIGNAL_MSI, API_IN, api__signal_msi),
	API_ROW(KVM_IRQFD, API_IN, api__irqfd),
	API_ROW(KVM_IOEVENTFD, API_IN, api__ioeventfd),
	API_ROW(KVM_REGISTER_COALESCED_MMIO, API_IN, api__register_coalesced),
	API_ROW(KVM_UNREGISTER_COALESCED_MMIO, API_IN, api__unregister_coalesced),
};

const struct api_table api_vm_table = { rows, ARRAY_LENGTH(rows) };
