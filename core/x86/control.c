/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing control registers, EFER and XCR0: what is refused, and what follows from a change
 * (APM vol. 2 ch. 3, 5.3, 14.4; SDM vol. 3, 2.5, 4.1, 9.8).
 */
#include "core/irqchip/irqchip.h"
#include "core/memory/walk.h"
#include "core/vm/vm.h"
#include "include/x86/cpuid.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
/* Changes that load the PAE pointers anew (SDM vol. 3, 4.4.1). */
#define CR0_PDPTE_BITS (CR0_PG | CR0_CD | CR0_NW)
#define CR4_PDPTE_BITS (CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP)
/* Changes after which no translation may be used, global or not. */
#define CR0_TLB_BITS (CR0_PG | CR0_WP)
#define CR4_TLB_BITS                                                                               \
	(CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_LA57 | CR4_PCIDE)

#define TSS_TYPE_BUSY 11

static bool has(const struct vcpu *vcpu, enum x86_feature feature)
{
	return cpuid__has(&vcpu->cpuid, feature);
}

static void flush(struct vcpu *vcpu, enum engine_flush kind)
{
	const struct engine_ops *engine = vcpu->vm->engine;

	if (kind == ENGINE_FLUSH_ALL)
		tlb__flush_all(vcpu);
	else
		tlb__flush_non_global(vcpu);
	if (engine->flush)
		engine->flush(vcpu, kind, 0);
}

/* PAE paging outside of long mode, where the four pointers are part of the register state. */
static bool is_pae_paging(const struct x86_cpu *cpu, u64 cr0, u64 cr4)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(cpu->efer & EFER_LME);
}

/* What CR0.PG may become, with LME and CS as they are (APM vol. 2, 14.6.2; SDM vol. 3, 9.8.5). */
static bool is_paging_change_valid(const struct x86_cpu *cpu, u64 cr0)
{
	if (cr0 & CR0_PG) {
		if ((cpu->cr0 & CR0_PG) || !(cpu->efer & EFER_LME))
			return true;
		return (cpu->cr4 & CR4_PAE) && !cpu->seg[X86_CS].l;
	}
	if (cpu->cr4 & CR4_PCIDE)
		return false;
	return !((cpu->efer & EFER_LMA) && cpu->seg[X86_CS].l);
}

/* EFER.LMA follows LME and PG. */
static void update_long_mode(struct x86_cpu *cpu)
{
	bool active = (cpu->efer & EFER_LME) && (cpu->cr0 & CR0_PG);

	/* In long mode there is but one kind of task-state segment. */
	if (active && !(cpu->efer & EFER_LMA))
		cpu->tr.type = TSS_TYPE_BUSY;
	cpu->efer = active ? cpu->efer | EFER_LMA : cpu->efer & ~EFER_LMA;
}

int x86__set_cr0(struct vcpu *vcpu, u64 value)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 old = cpu->cr0;

	if (value >> 32)
		return 1;
	/* Undefined bits in the low half are ignored, ET reads as 1. */
	value = (value & CR0_DEFINED) | CR0_ET;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return 1;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return 1;
	if (!is_paging_change_valid(cpu, value))
		return 1;
	if (is_pae_paging(cpu, value, cpu->cr4) && ((value ^ old) & CR0_PDPTE_BITS) &&
	    walk__load_pdptes(vcpu, cpu->cr3))
		return 1;

	cpu->cr0 = value;
	update_long_mode(cpu);
	if ((value ^ old) & CR0_TLB_BITS)
		flush(vcpu, ENGINE_FLUSH_ALL);
	x86__mode_changed(vcpu);
	return 0;
}

int x86__set_cr3(struct vcpu *vcpu, u64 value)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	/*
	 * The TLB has no PCID tags, so NOFLUSH is a permission not used: what was cached under
	 * another PCID must not be seen.
	 */
	if (cpu->cr4 & CR4_PCIDE)
		value &= ~CR3_NOFLUSH;
	if (value >> vcpu->cpuid.max_phys_bits)
		return 1;
	if (is_pae_paging(cpu, cpu->cr0, cpu->cr4) && walk__load_pdptes(vcpu, value))
		return 1;
	cpu->cr3 = value;
	flush(vcpu, ENGINE_FLUSH_NON_GLOBAL);
	return 0;
}

/* The bits of CR4 that this guest's CPUID defines. */
static u64 cr4_defined(const struct vcpu *vcpu)
{
	u64 defined = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE |
		      CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	static const struct {
		u64 bit;
		u8 feature;
	} conditional[] = {
		{ CR4_UMIP, FEAT_UMIP },   { CR4_LA57, FEAT_LA57 },   { CR4_FSGSBASE, FEAT_FSGSBASE },
		{ CR4_PCIDE, FEAT_PCID },  { CR4_OSXSAVE, FEAT_XSAVE }, { CR4_SMEP, FEAT_SMEP },
		{ CR4_SMAP, FEAT_SMAP },   { CR4_PKE, FEAT_PKU },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(conditional); i++)
		if (has(vcpu, conditional[i].feature))
			defined |= conditional[i].bit;
	return defined;
}

int x86__set_cr4(struct vcpu *vcpu, u64 value)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 changed = value ^ cpu->cr4;

	if (value & ~cr4_defined(vcpu))
		return 1;
	if (cpu->efer & EFER_LMA) {
		if (!(value & CR4_PAE) || (changed & CR4_LA57))
			return 1;
	} else if (is_pae_paging(cpu, cpu->cr0, value) && (changed & CR4_PDPTE_BITS) &&
		   walk__load_pdptes(vcpu, cpu->cr3)) {
		return 1;
	}
	/* PCIDs start from PCID 0, in long mode (SDM vol. 3, 4.10.1). */
	if ((value & changed & CR4_PCIDE) &&
	    ((cpu->cr3 & CR3_PCID_MASK) || !(cpu->efer & EFER_LMA)))
		return 1;

	cpu->cr4 = value;
	if (changed & CR4_TLB_BITS)
		flush(vcpu, ENGINE_FLUSH_ALL);
	x86__mode_changed(vcpu);
	return 0;
}

int x86__set_cr8(struct vcpu *vcpu, u64 value)
{
	if (value & ~0xfULL)
		return 1;
	if (vcpu->lapic)
		lapic__set_tpr(vcpu, value);
	else
		vcpu->run->cr8 = value;
	return 0;
}

u64 x86__get_cr8(struct vcpu *vcpu)
{
	return vcpu->lapic ? lapic__get_tpr(vcpu) & 0xf : vcpu->run->cr8 & 0xf;
}

/* Bits of EFER that some guest here may have; SVME, LMSLE and TCE are nobody's. */
static u64 efer_possible(void)
{
	u64 bits = EFER_SCE;

	if (cpuid__can_give(FEAT_LM))
		bits |= EFER_LME | EFER_LMA;
	if (cpuid__can_give(FEAT_NX))
		bits |= EFER_NX;
	if (cpuid__can_give(FEAT_FFXSR))
		bits |= EFER_FFXSR;
	if (cpuid__can_give(FEAT_AUTO_IBRS))
		bits |= EFER_AIBRSE;
	return bits;
}

static void commit_efer(struct vcpu *vcpu, u64 value)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 changed = value ^ cpu->efer;

	/* LMA is the processor's to write. */
	cpu->efer = (value & ~EFER_LMA) | (cpu->efer & EFER_LMA);
	if (changed & EFER_NX)
		flush(vcpu, ENGINE_FLUSH_ALL);
	x86__mode_changed(vcpu);
}

int x86__set_efer_host(struct vcpu *vcpu, u64 value)
{
	if (value & ~efer_possible())
		return 1;
	commit_efer(vcpu, value);
	return 0;
}

int x86__set_efer(struct vcpu *vcpu, u64 value)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 defined = efer_possible();

	if (!has(vcpu, FEAT_LM))
		defined &= ~(EFER_LME | EFER_LMA);
	if (!has(vcpu, FEAT_NX))
		defined &= ~EFER_NX;
	if (!has(vcpu, FEAT_FFXSR))
		defined &= ~EFER_FFXSR;
	if (!has(vcpu, FEAT_AUTO_IBRS))
		defined &= ~EFER_AIBRSE;
	if (value & ~defined)
		return 1;
	if ((cpu->cr0 & CR0_PG) && ((value ^ cpu->efer) & EFER_LME))
		return 1;
	commit_efer(vcpu, value);
	return 0;
}

int x86__set_xcr0(struct vcpu *vcpu, u64 value)
{
	if (!(value & XSTATE_X87))
		return 1;
	if ((value & XSTATE_AVX) && !(value & XSTATE_SSE))
		return 1;
	if ((value & XSTATE_AVX512) &&
	    (!(value & XSTATE_AVX) || (value & XSTATE_AVX512) != XSTATE_AVX512))
		return 1;
	if (value & ~(vcpu->cpuid.xcr0_allowed | XSTATE_X87))
		return 1;
	vcpu->cpu.xcr0 = value;
	x86__mode_changed(vcpu);
	return 0;
}
