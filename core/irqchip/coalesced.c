/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Coalesced I/O (api.rst 4.116): writes to registered zones are queued in a ring that user space
 * shares and reads when it gets round to it, instead of each causing an exit.
 */
#include "core/irqchip/ioeventfd.h"
#include "core/irqchip/irqchip.h"
#include "core/vm/vm.h"

/* KVM_COALESCED_MMIO_MAX needs a PAGE_SIZE. */
#define RING_ENTRIES                                                                               \
	((4096 - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

static bool holds(const struct kvm_coalesced_mmio_zone *zone, u64 address, u64 size)
{
	return address >= zone->addr && size <= zone->size &&
	       address - zone->addr <= zone->size - size;
}

/* User space writes to the ring at any time: nothing read from it is trusted, or read twice. */
static bool append(struct kvm_coalesced_mmio_ring *ring, bool pio, u64 address, unsigned size,
		   const void *data)
{
	u32 last = __atomic_load_n(&ring->last, __ATOMIC_RELAXED);
	struct kvm_coalesced_mmio *entry;

	if (last >= RING_ENTRIES ||
	    (last + 1) % RING_ENTRIES == __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE))
		return false;
	entry = &ring->coalesced_mmio[last];
	entry->phys_addr = address;
	entry->len = size;
	entry->pio = pio;
	memcpy(entry->data, data, size);
	__atomic_store_n(&ring->last, (last + 1) % RING_ENTRIES, __ATOMIC_RELEASE);
	return true;
}

bool coalesced__write(struct vcpu *vcpu, struct ioeventfd_table *table, bool pio, u64 address,
		      unsigned size, const void *data)
{
	u32 i;

	if (!vcpu->coalesced)
		return false;
	for (i = 0; i < table->nr_zones; i++)
		if (table->zones[i].pio == pio && holds(&table->zones[i], address, size))
			return append(vcpu->coalesced, pio, address, size, data);
	return false;
}

int coalesced__register(struct vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct ioeventfd_table *table;
	int ret = -ENOSPC;

	if (zone->pio > 1)
		return -EINVAL;
	table = ioeventfd__table(vm);
	if (!table)
		return -ENOMEM;
	host__mutex_lock(&table->lock);
	if (table->nr_zones == IOEVENTFD_MAX)
		goto unlock;
	ret = -ENOMEM;
	if (!table->zones)
		table->zones = host__alloc_sparse(IOEVENTFD_MAX * sizeof(*table->zones));
	if (!table->zones)
		goto unlock;
	table->zones[table->nr_zones] = *zone;
	__atomic_store_n(&table->nr_zones, table->nr_zones + 1, __ATOMIC_RELEASE);
	ret = 0;
unlock:
	host__mutex_unlock(&table->lock);
	return ret;
}

/* Removes every zone that holds the given one; none is no error. */
int coalesced__unregister(struct vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct ioeventfd_table *table;
	u32 i, kept = 0;

	if (zone->pio > 1)
		return -EINVAL;
	table = ioeventfd__table(vm);
	if (!table)
		return -ENOMEM;
	host__mutex_lock(&table->lock);
	for (i = 0; i < table->nr_zones; i++) {
		if (table->zones[i].pio == zone->pio &&
		    holds(&table->zones[i], zone->addr, zone->size))
			continue;
		table->zones[kept++] = table->zones[i];
	}
	__atomic_store_n(&table->nr_zones, kept, __ATOMIC_RELEASE);
	host__mutex_unlock(&table->lock);
	return 0;
}
