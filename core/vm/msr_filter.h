/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which MSRs a guest may access as user space wants it (KVM_X86_SET_MSR_FILTER, api.rst 4.97). */
#ifndef CORE_VM_MSR_FILTER_H
#define CORE_VM_MSR_FILTER_H

#include <linux/kvm.h>
#include "core/vm/vm.h"

/*
 * Replaces the machine's filter; the bitmaps are read from the caller's memory. 0, -EINVAL, -EFAULT
 * or -ENOMEM, the old filter then stays.
 */
int msr_filter__set(struct vm *vm, const struct kvm_msr_filter *args);
void msr_filter__free(struct vm *vm);

/* Whether the guest may read (write false) or write this MSR. On vCPU threads. */
bool msr_filter__allows(struct vm *vm, u32 msr, bool write);

#endif
