/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses to guest-physical memory, and what a write has to announce: dirty log, stale code. */
#include "core/memory/slots.h"
#include "core/vm/vm.h"
#include "include/x86/paging.h"

void *memory__pointer(struct vm *vm, u64 gpa, bool write, u64 *avail)
{
	struct memory_slot *slot = memory__find(vm, gpa);

	if (!slot || !slot->host || (write && (slot->flags & KVM_MEM_READONLY)))
		return NULL;
	*avail = (slot->pages << PAGE_SHIFT_4K) - (gpa - slot->gpa);
	return slot->host + (gpa - slot->gpa);
}

static void note_own_write(struct vcpu *vcpu, u64 page)
{
	if (vcpu->code_written != ~0ULL && vcpu->code_written != page)
		vcpu->code_stale = 1;
	vcpu->code_written = page;
	vcpu->leave = 1;
}

/*
 * The other vCPUs come out of the code they are executing before they can see, by a value written
 * after the code, that it was written: stores of one processor are seen in their order.
 */
static void leave_cached_code(struct vm *vm, const struct vcpu *writer)
{
	u32 n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE), i;

	for (i = 0; i < n; i++) {
		if (vm->vcpus[i] == writer)
			continue;
		__atomic_store_n(&vm->vcpus[i]->code_stale, 1, __ATOMIC_RELEASE);
		__atomic_store_n(&vm->vcpus[i]->leave, 1, __ATOMIC_RELEASE);
	}
}

void memory__wrote(struct vm *vm, struct vcpu *vcpu, struct memory_slot *slot, u64 gpa)
{
	u64 page = (gpa - slot->gpa) >> PAGE_SHIFT_4K;
	u32 word = __atomic_load_n(&slot->code[page], __ATOMIC_ACQUIRE);

	if (slot->dirty)
		__atomic_fetch_or(&slot->dirty[page / 64], BIT64(page % 64), __ATOMIC_RELAXED);
	/*
	 * Advance the generation before the write: a vCPU that caches the page's code again must
	 * first see the writer leave guest code (memory__code_mark()), so it decodes new bytes.
	 */
	while (word & MEMORY_CODE_CACHED) {
		if (__atomic_compare_exchange_n(&slot->code[page], &word,
						(word + 2) & ~MEMORY_CODE_CACHED, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			if (vcpu)
				note_own_write(vcpu, gpa & PAGE_MASK_4K);
			leave_cached_code(vm, vcpu);
			break;
		}
	}
}

/* The first slot that ends behind gpa, or NULL. Under slots_lock. */
static struct memory_slot *slot_behind(struct vm *vm, u64 gpa)
{
	struct memory_map *map = vm->map;
	unsigned i;

	for (i = 0; i < map->count; i++)
		if (map->slot[i].gpa + (map->slot[i].pages << PAGE_SHIFT_4K) - 1 >= gpa)
			return &map->slot[i];
	return NULL;
}

void memory__written(struct vm *vm, u64 gpa, u64 size)
{
	u64 end = gpa + size;
	struct memory_slot *slot;

	host__mutex_lock(&vm->slots_lock);
	while (gpa < end) {
		slot = memory__find(vm, gpa);
		if (!slot) {
			slot = slot_behind(vm, gpa);
			if (!slot)
				break;
			gpa = slot->gpa;
			continue;
		}
		if (__atomic_load_n(&slot->code[(gpa - slot->gpa) >> PAGE_SHIFT_4K],
				    __ATOMIC_ACQUIRE) & MEMORY_CODE_CACHED)
			memory__wrote(vm, NULL, slot, gpa);
		gpa = (gpa & PAGE_MASK_4K) + PAGE_SIZE_4K;
		if (!gpa)
			break;
	}
	host__mutex_unlock(&vm->slots_lock);
}

/* One step of a copy: the part of [gpa, gpa + n) that one page of one slot holds. */
static void *copy_step(struct vm *vm, u64 gpa, bool write, size_t n, size_t *step)
{
	u64 avail = 0;
	void *p = memory__pointer(vm, gpa, write, &avail);

	if (!p)
		return NULL;
	*step = MIN_OF(n, PAGE_SIZE_4K - (gpa & ~PAGE_MASK_4K));
	if (write)
		memory__wrote(vm, NULL, memory__find(vm, gpa), gpa);
	return p;
}

int memory__read(struct vm *vm, u64 gpa, void *buf, size_t n)
{
	int rc = 0;

	host__mutex_lock(&vm->slots_lock);
	while (n) {
		size_t step;
		void *p = copy_step(vm, gpa, false, n, &step);

		if (!p) {
			rc = -EFAULT;
			break;
		}
		memcpy(buf, p, step);
		buf = (u8 *)buf + step;
		gpa += step;
		n -= step;
	}
	host__mutex_unlock(&vm->slots_lock);
	return rc;
}

int memory__write(struct vm *vm, u64 gpa, const void *buf, size_t n)
{
	int rc = 0;

	host__mutex_lock(&vm->slots_lock);
	while (n) {
		size_t step;
		void *p = copy_step(vm, gpa, true, n, &step);

		if (!p) {
			rc = -EFAULT;
			break;
		}
		memcpy(p, buf, step);
		buf = (const u8 *)buf + step;
		gpa += step;
		n -= step;
	}
	host__mutex_unlock(&vm->slots_lock);
	return rc;
}

int memory__cmpxchg(struct vm *vm, u64 gpa, unsigned size, u64 expected, u64 desired)
{
	u64 avail = 0;
	void *p = memory__pointer(vm, gpa, true, &avail);
	bool done;

	if (!p || avail < size || (gpa & (size - 1)))
		return -EFAULT;
	memory__wrote(vm, NULL, memory__find(vm, gpa), gpa);
	if (size == 8) {
		done = __atomic_compare_exchange_n((u64 *)p, &expected, desired, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	} else {
		u32 narrow = expected;

		done = __atomic_compare_exchange_n((u32 *)p, &narrow, (u32)desired, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	return done ? 0 : 1;
}

/* Takes away every vCPU's permission to write the page without announcing it. All are stopped. */
static void protect_page(struct vm *vm, u64 page_gpa)
{
	u32 n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);
	u32 i;

	for (i = 0; i < n; i++)
		tlb__protect_page(&vm->vcpus[i]->tlb, page_gpa);
}

bool memory__code_mark(struct vcpu *vcpu, u64 gpa, u32 **word, u32 *value)
{
	struct vm *vm = vcpu->vm;
	struct memory_slot *slot = memory__find(vm, gpa);
	bool marked = false;
	u64 page;

	if (!slot || !slot->host)
		return false;
	page = (gpa - slot->gpa) >> PAGE_SHIFT_4K;
	*word = &slot->code[page];
	*value = __atomic_load_n(*word, __ATOMIC_ACQUIRE);
	if (*value & MEMORY_CODE_CACHED)
		return true;
	/*
	 * Mark while all others are out of guest code: a write they make from now on goes through
	 * memory__wrote(). Also with one vCPU: a second one may be made at any time.
	 */
	vm__stop_all(vm, vcpu);
	slot = memory__find(vm, gpa); /* the map may have changed while this vCPU waited */
	if (slot && slot->host) {
		page = (gpa - slot->gpa) >> PAGE_SHIFT_4K;
		*word = &slot->code[page];
		protect_page(vm, gpa & PAGE_MASK_4K);
		*value = __atomic_or_fetch(*word, MEMORY_CODE_CACHED, __ATOMIC_ACQ_REL);
		marked = true;
	}
	vm__resume_all(vm, vcpu);
	/* It may have changed once more: to come back in may mean to wait, too. */
	slot = memory__find(vm, gpa);
	return marked && slot && slot->host && *word == &slot->code[(gpa - slot->gpa) >> PAGE_SHIFT_4K];
}
