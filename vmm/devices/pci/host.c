/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI host bridge: configuration mechanism 1 at ports CF8H and CFCH (PCI 3.0, 3.2.2.3.2), ECAM
 * (PCI Express 3.0, 7.2.2), and the bridge's own function 00:00.0, a Q35's as far as firmware
 * looks (Intel 3 Series Express Chipset data sheet, chapter 5).
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/devices/pci/host.h"
#include "vmm/devices/pci/shadow.h"
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

#define REG_PCIEXBAR 0x60
#define REG_PAM 0x90
#define REG_SMRAM 0x9d
#define REG_TOM 0xa0   /* in 64 MiB */
#define REG_TOUUD 0xa2 /* in MiB */
#define REG_TOLUD 0xb0 /* in MiB, bits 15:4 */

#define PCIEXBAR_ENABLE 1u
#define PCIEXBAR_SIZE(value) ((value) >> 1 & 3) /* 256, 128 or 64 buses */
#define PCIEXBAR_64_BUSES (2u << 1)
#define PCIEXBAR_BASE 0xffc000000ull		/* bits 35:26; more are ignored with more buses */
#define PAM_ALL_RAM 0x33

struct pci_host {
	struct device dev;
	struct pci_function function;
	struct shadow shadow;
	pthread_mutex_t lock; /* guards all below, and where the bus says that ECAM is */
	uint32_t address;
	bool has_ecam;
	uint64_t ecam;
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

/* ---- the bridge's own registers ---- */

/* The lock is held. */
static void remove_ecam(struct pci_host *host)
{
	if (host->has_ecam)
		dispatch__remove(host->dev.services->mmio, host->ecam);
	host->has_ecam = false;
	host->dev.services->pci->ecam_buses = 0;
}

/* ECAM as PCIEXBAR says. Where another device is, there is none. */
static void update_ecam(struct pci_host *host)
{
	struct pci *pci = host->dev.services->pci;
	struct dispatch_range range = { .width = 4, .handler = access_ecam, .opaque = host };
	unsigned buses;
	uint64_t value;

	pthread_mutex_lock(&pci->lock);
	value = (uint64_t)pci_function__read(&host->function, REG_PCIEXBAR + 4, 4) << 32 |
		pci_function__read(&host->function, REG_PCIEXBAR, 4);
	pthread_mutex_unlock(&pci->lock);
	buses = GUEST_ECAM_BUSES >> PCIEXBAR_SIZE(value);
	range.size = buses * ECAM_BUS_BYTES;
	range.start = value & PCIEXBAR_BASE & ~(range.size - 1);
	pthread_mutex_lock(&host->lock);
	remove_ecam(host);
	if (value & PCIEXBAR_ENABLE && PCIEXBAR_SIZE(value) != 3 &&
	    !dispatch__add(host->dev.services->mmio, &range)) {
		host->has_ecam = true;
		host->ecam = range.start;
		pci->ecam = range.start;
		pci->ecam_buses = buses;
	}
	pthread_mutex_unlock(&host->lock);
}

static void update_shadow(struct pci_host *host)
{
	uint8_t pam[SHADOW_PAMS];

	pthread_mutex_lock(&host->function.pci->lock);
	memcpy(pam, &host->function.config[REG_PAM], sizeof(pam));
	pthread_mutex_unlock(&host->function.pci->lock);
	shadow__update(&host->shadow, pam);
}

static void after_write(struct pci_function *function, unsigned reg, unsigned size)
{
	struct pci_host *host = container_of_type(function, struct pci_host, function);

	if (reg < REG_PCIEXBAR + 8 && reg + size > REG_PCIEXBAR)
		update_ecam(host);
	if (reg < REG_PAM + SHADOW_PAMS && reg + size > REG_PAM)
		update_shadow(host);
}

static void preset(struct pci_host *host, unsigned reg, unsigned size, uint64_t value,
		   uint64_t writable)
{
	memcpy(&host->function.preset[reg], &value, size);
	memcpy(&host->function.writable[reg], &writable, size);
}

/*
 * Without firmware as it would leave them: ECAM is there, and RAM everywhere. On each bus that ECAM has, Linux looks
 * for devices of root buses that nobody has told it of: 256 buses would cost each boot 16,384 accesses to ports.
 */
static void preset_registers(struct pci_host *host)
{
	const struct device_services *services = host->dev.services;
	uint64_t end = guest_memory__end(services->memory);
	uint64_t low = MIN_OF(services->memory->size, GUEST_LOW_RAM_END);
	bool direct = !services->firmware;

	preset(host, REG_PCIEXBAR, 8, direct ? GUEST_ECAM | PCIEXBAR_64_BUSES | PCIEXBAR_ENABLE : 0, PCIEXBAR_BASE | 7);
	memset(&host->function.preset[REG_PAM], direct ? PAM_ALL_RAM : 0, SHADOW_PAMS);
	memset(&host->function.writable[REG_PAM], PAM_ALL_RAM, SHADOW_PAMS);
	host->function.writable[REG_PAM] = PAM_ALL_RAM & 0xf0;
	host->function.preset[REG_PAM] &= 0xf0;
	preset(host, REG_SMRAM, 2, 0x3802, 0x4640); /* there is no SMM: kept and nothing else */
	preset(host, REG_TOM, 2, (services->memory->size + (64 << 20) - 1) >> 26, 0x03ff);
	preset(host, REG_TOUUD, 2, end > UINT32_MAX ? end >> 20 : 0, 0xffff);
	preset(host, REG_TOLUD, 2, low >> 20 << 4, 0xfff0);
}

static void reset(struct device *dev)
{
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);
	unsigned pirq;

	host->address = 0;
	pci_function__reset(&host->function);
	update_ecam(host);
	update_shadow(host);
	for (pirq = 0; pirq < PCI_PIRQS; pirq++)
		pci__route_pirq(dev->services->pci, pirq, PCI_PIRQ_NOWHERE);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	static const struct pci_identity identity = {
		/* Intel, 82G33/G31/P35/P31 DRAM controller; the subsystem says that it is a machine's
		 * like QEMU's, which is what firmware goes by. */
		.vendor = 0x8086, .device = 0x29c0, .class_code = 0x060000,
		.subsystem_vendor = 0x1af4, .subsystem = 0x1100,
	};
	static const struct pci_function_ops ops = { .after_write = after_write };
	static const struct pci_place place = { .address = "0" };
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);
	int err;

	pthread_mutex_init(&host->lock, NULL);
	pci_function__init(&host->function, dev, &identity, NULL, &ops);
	preset_registers(host);
	err = pci_function__plug(&host->function, &place, error, error_size);
	if (!err)
		err = shadow__init(&host->shadow, dev->services, error, error_size);
	if (!err)
		err = device__claim_ports(dev, ADDRESS_PORT, 1, 4, access_address, error, error_size);
	if (!err)
		err = device__claim_ports(dev, DATA_PORT, 4, 4, access_data, error, error_size);
	return err;
}

static void remove_host(struct device *dev)
{
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);

	remove_ecam(host);
	shadow__destroy(&host->shadow);
	pci_function__unplug(&host->function);
	pthread_mutex_destroy(&host->lock);
}

static void describe(struct device *dev, struct aml *aml)
{
	pci_host__describe(dev->services, aml);
}

static void describe_ecam(struct device *dev, struct acpi_tables *tables)
{
	pci_host__add_mcfg(dev->services, tables);
}

static int after_load(struct device *dev)
{
	struct pci_host *host = container_of_type(dev, struct pci_host, dev);

	host->address &= ADDRESS_KEPT;
	pci_function__after_load(&host->function);
	update_ecam(host);
	update_shadow(host);
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
	.bus = DEVICE_BUS_PCI,
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
