/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiplication and division. The host never divides what would make it fault. */
#include "core/emulate/operand.h"

/*
 * accumulator pair = accumulator * b. The products and flags are the host's; MUL occupies RAX and
 * RDX, so the flags are taken by PUSHFQ instead of TAKE_FLAGS, and XOR settles the undefined ones.
 */
#define DEFINE_MULTIPLY_SIZE(bits, suffix, op)                                                     \
	static __always_inline u64 op##_halves##bits(u##bits *lo, u##bits *hi, u##bits b)          \
	{                                                                                          \
		u64 flags;                                                                         \
                                                                                                   \
		__asm__("xorl %k[flags], %k[flags]\n\t" #op suffix " %[b]\n\t"                    \
			"pushfq\n\tpopq %[flags]"                                                  \
			: "+a"(*lo), "=&d"(*hi), [flags] "=&r"(flags)                              \
			: [b] "r"(b)                                                               \
			: "cc", "memory");                                                         \
		return flags;                                                                      \
	}

FOR_WIDE_SIZES(DEFINE_MULTIPLY_SIZE, mul)
FOR_WIDE_SIZES(DEFINE_MULTIPLY_SIZE, imul)

#define DEFINE_MULTIPLY_BYTE(op)                                                                   \
	static enum exec_result op##_by8(struct vcpu *vcpu, u8 b)                                  \
	{                                                                                          \
		u16 ax = GPR8(&vcpu->cpu, OFF_AL);                                                 \
		u64 flags;                                                                         \
                                                                                                   \
		__asm__("xorl %k[flags], %k[flags]\n\t" #op "b %[b]\n\t"                          \
			"pushfq\n\tpopq %[flags]"                                                  \
			: "+a"(ax), [flags] "=&r"(flags)                                           \
			: [b] "q"(b)                                                               \
			: "cc", "memory");                                                         \
		SET_GPR16(&vcpu->cpu, OFF_RAX, ax);                                                \
		vcpu->cpu.arith = flags;                                                           \
		return EXEC_NEXT;                                                                  \
	}

DEFINE_MULTIPLY_BYTE(mul)
DEFINE_MULTIPLY_BYTE(imul)

#define DEFINE_MULTIPLY_BY(bits, suffix, op)                                                       \
	static enum exec_result op##_by##bits(struct vcpu *vcpu, u##bits b)                        \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u##bits lo = GPR##bits(cpu, OFF_RAX), hi;                                          \
                                                                                                   \
		cpu->arith = op##_halves##bits(&lo, &hi, b);                                       \
		SET_GPR##bits(cpu, OFF_RAX, lo);                                                   \
		SET_GPR##bits(cpu, OFF_RDX, hi);                                                   \
		return EXEC_NEXT;                                                                  \
	}

FOR_WIDE_SIZES(DEFINE_MULTIPLY_BY, mul)
FOR_WIDE_SIZES(DEFINE_MULTIPLY_BY, imul)

/* Division of a 128-bit value, known to have a quotient of 64 bits. */
static u64 divide_128(u64 hi, u64 lo, u64 divisor, u64 *remainder)
{
	u64 quotient;

	__asm__("divq %[divisor]"
		: "=a"(quotient), "=d"(*remainder)
		: [divisor] "r"(divisor), "0"(lo), "1"(hi)
		: "cc");
	return quotient;
}

/* Flags are undefined after a division; they stay as they were. #DE: APM vol. 3, DIV and IDIV. */
static enum exec_result div_by8(struct vcpu *vcpu, u8 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u16 a = GPR16(cpu, OFF_RAX);

	if (a >> 8 >= b)
		return x86__raise(vcpu, X86_DE);
	SET_GPR16(cpu, OFF_RAX, (u16)((u8)(a / b) | (u8)(a % b) << 8));
	return EXEC_NEXT;
}

static enum exec_result div_by16(struct vcpu *vcpu, u16 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u32 a = GPR16(cpu, OFF_RAX) | (u32)GPR16(cpu, OFF_RDX) << 16;

	if (a >> 16 >= b)
		return x86__raise(vcpu, X86_DE);
	SET_GPR16(cpu, OFF_RAX, (u16)(a / b));
	SET_GPR16(cpu, OFF_RDX, (u16)(a % b));
	return EXEC_NEXT;
}

static enum exec_result div_by32(struct vcpu *vcpu, u32 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 a = GPR32(cpu, OFF_RAX) | (u64)GPR32(cpu, OFF_RDX) << 32;

	if (a >> 32 >= b)
		return x86__raise(vcpu, X86_DE);
	SET_GPR32(cpu, OFF_RAX, a / b);
	SET_GPR32(cpu, OFF_RDX, a % b);
	return EXEC_NEXT;
}

static enum exec_result div_by64(struct vcpu *vcpu, u64 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 remainder, quotient;

	if (cpu->gpr[X86_RDX] >= b)
		return x86__raise(vcpu, X86_DE);
	quotient = divide_128(cpu->gpr[X86_RDX], cpu->gpr[X86_RAX], b, &remainder);
	cpu->gpr[X86_RAX] = quotient;
	cpu->gpr[X86_RDX] = remainder;
	return EXEC_NEXT;
}

static enum exec_result idiv_by8(struct vcpu *vcpu, u8 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	s32 a = (s16)GPR16(cpu, OFF_RAX), divisor = (s8)b;

	if (!divisor || a / divisor != (s8)(a / divisor))
		return x86__raise(vcpu, X86_DE);
	SET_GPR16(cpu, OFF_RAX, (u16)((u8)(a / divisor) | (u8)(a % divisor) << 8));
	return EXEC_NEXT;
}

static enum exec_result idiv_by16(struct vcpu *vcpu, u16 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	s64 a = (s32)(GPR16(cpu, OFF_RAX) | (u32)GPR16(cpu, OFF_RDX) << 16);
	s64 divisor = (s16)b;

	if (!divisor || a / divisor != (s16)(a / divisor))
		return x86__raise(vcpu, X86_DE);
	SET_GPR16(cpu, OFF_RAX, (u16)(a / divisor));
	SET_GPR16(cpu, OFF_RDX, (u16)(a % divisor));
	return EXEC_NEXT;
}

static enum exec_result idiv_by32(struct vcpu *vcpu, u32 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	s64 a = GPR32(cpu, OFF_RAX) | (u64)GPR32(cpu, OFF_RDX) << 32;
	s64 divisor = (s32)b;

	if (!divisor || (divisor == -1 && a == INT64_MIN) || a / divisor != (s32)(a / divisor))
		return x86__raise(vcpu, X86_DE);
	SET_GPR32(cpu, OFF_RAX, a / divisor);
	SET_GPR32(cpu, OFF_RDX, a % divisor);
	return EXEC_NEXT;
}

/* Divides magnitudes, then checks that the signed quotient fits. */
static enum exec_result idiv_by64(struct vcpu *vcpu, u64 b)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u128 a = cpu->gpr[X86_RAX] | (u128)cpu->gpr[X86_RDX] << 64;
	bool a_negative = (s64)cpu->gpr[X86_RDX] < 0;
	bool negative = a_negative != ((s64)b < 0);
	u64 divisor = (s64)b < 0 ? -b : b;
	u64 quotient, remainder;

	if (a_negative)
		a = -a;
	if ((u64)(a >> 64) >= divisor)
		return x86__raise(vcpu, X86_DE);
	quotient = divide_128(a >> 64, a, divisor, &remainder);
	if (quotient > (u64)INT64_MAX + negative)
		return x86__raise(vcpu, X86_DE);
	cpu->gpr[X86_RAX] = negative ? -quotient : quotient;
	cpu->gpr[X86_RDX] = a_negative ? -remainder : remainder;
	return EXEC_NEXT;
}

#define DEFINE_ACCUMULATOR_SIZE(bits, suffix, op)                                                  \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return op##_by##bits(vcpu, GPR##bits(&vcpu->cpu, insn->dst));                      \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		return op##_by##bits(vcpu, *(volatile u##bits *)p);                                \
	}                                                                                          \
	EXECUTOR op##_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_from##bits);                       \
	}

#define DEFINE_ACCUMULATOR(op)                                                                     \
	FOR_ALL_SIZES(DEFINE_ACCUMULATOR_SIZE, op)                                                 \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_ALL(op, rr),                                                     \
		[FORM_MR] = SIZES_ALL(op, mr),                                                     \
	} };

DEFINE_ACCUMULATOR(mul)
DEFINE_ACCUMULATOR(imul)
DEFINE_ACCUMULATOR(div)
DEFINE_ACCUMULATOR(idiv)

/* Two and three operands: the product cut to the size of the factors. */
#define DEFINE_PRODUCT_SIZE(bits, suffix, ...)                                                     \
	static __always_inline enum exec_result set_product##bits(                                 \
		struct vcpu *vcpu, const struct insn *insn, u##bits a, u##bits b)                  \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(SETTLE_FLAGS "imul" suffix " %[b], %[a]" TAKE_FLAGS                        \
			: [a] "+r"(a), FLAGS_OUTPUTS                                               \
			: [b] "r"(b)                                                               \
			: "cc");                                                                   \
		vcpu->cpu.arith = flags_;                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst, a);                                           \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR imul2_rr##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return set_product##bits(vcpu, insn, GPR##bits(&vcpu->cpu, insn->dst),             \
					 GPR##bits(&vcpu->cpu, insn->src));                        \
	}                                                                                          \
	EXECUTOR imul3_rr##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return set_product##bits(vcpu, insn, GPR##bits(&vcpu->cpu, insn->src), insn->imm); \
	}                                                                                          \
	EXECUTOR imul2_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)             \
	{                                                                                          \
		return set_product##bits(vcpu, insn, GPR##bits(&vcpu->cpu, insn->dst),             \
					 *(volatile u##bits *)p);                                  \
	}                                                                                          \
	EXECUTOR imul3_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)             \
	{                                                                                          \
		return set_product##bits(vcpu, insn, *(volatile u##bits *)p, insn->imm);           \
	}                                                                                          \
	EXECUTOR imul2_rm##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, imul2_from##bits);                      \
	}                                                                                          \
	EXECUTOR imul3_rm##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, imul3_from##bits);                      \
	}

FOR_WIDE_SIZES(DEFINE_PRODUCT_SIZE)

const struct exec_forms forms_imul2 = { .fn = {
	[FORM_RR] = SIZES_WIDE(imul2, rr),
	[FORM_RM] = SIZES_WIDE(imul2, rm),
} };

const struct exec_forms forms_imul3 = { .fn = {
	[FORM_RR] = SIZES_WIDE(imul3, rr),
	[FORM_RM] = SIZES_WIDE(imul3, rm),
} };
