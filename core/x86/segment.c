/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment limits and rights of data accesses (APM vol. 2, 4.12; SDM vol. 3, 5.3 to 5.5). */
#include "core/vm/vcpu.h"
#include "core/x86/exception.h"
#include "core/x86/segment.h"

static bool is_expand_down(const struct x86_segment *segment)
{
	return segment->s &&
	       (segment->type & (SEG_TYPE_CODE | SEG_TYPE_EXPAND_DOWN)) == SEG_TYPE_EXPAND_DOWN;
}

static bool is_writable(const struct x86_segment *segment)
{
	return (segment->type & (SEG_TYPE_CODE | SEG_TYPE_WRITABLE)) == SEG_TYPE_WRITABLE;
}

static bool is_readable(const struct x86_segment *segment)
{
	return (segment->type & (SEG_TYPE_CODE | SEG_TYPE_READABLE)) != SEG_TYPE_CODE;
}

bool segment__in_limit(const struct x86_segment *segment, u64 ea, unsigned size)
{
	u64 last = ea + size - 1;

	if (!is_expand_down(segment))
		return last <= segment->limit;
	return ea > segment->limit && last <= (segment->db ? 0xffffffffULL : 0xffffULL);
}

static bool allows(const struct x86_cpu *cpu, const struct x86_segment *segment, u64 ea,
		   unsigned size, bool write)
{
	/*
	 * Real mode keeps the attributes that protected mode left behind, but checks only the
	 * limit ("unreal mode"); virtual-8086 segments are always readable and writable.
	 */
	if (!x86__is_real_like(cpu)) {
		if (segment->unusable || !segment->present || !segment->s)
			return false;
		if (write ? !is_writable(segment) : !is_readable(segment))
			return false;
	}
	return segment__in_limit(segment, ea, size);
}

enum exec_result segment__linear_slow(struct vcpu *vcpu, enum x86_segreg seg, u64 ea,
				      unsigned size, bool write, u64 *linear)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	const struct x86_segment *segment = &cpu->seg[seg];

	if (cpu->code_size == 8) {
		*linear = seg >= X86_FS ? segment->base + ea : ea;
		return EXEC_NEXT;
	}
	if (!allows(cpu, segment, ea, size, write))
		return x86__raise_error(vcpu, seg == X86_SS ? X86_SS_FAULT : X86_GP, 0);
	*linear = (u32)(segment->base + ea);
	return EXEC_NEXT;
}

void x86__segment_changed(struct x86_cpu *cpu, enum x86_segreg seg)
{
	struct x86_segment *segment = &cpu->seg[seg];

	segment->flat = !segment->base && segment->limit == 0xffffffff && segment->present &&
			!segment->unusable && segment->s && is_writable(segment) &&
			!is_expand_down(segment);
}
