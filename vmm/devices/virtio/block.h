/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block device (virtio 1.2, 5.2): what its files share.
 *
 * Each virtqueue has a queue of vmm/block on the event loop that serves it. Requests are taken,
 * started and ended on that loop only; the virtqueue's lock is held while its rings are touched.
 */
#ifndef VMM_DEVICES_VIRTIO_BLOCK_H
#define VMM_DEVICES_VIRTIO_BLOCK_H

#include "vmm/block/block.h"
#include "vmm/devices/storage/drive.h"
#include "vmm/devices/virtio/virtio.h"

#define BLK_QUEUES_MOST 64u
#define BLK_RANGES_MOST 32u /* of one discard or write-zeroes request */
#define BLK_ID_BYTES 20u
#define BLK_HEADER_BYTES 16u

struct virtio_block;
struct blk_queue;

/* A request of the driver's, from its pop to its push. */
struct blk_request {
	struct block_request block; /* what is going on for it */
	struct blk_queue *owner;
	struct blk_request *next; /* free, or ended and not pushed yet */
	struct virtio_chain chain;
	uint8_t *status; /* where the driver will look */
	uint32_t data;	 /* bytes behind the header, or before the status */
	uint32_t range;	 /* discard, write-zeroes: the next one */
	uint32_t ranges;
	uint8_t result;
	struct iovec segment[];
};

struct blk_queue {
	struct virtio_block *blk;
	struct virtio_queue *queue;
	struct block_queue *io;
	char *requests;	   /* as many as the virtqueue has descriptors */
	unsigned touched;  /* of them, so far: memory that is not used costs none */
	unsigned taken_bytes; /* since the last commit */
	bool looking;	      /* the driver need not notify; the loop's thread */
	struct loop_looker *looker;
	struct blk_request *free;
	struct blk_request *ended, **last_ended;
};

struct virtio_block {
	struct device dev;
	struct virtio virtio;
	/* Options */
	struct drive_options drive;
	uint64_t queue_count; /* 0: as CPUs */
	char *serial;
	uint64_t boot_index;
	uint64_t poll; /* microseconds */
	struct block *block;
	struct block_limits limits;
	unsigned segments_most;	  /* that the driver is told of */
	unsigned request_segments; /* that a chain may have */
	size_t request_bytes;
	uint8_t writeback; /* atomic; as in the configuration space */
	unsigned nr_queues;
	struct blk_queue queue[BLK_QUEUES_MOST];
};

/* Feature bits (5.2.3) */
#define BLK_F_SIZE_MAX 1
#define BLK_F_SEG_MAX 2
#define BLK_F_RO 5
#define BLK_F_BLK_SIZE 6
#define BLK_F_FLUSH 9
#define BLK_F_TOPOLOGY 10
#define BLK_F_CONFIG_WCE 11
#define BLK_F_MQ 12
#define BLK_F_DISCARD 13
#define BLK_F_WRITE_ZEROES 14

/* Makes room for the requests of a queue of `count` descriptors. 0 or -ENOMEM. */
int blk_queue__create_requests(struct blk_queue *bq, unsigned count);
void blk_queue__destroy_requests(struct blk_queue *bq);
/* Takes what the driver has made available; the virtqueue's lock. As virtio_class.kick(). */
bool blk_queue__take(struct blk_queue *bq);
/* For block_events.batch(): gives the driver what has ended. */
void blk_queue__give_back(void *blk_queue);
/* For loop__look(); the opaque is a struct blk_queue. */
extern const struct loop_look_ops blk_queue_look_ops;
/* Whether a completed write has to be on stable storage (5.2.5.2). Any thread. */
bool virtio_block__writes_through(struct virtio_block *blk);

#endif
