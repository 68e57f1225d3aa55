/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entropy device (virtio 1.2, 5.4): the host kernel's random numbers, at a limited rate if asked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/devices/classes.h"
#include "vmm/devices/virtio/virtio.h"
#include "vmm/loop/loop.h"

#define ID 4
#define PCI_CLASS_OTHER 0x00ff00
#define QUEUE_SIZE 64

/* Most bytes a buffer gets; the driver takes fewer as they are, and asks again. */
#define BUFFER_MOST 4096u
#define SEGMENTS_MOST 16

#define NS_PER_MS 1000000ull

struct virtio_rng {
	struct device dev;
	struct virtio virtio;
	uint64_t max_bytes, period; /* options: bytes in so many ms; 0: no limit */
	struct loop_timer *timer;
	/* The queue's lock */
	uint64_t left;	      /* bytes of the present period */
	uint64_t period_ends; /* loop__now() time; 0: none has begun */
};

static struct virtio_rng *of_virtio(struct virtio *virtio)
{
	return container_of_type(virtio, struct virtio_rng, virtio);
}

/* How many of `want` bytes may be given now; the timer is armed if it is not all. */
static size_t take_allowance(struct virtio_rng *rng, size_t want)
{
	uint64_t now;

	if (!rng->max_bytes)
		return want;
	now = loop__now();
	if (now >= rng->period_ends) {
		rng->left = rng->max_bytes;
		rng->period_ends = now + rng->period * NS_PER_MS;
	}
	if (want > rng->left) {
		want = rng->left;
		loop__timer_arm(rng->timer, rng->period_ends);
	}
	return want;
}

/* Bytes written. */
static size_t fill(const struct virtio_chain *chain, size_t size)
{
	uint8_t bytes[BUFFER_MOST];
	ssize_t got = getrandom(bytes, size, 0);

	return got > 0 ? virtio_chain__write(chain, 0, bytes, (size_t)got) : 0;
}

/*
 * Buffers that no byte may be given to stay in the ring. A chain that was taken cannot be put back,
 * so the allowance is looked at first.
 */
static bool kick(struct virtio *virtio, struct virtio_queue *queue)
{
	struct virtio_rng *rng = of_virtio(virtio);
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	unsigned left = queue->size;

	virtio_queue__ask_notify(queue, false);
	while (left-- && take_allowance(rng, 1) && virtio_queue__pop(queue, &chain) > 0) {
		size_t size = take_allowance(rng, MIN_OF(chain.writable_bytes, BUFFER_MOST));

		size = fill(&chain, size);
		if (rng->max_bytes)
			rng->left -= size;
		virtio_queue__push(queue, &chain, (uint32_t)size);
	}
	virtio_queue__signal(queue);
	return virtio_queue__ask_notify(queue, true) && take_allowance(rng, 1);
}

static void on_timer(void *opaque)
{
	struct virtio_rng *rng = opaque;

	virtio__kick_queue(&rng->virtio, 0);
}

static const struct virtio_class virtio_class = {
	.name = "virtio-rng",
	.id = ID,
	.pci_class = PCI_CLASS_OTHER,
	.kick = kick,
};

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct virtio_rng *rng = container_of_type(dev, struct virtio_rng, dev);
	int err = loop__timer(dev->services->loop, on_timer, rng, &rng->timer);

	if (err) {
		snprintf(error, error_size, "device virtio-rng: cannot make a timer: %s",
			 strerror(-err));
		return err;
	}
	return virtio__realize(&rng->virtio, dev, &virtio_class, BIT64(VIRTIO_F_IN_ORDER), 1, error,
			       error_size);
}

static void describe(struct device *dev, struct aml *aml)
{
	virtio__describe(&container_of_type(dev, struct virtio_rng, dev)->virtio, aml);
}

static void reset(struct device *dev)
{
	struct virtio_rng *rng = container_of_type(dev, struct virtio_rng, dev);

	virtio__reset_all(&rng->virtio);
	loop__timer_cancel(rng->timer);
	rng->period_ends = 0;
}

static void remove_rng(struct device *dev)
{
	struct virtio_rng *rng = container_of_type(dev, struct virtio_rng, dev);

	virtio__remove(&rng->virtio);
	loop__timer_free(rng->timer);
}

static int after_load(struct device *dev)
{
	return virtio__after_load(&container_of_type(dev, struct virtio_rng, dev)->virtio);
}

static const struct config_option options[] = {
	{ "max-bytes", OPTION_U64, offsetof(struct virtio_rng, max_bytes), 0, 0, UINT32_MAX,
	  "most bytes given in a period; 0: no limit" },
	{ "period", OPTION_U64, offsetof(struct virtio_rng, period), 1000, 1, 3600000,
	  "the period in milliseconds (1000)" },
	VIRTIO_OPTIONS(struct virtio_rng, virtio.options, QUEUE_SIZE),
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_PART(struct virtio_rng, virtio, 1, &virtio_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_virtio_rng = {
	.name = "virtio-rng",
	.help = "entropy from the host",
	.bus = DEVICE_BUS_ANY,
	.max = 4,
	.size = sizeof(struct virtio_rng),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_rng,
	.acpi = describe,
};
