/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kicks: immediate_exit catches a vCPU that is on its way into KVM_RUN, the signal one that is in
 * it (Documentation/virt/kvm/api.rst, 5. The kvm_run structure).
 */
#include "vmm/kvm/kick.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static void ignore_kick(int signal)
{
}

int kvm_kick__prepare(void)
{
	/* No SA_RESTART: system calls of a device that a kicked thread waits in return, too. */
	struct sigaction action = { .sa_handler = ignore_kick };

	sigemptyset(&action.sa_mask);
	return sigaction(SIGRTMIN, &action, NULL) < 0 ? -errno : 0;
}

void kvm_kick__accept(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void kvm_kick__send(struct kvm_vcpu *vcpu, pthread_t thread)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(thread, SIGRTMIN);
}

void kvm_kick__clear(struct kvm_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}
