/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VM's ioeventfds and coalesced zones, which share a lock: writes look into both. */
#ifndef CORE_IRQCHIP_IOEVENTFD_H
#define CORE_IRQCHIP_IOEVENTFD_H

#include <linux/kvm.h>
#include "core/host.h"

struct vm;
struct vcpu;

/* As KVM's NR_IOBUS_DEVS, for each of the two kinds. */
#define IOEVENTFD_MAX 1000

struct ioeventfd {
	u64 address;
	u64 datamatch;
	struct host_eventfd *event;
	u32 length; /* 0: any */
	bool pio;
	bool wildcard; /* any data */
};

struct ioeventfd_table {
	struct host_mutex lock;
	/* Sorted by pio, then address. Counts are also read without the lock, to skip it. */
	struct ioeventfd *events;
	u32 nr_events;
	u32 nr_zones;
	struct kvm_coalesced_mmio_zone *zones;
};

/* The table of the VM, made when it is first needed; NULL without memory. */
struct ioeventfd_table *ioeventfd__table(struct vm *vm);

/* coalesced.c: appends the write to the ring if a zone holds it and there is room. */
bool coalesced__write(struct vcpu *vcpu, struct ioeventfd_table *table, bool pio, u64 address,
		      unsigned size, const void *data);

#endif
