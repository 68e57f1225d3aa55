/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPU threads: waiting, waking, and signals.
 *
 * During KVM_RUN all signals are blocked but those that an instruction of ours can cause. A signal
 * that the thread (or KVM_SET_SIGNAL_MASK) would let in ends KVM_RUN with -EINTR, and its handler
 * runs when the mask is put back, as with the kernel's KVM. So no handler ever runs while guest
 * state is in host registers.
 */
#define _GNU_SOURCE
#include "hosts/user/vcpu_thread.h"
#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include "core/api/api.h"
#include "core/vm/vcpu.h"
#include "hosts/user/syscall.h"

#define PAGE 4096
#define SIGNAL_BIT(n) BIT64((n)-1)
#define SYNCHRONOUS                                                                                \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGILL) |      \
	 SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGSYS))
#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

#define LOOKS_PER_CLOCK 8

enum wake_state { WAKE_NONE, WAKE_DONE, WAKE_WAITING };

/* ---- making and end ---- */

static int map_pages(struct vcpu *vcpu, struct host_vcpu *h)
{
	long p;

	h->pages_fd = RAW_SYSCALL(SYS_memfd_create, "trivet-vcpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (h->pages_fd < 0)
		return h->pages_fd;
	/* Sealed, so that nobody can take the pages away under the core. */
	if (RAW_SYSCALL(SYS_ftruncate, h->pages_fd, API_VCPU_MMAP_SIZE) ||
	    RAW_SYSCALL(SYS_fcntl, h->pages_fd, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -ENOMEM;
	p = RAW_SYSCALL(SYS_mmap, 0, API_VCPU_MMAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			h->pages_fd, 0);
	if (p < 0 && p > -4096)
		return p;
	h->pages = (void *)p;
	vcpu->run = h->pages;
	vcpu->pio_data = (u8 *)h->pages + KVM_PIO_PAGE_OFFSET * PAGE;
	vcpu->coalesced = (void *)((u8 *)h->pages + KVM_COALESCED_MMIO_PAGE_OFFSET * PAGE);
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		RAW_SYSCALL(SYS_close, fd);
}

int host__vcpu_init(struct vcpu *vcpu)
{
	struct host_vcpu *h = host__alloc(sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	vcpu->host = h;
	h->pages_fd = -1;
	h->signal_fd = -1;
	h->wake_fd = RAW_SYSCALL(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = h->wake_fd;
	if (rc < 0)
		goto fail;
	h->signal_fd = RAW_SYSCALL(SYS_signalfd4, -1, &h->signal_fd_set, sizeof(u64),
				   SFD_CLOEXEC | SFD_NONBLOCK);
	rc = h->signal_fd;
	if (rc < 0)
		goto fail;
	rc = map_pages(vcpu, h);
	if (!rc)
		return 0;
fail:
	host__vcpu_destroy(vcpu);
	return rc;
}

void host__vcpu_destroy(struct vcpu *vcpu)
{
	struct host_vcpu *h = vcpu->host;

	if (!h)
		return;
	if (h->pages)
		RAW_SYSCALL(SYS_munmap, h->pages, API_VCPU_MMAP_SIZE);
	close_fd(h->pages_fd);
	close_fd(h->signal_fd);
	close_fd(h->wake_fd);
	vcpu->host = NULL;
	vcpu->run = NULL;
	host__free(h);
}

int host_vcpu__take_fd(struct vcpu *vcpu)
{
	int fd = vcpu->host->pages_fd;

	vcpu->host->pages_fd = -1;
	return fd;
}

/* ---- signals ---- */

static void set_thread_mask(u64 mask, u64 *old)
{
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &mask, old, sizeof(mask));
}

void host__vcpu_signal_mask(struct vcpu *vcpu, const u64 *mask)
{
	vcpu->host->has_own_mask = mask;
	vcpu->host->own_mask = mask ? *mask : 0;
}

void host__run_begin(struct vcpu *vcpu)
{
	struct host_vcpu *h = vcpu->host;

	set_thread_mask(~SYNCHRONOUS, &h->thread_mask);
	h->reported = ~(h->has_own_mask ? h->own_mask : h->thread_mask) &
		      ~(SYNCHRONOUS | UNBLOCKABLE);
	h->is_first_look = !h->has_own_mask;
}

void host__run_end(struct vcpu *vcpu)
{
	set_thread_mask(vcpu->host->thread_mask, NULL);
}

bool host__signal_pending(struct vcpu *vcpu)
{
	struct host_vcpu *h = vcpu->host;
	u64 pending = 0;

	/* What came before they were blocked has gone to its handler; what comes meanwhile is seen by the next look. */
	if (h->is_first_look) {
		h->is_first_look = false;
		return false;
	}
	RAW_SYSCALL(SYS_rt_sigpending, &pending, sizeof(pending));
	return pending & h->reported;
}

/* ---- waiting ---- */

/* A signalfd is readable without taking the signal, which stays for the handler. */
static void watch_signals(struct host_vcpu *h)
{
	if (h->signal_fd_set == h->reported)
		return;
	h->signal_fd_set = h->reported;
	RAW_SYSCALL(SYS_signalfd4, h->signal_fd, &h->signal_fd_set, sizeof(u64),
		    SFD_CLOEXEC | SFD_NONBLOCK);
}

bool host__vcpu_poll(struct vcpu *vcpu, u32 ns)
{
	u32 *wake = &vcpu->host->wake;
	u64 end = host__monotonic_ns() + ns;

	do {
		unsigned looks;

		for (looks = 0; looks < LOOKS_PER_CLOCK; looks++) {
			if (__atomic_load_n(wake, __ATOMIC_RELAXED) == WAKE_DONE) {
				__atomic_store_n(wake, WAKE_NONE, __ATOMIC_SEQ_CST);
				return true;
			}
			__builtin_ia32_pause();
		}
	} while (host__monotonic_ns() < end);
	return false;
}

int host__vcpu_wait(struct vcpu *vcpu)
{
	struct host_vcpu *h = vcpu->host;
	struct pollfd fds[2] = {
		{ .fd = h->wake_fd, .events = POLLIN },
		{ .fd = h->signal_fd, .events = POLLIN },
	};
	u32 state = WAKE_NONE;
	u64 count;

	if (!__atomic_compare_exchange_n(&h->wake, &state, WAKE_WAITING, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&h->wake, WAKE_NONE, __ATOMIC_SEQ_CST);
		return 0;
	}
	watch_signals(h);
	RAW_SYSCALL(SYS_poll, fds, 2, -1);
	__atomic_store_n(&h->wake, WAKE_NONE, __ATOMIC_SEQ_CST);
	if (fds[0].revents)
		RAW_SYSCALL(SYS_read, h->wake_fd, &count, sizeof(count));
	return fds[1].revents ? -EINTR : 0;
}

void host__vcpu_wake(struct vcpu *vcpu)
{
	struct host_vcpu *h = vcpu->host;
	u64 one = 1;

	if (__atomic_exchange_n(&h->wake, WAKE_DONE, __ATOMIC_SEQ_CST) == WAKE_WAITING)
		RAW_SYSCALL(SYS_write, h->wake_fd, &one, sizeof(one));
}
