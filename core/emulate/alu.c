/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addition, subtraction, logic and comparison: the host executes the operation and its flags. */
#include "core/emulate/operand.h"

/*
 * The operation on a register value and on memory. `before` is LOAD_CARRY where CF is an input.
 * _mem executes on guest memory as one instruction, _lock with LOCK.
 */
#define DEFINE_BINARY_OPERATION(bits, suffix, op, before)                                          \
	static __always_inline u##bits op##_reg##bits(struct x86_cpu *cpu, u##bits a, u##bits b)   \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(before #op suffix " %[b], %[a]" TAKE_FLAGS                                 \
			: [a] "+r"(a), FLAGS_OUTPUTS                                               \
			: [b] "r"(b), FLAGS_INPUT(cpu)                                             \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
		return a;                                                                          \
	}                                                                                          \
	static __always_inline void op##_mem##bits(struct x86_cpu *cpu, u##bits *p, u##bits b)     \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__ volatile(before #op suffix " %[b], %[a]" TAKE_FLAGS                        \
				 : [a] "+m"(*p), FLAGS_OUTPUTS                                     \
				 : [b] "r"(b), FLAGS_INPUT(cpu)                                    \
				 : "cc", "memory");                                                \
		cpu->arith = flags_;                                                               \
	}                                                                                          \
	static __always_inline void op##_lock##bits(struct x86_cpu *cpu, u##bits *p, u##bits b)    \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__ volatile(before "lock " #op suffix " %[b], %[a]" TAKE_FLAGS                \
				 : [a] "+m"(*p), FLAGS_OUTPUTS                                     \
				 : [b] "r"(b), FLAGS_INPUT(cpu)                                    \
				 : "cc", "memory");                                                \
		cpu->arith = flags_;                                                               \
	}

/* The forms whose destination is a register. */
#define DEFINE_BINARY_TO_REGISTER(bits, suffix, op)                                                \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst,                                                      \
			      op##_reg##bits(cpu, GPR##bits(cpu, insn->dst),                       \
					     GPR##bits(cpu, insn->src)));                          \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_ri##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst,                                                      \
			      op##_reg##bits(cpu, GPR##bits(cpu, insn->dst), insn->imm));          \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u##bits b = *(volatile u##bits *)p;                                                \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst,                                                      \
			      op##_reg##bits(cpu, GPR##bits(cpu, insn->dst), b));                  \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rm##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_from##bits);                       \
	}

/* The forms whose destination is memory. */
#define DEFINE_BINARY_TO_MEMORY(bits, suffix, op)                                                  \
	static __always_inline void op##_at##bits(struct x86_cpu *cpu, const struct insn *insn,    \
						  void *p, u##bits b)                              \
	{                                                                                          \
		if (unlikely(insn->flags & INSN_LOCK))                                             \
			op##_lock##bits(cpu, p, b);                                                \
		else                                                                               \
			op##_mem##bits(cpu, p, b);                                                 \
	}                                                                                          \
	EXECUTOR op##_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)                \
	{                                                                                          \
		op##_at##bits(&vcpu->cpu, insn, p, GPR##bits(&vcpu->cpu, insn->src));              \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_imm_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)            \
	{                                                                                          \
		op##_at##bits(&vcpu->cpu, insn, p, insn->imm);                                     \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_to##bits);                       \
	}                                                                                          \
	EXECUTOR op##_mi##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_imm_to##bits);                   \
	}

#define DEFINE_BINARY(op, before)                                                                  \
	FOR_ALL_SIZES(DEFINE_BINARY_OPERATION, op, before)                                         \
	FOR_ALL_SIZES(DEFINE_BINARY_TO_REGISTER, op)                                               \
	FOR_ALL_SIZES(DEFINE_BINARY_TO_MEMORY, op)                                                 \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_ALL(op, rr),                                                     \
		[FORM_RI] = SIZES_ALL(op, ri),                                                     \
		[FORM_RM] = SIZES_ALL(op, rm),                                                     \
		[FORM_MR] = SIZES_ALL(op, mr),                                                     \
		[FORM_MI] = SIZES_ALL(op, mi),                                                     \
	} };

DEFINE_BINARY(add, "")
DEFINE_BINARY(or, "")
DEFINE_BINARY(adc, LOAD_CARRY)
DEFINE_BINARY(sbb, LOAD_CARRY)
DEFINE_BINARY(and, "")
DEFINE_BINARY(sub, "")
DEFINE_BINARY(xor, "")

/* CMP and TEST: flags only. */
#define DEFINE_COMPARISON_SIZE(bits, suffix, op)                                                   \
	static __always_inline void op##_values##bits(struct x86_cpu *cpu, u##bits a, u##bits b)   \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(#op suffix " %[b], %[a]" TAKE_FLAGS                                        \
			: FLAGS_OUTPUTS                                                            \
			: [a] "r"(a), [b] "r"(b)                                                   \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
	}                                                                                          \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
                                                                                                   \
		op##_values##bits(cpu, GPR##bits(cpu, insn->dst), GPR##bits(cpu, insn->src));      \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_ri##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		op##_values##bits(&vcpu->cpu, GPR##bits(&vcpu->cpu, insn->dst), insn->imm);        \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		op##_values##bits(&vcpu->cpu, GPR##bits(&vcpu->cpu, insn->dst),                    \
				  *(volatile u##bits *)p);                                         \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_with##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		op##_values##bits(&vcpu->cpu, *(volatile u##bits *)p,                              \
				  GPR##bits(&vcpu->cpu, insn->src));                               \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_imm_with##bits(struct vcpu *vcpu, const struct insn *insn, void *p)          \
	{                                                                                          \
		op##_values##bits(&vcpu->cpu, *(volatile u##bits *)p, insn->imm);                  \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rm##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_from##bits);                       \
	}                                                                                          \
	EXECUTOR op##_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_with##bits);                       \
	}                                                                                          \
	EXECUTOR op##_mi##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_imm_with##bits);                   \
	}

#define DEFINE_COMPARISON(op)                                                                      \
	FOR_ALL_SIZES(DEFINE_COMPARISON_SIZE, op)                                                  \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_ALL(op, rr),                                                     \
		[FORM_RI] = SIZES_ALL(op, ri),                                                     \
		[FORM_RM] = SIZES_ALL(op, rm),                                                     \
		[FORM_MR] = SIZES_ALL(op, mr),                                                     \
		[FORM_MI] = SIZES_ALL(op, mi),                                                     \
	} };

DEFINE_COMPARISON(cmp)
DEFINE_COMPARISON(test)

/* One operand. INC and DEC leave CF as it was (so it is loaded first), NOT leaves all flags. */
#define DEFINE_UNARY_SIZE(bits, suffix, op, before, writes_flags)                                  \
	static __always_inline u64 op##_on_reg##bits(struct x86_cpu *cpu, u##bits *a)              \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(before #op suffix " %[a]" TAKE_FLAGS                                       \
			: [a] "+r"(*a), FLAGS_OUTPUTS                                              \
			: FLAGS_INPUT(cpu)                                                         \
			: "cc");                                                                   \
		return flags_;                                                                     \
	}                                                                                          \
	static __always_inline u64 op##_on_mem##bits(struct x86_cpu *cpu, u##bits *p, bool lock)   \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		if (lock)                                                                          \
			__asm__ volatile(before "lock " #op suffix " %[a]" TAKE_FLAGS              \
					 : [a] "+m"(*p), FLAGS_OUTPUTS                             \
					 : FLAGS_INPUT(cpu)                                        \
					 : "cc", "memory");                                        \
		else                                                                               \
			__asm__ volatile(before #op suffix " %[a]" TAKE_FLAGS                      \
					 : [a] "+m"(*p), FLAGS_OUTPUTS                             \
					 : FLAGS_INPUT(cpu)                                        \
					 : "cc", "memory");                                        \
		return flags_;                                                                     \
	}                                                                                          \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u##bits a = GPR##bits(cpu, insn->dst);                                             \
		u64 flags = op##_on_reg##bits(cpu, &a);                                            \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst, a);                                                  \
		if (writes_flags)                                                                  \
			cpu->arith = flags;                                                        \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)                \
	{                                                                                          \
		bool lock = unlikely(insn->flags & INSN_LOCK);                                     \
		u64 flags = op##_on_mem##bits(&vcpu->cpu, p, lock);                                \
                                                                                                   \
		if (writes_flags)                                                                  \
			vcpu->cpu.arith = flags;                                                   \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_to##bits);                       \
	}

#define DEFINE_UNARY(op, before, writes_flags)                                                     \
	FOR_ALL_SIZES(DEFINE_UNARY_SIZE, op, before, writes_flags)                                 \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_ALL(op, rr),                                                     \
		[FORM_MR] = SIZES_ALL(op, mr),                                                     \
	} };

DEFINE_UNARY(inc, LOAD_CARRY, true)
DEFINE_UNARY(dec, LOAD_CARRY, true)
DEFINE_UNARY(neg, "", true)
DEFINE_UNARY(not, "", false)
