/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt messages and doorbells: the two ways between a device and the CPUs that are memory
 * writes. A message is a write of the device's that the interrupt controllers take as an interrupt
 * (MSI); a doorbell is a write of the guest's that signals an eventfd instead of coming to the
 * device's handler.
 */
#ifndef VMM_DEVICE_MESSAGE_H
#define VMM_DEVICE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

struct irq_message {
	uint64_t address;
	uint32_t data;
};

struct doorbell {
	uint64_t address; /* guest-physical; a write of any size that starts here rings */
	int fd;		  /* eventfd */
	bool has_value;	  /* only a write of 4 bytes with this value rings */
	uint32_t value;
};

/* Where messages go and doorbells are hung up: the hypervisor. */
struct message_hub {
	/* 0 (also if the CPU addressed does not take it) or -errno. */
	int (*send)(void *opaque, const struct irq_message *message);
	int (*doorbell)(void *opaque, const struct doorbell *doorbell, bool on);
	/* message_hub__wire(); NULL: there are no wires. */
	int (*wire)(void *opaque, int fd, const struct irq_message *message);
	/* What a wire's signal does is done when the write to the eventfd returns. */
	bool wires_are_direct;
	void *opaque;
};

/* Any thread. A message to an address that is no interrupt controller's goes nowhere. */
void message_hub__send(struct message_hub *hub, const struct irq_message *message);

/*
 * Has signals of an eventfd send the message, instead of what they sent before; NULL: nothing any more.
 * Any thread. 0 or -errno: it sends nothing then. All wires are gone after the hypervisor's part of the
 * machine was replaced.
 */
int message_hub__wire(struct message_hub *hub, int fd, const struct irq_message *message);

/*
 * Hangs a doorbell up, or takes it down. Any thread. 0 or -errno; without it writes come to the
 * handler at the address. All doorbells are gone after the hypervisor's part of the machine was
 * replaced: taking one down then does nothing.
 */
int message_hub__doorbell(struct message_hub *hub, const struct doorbell *doorbell, bool on);

#endif
