/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AHCI 1.3.1 host bus adapter: what its files share.
 *
 * ahci->lock guards the registers, the commands and the drives. vCPUs only write registers; commands are
 * taken, started and ended on the adapter's event loop. Nothing waits for the loop with the lock held.
 */
#ifndef VMM_DEVICES_STORAGE_AHCI_H
#define VMM_DEVICES_STORAGE_AHCI_H

#include <pthread.h>

#include "vmm/block/block.h"
#include "vmm/devices/storage/ahci_regs.h"
#include "vmm/pci/msix.h"
#include "vmm/pci/pci.h"

#define AHCI_SEGMENTS 256u /* of one piece of a transfer; of two bytes each they hold a sector */
#define AHCI_REPLY_BYTES 512u

struct ahci;
struct ahci_port;
struct ata_drive;

/* A command in a slot, from its start to its end. */
struct ahci_command {
	struct block_request block; /* what is going on for it */
	struct ahci_port *port;
	uint8_t slot;
	bool dead;   /* the port was stopped: nobody is to be told */
	bool queued; /* ends by its bit of SActive */
	bool pio_in; /* ends by a PIO setup FIS */
	uint8_t fis[FIS_BYTES]; /* the driver's; its registers go back in the device's */
	uint8_t packet[16];
	/* Physical region descriptors, and how far they have been used up */
	uint64_t entries;
	uint32_t entry_count, entry, entry_used;
	bool interrupts; /* one of them has the interrupt bit */
	uint32_t moved;	 /* bytes */
	/* A transfer between disk and guest memory, in pieces */
	uint64_t left;
	/* Ranges of DATA SET MANAGEMENT that are left, or a reply's bytes */
	uint32_t range;
	uint8_t reply[AHCI_REPLY_BYTES];
	struct iovec iov[AHCI_SEGMENTS];
};

struct ahci_port {
	struct ahci *ahci;
	struct ata_drive *drive; /* NULL: none */
	uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, sctl, serr, sact, ci;
	uint8_t halted;	       /* an error has happened: no command until ST is cleared */
	uint8_t signature_due; /* the device will say what it is as soon as FISes are received */
	uint8_t current;       /* slot */
	unsigned stopping;     /* vCPUs that wait for commands to end */
	uint32_t busy;	       /* slots whose command has not ended */
	bool exclusive;	       /* it is one that is not queued */
	struct ahci_command *command; /* AHCI_SLOTS, with a drive */
};

struct ahci {
	struct device dev;
	struct pci_place place;
	uint64_t io_thread;
	struct pci_function function;
	struct msix msix;
	struct loop *loop;
	struct loop_watch *kick_watch;
	int kick_fd; /* -1: none */
	bool realized;
	pthread_mutex_t lock;
	uint32_t ghc, is;
	uint32_t told; /* bits of `is` that a message was sent for */
	struct ahci_port port[AHCI_PORTS];
};

/* ---- ahci.c ---- */

/* Controller `number` (from 0) of the machine that has this device; NULL: there is none. */
struct ahci *ahci__find(const struct device *dev, unsigned number);
/*
 * Plugs a drive into a port, or any that is free (AHCI_PORTS). 0, -EBUSY (taken, or none is free) or
 * -ENOMEM. Before the machine runs, as what follows.
 */
int ahci__attach(struct ahci *ahci, unsigned port, struct ata_drive *drive);
/* Ends what it has begun, and unplugs it. */
void ahci__detach(struct ata_drive *drive);
/* Has the loop look for commands. Any thread. */
void ahci__kick(struct ahci *ahci);
/* The interrupt as the registers say. The lock. */
void ahci__update_interrupt(struct ahci *ahci);

/* ---- ahci_port.c; the lock unless it says otherwise ---- */

uint32_t ahci_port__read(const struct ahci_port *port, unsigned reg);
/* Bits of `mask` become those of `value`. May drop the lock meanwhile. */
void ahci_port__write(struct ahci_port *port, unsigned reg, uint32_t value, uint32_t mask);
/* PxIS with the bits that follow from PxSERR. */
uint32_t ahci_port__status(const struct ahci_port *port);
/* What the adapter's reset does. Drops the lock while commands end. */
void ahci_port__reset(struct ahci_port *port);
/* Gives up all commands. Drops the lock while they end. */
void ahci_port__stop(struct ahci_port *port);
/* The device says what it is, now or once FISes are received. */
void ahci_port__sign(struct ahci_port *port);

/* ---- ahci_command.c; loop thread, the lock ---- */

/* Starts what the driver has issued and what may run now. */
void ahci_port__take(struct ahci_port *port);
/* An error that is not the device's: nothing runs until the driver restarts the port. */
void ahci_port__halt(struct ahci_port *port, uint32_t why);
/* Writes a FIS to where the driver receives it. */
void ahci_port__receive(struct ahci_port *port, unsigned at, const uint8_t *fis, unsigned size);

/*
 * For drives. Each ends the command, now or later: by ata_drive__done() when the whole of a transfer or
 * request has been done. `bytes` is a multiple of 512.
 */
void ahci_command__transfer(struct ahci_command *command, enum block_op op, uint32_t flags,
			    uint64_t offset, uint64_t bytes);
/* BLOCK_FLUSH, BLOCK_DISCARD. */
void ahci_command__request(struct ahci_command *command, enum block_op op, uint64_t offset,
			   uint64_t bytes);
/* Sends data to the driver and ends the command well. */
void ahci_command__reply(struct ahci_command *command, const void *data, size_t size);
/* Fetches data from the driver: all of it, or the port has been halted and the command is over (false). */
bool ahci_command__fetch(struct ahci_command *command, void *data, size_t size);
/* With the device's status and error registers. */
void ahci_command__end(struct ahci_command *command, uint8_t status, uint8_t error);

#endif
