/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of vmm/pci share and devices do not need. */
#ifndef VMM_PCI_INTERNAL_H
#define VMM_PCI_INTERNAL_H

#include "vmm/pci/pci.h"

/*
 * What follows from the function's registers: which BARs are mapped where, whether it may master
 * the bus, and the same for all behind it if it is a bridge. The lock is held.
 */
void pci_function__update(struct pci_function *function);
/* The wires as pin, command register and PIRQ routes say. The lock is held. */
void pci_function__refresh_intx(struct pci_function *function);
/* Calls `visit` for every function of a bus and behind it, bridges first. */
void pci_bus__visit(struct pci_bus *bus, void (*visit)(struct pci_function *function));

#endif
