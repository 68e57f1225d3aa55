/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves, extensions, conditional moves and sets, and the single flag instructions. */
#include "core/emulate/operand.h"
#include "core/emulate/condition.h"

#define DEFINE_MOV(bits, ...)                                                                      \
	EXECUTOR mov_rr##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst, GPR##bits(&vcpu->cpu, insn->src));            \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR mov_ri##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst, insn->imm);                                   \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR mov_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)               \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst, *(volatile u##bits *)p);                      \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR mov_rm##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, mov_from##bits);                        \
	}                                                                                          \
	EXECUTOR mov_mr##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		return operand__write##bits(vcpu, insn, GPR##bits(&vcpu->cpu, insn->src));         \
	}                                                                                          \
	EXECUTOR mov_mi##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		return operand__write##bits(vcpu, insn, insn->imm);                                \
	}

FOR_ALL_SIZES(DEFINE_MOV)

const struct exec_forms forms_mov = { .fn = {
	[FORM_RR] = SIZES_ALL(mov, rr),
	[FORM_RI] = SIZES_ALL(mov, ri),
	[FORM_RM] = SIZES_ALL(mov, rm),
	[FORM_MR] = SIZES_ALL(mov, mr),
	[FORM_MI] = SIZES_ALL(mov, mi),
} };

/* The accumulator and an address that stands in the instruction. */
#define DEFINE_MOFFS(bits, ...)                                                                    \
	EXECUTOR mov_moffs_rm##bits(struct vcpu *vcpu, const struct insn *insn)                    \
	{                                                                                          \
		enum exec_result result;                                                           \
		u##bits value;                                                                     \
		u64 linear;                                                                        \
                                                                                                   \
		result = operand__linear_at(vcpu, insn, insn->imm, bits / 8, false, &linear);      \
		if (result == EXEC_NEXT)                                                           \
			result = access__read##bits(vcpu, vcpu->view, linear, &value);             \
		if (result == EXEC_NEXT)                                                           \
			SET_GPR##bits(&vcpu->cpu, OFF_RAX, value);                                 \
		return result;                                                                     \
	}                                                                                          \
	EXECUTOR mov_moffs_mr##bits(struct vcpu *vcpu, const struct insn *insn)                    \
	{                                                                                          \
		enum exec_result result;                                                           \
		u64 linear;                                                                        \
                                                                                                   \
		result = operand__linear_at(vcpu, insn, insn->imm, bits / 8, true, &linear);       \
		if (unlikely(result != EXEC_NEXT))                                                 \
			return result;                                                             \
		return access__write##bits(vcpu, vcpu->view, linear,                               \
					   GPR##bits(&vcpu->cpu, OFF_RAX));                        \
	}

FOR_ALL_SIZES(DEFINE_MOFFS)

const struct exec_forms forms_mov_moffs = { .fn = {
	[FORM_RM] = SIZES_ALL(mov_moffs, rm),
	[FORM_MR] = SIZES_ALL(mov_moffs, mr),
} };

#define DEFINE_LEA(bits, ...)                                                                      \
	EXECUTOR lea_rm##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst, insn__effective_address(&vcpu->cpu, insn));   \
		return EXEC_NEXT;                                                                  \
	}

FOR_WIDE_SIZES(DEFINE_LEA)

const struct exec_forms forms_lea = { .fn = { [FORM_RM] = SIZES_WIDE(lea, rm) } };

/* Extension of a source of `from` bits; `type` is signed where the sign is extended. */
#define DEFINE_EXTEND_SIZE(bits, suffix, op, from, type)                                           \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst,                                               \
			      (u##bits)(type)GPR##from(&vcpu->cpu, insn->src));                    \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst, (u##bits)*(volatile type *)p);                \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR op##_rm##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, sizeof(type), op##_from##bits);                   \
	}

#define EXTEND_FORMS(op)                                                                           \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_WIDE(op, rr),                                                    \
		[FORM_RM] = SIZES_WIDE(op, rm),                                                    \
	} };

#define DEFINE_EXTEND(op, from, type)                                                              \
	FOR_WIDE_SIZES(DEFINE_EXTEND_SIZE, op, from, type)                                         \
	EXTEND_FORMS(op)

DEFINE_EXTEND(movzx8, 8, u8)
DEFINE_EXTEND(movzx16, 16, u16)
DEFINE_EXTEND(movsx8, 8, s8)
DEFINE_EXTEND(movsx16, 16, s16)

/*
 * MOVSXD without REX.W is a plain move of the operand size, but AMD's processors always read four
 * bytes of memory.
 */
EXECUTOR movsxd_rr16(struct vcpu *vcpu, const struct insn *insn)
{
	SET_GPR16(&vcpu->cpu, insn->dst, GPR16(&vcpu->cpu, insn->src));
	return EXEC_NEXT;
}

EXECUTOR movsxd_from16(struct vcpu *vcpu, const struct insn *insn, void *p)
{
	SET_GPR16(&vcpu->cpu, insn->dst, *(volatile u16 *)p);
	return EXEC_NEXT;
}

EXECUTOR movsxd_rm16(struct vcpu *vcpu, const struct insn *insn)
{
	return operand__read(vcpu, insn, vcpu->cpuid.intel ? 2 : 4, movsxd_from16);
}

DEFINE_EXTEND_SIZE(32, , movsxd, 32, u32)
DEFINE_EXTEND_SIZE(64, , movsxd, 32, s32)
EXTEND_FORMS(movsxd)

#define DEFINE_MOVBE(bits, ...)                                                                    \
	EXECUTOR movbe_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)             \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, insn->dst, __builtin_bswap##bits(*(volatile u##bits *)p)); \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR movbe_rm##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, movbe_from##bits);                      \
	}                                                                                          \
	EXECUTOR movbe_mr##bits(struct vcpu *vcpu, const struct insn *insn)                        \
	{                                                                                          \
		return operand__write##bits(vcpu, insn,                                            \
					    __builtin_bswap##bits(GPR##bits(&vcpu->cpu,            \
								    insn->src)));                  \
	}

FOR_WIDE_SIZES(DEFINE_MOVBE)

const struct exec_forms forms_movbe = { .fn = {
	[FORM_RM] = SIZES_WIDE(movbe, rm),
	[FORM_MR] = SIZES_WIDE(movbe, mr),
} };

/* BSWAP with a 16-bit operand is undefined: whatever the host makes of it. */
static enum exec_result bswap_rr16(struct vcpu *vcpu, const struct insn *insn)
{
	u64 a = GPR64(&vcpu->cpu, insn->dst);

	/* 66 0F C8: data16 bswap %eax */
	__asm__(".byte 0x66, 0x0f, 0xc8" : "+a"(a));
	GPR64(&vcpu->cpu, insn->dst) = a;
	return EXEC_NEXT;
}

static enum exec_result bswap_rr32(struct vcpu *vcpu, const struct insn *insn)
{
	SET_GPR32(&vcpu->cpu, insn->dst, __builtin_bswap32(GPR32(&vcpu->cpu, insn->dst)));
	return EXEC_NEXT;
}

static enum exec_result bswap_rr64(struct vcpu *vcpu, const struct insn *insn)
{
	SET_GPR64(&vcpu->cpu, insn->dst, __builtin_bswap64(GPR64(&vcpu->cpu, insn->dst)));
	return EXEC_NEXT;
}

const struct exec_forms forms_bswap = { .fn = { [FORM_RR] = SIZES_WIDE(bswap, rr) } };

/* The sign of the lower half of the accumulator into its upper half; of all of it into rDX. */
#define DEFINE_SIGN(bits, half)                                                                    \
	EXECUTOR cbw_rr##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, OFF_RAX, (s##bits)(s##half)vcpu->cpu.gpr[X86_RAX]);      \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR cwd_rr##bits(struct vcpu *vcpu, const struct insn *insn)                          \
	{                                                                                          \
		SET_GPR##bits(&vcpu->cpu, OFF_RDX,                                                 \
			      (s##bits)vcpu->cpu.gpr[X86_RAX] < 0 ? ~(u##bits)0 : 0);              \
		return EXEC_NEXT;                                                                  \
	}

DEFINE_SIGN(16, 8)
DEFINE_SIGN(32, 16)
DEFINE_SIGN(64, 32)

const struct exec_forms forms_cbw = { .fn = { [FORM_RR] = SIZES_WIDE(cbw, rr) } };
const struct exec_forms forms_cwd = { .fn = { [FORM_RR] = SIZES_WIDE(cwd, rr) } };

/* CMOVcc always reads its source and, with 32 bits, always writes its destination. */
#define DEFINE_CMOV_SIZE(bits, suffix, cc)                                                         \
	EXECUTOR cmov_##cc##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                  \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		unsigned from = condition__##cc(cpu->arith) ? insn->src : insn->dst;               \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst, GPR##bits(cpu, from));                               \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR cmov_##cc##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)       \
	{                                                                                          \
		struct x86_cpu *cpu = &vcpu->cpu;                                                  \
		u##bits b = *(volatile u##bits *)p;                                                \
		u##bits a = GPR##bits(cpu, insn->dst);                                             \
                                                                                                   \
		SET_GPR##bits(cpu, insn->dst, condition__##cc(cpu->arith) ? b : a);                \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR cmov_##cc##_rm##bits(struct vcpu *vcpu, const struct insn *insn)                  \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, cmov_##cc##_from##bits);                \
	}

#define DEFINE_CONDITIONAL(cc)                                                                     \
	FOR_WIDE_SIZES(DEFINE_CMOV_SIZE, cc)                                                       \
	const struct exec_forms forms_cmov_##cc = { .fn = {                                        \
		[FORM_RR] = SIZES_WIDE(cmov_##cc, rr),                                             \
		[FORM_RM] = SIZES_WIDE(cmov_##cc, rm),                                             \
	} };                                                                                       \
	EXECUTOR set_##cc##_rr(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		SET_GPR8(&vcpu->cpu, insn->dst, condition__##cc(vcpu->cpu.arith));                 \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	EXECUTOR set_##cc##_mr(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__write8(vcpu, insn, condition__##cc(vcpu->cpu.arith));              \
	}                                                                                          \
	const struct exec_forms forms_set_##cc = { .fn = {                                         \
		[FORM_RR] = { set_##cc##_rr },                                                     \
		[FORM_MR] = { set_##cc##_mr },                                                     \
	} };

CONDITIONS(DEFINE_CONDITIONAL)

enum exec_result exec_xlat(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	u64 linear;
	u8 value;

	result = operand__linear_at(vcpu, insn, cpu->gpr[X86_RBX] + GPR8(cpu, OFF_AL), 1, false,
				    &linear);
	if (result == EXEC_NEXT)
		result = access__read8(vcpu, vcpu->view, linear, &value);
	if (result == EXEC_NEXT)
		SET_GPR8(cpu, OFF_AL, value);
	return result;
}

#define LAHF_FLAGS (RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF | RFLAGS_CF)

enum exec_result exec_lahf(struct vcpu *vcpu, const struct insn *insn)
{
	if (insn->code == 8 && !cpuid__has(&vcpu->cpuid, FEAT_LAHF_LM))
		return x86__raise_ud(vcpu);
	SET_GPR8(&vcpu->cpu, OFF_AH, (vcpu->cpu.arith & LAHF_FLAGS) | RFLAGS_FIXED);
	return EXEC_NEXT;
}

enum exec_result exec_sahf(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (insn->code == 8 && !cpuid__has(&vcpu->cpuid, FEAT_LAHF_LM))
		return x86__raise_ud(vcpu);
	cpu->arith = (cpu->arith & RFLAGS_OF) | (GPR8(cpu, OFF_AH) & LAHF_FLAGS);
	return EXEC_NEXT;
}

enum exec_result exec_salc(struct vcpu *vcpu, const struct insn *insn)
{
	SET_GPR8(&vcpu->cpu, OFF_AL, vcpu->cpu.arith & RFLAGS_CF ? 0xff : 0);
	return EXEC_NEXT;
}

enum exec_result exec_clc(struct vcpu *vcpu, const struct insn *insn)
{
	vcpu->cpu.arith &= ~RFLAGS_CF;
	return EXEC_NEXT;
}

enum exec_result exec_stc(struct vcpu *vcpu, const struct insn *insn)
{
	vcpu->cpu.arith |= RFLAGS_CF;
	return EXEC_NEXT;
}

enum exec_result exec_cmc(struct vcpu *vcpu, const struct insn *insn)
{
	vcpu->cpu.arith ^= RFLAGS_CF;
	return EXEC_NEXT;
}

enum exec_result exec_cld(struct vcpu *vcpu, const struct insn *insn)
{
	vcpu->cpu.sysflags &= ~RFLAGS_DF;
	return EXEC_NEXT;
}

enum exec_result exec_std(struct vcpu *vcpu, const struct insn *insn)
{
	vcpu->cpu.sysflags |= RFLAGS_DF;
	return EXEC_NEXT;
}
