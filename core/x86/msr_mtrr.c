/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory types: MTRRs and the PAT (APM vol. 2, 7.7 and 7.8; SDM vol. 3, 11.11 and 11.12). Kept for
 * the guest to read back; guest memory is write-back whatever they say.
 */
#include "core/x86/msr_rows.h"

#define TYPES_MTRR 0x73U /* UC, WC, WT, WP, WB */
#define TYPES_PAT 0xf3U	 /* and UC- */

static bool is_type(u64 value, u32 types)
{
	return value < 8 && (types >> value & 1);
}

static bool are_types(u64 value, u32 types)
{
	unsigned i;

	for (i = 0; i < 8; i++)
		if (!is_type(value >> (8 * i) & 0xff, types))
			return false;
	return true;
}

static u64 *fixed_range(struct x86_msrs *msrs, u32 msr)
{
	if (msr == MSR_MTRR_FIX_64K)
		return &msrs->mtrr_fixed[0];
	if (msr == MSR_MTRR_FIX_16K_80000 || msr == MSR_MTRR_FIX_16K_A0000)
		return &msrs->mtrr_fixed[1 + msr - MSR_MTRR_FIX_16K_80000];
	if (msr >= MSR_MTRR_FIX_4K_C0000 && msr <= MSR_MTRR_FIX_4K_F8000)
		return &msrs->mtrr_fixed[3 + msr - MSR_MTRR_FIX_4K_C0000];
	return NULL;
}

static u64 *variable_range(struct x86_msrs *msrs, u32 msr)
{
	u32 n = (msr - MSR_MTRR_PHYS_BASE0) / 2;

	if (msr < MSR_MTRR_PHYS_BASE0 || n >= MSR_MTRR_VARIABLE)
		return NULL;
	return msr & 1 ? &msrs->mtrr_mask[n] : &msrs->mtrr_base[n];
}

static u64 *register_of(struct x86_msrs *msrs, u32 msr)
{
	u64 *p = fixed_range(msrs, msr);

	if (msr == MSR_MTRR_DEF_TYPE)
		return &msrs->mtrr_def_type;
	return p ? p : variable_range(msrs, msr);
}

static bool is_valid(const struct vcpu *vcpu, u32 msr, u64 value)
{
	u64 reserved = ~(BIT64(vcpu->cpuid.max_phys_bits) - 1);

	if (msr == MSR_MTRR_DEF_TYPE)
		return !(value & ~MTRR_DEF_TYPE_MASK) && is_type(value & 0xff, TYPES_MTRR);
	if (msr >= MSR_MTRR_FIX_64K)
		return are_types(value, TYPES_MTRR);
	if (msr & 1)
		return !(value & (reserved | 0x7ff));
	return is_type(value & 0xff, TYPES_MTRR) && !(value & (reserved | 0xf00));
}

int msr_mtrr__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	u64 *p = register_of(&vcpu->msrs, msr);

	if (!p)
		return 1;
	*value = *p;
	return 0;
}

int msr_mtrr__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	u64 *p = register_of(&vcpu->msrs, msr);

	if (!p || !is_valid(vcpu, msr, value))
		return 1;
	*p = value;
	return 0;
}

int msr_pat__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (!are_types(value, TYPES_PAT))
		return 1;
	vcpu->msrs.pat = value;
	return 0;
}
