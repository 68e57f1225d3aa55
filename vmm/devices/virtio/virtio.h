/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core of every virtio device (virtio 1.2, chapter 2): features, status, queues, configuration
 * space. A transport (PCI, MMIO) is its face to the driver, a class what it does.
 *
 * Locks, outermost first: the PCI lock, virtio->lock (status, features, set-up of queues), each
 * queue's lock (a running queue), what the transport needs for an interrupt. The class's functions
 * say which they are called with.
 */
#ifndef VMM_DEVICES_VIRTIO_VIRTIO_H
#define VMM_DEVICES_VIRTIO_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/device/device.h"
#include "vmm/devices/virtio/queue.h"
#include "vmm/pci/msix.h"
#include "vmm/pci/pci.h"

struct virtio;

#define VIRTIO_QUEUES_MOST 66u

/* Feature bits of all devices (chapter 6) */
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_RING_PACKED 34
#define VIRTIO_F_IN_ORDER 35

/* Status bits (2.1) */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER 0x02u
#define VIRTIO_STATUS_DRIVER_OK 0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED 0x80u

/* What an interrupt was for (4.1.4.5, 4.2.2) */
#define VIRTIO_INTERRUPT_QUEUE 0x01u
#define VIRTIO_INTERRUPT_CONFIG 0x02u

struct virtio_class {
	const char *name; /* as --device has it */
	uint16_t id;	  /* chapter 5 */
	uint32_t pci_class;
	uint16_t queue_size; /* preset of the option queue-size */
	uint16_t config_size;
	/* kick() is called on the queue's event loop only, never on a vCPU's thread. */
	bool on_loop;
	/* Optional: the device's configuration space; virtio->lock. */
	void (*read_config)(struct virtio *virtio, unsigned offset, void *buf, unsigned size);
	void (*write_config)(struct virtio *virtio, unsigned offset, const void *buf,
			     unsigned size);
	/* Optional: the driver is ready, queues run; virtio->lock. */
	void (*start)(struct virtio *virtio);
	/*
	 * Optional: the device is being reset. Queues have stopped; when this returns nothing that
	 * the device had begun touches guest memory any more. virtio->lock, no queue's.
	 */
	void (*stop)(struct virtio *virtio);
	/*
	 * The driver has made buffers available; the queue's lock. Works off no more than the
	 * queue holds, so that a driver that goes on and on keeps nobody else from the thread: true
	 * if there is more to do, for which it is called again.
	 */
	bool (*kick)(struct virtio *virtio, struct virtio_queue *queue);
};

struct virtio_transport_ops {
	int (*realize)(struct virtio *virtio, char *error, size_t error_size);
	void (*remove)(struct virtio *virtio);
	/* The transport's registers, behind a reset of the device; virtio->lock. */
	void (*reset)(struct virtio *virtio);
	/* What a reset of the device leaves as it is, to the power-on state. Without locks. */
	void (*power_on)(struct virtio *virtio);
	/* Interrupts: of used buffers, of a changed configuration. Any thread, any lock. */
	void (*raise_queue)(struct virtio *virtio, const struct virtio_queue *queue);
	void (*raise_config)(struct virtio *virtio);
	/* Whether the device may access memory now. Any thread, any lock. */
	bool (*may_access)(const struct virtio *virtio);
	/* Where a write notifies the queue, 0: nowhere now; virtio->lock. */
	uint64_t (*doorbell)(const struct virtio *virtio, const struct virtio_queue *queue);
	/* It is the same for all queues, and what is written is the queue's number. */
	bool doorbell_has_number;
	/* Optional: its node in the ACPI name space. */
	void (*describe)(struct virtio *virtio, struct aml *aml);
	int (*after_load)(struct virtio *virtio);
};

extern const struct virtio_transport_ops virtio_transport_pci, virtio_transport_mmio;

/* What the user chooses for a device, whatever its class. */
struct virtio_options {
	char *transport; /* "pci" or "mmio" */
	char *irqfd;	 /* "on" or "off"; NULL: as the hypervisor does it better */
	struct pci_place place;
	uint64_t queue_size;
	uint64_t io_thread;
	bool packed, indirect, event_index, ioeventfd;
};

#define VIRTIO_OPTIONS(type, member, queue_size_preset)                                            \
	VIRTIO_OPTIONS_ON(type, member, queue_size_preset, 0,                                      \
			  "number of the I/O thread that serves it; 0: the main one")
/* Likewise for a class that is on an I/O thread unless it is told otherwise. */
#define VIRTIO_OPTIONS_ON(type, member, queue_size_preset, thread_preset, thread_help)              \
	{ "transport", OPTION_STRING, offsetof(type, member.transport), 0, 0, 0,                   \
	  "pci, or mmio: registers in memory and a line (pci where there is one)" },               \
	PCI_PLACE_OPTIONS(type, member.place),                                                     \
	{ "queue-size", OPTION_U64, offsetof(type, member.queue_size), queue_size_preset, 2,       \
	  VIRTIO_QUEUE_SIZE_MOST, "descriptors in each queue, a power of two" },                   \
	{ "iothread", OPTION_U64, offsetof(type, member.io_thread), thread_preset, 0,               \
	  DEVICE_IO_THREADS, thread_help },                                                        \
	{ "packed", OPTION_BOOL, offsetof(type, member.packed), 0, 0, 0,                           \
	  "offer the packed ring layout (off)" },                                                  \
	{ "indirect", OPTION_BOOL, offsetof(type, member.indirect), 1, 0, 0,                       \
	  "offer indirect descriptors (on)" },                                                     \
	{ "event-idx", OPTION_BOOL, offsetof(type, member.event_index), 1, 0, 0,                   \
	  "offer suppression of notifications by index (on)" },                                    \
	{ "irqfd", OPTION_STRING, offsetof(type, member.irqfd), 0, 0, 0,                           \
	  "interrupts of PCI by eventfds: on or off (on where the kernel's KVM takes them)" },     \
	{                                                                                          \
		"ioeventfd", OPTION_BOOL, offsetof(type, member.ioeventfd), 1, 0, 0,               \
			"notifications wake the event loop without an exit to the machine (on)"    \
	}

/* The transport over PCI (4.1). */
struct virtio_pci {
	struct pci_function function;
	struct msix msix;
	unsigned window;	  /* offset of the capability that reaches the BAR (4.1.4.9) */
	uint64_t notify;	  /* virtio->lock: where the notification area is, 0: nowhere */
	pthread_mutex_t isr_lock; /* guards isr and its way to the interrupt pin */
	uint8_t isr;
	uint16_t config_vector; /* atomic */
};

/* The transport over MMIO (4.2). */
struct virtio_mmio {
	uint64_t window; /* GPA; 0: none */
	unsigned number; /* of the window */
	struct irq_wire wire;
	pthread_mutex_t lock; /* guards interrupts and the wire */
	uint8_t interrupts;
};

struct virtio {
	struct device *dev;
	const struct virtio_class *class;
	const struct virtio_transport_ops *transport;
	struct virtio_options options;
	uint64_t offered;   /* features; fixed once realized */
	unsigned nr_queues; /* likewise */
	bool realized;

	pthread_mutex_t lock; /* guards what follows, but for what is atomic */
	uint64_t accepted;    /* features; constant while queues run */
	atomic_uint complaints; /* that were said */
	atomic_uchar status;
	atomic_uchar generation; /* of the configuration space, 2.5.1 */
	uint32_t device_select, driver_select, queue_select;
	struct virtio_queue queue[VIRTIO_QUEUES_MOST];
	struct virtio_pci pci;
	struct virtio_mmio mmio;
};

/* ---- for device classes ---- */

/*
 * Sets up the device with `nr_queues` queues and connects it to its transport. `features` are the
 * class's own. 0 or -errno with a line in error[]; virtio__remove() copes with a half.
 */
int virtio__realize(struct virtio *virtio, struct device *dev, const struct virtio_class *class,
		    uint64_t features, unsigned nr_queues, char *error, size_t error_size);
void virtio__remove(struct virtio *virtio);
/* For the device class's reset(): the power-on state, transport included. */
void virtio__reset_all(struct virtio *virtio);
int virtio__after_load(struct virtio *virtio);
void virtio__describe(struct virtio *virtio, struct aml *aml);

static inline bool virtio__has_feature(const struct virtio *virtio, unsigned bit)
{
	return virtio->accepted >> bit & 1;
}

/* Between DRIVER_OK and reset. Any thread. */
static inline bool virtio__is_running(struct virtio *virtio)
{
	return atomic_load(&virtio->status) & VIRTIO_STATUS_DRIVER_OK;
}

/*
 * The driver broke a rule: the device stops until it is reset (2.1.2, DEVICE_NEEDS_RESET), and
 * says why in the log, once, and no more than a few times in its life. `queue` may be NULL. Any
 * thread, any lock.
 */
void virtio__break(struct virtio *virtio, const struct virtio_queue *queue, const char *why);
static inline bool virtio__is_broken(struct virtio *virtio)
{
	return atomic_load(&virtio->status) & VIRTIO_STATUS_NEEDS_RESET;
}

/* The configuration space has changed: the driver is told. Any thread, any lock. */
void virtio__config_changed(struct virtio *virtio);

/* Has the class look at a queue, in this thread. Without locks. */
void virtio__kick_queue(struct virtio *virtio, unsigned index);
/* For what comes by itself: whether buffers may be taken now. The queue's lock. */
bool virtio_queue__is_usable(const struct virtio_queue *queue);
/* The event loop that a device with these options will be served by; NULL: the host refuses. */
struct loop *virtio__loop(const struct device *dev, const struct virtio_options *options);

extern const struct state_table virtio_state;

/* ---- for transports; with virtio->lock unless they say otherwise ---- */

uint32_t virtio__read_features(const struct virtio *virtio);
void virtio__write_features(struct virtio *virtio, uint32_t value);
/* A write of the status register: 0 resets. */
void virtio__write_status(struct virtio *virtio, uint8_t value);
/* The queue that queue_select chooses, or NULL. */
struct virtio_queue *virtio__selected(struct virtio *virtio);
void virtio__enable_queue(struct virtio *virtio, struct virtio_queue *queue);
/* Takes a queue out of use. One that runs breaks the device: its buffers may be in use. */
void virtio__disable_queue(struct virtio *virtio, struct virtio_queue *queue);
/* Accesses to the device's configuration space; access->offset from its start. */
void virtio__access_config(struct virtio *virtio, struct access *access);
/* The driver notifies a queue. Without locks. */
void virtio__notify(struct virtio *virtio, unsigned index);
/* Doorbells as transport->doorbell() says now. */
void virtio__hang_doorbells(struct virtio *virtio);
/* Memory can be accessed again: looks at all queues. Without virtio->lock. */
void virtio__kick_all(struct virtio *virtio);

#endif
