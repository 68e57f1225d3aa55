/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's AHCI driver on the bench: ports, commands, regions. */
#ifndef TESTS_DEVICES_AHCI_DRIVER_H
#define TESTS_DEVICES_AHCI_DRIVER_H

#include "tests/devices/fixture.h"
#include "vmm/devices/storage/ahci_regs.h"

#define DATA_AT 0x200000u /* guest memory for the tests' data */

struct hba {
	struct fixture *f;
	uint64_t bar;
	unsigned gsi; /* of its pin */
};

struct region {
	uint64_t address;
	uint32_t bytes;
};

/* A controller with these drives (NULL: none), placed and enabled. */
struct hba *hba__create(const char *disk, const char *cd);
void hba__destroy(struct hba *hba);
uint32_t hba__read(struct hba *hba, unsigned reg);
void hba__write(struct hba *hba, unsigned reg, uint32_t value);
uint32_t hba__port(struct hba *hba, unsigned port, unsigned reg);
void hba__set_port(struct hba *hba, unsigned port, unsigned reg, uint32_t value);
void hba__set_command(struct hba *hba, uint16_t value); /* PCI command register */

/* Message and data of the one vector. */
void hba__enable_msix(struct hba *hba, uint32_t address, uint32_t data);

/* From any state to one that takes commands; the signature has come. */
void hba__start(struct hba *hba, unsigned port);

/* Fills a slot: a command of 48-bit addresses, or with `packet` that. Nothing is issued. */
void hba__fill(struct hba *hba, unsigned port, unsigned slot, uint8_t command, uint64_t lba,
	       uint16_t count, const uint8_t *packet, const struct region *regions, unsigned nr_regions);
/* The FIS, header or regions of a slot, for tests that break them. */
void *hba__fis(struct hba *hba, unsigned port, unsigned slot);
uint32_t *hba__header(struct hba *hba, unsigned port, unsigned slot);
/* What the port has received, from `at`. */
const uint8_t *hba__received(struct hba *hba, unsigned port, unsigned at);
void *hba__memory(struct hba *hba, uint64_t gpa, uint64_t size);

/* Issues slots and waits until the port's interrupt status has one of `until`. Returns it. */
uint32_t hba__issue(struct hba *hba, unsigned port, uint32_t slots, uint32_t until);
/* Fill and issue in slot 0, with one region of `bytes` at DATA_AT. Status and error as PxTFD has them. */
uint32_t hba__ask(struct hba *hba, unsigned port, uint8_t command, uint64_t lba, uint16_t count,
		  uint32_t bytes);
uint32_t hba__packet(struct hba *hba, unsigned port, const uint8_t packet[12], uint32_t bytes);

#endif
