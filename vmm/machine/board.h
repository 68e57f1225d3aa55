/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor's part of the machine: what a reset replaces as a whole. */
#ifndef VMM_MACHINE_BOARD_H
#define VMM_MACHINE_BOARD_H

#include <stdbool.h>

#include "vmm/device/irq.h"
#include "vmm/device/message.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine/wires.h"
#include "vmm/memory/slots.h"
#include "vmm/vcpu/vcpu.h"

struct board {
	const struct kvm_system *system;
	bool is_up;
	struct kvm_vm vm;
	struct vcpu_set vcpus;
	struct memory_slots slots;
	struct guest_memory *memory; /* that board__up() was given */
	bool irq_failed; /* said once */
	struct wires wires;
};

/*
 * Creates the virtual machine, its interrupt controllers, the memory slots that there are and vCPUs
 * (held). The callbacks of board->vcpus have been filled in. 0, or -errno with a line in error[].
 */
int board__up(struct board *board, struct guest_memory *memory, unsigned cpus, char *error,
	      unsigned error_size);
/* Ends vCPU threads and removes the virtual machine. */
void board__down(struct board *board);

/* For the memory slots: nothing while the board is down. */
int board__set_slot(void *board, unsigned number, const struct memory_slot *slot);
/* For the interrupt hub: a GSI's level. Nothing while the board is down. */
void board__set_gsi(void *board, unsigned gsi, bool level);
/* The same: the PIT's interrupt, at GSI 0, is kept back. Other GSIs have nothing of the board's. */
void board__silence_gsi(void *board, unsigned gsi, bool silent);
/* For the message hub: the same. */
int board__send_message(void *board, const struct irq_message *message);
int board__doorbell(void *board, const struct doorbell *doorbell, bool on);
int board__wire(void *board, int fd, const struct irq_message *message);

#endif
