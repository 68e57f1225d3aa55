/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * High precision event timer (IA-PC HPET specification 1.0a): one 64-bit counter of 100 MHz and
 * comparators that raise interrupts at wires, as messages, or in place of the PIT and the RTC.
 *
 * The counter is worked out when it is looked at. Whether comparators were met is worked out at
 * accesses, and by a timer of the loop while an interrupt is to come of it.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "vmm/acpi/aml.h"
#include "vmm/acpi/tables.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/loop/loop.h"

#define HPET_GPA 0xfed00000u
#define HPET_BYTES 0x400u
#define TIMERS 4u

#define TICK_NS 10u
#define FS_PER_NS 1000000ull

/* Periods may be as short as a tick; the loop looks no more often than this. */
#define LEAST_NS 100000u
/* How long a guest's thread may be kept from writing a comparator that was ahead when it began. */
#define LATE_TICKS (1000000000u / TICK_NS)
/* Matches farther ahead need no timer of the loop: years. */
#define FAR_TICKS (1ull << 56)

/* Registers (2.3), 64 bits each. */
#define REG_ID 0x000
#define REG_CONFIG 0x010
#define REG_STATUS 0x020
#define REG_COUNTER 0x0f0
#define REG_TIMERS 0x100
#define TIMER_BYTES 0x20
#define REG_TIMER_CONFIG 0x00
#define REG_TIMER_COMPARATOR 0x08
#define REG_TIMER_MESSAGE 0x10 /* FSB interrupt route: data, address */

#define ID_REVISION 0x01u
#define ID_TIMERS ((TIMERS - 1) << 8)
#define ID_64BIT 0x2000u
#define ID_LEGACY 0x8000u
#define ID_VENDOR 0x80860000u /* Intel */
#define ID_LOW (ID_REVISION | ID_TIMERS | ID_64BIT | ID_LEGACY | ID_VENDOR)

#define CONFIG_ENABLE 0x1u
#define CONFIG_LEGACY 0x2u
#define CONFIG_KEPT (CONFIG_ENABLE | CONFIG_LEGACY)

#define TIMER_LEVEL 0x0002u
#define TIMER_INTERRUPT 0x0004u
#define TIMER_PERIODIC 0x0008u
#define TIMER_CAN_PERIODIC 0x0010u
#define TIMER_IS_64BIT 0x0020u
#define TIMER_SET_VALUE 0x0040u /* the next write goes to the comparator, too */
#define TIMER_32BIT 0x0100u
#define TIMER_ROUTE 0x3e00u
#define TIMER_ROUTE_OF(config) ((unsigned)((config) >> 9) & 31)
#define TIMER_MESSAGE 0x4000u
#define TIMER_CAN_MESSAGE 0x8000u
#define TIMER_FIXED (TIMER_CAN_PERIODIC | TIMER_IS_64BIT | TIMER_CAN_MESSAGE)
#define TIMER_KEPT                                                                                 \
	(TIMER_LEVEL | TIMER_INTERRUPT | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32BIT |          \
	 TIMER_ROUTE | TIMER_MESSAGE)

/* The pins of the IOAPIC that no ISA device is at; PCI's are there, too. */
#define ROUTES 0x00ff0000u
#define NOWHERE IRQ_HUB_GSIS

struct hpet_timer {
	uint64_t config;     /* TIMER_KEPT */
	uint64_t comparator; /* moves on by itself in periodic mode */
	uint64_t period;     /* what was last written to the comparator */
	uint64_t message;
	uint64_t seen; /* value of the counter up to which matches are noted */
	struct irq_wire wire; /* connected to where the timer is routed to, if anywhere */
};

struct hpet {
	struct device dev;
	pthread_mutex_t lock; /* guards all below */
	bool has_range;
	struct loop_timer *loop_timer;
	uint64_t looked; /* loop__now() when the loop's timer last fired */
	uint64_t config, status;
	uint64_t count, epoch; /* the counter, at that loop__now() if it runs */
	struct hpet_timer timer[TIMERS];
};

static uint64_t counter_at(const struct hpet *hpet, uint64_t now)
{
	return hpet->config & CONFIG_ENABLE ? hpet->count + (now - hpet->epoch) / TICK_NS
					    : hpet->count;
}

static void set_counter(struct hpet *hpet, uint64_t now, uint64_t value)
{
	unsigned n;

	hpet->count = value;
	hpet->epoch = now;
	for (n = 0; n < TIMERS; n++)
		hpet->timer[n].seen = value;
}

static uint64_t mask_of(const struct hpet_timer *timer)
{
	return timer->config & TIMER_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* Values of the counter between what was seen and the next match: 0 if that is the next value. */
static uint64_t gap_of(const struct hpet_timer *timer)
{
	return (timer->comparator - timer->seen - 1) & mask_of(timer);
}

/* ---- interrupts ---- */

static bool replaces_legacy(const struct hpet *hpet, unsigned n)
{
	return n < 2 && (hpet->config & CONFIG_KEPT) == CONFIG_KEPT;
}

/* Timers 0 and 1 come in place of the PIT and the RTC (2.3.5, LEG_RT_CNF). */
static unsigned gsi_of(const struct hpet *hpet, unsigned n)
{
	unsigned route = TIMER_ROUTE_OF(hpet->timer[n].config);

	if (replaces_legacy(hpet, n))
		return n ? 8 : 0;
	return ROUTES >> route & 1 ? route : NOWHERE;
}

static void connect_wire(struct hpet *hpet, unsigned n)
{
	struct irq_wire *wire = &hpet->timer[n].wire;
	unsigned gsi = gsi_of(hpet, n);

	if (gsi == (wire->hub ? wire->gsi : NOWHERE))
		return;
	irq_wire__set(wire, false);
	irq_wire__own(wire, false);
	*wire = (struct irq_wire){ .hub = NULL };
	if (gsi == NOWHERE)
		return;
	irq_wire__connect(wire, hpet->dev.services->irqs, gsi);
	irq_wire__own(wire, replaces_legacy(hpet, n));
}

static bool is_level(const struct hpet *hpet, unsigned n)
{
	const uint64_t bits = TIMER_LEVEL | TIMER_INTERRUPT | TIMER_MESSAGE;

	return hpet->config & CONFIG_ENABLE && hpet->status >> n & 1 &&
	       (hpet->timer[n].config & bits) == (TIMER_LEVEL | TIMER_INTERRUPT);
}

static void raise(struct hpet *hpet, unsigned n)
{
	struct hpet_timer *timer = &hpet->timer[n];
	const struct irq_message message = { .address = timer->message >> 32,
					     .data = (uint32_t)timer->message };

	if (timer->config & TIMER_LEVEL)
		hpet->status |= 1u << n;
	if (!(timer->config & TIMER_INTERRUPT))
		return;
	if (timer->config & TIMER_MESSAGE) {
		message_hub__send(hpet->dev.services->messages, &message);
	} else if (!(timer->config & TIMER_LEVEL)) {
		irq_wire__set(&timer->wire, true);
		irq_wire__set(&timer->wire, false);
	}
}

/* ---- time ---- */

/* Whether the comparator was met up to this value; a periodic one is then ahead of it. */
static bool pass(struct hpet_timer *timer, uint64_t counter)
{
	uint64_t gap = gap_of(timer), passed = counter - timer->seen;

	timer->seen = counter;
	if (gap >= passed)
		return false;
	if (timer->config & TIMER_PERIODIC && timer->period)
		timer->comparator += ((passed - gap - 1) / timer->period + 1) * timer->period;
	timer->comparator &= mask_of(timer);
	return true;
}

static void catch_up(struct hpet *hpet, uint64_t now)
{
	uint64_t counter = counter_at(hpet, now);
	unsigned n;

	if (!(hpet->config & CONFIG_ENABLE))
		return;
	for (n = 0; n < TIMERS; n++)
		if (pass(&hpet->timer[n], counter))
			raise(hpet, n);
}

/* When the next match brings an interrupt, from what catch_up() has seen. */
static uint64_t next_interrupt(const struct hpet *hpet, uint64_t now)
{
	uint64_t next = FAR_TICKS;
	unsigned n;

	if (!(hpet->config & CONFIG_ENABLE))
		return UINT64_MAX;
	for (n = 0; n < TIMERS; n++)
		if (hpet->timer[n].config & TIMER_INTERRUPT && !is_level(hpet, n))
			next = MIN_OF(next, gap_of(&hpet->timer[n]));
	if (next == FAR_TICKS)
		return UINT64_MAX;
	return MAX_OF(now + (next + 1) * TICK_NS, hpet->looked + LEAST_NS);
}

/* Brings wires and the loop's timer up to date; catch_up() came before, with the same `now`. */
static void settle(struct hpet *hpet, uint64_t now)
{
	uint64_t when = next_interrupt(hpet, now);
	unsigned n;

	for (n = 0; n < TIMERS; n++) {
		connect_wire(hpet, n);
		irq_wire__set(&hpet->timer[n].wire, is_level(hpet, n));
	}
	if (when == UINT64_MAX)
		loop__timer_cancel(hpet->loop_timer);
	else
		loop__timer_arm(hpet->loop_timer, when);
}

static void on_timer(void *opaque)
{
	struct hpet *hpet = opaque;
	uint64_t now;

	pthread_mutex_lock(&hpet->lock);
	now = loop__now();
	hpet->looked = now;
	catch_up(hpet, now);
	settle(hpet, now);
	pthread_mutex_unlock(&hpet->lock);
}

/* ---- registers ---- */

/* What a register becomes by a write of 4 or 8 bytes. */
static uint64_t merge(uint64_t old, const struct access *access)
{
	unsigned shift = (access->offset & 4) * 8;
	uint64_t mask = (access->size == 8 ? UINT64_MAX : UINT32_MAX) << shift;

	return (old & ~mask) | (access->value << shift & mask);
}

static void write_config(struct hpet *hpet, uint64_t now, uint64_t value)
{
	uint64_t counter = counter_at(hpet, now);

	value &= CONFIG_KEPT;
	if ((value ^ hpet->config) & CONFIG_ENABLE)
		set_counter(hpet, now, counter);
	hpet->config = value;
}

static void write_timer_config(struct hpet *hpet, unsigned n, uint64_t value)
{
	struct hpet_timer *timer = &hpet->timer[n];

	if (!(ROUTES >> TIMER_ROUTE_OF(value) & 1)) /* 2.3.8: another route does not stick */
		value = (value & ~(uint64_t)TIMER_ROUTE) | (timer->config & TIMER_ROUTE);
	if (!(value & TIMER_PERIODIC))
		value &= ~(uint64_t)TIMER_SET_VALUE;
	timer->config = value & TIMER_KEPT;
	timer->comparator &= mask_of(timer);
	timer->period &= mask_of(timer);
	if (!(value & TIMER_LEVEL))
		hpet->status &= ~(1ull << n);
}

/*
 * 2.3.9.2: in periodic mode a write sets the period, and the comparator only behind
 * TIMER_SET_VALUE. A value that the counter has just passed counts as met.
 */
static void write_comparator(struct hpet *hpet, struct hpet_timer *timer, uint64_t now,
			     const struct access *access)
{
	uint64_t counter = counter_at(hpet, now), behind;

	timer->period = merge(timer->period, access) & mask_of(timer);
	if (timer->config & TIMER_PERIODIC && !(timer->config & TIMER_SET_VALUE))
		return;
	timer->config &= ~(uint64_t)TIMER_SET_VALUE;
	timer->comparator = merge(timer->comparator, access) & mask_of(timer);
	behind = (counter - timer->comparator) & mask_of(timer);
	timer->seen = behind < LATE_TICKS ? counter - behind - 1 : counter;
}

static void write_timer(struct hpet *hpet, unsigned n, unsigned reg, uint64_t now,
			const struct access *access)
{
	struct hpet_timer *timer = &hpet->timer[n];

	switch (reg) {
	case REG_TIMER_CONFIG:
		write_timer_config(hpet, n, merge(timer->config, access));
		break;
	case REG_TIMER_COMPARATOR:
		write_comparator(hpet, timer, now, access);
		break;
	case REG_TIMER_MESSAGE:
		timer->message = merge(timer->message, access);
		break;
	}
}

static void write_register(struct hpet *hpet, unsigned reg, const struct access *access)
{
	uint64_t now = loop__now();

	catch_up(hpet, now);
	if (reg == REG_CONFIG)
		write_config(hpet, now, merge(hpet->config, access));
	else if (reg == REG_STATUS)
		hpet->status &= ~merge(0, access);
	else if (reg == REG_COUNTER)
		set_counter(hpet, now, merge(counter_at(hpet, now), access));
	else if (reg >= REG_TIMERS && reg < REG_TIMERS + TIMERS * TIMER_BYTES)
		write_timer(hpet, (reg - REG_TIMERS) / TIMER_BYTES, reg % TIMER_BYTES, now, access);
	catch_up(hpet, now);
	settle(hpet, now);
}

static uint64_t read_timer(const struct hpet_timer *timer, unsigned reg)
{
	switch (reg) {
	case REG_TIMER_CONFIG:
		return (uint64_t)ROUTES << 32 | TIMER_FIXED |
		       (timer->config & ~(uint64_t)TIMER_SET_VALUE);
	case REG_TIMER_COMPARATOR:
		return timer->comparator;
	case REG_TIMER_MESSAGE:
		return timer->message;
	}
	return 0;
}

static uint64_t read_register(struct hpet *hpet, unsigned reg)
{
	uint64_t now = loop__now();
	unsigned n = (reg - REG_TIMERS) / TIMER_BYTES;

	switch (reg) {
	case REG_ID:
		return TICK_NS * FS_PER_NS << 32 | ID_LOW;
	case REG_CONFIG:
		return hpet->config;
	case REG_COUNTER:
		return counter_at(hpet, now);
	}
	/* What the others show depends on which comparators were met. */
	catch_up(hpet, now);
	settle(hpet, now);
	if (reg == REG_STATUS)
		return hpet->status;
	return reg >= REG_TIMERS && n < TIMERS ? read_timer(&hpet->timer[n], reg % TIMER_BYTES) : 0;
}

/* Accesses are of 4 or 8 bytes, in their places (2.1); others come to nothing. */
static void access_registers(void *opaque, struct access *access)
{
	struct hpet *hpet = opaque;
	unsigned reg = (unsigned)access->offset & ~7u;

	if (access->size < 4 || access->offset % access->size)
		return;
	pthread_mutex_lock(&hpet->lock);
	if (access->write)
		write_register(hpet, reg, access);
	else
		access->value = read_register(hpet, reg) >> (access->offset & 4) * 8;
	pthread_mutex_unlock(&hpet->lock);
}

/* ---- the device ---- */

static void reset(struct device *dev)
{
	struct hpet *hpet = container_of_type(dev, struct hpet, dev);
	uint64_t now = loop__now();
	unsigned n;

	pthread_mutex_lock(&hpet->lock);
	hpet->config = 0;
	hpet->status = 0;
	set_counter(hpet, now, 0);
	for (n = 0; n < TIMERS; n++) {
		struct hpet_timer *timer = &hpet->timer[n];

		timer->config = 0;
		timer->comparator = UINT64_MAX;
		timer->period = 0;
		timer->message = 0;
	}
	settle(hpet, now);
	pthread_mutex_unlock(&hpet->lock);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct hpet *hpet = container_of_type(dev, struct hpet, dev);
	const struct dispatch_range range = { .start = HPET_GPA,
					      .size = HPET_BYTES,
					      .width = 8,
					      .handler = access_registers,
					      .opaque = hpet };
	int err;

	pthread_mutex_init(&hpet->lock, NULL);
	err = loop__timer(dev->services->loop, on_timer, hpet, &hpet->loop_timer);
	if (err) {
		snprintf(error, error_size, "device hpet: cannot make a timer: %s", strerror(-err));
		return err;
	}
	err = dispatch__add(dev->services->mmio, &range);
	if (err)
		snprintf(error, error_size, "device hpet: memory at 0x%x: %s", HPET_GPA,
			 strerror(-err));
	hpet->has_range = !err;
	return err;
}

static void remove_hpet(struct device *dev)
{
	struct hpet *hpet = container_of_type(dev, struct hpet, dev);
	unsigned n;

	if (hpet->has_range)
		dispatch__remove(dev->services->mmio, HPET_GPA);
	for (n = 0; n < TIMERS; n++)
		irq_wire__own(&hpet->timer[n].wire, false);
	loop__timer_free(hpet->loop_timer);
	pthread_mutex_destroy(&hpet->lock);
}

static void describe(struct device *dev, struct aml *aml)
{
	aml__device(aml, "HPET");
	aml__name_eisaid(aml, "_HID", "PNP0103");
	aml__name_integer(aml, "_UID", 0);
	aml__resources(aml, "_CRS");
	aml__memory32(aml, HPET_GPA, HPET_BYTES);
	aml__end_resources(aml);
	aml__end(aml);
}

/* The description table (3.2.4), behind its header. */
static void add_table(struct device *dev, struct acpi_tables *tables)
{
	const struct {
		uint32_t id;
		uint8_t space, bits, offset, access;
		uint64_t address;
		uint8_t number;
		uint16_t least_period; /* in ticks */
		uint8_t protection;
	} __attribute__((packed)) body = {
		.id = ID_LOW,
		.bits = 64,
		.address = HPET_GPA,
		.least_period = LEAST_NS / TICK_NS,
	};

	acpi_tables__add(tables, "HPET", 1, &body, sizeof(body));
}

static int after_load(struct device *dev)
{
	struct hpet *hpet = container_of_type(dev, struct hpet, dev);
	uint64_t now = loop__now();
	unsigned n;

	pthread_mutex_lock(&hpet->lock);
	hpet->config &= CONFIG_KEPT;
	hpet->status &= (1u << TIMERS) - 1;
	hpet->epoch = MIN_OF(hpet->epoch, now);
	hpet->looked = now;
	for (n = 0; n < TIMERS; n++)
		write_timer_config(hpet, n, hpet->timer[n].config);
	catch_up(hpet, now);
	settle(hpet, now);
	pthread_mutex_unlock(&hpet->lock);
	return 0;
}

static const struct state_field timer_fields[] = {
	STATE_FIELD(struct hpet_timer, config, 1),  STATE_FIELD(struct hpet_timer, comparator, 1),
	STATE_FIELD(struct hpet_timer, period, 1),  STATE_FIELD(struct hpet_timer, message, 1),
	STATE_FIELD(struct hpet_timer, seen, 1),    { NULL },
};

static const struct state_table timer_state = { 1, timer_fields, NULL };

static const struct state_field state_fields[] = {
	STATE_FIELD(struct hpet, config, 1),
	STATE_FIELD(struct hpet, status, 1),
	STATE_FIELD(struct hpet, count, 1),
	STATE_FIELD(struct hpet, epoch, 1),
	STATE_PART(struct hpet, timer, TIMERS, &timer_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_hpet = {
	.name = "hpet",
	.help = "high precision event timer",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct hpet),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_hpet,
	.acpi = describe,
	.acpi_tables = add_table,
};
