/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CD-ROM drives on AHCI: packets, sense, the medium. */
#include "tests/devices/ahci_driver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECTORS 40u
#define GOOD 0x50u
#define CHECK(key) ((uint32_t)((key) << 4 | 4) << 8 | 0x51u)

static char path[64];

static int make_image(void **state)
{
	uint8_t sector[2048];
	unsigned i;
	int fd;

	snprintf(path, sizeof(path), "/tmp/trivet-cd-test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (i = 0; i < SECTORS; i++) {
		memset(sector, (int)i + 1, sizeof(sector));
		assert_int_equal(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	close(fd);
	return 0;
}

static int remove_image(void **state)
{
	return unlink(path);
}

static struct hba *open_cd(bool medium)
{
	char options[100];
	struct hba *hba;

	snprintf(options, sizeof(options), "file=%s,read-only=off", path);
	hba = hba__create(NULL, medium ? options : "");
	hba__start(hba, 0);
	return hba;
}

static const uint8_t *data(struct hba *hba)
{
	return hba__memory(hba, DATA_AT, 65536);
}

/* An operation whose other bytes are 0 but for these. */
static uint32_t ask(struct hba *hba, uint8_t operation, unsigned at, uint8_t value, unsigned length_at,
		    uint32_t bytes)
{
	uint8_t packet[12] = { operation };

	if (at)
		packet[at] = value;
	if (length_at) {
		packet[length_at] = (uint8_t)(bytes >> 8);
		packet[length_at + 1] = (uint8_t)bytes;
	}
	return hba__packet(hba, 0, packet, bytes);
}

/* Restarts the port after a CHECK CONDITION, and reads key, code, qualifier. */
static uint32_t sense(struct hba *hba)
{
	hba__set_port(hba, 0, PORT_CMD, PORT_CMD_FRE);
	hba__set_port(hba, 0, PORT_CMD, PORT_CMD_FRE | PORT_CMD_ST);
	assert_int_equal(ask(hba, 0x03, 4, 18, 0, 18), GOOD);
	return (uint32_t)data(hba)[2] << 16 | data(hba)[12] << 8 | data(hba)[13];
}

/* The unit attention of the power-on. */
static void settle(struct hba *hba)
{
	assert_int_equal(ask(hba, 0x00, 0, 0, 0, 0), CHECK(6));
	assert_int_equal(sense(hba), 0x062900);
}

static uint32_t read_sectors(struct hba *hba, bool twelve, uint32_t lba, uint32_t count)
{
	uint8_t packet[12] = { twelve ? 0xa8 : 0x28, 0, (uint8_t)(lba >> 24), 0, (uint8_t)(lba >> 8), (uint8_t)lba };

	packet[twelve ? 9 : 8] = (uint8_t)count;
	if (twelve)
		packet[6] = (uint8_t)(count >> 24);
	return hba__packet(hba, 0, packet, 65536);
}

static void what_it_is(void **state)
{
	struct hba *hba = open_cd(true);
	const uint16_t *word = (const uint16_t *)data(hba);

	assert_int_equal(hba__port(hba, 0, PORT_SIG), 0xeb140101);
	assert_int_equal(hba__ask(hba, 0, 0xa1, 0, 0, 512), GOOD);
	assert_int_equal(word[0], 0x85c0);
	/* Before anything else is told. */
	assert_int_equal(ask(hba, 0x12, 0, 0, 3, 36), GOOD);
	assert_int_equal(data(hba)[0], 5);
	assert_memory_equal(data(hba) + 8, "TRIVET  CD-ROM", 14);
	assert_int_equal(hba__header(hba, 0, 0)[1], 36);
	assert_int_equal(ask(hba, 0x12, 1, 1, 3, 36), CHECK(5));
	assert_int_equal(sense(hba), 0x052400);
	/* A host that takes it for a disk finds the signature. */
	assert_int_equal(hba__ask(hba, 0, 0xec, 0, 0, 512), 0x0451);
	assert_int_equal(hba__received(hba, 0, FIS_AT_D2H)[5], 0x14);
	assert_int_equal(hba__received(hba, 0, FIS_AT_D2H)[6], 0xeb);
	hba__start(hba, 0);
	settle(hba);
	assert_int_equal(ask(hba, 0x00, 0, 0, 0, 0), GOOD);
	assert_int_equal(ask(hba, 0x77, 0, 0, 0, 0), CHECK(5));
	assert_int_equal(sense(hba), 0x052000);
	hba__destroy(hba);
}

static void reads(void **state)
{
	struct hba *hba = open_cd(true);
	unsigned i;

	settle(hba);
	assert_int_equal(ask(hba, 0x25, 0, 0, 0, 8), GOOD);
	assert_memory_equal(data(hba), ((uint8_t[]){ 0, 0, 0, SECTORS - 1, 0, 0, 8, 0 }), 8);
	for (i = 0; i < 2; i++) {
		assert_int_equal(read_sectors(hba, i, 7, 32), GOOD);
		assert_int_equal(hba__header(hba, 0, 0)[1], 65536);
		assert_int_equal(data(hba)[0], 8);
		assert_int_equal(data(hba)[65535], 39);
		assert_int_equal(read_sectors(hba, i, 0, 0), GOOD);
		assert_int_equal(hba__header(hba, 0, 0)[1], 0);
		assert_int_equal(read_sectors(hba, i, SECTORS - 1, 2), CHECK(5));
		assert_int_equal(sense(hba), 0x052100);
	}
	assert_int_equal(read_sectors(hba, true, 0, 0xff000000), CHECK(5));
	assert_int_equal(sense(hba), 0x052100);
	/* More than the table has room for. */
	hba__fill(hba, 0, 0, 0xa0, 0, 0, (uint8_t[12]){ 0x28, [8] = 2 }, &(struct region){ DATA_AT, 2048 }, 1);
	assert_true(hba__issue(hba, 0, 1, PORT_IS_DHRS | PORT_IS_OFS) & PORT_IS_OFS);
	hba__destroy(hba);
}

static void tables(void **state)
{
	struct hba *hba = open_cd(true);
	static const uint8_t toc[] = { 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 0, SECTORS };
	const uint8_t *bytes = data(hba);

	settle(hba);
	assert_int_equal(ask(hba, 0x43, 0, 0, 7, 100), GOOD);
	assert_memory_equal(bytes, toc, sizeof(toc));
	assert_int_equal(hba__header(hba, 0, 0)[1], sizeof(toc));
	assert_int_equal(ask(hba, 0x43, 1, 2, 7, 100), GOOD); /* minutes: 2 s and 40 frames */
	assert_memory_equal(bytes + 16, ((uint8_t[]){ 0, 0, 2, 40 }), 4);
	assert_int_equal(ask(hba, 0x43, 0, 0, 7, 4), GOOD); /* as much as was asked for */
	assert_int_equal(hba__header(hba, 0, 0)[1], 4);
	assert_int_equal(ask(hba, 0x43, 2, 5, 7, 100), CHECK(5));
	assert_int_equal(sense(hba), 0x052400);
	/* Features: all; one. */
	assert_int_equal(ask(hba, 0x46, 0, 0, 7, 400), GOOD);
	assert_int_equal(bytes[7], 8); /* a CD */
	assert_int_equal(hba__header(hba, 0, 0)[1], 4 + (bytes[2] << 8 | bytes[3]));
	assert_int_equal(ask(hba, 0x46, 1, 3, 7, 400), CHECK(5));
	assert_int_equal(sense(hba), 0x052400);
	/* Mode pages. */
	assert_int_equal(ask(hba, 0x5a, 2, 0x2a, 7, 100), GOOD);
	assert_int_equal(bytes[8], 0x2a);
	assert_int_equal(ask(hba, 0x5a, 2, 0x0d, 7, 100), CHECK(5));
	assert_int_equal(sense(hba), 0x052400);
	assert_int_equal(ask(hba, 0x5a, 2, 0xea, 7, 100), CHECK(5));
	assert_int_equal(sense(hba), 0x053900);
	assert_int_equal(ask(hba, 0x51, 0, 0, 7, 34), GOOD);
	assert_int_equal(bytes[2], 0x0e);
	assert_int_equal(ask(hba, 0x52, 0, 0, 7, 36), GOOD);
	assert_int_equal(bytes[27], SECTORS);
	assert_int_equal(ask(hba, 0xbd, 0, 0, 8, 8), GOOD);
	hba__destroy(hba);
}

static void check_event(struct hba *hba, uint8_t event, uint8_t medium)
{
	assert_int_equal(hba__packet(hba, 0, (uint8_t[12]){ 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 }, 8), GOOD);
	assert_memory_equal(data(hba), ((uint8_t[]){ 0, 6, 4, 0x10, event, medium, 0, 0 }), 8);
}

/* Out and in again; not while it is locked. */
static void tray(void **state)
{
	struct hba *hba = open_cd(true);

	settle(hba);
	assert_int_equal(ask(hba, 0x1e, 4, 1, 0, 0), GOOD);
	assert_int_equal(ask(hba, 0x1b, 4, 2, 0, 0), CHECK(5));
	assert_int_equal(sense(hba), 0x055302);
	assert_int_equal(ask(hba, 0x1e, 4, 0, 0, 0), GOOD);
	assert_int_equal(ask(hba, 0x1b, 4, 2, 0, 0), GOOD);
	assert_int_equal(ask(hba, 0x25, 0, 0, 0, 8), CHECK(2));
	assert_int_equal(sense(hba), 0x023a02);
	assert_int_equal(read_sectors(hba, false, 0, 1), CHECK(2));
	assert_int_equal(sense(hba), 0x023a02);
	check_event(hba, 3, 1);
	assert_int_equal(ask(hba, 0x1b, 4, 3, 0, 0), GOOD);
	assert_int_equal(read_sectors(hba, false, 0, 1), GOOD);
	check_event(hba, 2, 2);
	check_event(hba, 0, 2);
	hba__destroy(hba);
}

static void empty_drive(void **state)
{
	struct hba *hba = open_cd(false);

	settle(hba);
	assert_int_equal(ask(hba, 0x00, 0, 0, 0, 0), CHECK(2));
	assert_int_equal(sense(hba), 0x023a01);
	assert_int_equal(read_sectors(hba, false, 0, 1), CHECK(2));
	assert_int_equal(sense(hba), 0x023a01);
	assert_int_equal(ask(hba, 0x46, 0, 0, 7, 400), GOOD);
	assert_int_equal(data(hba)[7], 0); /* no profile */
	assert_int_equal(ask(hba, 0x1b, 4, 2, 0, 0), GOOD);
	assert_int_equal(ask(hba, 0x1b, 4, 3, 0, 0), GOOD);
	assert_int_equal(ask(hba, 0x00, 0, 0, 0, 0), CHECK(2));
	hba__start(hba, 0);
	/* What is of disks is not there. */
	assert_int_equal(hba__ask(hba, 0, 0x25, 0, 1, 512), 0x0451);
	hba__start(hba, 0);
	assert_int_equal(hba__ask(hba, 0, 0x60, 0, 1, 512), 0x0451);
	hba__start(hba, 0);
	assert_int_equal(hba__ask(hba, 0, 0xea, 0, 0, 0), 0x0451);
	hba__destroy(hba);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_is), cmocka_unit_test(reads), cmocka_unit_test(tables),
		cmocka_unit_test(tray),	      cmocka_unit_test(empty_drive),
	};

	return cmocka_run_group_tests(tests, make_image, remove_image);
}
