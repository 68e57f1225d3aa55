/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio over PCI (virtio 1.2, 4.1), without the legacy interface: one memory BAR with all
 * structures, the MSI-X table and its pending bits.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/devices/virtio/virtio.h"

#define VENDOR 0x1af4
#define DEVICE_BASE 0x1040
#define REVISION 1

/* The BAR */
#define BAR 0
#define BAR_BYTES 0x8000u
#define PAGE 0x1000u
#define COMMON_AT 0x0000u
#define ISR_AT 0x1000u
#define CONFIG_AT 0x2000u
#define NOTIFY_AT 0x3000u
#define TABLE_AT 0x4000u
#define PBA_AT 0x5000u
#define NOTIFY_STEP 4u

/* Capability types (4.1.4) */
#define CAP_COMMON 1
#define CAP_NOTIFY 2
#define CAP_ISR 3
#define CAP_DEVICE 4
#define CAP_PCI 5

struct virtio_capability { /* 4.1.4 */
	uint8_t id, next, length, type, bar, number, padding[2];
	uint32_t offset, bytes;
	uint32_t more; /* notify: multiplier; PCI: data */
} __attribute__((packed));

#define CAP_BYTES 16u
#define WINDOW_BAR offsetof(struct virtio_capability, bar)
#define WINDOW_OFFSET offsetof(struct virtio_capability, offset)
#define WINDOW_LENGTH offsetof(struct virtio_capability, bytes)
#define WINDOW_DATA offsetof(struct virtio_capability, more)

/* The common structure (4.1.4.3) */
enum common_register {
	COMMON_DEVICE_SELECT = 0x00,
	COMMON_DEVICE_FEATURES = 0x04,
	COMMON_DRIVER_SELECT = 0x08,
	COMMON_DRIVER_FEATURES = 0x0c,
	COMMON_CONFIG_VECTOR = 0x10,
	COMMON_NUM_QUEUES = 0x12,
	COMMON_STATUS = 0x14,
	COMMON_GENERATION = 0x15,
	COMMON_QUEUE_SELECT = 0x16,
	COMMON_QUEUE_SIZE = 0x18,
	COMMON_QUEUE_VECTOR = 0x1a,
	COMMON_QUEUE_ENABLE = 0x1c,
	COMMON_QUEUE_NOTIFY_OFF = 0x1e,
	COMMON_QUEUE_AREAS = 0x20, /* descriptors, driver, device: 8 bytes each */
	COMMON_QUEUE_AREAS_END = 0x38,
};

static struct virtio *of_function(struct pci_function *function)
{
	return container_of_type(function, struct virtio, pci.function);
}

/* ---- interrupts ---- */

static void raise_vector(struct virtio *virtio, uint16_t vector, uint8_t isr)
{
	struct virtio_pci *pci = &virtio->pci;

	if (msix__raise(&pci->msix, vector))
		return;
	pthread_mutex_lock(&pci->isr_lock);
	pci->isr |= isr;
	pci_function__set_intx(&pci->function, true);
	pthread_mutex_unlock(&pci->isr_lock);
}

static void raise_queue(struct virtio *virtio, const struct virtio_queue *queue)
{
	raise_vector(virtio, __atomic_load_n(&queue->vector, __ATOMIC_RELAXED), VIRTIO_INTERRUPT_QUEUE);
}

static void raise_config(struct virtio *virtio)
{
	raise_vector(virtio, __atomic_load_n(&virtio->pci.config_vector, __ATOMIC_RELAXED),
		     VIRTIO_INTERRUPT_CONFIG);
}

/* Reading it acknowledges (4.1.4.5). */
static void access_isr(struct virtio *virtio, struct access *access)
{
	struct virtio_pci *pci = &virtio->pci;

	if (access->write)
		return;
	pthread_mutex_lock(&pci->isr_lock);
	access->value = access->offset ? 0 : pci->isr;
	if (!access->offset) {
		pci->isr = 0;
		pci_function__set_intx(&pci->function, false);
	}
	pthread_mutex_unlock(&pci->isr_lock);
}

/* ---- the common structure; virtio->lock ---- */

static uint64_t read_queue(const struct virtio_queue *queue, unsigned reg)
{
	switch (reg) {
	case COMMON_QUEUE_SIZE:
		return queue->size;
	case COMMON_QUEUE_VECTOR:
		return queue->vector;
	case COMMON_QUEUE_ENABLE:
		return queue->enabled;
	case COMMON_QUEUE_NOTIFY_OFF:
		return queue->index;
	}
	return 0;
}

static uint64_t read_common(struct virtio *virtio, unsigned reg)
{
	struct virtio_queue *queue = virtio__selected(virtio);

	switch (reg) {
	case COMMON_DEVICE_SELECT:
		return virtio->device_select;
	case COMMON_DEVICE_FEATURES:
		return virtio__read_features(virtio);
	case COMMON_DRIVER_SELECT:
		return virtio->driver_select;
	case COMMON_DRIVER_FEATURES:
		return virtio->driver_select < 2
			       ? (uint32_t)(virtio->accepted >> 32 * virtio->driver_select)
			       : 0;
	case COMMON_CONFIG_VECTOR:
		return virtio->pci.config_vector;
	case COMMON_NUM_QUEUES:
		return virtio->nr_queues;
	case COMMON_STATUS:
		return atomic_load(&virtio->status);
	case COMMON_GENERATION:
		return atomic_load(&virtio->generation);
	case COMMON_QUEUE_SELECT:
		return virtio->queue_select;
	default:
		return queue ? read_queue(queue, reg) : 0; /* size 0: there is no such queue */
	}
}

/* 4.1.5.1.2.1: a vector that does not exist reads back as none. */
static uint16_t checked_vector(const struct virtio *virtio, uint64_t value)
{
	return value < virtio->pci.msix.count ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void write_queue(struct virtio *virtio, struct virtio_queue *queue, unsigned reg,
			uint64_t value)
{
	switch (reg) {
	case COMMON_QUEUE_SIZE:
		if (!queue->enabled && value && value <= queue->size_most)
			queue->size = (uint16_t)value;
		break;
	case COMMON_QUEUE_VECTOR:
		__atomic_store_n(&queue->vector, checked_vector(virtio, value), __ATOMIC_RELAXED);
		break;
	case COMMON_QUEUE_ENABLE:
		if (value == 1 && !queue->enabled)
			virtio__enable_queue(virtio, queue);
		break;
	}
}

static void write_common(struct virtio *virtio, unsigned reg, uint64_t value)
{
	struct virtio_queue *queue = virtio__selected(virtio);

	switch (reg) {
	case COMMON_DEVICE_SELECT:
		virtio->device_select = (uint32_t)value;
		break;
	case COMMON_DRIVER_SELECT:
		virtio->driver_select = (uint32_t)value;
		break;
	case COMMON_DRIVER_FEATURES:
		virtio__write_features(virtio, (uint32_t)value);
		break;
	case COMMON_CONFIG_VECTOR:
		__atomic_store_n(&virtio->pci.config_vector, checked_vector(virtio, value),
				 __ATOMIC_RELAXED);
		break;
	case COMMON_STATUS:
		virtio__write_status(virtio, (uint8_t)value);
		break;
	case COMMON_QUEUE_SELECT:
		virtio->queue_select = (uint16_t)value;
		break;
	default:
		if (queue)
			write_queue(virtio, queue, reg, value);
	}
}

/* Areas may be written in halves (4.1.3.1). */
static void access_areas(struct virtio *virtio, struct access *access)
{
	struct virtio_queue *queue = virtio__selected(virtio);
	unsigned at = (unsigned)access->offset - COMMON_QUEUE_AREAS;
	uint8_t *bytes;

	if (!access->write)
		access->value = 0;
	if (!queue || at + access->size > sizeof(queue->area))
		return;
	bytes = (uint8_t *)queue->area + at;
	if (!access->write)
		memcpy(&access->value, bytes, access->size);
	else if (!queue->enabled)
		memcpy(bytes, &access->value, access->size);
}

/* Width of a register that starts here, 0: none does. */
static unsigned register_width(uint64_t offset)
{
	if (offset < COMMON_CONFIG_VECTOR)
		return offset % 4 ? 0 : 4;
	if (offset == COMMON_STATUS || offset == COMMON_GENERATION)
		return 1;
	return offset % 2 ? 0 : 2;
}

/* 4.1.3.1: a driver accesses each register with its own width. Anything else is ignored. */
static void access_common(struct virtio *virtio, struct access *access)
{
	if (access->offset >= COMMON_QUEUE_AREAS && access->offset < COMMON_QUEUE_AREAS_END) {
		access_areas(virtio, access);
		return;
	}
	if (!access->write)
		access->value = 0;
	if (access->offset >= COMMON_QUEUE_AREAS || access->size != register_width(access->offset))
		return;
	if (access->write)
		write_common(virtio, (unsigned)access->offset, access->value);
	else
		access->value = read_common(virtio, (unsigned)access->offset);
}

/* ---- the BAR ---- */

static void access_bar(void *opaque, struct access *access)
{
	struct virtio *virtio = opaque;
	uint64_t page = access->offset & ~(uint64_t)(PAGE - 1);

	access->offset -= page;
	switch (page) {
	case COMMON_AT:
		pthread_mutex_lock(&virtio->lock);
		access_common(virtio, access);
		pthread_mutex_unlock(&virtio->lock);
		break;
	case ISR_AT:
		access_isr(virtio, access);
		break;
	case CONFIG_AT:
		pthread_mutex_lock(&virtio->lock);
		virtio__access_config(virtio, access);
		pthread_mutex_unlock(&virtio->lock);
		break;
	case NOTIFY_AT:
		if (access->write)
			virtio__notify(virtio, (unsigned)(access->offset / NOTIFY_STEP));
		else
			access->value = 0;
		break;
	case TABLE_AT:
		msix__access_table(&virtio->pci.msix, access);
		break;
	case PBA_AT:
		msix__access_pba(&virtio->pci.msix, access);
		break;
	default:
		access->value = 0;
	}
}

/* ---- the window in configuration space (4.1.4.9) ---- */

static bool read_window(struct virtio *virtio, struct access *access)
{
	struct pci_function *function = &virtio->pci.function;
	unsigned at = virtio->pci.window;
	uint32_t length;

	pthread_mutex_lock(&function->pci->lock);
	length = pci_function__read(function, at + WINDOW_LENGTH, 4);
	access->offset = pci_function__read(function, at + WINDOW_OFFSET, 4);
	access->value = pci_function__read(function, at + WINDOW_DATA, 4);
	access->size = (uint8_t)length;
	pthread_mutex_unlock(&function->pci->lock);
	return (length == 1 || length == 2 || length == 4) && access->offset % length == 0 &&
	       access->offset < BAR_BYTES &&
	       pci_function__read(function, at + WINDOW_BAR, 1) == BAR;
}

static bool is_window_data(const struct virtio *virtio, unsigned reg, unsigned size)
{
	unsigned data = virtio->pci.window + WINDOW_DATA;

	return reg < data + 4 && reg + size > data;
}

static void before_read(struct pci_function *function, unsigned reg, unsigned size)
{
	struct virtio *virtio = of_function(function);
	struct access access = { .write = false };

	if (!is_window_data(virtio, reg, size) || !read_window(virtio, &access))
		return;
	access_bar(virtio, &access);
	pthread_mutex_lock(&function->pci->lock);
	pci_function__write(function, virtio->pci.window + WINDOW_DATA, access.size,
			    (uint32_t)access.value);
	pthread_mutex_unlock(&function->pci->lock);
}

static void after_write(struct pci_function *function, unsigned reg, unsigned size)
{
	struct virtio *virtio = of_function(function);
	struct access access = { .write = true };

	if (!is_window_data(virtio, reg, size) || !read_window(virtio, &access))
		return;
	access.value &= access.size == 4 ? 0xffffffffu : (1u << 8 * access.size) - 1;
	access_bar(virtio, &access);
}

/* ---- the function ---- */

static void moved(struct pci_function *function, unsigned bar)
{
	struct virtio *virtio = of_function(function);

	if (bar != BAR)
		return;
	pthread_mutex_lock(&virtio->lock);
	virtio->pci.notify = function->bar[BAR].mapped ? function->bar[BAR].address + NOTIFY_AT : 0;
	virtio__hang_doorbells(virtio);
	pthread_mutex_unlock(&virtio->lock);
}

static void mastering(struct pci_function *function, bool may)
{
	if (may)
		virtio__kick_all(of_function(function));
}

static const struct pci_function_ops function_ops = {
	.before_read = before_read,
	.after_write = after_write,
	.moved = moved,
	.mastering = mastering,
};

static bool may_access(const struct virtio *virtio)
{
	return pci_function__may_master(&virtio->pci.function);
}

static uint64_t doorbell(const struct virtio *virtio, const struct virtio_queue *queue)
{
	return virtio->pci.notify ? virtio->pci.notify + NOTIFY_STEP * queue->index : 0;
}

static unsigned add_capability(struct virtio *virtio, uint8_t type, uint32_t offset,
			       uint32_t bytes)
{
	struct virtio_capability cap = { .length = CAP_BYTES,
					 .type = type,
					 .bar = BAR,
					 .offset = offset,
					 .bytes = bytes,
					 .more = type == CAP_NOTIFY ? NOTIFY_STEP : 0 };
	uint8_t writable[sizeof(cap)] = { 0 };

	if (type == CAP_NOTIFY || type == CAP_PCI)
		cap.length = sizeof(cap);
	if (type == CAP_PCI) {
		writable[WINDOW_BAR] = 0xff;
		memset(&writable[WINDOW_OFFSET], 0xff, sizeof(writable) - WINDOW_OFFSET);
	}
	return pci_function__add_capability(&virtio->pci.function, PCI_CAP_VENDOR, &cap, cap.length,
					    writable);
}

static int add_capabilities(struct virtio *virtio)
{
	struct virtio_pci *pci = &virtio->pci;
	unsigned config_bytes = ALIGN_UP_TO(virtio->class->config_size, 4u);

	if (msix__add(&pci->msix, &pci->function, virtio->nr_queues + 1, BAR, TABLE_AT, PBA_AT) ||
	    !add_capability(virtio, CAP_COMMON, COMMON_AT, COMMON_QUEUE_AREAS_END) ||
	    !add_capability(virtio, CAP_ISR, ISR_AT, 1) ||
	    !add_capability(virtio, CAP_NOTIFY, NOTIFY_AT, NOTIFY_STEP * virtio->nr_queues) ||
	    (config_bytes && !add_capability(virtio, CAP_DEVICE, CONFIG_AT, config_bytes)))
		return -ENOSPC;
	pci->window = add_capability(virtio, CAP_PCI, 0, 0);
	if (!pci->window)
		return -ENOSPC;
	return pci_function__add_express(&pci->function,
					 virtio->options.place.port ? PCI_EXP_TYPE_ENDPOINT
								    : PCI_EXP_TYPE_INTEGRATED,
					 0);
}

static int realize(struct virtio *virtio, char *error, size_t error_size)
{
	const struct pci_identity identity = {
		.vendor = VENDOR,
		.device = DEVICE_BASE + virtio->class->id,
		.class_code = virtio->class->pci_class,
		.revision = REVISION,
		.subsystem_vendor = VENDOR,
		.subsystem = 0x1100, /* 4.1.2.1: 40H or above */
	};
	const struct pci_bar bar = { .size = BAR_BYTES,
				     .bits = PCI_BAR_64_BITS | PCI_BAR_PREFETCHABLE,
				     .width = 8,
				     .access = access_bar,
				     .opaque = virtio };
	const char *irqfd = virtio->options.irqfd;
	struct virtio_pci *pci = &virtio->pci;
	int err;

	if (irqfd && strcmp(irqfd, "on") && strcmp(irqfd, "off")) {
		snprintf(error, error_size, "device %s: irqfd=%s: must be on or off",
			 virtio->class->name, irqfd);
		return -EINVAL;
	}
	pthread_mutex_init(&pci->isr_lock, NULL);
	pci->config_vector = VIRTIO_NO_VECTOR;
	pci_function__init(&pci->function, virtio->dev, &identity, NULL, &function_ops);
	pci_function__add_bar(&pci->function, BAR, &bar);
	pci_function__add_intx(&pci->function);
	err = add_capabilities(virtio);
	if (err) {
		snprintf(error, error_size, "device %s: no room for its PCI capabilities",
			 virtio->class->name);
		return err;
	}
	if (irqfd ? !strcmp(irqfd, "on") : virtio->dev->services->messages->wires_are_direct)
		msix__use_wires(&pci->msix);
	return pci_function__plug(&pci->function, &virtio->options.place, error, error_size);
}

static void remove_pci(struct virtio *virtio)
{
	struct virtio_pci *pci = &virtio->pci;

	if (!pci->function.pci)
		return;
	pci_function__unplug(&pci->function);
	msix__destroy(&pci->msix);
	pthread_mutex_destroy(&pci->isr_lock);
}

/* 4.1.4.3.1: vectors go with a reset; pending interrupts too. virtio->lock. */
static void reset_pci(struct virtio *virtio)
{
	struct virtio_pci *pci = &virtio->pci;

	__atomic_store_n(&pci->config_vector, VIRTIO_NO_VECTOR, __ATOMIC_RELAXED);
	pthread_mutex_lock(&pci->isr_lock);
	pci->isr = 0;
	pci_function__set_intx(&pci->function, false);
	pthread_mutex_unlock(&pci->isr_lock);
}

static void power_on(struct virtio *virtio)
{
	pci_function__reset(&virtio->pci.function);
}

static int after_load(struct virtio *virtio)
{
	pci_function__after_load(&virtio->pci.function);
	return 0;
}

const struct virtio_transport_ops virtio_transport_pci = {
	.realize = realize,
	.remove = remove_pci,
	.reset = reset_pci,
	.power_on = power_on,
	.raise_queue = raise_queue,
	.raise_config = raise_config,
	.may_access = may_access,
	.doorbell = doorbell,
	.after_load = after_load,
};
