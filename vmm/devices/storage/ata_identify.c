/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data (ACS-3, 7.12 and 7.13; Serial ATA 3.3, 13.2). */
#include <string.h>

#include "vmm/devices/storage/ahci_regs.h"
#include "vmm/devices/storage/ata.h"

#define DISK_MODEL "Trivet disk"
#define CD_MODEL "Trivet CD-ROM"
#define FIRMWARE "1"

/* Two characters a word, the first one in the upper half. */
static void set_text(uint16_t *words, unsigned count, const char *text)
{
	size_t length = strlen(text), i;

	for (i = 0; i < count * 2; i++) {
		uint8_t c = i < length ? (uint8_t)text[i] : ' ';

		words[i / 2] |= (uint16_t)(i & 1 ? c : c << 8);
	}
}

static void set_number(uint16_t *words, unsigned count, uint64_t number)
{
	for (; count; count--, number >>= 16)
		*words++ = (uint16_t)number;
}

static unsigned log2_of(uint32_t power)
{
	return power ? 31 - (unsigned)__builtin_clz(power) : 0;
}

/* Serial number, names, modes, the link: what both kinds have. */
static void identify_drive(const struct ata_drive *drive, uint16_t *word)
{
	set_text(&word[10], 10, drive->serial);
	set_text(&word[23], 4, FIRMWARE);
	set_text(&word[27], 20, drive->is_cd ? CD_MODEL : DISK_MODEL);
	word[49] = 0x0b00; /* IORDY, LBA, DMA */
	word[53] = 0x0006; /* words 64 to 70 and 88 are valid */
	word[63] = 0x0007; /* multiword DMA 0 to 2 */
	word[64] = 0x0003; /* PIO 3 and 4 */
	word[65] = word[66] = word[67] = word[68] = 120; /* ns a cycle */
	word[76] = 0x000e; /* generations 1 to 3 */
	word[77] = 0x0006; /* 6 Gbit/s now */
	word[80] = 0x01f0; /* up to ATA8-ACS */
	word[82] = word[85] = 0x0008; /* power management */
	word[83] = word[84] = word[86] = word[87] = 0x4000;
	word[86] = 0;
	word[88] = 0x203f; /* ultra DMA 0 to 5; 5 is chosen */
}

static void identify_disk(const struct ata_drive *drive, uint16_t *word)
{
	const struct block_limits *limits = &drive->limits;
	uint64_t sectors = block__size(drive->block) / ATA_SECTOR, old;

	old = sectors / (16 * 63);
	old = old < 16383 ? old : 16383;
	word[0] = 0x0040;
	word[1] = word[54] = (uint16_t)old; /* cylinders, heads, sectors; and now */
	word[3] = word[55] = 16;
	word[6] = word[56] = 63;
	set_number(&word[57], 2, old * 16 * 63);
	word[47] = 0x8010; /* 16 sectors a block of MULTIPLE commands */
	word[50] = 0x4000;
	word[53] |= 1; /* words 54 to 58 are valid */
	word[59] = 0x0110;
	set_number(&word[60], 2, sectors < 0x0fffffff ? sectors : 0x0fffffff);
	word[75] = AHCI_SLOTS - 1;
	word[76] |= 0x0100; /* queued commands */
	word[82] |= 0x0040 | (limits->write_cache ? 0x0020 : 0); /* look-ahead, write cache */
	word[85] |= 0x0040 | (drive->write_cache ? 0x0020 : 0);
	word[83] |= 0x3400; /* 48-bit addresses, FLUSH CACHE, FLUSH CACHE EXT */
	word[86] |= 0x3400;
	word[84] |= 0x0060; /* logs, writes with forced access */
	word[87] |= 0x0060;
	set_number(&word[100], 4, sectors);
	word[106] = 0x4000;
	if (limits->physical > ATA_SECTOR)
		word[106] |= (uint16_t)(0x2000 | log2_of(limits->physical / ATA_SECTOR));
	word[209] = 0x4000; /* the first logical sector begins a physical one */
	word[217] = 1;	    /* nothing rotates */
	if (limits->discard && !block__read_only(drive->block)) {
		word[105] = 1; /* block of ranges */
		word[169] = 1; /* TRIM */
	}
}

void ata_drive__identify(const struct ata_drive *drive, uint8_t data[ATA_SECTOR])
{
	uint16_t word[ATA_SECTOR / 2] = { 0 };
	uint8_t sum = 0xa5;
	unsigned i;

	identify_drive(drive, word);
	if (drive->is_cd) {
		word[0] = 0x85c0; /* CD-ROM, removable, packets of 12 bytes, ready for them at once */
		word[82] |= 0x0210; /* DEVICE RESET, PACKET */
		word[85] |= 0x0210;
	} else {
		identify_disk(drive, word);
	}
	memcpy(data, word, ATA_SECTOR);
	/* Word 255: a signature, and what makes the sum of all bytes 0. */
	data[510] = 0xa5;
	for (i = 0; i < 510; i++)
		sum += data[i];
	data[511] = (uint8_t)-sum;
}
