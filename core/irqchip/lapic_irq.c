/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts in a local APIC: acceptance from any thread, priorities, dispatch, end of interrupt
 * (SDM vol. 3, 11.8).
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

/* Highest vector below `limit` in a register of 256 bits, or -1. */
static int highest_below(struct lapic *lapic, unsigned base, int limit)
{
	int word;

	for (word = (limit - 1) >> 5; word >= 0; word--) {
		u32 bits = __atomic_load_n(&lapic->regs[base / 4 + word * 4], __ATOMIC_RELAXED);

		if (limit - word * 32 < 32)
			bits &= (1U << (limit - word * 32)) - 1;
		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

int lapic__highest(struct lapic *lapic, unsigned base)
{
	return highest_below(lapic, base, 256);
}

/* Only the owner writes ISR; others may be reading it. */
static void set_in_service(struct lapic *lapic, u8 vector, bool in_service)
{
	u32 *word = lapic__vector_word(lapic, APIC_ISR, vector), bit = 1U << vector % 32;

	__atomic_store_n(word, in_service ? *word | bit : *word & ~bit, __ATOMIC_RELEASE);
}

static u8 priority_of(struct lapic *lapic, int in_service)
{
	u8 tpr = lapic__reg(lapic, APIC_TPR);

	if (in_service < 0 || tpr >> 4 >= in_service >> 4)
		return tpr;
	return in_service & 0xf0;
}

u8 lapic__ppr(struct lapic *lapic)
{
	return priority_of(lapic, lapic__highest(lapic, APIC_ISR));
}

int lapic__deliverable(struct lapic *lapic)
{
	int vector, in_service;

	if (!(lapic__identity(lapic) & LAPIC_HW_ENABLED))
		return -1;
	vector = lapic__highest(lapic, APIC_IRR);
	if (vector < 0)
		return -1;
	in_service = lapic__highest(lapic, APIC_ISR);
	/*
	 * The guest may have ended the highest one through its PV EOI flag already: say yes in
	 * doubt, irqchip__take_interrupt() looks at the flag.
	 */
	if (in_service >= 0 && __atomic_load_n(&lapic->pv_eoi_armed, __ATOMIC_RELAXED))
		in_service = highest_below(lapic, APIC_ISR, in_service);
	return vector >> 4 > priority_of(lapic, in_service) >> 4 ? vector : -1;
}

void lapic__recheck(struct lapic *lapic)
{
	if (lapic__deliverable(lapic) >= 0)
		vcpu__request_quietly(lapic->vcpu, REQ_EVENT);
}

static int accept_vector(struct lapic *lapic, u8 vector, bool level_triggered)
{
	u32 both = LAPIC_HW_ENABLED | LAPIC_SW_ENABLED, bit = 1U << vector % 32;
	u32 *tmr = lapic__vector_word(lapic, APIC_TMR, vector);

	if ((lapic__identity(lapic) & both) != both)
		return 0;
	if (vector < 16) {
		lapic__raise_error(lapic, APIC_ESR_RECEIVED_ILLEGAL_VECTOR);
		return 0;
	}
	/* TMR first: who sees the request must know how to end it. */
	if (level_triggered)
		__atomic_fetch_or(tmr, bit, __ATOMIC_RELAXED);
	else if (__atomic_load_n(tmr, __ATOMIC_RELAXED) & bit)
		__atomic_fetch_and(tmr, ~bit, __ATOMIC_RELAXED);
	__atomic_fetch_or(lapic__vector_word(lapic, APIC_IRR, vector), bit, __ATOMIC_RELEASE);
	vcpu__request(lapic->vcpu, REQ_EVENT);
	return 1;
}

int lapic__accept(struct vcpu *vcpu, unsigned delivery, u8 vector, bool assert,
		  bool level_triggered)
{
	struct lapic *lapic = vcpu->lapic;

	switch (delivery) {
	case APIC_FIXED:
	case APIC_LOWEST:
		if (level_triggered && !assert)
			return 0;
		return accept_vector(lapic, vector, level_triggered);
	case APIC_SMI:
		vcpu__request(vcpu, REQ_SMI);
		return 1;
	case APIC_REMOTE_READ:
		vcpu__request(vcpu, REQ_UNHALT);
		return 1;
	case APIC_NMI:
		vcpu__nmi(vcpu);
		return 1;
	case APIC_INIT:
		/* The level de-assert only synchronised arbitration IDs of old APICs. */
		if (level_triggered && !assert)
			return 0;
		/* A SIPI from before the INIT is forgotten. */
		__atomic_store_n(&lapic->events, LAPIC_EVENT_INIT, __ATOMIC_RELEASE);
		vcpu__request(vcpu, REQ_INIT);
		return 1;
	case APIC_STARTUP:
		__atomic_store_n(&lapic->sipi_vector, vector, __ATOMIC_RELAXED);
		__atomic_fetch_or(&lapic->events, LAPIC_EVENT_SIPI, __ATOMIC_RELEASE);
		vcpu__request(vcpu, REQ_SIPI);
		return 1;
	default: /* APIC_EXTINT: the PIC has the vector */
		__atomic_store_n(&lapic->extint, 1, __ATOMIC_RELEASE);
		vcpu__request(vcpu, REQ_EVENT);
		return 1;
	}
}

void lapic__raise_lvt(struct lapic *lapic, unsigned reg)
{
	u32 lvt = lapic__reg(lapic, reg);

	if ((lvt & APIC_LVT_MASKED) || !(lapic__identity(lapic) & LAPIC_HW_ENABLED))
		return;
	/* The PIC's own wire reaches an LVT in ExtINT mode, see lapic__accepts_pic(). */
	if (APIC_DELIVERY(lvt) == APIC_EXTINT)
		return;
	lapic__accept(lapic->vcpu, APIC_DELIVERY(lvt), lvt, true, lvt & APIC_LVT_LEVEL);
}

void lapic__raise_error(struct lapic *lapic, u32 error)
{
	u32 lvt = lapic__reg(lapic, APIC_LVT_ERROR);

	__atomic_fetch_or(&lapic->errors, error, __ATOMIC_RELAXED);
	/* An illegal vector in the error LVT itself must not raise errors for ever. */
	if ((lvt & 0xff) >= 16)
		lapic__raise_lvt(lapic, APIC_LVT_ERROR);
}

/* Tells whoever waits for the end of this interrupt: the IOAPIC here or in user space. */
static void broadcast_eoi(struct lapic *lapic, u8 vector)
{
	struct vcpu *vcpu = lapic->vcpu;
	struct irqchip *chip = chip__of(vcpu->vm);
	bool level = lapic__test_vector(lapic, APIC_TMR, vector);

	if (!chip)
		return;
	if (!chip->split) {
		if (level || chip__wants_eoi(chip, vector))
			ioapic__eoi(chip, vector, level);
	} else if (level && chip__wants_eoi(chip, vector)) {
		vcpu->ioapic_eoi_vector = vector;
		vcpu__request_quietly(vcpu, REQ_IOAPIC_EOI);
	}
}

void lapic__end_of_interrupt(struct lapic *lapic)
{
	int vector = lapic__highest(lapic, APIC_ISR);

	if (vector < 0)
		return;
	set_in_service(lapic, vector, false);
	broadcast_eoi(lapic, vector);
	lapic__recheck(lapic);
}

bool lapic__accepts_pic(struct vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;
	u32 lint0;

	if (!lapic)
		return false;
	if (!(lapic__identity(lapic) & LAPIC_HW_ENABLED))
		return true;
	lint0 = lapic__reg(lapic, APIC_LVT_LINT0);
	return !(lint0 & APIC_LVT_MASKED) && APIC_DELIVERY(lint0) == APIC_EXTINT;
}

bool lapic__in_flight(struct vcpu *vcpu, u8 vector)
{
	struct lapic *lapic = vcpu->lapic;

	return lapic && (lapic__test_vector(lapic, APIC_IRR, vector) ||
			 lapic__test_vector(lapic, APIC_ISR, vector));
}

/* Whether a vector from outside of the APIC (the PIC, or user space's) is due here. */
static bool has_external(struct vcpu *vcpu)
{
	struct irqchip *chip = chip__of(vcpu->vm);

	if (!chip)
		return false;
	if (chip->split)
		return vcpu->external_vector >= 0 && lapic__accepts_pic(vcpu);
	if (!__atomic_load_n(&chip->pic.output, __ATOMIC_ACQUIRE))
		return false;
	return lapic__accepts_pic(vcpu) ||
	       __atomic_load_n(&vcpu->lapic->extint, __ATOMIC_ACQUIRE);
}

bool irqchip__has_interrupt(struct vcpu *vcpu)
{
	if (!vcpu->lapic)
		return false;
	return has_external(vcpu) || lapic__deliverable(vcpu->lapic) >= 0;
}

static int take_external(struct vcpu *vcpu)
{
	struct irqchip *chip = chip__of(vcpu->vm);
	int vector = -1;

	if (chip->split) {
		vector = vcpu->external_vector;
		vcpu->external_vector = -1;
		return vector;
	}
	host__mutex_lock(&chip->lock);
	/* INTR may have fallen, or another vCPU may have taken it. */
	if (chip->pic.output) {
		__atomic_store_n(&vcpu->lapic->extint, 0, __ATOMIC_RELAXED);
		vector = pic__acknowledge(chip);
	}
	host__mutex_unlock(&chip->lock);
	return vector;
}

int irqchip__take_interrupt(struct vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;
	int vector = -1;

	if (!lapic)
		return -1;
	lapic_pv__sync(lapic);
	if (has_external(vcpu))
		vector = take_external(vcpu);
	if (vector >= 0)
		return vector;
	vector = lapic__deliverable(lapic);
	if (vector < 0)
		return -1;
	/* ISR before IRR: other threads that look for the vector find it in one of them. */
	set_in_service(lapic, vector, true);
	__atomic_fetch_and(lapic__vector_word(lapic, APIC_IRR, vector), ~(1U << vector % 32),
			   __ATOMIC_ACQ_REL);
	return vector;
}

bool lapic__take_init(struct vcpu *vcpu)
{
	if (!vcpu->lapic)
		return false;
	return __atomic_fetch_and(&vcpu->lapic->events, ~LAPIC_EVENT_INIT, __ATOMIC_ACQUIRE) &
	       LAPIC_EVENT_INIT;
}

bool lapic__take_sipi(struct vcpu *vcpu, u8 *vector)
{
	struct lapic *lapic = vcpu->lapic;

	if (!lapic || !(__atomic_fetch_and(&lapic->events, ~LAPIC_EVENT_SIPI, __ATOMIC_ACQUIRE) &
			LAPIC_EVENT_SIPI))
		return false;
	*vector = __atomic_load_n(&lapic->sipi_vector, __ATOMIC_RELAXED);
	return true;
}
