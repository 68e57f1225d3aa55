/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI with disks: registers, commands, errors, resets, drivers that mean harm. */
#include "tests/devices/ahci_driver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/devices/storage/ata.h"

#define DISK_BYTES (1u << 20)
#define GOOD 0x50u
#define FAILED(error) ((uint32_t)(error) << 8 | 0x51u)
#define ABORT 0x04
#define NOT_FOUND 0x10

static char path[64];

static int make_image(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/trivet-ahci-test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
	close(fd);
	return 0;
}

static int remove_image(void **state)
{
	return unlink(path);
}

static struct hba *open_disk(const char *more)
{
	char options[200];
	struct hba *hba;

	snprintf(options, sizeof(options), "file=%s,format=raw,serial=S1%s%s", path, *more ? "," : "", more);
	hba = hba__create(options, NULL);
	hba__start(hba, 0);
	return hba;
}

static uint8_t *data(struct hba *hba, uint32_t bytes)
{
	return hba__memory(hba, DATA_AT, bytes);
}

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
}

static void assert_filled(const uint8_t *bytes, size_t size, unsigned seed)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (bytes[i] != (uint8_t)(seed + i * 7 + i / 251))
			fail_msg("byte %zu of %zu differs", i, size);
}

static void registers(void **state)
{
	struct hba *hba = open_disk("");

	assert_int_equal(hba__read(hba, AHCI_CAP), 0xc1341f05);
	assert_int_equal(hba__read(hba, AHCI_PI), 1);
	assert_int_equal(hba__read(hba, AHCI_VS), 0x10301);
	assert_int_equal(hba__port(hba, 0, PORT_SIG), 0x101);
	assert_int_equal(hba__port(hba, 0, PORT_TFD), 0x150);
	assert_int_equal(hba__received(hba, 0, FIS_AT_D2H)[0], FIS_D2H);
	assert_int_equal(hba__port(hba, 1, PORT_SSTS), 0);
	/* Parts of registers. */
	dispatch__access(hba->f->mmio, 0, hba->bar + 0x101, true, &(uint8_t){ 0x5a }, 1);
	assert_int_equal(hba__port(hba, 0, PORT_CLB) >> 8 & 0xff, 0x5a & 0xfc);
	/* Nothing can be issued to a port that does not run. */
	hba__set_port(hba, 0, PORT_CMD, PORT_CMD_FRE);
	hba__set_port(hba, 0, PORT_CI, 1);
	assert_int_equal(hba__port(hba, 0, PORT_CI), 0);
	/* The adapter's reset leaves addresses and signs again. */
	hba__write(hba, AHCI_GHC, AHCI_GHC_HR);
	assert_int_equal(hba__read(hba, AHCI_GHC), AHCI_GHC_AE);
	assert_int_equal(hba__port(hba, 0, PORT_TFD), 0x7f);
	assert_int_equal(hba__port(hba, 0, PORT_SIG), 0xffffffff);
	assert_true(hba__port(hba, 0, PORT_SERR) & PORT_SERR_X);
	hba__set_port(hba, 0, PORT_CMD, PORT_CMD_FRE);
	assert_int_equal(hba__port(hba, 0, PORT_TFD), 0x150);
	hba__destroy(hba);
}

static void identify(void **state)
{
	struct hba *hba = open_disk("");
	const uint16_t *word = (const uint16_t *)data(hba, 512);
	uint8_t sum = 0;
	unsigned i;

	assert_int_equal(hba__ask(hba, 0, 0xec, 0, 0, 512), GOOD);
	assert_int_equal(hba__port(hba, 0, PORT_IS) & (PORT_IS_PSS | PORT_IS_DHRS), PORT_IS_PSS);
	assert_int_equal(hba__received(hba, 0, FIS_AT_PIO)[0], FIS_PIO);
	assert_int_equal(hba__received(hba, 0, FIS_AT_PIO)[15], GOOD);
	assert_int_equal(hba__header(hba, 0, 0)[1], 512);
	for (i = 0; i < 512; i++)
		sum += data(hba, 512)[i];
	assert_int_equal(sum, 0);
	assert_int_equal(word[100], DISK_BYTES / 512);
	assert_int_equal(word[10], 'S' << 8 | '1');
	assert_int_equal(word[75], 31);
	hba__destroy(hba);
}

/* Each way to read after each way to write; the pin says so. */
static void transfers(void **state)
{
	static const uint8_t reads[] = { 0x20, 0x24, 0x25, 0x29, 0xc4, 0xc8, 0x60 };
	static const uint8_t writes[] = { 0x30, 0x34, 0x35, 0x39, 0x3d, 0xc5, 0xca, 0xce, 0x61 };
	struct hba *hba = open_disk("");
	const struct region pieces[] = { { DATA_AT + 2, 1000 }, { DATA_AT + 0x2000, 2 }, { DATA_AT + 0x3000, 3094 } };
	uint8_t *bytes = data(hba, 0x8000), *whole = bytes + 0x6000;
	unsigned r, w, i;

	for (w = 0; w < sizeof(writes); w++) {
		for (i = 0; i < 2; i++) {
			hba__fill(hba, 0, 3, i ? reads[w % sizeof(reads)] : writes[w], 100 + w, 8, NULL, pieces, 3);
			if (i)
				memset(bytes, 0, 0x6000);
			else
				fill(whole, 4096, w);
			if (!i) {
				memcpy(bytes + 2, whole, 1000);
				memcpy(bytes + 0x2000, whole + 1000, 2);
				memcpy(bytes + 0x3000, whole + 1002, 3094);
			}
			hba__set_port(hba, 0, PORT_SACT, 8);
			r = hba__issue(hba, 0, 8, PORT_IS_DHRS | PORT_IS_PSS | PORT_IS_SDBS);
			assert_int_equal(r & PORT_IS_TFES, 0);
			assert_int_equal(hba__port(hba, 0, PORT_CI), 0);
			assert_true(hba->f->level[hba->gsi]);
			hba__set_port(hba, 0, PORT_IS, ~0u);
			hba__write(hba, AHCI_IS, ~0u);
			assert_false(hba->f->level[hba->gsi]);
			hba__start(hba, 0); /* SActive of commands that are not queued */
		}
		assert_memory_equal(bytes + 2, whole, 1000);
		assert_memory_equal(bytes + 0x2000, whole + 1000, 2);
		assert_memory_equal(bytes + 0x3000, whole + 1002, 3094);
	}
	hba__destroy(hba);
}

/* More regions than one piece of a transfer takes, and the worst ones there are. */
static void many_regions(void **state)
{
	static struct region pieces[40];
	struct hba *hba = open_disk("");
	uint32_t *entries;
	unsigned i;

	fill(data(hba, 65536), 65536, 5);
	assert_int_equal(hba__ask(hba, 0, 0x35, 0, 128, 65536), GOOD);
	memset(data(hba, 65536), 0, 65536);
	hba__fill(hba, 0, 0, 0x25, 0, 8, NULL, pieces, 0);
	/* 4 KiB in 2048 regions of two bytes, in a table of its own. */
	entries = hba__memory(hba, 0x400000, 0x80 + 2048 * 16);
	memcpy(entries, hba__fis(hba, 0, 0), 0x80);
	for (i = 0; i < 2048; i++) {
		uint32_t *entry = entries + 32 + 4 * i;

		entry[0] = DATA_AT + 2 * i;
		entry[1] = entry[2] = 0;
		entry[3] = 1;
	}
	hba__header(hba, 0, 0)[0] = 5 | 2048u << 16;
	hba__header(hba, 0, 0)[2] = 0x400000;
	assert_int_equal(hba__issue(hba, 0, 1, ~0u) & ~(uint32_t)PORT_IS_DPS, PORT_IS_DHRS);
	assert_filled(data(hba, 4096), 4096, 5);
	assert_int_equal(hba__header(hba, 0, 0)[1], 4096);
	/* Sizes that cut a sector, and a region, at the end of each piece. */
	for (i = 0; i < 2047; i++) {
		entries[32 + 4 * i] = DATA_AT + (i ? 20 + 30 * (i - 1) : 0);
		entries[32 + 4 * i + 3] = i ? 29 : 19;
	}
	((uint8_t *)entries)[12] = 64;
	memset(data(hba, 65536), 0, 65536);
	assert_int_equal(hba__issue(hba, 0, 1, ~0u), PORT_IS_DHRS);
	assert_filled(data(hba, 32768), 32768, 5);
	hba__destroy(hba);
}

/* One message for what is new; one more for what the driver has left when it writes the register. */
static void interrupt_messages(void **state)
{
	struct hba *hba = open_disk("");
	unsigned count;

	hba__enable_msix(hba, 0xfee00000, 0x41);
	assert_int_equal(hba__ask(hba, 0, 0xec, 0, 0, 512), GOOD);
	count = hba->f->message_count;
	assert_true(count);
	assert_int_equal(hba->f->message[(count - 1) % FIXTURE_MESSAGES].data, 0x41);
	assert_false(hba->f->level[hba->gsi]);
	hba__set_port(hba, 0, PORT_IE, ~0u);
	assert_int_equal(hba->f->message_count, count);
	hba__write(hba, AHCI_IS, 1); /* the port's register still says something */
	assert_int_equal(hba->f->message_count, count + 1);
	hba__set_port(hba, 0, PORT_IS, ~0u);
	hba__write(hba, AHCI_IS, 1);
	assert_int_equal(hba->f->message_count, count + 1);
	hba__write(hba, AHCI_GHC, AHCI_GHC_AE); /* not enabled */
	assert_int_equal(hba__ask(hba, 0, 0xec, 0, 0, 512), GOOD);
	assert_int_equal(hba->f->message_count, count + 1);
	hba__destroy(hba);
}

static void queued_together(void **state)
{
	struct hba *hba = open_disk("");
	unsigned i;

	for (i = 0; i < 32; i++) {
		struct region region = { DATA_AT + 4096 * i, 4096 };

		fill(data(hba, DISK_BYTES) + 4096 * i, 4096, i);
		hba__fill(hba, 0, i, 0x61, 8 * i, 8, NULL, &region, 1);
	}
	hba__set_port(hba, 0, PORT_SACT, ~0u);
	hba__issue(hba, 0, ~0u, PORT_IS_SDBS);
	while (hba__port(hba, 0, PORT_SACT))
		fixture__pump(hba->f, 1);
	assert_int_equal(hba__received(hba, 0, FIS_AT_SDB)[0], FIS_SDB);
	for (i = 0; i < 32; i++) {
		assert_int_equal(hba__ask(hba, 0, 0x25, 8 * i, 8, 4096), GOOD);
		assert_filled(data(hba, 4096), 4096, i);
	}
	hba__destroy(hba);
}

/* The failed command's log; what was issued besides does not run until the port is started again. */
static void queued_error(void **state)
{
	const struct region region = { DATA_AT, 512 };
	struct hba *hba = open_disk("");
	const uint8_t *log = data(hba, 512);

	hba__fill(hba, 0, 5, 0x60, DISK_BYTES / 512, 1, NULL, &region, 1);
	hba__fill(hba, 0, 6, 0x60, 0, 1, NULL, &region, 1);
	hba__set_port(hba, 0, PORT_SACT, 0x20);
	assert_true(hba__issue(hba, 0, 0x20, PORT_IS_TFES) & PORT_IS_SDBS);
	assert_int_equal(hba__port(hba, 0, PORT_TFD) & 0xff01, NOT_FOUND << 8 | 1);
	hba__set_port(hba, 0, PORT_SACT, 0x40);
	hba__set_port(hba, 0, PORT_CI, 0x40);
	fixture__pump(hba->f, 5);
	assert_int_equal(hba__port(hba, 0, PORT_CI), 0x40);
	assert_int_equal(hba__port(hba, 0, PORT_SACT), 0x60);
	hba__set_port(hba, 0, PORT_CMD, PORT_CMD_FRE);
	assert_int_equal(hba__port(hba, 0, PORT_CI) | hba__port(hba, 0, PORT_SACT), 0);
	hba__set_port(hba, 0, PORT_CMD, PORT_CMD_FRE | PORT_CMD_ST);
	assert_int_equal(hba__ask(hba, 0, 0x2f, 0x10, 1, 512), GOOD);
	assert_int_equal(log[0], 5);
	assert_int_equal(log[3], NOT_FOUND);
	assert_int_equal(log[4] | log[5] << 8, DISK_BYTES / 512);
	hba__destroy(hba);
}

static void errors(void **state)
{
	static const struct {
		uint8_t command;
		uint64_t lba;
		uint16_t count;
		uint8_t error;
	} wrong[] = {
		{ 0x25, DISK_BYTES / 512 - 1, 2, NOT_FOUND }, { 0x35, 0xffffffffffffull, 1, NOT_FOUND },
		{ 0x25, 0, 0, NOT_FOUND }, /* 65536 sectors */
		{ 0xc8, 1ull << 28, 1, 0 }, /* this bit is not of 28-bit addresses */
		{ 0x2f, 0x11, 1, ABORT },  { 0x2f, 0x10, 2, ABORT },		   { 0xb0, 0, 0, ABORT },
		{ 0xa1, 0, 0, ABORT },	   { 0xa0, 0, 0, ABORT },		   { 0xff, 0, 0, ABORT },
		{ 0xc6, 0, 3, ABORT },
	};
	struct hba *hba = open_disk("");
	unsigned i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint32_t expected = wrong[i].error ? FAILED(wrong[i].error) : GOOD;

		assert_int_equal(hba__ask(hba, 0, wrong[i].command, wrong[i].lba, wrong[i].count, 4096),
				 expected);
		if (!wrong[i].error)
			continue;
		assert_true(hba__port(hba, 0, PORT_IS) & PORT_IS_TFES);
		assert_int_equal(hba__port(hba, 0, PORT_CI), 1);
		hba__start(hba, 0);
	}
	hba__destroy(hba);
	hba = open_disk("read-only=on");
	assert_int_equal(hba__ask(hba, 0, 0x35, 0, 1, 512), FAILED(ABORT));
	hba__destroy(hba);
}

static void other_commands(void **state)
{
	static const uint8_t fine[] = { 0xe7, 0xea, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0x40, 0x42 };
	struct hba *hba = open_disk("");
	uint64_t range = 3ull << 48 | 8;
	unsigned i;

	for (i = 0; i < sizeof(fine); i++)
		assert_int_equal(hba__ask(hba, 0, fine[i], 0, 1, 0), GOOD);
	/* The write cache as IDENTIFY shows it. */
	hba__fill(hba, 0, 0, 0xef, 0, 0, NULL, NULL, 0);
	((uint8_t *)hba__fis(hba, 0, 0))[3] = 0x82;
	assert_int_equal(hba__issue(hba, 0, 1, PORT_IS_DHRS) & PORT_IS_TFES, 0);
	assert_int_equal(hba__ask(hba, 0, 0xec, 0, 0, 512), GOOD);
	assert_int_equal(data(hba, 512)[170] & 0x20, 0);
	assert_int_equal(hba__ask(hba, 0, 0x35, 0, 1, 512), GOOD);
	/* TRIM: only its range. */
	memset(data(hba, 8192), 0xaa, 8192);
	assert_int_equal(hba__ask(hba, 0, 0x35, 0, 16, 8192), GOOD);
	memset(data(hba, 512), 0, 512);
	memcpy(data(hba, 512) + 40, &range, sizeof(range));
	hba__fill(hba, 0, 0, 0x06, 0, 1, NULL, &(struct region){ DATA_AT, 512 }, 1);
	((uint8_t *)hba__fis(hba, 0, 0))[3] = 1;
	assert_int_equal(hba__issue(hba, 0, 1, PORT_IS_DHRS) & PORT_IS_TFES, 0);
	assert_int_equal(hba__ask(hba, 0, 0x25, 0, 16, 8192), GOOD);
	for (i = 0; i < 16; i++)
		assert_int_equal(data(hba, 8192)[512 * i], i >= 8 && i < 11 ? 0 : 0xaa);
	/* A range beyond the end. */
	range = 2ull << 48 | (DISK_BYTES / 512 - 1);
	memset(data(hba, 512), 0, 512);
	memcpy(data(hba, 512), &range, sizeof(range));
	hba__fill(hba, 0, 0, 0x06, 0, 1, NULL, &(struct region){ DATA_AT, 512 }, 1);
	((uint8_t *)hba__fis(hba, 0, 0))[3] = 1;
	assert_true(hba__issue(hba, 0, 1, PORT_IS_DHRS) & PORT_IS_TFES);
	hba__destroy(hba);
}

static void software_reset(void **state)
{
	struct hba *hba = open_disk("");
	uint8_t *fis = hba__fis(hba, 0, 0);
	unsigned i;

	for (i = 0; i < 2; i++) {
		hba__fill(hba, 0, 0, 0, 0, 0, NULL, NULL, 0);
		fis[1] = 0;
		fis[15] = i ? 0 : FIS_CONTROL_RESET;
		hba__set_port(hba, 0, PORT_CI, 1);
		while (hba__port(hba, 0, PORT_CI))
			fixture__pump(hba->f, 1);
	}
	assert_int_equal(hba__port(hba, 0, PORT_TFD), 0x150);
	hba__destroy(hba);
}

/* ---- harm ---- */

/* What is outside of memory or too short halts the port; a restart brings it back. */
static void hostile_structures(void **state)
{
	static const uint64_t places[] = { 0xfffffff0, 16u << 20, ~0x3ffull, 0xfee00000 };
	struct hba *hba = open_disk("");
	struct region region = { DATA_AT, 512 };
	unsigned i, what;

	for (i = 0; i < 4; i++)
		for (what = 0; what < 5; what++) {
			uint32_t expected = what == 3 ? PORT_IS_HBDS : PORT_IS_HBFS;

			hba__start(hba, 0);
			hba__fill(hba, 0, 0, 0x25, 0, 1, NULL, &region, 1);
			if (what == 0)
				hba__set_port(hba, 0, PORT_CLB, (uint32_t)places[i]);
			if (what == 0)
				hba__set_port(hba, 0, PORT_CLBU, (uint32_t)(places[i] >> 32));
			if (what == 1)
				memcpy(&hba__header(hba, 0, 0)[2], &places[i], 8);
			if (what == 2) {
				hba__set_port(hba, 0, PORT_FB, (uint32_t)places[i]);
				hba__set_port(hba, 0, PORT_FBU, (uint32_t)(places[i] >> 32));
			}
			if (what == 3)
				memcpy((uint8_t *)hba__fis(hba, 0, 0) + 0x80, &places[i], 8);
			if (what == 4) { /* the table's end is at memory's end */
				memcpy(hba__memory(hba, (16 << 20) - 128, 128), hba__fis(hba, 0, 0), 128);
				hba__header(hba, 0, 0)[2] = (16 << 20) - 128;
			}
			assert_int_equal(hba__issue(hba, 0, 1, 0xf9000000) & 0xf9000000, expected);
		}
	hba__start(hba, 0);
	assert_int_equal(hba__ask(hba, 0, 0x25, 0, 1, 512), GOOD);
	hba__destroy(hba);
}

static void short_tables(void **state)
{
	struct hba *hba = open_disk("");
	static const uint8_t commands[] = { 0x25, 0x35, 0xec };
	unsigned i;

	for (i = 0; i < 6; i++) {
		const struct region region = { DATA_AT, 500 };

		hba__start(hba, 0);
		hba__fill(hba, 0, 0, commands[i / 2], 0, 2, NULL, &region, i & 1);
		assert_true(hba__issue(hba, 0, 1, PORT_IS_OFS | PORT_IS_DHRS) & PORT_IS_OFS);
		assert_int_equal(hba__port(hba, 0, PORT_CI), 1);
	}
	hba__destroy(hba);
}

/* A tag that is not the slot's, FISes that are none, no bus mastering. */
static void hostile_commands(void **state)
{
	const struct region region = { DATA_AT, 512 };
	struct hba *hba = open_disk("");

	hba__fill(hba, 0, 4, 0x60, 0, 1, NULL, &region, 1);
	((uint8_t *)hba__fis(hba, 0, 4))[12] = 7 << 3;
	hba__set_port(hba, 0, PORT_SACT, 0x10);
	assert_true(hba__issue(hba, 0, 0x10, PORT_IS_SDBS) & PORT_IS_TFES);
	hba__start(hba, 0);
	hba__fill(hba, 0, 0, 0x25, 0, 1, NULL, &region, 1);
	((uint8_t *)hba__fis(hba, 0, 0))[0] = FIS_D2H;
	assert_true(hba__issue(hba, 0, 1, PORT_IS_DHRS) & PORT_IS_TFES);
	hba__start(hba, 0);
	hba__header(hba, 0, 0)[0] = 1u << 16; /* no FIS at all */
	assert_true(hba__issue(hba, 0, 1, PORT_IS_DHRS) & PORT_IS_TFES);
	hba__start(hba, 0);
	hba__fill(hba, 0, 0, 0x25, 0, 1, NULL, &region, 1);
	hba__set_command(hba, PCI_COMMAND_MEMORY);
	hba__set_port(hba, 0, PORT_CI, 1);
	fixture__pump(hba->f, 5);
	assert_int_equal(hba__port(hba, 0, PORT_CI), 1);
	hba__set_command(hba, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_true(hba__issue(hba, 0, 0, PORT_IS_DHRS));
	hba__destroy(hba);
}

/* Commands that are on their way when the port is stopped, reset, or the machine is. */
static void stops_in_flight(void **state)
{
	struct hba *hba = open_disk("iops=20"); /* so that most of them wait */
	struct region region = { DATA_AT, 512 };
	struct device *dev;
	unsigned how, i;

	for (how = 0; how < 5; how++) {
		hba__start(hba, 0);
		for (i = 0; i < 32; i++)
			hba__fill(hba, 0, i, how & 1 ? 0x60 : 0x25, i, 1, NULL, &region, 1);
		hba__set_port(hba, 0, PORT_IS, ~0u);
		hba__set_port(hba, 0, PORT_SACT, how & 1 ? ~0u : 0);
		hba__set_port(hba, 0, PORT_CI, ~0u);
		fixture__pump(hba->f, 2);
		if (how < 2)
			hba__set_port(hba, 0, PORT_CMD, PORT_CMD_FRE);
		else if (how == 2)
			hba__set_port(hba, 0, PORT_SCTL, SCTL_DET_RESET);
		else if (how == 3)
			hba__write(hba, AHCI_GHC, AHCI_GHC_HR);
		else
			for (dev = hba->f->dev; dev; dev = dev->next)
				if (dev->class == &device_class_ahci_disk)
					dev->class->reset(dev);
		assert_int_equal(hba__port(hba, 0, PORT_CI) | hba__port(hba, 0, PORT_SACT), 0);
		hba__set_port(hba, 0, PORT_SCTL, 0);
		fixture__pump(hba->f, 2);
		assert_int_equal(hba__port(hba, 0, PORT_IS) & PORT_IS_TFES, 0);
	}
	hba__destroy(hba);
}

/* Saved, loaded, saved: the same; whatever is loaded, the port can be started. */
static void saved_state(void **state)
{
	struct hba *hba = open_disk("");
	struct device *dev;
	uint8_t *first, *second;
	unsigned round;
	size_t size, i;

	for (dev = hba->f->dev->next; dev; dev = dev->next) {
		const struct state_table *table = dev->class->state;

		size = state__size(table);
		first = malloc(size);
		second = malloc(size);
		assert_int_equal(state__save(table, dev, first, size), size);
		assert_int_equal(state__load(table, dev, first, size), 0);
		assert_int_equal(state__save(table, dev, second, size), size);
		assert_memory_equal(first, second, size);
		for (round = 0; round < 300; round++) {
			for (i = 4; i < size; i++)
				second[i] = rand() & 1 ? (uint8_t)rand() : first[i];
			state__load(table, dev, second, size);
			fixture__pump(hba->f, 0);
		}
		assert_int_equal(state__load(table, dev, first, size), 0);
		free(first);
		free(second);
	}
	hba__start(hba, 0);
	assert_int_equal(hba__ask(hba, 0, 0x25, 0, 1, 512), GOOD);
	hba__destroy(hba);
}

static void wrong_options(void **state)
{
	static const struct {
		const char *options, *message;
	} wrong[] = {
		{ "", "no image" },
		{ "controller=2", "no image" },
		{ "file=%s,controller=2", "give one more --device ahci" },
		{ "file=%s,port=0", "another drive has it" },
		{ "file=%s,serial=123456789012345678901", "at most 20 characters" },
	};
	struct hba *hba = open_disk("locking=off");
	char options[200], error[200];
	struct device *dev;
	unsigned i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(options, sizeof(options), wrong[i].options, path);
		if (*options)
			strcat(options, ",locking=off");
		assert_int_equal(device__create(&device_class_ahci_disk, 1, options, &hba->f->services, &dev,
						error, sizeof(error)), 0);
		assert_true(device__realize(dev, error, sizeof(error)) < 0);
		if (!strstr(error, wrong[i].message))
			fail_msg("%s", error);
		device__destroy(dev);
	}
	hba__destroy(hba);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(identify),
		cmocka_unit_test(transfers),
		cmocka_unit_test(many_regions),
		cmocka_unit_test(interrupt_messages),
		cmocka_unit_test(queued_together),
		cmocka_unit_test(queued_error),
		cmocka_unit_test(errors),
		cmocka_unit_test(other_commands),
		cmocka_unit_test(software_reset),
		cmocka_unit_test(hostile_structures),
		cmocka_unit_test(short_tables),
		cmocka_unit_test(hostile_commands),
		cmocka_unit_test(stops_in_flight),
		cmocka_unit_test(saved_state),
		cmocka_unit_test(wrong_options),
	};

	return cmocka_run_group_tests(tests, make_image, remove_image);
}
