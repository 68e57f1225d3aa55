/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI ports (AHCI 1.3.1, 3.3 and chapter 10): registers, the link, resets. */
#include <string.h>

#include "vmm/devices/storage/ahci.h"
#include "vmm/devices/storage/ata.h"
#include "vmm/loop/loop.h"

/* ---- stopping ---- */

static void cancel(void *opaque)
{
	block_queue__cancel(((struct ahci_port *)opaque)->drive->io);
}

/*
 * Requests that wait are given up; those at the host are waited for, because they have the guest's
 * memory. The lock is dropped meanwhile, and no command starts.
 */
void ahci_port__stop(struct ahci_port *port)
{
	struct ahci *ahci = port->ahci;
	unsigned i;

	port->ci = port->sact = 0;
	if (!port->busy)
		return;
	for (i = 0; i < AHCI_SLOTS; i++)
		if (port->busy >> i & 1)
			port->command[i].dead = true;
	port->stopping++;
	pthread_mutex_unlock(&ahci->lock);
	loop__call(ahci->loop, cancel, port);
	pthread_mutex_lock(&ahci->lock);
	port->stopping--;
	ahci__kick(ahci);
}

/* ---- the link ---- */

static bool is_up(const struct ahci_port *port)
{
	return port->drive && SCTL_DET(port->sctl) == 0;
}

void ahci_port__sign(struct ahci_port *port)
{
	uint8_t fis[FIS_BYTES] = { [0] = FIS_D2H, [3] = 1, [FIS_LBA] = 1, [FIS_COUNT] = 1 };

	if (!(port->cmd & PORT_CMD_FRE)) {
		port->signature_due = true;
		return;
	}
	port->signature_due = false;
	if (port->drive->is_cd) {
		fis[FIS_LBA + 1] = 0x14;
		fis[FIS_LBA + 2] = 0xeb;
	} else {
		fis[2] = ATA_STATUS_GOOD;
	}
	port->sig = (uint32_t)fis[FIS_LBA + 2] << 24 | fis[FIS_LBA + 1] << 16 | 0x0101;
	port->tfd = (uint32_t)fis[3] << 8 | fis[2];
	ahci_port__receive(port, FIS_AT_D2H, fis, sizeof(fis));
}

static void link_down(struct ahci_port *port)
{
	ahci_port__stop(port);
	port->tfd = PORT_TFD_RESET;
	port->sig = PORT_SIG_NONE;
	port->signature_due = false;
}

/* Of a drive that is there: it has been found, and says what it is. */
static void link_up(struct ahci_port *port)
{
	if (!is_up(port))
		return;
	port->serr |= PORT_SERR_X | PORT_SERR_N;
	ata_drive__reset(port->drive);
	ahci_port__sign(port);
}

static void write_sctl(struct ahci_port *port, uint32_t value)
{
	uint32_t before = SCTL_DET(port->sctl);

	port->sctl = value & PORT_SCTL_BITS;
	if (before == SCTL_DET(port->sctl))
		return;
	if (SCTL_DET(port->sctl))
		link_down(port);
	else
		link_up(port);
}

void ahci_port__reset(struct ahci_port *port)
{
	port->cmd &= ~(PORT_CMD_ST | PORT_CMD_FRE);
	port->sctl = 0;
	link_down(port);
	port->is = port->ie = port->cmd = port->serr = 0;
	port->halted = false;
	port->current = 0;
	link_up(port);
}

/* ---- registers ---- */

uint32_t ahci_port__status(const struct ahci_port *port)
{
	return port->is | (port->serr & PORT_SERR_X ? PORT_IS_PCS : 0) |
	       (port->serr & PORT_SERR_N ? PORT_IS_PRCS : 0);
}

static uint32_t read_cmd(const struct ahci_port *port)
{
	uint32_t cmd = port->cmd | PORT_CMD_SUD | PORT_CMD_POD;

	if (cmd & PORT_CMD_FRE)
		cmd |= PORT_CMD_FR;
	if (cmd & PORT_CMD_ST || port->stopping)
		cmd |= PORT_CMD_CR | (uint32_t)port->current << PORT_CMD_CCS_SHIFT;
	return cmd;
}

static uint32_t read_ssts(const struct ahci_port *port)
{
	if (SCTL_DET(port->sctl) == SCTL_DET_OFF)
		return PORT_SSTS_OFF;
	return is_up(port) ? PORT_SSTS_UP : 0;
}

uint32_t ahci_port__read(const struct ahci_port *port, unsigned reg)
{
	switch (reg) {
	case PORT_CLB:
		return port->clb;
	case PORT_CLBU:
		return port->clbu;
	case PORT_FB:
		return port->fb;
	case PORT_FBU:
		return port->fbu;
	case PORT_IS:
		return ahci_port__status(port);
	case PORT_IE:
		return port->ie;
	case PORT_CMD:
		return read_cmd(port);
	case PORT_TFD:
		return port->tfd;
	case PORT_SIG:
		return port->sig;
	case PORT_SSTS:
		return read_ssts(port);
	case PORT_SCTL:
		return port->sctl;
	case PORT_SERR:
		return port->serr;
	case PORT_SACT:
		return port->sact;
	case PORT_CI:
		return port->ci;
	}
	return 0;
}

static void write_cmd(struct ahci_port *port, uint32_t value)
{
	uint32_t before = port->cmd;

	port->cmd = value & PORT_CMD_KEPT;
	if (before & ~value & PORT_CMD_ST) {
		ahci_port__stop(port);
		port->halted = false;
		port->current = 0;
	}
	/* 3.3.7: a driver may take the device's busy bits for gone when it is not running. */
	if (value & PORT_CMD_CLO && !(port->cmd & PORT_CMD_ST))
		port->tfd &= ~(uint32_t)(ATA_STATUS_BUSY | ATA_STATUS_DRQ);
	if (port->cmd & PORT_CMD_FRE && port->signature_due)
		ahci_port__sign(port);
}

/* Bits can be set only, and only of a running port. */
static void issue(struct ahci_port *port, uint32_t *bits, uint32_t value)
{
	if (!(port->cmd & PORT_CMD_ST) || port->stopping)
		return;
	*bits |= value;
	if (bits == &port->ci)
		ahci__kick(port->ahci);
}

static void merge(uint32_t *to, uint32_t value, uint32_t mask, uint32_t writable)
{
	mask &= writable;
	*to = (*to & ~mask) | (value & mask);
}

void ahci_port__write(struct ahci_port *port, unsigned reg, uint32_t value, uint32_t mask)
{
	uint32_t whole;

	value &= mask;
	switch (reg) {
	case PORT_CLB:
		merge(&port->clb, value, mask, ~1023u);
		break;
	case PORT_CLBU:
		merge(&port->clbu, value, mask, ~0u);
		break;
	case PORT_FB:
		merge(&port->fb, value, mask, ~255u);
		break;
	case PORT_FBU:
		merge(&port->fbu, value, mask, ~0u);
		break;
	case PORT_IS:
		port->is &= ~value;
		break;
	case PORT_IE:
		merge(&port->ie, value, mask, PORT_IE_BITS);
		break;
	case PORT_CMD:
		whole = port->cmd;
		merge(&whole, value, mask, ~0u);
		write_cmd(port, whole);
		break;
	case PORT_SCTL:
		whole = port->sctl;
		merge(&whole, value, mask, ~0u);
		write_sctl(port, whole);
		break;
	case PORT_SERR:
		port->serr &= ~value;
		break;
	case PORT_SACT:
		issue(port, &port->sact, value);
		break;
	case PORT_CI:
		issue(port, &port->ci, value);
		break;
	}
}
