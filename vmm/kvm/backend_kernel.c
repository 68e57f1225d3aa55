/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's KVM, a character device. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/kvm/kvm.h"

static int open_device(const char *path, const struct kvm_options *options)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

static int request(int fd, unsigned long number, unsigned long arg)
{
	return ioctl(fd, number, arg);
}

static const struct config_option options[] = {
	KVM_HALT_POLL_OPTION,
	{ NULL },
};

const struct kvm_backend kvm_backend_kernel = {
	.name = "kvm",
	.options = options,
	.open = open_device,
	.ioctl = request,
	.close = close,
};
