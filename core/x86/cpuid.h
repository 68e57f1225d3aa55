/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID as offered by the host side and as set for one guest vCPU. */
#ifndef CORE_X86_CPUID_H
#define CORE_X86_CPUID_H

#include <linux/kvm.h>
#include "base/types.h"
#include "core/decode/row.h"

struct vcpu;

#define CPUID_MAX_ENTRIES 256 /* as KVM_MAX_CPUID_ENTRIES */

struct x86_cpuid {
	struct kvm_cpuid_entry2 *entry;
	u32 count;
	u64 features[(NR_FEATURES + 63) / 64]; /* bit per enum x86_feature, from the entries */
	u64 xcr0_allowed;
	u32 max_phys_bits;
	u32 kvm_features; /* leaf 40000001H EAX as set */
	bool intel;	  /* vendor string: rules that differ by vendor follow Intel's manual */
};

/*
 * KVM_GET_SUPPORTED_CPUID: what the engine and the host CPU can give a guest. Fills up to *count
 * entries, sets *count. 0 or -E2BIG.
 */
int cpuid__supported(struct kvm_cpuid_entry2 *entries, u32 *count);
/* KVM_GET_EMULATED_CPUID. */
int cpuid__emulated(struct kvm_cpuid_entry2 *entries, u32 *count);

/*
 * A vCPU whose CPUID was never set: CPUID reads as zeros, but instructions and state that the host
 * can give are not hidden from it. Call at vCPU creation.
 */
void cpuid__init(struct vcpu *vcpu);
/*
 * KVM_SET_CPUID2. 0, -E2BIG (count), -EINVAL (virtual address bits; a change after the first run),
 * -ENOMEM. Recomputes features: what was set and the host side can give. The first entry wins where
 * two stand for the same leaf, as in KVM.
 */
int cpuid__set(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 count);
/* KVM_GET_CPUID2: entry i, below cpuid.count, with the bits that follow the vCPU's state. */
void cpuid__entry(struct vcpu *vcpu, u32 i, struct kvm_cpuid_entry2 *out);
void cpuid__free(struct vcpu *vcpu);

/* State components (bits of XCR0) that a guest can be given; 0 without XSAVE. */
u64 cpuid__supported_xcr0(void);
/* Whether the host side can give the feature; includes FEAT_TSC_DEADLINE. */
bool cpuid__can_give(enum x86_feature feature);

/* What the CPUID instruction returns: out[4] is EAX, EBX, ECX, EDX (dynamic bits applied). */
void cpuid__query(struct vcpu *vcpu, u32 leaf, u32 subleaf, u32 out[4]);

/* CPUID bit of a feature: leaf, subleaf, register 0-3 and bit. Reading a row needs nothing else. */
struct x86_feature_bit {
	u32 leaf;
	u8 subleaf;
	u8 reg;
	u8 bit;
};
extern const struct x86_feature_bit x86_feature_bits[NR_FEATURES];

static inline bool cpuid__has(const struct x86_cpuid *cpuid, enum x86_feature f)
{
	return f == FEAT_BASE || (cpuid->features[f / 64] >> (f % 64) & 1);
}

/*
 * The canonical form of what a register for an address takes: an MSR, the base of a segment or of a
 * table. It has as many bits as the processor's linear addresses, whether or not CR4.LA57 puts all
 * of them to use, as in KVM: so it can be loaded before paging changes. Accesses and RIP follow the
 * paging mode.
 */
static inline u64 cpuid__make_canonical(const struct x86_cpuid *cpuid, u64 value)
{
	unsigned shift = 64 - (cpuid__has(cpuid, FEAT_LA57) ? 57 : 48);

	return (s64)(value << shift) >> shift;
}

static inline bool cpuid__is_canonical(const struct x86_cpuid *cpuid, u64 value)
{
	return cpuid__make_canonical(cpuid, value) == value;
}

#endif
