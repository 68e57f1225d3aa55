/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual machine, interrupt controllers, timer, memory slots and vCPUs, up and down. */
#include "vmm/machine/board.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/memory/guest_memory.h"

/* Below the IOAPIC and far from RAM; Intel hosts without unrestricted guests need the pages. */
#define IDENTITY_MAP_GPA 0xfeffc000ull
#define TSS_GPA 0xfeffd000ull

#define PIT_GSI 0

struct step {
	const char *what;
	int (*make)(struct kvm_vm *vm);
};

static int set_real_mode_pages(struct kvm_vm *vm)
{
	int err = 0;

	if (kvm_system__extension(vm->system, KVM_CAP_SET_IDENTITY_MAP_ADDR))
		err = kvm_vm__set_identity_map(vm, IDENTITY_MAP_GPA);
	if (!err && kvm_system__extension(vm->system, KVM_CAP_SET_TSS_ADDR))
		err = kvm_vm__set_tss(vm, TSS_GPA);
	return err;
}

static const struct step steps[] = {
	{ "the pages for real mode", set_real_mode_pages },
	{ "the interrupt controllers", kvm_vm__create_irqchip },
	{ "the interrupt routes", kvm_vm__set_pc_routes },
	{ "the timer", kvm_vm__create_pit },
	{ "the limit of halt-poll", kvm_vm__set_halt_poll },
};

static int fail(int err, const char *what, char *error, unsigned error_size)
{
	snprintf(error, error_size, "the hypervisor refuses to create %s: %s", what, strerror(-err));
	return err;
}

static void tell_written(void *opaque, uint64_t gpa, uint64_t size)
{
	struct board *board = opaque;

	kvm_vm__written(&board->vm, gpa, size);
}

int board__up(struct board *board, struct guest_memory *memory, unsigned cpus, char *error,
	      unsigned error_size)
{
	unsigned i;
	int err = kvm_vm__create(&board->vm, board->system);

	if (err)
		return fail(err, "a virtual machine", error, error_size);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		err = steps[i].make(&board->vm);
		if (err) {
			fail(err, steps[i].what, error, error_size);
			goto destroy_vm;
		}
	}
	board->is_up = true;
	if (kvm_system__extension(board->system, KVM_CAP_IRQFD))
		wires__set_vm(&board->wires, &board->vm);
	err = memory_slots__refresh(&board->slots);
	if (err) {
		fail(err, "memory slots", error, error_size);
		goto destroy_vm;
	}
	if (kvm_vm__promise_writes(&board->vm)) {
		memory->written = tell_written;
		memory->opaque = board;
	}
	board->memory = memory;
	board->vcpus.system = board->system;
	err = vcpu_set__create(&board->vcpus, &board->vm, cpus);
	if (err) {
		fail(err, "vCPUs", error, error_size);
		goto destroy_vm;
	}
	return 0;
destroy_vm:
	board->is_up = false;
	wires__set_vm(&board->wires, NULL);
	memory->written = NULL;
	kvm_vm__destroy(&board->vm);
	return err;
}

void board__down(struct board *board)
{
	if (!board->is_up)
		return;
	vcpu_set__destroy(&board->vcpus);
	board->is_up = false;
	wires__set_vm(&board->wires, NULL);
	board->memory->written = NULL;
	kvm_vm__destroy(&board->vm);
}

int board__set_slot(void *opaque, unsigned number, const struct memory_slot *slot)
{
	const struct kvm_userspace_memory_region region = {
		.slot = number,
		.flags = slot->read_only ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = slot->gpa,
		.memory_size = slot->size,
		.userspace_addr = (uintptr_t)slot->host,
	};
	struct board *board = opaque;

	return board->is_up ? kvm_vm__set_memory_region(&board->vm, &region) : 0;
}

static void note_failure(struct board *board, unsigned gsi, int err)
{
	if (err && !board->irq_failed) {
		board->irq_failed = true;
		fprintf(stderr, "trivet: interrupt %u: %s\n", gsi, strerror(-err));
	}
}

void board__set_gsi(void *opaque, unsigned gsi, bool level)
{
	struct board *board = opaque;

	if (board->is_up)
		note_failure(board, gsi, kvm_vm__irq_line(&board->vm, gsi, level));
}

void board__silence_gsi(void *opaque, unsigned gsi, bool silent)
{
	struct board *board = opaque;

	if (board->is_up && gsi == PIT_GSI)
		note_failure(board, gsi, kvm_vm__silence_pit(&board->vm, silent));
}

int board__send_message(void *opaque, const struct irq_message *message)
{
	const struct kvm_msi msi = { .address_lo = (uint32_t)message->address,
				     .address_hi = (uint32_t)(message->address >> 32),
				     .data = message->data };
	struct board *board = opaque;

	return board->is_up ? kvm_vm__signal_msi(&board->vm, &msi) : 0;
}

int board__doorbell(void *opaque, const struct doorbell *doorbell, bool on)
{
	/* Length 0: a write of any size, where it is offered. */
	const struct kvm_ioeventfd ioeventfd = {
		.addr = doorbell->address,
		.fd = doorbell->fd,
		.len = doorbell->has_value ? sizeof(doorbell->value) : 0,
		.datamatch = doorbell->value,
		.flags = (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN) |
			 (doorbell->has_value ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
	};
	struct board *board = opaque;

	if (!board->is_up ||
	    (!ioeventfd.len && !kvm_system__extension(board->system, KVM_CAP_IOEVENTFD_ANY_LENGTH)))
		return -EOPNOTSUPP;
	return kvm_vm__ioeventfd(&board->vm, &ioeventfd);
}

int board__wire(void *opaque, int fd, const struct irq_message *message)
{
	struct board *board = opaque;

	return wires__set(&board->wires, fd, message);
}
