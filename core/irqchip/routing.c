/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GSI routing: KVM_SET_GSI_ROUTING, KVM_IRQ_LINE, KVM_SIGNAL_MSI. */
#include "core/irqchip/chip.h"
#include "core/irqchip/routing.h"
#include "core/vm/vm.h"

static bool is_pic(u32 which)
{
	return which == KVM_IRQCHIP_PIC_MASTER || which == KVM_IRQCHIP_PIC_SLAVE;
}

/* With 32-bit IDs the low byte of the upper address is reserved. */
static bool msi_is_valid(const struct vm *vm, u32 address_hi)
{
	return !(vm->x2apic_32bit_ids && (address_hi & 0xff));
}

static int convert_entry(const struct irqchip *chip, const struct kvm_irq_routing_entry *entry,
			 struct route *route)
{
	/* The device ID of KVM_MSI_VALID_DEVID means nothing without an interrupt translator. */
	if (entry->flags & ~(entry->type == KVM_IRQ_ROUTING_MSI ? KVM_MSI_VALID_DEVID : 0U))
		return -EINVAL;
	route->type = entry->type;
	switch (entry->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		route->irqchip.chip = entry->u.irqchip.irqchip;
		route->irqchip.pin = entry->u.irqchip.pin;
		if (chip->split || route->irqchip.chip >= KVM_NR_IRQCHIPS)
			return -EINVAL;
		if (route->irqchip.pin >= (is_pic(route->irqchip.chip) ? 8 : IOAPIC_PINS))
			return -EINVAL;
		return 0;
	case KVM_IRQ_ROUTING_MSI:
		route->msi.address_lo = entry->u.msi.address_lo;
		route->msi.address_hi = entry->u.msi.address_hi;
		route->msi.data = entry->u.msi.data;
		return msi_is_valid(chip->vm, route->msi.address_hi) ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* A GSI drives one message, or at most one pin of each controller. */
static bool conflicts(const struct route *a, const struct route *b)
{
	return a->type != KVM_IRQ_ROUTING_IRQCHIP || b->type != KVM_IRQ_ROUTING_IRQCHIP ||
	       a->irqchip.chip == b->irqchip.chip;
}

/* Counting sort by GSI: first[] gets the number of routes, then their start, per GSI. */
static int fill(struct irqchip *chip, struct routing *routing,
		const struct kvm_irq_routing_entry *entries, u32 count)
{
	u32 *first = routing->first, i, j, k;

	for (i = 0; i < count; i++)
		if (++first[entries[i].gsi + 1] > ROUTING_MAX_PER_GSI)
			return -EINVAL;
	for (i = 0; i < routing->nr_gsis; i++)
		first[i + 1] += first[i];
	for (i = 0; i < count; i++) {
		struct route *route = &routing->route[first[entries[i].gsi]];
		int ret;

		for (j = 0; route[j].type; j++)
			;
		ret = convert_entry(chip, &entries[i], &route[j]);
		if (ret)
			return ret;
		for (k = 0; k < j; k++)
			if (conflicts(&route[k], &route[j]))
				return -EINVAL;
		if (route[j].type == KVM_IRQ_ROUTING_IRQCHIP)
			routing->pin_gsi[route[j].irqchip.chip][route[j].irqchip.pin] =
				entries[i].gsi;
	}
	return 0;
}

void routing__free(struct routing *routing)
{
	if (!routing)
		return;
	host__free(routing->route);
	host__free(routing->first);
	host__free(routing);
}

static struct routing *alloc_routing(u32 nr_gsis, u32 count)
{
	struct routing *routing = host__alloc(sizeof(*routing));

	if (!routing)
		return NULL;
	memset(routing->pin_gsi, 0xff, sizeof(routing->pin_gsi));
	routing->nr_gsis = nr_gsis;
	routing->first = host__alloc((nr_gsis + 1) * sizeof(*routing->first));
	/* One more, so that a scan for a free slot always ends. */
	routing->route = host__alloc((count + 1) * sizeof(*routing->route));
	if (routing->first && routing->route)
		return routing;
	routing__free(routing);
	return NULL;
}

int routing__install(struct irqchip *chip, const struct kvm_irq_routing_entry *entries, u32 count)
{
	struct routing *routing, *old;
	u32 i, nr_gsis = 0;
	int ret;

	if (count > ROUTING_MAX_GSIS)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (entries[i].gsi >= ROUTING_MAX_GSIS)
			return -EINVAL;
		nr_gsis = MAX_OF(nr_gsis, entries[i].gsi + 1);
	}
	routing = alloc_routing(nr_gsis, count);
	if (!routing)
		return -ENOMEM;
	ret = fill(chip, routing, entries, count);
	if (ret) {
		routing__free(routing);
		return ret;
	}
	host__mutex_lock(&chip->lock);
	old = chip->routing;
	chip->routing = routing;
	chip__update_eoi_vectors(chip);
	host__mutex_unlock(&chip->lock);
	routing__free(old);
	return 0;
}

int routing__install_default(struct irqchip *chip)
{
	struct kvm_irq_routing_entry entries[PIC_PINS + IOAPIC_PINS];
	u32 i, n = 0;

	memset(entries, 0, sizeof(entries));
	for (i = 0; i < IOAPIC_PINS; i++) {
		entries[n].gsi = i;
		entries[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[n].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entries[n++].u.irqchip.pin = i;
		if (i >= PIC_PINS)
			continue;
		entries[n].gsi = i;
		entries[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[n].u.irqchip.irqchip = i / 8; /* KVM_IRQCHIP_PIC_MASTER, _SLAVE */
		entries[n++].u.irqchip.pin = i % 8;
	}
	return routing__install(chip, entries, n);
}

int irqchip__set_routing(struct vm *vm, const struct kvm_irq_routing_entry *entries, u32 count,
			 u32 flags)
{
	struct irqchip *chip = chip__of(vm);

	if (!chip || flags)
		return -EINVAL;
	return routing__install(chip, entries, count);
}

static int deliver_msi(struct irqchip *chip, u32 address_lo, u32 address_hi, u32 data)
{
	struct apic_message message;

	if (!msi_is_valid(chip->vm, address_hi))
		return -EINVAL;
	message__from_msi(chip->vm, address_lo, address_hi, data, &message);
	return message__deliver(chip->vm, NULL, &message, NULL);
}

static int drive(struct irqchip *chip, const struct route *route, enum line_source source,
		 bool level, bool tracked)
{
	u32 pin;

	if (route->type == KVM_IRQ_ROUTING_MSI) {
		if (!level)
			return -1;
		return deliver_msi(chip, route->msi.address_lo, route->msi.address_hi,
				   route->msi.data);
	}
	pin = route->irqchip.pin;
	if (route->irqchip.chip == KVM_IRQCHIP_IOAPIC)
		return ioapic__set_line(chip, pin, source, level, tracked);
	if (route->irqchip.chip == KVM_IRQCHIP_PIC_SLAVE)
		pin += 8;
	return pic__set_line(chip, pin, source, level);
}

/* Routes of a GSI; their number in *count. */
static const struct route *find_routes(const struct irqchip *chip, u32 gsi, u32 *count)
{
	const struct routing *routing = chip->routing;

	*count = 0;
	if (!routing || gsi >= routing->nr_gsis)
		return NULL;
	*count = routing->first[gsi + 1] - routing->first[gsi];
	return &routing->route[routing->first[gsi]];
}

int routing__set_line(struct irqchip *chip, enum line_source source, u32 gsi, bool level,
		      bool tracked)
{
	u32 i, count;
	const struct route *route = find_routes(chip, gsi, &count);
	int ret = -1;

	for (i = 0; i < count; i++) {
		int r = drive(chip, &route[i], source, level, tracked);

		if (r >= 0)
			ret = MAX_OF(ret, 0) + r;
	}
	return ret;
}

int routing__raise(struct irqchip *chip, enum line_source source, u32 gsi, bool level,
		   bool tracked)
{
	const struct route *route;
	struct route msi;
	u32 count;
	int ret;

	if (source == LINE_USER)
		__atomic_fetch_add(&chip->vm->device_events, 1, __ATOMIC_RELEASE);
	host__mutex_lock(&chip->lock);
	route = find_routes(chip, gsi, &count);
	/* A message needs no controller: deliver it, and wake its vCPU, without the lock. */
	if (count == 1 && route->type == KVM_IRQ_ROUTING_MSI) {
		msi = *route;
		host__mutex_unlock(&chip->lock);
		return drive(chip, &msi, source, level, tracked);
	}
	ret = routing__set_line(chip, source, gsi, level, tracked);
	host__mutex_unlock(&chip->lock);
	return ret;
}

int routing__gsi_of_pin(struct irqchip *chip, unsigned which, unsigned pin)
{
	u16 gsi = chip->routing ? chip->routing->pin_gsi[which][pin] : ROUTING_NO_GSI;

	return gsi == ROUTING_NO_GSI ? -1 : gsi;
}

int irqchip__line(struct vm *vm, u32 gsi, bool level, int *status)
{
	struct irqchip *chip = chip__of(vm);
	int ret;

	if (!chip)
		return -ENXIO;
	ret = routing__raise(chip, LINE_USER, gsi, level, status);
	if (status)
		*status = ret;
	return 0;
}

int irqchip__msi(struct vm *vm, const struct kvm_msi *msi)
{
	struct irqchip *chip = chip__of(vm);

	if (!chip || (msi->flags & ~KVM_MSI_VALID_DEVID))
		return -EINVAL;
	return deliver_msi(chip, msi->address_lo, msi->address_hi, msi->data);
}
