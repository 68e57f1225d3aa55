/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What firmware is told of this machine: processors, memory, tables, a kernel, the user's files. */
#include "vmm/machine/firmware.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/types.h"
#include "vmm/config/option.h"
#include "vmm/device/device.h"
#include "vmm/firmware/table_loader.h"
#include "vmm/machine/boot_order.h"

#define COM1 0x3f8
#define ID_PORTS 1u
#define ID_DMA 2u

#define TABLES_MOST 0x20000u
#define TABLES_GRANULE 0x1000u

/* Linux x86 boot protocol, "The real-mode kernel header". */
#define HEADER_SETUP_SECTORS 0x1f1
#define HEADER_MAGIC 0x202
#define SECTOR_BYTES 512u
#define SETUP_SECTORS_PRESET 4u

#define E820_RAM 1u

struct e820_entry {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));

int machine_firmware__open(struct machine_firmware *firmware, const struct machine_config *config,
			   char *error, unsigned error_size)
{
	int err;

	if (!config->firmware)
		return 0;
	err = firmware__open(&firmware->image, config->firmware, error, error_size);
	if (err)
		return err;
	firmware->loaded = true;
	if (config->kernel && !firmware->image.loads_kernels) {
		snprintf(error, error_size,
			 "SeaBIOS starts no kernel by itself; leave --firmware out, or use ovmf");
		return -EINVAL;
	}
	return 0;
}

/* ---- the user's files ---- */

struct file_options {
	char *name, *file, *string;
};

static const struct config_option file_options[] = {
	{ "name", OPTION_STRING, offsetof(struct file_options, name), 0, 0, 0,
	  "name of the item, opt/... for one's own" },
	{ "file", OPTION_STRING, offsetof(struct file_options, file), 0, 0, 0, "its contents" },
	{ "string", OPTION_STRING, offsetof(struct file_options, string), 0, 0, 0, "its contents" },
	{ NULL },
};

static int add_file(struct fw_cfg_items *items, const char *text, char *error, unsigned error_size)
{
	static const struct config_class class = { "option", "--fw-cfg", file_options };
	struct file_options with;
	int err = config__parse(&class, text, &with, error, error_size);

	if (err)
		return err;
	if (!with.name || !with.file == !with.string) {
		snprintf(error, error_size,
			 "--fw-cfg %s: must be name=NAME,file=PATH or name=NAME,string=TEXT", text);
		err = -EINVAL;
		goto free_options;
	}
	err = with.file ? fw_cfg_items__add_path(items, 0, with.name, with.file, 0, UINT32_MAX)
			: fw_cfg_items__add_file(items, with.name, with.string, strlen(with.string));
	if (err)
		snprintf(error, error_size, "--fw-cfg %s: %s", text,
			 err == -EEXIST ? "there is an item of this name"
			 : err == -EINVAL ? "a name has 1 to 55 characters, a file at most 4 GiB - 1"
					  : strerror(-err));
free_options:
	config__free(&class, &with);
	return err;
}

/* A file that the user may have given instead. */
static int add_preset(struct fw_cfg_items *items, const char *name, const void *data, size_t size)
{
	int err = fw_cfg_items__add_file(items, name, data, size);

	return err == -EEXIST ? 0 : err;
}

static bool has_file(const struct fw_cfg_items *items, const char *name)
{
	unsigned i;

	for (i = 0; i < items->count; i++)
		if (!strcmp(items->item[i].name, name))
			return true;
	return false;
}

/* ---- the machine ---- */

static int add_numbers(struct fw_cfg_items *items, const struct machine_config *config)
{
	const struct {
		uint16_t key, size;
		uint64_t value;
	} numbers[] = {
		{ FW_CFG_ID, 4, ID_PORTS | ID_DMA },
		{ FW_CFG_RAM_SIZE, 8, config->memory },
		{ FW_CFG_NO_GRAPHIC, 2, 1 },
		{ FW_CFG_CPUS, 2, config->cpus },
		{ FW_CFG_MOST_CPUS, 2, config->cpus },
		{ FW_CFG_BOOT_MENU, 2, has_file(items, "etc/boot-menu-wait") },
		{ FW_CFG_IRQ0_OVERRIDE, 1, 1 },
	};
	int err = fw_cfg_items__add(items, FW_CFG_SIGNATURE, "QEMU", 4);
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(numbers) && !err; i++)
		err = fw_cfg_items__add_number(items, numbers[i].key, numbers[i].value,
					       numbers[i].size);
	return err;
}

static int add_memory_map(struct fw_cfg_items *items, const struct guest_memory *memory)
{
	struct e820_entry map[ARRAY_LENGTH(memory->region)];
	unsigned i;

	for (i = 0; i < memory->count; i++)
		map[i] = (struct e820_entry){ memory->region[i].gpa, memory->region[i].size, E820_RAM };
	return add_preset(items, "etc/e820", map, memory->count * sizeof(map[0]));
}

/* Only power-off is there: bit 7 says "yes", the rest is the sleep type. */
static int add_sleep_states(struct fw_cfg_items *items)
{
	static const uint8_t states[6] = { 0x80, 0, 0, 1, 2, 0x80 };

	return add_preset(items, "etc/system-states", states, sizeof(states));
}

/* SeaBIOS has its text screen there; OVMF always uses the serial port. */
static int add_serial_console(struct fw_cfg_items *items, const struct machine_config *config)
{
	uint16_t port = htole16(COM1);

	return config->console[0] && strcmp(config->console[0], "none")
		       ? add_preset(items, "etc/sercon-port", &port, sizeof(port))
		       : 0;
}

/* ---- a kernel ---- */

static int read_setup_size(const char *path, uint64_t *size)
{
	uint8_t header[HEADER_MAGIC + 4];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pread(fd, header, sizeof(header), 0);
	close(fd);
	if (n != sizeof(header) || memcmp(&header[HEADER_MAGIC], "HdrS", 4))
		return -ENOEXEC;
	*size = (1 + (header[HEADER_SETUP_SECTORS] ? header[HEADER_SETUP_SECTORS]
						   : SETUP_SECTORS_PRESET)) *
		SECTOR_BYTES;
	return 0;
}

static int add_size(struct fw_cfg_items *items, uint16_t data_key, uint16_t size_key)
{
	const struct fw_cfg_item *item = fw_cfg_items__find(items, data_key);

	return fw_cfg_items__add_number(items, size_key, item ? item->size : 0, 4);
}

static int add_kernel_parts(struct fw_cfg_items *items, const char *path)
{
	uint64_t setup;
	int err = read_setup_size(path, &setup);

	if (!err)
		err = fw_cfg_items__add_path(items, FW_CFG_SETUP_DATA, NULL, path, 0, setup);
	if (!err)
		err = fw_cfg_items__add_path(items, FW_CFG_KERNEL_DATA, NULL, path, setup, UINT32_MAX);
	if (!err)
		err = add_size(items, FW_CFG_SETUP_DATA, FW_CFG_SETUP_SIZE);
	return err ? err : add_size(items, FW_CFG_KERNEL_DATA, FW_CFG_KERNEL_SIZE);
}

static int add_kernel(struct fw_cfg_items *items, const struct machine_config *config, char *error,
		      unsigned error_size)
{
	const char *cmdline = config->append ? config->append : "";
	int err = add_kernel_parts(items, config->kernel);

	if (err) {
		snprintf(error, error_size, "kernel %s: %s", config->kernel,
			 err == -ENOEXEC ? "firmware takes a bzImage only" : strerror(-err));
		return err;
	}
	if (config->initrd)
		err = fw_cfg_items__add_path(items, FW_CFG_INITRD_DATA, NULL, config->initrd, 0,
					     UINT32_MAX);
	if (err) {
		snprintf(error, error_size, "initrd %s: %s", config->initrd, strerror(-err));
		return err;
	}
	err = add_size(items, FW_CFG_INITRD_DATA, FW_CFG_INITRD_SIZE);
	if (!err)
		err = fw_cfg_items__add(items, FW_CFG_CMDLINE_DATA, cmdline, strlen(cmdline) + 1);
	return err ? err : add_size(items, FW_CFG_CMDLINE_DATA, FW_CFG_CMDLINE_SIZE);
}

/* ---- ACPI ---- */

static void make_tables(void *opaque)
{
	struct machine_firmware *firmware = opaque;
	struct acpi_image image;

	/* What failed leaves the firmware with the tables from before. */
	if (acpi_tables__build(&firmware->acpi, &image))
		return;
	if (!table_loader__make(&image, firmware->script, firmware->rsdp)) {
		memset(firmware->tables, 0, firmware->tables_size);
		memcpy(firmware->tables, image.data, image.size);
	}
	free(image.data);
}

/* The sizes are told before the contents are final: there is some room in them. */
static int add_tables(struct machine_firmware *firmware)
{
	struct acpi_image image;
	int err;

	firmware->acpi.size_most = TABLES_MOST;
	err = acpi_tables__build(&firmware->acpi, &image);
	if (err)
		return err;
	free(image.data);
	firmware->tables_size = ALIGN_UP_TO(image.size, (size_t)TABLES_GRANULE) + TABLES_GRANULE;
	firmware->acpi.size_most = firmware->tables_size;
	firmware->items.make_late = make_tables;
	firmware->items.opaque = firmware;
	err = fw_cfg_items__add_late(&firmware->items, TABLE_LOADER_TABLES, firmware->tables_size,
				     &firmware->tables);
	if (!err)
		err = fw_cfg_items__add_late(&firmware->items, TABLE_LOADER_FILE, TABLE_LOADER_BYTES,
					     &firmware->script);
	if (!err)
		err = fw_cfg_items__add_late(&firmware->items, TABLE_LOADER_RSDP,
					     TABLE_LOADER_RSDP_BYTES, &firmware->rsdp);
	return err;
}

/* ---- all ---- */

/* What only firmware looks at. */
static int add_for_firmware(struct machine_firmware *firmware, const struct machine_config *config,
			    const struct guest_memory *memory)
{
	struct fw_cfg_items *items = &firmware->items;
	int err = add_memory_map(items, memory);

	if (!err)
		err = add_sleep_states(items);
	if (!err)
		err = add_serial_console(items, config);
	return err ? err : add_tables(firmware);
}

int machine_firmware__make_items(struct machine_firmware *firmware,
				 const struct machine_config *config,
				 const struct guest_memory *memory, struct device *devices,
				 const struct machine_smbios *smbios, char *error, unsigned error_size)
{
	struct fw_cfg_items *items = &firmware->items;
	unsigned i;
	int err = 0;

	firmware->acpi.cpus = config->cpus;
	firmware->acpi.devices = devices;
	for (i = 0; i < config->fw_cfg_count && !err; i++)
		err = add_file(items, config->fw_cfg[i], error, error_size);
	if (!err && config->kernel && firmware->loaded)
		err = add_kernel(items, config, error, error_size);
	if (!err && firmware->loaded)
		err = machine_boot_order__add(items, devices, error, error_size);
	if (err)
		return err;
	err = add_numbers(items, config);
	if (!err && firmware->loaded)
		err = add_for_firmware(firmware, config, memory);
	if (!err && firmware->loaded)
		err = machine_smbios__add_items(smbios, items);
	if (!err)
		err = fw_cfg_items__finish(items);
	if (err)
		snprintf(error, error_size, "items for the firmware: %s", strerror(-err));
	return err;
}

void machine_firmware__close(struct machine_firmware *firmware)
{
	fw_cfg_items__free(&firmware->items);
	if (firmware->loaded)
		firmware__close(&firmware->image);
}
