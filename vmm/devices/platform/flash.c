/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware in memory: the code, which is ROM, and below it a bank of flash for variables with the
 * Intel command set (JEDEC JEP137 0001H, JESD68.01 CFI query; one chip, 8 bits wide, blocks of
 * 4 KiB).
 *
 * While it is read as an array, the bank is a read-only memory slot, and only writes come here. A
 * command takes the slot away; it comes back after some reads of the array, as firmware changes
 * between commands and reads often.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/firmware/image.h"
#include "vmm/loop/loop.h"
#include "vmm/memory/slots.h"

#define BLOCK_BYTES 4096u
#define BLOCKS_MOST (FIRMWARE_MOST / BLOCK_BYTES)
#define BUFFER_BYTES 64u
#define READS_TO_SLOT 64u
#define SYNC_NS 1000000000ull

#define MANUFACTURER 0x89
#define CHIP 0x18

#define STATUS_LOCKED 0x02u
#define STATUS_PROGRAM_ERROR 0x10u
#define STATUS_ERASE_ERROR 0x20u
#define STATUS_SEQUENCE_ERROR (STATUS_PROGRAM_ERROR | STATUS_ERASE_ERROR)
#define STATUS_READY 0x80u

enum flash_command {
	COMMAND_LOCK = 0x01,
	COMMAND_PROGRAM_INTEL = 0x10,
	COMMAND_ERASE = 0x20,
	COMMAND_PROGRAM = 0x40,
	COMMAND_CLEAR_STATUS = 0x50,
	COMMAND_LOCK_SETUP = 0x60,
	COMMAND_READ_STATUS = 0x70,
	COMMAND_READ_ID = 0x90,
	COMMAND_QUERY = 0x98,
	COMMAND_CONFIRM = 0xd0,
	COMMAND_PROGRAM_BUFFER = 0xe8,
	COMMAND_READ_ARRAY_AMD = 0xf0,
	COMMAND_READ_ARRAY = 0xff,
};

/* What reads give. */
enum { READ_ARRAY, READ_STATUS, READ_ID, READ_QUERY, READ_MODES };

/* What the next write is. */
enum { NEXT_COMMAND, NEXT_BYTE, NEXT_ERASE, NEXT_LOCK, NEXT_COUNT, NEXT_DATA, NEXT_CONFIRM, NEXTS };

struct flash {
	struct device dev;
	struct firmware_bank code, bank; /* the machine's; the vars bank is ours to change */
	int code_slot;
	bool mapped;
	struct loop_timer *timer; /* to sync the file */
	pthread_mutex_t lock;	  /* guards all below */
	int slot;
	uint8_t reads, next, status;
	uint8_t reads_left; /* until the slot comes back */
	uint8_t buffer[BUFFER_BYTES];
	uint32_t buffer_at; /* offset in the bank of its first byte */
	uint8_t buffer_size, buffer_done;
	uint8_t locked[BLOCKS_MOST];
	uint64_t dirty_first, dirty_end; /* not in the file yet */
	bool failed;			 /* said once */
};

/* ---- the file ---- */

static void say_failure(struct flash *flash, int err)
{
	if (!flash->failed)
		fprintf(stderr, "trivet: firmware variables cannot be written: %s\n", strerror(err));
	flash->failed = true;
}

/* The lock is held. */
static void write_dirty(struct flash *flash)
{
	const struct firmware_bank *bank = &flash->bank;

	while (bank->fd >= 0 && flash->dirty_first < flash->dirty_end) {
		ssize_t n = pwrite(bank->fd, bank->data + flash->dirty_first,
				   flash->dirty_end - flash->dirty_first, (off_t)flash->dirty_first);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			flash->status |= STATUS_PROGRAM_ERROR;
			say_failure(flash, n ? errno : EIO);
			break;
		}
		flash->dirty_first += (uint64_t)n;
		loop__timer_arm(flash->timer, loop__now() + SYNC_NS);
	}
	flash->dirty_first = flash->bank.size;
	flash->dirty_end = 0;
}

static void sync_file(void *opaque)
{
	struct flash *flash = opaque;
	int err = fdatasync(flash->bank.fd) ? errno : 0;

	pthread_mutex_lock(&flash->lock);
	if (err)
		say_failure(flash, err);
	pthread_mutex_unlock(&flash->lock);
}

/* ---- the array ---- */

static void show_array(struct flash *flash)
{
	const struct memory_slot slot = { .gpa = flash->bank.gpa,
					  .size = flash->bank.size,
					  .host = flash->bank.data,
					  .read_only = true };

	if (flash->slot < 0 && flash->dev.services->slots)
		flash->slot = memory_slots__add(flash->dev.services->slots, &slot);
}

static void hide_array(struct flash *flash)
{
	if (flash->slot >= 0)
		memory_slots__remove(flash->dev.services->slots, flash->slot);
	flash->slot = -1;
}

static void store(struct flash *flash, uint32_t offset, uint8_t value, uint32_t size)
{
	memset(flash->bank.data + offset, value, size);
	flash->dirty_first = MIN_OF(flash->dirty_first, offset);
	flash->dirty_end = MAX_OF(flash->dirty_end, offset + size);
}

/* False, with the status saying so: the block is locked. */
static bool is_open(struct flash *flash, uint32_t offset, uint8_t error)
{
	if (!flash->locked[offset / BLOCK_BYTES])
		return true;
	flash->status |= STATUS_LOCKED | error;
	return false;
}

static void program(struct flash *flash, uint32_t offset, uint8_t value)
{
	if (is_open(flash, offset, STATUS_PROGRAM_ERROR))
		store(flash, offset, value, 1);
}

static void erase(struct flash *flash, uint32_t offset)
{
	if (is_open(flash, offset, STATUS_ERASE_ERROR))
		store(flash, ALIGN_DOWN_TO(offset, BLOCK_BYTES), 0xff, BLOCK_BYTES);
}

static void lock_block(struct flash *flash, uint32_t offset, uint8_t value)
{
	if (value == COMMAND_LOCK || value == COMMAND_CONFIRM)
		flash->locked[offset / BLOCK_BYTES] = value == COMMAND_LOCK;
	else
		flash->status |= STATUS_SEQUENCE_ERROR;
}

/* ---- commands ---- */

static void finish(struct flash *flash)
{
	flash->next = NEXT_COMMAND;
	flash->reads = READ_STATUS;
	flash->status |= STATUS_READY;
}

static void start_command(struct flash *flash, uint8_t command)
{
	switch (command) {
	case COMMAND_PROGRAM:
	case COMMAND_PROGRAM_INTEL:
		flash->next = NEXT_BYTE;
		flash->reads = READ_STATUS;
		break;
	case COMMAND_ERASE:
		flash->next = NEXT_ERASE;
		flash->reads = READ_STATUS;
		break;
	case COMMAND_LOCK_SETUP:
		flash->next = NEXT_LOCK;
		flash->reads = READ_STATUS;
		break;
	case COMMAND_PROGRAM_BUFFER:
		finish(flash);
		flash->next = NEXT_COUNT;
		break;
	case COMMAND_CLEAR_STATUS:
		/* Also the ready bit: firmware tells flash from ROM by a status of 0. */
		flash->status = 0;
		break;
	case COMMAND_READ_STATUS:
		flash->reads = READ_STATUS;
		break;
	case COMMAND_READ_ID:
		flash->reads = READ_ID;
		break;
	case COMMAND_QUERY:
		flash->reads = READ_QUERY;
		break;
	case COMMAND_READ_ARRAY:
	case COMMAND_READ_ARRAY_AMD:
		flash->reads = READ_ARRAY;
		flash->reads_left = READS_TO_SLOT;
		write_dirty(flash);
		break;
	}
}

static void take_count(struct flash *flash, uint8_t value)
{
	if (value >= BUFFER_BYTES) {
		finish(flash);
		flash->status |= STATUS_SEQUENCE_ERROR;
		return;
	}
	flash->buffer_size = (uint8_t)(value + 1);
	flash->buffer_done = 0;
	flash->next = NEXT_DATA;
}

/* Bytes come in any order within BUFFER_BYTES from the first one's. */
static void take_data(struct flash *flash, uint32_t offset, uint8_t value)
{
	if (!flash->buffer_done) {
		flash->buffer_at = offset;
		memset(flash->buffer, 0xff, sizeof(flash->buffer));
	}
	if (offset - flash->buffer_at < flash->buffer_size)
		flash->buffer[offset - flash->buffer_at] = value;
	if (++flash->buffer_done == flash->buffer_size)
		flash->next = NEXT_CONFIRM;
}

static void program_buffer(struct flash *flash, uint8_t value)
{
	unsigned i;

	finish(flash);
	if (value != COMMAND_CONFIRM) {
		flash->status |= STATUS_SEQUENCE_ERROR;
		return;
	}
	for (i = 0; i < flash->buffer_size && flash->buffer_at + i < flash->bank.size; i++)
		program(flash, flash->buffer_at + i, flash->buffer[i]);
}

static void write_byte(struct flash *flash, uint32_t offset, uint8_t value)
{
	hide_array(flash);
	switch (flash->next) {
	case NEXT_BYTE:
		finish(flash);
		program(flash, offset, value);
		break;
	case NEXT_ERASE:
		finish(flash);
		if (value == COMMAND_CONFIRM)
			erase(flash, offset);
		else
			flash->status |= STATUS_SEQUENCE_ERROR;
		break;
	case NEXT_LOCK:
		finish(flash);
		lock_block(flash, offset, value);
		break;
	case NEXT_COUNT:
		take_count(flash, value);
		break;
	case NEXT_DATA:
		take_data(flash, offset, value);
		break;
	case NEXT_CONFIRM:
		program_buffer(flash, value);
		break;
	default:
		start_command(flash, value);
	}
}

/* JESD68.01, table 1 ff.: from 10H; one erase region. */
static uint8_t query(const struct flash *flash, uint32_t offset)
{
	unsigned blocks = (unsigned)(flash->bank.size / BLOCK_BYTES) - 1;
	unsigned shift = 0;
	const uint8_t table[] = {
		'Q', 'R', 'Y', 1, 0, 0x31, 0, 0, 0, 0, 0,
		0x45, 0x55, 0, 0, /* supply voltages: 4.5 to 5.5 V */
		7, 7, 10, 0, 4, 4, 4, 0, /* times, as powers of two */
		0, 0, 0,		 /* size; an 8-bit interface */
		6, 0, 1, (uint8_t)blocks, (uint8_t)(blocks >> 8), BLOCK_BYTES >> 8, 0,
	};

	while (1ull << shift < flash->bank.size)
		shift++;
	if (offset == 0x27)
		return (uint8_t)shift;
	return offset >= 0x10 && offset - 0x10 < sizeof(table) ? table[offset - 0x10] : 0;
}

static uint8_t read_byte(struct flash *flash, uint32_t offset)
{
	switch (flash->reads) {
	case READ_STATUS:
		return flash->status;
	case READ_ID:
		switch (offset % BLOCK_BYTES) {
		case 0:
			return MANUFACTURER;
		case 1:
			return CHIP;
		case 2:
			return flash->locked[offset / BLOCK_BYTES];
		}
		return 0;
	case READ_QUERY:
		return query(flash, offset);
	}
	if (flash->reads_left && !--flash->reads_left)
		show_array(flash);
	return flash->bank.data[offset];
}

static void access_bank(void *opaque, struct access *access)
{
	struct flash *flash = opaque;

	pthread_mutex_lock(&flash->lock);
	if (access->write)
		write_byte(flash, (uint32_t)access->offset, (uint8_t)access->value);
	else
		access->value = read_byte(flash, (uint32_t)access->offset);
	pthread_mutex_unlock(&flash->lock);
}

/* ---- life ---- */

static void reset(struct device *dev)
{
	struct flash *flash = container_of_type(dev, struct flash, dev);

	if (!flash->mapped)
		return;
	pthread_mutex_lock(&flash->lock);
	write_dirty(flash);
	flash->reads = READ_ARRAY;
	flash->next = NEXT_COMMAND;
	flash->status = STATUS_READY;
	memset(flash->locked, 0, sizeof(flash->locked));
	show_array(flash);
	pthread_mutex_unlock(&flash->lock);
}

static int add_code(struct flash *flash, char *error, size_t error_size)
{
	const struct memory_slot slot = { .gpa = flash->code.gpa,
					  .size = flash->code.size,
					  .host = flash->code.data,
					  .read_only = true };

	if (!flash->dev.services->slots)
		return 0;
	flash->code_slot = memory_slots__add(flash->dev.services->slots, &slot);
	if (flash->code_slot < 0)
		snprintf(error, error_size, "device flash: the hypervisor refuses its memory: %s",
			 strerror(-flash->code_slot));
	return MIN_OF(flash->code_slot, 0);
}

static int add_bank(struct flash *flash, char *error, size_t error_size)
{
	const struct dispatch_range range = { .start = flash->bank.gpa,
					      .size = flash->bank.size,
					      .width = 1,
					      .handler = access_bank,
					      .opaque = flash };
	int err = loop__timer(flash->dev.services->loop, sync_file, flash, &flash->timer);

	if (!err)
		err = dispatch__add(flash->dev.services->mmio, &range);
	flash->mapped = !err;
	if (err)
		snprintf(error, error_size, "device flash: %s", strerror(-err));
	return err;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct flash *flash = container_of_type(dev, struct flash, dev);
	const struct firmware *firmware = dev->services->firmware;
	int err;

	pthread_mutex_init(&flash->lock, NULL);
	flash->slot = -1;
	flash->code_slot = -1;
	if (!firmware)
		return 0;
	flash->code = firmware->code;
	flash->bank = firmware->vars;
	flash->dirty_first = flash->bank.size;
	err = add_code(flash, error, error_size);
	if (!err && flash->bank.data)
		err = add_bank(flash, error, error_size);
	return err;
}

static void remove_flash(struct device *dev)
{
	struct flash *flash = container_of_type(dev, struct flash, dev);

	if (flash->mapped) {
		dispatch__remove(dev->services->mmio, flash->bank.gpa);
		write_dirty(flash);
		if (flash->bank.fd >= 0)
			sync_file(flash);
		hide_array(flash);
	}
	if (flash->timer)
		loop__timer_free(flash->timer);
	if (flash->code_slot >= 0)
		memory_slots__remove(dev->services->slots, flash->code_slot);
	pthread_mutex_destroy(&flash->lock);
}

static int after_load(struct device *dev)
{
	struct flash *flash = container_of_type(dev, struct flash, dev);

	if (flash->reads >= READ_MODES || flash->next >= NEXTS || flash->buffer_size > BUFFER_BYTES ||
	    flash->buffer_done > flash->buffer_size)
		return -EINVAL;
	flash->reads_left = READS_TO_SLOT;
	if (flash->mapped && flash->reads != READ_ARRAY)
		hide_array(flash);
	return 0;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct flash, reads, 1),	   STATE_FIELD(struct flash, next, 1),
	STATE_FIELD(struct flash, status, 1),	   STATE_ARRAY(struct flash, buffer, 1),
	STATE_FIELD(struct flash, buffer_at, 1),   STATE_FIELD(struct flash, buffer_size, 1),
	STATE_FIELD(struct flash, buffer_done, 1), STATE_ARRAY(struct flash, locked, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_flash = {
	.name = "flash",
	.help = "firmware's code and variables",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct flash),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_flash,
};
