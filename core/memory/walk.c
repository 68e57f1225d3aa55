/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest page-table walker (APM vol. 2 ch. 5; SDM vol. 3 ch. 4). */
#include "core/memory/walk.h"
#include "core/memory/slots.h"
#include "core/vm/vm.h"
#include "include/x86/exception.h"
#include "include/x86/paging.h"

#define MAX_LEVELS 5

struct walk_entry {
	void *host; /* the entry in guest memory */
	u64 gpa;
	u64 value;
};

struct walk {
	struct vcpu *vcpu;
	u64 linear;
	unsigned how;
	unsigned levels;
	unsigned entry_size; /* 4 or 8 bytes */
	unsigned depth;	     /* entries read so far */
	struct walk_entry entry[MAX_LEVELS];
};

static u64 physical_mask(const struct vcpu *vcpu)
{
	unsigned bits = vcpu->cpuid.max_phys_bits;

	return BIT64(bits ? bits : 48) - 1;
}

static u64 address_bits(const struct vcpu *vcpu)
{
	return physical_mask(vcpu) & PAGE_MASK_4K;
}

static bool nx_enabled(const struct x86_cpu *cpu)
{
	return (cpu->efer & EFER_NX) && (cpu->cr4 & CR4_PAE);
}

static bool read_entry(struct walk *w, u64 gpa)
{
	struct walk_entry *e = &w->entry[w->depth];
	u64 avail = 0;

	e->gpa = gpa;
	e->host = memory__pointer(w->vcpu->vm, gpa, false, &avail);
	if (!e->host || avail < w->entry_size)
		return false;
	e->value = w->entry_size == 8 ? __atomic_load_n((u64 *)e->host, __ATOMIC_RELAXED)
				      : __atomic_load_n((u32 *)e->host, __ATOMIC_RELAXED);
	w->depth++;
	return true;
}

/*
 * Reserved bits of an entry. `level` counts from the leaf table: 1 is a page table.
 */
static bool has_reserved_bits(const struct walk *w, u64 value, unsigned level, bool leaf)
{
	const struct vcpu *vcpu = w->vcpu;
	u64 reserved;

	if (w->entry_size == 4) {
		/* PSE-36: bits 20:13 are address bits 39:32, 21 is reserved (APM 5.2.2). */
		return leaf && level == 2 && (value & BIT64(21));
	}
	reserved = ~physical_mask(vcpu) & (BIT64(52) - 1);
	if (!(vcpu->cpu.efer & EFER_NX))
		reserved |= PTE_NX;
	if (!vcpu->cpu.long_mode)
		reserved |= BIT64(63) - BIT64(52);
	if (level >= 4 || (level == 3 && !cpuid__has(&vcpu->cpuid, FEAT_PDPE1GB)))
		reserved |= PTE_PS;
	if (leaf && level > 1)
		reserved |= (BIT64(12 + 9 * (level - 1)) - 1) & ~0x1fffULL;
	return value & reserved;
}

static bool is_leaf(const struct walk *w, u64 value, unsigned level)
{
	if (level == 1)
		return true;
	if (!(value & PTE_PS) || level > 3)
		return false;
	if (w->entry_size == 4)
		return w->vcpu->cpu.cr4 & CR4_PSE;
	return true;
}

static unsigned index_at(const struct walk *w, unsigned level)
{
	if (w->entry_size == 4)
		return (w->linear >> (12 + 10 * (level - 1))) & 0x3ff;
	return (w->linear >> (12 + 9 * (level - 1))) & 0x1ff;
}

static u64 leaf_address(const struct walk *w, u64 value, unsigned level, u64 *page_size)
{
	u64 base;

	if (w->entry_size == 4) {
		*page_size = level == 2 ? 4ULL << 20 : PAGE_SIZE_4K;
		base = value & ~(*page_size - 1) & 0xffffffffULL;
		if (level == 2)
			base |= (value >> 13 & 0xff) << 32;
		return base;
	}
	*page_size = BIT64(12 + 9 * (level - 1));
	return value & address_bits(w->vcpu) & ~(*page_size - 1);
}

/* The root table: its address, level count, and for PAE the pointer entry that CR3 loaded. */
static int start_walk(struct walk *w, u64 *table)
{
	const struct x86_cpu *cpu = &w->vcpu->cpu;

	if (!(cpu->cr4 & CR4_PAE)) {
		w->levels = 2;
		w->entry_size = 4;
		*table = cpu->cr3 & 0xfffff000ULL;
		return 0;
	}
	w->entry_size = 8;
	if (cpu->long_mode) {
		w->levels = (cpu->cr4 & CR4_LA57) ? 5 : 4;
		*table = cpu->cr3 & address_bits(w->vcpu);
		return 0;
	}
	w->levels = 2;
	*table = cpu->pdpte[w->linear >> 30 & 3];
	if (!(*table & PTE_P))
		return 1;
	*table &= address_bits(w->vcpu);
	return 0;
}

static u64 fault_code(const struct walk *w, u64 bits)
{
	const struct x86_cpu *cpu = &w->vcpu->cpu;

	if (w->how & WALK_WRITE)
		bits |= PFERR_WRITE;
	if (w->how & WALK_USER)
		bits |= PFERR_USER;
	if ((w->how & WALK_FETCH) && (nx_enabled(cpu) || (cpu->cr4 & CR4_SMEP)))
		bits |= PFERR_FETCH;
	return bits;
}

static bool is_permitted(const struct walk *w, const struct walk_result *r)
{
	const struct x86_cpu *cpu = &w->vcpu->cpu;

	if (w->how & WALK_USER) {
		if (!r->user)
			return false;
		if ((w->how & WALK_WRITE) && !r->writable)
			return false;
	} else {
		if ((w->how & WALK_WRITE) && !r->writable && (cpu->cr0 & CR0_WP))
			return false;
		if (r->user && (w->how & WALK_FETCH) && (cpu->cr4 & CR4_SMEP))
			return false;
		if (r->user && !(w->how & (WALK_FETCH | WALK_AC)) && (cpu->cr4 & CR4_SMAP))
			return false;
	}
	return !((w->how & WALK_FETCH) && r->nx);
}

/* Sets A in every entry used and D in the leaf. False: an entry changed meanwhile, walk again. */
static bool update_entries(struct walk *w)
{
	unsigned i;

	for (i = 0; i < w->depth; i++) {
		struct walk_entry *e = &w->entry[i];
		u64 want = e->value | PTE_A;
		int rc;

		if ((w->how & WALK_WRITE) && i == w->depth - 1)
			want |= PTE_D;
		if (want == e->value)
			continue;
		rc = memory__cmpxchg(w->vcpu->vm, e->gpa, w->entry_size, e->value, want);
		/* Tables in read-only memory keep their bits; the walk stands. */
		if (rc == 1)
			return false;
		e->value = want;
	}
	return true;
}

/* One attempt. 0 done, 1 page fault, -EFAULT, -EAGAIN. */
static int walk_once(struct walk *w, struct walk_result *r)
{
	u64 table, value;
	unsigned level;

	w->depth = 0;
	r->user = true;
	r->writable = true;
	r->nx = false;
	r->pkey = 0;
	if (start_walk(w, &table)) {
		r->error = fault_code(w, 0);
		return 1;
	}
	for (level = w->levels;; level--) {
		if (!read_entry(w, table + index_at(w, level) * w->entry_size)) {
			r->error = fault_code(w, 0);
			return -EFAULT;
		}
		value = w->entry[w->depth - 1].value;
		if (!(value & PTE_P)) {
			r->error = fault_code(w, 0);
			return 1;
		}
		if (has_reserved_bits(w, value, level, is_leaf(w, value, level))) {
			r->error = fault_code(w, PFERR_PRESENT | PFERR_RSVD);
			return 1;
		}
		r->user &= !!(value & PTE_U);
		r->writable &= !!(value & PTE_W);
		r->nx |= w->entry_size == 8 && (value & PTE_NX);
		if (is_leaf(w, value, level))
			break;
		table = value & (w->entry_size == 4 ? 0xfffff000ULL : address_bits(w->vcpu));
	}
	if (!is_permitted(w, r)) {
		r->error = fault_code(w, PFERR_PRESENT);
		return 1;
	}
	if (!(w->how & WALK_NO_UPDATE) && !update_entries(w))
		return -EAGAIN;
	r->gpa = leaf_address(w, value, level, &r->page_size);
	r->gpa |= w->linear & (r->page_size - 1);
	r->global = (value & PTE_G) && (w->vcpu->cpu.cr4 & CR4_PGE);
	r->dirty = w->entry[w->depth - 1].value & PTE_D;
	return 0;
}

int walk__translate(struct vcpu *vcpu, u64 linear, unsigned how, struct walk_result *r)
{
	struct walk w = { .vcpu = vcpu, .linear = linear, .how = how };
	int rc;

	if (!(vcpu->cpu.cr0 & CR0_PG)) {
		*r = (struct walk_result){
			.gpa = linear,
			.page_size = PAGE_SIZE_4K,
			.user = true,
			.writable = true,
			.dirty = true,
		};
		return 0;
	}
	do {
		rc = walk_once(&w, r);
	} while (rc == -EAGAIN);
	return rc;
}

int walk__load_pdptes(struct vcpu *vcpu, u64 cr3)
{
	u64 pdpte[4], reserved = ~physical_mask(vcpu) | 0x1e6;
	unsigned i;

	if (memory__read(vcpu->vm, cr3 & 0xffffffe0ULL, pdpte, sizeof(pdpte)))
		return 1;
	for (i = 0; i < 4; i++)
		if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
			return 1;
	memcpy(vcpu->cpu.pdpte, pdpte, sizeof(pdpte));
	return 0;
}
