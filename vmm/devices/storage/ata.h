/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATA drives (ACS-3): disks and, with packets (MMC-6, SPC-3), CD-ROM drives, as AHCI's ports have them. */
#ifndef VMM_DEVICES_STORAGE_ATA_H
#define VMM_DEVICES_STORAGE_ATA_H

#include "vmm/block/block.h"
#include "vmm/devices/storage/drive.h"

struct ahci_command;
struct ahci_port;

#define ATA_SECTOR 512u
#define ATA_SERIAL_CHARACTERS 20u

#define ATA_STATUS_ERR 0x01
#define ATA_STATUS_DRQ 0x08
#define ATA_STATUS_SERVICE 0x10
#define ATA_STATUS_READY 0x40
#define ATA_STATUS_BUSY 0x80
#define ATA_STATUS_GOOD (ATA_STATUS_READY | ATA_STATUS_SERVICE)

#define ATA_ERROR_ABORT 0x04
#define ATA_ERROR_NOT_FOUND 0x10
#define ATA_ERROR_UNCORRECTABLE 0x40

/* Registers in a FIS from the host */
#define FIS_COMMAND 2
#define FIS_FEATURES 3
#define FIS_LBA 4
#define FIS_DEVICE 7
#define FIS_LBA_HIGH 8
#define FIS_FEATURES_HIGH 11
#define FIS_COUNT 12
#define FIS_COUNT_HIGH 13
#define FIS_CONTROL 15
#define FIS_CONTROL_RESET 0x04

#define CD_SECTOR 2048u

struct ata_drive {
	struct device dev;
	/* Options */
	struct drive_options drive;
	uint64_t controller, place; /* AHCI_PORTS: the first free port */
	char *serial;
	uint64_t boot_index;
	bool is_cd;
	struct block *block; /* NULL: a CD drive that is empty for good */
	struct block_queue *io;
	struct block_limits limits;
	struct ahci_port *port;
	/* Disk */
	uint8_t write_cache;
	uint8_t resetting; /* between the two FISes of a software reset */
	uint8_t ncq_error[14]; /* the start of log 10h */
	/* CD: SPC-3, 4.5; MMC-6, 6.11 and 6.42 */
	uint8_t sense_key, sense_code, sense_qualifier;
	uint8_t attention; /* code of the unit attention that waits, 0: none */
	uint8_t event; /* of the medium, not told of yet */
	uint8_t locked, open;
};

/* ---- ata.c; loop thread, the adapter's lock ---- */

/* Starts the command in command->fis. */
void ata_drive__start(struct ata_drive *drive, struct ahci_command *command);
/* A transfer or request of the command's has ended; 0 or -errno. */
void ata_drive__done(struct ata_drive *drive, struct ahci_command *command, int result);
/* A queued command failed: for the log that drivers then read. */
void ata_drive__note_error(struct ata_drive *drive, const struct ahci_command *command, uint8_t status,
			   uint8_t error);
/* Power-on, or a reset by the link. */
void ata_drive__reset(struct ata_drive *drive);
/* Fails the command with ERR and these bits. */
void ata_drive__fail(struct ahci_command *command, uint8_t error);

/* ---- ata_identify.c ---- */

/* IDENTIFY DEVICE or IDENTIFY PACKET DEVICE data. */
void ata_drive__identify(const struct ata_drive *drive, uint8_t data[ATA_SECTOR]);

/* ---- atapi.c, atapi_reply.c; as ata.c ---- */

/* Starts the packet in command->packet. */
void atapi__start(struct ata_drive *drive, struct ahci_command *command);
/* Ends it with CHECK CONDITION. */
void atapi__fail(struct ata_drive *drive, struct ahci_command *command, uint8_t key, uint8_t code,
		 uint8_t qualifier);
bool atapi__has_medium(const struct ata_drive *drive);
/* Sectors of the medium. */
uint32_t atapi__sectors(const struct ata_drive *drive);

/* Replies to a packet: bytes in `data`, or 0: a field of the packet is not valid. */
typedef unsigned atapi_reply_fn(struct ata_drive *drive, const uint8_t *packet,
				uint8_t data[512]);
atapi_reply_fn atapi_reply__inquiry, atapi_reply__capacity, atapi_reply__toc, atapi_reply__configuration,
	atapi_reply__event, atapi_reply__mode, atapi_reply__mechanism, atapi_reply__disc, atapi_reply__track,
	atapi_reply__sense;

#define SENSE_NOT_READY 2
#define SENSE_MEDIUM_ERROR 3
#define SENSE_ILLEGAL_REQUEST 5
#define SENSE_UNIT_ATTENTION 6

#endif
