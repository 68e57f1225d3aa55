/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network back end is made of. */
#ifndef VMM_NET_BACKEND_H
#define VMM_NET_BACKEND_H

#include "vmm/net/net.h"

struct net_class {
	const char *name; /* as the option backend has it */
	size_t size;	  /* of the structure whose first member is struct net */
	/* 0, or -errno with a line in error[]; close() is called then, too. */
	int (*open)(struct net *net, const struct net_options *options, char *error,
		    size_t error_size);
	void (*start)(struct net *net);
	void (*close)(struct net *net);
	int (*send)(struct net *net, unsigned queue, const struct iovec *iov, unsigned count,
		    size_t size);
	/* Those below are optional. */
	void (*flush)(struct net *net);
	void (*resume)(struct net *net);
	void (*accept_offloads)(struct net *net, uint32_t offloads);
	void (*use_queues)(struct net *net, unsigned queues);
};

struct net {
	const struct net_class *class;
	struct loop *loop;
	struct net_events events;
	unsigned queues;
	uint32_t offloads;
	unsigned mtu;
};

extern const struct net_class net_class_user, net_class_tap, net_class_none;

/* ---- frame.c ---- */

/* Copies pieces to one buffer of `size` bytes; returns bytes copied. */
size_t net_frame__gather(const struct iovec *iov, unsigned count, void *to, size_t size);

/*
 * Works out the checksum that the header leaves to be done, in a frame of `size` bytes. 0, or
 * -EINVAL: it points outside of the frame.
 */
int net_frame__finish_checksum(const struct net_header *header, uint8_t *frame, size_t size);

#endif
