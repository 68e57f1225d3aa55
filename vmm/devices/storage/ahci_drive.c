/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device classes of drives on an AHCI controller: ahci-disk and ahci-cd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/devices/classes.h"
#include "vmm/devices/storage/ahci.h"
#include "vmm/devices/storage/ata.h"

#define READ_ONLY_KEY 1 /* in struct drive_options */

static struct ata_drive *of_device(struct device *dev)
{
	return container_of_type(dev, struct ata_drive, dev);
}

/* Requests have ended. */
static void on_batch(void *opaque)
{
	struct ata_drive *drive = opaque;
	struct ahci *ahci = drive->port->ahci;

	pthread_mutex_lock(&ahci->lock);
	ahci__update_interrupt(ahci);
	pthread_mutex_unlock(&ahci->lock);
}

static int attach(struct ata_drive *drive, char *error, size_t error_size)
{
	const char *class = drive->dev.class->name;
	struct ahci *ahci = ahci__find(&drive->dev, (unsigned)drive->controller - 1);
	const struct block_events events = { .batch = on_batch, .opaque = drive };
	int err;

	if (!ahci) {
		snprintf(error, error_size,
			 "device %s: controller=%u: there is none; give one more --device ahci", class,
			 (unsigned)drive->controller);
		return -EINVAL;
	}
	err = ahci__attach(ahci, (unsigned)drive->place, drive);
	if (err == -EBUSY && drive->place < AHCI_PORTS)
		snprintf(error, error_size, "device %s: port=%u: another drive has it", class,
			 (unsigned)drive->place);
	else if (err == -EBUSY)
		snprintf(error, error_size,
			 "device %s: the controller's %u ports are taken; give one more --device ahci, and "
			 "drives for it with controller=%u",
			 class, AHCI_PORTS, (unsigned)drive->controller + 1);
	else if (err)
		snprintf(error, error_size, "device %s: %s", class, strerror(-err));
	if (err || !drive->block)
		return err;
	return block_queue__create(drive->block, ahci->loop, &events, &drive->io, error, error_size);
}

static int set_serial(struct ata_drive *drive, char *error, size_t error_size)
{
	if (drive->serial && strlen(drive->serial) > ATA_SERIAL_CHARACTERS) {
		snprintf(error, error_size, "device %s: serial=%s: must have at most %u characters",
			 drive->dev.class->name, drive->serial, ATA_SERIAL_CHARACTERS);
		return -EINVAL;
	}
	if (drive->serial)
		return 0;
	/* Drives without one are taken for one another. */
	drive->serial = malloc(ATA_SERIAL_CHARACTERS + 1);
	if (!drive->serial) {
		snprintf(error, error_size, "device %s: out of memory", drive->dev.class->name);
		return -ENOMEM;
	}
	snprintf(drive->serial, ATA_SERIAL_CHARACTERS + 1, "%s%u", drive->is_cd ? "CD" : "DISK",
		 drive->dev.index + 1);
	return 0;
}

static int realize_drive(struct ata_drive *drive, char *error, size_t error_size)
{
	int err = set_serial(drive, error, error_size);

	if (!err && (drive->drive.file || !drive->is_cd))
		err = drive__open(&drive->dev, &drive->drive, &drive->block, error, error_size);
	if (err)
		return err;
	if (drive->block)
		block__limits(drive->block, &drive->limits);
	return attach(drive, error, error_size);
}

static int realize_disk(struct device *dev, char *error, size_t error_size)
{
	return realize_drive(of_device(dev), error, error_size);
}

static int realize_cd(struct device *dev, char *error, size_t error_size)
{
	struct ata_drive *drive = of_device(dev);
	char *on = strdup("on");

	if (!on) {
		snprintf(error, error_size, "device ahci-cd: out of memory");
		return -ENOMEM;
	}
	drive->is_cd = true;
	free(drive->drive.key[READ_ONLY_KEY]);
	drive->drive.key[READ_ONLY_KEY] = on;
	return realize_drive(drive, error, error_size);
}

static void reset(struct device *dev)
{
	struct ata_drive *drive = of_device(dev);
	struct ahci *ahci = drive->port->ahci;

	pthread_mutex_lock(&ahci->lock);
	drive->write_cache = drive->limits.write_cache;
	drive->open = false;
	ahci_port__reset(drive->port);
	pthread_mutex_unlock(&ahci->lock);
}

static void remove_drive(struct device *dev)
{
	struct ata_drive *drive = of_device(dev);
	int err;

	ahci__detach(drive);
	block_queue__destroy(drive->io);
	err = block__close(drive->block);
	if (err)
		fprintf(stderr, "trivet: %s: closing: %s\n", drive->drive.file, strerror(-err));
}

static int after_load(struct device *dev)
{
	struct ata_drive *drive = of_device(dev);

	drive->write_cache = drive->write_cache && drive->limits.write_cache;
	drive->resetting = !!drive->resetting;
	drive->locked = !!drive->locked;
	drive->open = !!drive->open;
	drive->sense_key &= 0xf;
	drive->event &= 0xf;
	return 0;
}

/* OVMF knows the controller by these numbers. */
static uint64_t tell_boot(struct device *dev, char path[DEVICE_BOOT_PATH_BYTES])
{
	struct ata_drive *drive = of_device(dev);
	struct ahci *ahci = drive->port->ahci;
	size_t at = pci_function__firmware_path(&ahci->function, "pci8086,2922", path,
						DEVICE_BOOT_PATH_BYTES);

	snprintf(path + at, DEVICE_BOOT_PATH_BYTES - at, "/drive@%x/disk@0",
		 (unsigned)(drive->port - ahci->port));
	return drive->boot_index;
}

#define PLACE_OPTIONS                                                                              \
	{ "serial", OPTION_STRING, offsetof(struct ata_drive, serial), 0, 0, 0,                    \
	  "serial number that the guest sees, up to 20 characters" },                              \
	{ "controller", OPTION_U64, offsetof(struct ata_drive, controller), 1, 1, 8,               \
	  "the ahci device that it is plugged into (1, the first)" },                              \
	{                                                                                          \
		"port", OPTION_U64, offsetof(struct ata_drive, place), AHCI_PORTS, 0,              \
			AHCI_PORTS - 1, "port of the controller, 0 to 5; without it the next free" \
	}

static const struct config_option disk_options[] = {
	DRIVE_OPTIONS(struct ata_drive, drive),
	PLACE_OPTIONS,
	DEVICE_BOOT_OPTION(struct ata_drive, boot_index),
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_FIELD(struct ata_drive, write_cache, 1), STATE_FIELD(struct ata_drive, resetting, 1),
	STATE_ARRAY(struct ata_drive, ncq_error, 1),   STATE_FIELD(struct ata_drive, sense_key, 1),
	STATE_FIELD(struct ata_drive, sense_code, 1),  STATE_FIELD(struct ata_drive, sense_qualifier, 1),
	STATE_FIELD(struct ata_drive, attention, 1),   STATE_FIELD(struct ata_drive, locked, 1),
	STATE_FIELD(struct ata_drive, open, 1),	       STATE_FIELD(struct ata_drive, event, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_ahci_disk = {
	.name = "ahci-disk",
	.help = "a SATA disk",
	.bus = DEVICE_BUS_PCI,
	.max = 48,
	.parent = &device_class_ahci,
	.size = sizeof(struct ata_drive),
	.options = disk_options,
	.state = &state,
	.realize = realize_disk,
	.reset = reset,
	.remove = remove_drive,
	.boot = tell_boot,
};

const struct device_class device_class_ahci_cd = {
	.name = "ahci-cd",
	.help = "a SATA CD-ROM drive; without a file it is empty",
	.bus = DEVICE_BUS_PCI,
	.max = 48,
	.parent = &device_class_ahci,
	.size = sizeof(struct ata_drive),
	.options = disk_options,
	.state = &state,
	.realize = realize_cd,
	.reset = reset,
	.remove = remove_drive,
	.boot = tell_boot,
};
