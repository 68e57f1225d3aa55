/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors and the loading of segment registers (APM vol. 2, 4.7 to 4.11; SDM vol. 3, 3.4.5 and
 * 5.5 to 5.8).
 *
 * The functions that check a selector read its descriptor, raise what is due, set the accessed bit
 * and leave the registers alone: the caller commits when nothing can fault any more.
 */
#ifndef CORE_EMULATE_SEGLOAD_H
#define CORE_EMULATE_SEGLOAD_H

#include "core/emulate/emulate.h"

struct descriptor {
	u64 low;    /* the first eight bytes */
	u64 high;   /* the other eight of a 16-byte system descriptor, else 0 */
	u64 linear; /* where it stands */
};

/* Types of system descriptors (S is 0); in long mode 9, 11, 12, 14 and 15 are 64-bit ones. */
enum system_type {
	SYSTEM_TSS16 = 1,
	SYSTEM_LDT = 2,
	SYSTEM_TSS16_BUSY = 3,
	SYSTEM_CALL16 = 4,
	SYSTEM_TASK_GATE = 5,
	SYSTEM_INT16 = 6,
	SYSTEM_TRAP16 = 7,
	SYSTEM_TSS = 9,
	SYSTEM_TSS_BUSY = 11,
	SYSTEM_CALL = 12,
	SYSTEM_INT = 14,
	SYSTEM_TRAP = 15,
};

#define SYSTEM_TYPE_BUSY 2

static inline unsigned descriptor__type(u64 low)
{
	return low >> 40 & 15;
}

static inline bool descriptor__is_segment(u64 low)
{
	return low >> 44 & 1;
}

static inline unsigned descriptor__dpl(u64 low)
{
	return low >> 45 & 3;
}

static inline bool descriptor__is_present(u64 low)
{
	return low >> 47 & 1;
}

static inline bool descriptor__is_code(u64 low)
{
	return descriptor__is_segment(low) && (descriptor__type(low) & SEG_TYPE_CODE);
}

static inline bool descriptor__is_conforming(u64 low)
{
	return descriptor__type(low) & SEG_TYPE_CONFORMING;
}

static inline bool descriptor__is_long(u64 low)
{
	return low >> 53 & 1;
}

static inline bool descriptor__is_big(u64 low)
{
	return low >> 54 & 1;
}

/* In bytes, granularity applied. */
static inline u32 descriptor__limit(u64 low)
{
	u32 limit = (low & 0xffff) | (low >> 32 & 0xf0000);

	return low >> 55 & 1 ? limit << 12 | 0xfff : limit;
}

static inline u64 descriptor__base(const struct descriptor *d)
{
	return (d->low >> 16 & 0xffffff) | (d->low >> 56) << 24 | d->high << 32;
}

/* A gate's target. */
static inline u16 descriptor__gate_selector(u64 low)
{
	return low >> 16;
}

static inline u32 descriptor__gate_offset(u64 low)
{
	return (low & 0xffff) | (low >> 32 & 0xffff0000);
}

#define SELECTOR_TI 4
#define SELECTOR_RPL 3
#define SELECTOR_ERROR(selector) ((selector) & 0xfffcu)

static inline bool selector__is_null(u16 selector)
{
	return !(selector & ~SELECTOR_RPL);
}

/* Sets every field of a segment register from a descriptor. */
void segload__unpack(struct x86_segment *segment, u16 selector, const struct descriptor *d);
/* A register that a null selector was loaded into. */
void segload__set_null(struct x86_segment *segment, u16 selector);
/* A flat segment as SYSCALL and kin make it: code (long_code: 64-bit) or data. */
void segload__set_flat(struct x86_segment *segment, u16 selector, unsigned dpl, bool code,
		       bool long_code);
/* Real or virtual-8086 mode: base is selector times 16, and in the latter all else fixed. */
void segload__set_real(const struct x86_cpu *cpu, struct x86_segment *segment, u16 selector);
/* The virtual-8086 form of a segment whatever the mode is now. */
void segload__set_v86(struct x86_segment *segment, u16 selector);

/*
 * Whether the eight bytes of a selector's descriptor lie inside its table; *linear is their
 * address.
 */
bool segload__locate(const struct x86_cpu *cpu, u16 selector, u64 *linear);
/* Reads a descriptor of eight bytes; `vector` with the selector if it is beyond its table. */
enum exec_result segload__read(struct vcpu *vcpu, u16 selector, enum x86_vector vector,
			       struct descriptor *d);
/* Reads the upper half of a 16-byte descriptor into d->high. */
enum exec_result segload__read_high(struct vcpu *vcpu, u16 selector, enum x86_vector vector,
				    struct descriptor *d);

/* Sets the accessed bit in memory, atomically, if it is not set yet. */
enum exec_result segload__set_accessed(struct vcpu *vcpu, struct descriptor *d);
/* Sets or clears the busy bit of a TSS descriptor, atomically. */
enum exec_result segload__set_busy(struct vcpu *vcpu, struct descriptor *d, bool busy);

/* DS, ES, FS, GS or SS as MOV, POP and LDS load them, in every mode. */
enum exec_result segload__data(struct vcpu *vcpu, enum x86_segreg seg, u16 selector,
			       struct x86_segment *segment);

/*
 * SS of a transfer to privilege level cpl. `vector` is #GP or #TS. null_ok: a null selector is
 * right if its RPL is cpl (64-bit code below level 3).
 */
enum exec_result segload__stack(struct vcpu *vcpu, u16 selector, unsigned cpl, bool null_ok,
				enum x86_vector vector, struct x86_segment *segment);

/* Commits a segment register other than CS. The caller ends with x86__mode_changed() if SS. */
static inline void segload__commit(struct x86_cpu *cpu, enum x86_segreg seg,
				   const struct x86_segment *segment)
{
	cpu->seg[seg] = *segment;
	x86__segment_changed(cpu, seg);
}

/*
 * After a return to an outer level: data segments that it may not use become null (APM vol. 2,
 * 4.7.3 and 8.9).
 */
void segload__drop_inner(struct x86_cpu *cpu);

#endif
