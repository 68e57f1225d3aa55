/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: items for the firmware, read byte by byte at port 511H after their number was written to
 * 510H, or into memory by a descriptor whose address goes to 514H (QEMU's docs/specs/fw_cfg.rst).
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "vmm/acpi/aml.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/firmware/items.h"
#include "vmm/memory/guest_memory.h"

#define SELECTOR_PORT 0x510 /* and the data port */
#define DMA_PORT 0x514
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG", as the big-endian register reads */

/* The descriptor's control word. */
#define DMA_ERROR 0x01u
#define DMA_READ 0x02u
#define DMA_SKIP 0x04u
#define DMA_SELECT 0x08u
#define DMA_WRITE 0x10u

#define ZEROS_AT_ONCE 4096u
#define ZEROS_MOST (1u << 20) /* behind an item's end, in one transfer; firmware asks for few */

struct dma_descriptor {
	uint32_t control, size; /* big endian, as the address */
	uint64_t address;
} __attribute__((packed));

struct fw_cfg {
	struct device dev;
	pthread_mutex_t lock; /* guards all below, and late items being made */
	uint16_t key;
	uint32_t at; /* next byte of the item */
	uint32_t dma_high;
};

static const struct fw_cfg_item *find_item(const struct fw_cfg *fw_cfg)
{
	const struct fw_cfg_items *items = fw_cfg->dev.services->firmware_items;

	return items ? fw_cfg_items__find(items, fw_cfg->key) : NULL;
}

static void select_item(struct fw_cfg *fw_cfg, uint16_t key)
{
	struct fw_cfg_items *items = fw_cfg->dev.services->firmware_items;
	const struct fw_cfg_item *item;

	fw_cfg->key = key & (FW_CFG_KEY_MASK | FW_CFG_KEY_LOCAL);
	fw_cfg->at = 0;
	item = find_item(fw_cfg);
	if (item && item->late)
		items->make_late(items->opaque);
}

static void access_selector(void *opaque, struct access *access)
{
	struct fw_cfg *fw_cfg = opaque;
	const struct fw_cfg_item *item;

	pthread_mutex_lock(&fw_cfg->lock);
	if (access->write && access->offset == 0 && access->size == 2) {
		select_item(fw_cfg, (uint16_t)access->value);
	} else if (!access->write && access->offset == 1 && access->size == 1) {
		item = find_item(fw_cfg);
		access->value = item && fw_cfg->at < item->size ? item->data[fw_cfg->at++] : 0;
	}
	pthread_mutex_unlock(&fw_cfg->lock);
}

/*
 * Bytes of the item, and zeros behind its end. 0; -EFAULT: not all of it is memory, and what lies in
 * front may be done; -E2BIG: too many zeros for one exit, and nothing is done.
 */
static int read_item(struct fw_cfg *fw_cfg, uint64_t gpa, uint32_t size)
{
	static const uint8_t zeros[ZEROS_AT_ONCE];
	const struct guest_memory *memory = fw_cfg->dev.services->memory;
	const struct fw_cfg_item *item = find_item(fw_cfg);
	uint32_t left = item ? item->size - fw_cfg->at : 0;
	uint32_t part = MIN_OF(size, left);
	int err = 0;

	if (size - part > ZEROS_MOST)
		return -E2BIG;
	if (part)
		err = guest_memory__write(memory, gpa, item->data + fw_cfg->at, part);
	if (err)
		return err;
	fw_cfg->at += part;
	for (gpa += part, size -= part; size && !err; gpa += part, size -= part) {
		part = MIN_OF(size, ZEROS_AT_ONCE);
		err = guest_memory__write(memory, gpa, zeros, part);
	}
	return err;
}

static void skip(struct fw_cfg *fw_cfg, uint32_t size)
{
	const struct fw_cfg_item *item = find_item(fw_cfg);

	if (item)
		fw_cfg->at += MIN_OF(size, item->size - fw_cfg->at);
}

/* The result, for the descriptor's control word. No item can be written. */
static uint32_t transfer(struct fw_cfg *fw_cfg, const struct dma_descriptor *descriptor)
{
	uint32_t control = be32toh(descriptor->control), size = be32toh(descriptor->size);

	if (control & DMA_SELECT)
		select_item(fw_cfg, (uint16_t)(control >> 16));
	if (control & DMA_READ)
		return read_item(fw_cfg, be64toh(descriptor->address), size) ? DMA_ERROR : 0;
	if (control & DMA_WRITE)
		return DMA_ERROR;
	if (control & DMA_SKIP)
		skip(fw_cfg, size);
	return 0;
}

static void run_dma(struct fw_cfg *fw_cfg, uint64_t gpa)
{
	const struct guest_memory *memory = fw_cfg->dev.services->memory;
	struct dma_descriptor descriptor;

	if (guest_memory__read(memory, gpa, &descriptor, sizeof(descriptor)))
		return;
	descriptor.control = htobe32(transfer(fw_cfg, &descriptor));
	guest_memory__write(memory, gpa, &descriptor.control, sizeof(descriptor.control));
}

/* Big-endian halves; the write of the low one starts the transfer. */
static void access_dma(void *opaque, struct access *access)
{
	struct fw_cfg *fw_cfg = opaque;
	uint32_t value = be32toh((uint32_t)access->value);

	if (!access->write) {
		access->value = htobe64(DMA_SIGNATURE) >> access->offset * 8;
		return;
	}
	if (access->size != 4)
		return;
	pthread_mutex_lock(&fw_cfg->lock);
	if (access->offset == 0) {
		fw_cfg->dma_high = value;
	} else if (access->offset == 4) {
		run_dma(fw_cfg, (uint64_t)fw_cfg->dma_high << 32 | value);
		fw_cfg->dma_high = 0;
	}
	pthread_mutex_unlock(&fw_cfg->lock);
}

static void reset(struct device *dev)
{
	struct fw_cfg *fw_cfg = container_of_type(dev, struct fw_cfg, dev);

	fw_cfg->key = FW_CFG_SIGNATURE;
	fw_cfg->at = 0;
	fw_cfg->dma_high = 0;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct fw_cfg *fw_cfg = container_of_type(dev, struct fw_cfg, dev);
	int err;

	pthread_mutex_init(&fw_cfg->lock, NULL);
	err = device__claim_ports(dev, SELECTOR_PORT, 2, 2, access_selector, error, error_size);
	if (!err)
		err = device__claim_ports(dev, DMA_PORT, 8, 4, access_dma, error, error_size);
	return err;
}

static void remove_fw_cfg(struct device *dev)
{
	pthread_mutex_destroy(&container_of_type(dev, struct fw_cfg, dev)->lock);
}

static void describe(struct device *dev, struct aml *aml)
{
	aml__device(aml, "FWCF");
	aml__name_string(aml, "_HID", "QEMU0002");
	aml__name_integer(aml, "_STA", 0x0b);
	aml__resources(aml, "_CRS");
	aml__io(aml, SELECTOR_PORT, 1, 0x0c);
	aml__end_resources(aml);
	aml__end(aml);
}

static int after_load(struct device *dev)
{
	struct fw_cfg *fw_cfg = container_of_type(dev, struct fw_cfg, dev);
	const struct fw_cfg_item *item;

	fw_cfg->key &= FW_CFG_KEY_MASK | FW_CFG_KEY_LOCAL;
	item = find_item(fw_cfg);
	fw_cfg->at = item ? MIN_OF(fw_cfg->at, item->size) : 0;
	return 0;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct fw_cfg, key, 1),
	STATE_FIELD(struct fw_cfg, at, 1),
	STATE_FIELD(struct fw_cfg, dma_high, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_fw_cfg = {
	.name = "fw-cfg",
	.help = "what the machine tells its firmware",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct fw_cfg),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_fw_cfg,
	.acpi = describe,
};
