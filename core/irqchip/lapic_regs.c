/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the local APIC, through its page (xAPIC) and through MSRs 800H to 8FFH (x2APIC)
 * (SDM vol. 3, 11.4.1 and 11.12.1).
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

static bool is_x2apic(const struct lapic *lapic)
{
	return lapic__identity(lapic) & LAPIC_X2APIC;
}

void lapic__publish(struct lapic *lapic)
{
	u64 base = lapic->vcpu->apic_base;
	u32 dfr = lapic__reg(lapic, APIC_DFR);
	u32 identity = lapic__reg(lapic, APIC_ID) >> 24;

	identity |= lapic__reg(lapic, APIC_LDR) >> 24 << 8;
	if (base & APIC_BASE_ENABLED)
		identity |= LAPIC_HW_ENABLED;
	if ((base & APIC_BASE_ENABLED) && (base & APIC_BASE_X2APIC))
		identity |= LAPIC_X2APIC;
	if (lapic__reg(lapic, APIC_SVR) & APIC_SVR_ENABLED)
		identity |= LAPIC_SW_ENABLED;
	if (dfr == APIC_DFR_FLAT)
		identity |= LAPIC_FLAT;
	else if (dfr == APIC_DFR_CLUSTER)
		identity |= LAPIC_CLUSTER;
	__atomic_store_n(&lapic->identity, identity, __ATOMIC_RELEASE);
}

bool lapic__read(struct lapic *lapic, unsigned reg, u32 *value)
{
	lapic_pv__sync(lapic);
	switch (reg) {
	case APIC_TMCCT:
		*value = lapic_timer__current_count(lapic);
		return true;
	case APIC_PPR:
		*value = lapic__ppr(lapic);
		return true;
	case APIC_DFR:
	case APIC_ICR2:
		if (is_x2apic(lapic))
			return false;
		break;
	case APIC_EOI: /* write-only: to read it is no error in the page, but a #GP as an MSR */
	case APIC_APR:
		/* Arbitration is gone since the P4; it reads 0 (as KVM). */
		*value = 0;
		return !is_x2apic(lapic);
	case APIC_ID:
	case APIC_VERSION:
	case APIC_TPR:
	case APIC_LDR:
	case APIC_SVR:
	case APIC_ESR:
	case APIC_ICR:
	case APIC_TMICT:
	case APIC_TDCR:
		break;
	default:
		if (!(reg >= APIC_ISR && reg < APIC_ESR) &&
		    !(reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR))
			return false;
	}
	*value = lapic__reg(lapic, reg);
	return true;
}

static void write_svr(struct lapic *lapic, u32 value)
{
	u32 mask = 0x3ff;
	unsigned reg;

	if (lapic__reg(lapic, APIC_VERSION) & APIC_VERSION_DIRECTED_EOI)
		mask |= APIC_SVR_DIRECTED_EOI;
	lapic__set_reg(lapic, APIC_SVR, value & mask);
	/* Software-disabled: all LVTs are and stay masked (SDM vol. 3, 11.4.7.2). */
	if (!(value & APIC_SVR_ENABLED))
		for (reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 0x10)
			lapic__set_reg(lapic, reg, lapic__reg(lapic, reg) | APIC_LVT_MASKED);
	lapic__publish(lapic);
}

/* Writable bits of an LVT besides vector and mask (SDM vol. 3, figure 11-8). */
static u32 lvt_bits(struct lapic *lapic, unsigned reg)
{
	switch (reg) {
	case APIC_LVT_TIMER:
		if (cpuid__has(&lapic->vcpu->cpuid, FEAT_TSC_DEADLINE))
			return APIC_LVT_TIMER_MODE;
		return APIC_LVT_TIMER_PERIODIC;
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERF:
		return 7 << 8;
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
		return 7 << 8 | 1 << 13 | 1 << 14 | APIC_LVT_LEVEL;
	default:
		return 0;
	}
}

static void write_lvt(struct lapic *lapic, unsigned reg, u32 value)
{
	value &= 0xff | APIC_LVT_MASKED | lvt_bits(lapic, reg);
	if (!(lapic__reg(lapic, APIC_SVR) & APIC_SVR_ENABLED))
		value |= APIC_LVT_MASKED;
	lapic__set_reg(lapic, reg, value);
	if (reg == APIC_LVT_TIMER)
		lapic_timer__mode_changed(lapic);
	/* INTR of the PIC may have been waiting behind the mask. */
	if (reg == APIC_LVT_LINT0)
		vcpu__request_quietly(lapic->vcpu, REQ_EVENT);
}

/* Registers that exist in xAPIC mode only, or with another width. */
static bool write_xapic_only(struct lapic *lapic, unsigned reg, u32 value)
{
	if (is_x2apic(lapic))
		return false;
	switch (reg) {
	case APIC_ID:
		lapic__set_reg(lapic, reg, value & 0xff000000);
		lapic__publish(lapic);
		break;
	case APIC_LDR:
		lapic__set_reg(lapic, reg, value & 0xff000000);
		lapic__publish(lapic);
		break;
	case APIC_DFR:
		lapic__set_reg(lapic, reg, value | 0x0fffffff);
		lapic__publish(lapic);
		break;
	case APIC_ICR:
		/* Delivery takes no time: never busy. */
		lapic__set_reg(lapic, reg, value & ~APIC_ICR_BUSY);
		lapic__send_ipi(lapic, value, lapic__reg(lapic, APIC_ICR2) >> 24);
		break;
	case APIC_ICR2:
		lapic__set_reg(lapic, reg, value & 0xff000000);
		break;
	}
	return true;
}

static bool write_x2apic_only(struct lapic *lapic, unsigned reg, u32 value)
{
	if (!is_x2apic(lapic) || reg != APIC_SELF_IPI || value >> 8)
		return false;
	lapic__send_ipi(lapic, value | APIC_DEST_SELF << 18, 0);
	return true;
}

bool lapic__write(struct lapic *lapic, unsigned reg, u32 value)
{
	lapic_pv__sync(lapic);
	switch (reg) {
	case APIC_ID:
	case APIC_LDR:
	case APIC_DFR:
	case APIC_ICR:
	case APIC_ICR2:
		return write_xapic_only(lapic, reg, value);
	case APIC_TPR:
		if (value > 0xff && is_x2apic(lapic))
			return false;
		lapic__set_reg(lapic, reg, value & 0xff);
		lapic__recheck(lapic);
		return true;
	case APIC_EOI:
		if (value && is_x2apic(lapic))
			return false;
		lapic__end_of_interrupt(lapic);
		return true;
	case APIC_SVR:
		write_svr(lapic, value);
		return true;
	case APIC_ESR: /* latches the errors since the last write */
		if (value && is_x2apic(lapic))
			return false;
		lapic__set_reg(lapic, reg,
			       __atomic_exchange_n(&lapic->errors, 0, __ATOMIC_RELAXED));
		return true;
	case APIC_TMICT:
		/* Ignored in TSC-deadline mode (SDM vol. 3, 11.5.4.1). */
		if ((lapic__reg(lapic, APIC_LVT_TIMER) & APIC_LVT_TIMER_MODE) ==
		    APIC_LVT_TIMER_DEADLINE)
			return true;
		lapic__set_reg(lapic, reg, value);
		lapic_timer__start(lapic, value);
		return true;
	case APIC_TDCR:
		lapic__set_reg(lapic, reg, value & 0xb);
		lapic_timer__divide_changed(lapic);
		return true;
	default:
		if (reg < APIC_LVT_TIMER || reg > APIC_LVT_ERROR)
			return write_x2apic_only(lapic, reg, value);
		write_lvt(lapic, reg, value);
		return true;
	}
}

/* Whether the access is to this vCPU's APIC page. */
static bool in_page(struct vcpu *vcpu, u64 gpa)
{
	return vcpu->lapic && (gpa & ~(APIC_MMIO_SIZE - 1ULL)) ==
				      (vcpu->apic_base & APIC_BASE_ADDRESS_MASK);
}

/*
 * 1: do the access; 0: done already; -1: nothing here. Disabled or in x2APIC mode there is no page;
 * KVM_X86_QUIRK_LAPIC_MMIO_HOLE (on by default) leaves a hole that reads as ones.
 */
static int page_state(struct vcpu *vcpu)
{
	u32 identity = lapic__identity(vcpu->lapic);

	if ((identity & LAPIC_HW_ENABLED) && !(identity & LAPIC_X2APIC))
		return 1;
	return vcpu->vm->disabled_quirks & KVM_X86_QUIRK_LAPIC_MMIO_HOLE ? -1 : 0;
}

bool lapic__mmio_read(struct vcpu *vcpu, u64 gpa, unsigned size, void *data)
{
	unsigned offset = gpa & (APIC_MMIO_SIZE - 1);
	u32 value = 0;
	int state;

	if (!in_page(vcpu, gpa))
		return false;
	state = page_state(vcpu);
	if (state <= 0) {
		memset(data, 0xff, size);
		return state == 0;
	}
	memset(data, 0, size);
	/* Registers are 32 bits wide in 16-byte slots; what goes beyond is undefined. */
	if ((offset & 0xf) + size > 4)
		return true;
	if (offset >= KVM_APIC_REG_SIZE || !lapic__read(vcpu->lapic, offset & ~0xf, &value))
		lapic__raise_error(vcpu->lapic, APIC_ESR_ILLEGAL_ADDRESS);
	value >>= (offset & 0xf) * 8;
	memcpy(data, &value, size);
	return true;
}

bool lapic__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data)
{
	unsigned offset = gpa & (APIC_MMIO_SIZE - 1);
	u32 value;
	int state;

	if (!in_page(vcpu, gpa))
		return false;
	state = page_state(vcpu);
	if (state <= 0)
		return state == 0;
	/* Only aligned 32-bit writes are defined (SDM vol. 3, 11.4.1). */
	if (size != 4 || (offset & 0xf))
		return true;
	memcpy(&value, data, sizeof(value));
	if (offset >= KVM_APIC_REG_SIZE || !lapic__write(vcpu->lapic, offset, value))
		lapic__raise_error(vcpu->lapic, APIC_ESR_ILLEGAL_ADDRESS);
	return true;
}

int lapic__read_msr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	struct lapic *lapic = vcpu->lapic;
	unsigned reg = (msr & 0xff) << 4;
	u32 low;

	if (!lapic || !is_x2apic(lapic) || reg >= KVM_APIC_REG_SIZE ||
	    !lapic__read(lapic, reg, &low))
		return 1;
	*value = low;
	if (reg == APIC_ICR)
		*value |= (u64)lapic__reg(lapic, APIC_ICR2) << 32;
	return 0;
}

static int write_x2apic_icr(struct lapic *lapic, u64 value)
{
	if (value & APIC_X2APIC_ICR_RESERVED)
		return 1;
	lapic__set_reg(lapic, APIC_ICR, (u32)value & ~APIC_ICR_BUSY);
	lapic__set_reg(lapic, APIC_ICR2, value >> 32);
	lapic__send_ipi(lapic, value, value >> 32);
	return 0;
}

int lapic__write_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	struct lapic *lapic = vcpu->lapic;
	unsigned reg = (msr & 0xff) << 4;

	if (!lapic || !is_x2apic(lapic))
		return 1;
	if (reg == APIC_ICR)
		return write_x2apic_icr(lapic, value);
	if (value >> 32)
		return 1;
	return lapic__write(lapic, reg, value) ? 0 : 1;
}

u64 lapic__get_tpr(struct vcpu *vcpu)
{
	return vcpu->lapic ? lapic__reg(vcpu->lapic, APIC_TPR) >> 4 & 0xf : 0;
}

void lapic__set_tpr(struct vcpu *vcpu, u64 cr8)
{
	if (!vcpu->lapic)
		return;
	lapic__set_reg(vcpu->lapic, APIC_TPR, (cr8 & 0xf) << 4);
	lapic__recheck(vcpu->lapic);
}
