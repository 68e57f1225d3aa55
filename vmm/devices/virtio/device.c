/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and removing virtio devices, their doorbells, their saved state. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/devices/virtio/virtio.h"
#include "vmm/loop/loop.h"

/* ---- doorbells ---- */

static void on_kick(void *opaque, uint32_t events)
{
	struct virtio_queue *queue = opaque;
	uint64_t count;

	if (read(queue->kick_fd, &count, sizeof(count)) == sizeof(count))
		virtio__kick_queue(queue->virtio, queue->index);
}

static int make_kick(struct virtio_queue *queue)
{
	int err;

	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->kick_fd < 0)
		return -errno;
	err = loop__watch(queue->loop, queue->kick_fd, LOOP_IN, on_kick, queue, &queue->kick_watch);
	if (err) {
		close(queue->kick_fd);
		queue->kick_fd = -1;
	}
	return err;
}

static void move_doorbell(struct virtio *virtio, struct virtio_queue *queue, uint64_t wanted)
{
	struct message_hub *hub = virtio->dev->services->messages;
	struct doorbell doorbell = { .address = queue->doorbell,
				     .fd = queue->kick_fd,
				     .has_value = virtio->transport->doorbell_has_number,
				     .value = queue->index };

	if (queue->doorbell == wanted)
		return;
	if (queue->doorbell)
		message_hub__doorbell(hub, &doorbell, false);
	doorbell.address = queue->doorbell = wanted;
	/* Without it writes come to the transport's handler. */
	if (wanted && message_hub__doorbell(hub, &doorbell, true))
		queue->doorbell = 0;
}

void virtio__hang_doorbells(struct virtio *virtio)
{
	bool running = virtio__is_running(virtio);
	unsigned i;

	for (i = 0; i < virtio->nr_queues; i++) {
		struct virtio_queue *queue = &virtio->queue[i];

		move_doorbell(virtio, queue,
			      running && queue->enabled && virtio->options.ioeventfd
				      ? virtio->transport->doorbell(virtio, queue)
				      : 0);
	}
}

/* ---- life ---- */

struct loop *virtio__loop(const struct device *dev, const struct virtio_options *options)
{
	const struct device_services *services = dev->services;

	if (!services->io_loop)
		return services->loop;
	return services->io_loop(services->opaque, (unsigned)options->io_thread);
}

static int init_queue(struct virtio *virtio, unsigned index)
{
	struct virtio_queue *queue = &virtio->queue[index];

	queue->virtio = virtio;
	queue->index = (uint16_t)index;
	queue->size_most = (uint16_t)virtio->options.queue_size;
	queue->size = queue->size_most;
	queue->vector = VIRTIO_NO_VECTOR;
	queue->kick_fd = -1;
	queue->loop = virtio__loop(virtio->dev, &virtio->options);
	if (!queue->loop)
		return -EAGAIN;
	pthread_mutex_init(&queue->lock, NULL);
	virtio->nr_queues = index + 1;
	return make_kick(queue);
}

static int choose_transport(struct virtio *virtio, char *error, size_t error_size)
{
	bool has_pci = virtio->dev->services->pci;
	const char *name = virtio->options.transport;

	if (!name)
		name = has_pci ? "pci" : "mmio";
	if (!strcmp(name, "pci") && has_pci) {
		virtio->transport = &virtio_transport_pci;
	} else if (!strcmp(name, "mmio")) {
		virtio->transport = &virtio_transport_mmio;
	} else {
		snprintf(error, error_size, "device %s: transport=%s: must be %s", virtio->class->name,
			 name, has_pci ? "pci or mmio" : "mmio, as this machine has no PCI");
		return -EINVAL;
	}
	return 0;
}

int virtio__realize(struct virtio *virtio, struct device *dev, const struct virtio_class *class,
		    uint64_t features, unsigned nr_queues, char *error, size_t error_size)
{
	const struct virtio_options *options = &virtio->options;
	unsigned i;
	int err = 0;

	virtio->dev = dev;
	virtio->class = class;
	virtio->offered = features | BIT64(VIRTIO_F_VERSION_1) |
			  (uint64_t)options->packed << VIRTIO_F_RING_PACKED |
			  (uint64_t)options->indirect << VIRTIO_F_INDIRECT_DESC |
			  (uint64_t)options->event_index << VIRTIO_F_EVENT_IDX;
	err = choose_transport(virtio, error, error_size);
	if (err)
		return err;
	if (options->queue_size & (options->queue_size - 1)) {
		snprintf(error, error_size, "device %s: queue-size=%llu: must be a power of two",
			 class->name, (unsigned long long)options->queue_size);
		return -EINVAL;
	}
	pthread_mutex_init(&virtio->lock, NULL);
	virtio->realized = true;
	for (i = 0; i < nr_queues && !err; i++)
		err = init_queue(virtio, i);
	if (err) {
		snprintf(error, error_size, "device %s: queue %u: %s", class->name, i - 1,
			 strerror(-err));
		return err;
	}
	return virtio->transport->realize(virtio, error, error_size);
}

static void remove_queue(struct virtio_queue *queue)
{
	loop__unwatch(queue->kick_watch);
	if (queue->kick_fd >= 0)
		close(queue->kick_fd);
	pthread_mutex_destroy(&queue->lock);
}

void virtio__remove(struct virtio *virtio)
{
	unsigned i;

	if (!virtio->realized)
		return;
	virtio->transport->remove(virtio);
	for (i = 0; i < virtio->nr_queues; i++)
		remove_queue(&virtio->queue[i]);
	pthread_mutex_destroy(&virtio->lock);
	virtio->realized = false;
}

void virtio__reset_all(struct virtio *virtio)
{
	pthread_mutex_lock(&virtio->lock);
	virtio__write_status(virtio, 0);
	atomic_store(&virtio->generation, 0);
	pthread_mutex_unlock(&virtio->lock);
	virtio->transport->power_on(virtio);
}

void virtio__describe(struct virtio *virtio, struct aml *aml)
{
	if (virtio->transport->describe)
		virtio->transport->describe(virtio, aml);
}

/* ---- saved state ---- */

/* A queue's fields as no driver could have set them are refused; the rest is tried. */
static int check_queue(const struct virtio *virtio, struct virtio_queue *queue)
{
	bool packed = virtio__has_feature(virtio, VIRTIO_F_RING_PACKED);

	queue->enabled = !!queue->enabled;
	queue->avail_wrap = !!queue->avail_wrap;
	queue->used_wrap = !!queue->used_wrap;
	if (!queue->size || queue->size > queue->size_most || queue->outstanding > queue->size)
		return -EINVAL;
	if (packed && (queue->next_avail >= queue->size || queue->next_used >= queue->size))
		return -EINVAL;
	return 0;
}

static int resume_queue(struct virtio *virtio, struct virtio_queue *queue)
{
	const struct virtio_queue saved = *queue;
	const char *why;
	int err = virtio_queue__start(queue, virtio__has_feature(virtio, VIRTIO_F_RING_PACKED),
				      virtio__has_feature(virtio, VIRTIO_F_EVENT_IDX), &why);

	if (err)
		return err;
	queue->next_avail = saved.next_avail;
	queue->next_used = saved.next_used;
	queue->avail_wrap = saved.avail_wrap;
	queue->used_wrap = saved.used_wrap;
	queue->signalled = saved.signalled;
	queue->unsignalled = saved.unsignalled;
	queue->outstanding = saved.outstanding;
	return 0;
}

static int load_queues(struct virtio *virtio)
{
	bool running = virtio__is_running(virtio);
	unsigned i;
	int err = 0;

	for (i = 0; i < virtio->nr_queues && !err; i++) {
		struct virtio_queue *queue = &virtio->queue[i];

		pthread_mutex_lock(&queue->lock);
		virtio_queue__stop(queue);
		err = check_queue(virtio, queue);
		if (!err && running && queue->enabled)
			err = resume_queue(virtio, queue);
		pthread_mutex_unlock(&queue->lock);
	}
	return err;
}

int virtio__after_load(struct virtio *virtio)
{
	uint8_t status = atomic_load(&virtio->status);
	int err = -EINVAL;

	pthread_mutex_lock(&virtio->lock);
	if (!(virtio->accepted & ~virtio->offered) ||
	    !(status & (VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)))
		err = load_queues(virtio);
	if (!err && virtio__is_running(virtio) && virtio->class->start)
		virtio->class->start(virtio);
	pthread_mutex_unlock(&virtio->lock);
	if (!err && virtio->transport->after_load)
		err = virtio->transport->after_load(virtio);
	return err;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct virtio, accepted, 1),
	STATE_FIELD(struct virtio, status, 1),
	STATE_FIELD(struct virtio, generation, 1),
	STATE_FIELD(struct virtio, device_select, 1),
	STATE_FIELD(struct virtio, driver_select, 1),
	STATE_FIELD(struct virtio, queue_select, 1),
	STATE_PART(struct virtio, queue, VIRTIO_QUEUES_MOST, &virtio_queue_state, 1),
	STATE_PART(struct virtio, pci.function, 1, &pci_function_state, 1),
	STATE_PART(struct virtio, pci.msix, 1, &msix_state, 1),
	STATE_FIELD(struct virtio, pci.isr, 1),
	STATE_FIELD(struct virtio, pci.config_vector, 1),
	STATE_FIELD(struct virtio, mmio.interrupts, 1),
	{ NULL },
};

const struct state_table virtio_state = { 1, state_fields, NULL };
