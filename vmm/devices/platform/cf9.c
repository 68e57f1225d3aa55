/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reset control register at port CF9H, as in Intel chip sets; the ACPI reset register. */
#include "vmm/acpi/ports.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"

#define RST_CPU 0x04u /* its rising edge resets */
#define KEPT 0x0au    /* SYS_RST, FULL_RST */

struct reset_control {
	struct device dev;
	uint8_t value; /* a byte: vCPUs that race get one or the other */
};

static void access_port(void *opaque, struct access *access)
{
	struct reset_control *control = opaque;
	const struct device_services *services = control->dev.services;

	if (!access->write) {
		access->value = control->value;
		return;
	}
	control->value = access->value & KEPT;
	if (access->value & RST_CPU)
		services->request(services->opaque, DEVICE_REQUEST_RESET, 0);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	return device__claim_ports(dev, RESET_CONTROL_PORT, 1, 1, access_port, error, error_size);
}

static void reset(struct device *dev)
{
	container_of_type(dev, struct reset_control, dev)->value = 0;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct reset_control, value, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, NULL };

const struct device_class device_class_reset_control = {
	.name = "reset-control",
	.help = "reset register at port 0xcf9",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct reset_control),
	.state = &state,
	.realize = realize,
	.reset = reset,
};
