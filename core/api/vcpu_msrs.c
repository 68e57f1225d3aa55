/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSRs by list, and the lists of them (api.rst 4.3, 4.18, 4.19). */
#include "core/api/table.h"
#include "core/vm/msr_filter.h"

#define MAX_MSRS 256

enum msr_direction { MSRS_READ, MSRS_WRITE };

typedef int msr_access_fn(struct vcpu *vcpu, struct kvm_msr_entry *entry);

static int read_msr(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	u64 value;

	if (msr__read(vcpu, entry->index, true, &value))
		return 1;
	entry->data = value;
	return 0;
}

static int write_msr(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return msr__write(vcpu, entry->index, true, entry->data);
}

static int read_feature(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	u64 value;

	if (msr__read_feature(entry->index, &value))
		return 1;
	entry->data = value;
	return 0;
}

/* Returns how many succeeded before the first that did not. */
static s64 access_msrs(struct api_call *call, enum msr_direction direction, msr_access_fn *fn)
{
	struct kvm_msr_entry *entries;
	struct kvm_msrs head;
	u64 user = call->arg + sizeof(head);
	size_t size;
	s64 r;
	u32 i;

	if (host__copy_from_user(&head, call->arg, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MAX_MSRS)
		return -E2BIG;
	if (!head.nmsrs)
		return 0;
	size = head.nmsrs * sizeof(*entries);
	entries = host__alloc(size);
	if (!entries)
		return -ENOMEM;
	r = host__copy_from_user(entries, user, size);
	if (r)
		goto free_entries;
	/* kvmclock MSRs make the core write guest memory. */
	if (call->vcpu)
		vm__enter_guest(call->vcpu);
	for (i = 0; i < head.nmsrs; i++)
		if (fn(call->vcpu, &entries[i]))
			break;
	if (call->vcpu)
		vm__leave_guest(call->vcpu);
	r = i;
	if (direction == MSRS_READ && host__copy_to_user(user, entries, size))
		r = -EFAULT;
free_entries:
	host__free(entries);
	return r;
}

s64 api__get_msrs(struct api_call *call)
{
	return access_msrs(call, MSRS_READ, read_msr);
}

s64 api__set_msrs(struct api_call *call)
{
	return access_msrs(call, MSRS_WRITE, write_msr);
}

s64 api__get_feature_msrs(struct api_call *call)
{
	return access_msrs(call, MSRS_READ, read_feature);
}

/* The number goes back even when the caller's array is too small for the list. */
static s64 copy_list(u64 user, const u32 *list, u32 count)
{
	struct kvm_msr_list head;
	u32 room;

	if (host__copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	room = head.nmsrs;
	head.nmsrs = count;
	if (host__copy_to_user(user, &head, sizeof(head)))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	return host__copy_to_user(user + sizeof(head), list, count * sizeof(*list));
}

s64 api__get_msr_index_list(struct api_call *call)
{
	u32 count;
	const u32 *list = msr__index_list(&count);

	return copy_list(call->arg, list, count);
}

s64 api__get_msr_feature_list(struct api_call *call)
{
	u32 count;
	const u32 *list = msr__feature_list(&count);

	return copy_list(call->arg, list, count);
}

s64 api__set_msr_filter(struct api_call *call)
{
	return msr_filter__set(call->vm, call->data);
}
