/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory slots: the guest-physical address space as user space has laid it out. */
#include "core/memory/slots.h"
#include "core/vm/vm.h"
#include "include/x86/paging.h"

#define REGION_FLAGS (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)

int memory__init(struct vm *vm)
{
	vm->map = host__alloc(sizeof(*vm->map));
	return vm->map ? 0 : -ENOMEM;
}

static size_t dirty_bytes(u64 pages)
{
	return ALIGN_UP_TO(pages, 64) / 8;
}

static void free_slot(struct memory_slot *slot)
{
	host__free_sparse(slot->dirty, dirty_bytes(slot->pages));
	host__free_sparse(slot->code, slot->pages * sizeof(u32));
	slot->dirty = NULL;
	slot->code = NULL;
}

void memory__destroy(struct vm *vm)
{
	unsigned i;

	if (!vm->map)
		return;
	for (i = 0; i < vm->map->count; i++)
		free_slot(&vm->map->slot[i]);
	host__free(vm->map);
	vm->map = NULL;
}

struct memory_slot *memory__find(struct vm *vm, u64 gpa)
{
	struct memory_map *map = vm->map;
	unsigned low = 0, high = map->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		struct memory_slot *slot = &map->slot[mid];

		if (gpa < slot->gpa)
			high = mid;
		else if (gpa - slot->gpa >= slot->pages << PAGE_SHIFT_4K)
			low = mid + 1;
		else
			return slot;
	}
	return NULL;
}

static struct memory_slot *find_by_id(struct memory_map *map, u32 id)
{
	unsigned i;

	for (i = 0; i < map->count; i++)
		if (map->slot[i].id == id)
			return &map->slot[i];
	return NULL;
}

static bool overlaps(const struct memory_map *map, u64 gpa, u64 pages, const struct memory_slot *but)
{
	unsigned i;

	for (i = 0; i < map->count; i++) {
		const struct memory_slot *slot = &map->slot[i];

		if (slot != but && gpa < slot->gpa + (slot->pages << PAGE_SHIFT_4K) &&
		    slot->gpa < gpa + (pages << PAGE_SHIFT_4K))
			return true;
	}
	return false;
}

static void remove_slot(struct memory_map *map, struct memory_slot *slot)
{
	unsigned index = slot - map->slot;

	free_slot(slot);
	memmove(slot, slot + 1, (map->count - index - 1) * sizeof(*slot));
	map->count--;
}

static void insert_slot(struct memory_map *map, const struct memory_slot *new)
{
	unsigned at = 0;

	while (at < map->count && map->slot[at].gpa < new->gpa)
		at++;
	memmove(&map->slot[at + 1], &map->slot[at], (map->count - at) * sizeof(*new));
	map->slot[at] = *new;
	map->count++;
}

static int check_region(const struct kvm_userspace_memory_region *r)
{
	if (r->slot >> 16 || (r->slot & 0xffff) >= MEMORY_MAX_SLOTS || (r->flags & ~REGION_FLAGS))
		return -EINVAL;
	if ((r->memory_size | r->guest_phys_addr | r->userspace_addr) & ~PAGE_MASK_4K)
		return -EINVAL;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr ||
	    r->userspace_addr + r->memory_size < r->userspace_addr ||
	    (r->userspace_addr + r->memory_size) >> 47)
		return -EINVAL;
	/* KVM_MEM_MAX_NR_PAGES and the 52 physical bits of the architecture. */
	if (r->memory_size >> PAGE_SHIFT_4K >= BIT64(31) ||
	    (r->guest_phys_addr + r->memory_size) >> 52)
		return -EINVAL;
	return 0;
}

/* Changes flags of a slot that stays where it is. */
static int change_flags(struct memory_slot *slot, u32 flags)
{
	if ((flags ^ slot->flags) & KVM_MEM_READONLY)
		return -EINVAL;
	if ((flags & KVM_MEM_LOG_DIRTY_PAGES) && !slot->dirty) {
		slot->dirty = host__alloc_sparse(dirty_bytes(slot->pages));
		if (!slot->dirty)
			return -ENOMEM;
	} else if (!(flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		host__free_sparse(slot->dirty, dirty_bytes(slot->pages));
		slot->dirty = NULL;
	}
	slot->flags = flags;
	return 0;
}

static int add_slot(struct memory_map *map, const struct kvm_userspace_memory_region *r)
{
	struct memory_slot new = {
		.gpa = r->guest_phys_addr,
		.pages = r->memory_size >> PAGE_SHIFT_4K,
		.hva = r->userspace_addr,
		.flags = r->flags,
		.id = r->slot,
	};

	if (map->count == MEMORY_MAX_SLOTS)
		return -EINVAL;
	if (overlaps(map, new.gpa, new.pages, NULL))
		return -EEXIST;
	new.host = host__slot_pointer(new.hva, r->memory_size);
	new.code = host__alloc_sparse(new.pages * sizeof(u32));
	if (!new.code)
		return -ENOMEM;
	if (r->flags & KVM_MEM_LOG_DIRTY_PAGES) {
		new.dirty = host__alloc_sparse(dirty_bytes(new.pages));
		if (!new.dirty) {
			host__free_sparse(new.code, new.pages * sizeof(u32));
			return -ENOMEM;
		}
	}
	insert_slot(map, &new);
	return 0;
}

/* Moves a slot. Code words and dirty log go with it, as with KVM; cached code is flushed. */
static int move_slot(struct memory_map *map, struct memory_slot *slot,
		     const struct kvm_userspace_memory_region *r)
{
	unsigned index = slot - map->slot;
	struct memory_slot moved;
	int rc;

	if (overlaps(map, r->guest_phys_addr, slot->pages, slot))
		return -EEXIST;
	/* What can fail comes before the move: vCPUs are told of the new place only on success. */
	rc = change_flags(slot, r->flags);
	if (rc)
		return rc;
	moved = *slot;
	moved.gpa = r->guest_phys_addr;
	memmove(slot, slot + 1, (map->count - index - 1) * sizeof(*slot));
	map->count--;
	insert_slot(map, &moved);
	return 0;
}

static int change_region(struct memory_map *map, const struct kvm_userspace_memory_region *r)
{
	struct memory_slot *slot = find_by_id(map, r->slot);

	if (!r->memory_size) {
		if (!slot)
			return -EINVAL;
		remove_slot(map, slot);
		return 0;
	}
	if (!slot)
		return add_slot(map, r);
	/* An existing slot may move or change flags, not size, backing or read-only. */
	if (r->memory_size >> PAGE_SHIFT_4K != slot->pages || r->userspace_addr != slot->hva ||
	    ((r->flags ^ slot->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	if (r->guest_phys_addr != slot->gpa)
		return move_slot(map, slot, r);
	return change_flags(slot, r->flags);
}

int memory__set_region(struct vm *vm, const struct kvm_userspace_memory_region *region)
{
	int rc = check_region(region);

	if (rc)
		return rc;
	vm__stop_all(vm, NULL);
	host__mutex_lock(&vm->slots_lock);
	rc = change_region(vm->map, region);
	if (!rc) {
		vm->map->generation++;
		vm__request_all(vm, REQ_TLB_FLUSH | REQ_CODE_FLUSH);
		if (vm->engine->map_changed)
			vm->engine->map_changed(vm);
	}
	host__mutex_unlock(&vm->slots_lock);
	vm__resume_all(vm, NULL);
	return rc;
}
