/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bench with what firmware needs: images, items, and memory slots that are only noted. */
#ifndef TESTS_DEVICES_FIRMWARE_BENCH_H
#define TESTS_DEVICES_FIRMWARE_BENCH_H

#include "tests/devices/fixture.h"

#include "vmm/firmware/image.h"
#include "vmm/firmware/items.h"
#include "vmm/memory/slots.h"

#define BENCH_CODE_BYTES 0x40000u
#define BENCH_VARS_BYTES 0x4000u

struct firmware_bench {
	struct fixture *f;
	struct firmware firmware;
	struct fw_cfg_items items;
	struct memory_slots slots;
	unsigned changes; /* of slots */
};

/*
 * A bench without devices, then one with firmware: the code's bytes are its addresses' bits 19:12,
 * the variables are 5AH. `vars_fd` (-1: none) is what they are written to.
 */
void firmware_bench__init(struct firmware_bench *bench, int vars_fd);
void firmware_bench__destroy(struct firmware_bench *bench);
/* The slot that holds an address, NULL if there is none. */
const struct memory_slot *firmware_bench__slot(const struct firmware_bench *bench, uint64_t gpa);

#endif
