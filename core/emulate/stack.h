/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack as near instructions use it: SP, ESP or RSP by code size and SS.B (APM vol. 2, 4.7.3),
 * with the checks of SS, and nothing committed before the access has succeeded.
 */
#ifndef CORE_EMULATE_STACK_H
#define CORE_EMULATE_STACK_H

#include "core/emulate/operand.h"

/* Which bits of RSP are the stack pointer. */
static __always_inline u64 stack__mask(const struct x86_cpu *cpu, const struct insn *insn)
{
	if (likely(insn->code == 8))
		return ~0ULL;
	return cpu->seg[X86_SS].db ? 0xffffffffULL : 0xffffULL;
}

/* Writes the stack pointer: a 16-bit one leaves the upper bits of RSP. */
static __always_inline void stack__set_pointer(struct x86_cpu *cpu, const struct insn *insn,
					       u64 sp)
{
	u64 mask = stack__mask(cpu, insn);

	if (mask == 0xffff)
		SET_GPR16(cpu, X86_RSP * 8, sp);
	else
		cpu->gpr[X86_RSP] = sp & mask;
}

/* Access to size bytes at stack address sp, which is cut to the pointer's width. */
enum exec_result stack__read(struct vcpu *vcpu, const struct insn *insn, u64 sp, unsigned size,
			     u64 *value);
enum exec_result stack__write(struct vcpu *vcpu, const struct insn *insn, u64 sp, unsigned size,
			      u64 value);
/* Whether size bytes at sp could be written, without writing. */
enum exec_result stack__probe(struct vcpu *vcpu, const struct insn *insn, u64 sp, unsigned size);
/* A whole push, for every mode; the value is cut to size. */
enum exec_result stack__push_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				  u64 value);

/* Pushes 8 bytes in 64-bit code. */
static __always_inline enum exec_result stack__push64(struct vcpu *vcpu, const struct insn *insn,
						      u64 value)
{
	u64 sp = vcpu->cpu.gpr[X86_RSP] - 8;
	struct tlb_entry *e = tlb__slot(vcpu->view, sp);

	if (likely(((sp + 7) & PAGE_MASK_4K) == e->write)) {
		*(volatile u64 *)tlb__host(e, sp) = value;
		vcpu->cpu.gpr[X86_RSP] = sp;
		return EXEC_NEXT;
	}
	return stack__push_slow(vcpu, insn, 8, value);
}

#endif
