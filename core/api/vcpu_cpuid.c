/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID tables (api.rst 4.46, 4.20, 4.52). */
#include "core/api/table.h"

typedef int cpuid_list_fn(struct kvm_cpuid_entry2 *entries, u32 *count);

static s64 get_list(struct api_call *call, cpuid_list_fn *fn)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid2 head;
	s64 r;

	if (host__copy_from_user(&head, call->arg, sizeof(head)))
		return -EFAULT;
	if (!head.nent)
		return -E2BIG;
	head.nent = MIN_OF(head.nent, CPUID_MAX_ENTRIES);
	entries = host__alloc(head.nent * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	r = fn(entries, &head.nent);
	if (!r && (host__copy_to_user(call->arg + sizeof(head), entries,
				      head.nent * sizeof(*entries)) ||
		   host__copy_to_user(call->arg, &head, sizeof(head))))
		r = -EFAULT;
	host__free(entries);
	return r;
}

s64 api__get_supported_cpuid(struct api_call *call)
{
	return get_list(call, cpuid__supported);
}

s64 api__get_emulated_cpuid(struct api_call *call)
{
	return get_list(call, cpuid__emulated);
}

static s64 set_entries(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 count)
{
	s64 r = cpuid__set(vcpu, entries, count);

	if (!r && vcpu->vm->engine->state_changed)
		vcpu->vm->engine->state_changed(vcpu);
	return r;
}

s64 api__set_cpuid2(struct api_call *call)
{
	struct kvm_cpuid_entry2 *entries = NULL;
	struct kvm_cpuid2 head;
	size_t size;
	s64 r = 0;

	if (host__copy_from_user(&head, call->arg, sizeof(head)))
		return -EFAULT;
	if (head.nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	size = head.nent * sizeof(*entries);
	/* One byte at least: an empty table is one, too. */
	entries = host__alloc(size + 1);
	if (!entries)
		return -ENOMEM;
	if (size)
		r = host__copy_from_user(entries, call->arg + sizeof(head), size);
	if (!r)
		r = set_entries(call->vcpu, entries, head.nent);
	host__free(entries);
	return r;
}

/* The older table has no subleaves. */
static void widen(struct kvm_cpuid_entry2 *to, const struct kvm_cpuid_entry *from)
{
	*to = (struct kvm_cpuid_entry2){
		.function = from->function,
		.eax = from->eax,
		.ebx = from->ebx,
		.ecx = from->ecx,
		.edx = from->edx,
	};
}

s64 api__set_cpuid(struct api_call *call)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid_entry *old;
	struct kvm_cpuid head;
	s64 r = -ENOMEM;
	u32 i;

	if (host__copy_from_user(&head, call->arg, sizeof(head)))
		return -EFAULT;
	if (head.nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	entries = host__alloc(head.nent * sizeof(*entries) + 1);
	old = host__alloc(head.nent * sizeof(*old) + 1);
	if (!entries || !old)
		goto free_both;
	r = head.nent ? host__copy_from_user(old, call->arg + sizeof(head),
					     head.nent * sizeof(*old)) :
			0;
	if (r)
		goto free_both;
	for (i = 0; i < head.nent; i++)
		widen(&entries[i], &old[i]);
	r = set_entries(call->vcpu, entries, head.nent);
free_both:
	host__free(old);
	host__free(entries);
	return r;
}

s64 api__get_cpuid2(struct api_call *call)
{
	const struct x86_cpuid *cpuid = &call->vcpu->cpuid;
	u64 at = call->arg + sizeof(struct kvm_cpuid2);
	struct kvm_cpuid_entry2 entry;
	struct kvm_cpuid2 head;
	u32 i;

	if (host__copy_from_user(&head, call->arg, sizeof(head)))
		return -EFAULT;
	if (head.nent < cpuid->count)
		return -E2BIG;
	head.nent = cpuid->count;
	for (i = 0; i < cpuid->count; i++, at += sizeof(entry)) {
		cpuid__entry(call->vcpu, i, &entry);
		if (host__copy_to_user(at, &entry, sizeof(entry)))
			return -EFAULT;
	}
	return host__copy_to_user(call->arg, &head, sizeof(head));
}
