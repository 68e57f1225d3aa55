/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory balloon (virtio 1.2, 5.5). Pages that the guest puts into the balloon, or reports as free,
 * go back to the host; they read as zeros when the guest uses them again, which needs no leave.
 */
#include "vmm/devices/virtio/balloon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/devices/classes.h"
#include "vmm/devices/virtio/virtio.h"
#include "vmm/loop/loop.h"
#include "vmm/memory/guest_memory.h"

#define ID 5
#define PCI_CLASS_OTHER 0x00ff00
#define QUEUE_SIZE 128
#define SEGMENTS_MOST 128

#define F_STATS 1
#define F_DEFLATE_ON_OOM 2
#define F_FREE_PAGE_HINT 3
#define F_PAGE_POISON 4
#define F_PAGE_REPORTING 5

enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_STATS, QUEUE_HINT, QUEUE_REPORTING, QUEUES };

#define PAGE_SHIFT 12
#define PAGE_BYTES (1u << PAGE_SHIFT)
/* Page numbers in one buffer; Linux puts 256 into one. */
#define PFNS_MOST 1024u
#define NS_PER_S 1000000000ull

struct balloon_config { /* 5.5.4 */
	uint32_t num_pages, actual;
	uint32_t hint_command; /* stays 0: the driver is to give no hints */
	uint32_t poison;
};

struct balloon_stat_entry { /* 5.5.6.3 */
	uint16_t tag;
	uint64_t value;
} __attribute__((packed));

struct virtio_balloon {
	struct device dev;
	struct virtio virtio;
	uint64_t size, stats_period; /* options: bytes, seconds */
	bool deflate_on_oom, reporting;
	struct loop_timer *timer;
	struct balloon_config config; /* each field atomic */
	atomic_bool stats_asked;
	pthread_mutex_t stats_lock;
	uint64_t stat[BALLOON_STATS];
	bool stat_known[BALLOON_STATS];
};

static struct virtio_balloon *of_virtio(struct virtio *virtio)
{
	return container_of_type(virtio, struct virtio_balloon, virtio);
}

static struct virtio_balloon *of_device(struct device *dev)
{
	return container_of_type(dev, struct virtio_balloon, dev);
}

static uint32_t load(const uint32_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void store(uint32_t *field, uint32_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* ---- configuration space ---- */

static void read_config(struct virtio *virtio, unsigned offset, void *buf, unsigned size)
{
	const struct balloon_config *live = &of_virtio(virtio)->config;
	const struct balloon_config config = { load(&live->num_pages), load(&live->actual), 0,
					       load(&live->poison) };

	memcpy(buf, (const char *)&config + offset, size);
}

static void write_config(struct virtio *virtio, unsigned offset, const void *buf, unsigned size)
{
	struct balloon_config *config = &of_virtio(virtio)->config;
	uint32_t value;

	if (size != sizeof(value))
		return;
	memcpy(&value, buf, sizeof(value));
	if (offset == offsetof(struct balloon_config, actual))
		store(&config->actual, value);
	else if (offset == offsetof(struct balloon_config, poison) &&
		 virtio__has_feature(virtio, F_PAGE_POISON))
		store(&config->poison, value);
}

/* ---- queues ---- */

/* A list of page numbers; those that follow each other go in one piece. */
static void inflate(struct virtio *virtio, struct virtio_queue *queue, const struct virtio_chain *chain)
{
	const struct guest_memory *memory = virtio->dev->services->memory;
	uint8_t *run = NULL, *page;
	uint64_t run_bytes = 0;
	uint32_t pfn[PFNS_MOST];
	size_t count, i;

	if (chain->readable_bytes > sizeof(pfn)) {
		virtio__break(virtio, queue, "more than 1024 page numbers in a buffer");
		return;
	}
	count = virtio_chain__read(chain, 0, pfn, sizeof(pfn)) / sizeof(pfn[0]);
	for (i = 0; i < count; i++) {
		page = guest_memory__pointer(memory, (uint64_t)pfn[i] << PAGE_SHIFT, PAGE_BYTES);
		if (!page) {
			virtio__break(virtio, queue, "a page outside of memory");
			break;
		}
		if (page != run + run_bytes) {
			guest_memory__discard(memory, run, run_bytes);
			run = page;
			run_bytes = 0;
		}
		run_bytes += PAGE_BYTES;
	}
	guest_memory__discard(memory, run, run_bytes);
}

/* The pages themselves are the buffer; the driver does without them until it has it back. */
static void take_report(struct virtio *virtio, const struct virtio_chain *chain)
{
	unsigned i;

	/* They must read as they did (5.5.6.7): zeros would not be the poison. */
	if (virtio__has_feature(virtio, F_PAGE_POISON) && load(&of_virtio(virtio)->config.poison))
		return;
	for (i = chain->readable; i < chain->readable + chain->writable; i++)
		guest_memory__discard(virtio->dev->services->memory, chain->segment[i].iov_base,
				      chain->segment[i].iov_len);
}

static void take_stats(struct virtio_balloon *balloon, const struct virtio_chain *chain)
{
	struct balloon_stat_entry entry[2 * BALLOON_STATS];
	size_t count = virtio_chain__read(chain, 0, entry, sizeof(entry)) / sizeof(entry[0]), i;

	pthread_mutex_lock(&balloon->stats_lock);
	for (i = 0; i < count; i++)
		if (entry[i].tag < BALLOON_STATS) {
			balloon->stat[entry[i].tag] = entry[i].value;
			balloon->stat_known[entry[i].tag] = true;
		}
	pthread_mutex_unlock(&balloon->stats_lock);
}

/*
 * The driver puts statistics in when it starts and whenever it gets the buffer back. So the buffer
 * is looked at and left in the ring until new ones are asked for.
 */
static bool kick_stats(struct virtio_balloon *balloon, struct virtio_queue *queue,
		       struct virtio_chain *chain)
{
	if (virtio_queue__pop(queue, chain) <= 0)
		return virtio_queue__ask_notify(queue, true);
	take_stats(balloon, chain);
	if (atomic_exchange(&balloon->stats_asked, false)) {
		virtio_queue__push(queue, chain, 0);
		virtio_queue__signal(queue);
		return virtio_queue__ask_notify(queue, true);
	}
	virtio_queue__unpop(queue, chain);
	virtio_queue__ask_notify(queue, true);
	return false;
}

static bool kick(struct virtio *virtio, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	unsigned left = queue->size;

	if (queue->index == QUEUE_STATS)
		return kick_stats(of_virtio(virtio), queue, &chain);
	virtio_queue__ask_notify(queue, false);
	while (left-- && virtio_queue__pop(queue, &chain) > 0) {
		if (queue->index == QUEUE_INFLATE)
			inflate(virtio, queue, &chain);
		else if (queue->index == QUEUE_REPORTING)
			take_report(virtio, &chain);
		/* Deflating takes nothing; hints are not asked for. */
		if (virtio__is_broken(virtio))
			return false;
		virtio_queue__push(queue, &chain, 0);
	}
	virtio_queue__signal(queue);
	return virtio_queue__ask_notify(queue, true);
}

static void on_timer(void *opaque)
{
	struct virtio_balloon *balloon = opaque;

	if (virtio__is_running(&balloon->virtio)) {
		atomic_store(&balloon->stats_asked, true);
		virtio__kick_queue(&balloon->virtio, QUEUE_STATS);
	}
	loop__timer_arm(balloon->timer, loop__now() + balloon->stats_period * NS_PER_S);
}

static void start(struct virtio *virtio)
{
	struct virtio_balloon *balloon = of_virtio(virtio);

	if (balloon->stats_period)
		loop__timer_arm(balloon->timer, loop__now() + balloon->stats_period * NS_PER_S);
}

static void stop(struct virtio *virtio)
{
	struct virtio_balloon *balloon = of_virtio(virtio);

	loop__timer_cancel(balloon->timer);
	atomic_store(&balloon->stats_asked, false);
	store(&balloon->config.actual, 0);
	store(&balloon->config.poison, 0);
	pthread_mutex_lock(&balloon->stats_lock);
	memset(balloon->stat_known, 0, sizeof(balloon->stat_known));
	pthread_mutex_unlock(&balloon->stats_lock);
}

/* ---- for others ---- */

int virtio_balloon__set_target(struct device *dev, uint64_t bytes)
{
	struct virtio_balloon *balloon = of_device(dev);

	if (bytes >= dev->services->memory->size)
		return -EINVAL;
	store(&balloon->config.num_pages, (uint32_t)(bytes >> PAGE_SHIFT));
	virtio__config_changed(&balloon->virtio);
	return 0;
}

uint64_t virtio_balloon__actual(struct device *dev)
{
	return (uint64_t)load(&of_device(dev)->config.actual) << PAGE_SHIFT;
}

bool virtio_balloon__stat(struct device *dev, enum balloon_stat stat, uint64_t *value)
{
	struct virtio_balloon *balloon = of_device(dev);
	bool known;

	pthread_mutex_lock(&balloon->stats_lock);
	known = balloon->stat_known[stat];
	*value = balloon->stat[stat];
	pthread_mutex_unlock(&balloon->stats_lock);
	return known;
}

/* ---- life ---- */

static const struct virtio_class virtio_class = {
	.name = "virtio-balloon",
	.id = ID,
	.pci_class = PCI_CLASS_OTHER,
	.config_size = sizeof(struct balloon_config),
	.on_loop = true, /* giving gigabytes back takes its time */
	.read_config = read_config,
	.write_config = write_config,
	.start = start,
	.stop = stop,
	.kick = kick,
};

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct virtio_balloon *balloon = of_device(dev);
	/*
	 * Hints are offered but never asked for, as drivers number queues by what was negotiated,
	 * the specification by what there is: with all of them both agree.
	 */
	uint64_t features = BIT64(F_STATS) | BIT64(F_FREE_PAGE_HINT) | BIT64(F_PAGE_POISON);
	int err;

	pthread_mutex_init(&balloon->stats_lock, NULL);
	if (balloon->size >= dev->services->memory->size) {
		snprintf(error, error_size,
			 "device virtio-balloon: option size: the machine has %llu MiB, some must be left",
			 (unsigned long long)dev->services->memory->size >> 20);
		return -EINVAL;
	}
	balloon->config.num_pages = (uint32_t)(balloon->size >> PAGE_SHIFT);
	if (balloon->deflate_on_oom)
		features |= BIT64(F_DEFLATE_ON_OOM);
	if (balloon->reporting)
		features |= BIT64(F_PAGE_REPORTING);
	err = loop__timer(dev->services->loop, on_timer, balloon, &balloon->timer);
	if (err) {
		snprintf(error, error_size, "device virtio-balloon: cannot make a timer: %s",
			 strerror(-err));
		return err;
	}
	return virtio__realize(&balloon->virtio, dev, &virtio_class, features,
			       balloon->reporting ? QUEUES : QUEUE_REPORTING, error, error_size);
}

static void describe(struct device *dev, struct aml *aml)
{
	virtio__describe(&of_device(dev)->virtio, aml);
}

static void reset(struct device *dev)
{
	virtio__reset_all(&of_device(dev)->virtio);
}

static void remove_balloon(struct device *dev)
{
	struct virtio_balloon *balloon = of_device(dev);

	virtio__remove(&balloon->virtio);
	loop__timer_free(balloon->timer);
	pthread_mutex_destroy(&balloon->stats_lock);
}

static int after_load(struct device *dev)
{
	struct virtio_balloon *balloon = of_device(dev);
	int err = virtio__after_load(&balloon->virtio);

	if (!err && virtio__is_running(&balloon->virtio))
		start(&balloon->virtio);
	return err;
}

static const struct config_option options[] = {
	{ "size", OPTION_SIZE, offsetof(struct virtio_balloon, size), 0, 0, 1ull << 40,
	  "memory that the guest is to do without (0)" },
	{ "deflate-on-oom", OPTION_BOOL, offsetof(struct virtio_balloon, deflate_on_oom), 1, 0, 0,
	  "the guest may take it back rather than run out of memory (on)" },
	{ "free-page-reporting", OPTION_BOOL, offsetof(struct virtio_balloon, reporting), 1, 0, 0,
	  "memory that the guest has free goes back to the host (on)" },
	{ "stats-period", OPTION_U64, offsetof(struct virtio_balloon, stats_period), 0, 0, 86400,
	  "seconds between questions for statistics; 0: those of the start only" },
	VIRTIO_OPTIONS(struct virtio_balloon, virtio.options, QUEUE_SIZE),
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_PART(struct virtio_balloon, virtio, 1, &virtio_state, 1),
	STATE_FIELD(struct virtio_balloon, config.num_pages, 1),
	STATE_FIELD(struct virtio_balloon, config.actual, 1),
	STATE_FIELD(struct virtio_balloon, config.poison, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_virtio_balloon = {
	.name = "virtio-balloon",
	.help = "gives memory that the guest does not need back to the host",
	.bus = DEVICE_BUS_ANY,
	.max = 1,
	.size = sizeof(struct virtio_balloon),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_balloon,
	.acpi = describe,
};
