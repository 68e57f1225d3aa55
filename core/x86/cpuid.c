/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One vCPU's CPUID: what user space set, and what the instruction answers (APM vol. 3 app. E). */
#include "core/x86/cpuid.h"
#include "core/irqchip/irqchip.h"
#include "core/vm/vm.h"
#include "core/x86/xstate.h"
#include "include/x86/cpuid.h"
#include "include/x86/kvm_para.h"
#include "include/x86/msr.h"

static const struct kvm_cpuid_entry2 *find_entry(const struct x86_cpuid *cpuid, u32 leaf,
						 u32 subleaf)
{
	u32 i;

	for (i = 0; i < cpuid->count; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entry[i];

		if (e->function == leaf &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == subleaf))
			return e;
	}
	return NULL;
}

static u32 entry_register(const struct kvm_cpuid_entry2 *e, unsigned reg)
{
	const u32 r[4] = { e->eax, e->ebx, e->ecx, e->edx };

	return r[reg];
}

static bool is_intel_vendor(u32 ebx)
{
	return ebx != 0x68747541 && ebx != 0x6f677948; /* "Auth", "Hygo" */
}

/* KVM's leaves stand at 40000000H, or higher when user space put another interface there. */
static const struct kvm_cpuid_entry2 *find_kvm_features(const struct x86_cpuid *cpuid)
{
	u32 base;

	for (base = KVM_CPUID_SIGNATURE; base < KVM_CPUID_SIGNATURE + 0x10000; base += 0x100) {
		const struct kvm_cpuid_entry2 *e = find_entry(cpuid, base, 0);

		if (e && e->ebx == 0x4b4d564b && e->ecx == 0x564b4d56 && e->edx == 0x4d)
			return find_entry(cpuid, base + 1, 0);
	}
	return NULL;
}

static void set_feature(struct x86_cpuid *cpuid, unsigned feature)
{
	cpuid->features[feature / 64] |= BIT64(feature % 64);
}

static u32 physical_bits(const struct x86_cpuid *cpuid)
{
	const struct kvm_cpuid_entry2 *max = find_entry(cpuid, CPUID_EXT_MAX, 0);
	const struct kvm_cpuid_entry2 *e = find_entry(cpuid, CPUID_ADDRESS_SIZES, 0);

	if (!max || max->eax < CPUID_ADDRESS_SIZES || !e)
		return 36; /* SDM vol. 2, CPUID: without the leaf */
	return MIN_OF(MAX_OF(e->eax & 0xff, 32), 52);
}

/*
 * A feature the host side can't give stays off whatever user space says: hardware would answer
 * with #UD, and so does the instruction then.
 */
static void derive_features(struct x86_cpuid *cpuid)
{
	const struct kvm_cpuid_entry2 *e;
	unsigned f;

	memset(cpuid->features, 0, sizeof(cpuid->features));
	set_feature(cpuid, FEAT_BASE);
	for (f = FEAT_BASE + 1; f < NR_FEATURES; f++) {
		const struct x86_feature_bit *b = &x86_feature_bits[f];

		e = find_entry(cpuid, b->leaf, b->subleaf);
		if (e && (entry_register(e, b->reg) >> b->bit & 1) && cpuid__can_give(f))
			set_feature(cpuid, f);
	}
	cpuid->xcr0_allowed = 0;
	e = find_entry(cpuid, CPUID_XSTATE, 0);
	if (e && cpuid__has(cpuid, FEAT_XSAVE))
		cpuid->xcr0_allowed = (e->eax | (u64)e->edx << 32) & cpuid__supported_xcr0();
	cpuid->max_phys_bits = physical_bits(cpuid);
	e = find_kvm_features(cpuid);
	cpuid->kvm_features = e ? e->eax : 0;
	e = find_entry(cpuid, CPUID_VENDOR, 0);
	cpuid->intel = e && is_intel_vendor(e->ebx);
}

void cpuid__init(struct vcpu *vcpu)
{
	struct x86_cpuid *cpuid = &vcpu->cpuid;
	u32 r[4];
	unsigned f;

	memset(cpuid, 0, sizeof(*cpuid));
	for (f = 0; f < NR_FEATURES; f++)
		if (cpuid__can_give(f))
			set_feature(cpuid, f);
	cpuid->xcr0_allowed = cpuid__supported_xcr0();
	host__cpuid(CPUID_ADDRESS_SIZES, 0, r);
	cpuid->max_phys_bits = MIN_OF(MAX_OF(r[CPUID_EAX] & 0xff, 46), 52);
	host__cpuid(CPUID_VENDOR, 0, r);
	cpuid->intel = is_intel_vendor(r[CPUID_EBX]);
}

/*
 * Intel processors answer for a leaf above the maximum with the highest basic leaf; AMD's with
 * zeros. Hypervisor leaves count as above when theirs has no such leaf.
 */
static const struct kvm_cpuid_entry2 *out_of_range(const struct x86_cpuid *cpuid, u32 *leaf,
						   u32 subleaf)
{
	const struct kvm_cpuid_entry2 *basic = find_entry(cpuid, CPUID_VENDOR, 0), *class;

	if (!basic || !cpuid->intel)
		return NULL;
	if (*leaf >= 0x40000000 && *leaf <= 0x4fffffff)
		class = find_entry(cpuid, *leaf & 0xffffff00, 0);
	else if (*leaf >= 0xc0000000)
		class = find_entry(cpuid, 0xc0000000, 0);
	else
		class = find_entry(cpuid, *leaf & 0x80000000, 0);
	if (class && *leaf <= class->eax)
		return NULL;
	*leaf = basic->eax;
	return find_entry(cpuid, *leaf, subleaf);
}

static void change_bit(u32 *reg, unsigned bit, bool set)
{
	*reg = (*reg & ~BIT64(bit)) | ((u32)set << bit);
}

/* Bits that follow the vCPU's state. */
static void apply_state(struct vcpu *vcpu, u32 leaf, u32 subleaf, u32 out[4])
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	const struct x86_cpuid *cpuid = &vcpu->cpuid;

	switch (leaf) {
	case CPUID_FEATURES:
		if (cpuid__has(cpuid, FEAT_XSAVE))
			change_bit(&out[CPUID_ECX], CPUID_1_ECX_OSXSAVE,
				   cpu->cr4 & CR4_OSXSAVE);
		change_bit(&out[CPUID_EDX], CPUID_1_EDX_APIC,
			   lapic__get_base(vcpu) & APIC_BASE_ENABLE);
		if (vcpu->vm->disabled_quirks & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)
			change_bit(&out[CPUID_ECX], CPUID_1_ECX_MONITOR,
				   vcpu->msrs.misc_enable & MISC_ENABLE_MWAIT);
		break;
	case CPUID_EXTENDED_FEATURES:
		if (subleaf == 0 && (out[CPUID_ECX] >> CPUID_7_ECX_PKU & 1))
			change_bit(&out[CPUID_ECX], CPUID_7_ECX_OSPKE, cpu->cr4 & CR4_PKE);
		break;
	case CPUID_XSTATE:
		if (subleaf == 0 && cpuid->xcr0_allowed)
			out[CPUID_EBX] = xstate__area_size(cpu->xcr0, false);
		if (subleaf == 1 &&
		    (cpuid__has(cpuid, FEAT_XSAVES) || cpuid__has(cpuid, FEAT_XSAVEC)))
			out[CPUID_EBX] = xstate__area_size(cpu->xcr0 | vcpu->msrs.xss, true);
		break;
	case KVM_CPUID_FEATURES:
		/* A guest whose HLT does not exit needs no kick. */
		if (vcpu->vm->hlt_in_guest)
			change_bit(&out[CPUID_EAX], KVM_FEATURE_PV_UNHALT, false);
		break;
	}
}

/* What the guest sees of an entry. */
static struct kvm_cpuid_entry2 with_state(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *e)
{
	u32 r[4] = { e->eax, e->ebx, e->ecx, e->edx };
	struct kvm_cpuid_entry2 seen = *e;

	apply_state(vcpu, e->function, e->index, r);
	seen.eax = r[CPUID_EAX];
	seen.ebx = r[CPUID_EBX];
	seen.ecx = r[CPUID_ECX];
	seen.edx = r[CPUID_EDX];
	return seen;
}

void cpuid__entry(struct vcpu *vcpu, u32 i, struct kvm_cpuid_entry2 *out)
{
	*out = with_state(vcpu, &vcpu->cpuid.entry[i]);
}

/* User space may give back what it set or what KVM_GET_CPUID2 told. */
static bool is_same(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 count)
{
	u32 i;

	if (vcpu->cpuid.count != count)
		return false;
	for (i = 0; i < count; i++) {
		struct kvm_cpuid_entry2 set = with_state(vcpu, &vcpu->cpuid.entry[i]);
		struct kvm_cpuid_entry2 given = with_state(vcpu, &entries[i]);

		if (memcmp(&set, &given, offsetof(struct kvm_cpuid_entry2, padding)))
			return false;
	}
	return true;
}

static bool is_valid(const struct kvm_cpuid_entry2 *entries, u32 count)
{
	u32 i, bits;

	for (i = 0; i < count; i++) {
		if (entries[i].function != CPUID_ADDRESS_SIZES)
			continue;
		bits = entries[i].eax >> 8 & 0xff;
		return bits == 48 || bits == 57 || bits == 0;
	}
	return true;
}

int cpuid__set(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 count)
{
	struct x86_cpuid *cpuid = &vcpu->cpuid;
	const struct engine_ops *engine = vcpu->vm->engine;
	struct kvm_cpuid_entry2 *copy = NULL;

	if (count > CPUID_MAX_ENTRIES)
		return -E2BIG;
	if (!is_valid(entries, count))
		return -EINVAL;
	if (vcpu->first_run_done)
		return is_same(vcpu, entries, count) ? 0 : -EINVAL;
	if (count) {
		copy = host__alloc(count * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, entries, count * sizeof(*copy));
	}
	host__free(cpuid->entry);
	if (count) {
		cpuid->entry = copy;
		cpuid->count = count;
		derive_features(cpuid);
	} else {
		cpuid__init(vcpu);
	}
	/* Cached code was checked against the old features, the TLB against the old address size. */
	vcpu__request_quietly(vcpu, REQ_CODE_FLUSH | REQ_TLB_FLUSH);
	if (engine->state_changed)
		engine->state_changed(vcpu);
	return 0;
}

void cpuid__free(struct vcpu *vcpu)
{
	host__free(vcpu->cpuid.entry);
	vcpu->cpuid.entry = NULL;
	vcpu->cpuid.count = 0;
}

void cpuid__query(struct vcpu *vcpu, u32 leaf, u32 subleaf, u32 out[4])
{
	const struct x86_cpuid *cpuid = &vcpu->cpuid;
	const struct kvm_cpuid_entry2 *e = find_entry(cpuid, leaf, subleaf);
	u32 asked = leaf;

	memset(out, 0, 4 * sizeof(out[0]));
	if (!e)
		e = out_of_range(cpuid, &leaf, subleaf);
	if (e) {
		out[CPUID_EAX] = e->eax;
		out[CPUID_EBX] = e->ebx;
		out[CPUID_ECX] = e->ecx;
		out[CPUID_EDX] = e->edx;
		apply_state(vcpu, leaf, subleaf, out);
		return;
	}
	/* ECX keeps the subleaf and EDX the x2APIC ID in every subleaf (SDM vol. 2, leaf 0BH). */
	if (asked == CPUID_TOPOLOGY || asked == CPUID_TOPOLOGY_V2) {
		e = find_entry(cpuid, asked, 1);
		if (e) {
			out[CPUID_ECX] = subleaf & 0xff;
			out[CPUID_EDX] = e->edx;
		}
	}
}
