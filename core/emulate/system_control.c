/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control and debug registers, the machine status word, XCR0. */
#include "core/emulate/system.h"
#include "include/x86/cpuid.h"
#include "include/x86/paging.h"

/* MOV CR0 with LOCK is MOV CR8 on AMD: for code that is not 64-bit (APM vol. 3, MOV CRn). */
static unsigned control_register(const struct vcpu *vcpu, const struct insn *insn)
{
	if ((insn->flags & INSN_LOCK) && !insn->reg &&
	    cpuid__has(&vcpu->cpuid, FEAT_CR8_LEGACY))
		return 8;
	return insn->flags & INSN_LOCK ? 1 : insn->reg;
}

static bool is_control_register(unsigned cr)
{
	return cr == 0 || (cr >= 2 && cr <= 4) || cr == 8;
}

enum exec_result system__mov_from_cr(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned cr = control_register(vcpu, insn);
	u64 value;

	if (!is_control_register(cr))
		return x86__raise_ud(vcpu);
	SYSTEM_NEED_CPL0(vcpu);
	switch (cr) {
	case 0:
		value = cpu->cr0;
		break;
	case 2:
		value = cpu->cr2;
		break;
	case 3:
		value = cpu->cr3;
		break;
	case 4:
		value = cpu->cr4;
		break;
	default:
		value = x86__get_cr8(vcpu);
		break;
	}
	system__write_gpr(cpu, insn->rm, cpu->code_size == 8 ? 8 : 4, value);
	return EXEC_NEXT;
}

enum exec_result system__mov_to_cr(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned cr = control_register(vcpu, insn);
	u64 value = cpu->gpr[insn->rm];
	int refused = 0;

	if (!is_control_register(cr))
		return x86__raise_ud(vcpu);
	SYSTEM_NEED_CPL0(vcpu);
	if (cpu->code_size != 8)
		value = (u32)value;
	switch (cr) {
	case 0:
		refused = x86__set_cr0(vcpu, value);
		break;
	case 2:
		cpu->cr2 = value;
		return EXEC_NEXT;
	case 3:
		refused = x86__set_cr3(vcpu, value);
		break;
	case 4:
		refused = x86__set_cr4(vcpu, value);
		break;
	default:
		refused = x86__set_cr8(vcpu, value);
		break;
	}
	if (refused)
		return x86__raise_gp(vcpu, 0);
	x86__mode_changed(vcpu);
	return EXEC_STOP;
}

/*
 * The checks that both directions share: DR4 and DR5 are DR6 and DR7 unless CR4.DE, and DR7.GD
 * traps every access (SDM vol. 3, 17.2).
 */
static enum exec_result check_dr(struct vcpu *vcpu, const struct insn *insn, unsigned *dr)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	*dr = insn->reg;
	if (*dr > 7)
		return x86__raise_ud(vcpu);
	SYSTEM_NEED_CPL0(vcpu);
	if ((*dr == 4 || *dr == 5) && (cpu->cr4 & CR4_DE))
		return x86__raise_ud(vcpu);
	if (*dr == 4 || *dr == 5)
		*dr += 2;
	if (vcpu__debug_register(vcpu, 7) & DR7_GD) /* a debugger's, too */
		return x86__raise_debug(vcpu, DR6_BD);
	return EXEC_NEXT;
}

enum exec_result system__mov_from_dr(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned dr;
	enum exec_result r = check_dr(vcpu, insn, &dr);
	u64 value;

	if (r != EXEC_NEXT)
		return r;
	value = dr == 6 ? cpu->dr6 : dr == 7 ? cpu->dr7 : cpu->dr[dr & 3];
	system__write_gpr(cpu, insn->rm, cpu->code_size == 8 ? 8 : 4, value);
	return EXEC_NEXT;
}

/* Bits that software can set; all others are fixed. */
#define DR6_WRITABLE 0xe00fULL
#define DR7_WRITABLE 0xffff23ffULL

enum exec_result system__mov_to_dr(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 value = cpu->gpr[insn->rm];
	unsigned dr;
	enum exec_result r = check_dr(vcpu, insn, &dr);

	if (r != EXEC_NEXT)
		return r;
	if (cpu->code_size != 8)
		value = (u32)value;
	if (dr >= 6 && value >> 32)
		return x86__raise_gp(vcpu, 0);
	if (dr == 6) {
		cpu->dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
		return EXEC_NEXT;
	}
	if (dr == 7)
		cpu->dr7 = (value & DR7_WRITABLE) | DR7_FIXED;
	else
		cpu->dr[dr & 3] = value;
	/* Pages with a data breakpoint have no TLB entry. */
	tlb__flush_all(vcpu);
	return EXEC_STOP;
}

enum exec_result system__smsw(struct vcpu *vcpu, const struct insn *insn)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	if (cpu->cpl && (cpu->cr4 & CR4_UMIP))
		return x86__raise_gp(vcpu, 0);
	return system__write_ew(vcpu, insn, cpu->cr0);
}

enum exec_result system__lmsw(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result r;
	u16 value;

	SYSTEM_NEED_CPL0(vcpu);
	r = system__read_ew(vcpu, insn, &value);
	if (r != EXEC_NEXT)
		return r;
	/* It can set PE but not clear it. */
	if (x86__set_cr0(vcpu, (cpu->cr0 & ~(u64)(CR0_MP | CR0_EM | CR0_TS)) |
				       (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS))))
		return x86__raise_gp(vcpu, 0);
	x86__mode_changed(vcpu);
	return EXEC_STOP;
}

enum exec_result system__clts(struct vcpu *vcpu, const struct insn *insn)
{
	SYSTEM_NEED_CPL0(vcpu);
	if (x86__set_cr0(vcpu, vcpu->cpu.cr0 & ~CR0_TS))
		return x86__raise_gp(vcpu, 0);
	return EXEC_STOP;
}

enum exec_result system__xgetbv(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u32 index = cpu->gpr[X86_RCX];

	if (!(cpu->cr4 & CR4_OSXSAVE))
		return x86__raise_ud(vcpu);
	/* XCR1 tells what is in use: more than that may be told (SDM vol. 1, 13.6). */
	if (index > 1 || (index == 1 && !cpuid__has(&vcpu->cpuid, FEAT_XGETBV1)))
		return x86__raise_gp(vcpu, 0);
	cpu->gpr[X86_RAX] = (u32)cpu->xcr0;
	if (index == 1 && insn->code != 8 && system__is_intel(vcpu))
		cpu->gpr[X86_RAX] &= ~(u64)XSTATE_ZMM_MORE;
	cpu->gpr[X86_RDX] = cpu->xcr0 >> 32;
	return EXEC_NEXT;
}

enum exec_result system__xsetbv(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 value = (u32)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		return x86__raise_ud(vcpu);
	SYSTEM_NEED_CPL0(vcpu);
	if ((u32)cpu->gpr[X86_RCX] || x86__set_xcr0(vcpu, value))
		return x86__raise_gp(vcpu, 0);
	return EXEC_STOP;
}
