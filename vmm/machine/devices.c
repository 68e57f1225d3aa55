/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices a machine has, by its configuration: made in the table's order, removed in reverse. */
#include "vmm/machine/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/device/device.h"
#include "vmm/machine/device_table.h"

struct adding {
	const struct machine_config *config;
	const struct device_services *services;
	struct device **list;
	char *error;
	size_t error_size;
};

static bool is_missing_its_bus(const struct adding *adding, const struct device_class *class)
{
	return class->bus == DEVICE_BUS_PCI && adding->config->no_pci;
}

static int add_device(struct adding *adding, const struct device_class *class,
		      const char *options)
{
	struct device *dev, **last;
	unsigned index = 0;
	int err;

	if (is_missing_its_bus(adding, class)) {
		snprintf(adding->error, adding->error_size, "device %s: needs PCI, which is off",
			 class->name);
		return -EINVAL;
	}
	for (last = adding->list; *last; last = &(*last)->next)
		index += (*last)->class == class;
	if (index >= class->max) {
		snprintf(adding->error, adding->error_size,
			 "device %s: a machine can have %u of these", class->name, class->max);
		return -EINVAL;
	}
	err = device__create(class, index, options, adding->services, &dev, adding->error,
			     adding->error_size);
	if (err)
		return err;
	*last = dev;
	return device__realize(dev, adding->error, adding->error_size);
}

static int add_console(struct adding *adding, const char *spec)
{
	const struct device_class *serial = device_table__find("serial");
	char *options = config__with_value("char=", spec);
	int err;

	if (!options) {
		snprintf(adding->error, adding->error_size, "out of memory");
		return -ENOMEM;
	}
	err = add_device(adding, serial, options);
	free(options);
	return err;
}

/* The consoles are the first serial ports; one with nothing behind it keeps its place. */
static int add_consoles(struct adding *adding)
{
	unsigned i, count = 0;
	int err = 0;

	for (i = 0; i < MACHINE_MAX_CONSOLES; i++)
		if (adding->config->console[i])
			count = i + 1;
	for (i = 0; i < count && !err; i++)
		err = add_console(adding, adding->config->console[i] ? adding->config->console[i]
								      : "none");
	return err;
}

/* The options of config.devices[i] if it names this class, else NULL. */
static const char *match_device(const struct adding *adding, unsigned i, const char *class)
{
	const char *text = adding->config->devices[i];
	size_t len = strlen(class);

	if (strncmp(text, class, len) || (text[len] && text[len] != ','))
		return NULL;
	return text[len] ? text + len + 1 : "";
}

/* Whether a device that was asked for is plugged into one of this class, and none was asked for. */
static bool is_needed(const struct adding *adding, const struct device_class *class)
{
	bool needed = false;
	unsigned i, c;

	for (i = 0; i < adding->config->device_count; i++) {
		if (match_device(adding, i, class->name))
			return false;
		for (c = 0; device_table[c]; c++)
			needed |= device_table[c]->parent == class &&
				  match_device(adding, i, device_table[c]->name);
	}
	return needed;
}

int machine_devices__check_names(const struct machine_config *config, char *error, size_t error_size)
{
	const struct adding adding = { .config = config };
	unsigned i, c;

	for (i = 0; i < config->device_count; i++) {
		for (c = 0; device_table[c]; c++)
			if (!device_table[c]->builtin && match_device(&adding, i, device_table[c]->name))
				break;
		if (!device_table[c]) {
			snprintf(error, error_size,
				 "device %s: no such class; see the list in the help text",
				 config->devices[i]);
			return -EINVAL;
		}
	}
	return 0;
}

/* In the order of the table: what every machine has, the consoles, what was asked for. */
int machine_devices__add(struct device **list, const struct machine_config *config,
			 const struct device_services *services, char *error, size_t error_size)
{
	struct adding adding = { config, services, list, error, error_size };
	unsigned c, i;
	int err = 0;

	for (c = 0; device_table[c] && !err; c++) {
		const struct device_class *class = device_table[c];

		if ((class->builtin || is_needed(&adding, class)) && !is_missing_its_bus(&adding, class))
			err = add_device(&adding, class, NULL);
		else if (!strcmp(class->name, "serial"))
			err = add_consoles(&adding);
		for (i = 0; i < config->device_count && !err && !class->builtin; i++) {
			const char *options = match_device(&adding, i, class->name);

			if (options)
				err = add_device(&adding, class, options);
		}
	}
	return err;
}

void machine_devices__remove(struct device **list)
{
	while (*list) {
		struct device **link = list;

		while ((*link)->next)
			link = &(*link)->next;
		device__destroy(*link);
		*link = NULL;
	}
}
