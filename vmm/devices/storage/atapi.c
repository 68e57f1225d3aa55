/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of a CD-ROM drive (MMC-6, SPC-3): which there are, reads, the medium, sense. */
#include <string.h>

#include "vmm/devices/storage/ahci.h"
#include "vmm/devices/storage/ata.h"

static uint32_t get_be(const uint8_t *bytes, unsigned size)
{
	uint32_t value = 0;

	while (size--)
		value = value << 8 | *bytes++;
	return value;
}

bool atapi__has_medium(const struct ata_drive *drive)
{
	return drive->block && !drive->open;
}

uint32_t atapi__sectors(const struct ata_drive *drive)
{
	uint64_t sectors = drive->block ? block__size(drive->block) / CD_SECTOR : 0;

	return (uint32_t)MIN_OF(sectors, 0xffffffffu);
}

#define EVENT_NEW_MEDIUM 2 /* MMC-6, 6.7.5.3 */
#define EVENT_REMOVAL 3

/* ---- ends ---- */

/* Interrupt reason (SFF-8020i, 9.1): status is what follows. */
static void set_reason(struct ahci_command *command)
{
	command->fis[FIS_COUNT] = 3;
}

void atapi__fail(struct ata_drive *drive, struct ahci_command *command, uint8_t key, uint8_t code,
		 uint8_t qualifier)
{
	drive->sense_key = key;
	drive->sense_code = code;
	drive->sense_qualifier = qualifier;
	set_reason(command);
	ata_drive__fail(command, (uint8_t)(key << 4 | ATA_ERROR_ABORT));
}

static void succeed(struct ata_drive *drive, struct ahci_command *command)
{
	set_reason(command);
	ahci_command__end(command, ATA_STATUS_GOOD, 0);
}

static void refuse_field(struct ata_drive *drive, struct ahci_command *command)
{
	atapi__fail(drive, command, SENSE_ILLEGAL_REQUEST, 0x24, 0);
}

/* ---- commands without a reply ---- */

static void read_sectors(struct ata_drive *drive, struct ahci_command *command)
{
	const uint8_t *packet = command->packet;
	uint32_t lba = get_be(&packet[2], 4), sectors = atapi__sectors(drive);
	uint32_t count = packet[0] == 0x28 ? get_be(&packet[7], 2) : get_be(&packet[6], 4);

	if (lba > sectors || count > sectors - lba) {
		atapi__fail(drive, command, SENSE_ILLEGAL_REQUEST, 0x21, 0); /* out of range */
		return;
	}
	if (!count) {
		succeed(drive, command);
		return;
	}
	set_reason(command);
	ahci_command__transfer(command, BLOCK_READ, 0, (uint64_t)lba * CD_SECTOR,
			       (uint64_t)count * CD_SECTOR);
}

static void seek(struct ata_drive *drive, struct ahci_command *command)
{
	if (get_be(&command->packet[2], 4) >= atapi__sectors(drive))
		atapi__fail(drive, command, SENSE_ILLEGAL_REQUEST, 0x21, 0);
	else
		succeed(drive, command);
}

/*
 * MMC-6, 6.42: the image comes back when the tray closes. It is the same one, and the host has asked for
 * it: an event, but no unit attention, with which the next read would fail.
 */
static void start_stop(struct ata_drive *drive, struct ahci_command *command)
{
	bool moves_tray = command->packet[4] & 2, start = command->packet[4] & 1;

	if (moves_tray && !start && drive->locked) {
		atapi__fail(drive, command, SENSE_ILLEGAL_REQUEST, 0x53, 2); /* removal prevented */
		return;
	}
	if (moves_tray && drive->open == start) {
		drive->open = !start;
		if (drive->block)
			drive->event = start ? EVENT_NEW_MEDIUM : EVENT_REMOVAL;
	}
	succeed(drive, command);
}

static void prevent(struct ata_drive *drive, struct ahci_command *command)
{
	drive->locked = command->packet[4] & 1;
	succeed(drive, command);
}

static void accept(struct ata_drive *drive, struct ahci_command *command)
{
	succeed(drive, command);
}

/* ---- the table ---- */

/* What a packet needs (MMC-6, SPC-3, 5.6): a medium; nothing, not even that a unit attention is taken. */
#define MEDIUM 1u
#define ALWAYS 2u

static const struct row {
	uint8_t operation;
	uint8_t needs;
	uint8_t length_at, length_size; /* of the allocation length in the packet */
	atapi_reply_fn *reply;
	void (*start)(struct ata_drive *drive, struct ahci_command *command);
} rows[] = {
	{ 0x00, MEDIUM, 0, 0, NULL, accept }, /* TEST UNIT READY */
	{ 0x03, ALWAYS, 4, 1, atapi_reply__sense, NULL },
	{ 0x12, ALWAYS, 3, 2, atapi_reply__inquiry, NULL },
	{ 0x1b, 0, 0, 0, NULL, start_stop },
	{ 0x1e, 0, 0, 0, NULL, prevent },
	{ 0x25, MEDIUM, 0, 0, atapi_reply__capacity, NULL },
	{ 0x28, MEDIUM, 0, 0, NULL, read_sectors }, /* READ (10) */
	{ 0x2b, MEDIUM, 0, 0, NULL, seek },
	{ 0x43, MEDIUM, 7, 2, atapi_reply__toc, NULL },
	{ 0x46, ALWAYS, 7, 2, atapi_reply__configuration, NULL },
	{ 0x4a, ALWAYS, 7, 2, atapi_reply__event, NULL },
	{ 0x51, MEDIUM, 7, 2, atapi_reply__disc, NULL },
	{ 0x52, MEDIUM, 7, 2, atapi_reply__track, NULL },
	{ 0x5a, 0, 7, 2, atapi_reply__mode, NULL },
	{ 0xa8, MEDIUM, 0, 0, NULL, read_sectors }, /* READ (12) */
	{ 0xbb, 0, 0, 0, NULL, accept },	     /* SET CD SPEED */
	{ 0xbd, 0, 8, 2, atapi_reply__mechanism, NULL },
};

static void reply(struct ata_drive *drive, struct ahci_command *command, const struct row *row)
{
	uint32_t most = row->length_size ? get_be(&command->packet[row->length_at], row->length_size)
					 : AHCI_REPLY_BYTES;
	unsigned bytes;

	memset(command->reply, 0, sizeof(command->reply));
	bytes = row->reply(drive, command->packet, command->reply);
	if (!bytes) {
		/* Pages whose saved values are asked for have a code of their own (SPC-3, 6.9.1). */
		if (row->reply == atapi_reply__mode && command->packet[2] >> 6 == 3)
			atapi__fail(drive, command, SENSE_ILLEGAL_REQUEST, 0x39, 0);
		else
			refuse_field(drive, command);
		return;
	}
	set_reason(command);
	ahci_command__reply(command, command->reply, MIN_OF(bytes, most));
}

void atapi__start(struct ata_drive *drive, struct ahci_command *command)
{
	const struct row *row;

	for (row = rows; row < rows + ARRAY_LENGTH(rows); row++)
		if (row->operation == command->packet[0])
			break;
	if (row == rows + ARRAY_LENGTH(rows)) {
		atapi__fail(drive, command, SENSE_ILLEGAL_REQUEST, 0x20, 0); /* no such operation */
		return;
	}
	if (drive->attention && row->needs != ALWAYS) {
		uint8_t code = drive->attention;

		drive->attention = 0;
		atapi__fail(drive, command, SENSE_UNIT_ATTENTION, code, 0);
		return;
	}
	if (row->needs == MEDIUM && !atapi__has_medium(drive))
		/* Not present; with the tray open or closed. */
		atapi__fail(drive, command, SENSE_NOT_READY, 0x3a, drive->open ? 2 : 1);
	else if (row->reply)
		reply(drive, command, row);
	else
		row->start(drive, command);
}
