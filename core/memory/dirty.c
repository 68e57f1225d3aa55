/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dirty log of a memory slot, for user space (KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG). */
#include "core/memory/slots.h"
#include "core/vm/vm.h"
#include "include/x86/paging.h"

static struct memory_slot *logging_slot(struct vm *vm, u32 id)
{
	unsigned i;

	for (i = 0; i < vm->map->count; i++)
		if (vm->map->slot[i].id == id)
			return vm->map->slot[i].dirty ? &vm->map->slot[i] : NULL;
	return NULL;
}

/*
 * The bitmap is taken with all vCPUs stopped, and their write permissions are dropped before they
 * go on, so that no write falls between the copy and the clearing.
 */
static int get_log(struct vm *vm, u32 id, u64 user, bool clear)
{
	struct memory_slot *slot;
	size_t bytes;
	int rc;

	vm__stop_all(vm, NULL);
	host__mutex_lock(&vm->slots_lock);
	slot = logging_slot(vm, id);
	rc = slot ? 0 : -ENOENT;
	if (slot) {
		bytes = ALIGN_UP_TO(slot->pages, 64) / 8;
		rc = host__copy_to_user(user, slot->dirty, bytes);
		if (!rc && clear) {
			memset(slot->dirty, 0, bytes);
			vm__request_all(vm, REQ_TLB_FLUSH_WRITES);
		}
	}
	host__mutex_unlock(&vm->slots_lock);
	vm__resume_all(vm, NULL);
	return rc;
}

int memory__get_dirty_log(struct vm *vm, u32 slot, u64 user)
{
	return get_log(vm, slot, user, !vm->manual_dirty_protect);
}

int memory__clear_dirty_log(struct vm *vm, u32 id, u64 first_page, u32 num_pages, u64 user)
{
	struct memory_slot *slot;
	u64 i, words = ALIGN_UP_TO((u64)num_pages, 64) / 64;
	int rc = 0;

	if (first_page & 63)
		return -EINVAL;
	vm__stop_all(vm, NULL);
	host__mutex_lock(&vm->slots_lock);
	slot = logging_slot(vm, id);
	if (!slot)
		rc = -ENOENT;
	else if (first_page > slot->pages || num_pages > slot->pages - first_page ||
		 ((num_pages & 63) && num_pages != slot->pages - first_page))
		rc = -EINVAL;
	for (i = 0; !rc && i < words; i++) {
		u64 mask;

		rc = host__copy_from_user(&mask, user + i * 8, 8);
		if (!rc)
			slot->dirty[first_page / 64 + i] &= ~mask;
	}
	vm__request_all(vm, REQ_TLB_FLUSH_WRITES);
	host__mutex_unlock(&vm->slots_lock);
	vm__resume_all(vm, NULL);
	return rc;
}
