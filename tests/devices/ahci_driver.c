/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's AHCI driver on the bench. */
#include "tests/devices/ahci_driver.h"

#include <string.h>

#include "vmm/pci/assign.h"

#define SLOT_OF_DEVICE 1
#define BAR 5
#define LIST(port) (0x100000u + 0x10000 * (port))
#define FISES(port) (LIST(port) + 0x400)
#define TABLE(port, slot) (LIST(port) + 0x800 + 0x400 * (slot))

static uint64_t config_at(unsigned reg)
{
	return GUEST_ECAM + (PCI_DEVFN(SLOT_OF_DEVICE, 0) << 12) + reg;
}

static uint32_t access_memory(struct hba *hba, uint64_t gpa, bool write, unsigned size, uint32_t value)
{
	dispatch__access(hba->f->mmio, 0, gpa, write, &value, size);
	return value;
}

uint32_t hba__read(struct hba *hba, unsigned reg)
{
	return access_memory(hba, hba->bar + reg, false, 4, 0);
}

void hba__write(struct hba *hba, unsigned reg, uint32_t value)
{
	access_memory(hba, hba->bar + reg, true, 4, value);
}

uint32_t hba__port(struct hba *hba, unsigned port, unsigned reg)
{
	return hba__read(hba, AHCI_PORT_AT + AHCI_PORT_BYTES * port + reg);
}

void hba__set_port(struct hba *hba, unsigned port, unsigned reg, uint32_t value)
{
	hba__write(hba, AHCI_PORT_AT + AHCI_PORT_BYTES * port + reg, value);
}

void hba__set_command(struct hba *hba, uint16_t value)
{
	access_memory(hba, config_at(PCI_COMMAND), true, 2, value);
}

void hba__enable_msix(struct hba *hba, uint32_t address, uint32_t data)
{
	unsigned at = access_memory(hba, config_at(PCI_CAPABILITIES), false, 1, 0);
	uint32_t table;

	while (access_memory(hba, config_at(at), false, 1, 0) != PCI_CAP_MSIX) {
		at = access_memory(hba, config_at(at + 1), false, 1, 0);
		assert_true(at);
	}
	table = access_memory(hba, config_at(at + PCI_MSIX_TABLE), false, 4, 0);
	assert_int_equal(table & 7, BAR);
	table &= ~7u;
	hba__write(hba, table, address);
	hba__write(hba, table + 4, 0);
	hba__write(hba, table + 8, data);
	hba__write(hba, table + 12, 0);
	access_memory(hba, config_at(at + PCI_MSIX_CONTROL), true, 2, PCI_MSIX_ENABLE);
}

struct hba *hba__create(const char *disk, const char *cd)
{
	struct hba *hba = calloc(1, sizeof(*hba));
	struct pci_windows windows;

	assert_non_null(hba);
	hba->f = fixture__create(&device_class_pci_host, NULL);
	fixture__add(hba->f, &device_class_ahci, 0, "addr=1");
	if (disk)
		fixture__add(hba->f, &device_class_ahci_disk, 0, disk);
	if (cd)
		fixture__add(hba->f, &device_class_ahci_cd, 0, cd);
	pci_windows__init(&windows, &hba->f->services);
	pci__assign(&hba->f->pci, &windows);
	hba__set_command(hba, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	hba->bar = access_memory(hba, config_at(PCI_BAR0 + 4 * BAR), false, 4, 0) & ~15u;
	hba->gsi = PCI_PIRQ_GSI + pci__pirq(SLOT_OF_DEVICE, 0);
	assert_true(hba->bar);
	hba__write(hba, AHCI_GHC, AHCI_GHC_AE | AHCI_GHC_IE);
	return hba;
}

void hba__destroy(struct hba *hba)
{
	fixture__destroy(hba->f);
	free(hba);
}

void hba__start(struct hba *hba, unsigned port)
{
	hba__set_port(hba, port, PORT_CMD, 0);
	assert_int_equal(hba__port(hba, port, PORT_CMD) & (PORT_CMD_CR | PORT_CMD_FR), 0);
	hba__set_port(hba, port, PORT_CLB, LIST(port));
	hba__set_port(hba, port, PORT_CLBU, 0);
	hba__set_port(hba, port, PORT_FB, FISES(port));
	hba__set_port(hba, port, PORT_FBU, 0);
	hba__set_port(hba, port, PORT_CMD, PORT_CMD_FRE);
	hba__set_port(hba, port, PORT_SCTL, SCTL_DET_RESET);
	hba__set_port(hba, port, PORT_SCTL, 0);
	assert_int_equal(hba__port(hba, port, PORT_SSTS), PORT_SSTS_UP);
	hba__set_port(hba, port, PORT_SERR, ~0u);
	hba__set_port(hba, port, PORT_IS, ~0u);
	hba__set_port(hba, port, PORT_IE, ~0u);
	hba__set_port(hba, port, PORT_CMD, PORT_CMD_FRE | PORT_CMD_ST);
}

void *hba__memory(struct hba *hba, uint64_t gpa, uint64_t size)
{
	void *host = guest_memory__pointer(&hba->f->memory, gpa, size);

	assert_non_null(host);
	return host;
}

void *hba__fis(struct hba *hba, unsigned port, unsigned slot)
{
	return hba__memory(hba, TABLE(port, slot), 0x400);
}

uint32_t *hba__header(struct hba *hba, unsigned port, unsigned slot)
{
	return hba__memory(hba, LIST(port) + HEADER_BYTES * slot, HEADER_BYTES);
}

const uint8_t *hba__received(struct hba *hba, unsigned port, unsigned at)
{
	return hba__memory(hba, FISES(port) + at, 32);
}

void hba__fill(struct hba *hba, unsigned port, unsigned slot, uint8_t command, uint64_t lba,
	       uint16_t count, const uint8_t *packet, const struct region *regions, unsigned nr_regions)
{
	uint32_t *header = hba__header(hba, port, slot);
	uint8_t *fis = hba__fis(hba, port, slot);
	bool queued = (command & 0xfe) == 0x60;
	unsigned i;

	memset(fis, 0, TABLE_ENTRIES);
	fis[0] = FIS_H2D;
	fis[1] = FIS_H2D_COMMAND;
	fis[2] = command;
	fis[7] = 0x40;
	memcpy(&fis[4], &lba, 3);
	memcpy(&fis[8], (const uint8_t *)&lba + 3, 3);
	fis[queued ? 3 : 12] = (uint8_t)count;
	fis[queued ? 11 : 13] = (uint8_t)(count >> 8);
	if (queued)
		fis[12] = (uint8_t)(slot << 3);
	if (packet) {
		fis[3] = 1; /* DMA */
		memcpy(fis + TABLE_PACKET, packet, 12);
	}
	for (i = 0; i < nr_regions; i++) {
		uint32_t entry[4] = { (uint32_t)regions[i].address, (uint32_t)(regions[i].address >> 32), 0,
				      regions[i].bytes - 1 };

		memcpy(fis + TABLE_ENTRIES + ENTRY_BYTES * i, entry, sizeof(entry));
	}
	header[0] = 5 | (packet ? HEADER_ATAPI : 0) | nr_regions << 16;
	header[1] = 0;
	header[2] = TABLE(port, slot);
	header[3] = 0;
}

uint32_t hba__issue(struct hba *hba, unsigned port, uint32_t slots, uint32_t until)
{
	uint32_t status;

	hba__set_port(hba, port, PORT_IS, ~0u);
	hba__set_port(hba, port, PORT_CI, slots);
	while (!((status = hba__port(hba, port, PORT_IS)) & until))
		fixture__pump(hba->f, 1);
	return status;
}

#define ANY_END                                                                                    \
	(PORT_IS_DHRS | PORT_IS_PSS | PORT_IS_SDBS | PORT_IS_OFS | PORT_IS_HBDS | PORT_IS_HBFS |   \
	 PORT_IS_TFES)

static uint32_t ask(struct hba *hba, unsigned port, uint8_t command, uint64_t lba, uint16_t count,
		    const uint8_t *packet, uint32_t bytes)
{
	const struct region region = { DATA_AT, bytes };

	hba__fill(hba, port, 0, command, lba, count, packet, &region, bytes ? 1 : 0);
	hba__issue(hba, port, 1, ANY_END);
	return hba__port(hba, port, PORT_TFD);
}

uint32_t hba__ask(struct hba *hba, unsigned port, uint8_t command, uint64_t lba, uint16_t count,
		  uint32_t bytes)
{
	return ask(hba, port, command, lba, count, NULL, bytes);
}

uint32_t hba__packet(struct hba *hba, unsigned port, const uint8_t packet[12], uint32_t bytes)
{
	return ask(hba, port, 0xa0, 0, 0, packet, bytes);
}
