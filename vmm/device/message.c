/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt messages and doorbells on their way to the hypervisor. */
#include "vmm/device/message.h"

#include <errno.h>

/* SDM vol. 3, 11.11.1: the address of a message has FEEH in bits 31:20. */
#define MESSAGE_WINDOW 0xfeeull
#define MESSAGE_WINDOW_SHIFT 20

static bool is_interrupt(const struct irq_message *message)
{
	return message->address >> MESSAGE_WINDOW_SHIFT == MESSAGE_WINDOW;
}

void message_hub__send(struct message_hub *hub, const struct irq_message *message)
{
	if (is_interrupt(message))
		hub->send(hub->opaque, message);
}

int message_hub__wire(struct message_hub *hub, int fd, const struct irq_message *message)
{
	if (!hub->wire || (message && !is_interrupt(message)))
		return -EOPNOTSUPP;
	return hub->wire(hub->opaque, fd, message);
}

int message_hub__doorbell(struct message_hub *hub, const struct doorbell *doorbell, bool on)
{
	return hub->doorbell ? hub->doorbell(hub->opaque, doorbell, on) : -EOPNOTSUPP;
}
