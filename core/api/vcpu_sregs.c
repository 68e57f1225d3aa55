/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments, descriptor tables and control registers (api.rst 4.13, 4.14, 4.131, 4.132). */
#include "core/api/table.h"
#include "core/irqchip/irqchip.h"
#include "core/memory/walk.h"
#include "core/x86/segment.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define CR4_DEFINED                                                                                \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |  \
	 CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE |            \
	 CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE)
#define EFER_DEFINED                                                                               \
	(EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_SVME | EFER_LMSLE | EFER_FFXSR | EFER_TCE | \
	 EFER_AIBRSE)

static void get_segment(const struct x86_segment *seg, struct kvm_segment *out)
{
	*out = (struct kvm_segment){
		.base = seg->base,
		.limit = seg->limit,
		.selector = seg->selector,
		.type = seg->type,
		.present = seg->present,
		.dpl = seg->dpl,
		.db = seg->db,
		.s = seg->s,
		.l = seg->l,
		.g = seg->g,
		.avl = seg->avl,
		.unusable = seg->unusable || !seg->present,
	};
}

static void set_segment(struct x86_segment *seg, const struct kvm_segment *in)
{
	*seg = (struct x86_segment){
		.base = in->base,
		.limit = in->limit,
		.selector = in->selector,
		.type = in->type & 15,
		.present = (in->present & 1) && !in->unusable,
		.dpl = in->dpl & 3,
		.db = in->db & 1,
		.s = in->s & 1,
		.l = in->l & 1,
		.g = in->g & 1,
		.avl = in->avl & 1,
		.unusable = in->unusable,
	};
}

/* The fields that struct kvm_sregs and struct kvm_sregs2 begin with are the same. */
static void get_common(struct vcpu *vcpu, struct kvm_sregs *s)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	get_segment(&cpu->seg[X86_CS], &s->cs);
	get_segment(&cpu->seg[X86_DS], &s->ds);
	get_segment(&cpu->seg[X86_ES], &s->es);
	get_segment(&cpu->seg[X86_FS], &s->fs);
	get_segment(&cpu->seg[X86_GS], &s->gs);
	get_segment(&cpu->seg[X86_SS], &s->ss);
	get_segment(&cpu->tr, &s->tr);
	get_segment(&cpu->ldtr, &s->ldt);
	s->gdt.base = cpu->gdt.base;
	s->gdt.limit = cpu->gdt.limit;
	s->idt.base = cpu->idt.base;
	s->idt.limit = cpu->idt.limit;
	s->cr0 = cpu->cr0;
	s->cr2 = cpu->cr2;
	s->cr3 = cpu->cr3;
	s->cr4 = cpu->cr4;
	s->cr8 = x86__get_cr8(vcpu);
	s->efer = cpu->efer;
	s->apic_base = lapic__get_base(vcpu);
}

void vcpu__get_sregs(struct vcpu *vcpu, struct kvm_sregs *s)
{
	memset(s, 0, sizeof(*s));
	get_common(vcpu, s);
	if (vcpu->interrupt_injected && !vcpu->interrupt_soft)
		s->interrupt_bitmap[vcpu->interrupt_vector / 64] |=
			BIT64(vcpu->interrupt_vector % 64);
}

static bool valid_cr4(const struct vcpu *vcpu, u64 cr4)
{
	static const struct {
		u64 bit;
		enum x86_feature feature;
	} needs[] = {
		{ CR4_UMIP, FEAT_UMIP },       { CR4_LA57, FEAT_LA57 },	 { CR4_PCIDE, FEAT_PCID },
		{ CR4_OSXSAVE, FEAT_XSAVE },   { CR4_SMEP, FEAT_SMEP },	 { CR4_SMAP, FEAT_SMAP },
		{ CR4_FSGSBASE, FEAT_FSGSBASE }, { CR4_PKE, FEAT_PKU },
	};
	unsigned i;

	if (cr4 & ~CR4_DEFINED)
		return false;
	for (i = 0; i < ARRAY_LENGTH(needs); i++)
		if ((cr4 & needs[i].bit) && !cpuid__has(&vcpu->cpuid, needs[i].feature))
			return false;
	return true;
}

static bool valid_cr0(u64 cr0)
{
	if (cr0 & ~CR0_DEFINED)
		return false;
	if ((cr0 & CR0_NW) && !(cr0 & CR0_CD))
		return false;
	return !(cr0 & CR0_PG) || (cr0 & CR0_PE);
}

static u64 physical_limit(const struct vcpu *vcpu)
{
	u32 bits = vcpu->cpuid.max_phys_bits;

	return BIT64(bits ? bits : 36);
}

static bool valid_sregs(const struct vcpu *vcpu, const struct kvm_sregs *s)
{
	if (s->efer & ~EFER_DEFINED)
		return false;
	if ((s->efer & EFER_LME) && (s->cr0 & CR0_PG)) {
		/* Long mode, be it 64-bit or compatibility (APM vol. 2, 14.6.1). */
		if (!(s->cr4 & CR4_PAE) || !(s->efer & EFER_LMA))
			return false;
		if ((s->cr3 & ~CR3_NOFLUSH) >= physical_limit(vcpu))
			return false;
	} else if ((s->efer & EFER_LMA) || s->cs.l) {
		return false;
	}
	return valid_cr4(vcpu, s->cr4) && valid_cr0(s->cr0);
}

static bool is_reset_state(const struct vcpu *vcpu, const struct kvm_sregs *s)
{
	return vcpu->id == vcpu->vm->bsp_id && vcpu->cpu.rip == 0xfff0 &&
	       s->cs.selector == 0xf000 && s->cs.base == 0xffff0000 && !(s->cr0 & CR0_PE);
}

static int set_common(struct vcpu *vcpu, const struct kvm_sregs *s)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned seg;

	if (!valid_sregs(vcpu, s) || lapic__set_base_host(vcpu, s->apic_base))
		return -EINVAL;
	if (x86__set_cr8(vcpu, s->cr8))
		return -EINVAL;
	set_segment(&cpu->seg[X86_CS], &s->cs);
	set_segment(&cpu->seg[X86_DS], &s->ds);
	set_segment(&cpu->seg[X86_ES], &s->es);
	set_segment(&cpu->seg[X86_FS], &s->fs);
	set_segment(&cpu->seg[X86_GS], &s->gs);
	set_segment(&cpu->seg[X86_SS], &s->ss);
	set_segment(&cpu->tr, &s->tr);
	set_segment(&cpu->ldtr, &s->ldt);
	cpu->gdt = (struct x86_dtable){ .base = s->gdt.base, .limit = s->gdt.limit };
	cpu->idt = (struct x86_dtable){ .base = s->idt.base, .limit = s->idt.limit };
	cpu->cr0 = s->cr0 | CR0_ET;
	cpu->cr2 = s->cr2;
	cpu->cr3 = s->cr3;
	cpu->cr4 = s->cr4;
	cpu->efer = s->efer;
	for (seg = 0; seg < X86_NR_SEG; seg++)
		x86__segment_changed(cpu, seg);
	x86__mode_changed(vcpu);
	/* A VMM that resets the boot processor by its registers means it to run. */
	if (is_reset_state(vcpu, s))
		__atomic_store_n(&vcpu->mp_state, KVM_MP_STATE_RUNNABLE, __ATOMIC_RELAXED);
	return 0;
}

static void flush_translations(struct vcpu *vcpu)
{
	tlb__flush_all(vcpu);
	if (vcpu->vm->engine->state_changed)
		vcpu->vm->engine->state_changed(vcpu);
}

static bool uses_pdptes(const struct vcpu *vcpu)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	return (cpu->cr0 & CR0_PG) && (cpu->cr4 & CR4_PAE) && !(cpu->efer & EFER_LMA);
}

static void load_pdptes(struct vcpu *vcpu)
{
	vm__enter_guest(vcpu);
	/* Reserved bits are found when they are used, as nothing can be faulted here. */
	(void)walk__load_pdptes(vcpu, vcpu->cpu.cr3);
	vm__leave_guest(vcpu);
}

int vcpu__set_sregs(struct vcpu *vcpu, const struct kvm_sregs *s)
{
	int rc = set_common(vcpu, s);
	unsigned i;

	if (rc)
		return rc;
	if (uses_pdptes(vcpu))
		load_pdptes(vcpu);
	flush_translations(vcpu);
	for (i = 0; i < 256; i++) {
		if (!(s->interrupt_bitmap[i / 64] >> (i % 64) & 1))
			continue;
		vcpu->interrupt_injected = true;
		vcpu->interrupt_soft = false;
		vcpu->interrupt_vector = i;
		break;
	}
	return 0;
}

s64 api__get_sregs(struct api_call *call)
{
	vcpu__get_sregs(call->vcpu, call->data);
	return 0;
}

s64 api__set_sregs(struct api_call *call)
{
	return vcpu__set_sregs(call->vcpu, call->data);
}

s64 api__get_sregs2(struct api_call *call)
{
	struct vcpu *vcpu = call->vcpu;
	struct kvm_sregs2 *s = call->data;
	struct kvm_sregs common;

	memset(&common, 0, sizeof(common));
	get_common(vcpu, &common);
	memcpy(s, &common, offsetof(struct kvm_sregs2, flags));
	if (uses_pdptes(vcpu)) {
		memcpy(s->pdptrs, vcpu->cpu.pdpte, sizeof(s->pdptrs));
		s->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	}
	return 0;
}

s64 api__set_sregs2(struct api_call *call)
{
	const struct kvm_sregs2 *s = call->data;
	bool has_pdptes = s->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	struct vcpu *vcpu = call->vcpu;
	struct kvm_sregs common;
	int rc;

	if (s->flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (has_pdptes && (!(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE) || (s->efer & EFER_LMA)))
		return -EINVAL;
	memset(&common, 0, sizeof(common));
	memcpy(&common, s, offsetof(struct kvm_sregs2, flags));
	rc = set_common(vcpu, &common);
	if (rc)
		return rc;
	if (has_pdptes)
		memcpy(vcpu->cpu.pdpte, s->pdptrs, sizeof(s->pdptrs));
	else if (uses_pdptes(vcpu))
		load_pdptes(vcpu);
	flush_translations(vcpu);
	return 0;
}

_Static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == offsetof(struct kvm_sregs2, flags),
	       "the common part of both structures");
