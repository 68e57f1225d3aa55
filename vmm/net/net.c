/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Back ends by their names, and what all of them have in common. */
#include "vmm/net/net.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/net/backend.h"

static const struct net_class *const classes[] = {&net_class_user, &net_class_tap, &net_class_none};

static const struct net_class *find_class(const char *name)
{
	unsigned i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (!strcmp(classes[i]->name, name))
			return classes[i];
	return NULL;
}

int net__open(const struct net_options *options, unsigned queues, struct loop *loop,
	      struct net **out, char *error, size_t error_size)
{
	const char *name = options->backend ? options->backend : "user";
	const struct net_class *class = find_class(name);
	struct net *net;
	int err;

	if (!class) {
		snprintf(error, error_size, "network option backend=%s: must be user, tap or none",
			 name);
		return -EINVAL;
	}
	net = calloc(1, class->size);
	if (!net) {
		snprintf(error, error_size, "network: out of memory");
		return -ENOMEM;
	}
	net->class = class;
	net->loop = loop;
	net->queues = queues;
	err = class->open(net, options, error, error_size);
	if (err) {
		net__close(net);
		return err;
	}
	*out = net;
	return 0;
}

void net__start(struct net *net, const struct net_events *events)
{
	net->events = *events;
	net->class->start(net);
}

void net__close(struct net *net)
{
	if (!net)
		return;
	net->class->close(net);
	free(net);
}

unsigned net__queues(const struct net *net)
{
	return net->class->use_queues ? net->queues : 1;
}

uint32_t net__offloads(const struct net *net)
{
	return net->offloads;
}

void net__accept_offloads(struct net *net, uint32_t offloads)
{
	if (net->class->accept_offloads)
		net->class->accept_offloads(net, offloads & net->offloads);
}

void net__use_queues(struct net *net, unsigned queues)
{
	if (net->class->use_queues)
		net->class->use_queues(net, queues);
}

unsigned net__mtu(const struct net *net)
{
	return net->mtu;
}

int net__send(struct net *net, unsigned queue, const struct iovec *iov, unsigned count, size_t size)
{
	return net->class->send(net, queue, iov, count, size);
}

void net__flush(struct net *net)
{
	if (net->class->flush)
		net->class->flush(net);
}

void net__resume(struct net *net)
{
	if (net->class->resume)
		net->class->resume(net);
}

static int digit(char c)
{
	return isxdigit((unsigned char)c) ? c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10 : -1;
}

int net__parse_mac(const char *text, uint8_t mac[NET_MAC_BYTES])
{
	uint8_t bytes[NET_MAC_BYTES];
	unsigned i;

	for (i = 0; i < NET_MAC_BYTES; i++, text += 3) {
		if (digit(text[0]) < 0 || digit(text[1]) < 0 ||
		    text[2] != (i + 1 < NET_MAC_BYTES ? ':' : '\0'))
			return -EINVAL;
		bytes[i] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
	}
	if (bytes[0] & 1)
		return -EINVAL;
	memcpy(mac, bytes, sizeof(bytes));
	return 0;
}

/* ---- a cable that leads nowhere ---- */

static int open_none(struct net *net, const struct net_options *options, char *error,
		     size_t error_size)
{
	net->offloads = NET_OFFLOAD_CSUM;
	return 0;
}

static void do_nothing(struct net *net)
{
}

static int send_nowhere(struct net *net, unsigned queue, const struct iovec *iov, unsigned count,
			size_t size)
{
	return 0;
}

const struct net_class net_class_none = {
	.name = "none",
	.size = sizeof(struct net),
	.open = open_none,
	.start = do_nothing,
	.close = do_nothing,
	.send = send_nowhere,
};
