/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAM registers to memory slots. Segments of the same kind are one slot: RAM, RAM that can't be
 * written, or ROM. Writes to the last two come to a handler.
 */
#include "vmm/devices/pci/shadow.h"

#include <stdio.h>
#include <string.h>

#include "vmm/firmware/image.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/memory/slots.h"

#define SMALL_BYTES 0x4000u
#define LAST (SHADOW_SEGMENTS - 1)

static uint32_t start_of(unsigned segment)
{
	return segment < SHADOW_SEGMENTS ? SHADOW_START + segment * SMALL_BYTES : SHADOW_END;
}

static unsigned segment_of(uint32_t gpa)
{
	return MIN_OF((gpa - SHADOW_START) / SMALL_BYTES, LAST);
}

static void access_shadow(void *opaque, struct access *access)
{
	struct shadow *shadow = opaque;
	uint32_t gpa = SHADOW_START + (uint32_t)access->offset;

	/* Reads that come here are of nothing. */
	if (access->write && shadow->mode[segment_of(gpa)] & SHADOW_WRITE)
		guest_memory__write(shadow->services->memory, gpa, &access->value, access->size);
}

int shadow__init(struct shadow *shadow, const struct device_services *services, char *error,
		 size_t error_size)
{
	const struct dispatch_range range = { .start = SHADOW_START,
					      .size = SHADOW_END - SHADOW_START,
					      .width = 8,
					      .handler = access_shadow,
					      .opaque = shadow };
	int err;

	shadow->services = services;
	memset(shadow->slot, 0xff, sizeof(shadow->slot)); /* -1 each */
	pthread_mutex_init(&shadow->lock, NULL);
	if (!services->firmware || !services->slots)
		return 0;
	err = dispatch__add(services->mmio, &range);
	if (err) {
		snprintf(error, error_size, "device pci-host: memory at 0x%x: %s", SHADOW_START,
			 strerror(-err));
		return err;
	}
	shadow->on = true;
	return 0;
}

static void take_slots(struct shadow *shadow)
{
	unsigned i;

	for (i = 0; i < SHADOW_SEGMENTS; i++) {
		memory_slots__remove(shadow->services->slots, shadow->slot[i]);
		shadow->slot[i] = -1;
	}
}

void shadow__destroy(struct shadow *shadow)
{
	if (!shadow->services)
		return;
	if (shadow->on) {
		take_slots(shadow);
		dispatch__remove(shadow->services->mmio, SHADOW_START);
	}
	pthread_mutex_destroy(&shadow->lock);
}

/* The end of the ROM, where it is seen here. NULL: not there. */
static uint8_t *rom_at(const struct shadow *shadow, uint32_t gpa)
{
	const struct firmware_bank *code = &shadow->services->firmware->code;
	uint64_t size = MIN_OF(code->size, FIRMWARE_ALIAS_MOST);

	if (gpa < FIRMWARE_ALIAS_END - size)
		return NULL;
	return code->data + code->size - (FIRMWARE_ALIAS_END - gpa);
}

/* A slot from segment `from` up to `to`, which have the same mode. */
static void add_slot(struct shadow *shadow, unsigned from, unsigned to)
{
	uint8_t mode = shadow->mode[from];
	struct memory_slot slot = { .gpa = start_of(from),
				    .size = start_of(to) - start_of(from),
				    .read_only = mode != (SHADOW_READ | SHADOW_WRITE) };

	slot.host = mode & SHADOW_READ ? guest_memory__pointer(shadow->services->memory, slot.gpa,
							       slot.size)
				       : rom_at(shadow, start_of(from));
	if (slot.host)
		shadow->slot[from] = memory_slots__add(shadow->services->slots, &slot);
}

/* ROM comes into sight in the middle of what has no other difference. */
static bool differ(const struct shadow *shadow, unsigned a, unsigned b)
{
	return shadow->mode[a] != shadow->mode[b] ||
	       (!(shadow->mode[a] & SHADOW_READ) &&
		!rom_at(shadow, start_of(a)) != !rom_at(shadow, start_of(b)));
}

static void make_slots(struct shadow *shadow)
{
	unsigned from = 0, to;

	for (to = 1; to <= SHADOW_SEGMENTS; to++)
		if (to == SHADOW_SEGMENTS || differ(shadow, from, to)) {
			add_slot(shadow, from, to);
			from = to;
		}
}

void shadow__update(struct shadow *shadow, const uint8_t pam[SHADOW_PAMS])
{
	uint8_t mode[SHADOW_SEGMENTS];
	unsigned i;

	mode[LAST] = pam[0] >> 4 & 3;
	for (i = 0; i < LAST; i++)
		mode[i] = pam[1 + i / 2] >> (i % 2 ? 4 : 0) & 3;
	pthread_mutex_lock(&shadow->lock);
	if (shadow->on && (memcmp(mode, shadow->mode, sizeof(mode)) || shadow->slot[LAST] < 0)) {
		take_slots(shadow);
		memcpy(shadow->mode, mode, sizeof(mode));
		make_slots(shadow);
	}
	pthread_mutex_unlock(&shadow->lock);
}
