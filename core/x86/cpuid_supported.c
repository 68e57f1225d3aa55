/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID may tell a guest: the host CPU's leaves, cut to what the instruction tables and the
 * core carry out, with what is done in software added (KVM_GET_SUPPORTED_CPUID).
 */
#include "core/host.h"
#include "core/x86/cpuid.h"
#include "core/x86/xstate.h"
#include "include/x86/cpuid.h"
#include "include/x86/kvm_para.h"

/*
 * Offered whatever the host CPU has: the core does these itself. With automatic IBRS guest kernels do without
 * retpolines, which protect nothing where returns are executed as the host's indirect jumps.
 */
static const u8 software_features[] = {
	FEAT_TSC, FEAT_MSR, FEAT_SEP, FEAT_PCID, FEAT_X2APIC, FEAT_TSC_DEADLINE, FEAT_FSGSBASE,
	FEAT_TSC_ADJUST, FEAT_SMEP, FEAT_ERMS, FEAT_INVPCID, FEAT_SMAP, FEAT_UMIP, FEAT_RDPID,
	FEAT_LA57, FEAT_FSRM, FEAT_LAHF_LM, FEAT_SYSCALL, FEAT_NX, FEAT_PDPE1GB, FEAT_RDTSCP,
	FEAT_LM, FEAT_AUTO_IBRS,
};

/* Offered if the host CPU has them: executed as they are, or with the host's own instructions. */
static const u8 host_features[] = {
	FEAT_FPU, FEAT_CX8, FEAT_CMOV, FEAT_CLFLUSH, FEAT_MMX, FEAT_FXSR, FEAT_SSE, FEAT_SSE2,
	FEAT_SSE3, FEAT_PCLMUL, FEAT_SSSE3, FEAT_CX16, FEAT_SSE41, FEAT_SSE42, FEAT_MOVBE,
	FEAT_POPCNT, FEAT_AES, FEAT_RDRAND, FEAT_BMI1, FEAT_BMI2, FEAT_RDSEED, FEAT_ADX,
	FEAT_CLFLUSHOPT, FEAT_CLWB, FEAT_SHA, FEAT_CR8_LEGACY, FEAT_ABM, FEAT_SSE4A,
	FEAT_MISALIGNSSE, FEAT_3DNOWPREFETCH, FEAT_MMXEXT, FEAT_CLZERO,
	FEAT_WBNOINVD, FEAT_GFNI,
};

/* The same, and the host's system software has enabled XSAVE. */
static const u8 xsave_features[] = {
	FEAT_XSAVE, FEAT_XSAVEOPT, FEAT_XSAVEC, FEAT_XGETBV1, FEAT_XSAVES, FEAT_XSAVEERPTR,
};

/* The same, and the host has enabled the AVX state component. */
static const u8 avx_features[] = {
	FEAT_FMA, FEAT_AVX, FEAT_F16C, FEAT_AVX2, FEAT_VAES, FEAT_VPCLMUL,
};

/* The same, and the host has enabled AVX-512's state and has what all of these build on. */
static const u8 avx512_features[] = {
	FEAT_AVX512F, FEAT_AVX512DQ, FEAT_AVX512IFMA, FEAT_AVX512CD, FEAT_AVX512BW, FEAT_AVX512VL,
	FEAT_AVX512VBMI, FEAT_AVX512VBMI2, FEAT_AVX512VNNI, FEAT_AVX512BITALG,
	FEAT_AVX512VPOPCNTDQ, FEAT_AVX512BF16,
};

/* Bits of the leaves that are no row of x86_feature_bits. */
struct plain_bits {
	u32 leaf;
	u8 reg;
	u32 software;
	u32 host;
};

static const struct plain_bits plain_bits[] = {
	{ CPUID_FEATURES, CPUID_ECX, BIT64(CPUID_1_ECX_HYPERVISOR), 0 },
	/* VME DE PSE PAE MCE APIC MTRR PGE MCA PAT PSE36; self-snoop */
	{ CPUID_FEATURES, CPUID_EDX, 0x000372ce, BIT64(27) },
	{ CPUID_POWER, CPUID_EAX, BIT64(CPUID_6_EAX_ARAT), 0 },
	/* x87: FDP only on exceptions; FCS and FDS are zero: the guest runs on the host's */
	{ CPUID_EXTENDED_FEATURES, CPUID_EBX, 0, BIT64(6) | BIT64(13) },
	/* SPEC_CTRL and PRED_CMD, STIBP, SSBD */
	{ CPUID_EXTENDED_FEATURES, CPUID_EDX, 0, BIT64(26) | BIT64(27) | BIT64(31) },
	/* CmpLegacy, OSVW, topology extensions */
	{ CPUID_EXT_FEATURES, CPUID_ECX, 0, BIT64(1) | BIT64(9) | BIT64(22) },
	{ CPUID_POWER_AMD, CPUID_EDX, 0, BIT64(CPUID_EXT7_EDX_INVARIANT_TSC) },
	/* IBPB, IBRS, STIBP, STIBP always on, SSBD, VIRT_SSBD, not subject to SSB */
	{ CPUID_ADDRESS_SIZES, CPUID_EBX, 0,
	  BIT64(12) | BIT64(14) | BIT64(15) | BIT64(17) | BIT64(24) | BIT64(25) | BIT64(26) },
	/*
	 * Null selectors clear the base, and SRSO_NO: guest returns are no host returns, so none of
	 * them trains the predictor that attack needs; no nested data breakpoints, LFENCE
	 * serializing, no SMM_CTL
	 */
	{ CPUID_FEATURES_2_AMD, CPUID_EAX, BIT64(6) | BIT64(29), BIT64(0) | BIT64(2) | BIT64(9) },
	/* not subject to transient scheduler attacks: guests need not clear buffers by VERW */
	{ CPUID_FEATURES_2_AMD, CPUID_ECX, 0, BIT64(1) | BIT64(2) },
};

static const u32 kvm_features =
	BIT64(KVM_FEATURE_CLOCKSOURCE) | BIT64(KVM_FEATURE_NOP_IO_DELAY) |
	BIT64(KVM_FEATURE_CLOCKSOURCE2) | BIT64(KVM_FEATURE_STEAL_TIME) |
	BIT64(KVM_FEATURE_PV_EOI) | BIT64(KVM_FEATURE_PV_UNHALT) |
	BIT64(KVM_FEATURE_PV_TLB_FLUSH) | BIT64(KVM_FEATURE_PV_SEND_IPI) |
	BIT64(KVM_FEATURE_POLL_CONTROL) | BIT64(KVM_FEATURE_PV_SCHED_YIELD) |
	BIT64(KVM_FEATURE_MSI_EXT_DEST_ID) | BIT64(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT);

/* EDX of leaf 80000001H repeats these of leaf 1 on AMD processors. */
#define AMD_EDX_ALIAS 0x0183f3ffU

struct offer {
	struct kvm_cpuid_entry2 *entry;
	u32 capacity;
	u32 count; /* may exceed the capacity: then nothing of use was written */
	u32 host_max_basic;
	u32 host_max_ext;
	u64 xcr0;
	bool amd;
};

u64 cpuid__supported_xcr0(void)
{
	return xstate__supported();
}

/* A host leaf, zeros where the host has none (Intel answers with its highest leaf there). */
static void read_host(const struct offer *o, u32 leaf, u32 subleaf, u32 r[4])
{
	u32 max = leaf & 0x80000000U ? o->host_max_ext : o->host_max_basic;

	memset(r, 0, 4 * sizeof(r[0]));
	if (leaf <= max)
		host__cpuid(leaf, subleaf, r);
}

static void start_offer(struct offer *o, struct kvm_cpuid_entry2 *entries, u32 capacity)
{
	u32 r[4];

	memset(o, 0, sizeof(*o));
	o->entry = entries;
	o->capacity = capacity;
	host__cpuid(CPUID_VENDOR, 0, r);
	o->host_max_basic = r[CPUID_EAX];
	/* "AuthenticAMD", "HygonGenuine" */
	o->amd = r[CPUID_EBX] == 0x68747541 || r[CPUID_EBX] == 0x6f677948;
	host__cpuid(CPUID_EXT_MAX, 0, r);
	o->host_max_ext = r[CPUID_EAX] & 0x80000000U ? r[CPUID_EAX] : 0;
	o->xcr0 = cpuid__supported_xcr0();
}

static void add(struct offer *o, u32 leaf, u32 subleaf, u32 flags, const u32 r[4])
{
	struct kvm_cpuid_entry2 *e;

	if (o->count++ >= o->capacity)
		return;
	e = &o->entry[o->count - 1];
	memset(e, 0, sizeof(*e));
	e->function = leaf;
	e->index = subleaf;
	e->flags = flags;
	e->eax = r[CPUID_EAX];
	e->ebx = r[CPUID_EBX];
	e->ecx = r[CPUID_ECX];
	e->edx = r[CPUID_EDX];
}

static void add_plain(struct offer *o, u32 leaf, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	const u32 r[4] = { eax, ebx, ecx, edx };

	add(o, leaf, 0, 0, r);
}

static void add_indexed(struct offer *o, u32 leaf, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	const u32 r[4] = { eax, ebx, ecx, edx };

	add(o, leaf, index, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, r);
}

static void set_listed(const u8 *list, unsigned n, u32 leaf, u32 subleaf, const u32 mask[4],
		       u32 r[4])
{
	unsigned i;

	for (i = 0; i < n; i++) {
		const struct x86_feature_bit *b = &x86_feature_bits[list[i]];

		if (b->leaf == leaf && b->subleaf == subleaf)
			r[b->reg] |= mask[b->reg] & BIT64(b->bit);
	}
}

/* The feature bits of one leaf, in all four registers. */
static void feature_leaf(const struct offer *o, u32 leaf, u32 subleaf, u32 r[4])
{
	static const u32 all[4] = { ~0U, ~0U, ~0U, ~0U };
	u32 host[4];
	unsigned i;

	read_host(o, leaf, subleaf, host);
	memset(r, 0, 4 * sizeof(r[0]));
	set_listed(software_features, ARRAY_LENGTH(software_features), leaf, subleaf, all, r);
	set_listed(host_features, ARRAY_LENGTH(host_features), leaf, subleaf, host, r);
	if (o->xcr0)
		set_listed(xsave_features, ARRAY_LENGTH(xsave_features), leaf, subleaf, host, r);
	if (o->xcr0 & XSTATE_AVX)
		set_listed(avx_features, ARRAY_LENGTH(avx_features), leaf, subleaf, host, r);
	if (o->xcr0 & XSTATE_AVX512)
		set_listed(avx512_features, ARRAY_LENGTH(avx512_features), leaf, subleaf, host, r);
	for (i = 0; i < ARRAY_LENGTH(plain_bits); i++) {
		const struct plain_bits *p = &plain_bits[i];

		if (p->leaf == leaf && subleaf == 0)
			r[p->reg] |= p->software | (p->host & host[p->reg]);
	}
}

/* Leaf 1 but for the features: signature, CLFLUSH line size; no topology, that is user space's. */
static void add_features(struct offer *o)
{
	u32 host[4], r[4];

	read_host(o, CPUID_FEATURES, 0, host);
	feature_leaf(o, CPUID_FEATURES, 0, r);
	r[CPUID_EAX] = host[CPUID_EAX];
	r[CPUID_EBX] = host[CPUID_EBX] & 0x0000ff00;
	/* api.rst: CPUID does not offer it, KVM_CAP_TSC_DEADLINE_TIMER does. */
	r[CPUID_ECX] &= ~BIT64(x86_feature_bits[FEAT_TSC_DEADLINE].bit);
	add(o, CPUID_FEATURES, 0, 0, r);
}

static void add_extended_features(struct offer *o)
{
	u32 host[4], r[4];

	feature_leaf(o, CPUID_EXTENDED_FEATURES, 0, r);
	read_host(o, CPUID_EXTENDED_FEATURES, 0, host);
	r[CPUID_EAX] = MIN_OF(host[CPUID_EAX], 1u);
	/*
	 * Kernels assume the worst of an Intel CPU without ARCH_CAPABILITIES. They do without retpolines where
	 * SPEC_CTRL has IBRS, and without a loop at each system call where it has BHI_DIS_S: see msr_state.c.
	 */
	if (!o->amd) {
		r[CPUID_EDX] |= BIT64(CPUID_7_EDX_ARCH_CAPABILITIES) | BIT64(CPUID_7_EDX_SPEC_CTRL);
		r[CPUID_EAX] = 2;
	}
	add(o, CPUID_EXTENDED_FEATURES, 0, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, r);
	if (!r[CPUID_EAX])
		return;
	feature_leaf(o, CPUID_EXTENDED_FEATURES, 1, r);
	add(o, CPUID_EXTENDED_FEATURES, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, r);
	if (!o->amd)
		add_indexed(o, CPUID_EXTENDED_FEATURES, 2, 0, 0, 0, BIT64(CPUID_7_2_EDX_BHI_CTRL));
}

/*
 * Deterministic cache parameters, Intel's leaf 4 and AMD's 8000001DH alike. How many CPUs share a
 * cache is the machine's topology: left at one.
 */
static void add_caches(struct offer *o, u32 leaf, u32 topology)
{
	u32 r[4], i;

	for (i = 0; i < 16; i++) {
		read_host(o, leaf, i, r);
		r[CPUID_EAX] &= ~topology;
		add(o, leaf, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, r);
		if (!(r[CPUID_EAX] & 0x1f))
			break;
	}
}

static void add_xstate(struct offer *o)
{
	const struct xstate_component *c = xstate__components();
	u32 size = xstate__area_size(o->xcr0, false), r[4], i;

	if (!o->xcr0) {
		add_indexed(o, CPUID_XSTATE, 0, 0, 0, 0, 0);
		return;
	}
	/* EBX here is for the largest XCR0; the guest reads it for its own (cpuid__query()). */
	add_indexed(o, CPUID_XSTATE, 0, o->xcr0, size, size, 0);
	feature_leaf(o, CPUID_XSTATE, 1, r);
	r[CPUID_EBX] = xstate__area_size(o->xcr0, true);
	add(o, CPUID_XSTATE, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, r);
	for (i = XSTATE_FIRST; i < XSTATE_COUNT; i++)
		if (o->xcr0 >> i & 1)
			add_indexed(o, CPUID_XSTATE, i, c[i].size, c[i].offset, 0, 0);
}

static void add_basic(struct offer *o)
{
	u32 max = MAX_OF(MIN_OF(o->host_max_basic, CPUID_TOPOLOGY_V2), CPUID_XSTATE);
	u32 r[4], leaf;

	read_host(o, CPUID_VENDOR, 0, r);
	r[CPUID_EAX] = max;
	add(o, CPUID_VENDOR, 0, 0, r);
	add_features(o);
	read_host(o, CPUID_CACHE_DESCRIPTORS, 0, r);
	add(o, CPUID_CACHE_DESCRIPTORS, 0, 0, r);
	add_plain(o, 3, 0, 0, 0, 0);
	add_caches(o, CPUID_CACHE_INTEL, 0xffffc000);
	add_plain(o, CPUID_MONITOR, 0, 0, 0, 0);
	feature_leaf(o, CPUID_POWER, 0, r);
	add(o, CPUID_POWER, 0, 0, r);
	add_extended_features(o);
	for (leaf = 8; leaf < CPUID_TOPOLOGY; leaf++)
		add_plain(o, leaf, 0, 0, 0, 0);
	add_indexed(o, CPUID_TOPOLOGY, 0, 0, 0, 0, 0);
	add_plain(o, 0xc, 0, 0, 0, 0);
	add_xstate(o);
	for (leaf = CPUID_XSTATE + 1; leaf <= max; leaf++)
		add_plain(o, leaf, 0, 0, 0, 0);
}

/*
 * Address sizes. Paging is done in software, so 46 physical bits hold on every host; linear
 * addresses have 57 where LA57 is offered (user space that hides LA57 says 48 here).
 */
static void add_address_sizes(struct offer *o)
{
	u32 host[4], r[4], bits;

	read_host(o, CPUID_ADDRESS_SIZES, 0, host);
	bits = MIN_OF(MAX_OF(host[CPUID_EAX] & 0xff, 46), 52);
	feature_leaf(o, CPUID_ADDRESS_SIZES, 0, r);
	r[CPUID_EAX] = bits | 57 << 8;
	add(o, CPUID_ADDRESS_SIZES, 0, 0, r);
}

static void add_amd_extended(struct offer *o, u32 max)
{
	u32 r[4], leaf;

	for (leaf = CPUID_ADDRESS_SIZES + 1; leaf <= max; leaf++) {
		switch (leaf) {
		case CPUID_TLB_1G:
		case CPUID_PERFORMANCE:
			read_host(o, leaf, 0, r);
			add(o, leaf, 0, 0, r);
			break;
		case CPUID_CACHE_AMD:
			add_caches(o, leaf, 0x03ffc000);
			break;
		case CPUID_FEATURES_2_AMD:
			feature_leaf(o, leaf, 0, r);
			add(o, leaf, 0, 0, r);
			break;
		default:
			add_plain(o, leaf, 0, 0, 0, 0);
		}
	}
}

static void add_extended(struct offer *o)
{
	/* Leaves that the host lacks read as zero but for what is done in software. */
	u32 max = o->amd ? CPUID_FEATURES_2_AMD : CPUID_ADDRESS_SIZES;
	u32 host[4], r[4], leaf;

	read_host(o, CPUID_EXT_MAX, 0, r);
	r[CPUID_EAX] = max;
	add(o, CPUID_EXT_MAX, 0, 0, r);

	read_host(o, CPUID_EXT_FEATURES, 0, host);
	feature_leaf(o, CPUID_EXT_FEATURES, 0, r);
	r[CPUID_EAX] = host[CPUID_EAX];
	r[CPUID_EBX] = host[CPUID_EBX];
	if (o->amd) {
		u32 base[4];

		feature_leaf(o, CPUID_FEATURES, 0, base);
		r[CPUID_EDX] |= base[CPUID_EDX] & AMD_EDX_ALIAS;
	}
	add(o, CPUID_EXT_FEATURES, 0, 0, r);

	/* Brand string and AMD's cache leaves are the host's. */
	for (leaf = CPUID_BRAND_FIRST; leaf <= CPUID_L2_AMD; leaf++) {
		read_host(o, leaf, 0, r);
		add(o, leaf, 0, 0, r);
	}
	feature_leaf(o, CPUID_POWER_AMD, 0, r);
	add(o, CPUID_POWER_AMD, 0, 0, r);
	add_address_sizes(o);
	add_amd_extended(o, max);
}

int cpuid__supported(struct kvm_cpuid_entry2 *entries, u32 *count)
{
	struct offer o;

	start_offer(&o, entries, *count);
	add_basic(&o);
	/* "KVMKVMKVM" */
	add_plain(&o, KVM_CPUID_SIGNATURE, KVM_CPUID_FEATURES, 0x4b4d564b, 0x564b4d56, 0x4d);
	add_plain(&o, KVM_CPUID_FEATURES, kvm_features, 0, 0, 0);
	add_extended(&o);
	if (o.count > *count)
		return -E2BIG;
	*count = o.count;
	return 0;
}

int cpuid__emulated(struct kvm_cpuid_entry2 *entries, u32 *count)
{
	struct offer o;

	start_offer(&o, entries, *count);
	add_plain(&o, 0, CPUID_EXTENDED_FEATURES, 0, 0, 0);
	add_plain(&o, CPUID_FEATURES, 0, 0, BIT64(x86_feature_bits[FEAT_MOVBE].bit), 0);
	add_indexed(&o, CPUID_EXTENDED_FEATURES, 0, 0, 0, BIT64(x86_feature_bits[FEAT_RDPID].bit),
		    0);
	if (o.count > *count)
		return -E2BIG;
	*count = o.count;
	return 0;
}

/* The features as one bitmap, made once: threads that race compute the same words. */
bool cpuid__can_give(enum x86_feature feature)
{
	static u64 cache[(NR_FEATURES + 63) / 64];
	static bool cached;
	struct offer o;
	unsigned f;

	if (!__atomic_load_n(&cached, __ATOMIC_ACQUIRE)) {
		u64 words[ARRAY_LENGTH(cache)] = { BIT64(FEAT_BASE) };

		start_offer(&o, NULL, 0);
		for (f = FEAT_BASE + 1; f < NR_FEATURES; f++) {
			const struct x86_feature_bit *b = &x86_feature_bits[f];
			u32 r[4];

			feature_leaf(&o, b->leaf, b->subleaf, r);
			if (r[b->reg] >> b->bit & 1)
				words[f / 64] |= BIT64(f % 64);
		}
		for (f = 0; f < ARRAY_LENGTH(cache); f++)
			__atomic_store_n(&cache[f], words[f], __ATOMIC_RELAXED);
		__atomic_store_n(&cached, true, __ATOMIC_RELEASE);
	}
	return cache[feature / 64] >> (feature % 64) & 1;
}
