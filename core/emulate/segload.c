/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors and the loading of data and stack segment registers. */
#include "core/emulate/segload.h"
#include "core/memory/slots.h"
#include "core/memory/walk.h"

void segload__unpack(struct x86_segment *segment, u16 selector, const struct descriptor *d)
{
	*segment = (struct x86_segment){
		.base = descriptor__base(d),
		.limit = descriptor__limit(d->low),
		.selector = selector,
		.type = descriptor__type(d->low),
		.dpl = descriptor__dpl(d->low),
		.s = descriptor__is_segment(d->low),
		.present = descriptor__is_present(d->low),
		.avl = d->low >> 52 & 1,
		.l = descriptor__is_long(d->low),
		.db = descriptor__is_big(d->low),
		.g = d->low >> 55 & 1,
	};
}

void segload__set_null(struct x86_segment *segment, u16 selector)
{
	*segment = (struct x86_segment){ .selector = selector, .unusable = true };
}

void segload__set_flat(struct x86_segment *segment, u16 selector, unsigned dpl, bool code,
		       bool long_code)
{
	*segment = (struct x86_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = SEG_TYPE_ACCESSED | SEG_TYPE_WRITABLE | (code ? SEG_TYPE_CODE : 0),
		.dpl = dpl,
		.s = true,
		.present = true,
		.l = long_code,
		.db = !long_code,
		.g = true,
	};
}

void segload__set_v86(struct x86_segment *segment, u16 selector)
{
	*segment = (struct x86_segment){
		.base = (u32)selector << 4,
		.limit = 0xffff,
		.selector = selector,
		.type = SEG_TYPE_ACCESSED | SEG_TYPE_WRITABLE,
		.dpl = 3,
		.s = true,
		.present = true,
	};
}

void segload__set_real(const struct x86_cpu *cpu, struct x86_segment *segment, u16 selector)
{
	if (x86__is_v86(cpu)) {
		segload__set_v86(segment, selector);
		return;
	}
	/* Limit and attributes stay what they were: "unreal mode" depends on it. */
	if (segment->unusable) {
		segment->limit = 0xffff;
		segment->type = SEG_TYPE_ACCESSED | SEG_TYPE_WRITABLE;
	}
	segment->selector = selector;
	segment->base = (u32)selector << 4;
	segment->unusable = false;
	segment->present = true;
	segment->s = true;
}

bool segload__locate(const struct x86_cpu *cpu, u16 selector, u64 *linear)
{
	u32 offset = selector & 0xfff8;

	if (selector & SELECTOR_TI) {
		*linear = cpu->ldtr.base + offset;
		return !cpu->ldtr.unusable && cpu->ldtr.present && offset + 7 <= cpu->ldtr.limit;
	}
	*linear = cpu->gdt.base + offset;
	return offset + 7 <= cpu->gdt.limit;
}

enum exec_result segload__read(struct vcpu *vcpu, u16 selector, enum x86_vector vector,
			       struct descriptor *d)
{
	if (!segload__locate(&vcpu->cpu, selector, &d->linear))
		return x86__raise_error(vcpu, vector, SELECTOR_ERROR(selector));
	d->high = 0;
	return access__read(vcpu, d->linear, &d->low, 8, ACCESS_IMPLICIT);
}

enum exec_result segload__read_high(struct vcpu *vcpu, u16 selector, enum x86_vector vector,
				    struct descriptor *d)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	u32 limit = selector & SELECTOR_TI ? cpu->ldtr.limit : cpu->gdt.limit;

	if ((selector & 0xfff8) + 15 > limit)
		return x86__raise_error(vcpu, vector, SELECTOR_ERROR(selector));
	return access__read(vcpu, d->linear + 8, &d->high, 8, ACCESS_IMPLICIT);
}

/*
 * Exchanges the descriptor's second word in memory. 0: done, 1: memory holds something else than
 * `expected`, negative: no such atomic access is possible there.
 */
static int exchange_word(struct vcpu *vcpu, u64 linear, u32 expected, u32 desired)
{
	struct walk_result r;

	if ((linear & 3) || walk__translate(vcpu, linear, WALK_WRITE, &r))
		return -EFAULT;
	return memory__cmpxchg(vcpu->vm, r.gpa, 4, expected, desired);
}

/* Sets and clears bits of the type field in memory, as one locked access where it is aligned. */
static enum exec_result change_type(struct vcpu *vcpu, struct descriptor *d, unsigned set,
				    unsigned clear)
{
	u64 linear = d->linear + 4;
	u32 word = d->low >> 32, changed;
	enum exec_result r;
	int rc;

	r = access__probe_write(vcpu, linear, 4, ACCESS_IMPLICIT);
	if (r != EXEC_NEXT)
		return r;
	do {
		changed = (word | set << 8) & ~(clear << 8);
		rc = exchange_word(vcpu, linear, word, changed);
		if (rc > 0) {
			r = access__read(vcpu, linear, &word, 4, ACCESS_IMPLICIT);
			if (r != EXEC_NEXT)
				return r;
		}
	} while (rc > 0);
	if (rc < 0) {
		u8 type = changed >> 8;

		r = access__write(vcpu, linear + 1, &type, 1, ACCESS_IMPLICIT);
	}
	d->low |= (u64)set << 40;
	d->low &= ~((u64)clear << 40);
	return r;
}

enum exec_result segload__set_accessed(struct vcpu *vcpu, struct descriptor *d)
{
	if (likely(descriptor__type(d->low) & SEG_TYPE_ACCESSED))
		return EXEC_NEXT;
	return change_type(vcpu, d, SEG_TYPE_ACCESSED, 0);
}

enum exec_result segload__set_busy(struct vcpu *vcpu, struct descriptor *d, bool busy)
{
	return change_type(vcpu, d, busy ? SYSTEM_TYPE_BUSY : 0, busy ? 0 : SYSTEM_TYPE_BUSY);
}

enum exec_result segload__stack(struct vcpu *vcpu, u16 selector, unsigned cpl, bool null_ok,
				enum x86_vector vector, struct x86_segment *segment)
{
	unsigned rpl = selector & SELECTOR_RPL;
	struct descriptor d;
	enum exec_result r;

	if (selector__is_null(selector)) {
		if (!null_ok || rpl != cpl)
			return x86__raise_error(vcpu, vector, 0);
		segload__set_null(segment, selector);
		segment->dpl = cpl; /* SS.DPL is where the CPL stands */
		return EXEC_NEXT;
	}
	r = segload__read(vcpu, selector, vector, &d);
	if (r != EXEC_NEXT)
		return r;
	if (!descriptor__is_segment(d.low) || rpl != cpl || descriptor__dpl(d.low) != cpl ||
	    (descriptor__type(d.low) & (SEG_TYPE_CODE | SEG_TYPE_WRITABLE)) != SEG_TYPE_WRITABLE)
		return x86__raise_error(vcpu, vector, SELECTOR_ERROR(selector));
	if (!descriptor__is_present(d.low))
		return x86__raise_error(vcpu, X86_SS_FAULT, SELECTOR_ERROR(selector));
	r = segload__set_accessed(vcpu, &d);
	if (r == EXEC_NEXT)
		segload__unpack(segment, selector, &d);
	return r;
}

static bool may_use_data(u64 low, unsigned cpl, unsigned rpl)
{
	unsigned type = descriptor__type(low), dpl = descriptor__dpl(low);

	if (!descriptor__is_segment(low))
		return false;
	if ((type & (SEG_TYPE_CODE | SEG_TYPE_READABLE)) == SEG_TYPE_CODE)
		return false;
	/* Conforming code may be read from every level. */
	if ((type & SEG_TYPE_CODE) && (type & SEG_TYPE_CONFORMING))
		return true;
	return rpl <= dpl && cpl <= dpl;
}

enum exec_result segload__data(struct vcpu *vcpu, enum x86_segreg seg, u16 selector,
			       struct x86_segment *segment)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor d;
	enum exec_result r;

	if (x86__is_real_like(cpu)) {
		*segment = cpu->seg[seg];
		segload__set_real(cpu, segment, selector);
		return EXEC_NEXT;
	}
	if (seg == X86_SS)
		return segload__stack(vcpu, selector, cpu->cpl,
				      cpu->code_size == 8 && cpu->cpl < 3, X86_GP, segment);
	if (selector__is_null(selector)) {
		segload__set_null(segment, selector);
		return EXEC_NEXT;
	}
	r = segload__read(vcpu, selector, X86_GP, &d);
	if (r != EXEC_NEXT)
		return r;
	if (!may_use_data(d.low, cpu->cpl, selector & SELECTOR_RPL))
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	if (!descriptor__is_present(d.low))
		return x86__raise_error(vcpu, X86_NP, SELECTOR_ERROR(selector));
	r = segload__set_accessed(vcpu, &d);
	if (r == EXEC_NEXT)
		segload__unpack(segment, selector, &d);
	return r;
}

void segload__drop_inner(struct x86_cpu *cpu)
{
	static const u8 data[] = { X86_ES, X86_DS, X86_FS, X86_GS };

	for (unsigned i = 0; i < ARRAY_LENGTH(data); i++) {
		struct x86_segment *segment = &cpu->seg[data[i]];
		bool conforming = (segment->type & SEG_TYPE_CODE) &&
				  (segment->type & SEG_TYPE_CONFORMING);

		/*
		 * Of a register that holds a null selector only the RPL goes: in 64-bit code its
		 * base may have come from an MSR.
		 */
		if (selector__is_null(segment->selector) || segment->unusable) {
			segment->selector = 0;
			continue;
		}
		if (segment->dpl < cpu->cpl && !conforming) {
			segload__set_null(segment, 0);
			x86__segment_changed(cpu, data[i]);
		}
	}
}
