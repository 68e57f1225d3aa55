/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local APIC: creation, reset, the APIC base MSR, and state as KVM_GET/SET_LAPIC move it. */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

/* Address bits without KVM_SET_CPUID2 having told them. */
#define DEFAULT_PHYS_BITS 36

enum apic_mode { MODE_DISABLED, MODE_XAPIC, MODE_X2APIC, MODE_INVALID };

static enum apic_mode mode_of(u64 base)
{
	if (base & APIC_BASE_ENABLED)
		return base & APIC_BASE_X2APIC ? MODE_X2APIC : MODE_XAPIC;
	return base & APIC_BASE_X2APIC ? MODE_INVALID : MODE_DISABLED;
}

static bool is_bsp(const struct vcpu *vcpu)
{
	return vcpu->id == vcpu->vm->bsp_id;
}

static u32 x2apic_ldr(u32 id)
{
	return id >> 4 << 16 | 1U << (id & 0xf);
}

int lapic__create(struct vcpu *vcpu)
{
	struct lapic *lapic;

	if (!chip__of(vcpu->vm))
		return 0;
	lapic = host__alloc(sizeof(*lapic));
	if (!lapic)
		return -ENOMEM;
	lapic->vcpu = vcpu;
	lapic_timer__init(lapic);
	vcpu->external_vector = -1;
	vcpu->lapic = lapic;
	lapic__reset(vcpu, false);
	return 0;
}

void lapic__destroy(struct vcpu *vcpu)
{
	if (!vcpu->lapic)
		return;
	lapic_timer__destroy(vcpu->lapic);
	host__free(vcpu->lapic);
	vcpu->lapic = NULL;
}

static void change_base(struct vcpu *vcpu, u64 value)
{
	struct lapic *lapic = vcpu->lapic;
	enum apic_mode old = mode_of(vcpu->apic_base), new = mode_of(value);

	vcpu->apic_base = value;
	if (!lapic)
		return;
	/* The ID is the vCPU's again after the APIC was off, and in x2APIC mode always. */
	if (new == MODE_XAPIC && old != MODE_XAPIC)
		lapic__set_reg(lapic, APIC_ID, vcpu->id << 24);
	if (new == MODE_X2APIC) {
		lapic__set_reg(lapic, APIC_ID, vcpu->id);
		lapic__set_reg(lapic, APIC_LDR, x2apic_ldr(vcpu->id));
	}
	lapic__publish(lapic);
	/* Interrupts of the PIC come in when the APIC goes. */
	vcpu__request_quietly(vcpu, REQ_EVENT);
}

/* Registers after RESET or INIT (SDM vol. 3, 11.4.7.1). */
static void reset_registers(struct lapic *lapic)
{
	struct vcpu *vcpu = lapic->vcpu;
	u32 id = lapic__reg(lapic, APIC_ID), ldr = 0, version = APIC_VERSION_VALUE;
	unsigned i;

	if (mode_of(vcpu->apic_base) == MODE_X2APIC)
		ldr = x2apic_ldr(vcpu->id);
	/* Only an IOAPIC with an EOI register can do without the broadcast; ours has none. */
	if (vcpu->vm->split_irqchip && cpuid__has(&vcpu->cpuid, FEAT_X2APIC))
		version |= APIC_VERSION_DIRECTED_EOI;
	for (i = 0; i < ARRAY_LENGTH(lapic->regs); i++)
		__atomic_store_n(&lapic->regs[i], 0, __ATOMIC_RELAXED);
	lapic__set_reg(lapic, APIC_ID, id);
	lapic__set_reg(lapic, APIC_LDR, ldr);
	lapic__set_reg(lapic, APIC_VERSION, version);
	lapic__set_reg(lapic, APIC_DFR, APIC_DFR_FLAT);
	lapic__set_reg(lapic, APIC_SVR, 0xff);
	for (i = APIC_LVT_TIMER; i <= APIC_LVT_ERROR; i += 0x10)
		lapic__set_reg(lapic, i, APIC_LVT_MASKED);
	/* Virtual wire from the start, for firmware that leaves LINT0 alone. */
	if (is_bsp(vcpu) && !(vcpu->vm->disabled_quirks & KVM_X86_QUIRK_LINT0_REENABLED))
		lapic__set_reg(lapic, APIC_LVT_LINT0, APIC_EXTINT << 8);
}

void lapic__reset(struct vcpu *vcpu, bool init)
{
	struct lapic *lapic = vcpu->lapic;

	if (!init) {
		vcpu->apic_base = APIC_BASE_DEFAULT | APIC_BASE_ENABLED;
		if (is_bsp(vcpu))
			vcpu->apic_base |= APIC_BASE_BSP;
	}
	if (!lapic)
		return;
	if (!init) {
		lapic__set_reg(lapic, APIC_ID, vcpu->id << 24);
		__atomic_store_n(&lapic->events, 0, __ATOMIC_RELAXED);
	}
	reset_registers(lapic);
	lapic_timer__cancel(lapic);
	__atomic_store_n(&lapic->errors, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&lapic->extint, 0, __ATOMIC_RELAXED);
	lapic->pv_eoi = 0;
	lapic->pv_eoi_armed = false;
	lapic__publish(lapic);
}

u64 lapic__get_base(struct vcpu *vcpu)
{
	return vcpu->apic_base;
}

static int set_base(struct vcpu *vcpu, u64 value, bool host)
{
	enum apic_mode old = mode_of(vcpu->apic_base), new = mode_of(value);
	u32 bits = vcpu->cpuid.max_phys_bits ? vcpu->cpuid.max_phys_bits : DEFAULT_PHYS_BITS;
	u64 reserved = 0x2ff;

	if (value == vcpu->apic_base)
		return 0;
	if (bits < 64)
		reserved |= ~0ULL << bits;
	if (!cpuid__has(&vcpu->cpuid, FEAT_X2APIC))
		reserved |= APIC_BASE_X2APIC;
	if ((value & reserved) || new == MODE_INVALID)
		return 1;
	/* SDM vol. 3, figure 11-27: x2APIC is entered from xAPIC and left to disabled only. */
	if (!host && ((old == MODE_X2APIC && new == MODE_XAPIC) ||
		      (old == MODE_DISABLED && new == MODE_X2APIC)))
		return 1;
	change_base(vcpu, value);
	return 0;
}

int lapic__set_base(struct vcpu *vcpu, u64 value)
{
	return set_base(vcpu, value, false);
}

int lapic__set_base_host(struct vcpu *vcpu, u64 value)
{
	return set_base(vcpu, value, true);
}

int lapic__get_state(struct vcpu *vcpu, struct kvm_lapic_state *state)
{
	struct lapic *lapic = vcpu->lapic;
	u32 regs[KVM_APIC_REG_SIZE / 4];
	unsigned i;

	if (!lapic)
		return -EINVAL;
	lapic_pv__sync(lapic);
	for (i = 0; i < ARRAY_LENGTH(regs); i++)
		regs[i] = __atomic_load_n(&lapic->regs[i], __ATOMIC_RELAXED);
	regs[APIC_PPR / 4] = lapic__ppr(lapic);
	regs[APIC_TMCCT / 4] = lapic_timer__current_count(lapic);
	/* Without KVM_X2APIC_API_USE_32BIT_IDS the ID stands in bits 31:24 in every mode. */
	if (mode_of(vcpu->apic_base) == MODE_X2APIC && !vcpu->vm->x2apic_32bit_ids)
		regs[APIC_ID / 4] <<= 24;
	memcpy(state->regs, regs, sizeof(regs));
	return 0;
}

/* Bits that no access of a guest could have set would break what relies on them. */
static void sanitize(struct vcpu *vcpu, u32 *regs, u32 version)
{
	unsigned reg;

	regs[APIC_VERSION / 4] = version;
	regs[APIC_TPR / 4] &= 0xff;
	regs[APIC_ISR / 4] &= ~0xffffU;
	regs[APIC_TMR / 4] &= ~0xffffU;
	regs[APIC_SVR / 4] &= version & APIC_VERSION_DIRECTED_EOI ? 0x13ff : 0x3ff;
	regs[APIC_ICR / 4] &= ~APIC_ICR_BUSY;
	regs[APIC_TDCR / 4] &= 0xb;
	for (reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 0x10)
		regs[reg / 4] &= ~APIC_LVT_PENDING;
	if (mode_of(vcpu->apic_base) == MODE_X2APIC) {
		regs[APIC_ID / 4] = vcpu->id;
		regs[APIC_LDR / 4] = x2apic_ldr(vcpu->id);
	} else {
		regs[APIC_ID / 4] &= 0xff000000;
		regs[APIC_LDR / 4] &= 0xff000000;
		regs[APIC_DFR / 4] |= 0x0fffffff;
	}
}

int lapic__set_state(struct vcpu *vcpu, const struct kvm_lapic_state *state)
{
	struct lapic *lapic = vcpu->lapic;
	u32 regs[KVM_APIC_REG_SIZE / 4], count;
	unsigned i;

	if (!lapic)
		return -EINVAL;
	memcpy(regs, state->regs, sizeof(regs));
	if (mode_of(vcpu->apic_base) == MODE_X2APIC && vcpu->vm->x2apic_32bit_ids &&
	    regs[APIC_ID / 4] != vcpu->id)
		return -EINVAL;
	sanitize(vcpu, regs, lapic__reg(lapic, APIC_VERSION));
	count = regs[APIC_TMCCT / 4];
	regs[APIC_TMCCT / 4] = 0;
	lapic_pv__sync(lapic);
	lapic_timer__cancel(lapic);
	for (i = 0; i < ARRAY_LENGTH(regs); i++)
		__atomic_store_n(&lapic->regs[i], regs[i], __ATOMIC_RELAXED);
	__atomic_store_n(&lapic->errors, 0, __ATOMIC_RELAXED);
	lapic__publish(lapic);
	lapic_timer__restore(lapic, count);
	vcpu__request(vcpu, REQ_EVENT);
	return 0;
}
