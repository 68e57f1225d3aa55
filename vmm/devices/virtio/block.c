/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block device (virtio 1.2, 5.2): features, configuration space, life. */
#include "vmm/devices/virtio/block.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/devices/classes.h"
#include "vmm/loop/loop.h"

#define ID 2
#define PCI_CLASS_STORAGE 0x010000
#define QUEUE_SIZE 256
#define SEGMENTS_MOST 254u
/* Queues that a machine with many CPUs gets without being asked: more serve the guest, not the disk. */
#define QUEUES_PRESET 4u
#define SECTOR_SHIFT 9
/* Microseconds. */
#define POLL_PRESET 100
#define POLL_MOST 1000

struct blk_config { /* 5.2.4 */
	uint64_t capacity; /* sectors */
	uint32_t size_max, seg_max;
	uint16_t cylinders;
	uint8_t heads, sectors;
	uint32_t block_bytes;
	uint8_t physical_shift, alignment;
	uint16_t io_least;   /* blocks */
	uint32_t io_optimal; /* blocks */
	uint8_t writeback, unused0;
	uint16_t queues;
	uint32_t discard_sectors, discard_ranges, discard_align;
	uint32_t zeroes_sectors, zeroes_ranges;
	uint8_t zeroes_unmap, unused1[3];
} __attribute__((packed));

_Static_assert(sizeof(struct blk_config) == 60, "5.2.4");

static struct virtio_block *of_virtio(struct virtio *virtio)
{
	return container_of_type(virtio, struct virtio_block, virtio);
}

static struct virtio_block *of_device(struct device *dev)
{
	return container_of_type(dev, struct virtio_block, dev);
}

bool virtio_block__writes_through(struct virtio_block *blk)
{
	if (!blk->limits.write_cache)
		return false; /* vmm/block sees to it */
	if (virtio__has_feature(&blk->virtio, BLK_F_CONFIG_WCE))
		return !__atomic_load_n(&blk->writeback, __ATOMIC_RELAXED);
	/* A driver that cannot flush needs no flushes. */
	return !virtio__has_feature(&blk->virtio, BLK_F_FLUSH);
}

/* ---- configuration space ---- */

static unsigned log2_of(uint32_t power)
{
	return power ? 31 - (unsigned)__builtin_clz(power) : 0;
}

/* The largest power of two with which a request of the most segments is not too long. */
static uint32_t segment_bytes(const struct virtio_block *blk)
{
	uint64_t most = blk->limits.max_transfer / blk->segments_most;

	return 1u << log2_of((uint32_t)MIN_OF(most, 1u << 30));
}

static void read_config(struct virtio *virtio, unsigned offset, void *buf, unsigned size)
{
	struct virtio_block *blk = of_virtio(virtio);
	const struct block_limits *limits = &blk->limits;
	const struct blk_config config = {
		.capacity = block__size(blk->block) >> SECTOR_SHIFT,
		.size_max = segment_bytes(blk),
		.seg_max = blk->segments_most,
		.block_bytes = limits->request_align,
		.physical_shift = (uint8_t)(log2_of(limits->physical) - SECTOR_SHIFT),
		.io_least = (uint16_t)MIN_OF(limits->physical >> SECTOR_SHIFT, 0x8000u),
		.io_optimal = limits->optimal >> SECTOR_SHIFT,
		.writeback = __atomic_load_n(&blk->writeback, __ATOMIC_RELAXED),
		.queues = (uint16_t)blk->nr_queues,
		.discard_sectors = (uint32_t)(limits->max_discard >> SECTOR_SHIFT),
		.discard_ranges = BLK_RANGES_MOST,
		.discard_align = limits->discard_align >> SECTOR_SHIFT,
		.zeroes_sectors = (uint32_t)(limits->max_zeroes >> SECTOR_SHIFT),
		.zeroes_ranges = BLK_RANGES_MOST,
		.zeroes_unmap = limits->discard,
	};

	memcpy(buf, (const char *)&config + offset, size);
}

/*
 * 5.2.5.2: the driver chooses whether writes are cached. When they no longer are, it sends no
 * flushes: what has completed is written out here, what is on its way flushes when it ends.
 */
static void write_config(struct virtio *virtio, unsigned offset, const void *buf, unsigned size)
{
	struct virtio_block *blk = of_virtio(virtio);
	uint8_t writeback = *(const uint8_t *)buf & 1;
	int err;

	if (offset != offsetof(struct blk_config, writeback) || size != 1 ||
	    !virtio__is_running(virtio) || !virtio__has_feature(virtio, BLK_F_CONFIG_WCE))
		return;
	if (__atomic_exchange_n(&blk->writeback, writeback, __ATOMIC_SEQ_CST) == writeback || writeback)
		return;
	err = block__flush(blk->block);
	if (err)
		fprintf(stderr, "trivet: %s: cannot flush: %s\n", block__file(blk->block),
			strerror(-err));
}

static uint64_t features_of(const struct virtio_block *blk)
{
	uint64_t features = BIT64(BLK_F_SIZE_MAX) | BIT64(BLK_F_SEG_MAX) | BIT64(BLK_F_BLK_SIZE) |
			    BIT64(BLK_F_TOPOLOGY);

	if (block__read_only(blk->block))
		features |= BIT64(BLK_F_RO);
	else
		features |= BIT64(BLK_F_WRITE_ZEROES);
	if (blk->limits.discard)
		features |= BIT64(BLK_F_DISCARD);
	if (blk->limits.write_cache)
		features |= BIT64(BLK_F_FLUSH) | BIT64(BLK_F_CONFIG_WCE);
	if (blk->nr_queues > 1)
		features |= BIT64(BLK_F_MQ);
	return features;
}

/* ---- virtio ---- */

static bool kick(struct virtio *virtio, struct virtio_queue *queue)
{
	return blk_queue__take(&of_virtio(virtio)->queue[queue->index]);
}

static void cancel(void *opaque)
{
	struct virtio_block *blk = opaque;
	unsigned i;

	for (i = 0; i < blk->nr_queues; i++)
		if (blk->queue[i].io)
			block_queue__cancel(blk->queue[i].io);
}

/* All queues have the same loop. */
static void cancel_requests(struct virtio_block *blk)
{
	loop__call(blk->virtio.queue[0].loop, cancel, blk);
}

static void set_preset(struct virtio_block *blk)
{
	__atomic_store_n(&blk->writeback, blk->limits.write_cache, __ATOMIC_RELAXED);
}

static void stop(struct virtio *virtio)
{
	cancel_requests(of_virtio(virtio));
	set_preset(of_virtio(virtio));
}

static const struct virtio_class virtio_class = {
	.name = "virtio-blk",
	.id = ID,
	.pci_class = PCI_CLASS_STORAGE,
	.config_size = sizeof(struct blk_config),
	.on_loop = true,
	.read_config = read_config,
	.write_config = write_config,
	.stop = stop,
	.kick = kick,
};

/* ---- the class ---- */

static void on_resized(void *opaque, uint64_t size)
{
	struct blk_queue *bq = opaque;

	/* Every queue is told; the driver once. */
	if (bq == &bq->blk->queue[0])
		virtio__config_changed(&bq->blk->virtio);
}

static int open_queue(struct virtio_block *blk, unsigned index, char *error, size_t error_size)
{
	struct blk_queue *bq = &blk->queue[index];
	const struct block_events events = { .resized = on_resized,
					     .batch = blk_queue__give_back,
					     .opaque = bq };
	int err;

	bq->blk = blk;
	bq->queue = &blk->virtio.queue[index];
	err = blk_queue__create_requests(bq, bq->queue->size_most);
	if (err) {
		snprintf(error, error_size, "device virtio-blk: out of memory");
		return err;
	}
	err = block_queue__create(blk->block, bq->queue->loop, &events, &bq->io, error, error_size);
	if (err)
		return err;
	if (blk->virtio.options.io_thread)
		block_queue__let_write(bq->io);
	if (!blk->poll)
		return 0;
	err = loop__look(bq->queue->loop, &blk_queue_look_ops, bq, (uint32_t)blk->poll * 1000,
			 &bq->looker);
	if (err)
		snprintf(error, error_size, "device virtio-blk: out of memory");
	return err;
}

static void choose_sizes(struct virtio_block *blk)
{
	unsigned size = (unsigned)blk->virtio.options.queue_size;
	unsigned cpus = blk->dev.services->cpus;

	block__limits(blk->block, &blk->limits);
	blk->nr_queues = blk->queue_count ? (unsigned)blk->queue_count
					  : MAX_OF(1u, MIN_OF(cpus, QUEUES_PRESET));
	/* 2.7.5.3.1: no chain is longer than the queue; header and status are apart. */
	blk->segments_most = size > 2 ? MIN_OF(size - 2, SEGMENTS_MOST) : 1;
	blk->request_segments = MAX_OF(size, 3u);
	blk->request_bytes = sizeof(struct blk_request) + blk->request_segments * sizeof(struct iovec);
	set_preset(blk);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct virtio_block *blk = of_device(dev);
	unsigned i;
	int err;

	if (blk->serial && strlen(blk->serial) > BLK_ID_BYTES) {
		snprintf(error, error_size, "device virtio-blk: serial=%s: must have at most %u characters",
			 blk->serial, BLK_ID_BYTES);
		return -EINVAL;
	}
	err = drive__open(dev, &blk->drive, &blk->block, error, error_size);
	if (err)
		return err;
	choose_sizes(blk);
	err = virtio__realize(&blk->virtio, dev, &virtio_class, features_of(blk), blk->nr_queues, error,
			      error_size);
	for (i = 0; i < blk->nr_queues && !err; i++)
		err = open_queue(blk, i, error, error_size);
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

static void remove_block(struct device *dev)
{
	struct virtio_block *blk = of_device(dev);
	unsigned i;
	int err;

	if (blk->virtio.nr_queues && blk->virtio.queue[0].loop)
		cancel_requests(blk);
	for (i = 0; i < blk->nr_queues; i++) {
		loop__unlook(blk->queue[i].looker);
		block_queue__destroy(blk->queue[i].io);
		blk_queue__destroy_requests(&blk->queue[i]);
	}
	virtio__remove(&blk->virtio);
	err = block__close(blk->block);
	if (err)
		fprintf(stderr, "trivet: %s: closing: %s\n", blk->drive.file, strerror(-err));
}

static void look_outside(struct device *dev)
{
	struct virtio_block *blk = of_device(dev);
	int err = block__look_at_size(blk->block);

	if (err)
		fprintf(stderr, "trivet: %s: its size: %s\n", blk->drive.file, strerror(-err));
}

static uint64_t tell_boot(struct device *dev, char path[DEVICE_BOOT_PATH_BYTES])
{
	struct virtio_block *blk = of_device(dev);
	size_t at = pci_function__firmware_path(&blk->virtio.pci.function, "scsi", path,
						DEVICE_BOOT_PATH_BYTES);

	snprintf(path + at, DEVICE_BOOT_PATH_BYTES - at, "/disk@0,0");
	return at ? blk->boot_index : DEVICE_NO_BOOT_INDEX;
}

static int after_load(struct device *dev)
{
	struct virtio_block *blk = of_device(dev);

	/* What was begun before the load is not of the state. */
	cancel_requests(blk);
	blk->writeback = blk->writeback && blk->limits.write_cache;
	return virtio__after_load(&blk->virtio);
}

static const struct config_option options[] = {
	DRIVE_OPTIONS(struct virtio_block, drive),
	{ "serial", OPTION_STRING, offsetof(struct virtio_block, serial), 0, 0, 0,
	  "serial number that the guest sees, up to 20 characters" },
	{ "queues", OPTION_U64, offsetof(struct virtio_block, queue_count), 0, 1, BLK_QUEUES_MOST,
	  "request queues (one per CPU, at most 4)" },
	{ "poll", OPTION_U64, offsetof(struct virtio_block, poll), POLL_PRESET, 0, POLL_MOST,
	  "microseconds to look for requests before going to sleep; 0: none" },
	DEVICE_BOOT_OPTION(struct virtio_block, boot_index),
	VIRTIO_OPTIONS(struct virtio_block, virtio.options, QUEUE_SIZE),
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_PART(struct virtio_block, virtio, 1, &virtio_state, 1),
	STATE_FIELD(struct virtio_block, writeback, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_virtio_block = {
	.name = "virtio-blk",
	.help = "a disk",
	.bus = DEVICE_BUS_ANY,
	.max = 64,
	.size = sizeof(struct virtio_block),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_block,
	.boot = tell_boot,
	.look_outside = look_outside,
	.acpi = describe,
};
