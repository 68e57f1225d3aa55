/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI host bridge: configuration mechanism 1 at ports CF8H and CFCH (PCI 3.0, 3.2.2.3.2), with the
 * bridge itself as the only function on bus 0.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "vmm/acpi/aml.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/memory/guest_memory.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT 0xcfc

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_FUNCTION 0x00ffff00u /* bus, device and function */
#define ADDRESS_KEPT 0x80fffffcu

#define CONFIG_BYTES 256
#define CONFIG_SUBSYSTEM 0x2c

/* The hole below 4 GiB, up to the IOAPIC. */
#define WINDOW_LAST 0xfebfffffu

struct pci_host {
	struct device dev;
	pthread_mutex_t lock; /* guards address */
	uint32_t address;
	uint8_t config[CONFIG_BYTES]; /* of 00:00.0; constant: it has nothing to configure */
};

static void access_address(void *opaque, struct access *access)
{
	struct pci_host *host = opaque;

	if (access->size != 4)
		return; /* narrower accesses belong to other devices (CF9H) */
	pthread_mutex_lock(&host->lock);
	if (access->write)
		host->address = (uint32_t)access->value & ADDRESS_KEPT;
	else
		access->value = host->address;
	pthread_mutex_unlock(&host->lock);
}

static void access_data(void *opaque, struct access *access)
{
	struct pci_host *host = opaque;
	uint32_t address;
	unsigned reg;

	pthread_mutex_lock(&host->lock);
	address = host->address;
	pthread_mutex_unlock(&host->lock);
	if (access->write || !(address & ADDRESS_ENABLE) || address & ADDRESS_FUNCTION)
		return;
	reg = (address & 0xfc) + (unsigned)access->offset;
	access->value = 0;
	if (reg + access->size <= CONFIG_BYTES)
		memcpy(&access->value, &host->config[reg], access->size);
}

static void reset(struct device *dev)
{
	container_of_type(dev, struct pci_host, dev)->address = 0;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	static const uint8_t header[] = {
		0x36, 0x1b, 0x08, 0x00, /* vendor Red Hat, device: generic host bridge */
		0x00, 0x00, 0x00, 0x00, /* command, status */
		0x00, 0x00, 0x00, 0x06, /* revision, class: host bridge */
	};
	static const uint8_t subsystem[] = { 0xf4, 0x1a, 0x00, 0x11 };
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);
	int err;

	pthread_mutex_init(&host->lock, NULL);
	memcpy(host->config, header, sizeof(header));
	memcpy(host->config + CONFIG_SUBSYSTEM, subsystem, sizeof(subsystem));
	err = device__claim_ports(dev, ADDRESS_PORT, 1, 4, access_address, error, error_size);
	if (!err)
		err = device__claim_ports(dev, DATA_PORT, 4, 4, access_data, error, error_size);
	return err;
}

static void remove_host(struct device *dev)
{
	pthread_mutex_destroy(&container_of_type(dev, struct pci_host, dev)->lock);
}

static void describe(struct device *dev, struct aml *aml)
{
	aml__device(aml, "PCI0");
	aml__name_eisaid(aml, "_HID", "PNP0A03");
	aml__name_integer(aml, "_UID", 0);
	aml__resources(aml, "_CRS");
	aml__bus_window(aml, 0, 0xff);
	aml__io(aml, ADDRESS_PORT, 1, 8);
	aml__io_window(aml, 0, ADDRESS_PORT - 1);
	aml__io_window(aml, 0xd00, 0xffff);
	aml__memory_window(aml, (uint32_t)GUEST_LOW_RAM_END, WINDOW_LAST);
	aml__end_resources(aml);
	aml__end(aml);
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct pci_host, address, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, NULL };

const struct device_class device_class_pci_host = {
	.name = "pci-host",
	.help = "PCI host bridge",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct pci_host),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_host,
	.acpi = describe,
};
