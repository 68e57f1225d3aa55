/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on the system descriptor, as open("/dev/kvm") gives it. */
#include "core/api/table.h"

static s64 get_api_version(struct api_call *call)
{
	return KVM_API_VERSION;
}

static s64 create_vm(struct api_call *call)
{
	struct vm *vm;
	int rc;

	if (call->arg) /* machine type: x86 has one */
		return -EINVAL;
	rc = vm__create(call->engine, &call->object->config, &vm);
	if (rc)
		return rc;
	*call->created = (struct api_object){ .kind = API_VM, .engine = call->engine, .vm = vm };
	return 0;
}

static s64 check_extension(struct api_call *call)
{
	return api__check_extension(NULL, call->arg);
}

static s64 get_vcpu_mmap_size(struct api_call *call)
{
	return API_VCPU_MMAP_SIZE;
}

static const struct api_row rows[] = {
	API_ROW(KVM_GET_API_VERSION, API_ZERO, get_api_version),
	API_ROW(KVM_CREATE_VM, API_NUMBER, create_vm),
	API_ROW(KVM_CHECK_EXTENSION, API_NUMBER, check_extension),
	API_ROW(KVM_GET_VCPU_MMAP_SIZE, API_ZERO, get_vcpu_mmap_size),
	API_ROW(KVM_GET_SUPPORTED_CPUID, API_OWN, api__get_supported_cpuid),
	API_ROW(KVM_GET_EMULATED_CPUID, API_OWN, api__get_emulated_cpuid),
	API_ROW(KVM_GET_MSR_INDEX_LIST, API_OWN, api__get_msr_index_list),
	API_ROW(KVM_GET_MSR_FEATURE_INDEX_LIST, API_OWN, api__get_msr_feature_list),
	API_ROW(KVM_GET_MSRS, API_OWN, api__get_feature_msrs),
	API_ROW(KVM_X86_GET_MCE_CAP_SUPPORTED, API_OUT, api__get_mce_cap),
};

const struct api_table api_system_table = { rows, ARRAY_LENGTH(rows) };
