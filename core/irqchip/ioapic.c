/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 82093AA I/O APIC: 24 pins, redirection entries, level-triggered interrupts with remote IRR.
 *
 * Everything here runs under chip->lock unless it says otherwise.
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

/*
 * A guest that ends a level-triggered interrupt without silencing its device would be interrupted
 * again before its next instruction; after so many in a row it gets a pause, as KVM gives it.
 */
#define STORM_LIMIT 10000
#define STORM_PAUSE_NS 10000000ULL

#define RTC_PIN 8

static bool is_level(u64 entry)
{
	return entry & REDIR_LEVEL;
}

/* Sends the pin's interrupt if its entry allows. How many APICs took it, or -1. */
static int service(struct irqchip *chip, unsigned pin, bool tracked)
{
	struct ioapic *ioapic = &chip->ioapic;
	u64 entry = ioapic->redir[pin];
	struct apic_message message = {
		/* Bits 55:49 extend the destination to 15 bits (KVM_FEATURE_MSI_EXT_DEST_ID). */
		.dest = (u32)(entry >> 56) | ((u32)(entry >> 49) & 0x7f) << 8,
		.vector = entry & REDIR_VECTOR,
		.delivery = REDIR_DELIVERY(entry),
		.logical = entry & REDIR_LOGICAL,
		.assert = true,
		.level_triggered = is_level(entry),
	};
	struct vcpu_set *reached = NULL;
	int count;

	if ((entry & REDIR_MASKED) || (is_level(entry) && (entry & REDIR_REMOTE_IRR)))
		return -1;
	if (!is_level(entry))
		ioapic->delivered |= 1U << pin;
	if (pin == RTC_PIN && tracked) {
		reached = &ioapic->rtc_reached;
		memset(reached, 0, sizeof(*reached));
		ioapic->rtc_vector = message.vector;
	}
	count = message__deliver(chip->vm, NULL, &message, reached);
	if (count > 0 && is_level(entry))
		ioapic->redir[pin] |= REDIR_REMOTE_IRR;
	return count;
}

/* Whether the last RTC interrupt that user space asked the status of still waits for its EOI. */
static bool rtc_unacknowledged(struct irqchip *chip)
{
	struct ioapic *ioapic = &chip->ioapic;
	unsigned i;

	for (i = 0; i < VM_MAX_VCPUS; i++) {
		u64 bit = BIT64(i % 64), *word = &ioapic->rtc_reached.bits[i / 64];

		if (!(*word & bit))
			continue;
		if (lapic__in_flight(chip->vm->vcpus[i], ioapic->rtc_vector))
			return true;
		*word &= ~bit;
	}
	return false;
}

/* The pin's level is (still) known: status as KVM_IRQ_LINE_STATUS. */
static int drive_pin(struct irqchip *chip, unsigned pin, bool level, bool tracked)
{
	struct ioapic *ioapic = &chip->ioapic;
	u32 bit = 1U << pin;
	bool was_high = ioapic->irr & bit;

	if (!level) {
		ioapic->irr &= ~bit;
		return 1;
	}
	if (pin == RTC_PIN && tracked && rtc_unacknowledged(chip))
		return 0;
	ioapic->irr |= bit;
	if (!is_level(ioapic->redir[pin])) {
		ioapic->delivered &= ~bit;
		if (was_high)
			return 0;
	}
	return service(chip, pin, tracked);
}

int ioapic__set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level,
		     bool tracked)
{
	u8 *lines = &chip->ioapic.lines[pin];

	*lines = level ? *lines | 1 << source : *lines & ~(1 << source);
	return drive_pin(chip, pin, *lines, tracked);
}

/* The pause after an interrupt storm is over. */
static void resume_after_storm(struct host_timer *timer)
{
	struct irqchip *chip = container_of_type(timer, struct irqchip, ioapic.storm_timer);
	unsigned pin;

	host__mutex_lock(&chip->lock);
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		if (is_level(chip->ioapic.redir[pin]) && (chip->ioapic.irr >> pin & 1))
			service(chip, pin, false);
	host__mutex_unlock(&chip->lock);
}

static void end_level(struct irqchip *chip, unsigned pin)
{
	struct ioapic *ioapic = &chip->ioapic;

	ioapic->redir[pin] &= ~REDIR_REMOTE_IRR;
	if ((ioapic->redir[pin] & REDIR_MASKED) || !(ioapic->irr >> pin & 1)) {
		ioapic->successive[pin] = 0;
		return;
	}
	if (++ioapic->successive[pin] < STORM_LIMIT) {
		service(chip, pin, false);
		return;
	}
	ioapic->successive[pin] = 0;
	host__timer_set(&ioapic->storm_timer, host__monotonic_ns() + STORM_PAUSE_NS);
}

void ioapic__eoi(struct irqchip *chip, u8 vector, bool level_triggered)
{
	unsigned pin;

	host__mutex_lock(&chip->lock);
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if ((chip->ioapic.redir[pin] & REDIR_VECTOR) != vector)
			continue;
		/* Before remote IRR falls: a resampling irqfd lowers the pin here. */
		chip__acknowledged(chip, KVM_IRQCHIP_IOAPIC, pin);
		if (level_triggered && is_level(chip->ioapic.redir[pin]))
			end_level(chip, pin);
	}
	host__mutex_unlock(&chip->lock);
}

static void write_redir(struct irqchip *chip, unsigned pin, bool high, u32 value)
{
	struct ioapic *ioapic = &chip->ioapic;
	u64 read_only = REDIR_STATUS | REDIR_REMOTE_IRR;
	u64 old = ioapic->redir[pin], entry = old;

	if (high)
		entry = (entry & 0xffffffffULL) | (u64)value << 32;
	else
		entry = (entry & ~0xffffffffULL) | value;
	entry = (entry & ~read_only) | (old & read_only);
	/* Systems without an EOI register end an interrupt by making its entry edge-triggered. */
	if (!is_level(entry))
		entry &= ~REDIR_REMOTE_IRR;
	ioapic->redir[pin] = entry;
	chip__update_eoi_vectors(chip);
	if ((old & REDIR_MASKED) && !(entry & REDIR_MASKED))
		chip__unmasked(chip, KVM_IRQCHIP_IOAPIC, pin);
	if (is_level(entry) && (ioapic->irr >> pin & 1))
		service(chip, pin, false);
}

static u32 read_selected(const struct ioapic *ioapic)
{
	unsigned pin = (ioapic->select - IOAPIC_REG_REDIR) / 2;
	u64 entry;

	switch (ioapic->select) {
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARB:
		return (ioapic->id & 0xf) << 24;
	case IOAPIC_REG_VERSION:
		return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION_VALUE;
	}
	entry = ioapic->select >= IOAPIC_REG_REDIR && pin < IOAPIC_PINS ? ioapic->redir[pin]
									: ~0ULL;
	return ioapic->select & 1 ? entry >> 32 : entry;
}

static void write_selected(struct irqchip *chip, u32 value)
{
	struct ioapic *ioapic = &chip->ioapic;
	unsigned pin = (ioapic->select - IOAPIC_REG_REDIR) / 2;

	if (ioapic->select == IOAPIC_REG_ID)
		ioapic->id = value >> 24 & 0xf;
	else if (ioapic->select >= IOAPIC_REG_REDIR && pin < IOAPIC_PINS)
		write_redir(chip, pin, ioapic->select & 1, value);
}

u32 ioapic__read(struct irqchip *chip, unsigned offset)
{
	switch (offset) {
	case 0x00:
		return chip->ioapic.select;
	case 0x10:
		return read_selected(&chip->ioapic);
	}
	return 0;
}

void ioapic__write(struct irqchip *chip, unsigned offset, u32 value)
{
	switch (offset) {
	case 0x00:
		chip->ioapic.select = value & 0xff;
		break;
	case 0x10:
		write_selected(chip, value);
		break;
	}
}

void ioapic__get_state(struct irqchip *chip, struct kvm_ioapic_state *state)
{
	const struct ioapic *ioapic = &chip->ioapic;
	unsigned pin;

	memset(state, 0, sizeof(*state));
	state->base_address = ioapic->base;
	state->ioregsel = ioapic->select;
	state->id = ioapic->id;
	/* Edges that were sent on shall not be sent again where the state is set. */
	state->irr = ioapic->irr & ~ioapic->delivered;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		state->redirtbl[pin].bits = ioapic->redir[pin];
}

void ioapic__set_state(struct irqchip *chip, const struct kvm_ioapic_state *state)
{
	struct ioapic *ioapic = &chip->ioapic;
	unsigned pin;

	ioapic->base = state->base_address;
	ioapic->select = state->ioregsel & 0xff;
	ioapic->id = state->id & 0xf;
	ioapic->irr = 0;
	ioapic->delivered = 0;
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		ioapic->redir[pin] = state->redirtbl[pin].bits;
		ioapic->successive[pin] = 0;
	}
	memset(&ioapic->rtc_reached, 0, sizeof(ioapic->rtc_reached));
	chip__update_eoi_vectors(chip);
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		if (state->irr >> pin & 1)
			drive_pin(chip, pin, true, true);
}

void ioapic__init(struct irqchip *chip)
{
	unsigned pin;

	chip->ioapic.base = IOAPIC_BASE;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		chip->ioapic.redir[pin] = REDIR_MASKED;
	host__timer_init(&chip->ioapic.storm_timer, resume_after_storm);
}

void ioapic__destroy(struct irqchip *chip)
{
	host__timer_destroy(&chip->ioapic.storm_timer);
}
