/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PV EOI (Documentation/virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN): the guest ends an interrupt by
 * clearing a bit in its memory instead of writing to its APIC. The bit is set only while that is
 * all an EOI would do: nothing else is requested and no IOAPIC waits for it. It is cleared before
 * anything looks at ISR.
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/memory/slots.h"
#include "core/vm/vm.h"

#define PV_EOI_ENABLED 1ULL
#define PV_EOI_FLAG 1 /* in the guest's byte: no EOI required */

static int access_flag(struct vcpu *vcpu, u8 *value, bool write)
{
	u64 gpa = vcpu->lapic->pv_eoi & ~PV_EOI_ENABLED;

	return write ? memory__write(vcpu->vm, gpa, value, 1)
		     : memory__read(vcpu->vm, gpa, value, 1);
}

static void set_armed(struct lapic *lapic, bool armed)
{
	__atomic_store_n(&lapic->pv_eoi_armed, armed, __ATOMIC_RELAXED);
}

void lapic_pv__sync(struct lapic *lapic)
{
	u8 flag;

	if (likely(!lapic->pv_eoi_armed))
		return;
	set_armed(lapic, false);
	/* Memory that went away can't tell of an EOI: the guest has to make it in the APIC. */
	if (access_flag(lapic->vcpu, &flag, false))
		return;
	if (flag & PV_EOI_FLAG) {
		flag &= ~PV_EOI_FLAG;
		access_flag(lapic->vcpu, &flag, true);
	} else {
		lapic__end_of_interrupt(lapic);
	}
}

int lapic__set_pv_eoi(struct vcpu *vcpu, u64 value)
{
	struct lapic *lapic = vcpu->lapic;
	u64 old;
	u8 flag;

	if (!lapic || (value & ~PV_EOI_ENABLED & 3))
		return 1;
	lapic_pv__sync(lapic);
	old = lapic->pv_eoi;
	lapic->pv_eoi = value;
	if ((value & PV_EOI_ENABLED) && access_flag(vcpu, &flag, false)) {
		lapic->pv_eoi = old;
		return 1;
	}
	return 0;
}

u64 lapic__get_pv_eoi(struct vcpu *vcpu)
{
	return vcpu->lapic ? vcpu->lapic->pv_eoi : 0;
}

void lapic__before_entry(struct vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;
	struct irqchip *chip;
	u8 flag = PV_EOI_FLAG;
	int vector;

	if (!lapic || !(lapic->pv_eoi & PV_EOI_ENABLED) || lapic->pv_eoi_armed)
		return;
	vector = lapic__highest(lapic, APIC_ISR);
	if (vector < 0 || lapic__highest(lapic, APIC_IRR) >= 0)
		return;
	chip = chip__of(vcpu->vm);
	if (lapic__test_vector(lapic, APIC_TMR, vector) || !chip ||
	    chip__wants_eoi(chip, vector))
		return;
	if (access_flag(vcpu, &flag, true) == 0)
		set_armed(lapic, true);
}
