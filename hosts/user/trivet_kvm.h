/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM API in user space: what open("/dev/kvm"), ioctl(2), mmap(2) and close(2) are to the
 * kernel's KVM, with the same request numbers, structures and errors.
 *
 * Descriptors are real file descriptors (memfds), so they are unique in the process, can be
 * mapped with mmap(2) (the vCPU's struct kvm_run and PIO page), and are inherited or closed on
 * exec like others; but they answer requests only through these functions.
 */
#ifndef HOSTS_USER_TRIVET_KVM_H
#define HOSTS_USER_TRIVET_KVM_H

/* As open("/dev/kvm", O_RDWR | O_CLOEXEC). A descriptor, or -1 with errno. */
int trivet_kvm_open(void);

/* As ioctl(fd, request, arg). -1 with errno on failure. EBADF: not one of ours. */
int trivet_kvm_ioctl(int fd, unsigned long request, unsigned long arg);

/* As close(fd). */
int trivet_kvm_close(int fd);

#endif
