/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSR values after reset, and the lists that tell user space which MSRs there are. */
#include "core/x86/msr_rows.h"
#include "include/x86/cpuid.h"
#include "include/x86/kvm_para.h"

/* PA0-PA7 after reset: WB WT UC- UC, twice (SDM vol. 3, table 11-12). */
#define PAT_RESET 0x0007040600070406ULL
#define SMBASE_RESET 0x30000
/* Revisions that kernels know no microcode bug of. */
#define MICROCODE_AMD 0x01000065ULL
#define MICROCODE_INTEL (1ULL << 32)
/*
 * Guest page tables are never the host CPU's, so faults on them reveal nothing (RDCL_NO) and
 * changes of page size can't raise a machine check.
 *
 * The others keep guest kernels from what costs them much and protects nothing where guest branches and returns are
 * executed as other ones of the host's, and VERW clears no buffers: retpolines and thunks (IBRS_ALL, BHI_NO, ITS_NO),
 * and VERW at each return to user mode. docs/threat-model.md has what that means.
 */
#define ARCH_CAPABILITIES                                                                          \
	(ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFLUSH | ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_IBRS_ALL | \
	 ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | ARCH_CAP_ITS_NO | ARCH_CAP_MDS_NO | ARCH_CAP_TAA_NO | \
	 ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_RFDS_NO)

static bool is_intel_host(void)
{
	u32 r[4];

	host__cpuid(CPUID_VENDOR, 0, r);
	return r[CPUID_EBX] == 0x756e6547; /* "Genu" */
}

static u64 default_microcode(void)
{
	return is_intel_host() ? MICROCODE_INTEL : MICROCODE_AMD;
}

/* MSRs that INIT leaves alone (APM vol. 2, table 14-1) but RESET sets. */
static void reset_all(struct vcpu *vcpu)
{
	struct x86_msrs *msrs = &vcpu->msrs;
	u64 mcg_cap = msrs->mcg_cap;

	memset(msrs, 0, sizeof(*msrs));
	msrs->pat = PAT_RESET;
	msrs->misc_enable = MISC_ENABLE_FAST_STRING | MISC_ENABLE_BTS_UNAVAILABLE |
			    MISC_ENABLE_PEBS_UNAVAILABLE;
	msrs->mcg_cap = mcg_cap ? mcg_cap : MSR_MCE_MAX_BANKS;
	msrs->microcode = default_microcode();
	msrs->arch_capabilities = ARCH_CAPABILITIES;
	/* The TSC counts at one rate; kernels look here for it on AMD. */
	msrs->hwcr = HWCR_TSC_FREQ_SEL;
	msrs->smbase = SMBASE_RESET;
	msrs->kvm_poll_control = 1;
	tsc__synchronize(vcpu, 0);

	vcpu->cpu.star = 0;
	vcpu->cpu.lstar = 0;
	vcpu->cpu.cstar = 0;
	vcpu->cpu.sfmask = 0;
	vcpu->cpu.kernel_gs_base = 0;
	vcpu->cpu.sysenter_cs = 0;
	vcpu->cpu.sysenter_esp = 0;
	vcpu->cpu.sysenter_eip = 0;
	vcpu->cpu.tsc_aux = 0;
}

void msr__reset(struct vcpu *vcpu, bool init)
{
	struct x86_msrs *msrs = &vcpu->msrs;

	if (!init)
		reset_all(vcpu);
	/* Pages shared with a kernel that is gone. */
	msrs->kvm_system_time = 0;
	msrs->kvm_steal_time = 0;
	msrs->kvm_pv_eoi = 0;
	msrs->kvm_async_pf_en = 0;
	msrs->kvm_async_pf_int = 0;
	msrs->steal_preempted = false;
	msrs->debugctl = 0;
}

static const u32 index_list[] = {
	MSR_TSC, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR, MSR_CSTAR,
	MSR_KERNEL_GS_BASE, MSR_SFMASK, MSR_LSTAR, MSR_PAT, MSR_TSC_AUX, MSR_TSC_ADJUST,
	MSR_TSC_DEADLINE, MSR_APIC_BASE, MSR_FEATURE_CONTROL, MSR_SPEC_CTRL,
	MSR_ARCH_CAPABILITIES, MSR_MISC_ENABLE, MSR_MISC_FEATURES_ENABLES, MSR_PLATFORM_INFO,
	MSR_UCODE_REV, MSR_SMBASE, MSR_SMI_COUNT, MSR_DEBUGCTL, MSR_XSS, MSR_MCG_STATUS,
	MSR_MCG_CTL, MSR_HWCR, MSR_VIRT_SPEC_CTRL, MSR_POWER_CTL,
	MSR_MTRR_DEF_TYPE, MSR_MTRR_FIX_64K, MSR_MTRR_FIX_16K_80000, MSR_MTRR_FIX_16K_A0000,
	MSR_MTRR_FIX_4K_C0000, MSR_MTRR_FIX_4K_C0000 + 1, MSR_MTRR_FIX_4K_C0000 + 2,
	MSR_MTRR_FIX_4K_C0000 + 3, MSR_MTRR_FIX_4K_C0000 + 4, MSR_MTRR_FIX_4K_C0000 + 5,
	MSR_MTRR_FIX_4K_C0000 + 6, MSR_MTRR_FIX_4K_F8000,
	MSR_MTRR_PHYS_BASE0, MSR_MTRR_PHYS_BASE0 + 1, MSR_MTRR_PHYS_BASE0 + 2,
	MSR_MTRR_PHYS_BASE0 + 3, MSR_MTRR_PHYS_BASE0 + 4, MSR_MTRR_PHYS_BASE0 + 5,
	MSR_MTRR_PHYS_BASE0 + 6, MSR_MTRR_PHYS_BASE0 + 7, MSR_MTRR_PHYS_BASE0 + 8,
	MSR_MTRR_PHYS_BASE0 + 9, MSR_MTRR_PHYS_BASE0 + 10, MSR_MTRR_PHYS_BASE0 + 11,
	MSR_MTRR_PHYS_BASE0 + 12, MSR_MTRR_PHYS_BASE0 + 13, MSR_MTRR_PHYS_BASE0 + 14,
	MSR_MTRR_PHYS_BASE0 + 15,
	MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME_NEW,
	MSR_KVM_ASYNC_PF_EN, MSR_KVM_ASYNC_PF_INT, MSR_KVM_ASYNC_PF_ACK, MSR_KVM_STEAL_TIME,
	MSR_KVM_PV_EOI_EN, MSR_KVM_POLL_CONTROL, MSR_KVM_MIGRATION_CONTROL,
};

static const u32 feature_list[] = { MSR_DE_CFG, MSR_UCODE_REV, MSR_ARCH_CAPABILITIES };

const u32 *msr__index_list(u32 *count)
{
	*count = ARRAY_LENGTH(index_list);
	return index_list;
}

const u32 *msr__feature_list(u32 *count)
{
	*count = ARRAY_LENGTH(feature_list);
	return feature_list;
}

int msr__read_feature(u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_DE_CFG:
		*value = DE_CFG_LFENCE_SERIALIZE;
		return 0;
	case MSR_UCODE_REV:
		*value = default_microcode();
		return 0;
	case MSR_ARCH_CAPABILITIES:
		*value = ARCH_CAPABILITIES;
		return 0;
	default:
		*value = 0;
		return 1;
	}
}
