/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware on the bench. */
#include "tests/devices/firmware_bench.h"

#include <string.h>

static int note_slot(void *opaque, unsigned number, const struct memory_slot *slot)
{
	struct firmware_bench *bench = opaque;
	unsigned i;

	bench->changes++;
	for (i = 0; slot->size && i < MEMORY_SLOTS; i++) {
		const struct memory_slot *other = &bench->slots.slot[i];

		if (i != number && other->size && slot->gpa < other->gpa + other->size &&
		    other->gpa < slot->gpa + slot->size)
			return -EEXIST;
	}
	return 0;
}

void firmware_bench__init(struct firmware_bench *bench, int vars_fd)
{
	uint32_t i;

	memset(bench, 0, sizeof(*bench));
	bench->firmware.code = (struct firmware_bank){ .data = malloc(BENCH_CODE_BYTES),
						       .gpa = FIRMWARE_END - BENCH_CODE_BYTES,
						       .size = BENCH_CODE_BYTES,
						       .fd = -1 };
	bench->firmware.vars = (struct firmware_bank){
		.data = malloc(BENCH_VARS_BYTES),
		.gpa = FIRMWARE_END - BENCH_CODE_BYTES - BENCH_VARS_BYTES,
		.size = BENCH_VARS_BYTES,
		.fd = vars_fd
	};
	assert_non_null(bench->firmware.code.data);
	assert_non_null(bench->firmware.vars.data);
	for (i = 0; i < BENCH_CODE_BYTES; i++)
		bench->firmware.code.data[i] = (uint8_t)((bench->firmware.code.gpa + i) >> 12);
	memset(bench->firmware.vars.data, 0x5a, BENCH_VARS_BYTES);
	memory_slots__init(&bench->slots, note_slot, bench);
	bench->f = fixture__create(&device_class_port92, NULL);
	bench->f->services.firmware = &bench->firmware;
	bench->f->services.firmware_items = &bench->items;
	bench->f->services.slots = &bench->slots;
}

void firmware_bench__destroy(struct firmware_bench *bench)
{
	fixture__destroy(bench->f);
	memory_slots__destroy(&bench->slots);
	fw_cfg_items__free(&bench->items);
	free(bench->firmware.code.data);
	free(bench->firmware.vars.data);
}

const struct memory_slot *firmware_bench__slot(const struct firmware_bench *bench, uint64_t gpa)
{
	unsigned i;

	for (i = 0; i < MEMORY_SLOTS; i++) {
		const struct memory_slot *slot = &bench->slots.slot[i];

		if (slot->size && gpa >= slot->gpa && gpa - slot->gpa < slot->size)
			return slot;
	}
	return NULL;
}
