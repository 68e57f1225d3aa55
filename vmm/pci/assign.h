/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What firmware does before an operating system starts: bus numbers, bridge windows, BARs. */
#ifndef VMM_PCI_ASSIGN_H
#define VMM_PCI_ASSIGN_H

#include "vmm/pci/pci.h"

/* Windows of the host bridge, both ends included. */
struct pci_windows {
	uint64_t io_first, io_last;
	uint64_t low_first, low_last;	/* memory below 4 GiB */
	uint64_t high_first, high_last; /* above; high_first > high_last: none */
};

/* The windows of a machine: what RAM and the devices of the board leave. */
void pci_windows__init(struct pci_windows *windows, const struct device_services *services);

/*
 * Numbers buses, places every BAR and bridge window, turns decoding on, and routes PIRQs to the
 * PIC's inputs 10 and 11. What finds no room stays without an address and not decoded. For a
 * machine without firmware, after its devices' reset.
 */
void pci__assign(struct pci *pci, const struct pci_windows *windows);

#endif
