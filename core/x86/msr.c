/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RDMSR and WRMSR: one row per MSR holds what may be read and written, the rest is #GP. */
#include "core/irqchip/irqchip.h"
#include "core/x86/msr_rows.h"
#include "core/x86/segment.h"
#include "include/x86/kvm_para.h"

#define ALL_BITS (~0ULL)
#define FIELD(name) offsetof(struct vcpu, name)
#define MSR_FIELD(name) offsetof(struct vcpu, msrs.name)

_Static_assert(offsetof(struct vcpu, cpu) == 0 && offsetof(struct x86_cpu, gpr) == 0,
	       "MSR_NO_FIELD is the offset of a register that no MSR is");

/* ---- rows with behaviour ---- */

static int read_tsc(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = x86__guest_tsc(vcpu);
	return 0;
}

static int write_tsc(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (host)
		tsc__synchronize(vcpu, value);
	else
		tsc__write(vcpu, value);
	return 0;
}

static int read_tsc_adjust(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = vcpu->msrs.tsc_adjust;
	return !host && !cpuid__has(&vcpu->cpuid, FEAT_TSC_ADJUST);
}

/* User space restores the value; the TSC it belongs to is restored by itself. */
static int write_tsc_adjust(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (!host && !cpuid__has(&vcpu->cpuid, FEAT_TSC_ADJUST))
		return 1;
	if (host)
		vcpu->msrs.tsc_adjust = value;
	else
		tsc__write_adjust(vcpu, value);
	return 0;
}

static int read_apic_base(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = lapic__get_base(vcpu);
	return 0;
}

static int write_apic_base(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	return host ? lapic__set_base_host(vcpu, value) : lapic__set_base(vcpu, value);
}

static int read_tsc_deadline(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = vcpu->lapic ? lapic__get_deadline(vcpu) : 0;
	return 0;
}

static int write_tsc_deadline(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (vcpu->lapic)
		lapic__set_deadline(vcpu, value);
	return 0;
}

static int read_x2apic(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	return vcpu->lapic ? lapic__read_msr(vcpu, msr, value) : 1;
}

static int write_x2apic(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	return vcpu->lapic ? lapic__write_msr(vcpu, msr, value) : 1;
}

static int write_efer(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	return host ? x86__set_efer_host(vcpu, value) : x86__set_efer(vcpu, value);
}

static int write_segment_base(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	enum x86_segreg seg = msr == MSR_FS_BASE ? X86_FS : X86_GS;

	if (!cpuid__is_canonical(&vcpu->cpuid, value))
		return 1;
	vcpu->cpu.seg[seg].base = value;
	x86__segment_changed(&vcpu->cpu, seg);
	return 0;
}

static bool has_tsc_aux(const struct vcpu *vcpu)
{
	return cpuid__has(&vcpu->cpuid, FEAT_RDTSCP) || cpuid__has(&vcpu->cpuid, FEAT_RDPID);
}

static int read_tsc_aux(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	*value = vcpu->cpu.tsc_aux;
	return !host && !has_tsc_aux(vcpu);
}

/* The high half is reserved on Intel and ignored on AMD. */
static int write_tsc_aux(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if (!host && !has_tsc_aux(vcpu))
		return 1;
	if (vcpu->cpuid.intel && value >> 32)
		return 1;
	vcpu->cpu.tsc_aux = (u32)value;
	return 0;
}

static int write_feature_control(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	if ((vcpu->msrs.feature_control & FEATURE_CONTROL_LOCKED) && !host)
		return 1;
	if (value & ~FEATURE_CONTROL_LOCKED)
		return 1;
	vcpu->msrs.feature_control = value;
	return 0;
}

/* Bits 3, 6 and 8 (TLB cache, flush filter, IGNNE) may be written and do nothing. */
static int write_hwcr(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	value &= ~(BIT64(3) | BIT64(6) | BIT64(8));
	if (value & ~(HWCR_MC_STATUS_WRITE | HWCR_TSC_FREQ_SEL))
		return 1;
	vcpu->msrs.hwcr = value;
	return 0;
}

/* What is not there may be written with what it reads as. */
static int write_only_zero(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	return value != 0;
}

/* LFENCE serializes, and that can't be switched off. */
static int write_de_cfg(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	return value != DE_CFG_LFENCE_SERIALIZE && !(host && !value);
}

/* ---- the table, by number ---- */

static const struct msr_row rows[] = {
	{ MSR_P5_MC_ADDR, MSR_P5_MC_TYPE, .flags = MSR_READ_ONLY },
	{ MSR_TSC, .read = read_tsc, .write = write_tsc },
	{ MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, .read = msr_kvm__read, .write = msr_kvm__write },
	{ MSR_PLATFORM_ID, .flags = MSR_READ_ONLY },
	{ MSR_APIC_BASE, .read = read_apic_base, .write = write_apic_base },
	{ MSR_EBL_CR_POWERON, .flags = MSR_READ_ONLY },
	{ MSR_EBC_FREQUENCY_ID, .flags = MSR_READ_ONLY, .fixed = BIT64(24) },
	{ MSR_SMI_COUNT, .flags = MSR_READ_ONLY },
	{ MSR_FEATURE_CONTROL, .field = MSR_FIELD(feature_control), .flags = MSR_ONLY_INTEL,
	  .write = write_feature_control },
	{ MSR_TSC_ADJUST, .read = read_tsc_adjust, .write = write_tsc_adjust },
	{ MSR_SPEC_CTRL, .read = msr_spec_ctrl__read, .write = msr_spec_ctrl__write },
	{ MSR_PRED_CMD, .read = msr_pred_cmd__read, .write = msr_pred_cmd__write },
	{ MSR_UCODE_WRITE, .flags = MSR_WRITE_IGNORED },
	/* User space may set it; a guest writes it on Intel before it reads the revision. */
	{ MSR_UCODE_REV, .field = MSR_FIELD(microcode), .flags = MSR_WRITE_IGNORED,
	  .defined = ALL_BITS },
	{ MSR_SMBASE, .field = MSR_FIELD(smbase), .flags = MSR_READ_ONLY,
	  .defined = 0xffffffff },
	/* No performance monitoring: counters and event selectors that count nothing. */
	{ MSR_PERFCTR0, MSR_PERFCTR1, .flags = MSR_WRITE_IGNORED },
	{ MSR_FSB_FREQ, .flags = MSR_READ_ONLY, .fixed = 3 },
	{ MSR_PLATFORM_INFO, .flags = MSR_READ_ONLY },
	{ MSR_MTRR_CAP, .flags = MSR_READ_ONLY,
	  .fixed = MTRR_CAP_WC | MTRR_CAP_FIXED | MSR_MTRR_VARIABLE },
	{ MSR_ARCH_CAPABILITIES, .field = MSR_FIELD(arch_capabilities), .flags = MSR_READ_ONLY,
	  .defined = ALL_BITS, .read = msr_arch_capabilities__read },
	{ MSR_BBL_CR_CTL3, .flags = MSR_READ_ONLY, .fixed = 0xbe702111 },
	{ MSR_MISC_FEATURES_ENABLES, .write = write_only_zero },
	{ MSR_SYSENTER_CS, .field = FIELD(cpu.sysenter_cs), .defined = ALL_BITS },
	{ MSR_SYSENTER_ESP, .field = FIELD(cpu.sysenter_esp), .flags = MSR_SIGN_EXTENDED,
	  .defined = ALL_BITS },
	{ MSR_SYSENTER_EIP, .field = FIELD(cpu.sysenter_eip), .flags = MSR_SIGN_EXTENDED,
	  .defined = ALL_BITS },
	{ MSR_MCG_CAP, MSR_MCG_CTL, .read = msr_mce__read, .write = msr_mce__write },
	{ MSR_EVNTSEL0, MSR_EVNTSEL1, .flags = MSR_WRITE_IGNORED },
	/* TSC increment per tick 1000, CPU multiplier 4 */
	{ MSR_PERF_STATUS, .flags = MSR_READ_ONLY, .fixed = 1000 | 4ULL << 40 },
	{ MSR_PERF_CTL, .flags = MSR_WRITE_IGNORED },
	{ MSR_MISC_ENABLE, .field = MSR_FIELD(misc_enable), .defined = ALL_BITS },
	/* LBR, BTF and AMD's pin controls */
	{ MSR_DEBUGCTL, .field = MSR_FIELD(debugctl), .defined = 0x3f },
	{ MSR_LAST_BRANCH_FROM, MSR_LAST_INT_TO, .flags = MSR_READ_ONLY },
	{ MSR_POWER_CTL, .field = MSR_FIELD(power_ctl), .defined = ALL_BITS },
	{ MSR_MTRR_PHYS_BASE0, MSR_MTRR_PHYS_BASE0 + 2 * MSR_MTRR_VARIABLE - 1,
	  .read = msr_mtrr__read, .write = msr_mtrr__write },
	{ MSR_MTRR_FIX_64K, .read = msr_mtrr__read, .write = msr_mtrr__write },
	{ MSR_MTRR_FIX_16K_80000, MSR_MTRR_FIX_16K_A0000, .read = msr_mtrr__read,
	  .write = msr_mtrr__write },
	{ MSR_MTRR_FIX_4K_C0000, MSR_MTRR_FIX_4K_F8000, .read = msr_mtrr__read,
	  .write = msr_mtrr__write },
	{ MSR_PAT, .field = MSR_FIELD(pat), .write = msr_pat__write },
	{ MSR_MTRR_DEF_TYPE, .read = msr_mtrr__read, .write = msr_mtrr__write },
	{ MSR_MC0_CTL, MSR_MC0_CTL + 4 * MSR_MCE_MAX_BANKS - 1, .read = msr_mce__read,
	  .write = msr_mce__write },
	{ MSR_TSC_DEADLINE, .read = read_tsc_deadline, .write = write_tsc_deadline },
	{ MSR_X2APIC_FIRST, MSR_X2APIC_LAST, .read = read_x2apic, .write = write_x2apic },
	/* XSAVES has no supervisor state to save. */
	{ MSR_XSS, .field = MSR_FIELD(xss), .defined = 0 },
	{ MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_MIGRATION_CONTROL, .read = msr_kvm__read,
	  .write = msr_kvm__write },
	{ MSR_EFER, .field = FIELD(cpu.efer), .write = write_efer },
	{ MSR_STAR, .field = FIELD(cpu.star), .defined = ALL_BITS },
	{ MSR_LSTAR, .field = FIELD(cpu.lstar), .flags = MSR_CANONICAL, .defined = ALL_BITS },
	{ MSR_CSTAR, .field = FIELD(cpu.cstar), .flags = MSR_CANONICAL, .defined = ALL_BITS },
	{ MSR_SFMASK, .field = FIELD(cpu.sfmask), .defined = ALL_BITS },
	{ MSR_FS_BASE, .field = FIELD(cpu.seg[X86_FS].base), .write = write_segment_base },
	{ MSR_GS_BASE, .field = FIELD(cpu.seg[X86_GS].base), .write = write_segment_base },
	{ MSR_KERNEL_GS_BASE, .field = FIELD(cpu.kernel_gs_base), .flags = MSR_CANONICAL,
	  .defined = ALL_BITS },
	{ MSR_TSC_AUX, .read = read_tsc_aux, .write = write_tsc_aux },
	{ MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3, .flags = MSR_WRITE_IGNORED },
	/* MtrrFixDramEn, MtrrFixDramModEn, MtrrVarDramEn, MtrrTom2En, Tom2ForceMemTypeWB */
	{ MSR_SYSCFG, .field = MSR_FIELD(syscfg), .flags = MSR_ONLY_AMD, .defined = 0x7c0000 },
	{ MSR_HWCR, .field = MSR_FIELD(hwcr), .write = write_hwcr },
	{ MSR_NB_CFG, .flags = MSR_WRITE_IGNORED },
	{ MSR_PATCH_LOADER, .flags = MSR_WRITE_IGNORED },
	{ MSR_INT_PENDING, .flags = MSR_READ_ONLY },
	{ MSR_MMIO_CONF_BASE, .write = write_only_zero },
	{ MSR_TSEG_ADDR, MSR_TSEG_MASK, .flags = MSR_READ_ONLY },
	{ MSR_VM_CR, .flags = MSR_WRITE_IGNORED | MSR_ONLY_AMD, .fixed = VM_CR_SVM_DISABLE },
	{ MSR_VM_HSAVE_PA, .flags = MSR_WRITE_IGNORED },
	{ MSR_VIRT_SPEC_CTRL, .read = msr_virt_spec_ctrl__read,
	  .write = msr_virt_spec_ctrl__write },
	/* Four known errata that need a workaround, none of them here. */
	{ MSR_OSVW_ID_LENGTH, .flags = MSR_READ_ONLY | MSR_ONLY_AMD, .fixed = 4 },
	{ MSR_OSVW_STATUS, .flags = MSR_READ_ONLY | MSR_ONLY_AMD },
	{ MSR_LS_CFG, .field = MSR_FIELD(ls_cfg), .flags = MSR_ONLY_AMD, .defined = ALL_BITS },
	{ MSR_IC_CFG, MSR_DC_CFG, .flags = MSR_WRITE_IGNORED | MSR_ONLY_AMD },
	{ MSR_DE_CFG, .flags = MSR_ONLY_AMD, .fixed = DE_CFG_LFENCE_SERIALIZE,
	  .write = write_de_cfg },
	{ MSR_BU_CFG2, .flags = MSR_WRITE_IGNORED },
	{ MSR_EX_CFG, .flags = MSR_WRITE_IGNORED },
};

static u32 last_of(const struct msr_row *row)
{
	return MAX_OF(row->first, row->last);
}

static const struct msr_row *find_row(const struct vcpu *vcpu, u32 msr, bool host)
{
	unsigned low = 0, high = ARRAY_LENGTH(rows);
	const struct msr_row *row;

	while (high - low > 1) {
		unsigned middle = (low + high) / 2;

		if (msr < rows[middle].first)
			high = middle;
		else
			low = middle;
	}
	row = &rows[low];
	if (msr < row->first || msr > last_of(row))
		return NULL;
	if (!host && (row->flags & (vcpu->cpuid.intel ? MSR_ONLY_AMD : MSR_ONLY_INTEL)))
		return NULL;
	return row;
}

static u64 *field_of(struct vcpu *vcpu, const struct msr_row *row)
{
	return row->field == MSR_NO_FIELD ? NULL : (u64 *)((u8 *)vcpu + row->field);
}

int msr__read(struct vcpu *vcpu, u32 msr, bool host, u64 *value)
{
	const struct msr_row *row = find_row(vcpu, msr, host);
	u64 *field;

	*value = 0;
	if (!row)
		return 1;
	if (row->read)
		return row->read(vcpu, msr, host, value);
	field = field_of(vcpu, row);
	*value = field ? *field : row->fixed;
	return 0;
}

static int write_field(struct vcpu *vcpu, const struct msr_row *row, u64 *field, u64 value)
{
	if (value & ~row->defined)
		return 1;
	if ((row->flags & MSR_CANONICAL) && !cpuid__is_canonical(&vcpu->cpuid, value))
		return 1;
	/* AMD's processors ignore the upper halves (APM vol. 2, 6.1.2), Intel's do not. */
	if ((row->flags & MSR_SIGN_EXTENDED) && vcpu->cpuid.intel &&
	    !cpuid__is_canonical(&vcpu->cpuid, value))
		return 1;
	if (row->flags & MSR_SIGN_EXTENDED)
		value = cpuid__make_canonical(&vcpu->cpuid, value);
	*field = value;
	return 0;
}

int msr__write(struct vcpu *vcpu, u32 msr, bool host, u64 value)
{
	const struct msr_row *row = find_row(vcpu, msr, host);
	u64 *field;

	if (!row)
		return 1;
	if (row->write)
		return row->write(vcpu, msr, host, value);
	field = field_of(vcpu, row);
	if (!host && (row->flags & MSR_READ_ONLY))
		return 1;
	if (!host && (row->flags & MSR_WRITE_IGNORED))
		return 0;
	if (field)
		return write_field(vcpu, row, field, value);
	/* User space may write back what it read. */
	return !(row->flags & MSR_WRITE_IGNORED) && value != row->fixed;
}
