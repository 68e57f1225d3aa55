/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decimal adjustment (SDM vol. 2). None of these exists in 64-bit code, so the host can't execute
 * them; the flags that the manual leaves undefined come out as the pseudo-code's additions do.
 */
#include "core/emulate/operand.h"

/* SF, ZF and PF of a byte. */
static u64 flags_of_byte(u8 value)
{
	u64 flags = value & RFLAGS_SF;

	if (!value)
		flags |= RFLAGS_ZF;
	if (!__builtin_parity(value))
		flags |= RFLAGS_PF;
	return flags;
}

static bool low_digit_overflows(const struct x86_cpu *cpu)
{
	return (GPR8(cpu, OFF_AL) & 15) > 9 || cpu->arith & RFLAGS_AF;
}

static enum exec_result adjust_ascii(struct vcpu *vcpu, int al, int ah)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	bool adjust = low_digit_overflows(cpu);

	if (adjust) {
		/* AAA and AAS carry from AL into AH (on processors since the 80286). */
		SET_GPR16(cpu, OFF_RAX, (u16)(GPR16(cpu, OFF_RAX) + al + ah * 256));
	}
	SET_GPR8(cpu, OFF_AL, GPR8(cpu, OFF_AL) & 15);
	cpu->arith = flags_of_byte(GPR8(cpu, OFF_AL)) | (adjust ? RFLAGS_AF | RFLAGS_CF : 0);
	return EXEC_NEXT;
}

enum exec_result exec_aaa(struct vcpu *vcpu, const struct insn *insn)
{
	return adjust_ascii(vcpu, 6, 1);
}

enum exec_result exec_aas(struct vcpu *vcpu, const struct insn *insn)
{
	return adjust_ascii(vcpu, -6, -1);
}

/* DAA (sign 1) and DAS (sign -1). */
static enum exec_result adjust_decimal(struct vcpu *vcpu, int sign)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u8 old = GPR8(cpu, OFF_AL), al = old;
	bool carry_in = cpu->arith & RFLAGS_CF;
	u64 flags = 0;

	if (low_digit_overflows(cpu)) {
		flags |= RFLAGS_AF;
		/* The carry or borrow of this step counts. */
		if (carry_in || (sign > 0 ? old > 0xf9 : old < 6))
			flags |= RFLAGS_CF;
		al += sign * 6;
	}
	if (old > 0x99 || carry_in) {
		al += sign * 0x60;
		flags |= RFLAGS_CF;
	} else if (sign > 0) {
		flags &= ~RFLAGS_CF;
	}
	SET_GPR8(cpu, OFF_AL, al);
	cpu->arith = flags | flags_of_byte(al);
	return EXEC_NEXT;
}

enum exec_result exec_daa(struct vcpu *vcpu, const struct insn *insn)
{
	return adjust_decimal(vcpu, 1);
}

enum exec_result exec_das(struct vcpu *vcpu, const struct insn *insn)
{
	return adjust_decimal(vcpu, -1);
}

enum exec_result exec_aam(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u8 al = GPR8(cpu, OFF_AL), base = insn->imm;

	if (!base)
		return x86__raise(vcpu, X86_DE);
	SET_GPR16(cpu, OFF_RAX, (u16)((al / base) << 8 | al % base));
	cpu->arith = flags_of_byte(al % base);
	return EXEC_NEXT;
}

enum exec_result exec_aad(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u8 al = GPR8(cpu, OFF_AL) + GPR8(cpu, OFF_AH) * (u8)insn->imm;

	SET_GPR16(cpu, OFF_RAX, al);
	cpu->arith = flags_of_byte(al);
	return EXEC_NEXT;
}
