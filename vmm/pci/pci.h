/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI: a tree of buses, functions with configuration space and BARs, bridges between buses,
 * interrupt pins. The host bridge device (vmm/devices/pci/host.c) connects it to the CPUs; what is
 * behind a function is its device's.
 *
 * One lock guards configuration spaces, bus numbers and where BARs are mapped. It is held during
 * the callbacks of struct pci_function_ops unless they say otherwise; a device that takes its own
 * lock there must not call pci_function__*() with that lock held, except for
 * pci_function__set_intx() and what msix.h has.
 */
#ifndef VMM_PCI_PCI_H
#define VMM_PCI_PCI_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/device/device.h"
#include "vmm/pci/regs.h"

struct msix;
struct pci_function;

#define PCI_BARS 6
#define PCI_DEVFNS 256
#define PCI_SLOTS 32u /* of a bus */
#define PCI_PINS 4u
#define PCI_PORTS 24

/*
 * Interrupt pins end at these eight wires, PIRQA to PIRQH. Each is a GSI of the IOAPIC's own, and
 * one of the PIC's when a route is set.
 */
#define PCI_PIRQS 8
#define PCI_PIRQ_GSI 16
#define PCI_PIRQ_NOWHERE 0xff
#define PCI_CHIPSET_SLOT 0x19u

struct pci_bus {
	struct pci_function *bridge; /* leads here; NULL: the root bus */
	struct pci_function *function[PCI_DEVFNS];
};

/* Where a device asks to be plugged in, and the rows of its option table for it. */
struct pci_place {
	char *address; /* "SLOT" or "SLOT.FUNCTION" in hexadecimal; NULL: the first free slot */
	uint64_t port; /* of root port 1, 2, ...; 0: the root bus */
};

#define PCI_PLACE_OPTIONS(type, member)                                                            \
	{ "addr", OPTION_STRING, offsetof(type, member.address), 0, 0, 0,                          \
	  "PCI slot or slot.function, hexadecimal; without it the next free slot" },               \
	{                                                                                          \
		"port", OPTION_U64, offsetof(type, member.port), 0, 0, PCI_PORTS,                  \
			"root port (1 is the first) to plug it into; 0: the root bus"              \
	}

struct pci {
	pthread_mutex_t lock;
	pthread_mutex_t intx_lock; /* guards interrupt pins and pirq_irq; innermost */
	struct pci_bus root;
	struct pci_bus *port[PCI_PORTS]; /* behind root port 1, 2, ... */
	unsigned port_count;
	struct dispatch *ports, *mmio;
	struct irq_hub *irqs;
	uint8_t pirq_irq[PCI_PIRQS]; /* the PIC's input or PCI_PIRQ_NOWHERE */
	/* Where the host bridge has configuration space in memory, for the firmware's tables. */
	uint64_t ecam;
	unsigned ecam_buses; /* 0: nowhere */
};

enum pci_space { PCI_SPACE_IO, PCI_SPACE_MEMORY, PCI_SPACE_PREFETCH };

struct pci_bar {
	uint64_t size; /* a power of two; 0: there is no such BAR */
	uint32_t bits; /* PCI_BAR_* */
	uint8_t width; /* widest access the handler takes at once */
	void (*access)(void *opaque, struct access *access);
	void *opaque;
	bool mapped;
	uint64_t address; /* where, while mapped */
};

struct pci_identity {
	uint16_t vendor, device;
	uint32_t class_code; /* base class, subclass, programming interface */
	uint8_t revision;
	uint16_t subsystem_vendor, subsystem;
};

struct pci_function_ops {
	/* Optional, without the lock: before a read of, and after a write to, registers. */
	void (*before_read)(struct pci_function *function, unsigned reg, unsigned size);
	void (*after_write)(struct pci_function *function, unsigned reg, unsigned size);
	/* Optional: a BAR was mapped at its address, or is mapped no longer. */
	void (*moved)(struct pci_function *function, unsigned bar);
	/* Optional: whether the device may access memory has changed. */
	void (*mastering)(struct pci_function *function, bool may);
};

struct pci_function {
	struct pci *pci;
	struct device *dev;
	const struct pci_function_ops *ops;
	struct pci_bus *bus; /* NULL: not plugged in */
	uint8_t devfn;
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t preset[PCI_CONFIG_BYTES];    /* at power-on */
	uint8_t writable[PCI_CONFIG_BYTES];  /* bits that the guest may change */
	uint8_t clearable[PCI_CONFIG_BYTES]; /* bits that writing 1 clears */
	unsigned config_end;		     /* where the next capability goes */
	unsigned last_link;		     /* register that points to the next capability */
	unsigned express;		     /* offset of the PCI Express capability, 0: none */
	struct pci_bar bar[PCI_BARS];
	struct msix *msix;	   /* NULL: none */
	struct pci_bus *secondary; /* the bus behind it, if it is a bridge */
	atomic_bool may_master;	   /* it and all bridges above let it */
	uint8_t intx;		   /* intx_lock: level of its pin */
	bool intx_off;		   /* intx_lock: the command register keeps it from the wires */
	struct irq_wire wire[2];   /* intx_lock: to the IOAPIC, to the PIC */
};

/* Power-on values and the hypervisor's parts; the dispatches and the hub are the machine's. */
void pci__init(struct pci *pci, struct dispatch *ports, struct dispatch *mmio,
	       struct irq_hub *irqs);
void pci__destroy(struct pci *pci);

/* ---- building a function, in this order; all before the machine runs ---- */

/* Sets up a header of type 0 (a device) or 1 (a bridge, with the bus behind it). */
void pci_function__init(struct pci_function *function, struct device *dev,
			const struct pci_identity *identity, struct pci_bus *secondary,
			const struct pci_function_ops *ops);
/*
 * Adds a capability of `size` bytes, whose first two are filled in here. Returns its offset, 0 if
 * there is no room. `writable` (may be NULL) are `size` bytes.
 */
unsigned pci_function__add_capability(struct pci_function *function, uint8_t id, const void *bytes,
				      size_t size, const uint8_t *writable);
/* PCI Express capability; devices on the root bus are integrated endpoints. 0 or -ENOSPC. */
int pci_function__add_express(struct pci_function *function, unsigned type, unsigned port);
/* `size` is a power of two, at least 16 bytes; a 64-bit BAR takes the next number too. */
void pci_function__add_bar(struct pci_function *function, unsigned bar, const struct pci_bar *what);
/* The function has interrupt pin INTA. */
void pci_function__add_intx(struct pci_function *function);
/*
 * Plugs it into a place that its device's options have named. 0 or -errno with a line in error[];
 * *place may be NULL.
 */
int pci_function__plug(struct pci_function *function, const struct pci_place *place, char *error,
		       size_t error_size);
/*
 * Its Open Firmware path as SeaBIOS and OVMF know it, "/pci@i0cf8/NAME@SLOT[,FUNCTION]", with bridges
 * in between. The length, 0 if it is not plugged in; cut if it does not fit.
 */
size_t pci_function__firmware_path(const struct pci_function *function, const char *name, char *path,
				   size_t size);
/* Takes it out, if it is in; BARs are unmapped. */
void pci_function__unplug(struct pci_function *function);

/* ---- at run time ---- */

/* To the power-on state: BARs unmapped, pin low, MSI-X off. No callbacks but moved(). */
void pci_function__reset(struct pci_function *function);
/* Any thread; innermost lock. */
void pci_function__set_intx(struct pci_function *function, bool level);
/* Whether its accesses to memory, interrupt messages among them, get through. Any thread. */
static inline bool pci_function__may_master(const struct pci_function *function)
{
	return atomic_load_explicit(&function->may_master, memory_order_acquire);
}
/* For a state's after_load(): BARs, pins and MSI-X as the configuration space says. */
void pci_function__after_load(struct pci_function *function);
extern const struct state_table pci_function_state; /* configuration space and pin */

/*
 * One configuration access by its bus, devfn and register (access->offset). What is not there
 * reads as all ones.
 */
void pci__config(struct pci *pci, unsigned bus, unsigned devfn, struct access *access);

/* Connects a PIRQ to one of the PIC's inputs, or to none. */
void pci__route_pirq(struct pci *pci, unsigned pirq, uint8_t irq);
/*
 * The PIRQ of pin `pin` (0: INTA) of a slot on the root bus. The chipset's own slots, 19H and up, are
 * not turned.
 */
static inline unsigned pci__pirq(unsigned slot, unsigned pin)
{
	return (slot < PCI_CHIPSET_SLOT ? slot + pin : pin) % PCI_PIRQS;
}

static inline uint32_t pci_function__read(const struct pci_function *function, unsigned reg,
					  unsigned size)
{
	uint32_t value = 0;

	__builtin_memcpy(&value, &function->config[reg], size);
	return value;
}

/* Past the guest's rights; what follows from it is the caller's. */
static inline void pci_function__write(struct pci_function *function, unsigned reg, unsigned size,
				       uint32_t value)
{
	__builtin_memcpy(&function->config[reg], &value, size);
}

/* The window that a bridge forwards in this space: false if it is closed. */
bool pci_bridge__window(const struct pci_function *bridge, enum pci_space space, uint64_t *first,
			uint64_t *last);


#endif
