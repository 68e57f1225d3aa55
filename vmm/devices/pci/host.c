/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI host bridge: configuration mechanism 1 at ports CF8H and CFCH (PCI 3.0, 3.2.2.3.2), ECAM
 * (PCI Express 3.0, 7.2.2), and the bridge's own function 00:00.0.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/devices/pci/host.h"
#include "vmm/memory/guest_memory.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT 0xcfc

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_BUS(a) ((a) >> 16 & 0xff)
#define ADDRESS_DEVFN(a) ((a) >> 8 & 0xff)
#define ADDRESS_REGISTER(a) ((a) & 0xfc)
#define ADDRESS_KEPT 0x80fffffcu

#define ECAM_BUS(offset) ((unsigned)((offset) >> 20))
#define ECAM_DEVFN(offset) ((unsigned)((offset) >> 12) & 0xff)
#define ECAM_REGISTER(offset) ((offset) & 0xfff)
#define ECAM_BUS_BYTES (1ull << 20)

struct pci_host {
	struct device dev;
	struct pci_function function;
	bool has_ecam;
	pthread_mutex_t lock; /* guards address */
	uint32_t address;
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

	pthread_mutex_lock(&host->lock);
	address = host->address;
	pthread_mutex_unlock(&host->lock);
	/* An access over the end of the register would be one of the next, which is not addressed. */
	if (!(address & ADDRESS_ENABLE) || access->offset + access->size > 4)
		return;
	access->offset += ADDRESS_REGISTER(address);
	pci__config(host->dev.services->pci, ADDRESS_BUS(address), ADDRESS_DEVFN(address), access);
}

static void access_ecam(void *opaque, struct access *access)
{
	struct pci_host *host = opaque;
	uint64_t offset = access->offset;

	access->offset = ECAM_REGISTER(offset);
	if (access->offset + access->size <= PCI_EXTENDED_BYTES)
		pci__config(host->dev.services->pci, ECAM_BUS(offset), ECAM_DEVFN(offset), access);
}

static void reset(struct device *dev)
{
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);
	unsigned pirq;

	host->address = 0;
	pci_function__reset(&host->function);
	for (pirq = 0; pirq < PCI_PIRQS; pirq++)
		pci__route_pirq(dev->services->pci, pirq, PCI_PIRQ_NOWHERE);
}

static int add_ecam(struct pci_host *host, char *error, size_t error_size)
{
	const struct dispatch_range range = { .start = GUEST_ECAM,
					      .size = GUEST_ECAM_BUSES * ECAM_BUS_BYTES,
					      .width = 4,
					      .handler = access_ecam,
					      .opaque = host };
	int err = dispatch__add(host->dev.services->mmio, &range);

	if (err) {
		snprintf(error, error_size, "device pci-host: configuration space at 0x%llx: %s",
			 GUEST_ECAM, strerror(-err));
		return err;
	}
	host->has_ecam = true;
	return 0;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	static const struct pci_identity identity = {
		/* Red Hat, generic PCI Express host bridge */
		.vendor = 0x1b36, .device = 0x0008, .class_code = 0x060000,
		.subsystem_vendor = 0x1af4, .subsystem = 0x1100,
	};
	static const struct pci_place place = { .address = "0" };
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);
	int err;

	pthread_mutex_init(&host->lock, NULL);
	pci_function__init(&host->function, dev, &identity, NULL, NULL);
	err = pci_function__plug(&host->function, &place, error, error_size);
	if (!err)
		err = add_ecam(host, error, error_size);
	if (!err)
		err = device__claim_ports(dev, ADDRESS_PORT, 1, 4, access_address, error, error_size);
	if (!err)
		err = device__claim_ports(dev, DATA_PORT, 4, 4, access_data, error, error_size);
	return err;
}

static void remove_host(struct device *dev)
{
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);

	if (host->has_ecam)
		dispatch__remove(dev->services->mmio, GUEST_ECAM);
	pci_function__unplug(&host->function);
	pthread_mutex_destroy(&host->lock);
}

static void describe(struct device *dev, struct aml *aml)
{
	pci_host__describe(dev->services, aml);
}

static void describe_ecam(struct device *dev, struct acpi_tables *tables)
{
	pci_host__add_mcfg(tables);
}

static int after_load(struct device *dev)
{
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);

	host->address &= ADDRESS_KEPT;
	pci_function__after_load(&host->function);
	return 0;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct pci_host, address, 1),
	STATE_PART(struct pci_host, function, 1, &pci_function_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_pci_host = {
	.name = "pci-host",
	.help = "PCI Express host bridge",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct pci_host),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_host,
	.acpi = describe,
	.acpi_tables = describe_ecam,
};
