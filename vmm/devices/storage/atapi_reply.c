/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a CD-ROM drive says of itself and its medium (MMC-6, chapters 6 and 7; SPC-3, chapter 6). */
#include <string.h>

#include "vmm/devices/storage/ata.h"

#define CD_MOST_SECTORS 360000u /* 80 minutes; more is a DVD */
#define LEAD_OUT 0xaa
#define PROFILE_CD 0x0008
#define PROFILE_DVD 0x0010

static void put_be(uint8_t *to, uint32_t value, unsigned size)
{
	while (size--) {
		to[size] = (uint8_t)value;
		value >>= 8;
	}
}

unsigned atapi_reply__sense(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	/* A unit attention that nobody has met yet is told of here. */
	if (!drive->sense_key && drive->attention) {
		drive->sense_key = SENSE_UNIT_ATTENTION;
		drive->sense_code = drive->attention;
		drive->attention = 0;
	}
	data[0] = 0x70; /* current error, fixed format */
	data[2] = drive->sense_key;
	data[7] = 10; /* bytes that follow */
	data[12] = drive->sense_code;
	data[13] = drive->sense_qualifier;
	drive->sense_key = drive->sense_code = drive->sense_qualifier = 0;
	return 18;
}

unsigned atapi_reply__inquiry(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	if (packet[1] & 3 || packet[2]) /* vital product data */
		return 0;
	data[0] = 5;	/* CD or DVD */
	data[1] = 0x80; /* removable medium */
	data[2] = 5;	/* SPC-3 */
	data[3] = 2;	/* format of this */
	data[4] = 31;	/* bytes that follow */
	memcpy(&data[8], "TRIVET  CD-ROM          1   ", 28);
	return 36;
}

unsigned atapi_reply__capacity(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	uint32_t sectors = atapi__sectors(drive);

	put_be(data, sectors ? sectors - 1 : 0, 4);
	put_be(data + 4, CD_SECTOR, 4);
	return 8;
}

/* ---- table of contents (MMC-6, 6.25) ---- */

static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
	if (!msf) {
		put_be(to, lba, 4);
		return;
	}
	lba += 150; /* the first two seconds come before block 0 */
	to[0] = 0;
	to[1] = (uint8_t)MIN_OF(lba / (75 * 60), 255u);
	to[2] = (uint8_t)(lba / 75 % 60);
	to[3] = (uint8_t)(lba % 75);
}

static uint8_t *put_track(uint8_t *to, uint8_t number, uint32_t lba, bool msf)
{
	to[1] = 0x14; /* data track */
	to[2] = number;
	put_address(&to[4], lba, msf);
	return to + 8;
}

/* Of one session with one track. */
static uint8_t *put_full(uint8_t *to, uint8_t point, const uint8_t minutes[3])
{
	to[0] = 1;
	to[1] = 0x14;
	to[3] = point;
	memcpy(&to[8], minutes, 3);
	return to + 11;
}

static uint8_t *put_full_toc(const struct ata_drive *drive, uint8_t *to)
{
	uint8_t end[4], start[4];

	put_address(end, atapi__sectors(drive), true);
	put_address(start, 0, true);
	to = put_full(to, 0xa0, (const uint8_t[]){ 1, 0, 0 });
	to = put_full(to, 0xa1, (const uint8_t[]){ 1, 0, 0 });
	to = put_full(to, 0xa2, &end[1]);
	return put_full(to, 1, &start[1]);
}

unsigned atapi_reply__toc(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	unsigned format = packet[2] & 0xf ? packet[2] & 0xf : packet[9] >> 6;
	bool msf = packet[1] & 2;
	uint8_t first = packet[6], *end = data + 4;

	switch (format) {
	case 0:
		if (first > 1 && first != LEAD_OUT)
			return 0;
		if (first <= 1)
			end = put_track(end, 1, 0, msf);
		end = put_track(end, LEAD_OUT, atapi__sectors(drive), msf);
		break;
	case 1:
		end = put_track(end, 1, 0, msf);
		break;
	case 2:
		end = put_full_toc(drive, end);
		break;
	default:
		return 0;
	}
	data[2] = data[3] = 1; /* first and last */
	put_be(data, (uint32_t)(end - data) - 2, 2);
	return (unsigned)(end - data);
}

/* ---- features (MMC-6, 6.6 and 5.3) ---- */

static uint16_t profile_of(const struct ata_drive *drive)
{
	if (!atapi__has_medium(drive))
		return 0;
	return atapi__sectors(drive) > CD_MOST_SECTORS ? PROFILE_DVD : PROFILE_CD;
}

struct feature {
	uint16_t code;
	uint8_t version; /* with the persistent bit */
	uint16_t profile; /* with which it is current; 0: always */
	uint8_t size;
	uint8_t data[8];
};

static const struct feature features[] = {
	{ 0x0001, 0x0b, 0, 8, { 0, 0, 0, 7, 1 } },	/* core: serial ATA, events */
	{ 0x0003, 0x03, 0, 4, { 0x29 } },		/* removable: tray, eject, lock */
	{ 0x0010, 0x00, 0xffff, 8, { 0, 0, 8, 0, 0, 1 } }, /* random access, 2048 bytes */
	{ 0x001e, 0x08, PROFILE_CD, 4, { 0 } },		/* reads CDs */
	{ 0x001f, 0x08, PROFILE_DVD, 4, { 0 } },	/* reads DVDs */
	{ 0x0100, 0x03, 0, 0, { 0 } },			/* power management */
	{ 0x0105, 0x03, 0, 0, { 0 } },			/* timeout */
};

static uint8_t *put_profiles(uint8_t *to, uint16_t current)
{
	static const uint16_t profiles[] = { PROFILE_DVD, PROFILE_CD };
	unsigned i;

	to[2] = 0x03;
	to[3] = 4 * ARRAY_LENGTH(profiles);
	to += 4;
	for (i = 0; i < ARRAY_LENGTH(profiles); i++, to += 4) {
		put_be(to, profiles[i], 2);
		to[2] = current == profiles[i];
	}
	return to;
}

static bool is_current(const struct feature *feature, uint16_t profile)
{
	return !feature->profile || feature->profile == profile || (feature->profile == 0xffff && profile);
}

static uint8_t *put_feature(uint8_t *to, const struct feature *feature, uint16_t profile)
{
	put_be(to, feature->code, 2);
	to[2] = (uint8_t)((feature->version & ~1u) | is_current(feature, profile));
	to[3] = feature->size;
	memcpy(to + 4, feature->data, feature->size);
	return to + 4 + feature->size;
}

/* Whether a feature is asked for: all, those that are current, one. */
static bool is_asked(const uint8_t *packet, uint16_t code, bool current)
{
	uint16_t first = (uint16_t)(packet[2] << 8 | packet[3]);

	switch (packet[1] & 3) {
	case 0:
		return code >= first;
	case 1:
		return code >= first && current;
	}
	return code == first;
}

unsigned atapi_reply__configuration(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	uint16_t profile = profile_of(drive);
	uint8_t *end = data + 8;
	unsigned i;

	if ((packet[1] & 3) == 3)
		return 0;
	put_be(data + 6, profile, 2);
	if (is_asked(packet, 0, true))
		end = put_profiles(end, profile);
	for (i = 0; i < ARRAY_LENGTH(features); i++)
		if (is_asked(packet, features[i].code, is_current(&features[i], profile)))
			end = put_feature(end, &features[i], profile);
	put_be(data, (uint32_t)(end - data) - 4, 4);
	return (unsigned)(end - data);
}

/* MMC-6, 6.7: media events, when they are asked for; polling only. */
unsigned atapi_reply__event(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	if (!(packet[1] & 1))
		return 0;
	data[3] = 0x10; /* classes there are: media */
	if (!(packet[4] & 0x10)) {
		data[1] = 2;
		data[2] = 0x80; /* none of those */
		return 4;
	}
	data[1] = 6;
	data[2] = 4;
	data[4] = drive->event; /* once */
	drive->event = 0;
	data[5] = (uint8_t)(atapi__has_medium(drive) << 1 | drive->open);
	return 8;
}

/* ---- mode pages (MMC-6, 7.2.3; MMC-3, 5.3.10) ---- */

#define PAGE_ERRORS 0x01
#define PAGE_CAPABILITIES 0x2a
#define PAGE_ALL 0x3f

static uint8_t *put_page(uint8_t *to, uint8_t page, uint8_t size)
{
	to[0] = page;
	to[1] = (uint8_t)(size - 2);
	return to + size;
}

static uint8_t *put_capabilities(const struct ata_drive *drive, uint8_t *to, bool changeable)
{
	uint8_t *end = put_page(to, PAGE_CAPABILITIES, 20);

	if (changeable)
		return end;
	to[2] = 0x3b; /* reads CD-R, CD-RW, DVD-ROM, DVD-R, DVD-RAM */
	to[4] = 0x60; /* mode 2, forms 1 and 2 */
	to[6] = (uint8_t)(0x29 | drive->locked << 1); /* tray; can be locked, and whether it is; eject */
	put_be(&to[8], 706, 2);	 /* kB/s at most: four times a CD's */
	put_be(&to[12], 512, 2); /* KiB of buffer */
	put_be(&to[14], 706, 2);
	return end;
}

unsigned atapi_reply__mode(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	uint8_t page = packet[2] & 0x3f, control = packet[2] >> 6, *end = data + 8;

	if (control == 3 || (page != PAGE_ERRORS && page != PAGE_CAPABILITIES && page != PAGE_ALL))
		return 0;
	if (page != PAGE_CAPABILITIES)
		end = put_page(end, PAGE_ERRORS, 12);
	if (page != PAGE_ERRORS)
		end = put_capabilities(drive, end, control == 1);
	put_be(data, (uint32_t)(end - data) - 2, 2);
	data[2] = atapi__has_medium(drive) ? 0x01 : drive->open ? 0x71 : 0x70; /* medium type */
	return (unsigned)(end - data);
}

/* ---- the rest ---- */

unsigned atapi_reply__mechanism(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	data[1] = (uint8_t)(drive->open << 4);
	return 8;
}

/* MMC-6, 6.21: one session that is complete. */
unsigned atapi_reply__disc(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	if (packet[1] & 7)
		return 0;
	data[1] = 32;
	data[2] = 0x0e; /* disc and last session complete */
	data[3] = data[4] = data[5] = data[6] = 1;
	data[7] = 0x20; /* unrestricted use */
	memset(&data[16], 0xff, 8); /* no further session can start */
	return 34;
}

/* MMC-6, 6.26 */
unsigned atapi_reply__track(struct ata_drive *drive, const uint8_t *packet, uint8_t *data)
{
	data[1] = 34;
	data[2] = data[3] = 1; /* track, session */
	data[5] = 4;	       /* data */
	data[6] = 1;	       /* mode 1 */
	put_be(&data[24], atapi__sectors(drive), 4);
	return 36;
}
