/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segmentation of data accesses: effective address to linear address with limit, type and
 * canonical checks (APM vol. 2, 4.5 to 4.12). Loading of segment registers and gates is in
 * core/emulate/segload.h.
 */
#ifndef CORE_X86_SEGMENT_H
#define CORE_X86_SEGMENT_H

#include "core/decode/insn.h"

struct vcpu;

/*
 * The checked, slow way: adds the base and checks limit and rights of segment `seg` for an access
 * of size bytes. Raises #GP(0), or #SS(0) for SS. EXEC_NEXT or EXEC_FAULT.
 */
enum exec_result segment__linear_slow(struct vcpu *vcpu, enum x86_segreg seg, u64 ea,
				      unsigned size, bool write, u64 *linear);

/* The linear address of an access of size bytes at effective address ea in segment seg. */
static __always_inline enum exec_result segment__linear(struct vcpu *vcpu, struct x86_cpu *cpu,
							enum x86_segreg seg, u64 ea, unsigned size,
							bool write, u64 *linear)
{
	if (likely(cpu->code_size == 8)) {
		/* No limits; canonical form is checked where the translation misses. */
		*linear = seg >= X86_FS ? cpu->seg[seg].base + ea : ea;
		return EXEC_NEXT;
	}
	if (likely(cpu->seg[seg].flat && (u64)(u32)ea + size - 1 <= 0xffffffffULL)) {
		*linear = (u32)ea;
		return EXEC_NEXT;
	}
	return segment__linear_slow(vcpu, seg, ea, size, write, linear);
}

/*
 * Whether size bytes (1 or more) at offset ea, which is below 4 GiB, lie within the limit of a
 * segment, expand-down ones included. Looks at nothing but the limit.
 */
bool segment__in_limit(const struct x86_segment *segment, u64 ea, unsigned size);

/* Recomputes seg->flat. Call after any field of a segment register was written. */
void x86__segment_changed(struct x86_cpu *cpu, enum x86_segreg seg);

#endif
