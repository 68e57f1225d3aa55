/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory slots and dirty log: the requests (api.rst 4.35, 4.8, 4.117). */
#include "core/api/table.h"
#include "include/uapi/trivet.h"

s64 api__set_user_memory_region(struct api_call *call)
{
	s64 r;

	host__mutex_lock(&call->vm->lock);
	r = memory__set_region(call->vm, call->data);
	host__mutex_unlock(&call->vm->lock);
	return r;
}

/* The upper half of a slot number is the address space, of which there is one. */
static bool slot_exists(u32 slot)
{
	return slot < MEMORY_MAX_SLOTS;
}

s64 api__get_dirty_log(struct api_call *call)
{
	const struct kvm_dirty_log *log = call->data;

	if (!slot_exists(log->slot))
		return -EINVAL;
	return memory__get_dirty_log(call->vm, log->slot, (u64)log->dirty_bitmap);
}

s64 api__clear_dirty_log(struct api_call *call)
{
	const struct kvm_clear_dirty_log *log = call->data;

	if (!slot_exists(log->slot))
		return -EINVAL;
	return memory__clear_dirty_log(call->vm, log->slot, log->first_page, log->num_pages,
				       (u64)log->dirty_bitmap);
}

s64 api__written(struct api_call *call)
{
	u64 gpa = call->arg & PAGE_MASK_4K, size = ((call->arg & ~PAGE_MASK_4K) + 1) << PAGE_SHIFT_4K;

	if (gpa + size - 1 < gpa)
		return -EINVAL;
	memory__written(call->vm, gpa, size);
	return 0;
}
