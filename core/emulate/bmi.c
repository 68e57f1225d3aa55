/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BMI1 and BMI2 (APM vol. 3): three-operand instructions on VEX-encoded registers. The operand E is
 * modrm.rm: a register, or memory.
 */
#include "core/emulate/operand.h"

/* Both operand forms of an instruction whose work op_apply##bits() does on the value of E. */
#define DEFINE_FORMS_SIZE(bits, suffix, op)                                                        \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		op##_apply##bits(&vcpu->cpu, insn, vcpu->cpu.gpr[insn->rm]);                       \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		op##_apply##bits(&vcpu->cpu, insn, *(volatile u##bits *)p);                        \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rm##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_from##bits);                       \
	}

#define FOR_Y_SIZES(X, ...) X(32, "l", __VA_ARGS__) X(64, "q", __VA_ARGS__)

#define DEFINE_FORMS(op)                                                                           \
	FOR_Y_SIZES(DEFINE_FORMS_SIZE, op)                                                         \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_YWIDE(op, rr),                                                   \
		[FORM_RM] = SIZES_YWIDE(op, rm),                                                   \
	} };

/* reg = vvvv op E, with flags: ANDN. */
#define DEFINE_ANDN(bits, suffix, op)                                                              \
	static __always_inline void op##_apply##bits(struct x86_cpu *cpu, const struct insn *insn, \
						     u##bits e)                                    \
	{                                                                                          \
		u##bits v = cpu->gpr[insn->vvvv];                                                  \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(SETTLE_FLAGS #op suffix " %[e], %[v], %[v]" TAKE_FLAGS                     \
			: [v] "+r"(v), FLAGS_OUTPUTS                                               \
			: [e] "r"(e)                                                               \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
		cpu->gpr[insn->reg] = v;                                                           \
	}

/* reg = E op vvvv, with flags: BEXTR, BZHI. */
#define DEFINE_CONTROLLED(bits, suffix, op)                                                        \
	static __always_inline void op##_apply##bits(struct x86_cpu *cpu, const struct insn *insn, \
						     u##bits e)                                    \
	{                                                                                          \
		u##bits v = cpu->gpr[insn->vvvv];                                                  \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(SETTLE_FLAGS #op suffix " %[v], %[e], %[e]" TAKE_FLAGS                     \
			: [e] "+r"(e), FLAGS_OUTPUTS                                               \
			: [v] "r"(v)                                                               \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
		cpu->gpr[insn->reg] = e;                                                           \
	}

/* vvvv = op E, with flags: BLSI, BLSMSK, BLSR. */
#define DEFINE_LOWEST(bits, suffix, op)                                                            \
	static __always_inline void op##_apply##bits(struct x86_cpu *cpu, const struct insn *insn, \
						     u##bits e)                                    \
	{                                                                                          \
		FLAGS_LOCALS;                                                                      \
                                                                                                   \
		__asm__(SETTLE_FLAGS #op suffix " %[e], %[e]" TAKE_FLAGS                           \
			: [e] "+r"(e), FLAGS_OUTPUTS                                               \
			:                                                                          \
			: "cc");                                                                   \
		cpu->arith = flags_;                                                               \
		cpu->gpr[insn->vvvv] = e;                                                          \
	}

/* reg = E shifted by vvvv, no flags. */
#define DEFINE_SHIFTX(bits, suffix, op)                                                            \
	static __always_inline void op##_apply##bits(struct x86_cpu *cpu, const struct insn *insn, \
						     u##bits e)                                    \
	{                                                                                          \
		u##bits count = cpu->gpr[insn->vvvv];                                              \
                                                                                                   \
		__asm__(#op suffix " %[count], %[e], %[e]" : [e] "+r"(e) : [count] "r"(count));    \
		cpu->gpr[insn->reg] = e;                                                           \
	}

/* reg = vvvv op E, no flags: PDEP, PEXT. */
#define DEFINE_MASKED(bits, suffix, op)                                                            \
	static __always_inline void op##_apply##bits(struct x86_cpu *cpu, const struct insn *insn, \
						     u##bits e)                                    \
	{                                                                                          \
		u##bits v = cpu->gpr[insn->vvvv];                                                  \
                                                                                                   \
		__asm__(#op suffix " %[e], %[v], %[v]" : [v] "+r"(v) : [e] "r"(e));                \
		cpu->gpr[insn->reg] = v;                                                           \
	}

FOR_Y_SIZES(DEFINE_ANDN, andn)
FOR_Y_SIZES(DEFINE_CONTROLLED, bextr)
FOR_Y_SIZES(DEFINE_CONTROLLED, bzhi)
FOR_Y_SIZES(DEFINE_LOWEST, blsi)
FOR_Y_SIZES(DEFINE_LOWEST, blsmsk)
FOR_Y_SIZES(DEFINE_LOWEST, blsr)
FOR_Y_SIZES(DEFINE_SHIFTX, sarx)
FOR_Y_SIZES(DEFINE_SHIFTX, shlx)
FOR_Y_SIZES(DEFINE_SHIFTX, shrx)
FOR_Y_SIZES(DEFINE_MASKED, pdep)
FOR_Y_SIZES(DEFINE_MASKED, pext)

/* reg:vvvv = RDX * E. The high half is written last: it stands if both are one register. */
static __always_inline void mulx_apply32(struct x86_cpu *cpu, const struct insn *insn, u32 e)
{
	u64 product = (u64)GPR32(cpu, OFF_RDX) * e;

	cpu->gpr[insn->vvvv] = (u32)product;
	cpu->gpr[insn->reg] = product >> 32;
}

static __always_inline void mulx_apply64(struct x86_cpu *cpu, const struct insn *insn, u64 e)
{
	u128 product = (u128)cpu->gpr[X86_RDX] * e;

	cpu->gpr[insn->vvvv] = (u64)product;
	cpu->gpr[insn->reg] = product >> 64;
}

static __always_inline void rorx_apply32(struct x86_cpu *cpu, const struct insn *insn, u32 e)
{
	unsigned n = insn->imm & 31;

	cpu->gpr[insn->reg] = (u32)(e >> n | e << (-n & 31));
}

static __always_inline void rorx_apply64(struct x86_cpu *cpu, const struct insn *insn, u64 e)
{
	unsigned n = insn->imm & 63;

	cpu->gpr[insn->reg] = e >> n | e << (-n & 63);
}

DEFINE_FORMS(andn)
DEFINE_FORMS(bextr)
DEFINE_FORMS(blsi)
DEFINE_FORMS(blsmsk)
DEFINE_FORMS(blsr)
DEFINE_FORMS(bzhi)
DEFINE_FORMS(mulx)
DEFINE_FORMS(pdep)
DEFINE_FORMS(pext)
DEFINE_FORMS(rorx)
DEFINE_FORMS(sarx)
DEFINE_FORMS(shlx)
DEFINE_FORMS(shrx)

/*
 * ADCX and ADOX (ADX): dst += E + one flag, which is the only one written. The carry is
 * kept in CF or in OF.
 */
#define DEFINE_ADX(bits, suffix, op, flag)                                                         \
	static __always_inline void op##_sum##bits(struct x86_cpu *cpu, const struct insn *insn,   \
						   u##bits e)                                      \
	{                                                                                          \
		u##bits partial, sum, a = GPR##bits(cpu, insn->dst);                               \
		bool carry;                                                                        \
                                                                                                   \
		carry = __builtin_add_overflow(a, e, &partial);                                    \
		carry |= __builtin_add_overflow(partial, (u##bits)!!(cpu->arith & (flag)), &sum);  \
		cpu->arith = (cpu->arith & ~(flag)) | (carry ? (flag) : 0);                        \
		SET_GPR##bits(cpu, insn->dst, sum);                                                \
	}                                                                                          \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		op##_sum##bits(&vcpu->cpu, insn, GPR##bits(&vcpu->cpu, insn->src));                \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		op##_sum##bits(&vcpu->cpu, insn, *(volatile u##bits *)p);                          \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rm##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_from##bits);                       \
	}

#define ADX_FORMS(op, flag)                                                                        \
	FOR_Y_SIZES(DEFINE_ADX, op, flag)                                                          \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_YWIDE(op, rr),                                                   \
		[FORM_RM] = SIZES_YWIDE(op, rm),                                                   \
	} };

ADX_FORMS(adcx, RFLAGS_CF)
ADX_FORMS(adox, RFLAGS_OF)
