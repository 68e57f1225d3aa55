/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exchanges: XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B. */
#include "core/emulate/operand.h"

/* XCHG with memory is locked with or without the prefix (APM vol. 3, XCHG); so is the host's. */
#define DEFINE_XCHG(bits, suffix, ...)                                                             \
	EXECUTOR xchg_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		u##bits a = GPR##bits(&vcpu->cpu, insn->dst);                                      \
		u##bits b = GPR##bits(&vcpu->cpu, insn->src);                                      \
                                                                                                   \
		SET_GPR##bits(&vcpu->cpu, insn->dst, b);                                           \
		SET_GPR##bits(&vcpu->cpu, insn->src, a);                                           \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR xchg_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)                \
	{                                                                                          \
		u##bits a = GPR##bits(&vcpu->cpu, insn->src);                                      \
                                                                                                   \
		__asm__ volatile("xchg" suffix " %[a], %[m]"                                       \
				 : [a] "+r"(a), [m] "+m"(*(u##bits *)p)                            \
				 :                                                                 \
				 : "memory");                                                      \
		SET_GPR##bits(&vcpu->cpu, insn->src, a);                                           \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR xchg_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, (bits / 8) | OPERAND_LOCKED, xchg_to##bits);    \
	}

/* The sum is written last, so that XADD of a register with itself doubles it. */
#define DEFINE_XADD(bits, suffix, ...)                                                             \
	EXECUTOR xadd_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u##bits a = GPR##bits(cpu, insn->dst), b = GPR##bits(cpu, insn->src);              \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__("xadd" suffix " %[b], %[a]" TAKE_FLAGS                                     \
			: [a] "+r"(a), [b] "+r"(b), FLAGS_OUTPUTS                                  \
			:                                                                          \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
		SET_GPR##bits(cpu, insn->src, b);                                                  \
		SET_GPR##bits(cpu, insn->dst, a);                                                  \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR xadd_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)                \
	{                                                                                          \
		u##bits *m = p;                                                                    \
		u##bits b = GPR##bits(&vcpu->cpu, insn->src);                                      \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		if (insn->flags & INSN_LOCK)                                                       \
			__asm__ volatile("lock xadd" suffix " %[b], %[m]" TAKE_FLAGS               \
					 : [m] "+m"(*m), [b] "+r"(b), FLAGS_OUTPUTS                \
					 :                                                         \
					 : "cc", "memory");                                        \
		else                                                                               \
			__asm__ volatile("xadd" suffix " %[b], %[m]" TAKE_FLAGS                    \
					 : [m] "+m"(*m), [b] "+r"(b), FLAGS_OUTPUTS                \
					 :                                                         \
					 : "cc", "memory");                                        \
		vcpu->cpu.arith = flags_;                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->src, b);                                           \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR xadd_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, xadd_to##bits);                       \
	}

FOR_ALL_SIZES(DEFINE_XCHG)
FOR_ALL_SIZES(DEFINE_XADD)

const struct exec_forms forms_xchg = { .fn = {
	[FORM_RR] = SIZES_ALL(xchg, rr),
	[FORM_MR] = SIZES_ALL(xchg, mr),
} };

const struct exec_forms forms_xadd = { .fn = {
	[FORM_RR] = SIZES_ALL(xadd, rr),
	[FORM_MR] = SIZES_ALL(xadd, mr),
} };

/*
 * Accumulator and destination are handed to the host whole: which of them has its upper half
 * cleared by a 32-bit comparison is the host's affair. PUSHFQ because RAX is taken.
 */
#define CMPXCHG_LOAD_8(cpu, off) GPR8(cpu, off)
#define CMPXCHG_LOAD_16(cpu, off) GPR16(cpu, off)
#define CMPXCHG_LOAD_32(cpu, off) GPR64(cpu, off)
#define CMPXCHG_LOAD_64(cpu, off) GPR64(cpu, off)
#define CMPXCHG_STORE_8(cpu, off, v) SET_GPR8(cpu, off, v)
#define CMPXCHG_STORE_16(cpu, off, v) SET_GPR16(cpu, off, v)
#define CMPXCHG_STORE_32(cpu, off, v) SET_GPR64(cpu, off, v)
#define CMPXCHG_STORE_64(cpu, off, v) SET_GPR64(cpu, off, v)

#define DEFINE_CMPXCHG(bits, suffix, ...)                                                          \
	EXECUTOR cmpxchg_rr##bits(struct vcpu *vcpu, const struct insn *insn)                      \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u64 acc = cpu->gpr[X86_RAX], flags;                                                \
		u64 a = CMPXCHG_LOAD_##bits(cpu, insn->dst);                                       \
		u##bits b = GPR##bits(cpu, insn->src);                                             \
                                                                                                   \
		__asm__("cmpxchg" suffix " %[b], %" OPERAND_WIDTH_##bits "[a]"                     \
			"\n\tpushfq\n\tpopq %[flags]"                                             \
			: [a] "+r"(a), "+a"(acc), [flags] "=&r"(flags)                             \
			: [b] "r"(b)                                                               \
			: "cc", "memory");                                                         \
		cpu->arith = flags;                                                                \
		cpu->gpr[X86_RAX] = acc;                                                           \
		if (flags & RFLAGS_ZF || insn->dst != OFF_RAX)                                     \
			CMPXCHG_STORE_##bits(cpu, insn->dst, a);                                   \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR cmpxchg_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)             \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u64 acc = cpu->gpr[X86_RAX], flags;                                                \
		u##bits *m = p, b = GPR##bits(cpu, insn->src);                                     \
                                                                                                   \
		if (insn->flags & INSN_LOCK)                                                       \
			__asm__ volatile("lock cmpxchg" suffix " %[b], %[m]"                       \
					 "\n\tpushfq\n\tpopq %[flags]"                             \
					 : [m] "+m"(*m), "+a"(acc), [flags] "=&r"(flags)           \
					 : [b] "r"(b)                                              \
					 : "cc", "memory");                                        \
		else                                                                               \
			__asm__ volatile("cmpxchg" suffix " %[b], %[m]"                            \
					 "\n\tpushfq\n\tpopq %[flags]"                             \
					 : [m] "+m"(*m), "+a"(acc), [flags] "=&r"(flags)           \
					 : [b] "r"(b)                                              \
					 : "cc", "memory");                                        \
		cpu->arith = flags;                                                                \
		cpu->gpr[X86_RAX] = acc;                                                           \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR cmpxchg_mr##bits(struct vcpu *vcpu, const struct insn *insn)                      \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, cmpxchg_to##bits);                    \
	}

FOR_ALL_SIZES(DEFINE_CMPXCHG)

const struct exec_forms forms_cmpxchg = { .fn = {
	[FORM_RR] = SIZES_ALL(cmpxchg, rr),
	[FORM_MR] = SIZES_ALL(cmpxchg, mr),
} };

/* Both write memory in any case, with the old value if the comparison failed; only ZF changes. */
#define DEFINE_CMPXCHG_PAIR(name, half)                                                            \
	EXECUTOR name##_to(struct vcpu *vcpu, const struct insn *insn, void *p)                    \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u64 lo = cpu->gpr[X86_RAX], hi = cpu->gpr[X86_RDX];                                \
		struct { half v[2]; } *m = p;                                                      \
		bool equal;                                                                        \
                                                                                                   \
		if (insn->flags & INSN_LOCK)                                                       \
			__asm__ volatile("lock " #name " %[m]"                                     \
					 : [m] "+m"(*m), "+a"(lo), "+d"(hi), "=@ccz"(equal)        \
					 : "b"(cpu->gpr[X86_RBX]), "c"(cpu->gpr[X86_RCX])          \
					 : "memory");                                              \
		else                                                                               \
			__asm__ volatile(#name " %[m]"                                             \
					 : [m] "+m"(*m), "+a"(lo), "+d"(hi), "=@ccz"(equal)        \
					 : "b"(cpu->gpr[X86_RBX]), "c"(cpu->gpr[X86_RCX])          \
					 : "memory");                                              \
		cpu->arith = (cpu->arith & ~RFLAGS_ZF) | (equal ? RFLAGS_ZF : 0);                  \
		cpu->gpr[X86_RAX] = lo;                                                            \
		cpu->gpr[X86_RDX] = hi;                                                            \
		return EXEC_NEXT;                                                                  \
	}

DEFINE_CMPXCHG_PAIR(cmpxchg8b, u32)
DEFINE_CMPXCHG_PAIR(cmpxchg16b, u64)

enum exec_result exec_cmpxchg8b(struct vcpu *vcpu, const struct insn *insn)
{
	return operand__modify(vcpu, insn, 8, cmpxchg8b_to);
}

/*
 * An operand that is not aligned is #GP(0) (SDM vol. 2, CMPXCHG16B). A copy on the stack, used for
 * device memory, is aligned as well.
 */
enum exec_result exec_cmpxchg16b(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result result;
	u64 linear;

	result = emulate__operand(vcpu, insn, 16, true, &linear);
	if (result != EXEC_NEXT)
		return result;
	if (linear & 15)
		return x86__raise_gp(vcpu, 0);
	return operand__modify(vcpu, insn, 16, cmpxchg16b_to);
}
