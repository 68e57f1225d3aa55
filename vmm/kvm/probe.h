/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a KVM can run stock kernels: found out by running probe guests, and the choice of one. */
#ifndef VMM_KVM_PROBE_H
#define VMM_KVM_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/kvm/kvm.h"

/*
 * Runs a few instructions in throw-away virtual machines and compares with what a CPU does: a
 * paged 32-bit loop, SYSRET and SYSCALL with their selectors, the time of an ALU loop in long
 * mode next to the same loop on this CPU. Takes a few milliseconds on hardware; a guest that hangs
 * costs about two seconds (more on a CPU that is itself emulated).
 *
 * 0: usable. -errno: not, with the reason (no newline) in why[].
 */
int kvm_probe__run(const struct kvm_backend *backend, const char *path, char *why, size_t size);

enum kvm_choice { KVM_CHOICE_AUTO, KVM_CHOICE_KERNEL, KVM_CHOICE_SOFT };

/*
 * Opens the hypervisor that was asked for. AUTO probes the kernel's and takes the library if it
 * does not pass, saying why in one line on stderr. options: "key=value,..." of the engine, or NULL;
 * AUTO takes none. 0, or -errno with a line in error[]; -EINVAL: the options are not right.
 */
int kvm_select__open(enum kvm_choice choice, const char *path, const char *options,
		     struct kvm_system *system, char *error, size_t error_size);

#endif
