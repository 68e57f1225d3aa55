/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SYSCALL, SYSRET, SYSENTER, SYSEXIT (APM vol. 3 and SDM vol. 2 under these names). */
#include "core/emulate/segload.h"
#include "core/emulate/system.h"

#define STAR_SYSCALL_SHIFT 32
#define STAR_SYSRET_SHIFT 48

/* Flat code and stack of privilege dpl. x86__mode_changed() is the caller's. */
static void load_flat(struct x86_cpu *cpu, u16 cs, u16 ss, unsigned dpl, bool long_code)
{
	segload__set_flat(&cpu->seg[X86_CS], cs, dpl, true, long_code);
	segload__set_flat(&cpu->seg[X86_SS], ss, dpl, false, false);
	x86__segment_changed(cpu, X86_SS);
}

/* Unlike with all other instructions, it is TF behind these that makes the step trap. */
static void load_rflags(struct vcpu *vcpu, u64 flags)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 before = cpu->sysflags;

	x86__set_rflags(vcpu, flags);
	if (before & ~flags & RFLAGS_TF)
		cpu->shadow |= X86_SHADOW_STEP;
	else if (flags & ~before & RFLAGS_TF)
		vcpu->breakpoint_hits |= DR6_BS;
}

static enum exec_result syscall_long(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u16 cs = (cpu->star >> STAR_SYSCALL_SHIFT) & 0xfffc;
	u64 flags = x86__rflags(cpu) & ~RFLAGS_RF;

	cpu->gpr[X86_RCX] = system__next_rip(cpu, insn);
	cpu->gpr[X86_R11] = flags;
	cpu->rip = cpu->code_size == 8 ? cpu->lstar : cpu->cstar;
	load_flat(cpu, cs, cs + 8, 0, true);
	load_rflags(vcpu, flags & ~cpu->sfmask);
	return EXEC_JUMP;
}

enum exec_result system__syscall(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u16 cs = (cpu->star >> STAR_SYSCALL_SHIFT) & 0xfffc;

	if (!(cpu->efer & EFER_SCE))
		return x86__raise_ud(vcpu);
	if (likely(cpu->code_size == 8))
		return syscall_long(vcpu, insn);
	/* Intel has it in 64-bit code only; AMD in every protected mode. */
	if (x86__is_real_like(cpu) || system__is_intel(vcpu))
		return x86__raise_ud(vcpu);
	if (cpu->long_mode)
		return syscall_long(vcpu, insn);
	cpu->gpr[X86_RCX] = system__next_rip(cpu, insn);
	cpu->rip = (u32)cpu->star;
	load_flat(cpu, cs, cs + 8, 0, false);
	x86__set_rflags(vcpu, x86__rflags(cpu) & ~(RFLAGS_IF | RFLAGS_VM | RFLAGS_RF));
	return EXEC_JUMP;
}

/* R11 bits that SYSRET takes over: all that exist but VM and RF. */
#define SYSRET_FLAGS 0x3c7fd5ULL

enum exec_result system__sysret(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u16 base = cpu->star >> STAR_SYSRET_SHIFT;
	bool to_long = cpu->code_size == 8 && insn->opsize == 8;
	u64 rip = to_long ? cpu->gpr[X86_RCX] : (u32)cpu->gpr[X86_RCX];

	if (!(cpu->efer & EFER_SCE) || unlikely(cpu->code_size != 8 && system__is_intel(vcpu)))
		return x86__raise_ud(vcpu);
	if (!x86__is_protected(cpu))
		return x86__raise_gp(vcpu, 0);
	SYSTEM_NEED_CPL0(vcpu);
	/* AMD faults at the target, in the outer level; Intel here. */
	if (unlikely(to_long && !system__is_canonical(cpu, rip) && system__is_intel(vcpu)))
		return x86__raise_gp(vcpu, 0);
	cpu->rip = rip;
	load_flat(cpu, (to_long ? base + 16 : base) | 3, (base + 8) | 3, 3, to_long);
	if (cpu->long_mode)
		load_rflags(vcpu, cpu->gpr[X86_R11] & SYSRET_FLAGS);
	else
		x86__set_rflags(vcpu, x86__rflags(cpu) | RFLAGS_IF);
	return EXEC_JUMP;
}

/* AMD has SYSENTER and SYSEXIT in legacy mode only (APM vol. 3, SYSENTER). */
static bool lacks_sysenter(const struct vcpu *vcpu)
{
	return vcpu->cpu.long_mode && !system__is_intel(vcpu);
}

enum exec_result system__sysenter(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u16 cs = cpu->sysenter_cs & 0xfffc;
	bool wide = cpu->long_mode;

	if (lacks_sysenter(vcpu))
		return x86__raise_ud(vcpu);
	if (!x86__is_protected(cpu) || !cs)
		return x86__raise_gp(vcpu, 0);
	cpu->rip = wide ? cpu->sysenter_eip : (u32)cpu->sysenter_eip;
	cpu->gpr[X86_RSP] = wide ? cpu->sysenter_esp : (u32)cpu->sysenter_esp;
	load_flat(cpu, cs, cs + 8, 0, wide);
	x86__set_rflags(vcpu, x86__rflags(cpu) & ~(RFLAGS_IF | RFLAGS_VM | RFLAGS_RF));
	return EXEC_JUMP;
}

enum exec_result system__sysexit(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u16 cs = cpu->sysenter_cs & 0xfffc;
	bool wide = cpu->code_size == 8 && insn->opsize == 8;
	u64 rip = cpu->gpr[X86_RDX], rsp = cpu->gpr[X86_RCX];

	if (lacks_sysenter(vcpu))
		return cpu->cpl ? x86__raise_gp(vcpu, 0) : x86__raise_ud(vcpu);
	if (!x86__is_protected(cpu) || cpu->cpl || !cs)
		return x86__raise_gp(vcpu, 0);
	if (wide && !(system__is_canonical(cpu, rip) && system__is_canonical(cpu, rsp)))
		return x86__raise_gp(vcpu, 0);
	cpu->rip = wide ? rip : (u32)rip;
	cpu->gpr[X86_RSP] = wide ? rsp : (u32)rsp;
	cs += wide ? 32 : 16;
	load_flat(cpu, cs | 3, (cs + 8) | 3, 3, wide);
	x86__mode_changed(vcpu);
	return EXEC_JUMP;
}
