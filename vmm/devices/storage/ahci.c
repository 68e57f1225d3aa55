/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI host bus adapter: its PCI function, generic registers, interrupt, life. */
#include "vmm/devices/storage/ahci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/devices/classes.h"
#include "vmm/devices/storage/ata.h"
#include "vmm/loop/loop.h"

/* As the ICH9 has it, in BAR 5; its other BARs are for drivers from before AHCI. */
#define VENDOR 0x8086
#define DEVICE 0x2922
#define PCI_CLASS_AHCI 0x010601
#define REVISION 2
#define SUBSYSTEM_VENDOR 0x1af4
#define SUBSYSTEM 0x1100
#define BAR 5
#define BAR_BYTES 0x2000u
#define TABLE_AT 0x1000u
#define PBA_AT 0x1800u

static struct ahci *of_device(const struct device *dev)
{
	return container_of_type(dev, struct ahci, dev);
}

/* ---- interrupt ---- */

/*
 * A message tells of bits that are new since the driver last wrote the register; those that it left
 * set are told of again (10.6.2.2). The pin is high while any is set.
 */
void ahci__update_interrupt(struct ahci *ahci)
{
	bool wanted;
	unsigned i;

	for (i = 0; i < AHCI_PORTS; i++)
		if (ahci_port__status(&ahci->port[i]) & ahci->port[i].ie)
			ahci->is |= 1u << i;
	wanted = ahci->ghc & AHCI_GHC_IE && ahci->is;
	if (!wanted || !(ahci->is & ~ahci->told)) {
		if (!wanted)
			pci_function__set_intx(&ahci->function, false);
		return;
	}
	ahci->told = ahci->is;
	pci_function__set_intx(&ahci->function, !msix__raise(&ahci->msix, 0));
}

/* ---- registers ---- */

/* Those with a drive, so that nobody waits for a link that never comes up; at least one. */
static uint32_t ports_implemented(const struct ahci *ahci)
{
	uint32_t ports = 0;
	unsigned i;

	for (i = 0; i < AHCI_PORTS; i++)
		ports |= (uint32_t)!!ahci->port[i].drive << i;
	return ports ? ports : 1;
}

static uint32_t read_generic(const struct ahci *ahci, unsigned reg)
{
	switch (reg) {
	case AHCI_CAP:
		return (AHCI_PORTS - 1) | (AHCI_SLOTS - 1) << AHCI_CAP_NCS_SHIFT | AHCI_CAP_SAM |
		       AHCI_CAP_GEN3 | AHCI_CAP_SCLO | AHCI_CAP_SNCQ | AHCI_CAP_S64A;
	case AHCI_GHC:
		return ahci->ghc | AHCI_GHC_AE;
	case AHCI_IS:
		return ahci->is;
	case AHCI_PI:
		return ports_implemented(ahci);
	case AHCI_VS:
		return AHCI_VERSION;
	}
	return 0;
}

static void reset_adapter(struct ahci *ahci)
{
	unsigned i;

	for (i = 0; i < AHCI_PORTS; i++)
		ahci_port__reset(&ahci->port[i]);
	ahci->ghc = ahci->is = ahci->told = 0;
}

static void write_generic(struct ahci *ahci, unsigned reg, uint32_t value, uint32_t mask)
{
	value &= mask;
	if (reg == AHCI_IS) {
		ahci->is &= ~value;
		ahci->told = 0;
	}
	if (reg != AHCI_GHC)
		return;
	if (value & AHCI_GHC_HR)
		reset_adapter(ahci);
	else
		ahci->ghc = (ahci->ghc & ~mask) | (value & AHCI_GHC_IE);
}

static uint32_t read_register(const struct ahci *ahci, unsigned reg)
{
	unsigned port = (reg - AHCI_PORT_AT) / AHCI_PORT_BYTES;

	if (reg < AHCI_PORT_AT)
		return read_generic(ahci, reg);
	return port < AHCI_PORTS ? ahci_port__read(&ahci->port[port], reg % AHCI_PORT_BYTES) : 0;
}

static void write_register(struct ahci *ahci, unsigned reg, uint32_t value, uint32_t mask)
{
	unsigned port = (reg - AHCI_PORT_AT) / AHCI_PORT_BYTES;

	if (reg < AHCI_PORT_AT)
		write_generic(ahci, reg, value, mask);
	else if (port < AHCI_PORTS)
		ahci_port__write(&ahci->port[port], reg % AHCI_PORT_BYTES, value, mask);
}

static void access_registers(struct ahci *ahci, struct access *access)
{
	unsigned reg = (unsigned)access->offset & ~3u, shift = (access->offset & 3) * 8;
	uint32_t mask = access->size == 4 ? ~0u : (1u << access->size * 8) - 1;

	pthread_mutex_lock(&ahci->lock);
	if (access->write) {
		write_register(ahci, reg, (uint32_t)access->value << shift, mask << shift);
		ahci__update_interrupt(ahci);
	} else {
		access->value = read_register(ahci, reg) >> shift & mask;
	}
	pthread_mutex_unlock(&ahci->lock);
}

static void access_bar(void *opaque, struct access *access)
{
	struct ahci *ahci = opaque;

	if (access->offset >= PBA_AT) {
		access->offset -= PBA_AT;
		msix__access_pba(&ahci->msix, access);
	} else if (access->offset >= TABLE_AT) {
		access->offset -= TABLE_AT;
		msix__access_table(&ahci->msix, access);
	} else {
		access_registers(ahci, access);
	}
}

/* ---- drives ---- */

static struct ahci *of_function_if(const struct pci_function *function, unsigned number)
{
	if (!function || !function->dev || function->dev->class != &device_class_ahci ||
	    function->dev->index != number)
		return NULL;
	return of_device(function->dev);
}

struct ahci *ahci__find(const struct device *dev, unsigned number)
{
	struct pci *pci = dev->services->pci;
	struct ahci *ahci = NULL;
	unsigned bus, devfn;

	for (bus = 0; bus <= pci->port_count && !ahci; bus++) {
		const struct pci_bus *on = bus ? pci->port[bus - 1] : &pci->root;

		for (devfn = 0; on && devfn < PCI_DEVFNS && !ahci; devfn++)
			ahci = of_function_if(on->function[devfn], number);
	}
	return ahci;
}

static struct ahci_command *make_commands(struct ahci_port *port)
{
	struct ahci_command *command = calloc(AHCI_SLOTS, sizeof(*command));
	unsigned i;

	for (i = 0; command && i < AHCI_SLOTS; i++) {
		command[i].port = port;
		command[i].slot = (uint8_t)i;
	}
	return command;
}

int ahci__attach(struct ahci *ahci, unsigned place, struct ata_drive *drive)
{
	struct ahci_port *port;

	if (place >= AHCI_PORTS)
		for (place = 0; place < AHCI_PORTS && ahci->port[place].drive; place++)
			;
	if (place >= AHCI_PORTS || ahci->port[place].drive)
		return -EBUSY;
	port = &ahci->port[place];
	port->command = make_commands(port);
	if (!port->command)
		return -ENOMEM;
	port->drive = drive;
	drive->port = port;
	return 0;
}

void ahci__detach(struct ata_drive *drive)
{
	struct ahci_port *port = drive->port;

	if (!port)
		return;
	pthread_mutex_lock(&port->ahci->lock);
	ahci_port__stop(port);
	port->drive = NULL;
	pthread_mutex_unlock(&port->ahci->lock);
	free(port->command);
	port->command = NULL;
	drive->port = NULL;
}

/* ---- the loop ---- */

void ahci__kick(struct ahci *ahci)
{
	const uint64_t one = 1;

	/* A full counter has woken the loop already. */
	if (write(ahci->kick_fd, &one, sizeof(one)) != sizeof(one))
		return;
}

static void on_kick(void *opaque, uint32_t events)
{
	struct ahci *ahci = opaque;
	uint64_t count;
	unsigned i;

	if (read(ahci->kick_fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&ahci->lock);
	for (i = 0; i < AHCI_PORTS; i++)
		ahci_port__take(&ahci->port[i]);
	ahci__update_interrupt(ahci);
	pthread_mutex_unlock(&ahci->lock);
}

static int open_loop(struct ahci *ahci)
{
	const struct device_services *services = ahci->dev.services;

	ahci->loop = services->io_loop ? services->io_loop(services->opaque, (unsigned)ahci->io_thread)
				       : services->loop;
	if (!ahci->loop)
		return -EAGAIN;
	ahci->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ahci->kick_fd < 0)
		return -errno;
	return loop__watch(ahci->loop, ahci->kick_fd, LOOP_IN, on_kick, ahci, &ahci->kick_watch);
}

/* ---- the class ---- */

/* The PCI lock is held here. */
static void mastering(struct pci_function *function, bool may)
{
	if (may)
		ahci__kick(of_device(function->dev));
}

static const struct pci_function_ops function_ops = { .mastering = mastering };

static int make_function(struct ahci *ahci, char *error, size_t error_size)
{
	const struct pci_identity identity = { .vendor = VENDOR,
					       .device = DEVICE,
					       .class_code = PCI_CLASS_AHCI,
					       .revision = REVISION,
					       .subsystem_vendor = SUBSYSTEM_VENDOR,
					       .subsystem = SUBSYSTEM };
	const struct pci_bar bar = {
		.size = BAR_BYTES, .width = 4, .access = access_bar, .opaque = ahci
	};

	pci_function__init(&ahci->function, &ahci->dev, &identity, NULL, &function_ops);
	pci_function__add_bar(&ahci->function, BAR, &bar);
	pci_function__add_intx(&ahci->function);
	if (msix__add(&ahci->msix, &ahci->function, 1, BAR, TABLE_AT, PBA_AT)) {
		snprintf(error, error_size, "device ahci: no room for its PCI capabilities");
		return -ENOSPC;
	}
	return pci_function__plug(&ahci->function, &ahci->place, error, error_size);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct ahci *ahci = of_device(dev);
	unsigned i;
	int err;

	pthread_mutex_init(&ahci->lock, NULL);
	ahci->realized = true;
	ahci->kick_fd = -1;
	for (i = 0; i < AHCI_PORTS; i++)
		ahci->port[i].ahci = ahci;
	err = open_loop(ahci);
	if (err) {
		snprintf(error, error_size, "device ahci: %s", strerror(-err));
		return err;
	}
	return make_function(ahci, error, error_size);
}

static void reset(struct device *dev)
{
	struct ahci *ahci = of_device(dev);
	unsigned i;

	pthread_mutex_lock(&ahci->lock);
	reset_adapter(ahci);
	for (i = 0; i < AHCI_PORTS; i++)
		ahci->port[i].clb = ahci->port[i].clbu = ahci->port[i].fb = ahci->port[i].fbu = 0;
	pthread_mutex_unlock(&ahci->lock);
	pci_function__reset(&ahci->function);
}

static void remove_ahci(struct device *dev)
{
	struct ahci *ahci = of_device(dev);

	if (!ahci->realized)
		return;
	if (ahci->function.pci)
		pci_function__unplug(&ahci->function);
	if (ahci->msix.function)
		msix__destroy(&ahci->msix);
	loop__unwatch(ahci->kick_watch);
	if (ahci->kick_fd >= 0)
		close(ahci->kick_fd);
	pthread_mutex_destroy(&ahci->lock);
}

static void load_port(struct ahci_port *port)
{
	/* What was begun before the load is not of the state. */
	ahci_port__stop(port);
	port->clb &= ~1023u;
	port->fb &= ~255u;
	port->is &= PORT_IS_STICKY;
	port->ie &= PORT_IE_BITS;
	port->cmd &= PORT_CMD_KEPT;
	port->serr &= PORT_SERR_BITS;
	port->current %= AHCI_SLOTS;
	port->halted = !!port->halted;
	port->signature_due = port->signature_due && port->drive;
}

static int after_load(struct device *dev)
{
	struct ahci *ahci = of_device(dev);
	unsigned i;

	pthread_mutex_lock(&ahci->lock);
	ahci->ghc &= AHCI_GHC_IE;
	ahci->is &= (1u << AHCI_PORTS) - 1;
	for (i = 0; i < AHCI_PORTS; i++) {
		uint32_t ci = ahci->port[i].ci, sact = ahci->port[i].sact;

		load_port(&ahci->port[i]);
		ahci->port[i].ci = ci;
		ahci->port[i].sact = sact;
	}
	pthread_mutex_unlock(&ahci->lock);
	pci_function__after_load(&ahci->function);
	ahci__kick(ahci);
	return 0;
}

static const struct config_option options[] = {
	PCI_PLACE_OPTIONS(struct ahci, place),
	{ "iothread", OPTION_U64, offsetof(struct ahci, io_thread), 0, 0, DEVICE_IO_THREADS,
	  "I/O thread that serves it; 0: the machine's event loop" },
	{ NULL },
};

static const struct state_field port_fields[] = {
	STATE_FIELD(struct ahci_port, clb, 1),	STATE_FIELD(struct ahci_port, clbu, 1),
	STATE_FIELD(struct ahci_port, fb, 1),	STATE_FIELD(struct ahci_port, fbu, 1),
	STATE_FIELD(struct ahci_port, is, 1),	STATE_FIELD(struct ahci_port, ie, 1),
	STATE_FIELD(struct ahci_port, cmd, 1),	STATE_FIELD(struct ahci_port, tfd, 1),
	STATE_FIELD(struct ahci_port, sig, 1),	STATE_FIELD(struct ahci_port, sctl, 1),
	STATE_FIELD(struct ahci_port, serr, 1), STATE_FIELD(struct ahci_port, sact, 1),
	STATE_FIELD(struct ahci_port, ci, 1),	STATE_FIELD(struct ahci_port, halted, 1),
	STATE_FIELD(struct ahci_port, signature_due, 1), STATE_FIELD(struct ahci_port, current, 1),
	{ NULL },
};

static const struct state_table port_state = { 1, port_fields, NULL };

static const struct state_field state_fields[] = {
	STATE_PART(struct ahci, function, 1, &pci_function_state, 1),
	STATE_PART(struct ahci, msix, 1, &msix_state, 1),
	STATE_FIELD(struct ahci, ghc, 1),
	STATE_FIELD(struct ahci, is, 1),
	STATE_FIELD(struct ahci, told, 1),
	STATE_PART(struct ahci, port, AHCI_PORTS, &port_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_ahci = {
	.name = "ahci",
	.help = "SATA controller with six ports; comes by itself with its first drive",
	.bus = DEVICE_BUS_PCI,
	.max = 8,
	.size = sizeof(struct ahci),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_ahci,
};
