/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System control port A (92H) of the PS/2: fast reset and the A20 bit, which masks nothing here. */
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"

#define PORT 0x92
#define FAST_RESET 0x01u /* its rising edge resets */
#define A20 0x02u

struct port92 {
	struct device dev;
	uint8_t value;
};

static void access_port(void *opaque, struct access *access)
{
	struct port92 *port = opaque;
	const struct device_services *services = port->dev.services;
	bool rises = access->value & ~port->value & FAST_RESET;

	if (!access->write) {
		access->value = port->value;
		return;
	}
	port->value = access->value & (FAST_RESET | A20);
	if (rises)
		services->request(services->opaque, DEVICE_REQUEST_RESET, 0);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	return device__claim_ports(dev, PORT, 1, 1, access_port, error, error_size);
}

static void reset(struct device *dev)
{
	container_of_type(dev, struct port92, dev)->value = A20;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct port92, value, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, NULL };

const struct device_class device_class_port92 = {
	.name = "port92",
	.help = "system control port: fast A20 and reset",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct port92),
	.state = &state,
	.realize = realize,
	.reset = reset,
};
