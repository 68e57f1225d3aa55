/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network device (virtio 1.2, 5.1): features, configuration space, life. */
#include "vmm/devices/virtio/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/devices/classes.h"
#include "vmm/loop/loop.h"

#define ID 1
#define PCI_CLASS_ETHERNET 0x020000
#define QUEUE_SIZE 256
#define RATE_MOST (1ull << 50)

#define STATUS_LINK_UP 1u
#define STATUS_ANNOUNCE 2u

struct net_config { /* 5.1.4 */
	uint8_t mac[NET_MAC_BYTES];
	uint16_t status;
	uint16_t pairs_most;
	uint16_t mtu;
};

static struct virtio_net *of_virtio(struct virtio *virtio)
{
	return container_of_type(virtio, struct virtio_net, virtio);
}

static struct virtio_net *of_device(struct device *dev)
{
	return container_of_type(dev, struct virtio_net, dev);
}

/* ---- configuration space ---- */

static void read_config(struct virtio *virtio, unsigned offset, void *buf, unsigned size)
{
	struct virtio_net *net = of_virtio(virtio);
	struct net_config config = {.pairs_most = (uint16_t)net->pairs_most,
				    .mtu = (uint16_t)net->mtu};

	pthread_mutex_lock(&net->lock);
	memcpy(config.mac, net->filter.mac, sizeof(config.mac));
	config.status = (uint16_t)((net->link && net->link_wanted ? STATUS_LINK_UP : 0) |
				   (net->announce ? STATUS_ANNOUNCE : 0));
	pthread_mutex_unlock(&net->lock);
	memcpy(buf, (const char *)&config + offset, size);
}

static uint64_t features_of(const struct virtio_net *net)
{
	static const uint8_t both[][3] = {
		{NET_OFFLOAD_CSUM, NET_F_CSUM, NET_F_GUEST_CSUM},
		{NET_OFFLOAD_TSO4, NET_F_HOST_TSO4, NET_F_GUEST_TSO4},
		{NET_OFFLOAD_TSO6, NET_F_HOST_TSO6, NET_F_GUEST_TSO6},
		{NET_OFFLOAD_ECN, NET_F_HOST_ECN, NET_F_GUEST_ECN},
		{NET_OFFLOAD_UFO, NET_F_HOST_UFO, NET_F_GUEST_UFO},
	};
	uint64_t features = BIT64(NET_F_MAC) | BIT64(NET_F_STATUS) | BIT64(NET_F_MRG_RXBUF) |
			    BIT64(NET_F_CTRL_VQ) | BIT64(NET_F_CTRL_RX) | BIT64(NET_F_CTRL_VLAN) |
			    BIT64(NET_F_CTRL_RX_EXTRA) | BIT64(NET_F_GUEST_ANNOUNCE) |
			    BIT64(NET_F_CTRL_MAC_ADDR) | BIT64(NET_F_CTRL_GUEST_OFFLOADS);
	uint32_t offloads = net__offloads(net->net);
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(both); i++)
		if (offloads & both[i][0])
			features |= BIT64(both[i][1]) | BIT64(both[i][2]);
	if (net->pairs_most > 1)
		features |= BIT64(NET_F_MQ);
	if (net->mtu)
		features |= BIT64(NET_F_MTU);
	return features;
}

/* ---- virtio ---- */

static bool kick(struct virtio *virtio, struct virtio_queue *queue)
{
	struct virtio_net *net = of_virtio(virtio);
	/* 5.1.2: a driver that knows one pair finds the control queue behind it. */
	unsigned control =
		virtio__has_feature(virtio, NET_F_MQ) ? 2 * (unsigned)net->pairs_most : 2;

	if (queue->index == control)
		return net_control__kick(net, queue);
	if (queue->index > control)
		return false;
	if (queue->index % 2)
		return net_transfer__send(&net->pair[queue->index / 2], queue);
	/* Buffers to receive in: news only if somebody waits for one, and then it is asked for. */
	virtio_queue__ask_notify(queue, false);
	net__resume(net->net);
	return false;
}

static void start(struct virtio *virtio)
{
	struct virtio_net *net = of_virtio(virtio);

	net__accept_offloads(net->net, net_control__offloads(virtio->accepted));
}

static void to_power_on(struct virtio_net *net)
{
	pthread_mutex_lock(&net->lock);
	net_filter__reset(&net->filter, net->mac);
	net->pairs = 1;
	net->announce = 0;
	pthread_mutex_unlock(&net->lock);
	net__accept_offloads(net->net, 0);
	net__use_queues(net->net, 1);
}

static void stop(struct virtio *virtio)
{
	to_power_on(of_virtio(virtio));
}

static const struct virtio_class virtio_class = {
	.name = "virtio-net",
	.id = ID,
	.pci_class = PCI_CLASS_ETHERNET,
	.config_size = sizeof(struct net_config),
	.on_loop = true,
	.read_config = read_config,
	.start = start,
	.stop = stop,
	.kick = kick,
};

/* ---- events; the loop's thread ---- */

static void on_writable(void *opaque, unsigned queue)
{
	struct virtio_net *net = opaque;

	virtio__kick_queue(&net->virtio, 2 * queue + 1);
}

static void on_link(void *opaque, bool up)
{
	struct virtio_net *net = opaque;

	pthread_mutex_lock(&net->lock);
	net->link = up;
	pthread_mutex_unlock(&net->lock);
	virtio__config_changed(&net->virtio);
}

static void on_receive_timer(void *opaque)
{
	struct virtio_net *net = opaque;

	net__resume(net->net);
}

static void on_send_timer(void *opaque)
{
	struct virtio_net *net = opaque;
	unsigned i;

	for (i = 0; i < net->pairs_most; i++)
		virtio__kick_queue(&net->virtio, 2 * i + 1);
}

/* ---- the class ---- */

/* On a bridge two machines must not have the same; nobody else hears of the others. */
static int choose_mac(struct virtio_net *net, char *error, size_t error_size)
{
	static const uint8_t preset[NET_MAC_BYTES] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

	if (net->mac_text) {
		if (!net__parse_mac(net->mac_text, net->mac))
			return 0;
		snprintf(error, error_size,
			 "device virtio-net: mac=%s: must be an address for one, for example "
			 "52:54:00:12:34:56",
			 net->mac_text);
		return -EINVAL;
	}
	memcpy(net->mac, preset, sizeof(net->mac));
	if (net->options.backend && !strcmp(net->options.backend, "tap") &&
	    getrandom(net->mac + 3, 3, 0) != 3) {
		snprintf(error, error_size, "device virtio-net: no random numbers; give mac");
		return -EIO;
	}
	net->mac[NET_MAC_BYTES - 1] = (uint8_t)(net->mac[NET_MAC_BYTES - 1] + net->dev.index);
	return 0;
}

static void set_limits(struct virtio_net *net)
{
	const struct throttle_limit limit[THROTTLE_COUNT] = {
		[THROTTLE_READ_BYTES] = {.rate = net->limit[0]},
		[THROTTLE_READ_OPS] = {.rate = net->limit[1]},
		[THROTTLE_WRITE_BYTES] = {.rate = net->limit[2]},
		[THROTTLE_WRITE_OPS] = {.rate = net->limit[3]},
	};

	throttle__set(&net->throttle, limit, 0);
}

/* All queues have the same loop, which is the back end's. */
static int connect_backend(struct virtio_net *net, struct loop *loop, char *error,
			   size_t error_size)
{
	int err = net__open(&net->options, (unsigned)net->pairs_most, loop, &net->net, error,
			    error_size);

	if (err)
		return err;
	if (!net->mtu)
		net->mtu = net__mtu(net->net);
	net->link = 1;
	err = loop__timer(loop, on_receive_timer, net, &net->receive_timer);
	if (!err)
		err = loop__timer(loop, on_send_timer, net, &net->send_timer);
	if (!err)
		err = net_transfer__init(net, (unsigned)net->pairs_most);
	if (err)
		snprintf(error, error_size, "device virtio-net: %s", strerror(-err));
	return err;
}

struct starting {
	struct virtio_net *net;
	struct net_events events;
};

static void start_backend(void *opaque)
{
	struct starting *starting = opaque;

	net__start(starting->net->net, &starting->events);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct virtio_net *net = of_device(dev);
	struct starting starting = {net,
				    {.receive = net_transfer__receive,
				     .received = net_transfer__received,
				     .writable = on_writable,
				     .link = on_link,
				     .opaque = net}};
	struct loop *loop;
	int err;

	pthread_mutex_init(&net->lock, NULL);
	throttle__init(&net->throttle);
	set_limits(net);
	err = choose_mac(net, error, error_size);
	if (err)
		return err;
	loop = virtio__loop(dev, &net->virtio.options);
	if (!loop) {
		snprintf(error, error_size, "device virtio-net: cannot start its I/O thread");
		return -EAGAIN;
	}
	err = connect_backend(net, loop, error, error_size);
	if (err)
		return err;
	err = virtio__realize(&net->virtio, dev, &virtio_class, features_of(net),
			      2 * (unsigned)net->pairs_most + 1, error, error_size);
	if (err)
		return err;
	to_power_on(net);
	loop__call(loop, start_backend, &starting);
	return 0;
}

static void describe(struct device *dev, struct aml *aml)
{
	virtio__describe(&container_of_type(dev, struct virtio_net, dev)->virtio, aml);
}

static void reset(struct device *dev)
{
	virtio__reset_all(&of_device(dev)->virtio);
}

static void remove_net(struct device *dev)
{
	struct virtio_net *net = of_device(dev);

	net__close(net->net);
	loop__timer_free(net->receive_timer);
	loop__timer_free(net->send_timer);
	virtio__remove(&net->virtio);
	net_transfer__destroy(net);
	throttle__destroy(&net->throttle);
	pthread_mutex_destroy(&net->lock);
}

static uint64_t tell_boot(struct device *dev, char path[DEVICE_BOOT_PATH_BYTES])
{
	struct virtio_net *net = of_device(dev);
	size_t at = pci_function__firmware_path(&net->virtio.pci.function, "ethernet", path,
						DEVICE_BOOT_PATH_BYTES);

	snprintf(path + at, DEVICE_BOOT_PATH_BYTES - at, "/ethernet-phy@0");
	return at ? net->boot_index : DEVICE_NO_BOOT_INDEX;
}

static int after_load(struct device *dev)
{
	struct virtio_net *net = of_device(dev);
	struct net_filter *filter = &net->filter;
	int err;

	if (filter->unicasts > NET_ADDRESSES_MOST ||
	    filter->multicasts > NET_ADDRESSES_MOST - filter->unicasts || !net->pairs ||
	    net->pairs > net->pairs_most)
		return -EINVAL;
	err = virtio__after_load(&net->virtio);
	if (err)
		return err;
	net__use_queues(net->net, net->pairs);
	net__resume(net->net);
	return 0;
}

static const struct config_option options[] = {
	NET_OPTIONS(struct virtio_net, options),
	{"mac", OPTION_STRING, offsetof(struct virtio_net, mac_text), 0, 0, 0,
	 "the guest's address (52:54:00:12:34:56 and up; of a tap: random)"},
	{"mtu", OPTION_U64, offsetof(struct virtio_net, mtu), 0, NET_MTU_LEAST, NET_MTU_MOST,
	 "size of packets that the guest is told (user: 65520, tap: not told)"},
	{"queues", OPTION_U64, offsetof(struct virtio_net, pairs_most), 1, 1, NET_QUEUES_MOST,
	 "pairs of queues (1)"},
	{"link", OPTION_BOOL, offsetof(struct virtio_net, link_wanted), 1, 0, 0,
	 "the cable is plugged in (on)"},
	{"rx-bps", OPTION_SIZE, offsetof(struct virtio_net, limit[0]), 0, 1, RATE_MOST,
	 "bytes per second to the guest"},
	{"rx-pps", OPTION_SIZE, offsetof(struct virtio_net, limit[1]), 0, 1, RATE_MOST,
	 "frames per second to the guest"},
	{"tx-bps", OPTION_SIZE, offsetof(struct virtio_net, limit[2]), 0, 1, RATE_MOST,
	 "bytes per second from the guest"},
	{"tx-pps", OPTION_SIZE, offsetof(struct virtio_net, limit[3]), 0, 1, RATE_MOST,
	 "frames per second from the guest"},
	DEVICE_BOOT_OPTION(struct virtio_net, boot_index),
	VIRTIO_OPTIONS(struct virtio_net, virtio.options, QUEUE_SIZE),
	{NULL},
};

static const struct state_field filter_fields[] = {
	STATE_FIELD(struct net_filter, promiscuous, 1),
	STATE_FIELD(struct net_filter, all_multicast, 1),
	STATE_FIELD(struct net_filter, all_unicast, 1),
	STATE_FIELD(struct net_filter, no_multicast, 1),
	STATE_FIELD(struct net_filter, no_unicast, 1),
	STATE_FIELD(struct net_filter, no_broadcast, 1),
	STATE_FIELD(struct net_filter, unicast_overflow, 1),
	STATE_FIELD(struct net_filter, multicast_overflow, 1),
	STATE_FIELD(struct net_filter, unicasts, 1),
	STATE_FIELD(struct net_filter, multicasts, 1),
	{"address", offsetof(struct net_filter, address), 1, NET_ADDRESSES_MOST *NET_MAC_BYTES, 1},
	STATE_ARRAY(struct net_filter, vlan, 1),
	STATE_ARRAY(struct net_filter, mac, 1),
	{NULL},
};

static const struct state_table filter_state = {1, filter_fields, NULL};

static const struct state_field state_fields[] = {
	STATE_PART(struct virtio_net, virtio, 1, &virtio_state, 1),
	STATE_PART(struct virtio_net, filter, 1, &filter_state, 1),
	STATE_FIELD(struct virtio_net, pairs, 1),
	STATE_FIELD(struct virtio_net, announce, 1),
	{NULL},
};

static const struct state_table state = {1, state_fields, after_load};

const struct device_class device_class_virtio_net = {
	.name = "virtio-net",
	.help = "a network card",
	.bus = DEVICE_BUS_ANY,
	.max = 16,
	.size = sizeof(struct virtio_net),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_net,
	.boot = tell_boot,
	.acpi = describe,
};
