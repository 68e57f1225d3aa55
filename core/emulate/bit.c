/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single bits, bit scans and counts, CRC32. */
#include "core/emulate/operand.h"

/* BT and kin write CF; the other flags, undefined or unchanged, stay (SDM vol. 2, BT). */
static __always_inline void set_carry(struct x86_cpu *cpu, bool carry)
{
	cpu->arith = (cpu->arith & ~RFLAGS_CF) | carry;
}

/* What becomes of the operand. */
#define BIT_AFTER_bt(a, bit) ((void)(bit), (a))
#define BIT_AFTER_bts(a, bit) ((a) | (bit))
#define BIT_AFTER_btr(a, bit) ((a) & ~(bit))
#define BIT_AFTER_btc(a, bit) ((a) ^ (bit))

#define DEFINE_BIT_REGISTER(bits, suffix, op, writes)                                              \
	static __always_inline enum exec_result op##_register##bits(                               \
		struct vcpu *vcpu, const struct insn *insn, unsigned n)                            \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u##bits a = GPR##bits(cpu, insn->dst), bit;                                        \
                                                                                                   \
		n &= bits - 1;                                                                     \
		bit = (u##bits)1 << n;                                                             \
		set_carry(cpu, a >> n & 1);                                                        \
		if (writes)                                                                        \
			SET_GPR##bits(cpu, insn->dst, (u##bits)BIT_AFTER_##op(a, bit));            \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return op##_register##bits(vcpu, insn, GPR8(&vcpu->cpu, insn->src));               \
	}                                                                                          \
	EXECUTOR op##_ri##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return op##_register##bits(vcpu, insn, insn->imm);                                 \
	}

/*
 * A register bit number reaches outside of the addressed operand: the address moves by whole
 * operands, and the sum is cut to the address size (APM vol. 3, BT).
 */
#define DEFINE_BIT_ADDRESS(bits, ...)                                                              \
	static u64 bit_address##bits(struct vcpu *vcpu, const struct insn *insn)                   \
	{                                                                                          \
		s##bits n = GPR##bits(&vcpu->cpu, insn->src);                                      \
                                                                                                   \
		return insn__effective_address(&vcpu->cpu, insn) +                                 \
		       (s64)(n >> (bits == 64 ? 6 : bits == 32 ? 5 : 4)) * (bits / 8);             \
	}

FOR_WIDE_SIZES(DEFINE_BIT_ADDRESS)

#define DEFINE_BIT_MODIFY(bits, suffix, op)                                                        \
	static __always_inline enum exec_result op##_modify##bits(                                 \
		struct vcpu *vcpu, const struct insn *insn, void *p, u##bits n)                    \
	{                                                                                          \
		u##bits *m = p;                                                                    \
		bool carry;                                                                        \
                                                                                                   \
		n &= bits - 1;                                                                     \
		if (unlikely(insn->flags & INSN_LOCK))                                             \
			__asm__ volatile("lock " #op suffix " %[n], %[m]"                          \
					 : [m] "+m"(*m), "=@ccc"(carry)                            \
					 : [n] "r"(n)                                              \
					 : "memory");                                              \
		else                                                                               \
			__asm__ volatile(#op suffix " %[n], %[m]"                                  \
					 : [m] "+m"(*m), "=@ccc"(carry)                            \
					 : [n] "r"(n)                                              \
					 : "memory");                                              \
		set_carry(&vcpu->cpu, carry);                                                      \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_imm_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)            \
	{                                                                                          \
		return op##_modify##bits(vcpu, insn, p, insn->imm);                                \
	}                                                                                          \
	EXECUTOR op##_to##bits(struct vcpu *vcpu, const struct insn *insn, void *p)                \
	{                                                                                          \
		return op##_modify##bits(vcpu, insn, p, GPR##bits(&vcpu->cpu, insn->src));         \
	}                                                                                          \
	EXECUTOR op##_mi##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify(vcpu, insn, bits / 8, op##_imm_to##bits);                   \
	}                                                                                          \
	EXECUTOR op##_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__modify_at(vcpu, insn, bit_address##bits(vcpu, insn), bits / 8,     \
					  op##_to##bits);                                          \
	}

#define DEFINE_BIT_TEST(bits, ...)                                                                 \
	EXECUTOR bt_imm_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)            \
	{                                                                                          \
		set_carry(&vcpu->cpu, *(volatile u##bits *)p >> (insn->imm & (bits - 1)) & 1);     \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR bt_mi##bits(struct vcpu *vcpu, const struct insn *insn)                           \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, bt_imm_from##bits);                     \
	}                                                                                          \
	EXECUTOR bt_mr##bits(struct vcpu *vcpu, const struct insn *insn)                           \
	{                                                                                          \
		enum exec_result result;                                                           \
		u##bits a = 0;                                                                     \
		u64 linear;                                                                        \
		void *p;                                                                           \
                                                                                                   \
		result = operand__linear_at(vcpu, insn, bit_address##bits(vcpu, insn), bits / 8,   \
					    false, &linear);                                       \
		if (unlikely(result != EXEC_NEXT))                                                 \
			return result;                                                             \
		p = tlb__read(vcpu->view, linear, bits / 8);                                       \
		if (likely(p))                                                                     \
			a = *(volatile u##bits *)p;                                                \
		else                                                                               \
			result = access__read(vcpu, linear, &a, bits / 8, operand__how(insn));     \
		if (result == EXEC_NEXT)                                                           \
			set_carry(&vcpu->cpu,                                                      \
				  a >> (GPR8(&vcpu->cpu, insn->src) & (bits - 1)) & 1);            \
		return result;                                                                     \
	}

#define BIT_FORMS(op)                                                                              \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_WIDE(op, rr),                                                    \
		[FORM_RI] = SIZES_WIDE(op, ri),                                                    \
		[FORM_MR] = SIZES_WIDE(op, mr),                                                    \
		[FORM_MI] = SIZES_WIDE(op, mi),                                                    \
	} };

#define DEFINE_BIT(op)                                                                             \
	FOR_WIDE_SIZES(DEFINE_BIT_REGISTER, op, true)                                                   \
	FOR_WIDE_SIZES(DEFINE_BIT_MODIFY, op)                                                      \
	BIT_FORMS(op)

FOR_WIDE_SIZES(DEFINE_BIT_REGISTER, bt, false)
FOR_WIDE_SIZES(DEFINE_BIT_TEST)
BIT_FORMS(bt)
DEFINE_BIT(bts)
DEFINE_BIT(btr)
DEFINE_BIT(btc)

/*
 * Scans and counts. The whole destination register is handed to the host, because BSF and BSR of 0
 * leave it as it was, upper half included.
 */
#define DEFINE_SCAN_VALUE(bits, suffix, op)                                                        \
	static __always_inline void op##_set##bits(struct x86_cpu *cpu, unsigned dst, u##bits b)   \
	{                                                                                          \
		u64 a = GPR64(cpu, dst);                                                           \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(SETTLE_FLAGS #op suffix " %[b], %" OPERAND_WIDTH_##bits "[a]" TAKE_FLAGS      \
			: [a] "+r"(a), FLAGS_OUTPUTS                                               \
			: [b] "r"(b)                                                               \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
		GPR64(cpu, dst) = a;                                                               \
	}

FOR_WIDE_SIZES(DEFINE_SCAN_VALUE, bsf)
FOR_WIDE_SIZES(DEFINE_SCAN_VALUE, bsr)
FOR_WIDE_SIZES(DEFINE_SCAN_VALUE, popcnt)
FOR_WIDE_SIZES(DEFINE_SCAN_VALUE, tzcnt)
FOR_WIDE_SIZES(DEFINE_SCAN_VALUE, lzcnt)

/* The encodings of TZCNT and LZCNT are BSF and BSR with an ignored F3 to a CPU without them. */
#define DEFINE_SCAN_CHOICE(bits, suffix, op, feature, otherwise)                                   \
	static __always_inline void op##_choose##bits(struct vcpu *vcpu, unsigned dst, u##bits b)  \
	{                                                                                          \
		if (likely(cpuid__has(&vcpu->cpuid, feature)))                                     \
			op##_set##bits(&vcpu->cpu, dst, b);                                        \
		else                                                                               \
			otherwise##_set##bits(&vcpu->cpu, dst, b);                                 \
	}

FOR_WIDE_SIZES(DEFINE_SCAN_CHOICE, bsf, FEAT_BASE, bsf)
FOR_WIDE_SIZES(DEFINE_SCAN_CHOICE, bsr, FEAT_BASE, bsr)
FOR_WIDE_SIZES(DEFINE_SCAN_CHOICE, popcnt, FEAT_BASE, popcnt)
FOR_WIDE_SIZES(DEFINE_SCAN_CHOICE, tzcnt, FEAT_BMI1, bsf)
FOR_WIDE_SIZES(DEFINE_SCAN_CHOICE, lzcnt, FEAT_ABM, bsr)

#define DEFINE_SCAN_SIZE(bits, suffix, op)                                                         \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		op##_choose##bits(vcpu, insn->dst, GPR##bits(&vcpu->cpu, insn->src));              \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		op##_choose##bits(vcpu, insn->dst, *(volatile u##bits *)p);                        \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rm##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_from##bits);                       \
	}

#define DEFINE_SCAN(op)                                                                            \
	FOR_WIDE_SIZES(DEFINE_SCAN_SIZE, op)                                                       \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_WIDE(op, rr),                                                    \
		[FORM_RM] = SIZES_WIDE(op, rm),                                                    \
	} };

DEFINE_SCAN(bsf)
DEFINE_SCAN(bsr)
DEFINE_SCAN(popcnt)
DEFINE_SCAN(tzcnt)
DEFINE_SCAN(lzcnt)

/* The checksum register is 32 bits wide, named by 64 with a 64-bit source; the rest is cleared. */
#define CRC_WIDTH_8 "k"
#define CRC_WIDTH_16 "k"
#define CRC_WIDTH_32 "k"
#define CRC_WIDTH_64 "q"
#define DEFINE_CRC32(bits, suffix, ...)                                                            \
	static __always_inline enum exec_result crc32_with##bits(                                  \
		struct vcpu *vcpu, const struct insn *insn, u##bits b)                             \
	{                                                                                          \
		u64 crc = (u32)vcpu->cpu.gpr[insn->reg];                                           \
                                                                                                   \
		__asm__("crc32" suffix " %[b], %" CRC_WIDTH_##bits "[crc]"                         \
			: [crc] "+r"(crc)                                                          \
			: [b] "r"(b));                                                             \
		vcpu->cpu.gpr[insn->reg] = crc;                                                    \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR crc32_rr##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return crc32_with##bits(vcpu, insn, GPR##bits(&vcpu->cpu, insn->src));             \
	}                                                                                          \
	EXECUTOR crc32_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)             \
	{                                                                                          \
		return crc32_with##bits(vcpu, insn, *(volatile u##bits *)p);                       \
	}                                                                                          \
	EXECUTOR crc32_rm##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, crc32_from##bits);                      \
	}

FOR_ALL_SIZES(DEFINE_CRC32)

const struct exec_forms forms_crc32 = { .fn = {
	[FORM_RR] = SIZES_ALL(crc32, rr),
	[FORM_RM] = SIZES_ALL(crc32, rm),
} };
