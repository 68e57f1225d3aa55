/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device on a bench: ports, interrupt wires, guest memory and a loop, without any hypervisor. */
#ifndef TESTS_DEVICES_FIXTURE_H
#define TESTS_DEVICES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/loop/loop.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/pci/pci.h"

#define FIXTURE_MESSAGES 64

struct fixture {
	struct loop *loop;
	struct dispatch *ports, *mmio;
	struct guest_memory memory;
	struct irq_hub irqs;
	bool level[IRQ_HUB_GSIS];
	unsigned edges[IRQ_HUB_GSIS]; /* rising ones */
	struct message_hub messages;
	struct irq_message message[FIXTURE_MESSAGES]; /* the last ones that were sent */
	unsigned message_count;
	struct pci pci;
	int request;		      /* the last enum device_request, -1: none */
	int status;
	struct device_services services;
	struct device *dev;
};

/* Realizes and resets one device; 16 MiB of memory. Fails the test if that fails. */
struct fixture *fixture__create(const struct device_class *class, const char *options);
/* One more, the `index`th of its class; destroyed with the fixture. */
struct device *fixture__add(struct fixture *fixture, const struct device_class *class,
			    unsigned index, const char *options);
void fixture__destroy(struct fixture *fixture);

uint32_t fixture__in(struct fixture *fixture, uint16_t port, unsigned size);
void fixture__out(struct fixture *fixture, uint16_t port, unsigned size, uint32_t value);
static inline uint8_t inb(struct fixture *fixture, uint16_t port)
{
	return (uint8_t)fixture__in(fixture, port, 1);
}
static inline void outb(struct fixture *fixture, uint16_t port, uint8_t value)
{
	fixture__out(fixture, port, 1, value);
}

/* Lets the loop run for a while. */
void fixture__pump(struct fixture *fixture, unsigned ms);

/*
 * Saves, loads and saves again: the same bytes. Then loads random, cut and later-version states
 * and accesses `count` ports from `port` afterwards: nothing may break.
 */
void fixture__check_state(struct fixture *fixture, uint16_t port, unsigned count);

/* Writes and reads `rounds` random registers of random sizes. */
void fixture__hammer(struct fixture *fixture, uint16_t port, unsigned count, unsigned rounds);

#endif
