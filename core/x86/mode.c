/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State that follows from CR0, CR4, EFER, RFLAGS and the segments: CPL, code size, TLB view. */
#include "core/vm/vcpu.h"
#include "core/x86/segment.h"

/* Bits of RFLAGS that exist, without those that arithmetic writes and bit 1. */
#define RFLAGS_SYSTEM                                                                              \
	(RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM |     \
	 RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)

static unsigned current_privilege(const struct x86_cpu *cpu)
{
	if (!(cpu->cr0 & CR0_PE))
		return 0;
	return cpu->sysflags & RFLAGS_VM ? 3 : cpu->seg[X86_SS].dpl;
}

static enum tlb_view current_view(const struct x86_cpu *cpu)
{
	if (cpu->cpl == 3)
		return TLB_USER;
	if ((cpu->cr4 & CR4_SMAP) && !(cpu->sysflags & RFLAGS_AC))
		return TLB_KERNEL;
	return TLB_KERNEL_AC;
}

/* See struct tlb. */
static struct tlb_entry *alignment_view(struct vcpu *vcpu)
{
	struct tlb_entry *none = vcpu->tlb.none;

	if (none[0].read != TLB_NO_PAGE)
		memset(none, 0xff, sizeof(vcpu->tlb.none));
	return none;
}

static bool checks_alignment(const struct x86_cpu *cpu)
{
	return cpu->cpl == 3 && (cpu->sysflags & RFLAGS_AC) && (cpu->cr0 & CR0_AM);
}

void x86__mode_changed(struct vcpu *vcpu)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	cpu->cpl = current_privilege(cpu);
	cpu->long_mode = cpu->efer & EFER_LMA;
	vcpu->view = unlikely(checks_alignment(cpu)) ? alignment_view(vcpu) :
						       vcpu->tlb.entry[current_view(cpu)];
	if (cpu->long_mode && cpu->seg[X86_CS].l) {
		/* 64-bit code looks at no flat flag; leaving it comes through here again. */
		cpu->code_size = 8;
		return;
	}
	cpu->code_size = cpu->seg[X86_CS].db ? 4 : 2;
	for (unsigned seg = 0; seg < X86_NR_SEG; seg++)
		x86__segment_changed(cpu, seg);
}

void x86__set_rflags(struct vcpu *vcpu, u64 rflags)
{
	vcpu->cpu.arith = rflags & RFLAGS_ARITH;
	vcpu->cpu.sysflags = (rflags & RFLAGS_SYSTEM) | RFLAGS_FIXED;
	x86__mode_changed(vcpu);
}
