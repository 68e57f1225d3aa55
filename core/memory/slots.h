/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory slots: which host memory stands behind which guest-physical addresses
 * (KVM_SET_USER_MEMORY_REGION), the dirty log, and marks on pages that hold translated code.
 */
#ifndef CORE_MEMORY_SLOTS_H
#define CORE_MEMORY_SLOTS_H

#include "base/types.h"
#include "core/host.h"

struct vm;
struct vcpu;
struct kvm_userspace_memory_region;

#define MEMORY_MAX_SLOTS 509 /* as KVM: KVM_USER_MEM_SLOTS */

struct memory_slot {
	u64 gpa;   /* page-aligned */
	u64 pages; /* 0: slot unused */
	u64 hva;
	u32 flags; /* KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY */
	u32 id;
	u8 *host;	    /* host__slot_pointer() of the whole, or NULL */
	u64 *dirty;	    /* bitmap, a bit per page, while KVM_MEM_LOG_DIRTY_PAGES; atomic */
	/*
	 * One word per page, sparse: bit 0 says that some vCPU caches code decoded from this
	 * page, the rest is a generation that each invalidation advances. Atomic. See
	 * memory__code_mark() and memory__wrote().
	 */
	u32 *code;
};

#define MEMORY_CODE_CACHED 1u

/*
 * The slots in order of gpa. Changed only while all vCPUs are stopped (vm__stop_all()) and
 * vm->slots_lock is held: readers inside guest code need no lock, all others hold slots_lock, which
 * is innermost (memory__read() and memory__write() take it themselves).
 */
struct memory_map {
	unsigned count;
	u32 generation;
	struct memory_slot slot[MEMORY_MAX_SLOTS];
};

/* Initialises / frees vm->map. 0 or -ENOMEM. */
int memory__init(struct vm *vm);
void memory__destroy(struct vm *vm);

/*
 * KVM_SET_USER_MEMORY_REGION (api.rst 4.35). Adds, moves, changes flags or deletes (size 0) a slot.
 * 0, -EINVAL (alignment, wrap, unknown flags, id), -EEXIST (overlap), -ENOMEM. Stops all vCPUs and
 * flushes their TLBs and code.
 */
int memory__set_region(struct vm *vm, const struct kvm_userspace_memory_region *region);

/*
 * KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG. The first copies the bitmap out to user address
 * `user` and clears it, so that later writes are seen; 0, -ENOENT (slot does not log), -EFAULT.
 */
int memory__get_dirty_log(struct vm *vm, u32 slot, u64 user);
int memory__clear_dirty_log(struct vm *vm, u32 slot, u64 first_page, u32 num_pages, u64 user);

/* The slot that holds gpa, or NULL. Binary search; inside guest code or under slots_lock. */
struct memory_slot *memory__find(struct vm *vm, u64 gpa);

/*
 * Host pointer for gpa, with the number of bytes that follow contiguously in the slot in *avail.
 * NULL if nothing stands there, or write is asked of a read-only slot. A write through it must
 * first be announced by memory__wrote().
 */
void *memory__pointer(struct vm *vm, u64 gpa, bool write, u64 *avail);

/* Copies between core and guest-physical memory; may cross slots. 0 or -EFAULT (partial copies). Any
 * thread: takes slots_lock. */
int memory__read(struct vm *vm, u64 gpa, void *buf, size_t n);
int memory__write(struct vm *vm, u64 gpa, const void *buf, size_t n);

/* Compare-and-exchange of a page-table entry of 4 or 8 bytes. 0: done, 1: it differed, -EFAULT. */
int memory__cmpxchg(struct vm *vm, u64 gpa, unsigned size, u64 expected, u64 desired);

/*
 * Announces a write to [gpa, gpa + n) within one page: sets the dirty bit, and makes cached code
 * of that page stale on every vCPU. Called before the write. vcpu is the writing vCPU or NULL.
 */
void memory__wrote(struct vm *vm, struct vcpu *vcpu, struct memory_slot *slot, u64 gpa);

/*
 * User space has written [gpa, gpa + size), which does not wrap: what is cached of it is stale. After the
 * write: what is decoded from then on is new. Any thread, takes slots_lock.
 */
void memory__written(struct vm *vm, u64 gpa, u64 size);

/*
 * A vCPU is about to cache code decoded from the page of gpa. On return no vCPU has a TLB entry
 * that lets it write the page without memory__wrote(); the word that the code is to be compared
 * with for staleness is returned through *word (its current value in *value). May wait for other
 * vCPUs to leave guest code and for a change of the memory map: the caller must hold no lock and no
 * pointer into guest mappings.
 * Returns false if the page is not cachable (no slot).
 */
bool memory__code_mark(struct vcpu *vcpu, u64 gpa, u32 **word, u32 *value);

#endif
