/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bench that device tests stand on. */
#include "tests/devices/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void set_level(void *opaque, unsigned gsi, bool level)
{
	struct fixture *fixture = opaque;

	fixture->edges[gsi] += level && !fixture->level[gsi];
	fixture->level[gsi] = level;
}

static void note_request(void *opaque, enum device_request what, int status)
{
	struct fixture *fixture = opaque;

	fixture->request = (int)what;
	fixture->status = status;
}

static int note_message(void *opaque, const struct irq_message *message)
{
	struct fixture *fixture = opaque;

	fixture->message[fixture->message_count++ % FIXTURE_MESSAGES] = *message;
	return 0;
}

struct device *fixture__add(struct fixture *fixture, const struct device_class *class,
			    unsigned index, const char *options)
{
	struct device **last = &fixture->dev;
	char error[200] = "";

	while (*last)
		last = &(*last)->next;
	if (device__create(class, index, options, &fixture->services, last, error, sizeof(error)) ||
	    device__realize(*last, error, sizeof(error)))
		fail_msg("%s", error);
	class->reset(*last);
	return *last;
}

struct fixture *fixture__create(const struct device_class *class, const char *options)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->request = -1;
	assert_int_equal(loop__create(&fixture->loop), 0);
	assert_int_equal(dispatch__create(&fixture->ports, 1), 0);
	assert_int_equal(dispatch__create(&fixture->mmio, 1), 0);
	assert_int_equal(guest_memory__create(&fixture->memory, 16 << 20), 0);
	irq_hub__init(&fixture->irqs, set_level, fixture);
	fixture->messages = (struct message_hub){ .send = note_message, .opaque = fixture };
	pci__init(&fixture->pci, fixture->ports, fixture->mmio, &fixture->irqs);
	fixture->services = (struct device_services){ .loop = fixture->loop,
						      .ports = fixture->ports,
						      .mmio = fixture->mmio,
						      .irqs = &fixture->irqs,
						      .messages = &fixture->messages,
						      .pci = &fixture->pci,
						      .address_bits = 40,
						      .memory = &fixture->memory,
						      .request = note_request,
						      .opaque = fixture };
	fixture__add(fixture, class, 0, options);
	return fixture;
}

void fixture__destroy(struct fixture *fixture)
{
	while (fixture->dev) { /* the last one first */
		struct device **last = &fixture->dev;

		while ((*last)->next)
			last = &(*last)->next;
		device__destroy(*last);
		*last = NULL;
	}
	pci__destroy(&fixture->pci);
	irq_hub__destroy(&fixture->irqs);
	guest_memory__destroy(&fixture->memory);
	dispatch__destroy(fixture->mmio);
	dispatch__destroy(fixture->ports);
	loop__destroy(fixture->loop);
	free(fixture);
}

uint32_t fixture__in(struct fixture *fixture, uint16_t port, unsigned size)
{
	uint32_t value = 0;

	dispatch__access(fixture->ports, 0, port, false, &value, size);
	return value;
}

void fixture__out(struct fixture *fixture, uint16_t port, unsigned size, uint32_t value)
{
	dispatch__access(fixture->ports, 0, port, true, &value, size);
}

static void stop_loop(void *opaque)
{
	loop__stop(opaque);
}

void fixture__pump(struct fixture *fixture, unsigned ms)
{
	struct loop_timer *timer;

	assert_int_equal(loop__timer(fixture->loop, stop_loop, fixture->loop, &timer), 0);
	loop__timer_arm(timer, loop__now() + ms * 1000000ull);
	assert_int_equal(loop__run(fixture->loop), 0);
	loop__timer_free(timer);
}

void fixture__hammer(struct fixture *fixture, uint16_t port, unsigned count, unsigned rounds)
{
	while (rounds--) {
		uint16_t at = (uint16_t)(port + rand() % count);
		unsigned size = 1u << rand() % 3;

		if (rand() & 1)
			fixture__out(fixture, at, size, (uint32_t)rand());
		else
			fixture__in(fixture, at, size);
	}
}

void fixture__check_state(struct fixture *fixture, uint16_t port, unsigned count)
{
	const struct state_table *table = fixture->dev->class->state;
	size_t size = state__size(table), i;
	uint8_t *first = malloc(size), *second = malloc(size);
	unsigned round;

	assert_int_equal(state__save(table, fixture->dev, first, size), size);
	assert_int_equal(state__save(table, fixture->dev, first, size - 1), -ENOSPC);
	assert_int_equal(state__load(table, fixture->dev, first, size), 0);
	assert_int_equal(state__save(table, fixture->dev, second, size), size);
	assert_memory_equal(first, second, size);

	assert_int_equal(state__load(table, fixture->dev, first, size - 1), -EINVAL);
	memcpy(second, first, size);
	second[0]++; /* the version */
	assert_int_equal(state__load(table, fixture->dev, second, size), -EINVAL);
	for (round = 0; round < 200; round++) {
		memcpy(second, first, size);
		for (i = 4; i < size; i++)
			if (rand() % 4 == 0)
				second[i] = (uint8_t)rand();
		state__load(table, fixture->dev, second, size);
		fixture__hammer(fixture, port, count, 50);
	}
	fixture->dev->class->reset(fixture->dev);
	free(first);
	free(second);
}
