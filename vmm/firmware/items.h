/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine has for its firmware: numbered items and named files, which the fw_cfg device
 * (vmm/devices/platform/fw_cfg.c) hands out. Numbers, names and contents are those of QEMU's
 * docs/specs/fw_cfg.rst and of what SeaBIOS and OVMF ask for. All numbers are little endian, those
 * of the directory big endian.
 */
#ifndef VMM_FIRMWARE_ITEMS_H
#define VMM_FIRMWARE_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fw_cfg_key {
	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_UUID = 0x02,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_NO_GRAPHIC = 0x04,
	FW_CFG_CPUS = 0x05,
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_BOOT_MENU = 0x0e,
	FW_CFG_MOST_CPUS = 0x0f,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_SETUP_SIZE = 0x17,
	FW_CFG_SETUP_DATA = 0x18,
	FW_CFG_DIRECTORY = 0x19,
	FW_CFG_FIRST_FILE = 0x20,
	FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

#define FW_CFG_NAME_BYTES 56 /* with the zero at the end */
#define FW_CFG_FILES 64u
#define FW_CFG_ITEMS (FW_CFG_FILES + 32u)
#define FW_CFG_KEY_MASK 0x3fffu
#define FW_CFG_KEY_LOCAL 0x8000u

struct fw_cfg_item {
	uint16_t key;
	char name[FW_CFG_NAME_BYTES]; /* "": not a file */
	uint8_t *data;
	uint32_t size;
	bool mapped;  /* data is a mapping, not allocated */
	bool late;    /* contents are made when it is first selected */
};

struct fw_cfg_items {
	struct fw_cfg_item item[FW_CFG_ITEMS];
	unsigned count, files;
	/* Makes the contents of late items, which keep their sizes. Any vCPU's thread, one at a time. */
	void (*make_late)(void *opaque);
	void *opaque;
};

/* All return 0, -ENOSPC, -EEXIST or -ENOMEM, or what they say. Data are copied. */
int fw_cfg_items__add(struct fw_cfg_items *items, uint16_t key, const void *data, size_t size);
int fw_cfg_items__add_number(struct fw_cfg_items *items, uint16_t key, uint64_t value, size_t size);
int fw_cfg_items__add_file(struct fw_cfg_items *items, const char *name, const void *data,
			   size_t size);
/* A file that make_late() fills; *data (size bytes, zeros) stays the items'. */
int fw_cfg_items__add_late(struct fw_cfg_items *items, const char *name, size_t size,
			   uint8_t **data);
/*
 * The contents of a host file from byte `from`, under a number (name NULL) or a name. Also -errno of
 * the file; -EINVAL if it is not a regular one or is larger than 4 GiB - 1.
 */
int fw_cfg_items__add_path(struct fw_cfg_items *items, uint16_t key, const char *name,
			   const char *path, uint64_t from, uint64_t size_most);
/* Makes the directory; nothing is added afterwards. */
int fw_cfg_items__finish(struct fw_cfg_items *items);
/* NULL: there is none. */
const struct fw_cfg_item *fw_cfg_items__find(const struct fw_cfg_items *items, uint16_t key);
void fw_cfg_items__free(struct fw_cfg_items *items);

#endif
