/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM_IOEVENTFD: a guest's write to a port or address signals an eventfd instead of exiting. */
#include "core/irqchip/ioeventfd.h"
#include "core/irqchip/irqchip.h"
#include "core/vm/vm.h"

static const u32 flags_known = KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO |
			       KVM_IOEVENTFD_FLAG_DEASSIGN;

struct ioeventfd_table *ioeventfd__table(struct vm *vm)
{
	struct ioeventfd_table *none = NULL;
	struct ioeventfd_table *table = __atomic_load_n(&vm->ioeventfds, __ATOMIC_ACQUIRE);

	if (table)
		return table;
	table = host__alloc(sizeof(*table));
	if (!table)
		return NULL;
	host__mutex_init(&table->lock);
	if (__atomic_compare_exchange_n(&vm->ioeventfds, &none, table, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return table;
	host__mutex_destroy(&table->lock);
	host__free(table);
	return none;
}

/* Index of the first event at or after (pio, address). */
static u32 lower_bound(const struct ioeventfd_table *table, bool pio, u64 address)
{
	u32 low = 0, high = table->nr_events;

	while (low < high) {
		u32 middle = (low + high) / 2;
		const struct ioeventfd *e = &table->events[middle];

		if (e->pio < pio || (e->pio == pio && e->address < address))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct ioeventfd_table *table, u32 i, bool pio, u64 address)
{
	return i < table->nr_events && table->events[i].pio == pio &&
	       table->events[i].address == address;
}

/* Two that the same write could signal. */
static bool collides(const struct ioeventfd *a, const struct ioeventfd *b)
{
	if (!a->length || !b->length)
		return true;
	return a->length == b->length &&
	       (a->wildcard || b->wildcard || a->datamatch == b->datamatch);
}

/* Takes over e->event on success. */
static int insert(struct ioeventfd_table *table, const struct ioeventfd *e)
{
	u32 at = lower_bound(table, e->pio, e->address), i;

	for (i = at; is_at(table, i, e->pio, e->address); i++)
		if (collides(&table->events[i], e))
			return -EEXIST;
	if (table->nr_events == IOEVENTFD_MAX)
		return -ENOSPC;
	if (!table->events) {
		table->events = host__alloc_sparse(IOEVENTFD_MAX * sizeof(*table->events));
		if (!table->events)
			return -ENOMEM;
	}
	memmove(&table->events[at + 1], &table->events[at],
		(table->nr_events - at) * sizeof(*table->events));
	table->events[at] = *e;
	__atomic_store_n(&table->nr_events, table->nr_events + 1, __ATOMIC_RELEASE);
	return 0;
}

static void remove_at(struct ioeventfd_table *table, u32 i)
{
	host__eventfd_put(table->events[i].event);
	memmove(&table->events[i], &table->events[i + 1],
		(table->nr_events - i - 1) * sizeof(*table->events));
	__atomic_store_n(&table->nr_events, table->nr_events - 1, __ATOMIC_RELEASE);
}

static int assign(struct ioeventfd_table *table, const struct kvm_ioeventfd *args,
		  struct ioeventfd *e)
{
	int ret;

	switch (args->len) {
	case 0:
		/* Without a length there is nothing to compare. */
		if (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
			return -EINVAL;
		break;
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return -EINVAL;
	}
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	e->event = host__eventfd_get(args->fd);
	if (!e->event)
		return -EBADF;
	host__mutex_lock(&table->lock);
	ret = insert(table, e);
	host__mutex_unlock(&table->lock);
	if (ret)
		host__eventfd_put(e->event);
	return ret;
}

static int deassign(struct ioeventfd_table *table, const struct kvm_ioeventfd *args,
		    const struct ioeventfd *wanted)
{
	struct host_eventfd *event = host__eventfd_get(args->fd);
	int ret = -ENOENT;
	u32 i;

	if (!event)
		return -EBADF;
	host__eventfd_put(event);
	host__mutex_lock(&table->lock);
	for (i = lower_bound(table, wanted->pio, wanted->address);
	     is_at(table, i, wanted->pio, wanted->address); i++) {
		const struct ioeventfd *e = &table->events[i];

		if (e->length != wanted->length || e->wildcard != wanted->wildcard ||
		    (!e->wildcard && e->datamatch != wanted->datamatch) ||
		    !host__eventfd_same(e->event, args->fd))
			continue;
		remove_at(table, i);
		ret = 0;
		break;
	}
	host__mutex_unlock(&table->lock);
	return ret;
}

int ioeventfd__configure(struct vm *vm, const struct kvm_ioeventfd *args)
{
	struct ioeventfd_table *table;
	struct ioeventfd e = {
		.address = args->addr,
		.datamatch = args->datamatch,
		.length = args->len,
		.pio = args->flags & KVM_IOEVENTFD_FLAG_PIO,
		.wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH),
	};

	/* Among the unknown: the virtio-ccw bus, which an x86 machine has not. */
	if (args->flags & ~flags_known)
		return -EINVAL;
	table = ioeventfd__table(vm);
	if (!table)
		return -ENOMEM;
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		return deassign(table, args, &e);
	return assign(table, args, &e);
}

static bool is_hit(const struct ioeventfd *e, unsigned size, const void *data)
{
	u64 value = 0;

	if (!e->length)
		return true;
	if (e->length != size)
		return false;
	memcpy(&value, data, size);
	return e->wildcard || value == e->datamatch;
}

static bool handle_write(struct vcpu *vcpu, bool pio, u64 address, unsigned size,
			 const void *data)
{
	struct ioeventfd_table *table = __atomic_load_n(&vcpu->vm->ioeventfds, __ATOMIC_ACQUIRE);
	bool hit = false;
	u32 i;

	if (!table || size > 8 ||
	    !(__atomic_load_n(&table->nr_events, __ATOMIC_ACQUIRE) |
	      __atomic_load_n(&table->nr_zones, __ATOMIC_ACQUIRE)))
		return false;
	host__mutex_lock(&table->lock);
	for (i = lower_bound(table, pio, address); is_at(table, i, pio, address); i++) {
		if (!is_hit(&table->events[i], size, data))
			continue;
		host__eventfd_signal(table->events[i].event);
		hit = true;
		break;
	}
	if (!hit)
		hit = coalesced__write(vcpu, table, pio, address, size, data);
	host__mutex_unlock(&table->lock);
	return hit;
}

bool ioeventfd__port_write(struct vcpu *vcpu, u16 port, unsigned size, u32 value)
{
	return handle_write(vcpu, true, port, size, &value);
}

bool ioeventfd__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data)
{
	return handle_write(vcpu, false, gpa, size, data);
}

void ioeventfd__release_all(struct vm *vm)
{
	struct ioeventfd_table *table = vm->ioeventfds;

	if (!table)
		return;
	while (table->nr_events)
		remove_at(table, table->nr_events - 1);
	host__free_sparse(table->events, IOEVENTFD_MAX * sizeof(*table->events));
	host__free_sparse(table->zones, IOEVENTFD_MAX * sizeof(*table->zones));
	host__mutex_destroy(&table->lock);
	host__free(table);
	vm->ioeventfds = NULL;
}
