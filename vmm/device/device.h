/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device framework: a device is one constant struct device_class. It owns its options, its
 * registers, its saved state and its firmware description, and knows no other device.
 */
#ifndef VMM_DEVICE_DEVICE_H
#define VMM_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/types.h"
#include "vmm/config/option.h"
#include "vmm/device/irq.h"
#include "vmm/device/message.h"
#include "vmm/memory/dispatch.h"

struct acpi_tables;
struct aml;
struct device;
struct firmware;
struct fw_cfg_items;
struct guest_memory;
struct memory_slots;
struct loop;
struct pci;

/* ---- saved state: a table of fields, read by save, load and dump alike ---- */

struct state_field {
	const char *name; /* NULL ends the table */
	size_t offset;
	uint32_t size;	/* of one element: 1, 2, 4 or 8 (saved little endian), or of a part */
	uint32_t count; /* elements */
	uint32_t since; /* first version of the table that has it */
	/* Elements are structures with these fields, in that table's version, not numbers. */
	const struct state_table *part;
};

struct state_table {
	uint32_t version;
	const struct state_field *fields;
	/* Makes the rest of the device fit fields that were loaded; 0, or -EINVAL: impossible. */
	int (*after_load)(struct device *dev);
};

#define STATE_FIELD(type, member, since_version)                                                   \
	{                                                                                          \
		#member, offsetof(type, member), sizeof(((type *)0)->member), 1, since_version     \
	}
#define STATE_ARRAY(type, member, since_version)                                                   \
	{                                                                                          \
		#member, offsetof(type, member), sizeof(((type *)0)->member[0]),                   \
			sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), since_version \
	}
/* A member that is a structure, or an array of `n` of them, with a table of its own. */
#define STATE_PART(type, member, n, table, since_version)                                          \
	{                                                                                          \
		#member, offsetof(type, member), sizeof(((type *)0)->member) / (n), n,              \
			since_version, table                                                       \
	}

/* ---- what a device is given ---- */

enum device_request {
	DEVICE_REQUEST_POWER_OFF,
	DEVICE_REQUEST_RESET,
	DEVICE_REQUEST_PANIC,
	DEVICE_REQUEST_EXIT, /* with the process status */
	DEVICE_REQUEST_QUIT, /* the user leaves */
};

#define DEVICE_IO_THREADS 16

struct device_services {
	struct loop *loop;
	/*
	 * The event loop of I/O thread `number`, 1 to DEVICE_IO_THREADS, which starts when it is
	 * first asked for; 0: `loop`. NULL if the host refuses. For realize(). May be NULL itself.
	 */
	struct loop *(*io_loop)(void *opaque, unsigned number);
	struct dispatch *ports;
	struct dispatch *mmio;
	struct irq_hub *irqs;
	struct message_hub *messages;
	struct pci *pci; /* NULL: the machine has none */
	const struct guest_memory *memory; /* bounded access */
	unsigned address_bits;		   /* of a guest-physical address */
	struct memory_slots *slots;	   /* memory of a device's own; may be NULL */
	const struct firmware *firmware;   /* NULL: kernels are started without */
	struct fw_cfg_items *firmware_items; /* may be NULL */
	unsigned cpus;
	/* Asks the machine for something; any thread; the vCPU that did it runs no further. */
	void (*request)(void *opaque, enum device_request what, int status);
	void *opaque;
};

enum device_bus {
	DEVICE_BUS_ISA,
	DEVICE_BUS_PCI, /* no machine without PCI has it */
	DEVICE_BUS_ANY, /* PCI where there is one */
};

/* ---- what firmware may start from ---- */

#define DEVICE_BOOT_PATH_BYTES 128
#define DEVICE_NO_BOOT_INDEX UINT64_MAX

/* The row for the option table of a device that has a place, uint64_t `member`, in the order. */
#define DEVICE_BOOT_OPTION(type, member)                                                           \
	{                                                                                          \
		"bootindex", OPTION_U64, offsetof(type, member), DEVICE_NO_BOOT_INDEX, 0, 9999,    \
			"place in the order in which firmware tries devices, 0 is the first"       \
	}

struct device_class {
	const char *name; /* as --device has it */
	const char *help;
	enum device_bus bus;
	bool builtin;  /* every machine has it; not for --device */
	unsigned max;  /* how many a machine may have */
	/* What it is plugged into: a machine that has none of these gets one, made without options. */
	const struct device_class *parent;
	size_t size;   /* of the structure whose first member is struct device */
	const struct config_option *options; /* of --device CLASS,key=value */
	const struct state_table *state; /* NULL if it has none */
	/* Claims ports, wires and back ends. 0, or -errno with a line in error[]; whatever was
	 * done is undone by remove(), which must cope with a half-realized device. */
	int (*realize)(struct device *dev, char *error, size_t error_size);
	/* To the power-on state. vCPUs stand still, interrupt wires drop. Called before the first
	 * run, and after a reset once the hypervisor's part of the machine is new. */
	void (*reset)(struct device *dev);
	void (*remove)(struct device *dev);
	/* Its nodes in the ACPI name space, emitted into \_SB. */
	void (*acpi)(struct device *dev, struct aml *aml);
	/* Optional: ACPI tables of its own. */
	void (*acpi_tables)(struct device *dev, struct acpi_tables *tables);
	/*
	 * Optional: where in the firmware's order it is, and its Open Firmware path.
	 * DEVICE_NO_BOOT_INDEX: the user has not said, or it has no path.
	 */
	uint64_t (*boot)(struct device *dev, char path[DEVICE_BOOT_PATH_BYTES]);
	/* Optional: the machine's power button goes to the first device that has this. */
	void (*power_button)(struct device *dev);
	/* Optional: what the device stands on outside may have another size now. Main loop. */
	void (*look_outside)(struct device *dev);
};

struct device {
	const struct device_class *class;
	const struct device_services *services;
	struct device *next; /* in realize order */
	unsigned index;	     /* among those of its class */
	unsigned port_count; /* ranges to give back */
	uint16_t port[8];
};

/*
 * Allocates a device and parses `options` ("key=value,..." or NULL). 0, or -errno with a line in
 * error[] that names class, key and value.
 */
int device__create(const struct device_class *class, unsigned index, const char *options,
		   const struct device_services *services, struct device **dev, char *error,
		   size_t error_size);
int device__realize(struct device *dev, char *error, size_t error_size);
/* remove(), ports given back, options freed, memory freed. NULL is fine. */
void device__destroy(struct device *dev);

/* For realize(): claims I/O ports. */
int device__claim_ports(struct device *dev, uint16_t port, unsigned count, unsigned width,
			void (*handler)(void *opaque, struct access *access), char *error,
			size_t error_size);

/* Fills the options of a device structure from text; device__create() does it. */
int option__parse(const struct device_class *class, const char *text, void *object, char *error,
		  size_t error_size);
void option__free(const struct device_class *class, void *object);

/* Bytes that state__save() needs. */
size_t state__size(const struct state_table *table);
/* Writes version and fields. Returns bytes written or -ENOSPC. */
long state__save(const struct state_table *table, const void *object, uint8_t *buf, size_t size);
/* 0, -EINVAL (truncated, or from a later version); `object` unchanged then. */
int state__load(const struct state_table *table, struct device *dev, const uint8_t *buf,
		size_t size);

#endif
