/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CLI, STI, PUSHF, POPF, CLAC, STAC, with IOPL and the virtual interrupt flag of CR4.VME and
 * CR4.PVI (APM vol. 2, 8.10; SDM vol. 3, 20.3 and 20.4).
 */
#include "core/emulate/frame.h"
#include "core/emulate/system.h"

/* Which flag CLI and STI work on. */
enum interrupt_flag { FLAG_IF, FLAG_VIF, FLAG_NONE };

static enum interrupt_flag governed_flag(const struct x86_cpu *cpu)
{
	if (cpu->cpl <= x86__iopl(cpu))
		return FLAG_IF;
	if (cpu->cpl == 3 && (cpu->cr4 & (x86__is_v86(cpu) ? CR4_VME : CR4_PVI)))
		return FLAG_VIF;
	return FLAG_NONE;
}

enum exec_result system__cli(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	switch (governed_flag(cpu)) {
	case FLAG_IF:
		cpu->sysflags &= ~RFLAGS_IF;
		return EXEC_NEXT;
	case FLAG_VIF:
		cpu->sysflags &= ~RFLAGS_VIF;
		return EXEC_NEXT;
	default:
		return x86__raise_gp(vcpu, 0);
	}
}

enum exec_result system__sti(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	switch (governed_flag(cpu)) {
	case FLAG_IF:
		if (cpu->sysflags & RFLAGS_IF)
			return EXEC_NEXT;
		cpu->sysflags |= RFLAGS_IF;
		cpu->shadow |= X86_SHADOW_STI;
		return EXEC_STOP;
	case FLAG_VIF:
		if (cpu->sysflags & RFLAGS_VIP)
			return x86__raise_gp(vcpu, 0);
		cpu->sysflags |= RFLAGS_VIF;
		return EXEC_NEXT;
	default:
		return x86__raise_gp(vcpu, 0);
	}
}

/* Virtual-8086 mode below IOPL 3: PUSHF and POPF trap, unless CR4.VME and 16 bits make VIF do. */
static bool is_v86_sensitive(const struct x86_cpu *cpu)
{
	return x86__is_v86(cpu) && x86__iopl(cpu) < 3;
}

static bool has_v86_extensions(const struct x86_cpu *cpu, const struct insn *insn)
{
	return (cpu->cr4 & CR4_VME) && insn->opsize == 2;
}

enum exec_result system__pushf(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 image = x86__rflags(cpu) & ~(RFLAGS_VM | RFLAGS_RF);
	struct frame_stack stack;
	enum exec_result r;

	if (unlikely(is_v86_sensitive(cpu))) {
		if (!has_v86_extensions(cpu, insn))
			return x86__raise_gp(vcpu, 0);
		image |= RFLAGS_IOPL;
		image &= ~RFLAGS_IF;
		if (image & RFLAGS_VIF)
			image |= RFLAGS_IF;
	}
	if (likely(cpu->code_size == 8 && insn->opsize == 8)) {
		r = access__write64(vcpu, vcpu->view, cpu->gpr[X86_RSP] - 8, image);
		/* The slow path raises #GP for an address that, being a stack's, gives #SS. */
		if (r == EXEC_NEXT) {
			cpu->gpr[X86_RSP] -= 8;
			return r;
		}
		if (!system__is_canonical(cpu, cpu->gpr[X86_RSP] - 8))
			return x86__raise_error(vcpu, X86_SS_FAULT, 0);
		return r;
	}
	stack = frame__current(cpu);
	r = frame__push(vcpu, &stack, &image, 1, insn->opsize);
	if (r == EXEC_NEXT)
		frame__set_sp(cpu, stack.size, stack.sp);
	return r;
}

/* POPF below IOPL 3 with CR4.VME: IF of the image goes to VIF (SDM vol. 2, POPF). */
static enum exec_result pop_v86_flags(struct vcpu *vcpu, const struct insn *insn, u64 image)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 mask = RFLAGS_ARITH | RFLAGS_DF | RFLAGS_NT | RFLAGS_TF;
	u64 flags;

	if (!has_v86_extensions(cpu, insn))
		return x86__raise_gp(vcpu, 0);
	if ((image & RFLAGS_TF) || ((image & RFLAGS_IF) && (cpu->sysflags & RFLAGS_VIP)))
		return x86__raise_gp(vcpu, 0);
	flags = (x86__rflags(cpu) & ~mask) | (image & mask);
	flags &= ~(RFLAGS_VIF | RFLAGS_RF);
	if (image & RFLAGS_IF)
		flags |= RFLAGS_VIF;
	frame__set_sp(cpu, frame__stack_size(cpu), cpu->gpr[X86_RSP] + insn->opsize);
	x86__set_rflags(vcpu, flags);
	return EXEC_STOP;
}

enum exec_result system__popf(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 mask = RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
	u64 old = cpu->sysflags, image, changed;
	enum exec_result r;

	r = frame__peek(vcpu, 0, &image, 1, insn->opsize);
	if (r != EXEC_NEXT)
		return r;
	if (unlikely(is_v86_sensitive(cpu)))
		return pop_v86_flags(vcpu, insn, image);
	if (cpu->cpl <= x86__iopl(cpu))
		mask |= RFLAGS_IF;
	if (!cpu->cpl)
		mask |= RFLAGS_IOPL;
	if (insn->opsize > 2)
		mask |= RFLAGS_AC | RFLAGS_ID;
	frame__set_sp(cpu, frame__stack_size(cpu), cpu->gpr[X86_RSP] + insn->opsize);
	cpu->arith = image & RFLAGS_ARITH;
	cpu->sysflags = (old & ~(mask | RFLAGS_RF)) | (image & mask & ~RFLAGS_ARITH);
	changed = cpu->sysflags ^ old;
	if (changed & RFLAGS_AC)
		x86__mode_changed(vcpu);
	return changed & (RFLAGS_TF | RFLAGS_IF | RFLAGS_AC) ? EXEC_STOP : EXEC_NEXT;
}

/* These two open and close user memory to the kernel around every copy: just the view changes. */
enum exec_result system__clac(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (cpu->cpl)
		return x86__raise_ud(vcpu);
	cpu->sysflags &= ~RFLAGS_AC;
	if (cpu->cr4 & CR4_SMAP)
		vcpu->view = vcpu->tlb.entry[TLB_KERNEL];
	return EXEC_NEXT;
}

enum exec_result system__stac(struct vcpu *vcpu, const struct insn *insn)
{
	if (vcpu->cpu.cpl)
		return x86__raise_ud(vcpu);
	vcpu->cpu.sysflags |= RFLAGS_AC;
	vcpu->view = vcpu->tlb.entry[TLB_KERNEL_AC];
	return EXEC_NEXT;
}
