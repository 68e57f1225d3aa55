/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the KVM_RUN loop. Functions that return int say with 1 that the loop goes on, with 0
 * that user space has something to do (run->exit_reason is set), or give a -errno.
 */
#ifndef CORE_VM_RUN_H
#define CORE_VM_RUN_H

#include "core/emulate/emulate.h"
#include "core/vm/vm.h"

/* run_io.c: the next access for user space, collected writes first. 1 if there is none. */
int run__hand_out(struct vcpu *vcpu);
/* Takes user space's answer and completes the instruction that waits for it. */
int run__complete(struct vcpu *vcpu);
/* Executes the instruction at RIP by the emulator, with the traps due after it. In guest code. */
int run__emulate(struct vcpu *vcpu);
/* KVM_EXIT_INTERNAL_ERROR, or #UD where only a guest's user program would notice. In guest code. */
int run__emulation_failed(struct vcpu *vcpu);
/* KVM_EXIT_INTERNAL_ERROR: the engine can't be trusted any more. */
int run__broken(struct vcpu *vcpu);

/* run_events.c: what other threads asked for. In guest code. */
int run__requests(struct vcpu *vcpu);
/* Hands the most urgent deliverable event to the engine and asks for windows for the others. */
void run__inject(struct vcpu *vcpu);
/* User space waits for the moment it may inject an interrupt (request_interrupt_window). */
bool run__wants_injection(struct vcpu *vcpu);
/* User space may inject an interrupt now (KVM_INTERRUPT), without an in-kernel PIC. */
bool run__ready_for_injection(struct vcpu *vcpu);
/* Something is there that ends HLT. */
bool run__has_wake_event(struct vcpu *vcpu);

#endif
