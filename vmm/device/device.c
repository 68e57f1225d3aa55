/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device's life: created from its class, realized, destroyed. */
#include "vmm/device/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config_class config_class(const struct device_class *class)
{
	return (struct config_class){ "device", class->name, class->options };
}

int option__parse(const struct device_class *class, const char *text, void *object, char *error,
		  size_t error_size)
{
	const struct config_class options = config_class(class);

	return config__parse(&options, text, object, error, error_size);
}

void option__free(const struct device_class *class, void *object)
{
	const struct config_class options = config_class(class);

	config__free(&options, object);
}

int device__create(const struct device_class *class, unsigned index, const char *options,
		   const struct device_services *services, struct device **out, char *error,
		   size_t error_size)
{
	struct device *dev = calloc(1, class->size);
	int err;

	if (!dev) {
		snprintf(error, error_size, "device %s: out of memory", class->name);
		return -ENOMEM;
	}
	dev->class = class;
	dev->index = index;
	dev->services = services;
	err = option__parse(class, options, dev, error, error_size);
	if (err) {
		free(dev);
		return err;
	}
	*out = dev;
	return 0;
}

int device__realize(struct device *dev, char *error, size_t error_size)
{
	return dev->class->realize(dev, error, error_size);
}

void device__destroy(struct device *dev)
{
	if (!dev)
		return;
	while (dev->port_count)
		dispatch__remove(dev->services->ports, dev->port[--dev->port_count]);
	if (dev->class->remove)
		dev->class->remove(dev);
	option__free(dev->class, dev);
	free(dev);
}

int device__claim_ports(struct device *dev, uint16_t port, unsigned count, unsigned width,
			void (*handler)(void *opaque, struct access *access), char *error,
			size_t error_size)
{
	struct dispatch_range range = { .start = port,
					.size = count,
					.width = (uint8_t)width,
					.handler = handler,
					.opaque = dev };
	int err = -ENOSPC;

	if (count > 0x10000u - port)
		err = -EINVAL;
	else if (dev->port_count < sizeof(dev->port) / sizeof(dev->port[0]))
		err = dispatch__add(dev->services->ports, &range);
	if (err) {
		snprintf(error, error_size, "device %s: I/O ports 0x%x to 0x%x: %s", dev->class->name,
			 port, port + count - 1,
			 err == -EBUSY ? "another device has them, choose others" : strerror(-err));
		return err;
	}
	dev->port[dev->port_count++] = port;
	return 0;
}
