/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X (PCI 3.0, 6.8.2): a table of messages in a BAR, each with a mask, and pending bits for
 * those that were raised while masked.
 */
#ifndef VMM_PCI_MSIX_H
#define VMM_PCI_MSIX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/pci/pci.h"

#define MSIX_MOST 128u /* vectors */
#define MSIX_ENTRY_BYTES 16u
#define MSIX_TABLE_BYTES (MSIX_MOST * MSIX_ENTRY_BYTES)
#define MSIX_PBA_BYTES (MSIX_MOST / 8)

struct msix {
	struct pci_function *function;
	struct message_hub *hub;
	unsigned capability; /* offset in the configuration space */
	unsigned count;
	pthread_mutex_t lock; /* guards what follows */
	bool enabled, masked; /* as the capability's control register has it */
	uint8_t table[MSIX_TABLE_BYTES];
	uint64_t pending[MSIX_MOST / 64];
	bool uses_wires;
	uint64_t wired[MSIX_MOST / 64]; /* vectors whose eventfd is a wire */
	int wire[MSIX_MOST];		/* eventfds, made when first needed; -1: not */
};

/*
 * Gives the function MSI-X with `count` vectors, table and pending bits in its BAR `bar` at these
 * offsets (multiples of 8). The device's handler of the BAR passes accesses on. 0, -EINVAL or
 * -ENOSPC.
 */
int msix__add(struct msix *msix, struct pci_function *function, unsigned count, unsigned bar,
	      uint32_t table, uint32_t pba);
void msix__destroy(struct msix *msix);
/* Messages go by wires (message_hub__wire()) where there are some. Before the guest runs. */
void msix__use_wires(struct msix *msix);

/* Accesses at access->offset from the start of the table or the pending bits. Any thread. */
void msix__access_table(struct msix *msix, struct access *access);
void msix__access_pba(struct msix *msix, struct access *access);

/*
 * Sends the vector's message, or notes that it is pending; nothing for a vector that is not there.
 * False if the guest does not use MSI-X: the interrupt pin is to be used. Any thread.
 */
bool msix__raise(struct msix *msix, unsigned vector);

/* For vmm/pci: the power-on state; what follows from the control register. */
void msix__reset(struct msix *msix);
void msix__update(struct msix *msix);

extern const struct state_table msix_state;

#endif
