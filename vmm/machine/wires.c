/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eventfds whose signals are interrupt messages. */
#include "vmm/machine/wires.h"

#include <errno.h>
#include <stdlib.h>

void wires__init(struct wires *wires)
{
	pthread_mutex_init(&wires->lock, NULL);
	wires__set_vm(wires, NULL);
}

void wires__destroy(struct wires *wires)
{
	pthread_mutex_destroy(&wires->lock);
}

void wires__set_vm(struct wires *wires, struct kvm_vm *vm)
{
	unsigned i;

	pthread_mutex_lock(&wires->lock);
	wires->vm = vm;
	for (i = 0; i < WIRES_MOST; i++)
		wires->wire[i].fd = -1;
	pthread_mutex_unlock(&wires->lock);
}

/* A free one for -1. */
static struct wire *find(struct wires *wires, int fd)
{
	unsigned i;

	for (i = 0; i < WIRES_MOST; i++)
		if (wires->wire[i].fd == fd)
			return &wires->wire[i];
	return NULL;
}

static unsigned gsi_of(const struct wires *wires, const struct wire *wire)
{
	return KVM_PC_GSIS + (unsigned)(wire - wires->wire);
}

static int set_routes(struct wires *wires)
{
	struct kvm_irq_routing_entry *route = calloc(WIRES_MOST, sizeof(*route));
	unsigned i, count = 0;
	int err;

	if (!route)
		return -ENOMEM;
	for (i = 0; i < WIRES_MOST; i++) {
		const struct wire *wire = &wires->wire[i];

		if (wire->fd < 0)
			continue;
		route[count].gsi = gsi_of(wires, wire);
		route[count].type = KVM_IRQ_ROUTING_MSI;
		route[count].u.msi.address_lo = (uint32_t)wire->message.address;
		route[count].u.msi.address_hi = (uint32_t)(wire->message.address >> 32);
		route[count++].u.msi.data = wire->message.data;
	}
	err = kvm_vm__set_routes(wires->vm, route, count);
	free(route);
	return err;
}

static int set_irqfd(struct wires *wires, const struct wire *wire, bool on)
{
	const struct kvm_irqfd irqfd = { .fd = (uint32_t)wire->fd,
					 .gsi = gsi_of(wires, wire),
					 .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN };

	return kvm_vm__irqfd(wires->vm, &irqfd);
}

static int connect(struct wires *wires, int fd, const struct irq_message *message)
{
	struct wire *wire = find(wires, -1);
	int err;

	if (!wire)
		return -ENOSPC;
	*wire = (struct wire){ fd, *message };
	err = set_routes(wires);
	if (!err)
		err = set_irqfd(wires, wire, true);
	if (err)
		wire->fd = -1;
	return err;
}

/* Its route stays until the next is made: nothing goes that way. */
static void disconnect(struct wires *wires, int fd)
{
	struct wire *wire = find(wires, fd);

	if (!wire)
		return;
	set_irqfd(wires, wire, false);
	wire->fd = -1;
}

int wires__set(struct wires *wires, int fd, const struct irq_message *message)
{
	int err = message ? -EOPNOTSUPP : 0;

	pthread_mutex_lock(&wires->lock);
	if (wires->vm) {
		disconnect(wires, fd);
		err = message ? connect(wires, fd, message) : 0;
	}
	pthread_mutex_unlock(&wires->lock);
	return err;
}
