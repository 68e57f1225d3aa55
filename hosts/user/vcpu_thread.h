/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user-space host's part of a vCPU. */
#ifndef HOSTS_USER_VCPU_THREAD_H
#define HOSTS_USER_VCPU_THREAD_H

#include "core/host.h"

struct host_vcpu {
	u32 wake;	/* enum wake_state, atomic */
	int wake_fd;	/* eventfd that ends host__vcpu_wait() */
	int signal_fd;	/* signalfd of `reported`: readable while one is pending */
	int pages_fd;	/* memfd of the pages user space maps; -1 when it has become a descriptor */
	void *pages;
	bool has_own_mask; /* KVM_SET_SIGNAL_MASK */
	bool is_first_look; /* since KVM_RUN began, at signals that the thread itself lets in */
	u64 own_mask;
	u64 thread_mask;   /* what the thread blocks outside of KVM_RUN */
	u64 reported;	   /* signals that end KVM_RUN */
	u64 signal_fd_set; /* what signal_fd watches now */
};

/* Gives away the descriptor that maps the pages, for publication. */
int host_vcpu__take_fd(struct vcpu *vcpu);

#endif
