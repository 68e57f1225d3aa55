/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug exit: a guest that writes N ends the process with status (N << 1) | 1. For tests. */
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"

struct debug_exit {
	struct device dev;
	uint64_t port, size;
};

static void access_port(void *opaque, struct access *access)
{
	struct debug_exit *debug_exit = opaque;
	const struct device_services *services = debug_exit->dev.services;

	if (access->write)
		services->request(services->opaque, DEVICE_REQUEST_EXIT,
				  (int)((uint32_t)access->value << 1 & 0x7fffffff) | 1);
	else
		access->value = 0;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct debug_exit *debug_exit = container_of_type(dev, struct debug_exit, dev);

	return device__claim_ports(dev, (uint16_t)debug_exit->port, (unsigned)debug_exit->size, 4,
				   access_port, error, error_size);
}

static void reset(struct device *dev)
{
}

static const struct config_option options[] = {
	{ "port", OPTION_U64, offsetof(struct debug_exit, port), 0xf4, 0, 0xffff, "I/O port" },
	{ "size", OPTION_U64, offsetof(struct debug_exit, size), 4, 1, 4, "ports" },
	{ NULL },
};

const struct device_class device_class_debug_exit = {
	.name = "debug-exit",
	.help = "a guest that writes N ends the process with status (N << 1) | 1",
	.bus = DEVICE_BUS_ISA,
	.max = 1,
	.size = sizeof(struct debug_exit),
	.options = options,
	.realize = realize,
	.reset = reset,
};
