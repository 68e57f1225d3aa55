/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Speculation control (SDM vol. 4, 48H, 49H, 10AH; AMD 56375). Present when CPUID says so, which it
 * does when the host CPU has them; kept for the guest to read back.
 */
#include "core/x86/msr_rows.h"
#include "include/x86/cpuid.h"

/* Any of these bits, in the leaves as they were set. */
static bool has_bits(struct vcpu *vcpu, u32 leaf, enum cpuid_register reg, u64 bits)
{
	u32 r[4];

	cpuid__query(vcpu, leaf, 0, r);
	return r[reg] & bits;
}

static bool has_spec_ctrl(struct vcpu *vcpu)
{
	return has_bits(vcpu, CPUID_EXTENDED_FEATURES, CPUID_EDX,
			BIT64(CPUID_7_EDX_SPEC_CTRL) | BIT64(27) | BIT64(CPUID_7_EDX_SSBD)) ||
	       has_bits(vcpu, CPUID_ADDRESS_SIZES, CPUID_EBX,
			BIT64(CPUID_EXT8_EBX_IBRS) | BIT64(CPUID_EXT8_EBX_STIBP) |
				BIT64(CPUID_EXT8_EBX_SSBD));
}

static bool has_pred_cmd(struct vcpu *vcpu)
{
	return has_bits(vcpu, CPUID_EXTENDED_FEATURES, CPUID_EDX, BIT64(CPUID_7_EDX_SPEC_CTRL)) ||
	       has_bits(vcpu, CPUID_ADDRESS_SIZES, CPUID_EBX, BIT64(CPUID_EXT8_EBX_IBPB));
}

static bool has_virt_ssbd(struct vcpu *vcpu)
{
	return has_bits(vcpu, CPUID_ADDRESS_SIZES, CPUID_EBX, BIT64(CPUID_EXT8_EBX_VIRT_SSBD));
}

static bool has_bhi_control(struct vcpu *vcpu)
{
	u32 r[4];

	cpuid__query(vcpu, CPUID_EXTENDED_FEATURES, 2, r);
	return r[CPUID_EDX] >> CPUID_7_2_EDX_BHI_CTRL & 1;
}

int msr_spec_ctrl__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = vcpu->msrs.spec_ctrl;
	return !host && !has_spec_ctrl(vcpu);
}

int msr_spec_ctrl__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (!host && !has_spec_ctrl(vcpu))
		return 1;
	if (value & ~(SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD | SPEC_CTRL_BHI_DIS_S))
		return 1;
	if (!host && (value & SPEC_CTRL_BHI_DIS_S) && !has_bhi_control(vcpu))
		return 1;
	vcpu->msrs.spec_ctrl = value;
	return 0;
}

int msr_pred_cmd__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	return 1; /* write-only */
}

int msr_pred_cmd__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (!host && !has_pred_cmd(vcpu))
		return 1;
	if (value & ~PRED_CMD_IBPB)
		return 1;
	vcpu->msrs.pred_cmd_seen |= value;
	return 0;
}

int msr_virt_spec_ctrl__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = vcpu->msrs.virt_spec_ctrl;
	return !host && !has_virt_ssbd(vcpu);
}

int msr_virt_spec_ctrl__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (!host && !has_virt_ssbd(vcpu))
		return 1;
	if (value & ~SPEC_CTRL_SSBD)
		return 1;
	vcpu->msrs.virt_spec_ctrl = value;
	return 0;
}

int msr_arch_capabilities__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = vcpu->msrs.arch_capabilities;
	return !host && !has_bits(vcpu, CPUID_EXTENDED_FEATURES, CPUID_EDX,
				  BIT64(CPUID_7_EDX_ARCH_CAPABILITIES));
}
