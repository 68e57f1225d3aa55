/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues (virtio 1.2, 2.6 to 2.8), in the split or the packed layout, from the device's side.
 *
 * The driver can change rings at any time. So a descriptor is copied once and only the copy is
 * looked at; every address is translated with its length; chains are bounded. A ring that breaks
 * the rules breaks the device (virtio__break()), and gives no more buffers until its reset.
 *
 * Functions need the queue's lock unless they say otherwise.
 */
#ifndef VMM_DEVICES_VIRTIO_QUEUE_H
#define VMM_DEVICES_VIRTIO_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/device/device.h"

struct virtio;
struct virtio_queue;
struct loop;
struct loop_watch;

#define VIRTIO_QUEUE_SIZE_MOST 1024u
#define VIRTIO_NO_VECTOR 0xffffu

/* A buffer that the driver has made available: what the device reads, then what it writes. */
struct virtio_chain {
	uint16_t id;		 /* the layout's name for it */
	uint16_t descriptors;	 /* packed: that it takes in the ring */
	unsigned readable;	 /* segments, at the start of segment[] */
	unsigned writable;	 /* those behind */
	uint32_t readable_bytes; /* together no more than 2^32 - 1, at most 4 GiB as 2.7.5 has it */
	uint32_t writable_bytes;
	unsigned capacity; /* of segment[]; set by the device, as is the pointer */
	struct iovec *segment;
};

struct virtio_layout {
	/* 1: chain filled in, 0: none is available, -EINVAL: the ring is broken. */
	int (*pop)(struct virtio_queue *queue, struct virtio_chain *chain);
	void (*unpop)(struct virtio_queue *queue, const struct virtio_chain *chain);
	/* A used buffer behind those that the driver does not see yet. */
	void (*fill)(struct virtio_queue *queue, const struct virtio_chain *chain,
		     uint32_t written);
	/* Shows the driver all that was filled. */
	void (*publish)(struct virtio_queue *queue);
	/* Whether the driver wants to be told of what was used since the last question. */
	bool (*wants_interrupt)(struct virtio_queue *queue);
	/* Asks the driver to notify, or not to. True: something has become available meanwhile. */
	bool (*ask_notify)(struct virtio_queue *queue, bool on);
	/* Whether there is a buffer to pop. */
	bool (*is_available)(const struct virtio_queue *queue);
	/* Bytes of descriptor, driver and device area. */
	void (*area_sizes)(unsigned size, bool event_index, size_t bytes[3]);
};

extern const struct virtio_layout virtio_layout_split, virtio_layout_packed;

enum virtio_area { VIRTIO_AREA_DESCRIPTORS, VIRTIO_AREA_DRIVER, VIRTIO_AREA_DEVICE, VIRTIO_AREAS };

struct virtio_queue {
	struct virtio *virtio;
	pthread_mutex_t lock; /* guards what a running queue has; see virtio.h for the order */
	uint16_t index;
	uint16_t size_most;

	/* As the driver has set it up; under the device's lock. */
	uint16_t size;
	uint8_t enabled; /* 0 or 1, as are the wrap counters: numbers in the saved state */
	uint64_t area[VIRTIO_AREAS]; /* GPAs */
	uint16_t vector;	     /* of its interrupt; atomic: the queue's side reads it */

	/* While it runs; under the queue's lock. */
	bool running;
	const struct virtio_layout *layout;
	bool event_index;
	uint8_t *host[VIRTIO_AREAS];
	uint16_t next_avail, next_used; /* split: free-running; packed: places in the ring */
	uint8_t avail_wrap, used_wrap;	/* packed */
	uint16_t signalled;		/* split: used index at the last question */
	uint16_t unsignalled;		/* packed: descriptors used since then */
	uint16_t outstanding;		/* split: buffers taken, packed: descriptors taken */
	uint16_t *first_flags;		/* packed: of the first that was filled, NULL: none was */
	uint16_t first_value;		/* what they become */

	/* Notifications. */
	struct loop *loop; /* that serves it */
	int kick_fd; /* eventfd that the event loop takes as a notification */
	struct loop_watch *kick_watch;
	uint64_t doorbell; /* device's lock: address where kick_fd is hung up, 0: not */
};

/*
 * Takes the next available buffer; chain->segment and capacity have been set. Returns 1, 0: none
 * now, or -EINVAL: the device is broken, and was said to be.
 */
int virtio_queue__pop(struct virtio_queue *queue, struct virtio_chain *chain);
/*
 * Puts the buffer that was popped last back, to be popped again later. The driver may have changed
 * it by then.
 */
void virtio_queue__unpop(struct virtio_queue *queue, const struct virtio_chain *chain);
/* Gives a buffer back, with the number of bytes written to it. */
void virtio_queue__push(struct virtio_queue *queue, const struct virtio_chain *chain,
			uint32_t written);
/*
 * The same for several buffers that the driver must see all at once: fill() for each, in the order
 * they were taken, then publish(), before the lock is given up.
 */
void virtio_queue__fill(struct virtio_queue *queue, const struct virtio_chain *chain,
			uint32_t written);
void virtio_queue__publish(struct virtio_queue *queue);
/* Interrupts the driver if buffers were pushed that it wants to know of. */
void virtio_queue__signal(struct virtio_queue *queue);
/*
 * Asks the driver for notifications or, while the device looks at the ring anyway, for none. True
 * if a buffer came before that was known: look again.
 */
bool virtio_queue__ask_notify(struct virtio_queue *queue, bool on);
/* Whether there is a buffer to pop, at no cost. */
bool virtio_queue__is_available(const struct virtio_queue *queue);

/* Copies from what the device reads, `offset` bytes in. Returns bytes copied, fewer at the end. */
size_t virtio_chain__read(const struct virtio_chain *chain, size_t offset, void *buf, size_t size);
/* Copies to what the device writes. */
size_t virtio_chain__write(const struct virtio_chain *chain, size_t offset, const void *buf,
			   size_t size);
/*
 * Writes the pieces of `size` bytes, `offset` bytes in, of what the device writes or reads, to out[], which
 * has room for as many as the chain has. Returns how many; fewer bytes at the end.
 */
unsigned virtio_chain__slice(const struct virtio_chain *chain, bool writable, size_t offset,
			     size_t size, struct iovec *out);

/* ---- for the device core and the layouts ---- */

/* Translates the areas and starts at the first descriptor. 0, or -EINVAL with *why. */
int virtio_queue__start(struct virtio_queue *queue, bool packed, bool event_index,
			const char **why);
void virtio_queue__stop(struct virtio_queue *queue);
/*
 * Adds a segment. -EINVAL after *why was set: outside of memory, too long, too many, readable
 * behind writable.
 */
int virtio_chain__add(struct virtio_queue *queue, struct virtio_chain *chain, uint64_t address,
		      uint32_t length, bool write, const char **why);
/* Host address of an indirect table and how many descriptors it has, or NULL with *why. */
const void *virtio_queue__indirect_table(struct virtio_queue *queue, uint64_t address,
					 uint32_t length, unsigned *count, const char **why);

extern const struct state_table virtio_queue_state;

#endif
