/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The irqchip of a VM as a whole: creation, saved state, dispatch of port and memory accesses, and
 * what happens when an interrupt was acknowledged.
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

struct irqchip *chip__of(struct vm *vm)
{
	return __atomic_load_n(&vm->irqchip, __ATOMIC_ACQUIRE);
}

static void free_chip(struct irqchip *chip)
{
	pit_timer__destroy(chip);
	ioapic__destroy(chip);
	routing__free(chip->routing);
	host__mutex_destroy(&chip->irqfd_config);
	host__mutex_destroy(&chip->lock);
	host__free(chip);
}

static struct irqchip *alloc_chip(struct vm *vm)
{
	struct irqchip *chip = host__alloc(sizeof(*chip));

	if (!chip)
		return NULL;
	chip->vm = vm;
	host__mutex_init(&chip->lock);
	host__mutex_init(&chip->irqfd_config);
	pic__init(chip);
	ioapic__init(chip);
	pit_timer__init(chip);
	return chip;
}

static int publish(struct vm *vm, struct irqchip *chip)
{
	struct irqchip *none = NULL;

	if (__atomic_compare_exchange_n(&vm->irqchip, &none, chip, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return 0;
	return -EEXIST;
}

int irqchip__create(struct vm *vm)
{
	struct irqchip *chip;
	int ret;

	if (chip__of(vm))
		return -EEXIST;
	if (__atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE))
		return -EINVAL;
	chip = alloc_chip(vm);
	if (!chip)
		return -ENOMEM;
	ret = routing__install_default(chip);
	if (!ret)
		ret = publish(vm, chip);
	if (ret)
		free_chip(chip);
	return ret;
}

int irqchip__create_split(struct vm *vm, u32 reserved)
{
	struct irqchip *chip;
	int ret;

	if (reserved > ROUTING_MAX_GSIS)
		return -EINVAL;
	if (chip__of(vm) || __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE))
		return -EEXIST;
	chip = alloc_chip(vm);
	if (!chip)
		return -ENOMEM;
	chip->split = true;
	chip->reserved_routes = reserved;
	ret = publish(vm, chip);
	if (ret)
		free_chip(chip);
	else
		vm->split_irqchip = true;
	return ret;
}

void irqchip__destroy(struct vm *vm)
{
	struct irqchip *chip = chip__of(vm);

	if (!chip)
		return;
	irqfd__release_all(vm);
	__atomic_store_n(&vm->irqchip, NULL, __ATOMIC_RELEASE);
	free_chip(chip);
}

int irqchip__get(struct vm *vm, struct kvm_irqchip *state)
{
	struct irqchip *chip = chip__of(vm);
	int ret = 0;

	if (!chip || chip->split)
		return -ENXIO;
	host__mutex_lock(&chip->lock);
	switch (state->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		state->chip.pic = chip->pic.chip[state->chip_id];
		break;
	case KVM_IRQCHIP_IOAPIC:
		ioapic__get_state(chip, &state->chip.ioapic);
		break;
	default:
		ret = -EINVAL;
	}
	host__mutex_unlock(&chip->lock);
	return ret;
}

int irqchip__set(struct vm *vm, const struct kvm_irqchip *state)
{
	struct irqchip *chip = chip__of(vm);
	int ret = 0;

	if (!chip || chip->split)
		return -ENXIO;
	host__mutex_lock(&chip->lock);
	switch (state->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic__set_state(chip, state->chip_id, &state->chip.pic);
		break;
	case KVM_IRQCHIP_IOAPIC:
		ioapic__set_state(chip, &state->chip.ioapic);
		break;
	default:
		ret = -EINVAL;
	}
	host__mutex_unlock(&chip->lock);
	return ret;
}

bool chip__wants_eoi(struct irqchip *chip, u8 vector)
{
	u32 word = __atomic_load_n(&chip->eoi_vectors[vector / 32], __ATOMIC_RELAXED);

	return word >> (vector % 32) & 1;
}

/* Whether someone waits for the acknowledgement of this pin. */
static bool has_listener(struct irqchip *chip, unsigned which, unsigned pin)
{
	int gsi = routing__gsi_of_pin(chip, which, pin);

	if (gsi < 0)
		return false;
	return (gsi == 0 && chip->pit.present && chip->pit.reinject) ||
	       irqfd__resamples(chip, gsi);
}

/* Split: level-triggered messages of the user-space IOAPIC's GSIs. */
static void collect_split(struct irqchip *chip, u32 *vectors)
{
	const struct routing *routing = chip->routing;
	u32 i, n;

	if (!routing)
		return;
	n = MIN_OF(chip->reserved_routes, routing->nr_gsis);
	for (i = 0; i < routing->first[n]; i++) {
		const struct route *route = &routing->route[i];

		if (route->type == KVM_IRQ_ROUTING_MSI && (route->msi.data & APIC_ICR_LEVEL))
			vectors[(route->msi.data & 0xff) / 32] |= 1U << (route->msi.data % 32);
	}
}

void chip__update_eoi_vectors(struct irqchip *chip)
{
	u32 vectors[8] = {0};
	unsigned i;

	if (chip->split)
		collect_split(chip, vectors);
	for (i = 0; i < IOAPIC_PINS && !chip->split; i++) {
		u64 entry = chip->ioapic.redir[i];

		if ((entry & REDIR_LEVEL) || has_listener(chip, KVM_IRQCHIP_IOAPIC, i))
			vectors[(entry & REDIR_VECTOR) / 32] |= 1U << (entry % 32);
	}
	for (i = 0; i < 8; i++)
		__atomic_store_n(&chip->eoi_vectors[i], vectors[i], __ATOMIC_RELAXED);
}

void chip__acknowledged(struct irqchip *chip, unsigned which, unsigned pin)
{
	int gsi = routing__gsi_of_pin(chip, which, pin);

	if (gsi < 0)
		return;
	if (gsi == 0)
		pit_timer__acked(chip);
	irqfd__acknowledged(chip, gsi);
}

void chip__unmasked(struct irqchip *chip, unsigned which, unsigned pin)
{
	/* Ticks that were lost behind the mask are not made up for. */
	if (chip->pit.present && routing__gsi_of_pin(chip, which, pin) == 0)
		pit_timer__reset_reinject(chip);
}

enum port_device { PORT_NONE, PORT_PIC, PORT_PIT };

/* The device that has all the size ports from port on. */
static enum port_device find_port(struct irqchip *chip, u16 port, unsigned size)
{
	switch (port) {
	case 0x20:
	case 0xa0:
	case 0x4d0:
		return size <= 2 ? PORT_PIC : PORT_NONE;
	case 0x21:
	case 0xa1:
	case 0x4d1:
		return size == 1 ? PORT_PIC : PORT_NONE;
	case 0x40:
	case 0x41:
	case 0x42:
	case 0x43:
		if (!__atomic_load_n(&chip->pit.present, __ATOMIC_ACQUIRE))
			return PORT_NONE;
		return port + size <= 0x44 ? PORT_PIT : PORT_NONE;
	case 0x61:
		if (!__atomic_load_n(&chip->pit.present, __ATOMIC_ACQUIRE))
			return PORT_NONE;
		return chip->pit.speaker && size == 1 ? PORT_PIT : PORT_NONE;
	}
	return PORT_NONE;
}

bool irqchip__port_read(struct vcpu *vcpu, u16 port, unsigned size, u32 *value)
{
	struct irqchip *chip = chip__of(vcpu->vm);
	enum port_device device;
	unsigned i;

	if (!chip || chip->split)
		return false;
	device = find_port(chip, port, size);
	if (device == PORT_NONE)
		return false;
	*value = 0;
	host__mutex_lock(&chip->lock);
	/* The devices are 8 bits wide: wider accesses are split, as the bus does. */
	for (i = 0; i < size; i++)
		*value |= (u32)(device == PORT_PIC ? pic__read(chip, port + i)
						   : pit__read(chip, port + i))
			  << 8 * i;
	host__mutex_unlock(&chip->lock);
	return true;
}

bool irqchip__port_write(struct vcpu *vcpu, u16 port, unsigned size, u32 value)
{
	struct irqchip *chip = chip__of(vcpu->vm);
	enum port_device device;
	unsigned i;

	if (!chip || chip->split)
		return false;
	device = find_port(chip, port, size);
	if (device == PORT_NONE)
		return false;
	host__mutex_lock(&chip->lock);
	for (i = 0; i < size; i++, value >>= 8) {
		if (device == PORT_PIC)
			pic__write(chip, port + i, value);
		else
			pit__write(chip, port + i, value);
	}
	host__mutex_unlock(&chip->lock);
	return true;
}

static struct irqchip *find_ioapic(struct vcpu *vcpu, u64 gpa, unsigned size)
{
	struct irqchip *chip = chip__of(vcpu->vm);

	if (!chip || chip->split || gpa - IOAPIC_BASE >= IOAPIC_MMIO_SIZE ||
	    gpa - IOAPIC_BASE + size > IOAPIC_MMIO_SIZE)
		return NULL;
	return chip;
}

bool irqchip__mmio_read(struct vcpu *vcpu, u64 gpa, unsigned size, void *data)
{
	struct irqchip *chip;
	u64 value;

	if (lapic__mmio_read(vcpu, gpa, size, data))
		return true;
	chip = find_ioapic(vcpu, gpa, size);
	if (!chip)
		return false;
	host__mutex_lock(&chip->lock);
	value = ioapic__read(chip, gpa - IOAPIC_BASE);
	host__mutex_unlock(&chip->lock);
	memcpy(data, &value, MIN_OF(size, 8U));
	return true;
}

bool irqchip__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data)
{
	struct irqchip *chip;
	u32 value = 0;

	if (lapic__mmio_write(vcpu, gpa, size, data))
		return true;
	chip = find_ioapic(vcpu, gpa, size);
	if (!chip)
		return false;
	memcpy(&value, data, MIN_OF(size, 4U));
	host__mutex_lock(&chip->lock);
	ioapic__write(chip, gpa - IOAPIC_BASE, value);
	host__mutex_unlock(&chip->lock);
	return true;
}
