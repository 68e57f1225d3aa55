/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSRs, time-stamp and performance counters, CPUID, and the bases of FS and GS. */
#include "core/emulate/system.h"

static void set_edx_eax(struct x86_cpu *cpu, u64 value)
{
	cpu->gpr[X86_RAX] = (u32)value;
	cpu->gpr[X86_RDX] = value >> 32;
}

enum exec_result system__rdmsr(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r;
	u64 value;

	SYSTEM_NEED_CPL0(vcpu);
	r = vcpu__rdmsr(vcpu, vcpu->cpu.gpr[X86_RCX], &value);
	if (r == EXEC_NEXT)
		set_edx_eax(&vcpu->cpu, value);
	return r;
}

enum exec_result system__wrmsr(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result r;

	SYSTEM_NEED_CPL0(vcpu);
	r = vcpu__wrmsr(vcpu, cpu->gpr[X86_RCX],
			(u32)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32);
	if (r != EXEC_NEXT)
		return r;
	x86__mode_changed(vcpu);
	return EXEC_STOP;
}

static bool is_time_forbidden(const struct x86_cpu *cpu)
{
	return cpu->cpl && (cpu->cr4 & CR4_TSD);
}

enum exec_result system__rdtsc(struct vcpu *vcpu, const struct insn *insn)
{
	if (is_time_forbidden(&vcpu->cpu))
		return x86__raise_gp(vcpu, 0);
	set_edx_eax(&vcpu->cpu, x86__guest_tsc(vcpu));
	return EXEC_NEXT;
}

enum exec_result system__rdtscp(struct vcpu *vcpu, const struct insn *insn)
{
	if (is_time_forbidden(&vcpu->cpu))
		return x86__raise_gp(vcpu, 0);
	set_edx_eax(&vcpu->cpu, x86__guest_tsc(vcpu));
	vcpu->cpu.gpr[X86_RCX] = (u32)vcpu->cpu.tsc_aux;
	return EXEC_NEXT;
}

enum exec_result system__rdpmc(struct vcpu *vcpu, const struct insn *insn)
{
	/* No counter is offered: whatever the privilege, the index names none. */
	return x86__raise_gp(vcpu, 0);
}

enum exec_result system__rdpid(struct vcpu *vcpu, const struct insn *insn)
{
	system__write_gpr(&vcpu->cpu, insn->rm, insn->code == 8 ? 8 : 4,
			  (u32)vcpu->cpu.tsc_aux);
	return EXEC_NEXT;
}

enum exec_result system__cpuid(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u32 out[4];

	cpuid__query(vcpu, cpu->gpr[X86_RAX], cpu->gpr[X86_RCX], out);
	cpu->gpr[X86_RAX] = out[0];
	cpu->gpr[X86_RBX] = out[1];
	cpu->gpr[X86_RCX] = out[2];
	cpu->gpr[X86_RDX] = out[3];
	return EXEC_NEXT;
}

enum exec_result system__swapgs(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 base = cpu->seg[X86_GS].base;

	SYSTEM_NEED_CPL0(vcpu);
	cpu->seg[X86_GS].base = cpu->kernel_gs_base;
	cpu->kernel_gs_base = base;
	return EXEC_NEXT;
}

static enum exec_result read_base(struct vcpu *vcpu, const struct insn *insn, enum x86_segreg seg)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (!(cpu->cr4 & CR4_FSGSBASE))
		return x86__raise_ud(vcpu);
	system__write_gpr(cpu, insn->rm, insn->opsize, cpu->seg[seg].base);
	return EXEC_NEXT;
}

/* Intel's processors go by the paging mode, AMD's by all the bits they have, as both do for the MSRs. */
static bool is_good_base(const struct vcpu *vcpu, u64 value)
{
	if (system__is_intel(vcpu))
		return system__is_canonical(&vcpu->cpu, value);
	return cpuid__is_canonical(&vcpu->cpuid, value);
}

static enum exec_result write_base(struct vcpu *vcpu, const struct insn *insn, enum x86_segreg seg)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 value = cpu->gpr[insn->rm];

	if (!(cpu->cr4 & CR4_FSGSBASE))
		return x86__raise_ud(vcpu);
	if (insn->opsize != 8)
		value = (u32)value;
	else if (!is_good_base(vcpu, value))
		return x86__raise_gp(vcpu, 0);
	cpu->seg[seg].base = value;
	return EXEC_NEXT;
}

enum exec_result system__rdfsbase(struct vcpu *vcpu, const struct insn *insn)
{
	return read_base(vcpu, insn, X86_FS);
}

enum exec_result system__rdgsbase(struct vcpu *vcpu, const struct insn *insn)
{
	return read_base(vcpu, insn, X86_GS);
}

enum exec_result system__wrfsbase(struct vcpu *vcpu, const struct insn *insn)
{
	return write_base(vcpu, insn, X86_FS);
}

enum exec_result system__wrgsbase(struct vcpu *vcpu, const struct insn *insn)
{
	return write_base(vcpu, insn, X86_GS);
}
