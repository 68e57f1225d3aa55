/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's virtio driver on the bench: negotiation over PCI, or over MMIO if TRIVET_TEST_TRANSPORT=mmio is in the
 * environment, and both ring layouts.
 */
#ifndef TESTS_DEVICES_VIRTIO_DRIVER_H
#define TESTS_DEVICES_VIRTIO_DRIVER_H

#include "tests/devices/fixture.h"
#include "vmm/devices/virtio/ring.h"

#define DRIVER_QUEUES 8
#define DRIVER_VERSION_1 (1ull << 32)
#define DRIVER_PACKED (1ull << 34)
#define DRIVER_EVENT_IDX (1ull << 29)
#define DRIVER_INDIRECT (1ull << 28)

/* Registers of the common structure over PCI */
#define DRIVER_STATUS 0x14

/* Registers that both transports have. */
enum driver_register {
	DRIVER_REG_DEVICE_SELECT,
	DRIVER_REG_DEVICE_FEATURES,
	DRIVER_REG_DRIVER_SELECT,
	DRIVER_REG_DRIVER_FEATURES,
	DRIVER_REG_STATUS,
	DRIVER_REG_GENERATION,
	DRIVER_REG_QUEUE_SELECT,
	DRIVER_REG_QUEUE_SIZE,
	DRIVER_REG_QUEUE_ENABLE,
	DRIVER_REG_AREAS, /* see driver__set_area() */
};

struct driver_queue {
	unsigned size;
	bool packed;
	uint64_t descriptors, driver, device; /* GPAs */
	unsigned next;			      /* split: descriptor; packed: place in the ring */
	uint16_t avail;			      /* split: index */
	bool wrap;			      /* packed */
	uint16_t used_at;
	bool used_wrap;
	unsigned taken[1024]; /* packed: descriptors of a buffer by its id */
};

struct driver {
	struct fixture *f;
	bool mmio;
	unsigned bus, devfn;
	uint64_t common, isr, config, notify; /* GPAs, from the capabilities; MMIO: common is the window */
	unsigned notify_step;
	uint64_t table;	  /* MSI-X */
	uint64_t next_free; /* guest memory */
	uint64_t features;
	struct driver_queue queue[DRIVER_QUEUES];
};

struct driver_buffer {
	uint64_t gpa;
	uint32_t length;
	bool write;
};

/* A bench with a host bridge and one device of the class, addresses assigned. */
struct driver *driver__create(const struct device_class *class, const char *options);
void driver__destroy(struct driver *driver);
struct device *driver__device(struct driver *driver);

/* Accesses to guest-physical addresses and configuration space. */
uint64_t driver__read(struct driver *driver, uint64_t gpa, unsigned size);
void driver__write(struct driver *driver, uint64_t gpa, unsigned size, uint64_t value);
uint32_t driver__config(struct driver *driver, unsigned reg, unsigned size);
void driver__set_config(struct driver *driver, unsigned reg, unsigned size, uint32_t value);

uint64_t driver__get(struct driver *driver, enum driver_register reg);
void driver__set(struct driver *driver, enum driver_register reg, uint64_t value);
/* Of the selected queue: 0 descriptors, 1 driver, 2 device. */
void driver__set_area(struct driver *driver, unsigned area, uint64_t gpa);

/* Reset to FEATURES_OK, with those of `features` that are offered. The status. */
unsigned driver__negotiate(struct driver *driver, uint64_t features);
/* Places and enables a queue, with MSI-X vector index + 1. */
void driver__enable(struct driver *driver, unsigned queue, unsigned size);
/* MSI-X on, each vector with its number as data; DRIVER_OK. */
void driver__start(struct driver *driver);
/* All of the above. */
void driver__run(struct driver *driver, uint64_t features, unsigned queues, unsigned size);
unsigned driver__status(struct driver *driver);

/* Guest memory for buffers. */
uint64_t driver__alloc(struct driver *driver, size_t size);
void *driver__memory(struct driver *driver, uint64_t gpa, size_t size);

/* Makes a buffer available; in a table of its own if `indirect`. Returns its id. */
unsigned driver__add(struct driver *driver, unsigned queue, const struct driver_buffer *buffers,
		     unsigned count, bool indirect);
void driver__kick(struct driver *driver, unsigned queue);
/* The next used buffer. False: none. */
bool driver__used(struct driver *driver, unsigned queue, unsigned *id, uint32_t *length);
/*
 * Messages since the last question that had this vector. MMIO: whether there was an interrupt, 0 of
 * the configuration, others of some queue.
 */
unsigned driver__interrupts(struct driver *driver, unsigned vector);

#endif
