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

/* What the controllers see. The lock is held. */
static bool is_high(const struct irq_hub *hub, unsigned gsi)
{
	return hub->owner[gsi] ? hub->owner[gsi]->level : hub->high[gsi] > 0;
}

void irq_hub__refresh(struct irq_hub *hub)
{
	unsigned gsi;

	pthread_mutex_lock(&hub->lock);
	for (gsi = 0; gsi < IRQ_HUB_GSIS; gsi++) {
		if (hub->owner[gsi] && hub->silence)
			hub->silence(hub->opaque, gsi, true);
		if (is_high(hub, gsi))
			hub->set(hub->opaque, gsi, true);
	}
	pthread_mutex_unlock(&hub->lock);
}

void irq_hub__listen(struct irq_hub *hub, unsigned gsi, void (*raised)(void *opaque), void *opaque)
{
	hub->listener[gsi] = (struct irq_listener){ raised, opaque };
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
	const struct irq_listener *listener;
	bool before, after, owns;

	if (!hub || wire->level == level)
		return;
	pthread_mutex_lock(&hub->lock);
	owns = hub->owner[wire->gsi] == wire;
	before = is_high(hub, wire->gsi);
	wire->level = level;
	hub->high[wire->gsi] += level ? 1 : -1u;
	after = is_high(hub, wire->gsi);
	if (before != after)
		hub->set(hub->opaque, wire->gsi, after);
	pthread_mutex_unlock(&hub->lock);
	/* Without the lock: it may set a wire of its own. */
	listener = &hub->listener[wire->gsi];
	if (level && !owns && listener->raised)
		listener->raised(listener->opaque);
}

void irq_wire__own(struct irq_wire *wire, bool own)
{
	struct irq_hub *hub = wire->hub;
	unsigned gsi = wire->gsi;
	bool before, after;

	if (!hub)
		return;
	pthread_mutex_lock(&hub->lock);
	if ((hub->owner[gsi] == wire) != own) {
		before = is_high(hub, gsi);
		hub->owner[gsi] = own ? wire : NULL;
		after = is_high(hub, gsi);
		if (hub->silence)
			hub->silence(hub->opaque, gsi, own);
		if (before != after)
			hub->set(hub->opaque, gsi, after);
	}
	pthread_mutex_unlock(&hub->lock);
}
