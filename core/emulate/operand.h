/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the integer executors share: reaching memory operands, writing registers, and taking the
 * host's flags after it executed the guest's operation.
 */
#ifndef CORE_EMULATE_OPERAND_H
#define CORE_EMULATE_OPERAND_H

#include "core/emulate/emulate.h"
#include "core/emulate/executors.h"

/*
 * Ends a template: RFLAGS_ARITH of the host into [flags] (RAX), with garbage in the other bits.
 * LAHF and SETO cost half of what PUSHFQ and POP do. Outputs: FLAGS_OUTPUTS; it
 * takes RDX too.
 */
#define TAKE_FLAGS                                                                                 \
	"\n\tlahf\n\tseto %%al\n\tmovzbl %%ah, %k[tmp]\n\tshll $11, %%eax\n\torl %k[tmp], %%eax"
#define FLAGS_OUTPUTS [flags] "=&a"(flags_), [tmp] "=&d"(tmp_)
#define FLAGS_LOCALS                                                                               \
	u64 flags_;                                                                                \
	u32 tmp_
/*
 * Begins a template whose operation leaves flags undefined: what the host leaves of them must not
 * show what the code before did.
 */
#define SETTLE_FLAGS "xorl %k[tmp], %k[tmp]\n\t"
/* Begins a template that reads CF or leaves it alone. Input: FLAGS_INPUT. */
#define LOAD_CARRY "btl $0, %[old]\n\t"
#define FLAGS_INPUT(cpu) [old] "m"((cpu)->arith)

#define SET_GPR8(cpu, off, v) (GPR8(cpu, off) = (v))
#define SET_GPR16(cpu, off, v) (GPR16(cpu, off) = (v))
/* A 32-bit result clears the upper half (APM vol. 1, 3.1.2). */
#define SET_GPR32(cpu, off, v) (GPR64(cpu, off) = (u32)(v))
#define SET_GPR64(cpu, off, v) (GPR64(cpu, off) = (v))

/* Byte offsets of the accumulator, its second byte, and the registers of implicit operands. */
#define OFF_AL 0
#define OFF_AH 1
#define OFF_RAX 0
#define OFF_RCX (X86_RCX * 8)
#define OFF_RDX (X86_RDX * 8)

/* The template modifier that names so many bits of a 64-bit register operand. */
#define OPERAND_WIDTH_8 "b"
#define OPERAND_WIDTH_16 "w"
#define OPERAND_WIDTH_32 "k"
#define OPERAND_WIDTH_64 "q"

/* A table of executors op_FORM8 ... op_FORM64. */
#define SIZES_ALL(op, form)                                                                        \
	{                                                                                          \
		op##_##form##8, op##_##form##16, op##_##form##32, op##_##form##64                  \
	}
#define SIZES_WIDE(op, form)                                                                       \
	{                                                                                          \
		NULL, op##_##form##16, op##_##form##32, op##_##form##64                            \
	}
#define SIZES_YWIDE(op, form)                                                                      \
	{                                                                                          \
		NULL, NULL, op##_##form##32, op##_##form##64                                       \
	}
#define FOR_ALL_SIZES(X, ...) X(8, "b", __VA_ARGS__) X(16, "w", __VA_ARGS__)                       \
	X(32, "l", __VA_ARGS__) X(64, "q", __VA_ARGS__)
#define FOR_WIDE_SIZES(X, ...) X(16, "w", __VA_ARGS__) X(32, "l", __VA_ARGS__)                     \
	X(64, "q", __VA_ARGS__)

#define EXECUTOR static enum exec_result
#define NOINLINE __attribute__((noinline))

static __always_inline u64 mask_of(unsigned bytes)
{
	return bytes == 8 ? ~0ULL : bytes == 4 ? 0xffffffffULL : 0xffffULL;
}

/* ACCESS_* for the memory operand: a non-canonical address is #SS(0) in the stack segment. */
static __always_inline unsigned operand__how(const struct insn *insn)
{
	return insn->seg == X86_SS ? ACCESS_STACK : 0;
}

/*
 * The rest of an executor once its memory operand can be touched at p: guest memory, or a copy
 * that is written back (operand__modify) when the function returns EXEC_NEXT. It may change
 * general registers and arithmetic flags; they are put back if the write fails after all.
 */
typedef enum exec_result operand_fn(struct vcpu *vcpu, const struct insn *insn, void *p);

/* As operand__read() and operand__modify(), for every kind of address; out of line. */
enum exec_result operand__read_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				    operand_fn *fn);
enum exec_result operand__modify_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				      operand_fn *fn);
enum exec_result operand__write_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				     u64 value);
/* As operand__modify_slow(), at an effective address that is not the encoded one. */
enum exec_result operand__modify_at(struct vcpu *vcpu, const struct insn *insn, u64 ea,
				    unsigned size, operand_fn *fn);
/* Always locked, with or without the prefix. */
#define OPERAND_LOCKED 0x100 /* or-ed into size */

/* The segmented linear address of an effective address that is not the encoded one. */
enum exec_result operand__linear_at(struct vcpu *vcpu, const struct insn *insn, u64 ea,
				    unsigned size, bool write, u64 *linear);

/* Whether the fast path may be tried: 64-bit addresses in a flat segment. */
static __always_inline bool operand__is_plain(const struct insn *insn)
{
	return likely(insn->flags & INSN_NO_SEG && insn->adsize == 8);
}

static __always_inline u64 operand__plain_address(const struct x86_cpu *cpu,
						  const struct insn *insn)
{
	return cpu->slot[insn->base] + (cpu->slot[insn->index] << insn->scale) + (s64)insn->disp;
}

/*
 * Runs fn on the memory operand, for reading. The calls of the slow path are tail calls, so that
 * the executor needs no stack frame.
 */
static __always_inline enum exec_result operand__read(struct vcpu *vcpu, const struct insn *insn,
						      unsigned size, operand_fn *fn)
{
	if (likely(operand__is_plain(insn))) {
		u64 linear = operand__plain_address(&vcpu->cpu, insn);
		struct tlb_entry *e = tlb__slot(vcpu->view, linear);

		if (likely(((linear + size - 1) & PAGE_MASK_4K) == e->read))
			return fn(vcpu, insn, tlb__host(e, linear));
	}
	return operand__read_slow(vcpu, insn, size, fn);
}

/* Runs fn on the memory operand, for reading and writing. fn heeds INSN_LOCK. */
static __always_inline enum exec_result operand__modify(struct vcpu *vcpu, const struct insn *insn,
							unsigned size, operand_fn *fn)
{
	if (likely(operand__is_plain(insn))) {
		u64 linear = operand__plain_address(&vcpu->cpu, insn);
		struct tlb_entry *e = tlb__slot(vcpu->view, linear);

		if (likely(((linear + (u8)size - 1) & PAGE_MASK_4K) == e->write))
			return fn(vcpu, insn, tlb__host(e, linear));
	}
	return operand__modify_slow(vcpu, insn, size, fn);
}

#define DEFINE_OPERAND_WRITE(bits, ...)                                                            \
	static __always_inline enum exec_result operand__write##bits(                              \
		struct vcpu *vcpu, const struct insn *insn, u##bits value)                         \
	{                                                                                          \
		if (likely(operand__is_plain(insn))) {                                             \
			u64 linear = operand__plain_address(&vcpu->cpu, insn);                     \
			struct tlb_entry *e = tlb__slot(vcpu->view, linear);                       \
                                                                                                   \
			if (likely(((linear + bits / 8 - 1) & PAGE_MASK_4K) == e->write)) {        \
				*(volatile u##bits *)tlb__host(e, linear) = value;                 \
				return EXEC_NEXT;                                                  \
			}                                                                          \
		}                                                                                  \
		return operand__write_slow(vcpu, insn, bits / 8, value);                           \
	}
/* operand__write8() ... operand__write64(): the memory operand, written only. */
FOR_ALL_SIZES(DEFINE_OPERAND_WRITE)
#undef DEFINE_OPERAND_WRITE

/* Whether a linear address is in canonical form under the paging mode. */
static __always_inline bool linear_is_canonical(const struct x86_cpu *cpu, u64 linear)
{
	if (likely((u64)((s64)(linear << 16) >> 16) == linear))
		return true;
	return cpu->cr4 & CR4_LA57 && (u64)((s64)(linear << 7) >> 7) == linear;
}

/* The flags of CMP a, b on operands of that size. */
#define DEFINE_COMPARE(bits, suffix, ...)                                                          \
	static __always_inline u64 flags_of_compare##bits(u##bits a, u##bits b)                    \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__("cmp" suffix " %[b], %[a]" TAKE_FLAGS                                      \
			: FLAGS_OUTPUTS                                                            \
			: [a] "r"(a), [b] "r"(b)                                                   \
			: "cc");                                                                   \
		return flags_;                                                                     \
	}
FOR_ALL_SIZES(DEFINE_COMPARE)
#undef DEFINE_COMPARE

#endif
