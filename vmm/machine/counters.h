/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor's counters, written where the user wants them. */
#ifndef VMM_MACHINE_COUNTERS_H
#define VMM_MACHINE_COUNTERS_H

struct kvm_vm;

/* Replaces what the file holds; "-" is standard error. 0 or -errno. */
int counters__write(const struct kvm_vm *vm, const char *path);

#endif
