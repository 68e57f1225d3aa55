/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATA commands (ACS-3, chapter 7). */
#include "vmm/devices/storage/ata.h"

#include <errno.h>
#include <string.h>

#include "vmm/devices/storage/ahci.h"

#define DEVICE_LBA 0x40
#define DEVICE_FUA 0x80 /* of queued commands */
#define LBA28_SECTORS 0x10000000ull
#define TRIM_RANGES 64u
#define LOG_NCQ_ERROR 0x10

/* What a command is, besides what it does. */
#define FOR_DISK 1u
#define FOR_CD 2u
#define EXT 4u /* 48-bit addresses */
#define PIO 8u
#define FUA 16u
#define QUEUED 32u

void ata_drive__fail(struct ahci_command *command, uint8_t error)
{
	ahci_command__end(command, ATA_STATUS_GOOD | ATA_STATUS_ERR, error);
}

static void succeed(struct ahci_command *command)
{
	ahci_command__end(command, ATA_STATUS_GOOD, 0);
}

/* ---- addresses ---- */

static uint64_t lba_of(const struct ahci_command *command, unsigned flags)
{
	const uint8_t *fis = command->fis;
	uint64_t lba = fis[FIS_LBA] | fis[FIS_LBA + 1] << 8 | fis[FIS_LBA + 2] << 16;

	if (flags & EXT)
		return lba | (uint64_t)fis[FIS_LBA_HIGH] << 24 | (uint64_t)fis[FIS_LBA_HIGH + 1] << 32 |
		       (uint64_t)fis[FIS_LBA_HIGH + 2] << 40;
	return lba | (uint64_t)(fis[FIS_DEVICE] & 0xf) << 24;
}

/* 0 stands for the most. */
static uint32_t count_of(const struct ahci_command *command, unsigned flags)
{
	unsigned low = flags & QUEUED ? FIS_FEATURES : FIS_COUNT;
	unsigned high = flags & QUEUED ? FIS_FEATURES_HIGH : FIS_COUNT_HIGH;
	uint32_t count = command->fis[low];

	if (flags & EXT)
		count |= (uint32_t)command->fis[high] << 8;
	return count ? count : flags & EXT ? 0x10000 : 0x100;
}

/* False after the command has failed. */
static bool check_address(struct ata_drive *drive, struct ahci_command *command, unsigned flags,
			  uint64_t *offset, uint64_t *bytes)
{
	uint64_t sectors = block__size(drive->block) / ATA_SECTOR, lba = lba_of(command, flags);
	uint32_t count = count_of(command, flags);

	if (!(command->fis[FIS_DEVICE] & DEVICE_LBA)) {
		ata_drive__fail(command, ATA_ERROR_ABORT);
		return false;
	}
	if (lba > sectors || count > sectors - lba) {
		ata_drive__fail(command, ATA_ERROR_NOT_FOUND);
		return false;
	}
	*offset = lba * ATA_SECTOR;
	*bytes = (uint64_t)count * ATA_SECTOR;
	return true;
}

/* ---- commands ---- */

static void read_sectors(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	uint64_t offset, bytes;

	if (!check_address(drive, command, flags, &offset, &bytes))
		return;
	command->pio_in = flags & PIO;
	ahci_command__transfer(command, BLOCK_READ, 0, offset, bytes);
}

static void write_sectors(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	bool through = flags & FUA || !drive->write_cache ||
		       (flags & QUEUED && command->fis[FIS_DEVICE] & DEVICE_FUA);
	uint64_t offset, bytes;

	if (block__read_only(drive->block))
		ata_drive__fail(command, ATA_ERROR_ABORT);
	else if (check_address(drive, command, flags, &offset, &bytes))
		ahci_command__transfer(command, BLOCK_WRITE, through ? BLOCK_FUA : 0, offset, bytes);
}

/* The tag is the slot (AHCI 1.3.1, 5.6.4.1). */
static void transfer_queued(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	if (command->fis[FIS_COUNT] >> 3 != command->slot)
		ata_drive__fail(command, ATA_ERROR_ABORT);
	else if (command->fis[FIS_COMMAND] == 0x60)
		read_sectors(drive, command, flags);
	else
		write_sectors(drive, command, flags);
}

/* There is nothing that could be verified without a transfer. */
static void verify(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	uint64_t offset, bytes;

	if (check_address(drive, command, flags, &offset, &bytes))
		succeed(command);
}

static void flush(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	ahci_command__request(command, BLOCK_FLUSH, 0, 0);
}

static void accept(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	succeed(command);
}

static void check_power(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	command->fis[FIS_COUNT] = 0xff; /* active */
	succeed(command);
}

static void identify(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	ata_drive__identify(drive, command->reply);
	command->pio_in = true;
	ahci_command__reply(command, command->reply, ATA_SECTOR);
}

/* A drive with packets tells a host that takes it for a disk what it is (ACS-3, 7.12.6). */
static void refuse_identify(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	command->fis[FIS_COUNT] = command->fis[FIS_LBA] = 1;
	command->fis[FIS_LBA + 1] = 0x14;
	command->fis[FIS_LBA + 2] = 0xeb;
	ata_drive__fail(command, ATA_ERROR_ABORT);
}

/* ACS-3, 7.45 */
static void set_features(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	switch (command->fis[FIS_FEATURES]) {
	case 0x02: /* write cache on */
		if (drive->is_cd || !drive->limits.write_cache)
			break;
		drive->write_cache = true;
		succeed(command);
		return;
	case 0x82: /* off: what has been written goes out first */
		if (drive->is_cd)
			break;
		drive->write_cache = false;
		flush(drive, command, flags);
		return;
	case 0x03: /* transfer mode */
	case 0x55: /* look-ahead off, on */
	case 0xaa:
	case 0x66: /* settings survive a software reset, or do not */
	case 0xcc:
		succeed(command);
		return;
	}
	ata_drive__fail(command, ATA_ERROR_ABORT);
}

static void set_multiple(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	uint8_t count = command->fis[FIS_COUNT];

	if (count > 16 || count & (count - 1))
		ata_drive__fail(command, ATA_ERROR_ABORT);
	else
		succeed(command);
}

/* ACS-3, 9.2 and 9.14: the directory and the log of failed queued commands. */
static void read_log(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	const uint8_t *fis = command->fis;
	uint8_t *log = command->reply, sum = 0;
	unsigned i;

	if (fis[FIS_COUNT] != 1 || fis[FIS_COUNT_HIGH] || fis[FIS_LBA + 1] || fis[FIS_LBA_HIGH + 1] ||
	    (fis[FIS_LBA] && fis[FIS_LBA] != LOG_NCQ_ERROR)) {
		ata_drive__fail(command, ATA_ERROR_ABORT);
		return;
	}
	memset(log, 0, ATA_SECTOR);
	if (fis[FIS_LBA] == LOG_NCQ_ERROR) {
		memcpy(log, drive->ncq_error, sizeof(drive->ncq_error));
		for (i = 0; i < ATA_SECTOR - 1; i++)
			sum += log[i];
		log[ATA_SECTOR - 1] = (uint8_t)-sum;
	} else {
		log[0] = 1;		    /* version */
		log[2 * LOG_NCQ_ERROR] = 1; /* sectors of it */
	}
	command->pio_in = flags & PIO;
	ahci_command__reply(command, log, ATA_SECTOR);
}

void ata_drive__note_error(struct ata_drive *drive, const struct ahci_command *command, uint8_t status,
			   uint8_t error)
{
	uint8_t *log = drive->ncq_error;

	log[0] = command->slot;
	log[2] = status;
	log[3] = error;
	memcpy(&log[4], &command->fis[FIS_LBA], 7);
	log[12] = command->fis[FIS_COUNT];
	log[13] = command->fis[FIS_COUNT_HIGH];
}

/* ---- TRIM (ACS-3, 7.5.3) ---- */

/* The next range that is not empty; the command is over after the last. */
static void trim_more(struct ata_drive *drive, struct ahci_command *command)
{
	uint64_t size = block__size(drive->block), most = drive->limits.max_discard & ~511ull;

	for (; command->range < TRIM_RANGES; command->range++) {
		uint8_t *at = &command->reply[8 * command->range];
		uint64_t range, offset, bytes, sectors;

		memcpy(&range, at, sizeof(range));
		sectors = range >> 48;
		if (!sectors)
			continue;
		offset = (range & 0xffffffffffffull) * ATA_SECTOR;
		if (offset > size || sectors * ATA_SECTOR > size - offset) {
			ata_drive__fail(command, ATA_ERROR_NOT_FOUND);
			return;
		}
		/* What is left of it afterwards is written back. */
		bytes = MIN_OF(sectors * ATA_SECTOR, most);
		range = ((sectors - bytes / ATA_SECTOR) << 48) | ((offset + bytes) / ATA_SECTOR);
		memcpy(at, &range, sizeof(range));
		ahci_command__request(command, BLOCK_DISCARD, offset, bytes);
		return;
	}
	succeed(command);
}

static void manage_data(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	const uint8_t *fis = command->fis;

	if (fis[FIS_FEATURES] != 1 || fis[FIS_COUNT] != 1 || fis[FIS_COUNT_HIGH] ||
	    !drive->limits.discard || drive->limits.max_discard < ATA_SECTOR ||
	    block__read_only(drive->block)) {
		ata_drive__fail(command, ATA_ERROR_ABORT);
		return;
	}
	command->range = 0;
	if (ahci_command__fetch(command, command->reply, ATA_SECTOR))
		trim_more(drive, command);
}

/* ---- packets ---- */

static void packet(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	atapi__start(drive, command);
}

/* DEVICE RESET, EXECUTE DEVICE DIAGNOSTIC: the signature, as a reset leaves it. */
static void sign(struct ata_drive *drive, struct ahci_command *command, unsigned flags)
{
	command->fis[FIS_COUNT] = command->fis[FIS_LBA] = 1;
	command->fis[FIS_LBA + 1] = drive->is_cd ? 0x14 : 0;
	command->fis[FIS_LBA + 2] = drive->is_cd ? 0xeb : 0;
	ahci_command__end(command, drive->is_cd ? 0 : ATA_STATUS_GOOD, 1);
}

/* ---- the table ---- */

static const struct ata_row {
	uint8_t command;
	uint8_t flags;
	void (*start)(struct ata_drive *drive, struct ahci_command *command, unsigned flags);
} rows[] = {
	{ 0x06, FOR_DISK | EXT, manage_data },
	{ 0x08, FOR_CD, sign },
	{ 0x20, FOR_DISK | PIO, read_sectors },
	{ 0x21, FOR_DISK | PIO, read_sectors },
	{ 0x24, FOR_DISK | EXT | PIO, read_sectors },
	{ 0x25, FOR_DISK | EXT, read_sectors },
	{ 0x29, FOR_DISK | EXT | PIO, read_sectors }, /* MULTIPLE */
	{ 0x2f, FOR_DISK | EXT | PIO, read_log },
	{ 0x30, FOR_DISK | PIO, write_sectors },
	{ 0x31, FOR_DISK | PIO, write_sectors },
	{ 0x34, FOR_DISK | EXT | PIO, write_sectors },
	{ 0x35, FOR_DISK | EXT, write_sectors },
	{ 0x39, FOR_DISK | EXT | PIO, write_sectors }, /* MULTIPLE */
	{ 0x3d, FOR_DISK | EXT | FUA, write_sectors },
	{ 0x40, FOR_DISK, verify },
	{ 0x41, FOR_DISK, verify },
	{ 0x42, FOR_DISK | EXT, verify },
	{ 0x47, FOR_DISK | EXT, read_log }, /* DMA */
	{ 0x60, FOR_DISK | EXT | QUEUED, transfer_queued },
	{ 0x61, FOR_DISK | EXT | QUEUED, transfer_queued },
	{ 0x90, FOR_DISK | FOR_CD, sign },
	{ 0xa0, FOR_CD, packet },
	{ 0xa1, FOR_CD, identify },
	{ 0xc4, FOR_DISK | PIO, read_sectors }, /* MULTIPLE */
	{ 0xc5, FOR_DISK | PIO, write_sectors }, /* MULTIPLE */
	{ 0xc6, FOR_DISK, set_multiple },
	{ 0xc8, FOR_DISK, read_sectors },
	{ 0xc9, FOR_DISK, read_sectors },
	{ 0xca, FOR_DISK, write_sectors },
	{ 0xcb, FOR_DISK, write_sectors },
	{ 0xce, FOR_DISK | EXT | PIO | FUA, write_sectors }, /* MULTIPLE */
	{ 0xe0, FOR_DISK | FOR_CD, accept }, /* STANDBY IMMEDIATE */
	{ 0xe1, FOR_DISK | FOR_CD, accept }, /* IDLE IMMEDIATE */
	{ 0xe2, FOR_DISK, accept },	     /* STANDBY */
	{ 0xe3, FOR_DISK, accept },	     /* IDLE */
	{ 0xe5, FOR_DISK | FOR_CD, check_power },
	{ 0xe6, FOR_DISK | FOR_CD, accept }, /* SLEEP */
	{ 0xe7, FOR_DISK, flush },
	{ 0xea, FOR_DISK | EXT, flush },
	{ 0xec, FOR_DISK, identify },
	{ 0xec, FOR_CD, refuse_identify },
	{ 0xef, FOR_DISK | FOR_CD, set_features },
};

void ata_drive__start(struct ata_drive *drive, struct ahci_command *command)
{
	unsigned kind = drive->is_cd ? FOR_CD : FOR_DISK, i;

	for (i = 0; i < ARRAY_LENGTH(rows); i++)
		if (rows[i].command == command->fis[FIS_COMMAND] && rows[i].flags & kind) {
			rows[i].start(drive, command, rows[i].flags);
			return;
		}
	ata_drive__fail(command, ATA_ERROR_ABORT);
}

void ata_drive__done(struct ata_drive *drive, struct ahci_command *command, int result)
{
	if (result && drive->is_cd)
		atapi__fail(drive, command, SENSE_MEDIUM_ERROR, 0x11, 0); /* unrecovered read error */
	else if (result)
		ata_drive__fail(command, command->block.op == BLOCK_READ ? ATA_ERROR_UNCORRECTABLE
									 : ATA_ERROR_ABORT);
	else if (command->block.op == BLOCK_DISCARD)
		trim_more(drive, command);
	else
		succeed(command);
}

void ata_drive__reset(struct ata_drive *drive)
{
	drive->resetting = false;
	drive->sense_key = drive->sense_code = drive->sense_qualifier = 0;
	drive->locked = false;
	drive->event = 0;
	drive->attention = drive->is_cd ? 0x29 : 0; /* reset occurred */
	memset(drive->ncq_error, 0, sizeof(drive->ncq_error));
	drive->ncq_error[0] = 0x80; /* none */
}
