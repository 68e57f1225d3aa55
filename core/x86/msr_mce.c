/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine-check banks: storage that user space injects errors into (SDM vol. 3, 15.3). */
#include "core/x86/msr_rows.h"

enum { MC_CTL, MC_STATUS };

static unsigned bank_count(const struct vcpu *vcpu)
{
	return vcpu->msrs.mcg_cap & 0xff;
}

static u64 *bank_register(struct vcpu *vcpu, u32 msr)
{
	u32 bank = (msr - MSR_MC0_CTL) / 4;

	if (bank >= bank_count(vcpu) || bank >= MSR_MCE_MAX_BANKS)
		return NULL;
	return &vcpu->msrs.mc_ctl[bank][(msr - MSR_MC0_CTL) & 3];
}

int msr_mce__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	const struct x86_msrs *msrs = &vcpu->msrs;
	u64 *p;

	switch (msr) {
	case MSR_MCG_CAP:
		*value = msrs->mcg_cap;
		return 0;
	case MSR_MCG_STATUS:
		*value = msrs->mcg_status;
		return 0;
	case MSR_MCG_CTL:
		*value = msrs->mcg_ctl;
		return !(msrs->mcg_cap & MCG_CTL_P) && !host;
	default:
		p = bank_register(vcpu, msr);
		if (p)
			*value = *p;
		return !p;
	}
}

static int write_mcg_ctl(struct vcpu *vcpu, bool host, u64 value)
{
	if (!(vcpu->msrs.mcg_cap & MCG_CTL_P) && (value || !host))
		return 1;
	if (value && ~value)
		return 1;
	vcpu->msrs.mcg_ctl = value;
	return 0;
}

static int write_bank(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	u64 *p = bank_register(vcpu, msr);
	unsigned kind = msr & 3;

	if (!p)
		return 1;
	/* All or nothing; kernels also clear bit 10 on the K8 and bit 0 on the P6. */
	if (kind == MC_CTL && value && ~(value | BIT64(10) | BIT64(0)))
		return 1;
	/* A guest clears its status; AMD lets it write more behind HWCR.McStatusWrEn. */
	if (kind == MC_STATUS && value && !host &&
	    (vcpu->cpuid.intel || !(vcpu->msrs.hwcr & HWCR_MC_STATUS_WRITE)))
		return 1;
	*p = value;
	return 0;
}

int msr_mce__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	switch (msr) {
	case MSR_MCG_CAP:
		return 1;
	case MSR_MCG_STATUS:
		vcpu->msrs.mcg_status = value;
		return 0;
	case MSR_MCG_CTL:
		return write_mcg_ctl(vcpu, host, value);
	default:
		return write_bank(vcpu, msr, host, value);
	}
}
