/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the hypervisor offers beyond the KVM API. A machine that asks with KVM_CHECK_EXTENSION runs on any KVM. */
#ifndef INCLUDE_UAPI_TRIVET_H
#define INCLUDE_UAPI_TRIVET_H

#include <linux/kvm.h>

/*
 * A hypervisor that keeps translations of guest code has to assume that user space may have written code
 * whenever KVM_RUN begins, and before each interrupt that user space causes. A machine that enables this
 * capability on its VM (KVM_ENABLE_CAP) promises to tell what it has written instead.
 */
#define TRIVET_CAP_WRITTEN 0x74720001

/*
 * VM ioctl: user space has written pages of guest memory, and has not yet told the guest so. Parts without
 * memory are passed over. What the guest executes from then on is what was written. The argument is a number,
 * as devices tell often: the first page's guest-physical address, with the number of pages less one in its low
 * 12 bits.
 *
 * 0, or -EINVAL: the range goes over the end of the address space.
 */
#define TRIVET_WRITTEN _IO(KVMIO, 0xf8)
#define TRIVET_WRITTEN_PAGES 4096u /* at most */

#endif
