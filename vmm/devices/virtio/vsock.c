/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket device (virtio 1.2, 5.10): packets between the rings and vmm/vsock. */
#include "vmm/vsock/vsock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/devices/classes.h"
#include "vmm/devices/virtio/virtio.h"
#include "vmm/loop/loop.h"

#define ID 19
#define PCI_CLASS_OTHER_NETWORK 0x028000
#define QUEUE_SIZE 128
#define SEGMENTS_MOST 64

/* 5.10.2 */
#define QUEUE_RECEIVE 0
#define QUEUE_TRANSMIT 1
#define QUEUE_EVENT 2
#define QUEUES 3

#define F_STREAM 0

struct vsock_event { /* 5.10.6.7 */
	uint32_t id;
};

#define EVENT_TRANSPORT_RESET 0

struct virtio_vsock {
	struct device dev;
	struct virtio virtio;
	/* Options */
	uint64_t cid;
	char *socket;
	/* The loop's thread */
	struct vsock *vsock;
	bool owes_reset; /* event queue's lock: the driver is to hear that its connections are gone */
};

static struct virtio_vsock *of_virtio(struct virtio *virtio)
{
	return container_of_type(virtio, struct virtio_vsock, virtio);
}

static struct virtio_vsock *of_device(struct device *dev)
{
	return container_of_type(dev, struct virtio_vsock, dev);
}

/* ---- queues; each with its lock ---- */

/* One packet into the chain. Bytes, 0: there was none. */
static uint32_t give(struct virtio_vsock *sock, const struct virtio_chain *chain)
{
	struct iovec room[SEGMENTS_MOST];
	struct vsock_header header;
	unsigned count = virtio_chain__slice(chain, true, sizeof(header), SIZE_MAX, room);

	if (!vsock__give(sock->vsock, &header, room, count))
		return 0;
	virtio_chain__write(chain, 0, &header, sizeof(header));
	return (uint32_t)sizeof(header) + header.length;
}

static bool receive(struct virtio_vsock *sock, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	unsigned left = queue->size;
	uint32_t size;

	virtio_queue__ask_notify(queue, false);
	while (left && vsock__has_output(sock->vsock) && virtio_queue__pop(queue, &chain) > 0) {
		if (chain.writable_bytes <= VSOCK_HEADER_BYTES) {
			virtio__break(&sock->virtio, queue, "a buffer has no room for a packet");
			break;
		}
		size = give(sock, &chain);
		if (!size) {
			virtio_queue__unpop(queue, &chain);
			break;
		}
		virtio_queue__push(queue, &chain, size);
		left--;
	}
	virtio_queue__signal(queue);
	/* Free buffers are the usual case: they are news only if a packet waits for one. */
	return vsock__has_output(sock->vsock) && virtio_queue__ask_notify(queue, true);
}

/* False: that is no packet. */
static bool take(struct virtio_vsock *sock, const struct virtio_chain *chain)
{
	struct iovec data[SEGMENTS_MOST];
	struct vsock_header header;
	unsigned count;

	if (virtio_chain__read(chain, 0, &header, sizeof(header)) != sizeof(header) ||
	    header.length > chain->readable_bytes - sizeof(header))
		return false;
	count = virtio_chain__slice(chain, false, sizeof(header), header.length, data);
	vsock__take(sock->vsock, &header, data, count);
	return true;
}

static bool transmit(struct virtio_vsock *sock, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	unsigned left = queue->size;
	bool more;

	virtio_queue__ask_notify(queue, false);
	while (left-- && virtio_queue__pop(queue, &chain) > 0) {
		if (!take(sock, &chain)) {
			virtio__break(&sock->virtio, queue, "a packet is shorter than it says");
			break;
		}
		virtio_queue__push(queue, &chain, 0);
	}
	virtio_queue__signal(queue);
	more = virtio_queue__ask_notify(queue, true);
	/* Answers go at once. Only this thread ever holds two queues' locks. */
	if (vsock__has_output(sock->vsock))
		virtio__kick_queue(&sock->virtio, QUEUE_RECEIVE);
	return more;
}

static bool tell_events(struct virtio_vsock *sock, struct virtio_queue *queue)
{
	const struct vsock_event event = { EVENT_TRANSPORT_RESET };
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };

	if (!sock->owes_reset)
		return false;
	if (virtio_queue__pop(queue, &chain) <= 0)
		return virtio_queue__ask_notify(queue, true);
	sock->owes_reset = false;
	virtio_queue__push(queue, &chain,
			   (uint32_t)virtio_chain__write(&chain, 0, &event, sizeof(event)));
	virtio_queue__signal(queue);
	return false;
}

static bool kick(struct virtio *virtio, struct virtio_queue *queue)
{
	struct virtio_vsock *sock = of_virtio(virtio);

	switch (queue->index) {
	case QUEUE_RECEIVE:
		return receive(sock, queue);
	case QUEUE_TRANSMIT:
		return transmit(sock, queue);
	default:
		return tell_events(sock, queue);
	}
}

/* ---- virtio ---- */

static void on_output(void *opaque)
{
	struct virtio_vsock *sock = opaque;

	virtio__kick_queue(&sock->virtio, QUEUE_RECEIVE);
}

static void read_config(struct virtio *virtio, unsigned offset, void *buf, unsigned size)
{
	const uint64_t cid = of_virtio(virtio)->cid; /* 5.10.4 */

	memcpy(buf, (const char *)&cid + offset, size);
}

static void set_owes_reset(struct virtio_vsock *sock, bool owes)
{
	struct virtio_queue *queue = &sock->virtio.queue[QUEUE_EVENT];

	pthread_mutex_lock(&queue->lock);
	sock->owes_reset = owes;
	pthread_mutex_unlock(&queue->lock);
}

static void start_vsock(void *opaque)
{
	vsock__start(opaque);
}

static void stop_vsock(void *opaque)
{
	vsock__stop(opaque);
}

/* Connections are the loop's; no queue's lock is held here. All queues have the same loop. */
static void start(struct virtio *virtio)
{
	set_owes_reset(of_virtio(virtio), false);
	loop__call(virtio->queue[0].loop, start_vsock, of_virtio(virtio)->vsock);
}

static void stop(struct virtio *virtio)
{
	loop__call(virtio->queue[0].loop, stop_vsock, of_virtio(virtio)->vsock);
}

static const struct virtio_class virtio_class = {
	.name = "virtio-vsock",
	.id = ID,
	.pci_class = PCI_CLASS_OTHER_NETWORK,
	.config_size = sizeof(uint64_t),
	.on_loop = true,
	.read_config = read_config,
	.start = start,
	.stop = stop,
	.kick = kick,
};

/* ---- the class ---- */

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct virtio_vsock *sock = of_device(dev);
	struct vsock_options options = { .cid = sock->cid,
					 .path = sock->socket,
					 .output = on_output,
					 .opaque = sock };
	char why[200];
	int err;

	if (!sock->socket) {
		snprintf(error, error_size,
			 "device virtio-vsock: socket is missing; give the path of a UNIX socket to make");
		return -EINVAL;
	}
	err = virtio__realize(&sock->virtio, dev, &virtio_class, BIT64(F_STREAM), QUEUES, error,
			      error_size);
	if (err)
		return err;
	options.loop = sock->virtio.queue[0].loop;
	err = vsock__open(&options, &sock->vsock, why, sizeof(why));
	if (err)
		snprintf(error, error_size, "device virtio-vsock: socket=%s", why);
	return err;
}

static void describe(struct device *dev, struct aml *aml)
{
	virtio__describe(&of_device(dev)->virtio, aml);
}

static void reset(struct device *dev)
{
	virtio__reset_all(&of_device(dev)->virtio);
}

static void remove_vsock(struct device *dev)
{
	vsock__close(of_device(dev)->vsock);
	virtio__remove(&of_device(dev)->virtio);
}

/* Connections are not of the state: what the driver takes for one is told to be none. */
static int after_load(struct device *dev)
{
	struct virtio_vsock *sock = of_device(dev);
	int err;

	loop__call(sock->virtio.queue[0].loop, stop_vsock, sock->vsock);
	err = virtio__after_load(&sock->virtio);
	if (err || !virtio__is_running(&sock->virtio))
		return err;
	set_owes_reset(sock, true);
	virtio__notify(&sock->virtio, QUEUE_EVENT);
	return 0;
}

static const struct config_option options[] = {
	{ "socket", OPTION_STRING, offsetof(struct virtio_vsock, socket), 0, 0, 0,
	  "UNIX socket to make for connections to the guest; the guest's own go to PATH_PORT" },
	{ "cid", OPTION_U64, offsetof(struct virtio_vsock, cid), VSOCK_GUEST_CID_LEAST,
	  VSOCK_GUEST_CID_LEAST, VSOCK_GUEST_CID_MOST, "the guest's address (3)" },
	VIRTIO_OPTIONS(struct virtio_vsock, virtio.options, QUEUE_SIZE),
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_PART(struct virtio_vsock, virtio, 1, &virtio_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_virtio_vsock = {
	.name = "virtio-vsock",
	.help = "sockets between the guest and UNIX sockets of the host",
	.bus = DEVICE_BUS_ANY,
	.max = 1,
	.size = sizeof(struct virtio_vsock),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_vsock,
	.acpi = describe,
};
