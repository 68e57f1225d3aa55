/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio over MMIO (virtio 1.2, 4.2), version 2: a window of registers and an interrupt line, both
 * told to the guest by ACPI. For machines and guests without PCI.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/acpi/aml.h"
#include "vmm/devices/virtio/virtio.h"

/* One page each, between the local APICs and what VT-x needs (docs/machine.md). */
#define WINDOWS_AT 0xfef00000u
#define WINDOW_BYTES 0x1000u
#define WINDOWS 64u
/* Lines that no ISA device has; level triggered, so that windows can share one, also with PCI's pins. */
#define FIRST_GSI 20u
#define GSIS 4u

_Static_assert(FIRST_GSI + GSIS <= IRQ_HUB_GSIS, "lines exist");

#define MAGIC 0x74726976u /* "virt" */
#define VERSION 2u
#define VENDOR 0x1af4u

/* 4.2.2 */
enum mmio_register {
	MMIO_MAGIC = 0x000,
	MMIO_VERSION = 0x004,
	MMIO_DEVICE_ID = 0x008,
	MMIO_VENDOR_ID = 0x00c,
	MMIO_DEVICE_FEATURES = 0x010,
	MMIO_DEVICE_SELECT = 0x014,
	MMIO_DRIVER_FEATURES = 0x020,
	MMIO_DRIVER_SELECT = 0x024,
	MMIO_QUEUE_SELECT = 0x030,
	MMIO_QUEUE_SIZE_MOST = 0x034,
	MMIO_QUEUE_SIZE = 0x038,
	MMIO_QUEUE_READY = 0x044,
	MMIO_QUEUE_NOTIFY = 0x050,
	MMIO_INTERRUPT_STATUS = 0x060,
	MMIO_INTERRUPT_ACK = 0x064,
	MMIO_STATUS = 0x070,
	MMIO_QUEUE_AREAS = 0x080, /* descriptors, driver, device: low and high half, 16 bytes apart */
	MMIO_QUEUE_AREAS_END = 0x0b0,
	MMIO_SHM = 0x0b0, /* length and base of a shared memory region, of which there are none */
	MMIO_SHM_END = 0x0c0,
	MMIO_GENERATION = 0x0fc,
	MMIO_CONFIG = 0x100,
};

#define AREA_STEP 0x10u

/* ---- interrupts ---- */

static void raise_interrupt(struct virtio *virtio, uint8_t status)
{
	struct virtio_mmio *mmio = &virtio->mmio;

	pthread_mutex_lock(&mmio->lock);
	mmio->interrupts |= status;
	irq_wire__set(&mmio->wire, true);
	pthread_mutex_unlock(&mmio->lock);
}

static void raise_queue(struct virtio *virtio, const struct virtio_queue *queue)
{
	raise_interrupt(virtio, VIRTIO_INTERRUPT_QUEUE);
}

static void raise_config(struct virtio *virtio)
{
	raise_interrupt(virtio, VIRTIO_INTERRUPT_CONFIG);
}

static void acknowledge(struct virtio *virtio, uint32_t status)
{
	struct virtio_mmio *mmio = &virtio->mmio;

	pthread_mutex_lock(&mmio->lock);
	mmio->interrupts &= (uint8_t)~status;
	irq_wire__set(&mmio->wire, mmio->interrupts);
	pthread_mutex_unlock(&mmio->lock);
}

static uint32_t read_interrupts(struct virtio *virtio)
{
	struct virtio_mmio *mmio = &virtio->mmio;
	uint32_t status;

	pthread_mutex_lock(&mmio->lock);
	status = mmio->interrupts;
	pthread_mutex_unlock(&mmio->lock);
	return status;
}

/* ---- registers; virtio->lock ---- */

static uint32_t read_register(struct virtio *virtio, unsigned reg)
{
	const struct virtio_queue *queue = virtio__selected(virtio);

	switch (reg) {
	case MMIO_MAGIC:
		return MAGIC;
	case MMIO_VERSION:
		return VERSION;
	case MMIO_DEVICE_ID:
		return virtio->class->id;
	case MMIO_VENDOR_ID:
		return VENDOR;
	case MMIO_DEVICE_FEATURES:
		return virtio__read_features(virtio);
	case MMIO_QUEUE_SIZE_MOST:
		return queue ? queue->size_most : 0; /* 0: there is no such queue */
	case MMIO_QUEUE_READY:
		return queue ? queue->enabled : 0;
	case MMIO_INTERRUPT_STATUS:
		return read_interrupts(virtio);
	case MMIO_STATUS:
		return atomic_load(&virtio->status);
	case MMIO_GENERATION:
		return atomic_load(&virtio->generation);
	}
	/* 4.2.2.1: a region that is not there has all ones as its length. */
	return reg >= MMIO_SHM && reg < MMIO_SHM_END ? UINT32_MAX : 0;
}

static void write_ready(struct virtio *virtio, struct virtio_queue *queue, uint32_t value)
{
	if (value == 1 && !queue->enabled)
		virtio__enable_queue(virtio, queue);
	else if (!value && queue->enabled)
		virtio__disable_queue(virtio, queue);
}

static void write_queue(struct virtio *virtio, struct virtio_queue *queue, unsigned reg,
			uint32_t value)
{
	unsigned area = (reg - MMIO_QUEUE_AREAS) / AREA_STEP, half = (reg & (AREA_STEP - 1)) * 8;

	if (reg == MMIO_QUEUE_READY) {
		write_ready(virtio, queue, value);
		return;
	}
	if (queue->enabled)
		return;
	if (reg == MMIO_QUEUE_SIZE) {
		if (value && value <= queue->size_most)
			queue->size = (uint16_t)value;
	} else if (reg >= MMIO_QUEUE_AREAS && reg < MMIO_QUEUE_AREAS_END && half <= 32) {
		queue->area[area] &= ~(0xffffffffull << half);
		queue->area[area] |= (uint64_t)value << half;
	}
}

static void write_register(struct virtio *virtio, unsigned reg, uint32_t value)
{
	struct virtio_queue *queue = virtio__selected(virtio);

	switch (reg) {
	case MMIO_DEVICE_SELECT:
		virtio->device_select = value;
		break;
	case MMIO_DRIVER_SELECT:
		virtio->driver_select = value;
		break;
	case MMIO_DRIVER_FEATURES:
		virtio__write_features(virtio, value);
		break;
	case MMIO_QUEUE_SELECT:
		virtio->queue_select = value;
		break;
	case MMIO_INTERRUPT_ACK:
		acknowledge(virtio, value);
		break;
	case MMIO_STATUS:
		if (!value || (uint8_t)value) /* there are no bits above, and no reset by them */
			virtio__write_status(virtio, (uint8_t)value);
		break;
	default:
		if (queue)
			write_queue(virtio, queue, reg, value);
	}
}

/* 4.2.2.2: registers are accessed whole; anything else is ignored. */
static void access_register(struct virtio *virtio, struct access *access)
{
	bool whole = access->size == 4 && access->offset % 4 == 0;

	if (!access->write)
		access->value = whole ? read_register(virtio, (unsigned)access->offset) : 0;
	else if (whole)
		write_register(virtio, (unsigned)access->offset, (uint32_t)access->value);
}

static void access_window(void *opaque, struct access *access)
{
	struct virtio *virtio = opaque;

	/* Without locks; here when there is no doorbell. */
	if (access->write && access->offset == MMIO_QUEUE_NOTIFY && access->size == 4) {
		virtio__notify(virtio, (unsigned)MIN_OF(access->value, UINT32_MAX));
		return;
	}
	pthread_mutex_lock(&virtio->lock);
	if (access->offset < MMIO_CONFIG) {
		access_register(virtio, access);
	} else {
		access->offset -= MMIO_CONFIG;
		virtio__access_config(virtio, access);
	}
	pthread_mutex_unlock(&virtio->lock);
}

/* ---- the transport ---- */

/* The first free window. */
static int claim_window(struct virtio *virtio)
{
	struct dispatch *dispatch = virtio->dev->services->mmio;
	struct dispatch_range range = {
		.size = WINDOW_BYTES, .width = 4, .handler = access_window, .opaque = virtio
	};
	unsigned i;
	int err = -EBUSY;

	for (i = 0; i < WINDOWS && err == -EBUSY; i++) {
		range.start = WINDOWS_AT + i * WINDOW_BYTES;
		err = dispatch__add(dispatch, &range);
	}
	if (err)
		return err;
	virtio->mmio.number = i - 1;
	virtio->mmio.window = range.start;
	return 0;
}

static unsigned gsi_of(const struct virtio_mmio *mmio)
{
	return FIRST_GSI + mmio->number % GSIS;
}

static int realize(struct virtio *virtio, char *error, size_t error_size)
{
	struct virtio_mmio *mmio = &virtio->mmio;
	const struct pci_place *place = &virtio->options.place;
	int err;

	if (place->address || place->port) {
		snprintf(error, error_size,
			 "device %s: transport=mmio: has no place on the PCI bus; leave addr and port out",
			 virtio->class->name);
		return -EINVAL;
	}
	err = claim_window(virtio);
	if (err) {
		snprintf(error, error_size, "device %s: transport=mmio: %s", virtio->class->name,
			 err == -EBUSY ? "a machine has 64 windows, and all are taken" : strerror(-err));
		return err == -EBUSY ? -EINVAL : err;
	}
	pthread_mutex_init(&mmio->lock, NULL);
	return irq_wire__connect(&mmio->wire, virtio->dev->services->irqs, gsi_of(mmio));
}

static void remove_mmio(struct virtio *virtio)
{
	struct virtio_mmio *mmio = &virtio->mmio;

	if (!mmio->window)
		return;
	dispatch__remove(virtio->dev->services->mmio, mmio->window);
	pthread_mutex_destroy(&mmio->lock);
}

static void reset(struct virtio *virtio)
{
	acknowledge(virtio, UINT32_MAX);
}

/* There is nothing but what a reset of the device resets. */
static void power_on(struct virtio *virtio)
{
}

static bool may_access(const struct virtio *virtio)
{
	return true;
}

static uint64_t doorbell(const struct virtio *virtio, const struct virtio_queue *queue)
{
	return virtio->mmio.window + MMIO_QUEUE_NOTIFY;
}

/* As Linux's virtio_mmio looks for it; the identifier is a convention, not of the specification. */
static void describe(struct virtio *virtio, struct aml *aml)
{
	const struct virtio_mmio *mmio = &virtio->mmio;
	char name[8];

	snprintf(name, sizeof(name), "VM%02X", mmio->number);
	aml__device(aml, name);
	aml__name_string(aml, "_HID", "LNRO0005");
	aml__name_integer(aml, "_UID", mmio->number);
	aml__resources(aml, "_CRS");
	aml__memory32(aml, (uint32_t)mmio->window, WINDOW_BYTES);
	aml__shared_gsi(aml, gsi_of(mmio));
	aml__end_resources(aml);
	aml__end(aml);
}

static int after_load(struct virtio *virtio)
{
	pthread_mutex_lock(&virtio->mmio.lock);
	virtio->mmio.interrupts &= VIRTIO_INTERRUPT_QUEUE | VIRTIO_INTERRUPT_CONFIG;
	irq_wire__set(&virtio->mmio.wire, virtio->mmio.interrupts);
	pthread_mutex_unlock(&virtio->mmio.lock);
	return 0;
}

const struct virtio_transport_ops virtio_transport_mmio = {
	.realize = realize,
	.remove = remove_mmio,
	.reset = reset,
	.power_on = power_on,
	.raise_queue = raise_queue,
	.raise_config = raise_config,
	.may_access = may_access,
	.doorbell = doorbell,
	.doorbell_has_number = true,
	.describe = describe,
	.after_load = after_load,
};
