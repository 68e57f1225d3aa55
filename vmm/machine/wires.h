/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wires: eventfds whose signals are interrupt messages (KVM_IRQFD). Each has a GSI of its own behind
 * those of the controllers' pins, and a route from there to its message.
 */
#ifndef VMM_MACHINE_WIRES_H
#define VMM_MACHINE_WIRES_H

#include <pthread.h>

#include "vmm/device/message.h"
#include "vmm/kvm/kvm.h"

#define WIRES_MOST 512u

struct wire {
	int fd; /* -1: free */
	struct irq_message message;
};

struct wires {
	pthread_mutex_t lock; /* guards what follows, and the routes of the virtual machine */
	struct kvm_vm *vm;    /* NULL: none now */
	struct wire wire[WIRES_MOST];
};

void wires__init(struct wires *wires);
void wires__destroy(struct wires *wires);
/* The virtual machine, whose routes are those of a PC, is there; or (NULL) goes, with all its wires. */
void wires__set_vm(struct wires *wires, struct kvm_vm *vm);
/* message_hub__wire(); also -ENOSPC. */
int wires__set(struct wires *wires, int fd, const struct irq_message *message);

#endif
