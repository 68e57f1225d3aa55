/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linear accesses that miss the TLB: translation, faults, page crossing, device memory. */
#include "core/memory/access.h"
#include "core/emulate/emulate.h"
#include "core/memory/journal.h"
#include "core/memory/walk.h"
#include "core/vm/vm.h"

/* One page's part of an access, translated. */
struct piece {
	u64 linear;
	unsigned size;
	u64 gpa;
	u8 *host; /* NULL: device memory */
	struct memory_slot *slot;
};

#define MAX_PIECES 2

static enum tlb_view view_of(const struct vcpu *vcpu, unsigned how)
{
	if (how & ACCESS_AS_USER)
		return TLB_USER;
	if (how & (ACCESS_IMPLICIT | ACCESS_AS_KERNEL))
		return TLB_KERNEL;
	if (vcpu->view == vcpu->tlb.none)
		return TLB_USER;
	return (vcpu->view - vcpu->tlb.entry[0]) / TLB_ENTRIES;
}

static unsigned walk_flags(enum tlb_view view)
{
	static const u8 flags[TLB_NR_VIEWS] = {
		[TLB_USER] = WALK_USER,
		[TLB_KERNEL] = 0,
		[TLB_KERNEL_AC] = WALK_AC,
	};

	return flags[view];
}

static bool is_canonical(const struct vcpu *vcpu, u64 linear)
{
	unsigned shift = (vcpu->cpu.cr4 & CR4_LA57) ? 64 - 57 : 64 - 48;

	return !vcpu->cpu.long_mode || (u64)((s64)(linear << shift) >> shift) == linear;
}

/* DR7 has an enabled data (or I/O) breakpoint; execution breakpoints are the run loop's. */
static bool has_watchpoints(u64 dr7)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		if ((dr7 >> (2 * i) & 3) && (dr7 >> (16 + 4 * i) & 1))
			return true;
	return false;
}

static u64 watch_length(u64 dr7, unsigned i)
{
	static const u8 length[4] = { 1, 2, 8, 4 };

	return length[dr7 >> (18 + 4 * i) & 3];
}

/* Data breakpoints that [linear, linear + size) touches (SDM vol. 3, 17.2.5), as DR6 bits. */
static u64 watch_hits(const struct vcpu *vcpu, u64 linear, u64 size, bool write)
{
	u64 dr7 = vcpu__debug_register(vcpu, 7), hits = 0;
	unsigned i;

	for (i = 0; i < 4; i++) {
		unsigned type = dr7 >> (16 + 4 * i) & 3;
		u64 length = watch_length(dr7, i);
		u64 start = vcpu__debug_register(vcpu, i) & ~(length - 1);

		if (!(dr7 >> (2 * i) & 3) || !(type == 3 || (type == 1 && write)))
			continue;
		if (linear < start + length && start < linear + size)
			hits |= BIT64(i);
	}
	return hits;
}

/* Enters a translation into the view that missed, as far as the page allows direct accesses. */
static void fill_tlb(struct vcpu *vcpu, enum tlb_view view, const struct piece *piece,
		     const struct walk_result *r, bool wrote)
{
	u64 page = piece->linear & PAGE_MASK_4K;
	struct tlb_entry *e = tlb__slot(vcpu->tlb.entry[view], piece->linear);
	struct memory_slot *slot = piece->slot;
	u64 index = (piece->gpa - slot->gpa) >> PAGE_SHIFT_4K;
	bool writable = r->writable || (view != TLB_USER && !(vcpu->cpu.cr0 & CR0_WP));
	u64 i = e - vcpu->tlb.entry[view];

	if (unlikely(has_watchpoints(vcpu__debug_register(vcpu, 7))) &&
	    watch_hits(vcpu, page, PAGE_SIZE_4K, true))
		return;
	writable = writable && (wrote || r->dirty) && !(slot->flags & KVM_MEM_READONLY) &&
		   !(__atomic_load_n(&slot->code[index], __ATOMIC_ACQUIRE) & MEMORY_CODE_CACHED) &&
		   (!slot->dirty || (slot->dirty[index / 64] >> (index % 64) & 1));
	/* What the journal permits it finds by the entry. */
	if (likely(!vcpu->journal))
		tlb__drive_out(&vcpu->tlb, view, i, page);
	vcpu->tlb.used[view][i / 64] |= BIT64(i % 64);
	if (r->global)
		vcpu->tlb.local[view][i / 64] &= ~BIT64(i % 64);
	else
		tlb__note_local(&vcpu->tlb, view, i);
	e->read = page;
	e->write = writable ? page : tlb__no_tag(page >> PAGE_SHIFT_4K);
	e->host = piece->host - (piece->linear & ~PAGE_MASK_4K);
	e->info = (piece->gpa & PAGE_MASK_4K) | (r->page_size > PAGE_SIZE_4K ? TLB_INFO_LARGE : 0);
	if (unlikely(vcpu->journal) && writable) {
		e->write = tlb__no_tag(page >> PAGE_SHIFT_4K);
		e->info |= TLB_INFO_WRITABLE;
		journal__grant(vcpu->journal, e);
	}
	if (writable)
		tlb__note_writer(&vcpu->tlb, view, i);
	if (r->page_size > PAGE_SIZE_4K)
		tlb__note_large(&vcpu->tlb, page, r->page_size);
}

/* Device memory, or a write to ROM. With a journal that records nothing may be done that can't be undone. */
static enum exec_result take_device(struct vcpu *vcpu, struct piece *piece)
{
	piece->slot = NULL;
	if (likely(!vcpu->journal) || vcpu->journal->mode == JOURNAL_OFF)
		return EXEC_NEXT;
	vcpu->journal->device = true;
	return EXEC_EXIT;
}

static bool is_hit(struct vcpu *vcpu, struct tlb_entry *e, u64 page, bool write)
{
	if (!write || likely(!vcpu->journal))
		return (write ? e->write : e->read) == page;
	if (e->read != page || !(e->info & TLB_INFO_WRITABLE))
		return false;
	journal__grant(vcpu->journal, e);
	return true;
}

static void note_write(struct vcpu *vcpu, const struct piece *piece, bool write)
{
	if (unlikely(vcpu->journal) && write)
		journal__note(vcpu->journal, piece->host, piece->gpa, piece->size);
}

/* Translates one piece and finds what stands behind it. */
static enum exec_result translate_piece(struct vcpu *vcpu, struct piece *piece, unsigned how,
					bool write)
{
	enum tlb_view view = view_of(vcpu, how);
	struct walk_result r;
	struct tlb_entry *e = tlb__slot(vcpu->tlb.entry[view], piece->linear);
	u64 page = piece->linear & PAGE_MASK_4K;

	if (is_hit(vcpu, e, page, write) ||
	    (likely(!vcpu->journal) && tlb__bring_back(&vcpu->tlb, view, piece->linear) &&
	     is_hit(vcpu, e, page, write))) {
		piece->host = tlb__host(e, piece->linear);
		piece->gpa = (e->info & PAGE_MASK_4K) | (piece->linear & ~PAGE_MASK_4K);
		piece->slot = NULL; /* nothing to announce */
		note_write(vcpu, piece, write);
		return EXEC_NEXT;
	}
	vcpu->stats.tlb_misses++;
	if (!is_canonical(vcpu, piece->linear))
		return x86__raise_error(vcpu, how & ACCESS_STACK ? X86_SS_FAULT : X86_GP, 0);
	if (walk__translate(vcpu, piece->linear, walk_flags(view) | (write ? WALK_WRITE : 0), &r))
		return x86__raise_page_fault(vcpu, piece->linear, r.error);
	piece->gpa = r.gpa;
	piece->slot = memory__find(vcpu->vm, r.gpa);
	piece->host = NULL;
	if (!piece->slot || !piece->slot->host)
		return take_device(vcpu, piece);
	/* A write to ROM is a device access (api.rst 4.35). */
	if (write && (piece->slot->flags & KVM_MEM_READONLY))
		return take_device(vcpu, piece);
	piece->host = piece->slot->host + (r.gpa - piece->slot->gpa);
	if (write)
		memory__wrote(vcpu->vm, vcpu, piece->slot, r.gpa);
	note_write(vcpu, piece, write);
	fill_tlb(vcpu, view, piece, &r, write);
	return EXEC_NEXT;
}

/*
 * #AC is for references of up to 8 bytes, and x87's of 10 (SDM vol. 3, table 6-7; longer ones have
 * rules of their own). It comes after #PF (table 6-2).
 */
static bool is_misaligned(const struct vcpu *vcpu, u64 linear, unsigned size, unsigned how)
{
	if (likely(vcpu->view != vcpu->tlb.none) ||
	    (how & (ACCESS_IMPLICIT | ACCESS_AS_KERNEL | ACCESS_AS_USER)))
		return false;
	switch (size) {
	case 2:
	case 4:
	case 8:
		return linear & (size - 1);
	case 10:
		return linear & 7;
	default:
		return false;
	}
}

/* Splits an access at the page boundary and translates both parts before anything is touched. */
static enum exec_result translate_access(struct vcpu *vcpu, u64 linear, unsigned size,
					 unsigned how, bool write, struct piece *piece,
					 unsigned *count)
{
	unsigned first = MIN_OF(size, PAGE_SIZE_4K - (linear & ~PAGE_MASK_4K));
	enum exec_result rc;

	/* Before pages are looked at. */
	if (first != size && !is_canonical(vcpu, linear + size - 1))
		return x86__raise_error(vcpu, how & ACCESS_STACK ? X86_SS_FAULT : X86_GP, 0);
	piece[0].linear = linear;
	piece[0].size = first;
	*count = 1;
	rc = translate_piece(vcpu, &piece[0], how, write);
	if (rc != EXEC_NEXT)
		return rc;
	if (first == size)
		goto check_alignment;
	piece[1].linear = linear + first;
	if (!vcpu->cpu.long_mode)
		piece[1].linear = (u32)piece[1].linear;
	piece[1].size = size - first;
	*count = 2;
	rc = translate_piece(vcpu, &piece[1], how, write);
	if (rc != EXEC_NEXT)
		return rc;
check_alignment:
	if (unlikely(is_misaligned(vcpu, linear, size, how)))
		return x86__raise_error(vcpu, X86_AC, 0);
	return EXEC_NEXT;
}

static void check_watchpoints(struct vcpu *vcpu, u64 linear, unsigned size, unsigned how,
			      bool write)
{
	u64 hits;

	if (likely(!has_watchpoints(vcpu__debug_register(vcpu, 7))) || (how & ACCESS_IMPLICIT))
		return;
	hits = watch_hits(vcpu, linear, size, write);
	if (hits) {
		vcpu->breakpoint_hits |= hits;
		vcpu->leave = 1;
	}
}

/* Device accesses go out in parts of at most 8 bytes, aligned or not, as KVM hands them out. */
static unsigned device_part(unsigned size)
{
	return MIN_OF(size, 8);
}

/* One access of a natural size stays one access: other vCPUs must not see it torn. */
static void copy_whole(void *dst, const void *src, unsigned size)
{
	switch (size) {
	case 1:
		*(volatile u8 *)dst = *(const volatile u8 *)src;
		break;
	case 2:
		*(volatile u16 *)dst = *(const volatile u16 *)src;
		break;
	case 4:
		*(volatile u32 *)dst = *(const volatile u32 *)src;
		break;
	case 8:
		*(volatile u64 *)dst = *(const volatile u64 *)src;
		break;
	default:
		memcpy(dst, src, size);
	}
}

static enum exec_result read_piece(struct vcpu *vcpu, const struct piece *piece, u8 *buf)
{
	u64 gpa = piece->gpa;
	unsigned left = piece->size;

	if (piece->host) {
		copy_whole(buf, piece->host, left);
		return EXEC_NEXT;
	}
	while (left) {
		unsigned part = device_part(left);
		enum exec_result rc = io__mmio_read(vcpu, gpa, part, buf);

		if (rc != EXEC_NEXT)
			return rc;
		gpa += part;
		buf += part;
		left -= part;
	}
	return EXEC_NEXT;
}

static enum exec_result write_piece(struct vcpu *vcpu, const struct piece *piece, const u8 *buf)
{
	u64 gpa = piece->gpa;
	unsigned left = piece->size;

	if (piece->host) {
		copy_whole(piece->host, buf, left);
		return EXEC_NEXT;
	}
	while (left) {
		unsigned part = device_part(left);
		enum exec_result rc = io__mmio_write(vcpu, gpa, part, buf);

		if (rc != EXEC_NEXT)
			return rc;
		gpa += part;
		buf += part;
		left -= part;
	}
	return EXEC_NEXT;
}

enum exec_result access__read(struct vcpu *vcpu, u64 linear, void *buf, unsigned size,
			      unsigned how)
{
	struct piece piece[MAX_PIECES];
	enum exec_result rc;
	unsigned count, i;

	rc = translate_access(vcpu, linear, size, how, false, piece, &count);
	for (i = 0; rc == EXEC_NEXT && i < count; i++) {
		rc = read_piece(vcpu, &piece[i], buf);
		buf = (u8 *)buf + piece[i].size;
	}
	if (rc == EXEC_NEXT)
		check_watchpoints(vcpu, linear, size, how, false);
	return rc;
}

enum exec_result access__write(struct vcpu *vcpu, u64 linear, const void *buf, unsigned size,
			       unsigned how)
{
	struct piece piece[MAX_PIECES];
	enum exec_result rc;
	unsigned count, i;

	rc = translate_access(vcpu, linear, size, how, true, piece, &count);
	for (i = 0; rc == EXEC_NEXT && i < count; i++) {
		rc = write_piece(vcpu, &piece[i], buf);
		buf = (const u8 *)buf + piece[i].size;
	}
	if (rc == EXEC_NEXT)
		check_watchpoints(vcpu, linear, size, how, true);
	return rc;
}

enum exec_result access__probe_write(struct vcpu *vcpu, u64 linear, unsigned size, unsigned how)
{
	struct piece piece[MAX_PIECES];
	unsigned count;

	return translate_access(vcpu, linear, size, how, true, piece, &count);
}

enum exec_result access__probe_read(struct vcpu *vcpu, u64 linear, unsigned size, unsigned how)
{
	struct piece piece[MAX_PIECES];
	unsigned count;

	return translate_access(vcpu, linear, size, how, false, piece, &count);
}

enum exec_result access__rmw(struct vcpu *vcpu, u64 linear, unsigned size, void **ptr)
{
	struct piece piece[MAX_PIECES];
	enum exec_result rc;
	unsigned count;

	*ptr = NULL;
	rc = translate_access(vcpu, linear, size, 0, true, piece, &count);
	if (rc != EXEC_NEXT || count != 1 || !piece[0].host)
		return rc;
	check_watchpoints(vcpu, linear, size, 0, true);
	*ptr = piece[0].host;
	return EXEC_NEXT;
}

enum exec_result access__fetch_page(struct vcpu *vcpu, u64 linear, u64 *gpa, const u8 **host)
{
	unsigned how = WALK_FETCH | (vcpu->cpu.cpl == 3 ? WALK_USER : 0);
	struct memory_slot *slot;
	struct walk_result r;

	if (!is_canonical(vcpu, linear))
		return x86__raise_gp(vcpu, 0);
	if (walk__translate(vcpu, linear, how, &r))
		return x86__raise_page_fault(vcpu, linear, r.error);
	tlb__note_fetch(vcpu, linear, r.page_size, r.global);
	slot = memory__find(vcpu->vm, r.gpa);
	*gpa = r.gpa;
	*host = slot && slot->host ? slot->host + (r.gpa - slot->gpa) : NULL;
	return EXEC_NEXT;
}

int access__translate(struct vcpu *vcpu, u64 linear, u64 *gpa, bool *writable, bool *user)
{
	struct walk_result r;

	if (!is_canonical(vcpu, linear) ||
	    walk__translate(vcpu, linear, WALK_NO_UPDATE | WALK_AC, &r))
		return -EFAULT;
	*gpa = r.gpa;
	*writable = r.writable;
	*user = r.user;
	return 0;
}
