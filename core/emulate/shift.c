/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shifts and rotates, by an immediate or CL, and double-precision shifts. */
#include "core/emulate/operand.h"

/* Counts are taken modulo 32, or 64 for 64-bit operands (APM vol. 3, SHL). */
#define COUNT_MASK(bits) ((bits) == 64 ? 63 : 31)
/* Rotates write these two only (APM vol. 3, ROL); shifts write all. */
#define ROTATE_FLAGS (RFLAGS_CF | RFLAGS_OF)

/* A count of 0 changes no flag, but a 32-bit register is still written (upper half cleared). */
#define DEFINE_SHIFT_SIZE(bits, suffix, op, before, written)                                       \
	static __always_inline u##bits op##_value##bits(struct x86_cpu *cpu, u##bits a, u8 count)  \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		count &= COUNT_MASK(bits);                                                         \
		if (unlikely(!count))                                                              \
			return a;                                                                  \
		__asm__(before #op suffix " %%cl, %[a]" TAKE_FLAGS                                 \
			: [a] "+r"(a), FLAGS_OUTPUTS                                               \
			: "c"(count), FLAGS_INPUT(cpu)                                             \
			: "cc");                                                                   \
		if ((written) == RFLAGS_ARITH)                                                     \
			cpu->arith = flags_;                                                       \
		else                                                                               \
			cpu->arith = (cpu->arith & ~(written)) | (flags_ & (written));             \
		return a;                                                                          \
	}                                                                                          \
	EXECUTOR op##_ri##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst,                                                      \
			      op##_value##bits(cpu, GPR##bits(cpu, insn->dst), insn->imm));        \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_cl_rr##bits(struct vcpu *vcpu, const struct insn *insn)                      \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst,                                                      \
			      op##_value##bits(cpu, GPR##bits(cpu, insn->dst),                     \
					       GPR8(cpu, OFF_RCX)));                               \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_imm_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)            \
	{                                                                                          \
		volatile u##bits *m = p;                                                           \
                                                                                                   \
		*m = op##_value##bits(&vcpu->cpu, *m, insn->imm);                                  \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_cl_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)             \
	{                                                                                          \
		volatile u##bits *m = p;                                                           \
                                                                                                   \
		*m = op##_value##bits(&vcpu->cpu, *m, GPR8(&vcpu->cpu, OFF_RCX));                  \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_mi##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_imm_to##bits);                   \
	}                                                                                          \
	EXECUTOR op##_cl_mr##bits(struct vcpu *vcpu, const struct insn *insn)                      \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_cl_to##bits);                    \
	}

#define DEFINE_SHIFT(op, before, written)                                                          \
	FOR_ALL_SIZES(DEFINE_SHIFT_SIZE, op, before, written)                                      \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RI] = SIZES_ALL(op, ri),                                                     \
		[FORM_MI] = SIZES_ALL(op, mi),                                                     \
	} };                                                                                       \
	const struct exec_forms forms_##op##_cl = { .fn = {                                        \
		[FORM_RR] = SIZES_ALL(op##_cl, rr),                                                \
		[FORM_MR] = SIZES_ALL(op##_cl, mr),                                                \
	} };

DEFINE_SHIFT(rol, "", ROTATE_FLAGS)
DEFINE_SHIFT(ror, "", ROTATE_FLAGS)
DEFINE_SHIFT(rcl, LOAD_CARRY, ROTATE_FLAGS)
DEFINE_SHIFT(rcr, LOAD_CARRY, ROTATE_FLAGS)
DEFINE_SHIFT(shl, "", RFLAGS_ARITH)
DEFINE_SHIFT(shr, "", RFLAGS_ARITH)
DEFINE_SHIFT(sar, "", RFLAGS_ARITH)

#define DEFINE_DOUBLE_SIZE(bits, suffix, op)                                                       \
	static __always_inline u##bits op##_value##bits(struct x86_cpu *cpu, u##bits a, u##bits b, \
							u8 count)                                  \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		count &= COUNT_MASK(bits);                                                         \
		if (unlikely(!count))                                                              \
			return a;                                                                  \
		__asm__(SETTLE_FLAGS #op suffix " %%cl, %[b], %[a]" TAKE_FLAGS                     \
			: [a] "+r"(a), FLAGS_OUTPUTS                                               \
			: "c"(count), [b] "r"(b)                                                   \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
		return a;                                                                          \
	}                                                                                          \
	static __always_inline enum exec_result op##_register##bits(                               \
		struct vcpu *vcpu, const struct insn *insn, u8 count)                              \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst,                                                      \
			      op##_value##bits(cpu, GPR##bits(cpu, insn->dst),                     \
					       GPR##bits(cpu, insn->src), count));                 \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	static __always_inline enum exec_result op##_memory##bits(                                 \
		struct vcpu *vcpu, const struct insn *insn, volatile u##bits *p, u8 count)         \
	{                                                                                          \
		*p = op##_value##bits(&vcpu->cpu, *p, GPR##bits(&vcpu->cpu, insn->src), count);    \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return op##_register##bits(vcpu, insn, insn->imm);                                 \
	}                                                                                          \
	EXECUTOR op##_cl_rr##bits(struct vcpu *vcpu, const struct insn *insn)                      \
	{                                                                                          \
		return op##_register##bits(vcpu, insn, GPR8(&vcpu->cpu, OFF_RCX));                 \
	}                                                                                          \
	EXECUTOR op##_imm_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)            \
	{                                                                                          \
		return op##_memory##bits(vcpu, insn, p, insn->imm);                                \
	}                                                                                          \
	EXECUTOR op##_cl_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)             \
	{                                                                                          \
		return op##_memory##bits(vcpu, insn, p, GPR8(&vcpu->cpu, OFF_RCX));                \
	}                                                                                          \
	EXECUTOR op##_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_imm_to##bits);                   \
	}                                                                                          \
	EXECUTOR op##_cl_mr##bits(struct vcpu *vcpu, const struct insn *insn)                      \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_cl_to##bits);                    \
	}

#define DEFINE_DOUBLE(op)                                                                          \
	FOR_WIDE_SIZES(DEFINE_DOUBLE_SIZE, op)                                                     \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_WIDE(op, rr),                                                    \
		[FORM_MR] = SIZES_WIDE(op, mr),                                                    \
	} };                                                                                       \
	const struct exec_forms forms_##op##_cl = { .fn = {                                        \
		[FORM_RR] = SIZES_WIDE(op##_cl, rr),                                               \
		[FORM_MR] = SIZES_WIDE(op##_cl, mr),                                               \
	} };

DEFINE_DOUBLE(shld)
DEFINE_DOUBLE(shrd)
