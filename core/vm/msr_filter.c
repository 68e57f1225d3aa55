/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MSR filter: ranges with a bit per MSR, looked through in order. */
#include "core/vm/msr_filter.h"

struct filter_range {
	u32 flags; /* KVM_MSR_FILTER_READ, KVM_MSR_FILTER_WRITE */
	u32 base;
	u32 count;
	u8 *bitmap; /* bit set: allowed */
};

struct msr_filter {
	bool default_allow;
	u32 count;
	struct filter_range range[KVM_MSR_FILTER_MAX_RANGES];
};

static void free_filter(struct msr_filter *filter)
{
	u32 i;

	if (!filter)
		return;
	for (i = 0; i < filter->count; i++)
		host__free(filter->range[i].bitmap);
	host__free(filter);
}

static int add_range(struct msr_filter *filter, const struct kvm_msr_filter_range *user)
{
	struct filter_range *range = &filter->range[filter->count];
	size_t bytes = ALIGN_UP_TO((u64)user->nmsrs, 64) / 8;

	if (!user->nmsrs)
		return 0;
	if (!user->flags || (user->flags & ~(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)) ||
	    bytes > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	range->bitmap = host__alloc(bytes);
	if (!range->bitmap)
		return -ENOMEM;
	filter->count++;
	range->flags = user->flags;
	range->base = user->base;
	range->count = user->nmsrs;
	return host__copy_from_user(range->bitmap, (u64)user->bitmap, bytes);
}

int msr_filter__set(struct vm *vm, const struct kvm_msr_filter *args)
{
	struct msr_filter *filter, *old;
	int rc;
	u32 i;

	if (args->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return -EINVAL;
	filter = host__alloc(sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	filter->default_allow = !(args->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		rc = add_range(filter, &args->ranges[i]);
		if (rc)
			goto free_new;
	}
	/* Denying everything without a single range is a mistake of the caller's, says the API. */
	if (!filter->default_allow && !filter->count) {
		rc = -EINVAL;
		goto free_new;
	}
	vm__stop_all(vm, NULL);
	old = vm->msr_filter;
	vm->msr_filter = filter;
	vm__resume_all(vm, NULL);
	free_filter(old);
	return 0;

free_new:
	free_filter(filter);
	return rc;
}

void msr_filter__free(struct vm *vm)
{
	free_filter(vm->msr_filter);
	vm->msr_filter = NULL;
}

bool msr_filter__allows(struct vm *vm, u32 msr, bool write)
{
	const struct msr_filter *filter = vm->msr_filter;
	u32 want = write ? KVM_MSR_FILTER_WRITE : KVM_MSR_FILTER_READ;
	u32 i;

	/* The x2APIC's registers can't be filtered. */
	if (!filter || (msr >= 0x800 && msr <= 0x8ff))
		return true;
	for (i = 0; i < filter->count; i++) {
		const struct filter_range *range = &filter->range[i];
		u32 bit = msr - range->base;

		if (msr >= range->base && bit < range->count && (range->flags & want))
			return range->bitmap[bit / 8] >> (bit % 8) & 1;
	}
	return filter->default_allow;
}
