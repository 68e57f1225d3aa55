/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The executors of system instructions, by name, for core/decode/rows_system.c, and what they
 * share.
 *
 * They look at insn->modrm, reg, rm and INSN_MEM rather than at dst and src: a 16-bit selector in
 * memory and a register of the operand size stand in the same rows.
 */
#ifndef CORE_EMULATE_SYSTEM_H
#define CORE_EMULATE_SYSTEM_H

#include "core/emulate/emulate.h"

/* system_sreg.c: segment registers */
exec_fn system__mov_from_sreg;
exec_fn system__mov_to_sreg;
exec_fn system__push_sreg; /* the register is told by the opcode */
exec_fn system__pop_sreg;
exec_fn system__load_far_pointer; /* LES, LDS, LSS, LFS, LGS */

/* system_table.c: descriptor tables */
exec_fn system__sldt;
exec_fn system__str;
exec_fn system__lldt;
exec_fn system__ltr;
exec_fn system__sgdt;
exec_fn system__sidt;
exec_fn system__lgdt;
exec_fn system__lidt;

/* system_query.c: questions about selectors */
exec_fn system__lar;
exec_fn system__lsl;
exec_fn system__verr;
exec_fn system__verw;
exec_fn system__arpl;

/* system_control.c: control and debug registers */
exec_fn system__mov_from_cr;
exec_fn system__mov_to_cr;
exec_fn system__mov_from_dr;
exec_fn system__mov_to_dr;
exec_fn system__smsw;
exec_fn system__lmsw;
exec_fn system__clts;
exec_fn system__xgetbv;
exec_fn system__xsetbv;

/* system_msr.c: MSRs, time, identification, FS and GS bases */
exec_fn system__rdmsr;
exec_fn system__wrmsr;
exec_fn system__rdtsc;
exec_fn system__rdtscp;
exec_fn system__rdpmc;
exec_fn system__rdpid;
exec_fn system__cpuid;
exec_fn system__swapgs;
exec_fn system__rdfsbase;
exec_fn system__rdgsbase;
exec_fn system__wrfsbase;
exec_fn system__wrgsbase;

/* system_cache.c: caches, translations, waiting, and the world outside */
exec_fn system__invd; /* also WBINVD, WBNOINVD */
exec_fn system__invlpg;
exec_fn system__invpcid;
exec_fn system__hlt;
exec_fn system__monitor;
exec_fn system__mwait;
exec_fn system__hypercall;
exec_fn system__rsm;

/* system_flags.c */
exec_fn system__cli;
exec_fn system__sti;
exec_fn system__pushf;
exec_fn system__popf;
exec_fn system__clac;
exec_fn system__stac;

/* system_int.c, iret.c */
exec_fn system__int;
exec_fn system__int3;
exec_fn system__into;
exec_fn system__int1;
exec_fn system__iret;

/* far.c */
exec_fn system__far_jmp; /* pointer in the instruction, or in memory */
exec_fn system__far_call;
exec_fn system__far_ret;

/* syscall.c */
exec_fn system__syscall;
exec_fn system__sysret;
exec_fn system__sysenter;
exec_fn system__sysexit;

/* port.c, port_string.c */
exec_fn system__in;
exec_fn system__out;
exec_fn system__ins;
exec_fn system__outs;

/* ---- shared ---- */

/* EXEC_NEXT if SIZE bytes at a port may be accessed at this privilege, else #GP(0) is raised. */
enum exec_result port__check(struct vcpu *vcpu, u16 port, unsigned size);
/* io__port_in() and io__port_out() without that check, which string instructions do beforehand. */
enum exec_result port__read(struct vcpu *vcpu, u16 port, unsigned size, u32 *value);
enum exec_result port__write(struct vcpu *vcpu, u16 port, unsigned size, u32 value);

/* The guest's CPU says that it is none of AMD's or Hygon's: corners of system instructions differ by vendor. */
static inline bool system__is_intel(const struct vcpu *vcpu)
{
	return vcpu->cpuid.intel;
}

/* access__*()'s `how` for the instruction's memory operand: a bad address may be #SS. */
static inline unsigned system__operand_how(const struct insn *insn)
{
	return insn->seg == X86_SS ? ACCESS_STACK : 0;
}

/* For accesses and RIP; what registers take is up to cpuid__is_canonical(). */
static inline bool system__is_canonical(const struct x86_cpu *cpu, u64 address)
{
	unsigned shift = cpu->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(address << shift) >> shift) == address;
}

/* #GP(0) where a privileged instruction is executed at another level than 0. */
#define SYSTEM_NEED_CPL0(vcpu)                                                                     \
	do {                                                                                       \
		if (unlikely((vcpu)->cpu.cpl))                                                     \
			return x86__raise_gp(vcpu, 0);                                             \
	} while (0)

/* The address behind the instruction, cut to the code size. */
static inline u64 system__next_rip(const struct x86_cpu *cpu, const struct insn *insn)
{
	u64 rip = cpu->rip + insn->len;

	return cpu->code_size == 8 ? rip : cpu->code_size == 4 ? (u32)rip : (u16)rip;
}

/* Writes a general register as an instruction of that operand size does. */
static inline void system__write_gpr(struct x86_cpu *cpu, unsigned reg, unsigned size, u64 value)
{
	if (size == 8)
		cpu->gpr[reg] = value;
	else if (size == 4)
		cpu->gpr[reg] = (u32)value;
	else
		*(u16 *)&cpu->gpr[reg] = value;
}

/* The r/m16 operand. */
static inline enum exec_result system__read_ew(struct vcpu *vcpu, const struct insn *insn,
					       u16 *value)
{
	enum exec_result r;
	u64 linear;

	if (!(insn->flags & INSN_MEM)) {
		*value = vcpu->cpu.gpr[insn->rm];
		return EXEC_NEXT;
	}
	r = emulate__operand(vcpu, insn, 2, false, &linear);
	return r == EXEC_NEXT ? access__read(vcpu, linear, value, 2, system__operand_how(insn)) : r;
}

/* Writes a word to memory, or value zero-extended to a register of the operand size. */
static inline enum exec_result system__write_ew(struct vcpu *vcpu, const struct insn *insn,
						u64 value)
{
	enum exec_result r;
	u16 word = value;
	u64 linear;

	if (!(insn->flags & INSN_MEM)) {
		system__write_gpr(&vcpu->cpu, insn->rm, insn->opsize, value);
		return EXEC_NEXT;
	}
	r = emulate__operand(vcpu, insn, 2, true, &linear);
	if (r != EXEC_NEXT)
		return r;
	return access__write(vcpu, linear, &word, 2, system__operand_how(insn));
}

#endif
