/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI commands (AHCI 1.3.1, chapters 4 to 6): from the command list to the drive and back. */
#include <string.h>

#include "vmm/devices/storage/ahci.h"
#include "vmm/devices/storage/ata.h"
#include "vmm/memory/guest_memory.h"

static const struct guest_memory *memory_of(const struct ahci_port *port)
{
	return port->ahci->dev.services->memory;
}

void ahci_port__halt(struct ahci_port *port, uint32_t why)
{
	port->is |= why;
	port->halted = true;
}

void ahci_port__receive(struct ahci_port *port, unsigned at, const uint8_t *fis, unsigned size)
{
	uint64_t base = (uint64_t)port->fbu << 32 | port->fb;

	if (!(port->cmd & PORT_CMD_FRE))
		return;
	if (guest_memory__write(memory_of(port), base + at, fis, size))
		ahci_port__halt(port, PORT_IS_HBFS);
}

/* ---- regions ---- */

/* The next one that is not used up: 1, 0 if there is none, -1 outside of memory. */
static int next_region(struct ahci_command *command, uint64_t *address, uint32_t *length)
{
	uint32_t words[4];

	if (command->entry >= command->entry_count)
		return 0;
	if (guest_memory__read(memory_of(command->port), command->entries + (uint64_t)command->entry * ENTRY_BYTES,
			       words, sizeof(words))) {
		ahci_port__halt(command->port, PORT_IS_HBFS);
		return -1;
	}
	command->interrupts |= !!(words[3] & ENTRY_INTERRUPT);
	*address = ((uint64_t)words[1] << 32 | (words[0] & ~1u)) + command->entry_used;
	*length = ENTRY_LENGTH(words[3]);
	/* The driver may have made it shorter since. */
	*length = *length > command->entry_used ? *length - command->entry_used : 0;
	return 1;
}

static void use_region(struct ahci_command *command, uint32_t bytes, bool up)
{
	command->entry_used += bytes;
	if (!up)
		return;
	command->entry_used = 0;
	command->entry++;
}

/*
 * Up to `most` bytes of the next regions as a list of `room` entries. Returns its bytes: 0 if no room
 * is left; -1 after a halt.
 */
static int64_t gather(struct ahci_command *command, struct iovec *iov, unsigned room, uint64_t most,
		      unsigned *count)
{
	uint64_t bytes = 0, address;
	uint32_t length, part;
	int found = 1;

	for (*count = 0; bytes < most && *count < room; ++*count) {
		found = next_region(command, &address, &length);
		if (found <= 0)
			break;
		part = (uint32_t)MIN_OF((uint64_t)length, most - bytes);
		iov[*count].iov_base = guest_memory__pointer(memory_of(command->port), address, part);
		iov[*count].iov_len = part;
		if (!iov[*count].iov_base) {
			ahci_port__halt(command->port, PORT_IS_HBDS);
			return -1;
		}
		use_region(command, part, part == length);
		bytes += part;
	}
	return found < 0 ? -1 : (int64_t)bytes;
}

/* What is behind the last whole sector waits for the next piece. */
static uint64_t trim(struct ahci_command *command, unsigned *count, uint64_t bytes, uint32_t entry,
		     uint32_t entry_used)
{
	uint64_t whole = bytes - bytes % ATA_SECTOR, left = whole;
	unsigned used;

	if (whole == bytes)
		return bytes;
	for (used = 0; left && left >= command->iov[used].iov_len; used++)
		left -= command->iov[used].iov_len;
	command->entry = entry + used;
	command->entry_used = (used ? 0 : entry_used) + (uint32_t)left;
	if (left)
		command->iov[used++].iov_len = left;
	*count = used;
	return whole;
}

/* ---- ending ---- */

static void release(struct ahci_command *command)
{
	struct ahci_port *port = command->port;

	port->busy &= ~(1u << command->slot);
	if (!command->queued)
		port->exclusive = false;
}

/* Whether the driver is to hear of it; if not, the command is over here. */
static bool is_wanted(struct ahci_command *command)
{
	if (!command->dead && !command->port->halted)
		return true;
	release(command);
	return false;
}

static void end_queued(struct ahci_command *command, uint8_t status, uint8_t error)
{
	struct ahci_port *port = command->port;
	uint32_t bits = status & ATA_STATUS_ERR ? 0 : 1u << command->slot;
	uint8_t fis[FIS_SDB_BYTES] = { FIS_SDB, FIS_INTERRUPT, status & 0x77, error };

	memcpy(&fis[4], &bits, sizeof(bits));
	port->sact &= ~bits;
	port->tfd = (uint32_t)error << 8 | (status & 0x77) | (port->tfd & 0x88);
	port->is |= PORT_IS_SDBS;
	ahci_port__receive(port, FIS_AT_SDB, fis, sizeof(fis));
	if (status & ATA_STATUS_ERR)
		ata_drive__note_error(port->drive, command, status, error);
}

/* Serial ATA 3.3, 10.5.6 and 10.5.11 */
static void end_other(struct ahci_command *command, uint8_t status, uint8_t error)
{
	struct ahci_port *port = command->port;
	bool pio = command->pio_in && !(status & ATA_STATUS_ERR);
	uint8_t fis[FIS_BYTES] = { pio ? FIS_PIO : FIS_D2H,
				   FIS_INTERRUPT | (pio ? FIS_PIO_TO_HOST : 0),
				   pio ? status | ATA_STATUS_DRQ : status, error };

	memcpy(&fis[FIS_LBA], &command->fis[FIS_LBA], 7);
	fis[FIS_COUNT] = command->fis[FIS_COUNT];
	fis[FIS_COUNT_HIGH] = command->fis[FIS_COUNT_HIGH];
	if (pio) {
		uint16_t count = (uint16_t)command->moved;

		fis[15] = status;
		memcpy(&fis[16], &count, sizeof(count));
	}
	port->tfd = (uint32_t)error << 8 | status;
	port->is |= pio ? PORT_IS_PSS : PORT_IS_DHRS;
	ahci_port__receive(port, pio ? FIS_AT_PIO : FIS_AT_D2H, fis, sizeof(fis));
	if (!(status & ATA_STATUS_ERR))
		port->ci &= ~(1u << command->slot);
}

/* Bytes moved, in the command's header (4.2.2, DW 1). */
static void write_moved(const struct ahci_command *command)
{
	struct ahci_port *port = command->port;
	uint64_t list = (uint64_t)port->clbu << 32 | port->clb;

	if (guest_memory__write(memory_of(port), list + command->slot * HEADER_BYTES + 4, &command->moved,
				sizeof(command->moved)))
		ahci_port__halt(port, PORT_IS_HBFS);
}

void ahci_command__end(struct ahci_command *command, uint8_t status, uint8_t error)
{
	struct ahci_port *port = command->port;

	if (!is_wanted(command))
		return;
	if (command->interrupts)
		port->is |= PORT_IS_DPS;
	if (command->queued) {
		end_queued(command, status, error);
	} else {
		write_moved(command);
		end_other(command, status, error);
	}
	if (status & ATA_STATUS_ERR)
		ahci_port__halt(port, PORT_IS_TFES);
	release(command);
}

/* ---- data ---- */

/* Copies between regions and a buffer. False: the port has been halted, and the command is over. */
static bool copy(struct ahci_command *command, uint8_t *data, size_t size, bool to_guest)
{
	struct iovec piece;
	unsigned count;
	int64_t bytes;

	while (size) {
		bytes = gather(command, &piece, 1, size, &count);
		if (bytes <= 0)
			break;
		if (to_guest) {
			memcpy(piece.iov_base, data, (size_t)bytes);
			guest_memory__written(memory_of(command->port), piece.iov_base, (uint64_t)bytes);
		} else {
			memcpy(data, piece.iov_base, (size_t)bytes);
		}
		data += bytes;
		size -= (size_t)bytes;
		command->moved += (uint32_t)bytes;
	}
	if (!size)
		return true;
	if (!command->port->halted)
		ahci_port__halt(command->port, PORT_IS_OFS);
	release(command);
	return false;
}

void ahci_command__reply(struct ahci_command *command, const void *data, size_t size)
{
	if (copy(command, (uint8_t *)data, size, true))
		ahci_command__end(command, ATA_STATUS_GOOD, 0);
}

bool ahci_command__fetch(struct ahci_command *command, void *data, size_t size)
{
	return copy(command, data, size, false);
}

static void done(struct block_request *block, int result);

static void submit(struct ahci_command *command)
{
	struct block_queue *io = command->port->drive->io;

	command->block.done = done;
	command->block.opaque = command;
	block_queue__submit(io, &command->block);
	block_queue__commit(io);
}

/* The next piece of a transfer: whole sectors, as much as the disk takes at once. */
static void transfer_more(struct ahci_command *command)
{
	const struct block_limits *limits = &command->port->drive->limits;
	uint64_t most = MIN_OF(command->left, limits->max_transfer & ~(uint64_t)(ATA_SECTOR - 1));
	uint32_t entry = command->entry, entry_used = command->entry_used;
	unsigned count;
	int64_t bytes = gather(command, command->iov, MIN_OF(AHCI_SEGMENTS, limits->max_iov), most, &count);

	if (bytes > 0)
		bytes = (int64_t)trim(command, &count, (uint64_t)bytes, entry, entry_used);
	if (bytes <= 0) {
		if (!command->port->halted)
			ahci_port__halt(command->port, PORT_IS_OFS);
		release(command);
		return;
	}
	command->block.length = (uint64_t)bytes;
	command->block.iov = command->iov;
	command->block.iov_count = count;
	submit(command);
}

/* Of a failed read nobody knows how much of the memory was written; it is told of all the same. */
static void tell_written(const struct ahci_command *command)
{
	unsigned i;

	for (i = 0; i < command->block.iov_count; i++)
		guest_memory__written(memory_of(command->port), command->iov[i].iov_base,
				      command->iov[i].iov_len);
}

static bool is_transfer(const struct ahci_command *command)
{
	return command->block.iov == command->iov;
}

/* Loop thread, without the lock. */
static void done(struct block_request *block, int result)
{
	struct ahci_command *command = block->opaque;
	struct ahci_port *port = command->port;

	pthread_mutex_lock(&port->ahci->lock);
	if (is_transfer(command)) {
		if (block->op == BLOCK_READ)
			tell_written(command);
		if (!result)
			command->moved += (uint32_t)block->length;
		command->left -= block->length;
		block->offset += block->length;
	}
	if (is_wanted(command)) {
		if (!result && is_transfer(command) && command->left)
			transfer_more(command);
		else
			ata_drive__done(port->drive, command, result);
	}
	ahci_port__take(port);
	pthread_mutex_unlock(&port->ahci->lock);
}

void ahci_command__transfer(struct ahci_command *command, enum block_op op, uint32_t flags,
			    uint64_t offset, uint64_t bytes)
{
	command->block.op = op;
	command->block.flags = flags;
	command->block.offset = offset;
	command->left = bytes;
	transfer_more(command);
}

void ahci_command__request(struct ahci_command *command, enum block_op op, uint64_t offset,
			   uint64_t bytes)
{
	command->block.op = op;
	command->block.flags = 0;
	command->block.offset = offset;
	command->block.length = bytes;
	command->block.iov = NULL;
	command->block.iov_count = 0;
	submit(command);
}

/* ---- starting ---- */

/* Reads header, FIS and packet. False after a halt. */
static bool read_command(struct ahci_port *port, struct ahci_command *command)
{
	uint64_t list = (uint64_t)port->clbu << 32 | port->clb, table;
	const struct guest_memory *memory = memory_of(port);
	uint32_t header[4];

	memset(command->fis, 0, sizeof(command->fis));
	if (guest_memory__read(memory, list + command->slot * HEADER_BYTES, header, sizeof(header)))
		return false;
	table = (uint64_t)header[3] << 32 | (header[2] & ~127u);
	if (guest_memory__read(memory, table, command->fis,
			       MIN_OF(HEADER_LENGTH(header[0]), FIS_BYTES)) ||
	    (header[0] & HEADER_ATAPI &&
	     guest_memory__read(memory, table + TABLE_PACKET, command->packet, sizeof(command->packet))))
		return false;
	command->entries = table + TABLE_ENTRIES;
	command->entry_count = HEADER_ENTRIES(header[0]);
	command->entry = command->entry_used = command->moved = 0;
	command->dead = command->pio_in = command->interrupts = false;
	command->block.iov = NULL;
	return true;
}

/* Serial ATA 3.3, 11.4: a reset by the control register is two FISes, the second ends it. */
static void write_control(struct ahci_command *command)
{
	struct ahci_port *port = command->port;
	bool resetting = command->fis[FIS_CONTROL] & FIS_CONTROL_RESET;

	port->ci &= ~(1u << command->slot);
	if (port->drive->resetting && !resetting) {
		ata_drive__reset(port->drive);
		ahci_port__sign(port);
	}
	port->drive->resetting = resetting;
	release(command);
}

static bool is_queued(const struct ahci_command *command)
{
	return (command->fis[FIS_COMMAND] & 0xfe) == 0x60 && command->fis[1] & FIS_H2D_COMMAND &&
	       !command->port->drive->is_cd;
}

/* False: it has to wait for others. */
static bool start(struct ahci_port *port, unsigned slot)
{
	struct ahci_command *command = &port->command[slot];

	if (!read_command(port, command)) {
		ahci_port__halt(port, PORT_IS_HBFS);
		return false;
	}
	command->queued = is_queued(command);
	if (!command->queued && port->busy)
		return false;
	port->busy |= 1u << slot;
	port->exclusive = !command->queued;
	port->current = (uint8_t)slot;
	if (command->queued)
		port->ci &= ~(1u << slot); /* accepted; SActive says when it ends */
	if (command->fis[0] != FIS_H2D)
		ata_drive__fail(command, ATA_ERROR_ABORT);
	else if (command->fis[1] & FIS_H2D_COMMAND)
		ata_drive__start(port->drive, command);
	else
		write_control(command);
	return true;
}

static bool may_run(const struct ahci_port *port)
{
	return port->drive && port->cmd & PORT_CMD_ST && !port->halted && !port->stopping &&
	       !port->exclusive && SCTL_DET(port->sctl) == 0 &&
	       pci_function__may_master(&port->ahci->function);
}

/* One round of the slots from behind the last one that was started; so each gets its turn. */
void ahci_port__take(struct ahci_port *port)
{
	unsigned first = port->current + 1, i;

	for (i = 0; i < AHCI_SLOTS && may_run(port); i++) {
		unsigned slot = (first + i) % AHCI_SLOTS;

		if ((port->ci & ~port->busy) >> slot & 1 && !start(port, slot))
			break;
	}
}
