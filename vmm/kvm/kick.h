/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Getting another thread out of KVM_RUN. */
#ifndef VMM_KVM_KICK_H
#define VMM_KVM_KICK_H

#include <pthread.h>

#include "vmm/kvm/kvm.h"

/* Gives the kick signal a handler that does nothing. Before any vCPU thread starts. */
int kvm_kick__prepare(void);
/* Unblocks it in the calling thread. */
void kvm_kick__accept(void);

/*
 * Makes the KVM_RUN that `thread` is in, or the next one, return -EINTR. It goes on doing so
 * until kvm_kick__clear(); whoever kicks first says why in a place that the thread looks at after
 * clearing.
 */
void kvm_kick__send(struct kvm_vcpu *vcpu, pthread_t thread);
void kvm_kick__clear(struct kvm_vcpu *vcpu);

#endif
