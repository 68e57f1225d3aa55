/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt wires: level changes on their way to the interrupt controllers. */
#include "vmm/device/irq.h"

#include <errno.h>
#include <string.h>

void irq_hub__init(struct irq_hub *hub, void (*set)(void *opaque, unsigned gsi, bool level),
		   void *opaque)
{
	memset(hub, 0, sizeof(*hub));
	pthread_mutex_init(&hub->lock, NULL);
	hub->set = set;
	hub->opaque = opaque;
}

void irq_hub__destroy(struct irq_hub *hub)
{
	pthread_mutex_destroy(&hub->lock);
}

void irq_hub__refresh(struct irq_hub *hub)
{
	unsigned gsi;

	pthread_mutex_lock(&hub->lock);
	for (gsi = 0; gsi < IRQ_HUB_GSIS; gsi++)
		if (hub->high[gsi])
			hub->set(hub->opaque, gsi, true);
	pthread_mutex_unlock(&hub->lock);
}

int irq_wire__connect(struct irq_wire *wire, struct irq_hub *hub, unsigned gsi)
{
	if (gsi >= IRQ_HUB_GSIS)
		return -EINVAL;
	*wire = (struct irq_wire){ .hub = hub, .gsi = gsi };
	return 0;
}

void irq_wire__set(struct irq_wire *wire, bool level)
{
	struct irq_hub *hub = wire->hub;

	if (!hub || wire->level == level)
		return;
	wire->level = level;
	pthread_mutex_lock(&hub->lock);
	if (level ? hub->high[wire->gsi]++ == 0 : --hub->high[wire->gsi] == 0)
		hub->set(hub->opaque, wire->gsi, level);
	pthread_mutex_unlock(&hub->lock);
}
