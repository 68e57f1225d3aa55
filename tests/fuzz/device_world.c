/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device targets' world. It defines the functions of vmm/loop and vmm/char that devices call,
 * so these stay out of the program, and with them real time and real descriptors.
 */
#include "tests/fuzz/device_world.h"
#include "tests/fuzz/guard.h"
#include "tests/unit/vsock/fake_host.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include "vmm/char/char.h"
#include "vmm/firmware/items.h"
#include "vmm/loop/loop.h"
#include "vmm/machine/device_table.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/pci/pci.h"

/* ---- the loop: timers, in the input's time ---- */

struct loop_timer {
	void (*callback)(void *opaque);
	void *opaque;
	u64 when; /* 0: not armed */
};

static struct loop_timer *timers[32];
static u64 now_ns;

uint64_t loop__now(void)
{
	return now_ns;
}

int loop__timer(struct loop *loop, void (*callback)(void *opaque), void *opaque,
		struct loop_timer **timer)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(timers); i++)
		if (!timers[i])
			break;
	FUZZ_CHECK(i < ARRAY_LENGTH(timers));
	*timer = timers[i] = calloc(1, sizeof(**timer));
	FUZZ_CHECK(*timer);
	(*timer)->callback = callback;
	(*timer)->opaque = opaque;
	return 0;
}

void loop__timer_arm(struct loop_timer *timer, uint64_t when)
{
	timer->when = when ? when : 1;
}

void loop__timer_cancel(struct loop_timer *timer)
{
	timer->when = 0;
}

void loop__timer_free(struct loop_timer *timer)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(timers); i++)
		if (timers[i] == timer)
			timers[i] = NULL;
	free(timer);
}

/* Descriptors are looked at when the input says so: device_world__ring(). */
static struct loop_watch {
	void (*callback)(void *opaque, uint32_t events); /* NULL: a free place */
	void *opaque;
	uint32_t events;
} watches[WORLD_WATCHES];
static struct pollfd watched[WORLD_WATCHES];
static unsigned nr_watches;

int loop__watch(struct loop *loop, int fd, uint32_t events,
		void (*callback)(void *opaque, uint32_t events), void *opaque,
		struct loop_watch **watch)
{
	unsigned i = 0;

	while (i < nr_watches && watches[i].callback)
		i++;
	FUZZ_CHECK(i < WORLD_WATCHES);
	watches[i] = (struct loop_watch){ callback, opaque, events };
	watched[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	nr_watches = MAX_OF(nr_watches, i + 1);
	*watch = &watches[i];
	return 0;
}

int loop__rewatch(struct loop_watch *watch, uint32_t events)
{
	watch->events = events;
	return 0;
}

void loop__unwatch(struct loop_watch *watch)
{
	watched[watch - watches] = (struct pollfd){ .fd = -1 };
	watch->callback = NULL;
}

/* There are no threads here that could sleep. */
int loop__look(struct loop *loop, const struct loop_look_ops *ops, void *opaque, uint32_t most_ns,
	       struct loop_looker **looker)
{
	*looker = NULL;
	return 0;
}

void loop__unlook(struct loop_looker *looker)
{
}

void loop__call(struct loop *loop, void (*call)(void *opaque), void *opaque)
{
	call(opaque);
}

/* One look at each socket of fake_host.h. False: none had anything to say. */
static bool ring_sockets(void)
{
	bool busy = false;
	unsigned i;

	for (i = 0; i < nr_watches; i++) {
		uint32_t ready = 0;

		if (watched[i].fd >= FAKE_HOST_FD && watches[i].events)
			ready = fake_host__ready(watched[i].fd) & (watches[i].events | LOOP_HANGUP);
		if (ready)
			watches[i].callback(watches[i].opaque, ready);
		busy |= ready;
	}
	return busy;
}

void device_world__ring(void)
{
	unsigned i, rounds = 0;

	if (poll(watched, nr_watches, 0) > 0)
		for (i = 0; i < nr_watches; i++)
			if (watched[i].revents && watched[i].fd < FAKE_HOST_FD)
				watches[i].callback(watches[i].opaque, LOOP_IN);
	/* A socket that always has something would keep the real loop from coming to rest. */
	while (ring_sockets())
		FUZZ_CHECK(++rounds < 2000);
}

/* The RTC shows real time, which is the input's, too (linked with --wrap). */
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	if (clock != CLOCK_REALTIME)
		return __real_clock_gettime(clock, t);
	t->tv_sec = 1700000000 + now_ns / 1000000000;
	t->tv_nsec = now_ns % 1000000000;
	return 0;
}

static struct loop_timer *earliest(void)
{
	struct loop_timer *first = NULL;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(timers); i++)
		if (timers[i] && timers[i]->when && (!first || timers[i]->when < first->when))
			first = timers[i];
	return first;
}

void device_world__advance(u64 ns)
{
	u64 end = now_ns + ns;
	struct loop_timer *timer;
	unsigned in_a_row = 0;

	while ((timer = earliest()) && timer->when <= end) {
		/* A timer that is always due would keep the real loop from anything else. */
		in_a_row = timer->when <= now_ns ? in_a_row + 1 : 0;
		FUZZ_CHECK(in_a_row < 1000);
		now_ns = MAX_OF(now_ns, timer->when);
		timer->when = 0;
		timer->callback(timer->opaque);
	}
	now_ns = end;
	device_world__ring();
	fake_disk__run();
}

/* ---- the character back end ---- */

struct char_backend {
	struct char_events events;
};

static struct char_backend backends[8];
static unsigned nr_backends;
static u8 input[256];
static size_t input_left, output_room;

int char__open(const char *spec, struct loop *loop, struct char_backend **backend, char *error,
	       size_t error_size)
{
	if (nr_backends == ARRAY_LENGTH(backends))
		return -ENOSPC;
	*backend = &backends[nr_backends++];
	return 0;
}

void char__close(struct char_backend *backend)
{
}

void char__start(struct char_backend *backend)
{
}

bool char__is_open(struct char_backend *backend)
{
	return output_room;
}

void char__set_events(struct char_backend *backend, const struct char_events *events)
{
	backend->events = *events;
}

size_t char__write(struct char_backend *backend, const void *buf, size_t len)
{
	size_t n = MIN_OF(len, output_room);

	output_room -= n;
	return n;
}

size_t char__read(struct char_backend *backend, void *buf, size_t len)
{
	size_t n = MIN_OF(len, input_left);

	memcpy(buf, input, n);
	memmove(input, input + n, input_left - n);
	input_left -= n;
	return n;
}

/* What peers of virtio sockets do: the first byte says what, the second who. */
static void feed_sockets(const u8 *bytes, size_t n, size_t room)
{
	unsigned count = fake_host__last() + 1, number;

	if (n < 2)
		return;
	if (!(bytes[0] & 7) && count < FAKE_HOST_SOCKETS) {
		fake_host__send(fake_host__dial(), bytes + 2, n - 2);
		return;
	}
	if (!count)
		return;
	number = bytes[1] % count;
	switch (bytes[0] & 7) {
	case 1:
		fake_host__socket(number)->peer_sending_shut = true;
		break;
	case 2:
		fake_host__socket(number)->peer_closed = true;
		break;
	case 3:
		fake_host__socket(number)->room = room;
		break;
	case 4:
		fake_host__set_listening(WORLD_SERVICE, bytes[1] & 1);
		break;
	default:
		fake_host__send(number, bytes + 2, n - 2);
	}
}

void device_world__feed(const u8 *bytes, size_t n, size_t room)
{
	unsigned i;

	fake_net__feed(bytes, n, room);
	n = MIN_OF(n, sizeof(input) - input_left);
	if (n)
		memcpy(input + input_left, bytes, n);
	input_left += n;
	output_room = room;
	feed_sockets(bytes, n, room);
	for (i = 0; i < nr_backends; i++) {
		const struct char_events *e = &backends[i].events;

		if (e->opened)
			e->opened(e->opaque);
		if (n && e->readable)
			e->readable(e->opaque);
		if (room && e->writable)
			e->writable(e->opaque);
	}
}

/* ---- the devices ---- */

static struct device_world world;
static u32 levels;

static void set_level(void *opaque, unsigned gsi, bool level)
{
	FUZZ_CHECK(gsi < IRQ_HUB_GSIS);
	/* The hub tells changes only. */
	FUZZ_CHECK((levels >> gsi & 1) != level);
	levels ^= 1u << gsi;
}

static int note_message(void *opaque, const struct irq_message *message)
{
	FUZZ_CHECK(message->address >> 20 == 0xfee);
	return 0;
}

static void note_request(void *opaque, enum device_request what, int status)
{
	FUZZ_CHECK(what <= DEVICE_REQUEST_QUIT);
	if (what == DEVICE_REQUEST_EXIT)
		FUZZ_CHECK(status & 1);
	world.requests++;
}

u32 device_world__levels(void)
{
	return levels;
}

/* Of each virtio device the second one, if there is one, is over MMIO. */
static const char *options_of(const struct device_class *class, unsigned index)
{
	static char text[200];
	static const char *const options[][2] = {
		{ "serial", "char=x" },
		{ "ahci-cd", "file=x" },
		{ "ahci-disk", "file=x" },
		{ "virtio-9p", "dir=x,tag=x,packed=on,queue-size=16" },
		{ "virtio-blk", "file=x,packed=on,queues=2,queue-size=16,serial=x" },
		{ "virtio-console", "char=x,port1=name:x,packed=on" },
		{ "virtio-net", "packed=on,queues=2,queue-size=16,tx-pps=1000,rx-pps=1000" },
		{ "virtio-vsock", "socket=x,packed=on,queue-size=16" },
		{ "virtio-rng", "packed=on,max-bytes=1000" },
		{ "virtio-balloon", "packed=on,size=64K,stats-period=1" },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(options); i++)
		if (!strcmp(class->name, options[i][0]))
			break;
	if (i == ARRAY_LENGTH(options))
		return NULL;
	if (!index || strncmp(class->name, "virtio-", 7))
		return options[i][1];
	snprintf(text, sizeof(text), "%s,transport=mmio", options[i][1]);
	return text;
}

#define MEMORY_BYTES (1u << 20)

static void make_devices(void)
{
	static struct guest_memory memory;
	static struct irq_hub irqs;
	static struct message_hub messages = { .send = note_message };
	static struct pci pci;
	static struct device_services services;
	static struct fw_cfg_items items;
	char error[200] = "";
	unsigned c, i;

	irq_hub__init(&irqs, set_level, NULL);
	FUZZ_CHECK(!dispatch__create(&world.ports, 1));
	FUZZ_CHECK(!dispatch__create(&world.mmio, 1));
	memory = (struct guest_memory){ .size = MEMORY_BYTES,
					.count = 1,
					.region = { { 0, MEMORY_BYTES, guard__map(MEMORY_BYTES) } } };
	pci__init(&pci, world.ports, world.mmio, &irqs);
	FUZZ_CHECK(!fw_cfg_items__add(&items, FW_CFG_SIGNATURE, "QEMU", 4));
	FUZZ_CHECK(!fw_cfg_items__add_file(&items, "opt/x", "contents", 8));
	FUZZ_CHECK(!fw_cfg_items__finish(&items));
	services = (struct device_services){ .loop = (struct loop *)&world, /* its fakes take any */
					     .ports = world.ports,
					     .mmio = world.mmio,
					     .irqs = &irqs,
					     .messages = &messages,
					     .pci = &pci,
					     .memory = &memory,
					     .address_bits = 40,
					     .firmware_items = &items,
					     .request = note_request };
	for (c = 0; device_table[c]; c++)
		for (i = 0; i < MIN_OF(device_table[c]->max, 2u); i++) {
			struct device **dev = &world.device[world.count++];

			FUZZ_CHECK(world.count <= WORLD_DEVICES);
			FUZZ_CHECK(!device__create(device_table[c], i, options_of(device_table[c], i),
						   &services, dev, error, sizeof(error)));
			FUZZ_CHECK(!device__realize(*dev, error, sizeof(error)));
		}
}

struct device_world *device_world__reset(void)
{
	unsigned i;

	if (!world.count)
		make_devices();
	now_ns = 1000000000;
	input_left = 0;
	output_room = ~0ULL;
	for (i = 0; i < world.count; i++)
		world.device[i]->class->reset(world.device[i]);
	fake_host__reset();
	fake_host__set_listening(WORLD_SERVICE, true);
	world.requests = 0;
	return &world;
}

void device_world__save(struct device *dev, u8 *buf)
{
	const struct state_table *table = dev->class->state;
	size_t size = state__size(table);
	u8 *again = malloc(size);

	FUZZ_CHECK(again);
	device_world__feed(NULL, 0, 0);
	fake_disk__run();
	FUZZ_CHECK(state__save(table, dev, buf, size) == (long)size);
	FUZZ_CHECK(!state__load(table, dev, buf, size));
	FUZZ_CHECK(state__save(table, dev, buf, size) == (long)size);
	FUZZ_CHECK(!state__load(table, dev, buf, size));
	FUZZ_CHECK(state__save(table, dev, again, size) == (long)size);
	device_world__compare(dev, buf, again);
	free(again);
}

void device_world__compare(const struct device *dev, const u8 *a, const u8 *b)
{
	const struct state_field *field;
	size_t at = 4;

	for (field = dev->class->state->fields; field->name; field++) {
		size_t size = field->count * (field->part ? state__size(field->part) : field->size);

		if (memcmp(a + at, b + at, size)) {
			fprintf(stderr, "%s: %s differs\n", dev->class->name, field->name);
			abort();
		}
		at += size;
	}
}

static const u16 ports[] = {
	0x60,  0x64,  0x510, 0x511,	/* i8042, fw_cfg */
	0x70,  0x71,  0x514, 0x518,	/* RTC, fw_cfg's DMA */
	0x92,  0xcf9, 0xcf8, 0xcfc,	/* port 92h, reset control, PCI */
	0xf4,  0x505, 0x600, 0x604,	/* debug-exit, pvpanic, ACPI */
};

#define HPET_GPA 0xfed00000u

static void access_hpet(struct device_world *w, u8 what, struct fuzz_input *in)
{
	unsigned size = 1u << (what >> 1 & 3), offset = fuzz__take(in, 1) << 2 | what >> 6;
	u64 value = what & 1 ? fuzz__take(in, what & 0x10 ? 8 : 2) : 0;

	dispatch__access(w->mmio, 0, HPET_GPA + offset, what & 1, &value, size);
}

void device_world__access(struct device_world *w, struct fuzz_input *in)
{
	u8 what = fuzz__take(in, 1), where = fuzz__take(in, 1);
	unsigned size = 1u << (what >> 1 & 3) % 3;
	u64 value = 0;
	u16 port;

	if ((where & 0xf8) == 0x18) {
		access_hpet(w, what, in);
		return;
	}
	if (where & 0x80)
		port = (where & 0x40 ? 0x2f8 : 0x3f8) + (where & 7);
	else if (where & 0x40)
		port = 0x600 + (where & 0x1f); /* the ACPI block */
	else if (where & 0x20)
		port = w->device[what >> 3 & 7]->port[0] + (where & 0xf);
	else if (where & 0x10)
		port = fuzz__take(in, 2);
	else
		port = ports[where & 0xf] + (what >> 3 & 3) * (what >> 5 & 1);
	if (what & 1)
		value = fuzz__take(in, size);
	dispatch__access(w->ports, 0, port, what & 1, &value, size);
	FUZZ_CHECK(size == 4 || value >> 8 * size == 0);
}
